/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What these examples share and what is the same in any program: a server's credential from PEM
 * files, a record sealed, the word of goodbye, a listening socket. Copy what you need.
 */
#ifndef OPENSSPI_EXAMPLES_COMMON_H
#define OPENSSPI_EXAMPLES_COMMON_H

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <opensspi.h>
#include <schannel.h>

/** A server's credential: certificate and chain from one file, the private key from another. */
static inline SECURITY_STATUS example_acquire(const char *cert_file, const char *key_file,
                                              PCredHandle ret_credential)
{
    PCCERT_CONTEXT cert;
    SECURITY_STATUS status = OsspiLoadCertificate(cert_file, key_file, NULL, &cert);
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION, .cCreds = 1, .paCred = &cert};
    if (status != SEC_E_OK)
        return status;
    status = AcquireCredentialsHandleA(NULL, UNISP_NAME_A, SECPKG_CRED_INBOUND, NULL, &auth, NULL,
                                       NULL, ret_credential, NULL);
    CertFreeCertificateContext(cert); /* the credential keeps what it needs of it */
    return status;
}

/** Has the next leg, which takes no input, make the close_notify (or the alert, if all is lost). */
static inline SECURITY_STATUS example_goodbye(PCtxtHandle context)
{
    DWORD token = SCHANNEL_SHUTDOWN;
    SecBuffer buffer = {sizeof(token), SECBUFFER_TOKEN, &token};
    SecBufferDesc desc = {SECBUFFER_VERSION, 1, &buffer};
    return ApplyControlToken(context, &desc);
}

/**
 * Seals one record. record has room for cbHeader + len + cbTrailer bytes; len is at most
 * cbMaximumMessage.
 *
 * @return bytes at record that are to be sent; 0: it failed, the connection is over
 */
static inline size_t example_seal(PCtxtHandle context, const SecPkgContext_StreamSizes *sizes,
                                  void *record, const void *data, size_t len)
{
    unsigned char *header = record, *body = header + sizes->cbHeader;
    SecBuffer parts[4] = {{sizes->cbHeader, SECBUFFER_STREAM_HEADER, header},
                          {(ULONG)len, SECBUFFER_DATA, body},
                          {sizes->cbTrailer, SECBUFFER_STREAM_TRAILER, body + len},
                          {0, SECBUFFER_EMPTY, NULL}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 4, parts};
    size_t used = 0;
    memmove(body, data, len);
    if (EncryptMessage(context, 0, &desc, 0) != SEC_E_OK)
        return 0;
    /* Each part may be shorter than announced, so they need not touch. Close the gaps. */
    for (int i = 0; i < 3; i++) {
        memmove(header + used, parts[i].pvBuffer, parts[i].cbBuffer);
        used += parts[i].cbBuffer;
    }
    return used;
}

/** Listens on the loopback address (port "0": a free one) and says where; -1 with errno set. */
static inline int example_listen(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 512) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        close(fd);
        return -1;
    }
    printf("listening on 127.0.0.1 port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

#endif
