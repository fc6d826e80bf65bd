/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * An end of CredSSP; see credssp_end.h. What MS-CSSP 3.1.5 describes as many messages is one stream
 * of TLS records here: a leg takes what has come and says how much of it was left.
 */
#include "credssp_end.h"

#include <credssp.h>
#include <errno.h>
#include <opensspi.h>
#include <schannel.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/test_util.h"
#include "support/tls_certs.h"

#define CLIENT_FLAGS \
    (ISC_REQ_STREAM | ISC_REQ_ALLOCATE_MEMORY | ISC_REQ_CONFIDENTIALITY | ISC_REQ_EXTENDED_ERROR | \
     ISC_REQ_MANUAL_CRED_VALIDATION)
#define SERVER_FLAGS \
    (ASC_REQ_STREAM | ASC_REQ_ALLOCATE_MEMORY | ASC_REQ_CONFIDENTIALITY | ASC_REQ_EXTENDED_ERROR)
/* Nothing of this library's is waited for longer; the test that runs this has limits of its own. */
#define PATIENCE_MS 60000u

bool credssp_put(int fd, const void *bytes, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t count = send(fd, (const char *)bytes + sent, len - sent, MSG_NOSIGNAL);

        if (count < 0 && errno != EINTR)
            return false;
        sent += count > 0 ? (size_t)count : 0;
    }
    return true;
}

bool credssp_get(int fd, void *bytes, size_t len)
{
    for (size_t have = 0; have < len;) {
        ssize_t count = recv(fd, (char *)bytes + have, len - have, 0);

        if (count == 0 || (count < 0 && errno != EINTR))
            return false;
        have += count > 0 ? (size_t)count : 0;
    }
    return true;
}

bool credssp_fill(struct credssp_end *end)
{
    ssize_t count;

    TEST_REQUIRE(end->have < sizeof(end->wire));
    do {
        count = recv(end->fd, end->wire + end->have, sizeof(end->wire) - end->have, 0);
    } while (count < 0 && errno == EINTR);
    end->closed = count <= 0;
    end->have += count > 0 ? (size_t)count : 0;
    return count > 0;
}

/* ---- credentials ---- */

static SEC_WINNT_AUTH_IDENTITY_EXA identity_of(const struct credssp_wish *wish)
{
    const char *user = wish->user, *domain = wish->domain, *password = wish->password;

    return (SEC_WINNT_AUTH_IDENTITY_EXA){
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(SEC_WINNT_AUTH_IDENTITY_EXA),
        .User = (unsigned char *)user,
        .UserLength = user ? (ULONG)strlen(user) : 0,
        .Domain = (unsigned char *)domain,
        .DomainLength = domain ? (ULONG)strlen(domain) : 0,
        .Password = (unsigned char *)password,
        .PasswordLength = password ? (ULONG)strlen(password) : 0,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
        .PackageList = (unsigned char *)wish->packages,
        .PackageListLength = wish->packages ? (ULONG)strlen(wish->packages) : 0,
    };
}

static DWORD protocols_but(const char *tls, bool accepts)
{
    const DWORD all = accepts ? SP_PROT_TLS1_2_SERVER | SP_PROT_TLS1_3_SERVER
                              : SP_PROT_TLS1_2_CLIENT | SP_PROT_TLS1_3_CLIENT;

    if (!tls)
        return 0;
    return ~all | (strcmp(tls, "1.2") == 0 ? SP_PROT_TLS1_3 : SP_PROT_TLS1_2);
}

static SECURITY_STATUS allow_old(struct credssp_end *end)
{
    OsspiCredSspOptions options = {.cbSize = sizeof(options), .min_version = end->wish->oldest};

    return SetCredentialsAttributesA(&end->credential, OSSPI_CRED_ATTR_CREDSSP_OPTIONS, &options,
                                     sizeof(options));
}

