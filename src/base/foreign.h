/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Calls into foreign code that takes locks of its own, and fork().
 *
 * Some locks of the TLS library belong to the whole process and are taken for a moment in nearly
 * every call. A fork that meets one held leaves it held in the child for ever, and nobody can free
 * it there. So fork() waits until no thread of ours is inside such a call, and holds back those
 * that want in. Calls are short (a step of a handshake); in case one is not, fork() waits for two
 * seconds at most.
 *
 * Only short calls go between enter and leave: never one that may wait for a network or a device.
 */
#ifndef OSSPI_BASE_FOREIGN_H
#define OSSPI_BASE_FOREIGN_H

/** From here on fork() waits for this thread; may sleep while a fork is going on. Nests. */
void osspi_foreign_enter(void);

/** Ends what the matching enter began; the last one of a thread lets fork() go on. */
void osspi_foreign_leave(void);

#endif
