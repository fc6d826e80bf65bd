/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Our end of a connection over datagrams, as a caller uses it (docs/dtls.md); see datagram.h. In
 * the handshake each datagram is a leg's TOKEN, and a leg without input sends the last flight again
 * when nothing has come for a while: a second first, then twice as long each time (RFC 6347,
 * 4.2.4.1). Afterwards each datagram goes to DecryptMessage, and what that says SEC_I_RENEGOTIATE
 * about to a leg.
 *
 * One thread.
 */
#include <arpa/inet.h>
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "property/datagram.h"
#include "support/contract_status.h"

#define FIRST_TIMEOUT_MS 1000u
#define LAST_TIMEOUT_MS  60000u
#define MAX_FRAGMENTS    200
#define MAX_RECORDS      200

struct shared {
    const struct peer_form *form;
    CredHandle credential;
};

struct session {
    CtxtHandle context;
    bool has_context;
    bool told;                       /* that the server asks for a certificate; there is none */
    SecPkgContext_StreamSizes sizes; /* once established */
    uint64_t deadline, timeout_ms;
    char words[300];
};

static struct session *session_of(struct datagram_end *end)
{
    return end->session;
}

CtxtHandle *datagram_ours_context(struct datagram_end *end)
{
    return &session_of(end)->context;
}

static const struct peer_form *form_of(struct datagram_end *end)
{
    return ((struct shared *)end->shared)->form;
}

/* ---- what connections share ---- */

static void share_new(struct datagram_end *end)
{
    const struct datagram_setup *setup = &end->run->setup;
    struct shared *shared = calloc(1, sizeof(*shared));
    const char *name = NULL;
    SCHANNEL_CRED auth = {.dwVersion = SCHANNEL_CRED_VERSION};
    PCCERT_CONTEXT certificate;
    TimeStamp expiry;

    TEST_REQUIRE(shared != NULL);
    end->shared = shared;
    shared->form = setup->form;
    if (!shared->form)
        shared->form = datagram_pick(end->run, 4) == 0 ? PEER_ASYNC : PEER_SYNC;
    auth.grbitEnabledProtocols = end->server ? SP_PROT_DTLS1_2_SERVER : SP_PROT_DTLS1_2_CLIENT;
    if (end->server)
        name = setup->rsa ? "server-rsa" : "server";
    else if (setup->client_certificate)
        name = setup->rsa ? "client-rsa" : "client";
    certificate = name ? peer_certificate(name) : NULL;
    auth.cCreds = certificate ? 1 : 0;
    auth.paCred = &certificate;
    TEST_REQUIRE_EQUAL(
        shared->form->acquire((LPSTR)UNISP_NAME_A,
                              end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, &auth,
                              &shared->credential, &expiry),
        SEC_E_OK);
    CertFreeCertificateContext(certificate);
}

static void share_free(struct datagram_end *end)
{
    struct shared *shared = end->shared;

    TEST_REQUIRE_EQUAL(shared->form->free_credential(&shared->credential), SEC_E_OK);
    free(shared);
    end->shared = NULL;
}

/* ---- legs ---- */

struct leg {
    SecBuffer in[5], out[1];
    ULONG in_count;
    SEC_DTLS_MTU mtu;
    struct {
        SEC_SRTP_PROTECTION_PROFILES head;
        USHORT more[2];
    } srtp;
    uint8_t room[DATAGRAM_MAX];
};

static ULONG flags_of(struct datagram_end *end)
{
    ULONG flags;

    flags = ISC_REQ_DATAGRAM | ISC_REQ_CONFIDENTIALITY | ISC_REQ_EXTENDED_ERROR;
    if (!end->server)
        return session_of(end)->told ? flags | ISC_REQ_USE_SUPPLIED_CREDS : flags;
    flags = ASC_REQ_DATAGRAM | ASC_REQ_CONFIDENTIALITY | ASC_REQ_EXTENDED_ERROR;
    return end->run->setup.client_certificate || end->run->setup.asks ? flags | ASC_REQ_MUTUAL_AUTH
                                                                      : flags;
}

