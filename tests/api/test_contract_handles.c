/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: handles. Every function that takes one, in both encodings and through both function
 * tables, with handles that are NULL, never were, are no more, belong to something else, or are
 * a live one with one bit changed: always SEC_E_INVALID_HANDLE, and never a crash.
 */
#include <opensspi.h>
#include <string.h>

#include "support/tls_peer.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Arguments that would do if the handle did. */
static uint8_t room[4096];
static SecBuffer in_items[4], out_items[1];
static SecBufferDesc in, out;
static ULONG attributes;
static TimeStamp expiry;
static union {
    uint8_t bytes[1024];
    uint64_t aligned;
} answer;
static CtxtHandle new_context;
static CredHandle good_credential;
static PSecurityFunctionTableA table_a;
static PSecurityFunctionTableW table_w;
static WCHAR target_w[] = {'s', 'e', 'r', 'v', 'e', 'r', '.', 't', 'e', 's', 't', 0};

static void reset_arguments(void)
{
    in_items[0] = (SecBuffer){0, SECBUFFER_DATA, room};
    for (int i = 1; i < 4; i++)
        in_items[i] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    out_items[0] = (SecBuffer){sizeof(room), SECBUFFER_TOKEN, room};
    in = (SecBufferDesc){SECBUFFER_VERSION, 4, in_items};
    out = (SecBufferDesc){SECBUFFER_VERSION, 1, out_items};
}

/* One asynchronous call without a callback: waited for, freed. */
static SECURITY_STATUS finish(SspiAsyncContext *async, SECURITY_STATUS status)
{
    if (status == SEC_E_OK)
        status = OsspiWaitAsyncCall(async, OSSPI_INFINITE);
    SspiFreeAsyncContext(async);
    return status;
}

#define NEW_ASYNC SspiAsyncContext *async = SspiCreateAsyncContext()

typedef SECURITY_STATUS context_call(PCtxtHandle context);

#define ON_CONTEXT(name, call) \
    static SECURITY_STATUS name(PCtxtHandle context) \
    { \
        return call; \
    }

/* ---- calls on a context ---- */

/* Without a context a good credential would begin one. */
ON_CONTEXT(isc_a, InitializeSecurityContextA(context ? &good_credential : NULL, context,
                                             (LPSTR)PEER_TARGET, 0, 0, 0, NULL, 0, &new_context,
                                             &out, &attributes, &expiry))
ON_CONTEXT(isc_w, InitializeSecurityContextW(NULL, context, target_w, 0, 0, 0, NULL, 0,
                                             &new_context, &out, &attributes, &expiry))
ON_CONTEXT(isc_table_a, table_a->InitializeSecurityContextA(NULL, context, NULL, 0, 0, 0, NULL, 0,
                                                            NULL, &out, NULL, NULL))
ON_CONTEXT(isc_table_w, table_w->InitializeSecurityContextW(NULL, context, NULL, 0, 0, 0, NULL, 0,
                                                            NULL, &out, NULL, NULL))
ON_CONTEXT(asc, AcceptSecurityContext(NULL, context, NULL, 0, 0, &new_context, &out, &attributes,
                                      &expiry))
ON_CONTEXT(asc_table_a,
           table_a->AcceptSecurityContext(NULL, context, NULL, 0, 0, NULL, &out, NULL, NULL))
ON_CONTEXT(asc_table_w,
           table_w->AcceptSecurityContext(NULL, context, NULL, 0, 0, NULL, &out, NULL, NULL))
ON_CONTEXT(complete, CompleteAuthToken(context, &in))
ON_CONTEXT(complete_table, table_a->CompleteAuthToken(context, &in))
ON_CONTEXT(control, ApplyControlToken(context, &in))
ON_CONTEXT(control_table, table_w->ApplyControlToken(context, &in))
ON_CONTEXT(query_a, QueryContextAttributesA(context, SECPKG_ATTR_SIZES, answer.bytes))
ON_CONTEXT(query_w, QueryContextAttributesW(context, SECPKG_ATTR_KEY_INFO, answer.bytes))
ON_CONTEXT(query_table_a,
           table_a->QueryContextAttributesA(context, SECPKG_ATTR_SIZES, answer.bytes))
ON_CONTEXT(query_table_w,
           table_w->QueryContextAttributesW(context, SECPKG_ATTR_SIZES, answer.bytes))
ON_CONTEXT(query_ex_a, QueryContextAttributesExA(context, SECPKG_ATTR_SIZES, answer.bytes,
                                                 sizeof(SecPkgContext_Sizes)))
