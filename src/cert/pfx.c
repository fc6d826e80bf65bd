/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * PKCS#12 (RFC 7292); see pfx.h. Thread-safe: no state of its own.
 *
 * The blob is walked bag by bag instead of by PKCS12_parse(): it may hold several keys, and its
 * passwords together get a budget of iterations, so that no blob costs more than a few seconds.
 * Certificates are taken out as bytes; decoding them is not the TLS library's business here.
 */
#include "cert/pfx.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <string.h>

#include "base/utf.h"

/* RFC 7292, 4.2 and 4.2.3: a bag that holds a certificate. */
struct certificate_content {
    ASN1_OBJECT *type;
    ASN1_OCTET_STRING *der;
};

struct certificate_bag {
    ASN1_OBJECT *type;
    struct certificate_content *content;
    STACK_OF(X509_ATTRIBUTE) * attributes;
};

/* clang-format off */
ASN1_SEQUENCE(CERTIFICATE_CONTENT) = {
    ASN1_SIMPLE(struct certificate_content, type, ASN1_OBJECT),
    ASN1_EXP(struct certificate_content, der, ASN1_OCTET_STRING, 0),
} static_ASN1_SEQUENCE_END_name(struct certificate_content, CERTIFICATE_CONTENT);

ASN1_SEQUENCE(CERTIFICATE_BAG) = {
    ASN1_SIMPLE(struct certificate_bag, type, ASN1_OBJECT),
    ASN1_EXP(struct certificate_bag, content, CERTIFICATE_CONTENT, 0),
    ASN1_SET_OF_OPT(struct certificate_bag, attributes, X509_ATTRIBUTE),
} static_ASN1_SEQUENCE_END_name(struct certificate_bag, CERTIFICATE_BAG);
/* clang-format on */

/* One blob being read. */
struct reading {
    const struct osspi_crypto *crypto;
    struct osspi_pfx *pfx;
    const char *password;
    int password_len;
    bool verified;   /* the MAC was right, hence the password is */
    uint64_t budget; /* iterations left */
    unsigned bags;   /* seen so far */
};

static void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}

static void pkcs12_freep(PKCS12 **blob)
{
    PKCS12_free(*blob);
}

static void openssl_freep(unsigned char **bytes)
{
    OPENSSL_free(*bytes);
}

static void certificate_bag_freep(struct certificate_bag **bag)
{
    ASN1_item_free((ASN1_VALUE *)*bag, ASN1_ITEM_rptr(CERTIFICATE_BAG));
}

static void safes_free(STACK_OF(PKCS7) * safes)
{
    sk_PKCS7_pop_free(safes, PKCS7_free);
}

static void bags_free(STACK_OF(PKCS12_SAFEBAG) * bags)
{
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}

void osspi_pfx_clear(struct osspi_pfx *pfx)
{
    osspi_store_close_putp(&pfx->store);
    for (size_t i = 0; i < pfx->key_count; i++)
        osspi_pkey_freep(&pfx->keys[i]);
    *pfx = (struct osspi_pfx){0};
}

/* ---- certificates ---- */

/* The name that a certificate has among people, as the property that Windows keeps it in. */
static SECURITY_STATUS set_friendly_name(struct osspi_element *element, PKCS12_SAFEBAG *bag)
{
    char *name = PKCS12_get_friendlyname(bag);
    size_t len = name ? strlen(name) : 0;
    uint16_t *wide osspi_auto(osspi_freep) = NULL;
    size_t units = SIZE_MAX;

    if (len > 0) {
        wide = osspi_alloc_array(len + 1, sizeof(*wide));
        if (wide)
            units = osspi_utf8_to_utf16(name, len, wide, len + 1);
    }
    OPENSSL_free(name);
    if (len > 0 && !wide)
        return SEC_E_INSUFFICIENT_MEMORY;
    /* A name that is no text is as good as none. */
    if (units == SIZE_MAX)
        return SEC_E_OK;
    if (!osspi_element_set(element, CERT_FRIENDLY_NAME_PROP_ID, wide,
                           (DWORD)((units + 1) * sizeof(*wide))))
        return SEC_E_INSUFFICIENT_MEMORY;
    return SEC_E_OK;
}

static SECURITY_STATUS add_certificate(struct reading *reading, struct osspi_der_view der,
                                       PKCS12_SAFEBAG *bag)
{
    struct osspi_certificate *certificate osspi_auto(osspi_certificate_unrefp) = NULL;
    struct osspi_element *element osspi_auto(osspi_element_unrefp) = NULL;
    struct osspi_element *added osspi_auto(osspi_element_unrefp) = NULL;
    SECURITY_STATUS status = osspi_certificate_make(der, NULL, 0, &certificate);

    if (status != SEC_E_OK)
        return status;
    element = osspi_element_new(certificate);
    if (!element)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = set_friendly_name(element, bag);
    if (status == SEC_E_OK)
        status = osspi_store_add(reading->pfx->store, element, CERT_STORE_ADD_USE_EXISTING, &added);
    return status;
}

