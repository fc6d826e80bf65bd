/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Keys from programs; see server_key.h. The MS docs leave open what *Key points to; here it is an
 * OsspiServerKey (opensspi.h). libkrb5 wipes the copies in its keytab when that is closed.
 */
#include "packages/gssapi/server_key.h"

#include <errno.h>
#include <opensspi.h>
#include <stdio.h>
#include <string.h>

#include "base/utf.h"
#include "packages/gssapi/principal.h"

#define NAME_SIZE 64u
#define MAX_KEYS  16u /* of one server */

bool osspi_server_key_in_keytab(krb5_context k5)
{
    krb5_keytab keytab = NULL;
    bool has;

    OSSPI_GSS_CALL;
    has = krb5_kt_default(k5, &keytab) == 0 && krb5_kt_have_content(k5, keytab) == 0;
    if (keytab)
        (void)krb5_kt_close(k5, keytab);
    return has;
}

/* ---- what the program says ---- */

/* The name in the letters of the function that was called. NULL: no memory. */
static void *name_for_caller(const struct osspi_acquire *args)
{
    const size_t len = strlen(args->principal);
    uint16_t *units;

    if (!args->wide)
        return osspi_strdup(args->principal);
    units = osspi_alloc_array(len + 1, sizeof(*units));
    if (units)
        (void)osspi_utf8_to_utf16(args->principal, len, units, len + 1); /* checked when captured */
    return units;
}

static SECURITY_STATUS call(const struct osspi_acquire *args, const OsspiServerKey **ret_key)
{
    void *name osspi_auto(osspi_freep) = name_for_caller(args);
    SECURITY_STATUS status = SEC_E_OK;
    void *key = NULL;

    if (!name)
        return SEC_E_INSUFFICIENT_MEMORY;
    args->get_key(args->get_key_argument, name, 0, &key, &status);
    *ret_key = key;
    if (status != SEC_E_OK)
        return status < 0 ? status : SEC_E_NO_CREDENTIALS;
    return key ? SEC_E_OK : SEC_E_NO_CREDENTIALS;
}

static bool is_key(krb5_context k5, const OsspiServerKey *key)
{
    size_t bytes, len;

    return key->cbSize == sizeof(*key) && key->pvKey &&
           krb5_c_valid_enctype((krb5_enctype)key->encryption_type) &&
           krb5_c_keylengths(k5, (krb5_enctype)key->encryption_type, &bytes, &len) == 0 &&
           key->cbKey == len;
}

/* ---- the keytab ---- */

static krb5_error_code open_keytab(struct osspi_gss_credential *data, krb5_context k5)
{
    static _Atomic unsigned last; /* atomic */
    char name[NAME_SIZE];

    snprintf(name, sizeof(name), "MEMORY:osspi-keys-%u", atomic_fetch_add(&last, 1));
    data->keys_name = osspi_strdup(name);
    return data->keys_name ? krb5_kt_resolve(k5, name, &data->keys) : ENOMEM;
}

static krb5_error_code add_key(const struct osspi_gss_credential *data, krb5_context k5,
                               krb5_principal principal, const OsspiServerKey *key)
{
    krb5_keytab_entry entry = {
        .principal = principal,
        .vno = key->version,
        .key = {.enctype = (krb5_enctype)key->encryption_type,
                .length = key->cbKey,
                .contents = (krb5_octet *)key->pvKey},
    };

    return is_key(k5, key) ? krb5_kt_add_entry(k5, data->keys, &entry) : KRB5_BAD_KEYSIZE;
}

static krb5_error_code copy_keys(struct osspi_gss_credential *data, krb5_context k5,
                                 krb5_principal principal, const OsspiServerKey *key)
{
    krb5_error_code code = open_keytab(data, k5);

    for (unsigned i = 0; key && code == 0; key = key->next, i++)
        code = i < MAX_KEYS ? add_key(data, k5, principal, key) : KRB5_BAD_KEYSIZE;
    return code;
}

static SECURITY_STATUS keep(struct osspi_gss_credential *data, krb5_context k5,
                            const char *principal_name, const OsspiServerKey *key)
{
    krb5_principal principal = NULL;
    krb5_error_code code;

    OSSPI_GSS_CALL;
    code = osspi_principal_target(k5, principal_name, &principal);
    if (code == 0)
        code = copy_keys(data, k5, principal, key);
    krb5_free_principal(k5, principal);
    if (code == 0)
        return SEC_E_OK;
    return code == ENOMEM ? SEC_E_INSUFFICIENT_MEMORY : SEC_E_UNKNOWN_CREDENTIALS;
}

static void free_k5(krb5_context *k5)
{
    if (*k5) {
        OSSPI_GSS_CALL;
        krb5_free_context(*k5);
    }
}

static bool start(krb5_context *ret_k5)
{
    OSSPI_GSS_CALL;
    return krb5_init_context(ret_k5) == 0;
}

SECURITY_STATUS osspi_server_key_ask(struct osspi_gss_credential *data,
                                     const struct osspi_acquire *args)
{
    krb5_context k5 osspi_auto(free_k5) = NULL;
    const OsspiServerKey *key = NULL;
    SECURITY_STATUS status;

    if (!args->get_key || !args->principal)
        return SEC_E_OK;
    if (!start(&k5) || osspi_server_key_in_keytab(k5))
        return SEC_E_OK; /* what is wrong with the configuration shows later */
    status = call(args, &key);
    return status == SEC_E_OK ? keep(data, k5, args->principal, key) : status;
}

void osspi_server_key_clear(struct osspi_gss_credential *data)
{
    krb5_context k5 osspi_auto(free_k5) = NULL;

    if (data->keys && start(&k5)) {
        OSSPI_GSS_CALL;
        (void)krb5_kt_close(k5, OSSPI_TAKE(data->keys));
    }
    osspi_free(OSSPI_TAKE(data->keys_name));
}
