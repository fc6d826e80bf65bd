/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What connect, serve and bench share of Schannel.
 */
#include "tls.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <opensspi.h>

#include "store.h"
#include "text.h"
#include "tool.h"

bool tls_alpn_set(struct tls_alpn *alpn, const char *list)
{
    size_t len;
    if (!text_alpn(list, alpn->bytes + 10, TLS_ALPN_MAX, &len))
        return false;
    uint32_t lists_size = (uint32_t)len + 6;
    uint32_t extension = SecApplicationProtocolNegotiationExt_ALPN;
    uint16_t list_size = (uint16_t)len;
    memcpy(alpn->bytes, &lists_size, 4);
    memcpy(alpn->bytes + 4, &extension, 4);
    memcpy(alpn->bytes + 8, &list_size, 2);
    alpn->len = (ULONG)len + 10;
    return true;
}

bool tls_version_known(const char *version)
{
    return strcmp(version, "1.2") == 0 || strcmp(version, "1.3") == 0;
}

/* How much of a name may be shown: behind the "?" of a PKCS #11 URI there may be a PIN. */
static int shown_length(const char *name)
{
    return strncasecmp(name, "pkcs11:", 7) == 0 ? (int)strcspn(name, "?") : (int)strlen(name);
}

static int load_certificate(const struct tls_options *options, PCCERT_CONTEXT *ret_cert)
{
    char *password = NULL;
    if (options->password && !(password = text_password(options->password)))
        return TOOL_LOCAL;
    SECURITY_STATUS status = OsspiLoadCertificate(options->cert, options->key, password, ret_cert);
    text_free_password(password);
    if (status == SEC_E_OK)
        return TOOL_OK;

    char what[512];
    const char *key = options->key ? options->key : "in the same place";
    snprintf(what, sizeof(what), "cannot use the certificate %.*s with the key %.*s",
             shown_length(options->cert), options->cert, shown_length(key), key);
    text_complain_status(what, status, NULL);
    return TOOL_LOCAL;
}

static int load_client_ca(const char *path, HCERTSTORE *ret_store)
{
    *ret_store = CertOpenStore(CERT_STORE_PROV_FILENAME_A, 0, 0,
                               CERT_STORE_READONLY_FLAG | CERT_STORE_OPEN_EXISTING_FLAG, path);
    PCCERT_CONTEXT first = *ret_store ? CertEnumCertificatesInStore(*ret_store, NULL) : NULL;
    if (!first) {
        text_complain("cannot find a certificate in %s", path);
        return TOOL_LOCAL;
    }
    CertFreeCertificateContext(first);
    return TOOL_OK;
}

/* Asks clients for certificates, on every connection of this credential. */
static int ask_clients(const struct tls_options *options, PCredHandle credential)
{
    SecPkgCred_ClientCertPolicy policy = {.dwFlags = options->require_client_cert
                                                         ? OSSPI_CLIENT_CERT_REQUIRE
                                                         : OSSPI_CLIENT_CERT_REQUEST};
    if (!options->client_ca)
        return TOOL_OK;
    SECURITY_STATUS status = SetCredentialsAttributesA(credential, SECPKG_ATTR_CLIENT_CERT_POLICY,
                                                       &policy, sizeof(policy));
    if (status == SEC_E_OK)
        return TOOL_OK;
    text_complain_status("cannot ask for client certificates", status, NULL);
    return TOOL_LOCAL;
}

int tls_auth_load(const struct tls_options *options, struct tls_auth *ret_auth)
{
    *ret_auth = (struct tls_auth){
        .credentials = {.dwVersion = SCH_CREDENTIALS_VERSION, .dwFlags = options->flags}};
    if (options->cert || options->store_cert) {
        int code = options->cert ? load_certificate(options, &ret_auth->cert)
                                 : store_find(options->store_cert, &ret_auth->cert);
        if (code != TOOL_OK)
            return code;
        ret_auth->credentials.cCreds = 1;
        ret_auth->credentials.paCred = &ret_auth->cert;
    }
    if (options->client_ca) {
        int code = load_client_ca(options->client_ca, &ret_auth->roots);
        if (code != TOOL_OK)
            return code;
        ret_auth->credentials.hRootStore = ret_auth->roots;
    }
    if (options->version) {
        /* The structure says what is not wanted; bits that mean nothing to this side are allowed.
         */
        ret_auth->parameters.grbitDisabledProtocols =
            strcmp(options->version, "1.3") == 0 ? ~SP_PROT_TLS1_3 : ~SP_PROT_TLS1_2;
        ret_auth->credentials.cTlsParameters = 1;
        ret_auth->credentials.pTlsParameters = &ret_auth->parameters;
    }
    return TOOL_OK;
}

void tls_auth_clear(struct tls_auth *auth)
{
    CertFreeCertificateContext(auth->cert);
    if (auth->roots)
        CertCloseStore(auth->roots, 0);
    *auth = (struct tls_auth){0};
}

int tls_acquire(const struct tls_options *options, PCredHandle ret_credential)
{
    struct tls_auth auth;
    int code = tls_auth_load(options, &auth);
    if (code == TOOL_OK) {
        SECURITY_STATUS status = AcquireCredentialsHandleA(
            NULL, UNISP_NAME_A, options->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, NULL,
            &auth.credentials, NULL, NULL, ret_credential, NULL);
        if (status != SEC_E_OK) {
            text_complain_status("cannot get a credential", status, NULL);
            code = TOOL_LOCAL;
        } else if ((code = ask_clients(options, ret_credential)) != TOOL_OK) {
            FreeCredentialsHandle(ret_credential);
        }
    }
    tls_auth_clear(&auth);
    return code;
}

int tls_renew(const struct tls_options *options, PCredHandle credential)
{
    PCCERT_CONTEXT cert = NULL;
    int code =
        options->cert ? load_certificate(options, &cert) : store_find(options->store_cert, &cert);
    if (code != TOOL_OK)
        return code;
    SECURITY_STATUS status = OsspiRenewCredential(credential, &cert, 1, NULL);
    CertFreeCertificateContext(cert);
    if (status == SEC_E_OK)
        return TOOL_OK;
    text_complain_status("cannot go over to the new certificate", status, NULL);
    return TOOL_LOCAL;
}

int tls_configure(const char *ca, unsigned long workers)
{
    if (ca && access(ca, R_OK) < 0) {
        text_complain("cannot read %s: %s", ca, strerror(errno));
        return TOOL_LOCAL;
    }
    if (!ca && workers == 0)
        return TOOL_OK;
    OsspiOptions options = {.cbSize = sizeof(options), .workers = (ULONG)workers, .trust_file = ca};
    SECURITY_STATUS status = OsspiConfigure(&options);
    if (status == SEC_E_OK)
        return TOOL_OK;
    text_complain_status("cannot set up the library", status, NULL);
    return TOOL_LOCAL;
}

bool tls_ask_shutdown(PCtxtHandle context)
{
    DWORD token = SCHANNEL_SHUTDOWN;
    SecBuffer buffer = {sizeof(token), SECBUFFER_TOKEN, &token};
    SecBufferDesc desc = {SECBUFFER_VERSION, 1, &buffer};
    return ApplyControlToken(context, &desc) == SEC_E_OK;
}

void tls_delete(PCtxtHandle context)
{
    if (!SecIsValidHandle(context))
        return;
    SspiAsyncContext *call = SspiCreateAsyncContext();
    if (!call || SspiDeleteSecurityContextAsync(call, context) != SEC_E_OK)
        DeleteSecurityContext(context);
    SspiFreeAsyncContext(call);
    SecInvalidateHandle(context);
}
