/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: TSRequests of CredSSP, to a client and to a server, inside their TLS connection; and
 * TSRequest and TSCredentials as bytes alone.
 *
 * Input: where the bytes go, after how many genuine messages, and how: instead of a message, or
 * over some of its bytes. The rest are the bytes. NTLM inside, so that no KDC is asked.
 */
#include <stdlib.h>
#include <string.h>

#include "core/buffers.h"
#include "credssp/relay.h"
#include "fuzz/fuzz.h"
#include "fuzz/fuzz_gss.h"
#include "packages/credssp/delegate.h"
#include "support/contract_status.h"

enum where { REQUEST, CREDENTIALS, TO_SERVER, TO_CLIENT, PLACES };

/* What the relay does with the message of that number. */
struct order {
    bool to_server;
    unsigned number;
    bool over; /* its bytes, from `at` on; else instead of it */
    size_t at;
    const uint8_t *bytes;
    size_t len;
};

void fuzz_prepare(void)
{
    const struct duet_setup setup = {0};
    struct relay relay = {0};

    fuzz_gss_realm();
    relay_open(&relay, &setup, "server");
    TEST_REQUIRE(relay_run(&relay));
    relay_close(&relay);
}

/* ---- bytes alone ---- */

static void decode_request(const uint8_t *bytes, size_t len)
{
    struct osspi_ts_request request, again;
    struct osspi_bytes out = {0};
    size_t whole;

    if (osspi_ts_request_measure(bytes, len, &whole) != SEC_E_OK || whole == 0 || whole > len)
        return;
    if (osspi_ts_request_decode(bytes, whole, &request) == SEC_E_OK) {
        TEST_REQUIRE_EQUAL(osspi_ts_request_encode(&request, &out), SEC_E_OK);
        TEST_REQUIRE_EQUAL(osspi_ts_request_decode(out.at, out.len, &again), SEC_E_OK);
        TEST_REQUIRE(again.version == request.version && again.token.len == request.token.len &&
                     again.error == request.error);
        osspi_ts_request_clear(&again);
    }
    osspi_ts_request_clear(&request);
    osspi_bytes_clear(&out);
}

static void decode_credentials(const uint8_t *bytes, size_t len)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 *identity = NULL;
    void *copy = NULL;

    if (osspi_ts_credentials_decode(bytes, len, &identity) != SEC_E_OK)
        return;
    TEST_REQUIRE_EQUAL(
        SspiUnmarshalAuthIdentity(identity->cbStructureLength, (char *)identity, &copy), SEC_E_OK);
    SspiFreeAuthIdentity(copy);
    (void)osspi_context_buffer_free(identity);
}

/* ---- inside a connection ---- */

static void interfere(struct relay *relay, bool from_client, unsigned number,
                      struct osspi_ts_request *request)
{
    const struct order *order = relay->data;
    size_t at, len;

    if (from_client != order->to_server || number != order->number)
        return;
    if (!order->over) {
        TEST_REQUIRE(osspi_bytes_add(&relay->raw, order->bytes, order->len));
        relay->drop = order->len == 0;
        return;
    }
    TEST_REQUIRE_EQUAL(osspi_ts_request_encode(request, &relay->raw), SEC_E_OK);
    at = order->at % relay->raw.len;
    len = order->len < relay->raw.len - at ? order->len : relay->raw.len - at;
    if (len > 0)
        memcpy(relay->raw.at + at, order->bytes, len);
}

static void run(const struct order *order)
{
    const struct duet_setup setup = {.client_min = 2, .server_min = 2};
    struct relay relay = {.hook = interfere, .data = order};

    relay_open(&relay, &setup, "server");
    (void)relay_run(&relay);
    contract_require("InitializeSecurityContext", relay.duet.client);
    contract_require("AcceptSecurityContext", relay.duet.server);
    relay_close(&relay);
}

void fuzz_one(struct fuzz_input *input)
{
    const enum where where = (enum where)fuzz_pick(input, PLACES);
    struct order order = {.to_server = where == TO_SERVER};
    uint8_t *bytes;

    if (where == REQUEST || where == CREDENTIALS) {
        bytes = fuzz_take_rest(input, &order.len);
        if (where == REQUEST)
            decode_request(bytes, order.len);
        else
            decode_credentials(bytes, order.len);
    } else {
        order.number = 1 + fuzz_pick(input, 4);
        order.over = fuzz_pick(input, 2) == 1;
        order.at = fuzz_u16(input);
        order.bytes = bytes = fuzz_take_rest(input, &order.len);
        run(&order);
    }
    free(bytes);
}
