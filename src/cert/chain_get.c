/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Building chains for callers; see chain_get.h. What OpenSSL and judge.c find out is turned into
 * the structures of wincrypt.h, which are one piece of memory, counted by reference (atomic).
 */
#define CERT_CHAIN_PARA_HAS_EXTRA_FIELDS
#include "cert/chain_get.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cert/crypto.h"
#include "cert/engine.h"
#include "cert/judge.h"
#include "cert/limits.h"

#define CANDIDATES_MAX 256u /* certificates of one store among which issuers are looked for */
#define USAGES_MAX     64u
#define DEPTH_MAX      ((int)OSSPI_JUDGE_PLACES - 2)

#define REVOCATION_FLAGS \
    (CERT_CHAIN_REVOCATION_CHECK_END_CERT | CERT_CHAIN_REVOCATION_CHECK_CHAIN | \
     CERT_CHAIN_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT)
#define LOCAL_FLAGS (CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL | CERT_CHAIN_REVOCATION_CHECK_CACHE_ONLY)

struct osspi_chain_request {
    HCERTCHAINENGINE engine;
    PCCERT_CONTEXT certificate;     /* a reference */
    struct osspi_store *additional; /* a use and a reference, or NULL */
    bool has_time;
    int64_t time; /* unix seconds */
    DWORD flags, timeout_ms;
    DWORD usage_match; /* USAGE_MATCH_TYPE_ */
    char *usages[USAGES_MAX];
    size_t usage_count;
};

/* What a caller gets. */
struct chain {
    CERT_CHAIN_CONTEXT shown;
    _Atomic uint32_t refs;
    CERT_SIMPLE_CHAIN simple;
    PCERT_SIMPLE_CHAIN simples[1];
    CERT_CHAIN_ELEMENT elements[OSSPI_JUDGE_PLACES];
    PCERT_CHAIN_ELEMENT element_list[OSSPI_JUDGE_PLACES];
    CERT_REVOCATION_INFO revocation[OSSPI_JUDGE_PLACES];
};

/* ---- requests ---- */

static SECURITY_STATUS copy_usages(struct osspi_chain_request *request, const CERT_CHAIN_PARA *para)
{
    const CERT_ENHKEY_USAGE *usage = &para->RequestedUsage.Usage;

    request->usage_match = para->RequestedUsage.dwType;
    if (usage->cUsageIdentifier > USAGES_MAX ||
        (usage->cUsageIdentifier > 0 && usage->rgpszUsageIdentifier == NULL))
        return SEC_E_INVALID_PARAMETER;
    for (DWORD i = 0; i < usage->cUsageIdentifier; i++) {
        if (usage->rgpszUsageIdentifier[i] == NULL)
            return SEC_E_INVALID_PARAMETER;
        request->usages[i] = osspi_strdup(usage->rgpszUsageIdentifier[i]);
        if (request->usages[i] == NULL)
            return SEC_E_INSUFFICIENT_MEMORY;
        request->usage_count++;
    }
    return SEC_E_OK;
}

static SECURITY_STATUS read_para(struct osspi_chain_request *request, const CERT_CHAIN_PARA *para)
{
    const size_t first_version = offsetof(CERT_CHAIN_PARA, RequestedIssuancePolicy);
    const size_t with_timeout =
        offsetof(CERT_CHAIN_PARA, dwUrlRetrievalTimeout) + sizeof(para->dwUrlRetrievalTimeout);

    if (para == NULL)
        return SEC_E_OK;
    if (para->cbSize < first_version)
        return SEC_E_INVALID_PARAMETER;
    if (para->cbSize >= with_timeout)
        request->timeout_ms = para->dwUrlRetrievalTimeout;
    return copy_usages(request, para);
}

static SECURITY_STATUS take_store(struct osspi_chain_request *request, HCERTSTORE handle)
{
    if (handle == NULL)
        return SEC_E_OK;
    request->additional = osspi_store_find(handle);
    if (request->additional == NULL)
        return SEC_E_INVALID_PARAMETER;
    osspi_store_use(request->additional);
    return SEC_E_OK;
}

static void request_freep(struct osspi_chain_request **request)
{
    osspi_chain_request_free(*request);
}

static int64_t unix_time(const FILETIME *time)
{
    const uint64_t ticks = (uint64_t)time->dwHighDateTime << 32 | time->dwLowDateTime;

    return (int64_t)(ticks / 10000000u) - INT64_C(11644473600);
}

