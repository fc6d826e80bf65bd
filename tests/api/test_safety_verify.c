/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Verification must not become weaker by a side door: certificates that only a lowered security
 * level would let pass, authorities that share a name with their issuer, and connections that a
 * forked child has inherited. The certificates are made here, because no honest file holds them.
 */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <opensspi.h>
#include <schannel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/tls_peer.h"

#define DAY 86400

#define OLD_CLIENT \
    (SP_PROT_TLS1_0_CLIENT | SP_PROT_TLS1_1_CLIENT | SP_PROT_TLS1_2_CLIENT | SP_PROT_TLS1_3_CLIENT)
#define OLD_SERVER \
    (SP_PROT_TLS1_0_SERVER | SP_PROT_TLS1_1_SERVER | SP_PROT_TLS1_2_SERVER | SP_PROT_TLS1_3_SERVER)

/* ---- certificates ---- */

struct identity {
    X509 *certificate;
    EVP_PKEY *key;
};

static struct identity root, rollover; /* of one name; rollover's key is certified by root's */
static char trust[] = "/tmp/osspi-safety-XXXXXX";

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    TEST_REQUIRE(extension != NULL);
    TEST_REQUIRE(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* issuer NULL: itself */
static struct identity make(const char *name, EVP_PKEY *key, const struct identity *issuer,
                            bool authority, const EVP_MD *digest)
{
    static long serial = 1;
    struct identity made = {X509_new(), key};
    X509_NAME *subject = X509_get_subject_name(made.certificate);
    const struct identity *by = issuer ? issuer : &made;

    TEST_REQUIRE(key != NULL && X509_set_version(made.certificate, X509_VERSION_3) == 1);
    TEST_REQUIRE(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                            (const unsigned char *)name, -1, -1, 0) == 1);
    TEST_REQUIRE(ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++) == 1);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), -DAY);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), DAY);
    TEST_REQUIRE(X509_set_pubkey(made.certificate, key) == 1);
    TEST_REQUIRE(X509_set_issuer_name(made.certificate, X509_get_subject_name(by->certificate)) ==
                 1);
    extend(made.certificate, by->certificate, NID_subject_key_identifier, "hash");
    extend(made.certificate, by->certificate, NID_authority_key_identifier, "keyid:always");
    if (authority) {
        extend(made.certificate, by->certificate, NID_basic_constraints, "critical,CA:TRUE");
        extend(made.certificate, by->certificate, NID_key_usage, "keyCertSign,cRLSign");
    } else {
        extend(made.certificate, by->certificate, NID_subject_alt_name, "DNS:" PEER_TARGET);
    }
    TEST_REQUIRE(X509_sign(made.certificate, by->key, digest) > 0);
    return made;
}

static void drop(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

static FILE *make_file(char *path)
{
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    TEST_REQUIRE(file != NULL);
    return file;
}

/* With its issuer, as SSPI wants it. */
static PCCERT_CONTEXT load(const struct identity *leaf, X509 *issuer)
{
    char path[] = "/tmp/osspi-safety-XXXXXX";
    FILE *file = make_file(path);
    PCCERT_CONTEXT context;

    TEST_REQUIRE(PEM_write_X509(file, leaf->certificate) == 1);
    TEST_REQUIRE(!issuer || PEM_write_X509(file, issuer) == 1);
    TEST_REQUIRE(PEM_write_PrivateKey(file, leaf->key, NULL, NULL, 0, NULL, NULL) == 1);
    TEST_REQUIRE(fclose(file) == 0);
    TEST_REQUIRE_EQUAL(OsspiLoadCertificate(path, NULL, NULL, &context), SEC_E_OK);
    unlink(path);
    return context;
}

/* An empty list of revoked certificates. */
static X509_CRL *list_of(const struct identity *issuer)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -DAY), *next = X509_gmtime_adj(NULL, DAY);
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    X509V3_CTX context;
    X509_EXTENSION *key_id;

    TEST_REQUIRE(list && now && next && number && X509_CRL_set_version(list, 1) == 1);
    TEST_REQUIRE(X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->certificate)) == 1);
    TEST_REQUIRE(X509_CRL_set1_lastUpdate(list, now) == 1);
    TEST_REQUIRE(X509_CRL_set1_nextUpdate(list, next) == 1);
    TEST_REQUIRE(ASN1_INTEGER_set(number, 1) == 1);
    TEST_REQUIRE(X509_CRL_add1_ext_i2d(list, NID_crl_number, number, 0, 0) == 1);
    X509V3_set_ctx(&context, issuer->certificate, NULL, NULL, list, 0);
    key_id = X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    TEST_REQUIRE(key_id != NULL && X509_CRL_add_ext(list, key_id, -1) == 1);
    TEST_REQUIRE(X509_CRL_sign(list, issuer->key, EVP_sha256()) > 0);
    X509_EXTENSION_free(key_id);
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
    return list;
}

