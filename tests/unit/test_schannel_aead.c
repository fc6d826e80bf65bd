/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Authenticated encryption in place, every kind of code that this machine can run: against OpenSSL
 * used in the plainest way, against published vectors, in memory with nothing around it, with every
 * bit changed on the way, and without memory.
 *
 * Seconds by default; with a number it does so many random messages per code and kind instead:
 *     test_schannel_aead 10000000
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packages/schannel/aead_internal.h"
#include "packages/schannel/shard.h"
#include "support/failing_alloc.h"
#include "support/test_util.h"

#define ROOM     (5u << 12) /* of a message: five pages */
#define MAX_LEN  (16384u + 256u)
#define MAX_CODE 8u

static const enum osspi_aead_kind kinds[] = {
    OSSPI_AEAD_AES_128_GCM,
    OSSPI_AEAD_AES_256_GCM,
    OSSPI_AEAD_CHACHA20_POLY1305,
};

static struct osspi_shard *shard;
static uint8_t *arena; /* pages that may be used, between two that may not */
static uint64_t seed;
static uint32_t random_messages;

/* ---- keys, memory, randomness ---- */

static struct osspi_aead *new_key(enum osspi_aead_kind kind)
{
    void *memory = NULL;

    TEST_REQUIRE_EQUAL(osspi_aead_size(kind) % OSSPI_AEAD_ALIGN, 0);
    TEST_REQUIRE_EQUAL(posix_memalign(&memory, OSSPI_AEAD_ALIGN, osspi_aead_size(kind)), 0);
    memset(memory, 0, osspi_aead_size(kind));
    return memory;
}

static struct osspi_aead *set_key(enum osspi_aead_kind kind, const uint8_t *key)
{
    struct osspi_aead *aead = new_key(kind);

    TEST_REQUIRE_EQUAL(osspi_aead_set_key(aead, kind, key, shard), SEC_E_OK);
    return aead;
}

static bool is_wiped(const void *bytes, size_t len)
{
    const uint8_t *byte = bytes;
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any |= byte[i];
    return any == 0;
}

static void free_key(struct osspi_aead *aead, enum osspi_aead_kind kind)
{
    osspi_aead_clear(aead);
    TEST_REQUIRE(is_wiped(aead, osspi_aead_size(kind)));
    osspi_aead_clear(aead);
    free(aead);
}

static void fill_random(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(test_random(&seed) >> 24);
}

/* Calls what(code) for all that can do AES-GCM here, and leaves the best one chosen. */
static void with_each_code(void (*what)(void))
{
    for (size_t i = 0; osspi_aead_code_at(i) != NULL; i++) {
        osspi_aead_choose(osspi_aead_code_at(i));
        what();
    }
    osspi_aead_choose(osspi_aead_code_at(0));
}

/* ---- the other side: OpenSSL, one message at a time ---- */

static const EVP_CIPHER *cipher_of(enum osspi_aead_kind kind)
{
    return kind == OSSPI_AEAD_AES_128_GCM   ? EVP_aes_128_gcm()
           : kind == OSSPI_AEAD_AES_256_GCM ? EVP_aes_256_gcm()
                                            : EVP_chacha20_poly1305();
}

struct reference {
    EVP_CIPHER_CTX *ctx;
};

static struct reference reference_new(enum osspi_aead_kind kind, const uint8_t *key)
{
    struct reference reference = {EVP_CIPHER_CTX_new()};

    TEST_REQUIRE(EVP_EncryptInit_ex(reference.ctx, cipher_of(kind), NULL, key, NULL) == 1);
    return reference;
}

/* The ciphertext and then the tag to out. */
static void reference_seal(struct reference reference, const uint8_t *nonce, const uint8_t *aad,
                           size_t aad_len, const uint8_t *in, size_t len, uint8_t *out)
{
    int done = 0;
    uint8_t none;

    TEST_REQUIRE(EVP_EncryptInit_ex(reference.ctx, NULL, NULL, NULL, nonce) == 1);
    if (aad_len > 0)
        TEST_REQUIRE(EVP_EncryptUpdate(reference.ctx, NULL, &done, aad, (int)aad_len) == 1);
    if (len > 0)
        TEST_REQUIRE(EVP_EncryptUpdate(reference.ctx, out, &done, in, (int)len) == 1);
    TEST_REQUIRE(EVP_EncryptFinal_ex(reference.ctx, &none, &done) == 1);
    TEST_REQUIRE(
        EVP_CIPHER_CTX_ctrl(reference.ctx, EVP_CTRL_AEAD_GET_TAG, OSSPI_AEAD_TAG, out + len) == 1);
}

