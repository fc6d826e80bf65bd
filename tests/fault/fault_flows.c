/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The flows; see fault_flows.h. What a flow needs but does not test is made outside of the hooks.
 */
#include "fault_flows.h"

#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/tls_raw.h"

/* A call of the library with the hooks around it. */
#define ARMED(call) \
    (__extension__({ \
        fault_hooks.arm(); \
        __auto_type armed_result_ = (call); \
        fault_hooks.disarm(); \
        armed_result_; \
    }))
#define ARMED_VOID(call) \
    do { \
        fault_hooks.arm(); \
        (call); \
        fault_hooks.disarm(); \
    } while (0)

static PCCERT_CONTEXT ec_certificate, rsa_certificate; /* set before the flows */
static uint8_t *pfx;
static size_t pfx_len;

static SECURITY_STATUS last(void)
{
    return (SECURITY_STATUS)GetLastError();
}

/* ---- credentials ---- */

static SECURITY_STATUS acquire_and_free(const struct peer_form *form, ULONG usage, void *auth)
{
    CredHandle credential;
    SECURITY_STATUS status = form->acquire((LPSTR)UNISP_NAME_A, usage, auth, &credential, NULL);

    if (status == SEC_E_OK)
        TEST_REQUIRE_EQUAL(form->free_credential(&credential), SEC_E_OK);
    return status;
}

static SECURITY_STATUS credentials_of_version_4(const struct peer_form *form)
{
    PCCERT_CONTEXT both[] = {ec_certificate, rsa_certificate};
    HCERTSTORE roots = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);
    SCHANNEL_CRED cred = {.dwVersion = SCHANNEL_CRED_VERSION, .hRootStore = roots};
    SECURITY_STATUS status = acquire_and_free(form, SECPKG_CRED_OUTBOUND, NULL);

    TEST_REQUIRE(
        CertAddCertificateContextToStore(roots, ec_certificate, CERT_STORE_ADD_ALWAYS, NULL));
    if (status == SEC_E_OK)
        status = acquire_and_free(form, SECPKG_CRED_OUTBOUND, &cred);
    cred.cCreds = 2;
    cred.paCred = both;
    if (status == SEC_E_OK)
        status = acquire_and_free(form, SECPKG_CRED_INBOUND, &cred);
    cred.cCreds = 1;
    if (status == SEC_E_OK)
        status = acquire_and_free(form, SECPKG_CRED_OUTBOUND, &cred);
    CertCloseStore(roots, 0);
    return status;
}

static SECURITY_STATUS credentials_of_version_5(const struct peer_form *form)
{
    static WCHAR algorithm[] = u"AES", mode[] = u"ChainingModeCBC";
    UNICODE_STRING modes = {sizeof(mode) - 2, sizeof(mode), mode};
    CRYPTO_SETTINGS off = {.eAlgorithmUsage = TlsParametersCngAlgUsageCipher,
                           .strCngAlgId = {sizeof(algorithm) - 2, sizeof(algorithm), algorithm},
                           .cChainingModes = 1,
                           .rgstrChainingModes = &modes};
    TLS_PARAMETERS parameters = {.cDisabledCrypto = 1, .pDisabledCrypto = &off};
    SCH_CREDENTIALS cred = {.dwVersion = SCH_CREDENTIALS_VERSION,
                            .cCreds = 1,
                            .paCred = &ec_certificate,
                            .cTlsParameters = 1,
                            .pTlsParameters = &parameters};
    SECURITY_STATUS status = acquire_and_free(form, SECPKG_CRED_INBOUND, &cred);

    return status == SEC_E_OK ? acquire_and_free(form, SECPKG_CRED_OUTBOUND, &cred) : status;
}

static SECURITY_STATUS acquire_by(const struct peer_form *form, PCCERT_CONTEXT certificate)
{
    SCHANNEL_CRED cred = {.dwVersion = SCHANNEL_CRED_VERSION, .cCreds = 1, .paCred = &certificate};

    return acquire_and_free(form, SECPKG_CRED_INBOUND, &cred);
}

