/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * From one file of a folder to its certificates; see store_file.h. Thread-safe: no state of its
 * own.
 *
 * Who may own a file, and who may touch it, is judged by the descriptor that is read. A file with a
 * key must be closed to everybody else; one without may be read by others, not written.
 */
#include "cert/store_file.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cert/file.h"
#include "cert/load.h"

static const struct {
    const char *ending;
    enum osspi_file_kind kind;
} endings[] = {
    {".pem", OSSPI_FILE_PEM}, {".crt", OSSPI_FILE_PEM}, {".cer", OSSPI_FILE_PEM},
    {".pfx", OSSPI_FILE_PFX}, {".p12", OSSPI_FILE_PFX}, {".key", OSSPI_FILE_KEY},
};

enum osspi_file_kind osspi_store_file_kind(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < OSSPI_COUNT_OF(endings); i++) {
        if (len > 4 && strcasecmp(name + len - 4, endings[i].ending) == 0)
            return endings[i].kind;
    }
    return OSSPI_FILE_OTHER;
}

char *osspi_store_file_key_name(const char *name)
{
    char *key = osspi_strdup(name);

    if (key)
        memcpy(key + strlen(key) - 4, ".key", 4);
    return key;
}

void osspi_folder_entry_clear(struct osspi_folder_entry *entry)
{
    for (size_t i = 0; i < entry->count; i++)
        osspi_element_unref(entry->elements[i]);
    entry->count = 0;
}

static SECURITY_STATUS refuse(struct osspi_folder_entry *entry, SECURITY_STATUS status,
                              const char *reason)
{
    entry->status = status;
    entry->reason = reason;
    return status;
}

/* In words, unless something nearer the cause has found better ones. */
static SECURITY_STATUS judge(struct osspi_folder_entry *entry, SECURITY_STATUS status)
{
    switch (status) {
    case SEC_E_OK:
        return refuse(entry, SEC_E_OK, NULL);
    case SEC_E_INSUFFICIENT_MEMORY:
        return refuse(entry, status, "there is no memory");
    case SEC_E_LOGON_DENIED:
        return refuse(entry, status, "it needs a password, and nobody is there to give one");
    case SEC_E_NO_CREDENTIALS:
        return refuse(entry, status, "its key belongs to no certificate in it");
    default:
        return refuse(entry, status, "it is damaged, or of an unknown kind");
    }
}

