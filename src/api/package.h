/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Descriptions of packages as callers get them, the same for the A, W and counted forms.
 * SecPkgInfoA and SecPkgInfoW differ only in what their two pointers point to, so both are handled
 * as void *.
 */
#ifndef OSSPI_API_PACKAGE_H
#define OSSPI_API_PACKAGE_H

#include <sspi.h>
#include <stdbool.h>

#include "api/text.h"

struct osspi_package;

/** QuerySecurityPackageInfo. ret_info: where the caller wants the pointer; NULL is refused. */
SECURITY_STATUS osspi_package_query(struct osspi_text name, bool wide, void *ret_info);

/** One description under the package's own name, for FreeContextBuffer. */
SECURITY_STATUS osspi_package_info_new(const struct osspi_package *package, bool wide,
                                       void *ret_info);

/** A wide copy of a description, for FreeContextBuffer. */
SECURITY_STATUS osspi_package_info_widen(const SecPkgInfoA *info, void **ret_info);

#endif
