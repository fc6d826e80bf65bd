/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Legs that have to wait, by the package's own slots: what they answer on the CPU lane, that they
 * write and consume nothing there, and that they go on where they stood. The engine's part is in
 * tests/async.
 */
#include <stdlib.h>
#include <string.h>

#include "api/job.h"
#include "packages/schannel/context.h"
#include "support/test_util.h"
#include "unit/sspi_pair.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

#define OUT_SIZE  24576u
#define UNTOUCHED 0xA5

/* One leg of an existing context, on a lane of the test's choice. */
struct lane_leg {
    struct sspi_end *end;
    struct osspi_context *context; /* a reference */
    SecBuffer in[2], out;
    uint8_t out_bytes[OUT_SIZE];
    struct osspi_leg leg;
};

static void open_leg(struct lane_leg *leg, struct sspi_end *end)
{
    memset(leg, 0, sizeof(*leg));
    leg->end = end;
    leg->context = osspi_context_lookup(&end->context);
    assert_non_null(leg->context);
}

static void close_leg(struct lane_leg *leg)
{
    osspi_context_unref(leg->context);
}

static SECURITY_STATUS run(struct lane_leg *leg, enum osspi_lane lane, const void *bytes,
                           size_t len)
{
    SecBufferDesc in = {SECBUFFER_VERSION, 2, leg->in}, out = {SECBUFFER_VERSION, 1, &leg->out};
    SECURITY_STATUS status;

    leg->in[0] = (SecBuffer){(ULONG)len, SECBUFFER_TOKEN, (void *)bytes};
    leg->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    memset(leg->out_bytes, UNTOUCHED, sizeof(leg->out_bytes));
    leg->out = (SecBuffer){sizeof(leg->out_bytes), SECBUFFER_TOKEN, leg->out_bytes};
    leg->leg = (struct osspi_leg){
        .lane = lane, .flags = leg->end->flags, .credential = leg->context->credential};
    assert_int_equal(osspi_buffers_view_input(&in, &leg->leg.in), SEC_E_OK);
    assert_int_equal(osspi_buffers_view_output(&out, &leg->leg.out), SEC_E_OK);
    osspi_sides_acquire(leg->context);
    status = leg->end->server ? osspi_schannel_accept(leg->context, &leg->leg)
                              : osspi_schannel_initialize(leg->context, &leg->leg);
    osspi_sides_release(leg->context);
    return status;
}

static struct osspi_lane_choice choice(struct lane_leg *leg)
{
    struct osspi_lane_choice found = {.lane = OSSPI_LANE_CPU};

    osspi_schannel_lane(OSSPI_OP_INITIALIZE, NULL, leg->context, &found);
    return found;
}

static void must_want_blocking(struct lane_leg *leg, const void *bytes, size_t len,
                               const char *class_name)
{
    struct osspi_lane_choice found;

    assert_int_equal(run(leg, OSSPI_LANE_CPU, bytes, len), OSSPI_WANT_BLOCKING);
    assert_int_equal(leg->out.cbBuffer, OUT_SIZE);
    assert_int_equal(leg->out.BufferType, SECBUFFER_TOKEN);
    for (size_t i = 0; i < OUT_SIZE; i++)
        assert_int_equal(leg->out_bytes[i], UNTOUCHED);
    assert_int_equal(leg->in[0].cbBuffer, len);
    assert_int_equal(leg->in[1].BufferType, SECBUFFER_EMPTY);
    assert_int_equal(leg->leg.attributes, 0);
    found = choice(leg);
    assert_int_equal(found.lane, OSSPI_LANE_BLOCKING);
    assert_string_equal(found.class_name, class_name);
}

static void acquire_server(struct sspi_pair *pair, DWORD flags)
{
    PCCERT_CONTEXT context = peer_certificate("server");
    SCHANNEL_CRED auth = sspi_schannel_cred(&context);

    auth.dwFlags = flags;
    assert_int_equal(FreeCredentialsHandle(&pair->server.credential), SEC_E_OK);
    assert_int_equal(sspi_acquire(&pair->server, &auth), SEC_E_OK);
    CertFreeCertificateContext(context);
}

