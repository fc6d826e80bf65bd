/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The weight of trust errors; see policy.h. Pure functions.
 */
#include "cert/policy.h"

#include "base/memory.h"

#define NAME_BITS \
    (CERT_TRUST_INVALID_NAME_CONSTRAINTS | CERT_TRUST_HAS_NOT_SUPPORTED_NAME_CONSTRAINT | \
     CERT_TRUST_HAS_NOT_DEFINED_NAME_CONSTRAINT | CERT_TRUST_HAS_NOT_PERMITTED_NAME_CONSTRAINT | \
     CERT_TRUST_HAS_EXCLUDED_NAME_CONSTRAINT)

/* The weightiest first: what cannot be believed at all, then what was true once, then what was not
 * found out. */
static const struct {
    uint32_t bits;
    int32_t result;
} weights[] = {
    {CERT_TRUST_IS_NOT_SIGNATURE_VALID, TRUST_E_CERT_SIGNATURE},
    {CERT_TRUST_IS_EXPLICIT_DISTRUST, TRUST_E_EXPLICIT_DISTRUST},
    {CERT_TRUST_IS_UNTRUSTED_ROOT, CERT_E_UNTRUSTEDROOT},
    {CERT_TRUST_IS_PARTIAL_CHAIN | CERT_TRUST_IS_CYCLIC, CERT_E_CHAINING},
    {CERT_TRUST_IS_REVOKED, CRYPT_E_REVOKED},
    {CERT_TRUST_IS_NOT_TIME_VALID, CERT_E_EXPIRED},
    {CERT_TRUST_IS_NOT_VALID_FOR_USAGE, CERT_E_WRONG_USAGE},
    {CERT_TRUST_INVALID_BASIC_CONSTRAINTS, TRUST_E_BASIC_CONSTRAINTS},
    {NAME_BITS, CERT_E_INVALID_NAME},
    {CERT_TRUST_INVALID_EXTENSION | CERT_TRUST_HAS_NOT_SUPPORTED_CRITICAL_EXT |
         CERT_TRUST_INVALID_POLICY_CONSTRAINTS | CERT_TRUST_NO_ISSUANCE_CHAIN_POLICY,
     CERT_E_CRITICAL},
    {CERT_TRUST_HAS_WEAK_SIGNATURE, TRUST_E_CERT_SIGNATURE},
    {CERT_TRUST_IS_OFFLINE_REVOCATION, CRYPT_E_REVOCATION_OFFLINE},
    {CERT_TRUST_REVOCATION_STATUS_UNKNOWN, CRYPT_E_NO_REVOCATION_CHECK},
};

int32_t osspi_policy_result(uint32_t trust)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(weights); i++) {
        if ((trust & weights[i].bits) != 0)
            return weights[i].result;
    }
    return trust == CERT_TRUST_NO_ERROR ? 0 : TRUST_E_FAIL;
}

uint32_t osspi_policy_bits(int32_t result)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < OSSPI_COUNT_OF(weights); i++)
        bits |= weights[i].result == result ? weights[i].bits : 0;
    return bits;
}
