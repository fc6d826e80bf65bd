/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Keys and certificates of a credential as objects of one shard; see material.h. The DER comes from
 * the credential, so that every shard, and every forked child, can make its own. Thread-safe.
 */
#include "packages/schannel/material.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <limits.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "cert/pkcs11.h"
#include "core/exit.h"
#include "packages/schannel/tls_internal.h"

X509 *osspi_material_certificate(OSSL_LIB_CTX *libctx, const uint8_t *der, size_t len)
{
    if (len > LONG_MAX)
        return NULL;
    X509 *certificate = X509_new_ex(libctx, NULL);
    const uint8_t *end = der;
    /* On failure d2i_X509 has freed the object and set the pointer to NULL. */
    if (certificate == NULL || d2i_X509(&certificate, &end, (long)len) == NULL)
        return NULL;
    if (end != der + len) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

/* In the context below: the shard's own has decoders for what a peer sends (provider_filter.c). A
 * key works in both. */
static EVP_PKEY *load_key(const struct osspi_shard *shard, const struct osspi_der_view *view)
{
    if (view->len > LONG_MAX)
        return NULL;
    const uint8_t *end = view->bytes;
    return d2i_AutoPrivateKey_ex(NULL, &end, (long)view->len, shard->base, NULL);
}

/* The exit handler has to run before a module's end does. The engine loads it when the first key is
 * opened, so this comes behind. */
static void arm_exit(void)
{
    static _Atomic uint32_t armed; /* osspi_token_starts() when it was done last */
    const uint32_t starts = osspi_token_starts();

    if (atomic_exchange(&armed, starts) != starts)
        osspi_exit_arm();
}

/* A key in a device is opened in a library context of its own and works in all of them. */
static SECURITY_STATUS find_key(const struct osspi_shard *shard,
                                const struct osspi_identity *identity, EVP_PKEY **ret_key)
{
    if (identity->token != NULL) {
        const SECURITY_STATUS status = osspi_token_open(identity->token, ret_key);
        arm_exit();
        /* What OsspiLoadCertificate tells apart is one to AcquireCredentialsHandle. */
        return status == SEC_E_OK || status == SEC_E_INSUFFICIENT_MEMORY ? status
                                                                         : SEC_E_NO_CREDENTIALS;
    }
    *ret_key = load_key(shard, &identity->key);
    return *ret_key != NULL ? SEC_E_OK : osspi_tls_queue_status(SEC_E_UNKNOWN_CREDENTIALS);
}

static SECURITY_STATUS load_chain(OSSL_LIB_CTX *libctx, const struct osspi_identity *identity,
                                  bool send_root, struct osspi_material *material)
{
    struct osspi_der_view sent[1 + OSSPI_MAX_CHAIN] = {identity->leaf};
    size_t count = 1;

    for (size_t i = 0; i < identity->chain_count; i++) {
        const struct osspi_der_view *der = &identity->chain[i];
        X509 *issuer = osspi_material_certificate(libctx, der->bytes, der->len);
        if (issuer == NULL)
            return osspi_tls_queue_status(SEC_E_UNKNOWN_CREDENTIALS);
        /* Who trusts a root has it: sending it is wasted unless the caller wants that. */
        if (!send_root && X509_self_signed(issuer, 0) == 1) {
            X509_free(issuer);
        } else if (!sk_X509_push(material->chain, issuer)) {
            X509_free(issuer);
            return SEC_E_INSUFFICIENT_MEMORY;
        } else {
            sent[count++] = *der;
        }
    }
    material->sent = osspi_ders_share(sent, count);
    return material->sent != NULL ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

void osspi_material_clear(struct osspi_material *material)
{
    X509_free(material->leaf);
    EVP_PKEY_free(material->key);
    sk_X509_pop_free(material->chain, X509_free);
    osspi_ders_unref(material->sent);
    *material = (struct osspi_material){0};
}

SECURITY_STATUS osspi_material_load(const struct osspi_shard *shard,
                                    const struct osspi_identity *identity, bool send_root,
                                    struct osspi_material *ret)
{
    struct osspi_material material osspi_auto(osspi_material_clear) = {
        .chain = sk_X509_new_null(),
    };

    ERR_clear_error();
    if (material.chain == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (identity->key.len == 0 && identity->token == NULL)
        return SEC_E_NO_CREDENTIALS;
    material.leaf =
        osspi_material_certificate(shard->libctx, identity->leaf.bytes, identity->leaf.len);
    if (material.leaf == NULL)
        return osspi_tls_queue_status(SEC_E_UNKNOWN_CREDENTIALS);
    SECURITY_STATUS status = find_key(shard, identity, &material.key);
    if (status != SEC_E_OK)
        return status;
    if (X509_check_private_key(material.leaf, material.key) != 1)
        return osspi_tls_queue_status(SEC_E_NO_CREDENTIALS);
    status = load_chain(shard->libctx, identity, send_root, &material);
    if (status != SEC_E_OK)
        return status;
    *ret = material;
    material = (struct osspi_material){0};
    return SEC_E_OK;
}
