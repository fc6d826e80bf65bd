/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The provider between a shard and OpenSSL's default one: its key derivation against RFC 8448's
 * values and against OpenSSL's own on random input, what it hands on, and when it stays away.
 */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/memory.h"
#include "packages/schannel/provider.h"
#include "support/test_util.h"

#define ROUNDS     300
#define MAX_BYTES  200
#define MAX_PARAMS 16

struct world {
    OSSL_LIB_CTX *base, *wrapped;
};

static int open_world(void **state)
{
    static struct world world;

    world.base = OSSL_LIB_CTX_new();
    world.wrapped = world.base == NULL ? NULL : osspi_provider_wrap(world.base);
    *state = &world;
    return world.wrapped == NULL;
}

static int close_world(void **state)
{
    struct world *world = *state;

    OSSL_LIB_CTX_free(world->wrapped);
    OSSL_LIB_CTX_free(world->base);
    return 0;
}

/* ---- one derivation ---- */

struct request {
    OSSL_PARAM params[MAX_PARAMS];
    size_t count;
};

static void add_text(struct request *request, const char *key, const char *text)
{
    request->params[request->count++] =
        OSSL_PARAM_construct_utf8_string(key, (char *)(uintptr_t)text, 0);
    request->params[request->count] = OSSL_PARAM_construct_end();
}

static void add_bytes(struct request *request, const char *key, const void *bytes, size_t len)
{
    request->params[request->count++] =
        OSSL_PARAM_construct_octet_string(key, (void *)(uintptr_t)bytes, len);
    request->params[request->count] = OSSL_PARAM_construct_end();
}

static void add_mode(struct request *request, int *mode)
{
    request->params[request->count++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, mode);
    request->params[request->count] = OSSL_PARAM_construct_end();
}

enum how { AT_ONCE, SET_BEFORE, COPIED };

