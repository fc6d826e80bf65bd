/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Somebody between a client and a server of CredSSP: ends the client's TLS, has a connection of its
 * own to the server, and sees every TSRequest in the clear. What it does with them is a test's
 * affair. One thread.
 */
#ifndef OSSPI_TESTS_CREDSSP_RELAY_H
#define OSSPI_TESTS_CREDSSP_RELAY_H

#include "credssp/duet.h"
#include "packages/credssp/request.h"

struct relay;

/** A message on its way; number counts those of its direction, from 1. May change it; set
 * relay->raw to send these bytes instead, or relay->drop to send nothing. */
typedef void relay_hook(struct relay *relay, bool from_client, unsigned number,
                        struct osspi_ts_request *request);

struct relay {
    struct duet duet;          /* the true ends */
    struct peer_end near, far; /* the relay's: towards the client, towards the server */
    bool near_done, far_done;
    relay_hook *hook; /* NULL: nothing */
    const void *data; /* for the hook */
    unsigned from_client, from_server;
    struct osspi_bytes raw;
    bool drop;
    bool saw_credentials; /* the client has sent authInfo */
};

/** With a certificate of the relay's; "server": it has stolen the server's own. */
void relay_open(struct relay *relay, const struct duet_setup *setup, const char *certificate);
/** Until nothing moves. True: both ends are established. */
bool relay_run(struct relay *relay);
void relay_close(struct relay *relay);

/** Sends bytes as application data to one of the true ends, and lets it answer. */
void relay_inject(struct relay *relay, bool to_server, const void *bytes, size_t len);

#endif
