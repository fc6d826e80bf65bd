/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * From what the caller asked for to protocol versions, cipher suites and groups.
 *
 * One rule decides doubtful cases: a connection is never weaker than what was asked for. A
 * restriction that cannot be put into effect exactly is put into effect more widely, and if that is
 * impossible, acquiring fails. Pure functions; thread-safe.
 *
 * Versions come as one range, without holes: of several runs in the mask the highest is taken.
 * SCHANNEL_CRED gets TLS 1.3 like SCH_CREDENTIALS (Windows gives it to the latter only): a mask of
 * 0 means TLS 1.2 and 1.3, and TLS 1.0 and 1.1 come only when their bits are set.
 *
 * A mask of 0 means DTLS 1.2 as well: what a context speaks is decided by the flag for datagrams on
 * its first leg. DTLS has no suites but those with AEAD, hence there is no DTLS 1.0.
 */
#include "packages/schannel/capture.h"

#include "base/memory.h"
#include "packages/schannel/signature.h"

/* Bits of policy.versions. */
#define V10           0x1u
#define V11           0x2u
#define V12           0x4u
#define V13           0x8u
#define VERSION_COUNT 4u
#define VD12          0x10u /* DTLS 1.2: not one of the run */

#define ALG_CLASS(id)     ((id)&0xE000u)
#define CLASS_SIGNATURE   0x2000u
#define CLASS_CIPHER      0x6000u
#define CLASS_HASH        0x8000u
#define CLASS_EXCHANGE    0xA000u
#define STRENGTH_NULL     UINT32_MAX /* "no encryption": there are no such suites */
#define TLS13             0x0304
#define SUITE_BIT(number) ((osspi_suite_set)1 << (number))

static const struct {
    uint32_t client, server;
    uint16_t number;
} versions[VERSION_COUNT] = {
    {SP_PROT_TLS1_0_CLIENT, SP_PROT_TLS1_0_SERVER, 0x0301},
    {SP_PROT_TLS1_1_CLIENT, SP_PROT_TLS1_1_SERVER, 0x0302},
    {SP_PROT_TLS1_2_CLIENT, SP_PROT_TLS1_2_SERVER, 0x0303},
    {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_3_SERVER, TLS13},
};

static const struct {
    const char *name;
    uint32_t bit;
    uint32_t bits; /* size */
} groups[] = {
    {"curve25519", OSSPI_GROUP_X25519, 255}, {"X25519", OSSPI_GROUP_X25519, 255},
    {"ECDH_P256", OSSPI_GROUP_P256, 256},    {"NistP256", OSSPI_GROUP_P256, 256},
    {"ECDH_P384", OSSPI_GROUP_P384, 384},    {"NistP384", OSSPI_GROUP_P384, 384},
    {"ECDH_P521", OSSPI_GROUP_P521, 521},    {"NistP521", OSSPI_GROUP_P521, 521},
    {"X448", OSSPI_GROUP_X448, 448},
};

/* What is still allowed. */
struct policy {
    uint32_t versions;
    osspi_suite_set suites;
    uint32_t groups_off;
    uint32_t schemes_off; /* see signature.h */
    bool psk_only;        /* SCH_USE_PRESHAREDKEY_ONLY */
};

static bool in_range(uint32_t bits, uint32_t min_bits, uint32_t max_bits)
{
    return bits >= min_bits && (max_bits == 0 || bits <= max_bits);
}

/* Takes away every suite for which drop() is true. */
static void drop_suites(struct policy *policy,
                        bool (*drop)(const struct osspi_suite *suite, const void *rule),
                        const void *rule)
{
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        if (drop(osspi_suite_at(i), rule))
            policy->suites &= ~SUITE_BIT(i);
    }
}

/* ---- versions ---- */

static uint32_t side_versions(uint32_t mask, bool server)
{
    uint32_t found = mask & (server ? SP_PROT_DTLS1_2_SERVER : SP_PROT_DTLS1_2_CLIENT) ? VD12 : 0;

    for (uint32_t i = 0; i < VERSION_COUNT; i++) {
        if (mask & (server ? versions[i].server : versions[i].client))
            found |= 1u << i;
    }
    return found;
}

