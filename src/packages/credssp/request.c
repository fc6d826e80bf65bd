/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * TSRequest (MS-CSSP 2.2.1); see request.h.
 *
 * A message with a member that is not in the definition is refused, like one that has bytes behind
 * its end: nothing of it would be covered by what is checked later.
 */
#include "packages/credssp/request.h"

#include <string.h>

#include "base/memory.h"
#include "packages/credssp/asn1.h"

/* ---- the definition ---- */

typedef struct {
    ASN1_OCTET_STRING *negoToken;
} TS_NEGO_TOKEN;

typedef STACK_OF(TS_NEGO_TOKEN) TS_NEGO_DATA;

typedef struct {
    ASN1_INTEGER *version;
    TS_NEGO_DATA *negoTokens;
    ASN1_OCTET_STRING *authInfo;
    ASN1_OCTET_STRING *pubKeyAuth;
    ASN1_INTEGER *errorCode;
    ASN1_OCTET_STRING *clientNonce;
} TS_REQUEST;

/* clang-format off */
ASN1_SEQUENCE(TS_NEGO_TOKEN) = {
    ASN1_EXP(TS_NEGO_TOKEN, negoToken, ASN1_OCTET_STRING, 0)
} static_ASN1_SEQUENCE_END(TS_NEGO_TOKEN)

ASN1_SEQUENCE(TS_REQUEST) = {
    ASN1_EXP(TS_REQUEST, version, ASN1_INTEGER, 0),
    ASN1_EXP_SEQUENCE_OF_OPT(TS_REQUEST, negoTokens, TS_NEGO_TOKEN, 1),
    ASN1_EXP_OPT(TS_REQUEST, authInfo, ASN1_OCTET_STRING, 2),
    ASN1_EXP_OPT(TS_REQUEST, pubKeyAuth, ASN1_OCTET_STRING, 3),
    ASN1_EXP_OPT(TS_REQUEST, errorCode, ASN1_INTEGER, 4),
    ASN1_EXP_OPT(TS_REQUEST, clientNonce, ASN1_OCTET_STRING, 5)
} static_ASN1_SEQUENCE_END(TS_REQUEST)

DEFINE_STACK_OF(TS_NEGO_TOKEN)
IMPLEMENT_STATIC_ASN1_ALLOC_FUNCTIONS(TS_NEGO_TOKEN)
IMPLEMENT_STATIC_ASN1_ALLOC_FUNCTIONS(TS_REQUEST)
    /* clang-format on */

    void osspi_asn1_wipe(ASN1_OCTET_STRING * string)
{
    if (string && string->data && string->length > 0)
        osspi_secure_zero(string->data, (size_t)string->length);
}

/* For osspi_auto(). Inside OSSPI_ASN1_CALL. */
static void wipe_request(TS_REQUEST **pointer)
{
    TS_REQUEST *request = *pointer;

    if (!request)
        return;
    osspi_asn1_wipe(request->authInfo);
    TS_REQUEST_free(request);
}

void osspi_ts_request_clear(struct osspi_ts_request *request)
{
    osspi_bytes_clear(&request->token);
    osspi_bytes_clear(&request->auth_info);
    osspi_bytes_clear(&request->key_auth);
    osspi_secure_zero(request, sizeof(*request));
}

/* ---- decoding ---- */

/* The shortest message there is; all that tell their length do so within it: by one byte, or by one
 * that counts those that follow. */
#define SHORTEST     7u
#define LONG_LENGTH  0x80u
#define LENGTH_BYTES (SHORTEST - 2u)

SECURITY_STATUS osspi_ts_request_measure(const uint8_t *bytes, size_t len, size_t *ret_len)
{
    const uint8_t *at = bytes;
    long content = 0;
    int tag = 0, class = 0, form;

    *ret_len = 0;
    if (len > 0 && bytes[0] != (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED))
        return SEC_E_INVALID_TOKEN;
    if (len > 1 && bytes[1] < SHORTEST - 2u) /* what comes is too short: nothing to wait for */
        return SEC_E_INVALID_TOKEN;
    /* The TLS library looks for the length's end where its limit allows, not where bytes end. */
    if (len > 1 && bytes[1] > (LONG_LENGTH | LENGTH_BYTES))
        return SEC_E_INVALID_TOKEN;
    if (len < SHORTEST)
        return SEC_E_OK;
    OSSPI_ASN1_CALL;
    form = ASN1_get_object(&at, &content, &tag, &class, OSSPI_TS_MAX_REQUEST);
    /* An error (0x80), or a length that is only told by what comes last (1): nobody sends that. */
    if (form & 0x81 || content < 0 || (size_t)(at - bytes) > SHORTEST)
        return SEC_E_INVALID_TOKEN;
    *ret_len = (size_t)(at - bytes) + (size_t)content;
    return SEC_E_OK;
}

static SECURITY_STATUS take(const ASN1_OCTET_STRING *from, struct osspi_bytes *to)
{
    if (!from)
        return SEC_E_OK;
    if (from->length <= 0) /* there, but empty: what should be in there is missing */
        return SEC_E_INVALID_TOKEN;
    return osspi_bytes_add(to, from->data, (size_t)from->length) ? SEC_E_OK
                                                                 : SEC_E_INSUFFICIENT_MEMORY;
}

