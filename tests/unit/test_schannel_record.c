/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Record protection by our own code against plain OpenSSL, where the public interface does not
 * reach: limits of keys and numbers, sealing that fails, nonces, tickets, and when the TLS
 * library's object goes.
 */
#include <endian.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/record_aead.h"
#include "packages/schannel/session.h"
#include "packages/schannel/tls_internal.h"
#include "support/test_util.h"
#include "unit/tls_pair.h"

struct both {
    struct osspi_schannel_credential *credential;
    SSL_CTX *ctx;
    struct pair_end ours, plain;
    struct osspi_tls_facts facts;
    struct osspi_record *record;
    struct osspi_record_aead *own; /* the same */
};

static void connect_both(struct both *both, bool we_serve, const char *suite, size_t tickets)
{
    const bool tls13 = strncmp(suite, "TLS_", 4) == 0;
    const int version = tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;

    memset(both, 0, sizeof(*both));
    both->credential = pair_credential(we_serve, we_serve ? "server" : NULL);
    both->ctx = SSL_CTX_new(TLS_method());
    assert_non_null(both->ctx);
    assert_int_equal(SSL_CTX_set_min_proto_version(both->ctx, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(both->ctx, version), 1);
    assert_int_equal(tls13 ? SSL_CTX_set_ciphersuites(both->ctx, suite)
                           : SSL_CTX_set_cipher_list(both->ctx, suite),
                     1);
    SSL_CTX_set_num_tickets(both->ctx, tickets);
    SSL_CTX_set_session_id_context(both->ctx, (const unsigned char *)"x", 1);
    if (!we_serve) {
        assert_int_equal(SSL_CTX_use_certificate_chain_file(both->ctx, pair_path("server", ".pem")),
                         1);
        assert_int_equal(
            SSL_CTX_use_PrivateKey_file(both->ctx, pair_path("server", ".key"), SSL_FILETYPE_PEM),
            1);
    }
    const struct osspi_tls_setup setup =
        we_serve ? pair_server_setup(both->credential) : pair_client_setup(both->credential);
    assert_int_equal(pair_ours(&both->ours, &setup), SEC_E_OK);
    pair_plain(&both->plain, both->ctx, !we_serve);
    assert_true(we_serve ? pair_handshake(&both->plain, &both->ours)
                         : pair_handshake(&both->ours, &both->plain));
    assert_int_equal(osspi_tls_facts(both->ours.tls, &both->facts), SEC_E_OK);
    assert_int_equal(osspi_record_new(both->ours.tls, &both->facts, &both->record), SEC_E_OK);
    both->ours.tls = NULL;
    both->own = osspi_record_own(both->record);
    both->record->class->sent(both->record); /* pair_handshake() has delivered the flight */
}

static void end_both(struct both *both)
{
    osspi_record_free(both->record);
    osspi_tls_facts_clear(&both->facts);
    pair_end_clear(&both->ours);
    pair_end_clear(&both->plain);
    SSL_CTX_free(both->ctx);
    osspi_schannel_empty_cache(NULL);
    pair_credential_free(both->credential);
}

/* ---- the two directions ---- */

struct sealed {
    uint8_t bytes[256];
    size_t len;
};

static SECURITY_STATUS seal(struct both *both, const char *text, struct sealed *ret_sealed)
{
    uint8_t header[32], data[64], trailer[160];
    struct osspi_record_pieces pieces = {
        .header = header, .data = data, .trailer = trailer, .data_len = strlen(text)};
    uint8_t *end = ret_sealed->bytes;

    assert_true(pieces.data_len <= sizeof(data) && both->record->sizes.header <= sizeof(header) &&
                both->record->sizes.trailer <= sizeof(trailer));
    memcpy(data, text, pieces.data_len);
    const SECURITY_STATUS status = both->record->class->seal(both->record, &pieces);
    ret_sealed->len = 0;
    if (status != SEC_E_OK)
        return status;
    memcpy(end, header, pieces.header_len);
    end += pieces.header_len;
    memcpy(end, data, pieces.used_len);
    end += pieces.used_len;
    memcpy(end, trailer, pieces.trailer_len);
    ret_sealed->len = (size_t)(end - ret_sealed->bytes) + pieces.trailer_len;
    return SEC_E_OK;
}

static void they_get(struct both *both, const struct sealed *sealed, const char *text)
{
    char got[64] = "";

    assert_int_equal(BIO_write(both->plain.to, sealed->bytes, (int)sealed->len), (int)sealed->len);
    assert_int_equal(SSL_read(both->plain.ssl, got, sizeof(got)), (int)strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static void we_send(struct both *both, const char *text)
{
    struct sealed sealed;

    assert_int_equal(seal(both, text, &sealed), SEC_E_OK);
    they_get(both, &sealed, text);
}

/* Bytes of the other side; what came with the handshake first. */
static void take(struct both *both, uint8_t *bytes, size_t len)
{
    struct pair_end *ours = &both->ours;

    if (ours->pending_len == 0) {
        assert_int_equal(BIO_read(both->plain.from, bytes, (int)len), (int)len);
        return;
    }
    assert_true(ours->pending_len >= len);
    memcpy(bytes, ours->pending, len);
    ours->pending_len -= len;
    memmove(ours->pending, ours->pending + len, ours->pending_len);
}

/* Opens the next record of the other side. */
static enum osspi_record_kind open_next(struct both *both, char *ret_text, size_t *ret_len,
                                        SECURITY_STATUS *ret_status)
{
    static uint8_t bytes[20000];
    uint8_t *plain;

    take(both, bytes, OSSPI_TLS_HEADER);
    const size_t body = (size_t)bytes[3] << 8 | bytes[4];
    take(both, bytes + OSSPI_TLS_HEADER, body);
    const enum osspi_record_kind kind = both->record->class->open(
        both->record, bytes, body + OSSPI_TLS_HEADER, &plain, ret_len, ret_status);
    if (kind == OSSPI_RECORD_DATA)
        memcpy(ret_text, plain, *ret_len < 64 ? *ret_len : 64);
    return kind;
}

static enum osspi_record_kind open_kind(struct both *both)
{
    SECURITY_STATUS status;
    char text[64];
    size_t len;

    return open_next(both, text, &len, &status);
}

static void we_get(struct both *both, const char *text)
{
    SECURITY_STATUS status;
    char got[64];
    size_t len;

    assert_int_equal(SSL_write(both->plain.ssl, text, (int)strlen(text)), (int)strlen(text));
    assert_int_equal(open_next(both, got, &len, &status), OSSPI_RECORD_DATA);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(got, text, len);
}

static void leg(struct both *both, struct sealed *ret_sent)
{
    const uint8_t *bytes;

    assert_int_equal(both->record->class->pending(both->record, &bytes, &ret_sent->len), SEC_E_OK);
    assert_true(ret_sent->len <= sizeof(ret_sent->bytes));
    if (ret_sent->len > 0) /* else there may be no address */
        memcpy(ret_sent->bytes, bytes, ret_sent->len);
    both->record->class->sent(both->record);
}

/* ---- every suite ---- */

static const char *const suites[] = {
    "TLS_AES_128_GCM_SHA256",        "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",  "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
};

static void records_go_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * OSSPI_COUNT_OF(suites); i++) {
        struct both both;

        connect_both(&both, i % 2 == 0, suites[i / 2], 0);
        we_send(&both, "one");
        we_get(&both, "two");
        we_send(&both, "three");
        we_get(&both, "four");
        end_both(&both);
    }
}

/* ---- limits ---- */

static void write_key_changes_before_its_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct both both;
        struct sealed sealed;

        connect_both(&both, false, suites[i], 0);
        both.own->write.blocks = OSSPI_UPDATE_BLOCKS - 4;
        assert_int_equal(seal(&both, "a", &sealed), SEC_E_OK);
        assert_int_equal(pair_record_len(sealed.bytes, sealed.len), sealed.len); /* one */
        they_get(&both, &sealed, "a");
        we_send(&both, "b");
        assert_int_equal(seal(&both, "c", &sealed), SEC_E_OK); /* KeyUpdate, and the data */
        assert_true(pair_record_len(sealed.bytes, sealed.len) < sealed.len);
        they_get(&both, &sealed, "c");
        assert_true(both.own->write.blocks < 10);
        assert_int_equal(both.own->write.sequence, 1);
        we_get(&both, "d");
        end_both(&both);
    }
}

