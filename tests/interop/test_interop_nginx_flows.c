/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Flows beside the plain handshake with nginx: sessions by ticket and by id, tokens that forbid
 * them, early data with what becomes of it, KeyUpdates, and wishes to renegotiate, all of our
 * client; then sessions and KeyUpdates of our server, with nginx as the client. What nginx holds of
 * a connection it says in its answers to /facts.
 *
 * nginx has no pre-shared keys, no authentication after the handshake and no DTLS, never begins to
 * renegotiate and sends no KeyUpdate of its own accord: those are in interop.keys, interop.later,
 * interop.dtls and interop.client, with other peers.
 */
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "interop_http.h"
#include "interop_nginx.h"
#include "support/tls_later.h"

#define BY_TICKET "ssl_session_tickets on; ssl_session_cache none;\n"
#define BY_ID     "ssl_session_tickets off; ssl_session_cache shared:s:1m;\n"
#define ID_TEXT   (2 * 32 + 1)
#define ASK_FACTS "GET /facts HTTP/1.1\r\nHost: " PEER_TARGET "\r\n\r\n"

static const DWORD clients[] = {SP_PROT_TLS1_2_CLIENT, SP_PROT_TLS1_3_CLIENT};
static const DWORD servers[] = {SP_PROT_TLS1_2_SERVER, SP_PROT_TLS1_3_SERVER};

struct meeting {
    struct interop_nginx nginx;
    struct interop_wire wire;
    int listener; /* where nginx comes to us; -1: we go to it */
};

/* ---- our client's side ---- */

static void start(struct meeting *meeting, const char *settings)
{
    char certificate[1200];

    meeting->listener = -1;
    interop_nginx_start(
        &meeting->nginx, "ssl",
        "ssl_protocols TLSv1.2 TLSv1.3;\n%s%s\n"
        "location / { dav_methods PUT; }\n"
        "location = /id { return 200 \"$ssl_session_id\"; }\n"
        "location = /facts { return 200 \"reused=$ssl_session_reused early=$ssl_early_data"
        " request=$connection_requests\"; }",
        interop_nginx_certificate(certificate, sizeof(certificate), "ssl", "server"), settings);
}

/* options: OSSPI_TLS_ bits. */
static void arm(struct meeting *meeting, const struct peer_form *form, DWORD protocol,
                ULONG options)
{
    interop_wire_init(&meeting->wire, form, false, &meeting->nginx.process);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&meeting->wire.end, protocol, 0, NULL, false), SEC_E_OK);
    TEST_REQUIRE_EQUAL(later_allow(&meeting->wire.end, options, 0), SEC_E_OK);
}

static void meet(struct meeting *meeting)
{
    interop_wire_connect(&meeting->wire, meeting->nginx.port);
    interop_must_handshake(&meeting->wire);
}

static void part(struct meeting *meeting)
{
    interop_finish(&meeting->wire);
    interop_wire_disconnect(&meeting->wire);
}

static void stop(struct meeting *meeting)
{
    interop_nginx_stop(&meeting->nginx);
    if (meeting->listener >= 0)
        close(meeting->listener);
}

/* The answer to a request for the facts, which is the so-manieth of its connection. */
static void expect_facts(struct meeting *meeting, bool reused, bool early, unsigned request)
{
    struct interop_wire *wire = &meeting->wire;
    char head[HTTP_HEAD_MAX], facts[64];
    const int len = snprintf(facts, sizeof(facts), "reused=%s early=%s request=%u",
                             reused ? "r" : ".", early ? "1" : "", request);

    interop_http_head(wire, head);
    TEST_REQUIRE(strncmp(head, "HTTP/1.1 200 ", 13) == 0);
    INTEROP_UNTIL(wire, wire->plain.len >= interop_http_length(head) || wire->eof);
    if (wire->plain.len != (size_t)len || memcmp(wire->plain.bytes, facts, wire->plain.len) != 0)
        fprintf(stderr, "the facts are: %.*s\n", (int)wire->plain.len, (char *)wire->plain.bytes);
    interop_expect(wire, facts, (size_t)len);
    TEST_REQUIRE_EQUAL(wire->plain.len, 0);
}

static void ask_facts(struct meeting *meeting, bool reused, unsigned request)
{
    interop_send(&meeting->wire, ASK_FACTS, strlen(ASK_FACTS), 16384);
    expect_facts(meeting, reused, false, request);
}

