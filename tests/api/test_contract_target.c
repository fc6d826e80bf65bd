/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: what a leg is asked for besides bytes. Target names, flags and what is granted,
 * application protocols, handles of the wrong kind.
 */
#include <stdlib.h>
#include <string.h>

#include "support/tls_raw.h"

/* ---- target names ---- */

static void targets_are_normalised(const struct peer_form *form)
{
    static const char *const good[] = {"server.test", "SERVER.Test", "server.test.",
                                       "localhost",   "127.0.0.1",   "::1"};
    static const char *const bad[] = {"other.test", "server.test..", "127.0.0.2", "::2",
                                      "x.server.test"};
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        pair.client.target = good[i];
        assert_int_equal(peer_handshake(&pair), SEC_E_OK);
        peer_disconnect(&pair);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        SECURITY_STATUS status;

        pair.client.target = bad[i];
        status = peer_handshake(&pair);
        assert_true(status == SEC_E_WRONG_PRINCIPAL || status == SEC_E_TARGET_UNKNOWN);
        peer_disconnect(&pair);
    }
    peer_close(&pair);
}

/* What is in the ClientHello: the name without its dot, no address. */
static void sni_carries_names_and_no_addresses(const struct peer_form *form)
{
    static const struct {
        const char *target, *sni;
    } rows[] = {{"server.test.", "server.test"},
                {"LOCALHOST", "localhost"},
                {"127.0.0.1", NULL},
                {"::1", NULL}};
    struct raw_peer raw;
    struct peer_end client;

    raw_open(&raw, true, 0, "server");
    peer_end_init(&client, form, false);
    assert_int_equal(peer_end_acquire(&client, 0, 0, NULL, false), SEC_E_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *name;

        client.target = rows[i].target;
        assert_int_equal(raw_handshake(&raw, &client), SEC_E_OK);
        name = SSL_get_servername(raw.ssl, TLSEXT_NAMETYPE_host_name);
        if (rows[i].sni)
            assert_string_equal(name, rows[i].sni);
        else
            assert_null(name);
        peer_end_disconnect(&client);
        raw_again(&raw, true);
    }
    peer_end_free(&client);
    raw_close(&raw);
}

static void no_target_needs_a_flag_that_says_so(const struct peer_form *form)
{
    static const DWORD flags[] = {0, SCH_CRED_NO_SERVERNAME_CHECK, SCH_CRED_MANUAL_CRED_VALIDATION};

    for (size_t i = 0; i < 3; i++) {
        const struct peer_setup setup = {.client_flags = flags[i]};
        struct peer_pair pair;

        peer_open(&pair, form, &setup);
        for (int way = 0; way < 2; way++) {
            pair.client.target = way == 0 ? NULL : "";
            memset(&pair.client.context, 0x5A, sizeof(CtxtHandle));
            assert_int_equal(peer_handshake(&pair), i == 0 ? SEC_E_WRONG_PRINCIPAL : SEC_E_OK);
            if (i == 0)
                assert_int_equal(pair.client.context.dwLower, 0x5A5A5A5A5A5A5A5A);
            peer_disconnect(&pair);
        }
        peer_close(&pair);
    }
}

static void another_target_on_a_later_leg_is_refused(const struct peer_form *form)
{
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    peer_half_connect(&pair);
    pair.client.target = "localhost";
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_WRONG_PRINCIPAL);
    peer_close(&pair);
    peer_open(&pair, form, NULL);
    peer_half_connect(&pair);
    pair.client.target = "SERVER.TEST."; /* the same in other words */
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_OK);
    peer_close(&pair);
}

/* Names nobody can have: a clear status, no crash, and no context. */
static void absurd_targets_are_refused(const struct peer_form *form)
{
    struct peer_pair pair;
    char *monster = malloc(100001);

    memset(monster, 'a', 100000);
    monster[100000] = '\0';
    peer_open(&pair, form, NULL);
    {
        const char *const names[] = {monster,    "a b",          "..",
                                     ".",        "server..test", "\xC3\x28",
                                     "\xFF\xFE", "*.test",       "http://server.test/"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            SECURITY_STATUS status;

            pair.client.target = names[i];
            status = peer_handshake(&pair);
            assert_true(status == SEC_E_TARGET_UNKNOWN || status == SEC_E_WRONG_PRINCIPAL);
            peer_disconnect(&pair);
        }
    }
    free(monster);
    peer_close(&pair);
}

/* ---- flags ---- */

