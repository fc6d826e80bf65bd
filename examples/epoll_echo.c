/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A TLS echo server on epoll. One thread moves bytes for all clients; the library's threads compute
 * the handshakes, and the results come back through a completion queue, whose descriptor is in the
 * same epoll set as the sockets. Usage: epoll_echo CERT.pem KEY.pem [PORT]
 *
 *  many clients   a leg never holds up the loop, and its callback runs in OsspiDrainCompletions, on
 *                 this thread: nothing here needs a lock
 *  backpressure   who sends and does not read what comes back is not read from any more
 *  half-close     who has sent close_notify still gets the rest of the echo, then ours
 *  the end        on SIGINT or SIGTERM everybody gets a close_notify; two seconds, and it is over
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

enum {
    WIRE_SIZE = 32768, /* more than a record, so that there is always one that can be finished */
    OUT_SIZE = 131072,
    OUT_NEEDED = 65536,   /* room for what one step may add: a flight of the handshake, a record */
    HANDSHAKE_MS = 30000, /* from the first byte to the last; later each byte buys time */
    IDLE_MS = 60000,
    GRACE_MS = 2000,
};

#define FLAGS (ASC_REQ_STREAM | ASC_REQ_ALLOCATE_MEMORY | ASC_REQ_EXTENDED_ERROR)

enum state { HANDSHAKE, OPEN, CLOSING, SAID_ALL, GONE };

struct peer {
    LIST_ENTRY(peer) link;
    int fd;
    enum state state;
    bool busy;        /* a leg is under way: context, wire and what follows are the library's */
    bool starved;     /* wire holds a part of a record, and nothing else */
    bool post;        /* a message for the handshake has come after it: a leg takes it */
    bool ended;       /* the client has closed its direction, after its close_notify */
    uint32_t watched; /* what epoll looks for */
    int64_t deadline_ms;
    CtxtHandle context;
    SspiAsyncContext *call; /* one for all legs: there is never more than one at a time */
    SecBuffer in[2], token;
    SecBufferDesc input, output;
    ULONG granted;
    SecPkgContext_StreamSizes sizes;
    size_t have, sent, filled; /* bytes in wire; bytes of out that are sent, and that there are */
    unsigned char wire[WIRE_SIZE], out[OUT_SIZE];
};

LIST_HEAD(peers, peer);
/* Used by the only thread there is. The addresses of these descriptors are their names in epoll. */
static struct peers live, gone;
static int loop, listener, signals, completions;
static int64_t stop_ms; /* when the farewell is over; 0: not asked to stop */
static CredHandle credential;
static OsspiCompletionQueue *queue;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void touch(struct peer *peer)
{
    if (peer->state != HANDSHAKE)
        peer->deadline_ms = now_ms() + IDLE_MS;
}

static bool add(int fd, void *name)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = name};
    return epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* The connection ends now. Its memory stays until the turn of the loop is over (other events may
 * name it) and until no leg works on it. */
static void drop(struct peer *peer)
{
    if (peer->state == GONE)
        return;
    peer->state = GONE;
    close(peer->fd);
    if (peer->busy)
        OsspiCancelAsyncCall(peer->call); /* refused if it computes already: it ends by itself */
    LIST_REMOVE(peer, link);
    LIST_INSERT_HEAD(&gone, peer, link);
}

static void free_gone(void)
{
    struct peer *next;
    for (struct peer *peer = LIST_FIRST(&gone); peer; peer = next) {
        next = LIST_NEXT(peer, link);
        if (peer->busy)
            continue;
        LIST_REMOVE(peer, link);
        if (SecIsValidHandle(&peer->context))
            DeleteSecurityContext(&peer->context);
        SspiFreeAsyncContext(peer->call);
        free(peer);
    }
}

static void flush(struct peer *peer)
{
    while (peer->state != GONE && peer->sent < peer->filled) {
        ssize_t count =
            send(peer->fd, peer->out + peer->sent, peer->filled - peer->sent, MSG_NOSIGNAL);
        if (count >= 0) {
            peer->sent += (size_t)count;
            touch(peer);
        } else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            drop(peer);
    }
    memmove(peer->out, peer->out + peer->sent, peer->filled - peer->sent);
    peer->filled -= peer->sent;
    peer->sent = 0;
    if (peer->state != SAID_ALL || peer->filled > 0)
        return;
    if (peer->ended)
        drop(peer);
    else
        shutdown(peer->fd, SHUT_WR); /* closing with unread input would cost the client our end */
}

