/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The client's side of an authentication that is no TLS: credential, legs, and what came of it.
 * Tokens come and go as bytes; how they travel is the user's affair.
 */
#ifndef SSPI_TOOL_INITIATOR_H
#define SSPI_TOOL_INITIATOR_H

#include <stdint.h>

#include <sspi.h>

#include "bytes.h"
#include "caller.h"
#include "login.h"
#include "timeline.h"

struct initiator {
    struct caller *caller;      /* not owned */
    struct timeline_legs *legs; /* where legs are noted, not owned; or NULL */
    const char *package;
    const char *target; /* service/host */
    ULONG flags;        /* ISC_REQ_... */
    int64_t deadline_ms;
    const SecPkgContext_Bindings *bindings; /* of the TLS connection around it; or NULL */
    /* Its own. */
    CredHandle credential;
    CtxtHandle context; /* all-ones: none */
    ULONG attributes;   /* ISC_RET_... of the last leg */
    TimeStamp expiry;
};

/** Invalidates the handles; what is above is the caller's to set. */
void initiator_init(struct initiator *initiator);

/** Acquires the credential; SEC_E_OK or why not. */
SECURITY_STATUS initiator_acquire(struct initiator *initiator, struct login *login);

/**
 * Makes a leg.
 *
 * @param token     [in]  what the server has sent; len 0: nothing yet
 * @param ret_token [out] what it is to get; emptied first
 * @return the leg's status: SEC_E_OK, SEC_I_CONTINUE_NEEDED, or a failure
 */
SECURITY_STATUS initiator_leg(struct initiator *initiator, const void *token, size_t len,
                              struct bytes *ret_token);

/** Frees both handles. */
void initiator_clear(struct initiator *initiator);

#endif
