/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: later handshakes whose legs wait for the network (revocation of either side's
 * certificate). They come back with the same input on the blocking lane and take nothing twice; so
 * do those that are made again after their call was given up.
 */
#include <string.h>

#include "support/revocation_two.h"
#include "support/tls_async.h"
#include "support/tls_later.h"

#define END SCH_CRED_REVOCATION_CHECK_END_CERT

struct scene {
    struct peer_pair pair;
    struct later_reader client, server;
};

static void acquire(struct peer_end *end, DWORD protocols, const struct world_identity *identity)
{
    PCCERT_CONTEXT certificate = world_load(identity);
    SCHANNEL_CRED auth = {.dwVersion = SCHANNEL_CRED_VERSION,
                          .cCreds = 1,
                          .paCred = &certificate,
                          .grbitEnabledProtocols = protocols,
                          .dwFlags = END};

    TEST_REQUIRE_EQUAL(end->form->acquire((LPSTR)UNISP_NAME_A,
                                          end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                                          &auth, &end->credential, &end->expiry),
                       SEC_E_OK);
    end->has_credential = true;
    CertFreeCertificateContext(certificate);
    assert_int_equal(later_allow(end, OSSPI_TLS_RENEGOTIATION | OSSPI_TLS_POST_HANDSHAKE_AUTH, 0),
                     SEC_E_OK);
}

/* Connected; nothing is remembered of what was asked for that. */
static void open_scene(struct scene *scene, const struct peer_form *form, bool tls13, bool no_input)
{
    peer_end_init(&scene->pair.client, form, false);
    peer_end_init(&scene->pair.server, form, true);
    acquire(&scene->pair.client, tls13 ? SP_PROT_TLS1_3_CLIENT : SP_PROT_TLS1_2_CLIENT,
            &world_client);
    acquire(&scene->pair.server, 0, &world_server);
    later_reader_init(&scene->client, &scene->pair.client, &scene->pair.server, no_input);
    later_reader_init(&scene->server, &scene->pair.server, &scene->pair.client, no_input);
    world_two_say("/server", &world_server, 0);
    peer_connect(&scene->pair);
    peer_exchange(&scene->pair);
    TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
    world_two_say("/server", &world_server, 0);
    scene->pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
    assert_int_equal(later_leg(&scene->pair.server, &scene->pair.client), SEC_I_CONTINUE_NEEDED);
}

static void s3_8_answers_come_from_the_network(const struct peer_form *form)
{
    for (int i = 0; i < 4; i++) {
        struct scene scene;

        TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
        world_two_say("/client", &world_client, 0);
        open_scene(&scene, form, i & 1, i & 2);
        assert_true(later_settle(&scene.client, &scene.server));
        assert_int_equal(scene.client.leg, SEC_E_OK);
        assert_int_equal(scene.server.leg, SEC_E_OK);
        assert_true(scene.pair.server.attributes & ASC_RET_MUTUAL_AUTH);
        assert_int_equal(world_asked("/client"), 1);
        assert_int_equal(world_asked("/server"), i & 1 ? 0 : 1); /* it shows none again */
        peer_exchange(&scene.pair);
        peer_close(&scene.pair);
    }
}

static void s3_8_revoked_clients_end(const struct peer_form *form)
{
    for (int i = 0; i < 4; i++) {
        struct scene scene;

        TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
        world_two_say("/client", &world_client, 1);
        open_scene(&scene, form, i & 1, i & 2);
        assert_false(later_settle(&scene.client, &scene.server));
        assert_int_equal(scene.server.leg, CRYPT_E_REVOKED);
        assert_true(later_shown(&scene.pair.server, NULL));
        assert_int_equal(later_read(&scene.client), SEC_E_ILLEGAL_MESSAGE); /* the alert */
        peer_close(&scene.pair);
    }
}

static void s3_8_revoked_servers_end(const struct peer_form *form)
{
    struct scene scene;

    open_scene(&scene, form, false, false);
    world_two_say("/server", &world_server, 1);
    assert_false(later_settle(&scene.client, &scene.server));
    assert_int_equal(scene.client.leg, CRYPT_E_REVOKED);
    assert_int_equal(later_read(&scene.server), SEC_E_ILLEGAL_MESSAGE);
    peer_close(&scene.pair);
}

/* ---- given up ---- */

struct hurried_waiter {
    SspiAsyncContext *async;
};

static void hurried_prepare(struct hurried_waiter *waiter)
{
    waiter->async = SspiCreateAsyncContext();
    TEST_REQUIRE(waiter->async != NULL);
    TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(waiter->async, 500), SEC_E_OK);
}

static SECURITY_STATUS hurried_finish(struct hurried_waiter *waiter, SECURITY_STATUS queued)
{
    SECURITY_STATUS status = queued;

    if (queued == SEC_E_OK)
        status = OsspiWaitAsyncCall(waiter->async, OSSPI_INFINITE);
    SspiFreeAsyncContext(waiter->async);
    return status;
}

PEER_ASYNC_CALLS(hurried)

/* Nobody answers: the leg ends with its deadline, and so does what it was about. */
static void silence_ends_with_the_deadline(const struct peer_form *form)
{
    static const struct peer_form hurried = PEER_ASYNC_FORM(hurried);

    (void)form;
    for (int tls13 = 0; tls13 < 2; tls13++) {
        struct scene scene;
        SECURITY_STATUS status;

        TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
        open_scene(&scene, PEER_ASYNC, tls13, false);
        world_serve("/client", WORLD_SILENT, 0, NULL, NULL, 0);
        scene.pair.server.form = &hurried;
        for (int i = 0; i < 8; i++) {
            status = later_read(i % 2 ? &scene.server : &scene.client);
            if (status < 0)
                break;
        }
        assert_int_equal(scene.server.leg, HRESULT_FROM_WIN32(ERROR_TIMEOUT));
        assert_true(later_shown(&scene.pair.server, NULL));
        scene.pair.server.form = PEER_ASYNC;
        peer_close(&scene.pair);
    }
}

int main(void)
{
    static const struct peer_form *const forms[] = {&peer_forms[0], &peer_forms[1]};
    static const struct peer_case cases[] = {
        PEER_CASE(s3_8_answers_come_from_the_network),
        PEER_CASE(s3_8_revoked_clients_end),
        PEER_CASE(s3_8_revoked_servers_end),
        PEER_CASE(silence_ends_with_the_deadline),
    };
    const struct peer_run how = {.group = "contract.later_waits",
                                 .forms = forms,
                                 .form_count = PEER_FORMS,
                                 .set_up = world_two_open,
                                 .tear_down = world_two_close,
                                 .before_each = world_two_forget};

    return peer_run_cases_in(&how, cases, sizeof(cases) / sizeof(cases[0]));
}
