/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: renegotiation in TLS 1.2 (RFC 5246, 7.4.1.1; RFC 5746), which a credential's options
 * allow. Either side begins by a leg without input; then both read on, and make a leg at each
 * SEC_I_RENEGOTIATE, in the new style (with the EXTRA bytes) or in the old one (without input).
 */
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "support/tls_later.h"
#include "support/tls_shown.h"

/* One connection with both ends' readers. */
struct scene {
    struct peer_pair pair;
    struct later_reader client, server;
};

static void open_ends(struct scene *scene, const struct peer_form *form, const char *certificate,
                      ULONG client_options, ULONG server_options, ULONG max, bool no_input)
{
    const struct peer_setup setup = {.protocols = SP_PROT_TLS1_2_CLIENT,
                                     .client_flags = SCH_CRED_NO_DEFAULT_CREDS};

    SslEmptyCacheA(NULL, 0);
    peer_open(&scene->pair, form, &setup);
    scene->pair.client.flags |= ISC_REQ_USE_SUPPLIED_CREDS;
    if (certificate)
        assert_int_equal(shown_renew(&scene->pair.client, (const char *[]){certificate, NULL}),
                         SEC_E_OK);
    assert_int_equal(later_allow(&scene->pair.client, client_options, max), SEC_E_OK);
    assert_int_equal(later_allow(&scene->pair.server, server_options, max), SEC_E_OK);
    later_reader_init(&scene->client, &scene->pair.client, &scene->pair.server, no_input);
    later_reader_init(&scene->server, &scene->pair.server, &scene->pair.client, no_input);
}

static void open_scene(struct scene *scene, const struct peer_form *form, const char *certificate,
                       bool no_input)
{
    open_ends(scene, form, certificate, OSSPI_TLS_RENEGOTIATION, OSSPI_TLS_RENEGOTIATION, 0,
              no_input);
    peer_connect(&scene->pair);
}

static void close_scene(struct scene *scene)
{
    peer_close(&scene->pair);
}

static SECURITY_STATUS begin(struct scene *scene, bool by_server)
{
    return by_server ? later_leg(&scene->pair.server, &scene->pair.client)
                     : later_leg(&scene->pair.client, &scene->pair.server);
}

static void expect_done(struct scene *scene)
{
    assert_true(later_settle(&scene->client, &scene->server));
    assert_int_equal(scene->client.leg, SEC_E_OK);
    assert_int_equal(scene->server.leg, SEC_E_OK);
    assert_true(later_same_secrets(&scene->pair.client, &scene->pair.server));
    peer_exchange(&scene->pair);
}

static void s3_8_either_side_begins(const struct peer_form *form)
{
    for (int i = 0; i < 4; i++) {
        struct scene scene;

        open_scene(&scene, form, NULL, i & 1);
        for (int round = 0; round < 3; round++) {
            peer_exchange(&scene.pair);
            assert_int_equal(begin(&scene, i & 2), SEC_I_CONTINUE_NEEDED);
            expect_done(&scene);
        }
        close_scene(&scene);
    }
}

/* OpenSSL negotiates none again; what was agreed on at first goes on to hold. */
static void s3_6_the_application_protocol_stays(const struct peer_form *form)
{
    static const struct {
        ULONG lists_size;
        ULONG type;
        USHORT size;
        uint8_t ids[3];
    } __attribute__((packed)) one = {9, SecApplicationProtocolNegotiationExt_ALPN, 3, "\2h2"};

    for (int by_server = 0; by_server < 2; by_server++) {
        struct scene scene;

        open_ends(&scene, form, NULL, OSSPI_TLS_RENEGOTIATION, OSSPI_TLS_RENEGOTIATION, 0, false);
        scene.pair.client.alpn = scene.pair.server.alpn = &one;
        scene.pair.client.alpn_size = scene.pair.server.alpn_size = sizeof(one);
        peer_connect(&scene.pair);
        for (int round = 0; round < 3; round++) {
            struct peer_end *ends[] = {&scene.pair.client, &scene.pair.server};

            for (size_t i = 0; i < 2; i++) {
                SecPkgContext_ApplicationProtocol protocol;

                assert_int_equal(QueryContextAttributesA(&ends[i]->context,
                                                         SECPKG_ATTR_APPLICATION_PROTOCOL,
                                                         &protocol),
                                 SEC_E_OK);
                assert_int_equal(protocol.ProtoNegoStatus,
                                 SecApplicationProtocolNegotiationStatus_Success);
                assert_int_equal(protocol.ProtocolIdSize, 2);
                assert_memory_equal(protocol.ProtocolId, "h2", 2);
            }
            assert_int_equal(begin(&scene, by_server), SEC_I_CONTINUE_NEEDED);
            expect_done(&scene);
        }
        close_scene(&scene);
    }
}

