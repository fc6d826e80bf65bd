/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Our client against nginx: files both ways on one connection, resumption by tickets and by the
 * server's cache, ALPN, client certificates, servers that we refuse, and the end. What nginx knows
 * of the connection it tells itself, in its answers to /facts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interop_http.h"
#include "interop_nginx.h"

static const char *const versions[] = {"TLSv1.2", "TLSv1.3"};
static const DWORD protocols[] = {SP_PROT_TLS1_2_CLIENT, SP_PROT_TLS1_3_CLIENT};

#define BIG (1u << 20)

struct meeting {
    struct interop_nginx nginx;
    struct interop_wire wire;
};

/* A server of one version that shows this certificate; more: further settings. */
static void start(struct meeting *meeting, const char *version, const char *name, const char *more)
{
    char certificate[1200];

    interop_nginx_start(
        &meeting->nginx, "ssl",
        "ssl_protocols %s;\n%s%s\n"
        "location / { dav_methods PUT; }\n"
        "location = /facts { return 200 \"$ssl_protocol reused=$ssl_session_reused"
        " client=$ssl_client_verify,$ssl_client_s_dn\"; }",
        version, interop_nginx_certificate(certificate, sizeof(certificate), "ssl", name), more);
}

static void arm(struct meeting *meeting, const struct peer_form *form, const char *certificate)
{
    interop_wire_open(&meeting->wire, form, false, &meeting->nginx.process, certificate);
}

static void meet(struct meeting *meeting)
{
    interop_wire_connect(&meeting->wire, meeting->nginx.port);
    interop_must_handshake(&meeting->wire);
}

static void stop(struct meeting *meeting)
{
    interop_wire_free(&meeting->wire);
    interop_nginx_stop(&meeting->nginx);
}

static void require_facts(struct meeting *meeting, const char *expected)
{
    char facts[512];

    interop_http_get(&meeting->wire, "/facts", 200, facts, sizeof(facts));
    if (!strstr(facts, expected))
        fprintf(stderr, "the facts are: %s\n", facts);
    TEST_REQUIRE(strstr(facts, expected) != NULL);
}

/* ---- data ---- */

/* To the server and back again, all on the one connection. */
static void put_and_get(struct interop_wire *wire, size_t len)
{
    char *body = interop_http_body(len), *back = malloc(len + 1);

    TEST_REQUIRE(back != NULL);
    interop_http_put(wire, "/file", body, len);
    TEST_REQUIRE_EQUAL(interop_http_get(wire, "/file", 200, back, len + 1), len);
    TEST_REQUIRE(memcmp(body, back, len) == 0);
    free(body);
    free(back);
}

static void data_with(const struct peer_form *form, const char *name)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, versions[i], name, "");
        arm(&meeting, form, NULL);
        meet(&meeting);
        TEST_REQUIRE_EQUAL(interop_protocol(&meeting.wire), protocols[i]);
        interop_require_peer_certificate(&meeting.wire, name);
        require_facts(&meeting, versions[i]);
        put_and_get(&meeting.wire, 1);
        put_and_get(&meeting.wire, 16384);
        put_and_get(&meeting.wire, BIG);
        stop(&meeting);
    }
}

static void data_both_ways_ecdsa(const struct peer_form *form)
{
    data_with(form, "server");
}

static void data_both_ways_rsa(const struct peer_form *form)
{
    data_with(form, "server-rsa");
}

/* ---- the end ---- */

static void nginx_closes_after_the_answer(const struct peer_form *form)
{
    static const char request[] = "GET /facts HTTP/1.0\r\n\r\n";

    for (int i = 0; i < 2; i++) {
        char head[HTTP_HEAD_MAX];
        struct meeting meeting;

        start(&meeting, versions[i], "server", "");
        arm(&meeting, form, NULL);
        meet(&meeting);
        interop_send(&meeting.wire, request, strlen(request), 16384);
        interop_http_head(&meeting.wire, head);
        INTEROP_UNTIL(&meeting.wire, meeting.wire.finished || meeting.wire.eof);
        TEST_REQUIRE(meeting.wire.finished);
        TEST_REQUIRE_EQUAL(meeting.wire.failure, SEC_E_OK);
        TEST_REQUIRE_EQUAL(meeting.wire.plain.len, interop_http_length(head));
        stop(&meeting);
    }
}

static void nginx_dies_in_the_answer(const struct peer_form *form)
{
    static const char request[] = "GET /file HTTP/1.1\r\nHost: " PEER_TARGET "\r\n\r\n";
    char *body = interop_http_body(4 * BIG);
    struct meeting meeting;

    start(&meeting, versions[1], "server", "");
    arm(&meeting, form, NULL);
    meet(&meeting);
    interop_http_put(&meeting.wire, "/file", body, 4 * BIG);
    free(body);
    meeting.wire.read_max = 1000;
    interop_send(&meeting.wire, request, strlen(request), 16384);
    INTEROP_UNTIL(&meeting.wire, meeting.wire.plain.len > 0);
    interop_stop(&meeting.nginx.process);
    meeting.wire.read_max = 0;
    INTEROP_UNTIL(&meeting.wire, meeting.wire.eof);
    TEST_REQUIRE(!meeting.wire.finished);
    TEST_REQUIRE_EQUAL(meeting.wire.failure, SEC_E_OK);
    stop(&meeting);
}

/* ---- what is agreed on ---- */

