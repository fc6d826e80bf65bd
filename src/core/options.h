/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Options of the process that more than one floor reads: the paths that OsspiConfigure was given.
 */
#ifndef OSSPI_CORE_OPTIONS_H
#define OSSPI_CORE_OPTIONS_H

#include <sspi.h>

/** Copies the paths (each may be NULL). Called before first use only. SEC_E_OK or
 * SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_options_set_paths(const char *trust_file, const char *trust_dir,
                                        const char *state_dir);

/** What was set, or NULL; constant once the library is in use. */
const char *osspi_options_trust_file(void);
const char *osspi_options_trust_dir(void);
const char *osspi_options_state_dir(void);

#endif
