/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Sets of identities as objects of a shard; see materials.h. They are made without a lock, so that
 * nobody waits who needs another shard's; of two threads that make the same ones, the slower throws
 * its own away. Thread-safe.
 */
#include "packages/schannel/materials.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/name.h"
#include "packages/schannel/tls_internal.h"

/* ---- one identity in one shard ---- */

struct osspi_loaded {
    struct osspi_abandoned abandoned; /* first member */
    struct osspi_shard *shard;        /* constant, like the rest */
    struct osspi_material material;
};

static void free_loaded(struct osspi_loaded *loaded)
{
    if (loaded == NULL)
        return;
    OSSPI_IN_SHARD(loaded->shard);
    osspi_material_clear(&loaded->material);
    osspi_free(loaded);
}

static void free_loadedp(struct osspi_loaded **loaded)
{
    free_loaded(*loaded);
}

static void abandon_loaded_locked(struct osspi_identity *identity)
{
    if (identity->epoch == osspi_fork_epoch())
        return;
    for (uint32_t i = 0; i < OSSPI_MAX_SHARDS; i++) {
        if (identity->shards[i] != NULL)
            osspi_shard_abandon(&identity->shards[i]->abandoned);
        identity->shards[i] = NULL;
    }
    identity->epoch = osspi_fork_epoch();
}

/* What there is in a shard; if there is nothing yet, *made becomes it and is moved out. */
static const struct osspi_loaded *publish_loaded(struct osspi_identity *identity, uint32_t shard,
                                                 struct osspi_loaded **made)
{
    OSSPI_LOCKED(&identity->lock);
    abandon_loaded_locked(identity);
    if (identity->shards[shard] == NULL && made != NULL)
        identity->shards[shard] = OSSPI_TAKE(*made);
    return identity->shards[shard];
}

static SECURITY_STATUS load(struct osspi_identity *identity, struct osspi_shard *shard,
                            bool send_root, const struct osspi_material **ret_material)
{
    struct osspi_loaded *made osspi_auto(free_loadedp) = NULL;
    const struct osspi_loaded *loaded = publish_loaded(identity, shard->index, NULL);

    if (loaded == NULL) {
        made = osspi_alloc(sizeof(*made));
        if (made == NULL)
            return SEC_E_INSUFFICIENT_MEMORY;
        made->shard = shard;
        const SECURITY_STATUS status =
            osspi_material_load(shard, identity, send_root, &made->material);
        if (status != SEC_E_OK)
            return status;
        loaded = publish_loaded(identity, shard->index, &made);
    }
    *ret_material = &loaded->material;
    return SEC_E_OK;
}

void osspi_materials_forget(struct osspi_identity *identity)
{
    struct osspi_loaded *dropped[OSSPI_MAX_SHARDS];

    osspi_lock_acquire(&identity->lock);
    abandon_loaded_locked(identity);
    memcpy(dropped, identity->shards, sizeof(dropped));
    memset(identity->shards, 0, sizeof(identity->shards));
    osspi_lock_release(&identity->lock);
    for (uint32_t i = 0; i < OSSPI_MAX_SHARDS; i++)
        free_loaded(dropped[i]);
}

/* ---- a set in one shard ---- */

static void free_materials(struct osspi_materials *materials)
{
    if (materials == NULL)
        return;
    osspi_free(materials->items);
    osspi_free(materials);
}

static void free_materialsp(struct osspi_materials **materials)
{
    free_materials(*materials);
}

static SECURITY_STATUS make(const struct osspi_identity_set *set, struct osspi_shard *shard,
                            struct osspi_materials **ret_materials)
{
    struct osspi_materials *materials osspi_auto(free_materialsp) = osspi_alloc(sizeof(*materials));

