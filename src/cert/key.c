/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Private keys; see key.h. PKCS#8 and its encrypted form (RFC 5958), PBES2 (RFC 8018), and the
 * PBE algorithms of PKCS#12 (RFC 7292). Thread-safe: no state of its own.
 */
#include "cert/key.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include "cert/limits.h"

static void pkcs8_freep(PKCS8_PRIV_KEY_INFO **info)
{
    PKCS8_PRIV_KEY_INFO_free(*info);
}

static void pbe2_freep(PBE2PARAM **parameters)
{
    PBE2PARAM_free(*parameters);
}

void osspi_secret_clear(struct osspi_secret *secret)
{
    osspi_secret_free(secret->bytes, secret->len);
    *secret = (struct osspi_secret){0};
}

SECURITY_STATUS osspi_key_read(struct osspi_der_view der, EVP_PKEY **ret_key)
{
    OSSPI_CRYPTO_CALL;
    const struct osspi_crypto *crypto = osspi_crypto_get_full();
    const unsigned char *end = der.bytes;

    if (!der.bytes || der.len == 0 || der.len > OSSPI_CERT_MAX_LEN)
        return SEC_E_UNKNOWN_CREDENTIALS;
    if (!crypto)
        return SEC_E_INSUFFICIENT_MEMORY;
    EVP_PKEY *key osspi_auto(osspi_pkey_freep) =
        d2i_AutoPrivateKey_ex(NULL, &end, (long)der.len, crypto->library, NULL);
    if (!key)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    if (end != der.bytes + der.len)
        return SEC_E_UNKNOWN_CREDENTIALS;
    *ret_key = OSSPI_TAKE(key);
    return SEC_E_OK;
}

static bool spend(const ASN1_INTEGER *iterations, uint64_t *budget)
{
    uint64_t count;

    if (!iterations || !ASN1_INTEGER_get_uint64(&count, iterations) || count > *budget)
        return false;
    *budget -= count;
    return true;
}

static bool spend_pbkdf2(const ASN1_TYPE *parameter, uint64_t *budget)
{
    PBKDF2PARAM *parsed = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), parameter);
    bool affordable = parsed && spend(parsed->iter, budget);

    PBKDF2PARAM_free(parsed);
    return affordable;
}

#ifndef OPENSSL_NO_SCRYPT
/* Its memory is bounded by the TLS library, its time by N * r * p blocks. */
static bool spend_scrypt(const ASN1_TYPE *parameter, uint64_t *budget)
{
    SCRYPT_PARAMS *parsed = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), parameter);
    uint64_t n = 0;
    uint64_t r = 0;
    uint64_t p = 0;
    uint64_t cost = 0;
    bool affordable = parsed && ASN1_INTEGER_get_uint64(&n, parsed->costParameter) &&
                      ASN1_INTEGER_get_uint64(&r, parsed->blockSize) &&
                      ASN1_INTEGER_get_uint64(&p, parsed->parallelizationParameter) &&
                      !__builtin_mul_overflow(n, r, &cost) &&
                      !__builtin_mul_overflow(cost, p, &cost) && cost <= *budget;

    if (affordable)
        *budget -= cost;
    SCRYPT_PARAMS_free(parsed);
    return affordable;
}
#else
static bool spend_scrypt(const ASN1_TYPE *parameter, uint64_t *budget)
{
    (void)parameter;
    (void)budget;
    return false;
}
#endif

static void want_cipher(const X509_ALGOR *cipher)
{
    int nid = cipher ? OBJ_obj2nid(cipher->algorithm) : NID_undef;

    if (nid == NID_des_cbc || nid == NID_rc2_cbc)
        osspi_crypto_want_legacy();
}

static bool spend_pbes2(const ASN1_TYPE *parameter, uint64_t *budget)
{
    PBE2PARAM *parsed osspi_auto(pbe2_freep) =
        ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), parameter);

    if (!parsed || !parsed->keyfunc)
        return false;
    want_cipher(parsed->encryption);
    switch (OBJ_obj2nid(parsed->keyfunc->algorithm)) {
    case NID_id_pbkdf2:
        return spend_pbkdf2(parsed->keyfunc->parameter, budget);
    case NID_id_scrypt:
        return spend_scrypt(parsed->keyfunc->parameter, budget);
    default:
        return false;
    }
}

