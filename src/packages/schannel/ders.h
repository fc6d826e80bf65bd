/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Lists of DER objects that many connections have in common: the certificates that a server shows,
 * those of a peer that comes again, the names of issuers that are asked for. Each connection keeps
 * its list to the end, while most connections of a process have equal ones; so equal lists are one,
 * counted by references. Who holds a reference has the bytes, whatever becomes of the credential.
 *
 * A list is constant. Functions are thread-safe. A forked child keeps the lists that it has, and
 * finds none of its parent's.
 */
#ifndef OSSPI_SCHANNEL_DERS_H
#define OSSPI_SCHANNEL_DERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cert/certificate.h"

/** One DER object. */
struct osspi_der {
    uint8_t *bytes;
    size_t len;
};

struct osspi_ders {
    _Atomic uint32_t references;
    bool shared;             /* others can find it; constant, with the rest */
    uint64_t hash;           /* of what is in it */
    struct osspi_ders *next; /* on the same board; guarded by the board's lock */
    size_t count;
    struct osspi_der items[];
};

/** The list of these objects: a reference to the one there is, or a copy. NULL: no memory. */
struct osspi_ders *osspi_ders_share(const struct osspi_der_view *views, size_t count)
    __attribute__((warn_unused_result));

/** One more reference; NULL in, NULL out. */
struct osspi_ders *osspi_ders_ref(struct osspi_ders *ders);
void osspi_ders_unref(struct osspi_ders *ders); /* NULL is a no-op */

/** For osspi_auto(). */
void osspi_ders_unrefp(struct osspi_ders **ders);

static inline size_t osspi_ders_count(const struct osspi_ders *ders)
{
    return ders ? ders->count : 0;
}

#endif