/* ---- sessions ---- */

static void tell_session(struct interop_wire *wire, DWORD flags)
{
    const SCHANNEL_SESSION_TOKEN token = {SCHANNEL_SESSION, flags};

    TEST_REQUIRE_EQUAL(peer_control(&wire->end, &token, sizeof(token)), SEC_E_OK);
}

/* A whole connection, which both sides must take for a resumed one, or neither. */
static void visit(struct meeting *meeting, bool reused, DWORD token)
{
    meet(meeting);
    TEST_REQUIRE_EQUAL(interop_reused(&meeting->wire), reused);
    if (token != 0)
        tell_session(&meeting->wire, token);
    interop_require_peer_certificate(&meeting->wire, "server");
    ask_facts(meeting, reused, 1);
    part(meeting);
}

static void sessions_come_and_go(struct meeting *meeting)
{
    visit(meeting, false, 0);
    visit(meeting, true, 0);
    TEST_REQUIRE(SslEmptyCacheA((LPSTR) "other.test", 0));
    visit(meeting, true, 0);
    TEST_REQUIRE(SslEmptyCacheA((LPSTR)PEER_TARGET, 0));
    visit(meeting, false, 0);
    visit(meeting, true, SSL_SESSION_DISABLE_RECONNECTS);
    visit(meeting, false, SSL_SESSION_DISABLE_RECONNECTS);
    visit(meeting, false, SSL_SESSION_ENABLE_RECONNECTS);
    visit(meeting, true, 0);
    TEST_REQUIRE(SslEmptyCacheA(NULL, 0));
    visit(meeting, false, 0);
}

static void id_of_ours(struct interop_wire *wire, char text[ID_TEXT])
{
    SecPkgContext_SessionInfo info;

    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&wire->end.context, SECPKG_ATTR_SESSION_INFO, &info),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(info.cbSessionId, 32);
    for (size_t i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", info.rgbSessionId[i]);
}

/* In TLS 1.2 the id that goes on is the same, and both sides tell it. */
static void both_sides_tell_the_id(struct meeting *meeting)
{
    char first[ID_TEXT] = "";

    for (int i = 0; i < 3; i++) {
        char theirs[ID_TEXT], ours[ID_TEXT];

        meet(meeting);
        id_of_ours(&meeting->wire, ours);
        TEST_REQUIRE_EQUAL(interop_http_get(&meeting->wire, "/id", 200, theirs, ID_TEXT), 64);
        TEST_REQUIRE(strcmp(ours, theirs) == 0);
        TEST_REQUIRE(i == 0 || strcmp(ours, first) == 0);
        memcpy(first, ours, sizeof(first));
        part(meeting);
    }
}

static void s3_8_sessions_of_nginx_resume(const struct peer_form *form)
{
    static const char *const settings[] = {BY_TICKET, BY_ID};

    for (size_t i = 0; i < 2; i++) {
        struct meeting meeting;

        start(&meeting, settings[i]);
        for (size_t version = 0; version < 2; version++) {
            arm(&meeting, form, clients[version], 0);
            sessions_come_and_go(&meeting);
            if (i == 1 && version == 0)
                both_sides_tell_the_id(&meeting);
            interop_wire_free(&meeting.wire);
        }
        stop(&meeting);
    }
}

/* What shows that those above were by ticket, and by id: without both nothing resumes. */
static void nothing_resumes_where_nginx_keeps_nothing(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, "ssl_session_tickets off; ssl_session_cache off;\n");
    for (size_t version = 0; version < 2; version++) {
        arm(&meeting, form, clients[version], 0);
        for (int i = 0; i < 2; i++)
            visit(&meeting, false, 0);
        interop_wire_free(&meeting.wire);
    }
    stop(&meeting);
}

/* ---- early data ---- */

static ULONG fate(struct meeting *meeting)
{
    OsspiEarlyData early;

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&meeting->wire.end.context, OSSPI_ATTR_EARLY_DATA, &early),
        SEC_E_OK);
    TEST_REQUIRE(early.cbData == 0 && !early.pvData);
    return early.status;
}

