/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The innermost object: a parsed certificate with key and chain; see object.h. Thread-safe: all of
 * it is constant once others can see it, but for the atomic reference count.
 */
#include "cert/object.h"

#include <string.h>

#include "cert/limits.h"
#include "cert/pkcs11.h"

static void x509_freep(X509 **certificate)
{
    X509_free(*certificate);
}

static void arena_clear(struct osspi_arena *arena)
{
    osspi_arena_clear(arena);
}

struct osspi_certificate *osspi_certificate_ref(struct osspi_certificate *certificate)
{
    atomic_fetch_add_explicit(&certificate->refs, 1, memory_order_relaxed);
    return certificate;
}

void osspi_certificate_unref(struct osspi_certificate *certificate)
{
    if (!certificate || atomic_fetch_sub_explicit(&certificate->refs, 1, memory_order_acq_rel) != 1)
        return;
    osspi_secret_clear(&certificate->key);
    osspi_token_key_unref(certificate->token);
    osspi_arena_clear(&certificate->arena);
    osspi_free(certificate);
}

void osspi_certificate_unrefp(struct osspi_certificate **certificate)
{
    osspi_certificate_unref(*certificate);
}

static SECURITY_STATUS copy_der(struct osspi_arena *arena, struct osspi_der_view der,
                                struct osspi_der_view *ret_copy)
{
    ret_copy->len = der.len;
    ret_copy->bytes = osspi_arena_copy(arena, der.bytes, der.len);
    return ret_copy->bytes ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

/* A chain is only kept as bytes, but must be one of certificates. */
static SECURITY_STATUS check_der(struct osspi_der_view der)
{
    struct osspi_arena scratch osspi_auto(arena_clear) = {0};
    struct osspi_cert_info ignored;

    return osspi_cert_info_parse(der, &scratch, &ignored);
}

static SECURITY_STATUS copy_chain(struct osspi_certificate *certificate,
                                  const struct osspi_der_view *chain, size_t count)
{
    if (count == 0)
        return SEC_E_OK;
    if (count > OSSPI_CHAIN_MAX)
        return SEC_E_UNKNOWN_CREDENTIALS;
    certificate->chain =
        osspi_arena_take_array(&certificate->arena, count, sizeof(*certificate->chain));
    if (!certificate->chain)
        return SEC_E_INSUFFICIENT_MEMORY;
    for (size_t i = 0; i < count; i++) {
        SECURITY_STATUS status = check_der(chain[i]);

        if (status == SEC_E_OK)
            status = copy_der(&certificate->arena, chain[i], &certificate->chain[i]);
        if (status != SEC_E_OK)
            return status;
    }
    certificate->chain_count = count;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_certificate_make(struct osspi_der_view der,
                                       const struct osspi_der_view *chain, size_t chain_count,
                                       struct osspi_certificate **ret_certificate)
{
    struct osspi_certificate *made osspi_auto(osspi_certificate_unrefp) = NULL;
    SECURITY_STATUS status;

    if (!der.bytes || der.len == 0 || der.len > OSSPI_CERT_MAX_LEN)
        return SEC_E_UNKNOWN_CREDENTIALS;
    made = osspi_alloc(sizeof(*made));
    if (!made)
        return SEC_E_INSUFFICIENT_MEMORY;
    atomic_init(&made->refs, 1);
    status = copy_der(&made->arena, der, &made->der);
    if (status == SEC_E_OK)
        status = osspi_cert_info_parse(made->der, &made->arena, &made->parsed);
    if (status == SEC_E_OK)
        status = copy_chain(made, chain, chain_count);
    if (status == SEC_E_OK)
        status = osspi_crypto_sha1(made->der, made->sha1);
    if (status == SEC_E_OK)
        status = osspi_crypto_sha256(made->der, made->sha256);
    if (status == SEC_E_OK)
        *ret_certificate = OSSPI_TAKE(made);
    return status;
}

SECURITY_STATUS osspi_certificate_adopt_key(struct osspi_certificate *certificate, EVP_PKEY *key,
                                            struct osspi_secret *secret)
{
    SECURITY_STATUS status = osspi_key_match(key, certificate->parsed.public_key);

    if (status != SEC_E_OK)
        return status;
    osspi_secret_clear(&certificate->key);
    certificate->key = *secret;
    *secret = (struct osspi_secret){0};
    return SEC_E_OK;
}

SECURITY_STATUS osspi_certificate_adopt_token(struct osspi_certificate *certificate, EVP_PKEY *key,
                                              struct osspi_token_key *token)
{
    SECURITY_STATUS status = osspi_key_match(key, certificate->parsed.public_key);

    if (status == SEC_E_OK)
        certificate->token = osspi_token_key_ref(token);
    return status;
}

bool osspi_certificate_has_key(const struct osspi_certificate *certificate)
{
    return certificate->key.len > 0 || certificate->token;
}

bool osspi_certificate_equal(const struct osspi_certificate *a, const struct osspi_certificate *b)
{
    return a == b || (a->der.len == b->der.len && memcmp(a->sha256, b->sha256, 32) == 0 &&
                      memcmp(a->der.bytes, b->der.bytes, a->der.len) == 0);
}

static bool same_name(const CERT_NAME_BLOB *a, const CERT_NAME_BLOB *b)
{
    return a->cbData == b->cbData && memcmp(a->pbData, b->pbData, a->cbData) == 0;
}

bool osspi_certificate_is_root(const struct osspi_certificate *certificate)
{
    const CERT_INFO *info = &certificate->parsed.info;

    return same_name(&info->Issuer, &info->Subject);
}

static X509 *decode(const struct osspi_crypto *crypto, struct osspi_der_view der)
{
    const unsigned char *end = der.bytes;
    X509 *decoded = X509_new_ex(crypto->library, NULL);

    /* On failure the TLS library frees what it was given. */
    return decoded ? d2i_X509(&decoded, &end, (long)der.len) : NULL;
}

SECURITY_STATUS osspi_certificate_issued(const struct osspi_certificate *issuer,
                                         const struct osspi_certificate *subject)
{
    OSSPI_CRYPTO_CALL;
    const struct osspi_crypto *crypto = osspi_crypto_get();

    /* RFC 5280, 4.1.2.6 has an authority encode its name alike in both places. */
    if (!same_name(&issuer->parsed.info.Subject, &subject->parsed.info.Issuer))
        return CRYPT_E_NO_MATCH;
    if (!crypto)
        return SEC_E_INSUFFICIENT_MEMORY;
    X509 *upper osspi_auto(x509_freep) = decode(crypto, issuer->der);
    X509 *lower osspi_auto(x509_freep) = decode(crypto, subject->der);
    if (!upper || !lower)
        return osspi_crypto_failure(CRYPT_E_NO_MATCH);
    if (X509_check_issued(upper, lower) != X509_V_OK)
        return osspi_crypto_failure(CRYPT_E_NO_MATCH);
    return SEC_E_OK;
}
