/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CertEnumCertificatesInStore and CertFindCertificateInStore; see wincrypt.h.
 *
 * Both go on from the place of the previous certificate; a store only grows, so that place stays.
 * Elements are compared without any lock: what is compared is constant. Thread-safe.
 */
#include <string.h>

#include "base/utf.h"
#include "cert/last_error.h"
#include "cert/store.h"
#include "cert/text.h"

/* What is looked for; which field counts depends on the kind of search. */
struct wanted {
    const void *parameter; /* the caller's */
    bool issuer;           /* the issuer's name counts, not the subject's */
    char *text;            /* folded UTF-8; owned */
};

struct search {
    DWORD kind; /* dwFindType without the part of the certificate */
    bool needs_parameter;
    SECURITY_STATUS (*prepare)(struct wanted *wanted); /* optional */
    /* SEC_E_OK; CRYPT_E_NO_MATCH; a failure that ends the search. */
    SECURITY_STATUS (*match)(struct osspi_certificate *certificate, const struct wanted *wanted);
};

static SECURITY_STATUS as_match(bool same)
{
    return same ? SEC_E_OK : CRYPT_E_NO_MATCH;
}

static bool same_blob(const CRYPT_DATA_BLOB *a, const CRYPT_DATA_BLOB *b)
{
    return a->cbData == b->cbData &&
           (a->cbData == 0 || (a->pbData && memcmp(a->pbData, b->pbData, a->cbData) == 0));
}

static SECURITY_STATUS match_any(struct osspi_certificate *certificate, const struct wanted *wanted)
{
    (void)certificate;
    (void)wanted;
    return SEC_E_OK;
}

static SECURITY_STATUS match_sha1(struct osspi_certificate *certificate,
                                  const struct wanted *wanted)
{
    const CRYPT_HASH_BLOB *hash = wanted->parameter;
    CRYPT_HASH_BLOB own = {sizeof(certificate->sha1), certificate->sha1};

    return as_match(same_blob(hash, &own));
}

static const CERT_NAME_BLOB *name_of(const struct osspi_certificate *certificate,
                                     const struct wanted *wanted)
{
    const CERT_INFO *info = &certificate->parsed.info;

    return wanted->issuer ? &info->Issuer : &info->Subject;
}

static SECURITY_STATUS match_name(struct osspi_certificate *certificate,
                                  const struct wanted *wanted)
{
    return as_match(same_blob(wanted->parameter, name_of(certificate, wanted)));
}

static SECURITY_STATUS match_public_key(struct osspi_certificate *certificate,
                                        const struct wanted *wanted)
{
    const CERT_PUBLIC_KEY_INFO *key = wanted->parameter;
    const CERT_PUBLIC_KEY_INFO *own = &certificate->parsed.info.SubjectPublicKeyInfo;
    CRYPT_DATA_BLOB bits = {key->PublicKey.cbData, key->PublicKey.pbData};
    CRYPT_DATA_BLOB own_bits = {own->PublicKey.cbData, own->PublicKey.pbData};

    return as_match(key->Algorithm.pszObjId &&
                    strcmp(key->Algorithm.pszObjId, own->Algorithm.pszObjId) == 0 &&
                    same_blob(&bits, &own_bits));
}

/* ASCII only: one rule for all locales. */
static void fold(char *text)
{
    for (; *text; text++) {
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
    }
}

static SECURITY_STATUS prepare_text_a(struct wanted *wanted)
{
    wanted->text = osspi_strdup(wanted->parameter);
    if (!wanted->text)
        return SEC_E_INSUFFICIENT_MEMORY;
    fold(wanted->text);
    return SEC_E_OK;
}

static SECURITY_STATUS prepare_text_w(struct wanted *wanted)
{
    const WCHAR *text = wanted->parameter;
    bool malformed = false;

    wanted->text = osspi_utf16_dup_utf8((const uint16_t *)text,
                                        osspi_utf16_len((const uint16_t *)text), &malformed);
    if (!wanted->text)
        return malformed ? SEC_E_INVALID_PARAMETER : SEC_E_INSUFFICIENT_MEMORY;
    fold(wanted->text);
    return SEC_E_OK;
}

static SECURITY_STATUS match_text(struct osspi_certificate *certificate,
                                  const struct wanted *wanted)
{
    struct osspi_text text osspi_auto(osspi_text_clear) = {0};

    osspi_text_put_name(&text, name_of(certificate, wanted), CERT_SIMPLE_NAME_STR);
    if (text.failed)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (!text.bytes)
        return as_match(wanted->text[0] == '\0');
    fold(text.bytes);
    return as_match(strstr(text.bytes, wanted->text) != NULL);
}

/* Integers whose least significant byte comes first; zeros at the other end do not count. */
static bool same_integer(CRYPT_INTEGER_BLOB a, CRYPT_INTEGER_BLOB b)
{
    while (a.cbData > 0 && a.pbData && a.pbData[a.cbData - 1] == 0)
        a.cbData--;
    while (b.cbData > 0 && b.pbData[b.cbData - 1] == 0)
        b.cbData--;
    return same_blob(&a, &b);
}

static SECURITY_STATUS match_subject_cert(struct osspi_certificate *certificate,
                                          const struct wanted *wanted)
{
    const CERT_INFO *info = wanted->parameter;
    const CERT_INFO *own = &certificate->parsed.info;

    return as_match(same_blob(&info->Issuer, &own->Issuer) &&
                    same_integer(info->SerialNumber, own->SerialNumber));
}

