/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Private copies of a leg's buffers, for the blocking lane: the package works on them while the
 * caller's memory is left alone, and what it did is written back if and when the leg completes.
 */
#ifndef OSSPI_API_LEG_COPY_H
#define OSSPI_API_LEG_COPY_H

#include "core/buffers.h"

struct osspi_leg_copy;

/**
 * Copies both arrays and everything they point to.
 *
 * @param[in,out] in, out  the caller's arrays; on success views of the copies
 * @param[in]     allocate the package will allocate TOKEN and ALERT: what the caller left in those
 *                         slots is no memory
 * @return SEC_E_OK or SEC_E_INSUFFICIENT_MEMORY
 */
SECURITY_STATUS osspi_leg_copy_new(struct osspi_buffers *in, struct osspi_buffers *out,
                                   bool allocate, struct osspi_leg_copy **ret_copy);

/** Writes types, lengths and bytes back to the caller's arrays; allocated memory moves there. */
void osspi_leg_copy_publish(struct osspi_leg_copy *copy, SECURITY_STATUS status);

/** Frees the copies, and memory that was allocated for the caller but never published. NULL-safe.
 */
void osspi_leg_copy_free(struct osspi_leg_copy *copy);

#endif
