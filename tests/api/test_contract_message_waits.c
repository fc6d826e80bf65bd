/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: legs of message mode that wait for the network (revocation of either side's
 * certificate): they come back with the same input on the blocking lane, take nothing twice, and
 * end with their deadline.
 */
#include <opensspi.h>
#include <string.h>

#include "support/message_peer.h"
#include "support/revocation_two.h"
#include "support/tls_async.h"

#define END SCH_CRED_REVOCATION_CHECK_END_CERT

static void acquire(struct message_end *end, DWORD flags, const struct world_identity *identity)
{
    PCCERT_CONTEXT certificate = identity ? world_load(identity) : NULL;
    SCHANNEL_CRED auth = {.dwVersion = SCHANNEL_CRED_VERSION,
                          .cCreds = certificate ? 1 : 0,
                          .paCred = &certificate,
                          .dwFlags = flags};

    TEST_REQUIRE_EQUAL(
        end->peer.form->acquire((LPSTR)UNISP_NAME_A,
                                end->peer.server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                                &auth, &end->peer.credential, NULL),
        SEC_E_OK);
    end->peer.has_credential = true;
    CertFreeCertificateContext(certificate);
}

/* Who checks: the client alone, or both. */
static void open_pair(struct message_pair *pair, const struct peer_form *form, bool both)
{
    message_end_init(&pair->client, form, false);
    message_end_init(&pair->server, form, true);
    acquire(&pair->client, END, both ? &world_client : NULL);
    acquire(&pair->server, both ? END : 0, &world_server);
    if (both)
        pair->server.peer.flags |= ASC_REQ_MUTUAL_AUTH;
}

static void s3_9_answers_come_from_the_network(const struct peer_form *form)
{
    for (int both = 0; both < 2; both++) {
        struct message_pair pair;

        TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
        world_two_say("/server", &world_server, 0);
        world_two_say("/client", &world_client, 0);
        open_pair(&pair, form, both);
        message_connect(&pair);
        assert_int_equal(world_asked("/server"), 1);
        assert_int_equal(world_asked("/client"), both);
        assert_int_equal((pair.server.peer.attributes & ASC_RET_MUTUAL_AUTH) != 0, both);
        assert_int_equal(pair.client.received.len, 23);
        message_close(&pair);
    }
}

/* What waits for room has waited for the network before. */
static void s3_9_waiting_and_small_buffers(const struct peer_form *form)
{
    struct message_pair pair;

    world_two_say("/server", &world_server, 0);
    world_two_say("/client", &world_client, 0);
    open_pair(&pair, form, true);
    pair.client.out_size = pair.server.out_size = 20;
    pair.client.extension_size = pair.server.extension_size = 5;
    pair.client.secret_count = pair.server.secret_count = 1;
    message_connect(&pair);
    assert_int_equal(world_asked("/server"), 1);
    assert_int_equal(world_asked("/client"), 1);
    message_close(&pair);
}

static void s3_9_revoked(const struct peer_form *form)
{
    for (int both = 0; both < 2; both++) {
        struct message_pair pair;

        TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
        world_two_say("/server", &world_server, both ? 0 : 1);
        world_two_say("/client", &world_client, 1);
        open_pair(&pair, form, both);
        assert_int_equal(message_handshake(&pair), CRYPT_E_REVOKED);
        assert_true((both ? &pair.server : &pair.client)->alerted);
        assert_int_equal((both ? &pair.server : &pair.client)->alert[1], 44);
        message_close(&pair);
    }
}

/* ---- given up ---- */

struct hurried_waiter {
    SspiAsyncContext *async;
};

static void hurried_prepare(struct hurried_waiter *waiter)
{
    waiter->async = SspiCreateAsyncContext();
    TEST_REQUIRE(waiter->async != NULL);
    TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(waiter->async, 1500), SEC_E_OK);
}

