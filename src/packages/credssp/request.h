/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The messages of CredSSP and what is delegated in the last one, between DER and plain structures
 * (MS-CSSP 2.2.1 and 2.2.2).
 *
 * Encoded and decoded by the ASN.1 templates of the TLS library. What comes from a peer is held
 * against the limits that the protocol has. Pure functions; thread-safe.
 */
#ifndef OSSPI_CREDSSP_REQUEST_H
#define OSSPI_CREDSSP_REQUEST_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/credssp/bytes.h"

#define OSSPI_TS_NONCE       32u
#define OSSPI_TS_MAX_REQUEST 131072u /* bytes of one message; a token alone may have 65535 */

/** A TSRequest. Members without bytes are left out. */
struct osspi_ts_request {
    uint32_t version; /* as the peer says: 2 or more */
    bool has_token;   /* negoTokens: one of them; it may be empty */
    struct osspi_bytes token;
    struct osspi_bytes auth_info;
    struct osspi_bytes key_auth; /* pubKeyAuth */
    bool has_error;
    uint32_t error; /* an NTSTATUS, or what the peer took for one */
    bool has_nonce;
    uint8_t nonce[OSSPI_TS_NONCE];
};

/** Wipes and empties it. */
void osspi_ts_request_clear(struct osspi_ts_request *request);

/**
 * How many bytes the message has that begins here.
 *
 * @param[out] ret_len  0: more bytes are needed to tell
 * @return SEC_E_OK; SEC_E_INVALID_TOKEN: this is no message, or one beyond OSSPI_TS_MAX_REQUEST.
 */
SECURITY_STATUS osspi_ts_request_measure(const uint8_t *bytes, size_t len, size_t *ret_len);

/** Reads exactly one message. SEC_E_INVALID_TOKEN: malformed; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_ts_request_decode(const uint8_t *bytes, size_t len,
                                        struct osspi_ts_request *ret_request);

/** Appends it to out. SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_ts_request_encode(const struct osspi_ts_request *request,
                                        struct osspi_bytes *out);

#endif
