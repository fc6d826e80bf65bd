/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * PEM (RFC 7468) with certificates and a key; see pem.h. Keys may be PKCS#8, encrypted PKCS#8, or
 * the older structures, also with the encryption of RFC 1421 headers. What a block held is wiped as
 * soon as it has been read. Thread-safe: no state of its own.
 */
#include "cert/pem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

/* One block; all three come from the TLS library's (secure, if there is one) heap. */
struct block {
    char *name;
    char *header;
    unsigned char *data;
    long len;
    size_t size; /* of data, for wiping: decryption makes len smaller */
};

static void block_clear(struct block *block)
{
    OPENSSL_secure_free(block->name);
    OPENSSL_secure_free(block->header);
    OPENSSL_secure_clear_free(block->data, block->size);
    *block = (struct block){0};
}

static void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}

static void sig_freep(X509_SIG **sig)
{
    X509_SIG_free(*sig);
}

void osspi_pem_clear(struct osspi_pem *pem)
{
    osspi_pkey_freep(&pem->key);
    osspi_arena_clear(&pem->arena);
    *pem = (struct osspi_pem){0};
}

static bool is_certificate(const char *name)
{
    return strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0;
}

static bool is_key(const char *name)
{
    static const char suffix[] = "PRIVATE KEY";
    size_t len = strlen(name);

    return len >= sizeof(suffix) - 1 && strcmp(name + len - (sizeof(suffix) - 1), suffix) == 0;
}

static SECURITY_STATUS add_certificate(const struct block *block, struct osspi_pem *pem)
{
    const uint8_t *copy;

    if (block->len <= 0 || pem->certificate_count == OSSPI_COUNT_OF(pem->certificates))
        return SEC_E_UNKNOWN_CREDENTIALS;
    copy = osspi_arena_copy(&pem->arena, block->data, (size_t)block->len);
    if (!copy)
        return SEC_E_INSUFFICIENT_MEMORY;
    pem->certificates[pem->certificate_count++] = (struct osspi_der_view){copy, (size_t)block->len};
    return SEC_E_OK;
}

static SECURITY_STATUS open_pkcs8(const struct block *block, const char *password,
                                  EVP_PKEY **ret_key)
{
    const unsigned char *end = block->data;
    uint64_t budget = OSSPI_KDF_BUDGET;
    X509_SIG *sealed osspi_auto(sig_freep) = d2i_X509_SIG(NULL, &end, block->len);

    if (!sealed)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    if (!password)
        return SEC_E_LOGON_DENIED;
    return osspi_key_open(sealed, password, strlen(password), &budget, ret_key);
}

static int give_password(char *buffer, int size, int writing, void *data)
{
    const char *password = data;
    size_t len = strlen(password);

    (void)writing;
    if (size < 0 || len > (size_t)size)
        return -1;
    memcpy(buffer, password, len);
    return (int)len;
}

/* Opens the encryption of RFC 1421 in place. Where it is checked at all is in the padding, so that
 * one wrong password in 256 gives garbage instead of an error. */
static SECURITY_STATUS open_traditional(struct block *block, const char *password)
{
    const struct osspi_crypto *crypto = osspi_crypto_get_full();
    OSSL_LIB_CTX *previous;
    EVP_CIPHER_INFO cipher;
    int opened;

    if (!PEM_get_EVP_CIPHER_INFO(block->header, &cipher))
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    if (!cipher.cipher)
        return SEC_E_OK;
    if (!password)
        return SEC_E_LOGON_DENIED;
    if (!crypto)
        return SEC_E_INSUFFICIENT_MEMORY;
    /* This old function takes ciphers from the thread's default context, whichever that is. */
    previous = OSSL_LIB_CTX_set0_default(crypto->library);
    opened = PEM_do_header(&cipher, block->data, &block->len, give_password,
                           (void *)(uintptr_t)password);
    OSSL_LIB_CTX_set0_default(previous);
    return opened ? SEC_E_OK : osspi_crypto_failure(SEC_E_LOGON_DENIED);
}

