/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Record protection by our own code, in the caller's buffers, for suites with authenticated
 * encryption; see record.h. Nothing is copied, and nothing allocated for a record. This file makes
 * it and answers legs; record_seal.c and record_open.c do the work.
 *
 * Each direction counts its records from where the TLS library stopped. A forked child cannot use
 * the context at all (core/object.h), so no nonce is used by two processes.
 */
#include "packages/schannel/record_aead.h"

#include <stdio.h>

#include "base/memory.h"
#include "packages/schannel/credential.h"

/* ---- EncryptMessage ---- */

static SECURITY_STATUS seal(struct osspi_record *base, struct osspi_record_pieces *pieces)
{
    return osspi_record_seal_as(osspi_record_own(base), OSSPI_TYPE_DATA, pieces);
}

static bool is_closing(uint8_t level, uint8_t description)
{
    return description == OSSPI_ALERT_CLOSING || level == OSSPI_ALERT_FATAL;
}

static SECURITY_STATUS seal_alert(struct osspi_record *base, struct osspi_record_pieces *pieces)
{
    const bool closing = is_closing(pieces->data[0], pieces->data[1]);
    SECURITY_STATUS status = osspi_record_seal_as(osspi_record_own(base), OSSPI_TYPE_ALERT, pieces);

    if (status == SEC_E_OK && closing)
        osspi_record_own(base)->closed = true;
    return status;
}

/* ---- DecryptMessage ---- */

static void refuse(struct osspi_record *base, uint8_t description)
{
    (void)osspi_record_break(osspi_record_own(base), description, NULL);
}

/* ---- legs ---- */

/* The last flight of the handshake is the TLS library's; it leaves before anything else. */
static SECURITY_STATUS pending(struct osspi_record *base, const uint8_t **ret_bytes,
                               size_t *ret_len)
{
    struct osspi_record_aead *record = osspi_record_own(base);
    SECURITY_STATUS status = SEC_E_OK;

    if (!record->flight_left) {
        osspi_tls_flight(record->tls, ret_bytes, ret_len);
        return SEC_E_OK;
    }
    if (record->fatal != 0 && !record->closed) {
        status = osspi_record_put_alert(record, OSSPI_ALERT_FATAL, record->fatal);
        record->closed = status == SEC_E_OK;
    } else if (!record->broken && !record->spoiled && record->pending_len <= record->slot) {
        status = osspi_record_settle(record);
    }
    *ret_bytes = record->pending;
    *ret_len = record->pending_len;
    return status;
}

static void sent(struct osspi_record *base)
{
    struct osspi_record_aead *record = osspi_record_own(base);

    if (record->flight_left) {
        osspi_record_drop_pending(record);
        return;
    }
    osspi_tls_flight_sent(record->tls);
    record->flight_left = true;
    if (!record->later || !record->later->tickets)
        osspi_record_release_tls(record);
}

static SECURITY_STATUS alert(struct osspi_record *base, uint8_t level, uint8_t description)
{
    struct osspi_record_aead *record = osspi_record_own(base);
    const bool closing = is_closing(level, description);
    SECURITY_STATUS status = SEC_E_OK;

    if (record->closed)
        return SEC_E_OK; /* said once is enough, and nothing may follow it */
    if (record->spoiled)
        return SEC_E_UNSUPPORTED_FUNCTION;
    /* The last place is kept for what closes: that has to find room whatever waits. */
    if (!closing && record->pending_len > 2 * record->slot)
        return SEC_E_BUFFER_TOO_SMALL;
    if (record->pending_len <= record->slot)
        status = osspi_record_settle(record);
    if (status == SEC_E_OK)
        status = osspi_record_put_alert(record, level, description);
    if (status == SEC_E_OK && closing)
        record->closed = true;
    return status;
}

static SECURITY_STATUS update(struct osspi_record *base, bool request)
{
    struct osspi_record_aead *record = osspi_record_own(base);
    SECURITY_STATUS status = SEC_E_OK;

    if (record->version != OSSPI_TLS13)
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (record->closed || record->spoiled)
        return SEC_E_CONTEXT_EXPIRED;
    if (record->pending_len > 2 * (uint32_t)record->slot)
        return SEC_E_BUFFER_TOO_SMALL;
    if (record->pending_len <= record->slot)
        status = osspi_record_settle(record);
    return status == SEC_E_OK ? osspi_record_update_key(record, request) : status;
}

static struct osspi_later *later(struct osspi_record *base)
{
    struct osspi_later *later = osspi_record_own(base)->later;

    return later && later->left > 0 ? later : NULL;
}

static bool refuses_later(struct osspi_record *base)
{
    return osspi_record_own(base)->later_wanted && !later(base);
}

static void reconnects(struct osspi_record *base, bool enabled)
{
    struct osspi_record_aead *record = osspi_record_own(base);

    if (record->tls)
        osspi_tls_reconnects(record->tls, enabled);
    else if (!enabled && !record->server)
        osspi_session_left_forget(&record->session);
}

static void detail(struct osspi_record *base, char *buffer, size_t size)
{
    struct osspi_record_aead *record = osspi_record_own(base);

    if (record->alert_in != 0)
        (void)osspi_tls_alert_received(record->alert_in, buffer, size);
    else
        (void)snprintf(buffer, size, "%s", record->words ? record->words : "");
}

/* ---- making and freeing ---- */

static void free_secrets(struct osspi_export_secret *secret)
{
    while (secret) {
        struct osspi_export_secret *before = secret->before;

        osspi_secret_free(secret, sizeof(*secret));
        secret = before;
    }
}

