/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Where a function is; see side.h.
 */
#include <dlfcn.h>
#include <stdio.h>

#include "side.h"

void side_home(void *function, char *path, size_t size)
{
    Dl_info info;

    snprintf(path, size, "%s", dladdr(function, &info) && info.dli_fname ? info.dli_fname : "");
}
