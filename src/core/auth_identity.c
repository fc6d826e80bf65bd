/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Reading identities; see auth_identity.h. The first number tells the form; Flags, not the function
 * that was called, tell the encoding. Nothing of a block is believed: each offset and length is
 * held against its end.
 */
#include "core/auth_identity.h"

#include <string.h>

#include "base/utf.h"

const GUID osspi_auth_type_password = {
    0x28bfc32f, 0x10f6, 0x4738, {0x98, 0xd1, 0x1a, 0xc0, 0x61, 0xdf, 0x71, 0x6a}};

struct osspi_auth_text osspi_auth_text(const void *string)
{
    return (struct osspi_auth_text){
        .bytes = string, .count = string ? osspi_utf16_len(string) : 0, .wide = true};
}

static bool has_nul(const struct osspi_auth_text *text)
{
    const char *at = text->bytes;
    uint16_t unit;

    if (!text->wide)
        return text->count > 0 && memchr(at, '\0', text->count) != NULL;
    for (size_t i = 0; i < text->count; i++) {
        memcpy(&unit, at + 2 * i, sizeof(unit));
        if (unit == 0)
            return true;
    }
    return false;
}

static bool names_are_good(const struct osspi_auth_view *view)
{
    return !has_nul(&view->user) && !has_nul(&view->domain) && !has_nul(&view->packages);
}

/* ---- the forms with pointers ---- */

static bool take(const void *bytes, ULONG count, bool wide, struct osspi_auth_text *ret_text)
{
    *ret_text = (struct osspi_auth_text){.bytes = bytes, .count = count, .wide = wide};
    return bytes || count == 0;
}

/* Both members in the layouts of A and W stand at the same places. */
static SECURITY_STATUS view_pointers(const SEC_WINNT_AUTH_IDENTITY_W *from,
                                     struct osspi_auth_view *view)
{
    const ULONG encoding =
        from->Flags & (SEC_WINNT_AUTH_IDENTITY_ANSI | SEC_WINNT_AUTH_IDENTITY_UNICODE);
    const bool wide = encoding == SEC_WINNT_AUTH_IDENTITY_UNICODE;

    view->flags = from->Flags;
    if (!wide && encoding != SEC_WINNT_AUTH_IDENTITY_ANSI)
        return SEC_E_INVALID_PARAMETER;
    if (!take(from->User, from->UserLength, wide, &view->user) ||
        !take(from->Domain, from->DomainLength, wide, &view->domain) ||
        !take(from->Password, from->PasswordLength, wide, &view->password))
        return SEC_E_INVALID_PARAMETER;
    if (view->flags & OSSPI_AUTH_SEALED) {
        view->packed = view->password.bytes;
        view->packed_len = view->password.count * (wide ? sizeof(WCHAR) : 1);
        view->password = (struct osspi_auth_text){0};
    }
    return SEC_E_OK;
}

static SECURITY_STATUS view_ex(const SEC_WINNT_AUTH_IDENTITY_EXW *from,
                               struct osspi_auth_view *view)
{
    const SEC_WINNT_AUTH_IDENTITY_W plain = {
        .User = from->User,
        .UserLength = from->UserLength,
        .Domain = from->Domain,
        .DomainLength = from->DomainLength,
        .Password = from->Password,
        .PasswordLength = from->PasswordLength,
        .Flags = from->Flags,
    };
    SECURITY_STATUS status;

    if (from->Length < sizeof(*from))
        return SEC_E_INVALID_PARAMETER;
    status = view_pointers(&plain, view);
    if (status == SEC_E_OK && !take(from->PackageList, from->PackageListLength,
                                    from->Flags & SEC_WINNT_AUTH_IDENTITY_UNICODE, &view->packages))
        status = SEC_E_INVALID_PARAMETER;
    return status;
}

/* ---- the block ---- */

/* A piece of a block behind its header; NULL: none. False: it is not inside. */
static bool piece(const uint8_t *block, size_t size, size_t header, size_t offset, size_t len,
                  const void **ret_bytes)
{
    *ret_bytes = NULL;
    if (offset == 0)
        return len == 0;
    *ret_bytes = block + offset;
    return offset >= header && offset <= size && len <= size - offset;
}

