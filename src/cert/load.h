/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * From what a file held to a certificate with its key and chain. Private to this folder.
 */
#ifndef OSSPI_CERT_LOAD_H
#define OSSPI_CERT_LOAD_H

#include "cert/object.h"
#include "cert/pem.h"
#include "cert/store.h"

/**
 * Makes a certificate of PEM blocks: the end entity is the certificate that the key belongs to, the
 * others are its chain. Without a key it is the first one.
 *
 * @param[in] pem  has one certificate at least
 * @return SEC_E_OK; SEC_E_NO_CREDENTIALS: the key belongs to none of them;
 *         SEC_E_UNKNOWN_CREDENTIALS: a certificate does not parse; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_load_leaf(const struct osspi_pem *pem, struct osspi_certificate **ret_leaf);

/** Adds what a PKCS#12 blob holds to a store: certificates with keys first, each with its chain.
 * Statuses as osspi_pfx_read(). */
SECURITY_STATUS osspi_load_pfx(struct osspi_store *store, struct osspi_der_view blob,
                               const char *password);

#endif
