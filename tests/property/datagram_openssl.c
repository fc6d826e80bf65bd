/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OpenSSL as an end of a connection over datagrams; see datagram.h. Its BIO is one of ours: a read
 * takes the datagram that has just come, a write sends one. Servers want a cookie.
 *
 * One thread.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/time.h>

#include "property/datagram.h"

struct shared {
    SSL_CTX *ctx;
    SSL_SESSION *session; /* a client's, for the next connection */
};

struct session {
    SSL *ssl;
    const uint8_t *bytes; /* what has come and was not read; NULL: nothing */
    size_t len;
};

/* ---- the BIO ---- */

static struct datagram_end *end_of(BIO *bio)
{
    return BIO_get_data(bio);
}

static int bio_read(BIO *bio, char *bytes, int size)
{
    struct session *session = end_of(bio)->session;
    size_t len = session->len;

    BIO_clear_retry_flags(bio);
    if (!session->bytes) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (len > (size_t)size)
        len = (size_t)size;
    memcpy(bytes, session->bytes, len);
    session->bytes = NULL;
    return (int)len;
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
    BIO_clear_retry_flags(bio);
    datagram_send(end_of(bio), (const uint8_t *)bytes, (size_t)len);
    return len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *data)
{
    (void)number;
    (void)data;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return (long)end_of(bio)->run->setup.mtus[end_of(bio)->server];
    default:
        return 0;
    }
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *method(void)
{
    static BIO_METHOD *made; /* guarded by there being one thread; kept */

    if (!made) {
        made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "a line");
        TEST_REQUIRE(made != NULL);
        BIO_meth_set_read(made, bio_read);
        BIO_meth_set_write(made, bio_write);
        BIO_meth_set_ctrl(made, bio_ctrl);
        BIO_meth_set_create(made, bio_create);
    }
    return made;
}

/* ---- what connections share ---- */

static int make_cookie(SSL *ssl, unsigned char *cookie, unsigned *ret_len)
{
    (void)ssl;
    memcpy(cookie, "a cookie", 8);
    *ret_len = 8;
    return 1;
}

static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned len)
{
    (void)ssl;
    return len == 8 && memcmp(cookie, "a cookie", 8) == 0;
}

static void use_certificate(SSL_CTX *ctx, const char *name)
{
    char path[512];

    peer_path(name, ".pem", path, sizeof(path));
    TEST_REQUIRE(SSL_CTX_use_certificate_chain_file(ctx, path) == 1);
    peer_path(name, ".key", path, sizeof(path));
    TEST_REQUIRE(SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) == 1);
}

