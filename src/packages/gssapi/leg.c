/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The common part of legs; see leg.h. Called with both sides of the context held.
 */
#include "packages/gssapi/leg.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "packages/gssapi/flags.h"
#include "packages/gssapi/login.h"
#include "packages/gssapi/status.h"

#define MIC_SIZE_NTLM 16u

/* ---- in ---- */

/* A piece of the caller's bindings. */
static bool piece(const SecBuffer *buffer, ULONG offset, ULONG len, gss_buffer_t ret_piece)
{
    if (len == 0)
        return true;
    if (offset < sizeof(SEC_CHANNEL_BINDINGS) || offset > buffer->cbBuffer ||
        len > buffer->cbBuffer - offset)
        return false;
    ret_piece->length = len;
    ret_piece->value = (char *)buffer->pvBuffer + offset;
    return true;
}

static bool read_bindings(const SecBuffer *buffer, struct gss_channel_bindings_struct *bindings)
{
    SEC_CHANNEL_BINDINGS header;

    if (buffer->cbBuffer < sizeof(header))
        return false;
    memcpy(&header, buffer->pvBuffer, sizeof(header));
    bindings->initiator_addrtype = header.dwInitiatorAddrType;
    bindings->acceptor_addrtype = header.dwAcceptorAddrType;
    return piece(buffer, header.dwInitiatorOffset, header.cbInitiatorLength,
                 &bindings->initiator_address) &&
           piece(buffer, header.dwAcceptorOffset, header.cbAcceptorLength,
                 &bindings->acceptor_address) &&
           piece(buffer, header.dwApplicationDataOffset, header.cbApplicationDataLength,
                 &bindings->application_data);
}

static SecBuffer *output_place(const struct osspi_leg *leg)
{
    SecBuffer *place = osspi_buffers_find(&leg->out, SECBUFFER_TOKEN);

    return place ? place : osspi_buffers_find(&leg->out, SECBUFFER_EMPTY);
}

SECURITY_STATUS osspi_gss_read_input(const struct osspi_leg *leg, struct osspi_gss_input *ret_input)
{
    const SecBuffer *token = osspi_buffers_find(&leg->in, SECBUFFER_TOKEN);
    const SecBuffer *bindings = osspi_buffers_find(&leg->in, SECBUFFER_CHANNEL_BINDINGS);

    *ret_input = (struct osspi_gss_input){0};
    if (!output_place(leg))
        return SEC_E_INVALID_TOKEN;
    if (token) {
        if (token->cbBuffer > OSSPI_GSS_MAX_TOKEN)
            return SEC_E_INVALID_TOKEN;
        ret_input->token.length = token->cbBuffer;
        ret_input->token.value = token->pvBuffer;
    }
    if (bindings && bindings->cbBuffer > 0) {
        ret_input->has_bindings = true;
        if (!read_bindings(bindings, &ret_input->bindings))
            return SEC_E_INVALID_TOKEN;
    }
    return SEC_E_OK;
}

/* ---- out ---- */

static void drop_token(struct osspi_gss_context *gc)
{
    OM_uint32 unused;

    if (!gc->token.value)
        return;
    OSSPI_GSS_CALL;
    osspi_secure_zero(gc->token.value, gc->token.length);
    (void)gss_release_buffer(&unused, &gc->token);
}

SECURITY_STATUS osspi_gss_give_token(struct osspi_gss_context *gc, struct osspi_leg *leg,
                                     SECURITY_STATUS status)
{
    SecBuffer *place = output_place(leg);
    const bool allocate = (leg->flags & ISC_REQ_ALLOCATE_MEMORY) != 0;
    const bool allocates = allocate || !place->pvBuffer;
    SECURITY_STATUS given;

    given = osspi_buffer_give(place, SECBUFFER_TOKEN, gc->token.value, gc->token.length, allocate,
                              SEC_E_INSUFFICIENT_MEMORY);
    if (given != SEC_E_OK) {
        gc->held = status;
        return given;
    }
    leg->attributes = gc->granted;
    _Static_assert(ISC_RET_ALLOCATED_MEMORY == ASC_RET_ALLOCATED_MEMORY, "one bit for both");
    if (allocates && gc->token.length > 0)
        leg->attributes |= ISC_RET_ALLOCATED_MEMORY;
    if (osspi_gss_established(gc) && gc->until != INT64_MAX)
        leg->expiry.QuadPart = (LONGLONG)osspi_local_filetime_from_unix(gc->until);
    drop_token(gc);
    return status;
}

