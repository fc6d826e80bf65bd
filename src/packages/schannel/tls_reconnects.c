/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * SCHANNEL_SESSION_TOKEN on the TLS side; see tls.h. The caller serialises calls on the connection.
 */
#include "packages/schannel/id_cache.h"
#include "packages/schannel/tls_internal.h"
#include "packages/schannel/tls_psk.h"

static void issue_tickets(SSL *ssl, bool enabled)
{
    if (enabled)
        SSL_clear_options(ssl, SSL_OP_NO_TICKET);
    else
        SSL_set_options(ssl, SSL_OP_NO_TICKET);
    (void)SSL_set_num_tickets(ssl, enabled ? OSSPI_TLS_TICKETS : 0);
}

/* The session that goes on under its id, if it is one. */
static void enable_by_id(SSL *ssl, bool enabled)
{
    const SSL_SESSION *session = SSL_get0_session(ssl);
    unsigned int len = 0;

    if (session == NULL || SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION)
        return;
    const unsigned char *id = SSL_SESSION_get_id(session, &len);
    (void)osspi_id_cache_enable(id, len, enabled);
}

void osspi_tls_reconnects(struct osspi_tls *tls, bool enabled)
{
    if (tls->epoch != osspi_fork_epoch())
        return;
    OSSPI_IN_SHARD(tls->config->shard);
    tls->allow_tickets = enabled && (tls->server || tls->psk == NULL);
    if (tls->server) {
        /* A ticket that has been handed out is the client's; there are only no more. None comes of
         * a later handshake: it would know of a certificate that the first one's did not. */
        if (!tls->later)
            issue_tickets(tls->ssl, enabled && !osspi_tls_psk_used(tls));
        enable_by_id(tls->ssl, enabled);
    } else if (!enabled && tls->target != NULL) {
        const struct osspi_session_name name = {tls->session_owner, tls->target};
        osspi_session_forget(&name);
    }
}
