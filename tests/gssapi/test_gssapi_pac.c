/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The logon information of a client (MS-PAC 2.5): what is in it, and bytes that are none.
 */
#include <opensspi.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "packages/gssapi/pac.h"
#include "support/test_util.h"

/* Guarded: all by the one thread of the test. */
struct writer {
    unsigned char bytes[2048];
    size_t len;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
    TEST_REQUIRE(len <= sizeof(w->bytes) - w->len);
    memcpy(w->bytes + w->len, bytes, len);
    w->len += len;
}

static void u32(struct writer *w, uint32_t value)
{
    const unsigned char b[4] = {(unsigned char)value, (unsigned char)(value >> 8),
                                (unsigned char)(value >> 16), (unsigned char)(value >> 24)};

    while (w->len % 4 != 0)
        put(w, "", 1);
    put(w, b, 4);
}

static void when(struct writer *w, uint64_t ticks)
{
    u32(w, (uint32_t)ticks);
    u32(w, (uint32_t)(ticks >> 32));
}

static void place(struct writer *w, const char *text)
{
    const uint32_t bytes = text ? (uint32_t)strlen(text) * 2 : 0;

    u32(w, bytes | bytes << 16);
    u32(w, text ? 0x20000 : 0);
}

static void text(struct writer *w, const char *string)
{
    const uint32_t count = (uint32_t)strlen(string);

    u32(w, count);
    u32(w, 0);
    u32(w, count);
    for (uint32_t i = 0; i < count; i++) {
        const char unit[2] = {string[i], '\0'};

        put(w, unit, 2);
    }
}

static void sid(struct writer *w, unsigned char authority, const uint32_t *subs, uint32_t count)
{
    const unsigned char head[8] = {1, (unsigned char)count, 0, 0, 0, 0, 0, authority};

    u32(w, count);
    put(w, head, sizeof(head));
    for (uint32_t i = 0; i < count; i++)
        u32(w, subs[i]);
}

struct wish {
    uint64_t logoff, kickoff, must_change;
    uint32_t user; /* 0: his identifier is the first of the others */
    const char *account;
    bool resources;
};

/* In the order in which a domain controller writes it. */
static void build(struct writer *w, const struct wish *wish)
{
    static const uint32_t domain[] = {21, 1000000001, 2000000002, 3000000003};
    static const uint32_t local[] = {21, 4, 5, 6};
    static const uint32_t other[] = {21, 7, 8, 9, 1234};
    static const uint32_t nobody[] = {1};

    w->len = 0;
    u32(w, 0x00081001);
    u32(w, 0xCCCCCCCC);
    u32(w, 0); /* the length of all, which nobody reads */
    u32(w, 0);
    u32(w, 0x20000);
    when(w, 1);
    when(w, wish->logoff);
    when(w, wish->kickoff);
    when(w, 1);
    when(w, 1);
    when(w, wish->must_change);
    place(w, wish->account);
    place(w, "A. Lice");
    for (unsigned i = 0; i < 4; i++)
        place(w, i % 2 ? NULL : "odd");
    u32(w, 7);
    u32(w, wish->user);
    u32(w, 513);
    u32(w, 2);
    u32(w, 0x20004);
    u32(w, 0x20);
    put(w, (char[16]){0}, 16);
    place(w, "DC");
    place(w, "SHORT");
    u32(w, 0x20008);
    put(w, (char[40]){0}, 40);
    u32(w, 2);
    u32(w, 0x2000C);
    u32(w, wish->resources ? 0x20010 : 0);
    u32(w, wish->resources ? 1 : 0);
    u32(w, wish->resources ? 0x20014 : 0);

    if (wish->account)
        text(w, wish->account);
    text(w, "A. Lice");
    text(w, "odd");
    text(w, "odd");
    u32(w, 2);
    u32(w, 513);
    u32(w, 7);
    u32(w, 1105);
    u32(w, 7);
    text(w, "DC");
    text(w, "SHORT");
    sid(w, 5, domain, 4);
    u32(w, 2);
    u32(w, 0x20018);
    u32(w, 7);
    u32(w, 0x2001C);
    u32(w, 7);
    sid(w, 5, other, 5);
    sid(w, 18, nobody, 1);
    if (wish->resources) {
        sid(w, 5, local, 4);
        u32(w, 1);
        u32(w, 2222);
        u32(w, 7);
    }
}

