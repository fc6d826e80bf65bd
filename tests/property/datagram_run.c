/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A connection over the line, and what must come of it; see datagram.h:
 *
 * - the handshake ends, at the latest when the line has become calm: both ends are up, agree on the
 *   keys, and are resumed where they have met before;
 * - each message that arrives is one that the other end has written on this connection, unaltered,
 *   and arrives once;
 * - when the line is calm every message arrives, whatever went over it before, and so does the
 *   close.
 *
 * One thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "property/datagram.h"

#define CALM_AFTER_MS  30000u  /* at most */
#define PATIENCE_MS    300000u /* for a handshake */
#define EARLY_WRITES   6u      /* by an end that is up while the other is not */
#define PROBES         4u      /* messages on the calm line */
#define MAX_PAUSE_MS   60u
#define MAX_DATA       1400u
#define EXPORTED_BYTES 60u

struct datagram_counts datagram_counts;

static const struct datagram_rates calm = {0};

uint64_t datagram_pick(struct datagram_run *run, uint64_t bound)
{
    return (test_random(&run->random) >> 16) % bound;
}

/* ---- data ---- */

/* A message says which connection, direction and number it has, and all its bytes follow from it.
 */
static void fill(const struct datagram_run *run, bool server, uint32_t number, uint8_t *data,
                 size_t len)
{
    uint64_t state = run->number << 24 ^ (uint64_t)server << 20 ^ number;

    memcpy(data, &run->number, 7);
    data[7] = server;
    memcpy(data + 8, &number, 4);
    for (size_t i = DATAGRAM_MINIMUM; i < len; i++)
        data[i] = (uint8_t)(test_random(&state) >> 40);
}

void datagram_arrived(struct datagram_end *end, const uint8_t *data, size_t len)
{
    struct datagram_flow *flow = &end->run->flows[!end->server];
    uint8_t expected[MAX_DATA];
    uint32_t number;

    TEST_REQUIRE(len >= DATAGRAM_MINIMUM);
    memcpy(&number, data + 8, 4);
    TEST_REQUIRE(number < flow->written);
    TEST_REQUIRE_EQUAL(len, flow->lens[number]);
    fill(end->run, !end->server, number, expected, len);
    TEST_REQUIRE(memcmp(expected, data, len) == 0);
    TEST_REQUIRE(!flow->arrived[number]);
    flow->arrived[number] = true;
    datagram_counts.arrived++;
}

static void write_one(struct datagram_end *end)
{
    struct datagram_flow *flow = &end->run->flows[end->server];
    size_t room = end->library->room(end), len;
    uint8_t data[MAX_DATA];

    if (flow->written == DATAGRAM_WRITES)
        return;
    TEST_REQUIRE(room >= DATAGRAM_MINIMUM);
    if (room > sizeof(data))
        room = sizeof(data);
    len = DATAGRAM_MINIMUM;
    if (datagram_pick(end->run, 4) == 0)
        len = room;
    else
        len += datagram_pick(end->run, room - len + 1);
    fill(end->run, end->server, flow->written, data, len);
    flow->lens[flow->written++] = (uint16_t)len;
    end->library->write(end, data, len);
    datagram_counts.written++;
}

/* ---- time ---- */

void datagram_send(struct datagram_end *end, const uint8_t *bytes, size_t len)
{
    TEST_REQUIRE(len <= DATAGRAM_MAX);
    if (end->library == &datagram_ours)
        datagram_watch_sent(end, &end->run->watches[end->server], bytes, len);
    datagram_counts.sent++;
    datagram_line_put(end->run, !end->server, bytes, len);
}

static uint64_t timer_of(struct datagram_end *end)
{
    return end->failed ? DATAGRAM_NEVER : end->library->timer(end);
}

static uint64_t next_event(struct datagram_run *run)
{
    uint64_t next = datagram_line_next(run);

    for (int side = 0; side < 2; side++) {
        const uint64_t timer = timer_of(&run->ends[side]);

        if (timer < next)
            next = timer;
    }
    return next;
}

static void arrive(struct datagram_run *run, const struct datagram *one)
{
    struct datagram_end *end = &run->ends[one->to_server];
    uint8_t *bytes = malloc(one->len + !one->len); /* exactly as many, for a sanitizer */

    TEST_REQUIRE(bytes != NULL);
    memcpy(bytes, one->bytes, one->len);
    if (!end->failed)
        end->library->receive(end, bytes, one->len);
    free(bytes);
}

