/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CredSSP between a client and a server of this library: NTLM and Kerberos, TLS 1.2 and 1.3, all
 * versions on either side, what is delegated, how tokens may be cut, and what a program can ask
 * afterwards. Each case in the synchronous and in the asynchronous form.
 */
#include <schannel.h>
#include <stdlib.h>
#include <string.h>

#include "credssp/duet.h"

#define NTLM     "ntlm"
#define KERBEROS "kerberos"

static const DWORD protocols[] = {SP_PROT_TLS1_2_CLIENT, SP_PROT_TLS1_3_CLIENT};
static const char *const packages[] = {NTLM, KERBEROS};

/* ---- the whole way ---- */

static void a_password_is_delegated(const struct peer_form *form)
{
    for (size_t i = 0; i < 4; i++) {
        const struct duet_setup setup = {.packages = packages[i % 2],
                                         .protocols = protocols[i / 2]};
        struct duet duet;

        duet_establish(&duet, form, &setup);
        duet_require_delegated(&duet.pair.server, DUET_USER, REALM_NAME, DUET_PASSWORD);
        assert_true(duet.pair.client.attributes & ISC_RET_DELEGATE);
        peer_exchange(&duet.pair);
        duet_close(&duet);
    }
}

static void without_the_flag_nothing_is_delegated(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        const struct duet_setup setup = {.packages = packages[i], .keep = true};
        struct duet duet;

        duet_establish(&duet, form, &setup);
        duet_require_delegated(&duet.pair.server, "", "", "");
        assert_false(duet.pair.client.attributes & ISC_RET_DELEGATE);
        peer_exchange(&duet.pair);
        duet_close(&duet);
    }
}

/* The lesser of both is spoken; what is older than a side allows is refused by that side. */
static void versions_meet(const struct peer_form *form)
{
    for (ULONG client = 2; client <= 6; client++) {
        for (ULONG server = 2; server <= 6; server++) {
            const struct duet_setup setup = {
                .client_min = 2, .client_max = client, .server_min = 2, .server_max = server};
            struct duet duet;

            duet_establish(&duet, form, &setup);
            duet_require_delegated(&duet.pair.server, DUET_USER, REALM_NAME, DUET_PASSWORD);
            duet_close(&duet);
        }
    }
}

static void older_versions_are_refused_unless_allowed(const struct peer_form *form)
{
    for (ULONG old = 2; old <= 4; old++) {
        const struct duet_setup old_client = {.client_min = 2, .client_max = old};
        const struct duet_setup old_server = {.server_min = 2, .server_max = old};
        struct duet duet;

        duet_open(&duet, form, &old_client);
        assert_false(duet_talk(&duet));
        assert_int_equal(duet.server, SEC_E_DELEGATION_POLICY);
        assert_int_not_equal(duet.client, SEC_E_OK);
        duet_close(&duet);

        duet_open(&duet, form, &old_server);
        assert_false(duet_talk(&duet));
        assert_int_equal(duet.client, SEC_E_DELEGATION_POLICY);
        assert_int_not_equal(duet.server, SEC_E_OK);
        duet_close(&duet);
    }
}

/* The last leg tells how long the user is known, as LIFESPAN does. */
static void the_last_leg_tells_when_it_ends(const struct peer_form *form)
{
    const struct duet_setup setup = {.packages = KERBEROS};
    struct duet duet;

    duet_establish(&duet, form, &setup);
    for (int i = 0; i < 2; i++) {
        struct peer_end *end = i ? &duet.pair.server : &duet.pair.client;
        SecPkgContext_Lifespan lifespan = {0};

        assert_int_equal(QueryContextAttributesA(&end->context, SECPKG_ATTR_LIFESPAN, &lifespan),
                         SEC_E_OK);
        assert_int_equal(end->expiry.QuadPart, lifespan.tsExpiry.QuadPart);
    }
    duet_close(&duet);
}

/* Connections that resume a TLS session are bound to its key, also where the server has several. */
static void many_connections_share_credentials(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        const struct duet_setup setup = {.protocols = protocols[i], .second = "server-rsa"};
        struct duet duet;

        duet_open(&duet, form, &setup);
        for (int n = 0; n < 3; n++) {
            duet.client = duet.server = SEC_I_CONTINUE_NEEDED;
            assert_true(duet_talk(&duet));
            duet_require_delegated(&duet.pair.server, DUET_USER, REALM_NAME, DUET_PASSWORD);
            peer_end_disconnect(&duet.pair.client);
            peer_end_disconnect(&duet.pair.server);
        }
        duet_close(&duet);
    }
}

/* ---- refusals ---- */

