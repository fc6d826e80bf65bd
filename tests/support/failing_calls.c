/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Calls that fail on demand; see failing_calls.h. All state is atomic.
 *
 * What is called before main() fails when OSSPI_FAIL_ATFORK is in the environment.
 */
#include "support/failing_calls.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

struct fault {
    _Atomic uint32_t skip;
    _Atomic uint32_t count;
    _Atomic int error;
    _Atomic uint32_t hits;
};

static struct fault faults[FAILING_CALLS]; /* atomic */
static _Atomic size_t most_bytes;          /* 0: no limit */
static _Atomic uid_t false_uid = (uid_t)-1;

void failing_call(enum failing_call call, int error, uint32_t skip, uint32_t count)
{
    struct fault *fault = &faults[call];

    atomic_store(&fault->count, 0);
    atomic_store(&fault->hits, 0);
    atomic_store(&fault->error, error);
    atomic_store(&fault->skip, skip);
    atomic_store(&fault->count, count);
}

uint32_t failing_call_hits(enum failing_call call)
{
    return atomic_load(&faults[call].hits);
}

void failing_calls_end(void)
{
    for (int i = 0; i < FAILING_CALLS; i++)
        atomic_store(&faults[i].count, 0);
    failing_calls_short(0);
    failing_calls_fsuid((uid_t)-1);
}

void failing_calls_short(size_t most)
{
    atomic_store(&most_bytes, most);
}

void failing_calls_fsuid(uid_t uid)
{
    atomic_store(&false_uid, uid);
}

static bool take_one(_Atomic uint32_t *left)
{
    uint32_t seen = atomic_load(left);

    while (seen > 0) {
        if (seen == FAILING_ALWAYS || atomic_compare_exchange_weak(left, &seen, seen - 1))
            return true;
    }
    return false;
}

/* True, with errno set: this call is one that fails. */
static bool fails(enum failing_call call)
{
    struct fault *fault = &faults[call];

    if (atomic_load(&fault->count) == 0 || take_one(&fault->skip) || !take_one(&fault->count))
        return false;
    atomic_fetch_add(&fault->hits, 1);
    errno = atomic_load(&fault->error);
    return true;
}

static size_t cut(size_t len)
{
    const size_t most = atomic_load(&most_bytes);

    return most > 0 && most < len ? most : len;
}

/* The linker's names: __wrap_x is what callers of x get, __real_x is x. */
#define WRAPPED(type, name, ...) \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

/* Without a mode: nobody here makes files through it but tests, which get a private one. */
int __wrap_open(const char *path, int flags, ...)
{
    return fails(FAILING_OPEN) ? -1 : __real_open(path, flags, 0600);
}

int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);

/* The same with a mode that is private. */
int __wrap_openat(int folder, const char *path, int flags, ...)
{
    return fails(FAILING_OPENAT) ? -1 : __real_openat(folder, path, flags, 0600);
}

WRAPPED(int, fsync, int fd)
{
    return fails(FAILING_FSYNC) ? -1 : __real_fsync(fd);
}

WRAPPED(int, linkat, int from, const char *old, int to, const char *name, int flags)
{
    return fails(FAILING_LINKAT) ? -1 : __real_linkat(from, old, to, name, flags);
}

WRAPPED(int, renameat, int from, const char *old, int to, const char *name)
{
    return fails(FAILING_RENAMEAT) ? -1 : __real_renameat(from, old, to, name);
}

WRAPPED(int, unlinkat, int folder, const char *name, int flags)
{
    return fails(FAILING_UNLINKAT) ? -1 : __real_unlinkat(folder, name, flags);
}

WRAPPED(ssize_t, read, int fd, void *bytes, size_t len)
{
    return fails(FAILING_READ) ? -1 : __real_read(fd, bytes, cut(len));
}

WRAPPED(ssize_t, write, int fd, const void *bytes, size_t len)
{
    return fails(FAILING_WRITE) ? -1 : __real_write(fd, bytes, cut(len));
}

WRAPPED(int, fstat, int fd, struct stat *facts)
{
    return fails(FAILING_FSTAT) ? -1 : __real_fstat(fd, facts);
}

WRAPPED(int, stat, const char *path, struct stat *facts)
{
    return fails(FAILING_STAT) ? -1 : __real_stat(path, facts);
}

WRAPPED(FILE *, fopen, const char *path, const char *mode)
{
    return fails(FAILING_FOPEN) ? NULL : __real_fopen(path, mode);
}

WRAPPED(char *, fgets, char *line, int size, FILE *file)
{
    return fails(FAILING_FGETS) ? NULL : __real_fgets(line, size, file);
}

WRAPPED(int, eventfd, unsigned count, int flags)
{
    return fails(FAILING_EVENTFD) ? -1 : __real_eventfd(count, flags);
}

WRAPPED(ssize_t, getrandom, void *bytes, size_t len, unsigned flags)
{
    return fails(FAILING_GETRANDOM) ? -1 : __real_getrandom(bytes, cut(len), flags);
}

WRAPPED(int, sched_getaffinity, pid_t pid, size_t size, cpu_set_t *set)
{
    return fails(FAILING_AFFINITY) ? -1 : __real_sched_getaffinity(pid, size, set);
}

WRAPPED(long, sysconf, int name)
{
    return fails(FAILING_SYSCONF) ? -1 : __real_sysconf(name);
}

WRAPPED(int, pthread_attr_init, pthread_attr_t *attributes)
{
    return fails(FAILING_ATTR_INIT) ? errno : __real_pthread_attr_init(attributes);
}

WRAPPED(int, pthread_attr_setstacksize, pthread_attr_t *attributes, size_t size)
{
    return fails(FAILING_STACK_SIZE) ? errno : __real_pthread_attr_setstacksize(attributes, size);
}

WRAPPED(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes,
        void *(*function)(void *), void *data)
{
    return fails(FAILING_THREAD) ? errno
                                 : __real_pthread_create(thread, attributes, function, data);
}

WRAPPED(int, pthread_setname_np, pthread_t thread, const char *name)
{
    return fails(FAILING_NAME) ? errno : __real_pthread_setname_np(thread, name);
}

WRAPPED(struct tm *, localtime_r, const time_t *when, struct tm *ret)
{
    return fails(FAILING_LOCALTIME) ? NULL : __real_localtime_r(when, ret);
}

WRAPPED(int, atexit, void (*function)(void))
{
    return fails(FAILING_ATEXIT) ? -1 : __real_atexit(function);
}

WRAPPED(int, pthread_atfork, void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    if (getenv("OSSPI_FAIL_ATFORK")) {
        atomic_fetch_add(&faults[FAILING_ATFORK].hits, 1);
        return ENOMEM;
    }
    return __real_pthread_atfork(prepare, parent, child);
}

WRAPPED(int, setfsuid, uid_t uid)
{
    const uid_t lie = atomic_load(&false_uid);

    return lie != (uid_t)-1 ? (int)lie : __real_setfsuid(uid);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* Six arguments, as the kernel takes; those that the caller did not give are not looked at. */
long __wrap_syscall(long number, ...)
{
    long values[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        values[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_futex && (values[1] & FUTEX_CMD_MASK) != FUTEX_WAKE && fails(FAILING_FUTEX))
        return -1;
    return __real_syscall(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}
