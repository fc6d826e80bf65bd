/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A PKCS #11 module that passes everything on to SoftHSM, and hangs or fails on demand.
 *
 * The file that OSSPI_TEST_TOKEN_MODE names says what it does, and may change at any time:
 *
 *     hang sign, hang login, hang open   the call does not return while the file says so
 *     remove                             sessions, searches and signatures fail: it was removed
 *     lock                               logins fail: the PIN is locked
 *
 * Anything else, or no file: it works. A program of a test loads it through a URI's module-path.
 * The interface is that of PKCS #11 2.40: a list of functions in a fixed order. Thread-safe.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CKR_GENERAL_ERROR 0x05ul
#define CKR_REMOVED       0x32ul
#define CKR_PIN_LOCKED    0xA4ul

/* Places in the list. */
enum {
    OPEN_SESSION = 12,
    SESSION_INFO = 15,
    LOGIN = 18,
    FIND_INIT = 26,
    SIGN_INIT = 42,
    SIGN = 43,
    SIGN_FINAL = 45,
    FUNCTIONS = 68
};

typedef void (*function)(void); /* of any kind */

struct function_list {
    unsigned char version[2];
    function functions[FUNCTIONS];
};

typedef unsigned long (*open_session)(unsigned long slot, unsigned long flags, void *data,
                                      void *notify, unsigned long *ret_session);
typedef unsigned long (*session_info)(unsigned long session, void *ret_info);
typedef unsigned long (*find_init)(unsigned long session, void *wanted, unsigned long count);
typedef unsigned long (*login)(unsigned long session, unsigned long user, unsigned char *pin,
                               unsigned long len);
typedef unsigned long (*sign_init)(unsigned long session, void *mechanism, unsigned long key);
typedef unsigned long (*sign)(unsigned long session, unsigned char *data, unsigned long len,
                              unsigned char *signature, unsigned long *ret_len);

typedef unsigned long (*sign_final)(unsigned long session, unsigned char *signature,
                                    unsigned long *ret_len);

static struct function_list *inner; /* set once, before anybody has the list below */
static struct function_list outer;  /* the same */

static int mode_is(const char *wanted)
{
    const char *path = getenv("OSSPI_TEST_TOKEN_MODE");
    FILE *file = path ? fopen(path, "re") : NULL;
    char mode[64] = "";

    if (!file)
        return 0;
    if (!fgets(mode, sizeof(mode), file))
        mode[0] = '\0';
    fclose(file);
    mode[strcspn(mode, "\n")] = '\0';
    return strcmp(mode, wanted) == 0;
}

/* One more, in the file of that name beside the mode's. */
static void count(const char *what)
{
    const char *mode = getenv("OSSPI_TEST_TOKEN_MODE");
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s.%s", mode ? mode : "", what);
    file = mode ? fopen(path, "ae") : NULL;
    if (file) {
        fputc('1', file);
        fclose(file);
    }
}

/* Tells that somebody is inside, and stays as long as it is asked to. */
static void hang(const char *mode)
{
    if (!mode_is(mode))
        return;
    count("inside");
    while (mode_is(mode))
        nanosleep(&(struct timespec){0, 2000000}, NULL);
}

static unsigned long outer_open_session(unsigned long slot, unsigned long flags, void *data,
                                        void *notify, unsigned long *ret_session)
{
    hang("hang open");
    if (mode_is("remove"))
        return CKR_REMOVED;
    return ((open_session)inner->functions[OPEN_SESSION])(slot, flags, data, notify, ret_session);
}

static unsigned long outer_session_info(unsigned long session, void *ret_info)
{
    if (mode_is("remove"))
        return CKR_REMOVED;
    return ((session_info)inner->functions[SESSION_INFO])(session, ret_info);
}

static unsigned long outer_find_init(unsigned long session, void *wanted, unsigned long count)
{
    if (mode_is("remove"))
        return CKR_REMOVED;
    return ((find_init)inner->functions[FIND_INIT])(session, wanted, count);
}

static unsigned long outer_login(unsigned long session, unsigned long user, unsigned char *pin,
                                 unsigned long len)
{
    count("login");
    hang("hang login");
    if (mode_is("remove"))
        return CKR_REMOVED;
    if (mode_is("lock"))
        return CKR_PIN_LOCKED;
    return ((login)inner->functions[LOGIN])(session, user, pin, len);
}

static unsigned long outer_sign_init(unsigned long session, void *mechanism, unsigned long key)
{
    if (mode_is("remove"))
        return CKR_REMOVED;
    return ((sign_init)inner->functions[SIGN_INIT])(session, mechanism, key);
}

static unsigned long outer_sign(unsigned long session, unsigned char *data, unsigned long len,
                                unsigned char *signature, unsigned long *ret_len)
{
    hang("hang sign");
    return ((sign)inner->functions[SIGN])(session, data, len, signature, ret_len);
}

static unsigned long outer_sign_final(unsigned long session, unsigned char *signature,
                                      unsigned long *ret_len)
{
    hang("hang sign");
    return ((sign_final)inner->functions[SIGN_FINAL])(session, signature, ret_len);
}

static int load(void)
{
    static const char *const names[] = {
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    };
    void *module = NULL;
    unsigned long (*get)(struct function_list **);

    for (size_t i = 0; !module && i < sizeof(names) / sizeof(names[0]); i++)
        module = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!module)
        return 0;
    *(void **)&get = dlsym(module, "C_GetFunctionList");
    return get && get(&inner) == 0;
}

unsigned long C_GetFunctionList(struct function_list **ret_list);

unsigned long C_GetFunctionList(struct function_list **ret_list)
{
    if (!inner && !load())
        return CKR_GENERAL_ERROR;
    if (outer.version[0] == 0) {
        outer = *inner;
        outer.functions[OPEN_SESSION] = (function)outer_open_session;
        outer.functions[SESSION_INFO] = (function)outer_session_info;
        outer.functions[FIND_INIT] = (function)outer_find_init;
        outer.functions[LOGIN] = (function)outer_login;
        outer.functions[SIGN_INIT] = (function)outer_sign_init;
        outer.functions[SIGN] = (function)outer_sign;
        outer.functions[SIGN_FINAL] = (function)outer_sign_final;
    }
    *ret_list = &outer;
    return 0;
}
