/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What comes from callers and from the wire before TLS sees it: record headers, protocol lists,
 * input buffers, control tokens, absorbed records.
 */
#include <string.h>

#include "packages/schannel/context.h"
#include "support/test_util.h"

/* ---- record headers ---- */

static enum osspi_header_verdict judge(const char *bytes, size_t len, enum osspi_header_place place,
                                       size_t *ret_len)
{
    return osspi_header_judge((const uint8_t *)bytes, len, place, ret_len);
}

static void every_prefix_says_what_is_missing(void **state)
{
    const char record[] = "\x16\x03\x01\x00\x04"
                          "abcd";
    size_t len;

    (void)state;
    for (size_t n = 0; n < 5; n++) {
        assert_int_equal(judge(record, n, OSSPI_PLACE_FIRST, &len), OSSPI_HEADER_SHORT);
        assert_int_equal(len, 5 - n);
    }
    for (size_t n = 5; n < 9; n++) {
        assert_int_equal(judge(record, n, OSSPI_PLACE_FIRST, &len), OSSPI_HEADER_SHORT);
        assert_int_equal(len, 9 - n);
    }
    assert_int_equal(judge(record, 9, OSSPI_PLACE_FIRST, &len), OSSPI_HEADER_GOOD);
    assert_int_equal(len, 9);
}

static void garbage_is_known_by_its_first_byte(void **state)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\n", "\x80\x2E\x01\x03", "\0\0\0\0\0",
                                        "SSH-2.0-x", "\x18\x03\x03"};
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(judge(texts[i], 1, OSSPI_PLACE_FIRST, &len), OSSPI_HEADER_GARBAGE);
    assert_int_equal(judge("\x17", 1, OSSPI_PLACE_FIRST, &len), OSSPI_HEADER_GARBAGE);
    assert_int_equal(judge("\x17", 1, OSSPI_PLACE_HANDSHAKE, &len), OSSPI_HEADER_SHORT);
    assert_int_equal(judge("\x16\x02", 2, OSSPI_PLACE_FIRST, &len), OSSPI_HEADER_VERSION);
    assert_int_equal(judge("\x16\x03\x05", 3, OSSPI_PLACE_FIRST, &len), OSSPI_HEADER_VERSION);
    assert_int_equal(osspi_header_alert(OSSPI_HEADER_GARBAGE), TLS1_ALERT_UNEXPECTED_MESSAGE);
    assert_int_equal(osspi_header_alert(OSSPI_HEADER_VERSION), TLS1_ALERT_PROTOCOL_VERSION);
    assert_int_equal(osspi_header_alert(OSSPI_HEADER_LARGE), TLS1_ALERT_RECORD_OVERFLOW);
}

static void lengths_above_the_protocol_s_limit_are_refused_with_the_header(void **state)
{
    static const struct {
        enum osspi_header_place place;
        unsigned limit;
    } rows[] = {
        {OSSPI_PLACE_FIRST, 16384},
        {OSSPI_PLACE_HANDSHAKE, 16384 + 2048},
        {OSSPI_PLACE_TLS12, 16384 + 2048},
        {OSSPI_PLACE_TLS13, 16384 + 256},
    };
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t header[] = {22, 3, 3, (uint8_t)(rows[i].limit >> 8), (uint8_t)rows[i].limit};

        assert_int_equal(osspi_header_judge(header, 5, rows[i].place, &len), OSSPI_HEADER_SHORT);
        assert_int_equal(len, rows[i].limit);
        header[4]++;
        assert_int_equal(osspi_header_judge(header, 5, rows[i].place, &len), OSSPI_HEADER_LARGE);
    }
}

/* ---- protocol lists ---- */

static SECURITY_STATUS alpn(const char *bytes, size_t len, const uint8_t **ret_list,
                            size_t *ret_len)
{
    return osspi_alpn_parse(bytes, len, ret_list, ret_len);
}

static void one_alpn_list_is_found_among_others(void **state)
{
    const char h2[] = "\x09\0\0\0"
                      "\x02\0\0\0"
                      "\x03\0"
                      "\x02h2";
    const char npn_first[] = "\x12\0\0\0"
                             "\x01\0\0\0"
                             "\x03\0"
                             "\x02h1"
                             "\x02\0\0\0"
                             "\x03\0"
                             "\x02h2";
    const uint8_t *list;
    size_t len;

    (void)state;
    assert_int_equal(alpn(h2, sizeof(h2) - 1, &list, &len), SEC_E_OK);
    assert_int_equal(len, 3);
    assert_memory_equal(list, "\x02h2", 3);
    assert_int_equal(alpn(npn_first, sizeof(npn_first) - 1, &list, &len), SEC_E_OK);
    assert_memory_equal(list, "\x02h2", 3);
    assert_int_equal(alpn("\x09\0\0\0\x01\0\0\0\x03\0\x02h2", 13, &list, &len), SEC_E_OK);
    assert_null(list);
    assert_int_equal(alpn("\0\0\0\0", 4, &list, &len), SEC_E_OK);
    assert_null(list);
}

