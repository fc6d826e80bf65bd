/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * SslGetServerIdentity and SslGetExtensions: what a server can learn from a ClientHello before it
 * has a context, to choose a credential by. Results point into the caller's bytes. Thread-safe: no
 * state.
 */
#include <schannel.h>

#include <string.h>

#include "api/hello.h"

#define EXTENSION_SERVER_NAME 0u
#define NAME_TYPE_HOST        0u

/* The one host name in a server_name extension (RFC 6066 3). */
static SECURITY_STATUS read_name(struct osspi_hello_reader body, const uint8_t **ret_name,
                                 size_t *ret_len)
{
    struct osspi_hello_reader list, name;
    uint32_t type;

    if (!osspi_hello_vector(&body, 2, &list) || body.left > 0 || list.left == 0)
        return SEC_E_ILLEGAL_MESSAGE;
    while (list.left > 0) {
        if (!osspi_hello_number(&list, 1, &type) || !osspi_hello_vector(&list, 2, &name))
            return SEC_E_ILLEGAL_MESSAGE;
        if (type != NAME_TYPE_HOST)
            continue;
        if (*ret_len > 0 || name.left == 0)
            return SEC_E_ILLEGAL_MESSAGE;
        *ret_name = osspi_hello_bytes(&name);
        *ret_len = name.left;
        if (!*ret_name)
            return SEC_E_UNSUPPORTED_FUNCTION; /* nowhere is it in one piece */
        if (memchr(*ret_name, '\0', *ret_len))
            return SEC_E_ILLEGAL_MESSAGE;
    }
    return SEC_E_OK;
}

static SECURITY_STATUS find_name(struct osspi_hello_reader extensions, const uint8_t **ret_name,
                                 size_t *ret_len)
{
    struct osspi_hello_reader body;
    bool found = false;
    uint16_t type;

    while (osspi_hello_next(&extensions, &type, &body)) {
        SECURITY_STATUS status;

        if (type != EXTENSION_SERVER_NAME)
            continue;
        if (found)
            return SEC_E_ILLEGAL_MESSAGE; /* RFC 8446 4.2: one of each */
        found = true;
        status = read_name(body, ret_name, ret_len);
        if (status != SEC_E_OK)
            return status;
    }
    return SEC_E_OK;
}

SECURITY_STATUS SslGetServerIdentity(PBYTE ClientHello, DWORD ClientHelloSize,
                                     PBYTE *ServerIdentity, PDWORD ServerIdentitySize, DWORD Flags)
{
    struct osspi_hello_reader extensions;
    const uint8_t *name = NULL;
    size_t total, len = 0;
    SECURITY_STATUS status;

    if (!ClientHello || !ServerIdentity || !ServerIdentitySize || Flags != 0)
        return SEC_E_INVALID_PARAMETER;
    *ServerIdentity = NULL;
    *ServerIdentitySize = 0;
    status = osspi_hello_open(ClientHello, ClientHelloSize, true, &extensions, &total);
    if (status == SEC_E_OK)
        status = find_name(extensions, &name, &len);
    if (status != SEC_E_OK || len == 0)
        return status;
    *ServerIdentity = ClientHello + (name - ClientHello);
    *ServerIdentitySize = (DWORD)len;
    return SEC_E_OK;
}

/* Those that are asked for; a type that is asked for twice is told twice. */
static SECURITY_STATUS fill(struct osspi_hello_reader extensions, SCH_EXTENSION_DATA *wanted,
                            size_t count)
{
    struct osspi_hello_reader body;
    uint16_t type;

    while (osspi_hello_next(&extensions, &type, &body)) {
        for (size_t i = 0; i < count; i++) {
            if (wanted[i].ExtensionType != type)
                continue;
            if (wanted[i].pExtData)
                return SEC_E_ILLEGAL_MESSAGE; /* it came twice */
            wanted[i].pExtData = osspi_hello_bytes(&body);
            wanted[i].cbExtData = (DWORD)body.left;
            if (!wanted[i].pExtData)
                return SEC_E_UNSUPPORTED_FUNCTION;
        }
    }
    return SEC_E_OK;
}

static void forget(SCH_EXTENSION_DATA *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        wanted[i].pExtData = NULL;
        wanted[i].cbExtData = 0;
    }
}

SECURITY_STATUS SslGetExtensions(const BYTE *clientHello, DWORD clientHelloByteSize,
                                 SCH_EXTENSION_DATA *genericExtensions, BYTE genericExtensionsCount,
                                 DWORD *bytesToRead, SchGetExtensionsOptions flags)
{
    const bool framed = !(flags & SCH_NO_RECORD_HEADER);
    struct osspi_hello_reader extensions;
    size_t total = 0;
    SECURITY_STATUS status;

    if (!clientHello || (!genericExtensions && genericExtensionsCount > 0) || !bytesToRead ||
        (flags & ~SCH_NO_RECORD_HEADER))
        return SEC_E_INVALID_PARAMETER;
    forget(genericExtensions, genericExtensionsCount);
    status = osspi_hello_open(clientHello, clientHelloByteSize, framed, &extensions, &total);
    if (status == SEC_E_OK)
        status = fill(extensions, genericExtensions, genericExtensionsCount);
    if (status != SEC_E_OK)
        forget(genericExtensions, genericExtensionsCount);
    *bytesToRead = status != SEC_E_ILLEGAL_MESSAGE ? (DWORD)total : 0;
    return status;
}
