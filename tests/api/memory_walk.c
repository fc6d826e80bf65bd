/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The walk of the allocation tests; see memory_walk.h. The hooks in force are a global, because a
 * form has no place for them: one walk at a time.
 */
#include "api/memory_walk.h"

#include <opensspi.h>
#include <string.h>

#include "support/tls_async.h"

static const struct memory_hooks *now; /* guarded by: one walk at a time */

#define HOOKED(call) \
    do { \
        SECURITY_STATUS status; \
        now->arm(); \
        status = call; \
        now->disarm(); \
        return status; \
    } while (0)

/* ---- forms ---- */

static SECURITY_STATUS sync_acquire(LPSTR package, ULONG use, void *auth, PCredHandle credential,
                                    PTimeStamp expiry)
{
    HOOKED(PEER_SYNC->acquire(package, use, auth, credential, expiry));
}

static SECURITY_STATUS sync_initialize(PCredHandle credential, PCtxtHandle context, LPSTR target,
                                       ULONG flags, PSecBufferDesc in, PCtxtHandle new_context,
                                       PSecBufferDesc out, ULONG *attributes, PTimeStamp expiry)
{
    HOOKED(PEER_SYNC->initialize(credential, context, target, flags, in, new_context, out,
                                 attributes, expiry));
}

static SECURITY_STATUS sync_accept(PCredHandle credential, PCtxtHandle context, ULONG flags,
                                   PSecBufferDesc in, PCtxtHandle new_context, PSecBufferDesc out,
                                   ULONG *attributes, PTimeStamp expiry)
{
    HOOKED(PEER_SYNC->accept(credential, context, flags, in, new_context, out, attributes, expiry));
}

static SECURITY_STATUS sync_delete(PCtxtHandle context)
{
    HOOKED(DeleteSecurityContext(context));
}

static SECURITY_STATUS sync_free(PCredHandle credential)
{
    HOOKED(FreeCredentialsHandle(credential));
}

/* The context is made outside of the hooks, and freed there. */
struct async_waiter {
    SspiAsyncContext *async;
};

static void async_prepare(struct async_waiter *waiter)
{
    waiter->async = SspiCreateAsyncContext();
    TEST_REQUIRE(waiter->async != NULL);
    now->arm();
}

/* A refused call must leave its reason as status, and is not waited for. */
static SECURITY_STATUS async_finish(struct async_waiter *waiter, SECURITY_STATUS queued)
{
    SECURITY_STATUS status = queued;

    if (queued == SEC_E_OK)
        status = OsspiWaitAsyncCall(waiter->async, OSSPI_INFINITE);
    now->disarm();
    TEST_REQUIRE_EQUAL(SspiGetAsyncCallStatus(waiter->async), status);
    SspiFreeAsyncContext(waiter->async);
    return status;
}

PEER_ASYNC_CALLS(async)

static const struct peer_form forms[PEER_FORMS] = {
    {"sync", sync_acquire, sync_initialize, sync_accept, sync_delete, sync_free},
    PEER_ASYNC_FORM(async),
};

const struct peer_form *memory_form(size_t index, const struct memory_hooks *hooks)
{
    now = hooks;
    return &forms[index];
}

/* ---- the walk ---- */

static SECURITY_STATUS ask(struct peer_end *end, ULONG attribute, void *buffer)
{
    SECURITY_STATUS status;

    now->arm();
    status = QueryContextAttributesW(&end->context, attribute, buffer);
    now->disarm();
    return status;
}

/* Each answer is freed; a failure leaves nothing to free. */
static SECURITY_STATUS ask_all(struct peer_end *end)
{
    SecPkgContext_KeyInfoW key;
    SecPkgContext_Certificates list;
    SecPkgContext_Bindings bindings;
    SecPkgContext_PackageInfoW info;
    PCCERT_CONTEXT certificate = NULL;
    SECURITY_STATUS status = ask(end, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &certificate);

    if (status != SEC_E_OK)
        return status;
    CertFreeCertificateContext(certificate);
    status = ask(end, SECPKG_ATTR_REMOTE_CERTIFICATES, &list);
    if (status != SEC_E_OK)
        return status;
    FreeContextBuffer(list.pbCertificateChain);
    status = ask(end, SECPKG_ATTR_ENDPOINT_BINDINGS, &bindings);
    if (status != SEC_E_OK)
        return status;
    FreeContextBuffer(bindings.Bindings);
    status = ask(end, SECPKG_ATTR_PACKAGE_INFO, &info);
    if (status != SEC_E_OK)
        return status;
    FreeContextBuffer(info.PackageInfo);
    status = ask(end, SECPKG_ATTR_KEY_INFO, &key);
    if (status != SEC_E_OK)
        return status;
    FreeContextBuffer(key.sEncryptAlgorithmName);
    FreeContextBuffer(key.sSignatureAlgorithmName);
    return SEC_E_OK;
}

/* Those that leave one pointer, where it is. */
static SECURITY_STATUS ask_one(struct peer_end *end, ULONG attribute, size_t at)
{
    void *buffer[8] = {NULL};
    SECURITY_STATUS status = ask(end, attribute, buffer);

    if (status == SEC_E_OK) {
        TEST_REQUIRE(buffer[at] != NULL);
        FreeContextBuffer(buffer[at]);
    }
    return status;
}

