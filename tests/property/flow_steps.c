/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random steps of a flow, what must be true whenever it is quiet, and the ways in which it ends;
 * see flow.h.
 */
#include <stdio.h>
#include <string.h>

#include "property/flow.h"

/* ---- what is true ---- */

static void require_certificate(const uint8_t *der, size_t len, const char *name)
{
    PCCERT_CONTEXT expected;

    if (!name) {
        TEST_REQUIRE_EQUAL(len, 0);
        return;
    }
    expected = peer_certificate(name);
    TEST_REQUIRE_EQUAL(len, expected->cbCertEncoded);
    TEST_REQUIRE(memcmp(der, expected->pbCertEncoded, len) == 0);
    CertFreeCertificateContext(expected);
}

static void require_shown_to_us(struct flow *flow, const char *name)
{
    PCCERT_CONTEXT found = NULL;
    const SECURITY_STATUS status =
        QueryContextAttributesA(&flow->run.end.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &found);

    TEST_REQUIRE_EQUAL(status, name ? SEC_E_OK : SEC_E_NO_CREDENTIALS);
    if (!name)
        return;
    require_certificate(found->pbCertEncoded, found->cbCertEncoded, name);
    CertFreeCertificateContext(found);
}

/* Both know the other as it has shown itself in the last handshake. */
static void check_certificates(struct flow *flow)
{
    struct property *run = &flow->run;
    const char *server = flow->setup.psk ? NULL : "server";
    const char *client = flow->asked && flow->certificate != FLOW_WITHOUT ? "client" : NULL;
    uint8_t der[4096];

    require_shown_to_us(flow, run->end.server ? client : server);
    require_certificate(der, foreign_shown(&run->peer, der, sizeof(der)),
                        run->end.server ? server : client);
    if (run->end.server && flow->asked)
        TEST_REQUIRE_EQUAL((run->end.attributes & ASC_RET_MUTUAL_AUTH) != 0, client != NULL);
    flow_counts.shown += client != NULL;
}

void flow_settle(struct flow *flow)
{
    struct property *run = &flow->run;

    for (int i = 0; i < 1000; i++) {
        const bool quiet = run->to_us.len == 0 && run->to_peer.len == 0;

        property_arrive(run, SIZE_MAX);
        flow_settle_own(flow);
        flow_peer_read(flow, SIZE_MAX);
        if (quiet && run->to_us.len == 0 && run->to_peer.len == 0)
            break;
    }
    TEST_REQUIRE_EQUAL(flow->end, SEC_E_OK);
    TEST_REQUIRE(flow->inside || run->theirs.arrived == run->theirs.sent);
    TEST_REQUIRE(flow->inside || run->ours.arrived == run->ours.sent);
    if (flow->inside || flow->closing)
        return;
    TEST_REQUIRE(!flow->running && !flow->hold && !foreign_busy(&run->peer));
    if (flow->setup.tls13)
        flow->begun = false;
    TEST_REQUIRE(!flow->begun);
    property_facts_take(run);
    property_export_check(run);
    check_certificates(flow);
    flow_counts.checks++;
}

/* ---- steps ---- */

static void step_seal(struct flow *flow)
{
    const size_t len = property_len(&flow->run, PROPERTY_MAX);

    /* GnuTLS takes an empty record that comes beside a handshake for the end. */
    const bool waits = flow->setup.tls13 && flow->setup.server &&
                       flow->setup.kind == FOREIGN_GNUTLS &&
                       flow->begun; /* for Certificate alone */

    if (waits && !foreign_busy(&flow->run.peer))
        flow->begun = false;
    if (!flow->run.we_closed && !flow->hold && !waits && (len > 0 || !flow->setup.later))
        flow_seal(flow, len);
}

static void step_peer_write(struct flow *flow)
{
    flow_peer_write(flow, property_len(&flow->run, 2 * PROPERTY_MAX));
}

static void step_arrive(struct flow *flow)
{
    struct property *run = &flow->run;

    property_arrive(run, property_len(run, 40000));
    for (uint64_t i = property_pick(run, 6); i > 0 && !run->we_saw_close; i--) {
        if (!flow_open_one(flow))
            break;
    }
    TEST_REQUIRE_EQUAL(flow->end, SEC_E_OK);
}

static void step_bytewise(struct flow *flow)
{
    for (uint64_t i = property_pick(&flow->run, 40); i > 0 && !flow->run.we_saw_close; i--) {
        property_arrive(&flow->run, 1);
        (void)flow_open_one(flow);
    }
    TEST_REQUIRE_EQUAL(flow->end, SEC_E_OK);
}

static void step_peer_read(struct flow *flow)
{
    flow_peer_read(flow, 1 + property_len(&flow->run, 40000));
}

/* A caller who does not know whether there is anything to say. */
static void step_leg(struct flow *flow)
{
    if (flow->running && !flow->run.we_closed)
        (void)flow_leg(flow, flow->run.end.in.len > 0 && property_pick(&flow->run, 2) == 0);
}

