/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Schannel against plain OpenSSL over memory: what only a peer that we do not control does
 * (KeyUpdate, requests to renegotiate), and facts that both ends must agree on.
 */
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "support/test_util.h"
#include "unit/sspi_pair.h"

struct peer {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
    struct sspi_end ours;
    struct sspi_end wire; /* only its stream: what our end has sent */
};

static void peer_start(struct peer *peer, bool we_serve, int version)
{
    peer->ctx = SSL_CTX_new(we_serve ? TLS_client_method() : TLS_server_method());
    assert_non_null(peer->ctx);
    SSL_CTX_set_min_proto_version(peer->ctx, version);
    SSL_CTX_set_max_proto_version(peer->ctx, version);
    if (!we_serve) {
        char path[512];

        peer_path("server", ".pem", path, sizeof(path));
        assert_int_equal(SSL_CTX_use_certificate_chain_file(peer->ctx, path), 1);
        peer_path("server", ".key", path, sizeof(path));
        assert_int_equal(SSL_CTX_use_PrivateKey_file(peer->ctx, path, SSL_FILETYPE_PEM), 1);
    }
    peer->ssl = SSL_new(peer->ctx);
    peer->in = BIO_new(BIO_s_mem());
    peer->out = BIO_new(BIO_s_mem());
    assert_true(peer->ssl && peer->in && peer->out);
    SSL_set_bio(peer->ssl, peer->in, peer->out);
    if (we_serve)
        SSL_set_connect_state(peer->ssl);
    else
        SSL_set_accept_state(peer->ssl);
}

/* Carries bytes both ways. */
static void carry(struct peer *peer)
{
    struct sspi_stream *stream = &peer->ours.in;
    int got;

    if (peer->wire.in.len > 0)
        assert_int_equal(BIO_write(peer->in, peer->wire.in.bytes, (int)peer->wire.in.len),
                         (int)peer->wire.in.len);
    peer->wire.in.len = 0;
    got = BIO_read(peer->out, stream->bytes + stream->len,
                   (int)(sizeof(stream->bytes) - stream->len));
    if (got > 0)
        stream->len += (size_t)got;
}

static void peer_handshake(struct peer *peer)
{
    SECURITY_STATUS status = SEC_I_CONTINUE_NEEDED;
    int theirs = 0;

    for (int i = 0; i < 10 && !(theirs == 1 && status == SEC_E_OK); i++) {
        if (status != SEC_E_OK && (!peer->ours.server || peer->ours.in.len > 0))
            status = sspi_leg(&peer->ours, &peer->wire);
        assert_true(status >= 0 || status == SEC_E_INCOMPLETE_MESSAGE);
        carry(peer);
        if (theirs != 1)
            theirs = SSL_do_handshake(peer->ssl);
        carry(peer);
    }
    assert_int_equal(theirs, 1);
    assert_int_equal(status, SEC_E_OK);
    assert_int_equal(
        QueryContextAttributesA(&peer->ours.context, SECPKG_ATTR_STREAM_SIZES, &peer->ours.sizes),
        SEC_E_OK);
}

static void peer_connect(struct peer *peer, bool we_serve, int version)
{
    PCCERT_CONTEXT certificate = we_serve ? peer_certificate("server") : NULL;
    SCHANNEL_CRED cred = sspi_schannel_cred(&certificate);

    memset(peer, 0, sizeof(*peer));
    peer_start(peer, we_serve, version);
    peer->ours.server = we_serve;
    peer->ours.target = SSPI_TARGET;
    peer->ours.flags = we_serve ? ASC_REQ_EXTENDED_ERROR : ISC_REQ_EXTENDED_ERROR;
    assert_int_equal(sspi_acquire(&peer->ours, &cred), SEC_E_OK);
    if (certificate)
        CertFreeCertificateContext(certificate);
    peer_handshake(peer);
}

