/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * ApplyControlToken: a caller's wish to close, to send an alert, or to change whether the session
 * may be resumed. Alerts are only noted; the next leg without input makes them. Both sides of the
 * context are held.
 */
#include <string.h>

#include "packages/schannel/context.h"

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
    case SCHANNEL_SESSION:
        if (len < sizeof(SCHANNEL_SESSION_TOKEN) || (words[1] != SSL_SESSION_ENABLE_RECONNECTS &&
                                                     words[1] != SSL_SESSION_DISABLE_RECONNECTS))
            return SEC_E_INVALID_TOKEN;
        ret_control->kind = OSSPI_CONTROL_SESSION;
        ret_control->reconnects = words[1] == SSL_SESSION_ENABLE_RECONNECTS;
        return SEC_E_OK;
    default: /* SCHANNEL_RENEGOTIATE among them: renegotiation is not offered */
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
    if (control.kind == OSSPI_CONTROL_ALERT)
        sc->alert = control.alert;
    else if (sc->record)
        sc->record->class->reconnects(sc->record, control.reconnects);
    else if (sc->tls)
        osspi_tls_reconnects(sc->tls, control.reconnects);
    return SEC_E_OK;
}
