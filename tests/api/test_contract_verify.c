/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: verification of the peer. Which certificate is good for which name, the status of what
 * is not, the alert that goes with it, and the flags that say less is enough. TLS 1.2 and 1.3.
 */
#include <opensspi.h>
#include <stdlib.h>
#include <string.h>

#include "support/tls_peer.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

#define UNKNOWN_CA      48
#define BAD_CERTIFICATE 42
#define UNSUPPORTED     43
#define EXPIRED         45
#define CERT_UNKNOWN    46

static const struct row {
    const char *certificate, *target;
    SECURITY_STATUS status;
    uint8_t alert;        /* the usual one */
    uint8_t or_alert;     /* also right */
    bool good_as_a_chain; /* only the name is wrong */
} rows[] = {
    {"server", "server.test", SEC_E_OK, 0, 0, true},
    {"server-rsa", "localhost", SEC_E_OK, 0, 0, true},
    {"server", "127.0.0.1", SEC_E_OK, 0, 0, true},
    {"server", "::1", SEC_E_OK, 0, 0, true},
    {"server", "0:0:0:0:0:0:0:1", SEC_E_OK, 0, 0, true},
    {"wrongname", "localhost", SEC_E_WRONG_PRINCIPAL, BAD_CERTIFICATE, CERT_UNKNOWN, true},
    {"server", "127.0.0.2", SEC_E_WRONG_PRINCIPAL, BAD_CERTIFICATE, CERT_UNKNOWN, true},
    /* a common name is no name */
    {"noname", "localhost", SEC_E_WRONG_PRINCIPAL, BAD_CERTIFICATE, CERT_UNKNOWN, true},
    /* an address spelled as a DNS name is no address */
    {"ipname", "127.0.0.1", SEC_E_WRONG_PRINCIPAL, BAD_CERTIFICATE, CERT_UNKNOWN, true},
    {"ipname", "server.test", SEC_E_WRONG_PRINCIPAL, BAD_CERTIFICATE, CERT_UNKNOWN, true},
    {"nulname", "localhost", SEC_E_WRONG_PRINCIPAL, BAD_CERTIFICATE, CERT_UNKNOWN, true},
    {"nulname", "evil.test", SEC_E_WRONG_PRINCIPAL, BAD_CERTIFICATE, CERT_UNKNOWN, true},
    /* a star is one whole label, the first */
    {"wildcard", "a.wild.test", SEC_E_OK, 0, 0, true},
    {"wildcard", "A.WILD.TEST.", SEC_E_OK, 0, 0, true},
    {"wildcard", "wild.test", SEC_E_WRONG_PRINCIPAL, BAD_CERTIFICATE, CERT_UNKNOWN, true},
    {"wildcard", "a.b.wild.test", SEC_E_WRONG_PRINCIPAL, BAD_CERTIFICATE, CERT_UNKNOWN, true},
    {"wildcard", ".wild.test", SEC_E_WRONG_PRINCIPAL, BAD_CERTIFICATE, CERT_UNKNOWN, true},
    {"partialwild", "local.test", SEC_E_WRONG_PRINCIPAL, BAD_CERTIFICATE, CERT_UNKNOWN, true},
    {"partialwild", "loc.test", SEC_E_WRONG_PRINCIPAL, BAD_CERTIFICATE, CERT_UNKNOWN, true},
    /* an internationalised name, in letters and as A-label */
    {"idn", "xn--mnchen-3ya.test", SEC_E_OK, 0, 0, true},
    /* chains */
    {"expired", "localhost", SEC_E_CERT_EXPIRED, EXPIRED, 0, false},
    {"notyet", "localhost", SEC_E_CERT_EXPIRED, EXPIRED, BAD_CERTIFICATE, false},
    {"selfsigned", "localhost", SEC_E_UNTRUSTED_ROOT, UNKNOWN_CA, 0, false},
    {"other-server", "localhost", SEC_E_UNTRUSTED_ROOT, UNKNOWN_CA, 0, false},
    {"clientonly", "localhost", SEC_E_CERT_UNKNOWN, UNSUPPORTED, 0, false},
};

