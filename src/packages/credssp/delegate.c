/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * TSCredentials; see delegate.h. Text in there is UTF-16LE without a NUL, as in an EX2 identity.
 */
#include "packages/credssp/delegate.h"

#include <string.h>

#include "base/memory.h"
#include "core/buffers.h"
#include "packages/credssp/asn1.h"

#define TYPE_PASSWORD 1 /* MS-CSSP 2.2.1.2 */

/* ---- the definitions ---- */

typedef struct {
    ASN1_INTEGER *credType;
    ASN1_OCTET_STRING *credentials;
} TS_CREDENTIALS;

typedef struct {
    ASN1_OCTET_STRING *domainName;
    ASN1_OCTET_STRING *userName;
    ASN1_OCTET_STRING *password;
} TS_PASSWORD;

/* clang-format off */
ASN1_SEQUENCE(TS_CREDENTIALS) = {
    ASN1_EXP(TS_CREDENTIALS, credType, ASN1_INTEGER, 0),
    ASN1_EXP(TS_CREDENTIALS, credentials, ASN1_OCTET_STRING, 1)
} static_ASN1_SEQUENCE_END(TS_CREDENTIALS)

ASN1_SEQUENCE(TS_PASSWORD) = {
    ASN1_EXP(TS_PASSWORD, domainName, ASN1_OCTET_STRING, 0),
    ASN1_EXP(TS_PASSWORD, userName, ASN1_OCTET_STRING, 1),
    ASN1_EXP(TS_PASSWORD, password, ASN1_OCTET_STRING, 2)
} static_ASN1_SEQUENCE_END(TS_PASSWORD)

IMPLEMENT_STATIC_ASN1_ALLOC_FUNCTIONS(TS_CREDENTIALS)
IMPLEMENT_STATIC_ASN1_ALLOC_FUNCTIONS(TS_PASSWORD)
    /* clang-format on */

    /* For osspi_auto(). Inside OSSPI_ASN1_CALL. */
    static void wipe_credentials(TS_CREDENTIALS * *credentials)
{
    if (*credentials)
        osspi_asn1_wipe((*credentials)->credentials);
    TS_CREDENTIALS_free(*credentials);
}

static void wipe_password(TS_PASSWORD **password)
{
    if (*password)
        osspi_asn1_wipe((*password)->password);
    TS_PASSWORD_free(*password);
}

/* ---- encoding ---- */

/* The text's bytes: identities of ours are UTF-16. */
static bool put_text(ASN1_OCTET_STRING *to, const struct osspi_auth_text *from)
{
    return osspi_asn1_put(to, from->bytes ? from->bytes : "", from->count * sizeof(WCHAR));
}

/* Appends what a template holds. */
static bool add_item(const ASN1_ITEM *item, const void *value, struct osspi_bytes *out)
{
    const int len = ASN1_item_i2d((const ASN1_VALUE *)value, NULL, item);
    const size_t before = out->len;
    uint8_t *at;

    if (len <= 0 || !osspi_bytes_add(out, NULL, (size_t)len))
        return false;
    at = out->at + before;
    (void)ASN1_item_i2d((const ASN1_VALUE *)value, &at, item);
    return true;
}

static bool encode_password(const struct osspi_auth_view *view, struct osspi_bytes *out)
{
    TS_PASSWORD *password osspi_auto(wipe_password) = TS_PASSWORD_new();

    return password && put_text(password->domainName, &view->domain) &&
           put_text(password->userName, &view->user) &&
           put_text(password->password, &view->password) &&
           add_item(ASN1_ITEM_rptr(TS_PASSWORD), password, out);
}

static bool encode(const struct osspi_auth_view *view, struct osspi_bytes *inner,
                   struct osspi_bytes *out)
{
    OSSPI_ASN1_CALL;
    TS_CREDENTIALS *credentials osspi_auto(wipe_credentials) = TS_CREDENTIALS_new();

    return encode_password(view, inner) && credentials &&
           ASN1_INTEGER_set(credentials->credType, TYPE_PASSWORD) == 1 &&
           osspi_asn1_put(credentials->credentials, inner->at, inner->len) &&
           add_item(ASN1_ITEM_rptr(TS_CREDENTIALS), credentials, out);
}

