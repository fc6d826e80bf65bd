/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One connection of `sspi auth serve`, between auth_peer.c (socket and life), auth_peer_leg.c (who
 * is there) and auth_peer_line.c (what he says). Everything is on the loop's thread; only what is
 * marked belongs to the library while a leg is pending.
 */
#ifndef SSPI_TOOL_AUTH_PEER_H
#define SSPI_TOOL_AUTH_PEER_H

#include "auth_server.h"
#include "bytes.h"
#include "delegated.h"
#include "secured.h"

struct auth_peer {
    struct auth_server *server;
    struct auth_peer *previous, *next;
    uv_tcp_t tcp;
    uv_timer_t timer;
    unsigned holds; /* two libuv handles, a leg on a worker, writes under way */
    char name[64];  /* address:port */
    bool dropped, reading;
    bool closing; /* refused: what is still to be sent goes out, and what comes is thrown away */
    uv_shutdown_t shutdown;
    struct bytes wire;  /* received */
    struct bytes plain; /* AUTH_STREAM: opened; lines */
    bool starved;       /* AUTH_STREAM: what is in `wire` is no whole record */

    SspiAsyncContext *call;
    CtxtHandle context; /* all-ones: none yet */
    bool pending;       /* a leg; then the rest up to `attributes` is the library's */
    struct bytes token; /* the leg's input */
    SecBuffer in[2], out[1];
    SecBufferDesc in_desc, out_desc;
    ULONG attributes;
    bool established;
    struct secured secured;
    SecPkgContext_StreamSizes sizes; /* AUTH_STREAM */
};

static inline bool auth_peer_streams(const struct auth_peer *peer)
{
    return peer->server->options->package->wire == AUTH_STREAM;
}

/* --- auth_peer.c --- */

/** Sends bytes, which it takes over. */
void auth_peer_send(struct auth_peer *peer, struct bytes *bytes);

/** Ends a connection when what is being sent has gone, or after a while. */
void auth_peer_close(struct auth_peer *peer);

/** Restarts the timer: the next line has this time to come. */
void auth_peer_wait_for_line(struct auth_peer *peer);

/** Goes on with whatever can be done now; called after every event. */
void auth_peer_advance(struct auth_peer *peer);

/** Drops a reference. */
void auth_peer_release(struct auth_peer *peer);

/* --- auth_peer_leg.c --- */

/** Makes the call object; false: no memory. */
bool auth_peer_leg_init(struct auth_peer *peer);

/** Begins a leg on bytes, which it copies. */
void auth_peer_leg(struct auth_peer *peer, const void *token, size_t len);

/* --- auth_peer_line.c --- */

/** Tells the client who he is. */
void auth_peer_greet(struct auth_peer *peer);

/** Takes the sealed line in a frame's content. */
void auth_peer_take_frame(struct auth_peer *peer, void *message, size_t len);

/** Takes a line, or opens a record. False: more has to come. */
bool auth_peer_take_record(struct auth_peer *peer);

#endif
