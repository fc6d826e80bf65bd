/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The loops around krb5_init_creds_step() and krb5_tkt_creds_step(); see ticket.h.
 */
#include "packages/gssapi/ticket.h"

#include <errno.h>
#include <string.h>

#include "packages/gssapi/foreign.h"
#include "packages/gssapi/kdc.h"

#define MAX_STEPS        32u /* more than preauthentication and a long path of realms need */
#define PASSWORD_SERVICE "kadmin/changepw"
#define PASSWORD_LIFE_S  300 /* of a ticket that is for a change of password */

/* What both kinds of steps have in common. */
struct steps {
    krb5_context k5;
    krb5_init_creds_context initial; /* one of the two */
    krb5_tkt_creds_context service;
    uint64_t deadline_ns;
    enum osspi_kdc_service kdcs;
    const union osspi_address *asked; /* of these KDCs, or NULL; see kdc.h */
    union osspi_address from;         /* who has answered last */
    krb5_data request;
    krb5_data realm;
    struct osspi_kdc_reply reply;
    bool tcp;
    bool more;
};

static void free_message(struct steps *steps)
{
    krb5_free_data_contents(steps->k5, &steps->request);
    krb5_free_data_contents(steps->k5, &steps->realm);
}

/* Gives the library the last answer, and takes its next request. */
static krb5_error_code step(struct steps *steps)
{
    krb5_data in = {.length = (unsigned)steps->reply.len, .data = (char *)steps->reply.bytes};
    unsigned flags = 0;
    krb5_error_code code;

    OSSPI_GSS_CALL;
    free_message(steps);
    if (steps->initial)
        code = krb5_init_creds_step(steps->k5, steps->initial, &in, &steps->request, &steps->realm,
                                    &flags);
    else
        code = krb5_tkt_creds_step(steps->k5, steps->service, &in, &steps->request, &steps->realm,
                                   &flags);
    _Static_assert(KRB5_INIT_CREDS_STEP_FLAG_CONTINUE == KRB5_TKT_CREDS_STEP_FLAG_CONTINUE,
                   "one flag for both");
    osspi_free(OSSPI_TAKE(steps->reply.bytes));
    steps->reply.len = 0;
    steps->more = (flags & KRB5_INIT_CREDS_STEP_FLAG_CONTINUE) != 0;
    /* The same request once more, over a stream. */
    if (code == KRB5KRB_ERR_RESPONSE_TOO_BIG && steps->request.length > 0 && !steps->tcp) {
        steps->tcp = true;
        steps->more = true;
        return 0;
    }
    steps->tcp = false;
    return code;
}

static krb5_error_code exchange(struct steps *steps)
{
    char *realm osspi_auto(osspi_freep) = osspi_alloc((size_t)steps->realm.length + 1);
    const struct osspi_kdc_request request = {
        .k5 = steps->k5,
        .realm = realm,
        .service = steps->kdcs,
        .asked = steps->asked,
        .bytes = (const uint8_t *)steps->request.data,
        .len = steps->request.length,
        .tcp = steps->tcp,
        .deadline_ns = steps->deadline_ns,
    };
    krb5_error_code code;

    if (!realm)
        return ENOMEM;
    if (steps->realm.length > 0)
        memcpy(realm, steps->realm.data, steps->realm.length);
    code = osspi_kdc_exchange(&request, &steps->reply);
    steps->from = steps->reply.from;
    if (code != 0) {
        OSSPI_GSS_CALL;
        krb5_set_error_message(steps->k5, code, "No KDC of realm %.64s: %s", realm,
                               code == KRB5_KDC_UNREACH ? "none has answered" : "none is known");
    }
    return code;
}

static krb5_error_code run(struct steps *steps)
{
    krb5_error_code code = 0;

    for (unsigned i = 0; i < MAX_STEPS && code == 0; i++) {
        code = step(steps);
        if (code != 0 || !steps->more)
            break;
        code = i + 1 < MAX_STEPS ? exchange(steps) : KRB5_GET_IN_TKT_LOOP;
    }
    {
        OSSPI_GSS_CALL;
        free_message(steps);
    }
    osspi_free(OSSPI_TAKE(steps->reply.bytes));
    return code;
}

/* ---- the client's own ticket ---- */

static krb5_error_code set_secret(krb5_context k5, krb5_init_creds_context initial,
                                  const struct osspi_ticket_secret *secret)
{
    return secret->keytab ? krb5_init_creds_set_keytab(k5, initial, secret->keytab)
                          : krb5_init_creds_set_password(k5, initial, secret->password);
}

static krb5_error_code begin_initial(struct steps *steps, krb5_principal client,
                                     const struct osspi_ticket_secret *secret,
                                     krb5_get_init_creds_opt **ret_options)
{
    krb5_error_code code;

    OSSPI_GSS_CALL;
    code = krb5_get_init_creds_opt_alloc(steps->k5, ret_options);
    /* As on Windows: whether it is handed on is for the caller of a leg to say. */
    if (code == 0)
        krb5_get_init_creds_opt_set_forwardable(*ret_options, 1);
    /* Also as there: of a user's names the KDC tells the one that counts (RFC 6806). */
    if (code == 0)
        krb5_get_init_creds_opt_set_canonicalize(*ret_options, 1);
    if (code == 0)
        code =
            krb5_init_creds_init(steps->k5, client, NULL, NULL, 0, *ret_options, &steps->initial);
    if (code == 0)
        code = set_secret(steps->k5, steps->initial, secret);
    return code;
}

