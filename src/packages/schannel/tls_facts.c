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
#include "packages/schannel/signature.h"
#include "packages/schannel/ticket.h"
#include "packages/schannel/tls_internal.h"
#include "packages/schannel/tls_psk.h"

#define MAX_SESSION_ID 32u
#define MAX_ALPN       255u
#define MAX_UNIQUE     64u

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

/* Where there is no group: a prime of the server's own choice, or the key of its certificate, to
 * which the client's secret is encrypted. */
static uint16_t exchange_bits(const struct osspi_tls *tls, const struct osspi_tls_facts *facts)
{
    const struct osspi_suite *suite = osspi_suite_find(facts->cipher_suite);
    const X509 *leaf =
        tls->server ? SSL_get_certificate(tls->ssl) : SSL_get0_peer_certificate(tls->ssl);
    const EVP_PKEY *key = leaf != NULL ? X509_get0_pubkey(leaf) : NULL;

    if (suite != NULL && strcmp(suite->exchange, "DH") == 0)
        return suite->psk ? tls->negotiated.second_bits : tls->negotiated.first_bits;
    if (suite == NULL || strcmp(suite->exchange, "RSA") != 0)
        return 0;
    return key != NULL ? (uint16_t)EVP_PKEY_get_bits(key) : 0;
}

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
    if (found <= 0 && facts->version < TLS1_3_VERSION)
        facts->group_bits = exchange_bits(tls, facts);
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

/* Ours, less what the peer does not take: a client says so in each hello, a server when it asks for
 * a certificate. */
static void copy_schemes(struct osspi_tls *tls, struct osspi_tls_facts *facts)
{
    const int count = SSL_get_shared_sigalgs(tls->ssl, 0, NULL, NULL, NULL, NULL, NULL);
    uint32_t common = 0;

    for (int i = 0; i < count; i++) {
        unsigned char signature = 0, hash = 0;

        (void)SSL_get_shared_sigalgs(tls->ssl, i, NULL, NULL, NULL, &signature, &hash);
        common |= osspi_scheme_bit((uint16_t)(hash << 8 | signature));
    }
    facts->schemes = (uint16_t)(osspi_schemes_all() & ~tls->config->offer.schemes_off);
    if (common != 0)
        facts->schemes &= (uint16_t)common;
}

/* ---- certificates ---- */

