/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: SslGetServerIdentity and SslGetExtensions, on hellos that other TLS libraries make, on
 * one with the odd values that browsers put into theirs (RFC 8701), in records split anywhere, and
 * on damaged ones. What they find is compared with what OpenSSL finds in the same bytes.
 */
#include <openssl/err.h>
#include <schannel.h>
#include <stdlib.h>
#include <string.h>

#include "support/tls_raw.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SNI          0
#define ALPN         16

/* ---- calls on a block of exactly the bytes' size ---- */

struct found {
    SECURITY_STATUS status;
    char name[300]; /* "-": none */
};

static struct found identity(const uint8_t *bytes, size_t len)
{
    struct found found = {.name = "-"};
    uint8_t *block = malloc(len > 0 ? len : 1);
    PBYTE name = (PBYTE)-1;
    DWORD size = 77;

    TEST_REQUIRE(block != NULL);
    memcpy(block, bytes, len);
    found.status = SslGetServerIdentity(block, (DWORD)len, &name, &size, 0);
    TEST_REQUIRE((name == NULL) == (size == 0));
    TEST_REQUIRE(found.status == SEC_E_OK || name == NULL);
    if (name) {
        TEST_REQUIRE(name >= block && size <= len && name + size <= block + len);
        TEST_REQUIRE(size < sizeof(found.name));
        memcpy(found.name, name, size);
        found.name[size] = '\0';
    }
    free(block);
    return found;
}

/* The whole of the answer; bodies are checked to lie inside. */
static SECURITY_STATUS extensions(const uint8_t *bytes, size_t len, SCH_EXTENSION_DATA *wanted,
                                  BYTE count, DWORD *ret_read, SchGetExtensionsOptions options)
{
    uint8_t *block = malloc(len > 0 ? len : 1);
    SECURITY_STATUS status;

    TEST_REQUIRE(block != NULL);
    memcpy(block, bytes, len);
    status = SslGetExtensions(block, (DWORD)len, wanted, count, ret_read, options);
    for (BYTE i = 0; i < count; i++) {
        const BYTE *at = wanted[i].pExtData;

        TEST_REQUIRE(at != NULL || wanted[i].cbExtData == 0);
        TEST_REQUIRE(status == SEC_E_OK || at == NULL);
        if (!at)
            continue;
        TEST_REQUIRE(at >= block && wanted[i].cbExtData <= len);
        TEST_REQUIRE(at + wanted[i].cbExtData <= block + len);
        wanted[i].pExtData = bytes + (at - block); /* the caller's bytes live longer */
    }
    TEST_REQUIRE(status == SEC_E_OK || status == SEC_E_INCOMPLETE_MESSAGE ||
                 status == SEC_E_UNSUPPORTED_FUNCTION || *ret_read == 0);
    TEST_REQUIRE(status != SEC_E_OK || *ret_read <= len);
    TEST_REQUIRE(status != SEC_E_INCOMPLETE_MESSAGE || *ret_read > len);
    free(block);
    return status;
}

/* ---- hellos ---- */

struct hello {
    uint8_t bytes[8192];
    size_t len;
};

/* OpenSSL's, in one record. */
static void make_hello(struct hello *hello, int version, const char *name)
{
    static const unsigned char protocols[] = {2,   'h', '2', 8,   'h', 't',
                                              't', 'p', '/', '1', '.', '1'};
    struct peer_stream out = {0};
    struct raw_peer raw;

    raw_open(&raw, false, version, NULL);
    SSL_set_alpn_protos(raw.ssl, protocols, sizeof(protocols));
    if (name)
        TEST_REQUIRE(SSL_set_tlsext_host_name(raw.ssl, name) == 1);
    SSL_do_handshake(raw.ssl);
    raw_take(&raw, &out);
    TEST_REQUIRE(out.len > 40 && out.len <= sizeof(hello->bytes));
    memcpy(hello->bytes, out.bytes, out.len);
    hello->len = out.len;
    peer_clear(&out);
    raw_close(&raw);
}

static void put16(uint8_t *at, size_t number)
{
    at[0] = (uint8_t)(number >> 8);
    at[1] = (uint8_t)number;
}

