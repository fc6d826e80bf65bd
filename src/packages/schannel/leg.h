/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One leg under way, for the files that share the work: leg.c (entry, first leg), leg_handshake.c,
 * leg_post.c (established), leg_end.c (how each of them ends). Both sides of the context are held.
 */
#ifndef OSSPI_SCHANNEL_LEG_H
#define OSSPI_SCHANNEL_LEG_H

#include "packages/schannel/context.h"

/** One leg's arguments, taken apart. */
struct osspi_leg_run {
    struct osspi_context *context;
    struct osspi_schannel_context *sc;
    struct osspi_leg *leg;
    struct osspi_leg_input in;
    struct osspi_leg_output out;
};

/* ---- leg.c ---- */

/** May a certificate of the user's be chosen for this leg? Its credential and its flags decide. */
bool osspi_leg_allows_default(const struct osspi_leg *leg);

/* ---- leg_handshake.c, leg_post.c ---- */

SECURITY_STATUS osspi_leg_handshake(struct osspi_leg_run *run);
SECURITY_STATUS osspi_leg_established(struct osspi_leg_run *run);

/* ---- how a leg ends: leg_end.c ---- */

/** What is to be sent; borrowed. SEC_E_OK, or why it cannot be made. */
SECURITY_STATUS osspi_leg_outgoing(struct osspi_schannel_context *sc, const uint8_t **ret_bytes,
                                   size_t *ret_len);
void osspi_leg_sent(struct osspi_schannel_context *sc);

/** The words on a failure, from where they are known. */
void osspi_leg_tell_detail(struct osspi_context *context);

/** The context ends with this leg; hands out the alert, if there is one. Returns status. */
SECURITY_STATUS osspi_leg_fail(struct osspi_leg_run *run, SECURITY_STATUS status);

/** Nothing was consumed and nothing is written but the hint. */
SECURITY_STATUS osspi_leg_incomplete(struct osspi_leg_run *run, size_t missing);

/** A wrong argument: the context is as it was. Returns status. */
SECURITY_STATUS osspi_leg_refuse(struct osspi_leg_run *run, SECURITY_STATUS status);

/** Tells EXTRA, attributes and expiry. */
void osspi_leg_report(struct osspi_leg_run *run, size_t consumed);

/** Ends a leg of the handshake that has taken `consumed` bytes and will answer status. */
SECURITY_STATUS osspi_leg_deliver(struct osspi_leg_run *run, SECURITY_STATUS status,
                                  size_t consumed);

#endif
