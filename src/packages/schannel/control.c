/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * ApplyControlToken: a caller's wish to close, to send an alert, to update keys, or to change
 * whether the session may be resumed. Alerts and KeyUpdates are only noted; the next leg without
 * input makes them. Both sides of the context are held.
 */
#include <opensspi.h>
#include <string.h>

#include "packages/schannel/context.h"
#include "packages/schannel/leg_datagram.h"

#define TLS13 0x0304

SECURITY_STATUS osspi_control_parse(const struct osspi_buffers *token,
                                    struct osspi_control *ret_control)
{
    const SecBuffer *buffer = token->items;
    DWORD words[3] = {0}; /* the longest token; longer buffers are fine */
    size_t len;

    *ret_control = (struct osspi_control){0};
    if (token->count != 1 || osspi_buffer_type(buffer) != SECBUFFER_TOKEN)
        return SEC_E_INVALID_TOKEN;
    if (buffer->cbBuffer < sizeof(words[0]) || !buffer->pvBuffer)
        return SEC_E_UNSUPPORTED_FUNCTION;
    len = buffer->cbBuffer < sizeof(words) ? buffer->cbBuffer : sizeof(words);
    memcpy(words, buffer->pvBuffer, len);
    switch (words[0]) {
    case SCHANNEL_SHUTDOWN:
        ret_control->alert =
            (struct osspi_wanted_alert){true, TLS1_ALERT_WARNING, TLS1_ALERT_CLOSE_NOTIFY};
        return SEC_E_OK;
    case SCHANNEL_ALERT:
        if (len < sizeof(SCHANNEL_ALERT_TOKEN) || words[2] > UINT8_MAX ||
            (words[1] != TLS1_ALERT_WARNING && words[1] != TLS1_ALERT_FATAL))
            return SEC_E_INVALID_TOKEN;
        ret_control->alert =
            (struct osspi_wanted_alert){true, (uint8_t)words[1], (uint8_t)words[2]};
        return SEC_E_OK;
    case OSSPI_SCHANNEL_KEY_UPDATE:
        if (len < sizeof(OsspiKeyUpdateToken) || (words[1] & ~OSSPI_KEY_UPDATE_REQUEST) != 0)
            return SEC_E_INVALID_TOKEN;
        ret_control->kind = OSSPI_CONTROL_UPDATE;
        ret_control->update =
            (struct osspi_wanted_update){true, (words[1] & OSSPI_KEY_UPDATE_REQUEST) != 0};
        return SEC_E_OK;
    case SCHANNEL_SESSION:
        if (len < sizeof(SCHANNEL_SESSION_TOKEN) || (words[1] != SSL_SESSION_ENABLE_RECONNECTS &&
                                                     words[1] != SSL_SESSION_DISABLE_RECONNECTS))
            return SEC_E_INVALID_TOKEN;
        ret_control->kind = OSSPI_CONTROL_SESSION;
        ret_control->reconnects = words[1] == SSL_SESSION_ENABLE_RECONNECTS;
        return SEC_E_OK;
    default: /* SCHANNEL_RENEGOTIATE among them: a leg without input is the way to begin */
        return SEC_E_UNSUPPORTED_FUNCTION;
    }
}

SECURITY_STATUS osspi_schannel_control(struct osspi_context *context,
                                       const struct osspi_buffers *token)
{
    struct osspi_schannel_context *sc = osspi_schannel(context);
    struct osspi_control control;
    SECURITY_STATUS status = osspi_control_parse(token, &control);

    if (status != SEC_E_OK)
        return status;
    if (control.kind == OSSPI_CONTROL_ALERT) {
        sc->alert = control.alert;
    } else if (control.kind == OSSPI_CONTROL_UPDATE) {
        if (!osspi_schannel_established(sc) || sc->kind != OSSPI_KIND_STREAM ||
            osspi_schannel_facts(sc)->version != TLS13)
            return SEC_E_UNSUPPORTED_FUNCTION;
        sc->update.wanted = true;
        sc->update.request = sc->update.request || control.update.request;
    } else if (sc->record) {
        sc->record->class->reconnects(sc->record, control.reconnects);
        osspi_server_session_enable(&sc->facts, control.reconnects);
    } else if (sc->tls) {
        osspi_tls_reconnects(sc->tls, control.reconnects);
    } else if (sc->handshake && sc->handshake->datagram) { /* the cookie is still out */
        sc->handshake->datagram->no_sessions = !control.reconnects;
    }
    return SEC_E_OK;
}
