/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: SslGetServerIdentity and SslGetExtensions.
 *
 * Input: one byte of options, the types of two extensions, and the hello. Bit 0: without record
 * headers. Bit 1: the rest is the message, and is put into records of as many bytes as the next
 * byte says. Whatever is found lies inside; with a byte less of a good message it is incomplete.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

/* The TLS library is not needed, but asked for errors after each input: it has to be at work before
 * to clean up what it keeps for that. */
void fuzz_prepare(void)
{
    (void)fuzz_client(FUZZ_CLIENT_ANY);
}

struct hello {
    uint8_t *bytes; /* exactly len */
    size_t len;
};

static struct hello in_records(struct fuzz_input *input)
{
    const size_t piece = 1u + fuzz_u8(input);
    struct hello hello = {.bytes = fuzz_room(input->len + 5 * ((input->len + piece - 1) / piece))};

    while (input->len > 0) {
        const size_t part = input->len < piece ? input->len : piece;
        uint8_t *to = hello.bytes + hello.len;

        memcpy(to, "\x16\x03\x01", 3);
        to[3] = (uint8_t)(part >> 8);
        to[4] = (uint8_t)part;
        memcpy(to + 5, input->bytes, part);
        input->bytes += part;
        input->len -= part;
        hello.len += 5 + part;
    }
    return hello;
}

static void check_inside(const struct hello *hello, const uint8_t *at, size_t len)
{
    TEST_REQUIRE(at >= hello->bytes && at <= hello->bytes + hello->len);
    TEST_REQUIRE(len <= (size_t)(hello->bytes + hello->len - at));
}

static SECURITY_STATUS identity(const struct hello *hello)
{
    PBYTE name = (PBYTE)-1;
    DWORD size = 1;
    SECURITY_STATUS status = SslGetServerIdentity(hello->bytes, (DWORD)hello->len, &name, &size, 0);

    TEST_REQUIRE((name != NULL) == (size > 0));
    TEST_REQUIRE(!name || status == SEC_E_OK);
    if (name) {
        check_inside(hello, name, size);
        TEST_REQUIRE(memchr(name, '\0', size) == NULL);
    }
    return status;
}

static SECURITY_STATUS extensions(const struct hello *hello, SCH_EXTENSION_DATA wanted[2],
                                  SchGetExtensionsOptions options, DWORD *ret_whole)
{
    SECURITY_STATUS status =
        SslGetExtensions(hello->bytes, (DWORD)hello->len, wanted, 2, ret_whole, options);

    for (int i = 0; i < 2; i++) {
        TEST_REQUIRE(wanted[i].pExtData || wanted[i].cbExtData == 0);
        TEST_REQUIRE(!wanted[i].pExtData || status == SEC_E_OK);
        if (wanted[i].pExtData)
            check_inside(hello, wanted[i].pExtData, wanted[i].cbExtData);
    }
    TEST_REQUIRE(status != SEC_E_OK || *ret_whole <= hello->len);
    TEST_REQUIRE(status != SEC_E_INCOMPLETE_MESSAGE || *ret_whole > hello->len);
    return status;
}

void fuzz_one(struct fuzz_input *input)
{
    const uint8_t options = fuzz_u8(input);
    SCH_EXTENSION_DATA wanted[2] = {{.ExtensionType = fuzz_u16(input)},
                                    {.ExtensionType = fuzz_u16(input)}};
    struct hello hello;
    SECURITY_STATUS status;
    DWORD whole = 0;

    if (options & 2)
        hello = in_records(input);
    else
        hello.bytes = fuzz_take_rest(input, &hello.len);
    if (!(options & 1))
        (void)identity(&hello);
    status = extensions(&hello, wanted, options & 1 ? SCH_NO_RECORD_HEADER : 0, &whole);
    if (status == SEC_E_OK) {
        hello.len = whole - 1;
        TEST_REQUIRE_EQUAL(
            extensions(&hello, wanted, options & 1 ? SCH_NO_RECORD_HEADER : 0, &whole),
            SEC_E_INCOMPLETE_MESSAGE);
    }
    free(hello.bytes);
}
