/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * TLS13-KDF and TLS1-PRF as functions of the provider interface (man 7 provider-kdf); what their
 * parameters mean: man 7 EVP_KDF-TLS13_KDF, EVP_KDF-TLS1_PRF. libssl asks for each secret with a
 * context of its own and all parameters in one call; those are used where they lie. What is set
 * before that call is copied. A context is not thread-safe, as anywhere in OpenSSL.
 */
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "packages/schannel/provider_internal.h"

/* The parts of what has been set so far are copies. */
struct context {
    struct osspi_kdf_request set;
};

/* ---- parameters ---- */

static bool is_text(const OSSL_PARAM *param, const char *text)
{
    const size_t len = strlen(text);

    return param->data_type == OSSL_PARAM_UTF8_STRING && param->data_size == len &&
           strncasecmp(param->data, text, len) == 0;
}

static bool read_mode(const OSSL_PARAM *param, int *ret_mode)
{
    if (is_text(param, "EXTRACT_ONLY"))
        *ret_mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
    else if (is_text(param, "EXPAND_ONLY"))
        *ret_mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    else if (OSSL_PARAM_get_int(param, ret_mode) != 1)
        return false;
    return *ret_mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY ||
           *ret_mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY;
}

static bool read_hash(const OSSL_PARAM *param, enum osspi_kdf_hash *ret_hash)
{
    static const struct {
        const char *name;
        enum osspi_kdf_hash hash;
    } names[] = {
        {"SHA2-384", OSSPI_KDF_SHA384},   {"SHA2-256", OSSPI_KDF_SHA256},
        {"SHA384", OSSPI_KDF_SHA384},     {"SHA256", OSSPI_KDF_SHA256},
        {"SHA-384", OSSPI_KDF_SHA384},    {"SHA-256", OSSPI_KDF_SHA256},
        {"MD5-SHA1", OSSPI_KDF_MD5_SHA1},
    };

    for (size_t i = 0; i < OSSPI_COUNT_OF(names); i++) {
        if (is_text(param, names[i].name)) {
            *ret_hash = names[i].hash;
            return true;
        }
    }
    return false; /* no suite of TLS has another */
}

static bool read_seed(const OSSL_PARAM *param, struct osspi_kdf_request *request)
{
    if (request->seed_count >= OSSPI_KDF_SEEDS)
        return false;
    request->parts[OSSPI_KDF_SEED + request->seed_count++] =
        (struct osspi_hmac_bytes){param->data, param->data_size};
    return true;
}

static bool read_part(const OSSL_PARAM *param, struct osspi_kdf_request *request)
{
    static const struct {
        const char *name;
        enum osspi_kdf_part part;
    } names[] = {
        {OSSL_KDF_PARAM_KEY, OSSPI_KDF_KEY},     {OSSL_KDF_PARAM_SECRET, OSSPI_KDF_KEY},
        {OSSL_KDF_PARAM_SALT, OSSPI_KDF_SALT},   {OSSL_KDF_PARAM_PREFIX, OSSPI_KDF_PREFIX},
        {OSSL_KDF_PARAM_LABEL, OSSPI_KDF_LABEL}, {OSSL_KDF_PARAM_DATA, OSSPI_KDF_DATA},
        {OSSL_KDF_PARAM_SEED, OSSPI_KDF_SEED},
    };

    for (size_t i = 0; i < OSSPI_COUNT_OF(names); i++) {
        if (strcmp(param->key, names[i].name) != 0)
            continue;
        if (param->data_type != OSSL_PARAM_OCTET_STRING)
            return false;
        if (names[i].part == OSSPI_KDF_SEED)
            return read_seed(param, request);
        request->parts[names[i].part] = (struct osspi_hmac_bytes){param->data, param->data_size};
        return true;
    }
    return true; /* others are for other implementations (property queries) */
}

static bool read_params(const OSSL_PARAM *param, struct osspi_kdf_request *request)
{
    bool ok = true;

    for (; ok && param != NULL && param->key != NULL; param++) {
        if (strcmp(param->key, OSSL_KDF_PARAM_MODE) == 0)
            ok = read_mode(param, &request->mode);
        else if (strcmp(param->key, OSSL_KDF_PARAM_DIGEST) == 0)
            ok = read_hash(param, &request->hash);
        else
            ok = read_part(param, request);
    }
    return ok;
}

/* ---- contexts ---- */

