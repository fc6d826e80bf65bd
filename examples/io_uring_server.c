/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A TLS server on io_uring: io_uring_server CERT.pem KEY.pem [PORT]
 *
 * It answers any request that ends in an empty line with one line of text, and closes. The eventfd
 * of the completion queue is watched by a poll in the ring (never by a read: the counter is the
 * library's), so that one io_uring_wait_cqe waits for sockets and for handshakes alike. Each
 * connection has one thing under way at a time, an operation of the ring or a leg; that alone
 * decides when its memory may go.
 *
 * Exit status 3: this kernel, or the container's policy, has no io_uring.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/signalfd.h>

#include <liburing.h>

#include "common.h"

enum { WIRE_SIZE = 32768, NO_IO_URING = 3, TIMEOUT_S = 60 };

#define FLAGS  (ASC_REQ_STREAM | ASC_REQ_ALLOCATE_MEMORY | ASC_REQ_EXTENDED_ERROR)
#define ANSWER "HTTP/1.0 200 OK\r\nContent-Length: 20\r\n\r\nhello from io_uring\n"

enum state { HANDSHAKE, OPEN, ANSWERED, CLOSING, SAID_ALL };
enum doing { RECEIVE, SEND, LEG };

struct peer {
    LIST_ENTRY(peer) link;
    int fd;
    enum state state;
    enum doing doing;
    bool post; /* a message for the handshake has come after it: a leg takes it */
    CtxtHandle context;
    SspiAsyncContext *call;
    SecBuffer in[2], token;
    SecBufferDesc input, output;
    ULONG granted;
    size_t have, sent, filled; /* bytes in wire; bytes of out that are sent, and that there are */
    char tail[4];              /* the last bytes of the request so far */
    unsigned char wire[WIRE_SIZE], *out;
    struct __kernel_timespec patience; /* the ring reads it */
};

LIST_HEAD(peers, peer);
/* Used by the only thread there is. The addresses of these descriptors name their operations. */
static struct io_uring ring;
static struct peers peers;
static int listener, signals, completions;
static bool stopping;
static CredHandle credential;
static OsspiCompletionQueue *queue;

/* An entry for one more operation; what is prepared already goes to the kernel to make room. */
static struct io_uring_sqe *entry(void *name)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (!sqe && io_uring_submit(&ring) >= 0)
        sqe = io_uring_get_sqe(&ring);
    if (!sqe)
        abort(); /* the ring is broken */
    io_uring_sqe_set_data(sqe, name);
    return sqe;
}

static void watch(int *fd)
{
    io_uring_prep_poll_add(entry(fd), *fd, POLLIN);
}

static void drop(struct peer *peer)
{
    LIST_REMOVE(peer, link);
    close(peer->fd);
    if (SecIsValidHandle(&peer->context))
        DeleteSecurityContext(&peer->context);
    SspiFreeAsyncContext(peer->call);
    free(peer->out);
    free(peer);
}

/* An operation that the kernel gives up after TIMEOUT_S; its time limit is an operation too, whose
 * own completion (name NULL) interests nobody. */
static void begin(struct peer *peer, enum doing doing)
{
    if (io_uring_sq_space_left(&ring) < 2)
        io_uring_submit(&ring); /* the two must go together */
    struct io_uring_sqe *sqe = entry(peer);
    peer->doing = doing;
    if (doing == RECEIVE)
        io_uring_prep_recv(sqe, peer->fd, peer->wire + peer->have, WIRE_SIZE - peer->have, 0);
    else
        io_uring_prep_send(sqe, peer->fd, peer->out + peer->sent, peer->filled - peer->sent,
                           MSG_NOSIGNAL);
    io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
    peer->patience = (struct __kernel_timespec){.tv_sec = TIMEOUT_S};
    io_uring_prep_link_timeout(entry(NULL), &peer->patience, 0);
}

static bool append(struct peer *peer, const void *bytes, size_t len)
{
    unsigned char *more = len > 0 ? realloc(peer->out, peer->filled + len) : NULL;
    if (len == 0)
        return true;
    if (!more)
        return false;
    memcpy(more + peer->filled, bytes, len);
    peer->out = more;
    peer->filled += len;
    return true;
}

