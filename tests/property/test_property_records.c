/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Records, in any order of events, with peers that are not ours; see property.h.
 *
 *     test_property_records [--seed N] [--rounds N] [--steps N] [--only N] [--verbose]
 *
 * A round is a connection of every kind: OpenSSL and GnuTLS, client and server, TLS 1.2 and 1.3,
 * each suite; with random steps, resumed where our end is the client, with threads, and tampered
 * with. The seed (also OSSPI_PROPERTY_SEED) decides everything but how threads meet. A failure says
 * how to repeat the one connection that failed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "property/property.h"

enum mode { MODE_STEPS, MODE_TAMPER, MODE_THREADS, MODES };

#define TAMPER_TIMES 4u                        /* one way to do harm each */
#define KINDS        (2u * FOREIGN_KINDS * 7u) /* sides, libraries, suites of both versions */

static struct {
    uint64_t seed, rounds, steps;
    int64_t only; /* the number of one connection, or negative */
    bool verbose;
} options = {.seed = 1, .rounds = 1, .steps = 60, .only = -1};

static char repeat_with[160]; /* what on_abort prints */

static void on_abort(int signal_number)
{
    ssize_t ignored = write(STDERR_FILENO, repeat_with, strlen(repeat_with));

    (void)signal_number;
    (void)ignored;
}

/* ---- one connection ---- */

static struct foreign_setup setup_of(unsigned kind, struct property *draw)
{
    const unsigned suite = kind / (2 * FOREIGN_KINDS);
    struct foreign_setup setup = {
        .kind = kind % FOREIGN_KINDS,
        .server = kind / FOREIGN_KINDS % 2 == 1,
        .tls13 = suite >= FOREIGN_SUITES,
        .suite = suite % FOREIGN_SUITES,
    };

    if (setup.suite == FOREIGN_AES_128_CBC)
        setup.mac_then_encrypt = property_pick(draw, 2) == 1;
    if (setup.tls13 && property_pick(draw, 4) == 0)
        setup.padding = 1 + property_pick(draw, 300);
    return setup;
}

/* Everything that the peer has issued has arrived by now. */
static void resume(struct property *run)
{
    property_again(run);
    TEST_REQUIRE((run->facts.session.dwFlags & SSL_SESSION_RECONNECT) != 0);
    property_counts.resumed++;
    property_steps(run, (unsigned)options.steps / 4);
    property_close(run);
}

static void connect_one(uint64_t number, unsigned kind, enum mode mode)
{
    struct property draw = {.random = options.seed * UINT64_C(0x100000001B3) + number};
    const struct foreign_setup setup = setup_of(kind, &draw);
    struct property run;

    if (options.verbose)
        printf("%llu: %s %s, TLS 1.%d, suite %d, mode %d\n", (unsigned long long)number,
               setup.kind == FOREIGN_OPENSSL ? "OpenSSL" : "GnuTLS",
               setup.server ? "server" : "client", setup.tls13 ? 3 : 2, setup.suite, mode);
    fflush(NULL);
    property_open(&run, draw.random, &setup);
    if (mode == MODE_TAMPER) {
        property_steps(&run, (unsigned)options.steps / 4);
        property_tamper(&run);
    } else {
        if (mode == MODE_THREADS)
            property_threads(&run);
        else
            property_steps(&run, (unsigned)options.steps);
        property_close(&run);
        if (setup.server && mode == MODE_STEPS && !run.peer_is_over)
            resume(&run);
    }
    property_free(&run);
}

static void run_round(uint64_t round)
{
    const unsigned each = 1 + TAMPER_TIMES + 1;

    for (unsigned i = 0; i < KINDS * each; i++) {
        const uint64_t number = round * KINDS * each + i;
        const unsigned turn = i % each;

        if (options.only >= 0 && (uint64_t)options.only != number)
            continue;
        if (TEST_SANITIZED && options.only < 0 && turn > 2 && turn < each - 1)
            continue; /* slow enough; the numbers stay those of the plain build */
        snprintf(repeat_with, sizeof(repeat_with),
                 "to repeat: --seed %llu --steps %llu --rounds %llu --only %llu\n",
                 (unsigned long long)options.seed, (unsigned long long)options.steps,
                 (unsigned long long)(round + 1), (unsigned long long)number);
        connect_one(number, i / each,
                    turn == 0          ? MODE_STEPS
                    : turn == each - 1 ? MODE_THREADS
                                       : MODE_TAMPER);
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

static void print_counts(void)
{
    const struct property_counts *counts = &property_counts;
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {
        {"connections", counts->connections},
        {"of them resumed", counts->resumed},
        {"tampered with", counts->tampered},
        {"with threads", counts->threads},
        {"steps", counts->steps},
        {"records sealed", counts->sealed},
        {"records opened", counts->opened},
        {"incomplete", counts->incomplete},
        {"renegotiate", counts->posts},
        {"legs", counts->legs},
        {"key updates", counts->key_updates},
        {"tickets", counts->tickets},
        {"renegotiations", counts->renegotiations},
        {"warnings", counts->warnings},
        {"queries", counts->queries},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        printf("%12llu %s\n", (unsigned long long)rows[i].count, rows[i].name);
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    peer_trust("ca");
    signal(SIGABRT, on_abort);
    printf("seed %llu, %llu rounds of %u connections, %llu steps\n",
           (unsigned long long)options.seed, (unsigned long long)options.rounds,
           KINDS * (2 + TAMPER_TIMES), (unsigned long long)options.steps);
    fflush(NULL);
    for (uint64_t round = 0; round < options.rounds; round++) {
        test_watchdog(110); /* each */
        run_round(round);
    }
    print_counts();
    return 0;
}
