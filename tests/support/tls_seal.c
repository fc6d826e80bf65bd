/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Key schedules and records of TLS 1.2 and 1.3 by OpenSSL's primitives; see tls_seal.h.
 */
#include "support/tls_seal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#define TAG  16u
#define HEAD 5u

/* ---- the key log ---- */

static uint8_t digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static void on_line(const SSL *ssl, const char *line)
{
    struct seal_log *log = SSL_get_app_data(ssl);
    const struct {
        const char *label;
        uint8_t *to;
    } rows[] = {
        {"CLIENT_TRAFFIC_SECRET_0 ", log->client},
        {"SERVER_TRAFFIC_SECRET_0 ", log->server},
        {"EXPORTER_SECRET ", log->exporter},
        {"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", log->client_handshake},
        {"SERVER_HANDSHAKE_TRAFFIC_SECRET ", log->server_handshake},
    };
    const char *hex = strrchr(line, ' ');

    for (size_t i = 0; hex && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strncmp(line, rows[i].label, strlen(rows[i].label)) != 0)
            continue;
        log->len = strlen(hex + 1) / 2;
        TEST_REQUIRE(log->len <= SEAL_MAX_SECRET);
        for (size_t at = 0; at < log->len; at++)
            rows[i].to[at] = (uint8_t)(digit(hex[1 + 2 * at]) << 4 | digit(hex[2 + 2 * at]));
    }
}

void seal_listen(struct raw_peer *raw, struct seal_log *log)
{
    *log = (struct seal_log){.len = 0};
    TEST_REQUIRE(SSL_set_app_data(raw->ssl, log) == 1);
    SSL_CTX_set_keylog_callback(raw->ctx, on_line);
}

/* ---- key schedules ---- */

static void derive(const char *name, OSSL_PARAM *params, uint8_t *out, size_t len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);

    TEST_REQUIRE(ctx != NULL);
    TEST_REQUIRE(EVP_KDF_derive(ctx, out, len, params) == 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

/* HKDF-Expand-Label without a context. */
static void expand(const struct seal_keys *keys, const char *label, uint8_t *out, size_t len)
{
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    uint8_t info[32];
    const size_t label_len = 6 + strlen(label);
    OSSL_PARAM params[5];

    info[0] = (uint8_t)(len >> 8);
    info[1] = (uint8_t)len;
    info[2] = (uint8_t)label_len;
    memcpy(info + 3, "tls13 ", 6);
    memcpy(info + 9, label, strlen(label));
    info[3 + label_len] = 0;
    params[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)keys->digest, 0);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)keys->secret,
                                                  keys->secret_len);
    params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, label_len + 4);
    params[4] = OSSL_PARAM_construct_end();
    derive("HKDF", params, out, len);
}

static void set_keys(struct seal_keys *keys)
{
    expand(keys, "key", keys->key, keys->key_len);
    expand(keys, "iv", keys->iv, sizeof(keys->iv));
    keys->sequence = 0;
}

void seal_keys_update(struct seal_keys *keys)
{
    uint8_t next[SEAL_MAX_SECRET];

    expand(keys, "traffic upd", next, keys->secret_len);
    memcpy(keys->secret, next, keys->secret_len);
    set_keys(keys);
}

/* The Finished messages were the first records of either side. */
static void init_12(struct seal_keys *keys, const struct raw_peer *raw, bool of_server)
{
    const size_t iv_len = keys->chacha ? 12 : 4;
    const size_t key_at = of_server ? keys->key_len : 0;
    const size_t iv_at = 2 * keys->key_len + (of_server ? iv_len : 0);
    uint8_t master[SSL_MAX_MASTER_KEY_LENGTH], block[128], seed[13 + 2 * SSL3_RANDOM_SIZE];
    size_t master_len =
        SSL_SESSION_get_master_key(SSL_get_session(raw->ssl), master, sizeof(master));
    OSSL_PARAM params[4];

    memcpy(seed, "key expansion", 13);
    SSL_get_server_random(raw->ssl, seed + 13, SSL3_RANDOM_SIZE);
    SSL_get_client_random(raw->ssl, seed + 13 + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, keys->digest, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, master_len);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed));
    params[3] = OSSL_PARAM_construct_end();
    derive("TLS1-PRF", params, block, 2 * (keys->key_len + iv_len));
    memcpy(keys->key, block + key_at, keys->key_len);
    memcpy(keys->iv, block + iv_at, iv_len);
    keys->sequence = 1;
}

void seal_keys_init(struct seal_keys *keys, const struct raw_peer *raw, const struct seal_log *log,
                    bool of_server)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(raw->ssl);
    const char *name = SSL_CIPHER_get_name(cipher);
    const EVP_MD *digest = SSL_CIPHER_get_handshake_digest(cipher);

    *keys = (struct seal_keys){
        .tls13 = SSL_version(raw->ssl) == TLS1_3_VERSION,
        .chacha = strstr(name, "CHACHA20") != NULL,
        .key_len = strstr(name, "128") != NULL ? 16 : 32,
    };
    memcpy(keys->digest, EVP_MD_get_size(digest) == 48 ? "SHA384" : "SHA256", 7);
    if (!keys->tls13) {
        init_12(keys, raw, of_server);
        return;
    }
    TEST_REQUIRE(log->len == (size_t)EVP_MD_get_size(digest));
    keys->secret_len = log->len;
    memcpy(keys->secret, of_server ? log->server : log->client, log->len);
    set_keys(keys);
}

/* ---- records ---- */

static void put64(uint8_t *to, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(number >> (56 - 8 * i));
}

static bool has_explicit_nonce(const struct seal_keys *keys)
{
    return !keys->tls13 && !keys->chacha;
}