/* ---- one message both ways ---- */

struct message {
    size_t len;    /* of all, `behind` with it */
    size_t behind; /* of these so many at the end are a piece of their own */
    bool apart;    /* which lies elsewhere */
    size_t at;     /* offset in the arena, from its end if at_end */
    bool at_end;
    size_t aad_len;
};

static uint8_t plain[MAX_LEN], expected[MAX_LEN + OSSPI_AEAD_TAG];

/* Seals and opens in memory that ends where none may be touched, or begins there. */
static void check_message(struct osspi_aead *aead, struct reference reference,
                          const struct message *message)
{
    const size_t len = message->len, sealed_len = len + OSSPI_AEAD_TAG;
    uint8_t nonce[OSSPI_AEAD_NONCE], aad[OSSPI_AEAD_MAX_AAD], before[64], after[64];
    uint8_t *bytes =
        message->at_end ? arena + ROOM - sealed_len - message->at : arena + message->at;
    uint8_t *elsewhere = malloc(message->behind + 1); /* exactly: for AddressSanitizer */
    struct osspi_aead_pieces pieces = {
        .data = bytes,
        .data_len = len - message->behind,
        .behind = message->apart ? elsewhere : bytes + len - message->behind,
        .behind_len = message->behind,
        .aad = aad,
        .aad_len = message->aad_len,
        .tag = bytes + len,
    };
    const size_t before_len = message->at_end ? sizeof(before) : message->at;
    const size_t after_len = message->at_end ? message->at : sizeof(after);

    TEST_REQUIRE(before_len <= sizeof(before) && after_len <= sizeof(after));
    fill_random(nonce, sizeof(nonce));
    fill_random(aad, sizeof(aad));
    fill_random(before, sizeof(before));
    fill_random(after, sizeof(after));
    memcpy(bytes - before_len, before, before_len);
    memcpy(bytes + sealed_len, after, after_len);
    memcpy(bytes, plain, len);
    memset(bytes + len, 0x55, OSSPI_AEAD_TAG);
    elsewhere[message->behind] = 0x77;
    if (message->apart) {
        memcpy(elsewhere, plain + pieces.data_len, message->behind);
        memset(bytes + pieces.data_len, 0x33, message->behind);
    }
    reference_seal(reference, nonce, aad, message->aad_len, plain, len, expected);

    TEST_REQUIRE(osspi_aead_seal(aead, nonce, &pieces));
    if (message->apart) {
        for (size_t i = 0; i < message->behind; i++)
            TEST_REQUIRE_EQUAL(bytes[pieces.data_len + i], 0x33);
        memcpy(bytes + pieces.data_len, elsewhere, message->behind);
    }
    TEST_REQUIRE(memcmp(bytes, expected, sealed_len) == 0);

    TEST_REQUIRE(osspi_aead_open(aead, nonce, aad, message->aad_len, bytes, len));
    TEST_REQUIRE(memcmp(bytes, plain, len) == 0);
    TEST_REQUIRE(memcmp(bytes + len, expected + len, OSSPI_AEAD_TAG) == 0);
    TEST_REQUIRE(memcmp(bytes - before_len, before, before_len) == 0);
    TEST_REQUIRE(memcmp(bytes + sealed_len, after, after_len) == 0);
    TEST_REQUIRE_EQUAL(elsewhere[message->behind], 0x77);
    free(elsewhere);
}

static void with_each_kind(void (*what)(struct osspi_aead *, struct reference))
{
    for (size_t i = 0; i < OSSPI_AEAD_KINDS; i++) {
        uint8_t key[OSSPI_AEAD_MAX_KEY];

        fill_random(key, sizeof(key));
        fill_random(plain, sizeof(plain));
        struct osspi_aead *aead = set_key(kinds[i], key);
        const struct reference reference = reference_new(kinds[i], key);
        what(aead, reference);
        EVP_CIPHER_CTX_free(reference.ctx);
        free_key(aead, kinds[i]);
    }
}

