/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Keys for authenticated encryption without a connection around them, by a kind of code that the
 * caller picks; see bench/aead.c. The kinds are osspi_aead_code_at().
 */
#ifndef SUPPORT_AEAD_KEY_H
#define SUPPORT_AEAD_KEY_H

#include "packages/schannel/aead_internal.h"

/** A key, always the same, that stays to the end of the process; NULL: it cannot be made. */
struct osspi_aead *aead_key_new(enum osspi_aead_kind kind, const struct osspi_aead_code *code);

#endif