static SECURITY_STATUS enabled_versions(const struct osspi_schannel_auth *auth, bool server,
                                        uint32_t *ret_versions)
{
    uint32_t mask = auth ? auth->enabled_protocols : 0;

    const uint32_t kinds = auth && auth->flags & SCH_USE_DTLS_ONLY ? VD12 : UINT32_MAX;

    *ret_versions = (V12 | V13 | VD12) & kinds;
    if (mask == 0)
        return SEC_E_OK;
    /* Also where the DTLS bit is the other side's: such a mask was put together by mistake. */
    if ((mask & SP_PROT_DTLS1_X) && (mask & SP_PROT_TLS1_X))
        return SEC_E_ALGORITHM_MISMATCH;
    *ret_versions = side_versions(mask, server) & kinds;
    return *ret_versions ? SEC_E_OK : SEC_E_ALGORITHM_MISMATCH;
}

/* Below TLS 1.3 there are suites for certificates and suites for pre-shared keys. */
static bool counts(const struct policy *policy, const struct osspi_suite *suite)
{
    return suite->version == TLS13 || suite->psk == policy->psk_only;
}

/* Drops versions that no suite is left for; false: nothing is left at all. */
static bool settle(struct policy *policy)
{
    bool modern = false, tls12 = false, old = false, sealing = false;

    for (size_t i = 0; i < osspi_suite_count(); i++) {
        const struct osspi_suite *suite = osspi_suite_at(i);

        if (!(policy->suites & SUITE_BIT(i)) || !counts(policy, suite))
            continue;
        modern = modern || suite->version == TLS13;
        tls12 = tls12 || suite->version < TLS13;
        sealing = sealing || (suite->version < TLS13 && suite->aead);
        old = old || (!suite->aead && suite->hash_alg == CALG_SHA1);
    }
    bool signs = policy->psk_only || policy->schemes_off != osspi_schemes_all();

    if (!modern || !signs || policy->groups_off == OSSPI_GROUP_ALL)
        policy->versions &= ~V13;
    if (!tls12 || !signs)
        policy->versions &= ~V12;
    if (!sealing || !signs)
        policy->versions &= ~VD12;
    if (!old)
        policy->versions &= ~(V10 | V11);
    return policy->versions != 0;
}

/* The highest run without holes, and only the suites that can occur in it. */
static void finish(const struct policy *policy, struct osspi_schannel_config *config)
{
    uint32_t high = VERSION_COUNT - 1;
    uint32_t low;

    if (!(policy->versions & ~VD12)) /* no streams */
        return;
    while (!(policy->versions & 1u << high))
        high--;
    low = high;
    while (low > 0 && policy->versions & 1u << (low - 1))
        low--;
    config->min_version = versions[low].number;
    config->max_version = versions[high].number;
    config->suites = 0;
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        bool is13 = osspi_suite_at(i)->version == TLS13;

        if (policy->suites & SUITE_BIT(i) && counts(policy, osspi_suite_at(i)) &&
            (is13 ? config->max_version == TLS13 : config->min_version < TLS13))
            config->suites |= SUITE_BIT(i);
    }
}

static void finish_datagrams(const struct policy *policy, struct osspi_schannel_config *config)
{
    config->datagram_suites = 0;
    for (size_t i = 0; policy->versions & VD12 && i < osspi_suite_count(); i++) {
        if (policy->suites & SUITE_BIT(i) && osspi_suite_at(i)->version < TLS13 &&
            osspi_suite_at(i)->aead && counts(policy, osspi_suite_at(i)))
            config->datagram_suites |= SUITE_BIT(i);
    }
}

static void finish_psk(const struct policy *policy, struct osspi_schannel_config *config)
{
    config->psk_suites = 0;
    for (size_t i = 0; policy->versions & (V12 | VD12) && i < osspi_suite_count(); i++) {
        if (policy->suites & SUITE_BIT(i) && osspi_suite_at(i)->psk)
            config->psk_suites |= SUITE_BIT(i);
    }
}

/* ---- suites: the starting set ---- */

/* Is id one of the listed algorithms of its class? *ret_any: the class is listed at all. */
static bool listed(const struct osspi_schannel_auth *auth, uint32_t class, uint32_t id,
                   uint32_t other_id, bool *ret_any)
{
    bool found = false;

    *ret_any = false;
    for (size_t i = 0; i < auth->algorithm_count; i++) {
        uint32_t one = auth->algorithms[i];

        if (ALG_CLASS(one) != class)
            continue;
        *ret_any = true;
        found = found || (id != 0 && one == id) || (other_id != 0 && one == other_id);
    }
    return found;
}

