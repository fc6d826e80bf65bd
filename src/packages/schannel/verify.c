/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Verification of the peer's certificate; see verify.h. Path building and time are OpenSSL's
 * (RFC 5280), revocation is cert/judge.c's, the name is compared after RFC 6125 without its
 * relaxations: no common name, no wildcard inside a label, addresses against iPAddress entries
 * only; a name with a NUL in it equals nothing.
 *
 * Runs to its end inside the handshake, on servers too, so that nobody is told of success before.
 * Where the network has to be asked, a client's handshake stands still and is entered again on the
 * blocking lane; a server's verification runs there from its start (SSL_set_retry_verify() would
 * make a server accept). With TLS 1.2 a stapled answer comes behind the certificate: then what only
 * it can tell is left open, and on_status() ends it before the client has said anything more.
 *
 * Thread-safe.
 */
#include "packages/schannel/verify.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "cert/crl.h"
#include "cert/judge.h"
#include "cert/policy.h"
#include "packages/schannel/staple.h"
#include "packages/schannel/tls_callbacks.h"
#include "packages/schannel/tls_internal.h"
#include "packages/schannel/verdict.h"

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

/* ---- revocation ---- */

static enum osspi_scope scope_of(uint32_t flags)
{
    if ((flags & SCH_CRED_REVOCATION_CHECK_CHAIN) != 0)
        return OSSPI_SCOPE_CHAIN;
    if ((flags & SCH_CRED_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT) != 0)
        return OSSPI_SCOPE_CHAIN_BUT_ROOT;
    return (flags & SCH_CRED_REVOCATION_CHECK_END_CERT) != 0 ? OSSPI_SCOPE_END : OSSPI_SCOPE_NONE;
}

static bool never_asks(uint32_t flags)
{
    return (flags & (SCH_CRED_REVOCATION_CHECK_CACHE_ONLY | SCH_CRED_CACHE_ONLY_URL_RETRIEVAL)) !=
           0;
}

static SECURITY_STATUS standing_status(uint32_t flags, enum osspi_standing standing)
{
    switch (standing) {
    case OSSPI_STANDING_REVOKED:
        return CRYPT_E_REVOKED;
    case OSSPI_STANDING_OFFLINE:
        return (flags & SCH_CRED_IGNORE_REVOCATION_OFFLINE) != 0 ? SEC_E_OK
                                                                 : CRYPT_E_REVOCATION_OFFLINE;
    case OSSPI_STANDING_UNKNOWN:
        return (flags & SCH_CRED_IGNORE_NO_REVOCATION_CHECK) != 0 ? SEC_E_OK
                                                                  : CRYPT_E_NO_REVOCATION_CHECK;
    default:
        return SEC_E_OK;
    }
}

/* The first that is not good, a revoked one before all others. from: the first place that counts.
 */
static SECURITY_STATUS revocation_status(uint32_t flags, const struct osspi_judge *judge,
                                         size_t from, size_t *ret_depth)
{
    SECURITY_STATUS worst = SEC_E_OK;

    for (size_t i = from; i < judge->count; i++) {
        const SECURITY_STATUS status = standing_status(flags, judge->places[i].standing);
        if (status == SEC_E_OK || (worst != SEC_E_OK && status != CRYPT_E_REVOKED))
            continue;
        worst = status;
        *ret_depth = i;
        if (worst == CRYPT_E_REVOKED)
            break;
    }
    return worst;
}

static bool is_settled(const struct osspi_judge *judge)
{
    for (size_t i = 0; i < judge->count; i++) {
        if (judge->places[i].standing != OSSPI_STANDING_UNASKED &&
            judge->places[i].standing != OSSPI_STANDING_GOOD)
            return false;
    }
    return true;
}

/* ---- what is wrong, in words ---- */

struct fault {
    SECURITY_STATUS status;
    int verdict; /* X509_V_ERR_..., for the alert */
    size_t depth;
};

static const char *words_of(const struct fault *fault)
{
    switch (fault->status) {
    case CRYPT_E_REVOKED:
        return "certificate revoked";
    case CRYPT_E_REVOCATION_OFFLINE:
        return "no answer about its revocation";
    case CRYPT_E_NO_REVOCATION_CHECK:
        return "nobody knows about its revocation";
    default:
        return X509_verify_cert_error_string(fault->verdict);
    }
}

static void tell(struct osspi_tls *tls, const X509 *certificate, const struct fault *fault)
{
    char subject[SUBJECT_SIZE] = "";

    if (certificate != NULL) /* escapes what cannot be printed */
        X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
    osspi_tls_fail_with(tls, fault->status, "certificate %zu (%s): %s", fault->depth, subject,
                        words_of(fault));
}

