/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Authenticated encryption: which code does it, and what is the same for all of them; see aead.h.
 * What this process uses is found out once; keys are their owners' to guard.
 */
#include "packages/schannel/aead.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <openssl/provider.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/aead_gcm.h"
#include "packages/schannel/aead_internal.h"
#include "packages/schannel/shard.h"

#define MAX_CODES 3u

#if OSSPI_GCM_OWN

static bool has_aesni(void)
{
    return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("aes") &&
           __builtin_cpu_supports("pclmul");
}

/* The compiler's runtime knows what the processor has and whether the system keeps the wide
 * registers; not every compiler's knows the names of the last two, which need nothing more of it.
 */
static bool has_avx512(void)
{
    unsigned eax, ebx, ecx = 0, edx;

    return has_aesni() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("bmi2") && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 1 &&
           (ecx & bit_VAES) != 0 && (ecx & bit_VPCLMULQDQ) != 0;
}

#endif

/* What AES-GCM keys are set with, and the best that there is; found on first use, by however many
 * threads: all find the same. (Under a hypervisor a look at the processor costs a microsecond.) */
static _Atomic(const struct osspi_aead_code *) chosen, best;

const struct osspi_aead_code *osspi_aead_code_at(size_t index)
{
    const struct osspi_aead_code *codes[MAX_CODES + 1] = {NULL};
    size_t count = 0;

#if OSSPI_GCM_OWN
    if (has_avx512())
        codes[count++] = &osspi_aead_gcm_avx512;
    if (has_aesni())
        codes[count++] = &osspi_aead_gcm_aesni;
#endif
    codes[count++] = &osspi_aead_evp;
    return index < count ? codes[index] : NULL;
}

static const struct osspi_aead_code *best_code(void)
{
    const struct osspi_aead_code *code = atomic_load_explicit(&best, memory_order_relaxed);

    if (code == NULL) {
        code = osspi_aead_code_at(0);
        atomic_store_explicit(&best, code, memory_order_relaxed);
    }
    return code;
}

void osspi_aead_choose(const struct osspi_aead_code *code)
{
    atomic_store_explicit(&chosen, code, memory_order_relaxed);
}

static const struct osspi_aead_code *code_for(enum osspi_aead_kind kind)
{
    if (kind == OSSPI_AEAD_CHACHA20_POLY1305)
        return &osspi_aead_evp;
    const struct osspi_aead_code *code = atomic_load_explicit(&chosen, memory_order_relaxed);
    return code == NULL ? best_code() : code;
}

/* Our own code stands in for OpenSSL's default provider alone: who has configured another one (one
 * that is validated, or drives a device) wants it to do the work. */
static bool may_stand_in(const struct osspi_shard *shard, enum osspi_aead_kind kind)
{
    const EVP_CIPHER *cipher = shard->aead_ciphers[kind];

    if (cipher == NULL)
        return false;
    return osspi_shard_tells_secrets(shard) || /* that is made of the default provider's */
           strcmp(OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(cipher)), "default") == 0;
}

bool osspi_aead_use_own_code(bool on)
{
    osspi_aead_choose(on ? NULL : &osspi_aead_evp);
    return best_code() != &osspi_aead_evp;
}

const char *osspi_aead_code(enum osspi_aead_kind kind)
{
    return code_for(kind)->name;
}

size_t osspi_aead_key_len(enum osspi_aead_kind kind)
{
    return kind == OSSPI_AEAD_AES_128_GCM ? 16 : 32;
}

/* That of the best code here, which is never less than another's: it may be switched later. */
size_t osspi_aead_size(enum osspi_aead_kind kind)
{
    return kind == OSSPI_AEAD_CHACHA20_POLY1305 ? osspi_aead_evp.size(kind)
                                                : best_code()->size(kind);
}

void osspi_aead_clear(struct osspi_aead *aead)
{
    if (aead->code == NULL)
        return;
    if (aead->code->clear != NULL)
        aead->code->clear(aead);
    osspi_secure_zero(aead, osspi_aead_size(aead->kind));
}

SECURITY_STATUS osspi_aead_set_key(struct osspi_aead *aead, enum osspi_aead_kind kind,
                                   const uint8_t *key, const struct osspi_shard *shard)
{
    const struct osspi_aead_code *code =
        may_stand_in(shard, kind) ? code_for(kind) : &osspi_aead_evp;

    if (aead->code != code || aead->kind != kind)
        osspi_aead_clear(aead);
    aead->code = code;
    aead->kind = kind;
    const SECURITY_STATUS status = code->set_key(aead, kind, key, shard);
    if (status != SEC_E_OK)
        osspi_aead_clear(aead);
    return status;
}

bool osspi_aead_seal(struct osspi_aead *aead, const uint8_t nonce[OSSPI_AEAD_NONCE],
                     const struct osspi_aead_pieces *pieces)
{
    const bool usable = aead->code != NULL && pieces->aad_len <= OSSPI_AEAD_MAX_AAD &&
                        pieces->data_len <= OSSPI_AEAD_MAX_LEN &&
                        pieces->behind_len <= OSSPI_AEAD_MAX_LEN - pieces->data_len;

    if (usable && aead->code->seal(aead, nonce, pieces))
        return true;
    /* Half of it may be encrypted, and what is not must not leave as if it were. */
    osspi_secure_zero(pieces->data, pieces->data_len);
    osspi_secure_zero(pieces->behind, pieces->behind_len);
    osspi_secure_zero(pieces->tag, OSSPI_AEAD_TAG);
    return false;
}

bool osspi_aead_open(struct osspi_aead *aead, const uint8_t nonce[OSSPI_AEAD_NONCE],
                     const uint8_t *aad, size_t aad_len, uint8_t *bytes, size_t len)
{
    const bool usable =
        aead->code != NULL && aad_len <= OSSPI_AEAD_MAX_AAD && len <= OSSPI_AEAD_MAX_LEN;

    if (usable && aead->code->open(aead, nonce, aad, aad_len, bytes, len))
        return true;
    osspi_secure_zero(bytes, len + OSSPI_AEAD_TAG);
    return false;
}
