/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Two ends of a TLS connection in one process; see tls_pair.h.
 */
#include "unit/tls_pair.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "core/options.h"
#include "support/test_util.h"

#define MAX_PENDING (256u * 1024u)

const char *pair_path(const char *name, const char *suffix)
{
    static _Thread_local char path[4096];
    const char *folder = getenv("OSSPI_TEST_CERTS");

    snprintf(path, sizeof(path), "%s/%s%s", folder != NULL ? folder : "certs", name, suffix);
    return path;
}

int pair_set_up(void **state)
{
    (void)state;
    test_watchdog(110);
    (void)osspi_options_set_paths(pair_path("ca", ".pem"), NULL, NULL);
    return 0;
}

/* ---- credentials ---- */

/* Reads the PEM blocks of a file; returns their number. */
static size_t read_pem(const char *path, struct osspi_der *blocks, size_t max)
{
    BIO *file = BIO_new_file(path, "r");
    char *name, *header;
    unsigned char *data;
    long len;
    size_t count = 0;

    TEST_REQUIRE(file != NULL);
    while (count < max && PEM_read_bio(file, &name, &header, &data, &len) == 1) {
        blocks[count].bytes = osspi_memdup(data, (size_t)len);
        blocks[count].len = (size_t)len;
        count++;
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    BIO_free(file);
    TEST_REQUIRE(count > 0);
    return count;
}

static struct osspi_der_view view_of(struct osspi_der der)
{
    return (struct osspi_der_view){der.bytes, der.len};
}

void pair_add_identity(struct osspi_schannel_credential *credential, const char *leaf,
                       const char *key)
{
    struct osspi_identity_set *set = credential->state.identities;
    struct osspi_der blocks[1 + OSSPI_MAX_CHAIN];
    struct osspi_identity *identity;

    TEST_REQUIRE(set->count < set->room);
    identity = osspi_alloc(sizeof(*identity));
    TEST_REQUIRE(identity != NULL);
    identity->references = 1;
    set->items[set->count++] = identity;
    const size_t count = read_pem(pair_path(leaf, ".pem"), blocks, OSSPI_COUNT_OF(blocks));
    identity->leaf = view_of(blocks[0]);
    for (size_t i = 1; i < count; i++)
        identity->chain[identity->chain_count++] = view_of(blocks[i]);
    TEST_REQUIRE(SHA256(identity->leaf.bytes, identity->leaf.len, identity->fingerprint) != NULL);
    if (key != NULL) {
        TEST_REQUIRE(read_pem(pair_path(key, ".key"), blocks, 1) == 1);
        identity->key = view_of(blocks[0]);
    }
}

void pair_add_root(struct osspi_schannel_credential *credential, const char *name)
{
    struct osspi_schannel_config *config = credential->config;

    if (config->roots == NULL)
        config->roots = calloc(8, sizeof(*config->roots));
    TEST_REQUIRE(config->roots != NULL && config->root_count < 8);
    config->has_roots = true;
    TEST_REQUIRE(read_pem(pair_path(name, ".pem"), &config->roots[config->root_count++], 1) == 1);
}

struct osspi_schannel_credential *pair_credential(bool server, const char *identity)
{
    static _Atomic uint64_t next_id = 1;
    struct osspi_schannel_credential *credential = calloc(1, sizeof(*credential));
    struct osspi_schannel_config *config = calloc(1, sizeof(*config));

    TEST_REQUIRE(credential != NULL && config != NULL);
    credential->config = config;
    credential->id = next_id++;
    credential->session_context[0] = (uint8_t)credential->id;
    credential->user = UINT32_MAX;
    credential->state.identities = osspi_identity_set_new(8, server, false);
    TEST_REQUIRE(credential->state.identities != NULL);
    config->server = server;
    config->min_version = 0x0303;
    config->max_version = 0x0304;
    config->session_lifespan_s = 36000;
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        if (osspi_suite_at(i)->by_default)
            config->suites |= UINT64_C(1) << i;
    }
    if (identity != NULL)
        pair_add_identity(credential, identity, identity);
    return credential;
}

