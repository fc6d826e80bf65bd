/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The store of own certificates, "MY", as the rest of the library asks for it: by SHA-1 thumbprint
 * (spec: CERT_HASH and CERT_HASH_STORE credentials), and as a whole for the choice of a default
 * client certificate.
 *
 * "MY" is a folder: the machine's is `my` under OsspiOptions.state_dir, a user's is opensspi/my
 * under $XDG_DATA_HOME. Each call reads the folder anew, so that a renewed file is seen. Files that
 * belong to somebody else, that are open to others, or that do not parse are left out, never fatal.
 *
 * Thread-safe. Every call blocks as long as the file system does.
 */
#ifndef OSSPI_CERT_SYSTEM_STORE_H
#define OSSPI_CERT_SYSTEM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wincrypt.h>

/**
 * Finds a certificate that has its private key, with its chain.
 *
 * @param[in]  machine      true: the machine's store, false: the user's
 * @param[in]  store        its name in UTF-8, any case; NULL or "" stands for "MY"
 * @param[in]  sha1         thumbprint
 * @param[out] ret_context  freed with CertFreeCertificateContext; written on success only
 * @return SEC_E_OK; SEC_E_NO_CREDENTIALS: no such store, certificate, or it has no key, or its file
 *         or the folder is not to be trusted (docs/certificates.md; `sspi store list` says why);
 *         SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_system_store_find(bool machine, const char *store, const uint8_t sha1[20],
                                        PCCERT_CONTEXT *ret_context);

/**
 * All certificates with private keys: the user's, then the machine's (as far as it may be read);
 * one that is in both comes once. In each store in the order of file names.
 *
 * @param[out] ret_contexts  freed with osspi_system_store_free(); NULL when there is none. Written
 *                           on success only
 * @param[out] ret_count     how many
 * @return SEC_E_OK, also when there is none; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_system_store_own(PCCERT_CONTEXT **ret_contexts, size_t *ret_count);

/** Frees the contexts and the array. NULL: no-op. */
void osspi_system_store_free(PCCERT_CONTEXT *contexts, size_t count);

#endif
