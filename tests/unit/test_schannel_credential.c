/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * AcquireCredentialsHandle of Schannel: which auth data make a credential and which statuses
 * refuse them; attributes of credentials; who may resume whose sessions.
 */
#include <string.h>

#include "support/test_util.h"
#include "unit/sspi_pair.h"

static SECURITY_STATUS acquire(ULONG use, void *auth, TimeStamp *expiry)
{
    CredHandle handle = {0x5A, 0x5A};
    SECURITY_STATUS status = AcquireCredentialsHandleA(NULL, (LPSTR)SCHANNEL_NAME_A, use, NULL,
                                                       auth, NULL, NULL, &handle, expiry);

    if (status == SEC_E_OK)
        assert_int_equal(FreeCredentialsHandle(&handle), SEC_E_OK);
    else
        assert_true(handle.dwLower == 0x5A && handle.dwUpper == 0x5A);
    return status;
}

static void s2_2_uses_and_missing_auth_data(void **state)
{
    SCHANNEL_CRED cred = sspi_schannel_cred(NULL);
    TimeStamp expiry = {.QuadPart = 0};

    (void)state;
    assert_int_equal(acquire(0, &cred, NULL), SEC_E_NO_CREDENTIALS);
    assert_int_equal(acquire(SECPKG_CRED_BOTH, &cred, NULL), SEC_E_NO_CREDENTIALS);
    assert_int_equal(acquire(SECPKG_CRED_INBOUND, NULL, NULL), SEC_E_NO_CREDENTIALS);
    assert_int_equal(acquire(SECPKG_CRED_OUTBOUND, NULL, &expiry), SEC_E_OK);
    assert_int_equal(expiry.QuadPart, INT64_MAX);
    assert_int_equal(acquire(SECPKG_CRED_OUTBOUND, &cred, NULL), SEC_E_OK);
    assert_int_equal(acquire(SECPKG_CRED_INBOUND, &cred, NULL), SEC_E_OK);
    for (DWORD version = 0; version < 4; version++) {
        cred.dwVersion = version;
        assert_int_equal(acquire(SECPKG_CRED_OUTBOUND, &cred, NULL), SEC_E_UNKNOWN_CREDENTIALS);
    }
}

static void s2_2_certificates_need_keys(void **state)
{
    PCCERT_CONTEXT with_key = peer_certificate("server");
    PCCERT_CONTEXT without = CertCreateCertificateContext(
        X509_ASN_ENCODING, with_key->pbCertEncoded, with_key->cbCertEncoded);
    PCCERT_CONTEXT both[] = {with_key, without};
    PCCERT_CONTEXT missing[] = {with_key, NULL};
    SCHANNEL_CRED cred = sspi_schannel_cred(&with_key);
    TimeStamp expiry = {.QuadPart = 0};

    (void)state;
    assert_non_null(without);
    assert_int_equal(acquire(SECPKG_CRED_INBOUND, &cred, &expiry), SEC_E_OK);
    assert_true(expiry.QuadPart > 0 && expiry.QuadPart < INT64_MAX);
    assert_int_equal(acquire(SECPKG_CRED_OUTBOUND, &cred, NULL), SEC_E_OK);
    cred.paCred = &without;
    assert_int_equal(acquire(SECPKG_CRED_INBOUND, &cred, NULL), SEC_E_NO_CREDENTIALS);
    cred.paCred = both;
    cred.cCreds = 2;
    assert_int_equal(acquire(SECPKG_CRED_INBOUND, &cred, NULL), SEC_E_NO_CREDENTIALS);
    cred.paCred = missing;
    assert_int_equal(acquire(SECPKG_CRED_INBOUND, &cred, NULL), SEC_E_UNKNOWN_CREDENTIALS);
    CertFreeCertificateContext(without);
    CertFreeCertificateContext(with_key);
}

static void s3_2_flags_that_cannot_be_honoured_are_refused(void **state)
{
    static const struct {
        DWORD flags;
        SECURITY_STATUS status;
    } rows[] = {
        {SCH_CRED_MANUAL_CRED_VALIDATION | SCH_CRED_AUTO_CRED_VALIDATION,
         SEC_E_UNKNOWN_CREDENTIALS},
        {SCH_CRED_REVOCATION_CHECK_CHAIN | SCH_CRED_REVOCATION_CHECK_END_CERT,
         SEC_E_UNKNOWN_CREDENTIALS},
        {SCH_CRED_REVOCATION_CHECK_CHAIN, SEC_E_OK},
        {SCH_CRED_IGNORE_REVOCATION_OFFLINE | SCH_CRED_IGNORE_NO_REVOCATION_CHECK, SEC_E_OK},
        {SCH_USE_PRESHAREDKEY_ONLY, SEC_E_OK},
        {SCH_USE_DTLS_ONLY, SEC_E_OK},
        {SCH_ALLOW_NULL_ENCRYPTION | SCH_USE_STRONG_CRYPTO | SCH_SEND_AUX_RECORD, SEC_E_OK},
        {SCH_CRED_NO_SYSTEM_MAPPER | SCH_CRED_MEMORY_STORE_CERT, SEC_E_OK},
        {SCH_CRED_CACHE_ONLY_URL_RETRIEVAL_ON_CREATE | SCH_CRED_SNI_CREDENTIAL, SEC_E_OK},
        {SCH_CRED_NO_DEFAULT_CREDS, SEC_E_OK},
        {SCH_CRED_USE_DEFAULT_CREDS, SEC_E_OK},
    };
    SCHANNEL_CRED cred = sspi_schannel_cred(NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cred.dwFlags = rows[i].flags;
        assert_int_equal(acquire(SECPKG_CRED_OUTBOUND, &cred, NULL), rows[i].status);
    }
}

