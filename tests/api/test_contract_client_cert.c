/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Client certificates: what a client that has none is told, the ways to go on from there, another
 * credential on the way, the names that the server accepts, which certificate is chosen, and what a
 * server may require.
 */
#include <opensspi.h>
#include <stdlib.h>
#include <string.h>

#include "support/tls_peer.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

/* ---- pairs ---- */

static SECURITY_STATUS acquire_with(struct peer_end *end, SCHANNEL_CRED *auth,
                                    const char *const *names)
{
    PCCERT_CONTEXT contexts[4];
    SECURITY_STATUS status;

    auth->dwVersion = SCHANNEL_CRED_VERSION;
    auth->paCred = contexts;
    for (auth->cCreds = 0; names && names[auth->cCreds]; auth->cCreds++)
        contexts[auth->cCreds] = peer_certificate(names[auth->cCreds]);
    status = end->form->acquire((LPSTR)UNISP_NAME_A,
                                end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, auth,
                                &end->credential, NULL);
    end->has_credential = status == SEC_E_OK;
    for (DWORD i = 0; i < auth->cCreds; i++)
        CertFreeCertificateContext(contexts[i]);
    return status;
}

/* A memory store with these certificates, or NULL. */
static HCERTSTORE roots_of(const char *const *names)
{
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);

    for (; store && *names; names++) {
        PCCERT_CONTEXT context = peer_certificate(*names);

        assert_true(CertAddCertificateContextToStore(store, context, CERT_STORE_ADD_ALWAYS, NULL));
        CertFreeCertificateContext(context);
    }
    assert_non_null(store);
    return store;
}

/* A server that asks, with these roots (NULL: the machine's), and a client with these certificates
 * (NULL: none). */
static void open_asking(struct peer_pair *pair, const struct peer_form *form, DWORD protocol,
                        const char *const *certificates, const char *const *roots)
{
    SCHANNEL_CRED server = {.hRootStore = roots ? roots_of(roots) : NULL};
    SCHANNEL_CRED client = {.grbitEnabledProtocols = protocol};
    static const char *const own[] = {"server", NULL};

    peer_end_init(&pair->client, form, false);
    peer_end_init(&pair->server, form, true);
    assert_int_equal(acquire_with(&pair->server, &server, own), SEC_E_OK);
    assert_int_equal(acquire_with(&pair->client, &client, certificates), SEC_E_OK);
    pair->server.flags |= ASC_REQ_MUTUAL_AUTH;
    if (server.hRootStore)
        CertCloseStore(server.hRootStore, 0);
}

/* Up to where the client has been told; its input stays. */
static void until_told(struct peer_pair *pair)
{
    SECURITY_STATUS status = peer_step(&pair->client, &pair->server);

    while (status == SEC_I_CONTINUE_NEEDED && pair->server.in.len > 0) {
        assert_int_equal(peer_step(&pair->server, &pair->client), SEC_I_CONTINUE_NEEDED);
        status = peer_step(&pair->client, &pair->server);
    }
    assert_int_equal(status, SEC_I_INCOMPLETE_CREDENTIALS);
    assert_int_equal(pair->server.in.len, 0);
}

static void must_be_anonymous(struct peer_pair *pair)
{
    PCCERT_CONTEXT certificate = NULL;

    peer_connect(pair);
    assert_false(pair->server.attributes & ASC_RET_MUTUAL_AUTH);
    assert_int_equal(QueryContextAttributesA(&pair->server.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT,
                                             &certificate),
                     SEC_E_NO_CREDENTIALS);
    assert_int_equal(QueryContextAttributesA(&pair->client.context, SECPKG_ATTR_LOCAL_CERT_CONTEXT,
                                             &certificate),
                     SEC_E_NO_CREDENTIALS);
    peer_exchange(pair);
}

