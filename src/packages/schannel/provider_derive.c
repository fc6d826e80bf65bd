/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The key schedule of TLS 1.3 (RFC 8446 7.1) and the PRF of the versions before (RFC 5246 5, RFC
 * 2246 5) for the provider.
 *
 * Two things save hashing. A handshake derives several values from each secret: inside of
 * osspi_secrets_begin() the pads of the last keys of a thread are remembered, and wiped at its end.
 * And without a pre-shared key the first secret and the salt that follows from it are constants.
 */
#include <openssl/kdf.h>
#include <string.h>

#include "base/lock.h"
#include "base/memory.h"
#include "packages/schannel/derive.h"
#include "packages/schannel/provider.h"
#include "packages/schannel/provider_internal.h"

#define REMEMBERED 4u

/* ---- who is told, and what is remembered ---- */

struct remembered {
    struct osspi_hmac_key key;
    size_t len;
    uint8_t secret[OSSPI_HMAC_MAX];
};

static _Thread_local struct {
    bool open; /* inside of osspi_secrets_begin() */
    bool both; /* osspi_secrets_tell_both() */
    osspi_secret_sink *sink;
    void *owner;
    unsigned next, count;
    struct remembered keys[REMEMBERED];
} mine;

static void forget(void)
{
    osspi_secure_zero(mine.keys, mine.count * sizeof(mine.keys[0]));
    mine.next = mine.count = 0;
}

struct osspi_secrets_scope osspi_secrets_begin(osspi_secret_sink *sink, void *owner)
{
    const struct osspi_secrets_scope before = {mine.open, mine.both, mine.sink, mine.owner};

    mine.open = true;
    mine.both = false;
    mine.sink = sink;
    mine.owner = owner;
    return before;
}

void osspi_secrets_tell_both(void)
{
    mine.both = true;
}

void osspi_secrets_end(struct osspi_secrets_scope *scope)
{
    forget();
    mine.open = scope->open;
    mine.both = scope->both;
    mine.sink = scope->sink;
    mine.owner = scope->owner;
}

/* A key that is going to be used again soon, or *own. */
static const struct osspi_hmac_key *
key_of(enum osspi_hmac_hash hash, struct osspi_hmac_bytes secret, struct osspi_hmac_key *own)
{
    if (!mine.open || secret.len > OSSPI_HMAC_MAX) {
        osspi_hmac_key_set(own, hash, secret);
        return own;
    }
    for (unsigned i = 0; i < mine.count; i++) {
        const struct remembered *known = &mine.keys[i];

        if (known->key.inner.hash == hash && known->len == secret.len &&
            osspi_secret_equal(known->secret, secret.at, secret.len))
            return &known->key;
    }
    struct remembered *place = &mine.keys[mine.next];
    mine.next = (mine.next + 1) % REMEMBERED;
    mine.count += mine.count < REMEMBERED;
    osspi_hmac_key_set(&place->key, hash, secret);
    place->len = secret.len;
    if (secret.len > 0)
        memcpy(place->secret, secret.at, secret.len);
    return &place->key;
}

/* ---- RFC 8446 7.1 ---- */

/* The same in each handshake without a pre-shared key. */
static struct {
    struct osspi_lock lock;
    bool ready;
    struct constants {
        uint8_t early[OSSPI_HMAC_MAX];
        uint8_t salt[OSSPI_HMAC_MAX];
        uint8_t nothing[OSSPI_HMAC_MAX]; /* the hash of no bytes */
    } of[OSSPI_HMAC_HASHES];
} constants; /* guarded by its lock until ready, constant then; nobody derives before */

static const uint8_t zeros[OSSPI_HMAC_MAX];

/* HKDF-Expand-Label with what the request has of a label. */
static bool expand_label(const struct osspi_hmac_key *key, const struct osspi_kdf_request *request,
                         struct osspi_hmac_bytes context, uint8_t *out, size_t len)
{
    return osspi_derive_expand(key, request->parts[OSSPI_KDF_PREFIX],
                               request->parts[OSSPI_KDF_LABEL], context, out, len);
}

