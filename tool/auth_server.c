/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * `sspi auth serve`: listener, limits, signals. A signal, or the end of --seconds, drops all
 * connections; the loop ends when the last peer has gone, which waits for its pending leg.
 */
#include "auth_server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <credssp.h>

#include "text.h"
#include "tool.h"

#define BACKLOG   128
#define DRAIN_MAX 256 /* callbacks in one turn, so that the sockets get theirs */

void auth_server_say(const char *peer_name, const char *format, ...)
{
    char line[2048];
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

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_all(struct auth_server *server)
{
    close_handle((uv_handle_t *)&server->completions);
    close_handle((uv_handle_t *)&server->interrupt);
    close_handle((uv_handle_t *)&server->terminate);
    close_handle((uv_handle_t *)&server->end);
}

static void stop(struct auth_server *server)
{
    server->stopping = true;
    close_handle((uv_handle_t *)&server->listener);
    for (struct auth_peer *peer = server->peers; peer; peer = auth_peer_next(peer))
        auth_peer_drop(peer, NULL);
    if (server->peer_count == 0)
        close_all(server);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    stop(signal->data);
}

static void on_end(uv_timer_t *timer)
{
    stop(timer->data);
}

static void on_completions(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct auth_server *server = poll->data;
    if (status == 0)
        OsspiDrainCompletions(server->queue, DRAIN_MAX);
}

void auth_server_admit(struct auth_server *server)
{
    if (server->connection_waits && !server->stopping &&
        server->peer_count < server->options->max_connections)
        auth_peer_accept(server);
}

void auth_server_forget(struct auth_server *server, struct auth_peer *peer)
{
    auth_peer_unlink(server, peer);
    server->peer_count--;
    if (server->stopping && server->peer_count == 0)
        close_all(server);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct auth_server *server = listener->data;
    if (status < 0) {
        text_complain("cannot accept a connection: %s", uv_strerror(status));
        return;
    }
    server->connection_waits = true;
    auth_server_admit(server);
}

static int listen_on(struct auth_server *server)
{
    const struct auth_serve_options *options = server->options;
    struct sockaddr_storage address;
    int len = sizeof(address);
    int error =
        uv_ip4_addr(options->address, (int)options->port, (struct sockaddr_in *)&address) == 0
            ? 0
            : uv_ip6_addr(options->address, (int)options->port, (struct sockaddr_in6 *)&address);
    if (error == 0)
        error = uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0);
    if (error == 0)
        error = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
    if (error == 0)
        error = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &len);
    if (error < 0) {
        text_complain("cannot listen on %s port %u: %s", options->address, options->port,
                      uv_strerror(error));
        return TOOL_LOCAL;
    }
    bool six = address.ss_family == AF_INET6;
    printf("listening on %s%s%s:%u, %s\n", six ? "[" : "", options->address, six ? "]" : "",
           ntohs(six ? ((struct sockaddr_in6 *)&address)->sin6_port
                     : ((struct sockaddr_in *)&address)->sin_port),
           options->package->name);
    fflush(stdout);
    return TOOL_OK;
}

static int start(struct auth_server *server)
{
    SECURITY_STATUS status = OsspiCreateCompletionQueue(&server->queue);
    if (status != SEC_E_OK) {
        text_complain_status("cannot make a completion queue", status, NULL);
        return TOOL_LOCAL;
    }
    uv_tcp_init(&server->loop, &server->listener);
    uv_signal_init(&server->loop, &server->interrupt);
    uv_signal_init(&server->loop, &server->terminate);
    uv_timer_init(&server->loop, &server->end);
    int error =
        uv_poll_init(&server->loop, &server->completions, OsspiCompletionQueueFd(server->queue));
    server->listener.data = server->interrupt.data = server->terminate.data = server;
    server->end.data = server->completions.data = server;
    if (error == 0)
        error = uv_poll_start(&server->completions, UV_READABLE, on_completions);
    if (error == 0)
        error = uv_signal_start(&server->interrupt, on_signal, SIGINT);
    if (error == 0)
        error = uv_signal_start(&server->terminate, on_signal, SIGTERM);
    if (error == 0 && server->options->seconds > 0)
        error = uv_timer_start(&server->end, on_end, server->options->seconds * UINT64_C(1000), 0);
    if (error < 0) {
        text_complain("cannot start the event loop: %s", uv_strerror(error));
        return TOOL_LOCAL;
    }
    return listen_on(server);
}

static int run(struct auth_server *server)
{
    int error = uv_loop_init(&server->loop);
    if (error < 0) {
        text_complain("cannot make an event loop: %s", uv_strerror(error));
        return TOOL_LOCAL;
    }
    int code = start(server);
    if (code != TOOL_OK && server->queue)
        stop(server);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    uv_loop_close(&server->loop);
    if (server->queue)
        OsspiCloseCompletionQueue(server->queue);
    return code;
}

/* The package's own keys; a package that is TLS besides has the certificate. */
static int acquire(struct auth_server *server)
{
    const struct auth_serve_options *options = server->options;
    struct tls_auth auth;
    if (options->package->wire == AUTH_FRAMES)
        return login_acquire_server(options->package->name, NULL, &server->credential);
    int code = tls_auth_load(&options->tls, &auth);
    if (code == TOOL_OK) {
        CREDSSP_CRED both = {CredsspSubmitBufferBoth, &auth.credentials, NULL};
        code = login_acquire_server(options->package->name, &both, &server->credential);
    }
    tls_auth_clear(&auth);
    return code;
}

int auth_serve(const struct auth_serve_options *options)
{
    struct auth_server *server = calloc(1, sizeof(*server));
    if (!server) {
        text_complain("out of memory");
        return TOOL_LOCAL;
    }
    server->options = options;
    int code = acquire(server);
    if (code == TOOL_OK) {
        code = run(server);
        FreeCredentialsHandle(&server->credential);
        OsspiShutdown(1000);
    }
    free(server);
    return code;
}
