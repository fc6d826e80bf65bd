/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * AES-GCM (NIST SP 800-38D) with AES-NI and PCLMULQDQ, one block to a register. See aead_gcm.h for
 * the arithmetic of GHASH, and aead.h for threads.
 *
 * Z is the sum of GHASH before its last multiplication by H, so that n blocks more are
 *     Z' = Z H^n + X1 H^(n-1) + ... + Xn
 * with one reduction. It begins as the additional data, which are one block at most.
 */
#include "packages/schannel/aead_gcm_sse.h"

#if OSSPI_GCM_OWN

#include <string.h>

#include "base/memory.h"

#define NOINLINE __attribute__((noinline))
#define BLOCK    OSSPI_GCM_BLOCK
#define GROUP    8u           /* blocks whose AES and GHASH overlap */
#define SHORT    (5u * BLOCK) /* of the last bytes: for these one mask and five blocks do */
#define FRAMES   1024u        /* more stack than a message takes */

/* Between a canary and its array there would be room for a block. */
#if defined(__has_attribute)
#if __has_attribute(no_stack_protector)
#define NO_CANARY __attribute__((no_stack_protector))
#endif
#endif
#ifndef NO_CANARY
#define NO_CANARY
#endif

/* ---- AES in counter mode ---- */

/* Counters are kept with the 32 bits that count as a number (which no message lets overflow). */
INLINE __m128i count(__m128i counter, unsigned blocks)
{
    return _mm_add_epi32(counter, _mm_set_epi32((int)blocks, 0, 0, 0));
}

INLINE void start_blocks(const struct osspi_gcm_key *key, __m128i counter, __m128i *blocks,
                         const unsigned n)
{
    const __m128i k = load(key->rounds[0]);
    const __m128i order = _mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);

#pragma GCC unroll 16
    for (unsigned i = 0; i < n; i++)
        blocks[i] = _mm_xor_si128(_mm_shuffle_epi8(count(counter, i), order), k);
}

INLINE void aes_round(const struct osspi_gcm_key *key, unsigned round, __m128i *blocks,
                      const unsigned n)
{
    const __m128i k = load(key->rounds[round]);

#pragma GCC unroll 16
    for (unsigned i = 0; i < n; i++)
        blocks[i] = _mm_aesenc_si128(blocks[i], k);
}

/* The rounds after the first of them, which are done. */
INLINE void end_blocks(const struct osspi_gcm_key *key, const unsigned done, __m128i *blocks,
                       const unsigned n)
{
    const unsigned rounds = osspi_gcm_rounds(key);

#pragma GCC unroll 16
    for (unsigned round = done + 1; round < 10; round++)
        aes_round(key, round, blocks, n);
    if (rounds > 10) {
#pragma GCC unroll 16
        for (unsigned round = 10; round < 14; round++)
            aes_round(key, round, blocks, n);
    }
    const __m128i k = load(key->rounds[rounds]);
#pragma GCC unroll 16
    for (unsigned i = 0; i < n; i++)
        blocks[i] = _mm_aesenclast_si128(blocks[i], k);
}

/* ---- whole groups ---- */

/* Step i of hashing a group: the sum so far before the first block, then all but the last. */
INLINE void hash_step(const struct osspi_gcm_key *key, struct product *sum, __m128i z,
                      const uint8_t *from, unsigned i)
{
    const __m128i x = i == 0 ? z : reverse_bytes(load(from + BLOCK * (i - 1)));

    add_product(sum, x, load(osspi_gcm_power(key, GROUP - i)));
}

INLINE __m128i hash_end(const struct product *sum, const uint8_t *from)
{
    return _mm_xor_si128(reduce(sum), reverse_bytes(load(from + BLOCK * (GROUP - 1))));
}

/* Encrypts or decrypts a group, and hashes one between the rounds: the same if it is being opened,
 * the one before if it is being sealed; NULL: none. */
INLINE __m128i crypt_group(const struct osspi_gcm_key *key, __m128i z, __m128i counter,
                           uint8_t *data, const uint8_t *hashed)
{
    struct product sum = no_product();
    __m128i blocks[GROUP];

    start_blocks(key, counter, blocks, GROUP);
#pragma GCC unroll 16
    for (unsigned i = 0; i < GROUP; i++) {
        aes_round(key, i + 1, blocks, GROUP);
        if (hashed != NULL)
            hash_step(key, &sum, z, hashed, i);
    }
    if (hashed != NULL)
        z = hash_end(&sum, hashed);
    end_blocks(key, GROUP, blocks, GROUP);
#pragma GCC unroll 16
    for (unsigned i = 0; i < GROUP; i++) {
        uint8_t *at = data + BLOCK * i;

        _mm_storeu_si128((void *)at, _mm_xor_si128(blocks[i], load(at)));
    }
    return z;
}

