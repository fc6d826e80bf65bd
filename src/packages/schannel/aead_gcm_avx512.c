/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * AES-GCM (NIST SP 800-38D) with VAES, VPCLMULQDQ and AVX-512: four blocks to a register, a
 * "vector". See aead_gcm.h for the arithmetic of GHASH, and aead.h for threads.
 *
 * GHASH in four lanes. Z holds four sums, one per lane; what they stand for together is
 *     Z0 H^4 + Z1 H^3 + Z2 H^2 + Z3 H,
 * so that one block more in each lane is Z' = Z H^4 + X, and n vectors are
 *     Z' = Z H^(4n) + X1 H^(4n-4) + ... + Xn
 * with one reduction, all lanes alike. The lanes meet only at the end. A Z with the additional data
 * in lane 3 and zeros before it is the sum after those data, because leading zero blocks are
 * nothing to GHASH. In the last vectors each block gets the very power that it needs.
 *
 * The block of lengths ends the message, and it needs no key stream: its place among the counters
 * is free for the block that masks the tag.
 */
#include "packages/schannel/aead_gcm_avx512.h"

#if OSSPI_GCM_OWN

#include <string.h>

#include "base/memory.h"

#define NOINLINE __attribute__((noinline))

#define VECTOR     64u
#define GROUP      8u          /* vectors whose AES and GHASH overlap in long messages */
#define MAX_FINISH (11u * 16u) /* bytes that one reduction can end, with H^16 at most */

/* ---- whole vectors ---- */

/* H^32, H^28, H^24 and H^20 times x, each in all lanes: what a group needs and a key has not. */
struct high_powers {
    __m512i power[4];
};

INLINE struct high_powers make_high_powers(const struct osspi_gcm_key *key)
{
    const __m512i h16 = power_in_all_lanes(key, 16);
    __m512i h = _mm512_inserti32x4(h16, _mm_loadu_si128((const void *)osspi_gcm_power(key, 12)), 1);
    struct product product = no_product();

    h = _mm512_inserti32x4(h, _mm_loadu_si128((const void *)osspi_gcm_power(key, 8)), 2);
    h = _mm512_inserti32x4(h, _mm_loadu_si128((const void *)osspi_gcm_power(key, 4)), 3);
    add_product(&product, h, h16);
    h = reduce(&product, _mm512_setzero_si512());
    return (struct high_powers){{
        _mm512_shuffle_i32x4(h, h, 0x00),
        _mm512_shuffle_i32x4(h, h, 0x55),
        _mm512_shuffle_i32x4(h, h, 0xaa),
        _mm512_shuffle_i32x4(h, h, 0xff),
    }};
}

/* Without a call, which would have sums of GHASH put on the stack. */
INLINE void forget(struct high_powers *high)
{
    memset(high, 0, sizeof(*high));
    __asm__ volatile("" : : "r"(high) : "memory");
}

/* Step i of hashing a group: the sums so far before the first vector, then all but the last. */
INLINE void hash_step(const struct osspi_gcm_key *key, const struct high_powers *high,
                      struct product *sum, __m512i z, const uint8_t *from, unsigned i)
{
    const __m512i x = i == 0 ? z : reverse_bytes(load(from + VECTOR * (i - 1)));

    add_product(sum, x, i < 4 ? high->power[i] : power_in_all_lanes(key, 4 * (GROUP - i)));
}

INLINE __m512i hash_end(const struct product *sum, const uint8_t *from)
{
    return reduce(sum, reverse_bytes(load(from + VECTOR * (GROUP - 1))));
}

INLINE __m512i hash_group(const struct osspi_gcm_key *key, const struct high_powers *high,
                          __m512i z, const uint8_t *from)
{
    struct product sum = no_product();

    __asm__("" : "+r"(key), "+r"(high)); /* as in crypt_group() */
    UNROLL
    for (unsigned i = 0; i < GROUP; i++)
        hash_step(key, high, &sum, z, from, i);
    return hash_end(&sum, from);
}

/* Encrypts or decrypts a group, and hashes one between the rounds: the same if it is being opened,
 * the one before if it is being sealed; NULL: none. */
