/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: PKCS #11 URIs, as far as the library takes them apart itself. What it takes for good
 * it has to put together again so that it is the same the second time.
 *
 * Input: the URI, up to the first NUL. Those that name a file with a PIN are left out: which files
 * there are is not the input's to say.
 */
#include <stdlib.h>
#include <string.h>

#include "cert/pkcs11_uri.h"
#include "fuzz/fuzz.h"

/* Not for the client's sake: the library decides how the TLS library ends, if it comes first. */
void fuzz_prepare(void)
{
    (void)fuzz_client(FUZZ_CLIENT_ANY);
}

static void require_status(SECURITY_STATUS status)
{
    TEST_REQUIRE(status == SEC_E_OK || status == SEC_E_UNKNOWN_CREDENTIALS);
}

static void require_same(const struct osspi_token_uri *a, const struct osspi_token_uri *b)
{
    TEST_REQUIRE(strcmp(a->path, b->path) == 0);
    TEST_REQUIRE(a->has_token == b->has_token);
    TEST_REQUIRE(a->pin.len == b->pin.len);
    TEST_REQUIRE(a->pin.len == 0 || memcmp(a->pin.bytes, b->pin.bytes, a->pin.len) == 0);
    TEST_REQUIRE(b->module == NULL);
}

static void take_again(const struct osspi_token_uri *uri)
{
    static const enum osspi_token_type types[] = {OSSPI_TOKEN_ANY, OSSPI_TOKEN_CERTIFICATE,
                                                  OSSPI_TOKEN_PRIVATE_KEY};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char *built = osspi_token_uri_build(uri->path, types[i], &uri->pin);
        struct osspi_token_uri again = {0};
        SECURITY_STATUS status;

        TEST_REQUIRE(built != NULL);
        status = osspi_token_uri_parse(built, &again);
        /* With the PIN encoded it may have become too long. */
        TEST_REQUIRE(status == SEC_E_OK || strlen(built) > OSSPI_TOKEN_URI_MAX);
        if (status == SEC_E_OK) {
            TEST_REQUIRE(again.type == types[i]);
            require_same(uri, &again);
        }
        osspi_token_uri_clear(&again);
        osspi_free(built);
    }
}

void fuzz_one(struct fuzz_input *input)
{
    char *text = fuzz_take_string(input, input->len);
    struct osspi_token_uri uri = {0};
    SECURITY_STATUS status;

    if (strstr(text, "pin-source")) {
        free(text);
        return;
    }
    status = osspi_token_uri_parse(text, &uri);
    require_status(status);
    TEST_REQUIRE(status != SEC_E_OK || osspi_token_uri_is(text));
    if (status == SEC_E_OK) {
        TEST_REQUIRE(uri.path && osspi_token_uri_is(uri.path) && strchr(uri.path, '='));
        TEST_REQUIRE(!strchr(uri.path, '?') && !strstr(uri.path, ";type="));
        TEST_REQUIRE(!uri.module || uri.module[0] != '\0');
        TEST_REQUIRE(!uri.pin.bytes || strlen((char *)uri.pin.bytes) == uri.pin.len);
        take_again(&uri);
    } else {
        TEST_REQUIRE(!uri.path && !uri.module && !uri.pin.bytes);
    }
    osspi_token_uri_clear(&uri);
    free(text);
}
