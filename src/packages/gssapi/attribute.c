/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * QueryContextAttributes. What is read here is constant once the context is established; before
 * that only Negotiate's own status is known, and the answer is SEC_E_INVALID_HANDLE, as for
 * EncryptMessage.
 */
#include <opensspi.h>
#include <string.h>

#include "base/clock.h"
#include "packages/gssapi/context.h"
#include "packages/gssapi/pac.h"
#include "packages/gssapi/status.h"
#include "packages/registry.h"

/* 1.2.840.113554.1.2.2.5.5: the session key, and its kind. Constant after load. */
static gss_OID_desc session_key_oid = {11, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x05\x05"};

static char *give_text(const char *text)
{
    char *copy = osspi_context_buffer_new(strlen(text) + 1);

    if (copy)
        memcpy(copy, text, strlen(text) + 1);
    return copy;
}

/* Text of an attribute that may be missing. */
static SECURITY_STATUS give(const char *text, SEC_CHAR **ret_text)
{
    *ret_text = NULL;
    if (!text)
        return SEC_E_OK;
    *ret_text = give_text(text);
    return *ret_text ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static const struct osspi_package *package_of(const struct osspi_gss_context *gc)
{
    return osspi_package_find(gc->mechanism == OSSPI_GSS_KERBEROS ? MICROSOFT_KERBEROS_NAME_A
                                                                  : NTLMSP_NAME_A);
}

static SECURITY_STATUS sizes(struct osspi_gss_context *gc, void *buffer)
{
    *(SecPkgContext_Sizes *)buffer = (SecPkgContext_Sizes){
        .cbMaxToken = OSSPI_GSS_MAX_TOKEN,
        .cbMaxSignature = gc->signature,
        .cbBlockSize = gc->padding > 0 ? gc->padding : 1,
        .cbSecurityTrailer = gc->trailer,
    };
    return SEC_E_OK;
}

static SECURITY_STATUS names(struct osspi_gss_context *gc, void *buffer)
{
    if (!gc->client_name)
        return SEC_E_NO_CREDENTIALS;
    return give(gc->client_name, &((SecPkgContext_NamesA *)buffer)->sUserName);
}

static SECURITY_STATUS native_names(struct osspi_gss_context *gc, void *buffer)
{
    SecPkgContext_NativeNamesA *native = buffer;
    SECURITY_STATUS status = give(gc->client_name, &native->sClientName);

    if (status == SEC_E_OK)
        status = give(gc->server_name, &native->sServerName);
    if (status != SEC_E_OK)
        (void)osspi_context_buffer_free(native->sClientName);
    return status;
}

static SECURITY_STATUS lifespan(struct osspi_gss_context *gc, void *buffer)
{
    SecPkgContext_Lifespan *span = buffer;

    span->tsStart.QuadPart = (LONGLONG)osspi_local_filetime_from_unix(gc->since);
    span->tsExpiry.QuadPart = gc->until == INT64_MAX
                                  ? (LONGLONG)OSSPI_FILETIME_NEVER
                                  : (LONGLONG)osspi_local_filetime_from_unix(gc->until);
    return SEC_E_OK;
}

static SECURITY_STATUS flags(struct osspi_gss_context *gc, void *buffer)
{
    ((SecPkgContext_Flags *)buffer)->Flags = (ULONG)gc->granted;
    return SEC_E_OK;
}

/* ---- keys ---- */

/* The session key, and the number of its kind; to be released. */
static SECURITY_STATUS read_key(struct osspi_gss_context *gc, gss_buffer_set_t *ret_set,
                                ULONG *ret_kind)
{
    OM_uint32 minor = 0, major;

    major = gss_inquire_sec_context_by_oid(&minor, gc->gss, &session_key_oid, ret_set);
    if (major != GSS_S_COMPLETE)
        return SEC_E_UNSUPPORTED_FUNCTION;
    *ret_kind = 0;
    /* The kind is the last arc of an object identifier. */
    if ((*ret_set)->count > 1 && (*ret_set)->elements[1].length > 0)
        *ret_kind =
            ((const uint8_t *)(*ret_set)->elements[1].value)[(*ret_set)->elements[1].length - 1];
    return (*ret_set)->count > 0 ? SEC_E_OK : SEC_E_UNSUPPORTED_FUNCTION;
}

static void release_key(gss_buffer_set_t *set)
{
    OM_uint32 unused;

    if (*set && (*set)->count > 0)
        osspi_secure_zero((*set)->elements[0].value, (*set)->elements[0].length);
    (void)gss_release_buffer_set(&unused, set);
}

static SECURITY_STATUS session_key(struct osspi_gss_context *gc, void *buffer)
{
    SecPkgContext_SessionKey *key = buffer;
    gss_buffer_set_t set = GSS_C_NO_BUFFER_SET;
    SECURITY_STATUS status;
    ULONG kind;

    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    status = read_key(gc, &set, &kind);
    if (status == SEC_E_OK) {
        key->SessionKeyLength = (ULONG)set->elements[0].length;
        key->SessionKey = osspi_context_buffer_new(set->elements[0].length);
        if (key->SessionKey)
            memcpy(key->SessionKey, set->elements[0].value, set->elements[0].length);
        else
            status = SEC_E_INSUFFICIENT_MEMORY;
    }
    release_key(&set);
    return status;
}

static void name_kind(const struct osspi_gss_context *gc, ULONG kind, char *name, size_t size)
{
    if (gc->mechanism == OSSPI_GSS_NTLM)
        memcpy(name, "RC4-HMAC-MD5", sizeof("RC4-HMAC-MD5"));
    else if (krb5_enctype_to_name((krb5_enctype)kind, 0, name, size) != 0)
        name[0] = '\0';
}

static SECURITY_STATUS key_info(struct osspi_gss_context *gc, void *buffer)
{
    SecPkgContext_KeyInfoA *info = buffer;
    gss_buffer_set_t set = GSS_C_NO_BUFFER_SET;
    char name[64] = "";
    SECURITY_STATUS status;
    ULONG kind = 0;

    *info = (SecPkgContext_KeyInfoA){0};
    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    status = read_key(gc, &set, &kind);
    if (status == SEC_E_OK) {
        name_kind(gc, kind, name, sizeof(name));
        info->KeySize = (ULONG)set->elements[0].length * 8;
        info->EncryptAlgorithm = kind;
        status = give(name, &info->sEncryptAlgorithmName);
    }
    if (status == SEC_E_OK)
        status = give(name, &info->sSignatureAlgorithmName);
    if (status != SEC_E_OK)
        (void)osspi_context_buffer_free(info->sEncryptAlgorithmName);
    release_key(&set);
    return status;
}

/* ---- negotiation ---- */

/* One block that FreeContextBuffer frees. */
static PSecPkgInfoA describe(const struct osspi_package *package)
{
    const size_t name = strlen(package->name) + 1, comment = strlen(package->comment) + 1;
    SecPkgInfoA *info = osspi_context_buffer_new(sizeof(*info) + name + comment);

    if (!info)
        return NULL;
    *info = (SecPkgInfoA){
        .fCapabilities = package->capabilities,
        .wVersion = 1,
        .wRPCID = package->rpc_id,
        .cbMaxToken = package->max_token,
        .Name = (SEC_CHAR *)(info + 1),
        .Comment = (SEC_CHAR *)(info + 1) + name,
    };
    memcpy(info->Name, package->name, name);
    memcpy(info->Comment, package->comment, comment);
    return info;
}

static SECURITY_STATUS negotiation(struct osspi_gss_context *gc, void *buffer)
{
    SecPkgContext_NegotiationInfoA *info = buffer;
    const struct osspi_package *package = package_of(gc);

    if (!package)
        return SEC_E_INTERNAL_ERROR;
    info->PackageInfo = describe(package);
    info->NegotiationState = SECPKG_NEGOTIATION_COMPLETE;
    return info->PackageInfo ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static SECURITY_STATUS specified_target(struct osspi_gss_context *gc, void *buffer)
{
    SecPkgContext_ClientSpecifiedTarget *target = buffer;
    SEC_CHAR *text;
    SECURITY_STATUS status;

    if (!gc->server_name)
        return SEC_E_UNSUPPORTED_FUNCTION; /* the mechanism does not tell */
    status = give(gc->server_name, &text);
    target->sTargetName = (SEC_WCHAR *)(void *)text; /* widened behind us */
    return status;
}

/* Has the server seen the client's last token? */
static SECURITY_STATUS last_token(struct osspi_gss_context *gc, void *buffer)
{
    (void)gc;
    ((SecPkgContext_LastClientTokenStatus *)buffer)->LastClientTokenStatus =
        SecPkgAttrLastClientTokenYes;
    return SEC_E_OK;
}

/* ---- what the client's domain says ---- */

/* A FILETIME of a PAC, as SSPI has it. */
static LONGLONG local_time(uint64_t ticks)
{
    const uint64_t second = 10000000, from_1601_to_1970 = UINT64_C(11644473600);

    if (ticks >= OSSPI_FILETIME_NEVER)
        return (LONGLONG)OSSPI_FILETIME_NEVER;
    return (LONGLONG)osspi_local_filetime_from_unix((int64_t)(ticks / second) -
                                                    (int64_t)from_1601_to_1970);
}

static void read_times(const struct osspi_gss_context *gc, struct osspi_pac_times *times)
{
    if (!gc->pac || !osspi_pac_times(gc->pac, gc->pac_len, times))
        *times = (struct osspi_pac_times){OSSPI_FILETIME_NEVER, OSSPI_FILETIME_NEVER};
}

static SECURITY_STATUS password_expiry(struct osspi_gss_context *gc, void *buffer)
{
    struct osspi_pac_times times;

    read_times(gc, &times);
    ((SecPkgContext_PasswordExpiry *)buffer)->tsPasswordExpires.QuadPart =
        local_time(times.must_change);
    return SEC_E_OK;
}

static SECURITY_STATUS logoff_time(struct osspi_gss_context *gc, void *buffer)
{
    struct osspi_pac_times times;

    read_times(gc, &times);
    ((SecPkgContext_LogoffTime *)buffer)->tsLogoffTime.QuadPart = local_time(times.logoff);
    return SEC_E_OK;
}

static SECURITY_STATUS authorization(struct osspi_gss_context *gc, void *buffer)
{
    OsspiContextAuthorization *answer = buffer;

    if (!gc->pac)
        return SEC_E_NO_CREDENTIALS;
    return osspi_pac_describe(gc->pac, gc->pac_len, &answer->authorization);
}

/* Who has been authenticated: the client, by the name that NAMES has. */
static SECURITY_STATUS authentication_id(struct osspi_gss_context *gc, void *buffer)
{
    SecPkgContext_AuthzID *id = buffer;

    if (!gc->client_name)
        return SEC_E_NO_CREDENTIALS;
    id->AuthzIDLength = (ULONG)strlen(gc->client_name);
    return give(gc->client_name, &id->AuthzID);
}

/* ---- Negotiate ---- */

static SECURITY_STATUS nego_packages(struct osspi_gss_context *gc, void *buffer)
{
    ((SecPkgContext_NegoPackageInfo *)buffer)->PackageMask = gc->missing;
    return SEC_E_OK;
}

static SECURITY_STATUS nego_status(struct osspi_gss_context *gc, void *buffer)
{
    ((SecPkgContext_NegoStatus *)buffer)->LastStatus =
        (ULONG)atomic_load_explicit(&gc->kerberos_failed, memory_order_relaxed);
    return SEC_E_OK;
}

struct answer {
    uint32_t attribute;
    uint32_t size;
    SECURITY_STATUS (*give)(struct osspi_gss_context *gc, void *buffer);
};

static const struct answer answers[] = {
    {SECPKG_ATTR_SIZES, sizeof(SecPkgContext_Sizes), sizes},
    {SECPKG_ATTR_NAMES, sizeof(SecPkgContext_NamesA), names},
    {SECPKG_ATTR_NATIVE_NAMES, sizeof(SecPkgContext_NativeNamesA), native_names},
    {SECPKG_ATTR_LIFESPAN, sizeof(SecPkgContext_Lifespan), lifespan},
    {SECPKG_ATTR_FLAGS, sizeof(SecPkgContext_Flags), flags},
    {SECPKG_ATTR_SESSION_KEY, sizeof(SecPkgContext_SessionKey), session_key},
    {SECPKG_ATTR_KEY_INFO, sizeof(SecPkgContext_KeyInfoA), key_info},
    {SECPKG_ATTR_NEGOTIATION_INFO, sizeof(SecPkgContext_NegotiationInfoA), negotiation},
    {SECPKG_ATTR_CLIENT_SPECIFIED_TARGET, sizeof(SecPkgContext_ClientSpecifiedTarget),
     specified_target},
    {SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS, sizeof(SecPkgContext_LastClientTokenStatus), last_token},
    {SECPKG_ATTR_PASSWORD_EXPIRY, sizeof(SecPkgContext_PasswordExpiry), password_expiry},
    {SECPKG_ATTR_LOGOFF_TIME, sizeof(SecPkgContext_LogoffTime), logoff_time},
    {SECPKG_ATTR_AUTHENTICATION_ID, sizeof(SecPkgContext_AuthzID), authentication_id},
    {OSSPI_ATTR_AUTHORIZATION, sizeof(OsspiContextAuthorization), authorization},
};

/* Of Negotiate alone; the second also while legs go on. */
static const struct answer nego_answers[] = {
    {SECPKG_ATTR_NEGO_PKG_INFO, sizeof(SecPkgContext_NegoPackageInfo), nego_packages},
    {SECPKG_ATTR_NEGO_STATUS, sizeof(SecPkgContext_NegoStatus), nego_status},
};

static const struct answer *find(const struct answer *list, size_t count, uint32_t attribute)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].attribute == attribute)
            return &list[i];
    }
    return NULL;
}

SECURITY_STATUS osspi_gss_query(struct osspi_context *context, uint32_t attribute, void *buffer,
                                size_t size)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    const struct answer *answer = find(answers, OSSPI_COUNT_OF(answers), attribute);

    if (!answer && context->package == osspi_package_find(NEGOSSP_NAME_A))
        answer = find(nego_answers, OSSPI_COUNT_OF(nego_answers), attribute);
    if (!answer)
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (!osspi_gss_established(gc) && attribute != SECPKG_ATTR_NEGO_STATUS)
        return SEC_E_INVALID_HANDLE;
    if (context->epoch != osspi_fork_epoch())
        return SEC_E_CONTEXT_EXPIRED;
    if (size < answer->size)
        return SEC_E_BUFFER_TOO_SMALL;
    return answer->give(gc, buffer);
}
