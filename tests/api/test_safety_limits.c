/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Safety: how much a peer with the keys may ask for. Runs of KeyUpdates, tickets, requests,
 * warnings and empty records end the connection, as long as no data come in between; what is too
 * large ends it at once, and what is just as large as allowed does not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/tls_stage.h"

/* A run has to be longer than this before it ends a connection, and shorter than that. */
#define RUN_ALLOWED 15u
#define RUN_LIMIT   100u

static const uint8_t ticket[] = {4, 0, 0, 18, 0, 0,   28,  32,  1,   2, 3,
                                 4, 1, 0, 0,  4, 't', 'i', 'c', 'k', 0, 0};
static const uint8_t update[] = {24, 0, 0, 1, 0}, request[] = {24, 0, 0, 1, 1};
static const uint8_t hello_request[] = {0, 0, 0, 0}, warning[] = {1, 90};

/* ---- runs ---- */

struct run {
    const char *name;
    uint8_t type;
    const uint8_t *bytes;
    size_t len;
    unsigned allowed; /* so many at least */
    bool new_keys;    /* behind each */
    bool to_client, to_server;
};

static const struct run runs13[] = {
    {"KeyUpdates", 22, update, sizeof(update), RUN_ALLOWED, true, true, true},
    {"requests for KeyUpdates", 22, request, sizeof(request), RUN_ALLOWED, true, true, true},
    {"tickets", 22, ticket, sizeof(ticket), RUN_ALLOWED, false, true, false},
    {"empty records", 23, update, 0, RUN_ALLOWED, false, true, true},
    {"warnings", 21, warning, sizeof(warning), 3, false, true, true},
};

static const struct run runs12[] = {
    {"requests to renegotiate", 22, hello_request, sizeof(hello_request), RUN_ALLOWED, false, true,
     false},
    {"empty records", 23, update, 0, RUN_ALLOWED, false, true, true},
    {"warnings", 21, warning, sizeof(warning), 3, false, true, true},
};

static void add(struct stage *stage, const struct run *run)
{
    seal_record(&stage->to_us, run->type, run->bytes, run->len, 0, &stage->end.in);
    if (run->new_keys)
        seal_keys_update(&stage->to_us);
}

/* As a caller does who runs no leg: the record is handed in again. */
static void read_without_legs(struct stage *stage)
{
    uint8_t data[16];
    size_t len;

    do {
        stage->status = peer_receive(&stage->end, data, sizeof(data), &len);
    } while (stage->status == SEC_E_OK || stage->status == SEC_I_RENEGOTIATE);
}

static void expect_limit(const struct peer_form *form, const struct stage_kind *kind,
                         const struct run *run, bool legs)
{
    struct stage stage;
    unsigned count = 0;
    size_t len;

    stage_case = run->name;
    stage_open(&stage, form, kind);
    do {
        add(&stage, run);
        if (legs)
            stage_read(&stage, &len);
        else
            read_without_legs(&stage);
        count++;
    } while (stage.status == SEC_E_INCOMPLETE_MESSAGE && count < RUN_LIMIT);
    if (stage.status != SEC_E_ILLEGAL_MESSAGE || count <= run->allowed)
        fprintf(stderr, "after %u: 0x%08x\n", count, (unsigned)stage.status);
    STAGE_REQUIRE(stage.status == SEC_E_ILLEGAL_MESSAGE && count > run->allowed);
    if (legs)
        stage_expect_dead(&stage);
    stage_close(&stage);
}

/* Data in between begin a new run. */
static void expect_no_limit(const struct peer_form *form, const struct stage_kind *kind,
                            const struct run *run)
{
    struct stage stage;
    char text[16];
    size_t len;

    stage_case = run->name;
    stage_open(&stage, form, kind);
    for (unsigned i = 0; i < 3 * RUN_LIMIT; i++) {
        add(&stage, run);
        if (i % 2 == 1)
            seal_record(&stage.to_us, SEAL_DATA, "data", 4, 0, &stage.end.in);
        stage_read(&stage, &len);
        STAGE_REQUIRE(stage.status == SEC_E_INCOMPLETE_MESSAGE && len == (i % 2 == 1 ? 4 : 0));
        stage_read_wire(&stage, text);
        stage.alert_count = 0;
    }
    stage_expect_goes_on(&stage);
    stage_close(&stage);
}

