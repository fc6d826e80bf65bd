/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Servers with several certificates; see tls_shown.h.
 */
#include "support/tls_shown.h"

#include <opensspi.h>
#include <string.h>

#define MAX_SHOWN 16

SECURITY_STATUS shown_acquire(const struct peer_form *form, const char *principal, ULONG use,
                              void *auth, PCredHandle credential)
{
    SspiAsyncContext *async;
    SECURITY_STATUS status;

    if (form == PEER_SYNC)
        return AcquireCredentialsHandleA((LPSTR)principal, (LPSTR)UNISP_NAME_A, use, NULL, auth,
                                         NULL, NULL, credential, NULL);
    async = SspiCreateAsyncContext();
    TEST_REQUIRE(async != NULL);
    status = SspiAcquireCredentialsHandleAsyncA(async, (LPSTR)principal, (LPSTR)UNISP_NAME_A, use,
                                                NULL, auth, NULL, NULL, credential, NULL);
    if (status == SEC_E_OK)
        status = OsspiWaitAsyncCall(async, OSSPI_INFINITE);
    SspiFreeAsyncContext(async);
    return status;
}

static DWORD load(const char *const *names, PCCERT_CONTEXT contexts[MAX_SHOWN])
{
    DWORD count = 0;

    for (; names && names[count]; count++) {
        TEST_REQUIRE(count < MAX_SHOWN);
        contexts[count] = peer_certificate(names[count]);
    }
    return count;
}

static void unload(PCCERT_CONTEXT *contexts, DWORD count)
{
    for (DWORD i = 0; i < count; i++)
        CertFreeCertificateContext(contexts[i]);
}

SECURITY_STATUS shown_serve(struct peer_end *server, const char *principal, DWORD flags,
                            const char *const *names)
{
    PCCERT_CONTEXT contexts[MAX_SHOWN];
    SCH_CREDENTIALS auth = {
        .dwVersion = SCH_CREDENTIALS_VERSION, .paCred = contexts, .dwFlags = flags};
    SECURITY_STATUS status;

    auth.cCreds = load(names, contexts);
    status =
        shown_acquire(server->form, principal, SECPKG_CRED_INBOUND, &auth, &server->credential);
    server->has_credential = status == SEC_E_OK;
    unload(contexts, auth.cCreds);
    return status;
}

SECURITY_STATUS shown_add(struct peer_end *server, const char *principal, const char *name)
{
    PCCERT_CONTEXT context = peer_certificate(name);
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION, .cCreds = 1, .paCred = &context};
    SECURITY_STATUS status = AddCredentialsA(
        &server->credential, (LPSTR)principal, (LPSTR)UNISP_NAME_A,
        server->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, &auth, NULL, NULL, NULL);

    CertFreeCertificateContext(context);
    return status;
}

SECURITY_STATUS shown_renew(struct peer_end *end, const char *const *names)
{
    PCCERT_CONTEXT contexts[MAX_SHOWN];
    DWORD count = load(names, contexts);
    TimeStamp expiry = {.QuadPart = 0};
    SECURITY_STATUS status = OsspiRenewCredential(&end->credential, contexts, count, &expiry);

    TEST_REQUIRE((status == SEC_E_OK) == (expiry.QuadPart > 0));
    unload(contexts, count);
    return status;
}

bool shown_is(struct peer_end *end, const char *name)
{
    PCCERT_CONTEXT seen = NULL, wanted = peer_certificate(name);
    bool same;

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&end->context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &seen), SEC_E_OK);
    same = seen->cbCertEncoded == wanted->cbCertEncoded &&
           memcmp(seen->pbCertEncoded, wanted->pbCertEncoded, seen->cbCertEncoded) == 0;
    CertFreeCertificateContext(seen);
    CertFreeCertificateContext(wanted);
    return same;
}

void shown_expect(struct peer_pair *pair, const char *target, const char *name)
{
    pair->client.target = target;
    peer_connect(pair);
    if (!shown_is(&pair->client, name))
        fail_msg("%s was not shown %s", target, name);
    peer_disconnect(pair);
}

bool shown_resumed(struct peer_end *end)
{
    SecPkgContext_SessionInfo info;

    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&end->context, SECPKG_ATTR_SESSION_INFO, &info),
                       SEC_E_OK);
    return (info.dwFlags & SSL_SESSION_RECONNECT) != 0;
}

bool shown_connect_resumes(struct peer_pair *pair)
{
    bool resumed;

    peer_connect(pair);
    peer_exchange(pair);
    resumed = shown_resumed(&pair->client);
    TEST_REQUIRE_EQUAL(resumed, shown_resumed(&pair->server));
    peer_disconnect(pair);
    return resumed;
}
