/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One HTTP request for a revocation list or an OCSP answer (RFC 5280 4.2.1.13, RFC 6960 A.1).
 *
 * Waits for a network, hence for the blocking lane and for callers' threads only; never longer than
 * its deadline and the limit of the thread's work (base/wait.h), but for the look-up of a name,
 * which nothing can stop. Plain http alone, no redirects, no proxies, no credentials; what comes is
 * bounded in size and signed by somebody whom the caller knows. Thread-safe.
 */
#ifndef OSSPI_CERT_FETCH_H
#define OSSPI_CERT_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "cert/x509.h"

#include <openssl/ocsp.h>

#define OSSPI_FETCH_URL_MAX 2048u /* longest URL that is followed */

struct osspi_fetch {
    const char *url;
    const char *expected_type; /* media type of the answer, or NULL: any */
    const OCSP_REQUEST *body;  /* posted; NULL: GET */
    size_t max_len;            /* bytes of the answer */
    uint64_t deadline_ns;
};

/**
 * Fetches one DER structure.
 *
 * @param[out] ret_der  freed with osspi_free()
 * @return SEC_E_OK; CRYPT_E_REVOCATION_OFFLINE: no answer, or none that is HTTP 200 with one DER
 *         structure within the bounds; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_fetch_der(const struct osspi_fetch *what, uint8_t **ret_der, size_t *ret_len);

/** Can the URL be followed at all: http, printable, short enough, without credentials? */
bool osspi_fetch_possible(const char *url);

/** The host of a URL for the blocking lane's class: "prefix:host", cut to size. */
void osspi_fetch_class(const char *prefix, const char *url, char *ret_class, size_t size);

#endif
