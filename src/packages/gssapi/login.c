/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Tickets for a security context; see login.h. Looked for in this order: the credential's cache in
 * memory, the user's cache, the realm. Many legs may do so with one credential at once: each has a
 * krb5_context of its own, and of two that fetch the same ticket both keep theirs.
 */
#include "packages/gssapi/login.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "packages/gssapi/principal.h"
#include "packages/gssapi/status.h"
#include "packages/gssapi/ticket.h"

/* One attempt, with what it holds. */
struct work {
    const struct osspi_gss_credential *credential;
    krb5_context k5;
    krb5_principal client;
    krb5_principal server; /* its realm may be empty */
    krb5_ccache store;     /* the credential's */
    krb5_ccache source;    /* the user's, or NULL */
    krb5_ccache scratch;   /* of this attempt, while it fetches */
    krb5_creds ticket;     /* for the service */
};

static void end_work(struct work *work)
{
    if (!work->k5)
        return;
    OSSPI_GSS_CALL;
    krb5_free_cred_contents(work->k5, &work->ticket);
    if (work->scratch)
        (void)krb5_cc_destroy(work->k5, work->scratch);
    if (work->source)
        (void)krb5_cc_close(work->k5, work->source);
    if (work->store)
        (void)krb5_cc_close(work->k5, work->store);
    krb5_free_principal(work->k5, work->server);
    krb5_free_principal(work->k5, work->client);
    krb5_free_context(work->k5);
}

static krb5_error_code open_work(struct work *work, const char *target)
{
    const struct osspi_gss_credential *credential = work->credential;
    krb5_error_code code;

    OSSPI_GSS_SLOW; /* the user's cache may be a daemon's */
    code = krb5_init_context(&work->k5);
    if (code == 0)
        code = osspi_principal_target(work->k5, target, &work->server);
    if (code == 0)
        code = krb5_cc_resolve(work->k5, credential->store, &work->store);
    /* As the KDC calls him, if there was one that has been asked. */
    if (code == 0)
        code = krb5_cc_get_principal(work->k5, work->store, &work->client);
    if (code == 0 && credential->source == OSSPI_GSS_CACHE)
        code = krb5_cc_resolve(work->k5, credential->source_name, &work->source);
    return code;
}

/* ---- what there is ---- */

/* A ticket that is good now, of the work's client. */
static bool find(struct work *work, krb5_ccache cache, krb5_principal server, krb5_creds *ret_creds)
{
    krb5_creds wanted = {.client = work->client, .server = server};
    krb5_flags how = KRB5_TC_MATCH_TIMES | KRB5_TC_SUPPORTED_KTYPES;

    if (!cache || krb5_timeofday(work->k5, &wanted.times.endtime) != 0)
        return false;
    if (server->realm.length == 0)
        how |= KRB5_TC_MATCH_SRV_NAMEONLY;
    return krb5_cc_retrieve_cred(work->k5, cache, how, &wanted, ret_creds) == 0;
}

static bool find_ticket(struct work *work)
{
    OSSPI_GSS_SLOW;
    return find(work, work->store, work->server, &work->ticket) ||
           find(work, work->source, work->server, &work->ticket);
}

/* The client's ticket for his own realm. */
static bool find_own(struct work *work, krb5_ccache cache, krb5_creds *ret_creds)
{
    const krb5_data *realm = &work->client->realm;
    krb5_principal server = NULL;
    bool found;

    if (krb5_build_principal_ext(work->k5, &server, realm->length, realm->data, KRB5_TGS_NAME_SIZE,
                                 KRB5_TGS_NAME, realm->length, realm->data, 0) != 0)
        return false;
    found = find(work, cache, server, ret_creds);
    krb5_free_principal(work->k5, server);
    return found;
}

/* ---- what has to be fetched ---- */

static krb5_error_code make_cache(struct work *work, krb5_ccache *ret_cache)
{
    krb5_error_code code = krb5_cc_new_unique(work->k5, "MEMORY", NULL, ret_cache);

    return code == 0 ? krb5_cc_initialize(work->k5, *ret_cache, work->client) : code;
}

