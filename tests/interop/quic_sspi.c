/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * TLS for a QUIC end in message mode; see quic_sspi.h and docs/quic.md, which this follows.
 *
 * How output bytes find their epoch: the library says for each secret where in this leg's token it
 * begins and ends to apply. Sums of these are kept as offsets in everything ever put out, and a
 * byte belongs to the last epoch that begins at or before it. Everything that goes in or comes out
 * lies in a heap block of its exact size.
 */
#include "quic_sspi.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define IN_MAX   8u
#define OUT_MAX  8u
#define ROOM     8192u
#define ROOM_MAX 65536u
#define NOWHERE  SIZE_MAX

#define ALERT_UNEXPECTED_MESSAGE 10u
#define ALERT_INTERNAL_ERROR     80u
#define ALERT_MISSING_EXTENSION  109u
#define ALERT_NO_ALPN            120u

/* One leg, and what came of it. */
struct leg {
    SecBuffer in[IN_MAX], out[OUT_MAX];
    ULONG in_count, out_count;
    SEC_FLAGS flags;
    SUBSCRIBE_GENERIC_TLS_EXTENSION *wanted;
    struct peer_stream alpn, extension;
    uint8_t *token, *alert;
    SecBuffer *got_token, *got_alert, *got_extension;
};

static struct quic_sspi *tls_of(struct quic_end *end)
{
    return end->tls_data;
}

static bool refuse(struct quic_end *end, unsigned alert)
{
    ngtcp2_conn_set_tls_alert(end->conn, (uint8_t)alert);
    return false;
}

static void *block(size_t len)
{
    void *bytes = calloc(1, len);

    TEST_REQUIRE(bytes != NULL);
    return bytes;
}

/* ---- what goes into a leg ---- */

static void add(SecBuffer *buffers, ULONG *count, ULONG type, void *bytes, size_t len)
{
    TEST_REQUIRE(*count < IN_MAX);
    buffers[(*count)++] = (SecBuffer){(ULONG)len, type, bytes};
}

static void set_alpn(struct leg *leg, const char *name)
{
    const uint8_t len = (uint8_t)strlen(name);
    const ULONG size = 6u + 1u + len, extension = 2; /* ALPN */
    const USHORT list = 1u + len;

    peer_push(&leg->alpn, &size, 4);
    peer_push(&leg->alpn, &extension, 4);
    peer_push(&leg->alpn, &list, 2);
    peer_push(&leg->alpn, &len, 1);
    peer_push(&leg->alpn, name, len);
}

/* A server's go out with the leg that brings the ClientHello. If they are to depend on the client's
 * it has to find those by itself before (parses_hello). */
static void set_params(struct quic_end *end)
{
    struct quic_sspi *tls = tls_of(end);
    uint8_t bytes[512];
    SEND_GENERIC_TLS_EXTENSION head = {.ExtensionType = QUIC_TLS_PARAMS,
                                       .HandshakeType = end->server ? 8 : 1};

    head.BufferSize = (WORD)quic_end_encode_params(end, bytes, sizeof(bytes));
    peer_clear(&tls->params);
    peer_push(&tls->params, &head, offsetof(SEND_GENERIC_TLS_EXTENSION, Buffer));
    peer_push(&tls->params, bytes, head.BufferSize);
}

static bool subscribes(const struct quic_end *end, const struct quic_sspi *tls)
{
    return !tls->params_received && tls->in.len > 0 && !(end->server && tls->parses_hello);
}

static void prepare_input(struct quic_end *end, struct quic_sspi *tls, struct leg *leg)
{
    if (tls->in.len > 0) {
        add(leg->in, &leg->in_count, SECBUFFER_TOKEN, tls->in.bytes, tls->in.len);
        add(leg->in, &leg->in_count, SECBUFFER_EMPTY, NULL, 0); /* for EXTRA */
        add(leg->in, &leg->in_count, SECBUFFER_EMPTY, NULL, 0); /* for MISSING */
    }
    leg->flags.Flags = ISC_REQ_MESSAGES;
    _Static_assert(ISC_REQ_MESSAGES == ASC_REQ_MESSAGES, "one bit for both");
    add(leg->in, &leg->in_count, SECBUFFER_FLAGS, &leg->flags, sizeof(leg->flags));
    if (!tls->has_context) {
        set_alpn(leg, tls->alpn ? tls->alpn : QUIC_ALPN);
        add(leg->in, &leg->in_count, SECBUFFER_APPLICATION_PROTOCOLS, leg->alpn.bytes,
            leg->alpn.len);
    }
    if (tls->params.len > 0 && !tls->complete)
        add(leg->in, &leg->in_count, SECBUFFER_SEND_GENERIC_TLS_EXTENSION, tls->params.bytes,
            tls->params.len);
    if (!subscribes(end, tls))
        return;
    leg->wanted = block(sizeof(*leg->wanted));
    leg->wanted->SubscriptionsCount = 1;
    leg->wanted->Subscriptions[0] = (TLS_EXTENSION_SUBSCRIPTION){
        .ExtensionType = QUIC_TLS_PARAMS, .HandshakeType = end->server ? 1 : 8};
    add(leg->in, &leg->in_count, SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION, leg->wanted,
        sizeof(*leg->wanted));
}