static void free_part(struct osspi_hmac_bytes *part)
{
    osspi_secret_free((void *)part->at, part->len);
    *part = (struct osspi_hmac_bytes){NULL, 0};
}

static void kdf_reset(void *object)
{
    struct context *context = object;

    for (int i = 0; i < OSSPI_KDF_PARTS; i++)
        free_part(&context->set.parts[i]);
    context->set = (struct osspi_kdf_request){.mode = -1};
}

static void *kdf_new(void *provider)
{
    struct context *context = osspi_alloc(sizeof(*context));
    (void)provider;

    if (context == NULL)
        ERR_raise(ERR_LIB_PROV, ERR_R_MALLOC_FAILURE);
    else
        context->set.mode = -1;
    return context;
}

static void kdf_free(void *object)
{
    if (object != NULL)
        kdf_reset(object);
    osspi_free(object);
}

/* Takes over a request that was read on top of what is set: copies what is new. */
static bool keep(struct context *context, const struct osspi_kdf_request *request)
{
    for (int i = 0; i < OSSPI_KDF_PARTS; i++) {
        const struct osspi_hmac_bytes *from = &request->parts[i];

        if (from->at == context->set.parts[i].at)
            continue;
        void *copy = osspi_memdup(from->at, from->len);
        if (copy == NULL) {
            ERR_raise(ERR_LIB_PROV, ERR_R_MALLOC_FAILURE);
            return false;
        }
        free_part(&context->set.parts[i]);
        context->set.parts[i] = (struct osspi_hmac_bytes){copy, from->len};
    }
    context->set.mode = request->mode;
    context->set.hash = request->hash;
    context->set.seed_count = request->seed_count;
    return true;
}

static void *kdf_copy(void *object)
{
    const struct context *from = object;
    struct context *copy = kdf_new(NULL);

    if (copy != NULL && !keep(copy, &from->set)) {
        kdf_free(copy);
        copy = NULL;
    }
    return copy;
}

static int kdf_set_params(void *object, const OSSL_PARAM params[])
{
    struct context *context = object;
    struct osspi_kdf_request request = context->set;

    /* A new secret begins a new row of seeds. */
    if (params != NULL && OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_SECRET) != NULL) {
        for (int i = 0; i < OSSPI_KDF_SEEDS; i++)
            free_part(&context->set.parts[OSSPI_KDF_SEED + i]);
        context->set.seed_count = 0;
        request = context->set;
    }
    return read_params(params, &request) && keep(context, &request);
}

static int kdf_tls13(void *object, unsigned char *out, size_t len, const OSSL_PARAM params[])
{
    const struct context *context = object;
    struct osspi_kdf_request request = context->set; /* borrows */

    return read_params(params, &request) && osspi_kdf_tls13(&request, out, len);
}

static int kdf_tls1(void *object, unsigned char *out, size_t len, const OSSL_PARAM params[])
{
    const struct context *context = object;
    struct osspi_kdf_request request = context->set; /* borrows */

    return read_params(params, &request) && osspi_kdf_tls1(&request, out, len);
}

/* ---- the tables ---- */

static const OSSL_PARAM *kdf_settable(void *context, void *provider)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_MODE, NULL, 0),
        OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, NULL),
        OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SECRET, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PREFIX, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_LABEL, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_DATA, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SEED, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)context;
    (void)provider;
    return list;
}

#define COMMON_FUNCTIONS \
    {OSSL_FUNC_KDF_NEWCTX, (void (*)(void))kdf_new}, \
        {OSSL_FUNC_KDF_DUPCTX, (void (*)(void))kdf_copy}, \
        {OSSL_FUNC_KDF_FREECTX, (void (*)(void))kdf_free}, \
        {OSSL_FUNC_KDF_RESET, (void (*)(void))kdf_reset}, \
        {OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, (void (*)(void))kdf_settable}, \
    { \
        OSSL_FUNC_KDF_SET_CTX_PARAMS, (void (*)(void))kdf_set_params \
    }

const OSSL_DISPATCH osspi_provider_tls13_kdf[] = {
    COMMON_FUNCTIONS,
    {OSSL_FUNC_KDF_DERIVE, (void (*)(void))kdf_tls13},
    {0, NULL},
};

const OSSL_DISPATCH osspi_provider_tls1_prf[] = {
    COMMON_FUNCTIONS,
    {OSSL_FUNC_KDF_DERIVE, (void (*)(void))kdf_tls1},
    {0, NULL},
};
