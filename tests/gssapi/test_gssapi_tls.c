/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contexts that are bound to a TLS connection: what Schannel gives as ENDPOINT_BINDINGS and
 * UNIQUE_BINDINGS goes as it is into the legs of Kerberos, NTLM and Negotiate, on both sides. A
 * relay that ends the client's TLS and opens its own to the server hands every token on, and is
 * refused all the same; though the client trusts its certificate.
 */
#include <opensspi.h>
#include <schannel.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/tls_peer.h"

#define TARGET "HTTP/server.test"

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;

static const struct kind {
    const char *package, *list;
} kinds[] = {{"Kerberos", NULL}, {"NTLM", NULL}, {"Negotiate", "kerberos"}, {"Negotiate", "ntlm"}};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static SecPkgContext_Bindings bindings_of(struct peer_end *end, ULONG attribute)
{
    SecPkgContext_Bindings bindings = {0};

    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&end->context, attribute, &bindings), SEC_E_OK);
    TEST_REQUIRE(bindings.Bindings != NULL && bindings.BindingsLength > 0);
    return bindings;
}

static void bind_side(struct side *side, const SecPkgContext_Bindings *bindings)
{
    side->bindings = bindings->Bindings;
    side->bindings_len = bindings->BindingsLength;
}

/* Legs of that kind: the client is on one connection, the server on that or another one. */
static SECURITY_STATUS talk(const struct kind *kind, struct peer_end *client,
                            struct peer_end *server, ULONG attribute)
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
    SecPkgContext_Bindings of_client = bindings_of(client, attribute);
    SecPkgContext_Bindings of_server = bindings_of(server, attribute);
    SECURITY_STATUS status;

    pair.target = TARGET;
    pair.client_flags = ISC_REQ_INTEGRITY;
    bind_side(&pair.client, &of_client);
    bind_side(&pair.server, &of_server);
    TEST_REQUIRE_EQUAL(pair_client(&pair, kind->package, &identity), SEC_E_OK);
    TEST_REQUIRE_EQUAL(pair_server(&pair, kind->package), SEC_E_OK);
    status = pair_talk(&pair);
    pair_end(&pair);
    pair.client.bindings = pair.server.bindings = NULL;
    FreeContextBuffer(of_client.Bindings);
    FreeContextBuffer(of_server.Bindings);
    return status;
}

/* The client's connection ends at the relay, which has its own to the server. */
struct relayed {
    struct peer_pair client, server;
};

static void connect_relayed(struct relayed *relayed, const struct peer_form *form, DWORD protocols,
                            const char *certificate_of_relay)
{
    const struct peer_setup of_client = {.protocols = protocols,
                                         .certificate = certificate_of_relay};
    const struct peer_setup of_server = {.protocols = protocols};

    peer_open(&relayed->client, form, &of_client);
    peer_connect(&relayed->client);
    peer_open(&relayed->server, form, &of_server);
    peer_connect(&relayed->server);
}

static void who_shares_a_connection_agrees(const struct peer_form *form, ULONG attribute,
                                           DWORD protocols)
{
    const struct peer_setup setup = {.protocols = protocols};
    struct peer_pair tls;

    peer_open(&tls, form, &setup);
    peer_connect(&tls);
    for (size_t i = 0; i < KINDS; i++)
        assert_int_equal(talk(&kinds[i], &tls.client, &tls.server, attribute), SEC_E_OK);
    peer_close(&tls);
}

static void a_relay_is_refused(const struct peer_form *form, ULONG attribute, DWORD protocols,
                               const char *certificate)
{
    struct relayed relayed;

    connect_relayed(&relayed, form, protocols, certificate);
    for (size_t i = 0; i < KINDS; i++)
        assert_int_equal(talk(&kinds[i], &relayed.client.client, &relayed.server.server, attribute),
                         SEC_E_BAD_BINDINGS);
    peer_close(&relayed.client);
    peer_close(&relayed.server);
}

/* Of the certificate (tls-server-end-point): in every version of TLS. */
static void endpoint_bindings_tie_to_the_certificate(const struct peer_form *form)
{
    static const DWORD versions[] = {SP_PROT_TLS1_2_CLIENT, SP_PROT_TLS1_3_CLIENT};

    for (size_t i = 0; i < 2; i++) {
        who_shares_a_connection_agrees(form, SECPKG_ATTR_ENDPOINT_BINDINGS, versions[i]);
        a_relay_is_refused(form, SECPKG_ATTR_ENDPOINT_BINDINGS, versions[i], "server-rsa");
    }
}

/* Of the connection (tls-unique): a relay is refused even if it has the server's own key. */
static void unique_bindings_tie_to_the_connection(const struct peer_form *form)
{
    who_shares_a_connection_agrees(form, SECPKG_ATTR_UNIQUE_BINDINGS, SP_PROT_TLS1_2_CLIENT);
    a_relay_is_refused(form, SECPKG_ATTR_UNIQUE_BINDINGS, SP_PROT_TLS1_2_CLIENT, NULL);
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
    return peer_set_up(state);
}

static int group_teardown(void **state)
{
    (void)state;
    realm_stop(&realm);
    return 0;
}

int main(void)
{
    static const struct peer_form *const forms[] = {PEER_SYNC};
    static const struct peer_case cases[] = {
        PEER_CASE(endpoint_bindings_tie_to_the_certificate),
        PEER_CASE(unique_bindings_tie_to_the_connection),
    };
    const struct peer_run how = {.group = "gssapi.tls",
                                 .forms = forms,
                                 .form_count = 1,
                                 .set_up = group_setup,
                                 .tear_down = group_teardown};

    return peer_run_cases_in(&how, cases, sizeof(cases) / sizeof(cases[0]));
}