static void prepare_output(struct quic_end *end, struct quic_sspi *tls, struct leg *leg)
{
    leg->token = block(tls->room);
    leg->alert = block(2);
    leg->got_token = &leg->out[leg->out_count];
    add(leg->out, &leg->out_count, SECBUFFER_TOKEN, leg->token, tls->room);
    leg->got_alert = &leg->out[leg->out_count];
    add(leg->out, &leg->out_count, SECBUFFER_ALERT, leg->alert, 2);
    if (subscribes(end, tls)) {
        leg->got_extension = &leg->out[leg->out_count];
        if (tls->aliases) {
            add(leg->out, &leg->out_count, SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION, tls->in.bytes,
                tls->in.len);
        } else {
            leg->extension.bytes = block(tls->extra_room);
            leg->extension.len = tls->extra_room;
            add(leg->out, &leg->out_count, SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION,
                leg->extension.bytes, tls->extra_room);
        }
    }
    for (unsigned i = 0; i < QUIC_SECRETS; i++) {
        /* Nobody clears them between legs: the library has to say that there is nothing in them. */
        memset(tls->secrets[i], 0xA5, QUIC_SECRET_SIZE);
        add(leg->out, &leg->out_count, SECBUFFER_TRAFFIC_SECRETS, tls->secrets[i],
            QUIC_SECRET_SIZE);
    }
}

static void leg_free(struct leg *leg)
{
    free(leg->wanted);
    free(leg->token);
    free(leg->alert);
    peer_clear(&leg->alpn);
    peer_clear(&leg->extension);
}

static SECURITY_STATUS run(struct quic_end *end, struct quic_sspi *tls, struct leg *leg)
{
    SecBufferDesc in = {SECBUFFER_VERSION, leg->in_count, leg->in};
    SecBufferDesc out = {SECBUFFER_VERSION, leg->out_count, leg->out};
    PCtxtHandle known = tls->has_context ? &tls->context : NULL;
    ULONG granted, flags = ISC_REQ_SEQUENCE_DETECT | ISC_REQ_CONFIDENTIALITY | tls->flags;
    SECURITY_STATUS status;

    tls->legs++;
    if (end->server)
        status = tls->form->accept(tls->credential, known, flags, &in, &tls->context, &out,
                                   &granted, NULL);
    else
        status = tls->form->initialize(tls->credential, known,
                                       (LPSTR)(uintptr_t)(known ? NULL : tls->target), flags, &in,
                                       &tls->context, &out, &granted, NULL);
    if (SecIsValidHandle(&tls->context))
        tls->has_context = true;
    return status;
}

/* ---- what comes out of it ---- */

static bool equal(const WCHAR *text, const char *expected)
{
    while (*expected && *text == (WCHAR)*expected) {
        text++;
        expected++;
    }
    return *text == 0 && *expected == 0;
}

