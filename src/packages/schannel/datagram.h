/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * DTLS 1.2 (RFC 6347): what the files of datagram contexts share that know neither SSPI's buffers
 * nor the TLS library. datagram_line.c numbers and seals what is sent, datagram_flight.c keeps a
 * flight and cuts it into datagrams, datagram_cookie.c answers the first ClientHello,
 * datagram_record.c judges headers.
 *
 * The TLS library makes the messages of a handshake, and its records are taken apart at once: what
 * it has sealed (Finished) is opened again. What leaves is made from the messages by our own code,
 * for each sending anew: fragments that fit the MTU of now, record numbers that never repeat, and
 * nonces that are made of them. So the TLS library's timers, numbers and MTU do not matter.
 *
 * Nothing here is thread-safe but cookies; the context's sides guard it.
 */
#ifndef OSSPI_SCHANNEL_DATAGRAM_H
#define OSSPI_SCHANNEL_DATAGRAM_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/schannel/aead.h"
#include "packages/schannel/hmac.h"

#define OSSPI_DTLS_HEADER       13u /* of a record: type, version, epoch, number, length */
#define OSSPI_DTLS_MESSAGE      12u /* of a handshake message's fragment */
#define OSSPI_DTLS_EXPLICIT     8u  /* nonce bytes that travel with a record of AES-GCM */
#define OSSPI_DTLS_COOKIE       32u
#define OSSPI_DTLS_MAX_NUMBER   UINT64_C(0xFFFFFFFFFFFF)
#define OSSPI_DTLS_MAX_FRAGMENT 16384u

/* An MTU counts the bytes of a datagram that leave in one token: UDP's payload. */
#define OSSPI_MTU_DEFAULT 1096u
#define OSSPI_MTU_MIN     200u

/* ---- records: datagram_record.c ---- */

/** A record, by its header; pointers into the datagram. */
struct osspi_datagram_record {
    uint8_t type;
    uint16_t epoch;
    uint64_t number;
    const uint8_t *bytes; /* with its header */
    size_t len;
    const uint8_t *body;
    size_t body_len;
};

/** The first record of some bytes; false: there is none, and the rest of the datagram is to be
 * dropped (RFC 6347, 4.1.2.7). */
bool osspi_datagram_record(const uint8_t *bytes, size_t len,
                           struct osspi_datagram_record *ret_record);

/** The first message, or part of one, in a handshake record that is not sealed. */
struct osspi_datagram_message {
    uint8_t type;
    uint16_t sequence;
    size_t len;          /* of the whole message's body */
    size_t from, to;     /* the part that is here */
    const uint8_t *body; /* of the part */
};

/** False: it is none. */
bool osspi_datagram_message(const struct osspi_datagram_record *record,
                            struct osspi_datagram_message *ret_message);

/* ---- what is sent: datagram_line.c ---- */

/** Suite and secrets of a connection. To be wiped. */
struct osspi_datagram_keys {
    struct osspi_shard *shard;
    enum osspi_aead_kind kind;
    enum osspi_hmac_hash hash;
    uint8_t master[48];
    uint8_t randoms[64]; /* client's, server's */
};

/** One direction's key as it comes out of the key block. */
struct osspi_datagram_key {
    uint8_t key[OSSPI_AEAD_MAX_KEY];
    uint8_t iv[OSSPI_AEAD_NONCE]; /* AES-GCM: the first four bytes */
};

/** The keys of both directions (RFC 5246, 6.3). */
void osspi_datagram_key_block(const struct osspi_datagram_keys *keys,
                              struct osspi_datagram_key *ret_client,
                              struct osspi_datagram_key *ret_server);

/** Does a part of the nonce travel with the record? */
static inline bool osspi_datagram_explicit(enum osspi_aead_kind kind)
{
    return kind != OSSPI_AEAD_CHACHA20_POLY1305;
}

/** Nonce and additional data of a sealed record; len: of its plaintext. */
void osspi_datagram_nonce(enum osspi_aead_kind kind, const uint8_t iv[OSSPI_AEAD_NONCE],
                          const uint8_t *record, uint8_t ret_nonce[OSSPI_AEAD_NONCE]);
void osspi_datagram_aad(const uint8_t *record, size_t len, uint8_t ret_aad[13]);

/** Our side's records. Zeroed memory is one that has sent nothing. */
struct osspi_line {
    enum osspi_aead_kind kind;
    struct osspi_aead *aead; /* owned; NULL: nothing is sealed yet */
    uint32_t epoch;          /* fork epoch in which it was made */
    uint8_t iv[OSSPI_AEAD_NONCE];
    uint64_t open;   /* number of the next record that is not sealed (epoch 0) */
    uint64_t sealed; /* of the next that is (epoch 1) */
    uint64_t blocks; /* under the key */
};

