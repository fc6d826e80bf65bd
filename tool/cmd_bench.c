/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * sspi bench: asynchronous handshakes against inline ones, what each does to a loop, how that goes
 * with the number of them, and what a trivial call costs.
 *
 * Rounds of both forms alternate within one run, so that a machine that gets slower or faster hits
 * both alike; what is printed are medians over rounds, and ratios beside absolute numbers.
 */
#include "tool.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <opensspi.h>

#include "bench.h"
#include "bench_dispatch.h"
#include "bench_report.h"
#include "net.h"
#include "options.h"
#include "text.h"
#include "tls.h"

static const char help[] =
    "Usage: sspi bench handshake|loop|scale --cert FILE [--key FILE] [OPTION...]\n"
    "       sspi bench dispatch [OPTION...]\n"
    "\n"
    "handshake  makes full TLS handshakes, client and server in one process through memory, "
    "inline\n"
    "           (synchronous calls on one thread) and asynchronously (the calls run on the\n"
    "           library's workers, the thread drains a completion queue). Shows handshakes per\n"
    "           second, CPU time, and by how much a 1 ms ticker on that thread was late\n"
    "loop       the same with 200 handshakes at a time: what they do to an event loop\n"
    "scale      the same with 1, 10, 100 ... handshakes at a time, up to --live\n"
    "dispatch   makes the cheapest call there is against uv_queue_work with an empty function;\n"
    "           needs no certificate\n"
    "\n"
    "All forms do the same work, in alternating rounds; who begins alternates too. Numbers are\n"
    "medians over rounds. Comparisons with OpenSSL used directly need more than this command:\n"
    "script/bench of the sources makes them.\n"
    "\n"
    "  --cert FILE        the server's certificate with its chain, PEM (required)\n"
    "  --key FILE         its key, PEM; default: in the same file\n"
    "  --password SOURCE  of the key: pass:TEXT, env:NAME or file:PATH\n"
    "  --ca FILE          let the client verify against these roots; without it neither form "
    "verifies\n"
    "  --name NAME        name that the certificate is for, default localhost\n"
    "  --tls 1.2|1.3      only this version\n"
    "  --count N          handshakes or calls a round; default 200 handshakes, 20000 calls\n"
    "  --live N           handshakes or calls at a time; default 64, loop 200, scale and\n"
    "                     dispatch 1000\n"
    "  --rounds N         rounds of each form, default 5\n"
    "  --seconds N        begin no new round after this time, default 60; of scale: in each step\n"
    "  --workers N        threads for asynchronous calls; default: one per CPU\n"
    "  --json             as JSON\n"
    "\n"
    "Examples (a certificate to measure with; rsa:2048 instead of ec for RSA):\n"
    "  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \\\n"
    "      -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem\n"
    "  sspi bench handshake --cert cert.pem --key key.pem --ca cert.pem\n"
    "  sspi bench loop --cert cert.pem --key key.pem --workers 1\n"
    "  sspi bench dispatch --live 1 --count 2000\n"
    "\n" TOOL_EXIT_HELP;

struct arguments {
    struct tls_options server, client;
    const char *ca, *name;
    unsigned count, live, rounds, seconds, workers;
    bool json, scale;
};

/* --- Measuring -----------------------------------------------------------------------------------
 */

static int run_round(struct bench *bench, bool async, unsigned count, struct bench_delays *delays,
                     struct bench_round *round)
{
    if (!bench_run(bench, async, count, delays, round)) {
        text_complain("out of memory");
        return TOOL_LOCAL;
    }
    if (round->failure == SEC_E_OK)
        return TOOL_OK;
    text_complain_status(async ? "an asynchronous handshake failed" : "an inline handshake failed",
                         round->failure, NULL);
    if (round->detail[0])
        fprintf(stderr, "  detail:  %s\n", round->detail);
    return TOOL_FAILED;
}

static int measure(const struct arguments *arguments, struct bench *bench,
                   struct bench_measurement *m)
{
    /* Threads, shards and caches come into being here, not in the first round. */
    struct bench_round warm_up;
    unsigned few = arguments->count < 32 ? arguments->count : 32;
    int code = run_round(bench, false, few, NULL, &warm_up);
    if (code == TOOL_OK)
        code = run_round(bench, true, few, NULL, &warm_up);

