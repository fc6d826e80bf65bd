/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * SECURITY_KERNEL, as a QUIC stack for a kernel uses it: W functions take counted strings and are
 * bound to symbols of their own, and what kernel callers define themselves is not there.
 *
 * Stand-alone: the other side of the binding is defined in test_kernel_symbols.c.
 */
#define SECURITY_KERNEL
#define SECURITY_WIN32 /* must lose */
#define SCHANNEL_USE_BLACKLISTS
#include <security.h>

#include <stdio.h>
#include <string.h>

/* security.h must not bring schannel.h. */
#ifdef SCHANNEL_CRED_VERSION
#error "security.h pulls in schannel.h"
#endif
#include <schannel.h>

/* A kernel caller brings these itself, because its system's sspi.h hides them. */
typedef enum _SEC_APPLICATION_PROTOCOL_NEGOTIATION_STATUS {
    SecApplicationProtocolNegotiationStatus_None,
    SecApplicationProtocolNegotiationStatus_Success,
    SecApplicationProtocolNegotiationStatus_SelectedClientOnly
} SEC_APPLICATION_PROTOCOL_NEGOTIATION_STATUS,
    *PSEC_APPLICATION_PROTOCOL_NEGOTIATION_STATUS;

#ifdef MAX_PROTOCOL_ID_SIZE
#error "MAX_PROTOCOL_ID_SIZE is defined in kernel mode"
#endif
#define MAX_PROTOCOL_ID_SIZE 0xff

typedef struct _SecPkgContext_ApplicationProtocol {
    SEC_APPLICATION_PROTOCOL_NEGOTIATION_STATUS ProtoNegoStatus;
    SEC_APPLICATION_PROTOCOL_NEGOTIATION_EXT ProtoNegoExt;
    unsigned char ProtocolIdSize;
    unsigned char ProtocolId[MAX_PROTOCOL_ID_SIZE];
} SecPkgContext_ApplicationProtocol, *PSecPkgContext_ApplicationProtocol;

#ifdef __cplusplus
extern "C" {
#endif
/* In test_kernel_symbols.c: which kernel-flavoured symbol was called last, with how long a string.
 */
extern const char *test_kernel_called;
extern unsigned test_kernel_length;
#ifdef __cplusplus
}
#endif

static int failures;

static void expect_called(const char *symbol)
{
    if (test_kernel_called == NULL || strcmp(test_kernel_called, symbol) != 0 ||
        test_kernel_length != 6) {
        fprintf(stderr, "%s was not called with its string\n", symbol);
        failures++;
    }
    test_kernel_called = NULL;
    test_kernel_length = 0;
}

int main(void)
{
    WCHAR text[] = {'a', 'b', 'c'}; /* no NUL: the length counts */
    UNICODE_STRING string = {sizeof(text), sizeof(text), text};
    CredHandle cred;
    CtxtHandle ctx;
    SecBuffer packed = {0, SECBUFFER_EMPTY, NULL};
    SecBufferDesc output = {SECBUFFER_VERSION, 1, &packed};
    PSecPkgInfoW info = NULL;
    ULONG attrs = 0;
    PSecurityFunctionTableW table;

    SecInvalidateHandle(&cred);
    SecInvalidateHandle(&ctx);

    AcquireCredentialsHandleW(NULL, &string, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL, &cred,
                              NULL);
    expect_called("AcquireCredentialsHandleW");
    AddCredentialsW(&cred, NULL, &string, 0, NULL, NULL, NULL, NULL);
    expect_called("AddCredentialsW");
    InitializeSecurityContextW(&cred, NULL, &string, 0, 0, 0, NULL, 0, &ctx, &output, &attrs, NULL);
    expect_called("InitializeSecurityContextW");
    QuerySecurityPackageInfoW(&string, &info);
    expect_called("QuerySecurityPackageInfoW");
    ImportSecurityContextW(&string, &packed, NULL, &ctx);
    expect_called("ImportSecurityContextW");
    DelegateSecurityContext(&ctx, &string, SecFull, NULL, NULL, &output);
    expect_called("DelegateSecurityContext");
    SspiAcquireCredentialsHandleAsyncW(NULL, NULL, &string, 0, NULL, NULL, NULL, NULL, &cred, NULL);
    expect_called("SspiAcquireCredentialsHandleAsyncW");
    SspiInitializeSecurityContextAsyncW(NULL, &cred, NULL, &string, 0, 0, 0, NULL, 0, &ctx, &output,
                                        &attrs, NULL);
    expect_called("SspiInitializeSecurityContextAsyncW");

    table = InitSecurityInterfaceW();
    if (table == NULL) {
        fprintf(stderr, "InitSecurityInterfaceW is not bound to the kernel flavour\n");
        return 1;
    }
    table->QuerySecurityPackageInfoW(&string, &info);
    expect_called("QuerySecurityPackageInfoW");
    table->AcquireCredentialsHandleW(NULL, &string, 0, NULL, NULL, NULL, NULL, &cred, NULL);
    expect_called("AcquireCredentialsHandleW");
    if (table->Reserved9 != NULL)
        failures++;
    return failures != 0;
}
