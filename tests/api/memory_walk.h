/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One walk through everything a connection does, in which allocations may fail while the library
 * runs. Used by the tests of our own allocations and of the TLS library's; each says how to arm.
 */
#ifndef OSSPI_TESTS_API_MEMORY_WALK_H
#define OSSPI_TESTS_API_MEMORY_WALK_H

#include "support/tls_peer.h"

/** What the test brings: arm() is called before the library is entered, disarm() behind it. */
struct memory_hooks {
    void (*arm)(void);
    void (*disarm)(void);
};

/** The form (index as in peer_forms) with the hooks around each call; the asynchronous one makes
 * its context outside of them. One walk at a time. */
const struct peer_form *memory_form(size_t index, const struct memory_hooks *hooks);

/** Credentials, handshake, attributes, data both ways, shutdown, end. The server has this
 * certificate; the client verifies it if it is to. Stops at the first failure and returns it;
 * everything is freed in any case. */
SECURITY_STATUS memory_walk(const struct peer_form *form, const struct memory_hooks *hooks,
                            DWORD protocols, const char *certificate, bool verify);

/** One message between two established ends, with the hooks around sealing and opening, and the
 * legs for what is no data in between. Works on whatever waits at `to` as well. */
SECURITY_STATUS memory_tell(struct peer_end *from, struct peer_end *to);

/** The token and the leg that end a connection, with the hooks around both. */
SECURITY_STATUS memory_shut(struct peer_end *end);

/** No credential, no context and no call is left behind. */
void memory_require_nothing_left(void);

#endif
