/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The identities that callers give (SEC_WINNT_AUTH_IDENTITY and its kin): one view of all their
 * forms, and one form of our own making, EX2, which is a single block.
 *
 * Source: the MS docs' pages of SEC_WINNT_AUTH_IDENTITY_EX2 and
 * SEC_WINNT_AUTH_PACKED_CREDENTIALS. Pure functions; thread-safe.
 */
#ifndef OSSPI_CORE_AUTH_IDENTITY_H
#define OSSPI_CORE_AUTH_IDENTITY_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Any of these marks a secret that is encrypted, by somebody else: it cannot be read. */
#define OSSPI_AUTH_SEALED \
    (SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED | \
     SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_PROTECTED | \
     SEC_WINNT_AUTH_IDENTITY_FLAGS_USER_PROTECTED | \
     SEC_WINNT_AUTH_IDENTITY_FLAGS_SYSTEM_ENCRYPTED)

/** What packed credentials begin with that are a password. */
extern const GUID osspi_auth_type_password;

/** Text of a caller, not terminated, and of any alignment. */
struct osspi_auth_text {
    const void *bytes; /* NULL: none was given, which is not the same as an empty one */
    size_t count;      /* bytes of UTF-8, or units of UTF-16 */
    bool wide;
};

/** What an identity says. Borrows the caller's memory, secrets included. */
struct osspi_auth_view {
    ULONG flags; /* as given */
    struct osspi_auth_text user, domain;
    struct osspi_auth_text packages; /* "kerberos,!ntlm" */
    struct osspi_auth_text password; /* of a kind without one: NULL */
    const void *packed; /* EX2 with other credentials than a password, or encrypted ones: these */
    size_t packed_len;
};

/**
 * Reads an identity of any form.
 *
 * @param[in] size  bytes at identity that may be read; SIZE_MAX: as many as its form says
 * @return SEC_E_OK; SEC_E_INVALID_PARAMETER: malformed (NULL, lengths without memory, neither or
 *         both encodings, offsets beyond the end, NULs in a name).
 */
SECURITY_STATUS osspi_auth_view(const void *identity, size_t size, struct osspi_auth_view *ret_view)
    __attribute__((warn_unused_result));

/**
 * Makes the EX2 form of a view.
 *
 * @param[out] ret_identity  from osspi_context_buffer_new(): freeing it wipes it
 * @return SEC_E_OK; SEC_E_INVALID_PARAMETER: bytes that are no UTF-8, or longer than the form can
 *         tell (32,767 units each); SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_auth_pack(const struct osspi_auth_view *view,
                                SEC_WINNT_AUTH_IDENTITY_EX2 **ret_identity)
    __attribute__((warn_unused_result));

/** Both: a packed copy of an identity. Statuses of the two. */
SECURITY_STATUS osspi_auth_copy(const void *identity, size_t size,
                                SEC_WINNT_AUTH_IDENTITY_EX2 **ret_identity)
    __attribute__((warn_unused_result));

/** A NUL-terminated UTF-16 string as text; NULL stays NULL. */
struct osspi_auth_text osspi_auth_text(const void *string);

#endif
