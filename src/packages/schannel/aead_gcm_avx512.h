/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The steps of AES-GCM on registers of four blocks, for aead_gcm_avx512.c: products and reduction
 * of GHASH (see aead_gcm.h for the arithmetic), counters and rounds of AES. Lanes do the same, each
 * for itself.
 */
#ifndef OSSPI_SCHANNEL_AEAD_GCM_AVX512_H
#define OSSPI_SCHANNEL_AEAD_GCM_AVX512_H

#include "packages/schannel/aead_gcm.h"

#if OSSPI_GCM_OWN

#include <immintrin.h>

#define TARGET \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,vaes,vpclmulqdq,aes,pclmul,bmi2")))
#define INLINE OSSPI_GCM_INLINE TARGET

/* What is not unrolled keeps its vectors in an array on the stack, slow and for all to find. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define SWAP 0x4e /* of the 64-bit words of a lane, for _mm512_shuffle_epi32 */
#define XOR3 0x96 /* for _mm512_ternarylogic_epi64 */

/* ---- GHASH ---- */

/* Products that are not reduced yet: lo is at bit 0, mid at bit 64, hi at bit 128. */
struct product {
    __m512i lo, mid, hi;
};

INLINE __m512i load(const uint8_t *bytes)
{
    return _mm512_loadu_si512((const void *)bytes);
}

INLINE __m512i reverse_bytes(__m512i blocks)
{
    return _mm512_shuffle_epi8(blocks, _mm512_broadcast_i32x4(_mm_set_epi8(
                                           0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)));
}

INLINE __m512i xor3(__m512i a, __m512i b, __m512i c)
{
    return _mm512_ternarylogic_epi64(a, b, c, XOR3);
}

INLINE struct product no_product(void)
{
    const __m512i zero = _mm512_setzero_si512();

    return (struct product){zero, zero, zero};
}

/* Schoolbook: four multiplications. They run beside AES, on another port. */
INLINE void add_product(struct product *sum, __m512i a, __m512i b)
{
    sum->lo = _mm512_xor_si512(sum->lo, _mm512_clmulepi64_epi128(a, b, 0x00));
    sum->hi = _mm512_xor_si512(sum->hi, _mm512_clmulepi64_epi128(a, b, 0x11));
    sum->mid =
        xor3(sum->mid, _mm512_clmulepi64_epi128(a, b, 0x01), _mm512_clmulepi64_epi128(a, b, 0x10));
    /* Now and not later: compilers like to add up products at the end, and keep them in memory. */
    __asm__("" : "+v"(sum->lo), "+v"(sum->mid), "+v"(sum->hi));
}

/* In each lane, plus `more`. The upper half of mid's lane and the lower half of hi's are the same
 * word of the product, and so are lo's and mid's: no shifts are needed to join them. */
INLINE __m512i reduce(const struct product *sum, __m512i more)
{
    const __m512i p = _mm512_set1_epi64(OSSPI_GCM_P);
    const __m512i low = xor3(sum->mid, _mm512_shuffle_epi32(sum->lo, SWAP),
                             _mm512_clmulepi64_epi128(sum->lo, p, 0x00));

    return xor3(_mm512_xor_si512(sum->hi, more), _mm512_shuffle_epi32(low, SWAP),
                _mm512_clmulepi64_epi128(low, p, 0x00));
}

INLINE __m512i power_in_all_lanes(const struct osspi_gcm_key *key, size_t power)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)osspi_gcm_power(key, power)));
}

INLINE __m128i add_lanes(__m512i lanes)
{
    const __m256i half =
        _mm256_xor_si256(_mm512_castsi512_si256(lanes), _mm512_extracti64x4_epi64(lanes, 1));

    return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* ---- AES in counter mode ---- */

/* Counters are kept with the 32 bits that count as a number (which no message lets overflow). */
INLINE __m512i counter_blocks(__m512i counters)
{
    return _mm512_shuffle_epi8(
        counters,
        _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)));
}

INLINE __m512i count(__m512i counters, unsigned blocks)
{
    return _mm512_add_epi32(counters, _mm512_broadcast_i32x4(_mm_set_epi32((int)blocks, 0, 0, 0)));
}

INLINE __m512i round_key(const struct osspi_gcm_key *key, unsigned round)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)key->rounds[round]));
}

/* The next counters in each vector. */
INLINE void take_counters(__m512i *counters, __m512i *blocks, const unsigned vectors)
{
    UNROLL
    for (unsigned i = 0; i < vectors; i++) {
        blocks[i] = *counters;
        *counters = count(*counters, 4);
    }
}

INLINE void aes_start(const struct osspi_gcm_key *key, __m512i *blocks, const unsigned vectors)
{
    const __m512i k = round_key(key, 0);

    UNROLL
    for (unsigned i = 0; i < vectors; i++)
        blocks[i] = _mm512_xor_si512(counter_blocks(blocks[i]), k);
}

INLINE void aes_round(const struct osspi_gcm_key *key, unsigned round, __m512i *blocks,
                      unsigned vectors)
{
    const __m512i k = round_key(key, round);

    UNROLL
    for (unsigned i = 0; i < vectors; i++)
        blocks[i] = _mm512_aesenc_epi128(blocks[i], k);
}

/* The rounds after the first of them, which are done. */
INLINE void aes_end(const struct osspi_gcm_key *key, const unsigned done, __m512i *blocks,
                    const unsigned vectors)
{
    const unsigned rounds = osspi_gcm_rounds(key);

    UNROLL
    for (unsigned round = done + 1; round < 10; round++)
        aes_round(key, round, blocks, vectors);
    if (rounds > 10) {
        UNROLL
        for (unsigned round = 10; round < 14; round++)
            aes_round(key, round, blocks, vectors);
    }
    const __m512i k = round_key(key, rounds);
    UNROLL
    for (unsigned i = 0; i < vectors; i++)
        blocks[i] = _mm512_aesenclast_epi128(blocks[i], k);
}

#endif

#endif
