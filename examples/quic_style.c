/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How a driver with a QUIC stack uses SSPI, in user mode: quic_style CERT KEY [COUNT [ABORT]]
 *
 * SECURITY_KERNEL gives the kernel's form of the calls, with counted strings. Credentials come by
 * callback; each connection has async contexts of its own; every output is sent from a callback;
 * and a connection goes by a delete whose callback frees the async context: nothing waits. (main
 * does, for its process must not end first; a driver's entry point would return.)
 *
 * The legs are in message mode: tokens are handshake messages, and keys for packets come with them.
 * Here these travel as CRYPTO frames through memory, between a client's and a server's end in this
 * process, in one order and without packets; http3.c is about what a real stack does with secrets.
 * SSL_CERT_FILE names the root. With ABORT n every n-th connection is torn down in its handshake.
 */
#define SECURITY_KERNEL
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <opensspi.h>
#include <schannel.h>

enum { FRAME_SIZE = 1200, CRYPTO_SIZE = 16384, SECRETS = 4 };

struct connection;

/* Everything here is guarded by the connection's lock, except what a pending leg works on: that is
 * the library's from the queueing to the callback. Frames may be appended to inbound meanwhile,
 * behind the bytes that the leg was given. */
struct end {
    struct connection *connection;
    bool server, busy, established;
    SspiAsyncContext *call;
    CtxtHandle context;
    SecBuffer in[3], out[1 + SECRETS];
    SecBufferDesc input, output;
    SEC_FLAGS flags;
    _Alignas(SEC_TRAFFIC_SECRETS) uint8_t secrets[SECRETS][sizeof(SEC_TRAFFIC_SECRETS) + 64];
    ULONG granted;
    size_t have, given, fresh; /* bytes of inbound; given to the leg; that none has seen */
    unsigned char inbound[CRYPTO_SIZE];
};

struct connection {
    pthread_mutex_t lock;        /* a driver's push lock */
    unsigned number, references; /* a reference for each call pending, and one for being open */
    bool closing;
    SECURITY_STATUS status;
    struct end client, server;
};

/* Written before the first connection starts, constant afterwards. */
static CredHandle client_credential, server_credential;
static PCCERT_CONTEXT certificate;
static SCH_CREDENTIALS client_auth, server_auth;
static unsigned count, abort_every;

static _Atomic unsigned credentials_left, established, aborted, failed, legs, gone;
static _Atomic bool credential_failed;
static sem_t over;

static void on_leg_done(SspiAsyncContext *call, void *data);
static void start_connections(void);

/* ---- the end of a connection ---- */

/* With the lock held, which this gives back: the last one frees the connection. */
static void release(struct connection *connection)
{
    bool last = --connection->references == 0;
    pthread_mutex_unlock(&connection->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&connection->lock);
    SspiFreeAsyncContext(connection->client.call);
    SspiFreeAsyncContext(connection->server.call);
    explicit_bzero(connection, sizeof(*connection)); /* there are secrets in it */
    free(connection);
    if (atomic_fetch_add(&gone, 1) + 1 == count)
        sem_post(&over);
}

static void on_deleted(SspiAsyncContext *call, void *data)
{
    struct connection *connection = data;
    SspiFreeAsyncContext(call); /* its own, in its own callback: the last one to know it */
    pthread_mutex_lock(&connection->lock);
    release(connection);
}

/* Fire and forget: the value of the handle is copied and invalid from here on; when the context has
 * gone the callback frees what tracked that. */
static void delete_context(struct end *end)
{
    SspiAsyncContext *call = SspiCreateAsyncContext();
    if (SspiSetAsyncNotifyCallback(call, on_deleted, end->connection) == SEC_E_OK) {
        end->connection->references++;
        if (SspiDeleteSecurityContextAsync(call, &end->context) != SEC_E_OK) {
            end->connection->references--; /* no callback will come, but deleted it is */
            SspiFreeAsyncContext(call);
        }
    } else { /* no memory for an async context */
        SspiFreeAsyncContext(call);
        DeleteSecurityContext(&end->context);
    }
    SecInvalidateHandle(&end->context);
}

/* While a leg is pending the handle is the library's to write. */
static void close_end(struct end *end)
{
    if (!end->busy && SecIsValidHandle(&end->context))
        delete_context(end);
}

/* With the lock held. A leg that is pending goes on: its callback finds `closing` and deletes. */
static void close_connection(struct connection *connection, SECURITY_STATUS status)
{
    if (connection->closing)
        return;
    connection->closing = true;
    connection->status = status;
    atomic_fetch_add(status == SEC_E_OK                              ? &established
                     : status == HRESULT_FROM_WIN32(ERROR_CANCELLED) ? &aborted
                                                                     : &failed,
                     1);
    if (status < 0 && status != HRESULT_FROM_WIN32(ERROR_CANCELLED))
        printf("connection %u: %s\n", connection->number, OsspiStatusName(status));
    close_end(&connection->client);
    close_end(&connection->server);
    connection->references--; /* the caller has one more */
}

/* ---- the handshake ---- */

/* With the lock held: a leg on all that has come, unless there is one, or nothing is new. */
static void start_leg(struct end *end)
{
    static WCHAR name[] = u"localhost";
    SECURITY_STRING target = {sizeof(name) - sizeof(*name), sizeof(name), name};
    PCtxtHandle known = SecIsValidHandle(&end->context) ? &end->context : NULL;
    SECURITY_STATUS status;
    if (end->busy || end->connection->closing)
        return;
    end->flags.Flags = ISC_REQ_MESSAGES; /* the same bit for both sides */
    end->in[0] = (SecBuffer){sizeof(end->flags), SECBUFFER_FLAGS, &end->flags};
    end->in[1] = (SecBuffer){(ULONG)end->have, SECBUFFER_TOKEN, end->inbound};
    end->in[2] = (SecBuffer){0, SECBUFFER_EMPTY, NULL}; /* a place for EXTRA */
    end->out[0] = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
    for (int i = 0; i < SECRETS; i++)
        end->out[1 + i] =
            (SecBuffer){sizeof(end->secrets[i]), SECBUFFER_TRAFFIC_SECRETS, end->secrets[i]};
    /* A client's first leg has no token. */
    end->input = (SecBufferDesc){SECBUFFER_VERSION, end->server || known ? 3 : 1, end->in};
    end->output = (SecBufferDesc){SECBUFFER_VERSION, 1 + SECRETS, end->out};
    end->given = end->have;
    end->fresh = 0;
    end->busy = true;
    end->connection->references++;
    atomic_fetch_add(&legs, 1);
    /* Queueing under our own lock is safe: no callback ever runs inside it. The name need not
     * outlive the call; the buffers need to. */
    SspiReinitAsyncContext(end->call); /* if it failed, so would this: */
    if (end->server)
        status = SspiAcceptSecurityContextAsync(end->call, &server_credential, known, &end->input,
                                                ASC_REQ_ALLOCATE_MEMORY, 0, &end->context,
                                                &end->output, &end->granted, NULL);
    else
        status = SspiInitializeSecurityContextAsyncW(
            end->call, &client_credential, known, &target, ISC_REQ_ALLOCATE_MEMORY, 0, 0,
            &end->input, 0, &end->context, &end->output, &end->granted, NULL);
    if (status == SEC_E_OK)
        return;
    end->busy = false; /* refused: no callback comes. The caller's reference is still there */
    end->connection->references--;
    close_connection(end->connection, status);
}

/* One CRYPTO frame arrives. A driver would find it in a datagram, in order or not. */
static void on_frame(struct end *end, const void *bytes, size_t len)
{
    if (len > CRYPTO_SIZE - end->have) {
        close_connection(end->connection, SEC_E_ILLEGAL_MESSAGE); /* CRYPTO_BUFFER_EXCEEDED */
        return;
    }
    memcpy(end->inbound + end->have, bytes, len);
    end->have += len;
    end->fresh += len;
    start_leg(end);
}

static void send_frames(struct end *from)
{
    struct end *to = from->server ? &from->connection->client : &from->connection->server;
    const unsigned char *bytes = from->out[0].pvBuffer;
    for (size_t left = bytes ? from->out[0].cbBuffer : 0; left > 0 && !to->connection->closing;) {
        size_t len = left < FRAME_SIZE ? left : FRAME_SIZE;
        on_frame(to, bytes, len);
        bytes += len;
        left -= len;
    }
}

/* The bytes that the leg took leave; a leg that lacked some took none. */
static void consume(struct end *end, SECURITY_STATUS status)
{
    size_t extra = end->in[2].BufferType == SECBUFFER_EXTRA ? end->in[2].cbBuffer : 0;
    size_t taken = status == SEC_E_INCOMPLETE_MESSAGE ? 0 : end->given - extra;
    memmove(end->inbound, end->inbound + taken, end->have - taken);
    end->have -= taken;
}

/* Runs on any thread of the library; for one connection, two may come at a time. */
static void on_leg_done(SspiAsyncContext *call, void *data)
{
    struct end *end = data;
    struct connection *connection = end->connection;
    SECURITY_STATUS status = SspiGetAsyncCallStatus(call);
    bool more = status == SEC_I_CONTINUE_NEEDED || status == SEC_E_INCOMPLETE_MESSAGE;
    pthread_mutex_lock(&connection->lock);
    end->busy = false;
    if (connection->closing) {
        close_end(end); /* the first leg may have made a context after the close */
    } else if (status != SEC_E_OK && !more) {
        close_connection(connection, status);
    } else {
        consume(end, status);
        /* Here a stack takes end->secrets and makes packet keys of them. */
        end->established = status == SEC_E_OK;
        send_frames(end);
        if (abort_every != 0 && connection->number % abort_every == 0 && end->server)
            close_connection(connection, HRESULT_FROM_WIN32(ERROR_CANCELLED));
        else if (connection->client.established && connection->server.established)
            close_connection(connection, SEC_E_OK);
        else if (more && (end->fresh > 0 || (end->have > 0 && status == SEC_I_CONTINUE_NEEDED)))
            start_leg(end);
    }
    FreeContextBuffer(end->out[0].pvBuffer);
    end->out[0].pvBuffer = NULL;
    release(connection);
}

static bool prepare(struct end *end, struct connection *connection, bool server)
{
    end->connection = connection;
    end->server = server;
    SecInvalidateHandle(&end->context);
    end->call = SspiCreateAsyncContext();
    return SspiSetAsyncNotifyCallback(end->call, on_leg_done, end) == SEC_E_OK;
}

static void start_connections(void)
{
    for (unsigned i = 1; i <= count; i++) {
        struct connection *connection = calloc(1, sizeof(*connection));
        if (!connection)
            abort();
        connection->number = i;
        connection->references = 2; /* open, and ours */
        pthread_mutex_init(&connection->lock, NULL);
        pthread_mutex_lock(&connection->lock);
        if (prepare(&connection->client, connection, false) &&
            prepare(&connection->server, connection, true))
            start_leg(&connection->client);
        else
            close_connection(connection, SEC_E_INSUFFICIENT_MEMORY);
        release(connection);
    }
}

/* ---- credentials ---- */

static void on_credential(SspiAsyncContext *call, void *data)
{
    SECURITY_STATUS status = SspiGetAsyncCallStatus(call);
    (void)data;
    SspiFreeAsyncContext(call);
    if (status != SEC_E_OK)
        fprintf(stderr, "no credential: %s\n", OsspiStatusName(status));
    credential_failed |= status != SEC_E_OK;
    if (atomic_fetch_sub(&credentials_left, 1) != 1)
        return; /* the other one will go on */
    if (credential_failed)
        sem_post(&over);
    else
        start_connections();
}

static SECURITY_STATUS acquire(ULONG use, SCH_CREDENTIALS *auth, PCredHandle ret_credential)
{
    static WCHAR name[] = UNISP_NAME_W;
    SECURITY_STRING package = {sizeof(name) - sizeof(*name), sizeof(name), name};
    SspiAsyncContext *call = SspiCreateAsyncContext();
    SECURITY_STATUS status = SspiSetAsyncNotifyCallback(call, on_credential, NULL);
    auth->dwVersion = SCH_CREDENTIALS_VERSION;
    SecInvalidateHandle(ret_credential);
    if (status == SEC_E_OK)
        status = SspiAcquireCredentialsHandleAsyncW(call, NULL, &package, use, NULL, auth, NULL,
                                                    NULL, ret_credential, NULL);
    if (status != SEC_E_OK)
        SspiFreeAsyncContext(call);
    return status;
}

int main(int argc, char **argv)
{
    count = argc > 3 ? (unsigned)atoi(argv[3]) : 100;
    abort_every = argc > 4 ? (unsigned)atoi(argv[4]) : 0;
    SECURITY_STATUS status = SEC_E_NO_CREDENTIALS;
    if (argc > 2 && count > 0 && sem_init(&over, 0, 0) == 0)
        status = OsspiLoadCertificate(argv[1], argv[2], NULL, &certificate);
    if (status != SEC_E_OK)
        return fprintf(stderr, "quic_style CERT.pem KEY.pem [COUNT [ABORT]]: %s\n",
                       OsspiStatusName(status)),
               2;
    server_auth.cCreds = 1;
    server_auth.paCred = &certificate;
    client_auth.dwFlags = SCH_CRED_DISABLE_RECONNECTS; /* each one a full handshake */
    atomic_store(&credentials_left, 2);
    status = acquire(SECPKG_CRED_OUTBOUND, &client_auth, &client_credential);
    if (status == SEC_E_OK)
        status = acquire(SECPKG_CRED_INBOUND, &server_auth, &server_credential);
    if (status != SEC_E_OK)
        return fprintf(stderr, "cannot start: %s\n", OsspiStatusName(status)), 1;

    while (sem_wait(&over) != 0)
        ; /* a signal */
    FreeCredentialsHandle(&client_credential);
    FreeCredentialsHandle(&server_credential);
    CertFreeCertificateContext(certificate);
    status = OsspiShutdown(5000); /* the last callbacks return */
    sem_destroy(&over);
    printf("%u connections: %u established, %u aborted, %u failed; %u legs\n", count, established,
           aborted, failed, legs);
    return failed == 0 && gone == count && status == SEC_E_OK ? 0 : 1;
}
