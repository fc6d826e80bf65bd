/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Record protection of datagram connections: sealing, what legs hand out, and how it is made; see
 * record_datagram.h. A number is claimed before sealing and spent even if that fails. A forked
 * child cannot use the context at all (core/object.h), so no nonce is used by two processes.
 */
#include "packages/schannel/record_datagram.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/lock.h"
#include "base/memory.h"
#include "packages/schannel/credential.h"
#include "packages/schannel/record_aead.h"
#include "packages/schannel/tls_datagram.h"

/* ---- EncryptMessage ---- */

static SECURITY_STATUS seal_as(struct osspi_record_datagram *record, uint8_t type,
                               struct osspi_record_pieces *pieces)
{
    SECURITY_STATUS status;

    if (record->closed)
        return SEC_E_CONTEXT_EXPIRED;
    if (record->spoiled)
        return SEC_E_ENCRYPT_FAILURE;
    status = osspi_line_seal(&record->line, type, true, pieces->header, pieces->data,
                             pieces->data_len, pieces->trailer);
    if (status != SEC_E_OK) {
        record->spoiled = true;
        return status;
    }
    pieces->header_len = record->base.sizes.header;
    pieces->used_len = pieces->data_len;
    pieces->trailer_len = record->base.sizes.trailer;
    return SEC_E_OK;
}

static SECURITY_STATUS seal(struct osspi_record *base, struct osspi_record_pieces *pieces)
{
    return seal_as(osspi_record_of_datagram(base), OSSPI_TYPE_DATA, pieces);
}

static bool is_closing(uint8_t level, uint8_t description)
{
    return description == OSSPI_ALERT_CLOSING || level == OSSPI_ALERT_FATAL;
}

static SECURITY_STATUS seal_alert(struct osspi_record *base, struct osspi_record_pieces *pieces)
{
    const bool closing = is_closing(pieces->data[0], pieces->data[1]);
    SECURITY_STATUS status = seal_as(osspi_record_of_datagram(base), OSSPI_TYPE_ALERT, pieces);

    if (status == SEC_E_OK && closing)
        osspi_record_of_datagram(base)->closed = true;
    return status;
}

/* ---- DecryptMessage ---- */

static enum osspi_record_kind open_record(struct osspi_record *base, uint8_t *bytes, size_t len,
                                          uint8_t **ret_plain, size_t *ret_plain_len,
                                          SECURITY_STATUS *ret_status)
{
    bool dropped;

    return osspi_record_datagram_open(base, bytes, len, ret_plain, ret_plain_len, &dropped,
                                      ret_status);
}

static void refuse(struct osspi_record *base, uint8_t description)
{
    (void)description;
    osspi_record_of_datagram(base)->reading.broken = true;
}

/* ---- legs ---- */

static void free_flight(struct osspi_flight **flight)
{
    if (!*flight)
        return;
    osspi_flight_clear(*flight);
    osspi_free(OSSPI_TAKE(*flight));
}

void osspi_record_datagram_forget(struct osspi_record_datagram *record, bool at_once)
{
    if (record->kept && (at_once || time(NULL) >= record->kept_until))
        free_flight(&record->kept);
}

static SECURITY_STATUS put_alert(struct osspi_record_datagram *record, uint8_t level,
                                 uint8_t description)
{
    if (!record->alert)
        record->alert = osspi_alloc(sizeof(*record->alert));
    return record->alert ? osspi_flight_alert(record->alert, true, level, description)
                         : SEC_E_INSUFFICIENT_MEMORY;
}