static void must_be_context(PCtxtHandle context, ULONG attribute, const char *name)
{
    PCCERT_CONTEXT expected = peer_certificate(name);
    PCCERT_CONTEXT found = NULL;

    assert_int_equal(QueryContextAttributesA(context, attribute, &found), SEC_E_OK);
    assert_int_equal(found->cbCertEncoded, expected->cbCertEncoded);
    assert_memory_equal(found->pbCertEncoded, expected->pbCertEncoded, found->cbCertEncoded);
    CertFreeCertificateContext(found);
    CertFreeCertificateContext(expected);
}

static void must_be_known_as(struct peer_pair *pair, const char *name)
{
    peer_connect(pair);
    assert_true(pair->server.attributes & ASC_RET_MUTUAL_AUTH);
    must_be_context(&pair->server.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, name);
    must_be_context(&pair->client.context, SECPKG_ATTR_LOCAL_CERT_CONTEXT, name);
    peer_exchange(pair);
}

/* ---- going on ---- */

static void the_same_bytes_go_on_without_a_certificate(const struct peer_form *form)
{
    static const ULONG more[] = {0, ISC_REQ_USE_SUPPLIED_CREDS};

    for (size_t i = 0; i < 2; i++) {
        for (int j = 0; j < 4; j++) {
            struct peer_pair pair;

            open_asking(&pair, form, protocols[i], NULL, NULL);
            pair.client.flags |= more[j / 2];
            until_told(&pair);
            pair.client.flags |= more[j % 2]; /* it may come with the answer, too */
            must_be_anonymous(&pair);
            peer_close(&pair);
        }
    }
}

static void no_input_goes_on_without_a_certificate(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        for (int j = 0; j < 3; j++) {
            struct peer_pair pair;
            uint8_t out[4096];
            struct peer_leg leg;
            SECURITY_STATUS status;

            open_asking(&pair, form, protocols[i], NULL, NULL);
            until_told(&pair);
            peer_clear(&pair.client.in);
            leg = peer_leg_of(&pair.client, NULL, 0, out, sizeof(out));
            leg.no_in = j == 0;
            leg.in_count = j == 1 ? 1 : 2;
            if (j == 2)
                leg.credential = NULL; /* the context's */
            status = peer_leg_run(&pair.client, &leg);
            assert_int_equal(status, i == 0 ? SEC_E_OK : SEC_I_CONTINUE_NEEDED);
            assert_true(leg.out[0].cbBuffer > 0);
            peer_push(&pair.server.in, out, leg.out[0].cbBuffer);
            status = peer_step(&pair.server, &pair.client);
            assert_int_equal(status, SEC_E_OK);
            assert_false(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
            if (i == 1)
                assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_OK);
            peer_established(&pair.client);
            peer_established(&pair.server);
            peer_exchange(&pair);
            peer_close(&pair);
        }
    }
}

/* Replaces the client's credential by one with this certificate (NULL: none). */
static void take_other_credential(struct peer_pair *pair, DWORD protocol, const char *name,
                                  CredHandle *ret_old)
{
    *ret_old = pair->client.credential;
    assert_int_equal(peer_end_acquire(&pair->client, protocol, 0, name, false), SEC_E_OK);
}

static void another_credential_is_honoured(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        for (int with_input = 0; with_input < 2; with_input++) {
            struct peer_pair pair;
            CredHandle old;

            open_asking(&pair, form, protocols[i], NULL, NULL);
            until_told(&pair);
            take_other_credential(&pair, protocols[i], "client", &old);
            /* The first one may go: the context holds what it needs. */
            assert_int_equal(form->free_credential(&old), SEC_E_OK);
            if (!with_input) {
                uint8_t out[8192];
                struct peer_leg leg = peer_leg_of(&pair.client, NULL, 0, out, sizeof(out));

                peer_clear(&pair.client.in);
                assert_int_equal(peer_leg_run(&pair.client, &leg),
                                 i == 0 ? SEC_E_OK : SEC_I_CONTINUE_NEEDED);
                peer_push(&pair.server.in, out, leg.out[0].cbBuffer);
                assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_OK);
                assert_true(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
                must_be_context(&pair.server.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, "client");
            } else {
                must_be_known_as(&pair, "client");
            }
            peer_close(&pair);
        }
    }
}

