/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: what an established context tells. Every value that another implementation knows too
 * is compared with what OpenSSL says of the same connection; certificates with the files.
 */
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <opensspi.h>
#include <stdlib.h>
#include <string.h>

#include "support/tls_raw.h"

static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};

struct world {
    struct raw_peer raw; /* the server */
    struct peer_end client;
};

static void open_world(struct world *world, const struct peer_form *form, int version,
                       const char *certificate)
{
    raw_connect(&world->raw, &world->client, form, false, version, certificate);
    raw_exchange(&world->raw, &world->client);
}

static void close_world(struct world *world)
{
    peer_end_free(&world->client);
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

/* ---- protocol, suite, keys ---- */

static void s3_6_connection_and_cipher_info(const struct peer_form *form)
{
    for (size_t i = 0; i < 4; i++) {
        struct world world;
        const SSL_CIPHER *cipher;
        SecPkgContext_ConnectionInfo connection;
        SecPkgContext_CipherInfo info = {.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1};
        SecPkgContext_CipherInfo wrong = {.dwVersion = 77};
        int bits;

        open_world(&world, form, versions[i % 2], i < 2 ? "server" : "server-rsa");
        cipher = SSL_get_current_cipher(world.raw.ssl);
        SSL_CIPHER_get_bits(cipher, &bits);
        assert_int_equal(query(&world.client, SECPKG_ATTR_CONNECTION_INFO, &connection), SEC_E_OK);
        assert_int_equal(connection.dwProtocol,
                         i % 2 == 0 ? SP_PROT_TLS1_3_CLIENT : SP_PROT_TLS1_2_CLIENT);
        assert_int_equal(connection.dwCipherStrength, bits);
        assert_int_equal(connection.dwHashStrength, 0); /* AEAD */
        assert_int_equal(connection.aiExch, CALG_ECDH_EPHEM);
        assert_int_equal(query(&world.client, SECPKG_ATTR_CIPHER_INFO, &info), SEC_E_OK);
        assert_int_equal(info.dwProtocol, versions[i % 2]);
        assert_int_equal(info.dwCipherSuite, SSL_CIPHER_get_protocol_id(cipher));
        assert_int_equal(info.dwCipherLen, bits);
        assert_true(same_text(info.szCipherSuite, SSL_CIPHER_standard_name(cipher)));
        assert_true(same_text(info.szCertificate, i < 2 ? "ECDSA" : "RSA"));
        assert_true(same_text(info.szExchange, "ECDH"));
        if (SSL_get_negotiated_group(world.raw.ssl) == NID_X25519)
            assert_int_equal(info.dwKeyType, 29);
        assert_true(query(&world.client, SECPKG_ATTR_CIPHER_INFO, &wrong) < 0);
        close_world(&world);
    }
}

static void s3_6_key_info_in_both_encodings(const struct peer_form *form)
{
    struct world world;
    SecPkgContext_KeyInfoA narrow;
    SecPkgContext_KeyInfoW wide;

    open_world(&world, form, TLS1_3_VERSION, "server");
    assert_int_equal(query(&world.client, SECPKG_ATTR_KEY_INFO, &narrow), SEC_E_OK);
    assert_int_equal(QueryContextAttributesW(&world.client.context, SECPKG_ATTR_KEY_INFO, &wide),
                     SEC_E_OK);
    assert_true(narrow.KeySize >= 128);
    assert_int_equal(narrow.KeySize, wide.KeySize);
    assert_true(strlen(narrow.sEncryptAlgorithmName) > 0);
    assert_true(same_text(wide.sEncryptAlgorithmName, narrow.sEncryptAlgorithmName));
    assert_true(same_text(wide.sSignatureAlgorithmName, narrow.sSignatureAlgorithmName));
    FreeContextBuffer(narrow.sEncryptAlgorithmName);
    FreeContextBuffer(narrow.sSignatureAlgorithmName);
    FreeContextBuffer(wide.sEncryptAlgorithmName);
    FreeContextBuffer(wide.sSignatureAlgorithmName);
    close_world(&world);
}

static void s3_6_sizes_and_package(const struct peer_form *form)
{
    struct world world;
    SecPkgContext_Sizes sizes;
    SecPkgContext_StreamSizes stream;
    SecPkgContext_PackageInfoA info;
    SecPkgContext_Flags flags;
    SecPkgContext_Lifespan span;

    open_world(&world, form, TLS1_3_VERSION, "server");
    assert_int_equal(query(&world.client, SECPKG_ATTR_STREAM_SIZES, &stream), SEC_E_OK);
    assert_int_equal(stream.cbMaximumMessage, 16384);
    assert_int_equal(stream.cBuffers, 4);
    assert_true(stream.cbHeader >= 5 && stream.cbTrailer >= 17);
    assert_int_equal(query(&world.client, SECPKG_ATTR_SIZES, &sizes), SEC_E_OK);
    assert_true(sizes.cbMaxToken >= 16384);
    assert_int_equal(query(&world.client, SECPKG_ATTR_PACKAGE_INFO, &info), SEC_E_OK);
    assert_int_equal(info.PackageInfo->wVersion, 1);
    assert_int_equal(info.PackageInfo->wRPCID, 14);
    assert_non_null(info.PackageInfo->Name);
    assert_int_equal(FreeContextBuffer(info.PackageInfo), SEC_E_OK);
    assert_int_equal(query(&world.client, SECPKG_ATTR_FLAGS, &flags), SEC_E_OK);
    assert_true(flags.Flags & ISC_RET_CONFIDENTIALITY);
    assert_int_equal(query(&world.client, SECPKG_ATTR_LIFESPAN, &span), SEC_E_OK);
    assert_true(span.tsExpiry.QuadPart > span.tsStart.QuadPart);
    close_world(&world);
}

/* ---- certificates ---- */

static void s3_6_certificates_are_those_of_the_wire(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        PCCERT_CONTEXT file = peer_certificate("server"), remote = NULL, local = NULL;
        SecPkgContext_Certificates list;
        PCCERT_CONTEXT in_store = NULL;
        uint32_t len;
        int stored = 0;

        open_world(&world, form, versions[i], "server");
        assert_int_equal(query(&world.client, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &remote), SEC_E_OK);
        assert_int_equal(remote->cbCertEncoded, file->cbCertEncoded);
        assert_memory_equal(remote->pbCertEncoded, file->pbCertEncoded, file->cbCertEncoded);
        while ((in_store = CertEnumCertificatesInStore(remote->hCertStore, in_store)) != NULL)
            stored++;
        assert_int_equal(stored, 2); /* leaf and intermediate */
        assert_int_equal(query(&world.client, SECPKG_ATTR_REMOTE_CERTIFICATES, &list), SEC_E_OK);
        assert_int_equal(list.cCertificates, 2);
        memcpy(&len, list.pbCertificateChain, sizeof(len));
        assert_int_equal(len, file->cbCertEncoded);
        assert_memory_equal(list.pbCertificateChain + 4, file->pbCertEncoded, len);
        assert_true(list.cbCertificateChain > len + 8);
        assert_int_equal(FreeContextBuffer(list.pbCertificateChain), SEC_E_OK);
        assert_int_equal(query(&world.client, SECPKG_ATTR_LOCAL_CERT_CONTEXT, &local),
                         SEC_E_NO_CREDENTIALS);
        assert_null(local);
        close_world(&world);
        /* the certificate outlives the connection */
        assert_memory_equal(remote->pbCertEncoded, file->pbCertEncoded, file->cbCertEncoded);
        CertFreeCertificateContext(remote);
        CertFreeCertificateContext(file);
    }
}