static void broken_lists_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"", 0},
        {"\x09\0\0", 3},
        {"\x09\0\0\0", 4},                              /* claims more than there is */
        {"\xFF\xFF\xFF\xFF\x02\0\0\0\x03\0\x02h2", 13}, /* absurd size */
        {"\x05\0\0\0\x02\0\0\0\0", 9},                  /* half a list header */
        {"\x09\0\0\0\x02\0\0\0\x04\0\x02h2", 13},       /* list longer than its place */
        {"\x06\0\0\0\x02\0\0\0\0\0", 10},               /* no id at all */
        {"\x07\0\0\0\x02\0\0\0\x01\0\0", 11},           /* an empty id */
        {"\x09\0\0\0\x02\0\0\0\x03\0\x03h2", 13},       /* an id longer than its list */
        {"\x12\0\0\0\x02\0\0\0\x03\0\x02h2\x02\0\0\0\x03\0\x02h2", 22}, /* two of them */
    };
    const uint8_t *list;
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(alpn(rows[i].bytes, rows[i].len, &list, &len), SEC_E_INVALID_TOKEN);
    assert_int_equal(alpn(NULL, 13, &list, &len), SEC_E_INVALID_TOKEN);
}

/* ---- input buffers ---- */

static SECURITY_STATUS parse(SecBuffer *items, ULONG count, struct osspi_leg_input *ret_input)
{
    struct osspi_buffers buffers = {count, items};

    return osspi_leg_input_parse(&buffers, ret_input);
}

static void input_buffers_follow_their_rules(void **state)
{
    char bytes[4] = "abc";
    struct osspi_leg_input input;
    SecBuffer lone_empty[] = {{77, SECBUFFER_EMPTY, bytes}};
    SecBuffer token[] = {{3, SECBUFFER_TOKEN | SECBUFFER_READONLY, bytes},
                         {0, SECBUFFER_EMPTY, NULL}};
    SecBuffer dirty[] = {{3, SECBUFFER_TOKEN, bytes}, {9, SECBUFFER_EMPTY, bytes}};
    SecBuffer two[] = {{3, SECBUFFER_TOKEN, bytes}, {3, SECBUFFER_TOKEN, bytes}};
    SecBuffer skipped[] = {{3, SECBUFFER_CHANNEL_BINDINGS, bytes},
                           {3, SECBUFFER_PKG_PARAMS, bytes}};
    SecBuffer refused[] = {{3, SECBUFFER_SESSION_TICKET, bytes}};

    (void)state;
    assert_int_equal(parse(NULL, 0, &input), SEC_E_OK);
    assert_int_equal(input.len, 0);
    assert_int_equal(parse(lone_empty, 1, &input), SEC_E_OK);
    assert_int_equal(input.len, 0);
    assert_int_equal(parse(token, 2, &input), SEC_E_OK);
    assert_int_equal(input.len, 3);
    assert_ptr_equal(input.token, &token[0]);
    assert_int_equal(parse(dirty, 2, &input), SEC_E_INVALID_TOKEN);
    assert_int_equal(parse(two, 2, &input), SEC_E_INVALID_TOKEN);
    assert_int_equal(parse(skipped, 2, &input), SEC_E_OK);
    assert_int_equal(parse(refused, 1, &input), SEC_E_UNSUPPORTED_FUNCTION);
}

static void extra_and_missing_take_the_slot_behind_the_token(void **state)
{
    char bytes[4] = "abc";
    SecBuffer items[] = {
        {0, SECBUFFER_EMPTY, NULL}, {3, SECBUFFER_TOKEN, bytes}, {0, SECBUFFER_EMPTY, NULL}};
    struct osspi_leg_input input;

    (void)state;
    assert_int_equal(parse(items, 3, &input), SEC_E_OK);
    osspi_leg_input_extra(&input, 0);
    assert_int_equal(items[2].BufferType, SECBUFFER_EMPTY);
    osspi_leg_input_extra(&input, 2);
    assert_int_equal(items[2].BufferType, SECBUFFER_EXTRA);
    assert_int_equal(items[2].cbBuffer, 2);
    assert_int_equal(items[0].BufferType, SECBUFFER_EMPTY);
    osspi_leg_input_missing(&input, 5);
    assert_int_equal(items[0].BufferType, SECBUFFER_MISSING);
    osspi_leg_input_missing(&input, 5); /* no slot is left: nothing happens */
}

/* ---- control tokens ---- */

static SECURITY_STATUS control(const DWORD *words, ULONG size, struct osspi_control *ret_control)
{
    SecBuffer item = {size, SECBUFFER_TOKEN, (void *)words};
    struct osspi_buffers token = {1, &item};

    return osspi_control_parse(&token, ret_control);
}

