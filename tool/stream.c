/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The client side of one TLS connection: credential, legs, records, shutdown.
 */
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "record.h"

#define STREAM_FLAGS \
    (ISC_REQ_CONFIDENTIALITY | ISC_REQ_REPLAY_DETECT | ISC_REQ_SEQUENCE_DETECT | ISC_REQ_STREAM | \
     ISC_REQ_ALLOCATE_MEMORY | ISC_REQ_EXTENDED_ERROR)
#define READ_SIZE  16384
#define WIRE_LIMIT 262144 /* no flight of a server comes near this */

SECURITY_STATUS stream_init(struct stream *stream)
{
    stream->fd = -1;
    SecInvalidateHandle(&stream->credential);
    SecInvalidateHandle(&stream->context);
    return caller_init(&stream->caller);
}

SECURITY_STATUS stream_acquire(struct stream *stream, const char *package, PVOID auth_data)
{
    char *name = (char *)package;
    if (stream->caller.sync)
        return AcquireCredentialsHandleA(NULL, name, SECPKG_CRED_OUTBOUND, NULL, auth_data, NULL,
                                         NULL, &stream->credential, NULL);
    caller_begin(&stream->caller, stream->deadline_ms);
    return caller_await(&stream->caller,
                        SspiAcquireCredentialsHandleAsyncA(stream->caller.call, NULL, name,
                                                           SECPKG_CRED_OUTBOUND, NULL, auth_data,
                                                           NULL, NULL, &stream->credential, NULL));
}

/* --- Legs ----------------------------------------------------------------------------------------
 */

/* Makes one call; in may be NULL. */
static SECURITY_STATUS call_leg(struct stream *stream, PSecBufferDesc in, PSecBufferDesc out)
{
    bool first = !SecIsValidHandle(&stream->context);
    PCtxtHandle context = first ? NULL : &stream->context;
    ULONG flags = STREAM_FLAGS | stream->flags;
    if (stream->caller.sync)
        return InitializeSecurityContextA(&stream->credential, context, (char *)stream->target,
                                          flags, 0, SECURITY_NATIVE_DREP, in, 0, &stream->context,
                                          out, &stream->attributes, NULL);
    caller_begin(&stream->caller, stream->deadline_ms);
    return caller_await(&stream->caller,
                        SspiInitializeSecurityContextAsyncA(
                            stream->caller.call, &stream->credential, context,
                            (char *)stream->target, flags, 0, SECURITY_NATIVE_DREP, in, 0,
                            &stream->context, out, &stream->attributes, NULL));
}

static void log_leg(struct stream *stream, const struct timeline_leg *leg)
{
    if (stream->legs.count < TIMELINE_LEGS)
        stream->legs.legs[stream->legs.count] = *leg;
    stream->legs.count++;
}

/* One leg on what has been received (nothing, if shutdown): its output goes to `outgoing`, its
 * input is consumed as far as it was used. */
static SECURITY_STATUS make_leg(struct stream *stream, bool shutdown)
{
    bool first = !SecIsValidHandle(&stream->context);
    SecBuffer in[2] = {{(ULONG)stream->wire.len, SECBUFFER_TOKEN, stream->wire.data},
                       {0, SECBUFFER_EMPTY, NULL}};
    SecBuffer alpn = {stream->alpn.len, SECBUFFER_APPLICATION_PROTOCOLS, stream->alpn.bytes};
    SecBuffer out = {0, SECBUFFER_TOKEN, NULL};
    SecBufferDesc in_desc = {SECBUFFER_VERSION, 2, in};
    SecBufferDesc alpn_desc = {SECBUFFER_VERSION, 1, &alpn};
    SecBufferDesc out_desc = {SECBUFFER_VERSION, 1, &out};
    PSecBufferDesc input = shutdown ? NULL : &in_desc;
    if (first)
        input = stream->alpn.len > 0 ? &alpn_desc : NULL;

    struct timeline_leg leg = {.begin_us = net_now_us(),
                               .input = input == &in_desc ? in[0].cbBuffer : 0};
    leg.status = call_leg(stream, input, &out_desc);
    leg.end_us = net_now_us();
    leg.output = out.pvBuffer ? out.cbBuffer : 0;
    log_leg(stream, &leg);

    bool memory = bytes_append(&stream->outgoing, out.pvBuffer, leg.output);
    FreeContextBuffer(out.pvBuffer);
    if (input == &in_desc && leg.status != SEC_E_INCOMPLETE_MESSAGE) {
        ULONG left = in[1].BufferType == SECBUFFER_EXTRA ? in[1].cbBuffer : 0;
        bytes_consume(&stream->wire, stream->wire.len - (left <= leg.input ? left : leg.input));
    }
    return memory ? leg.status : SEC_E_INSUFFICIENT_MEMORY;
}

