/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The HTTPS server of `sspi serve`: listener, limits, signals, and the completion queue in the
 * loop.
 *
 * Stopping: the first signal (or the end of --seconds) closes the listener and ends each connection
 * in order, an answer under way first; a second one, or GRACE_MS, drops what is left. The loop ends
 * when its last handle is closed, and a peer closes only when nothing of it is left on a worker.
 *
 * SIGHUP reads the certificate again, on a thread of libuv's pool; connections go on.
 */
#include "server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "monitor.h"
#include "peer.h"
#include "text.h"
#include "tool.h"

#define BACKLOG        512
#define GRACE_MS       2000
#define DRAIN_MAX      256 /* callbacks in one turn, so that the sockets get theirs */
#define FILES_PER_PEER 2   /* its socket, and the file it is sent */
#define FILES_EXTRA    512 /* HTTP/2 peers may have more than one at a time */
#define FILES_FOR_TOOL 32

void server_log(const struct server *server, const char *peer_name, const char *format, ...)
{
    if (!server->options.verbose)
        return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (len < 0)
        return;
    printf("%s ", peer_name);
    text_escaped(stdout, line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);
    putchar('\n');
    fflush(stdout);
}

static void close_handle(uv_handle_t *handle, uv_close_cb done)
{
    if (!uv_is_closing(handle))
        uv_close(handle, done);
}

/* Closes what is left when the last peer has gone; then the loop has nothing to wait for. */
static void close_all(struct server *server)
{
    close_handle((uv_handle_t *)&server->completions, NULL);
    close_handle((uv_handle_t *)&server->interrupt, NULL);
    close_handle((uv_handle_t *)&server->terminate, NULL);
    close_handle((uv_handle_t *)&server->hangup, NULL);
    close_handle((uv_handle_t *)&server->end, NULL);
    if (server->monitor)
        monitor_stop(server->monitor);
}

static void drop_all(struct server *server)
{
    for (struct peer *peer = server->peers; peer; peer = peer->next)
        peer_drop(peer, "the server stops");
}

static void on_grace_over(uv_timer_t *timer)
{
    drop_all(timer->data);
}

static void stop(struct server *server)
{
    if (server->stopping) {
        drop_all(server);
        return;
    }
    server->stopping = true;
    close_handle((uv_handle_t *)&server->listener, NULL);
    for (struct peer *peer = server->peers; peer; peer = peer->next)
        peer_stop(peer);
    if (server->peer_count == 0)
        close_all(server);
    else
        uv_timer_start(&server->end, on_grace_over, GRACE_MS, 0);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    stop(signal->data);
}

/* On a thread of the pool: files are read. */
static void renew(uv_work_t *work)
{
    struct server *server = work->data;

    server->renewed = tls_renew(server->tls, &server->credential);
}

static void on_hangup(uv_signal_t *signal, int number);

static void on_renewed(uv_work_t *work, int status)
{
    struct server *server = work->data;

    server->renewing = false;
    if (status == 0 && server->renewed == TOOL_OK) {
        printf("the certificate was read again\n");
        fflush(stdout);
    }
    if (server->renew_again && !server->stopping)
        on_hangup(&server->hangup, SIGHUP);
}

/* A signal that comes while files are read may mean what has been read already: once more. */
static void on_hangup(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;
    (void)number;

    server->renew_again = server->renewing;
    if (server->renewing)
        return;
    server->renewal.data = server;
    server->renewing = uv_queue_work(&server->loop, &server->renewal, renew, on_renewed) == 0;
}

static void on_end(uv_timer_t *timer)
{
    stop(timer->data);
}

static void on_completions(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct server *server = poll->data;
    if (status == 0)
        OsspiDrainCompletions(server->queue, DRAIN_MAX);
}

/* While a connection that libuv has accepted is not taken, it accepts no other: the rest waits in
 * the kernel's backlog until a peer leaves. */
void server_admit(struct server *server)
{
    if (server->connection_waits && !server->stopping &&
        server->peer_count < server->options.max_connections)
        peer_accept(server);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    if (status < 0) {
        text_complain("cannot accept a connection: %s", uv_strerror(status));
        return;
    }
    server->connection_waits = true;
    server_admit(server);
}

void server_forget(struct server *server, struct peer *peer)
{
    if (peer->previous)
        peer->previous->next = peer->next;
    else
        server->peers = peer->next;
    if (peer->next)
        peer->next->previous = peer->previous;
    server->peer_count--;
    if (server->stopping && server->peer_count == 0)
        close_all(server);
}