static void peer_end(struct peer *peer)
{
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->ctx);
    DeleteSecurityContext(&peer->ours.context);
    FreeCredentialsHandle(&peer->ours.credential);
}

/* ---- data both ways ---- */

static void they_get(struct peer *peer, const void *expected, size_t len)
{
    uint8_t got[20000];
    size_t done = 0, part;

    carry(peer);
    while (done < len && SSL_read_ex(peer->ssl, got + done, sizeof(got) - done, &part) == 1)
        done += part;
    assert_int_equal(done, len);
    assert_memory_equal(got, expected, len);
}

static void we_send(struct peer *peer, const void *data, size_t len)
{
    assert_int_equal(sspi_send(&peer->ours, &peer->wire, data, len), SEC_E_OK);
    they_get(peer, data, len);
}

static void we_get(struct peer *peer, const void *expected, size_t len)
{
    uint8_t got[20000];
    size_t got_len;

    assert_int_equal(SSL_write(peer->ssl, expected, (int)len), (int)len);
    carry(peer);
    assert_int_equal(sspi_receive_data(&peer->ours, &peer->wire, got, sizeof(got), &got_len),
                     SEC_E_OK);
    assert_int_equal(got_len, len);
    assert_memory_equal(got, expected, len);
}

static SECURITY_STATUS we_open(struct peer *peer)
{
    uint8_t data[64];
    size_t len;

    carry(peer);
    return sspi_receive(&peer->ours, data, sizeof(data), &len);
}

/* Takes tickets off the stream, so that only what the test provokes is on it. */
static void drain(struct peer *peer)
{
    carry(peer);
    while (peer->ours.in.len > 0) {
        SECURITY_STATUS status = we_open(peer);

        if (status == SEC_I_RENEGOTIATE)
            status = sspi_leg(&peer->ours, &peer->wire);
        assert_int_equal(status, SEC_E_OK);
    }
    carry(peer);
}

static const bool roles[] = {false, true};

/* ---- KeyUpdate ---- */

static void ask_for_key_update(struct peer *peer)
{
    assert_int_equal(SSL_key_update(peer->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(peer->ssl), 1);
}

static void key_update_is_answered_by_the_leg(void **state)
{
    static struct peer peer;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        peer_connect(&peer, roles[i], TLS1_3_VERSION);
        drain(&peer);
        for (int round = 0; round < 3; round++) {
            ask_for_key_update(&peer);
            assert_int_equal(we_open(&peer), SEC_I_RENEGOTIATE);
            assert_int_equal(sspi_leg(&peer.ours, &peer.wire), SEC_E_OK);
            assert_true(peer.wire.in.len > 0); /* the answer, under the old key */
            we_send(&peer, "after", 5);
            we_get(&peer, "too", 3);
        }
        peer_end(&peer);
    }
}

/* The answer must leave before anything under the new key, and it must not be lost. */
static void encrypt_before_the_leg_carries_the_answer(void **state)
{
    static struct peer peer;
    static uint8_t data[16384];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        peer_connect(&peer, roles[i], TLS1_3_VERSION);
        drain(&peer);
        for (size_t len = 1; len <= sizeof(data); len *= 4) {
            ask_for_key_update(&peer);
            assert_int_equal(we_open(&peer), SEC_I_RENEGOTIATE);
            we_send(&peer, data, len);
            assert_int_equal(sspi_leg(&peer.ours, &peer.wire), SEC_E_OK);
            assert_int_equal(peer.wire.in.len, 0); /* nothing is left to send */
            we_send(&peer, data, len);
            we_get(&peer, "back", 4);
        }
        peer_end(&peer);
    }
}

