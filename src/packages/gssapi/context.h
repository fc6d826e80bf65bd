/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A security context of Kerberos, NTLM or Negotiate.
 *
 * Legs run one at a time. What a leg finds out for queries is constant once `established` is set.
 * Calls into GSSAPI with the context take `lock`, because MIT's contexts are not made for two
 * threads at once: so of one context a seal and an open wait for one another here.
 */
#ifndef OSSPI_GSSAPI_CONTEXT_H
#define OSSPI_GSSAPI_CONTEXT_H

#include <stdatomic.h>

#include "base/lock.h"
#include "packages/gssapi/credential.h"

#define OSSPI_GSS_MAX_TOKEN 65535u

struct osspi_gss_context {
    /* Legs only. */
    gss_cred_id_t credential; /* of this context alone */
    gss_name_t target;        /* client */
    char *cache, *server;     /* client of Kerberos; see login.h */
    unsigned choice;          /* client: OSSPI_GSS_KERBEROS or _NTLM */
    bool bare;                /* client: see osspi_gss_go_bare() */
    gss_name_t ntlm_target;   /* client that offers both: the name if NTLM is chosen; offer.h */
    char *ntlm_user;          /* and who it will be then */
    uint32_t ntlm_agreed;     /* server: flags of its challenge; see ntlm_guard.h */
    bool ntlm_identifies;     /* server: the client wants to be known, not acted for */
    bool binds;               /* server: it has given channel bindings with some leg */
    bool begun;               /* GSSAPI has seen a leg */
    /* client of Negotiate: why it is not Kerberos, else SEC_E_OK; read by queries too */
    _Atomic SECURITY_STATUS kerberos_failed;
    bool failed;          /* and will see no more */
    SECURITY_STATUS held; /* of a leg whose token did not fit, with the token */
    gss_buffer_desc token;

    struct osspi_lock lock; /* guards the next three once it is established */
    gss_ctx_id_t gss;
    gss_cred_id_t delegated;             /* server: what the client has handed over */
    struct osspi_token *token_of_client; /* server: made when it is asked for; see token.h */

    struct osspi_lock lane_lock; /* guards lane_class */
    char lane_class[OSSPI_CLASS_NAME_SIZE];

    _Atomic bool established;
    /* Constant from then on. */
    unsigned mechanism; /* which of the two it has become */
    bool client;
    bool dce;
    OM_uint32 flags;                   /* GSS_C_..., as they are true */
    uint64_t granted;                  /* ISC_RET_ or ASC_RET_ of the last leg */
    int64_t since, until;              /* seconds since 1970; INT64_MAX: no end */
    ULONG signature, trailer, padding; /* sizes of messages */
    char *client_name, *server_name;   /* or NULL */
    uint32_t missing;                  /* SECPKG_ATTR_NEGO_INFO_FLAG_: what could not be chosen */
    uint8_t *pac;                      /* server of Kerberos, or NULL; see pac.h */
    size_t pac_len;
};

static inline struct osspi_gss_context *osspi_gss(struct osspi_context *context)
{
    return context->data;
}

static inline bool osspi_gss_established(struct osspi_gss_context *gc)
{
    return atomic_load_explicit(&gc->established, memory_order_acquire);
}

/* The slots of the packages; facts come from the credential. */
SECURITY_STATUS osspi_gss_initialize(struct osspi_context *context, struct osspi_leg *leg);
SECURITY_STATUS osspi_gss_accept(struct osspi_context *context, struct osspi_leg *leg);
void osspi_gss_clear_context(struct osspi_context *context);
void osspi_gss_lane(enum osspi_operation operation, struct osspi_credential *credential,
                    struct osspi_context *context, struct osspi_lane_choice *ret_choice);
SECURITY_STATUS osspi_gss_encrypt(struct osspi_context *context, uint32_t qop,
                                  const struct osspi_buffers *message, uint32_t sequence);
SECURITY_STATUS osspi_gss_decrypt(struct osspi_context *context,
                                  const struct osspi_buffers *message, uint32_t sequence,
                                  uint32_t *ret_qop);
SECURITY_STATUS osspi_gss_sign(struct osspi_context *context, uint32_t qop,
                               const struct osspi_buffers *message, uint32_t sequence);
SECURITY_STATUS osspi_gss_verify(struct osspi_context *context, const struct osspi_buffers *message,
                                 uint32_t sequence, uint32_t *ret_qop);
SECURITY_STATUS osspi_gss_query(struct osspi_context *context, uint32_t attribute, void *buffer,
                                size_t size);

/** Names the class under which the next run of this leg waits. */
void osspi_gss_lane_note(struct osspi_gss_context *gc, const char *class_name);

#endif
