/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * nginx as a peer: one process in the foreground with a folder of its own, started by the test and
 * gone with it. The test holds its port with a socket that does not listen (SO_REUSEPORT lets nginx
 * in beside it), so that nobody else can have it. Works as root and as any other user.
 */
#ifndef OSSPI_TESTS_INTEROP_NGINX_H
#define OSSPI_TESTS_INTEROP_NGINX_H

#include "interop_wire.h"

struct interop_nginx {
    struct interop_process process;
    char folder[64]; /* its prefix; "files" in it is what it serves */
    uint16_t port;
    int holder; /* the socket that holds the port */
};

/**
 * Starts nginx with one server.
 *
 * @param listens   words behind the port of its listen directive: "ssl" or ""
 * @param settings  what else stands in the server block; format and arguments as of printf. Further
 *                  blocks on the same port say "include listen.conf;"
 */
void interop_nginx_start(struct interop_nginx *nginx, const char *listens, const char *settings,
                         ...) __attribute__((format(printf, 3, 4)));
/** Ends it and removes its folder. */
void interop_nginx_stop(struct interop_nginx *nginx);

/** Settings of a certificate and its key, from the test certificates; the prefix is that of the
 * directives: "ssl" or "proxy_ssl". */
const char *interop_nginx_certificate(char *text, size_t size, const char *prefix,
                                      const char *name);

/* ---- nginx as a client ---- */

/**
 * Starts nginx in front of a server of the test.
 *
 * @param port     the server's; nginx verifies it with the test CA
 * @param version  as nginx calls it
 * @param name     the one that it asks for and expects
 */
void interop_nginx_start_proxy(struct interop_nginx *nginx, uint16_t port, const char *version,
                               const char *name);
/** Sends it a request, which it passes on while the user's socket is open. */
void interop_nginx_ask(const struct interop_nginx *nginx, struct interop_wire *user);
/** Our server's handshake with it must end well, and the request come in. */
void interop_nginx_must_believe(struct interop_wire *wire);

#endif
