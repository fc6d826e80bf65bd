/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: every way in leads to the same place. A connection by the W functions, by the tables of
 * both encodings and by the asynchronous W functions; host names in UTF-16 and UTF-8.
 */
#include <opensspi.h>
#include <string.h>

#include "support/tls_peer.h"

#define MAX_TEXT 256

/* UTF-8 that is ASCII, or two bytes long. */
static WCHAR *widen(const char *text, WCHAR *wide)
{
    size_t at = 0;

    if (!text)
        return NULL;
    for (const uint8_t *c = (const uint8_t *)text; *c && at < MAX_TEXT - 1; c++) {
        if (*c >= 0xC0 && c[1]) {
            wide[at++] = (WCHAR)((*c & 0x1F) << 6 | (c[1] & 0x3F));
            c++;
        } else {
            wide[at++] = *c;
        }
    }
    wide[at] = 0;
    return wide;
}

/* ---- W ---- */

static SECURITY_STATUS acquire_w(LPSTR package, ULONG use, void *auth, PCredHandle credential,
                                 PTimeStamp expiry)
{
    WCHAR name[MAX_TEXT];

    return AcquireCredentialsHandleW(NULL, widen(package, name), use, NULL, auth, NULL, NULL,
                                     credential, expiry);
}

static SECURITY_STATUS initialize_w(PCredHandle credential, PCtxtHandle context, LPSTR target,
                                    ULONG flags, PSecBufferDesc in, PCtxtHandle new_context,
                                    PSecBufferDesc out, ULONG *attributes, PTimeStamp expiry)
{
    WCHAR name[MAX_TEXT];

    return InitializeSecurityContextW(credential, context, widen(target, name), flags, 0, 0, in, 0,
                                      new_context, out, attributes, expiry);
}

/* ---- tables ---- */

static SECURITY_STATUS acquire_table_a(LPSTR package, ULONG use, void *auth, PCredHandle credential,
                                       PTimeStamp expiry)
{
    return InitSecurityInterfaceA()->AcquireCredentialsHandleA(NULL, package, use, NULL, auth, NULL,
                                                               NULL, credential, expiry);
}

static SECURITY_STATUS initialize_table_a(PCredHandle credential, PCtxtHandle context, LPSTR target,
                                          ULONG flags, PSecBufferDesc in, PCtxtHandle new_context,
                                          PSecBufferDesc out, ULONG *attributes, PTimeStamp expiry)
{
    return InitSecurityInterfaceA()->InitializeSecurityContextA(
        credential, context, target, flags, 0, 0, in, 0, new_context, out, attributes, expiry);
}

static SECURITY_STATUS acquire_table_w(LPSTR package, ULONG use, void *auth, PCredHandle credential,
                                       PTimeStamp expiry)
{
    WCHAR name[MAX_TEXT];

    return InitSecurityInterfaceW()->AcquireCredentialsHandleW(
        NULL, widen(package, name), use, NULL, auth, NULL, NULL, credential, expiry);
}

static SECURITY_STATUS initialize_table_w(PCredHandle credential, PCtxtHandle context, LPSTR target,
                                          ULONG flags, PSecBufferDesc in, PCtxtHandle new_context,
                                          PSecBufferDesc out, ULONG *attributes, PTimeStamp expiry)
{
    WCHAR name[MAX_TEXT];

    return InitSecurityInterfaceW()->InitializeSecurityContextW(
        credential, context, widen(target, name), flags, 0, 0, in, 0, new_context, out, attributes,
        expiry);
}

static SECURITY_STATUS accept_table(PCredHandle credential, PCtxtHandle context, ULONG flags,
                                    PSecBufferDesc in, PCtxtHandle new_context, PSecBufferDesc out,
                                    ULONG *attributes, PTimeStamp expiry)
{
    return InitSecurityInterfaceW()->AcceptSecurityContext(credential, context, in, flags, 0,
                                                           new_context, out, attributes, expiry);
}

static SECURITY_STATUS delete_table(PCtxtHandle context)
{
    return InitSecurityInterfaceA()->DeleteSecurityContext(context);
}

static SECURITY_STATUS free_table(PCredHandle credential)
{
    return InitSecurityInterfaceA()->FreeCredentialHandle(credential);
}

