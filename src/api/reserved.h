/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What stands in the reserved slots of the function tables.
 */
#ifndef OSSPI_API_RESERVED_H
#define OSSPI_API_RESERVED_H

#include <sspi.h>

/** SEC_E_UNSUPPORTED_FUNCTION, whatever it is called with: it looks at no argument, and in the
 * calling conventions of our platforms the caller cleans up. */
SECURITY_STATUS osspi_reserved_slot(void);

#define OSSPI_RESERVED_SLOT ((void *)osspi_reserved_slot)

#endif
