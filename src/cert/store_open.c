/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CertOpenStore and CertOpenSystemStore; see wincrypt.h. Thread-safe: no state of its own.
 *
 * A store is filled before anybody knows its handle.
 */
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/utf.h"
#include "cert/last_error.h"
#include "cert/limits.h"
#include "cert/query.h"
#include "cert/store.h"
#include "cert/store_system.h"

enum provider { PROVIDER_NONE, PROVIDER_MEMORY, PROVIDER_FILE, PROVIDER_SYSTEM };

static const struct {
    uintptr_t number;
    const char *name;
    enum provider provider;
    bool wide; /* pvPara is UTF-16 */
} providers[] = {
    {2, sz_CERT_STORE_PROV_MEMORY, PROVIDER_MEMORY, false},   {7, NULL, PROVIDER_FILE, false},
    {8, sz_CERT_STORE_PROV_FILENAME_W, PROVIDER_FILE, true},  {9, NULL, PROVIDER_SYSTEM, false},
    {10, sz_CERT_STORE_PROV_SYSTEM_W, PROVIDER_SYSTEM, true},
};

/* A provider is a small number, or else the address of a name. */
static enum provider find_provider(LPCSTR wanted, bool *ret_wide)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(providers); i++) {
        bool named = (uintptr_t)wanted > 0xFFFF && providers[i].name &&
                     strcasecmp(wanted, providers[i].name) == 0;

        *ret_wide = providers[i].wide;
        if (named || (uintptr_t)wanted == providers[i].number)
            return providers[i].provider;
    }
    return PROVIDER_NONE;
}

static SECURITY_STATUS read_parameter(const void *parameter, bool wide, char **ret_text)
{
    const uint16_t *units = parameter;
    bool malformed = false;

    if (!parameter)
        return SEC_E_INVALID_PARAMETER;
    *ret_text = wide ? osspi_utf16_dup_utf8(units, osspi_utf16_len(units), &malformed)
                     : osspi_strdup(parameter);
    if (*ret_text)
        return SEC_E_OK;
    return malformed ? SEC_E_INVALID_PARAMETER : SEC_E_INSUFFICIENT_MEMORY;
}

/* What a store is to become. */
struct order {
    DWORD flags;
    struct osspi_store *store;
    bool deleted; /* instead of opened */
};

/* ---- folders ---- */

static SECURITY_STATUS as_opened(SECURITY_STATUS status)
{
    switch (status) {
    case CRYPT_E_NOT_FOUND:
        return HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND);
    case CRYPT_E_EXISTS:
        return HRESULT_FROM_WIN32(ERROR_FILE_EXISTS);
    case SEC_E_NOT_OWNER:
        return E_ACCESSDENIED;
    case SEC_E_UNKNOWN_CREDENTIALS:
        return CRYPT_E_FILE_ERROR;
    default:
        return status;
    }
}

static SECURITY_STATUS fill_folder(const struct order *order, const struct osspi_folder *folder)
{
    SECURITY_STATUS status = SEC_E_OK;

    if (order->flags & CERT_STORE_CREATE_NEW_FLAG)
        status = osspi_folder_make(folder, true);
    if (status == SEC_E_OK)
        status = osspi_folder_load(folder, order->store);
    if (status == CRYPT_E_NOT_FOUND && !(order->flags & CERT_STORE_OPEN_EXISTING_FLAG))
        return SEC_E_OK; /* it is made when something is put in */
    return as_opened(status);
}

/* Takes the folder's path over. */
static SECURITY_STATUS open_folder(struct order *order, struct osspi_folder *folder)
{
    struct osspi_folder *kept;
    SECURITY_STATUS status;

    if (order->flags & CERT_STORE_DELETE_FLAG) {
        order->deleted = true;
        return as_opened(osspi_folder_delete(folder));
    }
    status = fill_folder(order, folder);
    if (status != SEC_E_OK)
        return status;
    kept = osspi_alloc(sizeof(*kept));
    if (!kept)
        return SEC_E_INSUFFICIENT_MEMORY;
    *kept = (struct osspi_folder){OSSPI_TAKE(folder->path), folder->is_machine};
    osspi_store_back(order->store, kept, order->flags & CERT_STORE_READONLY_FLAG);
    return SEC_E_OK;
}

/* ---- system stores ---- */

static SECURITY_STATUS open_roots(struct order *order)
{
    if (order->flags & CERT_STORE_DELETE_FLAG)
        return E_ACCESSDENIED;
    if (order->flags & CERT_STORE_CREATE_NEW_FLAG)
        return HRESULT_FROM_WIN32(ERROR_FILE_EXISTS);
    osspi_store_back(order->store, NULL, true);
    return osspi_roots_load(order->store);
}

static SECURITY_STATUS open_system(struct order *order, const char *name)
{
    struct osspi_folder folder osspi_auto(osspi_folder_clear) = {0};
    DWORD location = order->flags & CERT_SYSTEM_STORE_LOCATION_MASK;
    SECURITY_STATUS status;

    if (order->flags & CERT_SYSTEM_STORE_RELOCATE_FLAG)
        return SEC_E_INVALID_PARAMETER;
    if (location != CERT_SYSTEM_STORE_CURRENT_USER && location != CERT_SYSTEM_STORE_LOCAL_MACHINE)
        return HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND);
    switch (osspi_system_store_kind(name)) {
    case OSSPI_SYSTEM_ROOTS:
        return open_roots(order);
    case OSSPI_SYSTEM_OWN:
        status = osspi_system_store_folder(location == CERT_SYSTEM_STORE_LOCAL_MACHINE, &folder);
        return status == SEC_E_OK ? open_folder(order, &folder) : as_opened(status);
    default:
        return HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND);
    }
}

