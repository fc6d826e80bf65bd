/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The library's side of test_kernel.c: the symbols that the kernel flavour of sspi.h is bound to,
 * by their plain names. Whoever calls the user flavour instead does not link.
 */
#include <stdint.h>
#include <string.h>

#define SECURITY_KERNEL
#include <sspi.h>

extern const char *test_kernel_called;
extern unsigned test_kernel_length;
const char *test_kernel_called;
unsigned test_kernel_length;

static SECURITY_STATUS note(const char *name, PSECURITY_STRING string)
{
    test_kernel_called = name;
    test_kernel_length = string->Length;
    return SEC_E_OK;
}

#define UNUSED(a) ((void)(a))

SECURITY_STATUS osspi_kernel_AcquireCredentialsHandleW(PSECURITY_STRING a, PSECURITY_STRING b,
                                                       ULONG c, void *d, void *e, SEC_GET_KEY_FN f,
                                                       void *g, PCredHandle h, PTimeStamp i);
SECURITY_STATUS osspi_kernel_AcquireCredentialsHandleW(PSECURITY_STRING a, PSECURITY_STRING b,
                                                       ULONG c, void *d, void *e, SEC_GET_KEY_FN f,
                                                       void *g, PCredHandle h, PTimeStamp i)
{
    UNUSED(a), UNUSED(c), UNUSED(d), UNUSED(e), UNUSED(f), UNUSED(g), UNUSED(h), UNUSED(i);
    return note("AcquireCredentialsHandleW", b);
}

SECURITY_STATUS osspi_kernel_AddCredentialsW(PCredHandle a, PSECURITY_STRING b, PSECURITY_STRING c,
                                             ULONG d, void *e, SEC_GET_KEY_FN f, void *g,
                                             PTimeStamp h);
SECURITY_STATUS osspi_kernel_AddCredentialsW(PCredHandle a, PSECURITY_STRING b, PSECURITY_STRING c,
                                             ULONG d, void *e, SEC_GET_KEY_FN f, void *g,
                                             PTimeStamp h)
{
    UNUSED(a), UNUSED(b), UNUSED(d), UNUSED(e), UNUSED(f), UNUSED(g), UNUSED(h);
    return note("AddCredentialsW", c);
}

SECURITY_STATUS osspi_kernel_InitializeSecurityContextW(PCredHandle a, PCtxtHandle b,
                                                        PSECURITY_STRING c, ULONG d, ULONG e,
                                                        ULONG f, PSecBufferDesc g, ULONG h,
                                                        PCtxtHandle i, PSecBufferDesc j, ULONG *k,
                                                        PTimeStamp l);
SECURITY_STATUS osspi_kernel_InitializeSecurityContextW(PCredHandle a, PCtxtHandle b,
                                                        PSECURITY_STRING c, ULONG d, ULONG e,
                                                        ULONG f, PSecBufferDesc g, ULONG h,
                                                        PCtxtHandle i, PSecBufferDesc j, ULONG *k,
                                                        PTimeStamp l)
{
    UNUSED(a), UNUSED(b), UNUSED(d), UNUSED(e), UNUSED(f), UNUSED(g), UNUSED(h), UNUSED(i);
    UNUSED(j), UNUSED(k), UNUSED(l);
    return note("InitializeSecurityContextW", c);
}

SECURITY_STATUS osspi_kernel_QuerySecurityPackageInfoW(PSECURITY_STRING a, PSecPkgInfoW *b);
SECURITY_STATUS osspi_kernel_QuerySecurityPackageInfoW(PSECURITY_STRING a, PSecPkgInfoW *b)
{
    UNUSED(b);
    return note("QuerySecurityPackageInfoW", a);
}

SECURITY_STATUS osspi_kernel_ImportSecurityContextW(PSECURITY_STRING a, PSecBuffer b, void *c,
                                                    PCtxtHandle d);
SECURITY_STATUS osspi_kernel_ImportSecurityContextW(PSECURITY_STRING a, PSecBuffer b, void *c,
                                                    PCtxtHandle d)
{
    UNUSED(b), UNUSED(c), UNUSED(d);
    return note("ImportSecurityContextW", a);
}

SECURITY_STATUS osspi_kernel_DelegateSecurityContext(PCtxtHandle a, PSECURITY_STRING b,
                                                     SecDelegationType c, PTimeStamp d,
                                                     PSecBuffer e, PSecBufferDesc f);
SECURITY_STATUS osspi_kernel_DelegateSecurityContext(PCtxtHandle a, PSECURITY_STRING b,
                                                     SecDelegationType c, PTimeStamp d,
                                                     PSecBuffer e, PSecBufferDesc f)
{
    UNUSED(a), UNUSED(c), UNUSED(d), UNUSED(e), UNUSED(f);
    return note("DelegateSecurityContext", b);
}

SECURITY_STATUS osspi_kernel_SspiAcquireCredentialsHandleAsyncW(
    SspiAsyncContext *x, PSECURITY_STRING a, PSECURITY_STRING b, ULONG c, void *d, void *e,
    SEC_GET_KEY_FN f, void *g, PCredHandle h, PTimeStamp i);
SECURITY_STATUS osspi_kernel_SspiAcquireCredentialsHandleAsyncW(
    SspiAsyncContext *x, PSECURITY_STRING a, PSECURITY_STRING b, ULONG c, void *d, void *e,
    SEC_GET_KEY_FN f, void *g, PCredHandle h, PTimeStamp i)
{
    UNUSED(x), UNUSED(a), UNUSED(c), UNUSED(d), UNUSED(e), UNUSED(f), UNUSED(g), UNUSED(h);
    UNUSED(i);
    return note("SspiAcquireCredentialsHandleAsyncW", b);
}

SECURITY_STATUS osspi_kernel_SspiInitializeSecurityContextAsyncW(
    SspiAsyncContext *x, PCredHandle a, PCtxtHandle b, PSECURITY_STRING c, ULONG d, ULONG e,
    ULONG f, PSecBufferDesc g, ULONG h, PCtxtHandle i, PSecBufferDesc j, ULONG *k, PTimeStamp l);
SECURITY_STATUS osspi_kernel_SspiInitializeSecurityContextAsyncW(
    SspiAsyncContext *x, PCredHandle a, PCtxtHandle b, PSECURITY_STRING c, ULONG d, ULONG e,
    ULONG f, PSecBufferDesc g, ULONG h, PCtxtHandle i, PSecBufferDesc j, ULONG *k, PTimeStamp l)
{
    UNUSED(x), UNUSED(a), UNUSED(b), UNUSED(d), UNUSED(e), UNUSED(f), UNUSED(g), UNUSED(h);
    UNUSED(i), UNUSED(j), UNUSED(k), UNUSED(l);
    return note("SspiInitializeSecurityContextAsyncW", c);
}

PSecurityFunctionTableW osspi_kernel_InitSecurityInterfaceW(void);
PSecurityFunctionTableW osspi_kernel_InitSecurityInterfaceW(void)
{
    static SecurityFunctionTableW
        table; /* written once per call with the same values; one thread */

    memset(&table, 0, sizeof(table));
    table.dwVersion = SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION_5;
    table.AcquireCredentialsHandleW = osspi_kernel_AcquireCredentialsHandleW;
    table.QuerySecurityPackageInfoW = osspi_kernel_QuerySecurityPackageInfoW;
    return &table;
}
