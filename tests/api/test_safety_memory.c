/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Safety: an established connection without memory. Each allocation in turn fails while records are
 * sealed and opened, answers are owed and the connection is closed: the call says so, has changed
 * nothing, and goes through when it is made again. Nothing is lost, and nothing is done twice.
 */
#include <stdio.h>
#include <string.h>

#include "support/failing_alloc.h"
#include "support/tls_stage.h"

#define TICKET_HEAD "\4\0\0\22\0\0\34\40\1\2\3\4\1\0"
#define TICKET_TAIL "\0\4tick\0\0"
#define TICKET      TICKET_HEAD TICKET_TAIL
#define MAX_NTH     200u
#define ALERT_ROOM  40u /* a change of ciphers, and a sealed alert */

static uint64_t fail_at; /* of the calls still to come; 0: none fails any more */
static bool struck;

static void arm(void)
{
    failing_alloc_nth(fail_at);
}

/* True: the call is to be made again. */
static bool again(SECURITY_STATUS status)
{
    const uint64_t count = failing_alloc_count();
    const bool hit = failing_alloc_hit();

    failing_alloc_nth(0);
    struck = struck || hit;
    fail_at = hit || fail_at <= count ? 0 : fail_at - count;
    STAGE_REQUIRE(hit || status != SEC_E_INSUFFICIENT_MEMORY);
    return hit && status == SEC_E_INSUFFICIENT_MEMORY;
}

/* ---- calls ---- */

static SECURITY_STATUS leg(struct stage *stage, bool input)
{
    uint8_t out[256];
    struct peer_leg leg;
    SECURITY_STATUS status;

    do {
        leg = peer_leg_of(&stage->end, stage->end.in.bytes, stage->end.in.len, out, sizeof(out));
        leg.no_in = !input;
        arm();
        status = peer_leg_run(&stage->end, &leg);
    } while (again(status));
    peer_push(&stage->wire.in, out, leg.out[0].cbBuffer);
    if (input)
        peer_drop(&stage->end.in,
                  stage->end.in.len -
                      (leg.in[1].BufferType == SECBUFFER_EXTRA ? leg.in[1].cbBuffer : 0));
    return status;
}

/* Opens all that has come; the length of the last data. */
static size_t read_all(struct stage *stage)
{
    static uint8_t before[1000];
    size_t last = 0;

    while (stage->end.in.len > 0) {
        SecBuffer buffers[4] = {{(ULONG)stage->end.in.len, SECBUFFER_DATA, stage->end.in.bytes}};
        SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
        SECURITY_STATUS status;

        STAGE_REQUIRE(stage->end.in.len <= sizeof(before));
        memcpy(before, stage->end.in.bytes, stage->end.in.len);
        arm();
        status = DecryptMessage(&stage->end.context, &message, 0, NULL);
        if (again(status)) {
            STAGE_REQUIRE(memcmp(before, stage->end.in.bytes, stage->end.in.len) == 0);
            continue;
        }
        if (status == SEC_I_RENEGOTIATE) {
            STAGE_REQUIRE(leg(stage, true) == SEC_E_OK);
            continue;
        }
        STAGE_REQUIRE(status == SEC_E_OK);
        last = buffers[1].cbBuffer;
        peer_drop(&stage->end.in, buffers[3].cbBuffer < stage->end.in.len
                                      ? stage->end.in.len - buffers[3].cbBuffer
                                      : 0);
    }
    return last;
}

static void send_some(struct stage *stage)
{
    uint8_t bytes[300];
    SecBuffer buffers[4] = {
        {stage->end.sizes.cbHeader, SECBUFFER_STREAM_HEADER, bytes},
        {4, SECBUFFER_DATA, bytes + 50},
        {stage->end.sizes.cbTrailer, SECBUFFER_STREAM_TRAILER, bytes + 100},
    };
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status;

    memcpy(bytes + 50, "I do", 4);
    do {
        arm();
        status = EncryptMessage(&stage->end.context, 0, &message, 0);
    } while (again(status));
    STAGE_REQUIRE(status == SEC_E_OK);
    for (int i = 0; i < 3; i++)
        peer_push(&stage->wire.in, buffers[i].pvBuffer, buffers[i].cbBuffer);
}

/* ---- what is done without memory ---- */

static void hand_in(struct stage *stage, const char *text, size_t len, bool new_keys)
{
    seal_record(&stage->to_us, SEAL_HANDSHAKE, text, len, 0, &stage->end.in);
    if (new_keys)
        seal_keys_update(&stage->to_us);
}

static void data_both_ways(struct stage *stage)
{
    char text[16];

    seal_record(&stage->to_us, SEAL_DATA, "some", 4, 0, &stage->end.in);
    STAGE_REQUIRE(read_all(stage) == 4);
    send_some(stage);
    stage_read_wire(stage, text);
    STAGE_REQUIRE(strcmp(text, "I do") == 0);
}