/* ---- files ---- */

static SECURITY_STATUS open_regular(struct order *order, const char *path)
{
    struct osspi_secret content osspi_auto(osspi_secret_clear) = {0};
    struct osspi_query query = {
        .content_flags = CERT_QUERY_CONTENT_FLAG_CERT | CERT_QUERY_CONTENT_FLAG_PKCS7_SIGNED,
        .format_flags = CERT_QUERY_FORMAT_FLAG_ALL,
    };
    SECURITY_STATUS status;

    if (order->flags & (CERT_STORE_DELETE_FLAG | CERT_STORE_CREATE_NEW_FLAG))
        return order->flags & CERT_STORE_DELETE_FLAG ? E_ACCESSDENIED
                                                     : HRESULT_FROM_WIN32(ERROR_FILE_EXISTS);
    status = osspi_query_read(path, &content);
    if (status == SEC_E_OK)
        status = osspi_query_blob((struct osspi_der_view){content.bytes, content.len}, &query,
                                  order->store);
    if (status == SEC_E_OK)
        osspi_store_back(order->store, NULL, order->flags & CERT_STORE_READONLY_FLAG);
    return status == CRYPT_E_NO_MATCH ? CRYPT_E_BAD_ENCODE : status;
}

static SECURITY_STATUS open_path(struct order *order, const char *path)
{
    struct osspi_folder folder osspi_auto(osspi_folder_clear) = {0};
    struct stat facts;

    if (path[0] == '\0')
        return SEC_E_INVALID_PARAMETER;
    if (order->flags & CERT_FILE_STORE_COMMIT_ENABLE_FLAG)
        return HRESULT_FROM_WIN32(ERROR_NOT_SUPPORTED);
    if (stat(path, &facts) == 0 && !S_ISDIR(facts.st_mode))
        return open_regular(order, path);
    folder.path = osspi_strdup(path);
    return folder.path ? open_folder(order, &folder) : SEC_E_INSUFFICIENT_MEMORY;
}

/* ---- the calls ---- */

static SECURITY_STATUS open_named(struct order *order, enum provider provider, bool wide,
                                  const void *parameter)
{
    char *text osspi_auto(osspi_freep) = NULL;
    const DWORD both = CERT_STORE_CREATE_NEW_FLAG | CERT_STORE_OPEN_EXISTING_FLAG;
    SECURITY_STATUS status;

    if ((order->flags & both) == both)
        return SEC_E_INVALID_PARAMETER;
    status = read_parameter(parameter, wide, &text);
    if (status != SEC_E_OK)
        return status;
    return provider == PROVIDER_SYSTEM ? open_system(order, text) : open_path(order, text);
}

static HCERTSTORE open_store(enum provider provider, bool wide, DWORD flags, const void *parameter)
{
    struct order order = {.flags = flags, .store = osspi_store_open()};
    SECURITY_STATUS status = order.store ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
    HCERTSTORE handle = NULL;
    bool ignored;

    if (status == SEC_E_OK && provider != PROVIDER_MEMORY)
        status = open_named(&order, provider, wide, parameter);
    if (status == SEC_E_OK && !order.deleted)
        handle = osspi_store_handle(order.store);
    else if (order.store)
        osspi_store_close(order.store, false, &ignored);
    osspi_store_put(order.store);
    if (status != SEC_E_OK)
        return osspi_fail_null(status);
    if (order.deleted)
        SetLastError(ERROR_SUCCESS); /* the answer is NULL; this tells that it was done */
    return handle;
}

OSSPI_API HCERTSTORE WINAPI CertOpenStore(LPCSTR lpszStoreProvider, DWORD dwEncodingType,
                                          HCRYPTPROV_LEGACY hCryptProv, DWORD dwFlags,
                                          const void *pvPara)
{
    bool wide = false;
    enum provider provider = find_provider(lpszStoreProvider, &wide);

    (void)dwEncodingType;
    (void)hCryptProv;
    if (provider == PROVIDER_NONE)
        return osspi_fail_null(HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND));
    if (provider == PROVIDER_MEMORY && (dwFlags & CERT_STORE_DELETE_FLAG))
        return osspi_fail_null(SEC_E_INVALID_PARAMETER);
    return open_store(provider, wide, dwFlags, pvPara);
}

OSSPI_API HCERTSTORE WINAPI CertOpenSystemStoreW(HCRYPTPROV_LEGACY hProv,
                                                 LPCWSTR szSubsystemProtocol)
{
    return CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, hProv, CERT_SYSTEM_STORE_CURRENT_USER,
                         szSubsystemProtocol);
}

OSSPI_API HCERTSTORE WINAPI CertOpenSystemStoreA(HCRYPTPROV_LEGACY hProv,
                                                 LPCSTR szSubsystemProtocol)
{
    return CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, hProv, CERT_SYSTEM_STORE_CURRENT_USER,
                         szSubsystemProtocol);
}
