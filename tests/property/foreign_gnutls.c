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

#define SESSIONS 8

struct share {
    gnutls_certificate_credentials_t credentials;
    gnutls_psk_client_credentials_t psk_client;
    gnutls_psk_server_credentials_t psk_server;
    gnutls_datum_t ticket_key;
    gnutls_anti_replay_t replay;
    gnutls_datum_t session; /* a client's last */
    struct {
        gnutls_datum_t key, data;
    } sessions[SESSIONS]; /* a server's, by id */
    size_t next;
    char priority[256];
};

/* foreign.doing */
enum { DOING_NOTHING, DOING_HANDSHAKE, DOING_REAUTH };

/* ---- what connections share ---- */

static gnutls_datum_t copy_of(const void *bytes, size_t len)
{
    gnutls_datum_t copy = {gnutls_malloc(len), (unsigned)len};

    TEST_REQUIRE(copy.data != NULL);
    memcpy(copy.data, bytes, len);
    return copy;
}

static void forget(gnutls_datum_t *datum)
{
    gnutls_free(datum->data);
    *datum = (gnutls_datum_t){0};
}

static int sessions_store(void *data, gnutls_datum_t key, gnutls_datum_t value)
{
    struct share *share = data;
    const size_t at = share->next++ % SESSIONS;

    forget(&share->sessions[at].key);
    forget(&share->sessions[at].data);
    share->sessions[at].key = copy_of(key.data, key.size);
    share->sessions[at].data = copy_of(value.data, value.size);
    return 0;
}

static gnutls_datum_t sessions_find(void *data, gnutls_datum_t key)
{
    struct share *share = data;

    for (size_t i = 0; i < SESSIONS; i++) {
        const gnutls_datum_t *one = &share->sessions[i].key;

        if (one->data && one->size == key.size && memcmp(one->data, key.data, key.size) == 0)
            return copy_of(share->sessions[i].data.data, share->sessions[i].data.size);
    }
    return (gnutls_datum_t){0};
}

static int sessions_remove(void *data, gnutls_datum_t key)
{
    (void)data;
    (void)key;
    return 0;
}

static int replay_add(void *data, time_t expires, const gnutls_datum_t *key,
                      const gnutls_datum_t *value)
{
    (void)data;
    (void)expires;
    (void)key;
    (void)value;
    return 0; /* always for the first time */
}

static int psk_of(gnutls_session_t session, const char *name, gnutls_datum_t *key)
{
    const struct foreign *foreign = gnutls_transport_get_ptr(session);

    if (strcmp(name, FOREIGN_IDENTITY) != 0)
        return -1;
    *key = copy_of(foreign->setup.psk, foreign->setup.psk_len);
    return 0;
}

static void share_psk(struct share *share, const struct foreign_setup *setup)
{
    const gnutls_datum_t key = {(void *)(uintptr_t)setup->psk, (unsigned)setup->psk_len};

    if (setup->server) {
        TEST_REQUIRE_EQUAL(gnutls_psk_allocate_server_credentials(&share->psk_server), 0);
        gnutls_psk_set_server_credentials_function(share->psk_server, psk_of);
        return;
    }
    TEST_REQUIRE_EQUAL(gnutls_psk_allocate_client_credentials(&share->psk_client), 0);
    TEST_REQUIRE_EQUAL(gnutls_psk_set_client_credentials(share->psk_client, FOREIGN_IDENTITY, &key,
                                                         GNUTLS_PSK_KEY_RAW),
                       0);
}

