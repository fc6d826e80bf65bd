/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The life of each asynchronous call.
 *
 * Events carry the value of the SspiAsyncContext, which serves many calls one after the other. So
 * a row begins with an event that the newest row of the same context has already.
 */
#define _GNU_SOURCE /* gettid */
#include "timeline.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net.h"
#include "text.h"

#define EVENTS_MAX 2048
#define ROWS_MAX   256

struct event {
    atomic_bool ready; /* set when record is written */
    OsspiTraceRecord record;
};

struct timeline {
    uint64_t zero_ns;
    atomic_uint used; /* places taken in events; may exceed EVENTS_MAX, what is beyond is lost */
    struct event events[EVENTS_MAX];
};

/* One call. Times are nanoseconds, 0: not seen. */
struct row {
    uint64_t call_id;
    OsspiCallKind kind;
    uint64_t queued, started, done;
    uint32_t thread;
    SECURITY_STATUS status;
    const struct timeline_leg *leg; /* of InitializeContext calls */
    unsigned number;                /* which leg, from 1 */
};

static void on_trace(const OsspiTraceRecord *record, void *data)
{
    struct timeline *timeline = data;
    unsigned place = atomic_fetch_add_explicit(&timeline->used, 1, memory_order_relaxed);
    if (place >= EVENTS_MAX)
        return;
    timeline->events[place].record = *record;
    atomic_store_explicit(&timeline->events[place].ready, true, memory_order_release);
}

struct timeline *timeline_begin(void)
{
    struct timeline *timeline = calloc(1, sizeof(*timeline));
    if (!timeline)
        return NULL;
    timeline->zero_ns = (uint64_t)net_now_us() * 1000;
    if (OsspiSetTrace(on_trace, timeline) == SEC_E_OK)
        return timeline;
    free(timeline);
    return NULL;
}

void timeline_end(struct timeline *timeline)
{
    if (timeline && OsspiSetTrace(NULL, NULL) != SEC_E_OK)
        text_complain("the trace could not be switched off");
}

void timeline_free(struct timeline *timeline)
{
    free(timeline);
}

static int compare_events(const void *left, const void *right)
{
    const OsspiTraceRecord *a = left, *b = right;
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    return (int)a->event - (int)b->event;
}

/* The place of an event's time in a row; NULL for events that a row does not show. */
static uint64_t *slot(struct row *row, OsspiTraceEvent event)
{
    switch (event) {
    case OsspiTraceQueued:
        return &row->queued;
    case OsspiTraceStarted:
        return &row->started;
    case OsspiTraceCompleted:
    case OsspiTraceCancelled:
    case OsspiTraceTimedOut:
    case OsspiTraceRefused:
        return &row->done;
    default:
        return NULL;
    }
}

/* An async context, which is what events name, serves for one call after the other. A call that
 * goes on on the blocking lane starts twice, and one that is given up has two events at its end. */
static bool begins_anew(const struct row *row, OsspiTraceEvent event)
{
    if (event == OsspiTraceQueued)
        return row->queued != 0;
    return event == OsspiTraceStarted && row->done != 0;
}

static void apply(struct row *rows, unsigned *count, const OsspiTraceRecord *event)
{
    struct row *row = NULL;
    for (unsigned i = *count; i > 0 && !row; i--) {
        if (rows[i - 1].call_id == event->call_id)
            row = &rows[i - 1];
    }
    if (row && begins_anew(row, event->event))
        row = NULL;
    if (!row) {
        if (!slot(&rows[0], event->event) || *count == ROWS_MAX)
            return;
        row = &rows[(*count)++];
        *row = (struct row){.call_id = event->call_id, .kind = event->kind};
    }
    uint64_t *time = slot(row, event->event);
    if (!time)
        return;
    if (time != &row->started || *time == 0)
        *time = event->time_ns;
    if (time == &row->started)
        row->thread = event->thread_id;
    if (time == &row->done)
        row->status = event->status;
}

/* Copies the events that are complete, in the order of their times; the caller frees them. */
static OsspiTraceRecord *sort_events(struct timeline *timeline, unsigned *ret_count)
{
    unsigned used = atomic_load(&timeline->used), count = 0;
    OsspiTraceRecord *records = calloc(EVENTS_MAX, sizeof(*records));
    for (unsigned i = 0; records && i < used && i < EVENTS_MAX; i++) {
        if (atomic_load_explicit(&timeline->events[i].ready, memory_order_acquire))
            records[count++] = timeline->events[i].record;
    }
    if (records)
        qsort(records, count, sizeof(records[0]), compare_events);
    *ret_count = count;
    return records;
}

/* Turns events into calls; the caller frees the rows. */
static struct row *make_rows(struct timeline *timeline, const struct timeline_legs *legs,
                             unsigned *ret_count)
{
    unsigned events;
    OsspiTraceRecord *records = sort_events(timeline, &events);
    struct row *rows = calloc(ROWS_MAX, sizeof(*rows));
    *ret_count = 0;
    for (unsigned i = 0; rows && i < events; i++)
        apply(rows, ret_count, &records[i]);
    free(records);
    unsigned leg = 0;
    for (unsigned i = 0; rows && i < *ret_count; i++) {
        if (rows[i].kind != OsspiCallInitializeContext)
            continue;
        if (leg < legs->count && leg < TIMELINE_LEGS)
            rows[i].leg = &legs->legs[leg];
        rows[i].number = ++leg;
    }
    return rows;
}

