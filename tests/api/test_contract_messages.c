/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: message mode (QUIC; RFC 9001). Handshakes of two of our ends, driven by a caller that
 * cuts tokens by the offsets of the secrets; what such a context answers; legs that are made again;
 * tokens in pieces; tickets.
 */
#include <opensspi.h>
#include <stdlib.h>
#include <string.h>

#include "support/message_peer.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- handshakes ---- */

static void must_be_received(const struct message_end *end, const char *text)
{
    const size_t len = strlen(text);

    assert_int_equal(end->received.len, 4 + len);
    assert_int_equal(end->received.bytes[0] << 8 | end->received.bytes[1], 0x39);
    assert_int_equal(end->received.bytes[2] << 8 | end->received.bytes[3], len);
    assert_memory_equal(end->received.bytes + 4, text, len);
}

static void s3_9_handshake_with_parameters(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    message_connect(&pair);
    must_be_received(&pair.client, "server's parameters");
    must_be_received(&pair.server, "client's parameters");
    /* A flight at each level, and a ticket behind the handshake. */
    assert_int_equal(pair.client.extension_retries, 1);
    assert_int_equal(pair.server.extension_retries, 1);
    assert_int_equal(pair.client.in[MESSAGE_INITIAL].len, 0);
    assert_int_equal(pair.client.in[MESSAGE_HANDSHAKE].len, 0);
    message_close(&pair);
}

/* It has to acknowledge packets of that level. Where OpenSSL is configured with providers of the
 * machine's, the secret comes only when OpenSSL itself needs it, which is late before 3.5. */
