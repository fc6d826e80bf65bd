/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * AcceptSecurityContext over gss_accept_sec_context(). Both sides of the context are held.
 *
 * Channel bindings that a server gives are required of its clients. Kerberos' own check lets a
 * client through that has none, so the flag is looked at that tells whether they matched.
 */
#include <stdlib.h>
#include <string.h>

#include "packages/gssapi/flags.h"
#include "packages/gssapi/leg.h"
#include "packages/gssapi/ntlm_guard.h"
#include "packages/gssapi/ntlm_short.h"
#include "packages/gssapi/spnego_mic.h"
#include "packages/gssapi/status.h"

static SECURITY_STATUS import_acceptor(const struct osspi_gss_credential *data,
                                       gss_name_t *ret_name)
{
    gss_buffer_desc text = {.value = data->acceptor};
    OM_uint32 minor;

    *ret_name = GSS_C_NO_NAME;
    if (!data->acceptor || data->keys) /* keys that the program brings are that principal's */
        return SEC_E_OK;
    text.length = strlen(data->acceptor);
    return gss_import_name(&minor, &text, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, ret_name) ==
                   GSS_S_COMPLETE
               ? SEC_E_OK
               : SEC_E_NO_CREDENTIALS;
}

/* What SPNEGO may choose from. */
static OM_uint32 offer(struct osspi_gss_context *gc, const struct osspi_gss_credential *data,
                       OM_uint32 *minor)
{
    gss_OID_desc oids[2];
    gss_OID_set_desc mechanisms = {0, oids};

    if (data->inbound & OSSPI_GSS_KERBEROS)
        oids[mechanisms.count++] = osspi_gss_oid_krb5;
    if (data->inbound & OSSPI_GSS_NTLM)
        oids[mechanisms.count++] = osspi_gss_oid_ntlm;
    return gss_set_neg_mechs(minor, gc->credential, &mechanisms);
}

/* A token of Kerberos' own (RFC 2743 3.1): a head with its object identifier. */
static bool is_kerberos(const gss_buffer_desc *token)
{
    static const unsigned char oid[] = "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
    const unsigned char *bytes = token->value;
    const size_t len = sizeof(oid) - 1;
    size_t head = 2;

    if (token->length < head + len || bytes[0] != 0x60)
        return false;
    if (bytes[1] > 0x80)
        head += bytes[1] & 0x7Fu;
    return token->length >= head + len && memcmp(bytes + head, oid, len) == 0;
}

/* Clients of Negotiate may leave SPNEGO out and begin with what they would have put into it. */
static gss_OID choose_mechanism(const struct osspi_gss_credential *data,
                                const gss_buffer_desc *token)
{
    static const char ntlm[8] = "NTLMSSP"; /* with its NUL */

    if (!data->facts->negotiates)
        return data->facts->mechanism;
    if (data->inbound & OSSPI_GSS_NTLM && token->length > sizeof(ntlm) &&
        memcmp(token->value, ntlm, sizeof(ntlm)) == 0)
        return &osspi_gss_oid_ntlm;
    if (data->inbound & OSSPI_GSS_KERBEROS && is_kerberos(token))
        return &osspi_gss_oid_krb5;
    return data->facts->mechanism;
}

static SECURITY_STATUS acquire(struct osspi_context *context,
                               const struct osspi_gss_credential *data,
                               const gss_buffer_desc *token)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    const gss_OID mechanism = choose_mechanism(data, token);
    gss_OID_set_desc mechanisms = {1, mechanism};
    gss_key_value_element_desc element = {"keytab", data->keys_name};
    const gss_key_value_set_desc store = {1, &element};
    gss_name_t name;
    OM_uint32 major, minor = 0, unused;
    SECURITY_STATUS status = import_acceptor(data, &name);

    if (status != SEC_E_OK)
        return status;
    major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, &mechanisms, GSS_C_ACCEPT,
                                  data->keys ? &store : GSS_C_NO_CRED_STORE, &gc->credential, NULL,
                                  NULL);
    (void)gss_release_name(&unused, &name);
    if (major == GSS_S_COMPLETE && mechanism == &osspi_gss_oid_spnego)
        major = offer(gc, data, &minor);
    if (major == GSS_S_COMPLETE)
        return SEC_E_OK;
    osspi_gss_detail(context, "gss_acquire_cred_from", major, minor, mechanism);
    return SEC_E_NO_CREDENTIALS;
}

static SECURITY_STATUS check_bindings(const struct osspi_gss_context *gc,
                                      const struct osspi_leg *leg)
{
    if (!gc->binds || leg->flags & ASC_REQ_ALLOW_MISSING_BINDINGS)
        return SEC_E_OK;
    return gc->flags & GSS_C_CHANNEL_BOUND_FLAG ? SEC_E_OK : SEC_E_BAD_BINDINGS;
}

/* Kerberos has a principal for who does not say who he is (RFC 8062), and lets him in as that. */
static bool is_nobody(const struct osspi_gss_context *gc)
{
    static const char nobody[] = "WELLKNOWN/ANONYMOUS@";

    return gc->mechanism == OSSPI_GSS_KERBEROS && gc->client_name &&
           strncmp(gc->client_name, nobody, sizeof(nobody) - 1) == 0;
}

static SECURITY_STATUS complete(struct osspi_context *context, struct osspi_leg *leg,
                                OM_uint32 flags, OM_uint32 lifetime)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    SECURITY_STATUS status = osspi_gss_establish(context, flags, lifetime);

    if (status == SEC_E_OK)
        status = check_bindings(gc, leg);
    if (status == SEC_E_OK && is_nobody(gc))
        status = SEC_E_LOGON_DENIED;
    if (status != SEC_E_OK)
        return status;
    if (gc->mechanism == OSSPI_GSS_NTLM && gc->ntlm_identifies)
        gc->flags |= GSS_C_IDENTIFY_FLAG;
    gc->granted = osspi_flags_asc(gc->flags, leg->flags, gc->mechanism);
    atomic_store_explicit(&gc->established, true, memory_order_release);
    return SEC_E_OK;
}

