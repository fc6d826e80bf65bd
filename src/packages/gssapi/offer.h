/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Negotiate that offers two mechanisms (RFC 4178): Kerberos, with its first token, and NTLM behind
 * it, for servers that have a name in the realm but do not speak Kerberos. Each mechanism wants the
 * target's name in its own form, and GSSAPI takes one name at a time; so the one that fits is given
 * to it, leg by leg.
 */
#ifndef OSSPI_GSSAPI_OFFER_H
#define OSSPI_GSSAPI_OFFER_H

#include "packages/gssapi/context.h"

/**
 * Makes the context's GSSAPI credential one for both mechanisms, with NTLM's target put aside. Its
 * tickets are there already. Called inside OSSPI_GSS_CALL.
 *
 * @return false: that cannot be, because the two would not mean the same user, or NTLM's is only
 *         winbind's to tell. Then the context is as before.
 */
bool osspi_offer_both(struct osspi_gss_context *gc, const struct osspi_gss_credential *data,
                      const char *target);

/** A token of the server's has come: if it chooses the mechanism that is not at work, the target's
 * name is changed for the other one. */
void osspi_offer_follow(struct osspi_gss_context *gc, const gss_buffer_desc *token);

/** The mechanism that an answer of SPNEGO's names; 0: none, or it is no such answer. Pure. */
unsigned osspi_offer_chosen(const void *token, size_t len);

#endif
