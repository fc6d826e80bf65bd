/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: what lies behind the seal. The input's bytes are the contents of records, sealed
 * under the true keys of a connection, so that they reach what reads tickets, KeyUpdates, alerts
 * and requests to renegotiate; whole, cut over several records, or several in one.
 *
 * Input: one byte for version, side, and whether handshakes may follow the first; then records: a
 * byte that says how it is sealed and read, a byte for its length, its contents.
 */
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include <opensspi.h>

#include "fuzz/fuzz.h"
#include "support/tls_seal.h"

#define MAX_RECORDS 80
#define KINDS       4u
#define ALLOWED \
    4u /* bit of a kind: later handshakes are allowed, and server and client want them */

/* One for each version and side, kept: reading certificates takes longer than a handshake. */
static struct raw_peer peers[KINDS];

struct scene {
    struct fuzz_end end;
    struct raw_peer *raw;
    struct seal_log log;
    struct seal_keys keys;
};

static int version_of(unsigned kind)
{
    return kind & 1 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

static void allow(CredHandle *credential)
{
    OsspiTlsOptions options = {.cbSize = sizeof(options),
                               .flags = OSSPI_TLS_RENEGOTIATION | OSSPI_TLS_POST_HANDSHAKE_AUTH};

    TEST_REQUIRE_EQUAL(SetCredentialsAttributesA(credential, OSSPI_CRED_ATTR_TLS_OPTIONS, &options,
                                                 sizeof(options)),
                       SEC_E_OK);
}

static CredHandle *credential_of(bool serve, bool allowed)
{
    if (serve)
        return fuzz_server(allowed ? FUZZ_SERVER_RSA : FUZZ_SERVER_EC);
    return fuzz_client(allowed ? FUZZ_CLIENT_CERTIFICATE : FUZZ_CLIENT_ANY);
}

/* Ours begins one: what is sealed next meets that. */
static void begin(struct fuzz_end *end)
{
    end->shape.flags |= end->server ? ASC_REQ_MUTUAL_AUTH : 0;
    (void)fuzz_leg(end);
}

void fuzz_prepare(void)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        const bool serves = (kind & 2) == 0; /* the peer */

        raw_open(&peers[kind], serves, version_of(kind), serves ? "server" : NULL);
        SSL_CTX_set_session_cache_mode(peers[kind].ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(peers[kind].ctx, 0);
    }
    (void)fuzz_client(FUZZ_CLIENT_ANY);
    (void)fuzz_server(FUZZ_SERVER_EC);
    allow(fuzz_client(FUZZ_CLIENT_CERTIFICATE));
    allow(fuzz_server(FUZZ_SERVER_RSA));
}

static void exchange(struct scene *scene, bool *ret_done)
{
    fuzz_draw_from(FUZZ_STREAM_OTHER);
    raw_give(scene->raw, &scene->end.sent);
    *ret_done = SSL_do_handshake(scene->raw->ssl) == 1;
    raw_take(scene->raw, &scene->end.in);
    ERR_clear_error();
}

static void connect_both(struct scene *scene)
{
    bool done = false;

    for (int i = 0; i < 8 && !(done && scene->end.established); i++) {
        if (scene->end.in.len > 0 || (!scene->end.server && !scene->end.has_context))
            fuzz_feed(&scene->end);
        exchange(scene, &done);
    }
    TEST_REQUIRE(done && scene->end.established && scene->end.in.len == 0);
}

static void seal_one(struct scene *scene, struct fuzz_input *input)
{
    static const uint8_t types[] = {22, 22, 22, 22, 22, 21, 23, 20};
    const uint8_t how = fuzz_u8(input);
    const size_t padding = how & 8 ? 100 : 0;
    size_t len;
    uint8_t *bytes = fuzz_take(input, fuzz_u8(input), &len);
    const uint8_t type = how == 0xFF ? 99 : types[how % 8];

    seal_record(&scene->keys, type, bytes, len, padding, &scene->end.in);
    free(bytes);
    if ((how & 16) && scene->keys.tls13)
        seal_keys_update(&scene->keys);
    if (how & 32)
        fuzz_feed(&scene->end);
    if ((how & 64) && !scene->end.over)
        fuzz_seal(&scene->end, "data", 4);
    if ((how & 128) && !scene->end.over)
        (void)fuzz_leg(&scene->end);
}

void fuzz_one(struct fuzz_input *input)
{
    const unsigned picked = fuzz_pick(input, 4 * KINDS), kind = picked % KINDS;
    const bool serve = (kind & 2) != 0, allowed = (picked & ALLOWED) != 0;
    struct scene scene = {.raw = &peers[kind]};

    fuzz_end_init_plain(&scene.end, credential_of(serve, allowed), serve);
    fuzz_draw_from(FUZZ_STREAM_OTHER);
    raw_again(scene.raw, !serve);
    SSL_set_post_handshake_auth(scene.raw->ssl, allowed);
    seal_listen(scene.raw, &scene.log);
    connect_both(&scene);
    seal_keys_init(&scene.keys, scene.raw, &scene.log, !serve);
    if (allowed && (picked & 2 * ALLOWED) != 0)
        begin(&scene.end);
    for (int i = 0; i < MAX_RECORDS && input->len > 0 && !scene.end.over; i++)
        seal_one(&scene, input);
    fuzz_feed(&scene.end);
    fuzz_end_free(&scene.end);
}