static SECURITY_STATUS match_issuer_of(struct osspi_certificate *certificate,
                                       const struct wanted *wanted)
{
    const CERT_CONTEXT *subject = wanted->parameter;

    return osspi_certificate_issued(certificate, osspi_context_from(subject)->element->certificate);
}

static SECURITY_STATUS match_existing(struct osspi_certificate *certificate,
                                      const struct wanted *wanted)
{
    const CERT_CONTEXT *same = wanted->parameter;

    return as_match(
        osspi_certificate_equal(certificate, osspi_context_from(same)->element->certificate));
}

static SECURITY_STATUS match_key(struct osspi_certificate *certificate, const struct wanted *wanted)
{
    (void)wanted;
    return as_match(osspi_certificate_has_key(certificate));
}

static const struct search searches[] = {
    {CERT_FIND_ANY, false, NULL, match_any},
    {CERT_FIND_SHA1_HASH, true, NULL, match_sha1},
    {CERT_FIND_SUBJECT_NAME, true, NULL, match_name},
    {CERT_FIND_ISSUER_NAME, true, NULL, match_name},
    {CERT_FIND_PUBLIC_KEY, true, NULL, match_public_key},
    {CERT_FIND_SUBJECT_STR_A, true, prepare_text_a, match_text},
    {CERT_FIND_ISSUER_STR_A, true, prepare_text_a, match_text},
    {CERT_FIND_SUBJECT_STR_W, true, prepare_text_w, match_text},
    {CERT_FIND_ISSUER_STR_W, true, prepare_text_w, match_text},
    {CERT_FIND_SUBJECT_CERT, true, NULL, match_subject_cert},
    {CERT_FIND_ISSUER_OF, true, NULL, match_issuer_of},
    {CERT_FIND_EXISTING, true, NULL, match_existing},
    {CERT_FIND_HAS_PRIVATE_KEY, false, NULL, match_key},
};

static const struct search *search_named(DWORD kind)
{
    for (size_t i = 0; i < OSSPI_COUNT_OF(searches); i++) {
        if (searches[i].kind == kind)
            return &searches[i];
    }
    return NULL;
}

/* The first certificate from index on that matches. */
static SECURITY_STATUS walk(struct osspi_store *store, size_t index, const struct search *search,
                            const struct wanted *wanted, PCCERT_CONTEXT *ret_context)
{
    for (;; index++) {
        struct osspi_element *element osspi_auto(osspi_element_unrefp) =
            osspi_store_at(store, index);
        SECURITY_STATUS status;

        if (!element)
            return CRYPT_E_NOT_FOUND;
        status = search->match(element->certificate, wanted);
        if (status == CRYPT_E_NO_MATCH)
            continue;
        if (status != SEC_E_OK)
            return status;
        *ret_context = osspi_cert_context_new(element, store);
        return *ret_context ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
    }
}

static SECURITY_STATUS find(HCERTSTORE handle, DWORD kind, const void *parameter,
                            PCCERT_CONTEXT previous, PCCERT_CONTEXT *ret_context)
{
    struct osspi_store *store osspi_auto(osspi_store_putp) = osspi_store_find(handle);
    const struct search *search = search_named(kind);
    struct wanted wanted = {
        .parameter = parameter,
        .issuer = (kind & CERT_COMPARE_MASK) == CERT_INFO_ISSUER_FLAG,
    };
    SECURITY_STATUS status = SEC_E_OK;
    size_t index = 0;

    if (!store || !search || (search->needs_parameter && !parameter))
        return SEC_E_INVALID_PARAMETER;
    if (previous) {
        if (osspi_context_from(previous)->store != store)
            return SEC_E_INVALID_PARAMETER;
        index = osspi_context_from(previous)->element->index + 1;
    }
    if (search->prepare)
        status = search->prepare(&wanted);
    if (status == SEC_E_OK)
        status = walk(store, index, search, &wanted, ret_context);
    osspi_free(wanted.text);
    return status;
}

OSSPI_API PCCERT_CONTEXT WINAPI CertFindCertificateInStore(HCERTSTORE hCertStore,
                                                           DWORD dwCertEncodingType,
                                                           DWORD dwFindFlags, DWORD dwFindType,
                                                           const void *pvFindPara,
                                                           PCCERT_CONTEXT pPrevCertContext)
{
    PCCERT_CONTEXT previous osspi_auto(osspi_context_freep) = pPrevCertContext;
    PCCERT_CONTEXT context = NULL;
    SECURITY_STATUS status = find(hCertStore, dwFindType, pvFindPara, previous, &context);

    (void)dwCertEncodingType;
    (void)dwFindFlags;
    return status == SEC_E_OK ? context : osspi_fail_null(status);
}

OSSPI_API PCCERT_CONTEXT WINAPI CertEnumCertificatesInStore(HCERTSTORE hCertStore,
                                                            PCCERT_CONTEXT pPrevCertContext)
{
    PCCERT_CONTEXT previous osspi_auto(osspi_context_freep) = pPrevCertContext;
    PCCERT_CONTEXT context = NULL;
    SECURITY_STATUS status = find(hCertStore, CERT_FIND_ANY, NULL, previous, &context);

    return status == SEC_E_OK ? context : osspi_fail_null(status);
}
