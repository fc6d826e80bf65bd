/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The rows of the driver's table (random.h), for files of either mode of sspi.h.
 */
#ifndef OSSPI_TESTS_RANDOM_RANDOM_ROW_H
#define OSSPI_TESTS_RANDOM_RANDOM_ROW_H

#include <stddef.h>

struct random_thread;

struct random_row {
    const char *function; /* the exported name */
    void (*call)(struct random_thread *thread);
    unsigned weight;
};

struct random_rows {
    const struct random_row *rows;
    size_t count;
};

/** Gives a file's rows their name. */
#define RANDOM_ROWS(name, array) \
    const struct random_rows name = {array, sizeof(array) / sizeof((array)[0])}

extern const struct random_rows random_async_rows, random_call_rows, random_certificate_rows,
    random_chain_rows, random_context_rows, random_credential_rows, random_identity_rows,
    random_kernel_rows, random_queue_rows, random_store_rows, random_unsupported_rows;

#endif
