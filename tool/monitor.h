/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What `sspi serve --status PATH` knows about itself, and the page and the JSON that show it.
 *
 * monitor.c       one sample a second for the last five minutes; how late the loop is
 * monitor_json.c  PATH.json
 * status/         the page; the build puts it into one answer (embed.cmake)
 *
 * Everything is on the loop's thread.
 */
#ifndef SSPI_TOOL_MONITOR_H
#define SSPI_TOOL_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <uv.h>

#include <opensspi.h>

#include "bytes.h"

#define MONITOR_SAMPLES     300
#define MONITOR_INTERVAL_MS 1000
#define MONITOR_TICK_MS     10 /* how often the loop's delay is measured */

struct exchange;
struct server;

/** One second. Sums are of that second; "most" is the highest value that a tick has seen in it. */
struct monitor_sample {
    uint32_t span_ms; /* how long the second was */
    uint32_t handshakes, failures, connections, requests;
    uint32_t open; /* connections at its end */
    uint32_t calls, refused, cancelled, timed_out;
    uint32_t queue_most, callbacks_most;
    uint32_t abandoned; /* at its end */
    uint32_t delay_us;  /* the longest that the loop was late */
    uint32_t busy;      /* part of the second in which the loop did not wait, in thousandths */
    uint32_t wait_p50_us, wait_p99_us, run_p50_us, run_p99_us; /* legs of handshakes; 0: none */
};

struct monitor {
    struct server *server;
    uv_poll_t tick; /* polls tick_fd, a timerfd */
    int tick_fd;
    uv_timer_t second;
    uint64_t tick_due_ns; /* when the tick that is to come expires */
    uint64_t started_ns, sampled_ns, idle_ns;
    time_t started;
    OsspiHistogram delay; /* of the loop: how late it came to each tick */
    OsspiStatistics last; /* as of the last sample */
    uint64_t last_handshakes, last_failures, last_connections, last_requests;
    struct monitor_sample now; /* the second that is not over */
    struct monitor_sample samples[MONITOR_SAMPLES];
    uint64_t sample_count; /* since the start; the newest is number sample_count - 1 */
};

/** Starts to measure; sets server->monitor. False if it cannot; server_run frees what there is. */
bool monitor_start(struct server *server);

/** Closes its handles, so that the loop can end. */
void monitor_stop(struct monitor *monitor);

/** NULL is allowed. */
void monitor_free(struct monitor *monitor);

/**
 * Answers a request for the page or its JSON.
 *
 * @return false if the request is for something else. Otherwise the answer is set; its status is 0
 * if there was no memory
 */
bool monitor_answer(struct monitor *monitor, struct exchange *exchange);

/** Writes the JSON; samples from number `after` + 1 on. False if there is no memory. */
bool monitor_json(const struct monitor *monitor, int64_t after, struct bytes *body);

/** The page, as the build has put it together, and the CSP that allows its own script and style. */
extern const unsigned char monitor_page[];
extern const size_t monitor_page_len;
extern const char monitor_page_policy[];

#endif