/* ---- one connection ---- */

static void acquire(struct peer_end *end, DWORD protocols, DWORD flags, PCCERT_CONTEXT certificate)
{
    SCHANNEL_CRED auth = {
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = certificate ? 1 : 0,
        .paCred = &certificate,
        .grbitEnabledProtocols = protocols,
        .dwFlags = flags,
    };

    TEST_REQUIRE(setenv("SSL_CERT_FILE", trust, 1) == 0); /* instead of the test CA */
    TEST_REQUIRE_EQUAL(end->form->acquire((LPSTR)UNISP_NAME_A,
                                          end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                                          &auth, &end->credential, &end->expiry),
                       SEC_E_OK);
    end->has_credential = true;
}

/* What becomes of a client that meets this certificate. */
static SECURITY_STATUS meet(const struct peer_form *form, const struct identity *leaf, X509 *issuer,
                            DWORD client_protocols, DWORD client_flags)
{
    PCCERT_CONTEXT certificate = load(leaf, issuer);
    struct peer_pair pair;
    SECURITY_STATUS status;

    peer_end_init(&pair.client, form, false);
    peer_end_init(&pair.server, form, true);
    acquire(&pair.client, client_protocols, client_flags, NULL);
    acquire(&pair.server, OLD_SERVER, 0, certificate);
    CertFreeCertificateContext(certificate);
    status = peer_handshake(&pair);
    peer_close(&pair);
    return status;
}

/* ---- the cases ---- */

static EVP_PKEY *ec_key(void)
{
    return EVP_EC_gen("P-256");
}

static void old_protocols_let_no_weak_certificate_pass(const struct peer_form *form)
{
    struct identity weak[] = {
        make("short key", EVP_RSA_gen(1024), &root, false, EVP_sha256()),
        make("old hash", ec_key(), &root, false, EVP_sha1()),
    };
    struct identity good = make("good", ec_key(), &root, false, EVP_sha256());

    for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
        TEST_REQUIRE_EQUAL(meet(form, &weak[i], NULL, 0, 0), SEC_E_CERT_UNKNOWN);
        TEST_REQUIRE_EQUAL(meet(form, &weak[i], NULL, OLD_CLIENT, 0), SEC_E_CERT_UNKNOWN);
        TEST_REQUIRE_EQUAL(meet(form, &weak[i], NULL, SP_PROT_TLS1_0_CLIENT, 0),
                           SEC_E_CERT_UNKNOWN);
        drop(&weak[i]);
    }
    TEST_REQUIRE_EQUAL(meet(form, &good, NULL, OLD_CLIENT, 0), SEC_E_OK);
    drop(&good);
}

/* Only the leaf's list is there. What has its issuer's name is not a root for that. */
static void authority_named_like_its_issuer_can_be_revoked(const struct peer_form *form)
{
    struct identity leaf = make("leaf", ec_key(), &rollover, false, EVP_sha256());
    const DWORD chain = SCH_CRED_REVOCATION_CHECK_CHAIN;

    TEST_REQUIRE_EQUAL(meet(form, &leaf, rollover.certificate, 0, 0), SEC_E_OK);
    TEST_REQUIRE_EQUAL(
        meet(form, &leaf, rollover.certificate, 0, SCH_CRED_REVOCATION_CHECK_END_CERT), SEC_E_OK);
    TEST_REQUIRE_EQUAL(meet(form, &leaf, rollover.certificate, 0, chain),
                       CRYPT_E_NO_REVOCATION_CHECK);
    TEST_REQUIRE_EQUAL(
        meet(form, &leaf, rollover.certificate, 0, chain | SCH_CRED_IGNORE_NO_REVOCATION_CHECK),
        SEC_E_OK);
    drop(&leaf);
}

/* ---- after a fork ---- */