/* Everything that happens until then; and the clock shows it. */
static void pass_time(struct datagram_run *run, uint64_t until)
{
    struct datagram one;
    uint64_t next;

    while ((next = next_event(run)) <= until) {
        if (next > datagram_now())
            datagram_set_now(next);
        if (datagram_line_take(run, datagram_now(), &one)) {
            arrive(run, &one);
            continue;
        }
        for (int side = 0; side < 2; side++) {
            if (timer_of(&run->ends[side]) <= datagram_now())
                run->ends[side].library->expired(&run->ends[side]);
        }
    }
    if (until > datagram_now())
        datagram_set_now(until);
}

/* Nothing is on its way any more. */
static void drain(struct datagram_run *run)
{
    while (datagram_line_next(run) != DATAGRAM_NEVER)
        pass_time(run, datagram_line_next(run));
}

static void become_calm(struct datagram_run *run)
{
    run->line.rates[0] = run->line.rates[1] = calm;
}

/* ---- the parts of a connection ---- */

static unsigned draw_rate(struct datagram_run *run, unsigned most)
{
    return datagram_pick(run, 2) == 0 ? 0 : (unsigned)datagram_pick(run, most + 1);
}

static void draw_rates(struct datagram_run *run)
{
    for (int side = 0; side < 2; side++)
        run->line.rates[side] = (struct datagram_rates){
            .lost = draw_rate(run, 400),
            .late = draw_rate(run, 400),
            .doubled = draw_rate(run, 400),
            .replayed = draw_rate(run, 400),
            .damaged = draw_rate(run, 200),
            .foreign = draw_rate(run, 200),
        };
}

static void say_who_failed(const struct datagram_run *run)
{
    for (int side = 0; side < 2; side++) {
        const struct datagram_end *end = &run->ends[side];

        fprintf(stderr, "the %s (%s) %s%s%s\n", side ? "server" : "client", end->library->name,
                end->failed ? "has failed: "
                : end->up   ? "is up"
                            : "is not up",
                end->failed && end->words ? end->words : "", end->closed ? ", closed" : "");
    }
}

static bool is_over(const struct datagram_run *run)
{
    return run->ends[0].failed || run->ends[1].failed;
}

/* GnuTLS may wait for ever for a flight that it could have asked for again. */
static bool is_excused(const struct datagram_run *run)
{
    for (int side = 0; side < 2; side++) {
        const struct datagram_end *end = &run->ends[side];

        if (end->library->frail && !end->up && !end->failed)
            return true;
    }
    return false;
}

/* True: both are up. Without mangling nothing else can be. */
static bool shake_hands(struct datagram_run *run, bool mangles)
{
    const uint64_t begin = datagram_now();
    const uint64_t calm_at = begin + datagram_pick(run, CALM_AFTER_MS);

    for (int side = 1; side >= 0; side--)
        run->ends[side].library->begin(&run->ends[side]);
    while (!(run->ends[0].up && run->ends[1].up)) {
        const uint64_t next = next_event(run);
        const bool stuck = next == DATAGRAM_NEVER || next - begin > PATIENCE_MS || is_over(run);

        if (stuck && is_excused(run)) {
            datagram_counts.stuck++;
            return false;
        }
        if (stuck && mangles)
            return false;
        if (stuck)
            say_who_failed(run);
        TEST_REQUIRE(!stuck);
        if (next > calm_at)
            become_calm(run);
        pass_time(run, next);
        for (int side = 0; side < 2; side++) {
            if (run->ends[side].up && !is_over(run) && run->flows[side].written < EARLY_WRITES &&
                datagram_pick(run, 4) == 0)
                write_one(&run->ends[side]); /* while the other may not be up yet */
        }
    }
    return true;
}

static void check_agreement(struct datagram_run *run, const struct datagram_plan *plan)
{
    uint8_t keys[2][EXPORTED_BYTES];

    for (int side = 0; side < 2; side++) {
        run->ends[side].library->export_key(&run->ends[side], keys[side], sizeof(keys[side]));
        if (!plan->mangles)
            TEST_REQUIRE_EQUAL(run->ends[side].library->resumed(&run->ends[side]), plan->resumes);
    }
    TEST_REQUIRE(memcmp(keys[0], keys[1], sizeof(keys[0])) == 0);
    datagram_counts.resumed += plan->resumes && !plan->mangles;
}

