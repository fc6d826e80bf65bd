/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Messages of servers; see kdc_message.h. Tags are those of RFC 4120 5.10.
 */
#include "packages/gssapi/kdc_message.h"

#include "packages/gssapi/foreign.h"

#define TAG_AS_REP    0x6Bu
#define TAG_TGS_REP   0x6Du
#define TAG_KRB_ERROR 0x7Eu
#define FRAME         6u /* RFC 3244: length, version, length of the AP-REP */

/* Is it one whole DER value? */
static bool is_value(const uint8_t *bytes, size_t len)
{
    size_t header = 2, content;

    if (len < header)
        return false;
    content = bytes[1];
    if (content > 0x80) {
        const size_t count = content & 0x7F;

        if (count > 3 || len < header + count)
            return false;
        content = 0;
        for (size_t i = 0; i < count; i++)
            content = content << 8 | bytes[header + i];
        header += count;
    } else if (content == 0x80) {
        return false;
    }
    return content == len - header;
}

bool osspi_kdc_is_answer(enum osspi_kdc_service service, const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return false;
    if (bytes[0] == TAG_KRB_ERROR && is_value(bytes, len))
        return true;
    if (service == OSSPI_KDC_PASSWORDS)
        return len >= FRAME && ((size_t)bytes[0] << 8 | bytes[1]) == len;
    return (bytes[0] == TAG_AS_REP || bytes[0] == TAG_TGS_REP) && is_value(bytes, len);
}

bool osspi_kdc_is_unavailable(krb5_context k5, const uint8_t *bytes, size_t len)
{
    krb5_data data = {.length = (unsigned)len, .data = (char *)bytes};
    krb5_error *error = NULL;
    bool unavailable;

    if (bytes[0] != TAG_KRB_ERROR)
        return false;
    OSSPI_GSS_CALL;
    if (krb5_rd_error(k5, &data, &error) != 0)
        return false;
    unavailable = error->error == KRB5KDC_ERR_SVC_UNAVAILABLE - ERROR_TABLE_BASE_krb5;
    krb5_free_error(k5, error);
    return unavailable;
}
