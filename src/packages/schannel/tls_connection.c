/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One TLS connection: making it, its flight, its alerts, its end; see tls.h. Not thread-safe: the
 * caller serialises calls on one connection.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <opensspi.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/client_cert.h"
#include "packages/schannel/message_tls.h"
#include "packages/schannel/tls_callbacks.h"
#include "packages/schannel/tls_early.h"
#include "packages/schannel/tls_hello.h"
#include "packages/schannel/tls_internal.h"
#include "packages/schannel/tls_psk.h"
#include "packages/schannel/verify.h"

#define FLIGHT_KEPT 4096u /* a larger flight buffer is freed once it is sent */
#define CLOSE_ROOM  128u  /* more than an alert can be with IV, MAC and padding */

/* ---- making and freeing ---- */

static bool copy_setup(struct osspi_tls *tls, const struct osspi_tls_setup *setup)
{
    tls->server = setup->server;
    tls->target_is_ip = setup->target_is_ip;
    tls->verify_peer = setup->verify_peer;
    tls->verify_name = setup->verify_name;
    tls->defer = setup->defer;
    tls->default_credentials = setup->default_credentials;
    tls->user = setup->credential->user;
    tls->datagram = setup->datagram != NULL;
    tls->messages = setup->messages;
    tls->extensions = setup->extensions;
    tls->session_owner = osspi_credential_sessions(setup->credential) |
                         (tls->datagram ? OSSPI_DATAGRAM_SESSIONS : 0) |
                         (tls->messages ? OSSPI_MESSAGE_SESSIONS : 0);
    tls->max_fragment = OSSPI_TLS_MAX_FRAGMENT;
    tls->origin.not_after = INT64_MAX;
    if (setup->target != NULL) {
        tls->target = osspi_strdup(setup->target);
        if (tls->target == NULL)
            return false;
    }
    if (setup->alpn != NULL && setup->alpn_len > 0) {
        tls->alpn = osspi_memdup(setup->alpn, setup->alpn_len);
        if (tls->alpn == NULL)
            return false;
        tls->alpn_len = setup->alpn_len;
    }
    return true;
}

static bool demands_certificate(const struct osspi_tls *tls, const struct osspi_tls_setup *setup)
{
    return setup->require_client_cert || tls->config->policy.require;
}

/* A pre-shared key is no certificate: where a client has to show one it does not count. */
static bool can_authenticate(const struct osspi_tls *tls, const struct osspi_tls_setup *setup)
{
    const bool has_psk = setup->psk != NULL && !(tls->server && demands_certificate(tls, setup));

    if ((tls->config->flags & SCH_USE_PRESHAREDKEY_ONLY) != 0)
        return has_psk;
    return !tls->server || tls->config->set->count > 0 || has_psk;
}

