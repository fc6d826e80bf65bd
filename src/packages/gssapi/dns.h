/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Names of hosts and services, looked up without blocking, over c-ares.
 *
 * A resolver belongs to one thread. It has sockets to be watched beside those of whoever asks, and
 * answers in callbacks made by osspi_dns_work(), or at once by the functions that ask; each
 * question is answered exactly once, at the latest when the resolver is freed.
 */
#ifndef OSSPI_GSSAPI_DNS_H
#define OSSPI_GSSAPI_DNS_H

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OSSPI_DNS_HOST_SIZE 256u
#define OSSPI_DNS_FDS       16u

struct osspi_dns;

union osspi_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/** One address of a host; count calls, then one with NULL that ends it. found: the name server has
 * answered, be it that there is none. */
typedef void osspi_dns_address_fn(void *data, const union osspi_address *address, bool found);

/** One server of a service, in the order of their priorities; then one with NULL, as above. */
typedef void osspi_dns_service_fn(void *data, const char *host, uint16_t port, bool found);

/** One URI record of a name, in the order of their priorities; then one with NULL, as above. */
typedef void osspi_dns_uri_fn(void *data, const char *uri, bool found);

/** NULL: no memory, or no resolver to be had. */
struct osspi_dns *osspi_dns_new(void);
void osspi_dns_free(struct osspi_dns *dns); /* NULL-safe */

/** Asks for a host's addresses, IPv4 and IPv6. */
void osspi_dns_addresses(struct osspi_dns *dns, const char *host, uint16_t port,
                         osspi_dns_address_fn *answer, void *data);

/** Asks for SRV records (RFC 2782), "_kerberos._udp.EXAMPLE.ORG". */
void osspi_dns_services(struct osspi_dns *dns, const char *name, osspi_dns_service_fn *answer,
                        void *data);

/** Asks for URI records (RFC 7553), "_kerberos.EXAMPLE.ORG". */
void osspi_dns_uris(struct osspi_dns *dns, const char *name, osspi_dns_uri_fn *answer, void *data);

/** What to watch, at most size entries; the number of them. */
size_t osspi_dns_watch(const struct osspi_dns *dns, struct pollfd *entries, size_t size);

/** When osspi_dns_work() is to be called though nothing is ready. */
uint64_t osspi_dns_due(const struct osspi_dns *dns, uint64_t now_ns);

/** Goes on, with what poll() said about the entries of osspi_dns_watch(). */
void osspi_dns_work(struct osspi_dns *dns, const struct pollfd *entries, size_t count);

/** For tests, before the first resolver: the name servers to ask, "127.0.0.1:5353"; NULL: the
 * machine's. The text stays the caller's. */
void osspi_dns_use_servers(const char *servers);

#endif
