/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Calls of the two packages below, through the same slots that the library's functions use. The
 * inner contexts are the outer one's alone, whose both sides are held.
 */
#ifndef OSSPI_CREDSSP_INNER_H
#define OSSPI_CREDSSP_INNER_H

#include "packages/credssp/context.h"

/** One leg of an inner context. */
struct osspi_inner_leg {
    enum osspi_lane lane;
    bool first;
    const char *target;
    uint64_t flags; /* ISC_REQ_ or ASC_REQ_ */
    uint8_t *in;    /* NULL: no input */
    size_t in_len;
    const struct osspi_buffers *more; /* the caller's: all but tokens go along; or NULL */
    const SecBuffer *bindings;        /* channel bindings that go along, or NULL */
    size_t taken;                     /* out: of the input */
    size_t missing;                   /* out: with SEC_E_INCOMPLETE_MESSAGE */
    uint64_t attributes;              /* out */
    TimeStamp expiry;                 /* out */
};

/** Makes an inner context; NULL: no memory. */
struct osspi_context *osspi_inner_new(const struct osspi_package *package,
                                      struct osspi_credential *credential, bool accepting);

/**
 * Runs a leg; its token, and that of a leg that fails, is added to out. What goes wrong is told in
 * the outer context's words.
 */
SECURITY_STATUS osspi_inner_leg(struct osspi_context *outer, struct osspi_context *inner,
                                struct osspi_inner_leg *leg, struct osspi_bytes *out);

/** Adds the records that hold these bytes to out. */
SECURITY_STATUS osspi_inner_seal_tls(struct osspi_context *outer, const struct osspi_bytes *plain,
                                     struct osspi_bytes *out);

/**
 * Opens one record in place.
 *
 * @param[in]  bytes     the record, and what is behind it
 * @param[out] ret_taken bytes that belong to it; with SEC_E_INCOMPLETE_MESSAGE: that are missing
 * @return what DecryptMessage answers
 */
SECURITY_STATUS osspi_inner_open_tls(struct osspi_context *outer, uint8_t *bytes, size_t len,
                                     size_t *ret_taken, uint8_t **ret_plain, size_t *ret_plain_len);

/** Seals and opens with the keys of Negotiate, as one piece: the token in front of the data. */
SECURITY_STATUS osspi_inner_seal(struct osspi_context *outer, const struct osspi_bytes *plain,
                                 struct osspi_bytes *ret_sealed);
SECURITY_STATUS osspi_inner_open(struct osspi_context *outer, struct osspi_bytes *sealed,
                                 uint8_t **ret_plain, size_t *ret_plain_len);

#endif
