/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Finding a realm's servers; see kdc_find.h.
 */
#include "packages/gssapi/kdc_find.h"

#include <stdio.h>
#include <string.h>

#include "packages/gssapi/kdc_uri.h"

#define BOTH (OSSPI_KDC_UDP | OSSPI_KDC_TCP)

/* What a service is called in DNS. */
static const struct {
    const char *srv, *uri;
    uint16_t port; /* where a URI has none */
} names[] = {
    [OSSPI_KDC_TICKETS] = {"_kerberos", "_kerberos", OSSPI_KDC_PORT},
    [OSSPI_KDC_PRIMARY] = {"_kerberos-master", "_kerberos", OSSPI_KDC_PORT},
    [OSSPI_KDC_PASSWORDS] = {"_kpasswd", "_kpasswd", OSSPI_PASSWORD_PORT},
};

static void add(struct osspi_kdc_finder *finder, const union osspi_address *address,
                unsigned transports)
{
    for (unsigned transport = OSSPI_KDC_UDP; transport <= OSSPI_KDC_TCP; transport <<= 1) {
        if (transports & transport && finder->count < OSSPI_KDC_TARGETS)
            finder->targets[finder->count++] = (struct osspi_kdc_target){
                .address = *address, .transport = (enum osspi_kdc_transport)transport};
    }
}

static void take_address(void *data, const union osspi_address *address, bool found)
{
    const struct osspi_kdc_question *question = data;
    struct osspi_kdc_finder *finder = question->finder;

    if (address) {
        add(finder, address, question->transports);
        return;
    }
    finder->open--;
    if (!found)
        finder->silent = true;
}

static void ask_host(struct osspi_kdc_finder *finder, const char *host, uint16_t port,
                     unsigned transports)
{
    struct osspi_kdc_question *question;

    if (finder->question_count == OSSPI_KDC_TARGETS)
        return;
    question = &finder->questions[finder->question_count++];
    *question = (struct osspi_kdc_question){finder, transports, port};
    finder->open++;
    osspi_dns_addresses(finder->dns, host, port, take_address, question);
}

static void take_server(struct osspi_kdc_finder *finder, const struct osspi_kdc_server *server,
                        unsigned transports)
{
    union osspi_address address;

    if (osspi_kdc_list_literal(server, &address))
        add(finder, &address, transports);
    else if (finder->dns)
        ask_host(finder, server->host, server->port, transports);
    else
        finder->silent = true;
}

static void take_service(void *data, const char *host, uint16_t port, bool found)
{
    const struct osspi_kdc_question *question = data;
    struct osspi_kdc_finder *finder = question->finder;

    if (host) {
        ask_host(finder, host, port, question->transports);
        return;
    }
    finder->open--;
    if (!found)
        finder->silent = true;
}

/* Only what is a name in DNS is asked for there. */
static bool is_domain(const char *realm)
{
    return realm[0] != '\0' &&
           realm[strspn(
               realm, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")] == '\0';
}

static void ask_service(struct osspi_kdc_finder *finder, const char *protocol,
                        struct osspi_kdc_question *question, unsigned transport)
{
    char name[OSSPI_DNS_HOST_SIZE + 32];
    const int len = snprintf(name, sizeof(name), "%s.%s.%s", names[finder->service].srv, protocol,
                             finder->realm);

    if (len < 0 || (size_t)len >= sizeof(name))
        return;
    *question = (struct osspi_kdc_question){finder, transport, 0};
    finder->open++;
    osspi_dns_services(finder->dns, name, take_service, question);
}

static void ask_services(struct osspi_kdc_finder *finder)
{
    ask_service(finder, "_udp", &finder->services[0], OSSPI_KDC_UDP);
    ask_service(finder, "_tcp", &finder->services[1], OSSPI_KDC_TCP);
}

static void take_uri(void *data, const char *text, bool found)
{
    struct osspi_kdc_finder *finder = data;
    struct osspi_kdc_uri uri;

    if (text) {
        if (!osspi_kdc_uri_parse(text, names[finder->service].port, &uri))
            finder->silent = true; /* there is one, which cannot be asked */
        else if (uri.primary || finder->service != OSSPI_KDC_PRIMARY)
            take_server(finder, &uri.server, uri.transport);
        return;
    }
    if (finder->count == 0 && finder->question_count == 0 && !finder->ending)
        ask_services(finder);
    finder->open--;
    if (!found)
        finder->silent = true;
}

static void ask_uris(struct osspi_kdc_finder *finder)
{
    char name[OSSPI_DNS_HOST_SIZE + 32];
    const int len =
        snprintf(name, sizeof(name), "%s.%s", names[finder->service].uri, finder->realm);

    if (len < 0 || (size_t)len >= sizeof(name))
        return;
    finder->open++;
    osspi_dns_uris(finder->dns, name, take_uri, finder);
}

static bool has_names(const struct osspi_kdc_server *servers, size_t count)
{
    union osspi_address address;

    for (size_t i = 0; i < count; i++) {
        if (!osspi_kdc_list_literal(&servers[i], &address))
            return true;
    }
    return false;
}

/* Then its primary one is too, or nobody is. */
static bool is_configured(krb5_context k5, const char *realm)
{
    struct osspi_kdc_server servers[OSSPI_KDC_MAX];

    return osspi_kdc_list(k5, realm, OSSPI_KDC_TICKETS, servers) > 0;
}

void osspi_kdc_find(struct osspi_kdc_finder *finder, krb5_context k5, const char *realm,
                    enum osspi_kdc_service service)
{
    struct osspi_kdc_server servers[OSSPI_KDC_MAX];
    const size_t count = osspi_kdc_list(k5, realm, service, servers);
    const bool by_dns = count == 0 && is_domain(realm) && osspi_kdc_list_uses_dns(k5) &&
                        (service != OSSPI_KDC_PRIMARY || !is_configured(k5, realm));

    memset(finder, 0, sizeof(*finder));
    finder->service = service;
    finder->realm = realm;
    finder->silent = count == 0 && osspi_kdc_list_has_realm(k5, realm);
    if (by_dns || has_names(servers, count)) {
        finder->dns = osspi_dns_new();
        finder->silent |= !finder->dns;
    }
    for (size_t i = 0; i < count; i++)
        take_server(finder, &servers[i], BOTH);
    if (!by_dns || !finder->dns)
        return;
    if (osspi_kdc_list_uses_uris(k5))
        ask_uris(finder);
    else
        ask_services(finder);
}

void osspi_kdc_find_clear(struct osspi_kdc_finder *finder)
{
    finder->ending = true;
    osspi_dns_free(finder->dns); /* answers what is open */
    finder->dns = NULL;
}
