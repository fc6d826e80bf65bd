/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OCSP (RFC 6960): reading answers, asking for them, and remembering what they said.
 *
 * An answer counts if it is signed by the certificate's issuer, or by somebody whom that issuer has
 * made a responder; OpenSSL judges that. All objects belong to the library context that is the
 * calling thread's default. Thread-safe.
 */
#ifndef OSSPI_CERT_OCSP_H
#define OSSPI_CERT_OCSP_H

#include <stdbool.h>
#include <stdint.h>

#include "cert/certificate.h"
#include "cert/x509.h"

/** What is known of a certificate's revocation. */
enum osspi_standing {
    OSSPI_STANDING_UNASKED, /* nobody wanted to know */
    OSSPI_STANDING_GOOD,
    OSSPI_STANDING_REVOKED,
    OSSPI_STANDING_UNKNOWN, /* nobody can be asked, or who is asked does not know it */
    OSSPI_STANDING_OFFLINE  /* there is somebody to ask, but no answer that counts */
};

/** A certificate of a verified chain, and who issued it. Borrowed. */
struct osspi_subject {
    X509 *certificate;
    X509 *issuer;
    STACK_OF(X509) * chain; /* verified, both of them in it */
    X509_STORE *trust;
};

struct osspi_answer {
    enum osspi_standing standing; /* GOOD, REVOKED or UNKNOWN */
    int64_t until;                /* nextUpdate, unix seconds; 0: there will be news at any time */
};

/** Reads an answer. False: none that counts (garbage, another certificate's, not signed by whom it
 * should be, out of date), or no memory. */
bool osspi_ocsp_read(struct osspi_der_view der, const struct osspi_subject *subject,
                     struct osspi_answer *ret_answer);

/**
 * Asks a responder, and remembers the answer. Waits for the network; see fetch.h.
 *
 * @param[out] ret_der  the answer as it came, freed with osspi_free(); may be NULL
 * @return SEC_E_OK; CRYPT_E_REVOCATION_OFFLINE: no answer that counts; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_ocsp_ask(const struct osspi_subject *subject, const char *url,
                               uint64_t deadline_ns, struct osspi_answer *ret_answer,
                               uint8_t **ret_der, size_t *ret_len);

/** What an answer said that is not out of date yet. */
bool osspi_ocsp_known(const struct osspi_subject *subject, struct osspi_answer *ret_answer);

/** Remembers an answer, for a day at most. */
void osspi_ocsp_remember(const struct osspi_subject *subject, const struct osspi_answer *answer);

/** Forgets all of them. */
void osspi_ocsp_forget(void);

#endif
