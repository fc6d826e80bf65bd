/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random calls: the helpers that make, copy and compare identities; see random.h.
 */
#include <string.h>

#include "random/random.h"
#include "support/contract_status.h"

/* An identity of any form, most of them good. The strings live in the caller's frame. */
struct any_identity {
    uint16_t wide[3][8];
    char narrow[3][8];
    union {
        SEC_WINNT_AUTH_IDENTITY_A a;
        SEC_WINNT_AUTH_IDENTITY_W w;
        SEC_WINNT_AUTH_IDENTITY_EXW ex;
    } form;
};

static void *make(struct random_thread *thread, struct any_identity *any)
{
    const ULONG lens[3] = {random_below(thread, 8), random_below(thread, 8),
                           random_below(thread, 8)};

    for (size_t i = 0; i < sizeof(any->wide) / sizeof(any->wide[0][0]); i++) {
        ((uint16_t *)any->wide)[i] = (uint16_t)random_below(thread, 0x300);
        ((char *)any->narrow)[i] = (char)random_below(thread, 0x90);
    }
    if (random_chance(thread, 10))
        return NULL;
    if (random_chance(thread, 40)) {
        any->form.a = (SEC_WINNT_AUTH_IDENTITY_A){
            (unsigned char *)any->narrow[0], lens[0], (unsigned char *)any->narrow[1], lens[1],
            (unsigned char *)any->narrow[2], lens[2], SEC_WINNT_AUTH_IDENTITY_ANSI};
        return &any->form.a;
    }
    if (random_chance(thread, 50)) {
        any->form.w = (SEC_WINNT_AUTH_IDENTITY_W){any->wide[0],
                                                  lens[0],
                                                  any->wide[1],
                                                  lens[1],
                                                  any->wide[2],
                                                  lens[2],
                                                  random_below(thread, 0x100)};
        return &any->form.w;
    }
    any->form.ex = (SEC_WINNT_AUTH_IDENTITY_EXW){SEC_WINNT_AUTH_IDENTITY_VERSION,
                                                 sizeof(any->form.ex),
                                                 any->wide[0],
                                                 lens[0],
                                                 any->wide[1],
                                                 lens[1],
                                                 NULL,
                                                 0,
                                                 SEC_WINNT_AUTH_IDENTITY_UNICODE,
                                                 any->wide[2],
                                                 lens[2]};
    return &any->form.ex;
}

static void call_copy(struct random_thread *thread)
{
    struct any_identity any;
    void *identity = make(thread, &any), *copy = NULL;
    SECURITY_STATUS status = SspiCopyAuthIdentity(identity, &copy);

    contract_require("SspiCopyAuthIdentity", status);
    TEST_REQUIRE((status == SEC_E_OK) == (copy != NULL));
    SspiFreeAuthIdentity(copy);
}

static void call_validate(struct random_thread *thread)
{
    struct any_identity any;

    contract_require("SspiValidateAuthIdentity", SspiValidateAuthIdentity(make(thread, &any)));
}

static void call_compare(struct random_thread *thread)
{
    struct any_identity one, two;
    BOOLEAN user = FALSE, all = FALSE;
    void *first = make(thread, &one), *second = make(thread, &two);

    contract_require("SspiCompareAuthIdentities",
                     SspiCompareAuthIdentities(first, second, &user, &all));
    TEST_REQUIRE(user || !all);
}

static void call_marshal(struct random_thread *thread)
{
    struct any_identity any;
    ULONG len = 1;
    char *bytes = NULL;

    contract_require("SspiMarshalAuthIdentity",
                     SspiMarshalAuthIdentity(make(thread, &any), &len, &bytes));
    TEST_REQUIRE((len > 0) == (bytes != NULL));
    SspiLocalFree(bytes);
}

static void call_unmarshal(struct random_thread *thread)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 block = {
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION_2,
        .cbHeaderLength = sizeof(block),
        .cbStructureLength = random_below(thread, 2 * sizeof(block)),
        .UserOffset = random_below(thread, 2 * sizeof(block)),
        .UserLength = (USHORT)random_below(thread, 40),
    };
    void *identity = NULL;

    contract_require("SspiUnmarshalAuthIdentity",
                     SspiUnmarshalAuthIdentity(random_below(thread, sizeof(block) + 1),
                                               (char *)&block, &identity));
    SspiFreeAuthIdentity(identity);
}

static void call_encode(struct random_thread *thread)
{
    static const WCHAR *const strings[] = {NULL, u"", u"user", u"\xD800"};
    void *identity = NULL;

    contract_require("SspiEncodeStringsAsAuthIdentity",
                     SspiEncodeStringsAsAuthIdentity(RANDOM_OF(thread, strings),
                                                     RANDOM_OF(thread, strings),
                                                     RANDOM_OF(thread, strings), &identity));
    SspiFreeAuthIdentity(identity);
}

static void call_decode(struct random_thread *thread)
{
    struct any_identity any;
    PCWSTR strings[3] = {0};

    contract_require(
        "SspiEncodeAuthIdentityAsStrings",
        SspiEncodeAuthIdentityAsStrings(make(thread, &any), &strings[0], &strings[1], &strings[2]));
    for (int i = 0; i < 3; i++)
        SspiLocalFree((void *)(uintptr_t)strings[i]);
}

static void call_exclude(struct random_thread *thread)
{
    static const WCHAR *const names[] = {NULL, u"", u"ntlm", u"a,b"};
    struct any_identity any;
    void *identity = NULL;

    contract_require("SspiExcludePackage",
                     SspiExcludePackage(make(thread, &any), RANDOM_OF(thread, names), &identity));
    SspiFreeAuthIdentity(identity);
}

static void call_host(struct random_thread *thread)
{
    static const WCHAR *const names[] = {NULL, u"", u"HTTP/a:80", u"a@B", u"/", u"x/[::1"};
    PWSTR host = NULL;

    contract_require("SspiGetTargetHostName",
                     SspiGetTargetHostName(RANDOM_OF(thread, names), &host));
    SspiLocalFree(host);
}

static const struct random_row rows[] = {
    {"SspiCopyAuthIdentity", call_copy, 1},
    {"SspiValidateAuthIdentity", call_validate, 1},
    {"SspiCompareAuthIdentities", call_compare, 1},
    {"SspiMarshalAuthIdentity", call_marshal, 1},
    {"SspiUnmarshalAuthIdentity", call_unmarshal, 1},
    {"SspiEncodeStringsAsAuthIdentity", call_encode, 1},
    {"SspiEncodeAuthIdentityAsStrings", call_decode, 1},
    {"SspiExcludePackage", call_exclude, 1},
    {"SspiGetTargetHostName", call_host, 1},
};
RANDOM_ROWS(random_identity_rows, rows);
