/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What ties other protocols to a connection, compared with what the peer says of the same one:
 * exported keying material (RFC 5705), tls-unique and tls-server-end-point (RFC 5929), tls-exporter
 * (RFC 9266). Peers are OpenSSL and GnuTLS in this process, on both sides, with certificates of
 * each kind of key and hash; and their programs, by what they print. Names in the hellos of both as
 * well.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interop_gnutls.h"
#include "support/tls_raw.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LABEL        "EXPORTER-OpenSSPI-test"
#define CONTEXT      "context"
#define MATERIAL     48u

/* ---- certificates, made here and self-signed ---- */

static const struct {
    const char *name, *key, *detail, *digest;
    const char *endpoint; /* RFC 5929 4.1; NULL: not defined for it */
} kinds[] = {
    {"rsa-sha256", "RSA", "2048", "SHA256", "SHA256"},
    {"rsa-sha384", "RSA", "2048", "SHA384", "SHA384"},
    {"rsa-sha512", "RSA", "2048", "SHA512", "SHA512"},
    {"p256-sha256", "EC", "P-256", "SHA256", "SHA256"},
    {"p256-sha512", "EC", "P-256", "SHA512", "SHA512"},
    {"p384-sha384", "EC", "P-384", "SHA384", "SHA384"},
    {"ed25519", "ED25519", NULL, NULL, NULL},
};

static char folder[64];
static X509 *certificates[COUNT(kinds)];

static void file_of(size_t kind, const char *suffix, char path[256])
{
    snprintf(path, 256, "%s/%s%s", folder, kinds[kind].name, suffix);
}

static EVP_PKEY *make_key(size_t kind)
{
    if (strcmp(kinds[kind].key, "RSA") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    if (strcmp(kinds[kind].key, "EC") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", kinds[kind].detail);
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static void write_pem(size_t kind, X509 *certificate, EVP_PKEY *key)
{
    char path[256];
    FILE *file;

    umask(077);
    file_of(kind, ".pem", path);
    file = fopen(path, "w");
    TEST_REQUIRE(file && PEM_write_X509(file, certificate) == 1 && fclose(file) == 0);
    file_of(kind, ".key", path);
    file = fopen(path, "w");
    TEST_REQUIRE(file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    TEST_REQUIRE(fclose(file) == 0);
}

static void make_certificates(void)
{
    snprintf(folder, sizeof(folder), "/tmp/osspi-bindings-XXXXXX");
    TEST_REQUIRE(mkdtemp(folder) != NULL);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const EVP_MD *digest = kinds[i].digest ? EVP_get_digestbyname(kinds[i].digest) : NULL;
        EVP_PKEY *key = make_key(i);
        X509 *made = X509_new();

        TEST_REQUIRE(key != NULL && made != NULL && X509_set_version(made, 2) == 1);
        ASN1_INTEGER_set(X509_get_serialNumber(made), (long)i + 1);
        X509_gmtime_adj(X509_getm_notBefore(made), -3600);
        X509_gmtime_adj(X509_getm_notAfter(made), 86400);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                                   (const unsigned char *)PEER_TARGET, -1, -1, 0);
        X509_set_issuer_name(made, X509_get_subject_name(made));
        TEST_REQUIRE(X509_set_pubkey(made, key) == 1 && X509_sign(made, key, digest) > 0);
        write_pem(i, made, key);
        EVP_PKEY_free(key);
        certificates[i] = made;
    }
}

static void remove_certificates(void)
{
    char path[256];

    for (size_t i = 0; i < COUNT(kinds); i++) {
        X509_free(certificates[i]);
        file_of(i, ".pem", path);
        unlink(path);
        file_of(i, ".key", path);
        unlink(path);
    }
    rmdir(folder);
}

/* Ours: a client that verifies nothing, or a server with that certificate. */
static void open_ours(struct peer_end *end, const struct peer_form *form, bool server, size_t kind)
{
    char certificate[256], key[256];
    PCCERT_CONTEXT loaded = NULL;
    SCHANNEL_CRED credential = {.dwVersion = SCHANNEL_CRED_VERSION, .paCred = &loaded};

    peer_end_init(end, form, server);
    if (server) {
        file_of(kind, ".pem", certificate);
        file_of(kind, ".key", key);
        TEST_REQUIRE_EQUAL(OsspiLoadCertificate(certificate, key, NULL, &loaded), SEC_E_OK);
        credential.cCreds = 1;
    } else {
        credential.dwFlags = SCH_CRED_MANUAL_CRED_VALIDATION;
    }
    TEST_REQUIRE_EQUAL(form->acquire((LPSTR)UNISP_NAME_A,
                                     server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                                     &credential, &end->credential, NULL),
                       SEC_E_OK);
    end->has_credential = true;
    if (loaded)
        CertFreeCertificateContext(loaded);
}

/* Keys are slow to load with a sanitizer, and what is told does not depend on the form. */
static size_t kinds_for(const struct peer_form *form)
{
    return form == PEER_SYNC ? COUNT(kinds) : 1;
}

/* ---- what ours tells ---- */

static void check_material(struct peer_end *end, const char *label, const void *context,
                           size_t context_len, const uint8_t *expected, size_t len)
{
    SecPkgContext_KeyingMaterial_Inproc both = {
        .cbLabel = (WORD)(strlen(label) + 1),
        .pszLabel = (LPSTR)(uintptr_t)label,
        .cbContextValue = (WORD)context_len,
        .pbContextValue = (PBYTE)(uintptr_t)context,
        .cbKeyingMaterial = (DWORD)len,
    };
    SecPkgContext_KeyingMaterialInfo info = {both.cbLabel, both.pszLabel, both.cbContextValue,
                                             both.pbContextValue, both.cbKeyingMaterial};
    SecPkgContext_KeyingMaterial material;

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&end->context, SECPKG_ATTR_KEYING_MATERIAL_INPROC, &both),
        SEC_E_OK);
    assert_memory_equal(both.pbKeyingMaterial, expected, len);
    FreeContextBuffer(both.pbKeyingMaterial);
    TEST_REQUIRE_EQUAL(
        SetContextAttributesW(&end->context, SECPKG_ATTR_KEYING_MATERIAL_INFO, &info, sizeof(info)),
        SEC_E_OK);
    TEST_REQUIRE_EQUAL(
        QueryContextAttributesW(&end->context, SECPKG_ATTR_KEYING_MATERIAL, &material), SEC_E_OK);
    assert_int_equal(material.cbKeyingMaterial, len);
    assert_memory_equal(material.pbKeyingMaterial, expected, len);
    FreeContextBuffer(material.pbKeyingMaterial);
}

