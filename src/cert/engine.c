/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Chain engines; see engine.h. The exported functions on them are here too.
 *
 * Roots are parsed once for each engine and process. The system's are shared by all engines that
 * have none of their own.
 */
#include "cert/engine.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cancel.h"
#include "base/foreign.h"
#include "base/table.h"
#include "cert/crypto.h"
#include "cert/last_error.h"
#include "cert/roots.h"
#include "cert/store_system.h"

#define TRUST_MAX_LEN (64 << 20) /* bytes of a file of roots */

/* Roots as objects of the TLS library, of one process. */
struct trust {
    struct osspi_lock lock;
    uint32_t epoch;        /* guarded by lock, with the two below */
    X509_STORE *store;     /* a reference, or NULL: not read yet */
    X509_STORE *abandoned; /* the parent's: kept in reach, no more */
};

struct engine {
    struct osspi_slot slot;
    struct trust trust;                              /* guards itself */
    struct osspi_store *roots;                       /* a reference; NULL: the system's */
    struct osspi_store *stores[OSSPI_ENGINE_STORES]; /* references, constant */
    size_t store_count;
    DWORD flags, timeout_ms;
};

static struct trust system_trust; /* guards itself */

static void destroy(struct osspi_slot *slot);

/* Guards itself; see base/table.h. */
static struct osspi_table engines = {
    .object_size = (sizeof(struct engine) + 63) / 64 * 64,
    .min_line = 64,
    .line_share = 4,
    .destroy = destroy,
};

static void destroy(struct osspi_slot *slot)
{
    struct engine *engine = OSSPI_CONTAINER_OF(slot, struct engine, slot);
    OSSPI_CRYPTO_CALL;

    if (engine->trust.epoch == osspi_fork_epoch())
        X509_STORE_free(engine->trust.store);
    engine->trust.store = NULL;
    osspi_store_put(OSSPI_TAKE(engine->roots));
    for (size_t i = 0; i < engine->store_count; i++) {
        osspi_store_release(engine->stores[i]);
        osspi_store_put(OSSPI_TAKE(engine->stores[i]));
    }
    engine->store_count = 0;
}

/* ---- roots ---- */

static bool add_root(X509_STORE *trust, const struct osspi_certificate *certificate)
{
    const unsigned char *at = certificate->der.bytes;
    X509 *root = d2i_X509(NULL, &at, (long)certificate->der.len);
    const bool added = root == NULL || X509_STORE_add_cert(trust, root) == 1;

    if (root != NULL)
        (void)X509_check_purpose(root, -1, 0); /* now, not in several threads at once */
    X509_free(root);
    return added;
}

static bool add_roots(X509_STORE *trust, struct osspi_store *roots)
{
    for (size_t i = 0;; i++) {
        struct osspi_element *element osspi_auto(osspi_element_unrefp) = osspi_store_at(roots, i);
        if (!element)
            return true;
        if (!add_root(trust, element->certificate))
            return false;
    }
}

