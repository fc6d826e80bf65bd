/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Messages: seal, open, sign, verify.
 *
 * Sealing and signing hold the write side, opening and verifying the read side, so one thread may
 * do each at the same time. A context whose handshake is not done answers SEC_E_INVALID_HANDLE,
 * one that failed or was given up SEC_E_CONTEXT_EXPIRED.
 */
#include <sspi.h>

#include "core/buffers.h"
#include "core/object.h"
#include "packages/package.h"

/* One call on its way to the package. */
struct message {
    struct osspi_context *context; /* a reference */
    struct osspi_lock *side;
    struct osspi_buffers buffers;
};

static SECURITY_STATUS ready(const struct osspi_context *context)
{
    SECURITY_STATUS status = osspi_context_usable(context);

    if (status != SEC_E_OK)
        return status;
    switch (atomic_load_explicit(&context->state, memory_order_acquire)) {
    case OSSPI_CONTEXT_ESTABLISHED:
        return SEC_E_OK;
    case OSSPI_CONTEXT_HANDSHAKE:
        return SEC_E_INVALID_HANDLE;
    default:
        return SEC_E_CONTEXT_EXPIRED;
    }
}

static SECURITY_STATUS check(struct message *message, bool has_slot, const SecBufferDesc *desc)
{
    SECURITY_STATUS status;

    if (!has_slot)
        return SEC_E_UNSUPPORTED_FUNCTION;
    status = ready(message->context);
    if (status != SEC_E_OK)
        return status;
    return desc ? osspi_buffers_view_input(desc, &message->buffers) : SEC_E_INVALID_TOKEN;
}

/* With SEC_E_OK the side is held; message_end() ends both it and the reference. */
static SECURITY_STATUS begin(struct message *message, bool has_slot, const SecBufferDesc *desc,
                             struct osspi_lock *side)
{
    SECURITY_STATUS status = check(message, has_slot, desc);

    if (status == SEC_E_OK) {
        osspi_lock_acquire(side);
        message->side = side;
        /* It may have ended while another thread held the side. */
        status = ready(message->context);
    }
    return status;
}

static SECURITY_STATUS end(struct message *message, SECURITY_STATUS status)
{
    if (message->side)
        osspi_lock_release(message->side);
    osspi_context_unref(message->context);
    return status;
}

static SECURITY_STATUS protect(PCtxtHandle handle, ULONG qop, const SecBufferDesc *desc,
                               ULONG sequence, bool sign)
{
    struct message message = {.context = osspi_context_lookup(handle)};
    const struct osspi_package *package = message.context ? message.context->package : NULL;
    SECURITY_STATUS status;

    if (!package)
        return SEC_E_INVALID_HANDLE;
    status = begin(&message, (sign ? package->make_signature : package->encrypt) != NULL, desc,
                   &message.context->write_side);
    if (status == SEC_E_OK)
        status = (sign ? package->make_signature : package->encrypt)(message.context, qop,
                                                                     &message.buffers, sequence);
    return end(&message, status);
}

static SECURITY_STATUS unprotect(PCtxtHandle handle, const SecBufferDesc *desc, ULONG sequence,
                                 ULONG *ret_qop, bool signature)
{
    struct message message = {.context = osspi_context_lookup(handle)};
    const struct osspi_package *package = message.context ? message.context->package : NULL;
    SECURITY_STATUS status;
    uint32_t qop = 0;

    if (!package)
        return SEC_E_INVALID_HANDLE;
    status = begin(&message, (signature ? package->verify_signature : package->decrypt) != NULL,
                   desc, &message.context->read_side);
    if (status == SEC_E_OK)
        status = (signature ? package->verify_signature
                            : package->decrypt)(message.context, &message.buffers, sequence, &qop);
    if (status >= 0 && ret_qop)
        *ret_qop = qop;
    return end(&message, status);
}

SECURITY_STATUS EncryptMessage(PCtxtHandle phContext, ULONG fQOP, PSecBufferDesc pMessage,
                               ULONG MessageSeqNo)
{
    return protect(phContext, fQOP, pMessage, MessageSeqNo, false);
}

SECURITY_STATUS DecryptMessage(PCtxtHandle phContext, PSecBufferDesc pMessage, ULONG MessageSeqNo,
                               ULONG *pfQOP)
{
    return unprotect(phContext, pMessage, MessageSeqNo, pfQOP, false);
}

SECURITY_STATUS MakeSignature(PCtxtHandle phContext, ULONG fQOP, PSecBufferDesc pMessage,
                              ULONG MessageSeqNo)
{
    return protect(phContext, fQOP, pMessage, MessageSeqNo, true);
}

SECURITY_STATUS VerifySignature(PCtxtHandle phContext, PSecBufferDesc pMessage, ULONG MessageSeqNo,
                                ULONG *pfQOP)
{
    return unprotect(phContext, pMessage, MessageSeqNo, pfQOP, true);
}
