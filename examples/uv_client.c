/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * An HTTPS client on libuv that opens many connections at once: uv_client HOST [PORT [COUNT
 * [PATH]]]
 *
 * uv_poll watches the descriptor of a completion queue, so that the callbacks of the asynchronous
 * calls come on the loop's thread like everything else from libuv, and nothing here needs a lock.
 * SSL_CERT_FILE names other roots than the system's. Ends with 0 if every answer came whole.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "common.h"

enum { WIRE_SIZE = 32768, TIMEOUT_MS = 60000 };

#define FLAGS (ISC_REQ_STREAM | ISC_REQ_ALLOCATE_MEMORY | ISC_REQ_EXTENDED_ERROR)

enum state { HANDSHAKE, OPEN, CLOSING };

struct connection {
    uv_tcp_t tcp;
    uv_connect_t connecting;
    enum state state;
    bool busy;    /* a leg is under way: wire and what follows are the library's */
    bool post;    /* a message for the handshake has come after it: a leg takes it */
    bool whole;   /* the server has said that this was all */
    bool closing; /* libuv has been told */
    bool closed;  /* libuv is done with tcp */
    char result[256];
    char first_line[64]; /* of the answer */
    size_t received;
    CtxtHandle context;
    SspiAsyncContext *call;
    SecBuffer in[2], token;
    SecBufferDesc input, output;
    ULONG granted;
    size_t have;
    char wire[WIRE_SIZE];
};

/* Bytes on their way out, freed when they have gone. */
struct outgoing {
    uv_write_t request;
    void *token; /* of the library, or NULL: the bytes are behind this structure */
    bool last;
};

/* Used by the only thread there is. */
static uv_loop_t *loop;
static uv_poll_t completions;
static uv_timer_t timer;
static uv_getaddrinfo_t lookup;
static OsspiCompletionQueue *queue;
static CredHandle credential;
static struct connection *connections;
static int count, left;
static char *host, *path;

