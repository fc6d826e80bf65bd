/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * From the trust status of a chain to the one result that tells what is wrong with it, as Windows
 * gives it in CERT_CHAIN_POLICY_STATUS and in SecPkgContext_CertificateValidationResult.
 */
#ifndef OSSPI_CERT_POLICY_H
#define OSSPI_CERT_POLICY_H

#include <stdint.h>
#include <wincrypt.h>

/** What weighs most among CERT_TRUST_... errors: CERT_E_..., TRUST_E_..., CRYPT_E_...; 0: none. */
int32_t osspi_policy_result(uint32_t trust);

/** The bits that the result speaks of; 0: none of them. */
uint32_t osspi_policy_bits(int32_t result);

#endif
