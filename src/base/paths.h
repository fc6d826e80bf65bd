/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The paths that OsspiConfigure was given, for whoever reads files: those who verify, and the
 * stores of certificates.
 */
#ifndef OSSPI_BASE_PATHS_H
#define OSSPI_BASE_PATHS_H

#include <stdbool.h>

/** Copies the paths (each may be NULL). One thread at a time. False: no memory, and nothing has
 * changed. */
bool osspi_paths_set(const char *trust_file, const char *trust_dir, const char *state_dir);

/** What was set last, or NULL. The text is never freed. Thread-safe. */
const char *osspi_path_trust_file(void);
const char *osspi_path_trust_dir(void);
const char *osspi_path_state_dir(void);

#endif
