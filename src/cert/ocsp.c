/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OCSP over OpenSSL; see ocsp.h. What answers said is kept under the hash of certificate and
 * issuer, so that an answer never speaks for another certificate, whoever asks.
 */
#include "cert/ocsp.h"

#include <limits.h>
#include <openssl/ocsp.h>
#include <string.h>
#include <time.h>

#include "cert/crypto.h"
#include "cert/fetch.h"
#include "cert/shelf.h"

#define ANSWER_MAX_LEN 65536u /* bytes */
#define SINGLES_MAX    64     /* certificates that one answer may speak of */
#define CLOCK_SKEW_S   300    /* by which clocks may differ */
#define AGE_MAX_S      86400  /* of an answer that does not say how long it holds, or is kept */
#define NONCE_LEN      16

static struct osspi_shelf answers; /* guards itself */

/* ---- reading ---- */

struct reading {
    OCSP_RESPONSE *response;
    OCSP_BASICRESP *basic;
};

static void reading_clear(struct reading *reading)
{
    OCSP_BASICRESP_free(reading->basic);
    OCSP_RESPONSE_free(reading->response);
}

static bool is_about(const OCSP_CERTID *id, const struct osspi_subject *subject)
{
    ASN1_OBJECT *algorithm = NULL;

    if (OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, (OCSP_CERTID *)(uintptr_t)id) != 1)
        return false;
    const EVP_MD *digest = EVP_get_digestbyobj(algorithm);
    OCSP_CERTID *expected =
        digest == NULL ? NULL : OCSP_cert_to_id(digest, subject->certificate, subject->issuer);
    const bool same = expected != NULL && OCSP_id_cmp(id, expected) == 0;

    OCSP_CERTID_free(expected);
    return same;
}

static OCSP_SINGLERESP *find_single(OCSP_BASICRESP *basic, const struct osspi_subject *subject)
{
    const int count = OCSP_resp_count(basic);

    for (int i = 0; i < count && i < SINGLES_MAX; i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
        if (is_about(OCSP_SINGLERESP_get0_id(single), subject))
            return single;
    }
    return NULL;
}

static int64_t unix_time(const ASN1_TIME *time_of)
{
    struct tm parts;

    if (time_of == NULL || ASN1_TIME_to_tm(time_of, &parts) != 1)
        return 0;
    return (int64_t)timegm(&parts);
}

static bool read_single(OCSP_SINGLERESP *single, struct osspi_answer *ret_answer)
{
    ASN1_GENERALIZEDTIME *revoked, *this_update, *next_update;
    int reason;
    const int status =
        OCSP_single_get0_status(single, &reason, &revoked, &this_update, &next_update);

    if (OCSP_check_validity(this_update, next_update, CLOCK_SKEW_S,
                            next_update == NULL ? AGE_MAX_S : -1) != 1)
        return false;
    ret_answer->until = unix_time(next_update);
    switch (status) {
    case V_OCSP_CERTSTATUS_GOOD:
        ret_answer->standing = OSSPI_STANDING_GOOD;
        return true;
    case V_OCSP_CERTSTATUS_REVOKED:
        ret_answer->standing = OSSPI_STANDING_REVOKED;
        return true;
    case V_OCSP_CERTSTATUS_UNKNOWN:
        ret_answer->standing = OSSPI_STANDING_UNKNOWN;
        return true;
    default:
        return false;
    }
}