/* 1, or what OpenSSL answered. */
static int derive(OSSL_LIB_CTX *library, const char *name, enum how how,
                  const struct request *request, uint8_t *out, size_t len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(library, name, NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    int done = 1;

    assert_non_null(ctx);
    if (how != AT_ONCE)
        done = EVP_KDF_CTX_set_params(ctx, request->params);
    if (how == COPIED) {
        EVP_KDF_CTX *copy = EVP_KDF_CTX_dup(ctx);
        assert_non_null(copy);
        EVP_KDF_CTX_reset(ctx); /* the copy has its own */
        EVP_KDF_CTX_free(ctx);
        ctx = copy;
    }
    if (done == 1)
        done = EVP_KDF_derive(ctx, out, len, how == AT_ONCE ? request->params : NULL);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    ERR_clear_error();
    return done;
}

/* ---- RFC 8448, 3 ---- */

static const uint8_t ecdhe[32] = {0x8b, 0xd4, 0x05, 0x4f, 0xb5, 0x5b, 0x9d, 0x63, 0xfd, 0xfb, 0xac,
                                  0xf9, 0xf0, 0x4b, 0x9f, 0x0d, 0x35, 0xe6, 0xd6, 0x3f, 0x53, 0x75,
                                  0x63, 0xef, 0xd4, 0x62, 0x72, 0x90, 0x0f, 0x89, 0x49, 0x2d};
static const uint8_t early[32] = {0x33, 0xad, 0x0a, 0x1c, 0x60, 0x7e, 0xc0, 0x3b, 0x09, 0xe6, 0xcd,
                                  0x98, 0x93, 0x68, 0x0c, 0xe2, 0x10, 0xad, 0xf3, 0x00, 0xaa, 0x1f,
                                  0x26, 0x60, 0xe1, 0xb2, 0x2e, 0x10, 0xf1, 0x70, 0xf9, 0x2a};
static const uint8_t handshake[32] = {
    0x1d, 0xc8, 0x26, 0xe9, 0x36, 0x06, 0xaa, 0x6f, 0xdc, 0x0a, 0xad, 0xc1, 0x2f, 0x74, 0x1b, 0x01,
    0x04, 0x6a, 0xa6, 0xb9, 0x9f, 0x69, 0x1e, 0xd2, 0x21, 0xa9, 0xf0, 0xca, 0x04, 0x3f, 0xbe, 0xac};
static const uint8_t master[32] = {0x18, 0xdf, 0x06, 0x84, 0x3d, 0x13, 0xa0, 0x8b, 0xf2, 0xa4, 0x49,
                                   0x84, 0x4c, 0x5f, 0x8a, 0x47, 0x80, 0x01, 0xbc, 0x4d, 0x4c, 0x62,
                                   0x79, 0x84, 0xd5, 0xa4, 0x1d, 0xa8, 0xd0, 0x40, 0x29, 0x19};
static const uint8_t hello_hash[32] = {
    0x86, 0x0c, 0x06, 0xed, 0xc0, 0x78, 0x58, 0xee, 0x8e, 0x78, 0xf0, 0xe7, 0x42, 0x8c, 0x58, 0xed,
    0xd6, 0xb4, 0x3f, 0x2c, 0xa3, 0xe6, 0xe9, 0x5f, 0x02, 0xed, 0x06, 0x3c, 0xf0, 0xe1, 0xca, 0xd8};
static const uint8_t server_traffic[32] = {
    0xb6, 0x7b, 0x7d, 0x69, 0x0c, 0xc1, 0x6c, 0x4e, 0x75, 0xe5, 0x42, 0x13, 0xcb, 0x2d, 0x37, 0xb4,
    0xe9, 0xc9, 0x12, 0xbc, 0xde, 0xd9, 0x10, 0x5d, 0x42, 0xbe, 0xfd, 0x59, 0xd3, 0x91, 0xad, 0x38};
static const uint8_t server_key[16] = {0x3f, 0xce, 0x51, 0x60, 0x09, 0xc2, 0x17, 0x27,
                                       0xd0, 0xf2, 0xe4, 0xe8, 0x6e, 0xe4, 0x03, 0xbc};
static const uint8_t server_iv[12] = {0x5d, 0x31, 0x3e, 0xb2, 0x67, 0x12,
                                      0x76, 0xee, 0x13, 0x00, 0x0b, 0x30};

static void check_extract(OSSL_LIB_CTX *library, enum how how, const uint8_t *salt,
                          const uint8_t *secret, const uint8_t *expected)
{
    int mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
    struct request request = {.count = 0};
    uint8_t out[32];

    add_mode(&request, &mode);
    add_text(&request, OSSL_KDF_PARAM_DIGEST, "SHA256");
    if (secret != NULL)
        add_bytes(&request, OSSL_KDF_PARAM_KEY, secret, 32);
    if (salt != NULL)
        add_bytes(&request, OSSL_KDF_PARAM_SALT, salt, 32);
    add_bytes(&request, OSSL_KDF_PARAM_PREFIX, "tls13 ", 6);
    add_bytes(&request, OSSL_KDF_PARAM_LABEL, "derived", 7);
    assert_int_equal(derive(library, "TLS13-KDF", how, &request, out, sizeof(out)), 1);
    assert_memory_equal(out, expected, sizeof(out));
}

static void check_expand(OSSL_LIB_CTX *library, enum how how, const uint8_t *secret,
                         const char *label, const uint8_t *context, const uint8_t *expected,
                         size_t len)
{
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    struct request request = {.count = 0};
    uint8_t out[32];

    add_mode(&request, &mode);
    add_text(&request, OSSL_KDF_PARAM_DIGEST, "SHA2-256");
    add_bytes(&request, OSSL_KDF_PARAM_KEY, secret, 32);
    add_bytes(&request, OSSL_KDF_PARAM_PREFIX, "tls13 ", 6);
    add_bytes(&request, OSSL_KDF_PARAM_LABEL, label, strlen(label));
    if (context != NULL)
        add_bytes(&request, OSSL_KDF_PARAM_DATA, context, 32);
    assert_int_equal(derive(library, "TLS13-KDF", how, &request, out, len), 1);
    assert_memory_equal(out, expected, len);
}

static void schedule_of_the_rfc_gives_its_values(void **state)
{
    const struct world *world = *state;

    for (int how = AT_ONCE; how <= COPIED; how++) {
        check_extract(world->wrapped, (enum how)how, NULL, NULL, early);
        check_extract(world->wrapped, (enum how)how, early, ecdhe, handshake);
        check_extract(world->wrapped, (enum how)how, handshake, NULL, master);
        check_expand(world->wrapped, (enum how)how, handshake, "s hs traffic", hello_hash,
                     server_traffic, 32);
        check_expand(world->wrapped, (enum how)how, server_traffic, "key", NULL, server_key, 16);
        check_expand(world->wrapped, (enum how)how, server_traffic, "iv", NULL, server_iv, 12);
    }
}

/* ---- against OpenSSL's own ---- */

static size_t random_below(size_t limit)
{
    uint32_t number = 0;

    assert_int_equal(RAND_bytes((unsigned char *)&number, sizeof(number)), 1);
    return number % limit;
}

static void compare(const struct world *world, const char *name, const struct request *request,
                    size_t len)
{
    uint8_t ours[512], theirs[512];

    assert_true(len <= sizeof(ours));
    const int expected = derive(world->base, name, AT_ONCE, request, theirs, len);
    for (int how = AT_ONCE; how <= COPIED; how++) {
        assert_int_equal(derive(world->wrapped, name, (enum how)how, request, ours, len) > 0,
                         expected > 0);
        if (expected > 0)
            assert_memory_equal(ours, theirs, len);
    }
}

static void compare_tls13(const struct world *world)
{
    static const char *const digests[] = {"SHA256", "SHA384", "SHA2-256", "SHA2-384"};
    const char *digest = digests[random_below(OSSPI_COUNT_OF(digests))];
    const size_t hash_len = strstr(digest, "384") != NULL ? 48 : 32;
    const bool extracts = random_below(3) == 0;
    int mode = extracts ? EVP_KDF_HKDF_MODE_EXTRACT_ONLY : EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    uint8_t bytes[MAX_BYTES];
    struct request request = {.count = 0};

    assert_int_equal(RAND_bytes(bytes, sizeof(bytes)), 1);
    add_mode(&request, &mode);
    add_text(&request, OSSL_KDF_PARAM_DIGEST, digest);
    if (!extracts || random_below(3) > 0)
        add_bytes(&request, OSSL_KDF_PARAM_KEY, bytes,
                  extracts ? 1 + random_below(MAX_BYTES) : hash_len);
    if (extracts && random_below(3) > 0)
        add_bytes(&request, OSSL_KDF_PARAM_SALT, bytes + 7, hash_len);
    add_bytes(&request, OSSL_KDF_PARAM_PREFIX, "tls13 ", 6);
    add_bytes(&request, OSSL_KDF_PARAM_LABEL, bytes + 3, 1 + random_below(100));
    if (random_below(2) == 0)
        add_bytes(&request, OSSL_KDF_PARAM_DATA, bytes + 5, random_below(65));
    compare(world, "TLS13-KDF", &request, extracts ? hash_len : 1 + random_below(300));
}

static void compare_tls1(const struct world *world)
{
    static const char *const digests[] = {"SHA256", "SHA384", "MD5-SHA1"};
    uint8_t bytes[MAX_BYTES];
    struct request request = {.count = 0};

    assert_int_equal(RAND_bytes(bytes, sizeof(bytes)), 1);
    add_text(&request, OSSL_KDF_PARAM_DIGEST, digests[random_below(OSSPI_COUNT_OF(digests))]);
    add_bytes(&request, OSSL_KDF_PARAM_SECRET, bytes, 1 + random_below(MAX_BYTES));
    for (size_t i = 1 + random_below(5); i > 0; i--)
        add_bytes(&request, OSSL_KDF_PARAM_SEED, bytes + i, 1 + random_below(64));
    compare(world, "TLS1-PRF", &request, 1 + random_below(300));
}

static void derivations_equal_those_of_openssl(void **state)
{
    const struct world *world = *state;

    for (int i = 0; i < ROUNDS; i++) {
        compare_tls13(world);
        compare_tls1(world);
    }
}

static void derivations_with_remembered_keys_are_the_same(void **state)
{
    const struct world *world = *state;

    for (int i = 0; i < ROUNDS; i++) {
        __attribute__((unused)) struct osspi_secrets_scope scope osspi_auto(osspi_secrets_end) =
            osspi_secrets_begin(NULL, NULL);

        compare_tls13(world); /* three times the same one */
        compare_tls1(world);
        schedule_of_the_rfc_gives_its_values(state);
    }
}

static void requests_without_sense_are_refused(void **state)
{
    const struct world *world = *state;
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY, wrong = 0;
    struct request request = {.count = 0};
    uint8_t out[64];

    add_mode(&request, &mode);
    assert_int_not_equal(derive(world->wrapped, "TLS13-KDF", AT_ONCE, &request, out, 32), 1);
    add_text(&request, OSSL_KDF_PARAM_DIGEST, "SHA256");
    assert_int_not_equal(derive(world->wrapped, "TLS13-KDF", AT_ONCE, &request, out, 32), 1);
    assert_int_not_equal(derive(world->wrapped, "TLS1-PRF", AT_ONCE, &request, out, 32), 1);
    add_bytes(&request, OSSL_KDF_PARAM_SECRET, out, 32);
    assert_int_not_equal(derive(world->wrapped, "TLS1-PRF", AT_ONCE, &request, out, 32), 1);
    add_mode(&request, &wrong);
    assert_int_not_equal(derive(world->wrapped, "TLS13-KDF", AT_ONCE, &request, out, 32), 1);
    mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
    request = (struct request){.count = 0};
    add_mode(&request, &mode);
    add_text(&request, OSSL_KDF_PARAM_DIGEST, "SHA256");
    assert_int_not_equal(derive(world->wrapped, "TLS13-KDF", AT_ONCE, &request, out, 31), 1);
    add_text(&request, OSSL_KDF_PARAM_DIGEST, "SHA3-256");
    assert_int_not_equal(derive(world->wrapped, "TLS13-KDF", AT_ONCE, &request, out, 32), 1);
}

/* ---- who is told ---- */

struct heard {
    unsigned count;
    char label[32];
    uint8_t secret[32];
};

static void hear(void *owner, const char *label, size_t label_len, const uint8_t *secret,
                 size_t len)
{
    struct heard *heard = owner;

    assert_true(label_len < sizeof(heard->label));
    memcpy(heard->label, label, label_len);
    heard->label[label_len] = '\0';
    memcpy(heard->secret, secret, len < sizeof(heard->secret) ? len : sizeof(heard->secret));
    heard->count++;
}

static void sink_hears_of_secrets_until_the_end(void **state)
{
    const struct world *world = *state;
    struct heard outer = {.count = 0}, inner = {.count = 0};
    struct osspi_secrets_scope one = osspi_secrets_begin(hear, &outer);
    struct osspi_secrets_scope two = osspi_secrets_begin(hear, &inner);

    check_expand(world->wrapped, AT_ONCE, handshake, "s hs traffic", hello_hash, server_traffic,
                 32);
    osspi_secrets_end(&two);
    assert_int_equal(outer.count, 0);
    assert_int_equal(inner.count, 1);
    assert_string_equal(inner.label, "s hs traffic");
    assert_memory_equal(inner.secret, server_traffic, 32);
    check_expand(world->wrapped, AT_ONCE, server_traffic, "iv", NULL, server_iv, 12);
    osspi_secrets_end(&one);
    check_expand(world->wrapped, AT_ONCE, server_traffic, "iv", NULL, server_iv, 12);
    assert_int_equal(outer.count, 1);
    assert_string_equal(outer.label, "iv");
}

/* ---- what is handed on ---- */

static X509 *make_certificate(OSSL_LIB_CTX *library, EVP_PKEY *key, const char *digest)
{
    EVP_MD *md = digest == NULL ? NULL : EVP_MD_fetch(library, digest, NULL);
    X509 *certificate = X509_new_ex(library, NULL);

    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, md) > 0);
    EVP_MD_free(md);
    return certificate;
}

