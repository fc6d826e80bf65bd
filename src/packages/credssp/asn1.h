/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The structures of MS-CSSP 2.2 as the TLS library's templates have them, for the two files that
 * translate them (request.c, delegate.c); and how these call that library.
 */
#ifndef OSSPI_CREDSSP_ASN1_H
#define OSSPI_CREDSSP_ASN1_H

#include <openssl/asn1t.h>
#include <openssl/err.h>

#include "base/foreign.h"
#include "packages/credssp/bytes.h"

static inline void osspi_asn1_call_end(const char *unused)
{
    (void)unused;
    ERR_clear_error(); /* what was wrong with a peer's bytes concerns nobody else on this thread */
    osspi_foreign_leave();
}

/** To the end of the block this thread is inside the TLS library. */
#define OSSPI_ASN1_CALL \
    osspi_foreign_enter(); \
    __attribute__((unused, cleanup(osspi_asn1_call_end))) const char osspi_asn1_call_ = 0

/** Bytes into a string of the templates; false: no memory, or more than it can hold. */
static inline bool osspi_asn1_put(ASN1_OCTET_STRING *string, const void *bytes, size_t len)
{
    return len <= INT32_MAX && ASN1_OCTET_STRING_set(string, bytes, (int)len) == 1;
}

/** The same into a member that may be left out: made, then filled. */
static inline bool osspi_asn1_put_new(ASN1_OCTET_STRING **member, const void *bytes, size_t len)
{
    *member = ASN1_OCTET_STRING_new();
    return *member && osspi_asn1_put(*member, bytes, len);
}

/** What the templates have in memory is secret: wiped before it is freed. NULL: nothing. */
void osspi_asn1_wipe(ASN1_OCTET_STRING *string);

#endif
