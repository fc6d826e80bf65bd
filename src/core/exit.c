/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The exit handler; see exit.h. Thread-safe.
 */
#include "core/exit.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/lock.h"

static _Atomic(void (*)(void)) exit_hook;         /* atomic */
static _Atomic(void (*)(void)) thread_begin_hook; /* atomic */
static _Atomic(void (*)(void)) thread_end_hook;   /* atomic */
static _Atomic uint32_t ended_epoch; /* atomic: fork epoch + 1 in which the hook has run */

static void at_exit(void)
{
    void (*hook)(void) = atomic_load(&exit_hook);
    uint32_t epoch = osspi_fork_epoch() + 1;

    if (hook && atomic_exchange(&ended_epoch, epoch) != epoch)
        hook();
}

void osspi_exit_arm(void)
{
    /* Fails only without memory; then threads are cut off by the exit itself. */
    (void)atexit(at_exit);
}

void osspi_exit_set_hook(void (*hook)(void))
{
    atomic_store(&exit_hook, hook);
}

void osspi_thread_begin(void)
{
    void (*hook)(void) = atomic_load(&thread_begin_hook);

    if (hook)
        hook();
}

void osspi_thread_begin_set_hook(void (*hook)(void))
{
    atomic_store(&thread_begin_hook, hook);
}

void osspi_thread_end(void)
{
    void (*hook)(void) = atomic_load(&thread_end_hook);

    if (hook)
        hook();
}

void osspi_thread_end_set_hook(void (*hook)(void))
{
    atomic_store(&thread_end_hook, hook);
}
