/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * ngtcp2 before 1.0 (Debian 12) and after (Debian 13): the same calls by other names. Spelled here
 * as 1.0 has them.
 */
#ifndef OSSPI_TESTS_INTEROP_QUIC_COMPAT_H
#define OSSPI_TESTS_INTEROP_QUIC_COMPAT_H

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#if NGTCP2_VERSION_NUM < 0x010000
typedef ngtcp2_crypto_level ngtcp2_encryption_level;
typedef ngtcp2_connection_close_error ngtcp2_ccerr;
#define NGTCP2_ENCRYPTION_LEVEL_INITIAL   NGTCP2_CRYPTO_LEVEL_INITIAL
#define NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE NGTCP2_CRYPTO_LEVEL_HANDSHAKE
#define NGTCP2_ENCRYPTION_LEVEL_1RTT      NGTCP2_CRYPTO_LEVEL_APPLICATION

#define ngtcp2_ccerr_set_tls_alert          ngtcp2_connection_close_error_set_transport_error_tls_alert
#define ngtcp2_ccerr_set_liberr             ngtcp2_connection_close_error_set_transport_error_liberr
#define ngtcp2_ccerr_set_application_error  ngtcp2_connection_close_error_set_application_error
#define ngtcp2_conn_tls_handshake_completed ngtcp2_conn_handshake_completed
#define ngtcp2_conn_decode_and_set_remote_transport_params \
    ngtcp2_conn_decode_remote_transport_params

static inline uint64_t quic_peers_error(ngtcp2_conn *conn)
{
    ngtcp2_ccerr error;

    ngtcp2_conn_get_connection_close_error(conn, &error);
    return error.error_code;
}

static inline void quic_mark_original_dcid(ngtcp2_transport_params *params)
{
    (void)params;
}

static inline void quic_mark_initial_scid(ngtcp2_transport_params *params)
{
    (void)params;
}

static inline ngtcp2_ssize quic_encode_servers(uint8_t *bytes, size_t size,
                                               const ngtcp2_transport_params *params)
{
    return ngtcp2_encode_transport_params(
        bytes, size, NGTCP2_TRANSPORT_PARAMS_TYPE_ENCRYPTED_EXTENSIONS, params);
}
#else
static inline uint64_t quic_peers_error(ngtcp2_conn *conn)
{
    return ngtcp2_conn_get_ccerr(conn)->error_code;
}

static inline void quic_mark_original_dcid(ngtcp2_transport_params *params)
{
    params->original_dcid_present = 1;
}

static inline void quic_mark_initial_scid(ngtcp2_transport_params *params)
{
    params->initial_scid_present = 1;
}

static inline ngtcp2_ssize quic_encode_servers(uint8_t *bytes, size_t size,
                                               const ngtcp2_transport_params *params)
{
    return ngtcp2_transport_params_encode(bytes, size, params);
}
#endif

#endif