/* True: nobody has given up. */
static bool talk(struct datagram_run *run, unsigned writes)
{
    for (unsigned i = 0; i < writes && !is_over(run); i++) {
        write_one(&run->ends[datagram_pick(run, 2)]);
        pass_time(run, datagram_now() + datagram_pick(run, MAX_PAUSE_MS));
        if (i % 32 == 31)
            draw_rates(run);
    }
    become_calm(run);
    drain(run);
    return !is_over(run);
}

static void require_fine(const struct datagram_run *run)
{
    if (is_over(run) || run->ends[0].closed || run->ends[1].closed)
        say_who_failed(run);
    TEST_REQUIRE(!is_over(run));
    TEST_REQUIRE(!run->ends[0].closed && !run->ends[1].closed);
}

/* What was on its way when the line became calm may still be lost; nothing after it. */
static void talk_calmly(struct datagram_run *run)
{
    require_fine(run);
    for (unsigned i = 0; i < 2 * PROBES; i++) {
        struct datagram_flow *flow = &run->flows[i % 2];

        if (flow->written == DATAGRAM_WRITES)
            continue;
        write_one(&run->ends[i % 2]);
        drain(run);
        TEST_REQUIRE(flow->arrived[flow->written - 1]);
    }
}

static void close_both(struct datagram_run *run)
{
    const int first = (int)datagram_pick(run, 2);

    run->ends[first].library->close(&run->ends[first]);
    drain(run);
    TEST_REQUIRE(run->ends[!first].closed);
    run->ends[!first].library->close(&run->ends[!first]);
    drain(run);
    TEST_REQUIRE(!is_over(run));
}

static bool foreign_failed(const struct datagram_run *run)
{
    for (int side = 0; side < 2; side++) {
        if (run->ends[side].failed && run->ends[side].library != &datagram_ours)
            return true;
    }
    return false;
}

/* True: it has come to its good end. Where what is not protected was mangled a handshake may fail,
 * and so may a foreign end later (OpenSSL 3.0 at a record that is too short for its tag), which
 * takes ours along by an alert. */
static bool connect_once(struct datagram_run *run, const struct datagram_plan *plan)
{
    bool fine;

    run->line.mangles = plan->mangles;
    draw_rates(run);
    if (!shake_hands(run, plan->mangles))
        return false;
    run->line.mangles = false;
    check_agreement(run, plan);
    fine = talk(run, plan->writes);
    if (!fine && !(plan->mangles && foreign_failed(run))) {
        say_who_failed(run);
        TEST_REQUIRE(fine);
    }
    if (!fine)
        return false;
    talk_calmly(run);
    close_both(run);
    return true;
}

bool datagram_connect(struct datagram_run *run, const struct datagram_plan *plan)
{
    bool fine;

    run->number++;
    fine = connect_once(run, plan);
    if (fine)
        datagram_counts.connections++;
    else
        datagram_counts.gone++;
    for (int side = 0; side < 2; side++) {
        run->ends[side].library->finish(&run->ends[side]);
        run->ends[side].up = run->ends[side].closed = run->ends[side].failed = false;
        datagram_watch_free(&run->watches[side]);
        run->flows[side] = (struct datagram_flow){.written = 0};
    }
    datagram_line_clear(run);
    return fine;
}

/* ---- what connections share ---- */

void datagram_open(struct datagram_run *run, uint64_t random, const struct datagram_setup *setup)
{
    static const struct datagram_library *const libraries[] = {
        [DATAGRAM_OURS] = &datagram_ours,
        [DATAGRAM_OPENSSL] = &datagram_openssl,
        [DATAGRAM_GNUTLS] = &datagram_gnutls,
    };

    *run = (struct datagram_run){.random = random, .setup = *setup};
    for (int side = 0; side < 2; side++) {
        run->ends[side] = (struct datagram_end){
            .library = libraries[setup->kinds[side]], .run = run, .server = side == 1};
        if (side == 1)
            peer_push(&run->ends[side].address, "127.0.0.1:1234", 14);
        run->ends[side].library->share_new(&run->ends[side]);
    }
}

void datagram_free(struct datagram_run *run)
{
    for (int side = 0; side < 2; side++) {
        run->ends[side].library->share_free(&run->ends[side]);
        peer_clear(&run->ends[side].address);
    }
    datagram_line_free(run);
}