static struct fault fault_of(int verdict, size_t depth)
{
    return (struct fault){osspi_verify_status(verdict), verdict, depth};
}

static struct fault revocation_fault(uint32_t flags, const struct osspi_judge *judge, size_t from)
{
    struct fault fault = {SEC_E_OK, X509_V_OK, 0};

    fault.status = revocation_status(flags, judge, from, &fault.depth);
    if (fault.status != SEC_E_OK)
        fault.verdict = fault.status == CRYPT_E_REVOKED ? X509_V_ERR_CERT_REVOKED
                                                        : X509_V_ERR_UNABLE_TO_GET_CRL;
    return fault;
}

/* ---- the name ---- */

static int name_verdict(const struct osspi_tls *tls, X509_STORE_CTX *store)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    const unsigned int flags =
        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    int match;

    if (!tls->verify_name)
        return X509_V_OK;
    if (tls->target == NULL)
        return X509_V_ERR_HOSTNAME_MISMATCH;
    if (tls->target_is_ip)
        match = X509_check_ip_asc(leaf, tls->target, 0);
    else
        match = X509_check_host(leaf, tls->target, 0, flags, NULL);
    if (match == 1)
        return X509_V_OK;
    if (match == -1)
        return X509_V_ERR_OUT_OF_MEM;
    return tls->target_is_ip ? X509_V_ERR_IP_ADDRESS_MISMATCH : X509_V_ERR_HOSTNAME_MISMATCH;
}

/* ---- CERT_CHECK_RESULT ---- */

static void note_check(struct osspi_tls *tls, uint32_t chain_errors, int name)
{
    tls->check.known = true;
    tls->check.chain_errors = chain_errors;
    tls->check.result = osspi_policy_result(chain_errors);
    if (tls->check.result == 0 && name != X509_V_OK)
        tls->check.result = CERT_E_CN_NO_MATCH;
}

/* The flags that overlook something have no say in the errors, but in the result. */
static void note_judged(struct osspi_tls *tls, const struct osspi_judge *judge, int name)
{
    const uint32_t flags = tls->config->flags;
    uint32_t bits = osspi_judge_all(judge);

    note_check(tls, bits, name);
    if ((flags & SCH_CRED_IGNORE_REVOCATION_OFFLINE) != 0)
        bits &= ~(uint32_t)CERT_TRUST_IS_OFFLINE_REVOCATION;
    if ((flags & (SCH_CRED_IGNORE_REVOCATION_OFFLINE | SCH_CRED_IGNORE_NO_REVOCATION_CHECK)) != 0 &&
        revocation_fault(flags, judge, 0).status == SEC_E_OK)
        bits &=
            ~(uint32_t)(CERT_TRUST_REVOCATION_STATUS_UNKNOWN | CERT_TRUST_IS_OFFLINE_REVOCATION);
    tls->check.result = osspi_policy_result(bits);
    if (tls->check.result == 0 && name != X509_V_OK)
        tls->check.result = CERT_E_CN_NO_MATCH;
}

/* ---- what is left open until a stapled answer is there (TLS 1.2) ---- */

struct osspi_verify_open {
    struct osspi_judge judge;
    STACK_OF(X509) * chain; /* references */
    X509_STORE *trust;      /* a reference */
    int name;               /* the name's verdict */
};

void osspi_verify_clear(struct osspi_tls *tls)
{
    struct osspi_verify_open *open = OSSPI_TAKE(tls->open);

    if (open == NULL)
        return;
    sk_X509_pop_free(open->chain, X509_free);
    X509_STORE_free(open->trust);
    osspi_free(open);
}

static bool leave_open(struct osspi_tls *tls, X509_STORE_CTX *store,
                       const struct osspi_judge *judge, int name)
{
    X509_STORE *trust = X509_STORE_CTX_get0_store(store);
    struct osspi_verify_open *open = osspi_alloc(sizeof(*open));

    osspi_verify_clear(tls);
    if (open == NULL)
        return false;
    open->judge = *judge;
    open->judge.staple = (struct osspi_der_view){0};
    open->name = name;
    open->chain = X509_STORE_CTX_get1_chain(store);
    if (open->chain == NULL || X509_STORE_up_ref(trust) != 1) {
        sk_X509_pop_free(open->chain, X509_free);
        osspi_free(open);
        return false;
    }
    open->trust = trust;
    tls->open = open;
    return true;
}

