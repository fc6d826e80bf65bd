/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Reading a folder of own certificates; see store_folder.h. Thread-safe: no state of its own.
 *
 * Everything goes by the descriptor of the folder that was opened and checked; its last component
 * may not be a link (those above it may, as /home often is).
 */
#include "cert/store_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cert/store_file.h"

#define NO_FILE (-1)

struct names {
    char **texts; /* owned, each too */
    size_t count;
};

static void closep(int *fd)
{
    if (*fd != NO_FILE)
        close(*fd);
}

static void dir_closep(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        osspi_free(names->texts[i]);
    osspi_free(names->texts);
}

void osspi_folder_clear(struct osspi_folder *folder)
{
    osspi_free(folder->path);
    folder->path = NULL;
}

/* ---- the folder itself ---- */

static SECURITY_STATUS open_failure(const char **ret_reason)
{
    switch (errno) {
    case ENOENT:
        *ret_reason = "there is no such folder";
        return CRYPT_E_NOT_FOUND;
    case EACCES:
    case EPERM:
        *ret_reason = "the folder may not be read";
        return SEC_E_NOT_OWNER;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        *ret_reason = "there is no memory or file descriptor";
        return SEC_E_INSUFFICIENT_MEMORY;
    case ELOOP:
    case ENOTDIR:
        *ret_reason = "it is no folder, or a symbolic link";
        return SEC_E_UNKNOWN_CREDENTIALS;
    default:
        *ret_reason = "the folder cannot be opened";
        return SEC_E_UNKNOWN_CREDENTIALS;
    }
}

static SECURITY_STATUS check(const struct osspi_folder *folder, int fd, const char **ret_reason)
{
    struct stat facts;

    if (fstat(fd, &facts) != 0)
        return open_failure(ret_reason);
    if (facts.st_uid != geteuid() && !(folder->is_machine && facts.st_uid == 0)) {
        *ret_reason = "the folder belongs to another user";
        return SEC_E_NOT_OWNER;
    }
    if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        *ret_reason = "others may write to the folder (chmod go-w)";
        return SEC_E_NOT_OWNER;
    }
    return SEC_E_OK;
}

SECURITY_STATUS osspi_folder_open(const struct osspi_folder *folder, int *ret_fd,
                                  const char **ret_reason)
{
    int fd osspi_auto(closep) = NO_FILE;
    SECURITY_STATUS status;

    do
        fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    while (fd == NO_FILE && errno == EINTR);
    if (fd == NO_FILE)
        return open_failure(ret_reason);
    status = check(folder, fd, ret_reason);
    if (status != SEC_E_OK)
        return status;
    *ret_fd = fd;
    fd = NO_FILE;
    return SEC_E_OK;
}

/* ---- names ---- */

static bool add_name(struct names *names, const char *text)
{
    char *copy;

    if (names->count == OSSPI_FOLDER_MAX_NAMES)
        return true; /* nobody has so many; the rest is not looked at */
    copy = osspi_strdup(text);
    if (copy)
        names->texts[names->count++] = copy;
    return copy != NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* fdopendir takes the descriptor it is given, hence the copy. */
static SECURITY_STATUS list_names(int fd, struct names *names)
{
    int copy osspi_auto(closep) = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir osspi_auto(dir_closep) = copy == NO_FILE ? NULL : fdopendir(copy);

    names->texts = osspi_alloc_array(OSSPI_FOLDER_MAX_NAMES, sizeof(*names->texts));
    if (!dir || !names->texts)
        return SEC_E_INSUFFICIENT_MEMORY;
    copy = NO_FILE; /* the stream's now */
    rewinddir(dir); /* the position is shared with whoever read before */
    for (;;) {
        const struct dirent *entry = readdir(dir);

        if (!entry)
            break;
        if (entry->d_name[0] != '.' && osspi_store_file_kind(entry->d_name) != OSSPI_FILE_KEY &&
            !add_name(names, entry->d_name))
            return SEC_E_INSUFFICIENT_MEMORY;
    }
    qsort(names->texts, names->count, sizeof(*names->texts), compare);
    return SEC_E_OK;
}

/* ---- files ---- */

/* True: go on. */
static bool visit_file(const struct osspi_folder *folder, int fd, const char *name,
                       osspi_folder_visit visit, void *data)
{
    struct osspi_folder_entry entry = {.name = name};
    bool go_on;

    osspi_store_file_read(fd, folder->is_machine, &entry);
    go_on = visit(&entry, data);
    osspi_folder_entry_clear(&entry);
    return go_on;
}

static bool visit_surplus(const char *name, osspi_folder_visit visit, void *data)
{
    struct osspi_folder_entry entry = {
        .name = name,
        .status = SEC_E_UNKNOWN_CREDENTIALS,
        .reason = "there are too many files before it",
    };

    return visit(&entry, data);
}

SECURITY_STATUS osspi_folder_walk(const struct osspi_folder *folder, osspi_folder_visit visit,
                                  void *data, const char **ret_reason)
{
    int fd osspi_auto(closep) = NO_FILE;
    struct names names osspi_auto(names_clear) = {0};
    const char *reason = NULL;
    SECURITY_STATUS status = osspi_folder_open(folder, &fd, &reason);

    if (status == SEC_E_OK)
        status = list_names(fd, &names);
    if (status != SEC_E_OK && ret_reason)
        *ret_reason = reason ? reason : "there is no memory";
    for (size_t i = 0; i < names.count && status == SEC_E_OK; i++) {
        bool go_on = i < OSSPI_FOLDER_MAX_FILES
                         ? visit_file(folder, fd, names.texts[i], visit, data)
                         : visit_surplus(names.texts[i], visit, data);

        if (!go_on)
            break;
    }
    return status;
}

SECURITY_STATUS osspi_folder_read(const struct osspi_folder *folder, const char *name,
                                  osspi_folder_visit visit, void *data)
{
    int fd osspi_auto(closep) = NO_FILE;
    const char *ignored;
    SECURITY_STATUS status = osspi_folder_open(folder, &fd, &ignored);

    if (status == SEC_E_OK && faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        (void)visit_file(folder, fd, name, visit, data);
    return status;
}
