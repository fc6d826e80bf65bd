/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Flows: credentials, the first handshake with early data and pre-shared keys, and what must be
 * true when it is done; see flow.h.
 */
#include "property/flow.h"

#include <stdlib.h>
#include <string.h>

struct flow_counts flow_counts;

/* ---- credentials ---- */

void flow_allow(struct flow *flow)
{
    OsspiTlsOptions options = {
        .cbSize = sizeof(options),
        .flags = (flow->setup.later ? OSSPI_TLS_RENEGOTIATION | OSSPI_TLS_POST_HANDSHAKE_AUTH : 0) |
                 (flow->setup.early && !flow->refuses ? OSSPI_TLS_EARLY_DATA : 0),
        .max_early_data = FLOW_MAX_EARLY,
        .max_renegotiations = 1 + (ULONG)property_pick(&flow->run, 12),
    };

    TEST_REQUIRE_EQUAL(SetCredentialsAttributesA(&flow->run.end.credential,
                                                 OSSPI_CRED_ATTR_TLS_OPTIONS, &options,
                                                 sizeof(options)),
                       SEC_E_OK);
    flow->left = flow->setup.later ? options.max_renegotiations : 0;
}

void flow_acquire(struct flow *flow)
{
    struct peer_end *end = &flow->run.end;
    const char *certificate = end->server                      ? "server"
                              : flow->certificate == FLOW_WITH ? "client"
                                                               : NULL;
    DWORD flags = end->server ? 0 : SCH_CRED_NO_DEFAULT_CREDS;

    if (flow->setup.psk && property_pick(&flow->run, 2) == 0) {
        flags |= SCH_USE_PRESHAREDKEY_ONLY;
        certificate = NULL;
    }
    TEST_REQUIRE(!end->has_context);
    if (end->has_credential)
        TEST_REQUIRE_EQUAL(end->form->free_credential(&end->credential), SEC_E_OK);
    TEST_REQUIRE_EQUAL(
        peer_end_acquire(end, 0, flags, certificate, property_pick(&flow->run, 2) == 1), SEC_E_OK);
    flow_allow(flow);
}

void flow_open(struct flow *flow, uint64_t random, const struct foreign_setup *setup)
{
    *flow = (struct flow){.run = {.random = random}, .setup = *setup};
    struct property *run = &flow->run;
    const struct peer_form *form = property_pick(run, 3) == 0 ? PEER_ASYNC : PEER_SYNC;

    flow->certificate = setup->server        ? (enum flow_certificate)property_pick(run, 3)
                        : setup->certificate ? FLOW_WITH
                                             : FLOW_WITHOUT;
    if (setup->server && setup->tls13 && setup->kind == FOREIGN_GNUTLS &&
        flow->certificate == FLOW_WITHOUT)
        flow->certificate = FLOW_LATE; /* without, it fails after the handshake */
    flow->small_rooms = property_pick(run, 2) == 1;
    flow->bytewise = property_pick(run, 4) == 0;
    peer_end_init(&run->end, form, !setup->server);
    flow_acquire(flow);
    peer_end_init(&flow->other, form, false);
    if (setup->server && flow->certificate == FLOW_LATE)
        TEST_REQUIRE_EQUAL(peer_end_acquire(&flow->other, 0, 0, "client", false), SEC_E_OK);
    foreign_open(&run->peer, setup);
    flow_counts.flows++;
}

void flow_disconnect(struct flow *flow)
{
    struct property *run = &flow->run;

    peer_end_disconnect(&run->end);
    peer_clear(&run->to_us);
    peer_clear(&run->to_peer);
    foreign_again(&run->peer);
    run->end.flags &= ~(ULONG)(run->end.server ? ASC_REQ_MUTUAL_AUTH : 0);
    *flow = (struct flow){
        .run = {.random = run->random, .end = run->end, .peer = run->peer},
        .setup = flow->setup,
        .certificate = flow->certificate,
        .other = flow->other,
        .small_rooms = flow->small_rooms,
        .bytewise = flow->bytewise,
        .left = flow->left,
    };
}

void flow_free(struct flow *flow)
{
    peer_clear(&flow->run.to_us);
    peer_clear(&flow->run.to_peer);
    peer_end_free(&flow->run.end);
    peer_end_free(&flow->other);
    foreign_free(&flow->run.peer);
}

