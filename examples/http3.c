/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One page by HTTP/3: http3 HOST PORT [PATH]
 *
 * QUIC has TLS 1.3's handshake, and no records: it carries the handshake's messages itself and
 * protects its packets with the secrets that TLS hands out. That is SSPI's message mode. Here
 * libngtcp2 is the transport, libnghttp3 is HTTP, and each leg of the handshake is computed on a
 * thread of the library while this one, a poll loop, goes on with QUIC's timers. SSL_CERT_FILE
 * names other roots than the system's. docs/quic.md explains the buffers.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <nghttp3/nghttp3.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include "quic_tls.h"

#if NGTCP2_VERSION_NUM < 0x010000
#define ngtcp2_ccerr                       ngtcp2_connection_close_error
#define ngtcp2_ccerr_set_tls_alert         ngtcp2_connection_close_error_set_transport_error_tls_alert
#define ngtcp2_ccerr_set_liberr            ngtcp2_connection_close_error_set_transport_error_liberr
#define ngtcp2_ccerr_set_application_error ngtcp2_connection_close_error_set_application_error
#endif

enum { ID_SIZE = 16 };

struct client {
    const char *host, *path;
    int fd;
    ngtcp2_path_storage addresses;
    ngtcp2_conn *quic;
    nghttp3_conn *http;
    struct quic_tls tls;
    bool done, over; /* the page is whole; the connection has been closed */
    char answer[4];  /* HTTP's status */
    size_t len;      /* of the last datagram, while it may be needed again */
    uint8_t datagram[65536];
};

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NGTCP2_SECONDS + (uint64_t)time.tv_nsec;
}

/* Says goodbye to the server, with the reason; the rest of the program then comes to an end. */
static void close_connection(struct client *c, const ngtcp2_ccerr *reason)
{
    uint8_t bytes[1200];
    ngtcp2_ssize len = ngtcp2_conn_write_connection_close(c->quic, NULL, NULL, bytes, sizeof(bytes),
                                                          reason, now());
    if (len > 0)
        (void)!send(c->fd, bytes, (size_t)len, 0);
    c->over = true;
}

static void fail_quic(struct client *c, int error)
{
    ngtcp2_ccerr reason;
    fprintf(stderr, "%s: %s\n", c->host, ngtcp2_strerror(error));
    ngtcp2_ccerr_set_liberr(&reason, error, NULL, 0);
    close_connection(c, &reason);
}

/* 0x100 and an alert: it is about TLS (RFC 9001, 4.8). */
static uint64_t servers_reason(ngtcp2_conn *quic)
{
#if NGTCP2_VERSION_NUM < 0x010000
    ngtcp2_ccerr reason;
    ngtcp2_conn_get_connection_close_error(quic, &reason);
    return reason.error_code;
#else
    return ngtcp2_conn_get_ccerr(quic)->error_code;
#endif
}

static void fail_tls(struct client *c, SECURITY_STATUS status, uint8_t alert)
{
    ngtcp2_ccerr reason;
    fprintf(stderr, "%s: %s\n", c->host, OsspiStatusText(status));
    ngtcp2_ccerr_set_tls_alert(&reason, alert, NULL, 0);
    close_connection(c, &reason);
}

/* ---- QUIC: what ngtcp2 asks ---- */

static int on_client_initial(ngtcp2_conn *quic, void *data)
{
    (void)data;
    return quic_tls_initial(quic);
}

static int on_crypto(ngtcp2_conn *quic, ngtcp2_encryption_level level, uint64_t offset,
                     const uint8_t *bytes, size_t len, void *data)
{
    (void)quic, (void)offset;
    return quic_tls_receive(&((struct client *)data)->tls, level, bytes, len);
}

static void on_random(uint8_t *bytes, size_t len, const ngtcp2_rand_ctx *context)
{
    (void)context;
    (void)!getrandom(bytes, len, 0);
}

static int on_new_id(ngtcp2_conn *quic, ngtcp2_cid *id, uint8_t *token, size_t len, void *data)
{
    (void)quic;
    (void)data;
    id->datalen = len;
    on_random(id->data, len, NULL);
    on_random(token, NGTCP2_STATELESS_RESET_TOKENLEN, NULL);
    return 0;
}

