/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Like plain.c, but in C++ and with an asynchronous call: a credential, acquired on another thread
 * and waited for.
 */
#include <cstdio>
#include <memory>
#include <opensspi.h>
#include <schannel.h>

int main()
{
    using Call = std::unique_ptr<SspiAsyncContext, decltype(&SspiFreeAsyncContext)>;
    Call call(SspiCreateAsyncContext(), SspiFreeAsyncContext);
    char package[] = UNISP_NAME_A;
    CredHandle credential;

    SECURITY_STATUS status = SspiAcquireCredentialsHandleAsyncA(
        call.get(), nullptr, package, SECPKG_CRED_OUTBOUND, nullptr, nullptr, nullptr, nullptr,
        &credential, nullptr);
    if (status == SEC_E_OK)
        status = OsspiWaitAsyncCall(call.get(), OSSPI_INFINITE);
    std::printf("acquired: %s\n", OsspiStatusName(status));
    if (status != SEC_E_OK)
        return 1;
    FreeCredentialsHandle(&credential);
    return OsspiShutdown(OSSPI_INFINITE) == SEC_E_OK ? 0 : 1;
}
