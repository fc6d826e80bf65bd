/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The beginning of a client's context; see initiate.h.
 *
 * Whether Negotiate goes on with NTLM when Kerberos fails, or offers it beside Kerberos, decides
 * may_fall_back(): where there may be a KDC somebody on the way could cause the failure by keeping
 * it silent, so there a caller who asks for a proof of the server's identity, or delegates, gets
 * the failure. A package list that names NTLM allows it all the same.
 */
#include "packages/gssapi/initiate.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/wait.h"
#include "packages/gssapi/login.h"
#include "packages/gssapi/name.h"
#include "packages/gssapi/offer.h"
#include "packages/gssapi/status.h"

/* ---- GSSAPI's credentials ---- */

/* Of SPNEGO's credential only one mechanism is offered: the one that was chosen. offer.h has the
 * other way. */
static OM_uint32 restrict_to(gss_cred_id_t credential, unsigned choice, OM_uint32 *minor)
{
    gss_OID_set_desc only = {1, choice == OSSPI_GSS_KERBEROS ? &osspi_gss_oid_krb5
                                                             : &osspi_gss_oid_ntlm};

    return gss_set_neg_mechs(minor, credential, &only);
}

/*
 * The mechanism offers two alphabets and gives up on servers that repeat both, as FreeRDP 2 does
 * (MS-NLMP 2.2.2.5 would have them ignore the older one). These are the flags that it begins with,
 * without that one; what a leg asks for it adds. Where it cannot be told so, it stays as it is.
 */
static void offer_unicode_only(gss_cred_id_t *credential)
{
    static const gss_OID_desc neg_flags = {11, "\x2b\x06\x01\x04\x01\xb7\x7d\x85\x0f\x01\x05"};
    uint32_t flags = 0xA2088205u;
    gss_buffer_desc value = {sizeof(flags), &flags};
    OM_uint32 unused;

    (void)gss_set_cred_option(&unused, credential, (gss_OID)&neg_flags, &value);
}

static SECURITY_STATUS acquire(struct osspi_context *context,
                               const struct osspi_gss_credential *data, gss_name_t name,
                               gss_const_key_value_set_t store)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    const gss_OID mechanism = osspi_gss_client_mechanism(gc, data);
    gss_OID_set_desc mechanisms = {1, mechanism};
    OM_uint32 minor = 0;
    OM_uint32 major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, &mechanisms,
                                            GSS_C_INITIATE, store, &gc->credential, NULL, NULL);

    if (major == GSS_S_COMPLETE && mechanism == &osspi_gss_oid_spnego)
        major = restrict_to(gc->credential, gc->choice, &minor);
    if (major == GSS_S_COMPLETE && gc->choice == OSSPI_GSS_NTLM)
        offer_unicode_only(&gc->credential);
    if (major == GSS_S_COMPLETE)
        return SEC_E_OK;
    osspi_gss_detail(context, "gss_acquire_cred_from", major, minor, mechanism);
    return SEC_E_NO_CREDENTIALS;
}

static SECURITY_STATUS begin_kerberos(struct osspi_context *context,
                                      const struct osspi_gss_credential *data, const char *target,
                                      bool offers_ntlm)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    /* Without the keytab GSSAPI might log in by itself, and wait for a KDC. */
    gss_key_value_element_desc elements[] = {{"ccache", gc->cache},
                                             {"client_keytab", "MEMORY:osspi-none"}};
    const gss_key_value_set_desc store = {2, elements};
    SECURITY_STATUS status = SEC_E_OK;

    OSSPI_GSS_CALL;
    if (!offers_ntlm || !osspi_offer_both(gc, data, target))
        status = acquire(context, data, GSS_C_NO_NAME, &store);
    if (status != SEC_E_OK)
        return status;
    return osspi_gss_name(gc->server, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, &gc->target);
}

static SECURITY_STATUS acquire_ntlm(struct osspi_context *context,
                                    const struct osspi_gss_credential *data)
{
    const char *password = data->identity->password ? data->identity->password : "";
    /* The cache that is not there keeps Kerberos out of it. */
    gss_key_value_element_desc elements[] = {{"ntlmssp_password", password},
                                             {"ccache", "MEMORY:osspi-none"}};
    const gss_key_value_set_desc store = {2, elements};
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 unused;
    SECURITY_STATUS status;

    status = osspi_gss_name_ntlm_user(data->identity, &name);
    if (status == SEC_E_OK)
        status = acquire(context, data, name, &store);
    (void)gss_release_name(&unused, &name);
    return status;
}