static void s3_2_revocation_asked_for_is_not_skipped(void **state)
{
    static struct sspi_pair pair;
    SCHANNEL_CRED cred = sspi_schannel_cred(NULL);

    (void)state;
    sspi_pair_init(&pair, 0, "server");
    cred.dwFlags = SCH_CRED_REVOCATION_CHECK_CHAIN;
    for (int ignored = 0; ignored < 2; ignored++) {
        FreeCredentialsHandle(&pair.client.credential);
        assert_int_equal(sspi_acquire(&pair.client, &cred), SEC_E_OK);
        assert_int_equal(sspi_handshake(&pair), ignored ? SEC_E_OK : CRYPT_E_NO_REVOCATION_CHECK);
        sspi_pair_disconnect(&pair);
        cred.dwFlags |= SCH_CRED_IGNORE_NO_REVOCATION_CHECK | SCH_CRED_IGNORE_REVOCATION_OFFLINE;
    }
    sspi_pair_clear(&pair);
}

static UNICODE_STRING text(const WCHAR *units, USHORT len)
{
    return (UNICODE_STRING){len, len, (WCHAR *)units};
}

static void s3_2_disabled_group_is_not_negotiated(void **state)
{
    static struct sspi_pair pair;
    static const WCHAR name[] = u"curve25519";
    CRYPTO_SETTINGS settings = {.eAlgorithmUsage = TlsParametersCngAlgUsageKeyExchange,
                                .strCngAlgId = text(name, sizeof(name))};
    TLS_PARAMETERS parameters = {.cDisabledCrypto = 1, .pDisabledCrypto = &settings};
    SCH_CREDENTIALS cred = {
        .dwVersion = SCH_CREDENTIALS_VERSION, .cTlsParameters = 1, .pTlsParameters = &parameters};
    SecPkgContext_CipherInfo cipher = {.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1};

    (void)state;
    sspi_pair_init(&pair, 0, "server");
    sspi_connect(&pair);
    assert_int_equal(
        QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_CIPHER_INFO, &cipher), SEC_E_OK);
    assert_int_equal(cipher.dwKeyType, 29);
    sspi_pair_disconnect(&pair);
    FreeCredentialsHandle(&pair.client.credential);
    assert_int_equal(sspi_acquire(&pair.client, &cred), SEC_E_OK);
    sspi_connect(&pair);
    assert_int_equal(
        QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_CIPHER_INFO, &cipher), SEC_E_OK);
    assert_int_equal(cipher.dwKeyType, 23);
    sspi_pair_clear(&pair);
}

static void s2_8_attributes_tell_what_was_settled(void **state)
{
    static struct sspi_end end;
    SCHANNEL_CRED cred = sspi_schannel_cred(NULL);
    SecPkgCred_SupportedProtocols protocols;
    SecPkgCred_CipherStrengths strengths;
    SecPkgCred_SupportedAlgs algorithms;
    SecPkgCredentials_NamesA names;
    bool found = false;

    (void)state;
    memset(&end, 0, sizeof(end));
    cred.dwMinimumCipherStrength = 256;
    assert_int_equal(sspi_acquire(&end, &cred), SEC_E_OK);
    assert_int_equal(
        QueryCredentialsAttributesA(&end.credential, SECPKG_ATTR_SUPPORTED_PROTOCOLS, &protocols),
        SEC_E_OK);
    assert_int_equal(protocols.grbitProtocol,
                     SP_PROT_TLS1_2_CLIENT | SP_PROT_TLS1_3_CLIENT | SP_PROT_DTLS1_2_CLIENT);
    assert_int_equal(
        QueryCredentialsAttributesA(&end.credential, SECPKG_ATTR_CIPHER_STRENGTHS, &strengths),
        SEC_E_OK);
    assert_int_equal(strengths.dwMinimumCipherStrength, 256);
    assert_int_equal(strengths.dwMaximumCipherStrength, 256);
    assert_int_equal(
        QueryCredentialsAttributesA(&end.credential, SECPKG_ATTR_SUPPORTED_ALGS, &algorithms),
        SEC_E_OK);
    for (DWORD i = 0; i < algorithms.cSupportedAlgs; i++) {
        assert_true(algorithms.palgSupportedAlgs[i] != CALG_AES_128);
        found = found || algorithms.palgSupportedAlgs[i] == CALG_AES_256;
    }
    assert_true(found);
    assert_int_equal(FreeContextBuffer(algorithms.palgSupportedAlgs), SEC_E_OK);
    assert_int_equal(QueryCredentialsAttributesA(&end.credential, SECPKG_CRED_ATTR_NAMES, &names),
                     SEC_E_NO_CREDENTIALS);
    assert_int_equal(FreeCredentialsHandle(&end.credential), SEC_E_OK);
}

