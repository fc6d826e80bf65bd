/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * sspi bench handshake: asynchronous handshakes against inline ones, and what each does to a loop.
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
#include "net.h"
#include "options.h"
#include "text.h"
#include "tls.h"

#define ROUNDS_MAX 101

static const char help[] =
    "Usage: sspi bench handshake --cert FILE [--key FILE] [OPTION...]\n"
    "\n"
    "Makes full TLS handshakes, client and server in one process through memory, in two ways: "
    "inline\n"
    "(synchronous calls on one thread) and asynchronously (the calls run on the library's "
    "workers,\n"
    "the thread drains a completion queue). Shows handshakes per second, CPU time, and by how "
    "much\n"
    "a 1 ms ticker on that thread was late. Both forms do the same work, in alternating rounds.\n"
    "\n"
    "  --cert FILE        the server's certificate with its chain, PEM (required)\n"
    "  --key FILE         its key, PEM; default: in the same file\n"
    "  --password SOURCE  of the key: pass:TEXT, env:NAME or file:PATH\n"
    "  --ca FILE          let the client verify against these roots; without it neither form "
    "verifies\n"
    "  --name NAME        name that the certificate is for, default localhost\n"
    "  --tls 1.2|1.3      only this version\n"
    "  --count N          handshakes a round, default 200\n"
    "  --live N           handshakes at a time, default 64\n"
    "  --rounds N         rounds of each form, default 5\n"
    "  --seconds N        begin no new round after this time, default 60\n"
    "  --workers N        threads for asynchronous calls; default: one per CPU\n"
    "  --json             as JSON\n"
    "\n"
    "Examples (a certificate to measure with; rsa:2048 instead of ec for RSA):\n"
    "  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \\\n"
    "      -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem\n"
    "  sspi bench handshake --cert cert.pem --key key.pem --ca cert.pem\n"
    "  sspi bench handshake --cert cert.pem --key key.pem --count 200 --live 200 --workers 1\n"
    "\n" TOOL_EXIT_HELP;

struct arguments {
    struct tls_options server, client;
    const char *ca, *name;
    unsigned count, live, rounds, seconds, workers;
    bool json;
};

/* One form, over all its rounds. */
struct form {
    struct bench_round rounds[ROUNDS_MAX];
    struct bench_delays delays;
};

struct measurement {
    struct form inline_form, async_form;
    unsigned rounds; /* done, of each form */
};

