/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The helpers that make identities, take them apart and compare them (MS docs, sspi.h). What they
 * make is a single block, SEC_WINNT_AUTH_IDENTITY_EX2, whatever form came in. Thread-safe; nothing
 * blocks.
 */
#include <string.h>

#include "base/memory.h"
#include "base/utf.h"
#include "core/auth_identity.h"
#include "core/buffers.h"

static void free_identity(SEC_WINNT_AUTH_IDENTITY_EX2 **identity)
{
    (void)osspi_context_buffer_free(*identity);
}

static void free_string(PCWSTR *string)
{
    (void)osspi_context_buffer_free((void *)(uintptr_t)*string);
}

/* ---- strings in, strings out ---- */

SECURITY_STATUS SspiEncodeStringsAsAuthIdentity(PCWSTR pszUserName, PCWSTR pszDomainName,
                                                PCWSTR pszPackedCredentialsString,
                                                PSEC_WINNT_AUTH_IDENTITY_OPAQUE *ppAuthIdentity)
{
    const struct osspi_auth_view view = {
        .user = osspi_auth_text(pszUserName),
        .domain = osspi_auth_text(pszDomainName),
        .password = osspi_auth_text(pszPackedCredentialsString),
    };
    SEC_WINNT_AUTH_IDENTITY_EX2 *identity;
    SECURITY_STATUS status;

    if (!ppAuthIdentity)
        return SEC_E_INVALID_PARAMETER;
    status = osspi_auth_pack(&view, &identity);
    *ppAuthIdentity = identity;
    return status;
}

/* A terminated copy; what was not given stays NULL. */
static SECURITY_STATUS to_string(const struct osspi_auth_text *text, PCWSTR *ret_string)
{
    WCHAR *string;

    *ret_string = NULL;
    if (!text->bytes)
        return SEC_E_OK;
    string = osspi_context_buffer_new((text->count + 1) * sizeof(WCHAR));
    if (!string)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (text->count > 0)
        memcpy(string, text->bytes, text->count * sizeof(WCHAR));
    *ret_string = string;
    return osspi_utf16_len((const uint16_t *)string) == text->count ? SEC_E_OK
                                                                    : SEC_E_INVALID_PARAMETER;
}

SECURITY_STATUS SspiEncodeAuthIdentityAsStrings(PSEC_WINNT_AUTH_IDENTITY_OPAQUE pAuthIdentity,
                                                PCWSTR *ppszUserName, PCWSTR *ppszDomainName,
                                                PCWSTR *ppszPackedCredentialsString)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 *packed osspi_auto(free_identity) = NULL;
    PCWSTR user osspi_auto(free_string) = NULL;
    PCWSTR domain osspi_auto(free_string) = NULL;
    PCWSTR password osspi_auto(free_string) = NULL;
    struct osspi_auth_view view;
    SECURITY_STATUS status;

    if (!ppszUserName || !ppszDomainName || !ppszPackedCredentialsString)
        return SEC_E_INVALID_PARAMETER;
    *ppszUserName = *ppszDomainName = *ppszPackedCredentialsString = NULL;
    status = osspi_auth_copy(pAuthIdentity, SIZE_MAX, &packed);
    if (status == SEC_E_OK)
        status = osspi_auth_view(packed, SIZE_MAX, &view);
    if (status == SEC_E_OK && view.packed) /* encrypted, or no password */
        status = SEC_E_UNSUPPORTED_FUNCTION;
    if (status == SEC_E_OK)
        status = to_string(&view.user, &user);
    if (status == SEC_E_OK)
        status = to_string(&view.domain, &domain);
    if (status == SEC_E_OK)
        status = to_string(&view.password, &password);
    if (status != SEC_E_OK)
        return status;
    *ppszUserName = OSSPI_TAKE(user);
    *ppszDomainName = OSSPI_TAKE(domain);
    *ppszPackedCredentialsString = OSSPI_TAKE(password);
    return SEC_E_OK;
}

/* ---- copies ---- */

SECURITY_STATUS SspiValidateAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthData)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 *packed osspi_auto(free_identity) = NULL;

    return osspi_auth_copy(AuthData, SIZE_MAX, &packed);
}

SECURITY_STATUS SspiCopyAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthData,
                                     PSEC_WINNT_AUTH_IDENTITY_OPAQUE *AuthDataCopy)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 *packed;
    SECURITY_STATUS status;

    if (!AuthDataCopy)
        return SEC_E_INVALID_PARAMETER;
    status = osspi_auth_copy(AuthData, SIZE_MAX, &packed);
    *AuthDataCopy = packed;
    return status;
}

