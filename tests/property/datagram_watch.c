/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Looks at every datagram that an end of ours sends; see datagram.h. What must hold, whatever has
 * been sent again and however often:
 *
 * - whole records of DTLS, no datagram larger than was asked for; data never in the clear;
 * - no number of an epoch twice, and with AES-GCM no explicit nonce twice (RFC 6347, 4.1);
 * - a handshake message that is sent again has the same bytes, however it is cut (4.2.4).
 *
 * A HelloVerifyRequest is neither: it has the number of the ClientHello that it answers (4.2.1).
 *
 * One thread.
 */
#include <stdlib.h>
#include <string.h>

#include "property/datagram.h"

#define HEADER          13u
#define MESSAGE_HEADER  12u
#define TYPE_ALERT      21
#define TYPE_HANDSHAKE  22
#define TYPE_DATA       23
#define HELLO_VERIFY    3
#define EXPLICIT_NONCE  8u
#define SET_FIRST_ROOM  256u
#define MAX_MESSAGE_LEN 65536u

static uint64_t number_of(const uint8_t *bytes, unsigned len)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < len; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* ---- sets of numbers ---- */

static size_t place_of(const struct datagram_set *set, uint64_t epoch, uint64_t number)
{
    size_t at = (size_t)((number ^ epoch << 56) * UINT64_C(0x9E3779B97F4A7C15) >> 20) % set->room;

    while (set->items[at][0] != 0 &&
           (set->items[at][0] != epoch + 1 || set->items[at][1] != number))
        at = (at + 1) % set->room;
    return at;
}

static void grow(struct datagram_set *set)
{
    struct datagram_set larger = {.count = set->count,
                                  .room = set->room ? set->room * 2 : SET_FIRST_ROOM};

    larger.items = calloc(larger.room, sizeof(*larger.items));
    TEST_REQUIRE(larger.items != NULL);
    for (size_t i = 0; i < set->room; i++) {
        if (set->items[i][0] != 0)
            memcpy(larger.items[place_of(&larger, set->items[i][0] - 1, set->items[i][1])],
                   set->items[i], sizeof(set->items[i]));
    }
    free(set->items);
    *set = larger;
}

/* False: it is in there already. */
static bool add(struct datagram_set *set, uint64_t epoch, uint64_t number)
{
    size_t at;

    if (set->count * 2 >= set->room)
        grow(set);
    at = place_of(set, epoch, number);
    if (set->items[at][0] != 0)
        return false;
    set->items[at][0] = epoch + 1;
    set->items[at][1] = number;
    set->count++;
    return true;
}

/* ---- handshake messages in the clear ---- */

/* One fragment; its length with the header. */
static size_t look_at_fragment(struct datagram_watch *watch, const uint8_t *bytes, size_t len)
{
    size_t total, from, part;
    unsigned number;

    TEST_REQUIRE(len >= MESSAGE_HEADER);
    total = (size_t)number_of(bytes + 1, 3);
    number = (unsigned)number_of(bytes + 4, 2);
    from = (size_t)number_of(bytes + 6, 3);
    part = (size_t)number_of(bytes + 9, 3);
    TEST_REQUIRE(number < DATAGRAM_MESSAGES && total < MAX_MESSAGE_LEN);
    TEST_REQUIRE(from + part <= total && part <= len - MESSAGE_HEADER);
    TEST_REQUIRE(part > 0 || total == 0);
    if (!watch->messages[number].bytes) {
        watch->messages[number].type = bytes[0];
        watch->messages[number].len = total;
        watch->messages[number].bytes = calloc(1, total + 1);
        watch->messages[number].known = calloc(1, total + 1);
        TEST_REQUIRE(watch->messages[number].bytes && watch->messages[number].known);
    }
    TEST_REQUIRE_EQUAL(watch->messages[number].type, bytes[0]);
    TEST_REQUIRE_EQUAL(watch->messages[number].len, total);
    for (size_t i = 0; i < part; i++) {
        uint8_t *known = &watch->messages[number].known[from + i];

        TEST_REQUIRE(!*known ||
                     watch->messages[number].bytes[from + i] == bytes[MESSAGE_HEADER + i]);
        watch->messages[number].bytes[from + i] = bytes[MESSAGE_HEADER + i];
        *known = 1;
    }
    return MESSAGE_HEADER + part;
}

static void look_in_the_clear(struct datagram_watch *watch, uint8_t type, const uint8_t *bytes,
                              size_t len)
{
    TEST_REQUIRE(type != TYPE_DATA);
    if (type == TYPE_ALERT)
        TEST_REQUIRE_EQUAL(len, 2);
    if (type != TYPE_HANDSHAKE)
        return;
    TEST_REQUIRE(len > 0);
    for (size_t at = 0; at < len;)
        at += look_at_fragment(watch, bytes + at, len - at);
}

/* ---- records ---- */

static void look_at_protected(struct datagram_end *end, struct datagram_watch *watch, uint8_t type,
                              uint64_t epoch, const uint8_t *bytes, size_t len)
{
    const bool explicit_nonce = end->run->setup.suite != DATAGRAM_CHACHA20_POLY1305 ||
                                end->run->ends[!end->server].library == &datagram_ours;

    TEST_REQUIRE_EQUAL(epoch, 1); /* there is no renegotiation */
    TEST_REQUIRE(len >= 16 + (explicit_nonce ? EXPLICIT_NONCE : 0));
    if (explicit_nonce)
        TEST_REQUIRE(add(&watch->nonces, epoch, number_of(bytes, EXPLICIT_NONCE)));
    if (type != TYPE_HANDSHAKE)
        return;
    if (watch->finished_len == 0)
        watch->finished_len = len;
    TEST_REQUIRE_EQUAL(watch->finished_len, len);
}

static size_t look_at_record(struct datagram_end *end, struct datagram_watch *watch,
                             const uint8_t *bytes, size_t rest)
{
    uint64_t epoch;
    size_t len;

    TEST_REQUIRE(rest > HEADER);
    epoch = number_of(bytes + 3, 2);
    len = (size_t)number_of(bytes + 11, 2);
    TEST_REQUIRE(bytes[0] >= 20 && bytes[0] <= 23);
    TEST_REQUIRE(bytes[1] == 0xFE && (bytes[2] == 0xFD || (bytes[2] == 0xFF && epoch == 0)));
    TEST_REQUIRE(len <= rest - HEADER);
    datagram_counts.records++;
    if (epoch == 0 && bytes[0] == TYPE_HANDSHAKE && bytes[HEADER] == HELLO_VERIFY)
        return HEADER + len;
    TEST_REQUIRE(add(&watch->numbers, epoch, number_of(bytes + 5, 6)));
    if (epoch == 0)
        look_in_the_clear(watch, bytes[0], bytes + HEADER, len);
    else
        look_at_protected(end, watch, bytes[0], epoch, bytes + HEADER, len);
    return HEADER + len;
}

void datagram_watch_sent(struct datagram_end *end, struct datagram_watch *watch,
                         const uint8_t *bytes, size_t len)
{
    TEST_REQUIRE(len > 0 && len <= end->run->setup.mtus[end->server]);
    for (size_t at = 0; at < len;)
        at += look_at_record(end, watch, bytes + at, len - at);
}

void datagram_watch_free(struct datagram_watch *watch)
{
    for (unsigned i = 0; i < DATAGRAM_MESSAGES; i++) {
        free(watch->messages[i].bytes);
        free(watch->messages[i].known);
    }
    free(watch->numbers.items);
    free(watch->nonces.items);
    *watch = (struct datagram_watch){.finished_len = 0};
}
