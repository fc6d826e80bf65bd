/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What connect, serve and bench share of Schannel.
 */
#include "tls.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <opensspi.h>

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
    snprintf(what, sizeof(what), "cannot use the certificate %s with the key %s", options->cert,
             options->key ? options->key : "in the same file");
    text_complain_status(what, status, NULL);
    return TOOL_LOCAL;
}

int tls_auth_load(const struct tls_options *options, struct tls_auth *ret_auth)
{
    *ret_auth = (struct tls_auth){
        .credentials = {.dwVersion = SCH_CREDENTIALS_VERSION, .dwFlags = options->flags}};
    if (options->cert) {
        int code = load_certificate(options, &ret_auth->cert);
        if (code != TOOL_OK)
            return code;
        ret_auth->credentials.cCreds = 1;
        ret_auth->credentials.paCred = &ret_auth->cert;
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
        }
    }
    tls_auth_clear(&auth);
    return code;
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