static void step_key_update(struct flow *flow)
{
    const bool openssl = flow->setup.kind == FOREIGN_OPENSSL;

    if (flow->run.we_closed || flow->updates >= 10 || (!openssl && flow->key_updates >= 3))
        return;
    if (!openssl && (flow->begun || flow->running))
        return; /* it waits for a certificate and nothing else */
    flow->key_updates++;
    flow_key_update(flow,
                    (openssl || flow->run.ours.key % 2 == 1) && property_pick(&flow->run, 2) == 1);
}

static void step_query(struct flow *flow)
{
    SecPkgContext_StreamSizes sizes;

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&flow->run.end.context, SECPKG_ATTR_STREAM_SIZES, &sizes),
        SEC_E_OK);
    TEST_REQUIRE(memcmp(&sizes, &flow->run.end.sizes, sizeof(sizes)) == 0);
}

static void step_settle(struct flow *flow)
{
    if (!flow->closing && !flow->run.peer_closed && property_pick(&flow->run, 2) == 0)
        flow_settle(flow);
}

static void (*const steps[])(struct flow *flow) = {
    step_seal,      step_seal,       step_seal,       step_seal,   step_peer_write,
    step_arrive,    step_arrive,     step_arrive,     step_arrive, step_peer_write,
    step_peer_read, step_peer_read,  step_peer_read,  step_settle, step_peer_write,
    step_bytewise,  step_key_update, flow_peer_begin, flow_begin,  flow_peer_post,
    step_leg,       step_query,
};

void flow_steps(struct flow *flow, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        steps[property_pick(&flow->run, sizeof(steps) / sizeof(steps[0]))](flow);
        flow_counts.steps++;
    }
}

/* ---- the end ---- */

void flow_close(struct flow *flow)
{
    struct property *run = &flow->run;
    const uint64_t order = property_pick(run, 4);

    if (property_pick(run, 3) != 0)
        flow_settle(flow);
    if (order == 0)
        flow_peer_close(flow);
    else
        flow_own_close(flow);
    flow_counts.closed_inside += flow->inside;
    if (order == 1)
        flow_peer_close(flow); /* they cross */
    flow_steps(flow, (unsigned)property_pick(run, 8));
    flow_settle(flow);
    if (!run->we_closed)
        flow_own_close(flow);
    if (!run->peer_closed)
        flow_peer_close(flow);
    flow_settle(flow);
    TEST_REQUIRE(flow->inside || (run->we_saw_close && run->peer_saw_close));
    TEST_REQUIRE(flow->peer_failed || run->peer_saw_close);
}

static void require_dead(struct flow *flow)
{
    uint8_t copy[64] = {23, 3, 3, 0, 40};
    SecBuffer buffers[4] = {{sizeof(copy), SECBUFFER_DATA, copy}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    struct peer_end wire = {0};

    TEST_REQUIRE_EQUAL(peer_send(&flow->run.end, &wire, "x", 1), SEC_E_CONTEXT_EXPIRED);
    TEST_REQUIRE_EQUAL(DecryptMessage(&flow->run.end.context, &message, 0, NULL),
                       SEC_E_CONTEXT_EXPIRED);
}

/* Every record but for its header is under a seal, so whatever is changed is noticed there. */
void flow_tamper(struct flow *flow)
{
    struct property *run = &flow->run;
    size_t at = 0, len;

    flow_peer_read(flow, SIZE_MAX);
    property_arrive(run, SIZE_MAX);
    for (int i = 0; i < 20 && run->end.in.len == 0; i++) {
        flow_peer_write(flow, 1 + property_len(run, 2999));
        property_arrive(run, SIZE_MAX);
        if (run->end.in.len == 0) { /* it waits for us */
            flow_settle(flow);
        }
    }
    /* A record that DecryptMessage has not seen yet: not the first, which it may have. */
    flow_settle(flow);
    flow_peer_begin(flow);
    flow_peer_write(flow, 1 + property_len(run, 2999));
    if (run->to_us.len == 0) {
        flow_begin(flow);
        flow_peer_read(flow, SIZE_MAX);
    }
    if (run->to_us.len == 0)
        return;
    len = peer_record_len(run->to_us.bytes);
    while (at + len < run->to_us.len && property_pick(run, 2) == 0) {
        at += len;
        len = peer_record_len(run->to_us.bytes + at);
    }
    run->to_us.bytes[at + 5 + property_pick(run, len - 5)] ^= (uint8_t)(1 << property_pick(run, 8));
    property_arrive(run, SIZE_MAX);
    flow_settle_own(flow);
    if (flow->end != SEC_E_DECRYPT_FAILURE && flow->end != SEC_E_MESSAGE_ALTERED)
        fprintf(stderr, "tampered with: 0x%08x\n", (unsigned)flow->end);
    TEST_REQUIRE(flow->end == SEC_E_DECRYPT_FAILURE || flow->end == SEC_E_MESSAGE_ALTERED);
    require_dead(flow);
    flow_counts.tampered++;
}
