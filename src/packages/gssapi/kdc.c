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

#include "base/cancel.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/memory.h"
#include "base/wait.h"
#include "packages/gssapi/kdc_message.h"

#define SECOND_NS UINT64_C(1000000000)
#define NEXT_NS   SECOND_NS        /* patience with one server before the next is tried too */
#define TOTAL_NS  (30 * SECOND_NS) /* where nobody has set a deadline */
#define ATTEMPTS  16u

struct exchange {
    const struct osspi_kdc_request *request;
    struct osspi_kdc_frame frame;
    bool prefers_tcp;
    bool committed; /* what make has made is on its way: to nobody else */
    struct osspi_kdc_finder finder;
    struct osspi_kdc_attempt attempts[ATTEMPTS];
    size_t attempt_count;
    uint64_t next_ns;      /* when the next target is tried */
    uint64_t end_ns;       /* of everything */
    krb5_error_code error; /* of this process, which no other server can help */
    struct osspi_kdc_reply reply;
};

static bool is_over(const struct exchange *exchange)
{
    return exchange->reply.bytes != NULL || exchange->error != 0;
}

static size_t count_live(const struct exchange *exchange)
{
    size_t live = 0;

    for (size_t i = 0; i < exchange->attempt_count; i++)
        live += exchange->attempts[i].fd >= 0;
    return live;
}

/* ---- the request ---- */

static bool set_frame(struct exchange *exchange, const uint8_t *bytes, size_t len)
{
    struct osspi_kdc_frame *frame = &exchange->frame;

    if (len > OSSPI_KDC_MESSAGE)
        return false;
    frame->bytes = osspi_alloc(OSSPI_KDC_PREFIX + len);
    if (!frame->bytes)
        return false;
    frame->len = OSSPI_KDC_PREFIX + len;
    for (unsigned i = 0; i < OSSPI_KDC_PREFIX; i++)
        frame->bytes[i] = (uint8_t)(len >> (8 * (OSSPI_KDC_PREFIX - 1 - i)));
    if (len > 0)
        memcpy(frame->bytes + OSSPI_KDC_PREFIX, bytes, len);
    return true;
}

static krb5_error_code make_frame(struct exchange *exchange,
                                  const struct osspi_kdc_attempt *attempt)
{
    const struct osspi_kdc_request *request = exchange->request;
    union osspi_address local = {0};
    socklen_t local_len = sizeof(local);
    uint8_t *bytes osspi_auto(osspi_freep) = NULL;
    size_t len = 0;
    krb5_error_code code;

    if (getsockname(attempt->fd, &local.any, &local_len) != 0)
        return errno;
    code = request->make(request->make_data, &local, &bytes, &len);
    if (code == 0 && !set_frame(exchange, bytes, len))
        code = ENOMEM;
    return code;
}

/* This server is the one that gets it. */
static void commit(struct exchange *exchange, const struct osspi_kdc_attempt *chosen)
{
    exchange->committed = true;
    for (size_t i = 0; i < exchange->attempt_count; i++) {
        if (&exchange->attempts[i] != chosen)
            osspi_kdc_attempt_end(&exchange->attempts[i]);
    }
    exchange->error = make_frame(exchange, chosen);
}

/* ---- answers ---- */

static void take_reply(struct exchange *exchange, struct osspi_kdc_attempt *attempt)
{
    const struct osspi_kdc_request *request = exchange->request;
    const struct osspi_kdc_reply *reply = &attempt->reply;
    const bool is_answer = osspi_kdc_is_answer(request->service, reply->bytes, reply->len);

    /* Anybody may have sent a datagram: the true one may still come. */
    if (!is_answer && attempt->transport == OSSPI_KDC_UDP)
        return;
    if (!is_answer || osspi_kdc_is_unavailable(request->k5, reply->bytes, reply->len)) {
        osspi_kdc_attempt_end(attempt);
        return;
    }
    exchange->reply = (struct osspi_kdc_reply){reply->bytes, reply->len, attempt->address};
    attempt->reply.bytes = NULL;
}

static void note(struct exchange *exchange, struct osspi_kdc_attempt *attempt,
                 enum osspi_kdc_progress progress)
{
    if (progress == OSSPI_KDC_FAILED)
        osspi_kdc_attempt_end(attempt);
    else if (progress == OSSPI_KDC_NO_MEMORY)
        exchange->error = ENOMEM;
    else if (progress == OSSPI_KDC_ANSWERED)
        take_reply(exchange, attempt);
}

/* ---- attempts ---- */

static void send_datagram(struct exchange *exchange, struct osspi_kdc_attempt *attempt,
                          uint64_t now_ns)
{
    if (!exchange->frame.bytes)
        commit(exchange, attempt);
    if (exchange->error == 0)
        note(exchange, attempt, osspi_kdc_attempt_send(attempt, &exchange->frame, now_ns));
    if (exchange->committed)
        attempt->resend_ns = OSSPI_FOREVER; /* it might have come, and be done twice */
}

static void begin(struct exchange *exchange, struct osspi_kdc_target *target, uint64_t now_ns)
{
    struct osspi_kdc_attempt *attempt = &exchange->attempts[exchange->attempt_count];

    target->begun = true;
    exchange->next_ns = now_ns + NEXT_NS;
    if (!osspi_kdc_attempt_begin(attempt, target))
        return;
    exchange->attempt_count++;
    if (target->transport == OSSPI_KDC_UDP)
        send_datagram(exchange, attempt, now_ns);
}