static SECURITY_STATUS credential_of_pem(const struct peer_form *form)
{
    char path[512];
    PCCERT_CONTEXT certificate;
    SECURITY_STATUS status;

    peer_path("server-all", ".pem", path, sizeof(path));
    status = ARMED(OsspiLoadCertificate(path, NULL, NULL, &certificate));
    TEST_REQUIRE((status == SEC_E_OK) == (certificate != NULL));
    if (status != SEC_E_OK)
        return status;
    status = acquire_by(form, certificate);
    ARMED_VOID(CertFreeCertificateContext(certificate));
    return status;
}

static SECURITY_STATUS credential_of_pfx(const struct peer_form *form)
{
    CRYPT_DATA_BLOB blob = {(DWORD)pfx_len, pfx};
    HCERTSTORE store = ARMED(PFXImportCertStore(&blob, u"secret", 0));
    PCCERT_CONTEXT certificate;
    SECURITY_STATUS status;

    if (!store)
        return last();
    certificate = ARMED(CertFindCertificateInStore(store, X509_ASN_ENCODING, 0,
                                                   CERT_FIND_HAS_PRIVATE_KEY, NULL, NULL));
    status = certificate ? acquire_by(form, certificate) : last();
    if (certificate)
        ARMED_VOID(CertFreeCertificateContext(certificate));
    TEST_REQUIRE(ARMED(CertCloseStore(store, CERT_CLOSE_STORE_CHECK_FLAG)));
    return status;
}

/* A context of bare DER has no key, which must not be forgotten for want of memory. */
static SECURITY_STATUS credential_without_key(const struct peer_form *form)
{
    PCCERT_CONTEXT certificate = ARMED(CertCreateCertificateContext(
        X509_ASN_ENCODING, ec_certificate->pbCertEncoded, ec_certificate->cbCertEncoded));
    SECURITY_STATUS status;

    if (!certificate)
        return last();
    status = acquire_by(form, certificate);
    ARMED_VOID(CertFreeCertificateContext(certificate));
    TEST_REQUIRE(status != SEC_E_OK);
    return status == SEC_E_NO_CREDENTIALS ? SEC_E_OK : status;
}

static SECURITY_STATUS ask_credential(PCredHandle credential)
{
    static const ULONG attributes[] = {SECPKG_ATTR_SUPPORTED_ALGS, SECPKG_ATTR_CIPHER_STRENGTHS,
                                       SECPKG_ATTR_SUPPORTED_PROTOCOLS};
    SECURITY_STATUS status = SEC_E_OK;

    for (size_t i = 0; i < 6 && status == SEC_E_OK; i++) {
        SecPkgCred_SupportedAlgs answer;

        status = i % 2 ? ARMED(QueryCredentialsAttributesW(credential, attributes[i / 2], &answer))
                       : ARMED(QueryCredentialsAttributesA(credential, attributes[i / 2], &answer));
        if (status == SEC_E_OK && i < 2)
            FreeContextBuffer(answer.palgSupportedAlgs);
    }
    return status;
}

static SECURITY_STATUS credential_attributes(const struct peer_form *form)
{
    struct peer_end end;
    SECURITY_STATUS status;

    peer_end_init(&end, form, false);
    status = peer_end_acquire(&end, 0, 0, NULL, false);
    if (status == SEC_E_OK)
        status = ask_credential(&end.credential);
    peer_end_free(&end);
    return status;
}

/* ---- connections ---- */

static void open_pair(struct peer_pair *pair, const struct peer_form *form)
{
    peer_end_init(&pair->client, form, false);
    peer_end_init(&pair->server, form, true);
}

static SECURITY_STATUS connect_and_talk(struct peer_pair *pair)
{
    SECURITY_STATUS status = peer_handshake(pair);

    if (status != SEC_E_OK)
        return status;
    peer_established(&pair->client);
    peer_established(&pair->server);
    status = memory_tell(&pair->client, &pair->server);
    return status == SEC_E_OK ? memory_tell(&pair->server, &pair->client) : status;
}

static SECURITY_STATUS acquire_pair(struct peer_pair *pair, DWORD protocols, const char *client)
{
    SECURITY_STATUS status = peer_end_acquire(&pair->client, protocols, 0, client, false);

    return status == SEC_E_OK ? peer_end_acquire(&pair->server, 0, 0, "server", true) : status;
}

