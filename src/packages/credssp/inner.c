/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Schannel and Negotiate as seen from CredSSP; see inner.h. Both sides of the outer context are
 * held throughout.
 */
#include "packages/credssp/inner.h"

#include <schannel.h>
#include <string.h>

#include "base/memory.h"
#include "packages/registry.h"

#define IN_SLOTS (OSSPI_MAX_BUFFERS + 4u)

static struct osspi_context *tls_of(struct osspi_context *outer)
{
    return atomic_load_explicit(&osspi_credssp(outer)->tls, memory_order_relaxed);
}

static struct osspi_context *nego_of(struct osspi_context *outer)
{
    return atomic_load_explicit(&osspi_credssp(outer)->nego, memory_order_relaxed);
}

struct osspi_context *osspi_inner_new(const struct osspi_package *package,
                                      struct osspi_credential *credential, bool accepting)
{
    return osspi_context_new(osspi_package_class(package), credential, accepting);
}

/* What the inner context says was wrong, the outer one says too. */
static void tell(struct osspi_context *outer, struct osspi_context *inner)
{
    char text[OSSPI_DETAIL_SIZE];

    if (osspi_context_get_detail(inner, text, sizeof(text)) > 0)
        osspi_context_detail(outer, "%s", text);
}

/* ---- legs ---- */

static void add_buffer(struct osspi_buffers *buffers, ULONG type, void *bytes, size_t len)
{
    buffers->items[buffers->count++] =
        (SecBuffer){.cbBuffer = (ULONG)len, .BufferType = type, .pvBuffer = bytes};
}

/* Token, a slot for what is left or missing, and what else there is. */
static void lay_out(const struct osspi_inner_leg *leg, struct osspi_buffers *in)
{
    if (leg->in) {
        add_buffer(in, SECBUFFER_TOKEN, leg->in, leg->in_len);
        add_buffer(in, SECBUFFER_EMPTY, NULL, 0);
    }
    if (leg->bindings)
        in->items[in->count++] = *leg->bindings;
    for (ULONG i = 0; leg->more && i < leg->more->count && i < OSSPI_MAX_BUFFERS; i++) {
        const ULONG type = osspi_buffer_type(&leg->more->items[i]);

        if (type != SECBUFFER_TOKEN && type != SECBUFFER_EMPTY &&
            type != SECBUFFER_CHANNEL_BINDINGS)
            in->items[in->count++] = leg->more->items[i];
    }
}

/* What the package says about the input. */
static void read_back(struct osspi_inner_leg *leg, const struct osspi_buffers *in,
                      SECURITY_STATUS status)
{
    const SecBuffer *extra = osspi_buffers_find(in, SECBUFFER_EXTRA);
    const SecBuffer *missing = osspi_buffers_find(in, SECBUFFER_MISSING);

    leg->taken = leg->in_len;
    leg->missing = missing ? missing->cbBuffer : 1;
    if (status == SEC_E_INCOMPLETE_MESSAGE)
        leg->taken = 0;
    else if (extra && extra->cbBuffer <= leg->in_len)
        leg->taken = leg->in_len - extra->cbBuffer;
}

SECURITY_STATUS osspi_inner_leg(struct osspi_context *outer, struct osspi_context *inner,
                                struct osspi_inner_leg *leg, struct osspi_bytes *out)
{
    SecBuffer in_items[IN_SLOTS], token = {.BufferType = SECBUFFER_TOKEN};
    struct osspi_leg own = {
        .lane = leg->lane,
        .first = leg->first,
        .target = leg->target,
        .flags = leg->flags,
        .data_rep = SECURITY_NATIVE_DREP,
        .in = {.items = in_items},
        .out = {.count = 1, .items = &token},
        .credential = inner->credential,
        .expiry = leg->expiry,
    };
    SECURITY_STATUS status;

