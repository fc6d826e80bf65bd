/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A pre-fork server: the parent has used the library heavily, has acquired the credential and
 * listens; its children serve real TLS clients (OpenSSL) at once with that credential, half of them
 * by synchronous calls and half by asynchronous ones. Where no sanitizer forbids it, threads of the
 * parent go on handshaking while it forks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <opensspi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/tls_peer.h"

TEST_FORKS_WITH_THREADS;

enum { CHILDREN = 8, BUSY = 3 };

static int connections(void)
{
    return TEST_SANITIZED ? 4 : 20;
}

/* ---- the server's side, in a child ---- */

struct wire {
    struct peer_end end;
    struct peer_end out; /* only its stream: what is to be sent */
    int fd;
};

static void flush_out(struct wire *wire)
{
    while (wire->out.in.len > 0) {
        ssize_t sent = send(wire->fd, wire->out.in.bytes, wire->out.in.len, MSG_NOSIGNAL);

        TEST_REQUIRE(sent > 0);
        peer_drop(&wire->out.in, (size_t)sent);
    }
}

static void read_more(struct wire *wire)
{
    uint8_t bytes[8192];
    ssize_t got = recv(wire->fd, bytes, sizeof(bytes), 0);

    TEST_REQUIRE(got > 0);
    peer_push(&wire->end.in, bytes, (size_t)got);
}

static void accept_handshake(struct wire *wire)
{
    SECURITY_STATUS status = SEC_I_CONTINUE_NEEDED;

    while (status != SEC_E_OK) {
        if (wire->end.in.len == 0 || status == SEC_E_INCOMPLETE_MESSAGE)
            read_more(wire);
        status = peer_step(&wire->end, &wire->out);
        flush_out(wire);
        TEST_REQUIRE(status >= 0 || status == SEC_E_INCOMPLETE_MESSAGE);
    }
    peer_established(&wire->end);
}

/* Sends back what comes, to the client's goodbye. */
static void echo(struct wire *wire)
{
    uint8_t data[1024];
    size_t len;

    for (;;) {
        SECURITY_STATUS status = SEC_E_INCOMPLETE_MESSAGE;

        if (wire->end.in.len > 0)
            status = peer_receive(&wire->end, data, sizeof(data), &len);
        if (status == SEC_I_CONTEXT_EXPIRED)
            break;
        if (status == SEC_E_INCOMPLETE_MESSAGE) {
            read_more(wire);
            continue;
        }
        TEST_REQUIRE_EQUAL(status, SEC_E_OK);
        TEST_REQUIRE_EQUAL(peer_send(&wire->end, &wire->out, data, len), SEC_E_OK);
        flush_out(wire);
    }
    TEST_REQUIRE(peer_shutdown(&wire->end, &wire->out) >= 0);
    flush_out(wire);
}

struct server {
    const struct peer_form *form;
    CredHandle credential; /* the parent's */
    int listener;
    in_port_t port;
};

static int serve(void *data)
{
    const struct server *server = data;

    for (int i = 0; i < connections(); i++) {
        struct wire wire = {.fd = accept(server->listener, NULL, NULL)};

        TEST_REQUIRE(wire.fd >= 0);
        peer_end_init(&wire.end, server->form, true);
        wire.end.credential = server->credential;
        wire.end.has_credential = true;
        accept_handshake(&wire);
        echo(&wire);
        peer_end_disconnect(&wire.end);
        close(wire.fd);
    }
    return 0;
}

static void listen_on_loopback(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);

    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    TEST_REQUIRE(server->listener >= 0);
    TEST_REQUIRE_EQUAL(bind(server->listener, (struct sockaddr *)&address, size), 0);
    TEST_REQUIRE_EQUAL(listen(server->listener, 64), 0);
    TEST_REQUIRE_EQUAL(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = address.sin_port;
}

/* ---- the clients ---- */

/* One thread; it shares nothing with the others. */
struct client {
    SSL_CTX *ctx;
    const struct server *servers;
    int first; /* it talks to the children first, first + 2, ... */
    uint32_t resumed;
};

