/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * GnuTLS as the other end; see foreign.h. It pulls from and pushes to the two streams directly.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "property/foreign.h"

struct share {
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t ticket_key;
    char priority[256];
};

/* ---- what connections share ---- */

static void *share_new(const struct foreign_setup *setup)
{
    static const char *const ciphers[] = {"+AES-128-GCM", "+AES-256-GCM", "+CHACHA20-POLY1305",
                                          "+AES-128-CBC"};
    struct share *share = calloc(1, sizeof(*share));
    char certificate[512], key[512];

    TEST_REQUIRE(share != NULL);
    TEST_REQUIRE_EQUAL(gnutls_certificate_allocate_credentials(&share->credentials), 0);
    snprintf(share->priority, sizeof(share->priority),
             "NONE:%s:%s:%s:+ECDHE-ECDSA:+SIGN-ALL:+COMP-NULL:+GROUP-ALL%s",
             setup->tls13 ? "+VERS-TLS1.3" : "+VERS-TLS1.2", ciphers[setup->suite],
             setup->suite == FOREIGN_AES_128_CBC ? "+SHA1" : "+AEAD",
             setup->mac_then_encrypt ? ":%NO_ETM" : "");
    if (setup->server) {
        peer_path("server", ".pem", certificate, sizeof(certificate));
        peer_path("server", ".key", key, sizeof(key));
        TEST_REQUIRE_EQUAL(gnutls_certificate_set_x509_key_file(share->credentials, certificate,
                                                                key, GNUTLS_X509_FMT_PEM),
                           0);
        TEST_REQUIRE_EQUAL(gnutls_session_ticket_key_generate(&share->ticket_key), 0);
    }
    return share;
}

static void share_free(void *data)
{
    struct share *share = data;

    gnutls_certificate_free_credentials(share->credentials);
    if (share->ticket_key.data)
        gnutls_free(share->ticket_key.data);
    free(share);
}

/* ---- one connection ---- */

static ssize_t pull(gnutls_transport_ptr_t data, void *bytes, size_t size)
{
    struct foreign *foreign = data;
    const size_t len = size < foreign->in.len ? size : foreign->in.len;

    if (len == 0) {
        gnutls_transport_set_errno(foreign->session, EAGAIN);
        return -1;
    }
    memcpy(bytes, foreign->in.bytes, len);
    peer_drop(&foreign->in, len);
    return (ssize_t)len;
}

static int pull_timeout(gnutls_transport_ptr_t data, unsigned timeout_ms)
{
    const struct foreign *foreign = data;

    (void)timeout_ms;
    return foreign->in.len > 0;
}

static ssize_t push(gnutls_transport_ptr_t data, const void *bytes, size_t len)
{
    struct foreign *foreign = data;

    peer_push(&foreign->out, bytes, len);
    return (ssize_t)len;
}

static void begin(struct foreign *foreign)
{
    struct share *share = foreign->share;
    gnutls_session_t session = NULL;
    const unsigned side = foreign->setup.server ? GNUTLS_SERVER : GNUTLS_CLIENT;

    TEST_REQUIRE_EQUAL(gnutls_init(&session, side | GNUTLS_NONBLOCK), 0);
    foreign->session = session;
    TEST_REQUIRE_EQUAL(gnutls_priority_set_direct(session, share->priority, NULL), 0);
    TEST_REQUIRE_EQUAL(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, share->credentials),
                       0);
    if (foreign->setup.server)
        TEST_REQUIRE_EQUAL(gnutls_session_ticket_enable_server(session, &share->ticket_key), 0);
    gnutls_transport_set_ptr(session, foreign);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_pull_timeout_function(session, pull_timeout);
    gnutls_transport_set_push_function(session, push);
}

static void end(struct foreign *foreign)
{
    if (foreign->session)
        gnutls_deinit(foreign->session);
    foreign->session = NULL;
}

static bool handshake(struct foreign *foreign)
{
    return gnutls_handshake(foreign->session) == GNUTLS_E_SUCCESS;
}

/* One record after the other: GnuTLS sends no more than one in a call. */
static size_t write_data(struct foreign *foreign, const void *data, size_t len)
{
    const bool padded = foreign->setup.tls13 && foreign->setup.padding > 0;
    size_t written = 0;

    while (written < len) {
        const size_t rest = len - written;
        const size_t part = rest < 16384 ? rest : 16384;
        const size_t room = 16384 - part;
        const size_t padding = foreign->setup.padding < room ? foreign->setup.padding : room;
        ssize_t one;

        if (padded)
            one = gnutls_record_send2(foreign->session, (const char *)data + written, part, padding,
                                      0);
        else
            one = gnutls_record_send(foreign->session, (const char *)data + written, part);
        TEST_REQUIRE(one > 0);
        written += (size_t)one;
    }
    return written;
}

