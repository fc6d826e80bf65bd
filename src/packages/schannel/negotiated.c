/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Extensions in the server's messages; see negotiated.h. Layouts: RFC 8446 4.1.3, 4.3.1, 4.4.2;
 * RFC 5246 7.4.1.3. Thread-safe: no state.
 */
#include "packages/schannel/negotiated.h"

#include "base/memory.h"

#define SERVER_HELLO         2u
#define ENCRYPTED_EXTENSIONS 8u
#define CERTIFICATE          11u
#define SERVER_KEY_EXCHANGE  12u

/* Whatever a server may answer with. */
static const uint16_t known_types[] = {
    0,      /* server_name */
    1,      /* max_fragment_length */
    5,      /* status_request */
    10,     /* supported_groups */
    11,     /* ec_point_formats */
    14,     /* use_srtp */
    15,     /* heartbeat */
    16,     /* application_layer_protocol_negotiation */
    17,     /* status_request_v2 */
    18,     /* signed_certificate_timestamp */
    19,     /* client_certificate_type */
    20,     /* server_certificate_type */
    22,     /* encrypt_then_mac */
    23,     /* extended_master_secret */
    24,     /* token_binding */
    28,     /* record_size_limit */
    35,     /* session_ticket */
    41,     /* pre_shared_key */
    42,     /* early_data */
    43,     /* supported_versions */
    44,     /* cookie */
    51,     /* key_share */
    54,     /* connection_id */
    57,     /* quic_transport_parameters */
    0xFF01, /* renegotiation_info */
};

_Static_assert(OSSPI_COUNT_OF(known_types) <= OSSPI_NEGOTIATED_KNOWN, "a bit for each");

/* Bytes not read yet. */
struct rest {
    const uint8_t *at;
    size_t len;
};

/* Takes a vector whose length stands in `size` bytes. */
static bool take(struct rest *rest, size_t size, struct rest *ret_body)
{
    size_t len = 0;

    if (rest->len < size)
        return false;
    for (size_t i = 0; i < size; i++)
        len = len << 8 | rest->at[i];
    if (rest->len - size < len)
        return false;
    *ret_body = (struct rest){rest->at + size, len};
    *rest = (struct rest){rest->at + size + len, rest->len - size - len};
    return true;
}

static bool drop(struct rest *rest, size_t len)
{
    if (rest->len < len)
        return false;
    *rest = (struct rest){rest->at + len, rest->len - len};
    return true;
}

static void note(struct osspi_negotiated *negotiated, uint16_t type)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(known_types); i++) {
        if (known_types[i] == type) {
            negotiated->known |= 1u << i;
            return;
        }
    }
    for (size_t i = 0; i < negotiated->other_count; i++) {
        if (negotiated->others[i] == type)
            return;
    }
    if (negotiated->other_count < OSSPI_NEGOTIATED_OTHERS)
        negotiated->others[negotiated->other_count++] = type;
}

static void note_all(struct osspi_negotiated *negotiated, struct rest rest)
{
    struct rest list, body;

    if (!take(&rest, 2, &list))
        return; /* a ServerHello may end before them */
    while (list.len >= 2) {
        const uint16_t type = (uint16_t)(list.at[0] << 8 | list.at[1]);

        if (!drop(&list, 2) || !take(&list, 2, &body))
            return;
        note(negotiated, type);
    }
}

/* Version, random, session id, suite, compression. */
static bool skip_server_hello(struct rest *rest)
{
    struct rest id;

    return drop(rest, 2 + 32) && take(rest, 1, &id) && drop(rest, 2 + 1);
}

/* Context, then the list; of that the first certificate. */
static bool skip_to_leaf(struct rest *rest)
{
    struct rest context, list, certificate;

    if (!take(rest, 1, &context) || !take(rest, 3, &list) || !take(&list, 3, &certificate))
        return false;
    *rest = list;
    return true;
}

/* RFC 5246 7.4.3: with DHE the message begins with the prime. RFC 4279 2: or with a hint. */
static uint16_t bits_of_next(struct rest *rest)
{
    struct rest number;
    size_t bits;

    if (!take(rest, 2, &number))
        return 0;
    while (number.len > 0 && number.at[0] == 0)
        (void)drop(&number, 1);
    if (number.len == 0 || number.len > 8191)
        return 0;
    bits = number.len * 8;
    for (uint8_t top = number.at[0]; !(top & 0x80); top = (uint8_t)(top << 1))
        bits--;
    return (uint16_t)bits;
}

void osspi_negotiated_see(struct osspi_negotiated *negotiated, uint8_t type, const uint8_t *body,
                          size_t len, bool tls13)
{
    struct rest rest = {body, len};

    if (type == SERVER_HELLO && skip_server_hello(&rest)) {
        *negotiated = (struct osspi_negotiated){0};
        note_all(negotiated, rest);
    } else if (type == ENCRYPTED_EXTENSIONS && tls13) {
        note_all(negotiated, rest);
    } else if (type == CERTIFICATE && tls13 && skip_to_leaf(&rest)) {
        note_all(negotiated, rest);
    } else if (type == SERVER_KEY_EXCHANGE && !tls13) {
        negotiated->first_bits = bits_of_next(&rest);
        negotiated->second_bits = bits_of_next(&rest);
    }
}

size_t osspi_negotiated_list(uint32_t known, uint16_t ret_types[OSSPI_NEGOTIATED_KNOWN])
{
    size_t count = 0;

    for (size_t i = 0; i < OSSPI_COUNT_OF(known_types); i++) {
        if (known >> i & 1)
            ret_types[count++] = known_types[i];
    }
    return count;
}
