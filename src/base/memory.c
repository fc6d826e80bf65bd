/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Memory and secrets; see memory.h. Thread-safe: no state of its own.
 */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void *osspi_alloc(size_t size)
{
    return calloc(1, size == 0 ? 1 : size);
}

void *osspi_alloc_array(size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return osspi_alloc(total);
}

void osspi_free(void *memory)
{
    free(memory);
}

void *osspi_memdup(const void *bytes, size_t len)
{
    void *copy = osspi_alloc(len);

    if (copy && len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

char *osspi_strdup(const char *text)
{
    return text ? osspi_memdup(text, strlen(text) + 1) : NULL;
}

void osspi_secure_zero(void *bytes, size_t len)
{
    if (bytes && len > 0)
        explicit_bzero(bytes, len);
}

void osspi_secret_free(void *bytes, size_t len)
{
    osspi_secure_zero(bytes, len);
    free(bytes);
}

bool osspi_secret_equal(const void *a, const void *b, size_t len)
{
    const unsigned char *left = a, *right = b;
    uint64_t difference = 0;

    for (; len >= sizeof(difference); len -= sizeof(difference)) {
        uint64_t l, r;

        memcpy(&l, left, sizeof(l));
        memcpy(&r, right, sizeof(r));
        difference |= l ^ r;
        /* The compiler may not know what was found so far: it could leave early. */
        __asm__ volatile("" : "+r"(difference));
        left += sizeof(l);
        right += sizeof(r);
    }
    for (; len > 0; len--) {
        difference |= (uint64_t)(*left++ ^ *right++);
        __asm__ volatile("" : "+r"(difference));
    }
    return difference == 0;
}

void osspi_freep(void *pointer_to_pointer)
{
    void *memory;

    /* The variable may have any pointer type; copying its bytes respects aliasing rules. */
    memcpy(&memory, pointer_to_pointer, sizeof(memory));
    free(memory);
}
