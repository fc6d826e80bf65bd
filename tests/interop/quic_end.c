/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One end of a QUIC connection on ngtcp2; see quic_end.h. The callbacks that ngtcp2 wants are
 * those of its crypto helper but for three: the first flight, CRYPTO frames, and a client's first
 * packet, which here ask struct quic_tls.
 *
 * One stream, the client's first, carries a question and its answer. Whoever has received all of
 * it and was told nothing to say (quic_end_say) says the same back.
 */
#include "quic_end.h"

#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quic_compat.h"

#define CID_LEN          8u
#define PIECES           8u
#define QUIC_H3_NO_ERROR 0x100 /* also of what is no HTTP */

static ngtcp2_encryption_level level_of(enum quic_epoch epoch)
{
    switch (epoch) {
    case QUIC_INITIAL:
        return NGTCP2_ENCRYPTION_LEVEL_INITIAL;
    case QUIC_HANDSHAKE:
        return NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE;
    default:
        return NGTCP2_ENCRYPTION_LEVEL_1RTT;
    }
}

static void fill(void *bytes, size_t len)
{
    TEST_REQUIRE(gnutls_rnd(GNUTLS_RND_NONCE, bytes, len) == 0);
}

/* ---- callbacks ---- */

static ngtcp2_conn *conn_of(ngtcp2_crypto_conn_ref *ref)
{
    return ((struct quic_end *)ref->user_data)->conn;
}

/* The helper's call for a client's first packet would start a TLS of its own. Its call for a Retry
 * does only what is wanted here: keys for Initial packets of this connection ID. */
static int on_client_initial(ngtcp2_conn *conn, void *data)
{
    struct quic_end *end = data;
    const ngtcp2_pkt_hd header = {.scid = *ngtcp2_conn_get_dcid(conn)};
    int error = ngtcp2_crypto_recv_retry_cb(conn, &header, NULL);

    return error != 0 ? error : end->tls->start(end) ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int on_crypto(ngtcp2_conn *conn, ngtcp2_encryption_level level, uint64_t offset,
                     const uint8_t *bytes, size_t len, void *data)
{
    struct quic_end *end = data;
    enum quic_epoch epoch = level == NGTCP2_ENCRYPTION_LEVEL_INITIAL     ? QUIC_INITIAL
                            : level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE ? QUIC_HANDSHAKE
                                                                         : QUIC_APPLICATION;

    (void)conn;
    (void)offset;
    return end->tls->receive(end, epoch, bytes, len) ? 0 : NGTCP2_ERR_CRYPTO;
}

static int on_completed(ngtcp2_conn *conn, void *data)
{
    struct quic_end *end = data;

    (void)conn;
    if (end->tls->completed && !end->tls->completed(end))
        return NGTCP2_ERR_CALLBACK_FAILURE;
    return !end->streams || end->streams->start(end) ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static void hear(struct quic_end *end, int64_t stream, bool last, const uint8_t *bytes, size_t len)
{
    TEST_REQUIRE(end->stream == -1 || end->stream == stream);
    end->stream = stream;
    if (len > 0)
        peer_push(&end->received, bytes, len);
    if (!last)
        return;
    end->received_all = true;
    if (!end->answer_set)
        quic_end_say(end, end->received.bytes, end->received.len);
}

static int on_stream_data(ngtcp2_conn *conn, uint32_t flags, int64_t stream, uint64_t offset,
                          const uint8_t *bytes, size_t len, void *data, void *stream_data)
{
    struct quic_end *end = data;
    const bool last = (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0;

    (void)offset;
    (void)stream_data;
    if (!end->streams)
        hear(end, stream, last, bytes, len);
    else if (!end->streams->receive(end, stream, last, bytes, len))
        return NGTCP2_ERR_CALLBACK_FAILURE;
    ngtcp2_conn_extend_max_stream_offset(conn, stream, len);
    ngtcp2_conn_extend_max_offset(conn, len);
    return 0;
}

static void on_rand(uint8_t *bytes, size_t len, const ngtcp2_rand_ctx *context)
{
    (void)context;
    fill(bytes, len);
}

static int on_new_cid(ngtcp2_conn *conn, ngtcp2_cid *cid, uint8_t *token, size_t len, void *data)
{
    (void)conn;
    (void)data;
    fill(cid->data, len);
    cid->datalen = len;
    fill(token, NGTCP2_STATELESS_RESET_TOKENLEN);
    return 0;
}

static const ngtcp2_callbacks callbacks = {
    .client_initial = on_client_initial,
    .recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
    .recv_crypto_data = on_crypto,
    .handshake_completed = on_completed,
    .encrypt = ngtcp2_crypto_encrypt_cb,
    .decrypt = ngtcp2_crypto_decrypt_cb,
    .hp_mask = ngtcp2_crypto_hp_mask_cb,
    .recv_stream_data = on_stream_data,
    .recv_retry = ngtcp2_crypto_recv_retry_cb,
    .rand = on_rand,
    .get_new_connection_id = on_new_cid,
    .update_key = ngtcp2_crypto_update_key_cb,
    .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
    .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
    .get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
    .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
};

/* ---- an end ---- */

void quic_end_init(struct quic_end *end, bool server, const uint64_t *now_ns)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(server ? 443 : 50000)};
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(server ? 50000 : 443)};

    here.sin_addr.s_addr = there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *end = (struct quic_end){.server = server, .now_ns = now_ns, .stream = -1};
    end->ref = (ngtcp2_crypto_conn_ref){.get_conn = conn_of, .user_data = end};
    ngtcp2_path_storage_init(&end->path, (struct sockaddr *)&here, sizeof(here),
                             (struct sockaddr *)&there, sizeof(there), NULL);
}

