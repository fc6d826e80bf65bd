/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * gss-ntlmssp asks winbind in the middle of legs: for the machine's names, and for users that no
 * file has. A winbind that does not answer holds up nobody who cannot give up the call. The
 * functions of libwbclient are this program's own: it exports them, so the mechanism finds them.
 */
#include <opensspi.h>
#include <pthread.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "packages/gssapi/credential.h"
#include "support/test_util.h"

#define CANCELLED ((SECURITY_STATUS)0x800704C7) /* HRESULT_FROM_WIN32(ERROR_CANCELLED) */
#define MOST_LEGS 8u

/* Guarded: all by the one thread of the test, but for what stands below. */
static struct realm realm;
static struct pair pair;
static SspiAsyncContext *async;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards silent */
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static bool silent;
static struct test_counter questions;

/* ---- winbind ---- */

static int answer(void)
{
    test_counter_add(&questions, 1);
    pthread_mutex_lock(&lock);
    while (silent)
        pthread_cond_wait(&answered, &lock);
    pthread_mutex_unlock(&lock);
    return 1; /* any of its errors */
}

static void be_silent(bool now)
{
    pthread_mutex_lock(&lock);
    silent = now;
    pthread_cond_broadcast(&answered);
    pthread_mutex_unlock(&lock);
}

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int wbcCtxInterfaceDetails(void *context, void **ret_details);
EXPORTED int wbcCtxCredentialCache(void *context, void *params, void **ret_info, void *ret_error);
EXPORTED int wbcCtxAuthenticateUserEx(void *context, const void *params, void **ret_info,
                                      void **ret_error);

int wbcCtxInterfaceDetails(void *context, void **ret_details)
{
    (void)context;
    *ret_details = NULL;
    return answer();
}

int wbcCtxCredentialCache(void *context, void *params, void **ret_info, void *ret_error)
{
    (void)context;
    (void)params;
    (void)ret_error;
    *ret_info = NULL;
    return answer();
}

int wbcCtxAuthenticateUserEx(void *context, const void *params, void **ret_info, void **ret_error)
{
    (void)context;
    (void)params;
    *ret_info = *ret_error = NULL;
    return answer();
}

/* ---- legs ---- */

static const struct kind {
    const char *package, *list, *user;
} kinds[] = {
    {"NTLM", NULL, "alice"},
    {"NTLM", NULL, "mallory"}, /* whom no file has */
    {"Negotiate", "ntlm", "alice"},
    {"Negotiate", NULL, "alice"}, /* NTLM behind Kerberos */
};

static void acquire(const struct kind *kind)
{
    SEC_WINNT_AUTH_IDENTITY_EXA identity = {
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(identity),
        .User = (unsigned char *)kind->user,
        .UserLength = (ULONG)strlen(kind->user),
        .Domain = (unsigned char *)REALM_NAME,
        .DomainLength = sizeof(REALM_NAME) - 1,
        .Password = (unsigned char *)"secret of alice",
        .PasswordLength = 15,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
        .PackageList = (unsigned char *)kind->list,
        .PackageListLength = kind->list ? (ULONG)strlen(kind->list) : 0,
    };

    TEST_REQUIRE_EQUAL(pair_server(&pair, kind->package), SEC_E_OK);
    TEST_REQUIRE_EQUAL(pair_client(&pair, kind->package, &identity), SEC_E_OK);
    pair.client_flags = ISC_REQ_CONFIDENTIALITY;
    pair.target = "HTTP/server.test";
}

static SECURITY_STATUS walk(bool server)
{
    struct side *from = server ? &pair.client : &pair.server;

    return server ? pair_accept(&pair, from->token, from->token_len)
                  : pair_initialize(&pair, from->token_len ? from->token : NULL, from->token_len);
}

