/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Certificates to measure with; see certs.h. Made in a child, so that the bench's main process,
 * from which the sides are forked, has not used OpenSSL.
 */
#include "certs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "side.h"

static char folder[400]; /* constant after bench_certs_make */
static pid_t owner;      /* the same */

struct bench_certs bench_certs_paths(const char *where, bool rsa)
{
    const char *kind = rsa ? "rsa" : "ecdsa";
    struct bench_certs certs;

    if (snprintf(certs.authority, sizeof(certs.authority), "%s/%s-ca.pem", where, kind) < 0 ||
        snprintf(certs.chain, sizeof(certs.chain), "%s/%s.pem", where, kind) < 0 ||
        snprintf(certs.key, sizeof(certs.key), "%s/%s.key", where, kind) < 0)
        bench_die("no path");
    return certs;
}

/* --- One certificate --- */

static EVP_PKEY *make_key(bool rsa)
{
    EVP_PKEY *key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");

    if (!key)
        bench_die("OpenSSL makes no key");
    return key;
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    if (!extension || X509_add_ext(cert, extension, -1) != 1)
        bench_die("OpenSSL makes no extension");
    X509_EXTENSION_free(extension);
}

static X509 *make_cert(EVP_PKEY *key, const char *name, const X509 *issuer, EVP_PKEY *issuer_key,
                       bool authority)
{
    X509 *cert = X509_new();
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;

    if (!subject || X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                               (const unsigned char *)name, -1, -1, 0) != 1)
        bench_die("OpenSSL makes no certificate");
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), authority ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 30L * 86400);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
    X509_set_pubkey(cert, key);
    add_extension(cert, NID_basic_constraints,
                  authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(cert, NID_key_usage,
                  authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    if (!authority) {
        add_extension(cert, NID_ext_key_usage, "serverAuth");
        add_extension(cert, NID_subject_alt_name, "DNS:*.bench.test");
    }
    if (X509_sign(cert, issuer_key, EVP_sha256()) == 0)
        bench_die("OpenSSL signs no certificate");
    return cert;
}

/* --- Files --- */

static void write_cert(const char *path, X509 *cert)
{
    FILE *file = fopen(path, "we");

    if (!file || PEM_write_X509(file, cert) != 1 || fclose(file) != 0)
        bench_die("cannot write %s", path);
}

static void write_key(const char *path, EVP_PKEY *key)
{
    FILE *file = fopen(path, "we");

    if (!file || fchmod(fileno(file), 0600) != 0 ||
        PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1 || fclose(file) != 0)
        bench_die("cannot write %s", path);
}

static void make_certs(const struct bench_certs *certs, bool rsa)
{
    EVP_PKEY *authority_key = make_key(rsa), *key = make_key(rsa);
    X509 *authority = make_cert(authority_key, "bench authority", NULL, authority_key, true);
    X509 *cert = make_cert(key, BENCH_HOST, authority, authority_key, false);

    write_cert(certs->authority, authority);
    write_cert(certs->chain, cert);
    write_key(certs->key, key); /* the last of the three, see make_kind() */
    X509_free(authority);
    X509_free(cert);
    EVP_PKEY_free(authority_key);
    EVP_PKEY_free(key);
}

/* What an earlier run has left is good: looking for primes takes a profiler minutes. */
static void make_kind(bool rsa)
{
    struct bench_certs certs = bench_certs_paths(folder, rsa);

    if (access(certs.key, R_OK) != 0)
        make_certs(&certs, rsa);
}

static void make_all(void *data)
{
    (void)data;
    make_kind(true);
    make_kind(false);
}

/* Not by a child of the bench that ends with exit(). */
static void remove_all(void)
{
    if (getpid() != owner)
        return;
    for (int rsa = 0; rsa < 2; rsa++) {
        struct bench_certs certs = bench_certs_paths(folder, rsa);

        unlink(certs.authority);
        unlink(certs.chain);
        unlink(certs.key);
    }
    rmdir(folder);
}

const char *bench_certs_make(const struct bench_options *options)
{
    const char *temporary = getenv("TMPDIR");

    if (options->folder) {
        snprintf(folder, sizeof(folder), "%s", options->folder);
        if (mkdir(folder, 0700) != 0 && errno != EEXIST)
            bench_die("cannot make %s: %s", folder, strerror(errno));
    } else {
        snprintf(folder, sizeof(folder), "%s/bench-XXXXXX", temporary ? temporary : "/tmp");
        if (!mkdtemp(folder))
            bench_die("no temporary folder: %s", strerror(errno));
        owner = getpid();
        atexit(remove_all);
    }
    bench_in_child(make_all, NULL);
    return folder;
}
