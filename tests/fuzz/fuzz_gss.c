/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The realm's files and the credentials; see fuzz_gss.h. One thread.
 */
#include "fuzz/fuzz_gss.h"

#include <krb5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/fuzz_kdc.h"

static char folder[] = "/tmp/opensspi-fuzz-XXXXXX"; /* guarded: one thread */

static const char *path_of(const char *name)
{
    static char path[sizeof(folder) + 32]; /* guarded: one thread */

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void remove_folder(void)
{
    static const char *const names[] = {"krb5.conf", "server.keytab", "ntlm.users"};

    if (test_is_forked())
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(path_of(names[i]));
    rmdir(folder);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");

    TEST_REQUIRE(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* Times do not matter: what was recorded once is good for ever. */
void fuzz_gss_realm(void)
{
    TEST_REQUIRE(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
    write_file("krb5.conf", "[libdefaults]\ndefault_realm = " FUZZ_REALM "\n"
                            "dns_lookup_kdc = false\ndns_canonicalize_hostname = false\n"
                            "clockskew = 1000000000\n"
                            "[domain_realm]\nserver.test = " FUZZ_REALM "\n");
    write_file("ntlm.users", FUZZ_REALM ":alice:" FUZZ_PASSWORD "\n");
    setenv("KRB5_CONFIG", path_of("krb5.conf"), 1);
    setenv("KRB5_KTNAME", path_of("server.keytab"), 1);
    setenv("KRB5_CLIENT_KTNAME", path_of("no.keytab"), 1);
    setenv("KRB5CCNAME", "MEMORY:osspi-fuzz-none", 1);
    setenv("KRB5RCACHENAME", "none:", 1);
    setenv("NTLM_USER_FILE", path_of("ntlm.users"), 1);
    fuzz_kdc_make(path_of("server.keytab"));
}

/* ---- pairs ---- */

static const struct {
    const char *package, *list;
    ULONG client_flags, server_flags;
} kinds[FUZZ_GSS_KINDS] = {
    [FUZZ_GSS_KERBEROS] = {"Kerberos", NULL, ISC_REQ_MUTUAL_AUTH, 0},
    [FUZZ_GSS_DCE] = {"Kerberos", NULL, ISC_REQ_MUTUAL_AUTH | ISC_REQ_USE_DCE_STYLE,
                      ASC_REQ_USE_DCE_STYLE},
    [FUZZ_GSS_NTLM] = {"NTLM", NULL, 0, 0},
    [FUZZ_GSS_SPNEGO_KERBEROS] = {"Negotiate", "kerberos", ISC_REQ_MUTUAL_AUTH, 0},
    [FUZZ_GSS_SPNEGO_NTLM] = {"Negotiate", "ntlm", 0, 0},
};

SECURITY_STATUS fuzz_gss_client(struct pair *pair, enum fuzz_gss_kind kind)
{
    const char *list = kinds[kind].list;
    SEC_WINNT_AUTH_IDENTITY_EXA identity = {
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(identity),
        .User = (unsigned char *)"alice",
        .UserLength = 5,
        .Domain = (unsigned char *)FUZZ_REALM,
        .DomainLength = sizeof(FUZZ_REALM) - 1,
        .Password = (unsigned char *)FUZZ_PASSWORD,
        .PasswordLength = sizeof(FUZZ_PASSWORD) - 1,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
        .PackageList = (unsigned char *)list,
        .PackageListLength = list ? (ULONG)strlen(list) : 0,
    };

    pair->target = FUZZ_GSS_TARGET;
    pair->client_flags = kinds[kind].client_flags | ISC_REQ_CONFIDENTIALITY | ISC_REQ_INTEGRITY |
                         ISC_REQ_REPLAY_DETECT | ISC_REQ_SEQUENCE_DETECT;
    pair->server_flags = kinds[kind].server_flags;
    return pair_client(pair, kinds[kind].package, &identity);
}

void fuzz_gss_open(struct pair *pair, enum fuzz_gss_kind kind)
{
    TEST_REQUIRE_EQUAL(fuzz_gss_client(pair, kind), SEC_E_OK);
    TEST_REQUIRE_EQUAL(pair_server(pair, kinds[kind].package), SEC_E_OK);
}
