/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * InitializeSecurityContext over gss_init_sec_context(). By the time GSSAPI is asked all tickets
 * are there (prepare.c); only a delegated one it fetches itself. Both sides of the context are
 * held.
 */
#include "packages/gssapi/initiate.h"

#include "packages/gssapi/flags.h"
#include "packages/gssapi/leg.h"
#include "packages/gssapi/ntlm_guard.h"
#include "packages/gssapi/offer.h"
#include "packages/gssapi/spnego_mic.h"
#include "packages/gssapi/status.h"

/* One call of GSSAPI, with the token it was given. */
static OM_uint32 step(struct osspi_context *context, const struct osspi_leg *leg,
                      struct osspi_gss_input *input, OM_uint32 *ret_flags, OM_uint32 *ret_lifetime,
                      SECURITY_STATUS *ret_status)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    const struct osspi_gss_credential *data = osspi_gss_credential(context->credential);
    const gss_OID mechanism = osspi_gss_client_mechanism(gc, data);
    OM_uint32 minor = 0;
    const OM_uint32 major = gss_init_sec_context(
        &minor, gc->credential, &gc->gss, gc->target, mechanism, osspi_flags_request(leg->flags),
        GSS_C_INDEFINITE, osspi_gss_bindings(input),
        input->token.length > 0 ? &input->token : GSS_C_NO_BUFFER, NULL, &gc->token, ret_flags,
        ret_lifetime);

    if (GSS_ERROR(major)) {
        osspi_gss_detail(context, "gss_init_sec_context", major, minor, mechanism);
        *ret_status = osspi_gss_status_leg(major, minor, true, SEC_E_INVALID_TOKEN);
    }
    return major;
}

void osspi_gss_go_bare(struct osspi_context *context)
{
    osspi_gss(context)->bare = true;
}

static SECURITY_STATUS go_on(struct osspi_context *context, struct osspi_leg *leg,
                             struct osspi_gss_input *input)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    OM_uint32 flags = 0, lifetime = GSS_C_INDEFINITE, major;
    void *adapted osspi_auto(osspi_freep) = NULL;
    SECURITY_STATUS status = SEC_E_OK;

    OSSPI_FOREIGN_SLOW;
    OSSPI_GSS_CALL;
    if (gc->begun)
        status = osspi_spnego_mic_adapt(input->token.value, input->token.length, &adapted);
    if (status < 0)
        return status;
    if (adapted)
        input->token.value = adapted;
    status = SEC_I_CONTINUE_NEEDED;
    major = step(context, leg, input, &flags, &lifetime, &status);
    gc->begun = true;
    if (GSS_ERROR(major))
        return status;
    if (major == GSS_S_COMPLETE) {
        status = osspi_gss_establish(context, flags, lifetime);
        if (status != SEC_E_OK)
            return status;
        gc->granted = osspi_flags_isc(gc->flags, leg->flags, gc->mechanism);
        atomic_store_explicit(&gc->established, true, memory_order_release);
    } else {
        gc->granted =
            osspi_flags_isc(osspi_flags_true(flags, gc->choice, true), leg->flags, gc->choice);
    }
    return status;
}

SECURITY_STATUS osspi_gss_initialize(struct osspi_context *context, struct osspi_leg *leg)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    struct osspi_gss_input input;
    SECURITY_STATUS status = osspi_gss_read_input(leg, &input);

    gc->client = true;
    if (status != SEC_E_OK)
        return status;
    if (osspi_gss_holds_token(gc))
        return osspi_gss_give_token(gc, leg, gc->held);
    if (osspi_gss_established(gc) || gc->failed)
        return SEC_E_INVALID_TOKEN; /* there is nothing more to be said */
    /* No mechanism can; and who wants to be nobody is not to be named. */
    if (leg->flags & (ISC_REQ_DATAGRAM | ISC_REQ_NULL_SESSION))
        return SEC_E_UNSUPPORTED_FUNCTION;
    /* gss-ntlmssp takes it for granted that there is an answer. */
    if ((gc->begun && input.token.length == 0) ||
        !osspi_ntlm_acceptable(input.token.value, input.token.length, 0))
        return osspi_gss_fail(gc, leg, SEC_E_INVALID_TOKEN);
    if (!gc->begun && gc->target == GSS_C_NO_NAME) {
        status = osspi_gss_prepare(context, leg);
        if (status != SEC_E_OK)
            return status;
    }
    osspi_offer_follow(gc, &input.token);
    if (leg->lane == OSSPI_LANE_CPU && gc->choice == OSSPI_GSS_NTLM && osspi_gss_has_winbind()) {
        osspi_gss_lane_note(gc, "ntlm");
        return OSSPI_WANT_BLOCKING;
    }
    status = go_on(context, leg, &input);
    osspi_gss_lane_note(gc, ""); /* the next leg does not wait for what this one waited for */
    return status < 0 ? osspi_gss_fail(gc, leg, status) : osspi_gss_give_token(gc, leg, status);
}
