/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Sets of certificates; see identity.h. Names are compared in the one spelling of name.h: A-labels,
 * lower case, without a dot at the end.
 */
#include "packages/schannel/identity.h"

#include <string.h>

#include "base/memory.h"
#include "packages/schannel/materials.h"

#define FILETIME_PER_S     INT64_C(10000000)
#define FILETIME_TO_UNIX_S INT64_C(11644473600)

static _Atomic uint64_t last_id;

/* ---- making and freeing ---- */

struct osspi_identity_set *osspi_identity_set_new(size_t room, bool server, bool send_root)
{
    struct osspi_identity_set *set = osspi_alloc(sizeof(*set));

    if (!set)
        return NULL;
    set->room = room < OSSPI_MAX_IDENTITIES ? room : OSSPI_MAX_IDENTITIES;
    set->items = osspi_alloc_array(set->room, sizeof(*set->items));
    if (!set->items) {
        osspi_free(set);
        return NULL;
    }
    atomic_init(&set->references, 1);
    set->id = atomic_fetch_add(&last_id, 1) + 1;
    set->server = server;
    set->send_root = send_root;
    set->not_after = INT64_MAX;
    return set;
}

struct osspi_identity_set *osspi_identity_set_ref(struct osspi_identity_set *set)
{
    atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

static void unref_identity(struct osspi_identity *identity)
{
    if (!identity || atomic_fetch_sub_explicit(&identity->references, 1, memory_order_acq_rel) != 1)
        return;
    osspi_materials_forget(identity);
    if (identity->context)
        CertFreeCertificateContext(identity->context);
    osspi_free(identity->principal);
    for (size_t i = 0; i < identity->name_count; i++)
        osspi_free(identity->names[i]);
    osspi_free(identity->names);
    osspi_free(identity);
}

void osspi_identity_set_unref(struct osspi_identity_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1)
        return;
    osspi_materials_drop(set);
    for (size_t i = 0; i < set->count; i++)
        unref_identity(set->items[i]);
    osspi_free(set->items);
    osspi_free(set);
}

void osspi_identity_set_unrefp(struct osspi_identity_set **set)
{
    osspi_identity_set_unref(*set);
}

/* ---- filling ---- */

static int64_t unix_from_filetime(const FILETIME *time)
{
    uint64_t ticks = (uint64_t)time->dwHighDateTime << 32 | time->dwLowDateTime;

    return (int64_t)(ticks / (uint64_t)FILETIME_PER_S) - FILETIME_TO_UNIX_S;
}

/* The identity holds the context already. */
static SECURITY_STATUS fill(struct osspi_identity *identity, const char *principal, bool server)
{
    identity->leaf = osspi_certificate_der(identity->context);
    identity->key = osspi_certificate_key(identity->context);
    identity->token = osspi_certificate_token(identity->context);
    if (identity->key.len == 0 && !identity->token)
        return SEC_E_NO_CREDENTIALS;
    identity->chain_count =
        osspi_certificate_chain(identity->context, identity->chain, OSSPI_MAX_CHAIN);
    if (identity->chain_count > OSSPI_MAX_CHAIN)
        return SEC_E_UNKNOWN_CREDENTIALS;
    osspi_certificate_fingerprint(identity->context, identity->fingerprint);
    if (principal) {
        identity->principal = osspi_strdup(principal);
        if (!identity->principal)
            return SEC_E_INSUFFICIENT_MEMORY;
    }
    return server ? osspi_materials_names(&identity->leaf, &identity->names, &identity->name_count)
                  : SEC_E_OK;
}

/* Takes the reference over. */
static void append(struct osspi_identity_set *set, struct osspi_identity *identity)
{
    if (set->count == 0 && identity->context)
        set->not_after = unix_from_filetime(&identity->context->pCertInfo->NotAfter);
    if (identity->token)
        set->blocking_class = OSSPI_TOKEN_CLASS;
    set->items[set->count++] = identity;
}

SECURITY_STATUS osspi_identity_set_add(struct osspi_identity_set *set, PCCERT_CONTEXT context,
                                       const char *principal, bool added)
{
    struct osspi_identity *identity = osspi_alloc(sizeof(*identity));
    SECURITY_STATUS status;

    if (!identity) {
        CertFreeCertificateContext(context);
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    atomic_init(&identity->references, 1);
    identity->context = context;
    identity->added = added;
    status =
        set->count < set->room ? fill(identity, principal, set->server) : SEC_E_UNKNOWN_CREDENTIALS;
    if (status == SEC_E_OK)
        append(set, identity);
    else
        unref_identity(identity);
    return status;
}

SECURITY_STATUS osspi_identity_set_keep(struct osspi_identity_set *set,
                                        struct osspi_identity *identity)
{
    if (set->count == set->room)
        return SEC_E_UNKNOWN_CREDENTIALS;
    atomic_fetch_add_explicit(&identity->references, 1, memory_order_relaxed);
    append(set, identity);
    return SEC_E_OK;
}

/* ---- choosing ---- */

static bool wildcard_matches(const char *pattern, const char *name)
{
    const char *rest = strchr(name, '.');

    return rest && strcmp(pattern + 1, rest) == 0;
}

bool osspi_identity_set_is_default(const struct osspi_identity_set *set, size_t index)
{
    if (!set->items[index]->added)
        return true;
    for (size_t i = 0; i < set->count; i++) {
        if (!set->items[i]->added)
            return false;
    }
    return true;
}

enum osspi_match osspi_identity_match(const struct osspi_identity *identity, const char *name)
{
    enum osspi_match best = OSSPI_MATCH_NONE;

    if (identity->principal && strcmp(identity->principal, name) == 0)
        return OSSPI_MATCH_PRINCIPAL;
    for (size_t i = 0; i < identity->name_count; i++) {
        const char *own = identity->names[i];

        if (strcmp(own, name) == 0)
            return OSSPI_MATCH_NAME;
        if (own[0] == '*' && wildcard_matches(own, name))
            best = OSSPI_MATCH_WILDCARD;
    }
    return best;
}

enum osspi_match osspi_identity_set_match(const struct osspi_identity_set *set, const char *name)
{
    enum osspi_match best = OSSPI_MATCH_NONE;

    for (size_t i = 0; i < set->count && best < OSSPI_MATCH_PRINCIPAL; i++) {
        enum osspi_match one = osspi_identity_match(set->items[i], name);

        if (one > best)
            best = one;
    }
    return best;
}
