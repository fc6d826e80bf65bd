/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The one in between; see relay.h.
 */
#include "credssp/relay.h"

#include <string.h>

#include "support/test_util.h"

#define MESSAGE_SIZE 16384u

void relay_open(struct relay *relay, const struct duet_setup *setup, const char *certificate)
{
    duet_open(&relay->duet, PEER_SYNC, setup);
    peer_end_init(&relay->near, PEER_SYNC, true);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&relay->near, 0, 0, certificate, false), SEC_E_OK);
    peer_end_init(&relay->far, PEER_SYNC, false);
    relay->far.flags |= ISC_REQ_MANUAL_CRED_VALIDATION;
    TEST_REQUIRE_EQUAL(
        peer_end_acquire(&relay->far, 0, SCH_CRED_MANUAL_CRED_VALIDATION, NULL, false), SEC_E_OK);
}

void relay_close(struct relay *relay)
{
    peer_end_free(&relay->near);
    peer_end_free(&relay->far);
    duet_close(&relay->duet);
    osspi_bytes_clear(&relay->raw);
}

/* ---- handshakes ---- */

static bool handshake(struct peer_end *end, struct peer_end *to, bool *done)
{
    SECURITY_STATUS status;

    if (*done || (end->in.len == 0 && (end->server || end->has_context)))
        return false;
    status = peer_step(end, to);
    if (status == SEC_E_INCOMPLETE_MESSAGE)
        return false;
    TEST_REQUIRE(status >= 0);
    if (status == SEC_E_OK) {
        *done = true;
        peer_established(end);
    }
    return true;
}

static bool leg(struct peer_end *end, struct peer_end *to, SECURITY_STATUS *last)
{
    SECURITY_STATUS status;

    if (*last != SEC_I_CONTINUE_NEEDED || (end->in.len == 0 && (end->server || end->has_context)))
        return false;
    status = peer_step(end, to);
    if (status == SEC_E_INCOMPLETE_MESSAGE)
        return false;
    *last = status;
    return true;
}

/* ---- messages ---- */

static void pass_on(struct relay *relay, bool from_client, const uint8_t *bytes, size_t len)
{
    struct peer_end *from = from_client ? &relay->far : &relay->near;
    struct peer_end *to = from_client ? &relay->duet.pair.server : &relay->duet.pair.client;
    struct osspi_ts_request request;
    struct osspi_bytes out = {0};

    TEST_REQUIRE_EQUAL(osspi_ts_request_decode(bytes, len, &request), SEC_E_OK);
    if (from_client && request.auth_info.len > 0)
        relay->saw_credentials = true;
    relay->drop = false;
    osspi_bytes_clear(&relay->raw);
    if (relay->hook)
        relay->hook(relay, from_client, from_client ? ++relay->from_client : ++relay->from_server,
                    &request);
    if (relay->raw.len > 0)
        TEST_REQUIRE(osspi_bytes_add(&out, relay->raw.at, relay->raw.len));
    else
        TEST_REQUIRE_EQUAL(osspi_ts_request_encode(&request, &out), SEC_E_OK);
    if (!relay->drop)
        TEST_REQUIRE_EQUAL(peer_send(from, to, out.at, out.len), SEC_E_OK);
    osspi_ts_request_clear(&request);
    osspi_bytes_clear(&out);
}

static bool forward(struct relay *relay, bool from_client)
{
    struct peer_end *at = from_client ? &relay->near : &relay->far;
    struct peer_end *sender = from_client ? &relay->duet.pair.client : &relay->duet.pair.server;
    static uint8_t bytes[MESSAGE_SIZE]; /* guarded: one thread */
    SECURITY_STATUS status;
    size_t len;

    if (!relay->near_done || !relay->far_done || at->in.len == 0)
        return false;
    status = peer_receive_data(at, sender, bytes, sizeof(bytes), &len);
    if (status != SEC_E_OK || len == 0)
        return false;
    pass_on(relay, from_client, bytes, len);
    return true;
}

bool relay_run(struct relay *relay)
{
    struct peer_pair *true_ends = &relay->duet.pair;
    bool moved = true;

    while (moved) {
        moved = leg(&true_ends->client, &relay->near, &relay->duet.client);
        moved = handshake(&relay->near, &true_ends->client, &relay->near_done) || moved;
        moved = handshake(&relay->far, &true_ends->server, &relay->far_done) || moved;
        moved = leg(&true_ends->server, &relay->far, &relay->duet.server) || moved;
        moved = forward(relay, true) || moved;
        moved = forward(relay, false) || moved;
    }
    return relay->duet.client == SEC_E_OK && relay->duet.server == SEC_E_OK;
}

void relay_inject(struct relay *relay, bool to_server, const void *bytes, size_t len)
{
    struct duet *duet = &relay->duet;

    if (to_server) {
        TEST_REQUIRE_EQUAL(peer_send(&relay->far, &duet->pair.server, bytes, len), SEC_E_OK);
        (void)leg(&duet->pair.server, &relay->far, &duet->server);
    } else {
        TEST_REQUIRE_EQUAL(peer_send(&relay->near, &duet->pair.client, bytes, len), SEC_E_OK);
        (void)leg(&duet->pair.client, &relay->near, &duet->client);
    }
}