static void s3_6_local_certificate_of_a_server(const struct peer_form *form)
{
    struct peer_pair pair;
    PCCERT_CONTEXT file = peer_certificate("server"), local = NULL, remote = NULL;
    SecPkgContext_Certificates list;

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    assert_int_equal(query(&pair.server, SECPKG_ATTR_LOCAL_CERT_CONTEXT, &local), SEC_E_OK);
    assert_int_equal(local->cbCertEncoded, file->cbCertEncoded);
    assert_memory_equal(local->pbCertEncoded, file->pbCertEncoded, file->cbCertEncoded);
    assert_int_equal(query(&pair.server, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &remote),
                     SEC_E_NO_CREDENTIALS);
    assert_int_equal(query(&pair.server, SECPKG_ATTR_REMOTE_CERTIFICATES, &list),
                     SEC_E_NO_CREDENTIALS);
    CertFreeCertificateContext(local);
    CertFreeCertificateContext(file);
    peer_close(&pair);
}

/* ---- channel bindings ---- */

static void check_bindings(SecPkgContext_Bindings *bindings, const char *prefix, const void *data,
                           size_t len)
{
    const SEC_CHANNEL_BINDINGS *head = bindings->Bindings;
    size_t total = strlen(prefix) + len;

    assert_int_equal(bindings->BindingsLength, 32 + total);
    assert_int_equal(head->cbApplicationDataLength, total);
    assert_int_equal(head->dwApplicationDataOffset, 32);
    assert_int_equal(head->cbInitiatorLength, 0);
    assert_int_equal(head->dwAcceptorAddrType, 0);
    assert_memory_equal((const char *)head + 32, prefix, strlen(prefix));
    assert_memory_equal((const char *)head + 32 + strlen(prefix), data, len);
    assert_int_equal(FreeContextBuffer(bindings->Bindings), SEC_E_OK);
}

