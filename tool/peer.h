/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One connection of `sspi serve`.
 *
 * peer.c      lifetime, reading, time limits
 * peer_tls.c  handshake legs, sealing and opening of records
 * peer_h1.c   HTTP/1.1 over it
 * peer_h2.c   HTTP/2 over it
 * peer_auth.c who speaks, with HTTP/1.1 only
 *
 * A peer is freed when nothing refers to it any more: `holds` counts its two libuv handles, a leg
 * that runs on a worker, an exchange that waits for a file, and writes under way. Whatever happens
 * to the connection, the buffers of a leg stay where they are until the leg's callback has come.
 */
#ifndef SSPI_TOOL_PEER_H
#define SSPI_TOOL_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <sspi.h>

#include "bytes.h"
#include "server.h"

#define PEER_WIRE_LIMIT 65536 /* received and not yet opened; reading stops above it */

enum peer_state {
    PEER_HANDSHAKE,
    PEER_OPEN,
    PEER_CLOSING, /* our close_notify or alert is being made and sent */
    PEER_LINGER,  /* all is sent; waits for the other side to close */
    PEER_DROPPED  /* handles closed; waits for the last hold */
};

struct peer;

/** What a protocol does with a connection once the handshake is done. All on the loop's thread. */
struct peer_protocol {
    /** Makes peer->protocol_state; false if there is no memory. */
    bool (*start)(struct peer *peer);
    /** Takes plaintext from peer->plain, which is not empty. */
    void (*feed)(struct peer *peer);
    /** Everything that came has been fed, or a leg is done: sends what can be sent. */
    void (*flush)(struct peer *peer);
    /** The deadline is over. */
    void (*timeout)(struct peer *peer);
    /** Answers what was asked for, and then ends the connection. */
    void (*stop)(struct peer *peer);
    /** The connection is gone: what no thread has begun need not be done. State may be missing. */
    void (*drop)(struct peer *peer);
    /** Frees the state; nothing is under way any more. */
    void (*clear)(struct peer *peer);
};

extern const struct peer_protocol peer_h1, peer_h2;

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
    bool local;    /* it is on this machine: its address is a loopback one */

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

    struct peer_auth *auth; /* who speaks; NULL where nobody needs to say, and in the handshake */

    /* What is inside. */
    struct bytes plain;                   /* opened, not yet fed to the protocol */
    const struct peer_protocol *protocol; /* NULL until the handshake is done */
    void *protocol_state;
    bool blocked;          /* the protocol takes nothing more for now, so nothing is read */
    unsigned char *record; /* header, data, trailer of the record being sent */
    uv_write_t record_write;
};

/** Accepts a connection that the listener has; the peer looks after itself from then on. */
void peer_accept(struct server *server);

/** Ends a connection in order: close_notify, then the other side's end. */
void peer_finish(struct peer *peer);

/** The server stops: ends a connection in order, answers under way first. */
void peer_stop(struct peer *peer);

/** Ends a connection now. why (may be NULL) goes to the log. */
void peer_drop(struct peer *peer, const char *why);

/* --- Between the parts of a peer --- */

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
