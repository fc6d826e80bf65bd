/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Finding the issuers of a certificate in a store. Private to this folder; thread-safe.
 */
#ifndef OSSPI_CERT_CHAIN_H
#define OSSPI_CERT_CHAIN_H

#include "cert/limits.h"
#include "cert/store.h"

/** The issuers found, nearest first; references. */
struct osspi_found {
    struct osspi_certificate *issuers[OSSPI_CHAIN_MAX];
    size_t count;
};

/** Drops the references; for osspi_auto(). */
void osspi_found_clear(struct osspi_found *found);

/**
 * Climbs from a certificate to its issuer, and on, as far as the store goes, the root included.
 * Whether that is sent is for the sender to decide (SCH_SEND_ROOT_CERT).
 *
 * @param[out] ret_found  empty before; may be partly filled on failure
 * @return SEC_E_OK, also when nothing was found; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_chain_find(struct osspi_store *store,
                                 const struct osspi_certificate *certificate,
                                 struct osspi_found *ret_found);

#endif