/* The client has the server's flight, which asks for a certificate, before it. */
static void open_asking(struct sspi_pair *pair, DWORD protocol)
{
    sspi_pair_init(pair, protocol, "server");
    pair->server.flags |= ASC_REQ_MUTUAL_AUTH;
    assert_int_equal(sspi_leg(&pair->client, &pair->server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(sspi_leg(&pair->server, &pair->client), SEC_I_CONTINUE_NEEDED);
}

static void a_suspended_leg_goes_on_where_it_stood(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sspi_pair *pair = calloc(1, sizeof(*pair));
        struct lane_leg *leg = calloc(1, sizeof(*leg));

        TEST_REQUIRE(pair != NULL && leg != NULL);
        open_asking(pair, protocols[i]);
        open_leg(leg, &pair->client);
        assert_int_equal(choice(leg).lane, OSSPI_LANE_CPU);
        /* As often as it is asked there: a call may be cancelled in between. */
        for (int j = 0; j < 3; j++)
            must_want_blocking(leg, pair->client.in.bytes, pair->client.in.len, "store");
        assert_int_equal(run(leg, OSSPI_LANE_BLOCKING, pair->client.in.bytes, pair->client.in.len),
                         SEC_I_INCOMPLETE_CREDENTIALS);
        assert_int_equal(leg->out.cbBuffer, 0);
        assert_int_equal(choice(leg).lane, OSSPI_LANE_CPU);
        close_leg(leg);
        sspi_connect(pair);
        sspi_pair_clear(pair);
        free(leg);
        free(pair);
    }
}

static void other_input_than_before_is_refused(void **state)
{
    struct sspi_pair *pair = calloc(1, sizeof(*pair));
    struct lane_leg *leg = calloc(1, sizeof(*leg));
    struct sspi_stream *in;

    (void)state;
    TEST_REQUIRE(pair != NULL && leg != NULL);
    in = &pair->client.in;
    open_asking(pair, SP_PROT_TLS1_3_CLIENT);
    open_leg(leg, &pair->client);
    must_want_blocking(leg, in->bytes, in->len, "store");
    in->bytes[in->len / 4] ^= 1;
    assert_int_equal(run(leg, OSSPI_LANE_BLOCKING, in->bytes, in->len), SEC_E_INVALID_TOKEN);
    in->bytes[in->len / 4] ^= 1;
    assert_int_equal(run(leg, OSSPI_LANE_BLOCKING, in->bytes, 20), SEC_E_INVALID_TOKEN);
    assert_int_equal(run(leg, OSSPI_LANE_BLOCKING, NULL, 0), SEC_E_INVALID_TOKEN);
    assert_int_equal(run(leg, OSSPI_LANE_BLOCKING, in->bytes, in->len),
                     SEC_I_INCOMPLETE_CREDENTIALS);
    close_leg(leg);
    sspi_connect(pair);
    sspi_pair_clear(pair);
    free(leg);
    free(pair);
}

/* A server that verifies over the network must not even read the client's answer on the CPU lane:
 * its verification could not stand still. */
static void a_server_that_asks_the_network_reads_on_the_blocking_lane(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sspi_pair *pair = calloc(1, sizeof(*pair));
        struct lane_leg *leg = calloc(1, sizeof(*leg));
        SECURITY_STATUS status;

        TEST_REQUIRE(pair != NULL && leg != NULL);
        sspi_pair_init(pair, protocols[i], "server");
        acquire_server(pair, SCH_CRED_REVOCATION_CHECK_END_CERT);
        pair->server.flags |= ASC_REQ_MUTUAL_AUTH;
        assert_int_equal(sspi_leg(&pair->client, &pair->server), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(sspi_leg(&pair->server, &pair->client), SEC_I_CONTINUE_NEEDED);
        do
            status = sspi_leg(&pair->client, &pair->server);
        while (status == SEC_I_INCOMPLETE_CREDENTIALS);
        assert_true(pair->server.in.len > 0);
        open_leg(leg, &pair->server);
        for (int j = 0; j < 2; j++)
            must_want_blocking(leg, pair->server.in.bytes, pair->server.in.len, "revocation");
        assert_int_equal(run(leg, OSSPI_LANE_BLOCKING, pair->server.in.bytes, pair->server.in.len),
                         SEC_E_OK);
        close_leg(leg);
        sspi_pair_clear(pair);
        free(leg);
        free(pair);
    }
}

/* As with a key that lives in a device: nothing is fed or made before it is there. */
static void a_credential_may_want_every_leg_there(void **state)
{
    struct sspi_pair *pair = calloc(1, sizeof(*pair));
    struct lane_leg *leg = calloc(1, sizeof(*leg));
    struct osspi_lane_choice found = {.lane = OSSPI_LANE_CPU};
    struct osspi_credential *credential;
    struct osspi_schannel_credential *data;

    (void)state;
    TEST_REQUIRE(pair != NULL && leg != NULL);
    open_asking(pair, SP_PROT_TLS1_3_CLIENT);
    credential = osspi_credential_lookup(&pair->client.credential);
    data = credential->data;
    data->blocking_class = "device";
    osspi_schannel_lane(OSSPI_OP_INITIALIZE, credential, NULL, &found);
    assert_int_equal(found.lane, OSSPI_LANE_BLOCKING);
    assert_string_equal(found.class_name, "device");
    open_leg(leg, &pair->client);
    must_want_blocking(leg, pair->client.in.bytes, pair->client.in.len, "device");
    assert_int_equal(run(leg, OSSPI_LANE_BLOCKING, pair->client.in.bytes, pair->client.in.len),
                     SEC_I_INCOMPLETE_CREDENTIALS);
    assert_int_equal(run(leg, OSSPI_LANE_BLOCKING, NULL, 0), SEC_E_OK);
    data->blocking_class = NULL;
    close_leg(leg);
    osspi_credential_unref(credential);
    sspi_pair_clear(pair);
    free(leg);
    free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_suspended_leg_goes_on_where_it_stood),
        cmocka_unit_test(other_input_than_before_is_refused),
        cmocka_unit_test(a_server_that_asks_the_network_reads_on_the_blocking_lane),
        cmocka_unit_test(a_credential_may_want_every_leg_there),
    };

    return cmocka_run_group_tests(tests, peer_set_up, NULL);
}
