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
#include "packages/gssapi/server_key.h"
#include "packages/gssapi/session.h"
#include "packages/gssapi/source.h"
#include "packages/gssapi/status.h"

/* For osspi_auto(). */
static void free_k5(krb5_context *k5)
{
    if (*k5) {
        OSSPI_GSS_CALL;
        krb5_free_context(*k5);
    }
}

/* ---- clients ---- */

static bool is_other_session(const struct osspi_acquire *args)
{
    return args->logon_id && args->logon_id->LowPart != geteuid();
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

    if ((args->caller || is_other_session(args)) && !osspi_gss_is_named(data)) {
        if (wanted & OSSPI_GSS_KERBEROS)
            status = args->caller ? osspi_source_client(data, k5, args)
                                  : osspi_source_session(data, k5, args);
        if (status == SEC_E_OK)
            data->outbound = OSSPI_GSS_KERBEROS;
        return status;
    }
    if (wanted & OSSPI_GSS_KERBEROS) {
        const krb5_error_code code = osspi_source_own(data, k5, args);

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
    if (code != 0 && code != ENOMEM)
        return SEC_E_UNKNOWN_CREDENTIALS;
    return data->acceptor ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static SECURITY_STATUS acquire_inbound(struct osspi_gss_credential *data, unsigned wanted,
                                       krb5_context k5, const struct osspi_acquire *args)
{
    SECURITY_STATUS status = SEC_E_OK;

    if (wanted & OSSPI_GSS_KERBEROS && (data->keys || osspi_server_key_in_keytab(k5)))
        data->inbound |= OSSPI_GSS_KERBEROS;
    /* Who names a principal wants its clients to know whom they talk to: NTLM has no such thing. */
    if (wanted & OSSPI_GSS_NTLM && osspi_gss_has_ntlm() &&
        !(args->principal && wanted & OSSPI_GSS_KERBEROS))
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
    /* No mechanism can be nobody; and the default user is not meant. */
    if (args->use & SECPKG_CRED_OUTBOUND && data->identity && data->identity->nobody)
        return SEC_E_NO_CREDENTIALS;
    if (!osspi_session_user(args->logon_id, &user) || !osspi_session_allowed(user))
        return SEC_E_NOT_OWNER;
    if (args->caller && args->logon_id)
        return SEC_E_NOT_OWNER; /* a client who is impersonated has no say over sessions */
    return SEC_E_OK;
}

/* A package list is Negotiate's business; the others are what they are. */
static unsigned wanted_of(const struct osspi_gss_credential *data)
{
    const bool listed = data->identity && data->facts->negotiates;

    return data->facts->mechanisms & (listed ? data->identity->mechanisms : OSSPI_GSS_BOTH);
}

static SECURITY_STATUS acquire_all(struct osspi_gss_credential *data, struct osspi_acquire *args)
{
    krb5_context k5 osspi_auto(free_k5) = NULL;
    const unsigned wanted = wanted_of(data);
    SECURITY_STATUS status = SEC_E_OK;

    if (wanted & OSSPI_GSS_KERBEROS) {
        OSSPI_GSS_CALL;
        const krb5_error_code code = krb5_init_context(&k5);

        if (code != 0) /* the configuration cannot be read */
            return code == ENOMEM ? SEC_E_INSUFFICIENT_MEMORY : SEC_E_NO_CREDENTIALS;
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
    if (status == SEC_E_OK && args->lane == OSSPI_LANE_CPU && args->use & SECPKG_CRED_INBOUND &&
        wanted_of(data) & OSSPI_GSS_KERBEROS)
        status = osspi_server_key_ask(data, args);
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
    osspi_server_key_clear(data);
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
