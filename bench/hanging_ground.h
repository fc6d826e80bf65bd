/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What bench_hanging stands on: a folder, a KDC that never answers, a realm whose KDC does, and a
 * token. Made by the parent before the sides are forked; each of them inherits the sockets of the
 * silent KDC, which is nothing but these sockets.
 */
#ifndef BENCH_HANGING_GROUND_H
#define BENCH_HANGING_GROUND_H

#include <stdbool.h>

#include "common.h"

#define GROUND_REALM   "OPENSSPI.TEST"
#define GROUND_SILENT  "SILENT.TEST"
#define GROUND_TARGET  "HTTP/server.test" /* of the live realm */
#define GROUND_HANGING "HTTP/silent.test" /* of the silent one */
#define GROUND_PIN     "1234"
#define GROUND_REQUEST 16 /* calls of one realm that the library lets run at once */

/** Makes the folder, which goes with the program, the silent KDC, and a configuration with both
 * realms. */
void ground_make(void);

/** Starts the KDC of the live realm, which ends with the program. False, with words on standard
 * error: MIT's programs are missing. Ends the program if that is no excuse. */
bool ground_realm(void);

/** Makes a token with the certificates' keys; certs: their folder. As above. */
bool ground_token(const char *certs);

/** A side's own part: its replay cache, and with token its copy of the token, because each login
 * writes to it. Called in the side's process before the library's first call. */
void ground_side(bool token);

/** URI of the key of that kind in the token. The result is constant. */
const char *ground_key(bool rsa);

/** Forgets all requests to the silent KDC. */
void ground_silent_drain(void);

/** Waits until so many requests have come to it since it was drained. */
void ground_silent_await(unsigned requests);

#endif
