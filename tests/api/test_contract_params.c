/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: what SCH_CREDENTIALS switches off, and what SCHANNEL_CRED allows, as seen in the
 * connection that comes of it: protocol, suite, group. The idioms are those of real callers.
 */
#include <opensspi.h>
#include <string.h>

#include "support/tls_peer.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define LITERAL(text) \
    (UNICODE_STRING) \
    { \
        .Length = sizeof(text), .MaximumLength = sizeof(text), .Buffer = (PWSTR)(text) \
    }

/* With their NUL counted, as one well-known caller has it. */
static WCHAR aes[] = {'A', 'E', 'S', 0}, sha256[] = {'S', 'H', 'A', '2', '5', '6', 0},
             sha384[] = {'S', 'H', 'A', '3', '8', '4', 0},
             chacha[] = {'C', 'H', 'A', 'C', 'H', 'A', '2', '0', '_',
                         'P', 'O', 'L', 'Y', '1', '3', '0', '5', 0},
             gcm[] = {'C', 'h', 'a', 'i', 'n', 'i', 'n', 'g', 'M', 'o', 'd', 'e', 'G', 'C', 'M', 0},
             rsa[] = {'R', 'S', 'A', 0}, ecdsa[] = {'E', 'C', 'D', 'S', 'A', 0},
             unknown[] = {'R', 'O', 'T', '1', '3', 0};

/* A connection whose client was acquired with these settings. */
static SECURITY_STATUS connect_with(const struct peer_form *form, TLS_PARAMETERS *parameters,
                                    SecPkgContext_CipherInfo *ret_info)
{
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION,
                            .cTlsParameters = parameters ? 1 : 0,
                            .pTlsParameters = parameters};
    struct peer_pair pair;
    SECURITY_STATUS status;

    peer_open(&pair, form, NULL);
    peer_end_free(&pair.client);
    status = form->acquire((LPSTR)UNISP_NAME_A, SECPKG_CRED_OUTBOUND, &auth,
                           &pair.client.credential, &pair.client.expiry);
    pair.client.has_credential = status == SEC_E_OK;
    if (status == SEC_E_OK)
        status = peer_handshake(&pair);
    *ret_info = (SecPkgContext_CipherInfo){.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1};
    if (status == SEC_E_OK) {
        assert_int_equal(
            QueryContextAttributesW(&pair.client.context, SECPKG_ATTR_CIPHER_INFO, ret_info),
            SEC_E_OK);
        peer_established(&pair.client);
        peer_established(&pair.server);
        peer_exchange(&pair);
    }
    peer_close(&pair);
    return status;
}

static void default_is_tls13_with_either_structure(const struct peer_form *form)
{
    SecPkgContext_CipherInfo info;
    struct peer_pair pair;
    SecPkgContext_ConnectionInfo connection;

    assert_int_equal(connect_with(form, NULL, &info), SEC_E_OK);
    assert_int_equal(info.dwProtocol, 0x0304);
    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    assert_int_equal(
        QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_CONNECTION_INFO, &connection),
        SEC_E_OK);
    assert_true(connection.dwProtocol == SP_PROT_TLS1_3_CLIENT ||
                connection.dwProtocol == SP_PROT_TLS1_2_CLIENT);
    peer_close(&pair);
}

static void s3_2_protocols_are_switched_off(const struct peer_form *form)
{
    static const struct {
        DWORD off;
        DWORD version;
        SECURITY_STATUS status;
    } rows[] = {
        {~(DWORD)SP_PROT_TLS1_3_CLIENT, 0x0304, SEC_E_OK},
        {~(DWORD)SP_PROT_TLS1_2_CLIENT, 0x0303, SEC_E_OK},
        {SP_PROT_TLS1_3_CLIENT, 0x0303, SEC_E_OK},
        {SP_PROT_TLS1_3_SERVER, 0x0304, SEC_E_OK}, /* not our side */
        {0xFFFFFFFF, 0, SEC_E_ALGORITHM_MISMATCH},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        TLS_PARAMETERS parameters = {.grbitDisabledProtocols = rows[i].off};
        SecPkgContext_CipherInfo info;

        assert_int_equal(connect_with(form, &parameters, &info), rows[i].status);
        assert_int_equal(info.dwProtocol, rows[i].version);
    }
}