/** Sets the key. SEC_E_OK, or the statuses of osspi_aead_set_key(). */
SECURITY_STATUS osspi_line_set_key(struct osspi_line *line, const struct osspi_datagram_keys *keys,
                                   const struct osspi_datagram_key *key)
    __attribute__((warn_unused_result));
void osspi_line_clear(struct osspi_line *line);

/** Bytes before and behind the plaintext of a record. */
size_t osspi_line_above(const struct osspi_line *line, bool sealed);
size_t osspi_line_below(bool sealed);

/** Makes a record: header before the data, tag behind it (trailer). SEC_E_OK;
 * SEC_E_ENCRYPT_FAILURE: the numbers or the key are used up, or sealing failed; the number is spent
 * then. */
SECURITY_STATUS osspi_line_seal(struct osspi_line *line, uint8_t type, bool sealed, uint8_t *header,
                                uint8_t *data, size_t len, uint8_t *trailer)
    __attribute__((warn_unused_result));

/* ---- flights: datagram_flight.c ---- */

/** The messages of our flight, unsealed, as long as they may have to be sent again. */
struct osspi_flight {
    uint8_t *bytes; /* records of ours: see datagram_flight.c; secret-grade */
    size_t len;
    size_t at;         /* the record that leaves next */
    size_t offset;     /* bytes of its message that have left */
    uint8_t *datagram; /* made and not delivered, or NULL */
    size_t datagram_len, datagram_size;
};

void osspi_flight_clear(struct osspi_flight *flight);

/** The records that the TLS library has made become the flight. Those that are sealed are opened
 * with the line's key. SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY; SEC_E_INTERNAL_ERROR. */
SECURITY_STATUS osspi_flight_take(struct osspi_flight *flight, const struct osspi_line *line,
                                  const uint8_t *bytes, size_t len)
    __attribute__((warn_unused_result));

/** An alert becomes the flight. The same statuses. */
SECURITY_STATUS osspi_flight_alert(struct osspi_flight *flight, bool sealed, uint8_t level,
                                   uint8_t description) __attribute__((warn_unused_result));

/** An alert goes behind the flight, and with it when it is sent again. The same statuses. */
SECURITY_STATUS osspi_flight_warn(struct osspi_flight *flight, bool sealed, uint8_t description)
    __attribute__((warn_unused_result));

/** Is anything waiting to be sent? */
bool osspi_flight_waits(const struct osspi_flight *flight);

/** The next datagram, borrowed until `sent`; *ret_len 0: all has left. The same one until then,
 * unless the MTU has become smaller: then the flight begins anew.
 * SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY; SEC_E_ENCRYPT_FAILURE. */
SECURITY_STATUS osspi_flight_next(struct osspi_flight *flight, struct osspi_line *line, size_t mtu,
                                  const uint8_t **ret_bytes, size_t *ret_len)
    __attribute__((warn_unused_result));
void osspi_flight_sent(struct osspi_flight *flight);

/** From its beginning again. */
void osspi_flight_rewind(struct osspi_flight *flight);

/* ---- cookies: datagram_cookie.c ---- */

/** What a ClientHello's first fragment tells. */
struct osspi_datagram_hello {
    uint64_t number;   /* of its record */
    uint16_t sequence; /* of the message */
    const uint8_t *version;
    const uint8_t *random;
    const uint8_t *session_id; /* behind its length */
    const uint8_t *cookie;     /* behind its length */
};

/** False: the record is no ClientHello, or not the first part of one. */
bool osspi_datagram_hello(const struct osspi_datagram_record *record,
                          struct osspi_datagram_hello *ret_hello);

/** Is the cookie one that we have given to this address for this ClientHello? SEC_E_OK;
 * SEC_E_INVALID_TOKEN: no; SEC_E_INTERNAL_ERROR: no randomness. Thread-safe. */
SECURITY_STATUS osspi_cookie_check(const struct osspi_datagram_hello *hello,
                                   struct osspi_hmac_bytes address);

#define OSSPI_DTLS_VERIFY_SIZE (OSSPI_DTLS_HEADER + OSSPI_DTLS_MESSAGE + 3 + OSSPI_DTLS_COOKIE)

/** HelloVerifyRequest in answer to it. The same statuses but INVALID_TOKEN. Thread-safe. */
SECURITY_STATUS osspi_cookie_request(const struct osspi_datagram_hello *hello,
                                     struct osspi_hmac_bytes address,
                                     uint8_t ret_record[OSSPI_DTLS_VERIFY_SIZE]);

#endif
