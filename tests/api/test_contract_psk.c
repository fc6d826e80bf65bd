/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: external pre-shared keys, by SECBUFFER_PRESHARED_KEY and _IDENTITY on the first leg of
 * either side; TLS 1.3 and 1.2, against each other and against OpenSSL. What a key is for, what it
 * is not for (sessions, names, certificates), and keys and buffers that are wrong.
 */
#include <opensspi.h>
#include <string.h>

#include "support/memory_scan.h"
#include "support/tls_raw.h"

#define IDENTITY "somebody"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

/* The two buffers; each is as long as it says. */
struct key {
    uint8_t key[2 + 300], identity[2 + 300];
    SecBuffer buffers[2];
};

static void fill(uint8_t *bytes, const void *value, uint16_t len)
{
    memcpy(bytes, &len, sizeof(len));
    memcpy(bytes + sizeof(len), value, len);
}

static struct key *make_key(struct key *key, const void *identity, uint16_t identity_len,
                            uint16_t key_len)
{
    uint8_t bytes[300];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(7 * i + key_len);
    fill(key->key, bytes, key_len);
    fill(key->identity, identity, identity_len);
    key->buffers[0] = (SecBuffer){2u + key_len, SECBUFFER_PRESHARED_KEY, key->key};
    key->buffers[1] =
        (SecBuffer){2u + identity_len, SECBUFFER_PRESHARED_KEY_IDENTITY, key->identity};
    return key;
}

static struct key *usual_key(struct key *key)
{
    return make_key(key, IDENTITY, sizeof(IDENTITY) - 1, 32);
}

/* One leg with these buffers beside what has arrived; key NULL: none. */
static SECURITY_STATUS step(struct peer_end *end, struct peer_end *to, const struct key *key)
{
    uint8_t out[16384];
    struct peer_leg leg = peer_leg_of(end, end->in.bytes, end->in.len, out, sizeof(out));
    SECURITY_STATUS status;

    for (int i = 0; key != NULL && i < 2; i++)
        leg.in[leg.in_count++] = key->buffers[i];
    status = peer_leg_run(end, &leg);
    if (status >= 0 || leg.out[0].cbBuffer < sizeof(out))
        peer_push(&to->in, out, leg.out[0].cbBuffer);
    if (status >= 0)
        peer_clear(&end->in);
    return status;
}

/* Both first legs with their keys, then the rest without. */
static SECURITY_STATUS handshake(struct peer_pair *pair, const struct key *client,
                                 const struct key *server)
{
    SECURITY_STATUS status = step(&pair->client, &pair->server, client);

    if (status >= 0)
        status = step(&pair->server, &pair->client, server);
    return status >= 0 ? peer_handshake(pair) : status;
}

static bool reconnected(struct peer_end *end)
{
    SecPkgContext_SessionInfo info;

    assert_int_equal(QueryContextAttributesA(&end->context, SECPKG_ATTR_SESSION_INFO, &info),
                     SEC_E_OK);
    return (info.dwFlags & SSL_SESSION_RECONNECT) != 0;
}

static bool has_certificate(struct peer_end *end, ULONG attribute)
{
    PCCERT_CONTEXT certificate = NULL;
    const SECURITY_STATUS status = QueryContextAttributesA(&end->context, attribute, &certificate);

    if (status == SEC_E_OK)
        CertFreeCertificateContext(certificate);
    else
        assert_int_equal(status, SEC_E_NO_CREDENTIALS);
    return status == SEC_E_OK;
}

/* A connection that stands on the key alone. */
static void check_keyed(struct peer_pair *pair)
{
    struct peer_end *ends[] = {&pair->client, &pair->server};

    peer_established(&pair->client);
    peer_established(&pair->server);
    peer_exchange(pair);
    for (size_t i = 0; i < 2; i++) {
        SecPkgContext_CertificateValidationResult result;

        assert_false(has_certificate(ends[i], SECPKG_ATTR_REMOTE_CERT_CONTEXT));
        assert_false(has_certificate(ends[i], SECPKG_ATTR_LOCAL_CERT_CONTEXT));
        assert_false(reconnected(ends[i]));
        assert_int_equal(
            QueryContextAttributesA(&ends[i]->context, SECPKG_ATTR_CERT_CHECK_RESULT, &result),
            SEC_E_NO_CREDENTIALS);
    }
}

/* ---- it works ---- */

