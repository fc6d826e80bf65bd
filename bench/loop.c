/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What many simultaneous handshakes do to an event loop: how late a 1 ms ticker on the loop is, and
 * how many handshakes a second the server makes.
 *
 * The server is one epoll loop with TCP connections over loopback. Its client is a process of its
 * own, the same for every side: it opens all connections at once, verifies, and waits until the
 * server closes; then comes the next wave. A tick that is overdue counts with its whole delay, and
 * so does every tick that was missed meanwhile.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop_client.h"
#include "side.h"
#include "tls_sspi.h"

#define TICK_NS   1000000
#define EVENTS    64
#define INPUT_MAX 8192

struct setup {
    struct bench_tls tls;
    bool raw;
    enum sspi_way way;
    unsigned workers;
    unsigned connections, waves;
};

struct server;

/* One connection; its memory serves again. */
struct connection {
    struct server *server;
    int fd;
    SSL *ssl;
    CtxtHandle context;
    SspiAsyncContext *call;
    SecBuffer in[2], out[1];
    SecBufferDesc in_desc, out_desc;
    ULONG attributes;
    size_t input_len;
    struct connection *next_free;
    unsigned char input[INPUT_MAX], output[SSPI_TOKEN_MAX];
};

struct server {
    struct setup setup;
    int epoll, listener;
    struct loop_client client;
    struct raw_engine raw;
    struct sspi_engine sspi;
    struct connection *connections, *free;
    unsigned done;
    int64_t next_tick_ns;
    double *delays_ms;
    size_t delay_count, delay_capacity;
};

/* What an event is about; connections have addresses above. */
enum { EVENT_LISTENER = 1, EVENT_QUEUE, EVENT_CLIENT };

/* --- The ticker --- */

static void look_at_ticker(struct server *server)
{
    int64_t now = bench_now_ns();

    while (server->next_tick_ns <= now) {
        if (server->delay_count < server->delay_capacity)
            server->delays_ms[server->delay_count++] = (double)(now - server->next_tick_ns) / 1e6;
        server->next_tick_ns += TICK_NS;
    }
}

/* --- A connection --- */

static void watch(struct connection *connection, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = connection};

    if (epoll_ctl(connection->server->epoll, operation, connection->fd, &event) != 0)
        bench_die("epoll: %s", strerror(errno));
}

static void close_connection(struct connection *connection)
{
    struct server *server = connection->server;

    close(connection->fd);
    SSL_free(connection->ssl);
    connection->ssl = NULL;
    if (SecIsValidHandle(&connection->context)) {
        if (server->setup.way == SSPI_INLINE) {
            DeleteSecurityContext(&connection->context);
        } else {
            SspiAsyncContext *call = SspiCreateAsyncContext();

            SspiDeleteSecurityContextAsync(call, &connection->context);
            SspiFreeAsyncContext(call);
        }
        SecInvalidateHandle(&connection->context);
    }
    connection->next_free = server->free;
    server->free = connection;
    server->done++;
}

/* --- libssl on the loop --- */

static void raw_readable(struct connection *connection)
{
    int result = SSL_accept(connection->ssl);

    if (result == 1) {
        SSL_set_shutdown(connection->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        close_connection(connection);
    } else if (SSL_get_error(connection->ssl, result) == SSL_ERROR_WANT_READ) {
        watch(connection, EPOLL_CTL_MOD);
    } else {
        bench_die("the server's handshake failed");
    }
}

/* --- SSPI --- */

static SECURITY_STATUS make_leg(struct connection *connection)
{
    struct sspi_engine *engine = &connection->server->sspi;
    ULONG flags =
        ASC_REQ_STREAM | ASC_REQ_CONFIDENTIALITY | ASC_REQ_SEQUENCE_DETECT | ASC_REQ_REPLAY_DETECT;
    PCtxtHandle context = SecIsValidHandle(&connection->context) ? &connection->context : NULL;

    connection->in[0] =
        (SecBuffer){(ULONG)connection->input_len, SECBUFFER_TOKEN, connection->input};
    connection->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    connection->out[0] = (SecBuffer){SSPI_TOKEN_MAX, SECBUFFER_TOKEN, connection->output};
    if (engine->way == SSPI_INLINE)
        return AcceptSecurityContext(&engine->server, context, &connection->in_desc, flags, 0,
                                     &connection->context, &connection->out_desc,
                                     &connection->attributes, NULL);
    SspiReinitAsyncContext(connection->call);
    return SspiAcceptSecurityContextAsync(connection->call, &engine->server, context,
                                          &connection->in_desc, flags, 0, &connection->context,
                                          &connection->out_desc, &connection->attributes, NULL);
}

static void take_leg(struct connection *connection, SECURITY_STATUS status)
{
    size_t left = 0;

    if (status == SEC_E_INCOMPLETE_MESSAGE) {
        watch(connection, EPOLL_CTL_MOD);
        return;
    }
    if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED)
        bench_die("a leg ended with %s", OsspiStatusName(status));
    if (connection->in[1].BufferType == SECBUFFER_EXTRA)
        left = connection->in[1].cbBuffer;
    memmove(connection->input, connection->input + connection->input_len - left, left);
    connection->input_len = left;
    /* A flight is smaller than what a socket takes. */
    if (connection->out[0].cbBuffer > 0 &&
        send(connection->fd, connection->output, connection->out[0].cbBuffer, MSG_NOSIGNAL) !=
            (ssize_t)connection->out[0].cbBuffer)
        bench_die("a flight cannot be sent");
    if (status == SEC_E_OK)
        close_connection(connection);
    else
        watch(connection, EPOLL_CTL_MOD);
}

