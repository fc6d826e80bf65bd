/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Tickets of other users; see session.h.
 */
#include "packages/gssapi/session.h"

#include <errno.h>
#include <fcntl.h>
#include <profile.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

#define PATH_SIZE    512u
#define DEFAULT_NAME "FILE:/tmp/krb5cc_%{uid}" /* as libkrb5 has it */
#define PASSWD_SIZE  4096u
#define NO_ID        ((unsigned)-1)

bool osspi_session_user(const LUID *logon_id, uid_t *ret_user)
{
    *ret_user = logon_id ? (uid_t)logon_id->LowPart : geteuid();
    return !logon_id || (logon_id->HighPart == 0 && *ret_user != (uid_t)-1);
}

/* ---- the thread's identity ---- */

struct identity {
    uid_t user;
    gid_t group;
};

static struct identity become(uid_t user, gid_t group)
{
    /* Both belong to the thread alone, unlike seteuid(). The group first, while it may. */
    const gid_t old_group = (gid_t)setfsgid(group);

    return (struct identity){(uid_t)setfsuid(user), old_group};
}

static bool is_now(uid_t user)
{
    return (uid_t)setfsuid(NO_ID) == user; /* an impossible number: only asks */
}

static void become_again(const struct identity *identity)
{
    (void)setfsuid(identity->user);
    (void)setfsgid(identity->group);
}

bool osspi_session_allowed(uid_t user)
{
    struct identity before;
    bool allowed;

    if (user == geteuid())
        return true;
    before = become(user, (gid_t)-1);
    allowed = is_now(user);
    become_again(&before);
    return allowed;
}

/* ---- the name of the cache ---- */

struct account {
    char name[64];
    gid_t group;
};

static void find_account(uid_t user, struct account *account)
{
    char memory[PASSWD_SIZE];
    struct passwd entry, *found = NULL;

    *account = (struct account){.group = (gid_t)-1};
    if (getpwuid_r(user, &entry, memory, sizeof(memory), &found) != 0 || !found)
        return;
    account->group = found->pw_gid;
    snprintf(account->name, sizeof(account->name), "%s", found->pw_name);
}

/* What stands in the braces. NULL: nothing that means a user. */
static const char *value_of(const char *name, size_t len, const char *number,
                            const struct account *account)
{
    static const char *const numbers[] = {"uid", "euid", "USERID"};

    for (size_t i = 0; i < OSSPI_COUNT_OF(numbers); i++) {
        if (strlen(numbers[i]) == len && strncmp(name, numbers[i], len) == 0)
            return number;
    }
    if (len == strlen("username") && strncmp(name, "username", len) == 0)
        return account->name[0] ? account->name : NULL;
    if (len == strlen("TEMP") && strncmp(name, "TEMP", len) == 0)
        return "/tmp";
    return len == strlen("null") && strncmp(name, "null", len) == 0 ? "" : NULL;
}

/* Puts one piece behind the others; false: there is no room. */
static bool append(char path[PATH_SIZE], const char *text, size_t len)
{
    const size_t used = strlen(path);

    if (len >= PATH_SIZE - used)
        return false;
    memcpy(path + used, text, len);
    path[used + len] = '\0';
    return true;
}

static bool expand(const char *pattern, uid_t user, const struct account *account,
                   char path[PATH_SIZE])
{
    char number[16];

    snprintf(number, sizeof(number), "%u", (unsigned)user);
    path[0] = '\0';
    while (*pattern) {
        const size_t plain = strcspn(pattern, "%");
        const char *end, *value;

        if (!append(path, pattern, plain))
            return false;
        pattern += plain;
        if (!*pattern)
            break;
        end = pattern[1] == '{' ? strchr(pattern, '}') : NULL;
        value = end ? value_of(pattern + 2, (size_t)(end - pattern) - 2, number, account) : NULL;
        if (!value || !append(path, value, strlen(value)))
            return false;
        pattern = end + 1;
    }
    return true;
}

static bool find_path(krb5_context k5, uid_t user, const struct account *account,
                      char path[PATH_SIZE])
{
    struct _profile_t *profile = NULL;
    char *pattern = NULL;
    bool found;

    if (krb5_get_profile(k5, &profile) != 0)
        return false;
    found = profile_get_string(profile, "libdefaults", "default_ccache_name", NULL, DEFAULT_NAME,
                               &pattern) == 0 &&
            expand(pattern, user, account, path);
    profile_release_string(pattern);
    profile_release(profile);
    if (found && strncmp(path, "FILE:", 5) == 0)
        memmove(path, path + 5, strlen(path + 5) + 1);
    return found && path[0] == '/';
}

/* ---- the file ---- */

static SECURITY_STATUS refused(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return SEC_E_NO_CREDENTIALS;
    case ENOMEM:
        return SEC_E_INSUFFICIENT_MEMORY;
    default:
        return SEC_E_NOT_OWNER; /* EACCES, EPERM, ELOOP */
    }
}

static SECURITY_STATUS open_as(uid_t user, gid_t group, const char *path, int *ret_fd)
{
    const struct identity before = become(user, group);
    const bool allowed = is_now(user);
    struct stat found;
    int error;

    *ret_fd = allowed ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) : -1;
    error = allowed ? errno : EPERM;
    become_again(&before);
    if (*ret_fd < 0)
        return refused(error);
    if (fstat(*ret_fd, &found) == 0 && S_ISREG(found.st_mode) && found.st_uid == user)
        return SEC_E_OK;
    (void)close(*ret_fd);
    *ret_fd = -1;
    return SEC_E_NOT_OWNER;
}

SECURITY_STATUS osspi_session_open(krb5_context k5, uid_t user, krb5_ccache *ret_cache, int *ret_fd)
{
    struct account account;
    char path[PATH_SIZE], name[64];
    SECURITY_STATUS status;

    *ret_fd = -1;
    find_account(user, &account);
    if (!find_path(k5, user, &account, path))
        return SEC_E_NO_CREDENTIALS;
    status = open_as(user, account.group, path, ret_fd);
    if (status != SEC_E_OK)
        return status;
    /* The very file that was looked at, whatever its name has become since. */
    snprintf(name, sizeof(name), "FILE:/proc/self/fd/%d", *ret_fd);
    if (krb5_cc_resolve(k5, name, ret_cache) == 0)
        return SEC_E_OK;
    (void)close(*ret_fd);
    *ret_fd = -1;
    return SEC_E_INSUFFICIENT_MEMORY;
}
