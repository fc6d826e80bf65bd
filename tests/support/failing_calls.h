/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Calls of the C library and the kernel that fail on demand.
 *
 * A program that uses this links the static library with osspi_test_calls (tests/support): the
 * linker then sends these calls of the library and of the test through here. Shared libraries (the
 * C library, the TLS library) are not affected; tests/fault/test_fault_seccomp.c is for those.
 *
 * All state is atomic; counting is exact when one thread makes the call in question at a time.
 */
#ifndef OSSPI_TESTS_SUPPORT_FAILING_CALLS_H
#define OSSPI_TESTS_SUPPORT_FAILING_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum failing_call {
    FAILING_OPEN,
    FAILING_READ,
    FAILING_WRITE,
    FAILING_FSTAT,
    FAILING_STAT,
    FAILING_FOPEN,
    FAILING_FGETS,
    FAILING_EVENTFD,
    FAILING_GETRANDOM,
    FAILING_AFFINITY, /* sched_getaffinity */
    FAILING_SYSCONF,
    FAILING_ATTR_INIT,  /* pthread_attr_init */
    FAILING_STACK_SIZE, /* pthread_attr_setstacksize */
    FAILING_THREAD,     /* pthread_create */
    FAILING_NAME,       /* pthread_setname_np */
    FAILING_LOCALTIME,  /* localtime_r */
    FAILING_ATEXIT,
    FAILING_ATFORK, /* before main(); see failing_calls.c */
    FAILING_FUTEX,  /* syscall(SYS_futex), the waits */
    FAILING_OPENAT,
    FAILING_FSYNC,
    FAILING_LINKAT,
    FAILING_RENAMEAT,
    FAILING_UNLINKAT,
    FAILING_CALLS /* how many there are */
};

#define FAILING_ALWAYS UINT32_MAX

/**
 * Lets a call fail from now on.
 *
 * @param call  which
 * @param error its errno, or what it returns where that is how it fails
 * @param skip  so many succeed first
 * @param count then so many fail; FAILING_ALWAYS: all; 0: none any more
 */
void failing_call(enum failing_call call, int error, uint32_t skip, uint32_t count);

/** Calls that failed since failing_call() was called for it. */
uint32_t failing_call_hits(enum failing_call call);

/** Everything succeeds again, in one piece. */
void failing_calls_end(void);

/** read(), write() and getrandom() do at most so many bytes at a time; 0: as many as there are. */
void failing_calls_short(size_t most);

/** What setfsuid(-1) answers; (uid_t)-1: the truth. */
void failing_calls_fsuid(uid_t uid);

#endif
