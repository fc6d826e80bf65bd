/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: AcquireCredentialsHandle for Schannel. What is a credential, what is none and how that
 * is told, package names in both encodings, counts and arrays that do not fit each other.
 */
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/tls_peer.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static LPSTR package = (LPSTR)UNISP_NAME_A;

/* Acquires and frees; the status. */
static SECURITY_STATUS try_acquire(const struct peer_form *form, LPSTR name, ULONG use, void *auth)
{
    CredHandle credential = {77, 78};
    TimeStamp expiry;
    SECURITY_STATUS status = form->acquire(name, use, auth, &credential, &expiry);

    if (status == SEC_E_OK) {
        assert_int_equal(form->free_credential(&credential), SEC_E_OK);
    } else { /* left alone */
        assert_int_equal(credential.dwLower, 77);
        assert_int_equal(credential.dwUpper, 78);
    }
    return status;
}

static void s3_1_package_names(const struct peer_form *form)
{
    static const char *const names[] = {"Microsoft Unified Security Protocol Provider",
                                        "Schannel",
                                        "Default TLS SSP",
                                        "SCHANNEL",
                                        "schannel",
                                        "microsoft unified security protocol provider",
                                        "default tls ssp"};
    static const char *const wrong[] = {"", "Schanne", "Schannel ", "Schannell", "\xFF", "NTLM2"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(try_acquire(form, (LPSTR)names[i], SECPKG_CRED_OUTBOUND, NULL), SEC_E_OK);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(try_acquire(form, (LPSTR)wrong[i], SECPKG_CRED_OUTBOUND, NULL),
                         SEC_E_SECPKG_NOT_FOUND);
}

static void s3_1_wide_package_names(const struct peer_form *form)
{
    WCHAR name[64] = {0}, principal[] = {'x', 0};
    CredHandle credential;
    TimeStamp expiry;

    (void)form;
    for (size_t i = 0; package[i]; i++)
        name[i] = (WCHAR)(unsigned char)package[i];
    assert_int_equal(AcquireCredentialsHandleW(NULL, name, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL,
                                               NULL, &credential, &expiry),
                     SEC_E_OK);
    assert_int_equal(FreeCredentialsHandle(&credential), SEC_E_OK);
    assert_int_equal(AcquireCredentialsHandleW(principal, name, SECPKG_CRED_OUTBOUND, NULL, NULL,
                                               NULL, NULL, &credential, NULL),
                     SEC_E_OK);
    assert_int_equal(FreeCredentialsHandle(&credential), SEC_E_OK);
    name[0] = 0xD800; /* half a character */
    assert_int_equal(AcquireCredentialsHandleW(NULL, name, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL,
                                               NULL, &credential, NULL),
                     SEC_E_SECPKG_NOT_FOUND);
}

static void s2_2_uses(const struct peer_form *form)
{
    static const ULONG wrong[] = {0, SECPKG_CRED_BOTH, 4, 0xFFFFFFFF};
    SCHANNEL_CRED none = {.dwVersion = SCHANNEL_CRED_VERSION};

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(try_acquire(form, package, wrong[i], NULL), SEC_E_NO_CREDENTIALS);
        assert_int_equal(try_acquire(form, package, wrong[i], &none), SEC_E_NO_CREDENTIALS);
    }
    assert_int_equal(try_acquire(form, package, SECPKG_CRED_INBOUND, NULL), SEC_E_NO_CREDENTIALS);
    assert_int_equal(try_acquire(form, package, SECPKG_CRED_OUTBOUND, NULL), SEC_E_OK);
    /* a server without a certificate fails in the handshake, not here */
    assert_int_equal(try_acquire(form, package, SECPKG_CRED_INBOUND, &none), SEC_E_OK);
    assert_int_equal(try_acquire(form, package, SECPKG_CRED_OUTBOUND, &none), SEC_E_OK);
}

