/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Stores as they are in memory; see store.h.
 *
 * The array of elements is guarded by the store's lock, which may be held while an element's lock
 * is taken, never the reverse. Each change becomes visible by one store (a pointer in the array,
 * the count, or the array itself) after what it shows is complete: a forked child, for which the
 * lock counts as free, finds the state before or after a change.
 */
#include "cert/store.h"

#include "base/table.h"
#include "cert/store_folder.h"

_Static_assert(UINTPTR_MAX >= UINT64_MAX, "a store's handle is a table id of 64 bits");

struct osspi_store {
    struct osspi_slot slot;
    _Atomic uint32_t openers; /* CertOpenStore without CertCloseStore */
    _Atomic uint32_t users;   /* openers and contexts; the last one's going ends the store */
    struct osspi_lock lock;
    _Atomic(struct osspi_element **) elements; /* written under lock, with the two below */
    _Atomic size_t count;
    size_t capacity;
    struct osspi_folder *folder; /* owned, or NULL; constant once others know the store */
    bool is_read_only;           /* the same */
};

static void destroy(struct osspi_slot *slot);

/* Guards itself; see base/table.h. */
static struct osspi_table stores = {
    .object_size = (sizeof(struct osspi_store) + 63) / 64 * 64,
    .min_line = 64,
    .line_share = 4,
    .destroy = destroy,
};

static struct osspi_store *store_of(struct osspi_slot *slot)
{
    return OSSPI_CONTAINER_OF(slot, struct osspi_store, slot);
}

static void destroy(struct osspi_slot *slot)
{
    struct osspi_store *store = store_of(slot);
    struct osspi_element **elements = atomic_exchange(&store->elements, NULL);
    size_t count = atomic_exchange(&store->count, 0);

    for (size_t i = 0; i < count; i++)
        osspi_element_unref(elements[i]);
    osspi_free(elements);
    store->capacity = 0;
    if (store->folder)
        osspi_folder_clear(store->folder);
    osspi_free(store->folder);
    store->folder = NULL;
    store->is_read_only = false;
}

struct osspi_store *osspi_store_open(void)
{
    struct osspi_slot *slot = osspi_table_acquire(&stores);
    struct osspi_store *store;

    if (!slot)
        return NULL;
    store = store_of(slot);
    atomic_store(&store->openers, 1);
    atomic_store(&store->users, 1);
    osspi_slot_ref(slot);
    return store;
}

HCERTSTORE osspi_store_handle(const struct osspi_store *store)
{
    return (HCERTSTORE)(uintptr_t)osspi_slot_id(&store->slot);
}

struct osspi_store *osspi_store_find(HCERTSTORE handle)
{
    struct osspi_slot *slot = osspi_table_lookup(&stores, (uint64_t)(uintptr_t)handle);

    return slot ? store_of(slot) : NULL;
}

void osspi_store_put(struct osspi_store *store)
{
    if (store)
        osspi_slot_unref(&stores, &store->slot);
}

void osspi_store_putp(struct osspi_store **store)
{
    osspi_store_put(*store);
}

void osspi_store_close_putp(struct osspi_store **store)
{
    bool ignored;

    if (*store)
        osspi_store_close(*store, false, &ignored);
    osspi_store_put(*store);
}

/* Ends the handle; only the first to do so drops the owner's reference. */
static void retire(struct osspi_store *store)
{
    if (osspi_table_retire(&stores, &store->slot, osspi_slot_id(&store->slot)))
        osspi_slot_unref(&stores, &store->slot);
}

static bool drop_user(struct osspi_store *store)
{
    bool last = atomic_fetch_sub_explicit(&store->users, 1, memory_order_acq_rel) == 1;

    if (last)
        retire(store);
    return last;
}

bool osspi_store_close(struct osspi_store *store, bool force, bool *ret_in_use)
{
    uint32_t openers = atomic_load_explicit(&store->openers, memory_order_relaxed);

    do {
        if (openers == 0)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&store->openers, &openers, openers - 1,
                                                    memory_order_acq_rel, memory_order_relaxed));
    *ret_in_use = !drop_user(store);
    if (force)
        retire(store);
    return true;
}

void osspi_store_use(struct osspi_store *store)
{
    osspi_slot_ref(&store->slot);
    atomic_fetch_add_explicit(&store->users, 1, memory_order_relaxed);
}

void osspi_store_release(struct osspi_store *store)
{
    drop_user(store);
    osspi_store_put(store);
}

void osspi_store_back(struct osspi_store *store, struct osspi_folder *folder, bool is_read_only)
{
    store->folder = folder;
    store->is_read_only = is_read_only;
}

const struct osspi_folder *osspi_store_folder(const struct osspi_store *store)
{
    return store->folder;
}

bool osspi_store_is_read_only(const struct osspi_store *store)
{
    return store->is_read_only;
}

size_t osspi_store_count(struct osspi_store *store)
{
    return atomic_load_explicit(&store->count, memory_order_relaxed);
}

struct osspi_element *osspi_store_at(struct osspi_store *store, size_t index)
{
    OSSPI_LOCKED(&store->lock);
    struct osspi_element **elements = atomic_load_explicit(&store->elements, memory_order_relaxed);
    size_t count = atomic_load_explicit(&store->count, memory_order_relaxed);

    while (index < count && !elements[index])
        index++;
    return index < count ? osspi_element_ref(elements[index]) : NULL;
}

