/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: what an established context tells by the attributes that are not about the suite, and
 * what can be left with it. Others are in test_contract_attributes.c and test_contract_suites.c.
 */
#include <openssl/kdf.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <opensspi.h>
#include <stdlib.h>
#include <string.h>

#include "support/tls_raw.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

struct world {
    struct raw_peer raw; /* the other side */
    struct peer_end end;
};

static void open_world(struct world *world, const struct peer_form *form, bool serve, int version)
{
    raw_connect(&world->raw, &world->end, form, serve, version, "server");
    raw_exchange(&world->raw, &world->end);
}

static void close_world(struct world *world)
{
    peer_end_free(&world->end);
    raw_close(&world->raw);
}

static SECURITY_STATUS query(struct peer_end *end, ULONG attribute, void *buffer)
{
    return QueryContextAttributesA(&end->context, attribute, buffer);
}

static bool same_text(const WCHAR *wide, const char *narrow)
{
    while (*narrow && *wide == (WCHAR)(unsigned char)*narrow) {
        wide++;
        narrow++;
    }
    return *wide == 0 && *narrow == '\0';
}

/* ---- names ---- */

/* What CertGetNameString says of the file. */
static char *name_of(const char *file, DWORD flags)
{
    PCCERT_CONTEXT certificate = peer_certificate(file);
    DWORD x500 = CERT_X500_NAME_STR;
    DWORD size = CertGetNameStringA(certificate, CERT_NAME_RDN_TYPE, flags, &x500, NULL, 0);
    char *name = malloc(size);

    assert_non_null(name);
    assert_true(size > 4);
    CertGetNameStringA(certificate, CERT_NAME_RDN_TYPE, flags, &x500, name, size);
    CertFreeCertificateContext(certificate);
    return name;
}

static void s3_6_names_are_the_peers(const struct peer_form *form)
{
    char *subject = name_of("server", 0), *issuer = name_of("server", CERT_NAME_ISSUER_FLAG);
    SecPkgContext_NamesA names;
    SecPkgContext_NamesW wide;
    SecPkgContext_AuthorityA authority;
    SecPkgContext_AuthorityW wide_authority;
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    assert_int_equal(query(&pair.client, SECPKG_ATTR_NAMES, &names), SEC_E_OK);
    assert_string_equal(names.sUserName, subject);
    assert_int_equal(QueryContextAttributesW(&pair.client.context, SECPKG_ATTR_NAMES, &wide),
                     SEC_E_OK);
    assert_true(same_text(wide.sUserName, subject));
    assert_int_equal(query(&pair.client, SECPKG_ATTR_AUTHORITY, &authority), SEC_E_OK);
    assert_string_equal(authority.sAuthorityName, issuer);
    assert_int_equal(QueryContextAttributesExW(&pair.client.context, SECPKG_ATTR_AUTHORITY,
                                               &wide_authority, sizeof(wide_authority)),
                     SEC_E_OK);
    assert_true(same_text(wide_authority.sAuthorityName, issuer));
    assert_int_equal(query(&pair.server, SECPKG_ATTR_NAMES, &names), SEC_E_NO_CREDENTIALS);
    assert_int_equal(query(&pair.server, SECPKG_ATTR_AUTHORITY, &authority), SEC_E_NO_CREDENTIALS);
    FreeContextBuffer(wide.sUserName);
    FreeContextBuffer(wide_authority.sAuthorityName);
    peer_close(&pair);
    /* (what the failed queries have left is what was there) */
    FreeContextBuffer(names.sUserName);
    FreeContextBuffer(authority.sAuthorityName);
    free(subject);
    free(issuer);
}

