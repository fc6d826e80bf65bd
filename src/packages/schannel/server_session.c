/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A server's sessions by id; see server_session.h. Callbacks of OpenSSL run on the thread that
 * works on the connection, inside its shard.
 *
 * In TLS 1.3 a session is kept in its ticket alone, and OpenSSL is never given one from here: it
 * asks if tickets are off. A renegotiation makes no session that serves again, and takes none.
 */
#include "packages/schannel/server_session.h"

#include <time.h>

#include "base/memory.h"
#include "packages/schannel/id_cache.h"
#include "packages/schannel/ticket.h"
#include "packages/schannel/tls_callbacks.h"
#include "packages/schannel/tls_internal.h"
#include "packages/schannel/tls_psk.h"

/* ---- the callbacks ---- */

/* The bytes are to be wiped. */
static uint8_t *encode(const SSL_SESSION *session, size_t *ret_len)
{
    const int len = i2d_SSL_SESSION((SSL_SESSION *)(uintptr_t)session, NULL);
    uint8_t *bytes = NULL, *at;

    if (len <= 0 || (size_t)len > OSSPI_ID_CACHE_MAX_BYTES)
        return NULL;
    bytes = at = osspi_alloc((size_t)len);
    if (bytes != NULL && i2d_SSL_SESSION((SSL_SESSION *)(uintptr_t)session, &at) != len) {
        osspi_secret_free(bytes, (size_t)len);
        return NULL;
    }
    *ret_len = (size_t)len;
    return bytes;
}

/* A full handshake is over. For want of memory the session is not kept, no more. */
static int on_new(SSL *ssl, SSL_SESSION *session)
{
    struct osspi_tls *tls = osspi_tls_of(ssl);
    struct osspi_id_session kept = {.owner = osspi_session_credential(tls->session_owner),
                                    .enabled = tls->allow_tickets};
    unsigned int id_len = 0;
    uint8_t *bytes;

    kept.id = SSL_SESSION_get_id(session, &id_len);
    kept.id_len = id_len;
    if (SSL_version(ssl) == TLS1_3_VERSION || id_len == 0 || tls->later ||
        osspi_tls_psk_used(tls) || SSL_SESSION_is_resumable(session) != 1 ||
        !osspi_ticket_mark(tls, session))
        return 0;
    bytes = encode(session, &kept.len);
    if (bytes == NULL)
        return 0;
    kept.bytes = bytes;
    kept.until = osspi_ticket_until(session);
    (void)osspi_id_cache_keep(&kept, (int64_t)time(NULL));
    osspi_secret_free(bytes, kept.len);
    return 0; /* OpenSSL keeps its reference */
}

/* What it was made under is compared by OpenSSL, in the session id context. */
static SSL_SESSION *on_find(SSL *ssl, const unsigned char *id, int id_len, int *ret_copy)
{
    const int64_t now = (int64_t)time(NULL);
    SSL_SESSION *session;
    const uint8_t *at;
    uint8_t *bytes;
    size_t len = 0;

    *ret_copy = 0; /* the one reference is OpenSSL's */
    if (SSL_version(ssl) == TLS1_3_VERSION || id_len <= 0 || osspi_tls_of(ssl)->later)
        return NULL;
    at = bytes = osspi_id_cache_find(id, (size_t)id_len, now, &len);
    if (bytes == NULL)
        return NULL;
    session = d2i_SSL_SESSION(NULL, &at, (long)len);
    osspi_secret_free(bytes, len);
    if (session != NULL && now >= osspi_ticket_until(session)) {
        SSL_SESSION_free(session);
        session = NULL;
    }
    return session;
}

/* OpenSSL has found it to be over, or the handshake has failed. */
static void on_remove(SSL_CTX *ctx, SSL_SESSION *session)
{
    unsigned int id_len = 0;
    const unsigned char *id = SSL_SESSION_get_id(session, &id_len);
    (void)ctx;

    if (SSL_SESSION_get_protocol_version(session) != TLS1_3_VERSION)
        osspi_id_cache_drop(id, id_len);
}

void osspi_server_session_configure(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL |
                                            SSL_SESS_CACHE_NO_AUTO_CLEAR);
    SSL_CTX_sess_set_new_cb(ctx, on_new);
    SSL_CTX_sess_set_get_cb(ctx, on_find);
    SSL_CTX_sess_set_remove_cb(ctx, on_remove);
}

/* ---- afterwards ---- */

static bool has_id(const struct osspi_tls_facts *facts)
{
    return facts->server && facts->version != TLS1_3_VERSION && facts->session_id_len > 0;
}

void osspi_server_session_enable(const struct osspi_tls_facts *facts, bool enabled)
{
    if (has_id(facts))
        (void)osspi_id_cache_enable(osspi_tls_facts_session_id(facts), facts->session_id_len,
                                    enabled);
}

void osspi_server_session_drop(const struct osspi_tls_facts *facts)
{
    if (has_id(facts))
        osspi_id_cache_drop(osspi_tls_facts_session_id(facts), facts->session_id_len);
}