static SECURITY_STATUS hurried_finish(struct hurried_waiter *waiter, SECURITY_STATUS queued)
{
    TEST_REQUIRE_EQUAL(queued, SEC_E_OK);
    SECURITY_STATUS status = OsspiWaitAsyncCall(waiter->async, OSSPI_INFINITE);
    SspiFreeAsyncContext(waiter->async);
    return status;
}

PEER_ASYNC_CALLS(hurried)

/* Cancelled as soon as somebody has asked. */
static const char *awaited; /* path; one test at a time */

static bool is_asked(void *data)
{
    (void)data;
    return world_asked(awaited) > 0;
}

static void cancelled_prepare(struct hurried_waiter *waiter)
{
    waiter->async = SspiCreateAsyncContext();
    TEST_REQUIRE(waiter->async != NULL);
}

static SECURITY_STATUS cancelled_finish(struct hurried_waiter *waiter, SECURITY_STATUS queued)
{
    TEST_REQUIRE_EQUAL(queued, SEC_E_OK);
    test_poll(is_asked, NULL);
    (void)OsspiCancelAsyncCall(waiter->async);
    SECURITY_STATUS status = OsspiWaitAsyncCall(waiter->async, OSSPI_INFINITE);
    SspiFreeAsyncContext(waiter->async);
    return status;
}

#define cancelled_waiter hurried_waiter
PEER_ASYNC_CALLS(cancelled)

static bool nobody_waits(void *data)
{
    OsspiStatistics now = {.cbSize = sizeof(now)};

    (void)data;
    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&now), SEC_E_OK);
    return now.calls_abandoned_running == 0 && world_connections() == 0;
}

/* Up to the leg that asks, which is made in another form. */
static void give_up(const struct peer_form *form, const struct peer_form *way, bool server,
                    SECURITY_STATUS expected)
{
    struct message_pair pair;
    struct message_end *waits = server ? &pair.server : &pair.client;
    struct message_end *other = server ? &pair.client : &pair.server;

    TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
    awaited = server ? "/client" : "/server";
    world_two_say("/server", &world_server, 0);
    world_serve(awaited, WORLD_SILENT, 200, "x", NULL, 0);
    open_pair(&pair, form, server);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(message_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    if (server)
        assert_int_equal(message_step(&pair.client, &pair.server), SEC_E_OK);
    waits->peer.form = way;
    assert_int_equal(message_step(waits, other), expected);
    waits->peer.form = form;
    assert_int_equal(message_step(waits, other), SEC_E_CONTEXT_EXPIRED);
    test_poll(nobody_waits, NULL);
    message_close(&pair);
}

static void s3_9_silence_ends_with_the_deadline(const struct peer_form *form)
{
    static const struct peer_form hurried = PEER_ASYNC_FORM(hurried);
    static const struct peer_form cancelled = PEER_ASYNC_FORM(cancelled);

    for (int server = 0; form == PEER_ASYNC && server < 2; server++) {
        give_up(form, &hurried, server, HRESULT_FROM_WIN32(ERROR_TIMEOUT));
        give_up(form, &cancelled, server, HRESULT_FROM_WIN32(ERROR_CANCELLED));
    }
}

static const struct peer_case cases[] = {
    PEER_CASE(s3_9_answers_come_from_the_network),
    PEER_CASE(s3_9_waiting_and_small_buffers),
    PEER_CASE(s3_9_revoked),
    PEER_CASE(s3_9_silence_ends_with_the_deadline),
};

int main(void)
{
    static const struct peer_form *const forms[] = {&peer_forms[0], &peer_forms[1]};
    const struct peer_run how = {.group = "contract.message_waits",
                                 .forms = forms,
                                 .form_count = PEER_FORMS,
                                 .set_up = world_two_open,
                                 .tear_down = world_two_close,
                                 .before_each = world_two_forget};

    return peer_run_cases_in(&how, cases, sizeof(cases) / sizeof(cases[0]));
}