/* Under the name of the session, which is the one that it came with. */
static void s3_8_resumed_connections_renegotiate(const struct peer_form *form)
{
    for (int by_server = 0; by_server < 2; by_server++) {
        SecPkgContext_SessionInfo info = {0};
        struct scene scene;

        open_scene(&scene, form, NULL, false);
        peer_exchange(&scene.pair);
        peer_disconnect(&scene.pair);
        peer_connect(&scene.pair);
        assert_int_equal(
            QueryContextAttributesA(&scene.pair.server.context, SECPKG_ATTR_SESSION_INFO, &info),
            SEC_E_OK);
        assert_int_equal(info.dwFlags, SSL_SESSION_RECONNECT);
        later_reader_init(&scene.client, &scene.pair.client, &scene.pair.server, false);
        later_reader_init(&scene.server, &scene.pair.server, &scene.pair.client, false);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(begin(&scene, by_server), SEC_I_CONTINUE_NEEDED);
            expect_done(&scene);
        }
        close_scene(&scene);
    }
}

/* ---- certificates ---- */

/* Has the leg that ended it told the notAfter of the certificate that was shown? */
static bool expires_with_peer(struct peer_end *end)
{
    PCCERT_CONTEXT certificate = NULL;
    FILETIME local;
    LONGLONG expiry;

    assert_int_equal(
        QueryContextAttributesA(&end->context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &certificate),
        SEC_E_OK);
    local = certificate->pCertInfo->NotAfter;
    CertFreeCertificateContext(certificate);
    expiry = (LONGLONG)((uint64_t)local.dwHighDateTime << 32 | local.dwLowDateTime);
    /* Local time: within a day. */
    return llabs(end->expiry.QuadPart - expiry) < INT64_C(864000000000);
}

static void s3_8_a_certificate_is_asked_for(const struct peer_form *form)
{
    for (int i = 0; i < 4; i++) {
        struct scene scene;

        open_scene(&scene, form, "client", i & 1);
        assert_true(later_shown(&scene.pair.server, NULL));
        scene.pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
        assert_int_equal(begin(&scene, i & 2), SEC_I_CONTINUE_NEEDED);
        assert_false(scene.pair.server.attributes & ASC_RET_MUTUAL_AUTH);
        expect_done(&scene);
        assert_true(scene.pair.server.attributes & ASC_RET_MUTUAL_AUTH);
        assert_true(expires_with_peer(&scene.pair.server));
        assert_true(later_shown(&scene.pair.server, "client"));
        assert_true(later_shown(&scene.pair.client, "server"));
        /* Asked for once, asked for again. */
        scene.pair.server.flags &= ~(ULONG)ASC_REQ_MUTUAL_AUTH;
        assert_int_equal(begin(&scene, false), SEC_I_CONTINUE_NEEDED);
        expect_done(&scene);
        assert_true(later_shown(&scene.pair.server, "client"));
        close_scene(&scene);
    }
}

static void bad_certificates_end_the_connection(const struct peer_form *form)
{
    static const char *const bad[] = {"selfsigned", "serveronly", "expired"};

    for (size_t i = 0; i < 3; i++) {
        struct scene scene;

        open_scene(&scene, form, bad[i], false);
        scene.pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
        assert_int_equal(begin(&scene, true), SEC_I_CONTINUE_NEEDED);
        assert_false(later_settle(&scene.client, &scene.server));
        assert_true(scene.server.leg < 0);
        assert_int_not_equal(scene.server.leg, SEC_E_INTERNAL_ERROR);
        assert_true(later_shown(&scene.pair.server, NULL));
        /* The alert tells the client. */
        assert_true(scene.pair.client.in.len > 0);
        assert_int_equal(later_read(&scene.client), SEC_E_ILLEGAL_MESSAGE);
        close_scene(&scene);
    }
}

/* The client's answer to SEC_I_INCOMPLETE_CREDENTIALS. */
enum way_back { WITH_THE_SAME, WITH_NOTHING, WITH_THE_REST, WITH_ANOTHER, WAYS_BACK };