static void start_leg(struct peer *peer)
{
    bool first = !SecIsValidHandle(&peer->context);
    peer->in[0] = (SecBuffer){(ULONG)peer->have, SECBUFFER_TOKEN, peer->wire};
    peer->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL}; /* a place for EXTRA */
    peer->token = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    peer->input = (SecBufferDesc){SECBUFFER_VERSION, 2, peer->in};
    peer->output = (SecBufferDesc){SECBUFFER_VERSION, 1, &peer->token};
    SspiReinitAsyncContext(peer->call); /* allowed in its callback; if it failed, so would this: */
    SECURITY_STATUS status =
        SspiAcceptSecurityContextAsync(peer->call, &credential, first ? NULL : &peer->context,
                                       peer->state == CLOSING ? NULL : &peer->input, FLAGS, 0,
                                       &peer->context, &peer->output, &peer->granted, NULL);
    peer->busy = status == SEC_E_OK; /* otherwise no callback will come: overload, say */
    if (!peer->busy)
        drop(peer);
}

static void say_goodbye(struct peer *peer)
{
    peer->state = CLOSING;
    if (example_goodbye(&peer->context) == SEC_E_OK)
        start_leg(peer);
    else
        drop(peer);
}

static void keep_rest(struct peer *peer, size_t rest)
{
    memmove(peer->wire, peer->wire + peer->have - rest, rest);
    peer->have = rest;
}

static void advance(struct peer *peer);

static void on_leg_done(SspiAsyncContext *call, void *data)
{
    struct peer *peer = data;
    SECURITY_STATUS status = SspiGetAsyncCallStatus(call);
    bool room = peer->token.cbBuffer <= OUT_SIZE - peer->filled;
    peer->busy = false;
    if (peer->token.pvBuffer && room) {
        memcpy(peer->out + peer->filled, peer->token.pvBuffer, peer->token.cbBuffer);
        peer->filled += peer->token.cbBuffer;
    }
    FreeContextBuffer(peer->token.pvBuffer);
    if (peer->state == GONE)
        return; /* free_gone has waited for this */
    if (!room) {
        drop(peer);
    } else if (status == SEC_E_INCOMPLETE_MESSAGE) {
        peer->starved = true; /* nothing was taken; the same leg again when more has come */
    } else if (peer->state == CLOSING) {
        peer->state = SAID_ALL;
    } else if (status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED) {
        keep_rest(peer, peer->in[1].BufferType == SECBUFFER_EXTRA ? peer->in[1].cbBuffer : 0);
        peer->post = peer->post && status != SEC_E_OK;
        if (status == SEC_E_OK && peer->state == HANDSHAKE) {
            peer->state = OPEN;
            touch(peer);
            if (QueryContextAttributesA(&peer->context, SECPKG_ATTR_STREAM_SIZES, &peer->sizes) !=
                SEC_E_OK)
                drop(peer);
        }
    } else {
        printf("a handshake failed: %s\n", OsspiStatusName(status));
        peer->state = SAID_ALL; /* the token, if there is one, is the alert */
    }
    if (peer->state != GONE)
        advance(peer);
}

static void open_record(struct peer *peer)
{
    SecBuffer parts[4] = {{(ULONG)peer->have, SECBUFFER_DATA, peer->wire}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 4, parts};
    SECURITY_STATUS status = DecryptMessage(&peer->context, &desc, 0, NULL);
    if (status == SEC_E_INCOMPLETE_MESSAGE) {
        peer->starved = true;
        return;
    }
    if (status == SEC_E_OK && parts[1].cbBuffer > 0) {
        size_t count = example_seal(&peer->context, &peer->sizes, peer->out + peer->filled,
                                    parts[1].pvBuffer, parts[1].cbBuffer);
        peer->filled += count; /* OUT_NEEDED is more than any record takes */
        if (count == 0) {
            drop(peer);
            return;
        }
    }
    peer->post = status == SEC_I_RENEGOTIATE; /* the record is still in EXTRA */
    keep_rest(peer, parts[3].BufferType == SECBUFFER_EXTRA ? parts[3].cbBuffer : 0);
    /* SEC_I_CONTEXT_EXPIRED: the client has closed its side. An error: a record is not what the
     * client sealed. Both end our side; with an error the goodbye is an alert. */
    if (status != SEC_E_OK && status != SEC_I_RENEGOTIATE && peer->state == OPEN)
        say_goodbye(peer);
}

/* One step, if one can be made: there is room for what it may add, and something to read. */
static bool step(struct peer *peer)
{
    if (peer->state == SAID_ALL)
        peer->have = 0;
    if (peer->state >= CLOSING || peer->busy || OUT_SIZE - peer->filled < OUT_NEEDED ||
        peer->starved || peer->have == 0)
        return false;
    if (peer->state == OPEN && !peer->post)
        open_record(peer);
    else
        start_leg(peer);
    return true;
}

static bool wants_input(const struct peer *peer)
{
    return !peer->busy && !peer->ended && peer->have < WIRE_SIZE &&
           OUT_SIZE - peer->filled >= OUT_NEEDED;
}