static const char *kind_name(OsspiCallKind kind)
{
    switch (kind) {
    case OsspiCallAcquireCredentials:
        return "acquire credential";
    case OsspiCallInitializeContext:
        return "initialize context";
    case OsspiCallAcceptContext:
        return "accept context";
    case OsspiCallDeleteContext:
        return "delete context";
    case OsspiCallFreeCredentials:
        return "free credential";
    case OsspiCallGetCertificateChain:
        return "certificate chain";
    case OsspiCallBackground:
        return "background";
    case OsspiCallChangePassword:
        return "change password";
    default:
        return "call";
    }
}

/* The name that the library gave to a thread, while it still runs. */
static void thread_name(uint32_t thread, char *buffer, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%u/comm", thread);
    FILE *file = fopen(path, "re");
    buffer[0] = '\0';
    if (file && fgets(buffer, (int)size, file))
        buffer[strcspn(buffer, "\n")] = '\0';
    if (file)
        fclose(file);
}

static int64_t microseconds(const struct timeline *timeline, uint64_t time_ns)
{
    return time_ns ? ((int64_t)time_ns - (int64_t)timeline->zero_ns) / 1000 : -1;
}

static void print_time(FILE *stream, int64_t us)
{
    if (us < 0)
        fprintf(stream, " %8s", "-");
    else
        fprintf(stream, " %8lld", (long long)us);
}

static void print_row(FILE *stream, const struct timeline *timeline, const struct row *row)
{
    char name[48], thread[32];
    thread_name(row->thread, thread, sizeof(thread));
    if (row->leg)
        snprintf(name, sizeof(name), "leg %u: %u in, %u out", row->number, row->leg->input,
                 row->leg->output);
    else
        snprintf(name, sizeof(name), "%s", kind_name(row->kind));
    fprintf(stream, "  %-26s", name);
    print_time(stream, microseconds(timeline, row->queued));
    print_time(stream, microseconds(timeline, row->started));
    print_time(stream, microseconds(timeline, row->done));
    if (row->thread != 0)
        fprintf(stream, "  %-16s %-7u", thread, row->thread);
    else
        fprintf(stream, "  %-24s", "-");
    fprintf(stream, " %s\n", row->done ? text_status(row->status) : "pending");
}

void timeline_print(FILE *stream, struct timeline *timeline, const struct timeline_legs *legs)
{
    unsigned count = 0;
    struct row *rows = make_rows(timeline, legs, &count);
    fprintf(stream, "asynchronous calls (microseconds from the start; this thread is %d)\n",
            (int)gettid());
    fprintf(stream, "  %-26s %8s %8s %8s  %-24s %s\n", "call", "queued", "started", "done",
            "on thread", "status");
    for (unsigned i = 0; i < count; i++)
        print_row(stream, timeline, &rows[i]);
    free(rows);
}

static json_t *row_json(const struct timeline *timeline, const struct row *row)
{
    char thread[32];
    thread_name(row->thread, thread, sizeof(thread));
    json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:s}", "call", kind_name(row->kind),
                               "queued_us", (json_int_t)microseconds(timeline, row->queued),
                               "started_us", (json_int_t)microseconds(timeline, row->started),
                               "done_us", (json_int_t)microseconds(timeline, row->done),
                               "thread_id", (json_int_t)row->thread, "thread", thread, "status",
                               row->done ? text_status(row->status) : "pending");
    if (object && row->leg) {
        json_object_set_new(object, "input", json_integer(row->leg->input));
        json_object_set_new(object, "output", json_integer(row->leg->output));
    }
    return object;
}

json_t *timeline_json(struct timeline *timeline, const struct timeline_legs *legs)
{
    unsigned count = 0;
    struct row *rows = make_rows(timeline, legs, &count);
    json_t *array = json_array();
    for (unsigned i = 0; array && i < count; i++)
        json_array_append_new(array, row_json(timeline, &rows[i]));
    free(rows);
    return array;
}

static unsigned legs_kept(const struct timeline_legs *legs)
{
    return legs->count < TIMELINE_LEGS ? legs->count : TIMELINE_LEGS;
}

void timeline_print_legs(FILE *stream, int64_t zero_us, const struct timeline_legs *legs)
{
    fputs("synchronous calls (microseconds from the start, all on this thread)\n", stream);
    fprintf(stream, "  %-26s %8s %8s  %s\n", "call", "begun", "done", "status");
    for (unsigned i = 0; i < legs_kept(legs); i++) {
        const struct timeline_leg *leg = &legs->legs[i];
        char name[48];
        snprintf(name, sizeof(name), "leg %u: %u in, %u out", i + 1, leg->input, leg->output);
        fprintf(stream, "  %-26s", name);
        print_time(stream, leg->begin_us - zero_us);
        print_time(stream, leg->end_us - zero_us);
        fprintf(stream, "  %s\n", text_status(leg->status));
    }
}

json_t *timeline_legs_json(int64_t zero_us, const struct timeline_legs *legs)
{
    json_t *array = json_array();
    for (unsigned i = 0; array && i < legs_kept(legs); i++) {
        const struct timeline_leg *leg = &legs->legs[i];
        json_array_append_new(array, json_pack("{s:s, s:I, s:I, s:s, s:i, s:i}", "call",
                                               "initialize context", "begun_us",
                                               (json_int_t)(leg->begin_us - zero_us), "done_us",
                                               (json_int_t)(leg->end_us - zero_us), "status",
                                               text_status(leg->status), "input", (int)leg->input,
                                               "output", (int)leg->output));
    }
    return array;
}
