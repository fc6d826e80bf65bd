/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Statuses; see status.h. Kerberos' own codes are those of RFC 4120 7.5.9, as libkrb5 numbers them.
 */
#include "packages/gssapi/status.h"

#include <errno.h>
#include <string.h>

#include "packages/gssapi/foreign.h"

#define FIRST_LIBRARY_CODE 256u /* below are numbers of errno */

struct row {
    krb5_error_code code;
    SECURITY_STATUS status;
};

static const struct row rows[] = {
    /* Nobody to ask. */
    {KRB5_KDC_UNREACH, SEC_E_NO_AUTHENTICATING_AUTHORITY},
    {KRB5_REALM_UNKNOWN, SEC_E_NO_AUTHENTICATING_AUTHORITY},
    {KRB5_REALM_CANT_RESOLVE, SEC_E_NO_AUTHENTICATING_AUTHORITY},
    {KRB5_CONFIG_NODEFREALM, SEC_E_NO_AUTHENTICATING_AUTHORITY},
    {KRB5KDC_ERR_SVC_UNAVAILABLE, SEC_E_NO_AUTHENTICATING_AUTHORITY},
    {KRB5_KDCREP_MODIFIED, SEC_E_NO_AUTHENTICATING_AUTHORITY},
    {KRB5KRB_AP_ERR_MSG_TYPE, SEC_E_NO_AUTHENTICATING_AUTHORITY},
    {KRB5KRB_AP_ERR_BADVERSION, SEC_E_NO_AUTHENTICATING_AUTHORITY},
    {KRB5_GET_IN_TKT_LOOP, SEC_E_NO_AUTHENTICATING_AUTHORITY},
    {KRB5KRB_ERR_GENERIC, SEC_E_NO_AUTHENTICATING_AUTHORITY},
    {KRB5KDC_ERR_PATH_NOT_ACCEPTED, SEC_E_NO_AUTHENTICATING_AUTHORITY},
    /* It knows the client, or does not, and says no. */
    {KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN, SEC_E_LOGON_DENIED},
    {KRB5KDC_ERR_CLIENT_REVOKED, SEC_E_LOGON_DENIED},
    {KRB5KDC_ERR_CLIENT_NOTYET, SEC_E_LOGON_DENIED},
    {KRB5KDC_ERR_NAME_EXP, SEC_E_LOGON_DENIED},
    {KRB5KDC_ERR_KEY_EXP, SEC_E_LOGON_DENIED},
    {KRB5KDC_ERR_POLICY, SEC_E_LOGON_DENIED},
    {KRB5KDC_ERR_PREAUTH_FAILED, SEC_E_LOGON_DENIED},
    {KRB5KDC_ERR_PREAUTH_REQUIRED, SEC_E_LOGON_DENIED},
    {KRB5_PREAUTH_FAILED, SEC_E_LOGON_DENIED},
    {KRB5KRB_AP_ERR_BAD_INTEGRITY, SEC_E_LOGON_DENIED},
    {KRB5KRB_AP_ERR_TKT_EXPIRED, SEC_E_LOGON_DENIED},
    {KRB5KRB_AP_ERR_TKT_NYV, SEC_E_LOGON_DENIED},
    {KRB5KRB_AP_ERR_REPEAT, SEC_E_LOGON_DENIED},
    {KRB5KDC_ERR_ETYPE_NOSUPP, SEC_E_LOGON_DENIED},
    /* The service. */
    {KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN, SEC_E_TARGET_UNKNOWN},
    {KRB5KDC_ERR_SERVICE_EXP, SEC_E_TARGET_UNKNOWN},
    {KRB5_ERR_HOST_REALM_UNKNOWN, SEC_E_TARGET_UNKNOWN},
    {KRB5_PARSE_MALFORMED, SEC_E_TARGET_UNKNOWN},
    {KRB5KRB_AP_WRONG_PRINC, SEC_E_WRONG_PRINCIPAL},
    {KRB5KRB_AP_ERR_NOT_US, SEC_E_WRONG_PRINCIPAL},
    {KRB5KRB_AP_ERR_NOKEY, SEC_E_WRONG_PRINCIPAL},
    {KRB5KRB_AP_ERR_BADKEYVER, SEC_E_WRONG_PRINCIPAL},
    {KRB5KRB_AP_ERR_MODIFIED, SEC_E_MESSAGE_ALTERED},
    {KRB5_KT_KVNONOTFOUND, SEC_E_WRONG_PRINCIPAL},
    /* Clocks. */
    {KRB5KRB_AP_ERR_SKEW, SEC_E_TIME_SKEW},
    {KRB5_KDCREP_SKEW, SEC_E_TIME_SKEW},
    /* No tickets, no keys. */
    {KRB5_CC_NOTFOUND, SEC_E_NO_CREDENTIALS},
    {KRB5_FCC_NOFILE, SEC_E_NO_CREDENTIALS},
    {KRB5_CC_FORMAT, SEC_E_NO_CREDENTIALS},
    {KRB5_FCC_PERM, SEC_E_NO_CREDENTIALS},
    {KRB5_CC_END, SEC_E_NO_CREDENTIALS},
    {KRB5_KT_NOTFOUND, SEC_E_NO_CREDENTIALS},
    {KRB5_KEYTAB_BADVNO, SEC_E_NO_CREDENTIALS},
    {EACCES, SEC_E_NO_CREDENTIALS},
    {ENOENT, SEC_E_NO_CREDENTIALS},
    {ENOMEM, SEC_E_INSUFFICIENT_MEMORY},
};

