/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * GnuTLS through memory; see tls_gnutls.h. One thread at a time makes a pair's handshake; after it
 * each pipe has its own writer and reader, which take turns.
 */
#include "tls_gnutls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int result, const char *what)
{
    if (result < 0)
        bench_die("GnuTLS: %s: %s", what, gnutls_strerror(result));
}

/* --- Configuration --- */

void gnutls_engine_open(struct gnutls_engine *engine, const struct bench_tls *tls)
{
    static const char *const ciphers[] = {[BENCH_ANY_CIPHER] = "AES-128-GCM",
                                          [BENCH_AES_128_GCM] = "AES-128-GCM",
                                          [BENCH_AES_256_GCM] = "AES-256-GCM",
                                          [BENCH_CHACHA20] = "CHACHA20-POLY1305"};
    struct bench_certs certs = bench_certs_paths(tls->folder, tls->rsa);
    char priority[200];

    snprintf(priority, sizeof(priority),
             "NORMAL:-VERS-ALL:+VERS-TLS1.%d:-CIPHER-ALL:+%s:-GROUP-ALL:+GROUP-X25519:"
             "+GROUP-SECP256R1",
             tls->tls12 ? 2 : 3, ciphers[tls->cipher]);
    must(gnutls_priority_init(&engine->priority, priority, NULL), "priorities");
    must(gnutls_certificate_allocate_credentials(&engine->client), "credentials");
    must(gnutls_certificate_allocate_credentials(&engine->server), "credentials");
    must(gnutls_certificate_set_x509_key_file(engine->server, certs.chain, certs.key,
                                              GNUTLS_X509_FMT_PEM),
         "certificate");
}

/* --- Pipes --- */

static ssize_t push(gnutls_transport_ptr_t data, const void *bytes, size_t len)
{
    struct gnutls_pipe *pipe = ((struct gnutls_end *)data)->out;

    if (pipe->end + len > pipe->size) {
        pipe->size = 2 * (pipe->end + len);
        pipe->memory = realloc(pipe->memory, pipe->size);
        if (!pipe->memory)
            bench_die("out of memory");
    }
    memcpy(pipe->memory + pipe->end, bytes, len);
    pipe->end += len;
    return (ssize_t)len;
}

static ssize_t pull(gnutls_transport_ptr_t data, void *ret_bytes, size_t size)
{
    struct gnutls_end *end = data;
    struct gnutls_pipe *pipe = end->in;
    size_t len = pipe->end - pipe->begin;

    if (len == 0) {
        gnutls_transport_set_errno(end->session, EAGAIN);
        return -1;
    }
    if (len > size)
        len = size;
    memcpy(ret_bytes, pipe->memory + pipe->begin, len);
    pipe->begin += len;
    if (pipe->begin == pipe->end)
        pipe->begin = pipe->end = 0;
    return (ssize_t)len;
}

static int wait_for_bytes(gnutls_transport_ptr_t data, unsigned timeout_ms)
{
    struct gnutls_pipe *pipe = ((struct gnutls_end *)data)->in;

    (void)timeout_ms;
    return pipe->end > pipe->begin;
}

/* --- A connection --- */

static void open_end(struct gnutls_pair *pair, struct gnutls_end *end, bool server)
{
    struct gnutls_engine *engine = pair->engine;

    *end = (struct gnutls_end){.pair = pair};
    end->in = server ? &pair->up : &pair->down;
    end->out = server ? &pair->down : &pair->up;
    must(gnutls_init(&end->session, (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK |
                                        GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL),
         "session");
    must(gnutls_priority_set(end->session, engine->priority), "priorities");
    must(gnutls_credentials_set(end->session, GNUTLS_CRD_CERTIFICATE,
                                server ? engine->server : engine->client),
         "credentials");
    gnutls_transport_set_ptr(end->session, end);
    gnutls_transport_set_push_function(end->session, push);
    gnutls_transport_set_pull_function(end->session, pull);
    gnutls_transport_set_pull_timeout_function(end->session, wait_for_bytes);
    gnutls_handshake_set_timeout(end->session, GNUTLS_INDEFINITE_TIMEOUT);
}

static bool handshake(struct gnutls_end *end)
{
    int result = gnutls_handshake(end->session);

    if (result != GNUTLS_E_AGAIN)
        must(result, "handshake");
    return result == 0;
}

void gnutls_pair_connect(struct gnutls_pair *pair, struct gnutls_engine *engine)
{
    bool client = false, server = false;

    pair->engine = engine;
    pair->up.begin = pair->up.end = pair->down.begin = pair->down.end = 0;
    open_end(pair, &pair->client, false);
    open_end(pair, &pair->server, true);
    must(gnutls_server_name_set(pair->client.session, GNUTLS_NAME_DNS, BENCH_HOST,
                                strlen(BENCH_HOST)),
         "name");
    for (int i = 0; i < 10 && !(client && server); i++) {
        client = client || handshake(&pair->client);
        server = server || handshake(&pair->server);
    }
    if (!client || !server)
        bench_die("GnuTLS: the handshake does not end");
}

void gnutls_pair_describe(const struct gnutls_pair *pair, char *ret_text, size_t size)
{
    static const struct {
        gnutls_cipher_algorithm_t cipher;
        unsigned suites[2]; /* TLS 1.3, TLS 1.2 */
    } known[] = {{GNUTLS_CIPHER_AES_128_GCM, {0x1301, 0xc02b}},
                 {GNUTLS_CIPHER_AES_256_GCM, {0x1302, 0xc02c}},
                 {GNUTLS_CIPHER_CHACHA20_POLY1305, {0x1303, 0xcca9}}};
    gnutls_session_t session = pair->client.session;
    bool tls12 = gnutls_protocol_get_version(session) == GNUTLS_TLS1_2;
    unsigned suite = 0;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (gnutls_cipher_get(session) == known[i].cipher)
            suite = known[i].suites[tls12];
    }
    snprintf(ret_text, size, "TLSv1.%d, suite 0x%04x", tls12 ? 2 : 3, suite);
}

void gnutls_pair_send(struct gnutls_end *from, const void *bytes, size_t len)
{
    ssize_t result = gnutls_record_send(from->session, bytes, len);

    if (result != (ssize_t)len)
        bench_die("GnuTLS sends no record: %zd", result);
}

void gnutls_pair_receive(struct gnutls_end *to, void *ret_bytes, size_t len)
{
    ssize_t result = gnutls_record_recv(to->session, ret_bytes, len);

    if (result != (ssize_t)len)
        bench_die("GnuTLS receives no record: %zd", result);
}

void gnutls_pair_end(struct gnutls_pair *pair)
{
    if (pair->client.session)
        gnutls_deinit(pair->client.session);
    if (pair->server.session)
        gnutls_deinit(pair->server.session);
    pair->client.session = pair->server.session = NULL;
}
