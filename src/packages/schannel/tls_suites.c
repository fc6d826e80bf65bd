/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Protocol range, cipher suites and groups of a credential or of one connection, in OpenSSL's
 * terms. Thread-safe.
 */
#include <openssl/ssl.h>
#include <string.h>

#include "packages/schannel/signature.h"
#include "packages/schannel/tls_callbacks.h"
#include "packages/schannel/tls_internal.h"

#define SUITE_LIST_SIZE 4096u

struct suite_lists {
    char v12[SUITE_LIST_SIZE]; /* OpenSSL names, colon between */
    char v13[SUITE_LIST_SIZE];
};

static void append_name(char *list, const char *name)
{
    const size_t len = strlen(list), more = strlen(name);

    /* 64 suites of the table fit; what would not fit is left out, never cut in half. */
    if (len + more + 2 > SUITE_LIST_SIZE)
        return;
    if (len > 0)
        list[len] = ':';
    memcpy(list + len + (len > 0), name, more + 1);
}

static bool is_forward_secret_aead(const struct osspi_suite *suite)
{
    return suite->aead && strcmp(suite->exchange, "ECDH") == 0;
}

static bool is_allowed(const struct osspi_schannel_config *config, size_t index)
{
    const uint16_t bits = osspi_suite_at(index)->cipher_bits;

    return (config->suites >> index & 1) != 0 &&
           (config->min_cipher_bits == 0 || bits >= config->min_cipher_bits) &&
           (config->max_cipher_bits == 0 || bits <= config->max_cipher_bits);
}

struct osspi_tls_offer osspi_tls_offer_of(const struct osspi_schannel_config *config)
{
    struct osspi_tls_offer offer = {.psk_suites = config->psk_suites,
                                    .groups_off = config->disabled_groups,
                                    .schemes_off = config->disabled_schemes};

    for (uint16_t version = config->min_version; version <= config->max_version; version++)
        offer.versions |= OSSPI_VERSION_BIT(version);
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        if (is_allowed(config, i))
            offer.suites |= (osspi_suite_set)1 << i;
    }
    return offer;
}

struct osspi_tls_offer osspi_tls_offer_datagram(const struct osspi_schannel_config *config)
{
    return (struct osspi_tls_offer){.versions = OSSPI_VERSION_BIT(TLS1_2_VERSION),
                                    .suites = config->datagram_suites,
                                    .psk_suites = config->psk_suites,
                                    .groups_off = config->disabled_groups,
                                    .schemes_off = config->disabled_schemes};
}

void osspi_tls_entries_datagram(struct osspi_tls_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        entries[i].versions_off = entries[i].versions_off & OSSPI_VERSION_DATAGRAM
                                      ? OSSPI_VERSION_BIT(TLS1_2_VERSION)
                                      : 0;
    }
}

static void list_suites(osspi_suite_set allowed, struct suite_lists *ret)
{
    /* The first round lists what is best; the order of our table decides within a round. */
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < osspi_suite_count(); i++) {
            const struct osspi_suite *suite = osspi_suite_at(i);
            if ((allowed >> i & 1) == 0)
                continue;
            if (suite->version == TLS1_3_VERSION) {
                if (round == 0)
                    append_name(ret->v13, suite->openssl_name);
            } else if (is_forward_secret_aead(suite) == (round == 0)) {
                append_name(ret->v12, suite->openssl_name);
            }
        }
    }
}

