/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Principals of Kerberos; see principal.h.
 */
#include "packages/gssapi/principal.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "packages/gssapi/kdc_list.h"

static void to_lower(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] - 'A' + 'a');
    }
}

static void to_upper(char *text)
{
    for (; *text; text++) {
        if (*text >= 'a' && *text <= 'z')
            *text = (char)(*text - 'a' + 'A');
    }
}

/* ---- targets ---- */

/* "service@host" as "service/host"; anything else as it is. */
static char *without_gss_form(const char *target)
{
    char *copy = osspi_strdup(target);
    char *at = copy ? strchr(copy, '@') : NULL;

    if (at && !strchr(copy, '/'))
        *at = '/';
    return copy;
}

/* The realm of the host in the second part of a name, or an empty one. */
static krb5_error_code realm_of_host(krb5_context k5, krb5_principal principal)
{
    const krb5_data *name =
        krb5_princ_size(k5, principal) >= 2 ? krb5_princ_component(k5, principal, 1) : NULL;
    char *host osspi_auto(osspi_freep) = name ? osspi_alloc((size_t)name->length + 1) : NULL;
    char **realms = NULL;
    krb5_error_code code;

    if (!name)
        return krb5_set_principal_realm(k5, principal, "");
    if (!host)
        return ENOMEM;
    memcpy(host, name->data, name->length);
    host[strcspn(host, ":")] = '\0';
    code = krb5_get_host_realm(k5, host, &realms);
    if (code == 0)
        code = krb5_set_principal_realm(k5, principal, realms && realms[0] ? realms[0] : "");
    if (realms)
        (void)krb5_free_host_realm(k5, realms);
    return code;
}

krb5_error_code osspi_principal_target(krb5_context k5, const char *target,
                                       krb5_principal *ret_principal)
{
    char *text osspi_auto(osspi_freep) = without_gss_form(target);
    krb5_error_code code;

    if (!text)
        return ENOMEM;
    code = krb5_parse_name_flags(k5, text, KRB5_PRINCIPAL_PARSE_IGNORE_REALM, ret_principal);
    if (code != 0)
        return KRB5_PARSE_MALFORMED;
    krb5_free_principal(k5, *ret_principal);
    *ret_principal = NULL;
    code = krb5_parse_name_flags(k5, text, KRB5_PRINCIPAL_PARSE_REQUIRE_REALM, ret_principal);
    if (code != 0) {
        code = krb5_parse_name_flags(k5, text, KRB5_PRINCIPAL_PARSE_NO_REALM, ret_principal);
        if (code == 0)
            code = realm_of_host(k5, *ret_principal);
    }
    if (code == 0 && krb5_princ_size(k5, *ret_principal) == 2) {
        krb5_data *host = krb5_princ_component(k5, *ret_principal, 1);

        to_lower(host->data, host->length); /* as everybody does who asks for hosts */
    }
    if (code != 0) {
        krb5_free_principal(k5, *ret_principal);
        *ret_principal = NULL;
    }
    return code;
}

/* ---- users ---- */

static bool is_configured(krb5_context k5, const char *realm)
{
    struct osspi_kdc_server servers[OSSPI_KDC_MAX];

    return osspi_kdc_list(k5, realm, OSSPI_KDC_TICKETS, servers) > 0;
}

/* Is a domain's short name the beginning of the realm? */
static bool is_short_of(const char *domain, const char *realm)
{
    const size_t len = strlen(domain);

    return !strchr(domain, '.') && strncasecmp(domain, realm, len) == 0 && realm[len] == '.';
}

/* Realms are written in capitals; one that is configured otherwise is meant as it stands there. */
static krb5_error_code set_realm(krb5_context k5, const char *domain, krb5_principal principal)
{
    char *realm osspi_auto(osspi_freep) = osspi_strdup(domain);
    char *own = NULL;
    krb5_error_code code;

    if (!realm)
        return ENOMEM;
    if (!is_configured(k5, realm))
        to_upper(realm);
    if (krb5_get_default_realm(k5, &own) == 0 && is_short_of(domain, own) &&
        !is_configured(k5, realm))
        code = krb5_set_principal_realm(k5, principal, own);
    else
        code = krb5_set_principal_realm(k5, principal, realm);
    krb5_free_default_realm(k5, own);
    return code;
}

static krb5_error_code set_default_realm(krb5_context k5, krb5_principal principal)
{
    char *own = NULL;
    krb5_error_code code = krb5_get_default_realm(k5, &own);

    if (code == 0)
        code = krb5_set_principal_realm(k5, principal, own);
    krb5_free_default_realm(k5, own);
    return code;
}

krb5_error_code osspi_principal_user(krb5_context k5, const struct osspi_gss_identity *identity,
                                     krb5_principal *ret_principal)
{
    char *user osspi_auto(osspi_freep) = osspi_strdup(identity->user ? identity->user : "");
    char *at = user ? strrchr(user, '@') : NULL;
    const char *domain = identity->domain && identity->domain[0] ? identity->domain : NULL;
    krb5_error_code code;

    *ret_principal = NULL;
    if (!user)
        return ENOMEM;
    if (at && !domain) {
        *at = '\0';
        domain = at + 1;
    }
    if (user[0] == '\0')
        return KRB5_PARSE_MALFORMED;
    code = krb5_parse_name_flags(k5, user, KRB5_PRINCIPAL_PARSE_NO_REALM, ret_principal);
    if (code != 0)
        return KRB5_PARSE_MALFORMED;
    code = domain ? set_realm(k5, domain, *ret_principal) : set_default_realm(k5, *ret_principal);
    if (code != 0) {
        krb5_free_principal(k5, *ret_principal);
        *ret_principal = NULL;
    }
    return code;
}

krb5_error_code osspi_principal_enterprise(krb5_context k5, krb5_const_principal client,
                                           krb5_principal *ret_principal)
{
    char *own = NULL, *name = NULL;
    krb5_error_code code;

    *ret_principal = NULL;
    if (client->length != 1 || krb5_get_default_realm(k5, &own) != 0)
        return KRB5_REALM_UNKNOWN;
    code = krb5_unparse_name_flags(k5, client, KRB5_PRINCIPAL_UNPARSE_DISPLAY, &name);
    if (code == 0 && client->realm.length == strlen(own) &&
        memcmp(client->realm.data, own, client->realm.length) == 0)
        code = KRB5_REALM_UNKNOWN;
    if (code == 0)
        code =
            krb5_build_principal(k5, ret_principal, (unsigned)strlen(own), own, name, (char *)NULL);
    if (code == 0)
        (*ret_principal)->type = KRB5_NT_ENTERPRISE_PRINCIPAL;
    krb5_free_unparsed_name(k5, name);
    krb5_free_default_realm(k5, own);
    return code;
}