static bool is_asn1(krb5_error_code code)
{
    return code >= ERROR_TABLE_BASE_asn1 && code < ERROR_TABLE_BASE_asn1 + 256;
}

SECURITY_STATUS osspi_gss_status_krb5(krb5_error_code code)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(rows); i++) {
        if (rows[i].code == code)
            return rows[i].status;
    }
    return is_asn1(code) ? SEC_E_NO_AUTHENTICATING_AUTHORITY : SEC_E_INTERNAL_ERROR;
}

/* What a peer's token did, where the code says nothing better. The error without a name is, from a
 * peer, a refusal without a reason: no KDC has a part in it. */
static SECURITY_STATUS by_code(OM_uint32 minor, SECURITY_STATUS otherwise)
{
    const SECURITY_STATUS status = osspi_gss_status_krb5((krb5_error_code)minor);

    if (minor == 0 || status == SEC_E_INTERNAL_ERROR || is_asn1((krb5_error_code)minor) ||
        (krb5_error_code)minor == KRB5KRB_ERR_GENERIC)
        return otherwise;
    return status;
}

SECURITY_STATUS osspi_gss_status_leg(OM_uint32 major, OM_uint32 minor, bool initiator,
                                     SECURITY_STATUS otherwise)
{
    switch (GSS_ROUTINE_ERROR(major)) {
    case GSS_S_BAD_BINDINGS:
        return SEC_E_BAD_BINDINGS;
    case GSS_S_NO_CRED:
    case GSS_S_DEFECTIVE_CREDENTIAL:
        /* A server has been through Acquire: it is the token that is for another mechanism. */
        return by_code(minor, initiator ? SEC_E_NO_CREDENTIALS : SEC_E_INVALID_TOKEN);
    case GSS_S_CREDENTIALS_EXPIRED:
        return initiator ? SEC_E_NO_CREDENTIALS : SEC_E_LOGON_DENIED;
    case GSS_S_BAD_NAME:
    case GSS_S_BAD_NAMETYPE:
        return SEC_E_TARGET_UNKNOWN;
    case GSS_S_DEFECTIVE_TOKEN:
    case GSS_S_BAD_MECH:
        return SEC_E_INVALID_TOKEN;
    case GSS_S_BAD_SIG:
        return SEC_E_MESSAGE_ALTERED;
    case GSS_S_DUPLICATE_TOKEN:
    case GSS_S_OLD_TOKEN:
        return SEC_E_LOGON_DENIED;
    case GSS_S_UNAVAILABLE:
        return SEC_E_UNSUPPORTED_FUNCTION;
    case GSS_S_UNAUTHORIZED:
        return SEC_E_LOGON_DENIED;
    default:
        /* What a file of users says of one it does not have is none of its own errors. */
        return !initiator && minor < FIRST_LIBRARY_CODE ? otherwise : by_code(minor, otherwise);
    }
}

SECURITY_STATUS osspi_gss_status_message(OM_uint32 major, OM_uint32 minor)
{
    switch (GSS_ROUTINE_ERROR(major)) {
    case GSS_S_BAD_SIG:
        return SEC_E_MESSAGE_ALTERED;
    case GSS_S_DEFECTIVE_TOKEN:
        return SEC_E_INVALID_TOKEN;
    case GSS_S_CONTEXT_EXPIRED:
    case GSS_S_NO_CONTEXT:
        return SEC_E_CONTEXT_EXPIRED;
    case GSS_S_BAD_QOP:
        return SEC_E_QOP_NOT_SUPPORTED;
    default:
        return minor == ENOMEM ? SEC_E_INSUFFICIENT_MEMORY : SEC_E_INVALID_TOKEN;
    }
}

/* ---- words ---- */

void osspi_gss_detail_krb5(struct osspi_context *context, krb5_context k5, krb5_error_code code)
{
    const char *text;

    if (!context)
        return;
    OSSPI_GSS_CALL;
    text = krb5_get_error_message(k5, code);
    osspi_context_detail(context, "krb5 %d: %s", (int)code, text ? text : "");
    krb5_free_error_message(k5, text);
}

static void first_text(OM_uint32 code, int type, gss_OID mechanism, gss_buffer_t ret_text)
{
    OM_uint32 minor, more = 0;

    if (gss_display_status(&minor, code, type, mechanism, &more, ret_text) != GSS_S_COMPLETE)
        *ret_text = (gss_buffer_desc)GSS_C_EMPTY_BUFFER;
}

bool osspi_gss_is_denied(OM_uint32 minor, gss_OID mechanism)
{
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    char expected[64] = "";
    const char *denied = strerror_r(EACCES, expected, sizeof(expected));
    OM_uint32 unused;
    bool same;

    first_text(minor, GSS_C_MECH_CODE, mechanism, &text);
    same = text.length == strlen(denied) && memcmp(text.value, denied, text.length) == 0;
    (void)gss_release_buffer(&unused, &text);
    return same;
}

void osspi_gss_detail(struct osspi_context *context, const char *function, OM_uint32 major,
                      OM_uint32 minor, gss_OID mechanism)
{
    gss_buffer_desc first = GSS_C_EMPTY_BUFFER, second = GSS_C_EMPTY_BUFFER;
    OM_uint32 unused;

    first_text(major, GSS_C_GSS_CODE, GSS_C_NO_OID, &first);
    first_text(minor, GSS_C_MECH_CODE, mechanism, &second);
    osspi_context_detail(context, "%s: %.*s; %.*s", function, (int)first.length,
                         first.value ? (const char *)first.value : "", (int)second.length,
                         second.value ? (const char *)second.value : "");
    (void)gss_release_buffer(&unused, &first);
    (void)gss_release_buffer(&unused, &second);
}