/* Key sizes outside of what stays allowed, and the digests that go with them. */
static void s3_2_suites_are_switched_off(const struct peer_form *form)
{
    CRYPTO_SETTINGS no_256[] = {
        {TlsParametersCngAlgUsageCipher, LITERAL(aes), 0, NULL, 128, 128},
        {TlsParametersCngAlgUsageDigest, LITERAL(sha384), 0, NULL, 0, 0},
        {TlsParametersCngAlgUsageCipher, LITERAL(chacha), 0, NULL, 0, 0},
    };
    CRYPTO_SETTINGS no_128[] = {
        {TlsParametersCngAlgUsageCipher, LITERAL(aes), 0, NULL, 256, 256},
        {TlsParametersCngAlgUsageDigest, LITERAL(sha256), 0, NULL, 0, 0},
    };
    UNICODE_STRING modes[] = {LITERAL(gcm)};
    CRYPTO_SETTINGS only_chacha[] = {
        {TlsParametersCngAlgUsageCipher, LITERAL(aes), 1, modes, 0, 0},
    };
    CRYPTO_SETTINGS nothing_known[] = {
        {TlsParametersCngAlgUsageCipher, LITERAL(unknown), 0, NULL, 0, 0},
    };
    const struct {
        CRYPTO_SETTINGS *settings;
        DWORD count, suite;
    } rows[] = {
        {no_256, 3, 0x1301}, {no_128, 2, 0x1302}, {only_chacha, 1, 0x1303}, {nothing_known, 1, 0}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        TLS_PARAMETERS parameters = {
            .grbitDisabledProtocols = ~(DWORD)SP_PROT_TLS1_3_CLIENT,
            .cDisabledCrypto = rows[i].count,
            .pDisabledCrypto = rows[i].settings,
        };
        SecPkgContext_CipherInfo info;

        assert_int_equal(connect_with(form, &parameters, &info), SEC_E_OK);
        assert_int_equal(info.dwProtocol, 0x0304);
        if (rows[i].suite != 0)
            assert_int_equal(info.dwCipherSuite, rows[i].suite);
    }
}

static void nothing_left_is_told_at_once(const struct peer_form *form)
{
    CRYPTO_SETTINGS all[] = {
        {TlsParametersCngAlgUsageCipher, LITERAL(aes), 0, NULL, 0, 0},
        {TlsParametersCngAlgUsageCipher, LITERAL(chacha), 0, NULL, 0, 0},
    };
    TLS_PARAMETERS parameters = {.grbitDisabledProtocols = ~(DWORD)SP_PROT_TLS1_3_CLIENT,
                                 .cDisabledCrypto = 2,
                                 .pDisabledCrypto = all};
    SecPkgContext_CipherInfo info;

    assert_int_equal(connect_with(form, &parameters, &info), SEC_E_ALGORITHM_MISMATCH);
}

/* ---- no common ground ---- */

static void no_common_protocol(const struct peer_form *form)
{
    for (int by_version_5 = 0; by_version_5 < 2; by_version_5++) {
        struct peer_pair pair;
        SECURITY_STATUS status;

        peer_end_init(&pair.client, form, false);
        peer_end_init(&pair.server, form, true);
        assert_int_equal(
            peer_end_acquire(&pair.client, SP_PROT_TLS1_2_CLIENT, 0, NULL, by_version_5 != 0),
            SEC_E_OK);
        assert_int_equal(
            peer_end_acquire(&pair.server, SP_PROT_TLS1_3_SERVER, 0, "server", by_version_5 != 0),
            SEC_E_OK);
        assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        assert_int_equal(peer_step(&pair.server, &pair.client), SEC_E_ALGORITHM_MISMATCH);
        assert_int_equal(pair.client.in.len, 7);
        assert_int_equal(pair.client.in.bytes[6], TLS1_ALERT_PROTOCOL_VERSION);
        status = peer_step(&pair.client, &pair.server);
        assert_true(status == SEC_E_ALGORITHM_MISMATCH || status == SEC_E_ILLEGAL_MESSAGE);
        peer_close(&pair);
    }
}

/* A server that was given no certificate has nothing to offer. */
static void s2_2_server_without_certificate_fails_in_the_handshake(const struct peer_form *form)
{
    static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

    for (size_t p = 0; p < 2; p++) {
        struct peer_pair pair;
        SECURITY_STATUS status;

        peer_end_init(&pair.client, form, false);
        peer_end_init(&pair.server, form, true);
        assert_int_equal(peer_end_acquire(&pair.client, protocols[p], 0, NULL, false), SEC_E_OK);
        assert_int_equal(peer_end_acquire(&pair.server, 0, 0, NULL, false), SEC_E_OK);
        assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
        status = peer_step(&pair.server, &pair.client);
        assert_true(status == SEC_E_ALGORITHM_MISMATCH || status == SEC_E_NO_CREDENTIALS);
        assert_false(pair.server.has_context);
        if (pair.client.in.len > 0)
            assert_int_equal(pair.client.in.bytes[6], TLS1_ALERT_HANDSHAKE_FAILURE);
        peer_close(&pair);
    }
}