    if (materials == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    materials->shard = shard;
    materials->items = osspi_alloc_array(set->count, sizeof(*materials->items));
    if (materials->items == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    OSSPI_IN_SHARD(shard);
    for (size_t i = 0; i < set->count; i++) {
        const SECURITY_STATUS status =
            load(set->items[i], shard, set->send_root, &materials->items[i]);
        if (status != SEC_E_OK)
            return status;
        materials->count++;
    }
    *ret_materials = OSSPI_TAKE(materials);
    return SEC_E_OK;
}

static void abandon_parents_locked(struct osspi_identity_set *set)
{
    if (set->epoch == osspi_fork_epoch())
        return;
    for (uint32_t i = 0; i < OSSPI_MAX_SHARDS; i++) {
        if (set->shards[i] != NULL)
            osspi_shard_abandon(&set->shards[i]->abandoned);
        set->shards[i] = NULL;
    }
    set->epoch = osspi_fork_epoch();
}

/* As publish_loaded(). */
static const struct osspi_materials *publish(struct osspi_identity_set *set, uint32_t shard,
                                             struct osspi_materials **made)
{
    OSSPI_LOCKED(&set->lock);
    abandon_parents_locked(set);
    if (set->shards[shard] == NULL && made != NULL)
        set->shards[shard] = OSSPI_TAKE(*made);
    return set->shards[shard];
}

SECURITY_STATUS osspi_materials_get(struct osspi_identity_set *set, struct osspi_shard *shard,
                                    const struct osspi_materials **ret_materials)
{
    struct osspi_materials *made osspi_auto(free_materialsp) = NULL;

    *ret_materials = publish(set, shard->index, NULL);
    if (*ret_materials != NULL)
        return SEC_E_OK;
    const SECURITY_STATUS status = make(set, shard, &made);
    if (status == SEC_E_OK)
        *ret_materials = publish(set, shard->index, &made);
    return status;
}

void osspi_materials_drop(struct osspi_identity_set *set)
{
    struct osspi_materials *dropped[OSSPI_MAX_SHARDS];

    osspi_lock_acquire(&set->lock);
    abandon_parents_locked(set);
    memcpy(dropped, set->shards, sizeof(dropped));
    memset(set->shards, 0, sizeof(set->shards));
    osspi_lock_release(&set->lock);
    for (uint32_t i = 0; i < OSSPI_MAX_SHARDS; i++)
        free_materials(dropped[i]);
}

/* ---- names ---- */

/* A name or "*." and a name; anything else, one with a NUL in it too, is nobody's. */
static bool normalise(const ASN1_IA5STRING *from, char *ret_name)
{
    const int len = ASN1_STRING_length(from);
    const char *data = (const char *)ASN1_STRING_get0_data(from);
    char text[OSSPI_NAME_SIZE];
    bool is_ip = true;

    if (len <= 0 || (size_t)len >= sizeof(text) || memchr(data, '\0', (size_t)len) != NULL)
        return false;
    memcpy(text, data, (size_t)len);
    text[len] = '\0';
    const size_t star = text[0] == '*' && text[1] == '.' ? 2 : 0;
    if (osspi_name_normalise(text + star, ret_name + star, &is_ip) != SEC_E_OK || is_ip)
        return false;
    memcpy(ret_name, text, star);
    return true;
}

static bool add_name(const GENERAL_NAME *general, char **names, size_t *count)
{
    char name[2 + OSSPI_NAME_SIZE];

    if (general->type != GEN_DNS || !normalise(general->d.dNSName, name))
        return true;
    names[*count] = osspi_strdup(name);
    return names[(*count)++] != NULL;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        osspi_free(names[i]);
    osspi_free(names);
}

static SECURITY_STATUS copy_names(const GENERAL_NAMES *generals, char ***ret_names,
                                  size_t *ret_count)
{
    const int len = generals == NULL ? 0 : sk_GENERAL_NAME_num(generals);
    char **names = osspi_alloc_array((size_t)len, sizeof(*names));
    size_t count = 0;
    bool ok = names != NULL;

    for (int i = 0; ok && i < len; i++)
        ok = add_name(sk_GENERAL_NAME_value(generals, i), names, &count);
    if (!ok) {
        free_names(names, names == NULL ? 0 : count);
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    *ret_names = names;
    *ret_count = count;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_materials_names(const struct osspi_der_view *certificate, char ***ret_names,
                                      size_t *ret_count)
{
    struct osspi_shard *shard = osspi_shard_get(osspi_shard_first());

    if (shard == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    OSSPI_IN_SHARD(shard);
    ERR_clear_error();
    X509 *leaf = osspi_material_certificate(shard->libctx, certificate->bytes, certificate->len);
    if (leaf == NULL)
        return osspi_tls_queue_status(SEC_E_UNKNOWN_CREDENTIALS);
    GENERAL_NAMES *generals = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    SECURITY_STATUS status = osspi_tls_queue_status(SEC_E_OK); /* a broken extension has no names */
    if (status == SEC_E_OK)
        status = copy_names(generals, ret_names, ret_count);
    GENERAL_NAMES_free(generals);
    X509_free(leaf);
    return status;
}
