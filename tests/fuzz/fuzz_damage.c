/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Damaging genuine records; see fuzz_damage.h. The two ends are real, so that the damage hits a
 * state that random bytes never reach.
 */
#include "fuzz/fuzz_damage.h"

#include <stdlib.h>
#include <string.h>

#define HEADER 5u

enum kind {
    FLIP,    /* one bit */
    SET,     /* one byte */
    SHORTEN, /* bytes off the end, header made to fit */
    CUT,     /* bytes off the end, header as it was */
    TYPE,
    VERSION,
    LENGTH, /* the header's number alone */
    DROP,
    DOUBLE,
    SWAP,  /* with the next */
    SPLIT, /* into two records */
    EMPTY_BEFORE,
    GARBAGE_BEFORE,
    GROW, /* bytes to the end, header made to fit */
    KINDS
};

void fuzz_line_init(struct fuzz_line *line, struct fuzz_input *input)
{
    *line = (struct fuzz_line){.count = fuzz_pick(input, FUZZ_DAMAGES + 1)};
    for (unsigned i = 0; i < line->count; i++) {
        line->damages[i].record = (uint8_t)fuzz_pick(input, 24);
        line->damages[i].kind = (uint8_t)fuzz_pick(input, KINDS);
        line->damages[i].place = fuzz_u16(input);
        line->damages[i].value = fuzz_u8(input);
    }
}

void fuzz_line_free(struct fuzz_line *line)
{
    peer_clear(&line->held);
}

static void set_len(uint8_t *record, size_t body)
{
    record[3] = (uint8_t)(body >> 8);
    record[4] = (uint8_t)body;
}

static void push_header(struct peer_stream *out, uint8_t type, size_t body)
{
    uint8_t header[HEADER] = {type, 3, 3, 0, 0};

    set_len(header, body);
    peer_push(out, header, HEADER);
}

/* What becomes of a record that is not only changed in place. */
static void replace(struct fuzz_line *line, unsigned kind, size_t place, uint8_t *record,
                    size_t len, struct peer_stream *out)
{
    static const uint8_t zeros[64];
    size_t body = len - HEADER, first = body ? place % body : 0;

    switch (kind) {
    case SHORTEN:
        set_len(record, first);
        peer_push(out, record, HEADER + first);
        return;
    case CUT:
        peer_push(out, record, HEADER + first);
        return;
    case DROP:
        return;
    case DOUBLE:
        peer_push(out, record, len);
        peer_push(out, record, len);
        return;
    case SWAP:
        peer_push(&line->held, record, len);
        return;
    case SPLIT:
        push_header(out, record[0], first);
        peer_push(out, record + HEADER, first);
        push_header(out, record[0], body - first);
        peer_push(out, record + HEADER + first, body - first);
        return;
    case EMPTY_BEFORE:
        push_header(out, record[0], 0);
        peer_push(out, record, len);
        return;
    case GARBAGE_BEFORE:
        push_header(out, (uint8_t)(20 + place % 5), place % sizeof(zeros));
        peer_push(out, zeros, place % sizeof(zeros));
        peer_push(out, record, len);
        return;
    default: /* GROW */
        push_header(out, record[0], body + place % sizeof(zeros));
        peer_push(out, record + HEADER, body);
        peer_push(out, zeros, place % sizeof(zeros));
        return;
    }
}

static void damage(struct fuzz_line *line, unsigned which, uint8_t *record, size_t len,
                   struct peer_stream *out)
{
    size_t place = line->damages[which].place;
    uint8_t value = line->damages[which].value;

    switch (line->damages[which].kind) {
    case FLIP:
        record[place % len] ^= (uint8_t)(1u << value % 8);
        break;
    case SET:
        record[place % len] = value;
        break;
    case TYPE:
        record[0] = (uint8_t)(18 + value % 8);
        break;
    case VERSION:
        record[1 + place % 2] = value;
        break;
    case LENGTH:
        set_len(record, place);
        break;
    default:
        replace(line, line->damages[which].kind, place, record, len, out);
        return;
    }
    peer_push(out, record, len);
}

static void pass(struct fuzz_line *line, uint8_t *record, size_t len, struct peer_stream *out)
{
    struct peer_stream held = line->held;
    unsigned number = line->passed++;
    bool damaged = false;

    line->held = (struct peer_stream){0};
    for (unsigned i = 0; i < line->count && !damaged; i++) {
        damaged = line->damages[i].record == number;
        if (damaged)
            damage(line, i, record, len, out);
    }
    if (!damaged)
        peer_push(out, record, len);
    peer_push(out, held.bytes, held.len);
    peer_clear(&held);
}

void fuzz_line_deliver(struct fuzz_line *line, struct fuzz_end *from, struct fuzz_end *to)
{
    struct peer_stream sent = from->sent;
    size_t at = 0;

    from->sent = (struct peer_stream){0};
    while (sent.len - at >= HEADER) {
        size_t len = peer_record_len(sent.bytes + at);

        TEST_REQUIRE(len <= sent.len - at); /* whole records only */
        pass(line, sent.bytes + at, len, &to->in);
        at += len;
    }
    TEST_REQUIRE_EQUAL(at, sent.len);
    peer_clear(&sent);
}

void fuzz_line_handshake(struct fuzz_line *line, struct fuzz_end *client, struct fuzz_end *server)
{
    fuzz_feed(client);
    for (int i = 0; i < 8; i++) {
        fuzz_line_deliver(line, client, server);
        if (server->in.len > 0)
            fuzz_feed(server);
        fuzz_line_deliver(line, server, client);
        if (client->in.len > 0 && client->has_context)
            fuzz_feed(client);
        if (client->sent.len == 0 && server->sent.len == 0)
            break;
    }
}