SECURITY_STATUS osspi_gss_fail(struct osspi_gss_context *gc, struct osspi_leg *leg,
                               SECURITY_STATUS status)
{
    SecBuffer *place = output_place(leg);
    const uint64_t wish = gc->client ? ISC_REQ_EXTENDED_ERROR : ASC_REQ_EXTENDED_ERROR;

    /* What the peer is to be told, if the caller wants to. */
    if (gc->token.length > 0 && leg->flags & wish &&
        osspi_buffer_give(place, SECBUFFER_TOKEN, gc->token.value, gc->token.length,
                          (leg->flags & ISC_REQ_ALLOCATE_MEMORY) != 0,
                          SEC_E_INSUFFICIENT_MEMORY) == SEC_E_OK)
        leg->attributes = gc->client ? ISC_RET_EXTENDED_ERROR : ASC_RET_EXTENDED_ERROR;
    else
        place->cbBuffer = 0;
    drop_token(gc);
    gc->failed = true;
    return status;
}

/* ---- facts ---- */

unsigned osspi_gss_mechanism_of(gss_const_OID mechanism)
{
    if (gss_oid_equal(mechanism, &osspi_gss_oid_krb5))
        return OSSPI_GSS_KERBEROS;
    return gss_oid_equal(mechanism, &osspi_gss_oid_ntlm) ? OSSPI_GSS_NTLM : 0;
}

/* A name of GSSAPI's as text in new memory; NULL: there is none. */
static SECURITY_STATUS name_text(gss_name_t name, char **ret_text)
{
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    SECURITY_STATUS status = SEC_E_OK;
    OM_uint32 minor;

    *ret_text = NULL;
    if (name == GSS_C_NO_NAME || gss_display_name(&minor, name, &text, NULL) != GSS_S_COMPLETE)
        return SEC_E_OK;
    if (text.length > 0 && ((const char *)text.value)[text.length - 1] == '\0')
        text.length--;                                   /* gss-ntlmssp counts it */
    if (memchr(text.value, '\0', text.length) == NULL) { /* a NUL inside would hide the rest */
        *ret_text = osspi_alloc(text.length + 1);
        if (*ret_text)
            memcpy(*ret_text, text.value, text.length);
        else
            status = SEC_E_INSUFFICIENT_MEMORY;
    }
    (void)gss_release_buffer(&minor, &text);
    return status;
}

/* Sizes of what is added to messages. A longer message never needs more, but for padding. */
static bool measure_krb5(struct osspi_gss_context *gc)
{
    gss_iov_buffer_desc wrap[] = {
        {.type = GSS_IOV_BUFFER_TYPE_HEADER},
        {.type = GSS_IOV_BUFFER_TYPE_DATA, .buffer = {4096, NULL}},
        {.type = GSS_IOV_BUFFER_TYPE_PADDING},
    };
    gss_iov_buffer_desc mic[] = {
        {.type = GSS_IOV_BUFFER_TYPE_DATA, .buffer = {4096, NULL}},
        {.type = GSS_IOV_BUFFER_TYPE_MIC_TOKEN},
    };
    OM_uint32 minor;
    int sealed;

    if (gss_wrap_iov_length(&minor, gc->gss, 1, GSS_C_QOP_DEFAULT, &sealed, wrap, 3) !=
            GSS_S_COMPLETE ||
        gss_get_mic_iov_length(&minor, gc->gss, GSS_C_QOP_DEFAULT, mic, 2) != GSS_S_COMPLETE)
        return false;
    gc->trailer = (ULONG)wrap[0].buffer.length;
    gc->padding = (ULONG)wrap[2].buffer.length;
    gc->signature = (ULONG)mic[1].buffer.length;
    return true;
}

static bool measure(struct osspi_gss_context *gc)
{
    if (gc->mechanism == OSSPI_GSS_KERBEROS)
        return measure_krb5(gc);
    gc->trailer = gc->signature = MIC_SIZE_NTLM; /* MS-NLMP 2.2.2.9 */
    return true;
}

static SECURITY_STATUS name_of_credential(gss_cred_id_t credential, char **ret_text)
{
    gss_name_t name = GSS_C_NO_NAME;
    SECURITY_STATUS status = SEC_E_OK;
    OM_uint32 minor;

    if (gss_inquire_cred(&minor, credential, &name, NULL, NULL, NULL) == GSS_S_COMPLETE)
        status = name_text(name, ret_text);
    (void)gss_release_name(&minor, &name);
    return status;
}

