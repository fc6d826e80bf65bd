/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Sides in processes of their own; see side.h. The parent has one thread and has used neither
 * OpenSSL, libuv's pool nor the library when it forks.
 */
#include "side.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUND_LIMIT_MS 900000 /* a hundred thousand handshakes on a busy machine */

enum order { ORDER_CHECK, ORDER_WARM_UP, ORDER_ROUND };

/* The parent's end of a side. */
struct process {
    pid_t pid;
    int orders, results;
};

static bool transfer(int fd, void *bytes, size_t len, bool out)
{
    char *at = bytes;

    while (len > 0) {
        ssize_t moved = out ? write(fd, at, len) : read(fd, at, len);

        if (moved <= 0 && !(moved < 0 && errno == EINTR))
            return false;
        if (moved > 0) {
            at += moved;
            len -= (size_t)moved;
        }
    }
    return true;
}

/* --- The side's process --- */

_Noreturn static void side_main(const struct bench_group *group, const struct bench_side *side,
                                int orders, int results)
{
    unsigned char order;
    void *state;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    state = group->open(side->setup);
    while (transfer(orders, &order, 1, false)) {
        struct bench_result result = {.values = {0}};

        group->round(state, order == ORDER_CHECK, &result);
        if (!transfer(results, &result, sizeof(result), true))
            break;
    }
    /* Nothing is freed: what would be measured by that is how fast a process ends. */
    _exit(0);
}

/* --- The parent --- */

static void start(struct process *process, const struct bench_group *group,
                  const struct bench_side *side)
{
    int orders[2], results[2];

    if (pipe(orders) != 0 || pipe(results) != 0)
        bench_die("no pipe: %s", strerror(errno));
    fflush(NULL);
    process->pid = fork();
    if (process->pid < 0)
        bench_die("no process: %s", strerror(errno));
    if (process->pid == 0) {
        close(orders[1]);
        close(results[0]);
        side_main(group, side, orders[0], results[1]);
    }
    close(orders[0]);
    close(results[1]);
    process->orders = orders[1];
    process->results = results[0];
}

/* Later sides hold copies of the pipes of earlier ones: the last one ends first. */
static void stop_all(const struct process *processes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        close(processes[i].orders);
        close(processes[i].results);
    }
    for (unsigned i = 0; i < count; i++)
        waitpid(processes[i].pid, NULL, 0);
}

static void run_round(struct process *process, const struct bench_side *side, enum order order,
                      struct bench_result *ret_result)
{
    struct pollfd answer = {.fd = process->results, .events = POLLIN};
    unsigned char byte = (unsigned char)order;

    if (!transfer(process->orders, &byte, 1, true) || poll(&answer, 1, ROUND_LIMIT_MS) <= 0 ||
        !transfer(process->results, ret_result, sizeof(*ret_result), false)) {
        kill(process->pid, SIGKILL);
        bench_die("side %s ended or hangs", side->name);
    }
    if (ret_result->failed) {
        ret_result->detail[sizeof(ret_result->detail) - 1] = '\0';
        bench_die("side %s failed: %s", side->name, ret_result->detail);
    }
}

/* --- Results --- */

static bool prints(const struct bench_options *options)
{
    return !options->json || strcmp(options->json, "-") != 0;
}

struct table {
    struct bench_result *results; /* [round * sides + side] */
    unsigned rounds, sides;
};

static struct bench_summary summarize(const struct table *table, unsigned side, unsigned metric,
                                      int against)
{
    double *values = calloc(table->rounds, sizeof(*values));
    struct bench_summary summary;
    unsigned count = 0;

    if (!values)
        bench_die("out of memory");
    for (unsigned round = 0; round < table->rounds; round++) {
        const struct bench_result *row = table->results + (size_t)round * table->sides;
        double value = row[side].values[metric];

        if (against < 0)
            values[count++] = value;
        else if (row[against].values[metric] > 0)
            values[count++] = value / row[against].values[metric];
    }
    summary = bench_summarize(values, count);
    free(values);
    return summary;
}

