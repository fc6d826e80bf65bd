/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OpenSSL as the other end; see foreign.h. It works on two memory BIOs; the streams are emptied
 * into the one and filled from the other around every call.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "property/foreign.h"

struct session {
    SSL *ssl;
    BIO *in, *out;         /* the SSL's */
    struct foreign *owner; /* for callbacks */
};

/* ---- what connections share ---- */

static size_t pad(SSL *ssl, int type, size_t len, void *arg)
{
    (void)ssl;
    (void)type;
    (void)len;
    return (size_t)(uintptr_t)arg; /* OpenSSL takes as much of it as fits */
}

static void limit_to_suite(SSL_CTX *ctx, const struct foreign_setup *setup)
{
    static const char *const tls13[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                        "TLS_CHACHA20_POLY1305_SHA256"};
    static const char *const tls12[] = {"ECDHE-ECDSA-AES128-GCM-SHA256",
                                        "ECDHE-ECDSA-AES256-GCM-SHA384",
                                        "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-SHA"};

    if (setup->tls13)
        TEST_REQUIRE(SSL_CTX_set_ciphersuites(ctx, tls13[setup->suite]) == 1);
    else
        TEST_REQUIRE(SSL_CTX_set_cipher_list(ctx, tls12[setup->suite]) == 1);
}

static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static unsigned int psk_of_client(SSL *ssl, const char *hint, char *identity, unsigned int size,
                                  unsigned char *psk, unsigned int psk_size)
{
    const struct session *session = SSL_get_app_data(ssl);
    const struct foreign_setup *setup = &session->owner->setup;

    (void)hint;
    TEST_REQUIRE(size >= sizeof(FOREIGN_IDENTITY) && psk_size >= setup->psk_len);
    memcpy(identity, FOREIGN_IDENTITY, sizeof(FOREIGN_IDENTITY));
    memcpy(psk, setup->psk, setup->psk_len);
    return (unsigned int)setup->psk_len;
}

static unsigned int psk_of_server(SSL *ssl, const char *identity, unsigned char *psk,
                                  unsigned int psk_size)
{
    const struct session *session = SSL_get_app_data(ssl);
    const struct foreign_setup *setup = &session->owner->setup;

    if (strcmp(identity, FOREIGN_IDENTITY) != 0)
        return 0;
    TEST_REQUIRE(psk_size >= setup->psk_len);
    memcpy(psk, setup->psk, setup->psk_len);
    return (unsigned int)setup->psk_len;
}

/* What only the flows want. */
static void set_flows(SSL_CTX *ctx, const struct foreign_setup *setup)
{
    char path[512];

    if (setup->later)
        SSL_CTX_set_options(ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    if (setup->later && !setup->server)
        SSL_CTX_set_post_handshake_auth(ctx, 1);
    if (setup->early)
        TEST_REQUIRE(SSL_CTX_set_max_early_data(ctx, FOREIGN_MAX_EARLY) == 1);
    if (setup->session_ids)
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    if (setup->certificate) {
        peer_path(setup->certificate, ".pem", path, sizeof(path));
        TEST_REQUIRE(SSL_CTX_use_certificate_chain_file(ctx, path) == 1);
        peer_path(setup->certificate, ".key", path, sizeof(path));
        TEST_REQUIRE(SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) == 1);
    }
    if (!setup->psk)
        return;
    SSL_CTX_set_psk_client_callback(ctx, psk_of_client);
    SSL_CTX_set_psk_server_callback(ctx, psk_of_server);
    if (!setup->tls13)
        TEST_REQUIRE(SSL_CTX_set_cipher_list(ctx, setup->suite == FOREIGN_AES_128_GCM
                                                      ? "PSK-AES128-GCM-SHA256"
                                                      : "ECDHE-PSK-CHACHA20-POLY1305") == 1);
}

static void *share_new(const struct foreign_setup *setup)
{
    const int version = setup->tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    SSL_CTX *ctx = SSL_CTX_new(setup->server ? TLS_server_method() : TLS_client_method());
    char path[512];

    TEST_REQUIRE(ctx != NULL);
    TEST_REQUIRE(SSL_CTX_set_min_proto_version(ctx, version) == 1);
    TEST_REQUIRE(SSL_CTX_set_max_proto_version(ctx, version) == 1);
    limit_to_suite(ctx, setup);
    set_flows(ctx, setup);
    if (setup->mac_then_encrypt)
        SSL_CTX_set_options(ctx, SSL_OP_NO_ENCRYPT_THEN_MAC);
    if (setup->padding > 0) {
        SSL_CTX_set_record_padding_callback(ctx, pad);
        SSL_CTX_set_record_padding_callback_arg(ctx, (void *)(uintptr_t)setup->padding);
    }
    if (setup->server && !setup->psk) {
        TEST_REQUIRE(SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"test", 4) == 1);
        peer_path("server", ".pem", path, sizeof(path));
        TEST_REQUIRE(SSL_CTX_use_certificate_chain_file(ctx, path) == 1);
        peer_path("server", ".key", path, sizeof(path));
        TEST_REQUIRE(SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) == 1);
    }
    return ctx;
}

