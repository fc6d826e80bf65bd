/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The facts of a context that has just been established; see leg.h. All that queries and messages
 * will ask for is read here, once. Called with both sides of the context held.
 */
#include <time.h>

#include "packages/gssapi/flags.h"
#include "packages/gssapi/leg.h"
#include "packages/gssapi/name.h"
#include "packages/gssapi/pac.h"

#define MIC_SIZE_NTLM 16u

unsigned osspi_gss_mechanism_of(gss_const_OID mechanism)
{
    if (gss_oid_equal(mechanism, &osspi_gss_oid_krb5))
        return OSSPI_GSS_KERBEROS;
    return gss_oid_equal(mechanism, &osspi_gss_oid_ntlm) ? OSSPI_GSS_NTLM : 0;
}

/* Sizes of what is added to messages. A longer message never needs more, but for padding. */
static bool measure_krb5(struct osspi_gss_context *gc)
{
    gss_iov_buffer_desc wrap[] = {
        {.type = GSS_IOV_BUFFER_TYPE_HEADER},
        {.type = GSS_IOV_BUFFER_TYPE_DATA, .buffer = {4096, NULL}},
        {.type = GSS_IOV_BUFFER_TYPE_PADDING},
    };
    gss_iov_buffer_desc mic[] = {
        {.type = GSS_IOV_BUFFER_TYPE_DATA, .buffer = {4096, NULL}},
        {.type = GSS_IOV_BUFFER_TYPE_MIC_TOKEN},
    };
    OM_uint32 minor;
    int sealed;

    if (gss_wrap_iov_length(&minor, gc->gss, 1, GSS_C_QOP_DEFAULT, &sealed, wrap, 3) !=
            GSS_S_COMPLETE ||
        gss_get_mic_iov_length(&minor, gc->gss, GSS_C_QOP_DEFAULT, mic, 2) != GSS_S_COMPLETE)
        return false;
    gc->trailer = (ULONG)wrap[0].buffer.length;
    gc->padding = (ULONG)wrap[2].buffer.length;
    gc->signature = (ULONG)mic[1].buffer.length;
    return true;
}

static bool measure(struct osspi_gss_context *gc)
{
    if (gc->mechanism == OSSPI_GSS_KERBEROS)
        return measure_krb5(gc);
    gc->trailer = gc->signature = MIC_SIZE_NTLM; /* MS-NLMP 2.2.2.9 */
    return true;
}

static SECURITY_STATUS name_of_credential(gss_cred_id_t credential, char **ret_text)
{
    gss_name_t name = GSS_C_NO_NAME;
    SECURITY_STATUS status = SEC_E_OK;
    OM_uint32 minor;

    if (gss_inquire_cred(&minor, credential, &name, NULL, NULL, NULL) == GSS_S_COMPLETE)
        status = osspi_gss_name_text(name, ret_text);
    (void)gss_release_name(&minor, &name);
    return status;
}

/* gss-ntlmssp crashes when a server asks it for the target's name, and Kerberos tells it. */
static SECURITY_STATUS read_names(struct osspi_gss_context *gc)
{
    const bool asks_target = gc->client || gc->mechanism == OSSPI_GSS_KERBEROS;
    gss_name_t source = GSS_C_NO_NAME, target = GSS_C_NO_NAME;
    gss_OID mechanism = GSS_C_NO_OID;
    SECURITY_STATUS status;
    OM_uint32 major, minor, unused;

    major = gss_inquire_context(&minor, gc->gss, &source, asks_target ? &target : NULL, NULL,
                                &mechanism, NULL, NULL, NULL);
    status = major == GSS_S_COMPLETE ? osspi_gss_name_text(source, &gc->client_name)
                                     : SEC_E_INTERNAL_ERROR;
    if (status == SEC_E_OK)
        status = osspi_gss_name_text(target, &gc->server_name);
    if (status == SEC_E_OK && !gc->client && gc->mechanism == OSSPI_GSS_KERBEROS)
        status = osspi_pac_read(source, &gc->pac, &gc->pac_len);
    (void)gss_release_name(&unused, &source);
    (void)gss_release_name(&unused, &target);
    /* NTLM's context does not know it, its credential does; of two mechanisms the credential tells
     * the first one's. */
    if (gc->mechanism == OSSPI_GSS_NTLM && gc->ntlm_user && !gc->client_name)
        gc->client_name = OSSPI_TAKE(gc->ntlm_user);
    if (status == SEC_E_OK && !gc->client_name && gc->client)
        status = name_of_credential(gc->credential, &gc->client_name);
    return status;
}

/* SPNEGO's context tells the mechanism below it. */
static unsigned mechanism_below(struct osspi_gss_context *gc)
{
    gss_OID mechanism = GSS_C_NO_OID;
    OM_uint32 minor;

    if (gss_inquire_context(&minor, gc->gss, NULL, NULL, NULL, &mechanism, NULL, NULL, NULL) !=
        GSS_S_COMPLETE)
        return 0;
    return osspi_gss_mechanism_of(mechanism);
}

/* For SECPKG_ATTR_NEGO_PKG_INFO. */
static uint32_t missing(const struct osspi_gss_context *gc, const struct osspi_gss_credential *data)
{
    const unsigned there = gc->client ? data->outbound : data->inbound;

    return (there & OSSPI_GSS_KERBEROS ? 0 : SECPKG_ATTR_NEGO_INFO_FLAG_NO_KERBEROS) |
           (there & OSSPI_GSS_NTLM ? 0 : SECPKG_ATTR_NEGO_INFO_FLAG_NO_NTLM);
}

SECURITY_STATUS osspi_gss_establish(struct osspi_context *context, OM_uint32 flags,
                                    OM_uint32 lifetime)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    SECURITY_STATUS status;

    gc->mechanism = mechanism_below(gc);
    if (gc->mechanism == 0)
        return SEC_E_INTERNAL_ERROR;
    gc->flags = osspi_flags_true(flags, gc->mechanism, gc->client);
    gc->dce = (gc->flags & GSS_C_DCE_STYLE) != 0;
    gc->missing = missing(gc, osspi_gss_credential(context->credential));
    gc->since = (int64_t)time(NULL);
    gc->until = lifetime == GSS_C_INDEFINITE ? INT64_MAX : gc->since + (int64_t)lifetime;
    status = read_names(gc);
    if (status == SEC_E_OK && !measure(gc)) {
        osspi_context_detail(context, "the sizes of messages are not known");
        status = SEC_E_INTERNAL_ERROR;
    }
    return status;
}
