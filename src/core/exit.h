/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The end of the process, and what libraries do at both ends of a thread of ours.
 *
 * Handlers of atexit() run in reverse order. Ours has to run before that of any library whose code
 * our threads may be in, so it is armed again behind each such library's initialisation; it does
 * its work once.
 */
#ifndef OSSPI_CORE_EXIT_H
#define OSSPI_CORE_EXIT_H

/** Registers the exit handler behind everything that has registered one so far. */
void osspi_exit_arm(void);

/** What the handler calls; the engine's. */
void osspi_exit_set_hook(void (*hook)(void));

/**
 * Lets a library make ready what it keeps for the calling thread, at the beginning of a worker: no
 * call has to wait for it then.
 */
void osspi_thread_begin(void);

/** What osspi_thread_begin() calls; the TLS side's. */
void osspi_thread_begin_set_hook(void (*hook)(void));

/**
 * Lets a library drop what it keeps for the calling thread, at the end of a thread of ours. Its own
 * destructor would run too, but after the thread counts as ended, and perhaps during the exit.
 */
void osspi_thread_end(void);

/** What osspi_thread_end() calls; the TLS side's. */
void osspi_thread_end_set_hook(void (*hook)(void));

#endif
