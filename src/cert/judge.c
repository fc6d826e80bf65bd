/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Verifying and asking about revocation; see judge.h.
 *
 * OpenSSL looks through the lists while it verifies and tells of each certificate whether it found
 * one; that is noted, and nothing fails for it there and then. Lists that have to be fetched are
 * given to a second verification. No state of its own.
 */
#include "cert/judge.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "cert/crl.h"
#include "cert/crypto.h"
#include "cert/fetch.h"
#include "cert/source.h"

#define CANDIDATES_MAX 20 /* certificates whose known lists are handed to OpenSSL */

/* ---- verdicts ---- */

static const struct {
    int error;
    uint32_t trust;
} verdicts[] = {
    {X509_V_OK, CERT_TRUST_NO_ERROR},
    {X509_V_ERR_CERT_NOT_YET_VALID, CERT_TRUST_IS_NOT_TIME_VALID},
    {X509_V_ERR_CERT_HAS_EXPIRED, CERT_TRUST_IS_NOT_TIME_VALID},
    {X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD, CERT_TRUST_IS_NOT_TIME_VALID},
    {X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD, CERT_TRUST_IS_NOT_TIME_VALID},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, CERT_TRUST_IS_PARTIAL_CHAIN},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, CERT_TRUST_IS_PARTIAL_CHAIN},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, CERT_TRUST_IS_PARTIAL_CHAIN},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, CERT_TRUST_IS_PARTIAL_CHAIN},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, CERT_TRUST_IS_UNTRUSTED_ROOT},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, CERT_TRUST_IS_UNTRUSTED_ROOT},
    {X509_V_ERR_CERT_UNTRUSTED, CERT_TRUST_IS_UNTRUSTED_ROOT},
    {X509_V_ERR_CERT_REJECTED, CERT_TRUST_IS_EXPLICIT_DISTRUST},
    {X509_V_ERR_PATH_LOOP, CERT_TRUST_IS_CYCLIC},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, CERT_TRUST_IS_NOT_SIGNATURE_VALID},
    {X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE, CERT_TRUST_IS_NOT_SIGNATURE_VALID},
    {X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, CERT_TRUST_IS_NOT_SIGNATURE_VALID},
    {X509_V_ERR_INVALID_PURPOSE, CERT_TRUST_IS_NOT_VALID_FOR_USAGE},
    {X509_V_ERR_INVALID_CA, CERT_TRUST_INVALID_BASIC_CONSTRAINTS},
    {X509_V_ERR_INVALID_NON_CA, CERT_TRUST_INVALID_BASIC_CONSTRAINTS},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, CERT_TRUST_INVALID_BASIC_CONSTRAINTS},
    {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, CERT_TRUST_INVALID_BASIC_CONSTRAINTS},
    {X509_V_ERR_PERMITTED_VIOLATION, CERT_TRUST_HAS_NOT_PERMITTED_NAME_CONSTRAINT},
    {X509_V_ERR_EXCLUDED_VIOLATION, CERT_TRUST_HAS_EXCLUDED_NAME_CONSTRAINT},
    {X509_V_ERR_SUBTREE_MINMAX, CERT_TRUST_HAS_NOT_SUPPORTED_NAME_CONSTRAINT},
    {X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE, CERT_TRUST_HAS_NOT_SUPPORTED_NAME_CONSTRAINT},
    {X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, CERT_TRUST_INVALID_NAME_CONSTRAINTS},
    {X509_V_ERR_UNSUPPORTED_NAME_SYNTAX, CERT_TRUST_HAS_NOT_SUPPORTED_NAME_CONSTRAINT},
    {X509_V_ERR_INVALID_EXTENSION, CERT_TRUST_INVALID_EXTENSION},
    {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, CERT_TRUST_HAS_NOT_SUPPORTED_CRITICAL_EXT},
    {X509_V_ERR_INVALID_POLICY_EXTENSION, CERT_TRUST_INVALID_POLICY_CONSTRAINTS},
    {X509_V_ERR_NO_EXPLICIT_POLICY, CERT_TRUST_NO_ISSUANCE_CHAIN_POLICY},
    {X509_V_ERR_EE_KEY_TOO_SMALL, CERT_TRUST_HAS_WEAK_SIGNATURE},
    {X509_V_ERR_CA_KEY_TOO_SMALL, CERT_TRUST_HAS_WEAK_SIGNATURE},
    {X509_V_ERR_CA_MD_TOO_WEAK, CERT_TRUST_HAS_WEAK_SIGNATURE},
};

