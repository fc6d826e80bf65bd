/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random steps, and the end of a connection; see property.h.
 *
 * Bounds. Our end allows 32 KeyUpdates and 64 handshake records in a row, a GnuTLS peer 8
 * KeyUpdates a second, an OpenSSL peer 4 warnings in a row: the steps stay below that, since a
 * limit is for other tests (tests/api/test_safety_limits.c).
 */
#include <string.h>

#include "property/property.h"

#define MAX_POSTS     20u
#define MAX_REQUESTS  6u /* for a GnuTLS peer */
#define USER_CANCELED 90u

/* ---- the peer's steps ---- */

static bool may_post(const struct property *run)
{
    return run->posts < MAX_POSTS && !run->peer_closed;
}

static void step_peer_write(struct property *run)
{
    if (!run->peer_closed)
        property_peer_write(run, property_len(run, 2 * PROPERTY_MAX));
}

static void step_key_updates(struct property *run)
{
    for (uint64_t i = 1 + property_pick(run, 4); i > 0 && may_post(run); i--) {
        const bool requested =
            (run->peer.setup.kind == FOREIGN_OPENSSL || run->requests < MAX_REQUESTS) &&
            property_pick(run, 2) == 1;

        if (!foreign_key_update(&run->peer, requested))
            return;
        run->requests += requested;
        run->posts++;
        property_counts.key_updates++;
        property_peer_sent(run);
    }
}

static void step_tickets(struct property *run)
{
    for (uint64_t i = 1 + property_pick(run, 3); i > 0 && may_post(run); i--) {
        if (!foreign_ticket(&run->peer))
            return;
        run->posts++;
        property_counts.tickets++;
        property_peer_sent(run);
    }
}

static void ask_for_renegotiation(struct property *run)
{
    if (!may_post(run) || !foreign_renegotiate(&run->peer))
        return;
    run->asked++;
    run->posts++;
    property_counts.renegotiations++;
    property_peer_sent(run);
}

/* Only a peer that goes on afterwards; the other one asks at the end (property_close). What it asks
 * is answered as long as our end may speak. */
static void step_renegotiate(struct property *run)
{
    const unsigned declined = run->declined, asked = run->asked;

    if (run->peer.setup.kind != FOREIGN_GNUTLS)
        return;
    ask_for_renegotiation(run);
    if (run->asked == asked || run->we_closed || property_pick(run, 4) != 0)
        return;
    property_drain(run);
    TEST_REQUIRE(run->declined > declined);
}

static void step_peer_warn(struct property *run)
{
    if (!may_post(run) || run->posts % 4 == 3 || !foreign_warn(&run->peer, USER_CANCELED))
        return;
    run->posts++;
    property_counts.warnings++;
    property_peer_sent(run);
}

static void step_peer_read(struct property *run)
{
    property_peer_read(run, 1 + property_len(run, 40000));
}

/* ---- our steps ---- */

static void step_seal(struct property *run)
{
    if (!run->we_closed)
        property_seal(run, property_len(run, PROPERTY_MAX));
}

static void step_warn(struct property *run)
{
    if (!run->we_closed)
        property_warn(run);
}

static void step_seal_badly(struct property *run)
{
    if (!run->we_closed)
        property_seal_badly(run);
}

/* In pieces of any size; looks at what is there, sometimes before any of it is new. */
static void step_arrive(struct property *run)
{
    property_arrive(run, property_len(run, 40000));
    for (uint64_t i = property_pick(run, 6); i > 0 && !run->we_saw_close; i--) {
        if (!property_open_one(run))
            return;
    }
}

static void step_bytewise(struct property *run)
{
    for (uint64_t i = property_pick(run, 40); i > 0 && !run->we_saw_close; i--) {
        property_arrive(run, 1);
        (void)property_open_one(run);
    }
}

static void step_leg(struct property *run)
{
    property_leg(run, run->end.in.len > 0 && property_pick(run, 2) == 1);
}

static void step_query(struct property *run)
{
    property_facts_check(run);
}

static void (*const steps[])(struct property *run) = {
    step_seal,       step_seal,       step_seal,        step_seal,        step_peer_write,
    step_peer_write, step_peer_write, step_arrive,      step_arrive,      step_arrive,
    step_arrive,     step_peer_read,  step_peer_read,   step_peer_read,   step_key_updates,
    step_tickets,    step_leg,        step_query,       step_seal_badly,  step_bytewise,
    step_warn,       step_peer_warn,  step_renegotiate, step_key_updates,
};

void property_steps(struct property *run, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        steps[property_pick(run, sizeof(steps) / sizeof(steps[0]))](run);
        property_counts.steps++;
    }
}

/* ---- the end ---- */

static void close_ours(struct property *run)
{
    const DWORD token = SCHANNEL_SHUTDOWN;
    struct peer_end wire = {0};
    const SECURITY_STATUS status = peer_control(&run->end, &token, sizeof(token));

    TEST_REQUIRE_EQUAL(status, SEC_E_OK);
    if (property_pick(run, 2) == 0) /* the alert is made by the leg, not before */
        property_seal(run, property_len(run, 100));
    property_leg(run, false);
    run->we_closed = true;
    TEST_REQUIRE_EQUAL(peer_send(&run->end, &wire, "x", 1), SEC_E_CONTEXT_EXPIRED);
}

static void close_theirs(struct property *run)
{
    foreign_close(&run->peer);
    run->peer_closed = true;
    property_peer_sent(run);
}

/* OpenSSL takes the refusal for a failure. What was sent before arrives all the same. */
static void close_by_refusal(struct property *run)
{
    property_drain(run);
    ask_for_renegotiation(run);
    if (property_pick(run, 2) == 0)
        property_peer_write(run, 0);
    property_arrive(run, SIZE_MAX);
    while (property_open_one(run))
        ;
    property_leg(run, run->absorbed);
    property_seal(run, 10);
    property_peer_read(run, SIZE_MAX);
    TEST_REQUIRE(run->peer_is_over && run->declined == 1);
}

void property_close(struct property *run)
{
    const uint64_t order = property_pick(run, 3);

    if (run->peer.setup.kind == FOREIGN_OPENSSL && !run->peer.setup.tls13 &&
        property_pick(run, 4) == 0) {
        close_by_refusal(run);
        return;
    }
    if (order == 0)
        close_theirs(run);
    else
        close_ours(run);
    property_steps(run, (unsigned)property_pick(run, 10));
    if (order == 2) { /* both before either has seen the other's */
        close_theirs(run);
        property_drain(run);
    } else {
        property_drain(run);
        property_steps(run, (unsigned)property_pick(run, 10));
        if (order == 0)
            close_ours(run);
        else
            close_theirs(run);
        property_drain(run);
    }
    TEST_REQUIRE(run->we_saw_close && run->peer_saw_close);
}
