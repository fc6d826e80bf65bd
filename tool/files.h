/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * From a request's path to a file or a listing below one directory, and never outside of it.
 */
#ifndef SSPI_TOOL_FILES_H
#define SSPI_TOOL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "bytes.h"

/** What a path leads to. */
struct files_found {
    int fd;            /* an open regular file, or -1; the caller closes it */
    uint64_t size;     /* of the file */
    time_t modified;   /* of the file */
    const char *type;  /* content type, static */
    struct bytes body; /* a directory's listing if there is no file; the caller clears it */
};

/**
 * Opens what the target of a request names.
 *
 * Each component is opened by itself, relative to its parent and without following symbolic links;
 * "..", names that start with a dot and names with control characters are refused.
 *
 * @param root   directory that is served
 * @param target request target as received: path with percent escapes, perhaps a query
 * @param ret    [out] always set; holds something only with 200
 * @return an HTTP status: 200; 301 (a directory without its slash at the end); 400 not a path; 403
 * not to be served; 404 not there; 500
 */
int files_open(int root, const char *target, size_t len, struct files_found *ret);

/** Appends text with what HTML gives a meaning escaped; false if there is no memory. */
bool files_write_html(struct bytes *body, const char *text);

#endif