/* A first leg with a request for the facts; what it gives waits in the wire. */
static void greet(struct meeting *meeting)
{
    static char request[] = ASK_FACTS;
    static const SecBuffer data = {sizeof(request) - 1, SECBUFFER_DATA, request};

    meeting->wire.end.more = &data;
    meeting->wire.end.more_count = 1;
    interop_wire_connect(&meeting->wire, meeting->nginx.port);
    TEST_REQUIRE_EQUAL(peer_step(&meeting->wire.end, &meeting->wire.net), SEC_I_CONTINUE_NEEDED);
}

/* Goes on up to the client's last flight, which is not sent. */
static struct peer_stream all_but_last_flight(struct meeting *meeting)
{
    struct interop_wire *wire = &meeting->wire;
    struct peer_stream last;

    interop_flush(wire);
    INTEROP_UNTIL(wire, wire->established || wire->failure != SEC_E_OK || wire->eof);
    TEST_REQUIRE(wire->established && wire->failure == SEC_E_OK);
    last = wire->net.in;
    wire->net.in = (struct peer_stream){0};
    return last;
}

static void send_last_flight(struct meeting *meeting, struct peer_stream *last)
{
    TEST_REQUIRE(last->len > 0);
    peer_push(&meeting->wire.net.in, last->bytes, last->len);
    peer_clear(last);
    interop_flush(&meeting->wire);
}

/* The answer comes although our Finished has not gone out. Data go on both ways behind it. */
static void must_be_accepted(struct meeting *meeting)
{
    struct peer_stream last = all_but_last_flight(meeting);

    TEST_REQUIRE(interop_reused(&meeting->wire));
    TEST_REQUIRE_EQUAL(fate(meeting), OSSPI_EARLY_DATA_ACCEPTED);
    expect_facts(meeting, true, true, 1);
    send_last_flight(meeting, &last);
    ask_facts(meeting, true, 2);
    TEST_REQUIRE_EQUAL(fate(meeting), OSSPI_EARLY_DATA_ACCEPTED);
    part(meeting);
}

/* What was not taken goes again, and is the first request that nginx sees. */
static void must_go_again(struct meeting *meeting, ULONG expected, bool reused)
{
    struct peer_stream last = all_but_last_flight(meeting);

    TEST_REQUIRE_EQUAL(interop_reused(&meeting->wire), reused);
    TEST_REQUIRE_EQUAL(fate(meeting), expected);
    send_last_flight(meeting, &last);
    ask_facts(meeting, reused, 1);
    ask_facts(meeting, reused, 2);
    part(meeting);
}

static void first_visit(struct meeting *meeting)
{
    greet(meeting);
    must_go_again(meeting, OSSPI_EARLY_DATA_NOT_SENT, false);
}

static ssize_t hear_some(struct meeting *meeting, int fd, void *bytes, size_t size)
{
    struct pollfd items[3];

    do {
        interop_poll_prepare(&meeting->nginx.process, items);
        items[2] = (struct pollfd){.fd = fd, .events = POLLIN};
        TEST_REQUIRE(poll(items, 3, -1) > 0); /* the watchdog ends it */
        interop_poll_handle(&meeting->nginx.process, items);
    } while (!items[2].revents);
    return recv(fd, bytes, size, 0);
}

/* Somebody who has seen our first flight, which has not arrived yet, sends it before. */
static void somebody_is_faster(struct meeting *meeting)
{
    struct interop_wire somebody; /* only its socket */
    uint8_t first = 0;

    interop_wire_init(&somebody, PEER_SYNC, false, NULL);
    interop_wire_connect(&somebody, meeting->nginx.port);
    peer_push(&somebody.net.in, meeting->wire.net.in.bytes, meeting->wire.net.in.len);
    interop_flush(&somebody);
    TEST_REQUIRE_EQUAL(hear_some(meeting, somebody.fd, &first, 1), 1);
    TEST_REQUIRE_EQUAL(first, 22); /* a ServerHello */
    interop_wire_free(&somebody);
}

