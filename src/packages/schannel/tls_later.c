/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handshakes after the handshake, on the side of the TLS library: renegotiation of TLS 1.2
 * (RFC 5246, 7.4.1.1; RFC 5746) and authentication after the handshake in TLS 1.3 (RFC
 * 8446, 4.6.2); see tls.h. They run through osspi_tls_handshake() like the first one.
 *
 * A renegotiation keeps version, suite and server name: what our record protection and its callers
 * were told of sizes stays true, and nobody becomes somebody else. It is always a full one, and its
 * session serves no other connection.
 */
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <opensspi.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/tls_callbacks.h"
#include "packages/schannel/tls_internal.h"
#include "packages/schannel/vector.h"

/* ---- whether there may be any ---- */

static bool has_extension(const uint8_t *at, size_t len, unsigned wanted)
{
    const uint8_t *end = at + len, *bytes;

    while (end - at >= 2) {
        const unsigned type = (unsigned)at[0] << 8 | at[1];
        size_t bytes_len;

        at += 2;
        if (!osspi_vector_take(&at, end, 2, &bytes, &bytes_len))
            return false;
        if (type == wanted)
            return true;
    }
    return false;
}

/* version, random, session id, suites, compression, extensions (RFC 8446, 4.1.2). */
void osspi_tls_see_client_hello(struct osspi_tls *tls, const uint8_t *body, size_t len)
{
    const uint8_t *at = body, *end = body + len, *bytes;
    size_t bytes_len;

    tls->peer_takes_requests = false;
    if (len < 34 || tls->messages != NULL) /* QUIC forbids them (RFC 9001, 4.4) */
        return;
    at += 34;
    if (osspi_vector_take(&at, end, 1, &bytes, &bytes_len) &&
        osspi_vector_take(&at, end, 2, &bytes, &bytes_len) &&
        osspi_vector_take(&at, end, 1, &bytes, &bytes_len) &&
        osspi_vector_take(&at, end, 2, &bytes, &bytes_len))
        tls->peer_takes_requests = has_extension(bytes, bytes_len, TLSEXT_TYPE_post_handshake_auth);
}

uint32_t osspi_tls_later_allowed(const struct osspi_tls *tls)
{
    const struct osspi_tls_options *options = &tls->config->options;
    bool allowed;

    if (SSL_version(tls->ssl) == TLS1_3_VERSION)
        allowed = (options->flags & OSSPI_TLS_POST_HANDSHAKE_AUTH) != 0 &&
                  (tls->config->flags & SCH_USE_PRESHAREDKEY_ONLY) == 0 &&
                  (tls->server ? tls->peer_takes_requests : tls->takes_requests);
    else
        allowed = (options->flags & OSSPI_TLS_RENEGOTIATION) != 0 &&
                  SSL_version(tls->ssl) == TLS1_2_VERSION &&
                  SSL_get_secure_renegotiation_support(tls->ssl) == 1;
    return allowed ? options->max_renegotiations : 0;
}

bool osspi_tls_later_wanted(const struct osspi_tls *tls)
{
    const uint32_t flag = SSL_version(tls->ssl) == TLS1_3_VERSION ? OSSPI_TLS_POST_HANDSHAKE_AUTH
                                                                  : OSSPI_TLS_RENEGOTIATION;

    return (tls->config->options.flags & flag) != 0;
}

/* ---- preparing one ---- */

/* What the handshake before has left behind. */
static void forget(struct osspi_tls *tls)
{
    tls->established = false;
    tls->later = true;
    tls->finished_sent = false;
    tls->asked_for_certificate = false;
    tls->told_incomplete = false;
    tls->wants_blocking = tls->wants_credentials = tls->suspended = false;
    tls->presented = NULL;
    osspi_ders_unref(OSSPI_TAKE(tls->issuers));
    tls->issuers_known = tls->issuers_taken = false;
    tls->allow_tickets = false;
    tls->status_promised = false;
}

/* The name under which the client has come; it may not come under another. */
static SECURITY_STATUS keep_name(struct osspi_tls *tls)
{
    const char *name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);

    if (tls->known_as != NULL || name == NULL)
        return SEC_E_OK;
    tls->known_as = osspi_strdup(name);
    return tls->known_as != NULL ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

/* OpenSSL negotiates no protocol in a renegotiation, and forgets the one that there was. */
static SECURITY_STATUS keep_protocol(struct osspi_tls *tls)
{
    const unsigned char *protocol = NULL;
    unsigned int len = 0;

    SSL_get0_alpn_selected(tls->ssl, &protocol, &len);
    if (tls->agreed != NULL || len == 0)
        return SEC_E_OK;
    tls->agreed = osspi_memdup(protocol, len);
    tls->agreed_len = len;
    return tls->agreed != NULL ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

bool osspi_tls_same_name(const struct osspi_tls *tls)
{
    const char *name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);

    if (name == NULL || tls->known_as == NULL)
        return name == NULL && tls->known_as == NULL;
    return OPENSSL_strcasecmp(name, tls->known_as) == 0;
}

