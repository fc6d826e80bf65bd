/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * `sspi auth`: two sides that authenticate over TCP and then talk under seal.
 *
 * cmd_auth.c          the command line
 * auth_client.c       `sspi auth connect`
 * auth_client_tls.c   the same over a package that is TLS itself
 * auth_server.c       `sspi auth serve`: listener and limits
 * auth_peer.c         one of its connections
 * auth_peer_leg.c     who is there: its legs
 * auth_peer_line.c    what he says: its lines
 * auth_wire.c         frames, and what is sealed in them
 *
 * On the wire everything is a frame: its length in four bytes, the most significant first, and then
 * as many bytes. Both sides know what a frame is: a token, as long as their context is not
 * established, then a sealed message. A side that refuses closes the connection.
 *
 * CredSSP has no frames: its tokens are a stream of TLS records, and what is said afterwards is
 * text in further records of it, each line with its newline.
 */
#ifndef SSPI_TOOL_AUTH_H
#define SSPI_TOOL_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sspi.h>

#include "bytes.h"
#include "login.h"
#include "net.h"
#include "tls.h"

#define AUTH_FRAME_MAX 131072 /* bytes of a frame's content: twice the longest token */
#define AUTH_LINE_MAX  65536  /* bytes under one seal */

/** How tokens and lines travel. */
enum auth_wire {
    AUTH_FRAMES, /* each in a frame */
    AUTH_STREAM  /* as the package makes them: TLS */
};

/** A package that the command can speak. */
struct auth_package {
    const char *word; /* on the command line */
    const char *name; /* the library's */
    enum auth_wire wire;
};

/** NULL if there is none of this name. */
const struct auth_package *auth_package_find(const char *word);

struct auth_connect_options {
    const struct auth_package *package;
    struct net_address address;
    struct login_options login;
    const char *target;      /* NULL: host/HOST, or TERMSRV/HOST */
    const char *ca;          /* AUTH_STREAM: roots to judge the server's certificate by, or NULL */
    const char *server_name; /* AUTH_STREAM: the name in it, or NULL */
    struct tls_options tls;  /* AUTH_STREAM */
    bool delegate, mutual;
    unsigned deadline_ms;
    bool sync, json, quiet;
};

struct auth_serve_options {
    const struct auth_package *package;
    struct tls_options tls; /* AUTH_STREAM */
    const char *address;
    unsigned port;            /* 0: any */
    unsigned deadline_ms;     /* for an authentication */
    unsigned idle_ms;         /* between two lines */
    unsigned max_connections; /* at a time */
    unsigned seconds;         /* stop after this time; 0: run until a signal */
};

/** Both return an exit code; errors have been reported. */
int auth_connect(const struct auth_connect_options *options);
int auth_serve(const struct auth_serve_options *options);

/* --- auth_wire.c --- */

/** Appends a frame; false if it is too long or there is no memory. */
bool auth_frame_put(struct bytes *to, const void *content, size_t len);

enum auth_frame { AUTH_FRAME_MORE, AUTH_FRAME_WHOLE, AUTH_FRAME_BAD };

/** Looks whether a frame stands at the beginning of what was received. Nothing is consumed.
 *
 * @param ret_len [out] with AUTH_FRAME_WHOLE: bytes of its content, which begins behind
 * AUTH_FRAME_HEAD bytes
 */
#define AUTH_FRAME_HEAD 4
enum auth_frame auth_frame_find(const struct bytes *from, size_t *ret_len);

/** Seals up to AUTH_LINE_MAX bytes into a frame. SEC_E_OK or why not. */
SECURITY_STATUS auth_seal(PCtxtHandle context, const void *text, size_t len, struct bytes *to);

/** Opens a frame's content in place; *ret_text points into it. */
SECURITY_STATUS auth_open(PCtxtHandle context, void *message, size_t len, const char **ret_text,
                          size_t *ret_len);

#endif
