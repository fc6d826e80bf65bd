/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Looks at NTLM messages (MS-NLMP 2.2.1) before the mechanism does.
 *
 * gss-ntlmssp 1.2.0 takes some fields for granted that a peer may leave empty, and ends the process
 * when they are. Such messages never get there; nobody sends them who means well. Pure functions.
 */
#ifndef OSSPI_GSSAPI_NTLM_GUARD_H
#define OSSPI_GSSAPI_NTLM_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Is there an NTLM message in a token, be it bare or inside of SPNEGO's? */
bool osspi_ntlm_present(const void *token, size_t len);

/** May the mechanism see the token? True of one without NTLM too. agreed: what
 * osspi_ntlm_agreed() said of the server's own challenge; a client's is 0. */
bool osspi_ntlm_acceptable(const void *token, size_t len, uint32_t agreed);

/** The flags of the challenge in a token, or 0. */
uint32_t osspi_ntlm_agreed(const void *token, size_t len);

/** Is there the last message of a client who gives no name and proves nothing (a null session)? */
bool osspi_ntlm_is_anonymous(const void *token, size_t len);

/** Does the client's first message say that the server may know him, but not act for him? */
bool osspi_ntlm_identifies(const void *token, size_t len);

/** Do all challenges and answers in it agree on extended session security and 128 bits? Without it
 * who is in between may change what is sealed (MS-NLMP 3.4.4.1). True: there is none. */
bool osspi_ntlm_is_strong(const void *token, size_t len);

#endif
