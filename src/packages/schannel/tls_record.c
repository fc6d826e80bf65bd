/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Records after the handshake through OpenSSL's own record layer; see tls.h. One record in, what it
 * held out; one fragment in, one record out. For suites without AEAD, and for the tickets of the
 * others, which only OpenSSL understands.
 *
 * Limits. OpenSSL ends a connection after 32 empty records in a row; we end it after
 * MAX_POST_HANDSHAKE handshake records in a row, and when the key has sealed as much as it may.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "packages/schannel/tls_internal.h"

#define MAX_POST_HANDSHAKE 64u
#define CIPHER_BLOCK       16u
#define MAX_BLOCKS         UINT64_C(24296004000) /* 2^34.5, as RFC 8446 5.5 has it for AES-GCM */
#define RECORD_OVERHEAD    512u                  /* header, nonce, padding, MAC, an alert before */

static bool is_usable(struct osspi_tls *tls)
{
    if (tls->epoch != osspi_fork_epoch())
        osspi_tls_fail_with(tls, SEC_E_CONTEXT_EXPIRED, "the process has forked");
    else if (!tls->established)
        osspi_tls_fail_with(tls, SEC_E_INTERNAL_ERROR, "the handshake is not complete");
    return tls->failure == SEC_E_OK;
}

/* ---- opening ---- */

static enum osspi_tls_record absorbed(struct osspi_tls *tls)
{
    if (tls->content_type != OSSPI_TLS_TYPE_HANDSHAKE)
        return OSSPI_TLS_APPLICATION; /* an empty record, or a warning: nothing for anybody */
    if (++tls->post_handshake_run > MAX_POST_HANDSHAKE) {
        osspi_tls_fail_with(tls, SEC_E_ILLEGAL_MESSAGE,
                            "more than %u handshake records without application data",
                            MAX_POST_HANDSHAKE);
        return OSSPI_TLS_BROKEN;
    }
    return OSSPI_TLS_POST_HANDSHAKE;
}

static enum osspi_tls_record judge(struct osspi_tls *tls, int read, size_t len)
{
    const int error = read == 1 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, read);

    if (tls->no_memory || (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ &&
                           error != SSL_ERROR_ZERO_RETURN)) {
        osspi_tls_fail(tls, "SSL_read_ex");
        return OSSPI_TLS_BROKEN;
    }
    if (tls->in_len > 0 || SSL_pending(tls->ssl) > 0) {
        osspi_tls_fail_with(tls, SEC_E_INTERNAL_ERROR, "SSL_read_ex left bytes of a record");
        return OSSPI_TLS_BROKEN;
    }
    if (error == SSL_ERROR_ZERO_RETURN) {
        tls->closed_in = true;
        return OSSPI_TLS_CLOSED;
    }
    if (error == SSL_ERROR_WANT_READ)
        return absorbed(tls);
    if (len > 0)
        tls->post_handshake_run = 0;
    return OSSPI_TLS_APPLICATION;
}

enum osspi_tls_record osspi_tls_open(struct osspi_tls *tls, const uint8_t *record, size_t len,
                                     uint8_t *out, size_t *ret_len)
{
    *ret_len = 0;
    if (!is_usable(tls))
        return OSSPI_TLS_BROKEN;
    if (tls->closed_in)
        return OSSPI_TLS_CLOSED;
    if (!osspi_tls_feed(tls, record, len)) {
        osspi_tls_fail_with(tls, SEC_E_INVALID_TOKEN, "not one whole TLS record");
        return OSSPI_TLS_BROKEN;
    }

    OSSPI_IN_SHARD(tls->config->shard);
    size_t plain_len = 0;
    osspi_tls_errors_clear();
    /* OpenSSL has read the whole record into its own memory before it writes the first byte to
     * out: out may be the record's own memory. */
    const int read = SSL_read_ex(tls->ssl, out, len, &plain_len);
    const enum osspi_tls_record found = judge(tls, read, plain_len);
    tls->in = NULL;
    tls->in_len = 0;
    osspi_tls_errors_clear();
    if (found == OSSPI_TLS_APPLICATION)
        *ret_len = plain_len;
    return found;
}

/* ---- sealing ---- */

static SECURITY_STATUS seal_failure(struct osspi_tls *tls, const char *function)
{
    osspi_tls_fail(tls, function);
    return tls->failure == SEC_E_INSUFFICIENT_MEMORY ? tls->failure : SEC_E_ENCRYPT_FAILURE;
}

/* May len more bytes go out under the key? */
static SECURITY_STATUS keep_limit(struct osspi_tls *tls, size_t len)
{
    const uint64_t blocks = tls->sealed_blocks + len / CIPHER_BLOCK + 2;

    if (blocks > MAX_BLOCKS) {
        osspi_tls_fail_with(tls, SEC_E_ENCRYPT_FAILURE, "the key has sealed as much as it may");
        return SEC_E_ENCRYPT_FAILURE;
    }
    tls->sealed_blocks = blocks;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_tls_seal(struct osspi_tls *tls, const uint8_t *data, size_t len)
{
    size_t written = 0;

    if (!is_usable(tls))
        return tls->failure == SEC_E_CONTEXT_EXPIRED ? tls->failure : SEC_E_ENCRYPT_FAILURE;
    if (tls->closed_out)
        return SEC_E_CONTEXT_EXPIRED;
    if (len > tls->max_fragment)
        return SEC_E_INVALID_PARAMETER;
    if (len == 0)
        return SEC_E_OK;
    /* Room first: what fails here can be tried again, a write that fails half-way cannot. */
    if (!osspi_tls_flight_reserve(tls, len + RECORD_OVERHEAD)) {
        tls->no_memory = false;
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    const SECURITY_STATUS status = keep_limit(tls, len);
    if (status != SEC_E_OK)
        return status;
    OSSPI_IN_SHARD(tls->config->shard);
    osspi_tls_errors_clear();
    if (SSL_write_ex(tls->ssl, data, len, &written) != 1 || written != len || tls->no_memory)
        return seal_failure(tls, "SSL_write_ex");
    return SEC_E_OK;
}
