/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * From what OpenSSL says to the statuses of SSPI, with words for a person; the tables of this file
 * are the one place for it. Works on the calling thread's OpenSSL error queue and leaves it empty.
 */
#include <errno.h>
#include <openssl/dherr.h>
#include <openssl/err.h>
#include <openssl/evperr.h>
#include <openssl/proverr.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "cert/pkcs11.h"
#include "packages/schannel/tls_internal.h"

/* Reasons that say more than the alert that goes with them. */
static const struct {
    int reason;
    SECURITY_STATUS status;
} reasons[] = {
    /* not TLS at all: plain HTTP, or bytes whose header has no TLS version */
    {SSL_R_HTTP_REQUEST, SEC_E_INVALID_TOKEN},
    {SSL_R_HTTPS_PROXY_REQUEST, SEC_E_INVALID_TOKEN},
    {SSL_R_WRONG_VERSION_NUMBER, SEC_E_INVALID_TOKEN},
    {SSL_R_WRONG_SSL_VERSION, SEC_E_INVALID_TOKEN},
    /* nothing in common */
    {SSL_R_UNSUPPORTED_PROTOCOL, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_VERSION_TOO_LOW, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_UNSUPPORTED_SSL_VERSION, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_UNKNOWN_PROTOCOL, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_INAPPROPRIATE_FALLBACK, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_NO_SHARED_CIPHER, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_NO_CIPHERS_AVAILABLE, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_NO_SHARED_GROUPS, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_NO_SUITABLE_KEY_SHARE, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_NO_SUITABLE_GROUPS, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, SEC_E_ALGORITHM_MISMATCH},
    {SSL_R_DH_KEY_TOO_SMALL, SEC_E_ALGORITHM_MISMATCH},
    /* a client that has shown none where one is required */
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, SEC_E_CERT_UNKNOWN},
    {SSL_R_NO_APPLICATION_PROTOCOL, SEC_E_APPLICATION_PROTOCOL_MISMATCH},
    /* a record or message whose protection does not hold */
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, SEC_E_MESSAGE_ALTERED},
    {SSL_R_DIGEST_CHECK_FAILED, SEC_E_MESSAGE_ALTERED},
    {SSL_R_BAD_SIGNATURE, SEC_E_DECRYPT_FAILURE},
    /* another pre-shared key; the alert is illegal_parameter in OpenSSL 3.0, decrypt_error later */
    {SSL_R_BINDER_DOES_NOT_VERIFY, SEC_E_DECRYPT_FAILURE},
    {SSL_R_DECRYPTION_FAILED, SEC_E_DECRYPT_FAILURE},
    /* parameters of the peer's that make no key, which OpenSSL may call its own fault */
    {SSL_R_BAD_DH_VALUE, SEC_E_ILLEGAL_MESSAGE},
};

/* What the libraries below find wrong with the peer's bytes, while the TLS library, which does not
 * know better, sends "internal error". Which of them it is differs between versions of OpenSSL. */
static const struct {
    int library, reason;
    SECURITY_STATUS status;
} reasons_below[] = {
    /* a sealed record that is shorter than what sealing adds */
    {ERR_LIB_PROV, PROV_R_INVALID_AAD, SEC_E_MESSAGE_ALTERED},
    {ERR_LIB_PROV, PROV_R_INVALID_DATA, SEC_E_MESSAGE_ALTERED},
    /* the key in a certificate, where nobody verifies that */
    {ERR_LIB_EVP, EVP_R_DECODE_ERROR, SEC_E_CERT_UNKNOWN},
    /* a share of a key exchange that is outside the group, or gives a secret of zero */
    {ERR_LIB_DH, DH_R_CHECK_PUBKEY_INVALID, SEC_E_ILLEGAL_MESSAGE},
    {ERR_LIB_DH, DH_R_CHECK_PUBKEY_TOO_LARGE, SEC_E_ILLEGAL_MESSAGE},
    {ERR_LIB_DH, DH_R_CHECK_PUBKEY_TOO_SMALL, SEC_E_ILLEGAL_MESSAGE},
    {ERR_LIB_DH, DH_R_INVALID_PUBKEY, SEC_E_ILLEGAL_MESSAGE},
    {ERR_LIB_DH, DH_R_INVALID_SECRET, SEC_E_ILLEGAL_MESSAGE},
    {ERR_LIB_PROV, PROV_R_FAILED_DURING_DERIVATION, SEC_E_ILLEGAL_MESSAGE},
};

/* Alerts that we sent: the rest is SEC_E_ILLEGAL_MESSAGE, the peer broke a rule. */
static const struct {
    uint8_t alert;
    SECURITY_STATUS status;
} sent_alerts[] = {
    {SSL_AD_BAD_RECORD_MAC, SEC_E_MESSAGE_ALTERED},
    {SSL_AD_DECRYPTION_FAILED, SEC_E_DECRYPT_FAILURE},
    {SSL_AD_DECRYPT_ERROR, SEC_E_DECRYPT_FAILURE},
    {SSL_AD_HANDSHAKE_FAILURE, SEC_E_ALGORITHM_MISMATCH},
    {SSL_AD_PROTOCOL_VERSION, SEC_E_ALGORITHM_MISMATCH},
    {SSL_AD_INSUFFICIENT_SECURITY, SEC_E_ALGORITHM_MISMATCH},
    {SSL_AD_BAD_CERTIFICATE, SEC_E_CERT_UNKNOWN},
    {SSL_AD_UNSUPPORTED_CERTIFICATE, SEC_E_CERT_UNKNOWN},
    {SSL_AD_CERTIFICATE_UNKNOWN, SEC_E_CERT_UNKNOWN},
    {SSL_AD_INTERNAL_ERROR, SEC_E_INTERNAL_ERROR},
    {SSL_AD_NO_APPLICATION_PROTOCOL, SEC_E_APPLICATION_PROTOCOL_MISMATCH},
};

