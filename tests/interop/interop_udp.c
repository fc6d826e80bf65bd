/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * UDP sockets for an end of ours; see interop_udp.h. The functions datagram_...() at the end are
 * what that end calls; the property test has others of these names.
 */
#include "interop_udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS (TEST_SANITIZED ? 80000 : 20000)

struct datagram_counts datagram_counts;

static struct interop_udp *udp_of(struct datagram_end *end)
{
    return (struct interop_udp *)((char *)end->run - offsetof(struct interop_udp, run));
}

/* ---- sockets ---- */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void open_socket(struct interop_udp *udp)
{
    const struct sockaddr_in here = loopback(0);

    TEST_REQUIRE_EQUAL(udp->fd, -1);
    udp->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    TEST_REQUIRE(udp->fd >= 0);
    TEST_REQUIRE(bind(udp->fd, (const struct sockaddr *)&here, sizeof(here)) == 0);
}

static void know(struct interop_udp *udp, const struct sockaddr_in *peer)
{
    TEST_REQUIRE(connect(udp->fd, (const struct sockaddr *)peer, sizeof(*peer)) == 0);
    peer_clear(&udp->end->address);
    peer_push(&udp->end->address, peer, sizeof(*peer));
    udp->known = true;
}

void interop_udp_connect(struct interop_udp *udp, uint16_t port)
{
    const struct sockaddr_in peer = loopback(port);

    open_socket(udp);
    know(udp, &peer);
    udp->end->library->begin(udp->end);
}

uint16_t interop_udp_listen(struct interop_udp *udp)
{
    struct sockaddr_in here;
    socklen_t len = sizeof(here);

    open_socket(udp);
    TEST_REQUIRE(getsockname(udp->fd, (struct sockaddr *)&here, &len) == 0);
    udp->end->library->begin(udp->end);
    return ntohs(here.sin_port);
}

/* ---- our end ---- */

void interop_udp_open(struct interop_udp *udp, bool server, const struct datagram_setup *setup,
                      struct interop_process *peer)
{
    *udp = (struct interop_udp){.fd = -1, .peer = peer};
    udp->run.setup = *setup;
    udp->run.ends[server] =
        (struct datagram_end){.library = &datagram_ours, .run = &udp->run, .server = server};
    udp->end = &udp->run.ends[server];
    udp->end->library->share_new(udp->end);
}

void interop_udp_disconnect(struct interop_udp *udp)
{
    struct datagram_end *end = udp->end;

    if (end->session)
        end->library->finish(end);
    end->up = end->closed = end->failed = false;
    datagram_watch_free(&udp->run.watches[end->server]);
    peer_clear(&udp->plain);
    peer_clear(&end->address);
    if (udp->fd >= 0)
        close(udp->fd);
    udp->fd = -1;
    udp->known = false;
    udp->sent = 0;
}

void interop_udp_free(struct interop_udp *udp)
{
    interop_udp_disconnect(udp);
    udp->end->library->share_free(udp->end);
}

/* ---- turning ---- */

static bool receive_one(struct interop_udp *udp)
{
    uint8_t bytes[65536];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    ssize_t len = recvfrom(udp->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &from_len);
    uint8_t *copy;

    if (len < 0)
        TEST_REQUIRE(errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED);
    if (len < 0)
        return false;
    if (!udp->known)
        know(udp, &from);
    copy = malloc((size_t)len + 1);
    TEST_REQUIRE(copy != NULL);
    memcpy(copy, bytes, (size_t)len);
    if (!udp->end->failed)
        udp->end->library->receive(udp->end, copy, (size_t)len);
    free(copy);
    return true;
}

void interop_udp_turn(struct interop_udp *udp)
{
    const uint64_t now = datagram_now(), timer = udp->end->library->timer(udp->end);
    const uint64_t left = timer > now ? timer - now : 0;
    const bool timed = left < PATIENCE_MS;
    struct pollfd items[3];
    int count;

    interop_poll_prepare(udp->peer, items);
    items[2] = (struct pollfd){.fd = udp->fd, .events = POLLIN};
    do {
        count = poll(items, 3, timed ? (int)left : PATIENCE_MS);
    } while (count < 0 && errno == EINTR);
    TEST_REQUIRE(count > 0 || (count == 0 && timed)); /* otherwise all are silent for too long */
    interop_poll_handle(udp->peer, items);
    if (items[2].revents) {
        while (receive_one(udp))
            continue;
    }
    if (!udp->end->failed && udp->end->library->timer(udp->end) <= datagram_now())
        udp->end->library->expired(udp->end);
}

void interop_udp_require_fine(const struct interop_udp *udp)
{
    if (udp->end->failed)
        fprintf(stderr, "our end has failed: %s\n", udp->end->words);
    TEST_REQUIRE(!udp->end->failed);
}

void interop_udp_handshake(struct interop_udp *udp)
{
    INTEROP_UDP_UNTIL(udp, udp->end->up);
}

void interop_udp_send(struct interop_udp *udp, const void *data, size_t len)
{
    udp->end->library->write(udp->end, data, len);
}

void interop_udp_expect(struct interop_udp *udp, const void *data, size_t len)
{
    INTEROP_UDP_UNTIL(udp, udp->plain.len >= len);
    TEST_REQUIRE(memcmp(udp->plain.bytes, data, len) == 0);
    peer_drop(&udp->plain, len);
}

/* ---- what the end calls ---- */

uint64_t datagram_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t datagram_pick(struct datagram_run *run, uint64_t bound)
{
    return (test_random(&run->random) >> 16) % bound;
}

void datagram_send(struct datagram_end *end, const uint8_t *bytes, size_t len)
{
    struct interop_udp *udp = udp_of(end);

    datagram_watch_sent(end, &udp->run.watches[end->server], bytes, len);
    if (udp->sent++ < 32 && udp->lost >> (udp->sent - 1) & 1)
        return;
    /* A datagram that cannot be sent now is as good as lost on the way. */
    if (send(udp->fd, bytes, len, 0) < 0)
        TEST_REQUIRE(errno == EAGAIN || errno == ECONNREFUSED || errno == ENOBUFS);
}

void datagram_arrived(struct datagram_end *end, const uint8_t *data, size_t len)
{
    peer_push(&udp_of(end)->plain, data, len);
}