static SECURITY_STATUS ask_more(struct peer_end *end)
{
    static const struct {
        ULONG attribute;
        size_t at;
    } ones[] = {{SECPKG_ATTR_NAMES, 0},
                {SECPKG_ATTR_AUTHORITY, 0},
                {SECPKG_ATTR_PROTO_INFO, 0},
                {SECPKG_ATTR_TARGET_INFORMATION, 1},
                {SECPKG_ATTR_NEGOTIATED_TLS_EXTENSIONS, 1},
                {SECPKG_ATTR_SUPPORTED_SIGNATURES, 1},
                {SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT, 1},
                {SECPKG_ATTR_APP_DATA, 1}};
    SecPkgContext_SessionAppData data = {0, 5, (PBYTE) "bytes"};
    PCCERT_CHAIN_CONTEXT chain = NULL;
    SECURITY_STATUS status;

    now->arm();
    status = SetContextAttributesW(&end->context, SECPKG_ATTR_APP_DATA, &data, sizeof(data));
    now->disarm();
    for (size_t i = 0; status == SEC_E_OK && i < sizeof(ones) / sizeof(ones[0]); i++)
        status = ask_one(end, ones[i].attribute, ones[i].at);
    if (status == SEC_E_OK)
        status = ask(end, SECPKG_ATTR_REMOTE_CERT_CHAIN, &chain);
    CertFreeCertificateChain(chain);
    return status;
}

SECURITY_STATUS memory_tell(struct peer_end *from, struct peer_end *to)
{
    uint8_t bytes[600];
    SecBuffer out[4] = {
        {from->sizes.cbHeader, SECBUFFER_STREAM_HEADER, bytes},
        {5, SECBUFFER_DATA, bytes + from->sizes.cbHeader},
        {from->sizes.cbTrailer, SECBUFFER_STREAM_TRAILER, bytes + from->sizes.cbHeader + 5}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, out};
    SECURITY_STATUS status;

    TEST_REQUIRE(from->sizes.cbHeader + from->sizes.cbTrailer + 5 <= sizeof(bytes));
    memcpy(bytes + from->sizes.cbHeader, "hello", 5);
    now->arm();
    status = EncryptMessage(&from->context, 0, &message, 0);
    now->disarm();
    for (int i = 0; status == SEC_E_OK && i < 3; i++)
        peer_push(&to->in, out[i].pvBuffer, out[i].cbBuffer);
    while (status == SEC_E_OK && to->in.len > 0) {
        SecBuffer in[4] = {{(ULONG)to->in.len, SECBUFFER_DATA, to->in.bytes}};
        SecBufferDesc opened = {SECBUFFER_VERSION, 4, in};

        now->arm();
        status = DecryptMessage(&to->context, &opened, 0, NULL);
        now->disarm();
        if (status < 0)
            return status;
        peer_drop(&to->in, to->in.len - in[3].cbBuffer);
        if (status == SEC_I_RENEGOTIATE)
            status = peer_step(to, from);
    }
    return status;
}

SECURITY_STATUS memory_shut(struct peer_end *end)
{
    const DWORD token = SCHANNEL_SHUTDOWN;
    SECURITY_STATUS status;
    uint8_t out[256];
    struct peer_leg leg = peer_leg_of(end, NULL, 0, out, sizeof(out));

    now->arm();
    status = peer_control(end, &token, sizeof(token));
    now->disarm();
    return status == SEC_E_OK ? peer_leg_run(end, &leg) : status;
}

static SECURITY_STATUS walk(struct peer_pair *pair, DWORD protocols, const char *certificate,
                            bool verify)
{
    SECURITY_STATUS status = peer_end_acquire(
        &pair->client, protocols, verify ? 0 : SCH_CRED_MANUAL_CRED_VALIDATION, NULL, false);

    if (status == SEC_E_OK)
        status = peer_end_acquire(&pair->server, 0, 0, certificate, true);
    if (status == SEC_E_OK)
        status = peer_handshake(pair);
    if (status != SEC_E_OK)
        return status;
    peer_established(&pair->client);
    peer_established(&pair->server);
    status = ask_all(&pair->client);
    if (status == SEC_E_OK)
        status = ask_more(&pair->client);
    if (status == SEC_E_OK)
        status = memory_tell(&pair->client, &pair->server);
    if (status == SEC_E_OK)
        status = memory_tell(&pair->server, &pair->client);
    return status == SEC_E_OK ? memory_shut(&pair->client) : status;
}

SECURITY_STATUS memory_walk(const struct peer_form *form, const struct memory_hooks *hooks,
                            DWORD protocols, const char *certificate, bool verify)
{
    struct peer_pair pair;
    SECURITY_STATUS status;

    now = hooks;
    peer_end_init(&pair.client, form, false);
    peer_end_init(&pair.server, form, true);
    status = walk(&pair, protocols, certificate, verify);
    peer_close(&pair); /* deleting and freeing never fail */
    return status;
}

static bool nothing_left(void *data)
{
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};

    (void)data;
    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&statistics), SEC_E_OK);
    return statistics.live_credentials == 0 && statistics.live_contexts == 0 &&
           statistics.live_async_contexts == 0;
}

void memory_require_nothing_left(void)
{
    test_poll(nothing_left, NULL);
}
