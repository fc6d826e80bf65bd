/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The provider; see provider.h. Which functions a provider has: man 7 provider-base.
 *
 * In OpenSSL 3.0 it stands in the default provider's place. What it hands on are that provider's
 * own functions, and those want that provider's own context: so that is this one's context too, and
 * what belongs to us is found by it in a list. The list only grows (a shard lives as long as the
 * process), so that reading takes no lock.
 *
 * From 3.2 on it stands beside the default provider and has the key derivation only. Of two
 * implementations OpenSSL takes the one of the provider that comes first, and it sorts providers by
 * name. Should that ever change, wrapping fails, and the shard does without.
 */
#include "packages/schannel/provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/provider_internal.h"

#define NAME       "OpenSSPI" /* before "default" */
#define OPERATIONS ((int)OSSL_OP__HIGHEST + 1)

struct layer {
    struct layer *next; /* constant once in the list, like all of it */
    /* Never unloaded: kept in reach for leak checkers, like the rest. */
    OSSL_PROVIDER *below, *own, *beside;
    bool stands_in;               /* for the one below */
    void *context;                /* of the provider */
    struct osspi_key_cache *keys; /* or NULL */
    /* Each ends with an entry without names; NULL: there are none. */
    OSSL_ALGORITHM *lists[OPERATIONS];
};

static _Atomic(struct layer *) layers;

/* The layer that is being loaded: init() is given nothing that would tell. */
static _Thread_local struct layer *loading;

static void free_layer(struct layer *layer)
{
    if (layer == NULL)
        return;
    for (int i = 0; i < OPERATIONS; i++)
        osspi_free(layer->lists[i]);
    osspi_free(layer->keys); /* empty still */
    osspi_free(layer);
}

static void free_layerp(struct layer **layer)
{
    free_layer(*layer);
}

static const struct layer *layer_of(const void *context)
{
    const struct layer *layer = atomic_load_explicit(&layers, memory_order_acquire);

    while (layer != NULL && layer->context != context)
        layer = layer->next;
    return layer;
}

struct osspi_key_cache *osspi_provider_key_cache(const void *context)
{
    const struct layer *layer = layer_of(context);

    return layer == NULL ? NULL : layer->keys;
}

/* ---- the provider's functions ---- */

static const OSSL_ALGORITHM *query_operation(void *context, int operation, int *ret_no_store)
{
    const struct layer *layer = layer_of(context);

    *ret_no_store = 0;
    return layer == NULL || operation < 0 || operation >= OPERATIONS ? NULL
                                                                     : layer->lists[operation];
}

static int get_capabilities(void *context, const char *capability, OSSL_CALLBACK *tell,
                            void *argument)
{
    const struct layer *layer = layer_of(context);

    return layer == NULL || !layer->stands_in ||
           OSSL_PROVIDER_get_capabilities(layer->below, capability, tell, argument);
}

static const OSSL_DISPATCH functions[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query_operation},
    {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))get_capabilities},
    {0, NULL},
};

static OSSL_ALGORITHM *find(const struct layer *layer, int operation, const char *name)
{
    OSSL_ALGORITHM *entry = layer->lists[operation];

    while (entry != NULL && entry->algorithm_names != NULL && !osspi_provider_is_named(entry, name))
        entry++;
    return entry == NULL || entry->algorithm_names == NULL ? NULL : entry;
}

static void wrap_keys(const struct layer *layer, const OSSL_DISPATCH *core)
{
    OSSL_ALGORITHM *decoder = find(layer, OSSL_OP_DECODER, "EC");
    OSSL_ALGORITHM *keys = find(layer, OSSL_OP_KEYMGMT, "EC");

    /* Only what the filter leaves is one form of key for each type. */
    if (layer->keys != NULL && decoder != NULL && keys != NULL)
        osspi_key_cache_wrap(core, decoder, keys);
}

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core,
                const OSSL_DISPATCH **ret_functions, void **ret_context)
{
    (void)handle;
    if (loading == NULL)
        return 0;
    wrap_keys(loading, core);
    *ret_functions = functions;
    *ret_context = loading->context;
    return 1;
}

/* ---- what is handed on ---- */

bool osspi_provider_is_named(const OSSL_ALGORITHM *algorithm, const char *name)
{
    const size_t len = strlen(name);
    const char *names = algorithm->algorithm_names;

    while (names != NULL) {
        if (strncmp(names, name, len) == 0 && (names[len] == '\0' || names[len] == ':'))
            return true;
        names = strchr(names, ':');
        names = names != NULL ? names + 1 : NULL;
    }
    return false;
}

static size_t count_of(const OSSL_ALGORITHM *algorithms)
{
    size_t count = 0;

    while (algorithms != NULL && algorithms[count].algorithm_names != NULL)
        count++;
    return count;
}

