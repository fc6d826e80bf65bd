/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: certificates by their SHA-1 thumbprint, SCH_CRED_FORMAT_CERT_HASH (the bytes alone, and
 * the structure) and SCH_CRED_FORMAT_CERT_HASH_STORE, out of the machine's and the user's "MY".
 */
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/tls_shown.h"

static char home[] = "/tmp/osspi-hash-XXXXXX"; /* constant once main() has made it */

static void copy_file(FILE *to, const char *path)
{
    char bytes[4096];
    size_t len;
    FILE *from = fopen(path, "r");

    TEST_REQUIRE(from != NULL);
    while ((len = fread(bytes, 1, sizeof(bytes), from)) > 0)
        TEST_REQUIRE(fwrite(bytes, 1, len, to) == len);
    fclose(from);
}

/* Certificate, chain and key in one file of a store's folder. */
static void put(const char *folder, const char *name)
{
    char source[512], path[512];
    FILE *file;

    TEST_REQUIRE(snprintf(path, sizeof(path), "%s/%s/%s.pem", home, folder, name) > 0);
    file = fopen(path, "w");
    TEST_REQUIRE(file != NULL);
    TEST_REQUIRE(chmod(path, 0600) == 0);
    peer_path(name, ".pem", source, sizeof(source));
    copy_file(file, source);
    peer_path(name, ".key", source, sizeof(source));
    copy_file(file, source);
    TEST_REQUIRE(fclose(file) == 0);
}

static void make_folder(const char *name)
{
    char path[512];

    TEST_REQUIRE(snprintf(path, sizeof(path), "%s/%s", home, name) > 0);
    TEST_REQUIRE(mkdir(path, 0700) == 0);
}

static void thumbprint(const char *name, uint8_t sha1[20])
{
    PCCERT_CONTEXT context = peer_certificate(name);
    DWORD len = 20;

    TEST_REQUIRE(CertGetCertificateContextProperty(context, CERT_SHA1_HASH_PROP_ID, sha1, &len));
    CertFreeCertificateContext(context);
}

static SECURITY_STATUS serve(struct peer_end *server, DWORD format, DWORD count, const void *hash)
{
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION,
                            .dwCredFormat = format,
                            .cCreds = count,
                            .paCred = (PCCERT_CONTEXT *)(uintptr_t)hash};
    SECURITY_STATUS status =
        shown_acquire(server->form, NULL, SECPKG_CRED_INBOUND, &auth, &server->credential);

    server->has_credential = status == SEC_E_OK;
    return status;
}

/* Acquires, connects and looks; or the status of a failure. In memory of exactly its size. */
static SECURITY_STATUS shows(const struct peer_form *form, DWORD format, const void *hash,
                             size_t size, const char *name)
{
    void *exact = malloc(size);
    struct peer_pair pair;
    SECURITY_STATUS status;

    TEST_REQUIRE(exact != NULL);
    memcpy(exact, hash, size);
    peer_open(&pair, form, NULL);
    peer_end_free(&pair.server);
    peer_end_init(&pair.server, form, true);
    status = serve(&pair.server, format, 1, exact);
    free(exact);
    if (status == SEC_E_OK)
        shown_expect(&pair, "server.test", name);
    peer_close(&pair);
    return status;
}

static void s3_2_hash_is_of_the_machines_store(const struct peer_form *form)
{
    uint8_t sha1[20];

    thumbprint("server", sha1);
    assert_int_equal(shows(form, SCH_CRED_FORMAT_CERT_HASH, sha1, sizeof(sha1), "server"),
                     SEC_E_OK);
    thumbprint("server-rsa", sha1); /* the user's */
    assert_int_equal(shows(form, SCH_CRED_FORMAT_CERT_HASH, sha1, sizeof(sha1), NULL),
                     SEC_E_NO_CREDENTIALS);
    memset(sha1, 0, sizeof(sha1));
    assert_int_equal(shows(form, SCH_CRED_FORMAT_CERT_HASH, sha1, sizeof(sha1), NULL),
                     SEC_E_NO_CREDENTIALS);
}