static void start(bool server)
{
    const struct side *from = server ? &pair.client : &pair.server;
    struct side *side = server ? &pair.server : &pair.client;
    PCtxtHandle context = side->has_context ? &side->context : NULL;
    /* Copied by a call that is given up. */
    static SecBuffer in, out;
    static SecBufferDesc in_desc, out_desc;

    in = (SecBuffer){from->token_len, SECBUFFER_TOKEN, (void *)from->token};
    out = (SecBuffer){PAIR_TOKEN, SECBUFFER_TOKEN, side->token};
    in_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, &in};
    out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, &out};
    assert_int_equal(SspiReinitAsyncContext(async), 0);
    if (server)
        assert_int_equal(SspiAcceptSecurityContextAsync(async, &side->credential, context, &in_desc,
                                                        0, 0, &side->context, &out_desc,
                                                        &side->attributes, NULL),
                         SEC_E_OK);
    else
        assert_int_equal(SspiInitializeSecurityContextAsyncA(
                             async, &side->credential, context, (char *)pair.target,
                             pair.client_flags, 0, 0, from->token_len ? &in_desc : NULL, 0,
                             &side->context, &out_desc, &side->attributes, NULL),
                         SEC_E_OK);
}

static bool none_given_up(void *data)
{
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};

    (void)data;
    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&statistics), SEC_E_OK);
    return statistics.calls_abandoned_running == 0;
}

static bool asked_or_done(void *data)
{
    (void)data;
    return test_counter_get(&questions) > 0 ||
           SspiGetAsyncCallStatus(async) != SEC_I_ASYNC_CALL_PENDING;
}

/* The leg after so many, asynchronously, with a winbind that is silent: was it asked? */
static bool is_held_up(bool server)
{
    bool asked;

    test_counter_init(&questions);
    be_silent(true);
    start(server);
    test_poll(asked_or_done, NULL);
    asked = test_counter_get(&questions) > 0;
    if (asked) {
        assert_int_equal(OsspiCancelAsyncCall(async), SEC_E_OK);
        assert_int_equal(OsspiWaitAsyncCall(async, OSSPI_INFINITE), CANCELLED);
    } else if (OsspiWaitAsyncCall(async, OSSPI_INFINITE) >= 0) {
        (server ? &pair.server : &pair.client)->has_context = true;
    }
    be_silent(false);
    test_poll(none_given_up, NULL);
    return asked;
}

/* ---- tests ---- */

static void a_silent_winbind_can_be_given_up_in_every_leg(void **state)
{
    unsigned clients = 0, servers = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        acquire(&kinds[i]);
        for (unsigned last = 0; last < MOST_LEGS; last++) {
            unsigned legs = 0;

            pair.client.token_len = pair.server.token_len = 0;
            while (legs < last && walk(legs % 2 != 0) == SEC_I_CONTINUE_NEEDED)
                legs++;
            if (legs == last && is_held_up(legs % 2 != 0))
                *(legs % 2 != 0 ? &servers : &clients) += 1;
            pair_reset(&pair);
        }
        pair_end(&pair);
    }
    assert_true(clients > 0 && servers > 0);
}

static int group_setup(void **state)
{
    char *no_keytab;
    FILE *users;

    (void)state;
    realm_start(&realm);
    users = fopen(realm_file(&realm, "ntlm.users"), "w");
    TEST_REQUIRE(users != NULL);
    fputs(REALM_NAME ":alice:secret of alice\n", users);
    fclose(users);
    setenv("NTLM_USER_FILE", realm_file(&realm, "ntlm.users"), 1);
    osspi_gss_use_winbind(getenv("NTLM_USER_FILE")); /* anything that exists */
    no_keytab = strdup(realm_file(&realm, "no.keytab"));
    TEST_REQUIRE(no_keytab != NULL);
    setenv("KRB5_KTNAME", no_keytab, 1);
    free(no_keytab);
    test_counter_init(&questions);
    test_watchdog(100);
    async = SspiCreateAsyncContext();
    TEST_REQUIRE(async != NULL);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    SspiFreeAsyncContext(async);
    realm_stop(&realm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_winbind_can_be_given_up_in_every_leg),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
