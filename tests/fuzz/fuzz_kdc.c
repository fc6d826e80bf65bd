/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The KDC of the fuzz targets; see fuzz_kdc.h. Messages are encoded by libkrb5: what its headers do
 * not declare of that is what MIT's own KDC uses, and part of the library's interface since 1.6.
 */
#include "fuzz/fuzz_kdc.h"

#include <krb5.h>
#include <stdlib.h>
#include <string.h>

#include "support/test_util.h"

krb5_error_code krb5_encrypt_tkt_part(krb5_context k5, const krb5_keyblock *key,
                                      krb5_ticket *ticket);
krb5_error_code krb5_encode_kdc_rep(krb5_context k5, krb5_msgtype type,
                                    const krb5_enc_kdc_rep_part *part, int using_subkey,
                                    const krb5_keyblock *key, krb5_kdc_rep *reply,
                                    krb5_data **ret_bytes);
krb5_error_code decode_krb5_as_req(const krb5_data *bytes, krb5_kdc_req **ret_request);
krb5_error_code decode_krb5_tgs_req(const krb5_data *bytes, krb5_kdc_req **ret_request);
void krb5_free_kdc_req(krb5_context k5, krb5_kdc_req *request);
krb5_error_code decode_krb5_ap_req(const krb5_data *bytes, krb5_ap_req **ret_proof);
void krb5_free_ap_req(krb5_context k5, krb5_ap_req *proof);
/* As krb5_rd_req(), for a proof that is part of a request to a KDC. */
krb5_error_code krb5_rd_req_decoded_anyflag(krb5_context k5, krb5_auth_context *auth,
                                            const krb5_ap_req *proof, krb5_const_principal server,
                                            krb5_keytab keytab, krb5_flags *ret_flags,
                                            krb5_ticket **ret_ticket);

#define AS_REQ 0x6A
#define KVNO   1
#define LIFE   36000
#define SALT   FUZZ_REALM "alice"

/* Guarded by there being one thread, as all below. */
static krb5_context k5;
static krb5_keytab keys;
static krb5_keyblock own_key, session_key, other_key, password_key;
static krb5_principal alice, bob, other_service, other_realm;

/* PA-ETYPE-INFO2 (RFC 4120 5.2.7.5): AES-256, the salt, and the fewest iterations that are taken.
 */
static unsigned char etype_info[] = {
    0x30, 0x25, 0x30, 0x23, 0xA0, 0x03, 0x02, 0x01, 0x12, 0xA1, 0x14, 0x1B, 0x12,
    'O',  'P',  'E',  'N',  'S',  'S',  'P',  'I',  '.',  'T',  'E',  'S',  'T',
    'a',  'l',  'i',  'c',  'e',  0xA2, 0x06, 0x04, 0x04, 0x00, 0x00, 0x10, 0x00,
};

static void make_key(krb5_enctype kind, unsigned char fill, krb5_keyblock *ret_key)
{
    ret_key->magic = KV5M_KEYBLOCK;
    ret_key->enctype = kind;
    ret_key->length = kind == ENCTYPE_AES128_CTS_HMAC_SHA1_96 ? 16 : 32;
    ret_key->contents = malloc(ret_key->length);
    TEST_REQUIRE(ret_key->contents != NULL);
    memset(ret_key->contents, fill, ret_key->length);
}

static void add_key(const char *name)
{
    krb5_keytab_entry entry = {.vno = KVNO, .key = own_key};

    TEST_REQUIRE(krb5_parse_name(k5, name, &entry.principal) == 0);
    TEST_REQUIRE(krb5_kt_add_entry(k5, keys, &entry) == 0);
    krb5_free_principal(k5, entry.principal);
}

