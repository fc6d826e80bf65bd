/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Identities of callers; see identity.h. Pure functions.
 */
#include "packages/gssapi/identity.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/utf.h"
#include "core/auth_identity.h"

#define MAX_UNITS     256u  /* of user and password, as the MS docs have it; of a domain too */
#define MAX_LIST      1024u /* bytes of a package list */
#define BYTES_OF_UNIT 3u    /* at most, in UTF-8 */

/* Text as UTF-8 in new memory; NULL in *ret_text if none was given. */
static SECURITY_STATUS take(const struct osspi_auth_text *text, size_t max, char **ret_text)
{
    const size_t size = text->count * BYTES_OF_UNIT + 1;
    char *copy;
    size_t len = text->count;

    *ret_text = NULL;
    if (!text->bytes)
        return SEC_E_OK;
    if (text->count > max)
        return SEC_E_UNKNOWN_CREDENTIALS;
    copy = osspi_alloc(size);
    if (!copy)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (text->wide) {
        uint16_t units[MAX_LIST];

        if (text->count > MAX_LIST)
            len = SIZE_MAX;
        else
            memcpy(units, text->bytes, text->count * sizeof(units[0]));
        if (len != SIZE_MAX)
            len = osspi_utf16_to_utf8(units, text->count, copy, size);
        osspi_secure_zero(units, sizeof(units));
    } else if (osspi_utf8_valid(text->bytes, text->count)) {
        memcpy(copy, text->bytes, text->count);
    } else {
        len = SIZE_MAX;
    }
    if (len == SIZE_MAX) {
        osspi_secret_free(copy, size);
        return SEC_E_UNKNOWN_CREDENTIALS;
    }
    *ret_text = copy;
    return SEC_E_OK;
}

static unsigned mechanism_of(const char *name, size_t len)
{
    if (len == strlen("kerberos") && strncasecmp(name, "kerberos", len) == 0)
        return OSSPI_GSS_KERBEROS;
    if (len == strlen("ntlm") && strncasecmp(name, "ntlm", len) == 0)
        return OSSPI_GSS_NTLM;
    return 0;
}

/* "kerberos,!ntlm": if any name stands without "!", only the named ones are used. */
static void read_packages(const char *list, struct osspi_gss_identity *identity)
{
    unsigned named = 0, excluded = 0;

    while (*list) {
        const size_t skip = strspn(list, ", \t");
        const bool excludes = list[skip] == '!';
        const char *name = list + skip + excludes;
        const size_t len = strcspn(name, ", \t");

        if (excludes)
            excluded |= mechanism_of(name, len);
        else if (len > 0)
            identity->listed = true;
        if (!excludes)
            named |= mechanism_of(name, len);
        list = name + len;
    }
    identity->mechanisms = (identity->listed ? named : OSSPI_GSS_BOTH) & ~excluded;
}

void osspi_gss_capture_free(void *captured)
{
    struct osspi_gss_identity *identity = captured;

    if (!identity)
        return;
    osspi_free(identity->user);
    osspi_free(identity->domain);
    if (identity->password)
        osspi_secret_free(identity->password, strlen(identity->password));
    osspi_free(identity);
}

/* There, and empty. */
static bool is_empty(const char *text)
{
    return text && text[0] == '\0';
}

static SECURITY_STATUS copy(const struct osspi_auth_view *view, struct osspi_gss_identity *identity)
{
    char *packages osspi_auto(osspi_freep) = NULL;
    SECURITY_STATUS status;

    if (view->packed) /* encrypted, or a certificate */
        return SEC_E_UNKNOWN_CREDENTIALS;
    status = take(&view->user, MAX_UNITS, &identity->user);
    if (status == SEC_E_OK)
        status = take(&view->domain, MAX_UNITS, &identity->domain);
    if (status == SEC_E_OK)
        status = take(&view->password, MAX_UNITS, &identity->password);
    if (status == SEC_E_OK)
        status = take(&view->packages, MAX_LIST, &packages);
    if (status == SEC_E_OK && identity->user && strncmp(identity->user, "@@", 2) == 0)
        return SEC_E_UNKNOWN_CREDENTIALS;
    identity->nobody = is_empty(identity->user) && is_empty(identity->password) &&
                       (!identity->domain || is_empty(identity->domain));
    identity->mechanisms = OSSPI_GSS_BOTH;
    if (status == SEC_E_OK && packages)
        read_packages(packages, identity);
    return status;
}

SECURITY_STATUS osspi_gss_capture(const void *auth, bool encoding_wide, void **ret_captured)
{
    struct osspi_gss_identity *identity;
    struct osspi_auth_view view;
    SECURITY_STATUS status = osspi_auth_view(auth, SIZE_MAX, &view);

    (void)encoding_wide; /* its Flags tell, not the function */
    *ret_captured = NULL;
    if (status != SEC_E_OK)
        return SEC_E_UNKNOWN_CREDENTIALS;
    identity = osspi_alloc(sizeof(*identity));
    if (!identity)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = copy(&view, identity);
    if (status != SEC_E_OK) {
        osspi_gss_capture_free(identity);
        return status;
    }
    *ret_captured = identity;
    return SEC_E_OK;
}