/*
 * cSupportedAlgs: a class that is listed admits what is listed of it. Suites that are off by
 * default come in only if cipher, hash and key exchange are all named, so that nobody gets them by
 * naming AES alone. What TLS 1.3 does not decide by suite (exchange is always ephemeral; the
 * signature) drops TLS 1.3 when the list excludes some of it.
 */
static bool suite_listed(const struct osspi_schannel_auth *auth, const struct osspi_suite *suite)
{
    bool is13 = suite->version == TLS13;
    bool ciphers, hashes, exchanges, signatures;
    bool cipher =
        listed(auth, CLASS_CIPHER, suite->cipher_alg, suite->cipher_alg ? CALG_AES : 0, &ciphers);
    bool hash = listed(auth, CLASS_HASH, suite->hash_alg, 0, &hashes);
    bool exchange =
        listed(auth, CLASS_EXCHANGE, is13 ? CALG_ECDH_EPHEM : suite->exchange_alg,
               is13 || suite->exchange_alg == CALG_ECDH_EPHEM ? CALG_ECDH : 0, &exchanges);
    bool rsa = listed(auth, CLASS_SIGNATURE, CALG_RSA_SIGN, 0, &signatures);
    bool ecdsa = listed(auth, CLASS_SIGNATURE, CALG_ECDSA, 0, &signatures);
    bool signature = is13                                               ? rsa && ecdsa
                     : osspi_algorithm_equal(suite->certificate, "RSA") ? rsa
                                                                        : ecdsa;

    if (suite->psk)
        return (cipher || !ciphers) && (hash || !hashes) &&
               (exchange || !exchanges || !suite->exchange_alg);
    if (signatures && !signature)
        return false;
    if (!suite->by_default)
        return cipher && hash && exchange;
    return (cipher || !ciphers) && (hash || !hashes) && (exchange || !exchanges);
}

static osspi_suite_set starting_suites(const struct osspi_schannel_auth *auth, uint32_t wanted)
{
    osspi_suite_set set = 0;

    for (size_t i = 0; i < osspi_suite_count(); i++) {
        const struct osspi_suite *suite = osspi_suite_at(i);
        bool on;

        if (auth && auth->algorithm_count > 0)
            on = suite_listed(auth, suite);
        else /* TLS 1.0 and 1.1 have nothing better than these */
            on = suite->by_default || suite->psk ||
                 (wanted & (V10 | V11) && !suite->aead && suite->hash_alg == CALG_SHA1);
        if (on)
            set |= SUITE_BIT(i);
    }
    return set;
}

static bool outside_strength(const struct osspi_suite *suite, const void *rule)
{
    const struct osspi_schannel_config *config = rule;

    return !in_range(suite->cipher_bits, config->min_cipher_bits, config->max_cipher_bits);
}

/* ---- CRYPTO_SETTINGS ---- */

static bool turned_off(const struct osspi_crypto_rule *rule, uint32_t bits)
{
    if (rule->min_bits == 0 && rule->max_bits == 0)
        return true;
    return !in_range(bits, rule->min_bits, rule->max_bits);
}

static bool mode_named(const struct osspi_crypto_rule *rule, const char *mode)
{
    for (size_t i = 0; i < rule->mode_count; i++) {
        if (osspi_algorithm_equal(rule->modes[i], mode))
            return true;
    }
    return rule->mode_count == 0;
}

static bool cipher_off(const struct osspi_suite *suite, const void *data)
{
    const struct osspi_crypto_rule *rule = data;

    return osspi_algorithm_equal(rule->name, suite->cipher) && mode_named(rule, suite->mode) &&
           turned_off(rule, suite->cipher_bits);
}

static uint32_t digest_bits(const char *name)
{
    if (osspi_algorithm_equal(name, "SHA384"))
        return 384;
    return osspi_algorithm_equal(name, "SHA256") ? 256 : 160;
}

static bool digest_off(const struct osspi_suite *suite, const void *data)
{
    const struct osspi_crypto_rule *rule = data;

    return (osspi_algorithm_equal(rule->name, suite->prf_hash) ||
            (suite->hash[0] && osspi_algorithm_equal(rule->name, suite->hash))) &&
           turned_off(rule, digest_bits(rule->name));
}

