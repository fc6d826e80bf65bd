/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The first two packets of RDP; see rdp_front.h. Each is a TPKT with an X.224 packet inside, at
 * whose end stands an RDP_NEG structure: type, flags, the length 8 and four bytes, lowest first.
 */
#include "rdp_front.h"

#include <string.h>

#include "credssp_end.h"

#define PACKET_MAX  512u
#define TPKT_HEADER 4u
#define X224_FIXED  7u /* length, code, two references and the class */
#define NEG_SIZE    8u

enum { X224_REQUEST = 0xe0, X224_CONFIRM = 0xd0 };
enum { NEG_REQUEST = 1, NEG_RESPONSE = 2, NEG_FAILURE = 3 };
enum { HYBRID_REQUIRED_BY_SERVER = 5 };
/* Of a response: more blocks of data, the graphics pipeline. FreeRDP 3 expects the first. */
enum { NEG_FLAGS = 3 };

static uint32_t low_first(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Reads a packet with that code and gives the RDP_NEG structure at its end. */
static bool take(int fd, uint8_t code, uint8_t *ret_type, uint32_t *ret_value)
{
    uint8_t packet[PACKET_MAX];
    const uint8_t *neg;
    size_t len;

    if (!credssp_get(fd, packet, TPKT_HEADER) || packet[0] != 3)
        return false;
    len = (size_t)packet[2] << 8 | packet[3];
    if (len < TPKT_HEADER + X224_FIXED + NEG_SIZE || len > sizeof(packet) ||
        !credssp_get(fd, packet + TPKT_HEADER, len - TPKT_HEADER) || packet[5] != code)
        return false;
    /* What may stand before it is a cookie with the user's name. */
    neg = packet + len - NEG_SIZE;
    if (neg[2] != NEG_SIZE || neg[3] != 0)
        return false;
    *ret_type = neg[0];
    *ret_value = low_first(neg + 4);
    return true;
}

static bool give(int fd, uint8_t code, uint8_t type, uint32_t value)
{
    const uint8_t packet[] = {3, 0, 0, TPKT_HEADER + X224_FIXED + NEG_SIZE,
                              /* X.224: its length is told without its own byte */
                              X224_FIXED - 1 + NEG_SIZE, code, 0, 0, 0, 0, 0, type,
                              type == NEG_RESPONSE ? NEG_FLAGS : 0, NEG_SIZE, 0, (uint8_t)value,
                              (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                              (uint8_t)(value >> 24)};

    return credssp_put(fd, packet, sizeof(packet));
}

bool rdp_take_request(int fd, uint32_t *ret_protocols)
{
    uint8_t type;

    return take(fd, X224_REQUEST, &type, ret_protocols) && type == NEG_REQUEST;
}

bool rdp_confirm(int fd, uint32_t protocol)
{
    if (protocol == 0)
        return give(fd, X224_CONFIRM, NEG_FAILURE, HYBRID_REQUIRED_BY_SERVER);
    return give(fd, X224_CONFIRM, NEG_RESPONSE, protocol);
}

bool rdp_ask(int fd, uint32_t protocols, uint32_t *ret_protocol)
{
    uint8_t type;

    if (!give(fd, X224_REQUEST, NEG_REQUEST, protocols) ||
        !take(fd, X224_CONFIRM, &type, ret_protocol))
        return false;
    if (type != NEG_RESPONSE)
        *ret_protocol = 0;
    return true;
}