SECURITY_STATUS credssp_begin(struct credssp_end *end, int fd, const struct credssp_wish *wish)
{
    PCCERT_CONTEXT cert = wish->certificate ? peer_certificate(wish->certificate) : NULL;
    TLS_PARAMETERS parameters = {.grbitDisabledProtocols = protocols_but(wish->tls, wish->accepts)};
    SCH_CREDENTIALS tls = {.dwVersion = SCH_CREDENTIALS_VERSION,
                           .cCreds = cert ? 1 : 0,
                           .paCred = &cert,
                           .cTlsParameters = 1,
                           .pTlsParameters = &parameters};
    SEC_WINNT_AUTH_IDENTITY_EXA identity = identity_of(wish);
    CREDSSP_CRED auth = {.Type =
                             wish->type ? (CREDSPP_SUBMIT_TYPE)wish->type : CredsspSubmitBufferBoth,
                         .pSchannelCred = &tls,
                         .pSpnegoCred = wish->identity ? wish->identity : &identity};
    SECURITY_STATUS status;

    memset(end, 0, sizeof(*end));
    end->fd = fd;
    end->wish = wish;
    SecInvalidateHandle(&end->credential);
    SecInvalidateHandle(&end->context);
    if (wish->bare)
        auth.pSpnegoCred = NULL;
    if (wish->asynchronous)
        end->call = SspiCreateAsyncContext();
    status = AcquireCredentialsHandleA(NULL, (LPSTR) "CREDSSP",
                                       wish->accepts ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                                       NULL, &auth, NULL, NULL, &end->credential, NULL);
    if (cert)
        CertFreeCertificateContext(cert);
    return status == SEC_E_OK && wish->oldest ? allow_old(end) : status;
}

void credssp_finish(struct credssp_end *end)
{
    if (SecIsValidHandle(&end->context))
        DeleteSecurityContext(&end->context);
    if (SecIsValidHandle(&end->credential))
        FreeCredentialsHandle(&end->credential);
    SspiFreeAsyncContext(end->call);
    if (end->fd >= 0)
        close(end->fd);
    end->fd = -1;
}

/* ---- legs ---- */

static SECURITY_STATUS call_now(struct credssp_end *end, PCtxtHandle before, PSecBufferDesc in,
                                PSecBufferDesc out)
{
    const struct credssp_wish *wish = end->wish;
    const ULONG flags = CLIENT_FLAGS | (wish->delegates ? ISC_REQ_DELEGATE : 0);

    if (wish->accepts)
        return AcceptSecurityContext(&end->credential, before, in, SERVER_FLAGS,
                                     SECURITY_NATIVE_DREP, &end->context, out, &end->attributes,
                                     NULL);
    return InitializeSecurityContextA(&end->credential, before, (LPSTR)wish->target, flags, 0,
                                      SECURITY_NATIVE_DREP, in, 0, &end->context, out,
                                      &end->attributes, NULL);
}

static SECURITY_STATUS call_later(struct credssp_end *end, PCtxtHandle before, PSecBufferDesc in,
                                  PSecBufferDesc out)
{
    const struct credssp_wish *wish = end->wish;
    const ULONG flags = CLIENT_FLAGS | (wish->delegates ? ISC_REQ_DELEGATE : 0);
    SECURITY_STATUS status;

    TEST_REQUIRE_EQUAL(SspiReinitAsyncContext(end->call), STATUS_SUCCESS);
    TEST_REQUIRE_EQUAL(OsspiSetAsyncTimeout(end->call, PATIENCE_MS), SEC_E_OK);
    if (wish->accepts)
        status = SspiAcceptSecurityContextAsync(end->call, &end->credential, before, in,
                                                SERVER_FLAGS, SECURITY_NATIVE_DREP, &end->context,
                                                out, &end->attributes, NULL);
    else
        status = SspiInitializeSecurityContextAsyncA(
            end->call, &end->credential, before, (LPSTR)wish->target, flags, 0,
            SECURITY_NATIVE_DREP, in, 0, &end->context, out, &end->attributes, NULL);
    TEST_REQUIRE_EQUAL(status, SEC_E_OK);
    return OsspiWaitAsyncCall(end->call, OSSPI_INFINITE);
}

/* One leg on what has come (on nothing: the first of a client, or a goodbye). */
static SECURITY_STATUS leg(struct credssp_end *end, bool takes)
{
    const bool first = !SecIsValidHandle(&end->context);
    PCtxtHandle before = first ? NULL : &end->context;
    SecBuffer in[2] = {{(ULONG)end->have, SECBUFFER_TOKEN, end->wire}, {0, SECBUFFER_EMPTY, NULL}};
    SecBuffer out = {0, SECBUFFER_TOKEN, NULL};
    SecBufferDesc in_desc = {SECBUFFER_VERSION, 2, in}, out_desc = {SECBUFFER_VERSION, 1, &out};
    PSecBufferDesc given = takes ? &in_desc : NULL;
    SECURITY_STATUS status;
    size_t rest;

    status = end->call ? call_later(end, before, given, &out_desc)
                       : call_now(end, before, given, &out_desc);
    end->legs++;
    /* After a failure too: then it is what tells the peer why. */
    if (out.pvBuffer)
        (void)credssp_put(end->fd, out.pvBuffer, out.cbBuffer);
    FreeContextBuffer(out.pvBuffer);
    if (takes && status >= 0) {
        rest = in[1].BufferType == SECBUFFER_EXTRA ? in[1].cbBuffer : 0;
        TEST_REQUIRE(rest <= end->have);
        memmove(end->wire, end->wire + end->have - rest, rest);
        end->have = rest;
    }
    return status;
}

