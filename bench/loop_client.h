/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The client of the loop bench: a process that opens many TLS connections at once with libssl.
 */
#ifndef BENCH_LOOP_CLIENT_H
#define BENCH_LOOP_CLIENT_H

#include <netinet/in.h>
#include <sys/types.h>

#include "tls_raw.h"

struct loop_client {
    pid_t pid;
    int orders, answers; /* answers: readable when all waves of an order are done, or it ended */
};

/** Starts the process; the caller has not used OpenSSL yet. Ends the program on failure. */
void loop_client_start(struct loop_client *client, const struct sockaddr_in *address,
                       const struct bench_tls *tls, unsigned connections, unsigned waves);

/** All connections at once, so many times as there are waves. */
void loop_client_go(struct loop_client *client);

/** Until the answer; ends the program if the client failed. */
void loop_client_await(struct loop_client *client);

#endif