void quic_end_free(struct quic_end *end)
{
    ngtcp2_conn_del(end->conn);
    peer_clear(&end->answer);
    peer_clear(&end->received);
    end->conn = NULL;
}

static void settle(struct quic_end *end, ngtcp2_settings *settings, ngtcp2_transport_params *params)
{
    ngtcp2_settings_default(settings);
    settings->initial_ts = *end->now_ns;
    ngtcp2_transport_params_default(params);
    params->initial_max_stream_data_bidi_local = 64 * 1024;
    params->initial_max_stream_data_bidi_remote = 64 * 1024;
    params->initial_max_data = 128 * 1024;
    params->initial_max_streams_bidi = 3;
    params->initial_max_streams_uni = 3;
    params->max_idle_timeout = 30 * NGTCP2_SECONDS;
}

static void random_cid(ngtcp2_cid *cid)
{
    uint8_t bytes[CID_LEN];

    fill(bytes, sizeof(bytes));
    ngtcp2_cid_init(cid, bytes, sizeof(bytes));
}

void quic_end_connect(struct quic_end *end)
{
    ngtcp2_settings settings;
    ngtcp2_transport_params params;
    ngtcp2_cid to, from;

    settle(end, &settings, &params);
    random_cid(&to);
    random_cid(&from);
    TEST_REQUIRE_EQUAL(ngtcp2_conn_client_new(&end->conn, &to, &from, &end->path.path,
                                              NGTCP2_PROTO_VER_V1, &callbacks, &settings, &params,
                                              NULL, end),
                       0);
}

/* Of the client's first datagram. */
static void accept_client(struct quic_end *end, const uint8_t *bytes, size_t len)
{
    ngtcp2_settings settings;
    ngtcp2_transport_params params;
    ngtcp2_pkt_hd header;
    ngtcp2_cid from;

    TEST_REQUIRE_EQUAL(ngtcp2_accept(&header, bytes, len), 0);
    settle(end, &settings, &params);
    params.original_dcid = header.dcid;
    quic_mark_original_dcid(&params);
    random_cid(&from);
    end->id = from;
    TEST_REQUIRE_EQUAL(ngtcp2_conn_server_new(&end->conn, &header.scid, &from, &end->path.path,
                                              header.version, &callbacks, &settings, &params, NULL,
                                              end),
                       0);
}

/* Puts the reason into words for the peer: CRYPTO_ERROR with the alert, if it was TLS. */
static void close_with(struct quic_end *end, int error, struct peer_stream *out)
{
    uint8_t datagram[QUIC_DATAGRAM];
    ngtcp2_pkt_info info;
    ngtcp2_ccerr reason;
    ngtcp2_ssize len;

    end->over = true;
    if (error == NGTCP2_ERR_DRAINING) {
        end->by_peer = true;
        end->error = quic_peers_error(end->conn);
        return;
    }
    if (error == 0)
        ngtcp2_ccerr_set_application_error(&reason, QUIC_H3_NO_ERROR, NULL, 0);
    else if (error == NGTCP2_ERR_CRYPTO)
        ngtcp2_ccerr_set_tls_alert(&reason, ngtcp2_conn_get_tls_alert(end->conn), NULL, 0);
    else
        ngtcp2_ccerr_set_liberr(&reason, error, NULL, 0);
    end->error = reason.error_code;
    len = ngtcp2_conn_write_connection_close(end->conn, &end->path.path, &info, datagram,
                                             sizeof(datagram), &reason, *end->now_ns);
    if (len > 0)
        peer_push(out, datagram, (size_t)len);
    else
        print_message("no CONNECTION_CLOSE for %s: %s\n", ngtcp2_strerror(error),
                      len < 0 ? ngtcp2_strerror((int)len) : "nothing to write");
}

void quic_end_read(struct quic_end *end, const uint8_t *bytes, size_t len, struct peer_stream *out)
{
    ngtcp2_pkt_info info = {0};
    int error;

    if (end->over)
        return;
    if (!end->conn)
        accept_client(end, bytes, len);
    error = ngtcp2_conn_read_pkt(end->conn, &end->path.path, &info, bytes, len, *end->now_ns);
    if (error != 0)
        close_with(end, error, out);
}

