/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * TLS for a program with one thread per connection: four functions over a socket, on the
 * synchronous calls of SSPI. Below them is a client that uses them: blocking HOST [PORT [PATH]]
 *
 *  tls_connect  connects and shakes hands; the peer is verified
 *  tls_read     like read: 0 at the peer's close_notify, -1 for anything else that ends it. An end
 *               without close_notify is an error: whoever can cut the line can make one
 *  tls_write    like write, but all or nothing
 *  tls_close    says goodbye and frees everything; also for a connection that failed
 *
 * All may be interrupted by signals, and time limits of the socket (SO_RCVTIMEO) hold. One thread
 * per struct tls at a time. SSL_CERT_FILE names other roots than the system's.
 */
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common.h"

#define FLAGS (ISC_REQ_STREAM | ISC_REQ_ALLOCATE_MEMORY | ISC_REQ_EXTENDED_ERROR)

struct tls {
    int fd;
    CredHandle credential;
    CtxtHandle context;
    SecPkgContext_StreamSizes sizes;
    SECURITY_STATUS status; /* why it failed; SEC_E_OK: see error */
    int error;              /* errno of the socket; 0: the peer has gone without a word */
    char host[256];
    size_t have; /* bytes in wire */
    unsigned char wire[32768];
    size_t plain, at; /* opened bytes not yet read, and where in wire they are */
    size_t after;     /* and the bytes behind their record */
};

static int fail(struct tls *tls, SECURITY_STATUS status, int error)
{
    tls->status = status;
    tls->error = error;
    return -1;
}

static int send_all(struct tls *tls, const void *bytes, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t count = send(tls->fd, (const char *)bytes + sent, len - sent, MSG_NOSIGNAL);
        if (count >= 0)
            sent += (size_t)count;
        else if (errno != EINTR)
            return fail(tls, SEC_E_OK, errno);
    }
    return 0;
}

static int receive(struct tls *tls)
{
    ssize_t count;
    if (tls->have == sizeof(tls->wire)) /* cannot be: a record is smaller */
        return fail(tls, SEC_E_INTERNAL_ERROR, 0);
    do {
        count = recv(tls->fd, tls->wire + tls->have, sizeof(tls->wire) - tls->have, 0);
    } while (count < 0 && errno == EINTR);
    if (count <= 0)
        return fail(tls, SEC_E_OK, count < 0 ? errno : 0);
    tls->have += (size_t)count;
    return 0;
}

static void keep_rest(struct tls *tls, const SecBuffer *extra)
{
    size_t rest = extra->BufferType == SECBUFFER_EXTRA ? extra->cbBuffer : 0;
    memmove(tls->wire, tls->wire + tls->have - rest, rest);
    tls->have = rest;
}

/* One leg on what is there (on nothing, for the goodbye); sends what it gives. */
static SECURITY_STATUS leg(struct tls *tls, bool goodbye)
{
    bool first = !SecIsValidHandle(&tls->context);
    SecBuffer in[2] = {{(ULONG)tls->have, SECBUFFER_TOKEN, tls->wire}}; /* [1]: for EXTRA */
    SecBuffer out = {0, SECBUFFER_TOKEN, NULL};
    SecBufferDesc input = {SECBUFFER_VERSION, 2, in}, output = {SECBUFFER_VERSION, 1, &out};
    ULONG granted;
    SECURITY_STATUS status = InitializeSecurityContextA(
        &tls->credential, first ? NULL : &tls->context, tls->host, FLAGS, 0, 0,
        first || goodbye ? NULL : &input, 0, &tls->context, &output, &granted, NULL);
    /* After a failure too: then it is the alert that tells the peer why. */
    int sent = out.pvBuffer ? send_all(tls, out.pvBuffer, out.cbBuffer) : 0;
    FreeContextBuffer(out.pvBuffer);
    if (!first && !goodbye && (status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED))
        keep_rest(tls, &in[1]);
    if (sent < 0 && (status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED))
        return SEC_E_INTERNAL_ERROR; /* tls->error says more */
    if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED &&
        status != SEC_E_INCOMPLETE_MESSAGE && status != SEC_I_INCOMPLETE_CREDENTIALS)
        fail(tls, status, 0);
    return status;
}