/* The second nginx of the name does not know the first one's tickets. */
static void s3_6_nginx_takes_early_data(const struct peer_form *form)
{
    static const char *const settings[] = {"ssl_early_data on;\n" BY_TICKET,
                                           "ssl_early_data on;\n" BY_ID};
    struct meeting meeting;

    arm(&meeting, form, 0, OSSPI_TLS_EARLY_DATA);
    for (size_t i = 0; i < 2; i++) {
        start(&meeting, settings[i]);
        greet(&meeting);
        must_go_again(&meeting, i == 0 ? OSSPI_EARLY_DATA_NOT_SENT : OSSPI_EARLY_DATA_REJECTED,
                      false);
        for (int k = 0; k < 3; k++) {
            greet(&meeting);
            TEST_REQUIRE_EQUAL(fate(&meeting), OSSPI_EARLY_DATA_SENT);
            /* nginx turns off what OpenSSL has against that. */
            if (k == 1)
                somebody_is_faster(&meeting);
            must_be_accepted(&meeting);
        }
        stop(&meeting);
    }
    interop_wire_free(&meeting.wire);
}

/* Its tickets do not permit any: nothing is sent early. */
static void early_data_that_nginx_does_not_want(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, "ssl_early_data off;\n");
    arm(&meeting, form, 0, OSSPI_TLS_EARLY_DATA);
    first_visit(&meeting);
    greet(&meeting);
    must_go_again(&meeting, OSSPI_EARLY_DATA_NOT_SENT, true);
    interop_wire_free(&meeting.wire);
    stop(&meeting);
}

static void s3_6_a_replayed_first_flight_goes_again(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, "ssl_early_data on;\n"
                    "ssl_session_cache builtin:100;\n"
                    "ssl_conf_command Options AntiReplay;\n");
    arm(&meeting, form, 0, OSSPI_TLS_EARLY_DATA);
    first_visit(&meeting);
    for (int i = 0; i < 4; i++) {
        greet(&meeting);
        if (i % 2 == 0) {
            must_be_accepted(&meeting);
            continue;
        }
        somebody_is_faster(&meeting);
        must_go_again(&meeting, OSSPI_EARLY_DATA_REJECTED, false);
    }
    interop_wire_free(&meeting.wire);
    stop(&meeting);
}

/* nginx wants another key share. */
static void s3_6_refused_by_a_hello_retry_request(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, "ssl_early_data on;\nssl_ecdh_curve secp384r1;\n");
    arm(&meeting, form, 0, OSSPI_TLS_EARLY_DATA);
    first_visit(&meeting);
    for (int i = 0; i < 2; i++) {
        greet(&meeting);
        must_go_again(&meeting, OSSPI_EARLY_DATA_REJECTED, true);
    }
    interop_wire_free(&meeting.wire);
    stop(&meeting);
}

/* ---- KeyUpdate ---- */

static void update(struct interop_wire *wire, DWORD flags)
{
    const OsspiKeyUpdateToken token = {OSSPI_SCHANNEL_KEY_UPDATE, flags};
    const size_t before = wire->net.in.len;

    TEST_REQUIRE_EQUAL(peer_control(&wire->end, &token, sizeof(token)), SEC_E_OK);
    TEST_REQUIRE_EQUAL(later_leg(&wire->end, &wire->net), SEC_E_OK);
    TEST_REQUIRE(wire->net.in.len > before);
}

/* A file to nginx, with updates between its parts, and back. */
static void put_with_updates(struct interop_wire *wire)
{
    enum { PARTS = 10, PART = 20000 };
    char *body = interop_http_body(PARTS * PART), *back = malloc(PARTS * PART + 1);
    char head[HTTP_HEAD_MAX];
    int len = snprintf(head, sizeof(head),
                       "PUT /file HTTP/1.1\r\nHost: " PEER_TARGET "\r\nContent-Length: %d\r\n\r\n",
                       PARTS * PART);

    TEST_REQUIRE(back != NULL);
    interop_send(wire, head, (size_t)len, 16384);
    for (size_t i = 0; i < PARTS; i++) {
        update(wire, i % 2 ? OSSPI_KEY_UPDATE_REQUEST : 0);
        interop_send(wire, body + i * PART, PART, 16384);
    }
    interop_http_head(wire, head);
    TEST_REQUIRE(strncmp(head, "HTTP/1.1 201 ", 13) == 0);
    TEST_REQUIRE(wire->legs > 0);
    TEST_REQUIRE_EQUAL(interop_http_get(wire, "/file", 200, back, PARTS * PART + 1), PARTS * PART);
    TEST_REQUIRE(memcmp(body, back, PARTS * PART) == 0);
    free(body);
    free(back);
}

