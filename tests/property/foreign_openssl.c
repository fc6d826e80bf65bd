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

static void *share_new(const struct foreign_setup *setup)
{
    const int version = setup->tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    SSL_CTX *ctx = SSL_CTX_new(setup->server ? TLS_server_method() : TLS_client_method());
    char path[512];

    TEST_REQUIRE(ctx != NULL);
    TEST_REQUIRE(SSL_CTX_set_min_proto_version(ctx, version) == 1);
    TEST_REQUIRE(SSL_CTX_set_max_proto_version(ctx, version) == 1);
    limit_to_suite(ctx, setup);
    if (setup->mac_then_encrypt)
        SSL_CTX_set_options(ctx, SSL_OP_NO_ENCRYPT_THEN_MAC);
    if (setup->padding > 0) {
        SSL_CTX_set_record_padding_callback(ctx, pad);
        SSL_CTX_set_record_padding_callback_arg(ctx, (void *)(uintptr_t)setup->padding);
    }
    if (setup->server) {
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
    foreign->session = session;
}

static void end(struct foreign *foreign)
{
    struct session *session = foreign->session;

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

static bool handshake(struct foreign *foreign)
{
    const bool done = SSL_do_handshake(before(foreign)) == 1;

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
    TEST_REQUIRE(SSL_renegotiate(ssl) == 1);
    (void)SSL_do_handshake(ssl);
    after(foreign);
    return true;
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
};
