/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Flags of SSPI and of GSSAPI (RFC 2743 1.2, RFC 4121 4.1.1), in both directions. Pure functions.
 */
#ifndef OSSPI_GSSAPI_FLAGS_H
#define OSSPI_GSSAPI_FLAGS_H

#include <gssapi/gssapi.h>
#include <stdbool.h>
#include <stdint.h>

/** What a client asks GSSAPI for. */
OM_uint32 osspi_flags_request(uint64_t isc_req);

/** What GSSAPI says, corrected where a mechanism is known to say what is not so. */
OM_uint32 osspi_flags_true(OM_uint32 flags, unsigned mechanism, bool client);

/** What the caller is told. requested: ISC_REQ_ or ASC_REQ_. */
uint64_t osspi_flags_isc(OM_uint32 flags, uint64_t requested, unsigned mechanism);
uint64_t osspi_flags_asc(OM_uint32 flags, uint64_t requested, unsigned mechanism);

#endif