static void s2_2_versions(const struct peer_form *form)
{
    for (DWORD version = 0; version < 8; version++) {
        union {
            SCHANNEL_CRED v4;
            SCH_CREDENTIALS v5;
        } auth;

        memset(&auth, 0, sizeof(auth));
        auth.v4.dwVersion = version;
        assert_int_equal(try_acquire(form, package, SECPKG_CRED_OUTBOUND, &auth),
                         version == SCHANNEL_CRED_VERSION || version == SCH_CREDENTIALS_VERSION
                             ? SEC_E_OK
                             : SEC_E_UNKNOWN_CREDENTIALS);
    }
}

/* What is wrong with the auth data is told before what is wrong with the handle. */
static void s2_2_order_of_checks(const struct peer_form *form)
{
    SCHANNEL_CRED bad = {.dwVersion = 3};

    if (form == PEER_SYNC) {
        assert_int_equal(form->acquire(NULL, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL),
                         SEC_E_SECPKG_NOT_FOUND);
        assert_int_equal(form->acquire(package, SECPKG_CRED_OUTBOUND, &bad, NULL, NULL),
                         SEC_E_UNKNOWN_CREDENTIALS);
        assert_int_equal(form->acquire(package, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL),
                         SEC_E_INVALID_PARAMETER);
    } else { /* told while queueing, and nothing is called back */
        CredHandle credential;

        assert_int_equal(form->acquire(NULL, SECPKG_CRED_OUTBOUND, NULL, &credential, NULL),
                         SEC_E_INVALID_PARAMETER);
        assert_int_equal(form->acquire(package, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL),
                         SEC_E_INVALID_PARAMETER);
    }
}

/* ---- protocols ---- */

static void s2_2_protocol_masks(const struct peer_form *form)
{
    static const struct {
        DWORD bits;
        SECURITY_STATUS client, server;
    } rows[] = {
        {0, SEC_E_OK, SEC_E_OK},
        {SP_PROT_TLS1_2_CLIENT, SEC_E_OK, SEC_E_ALGORITHM_MISMATCH},
        {SP_PROT_TLS1_2_SERVER, SEC_E_ALGORITHM_MISMATCH, SEC_E_OK},
        {SP_PROT_TLS1_2_CLIENT | SP_PROT_TLS1_3_CLIENT, SEC_E_OK, SEC_E_ALGORITHM_MISMATCH},
        {SP_PROT_TLS1_2 | SP_PROT_TLS1_3, SEC_E_OK, SEC_E_OK},
        {SP_PROT_TLS1_2 | SP_PROT_DTLS1_2, SEC_E_ALGORITHM_MISMATCH, SEC_E_ALGORITHM_MISMATCH},
        {SP_PROT_DTLS1_2, SEC_E_OK, SEC_E_OK},
        {SP_PROT_DTLS1_2_CLIENT, SEC_E_OK, SEC_E_ALGORITHM_MISMATCH},
        {SP_PROT_DTLS1_X, SEC_E_OK, SEC_E_OK},
        {SP_PROT_DTLS1_0, SEC_E_ALGORITHM_MISMATCH, SEC_E_ALGORITHM_MISMATCH}, /* not offered */
        {SP_PROT_TLS1_2_CLIENT | SP_PROT_DTLS1_2_SERVER, SEC_E_ALGORITHM_MISMATCH,
         SEC_E_ALGORITHM_MISMATCH},
        {0x80000000, SEC_E_ALGORITHM_MISMATCH, SEC_E_ALGORITHM_MISMATCH},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        SCHANNEL_CRED auth = {.dwVersion = SCHANNEL_CRED_VERSION,
                              .grbitEnabledProtocols = rows[i].bits};

        assert_int_equal(try_acquire(form, package, SECPKG_CRED_OUTBOUND, &auth), rows[i].client);
        assert_int_equal(try_acquire(form, package, SECPKG_CRED_INBOUND, &auth), rows[i].server);
    }
}

/* ---- certificates ---- */

