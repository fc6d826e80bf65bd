/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Which of the default provider's algorithms a shard has. What a TLS connection with any suite,
 * group, scheme or certificate of ours can ask for stays; what is left out are ciphers and modes
 * that no suite of ours has, MACs and derivations that TLS has no use for, and decoders for forms
 * that no certificate comes in (RFC 5280 4.1.2.7: SubjectPublicKeyInfo), or that cannot sign.
 *
 * OpenSSL remembers which decoders fit from 3.2 on. There the default provider stays as it is, and
 * ours has the key derivation only; see provider.c.
 */
#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/provider_internal.h"

#define REMEMBERS_DECODERS 0x30200000ul /* a version of OpenSSL */

/* Each ends with NULL. */
static const char *const digests[] = {
    "SHA1",     "SHA2-224", "SHA2-256", "SHA2-384", "SHA2-512", "SHA2-512/224", "SHA2-512/256",
    "SHA3-224", "SHA3-256", "SHA3-384", "SHA3-512", "MD5",      "MD5-SHA1",     NULL,
};
static const char *const ciphers[] = {
    "NULL",
    "AES-128-GCM",
    "AES-256-GCM",
    "ChaCha20-Poly1305",
    "AES-128-CBC",
    "AES-256-CBC",
    "AES-128-CBC-HMAC-SHA1",
    "AES-256-CBC-HMAC-SHA1",
    "AES-128-CBC-HMAC-SHA256",
    "AES-256-CBC-HMAC-SHA256",
    NULL,
};
static const char *const macs[] = {"HMAC", NULL};
static const char *const kdfs[] = {"TLS13-KDF", "TLS1-PRF", "HKDF", NULL};
static const char *const tls_kdfs[] = {"TLS13-KDF", "TLS1-PRF", NULL};
static const char *const rands[] = {"CTR-DRBG", "SEED-SRC", NULL};
static const char *const keys[] = {
    "DH", "DSA", "RSA", "RSA-PSS", "EC", "X25519", "X448", "ED25519", "ED448", "HMAC", NULL,
};
static const char *const signing[] = {"DSA", "RSA", "RSA-PSS", "EC", "ED25519", "ED448", NULL};
static const char *const exchanges[] = {"DH", "ECDH", "X25519", "X448", NULL};
static const char *const signatures[] = {"DSA", "RSA", "ED25519", "ED448", "ECDSA", "HMAC", NULL};

static const char *const *const passing[] = {
    [OSSL_OP_DIGEST] = digests,    [OSSL_OP_CIPHER] = ciphers,       [OSSL_OP_MAC] = macs,
    [OSSL_OP_KDF] = kdfs,          [OSSL_OP_RAND] = rands,           [OSSL_OP_KEYMGMT] = keys,
    [OSSL_OP_KEYEXCH] = exchanges, [OSSL_OP_SIGNATURE] = signatures,
};

static bool is_one_of(const OSSL_ALGORITHM *algorithm, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (osspi_provider_is_named(algorithm, *names))
            return true;
    }
    return false;
}

static bool passes_decoder(const OSSL_ALGORITHM *algorithm)
{
    const char *properties = algorithm->property_definition;

    return properties != NULL && strstr(properties, "input=der") != NULL &&
           strstr(properties, "structure=SubjectPublicKeyInfo") != NULL &&
           is_one_of(algorithm, signing);
}

bool osspi_provider_decodes_slowly(void)
{
    return OpenSSL_version_num() < REMEMBERS_DECODERS;
}

bool osspi_provider_passes(int operation, const OSSL_ALGORITHM *algorithm)
{
    if (!osspi_provider_decodes_slowly())
        return operation == OSSL_OP_KDF && is_one_of(algorithm, tls_kdfs);
    if (operation == OSSL_OP_DECODER)
        return passes_decoder(algorithm);
    if (operation < 0 || (size_t)operation >= OSSPI_COUNT_OF(passing) || passing[operation] == NULL)
        return true;
    return is_one_of(algorithm, passing[operation]);
}
