/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * DTLS over a line that loses, reorders, doubles, replays and damages datagrams; see datagram.h.
 *
 *     test_property_dtls [--seed N] [--rounds N] [--writes N] [--only N] [--self] [--verbose]
 *
 * A round has every pair of ends: ours with ours, and ours with OpenSSL and GnuTLS at either side;
 * each with ECDSA and RSA, with and without a client certificate, and each suite. Each pair
 * connects, connects again and must resume, and connects over a line that also changes what is not
 * protected, where the handshake may fail but nothing else may happen. MTU, rates and what is
 * written when are drawn. --self has OpenSSL and GnuTLS alone, to prove the line and not us.
 *
 * The seed (also OSSPI_PROPERTY_SEED) decides all that is drawn; keys and signatures differ from
 * run to run. A failure says how to repeat the one pair that failed.
 */
#include <malloc.h>
#include <opensspi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "property/datagram.h"

#define PAIRS             5u
#define SELF_PAIRS        4u
#define KINDS             (PAIRS * 2u * 2u * DATAGRAM_SUITES)
#define LEAST_MTU         200u
#define ROUNDS_OF_GROWTH  8u
#define MOST_GROWTH       50000u /* bytes in a round, which has 180 connections */
#define MOST_MTU          1500u
#define FOREIGN_LEAST_MTU 256u /* OpenSSL takes no less */

static struct {
    uint64_t seed, rounds, writes;
    int64_t only; /* the number of one pair, or negative */
    bool self, verbose;
} options = {.seed = 1, .rounds = TEST_SANITIZED ? 1 : 3, .writes = 60, .only = -1};

static char repeat_with[160]; /* what on_abort prints */

static void on_abort(int signal_number)
{
    ssize_t ignored = write(STDERR_FILENO, repeat_with, strlen(repeat_with));

    (void)signal_number;
    (void)ignored;
}

/* ---- one pair ---- */

static unsigned draw_mtu(struct datagram_run *draw, enum datagram_kind kind)
{
    const unsigned least = kind == DATAGRAM_OURS ? LEAST_MTU : FOREIGN_LEAST_MTU;

    if (datagram_pick(draw, 4) == 0)
        return datagram_pick(draw, 2) ? least : MOST_MTU;
    return least + (unsigned)datagram_pick(draw, MOST_MTU - least + 1);
}

static struct datagram_setup setup_of(unsigned kind, struct datagram_run *draw)
{
    static const enum datagram_kind pairs[PAIRS][2] = {
        {DATAGRAM_OURS, DATAGRAM_OURS},    {DATAGRAM_OURS, DATAGRAM_OPENSSL},
        {DATAGRAM_OPENSSL, DATAGRAM_OURS}, {DATAGRAM_OURS, DATAGRAM_GNUTLS},
        {DATAGRAM_GNUTLS, DATAGRAM_OURS},
    };
    static const enum datagram_kind self_pairs[SELF_PAIRS][2] = {
        {DATAGRAM_OPENSSL, DATAGRAM_OPENSSL},
        {DATAGRAM_OPENSSL, DATAGRAM_GNUTLS},
        {DATAGRAM_GNUTLS, DATAGRAM_OPENSSL},
        {DATAGRAM_GNUTLS, DATAGRAM_GNUTLS},
    };
    const enum datagram_kind *pair =
        options.self ? self_pairs[kind % PAIRS % SELF_PAIRS] : pairs[kind % PAIRS];
    struct datagram_setup setup = {
        .kinds = {pair[0], pair[1]},
        .rsa = kind / PAIRS % 2 == 1,
        .client_certificate = kind / PAIRS / 2 % 2 == 1,
        .suite = kind / PAIRS / 4,
    };

    setup.asks = !setup.client_certificate && datagram_pick(draw, 3) == 0;
    for (int side = 0; side < 2; side++)
        setup.mtus[side] = draw_mtu(draw, setup.kinds[side]);
    return setup;
}

static void connect_pair(uint64_t number, unsigned kind)
{
    static const char *const names[] = {"OpenSSPI", "OpenSSL", "GnuTLS"};
    struct datagram_run draw = {.random = options.seed * UINT64_C(0x100000001B3) + number};
    const struct datagram_setup setup = setup_of(kind, &draw);
    struct datagram_plan plan = {.writes = (unsigned)options.writes};
    struct datagram_run run;

    if (options.verbose)
        printf("%llu: %s client, %s server, %s%s, suite %d, MTU %u and %u\n",
               (unsigned long long)number, names[setup.kinds[0]], names[setup.kinds[1]],
               setup.rsa ? "RSA" : "ECDSA", setup.client_certificate ? " both" : "", setup.suite,
               setup.mtus[0], setup.mtus[1]);
    fflush(NULL);
    datagram_open(&run, draw.random, &setup);
    plan.resumes = datagram_connect(&run, &plan);
    (void)datagram_connect(&run, &plan);
    plan.mangles = true;
    (void)datagram_connect(&run, &plan);
    datagram_free(&run);
}