/* OpenSSL would wait for the writer of a pipe, and read a device that has no end for ever. */
static bool is_readable(const char *file)
{
    struct stat facts;

    return stat(file, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size <= TRUST_MAX_LEN;
}

/* Lists in the files count as well. What cannot be read is not trusted. */
static bool add_system(X509_STORE *trust)
{
    const char *file, *dir;

    osspi_roots_paths(&file, &dir);
    if (file != NULL && is_readable(file) && X509_STORE_load_file(trust, file) != 1 &&
        osspi_crypto_failure(SEC_E_OK) != SEC_E_OK)
        return false;
    if (dir != NULL && X509_STORE_load_path(trust, dir) != 1 &&
        osspi_crypto_failure(SEC_E_OK) != SEC_E_OK)
        return false;
    return true;
}

/* A reference to the roots; NULL: no memory. */
static X509_STORE *trust_get(struct trust *trust, struct osspi_store *roots)
{
    OSSPI_UNCANCELLED; /* files are read under the lock */
    OSSPI_LOCKED(&trust->lock);

    if (trust->epoch != osspi_fork_epoch()) {
        trust->abandoned = OSSPI_TAKE(trust->store);
        trust->epoch = osspi_fork_epoch();
    }
    if (trust->store == NULL) {
        X509_STORE *store = X509_STORE_new();
        if (store == NULL || !(roots != NULL ? add_roots(store, roots) : add_system(store))) {
            X509_STORE_free(store);
            return NULL;
        }
        trust->store = store;
    }
    return X509_STORE_up_ref(trust->store) == 1 ? trust->store : NULL;
}

/* ---- views ---- */

static void add_store(struct osspi_store **stores, size_t *count, struct osspi_store *store)
{
    if (store == NULL || *count >= OSSPI_ENGINE_STORES) {
        osspi_store_put(store);
        return;
    }
    stores[(*count)++] = store;
}

void osspi_engine_view_clear(struct osspi_engine_view *view)
{
    X509_STORE_free(view->trust);
    for (size_t i = 0; i < view->store_count; i++)
        osspi_store_put(view->stores[i]);
    view->store_count = 0;
}

SECURITY_STATUS osspi_engine_view(HCERTCHAINENGINE handle, struct osspi_engine_view *ret_view)
{
    if (handle == HCCE_CURRENT_USER || handle == HCCE_LOCAL_MACHINE) {
        ret_view->trust = trust_get(&system_trust, NULL);
        return ret_view->trust != NULL ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
    }
    struct osspi_slot *slot = osspi_table_lookup(&engines, (uint64_t)(uintptr_t)handle);
    if (slot == NULL)
        return SEC_E_INVALID_PARAMETER;
    struct engine *engine = OSSPI_CONTAINER_OF(slot, struct engine, slot);
    ret_view->trust =
        trust_get(engine->roots != NULL ? &engine->trust : &system_trust, engine->roots);
    ret_view->flags = engine->flags;
    ret_view->timeout_ms = engine->timeout_ms;
    for (size_t i = 0; i < engine->store_count; i++)
        add_store(ret_view->stores, &ret_view->store_count,
                  osspi_store_find(osspi_store_handle(engine->stores[i])));
    osspi_slot_unref(&engines, slot);
    return ret_view->trust != NULL ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

/* ---- making ---- */

static void engine_drop(struct engine **engine)
{
    struct osspi_slot *slot = *engine == NULL ? NULL : &(*engine)->slot;

    if (slot != NULL && osspi_table_retire(&engines, slot, osspi_slot_id(slot)))
        osspi_slot_unref(&engines, slot);
}

/* Members behind the caller's size are 0. */
static bool read_config(const CERT_CHAIN_ENGINE_CONFIG *config,
                        CERT_CHAIN_ENGINE_CONFIG *ret_config)
{
    const size_t first_version = offsetof(CERT_CHAIN_ENGINE_CONFIG, hExclusiveRoot);

    if (config == NULL || config->cbSize < first_version || config->cbSize > sizeof(*config))
        return false;
    memset(ret_config, 0, sizeof(*ret_config));
    memcpy(ret_config, config, config->cbSize);
    return ret_config->cAdditionalStore == 0 || ret_config->rghAdditionalStore != NULL;
}

/* The roots that are in both. */
static SECURITY_STATUS intersect(struct osspi_store *wanted, struct osspi_store **ret_roots)
{
    struct osspi_store *known osspi_auto(osspi_store_close_putp) = osspi_store_open();
    struct osspi_store *both osspi_auto(osspi_store_close_putp) = osspi_store_open();
    SECURITY_STATUS status =
        known && both ? osspi_roots_load(known) : (SECURITY_STATUS)SEC_E_INSUFFICIENT_MEMORY;

    for (size_t i = 0; status == SEC_E_OK; i++) {
        struct osspi_element *element osspi_auto(osspi_element_unrefp) = osspi_store_at(wanted, i);
        struct osspi_element *added osspi_auto(osspi_element_unrefp) = NULL;
        if (!element)
            break;
        struct osspi_element *trusted osspi_auto(osspi_element_unrefp) =
            osspi_store_find_equal(known, element->certificate);
        if (trusted)
            status = osspi_store_add(both, element, CERT_STORE_ADD_USE_EXISTING, &added);
    }
    if (status == SEC_E_OK)
        *ret_roots = osspi_store_find(osspi_store_handle(both));
    return status;
}

/* A copy of what the store holds now: whoever adds to it later does not change whom we trust. */
static SECURITY_STATUS copy_roots(HCERTSTORE handle, bool exclusive, struct osspi_store **ret_roots)
{
    struct osspi_store *wanted osspi_auto(osspi_store_putp) = osspi_store_find(handle);

    if (wanted == NULL)
        return SEC_E_INVALID_PARAMETER;
    if (!exclusive)
        return intersect(wanted, ret_roots);
    *ret_roots = OSSPI_TAKE(wanted);
    return SEC_E_OK;
}

/* Used from here on, so that the store stays what it is when its opener closes it. */
static void use_store(struct engine *engine, HCERTSTORE handle)
{
    struct osspi_store *store = osspi_store_find(handle);

    if (store != NULL && engine->store_count < OSSPI_ENGINE_STORES)
        osspi_store_use(store);
    add_store(engine->stores, &engine->store_count, store);
}

static SECURITY_STATUS fill(struct engine *engine, const CERT_CHAIN_ENGINE_CONFIG *config)
{
    SECURITY_STATUS status = SEC_E_OK;

    memset(&engine->trust, 0, sizeof(engine->trust));
    engine->flags = config->dwFlags;
    engine->timeout_ms = config->dwUrlRetrievalTimeout;
    if (config->hExclusiveRoot != NULL)
        status = copy_roots(config->hExclusiveRoot, true, &engine->roots);
    else if (config->hRestrictedRoot != NULL)
        status = copy_roots(config->hRestrictedRoot, false, &engine->roots);
    if (config->hRestrictedOther != NULL)
        use_store(engine, config->hRestrictedOther);
    for (DWORD i = 0; i < config->cAdditionalStore && i < OSSPI_ENGINE_STORES; i++)
        use_store(engine, config->rghAdditionalStore[i]);
    if (status != SEC_E_OK || engine->roots == NULL)
        return status;
    X509_STORE *trust = trust_get(&engine->trust, engine->roots); /* what it holds now counts */
    X509_STORE_free(trust);
    return trust != NULL ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

OSSPI_API BOOL WINAPI CertCreateCertificateChainEngine(PCERT_CHAIN_ENGINE_CONFIG pConfig,
                                                       HCERTCHAINENGINE *phChainEngine)
{
    OSSPI_CRYPTO_CALL;
    CERT_CHAIN_ENGINE_CONFIG config;
    struct engine *engine osspi_auto(engine_drop) = NULL;

    if (phChainEngine == NULL || !read_config(pConfig, &config))
        return osspi_fail(SEC_E_INVALID_PARAMETER);
    *phChainEngine = NULL;
    struct osspi_slot *slot = osspi_table_acquire(&engines);
    if (slot == NULL)
        return osspi_fail(SEC_E_INSUFFICIENT_MEMORY);
    engine = OSSPI_CONTAINER_OF(slot, struct engine, slot);
    const SECURITY_STATUS status = fill(engine, &config);
    if (status != SEC_E_OK)
        return osspi_fail(status);
    *phChainEngine = (HCERTCHAINENGINE)(uintptr_t)osspi_slot_id(&OSSPI_TAKE(engine)->slot);
    return TRUE;
}

OSSPI_API VOID WINAPI CertFreeCertificateChainEngine(HCERTCHAINENGINE hChainEngine)
{
    const uint64_t id = (uint64_t)(uintptr_t)hChainEngine;
    struct osspi_slot *slot = osspi_table_lookup(&engines, id);

    if (slot == NULL)
        return;
    if (osspi_table_retire(&engines, slot, id))
        osspi_slot_unref(&engines, slot);
    osspi_slot_unref(&engines, slot);
}