static int connect_to(in_port_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = port, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    TEST_REQUIRE(fd >= 0);
    TEST_REQUIRE_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* One connection; *session is offered, and becomes what the server gives in turn. */
static void talk(struct client *client, in_port_t port, SSL_SESSION **session)
{
    SSL *ssl = SSL_new(client->ctx);
    int fd = connect_to(port);
    char answer[16];

    TEST_REQUIRE(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
    TEST_REQUIRE(SSL_set1_host(ssl, PEER_TARGET) == 1);
    if (*session)
        TEST_REQUIRE(SSL_set_session(ssl, *session) == 1);
    TEST_REQUIRE_EQUAL(SSL_connect(ssl), 1);
    TEST_REQUIRE_EQUAL(SSL_get_verify_result(ssl), X509_V_OK);
    for (int i = 0; i < 3; i++) {
        TEST_REQUIRE_EQUAL(SSL_write(ssl, "hello, child", 12), 12);
        TEST_REQUIRE_EQUAL(SSL_read(ssl, answer, sizeof(answer)), 12);
        TEST_REQUIRE(memcmp(answer, "hello, child", 12) == 0);
    }
    client->resumed += SSL_session_reused(ssl) == 1;
    SSL_SESSION_free(*session);
    *session = SSL_get1_session(ssl);
    (void)SSL_shutdown(ssl);
    TEST_REQUIRE_EQUAL(SSL_read(ssl, answer, 1), 0); /* to the server's goodbye */
    SSL_free(ssl);
    close(fd);
}

static void *be_client(void *data)
{
    struct client *client = data;
    SSL_SESSION *session = NULL;

    for (int i = 0; i < connections(); i++) {
        for (int child = client->first; child < CHILDREN; child += 2)
            talk(client, client->servers[child].port, &session);
    }
    SSL_SESSION_free(session);
    return NULL;
}

static SSL_CTX *make_ctx(int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    char path[512];

    TEST_REQUIRE(ctx != NULL);
    peer_path("ca", ".pem", path, sizeof(path));
    TEST_REQUIRE_EQUAL(SSL_CTX_load_verify_locations(ctx, path, NULL), 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    TEST_REQUIRE_EQUAL(SSL_CTX_set_min_proto_version(ctx, version), 1);
    TEST_REQUIRE_EQUAL(SSL_CTX_set_max_proto_version(ctx, version), 1);
    return ctx;
}

static uint32_t run_clients(const struct server *servers, int version)
{
    struct client clients[2];
    pthread_t threads[2];
    uint32_t count = 0;

    for (int i = 0; i < 2; i++) {
        clients[i] = (struct client){make_ctx(version), servers, i, 0};
        threads[i] = test_thread_start(be_client, &clients[i]);
    }
    for (int i = 0; i < 2; i++) {
        test_thread_join(threads[i]);
        SSL_CTX_free(clients[i].ctx);
        count += clients[i].resumed;
    }
    return count;
}

/* ---- the parent ---- */

static atomic_bool stop_busy;

static void *be_busy(void *data)
{
    do {
        struct peer_pair pair;

        peer_open(&pair, data, NULL);
        peer_connect(&pair);
        peer_exchange(&pair);
        peer_close(&pair);
    } while (!atomic_load(&stop_busy));
    return NULL;
}

static void serve_by_children(int version)
{
    struct server servers[CHILDREN];
    struct peer_end owner;
    pid_t children[CHILDREN];
    pthread_t busy[BUSY];
    uint32_t resumed;

    peer_end_init(&owner, PEER_SYNC, true);
    assert_int_equal(peer_end_acquire(&owner, 0, 0, "server", true), SEC_E_OK);
    atomic_store(&stop_busy, TEST_SANITIZED != 0);
    for (int i = 0; i < BUSY; i++)
        busy[i] = test_thread_start(be_busy, (void *)(i % 2 ? PEER_SYNC : PEER_ASYNC));
    for (int i = 0; TEST_SANITIZED && i < BUSY; i++)
        test_thread_join(busy[i]);
    if (TEST_SANITIZED)
        test_await_quiet();
    for (int i = 0; i < CHILDREN; i++) {
        servers[i] = (struct server){i % 2 ? PEER_ASYNC : PEER_SYNC, owner.credential, -1, 0};
        listen_on_loopback(&servers[i]);
        children[i] = test_child_fork(serve, &servers[i]);
        close(servers[i].listener);
    }
    atomic_store(&stop_busy, true);
    for (int i = 0; !TEST_SANITIZED && i < BUSY; i++)
        test_thread_join(busy[i]);
    resumed = run_clients(servers, version);
    for (int i = 0; i < CHILDREN; i++)
        assert_int_equal(test_child_join(children[i]), 0);
    print_message("%d connections, %u of them resumed\n", CHILDREN * connections(), resumed);
    /* A session begun with one child goes on with the next: the key of tickets came
     * with the credential. */
    assert_true(resumed > 0);
    peer_end_free(&owner);
    /* And the parent is as good as before. */
    atomic_store(&stop_busy, true);
    (void)be_busy((void *)PEER_ASYNC);
}

static void children_serve_tls13_with_the_parents_credential(void **state)
{
    (void)state;
    serve_by_children(TLS1_3_VERSION);
}

static void children_serve_tls12_with_the_parents_credential(void **state)
{
    (void)state;
    serve_by_children(TLS1_2_VERSION);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_serve_tls13_with_the_parents_credential),
        cmocka_unit_test(children_serve_tls12_with_the_parents_credential),
    };

    return cmocka_run_group_tests_name("fault.prefork", tests, peer_set_up, NULL);
}