/* The flight goes out again, or we say that we do not renegotiate. */
static SECURITY_STATUS settle(struct osspi_record_datagram *record)
{
    const uint32_t owed = atomic_load_explicit(&record->owed, memory_order_relaxed);
    SECURITY_STATUS status = SEC_E_OK;

    if (owed == 0 || record->closed || record->spoiled)
        return SEC_E_OK;
    if (owed & OSSPI_OWED_FLIGHT && record->kept)
        osspi_flight_rewind(record->kept);
    if (owed & OSSPI_OWED_REFUSAL)
        status = put_alert(record, OSSPI_ALERT_WARNING, OSSPI_ALERT_NO_RENEGOTIATION);
    if (status == SEC_E_OK)
        (void)atomic_fetch_and_explicit(&record->owed, ~owed, memory_order_relaxed);
    return status;
}

/* What waits; NULL: nothing. */
static struct osspi_flight *waiting(const struct osspi_record_datagram *record)
{
    if (record->alert && osspi_flight_waits(record->alert))
        return record->alert;
    return record->kept && osspi_flight_waits(record->kept) ? record->kept : NULL;
}

bool osspi_record_datagram_waits(struct osspi_record *base)
{
    return waiting(osspi_record_of_datagram(base)) != NULL;
}

static SECURITY_STATUS pending(struct osspi_record *base, const uint8_t **ret_bytes,
                               size_t *ret_len)
{
    struct osspi_record_datagram *record = osspi_record_of_datagram(base);
    SECURITY_STATUS status = waiting(record) ? SEC_E_OK : settle(record);
    struct osspi_flight *flight = waiting(record);

    *ret_bytes = NULL;
    *ret_len = 0;
    if (status != SEC_E_OK || !flight)
        return status;
    return osspi_flight_next(flight, &record->line, atomic_load(record->mtu), ret_bytes, ret_len);
}

static void sent(struct osspi_record *base)
{
    struct osspi_record_datagram *record = osspi_record_of_datagram(base);
    struct osspi_flight *flight = waiting(record);

    if (flight)
        osspi_flight_sent(flight);
    if (record->alert && !osspi_flight_waits(record->alert))
        free_flight(&record->alert);
    if (record->kept && !osspi_flight_waits(record->kept))
        osspi_record_datagram_forget(record, record->closed);
}

static SECURITY_STATUS alert(struct osspi_record *base, uint8_t level, uint8_t description)
{
    struct osspi_record_datagram *record = osspi_record_of_datagram(base);
    const bool closing = is_closing(level, description);
    SECURITY_STATUS status;

    if (record->closed)
        return SEC_E_OK; /* said once is enough, and nothing may follow it */
    if (record->spoiled)
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (!closing && record->alert)
        return SEC_E_BUFFER_TOO_SMALL;
    status = put_alert(record, level, description);
    if (status == SEC_E_OK && closing)
        record->closed = true;
    return status;
}

static void reconnects(struct osspi_record *base, bool enabled)
{
    struct osspi_record_datagram *record = osspi_record_of_datagram(base);

    if (!enabled && !record->server)
        osspi_session_left_forget(&record->session);
}

static void detail(struct osspi_record *base, char *buffer, size_t size)
{
    const struct osspi_record_datagram *record = osspi_record_of_datagram(base);

    buffer[0] = '\0';
    if (record->reading.alert != 0)
        (void)osspi_tls_alert_received(record->reading.alert, buffer, size);
}

static void randoms(struct osspi_record *base, uint8_t ret_randoms[64])
{
    memcpy(ret_randoms, osspi_record_of_datagram(base)->randoms, 64);
}

static SECURITY_STATUS export_keying(struct osspi_record *base, struct osspi_hmac_bytes label,
                                     struct osspi_hmac_bytes context, uint8_t *out, size_t out_len)
{
    const struct osspi_record_datagram *record = osspi_record_of_datagram(base);

    return osspi_record_export12(record->hash, record->master, record->randoms, label, context, out,
                                 out_len);
}

/* ---- making and freeing ---- */

static void free_record(struct osspi_record *base)
{
    struct osspi_record_datagram *record = osspi_record_of_datagram(base);

    free_flight(&record->kept);
    free_flight(&record->alert);
    osspi_free(record->session.target);
    if (record->reading.aead && record->epoch == osspi_fork_epoch())
        osspi_aead_clear(record->reading.aead);
    if (record->reading.aead)
        osspi_secret_free(record->reading.aead, osspi_aead_size(record->kind));
    osspi_line_clear(&record->line);
    osspi_secret_free(record, sizeof(*record));
}

