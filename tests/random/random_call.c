/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random calls: options, statistics, trace, words, the session cache, and small helpers; see
 * random.h. The engine is shut down by the main program alone; from a callback it must refuse.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "random/random.h"
#include "support/contract_status.h"

/* Of compat/windows.h, which is for programs with 16-bit wide literals. */
size_t osspi_wcslen(const uint16_t *string);
int osspi_wcscmp(const uint16_t *a, const uint16_t *b);
uint16_t *osspi_wcsdup(const uint16_t *string);

/* ---- the process ---- */

/* The library is in use by now. */
static void call_configure(struct random_thread *thread)
{
    OsspiOptions options = {.cbSize = sizeof(options), .workers = random_below(thread, 400)};
    SECURITY_STATUS status = OsspiConfigure(random_chance(thread, 90) ? &options : NULL);

    contract_require("OsspiConfigure", status);
    TEST_REQUIRE(status != SEC_E_OK);
}

static void call_statistics(struct random_thread *thread)
{
    OsspiStatistics now = {.cbSize = sizeof(now)};

    if (random_chance(thread, 30))
        now.cbSize = random_below(thread, sizeof(now));
    contract_require("OsspiGetStatistics", OsspiGetStatistics(&now));
}

static _Atomic uint64_t traced;

static void on_trace(const OsspiTraceRecord *record, void *data)
{
    TEST_REQUIRE(record->cbSize == sizeof(*record) && data == &traced);
    atomic_fetch_add(&traced, 1);
}

static void call_trace(struct random_thread *thread)
{
    bool on = random_chance(thread, 50);

    contract_require("OsspiSetTrace", OsspiSetTrace(on ? on_trace : NULL, on ? &traced : NULL));
}

static void call_shutdown(struct random_thread *thread)
{
    if (thread->depth > 0)
        TEST_REQUIRE_EQUAL(OsspiShutdown(0), SEC_E_INVALID_PARAMETER);
}

static SECURITY_STATUS any_status(struct random_thread *thread)
{
    static const SECURITY_STATUS known[] = {SEC_E_OK, SEC_E_INVALID_TOKEN, SEC_I_CONTINUE_NEEDED};

    return random_chance(thread, 50) ? RANDOM_OF(thread, known)
                                     : (SECURITY_STATUS)(0x80090300u + random_below(thread, 0x100));
}

static void call_name(struct random_thread *thread)
{
    const char *name = OsspiStatusName(any_status(thread));

    TEST_REQUIRE(!name || name[0] != '\0');
}

static void call_text(struct random_thread *thread)
{
    TEST_REQUIRE(OsspiStatusText(any_status(thread))[0] != '\0');
}

/* ---- schannel.h ---- */

static void call_empty_cache_a(struct random_thread *thread)
{
    static const char *const names[] = {NULL, PEER_TARGET, "", "\xFF"};

    (void)SslEmptyCacheA((LPSTR)RANDOM_OF(thread, names), 0);
}

static void call_empty_cache_w(struct random_thread *thread)
{
    static const WCHAR *const names[] = {NULL, u"server.test", u"\xD800"};

    (void)SslEmptyCacheW((LPWSTR)RANDOM_OF(thread, names), 0);
}

/* A genuine hello, whole or cut, and damaged at times. */
static DWORD make_hello(struct random_thread *thread)
{
    DWORD len = (DWORD)random_world.hello_len;

    memcpy(thread->out, random_world.hello, len);
    if (random_chance(thread, 50))
        thread->out[random_below(thread, len)] = (uint8_t)random_below(thread, 256);
    return random_chance(thread, 70) ? len : random_below(thread, len);
}

static void call_server_identity(struct random_thread *thread)
{
    PBYTE name;
    DWORD size, len = make_hello(thread);

    contract_require("SslGetServerIdentity",
                     SslGetServerIdentity(thread->out, len, &name,
                                          random_chance(thread, 90) ? &size : NULL,
                                          random_below(thread, 2)));
}