SECURITY_STATUS osspi_chain_request_new(const struct osspi_chain_arguments *arguments,
                                        struct osspi_chain_request **ret_request)
{
    struct osspi_chain_request *request osspi_auto(request_freep) = NULL;

    if (arguments->certificate == NULL)
        return SEC_E_INVALID_PARAMETER;
    request = osspi_alloc(sizeof(*request));
    if (request == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    request->engine = arguments->engine;
    request->flags = arguments->flags;
    request->has_time = arguments->time != NULL;
    if (request->has_time)
        request->time = unix_time(arguments->time);
    SECURITY_STATUS status = read_para(request, arguments->para);
    if (status == SEC_E_OK)
        status = take_store(request, arguments->additional);
    if (status != SEC_E_OK)
        return status;
    request->certificate = CertDuplicateCertificateContext(arguments->certificate);
    *ret_request = OSSPI_TAKE(request);
    return SEC_E_OK;
}

void osspi_chain_request_free(struct osspi_chain_request *request)
{
    if (request == NULL)
        return;
    CertFreeCertificateContext(request->certificate);
    if (request->additional != NULL)
        osspi_store_release(request->additional);
    osspi_store_put(request->additional);
    for (size_t i = 0; i < request->usage_count; i++)
        osspi_free(request->usages[i]);
    osspi_free(request);
}

/* ---- where issuers may be ---- */

static void free_candidates(STACK_OF(X509) * *candidates)
{
    sk_X509_pop_free(*candidates, X509_free);
}

/* What does not parse is none. False: no memory. */
static bool add_der(STACK_OF(X509) * candidates, struct osspi_der_view der)
{
    const unsigned char *at = der.bytes;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);

    if (certificate == NULL)
        return osspi_crypto_failure(SEC_E_OK) == SEC_E_OK;
    if (sk_X509_push(candidates, certificate) > 0)
        return true;
    X509_free(certificate);
    return false;
}

static bool add_store(STACK_OF(X509) * candidates, struct osspi_store *store)
{
    for (size_t i = 0; store != NULL && i < CANDIDATES_MAX; i++) {
        struct osspi_element *element osspi_auto(osspi_element_unrefp) = osspi_store_at(store, i);
        if (!element)
            break;
        if (!add_der(candidates, element->certificate->der))
            return false;
    }
    return true;
}

static bool add_candidates(STACK_OF(X509) * candidates, const struct osspi_chain_request *request,
                           const struct osspi_engine_view *view)
{
    struct osspi_der_view chain[OSSPI_CHAIN_MAX];
    const size_t count = osspi_certificate_chain(request->certificate, chain, OSSPI_CHAIN_MAX);

    for (size_t i = 0; i < count && i < OSSPI_CHAIN_MAX; i++) {
        if (!add_der(candidates, chain[i]))
            return false;
    }
    if (!add_store(candidates, osspi_context_from(request->certificate)->store) ||
        !add_store(candidates, request->additional))
        return false;
    for (size_t i = 0; i < view->store_count; i++) {
        if (!add_store(candidates, view->stores[i]))
            return false;
    }
    return true;
}

/* ---- usage ---- */

static bool allows(const X509 *certificate, const char *oid)
{
    int found = -1; /* -1: there is none */
    EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(certificate, NID_ext_key_usage, &found, NULL);
    /* What says nothing allows everything; what cannot be read, for its form or for memory,
     * nothing. */
    bool allowed = usage == NULL && found == -1;
    char text[128];

    for (int i = 0; !allowed && i < sk_ASN1_OBJECT_num(usage); i++) {
        const ASN1_OBJECT *object = sk_ASN1_OBJECT_value(usage, i);
        allowed = OBJ_obj2nid(object) == NID_anyExtendedKeyUsage ||
                  (OBJ_obj2txt(text, sizeof(text), object, 1) > 0 && strcmp(text, oid) == 0);
    }
    EXTENDED_KEY_USAGE_free(usage);
    return allowed;
}

static bool is_usable(const struct osspi_chain_request *request, const X509 *certificate)
{
    size_t allowed = 0;

    for (size_t i = 0; i < request->usage_count; i++)
        allowed += allows(certificate, request->usages[i]);
    return request->usage_match == USAGE_MATCH_TYPE_OR ? allowed > 0 || request->usage_count == 0
                                                       : allowed == request->usage_count;
}

/* ---- the answer ---- */

static struct chain *chain_from(PCCERT_CHAIN_CONTEXT shown)
{
    return OSSPI_CONTAINER_OF((PCERT_CHAIN_CONTEXT)(uintptr_t)shown, struct chain, shown);
}