static SECURITY_STATUS read_key(struct block *block, const char *password, EVP_PKEY **ret_key)
{
    bool sealed = strstr(block->header, "ENCRYPTED") != NULL;
    SECURITY_STATUS status;

    if (strcmp(block->name, PEM_STRING_PKCS8) == 0)
        return open_pkcs8(block, password, ret_key);
    status = open_traditional(block, password);
    if (status != SEC_E_OK)
        return status;
    status = osspi_key_read((struct osspi_der_view){block->data, (size_t)block->len}, ret_key);
    return sealed && status == SEC_E_UNKNOWN_CREDENTIALS ? SEC_E_LOGON_DENIED : status;
}

/* SEC_E_OK; CRYPT_E_NOT_FOUND: no more blocks. */
static SECURITY_STATUS next_block(BIO *text, struct block *ret_block)
{
    if (!PEM_read_bio_ex(text, &ret_block->name, &ret_block->header, &ret_block->data,
                         &ret_block->len, PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE)) {
        if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
            return CRYPT_E_NOT_FOUND;
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    }
    ret_block->size = (size_t)ret_block->len;
    return SEC_E_OK;
}

static SECURITY_STATUS take_block(BIO *text, int blocks, const char *password,
                                  struct osspi_pem *pem)
{
    OSSPI_CRYPTO_CALL;
    struct block block osspi_auto(block_clear) = {0};
    SECURITY_STATUS status = next_block(text, &block);

    if (status != SEC_E_OK)
        return status;
    if ((blocks & OSSPI_PEM_CERTIFICATES) && is_certificate(block.name))
        return add_certificate(&block, pem);
    if ((blocks & OSSPI_PEM_KEY) && is_key(block.name) && !pem->key)
        return read_key(&block, password, &pem->key);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_pem_read(struct osspi_der_view text, int blocks, const char *password,
                               struct osspi_pem *pem)
{
    OSSPI_CRYPTO_CALL;
    SECURITY_STATUS status;

    if (text.len == 0)
        return SEC_E_OK;
    if (text.len > OSSPI_FILE_MAX_LEN)
        return SEC_E_UNKNOWN_CREDENTIALS;
    if (password && strlen(password) > OSSPI_PASSWORD_MAX)
        return SEC_E_LOGON_DENIED;
    BIO *bio osspi_auto(bio_freep) = BIO_new_mem_buf(text.bytes, (int)text.len);
    if (!bio)
        return SEC_E_INSUFFICIENT_MEMORY;
    do {
        status = take_block(bio, blocks, password, pem);
    } while (status == SEC_E_OK);
    return status == CRYPT_E_NOT_FOUND ? SEC_E_OK : status;
}

static SECURITY_STATUS
visit_block(BIO *text, SECURITY_STATUS (*visit)(struct osspi_der_view der, void *data), void *data)
{
    OSSPI_CRYPTO_CALL;
    struct block block osspi_auto(block_clear) = {0};
    SECURITY_STATUS status = next_block(text, &block);

    if (status != SEC_E_OK || !is_certificate(block.name) || block.len <= 0)
        return status;
    return visit((struct osspi_der_view){block.data, (size_t)block.len}, data);
}

SECURITY_STATUS osspi_pem_visit(struct osspi_der_view text,
                                SECURITY_STATUS (*visit)(struct osspi_der_view der, void *data),
                                void *data)
{
    OSSPI_CRYPTO_CALL;
    SECURITY_STATUS status;

    if (text.len == 0)
        return SEC_E_OK;
    if (text.len > INT_MAX)
        return SEC_E_UNKNOWN_CREDENTIALS;
    BIO *bio osspi_auto(bio_freep) = BIO_new_mem_buf(text.bytes, (int)text.len);
    if (!bio)
        return SEC_E_INSUFFICIENT_MEMORY;
    do {
        status = visit_block(bio, visit, data);
    } while (status == SEC_E_OK);
    return status == CRYPT_E_NOT_FOUND ? SEC_E_OK : status;
}