static SECURITY_STATUS with_client_certificate(const struct peer_form *form, DWORD protocols)
{
    struct peer_pair pair;
    PCCERT_CONTEXT certificate;
    SECURITY_STATUS status;

    open_pair(&pair, form);
    pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
    status = acquire_pair(&pair, protocols, "client");
    if (status == SEC_E_OK)
        status = connect_and_talk(&pair);
    if (status == SEC_E_OK) {
        status = ARMED(QueryContextAttributesA(&pair.server.context,
                                               SECPKG_ATTR_REMOTE_CERT_CONTEXT, &certificate));
        if (status == SEC_E_OK)
            CertFreeCertificateContext(certificate);
    }
    peer_close(&pair);
    return status;
}

/* Asked, told, and on without: what the server accepts is asked for on the way. */
static SECURITY_STATUS without_client_certificate(const struct peer_form *form, DWORD protocols)
{
    struct peer_pair pair;
    SecPkgContext_IssuerListInfoEx issuers;
    SECURITY_STATUS status;

    open_pair(&pair, form);
    pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
    status = acquire_pair(&pair, protocols, NULL);
    if (status == SEC_E_OK)
        status = connect_and_talk(&pair);
    if (status == SEC_E_OK)
        status = ARMED(
            QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_ISSUER_LIST_EX, &issuers));
    peer_close(&pair);
    return status;
}

static SECURITY_STATUS no_client_certificate_tls13(const struct peer_form *form)
{
    return without_client_certificate(form, SP_PROT_TLS1_3_CLIENT);
}

static SECURITY_STATUS no_client_certificate_tls12(const struct peer_form *form)
{
    return without_client_certificate(form, SP_PROT_TLS1_2_CLIENT);
}

static SECURITY_STATUS client_certificate_tls13(const struct peer_form *form)
{
    return with_client_certificate(form, SP_PROT_TLS1_3_CLIENT);
}

static SECURITY_STATUS client_certificate_tls12(const struct peer_form *form)
{
    return with_client_certificate(form, SP_PROT_TLS1_2_CLIENT);
}

/* Two connections more with the session of the first, and each one's end. */
static SECURITY_STATUS resumed(const struct peer_form *form, DWORD protocols)
{
    struct peer_pair pair;
    SECURITY_STATUS status;

    open_pair(&pair, form);
    status = acquire_pair(&pair, protocols, NULL);
    for (int i = 0; i < 3 && status == SEC_E_OK; i++) {
        status = connect_and_talk(&pair);
        if (status == SEC_E_OK)
            status = memory_shut(&pair.client);
        peer_disconnect(&pair);
    }
    peer_close(&pair);
    return status;
}

static SECURITY_STATUS resumption_tls13(const struct peer_form *form)
{
    return resumed(form, SP_PROT_TLS1_3_CLIENT);
}

static SECURITY_STATUS resumption_tls12(const struct peer_form *form)
{
    return resumed(form, SP_PROT_TLS1_2_CLIENT);
}