static void make_password_key(void)
{
    const krb5_data password = {.length = sizeof(FUZZ_PASSWORD) - 1, .data = (char *)FUZZ_PASSWORD};
    const krb5_data salt = {.length = sizeof(SALT) - 1, .data = (char *)SALT};
    const krb5_data rounds = {.length = 4, .data = (char *)"\0\0\20"};

    TEST_REQUIRE(krb5_c_string_to_key_with_params(k5, ENCTYPE_AES256_CTS_HMAC_SHA1_96, &password,
                                                  &salt, &rounds, &password_key) == 0);
}

void fuzz_kdc_make(const char *keytab)
{
    TEST_REQUIRE(krb5_init_context(&k5) == 0);
    TEST_REQUIRE(krb5_kt_resolve(k5, keytab, &keys) == 0);
    make_key(ENCTYPE_AES256_CTS_HMAC_SHA1_96, 1, &own_key);
    make_key(ENCTYPE_AES256_CTS_HMAC_SHA1_96, 2, &session_key);
    make_key(ENCTYPE_AES128_CTS_HMAC_SHA1_96, 3, &other_key);
    make_password_key();
    add_key("krbtgt/" FUZZ_REALM "@" FUZZ_REALM);
    add_key("HTTP/server.test@" FUZZ_REALM);
    TEST_REQUIRE(krb5_parse_name(k5, "alice@" FUZZ_REALM, &alice) == 0);
    TEST_REQUIRE(krb5_parse_name(k5, "bob@ELSEWHERE.TEST", &bob) == 0);
    TEST_REQUIRE(krb5_parse_name(k5, "host/other.test@" FUZZ_REALM, &other_service) == 0);
    TEST_REQUIRE(krb5_parse_name(k5, "krbtgt/ELSEWHERE.TEST@" FUZZ_REALM, &other_realm) == 0);
}

/* ---- answers ---- */

static uint8_t *own_copy(const krb5_data *data, size_t *ret_len)
{
    uint8_t *bytes = malloc(data->length + 1);

    TEST_REQUIRE(bytes != NULL);
    memcpy(bytes, data->data, data->length);
    *ret_len = data->length;
    return bytes;
}

static krb5_principal server_of(const krb5_kdc_req *request, unsigned faults)
{
    if (faults & FUZZ_KDC_REALM)
        return other_realm;
    return faults & FUZZ_KDC_SERVER ? other_service : request->server;
}

static krb5_ticket_times times_of(unsigned faults)
{
    krb5_timestamp now = 0;

    TEST_REQUIRE(krb5_timeofday(k5, &now) == 0);
    if (faults & FUZZ_KDC_TIMES)
        return (krb5_ticket_times){.authtime = now, .starttime = -1, .endtime = now - LIFE};
    return (krb5_ticket_times){now, now, now + LIFE, 0};
}

static uint8_t *seal(krb5_msgtype type, const krb5_kdc_req *request, const krb5_keyblock *key,
                     int using_subkey, unsigned faults, size_t *ret_len)
{
    krb5_last_req_entry none = {KV5M_LAST_REQ_ENTRY, KRB5_LRQ_NONE, 0};
    krb5_last_req_entry *last[] = {&none, NULL};
    krb5_pa_data info = {KV5M_PA_DATA, KRB5_PADATA_ETYPE_INFO2, sizeof(etype_info), etype_info};
    krb5_pa_data *padata[] = {&info, NULL};
    krb5_keyblock *session = faults & FUZZ_KDC_KEY ? &other_key : &session_key;
    const krb5_ticket_times times = times_of(faults);
    krb5_enc_tkt_part inner = {.flags = TKT_FLG_INITIAL | TKT_FLG_FORWARDABLE,
                               .session = session,
                               .client = faults & FUZZ_KDC_CLIENT ? bob : alice,
                               .transited = {.tr_type = 1},
                               .times = times};
    krb5_ticket ticket = {.server = server_of(request, faults), .enc_part2 = &inner};
    krb5_enc_kdc_rep_part part = {
        .msg_type = type,
        .session = session,
        .last_req = last,
        .nonce = request->nonce + (faults & FUZZ_KDC_NONCE ? 1 : 0),
        .flags = faults & FUZZ_KDC_FLAGS ? (krb5_flags)0xFFFFFFFF : inner.flags,
        .times = times,
        .server = faults & FUZZ_KDC_INNER ? other_service : ticket.server};
    krb5_kdc_rep reply = {.msg_type = type,
                          .padata = type == KRB5_AS_REP ? padata : NULL,
                          .client = inner.client,
                          .ticket = &ticket};
    krb5_data *bytes = NULL;
    uint8_t *answer;

    reply.enc_part.enctype = key->enctype;
    TEST_REQUIRE(krb5_encrypt_tkt_part(k5, &own_key, &ticket) == 0);
    ticket.enc_part.kvno = KVNO;
    TEST_REQUIRE(krb5_encode_kdc_rep(k5, type, &part, using_subkey, key, &reply, &bytes) == 0);
    answer = own_copy(bytes, ret_len);
    krb5_free_data(k5, bytes);
    free(ticket.enc_part.ciphertext.data);
    free(reply.enc_part.ciphertext.data);
    return answer;
}

