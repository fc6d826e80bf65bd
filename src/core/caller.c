/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * As whom a thread asks; see caller.h. What is kept belongs to its thread alone. A forked child has
 * one thread, and that one goes on as whom it was.
 */
#include "core/caller.h"

#include <pthread.h>
#include <stddef.h>

static __thread struct {
    struct osspi_token *token; /* a reference, or NULL */
    CtxtHandle context;
} self;

/* For the end of threads alone: its value is the token, or NULL. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* constant after once */
static bool has_key;      /* constant after once */

void osspi_token_unref(struct osspi_token *token)
{
    if (token && atomic_fetch_sub_explicit(&token->references, 1, memory_order_acq_rel) == 1)
        token->free(token);
}

static void at_thread_end(void *token)
{
    self.token = NULL;
    osspi_token_unref(token);
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, at_thread_end) == 0;
}

SECURITY_STATUS osspi_caller_become(const CtxtHandle *context, struct osspi_token *token)
{
    struct osspi_token *before = self.token;

    (void)pthread_once(&once, make_key);
    if (!has_key || pthread_setspecific(key, token) != 0)
        return SEC_E_INSUFFICIENT_MEMORY;
    self.token = token;
    self.context = *context;
    osspi_token_unref(before);
    return SEC_E_OK;
}

void osspi_caller_revert(void)
{
    struct osspi_token *before = self.token;

    if (!before)
        return;
    (void)pthread_setspecific(key, NULL);
    self.token = NULL;
    osspi_token_unref(before);
}

bool osspi_caller_is(const CtxtHandle *context)
{
    return self.token && context && self.context.dwLower == context->dwLower &&
           self.context.dwUpper == context->dwUpper;
}

struct osspi_token *osspi_caller_token(void)
{
    if (self.token)
        osspi_token_ref(self.token);
    return self.token;
}
