/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Our own AES-GCM for x86-64: what its kinds share. A key is set by one function for all of them,
 * so that what lies in memory is the same; each kind has its own way through a message.
 *
 * GHASH (NIST SP 800-38D 6.4) in registers. Its field elements have bit 0 first; a register that
 * holds a block with its bytes reversed has that bit at the top, so everything is a polynomial with
 * its coefficients in reverse. The carry-less product of two reversed polynomials is their reversed
 * product moved right by one bit (Gueron and Kounavis, "Intel Carry-Less Multiplication Instruction
 * and its Usage for Computing the GCM Mode"). Rather than moving every product back, the powers of
 * the hash key H are kept times x: the missing bit is in them.
 *
 * A product has the 64-bit words w3 w2 w1 w0. Reversed and moved, the field's polynomial is
 * x^128 + x^127 + x^126 + x^121 + 1, with the upper word P = 0xc200000000000000 below x^128 and 1
 * at the bottom. Adding it w0 times makes w0 vanish: w0 comes back in w2, and the product of w0 and
 * P in w2 w1. The same once more for w1, and w3 w2 is the result, divided by x^128 as the reversed
 * form wants it.
 */
#ifndef OSSPI_SCHANNEL_AEAD_GCM_H
#define OSSPI_SCHANNEL_AEAD_GCM_H

#if defined(__x86_64__) && defined(__LP64__) && defined(__GNUC__)
#define OSSPI_GCM_OWN 1
#else
#define OSSPI_GCM_OWN 0
#endif

#if OSSPI_GCM_OWN

#include "packages/schannel/aead_internal.h"

#define OSSPI_GCM_BLOCK      16u
#define OSSPI_GCM_POWERS     16u
#define OSSPI_GCM_MAX_ROUNDS 14u
#define OSSPI_GCM_P          ((long long)0xc200000000000000)

struct osspi_gcm_key {
    struct osspi_aead aead;                            /* first member */
    uint8_t powers[OSSPI_GCM_POWERS][OSSPI_GCM_BLOCK]; /* H^16 x, H^15 x, ... H x; reversed */
    uint8_t rounds[OSSPI_GCM_MAX_ROUNDS + 1][OSSPI_GCM_BLOCK]; /* of AES-128 the first eleven */
};

#define OSSPI_GCM_INLINE static inline __attribute__((always_inline))

OSSPI_GCM_INLINE struct osspi_gcm_key *osspi_gcm_key_of(struct osspi_aead *aead)
{
    return (struct osspi_gcm_key *)(void *)aead;
}

/** Rounds of AES (FIPS 197). */
OSSPI_GCM_INLINE unsigned osspi_gcm_rounds(const struct osspi_gcm_key *key)
{
    return key->aead.kind == OSSPI_AEAD_AES_128_GCM ? 10 : 14;
}

/** Where H^power x is. */
OSSPI_GCM_INLINE const uint8_t *osspi_gcm_power(const struct osspi_gcm_key *key, size_t power)
{
    return key->powers[OSSPI_GCM_POWERS - power];
}

size_t osspi_gcm_size(enum osspi_aead_kind kind);
SECURITY_STATUS osspi_gcm_set_key(struct osspi_aead *aead, enum osspi_aead_kind kind,
                                  const uint8_t *bytes, const struct osspi_shard *shard);

extern const struct osspi_aead_code osspi_aead_gcm_aesni;
extern const struct osspi_aead_code osspi_aead_gcm_avx512;

#endif

#endif
