/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One connection of `sspi serve`.
 *
 * peer.c      lifetime, reading, time limits, requests and answers
 * peer_tls.c  handshake legs, sealing and opening of records
 *
 * A peer is freed when nothing refers to it any more: `holds` counts its two libuv handles, a leg
 * that runs on a worker, a file read, and writes under way. Whatever happens to the connection,
 * the buffers of a leg stay where they are until the leg's callback has come.
 */
#ifndef SSPI_TOOL_PEER_H
#define SSPI_TOOL_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <sspi.h>

#include "bytes.h"
#include "http.h"
#include "server.h"

#define PEER_WIRE_LIMIT 65536 /* received and not yet opened; reading stops above it */

enum peer_state {
    PEER_HANDSHAKE,
    PEER_OPEN,
    PEER_CLOSING, /* our close_notify or alert is being made and sent */
    PEER_LINGER,  /* all is sent; waits for the other side to close */
    PEER_DROPPED  /* handles closed; waits for the last hold */
};

enum peer_leg { PEER_LEG_NONE, PEER_LEG_HANDSHAKE, PEER_LEG_POST, PEER_LEG_SHUTDOWN };

struct peer {
    struct server *server;
    struct peer *previous, *next;
    uv_tcp_t tcp;
    uv_timer_t timer;
    unsigned holds;
    enum peer_state state;
    bool reading;
    char name[64]; /* address:port */

    /* TLS */
    CtxtHandle context; /* all-ones: none yet */
    SspiAsyncContext *call;
    enum peer_leg leg; /* the leg that is pending */
    bool starved;      /* nothing can be done with `wire` until more comes */
    SecBuffer in[3], out[1];
    SecBufferDesc in_desc, out_desc;
    ULONG attributes;
    SecPkgContext_StreamSizes sizes;
    struct bytes wire; /* received; not to be touched while a leg is pending */

    /* HTTP */
    struct bytes plain; /* opened, not yet read as a request */
    struct http_request request;
    struct http_response response;
    bool responding;
    size_t head_sent;
    uint64_t body_sent;
    unsigned char *record; /* header, data, trailer of the record being sent */
    size_t record_len;     /* data bytes in it */
    uv_fs_t file_read;
    uv_write_t record_write;
};

/** Accepts a connection that the listener has; the peer looks after itself from then on. */
void peer_accept(struct server *server);

/** Ends a connection in order: close_notify, then the other side's end. */
void peer_finish(struct peer *peer);

/** Ends a connection now. why (may be NULL) goes to the log. */
void peer_drop(struct peer *peer, const char *why);

/* --- Between peer.c and peer_tls.c --- */

void peer_hold(struct peer *peer);
void peer_release(struct peer *peer);

/** Gives the peer so long for what its state asks of it. */
void peer_set_deadline(struct peer *peer, unsigned ms);

/** Goes on with whatever can be done now; called after every event. */
void peer_advance(struct peer *peer);

/** All that we had to say is sent: shut down our direction and wait for the other's. */
void peer_linger(struct peer *peer);

/** Makes the asynchronous context. */
bool peer_tls_init(struct peer *peer);

/** Starts a leg on the bytes at hand (none for a shutdown); peer_advance is called when it is done.
 */
void peer_tls_leg(struct peer *peer, enum peer_leg leg);

/** Opens one record; its plaintext goes to `plain`. May set `starved`, start a leg, or end the
 * peer. */
void peer_tls_open(struct peer *peer);

/** Bytes of plaintext that fit into one record. */
size_t peer_tls_room(const struct peer *peer);

/** Where the plaintext of the next record goes; NULL if there is no memory. */
unsigned char *peer_tls_data(struct peer *peer);

/** Seals what is at peer_tls_data and sends it; done runs when it is sent. False: cannot seal. */
bool peer_tls_send(struct peer *peer, size_t len, uv_write_cb done);

/** Asks for a close_notify and starts its leg; false if there is nothing to say it with. */
bool peer_tls_shutdown(struct peer *peer);

/** Gives up the context. While a leg is pending (its outputs are the library's) it only cancels
 * that; the leg's callback calls this again. */
void peer_tls_clear(struct peer *peer);

#endif
