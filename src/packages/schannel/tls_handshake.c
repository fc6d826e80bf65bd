/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The handshake, a record at a time, and the exporter; see tls.h. OpenSSL gets exactly one record
 * per call, so that nothing behind Finished ever enters it.
 *
 * Where a callback has to wait, OpenSSL is left standing inside the record (WANT_X509_LOOKUP,
 * WANT_RETRY_VERIFY), and the next call goes on there. A server's verification of a client's
 * certificate is the one place that cannot stand still, so its record is not fed at all before
 * waiting is allowed.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "base/foreign.h"
#include "base/memory.h"
#include "packages/schannel/provider.h"
#include "packages/schannel/tls_early.h"
#include "packages/schannel/tls_internal.h"

/* finished: our Finished is in the flight that was made now. */
static enum osspi_tls_step fail(struct osspi_tls *tls, bool finished)
{
    /* The session we offered may be the reason; the next connection tries without one. */
    if (tls->offered_session && tls->failure != SEC_E_INSUFFICIENT_MEMORY) {
        const struct osspi_session_name name = {tls->session_owner, tls->target};
        osspi_session_forget(&name);
    }
    /* Only an alert may leave. A Finished would let the peer believe that all is well, and an alert
     * behind it cannot be read without it. */
    if (!tls->alert_sent || finished)
        osspi_tls_flight_sent(tls);
    return OSSPI_TLS_FAILED;
}

static enum osspi_tls_step finish(struct osspi_tls *tls)
{
    static const uint16_t limits[] = {OSSPI_TLS_MAX_FRAGMENT, 512, 1024, 2048, 4096};
    const uint8_t limit = SSL_SESSION_get_max_fragment_length(SSL_get0_session(tls->ssl));

    if (limit < sizeof(limits) / sizeof(limits[0]))
        tls->max_fragment = limits[limit];
    tls->established = true;
    return OSSPI_TLS_DONE;
}

/* ---- waiting ---- */

void osspi_tls_lane(struct osspi_tls *tls, enum osspi_lane lane)
{
    tls->may_block = lane == OSSPI_LANE_BLOCKING;
}

bool osspi_tls_may_block(const struct osspi_tls *tls)
{
    return tls->may_block;
}

void osspi_tls_want_blocking(struct osspi_tls *tls, const char *class_name)
{
    tls->wants_blocking = true;
    snprintf(tls->class_name, sizeof(tls->class_name), "%s", class_name);
}

bool osspi_tls_suspended(const struct osspi_tls *tls)
{
    return tls->suspended;
}

const char *osspi_tls_class(const struct osspi_tls *tls)
{
    return tls->class_name;
}

/* A session that was verified, and found good, stands for its certificate: nothing else resumes
 * where somebody verifies. */
static bool is_verified_session(const struct osspi_tls *tls)
{
    return tls->established && SSL_session_reused(tls->ssl) == 1 &&
           SSL_get0_peer_certificate(tls->ssl) != NULL &&
           (tls->server ? tls->verify_peer : tls->origin.chain_verified);
}

void osspi_tls_get_check(const struct osspi_tls *tls, struct osspi_tls_check *ret_check)
{
    *ret_check = tls->check;
    if (!ret_check->known && is_verified_session(tls))
        *ret_check = (struct osspi_tls_check){.known = true, .result = S_OK};
}

/* A client's certificate may be in the next record, and its verification cannot stand still. */
static bool next_record_waits(struct osspi_tls *tls)
{
    if (!tls->asked_for_certificate || !tls->verify_peer || !tls->config->verify_may_wait ||
        tls->may_block)
        return false;
    osspi_tls_want_blocking(tls, "revocation");
    return true;
}

static bool is_suspension(int error)
{
    return error == SSL_ERROR_WANT_X509_LOOKUP || error == SSL_ERROR_WANT_RETRY_VERIFY;
}

/* ---- the handshake ---- */