/* Puts the client's ticket, if there is one, where the next exchange looks for it. */
static krb5_error_code prepare_scratch(struct work *work, bool *ret_found)
{
    krb5_creds own = {0};
    krb5_error_code code;

    OSSPI_GSS_SLOW;
    code = make_cache(work, &work->scratch);
    if (code != 0)
        return code;
    *ret_found = find_own(work, work->source, &own) || find_own(work, work->store, &own);
    if (*ret_found)
        code = krb5_cc_store_cred(work->k5, work->scratch, &own);
    krb5_free_cred_contents(work->k5, &own);
    return code;
}

/* For those who come after. The cache is made anew, for it keeps the clock's difference. */
static krb5_error_code keep_own(struct work *work)
{
    krb5_creds own = {0};
    krb5_error_code code;

    OSSPI_GSS_CALL;
    if (!find_own(work, work->scratch, &own))
        return KRB5_CC_NOTFOUND;
    code = krb5_cc_initialize(work->k5, work->store, work->client);
    if (code == 0)
        code = krb5_cc_store_cred(work->k5, work->store, &own);
    krb5_free_cred_contents(work->k5, &own);
    return code;
}

/* From now on he is who the KDC says. */
static krb5_error_code take_client(struct work *work)
{
    krb5_principal client = NULL;
    krb5_error_code code;

    OSSPI_GSS_CALL;
    code = krb5_cc_get_principal(work->k5, work->scratch, &client);
    if (code == 0) {
        krb5_free_principal(work->k5, work->client);
        work->client = client;
    }
    return code;
}

/* Of a realm without a KDC, the default realm's KDC is asked. What it does not know leaves things
 * as they were. Its silence does not: somebody on the way could cause it, and have NTLM. */
static krb5_error_code ask_own_realm(struct work *work, const struct osspi_ticket_secret *secret,
                                     uint64_t deadline_ns)
{
    krb5_principal client = NULL;
    krb5_error_code code;

    {
        OSSPI_GSS_CALL;
        code = osspi_principal_enterprise(work->k5, work->client, &client);
    }
    if (code == 0)
        code = osspi_ticket_initial(work->k5, client, secret, work->scratch, deadline_ns);
    OSSPI_GSS_CALL;
    krb5_free_principal(work->k5, client);
    if (code == KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN || code == KRB5KDC_ERR_WRONG_REALM)
        code = KRB5_REALM_UNKNOWN;
    return code;
}

static krb5_error_code ask(struct work *work, const struct osspi_ticket_secret *secret,
                           uint64_t deadline_ns)
{
    krb5_error_code code =
        osspi_ticket_initial(work->k5, work->client, secret, work->scratch, deadline_ns);

    if (code == KRB5_REALM_UNKNOWN && secret->password)
        code = ask_own_realm(work, secret, deadline_ns);
    return code;
}

static krb5_error_code log_in(struct work *work, uint64_t deadline_ns)
{
    const struct osspi_gss_credential *credential = work->credential;
    struct osspi_ticket_secret secret = {0};
    krb5_error_code code = 0;

    if (credential->source == OSSPI_GSS_PASSWORD) {
        secret.password = credential->identity->password ? credential->identity->password : "";
    } else if (credential->source == OSSPI_GSS_KEYTAB) {
        OSSPI_GSS_CALL;
        code = krb5_kt_resolve(work->k5, credential->source_name, &secret.keytab);
    } else {
        code = KRB5_CC_NOTFOUND; /* the user's tickets have expired, or are gone */
    }
    if (code == 0)
        code = ask(work, &secret, deadline_ns);
    if (secret.keytab) {
        OSSPI_GSS_CALL;
        (void)krb5_kt_close(work->k5, secret.keytab);
    }
    if (code == 0)
        code = take_client(work);
    return code == 0 ? keep_own(work) : code;
}

static krb5_error_code fetch(struct work *work, uint64_t deadline_ns)
{
    bool has_own = false;
    krb5_error_code code = prepare_scratch(work, &has_own);

    if (code == 0 && !has_own)
        code = log_in(work, deadline_ns);
    if (code == 0)
        code = osspi_ticket_service(work->k5, work->client, work->server, work->scratch,
                                    deadline_ns, &work->ticket);
    if (code == 0) {
        OSSPI_GSS_CALL;
        (void)krb5_cc_store_cred(work->k5, work->store, &work->ticket);
    }
    return code;
}

/* ---- the context's cache ---- */

