/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The paths of OsspiConfigure; see paths.h. Setting is serialised by OsspiConfigure's lock;
 * reading needs none. Certificate stores may be opened while somebody still configures, so a path
 * that was replaced stays where it is: there are as many of them as calls of OsspiConfigure.
 */
#include "base/paths.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

struct path {
    struct path *older; /* what it replaced; keeps that in reach, no more */
    bool given;
    char text[];
};

static _Atomic(struct path *) trust_file;
static _Atomic(struct path *) trust_dir;
static _Atomic(struct path *) state_dir;

static struct path *path_new(const char *text)
{
    size_t len = text ? strlen(text) : 0;
    struct path *path = osspi_alloc(sizeof(*path) + len + 1);

    if (!path)
        return NULL;
    path->given = text != NULL;
    if (len > 0)
        memcpy(path->text, text, len);
    return path;
}

static void publish(_Atomic(struct path *) *place, struct path *path)
{
    path->older = atomic_load_explicit(place, memory_order_relaxed);
    atomic_store_explicit(place, path, memory_order_release);
}

bool osspi_paths_set(const char *file, const char *dir, const char *state)
{
    struct path *file_path = path_new(file);
    struct path *dir_path = path_new(dir);
    struct path *state_path = path_new(state);

    if (!file_path || !dir_path || !state_path) {
        osspi_free(file_path);
        osspi_free(dir_path);
        osspi_free(state_path);
        return false;
    }
    publish(&trust_file, file_path);
    publish(&trust_dir, dir_path);
    publish(&state_dir, state_path);
    return true;
}

static const char *read_path(_Atomic(struct path *) *place)
{
    const struct path *path = atomic_load_explicit(place, memory_order_acquire);

    return path && path->given ? path->text : NULL;
}

const char *osspi_path_trust_file(void)
{
    return read_path(&trust_file);
}

const char *osspi_path_trust_dir(void)
{
    return read_path(&trust_dir);
}

const char *osspi_path_state_dir(void)
{
    return read_path(&state_dir);
}
