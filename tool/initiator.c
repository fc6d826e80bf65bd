/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The client's side of an authentication that is no TLS.
 */
#include "initiator.h"

#include "net.h"
#include "tls.h"

void initiator_init(struct initiator *initiator)
{
    SecInvalidateHandle(&initiator->credential);
    SecInvalidateHandle(&initiator->context);
}

SECURITY_STATUS initiator_acquire(struct initiator *initiator, struct login *login)
{
    struct caller *caller = initiator->caller;
    char *package = (char *)initiator->package;

    if (caller->sync)
        return AcquireCredentialsHandleA(NULL, package, SECPKG_CRED_OUTBOUND, NULL,
                                         login->auth_data, NULL, NULL, &initiator->credential,
                                         NULL);
    caller_begin(caller, initiator->deadline_ms);
    return caller_await(caller, SspiAcquireCredentialsHandleAsyncA(
                                    caller->call, NULL, package, SECPKG_CRED_OUTBOUND, NULL,
                                    login->auth_data, NULL, NULL, &initiator->credential, NULL));
}

static SECURITY_STATUS call_leg(struct initiator *initiator, PSecBufferDesc in, PSecBufferDesc out)
{
    struct caller *caller = initiator->caller;
    PCtxtHandle context = SecIsValidHandle(&initiator->context) ? &initiator->context : NULL;
    char *target = (char *)initiator->target;
    ULONG flags = initiator->flags | ISC_REQ_ALLOCATE_MEMORY;

    if (caller->sync)
        return InitializeSecurityContextA(&initiator->credential, context, target, flags, 0,
                                          SECURITY_NATIVE_DREP, in, 0, &initiator->context, out,
                                          &initiator->attributes, &initiator->expiry);
    caller_begin(caller, initiator->deadline_ms);
    return caller_await(caller, SspiInitializeSecurityContextAsyncA(
                                    caller->call, &initiator->credential, context, target, flags, 0,
                                    SECURITY_NATIVE_DREP, in, 0, &initiator->context, out,
                                    &initiator->attributes, &initiator->expiry));
}

static void note_leg(struct timeline_legs *legs, const struct timeline_leg *leg)
{
    if (!legs)
        return;
    if (legs->count < TIMELINE_LEGS)
        legs->legs[legs->count] = *leg;
    legs->count++;
}

SECURITY_STATUS initiator_leg(struct initiator *initiator, const void *token, size_t len,
                              struct bytes *ret_token)
{
    SecBuffer in[2] = {{0}}, out = {0, SECBUFFER_TOKEN, NULL};
    ULONG count = 0;
    if (len > 0)
        in[count++] = (SecBuffer){(ULONG)len, SECBUFFER_TOKEN, (void *)token};
    if (initiator->bindings)
        in[count++] = (SecBuffer){initiator->bindings->BindingsLength, SECBUFFER_CHANNEL_BINDINGS,
                                  initiator->bindings->Bindings};
    SecBufferDesc in_desc = {SECBUFFER_VERSION, count, in};
    SecBufferDesc out_desc = {SECBUFFER_VERSION, 1, &out};

    struct timeline_leg leg = {.begin_us = net_now_us(), .input = (ULONG)len};
    leg.status = call_leg(initiator, count > 0 ? &in_desc : NULL, &out_desc);
    leg.end_us = net_now_us();
    leg.output = out.pvBuffer ? out.cbBuffer : 0;
    note_leg(initiator->legs, &leg);

    bytes_clear(ret_token);
    bool memory = bytes_append(ret_token, out.pvBuffer, leg.output);
    FreeContextBuffer(out.pvBuffer);
    return memory ? leg.status : SEC_E_INSUFFICIENT_MEMORY;
}

void initiator_clear(struct initiator *initiator)
{
    tls_delete(&initiator->context);
    if (SecIsValidHandle(&initiator->credential))
        FreeCredentialsHandle(&initiator->credential);
    SecInvalidateHandle(&initiator->credential);
}