/* --- The socket ----------------------------------------------------------------------------------
 */

static enum stream_result fail_tls(struct stream *stream, SECURITY_STATUS status)
{
    stream->status = status;
    return STREAM_TLS;
}

static enum stream_result fail_system(struct stream *stream, int error)
{
    stream->error = error;
    return STREAM_SYSTEM;
}

static enum stream_result await_socket(struct stream *stream, short events)
{
    for (;;) {
        struct pollfd item = {.fd = stream->fd, .events = events};
        int count = poll(&item, 1, net_left_ms(stream->deadline_ms));
        if (count > 0)
            return STREAM_OK;
        if (count == 0)
            return STREAM_TIMEOUT;
        if (errno != EINTR)
            return fail_system(stream, errno);
    }
}

enum stream_result stream_send(struct stream *stream)
{
    while (stream->outgoing.len > 0) {
        ssize_t count = send(stream->fd, stream->outgoing.data, stream->outgoing.len, MSG_NOSIGNAL);
        if (count > 0)
            bytes_consume(&stream->outgoing, (size_t)count);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return STREAM_OK;
        else if (errno != EINTR)
            return fail_system(stream, errno);
    }
    return STREAM_OK;
}

enum stream_result stream_send_all(struct stream *stream)
{
    for (;;) {
        enum stream_result result = stream_send(stream);
        if (result != STREAM_OK || stream->outgoing.len == 0)
            return result;
        result = await_socket(stream, POLLOUT);
        if (result != STREAM_OK)
            return result;
    }
}

enum stream_result stream_await(struct stream *stream)
{
    return await_socket(stream, POLLIN);
}

