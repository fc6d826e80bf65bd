/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What processes and memory have to do with it: a fork between and after legs, and that no memory
 * is given back with a password in it.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "credssp/duet.h"
#include "support/failing_alloc.h"

/* ---- fork ---- */

static struct duet shared; /* guarded: one thread */

static int in_child(void *data)
{
    const struct duet_setup setup = {0};
    SecPkgContext_StreamSizes sizes;
    uint8_t bytes[1024];
    struct peer_leg leg = peer_leg_of(&shared.pair.client, NULL, 0, bytes, sizeof(bytes));
    struct duet own = {.client = SEC_I_CONTINUE_NEEDED, .server = SEC_I_CONTINUE_NEEDED};

    (void)data;
    /* The parent's contexts are the parent's alone. */
    TEST_REQUIRE_EQUAL(peer_leg_run(&shared.pair.client, &leg), SEC_E_CONTEXT_EXPIRED);
    (void)QueryContextAttributesA(&shared.pair.client.context, SECPKG_ATTR_STREAM_SIZES, &sizes);
    /* Its credentials are good here too. */
    own.pair = shared.pair;
    own.pair.client.has_context = own.pair.server.has_context = false;
    own.pair.client.in = own.pair.server.in = (struct peer_stream){0};
    TEST_REQUIRE(duet_talk(&own));
    duet_require_delegated(&own.pair.server, DUET_USER, REALM_NAME, DUET_PASSWORD);
    peer_end_disconnect(&own.pair.client);
    peer_end_disconnect(&own.pair.server);
    duet_establish(&own, PEER_SYNC, &setup);
    duet_close(&own);
    return 0;
}

static void a_forked_process_has_the_credentials_alone(const struct peer_form *form)
{
    const struct duet_setup setup = {0};

    duet_open(&shared, form, &setup);
    peer_half_connect(&shared.pair);
    assert_int_equal(test_child_join(test_child_fork(in_child, NULL)), 0);
    assert_true(duet_talk(&shared));
    assert_int_equal(test_child_join(test_child_fork(in_child, NULL)), 0);
    peer_established(&shared.pair.client);
    peer_established(&shared.pair.server);
    peer_exchange(&shared.pair);
    duet_close(&shared);
}

/* ---- secrets ---- */

static const char narrow[] = DUET_PASSWORD;
static uint16_t wide[sizeof(narrow) - 1]; /* guarded: before there are threads */
static unsigned left;                     /* guarded: one thread frees */

static void look_before_free(void *memory)
{
    const size_t size = memory ? malloc_usable_size(memory) : 0;

    if (size == 0)
        return;
    if (memmem(memory, size, narrow, sizeof(narrow) - 1) ||
        memmem(memory, size, wide, sizeof(wide)))
        left++;
}

static void no_memory_is_freed_with_a_password_in_it(const struct peer_form *form)
{
    static const char *const packages[] = {"ntlm", "kerberos"};
    char *proof;

    for (size_t i = 0; i < sizeof(narrow) - 1; i++)
        wide[i] = (uint16_t)narrow[i];
    left = 0;
    failing_alloc_watch_free(look_before_free);
    proof = strdup(narrow); /* or else the check would prove nothing */
    TEST_REQUIRE(proof != NULL);
    free(proof);
    assert_int_equal(left, 1);
    for (int i = 0; i < 4; i++) {
        const struct duet_setup setup = {.packages = packages[i % 2], .keep = i >= 2};
        SecPkgContext_ClientCreds creds = {0};
        struct duet duet;

        duet_establish(&duet, form, &setup);
        assert_int_equal(
            QueryContextAttributesA(&duet.pair.server.context, SECPKG_ATTR_CREDS_2, &creds),
            SEC_E_OK);
        assert_int_equal(memmem(creds.AuthBuffer, creds.AuthBufferLen, wide, sizeof(wide)) != NULL,
                         i < 2);
        FreeContextBuffer(creds.AuthBuffer);
        duet_close(&duet);
    }
    failing_alloc_watch_free(NULL);
    assert_int_equal(left, 1);
}

int main(void)
{
    static const struct peer_form *const forms[] = {PEER_SYNC};
    static const struct peer_case cases[] = {
        PEER_CASE(no_memory_is_freed_with_a_password_in_it),
        PEER_CASE(a_forked_process_has_the_credentials_alone),
    };
    const struct peer_run how = {.group = "credssp.process",
                                 .forms = forms,
                                 .form_count = 1,
                                 .set_up = duet_set_up,
                                 .tear_down = duet_tear_down};

    return peer_run_cases_in(&how, cases, sizeof(cases) / sizeof(cases[0]));
}
