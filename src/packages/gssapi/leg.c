/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The common part of legs; see leg.h. Called with both sides of the context held.
 */
#include "packages/gssapi/leg.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "core/caller.h"
#include "packages/gssapi/login.h"

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

/* Is a token in memory of ours? As flags, asked before it is given. */
static uint64_t allocates(const struct osspi_leg *leg, const SecBuffer *place)
{
    _Static_assert(ISC_RET_ALLOCATED_MEMORY == ASC_RET_ALLOCATED_MEMORY, "one bit for both");
    return leg->flags & ISC_REQ_ALLOCATE_MEMORY || !place->pvBuffer ? ISC_RET_ALLOCATED_MEMORY : 0;
}

SECURITY_STATUS osspi_gss_give_token(struct osspi_gss_context *gc, struct osspi_leg *leg,
                                     SECURITY_STATUS status)
{
    SecBuffer *place = output_place(leg);
    const uint64_t allocated = allocates(leg, place);
    SECURITY_STATUS given;

    given =
        osspi_buffer_give(place, SECBUFFER_TOKEN, gc->token.value, gc->token.length,
                          (leg->flags & ISC_REQ_ALLOCATE_MEMORY) != 0, SEC_E_INSUFFICIENT_MEMORY);
    if (given != SEC_E_OK) {
        gc->held = status;
        return given;
    }
    leg->attributes = gc->granted;
    if (gc->token.length > 0)
        leg->attributes |= allocated;
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
    const uint64_t allocated = allocates(leg, place);

    /* What the peer is to be told, if the caller wants to. */
    if (gc->token.length > 0 && leg->flags & wish &&
        osspi_buffer_give(place, SECBUFFER_TOKEN, gc->token.value, gc->token.length,
                          (leg->flags & ISC_REQ_ALLOCATE_MEMORY) != 0,
                          SEC_E_INSUFFICIENT_MEMORY) == SEC_E_OK)
        leg->attributes =
            (gc->client ? ISC_RET_EXTENDED_ERROR : ASC_RET_EXTENDED_ERROR) | allocated;
    else
        place->cbBuffer = 0;
    drop_token(gc);
    gc->failed = true;
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
        if (gc->ntlm_target != GSS_C_NO_NAME)
            (void)gss_release_name(&unused, &gc->ntlm_target);
        if (gc->credential != GSS_C_NO_CREDENTIAL)
            (void)gss_release_cred(&unused, &gc->credential);
        if (gc->delegated != GSS_C_NO_CREDENTIAL)
            (void)gss_release_cred(&unused, &gc->delegated);
        (void)gss_release_buffer(&unused, &gc->token);
    }
    osspi_login_end(&gc->cache, &gc->server);
    osspi_token_unref(gc->token_of_client);
    osspi_free(gc->ntlm_user);
    osspi_free(gc->client_name);
    osspi_free(gc->server_name);
    osspi_free(gc->pac);
}