static void on_done(SspiAsyncContext *call, void *data)
{
    struct connection *connection = data;

    take_leg(connection, SspiGetAsyncCallStatus(call));
    look_at_ticker(connection->server);
}

static void sspi_readable(struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->input + connection->input_len,
                       INPUT_MAX - connection->input_len, 0);
    SECURITY_STATUS status;

    if (got <= 0)
        bench_die("the client went away");
    connection->input_len += (size_t)got;
    status = make_leg(connection);
    if (connection->server->setup.way == SSPI_INLINE)
        take_leg(connection, status);
    else if (status != SEC_E_OK)
        bench_die("a leg was refused: %s", OsspiStatusName(status));
}

/* --- The loop --- */

static void accept_all(struct server *server)
{
    int fd;

    while (server->free && (fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *connection = server->free;

        server->free = connection->next_free;
        connection->fd = fd;
        connection->input_len = 0;
        if (server->setup.raw) {
            connection->ssl = SSL_new(server->raw.server);
            if (!connection->ssl || SSL_set_fd(connection->ssl, fd) != 1)
                bench_die("OpenSSL begins no handshake");
        }
        watch(connection, EPOLL_CTL_ADD);
    }
}

/* False: the client has told that all is done. */
static bool handle(struct server *server, const struct epoll_event *event)
{
    switch (event->data.u64) {
    case EVENT_LISTENER:
        accept_all(server);
        break;
    case EVENT_QUEUE:
        OsspiDrainCompletions(server->sspi.queue, 0);
        break;
    case EVENT_CLIENT:
        return false;
    default:
        if (server->setup.raw)
            raw_readable(event->data.ptr);
        else
            sspi_readable(event->data.ptr);
    }
    return true;
}

static int timeout_ms(const struct server *server)
{
    int64_t left = server->next_tick_ns - bench_now_ns();

    return left <= 0 ? 0 : (int)((left + 999999) / 1000000);
}

static void run_loop(struct server *server)
{
    struct epoll_event events[EVENTS];
    bool go_on = true;

    while (go_on) {
        int count = epoll_wait(server->epoll, events, EVENTS, timeout_ms(server));

        look_at_ticker(server);
        /* As loops do: all that is ready, then the timers. */
        for (int i = 0; i < count; i++)
            go_on &= handle(server, &events[i]);
        look_at_ticker(server);
    }
}

/* --- The side --- */

static void add_event(struct server *server, int fd, uint64_t what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};

    if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_die("epoll: %s", strerror(errno));
}

static void open_listener(struct server *server, struct sockaddr_in *address)
{
    socklen_t size = sizeof(*address);

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->listener < 0 ||
        bind(server->listener, (struct sockaddr *)address, sizeof(*address)) != 0 ||
        listen(server->listener, 4096) != 0 ||
        getsockname(server->listener, (struct sockaddr *)address, &size) != 0)
        bench_die("no listening socket: %s", strerror(errno));
}

static void open_connection(struct server *server, struct connection *connection)
{
    connection->server = server;
    connection->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 2, connection->in};
    connection->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, connection->out};
    SecInvalidateHandle(&connection->context);
    connection->next_free = server->free;
    server->free = connection;
    if (server->setup.raw || server->setup.way == SSPI_INLINE)
        return;
    connection->call = SspiCreateAsyncContext();
    SspiSetAsyncNotifyCallback(connection->call, on_done, connection);
    if (OsspiSetCompletionQueue(connection->call, server->sspi.queue) != SEC_E_OK)
        bench_die("no async context");
}