/* Legs until one is satisfied: the handshake, or a message that comes after it. */
static int shake_hands(struct tls *tls)
{
    SECURITY_STATUS status;
    do {
        status = leg(tls, false);
        if (status == SEC_E_INCOMPLETE_MESSAGE || (status == SEC_I_CONTINUE_NEEDED && !tls->have)) {
            if (receive(tls) < 0)
                return -1;
        }
        /* Asked for a certificate, and there is none: the same bytes again go on without. */
    } while (status == SEC_I_CONTINUE_NEEDED || status == SEC_E_INCOMPLETE_MESSAGE ||
             status == SEC_I_INCOMPLETE_CREDENTIALS);
    return status == SEC_E_OK ? 0 : -1;
}

static int connect_socket(struct tls *tls, const char *port)
{
    struct timeval limit = {.tv_sec = 60};
    struct addrinfo *list, hints = {.ai_socktype = SOCK_STREAM};
    if (getaddrinfo(tls->host, port, &hints, &list) != 0)
        return fail(tls, SEC_E_TARGET_UNKNOWN, 0);
    for (struct addrinfo *to = list; to && tls->fd < 0; to = to->ai_next) {
        tls->fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC, to->ai_protocol);
        if (tls->fd < 0)
            continue;
        setsockopt(tls->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        setsockopt(tls->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        if (connect(tls->fd, to->ai_addr, to->ai_addrlen) < 0) {
            fail(tls, SEC_E_OK, errno);
            close(tls->fd);
            tls->fd = -1;
        }
    }
    freeaddrinfo(list);
    return tls->fd < 0 ? -1 : 0;
}

/* Prepares *tls and connects. After 0 or -1 alike, tls_close is due. */
static int tls_connect(struct tls *tls, const char *host, const char *port)
{
    memset(tls, 0, sizeof(*tls));
    tls->fd = -1;
    SecInvalidateHandle(&tls->credential);
    SecInvalidateHandle(&tls->context);
    if (snprintf(tls->host, sizeof(tls->host), "%s", host) >= (int)sizeof(tls->host))
        return fail(tls, SEC_E_TARGET_UNKNOWN, 0);
    SECURITY_STATUS status = AcquireCredentialsHandleA(
        NULL, UNISP_NAME_A, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL, &tls->credential, NULL);
    if (status != SEC_E_OK)
        return fail(tls, status, 0);
    if (connect_socket(tls, port) < 0 || shake_hands(tls) < 0)
        return -1;
    status = QueryContextAttributesA(&tls->context, SECPKG_ATTR_STREAM_SIZES, &tls->sizes);
    return status == SEC_E_OK ? 0 : fail(tls, status, 0);
}

/* Opens the next record in place. 1: done (its data may be empty); 0: the peer's end; -1: over. */
static int open_record(struct tls *tls)
{
    SecBuffer parts[4] = {{(ULONG)tls->have, SECBUFFER_DATA, tls->wire}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 4, parts};
    SECURITY_STATUS status =
        tls->have > 0 ? DecryptMessage(&tls->context, &desc, 0, NULL) : SEC_E_INCOMPLETE_MESSAGE;
    switch (status) {
    case SEC_E_OK:
        tls->plain = parts[1].cbBuffer;
        if (tls->plain == 0) { /* a record without content, or one that a leg has taken */
            keep_rest(tls, &parts[3]);
            return 1;
        }
        tls->at = (size_t)((unsigned char *)parts[1].pvBuffer - tls->wire);
        tls->after = parts[3].BufferType == SECBUFFER_EXTRA ? parts[3].cbBuffer : 0;
        return 1;
    case SEC_E_INCOMPLETE_MESSAGE:
        return receive(tls) < 0 ? -1 : 1;
    case SEC_I_RENEGOTIATE: /* a ticket, a KeyUpdate: the record is left in wire for a leg */
        return shake_hands(tls) < 0 ? -1 : 1;
    case SEC_I_CONTEXT_EXPIRED:
        return 0;
    default:
        return fail(tls, status, 0);
    }
}

static ssize_t tls_read(struct tls *tls, void *buffer, size_t size)
{
    while (tls->plain == 0) {
        /* The record before is used up: what came behind it moves to the front. */
        if (tls->at != 0) {
            memmove(tls->wire, tls->wire + tls->have - tls->after, tls->after);
            tls->have = tls->after;
            tls->at = tls->after = 0;
        }
        int result = open_record(tls);
        if (result <= 0)
            return result;
    }
    size_t count = size < tls->plain ? size : tls->plain;
    memcpy(buffer, tls->wire + tls->at, count);
    tls->at += count;
    tls->plain -= count;
    return (ssize_t)count;
}

static int tls_write(struct tls *tls, const void *data, size_t len)
{
    unsigned char record[17408]; /* 16 KiB of data is the most; header and trailer need less */
    while (len > 0) {
        size_t part = len < tls->sizes.cbMaximumMessage ? len : tls->sizes.cbMaximumMessage;
        if (tls->sizes.cbHeader + part + tls->sizes.cbTrailer > sizeof(record))
            return fail(tls, SEC_E_BUFFER_TOO_SMALL, 0);
        size_t count = example_seal(&tls->context, &tls->sizes, record, data, part);
        if (count == 0)
            return fail(tls, SEC_E_CONTEXT_EXPIRED, 0);
        if (send_all(tls, record, count) < 0)
            return -1;
        data = (const char *)data + part;
        len -= part;
    }
    return 0;
}

static void tls_close(struct tls *tls)
{
    if (tls->sizes.cbMaximumMessage > 0 && example_goodbye(&tls->context) == SEC_E_OK)
        leg(tls, true);
    if (SecIsValidHandle(&tls->context))
        DeleteSecurityContext(&tls->context);
    if (SecIsValidHandle(&tls->credential))
        FreeCredentialsHandle(&tls->credential);
    if (tls->fd >= 0)
        close(tls->fd);
}

static const char *why(const struct tls *tls)
{
    if (tls->status != SEC_E_OK)
        return OsspiStatusText(tls->status);
    return tls->error ? strerror(tls->error) : "the server ended the connection in the middle";
}

/* Asks for a page and copies the answer to standard output. */
static int get(struct tls *tls, const char *path)
{
    char text[1024], data[4096];
    int len =
        snprintf(text, sizeof(text), "GET %.600s HTTP/1.0\r\nHost: %s\r\n\r\n", path, tls->host);
    if (tls_write(tls, text, (size_t)len) < 0)
        return -1;
    ssize_t count;
    while ((count = tls_read(tls, data, sizeof(data))) > 0) {
        if (fwrite(data, 1, (size_t)count, stdout) != (size_t)count)
            return fail(tls, SEC_E_OK, errno);
    }
    return (int)count;
}

int main(int argc, char **argv)
{
    static struct tls tls; /* guarded by nothing: there is one thread */
    const char *host = argc > 1 ? argv[1] : "example.org";
    int result = tls_connect(&tls, host, argc > 2 ? argv[2] : "443");
    if (result == 0)
        result = get(&tls, argc > 3 ? argv[3] : "/");
    if (result < 0) {
        char detail[256] = "";
        if (SecIsValidHandle(&tls.context))
            OsspiGetErrorDetail(&tls.context, detail, sizeof(detail));
        fprintf(stderr, "%s: %s%s%s\n", host, why(&tls), detail[0] ? ": " : "", detail);
    }
    tls_close(&tls);
    return result < 0 ? 1 : 0;
}
