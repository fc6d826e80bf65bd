/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Logon sessions of other users: a LUID {uid, 0} means the tickets of that user.
 *
 * The kernel decides who may have them: the file is opened with that user's rights, not following
 * links, and has to belong to him. This chooses credentials inside one process; it keeps nobody in
 * the process from anything. Only caches in files can be had so, where the configuration puts them
 * (default_ccache_name). Thread-safe; the identity of the thread is back when a call returns.
 */
#ifndef OSSPI_GSSAPI_SESSION_H
#define OSSPI_GSSAPI_SESSION_H

#include <krb5.h>
#include <sspi.h>
#include <stdbool.h>
#include <sys/types.h>

/** The user of a session; false: the LUID names none. */
bool osspi_session_user(const LUID *logon_id, uid_t *ret_user);

/** May this thread have what is the user's? */
bool osspi_session_allowed(uid_t user);

/**
 * Opens his tickets, to be read from this process alone. *ret_fd stays open as long as the cache
 * is used. Inside OSSPI_GSS_CALL.
 *
 * @return SEC_E_OK; SEC_E_NOT_OWNER: the kernel refuses, or the file is not his;
 *         SEC_E_NO_CREDENTIALS: there is none, or not in a file; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_session_open(krb5_context k5, uid_t user, krb5_ccache *ret_cache,
                                   int *ret_fd);

#endif
