/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * TLS records through EVP (RFC 8446 5.2, RFC 5288); see evp_raw.h. The fastest pattern we know: one
 * init call that sets nothing but the nonce (and, for opening, the tag), one update for the
 * additional data, one for the content, and the tag through a parameter that was built before.
 */
#include "evp_raw.h"

#include <string.h>

#include <openssl/core_names.h>

#define HEADER13         5
#define HEADER12         13 /* with the explicit part of the nonce */
#define APPLICATION_DATA 23

void evp_raw_init(struct evp_raw *key, enum bench_cipher cipher, bool tls12, bool seal)
{
    static const char *const names[] = {[BENCH_AES_128_GCM] = "AES-128-GCM",
                                        [BENCH_AES_256_GCM] = "AES-256-GCM",
                                        [BENCH_CHACHA20] = "ChaCha20-Poly1305"};
    unsigned char bytes[32];
    EVP_CIPHER *fetched = EVP_CIPHER_fetch(NULL, names[cipher], NULL);

    memset(bytes, 7, sizeof(bytes));
    *key = (struct evp_raw){.ctx = EVP_CIPHER_CTX_new(), .tls12 = tls12};
    memset(key->iv, 9, sizeof(key->iv));
    key->tag[0] =
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, key->iv, EVP_RAW_TAG);
    key->tag[1] = OSSL_PARAM_construct_end();
    if (!fetched || !key->ctx ||
        EVP_CipherInit_ex2(key->ctx, fetched, bytes, key->iv, seal, NULL) != 1)
        bench_die("OpenSSL does not know the cipher");
    EVP_CIPHER_free(fetched); /* the context has its own reference */
}

size_t evp_raw_header(const struct evp_raw *key)
{
    return key->tls12 ? HEADER12 : HEADER13;
}

size_t evp_raw_trailer(const struct evp_raw *key)
{
    return EVP_RAW_TAG + (key->tls12 ? 0 : 1);
}

static void put64(unsigned char *bytes, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(bytes, &value, sizeof(value));
}

static void put16(unsigned char *bytes, size_t value)
{
    bytes[0] = (unsigned char)(value >> 8);
    bytes[1] = (unsigned char)value;
}

/* TLS 1.3: the IV and the sequence number, exclusive or. TLS 1.2: four bytes of the IV, and eight
 * that stand in the record. */
static void make_nonce(const struct evp_raw *key, unsigned char nonce[12])
{
    uint64_t sequence = __builtin_bswap64(key->sequence), low;

    memcpy(nonce, key->iv, 4);
    memcpy(&low, key->iv + 4, sizeof(low));
    low = key->tls12 ? sequence : low ^ sequence;
    memcpy(nonce + 4, &low, sizeof(low));
}

/* Returns its length; of TLS 1.3 it is the record's header as it stands there. */
static int make_additional(const struct evp_raw *key, const unsigned char *record, size_t len,
                           unsigned char additional[13])
{
    if (!key->tls12) {
        memcpy(additional, record, HEADER13);
        return HEADER13;
    }
    put64(additional, key->sequence);
    memcpy(additional + 8, record, 3);
    put16(additional + 11, len);
    return 13;
}

size_t evp_raw_seal(struct evp_raw *key, unsigned char *record, size_t len)
{
    size_t header = evp_raw_header(key), content = len + (key->tls12 ? 0 : 1);
    size_t total = header + len + evp_raw_trailer(key);
    unsigned char nonce[12], additional[13];
    int additional_len, done;

    record[0] = APPLICATION_DATA;
    record[1] = record[2] = 3;
    put16(record + 3, total - HEADER13);
    if (key->tls12)
        put64(record + HEADER13, key->sequence);
    else
        record[header + len] = APPLICATION_DATA;
    make_nonce(key, nonce);
    additional_len = make_additional(key, record, len, additional);
    key->tag[0].data = record + header + content;
    if (EVP_EncryptInit_ex2(key->ctx, NULL, NULL, nonce, NULL) != 1 ||
        EVP_EncryptUpdate(key->ctx, NULL, &done, additional, additional_len) != 1 ||
        EVP_EncryptUpdate(key->ctx, record + header, &done, record + header, (int)content) != 1 ||
        EVP_EncryptFinal_ex(key->ctx, record, &done) != 1 ||
        EVP_CIPHER_CTX_get_params(key->ctx, key->tag) != 1)
        bench_die("OpenSSL seals nothing");
    key->sequence++;
    return total;
}

void evp_raw_open(struct evp_raw *key, unsigned char *record, size_t len)
{
    size_t header = evp_raw_header(key), content = len + (key->tls12 ? 0 : 1);
    unsigned char nonce[12], additional[13];
    int additional_len = make_additional(key, record, len, additional), done;

    make_nonce(key, nonce);
    key->tag[0].data = record + header + content;
    if (EVP_DecryptInit_ex2(key->ctx, NULL, NULL, nonce, key->tag) != 1 ||
        EVP_DecryptUpdate(key->ctx, NULL, &done, additional, additional_len) != 1 ||
        EVP_DecryptUpdate(key->ctx, record + header, &done, record + header, (int)content) != 1 ||
        EVP_DecryptFinal_ex(key->ctx, record, &done) != 1)
        bench_die("OpenSSL opens nothing");
    key->sequence++;
}