static struct osspi_der_view stapled(SSL *ssl)
{
    const unsigned char *bytes = NULL;
    const long len = SSL_get_tlsext_status_ocsp_resp(ssl, &bytes);

    return len > 0 && bytes != NULL ? (struct osspi_der_view){bytes, (size_t)len}
                                    : (struct osspi_der_view){NULL, 0};
}

/* OpenSSL's: all of the server's flight is there. 0: an alert says that the answer is no good. */
static int on_status(SSL *ssl, void *argument)
{
    struct osspi_tls *tls = osspi_tls_of(ssl);
    (void)argument;

    if (tls->open == NULL)
        return 1;
    struct osspi_verify_open *open = tls->open;
    osspi_judge_staple(&open->judge, stapled(ssl), open->chain, open->trust);
    note_judged(tls, &open->judge, open->name);
    const struct fault fault = revocation_fault(tls->config->flags, &open->judge, 0);
    if (fault.status != SEC_E_OK && tls->defer)
        tls->origin.chain_verified = false;
    if (fault.status != SEC_E_OK && !tls->defer) {
        tell(tls, sk_X509_value(open->chain, (int)fault.depth), &fault);
        tls->verdict = fault.status;
    }
    osspi_verify_clear(tls);
    return fault.status == SEC_E_OK || tls->defer ? 1 : 0;
}

/* A server that is going to staple says so in its ServerHello. Which version it is of is not known
 * yet here. */
static void on_extension(SSL *ssl, int from_peer, int type, const unsigned char *data, int len,
                         void *argument)
{
    struct osspi_tls *tls = osspi_tls_of(ssl);
    (void)from_peer;
    (void)data;
    (void)len;
    (void)argument;

    if (tls != NULL && type == TLSEXT_TYPE_status_request)
        tls->status_promised = true;
}

/* ---- verifying ---- */

/* Old protocols bring the connection's level down; they are no reason to believe in a certificate
 * that anybody could have signed. */
static void keep_level(X509_STORE_CTX *store)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);

    if (X509_VERIFY_PARAM_get_auth_level(param) < OSSPI_TLS_SECURITY_LEVEL)
        X509_VERIFY_PARAM_set_auth_level(param, OSSPI_TLS_SECURITY_LEVEL);
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

static int accept_peer(struct osspi_tls *tls, X509_STORE_CTX *store, bool chain, bool name,
                       int64_t not_after)
{
    X509_STORE_CTX_set_error(store, X509_V_OK);
    tls->origin.chain_verified = chain;
    tls->origin.name_verified = name;
    tls->origin.not_after = not_after;
    /* A full handshake, also where a session was offered: the session's life starts anew. */
    tls->origin.expires = (int64_t)time(NULL) + tls->config->lifespan_s;
    return 1;
}

static int refuse(struct osspi_tls *tls, X509_STORE_CTX *store, const struct fault *fault)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
    const X509 *certificate = sk_X509_value(chain, (int)fault->depth);

    if (certificate == NULL)
        certificate = X509_STORE_CTX_get0_cert(store);
    X509_STORE_CTX_set_error(store, fault->verdict); /* OpenSSL finds the fitting alert */
    tls->verdict = fault->status;
    tell(tls, certificate, fault);
    return 0;
}

static void ask_judge(struct osspi_tls *tls, SSL *ssl, X509_STORE_CTX *store, int name,
                      struct osspi_judge *judge)
{
    judge->scope = scope_of(tls->config->flags);
    judge->collect = tls->defer;
    judge->may_wait = osspi_tls_may_block(tls);
    /* The name is looked at first: nobody is asked about somebody whom we do not want. */
    judge->never_asks = never_asks(tls->config->flags) || name != X509_V_OK;
    if (!tls->server && judge->scope != OSSPI_SCOPE_NONE) {
        judge->staple = stapled(ssl);
        /* In TLS 1.3 it comes with the certificate, and is there already. */
        judge->staple_to_come = tls->status_promised && SSL_version(ssl) != TLS1_3_VERSION;
    }
    keep_level(store);
    osspi_judge_run(store, judge);
}

/* Is the end certificate's revocation left for the stapled answer that is on its way? */
static bool is_left_open(const struct osspi_judge *judge)
{
    return judge->staple_to_come && (judge->places[0].standing == OSSPI_STANDING_OFFLINE ||
                                     judge->places[0].standing == OSSPI_STANDING_UNKNOWN);
}

