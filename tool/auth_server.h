/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The server of `sspi auth serve`: one libuv loop with one completion queue in it, many peers.
 * Everything is on the loop's thread; legs and deletes go to the library's workers as asynchronous
 * calls, so that whatever a package waits for holds up nobody else.
 */
#ifndef SSPI_TOOL_AUTH_SERVER_H
#define SSPI_TOOL_AUTH_SERVER_H

#include <stdbool.h>

#include <uv.h>

#include <opensspi.h>
#include <sspi.h>

#include "auth.h"

#define AUTH_SCRATCH_SIZE 65536

struct auth_peer;

struct auth_server {
    const struct auth_serve_options *options;
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_signal_t interrupt, terminate;
    uv_poll_t completions;
    uv_timer_t end;
    CredHandle credential;
    OsspiCompletionQueue *queue;
    struct auth_peer *peers;
    unsigned peer_count;
    bool connection_waits; /* one is there, and no place for it yet */
    bool stopping;
    char scratch[AUTH_SCRATCH_SIZE]; /* what is read goes through here */
};

/** A line about a peer on standard output; what came from it is escaped. */
void auth_server_say(const char *peer_name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Takes waiting connections in as long as there is room. */
void auth_server_admit(struct auth_server *server);

/** A peer is gone for good. */
void auth_server_forget(struct auth_server *server, struct auth_peer *peer);

/* --- auth_peer.c --- */

/** Accepts a connection that the listener has; the peer looks after itself from then on. */
void auth_peer_accept(struct auth_server *server);

/** Ends a connection now. why (may be NULL) is printed. */
void auth_peer_drop(struct auth_peer *peer, const char *why);

/** The list of peers. */
struct auth_peer *auth_peer_next(struct auth_peer *peer);
void auth_peer_link(struct auth_server *server, struct auth_peer *peer);
void auth_peer_unlink(struct auth_server *server, struct auth_peer *peer);

#endif
