/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A datagram connection's side of OpenSSL (DTLS 1.2): made so that OpenSSL does nothing by itself.
 * Its timer never runs out, because the caller of SSPI owns the time; its MTU is the largest, and
 * its numbers and cookies are not used, because datagram.h makes all that leaves. What it reads is
 * numbered anew as well, so that a forged number cannot shut its window: which records come twice
 * is not a matter for the handshake, whose messages have numbers of their own.
 *
 * The cookie has been checked when OpenSSL gets to see a ClientHello; DTLSv1_listen() is the way to
 * tell it that the first two messages of the handshake are past.
 */
#include "packages/schannel/tls_datagram.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/srtp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/tls_internal.h"

#define LARGEST_MTU 65535
#define NEVER_US    2000000000u /* half an hour: far beyond a handshake's life */

static unsigned int on_timer(SSL *ssl, unsigned int timer_us)
{
    (void)ssl;
    (void)timer_us;
    return NEVER_US;
}

/* datagram_cookie.c has judged before. */
static int on_cookie(SSL *ssl, const unsigned char *cookie, unsigned int len)
{
    (void)ssl;
    (void)cookie;
    (void)len;
    return 1;
}

SECURITY_STATUS osspi_tls_set_datagram(SSL_CTX *ctx, const struct osspi_schannel_config *config)
{
    SECURITY_STATUS status;

    if (config->datagram_suites == 0)
        return SEC_E_ALGORITHM_MISMATCH;
    status = osspi_tls_set_suites12(ctx, config->datagram_suites);
    if (status != SEC_E_OK)
        return status;
    if (SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) != 1)
        return osspi_tls_queue_status(SEC_E_ALGORITHM_MISMATCH);
    SSL_CTX_set_cookie_verify_cb(ctx, on_cookie);
    SSL_CTX_set_options(ctx, SSL_OP_NO_QUERY_MTU);
    return SEC_E_OK;
}

/* ---- SRTP ---- */

static const struct {
    uint16_t number;
    const char *name;
} profiles[] = {
    {SRTP_AES128_CM_SHA1_80, "SRTP_AES128_CM_SHA1_80"},
    {SRTP_AES128_CM_SHA1_32, "SRTP_AES128_CM_SHA1_32"},
    {SRTP_AEAD_AES_128_GCM, "SRTP_AEAD_AES_128_GCM"},
    {SRTP_AEAD_AES_256_GCM, "SRTP_AEAD_AES_256_GCM"},
};

static const char *profile_name(const uint8_t *profile)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(profiles); i++) {
        if (profiles[i].number == (profile[0] << 8 | profile[1]))
            return profiles[i].name;
    }
    return NULL;
}

bool osspi_tls_srtp_known(const uint8_t *list, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        if (profile_name(list + i) != NULL)
            return true;
    }
    return false;
}

/* OpenSSL takes names with colons between; each at most once. */
static bool use_srtp(SSL *ssl, const uint8_t *list, size_t len)
{
    char names[128] = "";
    size_t used = 0;

    for (size_t i = 0; i + 1 < len; i += 2) {
        const char *name = profile_name(list + i);

        if (name == NULL || strstr(names, name) != NULL || used + strlen(name) + 2 > sizeof(names))
            continue;
        used +=
            (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ":" : "", name);
    }
    return used == 0 || SSL_set_tlsext_use_srtp(ssl, names) == 0; /* 0 is success here */
}

uint16_t osspi_tls_srtp_profile(const struct osspi_tls *tls)
{
    const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(tls->ssl);

    return profile == NULL ? 0 : (uint16_t)profile->id;
}

/* ---- making ---- */

bool osspi_tls_prepare_datagram(struct osspi_tls *tls, const struct osspi_datagram_setup *setup)
{
    SSL_set_options(tls->ssl, SSL_OP_NO_QUERY_MTU);
    if (SSL_set_mtu(tls->ssl, LARGEST_MTU) == 0)
        return false;
    DTLS_set_timer_cb(tls->ssl, on_timer);
    return setup->srtp == NULL || use_srtp(tls->ssl, setup->srtp, setup->srtp_len);
}

/* ---- a server's first record ---- */

enum osspi_tls_step osspi_tls_listen(struct osspi_tls *tls, const uint8_t *record, size_t len,
                                     bool *ret_heard)
{
    OSSPI_IN_SHARD(tls->config->shard);
    BIO_ADDR *nobody = BIO_ADDR_new();
    int heard = -1;

    *ret_heard = nobody == NULL;
    osspi_tls_errors_clear();
    if (nobody == NULL) {
        osspi_tls_fail_with(tls, SEC_E_INSUFFICIENT_MEMORY, "no memory");
        return OSSPI_TLS_FAILED;
    }
    if (osspi_tls_feed(tls, record, len))
        heard = DTLSv1_listen(tls->ssl, nobody);
    BIO_ADDR_free(nobody);
    tls->in = NULL;
    tls->in_len = 0;
    *ret_heard = heard == 1 || tls->no_memory;
    if (heard != 1) {
        osspi_tls_fail(tls, "DTLSv1_listen");
        *ret_heard = *ret_heard || tls->failure == SEC_E_INSUFFICIENT_MEMORY;
        return OSSPI_TLS_FAILED;
    }
    return osspi_tls_handshake(tls, NULL, 0);
}

/* ---- keys ---- */

static enum osspi_aead_kind kind_of(const struct osspi_suite *suite)
{
    if (strcmp(suite->cipher, "CHACHA20_POLY1305") == 0)
        return OSSPI_AEAD_CHACHA20_POLY1305;
    return suite->cipher_bits == 256 ? OSSPI_AEAD_AES_256_GCM : OSSPI_AEAD_AES_128_GCM;
}

SECURITY_STATUS osspi_tls_datagram_keys(struct osspi_tls *tls, struct osspi_datagram_keys *ret_keys)
{
    OSSPI_IN_SHARD(tls->config->shard);
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
    const SSL_SESSION *session = SSL_get_session(tls->ssl);
    const struct osspi_suite *suite =
        cipher == NULL ? NULL : osspi_suite_find(SSL_CIPHER_get_protocol_id(cipher));

    *ret_keys = (struct osspi_datagram_keys){.shard = tls->config->shard};
    if (suite == NULL || !suite->aead || session == NULL ||
        SSL_SESSION_get_master_key(session, ret_keys->master, sizeof(ret_keys->master)) !=
            sizeof(ret_keys->master) ||
        SSL_get_client_random(tls->ssl, ret_keys->randoms, 32) != 32 ||
        SSL_get_server_random(tls->ssl, ret_keys->randoms + 32, 32) != 32) {
        osspi_secure_zero(ret_keys, sizeof(*ret_keys));
        return SEC_E_INTERNAL_ERROR;
    }
    ret_keys->kind = kind_of(suite);
    ret_keys->hash = strcmp(suite->prf_hash, "SHA384") == 0 ? OSSPI_HMAC_SHA384 : OSSPI_HMAC_SHA256;
    return SEC_E_OK;
}