/* Version 5 has no errorCode: its client waits for an answer that does not come. */
static void a_wrong_password_is_told_by_errorcode(const struct peer_form *form)
{
    for (ULONG version = 2; version <= 6; version++) {
        const struct duet_setup setup = {
            .password = "not hers", .client_min = 2, .server_min = 2, .server_max = version};
        const bool told = version != 2 && version != 5;
        struct duet duet;

        duet_open(&duet, form, &setup);
        assert_false(duet_talk(&duet));
        assert_int_equal(duet.server, SEC_E_LOGON_DENIED);
        assert_int_equal(duet.client, told ? SEC_E_LOGON_DENIED : SEC_I_CONTINUE_NEEDED);
        assert_int_equal((duet.pair.server.attributes & ASC_RET_EXTENDED_ERROR) != 0, told);
        duet_close(&duet);
    }
}

/* The KDC refuses it before anything is said inside TLS. */
static void a_wrong_password_for_kerberos_fails_at_the_client(const struct peer_form *form)
{
    const struct duet_setup setup = {.packages = KERBEROS, .password = "not hers"};
    struct duet duet;

    duet_open(&duet, form, &setup);
    assert_false(duet_talk(&duet));
    assert_int_equal(duet.client, SEC_E_LOGON_DENIED);
    assert_int_equal(peer_step(&duet.pair.client, &duet.pair.server), SEC_E_LOGON_DENIED);
    duet_close(&duet);
}

static void an_unknown_target_fails_at_the_client(const struct peer_form *form)
{
    const struct duet_setup setup = {.packages = KERBEROS, .target = "TERMSRV/nobody.test"};
    struct duet duet;

    duet_open(&duet, form, &setup);
    assert_false(duet_talk(&duet));
    assert_int_equal(duet.client, SEC_E_TARGET_UNKNOWN);
    duet_close(&duet);
}

static void ntlm_can_be_refused_by_the_client(const struct peer_form *form)
{
    struct duet_setup setup = {.client_options = OSSPI_CREDSSP_NO_NTLM};
    struct duet duet;

    duet_open(&duet, form, &setup);
    assert_false(duet_talk(&duet));
    assert_int_equal(duet.client, SEC_E_POLICY_NLTM_ONLY);
    assert_int_equal(duet.server, SEC_I_CONTINUE_NEEDED);
    duet_close(&duet);
    setup.packages = KERBEROS;
    duet_establish(&duet, form, &setup);
    duet_close(&duet);
}

/* ---- tokens ---- */

/* A byte at a time: nothing is taken before there is a record, and nothing is lost. */
static void tokens_come_a_byte_at_a_time(const struct peer_form *form)
{
    const struct duet_setup setup = {.packages = KERBEROS};
    struct peer_stream to_server = {0}, to_client = {0};
    struct duet duet;

    duet_open(&duet, form, &setup);
    while (duet.client != SEC_E_OK || duet.server != SEC_E_OK) {
        struct peer_pair *pair = &duet.pair;

        if (!pair->client.has_context || to_client.len > 0) {
            if (to_client.len > 0) {
                peer_push(&pair->client.in, to_client.bytes, 1);
                peer_drop(&to_client, 1);
            }
            duet.client = peer_step(&pair->client, &pair->server);
            if (duet.client == SEC_E_INCOMPLETE_MESSAGE)
                duet.client = SEC_I_CONTINUE_NEEDED;
            assert_true(duet.client >= 0);
            peer_push(&to_server, pair->server.in.bytes, pair->server.in.len);
            peer_clear(&pair->server.in);
        } else {
            assert_true(to_server.len > 0);
            while (to_server.len > 0 && duet.server != SEC_E_OK) {
                peer_push(&pair->server.in, to_server.bytes, 1);
                peer_drop(&to_server, 1);
                duet.server = peer_step(&pair->server, &pair->client);
                if (duet.server == SEC_E_INCOMPLETE_MESSAGE)
                    duet.server = SEC_I_CONTINUE_NEEDED;
                assert_true(duet.server >= 0);
            }
            peer_push(&to_client, pair->client.in.bytes, pair->client.in.len);
            peer_clear(&pair->client.in);
        }
    }
    peer_clear(&to_server);
    peer_clear(&to_client);
    duet_require_delegated(&duet.pair.server, DUET_USER, REALM_NAME, DUET_PASSWORD);
    duet_close(&duet);
}