static void share_free(void *share)
{
    SSL_SESSION_free(SSL_CTX_get_app_data(share));
    SSL_CTX_free(share);
}

/* ---- one connection ---- */

static void on_info(const SSL *ssl, int where, int value)
{
    const struct session *session = SSL_get_app_data(ssl);

    if (where == SSL_CB_READ_ALERT)
        session->owner->alert = (uint8_t)(value & 0xFF);
}

static void begin(struct foreign *foreign)
{
    struct session *session = OPENSSL_zalloc(sizeof(*session));

    TEST_REQUIRE(session != NULL);
    session->owner = foreign;
    session->ssl = SSL_new(foreign->share);
    session->in = BIO_new(BIO_s_mem());
    session->out = BIO_new(BIO_s_mem());
    TEST_REQUIRE(session->ssl != NULL && session->in != NULL && session->out != NULL);
    BIO_set_mem_eof_return(session->in, -1);
    SSL_set_bio(session->ssl, session->in, session->out);
    TEST_REQUIRE(SSL_set_app_data(session->ssl, session) == 1);
    SSL_set_info_callback(session->ssl, on_info);
    if (foreign->setup.server)
        SSL_set_accept_state(session->ssl);
    else
        SSL_set_connect_state(session->ssl);
    if (foreign->setup.returns && SSL_CTX_get_app_data(foreign->share))
        TEST_REQUIRE(SSL_set_session(session->ssl, SSL_CTX_get_app_data(foreign->share)) == 1);
    if (foreign->asks)
        SSL_set_verify(session->ssl, SSL_VERIFY_PEER, accept_any);
    foreign->session = session;
}