static void s3_4_a_key_takes_the_place_of_certificates(const struct peer_form *form)
{
    struct key key;

    usual_key(&key);
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;

        SslEmptyCacheA(NULL, 0);
        peer_open(&pair, form, &setup);
        pair.client.flags |= ISC_REQ_MUTUAL_AUTH;
        pair.server.flags |= ASC_REQ_MUTUAL_AUTH; /* asks; a key is no certificate */
        for (int i = 0; i < 3; i++) {
            assert_int_equal(handshake(&pair, &key, &key), SEC_E_OK);
            check_keyed(&pair);
            assert_true(pair.client.attributes & ISC_RET_MUTUAL_AUTH);
            assert_false(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
            peer_disconnect(&pair);
        }
        /* No session came of it: who has no key verifies a certificate. */
        peer_connect(&pair);
        assert_false(reconnected(&pair.client));
        assert_true(has_certificate(&pair.client, SECPKG_ATTR_REMOTE_CERT_CONTEXT));
        peer_close(&pair);
    }
}

static void open_only(struct peer_pair *pair, const struct peer_form *form, DWORD protocol)
{
    peer_end_init(&pair->client, form, false);
    peer_end_init(&pair->server, form, true);
    TEST_REQUIRE_EQUAL(
        peer_end_acquire(&pair->client, protocol, SCH_USE_PRESHAREDKEY_ONLY, NULL, false),
        SEC_E_OK);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&pair->server, 0, SCH_USE_PRESHAREDKEY_ONLY, NULL, false),
                       SEC_E_OK);
}

/* No certificate, hence no name to compare either. */
static void s3_2_preshared_key_only_needs_no_certificate(const struct peer_form *form)
{
    struct key key;

    usual_key(&key);
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;

        open_only(&pair, form, protocols[p]);
        for (int i = 0; i < 3; i++) {
            pair.client.target = i == 0 ? NULL : PEER_TARGET;
            assert_int_equal(handshake(&pair, &key, &key), SEC_E_OK);
            check_keyed(&pair);
            peer_disconnect(&pair);
        }
        peer_close(&pair);
    }
}

static void s3_2_preshared_key_only_never_uses_certificates(const struct peer_form *form)
{
    struct key key;

    usual_key(&key);
    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;

        peer_end_init(&pair.client, form, false);
        peer_end_init(&pair.server, form, true);
        assert_int_equal(peer_end_acquire(&pair.client, protocols[p], 0, NULL, false), SEC_E_OK);
        assert_int_equal(
            peer_end_acquire(&pair.server, 0, SCH_USE_PRESHAREDKEY_ONLY, "server", false),
            SEC_E_OK);
        assert_int_equal(handshake(&pair, NULL, &key), SEC_E_ALGORITHM_MISMATCH);
        peer_disconnect(&pair);
        assert_int_equal(handshake(&pair, &key, &key), SEC_E_OK);
        check_keyed(&pair);
        peer_close(&pair);
    }
    /* A server that answers with a certificate, however good, and however little is verified. */
    for (size_t i = 0; i < 4; i++) {
        const struct peer_setup setup = {.protocols = protocols[i % 2],
                                         .client_flags = SCH_USE_PRESHAREDKEY_ONLY};
        struct peer_pair pair;

        peer_open(&pair, form, &setup);
        if (i / 2)
            pair.client.flags |= ISC_REQ_MANUAL_CRED_VALIDATION;
        assert_int_equal(handshake(&pair, &key, NULL), SEC_E_ALGORITHM_MISMATCH);
        peer_close(&pair);
    }
}

static void allow_post_auth(struct peer_end *end)
{
    OsspiTlsOptions options = {.cbSize = sizeof(options), .flags = OSSPI_TLS_POST_HANDSHAKE_AUTH};

    assert_int_equal(SetCredentialsAttributesA(&end->credential, OSSPI_CRED_ATTR_TLS_OPTIONS,
                                               &options, sizeof(options)),
                     SEC_E_OK);
}