static SECURITY_STATUS begin_ntlm(struct osspi_context *context,
                                  const struct osspi_gss_credential *data, const char *target)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    SECURITY_STATUS status;

    OSSPI_GSS_SLOW; /* the default user may be winbind's to tell */
    status = osspi_gss_is_named(data) ? acquire_ntlm(context, data)
                                      : acquire(context, data, GSS_C_NO_NAME, GSS_C_NO_CRED_STORE);
    if (status != SEC_E_OK)
        return status;
    return osspi_gss_name_ntlm_target(target, &gc->target);
}

/* ---- the choice ---- */

/* Where NTLM may follow, Kerberos gets half of the time there is. */
static uint64_t kerberos_deadline(bool may_fall_back)
{
    const uint64_t end_ns = osspi_wait_until(OSSPI_FOREVER);
    const uint64_t now_ns = osspi_now_ns();

    if (!may_fall_back || end_ns == OSSPI_FOREVER || end_ns <= now_ns)
        return end_ns;
    return now_ns + (end_ns - now_ns) / 2;
}

static bool may_fall_back(const struct osspi_gss_credential *data, const struct osspi_leg *leg,
                          bool kerberos_possible)
{
    if (!(data->outbound & OSSPI_GSS_NTLM))
        return false;
    if (!kerberos_possible || (data->identity && data->identity->listed))
        return true;
    return !(leg->flags & (ISC_REQ_MUTUAL_AUTH | ISC_REQ_DELEGATE));
}

/* A ticket, or a status; OSSPI_WANT_BLOCKING. */
static SECURITY_STATUS try_kerberos(struct osspi_context *context, struct osspi_leg *leg,
                                    const struct osspi_gss_credential *data, bool *ret_possible)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    const bool delegates = (leg->flags & ISC_REQ_DELEGATE && leg->flags & ISC_REQ_MUTUAL_AUTH) != 0;
    struct osspi_login login = {
        .target = leg->target,
        .delegates = delegates,
        .may_wait = leg->lane == OSSPI_LANE_BLOCKING,
        .deadline_ns = kerberos_deadline(may_fall_back(data, leg, true)),
    };
    SECURITY_STATUS status;

    *ret_possible = false;
    if (!leg->target)
        return SEC_E_TARGET_UNKNOWN;
    status = osspi_login(data, context, &login);
    *ret_possible = login.possible;
    if (login.wants_network) {
        osspi_gss_lane_note(gc, login.lane_class);
        return OSSPI_WANT_BLOCKING;
    }
    gc->cache = login.cache;
    gc->server = login.server;
    /* GSSAPI asks the KDC itself for the ticket that is handed over. */
    if (status == SEC_E_OK && delegates && !login.may_wait) {
        osspi_login_end(&gc->cache, &gc->server);
        osspi_gss_lane_note(gc, login.lane_class[0] ? login.lane_class : "kdc:");
        return OSSPI_WANT_BLOCKING;
    }
    return status;
}

static bool ntlm_is_slow(const struct osspi_gss_credential *data)
{
    return osspi_gss_has_winbind() ||
           (!osspi_gss_is_named(data) && getenv("NTLM_USER_FILE") == NULL);
}

SECURITY_STATUS osspi_gss_prepare(struct osspi_context *context, struct osspi_leg *leg)
{
    const struct osspi_gss_credential *data = osspi_gss_credential(leg->credential);
    struct osspi_gss_context *gc = osspi_gss(context);
    SECURITY_STATUS status = SEC_E_NO_CREDENTIALS;
    bool possible = false;

    gc->choice = data->outbound & OSSPI_GSS_KERBEROS ? OSSPI_GSS_KERBEROS : OSSPI_GSS_NTLM;
    if (gc->choice == OSSPI_GSS_KERBEROS) {
        status = try_kerberos(context, leg, data, &possible);
        if (status == OSSPI_WANT_BLOCKING)
            return status;
        if (status == SEC_E_OK)
            return begin_kerberos(context, data, leg->target,
                                  data->facts->negotiates && may_fall_back(data, leg, true));
        if (osspi_wait_over() || !may_fall_back(data, leg, possible))
            return status;
        atomic_store_explicit(&gc->kerberos_failed, status, memory_order_relaxed);
        gc->choice = OSSPI_GSS_NTLM;
    }
    if (!(data->outbound & OSSPI_GSS_NTLM))
        return status;
    if (leg->lane == OSSPI_LANE_CPU && ntlm_is_slow(data)) {
        osspi_gss_lane_note(gc, "ntlm");
        return OSSPI_WANT_BLOCKING;
    }
    return begin_ntlm(context, data, leg->target);
}