static void s2_2_certificates(const struct peer_form *form)
{
    PCCERT_CONTEXT good = peer_certificate("server"), both[2] = {good, NULL};
    PCCERT_CONTEXT keyless =
        CertCreateCertificateContext(X509_ASN_ENCODING, good->pbCertEncoded, good->cbCertEncoded);
    SCHANNEL_CRED auth = {.dwVersion = SCHANNEL_CRED_VERSION, .cCreds = 1, .paCred = &keyless};

    assert_non_null(keyless);
    for (ULONG use = SECPKG_CRED_INBOUND; use <= SECPKG_CRED_OUTBOUND; use++) {
        auth.cCreds = 1;
        auth.paCred = &keyless;
        assert_int_equal(try_acquire(form, package, use, &auth), SEC_E_NO_CREDENTIALS);
        auth.paCred = &good;
        assert_int_equal(try_acquire(form, package, use, &auth), SEC_E_OK);
        auth.cCreds = 2;
        auth.paCred = both;
        assert_int_equal(try_acquire(form, package, use, &auth), SEC_E_UNKNOWN_CREDENTIALS);
        both[1] = keyless;
        assert_true(try_acquire(form, package, use, &auth) < 0);
        both[1] = NULL;
    }
    CertFreeCertificateContext(keyless);
    CertFreeCertificateContext(good);
}

/* Serves with the certificate, and frees it; the client verifies. */
static void serve_and_free(const struct peer_form *form, PCCERT_CONTEXT certificate)
{
    SCH_CREDENTIALS auth = {
        .dwVersion = SCH_CREDENTIALS_VERSION, .cCreds = 1, .paCred = &certificate};
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    peer_end_free(&pair.server);
    assert_int_equal(form->acquire(package, SECPKG_CRED_INBOUND, &auth, &pair.server.credential,
                                   &pair.server.expiry),
                     SEC_E_OK);
    pair.server.has_credential = true;
    CertFreeCertificateContext(certificate);
    peer_connect(&pair);
    peer_exchange(&pair);
    peer_close(&pair);
}

static PCCERT_CONTEXT from_pfx(const WCHAR *password)
{
    static uint8_t bytes[65536];
    CRYPT_DATA_BLOB blob = {.pbData = bytes};
    PCCERT_CONTEXT certificate = NULL;
    HCERTSTORE store;
    char path[512];
    FILE *file;

    peer_path("server", ".pfx", path, sizeof(path));
    file = fopen(path, "r");
    assert_non_null(file);
    blob.cbData = (DWORD)fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    store = PFXImportCertStore(&blob, password, 0);
    if (!store)
        return NULL;
    certificate = CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_HAS_PRIVATE_KEY,
                                             NULL, NULL);
    CertCloseStore(store, 0);
    return certificate;
}

static void encrypted_keys_serve_with_their_password(const struct peer_form *form)
{
    char certificate[512], key[512];
    PCCERT_CONTEXT context = NULL;

    peer_path("server", ".pem", certificate, sizeof(certificate));
    peer_path("server-enc", ".key", key, sizeof(key));
    assert_int_equal(OsspiLoadCertificate(certificate, key, "wrong", &context), SEC_E_LOGON_DENIED);
    assert_int_equal(OsspiLoadCertificate(certificate, key, NULL, &context), SEC_E_LOGON_DENIED);
    assert_null(context);
    assert_int_equal(OsspiLoadCertificate(certificate, key, "secret", &context), SEC_E_OK);
    serve_and_free(form, context);
    assert_null(from_pfx(u"wrong"));
    assert_int_equal(GetLastError(), ERROR_INVALID_PASSWORD);
    context = from_pfx(u"secret");
    assert_non_null(context);
    serve_and_free(form, context);
}

