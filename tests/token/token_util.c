/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The token of the tests; see token_util.h. token_uri() and the mode are for one thread at a time.
 */
#include "token/token_util.h"

#include <dlfcn.h>
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char mode_path[4096];    /* constant after token_begin() */
static char module_path[12288]; /* the same */

#if TEST_SANITIZED
/* The pkcs11 provider loads modules with RTLD_DEEPBIND, and sanitizers end a program that does. */
void *dlopen(const char *file, int mode);

void *dlopen(const char *file, int mode)
{
    void *(*next)(const char *, int);

    *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
    return next(file, mode & ~RTLD_DEEPBIND);
}
#endif

static const char *in_build(const char *name)
{
    static char path[4096]; /* guarded by there being one thread */
    const char *build = getenv("OSSPI_TEST_BUILD");

    TEST_REQUIRE(build != NULL);
    TEST_REQUIRE(snprintf(path, sizeof(path), "%s/%s", build, name) < (int)sizeof(path));
    return path;
}

static void encode(const char *text, char *out, size_t size)
{
    size_t at = 0;

    for (; *text; text++) {
        TEST_REQUIRE(at + 4 <= size);
        at += (size_t)snprintf(out + at, size - at, "%%%02X", (unsigned char)*text);
    }
    out[at] = '\0';
}

static const char *counter_path(const char *what)
{
    static char path[4128]; /* guarded by there being one thread */

    snprintf(path, sizeof(path), "%s.%s", mode_path, what);
    return path;
}

static void tidy_up(void)
{
    if (test_is_forked())
        return;
    unlink(counter_path("inside"));
    unlink(counter_path("login"));
    unlink(mode_path);
}

void token_begin(void)
{
    if (access(in_build("token/.edition"), R_OK) != 0) {
        puts("no token: softhsm2 or opensc is missing");
        exit(getenv("OSSPI_REQUIRE_PEERS") ? 1 : 77);
    }
    TEST_REQUIRE(setenv("SOFTHSM2_CONF", in_build("token/softhsm2.conf"), 1) == 0);
    encode(in_build("tests/token/hanging_pkcs11.so"), module_path, sizeof(module_path));
    unsetenv("PKCS11_MODULE_PATH");
    unsetenv("PKCS11_PROVIDER_MODULE");
    /* A program that a test starts has the test's module, and leaves it to the test: nothing that
     * hangs shall come free while it exits. */
    if (getenv("OSSPI_TEST_TOKEN_MODE")) {
        snprintf(mode_path, sizeof(mode_path), "%s", getenv("OSSPI_TEST_TOKEN_MODE"));
        return;
    }
    TEST_REQUIRE(snprintf(mode_path, sizeof(mode_path), "%s.%d", in_build("token/mode"),
                          (int)getpid()) < (int)sizeof(mode_path));
    TEST_REQUIRE(setenv("OSSPI_TEST_TOKEN_MODE", mode_path, 1) == 0);
    TEST_REQUIRE(atexit(tidy_up) == 0);
}

void token_mode(const char *mode)
{
    char fresh[4128];
    FILE *file;

    snprintf(fresh, sizeof(fresh), "%s.new", mode_path);
    file = fopen(fresh, "w");
    TEST_REQUIRE(file != NULL && fputs(mode ? mode : "", file) >= 0 && fclose(file) == 0);
    TEST_REQUIRE(rename(fresh, mode_path) == 0);
}

static size_t counted(const char *what)
{
    struct stat facts;

    return stat(counter_path(what), &facts) == 0 ? (size_t)facts.st_size : 0;
}

size_t token_inside(void)
{
    return counted("inside");
}

size_t token_logins(void)
{
    return counted("login");
}

static bool is_inside(void *data)
{
    return token_inside() >= *(const size_t *)data;
}

void token_await_inside(size_t count)
{
    test_poll(is_inside, &count);
}

const char *token_module(void)
{
    return module_path;
}

const char *token_uri(const char *object, const char *type, const char *pin)
{
    static char uris[10][sizeof(module_path) + 512]; /* guarded by there being one thread */
    static unsigned next;
    char *uri = uris[next++ % 10];

    TEST_REQUIRE(snprintf(uri, sizeof(uris[0]),
                          "pkcs11:token=osspi%%20test;object=%s%s%s?module-path=%s%s%s", object,
                          type ? ";type=" : "", type ? type : "", module_path,
                          pin ? "&pin-value=" : "", pin ? pin : "") < (int)sizeof(uris[0]));
    return uri;
}

PCCERT_CONTEXT token_certificate(const char *name)
{
    PCCERT_CONTEXT certificate = NULL;

    TEST_REQUIRE_EQUAL(
        OsspiLoadCertificate(token_uri(name, "cert", TOKEN_PIN), NULL, NULL, &certificate),
        SEC_E_OK);
    return certificate;
}

PCCERT_CONTEXT token_chain(const char *name)
{
    PCCERT_CONTEXT certificate = NULL;
    char path[512];

    peer_path(name, ".pem", path, sizeof(path));
    TEST_REQUIRE_EQUAL(
        OsspiLoadCertificate(path, token_uri(name, "private", NULL), TOKEN_PIN, &certificate),
        SEC_E_OK);
    return certificate;
}

SECURITY_STATUS token_acquire(struct peer_end *end, DWORD protocols, PCCERT_CONTEXT certificate)
{
    SCHANNEL_CRED credential = {
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = 1,
        .paCred = &certificate,
        .grbitEnabledProtocols = protocols,
    };
    char package[] = UNISP_NAME_A;
    SECURITY_STATUS status =
        end->form->acquire(package, end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                           &credential, &end->credential, &end->expiry);

    end->has_credential = status == SEC_E_OK;
    CertFreeCertificateContext(certificate);
    return status;
}

void token_open(struct peer_pair *pair, const struct peer_form *form, DWORD client_protocols,
                const char *server)
{
    peer_end_init(&pair->client, form, false);
    peer_end_init(&pair->server, form, true);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&pair->client, client_protocols, 0, NULL, false), SEC_E_OK);
    TEST_REQUIRE_EQUAL(token_acquire(&pair->server, 0, token_chain(server)), SEC_E_OK);
}