OSSPI_API PCCERT_CHAIN_CONTEXT WINAPI
CertDuplicateCertificateChain(PCCERT_CHAIN_CONTEXT pChainContext)
{
    if (pChainContext)
        atomic_fetch_add_explicit(&chain_from(pChainContext)->refs, 1, memory_order_relaxed);
    return pChainContext;
}

OSSPI_API VOID WINAPI CertFreeCertificateChain(PCCERT_CHAIN_CONTEXT pChainContext)
{
    struct chain *chain;

    if (!pChainContext)
        return;
    chain = chain_from(pChainContext);
    if (atomic_fetch_sub_explicit(&chain->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (DWORD i = 0; i < chain->simple.cElement; i++)
        CertFreeCertificateContext(chain->elements[i].pCertContext);
    osspi_free(chain);
}

static void chain_freep(struct chain **chain)
{
    if (*chain != NULL)
        CertFreeCertificateChain(&(*chain)->shown);
}

static DWORD revocation_result(enum osspi_standing standing)
{
    switch (standing) {
    case OSSPI_STANDING_REVOKED:
        return (DWORD)CRYPT_E_REVOKED;
    case OSSPI_STANDING_OFFLINE:
        return (DWORD)CRYPT_E_REVOCATION_OFFLINE;
    case OSSPI_STANDING_UNKNOWN:
        return (DWORD)CRYPT_E_NO_REVOCATION_CHECK;
    default:
        return 0;
    }
}

static DWORD info_of(const X509 *certificate)
{
    if (X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0)
        return CERT_TRUST_IS_SELF_SIGNED | CERT_TRUST_HAS_PREFERRED_ISSUER;
    return CERT_TRUST_HAS_PREFERRED_ISSUER |
           (X509_get0_authority_key_id((X509 *)(uintptr_t)certificate) != NULL
                ? CERT_TRUST_HAS_KEY_MATCH_ISSUER
                : CERT_TRUST_HAS_NAME_MATCH_ISSUER);
}

static SECURITY_STATUS context_of(X509 *certificate, PCCERT_CONTEXT *ret_context)
{
    unsigned char *der = NULL;
    const int len = i2d_X509(certificate, &der);
    SECURITY_STATUS status = SEC_E_INSUFFICIENT_MEMORY;

    if (len > 0)
        status = osspi_certificate_new((struct osspi_der_view){der, (size_t)len},
                                       (struct osspi_der_view){0}, NULL, 0, ret_context);
    OPENSSL_free(der);
    return status;
}

static SECURITY_STATUS add_element(struct chain *chain, const struct osspi_chain_request *request,
                                   X509 *certificate, const struct osspi_judge_place *place)
{
    const DWORD at = chain->simple.cElement;
    CERT_CHAIN_ELEMENT *element = &chain->elements[at];
    SECURITY_STATUS status = SEC_E_OK;

    element->cbSize = sizeof(*element);
    if (at == 0)
        element->pCertContext = CertDuplicateCertificateContext(request->certificate);
    else
        status = context_of(certificate, &element->pCertContext);
    if (status != SEC_E_OK)
        return status;
    element->TrustStatus.dwErrorStatus = place->trust | osspi_judge_trust_of(place->standing);
    if (!is_usable(request, certificate))
        element->TrustStatus.dwErrorStatus |= CERT_TRUST_IS_NOT_VALID_FOR_USAGE;
    element->TrustStatus.dwInfoStatus = info_of(certificate);
    if (place->standing != OSSPI_STANDING_UNASKED) {
        chain->revocation[at].cbSize = sizeof(chain->revocation[at]);
        chain->revocation[at].dwRevocationResult = revocation_result(place->standing);
        element->pRevocationInfo = &chain->revocation[at];
    }
    chain->element_list[at] = element;
    chain->simple.cElement++;
    chain->simple.TrustStatus.dwErrorStatus |= element->TrustStatus.dwErrorStatus;
    return SEC_E_OK;
}

static struct chain *chain_new(const struct osspi_chain_request *request)
{
    struct chain *chain = osspi_alloc(sizeof(*chain));

    if (chain == NULL)
        return NULL;
    atomic_init(&chain->refs, 1);
    chain->simple.cbSize = sizeof(chain->simple);
    chain->simple.rgpElement = chain->element_list;
    chain->simples[0] = &chain->simple;
    chain->shown.cbSize = sizeof(chain->shown);
    chain->shown.cChain = 1;
    chain->shown.rgpChain = chain->simples;
    chain->shown.dwCreateFlags = request->flags;
    return chain;
}

static SECURITY_STATUS answer(const struct osspi_chain_request *request,
                              const struct osspi_judge *judge, STACK_OF(X509) * found,
                              PCCERT_CHAIN_CONTEXT *ret_chain)
{
    struct chain *chain osspi_auto(chain_freep) = chain_new(request);

    if (chain == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    for (size_t i = 0; i < judge->count; i++) {
        const SECURITY_STATUS status =
            add_element(chain, request, sk_X509_value(found, (int)i), &judge->places[i]);
        if (status != SEC_E_OK)
            return status;
    }
    chain->simple.TrustStatus.dwErrorStatus |= osspi_judge_all(judge);
    chain->simple.TrustStatus.dwInfoStatus = CERT_TRUST_HAS_PREFERRED_ISSUER;
    chain->shown.TrustStatus = chain->simple.TrustStatus;
    *ret_chain = &OSSPI_TAKE(chain)->shown;
    return SEC_E_OK;
}

/* ---- running ---- */

static enum osspi_scope scope_of(DWORD flags)
{
    if ((flags & CERT_CHAIN_REVOCATION_CHECK_CHAIN) != 0)
        return OSSPI_SCOPE_CHAIN;
    if ((flags & CERT_CHAIN_REVOCATION_CHECK_CHAIN_EXCLUDE_ROOT) != 0)
        return OSSPI_SCOPE_CHAIN_BUT_ROOT;
    return (flags & REVOCATION_FLAGS) != 0 ? OSSPI_SCOPE_END : OSSPI_SCOPE_NONE;
}

static void prepare(const struct osspi_chain_request *request, const struct osspi_engine_view *view,
                    X509_STORE_CTX *store, struct osspi_judge *judge)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);
    const DWORD timeout_ms = request->timeout_ms != 0 ? request->timeout_ms : view->timeout_ms;

    X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
    if (request->has_time)
        X509_VERIFY_PARAM_set_time(param, (time_t)request->time);
    judge->collect = true;
    judge->scope = scope_of(request->flags);
    judge->never_asks = ((request->flags | view->flags) & LOCAL_FLAGS) != 0;
    if (timeout_ms != 0)
        judge->deadline_ns = osspi_deadline_ns(timeout_ms);
}

static void free_search(X509_STORE_CTX **search)
{
    X509_STORE_CTX_free(*search);
}

static void free_leaf(X509 **leaf)
{
    X509_free(*leaf);
}

SECURITY_STATUS osspi_chain_request_run(struct osspi_chain_request *request, bool may_wait,
                                        bool *ret_wants_to, char *ret_class, size_t size,
                                        PCCERT_CHAIN_CONTEXT *ret_chain)
{
    OSSPI_CRYPTO_CALL;
    struct osspi_engine_view view osspi_auto(osspi_engine_view_clear) = {0};
    STACK_OF(X509) * candidates osspi_auto(free_candidates) = sk_X509_new_null();
    X509_STORE_CTX *search osspi_auto(free_search) = X509_STORE_CTX_new();
    const struct osspi_der_view der = osspi_certificate_der(request->certificate);
    const unsigned char *at = der.bytes;
    X509 *leaf osspi_auto(free_leaf) = d2i_X509(NULL, &at, (long)der.len);
    struct osspi_judge judge = {.may_wait = may_wait};
    const SECURITY_STATUS status = osspi_engine_view(request->engine, &view);

    *ret_wants_to = false;
    if (status != SEC_E_OK)
        return status;
    if (leaf == NULL)
        return osspi_crypto_failure(SEC_E_INVALID_PARAMETER);
    if (candidates == NULL || search == NULL || !add_candidates(candidates, request, &view) ||
        X509_STORE_CTX_init(search, view.trust, leaf, candidates) != 1)
        return SEC_E_INSUFFICIENT_MEMORY;
    prepare(request, &view, search, &judge);
    osspi_judge_run(search, &judge);
    if (judge.error == X509_V_ERR_OUT_OF_MEM)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (judge.wants_to_wait) {
        *ret_wants_to = true;
        const size_t len = strnlen(judge.class_name, size - 1);
        memcpy(ret_class, judge.class_name, len);
        ret_class[len] = '\0';
        return SEC_E_OK;
    }
    return answer(request, &judge, X509_STORE_CTX_get0_chain(search), ret_chain);
}