/* A leg has made the answer but found no room for it; then data, another request, more data. */
static void answers_that_wait_leave_in_order(void **state)
{
    static struct peer peer;
    uint8_t small[8];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        peer_connect(&peer, roles[i], TLS1_3_VERSION);
        drain(&peer);
        ask_for_key_update(&peer);
        assert_int_equal(we_open(&peer), SEC_I_RENEGOTIATE);
        assert_int_equal(sspi_leg_into(&peer.ours, &peer.wire, small, sizeof(small)),
                         SEC_E_INSUFFICIENT_MEMORY);
        /* The record is still there: opening it again skips it. */
        assert_int_equal(we_open(&peer), SEC_E_OK);
        assert_int_equal(peer.ours.in.len, 0);
        ask_for_key_update(&peer);
        assert_int_equal(we_open(&peer), SEC_I_RENEGOTIATE);
        we_send(&peer, "x", 1); /* the answer that waits, one more, and the data in one message */
        assert_int_equal(sspi_leg(&peer.ours, &peer.wire), SEC_E_OK);
        we_send(&peer, "y", 1);
        we_get(&peer, "z", 1);
        peer_end(&peer);
    }
}

/* Two answers wait, since no leg has found room for them; the alert that closes stands behind. */
static void closing_has_room_behind_answers_that_wait(void **state)
{
    static struct peer peer;
    uint8_t small[8];

    (void)state;
    peer_connect(&peer, false, TLS1_3_VERSION);
    drain(&peer);
    for (int i = 0; i < 2; i++) {
        ask_for_key_update(&peer);
        assert_int_equal(we_open(&peer), SEC_I_RENEGOTIATE);
        assert_int_equal(sspi_leg_into(&peer.ours, &peer.wire, small, sizeof(small)),
                         SEC_E_INSUFFICIENT_MEMORY);
        assert_int_equal(we_open(&peer), SEC_E_OK);
    }
    assert_int_equal(sspi_shutdown(&peer.ours, &peer.wire), SEC_E_OK);
    carry(&peer);
    assert_int_equal(SSL_read(peer.ssl, small, sizeof(small)), 0);
    assert_int_equal(SSL_get_shutdown(peer.ssl), SSL_RECEIVED_SHUTDOWN);
    peer_end(&peer);
}

/* A caller that ignores SEC_I_RENEGOTIATE and only reads. */
static void skip_key_updates(struct peer *peer, int count)
{
    for (int i = 0; i < count; i++)
        ask_for_key_update(peer);
    assert_int_equal(SSL_write(peer->ssl, "x", 1), 1);
    carry(peer);
    for (int i = 0; i < count; i++) {
        assert_int_equal(we_open(peer), SEC_I_RENEGOTIATE);
        assert_int_equal(we_open(peer), SEC_E_OK); /* skipped */
    }
    assert_int_equal(we_open(peer), SEC_E_OK);
}

static void key_updates_that_pile_up_leave_with_a_leg(void **state)
{
    static struct peer peer;

    (void)state;
    peer_connect(&peer, false, TLS1_3_VERSION);
    drain(&peer);
    skip_key_updates(&peer, 3);
    we_send(&peer, "answer and data", 15);
    skip_key_updates(&peer, 20);
    we_send(&peer, "one answer", 10); /* to all twenty */
    assert_int_equal(sspi_leg(&peer.ours, &peer.wire), SEC_E_OK);
    we_send(&peer, "room again", 10);
    we_get(&peer, "back", 4);
    peer_end(&peer);
}

/* The peer may ask as often as it likes, as long as it has something to say in between; without
 * that it is ended (test_schannel_post). What waits for the caller does not grow. */
static void key_updates_between_data_need_one_answer(void **state)
{
    static struct peer peer;

    (void)state;
    peer_connect(&peer, false, TLS1_3_VERSION);
    drain(&peer);
    for (int i = 0; i < 200; i++)
        skip_key_updates(&peer, 1);
    we_send(&peer, "one answer", 10);
    we_get(&peer, "back", 4);
    peer_end(&peer);
}

/* ---- renegotiation ---- */