INLINE __m512i crypt_group(const struct osspi_gcm_key *key, const struct high_powers *high,
                           __m512i z, __m512i *counters, uint8_t *data, const uint8_t *hashed)
{
    struct product sum = no_product();
    __m512i blocks[GROUP];

    /* Keys come from memory each time: held over a loop there would be more of them than registers,
     * and what the compiler then puts on the stack would stay there. */
    __asm__("" : "+r"(key), "+r"(high));
    take_counters(counters, blocks, GROUP);
    aes_start(key, blocks, GROUP);
    UNROLL
    for (unsigned i = 0; i < GROUP; i++) {
        aes_round(key, i + 1, blocks, GROUP);
        if (hashed != NULL)
            hash_step(key, high, &sum, z, hashed, i);
    }
    if (hashed != NULL)
        z = hash_end(&sum, hashed);
    aes_end(key, GROUP, blocks, GROUP);
    UNROLL
    for (unsigned i = 0; i < GROUP; i++) {
        uint8_t *at = data + VECTOR * i;

        _mm512_storeu_si512((void *)at, _mm512_xor_si512(blocks[i], load(at)));
    }
    return z;
}

/* One, two or four vectors. */
INLINE __m512i crypt_vectors(bool sealing, const struct osspi_gcm_key *key, __m512i z,
                             __m512i *counters, uint8_t *data, const unsigned vectors)
{
    struct product sum = no_product();
    __m512i blocks[4], last = z;

    take_counters(counters, blocks, vectors);
    aes_start(key, blocks, vectors);
    aes_end(key, 0, blocks, vectors);
    UNROLL
    for (unsigned i = 0; i < vectors; i++) {
        const __m512i in = load(data + VECTOR * i);
        const __m512i out = _mm512_xor_si512(in, blocks[i]);

        _mm512_storeu_si512((void *)(data + VECTOR * i), out);
        add_product(&sum, last, power_in_all_lanes(key, 4 * (vectors - i)));
        last = reverse_bytes(sealing ? out : in);
    }
    return reduce(&sum, last);
}

/* Whole vectors, any number. Returns the sums. */
INLINE __m512i crypt_whole(bool sealing, const struct osspi_gcm_key *key, __m512i z,
                           __m512i counters, uint8_t *data, size_t len)
{
    if (len >= GROUP * VECTOR) {
        struct high_powers high = make_high_powers(key);
        const uint8_t *before = data; /* the group that is sealed and not hashed yet */

        if (sealing) {
            (void)crypt_group(key, &high, z, &counters, data, NULL);
            data += GROUP * VECTOR;
            len -= GROUP * VECTOR;
        }
        while (len >= GROUP * VECTOR) {
            z = crypt_group(key, &high, z, &counters, data, sealing ? before : data);
            before = data;
            data += GROUP * VECTOR;
            len -= GROUP * VECTOR;
        }
        if (sealing)
            z = hash_group(key, &high, z, before);
        forget(&high);
    }
    if (len >= 4 * VECTOR) {
        z = crypt_vectors(sealing, key, z, &counters, data, 4);
        data += 4 * VECTOR;
        len -= 4 * VECTOR;
    }
    if (len >= 2 * VECTOR) {
        z = crypt_vectors(sealing, key, z, &counters, data, 2);
        data += 2 * VECTOR;
        len -= 2 * VECTOR;
    }
    return len == 0 ? z : crypt_vectors(sealing, key, z, &counters, data, 1);
}

TARGET NOINLINE static __m512i seal_whole(const struct osspi_gcm_key *key, __m512i z,
                                          __m512i counters, uint8_t *data, size_t len)
{
    return crypt_whole(true, key, z, counters, data, len);
}

TARGET NOINLINE static __m512i open_whole(const struct osspi_gcm_key *key, __m512i z,
                                          __m512i counters, uint8_t *data, size_t len)
{
    return crypt_whole(false, key, z, counters, data, len);
}

/* ---- messages ---- */

struct stream {
    __m512i z;
    __m512i counters; /* of the next four blocks */
    __m512i first;    /* the block that masks the tag, in all lanes */
    __m128i lengths;  /* the last block of GHASH, reversed */
};

/* In two loads: nonces are written so, and a load that takes its bytes from more than one store
 * has to wait until those have left the processor. */
