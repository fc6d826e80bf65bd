/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The HTTPS server of `sspi serve`: one libuv loop, one completion queue in it, many peers.
 *
 * Everything in here runs on the loop's thread. Handshake legs and deletes go to the library's
 * workers as asynchronous calls; their callbacks come back through the completion queue, whose
 * descriptor the loop polls. The loop's thread itself only seals and opens records.
 */
#ifndef SSPI_TOOL_SERVER_H
#define SSPI_TOOL_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <opensspi.h>
#include <sspi.h>

#include "http_auth.h"
#include "tls.h"

#define SERVER_SCRATCH_SIZE 65536

struct monitor;
struct peer;

struct server_options {
    const char *address;
    unsigned port; /* 0: any */
    unsigned max_connections;
    unsigned handshake_ms; /* a handshake must be done in this time */
    unsigned idle_ms; /* a request must arrive, and a chunk of the answer leave, in this time */
    unsigned seconds; /* stop after this time; 0: run until a signal */
    bool tickets;
    const char *status_path;     /* where the page about the server is; NULL: nowhere */
    bool status_any;             /* for every peer, not only for this machine's */
    bool allow_missing_bindings; /* clients need not tell on which connection they are */
    bool verbose;
};

struct server {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_signal_t interrupt, terminate, hangup;
    uv_work_t renewal; /* in use while `renewing` */
    bool renewing, renew_again;
    int renewed; /* exit code of the renewal */
    uv_poll_t completions;
    uv_timer_t end; /* --seconds, then the grace after a stop */
    struct server_options options;
    unsigned port; /* that it listens on */
    int root;      /* the directory served */
    CredHandle credential;
    bool authenticates;            /* clients have to say who they are */
    CredHandle auth[HTTP_SCHEMES]; /* to check that with; all-ones: this scheme is not offered */
    const struct tls_options *tls; /* what it was acquired with; read again on SIGHUP */
    OsspiCompletionQueue *queue;
    struct tls_alpn alpn;
    struct monitor *monitor; /* NULL without a status page */
    struct peer *peers;
    unsigned peer_count;
    unsigned files, files_limit; /* that exchanges have open or are about to open */
    bool connection_waits;       /* one is there, and no place for it yet */
    bool stopping;
    uint64_t connections, handshakes, failures, requests; /* since the start */
    char scratch[SERVER_SCRATCH_SIZE];                    /* what is read goes through here */
};

/**
 * Serves until a signal or the time limit.
 *
 * @param server [in] options, root, credential and alpn are set; the rest is zero
 * @return an exit code; errors have been reported
 */
int server_run(struct server *server);

/** Takes waiting connections in as long as there is room; a peer that leaves calls this. */
void server_admit(struct server *server);

/** A peer is gone for good. */
void server_forget(struct server *server, struct peer *peer);

/** With --verbose, one line about a peer. */
void server_log(const struct server *server, const char *peer_name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
