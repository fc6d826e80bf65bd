/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Flows, in any order, with peers that are not ours; see flow.h.
 *
 *     test_property_flows [--seed N] [--rounds N] [--steps N] [--only N] [--verbose]
 *
 * A round is a flow of every kind: OpenSSL and GnuTLS, client and server, TLS 1.2 and 1.3, each
 * suite that our own record protection has; with handshakes after the handshake, with sessions of
 * each kind, with early data, with a pre-shared key. A flow is one to four connections one after
 * the other, with or without a session; the last one may be tampered with. The seed (also
 * OSSPI_PROPERTY_SEED) decides everything; a failure says how to repeat the one flow.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "property/flow.h"

enum mode { MODE_LATER, MODE_SESSIONS, MODE_EARLY, MODE_PSK, MODES };

#define SUITES 3u                                         /* of each version */
#define KINDS  (2u * FOREIGN_KINDS * 2u * SUITES * MODES) /* sides, libraries, versions */

static const uint8_t psk[48] = "a key that both ends have been told beforehand";

static struct {
    uint64_t seed, rounds, steps;
    int64_t only; /* the number of one flow, or negative */
    bool verbose;
} options = {.seed = 1, .rounds = 1, .steps = 100, .only = -1};

static char repeat_with[160]; /* what on_abort prints */

static void on_abort(int signal_number)
{
    ssize_t ignored = write(STDERR_FILENO, repeat_with, strlen(repeat_with));

    (void)signal_number;
    (void)ignored;
}

/* ---- one flow ---- */

static struct foreign_setup setup_of(unsigned kind, struct property *draw)
{
    const enum mode mode = kind % MODES;
    const unsigned rest = kind / MODES;
    struct foreign_setup setup = {
        .kind = rest % FOREIGN_KINDS,
        .server = rest / FOREIGN_KINDS % 2 == 1,
        .tls13 = rest / FOREIGN_KINDS / 2 % 2 == 1,
        .suite = rest / FOREIGN_KINDS / 4,
    };

    setup.returns = !setup.server && mode != MODE_PSK;
    setup.later = mode == MODE_LATER;
    setup.early = mode == MODE_EARLY && setup.tls13;
    setup.session_ids = !setup.tls13 && mode >= MODE_SESSIONS && property_pick(draw, 2) == 1;
    if (!setup.server && property_pick(draw, 2) == 1)
        setup.certificate = "client";
    if (mode == MODE_PSK) {
        if (setup.suite == FOREIGN_AES_256_GCM) /* the hash of a key is SHA-256 */
            setup.suite = FOREIGN_AES_128_GCM;
        setup.psk = psk;
        setup.psk_len = 16 + property_pick(draw, sizeof(psk) - 16);
        setup.session_ids = true;
    }
    if (setup.tls13 && property_pick(draw, 4) == 0)
        setup.padding = 1 + property_pick(draw, 300);
    return setup;
}

/* What happens between two connections, and what has to come of it. */
enum next { NEXT_SAME, NEXT_SAME_TOO, NEXT_CREDENTIAL, NEXT_EMPTY, NEXT_DISABLED, NEXTS };

/* 1: has to be resumed, 0: must not, -1: either. */
static int expect(const struct flow *flow, enum next next)
{
    const struct foreign_setup *setup = &flow->setup;

    if (setup->psk)
        return 0;
    if (flow->inside)
        return -1;
    if (next == NEXT_SAME || next == NEXT_SAME_TOO)
        /* A client that has renegotiated holds a session that serves nobody. */
        return setup->server || (setup->returns && flow->laters == 0) ? 1 : -1;
    if (setup->server)
        return 0;
    return setup->session_ids && next != NEXT_CREDENTIAL ? 0 : -1;
}

static void go_on(struct flow *flow, unsigned steps)
{
    const enum next next = property_pick(&flow->run, NEXTS);
    int expected;

    /* Not in a renegotiation: there a client of GnuTLS's waits for a ticket if it has had one. */
    if (next == NEXT_DISABLED && flow->setup.later)
        flow_settle(flow);
    if (next == NEXT_DISABLED)
        flow_no_session(flow);
    flow->closing = flow->closing || next == NEXT_DISABLED;
    flow_close(flow);
    expected = expect(flow, next);
    flow->run.peer.asks = false;
    flow_disconnect(flow);
    if (next == NEXT_CREDENTIAL)
        flow_acquire(flow);
    if (next == NEXT_EMPTY)
        SslEmptyCacheA(NULL, 0);
    if (flow->setup.early && flow->run.end.server && property_pick(&flow->run, 3) == 0) {
        flow->refuses = !flow->refuses;
        flow_allow(flow);
    }
    flow_connect(flow);
    const bool resumed = (flow->run.facts.session.dwFlags & SSL_SESSION_RECONNECT) != 0;
    if (expected >= 0 && resumed != expected)
        fprintf(stderr, "resumed: %d, after %d\n", resumed, (int)next);
    if (expected >= 0)
        TEST_REQUIRE_EQUAL(resumed, expected);
    flow_counts.resumed += resumed;
    flow_steps(flow, steps);
}

