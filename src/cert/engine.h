/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Chain engines: whom a chain may end at, and where its certificates are looked for. An
 * HCERTCHAINENGINE is a table id, or one of HCCE_...; what is stale or garbage finds nothing.
 *
 * Roots are objects of this folder's own library context; a forked child reads them anew, because
 * the parent's are not touched there. Thread-safe.
 */
#ifndef OSSPI_CERT_ENGINE_H
#define OSSPI_CERT_ENGINE_H

#include "cert/store.h"

#define OSSPI_ENGINE_STORES 16u

struct osspi_engine_view {
    X509_STORE *trust;                               /* a reference */
    struct osspi_store *stores[OSSPI_ENGINE_STORES]; /* references; to look for issuers */
    size_t store_count;
    DWORD flags;
    DWORD timeout_ms; /* 0: the usual one */
};

/** What an engine says now; to be cleared in any case. SEC_E_OK; SEC_E_INVALID_PARAMETER: no
 * engine; SEC_E_INSUFFICIENT_MEMORY. Called inside OSSPI_CRYPTO_CALL. */
SECURITY_STATUS osspi_engine_view(HCERTCHAINENGINE engine, struct osspi_engine_view *ret_view);
void osspi_engine_view_clear(struct osspi_engine_view *view);

#endif