static void come_back(struct scene *scene, const struct peer_form *form, enum way_back way)
{
    struct peer_end *client = &scene->pair.client, *server = &scene->pair.server;
    struct peer_end other;
    SECURITY_STATUS status;
    uint8_t out[8192];
    struct peer_leg leg = peer_leg_of(client, client->in.bytes, client->in.len, out, sizeof(out));
    size_t extra;

    assert_int_equal(peer_leg_run(client, &leg), SEC_I_INCOMPLETE_CREDENTIALS);
    assert_int_equal(leg.out[0].cbBuffer, 0);
    extra = leg.in[1].BufferType == SECBUFFER_EXTRA ? leg.in[1].cbBuffer : 0;
    peer_end_init(&other, form, false);
    assert_int_equal(peer_end_acquire(&other, SP_PROT_TLS1_2_CLIENT, 0, "client", false), SEC_E_OK);
    leg = peer_leg_of(client, client->in.bytes, client->in.len, out, sizeof(out));
    leg.no_in = way == WITH_NOTHING;
    if (way == WITH_THE_REST) {
        leg.in[0].pvBuffer = client->in.bytes + client->in.len - extra;
        leg.in[0].cbBuffer = (ULONG)extra;
    }
    if (way == WITH_ANOTHER)
        leg.credential = &other.credential;
    status = peer_leg_run(client, &leg);
    assert_int_equal(status, SEC_I_CONTINUE_NEEDED);
    peer_push(&server->in, out, leg.out[0].cbBuffer);
    if (way == WITH_NOTHING)
        peer_drop(&client->in, client->in.len - extra);
    else
        peer_drop(&client->in,
                  client->in.len -
                      (leg.in[1].BufferType == SECBUFFER_EXTRA ? leg.in[1].cbBuffer : 0));
    peer_end_free(&other);
}

static void s3_5_incomplete_credentials_in_a_renegotiation(const struct peer_form *form)
{
    for (int way = 0; way < WAYS_BACK; way++) {
        struct scene scene;
        char byte;
        size_t len;

        open_scene(&scene, form, NULL, false);
        scene.pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
        assert_int_equal(begin(&scene, false), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(later_read(&scene.server), SEC_E_OK);
        assert_int_equal(peer_receive(&scene.pair.client, &byte, 1, &len), SEC_I_RENEGOTIATE);
        come_back(&scene, form, way);
        expect_done(&scene);
        assert_int_equal((scene.pair.server.attributes & ASC_RET_MUTUAL_AUTH) != 0,
                         way == WITH_ANOTHER);
        assert_true(later_shown(&scene.pair.server, way == WITH_ANOTHER ? "client" : NULL));
        close_scene(&scene);
    }
}

/* Given with the leg that begins. */
static void s3_8_another_credential_begins(const struct peer_form *form)
{
    struct scene scene;
    struct peer_end other;
    CredHandle own;

    open_scene(&scene, form, NULL, false);
    peer_end_init(&other, form, false);
    assert_int_equal(peer_end_acquire(&other, SP_PROT_TLS1_2_CLIENT, 0, "client", false), SEC_E_OK);
    scene.pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
    own = scene.pair.client.credential;
    scene.pair.client.credential = other.credential;
    assert_int_equal(begin(&scene, false), SEC_I_CONTINUE_NEEDED);
    expect_done(&scene);
    assert_true(later_shown(&scene.pair.server, "client"));
    scene.pair.client.credential = own;
    close_scene(&scene);
    peer_end_free(&other);
}

static void a_servers_credential_stays(const struct peer_form *form)
{
    struct scene scene;
    struct peer_end other;
    CredHandle own;

    open_scene(&scene, form, NULL, false);
    peer_end_init(&other, form, true);
    assert_int_equal(peer_end_acquire(&other, 0, 0, "other-server", false), SEC_E_OK);
    own = scene.pair.server.credential;
    scene.pair.server.credential = other.credential;
    assert_int_equal(begin(&scene, true), SEC_E_UNSUPPORTED_FUNCTION);
    scene.pair.server.credential = own;
    assert_int_equal(begin(&scene, true), SEC_I_CONTINUE_NEEDED);
    expect_done(&scene);
    close_scene(&scene);
    peer_end_free(&other);
}

/* ---- data in between ---- */

/* A caller that reads one record at a time, and now and then sends. */
struct talker {
    struct later_reader *reader;
    const uint8_t *text;
    size_t sent;
};

static void say(struct talker *talker, size_t len)
{
    if (len > 4096 - talker->sent)
        len = 4096 - talker->sent;
    if (len == 0)
        return;
    assert_int_equal(
        peer_send(talker->reader->end, talker->reader->to, talker->text + talker->sent, len),
        SEC_E_OK);
    talker->sent += len;
}

/* One DecryptMessage of the first `part` bytes that have come, and the leg that it may ask for. */
static void hear(struct talker *talker, size_t part)
{
    struct later_reader *reader = talker->reader;
    struct peer_stream rest = {0};
    SECURITY_STATUS status;
    size_t len, records;

    /* Whole records: what arrives later is cut off here. */
    for (records = 0; records < part && records < reader->end->in.len;)
        records += peer_record_len(reader->end->in.bytes + records);
    peer_push(&rest, reader->end->in.bytes + records, reader->end->in.len - records);
    later_cut(&reader->end->in, records);
    status = peer_receive(reader->end, reader->data + reader->len,
                          sizeof(reader->data) - reader->len, &len);
    reader->len += len;
    if (status == SEC_I_RENEGOTIATE) {
        reader->leg = reader->no_input ? later_leg(reader->end, reader->to)
                                       : peer_step(reader->end, reader->to);
        assert_true(reader->leg == SEC_E_OK || reader->leg == SEC_I_CONTINUE_NEEDED);
    } else {
        assert_int_equal(status, SEC_E_OK);
    }
    peer_push(&reader->end->in, rest.bytes, rest.len);
    peer_clear(&rest);
}

static void s3_8_data_go_on_in_any_order(const struct peer_form *form)
{
    uint8_t text[4096];
    uint64_t seed = 20260;

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)test_random(&seed);
    for (uint32_t i = 0; i < TEST_ROUNDS(48); i++) {
        struct scene scene;
        struct talker client = {&scene.client, text, 0}, server = {&scene.server, text, 0};

        open_scene(&scene, form, i & 4 ? "client" : NULL, i & 1);
        if (i & 4)
            scene.pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
        say(&client, 100);
        say(&server, 100);
        assert_int_equal(begin(&scene, i & 2), SEC_I_CONTINUE_NEEDED);
        for (int step = 0; step < 60; step++) {
            struct talker *talker = test_random(&seed) % 2 ? &client : &server;

            if (test_random(&seed) % 3 == 0)
                say(talker, test_random(&seed) % 200);
            if (talker->reader->end->in.len > 0)
                hear(talker, 1 + test_random(&seed) % 4000);
        }
        expect_done(&scene);
        assert_int_equal(scene.client.len, server.sent);
        assert_int_equal(scene.server.len, client.sent);
        assert_memory_equal(scene.client.data, text, server.sent);
        assert_memory_equal(scene.server.data, text, client.sent);
        assert_true(later_shown(&scene.pair.server, i & 4 ? "client" : NULL));
        close_scene(&scene);
    }
}

