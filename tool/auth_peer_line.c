/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A connection of `sspi auth serve` whose client is known: what he says is printed, and said again
 * to him. Over frames a line is a sealed message, over TLS it ends with a newline.
 */
#include <stdio.h>
#include <string.h>

#include "auth_peer.h"
#include "record.h"
#include "text.h"

#define RECORDS_MAX 65536 /* bytes of a record that is not whole: TLS has none that long */

static void say(struct auth_peer *peer, const char *text, size_t len)
{
    struct bytes bytes = {0};
    SECURITY_STATUS status;
    if (auth_peer_streams(peer)) {
        status = record_seal(&peer->context, &peer->sizes, text, len, &bytes);
        if (status == SEC_E_OK)
            status = record_seal(&peer->context, &peer->sizes, "\n", 1, &bytes);
    } else {
        status = auth_seal(&peer->context, text, len, &bytes);
    }
    if (status == SEC_E_OK) {
        auth_peer_send(peer, &bytes);
        return;
    }
    bytes_clear(&bytes);
    auth_peer_drop(peer, text_status(status));
}

void auth_peer_greet(struct auth_peer *peer)
{
    char line[sizeof(peer->secured.client) + sizeof(peer->secured.package) + 32];
    int len = snprintf(line, sizeof(line), "you are %s, by %s", peer->secured.client,
                       peer->secured.package);
    say(peer, line, (size_t)len);
    if (!peer->dropped)
        auth_peer_wait_for_line(peer);
}

static void take_line(struct auth_peer *peer, const char *text, size_t len)
{
    if (len == 0) {
        auth_peer_drop(peer, "an empty line");
        return;
    }
    auth_server_say(peer->name, "%s says: %.*s", peer->secured.client, (int)len, text);
    say(peer, text, len);
    if (!peer->dropped)
        auth_peer_wait_for_line(peer);
}

void auth_peer_take_frame(struct auth_peer *peer, void *message, size_t len)
{
    const char *text;
    size_t text_len;
    SECURITY_STATUS status = auth_open(&peer->context, message, len, &text, &text_len);
    if (status != SEC_E_OK)
        auth_peer_drop(peer, text_status(status));
    else
        take_line(peer, text, text_len);
}

/* A line that has come in whole, if there is one. */
static bool take_plain_line(struct auth_peer *peer)
{
    const char *text = (const char *)peer->plain.data;
    const char *end = text ? memchr(text, '\n', peer->plain.len) : NULL;
    size_t len = end ? (size_t)(end - text) : peer->plain.len;
    if (len > AUTH_LINE_MAX) {
        auth_peer_drop(peer, "a line is too long");
        return true;
    }
    if (!end)
        return false;
    take_line(peer, text, len);
    bytes_consume(&peer->plain, len + 1);
    return true;
}

static void open_record(struct auth_peer *peer)
{
    SECURITY_STATUS status = record_open(&peer->context, &peer->wire, &peer->plain);
    switch (status) {
    case SEC_E_OK:
        break;
    case SEC_E_INCOMPLETE_MESSAGE:
        peer->starved = true;
        if (peer->wire.len > RECORDS_MAX)
            auth_peer_drop(peer, "a record is too long");
        break;
    case SEC_I_RENEGOTIATE: /* new keys, say: a leg reads it */
        auth_peer_leg(peer, peer->wire.data, peer->wire.len);
        break;
    case SEC_I_CONTEXT_EXPIRED:
        auth_server_say(peer->name, "has gone");
        auth_peer_drop(peer, NULL);
        break;
    default:
        auth_peer_drop(peer, text_status(status));
    }
}

bool auth_peer_take_record(struct auth_peer *peer)
{
    if (take_plain_line(peer))
        return true;
    if (peer->wire.len == 0 || peer->starved)
        return false;
    open_record(peer);
    return true;
}