ON_CONTEXT(query_ex_w, QueryContextAttributesExW(context, SECPKG_ATTR_SIZES, answer.bytes,
                                                 sizeof(SecPkgContext_Sizes)))
ON_CONTEXT(query_ex_table_a,
           table_a->QueryContextAttributesExA(context, SECPKG_ATTR_SIZES, answer.bytes,
                                              sizeof(SecPkgContext_Sizes)))
ON_CONTEXT(query_ex_table_w,
           table_w->QueryContextAttributesExW(context, SECPKG_ATTR_SIZES, answer.bytes,
                                              sizeof(SecPkgContext_Sizes)))
ON_CONTEXT(query_package, QueryContextAttributesA(context, SECPKG_ATTR_PACKAGE_INFO, answer.bytes))
ON_CONTEXT(set_a, SetContextAttributesA(context, SECPKG_ATTR_APP_DATA, answer.bytes, 16))
ON_CONTEXT(set_w, SetContextAttributesW(context, SECPKG_ATTR_APP_DATA, answer.bytes, 16))
ON_CONTEXT(set_table,
           table_a->SetContextAttributesA(context, SECPKG_ATTR_APP_DATA, answer.bytes, 16))
ON_CONTEXT(impersonate, ImpersonateSecurityContext(context))
ON_CONTEXT(impersonate_table, table_a->ImpersonateSecurityContext(context))
ON_CONTEXT(revert, RevertSecurityContext(context))
ON_CONTEXT(revert_table, table_w->RevertSecurityContext(context))
ON_CONTEXT(query_token, QuerySecurityContextToken(context, (void **)&answer))
ON_CONTEXT(query_token_table, table_a->QuerySecurityContextToken(context, (void **)&answer))
ON_CONTEXT(export, ExportSecurityContext(context, 0, &out_items[0], NULL))
ON_CONTEXT(export_table, table_a->ExportSecurityContext(context, 0, &out_items[0], NULL))
ON_CONTEXT(delegate, DelegateSecurityContext(context, NULL, SecFull, NULL, NULL, NULL))
ON_CONTEXT(sign, MakeSignature(context, 0, &in, 0))
ON_CONTEXT(sign_table, table_a->MakeSignature(context, 0, &in, 0))
ON_CONTEXT(verify, VerifySignature(context, &in, 0, &attributes))
ON_CONTEXT(verify_table, table_w->VerifySignature(context, &in, 0, NULL))
ON_CONTEXT(seal, EncryptMessage(context, 0, &in, 0))
ON_CONTEXT(seal_table, table_a->EncryptMessage(context, 0, &in, 0))
ON_CONTEXT(unseal, DecryptMessage(context, &in, 0, &attributes))
ON_CONTEXT(unseal_table, table_w->DecryptMessage(context, &in, 0, NULL))
ON_CONTEXT(detail, OsspiGetErrorDetail(context, (char *)room, sizeof(room)))

static SECURITY_STATUS isc_async_a(PCtxtHandle context)
{
    NEW_ASYNC;
    return finish(async,
                  SspiInitializeSecurityContextAsyncA(async, NULL, context, NULL, 0, 0, 0, NULL, 0,
                                                      &new_context, &out, &attributes, &expiry));
}

static SECURITY_STATUS isc_async_w(PCtxtHandle context)
{
    NEW_ASYNC;
    return finish(async,
                  SspiInitializeSecurityContextAsyncW(async, NULL, context, target_w, 0, 0, 0, NULL,
                                                      0, &new_context, &out, &attributes, &expiry));
}

static SECURITY_STATUS asc_async(PCtxtHandle context)
{
    NEW_ASYNC;
    return finish(async, SspiAcceptSecurityContextAsync(async, NULL, context, NULL, 0, 0,
                                                        &new_context, &out, &attributes, &expiry));
}

/* clang-format off */
static context_call *const context_calls[] = {
    isc_a, isc_w, isc_table_a, isc_table_w, asc, asc_table_a, asc_table_w, complete,
    complete_table, control, control_table, query_a, query_w, query_table_a, query_table_w,
    query_ex_a, query_ex_w, query_ex_table_a, query_ex_table_w, query_package, set_a, set_w,
    set_table, impersonate, impersonate_table, revert, revert_table, query_token,
    query_token_table, export, export_table, delegate, sign, sign_table, verify, verify_table,
    seal, seal_table, unseal, unseal_table, detail, isc_async_a, isc_async_w, asc_async,
};
/* clang-format on */

/* ---- calls on a credential ---- */

ON_CONTEXT(first_isc, InitializeSecurityContextA(context, NULL, (LPSTR)PEER_TARGET, 0, 0, 0, NULL,
                                                 0, &new_context, &out, &attributes, &expiry))
