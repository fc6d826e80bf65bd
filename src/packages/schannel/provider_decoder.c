/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Elliptic curve keys of certificates that a shard has seen lately (man 7 provider-decoder,
 * provider-keymgmt). OpenSSL 3.0 sets up the curve's arithmetic anew for each key it decodes, which
 * is most of the work of decoding one. The same SubjectPublicKeyInfo gives the same key: the
 * default provider's decoder makes it once, and here it is copied with the default provider's own
 * functions.
 *
 * Keys here are public. What is remembered is found by all of its bytes; other certificates push it
 * out, nothing else does, because nothing else can make it wrong.
 */
#include <openssl/bio.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <string.h>

#include "base/lock.h"
#include "base/memory.h"
#include "packages/schannel/provider_internal.h"

#define MAX_SPKI   160u /* that of P-521 has 158 bytes */
#define REMEMBERED 32u
#define MAX_TABLE  48u /* functions of a key management */

struct entry {
    size_t len; /* 0: empty */
    int selection;
    uint8_t bytes[MAX_SPKI];
    void *key; /* the default provider's object */
};

struct osspi_key_cache {
    struct osspi_lock lock;
    struct entry entries[REMEMBERED]; /* guarded by lock */
};

/* The default provider's functions: part of libcrypto, the same for all contexts. Written once
 * under the lock, before a wrapped context exists. */
static struct {
    struct osspi_lock lock;
    bool ready;
    OSSL_FUNC_decoder_newctx_fn *open;
    OSSL_FUNC_decoder_freectx_fn *close;
    OSSL_FUNC_decoder_decode_fn *decode;
    OSSL_FUNC_decoder_does_selection_fn *does_selection;
    OSSL_FUNC_keymgmt_load_fn *load;
    OSSL_FUNC_keymgmt_dup_fn *copy;
    OSSL_FUNC_keymgmt_free_fn *free;
    OSSL_FUNC_BIO_read_ex_fn *read;
    OSSL_FUNC_BIO_ctrl_fn *control;
} below;

/* How a key gets from our decoder to our key management; who takes it writes NULL. */
struct reference {
    const void *mark;
    void *key;
};

static const char mark;

/* ---- what is remembered ---- */

struct osspi_key_cache *osspi_key_cache_new(void)
{
    return osspi_alloc(sizeof(struct osspi_key_cache));
}

static struct entry *place_of(struct osspi_key_cache *cache, const uint8_t *bytes, size_t len)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return &cache->entries[(hash >> 16) % REMEMBERED];
}

/* A copy of one's own, or NULL. */
static void *recall(struct osspi_key_cache *cache, const uint8_t *bytes, size_t len, int selection)
{
    OSSPI_LOCKED(&cache->lock);
    const struct entry *entry = place_of(cache, bytes, len);

    if (entry->len != len || entry->selection != selection || memcmp(entry->bytes, bytes, len) != 0)
        return NULL;
    return below.copy(entry->key, OSSL_KEYMGMT_SELECT_ALL);
}

static void remember(struct osspi_key_cache *cache, const uint8_t *bytes, size_t len, int selection,
                     const void *key)
{
    void *copy = below.copy(key, OSSL_KEYMGMT_SELECT_ALL), *old;

    if (copy == NULL)
        return;
    osspi_lock_acquire(&cache->lock);
    struct entry *entry = place_of(cache, bytes, len);
    old = entry->key;
    memcpy(entry->bytes, bytes, len);
    entry->len = len;
    entry->selection = selection;
    entry->key = copy;
    osspi_lock_release(&cache->lock);
    below.free(old); /* NULL is a no-op there */
}

/* ---- decoding ---- */

struct decoder {
    void *below;
    struct osspi_key_cache *cache;
};

/* From libcrypto's allocator, like the one below: to libcrypto a decoder that cannot be opened is
 * one that does not fit, and for want of memory here it would go on without the key. */
