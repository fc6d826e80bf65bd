/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Legs in asynchronous calls, for every package and every number of legs: all through one async
 * context that is used again and again; given up half way, after any leg and beside a running one;
 * and cancelled, each leg in turn.
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET    "HTTP/server.test"
#define CANCELLED ((SECURITY_STATUS)0x800704C7) /* HRESULT_FROM_WIN32(ERROR_CANCELLED) */
#define MOST_LEGS 8u                            /* of both sides together */

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;
static SspiAsyncContext *async;

static const struct kind {
    const char *name, *package, *list;
    ULONG flags;
    unsigned legs;    /* of both sides together */
    bool ntlm_server; /* has no keys of the realm's */
} kinds[] = {
    {"Kerberos", "Kerberos", NULL, ISC_REQ_CONFIDENTIALITY, 2, false},
    {"Kerberos, mutual", "Kerberos", NULL, ISC_REQ_CONFIDENTIALITY | ISC_REQ_MUTUAL_AUTH, 3, false},
    {"Kerberos, DCE style", "Kerberos", NULL,
     ISC_REQ_CONFIDENTIALITY | ISC_REQ_MUTUAL_AUTH | ISC_REQ_USE_DCE_STYLE, 4, false},
    {"NTLM", "NTLM", NULL, ISC_REQ_CONFIDENTIALITY, 4, false},
    {"Negotiate", "Negotiate", "kerberos", ISC_REQ_CONFIDENTIALITY | ISC_REQ_MUTUAL_AUTH, 3, false},
    {"Negotiate, DCE style", "Negotiate", "kerberos",
     ISC_REQ_CONFIDENTIALITY | ISC_REQ_MUTUAL_AUTH | ISC_REQ_USE_DCE_STYLE, 5, false},
    {"Negotiate, NTLM", "Negotiate", "ntlm", ISC_REQ_CONFIDENTIALITY, 5, false},
    {"Negotiate, NTLM behind Kerberos", "Negotiate", NULL, ISC_REQ_CONFIDENTIALITY, 7, true},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void acquire(const struct kind *kind)
{
    SEC_WINNT_AUTH_IDENTITY_EXA identity = {
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(identity),
        .User = (unsigned char *)"alice",
        .UserLength = 5,
        .Domain = (unsigned char *)REALM_NAME,
        .DomainLength = sizeof(REALM_NAME) - 1,
        .Password = (unsigned char *)"secret of alice",
        .PasswordLength = 15,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
        .PackageList = (unsigned char *)kind->list,
        .PackageListLength = kind->list ? (ULONG)strlen(kind->list) : 0,
    };
    char *keytab = strdup(getenv("KRB5_KTNAME"));

    if (kind->ntlm_server)
        setenv("KRB5_KTNAME", realm_file(&realm, "no.keytab"), 1);
    TEST_REQUIRE_EQUAL(pair_server(&pair, kind->package), SEC_E_OK);
    setenv("KRB5_KTNAME", keytab, 1);
    free(keytab);
    TEST_REQUIRE_EQUAL(pair_client(&pair, kind->package, &identity), SEC_E_OK);
    pair.client_flags = kind->flags;
}

/* ---- one leg ---- */

struct leg {
    struct side *side;
    bool accepts;
    SecBuffer in, out;
    SecBufferDesc in_desc, out_desc;
};

static void start(struct leg *leg, bool accepts)
{
    const struct side *from = accepts ? &pair.client : &pair.server;
    struct side *side = accepts ? &pair.server : &pair.client;
    PCtxtHandle context = side->has_context ? &side->context : NULL;

    leg->side = side;
    leg->accepts = accepts;
    leg->in = (SecBuffer){from->token_len, SECBUFFER_TOKEN, (void *)from->token};
    leg->out = (SecBuffer){PAIR_TOKEN, SECBUFFER_TOKEN, side->token};
    leg->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, &leg->in};
    leg->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, &leg->out};
    assert_int_equal(SspiReinitAsyncContext(async), 0);
    if (accepts)
        assert_int_equal(SspiAcceptSecurityContextAsync(
                             async, &side->credential, context, &leg->in_desc,
                             pair.client_flags & ISC_REQ_USE_DCE_STYLE ? ASC_REQ_USE_DCE_STYLE : 0,
                             0, &side->context, &leg->out_desc, &side->attributes, NULL),
                         SEC_E_OK);
    else
        assert_int_equal(SspiInitializeSecurityContextAsyncA(
                             async, &side->credential, context, (char *)TARGET, pair.client_flags,
                             0, 0, from->token_len ? &leg->in_desc : NULL, 0, &side->context,
                             &leg->out_desc, &side->attributes, NULL),
                         SEC_E_OK);
}

static SECURITY_STATUS finish(struct leg *leg)
{
    struct side *side = leg->side;
    const SECURITY_STATUS status = OsspiWaitAsyncCall(async, OSSPI_INFINITE);

    if (status == CANCELLED)
        return status;
    if (status < 0)
        fprintf(stderr, "%s: %s\n", leg->accepts ? "server" : "client", OsspiStatusName(status));
    assert_true(status >= 0);
    side->status = status;
    side->has_context = true;
    side->token_len = leg->out.cbBuffer;
    return status;
}

