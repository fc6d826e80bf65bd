/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Signature schemes of the handshake as a set of bits; see signature.c. Thread-safe.
 */
#ifndef OSSPI_SCHANNEL_SIGNATURE_H
#define OSSPI_SCHANNEL_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

struct osspi_scheme {
    const char *name;    /* IANA's, which is OpenSSL's too */
    const char *key;     /* "RSA", "ECDSA", "EDDSA" */
    const char *hash;    /* "SHA256", ...; "" where the scheme has its own */
    const char *padding; /* "SCH_RSA_PSS_PAD", "SCH_RSA_PKCS_PAD", "" */
    uint16_t number;     /* on the wire */
};

size_t osspi_scheme_count(void);
const struct osspi_scheme *osspi_scheme_at(size_t index); /* bit `index` of a set */
uint32_t osspi_schemes_all(void);

/** The set with the scheme of this number; 0: it is not there. */
uint32_t osspi_scheme_bit(uint16_t number);

/** Those with this key, hash or padding; 0: no such name. Not for "". */
uint32_t osspi_schemes_of(const char *name);

#endif
