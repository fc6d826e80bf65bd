/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One leg under way, for the files that share the work: leg.c (entry, first leg), leg_handshake.c,
 * leg_post.c (established), leg_later.c (handshakes after the handshake), leg_end.c (how each of
 * them ends). Both sides of the context are held.
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

/** Makes the TLS library's connection from a leg's arguments. Statuses of osspi_tls_new(); what is
 * wrong with credential or target. */
SECURITY_STATUS osspi_leg_start(struct osspi_leg_run *run);

/* ---- leg_datagram.c, leg_datagram_first.c ---- */

/** A leg of a datagram context, the first one and those that follow. */
SECURITY_STATUS osspi_leg_datagram_first(struct osspi_leg_run *run);
SECURITY_STATUS osspi_leg_datagram(struct osspi_leg_run *run);

/* ---- leg_handshake.c, leg_post.c ---- */

SECURITY_STATUS osspi_leg_handshake(struct osspi_leg_run *run);
SECURITY_STATUS osspi_leg_established(struct osspi_leg_run *run);

/** Moves what has become known of the peer to where queries find it. */
void osspi_leg_tell_news(struct osspi_schannel_context *sc);

/** The TLS library is done: takes the facts, and record protection takes it over. */
SECURITY_STATUS osspi_leg_complete(struct osspi_leg_run *run);

/* ---- leg_message.c ---- */

/** A leg in message mode, of the handshake or after it. */
SECURITY_STATUS osspi_leg_message(struct osspi_leg_run *run);

/** Delivers what did not fit into the leg before. */
SECURITY_STATUS osspi_leg_deliver_held(struct osspi_leg_run *run);

/* ---- leg_later.c ---- */

/** Is a handshake after the handshake under way? */
bool osspi_leg_is_later(const struct osspi_leg_run *run);

/** Is a client's answer half made (TLS 1.3)? Its key for writing must not change until it is. */
bool osspi_leg_is_answering(const struct osspi_leg_run *run);

/** We have closed: nothing of it is gone on with. */
void osspi_leg_later_abandon(const struct osspi_leg_run *run);

/** A leg of it. */
SECURITY_STATUS osspi_leg_later(struct osspi_leg_run *run);

/** Is the leg the wish to begin one? Then *ret_status is what it answers. */
bool osspi_leg_later_begins(struct osspi_leg_run *run, SECURITY_STATUS *ret_status);

/** Frees what such handshakes have left. */
void osspi_leg_later_clear(struct osspi_schannel_context *sc);

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

/** The handshake is over, and all of it has been handed out. */
void osspi_leg_establish(struct osspi_leg_run *run);

/** Ends a leg of the handshake that has taken `consumed` bytes and will answer status. */
SECURITY_STATUS osspi_leg_deliver(struct osspi_leg_run *run, SECURITY_STATUS status,
                                  size_t consumed);

#endif
