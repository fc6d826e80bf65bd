/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Whose credentials a client of CredSSP has handed to this server (MS-CSSP 2.2.1.2.1).
 */
#include "delegated.h"

#include <string.h>

#include <credssp.h>

static size_t length(const WCHAR *text)
{
    size_t len = 0;
    while (text && text[len] != 0)
        len++;
    return len;
}

/* The next character; half a surrogate pair is U+FFFD. */
static unsigned next_character(const WCHAR **text)
{
    unsigned first = *(*text)++;
    if (first < 0xD800 || first > 0xDFFF)
        return first;
    if (first >= 0xDC00 || **text < 0xDC00 || **text > 0xDFFF)
        return 0xFFFD;
    return 0x10000 + ((first - 0xD800) << 10) + (*(*text)++ - 0xDC00u);
}

/* As UTF-8, cut off between two characters where it is too long. */
static void narrow(const WCHAR *text, char *ret_text, size_t size)
{
    size_t len = 0;
    while (text && *text != 0 && len + 5 <= size) {
        unsigned value = next_character(&text);
        unsigned more = value < 0x80 ? 0 : value < 0x800 ? 1 : value < 0x10000 ? 2 : 3;
        static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
        ret_text[len++] = (char)(lead[more] | value >> (6 * more));
        while (more-- > 0)
            ret_text[len++] = (char)(0x80 | (value >> (6 * more) & 0x3F));
    }
    ret_text[len] = '\0';
}

static SECURITY_STATUS read_identity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE identity,
                                     struct delegated *delegated)
{
    PCWSTR user = NULL, domain = NULL, secret = NULL;
    SECURITY_STATUS status = SspiEncodeAuthIdentityAsStrings(identity, &user, &domain, &secret);
    if (status != SEC_E_OK)
        return status;
    /* Without delegation there are empty strings in the place of all three. */
    delegated->any = length(user) > 0 || length(secret) > 0;
    narrow(user, delegated->user, sizeof(delegated->user));
    narrow(domain, delegated->domain, sizeof(delegated->domain));
    if (secret)
        explicit_bzero((void *)secret, length(secret) * sizeof(WCHAR));
    SspiLocalFree((void *)user);
    SspiLocalFree((void *)domain);
    SspiLocalFree((void *)secret);
    return SEC_E_OK;
}

SECURITY_STATUS delegated_read(PCtxtHandle context, struct delegated *ret_delegated)
{
    SecPkgContext_ClientCreds creds = {0};
    PSEC_WINNT_AUTH_IDENTITY_OPAQUE identity = NULL;
    *ret_delegated = (struct delegated){0};
    SECURITY_STATUS status = QueryContextAttributesA(context, SECPKG_ATTR_CREDS_2, &creds);
    if (status != SEC_E_OK)
        return status;
    status = SspiUnmarshalAuthIdentity(creds.AuthBufferLen, (char *)creds.AuthBuffer, &identity);
    if (creds.AuthBuffer)
        explicit_bzero(creds.AuthBuffer, creds.AuthBufferLen);
    FreeContextBuffer(creds.AuthBuffer);
    if (status == SEC_E_OK)
        status = read_identity(identity, ret_delegated);
    SspiFreeAuthIdentity(identity);
    return status;
}