/* Told once: what comes then is taken as the answer, also a credential that has none either. */
static void nobody_is_told_twice(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;
        CredHandle old;

        open_asking(&pair, form, protocols[i], NULL, NULL);
        until_told(&pair);
        take_other_credential(&pair, protocols[i], NULL, &old);
        must_be_anonymous(&pair);
        assert_int_equal(form->free_credential(&old), SEC_E_OK);
        peer_close(&pair);
    }
}

/* A session that was made as somebody else is not the first credential's. */
static void a_session_belongs_to_the_credential_that_was_shown(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;
        CredHandle old, shown;

        open_asking(&pair, form, protocols[i], NULL, NULL);
        until_told(&pair);
        take_other_credential(&pair, protocols[i], "client", &old);
        must_be_known_as(&pair, "client");
        shown = pair.client.credential;
        peer_disconnect(&pair);
        pair.client.credential = old;
        until_told(&pair); /* a full handshake, asked again */
        must_be_anonymous(&pair);
        peer_disconnect(&pair);
        pair.client.credential = shown;
        peer_connect(&pair);
        assert_true(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
        assert_int_equal(form->free_credential(&old), SEC_E_OK);
        peer_close(&pair);
    }
}

/* The first credential's trust is not the other one's: what was verified for the first serves no
 * connection of a stricter one. */
static void a_session_serves_no_stricter_credential(const struct peer_form *form)
{
    static const char *const nobody[] = {NULL};
    static const char *const shown[] = {"client", NULL};

    for (size_t i = 0; i < 2; i++) {
        SCHANNEL_CRED strict = {.grbitEnabledProtocols = protocols[i],
                                .dwFlags = SCH_CRED_RESTRICTED_ROOTS,
                                .hRootStore = roots_of(nobody)};
        struct peer_pair pair;
        CredHandle old;

        open_asking(&pair, form, protocols[i], NULL, NULL);
        until_told(&pair);
        old = pair.client.credential;
        assert_int_equal(acquire_with(&pair.client, &strict, shown), SEC_E_OK);
        must_be_known_as(&pair, "client");
        peer_disconnect(&pair);
        assert_int_equal(peer_handshake(&pair), SEC_E_UNTRUSTED_ROOT);
        assert_int_equal(form->free_credential(&old), SEC_E_OK);
        CertCloseStore(strict.hRootStore, 0);
        peer_close(&pair);
    }
}

/* ---- what is no continuation ---- */

static SECURITY_STATUS client_leg(struct peer_pair *pair, const void *bytes, size_t len,
                                  PCredHandle credential)
{
    uint8_t out[8192];
    struct peer_leg leg = peer_leg_of(&pair->client, bytes, len, out, sizeof(out));
    SECURITY_STATUS status;

    leg.credential = credential;
    status = peer_leg_run(&pair->client, &leg);
    assert_true(status < 0);
    return status;
}

/* Other bytes than those that were taken end nothing; the right ones go on afterwards. */
static void other_bytes_are_refused(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;
        size_t len;
        uint8_t *bytes;

        open_asking(&pair, form, protocols[i], NULL, NULL);
        until_told(&pair);
        len = pair.client.in.len;
        bytes = malloc(len);
        assert_non_null(bytes);
        for (size_t at = 0; at < len; at += 97) {
            memcpy(bytes, pair.client.in.bytes, len);
            bytes[at] ^= 0x20;
            assert_int_equal(client_leg(&pair, bytes, len, &pair.client.credential),
                             SEC_E_INVALID_TOKEN);
        }
        free(bytes);
        for (size_t less = 1; less < len; less += 211)
            assert_int_equal(
                client_leg(&pair, pair.client.in.bytes, len - less, &pair.client.credential),
                SEC_E_INVALID_TOKEN);
        must_be_anonymous(&pair);
        peer_close(&pair);
    }
}