static void end(struct foreign *foreign)
{
    struct session *session = foreign->session;

    if (session && foreign->setup.returns &&
        SSL_SESSION_is_resumable(SSL_get_session(session->ssl))) {
        SSL_SESSION_free(SSL_CTX_get_app_data(foreign->share));
        TEST_REQUIRE(SSL_CTX_set_app_data(foreign->share, SSL_get1_session(session->ssl)) == 1);
        SSL_set_shutdown(session->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    if (session)
        SSL_free(session->ssl);
    OPENSSL_free(session);
    foreign->session = NULL;
}

static SSL *before(struct foreign *foreign)
{
    struct session *session = foreign->session;

    if (foreign->in.len > 0)
        TEST_REQUIRE_EQUAL(BIO_write(session->in, foreign->in.bytes, (int)foreign->in.len),
                           foreign->in.len);
    peer_clear(&foreign->in);
    ERR_clear_error();
    return session->ssl;
}

static void after(struct foreign *foreign)
{
    struct session *session = foreign->session;
    char bytes[8192];
    int len;

    while ((len = BIO_read(session->out, bytes, sizeof(bytes))) > 0)
        peer_push(&foreign->out, bytes, (size_t)len);
}

static void send_early(struct foreign *foreign, SSL *ssl)
{
    const SSL_SESSION *session = SSL_get0_session(ssl);
    size_t len = 0;

    if (!foreign->early_done && session && SSL_SESSION_get_max_early_data(session) > 0 &&
        foreign->early.len > 0)
        TEST_REQUIRE(SSL_write_early_data(ssl, foreign->early.bytes, foreign->early.len, &len) ==
                     1);
    foreign->early_done = true;
}

/* Before they are over no step of the handshake may be made in another way. */
static void receive_early(struct foreign *foreign, SSL *ssl)
{
    uint8_t data[1000];
    size_t len = 0;
    int status = SSL_READ_EARLY_DATA_SUCCESS;

    while (!foreign->early_done && status == SSL_READ_EARLY_DATA_SUCCESS) {
        status = SSL_read_early_data(ssl, data, sizeof(data), &len);
        peer_push(&foreign->early, data, status == SSL_READ_EARLY_DATA_SUCCESS ? len : 0);
        foreign->early_done = status == SSL_READ_EARLY_DATA_FINISH;
    }
}

static bool handshake(struct foreign *foreign)
{
    SSL *ssl = before(foreign);

    if (foreign->setup.early && foreign->setup.server)
        receive_early(foreign, ssl);
    else if (foreign->setup.early)
        send_early(foreign, ssl);
    if (foreign->setup.early && !foreign->early_done) {
        after(foreign);
        return false;
    }
    const bool done = SSL_do_handshake(ssl) == 1;

    foreign->early_taken = SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED;

    after(foreign);
    return done;
}

static size_t write_data(struct foreign *foreign, const void *data, size_t len)
{
    size_t written = 0;

    if (len > 0)
        TEST_REQUIRE(SSL_write_ex(before(foreign), data, len, &written) == 1);
    after(foreign);
    return written;
}

static enum foreign_news read_data(struct foreign *foreign, void *data, size_t size,
                                   size_t *ret_len)
{
    SSL *ssl = before(foreign);
    int error;

    foreign->alert = 0;
    *ret_len = 0;
    error = SSL_read_ex(ssl, data, size, ret_len) == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, 0);
    after(foreign);
    if (error == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION) {
        ERR_clear_error();
        return FOREIGN_DECLINED;
    }
    foreign->words = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    switch (error) {
    case SSL_ERROR_NONE:
        return FOREIGN_DATA;
    case SSL_ERROR_ZERO_RETURN:
        return FOREIGN_CLOSED;
    case SSL_ERROR_WANT_READ: /* warnings are passed over in silence */
        return foreign->alert != 0 ? FOREIGN_WARNED : FOREIGN_NOTHING;
    default:
        return FOREIGN_FAILED;
    }
}

static bool key_update(struct foreign *foreign, bool requested)
{
    SSL *ssl = before(foreign);

    if (!foreign->setup.tls13)
        return false;
    TEST_REQUIRE(SSL_key_update(ssl, requested ? SSL_KEY_UPDATE_REQUESTED
                                               : SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
    TEST_REQUIRE(SSL_do_handshake(ssl) == 1);
    after(foreign);
    return true;
}

static bool ticket(struct foreign *foreign)
{
    SSL *ssl = before(foreign);

    if (!foreign->setup.tls13 || !foreign->setup.server)
        return false;
    TEST_REQUIRE(SSL_new_session_ticket(ssl) == 1);
    TEST_REQUIRE(SSL_do_handshake(ssl) == 1);
    after(foreign);
    return true;
}

static bool renegotiate(struct foreign *foreign)
{
    SSL *ssl = before(foreign);

    if (foreign->setup.tls13)
        return false;
    if (foreign->asks)
        SSL_set_verify(ssl, SSL_VERIFY_PEER, accept_any);
    TEST_REQUIRE(SSL_renegotiate(ssl) == 1);
    (void)SSL_do_handshake(ssl);
    ERR_clear_error();
    after(foreign);
    return true;
}

static bool ask(struct foreign *foreign)
{
    SSL *ssl = before(foreign);

    if (!foreign->setup.tls13 || !foreign->setup.server)
        return false;
    if (SSL_get_key_update_type(ssl) != SSL_KEY_UPDATE_NONE)
        return false; /* it owes a KeyUpdate, and would forget the request over it */
    SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_POST_HANDSHAKE, accept_any);
    TEST_REQUIRE(SSL_verify_client_post_handshake(ssl) == 1);
    TEST_REQUIRE(SSL_do_handshake(ssl) == 1);
    after(foreign);
    return true;
}

static bool busy(const struct foreign *foreign)
{
    return SSL_in_init(((const struct session *)foreign->session)->ssl) != 0;
}

static size_t shown(struct foreign *foreign, uint8_t *der, size_t size)
{
    X509 *certificate = SSL_get0_peer_certificate(((struct session *)foreign->session)->ssl);

    if (!certificate)
        return 0;
    TEST_REQUIRE(i2d_X509(certificate, NULL) <= (int)size);
    return (size_t)i2d_X509(certificate, &der);
}

static bool warn(struct foreign *foreign, uint8_t description)
{
    (void)foreign;
    (void)description;
    return false;
}

static void close_it(struct foreign *foreign)
{
    (void)SSL_shutdown(before(foreign));
    ERR_clear_error();
    after(foreign);
}

static bool export_key(struct foreign *foreign, const char *label, const void *context,
                       size_t context_len, uint8_t *out, size_t out_len)
{
    return SSL_export_keying_material(before(foreign), out, out_len, label, strlen(label), context,
                                      context_len, context != NULL) == 1;
}

/* Of the two finished messages the first: the client's, or in a resumed handshake the server's. */
static bool unique(struct foreign *foreign, uint8_t *out, size_t size, size_t *ret_len)
{
    SSL *ssl = before(foreign);

    if (foreign->setup.tls13)
        return false;
    if ((SSL_session_reused(ssl) != 0) == foreign->setup.server)
        *ret_len = SSL_get_finished(ssl, out, size);
    else
        *ret_len = SSL_get_peer_finished(ssl, out, size);
    return true;
}

static bool resumed(struct foreign *foreign)
{
    return SSL_session_reused(((struct session *)foreign->session)->ssl) == 1;
}

const struct foreign_library foreign_openssl = {
    .name = "OpenSSL",
    .share_new = share_new,
    .share_free = share_free,
    .begin = begin,
    .end = end,
    .handshake = handshake,
    .write = write_data,
    .read = read_data,
    .key_update = key_update,
    .ticket = ticket,
    .renegotiate = renegotiate,
    .warn = warn,
    .close = close_it,
    .export = export_key,
    .unique = unique,
    .resumed = resumed,
    .ask = ask,
    .busy = busy,
    .shown = shown,
};
