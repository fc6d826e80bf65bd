/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Early data; see tls_early.h and, for what is left of them in a context, early.h.
 *
 * A server asks OpenSSL for early data as long as there may be some, and goes on with the handshake
 * when it says that there are none, or no more. Whatever is not taken (a HelloRetryRequest, an
 * unknown ticket, a ClientHello that was here before) OpenSSL skips, up to a limit; it reads one
 * record at a time here as anywhere.
 *
 * OpenSSL's own protection against replays needs a cache of sessions; ours is the strike register
 * (strike.h).
 */
#include "packages/schannel/tls_early.h"

#include <opensspi.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/strike.h"
#include "packages/schannel/tls_callbacks.h"

#define CHUNK 2048u

struct osspi_tls_early {
    const uint8_t *unsent; /* client: borrowed for the call; NULL: none */
    size_t unsent_len;
    bool sent;    /* client */
    bool reading; /* server: there may be more */
    uint8_t *bytes;
    size_t len, size;
};

/* ---- the server's consent ---- */

static int64_t issued_at(const SSL_SESSION *session)
{
#if OPENSSL_VERSION_NUMBER >= 0x30300000L
    return SSL_SESSION_get_time_ex(session);
#else
    return SSL_SESSION_get_time(session);
#endif
}

/*
 * Asked last, when everything else allows it. A ticket that was issued without leave for early data
 * may come with some all the same: a client that had the leave from an earlier ticket keeps it in
 * mind. OpenSSL would accept them and then find the first byte too much.
 */
static int on_allow(SSL *ssl, void *argument)
{
    const struct osspi_tls *tls = osspi_tls_of(ssl);
    const SSL_SESSION *session = SSL_get0_session(ssl);
    const struct osspi_strike_time now = osspi_strike_now();
    uint8_t random[OSSPI_STRIKE_ID];
    (void)argument;

    if (session == NULL || SSL_SESSION_get_max_early_data(session) == 0 ||
        SSL_SESSION_get_max_early_data(session) > tls->config->options.max_early_data ||
        SSL_get_client_random(ssl, random, sizeof(random)) != sizeof(random))
        return 0;
    return osspi_strike(random, issued_at(session), &now);
}

static bool is_wanted(const struct osspi_tls_config *config)
{
    return (config->options.flags & OSSPI_TLS_EARLY_DATA) != 0 && !config->datagram;
}