    lay_out(leg, &own.in);
    osspi_context_clear_detail(inner);
    status = inner->accepting ? inner->package->accept(inner, &own)
                              : inner->package->initialize(inner, &own);
    if (status == OSSPI_WANT_BLOCKING)
        return status;
    read_back(leg, &own.in, status);
    leg->attributes = own.attributes;
    leg->expiry = own.expiry;
    if (status < 0)
        tell(outer, inner);
    else if (status == SEC_E_OK)
        osspi_context_set_state(inner, OSSPI_CONTEXT_ESTABLISHED);
    if (token.cbBuffer > 0 && token.pvBuffer &&
        !osspi_bytes_add(out, token.pvBuffer, token.cbBuffer))
        status = SEC_E_INSUFFICIENT_MEMORY;
    (void)osspi_context_buffer_free(token.pvBuffer);
    return status;
}

/* ---- TLS messages ---- */

static SECURITY_STATUS seal_record(struct osspi_context *tls,
                                   const SecPkgContext_StreamSizes *sizes, const uint8_t *plain,
                                   size_t len, struct osspi_bytes *out)
{
    const size_t before = out->len;
    SecBuffer items[4] = {{0}};
    const struct osspi_buffers message = {4, items};
    size_t record;
    SECURITY_STATUS status;

    if (!osspi_bytes_add(out, NULL, sizes->cbHeader + len + sizes->cbTrailer))
        return SEC_E_INSUFFICIENT_MEMORY;
    items[0] = (SecBuffer){sizes->cbHeader, SECBUFFER_STREAM_HEADER, out->at + before};
    items[1] = (SecBuffer){(ULONG)len, SECBUFFER_DATA, out->at + before + sizes->cbHeader};
    items[2] = (SecBuffer){sizes->cbTrailer, SECBUFFER_STREAM_TRAILER,
                           out->at + before + sizes->cbHeader + len};
    memcpy(items[1].pvBuffer, plain, len);
    status = tls->package->encrypt(tls, 0, &message, 0);
    record = (size_t)items[0].cbBuffer + items[1].cbBuffer + items[2].cbBuffer;
    if (status != SEC_E_OK) {
        osspi_secure_zero(out->at + before, out->len - before);
        record = 0;
    }
    out->len = before + record; /* the trailer may be shorter than its room */
    return status;
}

SECURITY_STATUS osspi_inner_seal_tls(struct osspi_context *outer, const struct osspi_bytes *plain,
                                     struct osspi_bytes *out)
{
    struct osspi_context *tls = tls_of(outer);
    SecPkgContext_StreamSizes sizes;
    SECURITY_STATUS status =
        tls->package->query_context(tls, SECPKG_ATTR_STREAM_SIZES, &sizes, sizeof(sizes));

    for (size_t at = 0; status == SEC_E_OK && at < plain->len;) {
        const size_t left = plain->len - at;
        const size_t len = left < sizes.cbMaximumMessage ? left : sizes.cbMaximumMessage;

        status = seal_record(tls, &sizes, plain->at + at, len, out);
        at += len;
    }
    if (status == SEC_E_OK || status == SEC_E_INSUFFICIENT_MEMORY)
        return status;
    tell(outer, tls);
    return SEC_E_INTERNAL_ERROR;
}

SECURITY_STATUS osspi_inner_open_tls(struct osspi_context *outer, uint8_t *bytes, size_t len,
                                     size_t *ret_taken, uint8_t **ret_plain, size_t *ret_plain_len)
{
    struct osspi_context *tls = tls_of(outer);
    SecBuffer items[4] = {{(ULONG)len, SECBUFFER_DATA, bytes}};
    const struct osspi_buffers message = {4, items};
    const SecBuffer *extra, *data;
    uint32_t qop;
    SECURITY_STATUS status;

    *ret_plain = bytes;
    *ret_plain_len = 0;
    osspi_context_clear_detail(tls);
    status = tls->package->decrypt(tls, &message, 0, &qop);
    if (status == SEC_E_INCOMPLETE_MESSAGE) {
        const SecBuffer *missing = osspi_buffers_find(&message, SECBUFFER_MISSING);

        *ret_taken = missing ? missing->cbBuffer : 1;
        return status;
    }
    if (status < 0) {
        tell(outer, tls);
        return status;
    }
    extra = osspi_buffers_find(&message, SECBUFFER_EXTRA);
    data = osspi_buffers_find(&message, SECBUFFER_DATA);
    *ret_taken = extra ? len - extra->cbBuffer : len;
    if (data) {
        *ret_plain = data->pvBuffer;
        *ret_plain_len = data->cbBuffer;
    }
    return status;
}

