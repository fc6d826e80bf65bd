/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How many CPUs this process may use: sched_getaffinity(2) and the CPU quota of its control group
 * (version 2 with all ancestors, version 1 where it is mounted alone). Best effort: what cannot be
 * read limits nothing.
 */
#include "base/cpu.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define LINE_SIZE   4096u

static uint32_t affinity(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        const int count = CPU_COUNT(&set);
        return count > 0 ? (uint32_t)count : 1;
    }
    /* More CPUs than cpu_set_t can name. */
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

static bool read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return false;
    const bool ok = fgets(line, (int)size, file) != NULL;
    fclose(file);
    return ok;
}

static uint32_t by_quota(double quota, double period)
{
    if (quota <= 0 || period <= 0)
        return UINT32_MAX;
    const double cpus = quota / period;
    if (cpus >= 65536)
        return UINT32_MAX;
    const uint32_t whole = (uint32_t)cpus;
    return cpus > whole ? whole + 1 : whole;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* cpu.max: "max 100000" or "150000 100000", in the group and in every group above it. */
static uint32_t quota_v2(void)
{
    char line[LINE_SIZE], path[LINE_SIZE + 64];
    uint32_t limit = UINT32_MAX;

    if (!read_line("/proc/self/cgroup", line, sizeof(line)) || strncmp(line, "0::/", 4) != 0)
        return UINT32_MAX;
    line[strcspn(line, "\n")] = '\0';
    char *group = line + 3;
    for (;;) {
        char value[64], *end;
        snprintf(path, sizeof(path), CGROUP_ROOT "%s/cpu.max", group);
        if (read_line(path, value, sizeof(value)) && strncmp(value, "max", 3) != 0) {
            const double quota = strtod(value, &end);
            limit = least(limit, by_quota(quota, strtod(end, NULL)));
        }
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return limit;
        *slash = '\0';
    }
}

static uint32_t quota_v1(void)
{
    char quota[64], period[64];

    if (!read_line(CGROUP_ROOT "/cpu/cpu.cfs_quota_us", quota, sizeof(quota)) ||
        !read_line(CGROUP_ROOT "/cpu/cpu.cfs_period_us", period, sizeof(period)))
        return UINT32_MAX;
    return by_quota(strtod(quota, NULL), strtod(period, NULL));
}

uint32_t osspi_usable_cpus(void)
{
    const uint32_t count = least(affinity(), least(quota_v2(), quota_v1()));
    return count > 0 ? count : 1;
}
