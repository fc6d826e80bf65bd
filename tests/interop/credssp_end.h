/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One end of CredSSP over a socket, for programs that stand between a test and a foreign peer: the
 * legs, synchronous or asynchronous, and messages afterwards. Only public calls. One thread.
 */
#ifndef OSSPI_TESTS_INTEROP_CREDSSP_END_H
#define OSSPI_TESTS_INTEROP_CREDSSP_END_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>

#define CREDSSP_WIRE 262144u /* more than any one message of either side */

/** What an end is to be; NULL: left out. */
struct credssp_wish {
    bool accepts, asynchronous, delegates;
    bool bare;               /* no pAuthData->pSpnegoCred: default credentials */
    unsigned type;           /* of CREDSSP_CRED; 0: CredsspSubmitBufferBoth */
    ULONG oldest;            /* version of CredSSP; 0: what is usual */
    const char *certificate; /* name of a test certificate, of a server */
    const char *tls;         /* "1.2" or "1.3" and nothing else */
    const char *target;      /* SPN */
    const char *user, *domain, *password, *packages;
    PSEC_WINNT_AUTH_IDENTITY_OPAQUE identity; /* in place of these four */
};

struct credssp_end {
    int fd;
    const struct credssp_wish *wish;
    CredHandle credential;
    CtxtHandle context;
    SspiAsyncContext *call; /* of an asynchronous end */
    SecPkgContext_StreamSizes sizes;
    unsigned legs;
    ULONG attributes;
    bool closed; /* the peer has closed the socket */
    size_t have; /* bytes in wire */
    unsigned char wire[CREDSSP_WIRE];
};

/** Acquires the credential; fd becomes the end's own. */
SECURITY_STATUS credssp_begin(struct credssp_end *end, int fd, const struct credssp_wish *wish);
/** Deletes all and closes the socket; also where credssp_begin() has failed. */
void credssp_finish(struct credssp_end *end);

/** Legs until they are done; SEC_E_OK, or what refused. SEC_E_INCOMPLETE_MESSAGE: the peer went. */
SECURITY_STATUS credssp_establish(struct credssp_end *end);

/** Seals and sends. */
SECURITY_STATUS credssp_send(struct credssp_end *end, const void *bytes, size_t len);
/**
 * Opens the next record of what has come, without waiting; it may be empty.
 * SEC_E_INCOMPLETE_MESSAGE: more has to come; SEC_I_CONTEXT_EXPIRED: the peer's goodbye.
 */
SECURITY_STATUS credssp_open(struct credssp_end *end, void *bytes, size_t size, size_t *ret_len);
/** The same, and waits. */
SECURITY_STATUS credssp_receive(struct credssp_end *end, void *bytes, size_t size, size_t *ret_len);
/** Reads from the socket once; false: the peer has gone. */
bool credssp_fill(struct credssp_end *end);
/** Sends TLS's close_notify. */
void credssp_goodbye(struct credssp_end *end);

/** Plain bytes over a socket; false: it is over. */
bool credssp_put(int fd, const void *bytes, size_t len);
bool credssp_get(int fd, void *bytes, size_t len);

#endif
