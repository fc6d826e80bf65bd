/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/* The package names of Schannel, under the header name that older programs use. */
#ifndef OPENSSPI_SCHNLSP_H
#define OPENSSPI_SCHNLSP_H

#include "schannel.h"

#endif /* OPENSSPI_SCHNLSP_H */
