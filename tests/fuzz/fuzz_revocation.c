/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: what certificates and responders say about revocation, as far as the library takes
 * it apart: addresses, addresses inside certificates, OCSP answers about the test server. Nobody is
 * asked.
 *
 * Input: a byte that says which of the three, then that.
 */
#include "cert/x509.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert/crypto.h"
#include "cert/fetch.h"
#include "cert/ocsp.h"
#include "cert/source.h"
#include "fuzz/fuzz.h"

static X509 *server, *inter; /* constant after fuzz_prepare() */
static X509_STORE *trust;
static STACK_OF(X509) * chain;

static X509 *read_certificate(const char *name)
{
    char path[512];
    FILE *file;
    X509 *certificate;

    peer_path(name, ".pem", path, sizeof(path));
    file = fopen(path, "re");
    TEST_REQUIRE(file != NULL);
    certificate = PEM_read_X509(file, NULL, NULL, NULL);
    TEST_REQUIRE(certificate != NULL);
    fclose(file);
    return certificate;
}

void fuzz_prepare(void)
{
    X509 *root;
    OSSPI_CRYPTO_CALL;

    server = read_certificate("server");
    inter = read_certificate("inter");
    root = read_certificate("ca");
    trust = X509_STORE_new();
    chain = sk_X509_new_null();
    TEST_REQUIRE(trust && chain && X509_STORE_add_cert(trust, root) == 1);
    TEST_REQUIRE(sk_X509_push(chain, server) == 1 && sk_X509_push(chain, inter) == 2);
    X509_free(root);
}

/* Nothing that is followed may end a line of the request. */
static void check_url(const char *url)
{
    char class_name[64];

    TEST_REQUIRE(strncasecmp(url, "http://", 7) == 0 && strlen(url) < OSSPI_FETCH_URL_MAX);
    TEST_REQUIRE(strpbrk(url, "\r\n\t @") == NULL);
    osspi_fetch_class("ocsp", url, class_name, sizeof(class_name));
    TEST_REQUIRE(strncmp(class_name, "ocsp:", 5) == 0 && strlen(class_name) > 5);
}

static void one_url(struct fuzz_input *input)
{
    char *url = fuzz_take_string(input, input->len);

    if (osspi_fetch_possible(url))
        check_url(url);
    free(url);
}

static void one_certificate(struct fuzz_input *input)
{
    size_t len;
    uint8_t *der = fuzz_take_rest(input, &len);
    const unsigned char *at = der;
    struct osspi_sources sources = {0};
    OSSPI_CRYPTO_CALL;
    X509 *certificate = d2i_X509(NULL, &at, (long)len);

    if (certificate) {
        TEST_REQUIRE(osspi_sources_read(certificate, &sources));
        for (size_t i = 0; i < sources.ocsp_count; i++)
            check_url(sources.ocsp[i]);
        for (size_t i = 0; i < sources.list_count; i++)
            check_url(sources.lists[i]);
    }
    osspi_sources_clear(&sources);
    X509_free(certificate);
    free(der);
}

static void one_answer(struct fuzz_input *input)
{
    const struct osspi_subject subject = {server, inter, chain, trust};
    struct osspi_answer answer = {OSSPI_STANDING_UNASKED, 0};
    struct osspi_der_view der;
    uint8_t *bytes = fuzz_take_rest(input, &der.len);
    OSSPI_CRYPTO_CALL;

    der.bytes = bytes;
    if (osspi_ocsp_read(der, &subject, &answer))
        TEST_REQUIRE(answer.standing == OSSPI_STANDING_GOOD);
    free(bytes);
}

void fuzz_one(struct fuzz_input *input)
{
    switch (fuzz_pick(input, 3)) {
    case 0:
        one_url(input);
        break;
    case 1:
        one_certificate(input);
        break;
    default:
        one_answer(input);
        break;
    }
}