/* What is in no row is something about the certificate's content. */
uint32_t osspi_judge_trust(int error)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(verdicts); i++) {
        if (verdicts[i].error == error)
            return verdicts[i].trust;
    }
    return CERT_TRUST_INVALID_EXTENSION;
}

uint32_t osspi_judge_trust_of(enum osspi_standing standing)
{
    switch (standing) {
    case OSSPI_STANDING_REVOKED:
        return CERT_TRUST_IS_REVOKED;
    case OSSPI_STANDING_UNKNOWN:
        return CERT_TRUST_REVOCATION_STATUS_UNKNOWN;
    case OSSPI_STANDING_OFFLINE:
        return CERT_TRUST_REVOCATION_STATUS_UNKNOWN | CERT_TRUST_IS_OFFLINE_REVOCATION;
    default:
        return CERT_TRUST_NO_ERROR;
    }
}

uint32_t osspi_judge_all(const struct osspi_judge *judge)
{
    uint32_t trust = osspi_judge_trust(judge->error);

    for (size_t i = 0; i < OSSPI_JUDGE_PLACES; i++)
        trust |= judge->places[i].trust | osspi_judge_trust_of(judge->places[i].standing);
    return trust;
}

/* ---- what OpenSSL tells ---- */

static struct osspi_judge_place *place_at(struct osspi_judge *judge, int depth)
{
    const size_t at = depth < 0 ? 0 : (size_t)depth;

    return &judge->places[at < OSSPI_JUDGE_PLACES ? at : OSSPI_JUDGE_PLACES - 1];
}

/* About a list, and not about the certificate that it may name. */
static bool is_about_list(int error)
{
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
    case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
        return true;
    default:
        return false;
    }
}

/* An old list still tells who was revoked; one that is not the issuer's tells nothing. */
static void note_list(struct osspi_judge_place *place, int error)
{
    place->no_list = true;
    if (error != X509_V_ERR_CRL_HAS_EXPIRED && error != X509_V_ERR_UNABLE_TO_GET_CRL)
        place->bad_list = true;
}

static int on_verdict(int ok, X509_STORE_CTX *store)
{
    struct osspi_judge *judge = X509_STORE_CTX_get_app_data(store);
    const int error = X509_STORE_CTX_get_error(store);
    const int depth = X509_STORE_CTX_get_error_depth(store);
    struct osspi_judge_place *place = place_at(judge, depth);

    if (ok)
        return 1;
    if (is_about_list(error)) {
        note_list(place, error);
        return 1;
    }
    if (error == X509_V_ERR_CERT_REVOKED) {
        place->listed = place->listed || !place->bad_list;
        return 1;
    }
    place->trust |= osspi_judge_trust(error);
    if (place->error == X509_V_OK)
        place->error = error;
    if (judge->error == X509_V_OK) {
        judge->error = error;
        judge->error_depth = depth;
    }
    return judge->collect && error != X509_V_ERR_OUT_OF_MEM;
}

/* ---- lists ---- */

static void free_lists(STACK_OF(X509_CRL) * *lists)
{
    sk_X509_CRL_pop_free(*lists, osspi_crl_put);
}

static void add_list(STACK_OF(X509_CRL) * lists, X509_CRL *list)
{
    if (list != NULL && sk_X509_CRL_push(lists, list) <= 0)
        osspi_crl_put(list);
}

static void add_known(STACK_OF(X509_CRL) * lists, X509 *certificate)
{
    struct osspi_sources sources osspi_auto(osspi_sources_clear) = {0};

    (void)osspi_sources_read(certificate, &sources);
    for (size_t i = 0; i < sources.list_count; i++)
        add_list(lists, osspi_crl_known(sources.lists[i]));
}

