/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * As whom a thread asks: as the process, or as the client of a security context that it
 * impersonates.
 *
 * A package says what a client is to it: a token, which is counted and outlives the context it
 * came from. A thread has one token at most, and gives it back when it ends. What runs on another
 * thread for it (an asynchronous call) takes the token along when the call is made. The kernel's
 * idea of the thread is not touched: it keeps its user, group and capabilities.
 */
#ifndef OSSPI_CORE_CALLER_H
#define OSSPI_CORE_CALLER_H

#include <sspi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** The first member of a package's own structure. */
struct osspi_token {
    _Atomic uint32_t references;
    const void *maker;                   /* constant: tells packages theirs from others' */
    void (*free)(struct osspi_token *t); /* constant: of the whole structure */
};

static inline void osspi_token_ref(struct osspi_token *token)
{
    (void)atomic_fetch_add_explicit(&token->references, 1, memory_order_relaxed);
}

void osspi_token_unref(struct osspi_token *token); /* NULL is a no-op */

/**
 * From here on this thread asks as that client, instead of as whomever it asked before.
 *
 * @param[in] context whose client it is: the handle with which it is undone
 * @param[in] token   a reference, which the thread takes over on success
 * @return SEC_E_OK, SEC_E_INSUFFICIENT_MEMORY
 */
SECURITY_STATUS osspi_caller_become(const CtxtHandle *context, struct osspi_token *token);

/** From here on this thread asks as the process. */
void osspi_caller_revert(void);

/** Is it the client of that handle, whose context may be gone since, as whom this thread asks? */
bool osspi_caller_is(const CtxtHandle *context);

/** A new reference on this thread's token; NULL: it asks as the process. */
struct osspi_token *osspi_caller_token(void);

#endif
