/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Safety: nothing of a connection's secrets is left in memory once its context and its credential
 * are gone, and nothing of old keys once they have been replaced. The peer is OpenSSL in a process
 * of its own: it knows all secrets, and tells them masked (memory_scan.h). While the connection
 * lives its secrets must be found, or looking for them would prove nothing.
 *
 * The two processes take turns: each frame that the parent sends is answered with one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/memory_scan.h"
#include "support/tls_seal.h"

#define MAX_SECRETS 32u
#define UPDATES     2u

struct scene {
    const char *name;
    bool serve; /* our end is the server */
    int version;
    const char *suite;
    DWORD flags;       /* of our credential */
    const char *spare; /* what may be left; see below */
};

/* OpenSSL's server writes the session out for a ticket and frees what it has written as it is: in
 * TLS 1.2 the master secret is in there. */
static const struct scene scenes[] = {
    {"TLS 1.3 client, AES-256", false, TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", 0, NULL},
    {"TLS 1.3 client, AES-128", false, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256",
     SCH_CRED_DISABLE_RECONNECTS, NULL},
    {"TLS 1.3 server, AES-128", true, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", 0, NULL},
    {"TLS 1.3 server, ChaCha20", true, TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256",
     SCH_CRED_DISABLE_RECONNECTS, NULL},
    {"TLS 1.2 client, AES-256", false, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", 0, NULL},
    {"TLS 1.2 server, AES-128", true, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256",
     SCH_CRED_DISABLE_RECONNECTS, NULL},
    {"TLS 1.2 server, tickets", true, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", 0,
     "master secret"},
};

/* ---- frames ---- */

enum order { ORDER_BYTES, ORDER_UPDATE, ORDER_WRITE, ORDER_TELL };

static void put(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0) {
        const ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);

        TEST_REQUIRE(sent > 0);
        at += sent;
        len -= (size_t)sent;
    }
}

static void get(int fd, void *bytes, size_t len)
{
    uint8_t *at = bytes;

    while (len > 0) {
        const ssize_t got = recv(fd, at, len, 0);

        TEST_REQUIRE(got > 0);
        at += got;
        len -= (size_t)got;
    }
}

static void put_frame(int fd, uint32_t order, const struct peer_stream *stream)
{
    const uint32_t head[2] = {order, (uint32_t)stream->len};

    put(fd, head, sizeof(head));
    put(fd, stream->bytes, stream->len);
}

static uint32_t get_frame(int fd, struct peer_stream *stream)
{
    uint32_t head[2];
    uint8_t bytes[1000];

    get(fd, head, sizeof(head));
    while (head[1] > 0) {
        const size_t part = head[1] < sizeof(bytes) ? head[1] : sizeof(bytes);

        get(fd, bytes, part);
        peer_push(stream, bytes, part);
        head[1] -= (uint32_t)part;
    }
    return head[0];
}

/* ---- the peer's process ---- */

static size_t secret_count; /* of the peer's process, with the next */
static struct scan_secret told[MAX_SECRETS];

static void tell(const char *name, unsigned generation, const uint8_t *bytes, size_t len)
{
    struct scan_secret *secret = &told[secret_count++];

    TEST_REQUIRE(secret_count <= MAX_SECRETS && len <= SCAN_MAX);
    snprintf(secret->name, sizeof(secret->name), "%s %u", name, generation);
    memcpy(secret->masked, bytes, len);
    secret->len = len;
    scan_mask(secret->masked, len);
}

static void tell_all(const struct raw_peer *raw, const struct seal_log *log)
{
    for (int server = 0; server < 2; server++) {
        struct seal_keys keys;

        seal_keys_init(&keys, raw, log, server == 1);
        for (unsigned generation = 0; generation <= UPDATES; generation++) {
            tell(server ? "server key" : "client key", generation, keys.key, keys.key_len);
            if (!keys.tls13)
                break;
            tell(server ? "server secret" : "client secret", generation, keys.secret,
                 keys.secret_len);
            seal_keys_update(&keys);
        }
    }
    if (SSL_version(raw->ssl) == TLS1_3_VERSION) {
        tell("exporter secret", 0, log->exporter, log->len);
        tell("client handshake secret", 0, log->client_handshake, log->len);
        tell("server handshake secret", 0, log->server_handshake, log->len);
    } else {
        uint8_t master[SSL_MAX_MASTER_KEY_LENGTH];
        const size_t len =
            SSL_SESSION_get_master_key(SSL_get_session(raw->ssl), master, sizeof(master));

        tell("master secret", 0, master, len);
    }
}

struct peer_job {
    const struct scene *scene;
    int fd;
};

static int be_peer(void *data)
{
    const struct peer_job *job = data;
    struct raw_peer raw;
    struct seal_log log;
    char bytes[4096];

    raw_open(&raw, !job->scene->serve, job->scene->version, job->scene->serve ? NULL : "server");
    seal_listen(&raw, &log);
    if (job->scene->version == TLS1_3_VERSION)
        TEST_REQUIRE(SSL_set_ciphersuites(raw.ssl, job->scene->suite) == 1);
    else
        TEST_REQUIRE(SSL_set_cipher_list(raw.ssl, job->scene->suite) == 1);
    for (;;) {
        struct peer_stream in = {0}, out = {0};
        const uint32_t order = get_frame(job->fd, &in);

        raw_give(&raw, &in);
        if (order == ORDER_TELL) {
            tell_all(&raw, &log);
            put(job->fd, &secret_count, sizeof(secret_count));
            put(job->fd, told, sizeof(told));
            return 0;
        }
        if (order == ORDER_UPDATE)
            TEST_REQUIRE(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        if (SSL_do_handshake(raw.ssl) == 1) {
            if (order == ORDER_WRITE)
                TEST_REQUIRE(SSL_write(raw.ssl, "some data", 9) == 9);
            while (SSL_read(raw.ssl, bytes, sizeof(bytes)) > 0)
                ;
        }
        raw_take(&raw, &out);
        put_frame(job->fd, ORDER_BYTES, &out);
        peer_clear(&out);
    }
}

/* ---- this process ---- */

static struct scan_secret secrets[MAX_SECRETS];

/* What our end has made goes over; what comes back waits in its stream. */
static void turn(int fd, enum order order, struct peer_end *end, struct peer_end *wire)
{
    put_frame(fd, order, &wire->in);
    peer_clear(&wire->in);
    TEST_REQUIRE_EQUAL(get_frame(fd, &end->in), ORDER_BYTES);
}

static void read_all(struct peer_end *end, struct peer_end *wire)
{
    char data[64];
    size_t len;
    SECURITY_STATUS status;

    do {
        status = peer_receive(end, data, sizeof(data), &len);
        if (status == SEC_I_RENEGOTIATE)
            status = peer_step(end, wire);
    } while (status == SEC_E_OK);
    TEST_REQUIRE_EQUAL(status, SEC_E_INCOMPLETE_MESSAGE);
}

static void connect_and_use(int fd, struct peer_end *end, struct peer_end *wire, bool tls13)
{
    SECURITY_STATUS status = SEC_I_CONTINUE_NEEDED;

    for (int i = 0; i < 20 && status != SEC_E_OK; i++) {
        if (end->in.len > 0 || (!end->server && !end->has_context))
            status = peer_step(end, wire);
        TEST_REQUIRE(status >= 0 || status == SEC_E_INCOMPLETE_MESSAGE);
        turn(fd, ORDER_BYTES, end, wire);
    }
    TEST_REQUIRE_EQUAL(status, SEC_E_OK);
    peer_established(end);
    for (unsigned i = 0; i <= UPDATES; i++) {
        if (i > 0 && tls13)
            turn(fd, ORDER_UPDATE, end, wire);
        turn(fd, ORDER_WRITE, end, wire);
        read_all(end, wire);
        TEST_REQUIRE_EQUAL(peer_send(end, wire, "some data", 9), SEC_E_OK);
        turn(fd, ORDER_BYTES, end, wire);
    }
}

/* How often something is found whose name begins so. */
static unsigned found(size_t count, const char *name)
{
    unsigned sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += strncmp(secrets[i].name, name, strlen(name)) == 0 ? secrets[i].found : 0;
    return sum;
}

/* The keys in use are in memory; those that they have replaced are not. */
static void look_while_it_lives(const struct scene *scene, size_t count)
{
    (void)scan_memory(secrets, count, false);
    if (scene->version == TLS1_3_VERSION) {
        assert_true(found(count, "client secret 2") + found(count, "server secret 2") > 0);
        for (unsigned old = 0; old < UPDATES; old++) {
            char name[32];

            for (int server = 0; server < 2; server++) {
                snprintf(name, sizeof(name), "%s key %u", server ? "server" : "client", old);
                assert_int_equal(found(count, name), 0);
                snprintf(name, sizeof(name), "%s secret %u", server ? "server" : "client", old);
                assert_int_equal(found(count, name), 0);
            }
        }
    } else {
        assert_true(found(count, "master secret") > 0);
    }
}

/* How many are left. */
static unsigned look_at_scene(const struct peer_form *form, const struct scene *scene)
{
    struct peer_job job = {.scene = scene};
    struct peer_end end, wire = {0};
    struct peer_stream nothing = {0};
    int fds[2];
    pid_t child;
    size_t count;
    unsigned left;

    TEST_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    job.fd = fds[1];
    child = test_child_fork(be_peer, &job);
    close(fds[1]);
    peer_end_init(&end, form, scene->serve);
    TEST_REQUIRE_EQUAL(
        peer_end_acquire(&end, 0, scene->flags, scene->serve ? "server" : NULL, false), SEC_E_OK);
    connect_and_use(fds[0], &end, &wire, scene->version == TLS1_3_VERSION);
    put_frame(fds[0], ORDER_TELL, &nothing);
    get(fds[0], &count, sizeof(count));
    get(fds[0], secrets, sizeof(secrets));
    TEST_REQUIRE_EQUAL(test_child_join(child), 0);
    close(fds[0]);
    look_while_it_lives(scene, count);
    peer_end_free(&end);
    left = scan_memory(secrets, count, false);
    if (scene->spare)
        left -= found(count, scene->spare);
    if (left > 0) {
        fprintf(stderr, "%s [%s]:\n", scene->name, form->name);
        (void)scan_memory(secrets, count, true);
    }
    return left;
}

static void nothing_is_left_in_memory(const struct peer_form *form)
{
    unsigned left = 0;

    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
        left += look_at_scene(form, &scenes[i]);
    assert_int_equal(left, 0);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(nothing_is_left_in_memory),
    };

    if (TEST_SANITIZED) {
        puts("memory cannot be read through with a sanitizer");
        return 77;
    }
    return peer_run_cases("safety.wipe", cases, sizeof(cases) / sizeof(cases[0]));
}
