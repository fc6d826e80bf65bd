/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Revocation lists from the network (RFC 5280 5), and those that were fetched before.
 *
 * A list is kept parsed, until its nextUpdate and at most for a day, once its signature was found
 * good. Lists are objects of a library context that lives as long as the process, and are shared by
 * all threads. A forked child starts without any. Thread-safe.
 */
#ifndef OSSPI_CERT_CRL_H
#define OSSPI_CERT_CRL_H

#include <stdbool.h>
#include <stdint.h>

#include "cert/x509.h"

/** The list that was fetched from a URL, with a reference; NULL: none that is not out of date. */
X509_CRL *osspi_crl_known(const char *url);

/**
 * Fetches a list. Waits for the network; see fetch.h.
 *
 * @param[out] ret_crl  a reference; nothing about it is proven
 * @param[out] ret_len  bytes of it as DER
 * @return SEC_E_OK; CRYPT_E_REVOCATION_OFFLINE: none came, or it is none;
 * SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_crl_ask(const char *url, uint64_t deadline_ns, X509_CRL **ret_crl,
                              size_t *ret_len);

/** Keeps a list for others, if the issuer has signed it and it is not out of date. */
void osspi_crl_keep(const char *url, X509_CRL *crl, size_t len, X509 *issuer);

/** Lets go of a reference to a list, kept or not. NULL: no-op. */
void osspi_crl_put(X509_CRL *crl);

/** nextUpdate in unix seconds; 0: it has none that can be read. */
int64_t osspi_crl_until(const X509_CRL *crl);

/** Forgets all of them. */
void osspi_crl_forget(void);

#endif