static void share_server(SSL_CTX *ctx, const struct datagram_setup *setup)
{
    char path[512];

    use_certificate(ctx, setup->rsa ? "server-rsa" : "server");
    SSL_CTX_set_options(ctx, SSL_OP_COOKIE_EXCHANGE);
    SSL_CTX_set_cookie_generate_cb(ctx, make_cookie);
    SSL_CTX_set_cookie_verify_cb(ctx, check_cookie);
    TEST_REQUIRE(SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"test", 4) == 1);
    if (setup->asks)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (!setup->client_certificate)
        return;
    peer_path("ca", ".pem", path, sizeof(path));
    TEST_REQUIRE(SSL_CTX_load_verify_locations(ctx, path, NULL) == 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static void share_new(struct datagram_end *end)
{
    static const char *const suites[] = {
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"};
    const struct datagram_setup *setup = &end->run->setup;
    struct shared *shared = OPENSSL_zalloc(sizeof(*shared));

    TEST_REQUIRE(shared != NULL);
    shared->ctx = SSL_CTX_new(end->server ? DTLS_server_method() : DTLS_client_method());
    TEST_REQUIRE(shared->ctx != NULL);
    TEST_REQUIRE(SSL_CTX_set_min_proto_version(shared->ctx, DTLS1_2_VERSION) == 1);
    TEST_REQUIRE(SSL_CTX_set_cipher_list(shared->ctx, suites[setup->suite]) == 1);
    if (end->server)
        share_server(shared->ctx, setup);
    else if (setup->client_certificate)
        use_certificate(shared->ctx, setup->rsa ? "client-rsa" : "client");
    end->shared = shared;
}

static void share_free(struct datagram_end *end)
{
    struct shared *shared = end->shared;

    SSL_SESSION_free(shared->session);
    SSL_CTX_free(shared->ctx);
    OPENSSL_free(shared);
    end->shared = NULL;
}

/* ---- one connection ---- */

static SSL *ssl_of(struct datagram_end *end)
{
    return ((struct session *)end->session)->ssl;
}

static void note_error(struct datagram_end *end, int result)
{
    switch (SSL_get_error(ssl_of(end), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        break;
    case SSL_ERROR_ZERO_RETURN:
        end->closed = true;
        break;
    default:
        end->failed = true;
        end->words = ERR_reason_error_string(ERR_peek_last_error());
    }
    ERR_clear_error();
}

static void shake_hands(struct datagram_end *end)
{
    struct shared *shared = end->shared;
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(ssl_of(end));
    if (result != 1) {
        note_error(end, result);
        return;
    }
    end->up = true;
    if (!end->server) {
        SSL_SESSION_free(shared->session);
        shared->session = SSL_get1_session(ssl_of(end));
    }
}

static void begin(struct datagram_end *end)
{
    const struct shared *shared = end->shared;
    struct session *session = OPENSSL_zalloc(sizeof(*session));
    BIO *bio = BIO_new(method());

    TEST_REQUIRE(session != NULL && bio != NULL);
    session->ssl = SSL_new(shared->ctx);
    TEST_REQUIRE(session->ssl != NULL);
    BIO_set_data(bio, end);
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_options(session->ssl, SSL_OP_NO_QUERY_MTU);
    TEST_REQUIRE(SSL_set_mtu(session->ssl, (long)end->run->setup.mtus[end->server]) > 0);
    end->session = session;
    if (end->server) {
        SSL_set_accept_state(session->ssl);
        return;
    }
    SSL_set_connect_state(session->ssl);
    if (shared->session)
        TEST_REQUIRE(SSL_set_session(session->ssl, shared->session) == 1);
    shake_hands(end);
}

static void finish(struct datagram_end *end)
{
    struct session *session = end->session;

    if (session)
        SSL_free(session->ssl);
    OPENSSL_free(session);
    end->session = NULL;
}

static void read_all(struct datagram_end *end)
{
    uint8_t data[16384];
    int len;

    ERR_clear_error();
    while ((len = SSL_read(ssl_of(end), data, sizeof(data))) > 0)
        datagram_arrived(end, data, (size_t)len);
    note_error(end, len);
}

static void receive(struct datagram_end *end, const uint8_t *bytes, size_t len)
{
    struct session *session = end->session;

    if (len == 0)
        return;
    session->bytes = bytes;
    session->len = len;
    if (!end->up)
        shake_hands(end);
    if (end->up && !end->failed)
        read_all(end);
    session->bytes = NULL;
}

static uint64_t timer(struct datagram_end *end)
{
    struct timeval left;

    if (DTLSv1_get_timeout(ssl_of(end), &left) != 1)
        return DATAGRAM_NEVER;
    return datagram_now() + (uint64_t)left.tv_sec * 1000 + (uint64_t)(left.tv_usec + 999) / 1000;
}

static void expired(struct datagram_end *end)
{
    ERR_clear_error();
    if (DTLSv1_handle_timeout(ssl_of(end)) < 0)
        note_error(end, -1);
    datagram_counts.retransmissions++;
}

static size_t room(struct datagram_end *end)
{
    return DTLS_get_data_mtu(ssl_of(end));
}

static void write_data(struct datagram_end *end, const uint8_t *data, size_t len)
{
    TEST_REQUIRE_EQUAL(SSL_write(ssl_of(end), data, (int)len), len);
}

static void close_it(struct datagram_end *end)
{
    (void)SSL_shutdown(ssl_of(end));
    ERR_clear_error();
}

static void export_key(struct datagram_end *end, uint8_t *out, size_t len)
{
    TEST_REQUIRE(SSL_export_keying_material(ssl_of(end), out, len, DATAGRAM_EXPORT,
                                            strlen(DATAGRAM_EXPORT), NULL, 0, 0) == 1);
}

static bool resumed(struct datagram_end *end)
{
    return SSL_session_reused(ssl_of(end)) == 1;
}

const struct datagram_library datagram_openssl = {
    .name = "OpenSSL",
    .share_new = share_new,
    .share_free = share_free,
    .begin = begin,
    .finish = finish,
    .receive = receive,
    .timer = timer,
    .expired = expired,
    .room = room,
    .write = write_data,
    .close = close_it,
    .export_key = export_key,
    .resumed = resumed,
};