static void *share_new(const struct foreign_setup *setup)
{
    static const char *const ciphers[] = {"+AES-128-GCM", "+AES-256-GCM", "+CHACHA20-POLY1305",
                                          "+AES-128-CBC"};
    struct share *share = calloc(1, sizeof(*share));
    char certificate[512], key[512];

    TEST_REQUIRE(share != NULL);
    TEST_REQUIRE_EQUAL(gnutls_certificate_allocate_credentials(&share->credentials), 0);
    snprintf(share->priority, sizeof(share->priority),
             "NONE:%s:%s:%s:%s:+SIGN-ALL:+COMP-NULL:+GROUP-ALL%s",
             setup->tls13 ? "+VERS-TLS1.3" : "+VERS-TLS1.2", ciphers[setup->suite],
             setup->suite == FOREIGN_AES_128_CBC ? "+SHA1" : "+AEAD",
             setup->psk ? "+ECDHE-PSK:+DHE-PSK:+PSK" : "+ECDHE-ECDSA",
             setup->mac_then_encrypt ? ":%NO_ETM" : "");
    if (setup->psk)
        share_psk(share, setup);
    if (setup->server || setup->certificate) {
        const char *name = setup->server ? "server" : setup->certificate;

        peer_path(name, ".pem", certificate, sizeof(certificate));
        peer_path(name, ".key", key, sizeof(key));
        TEST_REQUIRE_EQUAL(gnutls_certificate_set_x509_key_file(share->credentials, certificate,
                                                                key, GNUTLS_X509_FMT_PEM),
                           0);
        TEST_REQUIRE_EQUAL(gnutls_session_ticket_key_generate(&share->ticket_key), 0);
    }
    if (setup->early && setup->server) {
        TEST_REQUIRE_EQUAL(gnutls_anti_replay_init(&share->replay), 0);
        gnutls_anti_replay_set_window(share->replay, 600000);
        gnutls_anti_replay_set_add_function(share->replay, replay_add);
    }
    return share;
}