static SECURITY_STATUS read_certificate(struct reading *reading, PKCS12_SAFEBAG *bag)
{
    unsigned char *encoded osspi_auto(openssl_freep) = NULL;
    int len = i2d_PKCS12_SAFEBAG(bag, &encoded);
    const unsigned char *end = encoded;
    const ASN1_OCTET_STRING *der;

    if (len <= 0)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    struct certificate_bag *decoded osspi_auto(certificate_bag_freep) =
        (void *)ASN1_item_d2i(NULL, &end, len, ASN1_ITEM_rptr(CERTIFICATE_BAG));
    if (!decoded)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    if (OBJ_obj2nid(decoded->content->type) != NID_x509Certificate)
        return SEC_E_OK;
    der = decoded->content->der;
    return add_certificate(
        reading,
        (struct osspi_der_view){ASN1_STRING_get0_data(der), (size_t)ASN1_STRING_length(der)}, bag);
}

/* ---- keys ---- */

static SECURITY_STATUS add_key(struct reading *reading, EVP_PKEY *key)
{
    struct osspi_pfx *pfx = reading->pfx;

    if (!key)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    if (pfx->key_count == OSSPI_COUNT_OF(pfx->keys)) {
        EVP_PKEY_free(key);
        return SEC_E_UNKNOWN_CREDENTIALS;
    }
    pfx->keys[pfx->key_count++] = key;
    return SEC_E_OK;
}

/* With a password that is known to be right, what does not open is damaged. */
static SECURITY_STATUS judge(const struct reading *reading, SECURITY_STATUS status)
{
    return status == SEC_E_LOGON_DENIED && reading->verified ? SEC_E_UNKNOWN_CREDENTIALS : status;
}

static SECURITY_STATUS read_sealed_key(struct reading *reading, const X509_SIG *sealed)
{
    EVP_PKEY *key = NULL;
    SECURITY_STATUS status;

    if (!sealed)
        return SEC_E_UNKNOWN_CREDENTIALS;
    status = osspi_key_open(sealed, reading->password, (size_t)reading->password_len,
                            &reading->budget, &key);
    return status == SEC_E_OK ? add_key(reading, key) : judge(reading, status);
}

static SECURITY_STATUS read_plain_key(struct reading *reading, const PKCS8_PRIV_KEY_INFO *info)
{
    if (!info)
        return SEC_E_UNKNOWN_CREDENTIALS;
    return add_key(reading, EVP_PKCS82PKEY_ex(info, reading->crypto->library, NULL));
}

/* ---- bags ---- */

static SECURITY_STATUS read_bags(struct reading *reading, const STACK_OF(PKCS12_SAFEBAG) * bags,
                                 unsigned depth);

static SECURITY_STATUS read_bag(struct reading *reading, PKCS12_SAFEBAG *bag, unsigned depth)
{
    if (++reading->bags > OSSPI_PFX_MAX_BAGS || depth > OSSPI_PFX_MAX_DEPTH)
        return SEC_E_UNKNOWN_CREDENTIALS;
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_certBag:
        return read_certificate(reading, bag);
    case NID_keyBag:
        return read_plain_key(reading, PKCS12_SAFEBAG_get0_p8inf(bag));
    case NID_pkcs8ShroudedKeyBag:
        return read_sealed_key(reading, PKCS12_SAFEBAG_get0_pkcs8(bag));
    case NID_safeContentsBag:
        return read_bags(reading, PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
    default:
        return SEC_E_OK; /* revocation lists, secrets */
    }
}

static SECURITY_STATUS read_bags(struct reading *reading, const STACK_OF(PKCS12_SAFEBAG) * bags,
                                 unsigned depth)
{
    SECURITY_STATUS status = SEC_E_OK;

    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags) && status == SEC_E_OK; i++)
        status = read_bag(reading, sk_PKCS12_SAFEBAG_value(bags, i), depth);
    return status;
}

static STACK_OF(PKCS12_SAFEBAG) *
    open_encrypted(struct reading *reading, PKCS7 *safe, SECURITY_STATUS *ret_status)
{
    const PKCS7_ENC_CONTENT *content = safe->d.encrypted->enc_data;
    STACK_OF(PKCS12_SAFEBAG) * bags;

    *ret_status = SEC_E_UNKNOWN_CREDENTIALS;
    if (!content || !osspi_key_kdf_affordable(content->algorithm, &reading->budget))
        return NULL;
    bags = PKCS12_unpack_p7encdata(safe, reading->password, reading->password_len);
    if (!bags)
        *ret_status = judge(reading, osspi_key_open_failure());
    return bags;
}