/* Derive-Secret(secret, "derived", ""): the salt of the next stage. */
static bool derive_salt(const struct osspi_kdf_request *request, enum osspi_hmac_hash hash,
                        uint8_t *ret_salt)
{
    const size_t len = osspi_hmac_len(hash);
    const struct constants *constant = &constants.of[hash];
    const struct osspi_hmac_bytes secret = request->parts[OSSPI_KDF_SALT];
    const struct osspi_hmac_bytes nothing = {constant->nothing, len};
    const struct osspi_hmac_bytes label = request->parts[OSSPI_KDF_LABEL];
    const struct osspi_hmac_bytes prefix = request->parts[OSSPI_KDF_PREFIX];
    struct osspi_hmac_key own osspi_auto(osspi_hmac_key_clear) = {0};

    if (constants.ready && secret.len == len &&
        osspi_secret_equal(secret.at, constant->early, len) && label.len == 7 &&
        memcmp(label.at, "derived", 7) == 0 && prefix.len == 6 &&
        memcmp(prefix.at, "tls13 ", 6) == 0) {
        memcpy(ret_salt, constant->salt, len);
        return true;
    }
    return expand_label(key_of(hash, secret, &own), request, nothing, ret_salt, len);
}

/* HKDF-Extract of the next stage. The salt that is given is the secret of the stage before. */
static bool extract(const struct osspi_kdf_request *request, enum osspi_hmac_hash hash,
                    uint8_t *out, size_t len)
{
    struct osspi_hmac_bytes secret = request->parts[OSSPI_KDF_KEY];
    const bool first = request->parts[OSSPI_KDF_SALT].at == NULL;
    uint8_t salt[OSSPI_HMAC_MAX] = {0};

    if (len != osspi_hmac_len(hash))
        return false;
    if (first && secret.at == NULL && constants.ready) {
        memcpy(out, constants.of[hash].early, len);
        return true;
    }
    if (!first && !derive_salt(request, hash, salt))
        return false;
    if (secret.at == NULL)
        secret = (struct osspi_hmac_bytes){zeros, len};
    struct osspi_hmac_key key osspi_auto(osspi_hmac_key_clear) = {0};
    osspi_hmac_key_set(&key, hash, (struct osspi_hmac_bytes){salt, len});
    osspi_hmac(&key, &secret, 1, out);
    osspi_secure_zero(salt, sizeof(salt));
    return true;
}

/* The client's handshake secret has the same key and the same transcript as the server's. */
static void tell_clients(const struct osspi_kdf_request *request, enum osspi_hmac_hash hash,
                         const struct osspi_hmac_key *key, size_t len)
{
    static const char servers[] = "s hs traffic", clients[] = "c hs traffic";
    struct osspi_kdf_request other = *request;
    uint8_t secret[OSSPI_HMAC_MAX];

    if (!mine.both || len != osspi_hmac_len(hash) ||
        request->parts[OSSPI_KDF_LABEL].len != sizeof(servers) - 1 ||
        memcmp(request->parts[OSSPI_KDF_LABEL].at, servers, sizeof(servers) - 1) != 0)
        return;
    other.parts[OSSPI_KDF_LABEL] = (struct osspi_hmac_bytes){clients, sizeof(clients) - 1};
    if (expand_label(key, &other, request->parts[OSSPI_KDF_DATA], secret, len))
        mine.sink(mine.owner, clients, sizeof(clients) - 1, secret, len);
    osspi_secure_zero(secret, sizeof(secret));
}

