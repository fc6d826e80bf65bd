/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The two objects that SSPI handles name, credential and security context, and the handles
 * themselves.
 *
 * A handle holds slot index, generation, the kind of object and the package; never an address. A
 * look-up takes a reference for the length of the call. Deleting makes the handle invalid at once;
 * the object goes when the last call lets go of it. A context holds a reference on its credential.
 *
 * Order on one context: legs take turns (core/turn.h) and hold read_side and write_side while they
 * run, in this order. DecryptMessage takes the read side, EncryptMessage the write side.
 */
#ifndef OSSPI_CORE_OBJECT_H
#define OSSPI_CORE_OBJECT_H

#include <sspi.h>

#include "base/lock.h"
#include "base/table.h"
#include "core/turn.h"

struct osspi_package;
struct osspi_credential;
struct osspi_context;

/** What the core must know of a package to keep its objects. */
struct osspi_object_class {
    const struct osspi_package *package;
    uint8_t package_index;                                         /* stands in the handle */
    size_t cred_size, ctx_size;                                    /* bytes of package data */
    void (*clear_credential)(struct osspi_credential *credential); /* or NULL */
    void (*clear_context)(struct osspi_context *context);          /* or NULL */
};

struct osspi_credential {
    struct osspi_slot slot;
    const struct osspi_object_class *class; /* constant once the handle is published */
    const struct osspi_package *package;    /* class->package, constant too */
    uint32_t use;                           /* SECPKG_CRED_INBOUND, _OUTBOUND; constant too */
    void *data;                             /* cred_size zeroed bytes, the package's own */
};

enum osspi_context_state {
    OSSPI_CONTEXT_HANDSHAKE,   /* legs are expected */
    OSSPI_CONTEXT_ESTABLISHED, /* a leg has answered SEC_E_OK */
    OSSPI_CONTEXT_FAILED,      /* a leg has failed for good; no messages any more */
    OSSPI_CONTEXT_GIVEN_UP     /* a leg was given up; SEC_E_CONTEXT_EXPIRED but for those two */
};

#define OSSPI_DETAIL_SIZE 256u /* of the longest, with its NUL */

/* Two cache lines: there is one for each connection, and most of these are idle. What a package
 * needs at times only is no member. */
struct osspi_context {
    struct osspi_slot slot;
    const struct osspi_object_class *class; /* constant once the handle is published */
    const struct osspi_package *package;    /* class->package, constant too */
    struct osspi_credential *credential; /* a reference; changed by legs only, under both sides */
    void *data;                          /* ctx_size zeroed bytes, the package's own */
    bool accepting;                      /* made by AcceptSecurityContext; constant */
    _Atomic bool has_detail;             /* written under detail_lock */
    uint32_t epoch;                      /* fork epoch in which it was made; constant */
    _Atomic uint32_t state;              /* enum osspi_context_state */
    struct osspi_turn turn;
    struct osspi_lock read_side;
    struct osspi_lock write_side;
    struct osspi_lock detail_lock;
    char *detail; /* NULL: none; guarded by detail_lock */
};

/* ---- handles ---- */

/** Writes the handle that names the object. */
void osspi_credential_handle(const struct osspi_credential *credential, CredHandle *ret_handle);
void osspi_context_handle(const struct osspi_context *context, CtxtHandle *ret_handle);

/** Finds the object and takes a reference; NULL for NULL, invalid, stale or foreign handles. */
struct osspi_credential *osspi_credential_lookup(const CredHandle *handle);
struct osspi_context *osspi_context_lookup(const CtxtHandle *handle);

/** Makes the handle invalid; returns the object with its owner's reference, or NULL if the handle
 * names none (any more). The caller drops that reference. */
struct osspi_credential *osspi_credential_retire(const CredHandle *handle);
struct osspi_context *osspi_context_retire(const CtxtHandle *handle);

/** Was the handle once given out for an object that is gone since? (DeleteSecurityContext answers
 * SEC_E_OK for those.) */
bool osspi_context_was_deleted(const CtxtHandle *handle);

/* ---- objects ---- */

/** New object with zeroed package data and one reference, its owner's; no handle names it to
 * anybody before osspi_*_handle() is called. NULL: no memory. */
struct osspi_credential *osspi_credential_new(const struct osspi_object_class *class, uint32_t use);
struct osspi_context *osspi_context_new(const struct osspi_object_class *class,
                                        struct osspi_credential *credential, bool accepting);

/** Drops a new object that was never published: retires it and drops the owner's reference. */
void osspi_credential_discard(struct osspi_credential *credential);
void osspi_context_discard(struct osspi_context *context);

void osspi_credential_ref(struct osspi_credential *credential);
void osspi_context_ref(struct osspi_context *context);
void osspi_credential_unref(struct osspi_credential *credential); /* NULL is a no-op */
void osspi_context_unref(struct osspi_context *context);          /* NULL is a no-op */

uint32_t osspi_credential_live(void);
uint32_t osspi_context_live(void);

/** Gives the context another credential (a continuation with a new handle). Both sides held. */
void osspi_context_set_credential(struct osspi_context *context,
                                  struct osspi_credential *credential);

/** Moves the state on; a context that was given up stays so, since the leg that did not return may
 * yet do so. Thread-safe. */
void osspi_context_set_state(struct osspi_context *context, enum osspi_context_state state);

/**
 * Records what went wrong, in words for a person: function, foreign code, text; no secret. Kept
 * until the next leg. Without memory for them there are no words. Thread-safe.
 */
void osspi_context_detail(struct osspi_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** As osspi_context_detail() with no words. Thread-safe. */
void osspi_context_clear_detail(struct osspi_context *context);

/** Copies the detail; always NUL-terminates when size > 0. Returns the full length. */
size_t osspi_context_get_detail(struct osspi_context *context, char *buffer, size_t size);

/** SEC_E_CONTEXT_EXPIRED for a context that was given up, or that the parent process made: all
 * calls but Delete and Query answer it. Else SEC_E_OK; what a failed context still answers is the
 * package's to say. */
SECURITY_STATUS osspi_context_usable(const struct osspi_context *context);

#endif