static SECURITY_STATUS take_token(const TS_REQUEST *from, struct osspi_ts_request *to)
{
    const ASN1_OCTET_STRING *token;

    if (!from->negoTokens)
        return SEC_E_OK;
    /* More than one of them nobody has ever sent; which one would count is not defined. */
    if (sk_TS_NEGO_TOKEN_num(from->negoTokens) != 1)
        return SEC_E_INVALID_TOKEN;
    token = sk_TS_NEGO_TOKEN_value(from->negoTokens, 0)->negoToken;
    to->has_token = true;
    if (token->length == 0)
        return SEC_E_OK;
    return take(token, &to->token);
}

/* Both numbers fit into 32 bits; a status is negative as an INTEGER or not, as its writer likes. */
static bool take_number(const ASN1_INTEGER *from, int64_t least, int64_t most, int64_t *ret_number)
{
    return ASN1_INTEGER_get_int64(ret_number, from) == 1 && *ret_number >= least &&
           *ret_number <= most;
}

static SECURITY_STATUS take_numbers(const TS_REQUEST *from, struct osspi_ts_request *to)
{
    int64_t number;

    if (!take_number(from->version, 2, INT32_MAX, &number))
        return SEC_E_INVALID_TOKEN;
    to->version = (uint32_t)number;
    if (from->errorCode) {
        if (!take_number(from->errorCode, INT32_MIN, UINT32_MAX, &number))
            return SEC_E_INVALID_TOKEN;
        to->has_error = true;
        to->error = (uint32_t)number;
    }
    if (from->clientNonce) {
        if (from->clientNonce->length != OSSPI_TS_NONCE)
            return SEC_E_INVALID_TOKEN;
        to->has_nonce = true;
        memcpy(to->nonce, from->clientNonce->data, OSSPI_TS_NONCE);
    }
    return SEC_E_OK;
}

SECURITY_STATUS osspi_ts_request_decode(const uint8_t *bytes, size_t len,
                                        struct osspi_ts_request *ret_request)
{
    const uint8_t *at = bytes;
    size_t whole;
    SECURITY_STATUS status = osspi_ts_request_measure(bytes, len, &whole);

    *ret_request = (struct osspi_ts_request){0};
    if (status != SEC_E_OK || whole != len)
        return SEC_E_INVALID_TOKEN;
    OSSPI_ASN1_CALL;
    TS_REQUEST *request osspi_auto(wipe_request) =
        (TS_REQUEST *)ASN1_item_d2i(NULL, &at, (long)len, ASN1_ITEM_rptr(TS_REQUEST));

    if (!request || at != bytes + len)
        return SEC_E_INVALID_TOKEN;
    status = take_numbers(request, ret_request);
    if (status == SEC_E_OK)
        status = take_token(request, ret_request);
    if (status == SEC_E_OK)
        status = take(request->authInfo, &ret_request->auth_info);
    if (status == SEC_E_OK)
        status = take(request->pubKeyAuth, &ret_request->key_auth);
    if (status != SEC_E_OK)
        osspi_ts_request_clear(ret_request);
    return status;
}

/* ---- encoding ---- */

static bool put_token(TS_REQUEST *request, const struct osspi_bytes *from)
{
    TS_NEGO_TOKEN *token = TS_NEGO_TOKEN_new();

    request->negoTokens = sk_TS_NEGO_TOKEN_new_null();
    if (!token || !request->negoTokens || sk_TS_NEGO_TOKEN_push(request->negoTokens, token) <= 0) {
        TS_NEGO_TOKEN_free(token);
        return false;
    }
    return osspi_asn1_put(token->negoToken, from->at, from->len);
}

static bool put_optional(ASN1_OCTET_STRING **member, const struct osspi_bytes *from)
{
    return from->len == 0 || osspi_asn1_put_new(member, from->at, from->len);
}

/* As a negative number where its first bit is set: four bytes, as Windows has it. */
static bool put_error(TS_REQUEST *request, uint32_t error)
{
    request->errorCode = ASN1_INTEGER_new();
    return request->errorCode && ASN1_INTEGER_set_int64(request->errorCode, (int32_t)error) == 1;
}

static bool fill(TS_REQUEST *to, const struct osspi_ts_request *from)
{
    return ASN1_INTEGER_set_int64(to->version, from->version) == 1 &&
           (!from->has_token || put_token(to, &from->token)) &&
           put_optional(&to->authInfo, &from->auth_info) &&
           put_optional(&to->pubKeyAuth, &from->key_auth) &&
           (!from->has_error || put_error(to, from->error)) &&
           (!from->has_nonce ||
            osspi_asn1_put_new(&to->clientNonce, from->nonce, sizeof(from->nonce)));
}

SECURITY_STATUS osspi_ts_request_encode(const struct osspi_ts_request *request,
                                        struct osspi_bytes *out)
{
    OSSPI_ASN1_CALL;
    TS_REQUEST *built osspi_auto(wipe_request) = TS_REQUEST_new();
    const size_t before = out->len;
    uint8_t *at;
    int len;

    if (!built || !fill(built, request))
        return SEC_E_INSUFFICIENT_MEMORY;
    len = ASN1_item_i2d((ASN1_VALUE *)built, NULL, ASN1_ITEM_rptr(TS_REQUEST));
    if (len <= 0 || !osspi_bytes_add(out, NULL, (size_t)len))
        return SEC_E_INSUFFICIENT_MEMORY;
    at = out->at + before;
    (void)ASN1_item_i2d((ASN1_VALUE *)built, &at, ASN1_ITEM_rptr(TS_REQUEST));
    return SEC_E_OK;
}