/* NULL: it must be refused. */
static void check_binding(struct peer_end *end, ULONG attribute, const char *prefix,
                          const void *expected, size_t len)
{
    SecPkgContext_Bindings bindings;
    SECURITY_STATUS status = QueryContextAttributesA(&end->context, attribute, &bindings);
    const size_t prefix_len = strlen(prefix);

    assert_int_equal(status, expected ? SEC_E_OK : SEC_E_UNSUPPORTED_FUNCTION);
    if (status != SEC_E_OK)
        return;
    const uint8_t *data = (const uint8_t *)bindings.Bindings + 32;
    assert_int_equal(bindings.BindingsLength, 32 + prefix_len + len);
    assert_memory_equal(data, prefix, prefix_len);
    assert_memory_equal(data + prefix_len, expected, len);
    FreeContextBuffer(bindings.Bindings);
}

static void check_endpoint(struct peer_end *end, size_t kind)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (kinds[kind].endpoint)
        TEST_REQUIRE(X509_digest(certificates[kind], EVP_get_digestbyname(kinds[kind].endpoint),
                                 hash, &len) == 1);
    check_binding(end, SECPKG_ATTR_ENDPOINT_BINDINGS,
                  "tls-server-end-point:", len > 0 ? hash : NULL, len);
}

/* ---- OpenSSL ---- */

