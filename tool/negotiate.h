/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * `sspi connect --negotiate URL`: a page for which one has to say who one is (RFC 4559).
 */
#ifndef SSPI_TOOL_NEGOTIATE_H
#define SSPI_TOOL_NEGOTIATE_H

#include <stdbool.h>

#include "login.h"
#include "secured.h"
#include "stream.h"

#define NEGOTIATE_PATH_SIZE   4096
#define NEGOTIATE_TARGET_SIZE 300

struct net_address;

/** What the command line asks for. */
struct negotiate_options {
    struct login_options login;
    bool delegate;
    bool clear;                         /* http, not https */
    char path[NEGOTIATE_PATH_SIZE];     /* with the query */
    char target[NEGOTIATE_TARGET_SIZE]; /* service/host */
};

/** How it went. */
struct negotiate_outcome {
    int code;           /* exit code; what went wrong has been said */
    char why[256];      /* in words, "" if nothing did */
    int status;         /* of HTTP; 0: none */
    bool authenticated; /* then `secured` is set */
    struct secured secured;
};

/** Takes a URL apart; NULL, or what is wrong with it. The port is the scheme's if it has none. */
const char *negotiate_split(const char *url, struct net_address *ret_address,
                            struct negotiate_options *ret_options);

/**
 * Gets the page over a connection that stands, and writes it to standard output once the server has
 * proved who it is.
 *
 * @param host       with the port, as it stands in the URL
 * @param timeout_ms for each answer, and for each leg
 * @param ret_outcome [out] set in any case
 * @return how the connection ended; STREAM_OK: it is still there
 */
enum stream_result negotiate_run(const struct negotiate_options *options, struct stream *stream,
                                 const char *host, unsigned timeout_ms,
                                 struct negotiate_outcome *ret_outcome);

#endif
