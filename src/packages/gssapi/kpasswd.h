/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Changes of passwords by Kerberos (RFC 3244, in the form that changes the client's own password).
 * The exchanges are those of kdc.h, so that nothing waits where it cannot be stopped.
 */
#ifndef OSSPI_GSSAPI_KPASSWD_H
#define OSSPI_GSSAPI_KPASSWD_H

#include "packages/gssapi/kdc.h"
#include "packages/package.h"

/** A package's change_password slot. SEC_E_OK; STATUS_PASSWORD_RESTRICTION: the domain's rules
 * forbid the new one; SEC_E_LOGON_DENIED: it refuses who he is, or his right to;
 * SEC_E_UNKNOWN_CREDENTIALS: the account is no name; statuses of status.h. */
SECURITY_STATUS osspi_kpasswd(struct osspi_password_change *change);

/** What a server of passwords has said. */
struct osspi_kpasswd_answer {
    int code;         /* KRB5_KPASSWD_... */
    bool sealed;      /* by the ticket's key: nobody else could say so */
    bool has_policy;  /* a domain of Windows has told its rules, in ... */
    uint32_t min_len; /* characters */
    uint32_t history;
    uint32_t properties;
    uint64_t max_age, min_age; /* units of 100 ns */
};

/** Reads the text of an answer, after it was opened: a code, and words or rules. False: it is too
 * short. */
bool osspi_kpasswd_read(const uint8_t *bytes, size_t len, struct osspi_kpasswd_answer *ret_answer);

#endif