static void compare_openssl(struct raw_peer *raw, struct peer_end *end, bool is13)
{
    uint8_t expected[MATERIAL], finished[64];
    size_t len;

    for (int with = 0; with < 2; with++) {
        const size_t context_len = with ? strlen(CONTEXT) : 0;

        TEST_REQUIRE(SSL_export_keying_material(raw->ssl, expected, MATERIAL, LABEL, strlen(LABEL),
                                                (const unsigned char *)CONTEXT, context_len,
                                                with) == 1);
        check_material(end, LABEL, with ? CONTEXT : NULL, context_len, expected, MATERIAL);
    }
    len = SSL_is_server(raw->ssl) ? SSL_get_peer_finished(raw->ssl, finished, sizeof(finished))
                                  : SSL_get_finished(raw->ssl, finished, sizeof(finished));
    check_binding(end, SECPKG_ATTR_UNIQUE_BINDINGS, "tls-unique:", is13 ? NULL : finished, len);
}

static void meet_openssl(const struct peer_form *form, size_t kind, bool serve, bool is13)
{
    struct raw_peer raw;
    struct peer_end end;
    char path[256];

    open_ours(&end, form, serve, kind);
    raw_open(&raw, !serve, is13 ? TLS1_3_VERSION : TLS1_2_VERSION, NULL);
    if (!serve) {
        file_of(kind, ".pem", path);
        TEST_REQUIRE(SSL_use_certificate_file(raw.ssl, path, SSL_FILETYPE_PEM) == 1);
        file_of(kind, ".key", path);
        TEST_REQUIRE(SSL_use_PrivateKey_file(raw.ssl, path, SSL_FILETYPE_PEM) == 1);
    }
    SSL_set_verify(raw.ssl, SSL_VERIFY_NONE, NULL);
    TEST_REQUIRE_EQUAL(raw_handshake(&raw, &end), SEC_E_OK);
    compare_openssl(&raw, &end, is13);
    check_endpoint(&end, kind);
    peer_end_free(&end);
    raw_close(&raw);
}

static void openssl_says_the_same(const struct peer_form *form)
{
    for (size_t i = 0; i < kinds_for(form) * 4; i++)
        meet_openssl(form, i / 4, i & 1, i & 2);
}

/* ---- GnuTLS ---- */

struct other {
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    struct peer_stream in; /* for it */
    struct peer_end *ours; /* what it sends goes into its stream */
};

static ssize_t pull(gnutls_transport_ptr_t data, void *bytes, size_t size)
{
    struct other *other = data;
    const size_t len = size < other->in.len ? size : other->in.len;

    if (len == 0) {
        gnutls_transport_set_errno(other->session, EAGAIN);
        return -1;
    }
    memcpy(bytes, other->in.bytes, len);
    peer_drop(&other->in, len);
    return (ssize_t)len;
}

static int pull_timeout(gnutls_transport_ptr_t data, unsigned timeout_ms)
{
    (void)timeout_ms;
    return ((struct other *)data)->in.len > 0;
}

static ssize_t push(gnutls_transport_ptr_t data, const void *bytes, size_t len)
{
    peer_push(&((struct other *)data)->ours->in, bytes, len);
    return (ssize_t)len;
}