static void *open_side(const void *data)
{
    struct server *server = calloc(1, sizeof(*server));
    struct sockaddr_in address;

    if (!server)
        bench_die("out of memory");
    server->setup = *(const struct setup *)data;
    open_listener(server, &address);
    loop_client_start(&server->client, &address, &server->setup.tls, server->setup.connections,
                      server->setup.waves);
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (server->setup.raw)
        raw_engine_open(&server->raw, &server->setup.tls, false);
    else
        sspi_engine_open(&server->sspi, &server->setup.tls, server->setup.way,
                         (OsspiOptions){.workers = server->setup.workers});
    add_event(server, server->listener, EVENT_LISTENER);
    add_event(server, server->client.answers, EVENT_CLIENT);
    if (server->sspi.queue)
        add_event(server, OsspiCompletionQueueFd(server->sspi.queue), EVENT_QUEUE);
    server->connections = calloc(server->setup.connections, sizeof(*server->connections));
    server->delay_capacity = 1000000;
    server->delays_ms = calloc(server->delay_capacity, sizeof(*server->delays_ms));
    if (!server->connections || !server->delays_ms || server->epoll < 0)
        bench_die("out of memory");
    for (unsigned i = 0; i < server->setup.connections; i++)
        open_connection(server, &server->connections[i]);
    return server;
}

enum { RATE, P50, P90, P99, MAX, METRICS };
static const struct bench_metric metrics[METRICS] = {
    [RATE] = {"handshakes_per_second", "hs/s", 0}, [P50] = {"delay_p50_ms", "p50 ms", 2},
    [P90] = {"delay_p90_ms", "p90 ms", 2},         [P99] = {"delay_p99_ms", "p99 ms", 2},
    [MAX] = {"delay_max_ms", "max ms", 2},
};

static void run_round(void *data, bool check, struct bench_result *ret_result)
{
    struct server *server = data;
    unsigned total = server->setup.connections * server->setup.waves;
    int64_t begin = bench_now_ns();

    (void)check;
    server->done = 0;
    server->delay_count = 0;
    server->next_tick_ns = begin + TICK_NS;
    loop_client_go(&server->client);
    run_loop(server);
    loop_client_await(&server->client);
    if (server->done != total)
        bench_die("%u handshakes of %u", server->done, total);
    bench_sort(server->delays_ms, server->delay_count);
    ret_result->values[RATE] = total * 1e9 / (double)(bench_now_ns() - begin);
    ret_result->values[P50] = bench_quantile(server->delays_ms, server->delay_count, 0.5);
    ret_result->values[P90] = bench_quantile(server->delays_ms, server->delay_count, 0.9);
    ret_result->values[P99] = bench_quantile(server->delays_ms, server->delay_count, 0.99);
    ret_result->values[MAX] = bench_quantile(server->delays_ms, server->delay_count, 1);
}

/* --- The groups --- */

struct form {
    const char *name, *title;
    bool raw;
    enum sspi_way way;
    unsigned workers;
};

static const struct form forms[] = {
    {"raw-inline", "libssl on the loop", true, SSPI_INLINE, 0},
    {"sspi-inline", "SSPI on the loop", false, SSPI_INLINE, 0},
    {"async-1", "SSPI async, 1 worker", false, SSPI_QUEUE, 1},
    {"async-2", "SSPI async, 2 workers", false, SSPI_QUEUE, 2},
};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

static void run_group(struct bench_program *program, const char *name, const char *title,
                      struct bench_tls tls)
{
    const struct bench_options *options = &program->options;
    struct setup setups[FORMS];
    struct bench_group group = {
        .name = name,
        .title = title,
        .metrics = metrics,
        .metric_count = METRICS,
        .open = open_side,
        .round = run_round,
        .rounds = bench_rounds(options, 2, 3, 15),
    };
    unsigned connections = bench_choose(options, 10, 200, 200);
    unsigned waves = bench_choose(options, 1, 1, 3);

    group.facts = json_pack("{s:i, s:i}", "connections", (int)connections, "waves", (int)waves);
    for (unsigned i = 0; i < FORMS; i++) {
        setups[i] = (struct setup){.tls = tls,
                                   .raw = forms[i].raw,
                                   .way = forms[i].way,
                                   .workers = forms[i].workers,
                                   .connections = connections,
                                   .waves = waves};
        bench_group_add(&group, (struct bench_side){forms[i].name, forms[i].title, 0, &setups[i]});
    }
    bench_group_run(program, &group);
}

int main(int argc, char **argv)
{
    struct bench_program program = bench_program_begin(
        argc, argv, "What 200 simultaneous handshakes do to an event loop: delays of a ticker.");
    const struct bench_options *options = &program.options;
    const char *folder = bench_certs_make(options);

    for (int rsa = 1; rsa >= 0; rsa--) {
        const char *name = rsa ? "rsa" : "ecdsa";
        struct bench_tls tls = {.folder = folder, .rsa = rsa, .verify = true};

        if (bench_wanted(options, name) && (rsa || options->size != BENCH_TINY))
            run_group(&program, name,
                      rsa ? "RSA 2048, 200 simultaneous handshakes"
                          : "ECDSA P-256, 200 simultaneous handshakes",
                      tls);
    }
    bench_program_end(&program, "loop");
    return 0;
}