static const struct osspi_record_class by_datagrams = {
    .free = free_record,
    .seal = seal,
    .seal_alert = seal_alert,
    .open = open_record,
    .refuse = refuse,
    .pending = pending,
    .sent = sent,
    .alert = alert,
    .reconnects = reconnects,
    .detail = detail,
    .randoms = randoms,
    .export_keying = export_keying,
};

uint32_t osspi_record_datagram_maximum(const struct osspi_record *base)
{
    const struct osspi_record_datagram *record = (const struct osspi_record_datagram *)base;
    const uint32_t room =
        atomic_load(record->mtu) - record->base.sizes.header - record->base.sizes.trailer;

    return room < record->base.sizes.maximum ? room : record->base.sizes.maximum;
}

static void start(struct osspi_record_datagram *record, const struct osspi_datagram_keys *keys)
{
    struct osspi_datagram_key client, server;

    osspi_datagram_key_block(keys, &client, &server);
    record->reading.key = record->server ? client : server;
    memcpy(record->master, keys->master, sizeof(record->master));
    memcpy(record->randoms, keys->randoms, sizeof(record->randoms));
    osspi_secure_zero(&client, sizeof(client));
    osspi_secure_zero(&server, sizeof(server));
}

/* What is not allocated yet, is; from here on nothing fails. */
static struct osspi_record_datagram *allocate(bool last)
{
    struct osspi_record_datagram *record = osspi_alloc(sizeof(*record));

    if (record && last) {
        record->kept = osspi_alloc(sizeof(*record->kept));
        if (!record->kept)
            osspi_free(OSSPI_TAKE(record));
    }
    return record;
}

SECURITY_STATUS osspi_record_datagram_new(struct osspi_tls *tls,
                                          const struct osspi_tls_facts *facts,
                                          const _Atomic uint16_t *mtu, struct osspi_line *line,
                                          struct osspi_flight *flight, bool last,
                                          struct osspi_record **ret_record)
{
    const struct osspi_suite *suite = osspi_suite_find(facts->cipher_suite);
    struct osspi_datagram_keys keys;
    SECURITY_STATUS status = osspi_tls_datagram_keys(tls, &keys);
    struct osspi_record_datagram *record = status == SEC_E_OK ? allocate(last) : NULL;

    if (!record || !suite) {
        osspi_secure_zero(&keys, sizeof(keys));
        if (record)
            free_record(&record->base);
        return status == SEC_E_OK && suite ? SEC_E_INSUFFICIENT_MEMORY : SEC_E_INTERNAL_ERROR;
    }
    record->base.class = &by_datagrams;
    record->shard = keys.shard;
    record->epoch = osspi_fork_epoch();
    record->kind = keys.kind;
    record->hash = keys.hash;
    record->server = facts->server;
    record->srtp = osspi_tls_srtp_profile(tls);
    record->mtu = mtu;
    start(record, &keys);
    osspi_secure_zero(&keys, sizeof(keys));
    record->line = *line;
    osspi_secure_zero(line, sizeof(*line));
    record->base.sizes = (struct osspi_record_sizes){
        .header = (uint32_t)osspi_line_above(&record->line, true),
        .trailer = (uint32_t)osspi_line_below(true),
        .maximum = facts->max_fragment,
        .block = suite->cipher_block,
    };
    if (last) {
        *record->kept = *flight;
        record->kept_until = (int64_t)time(NULL) + OSSPI_FLIGHT_KEPT_S;
        *flight = (struct osspi_flight){0};
    }
    osspi_tls_take_session(tls, &record->session);
    osspi_tls_free(tls);
    *ret_record = &record->base;
    return SEC_E_OK;
}
