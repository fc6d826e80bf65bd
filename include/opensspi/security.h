/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The header that SSPI programs include on Windows: sspi.h and the name formats. It does not bring
 * schannel.h, as there.
 */
#ifndef OPENSSPI_SECURITY_H
#define OPENSSPI_SECURITY_H

#include "sspi.h"

#include "secext.h"

#endif /* OPENSSPI_SECURITY_H */