/* A server that has asked for a certificate once goes on to ask. */
static void ask_for_certificate(struct osspi_tls *tls)
{
    const int mode = SSL_get_verify_mode(tls->ssl);

    SSL_set_verify(tls->ssl,
                   mode | SSL_VERIFY_PEER |
                       (tls->config->policy.require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                   NULL);
}

/*
 * Sessions of it serve nobody, and none serves it. A server's belong to a context that no other
 * connection has, and a client keeps none. In TLS 1.2 tickets come and go as before all the same:
 * GnuTLS waits for one where it had one, and issues one to who has taken one. OpenSSL's option
 * against resumption in a renegotiation would keep it from issuing them.
 */
static bool stop_sessions(struct osspi_tls *tls)
{
    unsigned char nobodys[32];

    if (!tls->server)
        return true;
    return SSL_set_num_tickets(tls->ssl, 0) == 1 &&
           RAND_bytes_ex(tls->config->shard->libctx, nobodys, sizeof(nobodys), 0) == 1 &&
           SSL_set_session_id_context(tls->ssl, nobodys, sizeof(nobodys)) == 1;
}

/* The same version and suite. */
static bool pin(struct osspi_tls *tls)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);

    SSL_clear_options(tls->ssl, SSL_OP_NO_RENEGOTIATION);
    /* HelloRequests of ours are none of OpenSSL's: all that it sees is a client that begins. */
    SSL_set_options(tls->ssl, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    return cipher != NULL && SSL_set_cipher_list(tls->ssl, SSL_CIPHER_get_name(cipher)) == 1 &&
           SSL_set_min_proto_version(tls->ssl, TLS1_2_VERSION) == 1 &&
           SSL_set_max_proto_version(tls->ssl, TLS1_2_VERSION) == 1;
}

SECURITY_STATUS osspi_tls_later_prepare(struct osspi_tls *tls, bool request_client_cert)
{
    SECURITY_STATUS status = SEC_E_OK;

    if (tls->epoch != osspi_fork_epoch())
        return SEC_E_CONTEXT_EXPIRED;
    OSSPI_IN_SHARD(tls->config->shard);
    osspi_tls_errors_clear();
    if (tls->server)
        status = keep_name(tls);
    if (status == SEC_E_OK)
        status = keep_protocol(tls);
    if (status == SEC_E_OK && SSL_version(tls->ssl) != TLS1_3_VERSION && !pin(tls))
        status = osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
    if (status == SEC_E_OK && !stop_sessions(tls))
        status = SEC_E_INTERNAL_ERROR;
    osspi_tls_errors_clear();
    if (status != SEC_E_OK)
        return status;
    if (tls->server && request_client_cert)
        ask_for_certificate(tls);
    forget(tls);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_tls_later_credential(struct osspi_tls *tls,
                                           struct osspi_schannel_credential *credential,
                                           bool default_credentials)
{
    const SECURITY_STATUS status = osspi_tls_supply(tls, credential, default_credentials);

    tls->told_incomplete = false; /* nobody has asked yet */
    return status;
}

SECURITY_STATUS osspi_tls_later_start(struct osspi_tls *tls)
{
    SECURITY_STATUS status = SEC_E_OK;

    OSSPI_IN_SHARD(tls->config->shard);
    osspi_tls_errors_clear();
    const int ready =
        tls->server ? SSL_verify_client_post_handshake(tls->ssl) : SSL_renegotiate(tls->ssl);
    if (ready != 1)
        status = osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
    osspi_tls_errors_clear();
    return status;
}

SECURITY_STATUS osspi_tls_later_update(struct osspi_tls *tls, const uint8_t *record, size_t len)
{
    size_t data_len = 0;
    char byte;
    bool done;

    if (tls->epoch != osspi_fork_epoch())
        return SEC_E_CONTEXT_EXPIRED;
    OSSPI_IN_SHARD(tls->config->shard);
    osspi_tls_errors_clear();
    if (record != NULL) {
        done = osspi_tls_feed(tls, record, len) &&
               SSL_get_error(tls->ssl, SSL_read_ex(tls->ssl, &byte, 1, &data_len)) ==
                   SSL_ERROR_WANT_READ;
        tls->in = NULL;
        tls->in_len = 0;
    } else {
        done = SSL_key_update(tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
               SSL_do_handshake(tls->ssl) == 1;
        osspi_tls_flight_sent(tls);
    }
    const SECURITY_STATUS status = done ? SEC_E_OK : osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
    osspi_tls_errors_clear();
    return status;
}

void osspi_tls_later_await(struct osspi_tls *tls)
{
    tls->established = false;
}

/* ---- the handshake ---- */

int osspi_tls_later_run(struct osspi_tls *tls)
{
    size_t len = 0;
    char byte;

    if (tls->in_len == 0 || SSL_in_init(tls->ssl))
        return SSL_do_handshake(tls->ssl);
    /* It begins with a message of the peer's, which only reading takes. */
    const int read = SSL_read_ex(tls->ssl, &byte, 1, &len);
    if (read == 1)
        osspi_tls_fail_with(tls, SEC_E_INTERNAL_ERROR, "SSL_read_ex gave data of a handshake");
    else if (!SSL_in_init(tls->ssl) && SSL_get_error(tls->ssl, read) == SSL_ERROR_WANT_READ)
        return 1;
    return read == 1 ? -1 : read;
}

/* ---- what comes of it ---- */

SECURITY_STATUS osspi_tls_later_keys(struct osspi_tls *tls, struct osspi_tls_keys *ret_keys)
{
    *ret_keys = (struct osspi_tls_keys){.shard = tls->config->shard};
    const size_t len = SSL_SESSION_get_master_key(SSL_get_session(tls->ssl), ret_keys->master,
                                                  sizeof(ret_keys->master));

    if (len != sizeof(ret_keys->master) ||
        SSL_get_client_random(tls->ssl, ret_keys->client_random, 32) != 32 ||
        SSL_get_server_random(tls->ssl, ret_keys->server_random, 32) != 32)
        return SEC_E_INTERNAL_ERROR;
    return SEC_E_OK;
}
