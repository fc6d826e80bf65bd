/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The calls of a driver; see kernel_form.h. The callback's last act is to set the event, after
 * which whoever has waited frees everything that the call was given.
 */
#define SECURITY_KERNEL
#include <security.h>

#include <schannel.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/kernel_form.h"

/* What such a caller brings itself, because its system's sspi.h hides it. */
typedef enum _SEC_APPLICATION_PROTOCOL_NEGOTIATION_STATUS {
    SecApplicationProtocolNegotiationStatus_None,
    SecApplicationProtocolNegotiationStatus_Success,
    SecApplicationProtocolNegotiationStatus_SelectedClientOnly
} SEC_APPLICATION_PROTOCOL_NEGOTIATION_STATUS;

typedef struct _SecPkgContext_ApplicationProtocol {
    SEC_APPLICATION_PROTOCOL_NEGOTIATION_STATUS ProtoNegoStatus;
    SEC_APPLICATION_PROTOCOL_NEGOTIATION_EXT ProtoNegoExt;
    unsigned char ProtocolIdSize;
    unsigned char ProtocolId[255];
} SecPkgContext_ApplicationProtocol;

/* A counted string without an end. */
struct counted {
    UNICODE_STRING string;
    WCHAR text[128];
};

static PSECURITY_STRING count(struct counted *counted, const char *text)
{
    size_t len = 0;

    if (!text)
        return NULL;
    for (; text[len] != '\0' && len < 128; len++)
        counted->text[len] = (WCHAR)text[len];
    counted->string.Length = counted->string.MaximumLength = (USHORT)(2 * len);
    counted->string.Buffer = counted->text;
    return &counted->string;
}

/* ---- the event ---- */

struct acquisition {
    pthread_mutex_t mutex;
    pthread_cond_t done;
    int set;                /* guarded by mutex */
    SECURITY_STATUS status; /* guarded by mutex */
};

static void on_acquired(SspiAsyncContext *async, void *data)
{
    struct acquisition *acquisition = data;

    pthread_mutex_lock(&acquisition->mutex);
    acquisition->status = SspiGetAsyncCallStatus(async);
    acquisition->set = 1;
    pthread_cond_signal(&acquisition->done);
    pthread_mutex_unlock(&acquisition->mutex);
}

SECURITY_STATUS kernel_acquire(char *package, ULONG use, void *auth, PCredHandle credential,
                               PTimeStamp expiry)
{
    struct acquisition acquisition = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    SspiAsyncContext *async = SspiCreateAsyncContext();
    struct counted name;
    SECURITY_STATUS status;

    if (!async)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = SspiSetAsyncNotifyCallback(async, on_acquired, &acquisition);
    if (status == SEC_E_OK)
        status = SspiAcquireCredentialsHandleAsyncW(async, NULL, count(&name, package), use, NULL,
                                                    auth, NULL, NULL, credential, expiry);
    if (status == SEC_E_OK) {
        pthread_mutex_lock(&acquisition.mutex);
        while (!acquisition.set)
            pthread_cond_wait(&acquisition.done, &acquisition.mutex);
        status = acquisition.status;
        pthread_mutex_unlock(&acquisition.mutex);
    }
    SspiFreeAsyncContext(async);
    return status;
}

/* ---- legs ---- */

SECURITY_STATUS kernel_initialize(PCredHandle credential, PCtxtHandle context, char *target,
                                  ULONG flags, PSecBufferDesc in, PCtxtHandle new_context,
                                  PSecBufferDesc out, ULONG *attributes, PTimeStamp expiry)
{
    struct counted name;

    return InitializeSecurityContextW(credential, context, count(&name, target), flags, 0,
                                      SECURITY_NATIVE_DREP, in, 0, new_context, out, attributes,
                                      expiry);
}

SECURITY_STATUS kernel_accept(PCredHandle credential, PCtxtHandle context, ULONG flags,
                              PSecBufferDesc in, PCtxtHandle new_context, PSecBufferDesc out,
                              ULONG *attributes, PTimeStamp expiry)
{
    return AcceptSecurityContext(credential, context, in, flags, 0, new_context, out, attributes,
                                 expiry);
}

/* No callback, and the asynchronous context goes at once. */
SECURITY_STATUS kernel_delete(PCtxtHandle context)
{
    SspiAsyncContext *async = SspiCreateAsyncContext();
    SECURITY_STATUS status;

    if (!async)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = SspiDeleteSecurityContextAsync(async, context);
    SecInvalidateHandle(context);
    SspiFreeAsyncContext(async);
    return status;
}

SECURITY_STATUS kernel_free(PCredHandle credential)
{
    return FreeCredentialsHandle(credential);
}

SECURITY_STATUS kernel_protocol(PCtxtHandle context, uint8_t id[255], uint8_t *ret_len)
{
    SecPkgContext_ApplicationProtocol protocol;
    SECURITY_STATUS status =
        QueryContextAttributesW(context, SECPKG_ATTR_APPLICATION_PROTOCOL, &protocol);

    if (status != SEC_E_OK)
        return status;
    if (protocol.ProtoNegoStatus != SecApplicationProtocolNegotiationStatus_Success)
        return SEC_E_APPLICATION_PROTOCOL_MISMATCH;
    memcpy(id, protocol.ProtocolId, protocol.ProtocolIdSize);
    *ret_len = protocol.ProtocolIdSize;
    return SEC_E_OK;
}

SECURITY_STATUS kernel_remote_certificates(PCtxtHandle context, uint32_t *ret_count)
{
    SecPkgContext_Certificates certificates;
    SECURITY_STATUS status =
        QueryContextAttributesW(context, SECPKG_ATTR_REMOTE_CERTIFICATES, &certificates);

    if (status != SEC_E_OK)
        return status;
    *ret_count = certificates.cCertificates;
    FreeContextBuffer(certificates.pbCertificateChain);
    return SEC_E_OK;
}