enum osspi_tls_step osspi_tls_handshake(struct osspi_tls *tls, const uint8_t *record, size_t len)
{
    if (tls->epoch != osspi_fork_epoch())
        osspi_tls_fail_with(tls, SEC_E_CONTEXT_EXPIRED, "the process has forked");
    if (tls->failure != SEC_E_OK)
        return OSSPI_TLS_FAILED;
    if (tls->established)
        return OSSPI_TLS_DONE;
    if (tls->closed_out) {
        osspi_tls_fail_with(tls, SEC_E_CONTEXT_EXPIRED, "closed during the handshake");
        return OSSPI_TLS_FAILED;
    }
    if (len > 0 && next_record_waits(tls))
        return OSSPI_TLS_WANT_BLOCKING;
    tls->wants_blocking = tls->wants_credentials = false;
    if (len > 0 && (tls->suspended || !osspi_tls_feed(tls, record, len))) {
        osspi_tls_fail_with(tls, SEC_E_INVALID_TOKEN, "not one whole TLS record");
        return fail(tls, false);
    }

    OSSPI_IN_SHARD(tls->config->shard);
    /* On the blocking lane the key may be in a device, and the device may hang. */
    __attribute__((unused)) bool fast osspi_auto(osspi_foreign_restore) =
        osspi_foreign_set_slow(tls->may_block);
    __attribute__((unused)) struct osspi_secrets_scope secrets osspi_auto(osspi_secrets_end) =
        osspi_secrets_begin(osspi_tls_on_derived, tls);
    if (tls->messages != NULL)
        osspi_secrets_tell_both();
    osspi_tls_errors_clear();
    const bool finished_before = tls->finished_sent;
    const int done = tls->later ? osspi_tls_later_run(tls) : osspi_tls_early_run(tls);
    const int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, done);
    /* A read that found nothing is the only way to be asked for more. */
    const bool wants_input = error == SSL_ERROR_WANT_READ;
    tls->suspended = (tls->wants_blocking || tls->wants_credentials) && is_suspension(error);
    osspi_tls_note_finished(tls);
    const bool finished = !finished_before && tls->finished_sent;
    const bool all_read = tls->in_len == 0;
    tls->in = NULL;
    tls->in_len = 0;
    if (error == SSL_ERROR_ZERO_RETURN) /* OpenSSL calls it no error and gives no reason */
        osspi_tls_fail_with(tls, SEC_E_ILLEGAL_MESSAGE, "the peer closed during the handshake");
    if (tls->no_memory || (done != 1 && !wants_input && !tls->suspended)) {
        osspi_tls_fail(tls, "SSL_do_handshake");
        return fail(tls, finished);
    }
    osspi_tls_errors_clear();
    if (tls->extensions != NULL && tls->extensions->broken) {
        tls->extension_broken = true;
        osspi_tls_fail_with(tls, SEC_E_ILLEGAL_MESSAGE,
                            "the peer has sent an extension twice, or changed it");
        return fail(tls, true);
    }
    if (!all_read) {
        osspi_tls_fail_with(tls, SEC_E_INTERNAL_ERROR, "SSL_do_handshake left bytes of a record");
        return fail(tls, finished);
    }
    if (tls->suspended)
        return tls->wants_credentials ? OSSPI_TLS_WANT_CREDENTIALS : OSSPI_TLS_WANT_BLOCKING;
    return done == 1 ? finish(tls) : OSSPI_TLS_WANT_INPUT;
}

void osspi_tls_randoms(struct osspi_tls *tls, uint8_t ret_randoms[64])
{
    SSL_get_client_random(tls->ssl, ret_randoms, 32);
    SSL_get_server_random(tls->ssl, ret_randoms + 32, 32);
}

SECURITY_STATUS osspi_tls_export(struct osspi_tls *tls, const char *label, size_t label_len,
                                 const uint8_t *context, size_t context_len, uint8_t *out,
                                 size_t out_len)
{
    if (tls->epoch != osspi_fork_epoch() || !tls->established)
        return SEC_E_UNSUPPORTED_FUNCTION;
    OSSPI_IN_SHARD(tls->config->shard);
    osspi_tls_errors_clear();
    const int ok = SSL_export_keying_material(tls->ssl, out, out_len, label, label_len, context,
                                              context_len, context != NULL);
    return ok == 1 ? SEC_E_OK : osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
}