/* What the client hands over; not all mechanisms tell it with the last leg. */
static void keep_delegated(struct osspi_gss_context *gc, gss_cred_id_t delegated)
{
    OM_uint32 unused;

    if (delegated == GSS_C_NO_CREDENTIAL)
        return;
    if (gc->delegated != GSS_C_NO_CREDENTIAL)
        (void)gss_release_cred(&unused, &gc->delegated);
    gc->delegated = delegated;
}

/* The token as the libraries want it. ret_bytes is what it is made of, unless nothing had to be
 * changed; NTLM's bare messages and SPNEGO's answers are not the same tokens. */
static SECURITY_STATUS adapt(gss_buffer_t token, void **ret_bytes)
{
    size_t len;
    SECURITY_STATUS status = osspi_ntlm_lengthen(token->value, token->length, ret_bytes, &len);

    if (status == SEC_E_OK && !*ret_bytes) {
        len = token->length;
        status = osspi_spnego_mic_adapt(token->value, len, ret_bytes);
    }
    if (*ret_bytes)
        *token = (gss_buffer_desc){len, *ret_bytes};
    return status;
}

static SECURITY_STATUS go_on(struct osspi_context *context, struct osspi_leg *leg,
                             struct osspi_gss_input *input)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    const struct osspi_gss_credential *data = osspi_gss_credential(leg->credential);
    OM_uint32 flags = 0, lifetime = GSS_C_INDEFINITE, major, minor = 0;
    gss_cred_id_t delegated = GSS_C_NO_CREDENTIAL;
    SECURITY_STATUS status = SEC_E_OK;
    void *adapted osspi_auto(osspi_freep) = NULL;
    gss_buffer_desc token = input->token;
    bool first;

    OSSPI_FOREIGN_SLOW; /* NTLM may ask winbind */
    OSSPI_GSS_CALL;
    if (gc->credential == GSS_C_NO_CREDENTIAL)
        status = acquire(context, data, &input->token);
    if (status == SEC_E_OK)
        status = adapt(&token, &adapted);
    if (status != SEC_E_OK)
        return status;
    gc->binds |= input->has_bindings;
    major =
        gss_accept_sec_context(&minor, &gc->gss, gc->credential, &token, osspi_gss_bindings(input),
                               NULL, NULL, &gc->token, &flags, &lifetime, &delegated);
    keep_delegated(gc, delegated);
    first = !gc->begun;
    gc->begun = true;
    if (major == GSS_S_COMPLETE)
        return complete(context, leg, flags, lifetime);
    if (!GSS_ERROR(major)) {
        gc->ntlm_agreed |= osspi_ntlm_agreed(gc->token.value, gc->token.length);
        gc->granted = osspi_flags_asc(flags, leg->flags, 0);
        return SEC_I_CONTINUE_NEEDED;
    }
    osspi_gss_detail(context, "gss_accept_sec_context", major, minor, data->facts->mechanism);
    /* All that gss-ntlmssp says about bindings that differ. */
    if (input->has_bindings && GSS_ROUTINE_ERROR(major) == GSS_S_DEFECTIVE_TOKEN &&
        osspi_gss_is_denied(minor, data->facts->mechanism))
        return SEC_E_BAD_BINDINGS;
    return osspi_gss_status_leg(major, minor, false,
                                first ? SEC_E_INVALID_TOKEN : SEC_E_LOGON_DENIED);
}

/* Who the client says he is may be winbind's to check. A file of users that does not have him does
 * not keep the mechanism from asking. */
static bool may_ask_winbind(const struct osspi_leg *leg, const struct osspi_gss_input *input)
{
    const struct osspi_gss_credential *data = osspi_gss_credential(leg->credential);

    if (getenv("NTLM_USER_FILE") != NULL && !osspi_gss_has_winbind())
        return false;
    return data->facts->mechanism == &osspi_gss_oid_ntlm ||
           osspi_ntlm_present(input->token.value, input->token.length);
}

SECURITY_STATUS osspi_gss_accept(struct osspi_context *context, struct osspi_leg *leg)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    struct osspi_gss_input input;
    SECURITY_STATUS status = osspi_gss_read_input(leg, &input);

    if (status != SEC_E_OK)
        return status;
    if (osspi_gss_holds_token(gc))
        return osspi_gss_give_token(gc, leg, gc->held);
    if (osspi_gss_established(gc) || gc->failed)
        return SEC_E_INVALID_TOKEN;
    if (leg->flags & ASC_REQ_DATAGRAM)
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (osspi_ntlm_is_anonymous(input.token.value, input.token.length))
        return osspi_gss_fail(gc, leg, SEC_E_LOGON_DENIED); /* the mechanism has no null sessions */
    gc->ntlm_identifies |= osspi_ntlm_identifies(input.token.value, input.token.length);
    if ((gc->begun && input.token.length == 0) ||
        !osspi_ntlm_acceptable(input.token.value, input.token.length, gc->ntlm_agreed))
        return osspi_gss_fail(gc, leg, SEC_E_INVALID_TOKEN);
    if (leg->lane == OSSPI_LANE_CPU && may_ask_winbind(leg, &input)) {
        osspi_gss_lane_note(gc, "ntlm");
        return OSSPI_WANT_BLOCKING;
    }
    status = go_on(context, leg, &input);
    osspi_gss_lane_note(gc, "");
    return status < 0 ? osspi_gss_fail(gc, leg, status) : osspi_gss_give_token(gc, leg, status);
}