SECURITY_STATUS osspi_tls_set_protocol(SSL_CTX *ctx, const struct osspi_schannel_config *config)
{
    struct suite_lists lists = {{0}, {0}};
    int min = config->min_version, max = config->max_version;

    list_suites(osspi_tls_offer_of(config).suites, &lists);
    /* Of names the providers do not know (FIPS, for one) OpenSSL keeps the rest. */
    if (min < TLS1_3_VERSION &&
        (lists.v12[0] == '\0' || SSL_CTX_set_cipher_list(ctx, lists.v12) != 1))
        min = TLS1_3_VERSION;
    if (max >= TLS1_3_VERSION &&
        (lists.v13[0] == '\0' || SSL_CTX_set_ciphersuites(ctx, lists.v13) != 1))
        max = TLS1_2_VERSION;
    if (min > max)
        return osspi_tls_queue_status(SEC_E_ALGORITHM_MISMATCH);
    if (SSL_CTX_set_min_proto_version(ctx, min) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, max) != 1)
        return osspi_tls_queue_status(SEC_E_ALGORITHM_MISMATCH);

    /* TLS 1.0 and 1.1 sign with SHA-1, which OpenSSL allows at level 0 only. Who asks for them by
     * name gets them; the peer's certificate is held to the usual level all the same (verify.c). */
    if (min < TLS1_2_VERSION)
        SSL_CTX_set_security_level(ctx, 0);
    else if (SSL_CTX_get_security_level(ctx) < OSSPI_TLS_SECURITY_LEVEL)
        SSL_CTX_set_security_level(ctx, OSSPI_TLS_SECURITY_LEVEL);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_tls_set_suites12(SSL_CTX *ctx, osspi_suite_set suites)
{
    struct suite_lists lists = {{0}, {0}};

    list_suites(suites, &lists);
    if (lists.v12[0] == '\0' || SSL_CTX_set_cipher_list(ctx, lists.v12) != 1)
        return osspi_tls_queue_status(SEC_E_ALGORITHM_MISMATCH);
    if (SSL_CTX_get_security_level(ctx) < OSSPI_TLS_SECURITY_LEVEL)
        SSL_CTX_set_security_level(ctx, OSSPI_TLS_SECURITY_LEVEL);
    return SEC_E_OK;
}

/* Groups to offer, best first; the lower ones only where the credential rules out all above. */
static const struct {
    uint32_t bit;
    bool reserve;
    const char *name;
} groups[] = {
    {OSSPI_GROUP_X25519, false, "X25519"}, {OSSPI_GROUP_P256, false, "P-256"},
    {OSSPI_GROUP_P384, false, "P-384"},    {OSSPI_GROUP_P521, true, "P-521"},
    {OSSPI_GROUP_X448, true, "X448"},      {OSSPI_GROUP_FFDHE, true, "ffdhe2048:ffdhe3072"},
};

/* The names of what is offered with these off; returns their bits. */
static uint32_t list_groups(uint32_t disabled, char list[SUITE_LIST_SIZE])
{
    uint32_t offered = 0;

    list[0] = '\0';
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if ((disabled & groups[i].bit) == 0 && (!groups[i].reserve || offered == 0)) {
            append_name(list, groups[i].name);
            offered |= groups[i].bit;
        }
    }
    return offered;
}

uint32_t osspi_tls_offered_groups(uint32_t disabled)
{
    char list[SUITE_LIST_SIZE];

    return list_groups(disabled, list);
}

static bool try_groups(SSL_CTX *ctx, uint32_t disabled)
{
    char list[SUITE_LIST_SIZE];

    return list_groups(disabled, list) != 0 && SSL_CTX_set1_groups_list(ctx, list) == 1;
}

SECURITY_STATUS osspi_tls_set_groups(SSL_CTX *ctx, uint32_t disabled)
{
    /* Providers without X25519 (FIPS) refuse the whole list. */
    if (try_groups(ctx, disabled) || try_groups(ctx, disabled | OSSPI_GROUP_X25519))
        return SEC_E_OK;
    return osspi_tls_queue_status(SEC_E_ALGORITHM_MISMATCH);
}

/* ---- signatures ---- */

static void list_schemes(uint32_t disabled, char list[SUITE_LIST_SIZE])
{
    list[0] = '\0';
    for (size_t i = 0; i < osspi_scheme_count(); i++) {
        if ((disabled >> i & 1) == 0)
            append_name(list, osspi_scheme_at(i)->name);
    }
}

