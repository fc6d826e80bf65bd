/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What our end can do in a flow; each status is one that the contract has, at that place. See
 * flow.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "property/flow.h"
#include "support/contract_status.h"

#define SMALL_ROOM 40u

/* ---- legs ---- */

/* Two buffers, each as long as it says. */
static void add_psk(const struct flow *flow, struct peer_leg *leg, uint8_t key[2 + 256],
                    uint8_t identity[2 + sizeof(FOREIGN_IDENTITY)])
{
    const uint16_t key_len = (uint16_t)flow->setup.psk_len;
    const uint16_t identity_len = sizeof(FOREIGN_IDENTITY) - 1;

    memcpy(key, &key_len, 2);
    memcpy(key + 2, flow->setup.psk, key_len);
    memcpy(identity, &identity_len, 2);
    memcpy(identity + 2, FOREIGN_IDENTITY, identity_len);
    leg->in[leg->in_count++] = (SecBuffer){2u + key_len, SECBUFFER_PRESHARED_KEY, key};
    leg->in[leg->in_count++] =
        (SecBuffer){2u + identity_len, SECBUFFER_PRESHARED_KEY_IDENTITY, identity};
}

/* The leg itself, with what belongs to a first one. */
static SECURITY_STATUS run_leg(struct flow *flow, struct peer_leg *leg)
{
    uint8_t key[2 + 256], identity[2 + sizeof(FOREIGN_IDENTITY)], early[FLOW_MAX_EARLY];
    struct peer_end *end = &flow->run.end;
    SECURITY_STATUS status;

    if (!end->has_context && flow->setup.psk)
        add_psk(flow, leg, key, identity);
    if (!end->has_context && !end->server && flow->early > 0) {
        property_fill(&flow->run.ours, 0, early, flow->early);
        leg->in[leg->in_count++] = (SecBuffer){(ULONG)flow->early, SECBUFFER_DATA, early};
    }
    status = peer_leg_run(end, leg);
    contract_require(end->server ? "AcceptSecurityContext" : "InitializeSecurityContext", status);
    flow_counts.legs++;
    return status;
}

/* Tries with too little room first, now and then: that changes nothing. */
static SECURITY_STATUS run_leg_twice(struct flow *flow, struct peer_leg *leg, uint8_t *out)
{
    struct property *run = &flow->run;
    const struct peer_leg again = *leg;
    const bool small = flow->small_rooms && run->end.has_context && property_pick(run, 4) == 0;
    SECURITY_STATUS status;

    leg->out[0].cbBuffer = small ? SMALL_ROOM : PEER_OUT_SIZE;
    status = run_leg(flow, leg);
    if (!small || status != SEC_E_INSUFFICIENT_MEMORY)
        return status;
    flow_counts.rooms++;
    *leg = again;
    leg->out[0] = (SecBuffer){PEER_OUT_SIZE, SECBUFFER_TOKEN, out};
    return run_leg(flow, leg);
}

/* A client that is asked brings another credential, or none. */
static SECURITY_STATUS bring_credential(struct flow *flow, struct peer_leg *leg, uint8_t *out)
{
    struct property *run = &flow->run;
    const size_t len = run->end.in.len;
    const bool no_in = leg->no_in || leg->in[0].cbBuffer == 0;

    TEST_REQUIRE(!run->end.server && flow->asked && flow->certificate != FLOW_WITH);
    TEST_REQUIRE_EQUAL(leg->out[0].cbBuffer, 0);
    flow_counts.credentials++;
    *leg = peer_leg_of(&run->end, run->end.in.bytes, no_in ? 0 : len, out, PEER_OUT_SIZE);
    leg->no_in = no_in;
    if (flow->certificate == FLOW_LATE)
        leg->credential = &flow->other.credential;
    return run_leg(flow, leg);
}

static void after_leg(struct flow *flow, SECURITY_STATUS status, bool asking, size_t out_len)
{
    struct property *run = &flow->run;
    const bool tls12 = !flow->setup.tls13;

    flow->postponed = 0;
    if (status == SEC_I_CONTINUE_NEEDED) {
        flow->running = true;
        flow->hold =
            flow->hold || (tls12 && out_len > 0 && (!run->end.server || !asking || out_len > 100));
        return;
    }
    if (status != SEC_E_OK || !flow->running)
        return;
    flow->running = flow->hold = flow->begun = false;
    flow->laters++;
    if (flow->left > 0)
        flow->left--;
    if (run->end.sizes.cbHeader > 0) { /* not the first */
        flow_counts.renegotiations += tls12;
        run->end.flags &= tls12 ? ~0u : ~(ULONG)(run->end.server ? ASC_REQ_MUTUAL_AUTH : 0);
    }
}

/* How much of the input was taken. */
static void drop_taken(struct flow *flow, const struct peer_leg *leg, size_t len)
{
    const size_t extra = leg->in[1].BufferType == SECBUFFER_EXTRA ? leg->in[1].cbBuffer : 0;

    TEST_REQUIRE(extra <= len);
    peer_drop(&flow->run.end.in, len - extra);
}

