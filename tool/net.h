/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Plain TCP for the client side: host and port from one argument, connecting within a time limit.
 */
#ifndef SSPI_TOOL_NET_H
#define SSPI_TOOL_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_HOST_SIZE 256
#define NET_PORT_SIZE 8

struct net_address {
    char host[NET_HOST_SIZE];
    char port[NET_PORT_SIZE];
};

/**
 * Splits HOST, HOST:PORT, [IPv6], [IPv6]:PORT, or a bare IPv6 address.
 *
 * @return false if host is empty or too long, or the port is not 1 to 65535
 */
bool net_split(const char *text, const char *default_port, struct net_address *ret_address);

/**
 * Connects, trying every address of the host in turn.
 *
 * @param deadline_ms [in]  monotonic time (net_now_ms) at which to give up
 * @param why         [out] on failure, the reason in words
 * @return a non-blocking socket, or -1
 */
int net_connect(const struct net_address *address, int64_t deadline_ms, char *why, size_t why_size);

/** Monotonic time. */
int64_t net_now_ms(void);
int64_t net_now_us(void);

/** Milliseconds until the deadline, as poll wants them: 0 if it has passed. */
int net_left_ms(int64_t deadline_ms);

#endif