static void s3_9_a_client_writes_from_the_server_hello_on(const struct peer_form *form)
{
    const bool may_be_late = getenv("OPENSSL_CONF") != NULL;
    struct message_pair pair;

    message_open(&pair, form, NULL);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(message_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(pair.server.writes, MESSAGE_APPLICATION);
    assert_int_equal(pair.server.reads, MESSAGE_HANDSHAKE);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(pair.client.reads, MESSAGE_HANDSHAKE);
    if (!may_be_late)
        assert_int_equal(pair.client.writes, MESSAGE_HANDSHAKE);
    message_connect(&pair);
    message_close(&pair);
}

static void s3_9_handshake_without_extensions(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    pair.client.extension = pair.server.extension = (struct message_extension){0};
    message_connect(&pair);
    message_close(&pair);
}

static void s3_9_alerts_may_have_a_nameless_buffer(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    pair.client.legacy_alert = pair.server.legacy_alert = true;
    message_connect(&pair);
    assert_false(pair.client.alerted || pair.server.alerted);
    message_disconnect(&pair);
    pair.client.peer.target = "elsewhere.test";
    assert_int_equal(message_handshake(&pair), SEC_E_WRONG_PRINCIPAL);
    assert_true(pair.client.alerted);
    assert_int_equal(pair.client.alert[0], TLS1_ALERT_FATAL);
    assert_int_equal(pair.client.alert[1], TLS1_ALERT_BAD_CERTIFICATE);
    message_close(&pair);
}

/* ---- what such a context answers ---- */

static void same_export(struct message_pair *pair)
{
    SecPkgContext_KeyingMaterialInfo info = {
        .cbLabel = 9, .pszLabel = "EXPORTER", .cbKeyingMaterial = 40};
    struct message_end *ends[] = {&pair->client, &pair->server};
    SecPkgContext_KeyingMaterial out[2];

    for (size_t i = 0; i < 2; i++) {
        CtxtHandle *context = &ends[i]->peer.context;

        assert_int_equal(
            SetContextAttributesA(context, SECPKG_ATTR_KEYING_MATERIAL_INFO, &info, sizeof(info)),
            SEC_E_OK);
        assert_int_equal(QueryContextAttributesA(context, SECPKG_ATTR_KEYING_MATERIAL, &out[i]),
                         SEC_E_OK);
        assert_int_equal(out[i].cbKeyingMaterial, 40);
    }
    assert_memory_equal(out[0].pbKeyingMaterial, out[1].pbKeyingMaterial, 40);
    FreeContextBuffer(out[0].pbKeyingMaterial);
    FreeContextBuffer(out[1].pbKeyingMaterial);
}

static void must_have_no_records(CtxtHandle *context)
{
    SecPkgContext_StreamSizes sizes;
    uint8_t bytes[3][64] = {{0}};
    SecBuffer seal[] = {{64, SECBUFFER_STREAM_HEADER, bytes[0]},
                        {8, SECBUFFER_DATA, bytes[1]},
                        {64, SECBUFFER_STREAM_TRAILER, bytes[2]},
                        {0, SECBUFFER_EMPTY, NULL}};
    SecBuffer open[] = {{64, SECBUFFER_DATA, bytes[1]},
                        {0, SECBUFFER_EMPTY, NULL},
                        {0, SECBUFFER_EMPTY, NULL},
                        {0, SECBUFFER_EMPTY, NULL}};
    SecBufferDesc sealed = {SECBUFFER_VERSION, 4, seal}, opened = {SECBUFFER_VERSION, 4, open};

    assert_int_equal(QueryContextAttributesA(context, SECPKG_ATTR_STREAM_SIZES, &sizes),
                     SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(EncryptMessage(context, 0, &sealed, 0), SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(DecryptMessage(context, &opened, 0, NULL), SEC_E_UNSUPPORTED_FUNCTION);
}

static void s3_9_attributes_of_an_established_context(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    message_connect(&pair);
    for (int server = 0; server < 2; server++) {
        CtxtHandle *context = &(server ? &pair.server : &pair.client)->peer.context;
        SecPkgContext_ApplicationProtocol alpn;
        SecPkgContext_ConnectionInfo info;
        SecPkgContext_Bindings bindings;

        assert_int_equal(QueryContextAttributesA(context, SECPKG_ATTR_APPLICATION_PROTOCOL, &alpn),
                         SEC_E_OK);
        assert_int_equal(alpn.ProtoNegoStatus, SecApplicationProtocolNegotiationStatus_Success);
        assert_int_equal(alpn.ProtocolIdSize, 2);
        assert_memory_equal(alpn.ProtocolId, "h3", 2);
        assert_int_equal(QueryContextAttributesA(context, SECPKG_ATTR_CONNECTION_INFO, &info),
                         SEC_E_OK);
        assert_int_equal(info.dwProtocol, server ? SP_PROT_TLS1_3_SERVER : SP_PROT_TLS1_3_CLIENT);
        assert_int_equal(QueryContextAttributesA(context, SECPKG_ATTR_ENDPOINT_BINDINGS, &bindings),
                         SEC_E_OK);
        FreeContextBuffer(bindings.Bindings);
        must_have_no_records(context);
    }
    same_export(&pair);
    message_close(&pair);
}

/* ---- suites ---- */

#define LITERAL(text) \
    (UNICODE_STRING) \
    { \
        .Length = sizeof(text), .MaximumLength = sizeof(text), .Buffer = (PWSTR)(text) \
    }

static WCHAR aes[] = {'A', 'E', 'S', 0}, sha384[] = {'S', 'H', 'A', '3', '8', '4', 0},
             sha256[] = {'S', 'H', 'A', '2', '5', '6', 0},
             chacha[] = {'C', 'H', 'A', 'C', 'H', 'A', '2', '0', '_',
                         'P', 'O', 'L', 'Y', '1', '3', '0', '5', 0},
             x25519[] = {'c', 'u', 'r', 'v', 'e', '2', '5', '5', '1', '9', 0};

/* Another credential for one end, with these settings off. */
static void acquire_without(struct message_end *end, CRYPTO_SETTINGS *off, DWORD count)
{
    TLS_PARAMETERS parameters = {.cDisabledCrypto = count, .pDisabledCrypto = off};
    PCCERT_CONTEXT certificate = peer_certificate("server");
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION,
                            .cCreds = end->peer.server ? 1 : 0,
                            .paCred = &certificate,
                            .cTlsParameters = 1,
                            .pTlsParameters = &parameters};

    FreeCredentialsHandle(&end->peer.credential);
    assert_int_equal(
        end->peer.form->acquire((LPSTR)UNISP_NAME_A,
                                end->peer.server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                                &auth, &end->peer.credential, NULL),
        SEC_E_OK);
    CertFreeCertificateContext(certificate);
}

static void s3_9_secrets_name_their_algorithms(const struct peer_form *form)
{
    CRYPTO_SETTINGS no_256[] = {
        {TlsParametersCngAlgUsageCipher, LITERAL(aes), 0, NULL, 128, 128},
        {TlsParametersCngAlgUsageDigest, LITERAL(sha384), 0, NULL, 0, 0},
        {TlsParametersCngAlgUsageCipher, LITERAL(chacha), 0, NULL, 0, 0},
    };
    CRYPTO_SETTINGS no_128[] = {
        {TlsParametersCngAlgUsageDigest, LITERAL(sha256), 0, NULL, 0, 0},
    };
    CRYPTO_SETTINGS no_aes[] = {{TlsParametersCngAlgUsageCipher, LITERAL(aes), 0, NULL, 0, 0}};
    const struct {
        CRYPTO_SETTINGS *off;
        DWORD count;
        const char *cipher, *mode, *hash;
        unsigned key_size;
        size_t len;
    } rows[] = {
        {no_256, 3, "AES", "ChainingModeGCM", "SHA256", 16, 32},
        {no_128, 1, "AES", "ChainingModeGCM", "SHA384", 32, 48},
        {no_aes, 1, "CHACHA20_POLY1305", "", "SHA256", 32, 32},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct message_pair pair;

        message_open(&pair, form, NULL);
        acquire_without(&pair.client, rows[i].off, rows[i].count);
        message_connect(&pair);
        for (int way = 0; way < 2; way++) {
            for (int level = MESSAGE_HANDSHAKE; level <= MESSAGE_APPLICATION; level++) {
                const struct message_secret *key = &pair.client.keys[way][level];

                assert_string_equal(key->cipher, rows[i].cipher);
                assert_string_equal(key->mode, rows[i].mode);
                assert_string_equal(key->hash, rows[i].hash);
                assert_int_equal(key->key_size, rows[i].key_size);
                assert_int_equal(key->len, rows[i].len);
            }
        }
        message_close(&pair);
    }
}

/* The server does not take the share that the client has made. */
static void s3_9_hello_retry_request(const struct peer_form *form)
{
    CRYPTO_SETTINGS no_x25519[] = {
        {TlsParametersCngAlgUsageKeyExchange, LITERAL(x25519), 0, NULL, 0, 0}};
    struct message_pair pair;

    message_open(&pair, form, NULL);
    acquire_without(&pair.server, no_x25519, 1);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(message_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(pair.server.writes, MESSAGE_INITIAL); /* no secrets yet */
    assert_int_equal(pair.client.in[MESSAGE_HANDSHAKE].len, 0);
    must_be_received(&pair.server, "client's parameters");
    message_connect(&pair);
    must_be_received(&pair.client, "server's parameters");
    assert_int_equal(pair.server.extension_retries, 1);
    message_close(&pair);
}

static void s3_9_tls13_or_nothing(const struct peer_form *form)
{
    static const struct peer_setup old = {.protocols = SP_PROT_TLS1_2_CLIENT};
    struct message_pair pair;

    message_open(&pair, form, &old);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_E_ALGORITHM_MISMATCH);
    assert_false(pair.client.peer.has_context);
    message_close(&pair);
    message_open(&pair, form, NULL);
    peer_end_free(&pair.server.peer);
    peer_end_init(&pair.server.peer, form, true);
    assert_int_equal(peer_end_acquire(&pair.server.peer, SP_PROT_TLS1_2_SERVER, 0, "server", false),
                     SEC_E_OK);
    assert_int_equal(message_handshake(&pair), SEC_E_ALGORITHM_MISMATCH);
    message_close(&pair);
}

/* ---- legs that are made again ---- */

static void s3_9_small_tokens_lose_nothing(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    for (size_t size = 1; size < 1000; size = size * 3 + 1) {
        pair.client.out_size = pair.server.out_size = size;
        message_connect(&pair);
        assert_true(pair.server.retries > 0);
        assert_true(size > 200 || pair.client.retries > 0);
        must_be_received(&pair.client, "server's parameters");
        message_disconnect(&pair);
    }
    message_close(&pair);
}

static void s3_9_small_buffers_for_extensions_lose_nothing(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    for (size_t size = 1; size < 30; size++) {
        pair.client.extension_size = pair.server.extension_size = size;
        message_connect(&pair);
        /* Told how large, and once more with the extension. */
        assert_int_equal(pair.client.extension_retries, size < 23 ? 2 : 1);
        assert_int_equal(pair.server.extension_retries, size < 23 ? 2 : 1);
        must_be_received(&pair.client, "server's parameters");
        must_be_received(&pair.server, "client's parameters");
        message_disconnect(&pair);
    }
    message_close(&pair);
}

static void s3_9_few_or_small_buffers_for_secrets_lose_nothing(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    for (unsigned count = 0; count <= 4; count++) {
        pair.client.secret_count = pair.server.secret_count = count;
        message_connect(&pair);
        assert_int_equal(pair.client.secret_retries, count < 3 ? 3 - count : 0);
        message_disconnect(&pair);
    }
    pair.client.secret_count = pair.server.secret_count = 4;
    for (size_t size = 0; size < sizeof(SEC_TRAFFIC_SECRETS) + 32; size += 61) {
        pair.client.secret_size = pair.server.secret_size = size;
        message_connect(&pair);
        assert_true(pair.client.secret_retries > 0 && pair.server.secret_retries > 0);
        message_disconnect(&pair);
    }
    message_close(&pair);
}

/* Token, extension and input in one place; and the buffers for token and extension grow on the way
 * to it. */
static void s3_9_output_over_the_input(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    pair.client.overlap = pair.server.overlap = true;
    for (size_t size = 16; size <= 8192; size *= 8) {
        pair.client.out_size = pair.server.out_size = 8192;
        pair.client.extension_size = pair.server.extension_size = size < 1000 ? size : 0;
        message_connect(&pair);
        must_be_received(&pair.client, "server's parameters");
        must_be_received(&pair.server, "client's parameters");
        message_disconnect(&pair);
    }
    message_close(&pair);
}

/* Token, extension and alert in memory of the library's; secrets go where they always do. */
static void s2_5_the_library_allocates(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    pair.client.peer.flags |= ISC_REQ_ALLOCATE_MEMORY;
    pair.server.peer.flags |= ASC_REQ_ALLOCATE_MEMORY;
    for (int legacy = 0; legacy < 2; legacy++) {
        pair.client.legacy_alert = pair.server.legacy_alert = legacy;
        pair.client.peer.target = PEER_TARGET;
        message_connect(&pair);
        must_be_received(&pair.client, "server's parameters");
        must_be_received(&pair.server, "client's parameters");
        assert_true(pair.client.peer.attributes & ISC_RET_ALLOCATED_MEMORY);
        assert_true(pair.server.peer.attributes & ASC_RET_ALLOCATED_MEMORY);
        message_disconnect(&pair);
        pair.client.peer.target = "elsewhere.test";
        assert_int_equal(message_handshake(&pair), SEC_E_WRONG_PRINCIPAL);
        assert_true(pair.client.alerted);
        assert_int_equal(pair.client.alert[1], TLS1_ALERT_BAD_CERTIFICATE);
        message_disconnect(&pair);
    }
    message_close(&pair);
}

/* All of them in one leg, and the caller brings nothing in between, or something else. */
static void s3_9_a_result_waits_for_room(const struct peer_form *form)
{
    struct message_pair pair;
    struct peer_stream hello = {0};
    size_t consumed;

    message_open(&pair, form, NULL);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(message_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    pair.client.grow = false;
    pair.client.out_size = 10;
    pair.client.extension.subscribe = false;
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_E_BUFFER_TOO_SMALL);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_E_BUFFER_TOO_SMALL);
    peer_push(&hello, pair.client.in[MESSAGE_HANDSHAKE].bytes,
              pair.client.in[MESSAGE_HANDSHAKE].len);
    hello.bytes[7] ^= 1;
    assert_int_equal(message_leg(&pair.client, hello.bytes, hello.len, &pair.server, &consumed),
                     SEC_E_INVALID_TOKEN);
    peer_clear(&hello);
    pair.client.out_size = MESSAGE_OUT;
    assert_int_equal(message_leg(&pair.client, NULL, 0, &pair.server, &consumed), SEC_E_OK);
    peer_clear(&pair.client.in[MESSAGE_HANDSHAKE]);
    message_connect(&pair);
    message_close(&pair);
}

/* ---- tokens in pieces ---- */

static void s3_9_every_prefix(const struct peer_form *form)
{
    struct message_pair pair;

    message_open(&pair, form, NULL);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    /* A first leg without a whole message leaves no context. */
    for (size_t n = 1; n < pair.server.in[MESSAGE_INITIAL].len; n++) {
        size_t consumed;

        assert_int_equal(message_leg(&pair.server, pair.server.in[MESSAGE_INITIAL].bytes, n,
                                     &pair.client, &consumed),
                         SEC_E_INCOMPLETE_MESSAGE);
        assert_false(pair.server.peer.has_context);
    }
    message_connect(&pair);
    message_close(&pair);
}

/* The handshake with every stream handed over in steps of so many bytes; what is not taken is
 * brought again with what follows. */
static void connect_in_steps(struct message_pair *pair, size_t step)
{
    struct message_end *ends[] = {&pair->client, &pair->server};

    assert_int_equal(message_step(&pair->client, &pair->server), SEC_I_CONTINUE_NEEDED);
    for (int turn = 1; !(pair->client.done && pair->server.done); turn++) {
        struct message_end *end = ends[turn % 2], *to = ends[(turn + 1) % 2];
        size_t given = step;

        assert_true(turn < 20);
        while (!end->done && end->in[end->reads].len > 0) {
            struct peer_stream *in = &end->in[end->reads];
            const size_t len = given < in->len ? given : in->len;
            size_t consumed;
            SECURITY_STATUS status = message_leg(end, in->bytes, len, to, &consumed);

            if (status != SEC_E_INCOMPLETE_MESSAGE)
                assert_true(status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED);
            if (status == SEC_E_INCOMPLETE_MESSAGE && len == in->len)
                break;
            peer_drop(in, consumed);
            given = consumed > 0 ? len - consumed + step : given + step;
        }
    }
}

static void s3_9_tokens_cut_anywhere(const struct peer_form *form)
{
    static const size_t steps[] = {1, 3, 50, 97, 300, 700};

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct message_pair pair;

        message_open(&pair, form, NULL);
        connect_in_steps(&pair, steps[i]);
        must_be_received(&pair.client, "server's parameters");
        message_close(&pair);
    }
}