static void s3_6_protocol_has_a_name(const struct peer_form *form)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        SecPkgContext_ProtoInfoA info;
        SecPkgContext_ProtoInfoW wide;
        struct world world;

        open_world(&world, form, false, versions[i]);
        assert_int_equal(query(&world.end, SECPKG_ATTR_PROTO_INFO, &info), SEC_E_OK);
        assert_string_equal(info.sProtocolName, "TLS");
        assert_int_equal(info.majorVersion, 1);
        assert_int_equal(info.minorVersion, i == 0 ? 3 : 2);
        assert_int_equal(QueryContextAttributesW(&world.end.context, SECPKG_ATTR_PROTO_INFO, &wide),
                         SEC_E_OK);
        assert_true(same_text(wide.sProtocolName, "TLS"));
        FreeContextBuffer(info.sProtocolName);
        FreeContextBuffer(wide.sProtocolName);
        close_world(&world);
    }
}

static void s3_6_target_is_the_clients(const struct peer_form *form)
{
    SecPkgContext_TargetInformation target;
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    pair.client.target = "SERVER.test";
    peer_connect(&pair);
    assert_int_equal(query(&pair.client, SECPKG_ATTR_TARGET_INFORMATION, &target), SEC_E_OK);
    assert_int_equal(target.MarshalledTargetInfoLength, strlen("server.test"));
    assert_memory_equal(target.MarshalledTargetInfo, "server.test", strlen("server.test"));
    FreeContextBuffer(target.MarshalledTargetInfo);
    assert_int_equal(query(&pair.server, SECPKG_ATTR_TARGET_INFORMATION, &target),
                     SEC_E_UNSUPPORTED_FUNCTION);
    peer_close(&pair);
    peer_open(&pair, form, &(struct peer_setup){.client_flags = SCH_CRED_MANUAL_CRED_VALIDATION});
    pair.client.target = NULL;
    peer_connect(&pair);
    assert_int_equal(query(&pair.client, SECPKG_ATTR_TARGET_INFORMATION, &target),
                     SEC_E_TARGET_UNKNOWN);
    peer_close(&pair);
}

static void s3_6_local_certificate_has_names(const struct peer_form *form)
{
    static const struct {
        const char *file;
        DWORD bits;
    } files[] = {{"server", 256}, {"server-rsa", 2048}};

    for (size_t i = 0; i < COUNT(files); i++) {
        char *subject = name_of(files[i].file, 0);
        char *issuer = name_of(files[i].file, CERT_NAME_ISSUER_FLAG);
        SecPkgContext_CertInfo info;
        struct peer_pair pair;

        peer_open(&pair, form, &(struct peer_setup){.certificate = files[i].file});
        peer_connect(&pair);
        assert_int_equal(query(&pair.server, SECPKG_ATTR_LOCAL_CERT_INFO, &info), SEC_E_OK);
        assert_int_equal(info.dwVersion, KERN_CONTEXT_CERT_INFO_V1);
        assert_true(same_text(info.pwszSubjectName, subject));
        assert_true(same_text(info.pwszIssuerName, issuer));
        assert_int_equal(info.cbSubjectName, strlen(subject) * 2);
        assert_int_equal(info.cbIssuerName, strlen(issuer) * 2);
        assert_int_equal(info.dwKeySize, files[i].bits);
        FreeContextBuffer(info.pwszSubjectName);
        FreeContextBuffer(info.pwszIssuerName);
        assert_int_equal(query(&pair.client, SECPKG_ATTR_LOCAL_CERT_INFO, &info),
                         SEC_E_NO_CREDENTIALS);
        peer_close(&pair);
        free(subject);
        free(issuer);
    }
}

/* ---- certificates ---- */