static void check_length(struct osspi_aead *aead, struct reference reference, size_t len)
{
    struct message message = {.len = len, .behind = len > 0, .aad_len = 5};

    check_message(aead, reference, &message);
    message.at_end = true;
    message.apart = true;
    check_message(aead, reference, &message);
    message.behind = 0;
    message.aad_len = 13;
    check_message(aead, reference, &message);
    message.aad_len = 0;
    message.apart = false;
    check_message(aead, reference, &message);
}

static void check_lengths(struct osspi_aead *aead, struct reference reference)
{
    for (size_t len = 0; len <= 1100; len++)
        check_length(aead, reference, len);
    for (size_t len = 1101; len <= 4200; len += 37)
        check_length(aead, reference, len);
    for (size_t len = 16384 - 20; len <= 16384 + 20; len++)
        check_length(aead, reference, len);
    check_length(aead, reference, MAX_LEN);
}

static void check_lengths_of_all_kinds(void)
{
    with_each_kind(check_lengths);
}

static void every_length_agrees_with_openssl(void **state)
{
    (void)state;
    with_each_code(check_lengths_of_all_kinds);
}

static void check_splits(struct osspi_aead *aead, struct reference reference)
{
    static const size_t lengths[] = {1,   15,  16,  17,  63,  64,  65,  127, 128, 129,
                                     191, 240, 241, 255, 256, 257, 300, 511, 513, 900};

    for (size_t i = 0; i < OSSPI_COUNT_OF(lengths); i++) {
        for (size_t behind = 0; behind <= lengths[i]; behind++) {
            struct message message = {.len = lengths[i], .behind = behind, .aad_len = 5};

            check_message(aead, reference, &message);
            message.apart = true;
            message.at_end = true;
            check_message(aead, reference, &message);
        }
    }
}

static void check_splits_of_all_kinds(void)
{
    with_each_kind(check_splits);
}

static void every_split_agrees_with_openssl(void **state)
{
    (void)state;
    with_each_code(check_splits_of_all_kinds);
}

/* Short messages most of the time: there are more ways through the code for them. */
static size_t random_len(void)
{
    static const size_t limits[] = {64, 280, 600, 1500, MAX_LEN};
    const uint64_t choice = test_random(&seed) % 64;
    const size_t limit = limits[choice < 24   ? 0
                                : choice < 40 ? 1
                                : choice < 54 ? 2
                                : choice < 63 ? 3
                                              : 4];

    return test_random(&seed) % (limit + 1);
}

static void check_random(struct osspi_aead *aead, struct reference reference)
{
    for (uint32_t i = 0; i < random_messages; i++) {
        struct message message = {
            .len = random_len(),
            .at = test_random(&seed) % 64,
            .at_end = test_random(&seed) % 2 == 0,
            .apart = test_random(&seed) % 4 == 0,
            .aad_len = test_random(&seed) % (OSSPI_AEAD_MAX_AAD + 1),
        };

        message.behind =
            test_random(&seed) % 4 == 0 ? test_random(&seed) % (message.len + 1) : message.len > 0;
        check_message(aead, reference, &message);
    }
}

static void check_random_of_all_kinds(void)
{
    with_each_kind(check_random);
}

static void random_messages_agree_with_openssl(void **state)
{
    (void)state;
    with_each_code(check_random_of_all_kinds);
}

/* A record without data: there need not be any place where they would be. */
static void check_nowhere(struct osspi_aead *aead, struct reference reference)
{
    const uint8_t nonce[OSSPI_AEAD_NONCE] = {5}, type = 23;
    uint8_t behind = type, tag[OSSPI_AEAD_TAG], both[1 + OSSPI_AEAD_TAG];
    const struct osspi_aead_pieces pieces = {.behind = &behind, .behind_len = 1, .tag = tag};

    reference_seal(reference, nonce, NULL, 0, &type, 1, both);
    TEST_REQUIRE(osspi_aead_seal(aead, nonce, &pieces));
    TEST_REQUIRE(behind == both[0] && memcmp(tag, both + 1, sizeof(tag)) == 0);
}

static void check_nowhere_of_all_kinds(void)
{
    with_each_kind(check_nowhere);
}

static void no_data_may_be_nowhere(void **state)
{
    (void)state;
    with_each_code(check_nowhere_of_all_kinds);
}

/* ---- published vectors ---- */

struct vector {
    enum osspi_aead_kind kind;
    const char *key, *nonce, *aad, *plain, *cipher, *tag;
};