static void add(struct leg *leg, ULONG type, const void *bytes, size_t len)
{
    leg->in[leg->in_count++] = (SecBuffer){(ULONG)len, type, (void *)(uintptr_t)bytes};
}

static void add_srtp(struct datagram_end *end, struct leg *leg)
{
    const uint16_t *profiles = end->run->setup.srtp;
    USHORT count = 0;

    for (; profiles[count] != 0; count++)
        (&leg->srtp.head.ProfilesList[0])[count] = htons(profiles[count]);
    leg->srtp.head.ProfilesSize = (USHORT)(count * sizeof(USHORT));
    add(leg, SECBUFFER_SRTP_PROTECTION_PROFILES, &leg->srtp,
        offsetof(SEC_SRTP_PROTECTION_PROFILES, ProfilesList) + leg->srtp.head.ProfilesSize);
}

static void prepare(struct datagram_end *end, struct leg *leg, const uint8_t *bytes, size_t len)
{
    const bool first = !session_of(end)->has_context;

    *leg = (struct leg){.in_count = 0};
    leg->mtu.PathMTU = (unsigned short)end->run->setup.mtus[end->server];
    leg->out[0] = (SecBuffer){sizeof(leg->room), SECBUFFER_TOKEN, leg->room};
    if (bytes)
        add(leg, SECBUFFER_TOKEN, bytes, len);
    add(leg, SECBUFFER_EMPTY, NULL, 0);
    if (first)
        add(leg, SECBUFFER_DTLS_MTU, &leg->mtu, sizeof(leg->mtu));
    if (first && end->server)
        add(leg, SECBUFFER_EXTRA, end->address.bytes, end->address.len);
    if (first && end->run->setup.srtp[0] != 0)
        add_srtp(end, leg);
}

static SECURITY_STATUS call(struct datagram_end *end, struct leg *leg)
{
    struct session *session = session_of(end);
    const struct shared *shared = end->shared;
    SecBufferDesc in = {SECBUFFER_VERSION, leg->in_count, leg->in};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, leg->out};
    PCtxtHandle old = session->has_context ? &session->context : NULL;
    CredHandle credential = shared->credential;
    ULONG attributes;
    TimeStamp expiry;
    SECURITY_STATUS status;

    if (end->server)
        status = shared->form->accept(&credential, old, flags_of(end), &in, &session->context, &out,
                                      &attributes, &expiry);
    else
        status = shared->form->initialize(&credential, old, (LPSTR)PEER_TARGET, flags_of(end), &in,
                                          &session->context, &out, &attributes, &expiry);
    contract_require(end->server ? "AcceptSecurityContext" : "InitializeSecurityContextA", status);
    if (status >= 0)
        session->has_context = true;
    return status;
}

static void refuse(struct datagram_end *end, SECURITY_STATUS status)
{
    struct session *session = session_of(end);
    char detail[200] = "";

    if (session->has_context)
        (void)OsspiGetErrorDetail(&session->context, detail, sizeof(detail));
    snprintf(session->words, sizeof(session->words), "%s %s", OsspiStatusName(status), detail);
    end->words = session->words;
    end->failed = true;
}

static void established(struct datagram_end *end)
{
    struct session *session = session_of(end);

    end->up = true;
    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&session->context, SECPKG_ATTR_DATAGRAM_SIZES, &session->sizes),
        SEC_E_OK);
}

/* The server asks for a certificate, and there is none: the same datagram again, or no input. */
static SECURITY_STATUS go_on_without(struct datagram_end *end, struct leg *leg,
                                     const uint8_t *bytes, size_t len)
{
    const bool mangles = end->run->line.mangles;

    TEST_REQUIRE(mangles || (end->run->setup.asks && !session_of(end)->told));
    session_of(end)->told = true;
    datagram_counts.told++;
    prepare(end, leg, datagram_pick(end->run, 2) == 0 ? bytes : NULL, len);
    return call(end, leg);
}

