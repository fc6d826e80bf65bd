/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The foreign libraries behind this package, and how they are called.
 *
 * MIT Kerberos and its GSSAPI take locks of their own for a moment in many calls, so fork() waits
 * for threads inside them (base/foreign.h). No call that may wait for a network is made inside: the
 * Kerberos exchanges are ours (kdc.h), and what nobody can take apart says OSSPI_GSS_SLOW.
 */
#ifndef OSSPI_GSSAPI_FOREIGN_H
#define OSSPI_GSSAPI_FOREIGN_H

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>

#include "base/cancel.h"
#include "base/foreign.h"
#include "base/memory.h"

static inline void osspi_gss_call_end(const char *unused)
{
    (void)unused;
    osspi_foreign_leave();
}

/** To the end of the block this thread is inside the foreign libraries, and cannot be cancelled:
 * it would leave their locks held. */
#define OSSPI_GSS_CALL \
    OSSPI_UNCANCELLED; \
    osspi_foreign_enter(); \
    __attribute__((unused)) const char osspi_gss_call_ osspi_auto(osspi_gss_call_end) = 0

/** The same where the library may wait for a daemon or a network, which nothing can stop. */
#define OSSPI_GSS_SLOW \
    OSSPI_FOREIGN_SLOW; \
    OSSPI_GSS_CALL

#endif