static bool resumed(struct sspi_end *end)
{
    SecPkgContext_SessionInfo info;

    assert_int_equal(QueryContextAttributesA(&end->context, SECPKG_ATTR_SESSION_INFO, &info),
                     SEC_E_OK);
    assert_true(info.cbSessionId <= sizeof(info.rgbSessionId));
    return info.dwFlags & SSL_SESSION_RECONNECT;
}

/* Connects and lets the client see its tickets. */
static bool connect_again(struct sspi_pair *pair)
{
    uint8_t data[16];
    size_t len;
    bool result;

    sspi_connect(pair);
    result = resumed(&pair->client);
    assert_true(result == resumed(&pair->server));
    assert_int_equal(sspi_send(&pair->server, &pair->client, "x", 1), SEC_E_OK);
    assert_int_equal(sspi_receive_data(&pair->client, &pair->server, data, sizeof(data), &len),
                     SEC_E_OK);
    sspi_pair_disconnect(pair);
    return result;
}

static void s3_8_sessions_resume_for_the_same_credential_and_name(void **state)
{
    static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};
    static struct sspi_pair pair;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        sspi_pair_init(&pair, protocols[i], "server");
        assert_false(connect_again(&pair));
        assert_true(connect_again(&pair));
        pair.client.target = "localhost";
        assert_false(connect_again(&pair));
        pair.client.target = SSPI_TARGET;
        assert_true(connect_again(&pair));
        assert_true(SslEmptyCacheA((LPSTR)SSPI_TARGET, 0));
        assert_false(connect_again(&pair));
        sspi_pair_clear(&pair);
    }
}

