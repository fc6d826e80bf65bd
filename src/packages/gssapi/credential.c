/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Acquire; see credential.h. What reads a cache of the user's or asks a daemon happens on the
 * blocking lane. Each credential belongs to one thread until it is published.
 */
#include "packages/gssapi/credential.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "packages/gssapi/principal.h"
#include "packages/gssapi/session.h"
#include "packages/gssapi/status.h"

/* For osspi_auto(). */
static void free_k5(krb5_context *k5)
{
    if (*k5) {
        OSSPI_GSS_CALL;
        krb5_free_context(*k5);
    }
}

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

static krb5_error_code kerberos_outbound(struct osspi_gss_credential *data, krb5_context k5,
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

static bool is_other_session(const struct osspi_acquire *args)
{
    return args->logon_id && args->logon_id->LowPart != geteuid();
}

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

static SECURITY_STATUS use_session(struct osspi_gss_credential *data, krb5_context k5,
                                   struct osspi_acquire *args)
{
    krb5_ccache from = NULL;
    krb5_error_code code;
    SECURITY_STATUS status;
    uid_t user;
    int fd;

    if (!osspi_session_user(args->logon_id, &user))
        return SEC_E_NOT_OWNER;
    OSSPI_GSS_CALL;
    status = osspi_session_open(k5, user, &from, &fd);
    if (status != SEC_E_OK)
        return status;
    code = copy_session(data, k5, from, &args->expiry);
    (void)krb5_cc_close(k5, from);
    (void)close(fd);
    return code == 0 ? SEC_E_OK : osspi_gss_status_krb5(code);
}

/* The default user of NTLM: from the file that NTLM_USER_FILE names, or winbind. */
static bool ntlm_default_exists(void)
{
    gss_OID_set_desc mechanisms = {1, &osspi_gss_oid_ntlm};
    gss_cred_id_t credential = GSS_C_NO_CREDENTIAL;
    OM_uint32 minor, unused;
    bool exists;

    OSSPI_GSS_SLOW;
    exists = gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechanisms, GSS_C_INITIATE,
                              &credential, NULL, NULL) == GSS_S_COMPLETE;
    (void)gss_release_cred(&unused, &credential);
    return exists;
}

static SECURITY_STATUS acquire_outbound(struct osspi_gss_credential *data, unsigned wanted,
                                        krb5_context k5, struct osspi_acquire *args)
{
    SECURITY_STATUS status = SEC_E_NO_CREDENTIALS;

    if (is_other_session(args) && !osspi_gss_is_named(data)) {
        if (wanted & OSSPI_GSS_KERBEROS)
            status = use_session(data, k5, args);
        if (status == SEC_E_OK)
            data->outbound = OSSPI_GSS_KERBEROS;
        return status;
    }
    if (wanted & OSSPI_GSS_KERBEROS) {
        const krb5_error_code code = kerberos_outbound(data, k5, args);

        status = code == 0 ? SEC_E_OK : osspi_gss_status_krb5(code);
        if (code == 0)
            data->outbound |= OSSPI_GSS_KERBEROS;
        else if (status == SEC_E_TARGET_UNKNOWN || code == ENOMEM)
            return code == ENOMEM ? SEC_E_INSUFFICIENT_MEMORY : SEC_E_UNKNOWN_CREDENTIALS;
        else
            status = SEC_E_NO_CREDENTIALS;
    }
    if (wanted & OSSPI_GSS_NTLM && osspi_gss_has_ntlm() &&
        (osspi_gss_is_named(data) || ntlm_default_exists()))
        data->outbound |= OSSPI_GSS_NTLM;
    return data->outbound ? SEC_E_OK : status;
}

/* ---- servers ---- */

static bool keytab_has_keys(krb5_context k5)
{
    krb5_keytab keytab = NULL;
    bool has;

    OSSPI_GSS_CALL;
    has = krb5_kt_default(k5, &keytab) == 0 && krb5_kt_have_content(k5, keytab) == 0;
    if (keytab)
        (void)krb5_kt_close(k5, keytab);
    return has;
}

