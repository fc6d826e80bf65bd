/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A whole life in one async context: multi_leg HOST [PORT [COUNT]]
 *
 * Acquire a credential, shake hands, delete the context, free the credential: each step is an
 * asynchronous call on the same SspiAsyncContext, and each but the first is queued by the callback
 * of the one before, after SspiReinitAsyncContext. No thread of this program takes part; main only
 * waits for the end. The stack stays flat however many legs there are, since a callback never runs
 * inside the function that queues.
 *
 * The callbacks wait for the socket. That is allowed (for each callback that blocks a worker the
 * library releases a spare one, 64 at most), simple, and good for a few connections. For many see
 * epoll_echo.c, where nobody waits but the loop. SSL_CERT_FILE names other roots than the system's.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/time.h>

#include "common.h"

enum { MAX_COUNT = 32, WIRE_SIZE = 32768, PATIENCE_S = 60 };

#define FLAGS (ISC_REQ_STREAM | ISC_REQ_ALLOCATE_MEMORY | ISC_REQ_EXTENDED_ERROR)

enum step { ACQUIRE, HANDSHAKE, DELETE, FREE };

/*
 * Belongs to whoever has the next move: main until the first call is queued, then the callback, up
 * to the line in which it queues the next call. From that line on the next callback may be running
 * already, on another thread, and the one that queued must not touch the structure any more.
 */
struct life {
    int number, fd;
    enum step step;
    unsigned legs;
    SECURITY_STATUS status; /* of the step that failed, or SEC_E_OK */
    char words[160];
    char *host;
    SspiAsyncContext *call;
    SCH_CREDENTIALS auth;
    CredHandle credential;
    CtxtHandle context;
    SecBuffer in[2], token;
    SecBufferDesc input, output;
    ULONG granted;
    size_t have;
    char wire[WIRE_SIZE];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static int running; /* guarded by lock */

static void begin(struct life *life, enum step step);

/* The end of the chain: nothing of this life is the library's any more, and main may look at it. */
static void end(struct life *life)
{
    SspiFreeAsyncContext(life->call); /* inside its own callback: fine */
    close(life->fd);
    pthread_mutex_lock(&lock);
    if (--running == 0)
        pthread_cond_signal(&ended);
    pthread_mutex_unlock(&lock);
}

/* Goes on with what undoes the steps so far. */
static void undo(struct life *life)
{
    if (SecIsValidHandle(&life->context))
        begin(life, DELETE);
    else if (SecIsValidHandle(&life->credential))
        begin(life, FREE);
    else
        end(life);
}

static void give_up(struct life *life, SECURITY_STATUS status, const char *words)
{
    life->status = status;
    snprintf(life->words, sizeof(life->words), "%s", words);
    if (SecIsValidHandle(&life->context) && !words[0])
        OsspiGetErrorDetail(&life->context, life->words, sizeof(life->words));
    undo(life);
}

static SECURITY_STATUS queue_leg(struct life *life)
{
    bool first = !SecIsValidHandle(&life->context);
    life->legs++;
    life->in[0] = (SecBuffer){(ULONG)life->have, SECBUFFER_TOKEN, life->wire};
    life->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL}; /* a place for EXTRA */
    life->token = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    life->input = (SecBufferDesc){SECBUFFER_VERSION, 2, life->in};
    life->output = (SecBufferDesc){SECBUFFER_VERSION, 1, &life->token};
    return SspiInitializeSecurityContextAsyncA(
        life->call, &life->credential, first ? NULL : &life->context, life->host, FLAGS, 0, 0,
        first ? NULL : &life->input, 0, &life->context, &life->output, &life->granted, NULL);
}

/* The two that undo take their handle's value; it is invalid when they return, whatever they
 * answer, and nothing stands in their way but a missing thread for the callback. */
static SECURITY_STATUS queue_undo(struct life *life, enum step step)
{
    SecHandle handle = step == DELETE ? life->context : life->credential;
    SecInvalidateHandle(step == DELETE ? &life->context : &life->credential);
    return step == DELETE ? SspiDeleteSecurityContextAsync(life->call, &handle)
                          : SspiFreeCredentialsHandleAsync(life->call, &handle);
}

/* Queues a step on the one async context. If that fails, no callback comes: go on from here. */
static void begin(struct life *life, enum step step)
{
    static char package[] = UNISP_NAME_A;
    SECURITY_STATUS status = SEC_E_INTERNAL_ERROR;
    life->step = step;
    if (SspiReinitAsyncContext(life->call) == STATUS_SUCCESS) {
        if (step == ACQUIRE)
            status = SspiAcquireCredentialsHandleAsyncA(life->call, NULL, package,
                                                        SECPKG_CRED_OUTBOUND, NULL, &life->auth,
                                                        NULL, NULL, &life->credential, NULL);
        else if (step == HANDSHAKE)
            status = queue_leg(life);
        else
            status = queue_undo(life, step);
    }
    if (status == SEC_E_OK)
        return; /* life is the next callback's now */
    if (step == DELETE || step == FREE)
        undo(life);
    else
        give_up(life, status, "not accepted");
}