static void tls12_has_none(struct meeting *meeting, const struct peer_form *form)
{
    const OsspiKeyUpdateToken token = {OSSPI_SCHANNEL_KEY_UPDATE, OSSPI_KEY_UPDATE_REQUEST};

    arm(meeting, form, clients[0], 0);
    meet(meeting);
    TEST_REQUIRE_EQUAL(peer_control(&meeting->wire.end, &token, sizeof(token)),
                       SEC_E_UNSUPPORTED_FUNCTION);
    ask_facts(meeting, false, 1);
    interop_wire_free(&meeting->wire);
}

static void s2_11_keys_change_towards_nginx(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, BY_TICKET);
    tls12_has_none(&meeting, form);
    arm(&meeting, form, clients[1], 0);
    meet(&meeting);
    ask_facts(&meeting, false, 1);
    for (unsigned i = 0; i < 6; i++) {
        const bool request = i % 2;

        meeting.wire.legs = 0;
        update(&meeting.wire, request ? OSSPI_KEY_UPDATE_REQUEST : 0);
        ask_facts(&meeting, false, 2 + i);
        /* nginx's KeyUpdate stands in front of its answer. */
        TEST_REQUIRE_EQUAL(meeting.wire.legs, request);
    }
    meeting.wire.legs = 0;
    put_with_updates(&meeting.wire);
    part(&meeting);
    interop_wire_free(&meeting.wire);
    stop(&meeting);
}

/* ---- renegotiation ---- */

/* nginx answers with an alert that is a warning, and all goes on. */
static void must_be_declined(struct interop_wire *wire)
{
    TEST_REQUIRE_EQUAL(later_leg(&wire->end, &wire->net), SEC_I_CONTINUE_NEEDED);
    TEST_REQUIRE(wire->net.in.len > 0);
    INTEROP_UNTIL(wire, wire->declined || wire->failure != SEC_E_OK || wire->eof);
    TEST_REQUIRE(wire->declined && wire->failure == SEC_E_OK);
}

/* Nothing is sent. */
static void must_not_begin(struct interop_wire *wire, SECURITY_STATUS expected)
{
    TEST_REQUIRE_EQUAL(later_leg(&wire->end, &wire->net), expected);
    TEST_REQUIRE_EQUAL(wire->net.in.len, 0);
}

static void visit_tls12(struct meeting *meeting, const struct peer_form *form)
{
    arm(meeting, form, clients[0], OSSPI_TLS_RENEGOTIATION);
    meet(meeting);
    ask_facts(meeting, false, 1);
    /* With a request and its answer under way. */
    interop_send(&meeting->wire, ASK_FACTS, strlen(ASK_FACTS), 16384);
    must_be_declined(&meeting->wire);
    expect_facts(meeting, false, false, 2);
    must_not_begin(&meeting->wire, SEC_E_UNSUPPORTED_FUNCTION); /* once is all */
    interop_require_peer_certificate(&meeting->wire, "server");
    ask_facts(meeting, false, 3);
    part(meeting);
    /* The connection is idle. */
    meet(meeting);
    ask_facts(meeting, true, 1);
    must_be_declined(&meeting->wire);
    ask_facts(meeting, true, 2);
    part(meeting);
    interop_wire_free(&meeting->wire);
}

static void s3_8_nginx_declines_to_renegotiate(const struct peer_form *form)
{
    struct meeting meeting;

    start(&meeting, BY_TICKET);
    visit_tls12(&meeting, form);
    for (int i = 0; i < 2; i++) { /* not allowed; not there in TLS 1.3 */
        arm(&meeting, form, clients[i], i == 0 ? 0 : OSSPI_TLS_RENEGOTIATION);
        meet(&meeting);
        ask_facts(&meeting, false, 1);
        must_not_begin(&meeting.wire, SEC_E_OK);
        ask_facts(&meeting, false, 2);
        part(&meeting);
        interop_wire_free(&meeting.wire);
    }
    stop(&meeting);
}

/* ---- our server's side ---- */

static void start_proxy(struct meeting *meeting, const struct peer_form *form, DWORD protocol,
                        const char *settings)
{
    uint16_t port;

    meeting->listener = interop_listen(&port);
    interop_nginx_start_proxy(&meeting->nginx, port, settings, PEER_TARGET);
    interop_wire_init(&meeting->wire, form, true, &meeting->nginx.process);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&meeting->wire.end, protocol, 0, "server", false),
                       SEC_E_OK);
}

