/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * An authority whose certificates can be asked about: a folder for its files, and openssl ocsp as
 * its responder. One per program, which its root is trusted in; used by the test's thread.
 */
#ifndef OSSPI_TESTS_INTEROP_AUTHORITY_H
#define OSSPI_TESTS_INTEROP_AUTHORITY_H

#include <stdio.h>

#include "interop_wire.h"
#include "support/revocation_world.h"

/** The serial numbers that the responder knows; it has not heard of others. */
#define AUTHORITY_GOOD    0x21
#define AUTHORITY_REVOKED 0x22

struct interop_authority {
    char folder[64];
    struct world_identity root; /* root.pem, root.key */
    struct interop_process responder;
    uint16_t port; /* the responder's */
};

/** Starts it; before the first credential. */
void interop_authority_open(struct interop_authority *authority);
/** Ends it and removes its folder with all files. */
void interop_authority_close(struct interop_authority *authority);

/**
 * A server's certificate for PEER_TARGET.
 *
 * @param serial     0: any
 * @param list_port  where /list.crl is; 0: the responder is to be asked
 */
struct world_identity interop_authority_leaf(const struct interop_authority *authority, long serial,
                                             uint16_t list_port);

/** The path of a file in its folder. */
void interop_authority_path(const struct interop_authority *authority, const char *name, char *path,
                            size_t size);
/** Writes bytes to a file, and frees them. */
void interop_authority_write(const struct interop_authority *authority, const char *name,
                             struct world_bytes bytes);
/** Writes a certificate and its key as NAME.pem and NAME.key. */
void interop_authority_write_identity(const struct interop_authority *authority, const char *name,
                                      const struct world_identity *identity);

/** Gives an end a credential with these flags; identity may be NULL for a client. */
void interop_authority_acquire(struct peer_end *end, DWORD flags,
                               const struct world_identity *identity);

#endif
