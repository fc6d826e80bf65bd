/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * GnuTLS as an end of a connection over datagrams; see datagram.h. A server asks for a cookie
 * before there is a session, as its manual says.
 *
 * One thread.
 */
#include <errno.h>
#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "property/datagram.h"

#define FIRST_TIMEOUT_MS 1000u
#define ALL_TIMEOUT_MS   600000u
#define LEAST_PAUSE_MS   50u /* its timer may say "now" again and again */

struct shared {
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t ticket_key, cookie_key;
    gnutls_datum_t session; /* a client's, for the next connection */
    char priority[256];
};

struct session {
    gnutls_session_t tls;
    const uint8_t *bytes; /* what has come and was not read; NULL: nothing */
    size_t len;
    bool verified; /* a server's client has shown the cookie */
    uint64_t rests_until;
};

static struct session *session_of(struct datagram_end *end)
{
    return end->session;
}

/* ---- what connections share ---- */

static void use_certificate(struct shared *shared, const char *name)
{
    char certificate[512], key[512];

    peer_path(name, ".pem", certificate, sizeof(certificate));
    peer_path(name, ".key", key, sizeof(key));
    TEST_REQUIRE_EQUAL(gnutls_certificate_set_x509_key_file(shared->credentials, certificate, key,
                                                            GNUTLS_X509_FMT_PEM),
                       0);
}

static void share_new(struct datagram_end *end)
{
    static const char *const ciphers[] = {"+AES-128-GCM", "+AES-256-GCM", "+CHACHA20-POLY1305"};
    const struct datagram_setup *setup = &end->run->setup;
    struct shared *shared = calloc(1, sizeof(*shared));
    char path[512];

    TEST_REQUIRE(shared != NULL);
    TEST_REQUIRE_EQUAL(gnutls_certificate_allocate_credentials(&shared->credentials), 0);
    snprintf(shared->priority, sizeof(shared->priority),
             "NONE:+VERS-DTLS1.2:%s:+AEAD:+ECDHE-ECDSA:+ECDHE-RSA:+SIGN-ALL:+COMP-NULL:+GROUP-ALL",
             ciphers[setup->suite]);
    if (end->server) {
        use_certificate(shared, setup->rsa ? "server-rsa" : "server");
        TEST_REQUIRE_EQUAL(gnutls_session_ticket_key_generate(&shared->ticket_key), 0);
        TEST_REQUIRE_EQUAL(gnutls_key_generate(&shared->cookie_key, GNUTLS_COOKIE_KEY_SIZE), 0);
        peer_path("ca", ".pem", path, sizeof(path));
        TEST_REQUIRE_EQUAL(
            gnutls_certificate_set_x509_trust_file(shared->credentials, path, GNUTLS_X509_FMT_PEM),
            1);
    } else if (setup->client_certificate) {
        use_certificate(shared, setup->rsa ? "client-rsa" : "client");
    }
    end->shared = shared;
}

static void share_free(struct datagram_end *end)
{
    struct shared *shared = end->shared;

    gnutls_certificate_free_credentials(shared->credentials);
    gnutls_free(shared->ticket_key.data);
    gnutls_free(shared->cookie_key.data);
    gnutls_free(shared->session.data);
    free(shared);
    end->shared = NULL;
}

/* ---- the line ---- */

static ssize_t pull(gnutls_transport_ptr_t data, void *bytes, size_t size)
{
    struct session *session = session_of(data);
    const size_t len = session->len < size ? session->len : size;

    if (!session->bytes) {
        gnutls_transport_set_errno(session->tls, EAGAIN);
        return -1;
    }
    memcpy(bytes, session->bytes, len);
    session->bytes = NULL;
    return (ssize_t)len;
}

static int pull_timeout(gnutls_transport_ptr_t data, unsigned timeout_ms)
{
    (void)timeout_ms;
    return session_of(data)->bytes != NULL;
}

static ssize_t push(gnutls_transport_ptr_t data, const void *bytes, size_t len)
{
    datagram_send(data, bytes, len);
    return (ssize_t)len;
}

/* ---- one connection ---- */

static void note_error(struct datagram_end *end, int result)
{
    if (result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED ||
        !gnutls_error_is_fatal(result))
        return;
    end->failed = true;
    end->words = gnutls_strerror(result);
}

static void shake_hands(struct datagram_end *end)
{
    struct shared *shared = end->shared;
    int result;

    do {
        result = gnutls_handshake(session_of(end)->tls);
    } while (result < 0 && !gnutls_error_is_fatal(result) && session_of(end)->bytes);
    if (result != GNUTLS_E_SUCCESS) {
        note_error(end, result);
        return;
    }
    end->up = true;
    if (!end->server) {
        gnutls_free(shared->session.data);
        shared->session.data = NULL;
        TEST_REQUIRE_EQUAL(gnutls_session_get_data2(session_of(end)->tls, &shared->session), 0);
    }
}

