/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the tests of certificates share: files of script/make-test-certs, and certificates that are
 * made to order with the TLS library. Everything here ends the test when it fails.
 */
#ifndef OSSPI_TESTS_API_TEST_CERT_UTIL_H
#define OSSPI_TESTS_API_TEST_CERT_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wincrypt.h>

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct test_bytes {
    uint8_t *bytes; /* free with free() */
    size_t len;
};

/** The path of a file of the test certificates; valid until the thread's next call. */
const char *test_cert_path(const char *name);

/** Reads one whole. */
struct test_bytes test_cert_file(const char *name);

/** The nth certificate (from 0) of a PEM file, as DER. */
struct test_bytes test_cert_der(const char *name, int index);

/** The key of a PEM file without password, as PKCS#8 DER. */
struct test_bytes test_cert_key(const char *name);

/** A context of the nth certificate of a PEM file. */
PCCERT_CONTEXT test_cert_context(const char *name, int index);

/** How a certificate that is made to order differs from an ordinary one. */
struct test_cert_order {
    const char *subject[10][2];   /* pairs: attribute (short name or object id), UTF-8 value */
    const char *issuer;           /* common name of another issuer; NULL: self-signed */
    int joined;                   /* so many of the first attributes make one RDN */
    const char *extensions[4][2]; /* pairs: name and value as in openssl's configuration files */
    const char *serial;           /* hexadecimal; may begin with "-" */
    const char *not_before;       /* as in certificates: "20200101000000Z" */
    const char *not_after;
    const uint8_t *raw_dns; /* a dNSName of any bytes */
    size_t raw_dns_len;
};

/** Makes a certificate with a key of its own, which also signs it, whoever its issuer is. */
struct test_bytes test_cert_make(const struct test_cert_order *order);

/** The same as a context. */
PCCERT_CONTEXT test_cert_make_context(const struct test_cert_order *order);

/** An opened memory store. */
HCERTSTORE test_cert_store(void);

/** Certificates in a store. */
unsigned test_cert_count(HCERTSTORE store);

/** Requires that the last call failed with this reason. */
#define TEST_LAST_ERROR(expected) assert_int_equal(GetLastError(), (DWORD)(expected))

#endif