static void resumption(const struct peer_form *form, const char *version, const char *settings)
{
    struct meeting meeting;

    start(&meeting, version, "server", settings);
    arm(&meeting, form, NULL);
    for (int i = 0; i < 3; i++) {
        meet(&meeting);
        TEST_REQUIRE_EQUAL(interop_reused(&meeting.wire), i > 0);
        interop_require_peer_certificate(&meeting.wire, "server");
        require_facts(&meeting, i > 0 ? "reused=r" : "reused=. ");
        interop_finish(&meeting.wire);
        interop_wire_disconnect(&meeting.wire);
    }
    stop(&meeting);
}

static void second_connection_resumes(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        resumption(form, versions[i], "ssl_session_tickets on;");
        resumption(form, versions[i], "ssl_session_tickets off; ssl_session_cache shared:s:1m;");
    }
}

static void alpn_is_agreed(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        struct interop_alpn alpn;
        struct meeting meeting;

        start(&meeting, versions[i], "server", "");
        arm(&meeting, form, NULL);
        interop_offer(&meeting.wire, &alpn, "\x08http/1.1");
        meet(&meeting);
        interop_require_alpn(&meeting.wire, "http/1.1");
        require_facts(&meeting, versions[i]);
        stop(&meeting);
    }
}

static void no_common_alpn_ends_the_handshake(const struct peer_form *form)
{
    struct interop_alpn alpn;
    struct meeting meeting;

    start(&meeting, versions[1], "server", "");
    arm(&meeting, form, NULL);
    interop_offer(&meeting.wire, &alpn, "\x04smtp");
    interop_wire_connect(&meeting.wire, meeting.nginx.port);
    TEST_REQUIRE_EQUAL(interop_handshake(&meeting.wire), SEC_E_APPLICATION_PROTOCOL_MISMATCH);
    stop(&meeting);
}

/* ---- client certificates ---- */

static void start_mutual(struct meeting *meeting, const char *version, const char *verify)
{
    char authority[512], settings[700];

    peer_path("ca", ".pem", authority, sizeof(authority));
    snprintf(settings, sizeof(settings), "ssl_verify_client %s;\nssl_client_certificate \"%s\";\n",
             verify, authority);
    start(meeting, version, "server", settings);
}

static void client_certificate(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start_mutual(&meeting, versions[i], "on");
        arm(&meeting, form, "client");
        meet(&meeting);
        require_facts(&meeting, "client=SUCCESS,CN=client.test");
        stop(&meeting);
    }
}

/* Asked, told whom the server believes; with an answer, and without one where it may be so. */
static void asked_and_told(const struct peer_form *form, const char *verify, const char *name,
                           const char *facts)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start_mutual(&meeting, versions[i], verify);
        arm(&meeting, form, NULL);
        meeting.wire.answer = name;
        meet(&meeting);
        interop_require_told(&meeting.wire, "ca");
        require_facts(&meeting, facts);
        stop(&meeting);
    }
}

static void a_certificate_that_comes_when_it_is_asked_for(const struct peer_form *form)
{
    asked_and_told(form, "on", "client", "client=SUCCESS,CN=client.test");
}

static void no_client_certificate_where_it_is_optional(const struct peer_form *form)
{
    asked_and_told(form, "optional", NULL, "client=NONE");
}

/* nginx ends such handshakes well, and says in HTTP what it holds of them. */
static void refused_by_nginx(const struct peer_form *form, const char *certificate,
                             const char *says)
{
    for (int i = 0; i < 2; i++) {
        char body[1024];
        struct meeting meeting;

        start_mutual(&meeting, versions[i], "on");
        arm(&meeting, form, certificate);
        meet(&meeting);
        interop_http_get(&meeting.wire, "/facts", 400, body, sizeof(body));
        TEST_REQUIRE(strstr(body, says) != NULL);
        stop(&meeting);
    }
}

static void no_client_certificate_is_refused(const struct peer_form *form)
{
    refused_by_nginx(form, NULL, "No required SSL certificate was sent");
}

static void untrusted_client_certificate_is_refused(const struct peer_form *form)
{
    refused_by_nginx(form, "selfsigned", "The SSL certificate error");
}

/* ---- servers that we refuse ---- */

static void refuse_server(const struct peer_form *form, const char *name, const char *target,
                          SECURITY_STATUS expected, const char *alert)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, versions[i], name, "");
        arm(&meeting, form, NULL);
        meeting.wire.end.target = target;
        interop_wire_connect(&meeting.wire, meeting.nginx.port);
        interop_must_refuse(&meeting.wire, expected, alert);
        stop(&meeting);
    }
}

static void unknown_authority(const struct peer_form *form)
{
    refuse_server(form, "other-server", "localhost", SEC_E_UNTRUSTED_ROOT, "SSL alert number 48");
}

static void wrong_name(const struct peer_form *form)
{
    refuse_server(form, "wrongname", "localhost", SEC_E_WRONG_PRINCIPAL, "SSL alert number 42");
}

static const struct peer_case cases[] = {
    PEER_CASE(data_both_ways_ecdsa),
    PEER_CASE(data_both_ways_rsa),
    PEER_CASE(nginx_closes_after_the_answer),
    PEER_CASE(nginx_dies_in_the_answer),
    PEER_CASE(second_connection_resumes),
    PEER_CASE(alpn_is_agreed),
    PEER_CASE(no_common_alpn_ends_the_handshake),
    PEER_CASE(client_certificate),
    PEER_CASE(a_certificate_that_comes_when_it_is_asked_for),
    PEER_CASE(no_client_certificate_where_it_is_optional),
    PEER_CASE(no_client_certificate_is_refused),
    PEER_CASE(untrusted_client_certificate_is_refused),
    PEER_CASE(unknown_authority),
    PEER_CASE(wrong_name),
};

int main(void)
{
    return interop_run_cases("nginx", "interop.nginx_server", cases,
                             sizeof(cases) / sizeof(cases[0]));
}
