/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The handshake, a record at a time, and the exporter; see tls.h. OpenSSL gets exactly one record
 * per call, so that nothing behind Finished ever enters it.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "packages/schannel/tls_internal.h"

static enum osspi_tls_step fail(struct osspi_tls *tls)
{
    /* The session we offered may be the reason; the next connection tries without one. */
    if (tls->offered_session && tls->failure != SEC_E_INSUFFICIENT_MEMORY) {
        const struct osspi_session_name name = {tls->config->credential_id, tls->target};
        osspi_session_forget(&name);
    }
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
    if (len > 0 && !osspi_tls_feed(tls, record, len)) {
        osspi_tls_fail_with(tls, SEC_E_INVALID_TOKEN, "not one whole TLS record");
        return fail(tls);
    }

    OSSPI_IN_SHARD(tls->config->shard);
    ERR_clear_error();
    const int done = SSL_do_handshake(tls->ssl);
    const int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, done);
    /* A read that found nothing is the only way to be asked for more. */
    const bool wants_input = error == SSL_ERROR_WANT_READ;
    const bool all_read = tls->in_len == 0;
    tls->in = NULL;
    tls->in_len = 0;
    if (error == SSL_ERROR_ZERO_RETURN) /* OpenSSL calls it no error and gives no reason */
        osspi_tls_fail_with(tls, SEC_E_ILLEGAL_MESSAGE, "the peer closed during the handshake");
    if (tls->no_memory || (done != 1 && !wants_input)) {
        osspi_tls_fail(tls, "SSL_do_handshake");
        return fail(tls);
    }
    ERR_clear_error();
    if (!all_read) {
        osspi_tls_fail_with(tls, SEC_E_INTERNAL_ERROR, "SSL_do_handshake left bytes of a record");
        return fail(tls);
    }
    return done == 1 ? finish(tls) : OSSPI_TLS_WANT_INPUT;
}

SECURITY_STATUS osspi_tls_export(struct osspi_tls *tls, const char *label, size_t label_len,
                                 const uint8_t *context, size_t context_len, uint8_t *out,
                                 size_t out_len)
{
    if (tls->epoch != osspi_fork_epoch() || !tls->established)
        return SEC_E_UNSUPPORTED_FUNCTION;
    OSSPI_IN_SHARD(tls->config->shard);
    ERR_clear_error();
    const int ok = SSL_export_keying_material(tls->ssl, out, out_len, label, label_len, context,
                                              context_len, context != NULL);
    return ok == 1 ? SEC_E_OK : osspi_tls_queue_status(SEC_E_INTERNAL_ERROR);
}
