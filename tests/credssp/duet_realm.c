/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The world of a duet: a KDC, users of NTLM, and a certificate authority; see duet.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "credssp/duet.h"
#include "support/test_util.h"

#if TEST_ASAN
/* What tests/gssapi/pair.c says: gss-ntlmssp leaks with each of its contexts. What this library's
 * own use of libcrypto might leak credssp.parts sees, which has no such contexts. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:gssntlmssp.so\nleak:libcrypto.so\nleak:_dlerror_run\n";
}
#endif

struct realm duet_realm; /* guarded: by the one thread of the test */

int duet_set_up(void **state)
{
    FILE *users;

    realm_start(&duet_realm);
    users = fopen(realm_file(&duet_realm, "ntlm.users"), "w");
    TEST_REQUIRE(users != NULL);
    fputs(REALM_NAME ":" DUET_USER ":" DUET_PASSWORD "\n", users);
    fclose(users);
    setenv("NTLM_USER_FILE", realm_file(&duet_realm, "ntlm.users"), 1);
    return peer_set_up(state);
}

int duet_tear_down(void **state)
{
    (void)state;
    realm_stop(&duet_realm);
    return 0;
}