/* The lists that were fetched before for any certificate that may be in the chain. */
static void add_all_known(STACK_OF(X509_CRL) * lists, X509_STORE_CTX *store)
{
    STACK_OF(X509) *others = X509_STORE_CTX_get0_untrusted(store);

    add_known(lists, X509_STORE_CTX_get0_cert(store));
    for (int i = 0; i < sk_X509_num(others) && i < CANDIDATES_MAX; i++)
        add_known(lists, sk_X509_value(others, i));
}

static void verify_with(X509_STORE_CTX *store, struct osspi_judge *judge,
                        STACK_OF(X509_CRL) * lists)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);

    /* Without it the callback would have nothing to note things in. */
    if (X509_STORE_CTX_set_app_data(store, judge) != 1) {
        judge->error = X509_V_ERR_OUT_OF_MEM;
        return;
    }
    if (judge->scope != OSSPI_SCOPE_NONE) {
        X509_VERIFY_PARAM_set_flags(
            param, X509_V_FLAG_CRL_CHECK |
                       (judge->scope == OSSPI_SCOPE_END ? 0 : X509_V_FLAG_CRL_CHECK_ALL));
        X509_STORE_CTX_set0_crls(store, lists);
    }
    X509_STORE_CTX_set_verify_cb(store, on_verdict);
    if (X509_verify_cert(store) != 1 && judge->error == X509_V_OK) {
        const int error = X509_STORE_CTX_get_error(store);
        judge->error = error == X509_V_OK || is_about_list(error) ? X509_V_ERR_UNSPECIFIED : error;
    }
    X509_STORE_CTX_set0_crls(store, NULL);
}

/* ---- revocation ---- */

/* One place of a chain that is being judged. */
struct asking {
    struct osspi_judge *judge;
    struct osspi_subject subject;
    int depth;
    STACK_OF(X509_CRL) * lists; /* all that there are; more may be added */
    bool fetched;               /* one was */
};

static bool is_trusted(const struct osspi_judge *judge)
{
    const uint32_t fatal = CERT_TRUST_IS_PARTIAL_CHAIN | CERT_TRUST_IS_UNTRUSTED_ROOT |
                           CERT_TRUST_IS_NOT_SIGNATURE_VALID | CERT_TRUST_IS_CYCLIC |
                           CERT_TRUST_IS_EXPLICIT_DISTRUST;

    return (osspi_judge_all(judge) & fatal) == 0;
}

/* The last one is trusted for itself; only a list may say otherwise. */
static bool counts(const struct osspi_judge *judge, size_t depth)
{
    if (judge->scope == OSSPI_SCOPE_NONE || (judge->scope == OSSPI_SCOPE_END && depth > 0))
        return false;
    return depth + 1 < judge->count || depth == 0 ||
           (judge->scope == OSSPI_SCOPE_CHAIN && judge->places[depth].listed);
}

static void note_until(struct osspi_judge *judge, int64_t until)
{
    if (until < judge->good_until)
        judge->good_until = until;
}

static void note_answer(struct asking *asking, const struct osspi_answer *answer)
{
    asking->judge->places[asking->depth].standing = answer->standing;
    note_until(asking->judge, answer->until);
}

/* OpenSSL does not tell which list it used: the earliest end among all of this issuer counts. */
static void note_lists_until(struct asking *asking, X509_STORE_CTX *store)
{
    const X509_NAME *issuer = X509_get_issuer_name(asking->subject.certificate);
    STACK_OF(X509_CRL) *stored = X509_STORE_CTX_get1_crls(store, issuer);
    STACK_OF(X509_CRL) * all[] = {stored, asking->lists};

    for (size_t i = 0; i < OSSPI_COUNT_OF(all); i++) {
        for (int j = 0; j < sk_X509_CRL_num(all[i]); j++) {
            const X509_CRL *list = sk_X509_CRL_value(all[i], j);
            if (X509_NAME_cmp(X509_CRL_get_issuer(list), issuer) == 0)
                note_until(asking->judge, osspi_crl_until(list));
        }
    }
    sk_X509_CRL_pop_free(stored, X509_CRL_free);
}

