/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Where a certificate says that its revocation can be asked for: OCSP responders (RFC 5280 4.2.2.1)
 * and revocation lists (4.2.1.13). Only what can be followed counts; see fetch.h. Pure functions.
 */
#ifndef OSSPI_CERT_SOURCE_H
#define OSSPI_CERT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "cert/x509.h"

#define OSSPI_SOURCES_MAX 4u /* of each kind, for one certificate */

struct osspi_sources {
    char *ocsp[OSSPI_SOURCES_MAX];
    char *lists[OSSPI_SOURCES_MAX];
    size_t ocsp_count, list_count;
};

/** False: no memory. Free with osspi_sources_clear() in any case. */
bool osspi_sources_read(X509 *certificate, struct osspi_sources *ret_sources);
void osspi_sources_clear(struct osspi_sources *sources);

#endif
