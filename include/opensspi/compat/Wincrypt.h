/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/* Another name that Windows sources use for wincrypt.h. */
#include "../wincrypt.h"