TARGET NOINLINE static __m128i seal_groups(const struct osspi_gcm_key *key, __m128i z,
                                           __m128i counter, uint8_t *data, size_t groups)
{
    struct product sum = no_product();

    if (groups == 0)
        return z;
    (void)crypt_group(key, z, counter, data, NULL);
    for (size_t i = 1; i < groups; i++) {
        counter = count(counter, GROUP);
        z = crypt_group(key, z, counter, data + GROUP * BLOCK, data);
        data += GROUP * BLOCK;
    }
#pragma GCC unroll 16
    for (unsigned i = 0; i < GROUP; i++)
        hash_step(key, &sum, z, data, i);
    return hash_end(&sum, data);
}

TARGET NOINLINE static __m128i open_groups(const struct osspi_gcm_key *key, __m128i z,
                                           __m128i counter, uint8_t *data, size_t groups)
{
    for (size_t i = 0; i < groups; i++) {
        z = crypt_group(key, z, counter, data, data);
        counter = count(counter, GROUP);
        data += GROUP * BLOCK;
    }
    return z;
}

/* ---- messages ---- */

struct stream {
    __m128i z;
    __m128i first;   /* the counter of the tag's mask */
    __m128i counter; /* the next one */
    __m128i lengths; /* the last block of GHASH, reversed */
};

INLINE struct stream start(const uint8_t *nonce, const uint8_t *aad, size_t aad_len, size_t len)
{
    uint8_t base[BLOCK] = {0}, extra[BLOCK] = {0};

    memcpy(base, nonce, OSSPI_AEAD_NONCE);
    if (aad_len > 0)
        memcpy(extra, aad, aad_len);
    return (struct stream){
        .z = reverse_bytes(load(extra)),
        .first = count(load(base), 1),
        .counter = count(load(base), 2),
        .lengths = _mm_set_epi64x((long long)(8 * aad_len), (long long)(8 * len)),
    };
}

/* One to fifteen bytes and zeros behind; and back. Without a call, which would have masks and sums
 * put on the stack, where they would stay. */
INLINE __m128i load_some(const uint8_t *from, size_t n)
{
    uint64_t low = 0, high = 0;
    uint32_t first, last;

    if (n >= sizeof(low)) {
        memcpy(&low, from, sizeof(low));
        memcpy(&high, from + n - sizeof(high), sizeof(high));
        high = n == sizeof(low) ? 0 : high >> 8 * (2 * sizeof(low) - n);
    } else if (n >= sizeof(first)) {
        memcpy(&first, from, sizeof(first));
        memcpy(&last, from + n - sizeof(last), sizeof(last));
        low = first | (uint64_t)last << 8 * (n - sizeof(last));
    } else {
        low = from[0] | (uint64_t)from[n / 2] << 8 * (n / 2) | (uint64_t)from[n - 1] << 8 * (n - 1);
    }
    return _mm_set_epi64x((long long)high, (long long)low);
}

INLINE void store_some(uint8_t *to, size_t n, __m128i block)
{
    uint64_t bytes = (uint64_t)_mm_cvtsi128_si64(block);

    if ((n & 8) != 0) {
        memcpy(to, &bytes, 8);
        bytes = (uint64_t)_mm_extract_epi64(block, 1);
        to += 8;
    }
    if ((n & 4) != 0) {
        memcpy(to, &bytes, 4);
        bytes >>= 32;
        to += 4;
    }
    if ((n & 2) != 0) {
        memcpy(to, &bytes, 2);
        bytes >>= 16;
        to += 2;
    }
    if ((n & 1) != 0)
        *to = (uint8_t)bytes;
}

/* Encrypts or decrypts a block of which some bytes are there, and gives it to GHASH with zeros
 * behind. */
INLINE __m128i crypt_some(bool sealing, __m128i stream, uint8_t *data, size_t there)
{
    const __m128i places = _mm_set_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m128i in = load_some(data, there);
    const __m128i out = _mm_and_si128(_mm_xor_si128(in, stream),
                                      _mm_cmpgt_epi8(_mm_set1_epi8((char)there), places));

    store_some(data, there, out);
    return reverse_bytes(sealing ? out : in);
}

/* The last bytes, in fewer than n blocks. The tag. */
INLINE __m128i finish_blocks(bool sealing, const struct osspi_gcm_key *key, struct stream stream,
                             uint8_t *data, size_t len, const unsigned n)
{
    struct product sum = no_product();
    size_t power = (len + BLOCK - 1) / BLOCK + 1;
    __m128i blocks[GROUP + 1];

    start_blocks(key, count(stream.counter, UINT32_MAX), blocks, n); /* from one back: */
    start_blocks(key, stream.first, blocks, 1); /* the tag's mask is in front */
    end_blocks(key, 0, blocks, n);
    add_product(&sum, stream.z, load(osspi_gcm_power(key, power + 1)));
#pragma GCC unroll 16
    for (unsigned i = 1; i < n; i++) {
        __m128i x;

        if (len == 0)
            break;
        if (len < BLOCK) {
            x = crypt_some(sealing, blocks[i], data, len);
            len = 0;
        } else {
            const __m128i in = load(data), out = _mm_xor_si128(in, blocks[i]);

            _mm_storeu_si128((void *)data, out);
            x = reverse_bytes(sealing ? out : in);
            data += BLOCK;
            len -= BLOCK;
        }
        add_product(&sum, x, load(osspi_gcm_power(key, power--)));
    }
    add_product(&sum, stream.lengths, load(osspi_gcm_power(key, 1)));
    return _mm_xor_si128(blocks[0], reverse_bytes(reduce(&sum)));
}