/* Bytes behind those that were taken are bytes of the peer's like any others. */
static void a_longer_replay_is_read_on(const struct peer_form *form)
{
    static const uint8_t garbage[] = {22, 3, 3, 0, 4, 14, 0, 0, 0}; /* ServerHelloDone */
    struct peer_pair pair;

    /* TLS 1.3: the client is done, what follows is EXTRA. */
    open_asking(&pair, form, SP_PROT_TLS1_3_CLIENT, NULL, NULL);
    until_told(&pair);
    peer_push(&pair.client.in, garbage, sizeof(garbage));
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_OK);
    assert_int_equal(pair.client.in.len, sizeof(garbage));
    peer_close(&pair);

    /* TLS 1.2: it is the next message, and not the one that may come. */
    open_asking(&pair, form, SP_PROT_TLS1_2_CLIENT, NULL, NULL);
    until_told(&pair);
    peer_push(&pair.client.in, garbage, sizeof(garbage));
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_ILLEGAL_MESSAGE);
    peer_close(&pair);
}

/* What lay behind the flight was told as EXTRA: it may come alone, or with the flight. */
static void extra_may_come_alone(const struct peer_form *form)
{
    static const uint8_t more[] = {23, 3, 3, 0, 20, 1, 2, 3};

    for (int alone = 0; alone < 2; alone++) {
        struct peer_pair pair;
        uint8_t out[8192];
        struct peer_leg leg;

        open_asking(&pair, form, SP_PROT_TLS1_3_CLIENT, NULL, NULL);
        peer_half_connect(&pair);
        peer_push(&pair.client.in, more, sizeof(more));
        leg = peer_leg_of(&pair.client, pair.client.in.bytes, pair.client.in.len, out, sizeof(out));
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_I_INCOMPLETE_CREDENTIALS);
        assert_int_equal(leg.in[1].BufferType, SECBUFFER_EXTRA);
        assert_int_equal(leg.in[1].cbBuffer, sizeof(more));
        if (alone)
            peer_drop(&pair.client.in, pair.client.in.len - sizeof(more));
        assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_OK);
        assert_int_equal(pair.client.in.len, sizeof(more));
        assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_OK);
        peer_close(&pair);
    }
}

static void credentials_that_cannot_serve_are_refused(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;
        struct peer_end other;
        CredHandle freed;

        open_asking(&pair, form, protocols[i], NULL, NULL);
        until_told(&pair);
        assert_int_equal(client_leg(&pair, NULL, 0, &pair.server.credential), SEC_E_NO_CREDENTIALS);
        peer_end_init(&other, form, false);
        assert_int_equal(peer_end_acquire(&other, protocols[i], 0, "client", false), SEC_E_OK);
        freed = other.credential;
        peer_end_free(&other);
        assert_int_equal(client_leg(&pair, NULL, 0, &freed), SEC_E_INVALID_HANDLE);
        must_be_anonymous(&pair);
        peer_close(&pair);
    }
}

static void deleted_in_the_middle(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;

        open_asking(&pair, form, protocols[i], NULL, NULL);
        until_told(&pair);
        peer_end_disconnect(&pair.client);
        peer_close(&pair);
    }
}

/* No room for the answer takes nothing back: the same leg, or one without input, delivers it. */
static void no_room_is_made_good(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        for (int with_input = 0; with_input < 2; with_input++) {
            struct peer_pair pair;
            uint8_t out[16];
            struct peer_leg leg;

            open_asking(&pair, form, protocols[i], NULL, NULL);
            until_told(&pair);
            leg = peer_leg_of(&pair.client, pair.client.in.bytes,
                              with_input ? pair.client.in.len : 0, out, sizeof(out));
            assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INSUFFICIENT_MEMORY);
            if (!with_input)
                peer_clear(&pair.client.in);
            assert_int_equal(peer_step(&pair.client, &pair.server),
                             i == 0 ? SEC_E_OK : SEC_I_CONTINUE_NEEDED);
            assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_OK);
            peer_close(&pair);
        }
    }
}