/* True if it is under way. */
static bool start_leg(struct peer *peer)
{
    bool first = !SecIsValidHandle(&peer->context);
    peer->in[0] = (SecBuffer){(ULONG)peer->have, SECBUFFER_TOKEN, peer->wire};
    peer->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL}; /* a place for EXTRA */
    peer->token = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    peer->input = (SecBufferDesc){SECBUFFER_VERSION, 2, peer->in};
    peer->output = (SecBufferDesc){SECBUFFER_VERSION, 1, &peer->token};
    peer->doing = LEG;
    SspiReinitAsyncContext(peer->call); /* if it failed, so would this: */
    return SspiAcceptSecurityContextAsync(peer->call, &credential, first ? NULL : &peer->context,
                                          peer->state == CLOSING ? NULL : &peer->input, FLAGS, 0,
                                          &peer->context, &peer->output, &peer->granted,
                                          NULL) == SEC_E_OK;
}

static void keep_rest(struct peer *peer, const SecBuffer *extra)
{
    size_t rest = extra->BufferType == SECBUFFER_EXTRA ? extra->cbBuffer : 0;
    memmove(peer->wire, peer->wire + peer->have - rest, rest);
    peer->have = rest;
}

/* Is the request complete? Looks at its last four bytes only. */
static bool ends_request(struct peer *peer, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        memmove(peer->tail, peer->tail + 1, 3);
        peer->tail[3] = data[i];
        if (memcmp(peer->tail, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

static bool answer(struct peer *peer)
{
    unsigned char record[1024];
    SecPkgContext_StreamSizes sizes;
    if (QueryContextAttributesA(&peer->context, SECPKG_ATTR_STREAM_SIZES, &sizes) != SEC_E_OK ||
        sizes.cbHeader + strlen(ANSWER) + sizes.cbTrailer > sizeof(record))
        return false;
    size_t len = example_seal(&peer->context, &sizes, record, ANSWER, strlen(ANSWER));
    peer->state = ANSWERED;
    return len > 0 && append(peer, record, len);
}

/* Opens one record. False: the connection is over. *ret_starved: the record is not all there. */
static bool open_record(struct peer *peer, bool *ret_starved)
{
    SecBuffer parts[4] = {{(ULONG)peer->have, SECBUFFER_DATA, peer->wire}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 4, parts};
    SECURITY_STATUS status = DecryptMessage(&peer->context, &desc, 0, NULL);
    bool asked = false;
    if (status == SEC_E_INCOMPLETE_MESSAGE) {
        *ret_starved = true;
        return true;
    }
    if (status == SEC_E_OK)
        asked = ends_request(peer, parts[1].pvBuffer, parts[1].cbBuffer);
    peer->post = status == SEC_I_RENEGOTIATE; /* the record is still in EXTRA */
    keep_rest(peer, &parts[3]);
    if (asked)
        return answer(peer);
    if (status != SEC_E_OK && status != SEC_I_RENEGOTIATE)
        peer->state = ANSWERED; /* nothing more to hear; the goodbye follows, or an alert */
    return true;
}

/* Begins the one thing that is to be done next, or ends the connection. */
static void go_on(struct peer *peer)
{
    bool starved = false;
    while (peer->state == OPEN && !peer->post && peer->have > 0 && !starved) {
        if (!open_record(peer, &starved)) {
            drop(peer);
            return;
        }
    }
    if (peer->sent < peer->filled) {
        begin(peer, SEND);
        return;
    }
    if (peer->state == ANSWERED) {
        peer->state = CLOSING;
        if (example_goodbye(&peer->context) != SEC_E_OK || !start_leg(peer))
            drop(peer);
    } else if (peer->state == SAID_ALL) {
        shutdown(peer->fd, SHUT_WR);
        peer->have = 0; /* what comes now goes nowhere, up to the client's own end */
        begin(peer, RECEIVE);
    } else if (peer->have == 0 || starved) {
        begin(peer, RECEIVE);
    } else if (!start_leg(peer)) {
        drop(peer);
    }
}

static void on_leg_done(SspiAsyncContext *call, void *data)
{
    struct peer *peer = data;
    SECURITY_STATUS status = SspiGetAsyncCallStatus(call);
    bool memory =
        append(peer, peer->token.pvBuffer, peer->token.pvBuffer ? peer->token.cbBuffer : 0);
    FreeContextBuffer(peer->token.pvBuffer);
    if (!memory || stopping) {
        drop(peer);
        return;
    }
    if (status == SEC_E_INCOMPLETE_MESSAGE) { /* nothing taken: the same leg when more has come */
        begin(peer, RECEIVE);
        return;
    }
    if (peer->state == CLOSING) {
        peer->state = SAID_ALL;
    } else if (status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED) {
        keep_rest(peer, &peer->in[1]);
        if (status == SEC_E_OK && peer->state == HANDSHAKE)
            peer->state = OPEN;
        peer->post = peer->post && status != SEC_E_OK;
    } else {
        printf("a handshake failed: %s\n", OsspiStatusName(status));
        peer->state = SAID_ALL; /* the token, if there is one, is the alert */
    }
    go_on(peer);
}

/* The ring is done with a peer's receive or send. */
static void on_done(struct peer *peer, int result)
{
    if (stopping || result < 0 || (result == 0 && peer->doing == RECEIVE)) {
        drop(peer);
        return;
    }
    if (peer->doing == SEND) {
        peer->sent += (size_t)result;
        if (peer->sent == peer->filled)
            peer->sent = peer->filled = 0;
    } else {
        peer->have += (size_t)result;
    }
    go_on(peer);
}

static void on_accepted(int fd)
{
    struct peer *peer = fd < 0 || stopping ? NULL : calloc(1, sizeof(*peer));
    if (peer)
        peer->call = SspiCreateAsyncContext();
    if (peer && SspiSetAsyncNotifyCallback(peer->call, on_leg_done, peer) == SEC_E_OK &&
        OsspiSetCompletionQueue(peer->call, queue) == SEC_E_OK) {
        SecInvalidateHandle(&peer->context); /* all-ones: none yet */
        peer->fd = fd;
        LIST_INSERT_HEAD(&peers, peer, link);
        begin(peer, RECEIVE);
    } else {
        SspiFreeAsyncContext(peer ? peer->call : NULL);
        free(peer);
        if (fd >= 0)
            close(fd);
    }
    if (fd == -EMFILE || fd == -ENFILE)
        usleep(10000); /* no descriptor is left: give somebody time to go */
    if (!stopping)
        io_uring_prep_accept(entry(&listener), listener, NULL, NULL, SOCK_CLOEXEC);
}

/* Stops what waits for others; what has begun ends by itself, and each end drops its peer. */
static void stop(void)
{
    struct peer *peer;
    stopping = true;
    shutdown(listener, SHUT_RDWR);
    LIST_FOREACH(peer, &peers, link)
    {
        shutdown(peer->fd, SHUT_RDWR);
    }
}

static void dispatch(void *name, int result)
{
    if (name == &completions) {
        OsspiDrainCompletions(queue, 0); /* runs on_leg_done for each leg that is done */
        watch(&completions);
    } else if (name == &signals) {
        stop();
    } else if (name == &listener) {
        on_accepted(result);
    } else if (name) {
        on_done(name, result);
    }
}

static int set_up(const char *port)
{
    sigset_t set;
    int error = io_uring_queue_init(256, &ring, 0);
    if (error < 0) {
        fprintf(stderr, "io_uring is not to be had here: %s\n", strerror(-error));
        return error == -ENOSYS || error == -EPERM || error == -EACCES ? NO_IO_URING : 1;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    completions = OsspiCompletionQueueFd(queue);
    listener = example_listen(port);
    if (signals < 0 || listener < 0)
        return perror("cannot start"), 1;
    watch(&signals);
    watch(&completions);
    io_uring_prep_accept(entry(&listener), listener, NULL, NULL, SOCK_CLOEXEC);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return fputs("usage: io_uring_server CERT.pem KEY.pem [PORT]\n", stderr), 2;
    SECURITY_STATUS status = example_acquire(argv[1], argv[2], &credential);
    if (status == SEC_E_OK)
        status = OsspiCreateCompletionQueue(&queue);
    if (status != SEC_E_OK)
        return fprintf(stderr, "cannot start: %s\n", OsspiStatusText(status)), 1;
    int code = set_up(argc > 3 ? argv[3] : "0");

    while (code == 0 && (!stopping || !LIST_EMPTY(&peers))) {
        struct io_uring_cqe *cqe;
        int error = io_uring_submit_and_wait(&ring, 1);
        if (error < 0 && error != -EINTR)
            return fprintf(stderr, "io_uring: %s\n", strerror(-error)), 1;
        if (io_uring_peek_cqe(&ring, &cqe) != 0)
            continue;
        void *name = io_uring_cqe_get_data(cqe);
        int result = cqe->res;
        io_uring_cqe_seen(&ring, cqe); /* before the handler, which may want its place */
        dispatch(name, result);
    }
    if (code == 0) {
        io_uring_queue_exit(&ring);
        close(listener);
        close(signals);
        puts("stopped");
    }
    FreeCredentialsHandle(&credential);
    OsspiCloseCompletionQueue(queue);
    return code;
}