/* One leg, and those without input that fetch the rest of the flight. Gives the number of bytes of
 * the input that were not used, and tells whether something was sent. */
static bool run_leg(struct datagram_end *end, const uint8_t *bytes, size_t len, size_t *ret_extra)
{
    SECURITY_STATUS status = SEC_I_MESSAGE_FRAGMENT;
    bool sent = false;
    struct leg leg;

    *ret_extra = 0;
    for (int i = 0; status == SEC_I_MESSAGE_FRAGMENT; i++) {
        TEST_REQUIRE(i < MAX_FRAGMENTS);
        prepare(end, &leg, i == 0 ? bytes : NULL, len);
        status = call(end, &leg);
        if (status == SEC_I_INCOMPLETE_CREDENTIALS)
            status = go_on_without(end, &leg, bytes, len);
        if (i == 0 && bytes && leg.in[1].BufferType == SECBUFFER_EXTRA)
            *ret_extra = leg.in[1].cbBuffer;
        if (status < 0 && !session_of(end)->has_context)
            return false; /* as good as never come */
        if (leg.out[0].cbBuffer > 0)
            datagram_send(end, leg.room, leg.out[0].cbBuffer);
        sent = sent || leg.out[0].cbBuffer > 0;
        TEST_REQUIRE(status != SEC_I_MESSAGE_FRAGMENT || leg.out[0].cbBuffer > 0);
    }
    if (status < 0)
        refuse(end, status);
    else if (status == SEC_E_OK && !end->up)
        established(end);
    return sent;
}

static void wind_up(struct datagram_end *end)
{
    struct session *session = session_of(end);

    session->timeout_ms = FIRST_TIMEOUT_MS;
    session->deadline = datagram_now() + FIRST_TIMEOUT_MS;
}

/* ---- messages ---- */