/* A shutdown instead of an answer: the peer is told that it is over. */
static void a_shutdown_ends_it(const struct peer_form *form)
{
    struct peer_pair pair;

    open_asking(&pair, form, SP_PROT_TLS1_2_CLIENT, NULL, NULL);
    until_told(&pair);
    assert_int_equal(peer_shutdown(&pair.client, &pair.server), SEC_E_OK);
    assert_int_equal(pair.server.in.len, 7);
    peer_close(&pair);
}

/* ---- the issuers ---- */

static void must_list(PCtxtHandle context, const char *const *names)
{
    SecPkgContext_IssuerListInfoEx list = {(PCERT_NAME_BLOB)1, 99};
    DWORD count = 0;

    assert_int_equal(QueryContextAttributesA(context, SECPKG_ATTR_ISSUER_LIST_EX, &list), SEC_E_OK);
    for (; names[count]; count++) {
        PCCERT_CONTEXT root = peer_certificate(names[count]);

        assert_true(count < list.cIssuers);
        assert_int_equal(list.aIssuers[count].cbData, root->pCertInfo->Subject.cbData);
        assert_memory_equal(list.aIssuers[count].pbData, root->pCertInfo->Subject.pbData,
                            list.aIssuers[count].cbData);
        CertFreeCertificateContext(root);
    }
    assert_int_equal(list.cIssuers, count);
    if (count == 0)
        assert_null(list.aIssuers);
    else
        assert_int_equal(FreeContextBuffer(list.aIssuers), SEC_E_OK);
}

static void the_issuers_are_known_to_both(const struct peer_form *form)
{
    static const char *const several[] = {"ca", "otherca", NULL};
    static const char *const none[] = {NULL};
    const char *const *const lists[] = {several, none};

    for (size_t i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            struct peer_pair pair;

            /* Without roots of its own a server names nobody. */
            open_asking(&pair, form, protocols[i], NULL, j == 0 ? several : NULL);
            until_told(&pair);
            must_list(&pair.client.context, lists[j]);
            must_list(&pair.server.context, lists[j]);
            must_be_anonymous(&pair);
            must_list(&pair.client.context, lists[j]);
            must_list(&pair.server.context, lists[j]);
            peer_close(&pair);
        }
    }
}

static void who_was_not_asked_has_no_issuers(const struct peer_form *form)
{
    struct peer_pair pair;
    SecPkgContext_IssuerListInfoEx list;

    peer_open(&pair, form, NULL);
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(
        QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_ISSUER_LIST_EX, &list),
        SEC_E_NO_CREDENTIALS);
    peer_connect(&pair);
    assert_int_equal(
        QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_ISSUER_LIST_EX, &list),
        SEC_E_NO_CREDENTIALS);
    assert_int_equal(
        QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_ISSUER_LIST_EX, &list),
        SEC_E_NO_CREDENTIALS);
    peer_close(&pair);
}

/* ---- the choice among several ---- */

static void the_issuer_decides_among_several(const struct peer_form *form)
{
    static const char *const both[] = {"other-server", "client", NULL};
    static const char *const ca[] = {"ca", NULL};

    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;

        open_asking(&pair, form, protocols[i], both, ca);
        must_be_known_as(&pair, "client");
        peer_close(&pair);
    }
}

/* The application's choice counts, also where the server names somebody else; that one's verdict
 * is the server's. */
static void a_supplied_certificate_is_shown_anyway(const struct peer_form *form)
{
    static const char *const other[] = {"other-server", NULL};
    static const char *const ca[] = {"ca", NULL};

    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;

        open_asking(&pair, form, protocols[i], other, ca);
        assert_int_equal(peer_handshake(&pair), SEC_E_UNTRUSTED_ROOT);
        peer_close(&pair);
    }
}

/* ---- the verdict on the peer ---- */

static void must_be_judged(PCtxtHandle context, ULONG attribute, HRESULT expected)
{
    SecPkgContext_CertificateValidationResult result = {99, 99};

    assert_int_equal(QueryContextAttributesA(context, attribute, &result), SEC_E_OK);
    assert_int_equal(result.hrVerifyChainStatus, expected);
    assert_int_equal(result.dwChainErrorStatus == 0, expected == S_OK);
}

