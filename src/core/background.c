/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The way of background work to the engine; see background.h. Thread-safe.
 */
#include "core/background.h"

#include <stdatomic.h>
#include <stddef.h>

static _Atomic(bool (*)(const struct osspi_background *work)) taker;

void osspi_background_set_hook(bool (*hook)(const struct osspi_background *work))
{
    atomic_store(&taker, hook);
}

bool osspi_background_start(const struct osspi_background *work)
{
    bool (*take)(const struct osspi_background *) = atomic_load(&taker);

    if (take != NULL)
        return take(work);
    work->release(work->data);
    return false;
}
