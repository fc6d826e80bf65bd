/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Products and reduction of GHASH on registers of one block, for aead_gcm_key.c and
 * aead_gcm_aesni.c. See aead_gcm.h for the arithmetic.
 */
#ifndef OSSPI_SCHANNEL_AEAD_GCM_SSE_H
#define OSSPI_SCHANNEL_AEAD_GCM_SSE_H

#include "packages/schannel/aead_gcm.h"

#if OSSPI_GCM_OWN

#include <immintrin.h>

#define TARGET __attribute__((target("sse4.1,ssse3,aes,pclmul")))
#define INLINE OSSPI_GCM_INLINE TARGET

#define SWAP 0x4e /* of the two 64-bit words, for _mm_shuffle_epi32 */

/* Products that are not reduced yet: lo is at bit 0, mid at bit 64, hi at bit 128. */
struct product {
    __m128i lo, mid, hi;
};

INLINE __m128i load(const void *bytes)
{
    return _mm_loadu_si128(bytes);
}

INLINE __m128i reverse_bytes(__m128i block)
{
    return _mm_shuffle_epi8(block,
                            _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

INLINE struct product no_product(void)
{
    const __m128i zero = _mm_setzero_si128();

    return (struct product){zero, zero, zero};
}

/* Schoolbook: four multiplications, which run beside AES. */
INLINE void add_product(struct product *sum, __m128i a, __m128i b)
{
    sum->lo = _mm_xor_si128(sum->lo, _mm_clmulepi64_si128(a, b, 0x00));
    sum->hi = _mm_xor_si128(sum->hi, _mm_clmulepi64_si128(a, b, 0x11));
    sum->mid = _mm_xor_si128(sum->mid, _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x01),
                                                     _mm_clmulepi64_si128(a, b, 0x10)));
    /* Now and not later: compilers like to add up products at the end, and keep them in memory. */
    __asm__("" : "+x"(sum->lo), "+x"(sum->mid), "+x"(sum->hi));
}

/* The upper word of lo and the lower one of mid are the same word of the product, and so are the
 * upper one of mid and the lower one of hi: no shifts are needed to join them. */
INLINE __m128i reduce(const struct product *sum)
{
    const __m128i p = _mm_set1_epi64x(OSSPI_GCM_P);
    const __m128i low = _mm_xor_si128(_mm_xor_si128(sum->mid, _mm_shuffle_epi32(sum->lo, SWAP)),
                                      _mm_clmulepi64_si128(sum->lo, p, 0x00));

    return _mm_xor_si128(_mm_xor_si128(sum->hi, _mm_shuffle_epi32(low, SWAP)),
                         _mm_clmulepi64_si128(low, p, 0x00));
}

#endif

#endif
