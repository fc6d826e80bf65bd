/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The MIC of SPNEGO's answers; see spnego_mic.h.
 *
 * Which kind the library is its version does not tell, since distributions mend it. So it plays a
 * server of SPNEGO's that has a key of its own making: to an answer which is nothing but a MIC it
 * says "go on" if it sees the MIC, and "defective" if it sees nothing.
 */
#include "packages/gssapi/spnego_mic.h"

#include <stdatomic.h>
#include <string.h>

#include "packages/gssapi/credential.h"
#include "packages/gssapi/der.h"

enum { INITIAL = 0x60, RESPONSE = 0xA1, SEQUENCE = 0x30, OCTETS = 0x04, OBJECT = 0x06 };
enum { FIRST_FIELD = 0xA0, MIC = 0xA3, NOT_MIC = 0xA4 };

/* ---- what comes ---- */

/* A token with a head (RFC 2743 3.1). Of SPNEGO's only the first one has it; the library would also
 * look for an answer behind it. */
static bool is_good_initial(struct osspi_der der)
{
    struct osspi_der oid;
    uint8_t tag;

    if (!osspi_der_enter(&der, INITIAL) || !osspi_der_take(&der, &tag, &oid))
        return false;
    if (tag != OBJECT || oid.len != osspi_gss_oid_spnego.length ||
        memcmp(oid.bytes, osspi_gss_oid_spnego.elements, oid.len) != 0)
        return true;
    return der.len > 0 && der.bytes[0] == FIRST_FIELD;
}

static bool is_octets(struct osspi_der field)
{
    struct osspi_der octets;
    uint8_t tag;

    return osspi_der_take(&field, &tag, &octets) && tag == OCTETS && field.len == 0;
}

/* Fields in their order, each once. There may be more of them some day (RFC 4178 has an extension
 * marker), but the next one must not be taken for the MIC. */
static bool is_good_response(struct osspi_der der, const uint8_t *start, size_t *ret_mic)
{
    struct osspi_der field;
    uint8_t tag, last = 0;

    if (!osspi_der_enter(&der, RESPONSE) || !osspi_der_enter(&der, SEQUENCE))
        return false;
    while (der.len > 0) {
        const size_t at = (size_t)(der.bytes - start);

        if (!osspi_der_take(&der, &tag, &field) || tag < FIRST_FIELD || tag <= last ||
            tag == NOT_MIC)
            return false;
        if (tag == MIC) {
            if (!is_octets(field))
                return false;
            *ret_mic = at;
        }
        last = tag;
    }
    return true;
}

bool osspi_spnego_mic_find(const void *token, size_t len, size_t *ret_mic)
{
    const struct osspi_der der = {token, len};

    *ret_mic = 0;
    if (len == 0)
        return true;
    if (der.bytes[0] == INITIAL)
        return is_good_initial(der);
    return der.bytes[0] != RESPONSE || is_good_response(der, token, ret_mic);
}

/* ---- which kind the library is ---- */

#define KEYTAB "MEMORY:osspi-spnego"

enum kind { NOT_KNOWN, READS_FIELD_3, READS_FIELD_4 };

static bool add_key(krb5_context k5, krb5_keytab keytab)
{
    krb5_keytab_entry entry = {.vno = 1};
    bool added = krb5_parse_name(k5, "osspi/spnego@OSSPI", &entry.principal) == 0 &&
                 krb5_c_make_random_key(k5, ENCTYPE_AES256_CTS_HMAC_SHA1_96, &entry.key) == 0 &&
                 krb5_kt_add_entry(k5, keytab, &entry) == 0;

    krb5_free_keyblock_contents(k5, &entry.key);
    krb5_free_principal(k5, entry.principal);
    return added;
}

