/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * From a request's path to a file or a listing.
 *
 * Nothing here trusts the path: it is decoded once, then walked component by component with openat
 * and O_NOFOLLOW, so neither ".." nor a symbolic link nor a directory that is swapped during the
 * walk leads outside of the root.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_SIZE      4096
#define LISTING_LIMIT  2000
#define TYPE_TEXT_HTML "text/html; charset=utf-8"

/* ThreadSanitizer sees neither how libuv closes a connection nor openat, only close: to it, the
 * number is still the connection's when a file that got it next is closed on another thread. */
static void close_fd(int fd)
{
#ifdef __SANITIZE_THREAD__
    (void)syscall(SYS_close, fd);
#else
    (void)close(fd);
#endif
}

static const struct {
    const char *extension;
    const char *type;
} types[] = {
    {"html", TYPE_TEXT_HTML},
    {"htm", TYPE_TEXT_HTML},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/plain; charset=utf-8"},
    {"log", "text/plain; charset=utf-8"},
    {"c", "text/plain; charset=utf-8"},
    {"h", "text/plain; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"xml", "application/xml"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"ico", "image/vnd.microsoft.icon"},
    {"pdf", "application/pdf"},
    {"wasm", "application/wasm"},
    {"woff2", "font/woff2"},
    {"mp4", "video/mp4"},
    {"gz", "application/gzip"},
    {"zip", "application/zip"},
};

static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcasecmp(dot + 1, types[i].extension) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes the path part of a target; false if it is none, too long, or has control characters. */
static bool decode_path(const char *target, size_t len, char *ret_path)
{
    size_t used = 0;
    if (len == 0 || target[0] != '/')
        return false;
    for (size_t i = 0; i < len && target[i] != '?' && target[i] != '#'; i++) {
        int c = (unsigned char)target[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(target[i + 1]) : -1;
            int low = i + 2 < len ? hex_digit(target[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = high * 16 + low;
            i += 2;
        }
        if (c < 0x20 || c == 0x7F || used + 1 >= PATH_SIZE)
            return false;
        ret_path[used++] = (char)c;
    }
    ret_path[used] = '\0';
    return true;
}

static int http_status_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        return 404;
    case EACCES:
    case EPERM:
    case ELOOP: /* a symbolic link */
    case ENXIO: /* a socket or a FIFO */
        return 403;
    default:
        return 500;
    }
}

/* Opens one component. O_NONBLOCK: opening a FIFO must not hang the thread. */
static int open_component(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

/* Walks down from the root; an open descriptor, or -1 with *ret_status. path is cut up. */
static int walk(int root, char *path, int *ret_status)
{
    int fd = open_component(root, ".");
    char *rest = path;
    for (char *name; fd >= 0 && (name = strsep(&rest, "/")) != NULL;) {
        if (name[0] == '\0')
            continue;
        if (name[0] == '.') {
            close_fd(fd);
            *ret_status = 403;
            return -1;
        }
        int next = open_component(fd, name);
        int error = errno;
        close_fd(fd);
        fd = next;
        errno = error;
    }
    if (fd < 0)
        *ret_status = http_status_of(errno);
    return fd;
}

bool files_write_html(struct bytes *body, const char *text)
{
    bool done = true;
    for (; *text && done; text++) {
        switch (*text) {
        case '&':
            done = bytes_printf(body, "&amp;");
            break;
        case '<':
            done = bytes_printf(body, "&lt;");
            break;
        case '>':
            done = bytes_printf(body, "&gt;");
            break;
        case '"':
            done = bytes_printf(body, "&quot;");
            break;
        default:
            done = bytes_append(body, text, 1);
        }
    }
    return done;
}

static bool append_url(struct bytes *body, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    bool done = true;
    for (; *text && done; text++)
        done = strchr(plain, *text) ? bytes_append(body, text, 1)
                                    : bytes_printf(body, "%%%02X", (unsigned char)*text);
    return done;
}

static bool append_entry(struct bytes *body, const char *name, bool folder)
{
    const char *slash = folder ? "/" : "";
    return bytes_printf(body, "<li><a href=\"./") && append_url(body, name) &&
           bytes_printf(body, "%s\">", slash) && files_write_html(body, name) &&
           bytes_printf(body, "%s</a></li>\n", slash);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The visible names of a directory, sorted; the count, or -1 if there is no memory. */
static int read_names(DIR *folder, char **names)
{
    int count = 0;
    const struct dirent *entry;
    while (count < LISTING_LIMIT && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        names[count] = strdup(entry->d_name);
        if (!names[count])
            return -1;
        count++;
    }
    qsort(names, (size_t)count, sizeof(names[0]), compare_names);
    return count;
}

static bool write_listing(DIR *folder, char **names, const char *path, struct bytes *body)
{
    bool done = bytes_printf(body, "<!doctype html>\n<meta charset=\"utf-8\">\n<title>") &&
                files_write_html(body, path) && bytes_printf(body, "</title>\n<h1>") &&
                files_write_html(body, path) && bytes_printf(body, "</h1>\n<ul>\n");
    int count = read_names(folder, names);
    for (int i = 0; i < count && done; i++) {
        struct stat info;
        if (fstatat(dirfd(folder), names[i], &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            (S_ISDIR(info.st_mode) || S_ISREG(info.st_mode)))
            done = append_entry(body, names[i], S_ISDIR(info.st_mode));
    }
    return done && count >= 0 && bytes_printf(body, "</ul>\n");
}

/* Lists a directory; takes the descriptor over. An HTTP status. */
static int list_folder(int fd, const char *path, struct files_found *ret)
{
    DIR *folder = fdopendir(fd);
    if (!folder) {
        close_fd(fd);
        return 500;
    }
    char **names = calloc(LISTING_LIMIT, sizeof(*names));
    bool done = names && write_listing(folder, names, path, &ret->body);
    for (int i = 0; names && i < LISTING_LIMIT; i++)
        free(names[i]);
    free(names);
    closedir(folder);
    ret->type = TYPE_TEXT_HTML;
    return done ? 200 : 500;
}

int files_open(int root, const char *target, size_t len, struct files_found *ret)
{
    *ret = (struct files_found){.fd = -1};
    char path[PATH_SIZE], parts[PATH_SIZE];
    if (!decode_path(target, len, path))
        return 400;
    memcpy(parts, path, sizeof(parts));

    int status = 500;
    int fd = walk(root, parts, &status);
    struct stat info;
    if (fd < 0)
        return status;
    if (fstat(fd, &info) < 0) {
        close_fd(fd);
        return 500;
    }

    bool slash = path[strlen(path) - 1] == '/';
    const char *name = path;
    if (S_ISDIR(info.st_mode)) {
        if (!slash) {
            close_fd(fd);
            return 301;
        }
        name = "index.html";
        int index = open_component(fd, name);
        if (index < 0)
            return list_folder(fd, path, ret);
        close_fd(fd);
        fd = index;
    }
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || (slash && name == path)) {
        close_fd(fd);
        return slash && name == path ? 404 : 403;
    }
    ret->fd = fd;
    ret->size = (uint64_t)info.st_size;
    ret->modified = info.st_mtime;
    ret->type = type_of(name);
    return 200;
}