SECURITY_STATUS SspiMarshalAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthIdentity,
                                        ULONG *AuthIdentityLength, char **AuthIdentityByteArray)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 *packed;
    SECURITY_STATUS status;

    if (!AuthIdentityLength || !AuthIdentityByteArray)
        return SEC_E_INVALID_PARAMETER;
    status = osspi_auth_copy(AuthIdentity, SIZE_MAX, &packed);
    *AuthIdentityLength = status == SEC_E_OK ? packed->cbStructureLength : 0;
    *AuthIdentityByteArray = (char *)packed;
    return status;
}

SECURITY_STATUS SspiUnmarshalAuthIdentity(ULONG AuthIdentityLength, char *AuthIdentityByteArray,
                                          PSEC_WINNT_AUTH_IDENTITY_OPAQUE *ppAuthIdentity)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 *packed;
    SECURITY_STATUS status;

    if (!ppAuthIdentity)
        return SEC_E_INVALID_PARAMETER;
    status = osspi_auth_copy(AuthIdentityByteArray, AuthIdentityLength, &packed);
    *ppAuthIdentity = packed;
    return status;
}

/* ---- comparing ---- */

static uint16_t unit_at(const struct osspi_auth_text *text, size_t i)
{
    uint16_t unit;

    memcpy(&unit, (const char *)text->bytes + i * sizeof(unit), sizeof(unit));
    return unit;
}

static uint16_t fold(uint16_t unit)
{
    return unit >= 'A' && unit <= 'Z' ? (uint16_t)(unit + ('a' - 'A')) : unit;
}

/* Names are the same in any case of ASCII letters; what others are, only their directory knows. */
static bool same_name(const struct osspi_auth_text *a, const struct osspi_auth_text *b)
{
    if (a->count != b->count || !a->bytes != !b->bytes)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (fold(unit_at(a, i)) != fold(unit_at(b, i)))
            return false;
    }
    return true;
}

/* Takes as long for a wrong byte at the start as for one at the end. */
static bool same_secret(const void *a, size_t a_len, const void *b, size_t b_len)
{
    return !a == !b && a_len == b_len && (a_len == 0 || osspi_secret_equal(a, b, a_len));
}

static bool same_secrets(const struct osspi_auth_view *a, const struct osspi_auth_view *b)
{
    const bool passwords = same_secret(a->password.bytes, a->password.count * sizeof(WCHAR),
                                       b->password.bytes, b->password.count * sizeof(WCHAR));

    return same_secret(a->packed, a->packed_len, b->packed, b->packed_len) && passwords;
}

static SECURITY_STATUS copy_and_view(const void *identity, SEC_WINNT_AUTH_IDENTITY_EX2 **ret_packed,
                                     struct osspi_auth_view *ret_view)
{
    SECURITY_STATUS status = osspi_auth_copy(identity, SIZE_MAX, ret_packed);

    return status == SEC_E_OK ? osspi_auth_view(*ret_packed, SIZE_MAX, ret_view) : status;
}

SECURITY_STATUS SspiCompareAuthIdentities(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthIdentity1,
                                          PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthIdentity2,
                                          PBOOLEAN SameSuppliedUser, PBOOLEAN SameSuppliedIdentity)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 *first osspi_auto(free_identity) = NULL;
    SEC_WINNT_AUTH_IDENTITY_EX2 *second osspi_auto(free_identity) = NULL;
    struct osspi_auth_view a = {0}, b = {0};
    bool same_user, same_all;
    SECURITY_STATUS status = SEC_E_OK;

    if (SameSuppliedUser)
        *SameSuppliedUser = FALSE;
    if (SameSuppliedIdentity)
        *SameSuppliedIdentity = FALSE;
    if (AuthIdentity1) /* NULL: the caller's own, which nobody has supplied */
        status = copy_and_view(AuthIdentity1, &first, &a);
    if (status == SEC_E_OK && AuthIdentity2)
        status = copy_and_view(AuthIdentity2, &second, &b);
    if (status != SEC_E_OK)
        return status;
    same_user = !AuthIdentity1 == !AuthIdentity2 && same_name(&a.user, &b.user) &&
                same_name(&a.domain, &b.domain);
    same_all = same_user && same_name(&a.packages, &b.packages) && a.flags == b.flags &&
               same_secrets(&a, &b);
    if (SameSuppliedUser)
        *SameSuppliedUser = same_user;
    if (SameSuppliedIdentity)
        *SameSuppliedIdentity = same_all;
    return SEC_E_OK;
}

/* ---- packages ---- */

#define LIST_MAX 1024u /* units of a package list */

