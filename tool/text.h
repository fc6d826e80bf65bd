/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Words on the terminal: complaints, statuses with their meaning, times, text that came from a
 * peer.
 */
#ifndef SSPI_TOOL_TEXT_H
#define SSPI_TOOL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <sspi.h>

/** Says "sspi: ..." on standard error. */
void text_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Complains about the command line, points to the verb's help, returns TOOL_USAGE. */
int text_usage(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * Explains a failed call on standard error: what, status name and number, meaning, the detail that
 * the library kept with the context (may be NULL), and what to try next.
 */
void text_complain_status(const char *what, SECURITY_STATUS status, PCtxtHandle context);

/** The same with advice of the caller's; NULL: none. */
void text_complain_advice(const char *what, SECURITY_STATUS status, PCtxtHandle context,
                          const char *advice);

/** The status's name, or its number; the static buffer is one per thread. */
const char *text_status(SECURITY_STATUS status);

/** What a user of the command can do about a status; NULL if nothing comes to mind. */
const char *text_advice(SECURITY_STATUS status);

/** Reads a context's error detail; an empty string if there is none. */
void text_detail(PCtxtHandle context, char *buffer, size_t size);

/** Writes a peer's text with everything unprintable escaped, so that it cannot steer a terminal. */
void text_escaped(FILE *stream, const char *text, size_t len);

/** "2026-02-03 04:05:06 UTC" of a FILETIME value (100 ns since 1601); buffer of 32 bytes or more.
 */
void text_filetime(FILETIME time, char *buffer, size_t size);

/** Reads a whole number between min and max. */
bool text_number(const char *text, unsigned long min, unsigned long max, unsigned long *ret_number);

/**
 * Turns "h2,http/1.1" into the wire form of ALPN: each name after its length in one byte.
 *
 * @return false if a name is empty or longer than 255 bytes, or if all do not fit
 */
bool text_alpn(const char *list, unsigned char *ret_wire, size_t size, size_t *ret_len);

/**
 * The password that `source` speaks of, as openssl's -passin does: pass:TEXT, env:NAME, file:PATH
 * (its first line). NULL after a complaint. Caller wipes and frees with text_free_password.
 */
char *text_password(const char *source);
void text_free_password(char *password);

#endif