/* Cuts the message of a hello in one record into records of `piece` bytes. */
static void split(const struct hello *whole, size_t piece, struct hello *ret_hello)
{
    size_t at = 5;

    ret_hello->len = 0;
    while (at < whole->len) {
        size_t part = whole->len - at < piece ? whole->len - at : piece;
        uint8_t *to = ret_hello->bytes + ret_hello->len;

        TEST_REQUIRE(ret_hello->len + 5 + part <= sizeof(ret_hello->bytes));
        memcpy(to, whole->bytes, 3);
        put16(to + 3, part);
        memcpy(to + 5, whole->bytes + at, part);
        ret_hello->len += 5 + part;
        at += part;
    }
}

/* A hello by hand: these extensions behind a head that is like a browser's. */
static void build(struct hello *hello, const uint8_t *body, size_t body_len)
{
    static const uint8_t head[] = {0x16, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3};
    uint8_t *at = hello->bytes;

    memset(hello->bytes, 0x42, sizeof(hello->bytes));
    memcpy(at, head, sizeof(head));
    at += sizeof(head) + 32;
    *at++ = 32;
    at += 32;
    put16(at, 6);
    memcpy(at + 2, "\x3A\x3A\x13\x01\x13\x02", 6); /* the first means nothing */
    at += 8;
    *at++ = 1;
    *at++ = 0;
    put16(at, body_len);
    if (body_len > 0)
        memcpy(at + 2, body, body_len);
    at += 2 + body_len;
    hello->len = (size_t)(at - hello->bytes);
    put16(hello->bytes + 3, hello->len - 5);
    put16(hello->bytes + 7, hello->len - 9);
}

/* ---- names ---- */

static void name_is_that_of_the_client(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION, 0};
    struct hello hello;

    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        make_hello(&hello, versions[i], "www.Example.test");
        assert_string_equal(identity(hello.bytes, hello.len).name, "www.Example.test");
        hello.bytes[hello.len] = 0x17; /* what comes behind is not looked at */
        assert_string_equal(identity(hello.bytes, hello.len + 1).name, "www.Example.test");
        make_hello(&hello, versions[i], NULL);
        assert_int_equal(identity(hello.bytes, hello.len).status, SEC_E_OK);
        assert_string_equal(identity(hello.bytes, hello.len).name, "-");
    }
}

static void parts_are_incomplete(void **state)
{
    SCH_EXTENSION_DATA wanted[] = {{.ExtensionType = SNI}};
    struct hello hello;
    DWORD whole;

    (void)state;
    make_hello(&hello, 0, "part.test");
    for (size_t len = 0; len < hello.len; len++) {
        assert_int_equal(identity(hello.bytes, len).status, SEC_E_INCOMPLETE_MESSAGE);
        assert_int_equal(extensions(hello.bytes, len, wanted, 1, &whole, 0),
                         SEC_E_INCOMPLETE_MESSAGE);
        assert_int_equal(whole, len < 5 ? 5 : hello.len);
        if (len + 5 >= hello.len)
            continue;
        assert_int_equal(extensions(hello.bytes + 5, len, wanted, 1, &whole, SCH_NO_RECORD_HEADER),
                         SEC_E_INCOMPLETE_MESSAGE);
        assert_int_equal(whole, len < 4 ? 4 : hello.len - 5);
    }
    assert_int_equal(extensions(hello.bytes, hello.len, wanted, 1, &whole, 0), SEC_E_OK);
    assert_int_equal(whole, hello.len);
    assert_int_equal(
        extensions(hello.bytes + 5, hello.len - 5, wanted, 1, &whole, SCH_NO_RECORD_HEADER),
        SEC_E_OK);
    assert_int_equal(whole, hello.len - 5);
}

/* Wherever the records end: the name is found, unless one ends in it. */
static void records_may_end_anywhere(void **state)
{
    struct hello hello, cut;
    size_t found = 0, apart = 0;

    (void)state;
    make_hello(&hello, 0, "split.test");
    for (size_t piece = 1; piece < hello.len; piece++) {
        struct found one;
        DWORD whole;

        split(&hello, piece, &cut);
        one = identity(cut.bytes, cut.len);
        if (one.status == SEC_E_OK) {
            assert_string_equal(one.name, "split.test");
            found++;
        } else {
            assert_int_equal(one.status, SEC_E_UNSUPPORTED_FUNCTION);
            apart++;
        }
        assert_int_equal(identity(cut.bytes, cut.len - 1).status, SEC_E_INCOMPLETE_MESSAGE);
        assert_int_equal(extensions(cut.bytes, cut.len, NULL, 0, &whole, 0), SEC_E_OK);
        assert_int_equal(whole, cut.len);
    }
    assert_true(found > apart && apart > 5);
}

