/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: TLS_PARAMETERS of a server that hold for some connections only: those that agree on an
 * application protocol, and those that can go on (TLS_PARAMS_OPTIONAL).
 */
#include <opensspi.h>
#include <string.h>

#include "support/tls_shown.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static WCHAR h2[] = {'h', '2', 0}, h3[] = {'h', '3', 0}, http[] = {'h', 't', 't', 'p', 0},
             aes[] = {'A', 'E', 'S', 0},
             ecdh[] = {'c', 'u', 'r', 'v', 'e', '2', '5', '5', '1', '9', 0};
static const char alpn_h2[] = "\x09\0\0\0\x02\0\0\0\x03\0\x02h2";
static const char alpn_h3[] = "\x09\0\0\0\x02\0\0\0\x03\0\x02h3";
static const char alpn_both[] = "\x0C\0\0\0\x02\0\0\0\x06\0\x02h2\x02h3";

/* With its NUL counted, and one byte too many: half a unit is nobody's. */
static UNICODE_STRING counted(WCHAR *text, size_t size, bool odd)
{
    return (UNICODE_STRING){(USHORT)(size + odd), (USHORT)(size + odd), text};
}
#define TEXT(array) counted(array, sizeof(array), false)

struct asked {
    DWORD client_protocols;
    const char *alpn;
    ULONG alpn_size;
};

static SECURITY_STATUS connect_under(const struct peer_form *form, TLS_PARAMETERS *parameters,
                                     DWORD count, const struct asked *asked,
                                     SecPkgContext_CipherInfo *ret_info)
{
    PCCERT_CONTEXT certificate = peer_certificate("server");
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION,
                            .cCreds = 1,
                            .paCred = &certificate,
                            .cTlsParameters = count,
                            .pTlsParameters = parameters};
    const struct peer_setup setup = {.protocols = asked->client_protocols};
    struct peer_pair pair;
    SECURITY_STATUS status;

    SslEmptyCacheA(NULL, 0);
    peer_open(&pair, form, &setup);
    peer_end_free(&pair.server);
    assert_int_equal(shown_acquire(form, NULL, SECPKG_CRED_INBOUND, &auth, &pair.server.credential),
                     SEC_E_OK);
    pair.server.has_credential = true;
    pair.client.alpn = asked->alpn;
    pair.client.alpn_size = asked->alpn_size;
    pair.server.alpn = alpn_both;
    pair.server.alpn_size = sizeof(alpn_both) - 1;
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
    CertFreeCertificateContext(certificate);
    return status;
}

static const struct asked for_h2 = {0, alpn_h2, sizeof(alpn_h2) - 1};
static const struct asked for_h3 = {0, alpn_h3, sizeof(alpn_h3) - 1};
static const struct asked for_nothing = {0, NULL, 0};
static const struct asked old_for_h2 = {SP_PROT_TLS1_2_CLIENT, alpn_h2, sizeof(alpn_h2) - 1};
static const struct asked old_for_h3 = {SP_PROT_TLS1_2_CLIENT, alpn_h3, sizeof(alpn_h3) - 1};

static void s3_2_entry_governs_connections_that_agree_on_its_protocols(const struct peer_form *form)
{
    UNICODE_STRING ids[] = {TEXT(http), counted(h2, sizeof(h2), true), {0}};
    TLS_PARAMETERS entries[] = {
        {.cAlpnIds = 3, .rgstrAlpnIds = ids, .grbitDisabledProtocols = SP_PROT_TLS1_3_SERVER},
    };
    SecPkgContext_CipherInfo info;

    assert_int_equal(connect_under(form, entries, 1, &for_h2, &info), SEC_E_OK);
    assert_int_equal(info.dwProtocol, 0x0303);
    assert_int_equal(connect_under(form, entries, 1, &for_h3, &info), SEC_E_OK);
    assert_int_equal(info.dwProtocol, 0x0304);
    assert_int_equal(connect_under(form, entries, 1, &for_nothing, &info), SEC_E_OK);
    assert_int_equal(info.dwProtocol, 0x0304);
}

static void s3_2_entries_add_up(const struct peer_form *form)
{
    UNICODE_STRING id_h2 = TEXT(h2), id_h3 = TEXT(h3);
    CRYPTO_SETTINGS no_256 = {TlsParametersCngAlgUsageCipher, TEXT(aes), 0, NULL, 128, 128};
    CRYPTO_SETTINGS no_x25519 = {TlsParametersCngAlgUsageKeyExchange, TEXT(ecdh), 0, NULL, 0, 0};
    TLS_PARAMETERS entries[] = {
        {.cDisabledCrypto = 1, .pDisabledCrypto = &no_x25519}, /* for all */
        {.cAlpnIds = 1, .rgstrAlpnIds = &id_h2, .cDisabledCrypto = 1, .pDisabledCrypto = &no_256},
        {.cAlpnIds = 1, .rgstrAlpnIds = &id_h3, .grbitDisabledProtocols = SP_PROT_TLS1_2_SERVER},
        {.cAlpnIds = 1, .rgstrAlpnIds = &id_h2, .grbitDisabledProtocols = SP_PROT_TLS1_3_SERVER},
    };
    SecPkgContext_CipherInfo info;

    assert_int_equal(connect_under(form, entries, 4, &for_h2, &info), SEC_E_OK);
    assert_int_equal(info.dwProtocol, 0x0303);
    assert_int_equal(info.dwCipherLen, 128);
    assert_int_equal(info.dwKeyType, 23);
    assert_int_equal(connect_under(form, entries, 4, &for_h3, &info), SEC_E_OK);
    assert_int_equal(info.dwProtocol, 0x0304);
    assert_int_equal(info.dwCipherLen, 256);
    assert_int_equal(info.dwKeyType, 23);
    assert_int_equal(connect_under(form, entries, 4, &old_for_h3, &info), SEC_E_ALGORITHM_MISMATCH);
    assert_int_equal(connect_under(form, entries, 4, &old_for_h2, &info), SEC_E_OK);
}

