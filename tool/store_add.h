/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * sspi store add: from files of several kinds into "MY".
 */
#ifndef SSPI_TOOL_STORE_ADD_H
#define SSPI_TOOL_STORE_ADD_H

#include <stdbool.h>

struct store_add {
    const char *file;     /* PEM or PKCS #12 */
    const char *key;      /* PEM, or NULL: in the same file */
    const char *password; /* source as of text_password, or NULL */
    bool machine;
    bool replace;
};

/** Adds what the file holds; prints thumbprints. An exit code; errors have been reported. */
int store_add(const struct store_add *order);

#endif