/* Nor after the handshake: none is offered at one end, or none asked for at the other. */
static void s3_2_preshared_key_only_shows_no_certificate_later(const struct peer_form *form)
{
    struct key key;

    usual_key(&key);
    for (int i = 0; i < 3; i++) {
        const ULONG client = i == 0 ? 0 : SCH_USE_PRESHAREDKEY_ONLY;
        const ULONG server = i == 1 ? 0 : SCH_USE_PRESHAREDKEY_ONLY;
        struct peer_pair pair;
        uint8_t out[1024];
        struct peer_leg leg;

        peer_end_init(&pair.client, form, false);
        peer_end_init(&pair.server, form, true);
        assert_int_equal(
            peer_end_acquire(&pair.client, SP_PROT_TLS1_3_CLIENT, client, "client", false),
            SEC_E_OK);
        assert_int_equal(peer_end_acquire(&pair.server, 0, server, "server", false), SEC_E_OK);
        allow_post_auth(&pair.client);
        allow_post_auth(&pair.server);
        assert_int_equal(handshake(&pair, &key, &key), SEC_E_OK);
        check_keyed(&pair);
        pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
        leg = peer_leg_of(&pair.server, NULL, 0, out, sizeof(out));
        leg.no_in = true;
        assert_int_equal(peer_leg_run(&pair.server, &leg), SEC_E_UNSUPPORTED_FUNCTION);
        assert_int_equal(leg.out[0].cbBuffer, 0);
        check_keyed(&pair);
        peer_close(&pair);
    }
}

static void s3_2_preshared_key_only_without_a_key(const struct peer_form *form)
{
    struct peer_pair pair;
    struct key key;

    usual_key(&key);
    open_only(&pair, form, 0);
    assert_int_equal(step(&pair.client, &pair.server, NULL), SEC_E_NO_CREDENTIALS);
    assert_int_equal(step(&pair.client, &pair.server, &key), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(step(&pair.server, &pair.client, NULL), SEC_E_NO_CREDENTIALS);
    peer_close(&pair);
}

static void without_a_key_the_certificate_counts(const struct peer_form *form)
{
    struct key key, other;

    usual_key(&key);
    make_key(&other, "someone else", 12, 32);
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;

        SslEmptyCacheA(NULL, 0);
        peer_open(&pair, form, &setup);
        for (int i = 0; i < 3; i++) { /* sessions of it are like any other */
            assert_int_equal(handshake(&pair, NULL, &key), SEC_E_OK);
            peer_established(&pair.client);
            peer_established(&pair.server);
            peer_exchange(&pair);
            assert_true(has_certificate(&pair.client, SECPKG_ATTR_REMOTE_CERT_CONTEXT));
            assert_int_equal(reconnected(&pair.client), i > 0);
            assert_int_equal(reconnected(&pair.server), i > 0);
            peer_disconnect(&pair);
        }
        /* An identity that is not known: TLS 1.3 goes on without. In TLS 1.2 the suite is chosen
         * before the identity is told. */
        assert_int_equal(handshake(&pair, &other, &key), p == 0 ? SEC_E_OK : SEC_E_ILLEGAL_MESSAGE);
        if (p == 0)
            assert_true(has_certificate(&pair.client, SECPKG_ATTR_REMOTE_CERT_CONTEXT));
        peer_disconnect(&pair);
        /* And a server that knows of no keys at all. */
        assert_int_equal(handshake(&pair, &key, NULL), SEC_E_OK);
        assert_true(has_certificate(&pair.client, SECPKG_ATTR_REMOTE_CERT_CONTEXT));
        assert_false(reconnected(&pair.client));
        peer_close(&pair);
    }
}

/* A client's certificate is still verified, and a wrong one refused, where the key is not used. */
static void falling_back_verifies(const struct peer_form *form)
{
    struct key key;

    usual_key(&key);
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p], .certificate = "wrongname"};
        struct peer_pair pair;

        peer_open(&pair, form, &setup);
        assert_int_equal(handshake(&pair, &key, NULL), SEC_E_WRONG_PRINCIPAL);
        peer_disconnect(&pair);
        assert_int_equal(handshake(&pair, &key, &key), SEC_E_OK); /* here no name counts */
        peer_close(&pair);
    }
}

