/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Servers of a realm by configuration; see kdc_list.h.
 */
#include "packages/gssapi/kdc_list.h"

#include <arpa/inet.h>
#include <profile.h>
#include <string.h>

#include "packages/gssapi/foreign.h"

#define DATAGRAM_LIMIT 1465 /* as libkrb5 has it */

static bool parse_port(const char *text, uint16_t *ret_port)
{
    uint32_t port = 0;

    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = port * 10 + (uint32_t)(*text - '0');
        if (port > UINT16_MAX)
            return false;
    }
    *ret_port = (uint16_t)port;
    return port != 0;
}

static bool take_host(const char *text, size_t len, struct osspi_kdc_server *server)
{
    if (len == 0 || len >= sizeof(server->host))
        return false;
    memcpy(server->host, text, len);
    server->host[len] = '\0';
    return true;
}

bool osspi_kdc_list_parse(const char *text, uint16_t port, struct osspi_kdc_server *ret_server)
{
    const char *colon = strchr(text, ':');
    const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;

    ret_server->port = port;
    if (strchr(text, '/'))
        return false; /* a URL */
    if (bracket)
        return take_host(text + 1, (size_t)(bracket - text) - 1, ret_server) &&
               (bracket[1] == '\0' ||
                (bracket[1] == ':' && parse_port(bracket + 2, &ret_server->port)));
    if (!colon || strchr(colon + 1, ':')) /* several: an IPv6 address */
        return take_host(text, strlen(text), ret_server);
    return take_host(text, (size_t)(colon - text), ret_server) &&
           parse_port(colon + 1, &ret_server->port);
}

bool osspi_kdc_list_literal(const struct osspi_kdc_server *server, union osspi_address *ret_address)
{
    memset(ret_address, 0, sizeof(*ret_address));
    if (inet_pton(AF_INET, server->host, &ret_address->v4.sin_addr) == 1) {
        ret_address->v4.sin_family = AF_INET;
        ret_address->v4.sin_port = htons(server->port);
        return true;
    }
    if (inet_pton(AF_INET6, server->host, &ret_address->v6.sin6_addr) == 1) {
        ret_address->v6.sin6_family = AF_INET6;
        ret_address->v6.sin6_port = htons(server->port);
        return true;
    }
    return false;
}

/* Where the servers of a service stand in the configuration, in the order of their worth. */
struct place {
    enum osspi_kdc_service service;
    const char *key;
    uint16_t port;
    bool port_is_fixed; /* the one that stands there is another service's */
};

static const struct place places[] = {
    {OSSPI_KDC_TICKETS, "kdc", OSSPI_KDC_PORT, false},
    {OSSPI_KDC_PRIMARY, "primary_kdc", OSSPI_KDC_PORT, false},
    {OSSPI_KDC_PRIMARY, "master_kdc", OSSPI_KDC_PORT, false}, /* its older name */
    {OSSPI_KDC_PASSWORDS, "kpasswd_server", OSSPI_PASSWORD_PORT, false},
    {OSSPI_KDC_PASSWORDS, "admin_server", OSSPI_PASSWORD_PORT, true},
};

static size_t read_place(struct _profile_t *profile, const char *realm, const struct place *place,
                         struct osspi_kdc_server servers[OSSPI_KDC_MAX])
{
    const char *const names[] = {"realms", realm, place->key, NULL};
    char **values = NULL;
    size_t count = 0;

    if (profile_get_values(profile, names, &values) != 0)
        return 0;
    for (char **at = values; *at && count < OSSPI_KDC_MAX; at++) {
        if (!osspi_kdc_list_parse(*at, place->port, &servers[count]))
            continue;
        if (place->port_is_fixed)
            servers[count].port = place->port;
        count++;
    }
    profile_free_list(values);
    return count;
}

size_t osspi_kdc_list(krb5_context k5, const char *realm, enum osspi_kdc_service service,
                      struct osspi_kdc_server servers[OSSPI_KDC_MAX])
{
    struct _profile_t *profile = NULL;
    size_t count = 0;

    OSSPI_GSS_CALL;
    if (krb5_get_profile(k5, &profile) != 0)
        return 0;
    for (size_t i = 0; i < OSSPI_COUNT_OF(places) && count == 0; i++) {
        if (places[i].service == service)
            count = read_place(profile, realm, &places[i], servers);
    }
    profile_release(profile);
    return count;
}

bool osspi_kdc_list_has_realm(krb5_context k5, const char *realm)
{
    const char *const names[] = {"realms", realm, "kdc", NULL};
    struct _profile_t *profile = NULL;
    char **values = NULL;
    bool has;

    OSSPI_GSS_CALL;
    if (krb5_get_profile(k5, &profile) != 0)
        return false;
    has = profile_get_values(profile, names, &values) == 0;
    if (has)
        profile_free_list(values);
    profile_release(profile);
    return has;
}

bool osspi_kdc_list_uses_dns(krb5_context k5)
{
    struct _profile_t *profile = NULL;
    int fallback = 1, uses = 1;

    OSSPI_GSS_CALL;
    if (krb5_get_profile(k5, &profile) != 0)
        return false;
    (void)profile_get_boolean(profile, "libdefaults", "dns_fallback", NULL, 1, &fallback);
    (void)profile_get_boolean(profile, "libdefaults", "dns_lookup_kdc", NULL, fallback, &uses);
    profile_release(profile);
    return uses != 0;
}

bool osspi_kdc_list_uses_uris(krb5_context k5)
{
    struct _profile_t *profile = NULL;
    int uses = 1;

    OSSPI_GSS_CALL;
    if (krb5_get_profile(k5, &profile) != 0)
        return false;
    (void)profile_get_boolean(profile, "libdefaults", "dns_uri_lookup", NULL, 1, &uses);
    profile_release(profile);
    return uses != 0;
}

size_t osspi_kdc_list_datagram(krb5_context k5)
{
    struct _profile_t *profile = NULL;
    int limit = DATAGRAM_LIMIT;

    OSSPI_GSS_CALL;
    if (krb5_get_profile(k5, &profile) != 0)
        return DATAGRAM_LIMIT;
    (void)profile_get_integer(profile, "libdefaults", "udp_preference_limit", NULL, DATAGRAM_LIMIT,
                              &limit);
    profile_release(profile);
    return limit > 0 ? (size_t)limit : 0;
}
