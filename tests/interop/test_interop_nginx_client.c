/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Our server behind nginx, which is a TLS client here (proxy_pass https://): requests and answers
 * with bodies, kept connections, resumption, client certificates, what nginx refuses, and a server
 * of ours that goes away. The user of nginx is a plain socket of this test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "interop_http.h"
#include "interop_nginx.h"

static const char *const versions[] = {"TLSv1.2", "TLSv1.3"};
static const DWORD protocols[] = {SP_PROT_TLS1_2_SERVER, SP_PROT_TLS1_3_SERVER};

#define BIG (1u << 20)

struct meeting {
    struct interop_nginx nginx;
    struct interop_wire wire;
    int listener;
    uint16_t port; /* ours */
    int user;      /* the plain socket; -1: none */
};

static void start(struct meeting *meeting, const struct peer_form *form, const char *version,
                  const char *name, const char *authority, const char *more)
{
    char file[512];

    *meeting = (struct meeting){.user = -1};
    meeting->listener = interop_listen(&meeting->port);
    peer_path(authority, ".pem", file, sizeof(file));
    interop_nginx_start(&meeting->nginx, "",
                        "location / {\n"
                        "proxy_pass https://127.0.0.1:%u;\n"
                        "proxy_http_version 1.1;\n"
                        "proxy_ssl_protocols %s;\n"
                        "proxy_ssl_verify on;\n"
                        "proxy_ssl_verify_depth 4;\n"
                        "proxy_ssl_trusted_certificate \"%s\";\n"
                        "proxy_ssl_server_name on;\n"
                        "%s\n}",
                        meeting->port, version, file, more);
    interop_wire_open(&meeting->wire, form, true, &meeting->nginx.process, name);
}

#define NAMED "proxy_ssl_name " PEER_TARGET ";\n"

/* ---- the user of nginx ---- */

static void ask(struct meeting *meeting, const char *method, const void *body, size_t len)
{
    struct interop_wire plain; /* only its socket */
    char head[256];
    int count = snprintf(head, sizeof(head),
                         "%s /path HTTP/1.1\r\nHost: " PEER_TARGET
                         "\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                         method, len);

    interop_wire_init(&plain, PEER_SYNC, false, &meeting->nginx.process);
    interop_wire_connect(&plain, meeting->nginx.port);
    meeting->user = plain.fd;
    peer_push(&plain.net.in, head, (size_t)count);
    peer_push(&plain.net.in, body, len);
    interop_flush(&plain);
    plain.fd = -1;
    interop_wire_free(&plain);
}

/* Everything until the end; the status is the answer's. */
static struct peer_stream hear(struct meeting *meeting, unsigned *ret_status)
{
    struct peer_stream answer = {0};
    ssize_t len = -1;

    while (len != 0) {
        struct pollfd items[3] = {[2] = {.fd = meeting->user, .events = POLLIN}};
        uint8_t bytes[65536];

        interop_poll_prepare(&meeting->nginx.process, items);
        TEST_REQUIRE(poll(items, 3, -1) > 0); /* the watchdog ends it */
        interop_poll_handle(&meeting->nginx.process, items);
        if (!items[2].revents)
            continue;
        len = recv(meeting->user, bytes, sizeof(bytes), 0);
        TEST_REQUIRE(len >= 0);
        peer_push(&answer, bytes, (size_t)len);
    }
    close(meeting->user);
    meeting->user = -1;
    peer_push(&answer, "", 1);
    TEST_REQUIRE_EQUAL(sscanf((const char *)answer.bytes, "HTTP/1.1 %u ", ret_status), 1);
    return answer;
}

static void must_hear(struct meeting *meeting, unsigned status)
{
    unsigned found = 0;
    struct peer_stream answer = hear(meeting, &found);

    TEST_REQUIRE_EQUAL(found, status);
    peer_clear(&answer);
}

static void stop(struct meeting *meeting)
{
    interop_wire_free(&meeting->wire);
    interop_nginx_stop(&meeting->nginx);
    close(meeting->listener);
    if (meeting->user >= 0)
        close(meeting->user);
}

/* nginx comes to us. */
static void arrive(struct meeting *meeting)
{
    meeting->wire.fd = interop_accept(meeting->listener, &meeting->nginx.process);
}

/* Takes nginx's request, answers it, and sees to it that the user gets the answer. */
static void serve(struct meeting *meeting, const void *body, size_t len)
{
    char head[HTTP_HEAD_MAX];
    unsigned status = 0;
    struct peer_stream answer;

    interop_http_head(&meeting->wire, head);
    INTEROP_UNTIL(&meeting->wire, meeting->wire.plain.len >= interop_http_length(head));
    interop_http_answer(&meeting->wire, body, len);
    INTEROP_UNTIL(&meeting->wire, meeting->wire.net.in.len == 0);
    answer = hear(meeting, &status);
    TEST_REQUIRE_EQUAL(status, 200);
    TEST_REQUIRE(answer.len > len);
    TEST_REQUIRE(memcmp(answer.bytes + answer.len - 1 - len, body, len) == 0);
    peer_clear(&answer);
}

/* ---- data ---- */

static void data_with(const struct peer_form *form, const char *name)
{
    char *body = interop_http_body(BIG);

    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, versions[i], name, "ca", NAMED);
        ask(&meeting, "POST", body, BIG);
        arrive(&meeting);
        interop_must_handshake(&meeting.wire);
        TEST_REQUIRE_EQUAL(interop_protocol(&meeting.wire), protocols[i]);
        serve(&meeting, body, BIG);
        stop(&meeting);
    }
    free(body);
}