static bool spend_pbes1(const ASN1_TYPE *parameter, uint64_t *budget)
{
    PBEPARAM *parsed = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), parameter);
    bool affordable = parsed && spend(parsed->iter, budget);

    PBEPARAM_free(parsed);
    return affordable;
}

bool osspi_key_kdf_affordable(const X509_ALGOR *algorithm, uint64_t *budget)
{
    if (!algorithm || !algorithm->parameter)
        return false;
    switch (OBJ_obj2nid(algorithm->algorithm)) {
    case NID_pbes2:
    case NID_pbmac1: /* its parameters have the same shape */
        return spend_pbes2(algorithm->parameter, budget);
    case NID_pbe_WithSHA1And3_Key_TripleDES_CBC:
    case NID_pbe_WithSHA1And2_Key_TripleDES_CBC:
        break;
    default:
        osspi_crypto_want_legacy();
    }
    return spend_pbes1(algorithm->parameter, budget);
}

/* Only two things can be the password's fault: wrong padding, and no structure inside. Whatever
 * else went wrong must not be blamed on it, or people are asked for it again and again. */
SECURITY_STATUS osspi_key_open_failure(void)
{
    unsigned long last = ERR_peek_last_error();

    if (ERR_GET_LIB(last) == ERR_LIB_PKCS12 &&
        (ERR_GET_REASON(last) == PKCS12_R_PKCS12_CIPHERFINAL_ERROR ||
         ERR_GET_REASON(last) == PKCS12_R_DECODE_ERROR))
        return osspi_crypto_failure(SEC_E_LOGON_DENIED);
    return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
}

SECURITY_STATUS osspi_key_open(const X509_SIG *sealed, const char *password, size_t len,
                               uint64_t *budget, EVP_PKEY **ret_key)
{
    OSSPI_CRYPTO_CALL;
    const struct osspi_crypto *crypto = osspi_crypto_get_full();
    const X509_ALGOR *algorithm = NULL;
    const ASN1_OCTET_STRING *content = NULL;

    if (!crypto)
        return SEC_E_INSUFFICIENT_MEMORY;
    X509_SIG_get0(sealed, &algorithm, &content);
    if (!content || len > OSSPI_PASSWORD_MAX || !osspi_key_kdf_affordable(algorithm, budget))
        return SEC_E_UNKNOWN_CREDENTIALS;
    PKCS8_PRIV_KEY_INFO *info osspi_auto(pkcs8_freep) =
        PKCS8_decrypt_ex(sealed, password, (int)len, crypto->library, NULL);
    if (!info)
        return osspi_key_open_failure();
    *ret_key = EVP_PKCS82PKEY_ex(info, crypto->library, NULL);
    return *ret_key ? SEC_E_OK : osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
}

/* The key brings its library context along: that of osspi_crypto_get_full(). */
SECURITY_STATUS osspi_key_write(EVP_PKEY *key, struct osspi_secret *ret_secret)
{
    OSSPI_CRYPTO_CALL;
    PKCS8_PRIV_KEY_INFO *info osspi_auto(pkcs8_freep) = EVP_PKEY2PKCS8(key);
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : -1;
    struct osspi_secret secret = {0};
    unsigned char *end;

    if (len <= 0)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    secret.bytes = end = osspi_alloc((size_t)len);
    if (!secret.bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    secret.len = (size_t)len;
    if (i2d_PKCS8_PRIV_KEY_INFO(info, &end) != len) {
        osspi_secret_clear(&secret);
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    *ret_secret = secret;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_key_match(EVP_PKEY *key, struct osspi_der_view public_key)
{
    OSSPI_CRYPTO_CALL;
    const struct osspi_crypto *crypto = osspi_crypto_get_full();
    const unsigned char *end = public_key.bytes;

    if (!crypto)
        return SEC_E_INSUFFICIENT_MEMORY;
    EVP_PKEY *expected osspi_auto(osspi_pkey_freep) =
        d2i_PUBKEY_ex(NULL, &end, (long)public_key.len, crypto->library, NULL);
    if (!expected)
        return osspi_crypto_failure(SEC_E_NO_CREDENTIALS);
    if (EVP_PKEY_eq(expected, key) != 1)
        return osspi_crypto_failure(SEC_E_NO_CREDENTIALS);
    return SEC_E_OK;
}