static void *decoder_open(void *provider)
{
    struct decoder *decoder = OPENSSL_zalloc(sizeof(*decoder));

    if (decoder == NULL)
        return NULL;
    decoder->cache = osspi_provider_key_cache(provider);
    decoder->below = below.open(provider);
    if (decoder->below == NULL || decoder->cache == NULL) {
        below.close(decoder->below);
        OPENSSL_free(decoder);
        return NULL;
    }
    return decoder;
}

static void decoder_close(void *object)
{
    struct decoder *decoder = object;

    if (decoder != NULL)
        below.close(decoder->below);
    OPENSSL_free(decoder);
}

static int decoder_does_selection(void *provider, int selection)
{
    return below.does_selection == NULL || below.does_selection(provider, selection);
}

/* Hands a key on, and frees it if nobody took it. */
static int give(void *key, OSSL_CALLBACK *tell, void *argument)
{
    int type = OSSL_OBJECT_PKEY;
    char name[] = "EC";
    struct reference reference = {&mark, key};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &reference,
                                          sizeof(reference)),
        OSSL_PARAM_construct_end(),
    };
    const int done = tell(params, argument);

    below.free(reference.key);
    return done;
}

/* A decoding by the default provider that is under way. */
struct decoding {
    struct osspi_key_cache *cache;
    const uint8_t *bytes;
    size_t len;
    int selection;
    OSSL_CALLBACK *tell;
    void *argument;
};

static bool is_key(const OSSL_PARAM *params)
{
    const OSSL_PARAM *type = OSSL_PARAM_locate_const(params, OSSL_OBJECT_PARAM_TYPE);
    const OSSL_PARAM *name = OSSL_PARAM_locate_const(params, OSSL_OBJECT_PARAM_DATA_TYPE);
    int number;

    return type != NULL && OSSL_PARAM_get_int(type, &number) == 1 && number == OSSL_OBJECT_PKEY &&
           name != NULL && name->data_type == OSSL_PARAM_UTF8_STRING && name->data_size == 2 &&
           memcmp(name->data, "EC", 2) == 0;
}

static int on_decoded(const OSSL_PARAM params[], void *argument)
{
    const struct decoding *decoding = argument;
    const OSSL_PARAM *reference = OSSL_PARAM_locate_const(params, OSSL_OBJECT_PARAM_REFERENCE);

    if (!is_key(params) || reference == NULL)
        return decoding->tell(params, decoding->argument);
    void *key = below.load(reference->data, reference->data_size);
    if (key == NULL)
        return 0;
    remember(decoding->cache, decoding->bytes, decoding->len, decoding->selection, key);
    return give(key, decoding->tell, decoding->argument);
}

static bool read_all(OSSL_CORE_BIO *in, uint8_t *bytes, size_t len)
{
    while (len > 0) {
        size_t part = 0;

        if (below.read(in, bytes, len, &part) != 1 || part == 0 || part > len)
            return false;
        bytes += part;
        len -= part;
    }
    return true;
}

/* One DER SEQUENCE, whole; 0: it is none, or longer than what is remembered. */
static size_t read_sequence(OSSL_CORE_BIO *in, uint8_t bytes[MAX_SPKI])
{
    size_t at = 2, len;

    if (!read_all(in, bytes, 2) || bytes[0] != 0x30)
        return 0;
    len = bytes[1];
    if (len == 0x81) {
        if (!read_all(in, bytes + at, 1))
            return 0;
        len = bytes[at++];
    } else if (len >= 0x80) {
        return 0;
    }
    if (len > MAX_SPKI - at || !read_all(in, bytes + at, len))
        return 0;
    return at + len;
}

static int decoder_decode(void *object, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *tell,
                          void *argument, OSSL_PASSPHRASE_CALLBACK *ask, void *ask_argument)
{
    const struct decoder *decoder = object;
    const int start = below.control(in, BIO_C_FILE_TELL, 0, NULL);
    uint8_t bytes[MAX_SPKI];
    const size_t len = start < 0 ? 0 : read_sequence(in, bytes);
    void *key = len == 0 ? NULL : recall(decoder->cache, bytes, len, selection);

    if (key != NULL)
        return give(key, tell, argument);
    if (start >= 0 && below.control(in, BIO_C_FILE_SEEK, start, NULL) < 0)
        return 0;
    if (len == 0)
        return below.decode(decoder->below, in, selection, tell, argument, ask, ask_argument);
    struct decoding decoding = {decoder->cache, bytes, len, selection, tell, argument};
    return below.decode(decoder->below, in, selection, on_decoded, &decoding, ask, ask_argument);
}