/* ---- messages of Negotiate ---- */

SECURITY_STATUS osspi_inner_seal(struct osspi_context *outer, const struct osspi_bytes *plain,
                                 struct osspi_bytes *ret_sealed)
{
    struct osspi_context *nego = nego_of(outer);
    struct osspi_bytes sealed osspi_auto(osspi_bytes_clear) = {0};
    SecPkgContext_Sizes sizes;
    SecBuffer items[3] = {{0}};
    const struct osspi_buffers message = {3, items};
    SECURITY_STATUS status =
        nego->package->query_context(nego, SECPKG_ATTR_SIZES, &sizes, sizeof(sizes));

    if (status != SEC_E_OK)
        return SEC_E_INTERNAL_ERROR;
    if (!osspi_bytes_add(&sealed, NULL, sizes.cbSecurityTrailer) ||
        !osspi_bytes_add(&sealed, plain->at, plain->len) ||
        !osspi_bytes_add(&sealed, NULL, sizes.cbBlockSize))
        return SEC_E_INSUFFICIENT_MEMORY;
    items[0] = (SecBuffer){sizes.cbSecurityTrailer, SECBUFFER_TOKEN, sealed.at};
    items[1] = (SecBuffer){(ULONG)plain->len, SECBUFFER_DATA, sealed.at + sizes.cbSecurityTrailer};
    items[2] = (SecBuffer){sizes.cbBlockSize, SECBUFFER_PADDING,
                           sealed.at + sizes.cbSecurityTrailer + plain->len};
    status = nego->package->encrypt(nego, 0, &message, 0);
    if (status != SEC_E_OK) {
        tell(outer, nego);
        return status == SEC_E_INSUFFICIENT_MEMORY ? status : SEC_E_INTERNAL_ERROR;
    }
    /* Each part stands behind the one before, whatever its length has become. */
    return osspi_bytes_add(ret_sealed, items[0].pvBuffer, items[0].cbBuffer) &&
                   osspi_bytes_add(ret_sealed, items[1].pvBuffer, items[1].cbBuffer) &&
                   osspi_bytes_add(ret_sealed, items[2].pvBuffer, items[2].cbBuffer)
               ? SEC_E_OK
               : SEC_E_INSUFFICIENT_MEMORY;
}

SECURITY_STATUS osspi_inner_open(struct osspi_context *outer, struct osspi_bytes *sealed,
                                 uint8_t **ret_plain, size_t *ret_plain_len)
{
    struct osspi_context *nego = nego_of(outer);
    SecBuffer items[2] = {{(ULONG)sealed->len, SECBUFFER_STREAM, sealed->at},
                          {0, SECBUFFER_DATA, NULL}};
    const struct osspi_buffers message = {2, items};
    uint32_t qop = 0;
    SECURITY_STATUS status;

    osspi_context_clear_detail(nego);
    status = nego->package->decrypt(nego, &message, 0, &qop);
    if (status == SEC_E_INSUFFICIENT_MEMORY)
        return status;
    if (status != SEC_E_OK)
        tell(outer, nego);
    /* Signed alone would do for the binding, but not for a password. */
    if (status != SEC_E_OK || qop != 0 || !items[1].pvBuffer)
        return SEC_E_MESSAGE_ALTERED;
    *ret_plain = items[1].pvBuffer;
    *ret_plain_len = items[1].cbBuffer;
    return SEC_E_OK;
}