static void make_nonce(const struct seal_keys *keys, const uint8_t *explicit_part, uint8_t *nonce)
{
    uint8_t number[8];

    memcpy(nonce, keys->iv, 12);
    if (explicit_part) {
        memcpy(nonce + 4, explicit_part, 8);
        return;
    }
    put64(number, keys->sequence);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] ^= number[i];
}

/* TLS 1.3: the header. TLS 1.2: number, type, version, and the length of the plaintext. */
static size_t make_aad(const struct seal_keys *keys, const uint8_t *header, size_t plain_len,
                       uint8_t *aad)
{
    if (keys->tls13) {
        memcpy(aad, header, HEAD);
        return HEAD;
    }
    put64(aad, keys->sequence);
    memcpy(aad + 8, header, 3);
    aad[11] = (uint8_t)(plain_len >> 8);
    aad[12] = (uint8_t)plain_len;
    return 13;
}

/* In place; the tag is read or written behind. */
static bool crypt(const struct seal_keys *keys, bool seal, const uint8_t *nonce, const uint8_t *aad,
                  size_t aad_len, uint8_t *bytes, size_t len)
{
    const EVP_CIPHER *cipher = keys->chacha          ? EVP_chacha20_poly1305()
                               : keys->key_len == 16 ? EVP_aes_128_gcm()
                                                     : EVP_aes_256_gcm();
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int got, more = 0;
    bool good;

    TEST_REQUIRE(ctx != NULL);
    TEST_REQUIRE(EVP_CipherInit_ex(ctx, cipher, NULL, keys->key, nonce, seal) == 1);
    TEST_REQUIRE(EVP_CipherUpdate(ctx, NULL, &got, aad, (int)aad_len) == 1);
    if (!seal)
        TEST_REQUIRE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, bytes + len) == 1);
    if (len > 0)
        TEST_REQUIRE(EVP_CipherUpdate(ctx, bytes, &got, bytes, (int)len) == 1);
    good = EVP_CipherFinal_ex(ctx, bytes + len, &more) == 1;
    if (seal)
        TEST_REQUIRE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, bytes + len) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

static void seal_any(struct seal_keys *keys, uint16_t version, uint8_t type, const void *bytes,
                     size_t len, struct peer_stream *to)
{
    const size_t before = HEAD + (has_explicit_nonce(keys) ? 8 : 0);
    uint8_t *record = calloc(1, before + len + TAG);
    const size_t body = before - HEAD + len + TAG;
    uint8_t nonce[12], aad[13];
    size_t aad_len;

    TEST_REQUIRE(record != NULL);
    record[0] = type;
    record[1] = (uint8_t)(version >> 8);
    record[2] = (uint8_t)version;
    record[3] = (uint8_t)(body >> 8);
    record[4] = (uint8_t)body;
    if (has_explicit_nonce(keys))
        put64(record + HEAD, keys->sequence);
    make_nonce(keys, has_explicit_nonce(keys) ? record + HEAD : NULL, nonce);
    if (len > 0)
        memcpy(record + before, bytes, len);
    aad_len = make_aad(keys, record, len, aad);
    TEST_REQUIRE(crypt(keys, true, nonce, aad, aad_len, record + before, len));
    keys->sequence++;
    peer_push(to, record, before + len + TAG);
    free(record);
}

void seal_inner(struct seal_keys *keys, const void *inner, size_t len, struct peer_stream *to)
{
    seal_any(keys, 0x0303, SEAL_DATA, inner, len, to);
}

void seal_record_as(struct seal_keys *keys, uint16_t version, uint8_t type, const void *bytes,
                    size_t len, size_t padding, struct peer_stream *to)
{
    uint8_t *inner;

    if (!keys->tls13) {
        seal_any(keys, version, type, bytes, len, to);
        return;
    }
    inner = calloc(1, len + 1 + padding);
    TEST_REQUIRE(inner != NULL);
    if (len > 0)
        memcpy(inner, bytes, len);
    inner[len] = type;
    seal_any(keys, version, SEAL_DATA, inner, len + 1 + padding, to);
    free(inner);
}

void seal_record(struct seal_keys *keys, uint8_t type, const void *bytes, size_t len,
                 size_t padding, struct peer_stream *to)
{
    seal_record_as(keys, 0x0303, type, bytes, len, padding, to);
}

bool seal_open(struct seal_keys *keys, struct peer_stream *from, uint8_t *ret_type, uint8_t *out,
               size_t *ret_len)
{
    const size_t before = HEAD + (has_explicit_nonce(keys) ? 8 : 0);
    uint8_t record[HEAD + 16640], nonce[12], aad[13];
    size_t whole, len, aad_len;

    if (from->len < HEAD)
        return false;
    whole = peer_record_len(from->bytes);
    if (whole > from->len || whole > sizeof(record) || whole < before + TAG)
        return false;
    memcpy(record, from->bytes, whole);
    len = whole - before - TAG;
    make_nonce(keys, has_explicit_nonce(keys) ? record + HEAD : NULL, nonce);
    aad_len = make_aad(keys, record, len, aad);
    if (!crypt(keys, false, nonce, aad, aad_len, record + before, len))
        return false;
    if (has_explicit_nonce(keys))
        memcpy(&keys->explicit_nonce, record + HEAD, sizeof(keys->explicit_nonce));
    *ret_type = record[0];
    if (keys->tls13) {
        while (len > 0 && record[before + len - 1] == 0)
            len--;
        TEST_REQUIRE(len > 0);
        *ret_type = record[before + --len];
    }
    memcpy(out, record + before, len);
    *ret_len = len;
    keys->sequence++;
    peer_drop(from, whole);
    return true;
}
