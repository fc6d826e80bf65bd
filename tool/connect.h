/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Between cmd_connect.c, which makes connections, and connect_report.c, which tells of them.
 */
#ifndef SSPI_TOOL_CONNECT_H
#define SSPI_TOOL_CONNECT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "facts.h"
#include "negotiate.h"
#include "net.h"
#include "stream.h"
#include "timeline.h"

/** What the command line asks for. */
struct connect_options {
    struct net_address address;
    const char *ca;
    const char *name; /* that the server must prove; default: the host */
    const char *alpn;
    struct tls_options tls;
    unsigned timeout_ms;
    unsigned repeat;
    bool insecure, send, sync, json, quiet;
    bool negotiate; /* get a page of HTTP, as `page` says */
    struct negotiate_options page;
};

/** How it went. */
struct connect_outcome {
    int code;                  /* exit code */
    const char *stage;         /* what was being done: "connect", "handshake", ... */
    enum stream_result result; /* how that ended */
    char why[256];             /* in words, "" if the status says it all */
    char detail[512];          /* what the library kept with the context */
    struct facts facts;
    json_t *chain; /* with --json */
    int64_t zero_us, handshake_us;
    uint64_t sent, received;       /* bytes of plaintext, with --send */
    struct negotiate_outcome page; /* with --negotiate */
};

/** Explains a failure on standard error. */
void connect_complain(const struct connect_options *options, struct stream *stream,
                      const struct connect_outcome *outcome);

/** Prints the facts and the peer's chain while the context is there. */
void connect_print(FILE *out, const struct connect_options *options, struct stream *stream,
                   const struct connect_outcome *outcome);

/** With --negotiate, once that is over: who we were for whom. */
void connect_print_page(FILE *out, const struct connect_options *options,
                        const struct connect_outcome *outcome);

/** Prints one line about one of several connections. */
void connect_print_line(FILE *out, unsigned number, const struct connect_outcome *outcome);

/** Prints everything as one JSON object; false if it could not. */
bool connect_print_json(FILE *out, const struct connect_options *options, struct stream *stream,
                        struct connect_outcome *outcome, json_t *repeats,
                        struct timeline *timeline);

#endif