static bool is_package_name(const struct osspi_auth_text *name)
{
    for (size_t i = 0; i < name->count; i++) {
        if (unit_at(name, i) == ',' || unit_at(name, i) == '!')
            return false;
    }
    return name->count > 0 && name->count <= LIST_MAX;
}

/* Is the entry, a '!' in front not counted, the package? */
static bool is_entry(const uint16_t *entry, size_t len, const struct osspi_auth_text *package)
{
    const size_t bang = len > 0 && entry[0] == '!';
    const struct osspi_auth_text name = {entry + bang, len - bang, true};

    return same_name(&name, package);
}

static size_t append(uint16_t *list, size_t len, const uint16_t *entry, size_t entry_len)
{
    if (len > 0)
        list[len++] = ',';
    memcpy(list + len, entry, entry_len * sizeof(*entry));
    return len + entry_len;
}

/* The entries of the old list that are about other packages, then the one that forbids this. */
static size_t exclude(const struct osspi_auth_text *old, const struct osspi_auth_text *package,
                      uint16_t *ret_list)
{
    uint16_t entry[LIST_MAX + 1];
    size_t len = 0, entry_len = 0;

    for (size_t i = 0; i <= old->count; i++) {
        const uint16_t unit = i < old->count ? unit_at(old, i) : ',';

        if (unit != ',') {
            entry[entry_len++] = unit;
            continue;
        }
        if (entry_len > 0 && !is_entry(entry, entry_len, package))
            len = append(ret_list, len, entry, entry_len);
        entry_len = 0;
    }
    entry[0] = '!';
    memcpy(entry + 1, package->bytes, package->count * sizeof(*entry));
    return append(ret_list, len, entry, package->count + 1);
}

SECURITY_STATUS SspiExcludePackage(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthIdentity,
                                   PCWSTR pszPackageName,
                                   PSEC_WINNT_AUTH_IDENTITY_OPAQUE *ppNewAuthIdentity)
{
    const struct osspi_auth_text package = osspi_auth_text(pszPackageName);
    SEC_WINNT_AUTH_IDENTITY_EX2 *old osspi_auto(free_identity) = NULL;
    SEC_WINNT_AUTH_IDENTITY_EX2 *new = NULL;
    struct osspi_auth_view view = {0};
    uint16_t list[2 * LIST_MAX + 4];
    SECURITY_STATUS status = SEC_E_OK;

    if (ppNewAuthIdentity)
        *ppNewAuthIdentity = NULL;
    if (!ppNewAuthIdentity || !is_package_name(&package))
        return SEC_E_INVALID_PARAMETER;
    if (AuthIdentity)
        status = copy_and_view(AuthIdentity, &old, &view);
    if (status == SEC_E_OK && view.packages.count > LIST_MAX)
        status = SEC_E_INVALID_PARAMETER;
    if (status != SEC_E_OK)
        return status;
    view.packages = (struct osspi_auth_text){list, exclude(&view.packages, &package, list), true};
    status = osspi_auth_pack(&view, &new);
    *ppNewAuthIdentity = new;
    return status;
}

/* ---- names of targets ---- */

static const WCHAR *find_unit(const WCHAR *text, WCHAR unit)
{
    while (*text != 0 && *text != unit)
        text++;
    return *text == unit ? text : NULL;
}

/* A port behind a host, but not the groups of an IPv6 address. */
static const WCHAR *host_end(const WCHAR *host)
{
    const WCHAR *end = host, *colon = find_unit(host, ':');

    while (*end != 0 && *end != '/' && *end != '@')
        end++;
    if (*host == '[') {
        const WCHAR *bracket = find_unit(host, ']');

        return bracket && bracket < end ? bracket + 1 : end;
    }
    if (!colon || colon >= end)
        return end;
    colon = find_unit(colon + 1, ':') ? NULL : colon;
    return colon ? colon : end;
}

SECURITY_STATUS SspiGetTargetHostName(PCWSTR pszTargetName, PWSTR *pszHostName)
{
    const WCHAR *host = pszTargetName, *slash;
    size_t len;

    if (pszHostName)
        *pszHostName = NULL;
    if (!pszTargetName || !pszHostName)
        return SEC_E_INVALID_PARAMETER;
    slash = find_unit(pszTargetName, '/');
    if (slash)
        host = slash + 1;
    len = (size_t)(host_end(host) - host);
    if (len == 0)
        return SEC_E_INVALID_PARAMETER;
    *pszHostName = osspi_context_buffer_new((len + 1) * sizeof(WCHAR));
    if (!*pszHostName)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(*pszHostName, host, len * sizeof(WCHAR));
    return SEC_E_OK;
}