/* ---- extensions ---- */

/* Of a type twice: the first is enough for the comparison. */
struct seen {
    const unsigned char *at[64];
    size_t len[64];
};

/* OpenSSL's own parser, on the same bytes. */
static int on_hello(SSL *ssl, int *alert, void *argument)
{
    struct seen *seen = argument;

    (void)alert;
    for (unsigned type = 0; type < 64; type++) {
        if (SSL_client_hello_get0_ext(ssl, type, &seen->at[type], &seen->len[type]) != 1)
            seen->at[type] = NULL;
    }
    return SSL_CLIENT_HELLO_ERROR;
}

static bool openssl_reads(const struct hello *hello, struct peer_stream *copy, struct seen *seen)
{
    struct raw_peer raw;
    static unsigned char bodies[64][2048];

    memset(seen, 0, sizeof(*seen));
    raw_open(&raw, true, 0, "server");
    SSL_CTX_set_client_hello_cb(raw.ctx, on_hello, seen);
    raw_again(&raw, true);
    peer_push(copy, hello->bytes, hello->len);
    raw_give(&raw, copy);
    SSL_do_handshake(raw.ssl);
    bool any = false;
    for (unsigned type = 0; type < 64; type++) {
        if (!seen->at[type] || seen->len[type] > sizeof(bodies[0]))
            continue;
        any = true;
        memcpy(bodies[type], seen->at[type], seen->len[type]);
        seen->at[type] = bodies[type];
    }
    raw_close(&raw);
    ERR_clear_error();
    return any;
}

static void compare_with_openssl(const struct hello *hello)
{
    SCH_EXTENSION_DATA wanted[64];
    struct peer_stream copy = {0};
    struct seen seen;
    DWORD whole;

    for (WORD type = 0; type < 64; type++)
        wanted[type] = (SCH_EXTENSION_DATA){.ExtensionType = type};
    assert_int_equal(extensions(hello->bytes, hello->len, wanted, 64, &whole, 0), SEC_E_OK);
    assert_true(openssl_reads(hello, &copy, &seen));
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(wanted[i].pExtData != NULL, seen.at[i] != NULL);
        if (!seen.at[i])
            continue;
        assert_int_equal(wanted[i].cbExtData, seen.len[i]);
        assert_memory_equal(wanted[i].pExtData, seen.at[i], seen.len[i]);
    }
}

/* What Chromium sends, in its order, with values of RFC 8701 in front and at the end. */
static const uint8_t browser[] = {
    0x4A, 0x4A, 0, 0, /* means nothing, empty */
    0,    0,    0, 13, 0, 11,   0,    0,    8,   'g', 'r', 'e', 'a', 's', 'e', '.', 't', /* name */
    0,    23,   0, 0,                                          /* extended_master_secret */
    0xFF, 1,    0, 1,  0,                                      /* renegotiation_info */
    0,    10,   0, 8,  0, 6,    0x5A, 0x5A, 0,   29,  0,   23, /* groups */
    0,    11,   0, 2,  1, 0,                                   /* point formats */
    0,    35,   0, 0,                                          /* session_ticket */
    0,    16,   0, 5,  0, 3,    2,    'h',  '2',               /* ALPN */
    0,    43,   0, 7,  6, 0x6A, 0x6A, 3,    4,   3,   3,       /* versions */
    0x7A, 0x7A, 0, 1,  0,                                      /* means nothing */
    0,    21,   0, 3,  0, 0,    0,                             /* padding */
};

static void extensions_are_those_that_openssl_sees(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION, 0};
    struct hello hello;

    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        make_hello(&hello, versions[i], "compare.test");
        compare_with_openssl(&hello);
    }
    build(&hello, browser, sizeof(browser));
    compare_with_openssl(&hello);
}