/* All that nginx gives its user is our answer. */
static void hear_answer(struct meeting *meeting, const struct interop_wire *user)
{
    struct peer_stream heard = {0};
    char bytes[4096];
    ssize_t len;

    while ((len = hear_some(meeting, user->fd, bytes, sizeof(bytes))) > 0)
        peer_push(&heard, bytes, (size_t)len);
    TEST_REQUIRE_EQUAL(len, 0);
    TEST_REQUIRE(heard.len > 6 && memcmp(heard.bytes, "HTTP/1.1 200 ", 13) == 0);
    TEST_REQUIRE(memcmp(heard.bytes + heard.len - 6, "answer", 6) == 0);
    peer_clear(&heard);
}

/* nginx comes with a request of its user; meanwhile: what is done while it waits, or NULL. */
static void nginx_visits(struct meeting *meeting, bool reused,
                         void (*meanwhile)(struct interop_wire *wire))
{
    struct interop_wire user, *wire = &meeting->wire;

    interop_nginx_ask(&meeting->nginx, &user);
    wire->fd = interop_accept(meeting->listener, &meeting->nginx.process);
    interop_nginx_must_believe(wire);
    TEST_REQUIRE_EQUAL(interop_reused(wire), reused);
    if (meanwhile)
        meanwhile(wire);
    interop_http_answer(wire, "answer", 6);
    interop_finish(wire);
    hear_answer(meeting, &user);
    interop_wire_free(&user);
    interop_wire_disconnect(wire);
}

static void forbid_session(struct interop_wire *wire)
{
    tell_session(wire, SSL_SESSION_DISABLE_RECONNECTS);
}

static void update_thrice(struct interop_wire *wire)
{
    update(wire, 0);
    update(wire, OSSPI_KEY_UPDATE_REQUEST);
    update(wire, OSSPI_KEY_UPDATE_REQUEST);
}

/* Tickets are nobody's but nginx's: SslEmptyCache does not end them. */
static void s3_8_nginx_resumes_by_ticket(const struct peer_form *form)
{
    for (size_t version = 0; version < 2; version++) {
        struct meeting meeting;

        start_proxy(&meeting, form, servers[version], "TLSv1.2 TLSv1.3");
        nginx_visits(&meeting, false, NULL);
        nginx_visits(&meeting, true, version == 1 ? update_thrice : NULL);
        TEST_REQUIRE(SslEmptyCacheA(NULL, 0));
        nginx_visits(&meeting, true, NULL);
        interop_wire_free(&meeting.wire);
        stop(&meeting);
    }
}

static void s3_8_nginx_resumes_by_id(const struct peer_form *form)
{
    struct meeting meeting;

    start_proxy(&meeting, form, servers[0],
                "TLSv1.2;\nproxy_ssl_conf_command Options -SessionTicket");
    nginx_visits(&meeting, false, NULL);
    nginx_visits(&meeting, true, NULL);
    TEST_REQUIRE(SslEmptyCacheA(NULL, 0));
    nginx_visits(&meeting, false, NULL);
    nginx_visits(&meeting, true, forbid_session);
    nginx_visits(&meeting, false, NULL);
    nginx_visits(&meeting, true, NULL);
    interop_wire_free(&meeting.wire);
    stop(&meeting);
}

static const struct peer_case cases[] = {
    PEER_CASE(s3_8_sessions_of_nginx_resume),
    PEER_CASE(nothing_resumes_where_nginx_keeps_nothing),
    PEER_CASE(s3_6_nginx_takes_early_data),
    PEER_CASE(early_data_that_nginx_does_not_want),
    PEER_CASE(s3_6_a_replayed_first_flight_goes_again),
    PEER_CASE(s3_6_refused_by_a_hello_retry_request),
    PEER_CASE(s2_11_keys_change_towards_nginx),
    PEER_CASE(s3_8_nginx_declines_to_renegotiate),
    PEER_CASE(s3_8_nginx_resumes_by_ticket),
    PEER_CASE(s3_8_nginx_resumes_by_id),
};

int main(void)
{
    return interop_run_cases("nginx", "interop.nginx_flows", cases,
                             sizeof(cases) / sizeof(cases[0]));
}
