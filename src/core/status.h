/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Names and plain words for status codes. Constant data, thread-safe.
 */
#ifndef OSSPI_CORE_STATUS_H
#define OSSPI_CORE_STATUS_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>

/** A status as people know it. */
struct osspi_status_words {
    SECURITY_STATUS status;
    const char *name; /* as in osspi_status.h */
    const char *text; /* what it means and what to do, without a full stop at the end */
};

/** The words of a status, or NULL if the library does not know it. Where several names share a
 * number, it is the name that SSPI uses. */
const struct osspi_status_words *osspi_status_find(SECURITY_STATUS status);

/** Every known status, for tests and lists; NULL behind the end. */
const struct osspi_status_words *osspi_status_at(size_t index);

/** The number behind a name, exactly as written; false if there is none. */
bool osspi_status_by_name(const char *name, SECURITY_STATUS *ret_status);

#endif