/* ---- what a credential tells ---- */

static void s2_8_credential_attributes(const struct peer_form *form)
{
    struct peer_end client;
    SecPkgCred_SupportedProtocols protocols;
    SecPkgCred_CipherStrengths strengths;
    SecPkgCred_SupportedAlgs algorithms;

    peer_end_init(&client, form, false);
    assert_int_equal(peer_end_acquire(&client, SP_PROT_TLS1_2_CLIENT, 0, NULL, false), SEC_E_OK);
    assert_int_equal(QueryCredentialsAttributesA(&client.credential,
                                                 SECPKG_ATTR_SUPPORTED_PROTOCOLS, &protocols),
                     SEC_E_OK);
    assert_int_equal(protocols.grbitProtocol, SP_PROT_TLS1_2_CLIENT);
    assert_int_equal(
        QueryCredentialsAttributesW(&client.credential, SECPKG_ATTR_CIPHER_STRENGTHS, &strengths),
        SEC_E_OK);
    assert_true(strengths.dwMinimumCipherStrength >= 112);
    assert_int_equal(strengths.dwMaximumCipherStrength, 256);
    assert_int_equal(QueryCredentialsAttributesExA(&client.credential, SECPKG_ATTR_SUPPORTED_ALGS,
                                                   &algorithms, sizeof(algorithms)),
                     SEC_E_OK);
    assert_true(algorithms.cSupportedAlgs > 0);
    assert_int_equal(FreeContextBuffer(algorithms.palgSupportedAlgs), SEC_E_OK);
    peer_end_free(&client);
}

/* A server with both kinds of key presents the one whose signature the client takes. */
static void s3_2_signatures_are_switched_off(const struct peer_form *form)
{
    static const DWORD versions[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};
    CRYPTO_SETTINGS off = {TlsParametersCngAlgUsageSignature, LITERAL(rsa), 0, NULL, 0, 0};
    PCCERT_CONTEXT certificates[] = {peer_certificate("server"), peer_certificate("server-rsa")};
    SCH_CREDENTIALS serving = {
        .dwVersion = SCH_CREDENTIALS_VERSION, .cCreds = 2, .paCred = certificates};

    for (size_t i = 0; i < 4; i++) {
        TLS_PARAMETERS parameters = {.grbitDisabledProtocols = ~versions[i / 2],
                                     .cDisabledCrypto = 1,
                                     .pDisabledCrypto = &off};
        SCH_CREDENTIALS asking = {.dwVersion = SCH_CREDENTIALS_VERSION,
                                  .cTlsParameters = 1,
                                  .pTlsParameters = &parameters};
        PCCERT_CONTEXT seen = NULL;
        struct peer_pair pair;

        off.strCngAlgId = i % 2 ? LITERAL(rsa) : LITERAL(ecdsa);
        peer_open(&pair, form, NULL);
        peer_end_free(&pair.client);
        peer_end_free(&pair.server);
        assert_int_equal(form->acquire((LPSTR)UNISP_NAME_A, SECPKG_CRED_OUTBOUND, &asking,
                                       &pair.client.credential, NULL),
                         SEC_E_OK);
        assert_int_equal(form->acquire((LPSTR)UNISP_NAME_A, SECPKG_CRED_INBOUND, &serving,
                                       &pair.server.credential, NULL),
                         SEC_E_OK);
        pair.client.has_credential = pair.server.has_credential = true;
        peer_connect(&pair);
        assert_int_equal(
            QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &seen),
            SEC_E_OK);
        assert_int_equal(seen->cbCertEncoded, certificates[i % 2 ? 0 : 1]->cbCertEncoded);
        CertFreeCertificateContext(seen);
        peer_close(&pair);
    }
    CertFreeCertificateContext(certificates[0]);
    CertFreeCertificateContext(certificates[1]);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_2_signatures_are_switched_off),
        PEER_CASE(default_is_tls13_with_either_structure),
        PEER_CASE(s3_2_protocols_are_switched_off),
        PEER_CASE(s3_2_suites_are_switched_off),
        PEER_CASE(nothing_left_is_told_at_once),
        PEER_CASE(no_common_protocol),
        PEER_CASE(s2_2_server_without_certificate_fails_in_the_handshake),
        PEER_CASE(s2_8_credential_attributes),
    };

    return peer_run_cases("contract.params", cases, COUNT_OF(cases));
}
