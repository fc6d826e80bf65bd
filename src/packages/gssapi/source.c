/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Where a client's tickets come from; see source.h. What reads a cache of the user's may ask a
 * daemon. Each credential belongs to one thread until it is published.
 */
#include "packages/gssapi/source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "packages/gssapi/principal.h"
#include "packages/gssapi/session.h"
#include "packages/gssapi/status.h"
#include "packages/gssapi/token.h"

/* ---- names ---- */

static krb5_error_code set_client(struct osspi_gss_credential *data, krb5_context k5,
                                  krb5_const_principal client)
{
    char *name = NULL;
    krb5_error_code code = krb5_unparse_name(k5, client, &name);

    if (code == 0) {
        data->client = osspi_strdup(name);
        krb5_free_unparsed_name(k5, name);
    }
    return code == 0 && !data->client ? ENOMEM : code;
}

/* ---- the cache of tickets that everybody has ---- */

/* When its ticket for the client's own realm ends; 0: there is none. */
static krb5_timestamp end_of_ticket(krb5_context k5, krb5_ccache cache, krb5_principal client)
{
    krb5_creds wanted = {.client = client}, found = {0};
    krb5_timestamp end = 0;

    if (krb5_build_principal_ext(k5, &wanted.server, client->realm.length, client->realm.data,
                                 KRB5_TGS_NAME_SIZE, KRB5_TGS_NAME, client->realm.length,
                                 client->realm.data, 0) != 0)
        return 0;
    if (krb5_cc_retrieve_cred(k5, cache, 0, &wanted, &found) == 0) {
        end = found.times.endtime;
        krb5_free_cred_contents(k5, &found);
    }
    krb5_free_principal(k5, wanted.server);
    return end;
}

/* The default cache, or of several the one of that principal. */
static krb5_error_code open_cache(krb5_context k5, const char *principal, krb5_ccache *ret_cache)
{
    krb5_principal wanted = NULL;
    krb5_error_code code;

    if (!principal)
        return krb5_cc_default(k5, ret_cache);
    code = krb5_parse_name(k5, principal, &wanted);
    if (code == 0)
        code = krb5_cc_cache_match(k5, wanted, ret_cache);
    krb5_free_principal(k5, wanted);
    return code;
}

static krb5_error_code take_cache(struct osspi_gss_credential *data, krb5_context k5,
                                  krb5_ccache cache, TimeStamp *ret_expiry)
{
    krb5_principal client = NULL;
    krb5_timestamp end;
    char *name = NULL;
    krb5_error_code code = krb5_cc_get_principal(k5, cache, &client);

    if (code == 0)
        code = set_client(data, k5, client);
    if (code == 0)
        code = krb5_cc_get_full_name(k5, cache, &name);
    if (code == 0) {
        data->source_name = osspi_strdup(name);
        data->source = OSSPI_GSS_CACHE;
        end = end_of_ticket(k5, cache, client);
        if (end != 0) /* a 32-bit number that goes on to 2106 */
            ret_expiry->QuadPart = (LONGLONG)osspi_local_filetime_from_unix((uint32_t)end);
        krb5_free_string(k5, name);
    }
    krb5_free_principal(k5, client);
    return code;
}

static krb5_error_code use_cache(struct osspi_gss_credential *data, krb5_context k5,
                                 const char *principal, TimeStamp *ret_expiry)
{
    krb5_ccache cache = NULL;
    krb5_error_code code = open_cache(k5, principal, &cache);

    if (code == 0) {
        code = take_cache(data, k5, cache, ret_expiry);
        (void)krb5_cc_close(k5, cache);
    }
    return code;
}

/* ---- the client's keytab ---- */

static krb5_error_code first_principal(krb5_context k5, krb5_keytab keytab,
                                       krb5_principal *ret_principal)
{
    krb5_kt_cursor cursor;
    krb5_keytab_entry entry = {0};
    krb5_error_code code = krb5_kt_start_seq_get(k5, keytab, &cursor);

    if (code != 0)
        return code;
    code = krb5_kt_next_entry(k5, keytab, &entry, &cursor);
    if (code == 0) {
        code = krb5_copy_principal(k5, entry.principal, ret_principal);
        (void)krb5_free_keytab_entry_contents(k5, &entry);
    }
    (void)krb5_kt_end_seq_get(k5, keytab, &cursor);
    return code;
}

/* The principal that was named, if the keytab has a key of it, else its first. */
static krb5_error_code choose_principal(krb5_context k5, krb5_keytab keytab, const char *name,
                                        krb5_principal *ret_principal)
{
    krb5_keytab_entry entry = {0};
    krb5_error_code code;

    if (!name)
        return first_principal(k5, keytab, ret_principal);
    code = krb5_parse_name(k5, name, ret_principal);
    if (code == 0)
        code = krb5_kt_get_entry(k5, keytab, *ret_principal, 0, 0, &entry);
    if (code == 0)
        (void)krb5_free_keytab_entry_contents(k5, &entry);
    return code;
}

static krb5_error_code use_client_keytab(struct osspi_gss_credential *data, krb5_context k5,
                                         const char *principal)
{
    char name[MAX_KEYTAB_NAME_LEN + 1];
    krb5_keytab keytab = NULL;
    krb5_principal client = NULL;
    krb5_error_code code = krb5_kt_client_default(k5, &keytab);

    if (code == 0)
        code = krb5_kt_get_name(k5, keytab, name, sizeof(name));
    if (code == 0)
        code = choose_principal(k5, keytab, principal, &client);
    if (code == 0)
        code = set_client(data, k5, client);
    if (code == 0) {
        data->source_name = osspi_strdup(name);
        data->source = OSSPI_GSS_KEYTAB;
    }
    krb5_free_principal(k5, client);
    if (keytab)
        (void)krb5_kt_close(k5, keytab);
    return code;
}

