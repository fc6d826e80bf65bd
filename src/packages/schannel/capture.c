/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Copying auth data; see capture.h. Runs on the thread that makes the call, also when the call is
 * asynchronous, so that the caller may change or free everything as soon as it is queued.
 * Certificate contexts are held by reference, the certificates of hRootStore are copied.
 */
#include "packages/schannel/capture.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf.h"

bool osspi_algorithm_equal(const char *a, const char *b)
{
    for (;; a++, b++) {
        char x = *a >= 'a' && *a <= 'z' ? (char)(*a - 32) : *a;
        char y = *b >= 'a' && *b <= 'z' ? (char)(*b - 32) : *b;

        if (x != y)
            return false;
        if (x == '\0')
            return true;
    }
}

/* ---- freeing ---- */

void osspi_der_array_free(struct osspi_der *array, size_t count)
{
    for (size_t i = 0; array && i < count; i++)
        osspi_free(array[i].bytes);
    osspi_free(array);
}

void osspi_schannel_capture_free(void *captured)
{
    struct osspi_schannel_auth *auth = captured;

    if (!auth)
        return;
    for (size_t i = 0; i < auth->certificate_count; i++) {
        if (auth->certificates[i])
            CertFreeCertificateContext(auth->certificates[i]);
    }
    osspi_free(auth->certificates);
    osspi_free(auth->algorithms);
    osspi_der_array_free(auth->roots, auth->root_count);
    for (size_t i = 0; i < auth->restriction_count; i++) {
        osspi_free(auth->restrictions[i].rules);
        osspi_free(auth->restrictions[i].protocols);
    }
    osspi_free(auth->restrictions);
    osspi_free(auth->hash.store);
    osspi_free(auth);
}

static void auth_freep(struct osspi_schannel_auth **auth)
{
    osspi_schannel_capture_free(*auth);
}

/* ---- names ---- */

/* Units without the NULs at the end; of an odd number of bytes the last one is nobody's. */
static SECURITY_STATUS count_units(const UNICODE_STRING *string, size_t *ret_units)
{
    size_t units = string->Length / sizeof(WCHAR);

    if (units > 0 && !string->Buffer)
        return SEC_E_UNKNOWN_CREDENTIALS;
    while (units > 0 && string->Buffer[units - 1] == 0)
        units--;
    *ret_units = units;
    return SEC_E_OK;
}

/*
 * Copies a counted UTF-16 name that is ASCII. Callers of Windows count the NUL or do not, so
 * trailing NULs are dropped. Anything that cannot be a name of ours becomes "", which matches
 * nothing: unknown algorithms are to be ignored.
 */
static SECURITY_STATUS copy_name(const UNICODE_STRING *from, char *to)
{
    size_t units;
    SECURITY_STATUS status = count_units(from, &units);

    to[0] = '\0';
    if (status != SEC_E_OK)
        return status;
    if (units >= OSSPI_ALGORITHM_NAME)
        return SEC_E_OK;
    for (size_t i = 0; i < units; i++) {
        if (from->Buffer[i] < 0x21 || from->Buffer[i] > 0x7E) {
            to[0] = '\0';
            return SEC_E_OK;
        }
        to[i] = (char)from->Buffer[i];
    }
    to[units] = '\0';
    return SEC_E_OK;
}

static SECURITY_STATUS copy_rule(const CRYPTO_SETTINGS *from, struct osspi_crypto_rule *to)
{
    SECURITY_STATUS status;

    if (from->cChainingModes > SCH_CRED_MAX_SUPPORTED_CHAINING_MODES ||
        (from->cChainingModes > 0 && !from->rgstrChainingModes))
        return SEC_E_UNKNOWN_CREDENTIALS;
    to->usage = (uint32_t)from->eAlgorithmUsage;
    to->min_bits = from->dwMinBitLength;
    to->max_bits = from->dwMaxBitLength;
    to->mode_count = from->cChainingModes;
    status = copy_name(&from->strCngAlgId, to->name);
    for (size_t i = 0; status == SEC_E_OK && i < to->mode_count; i++)
        status = copy_name(&from->rgstrChainingModes[i], to->modes[i]);
    return status;
}

