/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/* A TLS client whose handshake runs on other threads. Usage: hello_async HOST [PORT] */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <opensspi.h>
#include <schannel.h>

int main(int argc, char **argv)
{
    char *host = argc > 1 ? argv[1] : "example.org", data[65536];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *address;
    if (getaddrinfo(host, argc > 2 ? argv[2] : "443", &hints, &address) != 0)
        return puts("no such host"), 1;
    int fd = socket(address->ai_family, address->ai_socktype, 0);
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        return perror("connect"), 1;

    CredHandle credential;
    CtxtHandle context, *known = NULL;
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION};
    SECURITY_STATUS status = AcquireCredentialsHandleA(NULL, UNISP_NAME_A, SECPKG_CRED_OUTBOUND,
                                                       NULL, &auth, NULL, NULL, &credential, NULL);
    SspiAsyncContext *call = SspiCreateAsyncContext(); /* one call at a time, reused for each leg */
    ULONG have = 0, extra, returned, flags = ISC_REQ_STREAM | ISC_REQ_ALLOCATE_MEMORY;

    for (int more = status == SEC_E_OK; more; known = &context) {
        SecBuffer in[2] = {{have, SECBUFFER_TOKEN, data}, {0, SECBUFFER_EMPTY, NULL}};
        SecBuffer out = {0, SECBUFFER_TOKEN, NULL};
        SspiInitializeSecurityContextAsyncA(
            call, &credential, known, host, flags, 0, SECURITY_NATIVE_DREP,
            &(SecBufferDesc){SECBUFFER_VERSION, 2, in}, 0, &context,
            &(SecBufferDesc){SECBUFFER_VERSION, 1, &out}, &returned, NULL);
        while ((status = OsspiWaitAsyncCall(call, 10)) == SEC_I_ASYNC_CALL_PENDING)
            puts("this thread is free for other work"); /* or: a callback, a completion queue */
        if (out.pvBuffer && write(fd, out.pvBuffer, out.cbBuffer) < 0)
            return perror("write"), 1;
        FreeContextBuffer(out.pvBuffer);
        extra = in[1].BufferType == SECBUFFER_EXTRA ? in[1].cbBuffer : 0; /* bytes not used */
        if (status != SEC_E_INCOMPLETE_MESSAGE) {
            memmove(data, data + have - extra, extra);
            have = extra;
        }
        more = status == SEC_I_CONTINUE_NEEDED || status == SEC_E_INCOMPLETE_MESSAGE;
        if (more && (have == 0 || status == SEC_E_INCOMPLETE_MESSAGE)) {
            ssize_t count = read(fd, data + have, sizeof(data) - have);
            if (count <= 0)
                return puts("the server has gone"), 1;
            have += (ULONG)count;
        }
    }
    SecPkgContext_ConnectionInfo info = {0};
    if (status == SEC_E_OK)
        status = QueryContextAttributesA(&context, SECPKG_ATTR_CONNECTION_INFO, &info);
    printf("%s: %s, TLS 1.%d\n", host, OsspiStatusName(status),
           info.dwProtocol == SP_PROT_TLS1_3_CLIENT ? 3 : 2);
    return status != SEC_E_OK;
}
