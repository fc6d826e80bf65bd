/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Tokens of clients; see token.h. Who may be identified only has none of his tickets used.
 */
#include "packages/gssapi/token.h"

#include "packages/gssapi/login.h"

static const char maker = 0; /* its address says whose tokens these are */

static void free_token(struct osspi_token *base)
{
    struct osspi_gss_token *token = OSSPI_CONTAINER_OF(base, struct osspi_gss_token, base);
    char *no_server = NULL;

    osspi_login_end(&token->store, &no_server);
    osspi_free(token);
}

/* In a cache that knows whose tickets they are, as those in files do. */
static krb5_error_code copy_tickets(krb5_context k5, gss_cred_id_t from, const char *client,
                                    krb5_ccache cache)
{
    krb5_principal principal = NULL;
    OM_uint32 minor = 0;
    krb5_error_code code = krb5_parse_name(k5, client, &principal);

    if (code == 0)
        code = krb5_cc_initialize(k5, cache, principal);
    krb5_free_principal(k5, principal);
    if (code == 0 && gss_krb5_copy_ccache(&minor, from, cache) != GSS_S_COMPLETE)
        code = minor != 0 ? (krb5_error_code)minor : KRB5_CC_NOTFOUND;
    return code;
}

static krb5_error_code make_store(gss_cred_id_t from, const char *client, char **ret_name)
{
    krb5_context k5 = NULL;
    krb5_ccache cache = NULL;
    char *name = NULL;
    krb5_error_code code = krb5_init_context(&k5);

    if (code != 0)
        return code;
    code = krb5_cc_new_unique(k5, "MEMORY", NULL, &cache);
    if (code == 0)
        code = copy_tickets(k5, from, client, cache);
    if (code == 0)
        code = krb5_cc_get_full_name(k5, cache, &name);
    if (code == 0)
        *ret_name = osspi_strdup(name);
    krb5_free_string(k5, name);
    if (cache && *ret_name)
        (void)krb5_cc_close(k5, cache); /* what is in memory stays until it is destroyed */
    else if (cache)
        (void)krb5_cc_destroy(k5, cache);
    krb5_free_context(k5);
    return code == 0 && !*ret_name ? KRB5_CC_NOMEM : code;
}

/* The context's lock is held. */
static SECURITY_STATUS make_locked(struct osspi_gss_context *gc)
{
    struct osspi_gss_token *token;
    krb5_error_code code = 0;

    token = osspi_alloc(sizeof(*token));
    if (!token)
        return SEC_E_INSUFFICIENT_MEMORY;
    atomic_init(&token->base.references, 1);
    token->base.maker = &maker;
    token->base.free = free_token;
    if (gc->delegated != GSS_C_NO_CREDENTIAL && gc->client_name &&
        !(gc->flags & GSS_C_IDENTIFY_FLAG)) {
        OSSPI_GSS_CALL;
        code = make_store(gc->delegated, gc->client_name, &token->store);
    }
    if (code != 0) { /* a copy in memory fails for want of it alone */
        free_token(&token->base);
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    gc->token_of_client = &token->base;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_gss_client_token(struct osspi_context *context,
                                       struct osspi_token **ret_token)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    SECURITY_STATUS status = SEC_E_OK;

    if (!osspi_gss_established(gc))
        return SEC_E_INVALID_HANDLE;
    if (gc->client)
        return SEC_E_NO_IMPERSONATION;
    OSSPI_LOCKED(&gc->lock);
    if (!gc->token_of_client)
        status = make_locked(gc);
    if (status == SEC_E_OK) {
        osspi_token_ref(gc->token_of_client);
        *ret_token = gc->token_of_client;
    }
    return status;
}

const char *osspi_gss_token_store(const struct osspi_token *token)
{
    const struct osspi_gss_token *own;

    if (!token || token->maker != &maker)
        return NULL;
    own = (const struct osspi_gss_token *)(const void *)token; /* its first member */
    return own->store;
}
