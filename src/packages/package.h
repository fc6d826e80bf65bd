/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The one interface between the library and a security package.
 *
 * A package implements the blocking form of each call, once. It sees UTF-8 and checked buffers; A/W
 * conversion, argument checks, output reset and handle look-up have happened in src/api. It never
 * learns about threads: the asynchronous forms run the same slot on a worker, legs of one context
 * in order. A NULL slot means SEC_E_UNSUPPORTED_FUNCTION and is answered once, in src/api.
 *
 * Lanes: lane() says where a call wants to run. In the middle of a leg a package may answer
 * OSSPI_WANT_BLOCKING; the same slot is entered again on the blocking lane with the same arguments
 * (a synchronous call simply goes on there and then). leg->lane tells on which it runs.
 */
#ifndef OSSPI_PACKAGES_PACKAGE_H
#define OSSPI_PACKAGES_PACKAGE_H

#include <sspi.h>
#include <wincrypt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buffers.h"
#include "core/caller.h"
#include "core/lane.h"
#include "core/object.h"

enum osspi_operation { OSSPI_OP_ACQUIRE, OSSPI_OP_INITIALIZE, OSSPI_OP_ACCEPT };

/** What AcquireCredentialsHandle was given. */
struct osspi_acquire {
    enum osspi_lane lane;
    const char *principal; /* UTF-8 or NULL */
    uint32_t use;          /* the caller's fCredentialUse, unchecked */
    const LUID *logon_id;  /* or NULL */
    /* as whom the thread asks that made the call; NULL: as the process. Default credentials are
     * then that client's, or there are none */
    struct osspi_token *caller;
    void *auth;    /* what capture_auth made, or NULL; the package may take it over by
                      setting this to NULL */
    bool has_auth; /* pAuthData was not NULL */
    bool wide;     /* the caller's strings were UTF-16; so get_key's are */
    SEC_GET_KEY_FN get_key;
    void *get_key_argument;
    TimeStamp expiry; /* out; preset to "never" */
};

/** What ChangeAccountPassword was given. Strings are UTF-8, and outlive the call. */
struct osspi_password_change {
    enum osspi_lane lane;
    const char *domain; /* or NULL */
    const char *account;
    const char *old_password, *new_password;
    char lane_class[OSSPI_CLASS_NAME_SIZE]; /* out, with OSSPI_WANT_BLOCKING */
    void *policy; /* out: DOMAIN_PASSWORD_INFORMATION from osspi_context_buffer_new(), or NULL */
};

/** One leg of InitializeSecurityContext or AcceptSecurityContext. */
struct osspi_leg {
    enum osspi_lane lane;
    bool first;         /* the context is new */
    const char *target; /* UTF-8 or NULL; initiator only */
    uint64_t flags;     /* ISC_REQ_ or ASC_REQ_, with the upper half from SECBUFFER_FLAGS */
    uint32_t data_rep;
    struct osspi_buffers in;
    struct osspi_buffers out;
    struct osspi_credential *credential; /* the context's, or the new one of this leg */
    uint64_t attributes;                 /* out: ISC_RET_ or ASC_RET_ */
    TimeStamp expiry;                    /* out; preset to "never" */
};

/**
 * A package. Slots return statuses that the contract allows for the call they serve.
 *
 * Locks held by the caller: initialize, accept, control, complete: the context's turn, read side
 * and write side. encrypt, make_signature: write side. decrypt, verify_signature: read side.
 * query, set: none; the package guards what they touch.
 */
struct osspi_package {
    const char *name;
    const char *const *aliases; /* NULL-terminated, or NULL */
    const char *comment;
    uint32_t capabilities; /* SECPKG_FLAG_ */
    uint16_t rpc_id;
    uint32_t max_token;
    size_t cred_size;
    size_t ctx_size;

    /** Legs act for their credential alone and give nobody anything of the user whose identity the
     * thread has: no file, cache or token that is the user's. Then an asynchronous leg is accepted
     * from any thread; else one with an identity of its own is refused (SEC_E_NOT_OWNER). */
    bool legs_any_identity;

    /** Is the package there at all? What it stands on may not be installed. NULL slot: yes. Asked
     * when somebody wants it or a list of all. */
    bool (*present)(void);