/* Goes on as far as possible, and tells epoll what would make it go on further. */
static void advance(struct peer *peer)
{
    do {
        flush(peer);
    } while (step(peer));
    if (peer->state == GONE)
        return;
    uint32_t events = (wants_input(peer) ? EPOLLIN : 0u) | (peer->filled > 0 ? EPOLLOUT : 0u);
    struct epoll_event event = {.events = events, .data.ptr = peer};
    if (events != peer->watched && epoll_ctl(loop, EPOLL_CTL_MOD, peer->fd, &event) != 0)
        drop(peer);
    peer->watched = events;
}

static void on_socket(struct peer *peer, uint32_t events)
{
    if (peer->state == GONE)
        return;
    if (events & (EPOLLERR | EPOLLHUP)) { /* both directions are over */
        drop(peer);
        return;
    }
    if (events & EPOLLIN && wants_input(peer)) {
        ssize_t count = recv(peer->fd, peer->wire + peer->have, WIRE_SIZE - peer->have, 0);
        /* An end without close_notify is no end but a break: somebody may have cut the line. */
        if ((count == 0 && peer->state < CLOSING) ||
            (count < 0 && errno != EAGAIN && errno != EINTR)) {
            drop(peer);
            return;
        }
        peer->ended = count == 0;
        if (count > 0) {
            peer->have += (size_t)count;
            peer->starved = false;
            touch(peer);
        }
    }
    advance(peer);
}

static void on_listener(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct peer *peer = fd < 0 ? NULL : calloc(1, sizeof(*peer));
    if (peer)
        peer->call = SspiCreateAsyncContext();
    if (!peer || SspiSetAsyncNotifyCallback(peer->call, on_leg_done, peer) != SEC_E_OK ||
        OsspiSetCompletionQueue(peer->call, queue) != SEC_E_OK || !add(fd, peer)) {
        if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED)
            usleep(10000); /* no descriptor is left: give somebody time to go */
        else if (fd >= 0)
            close(fd);
        SspiFreeAsyncContext(peer ? peer->call : NULL);
        free(peer);
        return;
    }
    SecInvalidateHandle(&peer->context); /* all-ones: none yet */
    peer->fd = fd;
    peer->watched = EPOLLIN;
    peer->deadline_ms = now_ms() + HANDSHAKE_MS;
    LIST_INSERT_HEAD(&live, peer, link);
}

/* Ends whoever has been silent for too long; everybody, when the farewell is over. */
static void end_the_silent(void)
{
    struct peer *next;
    int64_t now = now_ms();
    for (struct peer *peer = LIST_FIRST(&live); peer; peer = next) {
        next = LIST_NEXT(peer, link);
        if (now >= peer->deadline_ms || (stop_ms != 0 && now >= stop_ms))
            drop(peer);
    }
}

static void on_signal(void)
{
    struct signalfd_siginfo info;
    struct peer *next;
    if (read(signals, &info, sizeof(info)) != sizeof(info) || stop_ms != 0)
        return;
    stop_ms = now_ms() + GRACE_MS;
    close(listener);
    for (struct peer *peer = LIST_FIRST(&live); peer; peer = next) {
        next = LIST_NEXT(peer, link);
        if (peer->state == OPEN && !peer->busy)
            say_goodbye(peer);
        else if (peer->state < CLOSING)
            drop(peer); /* in the middle of a handshake there is nothing to say */
    }
}

static bool set_up(const char *port)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    loop = epoll_create1(EPOLL_CLOEXEC);
    signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    completions = OsspiCompletionQueueFd(queue);
    listener = example_listen(port);
    return loop >= 0 && signals >= 0 && listener >= 0 && add(signals, &signals) &&
           add(listener, &listener) && add(completions, &completions);
}

static void turn(void)
{
    struct epoll_event events[256];
    int count = epoll_wait(loop, events, 256, 250);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == &completions)
            OsspiDrainCompletions(queue, 0); /* runs on_leg_done for each leg that is done */
        else if (events[i].data.ptr == &signals)
            on_signal();
        else if (events[i].data.ptr == &listener)
            on_listener();
        else
            on_socket(events[i].data.ptr, events[i].events);
    }
    end_the_silent();
    free_gone();
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return fputs("usage: epoll_echo CERT.pem KEY.pem [PORT]\n", stderr), 2;
    SECURITY_STATUS status = example_acquire(argv[1], argv[2], &credential);
    if (status == SEC_E_OK)
        status = OsspiCreateCompletionQueue(&queue);
    if (status != SEC_E_OK)
        return fprintf(stderr, "cannot start: %s\n", OsspiStatusText(status)), 1;
    if (!set_up(argc > 3 ? argv[3] : "0"))
        return perror("cannot start"), 1;
    while (stop_ms == 0 || !LIST_EMPTY(&live) || !LIST_EMPTY(&gone))
        turn();
    FreeCredentialsHandle(&credential);
    OsspiCloseCompletionQueue(queue); /* nothing is bound to it any more */
    close(signals);
    close(loop);
    puts("stopped");
    return 0;
}