static void share_free(void *data)
{
    struct share *share = data;

    gnutls_certificate_free_credentials(share->credentials);
    if (share->psk_client)
        gnutls_psk_free_client_credentials(share->psk_client);
    if (share->psk_server)
        gnutls_psk_free_server_credentials(share->psk_server);
    for (size_t i = 0; i < SESSIONS; i++) {
        forget(&share->sessions[i].key);
        forget(&share->sessions[i].data);
    }
    if (share->replay)
        gnutls_anti_replay_deinit(share->replay);
    forget(&share->session);
    forget(&share->ticket_key);
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

static void set_sessions(gnutls_session_t session, struct foreign *foreign)
{
    struct share *share = foreign->share;

    if (!foreign->setup.server) {
        if (foreign->setup.returns && share->session.data)
            TEST_REQUIRE_EQUAL(
                gnutls_session_set_data(session, share->session.data, share->session.size), 0);
    } else if (!foreign->setup.session_ids) {
        TEST_REQUIRE_EQUAL(gnutls_session_ticket_enable_server(session, &share->ticket_key), 0);
    } else {
        gnutls_db_set_ptr(session, share);
        gnutls_db_set_store_function(session, sessions_store);
        gnutls_db_set_retrieve_function(session, sessions_find);
        gnutls_db_set_remove_function(session, sessions_remove);
    }
}

static unsigned flags_of(const struct foreign_setup *setup)
{
    return (setup->server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK |
           (setup->later && setup->tls13 ? GNUTLS_POST_HANDSHAKE_AUTH : 0) |
           (setup->early ? GNUTLS_ENABLE_EARLY_DATA : 0) |
           (setup->session_ids ? GNUTLS_NO_TICKETS : 0);
}

static void begin(struct foreign *foreign)
{
    struct share *share = foreign->share;
    gnutls_session_t session = NULL;

    TEST_REQUIRE_EQUAL(gnutls_init(&session, flags_of(&foreign->setup)), 0);
    foreign->doing = DOING_NOTHING;
    foreign->session = session;
    TEST_REQUIRE_EQUAL(gnutls_priority_set_direct(session, share->priority, NULL), 0);
    if (foreign->setup.psk)
        TEST_REQUIRE_EQUAL(gnutls_credentials_set(session, GNUTLS_CRD_PSK,
                                                  foreign->setup.server ? (void *)share->psk_server
                                                                        : share->psk_client),
                           0);
    else
        TEST_REQUIRE_EQUAL(
            gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, share->credentials), 0);
    set_sessions(session, foreign);
    if (share->replay) {
        gnutls_anti_replay_enable(session, share->replay);
        TEST_REQUIRE_EQUAL(gnutls_record_set_max_early_data_size(session, FOREIGN_MAX_EARLY), 0);
    }
    if (foreign->asks)
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    gnutls_transport_set_ptr(session, foreign);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_pull_timeout_function(session, pull_timeout);
    gnutls_transport_set_push_function(session, push);
}

static void keep_session(struct foreign *foreign)
{
    struct share *share = foreign->share;
    gnutls_datum_t data = {0};

    /* In TLS 1.3 without a ticket there is nothing to keep. */
    if (foreign->setup.tls13 &&
        !(gnutls_session_get_flags(foreign->session) & GNUTLS_SFLAGS_SESSION_TICKET))
        return;
    if (gnutls_session_get_data2(foreign->session, &data) != 0)
        return;
    forget(&share->session);
    share->session = data;
}

static void end(struct foreign *foreign)
{
    if (foreign->session && foreign->setup.returns)
        keep_session(foreign);
    if (foreign->session)
        gnutls_deinit(foreign->session);
    foreign->session = NULL;
}

static bool handshake(struct foreign *foreign)
{
    const bool sends = foreign->setup.early && !foreign->setup.server && foreign->early.len > 0;
    uint8_t data[1000];
    ssize_t len;

    if (sends && !foreign->early_done) /* without a session that permits it nothing happens */
        (void)gnutls_record_send_early_data(foreign->session, foreign->early.bytes,
                                            foreign->early.len);
    foreign->early_done = true;
    if (gnutls_handshake(foreign->session) != GNUTLS_E_SUCCESS)
        return false;
    foreign->early_taken =
        (gnutls_session_get_flags(foreign->session) & GNUTLS_SFLAGS_EARLY_DATA) != 0;
    while (foreign->setup.early && foreign->setup.server &&
           (len = gnutls_record_recv_early_data(foreign->session, data, sizeof(data))) > 0)
        peer_push(&foreign->early, data, (size_t)len);
    return true;
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

/* One step of what is under way, or one record. */
static ssize_t read_or_go_on(struct foreign *foreign, void *data, size_t size)
{
    ssize_t result = 0;

    if (foreign->doing != DOING_NOTHING) {
        result = foreign->doing == DOING_HANDSHAKE ? gnutls_handshake(foreign->session)
                                                   : gnutls_reauth(foreign->session, 0);
        if (result == 0)
            foreign->doing = DOING_NOTHING;
        if (result != 0 && result != GNUTLS_E_GOT_APPLICATION_DATA)
            return result;
    }
    result = gnutls_record_recv(foreign->session, data, size);
    if (foreign->setup.later && result == GNUTLS_E_REHANDSHAKE)
        foreign->doing = DOING_HANDSHAKE;
    else if (foreign->setup.later && result == GNUTLS_E_REAUTH_REQUEST)
        foreign->doing = DOING_REAUTH;
    else
        return result;
    return read_or_go_on(foreign, data, size);
}

static enum foreign_news read_data(struct foreign *foreign, void *data, size_t size,
                                   size_t *ret_len)
{
    size_t before;
    ssize_t len;

    /* After a KeyUpdate or a ticket it says "again" although there is more to be read. */
    do {
        before = foreign->in.len;
        len = read_or_go_on(foreign, data, size);
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

/* A client is in the middle of the handshake then, and goes on with it only if it is a `later` one.
 */
static bool renegotiate(struct foreign *foreign)
{
    if (foreign->setup.tls13 || (!foreign->setup.server && !foreign->setup.later))
        return false;
    if (foreign->setup.server) {
        if (foreign->asks)
            gnutls_certificate_server_set_request(foreign->session, GNUTLS_CERT_REQUEST);
        TEST_REQUIRE_EQUAL(gnutls_rehandshake(foreign->session), 0);
        return true;
    }
    foreign->doing = DOING_HANDSHAKE;
    TEST_REQUIRE_EQUAL(gnutls_handshake(foreign->session), GNUTLS_E_AGAIN);
    return true;
}

static bool ask(struct foreign *foreign)
{
    if (!foreign->setup.tls13 || !foreign->setup.server)
        return false;
    gnutls_certificate_server_set_request(foreign->session, GNUTLS_CERT_REQUEST);
    foreign->doing = DOING_REAUTH;
    TEST_REQUIRE_EQUAL(gnutls_reauth(foreign->session, 0), GNUTLS_E_AGAIN);
    return true;
}

static bool busy(const struct foreign *foreign)
{
    return foreign->doing != DOING_NOTHING;
}

static size_t shown(struct foreign *foreign, uint8_t *der, size_t size)
{
    unsigned count = 0;
    const gnutls_datum_t *certificates =
        gnutls_certificate_type_get2(foreign->session, GNUTLS_CTYPE_PEERS) == GNUTLS_CRT_X509
            ? gnutls_certificate_get_peers(foreign->session, &count)
            : NULL;

    if (!certificates || count == 0)
        return 0;
    TEST_REQUIRE(certificates[0].size <= size);
    memcpy(der, certificates[0].data, certificates[0].size);
    return certificates[0].size;
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
    .ask = ask,
    .busy = busy,
    .shown = shown,
};
