/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The binding of the inner authentication to the TLS connection; see key_auth.h.
 */
#include "packages/credssp/key_auth.h"

#include "base/memory.h"
#include "cert/x509.h"
#include "packages/credssp/asn1.h"
#include "packages/credssp/request.h"
#include "packages/schannel/hmac.h"

/* Hashed with their NULs (MS-CSSP 3.1.5). */
static const char client_magic[] = "CredSSP Client-To-Server Binding Hash";
static const char server_magic[] = "CredSSP Server-To-Client Binding Hash";

/* For osspi_auto(). Inside OSSPI_ASN1_CALL. */
static void free_x509(X509 **x509)
{
    X509_free(*x509);
}

SECURITY_STATUS osspi_key_of_certificate(PCCERT_CONTEXT certificate, struct osspi_bytes *ret_key)
{
    const unsigned char *at = certificate->pbCertEncoded;
    const ASN1_BIT_STRING *key;

    OSSPI_ASN1_CALL;
    X509 *x509 osspi_auto(free_x509) = d2i_X509(NULL, &at, (long)certificate->cbCertEncoded);

    key = x509 ? X509_get0_pubkey_bitstr(x509) : NULL;
    if (!key || key->length <= 0)
        return SEC_E_INTERNAL_ERROR;
    return osspi_bytes_add(ret_key, key->data, (size_t)key->length) ? SEC_E_OK
                                                                    : SEC_E_INSUFFICIENT_MEMORY;
}

static bool make_hash(const struct osspi_bytes *key, const uint8_t *nonce, bool server,
                      struct osspi_bytes *out)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct osspi_hash_state state;

    _Static_assert(sizeof(client_magic) == sizeof(server_magic), "one length for both");
    osspi_hash_start(&state, OSSPI_HMAC_SHA256);
    osspi_hash_add(&state, server ? server_magic : client_magic, sizeof(client_magic));
    osspi_hash_add(&state, nonce, OSSPI_TS_NONCE);
    osspi_hash_add(&state, key->at, key->len);
    osspi_hash_end(&state, digest);
    return osspi_bytes_add(out, digest, sizeof(digest));
}

/* The server shows that it has understood by counting the first byte up. */
static bool make_key(const struct osspi_bytes *key, bool server, struct osspi_bytes *out)
{
    if (!osspi_bytes_add(out, key->at, key->len))
        return false;
    if (server)
        out->at[0]++;
    return true;
}

SECURITY_STATUS osspi_key_auth_make(const struct osspi_bytes *key, const uint8_t *nonce,
                                    bool server, struct osspi_bytes *ret_proof)
{
    const bool made =
        nonce ? make_hash(key, nonce, server, ret_proof) : make_key(key, server, ret_proof);

    return made ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

SECURITY_STATUS osspi_key_auth_check(const struct osspi_bytes *key, const uint8_t *nonce,
                                     bool server, const uint8_t *proof, size_t len)
{
    struct osspi_bytes expected osspi_auto(osspi_bytes_clear) = {0};
    const SECURITY_STATUS status = osspi_key_auth_make(key, nonce, server, &expected);

    if (status != SEC_E_OK)
        return status;
    return len == expected.len && osspi_secret_equal(expected.at, proof, len)
               ? SEC_E_OK
               : SEC_E_MESSAGE_ALTERED;
}
