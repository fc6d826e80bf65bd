/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CertVerifyCertificateChainPolicy: what of a chain's trust status counts for whom; see wincrypt.h.
 * Thread-safe, no state of its own.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/memory.h"
#include "cert/crypto.h"
#include "cert/last_error.h"
#include "cert/policy.h"

#define NAME_MAX_LEN 256u

/* ---- trust ---- */

static const struct {
    DWORD flag;
    uint32_t bits;
} ignored[] = {
    {CERT_CHAIN_POLICY_IGNORE_NOT_TIME_VALID_FLAG, CERT_TRUST_IS_NOT_TIME_VALID},
    {CERT_CHAIN_POLICY_IGNORE_INVALID_BASIC_CONSTRAINTS_FLAG, CERT_TRUST_INVALID_BASIC_CONSTRAINTS},
    {CERT_CHAIN_POLICY_ALLOW_UNKNOWN_CA_FLAG, CERT_TRUST_IS_UNTRUSTED_ROOT},
    {CERT_CHAIN_POLICY_IGNORE_WRONG_USAGE_FLAG, CERT_TRUST_IS_NOT_VALID_FOR_USAGE},
    {CERT_CHAIN_POLICY_IGNORE_INVALID_NAME_FLAG,
     CERT_TRUST_INVALID_NAME_CONSTRAINTS | CERT_TRUST_HAS_NOT_SUPPORTED_NAME_CONSTRAINT |
         CERT_TRUST_HAS_NOT_DEFINED_NAME_CONSTRAINT | CERT_TRUST_HAS_NOT_PERMITTED_NAME_CONSTRAINT |
         CERT_TRUST_HAS_EXCLUDED_NAME_CONSTRAINT},
    {CERT_CHAIN_POLICY_IGNORE_INVALID_POLICY_FLAG,
     CERT_TRUST_INVALID_POLICY_CONSTRAINTS | CERT_TRUST_NO_ISSUANCE_CHAIN_POLICY},
};

/* What is not known of whom may be ignored by itself; that somebody is revoked, never. */
static DWORD revocation_flag(DWORD at, DWORD count)
{
    if (at == 0)
        return CERT_CHAIN_POLICY_IGNORE_END_REV_UNKNOWN_FLAG;
    return at + 1 == count ? CERT_CHAIN_POLICY_IGNORE_ROOT_REV_UNKNOWN_FLAG
                           : CERT_CHAIN_POLICY_IGNORE_CA_REV_UNKNOWN_FLAG;
}

static uint32_t counting(uint32_t trust, DWORD flags)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(ignored); i++) {
        if ((flags & ignored[i].flag) != 0)
            trust &= ~ignored[i].bits;
    }
    return trust;
}

static uint32_t element_trust(const CERT_SIMPLE_CHAIN *chain, DWORD at, DWORD flags)
{
    const uint32_t unknown =
        CERT_TRUST_REVOCATION_STATUS_UNKNOWN | CERT_TRUST_IS_OFFLINE_REVOCATION;
    const uint32_t trust = counting(chain->rgpElement[at]->TrustStatus.dwErrorStatus, flags);

    return (flags & revocation_flag(at, chain->cElement)) != 0 ? trust & ~unknown : trust;
}

static LONG element_with(const CERT_SIMPLE_CHAIN *chain, DWORD flags, int32_t result)
{
    const uint32_t bits = osspi_policy_bits(result);

    for (DWORD i = 0; i < chain->cElement; i++) {
        if ((element_trust(chain, i, flags) & bits) != 0)
            return (LONG)i;
    }
    return -1;
}

static void judge_trust(const CERT_SIMPLE_CHAIN *chain, DWORD flags,
                        PCERT_CHAIN_POLICY_STATUS status)
{
    const uint32_t revocation = CERT_TRUST_REVOCATION_STATUS_UNKNOWN |
                                CERT_TRUST_IS_OFFLINE_REVOCATION | CERT_TRUST_IS_REVOKED;
    /* What concerns the chain as a whole stands in no element. */
    uint32_t trust = counting(chain->TrustStatus.dwErrorStatus & ~revocation, flags);

    for (DWORD i = 0; i < chain->cElement; i++)
        trust |= element_trust(chain, i, flags);
    const int32_t result = osspi_policy_result(trust);
    if (result == 0)
        return;
    status->dwError = (DWORD)result;
    status->lChainIndex = 0;
    status->lElementIndex = element_with(chain, flags, result);
}

/* ---- SSL ---- */

static X509 *leaf_of(const CERT_SIMPLE_CHAIN *chain)
{
    const CERT_CONTEXT *context = chain->cElement > 0 ? chain->rgpElement[0]->pCertContext : NULL;
    const unsigned char *at = context == NULL ? NULL : context->pbCertEncoded;

    return at == NULL ? NULL : d2i_X509(NULL, &at, (long)context->cbCertEncoded);
}

/* ASCII alone, as in Schannel's target names. False: nothing that a certificate could name. */
static bool read_name(const WCHAR *name, char ret_name[NAME_MAX_LEN])
{
    size_t len = 0;

    for (; name[len] != 0; len++) {
        if (len + 1 >= NAME_MAX_LEN || (uint16_t)name[len] > 0x7E || (uint16_t)name[len] <= 0x20)
            return false;
        ret_name[len] = (char)name[len];
    }
    if (len > 1 && ret_name[len - 1] == '.')
        len--;
    ret_name[len] = '\0';
    return len > 0 && ret_name[0] != '.'; /* to OpenSSL that means all names below */
}