/* Two levels in one token: what is behind the change of keys is left to the caller. */
static void s3_9_a_leg_ends_where_keys_change(const struct peer_form *form)
{
    struct message_pair pair;
    struct peer_stream both = {0};
    size_t consumed, hello;

    message_open(&pair, form, NULL);
    assert_int_equal(message_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(message_step(&pair.server, &pair.client), SEC_I_CONTINUE_NEEDED);
    hello = pair.client.in[MESSAGE_INITIAL].len;
    peer_push(&both, pair.client.in[MESSAGE_INITIAL].bytes, hello);
    peer_push(&both, pair.client.in[MESSAGE_HANDSHAKE].bytes,
              pair.client.in[MESSAGE_HANDSHAKE].len);
    assert_int_equal(message_leg(&pair.client, both.bytes, both.len, &pair.server, &consumed),
                     SEC_I_CONTINUE_NEEDED);
    assert_int_equal(consumed, hello);
    assert_int_equal(
        message_leg(&pair.client, both.bytes + hello, both.len - hello, &pair.server, &consumed),
        SEC_E_OK);
    assert_int_equal(consumed, both.len - hello);
    peer_clear(&both);
    assert_int_equal(message_step(&pair.server, &pair.client), SEC_E_OK);
    message_close(&pair);
}

/* ---- tickets ---- */

static bool is_resumed(struct message_end *end)
{
    SecPkgContext_SessionInfo info;

    assert_int_equal(QueryContextAttributesA(&end->peer.context, SECPKG_ATTR_SESSION_INFO, &info),
                     SEC_E_OK);
    return (info.dwFlags & SSL_SESSION_RECONNECT) != 0;
}

static void take_tickets(struct message_pair *pair)
{
    assert_int_equal(pair->client.reads, MESSAGE_APPLICATION);
    assert_true(pair->client.in[MESSAGE_APPLICATION].len > 0);
    assert_int_equal(message_step(&pair->client, &pair->server), SEC_E_OK);
    assert_int_equal(pair->client.in[MESSAGE_APPLICATION].len, 0);
}

static void s3_9_tickets_resume(const struct peer_form *form)
{
    struct message_pair pair;

    SslEmptyCacheA(NULL, 0);
    message_open(&pair, form, NULL);
    for (int i = 0; i < 3; i++) {
        message_connect(&pair);
        assert_int_equal(is_resumed(&pair.client), i > 0);
        assert_int_equal(is_resumed(&pair.server), i > 0);
        must_be_received(&pair.client, "server's parameters");
        take_tickets(&pair);
        message_disconnect(&pair);
    }
    message_close(&pair);
}

/* Whatever the credential allows for streams: QUIC's tickets say nothing of early data, or say that
 * there is no limit (RFC 9001, 4.6.1), and then a client that knows the rule would end here. */
static void s3_9_tickets_are_not_for_early_data(const struct peer_form *form)
{
    OsspiTlsOptions options = {.cbSize = sizeof(options),
                               .flags = OSSPI_TLS_EARLY_DATA | OSSPI_TLS_POST_HANDSHAKE_AUTH};
    struct message_pair pair;

    SslEmptyCacheA(NULL, 0);
    message_open(&pair, form, NULL);
    for (int server = 0; server < 2; server++)
        assert_int_equal(
            SetCredentialsAttributesA(&(server ? &pair.server : &pair.client)->peer.credential,
                                      OSSPI_CRED_ATTR_TLS_OPTIONS, &options, sizeof(options)),
            SEC_E_OK);
    for (int i = 0; i < 3; i++) {
        message_connect(&pair);
        assert_int_equal(is_resumed(&pair.client), i > 0);
        assert_int_equal(is_resumed(&pair.server), i > 0);
        take_tickets(&pair);
        message_disconnect(&pair);
    }
    message_close(&pair);
}

/* Nor the other way. */
static void s3_9_tickets_of_streams_do_not_serve(const struct peer_form *form)
{
    struct message_pair pair;
    struct peer_pair streams;

    SslEmptyCacheA(NULL, 0);
    peer_open(&streams, form, NULL);
    peer_connect(&streams);
    peer_exchange(&streams);
    peer_disconnect(&streams);
    message_end_init(&pair.client, form, false);
    message_end_init(&pair.server, form, true);
    pair.client.peer.credential = streams.client.credential;
    pair.server.peer.credential = streams.server.credential;
    message_connect(&pair);
    assert_false(is_resumed(&pair.client));
    take_tickets(&pair);
    message_disconnect(&pair);
    peer_connect(&streams);
    {
        SecPkgContext_SessionInfo info;

        assert_int_equal(
            QueryContextAttributesA(&streams.client.context, SECPKG_ATTR_SESSION_INFO, &info),
            SEC_E_OK);
        assert_true(info.dwFlags & SSL_SESSION_RECONNECT); /* the stream's own ticket */
    }
    peer_close(&streams);
}

static void s3_9_tickets_come_in_pieces(const struct peer_form *form)
{
    struct message_pair pair;
    struct peer_stream *in = &pair.client.in[MESSAGE_APPLICATION];
    size_t consumed;

    SslEmptyCacheA(NULL, 0);
    message_open(&pair, form, NULL);
    message_connect(&pair);
    for (size_t n = 1; n < in->len; n++)
        assert_int_equal(message_leg(&pair.client, in->bytes, n, &pair.server, &consumed),
                         SEC_E_INCOMPLETE_MESSAGE);
    take_tickets(&pair);
    message_disconnect(&pair);
    message_connect(&pair);
    assert_true(is_resumed(&pair.client));
    message_close(&pair);
}

/* ---- certificates of clients ---- */

static void s3_9_client_certificates(const struct peer_form *form)
{
    struct message_pair pair;
    struct message_end other;

    message_end_init(&other, form, false);
    assert_int_equal(peer_end_acquire(&other.peer, 0, 0, "client", false), SEC_E_OK);
    for (int with = 0; with < 2; with++) {
        message_open(&pair, form, NULL);
        pair.server.peer.flags |= ASC_REQ_MUTUAL_AUTH;
        pair.client.supplied = with ? &other.peer.credential : NULL;
        pair.client.anonymous = !with;
        {
            CredHandle own = pair.client.peer.credential;

            message_connect(&pair);
            pair.client.peer.credential = own;
        }
        assert_int_equal(pair.client.asked, 1);
        assert_int_equal((pair.server.peer.attributes & ASC_RET_MUTUAL_AUTH) != 0, with);
        must_be_received(&pair.client, "server's parameters");
        message_close(&pair);
    }
    message_end_free(&other);
}

static const struct peer_case cases[] = {
    PEER_CASE(s3_9_handshake_with_parameters),
    PEER_CASE(s3_9_a_client_writes_from_the_server_hello_on),
    PEER_CASE(s3_9_handshake_without_extensions),
    PEER_CASE(s3_9_alerts_may_have_a_nameless_buffer),
    PEER_CASE(s3_9_attributes_of_an_established_context),
    PEER_CASE(s3_9_secrets_name_their_algorithms),
    PEER_CASE(s3_9_hello_retry_request),
    PEER_CASE(s3_9_tls13_or_nothing),
    PEER_CASE(s3_9_small_tokens_lose_nothing),
    PEER_CASE(s3_9_small_buffers_for_extensions_lose_nothing),
    PEER_CASE(s3_9_few_or_small_buffers_for_secrets_lose_nothing),
    PEER_CASE(s3_9_output_over_the_input),
    PEER_CASE(s2_5_the_library_allocates),
    PEER_CASE(s3_9_a_result_waits_for_room),
    PEER_CASE(s3_9_every_prefix),
    PEER_CASE(s3_9_tokens_cut_anywhere),
    PEER_CASE(s3_9_a_leg_ends_where_keys_change),
    PEER_CASE(s3_9_tickets_resume),
    PEER_CASE(s3_9_tickets_are_not_for_early_data),
    PEER_CASE(s3_9_tickets_of_streams_do_not_serve),
    PEER_CASE(s3_9_tickets_come_in_pieces),
    PEER_CASE(s3_9_client_certificates),
};

int main(void)
{
    return peer_run_cases("contract.messages", cases, COUNT_OF(cases));
}