/* What ngtcp2 has to know of the cipher is what the secret says of it. */
static bool set_cipher(struct quic_end *end, const SEC_TRAFFIC_SECRETS *secret)
{
    ngtcp2_crypto_ctx context = {.aead.max_overhead = 16, .max_decryption_failure = 1u << 20};
    gnutls_cipher_algorithm_t aead, header;
    bool sha384 = equal(secret->HashAlgId, "SHA384");

    if (secret->IvSize != 12 || secret->TrafficSecretSize != (sha384 ? 48 : 32) ||
        !(sha384 || equal(secret->HashAlgId, "SHA256")))
        return false;
    if (equal(secret->SymmetricAlgId, "CHACHA20_POLY1305") && equal(secret->ChainingMode, "") &&
        secret->KeySize == 32) {
        aead = GNUTLS_CIPHER_CHACHA20_POLY1305;
        header = GNUTLS_CIPHER_CHACHA20_32;
    } else if (equal(secret->SymmetricAlgId, "AES") &&
               equal(secret->ChainingMode, "ChainingModeGCM") &&
               (secret->KeySize == 16 || secret->KeySize == 32)) {
        aead = secret->KeySize == 16 ? GNUTLS_CIPHER_AES_128_GCM : GNUTLS_CIPHER_AES_256_GCM;
        header = secret->KeySize == 16 ? GNUTLS_CIPHER_AES_128_CBC : GNUTLS_CIPHER_AES_256_CBC;
    } else {
        return false;
    }
    context.aead.native_handle = (void *)(uintptr_t)aead;
    context.hp.native_handle = (void *)(uintptr_t)header;
    context.md.native_handle = (void *)(uintptr_t)(sha384 ? GNUTLS_MAC_SHA384 : GNUTLS_MAC_SHA256);
    context.max_encryption = 1u << 23;
    ngtcp2_conn_set_crypto_ctx(end->conn, &context);
    return true;
}

static bool take_peers_secret(struct quic_end *end, const SEC_TRAFFIC_SECRETS *secret)
{
    struct quic_sspi *tls = tls_of(end);

    if (tls->reads == QUIC_APPLICATION)
        return false; /* there is none behind this one */
    tls->reads++;
    return quic_end_install(end, tls->reads, false, secret->TrafficSecret,
                            secret->TrafficSecretSize);
}

static bool take_own_secret(struct quic_end *end, const SEC_TRAFFIC_SECRETS *secret)
{
    struct quic_sspi *tls = tls_of(end);

    if (tls->writes > QUIC_INITIAL &&
        memcmp(tls->last_own, secret->TrafficSecret, secret->TrafficSecretSize) == 0) {
        /* The handshake's once more, to say where it ends. */
        tls->application_from = tls->total + secret->MsgSequenceEnd;
        return tls->writes == QUIC_HANDSHAKE;
    }
    if (tls->writes == QUIC_APPLICATION)
        return false;
    if (tls->writes++ == QUIC_INITIAL) {
        tls->handshake_from = tls->total + secret->MsgSequenceStart;
        if (secret->MsgSequenceEnd > secret->MsgSequenceStart)
            tls->application_from = tls->total + secret->MsgSequenceEnd;
    } else if (tls->application_from == NOWHERE) {
        return false; /* nobody knows where it begins */
    }
    memcpy(tls->last_own, secret->TrafficSecret, secret->TrafficSecretSize);
    return quic_end_install(end, tls->writes, true, secret->TrafficSecret,
                            secret->TrafficSecretSize);
}

/* In their order; behind the last one the library has written None into each. */
static bool take_secrets(struct quic_end *end, const struct leg *leg)
{
    const SEC_TRAFFIC_SECRET_TYPE own =
        end->server ? SecTrafficSecret_Server : SecTrafficSecret_Client;
    bool ended = false;

    for (ULONG i = 0; i < leg->out_count; i++) {
        const SEC_TRAFFIC_SECRETS *secret = leg->out[i].pvBuffer;

        if (leg->out[i].BufferType != SECBUFFER_TRAFFIC_SECRETS)
            continue;
        if (secret->TrafficSecretType == SecTrafficSecret_None) {
            ended = true;
            continue;
        }
        TEST_REQUIRE(secret->TrafficSecretType == SecTrafficSecret_Client ||
                     secret->TrafficSecretType == SecTrafficSecret_Server);
        if (ended || secret->TrafficSecretSize > sizeof(tls_of(end)->last_own) ||
            !set_cipher(end, secret))
            return false;
        if (!(secret->TrafficSecretType == own ? take_own_secret : take_peers_secret)(end, secret))
            return false;
    }
    return true;
}

static enum quic_epoch epoch_at(const struct quic_sspi *tls, size_t offset)
{
    return offset >= tls->application_from ? QUIC_APPLICATION
           : offset >= tls->handshake_from ? QUIC_HANDSHAKE
                                           : QUIC_INITIAL;
}