static void write_key_changes_in_a_leg_too(void **state)
{
    struct both both;
    struct sealed sealed;

    (void)state;
    connect_both(&both, true, suites[0], 0);
    leg(&both, &sealed);
    assert_int_equal(sealed.len, 0);
    both.own->write.blocks = OSSPI_UPDATE_BLOCKS;
    leg(&both, &sealed);
    assert_int_equal(pair_record_len(sealed.bytes, sealed.len), sealed.len);
    assert_int_equal(BIO_write(both.plain.to, sealed.bytes, (int)sealed.len), (int)sealed.len);
    we_send(&both, "a");
    leg(&both, &sealed);
    assert_int_equal(sealed.len, 0);
    end_both(&both);
}

static void a_key_of_tls12_ends_at_its_limit(void **state)
{
    struct both both;
    struct sealed sealed;

    (void)state;
    connect_both(&both, false, "ECDHE-ECDSA-AES128-GCM-SHA256", 0);
    both.own->write.blocks = OSSPI_MAX_BLOCKS - 3;
    we_send(&both, "a");
    assert_int_equal(seal(&both, "b", &sealed), SEC_E_ENCRYPT_FAILURE);
    assert_int_equal(seal(&both, "b", &sealed), SEC_E_ENCRYPT_FAILURE);
    end_both(&both);
}