static void check_runs(const struct peer_form *form, const struct stage_kind *kinds,
                       const struct run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < STAGE_KINDS; k++) {
            if (kinds[k].serve ? !runs[i].to_server : !runs[i].to_client)
                continue;
            expect_limit(form, &kinds[k], &runs[i], true);
            if (kinds == stage_kinds13) /* in TLS 1.2 the answer to each must leave first */
                expect_limit(form, &kinds[k], &runs[i], false);
            if (k < 2)
                expect_no_limit(form, &kinds[k], &runs[i]);
        }
    }
}

static void runs_in_tls13_have_an_end(const struct peer_form *form)
{
    check_runs(form, stage_kinds13, runs13, sizeof(runs13) / sizeof(runs13[0]));
}

static void runs_in_tls12_have_an_end(const struct peer_form *form)
{
    check_runs(form, stage_kinds12, runs12, sizeof(runs12) / sizeof(runs12[0]));
}

/* Requests are answered, at least one for all that have come, and our keys change with it. */
static void requests_are_answered(const struct peer_form *form)
{
    for (size_t k = 0; k < STAGE_KINDS; k++) {
        struct stage stage;

        stage_case = "answers";
        stage_open(&stage, form, &stage_kinds13[k]);
        for (unsigned i = 0; i < 6; i++) {
            seal_record(&stage.to_us, SEAL_HANDSHAKE, request, sizeof(request), 0, &stage.end.in);
            seal_keys_update(&stage.to_us);
            if (i % 3 != 2)
                continue;
            stage.updates = 0;
            stage_expect_goes_on(&stage);
            STAGE_REQUIRE(stage.updates >= 1 && stage.updates <= 3);
        }
        stage_close(&stage);
    }
}

/* ---- sizes ---- */

struct size {
    const char *name;
    size_t len, padding;
    bool allowed;
};

static const struct size sizes13[] = {
    {"a full record", STAGE_FRAGMENT, 0, true},
    {"a record full of padding", 1, STAGE_FRAGMENT - 1, true},
    {"nothing but padding", 0, STAGE_FRAGMENT, true},
    {"a full record with padding", STAGE_FRAGMENT - 100, 100, true},
    {"one byte too many", STAGE_FRAGMENT + 1, 0, false},
    {"200 bytes too many", STAGE_FRAGMENT + 200, 0, false},
};

static const struct size sizes12[] = {
    {"a full record", STAGE_FRAGMENT, 0, true},
    {"one byte too many", STAGE_FRAGMENT + 1, 0, false},
    {"1,000 bytes too many", STAGE_FRAGMENT + 1000, 0, false},
};

static void check_sizes(const struct peer_form *form, const struct stage_kind *kinds,
                        const struct size *sizes, size_t count)
{
    static uint8_t data[STAGE_FRAGMENT + 1000];

    memset(data, 'a', sizeof(data));
    for (size_t i = 0; i < count * STAGE_KINDS; i++) {
        const struct size *size = &sizes[i / STAGE_KINDS];
        struct stage stage;
        size_t len;

        stage_case = size->name;
        stage_open(&stage, form, &kinds[i % STAGE_KINDS]);
        seal_record(&stage.to_us, SEAL_DATA, data, size->len, size->padding, &stage.end.in);
        if (size->allowed) {
            stage_read(&stage, &len);
            STAGE_REQUIRE(stage.status == SEC_E_INCOMPLETE_MESSAGE && len == size->len);
            STAGE_REQUIRE(memcmp(stage_data, data, len) == 0);
            stage_expect_goes_on(&stage);
        } else {
            stage_expect_ends(&stage, TLS1_ALERT_RECORD_OVERFLOW);
        }
        stage_close(&stage);
    }
}

static void records_have_a_largest_size(const struct peer_form *form)
{
    check_sizes(form, stage_kinds13, sizes13, sizeof(sizes13) / sizeof(sizes13[0]));
    check_sizes(form, stage_kinds12, sizes12, sizeof(sizes12) / sizeof(sizes12[0]));
}