static void s3_3_flags_are_granted(const struct peer_form *form)
{
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    pair.client.flags = ISC_REQ_CONFIDENTIALITY | ISC_REQ_STREAM | ISC_REQ_USE_SUPPLIED_CREDS;
    pair.server.flags = ASC_REQ_CONFIDENTIALITY | ASC_REQ_STREAM;
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    assert_int_equal(pair.client.attributes, ISC_RET_REPLAY_DETECT | ISC_RET_SEQUENCE_DETECT |
                                                 ISC_RET_CONFIDENTIALITY | ISC_RET_STREAM |
                                                 ISC_RET_USED_SUPPLIED_CREDS);
    assert_int_equal(pair.server.attributes, ASC_RET_REPLAY_DETECT | ASC_RET_SEQUENCE_DETECT |
                                                 ASC_RET_CONFIDENTIALITY | ASC_RET_STREAM);
    assert_int_equal(pair.client.expiry.QuadPart < INT64_MAX, 1);
    peer_disconnect(&pair);
    pair.client.flags = ISC_REQ_MUTUAL_AUTH | ISC_REQ_INTEGRITY | ISC_REQ_EXTENDED_ERROR;
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    assert_true(pair.client.attributes & ISC_RET_MUTUAL_AUTH);
    assert_true(pair.client.attributes & ISC_RET_INTEGRITY);
    assert_true(pair.client.attributes & ISC_RET_EXTENDED_ERROR);
    assert_false(pair.client.attributes & ISC_RET_CONFIDENTIALITY);
    peer_close(&pair);
}

static void s1_11_impossible_flags_are_refused(const struct peer_form *form)
{
    static const ULONG refused[] = {ISC_REQ_DELEGATE, ISC_REQ_PROMPT_FOR_CREDS};
    struct peer_pair pair;
    uint8_t out[2048];

    peer_open(&pair, form, NULL);
    for (size_t i = 0; i < 2; i++) {
        struct peer_leg leg = peer_leg_of(&pair.client, NULL, 0, out, sizeof(out));

        leg.flags |= refused[i];
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_UNSUPPORTED_FUNCTION);
        assert_false(pair.client.has_context);
    }
    peer_close(&pair);
}

/* High flags come in a buffer; its low half must be zero, and it must be whole. */
static void s0_wide_flags_travel_in_a_buffer(const struct peer_form *form)
{
    static const struct {
        uint64_t flags;
        ULONG size;
        SECURITY_STATUS status;
    } rows[] = {
        {0, 8, SEC_I_CONTINUE_NEEDED},
        {0, 4, SEC_E_INVALID_TOKEN},
        {0, 0, SEC_E_INVALID_TOKEN},
        {1, 8, SEC_E_INVALID_TOKEN},
        {ISC_REQ_MESSAGES, 8, SEC_I_CONTINUE_NEEDED}, /* contract.messages */
        {ISC_REQ_NO_POST_HANDSHAKE_AUTH, 8, SEC_I_CONTINUE_NEEDED},
    };
    struct peer_pair pair;
    uint8_t out[2048];

    peer_open(&pair, form, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        SEC_FLAGS wide = {rows[i].flags};
        struct peer_leg leg = peer_leg_of(&pair.client, NULL, 0, out, sizeof(out));

        leg.in[2] = (SecBuffer){rows[i].size, SECBUFFER_FLAGS, &wide};
        leg.in_count = 3;
        assert_int_equal(peer_leg_run(&pair.client, &leg), rows[i].status);
        peer_end_disconnect(&pair.client);
    }
    peer_close(&pair);
}

/* ---- application protocols ---- */