/* What lies behind the last message is the application's. */
static void data_behind_the_last_message_are_extra(const struct peer_form *form)
{
    const struct duet_setup setup = {0};
    struct duet duet;
    char text[16];
    size_t len;

    duet_open(&duet, form, &setup);
    while (duet.client != SEC_E_OK) {
        duet.client = peer_step(&duet.pair.client, &duet.pair.server);
        if (duet.client != SEC_E_OK)
            assert_int_equal(peer_step(&duet.pair.server, &duet.pair.client),
                             SEC_I_CONTINUE_NEEDED);
    }
    peer_established(&duet.pair.client);
    assert_int_equal(peer_send(&duet.pair.client, &duet.pair.server, "early", 5), SEC_E_OK);
    assert_int_equal(peer_step(&duet.pair.server, &duet.pair.client), SEC_E_OK);
    assert_true(duet.pair.server.in.len > 5);
    assert_int_equal(peer_receive(&duet.pair.server, text, sizeof(text), &len), SEC_E_OK);
    assert_int_equal(len, 5);
    assert_memory_equal(text, "early", 5);
    duet_close(&duet);
}

/* A token for which there is no room is kept; the same input, or none, gets it with more room. */
static void a_token_without_room_is_kept(const struct peer_form *form)
{
    for (int with_input = 0; with_input < 2; with_input++) {
        const struct duet_setup setup = {.packages = KERBEROS};
        struct duet duet;
        bool client_turn = true;
        unsigned held = 0;

        duet_open(&duet, form, &setup);
        while (duet.client != SEC_E_OK || duet.server != SEC_E_OK) {
            struct peer_end *end = client_turn ? &duet.pair.client : &duet.pair.server;
            struct peer_end *to = client_turn ? &duet.pair.server : &duet.pair.client;
            SECURITY_STATUS *last = client_turn ? &duet.client : &duet.server;
            uint8_t *out = malloc(PEER_OUT_SIZE);
            struct peer_leg leg = peer_leg_of(end, end->in.bytes, end->in.len, out, 7);
            struct peer_leg again;
            ULONG extra;

            if (!end->has_context || end->in.len == 0) { /* no context could keep it */
                leg.out[0].cbBuffer = PEER_OUT_SIZE;
                again = leg;
                *last = peer_leg_run(end, &again);
            } else {
                *last = peer_leg_run(end, &leg);
                again = leg;
                if (*last == SEC_E_INSUFFICIENT_MEMORY) {
                    held++;
                    again = peer_leg_of(end, end->in.bytes, end->in.len, out, PEER_OUT_SIZE);
                    if (!with_input)
                        again.in_count = 0;
                    *last = peer_leg_run(end, &again);
                }
            }
            assert_true(*last >= 0);
            extra = again.in_count > 0 && again.in[1].BufferType == SECBUFFER_EXTRA
                        ? again.in[1].cbBuffer
                        : 0;
            peer_push(&to->in, out, again.out[0].cbBuffer);
            peer_drop(&end->in, end->in.len - extra);
            free(out);
            client_turn = !client_turn;
        }
        assert_true(held >= 4);
        duet_require_delegated(&duet.pair.server, DUET_USER, REALM_NAME, DUET_PASSWORD);
        duet_close(&duet);
    }
}

/* ---- afterwards ---- */

static void require_names(struct peer_end *server, const char *package)
{
    SecPkgContext_NamesA names = {0};
    SecPkgContext_NegotiationInfoA info = {0};
    SecPkgContext_PackageInfoA own = {0};

    assert_int_equal(QueryContextAttributesA(&server->context, SECPKG_ATTR_NAMES, &names),
                     SEC_E_OK);
    assert_non_null(strstr(names.sUserName, DUET_USER));
    FreeContextBuffer(names.sUserName);
    assert_int_equal(QueryContextAttributesA(&server->context, SECPKG_ATTR_NEGOTIATION_INFO, &info),
                     SEC_E_OK);
    assert_string_equal(info.PackageInfo->Name, package);
    FreeContextBuffer(info.PackageInfo);
    assert_int_equal(QueryContextAttributesA(&server->context, SECPKG_ATTR_PACKAGE_INFO, &own),
                     SEC_E_OK);
    assert_string_equal(own.PackageInfo->Name, CREDSSP_NAME_A);
    FreeContextBuffer(own.PackageInfo);
}

