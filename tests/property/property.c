/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Drawing, streams of bytes, and making connections; see property.h.
 */
#include "property/property.h"

#include <stdlib.h>
#include <string.h>

struct property_counts property_counts;

/* ---- drawing ---- */

uint64_t property_pick(struct property *run, uint64_t bound)
{
    return (test_random(&run->random) >> 16) % bound;
}

size_t property_len(struct property *run, size_t max)
{
    size_t bound = max;

    switch (property_pick(run, 8)) {
    case 0:
        return max;
    case 1:
    case 2:
    case 3:
        bound = 64;
        break;
    case 4:
    case 5:
        bound = 1500;
        break;
    default:
        break;
    }
    return property_pick(run, (bound < max ? bound : max) + 1);
}

/* ---- streams ---- */

static uint8_t byte_at(const struct property_flow *flow, uint64_t at)
{
    const uint64_t mixed = (at + 1 + ((uint64_t)flow->key << 40)) * UINT64_C(0x9E3779B97F4A7C15);

    return (uint8_t)(mixed >> 56);
}

void property_fill(const struct property_flow *flow, uint64_t at, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(flow, at + i);
}

void property_check(struct property_flow *flow, const uint8_t *bytes, size_t len)
{
    TEST_REQUIRE(flow->arrived + len <= flow->sent);
    for (size_t i = 0; i < len; i++)
        TEST_REQUIRE_EQUAL(bytes[i], byte_at(flow, flow->arrived + i));
    flow->arrived += len;
}

/* ---- connections ---- */

/* The CBC suite has to be asked for by its algorithms. */
static void acquire(struct property *run, bool cbc)
{
    ALG_ID algorithms[] = {CALG_AES_128, CALG_SHA1, CALG_ECDH_EPHEM};
    PCCERT_CONTEXT certificate = run->end.server ? peer_certificate("server") : NULL;
    SCHANNEL_CRED auth = {
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = certificate ? 1 : 0,
        .paCred = &certificate,
        .cSupportedAlgs = cbc ? 3 : 0,
        .palgSupportedAlgs = cbc ? algorithms : NULL,
    };

    TEST_REQUIRE_EQUAL(
        run->end.form->acquire((LPSTR)UNISP_NAME_A,
                               run->end.server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, &auth,
                               &run->end.credential, &run->end.expiry),
        SEC_E_OK);
    run->end.has_credential = true;
    if (certificate)
        CertFreeCertificateContext(certificate);
}

/* What each side makes arrives at once and whole. */
static void handshake(struct property *run)
{
    struct peer_end wire = {0};
    bool done = false, peer_done = false;

    for (int i = 0; i < 20 && !(done && peer_done); i++) {
        if (!done && (run->end.in.len > 0 || (!run->end.server && !run->end.has_context))) {
            const SECURITY_STATUS status = peer_step(&run->end, &wire);

            TEST_REQUIRE(status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED ||
                         status == SEC_E_INCOMPLETE_MESSAGE);
            done = status == SEC_E_OK;
        }
        peer_push(&run->peer.in, wire.in.bytes, wire.in.len);
        peer_clear(&wire.in);
        peer_done = peer_done || foreign_handshake(&run->peer);
        peer_push(done ? &run->to_us : &run->end.in, run->peer.out.bytes, run->peer.out.len);
        peer_clear(&run->peer.out);
    }
    TEST_REQUIRE(done && peer_done);
    /* Tickets may have come with the last flight: they have arrived, but nobody has looked. */
    peer_established(&run->end);
    property_facts_take(run);
    property_counts.connections++;
}

void property_open(struct property *run, uint64_t random, const struct foreign_setup *setup)
{
    *run = (struct property){.random = random, .ours.key = 1, .theirs.key = 2};
    peer_end_init(&run->end, property_pick(run, 4) == 0 ? PEER_ASYNC : PEER_SYNC, !setup->server);
    acquire(run, setup->suite == FOREIGN_AES_128_CBC);
    foreign_open(&run->peer, setup);
    handshake(run);
}

static void forget(struct property *run)
{
    peer_end_disconnect(&run->end);
    peer_clear(&run->to_us);
    peer_clear(&run->to_peer);
}

void property_again(struct property *run)
{
    forget(run);
    foreign_again(&run->peer);
    *run = (struct property){
        .random = run->random, .end = run->end, .peer = run->peer, .ours.key = 3, .theirs.key = 4};
    /* The library keeps the address of the other end for its callbacks: run itself has not moved.
     */
    handshake(run);
}

void property_free(struct property *run)
{
    forget(run);
    peer_end_free(&run->end);
    foreign_free(&run->peer);
}