static void s3_6_chain_is_built(const struct peer_form *form)
{
    PCCERT_CHAIN_CONTEXT chain = NULL;
    PCCERT_CONTEXT file = peer_certificate("server");
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    assert_int_equal(query(&pair.client, SECPKG_ATTR_REMOTE_CERT_CHAIN, &chain), SEC_E_OK);
    assert_int_equal(query(&pair.server, SECPKG_ATTR_REMOTE_CERT_CHAIN, &chain),
                     SEC_E_NO_CREDENTIALS);
    peer_close(&pair);
    assert_int_equal(chain->TrustStatus.dwErrorStatus, CERT_TRUST_NO_ERROR);
    assert_int_equal(chain->cChain, 1);
    assert_int_equal(chain->rgpChain[0]->cElement, 3); /* the root is the system's */
    assert_memory_equal(chain->rgpChain[0]->rgpElement[0]->pCertContext->pbCertEncoded,
                        file->pbCertEncoded, file->cbCertEncoded);
    CertFreeCertificateChain(chain);
    CertFreeCertificateContext(file);
}

static uint32_t number_at(const BYTE *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Read by the published layout of a serialized store; against REMOTE_CERTIFICATES. */
static void s3_6_serialized_chain_can_be_read(const struct peer_form *form)
{
    static const ULONG both[] = {SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT,
                                 SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT_INPROC};
    SecPkgContext_Certificates list;
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    assert_int_equal(query(&pair.client, SECPKG_ATTR_REMOTE_CERTIFICATES, &list), SEC_E_OK);
    for (size_t i = 0; i < COUNT(both); i++) {
        CERT_BLOB blob;
        const BYTE *at, *other = list.pbCertificateChain;

        assert_int_equal(query(&pair.server, both[i], &blob), SEC_E_NO_CREDENTIALS);
        assert_int_equal(query(&pair.client, both[i], &blob), SEC_E_OK);
        assert_int_equal(blob.cbData, 8 + list.cCertificates * 8 + list.cbCertificateChain + 12);
        assert_int_equal(number_at(blob.pbData), 0);
        assert_memory_equal(blob.pbData + 4, "CERT", 4);
        at = blob.pbData + 8;
        for (DWORD j = 0; j < list.cCertificates; j++) {
            uint32_t len;

            memcpy(&len, other, 4);
            assert_int_equal(number_at(at), 32);
            assert_int_equal(number_at(at + 4), X509_ASN_ENCODING);
            assert_int_equal(number_at(at + 8), len);
            assert_memory_equal(at + 12, other + 4, len);
            at += 12 + len;
            other += 4 + len;
        }
        assert_memory_equal(at, "\0\0\0\0\0\0\0\0\0\0\0", 12);
        FreeContextBuffer(blob.pbData);
    }
    FreeContextBuffer(list.pbCertificateChain);
    peer_close(&pair);
}

/* ---- numbers of the wire ---- */

static bool has_extension(struct peer_end *end, USHORT type)
{
    SecPkgContext_NegotiatedTlsExtensions list;
    bool found = false;

    assert_int_equal(query(end, SECPKG_ATTR_NEGOTIATED_TLS_EXTENSIONS, &list), SEC_E_OK);
    for (ULONG i = 0; i < list.ExtensionsCount; i++) {
        found = found || list.Extensions[i] == type;
        assert_true(i == 0 || list.Extensions[i] > list.Extensions[i - 1]);
    }
    assert_int_equal(FreeContextBuffer(list.Extensions), SEC_E_OK);
    return found;
}

/* The same on both sides, since both read the server's messages. */
static void s3_6_extensions_are_those_of_the_server(const struct peer_form *form)
{
    static const uint8_t alpn[] = {9, 0, 0, 0, 2, 0, 0, 0, 3, 0, 2, 'h', '2'};
    static const struct {
        DWORD protocol;
        USHORT there[4], absent[4];
    } rows[] = {
        {SP_PROT_TLS1_3_CLIENT, {43, 51, 16, 16}, {23, 0xFF01, 14, 41}},
        {SP_PROT_TLS1_2_CLIENT, {23, 0xFF01, 16, 16}, {43, 51, 14, 22}},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer_pair pair;

        peer_open(&pair, form, &(struct peer_setup){.protocols = rows[i].protocol});
        pair.client.alpn = pair.server.alpn = alpn;
        pair.client.alpn_size = pair.server.alpn_size = sizeof(alpn);
        peer_connect(&pair);
        for (size_t j = 0; j < 4; j++) {
            assert_true(has_extension(&pair.client, rows[i].there[j]));
            assert_true(has_extension(&pair.server, rows[i].there[j]));
            assert_false(has_extension(&pair.client, rows[i].absent[j]));
            assert_false(has_extension(&pair.server, rows[i].absent[j]));
        }
        peer_close(&pair);
    }
}

static int add_nothing(SSL *ssl, unsigned type, unsigned where, const unsigned char **out,
                       size_t *len, X509 *x, size_t index, int *alert, void *argument)
{
    (void)ssl, (void)type, (void)where, (void)x, (void)index, (void)alert, (void)argument;
    *out = (const unsigned char *)"";
    *len = 0;
    return 1;
}

static int take_anything(SSL *ssl, unsigned type, unsigned where, const unsigned char *in,
                         size_t len, X509 *x, size_t index, int *alert, void *argument)
{
    (void)ssl, (void)type, (void)where, (void)in, (void)len, (void)x, (void)index, (void)alert;
    (void)argument;
    return 1;
}

/* A stapled answer comes with the certificate in TLS 1.3. */
static int staple(SSL *ssl, void *argument)
{
    unsigned char *answer = OPENSSL_malloc(4);

    (void)argument;
    memcpy(answer, "\x30\x02\x0a\x00", 4);
    return SSL_set_tlsext_status_ocsp_resp(ssl, answer, 4) == 1 ? SSL_TLSEXT_ERR_OK
                                                                : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void s3_6_extensions_of_the_certificate_count(const struct peer_form *form)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct world world;

        peer_end_init(&world.end, form, false);
        assert_int_equal(
            peer_end_acquire(&world.end, 0,
                             SCH_CRED_MANUAL_CRED_VALIDATION | SCH_CRED_REVOCATION_CHECK_END_CERT,
                             NULL, false),
            SEC_E_OK);
        raw_open(&world.raw, true, versions[i], "server");
        SSL_CTX_set_tlsext_status_cb(world.raw.ctx, staple);
        assert_int_equal(SSL_CTX_add_custom_ext(world.raw.ctx, 0x1234, 0, add_nothing, NULL, NULL,
                                                take_anything, NULL),
                         1);
        raw_again(&world.raw, true);
        assert_int_equal(raw_handshake(&world.raw, &world.end), SEC_E_OK);
        if (SSL_get_tlsext_status_type(world.raw.ssl) == TLSEXT_STATUSTYPE_ocsp)
            assert_true(has_extension(&world.end, 5));
        assert_false(has_extension(&world.end, 0x1234)); /* the client did not ask for it */
        close_world(&world);
    }
}

