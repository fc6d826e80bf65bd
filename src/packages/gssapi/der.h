/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Reading the DER of SPNEGO's tokens (X.690, RFC 4178), one element after the other. Lengths of
 * more than three bytes, and those that are left open, are not read: no token here is that long.
 * Pure functions.
 */
#ifndef OSSPI_GSSAPI_DER_H
#define OSSPI_GSSAPI_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A piece that is still to be read. The bytes belong to somebody else. */
struct osspi_der {
    const uint8_t *bytes;
    size_t len;
};

/** Takes one element off the front: its tag, and what is inside. false: it is not whole. */
bool osspi_der_take(struct osspi_der *der, uint8_t *ret_tag, struct osspi_der *ret_inside);

/** Goes inside the next element, if it has that tag. What follows it is forgotten. */
bool osspi_der_enter(struct osspi_der *der, uint8_t tag);

#endif
