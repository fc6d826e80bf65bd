/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the other end can do in a flow, as far as the library that it is made of can; see flow.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "property/flow.h"

#define MAX_POSTS 20u /* in a row, without data; the limits are for other tests */

void flow_peer_write(struct flow *flow, size_t len)
{
    struct property *run = &flow->run;

    if (run->peer_closed || run->peer_is_over || flow->peer_failed)
        return;
    if (flow->setup.kind == FOREIGN_OPENSSL && foreign_busy(&run->peer))
        return;
    property_peer_write(run, len);
}

/* False: it has read all it can. */
static bool take_news(struct flow *flow, enum foreign_news news, const uint8_t *data, size_t len)
{
    struct property *run = &flow->run;

    property_peer_sent(run);
    switch (news) {
    case FOREIGN_DATA:
        property_check(&run->ours, data, len);
        return true;
    case FOREIGN_NOTHING:
        return false;
    case FOREIGN_CLOSED:
        TEST_REQUIRE(run->we_closed);
        run->peer_saw_close = true;
        return false;
    default:
        if (!flow->inside)
            fprintf(stderr, "the peer has failed (%d); %s, alert %u\n", (int)news,
                    run->peer.words ? run->peer.words : "no words", run->peer.alert);
        TEST_REQUIRE(flow->inside && (run->we_closed || run->peer_closed));
        flow->peer_failed = true;
        peer_clear(&run->to_us);
        return false;
    }
}

void flow_peer_read(struct flow *flow, size_t len)
{
    struct property *run = &flow->run;
    uint8_t data[3000];

    if (len > run->to_peer.len)
        len = run->to_peer.len;
    peer_push(&run->peer.in, run->to_peer.bytes, len);
    peer_drop(&run->to_peer, len);
    for (unsigned i = 0; !flow->peer_failed && !run->peer_saw_close; i++) {
        size_t got;
        const enum foreign_news news = foreign_read(&run->peer, data, sizeof(data), &got);

        TEST_REQUIRE(i < 10000);
        if (!take_news(flow, news, data, got))
            return;
    }
}

static bool may_begin(const struct flow *flow)
{
    return flow->left > 0 && !flow->begun && !flow->closing && !flow->run.peer_closed &&
           !foreign_busy(&flow->run.peer);
}

void flow_peer_begin(struct flow *flow)
{
    struct property *run = &flow->run;
    const bool asks = property_pick(run, 2) == 0;

    if (!may_begin(flow) ||
        (flow->running && (flow->setup.kind == FOREIGN_GNUTLS || !flow->setup.server)))
        return;
    /* Then it does not bear data that are on their way, nor in TLS 1.3 KeyUpdates. */
    if (flow->setup.kind == FOREIGN_GNUTLS && flow->setup.server == flow->setup.tls13) {
        flow_settle(flow);
        flow->hold = !flow->setup.tls13;
    }
    if (flow->setup.tls13) {
        if (!foreign_ask(&run->peer))
            return;
        flow->left--;
        flow->asked = true;
    } else {
        flow->asked = flow->asked || (flow->setup.server && asks && !flow->running);
        run->peer.asks = flow->asked && flow->setup.server;
        TEST_REQUIRE(foreign_renegotiate(&run->peer));
    }
    flow_counts.crossed += flow->running;
    flow->begun = true;
    flow_counts.asked++;
    run->posts++;
    property_peer_sent(run);
}

/* KeyUpdates and tickets. GnuTLS allows 8 KeyUpdates in a second, those that it has asked for
 * included, and fails where both ends ask for one at once: one of the two asks. */
void flow_peer_post(struct flow *flow)
{
    struct property *run = &flow->run;
    const bool openssl = flow->setup.kind == FOREIGN_OPENSSL;

    if (!flow->setup.tls13 || run->posts >= MAX_POSTS || run->peer_closed || flow->peer_failed ||
        foreign_busy(&run->peer))
        return;
    if (property_pick(run, 3) == 0) {
        flow_counts.tickets += foreign_ticket(&run->peer);
    } else {
        const bool requested = (openssl || (run->ours.key % 2 == 0 && run->requests < 3)) &&
                               property_pick(run, 2) == 1;

        run->requests += requested;
        TEST_REQUIRE(foreign_key_update(&run->peer, requested));
        flow_counts.key_updates++;
    }
    run->posts++;
    property_peer_sent(run);
}

void flow_peer_close(struct flow *flow)
{
    struct property *run = &flow->run;

    flow->closing = true;
    if (foreign_busy(&run->peer) || flow->peer_failed)
        return; /* neither library closes in the middle of a handshake */
    flow->inside = flow->inside || flow->running || flow->begun;
    foreign_close(&run->peer);
    run->peer_closed = true;
    property_peer_sent(run);
}
