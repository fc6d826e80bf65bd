/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OsspiListStore; see opensspi.h. Thread-safe: no state of its own, and no lock is held while the
 * callback runs.
 */
#include <opensspi.h>
#include <stdio.h>
#include <string.h>

#include "cert/store_system.h"

struct listing {
    const struct osspi_folder *folder;
    OsspiStoreFileCallback callback;
    void *data;
    bool begun;   /* the folder was told */
    bool stopped; /* the callback has seen enough */
    SECURITY_STATUS status;
};

static void contexts_clear(PCCERT_CONTEXT (*contexts)[OSSPI_FOLDER_FILE_CERTIFICATES])
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(*contexts); i++)
        CertFreeCertificateContext((*contexts)[i]);
}

static bool tell(struct listing *listing, const OsspiStoreFile *file)
{
    if (!listing->callback(file, listing->data))
        listing->stopped = true;
    return !listing->stopped;
}

static bool tell_folder(struct listing *listing, SECURITY_STATUS status, const char *reason)
{
    OsspiStoreFile file = {.cbSize = sizeof(file),
                           .is_folder = TRUE,
                           .path = listing->folder->path,
                           .status = status,
                           .reason = reason};

    listing->begun = true;
    return tell(listing, &file);
}

static char *path_of(const struct listing *listing, const char *name)
{
    size_t size = strlen(listing->folder->path) + strlen(name) + 2;
    char *path = osspi_alloc(size);

    if (path)
        snprintf(path, size, "%s/%s", listing->folder->path, name);
    return path;
}

static bool tell_file(struct listing *listing, const struct osspi_folder_entry *entry)
{
    PCCERT_CONTEXT contexts[OSSPI_FOLDER_FILE_CERTIFICATES] osspi_auto(contexts_clear) = {NULL};
    char *path osspi_auto(osspi_freep) = path_of(listing, entry->name);
    OsspiStoreFile file = {.cbSize = sizeof(file),
                           .path = path,
                           .status = entry->status,
                           .reason = entry->reason,
                           .count = (ULONG)entry->count,
                           .certificates = contexts};

    listing->status = path ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
    for (size_t i = 0; i < entry->count && listing->status == SEC_E_OK; i++) {
        struct osspi_certificate *certificate = entry->elements[i]->certificate;

        listing->status = osspi_context_with_chain(certificate, &contexts[i]);
        file.has_key = certificate->key.len > 0;
    }
    return listing->status == SEC_E_OK && tell(listing, &file);
}

/* The folder is good when its first file is told. */
static bool visit(const struct osspi_folder_entry *entry, void *data)
{
    struct listing *listing = data;

    if (!listing->begun && !tell_folder(listing, SEC_E_OK, NULL))
        return false;
    return tell_file(listing, entry);
}

static SECURITY_STATUS list_folder(struct listing *listing)
{
    const char *reason = NULL;
    SECURITY_STATUS status = osspi_folder_walk(listing->folder, visit, listing, &reason);

    if (status == SEC_E_INSUFFICIENT_MEMORY)
        return status;
    if (!listing->begun)
        (void)tell_folder(listing, status, reason);
    return listing->status;
}

static SECURITY_STATUS choose_folder(const char *store, bool machine, struct osspi_folder *ret)
{
    if (store && strchr(store, '/')) {
        ret->path = osspi_strdup(store);
        ret->is_machine = machine;
        return ret->path ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
    }
    if (store && osspi_system_store_kind(store) != OSSPI_SYSTEM_OWN)
        return SEC_E_INVALID_PARAMETER;
    return osspi_system_store_folder(machine, ret);
}

OSSPI_API SECURITY_STATUS OsspiListStore(const char *store, ULONG flags,
                                         OsspiStoreFileCallback callback, void *data)
{
    struct osspi_folder folder osspi_auto(osspi_folder_clear) = {0};
    struct listing listing = {
        .folder = &folder, .callback = callback, .data = data, .status = SEC_E_OK};
    SECURITY_STATUS status;

    if (!callback ||
        (flags != CERT_SYSTEM_STORE_CURRENT_USER && flags != CERT_SYSTEM_STORE_LOCAL_MACHINE))
        return SEC_E_INVALID_PARAMETER;
    status = choose_folder(store, flags == CERT_SYSTEM_STORE_LOCAL_MACHINE, &folder);
    if (status == CRYPT_E_NOT_FOUND) { /* a user without a home has no folder to speak of */
        folder.path = osspi_strdup("");
        return folder.path
                   ? (tell_folder(&listing, status, "the user has no home folder"), SEC_E_OK)
                   : SEC_E_INSUFFICIENT_MEMORY;
    }
    return status == SEC_E_OK ? list_folder(&listing) : status;
}
