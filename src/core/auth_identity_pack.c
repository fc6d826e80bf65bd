/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Making identities; see auth_identity.h. A block is the header, user, domain, credentials and
 * package list, in this order; all text is UTF-16 without a NUL.
 */
#include <string.h>

#include "base/memory.h"
#include "base/utf.h"
#include "core/auth_identity.h"
#include "core/buffers.h"

#define MAX_UNITS 32767u /* lengths are 16 bits of bytes */
#define ALIGNMENT 8u

/* A block that is being filled. */
struct block {
    uint8_t *bytes;
    size_t size, used;
};

/* Room for a text: UTF-8 never becomes more units than it has bytes, and one for the NUL that
 * conversion wants. */
static size_t room(const struct osspi_auth_text *text)
{
    return (text->count + 1) * sizeof(WCHAR);
}

static size_t align(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static bool is_too_long(const struct osspi_auth_text *text)
{
    return text->count > (text->wide ? (size_t)MAX_UNITS : (size_t)MAX_UNITS * 3);
}

/* Bytes of the text behind what is there, or SIZE_MAX: it is no text. */
static size_t put_text(struct block *block, const struct osspi_auth_text *text)
{
    uint16_t *to = (uint16_t *)(void *)(block->bytes + block->used);
    size_t units = text->count;

    if (!text->bytes || text->count == 0)
        return 0;
    if (text->wide)
        memcpy(to, text->bytes, units * sizeof(*to));
    else
        units = osspi_utf8_to_utf16(text->bytes, text->count, to,
                                    (block->size - block->used) / sizeof(*to));
    if (units == SIZE_MAX || units > MAX_UNITS)
        return SIZE_MAX;
    block->used += units * sizeof(*to);
    return units * sizeof(*to);
}

/* One member of the header: where the text is and how long. */
static bool put_member(struct block *block, const struct osspi_auth_text *text, ULONG *ret_offset,
                       USHORT *ret_len)
{
    const size_t at = block->used;
    const size_t len = put_text(block, text);

    if (len == SIZE_MAX)
        return false;
    if (text->bytes) {
        *ret_offset = (ULONG)at;
        *ret_len = (USHORT)len;
    }
    return true;
}

static bool put_password(struct block *block, const struct osspi_auth_text *password,
                         USHORT *ret_len)
{
    SEC_WINNT_AUTH_PACKED_CREDENTIALS packed = {.cbHeaderLength = sizeof(packed)};
    uint8_t *start = block->bytes + block->used;
    size_t len;

    block->used += sizeof(packed);
    len = put_text(block, password);
    if (len > UINT16_MAX - sizeof(packed))
        return false;
    packed.cbStructureLength = (USHORT)(sizeof(packed) + len);
    packed.AuthData.CredType = osspi_auth_type_password;
    packed.AuthData.CredData.ByteArrayOffset = sizeof(packed);
    packed.AuthData.CredData.ByteArrayLength = (USHORT)len;
    memcpy(start, &packed, sizeof(packed));
    *ret_len = packed.cbStructureLength;
    return true;
}

static bool put_credentials(struct block *block, const struct osspi_auth_view *view,
                            SEC_WINNT_AUTH_IDENTITY_EX2 *header)
{
    if (!view->password.bytes && !view->packed)
        return true;
    block->used = align(block->used);
    header->PackedCredentialsOffset = (ULONG)block->used;
    if (view->password.bytes)
        return put_password(block, &view->password, &header->PackedCredentialsLength);
    if (view->packed_len > UINT16_MAX)
        return false;
    if (view->packed_len > 0)
        memcpy(block->bytes + block->used, view->packed, view->packed_len);
    header->PackedCredentialsLength = (USHORT)view->packed_len;
    block->used = align(block->used + view->packed_len);
    return true;
}

static bool fill(struct block *block, const struct osspi_auth_view *view)
{
    const ULONG encodings = SEC_WINNT_AUTH_IDENTITY_ANSI | SEC_WINNT_AUTH_IDENTITY_MARSHALLED |
                            SEC_WINNT_AUTH_IDENTITY_FLAGS_NULL_USER |
                            SEC_WINNT_AUTH_IDENTITY_FLAGS_NULL_DOMAIN;
    SEC_WINNT_AUTH_IDENTITY_EX2 header = {
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION_2,
        .cbHeaderLength = sizeof(header),
        .Flags = (view->flags & ~encodings) | SEC_WINNT_AUTH_IDENTITY_UNICODE,
    };

    if (!view->user.bytes)
        header.Flags |= SEC_WINNT_AUTH_IDENTITY_FLAGS_NULL_USER;
    if (!view->domain.bytes)
        header.Flags |= SEC_WINNT_AUTH_IDENTITY_FLAGS_NULL_DOMAIN;
    block->used = sizeof(header);
    if (!put_member(block, &view->user, &header.UserOffset, &header.UserLength) ||
        !put_member(block, &view->domain, &header.DomainOffset, &header.DomainLength) ||
        !put_credentials(block, view, &header) ||
        !put_member(block, &view->packages, &header.PackageListOffset, &header.PackageListLength))
        return false;
    header.cbStructureLength = (ULONG)block->used;
    memcpy(block->bytes, &header, sizeof(header));
    return true;
}

SECURITY_STATUS osspi_auth_pack(const struct osspi_auth_view *view,
                                SEC_WINNT_AUTH_IDENTITY_EX2 **ret_identity)
{
    struct block block = {0};

    *ret_identity = NULL;
    if (is_too_long(&view->user) || is_too_long(&view->domain) || is_too_long(&view->packages) ||
        is_too_long(&view->password) || view->packed_len > UINT16_MAX)
        return SEC_E_INVALID_PARAMETER;
    block.size = sizeof(SEC_WINNT_AUTH_IDENTITY_EX2) + room(&view->user) + room(&view->domain) +
                 room(&view->packages) + sizeof(SEC_WINNT_AUTH_PACKED_CREDENTIALS) +
                 room(&view->password) + view->packed_len + 2 * ALIGNMENT;
    block.bytes = osspi_context_buffer_new(block.size);
    if (!block.bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (!fill(&block, view)) {
        (void)osspi_context_buffer_free(block.bytes);
        return SEC_E_INVALID_PARAMETER;
    }
    *ret_identity = (SEC_WINNT_AUTH_IDENTITY_EX2 *)(void *)block.bytes;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_auth_copy(const void *identity, size_t size,
                                SEC_WINNT_AUTH_IDENTITY_EX2 **ret_identity)
{
    struct osspi_auth_view view;
    SECURITY_STATUS status = osspi_auth_view(identity, size, &view);

    *ret_identity = NULL;
    return status == SEC_E_OK ? osspi_auth_pack(&view, ret_identity) : status;
}