static void s3_2_optional_entry_gives_way_to_a_handshake(const struct peer_form *form)
{
    UNICODE_STRING id = TEXT(h2);
    TLS_PARAMETERS entries[] = {
        {.grbitDisabledProtocols = SP_PROT_TLS1_2_SERVER, .dwFlags = TLS_PARAMS_OPTIONAL},
        {.cAlpnIds = 1,
         .rgstrAlpnIds = &id,
         .grbitDisabledProtocols = SP_PROT_TLS1_3_SERVER,
         .dwFlags = TLS_PARAMS_OPTIONAL},
    };
    const struct asked old = {SP_PROT_TLS1_2_CLIENT, NULL, 0};
    const struct asked new_for_h2 = {SP_PROT_TLS1_3_CLIENT, alpn_h2, sizeof(alpn_h2) - 1};
    SecPkgContext_CipherInfo info;

    assert_int_equal(connect_under(form, entries, 1, &for_nothing, &info), SEC_E_OK);
    assert_int_equal(info.dwProtocol, 0x0304);
    assert_int_equal(connect_under(form, entries, 1, &old, &info), SEC_E_OK);
    assert_int_equal(info.dwProtocol, 0x0303);
    assert_int_equal(connect_under(form, entries + 1, 1, &for_h2, &info), SEC_E_OK);
    assert_int_equal(info.dwProtocol, 0x0303);
    assert_int_equal(connect_under(form, entries + 1, 1, &new_for_h2, &info), SEC_E_OK);
    assert_int_equal(info.dwProtocol, 0x0304);
    entries[0].dwFlags = 0;
    assert_int_equal(connect_under(form, entries, 1, &old, &info), SEC_E_ALGORITHM_MISMATCH);
}

static void s3_2_optional_suites_give_way_too(const struct peer_form *form)
{
    CRYPTO_SETTINGS no_128 = {TlsParametersCngAlgUsageCipher, TEXT(aes), 0, NULL, 256, 256};
    TLS_PARAMETERS entry = {
        .cDisabledCrypto = 1, .pDisabledCrypto = &no_128, .dwFlags = TLS_PARAMS_OPTIONAL};
    const struct asked old = {SP_PROT_TLS1_2_CLIENT, NULL, 0};
    SecPkgContext_CipherInfo info;

    assert_int_equal(connect_under(form, &entry, 1, &for_nothing, &info), SEC_E_OK);
    assert_int_equal(info.dwCipherLen, 256);
    assert_int_equal(connect_under(form, &entry, 1, &old, &info), SEC_E_OK);
    assert_int_equal(info.dwCipherLen, 256);
}

static void s3_2_session_does_not_outlive_its_restrictions(const struct peer_form *form)
{
    UNICODE_STRING id = TEXT(h3);
    CRYPTO_SETTINGS no_256 = {TlsParametersCngAlgUsageCipher, TEXT(aes), 0, NULL, 128, 128};
    TLS_PARAMETERS entry = {
        .cAlpnIds = 1, .rgstrAlpnIds = &id, .cDisabledCrypto = 1, .pDisabledCrypto = &no_256};
    PCCERT_CONTEXT certificate = peer_certificate("server");
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION,
                            .cCreds = 1,
                            .paCred = &certificate,
                            .cTlsParameters = 1,
                            .pTlsParameters = &entry};
    const struct peer_setup setup = {.protocols = SP_PROT_TLS1_2_CLIENT};
    struct peer_pair pair;

    SslEmptyCacheA(NULL, 0);
    peer_open(&pair, form, &setup);
    peer_end_free(&pair.server);
    assert_int_equal(shown_acquire(form, NULL, SECPKG_CRED_INBOUND, &auth, &pair.server.credential),
                     SEC_E_OK);
    pair.server.has_credential = true;
    pair.server.alpn = alpn_both;
    pair.server.alpn_size = sizeof(alpn_both) - 1;
    assert_false(shown_connect_resumes(&pair));
    assert_true(shown_connect_resumes(&pair));
    pair.client.alpn = alpn_h3; /* the session's suite is not for h3 */
    pair.client.alpn_size = sizeof(alpn_h3) - 1;
    assert_false(shown_connect_resumes(&pair));
    assert_true(shown_connect_resumes(&pair));
    peer_close(&pair);
    CertFreeCertificateContext(certificate);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_2_entry_governs_connections_that_agree_on_its_protocols),
        PEER_CASE(s3_2_entries_add_up),
        PEER_CASE(s3_2_optional_entry_gives_way_to_a_handshake),
        PEER_CASE(s3_2_optional_suites_give_way_too),
        PEER_CASE(s3_2_session_does_not_outlive_its_restrictions),
    };

    return peer_run_cases("contract.entries", cases, sizeof(cases) / sizeof(cases[0]));
}
