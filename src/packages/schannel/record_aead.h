/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the files share that protect records by our own code: record_aead.c (making, and what
 * legs ask), record_seal.c, record_open.c, record_post.c (messages after the handshake),
 * record_later.c (handshakes after the handshake), record_key.c (keys), record_export.c (keying
 * material for others).
 *
 * What guards a member is said beside it: "write" and "read" are the sides of the context, which
 * the caller holds; "both" means both of them. Members without a word are constant.
 */
#ifndef OSSPI_SCHANNEL_RECORD_AEAD_H
#define OSSPI_SCHANNEL_RECORD_AEAD_H

#include <endian.h>
#include <stdatomic.h>
#include <string.h>

#include "base/lock.h"
#include "packages/schannel/aead.h"
#include "packages/schannel/later.h"
#include "packages/schannel/record.h"

#define OSSPI_TLS13 0x0304

/* Content types (RFC 8446, 5.1). */
#define OSSPI_TYPE_CCS       20u
#define OSSPI_TYPE_ALERT     21u
#define OSSPI_TYPE_HANDSHAKE 22u
#define OSSPI_TYPE_DATA      23u

/* Alerts (RFC 8446, 6). */
#define OSSPI_ALERT_WARNING           1u
#define OSSPI_ALERT_FATAL             2u
#define OSSPI_ALERT_CLOSING           0u
#define OSSPI_ALERT_UNEXPECTED        10u
#define OSSPI_ALERT_BAD_RECORD_MAC    20u
#define OSSPI_ALERT_RECORD_OVERFLOW   22u
#define OSSPI_ALERT_ILLEGAL_PARAMETER 47u
#define OSSPI_ALERT_DECODE_ERROR      50u
#define OSSPI_ALERT_PROTOCOL_VERSION  70u
#define OSSPI_ALERT_INTERNAL_ERROR    80u
#define OSSPI_ALERT_USER_CANCELED     90u
#define OSSPI_ALERT_NO_RENEGOTIATION  100u

#define OSSPI_EXPLICIT_NONCE 8u /* bytes in front of the ciphertext (RFC 5288, 3) */
#define OSSPI_MAX_AAD        13u

#define OSSPI_KEY_UPDATE_SIZE 5u
#define OSSPI_MAX_SLOT        31u /* bytes of a sealed KeyUpdate or alert */
/* Room for two answers that no leg has found room for, a warning, and the alert that ends it all;
 * more is made for the flight of a later handshake. */
#define OSSPI_MIN_PENDING (4 * OSSPI_MAX_SLOT)

/* Cipher blocks under one AES-GCM key (RFC 8446, 5.5: 2^24.5 full records), and where TLS 1.3 takes
 * the next key. TLS 1.2 has no next one: there it is the end. */
#define OSSPI_UPDATE_BLOCKS (UINT64_C(1) << 34)
#define OSSPI_MAX_BLOCKS    UINT64_C(24296004000)

/** One direction: guarded by its side. */
struct osspi_record_key {
    struct osspi_aead *aead; /* owned; NULL until the first record */
    bool ready;              /* aead and iv are those of the secret */
    uint8_t iv[OSSPI_AEAD_NONCE];
    uint64_t sequence; /* of the next record; never wraps */
    uint64_t blocks;   /* sealed under this key */
    /* TLS 1.3: the traffic secret. TLS 1.2: the key, until it is set. */
    uint8_t secret[OSSPI_MAX_HASH];
};

/** What we owe the peer; set by the read side, paid by the write side. */
#define OSSPI_OWED_UPDATE  1u /* TLS 1.3: a KeyUpdate in return */
#define OSSPI_OWED_DECLINE 2u /* TLS 1.2: no_renegotiation */

struct osspi_record_aead {
    struct osspi_record base; /* first member */
    struct osspi_shard *shard;
    uint32_t epoch; /* fork epoch in which it was made */
    enum osspi_aead_kind kind;
    enum osspi_hmac_hash hash;
    uint16_t version;
    bool server;
    bool explicit_nonce; /* a part of the nonce travels with the record */
    uint8_t above;       /* bytes of a record before the ciphertext */
    uint8_t below;       /* and behind the data: content type (1.3) and tag */
    uint8_t slot;        /* bytes of a sealed KeyUpdate (1.3) or alert (1.2) */
    bool answering;      /* write; TLS 1.3, client: a Finished is being made of write.secret */