static void s3_8_session_token_keeps_a_session_from_being_resumed(void **state)
{
    static struct sspi_pair pair;
    SCHANNEL_SESSION_TOKEN token = {SCHANNEL_SESSION, SSL_SESSION_DISABLE_RECONNECTS};
    SecBuffer buffer = {sizeof(token), SECBUFFER_TOKEN, &token};
    SecBufferDesc control = {SECBUFFER_VERSION, 1, &buffer};
    uint8_t data[16];
    size_t len;

    (void)state;
    for (int established = 0; established < 2; established++) {
        sspi_pair_init(&pair, 0, "server");
        assert_int_equal(sspi_leg(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        if (!established)
            assert_int_equal(ApplyControlToken(&pair.client.context, &control), SEC_E_OK);
        sspi_connect(&pair);
        if (established)
            assert_int_equal(ApplyControlToken(&pair.client.context, &control), SEC_E_OK);
        assert_int_equal(sspi_send(&pair.server, &pair.client, "x", 1), SEC_E_OK);
        assert_int_equal(sspi_receive_data(&pair.client, &pair.server, data, sizeof(data), &len),
                         SEC_E_OK);
        sspi_pair_disconnect(&pair);
        assert_false(connect_again(&pair));
        assert_true(connect_again(&pair));
        sspi_pair_clear(&pair);
    }
}

static void unverified_session_never_serves_a_client_that_verifies(void **state)
{
    static struct sspi_pair pair;

    (void)state;
    sspi_pair_init(&pair, 0, "selfsigned");
    pair.client.flags |= ISC_REQ_MANUAL_CRED_VALIDATION;
    assert_false(connect_again(&pair));
    assert_true(connect_again(&pair));
    pair.client.flags &= ~(ULONG)ISC_REQ_MANUAL_CRED_VALIDATION;
    assert_int_equal(sspi_handshake(&pair), SEC_E_UNTRUSTED_ROOT);
    sspi_pair_clear(&pair);
}

/* ---- client certificates ---- */

static SECURITY_STATUS with_client_certificate(const char *name, ULONG *ret_attributes,
                                               PCCERT_CONTEXT *ret_seen)
{
    static struct sspi_pair pair;
    PCCERT_CONTEXT certificate = name ? peer_certificate(name) : NULL;
    SCHANNEL_CRED cred = sspi_schannel_cred(&certificate);
    SECURITY_STATUS status;

    sspi_pair_init(&pair, 0, "server");
    FreeCredentialsHandle(&pair.client.credential);
    assert_int_equal(sspi_acquire(&pair.client, &cred), SEC_E_OK);
    pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
    status = sspi_handshake(&pair);
    *ret_attributes = pair.server.attributes;
    *ret_seen = NULL;
    if (status == SEC_E_OK)
        status = QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT,
                                         ret_seen);
    if (certificate)
        CertFreeCertificateContext(certificate);
    sspi_pair_clear(&pair);
    return status;
}

static void s3_11_mutual_auth_is_granted_for_a_certificate_that_passed(void **state)
{
    PCCERT_CONTEXT seen;
    ULONG attributes;

    (void)state;
    assert_int_equal(with_client_certificate("client", &attributes, &seen), SEC_E_OK);
    assert_true(attributes & ASC_RET_MUTUAL_AUTH);
    CertFreeCertificateContext(seen);
    assert_int_equal(with_client_certificate(NULL, &attributes, &seen), SEC_E_NO_CREDENTIALS);
    assert_false(attributes & ASC_RET_MUTUAL_AUTH);
    assert_true(with_client_certificate("serveronly", &attributes, &seen) < 0);
    assert_false(attributes & ASC_RET_MUTUAL_AUTH);
    assert_true(with_client_certificate("selfsigned", &attributes, &seen) < 0);
}

/* ---- ALPN ---- */

static SECURITY_STATUS negotiate(const char *client, ULONG client_size, const char *server,
                                 ULONG server_size, SecPkgContext_ApplicationProtocol *ret_chosen)
{
    static struct sspi_pair pair;
    SECURITY_STATUS status;

    sspi_pair_init(&pair, 0, "server");
    pair.client.alpn = client;
    pair.client.alpn_size = client_size;
    pair.server.alpn = server;
    pair.server.alpn_size = server_size;
    status = sspi_handshake(&pair);
    if (status == SEC_E_OK)
        assert_int_equal(QueryContextAttributesA(&pair.client.context,
                                                 SECPKG_ATTR_APPLICATION_PROTOCOL, ret_chosen),
                         SEC_E_OK);
    sspi_pair_clear(&pair);
    return status;
}

static void s3_11_application_protocols(void **state)
{
    static const char two[] = "\x12\0\0\0\x02\0\0\0\x0C\0\x08http/1.1\x02h2";
    static const char h2[] = "\x09\0\0\0\x02\0\0\0\x03\0\x02h2";
    static const char h3[] = "\x09\0\0\0\x02\0\0\0\x03\0\x02h3";
    static const char bad[] = "\x09\0\0\0\x02\0\0\0\x03\0\x03h2";
    SecPkgContext_ApplicationProtocol chosen;

    (void)state;
    assert_int_equal(negotiate(two, sizeof(two) - 1, h2, sizeof(h2) - 1, &chosen), SEC_E_OK);
    assert_int_equal(chosen.ProtoNegoStatus, SecApplicationProtocolNegotiationStatus_Success);
    assert_int_equal(chosen.ProtocolIdSize, 2);
    assert_memory_equal(chosen.ProtocolId, "h2", 2);
    assert_int_equal(negotiate(two, sizeof(two) - 1, NULL, 0, &chosen), SEC_E_OK);
    assert_int_equal(chosen.ProtoNegoStatus, SecApplicationProtocolNegotiationStatus_None);
    assert_int_equal(negotiate(two, sizeof(two) - 1, h3, sizeof(h3) - 1, &chosen),
                     SEC_E_APPLICATION_PROTOCOL_MISMATCH);
    assert_int_equal(negotiate(bad, sizeof(bad) - 1, h2, sizeof(h2) - 1, &chosen),
                     SEC_E_INVALID_TOKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s2_2_uses_and_missing_auth_data),
        cmocka_unit_test(s2_2_certificates_need_keys),
        cmocka_unit_test(s3_2_flags_that_cannot_be_honoured_are_refused),
        cmocka_unit_test(s3_2_revocation_asked_for_is_not_skipped),
        cmocka_unit_test(s3_2_disabled_group_is_not_negotiated),
        cmocka_unit_test(s2_8_attributes_tell_what_was_settled),
        cmocka_unit_test(s3_8_sessions_resume_for_the_same_credential_and_name),
        cmocka_unit_test(s3_8_session_token_keeps_a_session_from_being_resumed),
        cmocka_unit_test(unverified_session_never_serves_a_client_that_verifies),
        cmocka_unit_test(s3_11_mutual_auth_is_granted_for_a_certificate_that_passed),
        cmocka_unit_test(s3_11_application_protocols),
    };

    return cmocka_run_group_tests(tests, peer_set_up, NULL);
}