/* Every attribute there is: none may touch what belongs to the parent's TLS library. */
static int use_inherited(struct peer_end *end)
{
    uint8_t header[512], data[16] = "text", trailer[1024], room[4096];
    SecBuffer buffers[4] = {
        {sizeof(header), SECBUFFER_STREAM_HEADER, header},
        {sizeof(data), SECBUFFER_DATA, data},
        {sizeof(trailer), SECBUFFER_STREAM_TRAILER, trailer},
        {0, SECBUFFER_EMPTY, NULL},
    };
    SecBufferDesc desc = {SECBUFFER_VERSION, 4, buffers};
    SecPkgContext_KeyingMaterialInfo info = {
        .cbLabel = 5, .pszLabel = (LPSTR) "label", .cbKeyingMaterial = 32};
    struct peer_leg leg = peer_leg_of(end, NULL, 0, room, sizeof(room));

    if (EncryptMessage(&end->context, 0, &desc, 0) != SEC_E_CONTEXT_EXPIRED ||
        memcmp(data, "text", 4) != 0)
        return 1;
    if (peer_leg_run(end, &leg) != SEC_E_CONTEXT_EXPIRED)
        return 2;
    if (SetContextAttributesA(&end->context, SECPKG_ATTR_KEYING_MATERIAL_INFO, &info,
                              sizeof(info)) != SEC_E_CONTEXT_EXPIRED)
        return 3;
    for (ULONG attribute = 0; attribute < 0x100; attribute++) {
        memset(room, 0, sizeof(room));
        if (attribute == SECPKG_ATTR_CIPHER_INFO || attribute == SECPKG_ATTR_CONNECTION_INFO_EX)
            room[0] = 1; /* dwVersion */
        (void)QueryContextAttributesA(&end->context, attribute, room);
    }
    /* What was asked for before the fork is told: it follows from what the connection keeps. */
    if (QueryContextAttributesA(&end->context, SECPKG_ATTR_KEYING_MATERIAL, room) !=
        (end->server ? SEC_E_INVALID_PARAMETER : SEC_E_OK))
        return 4;
    if (QueryContextAttributesA(&end->context, SECPKG_ATTR_STREAM_SIZES, room) != SEC_E_OK)
        return 5;
    if (DeleteSecurityContext(&end->context) != SEC_E_OK ||
        FreeCredentialsHandle(&end->credential) != SEC_E_OK)
        return 6;
    return 0;
}

static void inherited_connection_tells_but_does_nothing(const struct peer_form *form)
{
    SecPkgContext_KeyingMaterialInfo info = {
        .cbLabel = 5, .pszLabel = (LPSTR) "label", .cbKeyingMaterial = 32};
    struct identity good = make("good", ec_key(), &root, false, EVP_sha256());
    PCCERT_CONTEXT certificate = load(&good, NULL);
    struct peer_pair pair;
    int how = -1;
    pid_t child;

    peer_end_init(&pair.client, form, false);
    peer_end_init(&pair.server, form, true);
    acquire(&pair.client, 0, 0, NULL);
    acquire(&pair.server, 0, 0, certificate);
    CertFreeCertificateContext(certificate);
    peer_connect(&pair);
    TEST_REQUIRE_EQUAL(SetContextAttributesA(&pair.client.context, SECPKG_ATTR_KEYING_MATERIAL_INFO,
                                             &info, sizeof(info)),
                       SEC_E_OK);
    child = fork();
    TEST_REQUIRE(child >= 0);
    if (child == 0) {
        int failed = use_inherited(&pair.client);
        _exit(failed ? failed : use_inherited(&pair.server));
    }
    TEST_REQUIRE(waitpid(child, &how, 0) == child);
    TEST_REQUIRE_EQUAL(how, 0);
    peer_exchange(&pair); /* the parent has not noticed */
    peer_close(&pair);
    drop(&good);
}

TEST_FORKS_WITH_THREADS;

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(old_protocols_let_no_weak_certificate_pass),
        PEER_CASE(authority_named_like_its_issuer_can_be_revoked),
        PEER_CASE(inherited_connection_tells_but_does_nothing),
    };
    FILE *file = make_file(trust);
    X509_CRL *list;
    int result;

    root = make("OpenSSPI test authority", ec_key(), NULL, true, EVP_sha256());
    rollover = make("OpenSSPI test authority", ec_key(), &root, true, EVP_sha256());
    list = list_of(&rollover);
    TEST_REQUIRE(PEM_write_X509(file, root.certificate) == 1);
    TEST_REQUIRE(PEM_write_X509_CRL(file, list) == 1);
    TEST_REQUIRE(fclose(file) == 0);
    X509_CRL_free(list);
    result = peer_run_cases("safety.verify", cases, sizeof(cases) / sizeof(cases[0]));
    unlink(trust);
    drop(&root);
    drop(&rollover);
    return result;
}
