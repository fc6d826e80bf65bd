/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/* Another name that Windows sources use for a part of windows.h. */
#include "windows.h"
