/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Extensions that a leg's caller brings, and those of the peer that it asks for; see
 * leg_extension.h and tls_extension.h.
 *
 * A client's extensions are those of its first leg, since the ClientHello after a HelloRetryRequest
 * repeats them; a server's, those of the leg that brings the ClientHello. Callers send the same
 * ones with each leg. What is asked for may begin later: the caller known to us asks from the leg
 * on that brings the peer's first message.
 */
#include "packages/schannel/leg_extension.h"

#include <string.h>

#include "base/memory.h"

/* HandshakeType of who speaks. */
#define BY_CLIENT 1u /* ClientHello */
#define BY_SERVER 8u /* EncryptedExtensions */

/* What one leg says; pointers are into the caller's buffers. */
struct wish {
    struct {
        uint16_t type, len;
        const uint8_t *bytes;
    } send[OSSPI_MAX_EXTENSIONS];
    size_t send_count;
    uint16_t ask[SCH_MAX_EXT_SUBSCRIPTIONS];
    size_t ask_count;
};

/* ---- what the buffers say ---- */

/* Nothing in these is aligned. */
static uint16_t word_at(const uint8_t *at)
{
    uint16_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static uint32_t number_at(const uint8_t *at)
{
    uint32_t number;

    memcpy(&number, at, sizeof(number));
    return number;
}

/* In its place by code point. */
static SECURITY_STATUS insert(struct wish *wish, uint16_t type, const uint8_t *bytes, uint16_t len)
{
    size_t i = wish->send_count;

    if (i == OSSPI_MAX_EXTENSIONS)
        return SEC_E_INVALID_TOKEN;
    for (; i > 0 && wish->send[i - 1].type >= type; i--) {
        if (wish->send[i - 1].type == type)
            return SEC_E_INVALID_TOKEN;
        wish->send[i] = wish->send[i - 1];
    }
    wish->send[i].type = type;
    wish->send[i].len = len;
    wish->send[i].bytes = bytes;
    wish->send_count++;
    return SEC_E_OK;
}

static SECURITY_STATUS read_send(const SecBuffer *buffer, bool server, struct wish *wish)
{
    const size_t head = offsetof(SEND_GENERIC_TLS_EXTENSION, Buffer);
    const uint8_t *at = buffer->pvBuffer;
    uint16_t type, len;

    if (!at || buffer->cbBuffer < head)
        return SEC_E_INVALID_TOKEN;
    type = word_at(at + offsetof(SEND_GENERIC_TLS_EXTENSION, ExtensionType));
    len = word_at(at + offsetof(SEND_GENERIC_TLS_EXTENSION, BufferSize));
    if (len > buffer->cbBuffer - head ||
        number_at(at + offsetof(SEND_GENERIC_TLS_EXTENSION, Flags)) != 0 ||
        word_at(at + offsetof(SEND_GENERIC_TLS_EXTENSION, HandshakeType)) !=
            (server ? BY_SERVER : BY_CLIENT))
        return SEC_E_INVALID_TOKEN;
    if (osspi_extension_reserved(type))
        return SEC_E_UNSUPPORTED_FUNCTION;
    return insert(wish, type, at + head, len);
}

static SECURITY_STATUS read_subscription(const SecBuffer *buffer, bool server, struct wish *wish)
{
    const size_t head = offsetof(SUBSCRIBE_GENERIC_TLS_EXTENSION, Subscriptions);
    const size_t size = sizeof(TLS_EXTENSION_SUBSCRIPTION);
    const uint8_t *at = buffer->pvBuffer;
    uint32_t count;

    if (!at || buffer->cbBuffer < head || wish->ask_count > 0)
        return SEC_E_INVALID_TOKEN;
    count = number_at(at + offsetof(SUBSCRIBE_GENERIC_TLS_EXTENSION, SubscriptionsCount));
    if (count == 0 || count > SCH_MAX_EXT_SUBSCRIPTIONS ||
        (buffer->cbBuffer - head) / size < count ||
        number_at(at + offsetof(SUBSCRIBE_GENERIC_TLS_EXTENSION, Flags)) != 0)
        return SEC_E_INVALID_TOKEN;
    for (at += head; wish->ask_count < count; at += size) {
        const uint16_t type = word_at(at + offsetof(TLS_EXTENSION_SUBSCRIPTION, ExtensionType));

        if (word_at(at + offsetof(TLS_EXTENSION_SUBSCRIPTION, HandshakeType)) !=
                (server ? BY_CLIENT : BY_SERVER) ||
            (wish->ask_count > 0 && wish->ask[0] == type))
            return SEC_E_INVALID_TOKEN;
        wish->ask[wish->ask_count++] = type;
    }
    return SEC_E_OK;
}

static SECURITY_STATUS read_wish(const struct osspi_buffers *in, bool server, struct wish *ret_wish)
{
    SECURITY_STATUS status = SEC_E_OK;
    size_t total = 0;

    *ret_wish = (struct wish){0};
    for (ULONG i = 0; status == SEC_E_OK && i < in->count; i++) {
        const ULONG type = osspi_buffer_type(&in->items[i]);

        if (type == SECBUFFER_SEND_GENERIC_TLS_EXTENSION)
            status = read_send(&in->items[i], server, ret_wish);
        else if (type == SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION)
            status = read_subscription(&in->items[i], server, ret_wish);
    }
    for (size_t i = 0; i < ret_wish->send_count; i++)
        total += ret_wish->send[i].len;
    return status == SEC_E_OK && total > OSSPI_MAX_EXTENSION_BYTES ? SEC_E_INVALID_TOKEN : status;
}

/* ---- what is kept of it ---- */

static SECURITY_STATUS set_sent(struct osspi_extension *place, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = NULL;

    if (len > 0) {
        copy = osspi_memdup(bytes, len);
        if (!copy)
            return SEC_E_INSUFFICIENT_MEMORY;
    }
    osspi_free(place->bytes);
    place->bytes = copy;
    place->len = len;
    return SEC_E_OK;
}

/* The first leg decides which code points there are. It may be here a second time. */
static SECURITY_STATUS take_first(struct osspi_extensions *extensions, const struct wish *wish)
{
    SECURITY_STATUS status = SEC_E_OK;

    for (size_t i = 0; status == SEC_E_OK && i < wish->send_count; i++) {
        extensions->sent[i].type = wish->send[i].type;
        if (extensions->sent_count <= i)
            extensions->sent_count = i + 1;
        status = set_sent(&extensions->sent[i], wish->send[i].bytes, wish->send[i].len);
    }
    return status;
}

static SECURITY_STATUS take_later(struct osspi_extensions *extensions, const struct wish *wish,
                                  bool server)
{
    for (size_t i = 0; i < wish->send_count; i++) {
        size_t at = 0;
        SECURITY_STATUS status = SEC_E_OK;

        while (at < extensions->sent_count && extensions->sent[at].type != wish->send[i].type)
            at++;
        if (at == extensions->sent_count)
            return SEC_E_UNSUPPORTED_FUNCTION;
        if (server)
            status = set_sent(&extensions->sent[at], wish->send[i].bytes, wish->send[i].len);
        if (status != SEC_E_OK)
            return status;
    }
    return SEC_E_OK;
}

/* What has come stays, if it is still asked for. */
static void ask(struct osspi_extensions *extensions, const struct wish *wish)
{
    struct osspi_extension kept[SCH_MAX_EXT_SUBSCRIPTIONS] = {{0}};

    if (wish->ask_count == 0)
        return;
    for (size_t i = 0; i < wish->ask_count; i++) {
        kept[i].type = wish->ask[i];
        for (size_t k = 0; k < extensions->asked_count; k++) {
            if (extensions->received[k].type == wish->ask[i]) {
                kept[i] = extensions->received[k];
                extensions->received[k].bytes = NULL;
            }
        }
    }
    for (size_t k = 0; k < extensions->asked_count; k++)
        osspi_free(extensions->received[k].bytes);
    memcpy(extensions->received, kept, sizeof(kept));
    extensions->asked_count = wish->ask_count;
}

SECURITY_STATUS osspi_extension_take(struct osspi_leg_run *run)
{
    struct osspi_handshake *handshake = run->sc->handshake;
    struct wish wish;
    SECURITY_STATUS status = read_wish(&run->in.buffers, run->sc->server, &wish);

    if (status != SEC_E_OK || (wish.send_count == 0 && wish.ask_count == 0))
        return status;
    if (run->sc->kind == OSSPI_KIND_DATAGRAM)
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (!handshake || osspi_schannel_established(run->sc)) /* it is too late for any of it */
        return SEC_E_OK;
    if (!handshake->extensions)
        handshake->extensions = osspi_alloc(sizeof(*handshake->extensions));
    if (!handshake->extensions)
        return SEC_E_INSUFFICIENT_MEMORY;
    status = run->sc->tls || run->sc->record
                 ? take_later(handshake->extensions, &wish, run->sc->server)
                 : take_first(handshake->extensions, &wish);
    if (status != SEC_E_OK)
        return status;
    ask(handshake->extensions, &wish);
    if (run->sc->tls)
        osspi_tls_watch_extensions(run->sc->tls, handshake->extensions);
    return SEC_E_OK;
}

/* ---- what the peer has sent ---- */

static size_t report_len(const struct osspi_extensions *extensions)
{
    size_t len = 0;

    for (size_t i = 0; i < extensions->asked_count; i++) {
        if (extensions->received[i].there)
            len += 4 + extensions->received[i].len;
    }
    return len;
}

/* As on the wire: type, length, content (RFC 8446, 4.2). */
static void write_report(const struct osspi_extensions *extensions, uint8_t *out)
{
    for (size_t i = 0; i < extensions->asked_count; i++) {
        const struct osspi_extension *extension = &extensions->received[i];

        if (!extension->there)
            continue;
        out[0] = (uint8_t)(extension->type >> 8);
        out[1] = (uint8_t)extension->type;
        out[2] = (uint8_t)(extension->len >> 8);
        out[3] = (uint8_t)extension->len;
        if (extension->len > 0)
            memcpy(out + 4, extension->bytes, extension->len);
        out += 4 + extension->len;
    }
}

static SECURITY_STATUS give(const struct osspi_leg_run *run, SecBuffer *buffer,
                            const uint8_t *report, size_t len)
{
    const ULONG type = SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION;

    if (!buffer)
        return SEC_E_INSUFFICIENT_BUFFERS;
    if ((buffer->pvBuffer && buffer->cbBuffer < len) || (!buffer->pvBuffer && !run->out.allocate)) {
        buffer->cbBuffer = (ULONG)len;
        return SEC_E_EXT_BUFFER_TOO_SMALL;
    }
    return osspi_buffer_give(buffer, type, report, len, false, SEC_E_EXT_BUFFER_TOO_SMALL);
}

/* Where memory of the input served as room for the report, the input has changed. On a private copy
 * of the buffers that does not show; there it is taken for granted that both begin at one place. */
static uint64_t painted(const struct osspi_leg_run *run, size_t consumed, uint64_t before,
                        const uint8_t *report, size_t len)
{
    const uint64_t now = osspi_input_checksum(run->in.bytes, consumed);

    if (now != before || len > consumed)
        return now;
    return osspi_input_checksum_on(osspi_input_checksum(report, len), run->in.bytes + len,
                                   consumed - len);
}

SECURITY_STATUS osspi_extension_report(struct osspi_leg_run *run, bool done, size_t consumed,
                                       uint64_t *ret_painted)
{
    struct osspi_extensions *extensions =
        run->sc->handshake ? run->sc->handshake->extensions : NULL;
    uint8_t *report osspi_auto(osspi_freep) = NULL;
    uint64_t before;
    SECURITY_STATUS status;
    size_t len;

    if (!extensions || extensions->reported || !(done || run->sc->server) ||
        !osspi_buffers_find(&run->in.buffers, SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION))
        return SEC_E_OK;
    len = report_len(extensions);
    if (len == 0)
        return SEC_E_OK;
    report = osspi_alloc(len);
    if (!report)
        return SEC_E_INSUFFICIENT_MEMORY;
    write_report(extensions, report);
    before = osspi_input_checksum(run->in.bytes, consumed);
    status =
        give(run, osspi_buffers_find(&run->leg->out, SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION),
             report, len);
    if (status != SEC_E_OK)
        return status;
    extensions->reported = true;
    *ret_painted = painted(run, consumed, before, report, len);
    /* Nothing of the input counts as taken, and nothing else is handed out. */
    (void)osspi_leg_output_failure(&run->out, NULL, 0);
    osspi_leg_report(run, 0);
    return SEC_I_GENERIC_EXTENSION_RECEIVED;
}
