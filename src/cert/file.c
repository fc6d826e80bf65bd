/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Files with certificates and keys; see file.h. Whatever is decided about a file is decided about
 * the one that was opened, so nobody can exchange it in between. Thread-safe.
 */
#include "cert/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cert/limits.h"

#define NO_FILE (-1)

static void closep(int *fd)
{
    if (*fd != NO_FILE)
        close(*fd);
}

/* O_NONBLOCK: opening a pipe must not wait for a writer. It means nothing to regular files. */
static int open_file(const char *path)
{
    int fd;

    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (fd == NO_FILE && errno == EINTR); /* over a network a signal may come between */
    return fd;
}

static SECURITY_STATUS open_failure(void)
{
    switch (errno) {
    case EACCES:
    case EPERM:
        return SEC_E_NOT_OWNER;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return SEC_E_INSUFFICIENT_MEMORY;
    case ENXIO: /* a socket, or a pipe */
        return SEC_E_UNKNOWN_CREDENTIALS;
    default:
        return SEC_E_NO_CREDENTIALS;
    }
}

static SECURITY_STATUS check(const struct stat *facts, bool private_key)
{
    if (!S_ISREG(facts->st_mode))
        return SEC_E_UNKNOWN_CREDENTIALS;
    if (private_key && (facts->st_uid != geteuid() || (facts->st_mode & (S_IRWXG | S_IRWXO)) != 0))
        return SEC_E_NOT_OWNER;
    if (facts->st_size > (off_t)OSSPI_FILE_MAX_LEN)
        return SEC_E_UNKNOWN_CREDENTIALS;
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

SECURITY_STATUS osspi_file_read(const char *path, bool private_key,
                                struct osspi_secret *ret_content)
{
    int fd osspi_auto(closep) = open_file(path);
    struct osspi_secret content osspi_auto(osspi_secret_clear) = {0};
    struct stat facts;
    SECURITY_STATUS status;
    size_t len = 0;

    if (fd == NO_FILE)
        return open_failure();
    if (fstat(fd, &facts) != 0)
        return SEC_E_NO_CREDENTIALS;
    status = check(&facts, private_key);
    if (status != SEC_E_OK)
        return status;
    /* One byte more, so that the end is seen; a file that grew meanwhile is refused. */
    content.len = (size_t)facts.st_size + 1;
    content.bytes = osspi_alloc(content.len);
    if (!content.bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = read_all(fd, content.bytes, content.len, &len);
    if (status != SEC_E_OK)
        return status;
    *ret_content = (struct osspi_secret){OSSPI_TAKE(content.bytes), len};
    return SEC_E_OK;
}
