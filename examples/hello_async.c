/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A TLS client in an event loop: one poll for the socket and for the completion queue. The loop's
 * thread moves bytes; each leg of the handshake is computed on a thread of the library, and its
 * callback runs here, in OsspiDrainCompletions. Usage: hello_async HOST [PORT]
 */
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <opensspi.h>
#include <schannel.h>

/* All that a leg reads and writes must stay where it is until its callback has come. */
struct connection {
    int fd;
    char *host;
    CredHandle credential;
    CtxtHandle context;     /* all-ones until the first leg is done */
    SspiAsyncContext *call; /* one call at a time; used again for each leg */
    bool busy;              /* a leg is under way: `data` is the library's */
    SECURITY_STATUS status;
    SecBuffer in[2], out;
    SecBufferDesc input, output;
    ULONG granted, have; /* bytes in data */
    char data[65536];
};

static void start_leg(struct connection *c)
{
    bool first = !SecIsValidHandle(&c->context);
    c->in[0] = (SecBuffer){c->have, SECBUFFER_TOKEN, c->data};
    c->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    c->out = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    c->input = (SecBufferDesc){SECBUFFER_VERSION, 2, c->in};
    c->output = (SecBufferDesc){SECBUFFER_VERSION, 1, &c->out};
    SspiReinitAsyncContext(c->call);
    c->status = SspiInitializeSecurityContextAsyncA(
        c->call, &c->credential, first ? NULL : &c->context, c->host, ISC_REQ_ALLOCATE_MEMORY, 0, 0,
        first ? NULL : &c->input, 0, &c->context, &c->output, &c->granted, NULL);
    c->busy = c->status == SEC_E_OK; /* otherwise it was not queued, and no callback will come */
}

static void on_leg_done(SspiAsyncContext *call, void *data)
{
    struct connection *c = data;
    c->busy = false;
    c->status = SspiGetAsyncCallStatus(call);
    if (c->out.pvBuffer && send(c->fd, c->out.pvBuffer, c->out.cbBuffer, MSG_NOSIGNAL) < 0)
        perror("send");
    FreeContextBuffer(c->out.pvBuffer);
    if (c->status == SEC_E_INCOMPLETE_MESSAGE)
        return; /* nothing was used; the same bytes and more make the next leg */
    if (c->status == SEC_I_INCOMPLETE_CREDENTIALS) {
        start_leg(c); /* asked for a certificate: the same bytes again go on without */
        return;
    }
    ULONG unused = c->in[1].BufferType == SECBUFFER_EXTRA ? c->in[1].cbBuffer : 0;
    memmove(c->data, c->data + c->have - unused, unused);
    c->have = unused;
    if (c->status == SEC_I_CONTINUE_NEEDED && c->have > 0)
        start_leg(c);
}

static bool handshake(struct connection *c, OsspiCompletionQueue *queue)
{
    start_leg(c);
    while (c->busy || c->status == SEC_I_CONTINUE_NEEDED || c->status == SEC_E_INCOMPLETE_MESSAGE) {
        struct pollfd items[2] = {{OsspiCompletionQueueFd(queue), POLLIN, 0},
                                  {c->busy ? -1 : c->fd, POLLIN, 0}};
        if (poll(items, 2, 10000) <= 0)
            return puts("nothing happens"), false;
        if (items[0].revents)
            OsspiDrainCompletions(queue, 0);
        if (items[1].revents) {
            ssize_t count = recv(c->fd, c->data + c->have, sizeof(c->data) - c->have, 0);
            if (count <= 0)
                return puts("the server has gone"), false;
            c->have += (ULONG)count;
            start_leg(c);
        }
    }
    return c->status == SEC_E_OK;
}

static int connect_to(const char *host, const char *port)
{
    struct addrinfo *to, hints = {.ai_socktype = SOCK_STREAM};
    if (getaddrinfo(host, port, &hints, &to) != 0)
        return -1;
    int fd = socket(to->ai_family, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(to);
    return fd;
}

int main(int argc, char **argv)
{
    static struct connection c; /* guarded by nothing: there is one thread that uses it */
    c.host = argc > 1 ? argv[1] : "example.org";
    c.fd = connect_to(c.host, argc > 2 ? argv[2] : "443");
    if (c.fd < 0)
        return puts("cannot connect"), 1;

    SecInvalidateHandle(&c.context);
    OsspiCompletionQueue *queue = NULL;
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION};
    c.call = SspiCreateAsyncContext();
    if (SspiSetAsyncNotifyCallback(c.call, on_leg_done, &c) != SEC_E_OK ||
        OsspiCreateCompletionQueue(&queue) != SEC_E_OK ||
        OsspiSetCompletionQueue(c.call, queue) != SEC_E_OK ||
        AcquireCredentialsHandleA(NULL, UNISP_NAME_A, SECPKG_CRED_OUTBOUND, NULL, &auth, NULL, NULL,
                                  &c.credential, NULL) != SEC_E_OK)
        return puts("cannot set up"), 1;

    bool done = handshake(&c, queue);
    SecPkgContext_ConnectionInfo info = {0};
    if (done)
        QueryContextAttributesA(&c.context, SECPKG_ATTR_CONNECTION_INFO, &info);
    printf("%s: %s (protocol 0x%X)\n", c.host, OsspiStatusText(c.status), info.dwProtocol);

    DeleteSecurityContext(&c.context);
    FreeCredentialsHandle(&c.credential);
    SspiFreeAsyncContext(c.call);
    OsspiCloseCompletionQueue(queue);
    close(c.fd);
    return done ? 0 : 1;
}