/* A ticket that is promised to be 16 MiB, and one of 60,000 bytes that is true. */
static void messages_have_a_largest_size(const struct peer_form *form)
{
    static uint8_t data[STAGE_FRAGMENT];
    struct stage stage;
    unsigned count = 0;
    size_t len;

    stage_case = "a ticket without end";
    stage_open(&stage, form, &stage_kinds13[0]);
    memset(data, 'a', sizeof(data));
    memcpy(data, (const uint8_t[]){4, 0xFF, 0xFF, 0xFF}, 4);
    do {
        seal_record(&stage.to_us, SEAL_HANDSHAKE, data, sizeof(data), 0, &stage.end.in);
        memset(data, 'a', 4);
        stage_read(&stage, &len);
    } while (stage.status == SEC_E_INCOMPLETE_MESSAGE && ++count < RUN_LIMIT);
    STAGE_REQUIRE(stage.status == SEC_E_ILLEGAL_MESSAGE);
    stage_expect_dead(&stage);
    stage_close(&stage);
}

static void tickets_may_be_long(const struct peer_form *form)
{
    static const size_t lens[] = {1000, STAGE_FRAGMENT, 20000};

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        const size_t whole = 4 + 14 + lens[i], body = whole - 4;
        uint8_t *message = calloc(1, whole);
        const uint8_t head[] = {
            4, 0, (uint8_t)(body >> 8),    (uint8_t)body,   0, 0, 28, 32, 1, 2, 3, 4,
            1, 0, (uint8_t)(lens[i] >> 8), (uint8_t)lens[i]};
        struct stage stage;

        stage_case = "a long ticket";
        stage_open(&stage, form, &stage_kinds13[0]);
        memcpy(message, head, sizeof(head));
        for (size_t at = 0; at < whole; at += STAGE_FRAGMENT)
            seal_record(&stage.to_us, SEAL_HANDSHAKE, message + at,
                        whole - at < STAGE_FRAGMENT ? whole - at : STAGE_FRAGMENT, 0,
                        &stage.end.in);
        stage_expect_goes_on(&stage);
        free(message);
        stage_close(&stage);
    }
}

/* ---- what is not under the right keys, or not under any ---- */

static void expect_refused(struct stage *stage)
{
    size_t len;

    stage_read(stage, &len);
    STAGE_REQUIRE(stage->status == SEC_E_DECRYPT_FAILURE ||
                  stage->status == SEC_E_MESSAGE_ALTERED ||
                  stage->status == SEC_E_ILLEGAL_MESSAGE || stage->status == SEC_E_INVALID_TOKEN ||
                  stage->status == SEC_E_ALGORITHM_MISMATCH);
    stage_expect_dead(stage);
    stage_close(stage);
}

static void records_under_old_or_future_keys(const struct peer_form *form)
{
    for (size_t k = 0; k < STAGE_KINDS; k++) {
        struct stage stage;

        stage_case = "old keys";
        stage_open(&stage, form, &stage_kinds13[k]);
        seal_record(&stage.to_us, SEAL_HANDSHAKE, update, sizeof(update), 0, &stage.end.in);
        seal_record(&stage.to_us, SEAL_DATA, "aaaaaaaaaaaa", 12, 0, &stage.end.in);
        expect_refused(&stage);
        stage_case = "new keys too early";
        stage_open(&stage, form, &stage_kinds13[k]);
        seal_keys_update(&stage.to_us);
        seal_record(&stage.to_us, SEAL_DATA, "aaaaaaaaaaaa", 12, 0, &stage.end.in);
        expect_refused(&stage);
        stage_case = "another number";
        stage_open(&stage, form, &stage_kinds13[k]);
        stage.to_us.sequence += 1 + k;
        seal_record(&stage.to_us, SEAL_DATA, "aaaaaaaaaaaa", 12, 0, &stage.end.in);
        expect_refused(&stage);
    }
}

static void records_of_another_version(const struct peer_form *form)
{
    static const uint16_t versions[] = {0x0301, 0x0302, 0x0304};

    for (size_t i = 0; i < 3 * STAGE_KINDS; i++) {
        struct stage stage;

        stage_case = "another version, sealed";
        stage_open(&stage, form, &stage_kinds12[i % STAGE_KINDS]);
        seal_record_as(&stage.to_us, versions[i / STAGE_KINDS], SEAL_DATA, "aaaaaaaaaaaa", 12, 0,
                       &stage.end.in);
        expect_refused(&stage);
    }
}

