/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Text that grows, in UTF-8, and names of X.500 as such text. Private to this folder. No locks: one
 * thread writes a text.
 */
#ifndef OSSPI_CERT_TEXT_H
#define OSSPI_CERT_TEXT_H

#include "cert/x509.h"

#include <stdbool.h>

struct osspi_text {
    char *bytes; /* NUL-terminated once anything was put; NULL before */
    size_t len;
    size_t capacity;
    bool failed; /* there was no memory; the text is not whole */
};

/** Appends len bytes, or a string. */
void osspi_text_put(struct osspi_text *text, const char *bytes, size_t len);
void osspi_text_puts(struct osspi_text *text, const char *string);

/** Frees it; for osspi_auto(). */
void osspi_text_clear(struct osspi_text *text);

/** Appends an ASN.1 string as UTF-8. False, and nothing appended: no text, malformed, or with a NUL
 * inside (RFC 2818 names that end early for some readers), or no memory (text->failed). */
bool osspi_text_put_asn1(struct osspi_text *text, const ASN1_STRING *string);

/** Appends a name as CertNameToStr writes it. format: CERT_..._NAME_STR, with or without
 * CERT_NAME_STR_REVERSE_FLAG. False: the name does not parse, or no memory (text->failed). */
bool osspi_text_put_name(struct osspi_text *text, const CERT_NAME_BLOB *name, DWORD format);

/** Appends the first value of an attribute of a name. False: there is none. */
bool osspi_text_put_attribute(struct osspi_text *text, const CERT_NAME_BLOB *name, const char *oid);

#endif
