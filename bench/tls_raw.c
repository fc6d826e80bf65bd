/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * libssl used directly; see tls_raw.h. Threads may share an engine, never a pair.
 */
#include "tls_raw.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define RAW_RECORD 1024 /* bytes in a record of raw_pair_exchange() */

/* --- Configuration --- */

/* The place keeps the newest session; the pair is the connection's application data. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct raw_pair *pair = SSL_get_app_data(ssl);

    SSL_SESSION_free(pair->session);
    pair->session = session;
    return 1;
}

/* No other suite than that of the cipher; either version's names are overlooked by the other. */
static void choose_suite(SSL_CTX *ctx, enum bench_cipher cipher)
{
    static const struct {
        const char *tls13, *tls12;
    } suites[] = {
        [BENCH_AES_128_GCM] = {"TLS_AES_128_GCM_SHA256", "ECDHE+AES128+AESGCM"},
        [BENCH_AES_256_GCM] = {"TLS_AES_256_GCM_SHA384", "ECDHE+AES256+AESGCM"},
        [BENCH_CHACHA20] = {"TLS_CHACHA20_POLY1305_SHA256", "ECDHE+CHACHA20"},
    };

    if (cipher != BENCH_ANY_CIPHER && (SSL_CTX_set_ciphersuites(ctx, suites[cipher].tls13) != 1 ||
                                       SSL_CTX_set_cipher_list(ctx, suites[cipher].tls12) != 1))
        bench_die("OpenSSL does not know the cipher");
}

static SSL_CTX *make_ctx(const struct raw_engine *engine, bool server)
{
    int version = engine->tls.tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX *ctx =
        SSL_CTX_new_ex(engine->library, NULL, server ? TLS_server_method() : TLS_client_method());

    if (!ctx)
        bench_die("OpenSSL makes no SSL_CTX");
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    /* What the library offers; newer versions of OpenSSL would choose a hybrid group by default. */
    if (SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") != 1)
        bench_die("OpenSSL does not know X25519");
    choose_suite(ctx, engine->tls.cipher);
    if (engine->tls.release)
        SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (!engine->tls.resumed) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    } else {
        SSL_CTX_set_num_tickets(ctx, 1);
    }
    return ctx;
}

void raw_engine_open(struct raw_engine *engine, const struct bench_tls *tls, bool own_library)
{
    struct bench_certs certs = bench_certs_paths(tls->folder, tls->rsa);

    *engine = (struct raw_engine){.tls = *tls};
    if (own_library)
        engine->library = OSSL_LIB_CTX_new();
    engine->server = make_ctx(engine, true);
    engine->client = make_ctx(engine, false);
    if (SSL_CTX_use_certificate_chain_file(engine->server, certs.chain) != 1 ||
        SSL_CTX_use_PrivateKey_file(engine->server, certs.key, SSL_FILETYPE_PEM) != 1)
        bench_die("OpenSSL does not take the certificate");
    if (tls->verify) {
        SSL_CTX_set_verify(engine->client, SSL_VERIFY_PEER, NULL);
        if (SSL_CTX_load_verify_file(engine->client, certs.authority) != 1)
            bench_die("OpenSSL does not take the authority");
    }
    if (tls->resumed) {
        SSL_CTX_set_session_cache_mode(engine->client,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(engine->client, keep_session);
    }
}

/* --- A handshake --- */

void raw_pair_init(struct raw_pair *pair, struct raw_engine *engine, unsigned number)
{
    *pair = (struct raw_pair){.engine = engine};
    snprintf(pair->host, sizeof(pair->host), "p%u.bench.test", number);
}

static bool connect_ends(struct raw_pair *pair)
{
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());

    if (!up || !down)
        return false;
    BIO_set_mem_eof_return(up, -1);
    BIO_set_mem_eof_return(down, -1);
    BIO_up_ref(up);
    BIO_up_ref(down);
    SSL_set_bio(pair->client, down, up);
    SSL_set_bio(pair->server, up, down);
    return true;
}

bool raw_pair_start(struct raw_pair *pair)
{
    pair->server_turn = pair->client_done = pair->server_done = false;
    pair->client = SSL_new(pair->engine->client);
    pair->server = SSL_new(pair->engine->server);
    if (!pair->client || !pair->server || !connect_ends(pair))
        return false;
    SSL_set_connect_state(pair->client);
    SSL_set_accept_state(pair->server);
    SSL_set_app_data(pair->client, pair);
    SSL_set_tlsext_host_name(pair->client, pair->host);
    if (pair->engine->tls.verify)
        SSL_set1_host(pair->client, pair->host);
    if (pair->session)
        SSL_set_session(pair->client, pair->session);
    return true;
}

static bool handshake(SSL *ssl, bool *done)
{
    int result = SSL_do_handshake(ssl);

    *done = result == 1;
    return *done || SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ;
}

/* The client of TLS 1.3 finds its ticket behind the handshake. */
static bool take_ticket(SSL *client)
{
    char byte;

    return SSL_read(client, &byte, 1) <= 0;
}

enum raw_step raw_pair_step(struct raw_pair *pair)
{
    bool ticket = pair->engine->tls.resumed && !pair->engine->tls.tls12;

    if (pair->client_done && pair->server_done) {
        if (!take_ticket(pair->client))
            return RAW_FAILED;
        ticket = false;
    } else {
        bool moved = pair->server_turn ? handshake(pair->server, &pair->server_done)
                                       : handshake(pair->client, &pair->client_done);

        if (!moved)
            return RAW_FAILED;
        pair->server_turn = !pair->server_turn;
    }
    return pair->client_done && pair->server_done && !ticket ? RAW_DONE : RAW_MORE;
}

static void send_record(SSL *from, SSL *to)
{
    unsigned char bytes[RAW_RECORD] = {0};

    if (SSL_write(from, bytes, sizeof(bytes)) != (int)sizeof(bytes) ||
        SSL_read(to, bytes, sizeof(bytes)) != (int)sizeof(bytes))
        bench_die("OpenSSL carries no record");
}

void raw_pair_exchange(struct raw_pair *pair)
{
    send_record(pair->client, pair->server);
    send_record(pair->server, pair->client);
}

/* Without this OpenSSL calls the session of a connection that was not closed bad. */
static void free_end(SSL *ssl)
{
    if (ssl)
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
}

void raw_pair_end(struct raw_pair *pair)
{
    free_end(pair->client);
    free_end(pair->server);
    pair->client = pair->server = NULL;
}

void raw_describe(struct raw_pair *pair, char *ret_text, size_t size)
{
    /* A resumed handshake needs a full one before it. */
    for (int i = 0; i <= (int)pair->engine->tls.resumed; i++) {
        enum raw_step step = RAW_MORE;

        if (!raw_pair_start(pair))
            bench_die("OpenSSL begins no handshake");
        while (step == RAW_MORE)
            step = raw_pair_step(pair);
        if (step == RAW_FAILED) {
            ERR_print_errors_fp(stderr);
            bench_die("OpenSSL's handshake failed");
        }
        snprintf(ret_text, size, "%s, suite 0x%04x%s%s%s", SSL_get_version(pair->client),
                 SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(pair->client)),
                 !pair->engine->tls.resumed && SSL_get_negotiated_group(pair->client) == NID_X25519
                     ? ", X25519"
                     : "",
                 SSL_get_verify_mode(pair->client) == SSL_VERIFY_PEER ? ", verified" : "",
                 SSL_session_reused(pair->client) ? ", resumed" : "");
        raw_pair_end(pair);
    }
}