/* Whoever makes a shard looks for this: it is to be tried again. */
static void tell_no_memory(void)
{
    ERR_raise(ERR_LIB_PROV, ERR_R_MALLOC_FAILURE);
}

static bool fill_list(struct layer *layer, int operation)
{
    int no_store = 0;
    const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(layer->below, operation, &no_store);
    const size_t count = count_of(all);

    /* What may change from one question to the next cannot be kept. */
    if (all == NULL || no_store != 0)
        return all == NULL;
    OSSL_ALGORITHM *list = osspi_alloc_array(count + 1, sizeof(*list));
    if (list == NULL) {
        tell_no_memory();
        return false;
    }
    layer->lists[operation] = list;
    for (size_t i = 0; i < count; i++) {
        if (!osspi_provider_passes(operation, &all[i]))
            continue;
        *list = all[i];
        if (operation == OSSL_OP_KDF && osspi_provider_is_named(list, "TLS13-KDF"))
            list->implementation = osspi_provider_tls13_kdf;
        if (operation == OSSL_OP_KDF && osspi_provider_is_named(list, "TLS1-PRF"))
            list->implementation = osspi_provider_tls1_prf;
        list++;
    }
    return true;
}

static struct layer *make_layer(OSSL_LIB_CTX *base)
{
    struct layer *layer osspi_auto(free_layerp) = osspi_alloc(sizeof(*layer));

    if (layer == NULL) {
        tell_no_memory();
        return NULL;
    }
    /* Kept until the process ends, like the shard. */
    layer->below = OSSL_PROVIDER_load(base, "default");
    if (layer->below == NULL)
        return NULL;
    layer->stands_in = osspi_provider_decodes_slowly();
    layer->context = layer->stands_in ? OSSL_PROVIDER_get0_provider_ctx(layer->below) : layer;
    layer->keys = layer->stands_in ? osspi_key_cache_new() : NULL;
    if (layer->stands_in && layer->keys == NULL) {
        tell_no_memory();
        return NULL;
    }
    for (int i = 1; i < OPERATIONS; i++) {
        if (!fill_list(layer, i))
            return NULL;
    }
    return OSSPI_TAKE(layer);
}

static void publish(struct layer *layer)
{
    layer->next = atomic_load_explicit(&layers, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&layers, &layer->next, layer,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

/* ---- wrapping ---- */

struct census {
    unsigned all, ours;
};

static int count_provider(OSSL_PROVIDER *provider, void *argument)
{
    struct census *census = argument;
    const char *name = OSSL_PROVIDER_get0_name(provider);

    census->all++;
    census->ours += name != NULL && strcmp(name, "default") == 0;
    return 1;
}

static bool has_default_only(OSSL_LIB_CTX *base)
{
    struct census census = {0, 0};

    return OSSL_PROVIDER_do_all(base, count_provider, &census) == 1 && census.all == 1 &&
           census.ours == 1;
}

static bool load(OSSL_LIB_CTX *library, struct layer *layer)
{
    if (OSSL_PROVIDER_add_builtin(library, NAME, init) != 1)
        return false;
    loading = layer;
    layer->own = OSSL_PROVIDER_load(library, NAME);
    loading = NULL;
    if (layer->own != NULL && !layer->stands_in)
        layer->beside = OSSL_PROVIDER_load(library, "default");
    return layer->own != NULL && (layer->stands_in || layer->beside != NULL);
}

/* Who waits for the secrets that we tell would wait in vain otherwise. */
static bool is_in_force(OSSL_LIB_CTX *library)
{
    static const char *const names[] = {"TLS13-KDF", "TLS1-PRF"};

    for (size_t i = 0; i < OSSPI_COUNT_OF(names); i++) {
        EVP_KDF *kdf = EVP_KDF_fetch(library, names[i], NULL);
        const char *name = kdf == NULL ? NULL : OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf));
        const bool ours = name != NULL && strcmp(name, NAME) == 0;

        EVP_KDF_free(kdf);
        if (!ours)
            return false;
    }
    return true;
}

OSSL_LIB_CTX *osspi_provider_wrap(OSSL_LIB_CTX *base)
{
    if (!has_default_only(base))
        return NULL;
    struct layer *layer = make_layer(base);
    OSSL_LIB_CTX *library = layer == NULL ? NULL : OSSL_LIB_CTX_new();

    if (library == NULL) {
        free_layer(layer);
        return NULL;
    }
    osspi_kdf_prepare();
    publish(layer);
    if (!load(library, layer) || !is_in_force(library)) {
        OSSL_LIB_CTX_free(library);
        return NULL;
    }
    return library;
}