/* A connection is over when neither libuv nor a leg works on it. */
static void release(struct connection *c)
{
    if (!c->closed || c->busy)
        return;
    if (SecIsValidHandle(&c->context))
        DeleteSecurityContext(&c->context);
    SspiFreeAsyncContext(c->call);
    if (--left == 0) {
        uv_close((uv_handle_t *)&completions, NULL); /* then the loop has nothing to wait for */
        uv_close((uv_handle_t *)&timer, NULL);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    c->closed = true;
    release(c);
}

static void finish(struct connection *c, const char *why)
{
    if (c->closing)
        return;
    if (!c->result[0])
        snprintf(c->result, sizeof(c->result), "%s", why);
    c->closing = true;
    if (c->busy)
        OsspiCancelAsyncCall(c->call); /* refused if it computes; its callback comes in any case */
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void fail(struct connection *c, SECURITY_STATUS status)
{
    char detail[128] = "";
    if (SecIsValidHandle(&c->context))
        OsspiGetErrorDetail(&c->context, detail, sizeof(detail));
    snprintf(c->result, sizeof(c->result), "%s (%s)", OsspiStatusName(status), detail);
}

static void on_sent(uv_write_t *request, int error)
{
    struct outgoing *out = (struct outgoing *)request;
    struct connection *c = request->handle->data;
    if (error < 0)
        finish(c, uv_strerror(error));
    else if (out->last)
        finish(c, "closed");
    FreeContextBuffer(out->token);
    free(out);
}

/* Sends what is at out->token, or behind out; takes out over. */
static void send_bytes(struct connection *c, struct outgoing *out, size_t len)
{
    uv_buf_t buffer = uv_buf_init(out->token ? out->token : (char *)(out + 1), (unsigned)len);
    int error = uv_write(&out->request, (uv_stream_t *)&c->tcp, &buffer, 1, on_sent);
    if (error == 0)
        return;
    FreeContextBuffer(out->token);
    free(out);
    finish(c, uv_strerror(error));
}

static void start_leg(struct connection *c)
{
    bool first = !SecIsValidHandle(&c->context);
    c->in[0] = (SecBuffer){(ULONG)c->have, SECBUFFER_TOKEN, c->wire};
    c->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL}; /* a place for EXTRA */
    c->token = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    c->input = (SecBufferDesc){SECBUFFER_VERSION, 2, c->in};
    c->output = (SecBufferDesc){SECBUFFER_VERSION, 1, &c->token};
    uv_read_stop((uv_stream_t *)&c->tcp); /* the leg reads from wire */
    SspiReinitAsyncContext(c->call);      /* if it failed, so would this: */
    SECURITY_STATUS status = SspiInitializeSecurityContextAsyncA(
        c->call, &credential, first ? NULL : &c->context, host, FLAGS, 0, 0,
        first || c->state == CLOSING ? NULL : &c->input, 0, &c->context, &c->output, &c->granted,
        NULL);
    c->busy = status == SEC_E_OK;
    if (!c->busy)
        finish(c, OsspiStatusName(status)); /* it was not queued, so no callback comes */
}

static void say_goodbye(struct connection *c)
{
    c->state = CLOSING;
    if (example_goodbye(&c->context) == SEC_E_OK)
        start_leg(c);
    else
        finish(c, "closed");
}

static void take(struct connection *c, const char *data, size_t len)
{
    if (c->received < sizeof(c->first_line) - 1) {
        size_t room = sizeof(c->first_line) - 1 - c->received;
        memcpy(c->first_line + c->received, data, len < room ? len : room);
    }
    c->received += len;
}

static void keep_rest(struct connection *c, const SecBuffer *extra)
{
    size_t rest = extra->BufferType == SECBUFFER_EXTRA ? extra->cbBuffer : 0;
    memmove(c->wire, c->wire + c->have - rest, rest);
    c->have = rest;
}

static void open_records(struct connection *c)
{
    while (c->have > 0) {
        SecBuffer parts[4] = {{(ULONG)c->have, SECBUFFER_DATA, c->wire}};
        SecBufferDesc desc = {SECBUFFER_VERSION, 4, parts};
        SECURITY_STATUS status = DecryptMessage(&c->context, &desc, 0, NULL);
        if (status == SEC_E_INCOMPLETE_MESSAGE)
            return;
        if (status == SEC_E_OK)
            take(c, parts[1].pvBuffer, parts[1].cbBuffer);
        keep_rest(c, &parts[3]);
        if (status == SEC_I_RENEGOTIATE) { /* in TLS 1.3 as a rule a ticket for another time */
            c->post = true;
            start_leg(c);
            return;
        }
        if (status != SEC_E_OK) {
            c->whole = status == SEC_I_CONTEXT_EXPIRED;
            if (!c->whole)
                fail(c, status);
            say_goodbye(c);
            return;
        }
    }
}

static void send_request(struct connection *c)
{
    SecPkgContext_StreamSizes sizes;
    char text[1024];
    int len =
        snprintf(text, sizeof(text), "GET %.700s HTTP/1.0\r\nHost: %.255s\r\n\r\n", path, host);
    struct outgoing *out = NULL;
    if (QueryContextAttributesA(&c->context, SECPKG_ATTR_STREAM_SIZES, &sizes) == SEC_E_OK)
        out = calloc(1, sizeof(*out) + sizes.cbHeader + (size_t)len + sizes.cbTrailer);
    size_t used = out ? example_seal(&c->context, &sizes, out + 1, text, (size_t)len) : 0;
    if (used > 0) {
        send_bytes(c, out, used);
        return;
    }
    free(out);
    finish(c, "cannot seal the request");
}

static void on_room(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    struct connection *c = handle->data;
    (void)size;
    *buffer = uv_buf_init(c->wire + c->have, (unsigned)(WIRE_SIZE - c->have));
}

static void go_on(struct connection *c);

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct connection *c = stream->data;
    (void)buffer;
    if (len < 0) /* also an end in order: one that no close_notify announced is a break */
        finish(c, len == UV_EOF ? "the server has gone" : uv_strerror((int)len));
    else if (len > 0) {
        c->have += (size_t)len;
        go_on(c);
    }
}

/* With bytes at hand: a leg, or records. Then, unless a leg reads the bytes, more of them. */
static void go_on(struct connection *c)
{
    if (c->state == OPEN && !c->post)
        open_records(c);
    else if (c->state != CLOSING && c->have > 0)
        start_leg(c);
    if (!c->busy && !c->closing && c->state != CLOSING)
        uv_read_start((uv_stream_t *)&c->tcp, on_room, on_read);
}

static void send_token(struct connection *c, bool last)
{
    struct outgoing *out = c->token.cbBuffer > 0 ? calloc(1, sizeof(*out)) : NULL;
    if (out) {
        *out = (struct outgoing){.token = c->token.pvBuffer, .last = last};
        send_bytes(c, out, c->token.cbBuffer);
        return;
    }
    FreeContextBuffer(c->token.pvBuffer);
    if (last)
        finish(c, "closed");
}

