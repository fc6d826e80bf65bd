/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The stores "MY" as the verbs use them: places, thumbprints, looking one up.
 */
#ifndef SSPI_TOOL_STORE_H
#define SSPI_TOOL_STORE_H

#include <stdbool.h>

#include <wincrypt.h>

#define STORE_THUMBPRINT 20 /* bytes of SHA-1 */

/** Reads 40 hexadecimal digits, with colons or blanks between them if need be. */
bool store_thumbprint(const char *text, BYTE ret_sha1[STORE_THUMBPRINT]);

/** Writes a certificate's as 40 digits and a NUL. */
void store_thumbprint_of(PCCERT_CONTEXT cert, char ret_text[2 * STORE_THUMBPRINT + 1]);

/** Opens "MY". NULL after a complaint. flags: beside the place, CERT_STORE_... */
HCERTSTORE store_open(bool machine, DWORD flags);

/** What the reason of the last failure of a certificate function is called. */
const char *store_error(void);

/**
 * Finds the certificate with key that `place` names: a thumbprint, in the user's store and then in
 * the machine's, or user:THUMBPRINT, or machine:THUMBPRINT.
 *
 * @param ret_cert [out] free with CertFreeCertificateContext
 * @return an exit code; errors have been reported
 */
int store_find(const char *place, PCCERT_CONTEXT *ret_cert);

#endif