/* Alerts that the peer sent: the rest is SEC_E_ILLEGAL_MESSAGE. What the peer thinks of our
 * certificate is in the words alone; the certificate statuses speak of the peer's. */
static const struct {
    uint8_t alert;
    SECURITY_STATUS status;
} received_alerts[] = {
    {SSL_AD_PROTOCOL_VERSION, SEC_E_ALGORITHM_MISMATCH},
    {SSL_AD_INSUFFICIENT_SECURITY, SEC_E_ALGORITHM_MISMATCH},
    {SSL_AD_NO_APPLICATION_PROTOCOL, SEC_E_APPLICATION_PROTOCOL_MISMATCH},
};

static SECURITY_STATUS status_of_received(uint8_t alert)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(received_alerts); i++) {
        if (received_alerts[i].alert == alert)
            return received_alerts[i].status;
    }
    return SEC_E_ILLEGAL_MESSAGE;
}

SECURITY_STATUS osspi_tls_alert_received(uint8_t alert, char *words, size_t size)
{
    if (words != NULL)
        snprintf(words, size, "the peer sent the alert \"%s\" (%u)",
                 SSL_alert_desc_string_long(alert), alert);
    return status_of_received(alert);
}

static SECURITY_STATUS status_of_sent(uint8_t alert)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(sent_alerts); i++) {
        if (sent_alerts[i].alert == alert)
            return sent_alerts[i].status;
    }
    return SEC_E_ILLEGAL_MESSAGE;
}

static bool status_of_reason(unsigned long error, SECURITY_STATUS *ret_status)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(reasons_below); i++) {
        if (reasons_below[i].library == ERR_GET_LIB(error) &&
            reasons_below[i].reason == ERR_GET_REASON(error)) {
            *ret_status = reasons_below[i].status;
            return true;
        }
    }
    if (osspi_token_error(error, ret_status)) {
        /* Whatever it is that the device does not like: its key cannot be used. */
        if (*ret_status != SEC_E_INSUFFICIENT_MEMORY)
            *ret_status = SEC_E_NO_CREDENTIALS;
        return true;
    }
    if (ERR_GET_LIB(error) != ERR_LIB_SSL)
        return false;
    for (size_t i = 0; i < OSSPI_COUNT_OF(reasons); i++) {
        if (reasons[i].reason == ERR_GET_REASON(error)) {
            *ret_status = reasons[i].status;
            return true;
        }
    }
    return false;
}

/* Memory and descriptors alike: what was not there now may be there the next time. */
static bool is_want_of_means(unsigned long error)
{
    const int reason = ERR_GET_REASON(error);

    if (ERR_GET_LIB(error) == ERR_LIB_SYS)
        return reason == ENOMEM || reason == EMFILE || reason == ENFILE;
    return reason == ERR_R_MALLOC_FAILURE;
}

/* The first error is the cause, what follows is who passed it on. Empties the queue. */
static unsigned long take_cause(bool *ret_no_memory)
{
    const unsigned long cause = ERR_get_error();

    *ret_no_memory = false;
    for (unsigned long error = cause; error != 0; error = ERR_get_error()) {
        if (is_want_of_means(error))
            *ret_no_memory = true;
    }
    return cause;
}

SECURITY_STATUS osspi_tls_queue_status(SECURITY_STATUS otherwise)
{
    bool no_memory;

    (void)take_cause(&no_memory);
    return no_memory ? SEC_E_INSUFFICIENT_MEMORY : otherwise;
}

void osspi_tls_fail_with(struct osspi_tls *tls, SECURITY_STATUS status, const char *format, ...)
{
    va_list arguments;

    if (tls->failure != SEC_E_OK)
        return;
    tls->failure = status;
    va_start(arguments, format);
    vsnprintf(tls->detail, sizeof(tls->detail), format, arguments);
    va_end(arguments);
}

/* The alert alone has to tell; none, and it was nobody's fault but ours. But with datagrams the
 * library also gives up without a word, at fragments that contradict each other. */
static SECURITY_STATUS status_without_reason(const struct osspi_tls *tls)
{
    if (tls->alert_sent)
        return status_of_sent(tls->alert_out);
    return tls->ssl && SSL_is_dtls(tls->ssl) ? SEC_E_ILLEGAL_MESSAGE : SEC_E_INTERNAL_ERROR;
}

void osspi_tls_fail(struct osspi_tls *tls, const char *function)
{
    bool no_memory;
    const unsigned long cause = take_cause(&no_memory);
    SECURITY_STATUS status = SEC_E_INTERNAL_ERROR;

    if (no_memory || tls->no_memory) {
        /* Also instead of a verdict that was reached for want of memory. */
        tls->failure = SEC_E_OK;
        osspi_tls_fail_with(tls, SEC_E_INSUFFICIENT_MEMORY, "%s: out of memory", function);
    } else if (tls->alert_received) {
        char words[OSSPI_TLS_DETAIL_SIZE];
        status = osspi_tls_alert_received(tls->alert_in, words, sizeof(words));
        osspi_tls_fail_with(tls, status, "%s", words);
    } else {
        const char *text = ERR_reason_error_string(cause);
        if (!status_of_reason(cause, &status))
            status = status_without_reason(tls);
        osspi_tls_fail_with(tls, status, "%s: %s%s", function,
                            status == SEC_E_NO_CREDENTIALS ? "the device with the key: " : "",
                            text != NULL ? text : "failed without a reason");
    }
}