static void both_layers_answer_questions(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        const struct duet_setup setup = {.packages = packages[i]};
        SecPkgContext_ConnectionInfo connection = {0};
        SecPkgContext_ClientCreds creds = {0};
        SecPkgContext_Flags flags = {0};
        SecPkgContext_Sizes sizes = {0};
        SecPkgContext_SubjectAttributes subject = {0};
        PCCERT_CONTEXT certificate = NULL;
        struct duet duet;
        CtxtHandle *client = &duet.pair.client.context;

        duet_establish(&duet, form, &setup);
        require_names(&duet.pair.server, i == 0 ? "NTLM" : "Kerberos");
        assert_int_equal(QueryContextAttributesA(client, SECPKG_ATTR_CONNECTION_INFO, &connection),
                         SEC_E_OK);
        assert_int_equal(
            QueryContextAttributesA(client, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &certificate),
            SEC_E_OK);
        CertFreeCertificateContext(certificate);
        assert_int_equal(QueryContextAttributesA(client, SECPKG_ATTR_FLAGS, &flags), SEC_E_OK);
        assert_int_equal(flags.Flags, duet.pair.client.attributes);
        assert_int_equal((flags.Flags & ISC_RET_MUTUAL_AUTH) != 0, i == 1);
        assert_int_equal(QueryContextAttributesA(client, SECPKG_ATTR_SIZES, &sizes), SEC_E_OK);
        assert_true(sizes.cbMaxToken > 65536);
        assert_int_equal(QueryContextAttributesA(&duet.pair.server.context,
                                                 SECPKG_ATTR_SUBJECT_SECURITY_ATTRIBUTES, &subject),
                         SEC_E_UNSUPPORTED_FUNCTION);
        /* Only a server is given credentials. */
        assert_int_equal(QueryContextAttributesA(client, SECPKG_ATTR_CREDS_2, &creds),
                         SEC_E_UNSUPPORTED_FUNCTION);
        assert_int_equal(QueryContextAttributesExA(&duet.pair.server.context, SECPKG_ATTR_CREDS_2,
                                                   &creds, sizeof(creds) - 1),
                         SEC_E_BUFFER_TOO_SMALL);
        duet_close(&duet);
    }
}

static void before_the_end_nobody_is_named(const struct peer_form *form)
{
    const struct duet_setup setup = {0};
    SecPkgContext_NamesA names = {0};
    SecPkgContext_ClientCreds creds = {0};
    struct duet duet;

    duet_open(&duet, form, &setup);
    peer_half_connect(&duet.pair);
    for (int i = 0; i < 2; i++) {
        CtxtHandle *context = i ? &duet.pair.server.context : &duet.pair.client.context;

        assert_int_equal(QueryContextAttributesA(context, SECPKG_ATTR_NAMES, &names),
                         SEC_E_INVALID_HANDLE);
        assert_int_equal(QueryContextAttributesA(context, SECPKG_ATTR_CREDS_2, &creds),
                         SEC_E_INVALID_HANDLE);
    }
    duet_close(&duet);
}

static void the_connection_is_closed_by_tls(const struct peer_form *form)
{
    const struct duet_setup setup = {0};
    struct duet duet;
    char text[16];
    size_t len;
    SECURITY_STATUS status;

    duet_establish(&duet, form, &setup);
    peer_exchange(&duet.pair);
    assert_int_equal(peer_shutdown(&duet.pair.client, &duet.pair.server), SEC_E_OK);
    status = peer_receive_data(&duet.pair.server, &duet.pair.client, text, sizeof(text), &len);
    assert_int_equal(status, SEC_I_CONTEXT_EXPIRED);
    duet_close(&duet);
}

int main(void)
{
    static const struct peer_form *const forms[] = {PEER_SYNC, PEER_ASYNC};
    static const struct peer_case cases[] = {
        PEER_CASE(a_password_is_delegated),
        PEER_CASE(without_the_flag_nothing_is_delegated),
        PEER_CASE(versions_meet),
        PEER_CASE(older_versions_are_refused_unless_allowed),
        PEER_CASE(the_last_leg_tells_when_it_ends),
        PEER_CASE(many_connections_share_credentials),
        PEER_CASE(a_wrong_password_is_told_by_errorcode),
        PEER_CASE(a_wrong_password_for_kerberos_fails_at_the_client),
        PEER_CASE(an_unknown_target_fails_at_the_client),
        PEER_CASE(ntlm_can_be_refused_by_the_client),
        PEER_CASE(tokens_come_a_byte_at_a_time),
        PEER_CASE(data_behind_the_last_message_are_extra),
        PEER_CASE(a_token_without_room_is_kept),
        PEER_CASE(both_layers_answer_questions),
        PEER_CASE(before_the_end_nobody_is_named),
        PEER_CASE(the_connection_is_closed_by_tls),
    };
    const struct peer_run how = {.group = "credssp.talk",
                                 .forms = forms,
                                 .form_count = 2,
                                 .set_up = duet_set_up,
                                 .tear_down = duet_tear_down};

    return peer_run_cases_in(&how, cases, sizeof(cases) / sizeof(cases[0]));
}
