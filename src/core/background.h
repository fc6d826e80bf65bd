/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Work that nobody waits for: a package hands it over, and the engine runs it on the blocking lane.
 * Packages know nothing of the engine, hence the hook.
 */
#ifndef OSSPI_CORE_BACKGROUND_H
#define OSSPI_CORE_BACKGROUND_H

#include <stdbool.h>

struct osspi_background {
    const char *class_name;      /* of the blocking lane; borrowed for the call */
    void (*run)(void *data);     /* once, or never: it may be dropped at the end of the process */
    void (*release)(void *data); /* once in any case, behind run */
    void *data;
};

/** Hands work over. False: nobody takes it (no thread, no memory, shutdown); release was called. */
bool osspi_background_start(const struct osspi_background *work);

/** Who takes it; the engine's. Set once, before there are threads. */
void osspi_background_set_hook(bool (*hook)(const struct osspi_background *work));

#endif
