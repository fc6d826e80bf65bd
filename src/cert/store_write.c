/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Writing into a folder of own certificates; see store_folder.h. Thread-safe.
 *
 * A certificate becomes <thumbprint>.pem: written under a name that begins with a dot, brought to
 * the disk, and only then given its name. So a reader finds all of it or nothing, whenever the
 * power fails, and no lock is needed between threads or processes: two that write the same name
 * write the same certificate.
 */
#include "cert/store_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "cert/crypto.h"
#include "cert/encode.h"
#include "cert/store_file.h"

#define NO_FILE   (-1)
#define NAME_SIZE 96 /* of the names made here */

static void closep(int *fd)
{
    if (*fd != NO_FILE)
        close(*fd);
}

static void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}

static SECURITY_STATUS failure(void)
{
    switch (errno) {
    case EACCES:
    case EPERM:
    case EROFS:
        return E_ACCESSDENIED;
    case EEXIST:
        return CRYPT_E_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return HRESULT_FROM_WIN32(ERROR_DISK_FULL);
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return SEC_E_INSUFFICIENT_MEMORY;
    default:
        return CRYPT_E_FILE_ERROR;
    }
}

/* What a folder that is not fit for reading means to somebody who wants to write. */
static SECURITY_STATUS open_folder(const struct osspi_folder *folder, int *ret_fd)
{
    const char *ignored;
    SECURITY_STATUS status = osspi_folder_open(folder, ret_fd, &ignored);

    if (status == SEC_E_NOT_OWNER)
        return E_ACCESSDENIED;
    return status == SEC_E_UNKNOWN_CREDENTIALS ? CRYPT_E_FILE_ERROR : status;
}

/* ---- making the folder ---- */

/* The machine's may be seen by everybody, since keys in it are closed one by one. */
static SECURITY_STATUS make_one(const char *path, bool is_machine)
{
    if (mkdir(path, is_machine ? 0755 : 0700) == 0)
        return SEC_E_OK;
    return failure();
}

/* Those above it that are missing. */
static SECURITY_STATUS make_parents(const struct osspi_folder *folder)
{
    char *path osspi_auto(osspi_freep) = osspi_strdup(folder->path);

    if (!path)
        return SEC_E_INSUFFICIENT_MEMORY;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        SECURITY_STATUS status = SEC_E_OK;

        *slash = '\0';
        if (access(path, F_OK) != 0)
            status = make_one(path, folder->is_machine);
        *slash = '/';
        if (status != SEC_E_OK && status != CRYPT_E_EXISTS)
            return status;
    }
    return SEC_E_OK;
}

SECURITY_STATUS osspi_folder_make(const struct osspi_folder *folder, bool must_be_new)
{
    SECURITY_STATUS status = make_parents(folder);

    if (status == SEC_E_OK)
        status = make_one(folder->path, folder->is_machine);
    return status == CRYPT_E_EXISTS && !must_be_new ? SEC_E_OK : status;
}

/* ---- the text ---- */

static bool put_block(BIO *text, const char *name, struct osspi_der_view der)
{
    return PEM_write_bio(text, name, "", der.bytes, (long)der.len) > 0;
}