/* The DER is the test's: no certificate context stands behind it. */
static void free_identity(struct osspi_identity *identity)
{
    osspi_free((void *)(uintptr_t)identity->leaf.bytes);
    osspi_free((void *)(uintptr_t)identity->key.bytes);
    for (size_t i = 0; i < identity->chain_count; i++)
        osspi_free((void *)(uintptr_t)identity->chain[i].bytes);
}

void pair_credential_free(struct osspi_schannel_credential *credential)
{
    struct osspi_schannel_config *config = credential->config;
    struct osspi_identity_set *set = osspi_identity_set_ref(credential->state.identities);

    osspi_tls_credential_clear(credential);
    for (size_t i = 0; i < set->count; i++)
        free_identity(set->items[i]);
    osspi_identity_set_unref(set);
    for (size_t i = 0; i < config->root_count; i++)
        osspi_free(config->roots[i].bytes);
    free(config->roots);
    free(config);
    free(credential);
}

/* ---- ends ---- */

struct osspi_tls_setup pair_client_setup(struct osspi_schannel_credential *credential)
{
    return (struct osspi_tls_setup){
        .credential = credential,
        .target = "server.test",
        .verify_peer = true,
        .verify_name = true,
        .allow_tickets = true,
    };
}

struct osspi_tls_setup pair_server_setup(struct osspi_schannel_credential *credential)
{
    return (struct osspi_tls_setup){
        .credential = credential,
        .server = true,
        .verify_peer = true,
        .allow_tickets = true,
    };
}

SECURITY_STATUS pair_ours(struct pair_end *end, const struct osspi_tls_setup *setup)
{
    memset(end, 0, sizeof(*end));
    return osspi_tls_new(setup, &end->tls);
}

void pair_plain(struct pair_end *end, SSL_CTX *ctx, bool server)
{
    memset(end, 0, sizeof(*end));
    end->ssl = SSL_new(ctx);
    end->from = BIO_new(BIO_s_mem());
    end->to = BIO_new(BIO_s_mem());
    TEST_REQUIRE(end->ssl != NULL && end->from != NULL && end->to != NULL);
    SSL_set_bio(end->ssl, end->to, end->from);
    if (server)
        SSL_set_accept_state(end->ssl);
    else
        SSL_set_connect_state(end->ssl);
}

void pair_end_clear(struct pair_end *end)
{
    osspi_tls_free(end->tls);
    SSL_free(end->ssl);
    free(end->pending);
    memset(end, 0, sizeof(*end));
}

size_t pair_take(struct pair_end *end, uint8_t **ret_bytes)
{
    const uint8_t *bytes = NULL;
    size_t len = 0;

    if (end->ssl != NULL) {
        len = BIO_ctrl_pending(end->from);
        *ret_bytes = malloc(len + 1);
        TEST_REQUIRE(*ret_bytes != NULL);
        if (len > 0)
            TEST_REQUIRE(BIO_read(end->from, *ret_bytes, (int)len) == (int)len);
        return len;
    }
    osspi_tls_flight(end->tls, &bytes, &len);
    *ret_bytes = malloc(len + 1);
    TEST_REQUIRE(*ret_bytes != NULL);
    if (len > 0)
        memcpy(*ret_bytes, bytes, len);
    osspi_tls_flight_sent(end->tls);
    return len;
}

size_t pair_record_len(const uint8_t *bytes, size_t len)
{
    if (len < OSSPI_TLS_HEADER)
        return 0;
    const size_t whole = OSSPI_TLS_HEADER + ((size_t)bytes[3] << 8 | bytes[4]);
    return whole <= len ? whole : 0;
}