/* nonce: of the request, or NULL. An answer without one is as good: responders sign in advance. */
static bool read_answer(struct osspi_der_view der, const struct osspi_subject *subject,
                        OCSP_REQUEST *request, struct osspi_answer *ret_answer)
{
    struct reading reading osspi_auto(reading_clear) = {0};
    const unsigned char *at = der.bytes;

    if (der.len == 0 || der.len > ANSWER_MAX_LEN)
        return false;
    reading.response = d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
    if (reading.response == NULL || at != der.bytes + der.len ||
        OCSP_response_status(reading.response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return false;
    reading.basic = OCSP_response_get1_basic(reading.response);
    if (reading.basic == NULL || (request != NULL && OCSP_check_nonce(request, reading.basic) == 0))
        return false;
    /* NOEXPLICIT: a root that is trusted for all of OCSP speaks for no other issuer. */
    if (OCSP_basic_verify(reading.basic, subject->chain, subject->trust, OCSP_NOEXPLICIT) != 1)
        return false;
    OCSP_SINGLERESP *single = find_single(reading.basic, subject);
    return single != NULL && read_single(single, ret_answer);
}

bool osspi_ocsp_read(struct osspi_der_view der, const struct osspi_subject *subject,
                     struct osspi_answer *ret_answer)
{
    return read_answer(der, subject, NULL, ret_answer);
}

/* ---- remembering ---- */

static bool key_of(const struct osspi_subject *subject, uint8_t ret_key[OSSPI_SHELF_KEY])
{
    const struct osspi_crypto *crypto = osspi_crypto_get();
    uint8_t both[2][EVP_MAX_MD_SIZE];
    uint8_t joined[64];
    unsigned len;

    if (crypto == NULL || X509_digest(subject->certificate, crypto->sha256, both[0], &len) != 1 ||
        X509_digest(subject->issuer, crypto->sha256, both[1], &len) != 1)
        return false;
    memcpy(joined, both[0], 32);
    memcpy(joined + 32, both[1], 32);
    return osspi_crypto_sha256((struct osspi_der_view){joined, sizeof(joined)}, ret_key) ==
           SEC_E_OK;
}

void osspi_ocsp_remember(const struct osspi_subject *subject, const struct osspi_answer *answer)
{
    const int64_t latest = (int64_t)time(NULL) + AGE_MAX_S;
    uint8_t key[OSSPI_SHELF_KEY];

    if (answer->until != 0 && key_of(subject, key))
        osspi_shelf_put(&answers, key, answer->standing,
                        answer->until < latest ? answer->until : latest);
}

bool osspi_ocsp_known(const struct osspi_subject *subject, struct osspi_answer *ret_answer)
{
    uint8_t key[OSSPI_SHELF_KEY];
    int64_t standing;

    if (!key_of(subject, key) || !osspi_shelf_get(&answers, key, &standing, &ret_answer->until))
        return false;
    ret_answer->standing = (enum osspi_standing)standing;
    return true;
}

void osspi_ocsp_forget(void)
{
    osspi_shelf_empty(&answers);
}

/* ---- asking ---- */

static void request_free(OCSP_REQUEST **request)
{
    OCSP_REQUEST_free(*request);
}

/* SHA-1 names the issuer here, and protects nothing; responders know no other names. */
static OCSP_REQUEST *request_new(const struct osspi_subject *subject)
{
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, subject->certificate, subject->issuer);

    if (request != NULL && id != NULL && OCSP_request_add0_id(request, id) != NULL) {
        if (OCSP_request_add1_nonce(request, NULL, NONCE_LEN) == 1)
            return request;
    } else {
        OCSP_CERTID_free(id);
    }
    OCSP_REQUEST_free(request);
    return NULL;
}

SECURITY_STATUS osspi_ocsp_ask(const struct osspi_subject *subject, const char *url,
                               uint64_t deadline_ns, struct osspi_answer *ret_answer,
                               uint8_t **ret_der, size_t *ret_len)
{
    OCSP_REQUEST *request osspi_auto(request_free) = request_new(subject);
    uint8_t *der osspi_auto(osspi_freep) = NULL;
    size_t len = 0;

    if (request == NULL)
        return SEC_E_INSUFFICIENT_MEMORY;
    const struct osspi_fetch fetch = {url, "application/ocsp-response", request, ANSWER_MAX_LEN,
                                      deadline_ns};
    const SECURITY_STATUS status = osspi_fetch_der(&fetch, &der, &len);
    if (status != SEC_E_OK)
        return status;
    if (!read_answer((struct osspi_der_view){der, len}, subject, request, ret_answer))
        return CRYPT_E_REVOCATION_OFFLINE;
    osspi_ocsp_remember(subject, ret_answer);
    if (ret_der != NULL) {
        *ret_der = OSSPI_TAKE(der);
        *ret_len = len;
    }
    return SEC_E_OK;
}