static void bodies_both_ways_ecdsa(const struct peer_form *form)
{
    data_with(form, "server");
}

static void bodies_both_ways_rsa(const struct peer_form *form)
{
    data_with(form, "server-rsa");
}

/* ---- resumption ---- */

static void connections(const struct peer_form *form, const char *settings, bool resume)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, versions[i], "server", "ca", settings);
        for (int j = 0; j < 3; j++) {
            ask(&meeting, "GET", NULL, 0);
            arrive(&meeting);
            interop_must_handshake(&meeting.wire);
            TEST_REQUIRE_EQUAL(interop_reused(&meeting.wire), resume && j > 0);
            serve(&meeting, "answer", 6);
            INTEROP_UNTIL(&meeting.wire, meeting.wire.finished || meeting.wire.eof);
            TEST_REQUIRE_EQUAL(meeting.wire.failure, SEC_E_OK);
            interop_wire_disconnect(&meeting.wire);
        }
        stop(&meeting);
    }
}

static void nginx_resumes(const struct peer_form *form)
{
    connections(form, NAMED "proxy_ssl_session_reuse on;", true);
}

static void nginx_does_not_resume(const struct peer_form *form)
{
    connections(form, NAMED "proxy_ssl_session_reuse off;", false);
}

/* ---- client certificates ---- */

/* Our server asks for a certificate; name: nginx's, or NULL. */
static void asked_for_certificate(const struct peer_form *form, const char *name)
{
    char settings[1400] = NAMED;

    if (name)
        interop_nginx_certificate(settings + strlen(settings), sizeof(settings) - strlen(settings),
                                  "proxy_ssl", name);
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, versions[i], "server", "ca", settings);
        meeting.wire.end.flags |= ASC_REQ_MUTUAL_AUTH;
        ask(&meeting, "GET", NULL, 0);
        arrive(&meeting);
        interop_must_handshake(&meeting.wire);
        TEST_REQUIRE_EQUAL(!!(meeting.wire.end.attributes & ASC_RET_MUTUAL_AUTH), name != NULL);
        if (name)
            interop_require_peer_certificate(&meeting.wire, name);
        serve(&meeting, "answer", 6);
        stop(&meeting);
    }
}

static void client_certificate(const struct peer_form *form)
{
    asked_for_certificate(form, "client");
}

