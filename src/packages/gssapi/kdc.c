/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The exchange with a realm's servers; see kdc.h.
 *
 * One poll watches everything: the sockets of all attempts, those of the resolver, the deadline and
 * whether anybody still wants the answer.
 */
#include "packages/gssapi/kdc.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/wait.h"
#include "packages/gssapi/foreign.h"
#include "packages/gssapi/kdc_find.h"

#define SECOND_NS    UINT64_C(1000000000)
#define NEXT_NS      SECOND_NS        /* patience with one server before the next is tried too */
#define RESEND_NS    SECOND_NS        /* of a datagram; doubles each time */
#define TOTAL_NS     (30 * SECOND_NS) /* where nobody has set a deadline */
#define ATTEMPTS     16u
#define PREFIX       4u /* TCP: the length in front */
#define DATAGRAM_MAX 65536u
#define REPLY_MAX    (1u << 20)

struct attempt {
    int fd; /* -1: none */
    enum osspi_kdc_transport transport;
    bool connected;
    size_t sent;        /* TCP: bytes of the request, prefix included */
    uint64_t resend_ns; /* UDP: when, and after how long the next time */
    uint64_t interval_ns;
    uint8_t prefix[PREFIX]; /* TCP: of the answer */
    size_t received;        /* TCP: bytes, prefix included */
    struct osspi_kdc_reply reply;
};

struct exchange {
    const struct osspi_kdc_request *request;
    uint8_t *message; /* the request behind its prefix */
    size_t message_len;
    bool prefers_tcp;
    struct osspi_kdc_finder finder;
    struct attempt attempts[ATTEMPTS];
    size_t attempt_count;
    uint64_t next_ns; /* when the next target is tried */
    uint64_t end_ns;  /* of everything */
    struct osspi_kdc_reply reply;
};

/* ---- answers ---- */

/* Is it one whole DER value of the kinds that a KDC sends (AS-REP, TGS-REP, KRB-ERROR)? */
static bool is_message(const uint8_t *bytes, size_t len)
{
    size_t header = 2, content;

    if (len < header || (bytes[0] != 0x6B && bytes[0] != 0x6D && bytes[0] != 0x7E))
        return false;
    content = bytes[1];
    if (content > 0x80) {
        const size_t count = content & 0x7F;

        if (count > 3 || len < header + count)
            return false;
        content = 0;
        for (size_t i = 0; i < count; i++)
            content = content << 8 | bytes[header + i];
        header += count;
    } else if (content == 0x80) {
        return false;
    }
    return content == len - header;
}

/* Does this server say that it cannot serve now? Then another may. */
static bool is_unavailable(krb5_context k5, const uint8_t *bytes, size_t len)
{
    krb5_data data = {.length = (unsigned)len, .data = (char *)bytes};
    krb5_error *error = NULL;
    bool unavailable;

    if (bytes[0] != 0x7E)
        return false;
    OSSPI_GSS_CALL;
    if (krb5_rd_error(k5, &data, &error) != 0)
        return false;
    unavailable = error->error == KRB5KDC_ERR_SVC_UNAVAILABLE - ERROR_TABLE_BASE_krb5;
    krb5_free_error(k5, error);
    return unavailable;
}

static bool has_reply(const struct exchange *exchange)
{
    return exchange->reply.bytes != NULL;
}

/* ---- attempts ---- */

static void give_up(struct attempt *attempt)
{
    if (attempt->fd >= 0)
        (void)close(attempt->fd);
    attempt->fd = -1;
    osspi_free(OSSPI_TAKE(attempt->reply.bytes));
}