static void append(struct pair_end *end, const uint8_t *bytes, size_t len)
{
    TEST_REQUIRE(end->pending_len + len < MAX_PENDING);
    end->pending = realloc(end->pending, end->pending_len + len + 1);
    TEST_REQUIRE(end->pending != NULL);
    memcpy(end->pending + end->pending_len, bytes, len);
    end->pending_len += len;
}

/* Moves bytes from one end to the inbox of the other; true if there were any. */
static bool transport(struct pair_end *from, struct pair_end *to)
{
    uint8_t *bytes;
    const size_t len = pair_take(from, &bytes);

    if (len > 0 && to->ssl != NULL)
        TEST_REQUIRE(BIO_write(to->to, bytes, (int)len) == (int)len);
    else if (len > 0)
        append(to, bytes, len);
    free(bytes);
    return len > 0;
}

static size_t next_record(struct pair_end *end, uint8_t *record)
{
    const size_t len = pair_record_len(end->pending, end->pending_len);

    if (len == 0)
        return 0;
    memcpy(record, end->pending, len);
    end->pending_len -= len;
    memmove(end->pending, end->pending + len, end->pending_len);
    return len;
}

static void advance(struct pair_end *end)
{
    uint8_t record[70000];
    size_t len;

    if (end->ssl != NULL) {
        end->done = SSL_do_handshake(end->ssl) == 1;
        return;
    }
    if (end->step == OSSPI_TLS_WANT_INPUT && end->pending_len == 0)
        end->step = osspi_tls_handshake(end->tls, NULL, 0);
    while (end->step == OSSPI_TLS_WANT_INPUT && (len = next_record(end, record)) > 0) {
        end->step = osspi_tls_handshake(end->tls, record, len);
        if (end->step != OSSPI_TLS_WANT_CREDENTIALS)
            continue;
        /* There is no certificate to come: on without one. */
        TEST_REQUIRE_EQUAL(osspi_tls_supply(end->tls, NULL, false), SEC_E_OK);
        end->step = osspi_tls_handshake(end->tls, NULL, 0);
    }
    end->done = end->step == OSSPI_TLS_DONE;
}

bool pair_handshake(struct pair_end *client, struct pair_end *server)
{
    for (int idle = 0; idle < 3;) {
        advance(client);
        bool moved = transport(client, server);
        advance(server);
        moved = transport(server, client) || moved;
        idle = moved ? 0 : idle + 1;
        if (client->done && server->done && client->pending_len == 0 && !moved)
            break;
    }
    return client->done && server->done;
}

enum osspi_tls_record pair_deliver(struct pair_end *from, struct pair_end *to, uint8_t *out,
                                   size_t size, size_t *ret_len)
{
    enum osspi_tls_record kind = OSSPI_TLS_APPLICATION;
    uint8_t record[70000], plain[70000];
    size_t len, plain_len;

    *ret_len = 0;
    transport(from, to);
    while ((len = next_record(to, record)) > 0) {
        kind = osspi_tls_open(to->tls, record, len, plain, &plain_len);
        TEST_REQUIRE(*ret_len + plain_len <= size);
        if (plain_len > 0)
            memcpy(out + *ret_len, plain, plain_len);
        *ret_len += plain_len;
        if (kind == OSSPI_TLS_BROKEN || kind == OSSPI_TLS_CLOSED)
            break;
    }
    return kind;
}

bool pair_send(struct pair_end *from, struct pair_end *to, const void *text, size_t len)
{
    uint8_t out[70000];
    size_t out_len;

    if (from->ssl != NULL)
        TEST_REQUIRE(SSL_write(from->ssl, text, (int)len) == (int)len);
    else if (osspi_tls_seal(from->tls, text, len) != SEC_E_OK)
        return false;
    if (to->ssl != NULL) {
        transport(from, to);
        const int got = SSL_read(to->ssl, out, (int)sizeof(out));
        return got == (int)len && memcmp(out, text, len) == 0;
    }
    (void)pair_deliver(from, to, out, sizeof(out), &out_len);
    return out_len == len && memcmp(out, text, len) == 0;
}