static json_t *metric_json(const struct bench_group *group, const struct table *table,
                           unsigned index, unsigned i)
{
    const struct bench_side *side = &group->sides[index];
    struct bench_summary value = summarize(table, index, i, -1), ratio;
    double last = table->results[(size_t)(table->rounds - 1) * table->sides + index].values[i];
    json_t *metric = json_pack("{s:f, s:f, s:f, s:f}", "median", value.median, "q1", value.q1, "q3",
                               value.q3, "last", last);

    if (!metric) /* JSON knows no NaN */
        bench_die("%s: %s is not a number", side->name, group->metrics[i].name);
    if (side->against != (int)index) {
        ratio = summarize(table, index, i, side->against);
        json_object_update_new(metric, json_pack("{s:f, s:f, s:f}", "ratio", ratio.median,
                                                 "ratio_q1", ratio.q1, "ratio_q3", ratio.q3));
    }
    if (group->also[index] > 0) {
        ratio = summarize(table, index, i, group->also[index] - 1);
        json_object_update_new(metric, json_pack("{s:f, s:f, s:f}", "also", ratio.median, "also_q1",
                                                 ratio.q1, "also_q3", ratio.q3));
    }
    return metric;
}

static json_t *side_json(const struct bench_group *group, const struct table *table, unsigned index)
{
    const struct bench_side *side = &group->sides[index];
    json_t *metrics = json_object();
    json_t *result;

    for (unsigned i = 0; i < group->metric_count; i++)
        json_object_set_new(metrics, group->metrics[i].name, metric_json(group, table, index, i));
    result = json_pack("{s:s, s:s, s:s, s:o}", "name", side->name, "title", side->title, "against",
                       group->sides[side->against].name, "metrics", metrics);
    if (!result)
        bench_die("out of memory");
    if (group->also[index] > 0)
        json_object_set_new(result, "also", json_string(group->sides[group->also[index] - 1].name));
    return result;
}

/* Of many metrics only the medians find room. */
static bool is_wide(const struct bench_group *group)
{
    return group->metric_count <= 4;
}

static void print_cell(const struct bench_group *group, const struct table *table, unsigned side,
                       unsigned metric)
{
    struct bench_summary value = summarize(table, side, metric, -1);
    int against = group->sides[side].against;
    int decimals = group->metrics[metric].decimals;

    printf(is_wide(group) ? " %8.*f" : " %10.*f", decimals, value.median);
    if (is_wide(group))
        printf(" %6.*f", decimals, value.q3 - value.q1);
    if (against != (int)side) {
        struct bench_summary ratio = summarize(table, side, metric, against);

        printf(" %7.3fx", ratio.median);
        if (is_wide(group))
            printf(" %6.3f", ratio.q3 - ratio.q1);
    } else {
        printf(is_wide(group) ? " %8s %6s" : " %8s", "-", "");
    }
}

static void print_table(const struct bench_group *group, const struct table *table)
{
    bool wide = is_wide(group);

    printf("\n%s (%s; %u rounds)\n%-33s", group->title, group->name, table->rounds, "");
    for (unsigned i = 0; i < group->metric_count; i++)
        printf(wide ? " %15s %8s %6s" : " %10s %8s", group->metrics[i].title, "ratio", "");
    printf("  against\n");
    for (unsigned i = 0; i < group->metric_count && wide; i++)
        printf(i == 0 ? "%42s %6s %8s %6s" : " %8s %6s %8s %6s", "median", "iqr", "median", "iqr");
    printf(wide ? "\n" : "");
    for (unsigned side = 0; side < table->sides; side++) {
        printf("%-33s", group->sides[side].title);
        for (unsigned i = 0; i < group->metric_count; i++)
            print_cell(group, table, side, i);
        if (group->sides[side].against != (int)side)
            printf("  %s", group->sides[group->sides[side].against].name);
        if (group->also[side] > 0)
            printf("; %.3fx %s", summarize(table, side, 0, group->also[side] - 1).median,
                   group->sides[group->also[side] - 1].name);
        printf("\n");
    }
    fflush(stdout);
}

/* --- A group --- */

void bench_group_add(struct bench_group *group, struct bench_side side)
{
    if (group->side_count == BENCH_SIDES)
        bench_die("too many sides in %s", group->name);
    group->sides[group->side_count++] = side;
}

bool bench_wanted(const struct bench_options *options, const char *name)
{
    return !options->only || strstr(name, options->only) != NULL;
}

