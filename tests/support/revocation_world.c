/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Certificates and what is said about them; see revocation_world.h. The web server is in
 * revocation_server.c.
 */
#include "support/revocation_world.h"

#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/test_util.h"

/* ---- certificates ---- */

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    TEST_REQUIRE(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void add_url(X509 *certificate, X509 *issuer, int nid, const char *format, uint16_t port,
                    const char *path)
{
    char value[256];

    TEST_REQUIRE(snprintf(value, sizeof(value), format, port, path) < (int)sizeof(value));
    extend(certificate, issuer, nid, value);
}

static void add_sources(X509 *certificate, X509 *issuer, const struct world_wish *wish)
{
    const uint16_t port = wish->port != 0 ? wish->port : world_port();
    const uint16_t list_port = wish->list_port != 0 ? wish->list_port : port;

    if (wish->ocsp_path != NULL)
        add_url(certificate, issuer, NID_info_access, "OCSP;URI:http://127.0.0.1:%u%s", port,
                wish->ocsp_path);
    if (wish->list_path != NULL)
        add_url(certificate, issuer, NID_crl_distribution_points, "URI:http://127.0.0.1:%u%s",
                list_port, wish->list_path);
}

static void add_usage(X509 *certificate, X509 *issuer, const struct world_wish *wish)
{
    extend(certificate, issuer, NID_subject_key_identifier, "hash");
    extend(certificate, issuer, NID_authority_key_identifier, "keyid:always");
    if (wish->authority) {
        extend(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE");
        extend(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature");
    } else {
        extend(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE");
    }
    if (wish->usage != NULL)
        extend(certificate, issuer, NID_ext_key_usage, wish->usage);
    if (wish->alt_name != NULL)
        extend(certificate, issuer, NID_subject_alt_name, wish->alt_name);
}

struct world_identity world_make(const struct world_wish *wish)
{
    static long serial = 1000;
    struct world_identity made = {X509_new(), EVP_EC_gen("P-256"), wish->issuer};
    const struct world_identity *by = wish->issuer != NULL ? wish->issuer : &made;
    X509_NAME *subject = X509_get_subject_name(made.certificate);

    TEST_REQUIRE(made.key != NULL && X509_set_version(made.certificate, X509_VERSION_3) == 1);
    TEST_REQUIRE(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                            (const unsigned char *)wish->name, -1, -1, 0) == 1);
    TEST_REQUIRE(ASN1_INTEGER_set(X509_get_serialNumber(made.certificate),
                                  wish->serial != 0 ? wish->serial : serial++) == 1);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), -30 * WORLD_DAY);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), wish->until ? wish->until : WORLD_DAY);
    TEST_REQUIRE(X509_set_pubkey(made.certificate, made.key) == 1);
    TEST_REQUIRE(X509_set_issuer_name(made.certificate, X509_get_subject_name(by->certificate)) ==
                 1);
    add_usage(made.certificate, by->certificate, wish);
    add_sources(made.certificate, by->certificate, wish);
    TEST_REQUIRE(X509_sign(made.certificate, by->key, EVP_sha256()) > 0);
    return made;
}

void world_drop(struct world_identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
    identity->certificate = NULL;
    identity->key = NULL;
}

static FILE *make_file(char *path)
{
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    TEST_REQUIRE(file != NULL);
    return file;
}

PCCERT_CONTEXT world_load(const struct world_identity *leaf)
{
    char path[] = "/tmp/osspi-world-XXXXXX";
    FILE *file = make_file(path);
    PCCERT_CONTEXT context;

    for (const struct world_identity *at = leaf; at == leaf || at->issuer != NULL; at = at->issuer)
        TEST_REQUIRE(PEM_write_X509(file, at->certificate) == 1);
    TEST_REQUIRE(PEM_write_PrivateKey(file, leaf->key, NULL, NULL, 0, NULL, NULL) == 1);
    TEST_REQUIRE(fclose(file) == 0);
    TEST_REQUIRE_EQUAL(OsspiLoadCertificate(path, NULL, NULL, &context), SEC_E_OK);
    unlink(path);
    return context;
}

PCCERT_CONTEXT world_context(const struct world_identity *leaf)
{
    unsigned char *der = NULL;
    const int len = i2d_X509(leaf->certificate, &der);
    PCCERT_CONTEXT context = CertCreateCertificateContext(X509_ASN_ENCODING, der, (DWORD)len);

    TEST_REQUIRE(context != NULL);
    OPENSSL_free(der);
    return context;
}

