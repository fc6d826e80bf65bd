/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/* The program in README.md: a TLS client whose handshake runs on other threads. */
#include <netdb.h>
#include <opensspi.h>
#include <schannel.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char *host = argc > 1 ? argv[1] : "example.org", *port = argc > 2 ? argv[2] : "443",
         data[65536];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *to;
    int fd = getaddrinfo(host, port, &hints, &to) ? -1 : socket(to->ai_family, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen) < 0)
        return puts("cannot connect"), 1;
    CredHandle credential;
    CtxtHandle context, *known = NULL;
    ULONG have = 0, extra, flags = ISC_REQ_ALLOCATE_MEMORY;
    SECURITY_STATUS status = AcquireCredentialsHandleA(NULL, UNISP_NAME_A, SECPKG_CRED_OUTBOUND,
                                                       NULL, NULL, NULL, NULL, &credential, NULL);
    SspiAsyncContext *call = SspiCreateAsyncContext();
    for (ssize_t count = 0; count >= 0 && call; have += (ULONG)count) {
        SecBuffer in[2] = {{have, SECBUFFER_TOKEN, data}}, out = {0, SECBUFFER_TOKEN, NULL};
        SecBufferDesc input = {SECBUFFER_VERSION, 2, in}, output = {SECBUFFER_VERSION, 1, &out};
        SspiInitializeSecurityContextAsyncA(call, &credential, known, host, flags, 0, 0, &input, 0,
                                            &context, &output, NULL, NULL);
        while ((status = OsspiWaitAsyncCall(call, 10)) == SEC_I_ASYNC_CALL_PENDING)
            puts("free for other work"); /* or a callback, or a queue in your event loop */
        count = out.cbBuffer ? write(fd, out.pvBuffer, out.cbBuffer) : 0;
        extra = in[1].BufferType == SECBUFFER_EXTRA ? in[1].cbBuffer : 0;
        if (status != SEC_E_INCOMPLETE_MESSAGE) /* then nothing was used: more has to come */
            memmove(data, data + have - extra, extra), have = extra;
        if (count < 0 || (status != SEC_I_CONTINUE_NEEDED && status != SEC_E_INCOMPLETE_MESSAGE))
            break;
        known = &context;
        if ((count = read(fd, data + have, sizeof(data) - have)) <= 0)
            break;
    }
    return printf("%s: %s\n", host, OsspiStatusName(status)), status != SEC_E_OK;
}
