/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/* Another name that Windows sources use for LUID, UNICODE_STRING and NTSTATUS. */
#include "../osspi_status.h"
