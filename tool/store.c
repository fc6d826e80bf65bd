/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The stores "MY"; see store.h. No state of its own.
 */
#include "store.h"

#include <stdio.h>
#include <string.h>

#include <opensspi.h>

#include "text.h"
#include "tool.h"

bool store_thumbprint(const char *text, BYTE ret_sha1[STORE_THUMBPRINT])
{
    char digits[2 * STORE_THUMBPRINT + 1];
    size_t count = 0;
    for (; *text; text++) {
        if (*text == ':' || *text == ' ')
            continue;
        if (count == sizeof(digits) - 1)
            return false;
        digits[count++] = *text;
    }
    digits[count] = '\0';
    DWORD len = STORE_THUMBPRINT;
    return CryptStringToBinaryA(digits, 0, CRYPT_STRING_HEXRAW, ret_sha1, &len, NULL, NULL) &&
           len == STORE_THUMBPRINT;
}

void store_thumbprint_of(PCCERT_CONTEXT cert, char ret_text[2 * STORE_THUMBPRINT + 1])
{
    BYTE sha1[STORE_THUMBPRINT];
    DWORD len = sizeof(sha1), size = 2 * STORE_THUMBPRINT + 1;
    ret_text[0] = '\0';
    if (CertGetCertificateContextProperty(cert, CERT_SHA1_HASH_PROP_ID, sha1, &len))
        CryptBinaryToStringA(sha1, len, CRYPT_STRING_HEXRAW | CRYPT_STRING_NOCRLF, ret_text, &size);
}

const char *store_error(void)
{
    DWORD error = GetLastError();
    switch (error) {
    case ERROR_FILE_NOT_FOUND:
        return "it is not there";
    case ERROR_DISK_FULL:
        return "the disk is full";
    case (DWORD)E_ACCESSDENIED:
        return "access denied, or the folder is not closed to others";
    case (DWORD)E_OUTOFMEMORY:
        return "out of memory";
    case (DWORD)CRYPT_E_EXISTS:
        return "it is there already";
    case (DWORD)CRYPT_E_FILE_ERROR:
        return "its file or folder cannot be used";
    default:
        return text_status((SECURITY_STATUS)error);
    }
}

HCERTSTORE store_open(bool machine, DWORD flags)
{
    flags |= machine ? CERT_SYSTEM_STORE_LOCAL_MACHINE : CERT_SYSTEM_STORE_CURRENT_USER;
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0, flags, "MY");
    if (!store)
        text_complain("cannot open the store of the %s: %s", machine ? "machine" : "user",
                      store_error());
    return store;
}

/* A place that cannot be opened has nothing to offer; the complaint about it is said. */
static PCCERT_CONTEXT find_in(bool machine, BYTE sha1[STORE_THUMBPRINT])
{
    HCERTSTORE store = store_open(machine, CERT_STORE_READONLY_FLAG);
    CRYPT_HASH_BLOB hash = {STORE_THUMBPRINT, sha1};
    if (!store)
        return NULL;
    PCCERT_CONTEXT found =
        CertFindCertificateInStore(store, X509_ASN_ENCODING, 0, CERT_FIND_SHA1_HASH, &hash, NULL);
    CertCloseStore(store, 0);
    return found;
}

int store_find(const char *place, PCCERT_CONTEXT *ret_cert)
{
    bool user = strncmp(place, "machine:", 8) != 0;
    bool machine = strncmp(place, "user:", 5) != 0;
    const char *text = user ? (machine ? place : place + 5) : place + 8;
    BYTE sha1[STORE_THUMBPRINT];
    *ret_cert = NULL;
    if (!store_thumbprint(text, sha1)) {
        text_complain("'%s' is no SHA-1 thumbprint of 40 hexadecimal digits", text);
        return TOOL_USAGE;
    }
    if (user)
        *ret_cert = find_in(false, sha1);
    if (!*ret_cert && machine)
        *ret_cert = find_in(true, sha1);
    if (*ret_cert)
        return TOOL_OK;
    text_complain("there is no certificate %s; 'sspi store list' shows those there are", text);
    return TOOL_LOCAL;
}