static const OSSL_DISPATCH decoder_functions[] = {
    {OSSL_FUNC_DECODER_NEWCTX, (void (*)(void))decoder_open},
    {OSSL_FUNC_DECODER_FREECTX, (void (*)(void))decoder_close},
    {OSSL_FUNC_DECODER_DOES_SELECTION, (void (*)(void))decoder_does_selection},
    {OSSL_FUNC_DECODER_DECODE, (void (*)(void))decoder_decode},
    {0, NULL},
};

/* ---- key management ---- */

/* The default provider's functions but for this one; guarded like `below`. */
static OSSL_DISPATCH key_functions[MAX_TABLE];

static void *load_key(const void *bytes, size_t len)
{
    struct reference *reference = (struct reference *)(uintptr_t)bytes;
    void *key;

    if (len != sizeof(*reference) || reference->mark != &mark)
        return below.load(bytes, len);
    key = reference->key;
    reference->key = NULL;
    return key;
}

/* ---- setting up ---- */

static void (*function_of(const OSSL_DISPATCH *functions, int id))(void)
{
    for (; functions != NULL && functions->function_id != 0; functions++) {
        if (functions->function_id == id)
            return functions->function;
    }
    return NULL;
}

static bool take_core(const OSSL_DISPATCH *core)
{
    below.read = (OSSL_FUNC_BIO_read_ex_fn *)function_of(core, OSSL_FUNC_BIO_READ_EX);
    below.control = (OSSL_FUNC_BIO_ctrl_fn *)function_of(core, OSSL_FUNC_BIO_CTRL);
    return below.read != NULL && below.control != NULL;
}

static bool take_decoder(const OSSL_DISPATCH *functions)
{
    below.open = (OSSL_FUNC_decoder_newctx_fn *)function_of(functions, OSSL_FUNC_DECODER_NEWCTX);
    below.close = (OSSL_FUNC_decoder_freectx_fn *)function_of(functions, OSSL_FUNC_DECODER_FREECTX);
    below.decode = (OSSL_FUNC_decoder_decode_fn *)function_of(functions, OSSL_FUNC_DECODER_DECODE);
    below.does_selection = (OSSL_FUNC_decoder_does_selection_fn *)function_of(
        functions, OSSL_FUNC_DECODER_DOES_SELECTION);
    return below.open != NULL && below.close != NULL && below.decode != NULL;
}

static bool take_keys(const OSSL_DISPATCH *functions)
{
    size_t count = 0;

    below.load = (OSSL_FUNC_keymgmt_load_fn *)function_of(functions, OSSL_FUNC_KEYMGMT_LOAD);
    below.copy = (OSSL_FUNC_keymgmt_dup_fn *)function_of(functions, OSSL_FUNC_KEYMGMT_DUP);
    below.free = (OSSL_FUNC_keymgmt_free_fn *)function_of(functions, OSSL_FUNC_KEYMGMT_FREE);
    for (; functions != NULL && functions[count].function_id != 0; count++) {
        if (count + 1 >= MAX_TABLE)
            return false;
        key_functions[count] = functions[count];
        if (functions[count].function_id == OSSL_FUNC_KEYMGMT_LOAD)
            key_functions[count].function = (void (*)(void))load_key;
    }
    return below.load != NULL && below.copy != NULL && below.free != NULL;
}

void osspi_key_cache_wrap(const OSSL_DISPATCH *core, OSSL_ALGORITHM *decoder, OSSL_ALGORITHM *keys)
{
    OSSPI_LOCKED(&below.lock);
    if (!below.ready)
        below.ready = take_core(core) && take_decoder(decoder->implementation) &&
                      take_keys(keys->implementation);
    if (below.ready) {
        decoder->implementation = decoder_functions;
        keys->implementation = key_functions;
    }
}