/* One handshake; the client's verdict. */
static SECURITY_STATUS judge(const struct peer_form *form, const struct row *row, DWORD protocol,
                             DWORD flags, struct peer_pair *ret_pair)
{
    const struct peer_setup setup = {
        .protocols = protocol, .certificate = row->certificate, .client_flags = flags};

    peer_open(ret_pair, form, &setup);
    ret_pair->client.target = row->target;
    return peer_handshake(ret_pair);
}

/* In TLS 1.2 the alert is in the clear; in TLS 1.3 it may be sealed, and the server tells. */
static void check_alert(struct peer_pair *pair, const struct row *row, size_t p)
{
    const uint8_t *bytes = pair->server.in.bytes;

    assert_true(pair->server.in.len >= 7);
    assert_true(pair->client.attributes & ISC_RET_EXTENDED_ERROR);
    if (p == 1) {
        assert_int_equal(pair->server.in.len, 7);
        assert_int_equal(bytes[0], 21);
        assert_int_equal(bytes[5], TLS1_ALERT_FATAL);
        if (bytes[6] != row->alert && (row->or_alert == 0 || bytes[6] != row->or_alert))
            print_error("%s for %s: alert %u\n", row->certificate, row->target, bytes[6]);
        assert_true(bytes[6] == row->alert || (row->or_alert != 0 && bytes[6] == row->or_alert));
    }
    assert_true(peer_step(&pair->server, &pair->client) < 0);
}

static void every_certificate_gets_its_verdict(const struct peer_form *form)
{
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i / 2];
        struct peer_pair pair;
        SECURITY_STATUS status = judge(form, row, protocols[i % 2], 0, &pair);
        char detail[256] = "";

        if (status != row->status && !(row->target[0] == '.' && status == SEC_E_TARGET_UNKNOWN))
            print_error("%s for %s: %s\n", row->certificate, row->target, OsspiStatusName(status));
        else if (status != row->status)
            goto next; /* no name at all: told before there was a peer */
        assert_int_equal(status, row->status);
        if (status != SEC_E_OK && pair.client.has_context) {
            assert_int_equal(OsspiGetErrorDetail(&pair.client.context, detail, sizeof(detail)),
                             SEC_E_OK);
            assert_true(strlen(detail) > 10);
            check_alert(&pair, row, i % 2);
            /* and it stays so */
            assert_int_equal(peer_send(&pair.client, &pair.server, "x", 1), SEC_E_CONTEXT_EXPIRED);
        }
    next:
        peer_close(&pair);
    }
}

/* Without the check of the name the chain still counts; with manual validation nothing does. */
static void flags_ask_for_less(const struct peer_form *form)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer_pair pair;

        if (rows[i].target[0] == '.')
            continue;
        assert_int_equal(judge(form, &rows[i], 0, SCH_CRED_NO_SERVERNAME_CHECK, &pair),
                         rows[i].good_as_a_chain ? SEC_E_OK : rows[i].status);
        peer_close(&pair);
        assert_int_equal(judge(form, &rows[i], 0, SCH_CRED_MANUAL_CRED_VALIDATION, &pair),
                         SEC_E_OK);
        peer_close(&pair);
    }
}

