/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * UTF-8 and UTF-16. Strict: overlong forms, lone surrogates and embedded NULs are errors, because
 * names that pass here decide whom a peer is taken for.
 */
#ifndef OSSPI_BASE_UTF_H
#define OSSPI_BASE_UTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Number of 16-bit units before the terminating zero unit. */
size_t osspi_utf16_len(const uint16_t *text);

/** Is text[0..len) well-formed UTF-8 without NUL? */
bool osspi_utf8_valid(const char *text, size_t len);

/**
 * Converts len units to UTF-8 with a terminating NUL.
 *
 * @param[in]  text  units, not necessarily terminated; NULL only when len is 0
 * @param[out] out   receives the text; size bytes
 * @return bytes written without the NUL, or SIZE_MAX if the text is malformed or does not fit.
 */
size_t osspi_utf16_to_utf8(const uint16_t *text, size_t len, char *out, size_t size);

/** Like osspi_utf16_to_utf8() for terminated text into new memory; NULL: no memory or malformed,
 * told apart by *ret_malformed (may be NULL). */
char *osspi_utf16_dup_utf8(const uint16_t *text, size_t len, bool *ret_malformed);

/** Converts to UTF-16 with a terminating zero unit; units without it, or SIZE_MAX. */
size_t osspi_utf8_to_utf16(const char *text, size_t len, uint16_t *out, size_t size_units);

#endif