static SECURITY_STATUS write_text(BIO *text, const struct osspi_certificate *certificate)
{
    struct osspi_der_view key = {certificate->key.bytes, certificate->key.len};
    bool done = put_block(text, PEM_STRING_X509, certificate->der);

    for (size_t i = 0; i < certificate->chain_count && done; i++)
        done = put_block(text, PEM_STRING_X509, certificate->chain[i]);
    if (done && key.len > 0)
        done = put_block(text, PEM_STRING_PKCS8INF, key);
    return done ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

static SECURITY_STATUS make_text(const struct osspi_certificate *certificate,
                                 struct osspi_secret *ret_text)
{
    OSSPI_CRYPTO_CALL;
    BIO *text osspi_auto(bio_freep) = BIO_new(BIO_s_secmem()); /* wipes what it frees */
    SECURITY_STATUS status = text ? write_text(text, certificate) : SEC_E_INSUFFICIENT_MEMORY;
    char *bytes;
    long len;

    if (status != SEC_E_OK)
        return status;
    len = BIO_get_mem_data(text, &bytes);
    ret_text->bytes = osspi_memdup(bytes, (size_t)len);
    ret_text->len = ret_text->bytes ? (size_t)len : 0;
    return ret_text->bytes ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

/* ---- the file ---- */

static SECURITY_STATUS write_all(int fd, const struct osspi_secret *text)
{
    size_t done = 0;

    while (done < text->len) {
        ssize_t len = write(fd, text->bytes + done, text->len - done);

        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return failure();
        done += (size_t)len;
    }
    /* The mode again, because the process's mask may have taken bits away. */
    return fchmod(fd, 0600) == 0 && fsync(fd) == 0 ? SEC_E_OK : failure();
}

/* Errors of a network file system may come as late as at close. */
static SECURITY_STATUS write_scratch(int folder, const char *name, const struct osspi_secret *text)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    SECURITY_STATUS status;

    if (fd == NO_FILE)
        return errno == EEXIST ? CRYPT_E_FILE_ERROR : failure();
    status = write_all(fd, text);
    if (close(fd) != 0 && status == SEC_E_OK)
        status = failure();
    return status;
}

static SECURITY_STATUS give_name(int folder, const char *scratch, const char *name,
                                 bool must_be_new)
{
    int done = must_be_new ? linkat(folder, scratch, folder, name, 0)
                           : renameat(folder, scratch, folder, name);

    return done == 0 ? SEC_E_OK : failure();
}

static void make_names(const struct osspi_certificate *certificate, char ret_name[NAME_SIZE],
                       char ret_scratch[NAME_SIZE])
{
    static _Atomic uint32_t counter; /* atomic; tells the threads of a process apart */
    char hex[2 * sizeof(certificate->sha1) + 1];

    osspi_encode_hex(certificate->sha1, sizeof(certificate->sha1), hex);
    snprintf(ret_name, NAME_SIZE, "%s.pem", hex);
    snprintf(ret_scratch, NAME_SIZE, ".%s.%ld.%u", hex, (long)getpid(),
             atomic_fetch_add(&counter, 1));
}

static SECURITY_STATUS write_file(int folder, const struct osspi_certificate *certificate,
                                  const struct osspi_secret *text, bool must_be_new)
{
    char name[NAME_SIZE];
    char scratch[NAME_SIZE];
    SECURITY_STATUS status;

    make_names(certificate, name, scratch);
    status = write_scratch(folder, scratch, text);
    if (status == SEC_E_OK)
        status = give_name(folder, scratch, name, must_be_new);
    if (status != SEC_E_OK || must_be_new)
        (void)unlinkat(folder, scratch, 0);
    if (status == SEC_E_OK && fsync(folder) != 0 && errno != EINVAL && errno != EROFS)
        status = failure();
    return status;
}

SECURITY_STATUS osspi_folder_put(const struct osspi_folder *folder,
                                 const struct osspi_certificate *certificate, bool must_be_new)
{
    OSSPI_UNCANCELLED; /* a thread that is cancelled half-way would leave its scratch file */
    struct osspi_secret text osspi_auto(osspi_secret_clear) = {0};
    int fd osspi_auto(closep) = NO_FILE;
    SECURITY_STATUS status = make_text(certificate, &text);

    if (status == SEC_E_OK)
        status = open_folder(folder, &fd);
    if (status == CRYPT_E_NOT_FOUND) {
        status = osspi_folder_make(folder, false);
        if (status == SEC_E_OK)
            status = open_folder(folder, &fd);
    }
    if (status == CRYPT_E_NOT_FOUND)
        return CRYPT_E_FILE_ERROR;
    return status == SEC_E_OK ? write_file(fd, certificate, &text, must_be_new) : status;
}

/* ---- removing ---- */

struct removal {
    const struct osspi_certificate *certificate;
    char *names[OSSPI_FOLDER_FILE_CERTIFICATES]; /* owned */
    bool key_beside[OSSPI_FOLDER_FILE_CERTIFICATES];
    size_t count;
    SECURITY_STATUS status;
};

static void removal_clear(struct removal *removal)
{
    for (size_t i = 0; i < removal->count; i++)
        osspi_free(removal->names[i]);
}

static bool holds(const struct osspi_folder_entry *entry,
                  const struct osspi_certificate *certificate)
{
    for (size_t i = 0; i < entry->count; i++) {
        if (osspi_certificate_equal(entry->elements[i]->certificate, certificate))
            return true;
    }
    return false;
}

static bool note_file(const struct osspi_folder_entry *entry, void *data)
{
    struct removal *removal = data;
    char *name;

    if (!holds(entry, removal->certificate))
        return true;
    if (entry->count > 1 || removal->count == OSSPI_COUNT_OF(removal->names)) {
        removal->status = E_ACCESSDENIED;
        return false;
    }
    name = osspi_strdup(entry->name);
    if (!name) {
        removal->status = SEC_E_INSUFFICIENT_MEMORY;
        return false;
    }
    removal->key_beside[removal->count] = entry->key_beside;
    removal->names[removal->count++] = name;
    return true;
}

static SECURITY_STATUS unlink_file(int folder, const char *name)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return SEC_E_OK;
    return failure();
}