static void check_details(const struct bench_group *group, const struct bench_result *results)
{
    for (unsigned i = 1; group->same_detail && i < group->side_count; i++) {
        if (strcmp(results[i].detail, results[0].detail) != 0)
            bench_die("%s: sides do not do the same: %s \"%s\", %s \"%s\"", group->name,
                      group->sides[0].name, results[0].detail, group->sides[i].name,
                      results[i].detail);
    }
}

static void run_all(const struct bench_group *group, struct process *processes, struct table *table)
{
    unsigned sides = group->side_count;
    struct bench_result check[BENCH_SIDES], ignored;

    for (unsigned i = 0; i < sides; i++)
        run_round(&processes[i], &group->sides[i], ORDER_CHECK, &check[i]);
    check_details(group, check);
    for (unsigned i = 0; i < sides && !group->cold; i++)
        run_round(&processes[i], &group->sides[i], ORDER_WARM_UP, &ignored);
    for (unsigned round = 0; round < group->rounds; round++) {
        for (unsigned i = 0; i < sides; i++) {
            unsigned side = (i + round) % sides;

            run_round(&processes[side], &group->sides[side], ORDER_ROUND,
                      &table->results[(size_t)round * sides + side]);
        }
    }
    if (group->facts && check[0].detail[0])
        json_object_set_new(group->facts, "detail", json_string(check[0].detail));
}

/* For profilers: no other process, no comparison. */
_Noreturn static void run_alone(const struct bench_options *options,
                                const struct bench_group *group)
{
    for (unsigned i = 0; i < group->side_count; i++) {
        const struct bench_side *side = &group->sides[i];
        void *state;

        if (strcmp(side->name, options->side) != 0)
            continue;
        state = group->open(side->setup);
        for (unsigned round = 0; round <= group->rounds; round++) {
            struct bench_result result = {.values = {0}};

            group->round(state, round == 0, &result);
            for (unsigned k = 0; k < group->metric_count && round > 0; k++)
                printf("%s %.*f  ", group->metrics[k].title, group->metrics[k].decimals,
                       result.values[k]);
            printf("\n");
        }
        exit(0);
    }
    bench_die("%s has no side '%s'", group->name, options->side);
}

void bench_group_run(struct bench_program *program, struct bench_group *group)
{
    const struct bench_options *options = &program->options;
    struct process processes[BENCH_SIDES];
    struct table table = {.rounds = group->rounds, .sides = group->side_count};
    json_t *sides = json_array();
    json_t *result;

    if (options->side)
        run_alone(options, group);
    if (!group->facts)
        group->facts = json_object();
    table.results = calloc((size_t)table.rounds * table.sides + 1, sizeof(*table.results));
    if (!table.results || !sides || !group->facts)
        bench_die("out of memory");
    for (unsigned i = 0; i < group->side_count; i++)
        start(&processes[i], group, &group->sides[i]);
    run_all(group, processes, &table);
    stop_all(processes, group->side_count);
    for (unsigned i = 0; i < group->side_count; i++)
        json_array_append_new(sides, side_json(group, &table, i));
    if (prints(options))
        print_table(group, &table);
    free(table.results);
    result = json_pack("{s:s, s:s, s:i, s:o, s:o}", "name", group->name, "title", group->title,
                       "rounds", (int)group->rounds, "facts", group->facts, "sides", sides);
    if (!result)
        bench_die("out of memory");
    group->facts = NULL;
    json_array_append_new(program->groups, result);
}

/* --- The program --- */

struct bench_program bench_program_begin(int argc, char **argv, const char *about)
{
    struct bench_program program = {
        .options = bench_options_read(argc, argv, about),
        .groups = json_array(),
    };

    program.machine = bench_machine();
    if (prints(&program.options))
        bench_print_machine(program.machine);
    return program;
}

void bench_program_end(struct bench_program *program, const char *name)
{
    bench_write(&program->options, json_pack("{s:s, s:o, s:o}", "bench", name, "machine",
                                             program->machine, "groups", program->groups));
}

void bench_in_child(void (*run)(void *data), void *data)
{
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        run(data);
        fflush(NULL);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0)
        bench_die("a child of the bench failed");
}
