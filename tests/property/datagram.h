/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * DTLS over a line that loses, reorders, doubles, replays and damages: two ends, ours or foreign
 * ones (OpenSSL, GnuTLS), a line between them, and a clock that only moves when nothing is left to
 * be done at its time. A seed decides what happens to each datagram and when the ends write.
 *
 * One thread drives it all. An end hands out datagrams by datagram_send() and what it has read by
 * datagram_arrived(); both check what must hold at any time, see datagram_watch.c and
 * datagram_run.c.
 */
#ifndef OSSPI_TESTS_PROPERTY_DATAGRAM_H
#define OSSPI_TESTS_PROPERTY_DATAGRAM_H

#include "support/tls_peer.h"

#define DATAGRAM_MAX    2048u /* bytes */
#define DATAGRAM_NEVER  UINT64_MAX
#define DATAGRAM_EXPORT "EXPORTER-OpenSSPI-test"
#define DATAGRAM_MINIMUM \
    12u /* bytes of a message of ours: its number, its length, its direction \
         */

struct datagram_run;
struct datagram_end;

/* ---- the clock (datagram_time.c) ---- */

/** Milliseconds since the program began, as gettimeofday() and CLOCK_REALTIME tell it too. */
uint64_t datagram_now(void);
void datagram_set_now(uint64_t now_ms);

/* ---- ends ---- */

enum datagram_kind { DATAGRAM_OURS, DATAGRAM_OPENSSL, DATAGRAM_GNUTLS };

enum datagram_suite {
    DATAGRAM_AES_128_GCM,
    DATAGRAM_AES_256_GCM,
    DATAGRAM_CHACHA20_POLY1305,
    DATAGRAM_SUITES
};

struct datagram_setup {
    enum datagram_kind kinds[2]; /* of the client, of the server */
    enum datagram_suite suite;   /* of a foreign end */
    bool rsa;                    /* the server's certificate, and the client's */
    bool client_certificate;
    bool asks; /* for a certificate: the server, in vain */
    unsigned mtus[2];
    const struct peer_form *form; /* of our ends; NULL: drawn */
    uint16_t srtp[3];             /* profiles that our ends offer or take, up to 0 */
};

/** What the three do each in their way. */
struct datagram_library {
    const char *name;
    /* It takes part of a record for its beginning, and the next datagram for its rest; and with
     * records that it cannot use yet (data before the Finished) its timer does nothing. */
    bool frail;
    void (*share_new)(struct datagram_end *end); /* what connections have in common */
    void (*share_free)(struct datagram_end *end);
    void (*begin)(struct datagram_end *end); /* a client sends its first flight */
    void (*finish)(struct datagram_end *end);
    void (*receive)(struct datagram_end *end, const uint8_t *bytes, size_t len);
    uint64_t (*timer)(struct datagram_end *end); /* the time of its next expiry, or never */
    void (*expired)(struct datagram_end *end);
    size_t (*room)(struct datagram_end *end); /* bytes of a message at most */
    void (*write)(struct datagram_end *end, const uint8_t *data, size_t len);
    void (*close)(struct datagram_end *end);
    void (*export_key)(struct datagram_end *end, uint8_t *out, size_t len);
    bool (*resumed)(struct datagram_end *end);
};

/** The security context of an end of ours. */
CtxtHandle *datagram_ours_context(struct datagram_end *end);

extern const struct datagram_library datagram_ours, datagram_openssl, datagram_gnutls;

struct datagram_end {
    const struct datagram_library *library;
    struct datagram_run *run;
    bool server;
    void *shared, *session;
    bool up;                    /* its handshake is done */
    bool closed;                /* it has seen the peer's close_notify */
    bool failed;                /* it has ended with an error */
    const char *words;          /* of the error */
    struct peer_stream address; /* of the peer, for the cookie of a server of ours */
};

/* ---- the line ---- */

/** In thousandths of the datagrams of one direction. */
struct datagram_rates {
    unsigned lost, late, doubled, replayed, damaged, foreign;
};

struct datagram {
    uint64_t due, order;
    bool to_server;
    size_t len;
    uint8_t bytes[DATAGRAM_MAX];
};

#define DATAGRAM_PAST 64u

struct datagram_line {
    struct datagram_rates rates[2]; /* of what the client sends, of what the server sends */
    bool mangles;                   /* handshake messages in the clear as well */
    struct datagram *queue;         /* on their way, in no order */
    size_t count, room;
    uint64_t order;
    struct datagram *past[2]; /* the last ones sent, by direction: a ring */
    size_t past_count[2];
    struct datagram *strangers[2]; /* the same of earlier connections, protected ones only */
    size_t stranger_count[2];
};

/** Puts a datagram on its way, or does to it what the rates say. */
void datagram_line_put(struct datagram_run *run, bool to_server, const uint8_t *bytes, size_t len);
/** Takes the next one that is due until then. */
bool datagram_line_take(struct datagram_run *run, uint64_t until, struct datagram *ret_datagram);
uint64_t datagram_line_next(const struct datagram_run *run);
/** Keeps some protected datagrams of this connection for the next ones, which are strangers to it.
 */
void datagram_line_clear(struct datagram_run *run);
/** Those too. */
void datagram_line_free(struct datagram_run *run);

/* ---- watching what our ends send ---- */

struct datagram_set {
    uint64_t (*items)[2];
    size_t count, room;
};

#define DATAGRAM_MESSAGES 24u

struct datagram_watch {
    struct datagram_set numbers, nonces;
    struct {
        uint8_t type;
        size_t len;
        uint8_t *bytes, *known; /* of a handshake message in the clear, and which are known */
    } messages[DATAGRAM_MESSAGES];
    size_t finished_len; /* of the records that hide a Finished */
};

void datagram_watch_sent(struct datagram_end *end, struct datagram_watch *watch,
                         const uint8_t *bytes, size_t len);
void datagram_watch_free(struct datagram_watch *watch);

/* ---- a connection ---- */

#define DATAGRAM_WRITES 512u

/** The messages of one direction. */
struct datagram_flow {
    uint32_t written;
    uint16_t lens[DATAGRAM_WRITES];
    bool arrived[DATAGRAM_WRITES];
};

struct datagram_run {
    uint64_t random;
    uint64_t number; /* of the connection: no other has it */
    struct datagram_setup setup;
    struct datagram_end ends[2]; /* client, server */
    struct datagram_line line;
    struct datagram_watch watches[2];
    struct datagram_flow flows[2]; /* written by the client, by the server */
};

struct datagram_counts {
    uint64_t connections, resumed, gone, stuck, sent, lost, late, doubled, replayed, damaged,
        foreign, mangled, retransmissions, written, arrived, records, dropped, told;
};
extern struct datagram_counts datagram_counts;

uint64_t datagram_pick(struct datagram_run *run, uint64_t bound);
/** What an end calls. */
void datagram_send(struct datagram_end *end, const uint8_t *bytes, size_t len);
void datagram_arrived(struct datagram_end *end, const uint8_t *data, size_t len);

void datagram_open(struct datagram_run *run, uint64_t random, const struct datagram_setup *setup);
void datagram_free(struct datagram_run *run);
/** How much data, and whether it is known that the ends have met before. */
struct datagram_plan {
    unsigned writes;
    bool mangles;
    bool resumes;
};
/** A connection from its first datagram to its end; true: it has come to a good one. */
bool datagram_connect(struct datagram_run *run, const struct datagram_plan *plan);

#endif
