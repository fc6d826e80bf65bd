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
 * Only short calls go between enter and leave: never one that may wait for a network or a device,
 * unless the thread says so (osspi_foreign_set_slow).
 */
#ifndef OSSPI_BASE_FOREIGN_H
#define OSSPI_BASE_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>

/** From here on fork() waits for this thread; may sleep while a fork is going on. Nests. */
void osspi_foreign_enter(void);

/** Ends what the matching enter began; the last one of a thread lets fork() go on. */
void osspi_foreign_leave(void);

/**
 * For a callback of foreign code that has to wait for a network or a device, where it is known that
 * no lock of that code is held: fork() does not wait for this thread until osspi_foreign_resume(),
 * however often it has entered. In a child that is forked meanwhile nobody is inside.
 *
 * @return how often it had entered, for osspi_foreign_resume(); 0, where neither does anything.
 */
unsigned osspi_foreign_pause(void);
void osspi_foreign_resume(unsigned entered);

/**
 * For foreign code that waits for a device somewhere inside, where nobody can say when: as long as
 * a thread is slow, fork() waits for it a twentieth of a second at most, however deep it is in.
 * That is far longer than any lock is held, and shorter than people notice when a device hangs.
 *
 * @return what it was before, to be set again
 */
bool osspi_foreign_set_slow(bool slow);

/** Puts back what osspi_foreign_set_slow() returned; for OSSPI_FOREIGN_SLOW. */
void osspi_foreign_restore(bool *slow);

/** Marks the calling thread as one of the library's own, to its end. */
void osspi_foreign_own_thread(void);

/**
 * For the end of the process, when the foreign code's own end follows: from here on threads of the
 * library's own do not get in any more, and stay where they want in. Waits until no other thread
 * is inside, be it slow or not. False: the deadline has passed.
 */
bool osspi_foreign_end(uint64_t deadline_ns);

/** To the end of the block this thread is slow. */
#define OSSPI_FOREIGN_SLOW \
    __attribute__((unused, cleanup(osspi_foreign_restore))) bool osspi_foreign_slow_ = \
        osspi_foreign_set_slow(true)

#endif
