/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Kerberos, client and server, against a KDC of MIT's: credentials of each kind, flags, attributes
 * and messages.
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET "HTTP/server.test"
#define USUAL \
    (ISC_REQ_MUTUAL_AUTH | ISC_REQ_CONFIDENTIALITY | ISC_REQ_REPLAY_DETECT | \
     ISC_REQ_SEQUENCE_DETECT)

static struct realm realm; /* guarded: one thread */
static struct pair pair;   /* the same */

static void establish(const char *user)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;
    char password[64];

    snprintf(password, sizeof(password), "secret of %s", user);
    pair_identity(user, REALM_NAME, password, &identity);
    pair.client_flags = USUAL;
    pair_establish(&pair, "Kerberos", &identity, TARGET);
}

static void s4_2_a_password_logs_in(void **state)
{
    SecPkgContext_NamesA names;

    (void)state;
    establish("alice");
    assert_true(pair.client.attributes & ISC_RET_MUTUAL_AUTH);
    assert_true(pair.client.attributes & ISC_RET_CONFIDENTIALITY);
    assert_true(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
    assert_int_equal(QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_NAMES, &names),
                     SEC_E_OK);
    assert_string_equal(names.sUserName, "alice@" REALM_NAME);
    FreeContextBuffer(names.sUserName);
    pair_exchange(&pair.client, &pair.server, "from the client to the server");
    pair_exchange(&pair.server, &pair.client, "and back");
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
        cmocka_unit_test(s4_2_a_password_logs_in),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
