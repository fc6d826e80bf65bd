/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The list of packages; see registry.h.
 *
 * Built-in packages are entered on first use, because their sizes are constants of other files.
 * Entries are written under the lock and published by the count; what the count covers is constant.
 */
#include "packages/registry.h"

#include <stdatomic.h>

#include "base/lock.h"
#include "base/memory.h"

#define MAX_PACKAGES 16u

extern const struct osspi_package osspi_schannel_package;  /* packages/schannel */
extern const struct osspi_package osspi_negotiate_package; /* packages/gssapi, with the two below */
extern const struct osspi_package osspi_kerberos_package;
extern const struct osspi_package osspi_ntlm_package;
extern const struct osspi_package osspi_credssp_package; /* packages/credssp */

static const struct osspi_package *const built_in[] = {
    &osspi_schannel_package, &osspi_negotiate_package, &osspi_kerberos_package,
    &osspi_ntlm_package,     &osspi_credssp_package,
};

static struct osspi_lock registry_lock;
static struct osspi_object_class
    classes[MAX_PACKAGES];           /* guarded by registry_lock, then constant */
static _Atomic uint32_t class_count; /* 0: nothing entered yet */

static uint32_t enter_locked(uint32_t index, const struct osspi_package *package)
{
    classes[index] = (struct osspi_object_class){
        .package = package,
        .package_index = (uint8_t)index,
        .cred_size = package->cred_size,
        .ctx_size = package->ctx_size,
        .clear_credential = package->clear_credential,
        .clear_context = package->clear_context,
    };
    return index + 1;
}

static uint32_t count_locked(void)
{
    uint32_t count = atomic_load_explicit(&class_count, memory_order_relaxed);

    if (count > 0)
        return count;
    for (size_t i = 0; i < OSSPI_COUNT_OF(built_in); i++)
        count = enter_locked(count, built_in[i]);
    atomic_store_explicit(&class_count, count, memory_order_release);
    return count;
}

uint32_t osspi_package_count(void)
{
    uint32_t count = atomic_load_explicit(&class_count, memory_order_acquire);

    if (count > 0)
        return count;
    OSSPI_LOCKED(&registry_lock);
    return count_locked();
}

const struct osspi_package *osspi_package_at(uint32_t index)
{
    return index < osspi_package_count() ? classes[index].package : NULL;
}

const struct osspi_object_class *osspi_package_class(const struct osspi_package *package)
{
    uint32_t count = osspi_package_count();

    for (uint32_t i = 0; i < count; i++) {
        if (classes[i].package == package)
            return &classes[i];
    }
    return NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Not strcasecmp: with a Turkish locale "I" is not the capital of "i" there. */
bool osspi_package_same_name(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

const char *osspi_package_name_at(const struct osspi_package *package, size_t index)
{
    if (index == 0)
        return package->name;
    if (!package->aliases)
        return NULL;
    for (size_t i = 0; i < index; i++) {
        if (!package->aliases[i])
            return NULL;
    }
    return package->aliases[index - 1];
}

static bool has_name(const struct osspi_package *package, const char *name)
{
    const char *candidate;

    for (size_t i = 0; (candidate = osspi_package_name_at(package, i)) != NULL; i++) {
        if (osspi_package_same_name(candidate, name))
            return true;
    }
    return false;
}

const struct osspi_package *osspi_package_find(const char *name)
{
    uint32_t count = osspi_package_count();

    for (uint32_t i = 0; i < count; i++) {
        if (has_name(classes[i].package, name))
            return osspi_package_present(classes[i].package) ? classes[i].package : NULL;
    }
    return NULL;
}

bool osspi_package_present(const struct osspi_package *package)
{
    return !package->present || package->present();
}

bool osspi_package_add(const struct osspi_package *package)
{
    uint32_t count;

    OSSPI_LOCKED(&registry_lock);
    count = count_locked();
    if (count >= MAX_PACKAGES)
        return false;
    atomic_store_explicit(&class_count, enter_locked(count, package), memory_order_release);
    return true;
}