static SECURITY_STATUS leg_of(struct flow *flow, bool with_input, bool asking)
{
    struct property *run = &flow->run;
    uint8_t *out = malloc(PEER_OUT_SIZE);
    const size_t len = with_input ? run->end.in.len : 0;
    struct peer_leg leg = peer_leg_of(&run->end, run->end.in.bytes, len, out, PEER_OUT_SIZE);
    SECURITY_STATUS status;

    TEST_REQUIRE(out != NULL);
    leg.no_in = len == 0 && run->end.has_context && property_pick(run, 2) == 0;
    status = run_leg_twice(flow, &leg, out);
    if (status == SEC_I_INCOMPLETE_CREDENTIALS)
        status = bring_credential(flow, &leg, out);
    if (status == SEC_E_INCOMPLETE_MESSAGE) {
        TEST_REQUIRE(leg.in[1].BufferType == SECBUFFER_MISSING || leg.no_in);
        free(out);
        return status;
    }
    peer_push(&run->to_peer, out, status >= 0 ? leg.out[0].cbBuffer : 0);
    if (status >= 0 && len > 0 && !leg.no_in)
        drop_taken(flow, &leg, len);
    after_leg(flow, status, asking, leg.out[0].cbBuffer);
    free(out);
    return status;
}

SECURITY_STATUS flow_leg(struct flow *flow, bool with_input)
{
    return leg_of(flow, with_input, false);
}

void flow_tell(struct flow *flow, SECURITY_STATUS status)
{
    const char *name = OsspiStatusName(status);
    char detail[256] = "";

    if (flow->run.end.has_context)
        (void)OsspiGetErrorDetail(&flow->run.end.context, detail, sizeof(detail));
    fprintf(stderr, "a leg: %s (%s)\n", name ? name : "?", detail);
}

static void go_on(struct flow *flow, bool with_input)
{
    const SECURITY_STATUS status = flow_leg(flow, with_input);

    if (status == SEC_I_CONTEXT_EXPIRED && flow->run.peer_closed) {
        flow->run.we_saw_close = true;
        return;
    }
    if (status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED || status == SEC_E_INCOMPLETE_MESSAGE)
        return;
    flow_tell(flow, status);
    flow->end = status;
}

void flow_begin(struct flow *flow)
{
    struct property *run = &flow->run;
    SECURITY_STATUS status = SEC_E_OK;
    const bool asked = flow->asked;

    if (flow->left == 0 || flow->running || flow->closing ||
        (flow->setup.tls13 && !run->end.server))
        return;
    if (flow->begun && (flow->setup.kind == FOREIGN_GNUTLS || !flow->setup.server))
        return; /* only a server of OpenSSL's bears two at once, whatever lies between them */
    if (run->end.server && (flow->setup.tls13 || property_pick(run, 2) == 0)) {
        run->end.flags |= ASC_REQ_MUTUAL_AUTH;
        flow->asked = true;
    }
    flow_counts.crossed += flow->begun;
    /* What waits leaves first, and then it is the wish that counts. */
    for (int i = 0; i < 3 && status == SEC_E_OK && !flow->running; i++)
        status = leg_of(flow, false, true);
    if (status == SEC_E_OK && run->end.in.len > 0) {
        /* A record that DecryptMessage has told of and not yet passed: the legs belong to it. */
        run->end.flags &= flow->asked == asked ? ~0u : ~(ULONG)ASC_REQ_MUTUAL_AUTH;
        flow->asked = asked;
        return;
    }
    TEST_REQUIRE_EQUAL(status, SEC_I_CONTINUE_NEEDED);
    /* Its client begins anew when data come instead of the ServerHello. */
    flow->hold = flow->hold || (flow->setup.kind == FOREIGN_GNUTLS && !flow->setup.tls13);
    flow_counts.asked++;
}

void flow_key_update(struct flow *flow, bool request)
{
    const OsspiKeyUpdateToken token = {OSSPI_SCHANNEL_KEY_UPDATE,
                                       request ? OSSPI_KEY_UPDATE_REQUEST : 0};
    struct property *run = &flow->run;
    const bool running = flow->running;
    SECURITY_STATUS status;

    if (!flow->setup.tls13) {
        TEST_REQUIRE_EQUAL(peer_control(&run->end, &token, sizeof(token)),
                           SEC_E_UNSUPPORTED_FUNCTION);
        return;
    }
    TEST_REQUIRE_EQUAL(peer_control(&run->end, &token, sizeof(token)), SEC_E_OK);
    flow->running = false; /* this leg is no part of what is under way */
    status = leg_of(flow, false, true);
    TEST_REQUIRE(status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED);
    flow->running = running;
    flow->updates++;
    flow_counts.key_updates++;
}

void flow_no_session(struct flow *flow)
{
    const SCHANNEL_SESSION_TOKEN token = {SCHANNEL_SESSION, SSL_SESSION_DISABLE_RECONNECTS};

    TEST_REQUIRE_EQUAL(peer_control(&flow->run.end, &token, sizeof(token)), SEC_E_OK);
    flow->no_session = true;
}