/* The key after its certificate: alone it is of no use to anybody who reads the folder. A .key file
 * that this certificate does not use is another's. */
static SECURITY_STATUS unlink_pair(int folder, const char *name, bool key_beside)
{
    char *key osspi_auto(osspi_freep) = osspi_store_file_key_name(name);
    SECURITY_STATUS status = key ? unlink_file(folder, name) : SEC_E_INSUFFICIENT_MEMORY;

    return status == SEC_E_OK && key_beside ? unlink_file(folder, key) : status;
}

SECURITY_STATUS osspi_folder_remove(const struct osspi_folder *folder,
                                    const struct osspi_certificate *certificate)
{
    OSSPI_UNCANCELLED;
    struct removal removal osspi_auto(removal_clear) = {.certificate = certificate};
    int fd osspi_auto(closep) = NO_FILE;
    SECURITY_STATUS status = open_folder(folder, &fd);

    if (status == CRYPT_E_NOT_FOUND)
        return SEC_E_OK;
    if (status == SEC_E_OK)
        status = osspi_folder_walk(folder, note_file, &removal, NULL);
    if (status == SEC_E_OK)
        status = removal.status;
    for (size_t i = 0; i < removal.count && status == SEC_E_OK; i++)
        status = unlink_pair(fd, removal.names[i], removal.key_beside[i]);
    if (status == SEC_E_OK && removal.count > 0)
        (void)fsync(fd); /* should it come back after a power failure, no harm is done */
    return status;
}

/* ---- deleting the folder ---- */

/* 40 digits and .pem, or a scratch file of somebody who died. */
static bool is_ours(const char *name)
{
    const char *hex = name[0] == '.' ? name + 1 : name;
    size_t digits = strspn(hex, "0123456789abcdef");

    if (digits != 40)
        return false;
    return name[0] == '.' ? hex[40] == '.' : strcmp(hex + 40, ".pem") == 0;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Goes through the names: first to see whether all are ours, then to delete them. */
static SECURITY_STATUS sweep(DIR *dir, bool unlink_them)
{
    const struct dirent *entry;
    SECURITY_STATUS status = SEC_E_OK;

    rewinddir(dir);
    while (status == SEC_E_OK && (entry = readdir(dir)) != NULL) {
        if (is_dots(entry->d_name))
            continue;
        if (!is_ours(entry->d_name))
            status = HRESULT_FROM_WIN32(ERROR_DIR_NOT_EMPTY); /* perhaps since the first round */
        else if (unlink_them)
            status = unlink_file(dirfd(dir), entry->d_name);
    }
    return status;
}

SECURITY_STATUS osspi_folder_delete(const struct osspi_folder *folder)
{
    OSSPI_UNCANCELLED;
    int fd osspi_auto(closep) = NO_FILE;
    SECURITY_STATUS status = open_folder(folder, &fd);
    DIR *dir;

    if (status != SEC_E_OK)
        return status;
    dir = fdopendir(fd);
    if (!dir)
        return failure();
    fd = NO_FILE; /* the stream's now */
    status = sweep(dir, false);
    if (status == SEC_E_OK)
        status = sweep(dir, true);
    closedir(dir);
    if (status == SEC_E_OK && rmdir(folder->path) != 0)
        status = errno == ENOTEMPTY ? HRESULT_FROM_WIN32(ERROR_DIR_NOT_EMPTY) : failure();
    return status;
}
