/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Looks for secrets in all memory that this process may write: heap, stacks, static data, whatever
 * is mapped; as bytes and as hexadecimal digits. The secrets themselves are never in it as they
 * are: who looks for them has them masked, and takes the mask off a byte at a time.
 *
 * Not with sanitizers, whose own memory is endless. One thread.
 */
#ifndef OSSPI_TESTS_SUPPORT_MEMORY_SCAN_H
#define OSSPI_TESTS_SUPPORT_MEMORY_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAN_MASK 0xA7u /* each byte of a secret is exclusive-or'ed with it */
#define SCAN_MAX  64u

struct scan_secret {
    char name[32];
    uint8_t masked[SCAN_MAX];
    size_t len;     /* at least 16 */
    unsigned found; /* out: so many times, in any form */
};

/** Masks in place. */
void scan_mask(uint8_t *bytes, size_t len);

/** Counts each secret; with tell, prints where it was found. The sum. */
unsigned scan_memory(struct scan_secret *secrets, size_t count, bool tell);

#endif