/* --- Statistics ----------------------------------------------------------------------------------
 */

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static int compare_delays(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof(values[0]), compare_doubles);
    return count == 0 ? 0 : (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static double median_rate(const struct form *form, unsigned rounds, unsigned count)
{
    double values[ROUNDS_MAX];
    for (unsigned i = 0; i < rounds; i++)
        values[i] = count / form->rounds[i].seconds;
    return median(values, rounds);
}

static double median_cpu(const struct form *form, unsigned rounds, unsigned count)
{
    double values[ROUNDS_MAX];
    for (unsigned i = 0; i < rounds; i++)
        values[i] = (double)form->rounds[i].cpu_us / count;
    return median(values, rounds);
}

/* In milliseconds; the delays are sorted. */
static double delay_at(const struct bench_delays *delays, double share)
{
    if (delays->count == 0)
        return 0;
    size_t index = (size_t)(share * (double)(delays->count - 1) + 0.5);
    return delays->values[index] / 1000.0;
}

static double longest_call(const struct form *form, unsigned rounds)
{
    uint64_t longest = 0;
    for (unsigned i = 0; i < rounds; i++) {
        if (form->rounds[i].longest_call_us > longest)
            longest = form->rounds[i].longest_call_us;
    }
    return (double)longest / 1000.0;
}

/* --- Report --------------------------------------------------------------------------------------
 */

/* The numbers that are shown, in this order; values of both forms. */
struct figure {
    const char *name, *json_name;
    double inline_value, async_value;
};

#define FIGURES 6

static void make_figures(struct measurement *m, unsigned count, struct figure figures[FIGURES])
{
    struct form *a = &m->inline_form, *b = &m->async_form;
    qsort(a->delays.values, a->delays.count, sizeof(uint32_t), compare_delays);
    qsort(b->delays.values, b->delays.count, sizeof(uint32_t), compare_delays);
    figures[0] =
        (struct figure){"handshakes per second", "handshakes_per_second",
                        median_rate(a, m->rounds, count), median_rate(b, m->rounds, count)};
    figures[1] = (struct figure){"CPU per handshake, us", "cpu_us_per_handshake",
                                 median_cpu(a, m->rounds, count), median_cpu(b, m->rounds, count)};
    figures[2] = (struct figure){"loop late by, ms: median", "loop_delay_p50_ms",
                                 delay_at(&a->delays, 0.5), delay_at(&b->delays, 0.5)};
    figures[3] = (struct figure){"                  99 of 100", "loop_delay_p99_ms",
                                 delay_at(&a->delays, 0.99), delay_at(&b->delays, 0.99)};
    figures[4] = (struct figure){"                  at most", "loop_delay_max_ms",
                                 delay_at(&a->delays, 1), delay_at(&b->delays, 1)};
    figures[5] = (struct figure){"longest step on it, ms", "longest_step_ms",
                                 longest_call(a, m->rounds), longest_call(b, m->rounds)};
}

static void print_text(const struct arguments *arguments, const struct bench *bench,
                       const struct measurement *m, const struct figure figures[FIGURES])
{
    printf("%s, %s, %s; certificate %s\n", bench->facts.protocol, bench->facts.suite,
           bench->facts.group[0] ? bench->facts.group : "key exchange unknown",
           arguments->ca ? "verified by the client" : "not verified, in neither form");
    printf("%u handshakes a round, %u at a time; %u rounds of each form, alternating\n\n",
           arguments->count, arguments->live, m->rounds);
    printf("%-28s %12s %12s %14s\n", "", "inline", "asynchronous", "async/inline");
    for (unsigned i = 0; i < FIGURES; i++) {
        const struct figure *figure = &figures[i];
        printf("%-28s %12.*f %12.*f", figure->name, figure->inline_value >= 100 ? 0 : 2,
               figure->inline_value, figure->async_value >= 100 ? 0 : 2, figure->async_value);
        if (figure->inline_value > 0)
            printf(" %13.3fx\n", figure->async_value / figure->inline_value);
        else
            printf(" %14s\n", "-");
    }
}

static bool print_json(const struct arguments *arguments, const struct bench *bench,
                       const struct measurement *m, const struct figure figures[FIGURES])
{
    json_t *root = json_pack("{s:i, s:i, s:i, s:b}", "count", (int)arguments->count, "live",
                             (int)arguments->live, "rounds", (int)m->rounds, "verified",
                             arguments->ca != NULL);
    bool done = root && facts_json(&bench->facts, root);
    for (unsigned i = 0; done && i < FIGURES; i++) {
        const struct figure *figure = &figures[i];
        json_t *value =
            json_pack("{s:f, s:f}", "inline", figure->inline_value, "async", figure->async_value);
        if (value && figure->inline_value > 0)
            json_object_set_new(value, "ratio",
                                json_real(figure->async_value / figure->inline_value));
        done = json_object_set_new(root, figure->json_name, value) == 0;
    }
    done = done && json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0 &&
           putchar('\n') != EOF;
    json_decref(root);
    return done;
}

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

static int measure(const struct arguments *arguments, struct bench *bench, struct measurement *m)
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
        struct form *forms[2] = {&m->inline_form, &m->async_form};
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

static int report(const struct arguments *arguments, const struct bench *bench,
                  struct measurement *m)
{
    struct figure figures[FIGURES];
    make_figures(m, arguments->count, figures);
    if (!arguments->json) {
        print_text(arguments, bench, m, figures);
    } else if (!print_json(arguments, bench, m, figures)) {
        text_complain("the report could not be printed");
        return TOOL_LOCAL;
    }
    return TOOL_OK;
}

static int run(struct arguments *arguments)
{
    int code = tls_configure(arguments->ca, arguments->workers);
    struct bench bench = {.live = arguments->live, .target = arguments->name};
    if (!arguments->ca) {
        bench.client_flags = ISC_REQ_MANUAL_CRED_VALIDATION;
        arguments->client.flags |= SCH_CRED_MANUAL_CRED_VALIDATION;
    }
    SecInvalidateHandle(&bench.client);
    SecInvalidateHandle(&bench.server);
    if (code == TOOL_OK)
        code = tls_acquire(&arguments->server, &bench.server);
    if (code == TOOL_OK)
        code = tls_acquire(&arguments->client, &bench.client);
    SECURITY_STATUS status = code == TOOL_OK ? OsspiCreateCompletionQueue(&bench.queue) : SEC_E_OK;
    if (status != SEC_E_OK) {
        text_complain_status("cannot make a completion queue", status, NULL);
        code = TOOL_LOCAL;
    }
    struct measurement *m = calloc(1, sizeof(*m));
    if (code == TOOL_OK && !m) {
        text_complain("out of memory");
        code = TOOL_LOCAL;
    }
    if (code == TOOL_OK)
        code = measure(arguments, &bench, m);
    if (code == TOOL_OK)
        code = report(arguments, &bench, m);
    if (m) {
        free(m->inline_form.delays.values);
        free(m->async_form.delays.values);
    }
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

int cmd_bench(int argc, char **argv)
{
    const char *what = NULL;
    struct arguments arguments = {
        .server = {.server = true, .flags = SCH_CRED_DISABLE_RECONNECTS},
        .name = "localhost",
        .count = 200,
        .live = 64,
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
        {"rounds", OPTION_NUMBER, &arguments.rounds, 1, ROUNDS_MAX},
        {"seconds", OPTION_NUMBER, &arguments.seconds, 1, 86400},
        {"workers", OPTION_NUMBER, &arguments.workers, 1, 1024},
        {"json", OPTION_FLAG, &arguments.json, 0, 0},
        {NULL, OPTION_FLAG, NULL, 0, 0},
    };
    const struct option_set set = {"bench", help, specs, &what, 1, 1};
    int code = options_read(&set, argc, argv);
    if (code != OPTIONS_GO)
        return code;
    if (strcmp(what, "handshake") != 0)
        return text_usage("bench", "there is no benchmark '%s', only 'handshake'", what);
    if (!arguments.server.cert)
        return text_usage("bench", "the server needs a certificate: --cert FILE. The help says "
                                   "how to make one");
    arguments.client.version = arguments.server.version;
    arguments.client.flags |= SCH_CRED_NO_DEFAULT_CREDS;
    return run(&arguments);
}
