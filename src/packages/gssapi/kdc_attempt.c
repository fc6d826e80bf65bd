/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Attempts; see kdc_attempt.h.
 */
#include "packages/gssapi/kdc_attempt.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

#define RESEND_NS    UINT64_C(1000000000) /* of a datagram; doubles each time */
#define DATAGRAM_MAX 65536u

static socklen_t address_len(const union osspi_address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

bool osspi_kdc_attempt_begin(struct osspi_kdc_attempt *attempt,
                             const struct osspi_kdc_target *target)
{
    const int type = target->transport == OSSPI_KDC_UDP ? SOCK_DGRAM : SOCK_STREAM;
    const int fd = socket(target->address.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return false;
    if (connect(fd, &target->address.any, address_len(&target->address)) != 0 &&
        errno != EINPROGRESS) {
        (void)close(fd);
        return false;
    }
    *attempt = (struct osspi_kdc_attempt){
        .fd = fd,
        .transport = target->transport,
        .address = target->address,
        .connected = target->transport == OSSPI_KDC_UDP,
        .interval_ns = RESEND_NS,
    };
    return true;
}

void osspi_kdc_attempt_end(struct osspi_kdc_attempt *attempt)
{
    if (attempt->fd >= 0)
        (void)close(attempt->fd);
    attempt->fd = -1;
    osspi_free(OSSPI_TAKE(attempt->reply.bytes));
}

short osspi_kdc_attempt_events(const struct osspi_kdc_attempt *attempt,
                               const struct osspi_kdc_frame *frame)
{
    return attempt->transport == OSSPI_KDC_TCP &&
                   (!attempt->connected || attempt->sent < frame->len)
               ? POLLOUT
               : POLLIN;
}

bool osspi_kdc_attempt_connected(struct osspi_kdc_attempt *attempt)
{
    int error = 0;
    socklen_t len = sizeof(error);

    attempt->connected =
        getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
    return attempt->connected;
}

/* ---- datagrams ---- */

enum osspi_kdc_progress osspi_kdc_attempt_send(struct osspi_kdc_attempt *attempt,
                                               const struct osspi_kdc_frame *frame, uint64_t now_ns)
{
    const ssize_t sent = send(attempt->fd, frame->bytes + OSSPI_KDC_PREFIX,
                              frame->len - OSSPI_KDC_PREFIX, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return OSSPI_KDC_FAILED;
    attempt->resend_ns = now_ns + attempt->interval_ns;
    attempt->interval_ns *= 2;
    return OSSPI_KDC_GOING;
}

static enum osspi_kdc_progress read_datagram(struct osspi_kdc_attempt *attempt)
{
    uint8_t *bytes osspi_auto(osspi_freep) = osspi_alloc(DATAGRAM_MAX);
    const ssize_t got = bytes ? recv(attempt->fd, bytes, DATAGRAM_MAX, 0) : -1;

    if (!bytes)
        return OSSPI_KDC_GOING;
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? OSSPI_KDC_GOING : OSSPI_KDC_FAILED;
    osspi_free(attempt->reply.bytes);
    attempt->reply.bytes = OSSPI_TAKE(bytes);
    attempt->reply.len = (size_t)got;
    return OSSPI_KDC_ANSWERED;
}

/* ---- streams ---- */

static enum osspi_kdc_progress write_stream(struct osspi_kdc_attempt *attempt,
                                            const struct osspi_kdc_frame *frame)
{
    const ssize_t sent =
        send(attempt->fd, frame->bytes + attempt->sent, frame->len - attempt->sent, MSG_NOSIGNAL);

    if (sent >= 0)
        attempt->sent += (size_t)sent;
    else if (errno != EAGAIN && errno != EINTR)
        return OSSPI_KDC_FAILED;
    return OSSPI_KDC_GOING;
}

/* Where the next bytes go, and how many may come. */
static size_t stream_room(struct osspi_kdc_attempt *attempt, uint8_t **ret_place)
{
    if (attempt->received < OSSPI_KDC_PREFIX) {
        *ret_place = attempt->prefix + attempt->received;
        return OSSPI_KDC_PREFIX - attempt->received;
    }
    *ret_place = attempt->reply.bytes + (attempt->received - OSSPI_KDC_PREFIX);
    return attempt->reply.len - (attempt->received - OSSPI_KDC_PREFIX);
}

/* The length has come. */
static enum osspi_kdc_progress take_prefix(struct osspi_kdc_attempt *attempt)
{
    const uint32_t len = (uint32_t)attempt->prefix[0] << 24 | (uint32_t)attempt->prefix[1] << 16 |
                         (uint32_t)attempt->prefix[2] << 8 | attempt->prefix[3];

    if (len == 0 || len > OSSPI_KDC_MESSAGE)
        return OSSPI_KDC_FAILED; /* no server would send it */
    attempt->reply.bytes = osspi_alloc(len);
    attempt->reply.len = len;
    return attempt->reply.bytes ? OSSPI_KDC_GOING : OSSPI_KDC_NO_MEMORY;
}

static enum osspi_kdc_progress read_stream(struct osspi_kdc_attempt *attempt)
{
    uint8_t *place;
    const size_t room = stream_room(attempt, &place);
    const ssize_t got = recv(attempt->fd, place, room, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return OSSPI_KDC_GOING;
    if (got <= 0)
        return OSSPI_KDC_FAILED;
    attempt->received += (size_t)got;
    if (attempt->received == OSSPI_KDC_PREFIX)
        return take_prefix(attempt);
    return attempt->received > OSSPI_KDC_PREFIX &&
                   attempt->received == OSSPI_KDC_PREFIX + attempt->reply.len
               ? OSSPI_KDC_ANSWERED
               : OSSPI_KDC_GOING;
}

enum osspi_kdc_progress osspi_kdc_attempt_work(struct osspi_kdc_attempt *attempt,
                                               const struct osspi_kdc_frame *frame)
{
    if (attempt->transport == OSSPI_KDC_UDP)
        return read_datagram(attempt);
    return attempt->sent < frame->len ? write_stream(attempt, frame) : read_stream(attempt);
}