static const uint8_t h2_and_http[] = {18,  0,   0, 0,   2,   0,   0,   0,   12,  0,   2,
                                      'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
static const uint8_t http_only[] = {15, 0,   0,   0,   2,   0,   0,   0,   9,  0,
                                    8,  'h', 't', 't', 'p', '/', '1', '.', '1'};
static const uint8_t other_only[] = {10, 0, 0, 0, 2, 0, 0, 0, 4, 0, 3, 'x', 'y', 'z'};

static void check_protocol(struct peer_end *end, const char *expected)
{
    SecPkgContext_ApplicationProtocol protocol;

    memset(&protocol, 0x5A, sizeof(protocol));
    assert_int_equal(
        QueryContextAttributesA(&end->context, SECPKG_ATTR_APPLICATION_PROTOCOL, &protocol),
        SEC_E_OK);
    assert_int_equal(protocol.ProtoNegoStatus, expected
                                                   ? SecApplicationProtocolNegotiationStatus_Success
                                                   : SecApplicationProtocolNegotiationStatus_None);
    assert_int_equal(protocol.ProtocolIdSize, expected ? strlen(expected) : 0);
    if (expected) {
        assert_int_equal(protocol.ProtoNegoExt, SecApplicationProtocolNegotiationExt_ALPN);
        assert_memory_equal(protocol.ProtocolId, expected, strlen(expected));
    }
}

static void set_alpn(struct peer_end *end, const uint8_t *list, size_t size)
{
    end->alpn = list;
    end->alpn_size = (ULONG)size;
}

static void s3_11_alpn_match_and_none(const struct peer_form *form)
{
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    set_alpn(&pair.client, h2_and_http, sizeof(h2_and_http));
    set_alpn(&pair.server, h2_and_http, sizeof(h2_and_http));
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    check_protocol(&pair.client, "h2");
    check_protocol(&pair.server, "h2");
    peer_disconnect(&pair);
    set_alpn(&pair.server, http_only, sizeof(http_only));
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    check_protocol(&pair.client, "http/1.1");
    check_protocol(&pair.server, "http/1.1");
    peer_disconnect(&pair);
    set_alpn(&pair.server, NULL, 0);
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    check_protocol(&pair.client, NULL);
    check_protocol(&pair.server, NULL);
    peer_close(&pair);
}

static void s3_11_alpn_mismatch_is_told_with_an_alert(const struct peer_form *form)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 120};
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    set_alpn(&pair.client, other_only, sizeof(other_only));
    set_alpn(&pair.server, h2_and_http, sizeof(h2_and_http));
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    memset(&pair.server.context, 0x5A, sizeof(CtxtHandle));
    assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_APPLICATION_PROTOCOL_MISMATCH);
    assert_int_equal(pair.server.context.dwLower, 0x5A5A5A5A5A5A5A5A);
    assert_int_equal(pair.client.in.len, sizeof(alert));
    assert_memory_equal(pair.client.in.bytes, alert, sizeof(alert));
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_APPLICATION_PROTOCOL_MISMATCH);
    peer_close(&pair);
}

static void s3_11_malformed_alpn_lists_are_refused(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t out[2048];

    peer_open(&pair, form, NULL);
    for (size_t size = 0; size < sizeof(h2_and_http); size++) { /* every prefix */
        uint8_t *list = malloc(size ? size : 1);
        struct peer_leg leg;

        memcpy(list, h2_and_http, size);
        set_alpn(&pair.client, list, size);
        leg = peer_leg_of(&pair.client, NULL, 0, out, sizeof(out));
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INVALID_TOKEN);
        free(list);
    }
    for (size_t at = 0; at < 11; at++) { /* each length too large */
        uint8_t list[sizeof(h2_and_http)];
        struct peer_leg leg;

        if (at >= 4 && at < 8)
            continue; /* the kind of list */
        memcpy(list, h2_and_http, sizeof(list));
        list[at] = 0xFF;
        set_alpn(&pair.client, list, sizeof(list));
        leg = peer_leg_of(&pair.client, NULL, 0, out, sizeof(out));
        assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INVALID_TOKEN);
    }
    peer_close(&pair);
}

/* ---- handles of the wrong kind ---- */

static void credentials_are_for_one_side(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t out[4096];
    struct peer_leg leg;

    peer_open(&pair, form, NULL);
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    leg = peer_leg_of(&pair.server, pair.server.in.bytes, pair.server.in.len, out, sizeof(out));
    leg.credential = &pair.client.credential;
    assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_NO_CREDENTIALS);
    /* a client's context in a server's call, and the other way round */
    leg.credential = &pair.server.credential;
    leg.context = &pair.client.context;
    assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_INVALID_HANDLE);
    assert_int_equal(peer_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    leg = peer_leg_of(&pair.client, pair.client.in.bytes, pair.client.in.len, out, sizeof(out));
    leg.context = &pair.server.context;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INVALID_HANDLE);
    leg.context = (PCtxtHandle)&pair.client.credential;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INVALID_HANDLE);
    leg.context = &pair.client.context;
    leg.credential = (PCredHandle)&pair.client.context;
    assert_int_equal(peer_leg_run(&pair.client, &leg), SEC_E_INVALID_HANDLE);
    assert_int_equal(peer_handshake(&pair), SEC_E_OK); /* nothing has happened */
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(targets_are_normalised),
        PEER_CASE(sni_carries_names_and_no_addresses),
        PEER_CASE(no_target_needs_a_flag_that_says_so),
        PEER_CASE(another_target_on_a_later_leg_is_refused),
        PEER_CASE(absurd_targets_are_refused),
        PEER_CASE(s3_3_flags_are_granted),
        PEER_CASE(s1_11_impossible_flags_are_refused),
        PEER_CASE(s0_wide_flags_travel_in_a_buffer),
        PEER_CASE(s3_11_alpn_match_and_none),
        PEER_CASE(s3_11_alpn_mismatch_is_told_with_an_alert),
        PEER_CASE(s3_11_malformed_alpn_lists_are_refused),
        PEER_CASE(credentials_are_for_one_side),
    };

    return peer_run_cases("contract.target", cases, sizeof(cases) / sizeof(cases[0]));
}