static bool send_token(struct quic_end *end, const uint8_t *bytes, size_t len)
{
    struct quic_sspi *tls = tls_of(end);

    for (size_t at = 0, next; at < len; at = next) {
        const enum quic_epoch epoch = epoch_at(tls, tls->total + at);

        for (next = at + 1; next < len && epoch_at(tls, tls->total + next) == epoch;)
            next++;
        if (!quic_end_submit(end, epoch, bytes + at, next - at))
            return false;
        if (epoch == QUIC_APPLICATION)
            tls->tickets++;
    }
    tls->total += len;
    return true;
}

static void consume(struct quic_sspi *tls, const struct leg *leg)
{
    size_t left = 0;

    for (ULONG i = 0; i < leg->in_count; i++)
        if (leg->in[i].BufferType == SECBUFFER_EXTRA)
            left = leg->in[i].cbBuffer;
    TEST_REQUIRE(left <= tls->in.len);
    peer_drop(&tls->in, tls->in.len - left);
}

static bool take_extension(struct quic_end *end, const struct leg *leg)
{
    const SecBuffer *buffer = leg->got_extension;
    const uint8_t *bytes;

    TEST_REQUIRE(buffer != NULL);
    bytes = buffer->pvBuffer;
    TEST_REQUIRE(buffer->cbBuffer >= 4 && bytes[0] == 0 && bytes[1] == QUIC_TLS_PARAMS);
    TEST_REQUIRE_EQUAL(bytes[2] * 256 + bytes[3], buffer->cbBuffer - 4);
    tls_of(end)->params_received = true;
    return quic_end_decode_params(end, bytes + 4, buffer->cbBuffer - 4);
}

static bool is_agreed(struct quic_sspi *tls)
{
    const char *expected = tls->alpn ? tls->alpn : QUIC_ALPN;
    SecPkgContext_ApplicationProtocol agreed = {0};

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&tls->context, SECPKG_ATTR_APPLICATION_PROTOCOL, &agreed),
        SEC_E_OK);
    return agreed.ProtoNegoStatus == SecApplicationProtocolNegotiationStatus_Success &&
           agreed.ProtocolIdSize == strlen(expected) &&
           memcmp(agreed.ProtocolId, expected, agreed.ProtocolIdSize) == 0;
}

/* Continue or done: keys first, then the bytes that want them. */
static bool take_progress(struct quic_end *end, const struct leg *leg)
{
    struct quic_sspi *tls = tls_of(end);

    consume(tls, leg);
    if (!take_secrets(end, leg) ||
        !send_token(end, leg->got_token->pvBuffer, leg->got_token->cbBuffer))
        return refuse(end, ALERT_INTERNAL_ERROR);
    if (tls->status != SEC_E_OK || tls->complete)
        return true;
    if (!tls->params_received)
        return refuse(end, ALERT_MISSING_EXTENSION);
    if (!is_agreed(tls))
        return refuse(end, ALERT_NO_ALPN);
    tls->complete = true;
    quic_end_tls_completed(end);
    return true;
}

static bool take_alert(struct quic_end *end, const struct leg *leg)
{
    const SecBuffer *buffer = leg->got_alert;
    const uint8_t *bytes = buffer->pvBuffer;

    if (buffer->BufferType == SECBUFFER_ALERT && buffer->cbBuffer == 2) {
        TEST_REQUIRE(bytes[0] == 2);
        return refuse(end, bytes[1]);
    }
    return refuse(end, ALERT_INTERNAL_ERROR);
}

/* What the leg's status asks for; *ret_again: another leg at once. */
static bool take(struct quic_end *end, const struct leg *leg, bool *ret_again)
{
    struct quic_sspi *tls = tls_of(end);
    const size_t before = tls->in.len;

    *ret_again = true;
    switch (tls->status) {
    case SEC_E_OK:
    case SEC_I_CONTINUE_NEEDED:
        if (!take_progress(end, leg))
            return false;
        *ret_again = tls->in.len > 0 && tls->in.len < before;
        return true;
    case SEC_I_GENERIC_EXTENSION_RECEIVED:
        if (!take_extension(end, leg))
            return refuse(end, ALERT_INTERNAL_ERROR);
        return true;
    case SEC_E_BUFFER_TOO_SMALL:
        TEST_REQUIRE(tls->room < ROOM_MAX);
        tls->room = tls->room * 2;
        tls->too_small++;
        return true;
    case SEC_E_EXT_BUFFER_TOO_SMALL:
        TEST_REQUIRE(leg->got_extension->cbBuffer > (tls->aliases ? tls->in.len : tls->extra_room));
        tls->extra_room = leg->got_extension->cbBuffer;
        tls->aliases = false;
        tls->extra_too_small++;
        return true;
    case SEC_I_INCOMPLETE_CREDENTIALS:
        return true; /* without a certificate, then */
    case SEC_E_INCOMPLETE_MESSAGE:
        *ret_again = false;
        return true;
    default:
        return take_alert(end, leg);
    }
}