/* A message, or what follows the first piece of one. The tag. */
INLINE __m128i crypt(bool sealing, const struct osspi_gcm_key *key, struct stream stream,
                     uint8_t *data, size_t len)
{
    const size_t groups = len / (GROUP * BLOCK);

    if (groups > 0) {
        stream.z = sealing ? seal_groups(key, stream.z, stream.counter, data, groups)
                           : open_groups(key, stream.z, stream.counter, data, groups);
        stream.counter = count(stream.counter, (unsigned)(GROUP * groups));
        data += GROUP * BLOCK * groups;
        len -= GROUP * BLOCK * groups;
    }
    if (len <= SHORT)
        return finish_blocks(sealing, key, stream, data, len, SHORT / BLOCK + 1);
    return finish_blocks(sealing, key, stream, data, len, GROUP + 1);
}

/* The two pieces meet in a group of our own. */
TARGET NOINLINE static __m128i seal_apart(const struct osspi_gcm_key *key, struct stream stream,
                                          const struct osspi_aead_pieces *pieces)
{
    uint8_t joint[GROUP * BLOCK];
    const size_t head = pieces->data_len % sizeof(joint), room = sizeof(joint) - head;
    const size_t groups = pieces->data_len / sizeof(joint);
    const size_t taken = pieces->behind_len < room ? pieces->behind_len : room;
    uint8_t *data = pieces->data + sizeof(joint) * groups, *bytes = joint;
    size_t len = head + taken;

    /* First: a sum of GHASH, which tells H, would be on the stack meanwhile, and stay there. */
    if (head > 0) /* data may be NULL if there are none */
        memcpy(joint, data, head);
    memcpy(joint + head, pieces->behind, taken);
    stream.z = seal_groups(key, stream.z, stream.counter, pieces->data, groups);
    stream.counter = count(stream.counter, (unsigned)(GROUP * groups));
    if (taken < pieces->behind_len) {
        stream.z = seal_groups(key, stream.z, stream.counter, joint, 1);
        stream.counter = count(stream.counter, GROUP);
        bytes = pieces->behind + taken;
        len = pieces->behind_len - taken;
    }
    const __m128i tag = crypt(true, key, stream, bytes, len);
    if (head > 0)
        memcpy(data, joint, head);
    memcpy(pieces->behind, joint + head, taken);
    osspi_secure_zero(joint, sizeof(joint));
    return tag;
}

TARGET NOINLINE static void seal_message(const struct osspi_gcm_key *key, const uint8_t *nonce,
                                         const struct osspi_aead_pieces *pieces)
{
    const size_t len = pieces->data_len + pieces->behind_len;
    const struct stream stream = start(nonce, pieces->aad, pieces->aad_len, len);
    __m128i tag;

    if (pieces->behind_len == 0 || pieces->behind == pieces->data + pieces->data_len)
        tag = crypt(true, key, stream, pieces->data, len);
    else
        tag = seal_apart(key, stream, pieces);
    _mm_storeu_si128((void *)pieces->tag, tag);
}

TARGET NOINLINE static bool open_message(const struct osspi_gcm_key *key, const uint8_t *nonce,
                                         const uint8_t *aad, size_t aad_len, uint8_t *bytes,
                                         size_t len)
{
    const struct stream stream = start(nonce, aad, aad_len, len);
    const __m128i tag = crypt(false, key, stream, bytes, len);
    const __m128i difference = _mm_xor_si128(tag, load(bytes + len));

    /* All bits at once: the time tells nothing about where they differ. */
    return _mm_testz_si128(difference, difference) == 1;
}

/* Eight blocks at a time and what hashes them are more than sixteen registers. What the compiler
 * put on the stack for that, key stream and sums of GHASH, lay where this function's array is. */
NOINLINE NO_CANARY static void wipe_stack(void)
{
    uint8_t below[FRAMES];

    osspi_secure_zero(below, sizeof(below));
}

static bool seal_pieces(struct osspi_aead *aead, const uint8_t *nonce,
                        const struct osspi_aead_pieces *pieces)
{
    seal_message(osspi_gcm_key_of(aead), nonce, pieces);
    wipe_stack();
    return true;
}

static bool open_bytes(struct osspi_aead *aead, const uint8_t *nonce, const uint8_t *aad,
                       size_t aad_len, uint8_t *bytes, size_t len)
{
    const bool authentic = open_message(osspi_gcm_key_of(aead), nonce, aad, aad_len, bytes, len);

    wipe_stack();
    return authentic;
}

const struct osspi_aead_code osspi_aead_gcm_aesni = {
    .name = "AES-NI",
    .set_key = osspi_gcm_set_key,
    .seal = seal_pieces,
    .open = open_bytes,
    .clear = NULL,
    .size = osspi_gcm_size,
};

#endif