static size_t schemes(struct peer_end *end, WORD list[32])
{
    SecPkgContext_SupportedSignatures signatures;
    size_t count;

    assert_int_equal(query(end, SECPKG_ATTR_SUPPORTED_SIGNATURES, &signatures), SEC_E_OK);
    count = signatures.cSignatureAndHashAlgorithms;
    assert_in_range(count, 1, 32);
    memcpy(list, signatures.pSignatureAndHashAlgorithms, count * sizeof(*list));
    assert_int_equal(FreeContextBuffer(signatures.pSignatureAndHashAlgorithms), SEC_E_OK);
    return count;
}

static void s3_6_signatures_are_those_of_both(const struct peer_form *form)
{
    WORD list[32];

    for (size_t i = 0; i < COUNT(versions); i++) {
        struct world world;

        peer_end_init(&world.end, form, true);
        assert_int_equal(peer_end_acquire(&world.end, 0, 0, "server", false), SEC_E_OK);
        raw_open(&world.raw, false, versions[i], NULL);
        SSL_set_verify(world.raw.ssl, SSL_VERIFY_NONE, NULL);
        assert_int_equal(SSL_set1_sigalgs_list(world.raw.ssl, "ECDSA+SHA256:RSA-PSS+SHA384"), 1);
        assert_int_equal(raw_handshake(&world.raw, &world.end), SEC_E_OK);
        assert_int_equal(schemes(&world.end, list), 2);
        assert_true(list[0] == (TlsSignatureAlgorithm_Ecdsa << 8 | TlsHashAlgorithm_Sha256));
        assert_int_equal(list[1], 0x0508); /* rsa_pss_rsae_sha384 is 08 05 on the wire */
        close_world(&world);
        open_world(&world, form, false, versions[i]);
        assert_true(schemes(&world.end, list) > 4); /* nobody has limited the client's */
        assert_int_equal(list[0], TlsSignatureAlgorithm_Ecdsa << 8 | TlsHashAlgorithm_Sha256);
        close_world(&world);
    }
}