static bool is_address(const char *name)
{
    unsigned char address[16];

    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

static bool names(X509 *leaf, const char *name)
{
    const unsigned int flags =
        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

    return is_address(name) ? X509_check_ip_asc(leaf, name, 0) == 1
                            : X509_check_host(leaf, name, 0, flags, NULL) == 1;
}

static const HTTPSPolicyCallbackData *ssl_data(const CERT_CHAIN_POLICY_PARA *para)
{
    const HTTPSPolicyCallbackData *data = para == NULL ? NULL : para->pvExtraPolicyPara;

    return data != NULL && data->cbSize >= sizeof(*data) ? data : NULL;
}

static DWORD ssl_flags(const HTTPSPolicyCallbackData *data, DWORD flags)
{
    const DWORD checks = data == NULL ? 0 : data->fdwChecks;

    if ((checks & SECURITY_FLAG_IGNORE_REVOCATION) != 0)
        flags |= CERT_CHAIN_POLICY_IGNORE_ALL_REV_UNKNOWN_FLAGS;
    if ((checks & SECURITY_FLAG_IGNORE_UNKNOWN_CA) != 0)
        flags |= CERT_CHAIN_POLICY_ALLOW_UNKNOWN_CA_FLAG;
    if ((checks & SECURITY_FLAG_IGNORE_WRONG_USAGE) != 0)
        flags |= CERT_CHAIN_POLICY_IGNORE_WRONG_USAGE_FLAG;
    if ((checks & SECURITY_FLAG_IGNORE_CERT_DATE_INVALID) != 0)
        flags |= CERT_CHAIN_POLICY_IGNORE_NOT_TIME_VALID_FLAG;
    return flags;
}

/* The usage first, because it says whether there is a name to compare at all. */
static int32_t judge_peer(X509 *leaf, const HTTPSPolicyCallbackData *data, DWORD flags)
{
    const bool client = data->dwAuthType == AUTHTYPE_CLIENT;
    char name[NAME_MAX_LEN];

    if ((flags & CERT_CHAIN_POLICY_IGNORE_WRONG_USAGE_FLAG) == 0 &&
        X509_check_purpose(leaf, client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER, 0) !=
            1)
        return CERT_E_WRONG_USAGE;
    if (client || data->pwszServerName == NULL ||
        (data->fdwChecks & SECURITY_FLAG_IGNORE_CERT_CN_INVALID) != 0)
        return 0;
    return read_name(data->pwszServerName, name) && names(leaf, name) ? 0 : CERT_E_CN_NO_MATCH;
}

static SECURITY_STATUS judge_ssl(const CERT_SIMPLE_CHAIN *chain, const CERT_CHAIN_POLICY_PARA *para,
                                 PCERT_CHAIN_POLICY_STATUS status)
{
    OSSPI_CRYPTO_CALL;
    const HTTPSPolicyCallbackData *data = ssl_data(para);
    const DWORD flags = ssl_flags(data, para == NULL ? 0 : para->dwFlags);

    judge_trust(chain, flags, status);
    if (status->dwError != 0 || data == NULL)
        return SEC_E_OK;
    X509 *leaf = leaf_of(chain);
    if (leaf == NULL)
        return osspi_crypto_failure(SEC_E_INVALID_PARAMETER);
    const int32_t result = judge_peer(leaf, data, flags);
    X509_free(leaf);
    if (result != 0) {
        status->dwError = (DWORD)result;
        status->lChainIndex = status->lElementIndex = 0;
    }
    return SEC_E_OK;
}

OSSPI_API BOOL WINAPI CertVerifyCertificateChainPolicy(LPCSTR pszPolicyOID,
                                                       PCCERT_CHAIN_CONTEXT pChainContext,
                                                       PCERT_CHAIN_POLICY_PARA pPolicyPara,
                                                       PCERT_CHAIN_POLICY_STATUS pPolicyStatus)
{
    SECURITY_STATUS status = SEC_E_OK;

    if (pChainContext == NULL || pPolicyStatus == NULL || pChainContext->cChain == 0)
        return osspi_fail(SEC_E_INVALID_PARAMETER);
    if (pszPolicyOID != CERT_CHAIN_POLICY_BASE && pszPolicyOID != CERT_CHAIN_POLICY_SSL) {
        SetLastError(ERROR_FILE_NOT_FOUND);
        return FALSE;
    }
    pPolicyStatus->dwError = 0;
    pPolicyStatus->lChainIndex = pPolicyStatus->lElementIndex = -1;
    if (pszPolicyOID == CERT_CHAIN_POLICY_SSL)
        status = judge_ssl(pChainContext->rgpChain[0], pPolicyPara, pPolicyStatus);
    else
        judge_trust(pChainContext->rgpChain[0], pPolicyPara == NULL ? 0 : pPolicyPara->dwFlags,
                    pPolicyStatus);
    return status == SEC_E_OK ? TRUE : osspi_fail(status);
}