static void a_required_certificate_is_not_replaced(const struct peer_form *form)
{
    SecPkgCred_ClientCertPolicy policy = {.dwFlags = OSSPI_CLIENT_CERT_REQUIRE};
    struct peer_pair pair;
    struct key key;

    usual_key(&key);
    peer_open(&pair, form, NULL);
    assert_int_equal(SetCredentialsAttributesA(&pair.server.credential,
                                               SECPKG_ATTR_CLIENT_CERT_POLICY, &policy,
                                               sizeof(policy)),
                     SEC_E_OK);
    assert_true(handshake(&pair, &key, &key) != SEC_E_OK);
    peer_close(&pair);
    open_only(&pair, form, 0);
    assert_int_equal(SetCredentialsAttributesA(&pair.server.credential,
                                               SECPKG_ATTR_CLIENT_CERT_POLICY, &policy,
                                               sizeof(policy)),
                     SEC_E_OK);
    assert_int_equal(step(&pair.client, &pair.server, &key), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(step(&pair.server, &pair.client, &key), SEC_E_NO_CREDENTIALS);
    peer_close(&pair);
}

/* ---- what is wrong ---- */

static void a_wrong_key_fails(const struct peer_form *form)
{
    struct key key, wrong;

    usual_key(&key);
    usual_key(&wrong);
    wrong.key[2 + 31] ^= 1;
    for (size_t i = 0; i < 4; i++) {
        const struct peer_setup setup = {.protocols = protocols[i % 2]};
        struct peer_pair pair;
        SECURITY_STATUS status;

        if (i / 2)
            open_only(&pair, form, protocols[i % 2]);
        else
            peer_open(&pair, form, &setup);
        status = handshake(&pair, &key, &wrong);
        /* Both times the server notices: by the binder, or by the client's Finished. */
        assert_int_equal(status, i % 2 == 0 ? SEC_E_DECRYPT_FAILURE : SEC_E_MESSAGE_ALTERED);
        assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_ILLEGAL_MESSAGE); /* alert */
        peer_close(&pair);
    }
}

static void a_wrong_identity_fails_where_the_key_is_all(const struct peer_form *form)
{
    static const char *const identities[] = {"somebodY", "somebod", "somebody2", "s"};
    struct key key, other;

    usual_key(&key);
    for (size_t i = 0; i < 8; i++) {
        const char *identity = identities[i / 2];
        struct peer_pair pair;

        make_key(&other, identity, (uint16_t)strlen(identity), 32);
        open_only(&pair, form, protocols[i % 2]);
        assert_int_equal(handshake(&pair, &other, &key),
                         i % 2 == 0 ? SEC_E_ALGORITHM_MISMATCH : SEC_E_ILLEGAL_MESSAGE);
        peer_close(&pair);
    }
}

static void keys_and_identities_of_all_sizes(const struct peer_form *form)
{
    static const struct {
        uint16_t identity_len, key_len;
    } rows[] = {{1, 1}, {1, 16}, {32, 64}, {255, 256}, {256, 255}};
    uint8_t identity[256];

    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct peer_pair pair;
        struct key key;

        memset(identity, 'a' + (int)i, sizeof(identity));
        make_key(&key, identity, rows[i / 2].identity_len, rows[i / 2].key_len);
        open_only(&pair, form, protocols[i % 2]);
        if (i % 2 == 1 && rows[i / 2].identity_len == 256) { /* there its NUL has no room */
            assert_int_equal(step(&pair.client, &pair.server, &key), SEC_E_ALGORITHM_MISMATCH);
        } else {
            assert_int_equal(handshake(&pair, &key, &key), SEC_E_OK);
            check_keyed(&pair);
        }
        peer_close(&pair);
    }
    for (size_t p = 0; p < 2; p++) { /* a NUL is a byte like any other, where it can be told */
        struct peer_pair pair;
        struct key key, prefix;

        make_key(&key, "a\0b", 3, 32);
        make_key(&prefix, "a", 1, 32);
        open_only(&pair, form, protocols[p]);
        if (p == 0) {
            assert_int_equal(handshake(&pair, &key, &key), SEC_E_OK);
            check_keyed(&pair);
            peer_disconnect(&pair);
            assert_int_equal(handshake(&pair, &key, &prefix), SEC_E_ALGORITHM_MISMATCH);
        } else {
            assert_int_equal(step(&pair.client, &pair.server, &key), SEC_E_ALGORITHM_MISMATCH);
        }
        peer_close(&pair);
    }
}