static void values_that_mean_nothing_are_passed_over(void **state)
{
    SCH_EXTENSION_DATA wanted[] = {{.ExtensionType = 0x4A4A},
                                   {.ExtensionType = ALPN},
                                   {.ExtensionType = 99},
                                   {.ExtensionType = ALPN}};
    struct hello hello;
    DWORD whole;

    (void)state;
    build(&hello, browser, sizeof(browser));
    assert_string_equal(identity(hello.bytes, hello.len).name, "grease.t");
    assert_int_equal(extensions(hello.bytes, hello.len, wanted, 4, &whole, 0), SEC_E_OK);
    assert_non_null(wanted[0].pExtData); /* there, and empty */
    assert_int_equal(wanted[0].cbExtData, 0);
    assert_int_equal(wanted[1].cbExtData, 5);
    assert_memory_equal(wanted[1].pExtData, "\0\3\2h2", 5);
    assert_null(wanted[2].pExtData);
    assert_ptr_equal(wanted[3].pExtData, wanted[1].pExtData);
}

/* A TLS 1.2 hello may end behind the compression methods. */
static void hello_without_extensions_is_good(void **state)
{
    SCH_EXTENSION_DATA wanted[] = {{.ExtensionType = SNI}};
    struct hello hello;
    DWORD whole;

    (void)state;
    build(&hello, NULL, 0);
    assert_int_equal(identity(hello.bytes, hello.len).status, SEC_E_OK); /* an empty list */
    hello.len -= 2;
    put16(hello.bytes + 3, hello.len - 5);
    put16(hello.bytes + 7, hello.len - 9);
    assert_int_equal(identity(hello.bytes, hello.len).status, SEC_E_OK);
    assert_string_equal(identity(hello.bytes, hello.len).name, "-");
    assert_int_equal(extensions(hello.bytes, hello.len, wanted, 1, &whole, 0), SEC_E_OK);
    assert_null(wanted[0].pExtData);
}

/* ---- what is none ---- */

static void malformed_names_are_refused(void **state)
{
    static const struct {
        const char *body;
        size_t len;
    } bad[] = {
        {"\0\0\0\0", 4},                                /* no list */
        {"\0\0\0\2\0\0", 6},                            /* an empty one */
        {"\0\0\0\5\0\3\0\0\0", 9},                      /* an empty name */
        {"\0\0\0\7\0\4\0\0\1a\0", 11},                  /* bytes behind the list */
        {"\0\0\0\7\0\5\0\0\3ab", 11},                   /* longer than the list */
        {"\0\0\0\6\0\4\0\0\1\0", 10},                   /* NUL */
        {"\0\0\0\12\0\10\0\0\1a\0\0\1b", 14},           /* two names */
        {"\0\0\0\6\0\4\0\0\1a\0\0\0\6\0\4\0\0\1b", 20}, /* two extensions */
    };
    struct hello hello;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        build(&hello, (const uint8_t *)bad[i].body, bad[i].len);
        assert_int_equal(identity(hello.bytes, hello.len).status, SEC_E_ILLEGAL_MESSAGE);
    }
    build(&hello, (const uint8_t *)"\0\0\0\12\0\10\7\0\1a\0\0\1b", 14); /* one of another kind */
    assert_string_equal(identity(hello.bytes, hello.len).name, "b");
}

static void other_bytes_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } bad[] = {
        {0, 0x17}, /* no handshake */
        {1, 2},    /* SSL 2, or nothing */
        {5, 2},    /* a ServerHello */
        {6, 2},    /* 128 KiB and more */
        {9, 2},    /* its version */
        {43, 33},  /* a session id that is too long */
        {77, 7},   /* half a suite */
        {84, 0},   /* no compression method */
    };
    static const uint8_t zeros[256];
    struct hello hello;
    DWORD whole;

    (void)state;
    assert_int_equal(identity(zeros, sizeof(zeros)).status, SEC_E_ILLEGAL_MESSAGE);
    assert_int_equal(identity((const uint8_t *)"GET / HTTP/1.1\r\n", 16).status,
                     SEC_E_ILLEGAL_MESSAGE);
    assert_int_equal(identity((const uint8_t *)"\x16\x03\x01\0\0", 5).status,
                     SEC_E_ILLEGAL_MESSAGE); /* an empty record */
    for (size_t i = 0; i < COUNT(bad); i++) {
        build(&hello, browser, sizeof(browser));
        hello.bytes[bad[i].at] = bad[i].value;
        assert_int_equal(identity(hello.bytes, hello.len).status, SEC_E_ILLEGAL_MESSAGE);
        assert_int_equal(extensions(hello.bytes, hello.len, NULL, 0, &whole, 0),
                         SEC_E_ILLEGAL_MESSAGE);
    }
    build(&hello, browser, sizeof(browser) - 1); /* the last one is cut */
    assert_int_equal(identity(hello.bytes, hello.len).status, SEC_E_ILLEGAL_MESSAGE);
}

