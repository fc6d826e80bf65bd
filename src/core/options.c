/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The paths of OsspiConfigure; see options.h.
 */
#include "core/options.h"

#include <stdbool.h>

#include "base/memory.h"

/* Guarded by OsspiConfigure's lock while they are set; constant once the library is in use. */
static char *trust_file;
static char *trust_dir;
static char *state_dir;

static bool copy_path(const char *path, char **ret_copy)
{
    *ret_copy = osspi_strdup(path);
    return *ret_copy || !path;
}

SECURITY_STATUS osspi_options_set_paths(const char *file, const char *dir, const char *state)
{
    char *file_copy;
    char *dir_copy = NULL;
    char *state_copy = NULL;

    if (!copy_path(file, &file_copy) || !copy_path(dir, &dir_copy) ||
        !copy_path(state, &state_copy)) {
        osspi_free(file_copy);
        osspi_free(dir_copy);
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    osspi_free(trust_file);
    osspi_free(trust_dir);
    osspi_free(state_dir);
    trust_file = file_copy;
    trust_dir = dir_copy;
    state_dir = state_copy;
    return SEC_E_OK;
}

const char *osspi_options_trust_file(void)
{
    return trust_file;
}

const char *osspi_options_trust_dir(void)
{
    return trust_dir;
}

const char *osspi_options_state_dir(void)
{
    return state_dir;
}