/* One part of the blob: bags in the clear or encrypted as a whole. */
static SECURITY_STATUS read_safe(struct reading *reading, PKCS7 *safe)
{
    OSSPI_CRYPTO_CALL;
    SECURITY_STATUS status = SEC_E_UNKNOWN_CREDENTIALS;
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;

    if (!safe->d.ptr)
        return status;
    if (PKCS7_type_is_data(safe)) {
        bags = PKCS12_unpack_p7data(safe);
        status = osspi_crypto_failure(status);
    } else if (PKCS7_type_is_encrypted(safe)) {
        bags = open_encrypted(reading, safe, &status);
    }
    if (bags)
        status = read_bags(reading, bags, 0);
    bags_free(bags);
    return status;
}

/* ---- the blob ---- */

static bool mac_fits(PKCS12 *blob, const char *password, int len)
{
    return PKCS12_verify_mac(blob, password, len) == 1;
}

static bool spend_mac(struct reading *reading, const PKCS12 *blob)
{
    const ASN1_INTEGER *iterations = NULL;
    const X509_ALGOR *algorithm = NULL;
    uint64_t count = 1;

    PKCS12_get0_mac(NULL, &algorithm, NULL, &iterations, blob);
    if (algorithm && OBJ_obj2nid(algorithm->algorithm) == NID_pbmac1)
        return osspi_key_kdf_affordable(algorithm, &reading->budget);
    if (iterations && !ASN1_INTEGER_get_uint64(&count, iterations))
        return false;
    if (count > reading->budget)
        return false;
    reading->budget -= count;
    return true;
}

static SECURITY_STATUS check_mac(struct reading *reading, PKCS12 *blob)
{
    unsigned long before = ERR_peek_last_error();

    if (!PKCS12_mac_present(blob))
        return SEC_E_OK;
    if (!spend_mac(reading, blob))
        return SEC_E_UNKNOWN_CREDENTIALS;
    reading->verified = mac_fits(blob, reading->password, reading->password_len);
    if (!reading->verified && reading->password_len == 0 && spend_mac(reading, blob)) {
        reading->password = reading->password ? NULL : "";
        reading->verified = mac_fits(blob, reading->password, 0);
    }
    if (reading->verified)
        return SEC_E_OK;
    /* A MAC that is merely different leaves no error behind. */
    if (ERR_peek_last_error() == before)
        return SEC_E_LOGON_DENIED;
    return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
}

static SECURITY_STATUS decode(const struct osspi_crypto *crypto, struct osspi_der_view blob,
                              PKCS12 **ret_blob)
{
    BIO *bio osspi_auto(bio_freep) = BIO_new_mem_buf(blob.bytes, (int)blob.len);
    /* Made beforehand, because that is how our library context gets in. */
    PKCS12 *decoded osspi_auto(pkcs12_freep) =
        PKCS12_init_ex(NID_pkcs7_data, crypto->library, NULL);

    if (!bio || !decoded)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (!d2i_PKCS12_bio(bio, &decoded))
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    *ret_blob = OSSPI_TAKE(decoded);
    return SEC_E_OK;
}

static SECURITY_STATUS read_safes(struct reading *reading, PKCS12 *blob)
{
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(blob);
    SECURITY_STATUS status = SEC_E_OK;

    if (!safes)
        return osspi_crypto_failure(SEC_E_UNKNOWN_CREDENTIALS);
    for (int i = 0; i < sk_PKCS7_num(safes) && status == SEC_E_OK; i++)
        status = read_safe(reading, sk_PKCS7_value(safes, i));
    safes_free(safes);
    return status;
}

SECURITY_STATUS osspi_pfx_read(struct osspi_der_view blob, const char *password,
                               struct osspi_pfx *ret_pfx)
{
    OSSPI_CRYPTO_CALL;
    PKCS12 *decoded osspi_auto(pkcs12_freep) = NULL;
    struct reading reading = {
        .crypto = osspi_crypto_get_full(),
        .pfx = ret_pfx,
        .password = password,
        .password_len = password ? (int)strnlen(password, OSSPI_PASSWORD_MAX + 1) : 0,
        .budget = OSSPI_KDF_BUDGET,
    };
    SECURITY_STATUS status;

    if (!blob.bytes || blob.len == 0 || blob.len > OSSPI_PFX_MAX_LEN)
        return SEC_E_UNKNOWN_CREDENTIALS;
    if (reading.password_len > (int)OSSPI_PASSWORD_MAX)
        return SEC_E_LOGON_DENIED;
    ret_pfx->store = osspi_store_open();
    if (!reading.crypto || !ret_pfx->store)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = decode(reading.crypto, blob, &decoded);
    if (status == SEC_E_OK)
        status = check_mac(&reading, decoded);
    if (status == SEC_E_OK)
        status = read_safes(&reading, decoded);
    return status;
}
