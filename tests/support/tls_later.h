/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handshakes after the handshake, for the contract tests: credentials that allow them, and callers
 * in both styles, who answer SEC_I_RENEGOTIATE with a leg that gets the EXTRA bytes, or with one
 * that gets nothing. One thread uses one pair.
 */
#ifndef OSSPI_TESTS_SUPPORT_TLS_LATER_H
#define OSSPI_TESTS_SUPPORT_TLS_LATER_H

#include <opensspi.h>

#include "support/tls_raw.h"

#define LATER_DATA 65536u

/** How an end reads. */
struct later_reader {
    struct peer_end *end, *to; /* to: where its legs' output goes */
    bool no_input;             /* the style of its legs */
    uint8_t data[LATER_DATA];  /* all application data so far */
    size_t len;
    unsigned legs;
    SECURITY_STATUS leg;    /* of the last leg; SEC_E_OK: none yet */
    SECURITY_STATUS status; /* of the last DecryptMessage */
};

void later_reader_init(struct later_reader *reader, struct peer_end *end, struct peer_end *to,
                       bool no_input);

/** Sets OSSPI_CRED_ATTR_TLS_OPTIONS; 0 renegotiations: the default number. */
SECURITY_STATUS later_allow(struct peer_end *end, ULONG flags, ULONG max_renegotiations);

/** A leg without input; what it gives goes to `to`. */
SECURITY_STATUS later_leg(struct peer_end *end, struct peer_end *to);

/** Reads all that has arrived, with a leg at each SEC_I_RENEGOTIATE; ends where a call fails, or
 * something else than data and SEC_I_RENEGOTIATE comes. */
SECURITY_STATUS later_read(struct later_reader *reader);

/** Keeps the first len bytes alone. */
void later_cut(struct peer_stream *stream, size_t len);

/** Both read until nothing moves any more; true: neither failed. */
bool later_settle(struct later_reader *a, struct later_reader *b);

/** Has the other end shown this test certificate (NULL: none)? */
bool later_shown(struct peer_end *end, const char *name);

/** Are exporter and, in TLS 1.2, tls-unique equal at both ends? */
bool later_same_secrets(struct peer_end *a, struct peer_end *b);

#endif
