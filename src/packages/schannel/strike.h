/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The strike register (RFC 8446, 8.2): which ClientHellos have brought early data to this process
 * lately, so that none is taken twice. One register for all shards and credentials; bounded.
 *
 * How long "lately" is: OpenSSL takes early data only within ten seconds of the age that the client
 * gives for its ticket, so that what is older is no danger. What would make that a lie closes the
 * register, and early data are refused, while everything else goes on: it is full; the clock was
 * put back; or the ticket is older than the register, so that a process before this one (same
 * keys, started anew or forked from) may have had that ClientHello.
 *
 * It knows nothing of other processes and machines with the same ticket keys.
 * Thread-safe. Knows no TLS library.
 */
#ifndef OSSPI_SCHANNEL_STRIKE_H
#define OSSPI_SCHANNEL_STRIKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OSSPI_STRIKE_SIZE     16384u /* ClientHellos that are remembered, at most */
#define OSSPI_STRIKE_WINDOW_S 20     /* so long, at least */
#define OSSPI_STRIKE_ID       32u    /* bytes of what tells a ClientHello from others */

/** Seconds by both clocks of the machine: the one that people set, and the one that only grows. */
struct osspi_strike_time {
    int64_t wall, steady;
};

struct osspi_strike_time osspi_strike_now(void);

/** The register begins to remember, if it has not yet in this process. False: no memory. */
bool osspi_strike_start(const struct osspi_strike_time *now);

/**
 * May the early data of this ClientHello be taken? At most once for each id.
 *
 * @param[in] id      its random, which its binders protect
 * @param[in] issued  when the ticket was (unix seconds)
 */
bool osspi_strike(const uint8_t id[OSSPI_STRIKE_ID], int64_t issued,
                  const struct osspi_strike_time *now);

/** How many are remembered. */
uint32_t osspi_strike_count(void);

/** Forgets all of it and that it was started; for tests. */
void osspi_strike_reset(void);

#endif