    int64_t end_ms = net_now_ms() + arguments->seconds * INT64_C(1000);
    for (unsigned i = 0; i < arguments->rounds && code == TOOL_OK; i++) {
        if (i > 0 && net_now_ms() >= end_ms)
            break;
        struct bench_form *forms[2] = {&m->inline_form, &m->async_form};
        for (unsigned k = 0; k < 2 && code == TOOL_OK; k++) {
            bool async = (k + i) % 2 == 1; /* who begins alternates too */
            code = run_round(bench, async, arguments->count, &forms[async]->delays,
                             &forms[async]->rounds[i]);
        }
        if (code == TOOL_OK)
            m->rounds = i + 1;
    }
    return code;
}

static void clear(struct bench_measurement *m)
{
    free(m->inline_form.delays.values);
    free(m->async_form.delays.values);
    *m = (struct bench_measurement){.rounds = 0};
}

static int complain_print(void)
{
    text_complain("the report could not be printed");
    return TOOL_LOCAL;
}

/* --- handshake, loop -----------------------------------------------------------------------------
 */

static int report(const struct arguments *arguments, const struct bench *bench,
                  struct bench_measurement *m)
{
    struct bench_figure figures[BENCH_FIGURES];
    bench_figures(m, arguments->count, figures);
    if (!arguments->json) {
        bench_print_title(bench, arguments->ca != NULL);
        printf("%u handshakes a round, %u at a time; %u rounds of each form, alternating\n\n",
               arguments->count, arguments->live, m->rounds);
        bench_print_figures(figures);
        return TOOL_OK;
    }
    json_t *root = json_pack("{s:i, s:i, s:i, s:b}", "count", (int)arguments->count, "live",
                             (int)arguments->live, "rounds", (int)m->rounds, "verified",
                             arguments->ca != NULL);
    bool done = root && facts_json(&bench->facts, root) && bench_figures_json(figures, root);
    return bench_json_print(root) && done ? TOOL_OK : complain_print();
}

static int measure_once(const struct arguments *arguments, struct bench *bench,
                        struct bench_measurement *m)
{
    int code = measure(arguments, bench, m);
    if (code == TOOL_OK)
        code = report(arguments, bench, m);
    clear(m);
    return code;
}

/* --- scale ---------------------------------------------------------------------------------------
 */

static int report_step(const struct arguments *step, const struct bench *bench,
                       struct bench_measurement *m, json_t *steps)
{
    struct bench_figure figures[BENCH_FIGURES];
    bench_figures(m, step->count, figures);
    if (steps) {
        json_t *object = json_pack("{s:i, s:i, s:i}", "live", (int)step->live, "count",
                                   (int)step->count, "rounds", (int)m->rounds);
        bool done = bench_figures_json(figures, object);
        return json_array_append_new(steps, object) == 0 && done ? TOOL_OK : complain_print();
    }
    if (step->live == 1) {
        bench_print_title(bench, step->ca != NULL);
        printf("\n%8s %8s %14s %14s %14s %12s\n", "live", "rounds", "inline/s", "async/s",
               "async/inline", "p99 late");
    }
    printf("%8u %8u %14.0f %14.0f %13.3fx", step->live, m->rounds, figures[0].inline_value,
           figures[0].async_value, figures[0].async_value / figures[0].inline_value);
    if (figures[3].inline_value > 0)
        printf(" %11.3fx\n", figures[3].async_value / figures[3].inline_value);
    else
        printf(" %12s\n", "-");
    fflush(stdout);
    return TOOL_OK;
}

static int measure_steps(const struct arguments *arguments, struct bench *bench,
                         struct bench_measurement *m)
{
    struct arguments step = *arguments;
    json_t *steps = arguments->json ? json_array() : NULL;
    int code = TOOL_OK;
    for (unsigned live = 1; code == TOOL_OK;
         live = live * 10 > arguments->live ? arguments->live : live * 10) {
        bench->live = step.live = live;
        step.count = live > arguments->count ? live : arguments->count;
        code = measure(&step, bench, m);
        if (code == TOOL_OK)
            code = report_step(&step, bench, m, steps);
        clear(m);
        if (live >= arguments->live)
            break;
    }
    if (!arguments->json)
        return code;
    json_t *root = json_pack("{s:b, s:o}", "verified", arguments->ca != NULL, "steps", steps);
    bool done = root && facts_json(&bench->facts, root);
    if (code != TOOL_OK) {
        json_decref(root);
        return code;
    }
    return bench_json_print(root) && done ? TOOL_OK : complain_print();
}

/* --- The command ---------------------------------------------------------------------------------
 */