static void work_on(struct exchange *exchange, struct osspi_kdc_attempt *attempt)
{
    if (!attempt->connected && !osspi_kdc_attempt_connected(attempt)) {
        osspi_kdc_attempt_end(attempt);
        return;
    }
    if (!exchange->frame.bytes)
        commit(exchange, attempt);
    if (exchange->error == 0)
        note(exchange, attempt, osspi_kdc_attempt_work(attempt, &exchange->frame));
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

    if (exchange->attempt_count == ATTEMPTS || exchange->committed)
        return NULL;
    if (exchange->request->asked && exchange->finder.open > 0)
        return NULL; /* first let all of them be known */
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

/* ---- the loop ---- */

/* Tries the next target if it is time to. */
static void go_on(struct exchange *exchange, uint64_t now_ns)
{
    struct osspi_kdc_target *target;

    while ((count_live(exchange) == 0 || now_ns >= exchange->next_ns) &&
           (target = next_target(exchange)) != NULL)
        begin(exchange, target, now_ns);
    for (size_t i = 0; i < exchange->attempt_count && !is_over(exchange); i++) {
        struct osspi_kdc_attempt *attempt = &exchange->attempts[i];

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
        const struct osspi_kdc_attempt *attempt = &exchange->attempts[i];

        if (attempt->fd >= 0 && attempt->transport == OSSPI_KDC_UDP)
            due_ns = earlier(due_ns, attempt->resend_ns);
    }
    return due_ns;
}

/* Waits once, and works on what is ready. False: the time is over. */
static bool wait_and_work(struct exchange *exchange, uint64_t now_ns)
{
    struct pollfd entries[ATTEMPTS + OSSPI_DNS_FDS];
    struct osspi_kdc_attempt *owners[ATTEMPTS];
    size_t own = 0, all;

    for (size_t i = 0; i < exchange->attempt_count; i++) {
        struct osspi_kdc_attempt *attempt = &exchange->attempts[i];

        if (attempt->fd < 0)
            continue;
        owners[own] = attempt;
        entries[own++] = (struct pollfd){
            .fd = attempt->fd, .events = osspi_kdc_attempt_events(attempt, &exchange->frame)};
    }
    all = own;
    if (exchange->finder.open > 0)
        all += osspi_dns_watch(exchange->finder.dns, entries + own, OSSPI_DNS_FDS);
    if (osspi_wait_poll(entries, all, due(exchange, now_ns)) == OSSPI_WAIT_OVER)
        return false;
    if (exchange->finder.open > 0)
        osspi_dns_work(exchange->finder.dns, entries + own, all - own);
    for (size_t i = 0; i < own && !is_over(exchange); i++) {
        if (entries[i].revents != 0 && owners[i]->fd >= 0)
            work_on(exchange, owners[i]);
    }
    return true;
}

static bool is_same(const union osspi_address *a, const union osspi_address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET6)
        return a->v6.sin6_port == b->v6.sin6_port &&
               memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
    return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

/* Is the server that was asked before one of these? */
static bool was_asked(const struct exchange *exchange)
{
    const union osspi_address *asked = exchange->request->asked;

    for (size_t i = 0; asked && i < exchange->finder.count; i++) {
        if (is_same(&exchange->finder.targets[i].address, asked))
            return true;
    }
    return false;
}

/* Is there nobody left who might answer? */
static bool is_hopeless(const struct exchange *exchange)
{
    return count_live(exchange) == 0 && (exchange->committed || exchange->finder.open == 0);
}

static krb5_error_code converse(struct exchange *exchange)
{
    exchange->end_ns = earlier(exchange->request->deadline_ns, osspi_now_ns() + TOTAL_NS);
    for (;;) {
        const uint64_t now_ns = osspi_now_ns();

        if (is_over(exchange))
            return exchange->error;
        if (osspi_wait_over() || now_ns >= exchange->end_ns || was_asked(exchange))
            break;
        go_on(exchange, now_ns);
        if (is_over(exchange))
            continue;
        if (is_hopeless(exchange) || !wait_and_work(exchange, now_ns))
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
        osspi_kdc_attempt_end(&exchange->attempts[i]);
    osspi_kdc_find_clear(&exchange->finder);
    osspi_secret_free(exchange->frame.bytes, exchange->frame.len);
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
    exchange->request = request;
    exchange->prefers_tcp = request->make != NULL || request->tcp ||
                            request->len > osspi_kdc_list_datagram(request->k5);
    return request->make || set_frame(exchange, request->bytes, request->len);
}

krb5_error_code osspi_kdc_exchange(const struct osspi_kdc_request *request,
                                   struct osspi_kdc_reply *ret_reply)
{
    OSSPI_UNCANCELLED;
    struct exchange *exchange osspi_auto(clearp) = osspi_alloc(sizeof(*exchange));
    krb5_error_code code;

    if (!exchange || !prepare(exchange, request))
        return ENOMEM;
    osspi_kdc_find(&exchange->finder, request->k5, request->realm, request->service);
    code = converse(exchange);
    if (code == 0) {
        *ret_reply = exchange->reply;
        exchange->reply.bytes = NULL;
    }
    return code;
}