/* ---- clients ---- */

static krb5_error_code use_password(struct osspi_gss_credential *data, krb5_context k5)
{
    krb5_principal client = NULL;
    krb5_error_code code = osspi_principal_user(k5, data->identity, &client);

    if (code == 0)
        code = set_client(data, k5, client);
    if (code == 0)
        data->source = OSSPI_GSS_PASSWORD;
    krb5_free_principal(k5, client);
    return code;
}

static krb5_error_code make_store(struct osspi_gss_credential *data, krb5_context k5)
{
    krb5_principal client = NULL;
    krb5_ccache cache = NULL;
    char *name = NULL;
    krb5_error_code code = krb5_parse_name(k5, data->client, &client);

    if (code == 0)
        code = krb5_cc_new_unique(k5, "MEMORY", NULL, &cache);
    if (code == 0)
        code = krb5_cc_initialize(k5, cache, client);
    if (code == 0)
        code = krb5_cc_get_full_name(k5, cache, &name);
    if (code == 0)
        data->store = osspi_strdup(name);
    if (code == 0 && !data->store)
        code = ENOMEM;
    if (cache && code == 0)
        (void)krb5_cc_close(k5, cache); /* what is in memory stays until it is destroyed */
    else if (cache)
        (void)krb5_cc_destroy(k5, cache);
    krb5_free_string(k5, name);
    krb5_free_principal(k5, client);
    return code;
}

krb5_error_code osspi_source_own(struct osspi_gss_credential *data, krb5_context k5,
                                 struct osspi_acquire *args)
{
    krb5_error_code code, second;

    OSSPI_GSS_SLOW; /* the cache may be a daemon's */
    if (osspi_gss_is_named(data)) {
        code = use_password(data, k5);
    } else {
        code = use_cache(data, k5, args->principal, &args->expiry);
        if (code != 0) {
            second = use_client_keytab(data, k5, args->principal);
            code = second == 0 ? 0 : code;
        }
    }
    if (code == 0)
        code = make_store(data, k5);
    return code;
}

/* ---- another user's tickets ---- */

/* As they are now: what he gets later is not looked for. */
static krb5_error_code copy_session(struct osspi_gss_credential *data, krb5_context k5,
                                    krb5_ccache from, TimeStamp *ret_expiry)
{
    krb5_ccache store = NULL;
    krb5_error_code code = take_cache(data, k5, from, ret_expiry);

    osspi_free(OSSPI_TAKE(data->source_name)); /* a descriptor that is closed soon */
    data->source = OSSPI_GSS_SESSION;
    if (code == 0)
        code = make_store(data, k5);
    if (code == 0)
        code = krb5_cc_resolve(k5, data->store, &store);
    if (code == 0)
        code = krb5_cc_copy_creds(k5, from, store);
    if (store)
        (void)krb5_cc_close(k5, store);
    return code;
}

SECURITY_STATUS osspi_source_session(struct osspi_gss_credential *data, krb5_context k5,
                                     struct osspi_acquire *args)
{
    krb5_ccache from = NULL;
    krb5_error_code code;
    SECURITY_STATUS status;
    uid_t user;
    int fd;

    if (!osspi_session_user(args->logon_id, &user))
        return SEC_E_NOT_OWNER;
    OSSPI_GSS_SLOW; /* who he is may be a directory's to tell, and his file another machine's */
    status = osspi_session_open(k5, user, &from, &fd);
    if (status != SEC_E_OK)
        return status;
    code = copy_session(data, k5, from, &args->expiry);
    (void)krb5_cc_close(k5, from);
    (void)close(fd);
    return code == 0 ? SEC_E_OK : osspi_gss_status_krb5(code);
}

/* ---- a client who is impersonated ---- */

/* Whom the caller names, if he names anybody, has to be the one whose tickets these are. */
static krb5_error_code check_client(krb5_context k5, krb5_ccache cache, const char *name)
{
    krb5_principal wanted = NULL, client = NULL;
    krb5_error_code code;

    if (!name)
        return 0;
    code = krb5_parse_name(k5, name, &wanted);
    if (code == 0)
        code = krb5_cc_get_principal(k5, cache, &client);
    if (code == 0 && !krb5_principal_compare(k5, wanted, client))
        code = KRB5_CC_NOTFOUND;
    krb5_free_principal(k5, client);
    krb5_free_principal(k5, wanted);
    return code;
}

SECURITY_STATUS osspi_source_client(struct osspi_gss_credential *data, krb5_context k5,
                                    struct osspi_acquire *args)
{
    const char *name = osspi_gss_token_store(args->caller);
    krb5_ccache from = NULL;
    krb5_error_code code;

    if (!name)
        return SEC_E_NO_CREDENTIALS;
    OSSPI_GSS_CALL;
    code = krb5_cc_resolve(k5, name, &from);
    if (code == 0)
        code = check_client(k5, from, args->principal);
    if (code == 0)
        code = copy_session(data, k5, from, &args->expiry);
    if (from)
        (void)krb5_cc_close(k5, from);
    if (code == KRB5_PARSE_MALFORMED)
        return SEC_E_UNKNOWN_CREDENTIALS;
    return code == 0 ? SEC_E_OK : osspi_gss_status_krb5(code);
}
