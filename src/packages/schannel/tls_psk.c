/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * External PSKs; see tls_psk.h. TLS 1.3 (RFC 8446, 4.2.11, psk_dhe_ke alone) by the session
 * callbacks, TLS 1.2 (RFC 4279, 5487, 5489, 7905) by the older ones, which know identities as
 * strings. OpenSSL calls the older ones in TLS 1.3 too; they have no answer there.
 *
 * The hash of a PSK is SHA-256 (RFC 8446, 4.2.11), so suites with it come first; SHA-384 only where
 * the credential allows no other.
 */
#include "packages/schannel/tls_psk.h"

#include <openssl/obj_mac.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/ticket.h"
#include "packages/schannel/tls_callbacks.h"

struct osspi_tls_psk {
    bool used;             /* TLS 1.2: the key went into the key exchange */
    size_t identity_heard; /* TLS 1.2: bytes of the identity in the ClientKeyExchange */
    size_t identity_len, key_len;
    uint8_t key[OSSPI_PSK_MAX_KEY];
    uint8_t identity[OSSPI_PSK_MAX_IDENTITY + 1]; /* a NUL behind */
};

/* ---- TLS 1.3 ---- */

static const SSL_CIPHER *cipher_of(SSL *ssl, uint16_t id)
{
    const uint8_t bytes[] = {(uint8_t)(id >> 8), (uint8_t)id};

    return SSL_CIPHER_find(ssl, bytes);
}

/* A suite with the PSK's hash, of those that may be negotiated. */
static const SSL_CIPHER *suite_for(const struct osspi_tls *tls)
{
    const osspi_suite_set allowed = tls->config->offer.suites;
    const struct osspi_suite *found = NULL;

    for (size_t i = 0; i < osspi_suite_count(); i++) {
        const struct osspi_suite *suite = osspi_suite_at(i);

        if ((allowed >> i & 1) != 0 && suite->version == TLS1_3_VERSION &&
            (found == NULL || strcmp(suite->prf_hash, "SHA256") == 0))
            found = suite;
    }
    return found != NULL ? cipher_of(tls->ssl, found->id) : NULL;
}

static SSL_SESSION *session_of(const struct osspi_tls *tls, const SSL_CIPHER *cipher)
{
    SSL_SESSION *session = SSL_SESSION_new();

    if (session != NULL &&
        (SSL_SESSION_set1_master_key(session, tls->psk->key, tls->psk->key_len) != 1 ||
         SSL_SESSION_set_cipher(session, cipher) != 1 ||
         SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1)) {
        SSL_SESSION_free(session);
        session = NULL;
    }
    return session;
}

/* Client, for each ClientHello; md: the hash that a HelloRetryRequest has settled. */
static int on_use(SSL *ssl, const EVP_MD *md, const unsigned char **ret_id, size_t *ret_len,
                  SSL_SESSION **ret_session)
{
    struct osspi_tls *tls = osspi_tls_of(ssl);
    const SSL_CIPHER *cipher = suite_for(tls);

    *ret_id = NULL;
    *ret_len = 0;
    *ret_session = NULL;
    if (cipher == NULL || (md != NULL && EVP_MD_get_type(SSL_CIPHER_get_handshake_digest(cipher)) !=
                                             EVP_MD_get_type(md)))
        return 1;
    *ret_session = session_of(tls, cipher);
    if (*ret_session == NULL) {
        tls->no_memory = true;
        return 0;
    }
    *ret_id = tls->psk->identity;
    *ret_len = tls->psk->identity_len;
    return 1;
}

/* Identities are no secrets, but whether one is known should not show in a time. */
static bool is_identity(const struct osspi_tls_psk *psk, const void *identity, size_t len)
{
    return len == psk->identity_len && osspi_secret_equal(identity, psk->identity, len);
}

/* Server. What is not found may still be a ticket, or no PSK at all. */
static int on_find(SSL *ssl, const unsigned char *identity, size_t len, SSL_SESSION **ret_session)
{
    struct osspi_tls *tls = osspi_tls_of(ssl);
    const SSL_CIPHER *cipher = suite_for(tls);

    *ret_session = NULL;
    if (cipher == NULL || !is_identity(tls->psk, identity, len))
        return 1;
    *ret_session = session_of(tls, cipher);
    if (*ret_session == NULL || SSL_set_num_tickets(ssl, 0) != 1) {
        SSL_SESSION_free(*ret_session);
        *ret_session = NULL;
        tls->no_memory = true;
        return 0;
    }
    return 1;
}

