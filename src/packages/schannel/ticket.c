/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The server's session tickets; see ticket.h. A ticket is the session sealed with AES-256-CBC and
 * HMAC-SHA-256 under a key that the 16 bytes before it name (the form recommended by RFC 5077 4).
 *
 * Inside stands what OpenSSL does not keep: when the first handshake was, when the client's chain
 * ends, and which certificate we had presented; so that a session renewed again and again ends with
 * the credential's lifespan and with the chain.
 *
 * Keys live in slots. A slot is filled while no index names it, and the index is set last: a fork
 * in the middle leaves the child with the old keys, whole.
 */
#include "packages/schannel/ticket.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/lock.h"
#include "base/memory.h"
#include "packages/schannel/tls_callbacks.h"
#include "packages/schannel/tls_internal.h"
#include "packages/schannel/tls_psk.h"

/* ---- keys ---- */

#define SLOTS 3u /* sealing, old, and the one being filled */

struct slot {
    int64_t made; /* unix seconds */
    struct osspi_ticket_key key;
};

static struct {
    struct osspi_lock lock;
    struct slot slots[SLOTS];
    uint32_t sealing; /* slot + 1, 0: none */
    uint32_t old;     /* slot + 1, 0: none */
} keys;               /* guarded by its lock */

static bool random_bytes(void *bytes, size_t len)
{
    uint8_t *at = bytes;

    while (len > 0) {
        const ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno != EINTR)
            return false;
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
    return true;
}

/* A clock that jumps back must not keep a key for ever: time before its making counts as over. */
static bool is_within(const struct slot *slot, int64_t now, int64_t span_s)
{
    return now >= slot->made && now - slot->made < span_s;
}

static bool rotate_locked(int64_t now)
{
    uint32_t free_slot = 0;

    while (free_slot + 1 == keys.sealing || free_slot + 1 == keys.old)
        free_slot++;
    struct slot *slot = &keys.slots[free_slot];
    slot->made = now;
    if (!random_bytes(&slot->key, sizeof(slot->key)))
        return false;
    const uint32_t retired = keys.old;
    keys.old = keys.sealing;
    keys.sealing = free_slot + 1;
    if (retired != 0)
        osspi_secure_zero(&keys.slots[retired - 1], sizeof(keys.slots[0]));
    return true;
}

bool osspi_ticket_sealing_key(int64_t now, struct osspi_ticket_key *ret_key)
{
    OSSPI_LOCKED(&keys.lock);
    const bool fresh =
        keys.sealing != 0 && is_within(&keys.slots[keys.sealing - 1], now, OSSPI_TICKET_ROTATE_S);
    if (!fresh && !rotate_locked(now))
        return false;
    *ret_key = keys.slots[keys.sealing - 1].key;
    return true;
}

bool osspi_ticket_opening_key(int64_t now, const uint8_t name[OSSPI_TICKET_NAME],
                              struct osspi_ticket_key *ret_key, bool *ret_old)
{
    OSSPI_LOCKED(&keys.lock);
    const uint32_t candidates[] = {keys.sealing, keys.old};

    for (size_t i = 0; i < OSSPI_COUNT_OF(candidates); i++) {
        if (candidates[i] == 0)
            continue;
        const struct slot *slot = &keys.slots[candidates[i] - 1];
        if (memcmp(slot->key.name, name, OSSPI_TICKET_NAME) != 0)
            continue;
        if (!is_within(slot, now, 2 * (int64_t)OSSPI_TICKET_ROTATE_S))
            return false;
        *ret_key = slot->key;
        *ret_old = !is_within(slot, now, OSSPI_TICKET_ROTATE_S);
        return true;
    }
    return false;
}

/* ---- sealing and opening ---- */

static bool set_mac(EVP_MAC_CTX *mac, struct osspi_ticket_key *key)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                const struct osspi_tls *tls, struct osspi_ticket_key *key)
{
    const EVP_CIPHER *algorithm = tls->config->shard->ticket_cipher;

    if (osspi_tls_psk_used(tls))
        return 0; /* TLS 1.2: the client gets an empty one, and keeps nothing */
    if (tls->config->tickets != NULL)
        osspi_ticket_ring_seal(tls->config->tickets, key);
    else if (!osspi_ticket_sealing_key((int64_t)time(NULL), key))
        return 0; /* no ticket, no harm */
    memcpy(name, key->name, OSSPI_TICKET_NAME);
    if (!random_bytes(iv, (size_t)EVP_CIPHER_get_iv_length(algorithm)) ||
        EVP_EncryptInit_ex2(cipher, algorithm, key->cipher, iv, NULL) != 1 || !set_mac(mac, key))
        return -1;
    return 1;
}

/* 0: unknown key, full handshake; 1: go on; 2: go on, and give the client a new ticket: always in
 * TLS 1.3, where the one it has is used up. */
static int open_ticket(const uint8_t *name, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
                       EVP_MAC_CTX *mac, const struct osspi_tls *tls, struct osspi_ticket_key *key)
{
    const struct osspi_ticket_ring *ring = tls->config->tickets;
    bool old;

    if (ring != NULL ? !osspi_ticket_ring_open(ring, name, key, &old)
                     : !osspi_ticket_opening_key((int64_t)time(NULL), name, key, &old))
        return 0;
    if (EVP_DecryptInit_ex2(cipher, tls->config->shard->ticket_cipher, key->cipher, iv, NULL) !=
            1 ||
        !set_mac(mac, key))
        return -1;
    return old || SSL_version(tls->ssl) == TLS1_3_VERSION ? 2 : 1;
}