/* ---- what is left with it ---- */

static void s3_6_application_data_stay(const struct peer_form *form)
{
    uint8_t bytes[300];
    SecPkgContext_SessionAppData set = {7, sizeof(bytes), bytes}, got;
    struct peer_pair pair;
    PCtxtHandle context;

    memset(bytes, 0x5A, sizeof(bytes));
    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    context = &pair.client.context;
    assert_int_equal(query(&pair.client, SECPKG_ATTR_APP_DATA, &got), SEC_E_OK);
    assert_int_equal(got.cbAppData, 0);
    assert_null(got.pbAppData);
    assert_int_equal(SetContextAttributesA(context, SECPKG_ATTR_APP_DATA, &set, sizeof(set)),
                     SEC_E_OK);
    memset(bytes, 0, sizeof(bytes)); /* it was copied */
    assert_int_equal(query(&pair.client, SECPKG_ATTR_APP_DATA, &got), SEC_E_OK);
    assert_int_equal(got.dwFlags, 7);
    assert_int_equal(got.cbAppData, sizeof(bytes));
    memset(bytes, 0x5A, sizeof(bytes));
    assert_memory_equal(got.pbAppData, bytes, sizeof(bytes));
    FreeContextBuffer(got.pbAppData);
    set.cbAppData = 3; /* again, and shorter */
    assert_int_equal(SetContextAttributesW(context, SECPKG_ATTR_APP_DATA, &set, sizeof(set)),
                     SEC_E_OK);
    assert_int_equal(query(&pair.client, SECPKG_ATTR_APP_DATA, &got), SEC_E_OK);
    assert_int_equal(got.cbAppData, 3);
    FreeContextBuffer(got.pbAppData);
    set.cbAppData = 65537;
    assert_int_equal(SetContextAttributesA(context, SECPKG_ATTR_APP_DATA, &set, sizeof(set)),
                     SEC_E_INVALID_PARAMETER);
    set = (SecPkgContext_SessionAppData){0, 4, NULL};
    assert_int_equal(SetContextAttributesA(context, SECPKG_ATTR_APP_DATA, &set, sizeof(set)),
                     SEC_E_INVALID_PARAMETER);
    set = (SecPkgContext_SessionAppData){0};
    assert_int_equal(SetContextAttributesA(context, SECPKG_ATTR_APP_DATA, &set, sizeof(set)),
                     SEC_E_OK);
    assert_int_equal(query(&pair.client, SECPKG_ATTR_APP_DATA, &got), SEC_E_OK);
    assert_int_equal(got.cbAppData, 0);
    peer_close(&pair);
}

/* ---- from any thread ---- */

