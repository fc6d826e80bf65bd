/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Offering two mechanisms; see offer.h. Both sides of the context are held.
 *
 * GSSAPI makes a credential of SPNEGO's from one name and one store. The name is the client's
 * principal, which NTLM reads as user and domain; the store then gives NTLM the domain that the
 * caller wrote. Without a name Kerberos takes the cache's principal, and NTLM the first user of the
 * file.
 */
#include "packages/gssapi/offer.h"

#include <stdlib.h>
#include <string.h>

#include "packages/gssapi/der.h"
#include "packages/gssapi/leg.h"
#include "packages/gssapi/name.h"

/* What the credential is made from. */
struct wish {
    gss_name_t name;
    gss_key_value_element_desc elements[4];
    gss_key_value_set_desc store;
};

static void wish_clear(struct wish *wish)
{
    OM_uint32 unused;

    (void)gss_release_name(&unused, &wish->name);
}

static void add(struct wish *wish, const char *key, const char *value)
{
    wish->elements[wish->store.count++] = (gss_key_value_element_desc){key, value};
}

/* The client as the KDC calls him, which may be otherwise than he called himself. */
static char *principal_of(const char *cache_name)
{
    krb5_principal client = NULL;
    krb5_ccache cache = NULL;
    krb5_context k5 = NULL;
    char *name = NULL, *copy = NULL;

    if (krb5_init_context(&k5) != 0)
        return NULL;
    if (krb5_cc_resolve(k5, cache_name, &cache) == 0 &&
        krb5_cc_get_principal(k5, cache, &client) == 0 && krb5_unparse_name(k5, client, &name) == 0)
        copy = osspi_strdup(name);
    krb5_free_unparsed_name(k5, name);
    krb5_free_principal(k5, client);
    if (cache)
        (void)krb5_cc_close(k5, cache);
    krb5_free_context(k5);
    return copy;
}

/* Would both read the principal as this user? */
static bool is_one_user(const struct osspi_gss_identity *identity, const char *client)
{
    if (!identity->password || !client || strchr(client, '\\'))
        return false; /* Kerberos quotes with it, for NTLM it ends the domain */
    return !strchr(identity->user, '@') || !identity->domain || identity->domain[0] == '\0';
}

static bool make_wish(struct osspi_gss_context *gc, const struct osspi_gss_credential *data,
                      struct wish *wish)
{
    const char *users = getenv("NTLM_USER_FILE");
    char *client osspi_auto(osspi_freep) = NULL;

    wish->store.elements = wish->elements;
    add(wish, "ccache", gc->cache);
    add(wish, "client_keytab", "MEMORY:osspi-none"); /* GSSAPI does not log in by itself */
    if (!osspi_gss_is_named(data)) {
        if (users)
            add(wish, "ntlmssp_keyfile", users);
        return users != NULL;
    }
    client = principal_of(gc->cache);
    if (!is_one_user(data->identity, client))
        return false;
    add(wish, "ntlmssp_password", data->identity->password);
    if (data->identity->domain && data->identity->domain[0])
        add(wish, "ntlmssp_domain", data->identity->domain);
    return osspi_gss_name(client, GSS_C_NT_USER_NAME, &wish->name) == SEC_E_OK;
}

static OM_uint32 acquire(const struct wish *wish, gss_OID_set mechanisms, gss_cred_id_t *ret_cred,
                         gss_OID_set *ret_actual)
{
    OM_uint32 minor;

    return gss_acquire_cred_from(&minor, wish->name, GSS_C_INDEFINITE, mechanisms, GSS_C_INITIATE,
                                 &wish->store, ret_cred, ret_actual, NULL);
}

/* SPNEGO leaves out what it cannot have, and says nothing. Without Kerberos that would be a
 * downgrade of our own making, so both are asked first; and who NTLM's user is. */
static bool both_are_there(const struct wish *wish, char **ret_user)
{
    gss_OID_desc oids[2] = {osspi_gss_oid_krb5, osspi_gss_oid_ntlm};
    gss_OID_set_desc wanted = {2, oids};
    gss_OID_set actual = GSS_C_NO_OID_SET;
    gss_cred_id_t credential = GSS_C_NO_CREDENTIAL;
    gss_name_t user = GSS_C_NO_NAME;
    OM_uint32 minor;
    bool good = acquire(wish, &wanted, &credential, &actual) == GSS_S_COMPLETE &&
                actual->count == 2 &&
                gss_inquire_cred_by_mech(&minor, credential, &osspi_gss_oid_ntlm, &user, NULL, NULL,
                                         NULL) == GSS_S_COMPLETE &&
                osspi_gss_name_text(user, ret_user) == SEC_E_OK;

    (void)gss_release_name(&minor, &user);
    (void)gss_release_oid_set(&minor, &actual);
    (void)gss_release_cred(&minor, &credential);
    return good;
}

/* In the order in which they are offered. */
static bool set_order(gss_cred_id_t credential)
{
    gss_OID_desc oids[2] = {osspi_gss_oid_krb5, osspi_gss_oid_ntlm};
    gss_OID_set_desc order = {2, oids};
    OM_uint32 minor;

    return gss_set_neg_mechs(&minor, credential, &order) == GSS_S_COMPLETE;
}

bool osspi_offer_both(struct osspi_gss_context *gc, const struct osspi_gss_credential *data,
                      const char *target)
{
    struct wish wish osspi_auto(wish_clear) = {.name = GSS_C_NO_NAME};
    gss_OID_set_desc spnego = {1, &osspi_gss_oid_spnego};
    OM_uint32 unused;

    if (!make_wish(gc, data, &wish) || !both_are_there(&wish, &gc->ntlm_user))
        return false;
    if (acquire(&wish, &spnego, &gc->credential, NULL) == GSS_S_COMPLETE &&
        set_order(gc->credential) &&
        osspi_gss_name_ntlm_target(target, &gc->ntlm_target) == SEC_E_OK)
        return true;
    (void)gss_release_cred(&unused, &gc->credential);
    osspi_free(OSSPI_TAKE(gc->ntlm_user));
    return false;
}

/* ---- what the server chooses ---- */

/* NegTokenResp (RFC 4178 4.2.2): [1] SEQUENCE { [0] negState, [1] supportedMech, ... }. */
unsigned osspi_offer_chosen(const void *token, size_t len)
{
    struct osspi_der der = {token, len}, inside;
    uint8_t tag;

    if (len == 0 || !osspi_der_enter(&der, 0xA1) || !osspi_der_enter(&der, 0x30))
        return 0;
    while (osspi_der_take(&der, &tag, &inside)) {
        if (tag != 0xA1)
            continue;
        if (!osspi_der_enter(&inside, 0x06) || inside.len > UINT8_MAX)
            return 0;
        const gss_OID_desc oid = {(OM_uint32)inside.len, (void *)inside.bytes};

        return osspi_gss_mechanism_of(&oid);
    }
    return 0;
}

void osspi_offer_follow(struct osspi_gss_context *gc, const gss_buffer_desc *token)
{
    OM_uint32 unused;

    if (gc->ntlm_target == GSS_C_NO_NAME ||
        osspi_offer_chosen(token->value, token->length) != OSSPI_GSS_NTLM)
        return;
    (void)gss_release_name(&unused, &gc->target);
    gc->target = gc->ntlm_target;
    gc->ntlm_target = GSS_C_NO_NAME; /* there is no way back: SPNEGO takes one choice */
    gc->choice = OSSPI_GSS_NTLM;
    gc->bare = false; /* SPNEGO is at work */
}