static void messages(struct stage *stage)
{
    const bool tls13 = stage->to_us.tls13;

    if (tls13 && !stage->end.server) {
        hand_in(stage, TICKET, sizeof(TICKET) - 1, false);
        hand_in(stage, TICKET TICKET_HEAD, sizeof(TICKET TICKET_HEAD) - 1, false);
        hand_in(stage, TICKET_TAIL, sizeof(TICKET_TAIL) - 1, false);
        hand_in(stage, TICKET_HEAD, sizeof(TICKET_HEAD) - 1, false);
        hand_in(stage, TICKET_TAIL TICKET_HEAD, sizeof(TICKET_TAIL TICKET_HEAD) - 1, false);
        hand_in(stage, TICKET_TAIL, sizeof(TICKET_TAIL) - 1, false);
    }
    if (tls13) {
        hand_in(stage, "\30\0", 2, false);
        hand_in(stage, "\0\1\1", 3, true);
    } else if (!stage->end.server) {
        hand_in(stage, "\0\0\0\0", 4, false);
    }
    data_both_ways(stage);
    STAGE_REQUIRE(!tls13 || stage->updates == 1);
    STAGE_REQUIRE(tls13 || stage->end.server || (stage->alert_count == 1 && stage->alert == 100));
}

/* The caller reads on without a leg, and then has something to say. */
static void answers_with_data(struct stage *stage)
{
    uint8_t data[16];
    char text[16];
    size_t len;

    if (stage->to_us.tls13)
        hand_in(stage, "\30\0\0\1\1", 5, true);
    else if (!stage->end.server)
        hand_in(stage, "\0\0\0\0", 4, false);
    if (stage->end.in.len > 0) {
        STAGE_REQUIRE(peer_receive(&stage->end, data, sizeof(data), &len) == SEC_I_RENEGOTIATE);
        STAGE_REQUIRE(peer_receive(&stage->end, data, sizeof(data), &len) == SEC_E_OK);
    }
    send_some(stage);
    stage_read_wire(stage, text);
    STAGE_REQUIRE(strcmp(text, "I do") == 0);
    STAGE_REQUIRE(stage->updates == (stage->to_us.tls13 ? 1u : 0u));
}

static void closing(struct stage *stage)
{
    const DWORD token = SCHANNEL_SHUTDOWN;
    SECURITY_STATUS status;
    char text[16];

    do {
        arm();
        status = peer_control(&stage->end, &token, sizeof(token));
    } while (again(status));
    STAGE_REQUIRE(status == SEC_E_OK);
    STAGE_REQUIRE(leg(stage, false) == SEC_E_OK);
    stage_read_wire(stage, text);
    STAGE_REQUIRE(stage->alert_count == 1 && stage->alert == 0);
}

static void without_memory(const struct peer_form *form, const char *name,
                           void (*act)(struct stage *stage), bool goes_on)
{
    stage_case = name;
    for (size_t k = 0; k < 2 * STAGE_KINDS; k++) {
        const struct stage_kind *kind =
            k < STAGE_KINDS ? &stage_kinds13[k] : &stage_kinds12[k - STAGE_KINDS];
        uint64_t nth = 0;

        do {
            struct stage stage;

            stage_open(&stage, form, kind);
            fail_at = ++nth;
            struck = false;
            act(&stage);
            fail_at = 0;
            if (goes_on)
                stage_expect_goes_on(&stage);
            stage_close(&stage);
        } while (struck && nth < MAX_NTH);
        STAGE_REQUIRE(nth > 1 && nth < MAX_NTH);
    }
}

static void records_without_memory(const struct peer_form *form)
{
    without_memory(form, "records", data_both_ways, true);
}

static void messages_without_memory(const struct peer_form *form)
{
    without_memory(form, "messages", messages, true);
}

static void answers_without_memory(const struct peer_form *form)
{
    without_memory(form, "answers", answers_with_data, true);
}

static void closing_without_memory(const struct peer_form *form)
{
    without_memory(form, "closing", closing, false);
}

/* A Finished in place of an alert would let the peer believe in a connection that is none. */
static void a_leg_that_fails_hands_out_no_finished(const struct peer_form *form)
{
    const struct peer_setup setup = {.protocols = SP_PROT_TLS1_3_CLIENT};
    uint64_t nth = 0;
    bool hit;

    stage_case = "the last leg";
    do {
        struct peer_pair pair;
        uint8_t out[4096];
        struct peer_leg leg;
        SECURITY_STATUS status;

        peer_open(&pair, form, &setup);
        peer_half_connect(&pair);
        leg = peer_leg_of(&pair.client, pair.client.in.bytes, pair.client.in.len, out, sizeof(out));
        failing_alloc_nth(++nth);
        status = peer_leg_run(&pair.client, &leg);
        hit = failing_alloc_hit();
        failing_alloc_nth(0);
        STAGE_REQUIRE(status == SEC_E_OK || leg.out[0].cbBuffer <= ALERT_ROOM);
        peer_close(&pair);
    } while (hit && nth < MAX_NTH);
    STAGE_REQUIRE(nth > 1 && nth < MAX_NTH);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(records_without_memory),
        PEER_CASE(messages_without_memory),
        PEER_CASE(answers_without_memory),
        PEER_CASE(closing_without_memory),
        PEER_CASE(a_leg_that_fails_hands_out_no_finished),
    };

    return stage_run_cases("safety.memory", cases, sizeof(cases) / sizeof(cases[0]));
}
