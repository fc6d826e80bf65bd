/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Look-ups over c-ares; see dns.h.
 *
 * Newer releases of c-ares advise against some of the functions used here, in favour of others that
 * older ones do not have; they stay in both.
 */
#define CARES_NO_DEPRECATED

#include "packages/gssapi/dns.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/memory.h"

#define TIMEOUT_MS   2000 /* of the first try */
#define TRIES        3
#define MAX_SERVICES 16u
#define TYPE_URI     256 /* RFC 7553 */

struct watched {
    int fd;
    short events; /* 0: free */
};

struct osspi_dns {
    ares_channel channel;
    struct watched watched[OSSPI_DNS_FDS];
};

struct address_question {
    osspi_dns_address_fn *answer;
    void *data;
};

struct service_question {
    osspi_dns_service_fn *answer;
    void *data;
};

struct uri_question {
    osspi_dns_uri_fn *answer;
    void *data;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static _Atomic bool library_ready;
static const char *_Atomic test_servers;

static void start_library(void)
{
    atomic_store(&library_ready, ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
}

void osspi_dns_use_servers(const char *servers)
{
    atomic_store(&test_servers, servers);
}

/* ---- the resolver ---- */

static struct watched *find_watched(struct osspi_dns *dns, int fd)
{
    struct watched *place = NULL;

    for (size_t i = 0; i < OSSPI_DNS_FDS; i++) {
        if (dns->watched[i].events != 0 && dns->watched[i].fd == fd)
            return &dns->watched[i];
        if (dns->watched[i].events == 0)
            place = &dns->watched[i];
    }
    return place;
}

/* A socket for which there is no place is not watched; its question ends by its time. */
static void note_socket(void *data, ares_socket_t fd, int readable, int writable)
{
    struct watched *place = find_watched(data, fd);

    if (place)
        *place = (struct watched){
            .fd = fd, .events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0))};
}

struct osspi_dns *osspi_dns_new(void)
{
    struct osspi_dns *dns;
    const char *servers = atomic_load(&test_servers);
    struct ares_options options = {
        .timeout = TIMEOUT_MS,
        .tries = TRIES,
        .sock_state_cb = note_socket,
    };

    (void)pthread_once(&library_once, start_library);
    if (!atomic_load(&library_ready))
        return NULL;
    dns = osspi_alloc(sizeof(*dns));
    if (!dns)
        return NULL;
    options.sock_state_cb_data = dns;
    if (ares_init_options(&dns->channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) !=
        ARES_SUCCESS) {
        osspi_free(dns);
        return NULL;
    }
    if (servers)
        (void)ares_set_servers_ports_csv(dns->channel, servers);
    return dns;
}

void osspi_dns_free(struct osspi_dns *dns)
{
    if (!dns)
        return;
    ares_destroy(dns->channel); /* answers what is open */
    osspi_free(dns);
}

size_t osspi_dns_watch(const struct osspi_dns *dns, struct pollfd *entries, size_t size)
{
    size_t count = 0;

    for (size_t i = 0; i < OSSPI_DNS_FDS && count < size; i++) {
        if (dns->watched[i].events != 0)
            entries[count++] =
                (struct pollfd){.fd = dns->watched[i].fd, .events = dns->watched[i].events};
    }
    return count;
}

uint64_t osspi_dns_due(const struct osspi_dns *dns, uint64_t now_ns)
{
    struct timeval longest = {.tv_sec = 1};
    struct timeval room;
    const struct timeval *left = ares_timeout(dns->channel, &longest, &room);

    return now_ns + (uint64_t)left->tv_sec * UINT64_C(1000000000) +
           (uint64_t)left->tv_usec * UINT64_C(1000);
}

void osspi_dns_work(struct osspi_dns *dns, const struct pollfd *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const short ready = entries[i].revents;

        if (ready != 0)
            ares_process_fd(dns->channel,
                            ready & (POLLIN | POLLERR | POLLHUP) ? entries[i].fd : ARES_SOCKET_BAD,
                            ready & POLLOUT ? entries[i].fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* for what is due */
}

/* ---- questions ---- */

/* Has somebody answered who knows, be it "there is none"? */
static bool is_answer(int status)
{
    return status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

static void take_addresses(void *data, int status, int timeouts, struct ares_addrinfo *result)
{
    struct address_question *question = data;

    (void)timeouts;
    for (const struct ares_addrinfo_node *node = result ? result->nodes : NULL; node;
         node = node->ai_next) {
        union osspi_address address;

        if ((node->ai_family != AF_INET && node->ai_family != AF_INET6) ||
            node->ai_addrlen > sizeof(address))
            continue;
        memset(&address, 0, sizeof(address));
        memcpy(&address, node->ai_addr, node->ai_addrlen);
        question->answer(question->data, &address, true);
    }
    question->answer(question->data, NULL, is_answer(status));
    ares_freeaddrinfo(result);
    osspi_free(question);
}

static void port_text(uint16_t port, char text[8])
{
    char digits[8];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + port % 10);
        port /= 10;
    } while (port > 0);
    for (size_t i = 0; i < count; i++)
        text[i] = digits[count - 1 - i];
    text[count] = '\0';
}