static void call_extensions(struct random_thread *thread)
{
    SCH_EXTENSION_DATA wanted[2] = {{.ExtensionType = 0},
                                    {.ExtensionType = (WORD)random_below(thread, 60)}};
    DWORD whole, len = make_hello(thread);

    contract_require("SslGetExtensions",
                     SslGetExtensions(thread->out, len, wanted, 2, &whole,
                                      (SchGetExtensionsOptions)random_below(thread, 3)));
}

static void call_random_bits(struct random_thread *thread)
{
    SslGenerateRandomBits(thread->out, (LONG)random_below(thread, 100) - 10);
}

/* ---- identities ---- */

static void call_zero_identity(struct random_thread *thread)
{
    char password[] = "secret";
    SEC_WINNT_AUTH_IDENTITY_A identity = {.Password = (unsigned char *)password,
                                          .PasswordLength = random_below(thread, 7),
                                          .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI};

    SspiZeroAuthIdentity(random_chance(thread, 90) ? &identity : NULL);
}

static void call_is_encrypted(struct random_thread *thread)
{
    SEC_WINNT_AUTH_IDENTITY_EXW identity = {.Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
                                            .Flags = random_below(thread, 256)};

    (void)SspiIsAuthIdentityEncrypted(random_chance(thread, 90) ? &identity : NULL);
}

static void call_free_identity(struct random_thread *thread)
{
    (void)thread;
    SspiFreeAuthIdentity(NULL);
}

static void call_local_free(struct random_thread *thread)
{
    (void)thread;
    SspiLocalFree(NULL);
}

static void call_is_prompting(struct random_thread *thread)
{
    TEST_REQUIRE(!SspiIsPromptingNeeded((ULONG)any_status(thread)));
}

/* ---- 16-bit strings ---- */

static const uint16_t *const strings[] = {u"", u"a", u"ab", u"b"};

static void call_wcslen(struct random_thread *thread)
{
    TEST_REQUIRE(osspi_wcslen(RANDOM_OF(thread, strings)) < 3);
}

static void call_wcscmp(struct random_thread *thread)
{
    const uint16_t *one = RANDOM_OF(thread, strings), *two = RANDOM_OF(thread, strings);

    TEST_REQUIRE((osspi_wcscmp(one, two) == 0) == (one == two));
}

static void call_wcsdup(struct random_thread *thread)
{
    uint16_t *copy = osspi_wcsdup(RANDOM_OF(thread, strings));

    TEST_REQUIRE(copy && osspi_wcslen(copy) < 3);
    free(copy);
}

static const struct random_row rows[] = {
    {"OsspiConfigure", call_configure, 1},
    {"OsspiGetStatistics", call_statistics, 3},
    {"OsspiSetTrace", call_trace, 1},
    {"OsspiShutdown", call_shutdown, 2},
    {"OsspiStatusName", call_name, 1},
    {"OsspiStatusText", call_text, 1},
    {"SslEmptyCacheA", call_empty_cache_a, 2},
    {"SslEmptyCacheW", call_empty_cache_w, 2},
    {"SslGenerateRandomBits", call_random_bits, 1},
    {"SslGetExtensions", call_extensions, 1},
    {"SslGetServerIdentity", call_server_identity, 1},
    {"SspiZeroAuthIdentity", call_zero_identity, 1},
    {"SspiIsAuthIdentityEncrypted", call_is_encrypted, 1},
    {"SspiFreeAuthIdentity", call_free_identity, 1},
    {"SspiLocalFree", call_local_free, 1},
    {"SspiIsPromptingNeeded", call_is_prompting, 1},
    {"osspi_wcslen", call_wcslen, 1},
    {"osspi_wcscmp", call_wcscmp, 1},
    {"osspi_wcsdup", call_wcsdup, 1},
};
RANDOM_ROWS(random_call_rows, rows);