/* While a client answers a request for its certificate its key has to stay, but not for ever. */
static void a_key_that_has_to_stay_ends_at_its_limit(void **state)
{
    struct both both;
    struct sealed sealed;

    (void)state;
    connect_both(&both, false, suites[0], 0);
    both.own->answering = true;
    both.own->write.blocks = OSSPI_MAX_BLOCKS - 3;
    we_send(&both, "a");
    assert_int_equal(seal(&both, "b", &sealed), SEC_E_ENCRYPT_FAILURE);
    both.own->answering = false;
    we_send(&both, "c");
    assert_true(both.own->write.blocks < 10);
    end_both(&both);
}

static void chacha20_has_no_such_limit(void **state)
{
    (void)state;
    for (size_t i = 2; i < OSSPI_COUNT_OF(suites); i += 3) {
        struct both both;

        connect_both(&both, false, suites[i], 0);
        both.own->write.blocks = OSSPI_MAX_BLOCKS + 10;
        we_send(&both, "a");
        assert_int_equal(both.own->write.sequence, i == 2 ? 1 : 2); /* no new key */
        end_both(&both);
    }
}

static void numbers_never_wrap(void **state)
{
    (void)state;
    for (size_t i = 0; i < OSSPI_COUNT_OF(suites); i++) {
        struct both both;
        struct sealed sealed;

        connect_both(&both, false, suites[i], 0);
        both.own->write.sequence = UINT64_MAX - 1;
        both.own->read.sequence = UINT64_MAX;
        assert_int_equal(seal(&both, "the last", &sealed), SEC_E_OK);
        for (int again = 0; again < 3; again++)
            assert_int_equal(seal(&both, "one more", &sealed), SEC_E_ENCRYPT_FAILURE);
        assert_int_equal(both.own->write.sequence, UINT64_MAX);
        assert_int_equal(SSL_write(both.plain.ssl, "x", 1), 1);
        assert_int_equal(open_kind(&both), OSSPI_RECORD_BROKEN);
        end_both(&both);
    }
}

/* ---- answers in front of records ---- */

/* Whatever the sizes of the three pieces are to those of the answers. */
static void records_move_behind_answers(void **state)
{
    char text[64] = "";
    struct both both;
    struct sealed sealed;

    (void)state;
    connect_both(&both, true, suites[0], 0);
    for (size_t len = 1; len < sizeof(text); len++) {
        memset(text, (int)('0' + len), len);
        for (int waiting = 0; waiting < 2; waiting++) {
            const uint8_t *bytes;

            both.own->owed = OSSPI_OWED_UPDATE;
            if (waiting == 1) { /* a leg has made one, and found no room for it */
                assert_int_equal(both.record->class->pending(both.record, &bytes, &sealed.len),
                                 SEC_E_OK);
                both.own->owed = OSSPI_OWED_UPDATE;
            }
            assert_int_equal(seal(&both, text, &sealed), SEC_E_OK);
            they_get(&both, &sealed, text);
        }
    }
    end_both(&both);
}

/* ---- sealing that fails ---- */

static void a_number_is_spent_when_sealing_fails(void **state)
{
    struct both both;
    struct sealed sealed;

    (void)state;
    connect_both(&both, false, suites[0], 0);
    we_send(&both, "a");
    const uint64_t before = both.own->write.sequence;
    osspi_aead_clear(both.own->write.aead); /* what is left of a key cannot seal */
    assert_int_equal(seal(&both, "secret", &sealed), SEC_E_ENCRYPT_FAILURE);
    assert_int_equal(both.own->write.sequence, before + 1);
    both.own->write.ready = false; /* with the key back, still nothing: a record is missing */
    assert_int_equal(seal(&both, "secret", &sealed), SEC_E_ENCRYPT_FAILURE);
    assert_int_equal(both.own->write.sequence, before + 1);
    we_get(&both, "b");
    end_both(&both);
}