/* Spoils the buffers in one of many ways; false: there are no more. */
static bool spoil(struct key *key, SecBuffer extra[1], unsigned way)
{
    SecBuffer *first = &key->buffers[way % 2];
    const uint16_t too_long = 257;

    switch (way / 2) {
    case 0:
        first->cbBuffer = 0;
        return true;
    case 1:
        first->cbBuffer = 1;
        return true;
    case 2:
        first->pvBuffer = NULL;
        return true;
    case 3:
        first->cbBuffer--; /* says more than there is */
        return true;
    case 4:
        first->cbBuffer += 3; /* there is more than it says, and than a structure has */
        return true;
    case 5:
        memset(first->pvBuffer, 0, 2);
        first->cbBuffer = 2;
        return true;
    case 6:
        memcpy(first->pvBuffer, &too_long, 2);
        first->cbBuffer = 2u + too_long;
        return true;
    case 7:
        first->BufferType = SECBUFFER_PKG_PARAMS; /* one without the other */
        return true;
    case 8:
        extra[0] = *first; /* two of a kind */
        return true;
    default:
        return false;
    }
}

static void malformed_buffers_are_refused(const struct peer_form *form)
{
    struct peer_pair pair;
    uint8_t out[16384];

    peer_open(&pair, form, NULL);
    for (int side = 0; side < 2; side++) {
        struct peer_end *end = side ? &pair.server : &pair.client;
        SecBuffer extra[1] = {{0, SECBUFFER_EMPTY, NULL}};
        struct key key;

        for (unsigned way = 0; spoil(usual_key(&key), extra, way); way++) {
            struct peer_leg leg = peer_leg_of(end, end->in.bytes, end->in.len, out, sizeof(out));

            leg.in[1] = extra[0];
            leg.in[2] = key.buffers[0];
            leg.in[3] = key.buffers[1];
            leg.in_count = 4;
            assert_int_equal(peer_leg_run(end, &leg), SEC_E_INVALID_TOKEN);
            extra[0] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
        }
        usual_key(&key);
        key.buffers[0].cbBuffer += 2; /* sizeof(SEC_PRESHAREDKEY) and the key */
        key.buffers[1].cbBuffer += 1;
        assert_int_equal(step(end, side ? &pair.client : &pair.server, &key),
                         SEC_I_CONTINUE_NEEDED);
    }
    assert_int_equal(peer_handshake(&pair), SEC_E_OK);
    check_keyed(&pair);
    peer_close(&pair);
}