/* All is looked at, nothing fails, and nobody is told that the peer was verified. */
static void s3_2_deferred_verdicts_are_told(const struct peer_form *form)
{
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i / 2];
        const struct peer_setup setup = {.protocols = protocols[i % 2],
                                         .certificate = row->certificate,
                                         .client_flags = SCH_CRED_DEFERRED_CRED_VALIDATION};
        SecPkgContext_CertificateValidationResult result = {99, 99};
        struct peer_pair pair;

        if (row->target[0] == '.')
            continue;
        peer_open(&pair, form, &setup);
        pair.client.target = row->target;
        pair.client.flags |= ISC_REQ_MUTUAL_AUTH;
        assert_int_equal(peer_handshake(&pair), SEC_E_OK);
        assert_int_equal(
            QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_CERT_CHECK_RESULT, &result),
            SEC_E_OK);
        assert_int_equal(result.hrVerifyChainStatus == S_OK, row->status == SEC_E_OK);
        if (row->status == SEC_E_WRONG_PRINCIPAL)
            assert_int_equal(result.hrVerifyChainStatus, CERT_E_CN_NO_MATCH);
        assert_false(pair.client.attributes & ISC_RET_MUTUAL_AUTH);
        peer_close(&pair);
    }
}

/* Manual validation may be asked for by the call as well. */
static void s3_3_manual_validation_by_flag_of_the_call(const struct peer_form *form)
{
    const struct peer_setup setup = {.certificate = "selfsigned"};
    struct peer_pair pair;

    peer_open(&pair, form, &setup);
    pair.client.flags |= ISC_REQ_MANUAL_CRED_VALIDATION;
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    assert_true(pair.client.attributes & ISC_RET_MANUAL_CRED_VALIDATION);
    peer_disconnect(&pair);
    pair.client.flags &= ~(ULONG)ISC_REQ_MANUAL_CRED_VALIDATION;
    pair.client.target = "localhost";
    assert_int_equal(peer_handshake(&pair), SEC_E_UNTRUSTED_ROOT);
    peer_close(&pair);
}

static void without_extended_error_no_alert_goes_out(const struct peer_form *form)
{
    const struct peer_setup setup = {.certificate = "wrongname"};
    struct peer_pair pair;

    peer_open(&pair, form, &setup);
    pair.client.flags &= ~(ULONG)ISC_REQ_EXTENDED_ERROR;
    assert_int_equal(peer_handshake(&pair), SEC_E_WRONG_PRINCIPAL);
    assert_int_equal(pair.server.in.len, 0);
    assert_false(pair.client.attributes & ISC_RET_EXTENDED_ERROR);
    peer_close(&pair);
}

/* An alert buffer takes the alert, whatever the flags say, and the token stays empty. */
static void s3_4_alert_buffer_takes_the_alert(const struct peer_form *form)
{
    const struct peer_setup setup = {.certificate = "wrongname",
                                     .protocols = SP_PROT_TLS1_2_CLIENT};
    struct peer_pair pair;
    uint8_t out[4096], alert[32];
    struct peer_leg leg;

    peer_open(&pair, form, &setup);
    peer_half_connect(&pair);
    leg = peer_leg_of(&pair.client, pair.client.in.bytes, pair.client.in.len, out, sizeof(out));
    leg.out[1] = (SecBuffer){sizeof(alert), SECBUFFER_ALERT, alert};
    leg.out_count = 2;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_WRONG_PRINCIPAL);
    assert_int_equal(leg.out[0].cbBuffer, 0);
    assert_int_equal(leg.out[1].cbBuffer, 7);
    assert_int_equal(alert[0], 21);
    peer_close(&pair);
}

/* A failed leg may be called again: the same status, nothing more to send. */
static void the_verdict_stays(const struct peer_form *form)
{
    const struct peer_setup setup = {.certificate = "expired"};
    struct peer_pair pair;

    peer_open(&pair, form, &setup);
    pair.client.target = "localhost";
    assert_int_equal(peer_handshake(&pair), SEC_E_CERT_EXPIRED);
    peer_clear(&pair.server.in);
    for (int i = 0; i < 2; i++) {
        SECURITY_STATUS status = peer_step(&pair.client, &pair.server);

        assert_true(status == SEC_E_CERT_EXPIRED || status == SEC_E_CONTEXT_EXPIRED);
        assert_int_equal(pair.server.in.len, 0);
    }
    peer_close(&pair);
}

/* ---- client certificates ---- */

