/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What OpenSSL calls during the work of a connection; see tls_callbacks.h. The thread is the one
 * that works on the connection.
 */
#include "packages/schannel/tls_callbacks.h"
#include "packages/schannel/message_tls.h"

#include <openssl/ssl.h>
#include <stdint.h>
#include <string.h>

#include "packages/schannel/tls_psk.h"

struct osspi_tls *osspi_tls_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

int osspi_tls_on_session(SSL *ssl, SSL_SESSION *session)
{
    struct osspi_tls *tls = osspi_tls_of(ssl);

    if (tls == NULL || !tls->allow_tickets || tls->later || tls->target == NULL ||
        SSL_SESSION_is_resumable(session) != 1)
        return 0;
    /* Who shows a default certificate is decided anew each time: by the flags of that leg, and by
     * what is in the store then. */
    if (tls->presented != NULL && tls->presented == &tls->own)
        return 0;
    /* Of another credential that came later only the certificates count: the peer was verified
     * under the first one's policy and roots. That must not serve where the other's are stricter.
     */
    if (tls->supplied != NULL && memcmp(tls->supplied->policy_context, tls->config->policy_context,
                                        sizeof(tls->config->policy_context)) != 0)
        return 0;
    /* A copy: OpenSSL marks the connection's own session when the connection breaks. */
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    const struct osspi_session_name name = {tls->session_owner, tls->target};
    if (copy != NULL)
        osspi_session_store(&name, tls->config->shard->index, copy, &tls->origin);
    return 0; /* OpenSSL keeps its reference */
}

bool osspi_tls_is_offered(const uint8_t *list, size_t len, const uint8_t *id, size_t id_len)
{
    while (len > 0 && list[0] < len) {
        const size_t entry = list[0];
        if (entry == id_len && memcmp(list + 1, id, id_len) == 0)
            return true;
        list += 1 + entry;
        len -= 1 + entry;
    }
    return false;
}

int osspi_tls_on_alpn(SSL *ssl, const unsigned char **ret_id, unsigned char *ret_len,
                      const unsigned char *offered, unsigned int offered_len, void *argument)
{
    const struct osspi_tls *tls = osspi_tls_of(ssl);
    (void)argument;

    if (tls->alpn == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    const uint8_t *list = tls->alpn;
    size_t len = tls->alpn_len;
    while (len > 0 && list[0] < len) {
        const size_t entry = list[0];
        if (entry > 0 && osspi_tls_is_offered(offered, offered_len, list + 1, entry)) {
            *ret_id = list + 1;
            *ret_len = (unsigned char)entry;
            return SSL_TLSEXT_ERR_OK;
        }
        list += 1 + entry;
        len -= 1 + entry;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol, RFC 7301 3.2 */
}

static void see_alert(struct osspi_tls *tls, bool sending, const uint8_t *alert)
{
    /* TLS 1.3 knows no warnings but these two (RFC 8446 6). */
    const bool closing = alert[1] == SSL3_AD_CLOSE_NOTIFY || alert[1] == SSL_AD_USER_CANCELLED;

    if (alert[0] != SSL3_AL_FATAL && (closing || SSL_version(tls->ssl) != TLS1_3_VERSION))
        return;
    if (sending) {
        tls->alert_sent = true;
        tls->alert_out = alert[1];
    } else {
        tls->alert_received = true;
        tls->alert_in = alert[1];
    }
}

static void see_sent(struct osspi_tls *tls, int content_type, const uint8_t *bytes, size_t len)
{
    switch (content_type) {
    case SSL3_RT_HEADER:
        tls->keys.sealed++;
        break;
    case SSL3_RT_CHANGE_CIPHER_SPEC:
        /* In TLS 1.3 it is there for middle boxes and changes nothing. */
        if (SSL_version(tls->ssl) != TLS1_3_VERSION)
            tls->write_protected = true;
        break;
    case SSL3_RT_INNER_CONTENT_TYPE:
        tls->write_protected = true;
        break;
    case SSL3_RT_HANDSHAKE:
        if (tls->messages != NULL)
            osspi_messages_see_sent(tls, bytes, len);
        if (len > 0 && bytes[0] == SSL3_MT_FINISHED)
            tls->finished_sent = true;
        if (len > 0 && bytes[0] == SSL3_MT_CERTIFICATE_REQUEST)
            tls->asked_for_certificate = true;
        break;
    default:
        break;
    }
}

/* A handshake message of the server, whole; that of DTLS has the fields of its fragment. */
static void see_server(struct osspi_tls *tls, const uint8_t *bytes, size_t len)
{
    const size_t head = SSL_is_dtls(tls->ssl) ? DTLS1_HM_HEADER_LENGTH : SSL3_HM_HEADER_LENGTH;

    if (len >= head)
        osspi_negotiated_see(&tls->negotiated, bytes[0], bytes + head, len - head,
                             SSL_version(tls->ssl) == TLS1_3_VERSION);
}

void osspi_tls_on_message(int sending, int version, int content_type, const void *bytes, size_t len,
                          SSL *ssl, void *argument)
{
    struct osspi_tls *tls = argument;
    (void)version;

    if (content_type == SSL3_RT_HANDSHAKE && tls->server && !sending && len >= 4 &&
        ((const uint8_t *)bytes)[0] == SSL3_MT_CLIENT_HELLO && !tls->later && !SSL_is_dtls(ssl))
        osspi_tls_see_client_hello(tls, (const uint8_t *)bytes + 4, len - 4);
    if (content_type == SSL3_RT_HANDSHAKE && tls->server && !sending)
        osspi_tls_psk_see(tls, bytes, len);
    if (content_type == SSL3_RT_HANDSHAKE && !sending && tls->extensions != NULL &&
        !osspi_extensions_see(tls->extensions, tls->server, bytes, len))
        tls->no_memory = true;
    if (content_type == SSL3_RT_HANDSHAKE && (sending != 0) == tls->server)
        see_server(tls, bytes, len);
    if (content_type == SSL3_RT_ALERT && len == 2)
        see_alert(tls, sending != 0, bytes);
    else if (sending)
        see_sent(tls, content_type, bytes, len);
    else if (content_type == SSL3_RT_INNER_CONTENT_TYPE && len == 1)
        tls->content_type = *(const uint8_t *)bytes;
}