    _Atomic uint32_t owed; /* OSSPI_OWED_; set under read, cleared under write */

    struct osspi_record_key write; /* write */
    uint64_t next_explicit;        /* write */
    bool closed;                   /* write; a closing alert was made */
    bool spoiled;                  /* write; sealing has failed: a record is missing */
    bool flight_left;              /* both */
    bool later_wanted;             /* constant; the credential allows later handshakes */
    uint32_t pending_len;          /* write */
    uint32_t pending_size;         /* write */
    uint8_t *pending;              /* write; sealed records that must leave first; or NULL */

    struct osspi_record_key read; /* read */
    bool broken;                  /* read */
    uint8_t fatal;                /* read; alert that tells the peer why, 0: none */
    uint8_t alert_in;             /* read; fatal alert of the peer, 0: none */
    uint8_t head_len, head[4];    /* read; TLS 1.2: the header of a message, as far as it came */
    const char *words;            /* read; what broke it; static text */
    uint32_t idle_run;            /* read; records in a row without application data */
    uint32_t skip;                /* read; TLS 1.2: bytes left of a declined ClientHello */
    struct osspi_partial {
        uint8_t *bytes;
        size_t len, size;
    } partial; /* read; the beginning of a message that goes on in the next record */

    /* The TLS library's object: until its last flight has left (both), and then, where tickets or
     * handshakes are still to come, until they have (read). */
    struct osspi_tls *tls;
    struct osspi_later *later;         /* as tls; NULL: nothing is waited for */
    struct osspi_session_left session; /* both */

    /* What is exported since the last renegotiation, and before; NULL: the two below. Stored under
     * both, with release order; those before stay until the end, somebody may be reading them. */
    struct osspi_export_secret {
        uint8_t master[OSSPI_MAX_HASH], randoms[64];
        struct osspi_export_secret *before;
    } * _Atomic renewed;

    uint8_t master[OSSPI_MAX_HASH]; /* TLS 1.3: exporter secret; 1.2: master secret */
    uint8_t randoms[];              /* TLS 1.2: client's, server's, 32 bytes each */
};

static inline struct osspi_record_aead *osspi_record_own(struct osspi_record *record)
{
    return (struct osspi_record_aead *)record;
}

/** Additional data of TLS 1.2 (RFC 5246, 6.2.3.3): number, type, version, and the plaintext's
 * length. */
static inline void osspi_record_aad12(uint8_t aad[OSSPI_MAX_AAD], uint64_t sequence,
                                      const uint8_t *header, size_t len)
{
    const uint64_t number = htobe64(sequence);

    memcpy(aad, &number, sizeof(number));
    memcpy(aad + 8, header, 3);
    aad[11] = (uint8_t)(len >> 8);
    aad[12] = (uint8_t)len;
}

/* ---- record_key.c ---- */

/** Makes the key and iv of a direction from its secret, if they are not there. SEC_E_OK, or the
 * statuses of osspi_aead_set_key(): it can be tried again. */
SECURITY_STATUS osspi_record_key_ready(struct osspi_record_aead *record,
                                       struct osspi_record_key *key)
    __attribute__((warn_unused_result));

/** TLS 1.3: computes the secret that follows (RFC 8446, 7.2). */
SECURITY_STATUS osspi_record_key_next(const struct osspi_record_aead *record,
                                      const struct osspi_record_key *key,
                                      uint8_t ret_secret[OSSPI_MAX_HASH])
    __attribute__((warn_unused_result));

/** The same of a secret that is nobody's key for records. */
SECURITY_STATUS osspi_record_next_secret(enum osspi_hmac_hash hash,
                                         const uint8_t secret[OSSPI_MAX_HASH],
                                         uint8_t ret_secret[OSSPI_MAX_HASH])
    __attribute__((warn_unused_result));

/** Goes on with that secret; it is wiped where it was. */
void osspi_record_key_replace(struct osspi_record_key *key, uint8_t secret[OSSPI_MAX_HASH]);

/** TLS 1.2: goes on with keys of another key block. */
void osspi_record_key_change(struct osspi_record_key *key, const struct osspi_key_block_side *side);