/* Sets what it has left, and reads it: it is one of those that somebody has left, whole. */
static void *set_and_get(void *argument)
{
    struct peer_end *end = argument;

    for (uint32_t i = 1; i <= TEST_ROUNDS(400); i++) {
        uint8_t bytes[64];
        SecPkgContext_SessionAppData set = {i, 1 + i % sizeof(bytes), bytes}, got;
        SecPkgContext_KeyingMaterialInfo info = {6, (LPSTR) "label", 0, NULL, 16 + i % 32};
        SecPkgContext_KeyingMaterial material;
        SecPkgContext_NamesA names;

        memset(bytes, (int)set.cbAppData, sizeof(bytes));
        TEST_REQUIRE_EQUAL(
            SetContextAttributesA(&end->context, SECPKG_ATTR_APP_DATA, &set, sizeof(set)),
            SEC_E_OK);
        TEST_REQUIRE_EQUAL(query(end, SECPKG_ATTR_APP_DATA, &got), SEC_E_OK);
        TEST_REQUIRE(got.cbAppData == 1 + got.dwFlags % sizeof(bytes));
        TEST_REQUIRE_EQUAL(got.pbAppData[got.cbAppData - 1], got.cbAppData);
        FreeContextBuffer(got.pbAppData);
        TEST_REQUIRE_EQUAL(SetContextAttributesA(&end->context, SECPKG_ATTR_KEYING_MATERIAL_INFO,
                                                 &info, sizeof(info)),
                           SEC_E_OK);
        TEST_REQUIRE_EQUAL(query(end, SECPKG_ATTR_KEYING_MATERIAL, &material), SEC_E_OK);
        TEST_REQUIRE(material.cbKeyingMaterial >= 16 && material.cbKeyingMaterial < 48);
        FreeContextBuffer(material.pbKeyingMaterial);
        TEST_REQUIRE_EQUAL(query(end, SECPKG_ATTR_NAMES, &names), SEC_E_OK);
        FreeContextBuffer(names.sUserName);
    }
    return NULL;
}

static void s2_8_attributes_from_any_thread(const struct peer_form *form)
{
    struct peer_pair pair;
    pthread_t threads[4];

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    for (size_t i = 0; i < COUNT(threads); i++)
        threads[i] = test_thread_start(set_and_get, &pair.client);
    for (size_t i = 0; i < COUNT(threads); i++)
        test_thread_join(threads[i]);
    peer_close(&pair);
}

/* ---- EAP ---- */