static void s3_11_endpoint_bindings(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        PCCERT_CONTEXT file = peer_certificate("server");
        SecPkgContext_Bindings bindings;
        uint8_t hash[EVP_MAX_MD_SIZE];
        unsigned len;

        open_world(&world, form, versions[i], "server");
        assert_int_equal(
            EVP_Digest(file->pbCertEncoded, file->cbCertEncoded, hash, &len, EVP_sha256(), NULL),
            1);
        assert_int_equal(query(&world.client, SECPKG_ATTR_ENDPOINT_BINDINGS, &bindings), SEC_E_OK);
        check_bindings(&bindings, "tls-server-end-point:", hash, len);
        CertFreeCertificateContext(file);
        close_world(&world);
    }
}

/* The first Finished of the handshake: the client's in a full one, the server's when resumed. */
static void s3_11_unique_bindings(const struct peer_form *form)
{
    struct world world;
    SecPkgContext_Bindings bindings;
    uint8_t finished[64];

    open_world(&world, form, TLS1_2_VERSION, "server");
    SSL_CTX_set_session_id_context(world.raw.ctx, (const unsigned char *)"test", 4);
    assert_int_equal(query(&world.client, SECPKG_ATTR_UNIQUE_BINDINGS, &bindings), SEC_E_OK);
    check_bindings(&bindings, "tls-unique:", finished,
                   SSL_get_peer_finished(world.raw.ssl, finished, sizeof(finished)));
    for (int i = 0; i < 2; i++) {
        peer_end_disconnect(&world.client);
        raw_again(&world.raw, true);
        assert_int_equal(raw_handshake(&world.raw, &world.client), SEC_E_OK);
        raw_exchange(&world.raw, &world.client);
    }
    assert_int_equal(SSL_session_reused(world.raw.ssl), 1);
    assert_int_equal(query(&world.client, SECPKG_ATTR_UNIQUE_BINDINGS, &bindings), SEC_E_OK);
    check_bindings(&bindings, "tls-unique:", finished,
                   SSL_get_finished(world.raw.ssl, finished, sizeof(finished)));
    close_world(&world);
    open_world(&world, form, TLS1_3_VERSION, "server");
    assert_int_equal(query(&world.client, SECPKG_ATTR_UNIQUE_BINDINGS, &bindings),
                     SEC_E_UNSUPPORTED_FUNCTION);
    close_world(&world);
}

/* ---- session, exported keys ---- */

static void s3_6_session_id_is_the_peers(const struct peer_form *form)
{
    struct peer_pair pair;
    SecPkgContext_SessionInfo ours, theirs;

    peer_open(&pair, form, NULL);
    peer_connect(&pair);
    assert_int_equal(query(&pair.client, SECPKG_ATTR_SESSION_INFO, &ours), SEC_E_OK);
    assert_int_equal(query(&pair.server, SECPKG_ATTR_SESSION_INFO, &theirs), SEC_E_OK);
    assert_true(ours.cbSessionId <= 32 && theirs.cbSessionId <= 32);
    assert_false(ours.dwFlags & SSL_SESSION_RECONNECT);
    peer_close(&pair);
}