/* Nothing behind such a header is read, and the peer is told why. */
static void headers_that_tls_does_not_allow(const struct peer_form *form)
{
    static const struct {
        const char *name;
        uint8_t bytes[5], alert;
    } rows[] = {
        {"no type", {24, 3, 3, 0, 40}, TLS1_ALERT_UNEXPECTED_MESSAGE},
        {"no version", {23, 2, 0, 0, 40}, TLS1_ALERT_PROTOCOL_VERSION},
        {"too long", {23, 3, 3, 0xFF, 0xFF}, TLS1_ALERT_RECORD_OVERFLOW},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t k = 0; k < 2 * STAGE_KINDS; k++) {
            struct stage stage;
            size_t len;

            stage_case = rows[i].name;
            stage_open(&stage, form,
                       k < STAGE_KINDS ? &stage_kinds13[k] : &stage_kinds12[k - STAGE_KINDS]);
            peer_push(&stage.end.in, rows[i].bytes, sizeof(rows[i].bytes));
            stage_read(&stage, &len);
            STAGE_REQUIRE(stage.status == SEC_E_INVALID_TOKEN);
            stage_expect_dead(&stage);
            STAGE_REQUIRE(stage.alert_count == 1 && stage.alert == rows[i].alert);
            stage_close(&stage);
        }
    }
}

/* A ClientHello in the middle: declined by a server, however it is cut. */
static void a_client_asks_to_renegotiate(const struct peer_form *form)
{
    static uint8_t hello[300] = {1, 0, 1, 40, 3, 3};

    for (size_t cut = 1; cut <= sizeof(hello); cut += 1 + cut * 2) {
        struct stage stage;

        stage_case = "a ClientHello";
        stage_open(&stage, form, &stage_kinds12[1]);
        if (cut < sizeof(hello))
            seal_record(&stage.to_us, SEAL_HANDSHAKE, hello, cut, 0, &stage.end.in);
        seal_record(&stage.to_us, SEAL_HANDSHAKE, hello + cut % sizeof(hello),
                    sizeof(hello) - cut % sizeof(hello), 0, &stage.end.in);
        stage_expect_goes_on(&stage);
        STAGE_REQUIRE(stage.alert_count >= 1 && stage.alert == SSL_AD_NO_RENEGOTIATION);
        stage_close(&stage);
    }
}

/* A record of nothing at all: its one byte would be the type. And some in the clear. */
static void records_without_contents(const struct peer_form *form)
{
    static const uint8_t zeros[200];
    static const uint8_t plain[][7] = {
        {20, 3, 3, 0, 1, 1}, {21, 3, 3, 0, 2, 1, 0}, {23, 3, 3, 0, 0}, {22, 3, 3, 0, 0}};

    for (size_t k = 0; k < STAGE_KINDS; k++) {
        for (size_t len = 0; len < sizeof(zeros); len += 1 + len * 3) {
            struct stage stage;

            stage_case = "only zeros";
            stage_open(&stage, form, &stage_kinds13[k]);
            seal_inner(&stage.to_us, zeros, len, &stage.end.in);
            if (len == 0) { /* no record of TLS is as short */
                expect_refused(&stage);
                continue;
            }
            stage_expect_ends(&stage, TLS1_ALERT_UNEXPECTED_MESSAGE);
            stage_close(&stage);
        }
        for (size_t i = 0; i < 8; i++) {
            const struct stage_kind *kinds = i < 4 ? stage_kinds13 : stage_kinds12;
            struct stage stage;

            stage_case = "in the clear";
            stage_open(&stage, form, &kinds[k]);
            peer_push(&stage.end.in, plain[i % 4], peer_record_len(plain[i % 4]));
            expect_refused(&stage);
        }
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(runs_in_tls13_have_an_end),
        PEER_CASE(runs_in_tls12_have_an_end),
        PEER_CASE(requests_are_answered),
        PEER_CASE(records_have_a_largest_size),
        PEER_CASE(messages_have_a_largest_size),
        PEER_CASE(tickets_may_be_long),
        PEER_CASE(records_under_old_or_future_keys),
        PEER_CASE(records_of_another_version),
        PEER_CASE(headers_that_tls_does_not_allow),
        PEER_CASE(a_client_asks_to_renegotiate),
        PEER_CASE(records_without_contents),
    };

    return stage_run_cases("safety.limits", cases, sizeof(cases) / sizeof(cases[0]));
}