static void no_client_certificate_is_no_mutual_authentication(const struct peer_form *form)
{
    asked_for_certificate(form, NULL);
}

static void untrusted_client_certificate_is_refused(const struct peer_form *form)
{
    char settings[1400] = NAMED;

    interop_nginx_certificate(settings + strlen(settings), sizeof(settings) - strlen(settings),
                              "proxy_ssl", "selfsigned");
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, versions[i], "server", "ca", settings);
        meeting.wire.end.flags |= ASC_REQ_MUTUAL_AUTH;
        ask(&meeting, "GET", NULL, 0);
        arrive(&meeting);
        interop_must_refuse(&meeting.wire, SEC_E_UNTRUSTED_ROOT, "SSL alert number 48");
        interop_wire_disconnect(&meeting.wire);
        must_hear(&meeting, 502);
        stop(&meeting);
    }
}

/* ---- what nginx refuses ---- */

/* nginx looks at the certificate when the handshake is over: we get the end of the connection
 * instead of a request, and its user a 502. */
static void refused_by_nginx(const struct peer_form *form, const char *name, const char *authority,
                             const char *settings, const char *says)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, versions[i], name, authority, settings);
        ask(&meeting, "GET", NULL, 0);
        arrive(&meeting);
        (void)interop_handshake(&meeting.wire);
        INTEROP_UNTIL(&meeting.wire, meeting.wire.finished || meeting.wire.eof ||
                                         meeting.wire.failure != SEC_E_OK);
        TEST_REQUIRE_EQUAL(meeting.wire.plain.len, 0);
        interop_wire_await(&meeting.wire, says);
        interop_wire_disconnect(&meeting.wire);
        must_hear(&meeting, 502);
        stop(&meeting);
    }
}

static void another_authority(const struct peer_form *form)
{
    refused_by_nginx(form, "server", "otherca", NAMED, "certificate verify error");
}

static void another_name(const struct peer_form *form)
{
    refused_by_nginx(form, "server", "ca", "proxy_ssl_name elsewhere.test;",
                     "does not match \"elsewhere.test\"");
}

static void expired(const struct peer_form *form)
{
    refused_by_nginx(form, "expired", "ca", NAMED, "certificate has expired");
}

/* ---- a server that goes away ---- */

static void we_close_in_the_handshake(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, form, versions[i], "server", "ca", NAMED);
        ask(&meeting, "GET", NULL, 0);
        arrive(&meeting);
        INTEROP_UNTIL(&meeting.wire, meeting.wire.net.in.len > 0); /* our answer, never sent */
        interop_wire_disconnect(&meeting.wire);
        must_hear(&meeting, 502);
        stop(&meeting);
    }
}

static void we_close_instead_of_an_answer(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        char head[HTTP_HEAD_MAX];
        struct meeting meeting;

        start(&meeting, form, versions[i], "server", "ca", NAMED);
        ask(&meeting, "GET", NULL, 0);
        arrive(&meeting);
        interop_must_handshake(&meeting.wire);
        interop_http_head(&meeting.wire, head);
        interop_finish(&meeting.wire);
        interop_wire_disconnect(&meeting.wire);
        must_hear(&meeting, 502);
        stop(&meeting);
    }
}

static const struct peer_case cases[] = {
    PEER_CASE(bodies_both_ways_ecdsa),
    PEER_CASE(bodies_both_ways_rsa),
    PEER_CASE(nginx_resumes),
    PEER_CASE(nginx_does_not_resume),
    PEER_CASE(client_certificate),
    PEER_CASE(no_client_certificate_is_no_mutual_authentication),
    PEER_CASE(untrusted_client_certificate_is_refused),
    PEER_CASE(another_authority),
    PEER_CASE(another_name),
    PEER_CASE(expired),
    PEER_CASE(we_close_in_the_handshake),
    PEER_CASE(we_close_instead_of_an_answer),
};

int main(void)
{
    return interop_run_cases("nginx", "interop.nginx_client", cases,
                             sizeof(cases) / sizeof(cases[0]));
}