/* What weighs most. */
static struct fault weigh(const struct osspi_tls *tls, const struct osspi_judge *judge, int name)
{
    if (judge->error != X509_V_OK)
        return fault_of(judge->error, (size_t)judge->error_depth);
    const struct fault fault =
        revocation_fault(tls->config->flags, judge, is_left_open(judge) ? 1 : 0);
    return fault.status == SEC_E_OK && name != X509_V_OK ? fault_of(name, 0) : fault;
}

static int judge_peer(struct osspi_tls *tls, SSL *ssl, X509_STORE_CTX *store,
                      const struct osspi_verdict_key *key)
{
    const int name = name_verdict(tls, store);
    struct osspi_judge judge = {0};

    ask_judge(tls, ssl, store, name, &judge);
    if (judge.wants_to_wait && !tls->server) {
        osspi_tls_want_blocking(tls, judge.class_name);
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return SSL_set_retry_verify(ssl); /* 1; see the head */
    }
    note_judged(tls, &judge, name);
    const struct fault fault = weigh(tls, &judge, name);
    if (fault.status != SEC_E_OK && !tls->defer)
        return refuse(tls, store, &fault);
    if (is_left_open(&judge) && !leave_open(tls, store, &judge, name)) {
        const struct fault no_memory = fault_of(X509_V_ERR_OUT_OF_MEM, 0);
        return refuse(tls, store, &no_memory);
    }
    const int64_t not_after = first_not_after(store);
    if (key != NULL && fault.status == SEC_E_OK && is_settled(&judge))
        osspi_verdict_keep(key, not_after, judge.good_until);
    return accept_peer(tls, store, fault.status == SEC_E_OK, tls->verify_name && name == X509_V_OK,
                       not_after);
}

int osspi_verify_peer(X509_STORE_CTX *store, void *argument)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct osspi_tls *tls = osspi_tls_of(ssl);
    struct osspi_verdict_key key;
    int64_t not_after;
    (void)argument;

    if ((tls->config->flags & SCH_USE_PRESHAREDKEY_ONLY) != 0) {
        osspi_tls_fail_with(tls, SEC_E_ALGORITHM_MISMATCH,
                            "the peer does not use the pre-shared key, and nothing else counts");
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
        return 0;
    }
    if (!tls->verify_peer) {
        const int name = name_verdict(tls, store);
        const struct fault fault = fault_of(name, 0);
        return name == X509_V_OK
                   ? accept_peer(tls, store, false, tls->verify_name, first_not_after(store))
                   : refuse(tls, store, &fault);
    }
    if (sk_X509_num(X509_STORE_CTX_get0_untrusted(store)) > (int)OSSPI_MAX_CHAIN) {
        const struct fault fault = fault_of(X509_V_ERR_CERT_CHAIN_TOO_LONG, 0);
        note_check(tls, CERT_TRUST_IS_PARTIAL_CHAIN, X509_V_OK);
        return refuse(tls, store, &fault);
    }
    keep_level(store);
    const bool has_key = osspi_verdict_key(tls, store, &key);
    if (has_key && osspi_verdict_known(&key, &not_after)) {
        note_check(tls, CERT_TRUST_NO_ERROR, X509_V_OK);
        return accept_peer(tls, store, true, tls->verify_name, not_after);
    }
    return judge_peer(tls, ssl, store, has_key ? &key : NULL);
}

void osspi_verify_forget(void)
{
    osspi_verdict_forget();
    osspi_ocsp_forget();
    osspi_crl_forget();
    osspi_staple_forget();
}

/* ---- setting it up ---- */

void osspi_verify_configure(struct osspi_tls_config *config)
{
    const bool revocation = scope_of(config->flags) != OSSPI_SCOPE_NONE;

    X509_VERIFY_PARAM_set_depth(SSL_CTX_get0_param(config->ctx), (int)OSSPI_MAX_CHAIN);
    SSL_CTX_set_cert_verify_callback(config->ctx, osspi_verify_peer, NULL);
    config->verify_may_wait = revocation && !never_asks(config->flags);
    if (!config->server && revocation)
        SSL_CTX_set_tlsext_status_cb(config->ctx, on_status);
}

bool osspi_verify_prepare(struct osspi_tls *tls)
{
    if (tls->server || !tls->verify_peer || scope_of(tls->config->flags) == OSSPI_SCOPE_NONE)
        return true;
    SSL_set_tlsext_debug_callback(tls->ssl, on_extension);
    return SSL_set_tlsext_status_type(tls->ssl, TLSEXT_STATUSTYPE_ocsp) == 1;
}