/* ---- asynchronous W: the strings are gone when the call runs ---- */

static SECURITY_STATUS finish(SspiAsyncContext *async, SECURITY_STATUS status, WCHAR *name)
{
    memset(name, 0xFF, MAX_TEXT * sizeof(*name));
    if (status == SEC_E_OK)
        status = OsspiWaitAsyncCall(async, OSSPI_INFINITE);
    SspiFreeAsyncContext(async);
    return status;
}

static SECURITY_STATUS acquire_async_w(LPSTR package, ULONG use, void *auth, PCredHandle credential,
                                       PTimeStamp expiry)
{
    SspiAsyncContext *async = SspiCreateAsyncContext();
    WCHAR name[MAX_TEXT];

    return finish(async,
                  SspiAcquireCredentialsHandleAsyncW(async, NULL, widen(package, name), use, NULL,
                                                     auth, NULL, NULL, credential, expiry),
                  name);
}

static SECURITY_STATUS initialize_async_w(PCredHandle credential, PCtxtHandle context, LPSTR target,
                                          ULONG flags, PSecBufferDesc in, PCtxtHandle new_context,
                                          PSecBufferDesc out, ULONG *attributes, PTimeStamp expiry)
{
    SspiAsyncContext *async = SspiCreateAsyncContext();
    WCHAR name[MAX_TEXT];

    return finish(async,
                  SspiInitializeSecurityContextAsyncW(async, credential, context,
                                                      widen(target, name), flags, 0, 0, in, 0,
                                                      new_context, out, attributes, expiry),
                  name);
}

/* ---- the tests ---- */

static struct peer_form ways[4];

static void every_way_makes_a_connection(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const struct peer_setup wrong = {.certificate = "wrongname"};
        struct peer_pair pair;

        peer_open(&pair, &ways[i], NULL);
        peer_connect(&pair);
        peer_exchange(&pair);
        peer_close(&pair);
        peer_open(&pair, &ways[i], &wrong);
        assert_int_equal(peer_handshake(&pair), SEC_E_WRONG_PRINCIPAL);
        peer_close(&pair);
    }
}

/* An internationalised name matches the A-label of the certificate, whatever way it comes; where
 * the library cannot convert it, it says so and takes nobody. */
static void internationalised_names(void **state)
{
    const struct peer_setup setup = {.certificate = "idn"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct peer_pair pair;
        SECURITY_STATUS status;

        peer_open(&pair, &ways[i], &setup);
        pair.client.target = "xn--mnchen-3ya.test";
        assert_int_equal(peer_handshake(&pair), SEC_E_OK);
        peer_disconnect(&pair);
        pair.client.target = "m\xC3\xBCnchen.test";
        status = peer_handshake(&pair);
        assert_true(status == SEC_E_OK || status == SEC_E_TARGET_UNKNOWN);
        peer_close(&pair);
    }
}

/* A client by one way and a server by another; handles know nothing of encodings. */
static void ways_can_be_mixed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct peer_pair pair;

        peer_open(&pair, &ways[i], NULL);
        assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        pair.client.form = &ways[(i + 1) % 4];
        pair.server.form = &ways[(i + 2) % 4];
        peer_connect(&pair);
        peer_exchange(&pair);
        peer_close(&pair);
    }
}

static int set_up(void **state)
{
    (void)state;
    test_watchdog(60);
    peer_trust("ca");
    ways[0] = ways[1] = ways[2] = *PEER_SYNC;
    ways[3] = *PEER_ASYNC;
    ways[0].acquire = acquire_w;
    ways[0].initialize = initialize_w;
    ways[1] = (struct peer_form){"table A",    acquire_table_a, initialize_table_a,
                                 accept_table, delete_table,    free_table};
    ways[2] = (struct peer_form){"table W",    acquire_table_w, initialize_table_w,
                                 accept_table, delete_table,    free_table};
    ways[3].acquire = acquire_async_w;
    ways[3].initialize = initialize_async_w;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_makes_a_connection),
        cmocka_unit_test(internationalised_names),
        cmocka_unit_test(ways_can_be_mixed),
    };

    return cmocka_run_group_tests_name("contract.encodings", tests, set_up, NULL);
}