static SECURITY_STATUS check_owner(struct osspi_folder_entry *entry, const struct stat *facts,
                                   bool is_machine, bool has_key)
{
    if (facts->st_uid != geteuid() && !(is_machine && facts->st_uid == 0))
        return refuse(entry, SEC_E_NOT_OWNER, "it belongs to another user");
    if (has_key && (facts->st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return refuse(entry, SEC_E_NOT_OWNER, "it has a key and is open to others (chmod 600)");
    if ((facts->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return refuse(entry, SEC_E_NOT_OWNER, "others may write to it (chmod 600)");
    return SEC_E_OK;
}

static SECURITY_STATUS read_content(int folder, const char *name, size_t max_len,
                                    struct osspi_folder_entry *entry, struct stat *ret_facts,
                                    struct osspi_secret *ret_content)
{
    const char *reason = NULL;
    SECURITY_STATUS status =
        osspi_file_read_at(folder, name, max_len, ret_facts, &reason, ret_content);

    return status == SEC_E_OK ? status : refuse(entry, status, reason ? reason : "cannot be read");
}

/* The key beside a certificate without one. There may be none; that is no failure. */
static SECURITY_STATUS read_key_file(int folder, bool is_machine, struct osspi_folder_entry *entry,
                                     struct osspi_pem *pem)
{
    char *name osspi_auto(osspi_freep) = osspi_store_file_key_name(entry->name);
    struct osspi_secret content osspi_auto(osspi_secret_clear) = {0};
    struct stat facts;
    SECURITY_STATUS status;

    if (!name)
        return judge(entry, SEC_E_INSUFFICIENT_MEMORY);
    if (faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return SEC_E_OK;
    status = read_content(folder, name, OSSPI_FILE_MAX_LEN, entry, &facts, &content);
    if (status != SEC_E_OK)
        return refuse(entry, status, "its .key file cannot be used, or is a link");
    if (check_owner(entry, &facts, is_machine, true) != SEC_E_OK)
        return refuse(entry, SEC_E_NOT_OWNER,
                      "its .key file belongs to another user or is open to others (chmod 600)");
    status = judge(entry, osspi_pem_read((struct osspi_der_view){content.bytes, content.len},
                                         OSSPI_PEM_KEY, NULL, pem));
    entry->key_beside = status == SEC_E_OK && pem->key;
    return status;
}

static SECURITY_STATUS take_leaf(struct osspi_folder_entry *entry, const struct osspi_pem *pem)
{
    struct osspi_certificate *leaf osspi_auto(osspi_certificate_unrefp) = NULL;
    SECURITY_STATUS status = osspi_load_leaf(pem, &leaf);

    if (status != SEC_E_OK)
        return judge(entry, status);
    entry->elements[0] = osspi_element_new(leaf);
    entry->count = entry->elements[0] ? 1 : 0;
    return judge(entry, entry->count ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY);
}

static void read_pem(int folder, bool is_machine, struct osspi_folder_entry *entry)
{
    struct osspi_secret content osspi_auto(osspi_secret_clear) = {0};
    struct osspi_pem pem osspi_auto(osspi_pem_clear) = {0};
    struct stat facts;

    if (read_content(folder, entry->name, OSSPI_FILE_MAX_LEN, entry, &facts, &content) != SEC_E_OK)
        return;
    if (check_owner(entry, &facts, is_machine, false) != SEC_E_OK)
        return;
    if (judge(entry, osspi_pem_read((struct osspi_der_view){content.bytes, content.len},
                                    OSSPI_PEM_CERTIFICATES | OSSPI_PEM_KEY, NULL, &pem)) !=
        SEC_E_OK)
        return;
    if (check_owner(entry, &facts, is_machine, pem.key != NULL) != SEC_E_OK)
        return;
    if (pem.certificate_count == 0) {
        refuse(entry, SEC_E_UNKNOWN_CREDENTIALS, "there is no certificate in it");
        return;
    }
    if (!pem.key && read_key_file(folder, is_machine, entry, &pem) != SEC_E_OK)
        return;
    (void)take_leaf(entry, &pem);
}

/* Those with keys; the others are their chains, which they know. */
static SECURITY_STATUS take_own(struct osspi_folder_entry *entry, struct osspi_store *store)
{
    for (size_t i = 0;; i++) {
        struct osspi_element *element osspi_auto(osspi_element_unrefp) = osspi_store_at(store, i);

        if (!element || element->certificate->key.len == 0)
            return SEC_E_OK;
        if (entry->count == OSSPI_COUNT_OF(entry->elements))
            return SEC_E_UNKNOWN_CREDENTIALS;
        entry->elements[entry->count++] = OSSPI_TAKE(element);
    }
}

static void read_pfx(int folder, bool is_machine, struct osspi_folder_entry *entry)
{
    struct osspi_secret content osspi_auto(osspi_secret_clear) = {0};
    struct osspi_store *store osspi_auto(osspi_store_close_putp) = NULL;
    struct stat facts;
    SECURITY_STATUS status;

    if (read_content(folder, entry->name, OSSPI_PFX_MAX_LEN, entry, &facts, &content) != SEC_E_OK)
        return;
    if (check_owner(entry, &facts, is_machine, true) != SEC_E_OK)
        return;
    store = osspi_store_open();
    status = store
                 ? osspi_load_pfx(store, (struct osspi_der_view){content.bytes, content.len}, NULL)
                 : SEC_E_INSUFFICIENT_MEMORY;
    if (status == SEC_E_OK)
        status = take_own(entry, store);
    if (judge(entry, status) == SEC_E_OK && entry->count == 0)
        refuse(entry, SEC_E_NO_CREDENTIALS, "there is no certificate with a key in it");
}

void osspi_store_file_read(int folder, bool is_machine, struct osspi_folder_entry *ret_entry)
{
    ret_entry->count = 0;
    switch (osspi_store_file_kind(ret_entry->name)) {
    case OSSPI_FILE_PEM:
        read_pem(folder, is_machine, ret_entry);
        break;
    case OSSPI_FILE_PFX:
        read_pfx(folder, is_machine, ret_entry);
        break;
    default:
        refuse(ret_entry, SEC_E_UNKNOWN_CREDENTIALS,
               "its name ends in none of .pem .crt .cer .pfx .p12");
        break;
    }
    if (ret_entry->status != SEC_E_OK)
        osspi_folder_entry_clear(ret_entry);
}
