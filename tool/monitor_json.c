/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The JSON of `sspi serve --status PATH`, at PATH.json; docs/status-page.md describes it. Names are
 * those of OsspiStatistics. Numbers and constant names only, so nothing needs escaping.
 */
#include "monitor.h"

#include <inttypes.h>

#include "server.h"

#define JSON_VERSION 1

/* The plain counters of OsspiStatistics, in its order. */
static const struct {
    const char *name;
    size_t offset;
} counters[] = {
#define COUNTER(name) \
    { \
#name, offsetof(OsspiStatistics, name) \
    }
    COUNTER(calls_queued),
    COUNTER(calls_completed),
    COUNTER(calls_refused),
    COUNTER(calls_cancelled),
    COUNTER(calls_timed_out),
    COUNTER(callbacks_run),
    COUNTER(callbacks_waited),
    COUNTER(spare_workers_released),
    COUNTER(calls_abandoned_running),
    COUNTER(callbacks_pending),
    COUNTER(workers),
    COUNTER(blocking_threads),
    COUNTER(queue_depth),
    COUNTER(live_credentials),
    COUNTER(live_contexts),
    COUNTER(live_async_contexts),
    COUNTER(live_completion_queues),
#undef COUNTER
};

static const struct {
    const char *name;
    OsspiCallKind kind;
} kinds[] = {
    {"acquire_credentials", OsspiCallAcquireCredentials},
    {"initialize_context", OsspiCallInitializeContext},
    {"accept_context", OsspiCallAcceptContext},
    {"delete_context", OsspiCallDeleteContext},
    {"free_credentials", OsspiCallFreeCredentials},
};

/* The columns of a sample. */
static const struct {
    const char *name;
    size_t offset;
} columns[] = {
#define COLUMN(name) \
    { \
#name, offsetof(struct monitor_sample, name) \
    }
    COLUMN(span_ms),     COLUMN(handshakes), COLUMN(failures),   COLUMN(connections),
    COLUMN(requests),    COLUMN(open),       COLUMN(calls),      COLUMN(refused),
    COLUMN(cancelled),   COLUMN(timed_out),  COLUMN(queue_most), COLUMN(callbacks_most),
    COLUMN(abandoned),   COLUMN(delay_us),   COLUMN(busy),       COLUMN(wait_p50_us),
    COLUMN(wait_p99_us), COLUMN(run_p50_us), COLUMN(run_p99_us),
#undef COLUMN
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool write_histogram(struct bytes *body, const char *name, const OsspiHistogram *histogram)
{
    bool done =
        bytes_printf(body, "\"%s\":{\"count\":%" PRIu64 ",\"bucket\":[", name, histogram->count);
    for (unsigned i = 0; i < OSSPI_HISTOGRAM_BUCKETS && done; i++)
        done = bytes_printf(body, "%s%" PRIu64, i ? "," : "", histogram->bucket[i]);
    return done && bytes_printf(body, "]}");
}

static bool write_server(const struct monitor *monitor, struct bytes *body)
{
    const struct server *server = monitor->server;
    return bytes_printf(body,
                        "\"server\":{\"version\":\"%s\",\"port\":%u,\"open\":%u,"
                        "\"max_connections\":%u,\"connections\":%" PRIu64 ",\"handshakes\":%" PRIu64
                        ",\"failures\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"files\":%u},",
                        SSPI_TOOL_VERSION, server->port, server->peer_count,
                        server->options.max_connections, server->connections, server->handshakes,
                        server->failures, server->requests, server->files);
}

static bool write_library(struct bytes *body)
{
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};
    OsspiGetStatistics(&statistics);
    bool done = bytes_printf(body, "\"library\":{");
    for (size_t i = 0; i < COUNT(counters) && done; i++) {
        const uint64_t *value = (const void *)((const char *)&statistics + counters[i].offset);
        done = bytes_printf(body, "\"%s\":%" PRIu64 ",", counters[i].name, *value);
    }
    done = done && bytes_printf(body, "\"calls\":{");
    for (size_t i = 0; i < COUNT(kinds) && done; i++) {
        const OsspiCallStatistics *calls = &statistics.calls[kinds[i].kind];
        done = bytes_printf(body, "%s\"%s\":{", i ? "," : "", kinds[i].name) &&
               write_histogram(body, "queue_wait", &calls->queue_wait) && bytes_printf(body, ",") &&
               write_histogram(body, "run_time", &calls->run_time) && bytes_printf(body, "}");
    }
    return done && bytes_printf(body, "}},");
}

static bool write_samples(const struct monitor *monitor, int64_t after, struct bytes *body)
{
    uint64_t next = monitor->sample_count;
    uint64_t first = next > MONITOR_SAMPLES ? next - MONITOR_SAMPLES : 0;
    if (after >= 0 && (uint64_t)after + 1 > first)
        first = (uint64_t)after + 1 < next ? (uint64_t)after + 1 : next;
    bool done = bytes_printf(
        body, "\"samples\":{\"interval_ms\":%d,\"keep\":%d,\"first\":%" PRIu64 ",\"next\":%" PRIu64,
        MONITOR_INTERVAL_MS, MONITOR_SAMPLES, first, next);
    for (size_t column = 0; column < COUNT(columns) && done; column++) {
        done = bytes_printf(body, ",\"%s\":[", columns[column].name);
        for (uint64_t i = first; i < next && done; i++) {
            const char *sample = (const char *)&monitor->samples[i % MONITOR_SAMPLES];
            const uint32_t *value = (const void *)(sample + columns[column].offset);
            done = bytes_printf(body, "%s%" PRIu32, i > first ? "," : "", *value);
        }
        done = done && bytes_printf(body, "]");
    }
    return done && bytes_printf(body, "}");
}

bool monitor_json(const struct monitor *monitor, int64_t after, struct bytes *body)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t uptime_ms = (uv_hrtime() - monitor->started_ns) / 1000000;
    return bytes_reserve(body, 32768) &&
           bytes_printf(
               body,
               "{\"version\":%d,\"time_ms\":%lld,\"started_ms\":%lld,\"uptime_ms\":%" PRIu64 ",",
               JSON_VERSION, (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000,
               (long long)monitor->started * 1000, uptime_ms) &&
           write_server(monitor, body) &&
           bytes_printf(body, "\"loop\":{\"tick_ms\":%d,", MONITOR_TICK_MS) &&
           write_histogram(body, "delay", &monitor->delay) && bytes_printf(body, "},") &&
           write_library(body) && write_samples(monitor, after, body) && bytes_printf(body, "}\n");
}