ON_CONTEXT(first_isc_w, InitializeSecurityContextW(context, NULL, target_w, 0, 0, 0, NULL, 0,
                                                   &new_context, &out, &attributes, &expiry))
ON_CONTEXT(first_asc, AcceptSecurityContext(context, NULL, NULL, 0, 0, &new_context, &out,
                                            &attributes, &expiry))
ON_CONTEXT(free_credential, FreeCredentialsHandle(context))
ON_CONTEXT(free_table_a, table_a->FreeCredentialHandle(context))
ON_CONTEXT(free_table_w, table_w->FreeCredentialsHandle(context))
ON_CONTEXT(add_a, AddCredentialsA(context, NULL, NULL, 0, NULL, NULL, NULL, NULL))
ON_CONTEXT(add_w, AddCredentialsW(context, NULL, NULL, 0, NULL, NULL, NULL, NULL))
ON_CONTEXT(add_table, table_a->AddCredentialsA(context, NULL, NULL, 0, NULL, NULL, NULL, NULL))
ON_CONTEXT(cred_query_a,
           QueryCredentialsAttributesA(context, SECPKG_ATTR_SUPPORTED_PROTOCOLS, answer.bytes))
ON_CONTEXT(cred_query_w,
           QueryCredentialsAttributesW(context, SECPKG_ATTR_SUPPORTED_PROTOCOLS, answer.bytes))
ON_CONTEXT(cred_query_ex_a,
           QueryCredentialsAttributesExA(context, SECPKG_ATTR_SUPPORTED_PROTOCOLS, answer.bytes, 4))
ON_CONTEXT(cred_query_ex_w,
           QueryCredentialsAttributesExW(context, SECPKG_ATTR_SUPPORTED_PROTOCOLS, answer.bytes, 4))
ON_CONTEXT(cred_query_table,
           table_a->QueryCredentialsAttributesA(context, SECPKG_ATTR_SUPPORTED_PROTOCOLS,
                                                answer.bytes))
ON_CONTEXT(cred_query_ex_table,
           table_w->QueryCredentialsAttributesExW(context, SECPKG_ATTR_SUPPORTED_PROTOCOLS,
                                                  answer.bytes, 4))
ON_CONTEXT(cred_set_a, SetCredentialsAttributesA(context, 0x60, answer.bytes, 16))
ON_CONTEXT(cred_set_w, SetCredentialsAttributesW(context, 0x60, answer.bytes, 16))
ON_CONTEXT(cred_set_table, table_a->SetCredentialsAttributesA(context, 0x60, answer.bytes, 16))

static SECURITY_STATUS free_async(PCtxtHandle context)
{
    NEW_ASYNC;
    return finish(async, SspiFreeCredentialsHandleAsync(async, context));
}

static SECURITY_STATUS first_isc_async(PCtxtHandle context)
{
    NEW_ASYNC;
    return finish(async,
                  SspiInitializeSecurityContextAsyncA(async, context, NULL, NULL, 0, 0, 0, NULL, 0,
                                                      &new_context, &out, &attributes, &expiry));
}

/* clang-format off */
static context_call *const credential_calls[] = {
    first_isc, first_isc_w, first_asc, free_credential, free_table_a, free_table_w, add_a,
    add_w, add_table, cred_query_a, cred_query_w, cred_query_ex_a, cred_query_ex_w,
    cred_query_table, cred_query_ex_table, cred_set_a, cred_set_w, cred_set_table, free_async,
    first_isc_async,
};
/* clang-format on */

static SECURITY_STATUS delete_async(PCtxtHandle context)
{
    NEW_ASYNC;
    return finish(async, SspiDeleteSecurityContextAsync(async, context));
}

static SECURITY_STATUS delete_table(PCtxtHandle context)
{
    return table_a->DeleteSecurityContext(context);
}

static context_call *const delete_calls[] = {DeleteSecurityContext, delete_table, delete_async};

/* ---- the tests ---- */

static void expect_invalid(context_call *const *calls, size_t count, const SecHandle *handle)
{
    for (size_t i = 0; i < count; i++) {
        SecHandle copy = handle ? *handle : (SecHandle){0};
        SECURITY_STATUS status;

        reset_arguments();
        status = calls[i](handle ? &copy : NULL);
        if (status != SEC_E_INVALID_HANDLE)
            print_error("call %zu\n", i);
        assert_int_equal(status, SEC_E_INVALID_HANDLE);
    }
}

