/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The paths that OsspiConfigure was given, on their way down to base/paths.h.
 */
#ifndef OSSPI_CORE_OPTIONS_H
#define OSSPI_CORE_OPTIONS_H

#include <sspi.h>

/** Copies the paths (each may be NULL). One thread at a time. SEC_E_OK or
 * SEC_E_INSUFFICIENT_MEMORY, and then nothing has changed. */
SECURITY_STATUS osspi_options_set_paths(const char *trust_file, const char *trust_dir,
                                        const char *state_dir);

#endif
