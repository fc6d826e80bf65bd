/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * SCHANNEL_SESSION_TOKEN on the TLS side; see tls.h. The caller serialises calls on the connection.
 */
#include "packages/schannel/tls_internal.h"

static void issue_tickets(SSL *ssl, bool enabled)
{
    if (enabled)
        SSL_clear_options(ssl, SSL_OP_NO_TICKET);
    else
        SSL_set_options(ssl, SSL_OP_NO_TICKET);
    (void)SSL_set_num_tickets(ssl, enabled ? OSSPI_TLS_TICKETS : 0);
}

void osspi_tls_reconnects(struct osspi_tls *tls, bool enabled)
{
    if (tls->epoch != osspi_fork_epoch())
        return;
    OSSPI_IN_SHARD(tls->config->shard);
    tls->allow_tickets = enabled;
    if (tls->server) {
        /* What has been handed out is the client's; there are only no more. */
        issue_tickets(tls->ssl, enabled);
    } else if (!enabled && tls->target != NULL) {
        const struct osspi_session_name name = {tls->session_owner, tls->target};
        osspi_session_forget(&name);
    }
}