static void on_later_legs_they_are_not_looked_at(const struct peer_form *form)
{
    struct peer_pair pair;
    struct key key, other;

    usual_key(&key);
    make_key(&other, "other", 5, 16);
    peer_open(&pair, form, NULL);
    assert_int_equal(step(&pair.client, &pair.server, &key), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(step(&pair.server, &pair.client, &key), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(step(&pair.client, &pair.server, &other), SEC_E_OK);
    assert_int_equal(step(&pair.server, &pair.client, &other), SEC_E_OK);
    check_keyed(&pair);
    peer_close(&pair);
}

/* ---- nothing is left ---- */

/* Our own copies exist for the two calls that take them, and are wiped at once. */
static SECURITY_STATUS step_and_wipe(struct peer_end *end, struct peer_end *to,
                                     const struct scan_secret *secret)
{
    static struct key key;
    SECURITY_STATUS status;

    usual_key(&key);
    for (size_t i = 0; i < secret->len; i++)
        key.key[2 + i] = secret->masked[i] ^ SCAN_MASK;
    status = step(end, to, &key);
    OPENSSL_cleanse(&key, sizeof(key));
    return status;
}

static void the_key_is_wiped(const struct peer_form *form)
{
    struct scan_secret secret = {.name = "key", .len = 32};
    uint64_t random = 4711;

    if (TEST_SANITIZED || form != PEER_SYNC)
        return; /* asynchronous calls copy buffers in the same way, and wipe with the same call */
    for (size_t i = 0; i < secret.len; i++)
        secret.masked[i] = (uint8_t)test_random(&random);
    for (size_t p = 0; p < 4; p++) {
        struct peer_pair pair;

        open_only(&pair, form, protocols[p % 2]);
        assert_int_equal(step_and_wipe(&pair.client, &pair.server, &secret), SEC_I_CONTINUE_NEEDED);
        assert_true(scan_memory(&secret, 1, false) > 0); /* or looking for it would prove nothing */
        if (p < 2) {                                     /* else the handshake is given up here */
            assert_int_equal(step_and_wipe(&pair.server, &pair.client, &secret),
                             SEC_I_CONTINUE_NEEDED);
            assert_int_equal(peer_handshake(&pair), SEC_E_OK);
            check_keyed(&pair);
            assert_int_equal(scan_memory(&secret, 1, true), 0); /* it has done its work */
        }
        peer_close(&pair);
        assert_int_equal(scan_memory(&secret, 1, true), 0);
    }
}

/* ---- OpenSSL on the other side ---- */

static struct key raw_key;

static unsigned int raw_server_psk(SSL *ssl, const char *identity, unsigned char *psk,
                                   unsigned int max)
{
    (void)ssl;
    if (strcmp(identity, IDENTITY) != 0 || max < 32)
        return 0;
    memcpy(psk, raw_key.key + 2, 32);
    return 32;
}

static unsigned int raw_client_psk(SSL *ssl, const char *hint, char *identity, unsigned int room,
                                   unsigned char *psk, unsigned int max)
{
    (void)ssl;
    (void)hint;
    if (room < sizeof(IDENTITY) || max < 32)
        return 0;
    memcpy(identity, IDENTITY, sizeof(IDENTITY));
    memcpy(psk, raw_key.key + 2, 32);
    return 32;
}

static void open_raw(struct raw_peer *raw, bool server, int version, const char *suite)
{
    raw_open(raw, server, version, NULL);
    if (version == TLS1_2_VERSION)
        TEST_REQUIRE(SSL_CTX_set_cipher_list(raw->ctx, suite) == 1);
    else
        TEST_REQUIRE(SSL_CTX_set_ciphersuites(raw->ctx, suite) == 1);
    SSL_CTX_set_dh_auto(raw->ctx, 1);
    SSL_CTX_set_psk_server_callback(raw->ctx, raw_server_psk);
    SSL_CTX_set_psk_client_callback(raw->ctx, raw_client_psk);
    raw_again(raw, server);
}

static const struct {
    int version;
    DWORD number;
    const char *name;
    DWORD strength; /* of the key exchange: the curve, OpenSSL's prime, none */
} suites[] = {
    {TLS1_2_VERSION, 0xCCAC, "ECDHE-PSK-CHACHA20-POLY1305", 256},
    {TLS1_2_VERSION, 0x00AB, "DHE-PSK-AES256-GCM-SHA384", 3072},
    {TLS1_2_VERSION, 0x00AA, "DHE-PSK-AES128-GCM-SHA256", 2048},
    {TLS1_2_VERSION, 0xCCAD, "DHE-PSK-CHACHA20-POLY1305", 3072},
    {TLS1_2_VERSION, 0x00A9, "PSK-AES256-GCM-SHA384", 0},
    {TLS1_2_VERSION, 0x00A8, "PSK-AES128-GCM-SHA256", 0},
    {TLS1_2_VERSION, 0xCCAB, "PSK-CHACHA20-POLY1305", 0},
    {TLS1_3_VERSION, 0x1301, "TLS_AES_128_GCM_SHA256", 256},
    {TLS1_3_VERSION, 0x1303, "TLS_CHACHA20_POLY1305_SHA256", 256},
};

static void check_suite(struct peer_end *end, DWORD number, DWORD strength)
{
    SecPkgContext_CipherInfo info = {.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1};
    SecPkgContext_ConnectionInfo connection;

    assert_int_equal(QueryContextAttributesA(&end->context, SECPKG_ATTR_CIPHER_INFO, &info),
                     SEC_E_OK);
    assert_int_equal(info.dwCipherSuite, number);
    assert_int_equal(
        QueryContextAttributesA(&end->context, SECPKG_ATTR_CONNECTION_INFO, &connection), SEC_E_OK);
    assert_int_equal(connection.dwExchStrength, strength);
}

static void every_suite_with_openssl(const struct peer_form *form)
{
    usual_key(&raw_key);
    for (size_t i = 0; i < 2 * sizeof(suites) / sizeof(suites[0]); i++) {
        const bool serve = i % 2;
        struct peer_end end, wire = {0};
        struct raw_peer raw;

        peer_end_init(&end, form, serve);
        /* A server's certificate has no part in it. */
        assert_int_equal(
            peer_end_acquire(&end, 0, SCH_USE_PRESHAREDKEY_ONLY, serve ? "server" : NULL, false),
            SEC_E_OK);
        open_raw(&raw, !serve, suites[i / 2].version, suites[i / 2].name);
        if (serve) {
            assert_int_equal(SSL_do_handshake(raw.ssl), -1);
            raw_take(&raw, &end.in);
        }
        assert_int_equal(step(&end, &wire, &raw_key), SEC_I_CONTINUE_NEEDED);
        raw_give(&raw, &wire.in);
        (void)SSL_do_handshake(raw.ssl);
        raw_take(&raw, &end.in);
        assert_int_equal(raw_handshake(&raw, &end), SEC_E_OK);
        raw_exchange(&raw, &end);
        check_suite(&end, suites[i / 2].number, suites[i / 2].strength);
        peer_end_free(&end);
        raw_close(&raw);
    }
}

/* Where SHA-256 is forbidden the key's hash is SHA-384. */
static void without_sha256_the_hash_is_sha384(const struct peer_form *form)
{
    static WCHAR name[] = {'S', 'H', 'A', '2', '5', '6'};
    CRYPTO_SETTINGS off = {.eAlgorithmUsage = TlsParametersCngAlgUsageDigest,
                           .strCngAlgId = {sizeof(name), sizeof(name), name}};
    TLS_PARAMETERS parameters = {.cDisabledCrypto = 1, .pDisabledCrypto = &off};
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION,
                            .dwFlags = SCH_USE_PRESHAREDKEY_ONLY,
                            .cTlsParameters = 1,
                            .pTlsParameters = &parameters};
    struct peer_pair pair;
    struct key key;

    usual_key(&key);
    for (int i = 0; i < 2; i++) {
        struct peer_end *end = i ? &pair.server : &pair.client;

        peer_end_init(end, form, i);
        assert_int_equal(form->acquire((LPSTR)UNISP_NAME_A,
                                       i ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, &auth,
                                       &end->credential, NULL),
                         SEC_E_OK);
        end->has_credential = true;
    }
    assert_int_equal(handshake(&pair, &key, &key), SEC_E_OK);
    check_keyed(&pair);
    check_suite(&pair.client, 0x1302, 256);
    peer_close(&pair);
}

/* The second ClientHello has the key again, with a binder of its own. */
static void a_hello_retry_request_keeps_the_key(const struct peer_form *form)
{
    usual_key(&raw_key);
    for (int serve = 0; serve < 2; serve++) {
        struct peer_end end, wire = {0};
        struct raw_peer raw;

        peer_end_init(&end, form, serve);
        assert_int_equal(peer_end_acquire(&end, 0, SCH_USE_PRESHAREDKEY_ONLY, NULL, false),
                         SEC_E_OK);
        open_raw(&raw, !serve, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256");
        TEST_REQUIRE(SSL_set1_groups_list(raw.ssl, serve ? "P-521:P-384" : "P-384") == 1);
        if (serve) {
            assert_int_equal(SSL_do_handshake(raw.ssl), -1);
            raw_take(&raw, &end.in);
        }
        assert_int_equal(step(&end, &wire, &raw_key), SEC_I_CONTINUE_NEEDED);
        raw_give(&raw, &wire.in);
        (void)SSL_do_handshake(raw.ssl);
        raw_take(&raw, &end.in);
        assert_int_equal(raw_handshake(&raw, &end), SEC_E_OK);
        raw_exchange(&raw, &end);
        peer_end_free(&end);
        raw_close(&raw);
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_4_a_key_takes_the_place_of_certificates),
        PEER_CASE(s3_2_preshared_key_only_needs_no_certificate),
        PEER_CASE(s3_2_preshared_key_only_never_uses_certificates),
        PEER_CASE(s3_2_preshared_key_only_shows_no_certificate_later),
        PEER_CASE(s3_2_preshared_key_only_without_a_key),
        PEER_CASE(without_a_key_the_certificate_counts),
        PEER_CASE(falling_back_verifies),
        PEER_CASE(a_required_certificate_is_not_replaced),
        PEER_CASE(a_wrong_key_fails),
        PEER_CASE(a_wrong_identity_fails_where_the_key_is_all),
        PEER_CASE(keys_and_identities_of_all_sizes),
        PEER_CASE(malformed_buffers_are_refused),
        PEER_CASE(on_later_legs_they_are_not_looked_at),
        PEER_CASE(the_key_is_wiped),
        PEER_CASE(every_suite_with_openssl),
        PEER_CASE(without_sha256_the_hash_is_sha384),
        PEER_CASE(a_hello_retry_request_keeps_the_key),
    };

    return peer_run_cases("contract.psk", cases, sizeof(cases) / sizeof(cases[0]));
}