SECURITY_STATUS credssp_establish(struct credssp_end *end)
{
    bool takes = end->wish->accepts;
    SECURITY_STATUS status = SEC_E_INCOMPLETE_MESSAGE;

    for (;;) {
        if (takes && (status == SEC_E_INCOMPLETE_MESSAGE || end->have == 0) && !credssp_fill(end))
            return SEC_E_INCOMPLETE_MESSAGE;
        status = leg(end, takes);
        takes = true;
        if (status != SEC_I_CONTINUE_NEEDED && status != SEC_E_INCOMPLETE_MESSAGE)
            break;
    }
    if (status == SEC_E_OK)
        status = QueryContextAttributesA(&end->context, SECPKG_ATTR_STREAM_SIZES, &end->sizes);
    return status;
}

/* ---- messages ---- */

static SECURITY_STATUS send_record(struct credssp_end *end, const void *bytes, size_t len)
{
    unsigned char record[20000], *body = record + end->sizes.cbHeader;
    SecBuffer parts[4] = {{end->sizes.cbHeader, SECBUFFER_STREAM_HEADER, record},
                          {(ULONG)len, SECBUFFER_DATA, body},
                          {end->sizes.cbTrailer, SECBUFFER_STREAM_TRAILER, body + len},
                          {0, SECBUFFER_EMPTY, NULL}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 4, parts};
    SECURITY_STATUS status;

    TEST_REQUIRE(end->sizes.cbHeader + len + end->sizes.cbTrailer <= sizeof(record));
    memcpy(body, bytes, len);
    status = EncryptMessage(&end->context, 0, &desc, 0);
    for (int i = 0; i < 3 && status == SEC_E_OK; i++) {
        if (!credssp_put(end->fd, parts[i].pvBuffer, parts[i].cbBuffer))
            status = SEC_I_CONTEXT_EXPIRED;
    }
    return status;
}

SECURITY_STATUS credssp_send(struct credssp_end *end, const void *bytes, size_t len)
{
    SECURITY_STATUS status = SEC_E_OK;

    for (size_t at = 0, part; at < len && status == SEC_E_OK; at += part) {
        part = len - at < end->sizes.cbMaximumMessage ? len - at : end->sizes.cbMaximumMessage;
        status = send_record(end, (const char *)bytes + at, part);
    }
    return status;
}

SECURITY_STATUS credssp_open(struct credssp_end *end, void *bytes, size_t size, size_t *ret_len)
{
    SecBuffer parts[4] = {{(ULONG)end->have, SECBUFFER_DATA, end->wire},
                          {0, SECBUFFER_EMPTY, NULL},
                          {0, SECBUFFER_EMPTY, NULL},
                          {0, SECBUFFER_EMPTY, NULL}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 4, parts};
    SECURITY_STATUS status =
        end->have > 0 ? DecryptMessage(&end->context, &desc, 0, NULL) : SEC_E_INCOMPLETE_MESSAGE;

    *ret_len = 0;
    if (status == SEC_I_RENEGOTIATE) /* a ticket or new keys: a leg takes them */
        return leg(end, true);
    if (status != SEC_E_OK)
        return status;
    TEST_REQUIRE(parts[1].cbBuffer <= size);
    *ret_len = parts[1].cbBuffer;
    if (parts[1].cbBuffer > 0)
        memcpy(bytes, parts[1].pvBuffer, parts[1].cbBuffer);
    end->have = 0;
    if (parts[3].BufferType == SECBUFFER_EXTRA) {
        end->have = parts[3].cbBuffer;
        memmove(end->wire, parts[3].pvBuffer, parts[3].cbBuffer);
    }
    return status;
}

SECURITY_STATUS credssp_receive(struct credssp_end *end, void *bytes, size_t size, size_t *ret_len)
{
    SECURITY_STATUS status;

    do {
        status = credssp_open(end, bytes, size, ret_len);
    } while ((status == SEC_E_OK && *ret_len == 0) ||
             (status == SEC_E_INCOMPLETE_MESSAGE && credssp_fill(end)));
    return status;
}

void credssp_goodbye(struct credssp_end *end)
{
    DWORD token = SCHANNEL_SHUTDOWN;
    SecBuffer buffer = {sizeof(token), SECBUFFER_TOKEN, &token};
    SecBufferDesc desc = {SECBUFFER_VERSION, 1, &buffer};

    if (ApplyControlToken(&end->context, &desc) == SEC_E_OK)
        (void)leg(end, false);
}
