/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a ClientHello decides; see tls_hello.h. Runs inside a call on the connection, once: after
 * a HelloRetryRequest the client sends its hello a second time, and nothing is chosen anew.
 */
#include "packages/schannel/tls_hello.h"

#include <openssl/err.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/name.h"
#include "packages/schannel/sni.h"
#include "packages/schannel/tls_callbacks.h"

#define HOST_NAME 0u /* name type of RFC 6066 3 */

/* ---- extensions ---- */

struct bytes {
    const uint8_t *at;
    size_t len;
};

static struct bytes extension(SSL *ssl, unsigned int type)
{
    struct bytes found = {NULL, 0};

    if (SSL_client_hello_get0_ext(ssl, type, &found.at, &found.len) != 1)
        return (struct bytes){NULL, 0};
    return found;
}

/* Takes a vector with a length of `width` bytes in front off the start of *from. */
static bool take_vector(struct bytes *from, size_t width, struct bytes *ret_vector)
{
    size_t len = 0;

    if (from->len < width)
        return false;
    for (size_t i = 0; i < width; i++)
        len = len << 8 | from->at[i];
    if (from->len - width < len)
        return false;
    *ret_vector = (struct bytes){from->at + width, len};
    from->at += width + len;
    from->len -= width + len;
    return true;
}

static uint16_t number_at(const struct bytes *from, size_t index)
{
    return (uint16_t)(from->at[2 * index] << 8 | from->at[2 * index + 1]);
}

/* The host name in its one spelling. False: none, or what is no host name. OpenSSL checks the shape
 * of the extension itself, later. */
static bool read_name(SSL *ssl, char ret_name[OSSPI_NAME_SIZE])
{
    struct bytes rest = extension(ssl, TLSEXT_TYPE_server_name), list, name;
    char text[OSSPI_NAME_SIZE];
    bool is_ip;

    if (!take_vector(&rest, 2, &list) || list.len < 1 || list.at[0] != HOST_NAME)
        return false;
    list.at++;
    list.len--;
    if (!take_vector(&list, 2, &name) || name.len == 0 || name.len >= sizeof(text) ||
        memchr(name.at, '\0', name.len) != NULL)
        return false;
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    return osspi_name_normalise(text, ret_name, &is_ip) == SEC_E_OK && !is_ip;
}

/* ---- certificates ---- */

static bool same_kind(const EVP_PKEY *a, const EVP_PKEY *b)
{
    return EVP_PKEY_get_base_id(a) == EVP_PKEY_get_base_id(b);
}

static bool fits(const struct osspi_identity_set *set, size_t index, const char *name,
                 enum osspi_match match)
{
    return name == NULL ? osspi_identity_set_is_default(set, index)
                        : osspi_identity_match(set->items[index], name) >= match;
}

bool osspi_hello_is_first(const struct osspi_identity_set *set,
                          const struct osspi_materials *materials, size_t index, const char *name,
                          enum osspi_match match)
{
    if (!fits(set, index, name, match))
        return false;
    for (size_t i = 0; i < index; i++) {
        if (fits(set, i, name, match) &&
            same_kind(materials->items[i]->key, materials->items[index]->key))
            return false;
    }
    return true;
}

