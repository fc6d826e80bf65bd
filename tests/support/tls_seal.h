/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Records that no TLS library would make: sealed by hand under the true keys of a connection, which
 * are learned from its OpenSSL peer. AEAD suites of TLS 1.2 (RFC 5246, 5288, 7905) and 1.3 (RFC
 * 8446). Once a record was made here, the peer itself can send none any more.
 *
 * One thread uses one of these.
 */
#ifndef OSSPI_TESTS_SUPPORT_TLS_SEAL_H
#define OSSPI_TESTS_SUPPORT_TLS_SEAL_H

#include "support/tls_raw.h"

#define SEAL_MAX_SECRET 48u

enum seal_type { SEAL_CCS = 20, SEAL_ALERT = 21, SEAL_HANDSHAKE = 22, SEAL_DATA = 23 };

/** The traffic secrets of a TLS 1.3 peer, as its key log tells them. */
struct seal_log {
    uint8_t client[SEAL_MAX_SECRET], server[SEAL_MAX_SECRET], exporter[SEAL_MAX_SECRET];
    uint8_t client_handshake[SEAL_MAX_SECRET], server_handshake[SEAL_MAX_SECRET];
    size_t len; /* of each; 0: none were told */
};

/** From here on the peer's key log goes to log; before the handshake. */
void seal_listen(struct raw_peer *raw, struct seal_log *log);

/** One direction of a connection. */
struct seal_keys {
    bool tls13, chacha;
    char digest[8];
    uint8_t secret[SEAL_MAX_SECRET]; /* TLS 1.3: of this generation */
    size_t secret_len;
    uint8_t key[32], iv[12]; /* TLS 1.2 with AES: the first 4 bytes of iv, the others are 0 */
    size_t key_len;
    uint64_t sequence;       /* of the next record */
    uint64_t explicit_nonce; /* TLS 1.2 with AES: of the record that was opened last */
};

/** Keys of what the server (or client) sends; after the handshake. No record of application data,
 * and no ticket of TLS 1.3, may have been sent before. */
void seal_keys_init(struct seal_keys *keys, const struct raw_peer *raw, const struct seal_log *log,
                    bool of_server);
/** TLS 1.3: the next generation, as after a KeyUpdate. */
void seal_keys_update(struct seal_keys *keys);

/** Seals a record; TLS 1.3: with so much padding. */
void seal_record(struct seal_keys *keys, uint8_t type, const void *bytes, size_t len,
                 size_t padding, struct peer_stream *to);
/** The same with another version in its header, under the seal. */
void seal_record_as(struct seal_keys *keys, uint16_t version, uint8_t type, const void *bytes,
                    size_t len, size_t padding, struct peer_stream *to);
/** TLS 1.3: seals these bytes as they are, without type or padding. */
void seal_inner(struct seal_keys *keys, const void *inner, size_t len, struct peer_stream *to);

/** Opens the first record of the stream and takes it off; false: there is none, or it is not
 * authentic (it stays). out has room for 16,640 bytes. */
bool seal_open(struct seal_keys *keys, struct peer_stream *from, uint8_t *ret_type, uint8_t *out,
               size_t *ret_len);

#endif
