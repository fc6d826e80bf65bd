/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Where SPNEGO's answers have their MIC (RFC 4178 4.2.2: NegTokenResp, mechListMIC, field 3), and
 * what MIT's SPNEGO takes for it.
 *
 * krb5 1.21, 1.21.3 among them, looks for that field under the tag of field 4, and so finds no MIC:
 * wherever one has to come, as always with NTLM, the negotiation fails. It checks a MIC as it
 * should when the field has the other tag. So with such a library, and only there, tokens that come
 * in are handed on with the tag that it looks for. What goes out was right all the time.
 *
 * It, and later ones, also take for granted that the field holds an octet string, and crash if not.
 */
#ifndef OSSPI_GSSAPI_SPNEGO_MIC_H
#define OSSPI_GSSAPI_SPNEGO_MIC_H

#include <stdbool.h>
#include <stddef.h>

#include "sspi.h"

/**
 * May this token be shown to SPNEGO? Pure.
 *
 * @param token   what came, SPNEGO's or another
 * @param ret_mic [out] where the tag of the MIC's field stands, 0: there is none
 * @return false: it is an answer of SPNEGO's that is none, or that hides as its first token
 */
bool osspi_spnego_mic_find(const void *token, size_t len, size_t *ret_mic);

/**
 * Makes the token that the library reads as it was meant. The first time that a MIC comes the
 * library is asked which kind it is; that needs no network and no files but krb5.conf. Called
 * inside OSSPI_GSS_CALL.
 *
 * @param token     [in]  what came, SPNEGO's or another
 * @param ret_token [out] NULL: pass the token on as it is; else as long as it, free it with
 *                        osspi_free()
 * @return SEC_E_OK, SEC_E_INVALID_TOKEN, SEC_E_INSUFFICIENT_MEMORY
 */
SECURITY_STATUS osspi_spnego_mic_adapt(const void *token, size_t len, void **ret_token);

#endif