static krb5_ap_req *proof_of(const krb5_kdc_req *request)
{
    krb5_ap_req *proof = NULL;

    for (krb5_pa_data **at = request->padata; at && *at && !proof; at++) {
        const krb5_data bytes = {.length = (*at)->length, .data = (char *)(*at)->contents};

        if ((*at)->pa_type == KRB5_PADATA_AP_REQ)
            TEST_REQUIRE(decode_krb5_ap_req(&bytes, &proof) == 0);
    }
    return proof;
}

/* Under the key that the requester has put into the authenticator. NULL: he proves nothing. */
static uint8_t *answer_service(const krb5_kdc_req *request, unsigned faults, size_t *ret_len)
{
    krb5_ap_req *proof = proof_of(request);
    krb5_auth_context auth = NULL;
    krb5_keyblock *subkey = NULL;
    uint8_t *answer = NULL;

    TEST_REQUIRE(krb5_auth_con_init(k5, &auth) == 0);
    if (proof && krb5_rd_req_decoded_anyflag(k5, &auth, proof, NULL, keys, NULL, NULL) == 0 &&
        krb5_auth_con_getrecvsubkey(k5, auth, &subkey) == 0)
        answer = seal(KRB5_TGS_REP, request, subkey ? subkey : &session_key, subkey != NULL, faults,
                      ret_len);
    krb5_free_keyblock(k5, subkey);
    krb5_auth_con_free(k5, auth);
    krb5_free_ap_req(k5, proof);
    return answer;
}

uint8_t *fuzz_kdc_answer(const uint8_t *request, size_t len, unsigned faults, size_t *ret_len)
{
    const krb5_data bytes = {.length = (unsigned)len, .data = (char *)(uintptr_t)request};
    krb5_kdc_req *decoded = NULL;
    uint8_t *answer = NULL;

    if (len > 0 && request[0] == AS_REQ) {
        if (decode_krb5_as_req(&bytes, &decoded) == 0)
            answer = seal(KRB5_AS_REP, decoded, &password_key, 0, faults, ret_len);
    } else if (decode_krb5_tgs_req(&bytes, &decoded) == 0) {
        answer = answer_service(decoded, faults, ret_len);
    }
    krb5_free_kdc_req(k5, decoded);
    return answer;
}

uint8_t *fuzz_kdc_error(int code, const uint8_t *data, size_t data_len, size_t *ret_len)
{
    krb5_error error = {.error = (krb5_ui_4)code,
                        .server = other_service,
                        .e_data = {.length = (unsigned)data_len, .data = (char *)(uintptr_t)data}};
    krb5_data bytes = {0};
    uint8_t *answer;

    TEST_REQUIRE(krb5_us_timeofday(k5, &error.stime, &error.susec) == 0);
    TEST_REQUIRE(krb5_mk_error(k5, &error, &bytes) == 0);
    answer = own_copy(&bytes, ret_len);
    krb5_free_data_contents(k5, &bytes);
    return answer;
}
