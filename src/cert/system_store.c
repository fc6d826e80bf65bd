/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Where the system's stores are, and own certificates by thumbprint; see system_store.h and
 * store_system.h. Thread-safe: no state of its own.
 *
 * A program with more rights than its caller does not let the caller choose the places: hence
 * secure_getenv, and the home directory of the effective user where the environment does not count.
 */
#include "cert/system_store.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/paths.h"
#include "cert/encode.h"
#include "cert/store_system.h"

#define PASSWD_SIZE 16384

/* ---- places ---- */

static char *join(const char *folder, const char *rest)
{
    size_t size = strlen(folder) + strlen(rest) + 2;
    char *path = osspi_alloc(size);

    if (path)
        snprintf(path, size, "%s/%s", folder, rest);
    return path;
}

/* An environment variable that names an absolute path. */
static const char *place_in(const char *variable)
{
    const char *value = secure_getenv(variable);

    return value && value[0] == '/' ? value : NULL;
}

static SECURITY_STATUS as_path(char *path, char **ret_path)
{
    *ret_path = path;
    return path ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static SECURITY_STATUS path_from_passwd(char **ret_path)
{
    char *buffer osspi_auto(osspi_freep) = osspi_alloc(PASSWD_SIZE);
    struct passwd entry;
    struct passwd *found = NULL;

    if (!buffer)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (getpwuid_r(geteuid(), &entry, buffer, PASSWD_SIZE, &found) != 0 || !found ||
        found->pw_dir[0] != '/')
        return CRYPT_E_NOT_FOUND;
    return as_path(join(found->pw_dir, ".local/share/opensspi/my"), ret_path);
}

/* XDG Base Directory Specification: relative paths do not count. */
static SECURITY_STATUS user_path(char **ret_path)
{
    const char *place = place_in("XDG_DATA_HOME");

    if (place)
        return as_path(join(place, "opensspi/my"), ret_path);
    place = place_in("HOME");
    if (place)
        return as_path(join(place, ".local/share/opensspi/my"), ret_path);
    return path_from_passwd(ret_path);
}

static SECURITY_STATUS machine_path(char **ret_path)
{
    const char *state = osspi_path_state_dir();

    return as_path(join(state ? state : OSSPI_STATE_DIR, "my"), ret_path);
}

enum osspi_system_kind osspi_system_store_kind(const char *name)
{
    if (strcasecmp(name, "MY") == 0)
        return OSSPI_SYSTEM_OWN;
    if (strcasecmp(name, "ROOT") == 0 || strcasecmp(name, "CA") == 0)
        return OSSPI_SYSTEM_ROOTS;
    return OSSPI_SYSTEM_NONE;
}

SECURITY_STATUS osspi_system_store_folder(bool machine, struct osspi_folder *ret_folder)
{
    char *path = NULL;
    SECURITY_STATUS status = machine ? machine_path(&path) : user_path(&path);

    if (status == SEC_E_OK)
        *ret_folder = (struct osspi_folder){path, machine};
    return status;
}

/* ---- by thumbprint ---- */

struct hunt {
    const uint8_t *sha1;
    PCCERT_CONTEXT context;
    SECURITY_STATUS status;
};

static bool hunt_file(const struct osspi_folder_entry *entry, void *data)
{
    struct hunt *hunt = data;

    for (size_t i = 0; i < entry->count; i++) {
        struct osspi_certificate *certificate = entry->elements[i]->certificate;

        if (certificate->key.len == 0 ||
            memcmp(certificate->sha1, hunt->sha1, sizeof(certificate->sha1)) != 0)
            continue;
        hunt->status = osspi_context_with_chain(certificate, &hunt->context);
        return false;
    }
    if (entry->status == SEC_E_INSUFFICIENT_MEMORY)
        hunt->status = entry->status; /* it might have been this one */
    return hunt->status == SEC_E_OK;
}

/* First under the name that the library gives its files, then everywhere. */
static SECURITY_STATUS hunt_folder(const struct osspi_folder *folder, struct hunt *hunt)
{
    char name[2 * 20 + sizeof(".pem")];
    SECURITY_STATUS status;

    osspi_encode_hex(hunt->sha1, 20, name);
    memcpy(name + 40, ".pem", sizeof(".pem"));
    status = osspi_folder_read(folder, name, hunt_file, hunt);
    if (status == SEC_E_OK && hunt->status == SEC_E_OK && !hunt->context)
        status = osspi_folder_walk(folder, hunt_file, hunt, NULL);
    return status == SEC_E_OK ? hunt->status : status;
}

SECURITY_STATUS osspi_system_store_find(bool machine, const char *store, const uint8_t sha1[20],
                                        PCCERT_CONTEXT *ret_context)
{
    struct osspi_folder folder osspi_auto(osspi_folder_clear) = {0};
    struct hunt hunt = {.sha1 = sha1, .status = SEC_E_OK};
    SECURITY_STATUS status = SEC_E_NO_CREDENTIALS;

    if (!store || !store[0] || osspi_system_store_kind(store) == OSSPI_SYSTEM_OWN)
        status = osspi_system_store_folder(machine, &folder);
    if (status == SEC_E_OK)
        status = hunt_folder(&folder, &hunt);
    if (hunt.context) {
        *ret_context = hunt.context;
        return SEC_E_OK;
    }
    return status == SEC_E_INSUFFICIENT_MEMORY ? status : SEC_E_NO_CREDENTIALS;
}

/* ---- all of them ---- */

struct collection {
    PCCERT_CONTEXT *contexts; /* owned, each too */
    size_t count;
    size_t capacity;
    SECURITY_STATUS status;
};

static void collection_clear(struct collection *collection)
{
    osspi_system_store_free(collection->contexts, collection->count);
}

static bool reserve(struct collection *collection)
{
    size_t capacity = collection->capacity ? 2 * collection->capacity : 8;
    PCCERT_CONTEXT *grown;

    if (collection->count < collection->capacity)
        return true;
    grown = osspi_alloc_array(capacity, sizeof(*grown));
    if (!grown)
        return false;
    for (size_t i = 0; i < collection->count; i++)
        grown[i] = collection->contexts[i];
    osspi_free(collection->contexts);
    collection->contexts = grown;
    collection->capacity = capacity;
    return true;
}

static bool has(const struct collection *collection, const struct osspi_certificate *certificate)
{
    for (size_t i = 0; i < collection->count; i++) {
        const struct osspi_cert_context *one = osspi_context_from(collection->contexts[i]);

        if (osspi_certificate_equal(one->element->certificate, certificate))
            return true;
    }
    return false;
}

static SECURITY_STATUS collect(struct collection *collection, struct osspi_certificate *certificate)
{
    SECURITY_STATUS status;

    if (certificate->key.len == 0 || has(collection, certificate))
        return SEC_E_OK;
    if (!reserve(collection))
        return SEC_E_INSUFFICIENT_MEMORY;
    status = osspi_context_with_chain(certificate, &collection->contexts[collection->count]);
    if (status == SEC_E_OK)
        collection->count++;
    return status;
}

static bool collect_file(const struct osspi_folder_entry *entry, void *data)
{
    struct collection *collection = data;

    for (size_t i = 0; i < entry->count && collection->status == SEC_E_OK; i++)
        collection->status = collect(collection, entry->elements[i]->certificate);
    if (entry->status == SEC_E_INSUFFICIENT_MEMORY)
        collection->status = entry->status;
    return collection->status == SEC_E_OK;
}

/* A folder that is missing or not to be trusted has nothing to give. */
static SECURITY_STATUS collect_folder(struct collection *collection, bool machine)
{
    struct osspi_folder folder osspi_auto(osspi_folder_clear) = {0};
    SECURITY_STATUS status = osspi_system_store_folder(machine, &folder);

    if (status == SEC_E_OK)
        status = osspi_folder_walk(&folder, collect_file, collection, NULL);
    if (status == SEC_E_INSUFFICIENT_MEMORY)
        return status;
    return collection->status;
}

SECURITY_STATUS osspi_system_store_own(PCCERT_CONTEXT **ret_contexts, size_t *ret_count)
{
    struct collection collection osspi_auto(collection_clear) = {.status = SEC_E_OK};
    SECURITY_STATUS status = collect_folder(&collection, false);

    if (status == SEC_E_OK)
        status = collect_folder(&collection, true);
    if (status != SEC_E_OK)
        return status;
    *ret_count = collection.count;
    *ret_contexts = OSSPI_TAKE(collection.contexts);
    collection.count = 0;
    return SEC_E_OK;
}

void osspi_system_store_free(PCCERT_CONTEXT *contexts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        CertFreeCertificateContext(contexts[i]);
    osspi_free(contexts);
}