/* Legs until more bytes are needed. */
static bool go_on(struct quic_end *end)
{
    struct quic_sspi *tls = tls_of(end);
    bool again = true, good = true;

    while (good && again) {
        struct leg leg = {0};

        prepare_input(end, tls, &leg);
        prepare_output(end, tls, &leg);
        tls->status = run(end, tls, &leg);
        good = take(end, &leg, &again);
        leg_free(&leg);
    }
    return good;
}

/* ---- for the end ---- */

static bool start(struct quic_end *end)
{
    set_params(end);
    return go_on(end);
}

static size_t u16(const uint8_t *bytes)
{
    return bytes[0] * 256u + bytes[1];
}

/* The extension in a whole ClientHello; NULL: not there, or no ClientHello. */
static const uint8_t *find_params(const uint8_t *hello, size_t len, size_t *ret_len)
{
    size_t at = 4 + 2 + 32, end;

    if (at >= len || hello[0] != 1)
        return NULL;
    at += 1u + hello[at];
    at += at + 2 <= len ? 2 + u16(hello + at) : len;
    at += at < len ? 1u + hello[at] : len;
    if (at + 2 > len)
        return NULL;
    end = at + 2 + u16(hello + at);
    for (at += 2; end <= len && at + 4 <= end; at += 4 + u16(hello + at + 2)) {
        *ret_len = u16(hello + at + 2);
        if (u16(hello + at) == QUIC_TLS_PARAMS && *ret_len <= end - at - 4)
            return hello + at + 4;
    }
    return NULL;
}

/* As a stack does that cannot wait for a leg to tell: it decides by these whether to go on. */
static bool read_hello(struct quic_end *end, bool *ret_whole)
{
    struct quic_sspi *tls = tls_of(end);
    const uint8_t *found;
    size_t len;

    *ret_whole = tls->in.len >= 4 && u16(tls->in.bytes + 2) + 4 <= tls->in.len;
    if (!*ret_whole)
        return true;
    found = find_params(tls->in.bytes, tls->in.len, &len);
    if (!found || !quic_end_decode_params(end, found, len))
        return refuse(end, ALERT_MISSING_EXTENSION);
    tls->params_received = true;
    set_params(end);
    return true;
}

static bool receive(struct quic_end *end, enum quic_epoch epoch, const uint8_t *bytes, size_t len)
{
    struct quic_sspi *tls = tls_of(end);
    const enum quic_epoch expected = tls->complete                ? QUIC_APPLICATION
                                     : tls->reads == QUIC_INITIAL ? QUIC_INITIAL
                                                                  : QUIC_HANDSHAKE;
    bool whole = true;

    /* RFC 9001, 4.1.3: nothing may be left over of the epoch before, or come late. */
    if (epoch != expected)
        return refuse(end, ALERT_UNEXPECTED_MESSAGE);
    peer_push(&tls->in, bytes, len);
    if (end->server && tls->params.len == 0)
        set_params(end);
    if (end->server && tls->parses_hello && !tls->params_received && !read_hello(end, &whole))
        return false;
    return !whole || go_on(end);
}

static const struct quic_tls sspi_side = {.start = start, .receive = receive};

void quic_sspi_open(struct quic_sspi *tls, struct quic_end *end)
{
    SecInvalidateHandle(&tls->context);
    tls->form = tls->form ? tls->form : PEER_SYNC;
    tls->target = tls->target ? tls->target : PEER_TARGET;
    tls->room = tls->room > 0 ? tls->room : ROOM;
    tls->extra_room = tls->extra_room > 0 ? tls->extra_room : 512;
    tls->handshake_from = tls->application_from = NOWHERE;
    end->tls = &sspi_side;
    end->tls_data = tls;
}

void quic_sspi_close(struct quic_sspi *tls)
{
    if (tls->has_context)
        TEST_REQUIRE_EQUAL(tls->form->delete_context(&tls->context), SEC_E_OK);
    peer_clear(&tls->in);
    peer_clear(&tls->params);
}