static void run_one(uint64_t number, unsigned kind)
{
    struct property draw = {.random = options.seed * UINT64_C(0x100000001B3) + number};
    const struct foreign_setup setup = setup_of(kind, &draw);
    const unsigned steps = (unsigned)options.steps;
    struct flow flow;

    if (options.verbose)
        printf("%llu: %s %s, TLS 1.%d, suite %d, mode %u\n", (unsigned long long)number,
               setup.kind == FOREIGN_OPENSSL ? "OpenSSL" : "GnuTLS",
               setup.server ? "server" : "client", setup.tls13 ? 3 : 2, setup.suite, kind % MODES);
    fflush(NULL);
    flow_open(&flow, draw.random, &setup);
    flow_connect(&flow);
    flow_steps(&flow, steps);
    for (uint64_t i = property_pick(&flow.run, 4); i > 0; i--)
        go_on(&flow, steps / 2);
    if (property_pick(&flow.run, 3) == 0)
        flow_tamper(&flow);
    else
        flow_close(&flow);
    flow_free(&flow);
}

static void run_round(uint64_t round)
{
    for (unsigned i = 0; i < KINDS; i++) {
        const uint64_t number = round * KINDS + i;

        if (options.only >= 0 && (uint64_t)options.only != number)
            continue;
        if (TEST_SANITIZED && options.only < 0 && i % 4 != (i / 4) % 4)
            continue; /* slow enough; the numbers stay those of the plain build */
        snprintf(repeat_with, sizeof(repeat_with),
                 "to repeat: --seed %llu --steps %llu --rounds %llu --only %llu\n",
                 (unsigned long long)options.seed, (unsigned long long)options.steps,
                 (unsigned long long)(round + 1), (unsigned long long)number);
        run_one(number, i);
    }
}

/* ---- around ---- */

static void parse(int argc, char **argv)
{
    const char *seed = getenv("OSSPI_PROPERTY_SEED");

    if (seed)
        options.seed = strtoull(seed, NULL, 0);
    for (int i = 1; i < argc; i++) {
        const uint64_t value = i + 1 < argc ? strtoull(argv[i + 1], NULL, 0) : 0;

        if (strcmp(argv[i], "--verbose") == 0) {
            options.verbose = true;
            continue;
        }
        if (strcmp(argv[i], "--seed") == 0)
            options.seed = value;
        else if (strcmp(argv[i], "--rounds") == 0)
            options.rounds = value;
        else if (strcmp(argv[i], "--steps") == 0)
            options.steps = value;
        else if (strcmp(argv[i], "--only") == 0)
            options.only = (int64_t)value;
        else
            TEST_REQUIRE(!"an option that is known");
        i++;
    }
}

/* A whole round has something of everything; one that has not proves less than it says. */
static void print_counts(bool whole)
{
    const struct flow_counts *counts = &flow_counts;
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {
        {"flows", counts->flows},
        {"connections", counts->connections},
        {"of them resumed", counts->resumed},
        {"with a pre-shared key", counts->psks},
        {"tampered with", counts->tampered},
        {"closed in a handshake", counts->closed_inside},
        {"steps", counts->steps},
        {"records sealed", counts->sealed},
        {"records opened", counts->opened},
        {"incomplete", counts->incomplete},
        {"legs", counts->legs},
        {"with too little room", counts->rooms},
        {"later handshakes begun", counts->asked},
        {"at both ends at once", counts->crossed},
        {"renegotiations", counts->renegotiations},
        {"other credentials", counts->credentials},
        {"clients known", counts->shown},
        {"key updates", counts->key_updates},
        {"tickets", counts->tickets},
        {"early data sent", counts->early_sent},
        {"early data taken", counts->early_taken},
        {"comparisons", counts->checks},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        printf("%12llu %s\n", (unsigned long long)rows[i].count, rows[i].name);
        TEST_REQUIRE(!whole || rows[i].count > 0);
    }
}

static OsspiStatistics live(void)
{
    OsspiStatistics now = {.cbSize = sizeof(now)};

    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&now), SEC_E_OK);
    return now;
}

/* A worker may still hold what a call has freed. */
static void require_nothing_left(void)
{
    for (int i = 0; i < 10000; i++) {
        const OsspiStatistics now = live();

        if (now.live_contexts == 0 && now.live_credentials == 0 && now.live_async_contexts == 0 &&
            now.live_completion_queues == 0)
            return;
        usleep(1000);
    }
    TEST_REQUIRE(!"everything was freed");
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    peer_trust("ca");
    signal(SIGABRT, on_abort);
    printf("seed %llu, %llu rounds of %u flows, %llu steps\n", (unsigned long long)options.seed,
           (unsigned long long)options.rounds, KINDS, (unsigned long long)options.steps);
    fflush(NULL);
    for (uint64_t round = 0; round < options.rounds; round++) {
        test_watchdog(110); /* each */
        run_round(round);
    }
    SslEmptyCacheA(NULL, 0);
    require_nothing_left();
    print_counts(!TEST_SANITIZED && options.only < 0 && options.seed == 1);
    return 0;
}