static socklen_t address_len(const union osspi_address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

static void send_datagram(struct exchange *exchange, struct attempt *attempt, uint64_t now_ns)
{
    const ssize_t sent =
        send(attempt->fd, exchange->message + PREFIX, exchange->message_len - PREFIX, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        give_up(attempt);
        return;
    }
    attempt->resend_ns = now_ns + attempt->interval_ns;
    attempt->interval_ns *= 2;
}

static void begin(struct exchange *exchange, struct osspi_kdc_target *target, uint64_t now_ns)
{
    struct attempt *attempt = &exchange->attempts[exchange->attempt_count];
    const int type = target->transport == OSSPI_KDC_UDP ? SOCK_DGRAM : SOCK_STREAM;
    const int fd = socket(target->address.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    target->begun = true;
    exchange->next_ns = now_ns + NEXT_NS;
    if (fd < 0)
        return;
    if (connect(fd, &target->address.any, address_len(&target->address)) != 0 &&
        errno != EINPROGRESS) {
        (void)close(fd);
        return;
    }
    exchange->attempt_count++;
    *attempt = (struct attempt){.fd = fd, .transport = target->transport, .interval_ns = RESEND_NS};
    if (target->transport == OSSPI_KDC_UDP)
        send_datagram(exchange, attempt, now_ns);
}

static bool is_usable(const struct exchange *exchange, const struct osspi_kdc_target *target)
{
    return !target->begun && !(exchange->request->tcp && target->transport == OSSPI_KDC_UDP);
}

/* The next to be tried: in their order, all with the preferred transport first. */
static struct osspi_kdc_target *next_target(struct exchange *exchange)
{
    const enum osspi_kdc_transport preferred =
        exchange->prefers_tcp ? OSSPI_KDC_TCP : OSSPI_KDC_UDP;
    struct osspi_kdc_target *other = NULL;

    if (exchange->attempt_count == ATTEMPTS)
        return NULL;
    for (size_t i = 0; i < exchange->finder.count; i++) {
        struct osspi_kdc_target *target = &exchange->finder.targets[i];

        if (!is_usable(exchange, target))
            continue;
        if (target->transport == preferred)
            return target;
        if (!other)
            other = target;
    }
    return other;
}

static size_t count_live(const struct exchange *exchange)
{
    size_t live = 0;

    for (size_t i = 0; i < exchange->attempt_count; i++)
        live += exchange->attempts[i].fd >= 0;
    return live;
}

/* ---- reading and writing ---- */

static void read_datagram(struct exchange *exchange, struct attempt *attempt)
{
    uint8_t *bytes osspi_auto(osspi_freep) = osspi_alloc(DATAGRAM_MAX);
    const ssize_t got = bytes ? recv(attempt->fd, bytes, DATAGRAM_MAX, 0) : -1;

    if (!bytes)
        return;
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            give_up(attempt); /* nobody listens there */
        return;
    }
    if (!is_message(bytes, (size_t)got))
        return; /* anybody may have sent it: the true one may still come */
    if (is_unavailable(exchange->request->k5, bytes, (size_t)got)) {
        give_up(attempt);
        return;
    }
    exchange->reply = (struct osspi_kdc_reply){OSSPI_TAKE(bytes), (size_t)got};
}

static bool is_connected(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
}

static void write_stream(struct exchange *exchange, struct attempt *attempt)
{
    ssize_t sent;

    if (!attempt->connected && !is_connected(attempt->fd)) {
        give_up(attempt);
        return;
    }
    attempt->connected = true;
    sent = send(attempt->fd, exchange->message + attempt->sent,
                exchange->message_len - attempt->sent, MSG_NOSIGNAL);
    if (sent >= 0)
        attempt->sent += (size_t)sent;
    else if (errno != EAGAIN && errno != EINTR)
        give_up(attempt);
}

/* Where the next bytes go, and how many may come. */
static size_t stream_room(struct attempt *attempt, uint8_t **ret_place)
{
    if (attempt->received < PREFIX) {
        *ret_place = attempt->prefix + attempt->received;
        return PREFIX - attempt->received;
    }
    *ret_place = attempt->reply.bytes + (attempt->received - PREFIX);
    return attempt->reply.len - (attempt->received - PREFIX);
}

/* The length has come: false if it is none that a KDC would send. */
static bool take_prefix(struct attempt *attempt)
{
    const uint32_t len = (uint32_t)attempt->prefix[0] << 24 | (uint32_t)attempt->prefix[1] << 16 |
                         (uint32_t)attempt->prefix[2] << 8 | attempt->prefix[3];

    if (len == 0 || len > REPLY_MAX)
        return false;
    attempt->reply = (struct osspi_kdc_reply){osspi_alloc(len), len};
    return attempt->reply.bytes != NULL;
}

static void take_stream(struct exchange *exchange, struct attempt *attempt)
{
    if (!is_message(attempt->reply.bytes, attempt->reply.len) ||
        is_unavailable(exchange->request->k5, attempt->reply.bytes, attempt->reply.len)) {
        give_up(attempt);
        return;
    }
    exchange->reply =
        (struct osspi_kdc_reply){OSSPI_TAKE(attempt->reply.bytes), attempt->reply.len};
}

static void read_stream(struct exchange *exchange, struct attempt *attempt)
{
    uint8_t *place;
    const size_t room = stream_room(attempt, &place);
    const ssize_t got = recv(attempt->fd, place, room, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        give_up(attempt);
        return;
    }
    attempt->received += (size_t)got;
    if (attempt->received == PREFIX && !take_prefix(attempt))
        give_up(attempt);
    else if (attempt->received > PREFIX && attempt->received == PREFIX + attempt->reply.len)
        take_stream(exchange, attempt);
}

static short events_of(const struct exchange *exchange, const struct attempt *attempt)
{
    return attempt->transport == OSSPI_KDC_TCP && attempt->sent < exchange->message_len ? POLLOUT
                                                                                        : POLLIN;
}

static void work_on(struct exchange *exchange, struct attempt *attempt)
{
    if (attempt->transport == OSSPI_KDC_UDP)
        read_datagram(exchange, attempt);
    else if (attempt->sent < exchange->message_len)
        write_stream(exchange, attempt);
    else
        read_stream(exchange, attempt);
}

/* ---- the loop ---- */

/* Tries the next target if it is time to. */
static void go_on(struct exchange *exchange, uint64_t now_ns)
{
    struct osspi_kdc_target *target;

    while ((count_live(exchange) == 0 || now_ns >= exchange->next_ns) &&
           (target = next_target(exchange)) != NULL)
        begin(exchange, target, now_ns);
    for (size_t i = 0; i < exchange->attempt_count; i++) {
        struct attempt *attempt = &exchange->attempts[i];

        if (attempt->fd >= 0 && attempt->transport == OSSPI_KDC_UDP && now_ns >= attempt->resend_ns)
            send_datagram(exchange, attempt, now_ns);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When something is to be done though no socket is ready. */
static uint64_t due(struct exchange *exchange, uint64_t now_ns)
{
    uint64_t due_ns = exchange->end_ns;

    if (next_target(exchange))
        due_ns = earlier(due_ns, exchange->next_ns);
    if (exchange->finder.open > 0)
        due_ns = earlier(due_ns, osspi_dns_due(exchange->finder.dns, now_ns));
    for (size_t i = 0; i < exchange->attempt_count; i++) {
        const struct attempt *attempt = &exchange->attempts[i];

        if (attempt->fd >= 0 && attempt->transport == OSSPI_KDC_UDP)
            due_ns = earlier(due_ns, attempt->resend_ns);
    }
    return due_ns;
}

/* Waits once, and works on what is ready. False: the time is over. */
static bool wait_and_work(struct exchange *exchange, uint64_t now_ns)
{
    struct pollfd entries[ATTEMPTS + OSSPI_DNS_FDS];
    struct attempt *owners[ATTEMPTS];
    size_t own = 0, all;

    for (size_t i = 0; i < exchange->attempt_count; i++) {
        if (exchange->attempts[i].fd < 0)
            continue;
        owners[own] = &exchange->attempts[i];
        entries[own++] = (struct pollfd){.fd = exchange->attempts[i].fd,
                                         .events = events_of(exchange, &exchange->attempts[i])};
    }
    all = own;
    if (exchange->finder.open > 0)
        all += osspi_dns_watch(exchange->finder.dns, entries + own, OSSPI_DNS_FDS);
    if (osspi_wait_poll(entries, all, due(exchange, now_ns)) == OSSPI_WAIT_OVER)
        return false;
    if (exchange->finder.open > 0)
        osspi_dns_work(exchange->finder.dns, entries + own, all - own);
    for (size_t i = 0; i < own && !has_reply(exchange); i++) {
        if (entries[i].revents != 0)
            work_on(exchange, owners[i]);
    }
    return true;
}

static krb5_error_code converse(struct exchange *exchange)
{
    exchange->end_ns = earlier(exchange->request->deadline_ns, osspi_now_ns() + TOTAL_NS);
    for (;;) {
        const uint64_t now_ns = osspi_now_ns();

        if (has_reply(exchange))
            return 0;
        if (osspi_wait_over() || now_ns >= exchange->end_ns)
            break;
        go_on(exchange, now_ns);
        if (count_live(exchange) == 0 && exchange->finder.open == 0)
            break;
        if (!wait_and_work(exchange, now_ns))
            break;
    }
    if (exchange->finder.count > 0)
        return KRB5_KDC_UNREACH;
    return exchange->finder.silent || exchange->finder.open > 0 ? KRB5_REALM_CANT_RESOLVE
                                                                : KRB5_REALM_UNKNOWN;
}

static void clear(struct exchange *exchange)
{
    for (size_t i = 0; i < exchange->attempt_count; i++)
        give_up(&exchange->attempts[i]);
    osspi_kdc_find_clear(&exchange->finder);
    osspi_secret_free(exchange->message, exchange->message_len);
    osspi_free(exchange->reply.bytes);
    osspi_free(exchange);
}

static void clearp(struct exchange **exchange)
{
    if (*exchange)
        clear(*exchange);
}

static bool prepare(struct exchange *exchange, const struct osspi_kdc_request *request)
{
    const size_t len = request->len;

    exchange->request = request;
    exchange->message = osspi_alloc(PREFIX + len);
    if (!exchange->message)
        return false;
    exchange->message_len = PREFIX + len;
    for (unsigned i = 0; i < PREFIX; i++)
        exchange->message[i] = (uint8_t)(len >> (8 * (PREFIX - 1 - i)));
    memcpy(exchange->message + PREFIX, request->bytes, len);
    exchange->prefers_tcp = request->tcp || len > osspi_kdc_list_datagram(request->k5);
    return true;
}

krb5_error_code osspi_kdc_exchange(const struct osspi_kdc_request *request,
                                   struct osspi_kdc_reply *ret_reply)
{
    OSSPI_UNCANCELLED;
    struct exchange *exchange osspi_auto(clearp) = osspi_alloc(sizeof(*exchange));
    krb5_error_code code;

    if (!exchange || request->len > REPLY_MAX || !prepare(exchange, request))
        return ENOMEM;
    osspi_kdc_find(&exchange->finder, request->k5, request->realm);
    code = converse(exchange);
    if (code == 0) {
        *ret_reply = exchange->reply;
        exchange->reply.bytes = NULL;
    }
    return code;
}