/* What the caller names: in the form of a principal. */
static SECURITY_STATUS set_acceptor(struct osspi_gss_credential *data, krb5_context k5,
                                    const char *name)
{
    krb5_principal principal = NULL;
    char *text = NULL;
    krb5_error_code code;

    OSSPI_GSS_CALL;
    code = osspi_principal_target(k5, name, &principal);
    if (code == 0)
        code = krb5_unparse_name(k5, principal, &text);
    if (code == 0) {
        /* "service/host@" of a host whose realm is not known: any realm of the keytab. */
        data->acceptor = osspi_strdup(text);
        krb5_free_unparsed_name(k5, text);
    }
    krb5_free_principal(k5, principal);
    if (code != 0)
        return SEC_E_UNKNOWN_CREDENTIALS;
    return data->acceptor ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static SECURITY_STATUS acquire_inbound(struct osspi_gss_credential *data, unsigned wanted,
                                       krb5_context k5, const struct osspi_acquire *args)
{
    SECURITY_STATUS status = SEC_E_OK;

    if (wanted & OSSPI_GSS_KERBEROS && keytab_has_keys(k5))
        data->inbound |= OSSPI_GSS_KERBEROS;
    if (wanted & OSSPI_GSS_NTLM && osspi_gss_has_ntlm())
        data->inbound |= OSSPI_GSS_NTLM;
    if (args->principal && data->inbound & OSSPI_GSS_KERBEROS)
        status = set_acceptor(data, k5, args->principal);
    return status == SEC_E_OK && !data->inbound ? SEC_E_NO_CREDENTIALS : status;
}

/* ---- both ---- */

static SECURITY_STATUS check(const struct osspi_gss_credential *data,
                             const struct osspi_acquire *args)
{
    uid_t user;

    if (!(args->use & SECPKG_CRED_BOTH) || args->use & SECPKG_CRED_PROCESS_POLICY_ONLY)
        return SEC_E_NO_CREDENTIALS;
    if (args->use & SECPKG_CRED_AUTOLOGON_RESTRICTED && args->use & SECPKG_CRED_OUTBOUND &&
        !osspi_gss_is_named(data))
        return SEC_E_NO_CREDENTIALS;
    if (!osspi_session_user(args->logon_id, &user) || !osspi_session_allowed(user))
        return SEC_E_NOT_OWNER;
    return SEC_E_OK;
}

static SECURITY_STATUS acquire_all(struct osspi_gss_credential *data, struct osspi_acquire *args)
{
    krb5_context k5 osspi_auto(free_k5) = NULL;
    unsigned wanted = data->facts->mechanisms;
    SECURITY_STATUS status = SEC_E_OK;

    /* A package list is Negotiate's business; the others are what they are. */
    if (data->identity && data->facts->negotiates)
        wanted &= data->identity->mechanisms;
    {
        OSSPI_GSS_CALL;
        if (krb5_init_context(&k5) != 0)
            return SEC_E_NO_AUTHENTICATING_AUTHORITY; /* the configuration cannot be read */
    }
    if (args->use & SECPKG_CRED_OUTBOUND)
        status = acquire_outbound(data, wanted, k5, args);
    if (status == SEC_E_OK && args->use & SECPKG_CRED_INBOUND)
        status = acquire_inbound(data, wanted, k5, args);
    return status;
}

SECURITY_STATUS osspi_gss_acquire(const struct osspi_gss_facts *facts,
                                  struct osspi_credential *credential, struct osspi_acquire *args)
{
    struct osspi_gss_credential *data = osspi_gss_credential(credential);
    SECURITY_STATUS status;

    data->facts = facts;
    if (args->auth) {
        data->identity = args->auth;
        args->auth = NULL;
    }
    status = check(data, args);
    if (status != SEC_E_OK)
        return status;
    if (args->lane == OSSPI_LANE_CPU && args->use & SECPKG_CRED_OUTBOUND &&
        !osspi_gss_is_named(data)) {
        data->acquire_class = "ccache";
        return OSSPI_WANT_BLOCKING;
    }
    return acquire_all(data, args);
}

static void destroy_cache(const char *name)
{
    krb5_context k5 osspi_auto(free_k5) = NULL;
    krb5_ccache cache = NULL;

    OSSPI_GSS_CALL;
    if (krb5_init_context(&k5) == 0 && krb5_cc_resolve(k5, name, &cache) == 0)
        (void)krb5_cc_destroy(k5, cache);
}

void osspi_gss_clear_credential(struct osspi_credential *credential)
{
    struct osspi_gss_credential *data = osspi_gss_credential(credential);

    if (data->store)
        destroy_cache(data->store);
    osspi_gss_capture_free(data->identity);
    osspi_free(data->client);
    osspi_free(data->source_name);
    osspi_free(data->store);
    osspi_free(data->acceptor);
}

SECURITY_STATUS osspi_gss_query_credential(struct osspi_credential *credential, uint32_t attribute,
                                           void *buffer, size_t size)
{
    const struct osspi_gss_credential *data = osspi_gss_credential(credential);
    SecPkgCredentials_NamesA *names = buffer;
    const char *name = data->client;

    if (attribute != SECPKG_CRED_ATTR_NAMES)
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (size < sizeof(*names))
        return SEC_E_BUFFER_TOO_SMALL;
    if (!name)
        name = osspi_gss_is_named(data) ? data->identity->user : data->acceptor;
    if (!name)
        return SEC_E_NO_CREDENTIALS;
    names->sUserName = osspi_context_buffer_new(strlen(name) + 1);
    if (!names->sUserName)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(names->sUserName, name, strlen(name) + 1);
    return SEC_E_OK;
}
