/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Hashes by the TLS library, for parts of the package that do not know it; see tls.h. Works in
 * OpenSSL's own library context: it is asked once per credential or query, not per connection.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "packages/schannel/tls.h"

static SECURITY_STATUS hash(const EVP_MD *md, const void *bytes, size_t len, uint8_t *ret_hash,
                            unsigned int *ret_len)
{
    int done = EVP_Digest(bytes, len, ret_hash, ret_len, md, NULL);

    ERR_clear_error();
    return done == 1 ? SEC_E_OK : SEC_E_INTERNAL_ERROR;
}

SECURITY_STATUS osspi_tls_sha256(const void *bytes, size_t len, uint8_t ret_hash[32])
{
    unsigned int hash_len;

    return hash(EVP_sha256(), bytes, len, ret_hash, &hash_len);
}

/* The hash of the certificate's signature, by RFC 5929, 4.1; NULL: there is no single one. */
static const EVP_MD *endpoint_md(const X509 *x509)
{
    int md_nid = NID_undef;

    if (!X509_get_signature_info((X509 *)x509, &md_nid, NULL, NULL, NULL))
        return NULL;
    if (md_nid == NID_md5 || md_nid == NID_sha1)
        md_nid = NID_sha256;
    return md_nid == NID_undef ? NULL : EVP_get_digestbynid(md_nid);
}

SECURITY_STATUS osspi_tls_endpoint_hash(const struct osspi_der *certificate, uint8_t ret_hash[64],
                                        size_t *ret_len)
{
    const unsigned char *at = certificate->bytes;
    SECURITY_STATUS status = SEC_E_UNSUPPORTED_FUNCTION;
    unsigned int len = 0;
    const EVP_MD *md;
    X509 *x509;

    if (certificate->len > INT32_MAX)
        return SEC_E_CERT_UNKNOWN;
    x509 = d2i_X509(NULL, &at, (long)certificate->len);
    if (!x509) {
        ERR_clear_error();
        return SEC_E_CERT_UNKNOWN;
    }
    md = endpoint_md(x509);
    if (md && EVP_MD_get_size(md) <= 64)
        status = hash(md, certificate->bytes, certificate->len, ret_hash, &len);
    X509_free(x509);
    ERR_clear_error();
    *ret_len = len;
    return status;
}