/* By what is at hand. */
static bool settle_locally(struct asking *asking, X509_STORE_CTX *store)
{
    struct osspi_judge *judge = asking->judge;
    struct osspi_judge_place *place = &judge->places[asking->depth];
    struct osspi_answer answer;

    if (place->listed) {
        place->standing = OSSPI_STANDING_REVOKED;
        return true;
    }
    if (asking->subject.issuer == NULL) {
        place->standing = place->no_list ? OSSPI_STANDING_UNKNOWN : OSSPI_STANDING_GOOD;
        return true;
    }
    /* What is stapled is the newest; that somebody was told otherwise before is as good. */
    if ((asking->depth == 0 && judge->staple.len > 0 &&
         osspi_ocsp_read(judge->staple, &asking->subject, &answer)) ||
        osspi_ocsp_known(&asking->subject, &answer)) {
        note_answer(asking, &answer);
        if (answer.standing != OSSPI_STANDING_UNKNOWN)
            return true;
    }
    if (!place->no_list) {
        place->standing = OSSPI_STANDING_GOOD;
        note_lists_until(asking, store);
        return true;
    }
    return false;
}

static bool ask_responders(struct asking *asking, const struct osspi_sources *sources)
{
    for (size_t i = 0; i < sources->ocsp_count; i++) {
        struct osspi_answer answer;
        if (osspi_ocsp_ask(&asking->subject, sources->ocsp[i], asking->judge->deadline_ns, &answer,
                           NULL, NULL) != SEC_E_OK)
            continue;
        note_answer(asking, &answer);
        if (answer.standing != OSSPI_STANDING_UNKNOWN)
            return true;
    }
    return false;
}

static void fetch_lists(struct asking *asking, const struct osspi_sources *sources)
{
    for (size_t i = 0; i < sources->list_count; i++) {
        X509_CRL *list = NULL;
        size_t len;
        if (osspi_crl_ask(sources->lists[i], asking->judge->deadline_ns, &list, &len) != SEC_E_OK)
            continue;
        osspi_crl_keep(sources->lists[i], list, len, asking->subject.issuer);
        add_list(asking->lists, list);
        asking->fetched = true;
    }
}

/* A responder that does not know the certificate has answered; silence has not. */
static void settle_remotely(struct asking *asking)
{
    struct osspi_judge *judge = asking->judge;
    struct osspi_judge_place *place = &judge->places[asking->depth];
    struct osspi_sources sources osspi_auto(osspi_sources_clear) = {0};

    if (!osspi_sources_read(asking->subject.certificate, &sources))
        judge->error = X509_V_ERR_OUT_OF_MEM;
    if (sources.ocsp_count + sources.list_count == 0) {
        place->standing = OSSPI_STANDING_UNKNOWN;
        return;
    }
    if (place->standing != OSSPI_STANDING_UNKNOWN)
        place->standing = OSSPI_STANDING_OFFLINE;
    if (judge->never_asks || (judge->staple_to_come && asking->depth == 0))
        return;
    if (!judge->may_wait) {
        if (!judge->wants_to_wait) {
            const bool ocsp = sources.ocsp_count > 0;
            osspi_fetch_class(ocsp ? "ocsp" : "crl", ocsp ? sources.ocsp[0] : sources.lists[0],
                              judge->class_name, sizeof(judge->class_name));
            judge->wants_to_wait = true;
        }
        return;
    }
    if (!ask_responders(asking, &sources))
        fetch_lists(asking, &sources);
}