static void control_tokens_are_read_with_their_sizes(void **state)
{
    const DWORD shutdown[4] = {SCHANNEL_SHUTDOWN};
    const DWORD alert[] = {SCHANNEL_ALERT, TLS1_ALERT_FATAL, TLS1_ALERT_HANDSHAKE_FAILURE};
    const DWORD off[] = {SCHANNEL_SESSION, SSL_SESSION_DISABLE_RECONNECTS};
    struct osspi_control found;

    (void)state;
    assert_int_equal(control(shutdown, 4, &found), SEC_E_OK);
    assert_true(found.alert.wanted && found.alert.level == 1 && found.alert.description == 0);
    assert_int_equal(control(shutdown, 16, &found), SEC_E_OK); /* trailing bytes */
    assert_int_equal(control(alert, 12, &found), SEC_E_OK);
    assert_true(found.alert.wanted && found.alert.level == 2 && found.alert.description == 40);
    assert_int_equal(control(off, 8, &found), SEC_E_OK);
    assert_true(found.kind == OSSPI_CONTROL_SESSION && !found.reconnects);
}

static void bad_control_tokens_are_refused(void **state)
{
    static const struct {
        DWORD words[3];
        ULONG size;
        SECURITY_STATUS status;
    } rows[] = {
        {{SCHANNEL_SHUTDOWN}, 3, SEC_E_UNSUPPORTED_FUNCTION},
        {{SCHANNEL_SHUTDOWN}, 0, SEC_E_UNSUPPORTED_FUNCTION},
        {{SCHANNEL_RENEGOTIATE}, 4, SEC_E_UNSUPPORTED_FUNCTION},
        {{77}, 4, SEC_E_UNSUPPORTED_FUNCTION},
        {{SCHANNEL_ALERT, 2}, 8, SEC_E_INVALID_TOKEN},
        {{SCHANNEL_ALERT, 3, 40}, 12, SEC_E_INVALID_TOKEN},
        {{SCHANNEL_ALERT, 2, 256}, 12, SEC_E_INVALID_TOKEN},
        {{SCHANNEL_SESSION}, 4, SEC_E_INVALID_TOKEN},
        {{SCHANNEL_SESSION, 3}, 8, SEC_E_INVALID_TOKEN},
    };
    const DWORD shutdown = SCHANNEL_SHUTDOWN;
    SecBuffer items[] = {{4, SECBUFFER_TOKEN, (void *)&shutdown}, {0, SECBUFFER_EMPTY, NULL}};
    struct osspi_buffers two = {2, items}, none = {0, NULL};
    struct osspi_control found;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(control(rows[i].words, rows[i].size, &found), rows[i].status);
    assert_int_equal(osspi_control_parse(&two, &found), SEC_E_INVALID_TOKEN);
    assert_int_equal(osspi_control_parse(&none, &found), SEC_E_INVALID_TOKEN);
    items[0].BufferType = SECBUFFER_DATA;
    two.count = 1;
    assert_int_equal(osspi_control_parse(&two, &found), SEC_E_INVALID_TOKEN);
}

/* ---- absorbed records ---- */

static void absorbed_record_is_known_by_header_and_tail(void **state)
{
    uint8_t record[40], other[40];
    struct osspi_absorbed absorbed = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(record); i++)
        record[i] = (uint8_t)(i * 7);
    assert_false(osspi_absorbed_matches(&absorbed, record, sizeof(record)));
    osspi_absorbed_set(&absorbed, record, 30);
    assert_true(osspi_absorbed_matches(&absorbed, record, 40));
    assert_true(osspi_absorbed_matches(&absorbed, record, 30));
    assert_false(osspi_absorbed_matches(&absorbed, record, 29));
    for (size_t i = 0; i < 30; i++) {
        memcpy(other, record, sizeof(other));
        other[i] ^= 1;
        assert_true(osspi_absorbed_matches(&absorbed, other, 40) == (i >= 5 && i < 14));
    }
    osspi_absorbed_set(&absorbed, record, 6); /* shorter than a tail */
    assert_true(osspi_absorbed_matches(&absorbed, record, 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix_says_what_is_missing),
        cmocka_unit_test(garbage_is_known_by_its_first_byte),
        cmocka_unit_test(lengths_above_the_protocol_s_limit_are_refused_with_the_header),
        cmocka_unit_test(one_alpn_list_is_found_among_others),
        cmocka_unit_test(broken_lists_are_refused),
        cmocka_unit_test(input_buffers_follow_their_rules),
        cmocka_unit_test(extra_and_missing_take_the_slot_behind_the_token),
        cmocka_unit_test(control_tokens_are_read_with_their_sizes),
        cmocka_unit_test(bad_control_tokens_are_refused),
        cmocka_unit_test(absorbed_record_is_known_by_header_and_tail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