static void s3_2_hash_structure_says_whose(const struct peer_form *form)
{
    SCHANNEL_CERT_HASH hash = {.dwLength = sizeof(hash), .dwFlags = SCH_MACHINE_CERT_HASH};

    thumbprint("server", hash.ShaHash);
    assert_int_equal(shows(form, SCH_CRED_FORMAT_CERT_HASH, &hash, sizeof(hash), "server"),
                     SEC_E_OK);
    hash.dwFlags = 0;
    assert_int_equal(shows(form, SCH_CRED_FORMAT_CERT_HASH, &hash, sizeof(hash), NULL),
                     SEC_E_NO_CREDENTIALS);
    thumbprint("server-rsa", hash.ShaHash);
    assert_int_equal(shows(form, SCH_CRED_FORMAT_CERT_HASH, &hash, sizeof(hash), "server-rsa"),
                     SEC_E_OK);
    /* With anything else in it, it is 20 bytes that nobody has. */
    for (int i = 0; i < 3; i++) {
        SCHANNEL_CERT_HASH other = hash;

        other.dwLength -= i == 0;
        other.dwFlags = i == 1 ? 2 : 0;
        other.hProv = i == 2 ? 1 : 0;
        assert_int_equal(shows(form, SCH_CRED_FORMAT_CERT_HASH, &other, sizeof(other), NULL),
                         SEC_E_NO_CREDENTIALS);
    }
}

static SCHANNEL_CERT_HASH_STORE store_of(const char *name, DWORD flags, const char *store)
{
    SCHANNEL_CERT_HASH_STORE hash = {.dwLength = sizeof(hash), .dwFlags = flags};

    thumbprint(name, hash.ShaHash);
    for (size_t i = 0; store[i]; i++)
        hash.pwszStoreName[i] = (WCHAR)store[i];
    return hash;
}

static void s3_2_hash_store_names_the_store(const struct peer_form *form)
{
    static const struct {
        const char *name, *store;
        DWORD flags;
        SECURITY_STATUS status;
    } rows[] = {
        {"server", "MY", SCH_MACHINE_CERT_HASH, SEC_E_OK},
        {"server", "my", SCH_MACHINE_CERT_HASH, SEC_E_OK},
        {"server", "", SCH_MACHINE_CERT_HASH, SEC_E_OK},
        {"server-rsa", "My", 0, SEC_E_OK},
        {"server", "MY", 0, SEC_E_NO_CREDENTIALS},
        {"server-rsa", "MY", SCH_MACHINE_CERT_HASH, SEC_E_NO_CREDENTIALS},
        {"server", "ROOT", SCH_MACHINE_CERT_HASH, SEC_E_NO_CREDENTIALS},
        {"server", "../my", SCH_MACHINE_CERT_HASH, SEC_E_NO_CREDENTIALS},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        SCHANNEL_CERT_HASH_STORE hash = store_of(rows[i].name, rows[i].flags, rows[i].store);

        assert_int_equal(
            shows(form, SCH_CRED_FORMAT_CERT_HASH_STORE, &hash, sizeof(hash), rows[i].name),
            rows[i].status);
    }
}

static void s3_2_malformed_hashes_are_refused(const struct peer_form *form)
{
    SCHANNEL_CERT_HASH_STORE hash = store_of("server", SCH_MACHINE_CERT_HASH, "MY");
    DWORD lengths[] = {0, 40, sizeof(hash) - 1, sizeof(hash) + 1, UINT32_MAX};
    struct peer_end server;

    peer_end_init(&server, form, true);
    /* Of a structure with a wrong length nothing is read behind the length. */
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        assert_int_equal(
            shows(form, SCH_CRED_FORMAT_CERT_HASH_STORE, &lengths[i], sizeof(lengths[i]), NULL),
            SEC_E_UNKNOWN_CREDENTIALS);
    for (size_t i = 0; i < SCH_CRED_MAX_STORE_NAME_SIZE; i++)
        hash.pwszStoreName[i] = 'M'; /* without an end */
    assert_int_equal(serve(&server, SCH_CRED_FORMAT_CERT_HASH_STORE, 1, &hash),
                     SEC_E_UNKNOWN_CREDENTIALS);
    hash.pwszStoreName[0] = 0xD800; /* half a character */
    hash.pwszStoreName[1] = 0;
    assert_int_equal(serve(&server, SCH_CRED_FORMAT_CERT_HASH_STORE, 1, &hash),
                     SEC_E_UNKNOWN_CREDENTIALS);
    for (DWORD format = SCH_CRED_FORMAT_CERT_HASH; format <= SCH_CRED_FORMAT_CERT_HASH_STORE;
         format++) {
        assert_int_equal(serve(&server, format, 1, NULL), SEC_E_UNKNOWN_CREDENTIALS);
        assert_int_equal(serve(&server, format, 2, &hash), SEC_E_UNKNOWN_CREDENTIALS);
        assert_int_equal(serve(&server, format, 0, NULL), SEC_E_OK); /* no certificate */
        peer_end_free(&server);
        peer_end_init(&server, form, true);
    }
    assert_int_equal(serve(&server, 3, 1, &hash), SEC_E_UNKNOWN_CREDENTIALS);
}

