/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What `sspi serve --status PATH` measures, and who may see it.
 *
 * The loop's delay is measured with a timerfd: the kernel says when a tick was due to the
 * nanosecond, where libuv's timers know milliseconds only. An event that becomes ready at a random
 * moment waits about as long as a tick does. The library's own numbers come from
 * OsspiGetStatistics.
 */
#include "monitor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "exchange.h"
#include "peer.h"
#include "server.h"

#define TICK_NS (MONITOR_TICK_MS * UINT64_C(1000000))

/* --- Measuring -----------------------------------------------------------------------------------
 */

/* The classes of OsspiHistogram. */
static void count_duration(OsspiHistogram *histogram, uint64_t ns)
{
    unsigned bucket = 0;
    for (uint64_t us = ns / 1000; us > 0 && bucket < OSSPI_HISTOGRAM_BUCKETS - 1; us >>= 1)
        bucket++;
    histogram->bucket[bucket]++;
    histogram->count++;
}

static void raise_to(uint32_t *most, uint64_t value)
{
    if (value > *most)
        *most = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void on_tick(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct monitor *monitor = poll->data;
    uint64_t count;
    if (status < 0 || read(monitor->tick_fd, &count, sizeof(count)) != sizeof(count))
        return;
    uint64_t now = uv_hrtime();
    uint64_t late = now > monitor->tick_due_ns ? now - monitor->tick_due_ns : 0;
    monitor->tick_due_ns += count * TICK_NS;
    count_duration(&monitor->delay, late);
    raise_to(&monitor->now.delay_us, late / 1000);

    /* Without the histograms, which come last in the structure, this costs next to nothing. */
    OsspiStatistics statistics = {.cbSize = offsetof(OsspiStatistics, calls)};
    OsspiGetStatistics(&statistics);
    raise_to(&monitor->now.queue_most, statistics.queue_depth);
    raise_to(&monitor->now.callbacks_most, statistics.callbacks_pending);
}

static void add_difference(OsspiHistogram *sum, const OsspiHistogram *now,
                           const OsspiHistogram *before)
{
    for (unsigned i = 0; i < OSSPI_HISTOGRAM_BUCKETS; i++)
        sum->bucket[i] += now->bucket[i] - before->bucket[i];
    sum->count += now->count - before->count;
}

/* So many microseconds (the upper end of a bucket) that `percent` of all took less; 0: none. */
static uint32_t percentile(const OsspiHistogram *histogram, unsigned percent)
{
    uint64_t wanted = (histogram->count * percent + 99) / 100, seen = 0;
    for (unsigned i = 0; i < OSSPI_HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
        seen += histogram->bucket[i];
        if (seen >= wanted)
            return UINT32_C(1) << i;
    }
    return 0;
}

static void sample_latency(const struct monitor *monitor, const OsspiStatistics *statistics,
                           struct monitor_sample *sample)
{
    OsspiHistogram wait = {0}, run = {0};
    const OsspiCallStatistics *now = &statistics->calls[OsspiCallAcceptContext];
    const OsspiCallStatistics *before = &monitor->last.calls[OsspiCallAcceptContext];
    add_difference(&wait, &now->queue_wait, &before->queue_wait);
    add_difference(&run, &now->run_time, &before->run_time);
    sample->wait_p50_us = percentile(&wait, 50);
    sample->wait_p99_us = percentile(&wait, 99);
    sample->run_p50_us = percentile(&run, 50);
    sample->run_p99_us = percentile(&run, 99);
}

/* How much a counter has grown, which is then remembered. */
static uint32_t step(uint64_t *last, uint64_t value)
{
    uint64_t grown = value - *last;
    *last = value;
    return (uint32_t)grown;
}

static void on_second(uv_timer_t *timer)
{
    struct monitor *monitor = timer->data;
    const struct server *server = monitor->server;
    struct monitor_sample *sample = &monitor->now;
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};
    OsspiGetStatistics(&statistics);

    uint64_t now = uv_hrtime(), idle = uv_metrics_idle_time(&monitor->server->loop);
    uint64_t span = now - monitor->sampled_ns, slept = idle - monitor->idle_ns;
    monitor->sampled_ns = now;
    monitor->idle_ns = idle;
    sample->span_ms = (uint32_t)(span / 1000000);
    sample->busy = slept < span ? (uint32_t)(1000 - slept * 1000 / span) : 0;

    sample->handshakes = step(&monitor->last_handshakes, server->handshakes);
    sample->failures = step(&monitor->last_failures, server->failures);
    sample->connections = step(&monitor->last_connections, server->connections);
    sample->requests = step(&monitor->last_requests, server->requests);
    sample->open = server->peer_count;
    sample_latency(monitor, &statistics, sample);
    sample->calls = step(&monitor->last.calls_completed, statistics.calls_completed);
    sample->refused = step(&monitor->last.calls_refused, statistics.calls_refused);
    sample->cancelled = step(&monitor->last.calls_cancelled, statistics.calls_cancelled);
    sample->timed_out = step(&monitor->last.calls_timed_out, statistics.calls_timed_out);
    sample->abandoned = (uint32_t)statistics.calls_abandoned_running;
    monitor->last = statistics;

    monitor->samples[monitor->sample_count % MONITOR_SAMPLES] = *sample;
    monitor->sample_count++;
    monitor->now = (struct monitor_sample){0};
}

