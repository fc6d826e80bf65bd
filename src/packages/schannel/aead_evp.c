/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Authenticated encryption by the TLS library (EVP), for every kind; see aead.h.
 *
 * Per record nothing is made: the context keeps its key, a record sets the nonce alone, and the tag
 * goes through a parameter, which costs less than a control call. Making, keying and freeing a
 * context is done inside the shard. A record is not: with a key in place the provider's functions
 * work on the context's own memory, without locks or allocations (a FIPS provider reads its state
 * under a lock that others then only read), so that fork() has nothing to wait for.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "packages/schannel/aead_internal.h"
#include "packages/schannel/shard.h"
#include "packages/schannel/tls_internal.h"

struct evp_key {
    struct osspi_aead aead; /* first member */
    EVP_CIPHER_CTX *ctx;
    const struct osspi_shard *shard; /* where ctx was made */
};

#define KEY_SIZE \
    ((sizeof(struct evp_key) + OSSPI_AEAD_ALIGN - 1) / OSSPI_AEAD_ALIGN * OSSPI_AEAD_ALIGN)

static struct evp_key *evp_key_of(struct osspi_aead *aead)
{
    return OSSPI_CONTAINER_OF(aead, struct evp_key, aead);
}

static size_t size(enum osspi_aead_kind kind)
{
    (void)kind;
    return KEY_SIZE;
}

static void clear(struct osspi_aead *aead)
{
    struct evp_key *key = evp_key_of(aead);
    OSSPI_IN_SHARD(key->shard);

    EVP_CIPHER_CTX_free(key->ctx);
}

static SECURITY_STATUS set_key(struct osspi_aead *aead, enum osspi_aead_kind kind,
                               const uint8_t *bytes, const struct osspi_shard *shard)
{
    struct evp_key *key = evp_key_of(aead);
    const EVP_CIPHER *cipher = shard->aead_ciphers[kind];
    OSSPI_IN_SHARD(shard);

    if (cipher == NULL) /* the machine's configuration does not have it */
        return SEC_E_INTERNAL_ERROR;
    osspi_tls_errors_clear();
    if (key->ctx == NULL) {
        key->shard = shard;
        key->ctx = EVP_CIPHER_CTX_new();
    } else {
        cipher = NULL; /* the same kind as before: naming it again would make all anew */
    }
    if (key->ctx != NULL && EVP_EncryptInit_ex2(key->ctx, cipher, bytes, NULL, NULL) == 1)
        return SEC_E_OK;
    const SECURITY_STATUS status = osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
    osspi_tls_errors_clear();
    return status;
}

static void set_tag_param(OSSL_PARAM params[2], uint8_t *tag)
{
    params[0] = (OSSL_PARAM){
        .key = OSSL_CIPHER_PARAM_AEAD_TAG,
        .data_type = OSSL_PARAM_OCTET_STRING,
        .data = tag,
        .data_size = OSSPI_AEAD_TAG,
        .return_size = OSSL_PARAM_UNMODIFIED,
    };
    params[1] = (OSSL_PARAM)OSSL_PARAM_END;
}

static bool seal_pieces(struct osspi_aead *aead, const uint8_t *nonce,
                        const struct osspi_aead_pieces *pieces)
{
    EVP_CIPHER_CTX *ctx = evp_key_of(aead)->ctx;
    const bool joined = pieces->behind == pieces->data + pieces->data_len;
    const size_t behind_len = joined ? 0 : pieces->behind_len;
    const size_t data_len = pieces->data_len + (joined ? pieces->behind_len : 0);
    uint8_t none[OSSPI_AEAD_TAG];
    OSSL_PARAM tag[2];
    int len;

    set_tag_param(tag, pieces->tag);
    return EVP_EncryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &len, pieces->aad, (int)pieces->aad_len) == 1 &&
           (data_len == 0 ||
            EVP_EncryptUpdate(ctx, pieces->data, &len, pieces->data, (int)data_len) == 1) &&
           (behind_len == 0 ||
            EVP_EncryptUpdate(ctx, pieces->behind, &len, pieces->behind, (int)behind_len) == 1) &&
           EVP_EncryptFinal_ex(ctx, none, &len) == 1 && EVP_CIPHER_CTX_get_params(ctx, tag) == 1;
}

static bool open_bytes(struct osspi_aead *aead, const uint8_t *nonce, const uint8_t *aad,
                       size_t aad_len, uint8_t *bytes, size_t len)
{
    EVP_CIPHER_CTX *ctx = evp_key_of(aead)->ctx;
    uint8_t none[OSSPI_AEAD_TAG];
    OSSL_PARAM tag[2];
    int done;

    set_tag_param(tag, bytes + len);
    return EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 &&
           EVP_CIPHER_CTX_set_params(ctx, tag) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &done, aad, (int)aad_len) == 1 &&
           (len == 0 || EVP_DecryptUpdate(ctx, bytes, &done, bytes, (int)len) == 1) &&
           EVP_DecryptFinal_ex(ctx, none, &done) == 1;
}

const struct osspi_aead_code osspi_aead_evp = {
    .name = "the TLS library's",
    .set_key = set_key,
    .seal = seal_pieces,
    .open = open_bytes,
    .clear = clear,
    .size = size,
};
