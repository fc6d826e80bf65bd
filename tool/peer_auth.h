/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Who speaks on a connection of `sspi serve --auth`.
 *
 * Authentication belongs to the connection: the legs of one exchange come in successive requests,
 * and once it has succeeded all requests of this connection, and of no other, are its user's, until
 * one brings a token again. A connection over which a proxy has passed on a request may be shared
 * by several clients (RFC 4559 6): there a login is good for its own request only. Each leg is
 * SspiAcceptSecurityContextAsync with the bindings of the TLS connection; what it works on stays
 * where it is until its callback has come, which holds the peer.
 *
 * Everything in here is on the loop's thread.
 */
#ifndef SSPI_TOOL_PEER_AUTH_H
#define SSPI_TOOL_PEER_AUTH_H

#include <stdbool.h>

#include "answer.h"
#include "bytes.h"

struct peer;

/** The verdict on a request: 0 = let it in, or the HTTP status to answer. */
typedef void peer_auth_done(struct peer *peer, int refusal);

/** Makes peer->auth; NULL, or why it cannot. The handshake is done. */
const char *peer_auth_start(struct peer *peer);

/**
 * Judges a request by the value of its Authorization field.
 *
 * @param value      NULL if there is none
 * @param keep_alive more requests may follow on this connection
 * @param forwarded  it has come through a proxy
 * @param done       called once, perhaps before this returns; never if the connection goes first
 */
void peer_auth_check(struct peer *peer, const struct bytes *value, bool keep_alive, bool forwarded,
                     peer_auth_done *done);

/** The user's name, "user@REALM" or "DOMAIN\user"; NULL: nobody yet. */
const char *peer_auth_user(const struct peer *peer);

/** Adds challenges and tokens to the answer to the request that was judged last. */
bool peer_auth_add(struct peer *peer, struct answer *answer);

/** The connection is gone: gives up a leg that is pending. */
void peer_auth_drop(struct peer *peer);

/** Frees peer->auth; no leg is pending. */
void peer_auth_clear(struct peer *peer);

#endif