static void open_gnutls(struct other *other, struct peer_end *ours, bool server, size_t kind,
                        bool is13)
{
    char certificate[256], key[256];

    *other = (struct other){.ours = ours};
    file_of(kind, ".pem", certificate);
    file_of(kind, ".key", key);
    TEST_REQUIRE_EQUAL(gnutls_certificate_allocate_credentials(&other->credentials), 0);
    if (server)
        TEST_REQUIRE_EQUAL(gnutls_certificate_set_x509_key_file(other->credentials, certificate,
                                                                key, GNUTLS_X509_FMT_PEM),
                           0);
    TEST_REQUIRE_EQUAL(
        gnutls_init(&other->session, (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK),
        0);
    TEST_REQUIRE_EQUAL(
        gnutls_priority_set_direct(other->session, is13 ? GNUTLS_TLS13 : GNUTLS_TLS12, NULL), 0);
    gnutls_credentials_set(other->session, GNUTLS_CRD_CERTIFICATE, other->credentials);
    if (!server)
        gnutls_server_name_set(other->session, GNUTLS_NAME_DNS, "gnu.test", 8);
    gnutls_transport_set_ptr(other->session, other);
    gnutls_transport_set_pull_function(other->session, pull);
    gnutls_transport_set_pull_timeout_function(other->session, pull_timeout);
    gnutls_transport_set_push_function(other->session, push);
}

/* The name is read from its hello on the way, in all pieces of which the hello can consist. */
static void check_name(const struct peer_stream *hello)
{
    PBYTE name;
    DWORD size;

    for (size_t len = 0; len < hello->len; len++)
        assert_int_equal(SslGetServerIdentity(hello->bytes, (DWORD)len, &name, &size, 0),
                         SEC_E_INCOMPLETE_MESSAGE);
    assert_int_equal(SslGetServerIdentity(hello->bytes, (DWORD)hello->len, &name, &size, 0),
                     SEC_E_OK);
    assert_int_equal(size, 8);
    assert_memory_equal(name, "gnu.test", 8);
}

static void handshake_gnutls(struct other *other, struct peer_end *ours)
{
    struct peer_end wire = {0};
    bool done = false, other_done = false;

    for (int i = 0; i < 20 && !(done && other_done); i++) {
        if (!other_done && (ours->server || ours->has_context)) {
            const int result = gnutls_handshake(other->session);

            TEST_REQUIRE(result == GNUTLS_E_SUCCESS || !gnutls_error_is_fatal(result));
            other_done = result == GNUTLS_E_SUCCESS;
        }
        if (i == 0 && ours->server)
            check_name(&ours->in);
        if (!done && (ours->in.len > 0 || !ours->has_context)) {
            SECURITY_STATUS status = peer_step(ours, &wire);

            TEST_REQUIRE(status >= 0);
            done = status == SEC_E_OK;
            peer_push(&other->in, wire.in.bytes, wire.in.len);
            peer_clear(&wire.in);
        }
    }
    TEST_REQUIRE(done && other_done);
}

static void compare_gnutls(struct other *other, struct peer_end *end, bool is13)
{
    uint8_t expected[MATERIAL];
    gnutls_datum_t binding = {0};

    for (int with = 0; with < 2; with++) {
        const size_t context_len = with ? strlen(CONTEXT) : 0;

        TEST_REQUIRE_EQUAL(gnutls_prf_rfc5705(other->session, strlen(LABEL), LABEL, context_len,
                                              with ? CONTEXT : NULL, MATERIAL, (char *)expected),
                           0);
        check_material(end, LABEL, with ? CONTEXT : NULL, context_len, expected, MATERIAL);
    }
    if (is13) {
        TEST_REQUIRE_EQUAL(
            gnutls_session_channel_binding(other->session, GNUTLS_CB_TLS_EXPORTER, &binding), 0);
        check_material(end, "EXPORTER-Channel-Binding", NULL, 0, binding.data, binding.size);
    } else {
        TEST_REQUIRE_EQUAL(
            gnutls_session_channel_binding(other->session, GNUTLS_CB_TLS_UNIQUE, &binding), 0);
    }
    check_binding(end, SECPKG_ATTR_UNIQUE_BINDINGS, "tls-unique:", is13 ? NULL : binding.data,
                  binding.size);
    gnutls_free(binding.data);
}

/* GnuTLS has a value for Ed25519 too, for which the RFC has none. */
static void compare_endpoint(struct other *other, struct peer_end *end, size_t kind)
{
    gnutls_datum_t binding = {0};

    check_endpoint(end, kind);
    if (!kinds[kind].endpoint ||
        gnutls_session_channel_binding(other->session, GNUTLS_CB_TLS_SERVER_END_POINT, &binding))
        return;
    check_binding(end, SECPKG_ATTR_ENDPOINT_BINDINGS, "tls-server-end-point:", binding.data,
                  binding.size);
    gnutls_free(binding.data);
}

static void meet_gnutls(const struct peer_form *form, size_t kind, bool serve, bool is13)
{
    struct other other;
    struct peer_end end;

    open_ours(&end, form, serve, kind);
    open_gnutls(&other, &end, !serve, kind, is13);
    handshake_gnutls(&other, &end);
    compare_gnutls(&other, &end, is13);
    compare_endpoint(&other, &end, kind);
    peer_end_free(&end);
    gnutls_deinit(other.session);
    gnutls_certificate_free_credentials(other.credentials);
    peer_clear(&other.in);
}

static void gnutls_says_the_same(const struct peer_form *form)
{
    for (size_t i = 0; i < kinds_for(form) * 4; i++)
        meet_gnutls(form, i / 4, i & 1, i & 2);
}

/* ---- programs ---- */

static void to_hex(const uint8_t *bytes, size_t len, bool upper, char *text)
{
    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, upper ? "%02X" : "%02x", bytes[i]);
}