INLINE __m128i nonce_and_zero(const uint8_t *nonce)
{
    uint32_t salt;
    uint64_t rest;

    memcpy(&salt, nonce, sizeof(salt));
    memcpy(&rest, nonce + sizeof(salt), sizeof(rest));
    return _mm_set_epi64x((long long)(rest >> 32), (long long)(rest << 32 | salt));
}

INLINE struct stream start(const uint8_t *nonce, const uint8_t *aad, size_t aad_len, size_t len)
{
    const __m128i base = nonce_and_zero(nonce);
    const __m128i extra = _mm_maskz_loadu_epi8((__mmask16)((1u << aad_len) - 1), aad);
    const __m512i bases = _mm512_broadcast_i32x4(base);

    return (struct stream){
        .z = reverse_bytes(_mm512_inserti32x4(_mm512_setzero_si512(), extra, 3)),
        .counters = _mm512_add_epi32(
            bases, _mm512_set_epi32(5, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0)),
        .first = count(bases, 1),
        .lengths = _mm_set_epi64x((long long)(8 * aad_len), (long long)(8 * len)),
    };
}

/* Encrypts or decrypts those of 64 bytes that are there, and gives them to GHASH with zeros behind.
 */
INLINE __m512i crypt_some(bool sealing, __m512i stream, uint8_t *data, __mmask64 there)
{
    const __m512i in = _mm512_maskz_loadu_epi8(there, data);
    const __m512i out = _mm512_maskz_mov_epi8(there, _mm512_xor_si512(in, stream));

    _mm512_mask_storeu_epi8(data, there, out);
    return reverse_bytes(sealing ? out : in);
}

/* The last bytes: at most MAX_FINISH, in `vectors` vectors with the block of lengths. The tag. */
INLINE __m128i finish_vectors(bool sealing, const struct osspi_gcm_key *key, struct stream stream,
                              uint8_t *data, size_t len, const unsigned vectors)
{
    struct product sum = no_product();
    const unsigned powers = (unsigned)(len + OSSPI_GCM_BLOCK - 1) / OSSPI_GCM_BLOCK + 1;
    const unsigned lane = (powers - 1) % 4; /* of the block of lengths, in the last vector */
    const __mmask8 lane_mask = (__mmask8)(3u << 2 * lane);
    const __mmask8 lanes_mask = (__mmask8)((4u << 2 * lane) - 1);
    __m512i blocks[3];

    take_counters(&stream.counters, blocks, vectors);
    blocks[vectors - 1] = _mm512_mask_mov_epi64(blocks[vectors - 1], lane_mask, stream.first);
    aes_start(key, blocks, vectors);
    add_product(&sum, stream.z, load(osspi_gcm_power(key, powers + 4)));
    aes_end(key, 0, blocks, vectors);

    UNROLL
    for (unsigned i = 0; i < vectors; i++) {
        const size_t left = len > VECTOR * i ? len - VECTOR * i : 0;
        __m512i x = crypt_some(sealing, blocks[i], data + VECTOR * i, _bzhi_u64(UINT64_MAX, left));

        if (i + 1 < vectors) {
            add_product(&sum, x, load(osspi_gcm_power(key, powers - 4 * i)));
            continue;
        }
        x = _mm512_mask_mov_epi64(x, lane_mask, _mm512_broadcast_i32x4(stream.lengths));
        add_product(&sum, x, _mm512_maskz_loadu_epi64(lanes_mask, osspi_gcm_power(key, lane + 1)));
    }
    const __m512i mask = _mm512_maskz_compress_epi64(lane_mask, blocks[vectors - 1]);
    const __m128i hash = add_lanes(reduce(&sum, _mm512_setzero_si512()));
    return _mm_xor_si128(_mm512_castsi512_si128(mask),
                         _mm512_castsi512_si128(reverse_bytes(_mm512_castsi128_si512(hash))));
}