#define USUAL \
    { \
        .logoff = OSSPI_FILETIME_NEVER, .kickoff = OSSPI_FILETIME_NEVER, \
        .must_change = 132000000000000000, .user = 1104, .account = "alice", .resources = true \
    }

static void require_groups(const OsspiAuthorization *who, const char *const *groups, size_t count)
{
    assert_int_equal(who->group_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(who->group_sids[i], groups[i]);
}

static void a_user_and_his_groups(void **state)
{
    static const char *const groups[] = {
        "S-1-5-21-1000000001-2000000002-3000000003-513",
        "S-1-5-21-1000000001-2000000002-3000000003-1105",
        "S-1-5-21-7-8-9-1234",
        "S-1-18-1",
        "S-1-5-21-4-5-6-2222",
    };
    const struct wish wish = USUAL;
    OsspiAuthorization *who = NULL;
    struct writer w;

    (void)state;
    build(&w, &wish);
    assert_int_equal(osspi_pac_describe(w.bytes, w.len, &who), SEC_E_OK);
    assert_string_equal(who->account, "alice");
    assert_string_equal(who->domain, "SHORT");
    assert_string_equal(who->user_sid, "S-1-5-21-1000000001-2000000002-3000000003-1104");
    require_groups(who, groups, 5);
    assert_int_equal(FreeContextBuffer(who), SEC_E_OK);
}

static void a_user_of_another_domain(void **state)
{
    struct wish wish = USUAL;
    OsspiAuthorization *who = NULL;
    struct writer w;

    (void)state;
    wish.user = 0;
    wish.account = NULL;
    wish.resources = false;
    build(&w, &wish);
    assert_int_equal(osspi_pac_describe(w.bytes, w.len, &who), SEC_E_OK);
    assert_string_equal(who->account, "");
    assert_string_equal(who->user_sid, "S-1-5-21-7-8-9-1234");
    assert_int_equal(who->group_count, 3);
    assert_string_equal(who->group_sids[2], "S-1-18-1");
    assert_int_equal(FreeContextBuffer(who), SEC_E_OK);
}

static void times_as_they_are(void **state)
{
    struct wish wish = USUAL;
    struct osspi_pac_times times;
    struct writer w;

    (void)state;
    build(&w, &wish);
    assert_true(osspi_pac_times(w.bytes, w.len, &times));
    assert_true(times.logoff == OSSPI_FILETIME_NEVER);
    assert_true(times.must_change == 132000000000000000);
    wish.logoff = 5;
    wish.kickoff = 4;
    build(&w, &wish);
    assert_true(osspi_pac_times(w.bytes, w.len, &times));
    assert_true(times.logoff == 4);
}

/* In memory that ends where they end. */
static SECURITY_STATUS describe_exactly(const unsigned char *bytes, size_t len)
{
    unsigned char *exact = malloc(len > 0 ? len : 1);
    OsspiAuthorization *who = NULL;
    SECURITY_STATUS status;

    TEST_REQUIRE(exact != NULL);
    memcpy(exact, bytes, len);
    status = osspi_pac_describe(exact, len, &who);
    if (status == SEC_E_OK)
        FreeContextBuffer(who);
    free(exact);
    return status;
}

static void what_is_cut_is_refused(void **state)
{
    const struct wish wish = USUAL;
    struct writer w;

    (void)state;
    build(&w, &wish);
    assert_int_equal(describe_exactly(w.bytes, w.len), SEC_E_OK);
    for (size_t len = 0; len < w.len; len++)
        assert_int_equal(describe_exactly(w.bytes, len), SEC_E_NO_CREDENTIALS);
}

static void what_is_changed_breaks_nothing(void **state)
{
    static const unsigned char values[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
    const struct wish wish = USUAL;
    struct writer w;

    (void)state;
    build(&w, &wish);
    for (size_t i = 0; i < w.len; i++) {
        const unsigned char before = w.bytes[i];

        for (size_t k = 0; k < sizeof(values); k++) {
            SECURITY_STATUS status;

            w.bytes[i] = values[k];
            status = describe_exactly(w.bytes, w.len);
            assert_true(status == SEC_E_OK || status == SEC_E_NO_CREDENTIALS);
        }
        w.bytes[i] = before;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_and_his_groups),
        cmocka_unit_test(a_user_of_another_domain),
        cmocka_unit_test(times_as_they_are),
        cmocka_unit_test(what_is_cut_is_refused),
        cmocka_unit_test(what_is_changed_breaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
