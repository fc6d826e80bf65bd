/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The line between the two ends; see datagram.h. Each datagram is lost, late, doubled or damaged as
 * the rates say, and now and then an older one comes again, or one of another connection.
 *
 * What is not protected yet anybody can change, and no DTLS end can tell: so damage in the clear is
 * limited to headers of records, and to the end being cut off, and foreign datagrams are protected
 * ones, alerts, or none at all (and anything, once our end is up). That ends nothing of ours; the
 * foreign ends, whose windows close at a wrong number, get less of it. With "mangles" there is no
 * limit, and a handshake may fail.
 */
#include <stdlib.h>
#include <string.h>

#include "property/datagram.h"

#define HEADER      13u
#define VERSION_AT  1u /* in the header */
#define EPOCH_AT    3u
#define NUMBER_AT   5u
#define LENGTH_AT   11u
#define TRANSIT_MS  5u
#define MAX_LATE_MS 400u

static unsigned epoch_of(const uint8_t *bytes)
{
    return (unsigned)bytes[3] << 8 | bytes[4];
}

static bool is_clear(const uint8_t *bytes, size_t len)
{
    return len < HEADER || epoch_of(bytes) == 0;
}

static bool happens(struct datagram_run *run, unsigned rate)
{
    return datagram_pick(run, 1000) < rate;
}

/* ---- on the way ---- */

static void enqueue(struct datagram_run *run, bool to_server, const uint8_t *bytes, size_t len,
                    uint64_t delay_ms)
{
    struct datagram_line *line = &run->line;
    struct datagram *one;

    TEST_REQUIRE(len <= DATAGRAM_MAX);
    if (line->count == line->room) {
        line->room = line->room ? line->room * 2 : 64;
        line->queue = realloc(line->queue, line->room * sizeof(*line->queue));
        TEST_REQUIRE(line->queue != NULL);
    }
    one = &line->queue[line->count++];
    one->due = datagram_now() + TRANSIT_MS + delay_ms;
    one->order = line->order++;
    one->to_server = to_server;
    one->len = len;
    if (len > 0)
        memcpy(one->bytes, bytes, len);
}

static size_t first_of(const struct datagram_line *line)
{
    size_t first = 0;

    for (size_t i = 1; i < line->count; i++) {
        const struct datagram *one = &line->queue[i], *best = &line->queue[first];

        if (one->due < best->due || (one->due == best->due && one->order < best->order))
            first = i;
    }
    return first;
}

uint64_t datagram_line_next(const struct datagram_run *run)
{
    return run->line.count > 0 ? run->line.queue[first_of(&run->line)].due : DATAGRAM_NEVER;
}

bool datagram_line_take(struct datagram_run *run, uint64_t until, struct datagram *ret_datagram)
{
    struct datagram_line *line = &run->line;
    const size_t first = first_of(line);

    if (line->count == 0 || line->queue[first].due > until)
        return false;
    *ret_datagram = line->queue[first];
    line->queue[first] = line->queue[--line->count];
    return true;
}

/* ---- the past ---- */

static void keep(struct datagram **ring, size_t *count, const uint8_t *bytes, size_t len)
{
    struct datagram *one;

    if (!*ring)
        *ring = calloc(DATAGRAM_PAST, sizeof(**ring));
    TEST_REQUIRE(*ring != NULL);
    one = &(*ring)[(*count)++ % DATAGRAM_PAST];
    one->len = len;
    memcpy(one->bytes, bytes, len);
}

static const struct datagram *pick_of(struct datagram_run *run, const struct datagram *ring,
                                      size_t count)
{
    return &ring[datagram_pick(run, count < DATAGRAM_PAST ? count : DATAGRAM_PAST)];
}

/* ---- damage ---- */

static void flip(struct datagram_run *run, uint8_t *byte)
{
    *byte ^= (uint8_t)(1u << datagram_pick(run, 8));
}

/* The last record's last byte is gone, at least. */
static size_t cut(struct datagram_run *run, size_t len)
{
    return len - 1 - datagram_pick(run, len < 40 ? len : 40);
}

/* May what is in the clear, and what is no record, be sent to that end? */
static bool may_mangle(const struct datagram_run *run, bool to_server)
{
    return run->line.mangles && !run->ends[to_server].library->frail;
}

/* OpenSSL 3.0 gives up at a record of ChaCha20-Poly1305 that is said to be too short for its tag.
 */
static size_t place_of_damage(struct datagram_run *run, bool to_server, size_t len)
{
    const size_t at = datagram_pick(run, len);
    const bool ours = run->ends[to_server].library == &datagram_ours;

    return !ours && (at == LENGTH_AT || at == LENGTH_AT + 1) ? 0 : at;
}

/* A wrong number comes back to its sender in a HelloVerifyRequest, and closes its window. */
static size_t place_in_header(struct datagram_run *run, bool to_server)
{
    const size_t at = datagram_pick(run, HEADER);

    if (run->ends[to_server].library != &datagram_ours)
        return at % 2 ? VERSION_AT : EPOCH_AT;
    if (run->ends[!to_server].library != &datagram_ours && at >= NUMBER_AT && at < LENGTH_AT)
        return VERSION_AT;
    return at;
}

