/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * ngtcp2's own client (gtlsclient: GnuTLS, nghttp3) against a server of ours, over UDP on the
 * loopback: it fetches a page by HTTP/3, under packets whose keys come out of message mode. It does
 * not judge certificates; test_interop_quic.c has a GnuTLS that does.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "interop_process.h"
#include "quic_http.h"
#include "quic_sspi.h"

#define PAGE_LEN 300000u

/* A server on a port, and the one client it has. */
struct scene {
    struct quic_end end;
    struct quic_sspi tls;
    struct quic_http http;
    struct peer_end credential;
    struct interop_process client;
    uint64_t now_ns;
    int fd;
    uint16_t port;
    struct sockaddr_in peer;
    bool known; /* where the client is */
};

static uint8_t page[PAGE_LEN];

static void look_at_clock(struct scene *scene)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    scene->now_ns = (uint64_t)time.tv_sec * NGTCP2_SECONDS + (uint64_t)time.tv_nsec;
}

static void listen_on(struct scene *scene)
{
    struct sockaddr_in here = {.sin_family = AF_INET};
    socklen_t len = sizeof(here);

    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    scene->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    TEST_REQUIRE(scene->fd >= 0);
    TEST_REQUIRE(bind(scene->fd, (struct sockaddr *)&here, len) == 0);
    TEST_REQUIRE(getsockname(scene->fd, (struct sockaddr *)&here, &len) == 0);
    scene->port = ntohs(here.sin_port);
}

static void open_scene(struct scene *scene, const struct peer_form *form, const char *certificate)
{
    *scene = (struct scene){.tls = {.form = form, .alpn = QUIC_HTTP_ALPN}};
    look_at_clock(scene);
    peer_end_init(&scene->credential, form, true);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&scene->credential, 0, 0, certificate, true), SEC_E_OK);
    scene->tls.credential = &scene->credential.credential;
    quic_end_init(&scene->end, true, &scene->now_ns);
    quic_sspi_open(&scene->tls, &scene->end);
    quic_http_open(&scene->http, &scene->end, page, sizeof(page));
    listen_on(scene);
}

static void close_scene(struct scene *scene)
{
    interop_stop(&scene->client);
    quic_http_close(&scene->http);
    quic_end_free(&scene->end);
    quic_sspi_close(&scene->tls);
    peer_end_free(&scene->credential);
    close(scene->fd);
}

static void start_client(struct scene *scene, const char *folder, const char *option)
{
    char port[16], url[64], download[256];
    const char *const words[] = {"gtlsclient",
                                 "--no-quic-dump",
                                 "--no-http-dump",
                                 "--exit-on-all-streams-close",
                                 "--timeout=60s",
                                 download,
                                 option,
                                 "127.0.0.1",
                                 port,
                                 url,
                                 NULL};

    snprintf(port, sizeof(port), "%u", scene->port);
    snprintf(url, sizeof(url), "https://localhost:%u/page", scene->port);
    TEST_REQUIRE(snprintf(download, sizeof(download), "--download=%s", folder) <
                 (int)sizeof(download));
    interop_start(&scene->client, words);
}

static void send_out(struct scene *scene, struct peer_stream *datagram)
{
    if (datagram->len > 0)
        (void)!sendto(scene->fd, datagram->bytes, datagram->len, 0, (struct sockaddr *)&scene->peer,
                      sizeof(scene->peer));
    peer_clear(datagram);
}

static void read_socket(struct scene *scene)
{
    struct peer_stream reply = {0};
    uint8_t bytes[65536];
    socklen_t from_len = sizeof(scene->peer);
    ssize_t len;

    while ((len = recvfrom(scene->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&scene->peer,
                           &from_len)) > 0) {
        quic_end_read(&scene->end, bytes, (size_t)len, &reply);
        send_out(scene, &reply);
    }
}

static void write_socket(struct scene *scene)
{
    struct peer_stream datagram = {0};

    while (quic_end_write(&scene->end, &datagram))
        send_out(scene, &datagram);
    send_out(scene, &datagram);
}

static int time_left_ms(const struct scene *scene)
{
    const uint64_t at = scene->end.conn ? ngtcp2_conn_get_expiry(scene->end.conn) : UINT64_MAX;

    if (at <= scene->now_ns)
        return 0;
    return at - scene->now_ns > NGTCP2_SECONDS
               ? 1000
               : (int)((at - scene->now_ns) / NGTCP2_MILLISECONDS) + 1;
}

/* Until the client has closed the connection, or gone. */
static void serve(struct scene *scene)
{
    while (!scene->end.over && scene->client.out != -1) {
        struct pollfd items[3] = {{.fd = scene->fd, .events = POLLIN}};

        interop_poll_prepare(&scene->client, items + 1);
        TEST_REQUIRE(poll(items, 3, time_left_ms(scene)) >= 0);
        interop_poll_handle(&scene->client, items + 1);
        look_at_clock(scene);
        read_socket(scene);
        if (scene->end.conn && !scene->end.over && time_left_ms(scene) == 0)
            TEST_REQUIRE_EQUAL(ngtcp2_conn_handle_expiry(scene->end.conn, scene->now_ns), 0);
        write_socket(scene);
    }
}

static void require_page(const char *folder)
{
    char path[256];
    uint8_t *bytes = malloc(PAGE_LEN + 1);
    size_t len = 0;
    ssize_t count;
    int fd;

    snprintf(path, sizeof(path), "%s/page", folder);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    TEST_REQUIRE(bytes != NULL && fd >= 0);
    while ((count = read(fd, bytes + len, PAGE_LEN + 1 - len)) > 0)
        len += (size_t)count;
    TEST_REQUIRE_EQUAL(len, PAGE_LEN);
    TEST_REQUIRE(memcmp(bytes, page, PAGE_LEN) == 0);
    close(fd);
    unlink(path);
    free(bytes);
}

static void fetch(const struct peer_form *form, const char *certificate, const char *option)
{
    char folder[] = "/tmp/osspi-quic-XXXXXX";
    struct scene scene;

    TEST_REQUIRE(mkdtemp(folder) != NULL);
    open_scene(&scene, form, certificate);
    start_client(&scene, folder, option);
    serve(&scene);
    TEST_REQUIRE_EQUAL(interop_join(&scene.client), 0);
    TEST_REQUIRE_EQUAL(scene.http.requests, 1);
    TEST_REQUIRE(scene.end.over && scene.end.by_peer);
    require_page(folder);
    close_scene(&scene);
    TEST_REQUIRE(rmdir(folder) == 0);
}

static void a_page_with_each_cipher(const struct peer_form *form)
{
    static const char start[] = "--ciphers=NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+";
    static const char *const ciphers[] = {"AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305"};

    for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
        char option[128];

        snprintf(option, sizeof(option), "%s%s", start, ciphers[i]);
        fetch(form, i == 0 ? "server-rsa" : "server", option);
    }
}

/* Its first group is one that we do not have. */
static void another_group_is_asked_for(const struct peer_form *form)
{
    fetch(form, "server", "--groups=-GROUP-ALL:+GROUP-SECP384R1:+GROUP-X25519");
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(a_page_with_each_cipher),
        PEER_CASE(another_group_is_asked_for),
    };

    interop_need("gtlsclient");
    for (size_t i = 0; i < sizeof(page); i++)
        page[i] = (uint8_t)(i * 31 + i / 251);
    return peer_run_cases("interop.quic_client", cases, sizeof(cases) / sizeof(cases[0]));
}