static int open_bench(struct arguments *arguments, struct bench *bench)
{
    int code = tls_configure(arguments->ca, arguments->workers);
    if (!arguments->ca) {
        bench->client_flags = ISC_REQ_MANUAL_CRED_VALIDATION;
        arguments->client.flags |= SCH_CRED_MANUAL_CRED_VALIDATION;
    }
    if (code == TOOL_OK)
        code = tls_acquire(&arguments->server, &bench->server);
    if (code == TOOL_OK)
        code = tls_acquire(&arguments->client, &bench->client);
    SECURITY_STATUS status = code == TOOL_OK ? OsspiCreateCompletionQueue(&bench->queue) : SEC_E_OK;
    if (status != SEC_E_OK) {
        text_complain_status("cannot make a completion queue", status, NULL);
        code = TOOL_LOCAL;
    }
    return code;
}

static int run(struct arguments *arguments)
{
    struct bench bench = {.live = arguments->live, .target = arguments->name};
    SecInvalidateHandle(&bench.client);
    SecInvalidateHandle(&bench.server);
    int code = open_bench(arguments, &bench);
    struct bench_measurement *m = calloc(1, sizeof(*m));
    if (code == TOOL_OK && !m) {
        text_complain("out of memory");
        code = TOOL_LOCAL;
    }
    if (code == TOOL_OK)
        code = arguments->scale ? measure_steps(arguments, &bench, m)
                                : measure_once(arguments, &bench, m);
    free(m);
    if (SecIsValidHandle(&bench.client))
        FreeCredentialsHandle(&bench.client);
    if (SecIsValidHandle(&bench.server))
        FreeCredentialsHandle(&bench.server);
    if (bench.queue)
        OsspiCloseCompletionQueue(bench.queue);
    OsspiShutdown(1000);
    return code;
}

static int run_dispatch(const struct arguments *arguments)
{
    const struct bench_dispatch_options options = {
        .in_flight = arguments->live,
        .count = arguments->count,
        .rounds = arguments->rounds,
        .seconds = arguments->seconds,
        .workers = arguments->workers,
        .json = arguments->json,
    };
    int code = tls_configure(NULL, arguments->workers);
    return code == TOOL_OK ? bench_dispatch(&options) : code;
}

/* What was not said on the command line. */
static void set_defaults(struct arguments *arguments, const char *what)
{
    bool dispatch = strcmp(what, "dispatch") == 0;
    if (arguments->count == 0)
        arguments->count = dispatch ? 20000 : 200;
    arguments->scale = strcmp(what, "scale") == 0;
    if (arguments->live == 0)
        arguments->live = dispatch || arguments->scale ? 1000
                          : strcmp(what, "loop") == 0  ? 200
                                                       : 64;
}

int cmd_bench(int argc, char **argv)
{
    const char *what = NULL;
    struct arguments arguments = {
        .server = {.server = true, .flags = SCH_CRED_DISABLE_RECONNECTS},
        .name = "localhost",
        .rounds = 5,
        .seconds = 60,
    };
    const struct option_spec specs[] = {
        {"cert", OPTION_TEXT, &arguments.server.cert, 0, 0},
        {"key", OPTION_TEXT, &arguments.server.key, 0, 0},
        {"password", OPTION_TEXT, &arguments.server.password, 0, 0},
        {"ca", OPTION_TEXT, &arguments.ca, 0, 0},
        {"name", OPTION_TEXT, &arguments.name, 0, 0},
        {"tls", OPTION_TLS, &arguments.server.version, 0, 0},
        {"count", OPTION_NUMBER, &arguments.count, 1, 1000000},
        {"live", OPTION_NUMBER, &arguments.live, 1, 30000},
        {"rounds", OPTION_NUMBER, &arguments.rounds, 1, BENCH_ROUNDS_MAX},
        {"seconds", OPTION_NUMBER, &arguments.seconds, 1, 86400},
        {"workers", OPTION_NUMBER, &arguments.workers, 1, 1024},
        {"json", OPTION_FLAG, &arguments.json, 0, 0},
        {NULL, OPTION_FLAG, NULL, 0, 0},
    };
    const struct option_set set = {"bench", help, specs, &what, 1, 1};
    int code = options_read(&set, argc, argv);
    if (code != OPTIONS_GO)
        return code;
    set_defaults(&arguments, what);
    if (strcmp(what, "dispatch") == 0)
        return run_dispatch(&arguments);
    if (strcmp(what, "handshake") != 0 && strcmp(what, "loop") != 0 && strcmp(what, "scale") != 0)
        return text_usage("bench",
                          "there is no benchmark '%s', only handshake, loop, scale and "
                          "dispatch",
                          what);
    if (!arguments.server.cert)
        return text_usage("bench", "the server needs a certificate: --cert FILE. The help says "
                                   "how to make one");
    arguments.client.version = arguments.server.version;
    arguments.client.flags |= SCH_CRED_NO_DEFAULT_CREDS;
    return run(&arguments);
}
