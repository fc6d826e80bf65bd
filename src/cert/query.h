/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a blob may be, for CryptQueryObject and for stores that are files. Private to this folder;
 * thread-safe.
 */
#ifndef OSSPI_CERT_QUERY_H
#define OSSPI_CERT_QUERY_H

#include "cert/store.h"

struct osspi_query {
    DWORD content_flags; /* in: CERT_QUERY_CONTENT_FLAG_... that will do */
    DWORD format_flags;  /* in: CERT_QUERY_FORMAT_FLAG_... */
    DWORD content;       /* out: CERT_QUERY_CONTENT_... */
    DWORD format;        /* out: CERT_QUERY_FORMAT_... */
};

/** Finds out what a blob is and adds its certificates to a store. SEC_E_OK; CRYPT_E_NO_MATCH, and
 * nothing was added; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_query_blob(struct osspi_der_view blob, struct osspi_query *query,
                                 struct osspi_store *store);

/** Reads a file for it, at most OSSPI_PFX_MAX_LEN bytes. SEC_E_OK;
 * HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND); E_ACCESSDENIED; CRYPT_E_FILE_ERROR;
 * SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_query_read(const char *path, struct osspi_secret *ret_content);

#endif
