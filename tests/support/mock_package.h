/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A security package for tests of the engine: its legs do what the test says.
 *
 * A leg finds its orders (struct mock_step) through the TOKEN of its input, which is a struct
 * mock_ticket; an acquire finds them through pAuthData, which is a struct mock_auth. So a copy of
 * the input leads to the same orders, and the test sees what happened to each call. A leg without
 * a ticket answers SEC_I_CONTINUE_NEEDED.
 *
 * Whatever must never happen is counted while everything else runs, and mock_require_sound() ends
 * the test if it did: two legs of one context at once, an object cleared twice or while in use, a
 * credential gone before its context, captured auth data released twice or never.
 *
 * What a context records is plain memory on purpose: only the order that the library keeps guards
 * it, so that ThreadSanitizer sees where it does not.
 */
#ifndef OSSPI_TESTS_SUPPORT_MOCK_PACKAGE_H
#define OSSPI_TESTS_SUPPORT_MOCK_PACKAGE_H

#include <sspi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/lane.h"
#include "support/test_util.h"

#define MOCK_NAME   "OSSPI Mock"
#define MOCK_EXPIRY INT64_C(0x0123456789ABCDEF)
#define MOCK_LOG    256u

/** Orders for one call, and what became of it. */
struct mock_step {
    /* Set by the test before the call; left alone until the call has left the package. */
    SECURITY_STATUS status; /* what the leg answers */
    uint32_t number;        /* goes to the context's log */
    bool want_blocking;     /* on the CPU lane: answer OSSPI_WANT_BLOCKING before all else */
    struct test_gate *gate; /* the leg passes it, or NULL */
    const char *output;     /* token to give, or NULL */
    void (*inside)(struct mock_step *step); /* runs in the leg behind the gate, or NULL */
    void *data;                             /* for inside */

    /* Written by the package. */
    _Atomic uint32_t entries;
    _Atomic uint32_t exits;
    _Atomic int32_t thread; /* of the last entry */
    _Atomic uint32_t lane;  /* enum osspi_lane of the last entry */
    _Atomic uint64_t order; /* place of the last entry among all entries of the process, from 1 */
};

/** The TOKEN of a leg's input. */
struct mock_ticket {
    uint64_t magic; /* MOCK_TICKET */
    struct mock_step *step;
};
#define MOCK_TICKET UINT64_C(0x4B4349544B434F4D)

/** pAuthData. */
struct mock_auth {
    uint64_t magic;                 /* MOCK_AUTH; SEC_E_UNKNOWN_CREDENTIALS otherwise */
    struct mock_step *step;         /* for the acquire, or NULL */
    enum osspi_lane lane;           /* that the legs with this credential want */
    const char *class_name;         /* of the blocking lane, or NULL */
    SECURITY_STATUS capture_status; /* that capturing answers, when not SEC_E_OK */
    bool take_over;                 /* the credential keeps the captured data */
};
#define MOCK_AUTH UINT64_C(0x485455414B434F4D)

/** What a context has seen; query attribute MOCK_ATTRIBUTE_RECORD. */
struct mock_record {
    uint32_t legs;          /* that were entered, WANT_BLOCKING and its repetition as one */
    uint32_t log[MOCK_LOG]; /* their numbers */
    char target[64];        /* of the first leg */
};
#define MOCK_ATTRIBUTE_RECORD 0x7E57u

/** What the package has seen since the process began. */
struct mock_totals {
    _Atomic uint64_t entries; /* legs and acquires */
    _Atomic uint64_t acquires;
    _Atomic uint64_t captured;
    _Atomic uint64_t released;
    _Atomic uint64_t credentials_cleared;
    _Atomic uint64_t contexts_cleared;
    _Atomic uint64_t messages; /* encrypt and decrypt */
    _Atomic uint64_t in_leg;   /* legs that run now, on all contexts */
    _Atomic uint64_t most_in_leg;
    _Atomic uint64_t forks;
    /* What must stay zero. */
    _Atomic uint64_t overlaps;
    _Atomic uint64_t misuses;
};

extern struct mock_totals mock_totals;

/** Adds the package to the library; once per process, before the first call. */
void mock_register(void);

/** On which lane acquires run; all that are queued from now on. class_name may be NULL. */
void mock_acquire_lane(enum osspi_lane lane, const char *class_name);

/** Ends the test if anything happened that must not, or auth data were not released. */
void mock_require_sound(void);

#endif