/* For osspi_auto() too. */
static bool view_identity(const SEC_WINNT_AUTH_IDENTITY_EX2 *identity, struct osspi_auth_view *view)
{
    return identity && osspi_auth_view(identity, SIZE_MAX, view) == SEC_E_OK;
}

bool osspi_ts_can_delegate(const SEC_WINNT_AUTH_IDENTITY_EX2 *identity)
{
    struct osspi_auth_view view;

    return view_identity(identity, &view) && view.user.count > 0 && view.password.bytes;
}

SECURITY_STATUS osspi_ts_credentials_encode(const SEC_WINNT_AUTH_IDENTITY_EX2 *identity,
                                            struct osspi_bytes *out)
{
    struct osspi_bytes inner osspi_auto(osspi_bytes_clear) = {0};
    struct osspi_auth_view view = {0};

    if (identity && (!osspi_ts_can_delegate(identity) || !view_identity(identity, &view)))
        return SEC_E_NO_CREDENTIALS;
    return encode(&view, &inner, out) ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

/* ---- decoding ---- */

static bool take_text(const ASN1_OCTET_STRING *from, struct osspi_auth_text *to)
{
    *to = (struct osspi_auth_text){.bytes = from->length > 0 ? (const void *)from->data : "\0",
                                   .count = (size_t)from->length / sizeof(WCHAR),
                                   .wide = true};
    return (size_t)from->length % sizeof(WCHAR) == 0;
}

/* Also by the rules for identities: a caller is to read them with SspiUnmarshalAuthIdentity. */
static SECURITY_STATUS make_identity(const struct osspi_auth_view *view,
                                     SEC_WINNT_AUTH_IDENTITY_EX2 **ret_identity)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 *identity;
    struct osspi_auth_view again;
    SECURITY_STATUS status = osspi_auth_pack(view, &identity);

    if (status == SEC_E_INVALID_PARAMETER)
        return SEC_E_INVALID_TOKEN;
    if (status != SEC_E_OK)
        return status;
    if (osspi_auth_view(identity, identity->cbStructureLength, &again) != SEC_E_OK) {
        (void)osspi_context_buffer_free(identity);
        return SEC_E_INVALID_TOKEN;
    }
    *ret_identity = identity;
    return SEC_E_OK;
}

static SECURITY_STATUS decode_password(const ASN1_OCTET_STRING *bytes,
                                       SEC_WINNT_AUTH_IDENTITY_EX2 **ret_identity)
{
    const uint8_t *at = bytes->data;
    struct osspi_auth_view view = {0};
    TS_PASSWORD *password osspi_auto(wipe_password) =
        (TS_PASSWORD *)ASN1_item_d2i(NULL, &at, bytes->length, ASN1_ITEM_rptr(TS_PASSWORD));

    if (!password || at != bytes->data + bytes->length ||
        !take_text(password->domainName, &view.domain) ||
        !take_text(password->userName, &view.user) ||
        !take_text(password->password, &view.password))
        return SEC_E_INVALID_TOKEN;
    return make_identity(&view, ret_identity);
}

SECURITY_STATUS osspi_ts_credentials_decode(const uint8_t *bytes, size_t len,
                                            SEC_WINNT_AUTH_IDENTITY_EX2 **ret_identity)
{
    const uint8_t *at = bytes;
    int64_t type;

    *ret_identity = NULL;
    if (len > INT32_MAX)
        return SEC_E_INVALID_TOKEN;
    OSSPI_ASN1_CALL;
    TS_CREDENTIALS *credentials osspi_auto(wipe_credentials) =
        (TS_CREDENTIALS *)ASN1_item_d2i(NULL, &at, (long)len, ASN1_ITEM_rptr(TS_CREDENTIALS));

    if (!credentials || at != bytes + len ||
        ASN1_INTEGER_get_int64(&type, credentials->credType) != 1)
        return SEC_E_INVALID_TOKEN;
    if (type != TYPE_PASSWORD)
        return SEC_E_UNSUPPORTED_FUNCTION;
    return decode_password(credentials->credentials, ret_identity);
}
