/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What `sspi serve` answers to a request, whichever version of HTTP asked: a status, header fields,
 * and a body that is in memory or in an open file. Knows neither sockets nor TLS nor the loop.
 */
#ifndef SSPI_TOOL_ANSWER_H
#define SSPI_TOOL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

struct answer {
    int status;
    struct bytes fields;  /* name NUL value NUL, again and again */
    unsigned field_count; /* in `fields` */
    struct bytes body;    /* the body, if there is no file */
    int fd;               /* or a regular file, else -1 */
    uint64_t length;      /* bytes of the body that are really sent: 0 for HEAD */
};

/** An answer that holds nothing yet. */
#define ANSWER_NONE ((struct answer){.fd = -1})

/**
 * Finds the answer to a request for a file: opens or lists it, or writes the refusal's page. Waits
 * for the file system, and may be called on any thread.
 *
 * @param root    directory that is served
 * @param target  request target as received
 * @param refusal HTTP status to answer instead of a file, or 0
 * @param head    the request is HEAD: all but the body
 * @param user    who asks, for pages that are made here; NULL: nobody said
 * @param ret     [out] clear it with answer_clear
 * @return false if there is no memory; *ret is then ANSWER_NONE
 */
bool answer_make(int root, const char *target, size_t len, int refusal, bool head, const char *user,
                 struct answer *ret);

/** Makes an answer of a body in memory, which is taken over (also after a failure, the same). */
bool answer_make_body(struct bytes *body, const char *type, bool head, struct answer *ret);

/** Adds a header field; false if there is no memory. The value holds no line end. */
bool answer_add(struct answer *answer, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The same with a value of any length, as it stands. */
bool answer_add_long(struct answer *answer, const char *name, const char *value);

/** Steps through the fields: *place begins with NULL; false at the end. */
bool answer_next(const struct answer *answer, const char **place, const char **ret_name,
                 const char **ret_value);

/** Closes the file and frees the memory. */
void answer_clear(struct answer *answer);

#endif
