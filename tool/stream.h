/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The client side of one TLS connection over a socket, as `sspi connect` makes it.
 *
 * By default each leg is SspiInitializeSecurityContextAsync on one asynchronous context that is
 * used again and again; its completion queue's descriptor is polled beside the socket. With `sync`
 * the same legs are InitializeSecurityContext. One thread; functions block in poll, within
 * deadlines.
 */
#ifndef SSPI_TOOL_STREAM_H
#define SSPI_TOOL_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <opensspi.h>
#include <sspi.h>

#include "bytes.h"
#include "caller.h"
#include "timeline.h"
#include "tls.h"

/** How an operation on a stream ended. */
enum stream_result {
    STREAM_OK,
    STREAM_CLOSED,  /* the peer sent close_notify */
    STREAM_EOF,     /* the connection ended without one */
    STREAM_TIMEOUT, /* the deadline passed */
    STREAM_TLS,     /* stream->status tells */
    STREAM_SYSTEM   /* stream->error (an errno value) tells */
};

struct stream {
    /* Set before stream_init. */
    struct caller caller; /* `sync` alone */
    bool clear;           /* no TLS at all */
    const char *target;   /* name that the server must prove */
    ULONG flags;          /* ISC_REQ_..., beside those that every stream has */
    struct tls_alpn alpn;
    int64_t deadline_ms; /* monotonic; may be moved at any time */
    /* Asked once, as soon as the server's certificate is known and before anything that comes of it
     * is sent; what is not SEC_E_OK ends the handshake. NULL: the package's own verdict is enough.
     */
    SECURITY_STATUS (*judge)(void *data, PCCERT_CONTEXT cert);
    void *judge_data;
    /* The stream's own. */
    int fd;
    CredHandle credential;
    CtxtHandle context; /* all-ones: none */
    SECURITY_STATUS status;
    int error;
    bool judged;
    ULONG attributes;
    SecPkgContext_StreamSizes sizes;
    struct bytes wire;     /* received, not opened */
    struct bytes plain;    /* opened */
    struct bytes outgoing; /* sealed, not sent */
    struct timeline_legs legs;
};

/** Makes what the calls need; SEC_E_OK or why not. */
SECURITY_STATUS stream_init(struct stream *stream);

/** Acquires the credential (asynchronously unless sync) of a package that speaks TLS: UNISP_NAME_A,
 * CREDSSP_NAME_A. */
SECURITY_STATUS stream_acquire(struct stream *stream, const char *package, PVOID auth_data);

/** Speaks TLS over a connected, non-blocking socket, which the stream takes over. */
enum stream_result stream_handshake(struct stream *stream, int fd);

/** Opens what has come, also messages after the handshake. Does not wait for more. */
enum stream_result stream_open_records(struct stream *stream);

/** Receives once without waiting, and opens it. STREAM_OK also if nothing was there. */
enum stream_result stream_receive(struct stream *stream);

/** Seals data into `outgoing`. */
enum stream_result stream_seal(struct stream *stream, const void *data, size_t len);

/** Sends from `outgoing` what the socket takes without waiting. */
enum stream_result stream_send(struct stream *stream);

/** Waits until the socket has something to read; STREAM_TIMEOUT at the deadline. */
enum stream_result stream_await(struct stream *stream);

/** Sends all of `outgoing`, waiting for the socket until the deadline. */
enum stream_result stream_send_all(struct stream *stream);

/** Sends our close_notify. */
enum stream_result stream_shutdown(struct stream *stream);

/** Deletes the context and closes the socket; the stream can handshake again. */
void stream_disconnect(struct stream *stream);

/** Frees the rest. */
void stream_clear(struct stream *stream);

#endif
