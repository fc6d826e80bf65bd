/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * PKCS #11 by the TLS library's pkcs11 engine (libengine-pkcs11-openssl), as it is on Debian 12.
 *
 * The engine is bound to an ENGINE object of ours by the interface of dynamic engines (engine.h of
 * OpenSSL: bind_engine) and not loaded through the "dynamic" engine: that one binds an engine once
 * in a process, and puts it where the application finds it. Ours is in no list, has one module and
 * one PIN, and a forked child binds another. The engine caches the PIN it was given and would try
 * it on any token, hence one for each PIN.
 *
 * Nothing is ever finished or freed; see pkcs11_backend.h. This is the one file that knows the
 * deprecated interface.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "cert/pkcs11_backend.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/ui.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert/pkcs11.h"

#ifndef OPENSSL_NO_ENGINE

#define ENGINE_FILE "pkcs11.so"

struct engine_session {
    ENGINE *engine;
    struct osspi_token_asked asked; /* keys that ask for the PIN at each use come here */
};

/* ---- binding ---- */

/* Where OpenSSL itself looks for engines. */
static dynamic_bind_engine find_binder(void)
{
    const char *folder = secure_getenv("OPENSSL_ENGINES");
    char path[4096];
    void *module;
    int len;

    if (!folder)
        folder = OPENSSL_info(OPENSSL_INFO_ENGINES_DIR);
    len = snprintf(path, sizeof(path), "%s/%s", folder ? folder : "", ENGINE_FILE);
    if (!folder || len < 0 || (size_t)len >= sizeof(path))
        return NULL;
    /* Never closed: its code may run on any thread until the process ends. */
    module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        return NULL;
    return (dynamic_bind_engine)(uintptr_t)dlsym(module, "bind_engine");
}

static ENGINE *bind(void)
{
    dynamic_bind_engine binder = find_binder();
    ENGINE *engine = binder ? ENGINE_new() : NULL;
    /* It shares our libcrypto: nothing of it is replaced. */
    const dynamic_fns functions = {
        .static_state = ENGINE_get_static_state(),
        .mem_fns = {CRYPTO_malloc, CRYPTO_realloc, CRYPTO_free},
    };

    if (engine && binder(engine, "pkcs11", &functions) == 1)
        return engine;
    ENGINE_free(engine);
    return NULL;
}

/* QUIET: it would write to standard error. */
static bool configure(ENGINE *engine, const char *module)
{
    if (module && ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module, 0) != 1)
        return false;
    (void)ENGINE_ctrl_cmd_string(engine, "QUIET", NULL, 1);
    return ENGINE_init(engine) == 1;
}

static void *start(const char *module, const struct osspi_secret *pin)
{
    struct engine_session *session = osspi_alloc(sizeof(*session));

    if (!session)
        return NULL;
    session->asked.pin = pin;
    session->engine = bind();
    if (session->engine && configure(session->engine, module))
        return session;
    ENGINE_free(session->engine); /* which has not looked at the module yet */
    osspi_free(session);
    return NULL;
}

/* ---- finding ---- */

/* Of the URI that holds the PIN nothing may stay behind. */
static void wipe_uri(char **uri)
{
    if (*uri)
        osspi_secret_free(*uri, strlen(*uri));
}

static SECURITY_STATUS load_key(void *data, const char *path, const struct osspi_secret *pin,
                                EVP_PKEY **ret_key)
{
    struct engine_session *session = data;
    char *uri osspi_auto(wipe_uri) = osspi_token_uri_build(path, OSSPI_TOKEN_PRIVATE_KEY, pin);
    UI_METHOD *ui = osspi_token_ui();

    if (!uri || !ui)
        return SEC_E_INSUFFICIENT_MEMORY;
    session->asked.count = 0;
    *ret_key = ENGINE_load_private_key(session->engine, uri, ui, &session->asked);
    if (*ret_key)
        return SEC_E_OK;
    /* Without a PIN it is asked for when the token wants one. */
    return pin->len == 0 && session->asked.count > 0 ? SEC_E_LOGON_DENIED : osspi_token_failure();
}

static SECURITY_STATUS load_certificate(void *data, const char *path,
                                        const struct osspi_secret *pin, X509 **ret_certificate)
{
    struct engine_session *session = data;
    char *uri osspi_auto(wipe_uri) = osspi_token_uri_build(path, OSSPI_TOKEN_CERTIFICATE, pin);
    struct {
        const char *id;
        X509 *certificate;
    } wanted = {.id = uri};

    if (!uri)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (ENGINE_ctrl_cmd(session->engine, "LOAD_CERT_CTRL", 0, &wanted, NULL, 0) != 1 ||
        !wanted.certificate)
        return osspi_token_failure();
    *ret_certificate = wanted.certificate;
    return SEC_E_OK;
}

#else /* a build of the TLS library without engines */

static void *start(const char *module, const struct osspi_secret *pin)
{
    (void)module;
    (void)pin;
    return NULL;
}

static SECURITY_STATUS load_key(void *data, const char *path, const struct osspi_secret *pin,
                                EVP_PKEY **ret_key)
{
    (void)data;
    (void)path;
    (void)pin;
    (void)ret_key;
    return SEC_E_UNSUPPORTED_FUNCTION;
}

static SECURITY_STATUS load_certificate(void *data, const char *path,
                                        const struct osspi_secret *pin, X509 **ret_certificate)
{
    (void)data;
    (void)path;
    (void)pin;
    (void)ret_certificate;
    return SEC_E_UNSUPPORTED_FUNCTION;
}

#endif

const struct osspi_token_backend osspi_token_engine = {
    .by_pin = true,
    .start = start,
    .key = load_key,
    .certificate = load_certificate,
};