static void s3_2_schannel_cred_takes_hashes_too(const struct peer_form *form)
{
    SCHANNEL_CERT_HASH_STORE hash = store_of("server", SCH_MACHINE_CERT_HASH, "MY");
    SCHANNEL_CRED auth = {.dwVersion = SCHANNEL_CRED_VERSION,
                          .cCreds = 1,
                          .paCred = (PCCERT_CONTEXT *)(void *)&hash,
                          .dwCredFormat = SCH_CRED_FORMAT_CERT_HASH_STORE};
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    peer_end_free(&pair.server);
    assert_int_equal(shown_acquire(form, NULL, SECPKG_CRED_INBOUND, &auth, &pair.server.credential),
                     SEC_E_OK);
    pair.server.has_credential = true;
    shown_expect(&pair, "server.test", "server");
    assert_int_equal(AddCredentialsA(&pair.server.credential, (LPSTR) "localhost", NULL,
                                     SECPKG_CRED_INBOUND, &auth, NULL, NULL, NULL),
                     SEC_E_OK);
    peer_close(&pair);
}

/* A file that comes after the credential was refused is found by the next one. */
static void s3_2_store_is_read_anew(const struct peer_form *form)
{
    char path[512];
    uint8_t sha1[20];

    thumbprint("wrongname", sha1);
    assert_int_equal(shows(form, SCH_CRED_FORMAT_CERT_HASH, sha1, sizeof(sha1), NULL),
                     SEC_E_NO_CREDENTIALS);
    put("state/my", "wrongname");
    struct peer_end server;
    peer_end_init(&server, form, true);
    assert_int_equal(serve(&server, SCH_CRED_FORMAT_CERT_HASH, 1, sha1), SEC_E_OK);
    peer_end_free(&server);
    TEST_REQUIRE(snprintf(path, sizeof(path), "%s/state/my/wrongname.pem", home) > 0);
    TEST_REQUIRE(chmod(path, 0640) == 0); /* open to others: not used */
    assert_int_equal(shows(form, SCH_CRED_FORMAT_CERT_HASH, sha1, sizeof(sha1), NULL),
                     SEC_E_NO_CREDENTIALS);
    TEST_REQUIRE(unlink(path) == 0);
}

static int clean(int code)
{
    char command[600];

    TEST_REQUIRE(snprintf(command, sizeof(command), "rm -rf '%s'", home) > 0);
    TEST_REQUIRE(system(command) == 0);
    return code;
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_2_hash_is_of_the_machines_store),
        PEER_CASE(s3_2_hash_structure_says_whose),
        PEER_CASE(s3_2_hash_store_names_the_store),
        PEER_CASE(s3_2_malformed_hashes_are_refused),
        PEER_CASE(s3_2_schannel_cred_takes_hashes_too),
        PEER_CASE(s3_2_store_is_read_anew),
    };
    OsspiOptions options = {.cbSize = sizeof(options)};
    char state[600];

    TEST_REQUIRE(mkdtemp(home) != NULL);
    make_folder("state");
    make_folder("state/my");
    make_folder("data");
    make_folder("data/opensspi");
    make_folder("data/opensspi/my");
    put("state/my", "server");
    put("data/opensspi/my", "server-rsa");
    TEST_REQUIRE(snprintf(state, sizeof(state), "%s/state", home) > 0);
    options.state_dir = state;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    TEST_REQUIRE(snprintf(state, sizeof(state), "%s/data", home) > 0);
    TEST_REQUIRE(setenv("XDG_DATA_HOME", state, 1) == 0);
    return clean(peer_run_cases("contract.hash", cases, sizeof(cases) / sizeof(cases[0])));
}
