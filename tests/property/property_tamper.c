/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Somebody between the two changes what the peer has sent. Whatever it is, the connection ends with
 * a status that says so, nothing of the plaintext is left to be seen, and the peer is told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "property/property.h"

#define MAX_RECORDS 16u

/* The records on their way, each for itself. */
struct line {
    struct peer_stream records[MAX_RECORDS];
    size_t count;
};

static void line_take(struct property *run, struct line *line)
{
    *line = (struct line){.count = 0};
    while (run->to_us.len > 0) {
        TEST_REQUIRE(line->count < MAX_RECORDS);
        peer_push(&line->records[line->count++], run->to_us.bytes,
                  peer_record_len(run->to_us.bytes));
        peer_drop(&run->to_us, peer_record_len(run->to_us.bytes));
    }
}

static void line_put(struct property *run, struct line *line)
{
    for (size_t i = 0; i < line->count; i++) {
        peer_push(&run->to_us, line->records[i].bytes, line->records[i].len);
        peer_clear(&line->records[i]);
    }
}

static void line_insert(struct line *line, size_t at, const void *bytes, size_t len)
{
    TEST_REQUIRE(line->count < MAX_RECORDS && at <= line->count);
    memmove(&line->records[at + 1], &line->records[at],
            (line->count - at) * sizeof(line->records[0]));
    line->records[at] = (struct peer_stream){0};
    peer_push(&line->records[at], bytes, len);
    line->count++;
}

static void set_length(struct peer_stream *record)
{
    record->bytes[3] = (uint8_t)((record->len - 5) >> 8);
    record->bytes[4] = (uint8_t)(record->len - 5);
}

/* ---- ways to do harm; `at` is a record that others follow ---- */

static void flip(struct property *run, struct line *line, size_t at)
{
    struct peer_stream *record = &line->records[at];

    record->bytes[property_pick(run, record->len)] ^= (uint8_t)(1 << property_pick(run, 8));
}

static void drop(struct property *run, struct line *line, size_t at)
{
    (void)run;
    peer_clear(&line->records[at]);
}

static void repeat(struct property *run, struct line *line, size_t at)
{
    const struct peer_stream copy = line->records[at];

    line_insert(line, at + 1 + property_pick(run, line->count - at), copy.bytes, copy.len);
}

static void swap(struct property *run, struct line *line, size_t at)
{
    const struct peer_stream one = line->records[at];

    (void)run;
    line->records[at] = line->records[at + 1];
    line->records[at + 1] = one;
}

static void cut(struct property *run, struct line *line, size_t at)
{
    struct peer_stream *record = &line->records[at], less = {0};

    peer_push(&less, record->bytes, 5 + property_pick(run, record->len - 5));
    peer_clear(record);
    *record = less;
    set_length(record);
}

static void lengthen(struct property *run, struct line *line, size_t at)
{
    static const uint8_t zeros[32];

    peer_push(&line->records[at], zeros, 1 + property_pick(run, sizeof(zeros)));
    set_length(&line->records[at]);
}

static void change_type(struct property *run, struct line *line, size_t at)
{
    line->records[at].bytes[0] ^= (uint8_t)(1 + property_pick(run, 255));
}

static void change_version(struct property *run, struct line *line, size_t at)
{
    line->records[at].bytes[1 + property_pick(run, 2)] ^= (uint8_t)(1 + property_pick(run, 255));
}

static void inject_alert(struct property *run, struct line *line, size_t at)
{
    static const uint8_t alerts[][7] = {
        {21, 3, 3, 0, 2, 1, 0}, {21, 3, 3, 0, 2, 2, 40}, {21, 3, 3, 0, 2, 1, 90}};

    line_insert(line, at, alerts[property_pick(run, 3)], 7);
}

static void inject_plain(struct property *run, struct line *line, size_t at)
{
    const uint8_t bytes[] = {property_pick(run, 2) == 0 ? 23 : 22, 3, 3, 0, 4, 0, 0, 0, 0};
    const uint8_t empty[] = {bytes[0], 3, 3, 0, 0};

    if (property_pick(run, 2) == 0)
        line_insert(line, at, bytes, sizeof(bytes));
    else
        line_insert(line, at, empty, sizeof(empty));
}

static void inject_garbage(struct property *run, struct line *line, size_t at)
{
    uint8_t bytes[300];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)property_pick(run, 256);
    bytes[0] |= 0x80; /* no type of a record */
    line_insert(line, at, bytes, 1 + property_pick(run, sizeof(bytes)));
}

/* What we have sent ourselves comes back. */
static void reflect(struct property *run, struct line *line, size_t at)
{
    struct peer_end wire = {0};

    TEST_REQUIRE_EQUAL(peer_send(&run->end, &wire, "for the peer", 12), SEC_E_OK);
    line_insert(line, at, wire.in.bytes, wire.in.len);
    peer_push(&run->to_peer, wire.in.bytes, wire.in.len);
    peer_clear(&wire.in);
}

static const struct {
    const char *name;
    void (*act)(struct property *run, struct line *line, size_t at);
} ways[] = {
    {"flip", flip},
    {"flip", flip},
    {"flip", flip},
    {"drop", drop},
    {"repeat", repeat},
    {"swap", swap},
    {"cut", cut},
    {"lengthen", lengthen},
    {"type", change_type},
    {"version", change_version},
    {"alert", inject_alert},
    {"plain", inject_plain},
    {"garbage", inject_garbage},
    {"reflect", reflect},
};