static void s2_2_expiry(const struct peer_form *form)
{
    PCCERT_CONTEXT certificate = peer_certificate("server");
    SCHANNEL_CRED auth = {.dwVersion = SCHANNEL_CRED_VERSION, .cCreds = 1, .paCred = &certificate};
    const FILETIME *end = &certificate->pCertInfo->NotAfter;
    int64_t not_after = (int64_t)((uint64_t)end->dwHighDateTime << 32 | end->dwLowDateTime);
    CredHandle credential;
    TimeStamp expiry = {.QuadPart = 0};

    assert_int_equal(form->acquire(package, SECPKG_CRED_INBOUND, &auth, &credential, &expiry),
                     SEC_E_OK);
    /* local time: at most 14 hours from UTC */
    assert_true(llabs(expiry.QuadPart - not_after) <= INT64_C(14) * 3600 * 10000000);
    assert_int_equal(form->free_credential(&credential), SEC_E_OK);
    assert_int_equal(form->acquire(package, SECPKG_CRED_OUTBOUND, NULL, &credential, &expiry),
                     SEC_E_OK);
    assert_int_equal(expiry.QuadPart, INT64_MAX);
    assert_int_equal(form->free_credential(&credential), SEC_E_OK);
    assert_int_equal(form->acquire(package, SECPKG_CRED_OUTBOUND, NULL, &credential, NULL),
                     SEC_E_OK);
    assert_int_equal(form->free_credential(&credential), SEC_E_OK);
    assert_int_equal(form->free_credential(&credential), SEC_E_INVALID_HANDLE);
    CertFreeCertificateContext(certificate);
}

/* ---- flags ---- */

static void s3_2_flags_that_contradict_are_refused(const struct peer_form *form)
{
    static const struct {
        DWORD flags;
        SECURITY_STATUS status;
    } rows[] = {
        {SCH_CRED_MANUAL_CRED_VALIDATION | SCH_CRED_AUTO_CRED_VALIDATION,
         SEC_E_UNKNOWN_CREDENTIALS},
        {SCH_CRED_REVOCATION_CHECK_END_CERT | SCH_CRED_REVOCATION_CHECK_CHAIN,
         SEC_E_UNKNOWN_CREDENTIALS},
        {SCH_CRED_REVOCATION_CHECK_END_CERT | SCH_CRED_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT,
         SEC_E_UNKNOWN_CREDENTIALS},
        {SCH_CRED_REVOCATION_CHECK_CHAIN | SCH_CRED_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT,
         SEC_E_UNKNOWN_CREDENTIALS},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (ULONG use = SECPKG_CRED_INBOUND; use <= SECPKG_CRED_OUTBOUND; use++) {
            SCHANNEL_CRED v4 = {.dwVersion = SCHANNEL_CRED_VERSION, .dwFlags = rows[i].flags};
            SCH_CREDENTIALS v5 = {.dwVersion = SCH_CREDENTIALS_VERSION, .dwFlags = rows[i].flags};

            assert_int_equal(try_acquire(form, package, use, &v4), rows[i].status);
            assert_int_equal(try_acquire(form, package, use, &v5), rows[i].status);
        }
    }
}

/* With each of them, on both sides, a connection is made in which both ends are verified. */
static void s3_2_flags_without_effect_change_nothing(const struct peer_form *form)
{
    static const DWORD flags[] = {
        SCH_CRED_NO_SYSTEM_MAPPER,
        SCH_CRED_MEMORY_STORE_CERT,
        SCH_CRED_CACHE_ONLY_URL_RETRIEVAL_ON_CREATE,
        SCH_SEND_AUX_RECORD,
        SCH_USE_STRONG_CRYPTO,
        SCH_ALLOW_NULL_ENCRYPTION,
        SCH_CRED_AUTO_CRED_VALIDATION,
        SCH_CRED_IGNORE_NO_REVOCATION_CHECK | SCH_CRED_IGNORE_REVOCATION_OFFLINE,
        0x00000001 | 0xF8000000, /* those that have no name */
    };

    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        PCCERT_CONTEXT seen = NULL;
        struct peer_pair pair;

        peer_end_init(&pair.client, form, false);
        peer_end_init(&pair.server, form, true);
        assert_int_equal(peer_end_acquire(&pair.client, 0, flags[i], "client", false), SEC_E_OK);
        assert_int_equal(peer_end_acquire(&pair.server, 0, flags[i], "server", true), SEC_E_OK);
        pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
        pair.client.flags |= ISC_REQ_MUTUAL_AUTH;
        peer_connect(&pair);
        assert_true(pair.client.attributes & ISC_RET_MUTUAL_AUTH);
        assert_true(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
        assert_int_equal(
            QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &seen),
            SEC_E_OK);
        assert_non_null(seen->hCertStore); /* in memory, whatever the flag says */
        CertFreeCertificateContext(seen);
        peer_exchange(&pair);
        peer_disconnect(&pair);
        pair.client.target = "other.test"; /* and a wrong name is one */
        assert_int_equal(peer_handshake(&pair), SEC_E_WRONG_PRINCIPAL);
        peer_close(&pair);
    }
}