static const struct vector vectors[] = {
    /* The GCM specification of McGrew and Viega, test cases 1, 2, 3, 13, 14 and 15. Its cases with
     * additional data have 20 bytes of it, more than any record. */
    {OSSPI_AEAD_AES_128_GCM, "00000000000000000000000000000000", "000000000000000000000000", "", "",
     "", "58e2fccefa7e3061367f1d57a4e7455a"},
    {OSSPI_AEAD_AES_128_GCM, "00000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000", "0388dace60b6a392f328c2b971b2fe78",
     "ab6e47d42cec13bdf53a67b21257bddf"},
    {OSSPI_AEAD_AES_128_GCM, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
     "4d5c2af327cd64a62cf35abd2ba6fab4"},
    {OSSPI_AEAD_AES_256_GCM, "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {OSSPI_AEAD_AES_256_GCM, "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {OSSPI_AEAD_AES_256_GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    /* RFC 8439 2.8.2 */
    {OSSPI_AEAD_CHACHA20_POLY1305,
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
     "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
     "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
     "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
     "637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
     "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
     "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
     "3ff4def08e4b7a9de576d26586cec64b6116",
     "1ae10b594f09e26a7e902ecbd0600691"},
    /* RFC 8448 3, the client's application data: 50 bytes and the type */
    {OSSPI_AEAD_AES_128_GCM, "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9",
     "1703030043",
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
     "202122232425262728292a2b2c2d2e2f303117",
     "a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5"
     "b46b395bd54a9a20441e2b62974e1f5a6292a2",
     "977014bd1e3deae63aeebb21694915e4"},
};

static size_t from_hex(const char *text, uint8_t *out)
{
    const size_t len = strlen(text) / 2;

    for (size_t i = 0; i < len; i++) {
        unsigned byte;

        TEST_REQUIRE(sscanf(text + 2 * i, "%2x", &byte) == 1);
        out[i] = (uint8_t)byte;
    }
    return len;
}

static void check_vector(const struct vector *vector)
{
    uint8_t key[OSSPI_AEAD_MAX_KEY], nonce[OSSPI_AEAD_NONCE], aad[OSSPI_AEAD_MAX_AAD];
    uint8_t text[256], sealed[256];

    TEST_REQUIRE_EQUAL(from_hex(vector->key, key), osspi_aead_key_len(vector->kind));
    TEST_REQUIRE_EQUAL(from_hex(vector->nonce, nonce), sizeof(nonce));
    const size_t aad_len = from_hex(vector->aad, aad);
    const size_t len = from_hex(vector->plain, text);
    TEST_REQUIRE_EQUAL(from_hex(vector->cipher, sealed), len);
    TEST_REQUIRE_EQUAL(from_hex(vector->tag, sealed + len), OSSPI_AEAD_TAG);

    struct osspi_aead *aead = set_key(vector->kind, key);
    const struct osspi_aead_pieces pieces = {
        .data = text,
        .data_len = len,
        .behind = text + len,
        .aad = aad,
        .aad_len = aad_len,
        .tag = text + len,
    };
    TEST_REQUIRE(osspi_aead_seal(aead, nonce, &pieces));
    TEST_REQUIRE(memcmp(text, sealed, len + OSSPI_AEAD_TAG) == 0);
    TEST_REQUIRE(osspi_aead_open(aead, nonce, aad, aad_len, sealed, len));
    TEST_REQUIRE_EQUAL(from_hex(vector->plain, text), len);
    TEST_REQUIRE(memcmp(text, sealed, len) == 0);
    free_key(aead, vector->kind);
}

static void check_vectors(void)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(vectors); i++)
        check_vector(&vectors[i]);
}

static void vectors_come_out(void **state)
{
    (void)state;
    with_each_code(check_vectors);
}

/* ---- what is not authentic ---- */

static void check_refused(struct osspi_aead *aead, const uint8_t *nonce, const uint8_t *aad,
                          const uint8_t *sealed, size_t len)
{
    memcpy(arena, sealed, len + OSSPI_AEAD_TAG);
    arena[len + OSSPI_AEAD_TAG] = 0x77;
    TEST_REQUIRE(!osspi_aead_open(aead, nonce, aad, OSSPI_AEAD_MAX_AAD, arena, len));
    TEST_REQUIRE(is_wiped(arena, len + OSSPI_AEAD_TAG));
    TEST_REQUIRE_EQUAL(arena[len + OSSPI_AEAD_TAG], 0x77);
}