/* With none off OpenSSL's own list stays, which fits TLS 1.0 and 1.1 too. */
SECURITY_STATUS osspi_tls_set_schemes(SSL_CTX *ctx, uint32_t disabled)
{
    char list[SUITE_LIST_SIZE];

    list_schemes(disabled, list);
    if (disabled == 0 || SSL_CTX_set1_sigalgs_list(ctx, list) == 1)
        return SEC_E_OK;
    return osspi_tls_queue_status(SEC_E_ALGORITHM_MISMATCH);
}

static bool narrow_schemes(SSL *ssl, uint32_t disabled)
{
    char list[SUITE_LIST_SIZE];

    list_schemes(disabled, list);
    return disabled == 0 || SSL_set1_sigalgs_list(ssl, list) == 1;
}

/* ---- one connection ---- */

static bool narrow_groups(SSL *ssl, uint32_t disabled)
{
    char list[SUITE_LIST_SIZE];

    if (list_groups(disabled, list) != 0 && SSL_set1_groups_list(ssl, list) == 1)
        return true;
    return list_groups(disabled | OSSPI_GROUP_X25519, list) != 0 &&
           SSL_set1_groups_list(ssl, list) == 1;
}

static osspi_suite_set suites_of_version(osspi_suite_set suites, uint16_t version, const char *hash)
{
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        const struct osspi_suite *suite = osspi_suite_at(i);

        if (suite->version != version || (hash != NULL && strcmp(suite->prf_hash, hash) != 0))
            suites &= ~((osspi_suite_set)1 << i);
    }
    return suites;
}

/* With a pre-shared key what it can be used with comes first, and nothing else with its flag. */
static void list_for(const struct osspi_tls *tls, const struct osspi_tls_offer *offer,
                     struct suite_lists *ret)
{
    if (tls == NULL || tls->psk == NULL) {
        list_suites(offer->suites, ret);
        return;
    }
    const osspi_suite_set modern = suites_of_version(offer->suites, TLS1_3_VERSION, NULL);
    const osspi_suite_set fit = suites_of_version(offer->suites, TLS1_3_VERSION, "SHA256");
    const osspi_suite_set own = offer->psk_suites & tls->psk_suites;

    list_suites(own | fit, ret);
    if ((tls->config->flags & SCH_USE_PRESHAREDKEY_ONLY) == 0)
        list_suites(offer->suites & ~(own | fit), ret);
    else if (fit == 0)
        list_suites(modern, ret);
}

SECURITY_STATUS osspi_tls_narrow(SSL *ssl, const struct osspi_tls_offer *offer)
{
    struct suite_lists lists = {{0}, {0}};
    int min = TLS1_3_VERSION, max = TLS1_VERSION;

    for (int version = TLS1_VERSION; version <= TLS1_3_VERSION; version++) {
        if ((offer->versions & OSSPI_VERSION_BIT(version)) == 0)
            continue;
        min = version < min ? version : min;
        max = version > max ? version : max;
    }
    if (SSL_is_dtls(ssl))
        min = max = DTLS1_2_VERSION;
    list_for(osspi_tls_of(ssl), offer, &lists);
    if (lists.v12[0] == '\0' && max == TLS1_3_VERSION && !SSL_is_dtls(ssl))
        min = TLS1_3_VERSION;
    if (((min < TLS1_3_VERSION || SSL_is_dtls(ssl)) && SSL_set_cipher_list(ssl, lists.v12) != 1) ||
        (max == TLS1_3_VERSION && SSL_set_ciphersuites(ssl, lists.v13) != 1) ||
        SSL_set_min_proto_version(ssl, min) != 1 || SSL_set_max_proto_version(ssl, max) != 1 ||
        !narrow_groups(ssl, offer->groups_off) || !narrow_schemes(ssl, offer->schemes_off))
        return osspi_tls_queue_status(SEC_E_ALGORITHM_MISMATCH);
    return SEC_E_OK;
}