static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int sealing)
{
    const struct osspi_tls *tls = osspi_tls_of(ssl);
    struct osspi_ticket_key key;

    memset(&key, 0, sizeof(key));
    const int result = sealing ? seal(name, iv, cipher, mac, tls, &key)
                               : open_ticket(name, iv, cipher, mac, tls, &key);
    osspi_secure_zero(&key, sizeof(key));
    return result;
}

/* ---- what we add ---- */

/*
 * Behind a version byte, in network order: another process, or another machine, that was given the
 * same keys reads it too.
 */
#define MEMO_VERSION 2u
#define MEMO_SIZE    (1u + sizeof(((struct memo *)0)->identity) + 8u + 8u)

struct memo {
    uint8_t identity[32]; /* fingerprint of the certificate presented; zeros: unknown */
    int64_t expires;      /* first handshake and lifespan */
    int64_t not_after;    /* first notAfter of the client's chain */
};

static uint8_t *put_time(uint8_t *at, int64_t time)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (uint8_t)((uint64_t)time >> shift);
    return at;
}

static int64_t get_time(const uint8_t *at)
{
    uint64_t time = 0;

    for (size_t i = 0; i < 8; i++)
        time = time << 8 | at[i];
    return (int64_t)time;
}

static void write_memo(const struct memo *memo, uint8_t bytes[MEMO_SIZE])
{
    bytes[0] = MEMO_VERSION;
    memcpy(bytes + 1, memo->identity, sizeof(memo->identity));
    (void)put_time(put_time(bytes + 1 + sizeof(memo->identity), memo->expires), memo->not_after);
}

static bool read_memo(const SSL_SESSION *session, struct memo *ret)
{
    void *data = NULL;
    size_t len = 0;

    if (session == NULL ||
        SSL_SESSION_get0_ticket_appdata((SSL_SESSION *)(uintptr_t)session, &data, &len) != 1 ||
        len != MEMO_SIZE || data == NULL || *(const uint8_t *)data != MEMO_VERSION)
        return false;
    const uint8_t *at = (const uint8_t *)data + 1;
    memcpy(ret->identity, at, sizeof(ret->identity));
    ret->expires = get_time(at + sizeof(ret->identity));
    ret->not_after = get_time(at + sizeof(ret->identity) + 8);
    return true;
}

int osspi_ticket_identity(const struct osspi_tls *tls, const SSL_SESSION *session)
{
    const struct osspi_identity_set *set;
    struct memo memo;

    (void)osspi_tls_materials(tls, &set);
    if (!read_memo(session, &memo))
        return -1;
    for (size_t i = 0; i < set->count; i++) {
        if (memcmp(set->items[i]->fingerprint, memo.identity, sizeof(memo.identity)) == 0)
            return (int)i;
    }
    return -1;
}

bool osspi_ticket_mark(const struct osspi_tls *tls, SSL_SESSION *session)
{
    const struct osspi_identity_set *set;
    uint8_t bytes[MEMO_SIZE];
    struct memo memo;

    if (read_memo(session, &memo))
        return true;
    const int identity = osspi_tls_identity_in_use(tls);
    (void)osspi_tls_materials(tls, &set);
    memset(memo.identity, 0, sizeof(memo.identity));
    if (identity >= 0)
        memcpy(memo.identity, set->items[identity]->fingerprint, sizeof(memo.identity));
    memo.expires = tls->origin.expires;
    memo.not_after = tls->origin.not_after;
    write_memo(&memo, bytes);
    return SSL_SESSION_set1_ticket_appdata(session, bytes, sizeof(bytes)) == 1;
}

int64_t osspi_ticket_until(const SSL_SESSION *session)
{
    struct memo memo;

    if (!read_memo(session, &memo))
        return INT64_MIN;
    return memo.expires < memo.not_after ? memo.expires : memo.not_after;
}

/* A ticket is about to be sealed. */
static int on_issue(SSL *ssl, void *argument)
{
    (void)argument;
    return osspi_ticket_mark(osspi_tls_of(ssl), SSL_get_session(ssl));
}

static SSL_TICKET_RETURN on_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *key_name,
                                   size_t key_name_len, SSL_TICKET_STATUS status, void *argument)
{
    (void)key_name;
    (void)key_name_len;
    (void)argument;

    if (osspi_tls_of(ssl)
            ->later) /* no renegotiation is resumed; GnuTLS waits for a ticket in each */
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if ((int64_t)time(NULL) >= osspi_ticket_until(session))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

bool osspi_ticket_enable(SSL_CTX *ctx, const struct osspi_ticket_ring *ring)
{
    struct osspi_ticket_key key;

    /* Now, so that all children that are forked with the credential seal with one key. */
    if (ring == NULL) {
        (void)osspi_ticket_sealing_key((int64_t)time(NULL), &key);
        osspi_secure_zero(&key, sizeof(key));
    }
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket_key) == 1 &&
           SSL_CTX_set_session_ticket_cb(ctx, on_issue, on_opened, NULL) == 1;
}