/* Client and server in turn, so many legs at most: how many there were. */
static unsigned walk(unsigned most)
{
    struct leg leg;
    unsigned legs = 0;

    pair.client.token_len = pair.server.token_len = 0;
    pair.client.status = pair.server.status = SEC_I_CONTINUE_NEEDED;
    while (legs < most && (pair.client.status != SEC_E_OK || pair.server.status != SEC_E_OK)) {
        start(&leg, legs % 2 != 0);
        (void)finish(&leg);
        legs++;
    }
    return legs;
}

/* ---- tests ---- */

static void one_async_context_serves_all_legs(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        unsigned legs;

        acquire(&kinds[i]);
        legs = walk(MOST_LEGS);
        if (legs != kinds[i].legs)
            fprintf(stderr, "%s: %u legs\n", kinds[i].name, legs);
        assert_int_equal(pair.client.status, SEC_E_OK);
        assert_int_equal(pair.server.status, SEC_E_OK);
        assert_int_equal(legs, kinds[i].legs);
        pair_exchange(&pair.client, &pair.server, "there");
        pair_exchange(&pair.server, &pair.client, "and back");
        pair_end(&pair);
    }
}

static void delete_one(struct side *side, bool asynchronous)
{
    SecPkgContext_Sizes sizes;

    if (!side->has_context)
        return;
    if (asynchronous) {
        assert_int_equal(SspiReinitAsyncContext(async), 0);
        assert_int_equal(SspiDeleteSecurityContextAsync(async, &side->context), SEC_E_OK);
        assert_int_equal(OsspiWaitAsyncCall(async, OSSPI_INFINITE), SEC_E_OK);
    } else {
        assert_int_equal(DeleteSecurityContext(&side->context), SEC_E_OK);
    }
    side->has_context = false;
    assert_int_equal(QueryContextAttributesA(&side->context, SECPKG_ATTR_SIZES, &sizes),
                     SEC_E_INVALID_HANDLE);
}

/* After so many legs there are no contexts any more; the credentials are as good as before. */
static void contexts_are_deleted_half_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        acquire(&kinds[i]);
        for (unsigned legs = 1; legs < kinds[i].legs; legs++) {
            assert_int_equal(walk(legs), legs);
            delete_one(&pair.client, legs % 2 != 0);
            delete_one(&pair.server, legs % 2 == 0);
        }
        assert_int_equal(walk(MOST_LEGS), kinds[i].legs);
        pair_exchange(&pair.client, &pair.server, "all the same");
        pair_end(&pair);
    }
}

/* Beside a leg that runs: the deletion waits for it, or it finds no context any more. */
static void contexts_are_deleted_beside_a_leg(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        acquire(&kinds[i]);
        for (unsigned legs = 1; legs < kinds[i].legs; legs++) {
            const struct side *side = legs % 2 ? &pair.server : &pair.client;
            struct leg leg;
            CtxtHandle context;
            SECURITY_STATUS status;

            if (walk(legs) != legs || !side->has_context) {
                pair_reset(&pair);
                continue; /* the first leg of a side has no handle yet */
            }
            context = side->context; /* the call writes it again when it ends */
            start(&leg, legs % 2 != 0);
            assert_int_equal(DeleteSecurityContext(&context), SEC_E_OK);
            leg.side->has_context = false;
            status = OsspiWaitAsyncCall(async, OSSPI_INFINITE);
            assert_true(status >= 0 || status == SEC_E_INVALID_HANDLE || status == CANCELLED);
            pair_reset(&pair);
        }
        pair_end(&pair);
    }
}

/* Each leg is cancelled once, as soon as it has begun. What was cancelled has not happened, and is
 * called again; what could not be, counts. */
static void every_leg_can_be_cancelled(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct leg leg;
        unsigned legs = 0;

        acquire(&kinds[i]);
        pair.client.token_len = pair.server.token_len = 0;
        pair.client.status = pair.server.status = SEC_I_CONTINUE_NEEDED;
        while (pair.client.status != SEC_E_OK || pair.server.status != SEC_E_OK) {
            SECURITY_STATUS asked, status;

            start(&leg, legs % 2 != 0);
            asked = OsspiCancelAsyncCall(async);
            status = finish(&leg);
            assert_true(asked == SEC_E_OK || asked == SEC_E_INVALID_PARAMETER);
            assert_int_equal(status == CANCELLED, asked == SEC_E_OK);
            if (status == CANCELLED) {
                start(&leg, legs % 2 != 0);
                (void)finish(&leg);
            }
            legs++;
        }
        assert_int_equal(legs, kinds[i].legs);
        pair_exchange(&pair.client, &pair.server, "in the end");
        pair_end(&pair);
    }
}

static int group_setup(void **state)
{
    FILE *users;

    (void)state;
    realm_start(&realm);
    users = fopen(realm_file(&realm, "ntlm.users"), "w");
    TEST_REQUIRE(users != NULL);
    fputs(REALM_NAME ":alice:secret of alice\n", users);
    fclose(users);
    setenv("NTLM_USER_FILE", realm_file(&realm, "ntlm.users"), 1);
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
        cmocka_unit_test(one_async_context_serves_all_legs),
        cmocka_unit_test(contexts_are_deleted_half_way),
        cmocka_unit_test(contexts_are_deleted_beside_a_leg),
        cmocka_unit_test(every_leg_can_be_cancelled),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
