/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Asks a security context for what it knows: whatever comes is read to its end and freed, and the
 * status must be one that the query documents. For programs that do not know the context's state.
 *
 * Any thread, also several on one context.
 */
#ifndef OSSPI_TESTS_SUPPORT_CONTEXT_LOOK_H
#define OSSPI_TESTS_SUPPORT_CONTEXT_LOOK_H

#include <sspi.h>
#include <stddef.h>

enum context_look_form {
    CONTEXT_LOOK_A,
    CONTEXT_LOOK_W,
    CONTEXT_LOOK_EX_A,
    CONTEXT_LOOK_EX_W,
    CONTEXT_LOOK_FORMS
};

/** How many attributes there are to ask for. */
extern const size_t context_look_count;

/** Asks for one of them, below context_look_count. */
SECURITY_STATUS context_look_at(PCtxtHandle context, size_t index, enum context_look_form form);

/** Asks for all of them, and for the words of the last failure, of a handle that is valid. */
void context_look(PCtxtHandle context);

#endif