static void free_record(struct osspi_record *base)
{
    struct osspi_record_aead *record = osspi_record_own(base);
    const size_t randoms = record->version == OSSPI_TLS13 ? 0 : 64;

    osspi_tls_free(record->tls);
    osspi_later_free(record->later);
    free_secrets(atomic_load_explicit(&record->renewed, memory_order_relaxed));
    osspi_free(record->session.target);
    osspi_secret_free(record->partial.bytes, record->partial.size);
    osspi_record_drop_pending(record);
    osspi_record_key_clear(record, &record->write);
    osspi_record_key_clear(record, &record->read);
    osspi_secret_free(record, sizeof(*record) + randoms);
}

static const struct osspi_record_class by_own_code = {
    .free = free_record,
    .seal = seal,
    .seal_alert = seal_alert,
    .open = osspi_record_open_one,
    .refuse = refuse,
    .pending = pending,
    .sent = sent,
    .alert = alert,
    .update = update,
    .later = later,
    .refuses_later = refuses_later,
    .reconnects = reconnects,
    .detail = detail,
    .randoms = osspi_record_randoms,
    .export_keying = osspi_record_export_keying,
};

static void set_sizes(struct osspi_record_aead *record, const struct osspi_tls_facts *facts,
                      const struct osspi_suite *suite)
{
    const bool tls13 = facts->version == OSSPI_TLS13;
    const size_t message = tls13 ? OSSPI_KEY_UPDATE_SIZE : 2;

    record->explicit_nonce = !tls13 && record->kind != OSSPI_AEAD_CHACHA20_POLY1305;
    record->above = OSSPI_TLS_HEADER + (record->explicit_nonce ? OSSPI_EXPLICIT_NONCE : 0);
    record->below = OSSPI_AEAD_TAG + (tls13 ? 1 : 0);
    record->slot = (uint8_t)(record->above + message + record->below);
    record->base.sizes = (struct osspi_record_sizes){
        .header = record->above,
        .trailer = (uint32_t)record->below + 2 * record->slot,
        .maximum = facts->max_fragment,
        .block = suite->cipher_block,
    };
}

static SECURITY_STATUS start13(struct osspi_record_aead *record, const struct osspi_tls_keys *keys)
{
    memcpy(record->write.secret, record->server ? keys->server : keys->client, OSSPI_MAX_HASH);
    memcpy(record->read.secret, record->server ? keys->client : keys->server, OSSPI_MAX_HASH);
    return osspi_later_new(record, keys, NULL);
}

static SECURITY_STATUS start12(struct osspi_record_aead *record, const struct osspi_tls_keys *keys,
                               const struct osspi_suite *suite)
{
    struct osspi_record_key *client = record->server ? &record->read : &record->write;
    struct osspi_record_key *server = record->server ? &record->write : &record->read;
    const uint64_t opened = record->read.sequence, sealed = record->write.sequence;
    struct osspi_key_block block;
    struct osspi_bridge bridge;
    SECURITY_STATUS status;

    memcpy(record->randoms, keys->client_random, 32);
    memcpy(record->randoms + 32, keys->server_random, 32);
    record->next_explicit = keys->next_explicit;
    osspi_bridge_init(&bridge, suite, false, keys->shard);
    osspi_bridge_key_block(&bridge, keys->master, keys->client_random, keys->server_random, &block);
    osspi_record_key_change(client, &block.client);
    osspi_record_key_change(server, &block.server);
    record->read.sequence = opened;
    record->write.sequence = sealed;
    status = osspi_later_new(record, keys, &block);
    osspi_secure_zero(&block, sizeof(block));
    return status;
}

static struct osspi_record_aead *new_record(struct osspi_tls *tls,
                                            const struct osspi_tls_facts *facts,
                                            const struct osspi_tls_keys *keys)
{
    const struct osspi_suite *suite = osspi_suite_find(facts->cipher_suite);
    const size_t randoms = facts->version == OSSPI_TLS13 ? 0 : 64;
    struct osspi_record_aead *record = osspi_alloc(sizeof(*record) + randoms);

    if (!record)
        return NULL;
    record->base.class = &by_own_code;
    record->shard = keys->shard;
    record->epoch = osspi_fork_epoch();
    record->kind = osspi_bridge_kind(suite);
    record->hash = strcmp(suite->prf_hash, "SHA384") == 0 ? OSSPI_HMAC_SHA384 : OSSPI_HMAC_SHA256;
    record->version = facts->version;
    record->server = facts->server;
    record->write.sequence = keys->sealed;
    record->read.sequence = keys->opened;
    record->tls = tls;
    record->later_wanted = osspi_tls_later_wanted(tls);
    memcpy(record->master, keys->master, sizeof(record->master));
    set_sizes(record, facts, suite);
    return record;
}

SECURITY_STATUS osspi_record_aead_new(struct osspi_tls *tls, const struct osspi_tls_facts *facts,
                                      struct osspi_record **ret_record)
{
    struct osspi_tls_keys keys;
    struct osspi_record_aead *record = NULL;
    SECURITY_STATUS status = osspi_tls_take_keys(tls, &keys);

    if (status != SEC_E_OK)
        return status;
    record = new_record(tls, facts, &keys);
    if (!record)
        status = SEC_E_INSUFFICIENT_MEMORY;
    else if (record->version == OSSPI_TLS13)
        status = start13(record, &keys);
    else
        status = start12(record, &keys, osspi_suite_find(facts->cipher_suite));
    osspi_secure_zero(&keys, sizeof(keys));
    if (status == SEC_E_OK) {
        *ret_record = &record->base;
    } else if (record) {
        record->tls = NULL; /* stays the caller's */
        free_record(&record->base);
    }
    return status;
}