#define PROTOCOL_MAX 255u /* bytes of an ALPN id */

/* Appends an id with its length in front; one that is empty, too long or no UTF-16 is nobody's. */
static SECURITY_STATUS copy_protocol(const UNICODE_STRING *from, struct osspi_tls_restriction *to)
{
    uint8_t *at = to->protocols + to->protocols_len;
    char id[PROTOCOL_MAX + 1]; /* with its NUL */
    size_t units, len;
    SECURITY_STATUS status = count_units(from, &units);

    if (status != SEC_E_OK || units == 0 || units > PROTOCOL_MAX)
        return status;
    len = osspi_utf16_to_utf8((const uint16_t *)from->Buffer, units, id, sizeof(id));
    if (len == SIZE_MAX || len == 0 || len > PROTOCOL_MAX)
        return SEC_E_OK;
    *at = (uint8_t)len;
    memcpy(at + 1, id, len);
    to->protocols_len += 1 + len;
    return SEC_E_OK;
}

static SECURITY_STATUS copy_protocols(const TLS_PARAMETERS *from, struct osspi_tls_restriction *to)
{
    SECURITY_STATUS status = SEC_E_OK;

    to->by_protocol = from->cAlpnIds > 0;
    if (!to->by_protocol)
        return SEC_E_OK;
    to->protocols = osspi_alloc_array(from->cAlpnIds, 1 + PROTOCOL_MAX);
    if (!to->protocols)
        return SEC_E_INSUFFICIENT_MEMORY;
    for (DWORD i = 0; status == SEC_E_OK && i < from->cAlpnIds; i++)
        status = copy_protocol(&from->rgstrAlpnIds[i], to);
    return status;
}

static SECURITY_STATUS copy_restriction(const TLS_PARAMETERS *from,
                                        struct osspi_tls_restriction *to)
{
    SECURITY_STATUS status;

    if (from->cAlpnIds > SCH_CRED_MAX_SUPPORTED_ALPN_IDS ||
        (from->cAlpnIds > 0 && !from->rgstrAlpnIds) ||
        from->cDisabledCrypto > SCH_CRED_MAX_SUPPORTED_CRYPTO_SETTINGS ||
        (from->cDisabledCrypto > 0 && !from->pDisabledCrypto))
        return SEC_E_UNKNOWN_CREDENTIALS;
    status = copy_protocols(from, to);
    if (status != SEC_E_OK)
        return status;
    to->optional = (from->dwFlags & TLS_PARAMS_OPTIONAL) != 0;
    to->disabled_protocols = from->grbitDisabledProtocols;
    to->rules = osspi_alloc_array(from->cDisabledCrypto, sizeof(*to->rules));
    if (!to->rules)
        return SEC_E_INSUFFICIENT_MEMORY;
    to->rule_count = from->cDisabledCrypto;
    for (size_t i = 0; status == SEC_E_OK && i < to->rule_count; i++)
        status = copy_rule(&from->pDisabledCrypto[i], &to->rules[i]);
    return status;
}

/* ---- certificates ---- */

static SECURITY_STATUS copy_certificates(PCCERT_CONTEXT *from, DWORD count,
                                         struct osspi_schannel_auth *auth)
{
    if (count > SCH_CRED_MAX_SUPPORTED_CERTS || (count > 0 && !from))
        return SEC_E_UNKNOWN_CREDENTIALS;
    auth->certificates = osspi_alloc_array(count, sizeof(*auth->certificates));
    if (!auth->certificates)
        return SEC_E_INSUFFICIENT_MEMORY;
    auth->certificate_count = count;
    for (DWORD i = 0; i < count; i++) {
        if (!from[i])
            return SEC_E_UNKNOWN_CREDENTIALS;
        auth->certificates[i] = CertDuplicateCertificateContext(from[i]);
    }
    return SEC_E_OK;
}

