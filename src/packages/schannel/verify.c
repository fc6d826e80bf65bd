/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Verification of the peer's certificate; see verify.h. Path building and time are OpenSSL's
 * (RFC 5280), the name is compared after RFC 6125 without its relaxations: no common name, no
 * wildcard inside a label, addresses against iPAddress entries only; a name with a NUL in it equals
 * nothing.
 *
 * Runs to its end inside the handshake, on servers too, so that nobody is told of success before.
 * (SSL_set_retry_verify() would make a server accept; it is never used.) Thread-safe.
 */
#include "packages/schannel/verify.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "packages/schannel/tls_callbacks.h"
#include "packages/schannel/tls_internal.h"

#define SUBJECT_SIZE 128u

/* ---- verdicts ---- */

/* What is not in the table is SEC_E_CERT_UNKNOWN: there is a certificate, and it is not good. */
static const struct {
    int verdict;
    SECURITY_STATUS status;
} verdicts[] = {
    {X509_V_OK, SEC_E_OK},
    {X509_V_ERR_OUT_OF_MEM, SEC_E_INSUFFICIENT_MEMORY},
    /* nobody we trust stands at the end of the chain */
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, SEC_E_UNTRUSTED_ROOT},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, SEC_E_UNTRUSTED_ROOT},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, SEC_E_UNTRUSTED_ROOT},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, SEC_E_UNTRUSTED_ROOT},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, SEC_E_UNTRUSTED_ROOT},
    {X509_V_ERR_CERT_UNTRUSTED, SEC_E_UNTRUSTED_ROOT},
    {X509_V_ERR_CERT_REJECTED, SEC_E_UNTRUSTED_ROOT},
    /* the time is not within the validity of some certificate */
    {X509_V_ERR_CERT_NOT_YET_VALID, SEC_E_CERT_EXPIRED},
    {X509_V_ERR_CERT_HAS_EXPIRED, SEC_E_CERT_EXPIRED},
    /* the certificate names somebody else */
    {X509_V_ERR_HOSTNAME_MISMATCH, SEC_E_WRONG_PRINCIPAL},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, SEC_E_WRONG_PRINCIPAL},
    /* revocation */
    {X509_V_ERR_CERT_REVOKED, CRYPT_E_REVOKED},
    {X509_V_ERR_UNABLE_TO_GET_CRL, CRYPT_E_REVOCATION_OFFLINE},
    {X509_V_ERR_CRL_HAS_EXPIRED, CRYPT_E_REVOCATION_OFFLINE},
};

SECURITY_STATUS osspi_verify_status(int verdict)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(verdicts); i++) {
        if (verdicts[i].verdict == verdict)
            return verdicts[i].status;
    }
    return SEC_E_CERT_UNKNOWN;
}

static int refuse(struct osspi_tls *tls, X509_STORE_CTX *store, int verdict)
{
    char subject[SUBJECT_SIZE] = "";
    int depth = X509_STORE_CTX_get_error_depth(store);
    const X509 *certificate = X509_STORE_CTX_get_current_cert(store);

    if (certificate == NULL) {
        certificate = X509_STORE_CTX_get0_cert(store);
        depth = 0;
    }
    if (certificate != NULL) /* escapes what cannot be printed */
        X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
    X509_STORE_CTX_set_error(store, verdict); /* OpenSSL finds the fitting alert */
    tls->verdict = osspi_verify_status(verdict);
    osspi_tls_fail_with(tls, tls->verdict, "certificate %d (%s): %s", depth, subject,
                        X509_verify_cert_error_string(verdict));
    return 0;
}

/* ---- revocation ---- */

/* Revocation is checked against lists that lie in the trust store (the network is not asked). May a
 * missing list be overlooked? The root at the end is on no list; an authority that merely has its
 * issuer's name, after a change of keys for one, may be. */
