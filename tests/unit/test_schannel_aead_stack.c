/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Authenticated encryption by our own code leaves nothing of a key on the stack: no round key, no
 * power of the hash key, no key stream, no mask of a tag. Each message runs on a stack of its own,
 * which is looked through afterwards. What a compiler keeps there is its business, so this is true
 * of optimised builds only.
 */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <ucontext.h>

#include "packages/schannel/aead_gcm.h"
#include "packages/schannel/aead_internal.h"
#include "packages/schannel/shard.h"
#include "support/test_util.h"

#if OSSPI_GCM_OWN && defined(__OPTIMIZE__) && !TEST_SANITIZED

#define BLOCK     16u
#define MAX_LEN   4096u
#define MAX_POWER 32u

enum what { SEAL, SEAL_APART, OPEN, SET_KEY };

/* What runs on the other stack, and that stack. */
static struct {
    enum what what;
    struct osspi_gcm_key key;
    enum osspi_aead_kind kind;
    uint8_t bytes[OSSPI_AEAD_MAX_KEY], nonce[OSSPI_AEAD_NONCE], aad[5];
    uint8_t data[MAX_LEN + OSSPI_AEAD_TAG], behind[3];
    size_t len;
    bool done;
} job;

static uint8_t stack[1u << 16];
static ucontext_t here, there;
static const struct osspi_shard *shard;

static void fill(void *bytes, size_t len)
{
    TEST_REQUIRE(RAND_bytes(bytes, (int)len) == 1);
}

static bool seal(void)
{
    const struct osspi_aead_pieces pieces = {
        .data = job.data,
        .data_len = job.len,
        .behind = job.behind,
        .behind_len = job.what == SEAL_APART ? sizeof(job.behind) : 0,
        .aad = job.aad,
        .aad_len = sizeof(job.aad),
        .tag = job.data + job.len,
    };

    return osspi_aead_seal(&job.key.aead, job.nonce, &pieces);
}

static void run(void)
{
    if (job.what == SET_KEY)
        job.done = osspi_aead_set_key(&job.key.aead, job.kind, job.bytes, shard) == SEC_E_OK;
    else if (job.what == OPEN)
        job.done =
            osspi_aead_open(&job.key.aead, job.nonce, job.aad, sizeof(job.aad), job.data, job.len);
    else
        job.done = seal();
}

static void run_on_stack(void)
{
    memset(stack, 0, sizeof(stack));
    TEST_REQUIRE(getcontext(&there) == 0);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof(stack);
    there.uc_link = &here;
    makecontext(&there, run, 0);
    TEST_REQUIRE(swapcontext(&here, &there) == 0 && job.done);
}

static void expect_none(const char *name, const void *secret)
{
    if (memmem(stack, sizeof(stack), secret, BLOCK) == NULL)
        return;
    print_error("%s is on the stack: %s, kind %d, what %d, %zu bytes\n", name,
                osspi_aead_code(job.kind), (int)job.kind, (int)job.what, job.len);
    fail();
}

/* ---- powers of the hash key, in the form that aead_gcm.h tells ---- */

__extension__ typedef unsigned __int128 element;

#define ELEMENT(high, low) ((element)(high) << 64 | (low))

/* NIST SP 800-38D 6.3, algorithm 1; bit 0 of a block at the top. */
static element multiply(element x, element y)
{
    element product = 0;

    for (int i = 127; i >= 0; i--) {
        product ^= (x >> i & 1) != 0 ? y : 0;
        y = y >> 1 ^ ((y & 1) != 0 ? ELEMENT(UINT64_C(0xe100000000000000), 0) : 0);
    }
    return product;
}

static element times_x(element h)
{
    return h << 1 ^ (h >> 127 != 0 ? ELEMENT(UINT64_C(0xc200000000000000), 1) : 0);
}

