/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The end of a process while many calls wait for a KDC that never answers, and forked processes.
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gssapi/fake_kdc.h"
#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET "HTTP/server.test"
#define MANY   200u

TEST_FORKS_WITH_THREADS;

/* Guarded: all by the one thread of each process. */
static struct realm realm;
static struct pair pair;

static void acquire(void)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;

    pair.target = TARGET;
    pair_identity("alice", REALM_NAME, "secret of alice", &identity);
    TEST_REQUIRE_EQUAL(pair_client(&pair, "Kerberos", &identity), SEC_E_OK);
    TEST_REQUIRE_EQUAL(pair_server(&pair, "Kerberos"), SEC_E_OK);
}

/* ---- exit ---- */

struct call {
    CtxtHandle context;
    SecBuffer buffer;
    SecBufferDesc out;
    ULONG attributes;
};

/* As many as one realm may have at once have sent their request. */
static bool all_wait(void *data)
{
    const unsigned *before = data;

    return open_sockets() >= *before + 16;
}

static int exit_with_calls(void *data)
{
    static struct call calls[MANY]; /* guarded: one thread */
    unsigned before;

    acquire();
    before = open_sockets();
    for (unsigned i = 0; i < MANY; i++) {
        SspiAsyncContext *async = SspiCreateAsyncContext();

        calls[i].buffer = (SecBuffer){0, SECBUFFER_TOKEN, NULL};
        calls[i].out = (SecBufferDesc){SECBUFFER_VERSION, 1, &calls[i].buffer};
        TEST_REQUIRE_EQUAL(SspiInitializeSecurityContextAsyncA(
                               async, &pair.client.credential, NULL, (char *)TARGET,
                               ISC_REQ_ALLOCATE_MEMORY, 0, 0, NULL, 0, &calls[i].context,
                               &calls[i].out, &calls[i].attributes, NULL),
                           SEC_E_OK);
        SspiFreeAsyncContext(async);
    }
    (void)data;
    test_poll(all_wait, &before);
    exit(0); /* and not _exit: all handlers run */
}

static void a_process_ends_with_many_calls_open(void **state)
{
    struct fake_kdc fake;
    char kdcs[64];

    (void)state;
    fake_kdc_start(&fake, FAKE_SILENT);
    snprintf(kdcs, sizeof(kdcs), "kdc = 127.0.0.1:%u\n", fake.port);
    realm_configure(&realm, kdcs, NULL);
    test_await_quiet(); /* the KDC's thread has begun */
    /* The watchdog of the child is what ends it otherwise. */
    assert_int_equal(test_child_join(test_child_fork(exit_with_calls, NULL)), 0);
    test_counter_await(&fake.requests, 1);
    fake_kdc_stop(&fake);
    realm_configure(&realm, NULL, NULL);
}

/* ---- fork ---- */

static int in_child(void *data)
{
    SecPkgContext_Sizes sizes;

    (void)data;
    /* The parent's context is the parent's alone; credentials are good here too. */
    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_SIZES, &sizes),
                       SEC_E_CONTEXT_EXPIRED);
    pair_reset(&pair);
    TEST_REQUIRE_EQUAL(pair_talk(&pair), SEC_E_OK);
    pair_exchange(&pair.client, &pair.server, "between contexts of the child");
    pair_end(&pair);
    return 0;
}

static void credentials_work_in_a_forked_process(void **state)
{
    (void)state;
    pair.client_flags = ISC_REQ_MUTUAL_AUTH;
    acquire();
    assert_int_equal(pair_talk(&pair), SEC_E_OK);
    assert_int_equal(test_child_join(test_child_fork(in_child, NULL)), 0);
    pair_exchange(&pair.client, &pair.server, "and the parent goes on");
    pair_end(&pair);
}

static int group_setup(void **state)
{
    (void)state;
    realm_start(&realm);
    test_watchdog(100);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    realm_stop(&realm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_work_in_a_forked_process),
        cmocka_unit_test(a_process_ends_with_many_calls_open),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