static SECURITY_STATUS with_client_certificate(const struct peer_form *form, const char *name,
                                               DWORD protocol, struct peer_pair *ret_pair)
{
    peer_end_init(&ret_pair->client, form, false);
    peer_end_init(&ret_pair->server, form, true);
    assert_int_equal(peer_end_acquire(&ret_pair->client, protocol, 0, name, false), SEC_E_OK);
    assert_int_equal(peer_end_acquire(&ret_pair->server, 0, 0, "server", false), SEC_E_OK);
    ret_pair->server.flags |= ASC_REQ_MUTUAL_AUTH;
    return peer_handshake(ret_pair);
}

static void client_certificates_are_verified_before_ok(const struct peer_form *form)
{
    static const struct {
        const char *name;
        SECURITY_STATUS status;
    } clients[] = {
        {"client", SEC_E_OK},
        {"serveronly", SEC_E_CERT_UNKNOWN},
        {"other-server", SEC_E_UNTRUSTED_ROOT},
    };

    for (size_t i = 0; i < 2 * sizeof(clients) / sizeof(clients[0]); i++) {
        struct peer_pair pair;
        PCCERT_CONTEXT certificate = NULL;
        SECURITY_STATUS status =
            with_client_certificate(form, clients[i / 2].name, protocols[i % 2], &pair);

        assert_int_equal(status, clients[i / 2].status);
        if (status == SEC_E_OK) {
            assert_true(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
            assert_int_equal(QueryContextAttributesA(&pair.server.context,
                                                     SECPKG_ATTR_REMOTE_CERT_CONTEXT, &certificate),
                             SEC_E_OK);
            CertFreeCertificateContext(certificate);
        }
        peer_close(&pair);
    }
}

/* A server verifies what it gets, whatever the flags of its credential say. */
static void s3_2_flags_for_clients_let_nobody_into_a_server(const struct peer_form *form)
{
    static const DWORD flags[] = {SCH_CRED_MANUAL_CRED_VALIDATION,
                                  SCH_CRED_DEFERRED_CRED_VALIDATION, SCH_CRED_RESTRICTED_ROOTS};

    for (size_t i = 0; i < 2 * sizeof(flags) / sizeof(flags[0]); i++) {
        struct peer_pair pair;

        peer_end_init(&pair.client, form, false);
        peer_end_init(&pair.server, form, true);
        assert_int_equal(peer_end_acquire(&pair.client, protocols[i % 2], 0, "other-server", false),
                         SEC_E_OK);
        assert_int_equal(peer_end_acquire(&pair.server, 0, flags[i / 2], "server", false),
                         SEC_E_OK);
        pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
        assert_int_equal(peer_handshake(&pair), SEC_E_UNTRUSTED_ROOT);
        peer_close(&pair);
    }
}

/* Asked for is not required: who has none gets in, and the server can see it. */
static void a_client_without_certificate_gets_in(const struct peer_form *form)
{
    struct peer_pair pair;
    PCCERT_CONTEXT certificate = NULL;

    assert_int_equal(with_client_certificate(form, NULL, 0, &pair), SEC_E_OK);
    assert_false(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
    assert_int_equal(QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT,
                                             &certificate),
                     SEC_E_NO_CREDENTIALS);
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(every_certificate_gets_its_verdict),
        PEER_CASE(flags_ask_for_less),
        PEER_CASE(s3_2_deferred_verdicts_are_told),
        PEER_CASE(s3_3_manual_validation_by_flag_of_the_call),
        PEER_CASE(without_extended_error_no_alert_goes_out),
        PEER_CASE(s3_4_alert_buffer_takes_the_alert),
        PEER_CASE(the_verdict_stays),
        PEER_CASE(client_certificates_are_verified_before_ok),
        PEER_CASE(s3_2_flags_for_clients_let_nobody_into_a_server),
        PEER_CASE(a_client_without_certificate_gets_in),
    };

    return peer_run_cases("contract.verify", cases, sizeof(cases) / sizeof(cases[0]));
}