static void ask_to_renegotiate(struct peer *peer)
{
    assert_int_equal(SSL_renegotiate(peer->ssl), 1);
    (void)SSL_do_handshake(peer->ssl);
    carry(peer);
}

static void request_to_renegotiate_is_declined(void **state)
{
    static struct peer peer;
    uint8_t small[8];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        peer_connect(&peer, roles[i], TLS1_2_VERSION);
        drain(&peer);
        ask_to_renegotiate(&peer);
        assert_true(peer.ours.in.len > 0);
        assert_int_equal(we_open(&peer), SEC_I_RENEGOTIATE);
        assert_int_equal(sspi_leg_into(&peer.ours, &peer.wire, small, sizeof(small)),
                         SEC_E_INSUFFICIENT_MEMORY);
        assert_int_equal(sspi_leg(&peer.ours, &peer.wire), SEC_E_OK);
        assert_int_equal(peer.ours.in.len, 0);
        assert_true(peer.wire.in.len > 0); /* no_renegotiation */
        assert_int_equal(peer.wire.in.bytes[0], 21);
        peer_end(&peer);
    }
}

static void leg_takes_a_request_that_decrypt_has_not_seen(void **state)
{
    static struct peer peer;

    (void)state;
    peer_connect(&peer, false, TLS1_2_VERSION);
    drain(&peer);
    ask_to_renegotiate(&peer);
    assert_int_equal(sspi_leg(&peer.ours, &peer.wire), SEC_E_OK);
    assert_int_equal(peer.ours.in.len, 0);
    assert_int_equal(peer.wire.in.bytes[0], 21);
    peer_end(&peer);
}

static void encrypt_carries_the_declining_alert(void **state)
{
    static struct peer peer;
    static const char data[] = "data";
    const uint8_t *wire = peer.wire.in.bytes;
    size_t first;

    (void)state;
    peer_connect(&peer, false, TLS1_2_VERSION);
    drain(&peer);
    ask_to_renegotiate(&peer);
    assert_int_equal(we_open(&peer), SEC_I_RENEGOTIATE);
    assert_int_equal(sspi_send(&peer.ours, &peer.wire, data, sizeof(data)), SEC_E_OK);
    first = 5 + ((size_t)wire[3] << 8) + wire[4];
    assert_int_equal(wire[0], 21);
    assert_int_equal(wire[first], 23);
    assert_int_equal(peer.wire.in.len,
                     first + 5 + ((size_t)wire[first + 3] << 8) + wire[first + 4]);
    assert_int_equal(sspi_leg(&peer.ours, &peer.wire), SEC_E_OK);
    peer_end(&peer);
}

/* ---- facts ---- */

static void expect_binding(struct peer *peer, ULONG attribute, const char *prefix, const void *data,
                           size_t len)
{
    SecPkgContext_Bindings bindings;
    const uint8_t *at;

    assert_int_equal(QueryContextAttributesA(&peer->ours.context, attribute, &bindings), SEC_E_OK);
    assert_int_equal(bindings.BindingsLength, 32 + strlen(prefix) + len);
    assert_int_equal(bindings.Bindings->cbApplicationDataLength, strlen(prefix) + len);
    assert_int_equal(bindings.Bindings->dwApplicationDataOffset, 32);
    at = (const uint8_t *)(bindings.Bindings + 1);
    assert_memory_equal(at, prefix, strlen(prefix));
    assert_memory_equal(at + strlen(prefix), data, len);
    assert_int_equal(FreeContextBuffer(bindings.Bindings), SEC_E_OK);
}