/* ---- the first handshake ---- */

/* What the client gives early is the beginning of its stream. */
static void give_early(struct flow *flow)
{
    struct property *run = &flow->run;
    uint8_t bytes[FLOW_MAX_EARLY];

    if (!flow->setup.early || property_pick(run, 4) == 0)
        return;
    flow->early = 1 + property_len(run, FLOW_MAX_EARLY - 1);
    if (flow->setup.server)
        return; /* ours: with the first leg */
    property_fill(&run->theirs, 0, bytes, flow->early);
    peer_push(&run->peer.early, bytes, flow->early);
}

static size_t ask_early(struct flow *flow, ULONG *ret_status, uint8_t *bytes)
{
    OsspiEarlyData early = {0};

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&flow->run.end.context, OSSPI_ATTR_EARLY_DATA, &early), SEC_E_OK);
    TEST_REQUIRE(early.cbData <= FLOW_MAX_EARLY);
    *ret_status = early.status;
    if (early.cbData > 0) {
        memcpy(bytes, early.pvData, early.cbData);
        TEST_REQUIRE_EQUAL(FreeContextBuffer(early.pvData), SEC_E_OK);
    }
    return early.cbData;
}

/* Both ends tell the same, and what was taken is what was given. */
static void check_early(struct flow *flow)
{
    struct property *run = &flow->run;
    struct property_flow *stream = run->end.server ? &run->theirs : &run->ours;
    uint8_t bytes[FLOW_MAX_EARLY];
    ULONG status;
    const size_t len = ask_early(flow, &status, bytes);
    const bool taken = status == OSSPI_EARLY_DATA_ACCEPTED;

    if (flow->early == 0) {
        TEST_REQUIRE_EQUAL(len, 0); /* GnuTLS announces early data and sends none */
        TEST_REQUIRE(run->end.server || status == OSSPI_EARLY_DATA_NOT_SENT);
        return;
    }
    TEST_REQUIRE(status != OSSPI_EARLY_DATA_SENT);
    flow_counts.early_sent += status != OSSPI_EARLY_DATA_NOT_SENT;
    flow_counts.early_taken += taken;
    if (taken)
        stream->sent = flow->early;
    if (run->end.server) {
        TEST_REQUIRE_EQUAL(run->peer.early_taken, taken);
        TEST_REQUIRE_EQUAL(len, taken ? flow->early : 0);
        property_check(stream, bytes, len);
    } else {
        TEST_REQUIRE_EQUAL(run->peer.early.len, taken ? flow->early : 0);
        property_check(stream, run->peer.early.bytes, run->peer.early.len);
    }
}

/* In both directions, so many bytes. */
static void arrive_both(struct flow *flow, bool *peer_done)
{
    struct property *run = &flow->run;
    const size_t len = flow->bytewise ? 1 + property_pick(run, 40) : 1 + property_len(run, 8000);
    const size_t to_peer = len < run->to_peer.len ? len : run->to_peer.len;

    peer_push(&run->peer.in, run->to_peer.bytes, to_peer);
    peer_drop(&run->to_peer, to_peer);
    if (!*peer_done)
        *peer_done = foreign_handshake(&run->peer);
    property_peer_sent(run);
    property_arrive(run, len);
}

void flow_connect(struct flow *flow)
{
    struct property *run = &flow->run;
    bool done = false, peer_done = false;

    run->ours.key = (uint8_t)(1 + property_pick(run, 100));
    run->theirs.key = (uint8_t)(101 + property_pick(run, 100));
    give_early(flow);
    for (int i = 0; i < 5000 && !(done && peer_done); i++) {
        if (!done && (run->end.in.len > 0 || (!run->end.server && !run->end.has_context))) {
            const SECURITY_STATUS status = flow_leg(flow, true);

            if (status < 0 && status != SEC_E_INCOMPLETE_MESSAGE)
                flow_tell(flow, status);
            TEST_REQUIRE(status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED ||
                         status == SEC_E_INCOMPLETE_MESSAGE);
            done = status == SEC_E_OK;
        }
        arrive_both(flow, &peer_done);
    }
    TEST_REQUIRE(done && peer_done);
    flow->running = flow->hold = false;
    peer_established(&run->end);
    property_facts_take(run);
    check_early(flow);
    flow_counts.psks += flow->setup.psk != NULL;
    flow_counts.connections++;
}
