/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Allocations and thread starts that fail on demand; see failing_alloc.h. All state is atomic.
 */
#include "support/failing_alloc.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

static _Atomic uint64_t asked;
static _Atomic uint64_t fail_at;
static atomic_bool fail_all;
static atomic_bool hit;
static void (*_Atomic free_watcher)(void *);

static _Atomic uint32_t threads_to_fail;
static _Atomic uint32_t threads_asked;
static _Atomic uint32_t threads_refused;

/* The linker's names: __wrap_x is what callers of x get, __real_x is x. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *data);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void __wrap_free(void *memory);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *data);

static bool must_fail(void)
{
    uint64_t number = atomic_fetch_add(&asked, 1) + 1;

    if (!atomic_load(&fail_all) && number != atomic_load(&fail_at))
        return false;
    atomic_store(&hit, true);
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return must_fail() ? NULL : __real_realloc(memory, size);
}

void __wrap_free(void *memory)
{
    void (*watcher)(void *) = atomic_load(&free_watcher);

    if (watcher && memory)
        watcher(memory);
    __real_free(memory);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *data)
{
    uint32_t left = atomic_load(&threads_to_fail);

    atomic_fetch_add(&threads_asked, 1);
    while (left > 0) {
        if (left == UINT32_MAX || atomic_compare_exchange_weak(&threads_to_fail, &left, left - 1)) {
            atomic_fetch_add(&threads_refused, 1);
            return EAGAIN;
        }
    }
    return __real_pthread_create(thread, attributes, function, data);
}

void failing_alloc_nth(uint64_t nth)
{
    atomic_store(&fail_all, false);
    atomic_store(&fail_at, 0);
    atomic_store(&asked, 0);
    atomic_store(&hit, false);
    atomic_store(&fail_at, nth);
}

void failing_alloc_all(void)
{
    failing_alloc_nth(0);
    atomic_store(&fail_all, true);
}

uint64_t failing_alloc_count(void)
{
    return atomic_load(&asked);
}

bool failing_alloc_hit(void)
{
    return atomic_load(&hit);
}

void failing_alloc_watch_free(void (*function)(void *memory))
{
    atomic_store(&free_watcher, function);
}

void failing_threads(uint32_t count)
{
    atomic_store(&threads_to_fail, count);
}

uint32_t failing_threads_asked(void)
{
    return atomic_load(&threads_asked);
}

uint32_t failing_threads_refused(void)
{
    return atomic_load(&threads_refused);
}
