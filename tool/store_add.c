/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * sspi store add; see store_add.h. What kind of file it is, the file says, not its name.
 */
#include "store_add.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <opensspi.h>

#include "bytes.h"
#include "store.h"
#include "text.h"
#include "tool.h"

#define FILE_LIMIT     (10u << 20)
#define PASSWORD_UNITS 1024

static bool read_file(const char *path, struct bytes *ret)
{
    FILE *file = fopen(path, "rbe");
    char block[65536];
    size_t len = 0;
    bool done = file != NULL;
    while (done && ret->len <= FILE_LIMIT && (len = fread(block, 1, sizeof(block), file)) > 0)
        done = bytes_append(ret, block, len);
    if (!file || ferror(file)) {
        text_complain("cannot read %s: %s", path, strerror(errno));
        done = false;
    } else if (ret->len > FILE_LIMIT) {
        text_complain("%s is too long", path);
        done = false;
    }
    explicit_bzero(block, sizeof(block));
    if (file)
        fclose(file);
    return done;
}

static void wipe(struct bytes *content)
{
    if (content->store)
        explicit_bzero(content->store, content->capacity);
    bytes_clear(content);
}

static bool is_pfx(const struct bytes *content)
{
    CERT_BLOB blob = {(DWORD)content->len, content->data};
    return CryptQueryObject(CERT_QUERY_OBJECT_BLOB, &blob, CERT_QUERY_CONTENT_FLAG_PFX,
                            CERT_QUERY_FORMAT_FLAG_BINARY, 0, NULL, NULL, NULL, NULL, NULL, NULL);
}

/* One character of UTF-8; malformed bytes stand for themselves, and no password has them. */
static unsigned next_character(const unsigned char **text)
{
    unsigned first = *(*text)++;
    unsigned more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    unsigned value = more == 3   ? first & 7
                     : more == 2 ? first & 15
                     : more == 1 ? first & 31
                                 : first;
    for (; more > 0 && (**text & 0xC0) == 0x80; more--)
        value = value << 6 | (*(*text)++ & 63);
    return value;
}

static bool widen(const char *text, WCHAR ret_wide[PASSWORD_UNITS])
{
    const unsigned char *next = (const unsigned char *)text;
    size_t len = 0;
    while (*next) {
        unsigned value = next_character(&next);
        if (len + 3 > PASSWORD_UNITS)
            return false;
        if (value >= 0x10000) {
            ret_wide[len++] = (WCHAR)(0xD800 + ((value - 0x10000) >> 10));
            value = 0xDC00 + ((value - 0x10000) & 0x3FF);
        }
        ret_wide[len++] = (WCHAR)value;
    }
    ret_wide[len] = 0;
    return true;
}

/* ---- into the store ---- */

static int put(HCERTSTORE store, PCCERT_CONTEXT cert, const struct store_add *order)
{
    DWORD disposition = order->replace ? CERT_STORE_ADD_REPLACE_EXISTING : CERT_STORE_ADD_NEW;
    char thumbprint[2 * STORE_THUMBPRINT + 1];
    store_thumbprint_of(cert, thumbprint);
    if (CertAddCertificateContextToStore(store, cert, disposition, NULL)) {
        printf("%s\n", thumbprint);
        return TOOL_OK;
    }
    if (GetLastError() == (DWORD)CRYPT_E_EXISTS) {
        text_complain("%s is in the store already; --replace writes it anew", thumbprint);
        return TOOL_FAILED;
    }
    text_complain("cannot add %s: %s", thumbprint, store_error());
    return TOOL_LOCAL;
}

/* Every certificate with a key; they know their chains. */
static int put_all(HCERTSTORE store, HCERTSTORE from, const struct store_add *order)
{
    PCCERT_CONTEXT cert = NULL;
    unsigned count = 0;
    int code = TOOL_OK;
    while (code == TOOL_OK &&
           (cert = CertFindCertificateInStore(from, X509_ASN_ENCODING, 0, CERT_FIND_HAS_PRIVATE_KEY,
                                              NULL, cert))) {
        count++;
        code = put(store, cert, order);
    }
    if (code != TOOL_OK)
        CertFreeCertificateContext(cert);
    if (count > 0)
        return code;
    text_complain("there is no certificate with a key in %s", order->file);
    return TOOL_LOCAL;
}

static int add_pfx(HCERTSTORE store, const struct store_add *order, const struct bytes *content,
                   const char *password)
{
    CRYPT_DATA_BLOB blob = {(DWORD)content->len, content->data};
    WCHAR wide[PASSWORD_UNITS] = {0};
    HCERTSTORE from = NULL;
    if (!password || widen(password, wide))
        from = PFXImportCertStore(&blob, password ? wide : NULL, PKCS12_NO_PERSIST_KEY);
    else
        SetLastError(ERROR_INVALID_PASSWORD);
    explicit_bzero(wide, sizeof(wide));
    if (!from) {
        text_complain("cannot open %s: %s", order->file,
                      GetLastError() == ERROR_INVALID_PASSWORD
                          ? "wrong password, or none (--password SOURCE)"
                          : store_error());
        return TOOL_LOCAL;
    }
    int code = put_all(store, from, order);
    CertCloseStore(from, 0);
    return code;
}

static int add_pem(HCERTSTORE store, const struct store_add *order, const char *password)
{
    PCCERT_CONTEXT cert = NULL;
    SECURITY_STATUS status = OsspiLoadCertificate(order->file, order->key, password, &cert);
    if (status != SEC_E_OK) {
        char what[512];
        snprintf(what, sizeof(what), "cannot use the certificate %s with the key %s", order->file,
                 order->key ? order->key : "in the same file");
        text_complain_status(what, status, NULL);
        return TOOL_LOCAL;
    }
    int code = put(store, cert, order);
    CertFreeCertificateContext(cert);
    return code;
}

static int add(const struct store_add *order, const struct bytes *content, const char *password)
{
    HCERTSTORE store = store_open(order->machine, 0);
    if (!store)
        return TOOL_LOCAL;
    int code = is_pfx(content) ? add_pfx(store, order, content, password)
                               : add_pem(store, order, password);
    CertCloseStore(store, 0);
    return code;
}

int store_add(const struct store_add *order)
{
    struct bytes content = {0};
    char *password = NULL;
    if (strncasecmp(order->file, "pkcs11:", 7) == 0 ||
        (order->key && strncasecmp(order->key, "pkcs11:", 7) == 0))
        return text_usage("store", "a key in a token stays there: name it where it is used");
    if (order->password && !(password = text_password(order->password)))
        return TOOL_LOCAL;
    int code = read_file(order->file, &content) ? add(order, &content, password) : TOOL_LOCAL;
    text_free_password(password);
    wipe(&content);
    return code;
}
