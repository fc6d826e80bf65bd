/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What is known of an established connection, copied out of OpenSSL in wire terms. Numbers are from
 * the TLS registries of IANA.
 */
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "packages/schannel/ticket.h"
#include "packages/schannel/tls_internal.h"

/* ---- groups ---- */

static const struct {
    int nid;
    uint16_t group;
    uint16_t bits;
} groups[] = {
    {NID_X9_62_prime256v1, 23, 256},
    {NID_secp384r1, 24, 384},
    {NID_secp521r1, 25, 521},
    {NID_X25519, 29, 256},
    {NID_X448, 30, 448},
    {NID_brainpoolP256r1, 26, 256},
    {NID_brainpoolP384r1, 27, 384},
    {NID_brainpoolP512r1, 28, 512},
    {NID_ffdhe2048, 256, 2048},
    {NID_ffdhe3072, 257, 3072},
    {NID_ffdhe4096, 258, 4096},
};

static void copy_group(struct osspi_tls *tls, struct osspi_tls_facts *facts)
{
    /* A TLS 1.2 resumption exchanges no keys; OpenSSL still knows the session's first group. */
    if (facts->version < TLS1_3_VERSION && facts->resumed)
        return;
    const long found = SSL_get_negotiated_group(tls->ssl);
    for (size_t i = 0; i < OSSPI_COUNT_OF(groups); i++) {
        if (groups[i].nid == found) {
            facts->group = groups[i].group;
            facts->group_bits = groups[i].bits;
            return;
        }
    }
    if (found > 0 && (found & TLSEXT_nid_unknown) != 0)
        facts->group = (uint16_t)found;
}

/* ---- signatures ---- */

static const struct {
    int key, hash; /* as OpenSSL names them */
    uint16_t scheme;
} schemes[] = {
    {EVP_PKEY_RSA, NID_sha1, 0x0201},       {EVP_PKEY_RSA, NID_sha224, 0x0301},
    {EVP_PKEY_RSA, NID_sha256, 0x0401},     {EVP_PKEY_RSA, NID_sha384, 0x0501},
    {EVP_PKEY_RSA, NID_sha512, 0x0601},     {EVP_PKEY_EC, NID_sha1, 0x0203},
    {EVP_PKEY_EC, NID_sha224, 0x0303},      {EVP_PKEY_EC, NID_sha256, 0x0403},
    {EVP_PKEY_EC, NID_sha384, 0x0503},      {EVP_PKEY_EC, NID_sha512, 0x0603},
    {EVP_PKEY_RSA_PSS, NID_sha256, 0x0804}, {EVP_PKEY_RSA_PSS, NID_sha384, 0x0805},
    {EVP_PKEY_RSA_PSS, NID_sha512, 0x0806},
};

/* rsa_pss_pss_* (0x0809 to 0x080b) differs from rsa_pss_rsae_* by the certificate's key alone. */
static uint16_t scheme_of(int key, int hash, const X509 *signer)
{
    if (key == EVP_PKEY_ED25519)
        return 0x0807;
    if (key == EVP_PKEY_ED448)
        return 0x0808;
    for (size_t i = 0; i < OSSPI_COUNT_OF(schemes); i++) {
        if (schemes[i].key != key || schemes[i].hash != hash)
            continue;
        const bool pss_key = key == EVP_PKEY_RSA_PSS && signer != NULL &&
                             EVP_PKEY_get_base_id(X509_get0_pubkey(signer)) == EVP_PKEY_RSA_PSS;
        return (uint16_t)(schemes[i].scheme + (pss_key ? 5 : 0));
    }
    return 0;
}

static void copy_signatures(struct osspi_tls *tls, struct osspi_tls_facts *facts)
{
    int key = NID_undef, hash = NID_undef;

    if (SSL_get_peer_signature_type_nid(tls->ssl, &key) == 1) {
        (void)SSL_get_peer_signature_nid(tls->ssl, &hash);
        facts->peer_signature_scheme = scheme_of(key, hash, SSL_get0_peer_certificate(tls->ssl));
    }
    key = hash = NID_undef;
    if (SSL_get_signature_type_nid(tls->ssl, &key) == 1) {
        (void)SSL_get_signature_nid(tls->ssl, &hash);
        facts->local_signature_scheme = scheme_of(key, hash, SSL_get_certificate(tls->ssl));
    }
}