/* A client's hRootStore counts with the flag alone, and then nothing else does. */
static void s3_2_restricted_roots_are_those_of_the_root_store(const struct peer_form *form)
{
    static const struct {
        DWORD flags;
        const char *root, *server;
        SECURITY_STATUS status;
    } rows[] = {
        {0, "otherca", "server", SEC_E_OK},
        {0, "otherca", "other-server", SEC_E_UNTRUSTED_ROOT},
        {SCH_CRED_RESTRICTED_ROOTS, "otherca", "server", SEC_E_UNTRUSTED_ROOT},
        {SCH_CRED_RESTRICTED_ROOTS, "otherca", "other-server", SEC_E_OK},
        {SCH_CRED_RESTRICTED_ROOTS, "ca", "server", SEC_E_OK},
        {SCH_CRED_RESTRICTED_ROOTS, NULL, "server", SEC_E_UNTRUSTED_ROOT},
    };

    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        const struct peer_setup setup = {.certificate = rows[i / 2].server};
        PCCERT_CONTEXT root = rows[i / 2].root ? peer_certificate(rows[i / 2].root) : NULL;
        HCERTSTORE store = root ? CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL) : NULL;
        SCHANNEL_CRED v4 = {
            .dwVersion = SCHANNEL_CRED_VERSION, .hRootStore = store, .dwFlags = rows[i / 2].flags};
        SCH_CREDENTIALS v5 = {.dwVersion = SCH_CREDENTIALS_VERSION,
                              .hRootStore = store,
                              .dwFlags = rows[i / 2].flags};
        struct peer_pair pair;

        if (root)
            assert_true(CertAddCertificateContextToStore(store, root, CERT_STORE_ADD_ALWAYS, NULL));
        peer_open(&pair, form, &setup);
        peer_end_free(&pair.client);
        pair.client.target = "localhost";
        assert_int_equal(form->acquire(package, SECPKG_CRED_OUTBOUND,
                                       i % 2 ? (void *)&v4 : (void *)&v5, &pair.client.credential,
                                       NULL),
                         SEC_E_OK);
        pair.client.has_credential = true;
        if (root) { /* copied */
            CertCloseStore(store, 0);
            CertFreeCertificateContext(root);
        }
        assert_int_equal(peer_handshake(&pair), rows[i / 2].status);
        peer_close(&pair);
    }
}

/* ---- counts ---- */

