/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Established contexts as bytes: ExportSecurityContext and ImportSecurityContext.
 *
 * The bytes hold the session's keys. Who has them has the session, and who imports them trusts
 * whoever made them as he trusts himself: what is within is read by the mechanism, which was not
 * made for hostile bytes. A checksum finds damage, and bytes of another machine or of an earlier
 * start of this one; it keeps nobody out who wants to get in. Tickets that a client has handed over
 * do not go along.
 */
#ifndef OSSPI_GSSAPI_EXPORT_H
#define OSSPI_GSSAPI_EXPORT_H

#include "packages/gssapi/context.h"

/**
 * The slot. Without SECPKG_CONTEXT_EXPORT_DELETE_OLD the context goes on as well.
 *
 * @return SEC_E_OK; SEC_E_INVALID_HANDLE: it is not established, or its last token has not been
 *         taken; SEC_E_UNSUPPORTED_FUNCTION: RESET_NEW, which no mechanism knows, or NTLM without
 *         DELETE_OLD: two that go on would seal different texts with one key stream;
 *         SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_gss_export(struct osspi_context *context, uint32_t flags, SecBuffer *packed);

/** The slot. SEC_E_UNKNOWN_CREDENTIALS: no context of this package, this library's version and this
 * machine. */
SECURITY_STATUS osspi_gss_import(struct osspi_context *context, const SecBuffer *packed);

#endif