    /** Copies auth data while the call is queued, with everything reachable from it. A NULL result
     * with an error is kept and reported by the call itself. encoding_wide: the W entry point. */
    SECURITY_STATUS (*capture_auth)(const void *auth, bool encoding_wide, void **ret_captured);
    void (*release_auth)(void *captured); /* NULL-safe */

    /** Which lane; never blocks. NULL slot: always the CPU lane. cred, ctx may be NULL. */
    void (*lane)(enum osspi_operation operation, struct osspi_credential *credential,
                 struct osspi_context *context, struct osspi_lane_choice *ret_choice);

    SECURITY_STATUS (*acquire)(struct osspi_credential *credential, struct osspi_acquire *args);
    void (*clear_credential)(struct osspi_credential *credential); /* also when acquire failed */

    SECURITY_STATUS (*initialize)(struct osspi_context *context, struct osspi_leg *leg);
    SECURITY_STATUS (*accept)(struct osspi_context *context, struct osspi_leg *leg);
    SECURITY_STATUS (*complete)(struct osspi_context *context, const struct osspi_buffers *token);
    SECURITY_STATUS (*control)(struct osspi_context *context, const struct osspi_buffers *token);
    void (*clear_context)(struct osspi_context *context); /* also when the first leg failed */

    SECURITY_STATUS (*encrypt)(struct osspi_context *context, uint32_t qop,
                               const struct osspi_buffers *message, uint32_t sequence);
    SECURITY_STATUS (*decrypt)(struct osspi_context *context, const struct osspi_buffers *message,
                               uint32_t sequence, uint32_t *ret_qop);
    SECURITY_STATUS (*make_signature)(struct osspi_context *context, uint32_t qop,
                                      const struct osspi_buffers *message, uint32_t sequence);
    SECURITY_STATUS (*verify_signature)(struct osspi_context *context,
                                        const struct osspi_buffers *message, uint32_t sequence,
                                        uint32_t *ret_qop);

    /** Fills the A flavour of an attribute struct with UTF-8; src/api widens it. size is the bytes
     * at buffer: the exact struct size for the Ex form, SIZE_MAX when the caller gave none.
     * Strings and arrays come from osspi_context_buffer_new(). */
    SECURITY_STATUS (*query_context)(struct osspi_context *context, uint32_t attribute,
                                     void *buffer, size_t size);
    SECURITY_STATUS (*set_context)(struct osspi_context *context, uint32_t attribute,
                                   const void *buffer, size_t size);
    SECURITY_STATUS (*query_credential)(struct osspi_credential *credential, uint32_t attribute,
                                        void *buffer, size_t size);
    SECURITY_STATUS (*set_credential)(struct osspi_credential *credential, uint32_t attribute,
                                      const void *buffer, size_t size);

    /** AddCredentials: more for a credential that may be in use on other threads. May answer
     * OSSPI_WANT_BLOCKING, like acquire. */
    SECURITY_STATUS (*add)(struct osspi_credential *credential, struct osspi_acquire *args);
    /** OsspiRenewCredential: other certificates. *ret_expiry is preset to "never"; may be NULL. */
    SECURITY_STATUS (*renew)(struct osspi_credential *credential,
                             const PCCERT_CONTEXT *certificates, size_t count,
                             TimeStamp *ret_expiry);

    /** ChangeAccountPassword; knows no credential. May answer OSSPI_WANT_BLOCKING, like acquire. */
    SECURITY_STATUS (*change_password)(struct osspi_password_change *change);

    /** Who the client of a server's context is, for ImpersonateSecurityContext: a new reference.
     * SEC_E_NO_IMPERSONATION: the context has no client. */
    SECURITY_STATUS (*client_token)(struct osspi_context *context, struct osspi_token **ret_token);
    /** Both sides are held. flags: SECPKG_CONTEXT_EXPORT_RESET_NEW and _DELETE_OLD. Fills size and
     * memory of packed. */
    SECURITY_STATUS (*export_context)(struct osspi_context *context, uint32_t flags,
                                      SecBuffer *packed);
    /** Into a new context that has no credential. */
    SECURITY_STATUS (*import_context)(struct osspi_context *context, const SecBuffer *packed);

    /** The process forked; child side, no other thread exists. May only mark, not free. Optional.
     */
    void (*forked)(void);
};

#endif