static void extensions_that_come_twice_are_refused(void **state)
{
    SCH_EXTENSION_DATA wanted[] = {{.ExtensionType = ALPN}};
    struct hello hello;
    DWORD whole;

    (void)state;
    build(&hello, (const uint8_t *)"\0\20\0\0\0\20\0\0", 8);
    assert_int_equal(extensions(hello.bytes, hello.len, wanted, 1, &whole, 0),
                     SEC_E_ILLEGAL_MESSAGE);
}

static void arguments_are_checked(void **state)
{
    SCH_EXTENSION_DATA wanted[1] = {{.ExtensionType = SNI}};
    struct hello hello;
    PBYTE name;
    DWORD size;

    (void)state;
    make_hello(&hello, 0, "args.test");
    const DWORD len = (DWORD)hello.len;
    const SchGetExtensionsOptions unknown = 2;
    assert_int_equal(SslGetServerIdentity(NULL, len, &name, &size, 0), SEC_E_INVALID_PARAMETER);
    assert_int_equal(SslGetServerIdentity(hello.bytes, len, NULL, &size, 0),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(SslGetServerIdentity(hello.bytes, len, &name, NULL, 0),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(SslGetServerIdentity(hello.bytes, len, &name, &size, 1),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(SslGetExtensions(NULL, len, wanted, 1, &size, 0), SEC_E_INVALID_PARAMETER);
    assert_int_equal(SslGetExtensions(hello.bytes, len, NULL, 1, &size, 0),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(SslGetExtensions(hello.bytes, len, wanted, 1, NULL, 0),
                     SEC_E_INVALID_PARAMETER);
    assert_int_equal(SslGetExtensions(hello.bytes, len, wanted, 1, &size, unknown),
                     SEC_E_INVALID_PARAMETER);
}

/* ---- damage ---- */

/* Whatever is done to it, answers are one of these and point inside (see identity()). Where OpenSSL
 * reads it, so do we, and the same. */
static void damaged_hellos_do_no_harm(void **state)
{
    uint64_t seed = 20261122;
    unsigned good = 0;
    struct hello whole, cut, *hello;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        SCH_EXTENSION_DATA wanted[3] = {{.ExtensionType = SNI},
                                        {.ExtensionType = ALPN},
                                        {.ExtensionType = (WORD)test_random(&seed)}};
        SECURITY_STATUS status;
        DWORD size;

        if (i % 100 == 0)
            make_hello(&whole, 0, "damage.test");
        hello = i % 3 == 0 ? &cut : &whole;
        if (hello == &cut)
            split(&whole, 1 + test_random(&seed) % whole.len, &cut);
        struct hello damaged = *hello;
        for (size_t times = 1 + test_random(&seed) % 4; times > 0; times--)
            damaged.bytes[test_random(&seed) % damaged.len] = (uint8_t)test_random(&seed);
        if (i % 5 == 0)
            damaged.len = test_random(&seed) % damaged.len;
        status = identity(damaged.bytes, damaged.len).status;
        assert_true(status == SEC_E_OK || status == SEC_E_INCOMPLETE_MESSAGE ||
                    status == SEC_E_ILLEGAL_MESSAGE || status == SEC_E_UNSUPPORTED_FUNCTION);
        good += status == SEC_E_OK;
        (void)extensions(damaged.bytes, damaged.len, wanted, 3, &size, i % 2);
    }
    assert_in_range(good, 100, 9900);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_is_that_of_the_client),
        cmocka_unit_test(parts_are_incomplete),
        cmocka_unit_test(records_may_end_anywhere),
        cmocka_unit_test(extensions_are_those_that_openssl_sees),
        cmocka_unit_test(values_that_mean_nothing_are_passed_over),
        cmocka_unit_test(hello_without_extensions_is_good),
        cmocka_unit_test(malformed_names_are_refused),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(extensions_that_come_twice_are_refused),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(damaged_hellos_do_no_harm),
    };

    return cmocka_run_group_tests_name("contract.hello", tests, peer_set_up, NULL);
}
