/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Reading PKCS#12 blobs (RFC 7292). Private to this folder; thread-safe.
 */
#ifndef OSSPI_CERT_PFX_H
#define OSSPI_CERT_PFX_H

#include "cert/key.h"
#include "cert/limits.h"
#include "cert/store.h"

/** What a blob held. Zero-initialised memory is empty. */
struct osspi_pfx {
    struct osspi_store *store; /* the certificates in the order of the blob, with friendly names */
    EVP_PKEY *keys[OSSPI_PFX_MAX_KEYS];
    size_t key_count;
};

/**
 * Opens a blob.
 *
 * @param[in]  password  UTF-8, or NULL for none; a blob may tell that from an empty one, so without
 *                       a password both are tried
 * @param[out] ret_pfx   empty before; may be partly filled on failure
 * @return SEC_E_OK; SEC_E_LOGON_DENIED: wrong password; SEC_E_UNKNOWN_CREDENTIALS: not PKCS#12,
 *         damaged, algorithms unknown, or a limit exceeded; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_pfx_read(struct osspi_der_view blob, const char *password,
                               struct osspi_pfx *ret_pfx);

/** Frees it; for osspi_auto(). */
void osspi_pfx_clear(struct osspi_pfx *pfx);

#endif