static void counts_and_arrays_must_fit(const struct peer_form *form)
{
    PCCERT_CONTEXT none[101] = {NULL};
    ALG_ID algorithms[257] = {0};
    TLS_PARAMETERS parameters[17] = {{0}};
    CRYPTO_SETTINGS settings[17] = {{0}};
    UNICODE_STRING strings[17] = {{0}};

    for (int way = 0; way < 16; way++) {
        SCHANNEL_CRED v4 = {.dwVersion = SCHANNEL_CRED_VERSION};
        SCH_CREDENTIALS v5 = {.dwVersion = SCH_CREDENTIALS_VERSION,
                              .cTlsParameters = 1,
                              .pTlsParameters = parameters};
        void *auth = way < 6 ? (void *)&v4 : (void *)&v5;

        memset(parameters, 0, sizeof(parameters));
        memset(settings, 0, sizeof(settings));
        parameters[0].cDisabledCrypto = 1;
        parameters[0].pDisabledCrypto = settings;
        switch (way) {
        case 0:
            v4.cCreds = 1;
            break;
        case 1:
            v4.cCreds = 101;
            v4.paCred = none;
            break;
        case 2:
            v4.cCreds = UINT32_MAX;
            v4.paCred = none;
            break;
        case 3:
            v4.cSupportedAlgs = 1;
            break;
        case 4:
            v4.cSupportedAlgs = 257;
            v4.palgSupportedAlgs = algorithms;
            break;
        case 5:
            v4.dwCredFormat = 77;
            break;
        case 6:
            v5.pTlsParameters = NULL;
            break;
        case 7:
            v5.cTlsParameters = 17;
            break;
        case 8:
            v5.cTlsParameters = 2; /* two without protocols */
            break;
        case 9:
            parameters[0].pDisabledCrypto = NULL;
            break;
        case 10:
            parameters[0].cDisabledCrypto = 17;
            break;
        case 11:
            parameters[0].cAlpnIds = 1;
            break;
        case 12:
            parameters[0].cAlpnIds = 17;
            parameters[0].rgstrAlpnIds = strings;
            break;
        case 13:
            settings[0].cChainingModes = 1;
            break;
        case 14:
            settings[0].cChainingModes = 17;
            settings[0].rgstrChainingModes = strings;
            break;
        default:
            settings[0].strCngAlgId = (UNICODE_STRING){.Length = 10};
            break;
        }
        if (try_acquire(form, package, SECPKG_CRED_OUTBOUND, auth) != SEC_E_UNKNOWN_CREDENTIALS)
            print_error("way %d\n", way);
        assert_int_equal(try_acquire(form, package, SECPKG_CRED_OUTBOUND, auth),
                         SEC_E_UNKNOWN_CREDENTIALS);
    }
}

/* Everything is copied while the call is made: the caller may change it at once. */
static void s1_2_auth_data_are_captured(const struct peer_form *form)
{
    PCCERT_CONTEXT certificate = peer_certificate("server");
    SCHANNEL_CRED *auth = malloc(sizeof(*auth));
    SspiAsyncContext *async = SspiCreateAsyncContext();
    struct peer_pair pair;
    char *name = malloc(64);
    TimeStamp expiry;

    peer_open(&pair, form, NULL);
    peer_end_free(&pair.server);
    *auth =
        (SCHANNEL_CRED){.dwVersion = SCHANNEL_CRED_VERSION, .cCreds = 1, .paCred = &certificate};
    memcpy(name, "Schannel", 9);
    assert_int_equal(SspiAcquireCredentialsHandleAsyncA(async, NULL, name, SECPKG_CRED_INBOUND,
                                                        NULL, auth, NULL, NULL,
                                                        &pair.server.credential, &expiry),
                     SEC_E_OK);
    memset(auth, 0xFF, sizeof(*auth));
    free(auth);
    memset(name, 0xFF, 64);
    free(name);
    CertFreeCertificateContext(certificate);
    assert_int_equal(OsspiWaitAsyncCall(async, OSSPI_INFINITE), SEC_E_OK);
    SspiFreeAsyncContext(async);
    pair.server.has_credential = true;
    peer_connect(&pair);
    peer_exchange(&pair);
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_1_package_names),
        PEER_CASE(s3_1_wide_package_names),
        PEER_CASE(s2_2_uses),
        PEER_CASE(s2_2_versions),
        PEER_CASE(s2_2_order_of_checks),
        PEER_CASE(s2_2_protocol_masks),
        PEER_CASE(s2_2_certificates),
        PEER_CASE(encrypted_keys_serve_with_their_password),
        PEER_CASE(s2_2_expiry),
        PEER_CASE(s3_2_flags_that_contradict_are_refused),
        PEER_CASE(s3_2_flags_without_effect_change_nothing),
        PEER_CASE(s3_2_restricted_roots_are_those_of_the_root_store),
        PEER_CASE(counts_and_arrays_must_fit),
        PEER_CASE(s1_2_auth_data_are_captured),
    };

    return peer_run_cases("contract.acquire", cases, COUNT_OF(cases));
}
