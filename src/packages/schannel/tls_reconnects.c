/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * SCHANNEL_SESSION_TOKEN on the TLS side; see tls.h. The caller serialises calls on the connection.
 */
#include "packages/schannel/tls_internal.h"

void osspi_tls_reconnects(struct osspi_tls *tls, bool enabled)
{
    if (tls->epoch != osspi_fork_epoch())
        return;
    tls->allow_tickets = enabled;
    /* What a server has handed out is the client's; it only stops handing out more. */
    if (!enabled && !tls->server && tls->target != NULL) {
        const struct osspi_session_name name = {tls->config->credential_id, tls->target};
        osspi_session_forget(&name);
    }
}