static bool exchange_off(const struct osspi_suite *suite, const void *name)
{
    return suite->exchange[0] && osspi_algorithm_equal(name, suite->exchange);
}

/* Suites of TLS 1.2 say which key signs, or is the server's without signing; TLS 1.3's do not. */
static bool certificate_off(const struct osspi_suite *suite, const void *name)
{
    return osspi_algorithm_equal(name, suite->certificate);
}

static void apply_exchange(const struct osspi_crypto_rule *rule, struct policy *policy)
{
    bool ecdh = osspi_algorithm_equal(rule->name, "ECDH");

    for (size_t i = 0; i < OSSPI_COUNT_OF(groups); i++) {
        if ((ecdh || osspi_algorithm_equal(rule->name, groups[i].name)) &&
            turned_off(rule, groups[i].bits))
            policy->groups_off |= groups[i].bit;
    }
    if ((policy->groups_off & OSSPI_GROUP_EC) == OSSPI_GROUP_EC)
        drop_suites(policy, exchange_off, "ECDH");
    /* How large a TLS 1.2 server's group is, is not ours to say: 2048 bits is what is sure. */
    if (osspi_algorithm_equal(rule->name, "DH") && turned_off(rule, 2048)) {
        policy->groups_off |= OSSPI_GROUP_FFDHE;
        drop_suites(policy, exchange_off, "DH");
    }
    if (osspi_algorithm_equal(rule->name, "RSA") && turned_off(rule, 2048))
        drop_suites(policy, exchange_off, "RSA");
}

/*
 * Keys below 2048 (RSA) or 224 bits (ECDSA), MD5 and SHA-1 are refused always, of whoever signs; a
 * rule that asks for no more than that is in effect already. Other sizes of keys, and what signs
 * certificates, cannot be limited.
 */
static SECURITY_STATUS apply_signature(const struct osspi_crypto_rule *rule, struct policy *policy)
{
    const bool rsa = osspi_algorithm_equal(rule->name, "RSA");
    const uint32_t schemes = osspi_schemes_of(rule->name);

    if (schemes == 0)
        return SEC_E_OK;
    if ((rsa || osspi_algorithm_equal(rule->name, "ECDSA")) && rule->min_bits > 0 &&
        rule->min_bits <= (rsa ? 2048u : 224u) && rule->max_bits == 0)
        return SEC_E_OK;
    if (rule->usage == TlsParametersCngAlgUsageCertSig || rule->min_bits || rule->max_bits)
        return SEC_E_ALGORITHM_MISMATCH;
    policy->schemes_off |= schemes;
    drop_suites(policy, certificate_off, rule->name);
    return SEC_E_OK;
}

static SECURITY_STATUS apply_rule(const struct osspi_crypto_rule *rule, struct policy *policy)
{
    if (rule->name[0] == '\0')
        return SEC_E_OK;
    switch (rule->usage) {
    case TlsParametersCngAlgUsageCipher:
        drop_suites(policy, cipher_off, rule);
        return SEC_E_OK;
    case TlsParametersCngAlgUsageDigest:
        drop_suites(policy, digest_off, rule);
        return SEC_E_OK;
    case TlsParametersCngAlgUsageKeyExchange:
        apply_exchange(rule, policy);
        return SEC_E_OK;
    case TlsParametersCngAlgUsageSignature:
    case TlsParametersCngAlgUsageCertSig:
        return apply_signature(rule, policy);
    default:
        return SEC_E_UNKNOWN_CREDENTIALS;
    }
}

/* Works on a copy: of an entry that cannot be put into effect nothing is. */
static SECURITY_STATUS apply_restriction(const struct osspi_tls_restriction *restriction,
                                         bool server, struct policy *policy)
{
    struct policy tried = *policy;
    SECURITY_STATUS status = SEC_E_OK;

    tried.versions &= ~side_versions(restriction->disabled_protocols, server);
    for (size_t i = 0; status == SEC_E_OK && i < restriction->rule_count; i++)
        status = apply_rule(&restriction->rules[i], &tried);
    if (status == SEC_E_OK && !settle(&tried))
        status = SEC_E_ALGORITHM_MISMATCH;
    if (status == SEC_E_OK)
        *policy = tried;
    return status;
}

/* ---- entries that hold for some connections ---- */