static void expect_invalid_everywhere(const SecHandle *handle)
{
    expect_invalid(context_calls, COUNT_OF(context_calls), handle);
    expect_invalid(credential_calls, COUNT_OF(credential_calls), handle);
    expect_invalid(delete_calls, COUNT_OF(delete_calls), handle);
}

static struct peer_pair pair;

static void invalid_handles(void **state)
{
    const SecHandle never[] = {{0, 0},
                               {(ULONG_PTR)-1, (ULONG_PTR)-1},
                               {(ULONG_PTR)-2, (ULONG_PTR)-2},
                               {pair.client.context.dwLower, (ULONG_PTR)-1},
                               {(ULONG_PTR)-1, pair.client.context.dwUpper},
                               {pair.client.context.dwUpper, pair.client.context.dwLower},
                               {1, 1},
                               {(ULONG_PTR)&pair, (ULONG_PTR)room}};

    (void)state;
    expect_invalid_everywhere(NULL);
    for (size_t i = 0; i < COUNT_OF(never); i++)
        expect_invalid_everywhere(&never[i]);
    peer_exchange(&pair);
}

/* A credential is no context and a context no credential. */
static void swapped_handles(void **state)
{
    (void)state;
    expect_invalid(context_calls, COUNT_OF(context_calls), &pair.client.credential);
    expect_invalid(delete_calls, COUNT_OF(delete_calls), &pair.client.credential);
    expect_invalid(credential_calls, COUNT_OF(credential_calls), &pair.client.context);
    peer_exchange(&pair);
}

static void handles_with_one_bit_changed(void **state)
{
    (void)state;
    for (int bit = 0; bit < 128; bit++) {
        SecHandle context = pair.client.context, credential = pair.client.credential;
        ULONG_PTR flip = (ULONG_PTR)1 << (bit % 64);

        *(bit < 64 ? &context.dwLower : &context.dwUpper) ^= flip;
        *(bit < 64 ? &credential.dwLower : &credential.dwUpper) ^= flip;
        expect_invalid(context_calls, COUNT_OF(context_calls), &context);
        expect_invalid(credential_calls, COUNT_OF(credential_calls), &credential);
    }
    peer_exchange(&pair);
}

static void random_handles(void **state)
{
    uint64_t seed = 20160731;

    (void)state;
    for (uint32_t i = 0; i < TEST_ROUNDS(3000); i++) {
        SecHandle handle = {test_random(&seed), test_random(&seed)};

        switch (i % 4) { /* also such that look nearly right */
        case 1:
            handle.dwLower = pair.client.context.dwLower;
            break;
        case 2:
            handle.dwUpper = pair.client.context.dwUpper;
            break;
        case 3:
            handle.dwLower &= 0xFFFF;
            handle.dwUpper &= 0xFF;
            break;
        default:
            break;
        }
        expect_invalid_everywhere(&handle);
    }
    peer_exchange(&pair);
}

/* Deleting twice is fine, by both forms; freeing a credential twice is not. All else is refused,
 * also when the slot serves another object by then. */
static void stale_handles(void **state)
{
    struct peer_pair old;
    CtxtHandle context;
    CredHandle credential;

    (void)state;
    peer_open(&old, PEER_SYNC, NULL);
    peer_connect(&old);
    context = old.client.context;
    credential = old.client.credential;
    peer_close(&old);
    for (int round = 0; round < 2; round++) {
        expect_invalid(context_calls, COUNT_OF(context_calls), &context);
        expect_invalid(credential_calls, COUNT_OF(credential_calls), &credential);
        for (size_t i = 0; i < COUNT_OF(delete_calls); i++) {
            SecHandle copy = context;

            assert_int_equal(delete_calls[i](&copy), SEC_E_OK);
        }
        for (int i = 0; i < 50; i++) { /* others take the places */
            peer_open(&old, PEER_SYNC, NULL);
            assert_int_equal(peer_step(&old.client, &old.server), SEC_I_CONTINUE_NEEDED);
            peer_close(&old);
        }
    }
    peer_exchange(&pair);
}

static int set_up(void **state)
{
    peer_set_up(state);
    table_a = InitSecurityInterfaceA();
    table_w = InitSecurityInterfaceW();
    peer_open(&pair, PEER_SYNC, NULL);
    peer_connect(&pair);
    peer_exchange(&pair);
    good_credential = pair.client.credential;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    peer_close(&pair);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invalid_handles),
        cmocka_unit_test(swapped_handles),
        cmocka_unit_test(handles_with_one_bit_changed),
        cmocka_unit_test(random_handles),
        cmocka_unit_test(stale_handles),
    };

    return cmocka_run_group_tests_name("contract.handles", tests, set_up, tear_down);
}
