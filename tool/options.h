/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Command lines: a verb describes its options in a table, and reads nothing by itself.
 */
#ifndef SSPI_TOOL_OPTIONS_H
#define SSPI_TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum option_kind {
    OPTION_FLAG,   /* --name: sets a bool */
    OPTION_TEXT,   /* --name TEXT: sets a const char * */
    OPTION_NUMBER, /* --name N: sets an unsigned, min <= N <= max */
    OPTION_TLS     /* --name 1.2|1.3: sets a const char * */
};

struct option_spec {
    const char *name; /* without the dashes; NULL ends the table */
    enum option_kind kind;
    void *target;
    unsigned long min, max;
};

/** One verb's command line. */
struct option_set {
    const char *verb;
    const char *help;
    const struct option_spec *specs;
    const char **words; /* where arguments that are no options go, preset with their defaults */
    int words_min, words_max;
};

/**
 * Reads a command line: --name value or --name=value in any order, "--" ends the options.
 *
 * @return OPTIONS_GO: all targets are set. Otherwise the exit code: help was printed, or a
 * complaint
 */
#define OPTIONS_GO (-1)
int options_read(const struct option_set *set, int argc, char **argv);

#endif