static SECURITY_STATUS copy_protocols(const struct osspi_tls_restriction *from,
                                      struct osspi_tls_entry *to)
{
    if (!from->by_protocol)
        return SEC_E_OK;
    to->protocols = osspi_memdup(from->protocols, from->protocols_len);
    to->protocols_len = from->protocols_len;
    return to->protocols ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

/* What the entry takes away of the policy that holds for all. */
static SECURITY_STATUS keep_entry(const struct osspi_tls_restriction *restriction,
                                  const struct policy *policy, struct osspi_schannel_config *config)
{
    struct osspi_tls_entry *entry = &config->entries[config->entry_count];
    struct policy left = *policy;
    SECURITY_STATUS status = apply_restriction(restriction, true, &left);

    if (status == SEC_E_ALGORITHM_MISMATCH && restriction->optional)
        return SEC_E_OK; /* nothing could go on under it */
    if (status == SEC_E_OK)
        status = copy_protocols(restriction, entry);
    if (status != SEC_E_OK)
        return status;
    entry->optional = restriction->optional;
    entry->suites_off = policy->suites & ~left.suites;
    entry->groups_off = left.groups_off;
    entry->schemes_off = left.schemes_off;
    for (uint32_t i = 0; i < VERSION_COUNT; i++) {
        if ((policy->versions & ~left.versions) >> i & 1)
            entry->versions_off |= OSSPI_VERSION_BIT(versions[i].number);
    }
    if (policy->versions & ~left.versions & VD12)
        entry->versions_off |= OSSPI_VERSION_DATAGRAM;
    config->entry_count++;
    return SEC_E_OK;
}

/*
 * Those that hold for all connections first. On a server an entry with ALPN ids governs those that
 * agree on one of them, in addition, and an optional one those that can go on under it; which they
 * are shows when a ClientHello has come (tls_hello.c).
 */
static SECURITY_STATUS apply_restrictions(const struct osspi_schannel_auth *auth,
                                          struct policy *policy,
                                          struct osspi_schannel_config *config)
{
    SECURITY_STATUS status = SEC_E_OK;
    size_t general = 0;

    for (size_t i = 0; status == SEC_E_OK && i < auth->restriction_count; i++) {
        const struct osspi_tls_restriction *restriction = &auth->restrictions[i];

        if (restriction->by_protocol ? !config->server : ++general > 1)
            return SEC_E_UNKNOWN_CREDENTIALS;
        if (!config->server || !(restriction->by_protocol || restriction->optional))
            status = apply_restriction(restriction, config->server, policy);
    }
    if (status != SEC_E_OK || !config->server || auth->restriction_count == 0)
        return status;
    config->entries = osspi_alloc_array(auth->restriction_count, sizeof(*config->entries));
    if (!config->entries)
        return SEC_E_INSUFFICIENT_MEMORY;
    for (size_t i = 0; status == SEC_E_OK && i < auth->restriction_count; i++) {
        const struct osspi_tls_restriction *restriction = &auth->restrictions[i];

        if (restriction->by_protocol || restriction->optional)
            status = keep_entry(restriction, policy, config);
    }
    return status;
}

SECURITY_STATUS osspi_schannel_apply_crypto(const struct osspi_schannel_auth *auth,
                                            struct osspi_schannel_config *config)
{
    struct policy policy = {0};
    SECURITY_STATUS status = enabled_versions(auth, config->server, &policy.versions);

    if (status != SEC_E_OK)
        return status;
    policy.suites = starting_suites(auth, policy.versions);
    policy.psk_only = auth && auth->flags & SCH_USE_PRESHAREDKEY_ONLY;
    if (auth) {
        if (auth->min_strength == STRENGTH_NULL || auth->max_strength == STRENGTH_NULL)
            return SEC_E_ALGORITHM_MISMATCH;
        config->min_cipher_bits = auth->min_strength;
        config->max_cipher_bits = auth->max_strength;
        drop_suites(&policy, outside_strength, config);
        status = apply_restrictions(auth, &policy, config);
        if (status != SEC_E_OK)
            return status;
    }
    if (!settle(&policy))
        return SEC_E_ALGORITHM_MISMATCH;
    finish(&policy, config);
    finish_datagrams(&policy, config);
    finish_psk(&policy, config);
    config->disabled_groups = policy.groups_off;
    config->disabled_schemes = policy.schemes_off;
    return SEC_E_OK;
}
