/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * See options.h. No state of its own.
 */
#include "core/options.h"

#include "base/paths.h"

SECURITY_STATUS osspi_options_set_paths(const char *trust_file, const char *trust_dir,
                                        const char *state_dir)
{
    return osspi_paths_set(trust_file, trust_dir, state_dir) ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}