static bool prepare_server(struct osspi_tls *tls, const struct osspi_tls_setup *setup)
{
    const struct osspi_client_policy *policy = &tls->config->policy;
    const bool require = demands_certificate(tls, setup);
    const bool request = setup->request_client_cert || policy->request || require;

    /* Part of the session's context: a session from a connection that asked for no certificate, or
     * did not verify it, must not serve one that does. */
    tls->policy_bits =
        (uint8_t)((request ? 1 : 0) | (request && setup->verify_peer ? 2 : 0) | (require ? 4 : 0) |
                  (tls->messages != NULL ? OSSPI_POLICY_MESSAGES : 0));
    if (!osspi_hello_set_context(tls, tls->config->session_context))
        return false;
    /* Without FAIL_IF_NO_PEER_CERT a request is no requirement, and the application decides. */
    if (request)
        SSL_set_verify(tls->ssl, SSL_VERIFY_PEER | (require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       NULL);
    if (!tls->allow_tickets) {
        SSL_set_options(tls->ssl, SSL_OP_NO_TICKET);
        if (SSL_set_num_tickets(tls->ssl, 0) != 1)
            return false;
    }
    SSL_set_accept_state(tls->ssl);
    return true;
}

static bool prepare_client(struct osspi_tls *tls)
{
    if (tls->target != NULL && !tls->target_is_ip &&
        SSL_set_tlsext_host_name(tls->ssl, tls->target) != 1)
        return false;
    /* This one function of OpenSSL returns 0 for success. */
    if (tls->alpn != NULL &&
        SSL_set_alpn_protos(tls->ssl, tls->alpn, (unsigned int)tls->alpn_len) != 0)
        return false;
    if (!tls->allow_tickets)
        SSL_set_options(tls->ssl, SSL_OP_NO_TICKET);
    if (tls->takes_requests)
        SSL_set_post_handshake_auth(tls->ssl, 1);
    SSL_set_cert_cb(tls->ssl, osspi_client_cert_choose, NULL);
    SSL_set_connect_state(tls->ssl);
    return osspi_verify_prepare(tls);
}

static void start_origin(struct osspi_tls *tls)
{
    tls->origin.expires = (int64_t)time(NULL) + tls->config->lifespan_s;
}

/* Offers a session of an earlier connection, if there is one; decides the shard with it. */
static SSL_SESSION *find_session(struct osspi_tls *tls, uint64_t credential_id, uint32_t *shard)
{
    const struct osspi_session_name name = {credential_id, tls->target};
    struct osspi_session_origin origin;

    if (tls->server || !tls->allow_tickets || tls->target == NULL)
        return NULL;
    SSL_SESSION *session =
        osspi_session_take(&name, tls->verify_peer, tls->verify_name, shard, &origin);
    if (session != NULL)
        tls->origin = origin;
    return session;
}

static SECURITY_STATUS make_ssl(struct osspi_tls *tls, const struct osspi_tls_setup *setup,
                                SSL_SESSION *session)
{
    tls->ssl = SSL_new(tls->config->ctx);
    if (tls->ssl == NULL)
        return osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
    BIO *bio = osspi_tls_bio_new(tls);
    if (bio == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    SSL_set_bio(tls->ssl, bio, bio);
    /* Our callbacks find the connection by it. */
    if (SSL_set_app_data(tls->ssl, tls) != 1)
        return SEC_E_INSUFFICIENT_MEMORY;
    SSL_set_msg_callback(tls->ssl, osspi_tls_on_message);
    SSL_set_msg_callback_arg(tls->ssl, tls);
    if (tls->datagram && !osspi_tls_prepare_datagram(tls, setup->datagram))
        return osspi_tls_queue_status(SEC_E_INSUFFICIENT_MEMORY);
    tls->takes_requests = !tls->server && !setup->refuse_requests &&
                          (tls->config->flags & SCH_USE_PRESHAREDKEY_ONLY) == 0 &&
                          (tls->config->options.flags & OSSPI_TLS_POST_HANDSHAKE_AUTH) != 0;
    if (!(tls->server ? prepare_server(tls, setup) : prepare_client(tls)) ||
        (tls->messages != NULL && !osspi_messages_prepare(tls)))
        return osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
    if (!osspi_tls_early_prepare(tls))
        return SEC_E_INSUFFICIENT_MEMORY;
    if (setup->psk != NULL && !(tls->server && demands_certificate(tls, setup))) {
        const SECURITY_STATUS status = osspi_tls_psk_prepare(tls, setup->psk);
        if (status != SEC_E_OK)
            return status;
    }
    if (session != NULL)
        tls->offered_session = SSL_set_session(tls->ssl, session) == 1;
    if (!tls->offered_session) {
        tls->origin = (struct osspi_session_origin){.not_after = INT64_MAX};
        start_origin(tls);
    }
    return SEC_E_OK;
}

static SECURITY_STATUS build(struct osspi_tls *tls, const struct osspi_tls_setup *setup)
{
    uint32_t shard = osspi_shard_mine();

    if (!copy_setup(tls, setup))
        return SEC_E_INSUFFICIENT_MEMORY;
    /* A client's key stands for itself: no session beside it, and none of it. */
    tls->allow_tickets = setup->allow_tickets && (tls->server || setup->psk == NULL) &&
                         (setup->credential->config->flags & SCH_CRED_DISABLE_RECONNECTS) == 0;
    SSL_SESSION *session = find_session(tls, tls->session_owner, &shard);
    OSSPI_IN_SHARD(osspi_shard_get(shard));
    SECURITY_STATUS status = osspi_tls_config_get_with(setup->credential, shard, tls->datagram,
                                                       tls->extensions, &tls->config);
    osspi_tls_errors_clear();
    /* The certificates were changed in between: the session speaks for the old ones. */
    const uint64_t owner = tls->config == NULL ? 0
                                               : tls->config->credential_id |
                                                     (tls->session_owner & OSSPI_MESSAGE_SESSIONS);
    if (status == SEC_E_OK && owner != tls->session_owner) {
        SSL_SESSION_free(session);
        session = NULL;
        tls->session_owner = owner;
    }
    if (status == SEC_E_OK && !can_authenticate(tls, setup))
        status = SEC_E_NO_CREDENTIALS;
    if (status == SEC_E_OK && tls->messages != NULL &&
        (tls->config->offer.versions & OSSPI_VERSION_BIT(TLS1_3_VERSION)) == 0)
        status = SEC_E_ALGORITHM_MISMATCH;
    if (status == SEC_E_OK)
        status = make_ssl(tls, setup, session);
    SSL_SESSION_free(session);
    osspi_tls_errors_clear();
    return status;
}

static void free_tlsp(struct osspi_tls **tls)
{
    osspi_tls_free(*tls);
}

SECURITY_STATUS osspi_tls_new(const struct osspi_tls_setup *setup, struct osspi_tls **ret_tls)
{
    struct osspi_tls *tls osspi_auto(free_tlsp) = osspi_alloc(sizeof(*tls));
    if (tls == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    tls->epoch = osspi_fork_epoch();
    const SECURITY_STATUS status = build(tls, setup);
    if (status == SEC_E_OK)
        *ret_tls = OSSPI_TAKE(tls);
    return status;
}

/* OpenSSL from 3.2 on frees a record layer twice when it frees a connection of DTLS that failed
 * between making its ChangeCipherSpec and its Finished. Nothing but want of memory ends a handshake
 * there, and a leak is better than a crash. */
static bool must_not_be_freed(const struct osspi_tls *tls)
{
    return tls->datagram && !tls->finished_sent &&
           (tls->failure == SEC_E_INSUFFICIENT_MEMORY ||
            (tls->failure != SEC_E_OK && tls->write_protected)) &&
           OpenSSL_version_num() >= 0x30200000UL;
}

void osspi_tls_free(struct osspi_tls *tls)
{
    if (tls == NULL)
        return;
    osspi_secret_free(tls->flight, tls->flight_size);
    tls->flight = NULL;
    tls->flight_len = tls->flight_size = 0;
    osspi_tls_psk_clear(tls);
    osspi_tls_early_clear(tls);
    if (tls->epoch != osspi_fork_epoch() || must_not_be_freed(tls)) {
        osspi_shard_abandon(&tls->abandoned);
        return;
    }
    OSSPI_IN_SHARD(tls->config == NULL ? NULL : tls->config->shard);
    if (tls->ssl != NULL) {
        /* Keeps SSL_free() from looking for the session in a cache that is not used. */
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        osspi_tls_wipe_schedule(tls);
        SSL_free(tls->ssl);
        osspi_tls_errors_clear();
    }
    osspi_tls_config_unref(tls->supplied);
    osspi_verify_clear(tls);
    osspi_tls_config_unref(tls->config);
    osspi_identity_set_unref(tls->set);
    osspi_material_clear(&tls->own);
    osspi_ders_unref(tls->issuers);
    osspi_free(tls->target);
    osspi_free(tls->known_as);
    osspi_free(tls->agreed);
    osspi_free(tls->alpn);
    osspi_secret_free(tls, sizeof(*tls));
}

/* ---- what the caller asks ---- */

SECURITY_STATUS osspi_tls_failure(const struct osspi_tls *tls)
{
    return tls->failure;
}

const char *osspi_tls_detail(const struct osspi_tls *tls)
{
    return tls->detail;
}

void osspi_tls_flight(const struct osspi_tls *tls, const uint8_t **ret_bytes, size_t *ret_len)
{
    *ret_bytes = tls->flight;
    *ret_len = tls->flight_len;
}

void osspi_tls_flight_sent(struct osspi_tls *tls)
{
    if (tls->flight_size > FLIGHT_KEPT) {
        osspi_secret_free(tls->flight, tls->flight_len);
        tls->flight = NULL;
        tls->flight_size = 0;
    } else if (tls->flight_len > 0) {
        osspi_secure_zero(tls->flight, tls->flight_len);
    }
    tls->flight_len = 0;
}

/* ---- alerts ---- */

static SECURITY_STATUS close_notify(struct osspi_tls *tls)
{
    /* Room first: what fails here can be tried again. */
    if (!osspi_tls_flight_reserve(tls, CLOSE_ROOM)) {
        tls->no_memory = false;
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    OSSPI_IN_SHARD(tls->config->shard);
    osspi_tls_errors_clear();
    const int sent = SSL_shutdown(tls->ssl);
    const SECURITY_STATUS status =
        sent >= 0 ? SEC_E_OK : osspi_tls_queue_status(SEC_E_UNSUPPORTED_FUNCTION);
    osspi_tls_errors_clear();
    return tls->no_memory ? SEC_E_INSUFFICIENT_MEMORY : status;
}

static SECURITY_STATUS plain_alert(struct osspi_tls *tls, uint8_t level, uint8_t description)
{
    const uint8_t record[] = {OSSPI_TLS_TYPE_ALERT, 3, 3, 0, 2, level, description};

    if (!osspi_tls_flight_reserve(tls, sizeof(record)))
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(tls->flight + tls->flight_len, record, sizeof(record));
    tls->flight_len += sizeof(record);
    return SEC_E_OK;
}

SECURITY_STATUS osspi_tls_alert(struct osspi_tls *tls, uint8_t level, uint8_t description)
{
    SECURITY_STATUS status = SEC_E_UNSUPPORTED_FUNCTION;

    if (tls->epoch != osspi_fork_epoch())
        return SEC_E_CONTEXT_EXPIRED;
    if (tls->closed_out || tls->alert_sent)
        return SEC_E_OK; /* said once, and nothing can follow */
    if (tls->established && description == SSL3_AD_CLOSE_NOTIFY && tls->failure == SEC_E_OK)
        status = close_notify(tls);
    else if (!tls->established && !tls->write_protected)
        status = plain_alert(tls, level, description);
    if (status == SEC_E_OK)
        tls->closed_out = true;
    return status;
}