/* ---- nonces ---- */

static uint64_t explicit_nonce(const struct sealed *sealed)
{
    uint64_t number;

    memcpy(&number, sealed->bytes + OSSPI_TLS_HEADER, sizeof(number));
    return be64toh(number);
}

static void explicit_nonces_go_on_from_the_finished(void **state)
{
    (void)state;
    for (int we_serve = 0; we_serve <= 1; we_serve++) {
        struct both both;
        struct sealed sealed;

        connect_both(&both, we_serve != 0, "ECDHE-ECDSA-AES128-GCM-SHA256", 0);
        const uint64_t first = both.own->next_explicit;
        for (uint64_t i = 0; i < 5; i++) {
            assert_int_equal(seal(&both, "x", &sealed), SEC_E_OK);
            assert_true(explicit_nonce(&sealed) == first + i);
            they_get(&both, &sealed, "x");
        }
        end_both(&both);
    }
}

/* ---- the TLS library's object ---- */

static void one_ticket_is_kept_and_the_object_goes(void **state)
{
    struct both both;

    (void)state;
    connect_both(&both, false, suites[1], 5);
    assert_non_null(both.own->tls);
    assert_int_equal(open_kind(&both), OSSPI_RECORD_POST_HANDSHAKE);
    assert_null(both.own->tls);
    assert_int_equal(osspi_session_count(), 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(open_kind(&both), OSSPI_RECORD_POST_HANDSHAKE);
    we_get(&both, "a");
    we_send(&both, "b");
    both.record->class->reconnects(both.record, false);
    assert_int_equal(osspi_session_count(), 0);
    end_both(&both);
}

static void tickets_find_the_object_after_key_updates(void **state)
{
    struct both both;
    struct sealed sealed;

    (void)state;
    connect_both(&both, false, suites[0], 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(SSL_key_update(both.plain.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(both.plain.ssl), 1);
        assert_int_equal(open_kind(&both), OSSPI_RECORD_POST_HANDSHAKE);
    }
    leg(&both, &sealed);
    assert_int_equal(pair_record_len(sealed.bytes, sealed.len),
                     sealed.len); /* one answer to three */
    assert_int_equal(BIO_write(both.plain.to, sealed.bytes, (int)sealed.len), (int)sealed.len);
    we_send(&both, "a");
    assert_int_equal(SSL_new_session_ticket(both.plain.ssl), 1);
    assert_int_equal(SSL_do_handshake(both.plain.ssl), 1);
    assert_int_equal(open_kind(&both), OSSPI_RECORD_POST_HANDSHAKE);
    assert_int_equal(osspi_session_count(), 1);
    assert_null(both.own->tls);
    we_get(&both, "b");
    end_both(&both);
}

static void tickets_are_not_waited_for_without_end(void **state)
{
    struct both both;

    (void)state;
    connect_both(&both, false, suites[0], 0);
    we_get(&both, "a");
    assert_non_null(both.own->tls);
    both.own->later->until = 1; /* long ago */
    we_get(&both, "b");
    assert_null(both.own->tls);
    end_both(&both);
}

static void others_keep_no_object(void **state)
{
    struct both both;

    (void)state;
    connect_both(&both, true, suites[0], 0);
    assert_null(both.own->tls);
    end_both(&both);
    connect_both(&both, false, "ECDHE-ECDSA-AES128-GCM-SHA256", 0);
    assert_null(both.own->tls);
    end_both(&both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_go_both_ways),
        cmocka_unit_test(write_key_changes_before_its_limit),
        cmocka_unit_test(write_key_changes_in_a_leg_too),
        cmocka_unit_test(a_key_of_tls12_ends_at_its_limit),
        cmocka_unit_test(a_key_that_has_to_stay_ends_at_its_limit),
        cmocka_unit_test(chacha20_has_no_such_limit),
        cmocka_unit_test(numbers_never_wrap),
        cmocka_unit_test(records_move_behind_answers),
        cmocka_unit_test(a_number_is_spent_when_sealing_fails),
        cmocka_unit_test(explicit_nonces_go_on_from_the_finished),
        cmocka_unit_test(one_ticket_is_kept_and_the_object_goes),
        cmocka_unit_test(tickets_find_the_object_after_key_updates),
        cmocka_unit_test(tickets_are_not_waited_for_without_end),
        cmocka_unit_test(others_keep_no_object),
    };

    return cmocka_run_group_tests_name("schannel.record", tests, pair_set_up, NULL);
}