/* Both begin at once: the client's ClientHello meets the HelloRequest. */
static void s3_8_both_begin_at_once(const struct peer_form *form)
{
    for (int i = 0; i < 4; i++) {
        struct scene scene;

        open_scene(&scene, form, NULL, i & 1);
        assert_int_equal(begin(&scene, i & 2), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(begin(&scene, !(i & 2)), SEC_I_CONTINUE_NEEDED);
        expect_done(&scene);
        close_scene(&scene);
    }
}

/* ---- who does not want to ---- */

static void s3_8_off_unless_the_credential_allows_it(const struct peer_form *form)
{
    struct scene scene;

    open_ends(&scene, form, NULL, 0, 0, 0, false);
    peer_connect(&scene.pair);
    for (int i = 0; i < 2; i++) { /* such a leg does nothing */
        assert_int_equal(begin(&scene, i == 1), SEC_E_OK);
        assert_int_equal(scene.pair.client.in.len + scene.pair.server.in.len, 0);
    }
    peer_exchange(&scene.pair);
    close_scene(&scene);
}

static void s3_5_no_renegotiation_tells_that_the_peer_declines(const struct peer_form *form)
{
    for (int i = 0; i < 4; i++) {
        struct scene scene;
        const bool by_server = i & 2;
        struct later_reader *asks = by_server ? &scene.server : &scene.client;
        struct later_reader *declines = by_server ? &scene.client : &scene.server;

        open_ends(&scene, form, NULL, by_server ? 0 : OSSPI_TLS_RENEGOTIATION,
                  by_server ? OSSPI_TLS_RENEGOTIATION : 0, 0, i & 1);
        peer_connect(&scene.pair);
        assert_int_equal(begin(&scene, by_server), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(later_read(declines), SEC_E_OK);
        assert_int_equal(declines->leg, SEC_E_OK);
        assert_int_equal(later_read(asks), SEC_I_NO_RENEGOTIATION);
        assert_int_equal(asks->end->in.len, 0);
        peer_exchange(&scene.pair);
        if (by_server) /* it may ask again */
            assert_int_equal(begin(&scene, true), SEC_I_CONTINUE_NEEDED);
        else
            assert_int_equal(begin(&scene, false), SEC_E_UNSUPPORTED_FUNCTION);
        assert_int_equal(later_read(declines), SEC_E_OK);
        if (by_server)
            assert_int_equal(later_read(asks), SEC_I_NO_RENEGOTIATION);
        peer_exchange(&scene.pair);
        close_scene(&scene);
    }
}

/* The alert in a leg, for callers who read as in the first handshake. */
static void s3_5_no_renegotiation_comes_in_a_leg_too(const struct peer_form *form)
{
    struct scene scene;

    open_ends(&scene, form, NULL, OSSPI_TLS_RENEGOTIATION, 0, 0, false);
    peer_connect(&scene.pair);
    assert_int_equal(begin(&scene, false), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(later_read(&scene.server), SEC_E_OK);
    assert_int_equal(peer_step(&scene.pair.client, &scene.pair.server), SEC_I_NO_RENEGOTIATION);
    assert_int_equal(scene.pair.client.in.len, 0);
    peer_exchange(&scene.pair);
    close_scene(&scene);
}

static void their_number_is_limited(const struct peer_form *form)
{
    for (int i = 0; i < 2; i++) {
        struct scene scene;
        const bool by_server = i == 1;

        open_ends(&scene, form, NULL, OSSPI_TLS_RENEGOTIATION, OSSPI_TLS_RENEGOTIATION, 0, false);
        assert_int_equal(later_allow(by_server ? &scene.pair.client : &scene.pair.server,
                                     OSSPI_TLS_RENEGOTIATION, 2),
                         SEC_E_OK);
        peer_connect(&scene.pair);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(begin(&scene, by_server), SEC_I_CONTINUE_NEEDED);
            expect_done(&scene);
        }
        assert_int_equal(begin(&scene, !by_server), SEC_E_UNSUPPORTED_FUNCTION);
        assert_int_equal(begin(&scene, by_server), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(later_read(by_server ? &scene.client : &scene.server), SEC_E_OK);
        assert_int_equal(later_read(by_server ? &scene.server : &scene.client),
                         SEC_I_NO_RENEGOTIATION);
        peer_exchange(&scene.pair);
        close_scene(&scene);
    }
}

/* ---- rooms and names ---- */

static void flights_wait_for_room(const struct peer_form *form)
{
    struct scene scene;
    struct peer_end *server = &scene.pair.server;
    uint8_t small[64], *out = malloc(PEER_OUT_SIZE);
    struct peer_leg leg;
    size_t len;

    assert_non_null(out);
    open_scene(&scene, form, NULL, false);
    leg = peer_leg_of(&scene.pair.client, NULL, 0, small, sizeof(small));
    leg.no_in = true;
    assert_int_equal(peer_leg_run(&scene.pair.client, &leg), SEC_E_INSUFFICIENT_MEMORY);
    /* What it waits with is sealed already, so nothing can pass it. */
    assert_int_equal(peer_send(&scene.pair.client, server, "data", 4), SEC_E_BUFFER_TOO_SMALL);
    assert_int_equal(begin(&scene, false), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(peer_send(&scene.pair.client, server, "data", 4), SEC_E_OK);
    assert_int_equal(peer_receive(server, out, 16, &len), SEC_I_RENEGOTIATE);
    leg = peer_leg_of(server, server->in.bytes, server->in.len, small, sizeof(small));
    assert_int_equal(peer_leg_run(server, &leg), SEC_E_INSUFFICIENT_MEMORY);
    assert_int_equal(peer_send(server, &scene.pair.client, "data", 4), SEC_E_BUFFER_TOO_SMALL);
    assert_int_equal(peer_step(server, &scene.pair.client), SEC_I_CONTINUE_NEEDED);
    expect_done(&scene);
    assert_int_equal(scene.server.len, 4);
    free(out);
    close_scene(&scene);
}

static void another_target_is_refused(const struct peer_form *form)
{
    struct scene scene;

    open_scene(&scene, form, NULL, false);
    scene.pair.client.target = "other.test";
    assert_int_equal(begin(&scene, false), SEC_E_WRONG_PRINCIPAL);
    scene.pair.client.target = NULL;
    assert_int_equal(begin(&scene, false), SEC_I_CONTINUE_NEEDED);
    expect_done(&scene);
    close_scene(&scene);
}

/* ---- closing in the middle ---- */

static void s3_7_closing_in_the_middle(const struct peer_form *form)
{
    for (int at = 0; at < 8; at++) {
        struct scene scene;
        struct later_reader *readers[2] = {&scene.client, &scene.server};
        struct peer_end *closer;
        SECURITY_STATUS status = SEC_E_OK;

        open_scene(&scene, form, NULL, false);
        closer = at & 1 ? &scene.pair.server : &scene.pair.client;
        assert_int_equal(begin(&scene, false), SEC_I_CONTINUE_NEEDED);
        for (int i = 0; i < at / 2; i++)
            assert_int_equal(later_read(readers[(i + 1) % 2]), SEC_E_OK);
        assert_int_equal(peer_shutdown(closer, at & 1 ? &scene.pair.client : &scene.pair.server),
                         SEC_E_OK);
        assert_int_equal(peer_send(closer, closer, "data", 4), SEC_E_CONTEXT_EXPIRED);
        /* The other sees it behind all that came before, and closes as well. */
        status = later_read(readers[at & 1 ? 0 : 1]);
        assert_int_equal(status, SEC_I_CONTEXT_EXPIRED);
        assert_int_equal(peer_shutdown(at & 1 ? &scene.pair.client : &scene.pair.server, closer),
                         SEC_E_OK);
        close_scene(&scene);
    }
}

/* ---- queries meanwhile ---- */

struct curious {
    struct peer_end end; /* a copy: legs write to the handle */
    _Atomic bool stop;
    unsigned rounds;
};

/* Whatever it gets is whole: of one handshake or of another. */
static void *ask_on(void *data)
{
    struct curious *curious = data;

    while (!atomic_load(&curious->stop)) {
        SecPkgContext_Bindings bindings = {0};
        SecPkgContext_SessionInfo session;
        SecPkgContext_Flags flags;
        PCCERT_CONTEXT seen = NULL;
        CtxtHandle *context = &curious->end.context;

        TEST_REQUIRE_EQUAL(QueryContextAttributesA(context, SECPKG_ATTR_UNIQUE_BINDINGS, &bindings),
                           SEC_E_OK);
        TEST_REQUIRE_EQUAL(bindings.BindingsLength, 32 + 11 + 12);
        FreeContextBuffer(bindings.Bindings);
        TEST_REQUIRE_EQUAL(QueryContextAttributesA(context, SECPKG_ATTR_SESSION_INFO, &session),
                           SEC_E_OK);
        TEST_REQUIRE_EQUAL(QueryContextAttributesA(context, SECPKG_ATTR_FLAGS, &flags), SEC_E_OK);
        if (QueryContextAttributesA(context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &seen) == SEC_E_OK)
            CertFreeCertificateContext(seen);
        (void)later_same_secrets(&curious->end, &curious->end); /* they may change in between */
        curious->rounds++;
    }
    return NULL;
}

static void queries_need_not_wait(const struct peer_form *form)
{
    for (uint32_t i = 0; i < TEST_ROUNDS(8); i++) {
        struct scene scene;
        struct curious client = {.rounds = 0}, server = {.rounds = 0};
        pthread_t threads[2];

        open_scene(&scene, form, "client", false);
        scene.pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
        client.end = scene.pair.client;
        server.end = scene.pair.server;
        threads[0] = test_thread_start(ask_on, &client);
        threads[1] = test_thread_start(ask_on, &server);
        for (int round = 0; round < 8; round++) {
            assert_int_equal(begin(&scene, round & 1), SEC_I_CONTINUE_NEEDED);
            assert_true(later_settle(&scene.client, &scene.server));
            peer_exchange(&scene.pair);
        }
        atomic_store(&client.stop, true);
        atomic_store(&server.stop, true);
        test_thread_join(threads[0]);
        test_thread_join(threads[1]);
        assert_true(later_same_secrets(&scene.pair.client, &scene.pair.server));
        close_scene(&scene);
    }
}

/* ---- OpenSSL on the other side ---- */

static const char *const suites[] = {
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
};

/* One connection with OpenSSL; the end's reader writes to wire. */
struct raw_scene {
    struct raw_peer raw;
    struct peer_end end, wire;
    struct later_reader reader;
};

static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static void open_raw(struct raw_scene *scene, const struct peer_form *form, bool serve,
                     const char *suite, const char *client_certificate)
{
    scene->wire = (struct peer_end){0};
    SslEmptyCacheA(NULL, 0);
    raw_open(&scene->raw, !serve, TLS1_2_VERSION, serve ? client_certificate : "server");
    SSL_set_options(scene->raw.ssl, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    if (suite)
        assert_int_equal(SSL_set_cipher_list(scene->raw.ssl, suite), 1);
    peer_end_init(&scene->end, form, serve);
    assert_int_equal(
        peer_end_acquire(&scene->end, 0, 0, serve ? "server" : client_certificate, false),
        SEC_E_OK);
    assert_int_equal(later_allow(&scene->end, OSSPI_TLS_RENEGOTIATION, 0), SEC_E_OK);
    if (serve)
        SSL_set_tlsext_host_name(scene->raw.ssl, PEER_TARGET);
    assert_int_equal(raw_handshake(&scene->raw, &scene->end), SEC_E_OK);
    later_reader_init(&scene->reader, &scene->end, &scene->wire, false);
    raw_exchange(&scene->raw, &scene->end);
}

static void close_raw(struct raw_scene *scene)
{
    peer_end_free(&scene->end);
    peer_clear(&scene->wire.in);
    raw_close(&scene->raw);
}

/* Both read until nothing moves; the status of our end. */
static SECURITY_STATUS settle_raw(struct raw_scene *scene)
{
    SECURITY_STATUS status = SEC_E_OK;
    char byte;

    for (int i = 0; i < 20 && status == SEC_E_OK; i++) {
        raw_give(&scene->raw, &scene->wire.in);
        (void)SSL_peek(scene->raw.ssl, &byte, 1);
        ERR_clear_error();
        raw_take(&scene->raw, &scene->end.in);
        if (scene->end.in.len == 0)
            break;
        status = later_read(&scene->reader);
    }
    return status;
}

/* Is what we export what OpenSSL exports, now and not before? */
static void expect_same_secrets(struct raw_scene *scene, uint8_t before[32])
{
    char label[] = "EXPERIMENTAL later";
    SecPkgContext_KeyingMaterialInfo info = {
        .cbLabel = sizeof(label), .pszLabel = label, .cbKeyingMaterial = 32};
    SecPkgContext_KeyingMaterial material = {0};
    uint8_t theirs[32];

    assert_int_equal(SSL_export_keying_material(scene->raw.ssl, theirs, sizeof(theirs), label,
                                                sizeof(label) - 1, NULL, 0, 0),
                     1);
    assert_int_equal(SetContextAttributesA(&scene->end.context, SECPKG_ATTR_KEYING_MATERIAL_INFO,
                                           &info, sizeof(info)),
                     SEC_E_OK);
    assert_int_equal(
        QueryContextAttributesA(&scene->end.context, SECPKG_ATTR_KEYING_MATERIAL, &material),
        SEC_E_OK);
    assert_memory_equal(material.pbKeyingMaterial, theirs, sizeof(theirs));
    assert_memory_not_equal(theirs, before, sizeof(theirs));
    memcpy(before, theirs, sizeof(theirs));
    FreeContextBuffer(material.pbKeyingMaterial);
}

static void s3_8_with_openssl(const struct peer_form *form)
{
    for (int i = 0; i < 12; i++) {
        const bool serve = i & 1, we_begin = i & 2;
        struct raw_scene scene;
        uint8_t before[32] = {0};

        open_raw(&scene, form, serve, suites[i / 4], i & 2 ? "client" : NULL);
        expect_same_secrets(&scene, before);
        for (int round = 0; round < 3; round++) {
            if (serve)
                scene.end.flags |= ASC_REQ_MUTUAL_AUTH;
            else
                SSL_set_verify(scene.raw.ssl, SSL_VERIFY_PEER, accept_any);
            scene.end.flags |= serve ? 0 : ISC_REQ_USE_SUPPLIED_CREDS;
            scene.reader.no_input = round & 1;
            if (we_begin) {
                assert_int_equal(later_leg(&scene.end, &scene.wire), SEC_I_CONTINUE_NEEDED);
            } else {
                assert_int_equal(SSL_renegotiate(scene.raw.ssl), 1);
                (void)SSL_do_handshake(scene.raw.ssl);
                ERR_clear_error();
            }
            if (i & 2 || serve) {
                assert_int_equal(settle_raw(&scene), SEC_E_OK);
                assert_int_equal(scene.reader.leg, SEC_E_OK);
            } else { /* without a certificate the caller is asked first */
                assert_int_equal(settle_raw(&scene), SEC_I_INCOMPLETE_CREDENTIALS);
                assert_int_equal(peer_step(&scene.end, &scene.wire), SEC_I_CONTINUE_NEEDED);
                assert_int_equal(settle_raw(&scene), SEC_E_OK);
            }
            expect_same_secrets(&scene, before);
            assert_int_equal(SSL_get0_peer_certificate(scene.raw.ssl) != NULL,
                             serve ? 1 : (i & 2) != 0);
            if (serve)
                assert_true(later_shown(&scene.end, i & 2 ? "client" : NULL));
            raw_exchange(&scene.raw, &scene.end);
        }
        close_raw(&scene);
    }
}

static void another_name_is_refused(const struct peer_form *form)
{
    struct raw_scene scene;

    open_raw(&scene, form, true, NULL, NULL);
    SSL_set_tlsext_host_name(scene.raw.ssl, "other.test");
    assert_int_equal(SSL_renegotiate(scene.raw.ssl), 1);
    (void)SSL_do_handshake(scene.raw.ssl);
    assert_int_equal(settle_raw(&scene), SEC_E_WRONG_PRINCIPAL);
    raw_give(&scene.raw, &scene.wire.in); /* the alert can be read */
    assert_true(SSL_do_handshake(scene.raw.ssl) <= 0);
    assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()),
                     SSL_AD_REASON_OFFSET + SSL_AD_UNRECOGNIZED_NAME);
    ERR_clear_error();
    close_raw(&scene);
}

/* Suites without AEAD stay with the TLS library, and are not renegotiated. */
static void suites_without_aead_decline(const struct peer_form *form)
{
    for (int serve = 0; serve < 2; serve++) {
        ALG_ID algorithms[] = {CALG_AES_128, CALG_SHA1, CALG_ECDH_EPHEM};
        SCHANNEL_CRED auth = {.dwVersion = SCHANNEL_CRED_VERSION,
                              .cSupportedAlgs = 3,
                              .palgSupportedAlgs = algorithms,
                              .grbitEnabledProtocols =
                                  serve ? SP_PROT_TLS1_2_SERVER : SP_PROT_TLS1_2_CLIENT};
        PCCERT_CONTEXT certificate = peer_certificate("server");
        struct raw_peer raw;
        struct peer_end end, wire = {0};
        struct later_reader reader;
        char byte;

        auth.cCreds = serve ? 1 : 0;
        auth.paCred = &certificate;
        raw_open(&raw, !serve, TLS1_2_VERSION, serve ? NULL : "server");
        assert_int_equal(SSL_set_cipher_list(raw.ssl, "ECDHE-ECDSA-AES128-SHA"), 1);
        peer_end_init(&end, form, serve);
        assert_int_equal(form->acquire((LPSTR)UNISP_NAME_A,
                                       serve ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, &auth,
                                       &end.credential, &end.expiry),
                         SEC_E_OK);
        end.has_credential = true;
        assert_int_equal(later_allow(&end, OSSPI_TLS_RENEGOTIATION, 0), SEC_E_OK);
        assert_int_equal(raw_handshake(&raw, &end), SEC_E_OK);
        raw_exchange(&raw, &end);
        assert_int_equal(later_leg(&end, &wire), SEC_E_UNSUPPORTED_FUNCTION);
        assert_int_equal(SSL_renegotiate(raw.ssl), 1);
        (void)SSL_do_handshake(raw.ssl);
        raw_take(&raw, &end.in);
        later_reader_init(&reader, &end, &wire, false);
        assert_int_equal(later_read(&reader), SEC_E_OK);
        assert_int_equal(reader.leg, SEC_E_OK);
        assert_int_equal(wire.in.bytes[0], 21);
        raw_give(&raw, &wire.in);
        assert_true(SSL_read(raw.ssl, &byte, 1) <= 0);
        ERR_clear_error();
        assert_int_equal(peer_send(&end, &wire, "data", 4), SEC_E_OK);
        peer_clear(&wire.in);
        CertFreeCertificateContext(certificate);
        peer_end_free(&end);
        raw_close(&raw);
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_8_either_side_begins),
        PEER_CASE(s3_6_the_application_protocol_stays),
        PEER_CASE(s3_8_resumed_connections_renegotiate),
        PEER_CASE(s3_8_a_certificate_is_asked_for),
        PEER_CASE(bad_certificates_end_the_connection),
        PEER_CASE(s3_5_incomplete_credentials_in_a_renegotiation),
        PEER_CASE(s3_8_another_credential_begins),
        PEER_CASE(a_servers_credential_stays),
        PEER_CASE(s3_8_data_go_on_in_any_order),
        PEER_CASE(s3_8_both_begin_at_once),
        PEER_CASE(s3_8_off_unless_the_credential_allows_it),
        PEER_CASE(s3_5_no_renegotiation_tells_that_the_peer_declines),
        PEER_CASE(s3_5_no_renegotiation_comes_in_a_leg_too),
        PEER_CASE(their_number_is_limited),
        PEER_CASE(flights_wait_for_room),
        PEER_CASE(another_target_is_refused),
        PEER_CASE(s3_7_closing_in_the_middle),
        PEER_CASE(queries_need_not_wait),
        PEER_CASE(s3_8_with_openssl),
        PEER_CASE(another_name_is_refused),
        PEER_CASE(suites_without_aead_decline),
    };

    return peer_run_cases("contract.renegotiate", cases, sizeof(cases) / sizeof(cases[0]));
}