static krb5_error_code store_initial(const struct steps *steps, krb5_ccache cache)
{
    krb5_creds creds = {0};
    krb5_error_code code;

    OSSPI_GSS_CALL;
    code = krb5_init_creds_get_creds(steps->k5, steps->initial, &creds);
    /* Anew: a cache remembers how far the clock is off from when it was made. */
    if (code == 0)
        code = krb5_cc_initialize(steps->k5, cache, creds.client);
    if (code == 0)
        code = krb5_cc_store_cred(steps->k5, cache, &creds);
    krb5_free_cred_contents(steps->k5, &creds);
    return code;
}

static krb5_error_code log_in(struct steps *steps, krb5_principal client,
                              const struct osspi_ticket_secret *secret, krb5_ccache cache)
{
    krb5_get_init_creds_opt *options = NULL;
    krb5_error_code code = begin_initial(steps, client, secret, &options);

    if (code == 0)
        code = run(steps);
    if (code == 0)
        code = store_initial(steps, cache);
    OSSPI_GSS_CALL;
    if (steps->initial)
        krb5_init_creds_free(steps->k5, steps->initial);
    krb5_get_init_creds_opt_free(steps->k5, options);
    return code;
}

/* Might a KDC say so because it has not heard yet of a change? */
static bool may_be_old(krb5_error_code code)
{
    static const krb5_error_code codes[] = {
        KRB5KDC_ERR_PREAUTH_FAILED, KRB5KRB_AP_ERR_BAD_INTEGRITY, KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN,
        KRB5KDC_ERR_KEY_EXP,        KRB5KDC_ERR_CLIENT_REVOKED,   KRB5_PREAUTH_FAILED,
    };

    for (size_t i = 0; i < OSSPI_COUNT_OF(codes); i++) {
        if (codes[i] == code)
            return true;
    }
    return false;
}

static bool nobody_answered(krb5_error_code code)
{
    return code == KRB5_KDC_UNREACH || code == KRB5_REALM_UNKNOWN ||
           code == KRB5_REALM_CANT_RESOLVE;
}

krb5_error_code osspi_ticket_initial(krb5_context k5, krb5_principal client,
                                     const struct osspi_ticket_secret *secret, krb5_ccache cache,
                                     uint64_t deadline_ns)
{
    struct steps first = {.k5 = k5, .deadline_ns = deadline_ns};
    struct steps second = {
        .k5 = k5, .deadline_ns = deadline_ns, .kdcs = OSSPI_KDC_PRIMARY, .asked = &first.from};
    krb5_error_code code = log_in(&first, client, secret, cache), of_primary;

    if (!may_be_old(code))
        return code;
    /* Asked once only: each wrong password may count against the user. */
    of_primary = log_in(&second, client, secret, cache);
    return nobody_answered(of_primary) ? code : of_primary;
}

/* ---- the same for a change of password ---- */

static krb5_error_code begin_password(struct steps *steps, krb5_principal client,
                                      const char *password, krb5_get_init_creds_opt **ret_options)
{
    krb5_error_code code;

    OSSPI_GSS_CALL;
    code = krb5_get_init_creds_opt_alloc(steps->k5, ret_options);
    if (code != 0)
        return code;
    /* Whatever the configuration wants of tickets: it is used once, from here. */
    krb5_get_init_creds_opt_set_tkt_life(*ret_options, PASSWORD_LIFE_S);
    krb5_get_init_creds_opt_set_renew_life(*ret_options, 0);
    krb5_get_init_creds_opt_set_forwardable(*ret_options, 0);
    krb5_get_init_creds_opt_set_proxiable(*ret_options, 0);
    code = krb5_init_creds_init(steps->k5, client, NULL, NULL, 0, *ret_options, &steps->initial);
    if (code == 0)
        code = krb5_init_creds_set_service(steps->k5, steps->initial, PASSWORD_SERVICE);
    if (code == 0)
        code = krb5_init_creds_set_password(steps->k5, steps->initial, password);
    return code;
}

krb5_error_code osspi_ticket_password(krb5_context k5, krb5_principal client, const char *password,
                                      uint64_t deadline_ns, krb5_creds *ret_creds)
{
    struct steps steps = {.k5 = k5, .deadline_ns = deadline_ns};
    krb5_get_init_creds_opt *options = NULL;
    krb5_error_code code = begin_password(&steps, client, password, &options);

    if (code == 0)
        code = run(&steps);
    OSSPI_GSS_CALL;
    if (code == 0)
        code = krb5_init_creds_get_creds(k5, steps.initial, ret_creds);
    if (steps.initial)
        krb5_init_creds_free(k5, steps.initial);
    krb5_get_init_creds_opt_free(k5, options);
    return code;
}

/* ---- a service's ---- */

static krb5_error_code begin_service(struct steps *steps, krb5_principal client,
                                     krb5_principal server, krb5_ccache cache)
{
    krb5_creds wanted = {.client = client, .server = server};

    OSSPI_GSS_CALL;
    return krb5_tkt_creds_init(steps->k5, cache, &wanted, 0, &steps->service);
}

krb5_error_code osspi_ticket_service(krb5_context k5, krb5_principal client, krb5_principal server,
                                     krb5_ccache cache, uint64_t deadline_ns, krb5_creds *ret_creds)
{
    struct steps steps = {.k5 = k5, .deadline_ns = deadline_ns};
    krb5_error_code code = begin_service(&steps, client, server, cache);

    if (code == 0)
        code = run(&steps);
    OSSPI_GSS_CALL;
    if (code == 0)
        code = krb5_tkt_creds_get_creds(k5, steps.service, ret_creds);
    if (steps.service)
        krb5_tkt_creds_free(k5, steps.service);
    return code;
}
