/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Target names; see name.h. Host names after RFC 1123 and RFC 5890 (A-labels), addresses after
 * inet_pton(3). Strict on purpose: what passes here decides whom a certificate must name.
 */
#include "packages/schannel/name.h"

#include <arpa/inet.h>
#include <string.h>

#define MAX_NAME  253u
#define MAX_LABEL 63u

static bool normalise_ip(const char *text, size_t len, char *ret_name)
{
    char literal[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];

    const bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (bracketed) {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(literal))
        return false;
    memcpy(literal, text, len);
    literal[len] = '\0';

    /* Brackets are for IPv6 alone. A zone ("%eth0") is no part of a name; inet_pton refuses it. */
    int family = AF_INET6;
    if (!bracketed && inet_pton(AF_INET, literal, address) == 1)
        family = AF_INET;
    else if (inet_pton(AF_INET6, literal, address) != 1)
        return false;
    return inet_ntop(family, address, ret_name, OSSPI_NAME_SIZE) != NULL;
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* "1.2.3", "127.1" and "0x7f.0.0.1" are addresses to some resolvers and names to others: refused,
 * so that nobody is sent to another place than the one whose certificate is checked. */
static bool looks_like_number(const char *label)
{
    if (label[0] == '0' && label[1] == 'x')
        return true;
    return label[strspn(label, "0123456789")] == '\0';
}

static bool normalise_host(const char *text, size_t len, char *ret_name)
{
    char name[OSSPI_NAME_SIZE];
    size_t label = 0; /* where the current label starts */

    if (len == 0 || len > MAX_NAME)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        name[i] = c;
        if (c == '.') {
            if (i == label)
                return false;
            label = i + 1;
        } else if (!is_name_character(c) || i - label >= MAX_LABEL) {
            return false;
        }
    }
    name[len] = '\0';
    if (name[label] == '\0' || looks_like_number(name + label))
        return false;
    memcpy(ret_name, name, len + 1);
    return true;
}

SECURITY_STATUS osspi_name_normalise(const char *text, char ret_name[OSSPI_NAME_SIZE],
                                     bool *ret_is_ip)
{
    size_t len = strnlen(text, OSSPI_NAME_SIZE + 1);
    bool is_ip;

    if (len > 0 && text[len - 1] == '.')
        len--;
    is_ip = normalise_ip(text, len, ret_name);
    if (!is_ip && !normalise_host(text, len, ret_name))
        return SEC_E_TARGET_UNKNOWN;
    *ret_is_ip = is_ip;
    return SEC_E_OK;
}