static void open_stream(struct quic_end *end)
{
    if (end->stream == -1 && !end->server && end->answer_set && quic_end_completed(end) &&
        ngtcp2_conn_open_bidi_stream(end->conn, &end->stream, NULL) != 0)
        end->stream = -1;
}

/* The next piece for a stream; *ret_stream is -1 where there is none. */
static size_t next_piece(struct quic_end *end, int64_t *ret_stream, bool *ret_last,
                         ngtcp2_vec pieces[PIECES])
{
    *ret_stream = -1;
    *ret_last = false;
    if (end->streams)
        return quic_end_completed(end)
                   ? end->streams->next(end, ret_stream, ret_last, pieces, PIECES)
                   : 0;
    open_stream(end);
    if (end->stream == -1 || !end->answer_set || end->answer_ended)
        return 0;
    *ret_stream = end->stream;
    *ret_last = true;
    pieces[0] = (ngtcp2_vec){end->answer.bytes + end->written, end->answer.len - end->written};
    return 1;
}

static void note_sent(struct quic_end *end, int64_t stream, size_t len)
{
    if (end->streams) {
        end->streams->sent(end, stream, len);
        return;
    }
    end->written += len;
    end->answer_ended = end->written == end->answer.len;
}

bool quic_end_write(struct quic_end *end, struct peer_stream *out)
{
    uint8_t datagram[QUIC_DATAGRAM];
    ngtcp2_pkt_info info;
    ngtcp2_ssize len, used = -1;
    ngtcp2_vec pieces[PIECES];
    int64_t stream;
    size_t count;
    bool last;

    if (end->over || !end->conn)
        return false;
    count = next_piece(end, &stream, &last, pieces);
    len = ngtcp2_conn_writev_stream(end->conn, &end->path.path, &info, datagram, sizeof(datagram),
                                    &used, last ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0, stream, pieces,
                                    count, *end->now_ns);
    if (len == NGTCP2_ERR_STREAM_DATA_BLOCKED)
        len = ngtcp2_conn_writev_stream(end->conn, &end->path.path, &info, datagram,
                                        sizeof(datagram), NULL, 0, -1, NULL, 0, *end->now_ns);
    if (len < 0) {
        close_with(end, (int)len, out);
        return false;
    }
    if (used >= 0)
        note_sent(end, stream, (size_t)used);
    if (len == 0)
        return false;
    end->datagrams++;
    peer_push(out, datagram, (size_t)len);
    return true;
}

void quic_end_close(struct quic_end *end, struct peer_stream *out)
{
    if (end->conn && !end->over)
        close_with(end, 0, out);
}

void quic_end_say(struct quic_end *end, const void *bytes, size_t len)
{
    TEST_REQUIRE(!end->answer_set);
    peer_push(&end->answer, bytes, len);
    end->answer_set = true;
}

bool quic_end_completed(const struct quic_end *end)
{
    return end->conn && ngtcp2_conn_get_handshake_completed(end->conn);
}

/* ---- for the TLS side ---- */

bool quic_end_submit(struct quic_end *end, enum quic_epoch epoch, const uint8_t *bytes, size_t len)
{
    return ngtcp2_conn_submit_crypto_data(end->conn, level_of(epoch), bytes, len) == 0;
}

bool quic_end_install(struct quic_end *end, enum quic_epoch epoch, bool own, const uint8_t *secret,
                      size_t len)
{
    return (own ? ngtcp2_crypto_derive_and_install_tx_key
                : ngtcp2_crypto_derive_and_install_rx_key)(end->conn, NULL, NULL, NULL,
                                                           level_of(epoch), secret, len) == 0;
}

bool quic_end_decode_params(struct quic_end *end, const uint8_t *bytes, size_t len)
{
    return ngtcp2_conn_decode_and_set_remote_transport_params(end->conn, bytes, len) == 0;
}

/* ngtcp2 completes a server's own once handshake keys are installed, and these need the ServerHello
 * that comes out of the same leg: so its ID is set here. Which version was chosen (RFC 9368) a
 * server can say that has read the client's already, and need not. */
size_t quic_end_encode_params(struct quic_end *end, uint8_t *bytes, size_t size)
{
    ngtcp2_transport_params params = *ngtcp2_conn_get_local_transport_params(end->conn);
    ngtcp2_ssize len;

    if (end->server) {
        params.initial_scid = end->id;
        quic_mark_initial_scid(&params);
        if (!ngtcp2_conn_get_remote_transport_params(end->conn))
            params.version_info_present = 0;
        len = quic_encode_servers(bytes, size, &params);
    } else {
        len = ngtcp2_conn_encode_local_transport_params(end->conn, bytes, size);
    }
    TEST_REQUIRE(len > 0);
    return (size_t)len;
}

void quic_end_tls_completed(struct quic_end *end)
{
    ngtcp2_conn_tls_handshake_completed(end->conn);
}