static EVP_PKEY *make_key(OSSL_LIB_CTX *library, const char *type, const char *group)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(library, type, NULL);
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    if (group != NULL)
        assert_int_equal(EVP_PKEY_CTX_set_group_name(ctx, group), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void check_certificate(const struct world *world, const char *type, const char *group,
                              const char *digest)
{
    EVP_PKEY *key = make_key(world->base, type, group);
    unsigned char *der = NULL;
    X509 *made = make_certificate(world->base, key, digest);
    const int len = i2d_X509(made, &der);
    const unsigned char *end = der;
    X509 *parsed = X509_new_ex(world->wrapped, NULL);

    assert_true(len > 0);
    assert_non_null(d2i_X509(&parsed, &end, len));
    assert_non_null(X509_get0_pubkey(parsed));
    assert_int_equal(X509_verify(parsed, X509_get0_pubkey(parsed)), 1);
    /* A key of the context below works here too: that is how credentials have theirs. */
    assert_int_equal(X509_check_private_key(parsed, key), 1);
    X509 *own = make_certificate(world->wrapped, key, digest);
    assert_int_equal(X509_verify(own, X509_get0_pubkey(parsed)), 1);
    X509_free(own);
    X509_free(parsed);
    X509_free(made);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

static void certificates_of_all_kinds_are_understood(void **state)
{
    const struct world *world = *state;

    check_certificate(world, "RSA", NULL, "SHA256");
    check_certificate(world, "RSA-PSS", NULL, "SHA384");
    check_certificate(world, "EC", "P-256", "SHA256");
    check_certificate(world, "EC", "P-521", "SHA512");
    check_certificate(world, "EC", "brainpoolP384r1", "SHA384");
    check_certificate(world, "ED25519", NULL, NULL);
    check_certificate(world, "ED448", NULL, NULL);
}

/* ---- keys that were seen before ---- */

#define KEYS 40 /* more than are remembered */

struct spki {
    EVP_PKEY *key;
    unsigned char *der;
    int len;
};

struct decoding {
    const struct world *world;
    const struct spki *spkis;
};

static EVP_PKEY *decode(const struct world *world, const unsigned char *der, int len)
{
    return d2i_PUBKEY_ex(NULL, &der, len, world->wrapped, NULL);
}

static void *decode_all(void *data)
{
    const struct decoding *decoding = data;

    for (int round = 0; round < 3; round++) {
        EVP_PKEY *kept[KEYS];

        for (size_t i = 0; i < KEYS; i++) {
            const struct spki *spki = &decoding->spkis[i / (size_t)(round + 1)];

            kept[i] = decode(decoding->world, spki->der, spki->len);
            TEST_REQUIRE(kept[i] != NULL && EVP_PKEY_eq(kept[i], spki->key) == 1);
        }
        for (size_t i = 0; i < KEYS; i++)
            EVP_PKEY_free(kept[i]);
    }
    OPENSSL_thread_stop_ex(decoding->world->wrapped);
    OPENSSL_thread_stop_ex(decoding->world->base);
    return NULL;
}

static void keys_seen_before_are_decoded_alike(void **state)
{
    static const char *const groups[] = {"P-256", "P-384", "P-521", "secp256k1"};
    const struct world *world = *state;
    struct spki spkis[KEYS] = {{NULL, NULL, 0}};
    struct decoding decoding = {world, spkis};

    for (size_t i = 0; i < KEYS; i++) {
        spkis[i].key = make_key(world->base, "EC", groups[i % OSSPI_COUNT_OF(groups)]);
        spkis[i].len = i2d_PUBKEY(spkis[i].key, &spkis[i].der);
        assert_true(spkis[i].len > 0);
    }
    pthread_t other = test_thread_start(decode_all, &decoding);
    (void)decode_all(&decoding);
    test_thread_join(other);
    for (size_t i = 0; i < KEYS; i++) {
        /* Another byte is another key: here one that is not on the curve, or no encoding. */
        spkis[i].der[spkis[i].len - 1] ^= 1;
        assert_null(decode(world, spkis[i].der, spkis[i].len));
        assert_null(decode(world, spkis[i].der, spkis[i].len));
        assert_null(decode(world, spkis[i].der, spkis[i].len - 1));
        ERR_clear_error();
        OPENSSL_free(spkis[i].der);
        EVP_PKEY_free(spkis[i].key);
    }
}

/* All that OpenSSL offers by itself, for every version, can be offered in a wrapped context. */
static void suites_and_groups_are_those_of_the_default_provider(void **state)
{
    static const char suites[] = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:"
                                 "DHE+AES:AESGCM:AES:!AESCCM:@SECLEVEL=0";
    static const char groups[] = "X25519:P-256:P-384:P-521:X448:ffdhe2048:ffdhe3072";
    const struct world *world = *state;
    OSSL_LIB_CTX *const libraries[] = {world->base, world->wrapped};
    int counts[2];

    for (size_t i = 0; i < 2; i++) {
        SSL_CTX *ctx = SSL_CTX_new_ex(libraries[i], NULL, TLS_method());

        assert_non_null(ctx);
        assert_int_equal(SSL_CTX_set1_groups_list(ctx, groups), 1);
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, suites), 1);
        SSL *ssl = SSL_new(ctx);
        STACK_OF(SSL_CIPHER) *list = SSL_get1_supported_ciphers(ssl);
        counts[i] = sk_SSL_CIPHER_num(list);
        sk_SSL_CIPHER_free(list);
        SSL_free(ssl);
        SSL_CTX_free(ctx);
    }
    assert_true(counts[0] > 20);
    assert_int_equal(counts[0], counts[1]);
}

/* ---- when it stays away ---- */

static void context_with_another_provider_is_left_alone(void **state)
{
    OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *first = OSSL_PROVIDER_load(library, "base"), *second;
    (void)state;

    assert_non_null(first);
    assert_null(osspi_provider_wrap(library));
    second = OSSL_PROVIDER_load(library, "default");
    assert_non_null(second);
    assert_null(osspi_provider_wrap(library));
    OSSL_PROVIDER_unload(second);
    OSSL_PROVIDER_unload(first);
    OSSL_LIB_CTX_free(library);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedule_of_the_rfc_gives_its_values),
        cmocka_unit_test(derivations_equal_those_of_openssl),
        cmocka_unit_test(derivations_with_remembered_keys_are_the_same),
        cmocka_unit_test(requests_without_sense_are_refused),
        cmocka_unit_test(sink_hears_of_secrets_until_the_end),
        cmocka_unit_test(certificates_of_all_kinds_are_understood),
        cmocka_unit_test(keys_seen_before_are_decoded_alike),
        cmocka_unit_test(suites_and_groups_are_those_of_the_default_provider),
        cmocka_unit_test(context_with_another_provider_is_left_alone),
    };

    return cmocka_run_group_tests_name("schannel.provider", tests, open_world, close_world);
}