static void run_round(uint64_t round)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        const uint64_t number = round * KINDS + kind;

        if (options.only >= 0 && (uint64_t)options.only != number)
            continue;
        snprintf(repeat_with, sizeof(repeat_with),
                 "to repeat: --seed %llu --writes %llu --rounds %llu --only %llu%s\n",
                 (unsigned long long)options.seed, (unsigned long long)options.writes,
                 (unsigned long long)(round + 1), (unsigned long long)number,
                 options.self ? " --self" : "");
        connect_pair(number, kind);
    }
}

/* ---- around ---- */

static bool parse_flag(const char *word)
{
    if (strcmp(word, "--verbose") == 0)
        options.verbose = true;
    else if (strcmp(word, "--self") == 0)
        options.self = true;
    else
        return false;
    return true;
}

static void parse(int argc, char **argv)
{
    const char *seed = getenv("OSSPI_PROPERTY_SEED");

    if (seed)
        options.seed = strtoull(seed, NULL, 0);
    for (int i = 1; i < argc; i++) {
        const uint64_t value = i + 1 < argc ? strtoull(argv[i + 1], NULL, 0) : 0;

        if (parse_flag(argv[i]))
            continue;
        if (strcmp(argv[i], "--seed") == 0)
            options.seed = value;
        else if (strcmp(argv[i], "--rounds") == 0)
            options.rounds = value;
        else if (strcmp(argv[i], "--writes") == 0)
            options.writes = value;
        else if (strcmp(argv[i], "--only") == 0)
            options.only = (int64_t)value;
        else
            TEST_REQUIRE(!"an option that is known");
        i++;
    }
}

static void print_counts(void)
{
    const struct datagram_counts *counts = &datagram_counts;
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {
        {"connections", counts->connections},
        {"of them resumed", counts->resumed},
        {"that did not get through", counts->gone},
        {"of them stuck in GnuTLS", counts->stuck},
        {"datagrams sent", counts->sent},
        {"lost", counts->lost},
        {"late", counts->late},
        {"doubled", counts->doubled},
        {"replayed", counts->replayed},
        {"damaged", counts->damaged},
        {"of strangers and forged", counts->foreign},
        {"mangled in the clear", counts->mangled},
        {"timers that expired", counts->retransmissions},
        {"records of ours looked at", counts->records},
        {"messages written", counts->written},
        {"messages arrived", counts->arrived},
        {"records without data", counts->dropped},
        {"asked for a certificate in vain", counts->told},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        printf("%12llu %s\n", (unsigned long long)rows[i].count, rows[i].name);
}

static void require_nothing_alive(void)
{
    OsspiStatistics now = {.cbSize = sizeof(now)};

    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&now), SEC_E_OK);
    TEST_REQUIRE_EQUAL(now.live_contexts, 0);
    TEST_REQUIRE_EQUAL(now.live_credentials, 0);
    TEST_REQUIRE_EQUAL(now.live_async_contexts, 0);
}

/* Some rounds long the library's caches fill (a shard for each thread); then nothing grows any more
 * that is not lost. */
static void require_no_growth(uint64_t round)
{
    static size_t before; /* guarded by there being one thread */
    const size_t now = mallinfo2().uordblks;

    if (!TEST_SANITIZED && round >= ROUNDS_OF_GROWTH)
        TEST_REQUIRE(now < before + MOST_GROWTH);
    before = now;
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    peer_trust("ca");
    signal(SIGABRT, on_abort);
    printf("seed %llu, %llu rounds of %u pairs, %llu messages\n", (unsigned long long)options.seed,
           (unsigned long long)options.rounds, KINDS, (unsigned long long)options.writes);
    fflush(NULL);
    for (uint64_t round = 0; round < options.rounds; round++) {
        test_watchdog(110); /* each */
        run_round(round);
        require_nothing_alive();
        require_no_growth(round);
    }
    print_counts();
    TEST_REQUIRE(datagram_counts.stuck * 5 <= datagram_counts.connections);
    return 0;
}