static OM_uint32 accept(gss_cred_id_t credential, gss_ctx_id_t *context, const char *bytes,
                        size_t len)
{
    gss_buffer_desc token = {len, (void *)bytes}, answer = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor, unused;
    const OM_uint32 major =
        gss_accept_sec_context(&minor, context, credential, &token, GSS_C_NO_CHANNEL_BINDINGS, NULL,
                               NULL, &answer, NULL, NULL, NULL);

    (void)gss_release_buffer(&unused, &answer);
    return major;
}

static enum kind watch(gss_cred_id_t credential)
{
    /* [APPLICATION 0] { SPNEGO, [0] { [0] { Kerberos } } }: what is offered, and no more. */
    static const char first[] = "\x60\x1b\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x11\x30\x0f\xa0\x0d"
                                "\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
    /* [1] { [0] accept-incomplete, [3] a MIC }. */
    static const char second[] = "\xa1\x0c\x30\x0a\xa0\x03\x0a\x01\x01\xa3\x03\x04\x01\x00";
    gss_ctx_id_t context = GSS_C_NO_CONTEXT;
    enum kind kind = NOT_KNOWN;
    OM_uint32 major, unused;

    major = accept(credential, &context, first, sizeof(first) - 1);
    if (major == GSS_S_CONTINUE_NEEDED) {
        major = accept(credential, &context, second, sizeof(second) - 1);
        if (major == GSS_S_CONTINUE_NEEDED)
            kind = READS_FIELD_3;
        else if (GSS_ROUTINE_ERROR(major) == GSS_S_DEFECTIVE_TOKEN)
            kind = READS_FIELD_4;
    }
    if (context != GSS_C_NO_CONTEXT)
        (void)gss_delete_sec_context(&unused, &context, GSS_C_NO_BUFFER);
    return kind;
}

static enum kind watch_server(void)
{
    gss_OID_set_desc spnego = {1, &osspi_gss_oid_spnego}, kerberos = {1, &osspi_gss_oid_krb5};
    gss_key_value_element_desc element = {"keytab", KEYTAB};
    const gss_key_value_set_desc store = {1, &element};
    gss_cred_id_t credential = GSS_C_NO_CREDENTIAL;
    enum kind kind = NOT_KNOWN;
    OM_uint32 minor;

    if (gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &spnego, GSS_C_ACCEPT,
                              &store, &credential, NULL, NULL) == GSS_S_COMPLETE &&
        gss_set_neg_mechs(&minor, credential, &kerberos) == GSS_S_COMPLETE)
        kind = watch(credential);
    (void)gss_release_cred(&minor, &credential);
    return kind;
}

static enum kind ask(void)
{
    krb5_context k5 = NULL;
    krb5_keytab keytab = NULL;
    enum kind kind = NOT_KNOWN;

    if (krb5_init_context(&k5) != 0)
        return NOT_KNOWN;
    if (krb5_kt_resolve(k5, KEYTAB, &keytab) == 0 && add_key(k5, keytab))
        kind = watch_server();
    if (keytab)
        (void)krb5_kt_close(k5, keytab);
    krb5_free_context(k5);
    return kind;
}

/* Who has no answer asks again; several may at once. */
static bool reads_field_4(void)
{
    static _Atomic int known = NOT_KNOWN; /* atomic */
    int kind = atomic_load(&known);

    if (kind == NOT_KNOWN) {
        kind = (int)ask();
        atomic_store(&known, kind);
    }
    return kind == READS_FIELD_4;
}

SECURITY_STATUS osspi_spnego_mic_adapt(const void *token, size_t len, void **ret_token)
{
    size_t mic;

    *ret_token = NULL;
    if (!osspi_spnego_mic_find(token, len, &mic))
        return SEC_E_INVALID_TOKEN;
    if (mic == 0 || !reads_field_4())
        return SEC_E_OK;
    *ret_token = osspi_memdup(token, len);
    if (!*ret_token)
        return SEC_E_INSUFFICIENT_MEMORY;
    ((uint8_t *)*ret_token)[mic] = NOT_MIC;
    return SEC_E_OK;
}