static void on_leg_done(SspiAsyncContext *call, void *data)
{
    struct connection *c = data;
    SECURITY_STATUS status = SspiGetAsyncCallStatus(call);
    c->busy = false;
    if (c->closing) {
        FreeContextBuffer(c->token.pvBuffer);
        release(c);
        return;
    }
    if (status == SEC_E_INCOMPLETE_MESSAGE) { /* nothing taken: the same leg when more has come */
        uv_read_start((uv_stream_t *)&c->tcp, on_room, on_read);
        return;
    }
    if (status == SEC_I_INCOMPLETE_CREDENTIALS) {
        start_leg(c); /* asked for a certificate: the same bytes again go on without */
        return;
    }
    if (c->state == CLOSING || (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED)) {
        if (c->state != CLOSING)
            fail(c, status);
        c->state = CLOSING;
        send_token(c, true); /* the close_notify, or an alert */
        return;
    }
    keep_rest(c, &c->in[1]);
    send_token(c, false);
    if (status == SEC_E_OK && c->state == HANDSHAKE && !c->closing) {
        c->state = OPEN;
        send_request(c);
    }
    c->post = c->post && status != SEC_E_OK;
    if (!c->closing)
        go_on(c);
}

static void on_connected(uv_connect_t *request, int error)
{
    struct connection *c = request->handle->data;
    if (error < 0)
        finish(c, uv_strerror(error));
    else
        start_leg(c);
}

static void open_connection(struct connection *c, const struct sockaddr *address)
{
    SecInvalidateHandle(&c->context); /* all-ones: none yet */
    uv_tcp_init(loop, &c->tcp);
    c->tcp.data = c;
    c->call = SspiCreateAsyncContext();
    SECURITY_STATUS status = SspiSetAsyncNotifyCallback(c->call, on_leg_done, c);
    if (status == SEC_E_OK)
        status = OsspiSetCompletionQueue(c->call, queue);
    int error = uv_tcp_connect(&c->connecting, &c->tcp, address, on_connected);
    if (status != SEC_E_OK)
        finish(c, OsspiStatusName(status));
    else if (error < 0)
        finish(c, uv_strerror(error));
}

static void on_address(uv_getaddrinfo_t *request, int error, struct addrinfo *address)
{
    (void)request;
    left = error < 0 ? 0 : count;
    if (error < 0) {
        fprintf(stderr, "%s: %s\n", host, uv_strerror(error));
        uv_close((uv_handle_t *)&completions, NULL);
        uv_close((uv_handle_t *)&timer, NULL);
    }
    for (int i = 0; i < count && error == 0; i++)
        open_connection(&connections[i], address->ai_addr);
    uv_freeaddrinfo(address);
}

static void on_completions(uv_poll_t *handle, int error, int events)
{
    (void)handle, (void)error, (void)events;
    OsspiDrainCompletions(queue, 0); /* runs on_leg_done for each leg that is done */
}

static void on_timeout(uv_timer_t *handle)
{
    (void)handle;
    if (left == 0)
        uv_cancel((uv_req_t *)&lookup); /* no address yet, so no connection */
    for (int i = 0; i < count && left > 0; i++)
        finish(&connections[i], "no answer in time");
}

static int report(void)
{
    int good = 0;
    for (int i = 0; i < count; i++) {
        struct connection *c = &connections[i];
        c->first_line[strcspn(c->first_line, "\r\n")] = '\0';
        if (c->whole)
            printf("%d: %s, %zu bytes\n", i + 1, c->first_line, c->received);
        else
            printf("%d: %s\n", i + 1, c->result);
        good += c->whole;
    }
    printf("%d of %d came whole\n", good, count);
    return good == count ? 0 : 1;
}

int main(int argc, char **argv)
{
    host = argc > 1 ? argv[1] : "localhost";
    path = argc > 4 ? argv[4] : "/";
    count = argc > 3 ? atoi(argv[3]) : 1;
    connections = calloc(count > 0 ? (size_t)count : 1, sizeof(*connections));
    loop = uv_default_loop();
    SECURITY_STATUS status =
        connections && loop ? OsspiCreateCompletionQueue(&queue) : SEC_E_INSUFFICIENT_MEMORY;
    if (status == SEC_E_OK)
        status = AcquireCredentialsHandleA(NULL, UNISP_NAME_A, SECPKG_CRED_OUTBOUND, NULL, NULL,
                                           NULL, NULL, &credential, NULL);
    if (status != SEC_E_OK)
        return fprintf(stderr, "cannot start: %s\n", OsspiStatusText(status)), 1;

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int error = uv_poll_init(loop, &completions, OsspiCompletionQueueFd(queue));
    uv_timer_init(loop, &timer);
    if (error == 0)
        error = uv_poll_start(&completions, UV_READABLE, on_completions);
    if (error == 0)
        error = uv_timer_start(&timer, on_timeout, TIMEOUT_MS, 0);
    if (error == 0)
        error = uv_getaddrinfo(loop, &lookup, on_address, host, argc > 2 ? argv[2] : "443", &hints);
    if (error < 0)
        return fprintf(stderr, "cannot start: %s\n", uv_strerror(error)), 1;
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);

    int code = report();
    FreeCredentialsHandle(&credential);
    OsspiCloseCompletionQueue(queue);
    free(connections);
    return code;
}