/* A message, or what follows the first piece of one. The tag. */
INLINE __m128i crypt(bool sealing, const struct osspi_gcm_key *key, struct stream stream,
                     uint8_t *data, size_t len)
{
    if (len > MAX_FINISH) {
        const size_t odd = len % (4 * VECTOR);
        const size_t whole = len - odd + (odd > MAX_FINISH ? 2 * VECTOR : 0);

        stream.z = sealing ? seal_whole(key, stream.z, stream.counters, data, whole)
                           : open_whole(key, stream.z, stream.counters, data, whole);
        stream.counters = count(stream.counters, (unsigned)(whole / OSSPI_GCM_BLOCK));
        data += whole;
        len -= whole;
    }
    /* The block of lengths is in the vector of the last bytes if those leave a lane free. */
    if (len <= 3 * OSSPI_GCM_BLOCK)
        return finish_vectors(sealing, key, stream, data, len, 1);
    if (len <= 7 * OSSPI_GCM_BLOCK)
        return finish_vectors(sealing, key, stream, data, len, 2);
    return finish_vectors(sealing, key, stream, data, len, 3);
}

/* The two pieces meet in a vector of our own. */
TARGET NOINLINE static __m128i seal_apart(const struct osspi_gcm_key *key, struct stream stream,
                                          const struct osspi_aead_pieces *pieces)
{
    uint8_t joint[VECTOR];
    const size_t head = pieces->data_len % VECTOR, whole = pieces->data_len - head;
    const size_t room = VECTOR - head;
    const size_t taken = pieces->behind_len < room ? pieces->behind_len : room;
    const bool to_the_end = taken == pieces->behind_len;
    uint8_t *bytes = joint;
    size_t len = head + taken;

    /* First: a sum of GHASH, which tells H, would be on the stack meanwhile, and stay there. */
    if (head > 0) /* data may be NULL if there are none */
        memcpy(joint, pieces->data + whole, head);
    memcpy(joint + head, pieces->behind, taken);
    stream.z = seal_whole(key, stream.z, stream.counters, pieces->data, whole);
    stream.counters = count(stream.counters, (unsigned)(whole / OSSPI_GCM_BLOCK));
    if (!to_the_end) {
        stream.z = seal_whole(key, stream.z, stream.counters, joint, VECTOR);
        stream.counters = count(stream.counters, VECTOR / OSSPI_GCM_BLOCK);
        bytes = pieces->behind + taken;
        len = pieces->behind_len - taken;
    }
    __m128i tag = crypt(true, key, stream, bytes, len);
    /* Now: what it is made of would be on the stack during the calls. */
    __asm__("" : "+v"(tag));
    if (head > 0)
        memcpy(pieces->data + whole, joint, head);
    memcpy(pieces->behind, joint + head, taken);
    osspi_secure_zero(joint, sizeof(joint));
    return tag;
}

TARGET static bool seal_pieces(struct osspi_aead *aead, const uint8_t *nonce,
                               const struct osspi_aead_pieces *pieces)
{
    const struct osspi_gcm_key *key = osspi_gcm_key_of(aead);
    const size_t len = pieces->data_len + pieces->behind_len;
    struct stream stream = start(nonce, pieces->aad, pieces->aad_len, len);
    __m128i tag;

    if (pieces->behind_len == 0 || pieces->behind == pieces->data + pieces->data_len)
        tag = crypt(true, key, stream, pieces->data, len);
    else
        tag = seal_apart(key, stream, pieces);
    _mm_storeu_si128((void *)pieces->tag, tag);
    return true;
}

TARGET static bool open_bytes(struct osspi_aead *aead, const uint8_t *nonce, const uint8_t *aad,
                              size_t aad_len, uint8_t *bytes, size_t len)
{
    struct stream stream = start(nonce, aad, aad_len, len);
    const __m128i tag = crypt(false, osspi_gcm_key_of(aead), stream, bytes, len);
    const __m128i difference = _mm_xor_si128(tag, _mm_loadu_si128((const void *)(bytes + len)));

    /* All bits at once: the time tells nothing about where they differ. */
    return _mm_testz_si128(difference, difference) == 1;
}

const struct osspi_aead_code osspi_aead_gcm_avx512 = {
    .name = "VAES and AVX-512",
    .set_key = osspi_gcm_set_key,
    .seal = seal_pieces,
    .open = open_bytes,
    .clear = NULL,
    .size = osspi_gcm_size,
};

#endif
