/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The functions of schannel.h: the client's session cache, random bits, and those that are not
 * there yet and say so.
 */
#include <schannel.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "api/text.h"

/* packages/schannel/session.h declares it, beside types of the TLS library that end there. */
void osspi_schannel_empty_cache(const char *target);

/* ---- session cache ---- */

static BOOL empty_cache(struct osspi_text target)
{
    struct osspi_name name = {0};

    if (!target.data) {
        osspi_schannel_empty_cache(NULL);
        return TRUE;
    }
    if (osspi_name_capture(&name, target, SEC_E_TARGET_UNKNOWN) != SEC_E_OK) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return FALSE;
    }
    /* An empty name is the name of no server; it must not mean all of them. */
    if (osspi_name_get(&name))
        osspi_schannel_empty_cache(osspi_name_get(&name));
    osspi_name_clear(&name);
    return TRUE;
}

BOOL SslEmptyCacheA(LPSTR pszTargetName, DWORD dwFlags)
{
    (void)dwFlags;
    return empty_cache(osspi_text_utf8(pszTargetName));
}

BOOL SslEmptyCacheW(LPWSTR pszTargetName, DWORD dwFlags)
{
    (void)dwFlags;
    return empty_cache(osspi_text_utf16(pszTargetName));
}

/* ---- random bits ---- */

/* It cannot report a failure, and bytes that only look random are worse than none: it ends the
 * process instead. The kernel's generator fails before it is seeded only, and then it waits. */
VOID SslGenerateRandomBits(PUCHAR pRandomData, LONG cRandomData)
{
    size_t left = cRandomData > 0 && pRandomData ? (size_t)cRandomData : 0;

    while (left > 0) {
        ssize_t got = getrandom(pRandomData, left, 0);

        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            pRandomData += got;
            left -= (size_t)got;
        }
    }
}

/* ---- not there yet ---- */

#pragma GCC diagnostic ignored "-Wunused-parameter"

BOOL SslCrackCertificate(PUCHAR pbCertificate, DWORD cbCertificate, DWORD dwFlags,
                         PX509Certificate *ppCertificate)
{
    SetLastError(ERROR_NOT_SUPPORTED);
    return FALSE;
}

BOOL SslGenerateKeyPair(PSSL_CREDENTIAL_CERTIFICATE pCerts, PSTR pszDN, PSTR pszPassword,
                        DWORD Bits)
{
    SetLastError(ERROR_NOT_SUPPORTED);
    return FALSE;
}

DWORD SslGetMaximumKeySize(DWORD Reserved)
{
    return 0;
}

BOOL SslGetDefaultIssuers(PBYTE pbIssuers, DWORD *pcbIssuers)
{
    SetLastError(ERROR_NOT_SUPPORTED);
    return FALSE;
}

/* SslCrackCertificate never made anything. */
VOID SslFreeCertificate(PX509Certificate pCertificate)
{
}
