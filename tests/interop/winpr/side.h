/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OpenSSPI and WinPR export functions of the same names. Two modules use one of them each: a side
 * is compiled against its library's headers, tells whose functions it reached, and makes real
 * calls if they are its own. The headers do not go together in one file, hence plain C types here.
 */
#ifndef OSSPI_TESTS_INTEROP_WINPR_SIDE_H
#define OSSPI_TESTS_INTEROP_WINPR_SIDE_H

#include <stdbool.h>
#include <stddef.h>

/** What a side found. */
struct side_report {
    char acquire[256];  /* file that has the AcquireCredentialsHandleA it calls */
    char packages[512]; /* names of the packages, each with a blank behind it */
    bool plain_names;   /* its library exports that name (WinPR 3 does not) */
    bool works;         /* the name is its library's, and every call did what it has to */
    bool table_works;   /* the calls through its library's function table did */
    long refusal;       /* the name is not its library's: what the other one answered */
};

typedef void side_function(struct side_report *report);

#define SIDE_EXPORT __attribute__((visibility("default")))

/** TLS handshakes in memory, synchronous and asynchronous; ends the process when one fails. */
SIDE_EXPORT side_function side_opensspi;
/** NTLM dialogues in memory, by the plain names and by the table. */
SIDE_EXPORT side_function side_winpr;

/** The file that a function is in; empty if nobody knows. */
void side_home(void *function, char *path, size_t size);

#endif