/* Makes sure that the promised number of connections does not run out of descriptors. What is not
 * needed for sockets is for files; a request beyond that is answered with 503. */
static void raise_file_limit(struct server *server)
{
    rlim_t sockets = (rlim_t)server->options.max_connections + FILES_FOR_TOOL;
    rlim_t wanted =
        (rlim_t)server->options.max_connections * FILES_PER_PEER + FILES_EXTRA + FILES_FOR_TOOL;
    struct rlimit limit = {.rlim_cur = wanted, .rlim_max = wanted};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    rlim_t files = limit.rlim_cur > sockets ? limit.rlim_cur - sockets : 1;
    server->files_limit = files < 100000 ? (unsigned)files : 100000;
}

static int parse_address(const struct server_options *options, struct sockaddr_storage *ret_address)
{
    int port = (int)options->port;
    if (uv_ip4_addr(options->address, port, (struct sockaddr_in *)ret_address) == 0)
        return 0;
    return uv_ip6_addr(options->address, port, (struct sockaddr_in6 *)ret_address);
}

static int listen_on(struct server *server)
{
    struct sockaddr_storage address;
    int error = parse_address(&server->options, &address);
    if (error == 0)
        error = uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0);
    if (error == 0)
        error = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
    int len = sizeof(address);
    if (error == 0)
        error = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &len);
    if (error < 0) {
        text_complain("cannot listen on %s port %u: %s", server->options.address,
                      server->options.port, uv_strerror(error));
        return TOOL_LOCAL;
    }
    bool six = address.ss_family == AF_INET6;
    server->port = ntohs(six ? ((struct sockaddr_in6 *)&address)->sin6_port
                             : ((struct sockaddr_in *)&address)->sin_port);
    printf("listening on https://%s%s%s:%u/\n", six ? "[" : "", server->options.address,
           six ? "]" : "", server->port);
    fflush(stdout);
    return TOOL_OK;
}

static int start(struct server *server)
{
    SECURITY_STATUS status = OsspiCreateCompletionQueue(&server->queue);
    if (status != SEC_E_OK) {
        text_complain_status("cannot make a completion queue", status, NULL);
        return TOOL_LOCAL;
    }
    uv_tcp_init(&server->loop, &server->listener);
    uv_signal_init(&server->loop, &server->interrupt);
    uv_signal_init(&server->loop, &server->terminate);
    uv_signal_init(&server->loop, &server->hangup);
    uv_timer_init(&server->loop, &server->end);
    int error =
        uv_poll_init(&server->loop, &server->completions, OsspiCompletionQueueFd(server->queue));
    server->listener.data = server->interrupt.data = server->terminate.data = server;
    server->end.data = server->completions.data = server->hangup.data = server;
    if (error == 0)
        error = uv_poll_start(&server->completions, UV_READABLE, on_completions);
    if (error == 0)
        error = uv_signal_start(&server->interrupt, on_signal, SIGINT);
    if (error == 0)
        error = uv_signal_start(&server->terminate, on_signal, SIGTERM);
    if (error == 0)
        error = uv_signal_start(&server->hangup, on_hangup, SIGHUP);
    if (error == 0 && server->options.seconds > 0)
        error = uv_timer_start(&server->end, on_end, server->options.seconds * UINT64_C(1000), 0);
    if (error < 0) {
        text_complain("cannot start the event loop: %s", uv_strerror(error));
        return TOOL_LOCAL;
    }
    if (server->options.status_path && !monitor_start(server)) {
        text_complain("cannot start the status page");
        return TOOL_LOCAL;
    }
    return listen_on(server);
}

int server_run(struct server *server)
{
    int error = uv_loop_init(&server->loop);
    if (error < 0) {
        text_complain("cannot make an event loop: %s", uv_strerror(error));
        return TOOL_LOCAL;
    }
    raise_file_limit(server);
    if (server->options.status_path)
        uv_loop_configure(&server->loop, UV_METRICS_IDLE_TIME); /* before it runs, or never */
    int code = start(server);
    if (code != TOOL_OK && server->queue)
        stop(server);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    uv_loop_close(&server->loop);
    monitor_free(server->monitor);
    if (server->queue)
        OsspiCloseCompletionQueue(server->queue);
    server_log(server,
               "stopped:", "%llu connections, %llu handshakes, %llu failures, %llu requests",
               (unsigned long long)server->connections, (unsigned long long)server->handshakes,
               (unsigned long long)server->failures, (unsigned long long)server->requests);
    return code;
}