/* ---- what has to come of it ---- */

/* Nothing of what the peer has sent since lies where it arrived. */
static void require_no_plaintext(const struct property *run, const uint8_t *bytes, size_t len)
{
    uint8_t window[8];
    const uint64_t end = run->theirs.sent < run->theirs.arrived + 4000 ? run->theirs.sent
                                                                       : run->theirs.arrived + 4000;

    for (uint64_t at = run->theirs.arrived; at + sizeof(window) <= end; at += sizeof(window)) {
        property_fill(&run->theirs, at, window, sizeof(window));
        TEST_REQUIRE(memmem(bytes, len, window, sizeof(window)) == NULL);
    }
}

static bool is_documented(SECURITY_STATUS status, const char *way)
{
    /* A version of TLS that is none is told by that name. */
    return status == SEC_E_DECRYPT_FAILURE || status == SEC_E_MESSAGE_ALTERED ||
           status == SEC_E_ILLEGAL_MESSAGE || status == SEC_E_INVALID_TOKEN ||
           (status == SEC_E_ALGORITHM_MISMATCH &&
            (strcmp(way, "version") == 0 || strcmp(way, "flip") == 0));
}

static void require_dead(struct property *run)
{
    uint8_t copy[64] = {23, 3, 3, 0, 40};
    SecBuffer buffers[4] = {{sizeof(copy), SECBUFFER_DATA, copy}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    struct peer_end wire = {0};

    TEST_REQUIRE_EQUAL(peer_send(&run->end, &wire, "x", 1), SEC_E_CONTEXT_EXPIRED);
    TEST_REQUIRE_EQUAL(wire.in.len, 0);
    TEST_REQUIRE_EQUAL(DecryptMessage(&run->end.context, &message, 0, NULL), SEC_E_CONTEXT_EXPIRED);
}

/* A leg repeats the status and has the alert, which the peer understands. */
static void require_alert(struct property *run, SECURITY_STATUS failure)
{
    uint8_t out[512], data[3000];
    struct peer_leg leg = peer_leg_of(&run->end, NULL, 0, out, sizeof(out));
    enum foreign_news news;
    size_t len;

    leg.no_in = true;
    TEST_REQUIRE_EQUAL(peer_leg_run(&run->end, &leg), failure);
    peer_push(&run->to_peer, out, leg.out[0].cbBuffer);
    if (failure == SEC_E_INVALID_TOKEN)
        return; /* bytes that are no TLS are not worth an answer */
    TEST_REQUIRE(leg.out[0].cbBuffer > 0);
    peer_push(&run->peer.in, run->to_peer.bytes, run->to_peer.len);
    peer_clear(&run->to_peer);
    do {
        news = foreign_read(&run->peer, data, sizeof(data), &len);
        if (news == FOREIGN_DATA)
            property_check(&run->ours, data, run->ours.sent > run->ours.arrived ? len : 0);
    } while (news == FOREIGN_DATA || news == FOREIGN_WARNED);
    TEST_REQUIRE_EQUAL(news, FOREIGN_FAILED);
    TEST_REQUIRE(run->peer.alert != 0);
}

/* Goes on reading until it is refused. A length that was changed may need more than there is. */
static SECURITY_STATUS read_until_refused(struct property *run)
{
    for (unsigned i = 0; i < 200; i++) {
        SecBuffer buffers[4] = {{(ULONG)run->end.in.len, SECBUFFER_DATA, run->end.in.bytes}};
        SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
        const SECURITY_STATUS status = DecryptMessage(&run->end.context, &message, 0, NULL);

        if (status == SEC_E_INCOMPLETE_MESSAGE) {
            if (run->to_us.len == 0)
                property_peer_write(run, 3000);
            property_arrive(run, property_pick(run, 2) == 0 ? SIZE_MAX : 5000);
        } else if (status == SEC_I_RENEGOTIATE) {
            run->absorbed = true;
            property_leg(run, true);
        } else if (status == SEC_E_OK) {
            property_check(&run->theirs, buffers[1].pvBuffer, buffers[1].cbBuffer);
            peer_drop(&run->end.in, run->end.in.len - buffers[3].cbBuffer);
        } else {
            return status;
        }
    }
    TEST_REQUIRE(!"a connection that was tampered with goes on");
    return SEC_E_OK;
}

void property_tamper(struct property *run)
{
    const size_t way = property_pick(run, sizeof(ways) / sizeof(ways[0]));
    struct line line;
    SECURITY_STATUS status;

    property_drain(run);
    for (unsigned i = 0; i < 3; i++) {
        property_peer_write(run, 1 + property_len(run, 2999));
        if (i == 0 && foreign_key_update(&run->peer, property_pick(run, 2) == 1))
            property_peer_sent(run);
    }
    line_take(run, &line);
    TEST_REQUIRE(line.count >= 3);
    ways[way].act(run, &line, property_pick(run, line.count - 1));
    line_put(run, &line);
    status = read_until_refused(run);
    if (!is_documented(status, ways[way].name))
        fprintf(stderr, "%s: 0x%08x\n", ways[way].name, (unsigned)status);
    TEST_REQUIRE(is_documented(status, ways[way].name));
    require_no_plaintext(run, run->end.in.bytes, run->end.in.len);
    require_dead(run);
    require_alert(run, status);
    property_counts.tampered++;
}