void osspi_record_key_clear(struct osspi_record_aead *record, struct osspi_record_key *key);

/** The nonce of a record (RFC 8446, 5.3; RFC 7905, 2). */
void osspi_record_nonce(const uint8_t iv[OSSPI_AEAD_NONCE], uint64_t sequence,
                        uint8_t ret_nonce[OSSPI_AEAD_NONCE]);

/** Key and iv of a TLS 1.3 traffic secret into a key of its own. */
SECURITY_STATUS osspi_record_traffic_key(enum osspi_aead_kind kind, enum osspi_hmac_hash hash,
                                         const struct osspi_shard *shard,
                                         const uint8_t secret[OSSPI_MAX_HASH],
                                         struct osspi_aead *aead, uint8_t ret_iv[OSSPI_AEAD_NONCE])
    __attribute__((warn_unused_result));

/* ---- record_seal.c ---- */

/** Seals one record of that type into the caller's pieces, with what is pending in front of it; as
 * in struct osspi_record_class. The write side is held, here and below. */
SECURITY_STATUS osspi_record_seal_as(struct osspi_record_aead *record, uint8_t type,
                                     struct osspi_record_pieces *pieces)
    __attribute__((warn_unused_result));

/** Pays what is owed, into the pending bytes; for that they must have room for one record. */
SECURITY_STATUS osspi_record_settle(struct osspi_record_aead *record)
    __attribute__((warn_unused_result));

/** Seals a record behind what is pending. SEC_E_INSUFFICIENT_MEMORY: nothing has changed;
 * SEC_E_ENCRYPT_FAILURE. */
SECURITY_STATUS osspi_record_put(struct osspi_record_aead *record, uint8_t type,
                                 const uint8_t *bytes, size_t len)
    __attribute__((warn_unused_result));

/** A KeyUpdate of our own accord, and the next key behind it. The same statuses. */
SECURITY_STATUS osspi_record_update_key(struct osspi_record_aead *record, bool request)
    __attribute__((warn_unused_result));

/** The pending bytes have left. */
void osspi_record_drop_pending(struct osspi_record_aead *record);

/** Puts a sealed alert behind what is pending. SEC_E_INSUFFICIENT_MEMORY: there is no room, or no
 * memory for the key; SEC_E_ENCRYPT_FAILURE. */
SECURITY_STATUS osspi_record_put_alert(struct osspi_record_aead *record, uint8_t level,
                                       uint8_t description) __attribute__((warn_unused_result));

/* ---- record_open.c ---- */

/** As in struct osspi_record_class. The read side is held, here and below. */
enum osspi_record_kind osspi_record_open_one(struct osspi_record *base, uint8_t *bytes, size_t len,
                                             uint8_t **ret_plain, size_t *ret_plain_len,
                                             SECURITY_STATUS *ret_status);

/** TLS 1.3: content type of a record that comes next, without taking it; 0: it cannot be told. */
uint8_t osspi_record_peek(struct osspi_record_aead *record, const uint8_t *bytes, size_t len);

/** Ends reading: the alert tells the peer (0: nothing to tell), the words whoever asks. */
enum osspi_record_kind osspi_record_break(struct osspi_record_aead *record, uint8_t alert,
                                          const char *words);

/* ---- record_post.c ---- */

/**
 * Takes the handshake messages of one opened record; or, in a renegotiation, a ChangeCipherSpec.
 *
 * @return POST_HANDSHAKE; RETRY: no memory, nothing was taken; BROKEN, with *ret_status.
 */
enum osspi_record_kind osspi_record_take_messages(struct osspi_record_aead *record, uint8_t type,
                                                  const uint8_t *bytes, size_t len,
                                                  SECURITY_STATUS *ret_status);

/** Is the TLS library's object no longer needed? Then it is freed. */
void osspi_record_release_tls(struct osspi_record_aead *record);

/* ---- record_export.c ---- */

/** As in struct osspi_record_class; no side is needed. */
void osspi_record_randoms(struct osspi_record *base, uint8_t ret_randoms[64]);
SECURITY_STATUS osspi_record_export_keying(struct osspi_record *base, struct osspi_hmac_bytes label,
                                           struct osspi_hmac_bytes context, uint8_t *out,
                                           size_t out_len);

#endif
