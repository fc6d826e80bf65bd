/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Settings of the process: defaults, OsspiConfigure, and the CPUs there are. Constant from the
 * first use on.
 */
#include <stddef.h>
#include <string.h>

#include "async/engine.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "core/options.h"

#define DEFAULT_BLOCKING           64u
#define DEFAULT_BLOCKING_PER_CLASS 16u
#define DEFAULT_QUEUE_BOUND        65536u
#define DEFAULT_STACK_SIZE         (1024u * 1024u)
#define MAX_BLOCKING               4096u
#define MAX_QUEUE_BOUND            (1u << 24)
#define MIN_STACK_SIZE             (128u * 1024u)
#define MAX_STACK_SIZE             (256u * 1024u * 1024u)

enum { UNSET, IN_USE };

static struct osspi_lock lock;
static _Atomic uint32_t stage;         /* UNSET or IN_USE; changed under lock */
static struct osspi_settings settings; /* guarded by lock until IN_USE, constant afterwards */

static void default_to(uint32_t *value, uint32_t fallback)
{
    if (*value == 0)
        *value = fallback;
}

static void settle_locked(void)
{
    if (atomic_load_explicit(&stage, memory_order_relaxed) == IN_USE)
        return;
    default_to(&settings.workers, osspi_usable_cpus());
    if (settings.workers > OSSPI_MAX_WORKERS)
        settings.workers = OSSPI_MAX_WORKERS;
    default_to(&settings.max_blocking, DEFAULT_BLOCKING);
    default_to(&settings.max_blocking_per_class, DEFAULT_BLOCKING_PER_CLASS);
    default_to(&settings.queue_bound, DEFAULT_QUEUE_BOUND);
    default_to(&settings.stack_size, DEFAULT_STACK_SIZE);
    atomic_store_explicit(&stage, IN_USE, memory_order_release);
}

const struct osspi_settings *osspi_settings(void)
{
    if (__builtin_expect(atomic_load_explicit(&stage, memory_order_acquire) != IN_USE, 0)) {
        OSSPI_LOCKED(&lock);
        settle_locked();
    }
    return &settings;
}

/* The caller's structure, as far as it goes; members it lacks are 0. */
static bool read_options(const OsspiOptions *options, OsspiOptions *ret_options)
{
    const size_t first_version = offsetof(OsspiOptions, state_dir) + sizeof(char *);

    if (!options || options->cbSize < first_version || options->cbSize > sizeof(*options))
        return false;
    memset(ret_options, 0, sizeof(*ret_options));
    memcpy(ret_options, options, options->cbSize);
    return true;
}

static bool is_in_range(uint32_t value, uint32_t min, uint32_t max)
{
    return value == 0 || (value >= min && value <= max);
}

static bool are_in_range(const OsspiOptions *options)
{
    return is_in_range(options->workers, 1, OSSPI_MAX_WORKERS) &&
           is_in_range(options->max_blocking_threads, 1, MAX_BLOCKING) &&
           is_in_range(options->max_blocking_per_class, 1, MAX_BLOCKING) &&
           is_in_range(options->queue_bound, 1, MAX_QUEUE_BOUND) &&
           is_in_range(options->stack_size, MIN_STACK_SIZE, MAX_STACK_SIZE);
}

SECURITY_STATUS osspi_settings_set(const OsspiOptions *options)
{
    OsspiOptions read;
    SECURITY_STATUS status;

    if (!read_options(options, &read) || !are_in_range(&read))
        return SEC_E_INVALID_PARAMETER;
    OSSPI_LOCKED(&lock);
    if (atomic_load(&stage) == IN_USE)
        return HRESULT_FROM_WIN32(ERROR_BUSY);
    status = osspi_options_set_paths(read.trust_file, read.trust_dir, read.state_dir);
    if (status != SEC_E_OK)
        return status;
    settings = (struct osspi_settings){
        .workers = read.workers,
        .max_blocking = read.max_blocking_threads,
        .max_blocking_per_class = read.max_blocking_per_class,
        .queue_bound = read.queue_bound,
        .stack_size = read.stack_size,
        .default_timeout_ms = read.default_timeout_ms,
    };
    return SEC_E_OK;
}