static void damage(struct datagram_run *run, bool to_server, const uint8_t *bytes, size_t len)
{
    uint8_t damaged[DATAGRAM_MAX];
    const bool clear = is_clear(bytes, len), mangles = may_mangle(run, to_server);
    const bool frail = run->ends[to_server].library->frail;

    memcpy(damaged, bytes, len);
    if (!frail && datagram_pick(run, 4) == 0)
        len = cut(run, len);
    else if (frail && !clear)
        flip(run, &damaged[HEADER + datagram_pick(run, len - HEADER)]);
    else if (!clear || mangles)
        flip(run, &damaged[place_of_damage(run, to_server, len)]);
    else
        flip(run, &damaged[place_in_header(run, to_server)]);
    if (clear && mangles)
        datagram_counts.mangled++;
    enqueue(run, to_server, damaged, len, 0);
    datagram_counts.damaged++;
}

static void send_noise(struct datagram_run *run, bool to_server)
{
    uint8_t noise[100];
    const size_t len = datagram_pick(run, sizeof(noise) + 1);

    for (size_t i = 0; i < len; i++)
        noise[i] = (uint8_t)datagram_pick(run, 256);
    if (len > 0 && !run->line.mangles)
        noise[0] |= 0x80; /* no type of a record */
    enqueue(run, to_server, noise, len, 0);
}

/* What anybody can send: it must look like a record of the handshake. */
static void send_forged(struct datagram_run *run, bool to_server)
{
    uint8_t forged[64] = {0};
    const size_t len = datagram_pick(run, sizeof(forged) - HEADER);

    forged[0] = (uint8_t)(20 + datagram_pick(run, 4));
    forged[1] = 0xFE;
    forged[2] = 0xFD;
    forged[4] = (uint8_t)datagram_pick(run, 2);
    forged[10] = (uint8_t)datagram_pick(run, 32);
    forged[12] = (uint8_t)len;
    for (size_t i = 0; i < len; i++)
        forged[HEADER + i] = (uint8_t)datagram_pick(run, i < 12 ? 4 : 256);
    enqueue(run, to_server, forged, HEADER + len, 0);
    datagram_counts.mangled++;
}

/* Anybody can say that something is wrong. */
static void send_alert(struct datagram_run *run, bool to_server)
{
    uint8_t alert[HEADER + 2] = {21, 0xFE, 0xFD};

    alert[10] = (uint8_t)datagram_pick(run, 16);
    alert[12] = 2;
    alert[HEADER] = (uint8_t)(1 + datagram_pick(run, 2));
    alert[HEADER + 1] = (uint8_t)(datagram_pick(run, 4) == 0 ? 0 : datagram_pick(run, 121));
    enqueue(run, to_server, alert, sizeof(alert), 0);
}

static void send_foreign(struct datagram_run *run, bool to_server)
{
    const struct datagram_line *line = &run->line;
    const struct datagram *one;
    const struct datagram_end *end = &run->ends[to_server];
    const bool ours = end->library == &datagram_ours;

    if ((may_mangle(run, to_server) || (ours && end->up)) && datagram_pick(run, 2) == 0) {
        send_forged(run, to_server);
    } else if (ours && datagram_pick(run, 3) == 0) {
        send_alert(run, to_server);
    } else if (line->stranger_count[!to_server] > 0 && datagram_pick(run, 4) > 0) {
        one = pick_of(run, line->strangers[!to_server], line->stranger_count[!to_server]);
        enqueue(run, to_server, one->bytes, one->len, 0);
    } else if (!end->library->frail) {
        send_noise(run, to_server);
    }
    datagram_counts.foreign++;
}

/* ---- what happens to each ---- */

static void pass(struct datagram_run *run, const struct datagram_rates *rates, bool to_server,
                 const uint8_t *bytes, size_t len)
{
    uint64_t late_ms = 0;

    if (happens(run, rates->lost)) {
        datagram_counts.lost++;
        return;
    }
    if (happens(run, rates->late)) {
        datagram_counts.late++;
        late_ms = 1 + datagram_pick(run, MAX_LATE_MS);
    }
    if (happens(run, rates->doubled)) {
        datagram_counts.doubled++;
        enqueue(run, to_server, bytes, len, datagram_pick(run, MAX_LATE_MS));
    }
    if (happens(run, rates->damaged))
        damage(run, to_server, bytes, len);
    else
        enqueue(run, to_server, bytes, len, late_ms);
}

void datagram_line_put(struct datagram_run *run, bool to_server, const uint8_t *bytes, size_t len)
{
    struct datagram_line *line = &run->line;
    const struct datagram_rates *rates = &line->rates[!to_server];

    keep(&line->past[!to_server], &line->past_count[!to_server], bytes, len);
    pass(run, rates, to_server, bytes, len);
    if (happens(run, rates->replayed)) {
        const struct datagram *one =
            pick_of(run, line->past[!to_server], line->past_count[!to_server]);

        datagram_counts.replayed++;
        enqueue(run, to_server, one->bytes, one->len, datagram_pick(run, MAX_LATE_MS));
    }
    if (happens(run, rates->foreign))
        send_foreign(run, to_server);
}

/* ---- the end ---- */

void datagram_line_clear(struct datagram_run *run)
{
    struct datagram_line *line = &run->line;

    for (int side = 0; side < 2; side++) {
        const size_t count = line->past_count[side];

        for (size_t i = 0; i < DATAGRAM_PAST && i < count; i += 8) {
            const struct datagram *one = &line->past[side][i];

            if (!is_clear(one->bytes, one->len))
                keep(&line->strangers[side], &line->stranger_count[side], one->bytes, one->len);
        }
        line->past_count[side] = 0;
    }
    line->count = 0;
}

void datagram_line_free(struct datagram_run *run)
{
    for (int side = 0; side < 2; side++) {
        free(run->line.past[side]);
        free(run->line.strangers[side]);
    }
    free(run->line.queue);
    run->line = (struct datagram_line){.count = 0};
}
