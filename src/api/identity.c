/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The helpers for SEC_WINNT_AUTH_IDENTITY that need no package: wiping, and freeing.
 *
 * The caller's structure is one of three forms, told apart by its first number; Flags, not the
 * entry point, say how wide its characters are.
 */
#include <sspi.h>

#include "base/memory.h"
#include "core/auth_identity.h"
#include "core/buffers.h"

static size_t character_size(ULONG flags)
{
    return flags & SEC_WINNT_AUTH_IDENTITY_UNICODE ? sizeof(WCHAR) : sizeof(char);
}

/* The one form whose secret stands at an offset: only inside what it says is its own. It has none
 * afterwards. */
static void wipe_packed(SEC_WINNT_AUTH_IDENTITY_EX2 *identity)
{
    size_t end = (size_t)identity->PackedCredentialsOffset + identity->PackedCredentialsLength;

    if (end <= identity->cbStructureLength)
        osspi_secure_zero((char *)identity + identity->PackedCredentialsOffset,
                          identity->PackedCredentialsLength);
    identity->PackedCredentialsOffset = 0;
    identity->PackedCredentialsLength = 0;
}

VOID SspiZeroAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthData)
{
    SEC_WINNT_AUTH_IDENTITY_INFO *identity = AuthData;

    if (!identity)
        return;
    switch (identity->AuthIdExw.Version) {
    case SEC_WINNT_AUTH_IDENTITY_VERSION:
        osspi_secure_zero(identity->AuthIdExw.Password,
                          identity->AuthIdExw.PasswordLength *
                              character_size(identity->AuthIdExw.Flags));
        break;
    case SEC_WINNT_AUTH_IDENTITY_VERSION_2:
        wipe_packed(&identity->AuthIdEx2);
        break;
    default:
        osspi_secure_zero(identity->AuthId_w.Password,
                          identity->AuthId_w.PasswordLength *
                              character_size(identity->AuthId_w.Flags));
        break;
    }
}

BOOLEAN SspiIsAuthIdentityEncrypted(PSEC_WINNT_AUTH_IDENTITY_OPAQUE EncryptedAuthData)
{
    const SEC_WINNT_AUTH_IDENTITY_INFO *identity = EncryptedAuthData;
    ULONG flags;

    if (!identity)
        return FALSE;
    switch (identity->AuthIdExw.Version) {
    case SEC_WINNT_AUTH_IDENTITY_VERSION:
        flags = identity->AuthIdExw.Flags;
        break;
    case SEC_WINNT_AUTH_IDENTITY_VERSION_2:
        flags = identity->AuthIdEx2.Flags;
        break;
    default:
        flags = identity->AuthId_w.Flags;
        break;
    }
    return (flags & OSSPI_AUTH_SEALED) != 0;
}

/* Freeing wipes. A pointer that is not ours is left alone, here and below. */
VOID SspiFreeAuthIdentity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE AuthData)
{
    (void)osspi_context_buffer_free(AuthData);
}

VOID SspiLocalFree(PVOID DataBuffer)
{
    (void)osspi_context_buffer_free(DataBuffer);
}