/* ---- TLS 1.2 ---- */

static bool is_string(const struct osspi_psk *psk)
{
    return psk->identity_len < OSSPI_PSK_MAX_IDENTITY &&
           memchr(psk->identity, '\0', psk->identity_len) == NULL;
}

static unsigned int give_key(struct osspi_tls_psk *psk, unsigned char *key, unsigned int room)
{
    if (psk->key_len > room)
        return 0;
    memcpy(key, psk->key, psk->key_len);
    psk->used = true;
    return (unsigned int)psk->key_len;
}

static bool has_psk_suite(const SSL_CIPHER *cipher)
{
    return cipher != NULL && SSL_CIPHER_get_auth_nid(cipher) == NID_auth_psk;
}

/* Client, for its ClientKeyExchange. The server's hint is for people. */
static unsigned int on_client(SSL *ssl, const char *hint, char *identity,
                              unsigned int identity_room, unsigned char *key, unsigned int key_room)
{
    struct osspi_tls_psk *psk = osspi_tls_of(ssl)->psk;
    (void)hint;

    if (!has_psk_suite(SSL_get_pending_cipher(ssl)) || psk->identity_len >= identity_room)
        return 0;
    memcpy(identity, psk->identity, psk->identity_len + 1);
    return give_key(psk, key, key_room);
}

/* Server. The string ends at the first NUL that the client has sent, so the length that came over
 * the wire counts as well. */
static unsigned int on_server(SSL *ssl, const char *identity, unsigned char *key, unsigned int room)
{
    struct osspi_tls_psk *psk = osspi_tls_of(ssl)->psk;

    if (SSL_version(ssl) == TLS1_3_VERSION || identity == NULL ||
        psk->identity_heard != psk->identity_len || !is_identity(psk, identity, strlen(identity)))
        return 0;
    return give_key(psk, key, room);
}

void osspi_tls_psk_see(struct osspi_tls *tls, const uint8_t *message, size_t len)
{
    if (tls->psk != NULL && len >= SSL3_HM_HEADER_LENGTH + 2 &&
        message[0] == SSL3_MT_CLIENT_KEY_EXCHANGE)
        tls->psk->identity_heard =
            (size_t)message[SSL3_HM_HEADER_LENGTH] << 8 | message[SSL3_HM_HEADER_LENGTH + 1];
}

/* ---- both ---- */

/* A session that came out of a ticket says so. A client with a PSK offers no other. */
bool osspi_tls_psk_used(const struct osspi_tls *tls)
{
    if (tls->psk == NULL)
        return false;
    if (SSL_version(tls->ssl) != TLS1_3_VERSION)
        return tls->psk->used;
    return SSL_session_reused(tls->ssl) == 1 &&
           (!tls->server || osspi_ticket_until(SSL_get0_session(tls->ssl)) == INT64_MIN);
}

SECURITY_STATUS osspi_tls_psk_prepare(struct osspi_tls *tls, const struct osspi_psk *psk)
{
    tls->psk = osspi_alloc(sizeof(*tls->psk));
    if (tls->psk == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(tls->psk->key, psk->key, psk->key_len);
    tls->psk->key_len = psk->key_len;
    memcpy(tls->psk->identity, psk->identity, psk->identity_len);
    tls->psk->identity_len = psk->identity_len;
    if (tls->server)
        SSL_set_psk_find_session_callback(tls->ssl, on_find);
    else
        SSL_set_psk_use_session_callback(tls->ssl, on_use);
    tls->psk_suites = is_string(psk) ? tls->config->offer.psk_suites : 0;
    if (is_string(psk) && tls->server)
        SSL_set_psk_server_callback(tls->ssl, on_server);
    else if (is_string(psk))
        SSL_set_psk_client_callback(tls->ssl, on_client);
    return osspi_tls_narrow(tls->ssl, &tls->config->offer);
}

void osspi_tls_psk_clear(struct osspi_tls *tls)
{
    osspi_secret_free(tls->psk, tls->psk != NULL ? sizeof(*tls->psk) : 0);
    tls->psk = NULL;
}
