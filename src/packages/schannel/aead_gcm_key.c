/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Keys of our own AES-GCM: the key schedule of AES (FIPS 197, 5.2) and the powers of the hash key,
 * with AES-NI and PCLMULQDQ, which every processor has that has more. See aead_gcm.h. Nothing is
 * looked up by what is secret. A key belongs to one thread at a time.
 */
#include "packages/schannel/aead_gcm_sse.h"

#if OSSPI_GCM_OWN

#define BLOCK OSSPI_GCM_BLOCK

/* The words of one round key from those of an earlier one: each is the sum of all words up to it
 * and of `word`, which is in all four (FIPS 197, 5.2). */
INLINE __m128i expand(__m128i earlier, __m128i word)
{
    earlier = _mm_xor_si128(earlier, _mm_slli_si128(earlier, 4));
    earlier = _mm_xor_si128(earlier, _mm_slli_si128(earlier, 8));
    return _mm_xor_si128(earlier, word);
}

/* SubWord(RotWord()) of the last word, in all four, plus the constant. Where all columns are the
 * same, AES's last round does no more than that: its ShiftRows moves nothing. */
INLINE __m128i rotated_word(__m128i key, int constant)
{
    const __m128i rotation = _mm_set1_epi32(0x0c0f0e0d);

    return _mm_aesenclast_si128(_mm_shuffle_epi8(key, rotation), _mm_set1_epi32(constant));
}

INLINE __m128i plain_word(__m128i key)
{
    return _mm_aesenclast_si128(_mm_shuffle_epi32(key, 0xff), _mm_setzero_si128());
}

TARGET static void expand_key(struct osspi_gcm_key *key, const uint8_t *bytes)
{
    static const uint8_t constants[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36};
    const unsigned rounds = osspi_gcm_rounds(key);
    const bool is_long = key->aead.kind == OSSPI_AEAD_AES_256_GCM; /* then two blocks are the key */
    __m128i last = load(bytes);

    _mm_storeu_si128((void *)key->rounds[0], last);
    for (unsigned round = 1; round <= rounds; round++) {
        if (!is_long)
            last = expand(last, rotated_word(last, constants[round - 1]));
        else if (round == 1)
            last = load(bytes + BLOCK);
        else if (round % 2 == 0)
            last =
                expand(load(key->rounds[round - 2]), rotated_word(last, constants[round / 2 - 1]));
        else
            last = expand(load(key->rounds[round - 2]), plain_word(last));
        _mm_storeu_si128((void *)key->rounds[round], last);
    }
}

INLINE __m128i encrypt_zeros(const struct osspi_gcm_key *key)
{
    const unsigned rounds = osspi_gcm_rounds(key);
    __m128i block = load(key->rounds[0]);

    for (unsigned round = 1; round < rounds; round++)
        block = _mm_aesenc_si128(block, load(key->rounds[round]));
    return _mm_aesenclast_si128(block, load(key->rounds[rounds]));
}

INLINE __m128i multiply(__m128i a, __m128i b)
{
    struct product product = no_product();

    add_product(&product, a, b);
    return reduce(&product);
}

/* Times x: left by one bit; what leaves at the top comes back as the polynomial. */
INLINE __m128i times_x(__m128i h)
{
    const __m128i carries = _mm_srli_epi64(h, 63);
    const __m128i top = _mm_sub_epi64(_mm_setzero_si128(), _mm_unpackhi_epi64(carries, carries));
    const __m128i moved = _mm_or_si128(_mm_slli_epi64(h, 1), _mm_slli_si128(carries, 8));

    return _mm_xor_si128(moved, _mm_and_si128(top, _mm_set_epi64x(OSSPI_GCM_P, 1)));
}

TARGET SECURITY_STATUS osspi_gcm_set_key(struct osspi_aead *aead, enum osspi_aead_kind kind,
                                         const uint8_t *bytes, const struct osspi_shard *shard)
{
    struct osspi_gcm_key *key = osspi_gcm_key_of(aead);

    (void)kind;
    (void)shard;
    expand_key(key, bytes);
    _mm_storeu_si128((void *)key->powers[OSSPI_GCM_POWERS - 1],
                     times_x(reverse_bytes(encrypt_zeros(key))));
    for (size_t i = 2; i <= OSSPI_GCM_POWERS; i++)
        _mm_storeu_si128(
            (void *)key->powers[OSSPI_GCM_POWERS - i],
            multiply(load(osspi_gcm_power(key, i / 2)), load(osspi_gcm_power(key, i - i / 2))));
    return SEC_E_OK;
}

size_t osspi_gcm_size(enum osspi_aead_kind kind)
{
    const size_t unused = kind == OSSPI_AEAD_AES_128_GCM ? 4 * BLOCK : 0;

    return sizeof(struct osspi_gcm_key) - unused;
}

_Static_assert(sizeof(struct osspi_gcm_key) % OSSPI_AEAD_ALIGN == 0, "as osspi_aead_size() says");

#endif