static SECURITY_STATUS application_protocols(const struct peer_form *form)
{
    static const uint8_t list[] = {18,  0,   0, 0,   2,   0,   0,   0,   12,  0,   2,
                                   'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    struct peer_pair pair;
    SECURITY_STATUS status;

    open_pair(&pair, form);
    pair.client.alpn = pair.server.alpn = list;
    pair.client.alpn_size = pair.server.alpn_size = sizeof(list);
    status = acquire_pair(&pair, 0, NULL);
    if (status == SEC_E_OK)
        status = connect_and_talk(&pair);
    peer_close(&pair);
    return status;
}

/* ---- what OpenSSL sends after the handshake ---- */

/* Opens all that waits, with legs in between, and answers into wire. */
static SECURITY_STATUS take_all(struct peer_end *end, struct peer_end *wire)
{
    SECURITY_STATUS status = SEC_E_OK;

    while (status == SEC_E_OK && end->in.len > 0) {
        SecBuffer in[4] = {{(ULONG)end->in.len, SECBUFFER_DATA, end->in.bytes}};
        SecBufferDesc message = {SECBUFFER_VERSION, 4, in};

        status = ARMED(DecryptMessage(&end->context, &message, 0, NULL));
        if (status < 0)
            return status;
        peer_drop(&end->in, end->in.len - in[3].cbBuffer);
        if (status == SEC_I_RENEGOTIATE)
            status = peer_step(end, wire);
    }
    return status;
}

static SECURITY_STATUS renewed_keys(const struct peer_form *form, bool server)
{
    struct raw_peer raw;
    struct peer_end end, wire = {0};
    SECURITY_STATUS status;

    raw_open(&raw, !server, TLS1_3_VERSION, server ? NULL : "server");
    peer_end_init(&end, form, server);
    status = peer_end_acquire(&end, 0, 0, server ? "server" : NULL, false);
    if (status == SEC_E_OK)
        status = raw_handshake(&raw, &end);
    for (int i = 0; i < 2 && status == SEC_E_OK; i++) {
        raw_give(&raw, &wire.in);
        TEST_REQUIRE_EQUAL(
            SSL_key_update(raw.ssl, i ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED),
            1);
        raw_send(&raw, &end, "data", 4);
        status = take_all(&end, &wire);
    }
    peer_clear(&wire.in);
    peer_end_free(&end);
    raw_close(&raw);
    return status;
}

static SECURITY_STATUS key_update_of_a_server(const struct peer_form *form)
{
    return renewed_keys(form, false);
}

static SECURITY_STATUS key_update_of_a_client(const struct peer_form *form)
{
    return renewed_keys(form, true);
}

static SECURITY_STATUS request_to_renegotiate(const struct peer_form *form)
{
    struct raw_peer raw;
    struct peer_end end, wire = {0};
    SECURITY_STATUS status;

    raw_open(&raw, true, TLS1_2_VERSION, "server");
    peer_end_init(&end, form, false);
    status = peer_end_acquire(&end, 0, 0, NULL, false);
    if (status == SEC_E_OK)
        status = raw_handshake(&raw, &end);
    if (status == SEC_E_OK) {
        TEST_REQUIRE_EQUAL(SSL_renegotiate(raw.ssl), 1);
        (void)SSL_do_handshake(raw.ssl);
        raw_take(&raw, &end.in);
        status = take_all(&end, &wire);
    }
    peer_clear(&wire.in);
    peer_end_free(&end);
    raw_close(&raw);
    return status;
}

/* ---- attributes ---- */

union answer {
    PCCERT_CONTEXT certificate;
    SecPkgContext_Certificates chain;
    SecPkgContext_KeyInfoA key;
    SecPkgContext_Bindings bindings;
    SecPkgContext_PackageInfoA package;
    SecPkgContext_KeyingMaterial keying;
    SecPkgContext_KeyingMaterial_Inproc inproc;
    PCCERT_CHAIN_CONTEXT verified;
    SecPkgContext_CertInfo local;
    void *pointers[2]; /* of structures with one, after a count or not */
    uint8_t room[4096];
};

static char label[] =
    "EXPORTER-test"; /* constant after its definition; the API wants it writable */

static void free_answer(ULONG attribute, union answer *answer)
{
    switch (attribute) {
    case SECPKG_ATTR_REMOTE_CERT_CONTEXT:
    case SECPKG_ATTR_LOCAL_CERT_CONTEXT:
        CertFreeCertificateContext(answer->certificate);
        break;
    case SECPKG_ATTR_REMOTE_CERTIFICATES:
        FreeContextBuffer(answer->chain.pbCertificateChain);
        break;
    case SECPKG_ATTR_KEY_INFO:
        FreeContextBuffer(answer->key.sSignatureAlgorithmName);
        FreeContextBuffer(answer->key.sEncryptAlgorithmName);
        break;
    case SECPKG_ATTR_UNIQUE_BINDINGS:
    case SECPKG_ATTR_ENDPOINT_BINDINGS:
        FreeContextBuffer(answer->bindings.Bindings);
        break;
    case SECPKG_ATTR_PACKAGE_INFO:
        FreeContextBuffer(answer->package.PackageInfo);
        break;
    case SECPKG_ATTR_KEYING_MATERIAL:
        FreeContextBuffer(answer->keying.pbKeyingMaterial);
        break;
    case SECPKG_ATTR_KEYING_MATERIAL_INPROC:
        FreeContextBuffer(answer->inproc.pbKeyingMaterial);
        break;
    case SECPKG_ATTR_REMOTE_CERT_CHAIN:
        CertFreeCertificateChain(answer->verified);
        break;
    case SECPKG_ATTR_LOCAL_CERT_INFO:
        FreeContextBuffer(answer->local.pwszSubjectName);
        FreeContextBuffer(answer->local.pwszIssuerName);
        break;
    case SECPKG_ATTR_ISSUER_LIST_EX:
    case SECPKG_ATTR_NAMES:
    case SECPKG_ATTR_AUTHORITY:
    case SECPKG_ATTR_PROTO_INFO:
        FreeContextBuffer(answer->pointers[0]);
        break;
    case SECPKG_ATTR_TARGET_INFORMATION:
    case SECPKG_ATTR_NEGOTIATED_TLS_EXTENSIONS:
    case SECPKG_ATTR_SUPPORTED_SIGNATURES:
    case SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT:
    case SECPKG_ATTR_SERIALIZED_REMOTE_CERT_CONTEXT_INPROC:
    case SECPKG_ATTR_CREDS_2:
        FreeContextBuffer(answer->pointers[1]);
        break;
    default:
        break;
    }
}

static SECURITY_STATUS ask_once(PCtxtHandle context, ULONG attribute, bool wide)
{
    union answer answer = {0};
    SECURITY_STATUS status;

    if (attribute == SECPKG_ATTR_KEYING_MATERIAL_INPROC)
        answer.inproc = (SecPkgContext_KeyingMaterial_Inproc){
            .cbLabel = sizeof(label), .pszLabel = label, .cbKeyingMaterial = 32};
    status = wide ? QueryContextAttributesW(context, attribute, &answer)
                  : QueryContextAttributesA(context, attribute, &answer);
    if (status == SEC_E_OK)
        free_answer(attribute, &answer);
    return status;
}

/* What is not answered with memory is answered in the same way without. */
static SECURITY_STATUS ask(PCtxtHandle context, ULONG attribute, bool wide)
{
    SECURITY_STATUS usual = ask_once(context, attribute, wide);
    SECURITY_STATUS status = ARMED(ask_once(context, attribute, wide));

    return status == usual ? SEC_E_OK : status;
}

static SECURITY_STATUS ask_all(PCtxtHandle context, bool wide)
{
    SecPkgContext_KeyingMaterialInfo info = {
        .cbLabel = sizeof(label), .pszLabel = label, .cbKeyingMaterial = 32};
    SECURITY_STATUS status =
        wide ? ARMED(SetContextAttributesW(context, SECPKG_ATTR_KEYING_MATERIAL_INFO, &info,
                                           sizeof(info)))
             : ARMED(SetContextAttributesA(context, SECPKG_ATTR_KEYING_MATERIAL_INFO, &info,
                                           sizeof(info)));
    char detail[200];

    for (ULONG attribute = 0; attribute < 0x80 && status == SEC_E_OK; attribute++)
        status = ask(context, attribute, wide);
    if (status == SEC_E_OK)
        status = ask(context, SECPKG_ATTR_CREDS_2, wide);
    if (status == SEC_E_OK)
        status = ARMED(OsspiGetErrorDetail(context, detail, sizeof(detail)));
    return status;
}

static SECURITY_STATUS every_attribute(const struct peer_form *form)
{
    struct peer_pair pair;
    SECURITY_STATUS status;

    open_pair(&pair, form);
    pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
    status = acquire_pair(&pair, SP_PROT_TLS1_2_CLIENT, "client");
    if (status == SEC_E_OK)
        status = peer_handshake(&pair);
    for (int i = 0; i < 4 && status == SEC_E_OK; i++)
        status = ask_all(i % 2 ? &pair.client.context : &pair.server.context, i >= 2);
    peer_close(&pair);
    return status;
}

/* ---- control tokens ---- */

static SECURITY_STATUS control_tokens(const struct peer_form *form)
{
    const SCHANNEL_SESSION_TOKEN sessions = {SCHANNEL_SESSION, SSL_SESSION_DISABLE_RECONNECTS};
    const SCHANNEL_ALERT_TOKEN alert = {SCHANNEL_ALERT, TLS1_ALERT_FATAL,
                                        TLS1_ALERT_INTERNAL_ERROR};
    struct peer_pair pair;
    SECURITY_STATUS status;

    open_pair(&pair, form);
    status = acquire_pair(&pair, 0, NULL);
    if (status == SEC_E_OK)
        status = peer_handshake(&pair);
    if (status == SEC_E_OK)
        status = ARMED(peer_control(&pair.client, &sessions, sizeof(sessions)));
    if (status == SEC_E_OK)
        status = ARMED(peer_control(&pair.server, &sessions, sizeof(sessions)));
    if (status == SEC_E_OK) /* an alert of the caller's own, which there is not */
        status = ARMED(peer_control(&pair.server, &alert, sizeof(alert)));
    if (status == SEC_E_UNSUPPORTED_FUNCTION)
        status = memory_shut(&pair.client);
    if (status == SEC_E_OK)
        status = memory_shut(&pair.server);
    peer_close(&pair);
    return status;
}

/* ---- what needs no connection ---- */

static SECURITY_STATUS packages(const struct peer_form *form)
{
    PSecPkgInfoA narrow;
    PSecPkgInfoW wide;
    ULONG count;
    SECURITY_STATUS status = ARMED(EnumerateSecurityPackagesA(&count, &narrow));

    (void)form;
    if (status == SEC_E_OK) {
        FreeContextBuffer(narrow);
        status = ARMED(EnumerateSecurityPackagesW(&count, &wide));
    }
    if (status == SEC_E_OK) {
        FreeContextBuffer(wide);
        status = ARMED(QuerySecurityPackageInfoA((LPSTR)UNISP_NAME_A, &narrow));
    }
    if (status == SEC_E_OK) {
        FreeContextBuffer(narrow);
        status = ARMED(QuerySecurityPackageInfoW((LPWSTR)UNISP_NAME_W, &wide));
    }
    if (status == SEC_E_OK)
        FreeContextBuffer(wide);
    return status;
}

/* Names too long for the room inside the call, narrow and wide. */
static SECURITY_STATUS long_names(const struct peer_form *form)
{
    char name[700];
    WCHAR wide[700];
    BOOL done;

    (void)form;
    for (size_t i = 0; i < 699; i++)
        wide[i] = (WCHAR)(name[i] = i % 50 == 49 ? '.' : 'a');
    name[699] = '\0';
    wide[699] = 0;
    SetLastError(0);
    done = ARMED(SslEmptyCacheA(name, 0)) && ARMED(SslEmptyCacheW(wide, 0));
    /* It has one word for all that goes wrong. */
    return done ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static void ignore_event(const OsspiTraceRecord *record, void *data)
{
    (void)record;
    (void)data;
}

static void count_call(SspiAsyncContext *context, void *data)
{
    (void)context;
    test_counter_add(data, 1);
}

struct queued {
    SspiAsyncContext *async;
    OsspiCompletionQueue *queue;
    struct test_counter called;
    CredHandle credential;
};

/* One call with a deadline whose callback goes to a queue; looked at, cancelled, waited for. */
static SECURITY_STATUS run_queued(struct queued *queued, bool cancel)
{
    uint64_t before = test_counter_get(&queued->called);
    SECURITY_STATUS status = ARMED(SspiAcquireCredentialsHandleAsyncA(
        queued->async, NULL, (LPSTR)UNISP_NAME_A, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL,
        &queued->credential, NULL));

    if (status != SEC_E_OK)
        return status;
    if (cancel)
        (void)ARMED(OsspiCancelAsyncCall(queued->async));
    (void)ARMED(OsspiWaitAsyncCall(queued->async, 0));
    status = ARMED(OsspiWaitAsyncCall(queued->async, OSSPI_INFINITE));
    while (ARMED(OsspiDrainCompletions(queued->queue, 0)) == 0)
        ;
    TEST_REQUIRE_EQUAL(test_counter_get(&queued->called), before + 1);
    if (status == SEC_E_OK)
        TEST_REQUIRE_EQUAL(FreeCredentialsHandle(&queued->credential), SEC_E_OK);
    return status == HRESULT_FROM_WIN32(ERROR_CANCELLED) ? SEC_E_OK : status;
}

static SECURITY_STATUS use_queue(struct queued *queued)
{
    SECURITY_STATUS status = SEC_E_OK;

    TEST_REQUIRE_EQUAL(SspiSetAsyncNotifyCallback(queued->async, count_call, &queued->called),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(ARMED(OsspiSetCompletionQueue(queued->async, queued->queue)), SEC_E_OK);
    TEST_REQUIRE_EQUAL(ARMED(OsspiSetAsyncTimeout(queued->async, 3600000)), SEC_E_OK);
    for (int i = 0; i < 4 && status == SEC_E_OK; i++)
        status = run_queued(queued, i % 2 != 0);
    return status;
}

static SECURITY_STATUS queues_and_waits(const struct peer_form *form)
{
    struct queued queued = {.called = TEST_COUNTER_INIT};
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};
    SECURITY_STATUS status = ARMED(OsspiSetTrace(ignore_event, &queued));

    (void)form;
    if (status != SEC_E_OK)
        return status;
    queued.async = ARMED(SspiCreateAsyncContext());
    status =
        queued.async ? ARMED(OsspiCreateCompletionQueue(&queued.queue)) : SEC_E_INSUFFICIENT_MEMORY;
    if (status == SEC_E_OK) {
        status = use_queue(&queued);
        TEST_REQUIRE_EQUAL(ARMED(OsspiGetStatistics(&statistics)), SEC_E_OK);
        TEST_REQUIRE_EQUAL(ARMED(OsspiCloseCompletionQueue(queued.queue)), SEC_E_OK);
    }
    SspiFreeAsyncContext(queued.async);
    TEST_REQUIRE_EQUAL(OsspiSetTrace(NULL, NULL), SEC_E_OK);
    return status;
}

/* ---- all flows ---- */

#define FLOW(function) \
    { \
#function, function \
    }

const struct fault_flow fault_flows[] = {
    FLOW(credentials_of_version_4),
    FLOW(credentials_of_version_5),
    FLOW(credential_of_pem),
    FLOW(credential_of_pfx),
    FLOW(credential_without_key),
    FLOW(credential_attributes),
    FLOW(client_certificate_tls13),
    FLOW(client_certificate_tls12),
    FLOW(no_client_certificate_tls13),
    FLOW(no_client_certificate_tls12),
    FLOW(resumption_tls13),
    FLOW(resumption_tls12),
    FLOW(application_protocols),
    FLOW(key_update_of_a_server),
    FLOW(key_update_of_a_client),
    FLOW(request_to_renegotiate),
    FLOW(every_attribute),
    FLOW(control_tokens),
    FLOW(packages),
    FLOW(long_names),
    FLOW(queues_and_waits),
};
const size_t fault_flow_count = OSSPI_COUNT_OF(fault_flows);

int fault_flows_prepare(void **state)
{
    char path[512];
    FILE *file;

    (void)state;
    peer_path("server", ".pfx", path, sizeof(path));
    file = fopen(path, "re");
    TEST_REQUIRE(file != NULL);
    pfx = malloc(65536);
    TEST_REQUIRE(pfx != NULL);
    pfx_len = fread(pfx, 1, 65536, file);
    fclose(file);
    TEST_REQUIRE(pfx_len > 0 && pfx_len < 65536);
    ec_certificate = peer_certificate("server");
    rsa_certificate = peer_certificate("server-rsa");
    return 0;
}

int fault_flows_finish(void **state)
{
    (void)state;
    CertFreeCertificateContext(ec_certificate);
    CertFreeCertificateContext(rsa_certificate);
    free(pfx);
    return 0;
}