/* --- Life ----------------------------------------------------------------------------------------
 */

static bool start_ticks(struct monitor *monitor)
{
    monitor->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (monitor->tick_fd < 0)
        return false;
    /* An absolute time, so that we know when the first one is due. */
    uint64_t due = uv_hrtime() + TICK_NS;
    struct itimerspec when = {
        .it_interval = {.tv_nsec = TICK_NS},
        .it_value = {(time_t)(due / 1000000000), (long)(due % 1000000000)},
    };
    monitor->tick_due_ns = due;
    return timerfd_settime(monitor->tick_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0;
}

bool monitor_start(struct server *server)
{
    struct monitor *monitor = calloc(1, sizeof(*monitor));
    if (!monitor)
        return false;
    if (!start_ticks(monitor) ||
        uv_poll_init(&server->loop, &monitor->tick, monitor->tick_fd) < 0) {
        monitor_free(monitor);
        return false;
    }
    monitor->server = server;
    monitor->tick.data = monitor->second.data = monitor;
    monitor->started = time(NULL);
    monitor->started_ns = monitor->sampled_ns = uv_hrtime();
    monitor->last.cbSize = sizeof(monitor->last);
    OsspiGetStatistics(&monitor->last);
    uv_timer_init(&server->loop, &monitor->second);
    server->monitor = monitor;
    return uv_poll_start(&monitor->tick, UV_READABLE, on_tick) == 0 &&
           uv_timer_start(&monitor->second, on_second, MONITOR_INTERVAL_MS, MONITOR_INTERVAL_MS) ==
               0;
}

void monitor_stop(struct monitor *monitor)
{
    if (!uv_is_closing((uv_handle_t *)&monitor->tick)) {
        uv_close((uv_handle_t *)&monitor->tick, NULL);
        uv_close((uv_handle_t *)&monitor->second, NULL);
    }
}

void monitor_free(struct monitor *monitor)
{
    if (!monitor)
        return;
    if (monitor->tick_fd >= 0)
        close(monitor->tick_fd);
    free(monitor);
}

/* --- Answering -----------------------------------------------------------------------------------
 */

/* The number behind "?after="; -1, that is all, if there is none that makes sense. */
static int64_t read_after(const char *query, size_t len)
{
    static const char key[] = "after=";
    int64_t after = 0;
    size_t i = sizeof(key) - 1;
    if (len <= i || len > i + 15 || memcmp(query, key, i) != 0)
        return -1;
    for (; i < len; i++) {
        if (query[i] < '0' || query[i] > '9')
            return -1;
        after = after * 10 + (query[i] - '0');
    }
    return after;
}

static bool add_policy(struct answer *answer, bool page)
{
    return answer_add(answer, "Cache-Control", "no-store") &&
           answer_add(answer, "Referrer-Policy", "no-referrer") &&
           answer_add(answer, "Cross-Origin-Resource-Policy", "same-origin") &&
           answer_add(answer, "Content-Security-Policy", "%s",
                      page ? monitor_page_policy : "default-src 'none'");
}

/* Only for those on this machine, unless the operator said otherwise: there is no password. */
static bool is_allowed(const struct monitor *monitor, const struct peer *peer)
{
    return monitor->server->options.status_any || peer->local;
}

bool monitor_answer(struct monitor *monitor, struct exchange *exchange)
{
    const char *path = monitor->server->options.status_path;
    const char *target = (const char *)exchange->target.data;
    size_t len = strlen(path), target_len = exchange->target.len;
    const char *query = memchr(target ? target : "", '?', target_len);
    size_t path_len = query ? (size_t)(query - target) : target_len;
    if (path_len < len || memcmp(target, path, len) != 0)
        return false;
    bool page = path_len == len;
    if (!page && (path_len != len + 5 || memcmp(target + len, ".json", 5) != 0))
        return false;
    if (!is_allowed(monitor, exchange->peer)) {
        exchange->refusal = 403;
        return false;
    }

    struct bytes body = {0};
    int64_t after = query ? read_after(query + 1, target_len - path_len - 1) : -1;
    bool done = page ? bytes_append(&body, monitor_page, monitor_page_len)
                     : monitor_json(monitor, after, &body);
    if (!done)
        bytes_clear(&body);
    done = done && answer_make_body(&body, page ? "text/html; charset=utf-8" : "application/json",
                                    exchange->head, &exchange->answer);
    if (done && !add_policy(&exchange->answer, page))
        answer_clear(&exchange->answer);
    return true;
}