/* RFC 5216 2.3 from OpenSSL's PRF. */
static void expect_iv(SSL *ssl, const char *digest, uint8_t iv[64])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    uint8_t seed[21 + 64];
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)(uintptr_t) "", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed)),
        OSSL_PARAM_construct_end(),
    };

    memcpy(seed, "client EAP encryption", 21);
    SSL_get_client_random(ssl, seed + 21, 32);
    SSL_get_server_random(ssl, seed + 53, 32);
    assert_int_equal(EVP_KDF_derive(ctx, iv, 64, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

static void check_eap(struct world *world, int version, const char *digest)
{
    static const unsigned char type = 13;
    const char *label =
        version == TLS1_3_VERSION ? "EXPORTER_EAP_TLS_Key_Material" : "client EAP encryption";
    SecPkgContext_EapKeyBlock block;
    uint8_t keys[128], iv[64] = {0};

    assert_int_equal(query(&world->end, SECPKG_ATTR_EAP_KEY_BLOCK, &block), SEC_E_OK);
    assert_int_equal(SSL_export_keying_material(world->raw.ssl, keys, sizeof(keys), label,
                                                strlen(label), &type, 1, version == TLS1_3_VERSION),
                     1);
    assert_memory_equal(block.rgbKeys, keys, sizeof(keys));
    if (version != TLS1_3_VERSION)
        expect_iv(world->raw.ssl, digest, iv);
    assert_memory_equal(block.rgbIVs, iv, sizeof(iv));
}

static void s3_6_eap_keys_are_the_peers(const struct peer_form *form)
{
    static const struct {
        int version;
        const char *suite, *digest;
    } rows[] = {{TLS1_3_VERSION, NULL, NULL},
                {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "SHA256"},
                {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", "SHA384"}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world world;
        DWORD function = 0;
        SecPkgContext_EapPrfInfo info = {0, sizeof(function), (PBYTE)&function};
        PCtxtHandle context = &world.end.context;

        peer_end_init(&world.end, form, false);
        assert_int_equal(peer_end_acquire(&world.end, 0, 0, NULL, false), SEC_E_OK);
        raw_open(&world.raw, true, rows[i].version, "server");
        if (rows[i].suite)
            assert_int_equal(SSL_set_cipher_list(world.raw.ssl, rows[i].suite), 1);
        assert_int_equal(raw_handshake(&world.raw, &world.end), SEC_E_OK);
        check_eap(&world, rows[i].version, rows[i].digest);
        assert_int_equal(
            SetContextAttributesA(context, SECPKG_ATTR_EAP_PRF_INFO, &info, sizeof(info)),
            SEC_E_OK);
        check_eap(&world, rows[i].version, rows[i].digest);
        for (function = 1; function <= 4; function++)
            assert_int_equal(
                SetContextAttributesA(context, SECPKG_ATTR_EAP_PRF_INFO, &info, sizeof(info)),
                SEC_E_UNSUPPORTED_FUNCTION);
        info.cbPrfData = 1;
        assert_int_equal(
            SetContextAttributesA(context, SECPKG_ATTR_EAP_PRF_INFO, &info, sizeof(info)),
            SEC_E_INVALID_PARAMETER);
        close_world(&world);
    }
}

/* ---- keying material: what is wrong with a request ---- */

static void s3_6_bad_requests_for_keys(const struct peer_form *form)
{
    static const SecPkgContext_KeyingMaterial_Inproc bad[] = {
        {0, NULL, 0, NULL, 32, NULL},
        {1, (LPSTR) "", 0, NULL, 32, NULL},
        {6, (LPSTR) "label", 3, NULL, 32, NULL},
        {6, (LPSTR) "label", 0, NULL, 0, NULL},
        {6, (LPSTR) "label", 0, NULL, 65537, NULL},
    };
    struct peer_pair pair;
    SecPkgContext_KeyingMaterial_Inproc good = {6, (LPSTR) "label", 0, NULL, 65536, NULL};
    SecPkgContext_KeyingMaterial material;

    peer_open(&pair, form, NULL);
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    /* that there is no secret yet comes first */
    assert_int_equal(query(&pair.client, SECPKG_ATTR_KEYING_MATERIAL, &material),
                     SEC_E_INVALID_HANDLE);
    assert_int_equal(query(&pair.client, SECPKG_ATTR_KEYING_MATERIAL_INPROC, &good),
                     SEC_E_INVALID_HANDLE);
    peer_connect(&pair);
    assert_int_equal(query(&pair.client, SECPKG_ATTR_KEYING_MATERIAL, &material),
                     SEC_E_INVALID_PARAMETER); /* nobody has said what for */
    for (size_t i = 0; i < COUNT(bad); i++) {
        SecPkgContext_KeyingMaterial_Inproc one = bad[i];
        SecPkgContext_KeyingMaterialInfo info = {one.cbLabel, one.pszLabel, one.cbContextValue,
                                                 one.pbContextValue, one.cbKeyingMaterial};

        assert_int_equal(query(&pair.client, SECPKG_ATTR_KEYING_MATERIAL_INPROC, &one),
                         SEC_E_INVALID_PARAMETER);
        assert_null(one.pbKeyingMaterial);
        assert_int_equal(SetContextAttributesA(&pair.client.context,
                                               SECPKG_ATTR_KEYING_MATERIAL_INFO, &info,
                                               sizeof(info)),
                         SEC_E_INVALID_PARAMETER);
    }
    good.cbKeyingMaterial = 64;
    assert_int_equal(query(&pair.client, SECPKG_ATTR_KEYING_MATERIAL_INPROC, &good), SEC_E_OK);
    FreeContextBuffer(good.pbKeyingMaterial);
    peer_close(&pair);
}

/* ---- credentials ---- */

static void s2_8_credentials_have_names_too(const struct peer_form *form)
{
    char *subject = name_of("server", 0);
    PCCERT_CONTEXT file = peer_certificate("server");
    SecPkgCredentials_NamesA names;
    SecPkgCredentials_NamesW wide;
    SecPkgCredentials_Cert given;
    struct peer_pair pair;
    PCredHandle server = &pair.server.credential, client = &pair.client.credential;
    SecPkgContext_UiInfo other;

    peer_open(&pair, form, NULL);
    assert_int_equal(QueryCredentialsAttributesA(server, SECPKG_CRED_ATTR_NAMES, &names), SEC_E_OK);
    assert_string_equal(names.sUserName, subject);
    assert_int_equal(
        QueryCredentialsAttributesExW(server, SECPKG_CRED_ATTR_NAMES, &wide, sizeof(wide)),
        SEC_E_OK);
    assert_true(same_text(wide.sUserName, subject));
    assert_int_equal(QueryCredentialsAttributesA(server, SECPKG_CRED_ATTR_CERT, &given), SEC_E_OK);
    assert_int_equal(given.EncodedCertSize, file->cbCertEncoded);
    assert_memory_equal(given.EncodedCert, file->pbCertEncoded, file->cbCertEncoded);
    FreeContextBuffer(names.sUserName);
    FreeContextBuffer(wide.sUserName);
    FreeContextBuffer(given.EncodedCert);
    assert_int_equal(QueryCredentialsAttributesA(client, SECPKG_CRED_ATTR_NAMES, &names),
                     SEC_E_NO_CREDENTIALS);
    assert_int_equal(QueryCredentialsAttributesW(client, SECPKG_CRED_ATTR_CERT, &given),
                     SEC_E_NO_CREDENTIALS);
    assert_int_equal(QueryCredentialsAttributesExA(client, SECPKG_CRED_ATTR_CERT, &given, 3),
                     SEC_E_BUFFER_TOO_SMALL);
    assert_int_equal(
        QueryCredentialsAttributesExA(client, SECPKG_CRED_ATTR_NAMES, &given, sizeof(given)),
        SEC_E_INVALID_PARAMETER);
    assert_int_equal(QueryCredentialsAttributesA(server, SECPKG_CRED_ATTR_SSI_PROVIDER, &names),
                     SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(QueryCredentialsAttributesA(server, SECPKG_ATTR_USE_NCRYPT, &other),
                     SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(
        SetCredentialsAttributesA(server, SECPKG_ATTR_USE_NCRYPT, &other, sizeof(other)),
        SEC_E_UNSUPPORTED_FUNCTION);
    peer_close(&pair);
    CertFreeCertificateContext(file);
    free(subject);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_6_names_are_the_peers),
        PEER_CASE(s3_6_protocol_has_a_name),
        PEER_CASE(s3_6_target_is_the_clients),
        PEER_CASE(s3_6_local_certificate_has_names),
        PEER_CASE(s3_6_chain_is_built),
        PEER_CASE(s3_6_serialized_chain_can_be_read),
        PEER_CASE(s3_6_extensions_are_those_of_the_server),
        PEER_CASE(s3_6_extensions_of_the_certificate_count),
        PEER_CASE(s3_6_signatures_are_those_of_both),
        PEER_CASE(s3_6_application_data_stay),
        PEER_CASE(s2_8_attributes_from_any_thread),
        PEER_CASE(s3_6_eap_keys_are_the_peers),
        PEER_CASE(s3_6_bad_requests_for_keys),
        PEER_CASE(s2_8_credentials_have_names_too),
    };

    return peer_run_cases("contract.told", cases, sizeof(cases) / sizeof(cases[0]));
}