/* gss-ntlmssp crashes when a server asks it for the target's name, and Kerberos tells it. */
static SECURITY_STATUS read_names(struct osspi_gss_context *gc)
{
    const bool asks_target = gc->client || gc->mechanism == OSSPI_GSS_KERBEROS;
    gss_name_t source = GSS_C_NO_NAME, target = GSS_C_NO_NAME;
    gss_OID mechanism = GSS_C_NO_OID;
    SECURITY_STATUS status;
    OM_uint32 major, minor, unused;

    major = gss_inquire_context(&minor, gc->gss, &source, asks_target ? &target : NULL, NULL,
                                &mechanism, NULL, NULL, NULL);
    status = major == GSS_S_COMPLETE ? name_text(source, &gc->client_name) : SEC_E_INTERNAL_ERROR;
    if (status == SEC_E_OK)
        status = name_text(target, &gc->server_name);
    (void)gss_release_name(&unused, &source);
    (void)gss_release_name(&unused, &target);
    /* NTLM's context does not know it, its credential does. */
    if (status == SEC_E_OK && !gc->client_name && gc->client)
        status = name_of_credential(gc->credential, &gc->client_name);
    return status;
}

/* SPNEGO's context tells the mechanism below it. */
static unsigned mechanism_below(struct osspi_gss_context *gc)
{
    gss_OID mechanism = GSS_C_NO_OID;
    OM_uint32 minor;

    if (gss_inquire_context(&minor, gc->gss, NULL, NULL, NULL, &mechanism, NULL, NULL, NULL) !=
        GSS_S_COMPLETE)
        return 0;
    return osspi_gss_mechanism_of(mechanism);
}

SECURITY_STATUS osspi_gss_establish(struct osspi_context *context, OM_uint32 flags,
                                    OM_uint32 lifetime)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    SECURITY_STATUS status;

    gc->mechanism = mechanism_below(gc);
    if (gc->mechanism == 0)
        return SEC_E_INTERNAL_ERROR;
    gc->flags = osspi_flags_true(flags, gc->mechanism, gc->client);
    gc->dce = (gc->flags & GSS_C_DCE_STYLE) != 0;
    gc->since = (int64_t)time(NULL);
    gc->until = lifetime == GSS_C_INDEFINITE ? INT64_MAX : gc->since + (int64_t)lifetime;
    status = read_names(gc);
    if (status == SEC_E_OK && !measure(gc)) {
        osspi_context_detail(context, "the sizes of messages are not known");
        status = SEC_E_INTERNAL_ERROR;
    }
    return status;
}

/* ---- the end, and lanes ---- */

void osspi_gss_lane_note(struct osspi_gss_context *gc, const char *class_name)
{
    OSSPI_LOCKED(&gc->lane_lock);
    snprintf(gc->lane_class, sizeof(gc->lane_class), "%s", class_name);
}

/* Is reading the user's tickets no more than reading a file? */
static bool is_quick(const struct osspi_gss_credential *data)
{
    return data->source != OSSPI_GSS_CACHE || strncmp(data->source_name, "FILE:", 5) == 0 ||
           strncmp(data->source_name, "DIR:", 4) == 0 ||
           strncmp(data->source_name, "MEMORY:", 7) == 0;
}

static void choose(struct osspi_lane_choice *choice, const char *class_name)
{
    choice->lane = OSSPI_LANE_BLOCKING;
    snprintf(choice->class_name, sizeof(choice->class_name), "%s", class_name);
}

void osspi_gss_lane(enum osspi_operation operation, struct osspi_credential *credential,
                    struct osspi_context *context, struct osspi_lane_choice *ret_choice)
{
    const struct osspi_gss_credential *data = credential ? osspi_gss_credential(credential) : NULL;
    struct osspi_gss_context *gc = context ? osspi_gss(context) : NULL;

    if (operation == OSSPI_OP_ACQUIRE) {
        if (data && data->acquire_class)
            choose(ret_choice, data->acquire_class);
        return;
    }
    if (operation == OSSPI_OP_INITIALIZE && !context && data && !is_quick(data))
        choose(ret_choice, "ccache");
    if (!gc)
        return;
    OSSPI_LOCKED(&gc->lane_lock);
    if (gc->lane_class[0] != '\0')
        choose(ret_choice, gc->lane_class);
}

void osspi_gss_clear_context(struct osspi_context *context)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    OM_uint32 unused;

    if (context->epoch == osspi_fork_epoch()) {
        OSSPI_GSS_CALL;
        if (gc->gss != GSS_C_NO_CONTEXT)
            (void)gss_delete_sec_context(&unused, &gc->gss, GSS_C_NO_BUFFER);
        if (gc->target != GSS_C_NO_NAME)
            (void)gss_release_name(&unused, &gc->target);
        if (gc->credential != GSS_C_NO_CREDENTIAL)
            (void)gss_release_cred(&unused, &gc->credential);
        (void)gss_release_buffer(&unused, &gc->token);
    }
    osspi_login_end(&gc->cache, &gc->server);
    osspi_free(gc->client_name);
    osspi_free(gc->server_name);
}