static void s3_11_bindings_are_the_peer_s_too(void **state)
{
    static struct peer peer;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        bool we_serve = i & 1;
        int version = i < 2 ? TLS1_2_VERSION : TLS1_3_VERSION;
        uint8_t hash[64], finished[64];
        unsigned int hash_len;
        X509 *certificate;
        SecPkgContext_Bindings bindings;

        peer_connect(&peer, we_serve, version);
        certificate =
            we_serve ? SSL_get0_peer_certificate(peer.ssl) : SSL_get_certificate(peer.ssl);
        assert_int_equal(X509_digest(certificate, EVP_sha256(), hash, &hash_len), 1);
        expect_binding(&peer, SECPKG_ATTR_ENDPOINT_BINDINGS, "tls-server-end-point:", hash,
                       hash_len);
        if (version == TLS1_2_VERSION) {
            /* The first Finished is the client's. */
            size_t len = we_serve ? SSL_get_finished(peer.ssl, finished, sizeof(finished))
                                  : SSL_get_peer_finished(peer.ssl, finished, sizeof(finished));

            expect_binding(&peer, SECPKG_ATTR_UNIQUE_BINDINGS, "tls-unique:", finished, len);
        } else {
            assert_int_equal(
                QueryContextAttributesA(&peer.ours.context, SECPKG_ATTR_UNIQUE_BINDINGS, &bindings),
                SEC_E_UNSUPPORTED_FUNCTION);
        }
        peer_end(&peer);
    }
}

static void s3_6_keying_material_is_the_peer_s_too(void **state)
{
    static struct peer peer;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        int version = i < 2 ? TLS1_2_VERSION : TLS1_3_VERSION;
        SecPkgContext_KeyingMaterialInfo info = {
            .cbLabel = 9, .pszLabel = (LPSTR) "EXPERIME", .cbKeyingMaterial = 40};
        SecPkgContext_KeyingMaterial material;
        SecPkgContext_KeyingMaterial_Inproc inproc = {.cbLabel = 9,
                                                      .pszLabel = (LPSTR) "EXPERIME",
                                                      .cbContextValue = 3,
                                                      .pbContextValue = (PBYTE) "ctx",
                                                      .cbKeyingMaterial = 40};
        uint8_t theirs[40];

        peer_connect(&peer, i & 1, version);
        assert_int_equal(
            QueryContextAttributesA(&peer.ours.context, SECPKG_ATTR_KEYING_MATERIAL, &material),
            SEC_E_INVALID_PARAMETER);
        assert_int_equal(SetContextAttributesA(&peer.ours.context, SECPKG_ATTR_KEYING_MATERIAL_INFO,
                                               &info, sizeof(info)),
                         SEC_E_OK);
        assert_int_equal(
            QueryContextAttributesA(&peer.ours.context, SECPKG_ATTR_KEYING_MATERIAL, &material),
            SEC_E_OK);
        assert_int_equal(
            SSL_export_keying_material(peer.ssl, theirs, sizeof(theirs), "EXPERIME", 8, NULL, 0, 0),
            1);
        assert_int_equal(material.cbKeyingMaterial, sizeof(theirs));
        assert_memory_equal(material.pbKeyingMaterial, theirs, sizeof(theirs));
        FreeContextBuffer(material.pbKeyingMaterial);
        assert_int_equal(QueryContextAttributesA(&peer.ours.context,
                                                 SECPKG_ATTR_KEYING_MATERIAL_INPROC, &inproc),
                         SEC_E_OK);
        assert_int_equal(SSL_export_keying_material(peer.ssl, theirs, sizeof(theirs), "EXPERIME", 8,
                                                    (const uint8_t *)"ctx", 3, 1),
                         1);
        assert_memory_equal(inproc.pbKeyingMaterial, theirs, sizeof(theirs));
        FreeContextBuffer(inproc.pbKeyingMaterial);
        peer_end(&peer);
    }
}

