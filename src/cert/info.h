/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * From a certificate's DER to CERT_INFO.
 */
#ifndef OSSPI_CERT_INFO_H
#define OSSPI_CERT_INFO_H

#include "cert/arena.h"
#include "cert/certificate.h"

/** What is known of a certificate after parsing. Everything points into an arena. */
struct osspi_cert_info {
    CERT_INFO info;
    struct osspi_der_view public_key; /* SubjectPublicKeyInfo */
};

/**
 * Parses a certificate.
 *
 * The public key is not decoded here: that is by far the dearest part (100 us of 117 with OpenSSL
 * 3.0), and few callers need it.
 *
 * @param[in]     der       the certificate, at most OSSPI_CERT_MAX_LEN bytes
 * @param[in,out] arena     receives what ret_info points to, also when this fails
 * @param[out]    ret_info  filled on success only
 * @return SEC_E_OK; SEC_E_UNKNOWN_CREDENTIALS: not a certificate, or bytes behind it;
 *         SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_cert_info_parse(struct osspi_der_view der, struct osspi_arena *arena,
                                      struct osspi_cert_info *ret_info);

/** Finds an extension by its object id; NULL if there is none. */
const CERT_EXTENSION *osspi_cert_info_extension(const CERT_INFO *info, const char *oid);

#endif
