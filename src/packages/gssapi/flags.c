/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Flags; see flags.h.
 */
#include "packages/gssapi/flags.h"

#include <sspi.h>

#include "packages/gssapi/foreign.h"
#include "packages/gssapi/identity.h"

struct pair {
    uint64_t isc_req, isc_ret;
    uint64_t asc_ret;
    OM_uint32 gss;
};

static const struct pair pairs[] = {
    {ISC_REQ_DELEGATE, ISC_RET_DELEGATE, ASC_RET_DELEGATE, GSS_C_DELEG_FLAG},
    {ISC_REQ_MUTUAL_AUTH, ISC_RET_MUTUAL_AUTH, ASC_RET_MUTUAL_AUTH, GSS_C_MUTUAL_FLAG},
    {ISC_REQ_REPLAY_DETECT, ISC_RET_REPLAY_DETECT, ASC_RET_REPLAY_DETECT, GSS_C_REPLAY_FLAG},
    {ISC_REQ_SEQUENCE_DETECT, ISC_RET_SEQUENCE_DETECT, ASC_RET_SEQUENCE_DETECT,
     GSS_C_SEQUENCE_FLAG},
    {ISC_REQ_CONFIDENTIALITY, ISC_RET_CONFIDENTIALITY, ASC_RET_CONFIDENTIALITY, GSS_C_CONF_FLAG},
    {ISC_REQ_INTEGRITY, ISC_RET_INTEGRITY, ASC_RET_INTEGRITY, GSS_C_INTEG_FLAG},
    {ISC_REQ_USE_DCE_STYLE, ISC_RET_USED_DCE_STYLE, ASC_RET_USED_DCE_STYLE, GSS_C_DCE_STYLE},
    {ISC_REQ_IDENTIFY, ISC_RET_IDENTIFY, ASC_RET_IDENTIFY, GSS_C_IDENTIFY_FLAG},
    {ISC_REQ_NULL_SESSION, ISC_RET_NULL_SESSION, ASC_RET_NULL_SESSION, GSS_C_ANON_FLAG},
    {ISC_REQ_EXTENDED_ERROR, ISC_RET_EXTENDED_ERROR, ASC_RET_EXTENDED_ERROR,
     GSS_C_EXTENDED_ERROR_FLAG},
};

OM_uint32 osspi_flags_request(uint64_t isc_req)
{
    OM_uint32 flags = 0;

    for (size_t i = 0; i < OSSPI_COUNT_OF(pairs); i++) {
        if (isc_req & pairs[i].isc_req)
            flags |= pairs[i].gss;
    }
    if (isc_req & ISC_REQ_NO_INTEGRITY)
        flags &= ~(OM_uint32)GSS_C_INTEG_FLAG;
    /* Each of these stands on integrity. */
    if (flags & (GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG | GSS_C_CONF_FLAG))
        flags |= GSS_C_INTEG_FLAG;
    /* To a server that proves nothing no credentials are given. */
    if (!(flags & GSS_C_MUTUAL_FLAG))
        flags &= ~(OM_uint32)GSS_C_DELEG_FLAG;
    return flags;
}

OM_uint32 osspi_flags_true(OM_uint32 flags, unsigned mechanism, bool client)
{
    if (mechanism != OSSPI_GSS_NTLM)
        return flags;
    /* NTLM proves no server, delegates nothing and says nothing of errors, whatever the mechanism
     * says. */
    flags &= ~(OM_uint32)(GSS_C_MUTUAL_FLAG | GSS_C_DELEG_FLAG | GSS_C_DCE_STYLE |
                          GSS_C_EXTENDED_ERROR_FLAG);
    /* A server's messages are numbered as soon as they are signed; it only does not say so. */
    if (!client && flags & (GSS_C_INTEG_FLAG | GSS_C_CONF_FLAG))
        flags |= GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG;
    return flags;
}

uint64_t osspi_flags_isc(OM_uint32 flags, uint64_t requested, unsigned mechanism)
{
    uint64_t granted = requested & ISC_REQ_CONNECTION;

    for (size_t i = 0; i < OSSPI_COUNT_OF(pairs); i++) {
        if (flags & pairs[i].gss)
            granted |= pairs[i].isc_ret;
    }
    if (requested & ISC_REQ_USE_SESSION_KEY && mechanism == OSSPI_GSS_KERBEROS)
        granted |= ISC_RET_USE_SESSION_KEY;
    return granted;
}

uint64_t osspi_flags_asc(OM_uint32 flags, uint64_t requested, unsigned mechanism)
{
    /* Nothing here tells a computer's account from a person's: both are let in. */
    uint64_t granted = requested & (ASC_REQ_CONNECTION | ASC_REQ_ALLOW_NON_USER_LOGONS);

    _Static_assert(ASC_REQ_CONNECTION == ASC_RET_CONNECTION &&
                       ASC_REQ_ALLOW_NON_USER_LOGONS == ASC_RET_ALLOW_NON_USER_LOGONS,
                   "the same bits");
    for (size_t i = 0; i < OSSPI_COUNT_OF(pairs); i++) {
        if (flags & pairs[i].gss)
            granted |= pairs[i].asc_ret;
    }
    if (requested & ASC_REQ_USE_SESSION_KEY && mechanism == OSSPI_GSS_KERBEROS)
        granted |= ASC_RET_USE_SESSION_KEY;
    return granted;
}
