/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Changes of a store that may have a folder behind it; see store.h. Thread-safe: no state of its
 * own, and no lock is held while files are written.
 *
 * The folder comes first, so that what a store shows is on the disk. Two threads that change the
 * same certificate at the same time get both changes in some order, in the folder and in memory
 * each; they are the same but for the properties.
 */
#include "cert/store.h"
#include "cert/store_folder.h"
#include "cert/store_system.h"

static bool has_key(const struct osspi_element *element)
{
    return osspi_certificate_has_key(element->certificate);
}

/* Nothing that has a key is ever replaced by the same without: the key would be gone for good. And
 * a folder does not hold the same certificate twice. */
static DWORD tame(DWORD disposition, const struct osspi_element *old,
                  const struct osspi_element *source)
{
    if (old && has_key(old) && !has_key(source) && disposition != CERT_STORE_ADD_NEW)
        return CERT_STORE_ADD_USE_EXISTING;
    return disposition == CERT_STORE_ADD_ALWAYS ? CERT_STORE_ADD_REPLACE_EXISTING : disposition;
}

/* What is there with its key already is written again only for a caller who says so. */
static bool needs_file(DWORD disposition, const struct osspi_element *old,
                       const struct osspi_element *source)
{
    if (!old)
        return true;
    if (!has_key(source))
        return false;
    return !has_key(old) || disposition == CERT_STORE_ADD_REPLACE_EXISTING ||
           disposition == CERT_STORE_ADD_REPLACE_EXISTING_INHERIT_PROPERTIES;
}

SECURITY_STATUS osspi_store_put_in(struct osspi_store *store, struct osspi_element *source,
                                   DWORD disposition, struct osspi_element **ret_element)
{
    const struct osspi_folder *folder = osspi_store_folder(store);
    struct osspi_element *old osspi_auto(osspi_element_unrefp) = NULL;
    const bool only_new = disposition == CERT_STORE_ADD_NEW || !has_key(source);
    SECURITY_STATUS status = SEC_E_OK;

    if (osspi_store_is_read_only(store))
        return E_ACCESSDENIED;
    if (!folder)
        return osspi_store_add(store, source, disposition, ret_element);
    if (disposition < CERT_STORE_ADD_NEW ||
        disposition > CERT_STORE_ADD_REPLACE_EXISTING_INHERIT_PROPERTIES)
        return E_INVALIDARG;
    /* Where the key is would have to be written, and what opens it. */
    if (source->certificate->token)
        return HRESULT_FROM_WIN32(ERROR_NOT_SUPPORTED);
    old = osspi_store_find_equal(store, source->certificate);
    if (old && disposition == CERT_STORE_ADD_NEW)
        return CRYPT_E_EXISTS;
    if (needs_file(disposition, old, source))
        status = osspi_folder_put(folder, source->certificate, only_new);
    /* Somebody else has put it there since this store was read, perhaps with its key: that stays.
     */
    if (status == CRYPT_E_EXISTS && disposition != CERT_STORE_ADD_NEW)
        status = SEC_E_OK;
    if (status != SEC_E_OK)
        return status;
    return osspi_store_add(store, source, tame(disposition, old, source), ret_element);
}

SECURITY_STATUS osspi_store_take_out(struct osspi_store *store, const struct osspi_element *element)
{
    const struct osspi_folder *folder = osspi_store_folder(store);
    SECURITY_STATUS status = SEC_E_OK;

    if (osspi_store_is_read_only(store))
        return E_ACCESSDENIED;
    if (folder)
        status = osspi_folder_remove(folder, element->certificate);
    if (status == SEC_E_OK)
        osspi_store_drop(store, element);
    return status;
}

/* ---- what a folder holds, into a store ---- */

struct loading {
    struct osspi_store *store;
    SECURITY_STATUS status;
};

static bool load_file(const struct osspi_folder_entry *entry, void *data)
{
    struct loading *loading = data;

    if (entry->status == SEC_E_INSUFFICIENT_MEMORY)
        loading->status = entry->status;
    for (size_t i = 0; i < entry->count && loading->status == SEC_E_OK; i++) {
        struct osspi_element *added osspi_auto(osspi_element_unrefp) = NULL;

        loading->status = osspi_store_add(loading->store, entry->elements[i],
                                          CERT_STORE_ADD_USE_EXISTING, &added);
    }
    return loading->status == SEC_E_OK;
}

SECURITY_STATUS osspi_folder_load(const struct osspi_folder *folder, struct osspi_store *store)
{
    struct loading loading = {store, SEC_E_OK};
    SECURITY_STATUS status = osspi_folder_walk(folder, load_file, &loading, NULL);

    return status == SEC_E_OK ? loading.status : status;
}