static enum foreign_news read_data(struct foreign *foreign, void *data, size_t size,
                                   size_t *ret_len)
{
    size_t before;
    ssize_t len;

    /* After a KeyUpdate or a ticket it says "again" although there is more to be read. */
    do {
        before = foreign->in.len;
        len = gnutls_record_recv(foreign->session, data, size);
    } while (len == GNUTLS_E_AGAIN && foreign->in.len < before);
    foreign->alert = 0;
    *ret_len = len > 0 ? (size_t)len : 0;
    foreign->words = gnutls_strerror((int)len);
    if (len > 0)
        return FOREIGN_DATA;
    switch (len) {
    case 0:
        return FOREIGN_CLOSED;
    case GNUTLS_E_AGAIN:
    case GNUTLS_E_INTERRUPTED:
        return FOREIGN_NOTHING;
    case GNUTLS_E_WARNING_ALERT_RECEIVED:
        foreign->alert = (uint8_t)gnutls_alert_get(foreign->session);
        return foreign->alert == GNUTLS_A_NO_RENEGOTIATION ? FOREIGN_DECLINED : FOREIGN_WARNED;
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        foreign->alert = (uint8_t)gnutls_alert_get(foreign->session);
        return FOREIGN_FAILED;
    default:
        return FOREIGN_FAILED;
    }
}

static bool key_update(struct foreign *foreign, bool requested)
{
    if (!foreign->setup.tls13)
        return false;
    TEST_REQUIRE_EQUAL(gnutls_session_key_update(foreign->session, requested ? GNUTLS_KU_PEER : 0),
                       0);
    return true;
}

static bool ticket(struct foreign *foreign)
{
    if (!foreign->setup.tls13 || !foreign->setup.server)
        return false;
    TEST_REQUIRE_EQUAL(gnutls_session_ticket_send(foreign->session, 1, 0), 0);
    return true;
}

/* A client would have to be in the middle of the handshake to go on; that is not tried. */
static bool renegotiate(struct foreign *foreign)
{
    if (foreign->setup.tls13 || !foreign->setup.server)
        return false;
    TEST_REQUIRE_EQUAL(gnutls_rehandshake(foreign->session), 0);
    return true;
}

static bool warn(struct foreign *foreign, uint8_t description)
{
    TEST_REQUIRE_EQUAL(gnutls_alert_send(foreign->session, GNUTLS_AL_WARNING,
                                         (gnutls_alert_description_t)description),
                       0);
    return true;
}

static void close_it(struct foreign *foreign)
{
    TEST_REQUIRE_EQUAL(gnutls_bye(foreign->session, GNUTLS_SHUT_WR), 0);
}

static bool export_key(struct foreign *foreign, const char *label, const void *context,
                       size_t context_len, uint8_t *out, size_t out_len)
{
    return gnutls_prf_rfc5705(foreign->session, strlen(label), label, context_len, context, out_len,
                              (char *)out) == 0;
}

static bool unique(struct foreign *foreign, uint8_t *out, size_t size, size_t *ret_len)
{
    gnutls_datum_t binding = {0};

    if (foreign->setup.tls13 ||
        gnutls_session_channel_binding(foreign->session, GNUTLS_CB_TLS_UNIQUE, &binding) != 0)
        return false;
    TEST_REQUIRE(binding.size <= size);
    memcpy(out, binding.data, binding.size);
    *ret_len = binding.size;
    gnutls_free(binding.data);
    return true;
}

static bool resumed(struct foreign *foreign)
{
    return gnutls_session_is_resumed(foreign->session) != 0;
}

const struct foreign_library foreign_gnutls = {
    .name = "GnuTLS",
    .share_new = share_new,
    .share_free = share_free,
    .begin = begin,
    .end = end,
    .handshake = handshake,
    .write = write_data,
    .read = read_data,
    .key_update = key_update,
    .ticket = ticket,
    .renegotiate = renegotiate,
    .warn = warn,
    .close = close_it,
    .export = export_key,
    .unique = unique,
    .resumed = resumed,
};