bool osspi_tls_early_configure(struct osspi_tls_config *config)
{
    const struct osspi_strike_time now = osspi_strike_now();

    if (!is_wanted(config))
        return true;
    SSL_CTX_set_options(config->ctx, SSL_OP_NO_ANTI_REPLAY | SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_allow_early_data_cb(config->ctx, on_allow, NULL);
    return osspi_strike_start(&now) &&
           SSL_CTX_set_max_early_data(config->ctx, config->options.max_early_data) == 1;
}

bool osspi_tls_early_prepare(struct osspi_tls *tls)
{
    if (!is_wanted(tls->config))
        return true;
    if (tls->messages != NULL)
        return !tls->server || SSL_set_max_early_data(tls->ssl, 0) == 1;
    tls->early = osspi_alloc(sizeof(*tls->early));
    if (tls->early == NULL)
        return false;
    tls->early->reading = tls->server;
    return true;
}

void osspi_tls_early_clear(struct osspi_tls *tls)
{
    if (tls->early == NULL)
        return;
    osspi_secret_free(tls->early->bytes, tls->early->size);
    osspi_secret_free(tls->early, sizeof(*tls->early));
    tls->early = NULL;
}

/* ---- what a client sends ---- */

/* A session for one protocol is not for another, nor for none: the server would refuse. */
static bool same_protocol(const struct osspi_tls *tls, const SSL_SESSION *session)
{
    const unsigned char *protocol = NULL;
    size_t len = 0;

    SSL_SESSION_get0_alpn_selected(session, &protocol, &len);
    if (len == 0)
        return tls->alpn == NULL;
    return tls->alpn != NULL && osspi_tls_is_offered(tls->alpn, tls->alpn_len, protocol, len);
}

void osspi_tls_send_early(struct osspi_tls *tls, const uint8_t *bytes, size_t len)
{
    const SSL_SESSION *session;

    if (tls->early == NULL || tls->server || !tls->offered_session || len == 0)
        return;
    session = SSL_get0_session(tls->ssl);
    if (session == NULL || SSL_SESSION_get_protocol_version(session) != TLS1_3_VERSION ||
        SSL_SESSION_get_max_early_data(session) < len || !same_protocol(tls, session))
        return;
    tls->early->unsent = bytes;
    tls->early->unsent_len = len;
}

/* ---- what a server gets ---- */

static bool append(struct osspi_tls_early *early, const uint8_t *bytes, size_t len)
{
    if (len > early->size - early->len) {
        const size_t size = 2 * early->size + len;
        uint8_t *larger = osspi_alloc(size);

        if (larger == NULL)
            return false;
        if (early->len > 0)
            memcpy(larger, early->bytes, early->len);
        osspi_secret_free(early->bytes, early->size);
        early->bytes = larger;
        early->size = size;
    }
    memcpy(early->bytes + early->len, bytes, len);
    early->len += len;
    return true;
}

/* Until OpenSSL wants another record, fails (0 then), or is done with them (1). */
static int read_all(struct osspi_tls *tls)
{
    uint8_t chunk[CHUNK];
    int result = SSL_READ_EARLY_DATA_SUCCESS;

    while (result == SSL_READ_EARLY_DATA_SUCCESS) {
        size_t len = 0;

        result = SSL_read_early_data(tls->ssl, chunk, sizeof(chunk), &len);
        if (result == SSL_READ_EARLY_DATA_SUCCESS && !append(tls->early, chunk, len)) {
            tls->no_memory = true;
            result = SSL_READ_EARLY_DATA_ERROR;
        }
    }
    osspi_secure_zero(chunk, sizeof(chunk));
    tls->early->reading = result != SSL_READ_EARLY_DATA_FINISH;
    return result == SSL_READ_EARLY_DATA_FINISH;
}

/* ---- the step ---- */

int osspi_tls_early_run(struct osspi_tls *tls)
{
    struct osspi_tls_early *early = tls->early;
    size_t written;

    if (early == NULL)
        return SSL_do_handshake(tls->ssl);
    if (early->unsent != NULL) {
        const uint8_t *bytes = OSSPI_TAKE(early->unsent);

        if (SSL_write_early_data(tls->ssl, bytes, early->unsent_len, &written) != 1)
            return 0;
        early->sent = true;
    }
    if (early->reading && read_all(tls) != 1)
        return 0;
    return SSL_do_handshake(tls->ssl);
}

void osspi_tls_take_early(struct osspi_tls *tls, struct osspi_tls_early_news *ret_news)
{
    const int status = SSL_get_early_data_status(tls->ssl);

    *ret_news = (struct osspi_tls_early_news){.status = OSSPI_EARLY_DATA_NOT_SENT};
    if (!tls->server && tls->early != NULL && tls->early->sent && !tls->established)
        ret_news->status = OSSPI_EARLY_DATA_SENT;
    else if (status == SSL_EARLY_DATA_ACCEPTED)
        ret_news->status = OSSPI_EARLY_DATA_ACCEPTED;
    else if (status == SSL_EARLY_DATA_REJECTED)
        ret_news->status = OSSPI_EARLY_DATA_REJECTED;
    if (tls->early == NULL)
        return;
    ret_news->bytes = OSSPI_TAKE(tls->early->bytes);
    ret_news->len = tls->early->len;
    ret_news->size = tls->early->size;
    tls->early->len = tls->early->size = 0;
}