static void s3_6_suite_and_certificate_are_told(void **state)
{
    static struct peer peer;
    SecPkgContext_CipherInfo cipher = {0};
    SecPkgContext_ConnectionInfo connection;
    SecPkgContext_KeyInfoA key;
    SecPkgContext_Certificates chain;
    PCCERT_CONTEXT certificate = NULL, other = NULL;
    uint32_t first_len;
    int found = 0;

    (void)state;
    peer_connect(&peer, false, TLS1_2_VERSION);
    assert_int_equal(QueryContextAttributesA(&peer.ours.context, SECPKG_ATTR_CIPHER_INFO, &cipher),
                     SEC_E_INVALID_PARAMETER);
    cipher.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1;
    assert_int_equal(QueryContextAttributesA(&peer.ours.context, SECPKG_ATTR_CIPHER_INFO, &cipher),
                     SEC_E_OK);
    assert_int_equal(cipher.dwProtocol, 0x0303);
    assert_int_equal(cipher.dwCipherSuite,
                     SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(peer.ssl)));
    assert_int_equal(cipher.szCertificate[0], 'E');
    assert_int_equal(
        QueryContextAttributesA(&peer.ours.context, SECPKG_ATTR_CONNECTION_INFO, &connection),
        SEC_E_OK);
    assert_int_equal(connection.dwProtocol, SP_PROT_TLS1_2_CLIENT);
    assert_int_equal(connection.aiExch, CALG_ECDH_EPHEM);
    assert_int_equal(connection.dwHashStrength, 0);
    assert_true(connection.dwExchStrength >= 253);
    assert_int_equal(QueryContextAttributesA(&peer.ours.context, SECPKG_ATTR_KEY_INFO, &key),
                     SEC_E_OK);
    assert_string_equal(key.sEncryptAlgorithmName, "AES");
    FreeContextBuffer(key.sEncryptAlgorithmName);
    FreeContextBuffer(key.sSignatureAlgorithmName);
    assert_int_equal(
        QueryContextAttributesA(&peer.ours.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &certificate),
        SEC_E_OK);
    while ((other = CertEnumCertificatesInStore(certificate->hCertStore, other)) != NULL)
        found++;
    assert_int_equal(found, 2); /* the leaf itself and the intermediate */
    CertFreeCertificateContext(certificate);
    assert_int_equal(
        QueryContextAttributesA(&peer.ours.context, SECPKG_ATTR_REMOTE_CERTIFICATES, &chain),
        SEC_E_OK);
    assert_int_equal(chain.cCertificates, 2);
    memcpy(&first_len, chain.pbCertificateChain, sizeof(first_len));
    assert_true(first_len + 4 < chain.cbCertificateChain);
    assert_int_equal(chain.pbCertificateChain[4], 0x30);
    FreeContextBuffer(chain.pbCertificateChain);
    assert_int_equal(
        QueryContextAttributesA(&peer.ours.context, SECPKG_ATTR_LOCAL_CERT_CONTEXT, &certificate),
        SEC_E_NO_CREDENTIALS);
    assert_int_equal(
        QueryContextAttributesA(&peer.ours.context, SECPKG_ATTR_NEGOTIATION_INFO, &cipher),
        SEC_E_UNSUPPORTED_FUNCTION);
    peer_end(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_update_is_answered_by_the_leg),
        cmocka_unit_test(encrypt_before_the_leg_carries_the_answer),
        cmocka_unit_test(answers_that_wait_leave_in_order),
        cmocka_unit_test(closing_has_room_behind_answers_that_wait),
        cmocka_unit_test(key_updates_that_pile_up_leave_with_a_leg),
        cmocka_unit_test(key_updates_between_data_need_one_answer),
        cmocka_unit_test(request_to_renegotiate_is_declined),
        cmocka_unit_test(leg_takes_a_request_that_decrypt_has_not_seen),
        cmocka_unit_test(encrypt_carries_the_declining_alert),
        cmocka_unit_test(s3_11_bindings_are_the_peer_s_too),
        cmocka_unit_test(s3_6_keying_material_is_the_peer_s_too),
        cmocka_unit_test(s3_6_suite_and_certificate_are_told),
    };

    return cmocka_run_group_tests(tests, peer_set_up, NULL);
}
