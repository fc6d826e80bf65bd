/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The signature schemes of the handshake (RFC 8446, 4.2.3), and what CRYPTO_SETTINGS switches off
 * of them: by kind of key, by hash, by padding. In the order in which they are offered. Constant
 * data; thread-safe. Knows no TLS library.
 *
 * SHA-1 and SHA-224 are never offered from TLS 1.2 on.
 */
#include "packages/schannel/signature.h"

#include "packages/schannel/capture.h"

#define PSS  "SCH_RSA_PSS_PAD"
#define PKCS "SCH_RSA_PKCS_PAD"

static const struct osspi_scheme schemes[] = {
    {"ecdsa_secp256r1_sha256", "ECDSA", "SHA256", "", 0x0403},
    {"ecdsa_secp384r1_sha384", "ECDSA", "SHA384", "", 0x0503},
    {"ecdsa_secp521r1_sha512", "ECDSA", "SHA512", "", 0x0603},
    {"ed25519", "EDDSA", "", "", 0x0807},
    {"ed448", "EDDSA", "", "", 0x0808},
    {"rsa_pss_pss_sha256", "RSA", "SHA256", PSS, 0x0809},
    {"rsa_pss_pss_sha384", "RSA", "SHA384", PSS, 0x080A},
    {"rsa_pss_pss_sha512", "RSA", "SHA512", PSS, 0x080B},
    {"rsa_pss_rsae_sha256", "RSA", "SHA256", PSS, 0x0804},
    {"rsa_pss_rsae_sha384", "RSA", "SHA384", PSS, 0x0805},
    {"rsa_pss_rsae_sha512", "RSA", "SHA512", PSS, 0x0806},
    {"rsa_pkcs1_sha256", "RSA", "SHA256", PKCS, 0x0401},
    {"rsa_pkcs1_sha384", "RSA", "SHA384", PKCS, 0x0501},
    {"rsa_pkcs1_sha512", "RSA", "SHA512", PKCS, 0x0601},
};

#define SCHEME_COUNT (sizeof(schemes) / sizeof(schemes[0]))

_Static_assert(SCHEME_COUNT <= 16, "a bit for each, of 16 in osspi_tls_facts");

size_t osspi_scheme_count(void)
{
    return SCHEME_COUNT;
}

const struct osspi_scheme *osspi_scheme_at(size_t index)
{
    return index < SCHEME_COUNT ? &schemes[index] : NULL;
}

uint32_t osspi_schemes_all(void)
{
    return (1u << SCHEME_COUNT) - 1;
}

uint32_t osspi_scheme_bit(uint16_t number)
{
    for (size_t i = 0; i < SCHEME_COUNT; i++) {
        if (schemes[i].number == number)
            return 1u << i;
    }
    return 0;
}

uint32_t osspi_schemes_of(const char *name)
{
    uint32_t found = 0;

    for (size_t i = 0; i < SCHEME_COUNT; i++) {
        if (osspi_algorithm_equal(name, schemes[i].key) ||
            osspi_algorithm_equal(name, schemes[i].hash) ||
            osspi_algorithm_equal(name, schemes[i].padding))
            found |= 1u << i;
    }
    return found;
}