static bool expand(const struct osspi_kdf_request *request, enum osspi_hmac_hash hash, uint8_t *out,
                   size_t len)
{
    struct osspi_hmac_key own osspi_auto(osspi_hmac_key_clear) = {0};
    const struct osspi_hmac_bytes secret = request->parts[OSSPI_KDF_KEY];
    const struct osspi_hmac_bytes label = request->parts[OSSPI_KDF_LABEL];

    const struct osspi_hmac_key *key;

    if (secret.at == NULL)
        return false;
    key = key_of(hash, secret, &own);
    if (!expand_label(key, request, request->parts[OSSPI_KDF_DATA], out, len))
        return false;
    if (mine.sink != NULL) {
        mine.sink(mine.owner, (const char *)label.at, label.len, out, len);
        tell_clients(request, hash, key, len);
    }
    return true;
}

bool osspi_kdf_tls13(const struct osspi_kdf_request *request, uint8_t *out, size_t len)
{
    enum osspi_hmac_hash hash = OSSPI_HMAC_SHA256;

    if (request->hash == OSSPI_KDF_SHA384)
        hash = OSSPI_HMAC_SHA384;
    else if (request->hash != OSSPI_KDF_SHA256)
        return false;
    if (len == 0)
        return false;
    if (request->mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY)
        return extract(request, hash, out, len);
    return request->mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY && expand(request, hash, out, len);
}

static void prepare(enum osspi_hmac_hash hash)
{
    static const uint8_t derived[] = "derived", prefix[] = "tls13 ";
    const size_t len = osspi_hmac_len(hash);
    struct constants *constant = &constants.of[hash];
    struct osspi_hash_state state;
    struct osspi_kdf_request request = {
        .parts = {[OSSPI_KDF_SALT] = {constant->early, len},
                  [OSSPI_KDF_LABEL] = {derived, sizeof(derived) - 1},
                  [OSSPI_KDF_PREFIX] = {prefix, sizeof(prefix) - 1}},
    };

    osspi_hash_start(&state, hash);
    osspi_hash_end(&state, constant->nothing);
    (void)extract(&(struct osspi_kdf_request){0}, hash, constant->early, len);
    (void)derive_salt(&request, hash, constant->salt);
}

void osspi_kdf_prepare(void)
{
    OSSPI_LOCKED(&constants.lock);
    if (constants.ready)
        return;
    prepare(OSSPI_HMAC_SHA256);
    prepare(OSSPI_HMAC_SHA384);
    constants.ready = true;
}

/* ---- RFC 5246 5 ---- */

/* Writes P_hash, or mixes it in. */
static void p_hash(const struct osspi_kdf_request *request, enum osspi_hmac_hash hash,
                   struct osspi_hmac_bytes secret, bool mix, uint8_t *out, size_t len)
{
    struct osspi_hmac_key own osspi_auto(osspi_hmac_key_clear) = {0};

    osspi_derive_p_hash(key_of(hash, secret, &own), &request->parts[OSSPI_KDF_SEED],
                        request->seed_count, mix, out, len);
}

bool osspi_kdf_tls1(const struct osspi_kdf_request *request, uint8_t *out, size_t len)
{
    const struct osspi_hmac_bytes secret = request->parts[OSSPI_KDF_KEY];
    const size_t half = (secret.len + 1) / 2; /* the two share the middle byte of an odd length */

    if (secret.at == NULL || request->seed_count == 0 || len == 0)
        return false;
    switch (request->hash) {
    case OSSPI_KDF_SHA256:
        p_hash(request, OSSPI_HMAC_SHA256, secret, false, out, len);
        return true;
    case OSSPI_KDF_SHA384:
        p_hash(request, OSSPI_HMAC_SHA384, secret, false, out, len);
        return true;
    case OSSPI_KDF_MD5_SHA1:
        p_hash(request, OSSPI_HMAC_MD5, (struct osspi_hmac_bytes){secret.at, half}, false, out,
               len);
        p_hash(request, OSSPI_HMAC_SHA1,
               (struct osspi_hmac_bytes){secret.at + secret.len - half, half}, true, out, len);
        return true;
    default:
        return false;
    }
}
