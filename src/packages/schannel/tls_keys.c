/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What OpenSSL is asked for when the handshake is done, so that our own code protects the records
 * (record_aead.c): traffic secrets and exporter secret in TLS 1.3, master secret and randoms in
 * TLS 1.2, and how many records have gone under them.
 *
 * Our provider (provider.h) tells the secrets of TLS 1.3 when it has derived them. In a shard that
 * has to do without it they come out in one way only, the lines for a key log file, which are
 * turned into bytes at once; no line is written anywhere. Either way they are wiped when they are
 * taken.
 *
 * Counting. Every record that OpenSSL writes shows its header to the message callback. Our traffic
 * secret is told when writing begins under it: from there on headers are counted, so that a
 * server's tickets, which leave with the last flight, are known. Nothing is read under the new
 * keys: OpenSSL gets one record at a time, and is done when it has the Finished. In TLS 1.2 the
 * Finished is the one record under the keys in each direction; AES-GCM goes on counting from its
 * explicit nonce, which OpenSSL chooses at random.
 */
#include <endian.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/message_tls.h"
#include "packages/schannel/session.h"
#include "packages/schannel/tls_callbacks.h"

#define MAX_SECRET 48u
#define MAX_SSL    65536u /* bytes of an SSL, by far */
#define RANDOM_HEX 64u    /* hex digits of the client random */

#define EARLY_EXPORTER "e exp master"

enum { KNOW_CLIENT = 1, KNOW_SERVER = 2, KNOW_EXPORTER = 4, KNOW_ALL = 7 };

