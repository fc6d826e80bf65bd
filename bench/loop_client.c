/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The client of the loop bench; see loop_client.h. One thread.
 */
#include "loop_client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#define EVENTS 64

struct connection {
    int fd;
    SSL *ssl;
    bool established;
};

static void open_connection(struct connection *connection, struct raw_engine *engine,
                            const struct sockaddr_in *address, int epoll)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = connection};

    connection->established = false;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connection->fd < 0 ||
        (connect(connection->fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
         errno != EINPROGRESS))
        bench_die("cannot connect: %s", strerror(errno));
    connection->ssl = SSL_new(engine->client);
    if (!connection->ssl || SSL_set_fd(connection->ssl, connection->fd) != 1 ||
        SSL_set_tlsext_host_name(connection->ssl, BENCH_HOST) != 1 ||
        SSL_set1_host(connection->ssl, BENCH_HOST) != 1)
        bench_die("OpenSSL begins no handshake");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        bench_die("epoll: %s", strerror(errno));
}

/* True: the connection is over. */
static bool go_on(struct connection *connection, int epoll)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    char byte;
    int result;

    if (!connection->established) {
        result = SSL_connect(connection->ssl);
        if (result != 1 && SSL_get_error(connection->ssl, result) != SSL_ERROR_WANT_READ) {
            ERR_print_errors_fp(stderr);
            bench_die("the client's handshake failed");
        }
        connection->established = result == 1;
        if (epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event) != 0)
            bench_die("epoll: %s", strerror(errno));
        return false;
    }
    if (recv(connection->fd, &byte, 1, 0) < 0 && errno == EAGAIN)
        return false;
    SSL_free(connection->ssl);
    close(connection->fd);
    return true;
}

static void run_wave(struct connection *connections, unsigned count, struct raw_engine *engine,
                     const struct sockaddr_in *address, int epoll)
{
    struct epoll_event events[EVENTS];
    unsigned left = count;

    for (unsigned i = 0; i < count; i++)
        open_connection(&connections[i], engine, address, epoll);
    while (left > 0) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);

        for (int i = 0; i < ready; i++)
            left -= go_on(events[i].data.ptr, epoll);
    }
}

_Noreturn static void client_main(int orders, int answers, const struct sockaddr_in *address,
                                  const struct bench_tls *tls, unsigned count, unsigned waves)
{
    struct connection *connections = calloc(count, sizeof(*connections));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct raw_engine engine;
    char byte = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!connections || epoll < 0)
        bench_die("out of memory");
    raw_engine_open(&engine, tls, false);
    while (read(orders, &byte, 1) == 1) {
        for (unsigned i = 0; i < waves; i++)
            run_wave(connections, count, &engine, address, epoll);
        if (write(answers, &byte, 1) != 1)
            break;
    }
    _exit(0);
}

void loop_client_start(struct loop_client *client, const struct sockaddr_in *address,
                       const struct bench_tls *tls, unsigned connections, unsigned waves)
{
    int orders[2], answers[2];

    if (pipe(orders) != 0 || pipe(answers) != 0)
        bench_die("no pipe: %s", strerror(errno));
    client->pid = fork();
    if (client->pid < 0)
        bench_die("no process: %s", strerror(errno));
    if (client->pid == 0) {
        close(orders[1]);
        close(answers[0]);
        client_main(orders[0], answers[1], address, tls, connections, waves);
    }
    close(orders[0]);
    close(answers[1]);
    client->orders = orders[1];
    client->answers = answers[0];
}

void loop_client_go(struct loop_client *client)
{
    char byte = 1;

    if (write(client->orders, &byte, 1) != 1)
        bench_die("the client is gone");
}

void loop_client_await(struct loop_client *client)
{
    char byte;

    if (read(client->answers, &byte, 1) != 1)
        bench_die("the client is gone");
}