static void check_tampering_at(struct osspi_aead *aead, struct reference reference, size_t len)
{
    uint8_t nonce[OSSPI_AEAD_NONCE] = {1}, aad[OSSPI_AEAD_MAX_AAD] = {2};

    reference_seal(reference, nonce, aad, sizeof(aad), plain, len, expected);
    for (size_t bit = 0; bit < 8 * (len + OSSPI_AEAD_TAG); bit += bit / 8 < len / 2 ? 7 : 1) {
        expected[bit / 8] ^= (uint8_t)(1 << bit % 8);
        check_refused(aead, nonce, aad, expected, len);
        expected[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof(aad); bit++) {
        aad[bit / 8] ^= (uint8_t)(1 << bit % 8);
        check_refused(aead, nonce, aad, expected, len);
        aad[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof(nonce); bit++) {
        nonce[bit / 8] ^= (uint8_t)(1 << bit % 8);
        check_refused(aead, nonce, aad, expected, len);
        nonce[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    if (len > 0)
        check_refused(aead, nonce, aad, expected, len - 1);
    memcpy(arena, expected, len + OSSPI_AEAD_TAG);
    TEST_REQUIRE(!osspi_aead_open(aead, nonce, aad, sizeof(aad) - 1, arena, len));
    memcpy(arena, expected, len + OSSPI_AEAD_TAG);
    TEST_REQUIRE(osspi_aead_open(aead, nonce, aad, sizeof(aad), arena, len));
}

static void check_tampering(struct osspi_aead *aead, struct reference reference)
{
    static const size_t lengths[] = {0, 1, 16, 33, 65, 130, 241, 600, 1100};

    for (size_t i = 0; i < OSSPI_COUNT_OF(lengths); i++)
        check_tampering_at(aead, reference, lengths[i]);
}

static void check_tampering_of_all_kinds(void)
{
    with_each_kind(check_tampering);
}

static void every_changed_bit_is_refused_and_wiped(void **state)
{
    (void)state;
    with_each_code(check_tampering_of_all_kinds);
}

/* ---- keys ---- */

static void check_one(struct osspi_aead *aead, enum osspi_aead_kind kind, const uint8_t *key)
{
    const struct message message = {.len = 100, .behind = 1, .aad_len = 5};
    const struct reference reference = reference_new(kind, key);

    check_message(aead, reference, &message);
    EVP_CIPHER_CTX_free(reference.ctx);
}

static void key_can_be_set_again(void **state)
{
    struct osspi_aead *aead = new_key(OSSPI_AEAD_AES_256_GCM);
    uint8_t key[OSSPI_AEAD_MAX_KEY];

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        /* All kinds and codes that fit into this memory, in turn and the same twice. */
        const enum osspi_aead_kind kind = kinds[i / 2 % OSSPI_AEAD_KINDS];
        const struct osspi_aead_code *code = osspi_aead_code_at(i / 8);

        osspi_aead_choose(code == NULL ? osspi_aead_code_at(0) : code);
        fill_random(key, sizeof(key));
        assert_int_equal(osspi_aead_set_key(aead, kind, key, shard), SEC_E_OK);
        check_one(aead, kind, key);
    }
    free_key(aead, OSSPI_AEAD_AES_256_GCM);
    osspi_aead_choose(osspi_aead_code_at(0));
}

static void check_no_key(struct osspi_aead *aead)
{
    uint8_t bytes[32 + OSSPI_AEAD_TAG], nonce[OSSPI_AEAD_NONCE] = {0}, behind = 9;
    const struct osspi_aead_pieces pieces = {
        .data = bytes,
        .data_len = 32,
        .behind = &behind,
        .behind_len = 1,
        .aad = nonce,
        .aad_len = 5,
        .tag = bytes + 32,
    };

    memset(bytes, 1, sizeof(bytes));
    assert_false(osspi_aead_seal(aead, nonce, &pieces));
    assert_true(is_wiped(bytes, sizeof(bytes)));
    assert_int_equal(behind, 0);
    memset(bytes, 1, sizeof(bytes));
    assert_false(osspi_aead_open(aead, nonce, nonce, 5, bytes, 32));
    assert_true(is_wiped(bytes, sizeof(bytes)));
}

static void without_a_key_nothing_leaves(void **state)
{
    const uint8_t key[OSSPI_AEAD_MAX_KEY] = {1};

    (void)state;
    for (size_t i = 0; i < OSSPI_AEAD_KINDS; i++) {
        struct osspi_aead *aead = new_key(kinds[i]);

        check_no_key(aead);
        assert_int_equal(osspi_aead_set_key(aead, kinds[i], key, shard), SEC_E_OK);
        osspi_aead_clear(aead);
        check_no_key(aead);
        free_key(aead, kinds[i]);
    }
}

/* What the machine's configuration does not have is not made up for by code of our own. */
static void kind_that_openssl_lacks_cannot_be_set(void **state)
{
    const uint8_t key[OSSPI_AEAD_MAX_KEY] = {1};
    struct osspi_shard poor = *shard;

    (void)state;
    for (size_t i = 0; i < OSSPI_AEAD_KINDS; i++) {
        struct osspi_aead *aead = set_key(kinds[i], key);

        poor.aead_ciphers[kinds[i]] = NULL;
        assert_int_equal(osspi_aead_set_key(aead, kinds[i], key, &poor), SEC_E_INTERNAL_ERROR);
        check_no_key(aead);
        free_key(aead, kinds[i]);
    }
}

static void lengths_beyond_the_bounds_are_refused(void **state)
{
    const uint8_t key[OSSPI_AEAD_MAX_KEY] = {1};
    uint8_t nonce[OSSPI_AEAD_NONCE] = {0}, aad[OSSPI_AEAD_MAX_AAD + 1] = {0};
    const size_t len = OSSPI_AEAD_MAX_LEN + 1;
    uint8_t *bytes = test_pages_new(len + OSSPI_AEAD_TAG);

    (void)state;
    for (size_t i = 0; i < OSSPI_AEAD_KINDS; i++) {
        struct osspi_aead *aead = set_key(kinds[i], key);
        struct osspi_aead_pieces pieces = {
            .data = bytes,
            .data_len = len - 1,
            .behind = bytes + len - 1,
            .behind_len = 1,
            .aad = aad,
            .aad_len = sizeof(aad) - 1,
            .tag = bytes + len,
        };

        assert_false(osspi_aead_seal(aead, nonce, &pieces));
        assert_false(osspi_aead_open(aead, nonce, aad, 5, bytes, len));
        pieces.behind_len = 0;
        assert_true(osspi_aead_seal(aead, nonce, &pieces));
        pieces.aad_len = sizeof(aad);
        assert_false(osspi_aead_seal(aead, nonce, &pieces));
        assert_false(osspi_aead_open(aead, nonce, aad, sizeof(aad), bytes, 16));
        free_key(aead, kinds[i]);
    }
    test_pages_free(bytes, len + OSSPI_AEAD_TAG);
}

static void own_code_can_be_switched_off(void **state)
{
    const bool any = osspi_aead_code_at(1) != NULL;

    (void)state;
    assert_true(osspi_aead_use_own_code(false) == any);
    assert_string_equal(osspi_aead_code(OSSPI_AEAD_AES_128_GCM), osspi_aead_evp.name);
    assert_true(osspi_aead_use_own_code(true) == any);
    assert_string_equal(osspi_aead_code(OSSPI_AEAD_AES_128_GCM), osspi_aead_code_at(0)->name);
    assert_string_equal(osspi_aead_code(OSSPI_AEAD_CHACHA20_POLY1305), osspi_aead_evp.name);
    /* Otherwise the tests here would test the TLS library. */
    struct osspi_aead *aead = set_key(OSSPI_AEAD_AES_128_GCM, (const uint8_t[16]){1});
    assert_ptr_equal(aead->code, osspi_aead_code_at(0));
    free_key(aead, OSSPI_AEAD_AES_128_GCM);
    print_message("AES-GCM: %s; a key's state: %zu and %zu bytes\n",
                  osspi_aead_code(OSSPI_AEAD_AES_128_GCM), osspi_aead_size(OSSPI_AEAD_AES_128_GCM),
                  osspi_aead_size(OSSPI_AEAD_AES_256_GCM));
}

/* ---- no memory ---- */

static void *ossl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

static void *ossl_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(memory, size);
}

static void ossl_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

static void check_without_memory(struct osspi_aead *aead, enum osspi_aead_kind kind,
                                 const uint8_t *key)
{
    bool hit = true;

    for (uint64_t nth = 1; hit; nth++) {
        TEST_REQUIRE(nth < 1000);
        osspi_aead_clear(aead);
        failing_alloc_nth(nth);
        const SECURITY_STATUS status = osspi_aead_set_key(aead, kind, key, shard);
        hit = failing_alloc_hit();
        failing_alloc_nth(0);
        if (status == SEC_E_OK) {
            check_one(aead, kind, key);
            continue;
        }
        TEST_REQUIRE(hit);
        TEST_REQUIRE(status == SEC_E_INSUFFICIENT_MEMORY || status == SEC_E_INTERNAL_ERROR);
        TEST_REQUIRE(is_wiped(aead, osspi_aead_size(kind)));
    }
}

static void check_kinds_without_memory(void)
{
    const uint8_t key[OSSPI_AEAD_MAX_KEY] = {3};

    for (size_t i = 0; i < OSSPI_AEAD_KINDS; i++) {
        struct osspi_aead *aead = new_key(kinds[i]);

        check_without_memory(aead, kinds[i], key);
        free_key(aead, kinds[i]);
    }
}

static void set_key_survives_every_failure(void **state)
{
    (void)state;
    with_each_code(check_kinds_without_memory);
}

/* A record takes no memory: it cannot fail for want of it. */
static void records_allocate_nothing(void **state)
{
    const uint8_t key[OSSPI_AEAD_MAX_KEY] = {3}, nonce[OSSPI_AEAD_NONCE] = {4};

    (void)state;
    for (size_t i = 0; i < OSSPI_AEAD_KINDS; i++) {
        struct osspi_aead *aead = set_key(kinds[i], key);
        const struct osspi_aead_pieces pieces = {
            .data = arena,
            .data_len = 300,
            .behind = arena + 300,
            .behind_len = 1,
            .aad = nonce,
            .aad_len = 5,
            .tag = arena + 301,
        };

        failing_alloc_all();
        const bool sealed = osspi_aead_seal(aead, nonce, &pieces);
        const bool opened = osspi_aead_open(aead, nonce, nonce, 5, arena, 301);
        const uint64_t count = failing_alloc_count();
        failing_alloc_nth(0);
        assert_true(sealed && opened);
        assert_int_equal(count, 0);
        free_key(aead, kinds[i]);
    }
}

static int set_up(void **state)
{
    const size_t page = 4096;
    uint8_t *pages = test_pages_new(ROOM + 2 * page);

    (void)state;
    test_pages_forbid(pages, page, true);
    test_pages_forbid(pages + page + ROOM, page, true);
    arena = pages + page;
    shard = osspi_shard_get(0);
    return shard == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    test_pages_free(arena - 4096, ROOM + 2 * 4096);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_code_can_be_switched_off),
        cmocka_unit_test(vectors_come_out),
        cmocka_unit_test(every_length_agrees_with_openssl),
        cmocka_unit_test(every_split_agrees_with_openssl),
        cmocka_unit_test(random_messages_agree_with_openssl),
        cmocka_unit_test(no_data_may_be_nowhere),
        cmocka_unit_test(every_changed_bit_is_refused_and_wiped),
        cmocka_unit_test(key_can_be_set_again),
        cmocka_unit_test(without_a_key_nothing_leaves),
        cmocka_unit_test(kind_that_openssl_lacks_cannot_be_set),
        cmocka_unit_test(lengths_beyond_the_bounds_are_refused),
        cmocka_unit_test(set_key_survives_every_failure),
        cmocka_unit_test(records_allocate_nothing),
    };
    static const struct CMUnitTest long_run[] = {
        cmocka_unit_test(random_messages_agree_with_openssl),
    };

    if (CRYPTO_set_mem_functions(ossl_malloc, ossl_realloc, ossl_free) != 1)
        return 1;
    if (argc > 1) {
        random_messages = (uint32_t)strtoul(argv[1], NULL, 10);
        seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        return cmocka_run_group_tests_name("schannel.aead", long_run, set_up, tear_down);
    }
    random_messages = TEST_ROUNDS(10000);
    test_watchdog(100);
    return cmocka_run_group_tests_name("schannel.aead", tests, set_up, tear_down);
}