static bool judge_places(struct osspi_judge *judge, X509_STORE_CTX *store,
                         STACK_OF(X509_CRL) * lists, bool remotely)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
    struct asking asking = {.judge = judge, .lists = lists};

    asking.subject.chain = chain;
    asking.subject.trust = X509_STORE_CTX_get0_store(store);
    for (size_t i = 0; i < judge->count; i++) {
        if (!counts(judge, i))
            continue;
        asking.depth = (int)i;
        asking.subject.certificate = sk_X509_value(chain, (int)i);
        asking.subject.issuer = sk_X509_value(chain, (int)i + 1); /* NULL behind the last one */
        if (!is_trusted(judge) && !judge->places[i].listed)
            judge->places[i].standing = OSSPI_STANDING_UNKNOWN;
        else if (!settle_locally(&asking, store) && remotely)
            settle_remotely(&asking);
    }
    return asking.fetched;
}

/* Again, for the lists that were fetched meanwhile. */
static void judge_again(struct osspi_judge *judge, X509_STORE_CTX *first,
                        STACK_OF(X509_CRL) * lists)
{
    X509_STORE_CTX *store = X509_STORE_CTX_new();
    struct osspi_judge again = {.scope = judge->scope, .good_until = judge->good_until};

    if (store == NULL ||
        X509_STORE_CTX_init(store, X509_STORE_CTX_get0_store(first),
                            X509_STORE_CTX_get0_cert(first),
                            X509_STORE_CTX_get0_untrusted(first)) != 1 ||
        X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(store),
                               X509_STORE_CTX_get0_param(first)) != 1) {
        X509_STORE_CTX_free(store);
        judge->error = X509_V_ERR_OUT_OF_MEM;
        return;
    }
    again.collect = judge->collect;
    verify_with(store, &again, lists);
    if (again.error != judge->error) { /* it did not get to the lists: nothing was found out */
        if (again.error == X509_V_ERR_OUT_OF_MEM && judge->error == X509_V_OK)
            judge->error = again.error;
        X509_STORE_CTX_free(store);
        return;
    }
    for (size_t i = 0; i < judge->count; i++) {
        const bool answered = judge->places[i].standing == OSSPI_STANDING_GOOD ||
                              judge->places[i].standing == OSSPI_STANDING_REVOKED;
        if (!answered) {
            judge->places[i].no_list = again.places[i].no_list;
            judge->places[i].listed = again.places[i].listed;
        }
    }
    (void)judge_places(judge, first, lists, false);
    X509_STORE_CTX_free(store);
}

void osspi_judge_run(X509_STORE_CTX *store, struct osspi_judge *judge)
{
    STACK_OF(X509_CRL) * lists osspi_auto(free_lists) = sk_X509_CRL_new_null();

    judge->good_until = INT64_MAX;
    if (lists == NULL) {
        judge->error = X509_V_ERR_OUT_OF_MEM;
        return;
    }
    if (judge->scope != OSSPI_SCOPE_NONE)
        add_all_known(lists, store);
    verify_with(store, judge, lists);
    const int count = sk_X509_num(X509_STORE_CTX_get0_chain(store));
    judge->count = count < 0 ? 0 : (size_t)count;
    if (judge->count > OSSPI_JUDGE_PLACES)
        judge->count = OSSPI_JUDGE_PLACES;
    if (judge->scope == OSSPI_SCOPE_NONE || (judge->error != X509_V_OK && !judge->collect))
        return;
    if (judge->deadline_ns == 0)
        judge->deadline_ns = osspi_deadline_ns(OSSPI_JUDGE_WAIT_MS);
    if (judge_places(judge, store, lists, true))
        judge_again(judge, store, lists);
}

void osspi_judge_staple(struct osspi_judge *judge, struct osspi_der_view staple,
                        STACK_OF(X509) * chain, X509_STORE *trust)
{
    const struct osspi_subject subject = {
        .certificate = sk_X509_value(chain, 0),
        .issuer = sk_X509_value(chain, 1),
        .chain = chain,
        .trust = trust,
    };
    struct osspi_answer answer;

    judge->staple_to_come = false;
    if (staple.len > 0 && subject.certificate != NULL && subject.issuer != NULL &&
        osspi_ocsp_read(staple, &subject, &answer)) {
        judge->places[0].standing = answer.standing;
        note_until(judge, answer.until);
    }
}