/* The program has printed what ours exports. */
static void await_material(struct interop_wire *wire, const char *before, const char *label,
                           size_t len, bool upper)
{
    SecPkgContext_KeyingMaterial_Inproc both = {.cbLabel = (WORD)(strlen(label) + 1),
                                                .pszLabel = (LPSTR)(uintptr_t)label,
                                                .cbKeyingMaterial = (DWORD)len};
    char line[512];
    size_t at = strlen(before);

    TEST_REQUIRE(at + 2 * len < sizeof(line));
    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&wire->end.context, SECPKG_ATTR_KEYING_MATERIAL_INPROC, &both),
        SEC_E_OK);
    memcpy(line, before, at);
    to_hex(both.pbKeyingMaterial, len, upper, line + at);
    FreeContextBuffer(both.pbKeyingMaterial);
    interop_wire_await(wire, line);
}

static void s_server_prints_the_same(const struct peer_form *form)
{
    static const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};

    for (size_t i = 0; i < COUNT(versions); i++) {
        const char *const extra[] = {versions[i], "-keymatexport", LABEL, "-keymatexportlen", "40",
                                     NULL};
        struct interop_process server = {0};
        struct interop_wire wire;
        const uint16_t port = interop_s_server(&server, "server", extra);

        interop_wire_open(&wire, form, false, &server, NULL);
        interop_wire_connect(&wire, port);
        interop_must_handshake(&wire);
        await_material(&wire, "Keying material: ", LABEL, 40, true);
        interop_wire_free(&wire);
        interop_stop(&server);
    }
}

static void s_client_prints_the_same(const struct peer_form *form)
{
    static const char *const versions[] = {INTEROP_TLS12, INTEROP_TLS13};

    for (size_t i = 0; i < COUNT(versions); i++) {
        const char *const extra[] = {versions[i], "-keymatexport", LABEL, "-keymatexportlen", "40",
                                     NULL};
        struct interop_process client = {0};
        struct interop_wire wire;
        uint16_t port;
        const int listener = interop_listen(&port);

        interop_wire_open(&wire, form, true, &client, "server");
        interop_s_client(&client, port, extra);
        wire.fd = interop_accept(listener, &client);
        interop_must_handshake(&wire);
        await_material(&wire, "Keying material: ", LABEL, 40, true);
        interop_wire_free(&wire);
        interop_stop(&client);
        close(listener);
    }
}

static void gnutls_cli_prints_the_same(const struct peer_form *form)
{
    static const char *const versions[] = {GNUTLS_TLS12, GNUTLS_TLS13};
    static const char *const extra[] = {"--keymatexport=" LABEL, "--keymatexportsize=40", NULL};

    interop_need("gnutls-cli");
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct interop_process client = {0};
        struct interop_wire wire;
        uint16_t port;
        const int listener = interop_listen(&port);

        interop_wire_open(&wire, form, true, &client, "server");
        interop_gnutls_cli(&client, port, "ca", PEER_TARGET, versions[i], extra);
        wire.fd = interop_accept(listener, &client);
        interop_must_handshake(&wire);
        await_material(&wire, "- Key material: ", LABEL, 40, false);
        interop_wire_free(&wire);
        interop_stop(&client);
        close(listener);
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(openssl_says_the_same),      PEER_CASE(gnutls_says_the_same),
        PEER_CASE(s_server_prints_the_same),   PEER_CASE(s_client_prints_the_same),
        PEER_CASE(gnutls_cli_prints_the_same),
    };
    int result;

    make_certificates();
    result = interop_run_cases("openssl", "interop.bindings", cases, COUNT(cases));
    remove_certificates();
    return result;
}
