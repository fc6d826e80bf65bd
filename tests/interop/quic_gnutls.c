/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * TLS for a QUIC end by GnuTLS; see quic_gnutls.h. Which level a message belongs to, the secrets
 * and the transport parameters are all the helper's affair; nothing of the library under test.
 */
#include "quic_gnutls.h"

#include <stdio.h>
#include <string.h>

#include "quic_compat.h"

static struct quic_gnutls *tls_of(struct quic_end *end)
{
    return end->tls_data;
}

/* With nothing: goes on with the handshake. Messages leave by a callback of the helper's. */
static bool give(struct quic_end *end, ngtcp2_encryption_level level, const uint8_t *bytes,
                 size_t len)
{
    ngtcp2_conn_set_tls_native_handle(end->conn, tls_of(end)->session_handle);
    return ngtcp2_crypto_read_write_crypto_data(end->conn, level, bytes, len) == 0;
}

static bool start(struct quic_end *end)
{
    return give(end, NGTCP2_ENCRYPTION_LEVEL_INITIAL, NULL, 0);
}

static bool receive(struct quic_end *end, enum quic_epoch epoch, const uint8_t *bytes, size_t len)
{
    return give(end,
                epoch == QUIC_INITIAL     ? NGTCP2_ENCRYPTION_LEVEL_INITIAL
                : epoch == QUIC_HANDSHAKE ? NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE
                                          : NGTCP2_ENCRYPTION_LEVEL_1RTT,
                bytes, len);
}

static bool completed(struct quic_end *end)
{
    const struct quic_gnutls *tls = tls_of(end);

    return !end->server || tls->no_tickets ||
           gnutls_session_ticket_send(tls->session_handle, 1, 0) == 0;
}

static const struct quic_tls gnutls_side = {
    .start = start, .receive = receive, .completed = completed};

/* A ticket has come: there is a session to keep. */
static int on_ticket(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                     const gnutls_datum_t *message)
{
    ngtcp2_crypto_conn_ref *ref = gnutls_session_get_ptr(session);
    struct quic_gnutls *tls = tls_of(ref->user_data);
    gnutls_datum_t data;

    (void)type;
    (void)when;
    (void)message;
    if (!incoming || gnutls_session_get_data2(session, &data) != 0)
        return 0;
    peer_clear(&tls->session);
    peer_push(&tls->session, data.data, data.size);
    gnutls_free(data.data);
    return 0;
}

static void set_priority(struct quic_gnutls *tls)
{
    char text[512];
    const char *ciphers =
        tls->ciphers ? tls->ciphers : "+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305";
    const char *groups =
        tls->groups ? tls->groups : "+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1";

    /* Compatibility mode is for middleboxes on TCP: RFC 9001, 8.4, forbids it here. */
    TEST_REQUIRE(snprintf(text, sizeof(text),
                          "%%DISABLE_TLS13_COMPAT_MODE:NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:"
                          "%s:-GROUP-ALL:%s",
                          ciphers, groups) < (int)sizeof(text));
    TEST_REQUIRE_EQUAL(gnutls_priority_set_direct(tls->session_handle, text, NULL), 0);
}

static void set_credentials(struct quic_gnutls *tls, bool server)
{
    char certificate[512], key[512], authority[512];
    const char *name = tls->certificate ? tls->certificate : server ? "server" : NULL;

    TEST_REQUIRE_EQUAL(gnutls_certificate_allocate_credentials(&tls->credentials), 0);
    if (name) {
        peer_path(name, ".pem", certificate, sizeof(certificate));
        peer_path(name, ".key", key, sizeof(key));
        TEST_REQUIRE_EQUAL(gnutls_certificate_set_x509_key_file(tls->credentials, certificate, key,
                                                                GNUTLS_X509_FMT_PEM),
                           0);
    }
    peer_path(tls->authority ? tls->authority : "ca", ".pem", authority, sizeof(authority));
    TEST_REQUIRE(gnutls_certificate_set_x509_trust_file(tls->credentials, authority,
                                                        GNUTLS_X509_FMT_PEM) > 0);
    TEST_REQUIRE_EQUAL(
        gnutls_credentials_set(tls->session_handle, GNUTLS_CRD_CERTIFICATE, tls->credentials), 0);
}

static void open_server(struct quic_gnutls *tls)
{
    TEST_REQUIRE_EQUAL(
        gnutls_init(&tls->session_handle, GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET), 0);
    TEST_REQUIRE_EQUAL(ngtcp2_crypto_gnutls_configure_server_session(tls->session_handle), 0);
    if (!tls->ticket_key.data)
        TEST_REQUIRE_EQUAL(gnutls_session_ticket_key_generate(&tls->ticket_key), 0);
    TEST_REQUIRE_EQUAL(gnutls_session_ticket_enable_server(tls->session_handle, &tls->ticket_key),
                       0);
    if (tls->asks_client) {
        gnutls_certificate_server_set_request(tls->session_handle, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_cert(tls->session_handle, NULL, 0);
    }
}

static void open_client(struct quic_gnutls *tls)
{
    TEST_REQUIRE_EQUAL(gnutls_init(&tls->session_handle,
                                   GNUTLS_CLIENT | (tls->one_share ? GNUTLS_KEY_SHARE_TOP : 0)),
                       0);
    TEST_REQUIRE_EQUAL(ngtcp2_crypto_gnutls_configure_client_session(tls->session_handle), 0);
    gnutls_server_name_set(tls->session_handle, GNUTLS_NAME_DNS, PEER_TARGET, strlen(PEER_TARGET));
    gnutls_session_set_verify_cert(tls->session_handle, PEER_TARGET, 0);
    gnutls_handshake_set_hook_function(tls->session_handle, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
                                       GNUTLS_HOOK_POST, on_ticket);
    if (tls->resume)
        TEST_REQUIRE_EQUAL(
            gnutls_session_set_data(tls->session_handle, tls->resume, tls->resume_len), 0);
}

void quic_gnutls_open(struct quic_gnutls *tls, struct quic_end *end)
{
    const char *alpn = tls->alpn ? tls->alpn : QUIC_ALPN;
    gnutls_datum_t protocol = {(unsigned char *)(uintptr_t)alpn, (unsigned)strlen(alpn)};

    if (end->server)
        open_server(tls);
    else
        open_client(tls);
    set_credentials(tls, end->server);
    set_priority(tls);
    TEST_REQUIRE_EQUAL(
        gnutls_alpn_set_protocols(tls->session_handle, &protocol, 1, GNUTLS_ALPN_MANDATORY), 0);
    gnutls_session_set_ptr(tls->session_handle, &end->ref);
    end->tls = &gnutls_side;
    end->tls_data = tls;
}

void quic_gnutls_close(struct quic_gnutls *tls)
{
    gnutls_deinit(tls->session_handle);
    gnutls_certificate_free_credentials(tls->credentials);
    tls->session_handle = NULL;
    tls->credentials = NULL;
}

void quic_gnutls_alpn(const struct quic_gnutls *tls, char *text, size_t size)
{
    gnutls_datum_t protocol;

    text[0] = 0;
    if (gnutls_alpn_get_selected_protocol(tls->session_handle, &protocol) != 0)
        return;
    TEST_REQUIRE(protocol.size < size);
    memcpy(text, protocol.data, protocol.size);
    text[protocol.size] = 0;
}