static char trust_path[] = "/tmp/osspi-world-XXXXXX";

static void remove_trust(void)
{
    unlink(trust_path);
}

void world_trust(const struct world_identity *root)
{
    FILE *file = make_file(trust_path);

    TEST_REQUIRE(atexit(remove_trust) == 0);
    TEST_REQUIRE(PEM_write_X509(file, root->certificate) == 1 && fclose(file) == 0);
    TEST_REQUIRE(setenv("SSL_CERT_FILE", trust_path, 1) == 0);
    TEST_REQUIRE(setenv("SSL_CERT_DIR", "/nonexistent", 1) == 0);
}

/* ---- OCSP ---- */

struct world_bytes world_ocsp(const struct world_saying *saying)
{
    const struct world_identity *issuer = saying->about->issuer;
    const struct world_identity *signer = saying->signer != NULL ? saying->signer : issuer;
    const bool usual = saying->from == 0 && saying->until == 0;
    const long until = usual ? 3600 : saying->until;
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, saying->about->certificate, issuer->certificate);
    ASN1_TIME *from = X509_gmtime_adj(NULL, usual ? -3600 : saying->from);
    ASN1_TIME *next = until != 0 ? X509_gmtime_adj(NULL, until) : NULL;
    ASN1_TIME *revoked = X509_gmtime_adj(NULL, -2 * WORLD_DAY);
    const bool is_revoked = saying->status == V_OCSP_CERTSTATUS_REVOKED;
    struct world_bytes made = {NULL, 0};

    TEST_REQUIRE(basic && id && from && revoked);
    TEST_REQUIRE(OCSP_basic_add1_status(basic, id, saying->status, 0, is_revoked ? revoked : NULL,
                                        from, next) != NULL);
    /* The issuer's own certificate is known to whoever reads this. */
    TEST_REQUIRE(OCSP_basic_sign(basic, signer->certificate, signer->key, EVP_sha256(), NULL,
                                 signer == issuer ? OCSP_NOCERTS : 0) == 1);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    const int len = i2d_OCSP_RESPONSE(response, &made.bytes);
    TEST_REQUIRE(len > 0);
    made.len = (size_t)len;
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(next);
    ASN1_TIME_free(revoked);
    return made;
}

void world_serve_ocsp(const char *path, const struct world_saying *saying)
{
    struct world_bytes answer = world_ocsp(saying);

    world_serve(path, WORLD_ANSWER, 200, "application/ocsp-response", answer.bytes, answer.len);
    OPENSSL_free(answer.bytes);
}

/* ---- lists ---- */

static void add_revoked(X509_CRL *list, const struct world_identity *identity)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *when = X509_gmtime_adj(NULL, -2 * WORLD_DAY);

    TEST_REQUIRE(entry && when && X509_REVOKED_set_revocationDate(entry, when) == 1);
    TEST_REQUIRE(
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(identity->certificate)) == 1);
    TEST_REQUIRE(X509_CRL_add0_revoked(list, entry) == 1);
    ASN1_TIME_free(when);
}

struct world_bytes world_list(const struct world_identity *issuer,
                              const struct world_identity *revoked, long until)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, -WORLD_DAY), *next = X509_gmtime_adj(NULL, until);
    struct world_bytes made = {NULL, 0};

    TEST_REQUIRE(list && from && next && X509_CRL_set_version(list, 1) == 1);
    TEST_REQUIRE(X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->certificate)) == 1);
    TEST_REQUIRE(X509_CRL_set1_lastUpdate(list, from) == 1);
    TEST_REQUIRE(X509_CRL_set1_nextUpdate(list, next) == 1);
    if (revoked != NULL)
        add_revoked(list, revoked);
    TEST_REQUIRE(X509_CRL_sort(list) == 1 && X509_CRL_sign(list, issuer->key, EVP_sha256()) > 0);
    const int len = i2d_X509_CRL(list, &made.bytes);
    TEST_REQUIRE(len > 0);
    made.len = (size_t)len;
    X509_CRL_free(list);
    ASN1_TIME_free(from);
    ASN1_TIME_free(next);
    return made;
}

void world_serve_list(const char *path, const struct world_identity *issuer,
                      const struct world_identity *revoked)
{
    struct world_bytes list = world_list(issuer, revoked, WORLD_DAY);

    world_serve(path, WORLD_ANSWER, 200, "application/pkix-crl", list.bytes, list.len);
    OPENSSL_free(list.bytes);
}