/* UTF-16 whose length is told in bytes. */
static bool text_piece(const uint8_t *block, const SEC_WINNT_AUTH_IDENTITY_EX2 *header,
                       size_t offset, size_t len, struct osspi_auth_text *ret_text)
{
    const void *bytes;

    if (len % sizeof(WCHAR) != 0 ||
        !piece(block, header->cbStructureLength, header->cbHeaderLength, offset, len, &bytes))
        return false;
    *ret_text =
        (struct osspi_auth_text){.bytes = bytes, .count = len / sizeof(WCHAR), .wide = true};
    return true;
}

/*
 * Packed credentials name their type. Older callers put the bare password there: what does not
 * begin like the structure, with its own length, is taken for that.
 */
static bool read_packed(struct osspi_auth_view *view)
{
    SEC_WINNT_AUTH_PACKED_CREDENTIALS packed;
    const void *data;

    if (view->flags & OSSPI_AUTH_SEALED)
        return true;
    if (view->packed_len >= sizeof(packed)) {
        memcpy(&packed, view->packed, sizeof(packed));
        if (packed.cbHeaderLength == sizeof(packed) &&
            packed.cbStructureLength == view->packed_len) {
            if (!piece(view->packed, view->packed_len, sizeof(packed),
                       packed.AuthData.CredData.ByteArrayOffset,
                       packed.AuthData.CredData.ByteArrayLength, &data))
                return false;
            if (memcmp(&packed.AuthData.CredType, &osspi_auth_type_password, sizeof(GUID)) != 0)
                return true; /* a certificate or the like stays packed */
            view->packed = data;
            view->packed_len = packed.AuthData.CredData.ByteArrayLength;
        }
    }
    if (view->packed_len % sizeof(WCHAR) != 0)
        return false;
    view->password = (struct osspi_auth_text){
        .bytes = view->packed, .count = view->packed_len / sizeof(WCHAR), .wide = true};
    view->packed = NULL;
    view->packed_len = 0;
    return true;
}

static SECURITY_STATUS view_block(const uint8_t *block, size_t size, struct osspi_auth_view *view)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 header;

    if (size < sizeof(header))
        return SEC_E_INVALID_PARAMETER;
    memcpy(&header, block, sizeof(header));
    if (header.cbHeaderLength < sizeof(header) ||
        header.cbStructureLength < header.cbHeaderLength || header.cbStructureLength > size)
        return SEC_E_INVALID_PARAMETER;
    view->flags = header.Flags;
    if (!text_piece(block, &header, header.UserOffset, header.UserLength, &view->user) ||
        !text_piece(block, &header, header.DomainOffset, header.DomainLength, &view->domain) ||
        !text_piece(block, &header, header.PackageListOffset, header.PackageListLength,
                    &view->packages) ||
        !piece(block, header.cbStructureLength, header.cbHeaderLength,
               header.PackedCredentialsOffset, header.PackedCredentialsLength, &view->packed))
        return SEC_E_INVALID_PARAMETER;
    view->packed_len = header.PackedCredentialsLength;
    return read_packed(view) ? SEC_E_OK : SEC_E_INVALID_PARAMETER;
}

/* ---- all of them ---- */

SECURITY_STATUS osspi_auth_view(const void *identity, size_t size, struct osspi_auth_view *ret_view)
{
    ULONG version;
    SECURITY_STATUS status;

    *ret_view = (struct osspi_auth_view){0};
    if (!identity || size < sizeof(version))
        return SEC_E_INVALID_PARAMETER;
    memcpy(&version, identity, sizeof(version));
    /* Bytes from elsewhere hold no pointers of ours. */
    if (size != SIZE_MAX && version != SEC_WINNT_AUTH_IDENTITY_VERSION_2)
        return SEC_E_INVALID_PARAMETER;
    switch (version) {
    case SEC_WINNT_AUTH_IDENTITY_VERSION:
        status = view_ex(identity, ret_view);
        break;
    case SEC_WINNT_AUTH_IDENTITY_VERSION_2:
        status = view_block(identity, size, ret_view);
        break;
    default:
        status = view_pointers(identity, ret_view);
        break;
    }
    if (status == SEC_E_OK && !names_are_good(ret_view))
        status = SEC_E_INVALID_PARAMETER;
    if (status != SEC_E_OK)
        *ret_view = (struct osspi_auth_view){0};
    return status;
}
