/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What all benches share; see common.h. The options and the CPUs are read on the main thread before
 * there are others; everything else may be called from any thread.
 */
#include "common.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>

#include <openssl/crypto.h>
#include <uv.h>

static cpu_set_t usable; /* constant after bench_options_read */

/* --- Options --- */

static void print_help(const char *program, const char *about)
{
    printf("Usage: %s [OPTION...]\n\n%s\n\n"
           "  --quick        about a tenth of the rounds\n"
           "  --tiny         only to see whether it works\n"
           "  --rounds N     rounds of each group\n"
           "  --only TEXT    groups whose name contains TEXT\n"
           "  --json FILE    results as JSON too; '-': instead of the table, on standard output\n"
           "  --side NAME    this side alone, in this process, as a profiler wants it\n"
           "  --folder DIR   make the certificates there, or use those of an earlier run\n",
           program, about);
}

struct bench_options bench_options_read(int argc, char **argv, const char *about)
{
    static const struct option names[] = {
        {"quick", no_argument, NULL, 'q'},
        {"tiny", no_argument, NULL, 't'},
        {"rounds", required_argument, NULL, 'r'},
        {"only", required_argument, NULL, 'o'},
        {"json", required_argument, NULL, 'j'},
        {"folder", required_argument, NULL, 'f'},
        {"side", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct bench_options options = {.size = BENCH_FULL};
    int letter;

    CPU_ZERO(&usable);
    if (sched_getaffinity(0, sizeof(usable), &usable) != 0)
        bench_die("which CPUs are there? %s", strerror(errno));
    while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (letter) {
        case 'q':
            options.size = BENCH_QUICK;
            break;
        case 't':
            options.size = BENCH_TINY;
            break;
        case 'r':
            options.rounds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'o':
            options.only = optarg;
            break;
        case 'j':
            options.json = optarg;
            break;
        case 's':
            options.side = optarg;
            break;
        case 'f':
            options.folder = optarg;
            break;
        case 'h':
            print_help(argv[0], about);
            exit(0);
        default:
            exit(2);
        }
    }
    if (optind < argc)
        bench_die("what is '%s'? See --help", argv[optind]);
    return options;
}

unsigned bench_choose(const struct bench_options *options, unsigned tiny, unsigned quick,
                      unsigned full)
{
    return options->size == BENCH_TINY ? tiny : options->size == BENCH_QUICK ? quick : full;
}

unsigned bench_rounds(const struct bench_options *options, unsigned tiny, unsigned quick,
                      unsigned full)
{
    return options->rounds ? options->rounds : bench_choose(options, tiny, quick, full);
}

void bench_die(const char *format, ...)
{
    va_list arguments;

    fputs("bench: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/* --- Time and CPUs --- */

int64_t bench_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t bench_cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

unsigned bench_cpu_count(void)
{
    return (unsigned)CPU_COUNT(&usable);
}

void bench_pin(unsigned nth)
{
    cpu_set_t one;

    nth %= bench_cpu_count();
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &usable) && nth-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof(one), &one);
            return;
        }
    }
}

void bench_unpin(void)
{
    sched_setaffinity(0, sizeof(usable), &usable);
}

void bench_pool_size(unsigned threads)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", threads);
    setenv("UV_THREADPOOL_SIZE", text, 1);
}

/* --- Statistics --- */

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

void bench_sort(double *values, size_t count)
{
    if (count > 0)
        qsort(values, count, sizeof(values[0]), compare);
}

double bench_quantile(const double *sorted, size_t count, double share)
{
    double place;
    size_t below;

    if (count == 0)
        return 0;
    place = share * (double)(count - 1);
    below = (size_t)place;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

struct bench_summary bench_summarize(double *values, size_t count)
{
    bench_sort(values, count);
    return (struct bench_summary){
        .median = bench_quantile(values, count, 0.5),
        .q1 = bench_quantile(values, count, 0.25),
        .q3 = bench_quantile(values, count, 0.75),
    };
}

/* --- Report --- */

/* Cut to fit. */
static void copy_text(char *ret_text, size_t size, const char *text)
{
    size_t len = strnlen(text, size - 1);

    memcpy(ret_text, text, len);
    ret_text[len] = '\0';
}

/* What stands behind `key` and a colon in a file of such lines, or in its first line (key ""). */
static void read_line(const char *path, const char *key, char *ret_text, size_t size)
{
    FILE *file = fopen(path, "re");
    char line[512];

    copy_text(ret_text, size, "unknown");
    if (!file)
        return;
    while (fgets(line, sizeof(line), file)) {
        const char *colon = strchr(line, ':');

        line[strcspn(line, "\n")] = '\0';
        if (key[0] == '\0') {
            copy_text(ret_text, size, line);
            break;
        }
        if (strncmp(line, key, strlen(key)) == 0 && colon) {
            copy_text(ret_text, size, colon + 1 + strspn(colon + 1, " \t"));
            break;
        }
    }
    fclose(file);
}

json_t *bench_machine(void)
{
    char cpu[256], governor[64], memory[64];
    struct utsname system;
    double load = 0;
    json_t *machine;

    read_line("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
    read_line("/proc/meminfo", "MemTotal", memory, sizeof(memory));
    read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "", governor,
              sizeof(governor));
    uname(&system);
    (void)getloadavg(&load, 1);
    machine = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:f}", "cpu", cpu, "cpus",
                        (int)bench_cpu_count(), "memory", memory, "kernel", system.release,
                        "governor", governor, "openssl", OpenSSL_version(OPENSSL_VERSION_STRING),
                        "libuv", uv_version_string(), "compiler", __VERSION__, "load", load);
    if (!machine)
        bench_die("out of memory");
    return machine;
}

void bench_print_machine(const json_t *machine)
{
    printf("%s, %lld CPUs, Linux %s, governor %s, OpenSSL %s, libuv %s, compiler %s; load %.1f\n",
           json_string_value(json_object_get(machine, "cpu")),
           (long long)json_integer_value(json_object_get(machine, "cpus")),
           json_string_value(json_object_get(machine, "kernel")),
           json_string_value(json_object_get(machine, "governor")),
           json_string_value(json_object_get(machine, "openssl")),
           json_string_value(json_object_get(machine, "libuv")),
           json_string_value(json_object_get(machine, "compiler")),
           json_real_value(json_object_get(machine, "load")));
}

void bench_write(const struct bench_options *options, json_t *results)
{
    size_t flags = JSON_INDENT(1) | JSON_REAL_PRECISION(6);
    int status = 0;

    if (options->json && strcmp(options->json, "-") == 0)
        status = json_dumpf(results, stdout, flags);
    else if (options->json)
        status = json_dump_file(results, options->json, flags);
    if (status != 0 || fflush(stdout) != 0)
        bench_die("the results cannot be written");
    json_decref(results);
}