static void s3_6_keying_material(const struct peer_form *form)
{
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        SecPkgContext_KeyingMaterialInfo info = {.cbLabel = 6,
                                                 .pszLabel = (LPSTR) "label",
                                                 .cbContextValue = 3,
                                                 .pbContextValue = (PBYTE) "ctx",
                                                 .cbKeyingMaterial = 48};
        SecPkgContext_KeyingMaterial material = {0};
        uint8_t expected[48];

        open_world(&world, form, versions[i], "server");
        assert_true(query(&world.client, SECPKG_ATTR_KEYING_MATERIAL, &material) < 0);
        assert_int_equal(SetContextAttributesA(&world.client.context,
                                               SECPKG_ATTR_KEYING_MATERIAL_INFO, &info,
                                               sizeof(info)),
                         SEC_E_OK);
        assert_int_equal(query(&world.client, SECPKG_ATTR_KEYING_MATERIAL, &material), SEC_E_OK);
        assert_int_equal(material.cbKeyingMaterial, 48);
        assert_int_equal(SSL_export_keying_material(world.raw.ssl, expected, sizeof(expected),
                                                    "label", 5, (const unsigned char *)"ctx", 3, 1),
                         1);
        assert_memory_equal(material.pbKeyingMaterial, expected, sizeof(expected));
        assert_int_equal(FreeContextBuffer(material.pbKeyingMaterial), SEC_E_OK);
        close_world(&world);
    }
}

/* ---- when, and what not ---- */

static void attributes_before_during_and_after(const struct peer_form *form)
{
    static const ULONG attributes[] = {SECPKG_ATTR_SIZES,
                                       SECPKG_ATTR_STREAM_SIZES,
                                       SECPKG_ATTR_CONNECTION_INFO,
                                       SECPKG_ATTR_CIPHER_INFO,
                                       SECPKG_ATTR_KEY_INFO,
                                       SECPKG_ATTR_SESSION_INFO,
                                       SECPKG_ATTR_REMOTE_CERT_CONTEXT,
                                       SECPKG_ATTR_LOCAL_CERT_CONTEXT,
                                       SECPKG_ATTR_REMOTE_CERTIFICATES,
                                       SECPKG_ATTR_UNIQUE_BINDINGS,
                                       SECPKG_ATTR_ENDPOINT_BINDINGS,
                                       SECPKG_ATTR_APPLICATION_PROTOCOL};
    static union {
        uint8_t bytes[2048];
        uint64_t aligned;
    } buffer;
    struct peer_pair pair;
    CtxtHandle context;

    peer_open(&pair, form, NULL);
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_I_CONTINUE_NEEDED);
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        assert_true(query(&pair.client, attributes[i], &buffer) < 0);
        assert_int_equal(QueryContextAttributesExA(&pair.client.context, attributes[i], &buffer, 1),
                         SEC_E_BUFFER_TOO_SMALL);
    }
    assert_int_equal(query(&pair.client, SECPKG_ATTR_NEGOTIATION_INFO, &buffer),
                     SEC_E_UNSUPPORTED_FUNCTION);
    peer_connect(&pair);
    assert_int_equal(query(&pair.client, SECPKG_ATTR_NEGOTIATION_INFO, &buffer),
                     SEC_E_UNSUPPORTED_FUNCTION);
    for (uint32_t attribute = 0; attribute < 0x200; attribute++) { /* none of them crashes */
        memset(&buffer, 0, sizeof(buffer));
        (void)QueryContextAttributesExA(&pair.client.context, attribute, &buffer, 0);
        (void)SetContextAttributesA(&pair.client.context, attribute, &buffer, 0);
    }
    context = pair.client.context;
    peer_close(&pair);
    assert_int_equal(QueryContextAttributesA(&context, SECPKG_ATTR_SIZES, &buffer),
                     SEC_E_INVALID_HANDLE);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_6_connection_and_cipher_info),
        PEER_CASE(s3_6_key_info_in_both_encodings),
        PEER_CASE(s3_6_sizes_and_package),
        PEER_CASE(s3_6_certificates_are_those_of_the_wire),
        PEER_CASE(s3_6_local_certificate_of_a_server),
        PEER_CASE(s3_11_endpoint_bindings),
        PEER_CASE(s3_11_unique_bindings),
        PEER_CASE(s3_6_session_id_is_the_peers),
        PEER_CASE(s3_6_keying_material),
        PEER_CASE(attributes_before_during_and_after),
    };

    return peer_run_cases("contract.attributes", cases, sizeof(cases) / sizeof(cases[0]));
}