static int on_stream_data(ngtcp2_conn *quic, uint32_t flags, int64_t stream, uint64_t offset,
                          const uint8_t *bytes, size_t len, void *data, void *stream_data)
{
    struct client *c = data;
    nghttp3_ssize used = nghttp3_conn_read_stream(c->http, stream, bytes, len,
                                                  (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0);
    (void)offset;
    (void)stream_data;
    if (used < 0)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    ngtcp2_conn_extend_max_stream_offset(quic, stream, (uint64_t)used);
    ngtcp2_conn_extend_max_offset(quic, (uint64_t)used);
    return 0;
}

static int on_acked(ngtcp2_conn *quic, int64_t stream, uint64_t offset, uint64_t len, void *data,
                    void *stream_data)
{
    struct client *c = data;
    (void)quic;
    (void)offset;
    (void)stream_data;
    return nghttp3_conn_add_ack_offset(c->http, stream, len) == 0 ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_close(ngtcp2_conn *quic, uint32_t flags, int64_t stream, uint64_t error,
                           void *data, void *stream_data)
{
    struct client *c = data;
    (void)quic;
    (void)flags;
    (void)stream_data;
    if (c->http)
        nghttp3_conn_close_stream(c->http, stream, error);
    if (!c->done && ngtcp2_is_bidi_stream(stream))
        c->over = true; /* and no answer, or half of one, has come */
    return 0;
}

/* ---- HTTP/3 ---- */

static int on_header(nghttp3_conn *http, int64_t stream, int32_t token, nghttp3_rcbuf *name,
                     nghttp3_rcbuf *value, uint8_t flags, void *data, void *stream_data)
{
    struct client *c = data;
    nghttp3_vec text = nghttp3_rcbuf_get_buf(value);
    (void)http, (void)stream, (void)name, (void)flags, (void)stream_data;
    if (token == NGHTTP3_QPACK_TOKEN__STATUS)
        snprintf(c->answer, sizeof(c->answer), "%.*s", (int)text.len, (const char *)text.base);
    return 0;
}

static int on_body(nghttp3_conn *http, int64_t stream, const uint8_t *bytes, size_t len, void *data,
                   void *stream_data)
{
    struct client *c = data;
    (void)http, (void)stream_data;
    fwrite(bytes, 1, len, stdout);
    ngtcp2_conn_extend_max_stream_offset(c->quic, stream, len);
    ngtcp2_conn_extend_max_offset(c->quic, len);
    return 0;
}

static int on_end(nghttp3_conn *http, int64_t stream, void *data, void *stream_data)
{
    struct client *c = data;
    (void)http, (void)stream, (void)stream_data;
    c->done = true;
    return 0;
}

/* The handshake is done: HTTP's three streams of its own, and the request. */
static int on_connected(ngtcp2_conn *quic, void *data)
{
    static const nghttp3_callbacks callbacks = {
        .recv_header = on_header, .recv_data = on_body, .end_stream = on_end};
    struct client *c = data;
    const char *text[4][2] = {
        {":method", "GET"}, {":scheme", "https"}, {":authority", c->host}, {":path", c->path}};
    nghttp3_nv request[4];
    nghttp3_settings settings;
    int64_t stream[4];
    nghttp3_settings_default(&settings);
    for (int i = 0; i < 4; i++)
        request[i] = (nghttp3_nv){(uint8_t *)text[i][0], (uint8_t *)text[i][1], strlen(text[i][0]),
                                  strlen(text[i][1]), NGHTTP3_NV_FLAG_NONE};
    for (int i = 0; i < 3; i++)
        if (ngtcp2_conn_open_uni_stream(quic, &stream[i], NULL) != 0)
            return NGTCP2_ERR_CALLBACK_FAILURE;
    if (nghttp3_conn_client_new(&c->http, &callbacks, &settings, NULL, c) != 0 ||
        nghttp3_conn_bind_control_stream(c->http, stream[0]) != 0 ||
        nghttp3_conn_bind_qpack_streams(c->http, stream[1], stream[2]) != 0 ||
        ngtcp2_conn_open_bidi_stream(quic, &stream[3], NULL) != 0 ||
        nghttp3_conn_submit_request(c->http, stream[3], request, 4, NULL, NULL) != 0)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    return 0;
}

/* ---- the loop ---- */

/* Sends all that may be sent now. */
static void send_packets(struct client *c)
{
    while (!c->over) {
        uint8_t bytes[1452];
        nghttp3_vec from[8];
        ngtcp2_vec to[8];
        int64_t stream = -1;
        int end = 0;
        ngtcp2_ssize used = -1, len;
        nghttp3_ssize count =
            c->http ? nghttp3_conn_writev_stream(c->http, &stream, &end, from, 8) : 0;
        for (nghttp3_ssize i = 0; i < count; i++)
            to[i] = (ngtcp2_vec){from[i].base, from[i].len};
        len = ngtcp2_conn_writev_stream(c->quic, NULL, NULL, bytes, sizeof(bytes), &used,
                                        end ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0, stream, to,
                                        count > 0 ? (size_t)count : 0, now());
        if (len == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
            nghttp3_conn_block_stream(c->http, stream);
            continue;
        }
        if (used >= 0)
            nghttp3_conn_add_write_offset(c->http, stream, (size_t)used);
        if (len < 0)
            fail_quic(c, (int)len);
        if (len <= 0)
            break;
        (void)!send(c->fd, bytes, (size_t)len, 0); /* what does not arrive is sent again */
    }
    ngtcp2_conn_update_pkt_tx_time(c->quic, now());
}

/* What has come in one datagram. A leg that it starts makes the keys for packets behind, so it is
 * kept until then and read once more; what was good the first time ngtcp2 knows again. */
static void read_packets(struct client *c)
{
    int error = ngtcp2_conn_read_pkt(c->quic, &c->addresses.path, NULL, c->datagram, c->len, now());
    if (error == NGTCP2_ERR_DRAINING) {
        fprintf(stderr, "%s: the server has closed the connection: 0x%llx\n", c->host,
                (unsigned long long)servers_reason(c->quic));
        c->over = true;
    } else if (error == NGTCP2_ERR_CRYPTO) {
        fail_tls(c, SEC_E_ILLEGAL_MESSAGE, ngtcp2_conn_get_tls_alert(c->quic));
    } else if (error != 0) {
        fail_quic(c, error);
    }
    if (!c->tls.busy)
        c->len = 0;
}

/* The next datagram stays in the socket while a leg is computed. */
static void receive(struct client *c)
{
    ssize_t len = recv(c->fd, c->datagram, sizeof(c->datagram), MSG_DONTWAIT);
    c->len = len > 0 ? (size_t)len : 0;
    if (len > 0)
        read_packets(c);
    else if (len < 0 && errno == ECONNREFUSED)
        fail_quic(c, NGTCP2_ERR_INTERNAL); /* nobody is there */
}

static int time_left_ms(struct client *c)
{
    uint64_t at = ngtcp2_conn_get_expiry(c->quic), time = now();
    if (at <= time)
        return 0;
    return at - time > 60 * NGTCP2_SECONDS ? 60000 : (int)((at - time) / NGTCP2_MILLISECONDS) + 1;
}

static void run(struct client *c)
{
    while (!c->done && !c->over) {
        struct pollfd items[2] = {{OsspiCompletionQueueFd(c->tls.queue), POLLIN, 0}};
        if (c->tls.total > 0) /* there is a ClientHello */
            send_packets(c);
        items[1] = (struct pollfd){c->tls.busy ? -1 : c->fd, POLLIN, 0};
        if (c->over || (poll(items, 2, time_left_ms(c)) < 0 && errno != EINTR))
            break;
        if (items[0].revents)
            OsspiDrainCompletions(c->tls.queue, 0);
        if (c->tls.failed)
            fail_tls(c, c->tls.status, quic_tls_alert(&c->tls));
        else if (!c->tls.busy && c->len > 0)
            read_packets(c);
        else if (items[1].revents)
            receive(c);
        if (!c->over && time_left_ms(c) == 0) {
            int error = ngtcp2_conn_handle_expiry(c->quic, now());
            if (error != 0)
                fail_quic(c, error); /* idle for too long */
        }
    }
}

/* A socket that is connected, and both its addresses, as ngtcp2 wants to know them. */
static bool open_socket(struct client *c, const char *port)
{
    struct addrinfo *to, hints = {.ai_socktype = SOCK_DGRAM};
    struct sockaddr_storage local;
    socklen_t local_len = sizeof(local);
    if (getaddrinfo(c->host, port, &hints, &to) != 0)
        return false;
    c->fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool good = c->fd >= 0 && connect(c->fd, to->ai_addr, to->ai_addrlen) == 0 &&
                getsockname(c->fd, (struct sockaddr *)&local, &local_len) == 0;
    if (good)
        ngtcp2_path_storage_init(&c->addresses, (struct sockaddr *)&local, local_len, to->ai_addr,
                                 to->ai_addrlen, NULL);
    freeaddrinfo(to);
    return good;
}

static bool open_quic(struct client *c)
{
    static const ngtcp2_callbacks callbacks = {
        .client_initial = on_client_initial,
        .recv_crypto_data = on_crypto,
        .handshake_completed = on_connected,
        .recv_stream_data = on_stream_data,
        .acked_stream_data_offset = on_acked,
        .stream_close = on_stream_close,
        .rand = on_random,
        .get_new_connection_id = on_new_id,
        .recv_retry = ngtcp2_crypto_recv_retry_cb,
        .encrypt = ngtcp2_crypto_encrypt_cb,
        .decrypt = ngtcp2_crypto_decrypt_cb,
        .hp_mask = ngtcp2_crypto_hp_mask_cb,
        .update_key = ngtcp2_crypto_update_key_cb,
        .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
        .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
        .get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
        .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
    };
    ngtcp2_settings settings;
    ngtcp2_transport_params params;
    ngtcp2_cid to = {.datalen = ID_SIZE}, from = {.datalen = ID_SIZE};
    on_random(to.data, ID_SIZE, NULL);
    on_random(from.data, ID_SIZE, NULL);
    ngtcp2_settings_default(&settings);
    settings.initial_ts = now();
    ngtcp2_transport_params_default(&params);
    params.initial_max_data = 1 << 20;
    params.initial_max_stream_data_bidi_local = 1 << 18;
    params.initial_max_stream_data_uni = 1 << 16;
    params.initial_max_streams_uni = 3;
    params.max_idle_timeout = 30 * NGTCP2_SECONDS;
    return ngtcp2_conn_client_new(&c->quic, &to, &from, &c->addresses.path, NGTCP2_PROTO_VER_V1,
                                  &callbacks, &settings, &params, NULL, c) == 0;
}

int main(int argc, char **argv)
{
    static const uint8_t alpn[] = {
        9, 0, 0, 0, SecApplicationProtocolNegotiationExt_ALPN, 0, 0, 0, 3, 0, 2, 'h', '3'};
    static struct client c = {.fd = -1};
    if (argc < 3)
        return fprintf(stderr, "http3 HOST PORT [PATH]\n"), 2;
    c.host = argv[1];
    c.path = argc > 3 ? argv[3] : "/";
    bool good = quic_tls_open(&c.tls, c.host, alpn, sizeof(alpn)) && open_socket(&c, argv[2]) &&
                open_quic(&c) && quic_tls_start(&c.tls, c.quic);
    if (!good) {
        fprintf(stderr, "%s: cannot set up\n", c.host);
    } else {
        run(&c);
        good = c.done && strcmp(c.answer, "200") == 0;
        fprintf(stderr, "%s: HTTP/3 %s\n", c.host, c.done ? c.answer : "without an answer");
    }
    if (c.done) { /* H3_NO_ERROR */
        ngtcp2_ccerr reason;
        ngtcp2_ccerr_set_application_error(&reason, NGHTTP3_H3_NO_ERROR, NULL, 0);
        close_connection(&c, &reason);
    }
    quic_tls_close(&c.tls);
    nghttp3_conn_del(c.http);
    ngtcp2_conn_del(c.quic);
    close(c.fd);
    return good ? 0 : 1;
}