int64_t osspi_tls_not_after(const X509 *certificate)
{
    struct tm end;

    if (certificate == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
        return INT64_MIN;
    return (int64_t)timegm(&end);
}

static bool encode(const X509 *certificate, struct osspi_der_view *ret_view)
{
    unsigned char *bytes = NULL;
    const int len = i2d_X509(certificate, &bytes);

    *ret_view = (struct osspi_der_view){bytes, len > 0 ? (size_t)len : 0};
    return len > 0;
}

/* A leaf and the stack behind it; the stack may hold the leaf already. */
static bool encode_chain(X509 *leaf, STACK_OF(X509) * rest, struct osspi_ders **ret_chain)
{
    const int more = rest == NULL ? 0 : sk_X509_num(rest);
    const int start = more > 0 && X509_cmp(sk_X509_value(rest, 0), leaf) == 0;
    const size_t count = (size_t)(1 + more - start);
    struct osspi_der_view *views = osspi_alloc_array(count, sizeof(*views));

    if (views == NULL)
        return false;
    bool ok = encode(leaf, &views[0]);
    for (int i = start; i < more; i++)
        ok = ok && encode(sk_X509_value(rest, i), &views[1 + i - start]);
    if (ok)
        *ret_chain = osspi_ders_share(views, count);
    for (size_t i = 0; i < count; i++)
        OPENSSL_free((void *)(uintptr_t)views[i].bytes);
    osspi_free(views);
    return *ret_chain != NULL;
}

static bool find_peer(struct osspi_tls *tls, struct osspi_tls_facts *facts)
{
    X509 *leaf = SSL_get0_peer_certificate(tls->ssl);

    facts->peer_not_after = INT64_MAX;
    if (leaf == NULL)
        return true;
    facts->peer_not_after = osspi_tls_not_after(leaf);
    return encode_chain(leaf, SSL_get_peer_cert_chain(tls->ssl), &facts->peer_chain);
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
static struct osspi_ders *shown_by_client(struct osspi_tls *tls,
                                          const struct osspi_tls_facts *facts)
{
    if (tls->presented == NULL || facts->local_signature_scheme == 0)
        return NULL;
    return osspi_ders_ref(tls->presented->sent);
}

static struct osspi_ders *shown_by_server(struct osspi_tls *tls,
                                          const struct osspi_tls_facts *facts)
{
    const struct osspi_identity_set *set;
    const struct osspi_materials *materials = osspi_tls_materials(tls, &set);
    const int index = osspi_tls_psk_used(tls) ? -1 : local_identity(tls, facts);

    if (index < 0 || (size_t)index >= materials->count)
        return NULL;
    return osspi_ders_ref(materials->items[index]->sent);
}

/* ---- the rest ---- */

static size_t strings_len(const struct osspi_tls_facts *facts)
{
    return (size_t)facts->session_id_len + facts->alpn_len + facts->tls_unique_len +
           facts->extension_count * sizeof(uint16_t);
}

/* The first Finished of the handshake (RFC 5929 3.1): the client's in a full one, the server's in a
 * resumed one. A resumed session without extended master secret may be shared by two connections
 * of an attacker (RFC 7627 1): then there is none. */
static size_t copy_unique(struct osspi_tls *tls, const struct osspi_tls_facts *facts,
                          uint8_t unique[MAX_UNIQUE])
{
    if (facts->version >= TLS1_3_VERSION ||
        (facts->resumed && SSL_get_extms_support(tls->ssl) != 1))
        return 0;
    const bool ours = tls->server == facts->resumed;
    const size_t len = ours ? SSL_get_finished(tls->ssl, unique, MAX_UNIQUE)
                            : SSL_get_peer_finished(tls->ssl, unique, MAX_UNIQUE);
    return len <= MAX_UNIQUE ? len : 0;
}

/* Most connections have none or few of them, and short ones. */
static bool copy_strings(struct osspi_tls *tls, struct osspi_tls_facts *facts)
{
    unsigned int id_len = 0, alpn_len = 0;
    const unsigned char *id = SSL_SESSION_get_id(SSL_get0_session(tls->ssl), &id_len);
    const unsigned char *alpn = NULL;
    uint8_t unique[MAX_UNIQUE];
    const size_t unique_len = copy_unique(tls, facts, unique);

    SSL_get0_alpn_selected(tls->ssl, &alpn, &alpn_len);
    if (alpn_len == 0 && tls->agreed != NULL) {
        alpn = tls->agreed;
        alpn_len = (unsigned int)tls->agreed_len;
    }
    facts->session_id_len = (uint8_t)(id_len <= MAX_SESSION_ID ? id_len : 0);
    facts->alpn_len = (uint8_t)(alpn_len <= MAX_ALPN ? alpn_len : 0);
    facts->tls_unique_len = (uint8_t)unique_len;
    facts->extensions = tls->negotiated.known;
    facts->extension_count = tls->negotiated.other_count & 7u;
    const size_t len = strings_len(facts);
    facts->strings = len > 0 ? osspi_alloc(len) : NULL;
    if (facts->strings != NULL) {
        memcpy(facts->strings, id, facts->session_id_len);
        if (facts->alpn_len > 0)
            memcpy(facts->strings + facts->session_id_len, alpn, facts->alpn_len);
        memcpy(facts->strings + facts->session_id_len + facts->alpn_len, unique, unique_len);
        memcpy(facts->strings + len - facts->extension_count * sizeof(uint16_t),
               tls->negotiated.others, facts->extension_count * sizeof(uint16_t));
    }
    osspi_secure_zero(unique, sizeof(unique));
    return facts->strings != NULL || len == 0;
}

static bool copy_facts(struct osspi_tls *tls, struct osspi_tls_facts *facts)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);

    /* DTLS 1.2 is TLS 1.2 in other records. */
    facts->datagram = tls->datagram;
    facts->version = tls->datagram ? TLS1_2_VERSION : (uint16_t)SSL_version(tls->ssl);
    facts->cipher_suite = cipher == NULL ? 0 : SSL_CIPHER_get_protocol_id(cipher);
    facts->resumed = SSL_session_reused(tls->ssl) == 1 && !osspi_tls_psk_used(tls);
    facts->server = tls->server;
    facts->max_fragment = tls->max_fragment;
    copy_group(tls, facts);
    copy_signatures(tls, facts);
    copy_schemes(tls, facts);
    facts->local_chain = tls->server ? shown_by_server(tls, facts) : shown_by_client(tls, facts);
    return copy_strings(tls, facts) && find_peer(tls, facts);
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

void osspi_tls_facts_clear(struct osspi_tls_facts *facts)
{
    osspi_ders_unref(facts->peer_chain);
    osspi_ders_unref(facts->local_chain);
    osspi_secret_free(facts->strings, strings_len(facts));
    osspi_secure_zero(facts, sizeof(*facts));
}