static void begin(struct datagram_end *end)
{
    const struct datagram_setup *setup = &end->run->setup;
    struct shared *shared = end->shared;
    struct session *session = calloc(1, sizeof(*session));
    const unsigned side = end->server ? GNUTLS_SERVER : GNUTLS_CLIENT;

    TEST_REQUIRE(session != NULL);
    end->session = session;
    TEST_REQUIRE_EQUAL(gnutls_init(&session->tls, side | GNUTLS_DATAGRAM | GNUTLS_NONBLOCK), 0);
    TEST_REQUIRE_EQUAL(gnutls_priority_set_direct(session->tls, shared->priority, NULL), 0);
    TEST_REQUIRE_EQUAL(
        gnutls_credentials_set(session->tls, GNUTLS_CRD_CERTIFICATE, shared->credentials), 0);
    gnutls_dtls_set_mtu(session->tls, setup->mtus[end->server]);
    gnutls_dtls_set_timeouts(session->tls, FIRST_TIMEOUT_MS, ALL_TIMEOUT_MS);
    gnutls_transport_set_ptr(session->tls, end);
    gnutls_transport_set_pull_function(session->tls, pull);
    gnutls_transport_set_pull_timeout_function(session->tls, pull_timeout);
    gnutls_transport_set_push_function(session->tls, push);
    if (end->server) {
        TEST_REQUIRE_EQUAL(gnutls_session_ticket_enable_server(session->tls, &shared->ticket_key),
                           0);
        if (setup->client_certificate)
            gnutls_certificate_server_set_request(session->tls, GNUTLS_CERT_REQUIRE);
        else if (setup->asks)
            gnutls_certificate_server_set_request(session->tls, GNUTLS_CERT_REQUEST);
        return;
    }
    if (shared->session.data)
        TEST_REQUIRE_EQUAL(
            gnutls_session_set_data(session->tls, shared->session.data, shared->session.size), 0);
    shake_hands(end);
}

static void finish(struct datagram_end *end)
{
    if (end->session)
        gnutls_deinit(session_of(end)->tls);
    free(end->session);
    end->session = NULL;
}

/* A server's client must show the cookie first. */
static bool verify(struct datagram_end *end, const uint8_t *bytes, size_t len)
{
    static char address[] = "a client";
    struct shared *shared = end->shared;
    gnutls_dtls_prestate_st state = {0};

    if (gnutls_dtls_cookie_verify(&shared->cookie_key, address, sizeof(address),
                                  (void *)(uintptr_t)bytes, len, &state) < 0) {
        if (len > 13 && bytes[0] == 22)
            (void)gnutls_dtls_cookie_send(&shared->cookie_key, address, sizeof(address), &state,
                                          end, push);
        return false;
    }
    gnutls_dtls_prestate_set(session_of(end)->tls, &state);
    return true;
}

static void read_all(struct datagram_end *end)
{
    uint8_t data[16384];
    ssize_t len;

    do {
        len = gnutls_record_recv(session_of(end)->tls, data, sizeof(data));
        if (len > 0)
            datagram_arrived(end, data, (size_t)len);
    } while (len > 0 || session_of(end)->bytes);
    if (len == 0)
        end->closed = true;
    else
        note_error(end, (int)len);
}

static void receive(struct datagram_end *end, const uint8_t *bytes, size_t len)
{
    struct session *session = session_of(end);

    if (len == 0)
        return;
    if (end->server && !session->verified && !verify(end, bytes, len))
        return;
    session->verified = true;
    session->bytes = bytes;
    session->len = len;
    if (!end->up)
        shake_hands(end);
    if (end->up && !end->failed && !end->closed)
        read_all(end);
    session->bytes = NULL;
}

static uint64_t timer(struct datagram_end *end)
{
    uint64_t due;

    if (end->up || end->failed || (end->server && !session_of(end)->verified))
        return DATAGRAM_NEVER;
    due = datagram_now() + gnutls_dtls_get_timeout(session_of(end)->tls);
    return due > session_of(end)->rests_until ? due : session_of(end)->rests_until;
}

static void expired(struct datagram_end *end)
{
    datagram_counts.retransmissions++;
    session_of(end)->rests_until = datagram_now() + LEAST_PAUSE_MS;
    shake_hands(end);
}

static size_t room(struct datagram_end *end)
{
    return gnutls_dtls_get_data_mtu(session_of(end)->tls);
}

static void write_data(struct datagram_end *end, const uint8_t *data, size_t len)
{
    TEST_REQUIRE_EQUAL(gnutls_record_send(session_of(end)->tls, data, len), len);
}

static void close_it(struct datagram_end *end)
{
    (void)gnutls_bye(session_of(end)->tls, GNUTLS_SHUT_WR);
}

static void export_key(struct datagram_end *end, uint8_t *out, size_t len)
{
    TEST_REQUIRE_EQUAL(gnutls_prf_rfc5705(session_of(end)->tls, strlen(DATAGRAM_EXPORT),
                                          DATAGRAM_EXPORT, 0, NULL, len, (char *)out),
                       0);
}

static bool resumed(struct datagram_end *end)
{
    return gnutls_session_is_resumed(session_of(end)->tls) != 0;
}

const struct datagram_library datagram_gnutls = {
    .name = "GnuTLS",
    .frail = true,
    .share_new = share_new,
    .share_free = share_free,
    .begin = begin,
    .finish = finish,
    .receive = receive,
    .timer = timer,
    .expired = expired,
    .room = room,
    .write = write_data,
    .close = close_it,
    .export_key = export_key,
    .resumed = resumed,
};