static SECURITY_STATUS add_root(struct osspi_schannel_auth *auth, size_t *room,
                                PCCERT_CONTEXT certificate)
{
    struct osspi_der *root;

    if (auth->root_count == *room) {
        size_t more = *room ? *room * 2 : 16;
        struct osspi_der *grown = osspi_alloc_array(more, sizeof(*grown));

        if (!grown)
            return SEC_E_INSUFFICIENT_MEMORY;
        if (auth->root_count > 0)
            memcpy(grown, auth->roots, auth->root_count * sizeof(*grown));
        osspi_free(auth->roots);
        auth->roots = grown;
        *room = more;
    }
    root = &auth->roots[auth->root_count];
    root->bytes = osspi_memdup(certificate->pbCertEncoded, certificate->cbCertEncoded);
    if (!root->bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    root->len = certificate->cbCertEncoded;
    auth->root_count++;
    return SEC_E_OK;
}

static SECURITY_STATUS copy_roots(HCERTSTORE store, struct osspi_schannel_auth *auth)
{
    PCCERT_CONTEXT certificate = NULL;
    size_t room = 0;

    if (!store)
        return SEC_E_OK;
    auth->has_roots = true;
    while ((certificate = CertEnumCertificatesInStore(store, certificate)) != NULL) {
        SECURITY_STATUS status = add_root(auth, &room, certificate);

        if (status != SEC_E_OK) {
            CertFreeCertificateContext(certificate);
            return status;
        }
    }
    return SEC_E_OK;
}

/* ---- certificates by hash ---- */

/*
 * The MS docs say that paCred points at the 20 bytes of a thumbprint, of a certificate of the
 * machine's; the header has a structure for it. Both are taken: no thumbprint begins like the
 * structure does (its length, one flag at most, no provider), in the 20 bytes that are there in
 * either case, but for one of 2^126.
 */
static SECURITY_STATUS copy_hash(const void *from, struct osspi_cert_hash *to)
{
    SCHANNEL_CERT_HASH head = {0};

    _Static_assert(sizeof(to->sha1) >= offsetof(SCHANNEL_CERT_HASH, ShaHash), "looks at no more");
    memcpy(&head, from, offsetof(SCHANNEL_CERT_HASH, ShaHash));
    to->given = true;
    to->machine = true;
    if (head.dwLength == sizeof(head) && (head.dwFlags & ~SCH_MACHINE_CERT_HASH) == 0 &&
        head.hProv == 0) {
        memcpy(&head, from, sizeof(head));
        to->machine = (head.dwFlags & SCH_MACHINE_CERT_HASH) != 0;
        memcpy(to->sha1, head.ShaHash, sizeof(to->sha1));
    } else {
        memcpy(to->sha1, from, sizeof(to->sha1));
    }
    return SEC_E_OK;
}

static SECURITY_STATUS copy_hash_store(const void *from, struct osspi_cert_hash *to)
{
    SCHANNEL_CERT_HASH_STORE store;
    bool malformed = false;
    size_t units = 0;

    memcpy(&store.dwLength, from, sizeof(store.dwLength));
    if (store.dwLength != sizeof(store))
        return SEC_E_UNKNOWN_CREDENTIALS;
    memcpy(&store, from, sizeof(store));
    while (units < SCH_CRED_MAX_STORE_NAME_SIZE && store.pwszStoreName[units] != 0)
        units++;
    if (units == SCH_CRED_MAX_STORE_NAME_SIZE)
        return SEC_E_UNKNOWN_CREDENTIALS;
    to->given = true;
    to->machine = (store.dwFlags & SCH_MACHINE_CERT_HASH) != 0;
    memcpy(to->sha1, store.ShaHash, sizeof(to->sha1));
    to->store = osspi_utf16_dup_utf8((const uint16_t *)store.pwszStoreName, units, &malformed);
    if (!to->store)
        return malformed ? SEC_E_UNKNOWN_CREDENTIALS : SEC_E_INSUFFICIENT_MEMORY;
    return SEC_E_OK;
}

/* What both versions have. A hash is one certificate, whose structure paCred itself points at. */
static SECURITY_STATUS copy_common(struct osspi_schannel_auth *auth, DWORD format, DWORD count,
                                   PCCERT_CONTEXT *certificates, HCERTSTORE roots)
{
    SECURITY_STATUS status = SEC_E_OK;

    switch (format) {
    case SCH_CRED_FORMAT_CERT_CONTEXT:
        status = copy_certificates(certificates, count, auth);
        break;
    case SCH_CRED_FORMAT_CERT_HASH:
    case SCH_CRED_FORMAT_CERT_HASH_STORE:
        if (count > 1 || (count > 0 && !certificates))
            return SEC_E_UNKNOWN_CREDENTIALS;
        if (count > 0)
            status = (format == SCH_CRED_FORMAT_CERT_HASH ? copy_hash : copy_hash_store)(
                certificates, &auth->hash);
        break;
    default:
        return SEC_E_UNKNOWN_CREDENTIALS;
    }
    return status == SEC_E_OK ? copy_roots(roots, auth) : status;
}

/* ---- the two versions ---- */

static SECURITY_STATUS capture_schannel_cred(const SCHANNEL_CRED *from,
                                             struct osspi_schannel_auth *auth)
{
    if (from->cSupportedAlgs > SCH_CRED_MAX_SUPPORTED_ALGS ||
        (from->cSupportedAlgs > 0 && !from->palgSupportedAlgs))
        return SEC_E_UNKNOWN_CREDENTIALS;
    auth->enabled_protocols = from->grbitEnabledProtocols;
    auth->min_strength = from->dwMinimumCipherStrength;
    auth->max_strength = from->dwMaximumCipherStrength;
    auth->lifespan_ms = from->dwSessionLifespan;
    auth->flags = from->dwFlags;
    if (from->cSupportedAlgs > 0) {
        auth->algorithms =
            osspi_memdup(from->palgSupportedAlgs, from->cSupportedAlgs * sizeof(*auth->algorithms));
        if (!auth->algorithms)
            return SEC_E_INSUFFICIENT_MEMORY;
        auth->algorithm_count = from->cSupportedAlgs;
    }
    return copy_common(auth, from->dwCredFormat, from->cCreds, from->paCred, from->hRootStore);
}

static SECURITY_STATUS capture_sch_credentials(const SCH_CREDENTIALS *from,
                                               struct osspi_schannel_auth *auth)
{
    SECURITY_STATUS status = SEC_E_OK;

    if (from->cTlsParameters > SCH_CRED_MAX_SUPPORTED_PARAMETERS ||
        (from->cTlsParameters > 0 && !from->pTlsParameters))
        return SEC_E_UNKNOWN_CREDENTIALS;
    auth->expresses_disabled = true;
    auth->lifespan_ms = from->dwSessionLifespan;
    auth->flags = from->dwFlags;
    auth->restrictions = osspi_alloc_array(from->cTlsParameters, sizeof(*auth->restrictions));
    if (!auth->restrictions)
        return SEC_E_INSUFFICIENT_MEMORY;
    auth->restriction_count = from->cTlsParameters;
    for (size_t i = 0; status == SEC_E_OK && i < auth->restriction_count; i++)
        status = copy_restriction(&from->pTlsParameters[i], &auth->restrictions[i]);
    if (status != SEC_E_OK)
        return status;
    return copy_common(auth, from->dwCredFormat, from->cCreds, from->paCred, from->hRootStore);
}

SECURITY_STATUS osspi_schannel_capture(const void *auth, bool encoding_wide, void **ret_captured)
{
    struct osspi_schannel_auth *copy osspi_auto(auth_freep) = NULL;
    SECURITY_STATUS status;
    DWORD version;

    (void)encoding_wide; /* strings in these structures are always UTF-16 */
    *ret_captured = NULL;
    if (!auth)
        return SEC_E_UNKNOWN_CREDENTIALS;
    memcpy(&version, auth, sizeof(version));
    if (version != SCHANNEL_CRED_VERSION && version != SCH_CREDENTIALS_VERSION)
        return SEC_E_UNKNOWN_CREDENTIALS;
    copy = osspi_alloc(sizeof(*copy));
    if (!copy)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = version == SCHANNEL_CRED_VERSION ? capture_schannel_cred(auth, copy)
                                              : capture_sch_credentials(auth, copy);
    if (status == SEC_E_OK)
        *ret_captured = OSSPI_TAKE(copy);
    return status;
}