static bool send_token(struct life *life)
{
    const char *bytes = life->token.pvBuffer;
    size_t left = bytes ? life->token.cbBuffer : 0;
    while (left > 0) {
        ssize_t count = send(life->fd, bytes, left, MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR)
            break;
        bytes += count > 0 ? count : 0;
        left -= count > 0 ? (size_t)count : 0;
    }
    FreeContextBuffer(life->token.pvBuffer);
    return left == 0;
}

static bool receive(struct life *life)
{
    ssize_t count;
    do {
        count = recv(life->fd, life->wire + life->have, WIRE_SIZE - life->have, 0);
    } while (count < 0 && errno == EINTR);
    life->have += count > 0 ? (size_t)count : 0;
    return count > 0;
}

static void established(struct life *life)
{
    SecPkgContext_ConnectionInfo info;
    SECURITY_STATUS status =
        QueryContextAttributesA(&life->context, SECPKG_ATTR_CONNECTION_INFO, &info);
    if (status == SEC_E_OK)
        snprintf(life->words, sizeof(life->words), "TLS %s after %u legs",
                 info.dwProtocol == SP_PROT_TLS1_3_CLIENT ? "1.3" : "1.2", life->legs);
    life->status = status;
    undo(life);
}

static void leg_done(struct life *life, SECURITY_STATUS status)
{
    bool more = status == SEC_I_CONTINUE_NEEDED || status == SEC_E_INCOMPLETE_MESSAGE;
    bool sent = send_token(life); /* also after a failure: then it is the alert */
    if (status != SEC_E_OK && !more) {
        give_up(life, status, "");
        return;
    }
    if (!sent) {
        give_up(life, SEC_E_INTERNAL_ERROR, "the server takes nothing");
        return;
    }
    if (status != SEC_E_INCOMPLETE_MESSAGE && life->legs > 1) { /* else all input is still there */
        size_t rest = life->in[1].BufferType == SECBUFFER_EXTRA ? life->in[1].cbBuffer : 0;
        memmove(life->wire, life->wire + life->have - rest, rest);
        life->have = rest;
    }
    if (status == SEC_E_OK)
        established(life);
    else if ((life->have == 0 || status == SEC_E_INCOMPLETE_MESSAGE) && !receive(life))
        give_up(life, SEC_E_INCOMPLETE_MESSAGE, "the server has gone");
    else
        begin(life, HANDSHAKE);
}

/* Runs on some thread of the library, never two at a time for one life. */
static void on_done(SspiAsyncContext *call, void *data)
{
    struct life *life = data;
    SECURITY_STATUS status = SspiGetAsyncCallStatus(call);
    switch (life->step) {
    case ACQUIRE:
        if (status == SEC_E_OK)
            begin(life, HANDSHAKE);
        else
            give_up(life, status, "no credential");
        break;
    case HANDSHAKE:
        leg_done(life, status);
        break;
    case DELETE:
    case FREE:
        undo(life);
        break;
    }
}

static int connect_to(const char *host, const char *port)
{
    struct timeval limit = {.tv_sec = PATIENCE_S};
    struct addrinfo *list, hints = {.ai_socktype = SOCK_STREAM};
    int fd = -1;
    if (getaddrinfo(host, port, &hints, &list) != 0)
        return -1;
    for (struct addrinfo *to = list; to && fd < 0; to = to->ai_next) {
        fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC, to->ai_protocol);
        if (fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) < 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    }
    return fd;
}

static bool start(struct life *life, int number, char *host, const char *port)
{
    *life = (struct life){.number = number, .host = host};
    life->auth.dwVersion = SCH_CREDENTIALS_VERSION;
    SecInvalidateHandle(&life->credential);
    SecInvalidateHandle(&life->context);
    life->fd = connect_to(host, port);
    life->call = life->fd < 0 ? NULL : SspiCreateAsyncContext();
    if (!life->call || SspiSetAsyncNotifyCallback(life->call, on_done, life) != SEC_E_OK) {
        if (life->fd >= 0)
            close(life->fd);
        SspiFreeAsyncContext(life->call);
        return false;
    }
    pthread_mutex_lock(&lock);
    running++;
    pthread_mutex_unlock(&lock);
    begin(life, ACQUIRE);
    return true;
}

int main(int argc, char **argv)
{
    static struct life lives[MAX_COUNT]; /* see struct life for who may touch one when */
    char *host = argc > 1 ? argv[1] : "example.org";
    int count = argc > 3 ? atoi(argv[3]) : 1, started = 0, good = 0;
    while (started < count && started < MAX_COUNT &&
           start(&lives[started], started + 1, host, argc > 2 ? argv[2] : "443"))
        started++;
    pthread_mutex_lock(&lock);
    while (running > 0)
        pthread_cond_wait(&ended, &lock);
    pthread_mutex_unlock(&lock);

    for (int i = 0; i < started; i++) {
        good += lives[i].status == SEC_E_OK;
        printf("%d: %s: %s\n", lives[i].number, OsspiStatusName(lives[i].status), lives[i].words);
    }
    if (started < count)
        fprintf(stderr, "cannot connect to %s\n", host);
    /* The last callback has told us, but may not have returned yet: let the library end in order.
     */
    SECURITY_STATUS status = OsspiShutdown(5000);
    if (status != SEC_E_OK)
        fprintf(stderr, "shutdown: %s\n", OsspiStatusName(status));
    return started == count && good == count && status == SEC_E_OK ? 0 : 1;
}
