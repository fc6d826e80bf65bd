/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A peer program (openssl, gnutls-cli ...) as a child: what it is told, what it has said.
 *
 * Its standard output and error come in one stream, in the order in which it wrote them. The kernel
 * kills it when this program ends, however that happens; when this program fails, what the child
 * has said is printed. One thread per object.
 */
#ifndef OSSPI_TESTS_INTEROP_PROCESS_H
#define OSSPI_TESTS_INTEROP_PROCESS_H

#include <poll.h>
#include <sys/types.h>

#include "support/tls_peer.h"

#define INTEROP_ARGUMENTS 48

struct interop_process {
    pid_t pid;                 /* 0: none, or waited for */
    int in, out;               /* its stdin, its stdout and stderr; -1: closed; never block */
    struct peer_stream orders; /* for its stdin, not yet taken */
    bool ends;                 /* behind the orders its stdin ends */
    struct peer_stream said;   /* everything that it has written, from mark on */
};

/** Ends this program with 77 (1 where peers are required) if the command is not there. */
void interop_need(const char *program);

/** Starts a command; the words end with NULL. */
void interop_start(struct interop_process *process, const char *const words[]);
/** Ends it if it still runs, and frees all memory. */
void interop_stop(struct interop_process *process);
/** Waits for it to end by itself and gives its exit status; its output is read meanwhile. */
int interop_join(struct interop_process *process);

/** Queues text for its stdin. */
void interop_tell(struct interop_process *process, const void *text, size_t len);
void interop_tell_line(struct interop_process *process, const char *line);
/** Ends its stdin, as soon as it has taken all that is queued. */
void interop_tell_end(struct interop_process *process);

/** Has it said this? */
bool interop_said(const struct interop_process *process, const char *text);
/** The same for bytes. */
bool interop_said_bytes(const struct interop_process *process, const void *bytes, size_t len);
/** Forgets what it has said so far. */
void interop_forget(struct interop_process *process);

/** For poll: fills two entries (fd -1: nothing to wait for), and handles what poll has found. */
void interop_poll_prepare(const struct interop_process *process, struct pollfd items[2]);
void interop_poll_handle(struct interop_process *process, const struct pollfd items[2]);

/** Waits until the process has said this. */
void interop_await(struct interop_process *process, const char *text);
/** Waits for a whole line that begins so (or has it inside) and gives it from there on. */
void interop_await_line(struct interop_process *process, const char *start, char *line,
                        size_t size);

#endif