void flow_own_close(struct flow *flow)
{
    const DWORD token = SCHANNEL_SHUTDOWN;
    struct property *run = &flow->run;
    struct peer_end wire = {0};
    SECURITY_STATUS status;

    flow->inside = flow->inside || flow->running || flow->begun || foreign_busy(&run->peer);
    flow->running = false;
    TEST_REQUIRE_EQUAL(peer_control(&run->end, &token, sizeof(token)), SEC_E_OK);
    status = leg_of(flow, false, true);
    TEST_REQUIRE_EQUAL(status, SEC_E_OK);
    flow->closing = run->we_closed = true;
    flow->running = flow->hold = false;
    TEST_REQUIRE_EQUAL(peer_send(&run->end, &wire, "x", 1), SEC_E_CONTEXT_EXPIRED);
}

/* ---- records ---- */

static SECURITY_STATUS seal(struct flow *flow, uint8_t *bytes, size_t len, SecBuffer buffers[4])
{
    struct property *run = &flow->run;
    const ULONG header = run->end.sizes.cbHeader, trailer = run->end.sizes.cbTrailer;
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status;

    buffers[0] = (SecBuffer){header, SECBUFFER_STREAM_HEADER, bytes};
    buffers[1] = (SecBuffer){(ULONG)len, SECBUFFER_DATA, bytes + header};
    buffers[2] = (SecBuffer){trailer, SECBUFFER_STREAM_TRAILER, bytes + header + len};
    buffers[3] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    property_fill(&run->ours, run->ours.sent, bytes + header, len);
    status = EncryptMessage(&run->end.context, 0, &message, 0);
    contract_require("EncryptMessage", status);
    return status;
}

void flow_seal(struct flow *flow, size_t len)
{
    struct property *run = &flow->run;
    uint8_t *bytes = malloc(run->end.sizes.cbHeader + len + run->end.sizes.cbTrailer);
    SecBuffer buffers[4];
    SECURITY_STATUS status;

    TEST_REQUIRE(bytes != NULL);
    status = seal(flow, bytes, len, buffers);
    if (status == SEC_E_BUFFER_TOO_SMALL) { /* what waits is longer than the room beside the data */
        go_on(flow, false);
        if (flow->hold) {
            free(bytes);
            return;
        }
        status = seal(flow, bytes, len, buffers);
    }
    TEST_REQUIRE_EQUAL(status, SEC_E_OK);
    for (int i = 0; i < 3; i++)
        peer_push(&run->to_peer, buffers[i].pvBuffer, buffers[i].cbBuffer);
    free(bytes);
    run->ours.sent += len;
    if (len > 0)
        flow->updates = 0;
    flow_counts.sealed++;
}

/* With the bytes, without, or later: up to three times in a row. */
static void answer(struct flow *flow)
{
    const uint64_t style = property_pick(&flow->run, 5);

    flow->run.posts = 0;
    if (style == 4 && flow->postponed < 3) {
        flow->postponed++;
        flow->run.leg_owed = true;
        return;
    }
    flow->run.leg_owed = false;
    go_on(flow, style < 2 || flow->postponed >= 3);
}

bool flow_open_one(struct flow *flow)
{
    struct property *run = &flow->run;
    SecBuffer buffers[4] = {{(ULONG)run->end.in.len, SECBUFFER_DATA, run->end.in.bytes}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    const SECURITY_STATUS status = DecryptMessage(&run->end.context, &message, 0, NULL);

    contract_require("DecryptMessage", status);
    switch (status) {
    case SEC_E_INCOMPLETE_MESSAGE:
        TEST_REQUIRE_EQUAL(buffers[0].BufferType, SECBUFFER_MISSING);
        flow_counts.incomplete++;
        return false;
    case SEC_E_OK:
        property_check(&run->theirs, buffers[1].pvBuffer, buffers[1].cbBuffer);
        peer_drop(&run->end.in, run->end.in.len - buffers[3].cbBuffer);
        flow_counts.opened++;
        return true;
    case SEC_I_RENEGOTIATE:
        TEST_REQUIRE_EQUAL(buffers[3].cbBuffer, run->end.in.len);
        answer(flow);
        return !run->we_saw_close && flow->end == SEC_E_OK;
    case SEC_E_CONTEXT_EXPIRED: /* the peer's new keys are those of a handshake that we gave up */
        TEST_REQUIRE(flow->inside && run->we_closed && !flow->setup.tls13);
        run->we_saw_close = true;
        return false;
    case SEC_I_CONTEXT_EXPIRED:
        TEST_REQUIRE(run->peer_closed);
        run->we_saw_close = true;
        peer_drop(&run->end.in, run->end.in.len - buffers[3].cbBuffer);
        return false;
    default:
        flow->end = status;
        return false;
    }
}

void flow_settle_own(struct flow *flow)
{
    while (!flow->run.we_saw_close && flow->end == SEC_E_OK && flow_open_one(flow))
        ;
    if (!flow->run.leg_owed || flow->run.we_saw_close || flow->end != SEC_E_OK)
        return;
    flow->run.leg_owed = false;
    go_on(flow, flow->run.end.in.len > 0);
}
