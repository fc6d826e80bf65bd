/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The test certificates; see tls_certs.h. script/make-test-certs makes them, and the build says in
 * OSSPI_TEST_CERTS where they are.
 */
#include "support/tls_certs.h"

#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/test_util.h"

void peer_path(const char *name, const char *suffix, char *path, size_t size)
{
    const char *folder = getenv("OSSPI_TEST_CERTS");

    TEST_REQUIRE(folder != NULL);
    TEST_REQUIRE(snprintf(path, size, "%s/%s%s", folder, name, suffix) < (int)size);
}

PCCERT_CONTEXT peer_certificate(const char *name)
{
    char certificate[512], key[512];
    PCCERT_CONTEXT context = NULL;

    peer_path(name, ".pem", certificate, sizeof(certificate));
    peer_path(name, ".key", key, sizeof(key));
    TEST_REQUIRE_EQUAL(OsspiLoadCertificate(certificate, key, NULL, &context), SEC_E_OK);
    return context;
}

void peer_trust(const char *name)
{
    char path[512];

    peer_path(name, ".pem", path, sizeof(path));
    TEST_REQUIRE(setenv("SSL_CERT_FILE", path, 1) == 0);
}

int peer_set_up(void **state)
{
    (void)state;
    test_watchdog(110);
    peer_trust("ca");
    return 0;
}