SECURITY_STATUS osspi_hello_session_context(const struct osspi_tls_config *config,
                                            const struct osspi_tls *tls, const char *name,
                                            const struct osspi_tls_offer *offer,
                                            uint8_t ret_context[32])
{
    const struct osspi_identity_set *set = config->set;
    const struct osspi_materials *materials =
        tls != NULL ? osspi_tls_materials(tls, &set) : config->materials;
    const enum osspi_match match =
        name != NULL ? osspi_identity_set_match(set, name) : OSSPI_MATCH_NONE;
    const uint64_t policy[] = {config->flags,
                               config->policy.omit_usage,
                               offer != NULL ? offer->versions : 0,
                               offer != NULL ? offer->suites : 0,
                               offer != NULL ? offer->groups_off : 0,
                               offer != NULL ? offer->schemes_off : 0};
    uint8_t *bytes osspi_auto(osspi_freep) =
        osspi_alloc_array(1 + set->count, sizeof(config->policy_context) + sizeof(policy));
    size_t len = 0;

    if (bytes == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(bytes, config->policy_context, sizeof(config->policy_context));
    len += sizeof(config->policy_context);
    memcpy(bytes + len, policy, sizeof(policy));
    len += sizeof(policy);
    for (size_t i = 0; i < set->count; i++) {
        if (!osspi_hello_is_first(set, materials, i, name, match))
            continue;
        memcpy(bytes + len, set->items[i]->fingerprint, sizeof(set->items[i]->fingerprint));
        len += sizeof(set->items[i]->fingerprint);
    }
    return osspi_tls_sha256(bytes, len, ret_context);
}

bool osspi_hello_set_context(struct osspi_tls *tls, const uint8_t context[32])
{
    uint8_t own[32];

    memcpy(own, context, sizeof(own));
    own[sizeof(own) - 1] ^= tls->policy_bits;
    return SSL_set_session_id_context(tls->ssl, own, sizeof(own)) == 1;
}

/* Presents the certificates of tls' set that fit the name best, and no others. */
static SECURITY_STATUS present(struct osspi_tls *tls, const char *name)
{
    const struct osspi_identity_set *set;
    const struct osspi_materials *materials = osspi_tls_materials(tls, &set);
    const enum osspi_match match = osspi_identity_set_match(set, name);

    SSL_certs_clear(tls->ssl);
    for (size_t i = 0; i < materials->count; i++) {
        const struct osspi_material *one = materials->items[i];

        if (osspi_hello_is_first(set, materials, i, name, match) &&
            SSL_use_cert_and_key(tls->ssl, one->leaf, one->key, one->chain, 1) != 1)
            return osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
    }
    return SEC_E_OK;
}

/* From here on the connection speaks with the certificates of *set, whose reference it takes. */
static SECURITY_STATUS change_set(struct osspi_tls *tls, struct osspi_identity_set **set)
{
    const struct osspi_materials *materials;
    const SECURITY_STATUS status = osspi_materials_get(*set, tls->config->shard, &materials);

    if (status != SEC_E_OK)
        return status;
    tls->set = OSSPI_TAKE(*set);
    tls->materials = materials;
    return SEC_E_OK;
}

static SECURITY_STATUS choose_certificates(struct osspi_tls *tls, const char *name)
{
    const enum osspi_match own = osspi_identity_set_match(tls->config->set, name);
    struct osspi_identity_set *other osspi_auto(osspi_identity_set_unrefp) = NULL;
    SECURITY_STATUS status = SEC_E_OK;

    if (own < OSSPI_MATCH_PRINCIPAL && (tls->config->flags & SCH_CRED_SNI_CREDENTIAL) != 0)
        other = osspi_sni_find(name, own);
    if (own == OSSPI_MATCH_NONE && other == NULL)
        return SEC_E_OK; /* nobody's: what is presented by default */
    tls->named = true;
    if (other != NULL)
        status = change_set(tls, &other);
    return status == SEC_E_OK ? present(tls, name) : status;
}

/* ---- what the client can do ---- */

struct client {
    uint32_t versions, groups;
    osspi_suite_set suites;
};

static uint32_t read_versions(SSL *ssl)
{
    struct bytes rest = extension(ssl, TLSEXT_TYPE_supported_versions), list;
    uint32_t versions = 0;
    uint32_t last = SSL_client_hello_get0_legacy_version(ssl);

    if (SSL_is_dtls(ssl)) /* there is one, see osspi_tls_offer_datagram() */
        return OSSPI_VERSION_BIT(TLS1_2_VERSION);
    if (take_vector(&rest, 1, &list)) {
        for (size_t i = 0; i < list.len / 2; i++) {
            const uint16_t version = number_at(&list, i);
            if (version >= TLS1_VERSION && version <= TLS1_3_VERSION)
                versions |= OSSPI_VERSION_BIT(version);
        }
        return versions;
    }
    last = last < TLS1_2_VERSION ? last : TLS1_2_VERSION;
    for (uint32_t version = TLS1_VERSION; version <= last; version++)
        versions |= OSSPI_VERSION_BIT(version);
    return versions;
}

static osspi_suite_set read_suites(SSL *ssl)
{
    struct bytes list;
    osspi_suite_set suites = 0;

    list.len = SSL_client_hello_get0_ciphers(ssl, &list.at);
    for (size_t i = 0; i < list.len / 2; i++) {
        const uint16_t id = number_at(&list, i);
        for (size_t j = 0; j < osspi_suite_count(); j++) {
            if (osspi_suite_at(j)->id == id)
                suites |= (osspi_suite_set)1 << j;
        }
    }
    return suites;
}

/* One that says nothing about groups takes any (RFC 8422 4). */
static uint32_t read_groups(SSL *ssl)
{
    static const struct {
        uint16_t first, last;
        uint32_t bit;
    } known[] = {
        {23, 23, OSSPI_GROUP_P256},   {24, 24, OSSPI_GROUP_P384}, {25, 25, OSSPI_GROUP_P521},
        {29, 29, OSSPI_GROUP_X25519}, {30, 30, OSSPI_GROUP_X448}, {256, 257, OSSPI_GROUP_FFDHE},
    };
    struct bytes rest = extension(ssl, TLSEXT_TYPE_supported_groups), list;
    uint32_t groups = 0;

    if (!take_vector(&rest, 2, &list))
        return OSSPI_GROUP_ALL;
    for (size_t i = 0; i < list.len / 2; i++) {
        const uint16_t group = number_at(&list, i);
        for (size_t j = 0; j < OSSPI_COUNT_OF(known); j++) {
            if (group >= known[j].first && group <= known[j].last)
                groups |= known[j].bit;
        }
    }
    return groups;
}

/* Is there a key for what signs in the suite? TLS 1.3 suites do not say. */
static bool has_key_for(const struct osspi_tls *tls, const struct osspi_suite *suite)
{
    const struct osspi_identity_set *set;
    const struct osspi_materials *materials = osspi_tls_materials(tls, &set);
    const bool wants_rsa = strcmp(suite->certificate, "RSA") == 0;

    if (tls->psk != NULL && (suite->psk || suite->version == TLS1_3_VERSION))
        return true;

    for (size_t i = 0; i < materials->count; i++) {
        const int kind = EVP_PKEY_get_base_id(materials->items[i]->key);
        const bool is_rsa = kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS;
        if (suite->certificate[0] == '\0' || wants_rsa == is_rsa)
            return true;
    }
    return false;
}

static bool suite_works(const struct osspi_tls *tls, const struct client *client,
                        const struct osspi_tls_offer *offer, const struct osspi_suite *suite)
{
    const uint32_t old = OSSPI_VERSION_BIT(TLS1_VERSION) | OSSPI_VERSION_BIT(TLS1_1_VERSION);
    const bool is13 = suite->version == TLS1_3_VERSION;
    uint32_t versions = OSSPI_VERSION_BIT(suite->version);

    if (!is13 && !suite->aead && suite->hash_alg == CALG_SHA1)
        versions |= old;
    if ((versions & client->versions & offer->versions) == 0 || !has_key_for(tls, suite))
        return false;
    if (!is13 && strcmp(suite->exchange, "ECDH") != 0)
        return true;
    return (client->groups & osspi_tls_offered_groups(offer->groups_off)) != 0;
}

static bool can_go_on(const struct osspi_tls *tls, const struct client *client,
                      const struct osspi_tls_offer *offer)
{
    const osspi_suite_set common =
        client->suites & (offer->suites | (offer->psk_suites & tls->psk_suites));

    for (size_t i = 0; i < osspi_suite_count(); i++) {
        if ((common >> i & 1) != 0 && suite_works(tls, client, offer, osspi_suite_at(i)))
            return true;
    }
    return false;
}

/* ---- restrictions ---- */

static bool governs(const struct osspi_tls_entry *entry, const uint8_t *protocol, size_t len)
{
    struct bytes rest = {entry->protocols, entry->protocols_len}, one;

    if (entry->protocols == NULL)
        return true;
    while (take_vector(&rest, 1, &one)) {
        if (protocol != NULL && one.len == len && memcmp(one.at, protocol, len) == 0)
            return true;
    }
    return false;
}

/* The highest run of versions without a hole for which there are suites. */
static struct osspi_tls_offer restrict_offer(struct osspi_tls_offer offer,
                                             const struct osspi_tls_entry *entry)
{
    const uint32_t v13 = OSSPI_VERSION_BIT(TLS1_3_VERSION);
    uint32_t run = 0;

    offer.versions &= ~entry->versions_off;
    offer.suites &= ~entry->suites_off;
    offer.psk_suites &= ~entry->suites_off;
    offer.groups_off |= entry->groups_off;
    offer.schemes_off |= entry->schemes_off;
    for (uint32_t bit = v13; bit != 0 && (run == 0 || (offer.versions & bit) != 0); bit >>= 1)
        run |= offer.versions & bit;
    offer.versions = run;
    return offer;
}

/* The protocol that will be agreed on, by the rule that decides it later. NULL: none. */
static const uint8_t *foresee_protocol(SSL *ssl, unsigned char *ret_len)
{
    struct bytes rest = extension(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation), list;
    const unsigned char *protocol = NULL;

    if (!take_vector(&rest, 2, &list) ||
        osspi_tls_on_alpn(ssl, &protocol, ret_len, list.at, (unsigned int)list.len, NULL) !=
            SSL_TLSEXT_ERR_OK)
        return NULL;
    return protocol;
}

/* Required ones first: an optional one must leave something of what they have left. */
static bool narrow_offer(struct osspi_tls *tls, struct osspi_tls_offer *offer)
{
    const struct osspi_tls_config *config = tls->config;
    struct client client = {.versions = read_versions(tls->ssl),
                            .groups = read_groups(tls->ssl),
                            .suites = read_suites(tls->ssl)};
    unsigned char len = 0;
    const uint8_t *protocol = foresee_protocol(tls->ssl, &len);
    bool narrowed = false;

    for (int optional = 0; optional < 2; optional++) {
        for (size_t i = 0; i < config->entry_count; i++) {
            const struct osspi_tls_entry *entry = &config->entries[i];
            if (entry->optional != (optional != 0) || !governs(entry, protocol, len))
                continue;
            const struct osspi_tls_offer tried = restrict_offer(*offer, entry);
            if (optional && !can_go_on(tls, &client, &tried))
                continue;
            *offer = tried;
            narrowed = true;
        }
    }
    return narrowed;
}

/* The certificate that was chosen by name may have its key in a device. */
static bool leave_to_device(const struct osspi_tls *tls, struct osspi_tls_offer *offer)
{
    const osspi_suite_set before = offer->suites;
    const struct osspi_identity_set *set;

    (void)osspi_tls_materials(tls, &set);
    if (set->blocking_class != NULL)
        offer->suites = osspi_suites_for_device(before);
    return offer->suites != before;
}

static SECURITY_STATUS narrow(struct osspi_tls *tls, struct osspi_tls_offer *offer,
                              bool *ret_narrowed)
{
    *ret_narrowed = leave_to_device(tls, offer);
    if (tls->config->entry_count > 0)
        *ret_narrowed = narrow_offer(tls, offer) || *ret_narrowed;
    if (!*ret_narrowed)
        return SEC_E_OK;
    if (offer->versions == 0 || offer->suites == 0)
        return SEC_E_ALGORITHM_MISMATCH;
    return osspi_tls_narrow(tls->ssl, offer);
}

/* ---- the callbacks ---- */

static SECURITY_STATUS decide(struct osspi_tls *tls)
{
    struct osspi_tls_offer offer = tls->config->offer;
    char name[OSSPI_NAME_SIZE];
    uint8_t context[32];
    bool narrowed = false;
    SECURITY_STATUS status = SEC_E_OK;

    if ((tls->config->flags & SCH_USE_PRESHAREDKEY_ONLY) == 0 && read_name(tls->ssl, name))
        status = choose_certificates(tls, name);
    if (status == SEC_E_OK)
        status = narrow(tls, &offer, &narrowed);
    if (status != SEC_E_OK || (!tls->named && !narrowed))
        return status;
    status = osspi_hello_session_context(tls->config, tls, tls->named ? name : NULL,
                                         narrowed ? &offer : NULL, context);
    if (status == SEC_E_OK && !osspi_hello_set_context(tls, context))
        status = SEC_E_INTERNAL_ERROR;
    return status;
}

int osspi_hello_on_client(SSL *ssl, int *ret_alert, void *argument)
{
    struct osspi_tls *tls = osspi_tls_of(ssl);
    (void)argument;

    if (tls->greeted)
        return SSL_CLIENT_HELLO_SUCCESS;
    tls->greeted = true;
    const SECURITY_STATUS status = decide(tls);
    if (status == SEC_E_OK)
        return SSL_CLIENT_HELLO_SUCCESS;
    *ret_alert =
        status == SEC_E_ALGORITHM_MISMATCH ? SSL_AD_HANDSHAKE_FAILURE : SSL_AD_INTERNAL_ERROR;
    tls->no_memory = tls->no_memory || status == SEC_E_INSUFFICIENT_MEMORY;
    osspi_tls_fail_with(tls, status, "no certificate or no offer fits the ClientHello");
    return SSL_CLIENT_HELLO_ERROR;
}

int osspi_hello_on_name(SSL *ssl, int *ret_alert, void *argument)
{
    (void)ret_alert;
    (void)argument;
    return osspi_tls_of(ssl)->named ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

int osspi_hello_on_any_name(SSL *ssl, int *ret_alert, void *argument)
{
    (void)ssl;
    (void)ret_alert;
    (void)argument;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- copies of restrictions ---- */

void osspi_hello_free_entries(struct osspi_tls_entry *entries, size_t count)
{
    for (size_t i = 0; entries != NULL && i < count; i++)
        osspi_free(entries[i].protocols);
    osspi_free(entries);
}

struct osspi_tls_entry *osspi_hello_copy_entries(const struct osspi_tls_entry *entries,
                                                 size_t count)
{
    struct osspi_tls_entry *copy = osspi_alloc_array(count, sizeof(*copy));

    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = entries[i];
        if (entries[i].protocols == NULL)
            continue;
        copy[i].protocols = osspi_memdup(entries[i].protocols, entries[i].protocols_len);
        if (copy[i].protocols == NULL) {
            osspi_hello_free_entries(copy, i);
            return NULL;
        }
    }
    return copy;
}
