/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The table of cipher suites, held against what OpenSSL knows of the same numbers.
 */
#include <openssl/ssl.h>
#include <string.h>

#include "packages/schannel/credential.h"
#include "support/test_util.h"

static void find_knows_every_entry_once(void **state)
{
    (void)state;
    assert_true(osspi_suite_count() <= 64);
    for (size_t i = 0; i < osspi_suite_count(); i++)
        assert_ptr_equal(osspi_suite_find(osspi_suite_at(i)->id), osspi_suite_at(i));
    assert_null(osspi_suite_at(osspi_suite_count()));
    assert_null(osspi_suite_find(0x0000));
    assert_null(osspi_suite_find(0x0005)); /* RC4 */
}

static void defaults_are_forward_secret_and_aead(void **state)
{
    (void)state;
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        const struct osspi_suite *suite = osspi_suite_at(i);

        if (suite->by_default)
            assert_true(suite->aead && strcmp(suite->exchange, "RSA") != 0);
        assert_true(suite->aead == (suite->hash_bits == 0));
        assert_true(suite->aead == (suite->hash[0] == '\0'));
    }
}

static const SSL_CIPHER *lookup(SSL *ssl, uint16_t id)
{
    const unsigned char bytes[] = {(unsigned char)(id >> 8), (unsigned char)id};

    return SSL_CIPHER_find(ssl, bytes);
}

static void check_against(const struct osspi_suite *suite, const SSL_CIPHER *cipher)
{
    const EVP_MD *prf = SSL_CIPHER_get_handshake_digest(cipher);
    int bits = 0;

    assert_non_null(cipher);
    assert_string_equal(SSL_CIPHER_standard_name(cipher), suite->iana_name);
    assert_string_equal(SSL_CIPHER_get_name(cipher), suite->openssl_name);
    SSL_CIPHER_get_bits(cipher, &bits);
    assert_int_equal(bits, suite->cipher_bits);
    assert_int_equal(SSL_CIPHER_is_aead(cipher), suite->aead);
    /* CBC suites before TLS 1.2's own have the mixed hash of TLS 1.0; in 1.2 it is SHA-256. */
    if (prf && EVP_MD_get_size(prf) != 36)
        assert_int_equal(EVP_MD_get_size(prf), strcmp(suite->prf_hash, "SHA384") == 0 ? 48 : 32);
}

static void names_and_sizes_agree_with_openssl(void **state)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(ctx);

    (void)state;
    assert_non_null(ssl);
    for (size_t i = 0; i < osspi_suite_count(); i++)
        check_against(osspi_suite_at(i), lookup(ssl, osspi_suite_at(i)->id));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_knows_every_entry_once),
        cmocka_unit_test(defaults_are_forward_secret_and_aead),
        cmocka_unit_test(names_and_sizes_agree_with_openssl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
