/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OpenSSL as the other peer; see tls_raw.h.
 */
#include "support/tls_raw.h"

#include <string.h>

static void connection(struct raw_peer *raw, bool server)
{
    raw->ssl = SSL_new(raw->ctx);
    raw->in = BIO_new(BIO_s_mem());
    raw->out = BIO_new(BIO_s_mem());
    TEST_REQUIRE(raw->ssl != NULL && raw->in != NULL && raw->out != NULL);
    BIO_set_mem_eof_return(raw->in, -1);
    SSL_set_bio(raw->ssl, raw->in, raw->out);
    if (server)
        SSL_set_accept_state(raw->ssl);
    else
        SSL_set_connect_state(raw->ssl);
}

void raw_open(struct raw_peer *raw, bool server, int version, const char *certificate)
{
    char path[512];

    raw->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    TEST_REQUIRE(raw->ctx != NULL);
    TEST_REQUIRE(SSL_CTX_set_min_proto_version(raw->ctx, version) == 1);
    TEST_REQUIRE(SSL_CTX_set_max_proto_version(raw->ctx, version) == 1);
    if (certificate) {
        peer_path(certificate, ".pem", path, sizeof(path));
        TEST_REQUIRE(SSL_CTX_use_certificate_chain_file(raw->ctx, path) == 1);
        peer_path(certificate, ".key", path, sizeof(path));
        TEST_REQUIRE(SSL_CTX_use_PrivateKey_file(raw->ctx, path, SSL_FILETYPE_PEM) == 1);
    }
    connection(raw, server);
}

void raw_again(struct raw_peer *raw, bool server)
{
    SSL_free(raw->ssl);
    connection(raw, server);
}

void raw_close(struct raw_peer *raw)
{
    SSL_free(raw->ssl);
    SSL_CTX_free(raw->ctx);
    *raw = (struct raw_peer){0};
}

void raw_give(struct raw_peer *raw, struct peer_stream *from)
{
    if (from->len > 0)
        TEST_REQUIRE_EQUAL(BIO_write(raw->in, from->bytes, (int)from->len), from->len);
    peer_clear(from);
}

void raw_take(struct raw_peer *raw, struct peer_stream *to)
{
    char bytes[4096];
    int len;

    while ((len = BIO_read(raw->out, bytes, sizeof(bytes))) > 0)
        peer_push(to, bytes, (size_t)len);
}

SECURITY_STATUS raw_handshake(struct raw_peer *raw, struct peer_end *end)
{
    struct peer_end wire = {0}; /* only its stream: what the end has sent */
    bool done = false, raw_done = false;

    for (int i = 0; i < 20 && !(done && raw_done); i++) {
        SECURITY_STATUS status = SEC_E_OK;

        if (!done && (end->in.len > 0 || (!end->server && !end->has_context)))
            status = peer_step(end, &wire);
        else if (!done)
            status = SEC_I_CONTINUE_NEEDED;
        done = done || status == SEC_E_OK;
        raw_give(raw, &wire.in);
        raw_done = SSL_do_handshake(raw->ssl) == 1;
        raw_take(raw, &end->in);
        if (status < 0 && status != SEC_E_INCOMPLETE_MESSAGE)
            return status;
    }
    if (!done || !raw_done)
        return SEC_E_INTERNAL_ERROR;
    peer_established(end);
    return SEC_E_OK;
}

void raw_send(struct raw_peer *raw, struct peer_end *end, const void *data, size_t len)
{
    TEST_REQUIRE_EQUAL(SSL_write(raw->ssl, data, (int)len), len);
    raw_take(raw, &end->in);
}

void raw_connect(struct raw_peer *raw, struct peer_end *end, const struct peer_form *form,
                 bool serve, int version, const char *certificate)
{
    raw_open(raw, !serve, version, serve ? NULL : certificate);
    peer_end_init(end, form, serve);
    TEST_REQUIRE_EQUAL(peer_end_acquire(end, 0, 0, serve ? certificate : NULL, false), SEC_E_OK);
    TEST_REQUIRE_EQUAL(raw_handshake(raw, end), SEC_E_OK);
}

void raw_exchange(struct raw_peer *raw, struct peer_end *end)
{
    struct peer_end wire = {0};
    char data[64];
    size_t len;

    TEST_REQUIRE_EQUAL(peer_send(end, &wire, "to raw", 6), SEC_E_OK);
    raw_give(raw, &wire.in);
    TEST_REQUIRE_EQUAL(SSL_read(raw->ssl, data, sizeof(data)), 6);
    TEST_REQUIRE(memcmp(data, "to raw", 6) == 0);
    raw_send(raw, end, "from raw", 8);
    TEST_REQUIRE_EQUAL(peer_receive_data(end, &wire, data, sizeof(data), &len), SEC_E_OK);
    TEST_REQUIRE(len == 8 && memcmp(data, "from raw", 8) == 0);
    raw_give(raw, &wire.in);
}
