/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Generic extensions in a leg's buffers: leg_extension.c. Both sides of the context are held.
 */
#ifndef OSSPI_SCHANNEL_LEG_EXTENSION_H
#define OSSPI_SCHANNEL_LEG_EXTENSION_H

#include "packages/schannel/leg.h"
#include "packages/schannel/tls_extension.h"

/**
 * Takes what the leg's buffers say of extensions: checks all of it, and keeps what counts in
 * sc->handshake.
 *
 * @return SEC_E_OK; SEC_E_INVALID_TOKEN: malformed, twice the same, too much, or in a message that
 *         is not this side's; SEC_E_UNSUPPORTED_FUNCTION: a code point that TLS handles itself, one
 *         that comes too late, or a datagram context; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_extension_take(struct osspi_leg_run *run) __attribute__((warn_unused_result));

/**
 * Hands out what the peer has sent of that which was asked for, once, when its flight has been
 * taken.
 *
 * @param[in]  done         the leg is going to answer SEC_E_OK
 * @param[in]  consumed     bytes of input that it has taken; nothing is told of that
 * @param[out] ret_painted  checksum of these bytes as the caller will see them, where the extension
 *                          is written over them
 * @return SEC_E_OK: there is nothing to hand out; SEC_I_GENERIC_EXTENSION_RECEIVED;
 *         SEC_E_EXT_BUFFER_TOO_SMALL; SEC_E_INSUFFICIENT_BUFFERS: no buffer for it;
 *         SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_extension_report(struct osspi_leg_run *run, bool done, size_t consumed,
                                       uint64_t *ret_painted) __attribute__((warn_unused_result));

#endif
