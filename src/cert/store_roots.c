/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The system's trusted roots as a store; see store_system.h and roots.h. Thread-safe: no state of
 * its own.
 *
 * Files and folders are those that the TLS library reads when it verifies, by the same rules; of a
 * folder only the names that `openssl rehash` makes count, because those are what it looks up.
 */
#include "cert/roots.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/paths.h"
#include "cert/file.h"
#include "cert/pem.h"
#include "cert/store_system.h"

#define PATH_SIZE 4096

static void dir_closep(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

void osspi_roots_paths(const char **ret_file, const char **ret_dir)
{
    *ret_file = osspi_path_trust_file();
    *ret_dir = osspi_path_trust_dir();
    if (*ret_file || *ret_dir)
        return;
    /* A program with more rights than its caller does not let the caller choose whom it trusts. */
    *ret_file = secure_getenv(X509_get_default_cert_file_env());
    *ret_dir = secure_getenv(X509_get_default_cert_dir_env());
    if (!*ret_file)
        *ret_file = X509_get_default_cert_file();
    if (!*ret_dir)
        *ret_dir = X509_get_default_cert_dir();
}

/* What does not parse is no root. */
static SECURITY_STATUS add_root(struct osspi_der_view der, void *data)
{
    struct osspi_store *store = data;
    struct osspi_certificate *certificate osspi_auto(osspi_certificate_unrefp) = NULL;
    struct osspi_element *element osspi_auto(osspi_element_unrefp) = NULL;
    struct osspi_element *added osspi_auto(osspi_element_unrefp) = NULL;
    SECURITY_STATUS status = osspi_certificate_make(der, NULL, 0, &certificate);

    if (status == SEC_E_UNKNOWN_CREDENTIALS || osspi_store_count(store) >= OSSPI_ROOTS_MAX)
        return SEC_E_OK;
    if (status != SEC_E_OK)
        return status;
    element = osspi_element_new(certificate);
    if (!element)
        return SEC_E_INSUFFICIENT_MEMORY;
    return osspi_store_add(store, element, CERT_STORE_ADD_USE_EXISTING, &added);
}

static SECURITY_STATUS only_memory(SECURITY_STATUS status)
{
    return status == SEC_E_INSUFFICIENT_MEMORY ? status : SEC_E_OK;
}

static SECURITY_STATUS add_file(struct osspi_store *store, const char *path)
{
    struct osspi_secret content osspi_auto(osspi_secret_clear) = {0};
    SECURITY_STATUS status = osspi_file_read_plain(path, OSSPI_ROOTS_MAX_LEN, &content);

    if (status == SEC_E_OK)
        status =
            osspi_pem_visit((struct osspi_der_view){content.bytes, content.len}, add_root, store);
    return only_memory(status);
}

/* Eight digits of the name's hash, a dot, and a number. */
static bool is_hashed(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");
    size_t number = digits == 8 && name[8] == '.' ? strspn(name + 9, "0123456789") : 0;

    return number > 0 && name[9 + number] == '\0';
}

static SECURITY_STATUS add_dir(struct osspi_store *store, const char *path)
{
    DIR *dir osspi_auto(dir_closep) = opendir(path);
    SECURITY_STATUS status = SEC_E_OK;
    const struct dirent *entry;
    char file[PATH_SIZE];

    for (size_t i = 0; dir && status == SEC_E_OK && i < OSSPI_FOLDER_MAX_NAMES; i++) {
        entry = readdir(dir);
        if (!entry)
            break;
        if (!is_hashed(entry->d_name) ||
            snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) >= (int)sizeof(file))
            continue;
        status = add_file(store, file);
    }
    return status;
}

/* A list of folders, as the TLS library takes it: parted by colons. */
static SECURITY_STATUS add_dirs(struct osspi_store *store, const char *list)
{
    char *copy osspi_auto(osspi_freep) = osspi_strdup(list);
    SECURITY_STATUS status = copy ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
    char *rest = copy;

    while (rest && status == SEC_E_OK) {
        const char *dir = strsep(&rest, ":");

        if (dir[0] != '\0')
            status = add_dir(store, dir);
    }
    return status;
}

SECURITY_STATUS osspi_roots_load(struct osspi_store *store)
{
    const char *file;
    const char *dir;
    SECURITY_STATUS status = SEC_E_OK;

    osspi_roots_paths(&file, &dir);
    if (file)
        status = add_file(store, file);
    if (dir && status == SEC_E_OK)
        status = add_dirs(store, dir);
    return status;
}