void osspi_dns_addresses(struct osspi_dns *dns, const char *host, uint16_t port,
                         osspi_dns_address_fn *answer, void *data)
{
    struct address_question *question = osspi_alloc(sizeof(*question));
    const struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    char service[8];

    if (!question) {
        answer(data, NULL, false);
        return;
    }
    *question = (struct address_question){answer, data};
    port_text(port, service);
    ares_getaddrinfo(dns->channel, host, service, &hints, take_addresses, question);
}

static int by_priority(const void *a, const void *b)
{
    const struct ares_srv_reply *const *left = a, *const *right = b;

    if ((*left)->priority != (*right)->priority)
        return (*left)->priority < (*right)->priority ? -1 : 1;
    return (*left)->weight > (*right)->weight ? -1 : (*left)->weight < (*right)->weight;
}

static void give_services(const struct service_question *question, struct ares_srv_reply *list)
{
    const struct ares_srv_reply *sorted[MAX_SERVICES];
    size_t count = 0;

    for (const struct ares_srv_reply *at = list; at && count < MAX_SERVICES; at = at->next)
        sorted[count++] = at;
    qsort(sorted, count, sizeof(sorted[0]), by_priority);
    for (size_t i = 0; i < count; i++) {
        /* A lone "." says that there is no such service (RFC 2782). */
        if (strlen(sorted[i]->host) < OSSPI_DNS_HOST_SIZE && sorted[i]->host[0] != '\0' &&
            strcmp(sorted[i]->host, ".") != 0)
            question->answer(question->data, sorted[i]->host, sorted[i]->port, true);
    }
}

static void take_services(void *data, int status, int timeouts, unsigned char *bytes, int len)
{
    struct service_question *question = data;
    struct ares_srv_reply *list = NULL;

    (void)timeouts;
    if (status == ARES_SUCCESS)
        status = ares_parse_srv_reply(bytes, len, &list);
    if (status == ARES_SUCCESS)
        give_services(question, list);
    question->answer(question->data, NULL, 0, is_answer(status));
    if (list)
        ares_free_data(list);
    osspi_free(question);
}

void osspi_dns_services(struct osspi_dns *dns, const char *name, osspi_dns_service_fn *answer,
                        void *data)
{
    struct service_question *question = osspi_alloc(sizeof(*question));

    if (!question) {
        answer(data, NULL, 0, false);
        return;
    }
    *question = (struct service_question){answer, data};
    ares_query(dns->channel, name, ns_c_in, ns_t_srv, take_services, question);
}

static int uri_by_priority(const void *a, const void *b)
{
    const struct ares_uri_reply *const *left = a, *const *right = b;

    if ((*left)->priority != (*right)->priority)
        return (*left)->priority < (*right)->priority ? -1 : 1;
    return (*left)->weight > (*right)->weight ? -1 : (*left)->weight < (*right)->weight;
}

static void give_uris(const struct uri_question *question, struct ares_uri_reply *list)
{
    const struct ares_uri_reply *sorted[MAX_SERVICES];
    size_t count = 0;

    for (const struct ares_uri_reply *at = list; at && count < MAX_SERVICES; at = at->next)
        sorted[count++] = at;
    qsort(sorted, count, sizeof(sorted[0]), uri_by_priority);
    for (size_t i = 0; i < count; i++)
        question->answer(question->data, sorted[i]->uri, true);
}

static void take_uris(void *data, int status, int timeouts, unsigned char *bytes, int len)
{
    struct uri_question *question = data;
    struct ares_uri_reply *list = NULL;

    (void)timeouts;
    if (status == ARES_SUCCESS)
        status = ares_parse_uri_reply(bytes, len, &list);
    if (status == ARES_SUCCESS)
        give_uris(question, list);
    question->answer(question->data, NULL, is_answer(status));
    if (list)
        ares_free_data(list);
    osspi_free(question);
}

void osspi_dns_uris(struct osspi_dns *dns, const char *name, osspi_dns_uri_fn *answer, void *data)
{
    struct uri_question *question = osspi_alloc(sizeof(*question));

    if (!question) {
        answer(data, NULL, false);
        return;
    }
    *question = (struct uri_question){answer, data};
    ares_query(dns->channel, name, ns_c_in, TYPE_URI, take_uris, question);
}