/* One record, or several where they mean nothing to the caller. Gives what is left. */
static size_t open_one(struct datagram_end *end, uint8_t *bytes, size_t len)
{
    SecBuffer buffers[4] = {{(ULONG)len, SECBUFFER_DATA, bytes}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status = DecryptMessage(&session_of(end)->context, &message, 0, NULL);
    size_t extra = 0, ignored;

    contract_require("DecryptMessage", status);
    if (status < 0) {
        refuse(end, status);
        return 0;
    }
    if (buffers[3].BufferType == SECBUFFER_EXTRA)
        extra = buffers[3].cbBuffer;
    TEST_REQUIRE(extra <= len);
    if (status == SEC_I_RENEGOTIATE) {
        const bool as_token = extra > 0 && datagram_pick(end->run, 2) == 0;

        /* Without a token the same record is handed in again, and is known then. */
        (void)run_leg(end, as_token ? bytes + len - extra : NULL, extra,
                      as_token ? &extra : &ignored);
        return extra;
    }
    if (status == SEC_I_CONTEXT_EXPIRED)
        end->closed = true;
    else if (buffers[1].cbBuffer > 0)
        datagram_arrived(end, buffers[1].pvBuffer, buffers[1].cbBuffer);
    else
        datagram_counts.dropped++;
    return extra;
}

static void open_all(struct datagram_end *end, const uint8_t *bytes, size_t len)
{
    unsigned calls = 0;

    while (len > 0 && !end->failed && !end->closed) {
        uint8_t *copy = malloc(len);
        size_t rest;

        TEST_REQUIRE(copy != NULL && ++calls < MAX_RECORDS);
        memcpy(copy, bytes, len);
        rest = open_one(end, copy, len);
        free(copy);
        TEST_REQUIRE(rest <= len);
        bytes += len - rest;
        len = rest;
    }
}

/* ---- one connection ---- */

static void begin(struct datagram_end *end)
{
    size_t extra;

    end->session = calloc(1, sizeof(struct session));
    TEST_REQUIRE(end->session != NULL);
    session_of(end)->deadline = DATAGRAM_NEVER;
    if (end->server)
        return;
    (void)run_leg(end, NULL, 0, &extra);
    wind_up(end);
}

static void finish(struct datagram_end *end)
{
    struct session *session = end->session;

    if (session->has_context)
        TEST_REQUIRE_EQUAL(form_of(end)->delete_context(&session->context), SEC_E_OK);
    free(session);
    end->session = NULL;
}

static void receive(struct datagram_end *end, const uint8_t *bytes, size_t len)
{
    size_t extra = 0;

    if (end->closed)
        return;
    if (!end->up) {
        if (run_leg(end, bytes, len, &extra))
            wind_up(end);
        bytes += len - extra;
        len = extra;
    }
    if (end->up)
        open_all(end, bytes, len);
}

static uint64_t timer(struct datagram_end *end)
{
    return end->up ? DATAGRAM_NEVER : session_of(end)->deadline;
}

/* A server that has only asked for a cookie has nothing to say again. */
static void expired(struct datagram_end *end)
{
    struct session *session = session_of(end);
    size_t extra;

    session->timeout_ms *= 2;
    if (session->timeout_ms > LAST_TIMEOUT_MS)
        session->timeout_ms = LAST_TIMEOUT_MS;
    session->deadline = datagram_now() + session->timeout_ms;
    if (!run_leg(end, NULL, 0, &extra) && !end->failed) {
        TEST_REQUIRE(end->server);
        session->deadline = DATAGRAM_NEVER;
    }
    datagram_counts.retransmissions++;
}

static size_t room(struct datagram_end *end)
{
    return session_of(end)->sizes.cbMaximumMessage;
}

static void write_data(struct datagram_end *end, const uint8_t *data, size_t len)
{
    struct session *session = session_of(end);
    struct peer_end peer = {.context = session->context, .sizes = session->sizes};
    struct peer_end sink = {.in = {0}};

    TEST_REQUIRE_EQUAL(peer_send(&peer, &sink, data, len), SEC_E_OK);
    datagram_send(end, sink.in.bytes, sink.in.len);
    peer_clear(&sink.in);
}

static void close_it(struct datagram_end *end)
{
    DWORD order = SCHANNEL_SHUTDOWN;
    SecBuffer buffer = {sizeof(order), SECBUFFER_TOKEN, &order};
    SecBufferDesc token = {SECBUFFER_VERSION, 1, &buffer};
    size_t extra;

    TEST_REQUIRE_EQUAL(ApplyControlToken(&session_of(end)->context, &token), SEC_E_OK);
    TEST_REQUIRE(run_leg(end, NULL, 0, &extra));
}

static void export_key(struct datagram_end *end, uint8_t *out, size_t len)
{
    SecPkgContext_KeyingMaterial_Inproc material = {
        .cbLabel = sizeof(DATAGRAM_EXPORT),
        .pszLabel = (LPSTR)DATAGRAM_EXPORT,
        .cbKeyingMaterial = (DWORD)len,
    };

    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&session_of(end)->context,
                                               SECPKG_ATTR_KEYING_MATERIAL_INPROC, &material),
                       SEC_E_OK);
    memcpy(out, material.pbKeyingMaterial, len);
    TEST_REQUIRE_EQUAL(FreeContextBuffer(material.pbKeyingMaterial), SEC_E_OK);
}

static bool resumed(struct datagram_end *end)
{
    SecPkgContext_SessionInfo info;

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&session_of(end)->context, SECPKG_ATTR_SESSION_INFO, &info),
        SEC_E_OK);
    return (info.dwFlags & SSL_SESSION_RECONNECT) != 0;
}

const struct datagram_library datagram_ours = {
    .name = "OpenSSPI",
    .share_new = share_new,
    .share_free = share_free,
    .begin = begin,
    .finish = finish,
    .receive = receive,
    .timer = timer,
    .expired = expired,
    .room = room,
    .write = write_data,
    .close = close_it,
    .export_key = export_key,
    .resumed = resumed,
};
