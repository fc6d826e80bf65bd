/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Packages: list and describe. A package that goes by several names is listed once under each, as
 * on Windows. Packages of other people cannot be registered.
 */
#include "api/package.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf.h"
#include "core/buffers.h"
#include "packages/registry.h"

#define PACKAGE_VERSION 1u

/* ---- building descriptions ---- */

/* Room for one string, in bytes; even, so that what follows stays aligned for UTF-16. */
static size_t room_for(const char *text, bool wide)
{
    size_t len = strlen(text) + 1;

    return wide ? len * sizeof(WCHAR) : (len + 1) & ~(size_t)1;
}

/* Puts one string at *at and moves on; where it stands, or NULL if it is not UTF-8. */
static void *put_text(const char *text, bool wide, char **at)
{
    size_t len = strlen(text);
    void *start = *at;

    if (!wide)
        memcpy(start, text, len + 1);
    else if (osspi_utf8_to_utf16(text, len, start, len + 1) == SIZE_MAX)
        return NULL;
    *at += room_for(text, wide);
    return start;
}

/* One allocation: count structures, then all strings. infos[] are what the copies show. */
static SECURITY_STATUS build(const SecPkgInfoA *infos, size_t count, bool wide, void **ret_block)
{
    size_t size = count * sizeof(SecPkgInfoA);
    SecPkgInfoA *block;
    char *at;

    _Static_assert(sizeof(SecPkgInfoA) == sizeof(SecPkgInfoW), "one layout for both");
    for (size_t i = 0; i < count; i++)
        size += room_for(infos[i].Name, wide) + room_for(infos[i].Comment, wide);
    block = osspi_context_buffer_new(size);
    if (!block)
        return SEC_E_INSUFFICIENT_MEMORY;
    at = (char *)(block + count);
    for (size_t i = 0; i < count; i++) {
        block[i] = infos[i];
        block[i].Name = put_text(infos[i].Name, wide, &at);
        block[i].Comment = put_text(infos[i].Comment, wide, &at);
        if (!block[i].Name || !block[i].Comment) {
            (void)osspi_context_buffer_free(block);
            return SEC_E_INTERNAL_ERROR;
        }
    }
    *ret_block = block;
    return SEC_E_OK;
}

static SecPkgInfoA describe(const struct osspi_package *package, const char *name)
{
    return (SecPkgInfoA){
        .fCapabilities = package->capabilities,
        .wVersion = PACKAGE_VERSION,
        .wRPCID = package->rpc_id,
        .cbMaxToken = package->max_token,
        .Name = (SEC_CHAR *)name,
        .Comment = (SEC_CHAR *)(package->comment ? package->comment : ""),
    };
}

SECURITY_STATUS osspi_package_info_widen(const SecPkgInfoA *info, void **ret_info)
{
    return build(info, 1, true, ret_info);
}

static SECURITY_STATUS info_under_name(const struct osspi_package *package, const char *name,
                                       bool wide, void *ret_info)
{
    SecPkgInfoA info = describe(package, name);
    void *block;
    SECURITY_STATUS status = build(&info, 1, wide, &block);

    if (status == SEC_E_OK)
        memcpy(ret_info, &block, sizeof(block)); /* PSecPkgInfoA or PSecPkgInfoW */
    return status;
}

SECURITY_STATUS osspi_package_info_new(const struct osspi_package *package, bool wide,
                                       void *ret_info)
{
    return info_under_name(package, package->name, wide, ret_info);
}

/* The package's own spelling of the name it was asked for by. */
static const char *spelling_of(const struct osspi_package *package, const char *name)
{
    const char *candidate;

    for (size_t i = 0; (candidate = osspi_package_name_at(package, i)) != NULL; i++) {
        if (osspi_package_same_name(candidate, name))
            return candidate;
    }
    return package->name;
}

SECURITY_STATUS osspi_package_query(struct osspi_text name, bool wide, void *ret_info)
{
    char text[OSSPI_NAME_INLINE];
    const struct osspi_package *package;

    if (!ret_info)
        return SEC_E_INVALID_PARAMETER;
    if (osspi_text_copy(name, text, sizeof(text)) == SIZE_MAX)
        return SEC_E_SECPKG_NOT_FOUND;
    package = osspi_package_find(text);
    if (!package)
        return SEC_E_SECPKG_NOT_FOUND;
    return info_under_name(package, spelling_of(package, text), wide, ret_info);
}

/* ---- the list ---- */

static size_t count_names(void)
{
    const struct osspi_package *package;
    size_t count = 0;

    for (uint32_t i = 0; (package = osspi_package_at(i)) != NULL; i++) {
        for (size_t j = 0; osspi_package_present(package) && osspi_package_name_at(package, j); j++)
            count++;
    }
    return count;
}

static SECURITY_STATUS enumerate(ULONG *ret_count, void *ret_infos, bool wide)
{
    SecPkgInfoA *infos osspi_auto(osspi_freep) = NULL;
    const struct osspi_package *package;
    size_t room = count_names();
    size_t count = 0;
    SECURITY_STATUS status;
    void *block;

    if (!ret_count || !ret_infos)
        return SEC_E_INVALID_PARAMETER;
    infos = osspi_alloc_array(room, sizeof(*infos));
    if (!infos)
        return SEC_E_INSUFFICIENT_MEMORY;
    /* A package that a test adds meanwhile finds no room and is not listed this time. */
    for (uint32_t i = 0; (package = osspi_package_at(i)) != NULL; i++) {
        if (!osspi_package_present(package))
            continue;
        for (size_t j = 0; count < room && osspi_package_name_at(package, j); j++)
            infos[count++] = describe(package, osspi_package_name_at(package, j));
    }
    status = build(infos, count, wide, &block);
    if (status == SEC_E_OK) {
        *ret_count = (ULONG)count;
        memcpy(ret_infos, &block, sizeof(block)); /* PSecPkgInfoA or PSecPkgInfoW */
    }
    return status;
}

SECURITY_STATUS EnumerateSecurityPackagesA(ULONG *pcPackages, PSecPkgInfoA *ppPackageInfo)
{
    return enumerate(pcPackages, ppPackageInfo, false);
}

SECURITY_STATUS EnumerateSecurityPackagesW(ULONG *pcPackages, PSecPkgInfoW *ppPackageInfo)
{
    return enumerate(pcPackages, ppPackageInfo, true);
}

SECURITY_STATUS QuerySecurityPackageInfoA(SEC_CHAR *pszPackageName, PSecPkgInfoA *ppPackageInfo)
{
    return osspi_package_query(osspi_text_utf8(pszPackageName), false, ppPackageInfo);
}

SECURITY_STATUS QuerySecurityPackageInfoW(SEC_WCHAR *pszPackageName, PSecPkgInfoW *ppPackageInfo)
{
    return osspi_package_query(osspi_text_utf16(pszPackageName), true, ppPackageInfo);
}