static bool may_lack_list(const struct osspi_tls *tls, X509_STORE_CTX *store)
{
    const uint32_t flags = tls->config->flags;
    const X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    const int depth = X509_STORE_CTX_get_error_depth(store);

    if (certificate == NULL)
        return false;
    if (depth > 0 && depth == sk_X509_num(X509_STORE_CTX_get0_chain(store)) - 1)
        return true;
    const bool names_source =
        X509_get_ext_by_NID(certificate, NID_crl_distribution_points, -1) >= 0 ||
        X509_get_ext_by_NID(certificate, NID_info_access, -1) >= 0;
    return (flags & (names_source ? SCH_CRED_IGNORE_REVOCATION_OFFLINE
                                  : SCH_CRED_IGNORE_NO_REVOCATION_CHECK)) != 0;
}

static int on_error(int ok, X509_STORE_CTX *store)
{
    if (ok || X509_STORE_CTX_get_error(store) != X509_V_ERR_UNABLE_TO_GET_CRL)
        return ok;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    if (!may_lack_list(osspi_tls_of(ssl), store))
        return 0;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

/* ---- the checks ---- */

/* Old protocols bring the connection's level down; they are no reason to believe in a certificate
 * that anybody could have signed. */
static void keep_level(X509_STORE_CTX *store)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);

    if (X509_VERIFY_PARAM_get_auth_level(param) < OSSPI_TLS_SECURITY_LEVEL)
        X509_VERIFY_PARAM_set_auth_level(param, OSSPI_TLS_SECURITY_LEVEL);
}

static int check_chain(struct osspi_tls *tls, X509_STORE_CTX *store)
{
    if (sk_X509_num(X509_STORE_CTX_get0_untrusted(store)) > (int)OSSPI_MAX_CHAIN)
        return refuse(tls, store, X509_V_ERR_CERT_CHAIN_TOO_LONG);
    keep_level(store);
    X509_STORE_CTX_set_verify_cb(store, on_error);
    if (X509_verify_cert(store) == 1)
        return 1;
    const int verdict = X509_STORE_CTX_get_error(store);
    return refuse(tls, store, verdict == X509_V_OK ? X509_V_ERR_UNSPECIFIED : verdict);
}

static int check_name(struct osspi_tls *tls, X509_STORE_CTX *store)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    const unsigned int flags =
        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    int match;

    if (tls->target == NULL)
        return refuse(tls, store, X509_V_ERR_HOSTNAME_MISMATCH);
    if (tls->target_is_ip)
        match = X509_check_ip_asc(leaf, tls->target, 0);
    else
        match = X509_check_host(leaf, tls->target, 0, flags, NULL);
    if (match == 1)
        return 1;
    if (match == -1)
        return refuse(tls, store, X509_V_ERR_OUT_OF_MEM);
    /* The error is about the leaf, whatever was looked at last. */
    X509_STORE_CTX_set_error_depth(store, 0);
    X509_STORE_CTX_set_current_cert(store, leaf);
    return refuse(tls, store,
                  tls->target_is_ip ? X509_V_ERR_IP_ADDRESS_MISMATCH
                                    : X509_V_ERR_HOSTNAME_MISMATCH);
}

static int64_t first_not_after(X509_STORE_CTX *store)
{
    int64_t first = osspi_tls_not_after(X509_STORE_CTX_get0_cert(store));
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);

    for (int i = 0; i < sk_X509_num(chain); i++) {
        const int64_t end = osspi_tls_not_after(sk_X509_value(chain, i));
        if (end < first)
            first = end;
    }
    return first;
}

int osspi_verify_peer(X509_STORE_CTX *store, void *argument)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct osspi_tls *tls = osspi_tls_of(ssl);
    (void)argument;

    if (tls->verify_peer && !check_chain(tls, store))
        return 0;
    if (tls->verify_name && !check_name(tls, store))
        return 0;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    tls->origin.chain_verified = tls->verify_peer;
    tls->origin.name_verified = tls->verify_name;
    tls->origin.not_after = first_not_after(store);
    /* A full handshake, also where a session was offered: the session's life starts anew. */
    tls->origin.expires = (int64_t)time(NULL) + tls->config->lifespan_s;
    return 1;
}