static struct osspi_element *find_equal_locked(struct osspi_store *store,
                                               const struct osspi_certificate *certificate)
{
    struct osspi_element **elements = atomic_load_explicit(&store->elements, memory_order_relaxed);
    size_t count = atomic_load_explicit(&store->count, memory_order_relaxed);

    for (size_t i = 0; i < count; i++) {
        if (elements[i] && osspi_certificate_equal(elements[i]->certificate, certificate))
            return elements[i];
    }
    return NULL;
}

static bool reserve_locked(struct osspi_store *store)
{
    struct osspi_element **old = atomic_load_explicit(&store->elements, memory_order_relaxed);
    size_t count = atomic_load_explicit(&store->count, memory_order_relaxed);
    size_t capacity = store->capacity ? store->capacity * 2 : 4;
    struct osspi_element **grown;

    if (count < store->capacity)
        return true;
    grown = osspi_alloc_array(capacity, sizeof(struct osspi_element *));
    if (!grown)
        return false;
    for (size_t i = 0; i < count; i++)
        grown[i] = old[i];
    atomic_store_explicit(&store->elements, grown, memory_order_release);
    store->capacity = capacity;
    osspi_free(old);
    return true;
}

static bool append_locked(struct osspi_store *store, struct osspi_element *element)
{
    size_t index = atomic_load_explicit(&store->count, memory_order_relaxed);

    if (!reserve_locked(store))
        return false;
    element->index = index;
    atomic_load_explicit(&store->elements, memory_order_relaxed)[index] =
        osspi_element_ref(element);
    atomic_store_explicit(&store->count, index + 1, memory_order_release);
    return true;
}

static void replace_locked(struct osspi_store *store, struct osspi_element *old,
                           struct osspi_element *element)
{
    element->index = old->index;
    atomic_load_explicit(&store->elements, memory_order_relaxed)[old->index] =
        osspi_element_ref(element);
    osspi_element_unref(old);
}

/* The certificate is there already: what becomes of the two. *made is the new element, and the one
 * in the store afterwards. */
static SECURITY_STATUS merge_locked(struct osspi_store *store, struct osspi_element *old,
                                    DWORD disposition, struct osspi_element **made)
{
    bool key_is_news = osspi_certificate_has_key((*made)->certificate) &&
                       !osspi_certificate_has_key(old->certificate);

    switch (disposition) {
    case CERT_STORE_ADD_NEW:
        return CRYPT_E_EXISTS;
    case CERT_STORE_ADD_USE_EXISTING:
        if (!key_is_news) {
            if (!osspi_element_inherit(old, *made))
                return SEC_E_INSUFFICIENT_MEMORY;
            osspi_element_unref(*made);
            *made = osspi_element_ref(old);
            return SEC_E_OK;
        }
        /* A key is a property on Windows and would be handed on; here it goes with the new one. */
        /* fall through */
    case CERT_STORE_ADD_REPLACE_EXISTING_INHERIT_PROPERTIES:
        if (!osspi_element_inherit(*made, old))
            return SEC_E_INSUFFICIENT_MEMORY;
        /* fall through */
    default:
        replace_locked(store, old, *made);
        return SEC_E_OK;
    }
}

SECURITY_STATUS osspi_store_add(struct osspi_store *store, struct osspi_element *source,
                                DWORD disposition, struct osspi_element **ret_element)
{
    struct osspi_element *made osspi_auto(osspi_element_unrefp) = NULL;
    struct osspi_element *old = NULL;
    SECURITY_STATUS status = SEC_E_OK;

    if (disposition < CERT_STORE_ADD_NEW ||
        disposition > CERT_STORE_ADD_REPLACE_EXISTING_INHERIT_PROPERTIES)
        return E_INVALIDARG;
    made = osspi_element_new(source->certificate);
    if (!made || !osspi_element_inherit(made, source))
        return SEC_E_INSUFFICIENT_MEMORY;
    {
        OSSPI_LOCKED(&store->lock);
        if (disposition != CERT_STORE_ADD_ALWAYS)
            old = find_equal_locked(store, made->certificate);
        if (old)
            status = merge_locked(store, old, disposition, &made);
        else if (!append_locked(store, made))
            status = SEC_E_INSUFFICIENT_MEMORY;
    }
    if (status == SEC_E_OK)
        *ret_element = OSSPI_TAKE(made);
    return status;
}

struct osspi_element *osspi_store_find_equal(struct osspi_store *store,
                                             const struct osspi_certificate *certificate)
{
    OSSPI_LOCKED(&store->lock);
    struct osspi_element *element = find_equal_locked(store, certificate);

    return element ? osspi_element_ref(element) : NULL;
}

static struct osspi_element *unlink_locked(struct osspi_store *store,
                                           const struct osspi_element *element)
{
    struct osspi_element **elements = atomic_load_explicit(&store->elements, memory_order_relaxed);
    struct osspi_element *found;

    if (element->index >= atomic_load_explicit(&store->count, memory_order_relaxed))
        return NULL;
    found = elements[element->index];
    if (found != element)
        return NULL;
    elements[element->index] = NULL;
    return found;
}

void osspi_store_drop(struct osspi_store *store, const struct osspi_element *element)
{
    struct osspi_element *dropped;

    {
        OSSPI_LOCKED(&store->lock);
        dropped = unlink_locked(store, element);
    }
    osspi_element_unref(dropped);
}
