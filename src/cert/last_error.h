/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How wincrypt.h's functions report failure: a status turned into what GetLastError answers.
 */
#ifndef OSSPI_CERT_LAST_ERROR_H
#define OSSPI_CERT_LAST_ERROR_H

#include <wincrypt.h>

/** Sets the last error to what the status is called there, and returns FALSE. */
BOOL osspi_fail(SECURITY_STATUS status);

/** The same for functions that return a pointer. */
void *osspi_fail_null(SECURITY_STATUS status);

/** May a certificate be encoded so? (Encoding type of a call.) */
static inline int osspi_encoding_known(DWORD encoding_type)
{
    return (encoding_type & 0xFFFF) == X509_ASN_ENCODING;
}

#endif
