/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Memory and secrets.
 *
 * Every allocation of the library goes through osspi_alloc(), so that one place decides what
 * happens when there is none, and tests can make any of them fail by wrapping malloc. Memory comes
 * back zeroed. Secrets are freed with osspi_secret_free(), which wipes them first.
 *
 * Ownership idiom: an owned local is declared with osspi_auto(function) and initialised at its
 * declaration; OSSPI_TAKE() moves it out. A function uses either this idiom or goto, never both.
 */
#ifndef OSSPI_BASE_MEMORY_H
#define OSSPI_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define osspi_auto(function) __attribute__((cleanup(function)))

/** Moves an owned pointer out of a variable, which is NULL afterwards. */
#define OSSPI_TAKE(pointer) \
    (__extension__({ \
        __typeof__(pointer) osspi_taken_ = (pointer); \
        (pointer) = NULL; \
        osspi_taken_; \
    }))

#define OSSPI_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define OSSPI_CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/** Returns size zeroed bytes (at least one), or NULL when there is no memory. */
void *osspi_alloc(size_t size) __attribute__((malloc, warn_unused_result));

/** Like osspi_alloc(count * size), or NULL also when the product overflows. */
void *osspi_alloc_array(size_t count, size_t size) __attribute__((malloc, warn_unused_result));

/** Frees what osspi_alloc() returned; NULL is a no-op. */
void osspi_free(void *memory);

/** Copies len bytes (NULL allowed when len is 0) into new memory; NULL when there is none. */
void *osspi_memdup(const void *bytes, size_t len) __attribute__((malloc, warn_unused_result));

/** Copies a NUL-terminated string into new memory; NULL in, NULL out. */
char *osspi_strdup(const char *text) __attribute__((malloc, warn_unused_result));

/** Overwrites len bytes with zeros in a way the compiler may not remove. */
void osspi_secure_zero(void *bytes, size_t len);

/** Wipes len bytes and frees them; NULL is a no-op. */
void osspi_secret_free(void *bytes, size_t len);

/** Compares two byte strings of equal length in constant time. */
bool osspi_secret_equal(const void *a, const void *b, size_t len);

/** For osspi_auto(): frees the pointer a variable holds. */
void osspi_freep(void *pointer_to_pointer);

#endif