static krb5_error_code add_own(struct work *work, krb5_ccache cache)
{
    krb5_creds own = {0};
    krb5_error_code code = 0;

    if (find_own(work, work->store, &own) || find_own(work, work->source, &own))
        code = krb5_cc_store_cred(work->k5, cache, &own);
    krb5_free_cred_contents(work->k5, &own);
    return code;
}

static krb5_error_code name_results(struct work *work, krb5_ccache cache, struct osspi_login *login)
{
    char *name = NULL, *server = NULL;
    krb5_error_code code = krb5_cc_get_full_name(work->k5, cache, &name);

    if (code == 0)
        code = krb5_unparse_name(work->k5, work->ticket.server, &server);
    if (code == 0) {
        login->cache = osspi_strdup(name);
        login->server = osspi_strdup(server);
        if (!login->cache || !login->server) {
            osspi_free(OSSPI_TAKE(login->cache));
            osspi_free(OSSPI_TAKE(login->server));
            code = ENOMEM;
        }
    }
    krb5_free_string(work->k5, name);
    krb5_free_unparsed_name(work->k5, server);
    return code;
}

static krb5_error_code give_cache(struct work *work, struct osspi_login *login)
{
    krb5_ccache cache = NULL;
    krb5_error_code code;

    OSSPI_GSS_SLOW;
    code = make_cache(work, &cache);
    if (code == 0)
        code = krb5_cc_store_cred(work->k5, cache, &work->ticket);
    if (code == 0 && login->delegates)
        code = add_own(work, cache);
    if (code == 0)
        code = name_results(work, cache, login);
    if (cache && code == 0)
        (void)krb5_cc_close(work->k5, cache);
    else if (cache)
        (void)krb5_cc_destroy(work->k5, cache);
    return code;
}

/* Whom a wait would be for: the client's realm, which gives the first ticket, and the server's.
 * Where they differ the class is of the two together, so that neither realm's own calls wait behind
 * it. */
static void name_class(const struct work *work, struct osspi_login *login)
{
    const krb5_data *client = &work->client->realm;
    const krb5_data *server = work->server->realm.length > 0 ? &work->server->realm : client;
    const bool same =
        client->length == server->length && memcmp(client->data, server->data, client->length) == 0;

    snprintf(login->lane_class, sizeof(login->lane_class), "kdc:%.*s%s%.*s", (int)client->length,
             client->data, same ? "" : ">", same ? 0 : (int)server->length, server->data);
}

/* What a KDC has said or sent, and libkrb5 can make nothing of, is not this library's failure. */
static SECURITY_STATUS status_of(krb5_error_code code, bool asked)
{
    const SECURITY_STATUS status = osspi_gss_status_krb5(code);

    return asked && status == SEC_E_INTERNAL_ERROR ? SEC_E_NO_AUTHENTICATING_AUTHORITY : status;
}

SECURITY_STATUS osspi_login(const struct osspi_gss_credential *credential,
                            struct osspi_context *context, struct osspi_login *login)
{
    struct work work osspi_auto(end_work) = {.credential = credential};
    krb5_error_code code = open_work(&work, login->target);
    bool asked = false;

    if (code == 0 && !find_ticket(&work)) {
        name_class(&work, login);
        if (!login->may_wait) {
            login->wants_network = true;
            return SEC_E_OK;
        }
        asked = true;
        code = fetch(&work, login->deadline_ns);
    }
    if (code == 0)
        code = give_cache(&work, login);
    if (code == 0)
        return SEC_E_OK;
    login->possible =
        code != KRB5_REALM_UNKNOWN && code != KRB5_CC_NOTFOUND && code != KRB5_FCC_NOFILE;
    if (work.k5)
        osspi_gss_detail_krb5(context, work.k5, code);
    return status_of(code, asked);
}

void osspi_login_end(char **cache, char **server)
{
    krb5_context k5 = NULL;
    krb5_ccache opened = NULL;

    osspi_free(OSSPI_TAKE(*server));
    if (*cache) {
        OSSPI_GSS_CALL;
        if (krb5_init_context(&k5) == 0) {
            if (krb5_cc_resolve(k5, *cache, &opened) == 0)
                (void)krb5_cc_destroy(k5, opened);
            krb5_free_context(k5);
        }
        osspi_free(OSSPI_TAKE(*cache));
    }
}