/* ---- certificates ---- */

int64_t osspi_tls_not_after(const X509 *certificate)
{
    struct tm end;

    if (certificate == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
        return INT64_MIN;
    return (int64_t)timegm(&end);
}

static bool copy_der(const X509 *certificate, struct osspi_der *ret_der)
{
    const int len = i2d_X509(certificate, NULL);

    if (len <= 0)
        return false;
    ret_der->bytes = osspi_alloc((size_t)len);
    if (ret_der->bytes == NULL)
        return false;
    unsigned char *end = ret_der->bytes;
    ret_der->len = (size_t)len;
    return i2d_X509(certificate, &end) == len;
}

/* Copies a leaf and the stack behind it; the stack may hold the leaf already. */
static bool copy_chain(X509 *leaf, STACK_OF(X509) * rest, struct osspi_der **ret_chain,
                       size_t *ret_count)
{
    const int more = rest == NULL ? 0 : sk_X509_num(rest);
    const int start = more > 0 && X509_cmp(sk_X509_value(rest, 0), leaf) == 0;

    *ret_chain = osspi_alloc_array((size_t)(1 + more - start), sizeof(**ret_chain));
    if (*ret_chain == NULL)
        return false;
    *ret_count = (size_t)(1 + more - start);
    bool ok = copy_der(leaf, &(*ret_chain)[0]);
    for (int i = start; i < more; i++)
        ok = ok && copy_der(sk_X509_value(rest, i), &(*ret_chain)[1 + i - start]);
    return ok;
}

/* Encoding a certificate takes ten times as long as copying what the credential has. */
static bool copy_sent(const struct osspi_material *identity, struct osspi_tls_facts *facts)
{
    facts->local_chain = osspi_alloc_array(identity->sent_count, sizeof(*facts->local_chain));
    if (facts->local_chain == NULL)
        return false;
    facts->local_chain_count = identity->sent_count;
    for (size_t i = 0; i < identity->sent_count; i++) {
        const struct osspi_der *der = &identity->sent[i];

        facts->local_chain[i].bytes = osspi_memdup(der->bytes, der->len);
        if (facts->local_chain[i].bytes == NULL)
            return false;
        facts->local_chain[i].len = der->len;
    }
    return true;
}

static bool copy_peer(struct osspi_tls *tls, struct osspi_tls_facts *facts)
{
    X509 *leaf = SSL_get0_peer_certificate(tls->ssl);

    facts->peer_not_after = INT64_MAX;
    if (leaf == NULL)
        return true;
    facts->peer_not_after = osspi_tls_not_after(leaf);
    return copy_chain(leaf, SSL_get_peer_cert_chain(tls->ssl), &facts->peer_chain,
                      &facts->peer_chain_count);
}

const struct osspi_materials *osspi_tls_materials(const struct osspi_tls *tls,
                                                  const struct osspi_identity_set **ret_set)
{
    *ret_set = tls->set != NULL ? tls->set : tls->config->set;
    return tls->set != NULL ? tls->materials : tls->config->materials;
}

int osspi_tls_identity_in_use(const struct osspi_tls *tls)
{
    const struct osspi_identity_set *set;
    const struct osspi_materials *materials = osspi_tls_materials(tls, &set);
    const X509 *leaf = SSL_get_certificate(tls->ssl);

    for (size_t i = 0; leaf != NULL && i < materials->count; i++) {
        if (materials->items[i]->leaf == leaf)
            return (int)i;
    }
    return -1;
}

/* A server's identity of this session: after a resumption the ticket remembers. */
static int local_identity(struct osspi_tls *tls, const struct osspi_tls_facts *facts)
{
    if (facts->resumed)
        return osspi_ticket_identity(tls, SSL_get0_session(tls->ssl));
    return osspi_tls_identity_in_use(tls);
}

/* After a resumption a client does not know whether it was asked. */
static bool copy_shown(struct osspi_tls *tls, struct osspi_tls_facts *facts)
{
    if (tls->presented == NULL || facts->local_signature_scheme == 0)
        return true;
    return copy_sent(tls->presented, facts);
}

static bool copy_local(struct osspi_tls *tls, struct osspi_tls_facts *facts)
{
    const struct osspi_identity_set *set;
    const struct osspi_materials *materials = osspi_tls_materials(tls, &set);

    if (!tls->server)
        return copy_shown(tls, facts);
    const int index = local_identity(tls, facts);

    if (index < 0 || (size_t)index >= materials->count)
        return true;
    return copy_sent(materials->items[index], facts);
}

/* ---- the rest ---- */

static void copy_session(struct osspi_tls *tls, struct osspi_tls_facts *facts)
{
    unsigned int len = 0;
    const unsigned char *id = SSL_SESSION_get_id(SSL_get0_session(tls->ssl), &len);

    if (len <= sizeof(facts->session_id)) {
        memcpy(facts->session_id, id, len);
        facts->session_id_len = (uint8_t)len;
    }
    const unsigned char *alpn = NULL;
    SSL_get0_alpn_selected(tls->ssl, &alpn, &len);
    if (len > 0 && len <= sizeof(facts->alpn)) {
        memcpy(facts->alpn, alpn, len);
        facts->alpn_len = (uint8_t)len;
    }
}

/* The first Finished of the handshake (RFC 5929 3.1): the client's in a full one, the server's in a
 * resumed one. A resumed session without extended master secret may be shared by two connections
 * of an attacker (RFC 7627 1): then there is none. */
static void copy_unique(struct osspi_tls *tls, struct osspi_tls_facts *facts)
{
    if (facts->version >= TLS1_3_VERSION ||
        (facts->resumed && SSL_get_extms_support(tls->ssl) != 1))
        return;
    const bool ours = tls->server == facts->resumed;
    const size_t len =
        ours ? SSL_get_finished(tls->ssl, facts->tls_unique, sizeof(facts->tls_unique))
             : SSL_get_peer_finished(tls->ssl, facts->tls_unique, sizeof(facts->tls_unique));
    facts->tls_unique_len = (uint8_t)(len <= sizeof(facts->tls_unique) ? len : 0);
}

static bool copy_facts(struct osspi_tls *tls, struct osspi_tls_facts *facts)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);

    facts->version = (uint16_t)SSL_version(tls->ssl);
    facts->cipher_suite = cipher == NULL ? 0 : SSL_CIPHER_get_protocol_id(cipher);
    facts->resumed = SSL_session_reused(tls->ssl) == 1;
    facts->server = tls->server;
    facts->max_fragment = tls->max_fragment;
    copy_group(tls, facts);
    copy_signatures(tls, facts);
    copy_session(tls, facts);
    copy_unique(tls, facts);
    return copy_peer(tls, facts) && copy_local(tls, facts);
}

SECURITY_STATUS osspi_tls_facts(struct osspi_tls *tls, struct osspi_tls_facts *ret_facts)
{
    struct osspi_tls_facts facts osspi_auto(osspi_tls_facts_clear) = {0};

    if (tls->epoch != osspi_fork_epoch() || !tls->established)
        return SEC_E_INTERNAL_ERROR;
    OSSPI_IN_SHARD(tls->config->shard);
    osspi_tls_errors_clear();
    const bool ok = copy_facts(tls, &facts);
    osspi_tls_errors_clear();
    if (!ok)
        return SEC_E_INSUFFICIENT_MEMORY;
    *ret_facts = facts;
    facts = (struct osspi_tls_facts){0};
    return SEC_E_OK;
}

static void free_chain(struct osspi_der *chain, size_t count)
{
    for (size_t i = 0; i < count; i++)
        osspi_free(chain[i].bytes);
    osspi_free(chain);
}

void osspi_tls_facts_clear(struct osspi_tls_facts *facts)
{
    free_chain(facts->peer_chain, facts->peer_chain_count);
    free_chain(facts->local_chain, facts->local_chain_count);
    osspi_secure_zero(facts, sizeof(*facts));
}