/* Reads once into `wire`; *ret_count is 0 if nothing is there now. */
static enum stream_result read_wire(struct stream *stream, size_t *ret_count)
{
    *ret_count = 0;
    if (stream->wire.len > WIRE_LIMIT)
        return fail_tls(stream, SEC_E_ILLEGAL_MESSAGE);
    if (!bytes_reserve(&stream->wire, READ_SIZE))
        return fail_tls(stream, SEC_E_INSUFFICIENT_MEMORY);
    ssize_t count;
    do {
        count = recv(stream->fd, stream->wire.data + stream->wire.len, READ_SIZE, 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_OK : fail_system(stream, errno);
    if (count == 0)
        return STREAM_EOF;
    stream->wire.len += (size_t)count;
    *ret_count = (size_t)count;
    return STREAM_OK;
}

static enum stream_result read_more(struct stream *stream)
{
    for (;;) {
        size_t count;
        enum stream_result result = await_socket(stream, POLLIN);
        if (result == STREAM_OK)
            result = read_wire(stream, &count);
        if (result != STREAM_OK || count > 0)
            return result;
    }
}

/* --- Handshake, records, shutdown ----------------------------------------------------------------
 */

/* The server's certificate, once a leg has brought it; true: nothing speaks against going on. */
static bool judge(struct stream *stream, bool last)
{
    PCCERT_CONTEXT cert = NULL;
    if (!stream->judge || stream->judged)
        return true;
    if (QueryContextAttributesA(&stream->context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &cert) !=
            SEC_E_OK ||
        !cert) {
        stream->status = SEC_E_CERT_UNKNOWN;
        return !last;
    }
    stream->status = stream->judge(stream->judge_data, cert);
    stream->judged = stream->status == SEC_E_OK;
    CertFreeCertificateContext(cert);
    return stream->judged;
}

/* After a leg: sends its output, and says in *ret_more whether another leg wants more bytes. */
static enum stream_result settle_leg(struct stream *stream, SECURITY_STATUS status, bool *ret_more)
{
    *ret_more = status == SEC_I_CONTINUE_NEEDED || status == SEC_E_INCOMPLETE_MESSAGE ||
                status == SEC_I_INCOMPLETE_CREDENTIALS;
    if ((status == SEC_E_OK || *ret_more) && !judge(stream, status == SEC_E_OK)) {
        bytes_clear(&stream->outgoing); /* nothing more goes to whoever this is */
        return STREAM_TLS;
    }
    enum stream_result sent = stream_send_all(stream);
    if (status != SEC_E_OK && !*ret_more)
        return fail_tls(stream, status); /* weighs more than an alert that could not be sent */
    return sent;
}

enum stream_result stream_handshake(struct stream *stream, int fd)
{
    stream->fd = fd;
    if (stream->clear)
        return STREAM_OK;
    SECURITY_STATUS status = make_leg(stream, false);
    bool more;
    enum stream_result result = settle_leg(stream, status, &more);
    while (result == STREAM_OK && more) {
        /* Asked for a certificate, and there is none: the next leg goes on without. */
        bool asked = status == SEC_I_INCOMPLETE_CREDENTIALS;
        if (!asked && (stream->wire.len == 0 || status == SEC_E_INCOMPLETE_MESSAGE))
            result = read_more(stream);
        if (result != STREAM_OK)
            break;
        status = make_leg(stream, false);
        result = settle_leg(stream, status, &more);
    }
    if (result != STREAM_OK)
        return result;
    status = QueryContextAttributesA(&stream->context, SECPKG_ATTR_STREAM_SIZES, &stream->sizes);
    return status == SEC_E_OK ? STREAM_OK : fail_tls(stream, status);
}

/* A message after the handshake (ticket, KeyUpdate, request to renegotiate) stands at the beginning
 * of `wire`. Legs read it until one is satisfied. */
static enum stream_result post_handshake(struct stream *stream)
{
    for (;;) {
        size_t before = stream->wire.len;
        SECURITY_STATUS status = make_leg(stream, false);
        bool more;
        enum stream_result result = settle_leg(stream, status, &more);
        if (result != STREAM_OK || !more) {
            if (result == STREAM_OK && before > 0 && stream->wire.len == before)
                return fail_tls(stream, SEC_E_INTERNAL_ERROR); /* would go round for ever */
            return result;
        }
        if (stream->wire.len == 0 || status == SEC_E_INCOMPLETE_MESSAGE)
            result = read_more(stream);
        if (result != STREAM_OK)
            return result;
    }
}

/* Without TLS what comes is what was said. */
static enum stream_result take_clear(struct stream *stream)
{
    if (!bytes_append(&stream->plain, stream->wire.data, stream->wire.len))
        return fail_tls(stream, SEC_E_INSUFFICIENT_MEMORY);
    bytes_consume(&stream->wire, stream->wire.len);
    return STREAM_OK;
}

enum stream_result stream_open_records(struct stream *stream)
{
    if (stream->clear)
        return take_clear(stream);
    while (stream->wire.len > 0) {
        SECURITY_STATUS status = record_open(&stream->context, &stream->wire, &stream->plain);
        if (status == SEC_E_INCOMPLETE_MESSAGE)
            return STREAM_OK;
        if (status == SEC_I_CONTEXT_EXPIRED)
            return STREAM_CLOSED;
        if (status == SEC_I_RENEGOTIATE) {
            enum stream_result result = post_handshake(stream);
            if (result != STREAM_OK)
                return result;
        } else if (status != SEC_E_OK) {
            return fail_tls(stream, status);
        }
    }
    return STREAM_OK;
}

enum stream_result stream_receive(struct stream *stream)
{
    size_t count;
    enum stream_result result = read_wire(stream, &count);
    return result == STREAM_OK ? stream_open_records(stream) : result;
}

enum stream_result stream_seal(struct stream *stream, const void *data, size_t len)
{
    SECURITY_STATUS status = SEC_E_OK;
    if (!stream->clear)
        status = record_seal(&stream->context, &stream->sizes, data, len, &stream->outgoing);
    else if (!bytes_append(&stream->outgoing, data, len))
        status = SEC_E_INSUFFICIENT_MEMORY;
    return status == SEC_E_OK ? STREAM_OK : fail_tls(stream, status);
}

enum stream_result stream_shutdown(struct stream *stream)
{
    if (!SecIsValidHandle(&stream->context) || !tls_ask_shutdown(&stream->context))
        return STREAM_OK;
    SECURITY_STATUS status = make_leg(stream, true);
    if (status != SEC_E_OK && status != SEC_I_CONTEXT_EXPIRED && status != SEC_E_CONTEXT_EXPIRED)
        return fail_tls(stream, status);
    return stream_send_all(stream);
}

void stream_disconnect(struct stream *stream)
{
    if (SecIsValidHandle(&stream->context) && stream->caller.call) {
        caller_begin(&stream->caller, stream->deadline_ms);
        caller_await(&stream->caller,
                     SspiDeleteSecurityContextAsync(stream->caller.call, &stream->context));
        SecInvalidateHandle(&stream->context);
    }
    tls_delete(&stream->context);
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    bytes_clear(&stream->wire);
    bytes_clear(&stream->plain);
    bytes_clear(&stream->outgoing);
    stream->judged = false;
}

void stream_clear(struct stream *stream)
{
    stream_disconnect(stream);
    if (SecIsValidHandle(&stream->credential))
        FreeCredentialsHandle(&stream->credential);
    caller_clear(&stream->caller);
}
