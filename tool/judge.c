/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A server's certificate, judged by the command itself: chain and policy of wincrypt.h.
 */
#include "judge.h"

#include "net.h"

/* Host names are ASCII (names of other letters are given in their "xn--" form); a byte that is not
 * ASCII fits no name. */
static void widen(const char *name, WCHAR ret_wide[NET_HOST_SIZE])
{
    size_t i = 0;
    for (; name[i] && i + 1 < NET_HOST_SIZE; i++)
        ret_wide[i] = (unsigned char)name[i];
    ret_wide[i] = 0;
}

/* The policy's verdict in the words of handshakes. */
static SECURITY_STATUS status_of(DWORD error)
{
    switch ((HRESULT)error) {
    case 0:
        return SEC_E_OK;
    case CERT_E_UNTRUSTEDROOT:
    case CERT_E_CHAINING:
        return SEC_E_UNTRUSTED_ROOT;
    case CERT_E_CN_NO_MATCH:
        return SEC_E_WRONG_PRINCIPAL;
    case CERT_E_EXPIRED:
        return SEC_E_CERT_EXPIRED;
    case CERT_E_WRONG_USAGE:
        return SEC_E_CERT_WRONG_USAGE;
    default:
        return SEC_E_CERT_UNKNOWN;
    }
}

SECURITY_STATUS judge_server(PCCERT_CONTEXT cert, const char *name)
{
    WCHAR wide[NET_HOST_SIZE];
    PCCERT_CHAIN_CONTEXT chain = NULL;
    CERT_CHAIN_PARA how = {.cbSize = sizeof(how)};
    widen(name, wide);
    if (!CertGetCertificateChain(NULL, cert, NULL, cert->hCertStore, &how,
                                 CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL, NULL, &chain))
        return (SECURITY_STATUS)GetLastError();
    HTTPSPolicyCallbackData https = {
        .cbStruct = sizeof(https), .dwAuthType = AUTHTYPE_SERVER, .pwszServerName = wide};
    CERT_CHAIN_POLICY_PARA policy = {sizeof(policy), 0, &https};
    CERT_CHAIN_POLICY_STATUS verdict = {.cbSize = sizeof(verdict)};
    SECURITY_STATUS status = SEC_E_CERT_UNKNOWN;
    if (CertVerifyCertificateChainPolicy(CERT_CHAIN_POLICY_SSL, chain, &policy, &verdict))
        status = status_of(verdict.dwError);
    CertFreeCertificateChain(chain);
    return status;
}
