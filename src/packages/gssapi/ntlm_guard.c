/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What is let through to the NTLM mechanism; see ntlm_guard.h. Every place of a token that looks
 * like the beginning of a message is looked at: SPNEGO would let somebody show a good one first.
 */
#include "packages/gssapi/ntlm_guard.h"

#include <stdint.h>
#include <string.h>

#define CHALLENGE_HEAD    32u
#define CHALLENGE_INFO    48u /* with TargetInfo's fields */
#define AUTHENTICATE_HEAD 64u
#define NEGOTIATE_HEAD    16u

#define TARGET_TYPES 0x00030000u /* domain, server */
#define TARGET_INFO  0x00800000u
#define KEY_EXCHANGE 0x40000000u
#define IDENTIFY     0x00100000u
#define STRONG       0x20080000u /* 128 bits, extended session security */
#define SESSION_KEY  16u
#define NTLM1        24u /* bytes of a response; NTLMv2's are longer */
#define NTLM2        44u

static const uint8_t signature[8] = "NTLMSSP"; /* with its NUL */

enum message_type { NEGOTIATE = 1, CHALLENGE = 2, AUTHENTICATE = 3 };

struct message {
    const uint8_t *bytes;
    size_t len;
};

static uint32_t get16(const struct message *message, size_t at)
{
    return (uint32_t)message->bytes[at] | (uint32_t)message->bytes[at + 1] << 8;
}

static uint32_t get32(const struct message *message, size_t at)
{
    return get16(message, at) | get16(message, at + 2) << 16;
}

/* A length, and where the bytes are; false: they are not all there. */
static bool get_field(const struct message *message, size_t at, struct message *ret_field)
{
    const uint32_t len = get16(message, at), offset = get32(message, at + 4);

    ret_field->bytes = message->bytes;
    ret_field->len = len;
    if (len == 0)
        return true;
    if (offset > message->len || len > message->len - offset)
        return false;
    ret_field->bytes += offset;
    return true;
}

/* A list of attributes (MS-NLMP 2.2.2.1) that has its end. */
static bool is_list(const struct message *list)
{
    size_t at = 0;

    while (list->len - at >= 4) {
        const uint32_t kind = get16(list, at), len = get16(list, at + 2);

        at += 4;
        if (len > list->len - at)
            return false;
        if (kind == 0)
            return len == 0;
        at += len;
    }
    return false;
}

static bool is_good_challenge(const struct message *message)
{
    struct message name, info;
    uint32_t flags;

    if (message->len < CHALLENGE_HEAD || !get_field(message, 12, &name))
        return false;
    flags = get32(message, 20);
    if (flags & TARGET_TYPES && name.len < 2)
        return false; /* is looked at as a string */
    if (!(flags & TARGET_INFO))
        return true;
    if (message->len < CHALLENGE_INFO || !get_field(message, 40, &info))
        return false;
    return info.len > 0 && is_list(&info);
}

static bool is_good_authenticate(const struct message *message, uint32_t agreed)
{
    struct message lm, nt, domain, user, host, key;

    if (message->len < AUTHENTICATE_HEAD)
        return false;
    if (!get_field(message, 12, &lm) || !get_field(message, 20, &nt) ||
        !get_field(message, 28, &domain) || !get_field(message, 36, &user) ||
        !get_field(message, 44, &host) || !get_field(message, 52, &key))
        return false;
    /* Nobody without a name is let in here. */
    return user.len > 0 && key.len <= SESSION_KEY &&
           (key.len == SESSION_KEY || !(agreed & KEY_EXCHANGE)) &&
           (nt.len == 0 || nt.len == NTLM1 || nt.len >= NTLM2) && (lm.len <= 1 || lm.len == NTLM1);
}

static bool is_good(const struct message *message, uint32_t agreed)
{
    if (message->len < NEGOTIATE_HEAD)
        return false;
    switch (get32(message, 8)) {
    case CHALLENGE:
        return is_good_challenge(message);
    case AUTHENTICATE:
        return is_good_authenticate(message, agreed);
    default:
        return true; /* NEGOTIATE has nothing to be afraid of, others are refused */
    }
}

static const uint8_t *find(const uint8_t *bytes, size_t len)
{
    return len >= sizeof(signature) ? memmem(bytes, len, signature, sizeof(signature)) : NULL;
}

bool osspi_ntlm_present(const void *token, size_t len)
{
    return find(token, len) != NULL;
}

bool osspi_ntlm_acceptable(const void *token, size_t len, uint32_t agreed)
{
    const uint8_t *at = token, *const end = at ? at + len : NULL;

    while (at && (at = find(at, (size_t)(end - at))) != NULL) {
        const struct message message = {at, (size_t)(end - at)};

        if (!is_good(&message, agreed))
            return false;
        at += sizeof(signature);
    }
    return true;
}

uint32_t osspi_ntlm_agreed(const void *token, size_t len)
{
    const uint8_t *at = find(token, len);
    const struct message message = {at, at ? len - (size_t)(at - (const uint8_t *)token) : 0};

    if (message.len < CHALLENGE_HEAD || get32(&message, 8) != CHALLENGE)
        return 0;
    return get32(&message, 20);
}

/* The first message of that type, or an empty one. head: what has to be there of it. */
static struct message find_type(const void *token, size_t len, uint32_t type, size_t head)
{
    const uint8_t *at = token, *const end = at ? at + len : NULL;

    while (at && (at = find(at, (size_t)(end - at))) != NULL) {
        const struct message message = {at, (size_t)(end - at)};

        if (message.len >= head && get32(&message, 8) == type)
            return message;
        at += sizeof(signature);
    }
    return (struct message){NULL, 0};
}

bool osspi_ntlm_is_anonymous(const void *token, size_t len)
{
    const struct message message = find_type(token, len, AUTHENTICATE, AUTHENTICATE_HEAD);

    /* Lengths of LM's response (a single zero counts as none), NT's, and the user's name. */
    return message.len > 0 && get16(&message, 12) <= 1 && get16(&message, 20) == 0 &&
           get16(&message, 36) == 0;
}

bool osspi_ntlm_identifies(const void *token, size_t len)
{
    const struct message message = find_type(token, len, NEGOTIATE, NEGOTIATE_HEAD);

    return message.len > 0 && (get32(&message, 12) & IDENTIFY) != 0;
}

bool osspi_ntlm_is_strong(const void *token, size_t len)
{
    const uint8_t *at = token, *const end = at ? at + len : NULL;

    while (at && (at = find(at, (size_t)(end - at))) != NULL) {
        const struct message message = {at, (size_t)(end - at)};
        const uint32_t type = message.len >= NEGOTIATE_HEAD ? get32(&message, 8) : 0;
        const size_t flags = type == CHALLENGE ? 20 : 60;

        if ((type == CHALLENGE || type == AUTHENTICATE) &&
            (message.len < flags + 4 || (get32(&message, flags) & STRONG) != STRONG))
            return false;
        at += sizeof(signature);
    }
    return true;
}
