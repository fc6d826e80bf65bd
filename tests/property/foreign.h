/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The other end of a connection, made by a TLS library that is not ours, over memory: OpenSSL's
 * own record layer, or GnuTLS. Its bytes lie in two streams, so that whoever drives it decides what
 * arrives when. What a library cannot do is answered with false, and nothing has happened.
 *
 * One thread uses one of them.
 */
#ifndef OSSPI_TESTS_PROPERTY_FOREIGN_H
#define OSSPI_TESTS_PROPERTY_FOREIGN_H

#include "support/tls_peer.h"

enum foreign_suite {
    FOREIGN_AES_128_GCM,
    FOREIGN_AES_256_GCM,
    FOREIGN_CHACHA20_POLY1305,
    FOREIGN_AES_128_CBC, /* TLS 1.2 only */
    FOREIGN_SUITES
};

enum foreign_kind { FOREIGN_OPENSSL, FOREIGN_GNUTLS, FOREIGN_KINDS };

struct foreign_setup {
    enum foreign_kind kind;
    enum foreign_suite suite;
    bool server;
    bool tls13;
    bool mac_then_encrypt; /* of the CBC suite: as before RFC 7366 */
    size_t padding;        /* TLS 1.3: so many bytes behind each message, as far as it goes */
    /* For test_property_flows; all zero is the plain end. */
    bool later;              /* TLS 1.2: it renegotiates; TLS 1.3: asks, or lets itself be asked */
    bool session_ids;        /* TLS 1.2: sessions without tickets */
    bool returns;            /* client: offers the session that it had */
    const char *certificate; /* client: what it shows when asked; NULL: nothing */
    bool early;              /* TLS 1.3: a server takes early data, a client may send some */
    const void *psk; /* FOREIGN_IDENTITY's, which takes the place of certificates; or NULL */
    size_t psk_len;
};

#define FOREIGN_MAX_EARLY 4000u /* bytes that a server takes */
#define FOREIGN_IDENTITY  "somebody"

/** What reading has found. */
enum foreign_news {
    FOREIGN_DATA,
    FOREIGN_NOTHING,  /* more bytes must come */
    FOREIGN_DECLINED, /* the warning no_renegotiation */
    FOREIGN_WARNED,   /* another warning */
    FOREIGN_CLOSED,
    FOREIGN_FAILED
};

struct foreign;

/** What the two libraries do each in their way; see the functions below. */
struct foreign_library {
    const char *name;
    void *(*share_new)(const struct foreign_setup *setup);
    void (*share_free)(void *share);
    void (*begin)(struct foreign *foreign);
    void (*end)(struct foreign *foreign);
    bool (*handshake)(struct foreign *foreign);
    size_t (*write)(struct foreign *foreign, const void *data, size_t len);
    enum foreign_news (*read)(struct foreign *foreign, void *data, size_t size, size_t *ret_len);
    bool (*key_update)(struct foreign *foreign, bool requested);
    bool (*ticket)(struct foreign *foreign);
    bool (*renegotiate)(struct foreign *foreign);
    bool (*warn)(struct foreign *foreign, uint8_t description);
    void (*close)(struct foreign *foreign);
    bool (*export)(struct foreign *foreign, const char *label, const void *context,
                   size_t context_len, uint8_t *out, size_t out_len);
    bool (*unique)(struct foreign *foreign, uint8_t *out, size_t size, size_t *ret_len);
    bool (*resumed)(struct foreign *foreign);
    bool (*ask)(struct foreign *foreign);
    bool (*busy)(const struct foreign *foreign);
    size_t (*shown)(struct foreign *foreign, uint8_t *der, size_t size);
};

extern const struct foreign_library foreign_openssl, foreign_gnutls;

struct foreign {
    const struct foreign_library *library;
    struct foreign_setup setup;
    void *share;                /* what connections have in common: credentials, ticket keys */
    void *session;              /* this connection */
    struct peer_stream in, out; /* not yet read by it; not yet taken from it */
    const char *words;          /* of FOREIGN_FAILED: what the library says */
    uint8_t alert; /* of FOREIGN_WARNED and FOREIGN_FAILED: received; 0 if there was none */
    bool asks;     /* server: the next full handshakes ask for a certificate */
    struct peer_stream early; /* client: to be sent with the first flight; server: received */
    bool early_done;          /* they were given to the library, or have all come */
    bool early_taken;         /* client: the server has taken them */
    int doing;                /* GnuTLS: the handshake that is under way */
};

void foreign_open(struct foreign *foreign, const struct foreign_setup *setup);
/** The next connection, with the same credentials; both streams are emptied. */
void foreign_again(struct foreign *foreign);
void foreign_free(struct foreign *foreign);

/** Goes on with the handshake; true once it is done. */
static inline bool foreign_handshake(struct foreign *foreign)
{
    return foreign->library->handshake(foreign);
}

/** Writes all of it, maybe as several records; the number of bytes written. */
static inline size_t foreign_write(struct foreign *foreign, const void *data, size_t len)
{
    return foreign->library->write(foreign, data, len);
}

static inline enum foreign_news foreign_read(struct foreign *foreign, void *data, size_t size,
                                             size_t *ret_len)
{
    return foreign->library->read(foreign, data, size, ret_len);
}

/** TLS 1.3: changes its write key, and may ask for the same. */
static inline bool foreign_key_update(struct foreign *foreign, bool requested)
{
    return foreign->library->key_update(foreign, requested);
}

/** TLS 1.3 server: one more ticket. */
static inline bool foreign_ticket(struct foreign *foreign)
{
    return foreign->library->ticket(foreign);
}

/** TLS 1.2: asks for a new handshake. Having been refused, OpenSSL ends its side. */
static inline bool foreign_renegotiate(struct foreign *foreign)
{
    return foreign->library->renegotiate(foreign);
}

/** TLS 1.3 server: asks for a certificate after the handshake. */
static inline bool foreign_ask(struct foreign *foreign)
{
    return foreign->library->ask(foreign);
}

/** In the middle of a handshake. */
static inline bool foreign_busy(const struct foreign *foreign)
{
    return foreign->library->busy(foreign);
}

/** The certificate that the other end has shown; 0: none. */
static inline size_t foreign_shown(struct foreign *foreign, uint8_t *der, size_t size)
{
    return foreign->library->shown(foreign, der, size);
}

static inline bool foreign_warn(struct foreign *foreign, uint8_t description)
{
    return foreign->library->warn(foreign, description);
}

/** Sends close_notify; reading goes on. */
static inline void foreign_close(struct foreign *foreign)
{
    foreign->library->close(foreign);
}

#endif
