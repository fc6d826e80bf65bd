/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Files with certificates and keys; see file.h. Whatever is decided about a file is decided about
 * the one that was opened, so nobody can exchange it in between. Thread-safe.
 */
#include "cert/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cert/limits.h"

#define NO_FILE (-1)

static void closep(int *fd)
{
    if (*fd != NO_FILE)
        close(*fd);
}

/* O_NONBLOCK: opening a pipe must not wait for a writer. It means nothing to regular files. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static int open_file(const char *path)
{
    int fd;

    do
        fd = open(path, OPEN_FLAGS);
    while (fd == NO_FILE && errno == EINTR); /* over a network a signal may come between */
    return fd;
}

static int open_file_at(int folder, const char *name)
{
    int fd;

    do
        fd = openat(folder, name, OPEN_FLAGS | O_NOFOLLOW);
    while (fd == NO_FILE && errno == EINTR);
    return fd;
}

static SECURITY_STATUS open_failure(const char **ret_reason)
{
    switch (errno) {
    case EACCES:
    case EPERM:
        *ret_reason = "it may not be read";
        return SEC_E_NOT_OWNER;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        *ret_reason = "there is no memory or file descriptor";
        return SEC_E_INSUFFICIENT_MEMORY;
    case ENXIO: /* a socket, or a pipe */
        *ret_reason = "it is not a regular file";
        return SEC_E_UNKNOWN_CREDENTIALS;
    case ELOOP:
        *ret_reason = "it is a symbolic link";
        return SEC_E_NO_CREDENTIALS;
    case ENOENT:
        *ret_reason = "it is not there";
        return SEC_E_NO_CREDENTIALS;
    default:
        *ret_reason = "it cannot be opened";
        return SEC_E_NO_CREDENTIALS;
    }
}

static SECURITY_STATUS check(const struct stat *facts, bool private_key, size_t max_len,
                             const char **ret_reason)
{
    if (!S_ISREG(facts->st_mode)) {
        *ret_reason = "it is not a regular file";
        return SEC_E_UNKNOWN_CREDENTIALS;
    }
    if (private_key && (facts->st_uid != geteuid() || (facts->st_mode & (S_IRWXG | S_IRWXO)) != 0))
        return SEC_E_NOT_OWNER;
    if (facts->st_size > (off_t)max_len) {
        *ret_reason = "it is too long";
        return SEC_E_UNKNOWN_CREDENTIALS;
    }
    return SEC_E_OK;
}

/* Reads to the end, which must come within size bytes whatever fstat said. */
static SECURITY_STATUS read_all(int fd, uint8_t *bytes, size_t size, size_t *ret_len)
{
    size_t len = 0;

    while (len < size) {
        ssize_t got = read(fd, bytes + len, size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return SEC_E_NO_CREDENTIALS;
        if (got == 0) {
            *ret_len = len;
            return SEC_E_OK;
        }
        len += (size_t)got;
    }
    return SEC_E_UNKNOWN_CREDENTIALS;
}

/* What fstat was told and check() has passed. */
static SECURITY_STATUS read_checked(int fd, off_t size, struct osspi_secret *ret_content)
{
    struct osspi_secret content osspi_auto(osspi_secret_clear) = {0};
    SECURITY_STATUS status;
    size_t len = 0;

    /* One byte more, so that the end is seen; a file that grew meanwhile is refused. */
    content.len = (size_t)size + 1;
    content.bytes = osspi_alloc(content.len);
    if (!content.bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = read_all(fd, content.bytes, content.len, &len);
    if (status != SEC_E_OK)
        return status;
    *ret_content = (struct osspi_secret){OSSPI_TAKE(content.bytes), len};
    return SEC_E_OK;
}

static SECURITY_STATUS read_path(const char *path, bool private_key, size_t max_len,
                                 struct osspi_secret *ret_content)
{
    int fd osspi_auto(closep) = open_file(path);
    const char *ignored;
    struct stat facts;
    SECURITY_STATUS status;

    if (fd == NO_FILE)
        return open_failure(&ignored);
    if (fstat(fd, &facts) != 0)
        return SEC_E_NO_CREDENTIALS;
    status = check(&facts, private_key, max_len, &ignored);
    return status == SEC_E_OK ? read_checked(fd, facts.st_size, ret_content) : status;
}

SECURITY_STATUS osspi_file_read(const char *path, bool private_key,
                                struct osspi_secret *ret_content)
{
    return read_path(path, private_key, OSSPI_FILE_MAX_LEN, ret_content);
}

SECURITY_STATUS osspi_file_read_plain(const char *path, size_t max_len,
                                      struct osspi_secret *ret_content)
{
    return read_path(path, false, max_len, ret_content);
}

SECURITY_STATUS osspi_file_read_at(int folder, const char *name, size_t max_len,
                                   struct stat *ret_facts, const char **ret_reason,
                                   struct osspi_secret *ret_content)
{
    int fd osspi_auto(closep) = open_file_at(folder, name);
    SECURITY_STATUS status;

    if (fd == NO_FILE)
        return open_failure(ret_reason);
    *ret_reason = "it cannot be read";
    if (fstat(fd, ret_facts) != 0)
        return SEC_E_NO_CREDENTIALS;
    status = check(ret_facts, false, max_len, ret_reason);
    return status == SEC_E_OK ? read_checked(fd, ret_facts->st_size, ret_content) : status;
}