static void expect_no_powers(void)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t block[BLOCK] = {0};
    element h = 0, power;
    int len;

    TEST_REQUIRE(EVP_EncryptInit_ex(ctx,
                                    job.kind == OSSPI_AEAD_AES_128_GCM ? EVP_aes_128_ecb()
                                                                       : EVP_aes_256_ecb(),
                                    NULL, job.bytes, NULL) == 1);
    TEST_REQUIRE(EVP_EncryptUpdate(ctx, block, &len, block, BLOCK) == 1);
    EVP_CIPHER_CTX_free(ctx);
    for (size_t i = 0; i < BLOCK; i++)
        h = h << 8 | block[i];
    power = h;
    for (size_t i = 1; i <= MAX_POWER; i++, power = multiply(power, h)) {
        const element kept = times_x(power);

        if (i <= OSSPI_GCM_POWERS) /* or this test would look for what nobody has */
            assert_memory_equal(&kept, osspi_gcm_power(&job.key, i), BLOCK);
        expect_none("a power of the hash key", &kept);
    }
}

/* ---- the rest ---- */

static void expect_no_key_stream(void)
{
    static const uint8_t zeros[BLOCK + MAX_LEN];
    static uint8_t blocks[2 * BLOCK + MAX_LEN];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t counter[BLOCK] = {[BLOCK - 1] = 1};
    int len;

    memcpy(counter, job.nonce, sizeof(job.nonce));
    TEST_REQUIRE(EVP_EncryptInit_ex(ctx,
                                    job.kind == OSSPI_AEAD_AES_128_GCM ? EVP_aes_128_ctr()
                                                                       : EVP_aes_256_ctr(),
                                    NULL, job.bytes, counter) == 1);
    TEST_REQUIRE(EVP_EncryptUpdate(ctx, blocks, &len, zeros, sizeof(zeros)) == 1);
    EVP_CIPHER_CTX_free(ctx);
    expect_none("the mask of the tag", blocks);
    for (size_t at = BLOCK; at < sizeof(zeros); at += BLOCK)
        expect_none("key stream", blocks + at);
}

static void check(enum what what, size_t len)
{
    const unsigned rounds = job.kind == OSSPI_AEAD_AES_128_GCM ? 10 : 14;

    job.what = SEAL;
    job.len = len;
    fill(job.bytes, sizeof(job.bytes));
    fill(job.nonce, sizeof(job.nonce));
    fill(job.data, sizeof(job.data));
    TEST_REQUIRE(osspi_aead_set_key(&job.key.aead, job.kind, job.bytes, shard) == SEC_E_OK);
    if (what == OPEN)
        TEST_REQUIRE(seal());
    job.what = what;
    run_on_stack();
    expect_no_powers();
    for (unsigned i = 0; i <= rounds; i++)
        expect_none("a round key", job.key.rounds[i]);
    if (what != SET_KEY)
        expect_no_key_stream();
    osspi_aead_clear(&job.key.aead);
}

static void nothing_of_a_key_is_left_on_the_stack(void **state)
{
    static const size_t lengths[] = {0,   16,  40,  64,  81,  100, 127,  128,  176,
                                     200, 300, 512, 600, 767, 911, 1024, 2000, MAX_LEN};

    (void)state;
    shard = osspi_shard_get(0);
    assert_non_null(shard);
    for (size_t i = 0; osspi_aead_code_at(i + 1) != NULL; i++) { /* the last is not ours */
        osspi_aead_choose(osspi_aead_code_at(i));
        for (size_t n = 0; n < 2 * OSSPI_COUNT_OF(lengths); n++) {
            job.kind = n % 2 == 0 ? OSSPI_AEAD_AES_128_GCM : OSSPI_AEAD_AES_256_GCM;
            for (int what = SEAL; what <= SET_KEY; what++)
                check((enum what)what, lengths[n / 2]);
        }
    }
}

#else

static void nothing_of_a_key_is_left_on_the_stack(void **state)
{
    (void)state;
    skip();
}

#endif

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_a_key_is_left_on_the_stack),
    };

    return cmocka_run_group_tests_name("schannel.aead_stack", tests, NULL, NULL);
}