static void the_verdict_is_kept(const struct peer_form *form)
{
    static const char *const client[] = {"client", NULL};

    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;
        SecPkgContext_CertificateValidationResult result;

        open_asking(&pair, form, protocols[i], client, NULL);
        assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(
            QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_CERT_CHECK_RESULT, &result),
            SEC_E_NO_CREDENTIALS);
        assert_int_equal(QueryContextAttributesA(&pair.client.context,
                                                 SECPKG_ATTR_CERT_CHECK_RESULT_INPROC, &result),
                         SEC_E_INVALID_HANDLE);
        peer_connect(&pair);
        must_be_judged(&pair.client.context, SECPKG_ATTR_CERT_CHECK_RESULT, S_OK);
        must_be_judged(&pair.client.context, SECPKG_ATTR_CERT_CHECK_RESULT_INPROC, S_OK);
        must_be_judged(&pair.server.context, SECPKG_ATTR_CERT_CHECK_RESULT, S_OK);
        must_be_judged(&pair.server.context, SECPKG_ATTR_CERT_CHECK_RESULT_INPROC, S_OK);
        /* Resumed: the session's verdict stands. */
        peer_exchange(&pair);
        peer_disconnect(&pair);
        peer_connect(&pair);
        must_be_judged(&pair.client.context, SECPKG_ATTR_CERT_CHECK_RESULT, S_OK);
        must_be_judged(&pair.server.context, SECPKG_ATTR_CERT_CHECK_RESULT, S_OK);
        peer_close(&pair);
    }
}

/* A failure leaves its verdict behind, on the side that judged. */
static void a_bad_verdict_is_kept(const struct peer_form *form)
{
    static const char *const other[] = {"client-other", NULL};

    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;

        open_asking(&pair, form, protocols[i], other, NULL);
        assert_int_equal(peer_handshake(&pair), SEC_E_UNTRUSTED_ROOT);
        must_be_judged(&pair.server.context, SECPKG_ATTR_CERT_CHECK_RESULT, CERT_E_CHAINING);
        must_be_judged(&pair.client.context, SECPKG_ATTR_CERT_CHECK_RESULT, S_OK);
        peer_close(&pair);
    }
}

static void without_a_certificate_there_is_no_verdict(const struct peer_form *form)
{
    struct peer_pair pair;
    SecPkgContext_CertificateValidationResult result;

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    assert_int_equal(
        QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_CERT_CHECK_RESULT, &result),
        SEC_E_NO_CREDENTIALS);
    assert_int_equal(QueryContextAttributesA(&pair.server.context,
                                             SECPKG_ATTR_CERT_CHECK_RESULT_INPROC, &result),
                     SEC_E_NO_CREDENTIALS);
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(the_same_bytes_go_on_without_a_certificate),
        PEER_CASE(no_input_goes_on_without_a_certificate),
        PEER_CASE(another_credential_is_honoured),
        PEER_CASE(nobody_is_told_twice),
        PEER_CASE(a_session_belongs_to_the_credential_that_was_shown),
        PEER_CASE(a_session_serves_no_stricter_credential),
        PEER_CASE(other_bytes_are_refused),
        PEER_CASE(a_longer_replay_is_read_on),
        PEER_CASE(extra_may_come_alone),
        PEER_CASE(credentials_that_cannot_serve_are_refused),
        PEER_CASE(deleted_in_the_middle),
        PEER_CASE(no_room_is_made_good),
        PEER_CASE(a_shutdown_ends_it),
        PEER_CASE(the_issuers_are_known_to_both),
        PEER_CASE(who_was_not_asked_has_no_issuers),
        PEER_CASE(the_issuer_decides_among_several),
        PEER_CASE(a_supplied_certificate_is_shown_anyway),
        PEER_CASE(the_verdict_is_kept),
        PEER_CASE(a_bad_verdict_is_kept),
        PEER_CASE(without_a_certificate_there_is_no_verdict),
    };

    return peer_run_cases("contract.client_cert", cases, sizeof(cases) / sizeof(cases[0]));
}
