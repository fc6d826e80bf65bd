/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Hashes by the TLS library, for parts of the package that do not know it; see tls.h. Works in a
 * shard: OpenSSL's own library context belongs to the application, and in a forked child its locks
 * may be held for ever. Thread-safe.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "packages/schannel/material.h"
#include "packages/schannel/shard.h"
#include "packages/schannel/tls.h"
#include "packages/schannel/tls_internal.h"

static SECURITY_STATUS hash(OSSL_LIB_CTX *libctx, const char *name, const void *bytes, size_t len,
                            uint8_t *ret_hash, size_t *ret_len)
{
    ERR_clear_error();
    const int done = EVP_Q_digest(libctx, name, NULL, bytes, len, ret_hash, ret_len);
    return done == 1 ? SEC_E_OK : osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
}

SECURITY_STATUS osspi_tls_sha256(const void *bytes, size_t len, uint8_t ret_hash[32])
{
    const struct osspi_shard *shard = osspi_shard_get(0);
    size_t hash_len;

    if (shard == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    OSSPI_IN_SHARD(shard);
    return hash(shard->libctx, "SHA256", bytes, len, ret_hash, &hash_len);
}

/* The hash of the certificate's signature, by RFC 5929, 4.1; NULL: there is no single one that fits
 * into the caller's 64 bytes. */
static const char *endpoint_hash_name(X509 *certificate)
{
    int nid = NID_undef;

    if (X509_get_signature_info(certificate, &nid, NULL, NULL, NULL) != 1)
        return NULL;
    switch (nid) {
    case NID_md5:
    case NID_sha1:
    case NID_sha256:
        return "SHA256";
    case NID_sha224:
    case NID_sha384:
    case NID_sha512:
    case NID_sha3_256:
    case NID_sha3_384:
    case NID_sha3_512:
        return OBJ_nid2sn(nid);
    default:
        return NULL;
    }
}

uint32_t osspi_tls_key_bits(const struct osspi_der *certificate)
{
    const struct osspi_shard *shard = osspi_shard_get(0);

    if (shard == NULL)
        return 0;
    OSSPI_IN_SHARD(shard);
    ERR_clear_error();
    X509 *parsed = osspi_material_certificate(shard->libctx, certificate->bytes, certificate->len);
    const EVP_PKEY *key = parsed != NULL ? X509_get0_pubkey(parsed) : NULL;
    const int bits = key != NULL ? EVP_PKEY_get_bits(key) : 0;
    X509_free(parsed);
    ERR_clear_error();
    return bits > 0 ? (uint32_t)bits : 0;
}

SECURITY_STATUS osspi_tls_endpoint_hash(const struct osspi_der *certificate, uint8_t ret_hash[64],
                                        size_t *ret_len)
{
    const struct osspi_shard *shard = osspi_shard_get(0);

    *ret_len = 0;
    if (shard == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    OSSPI_IN_SHARD(shard);
    ERR_clear_error();
    X509 *parsed = osspi_material_certificate(shard->libctx, certificate->bytes, certificate->len);
    if (parsed == NULL)
        return osspi_tls_queue_status(SEC_E_CERT_UNKNOWN);
    const char *name = endpoint_hash_name(parsed);
    X509_free(parsed);
    ERR_clear_error();
    if (name == NULL)
        return SEC_E_UNSUPPORTED_FUNCTION;
    return hash(shard->libctx, name, certificate->bytes, certificate->len, ret_hash, ret_len);
}