/* ---- secrets ---- */

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(const char *hex, size_t hex_len, uint8_t out[MAX_SECRET])
{
    if (hex_len % 2 != 0 || hex_len > (size_t)2 * MAX_SECRET)
        return false;
    for (size_t i = 0; i < hex_len / 2; i++) {
        const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* "LABEL client-random secret"; NULL: another label. */
static const char *secret_of(const char *line, const char *label)
{
    const size_t len = strlen(label);

    if (strncmp(line, label, len) != 0 || line[len] != ' ' ||
        strnlen(line + len + 1, RANDOM_HEX + 1) <= RANDOM_HEX || line[len + 1 + RANDOM_HEX] != ' ')
        return NULL;
    return line + len + 1 + RANDOM_HEX + 1;
}

/* In a key log, and in the key schedule (RFC 8446 7.1). */
static const struct {
    const char *line, *label;
    uint8_t bit;
} names[] = {
    {"CLIENT_TRAFFIC_SECRET_0", "c ap traffic", KNOW_CLIENT},
    {"SERVER_TRAFFIC_SECRET_0", "s ap traffic", KNOW_SERVER},
    {"EXPORTER_SECRET", "exp master", KNOW_EXPORTER},
};

static uint8_t *place_of(struct osspi_tls *tls, uint8_t bit)
{
    if (bit == KNOW_EXPORTER)
        return tls->keys.exporter;
    return bit == KNOW_CLIENT ? tls->keys.client : tls->keys.server;
}

static void note_known(struct osspi_tls *tls, uint8_t bit)
{
    tls->keys.known |= bit;
    if (bit == (tls->server ? KNOW_SERVER : KNOW_CLIENT))
        tls->keys.sealed = 0;
}

/* Those of every level. */
static void tell_messages(struct osspi_tls *tls, const char *line)
{
    const size_t name_len = strcspn(line, " ");
    uint8_t secret[MAX_SECRET];
    char name[64];

    if (name_len >= sizeof(name))
        return;
    memcpy(name, line, name_len);
    name[name_len] = '\0';
    const char *hex = secret_of(line, name);
    if (hex != NULL && decode(hex, strlen(hex), secret))
        osspi_messages_see_secret(tls, name, name_len, secret, strlen(hex) / 2);
    osspi_secure_zero(secret, sizeof(secret));
}

void osspi_tls_on_secret(const SSL *ssl, const char *line)
{
    struct osspi_tls *tls = osspi_tls_of(ssl);

    for (size_t i = 0; i < OSSPI_COUNT_OF(names); i++) {
        const char *hex = secret_of(line, names[i].line);
        if (hex != NULL && decode(hex, strlen(hex), place_of(tls, names[i].bit)))
            note_known(tls, names[i].bit);
    }
    if (tls->messages != NULL)
        tell_messages(tls, line);
}

void osspi_tls_on_derived(void *owner, const char *label, size_t label_len, const uint8_t *secret,
                          size_t len)
{
    struct osspi_tls *tls = owner;

    if (tls->messages != NULL)
        osspi_messages_see_secret(tls, label, label_len, secret, len);
    if (label_len == strlen(EARLY_EXPORTER) && memcmp(label, EARLY_EXPORTER, label_len) == 0)
        tls->keys.early_at = (uintptr_t)secret;
    for (size_t i = 0; i < OSSPI_COUNT_OF(names) && len <= MAX_SECRET; i++) {
        if (strlen(names[i].label) != label_len || memcmp(names[i].label, label, label_len) != 0)
            continue;
        memcpy(place_of(tls, names[i].bit), secret, len);
        if (names[i].bit == KNOW_EXPORTER)
            tls->keys.exporter_at = (uintptr_t)secret;
        note_known(tls, names[i].bit);
    }
}

/* ---- the explicit nonce of TLS 1.2 ---- */

void osspi_tls_note_finished(struct osspi_tls *tls)
{
    size_t at = 0;
    bool changed = false; /* a ChangeCipherSpec was passed */

    if (tls->datagram || tls->keys.finished || !tls->write_protected ||
        SSL_version(tls->ssl) == TLS1_3_VERSION)
        return;
    while (tls->flight_len - at >= OSSPI_TLS_HEADER) {
        const uint8_t *record = tls->flight + at;
        const size_t body = (size_t)record[3] << 8 | record[4];

        if (body > tls->flight_len - at - OSSPI_TLS_HEADER)
            return;
        if (changed && body >= sizeof(tls->keys.finished_nonce)) {
            memcpy(&tls->keys.finished_nonce, record + OSSPI_TLS_HEADER,
                   sizeof(tls->keys.finished_nonce));
            tls->keys.finished = true;
            return;
        }
        changed = record[0] == OSSPI_TLS_TYPE_CCS;
        at += OSSPI_TLS_HEADER + body;
    }
}

/* ---- what OpenSSL leaves behind ---- */

/*
 * SSL_free() gives the memory of an SSL back with the key schedule of TLS 1.3 in it. The exporter
 * secret is derived right into its place there, so that place is known; before it stand the traffic
 * secrets, and before those what they were made from, each in a field of its own. Where they do not
 * stand like this nothing is touched.
 */
#define FIELD  ((size_t)EVP_MAX_MD_SIZE)
#define BEFORE 10u /* fields, the first of them the early secret */

static void find_schedule(struct osspi_tls *tls)
{
    const uintptr_t block = (uintptr_t)tls->ssl, exporter = tls->keys.exporter_at;
    const uint8_t *place = (const uint8_t *)tls->ssl + (exporter - block);

    /* Behind the block's beginning by so much, what is compared and wiped lies inside. */
    if (exporter < block + BEFORE * FIELD || exporter - block > MAX_SSL ||
        memcmp(place - 2 * FIELD, tls->keys.client, sizeof(tls->keys.client)) != 0 ||
        memcmp(place - FIELD, tls->keys.server, sizeof(tls->keys.server)) != 0)
        return;
    tls->schedule_at = exporter - block - BEFORE * FIELD;
    tls->schedule_len = (BEFORE + 1) * FIELD;
    if (tls->keys.early_at == exporter + FIELD) /* with early data there is one more behind it */
        tls->schedule_len += FIELD;
}

void osspi_tls_wipe_schedule(struct osspi_tls *tls)
{
    /* A handshake that was given up: what is not derived yet is zero there, and here. */
    if (tls->schedule_len == 0 && tls->keys.exporter_at != 0)
        find_schedule(tls);
    osspi_secure_zero((uint8_t *)tls->ssl + tls->schedule_at, tls->schedule_len);
}

/* ---- taking them ---- */

static bool take_secrets(struct osspi_tls *tls, struct osspi_tls_keys *ret_keys)
{
    if (tls->keys.known != KNOW_ALL)
        return false;
    find_schedule(tls);
    memcpy(ret_keys->client, tls->keys.client, sizeof(ret_keys->client));
    memcpy(ret_keys->server, tls->keys.server, sizeof(ret_keys->server));
    memcpy(ret_keys->master, tls->keys.exporter, sizeof(ret_keys->master));
    ret_keys->sealed = tls->keys.sealed;
    ret_keys->opened = 0;
    return true;
}

static bool take_master(struct osspi_tls *tls, struct osspi_tls_keys *ret_keys)
{
    const size_t len = SSL_SESSION_get_master_key(SSL_get_session(tls->ssl), ret_keys->master,
                                                  sizeof(ret_keys->master));

    if (len != sizeof(ret_keys->master) || !tls->keys.finished ||
        SSL_get_client_random(tls->ssl, ret_keys->client_random, 32) != 32 ||
        SSL_get_server_random(tls->ssl, ret_keys->server_random, 32) != 32)
        return false;
    ret_keys->sealed = ret_keys->opened = 1;
    ret_keys->next_explicit = be64toh(tls->keys.finished_nonce) + 1;
    return true;
}

SECURITY_STATUS osspi_tls_take_keys(struct osspi_tls *tls, struct osspi_tls_keys *ret_keys)
{
    *ret_keys = (struct osspi_tls_keys){.shard = tls->config->shard};
    const bool taken = SSL_version(tls->ssl) == TLS1_3_VERSION ? take_secrets(tls, ret_keys)
                                                               : take_master(tls, ret_keys);

    osspi_secure_zero(&tls->keys, sizeof(tls->keys));
    if (!taken)
        osspi_secure_zero(ret_keys, sizeof(*ret_keys));
    return taken ? SEC_E_OK : SEC_E_INTERNAL_ERROR;
}

/* ---- what is left ---- */

bool osspi_tls_awaits_tickets(const struct osspi_tls *tls)
{
    return !tls->server && tls->allow_tickets && tls->target != NULL &&
           SSL_version(tls->ssl) == TLS1_3_VERSION;
}

void osspi_tls_take_session(struct osspi_tls *tls, struct osspi_session_left *ret_left)
{
    *ret_left =
        (struct osspi_session_left){.owner = tls->session_owner, .target = OSSPI_TAKE(tls->target)};
}

void osspi_session_left_forget(const struct osspi_session_left *left)
{
    const struct osspi_session_name name = {left->owner, left->target};

    if (left->target != NULL)
        osspi_session_forget(&name);
}
