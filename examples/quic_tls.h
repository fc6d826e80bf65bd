/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * TLS for a QUIC client: what stands between libngtcp2 and SSPI's message mode. http3.c uses it.
 *
 *  quic_tls_open     credential and completion queue; then poll OsspiCompletionQueueFd(queue)
 *  quic_tls_start    the first leg, which makes the ClientHello; ngtcp2 may send once it is done
 *  quic_tls_initial  keys for the first packets; from ngtcp2's client_initial
 *  quic_tls_receive  handshake messages have come; from ngtcp2's recv_crypto_data
 *  quic_tls_close    frees all
 *
 * A leg is computed on a thread of the library; on_leg_done then runs in OsspiDrainCompletions and
 * gives ngtcp2 keys and messages. While a leg is under way (busy) its buffers are the library's:
 * read no further datagram then. When `failed` is set, the connection is to be closed with the TLS
 * alert that quic_tls_alert gives. One thread; no locks.
 */
#ifndef OPENSSPI_EXAMPLES_QUIC_TLS_H
#define OPENSSPI_EXAMPLES_QUIC_TLS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include <opensspi.h>
#include <schannel.h>

/* ngtcp2 has other names for a few things since 1.0. */
#if NGTCP2_VERSION_NUM < 0x010000
#define ngtcp2_encryption_level             ngtcp2_crypto_level
#define NGTCP2_ENCRYPTION_LEVEL_INITIAL     NGTCP2_CRYPTO_LEVEL_INITIAL
#define NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE   NGTCP2_CRYPTO_LEVEL_HANDSHAKE
#define NGTCP2_ENCRYPTION_LEVEL_1RTT        NGTCP2_CRYPTO_LEVEL_APPLICATION
#define ngtcp2_conn_tls_handshake_completed ngtcp2_conn_handshake_completed
#define ngtcp2_conn_decode_and_set_remote_transport_params \
    ngtcp2_conn_decode_remote_transport_params
#endif

enum { QUIC_PARAMS = 0x39 /* the extension quic_transport_parameters */, QUIC_SECRETS = 4 };
enum { QUIC_SECRET_SIZE = sizeof(SEC_TRAFFIC_SECRETS) + 64 };
enum quic_level { QUIC_INITIAL, QUIC_HANDSHAKE, QUIC_APPLICATION };

static const ngtcp2_encryption_level quic_level[] = {NGTCP2_ENCRYPTION_LEVEL_INITIAL,
                                                     NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE,
                                                     NGTCP2_ENCRYPTION_LEVEL_1RTT};

struct quic_tls {
    const char *host;
    const uint8_t *alpn; /* a SEC_APPLICATION_PROTOCOLS */
    ULONG alpn_size;
    ngtcp2_conn *quic;
    OsspiCompletionQueue *queue;
    SspiAsyncContext *call; /* one leg at a time */
    CredHandle credential;
    CtxtHandle context;
    SECURITY_STATUS status; /* of the last leg */
    bool busy, complete, failed, params_known, closing;
    enum quic_level reads, writes; /* the newest keys in each direction */
    /* Where in all that TLS has ever put out the later levels begin. */
    size_t total, handshake_from, application_from;
    uint8_t last_own[64];

    /* What a leg works on. */
    SecBuffer in[6], out[3 + QUIC_SECRETS];
    SecBufferDesc input, output;
    SEC_FLAGS flags;
    SUBSCRIBE_GENERIC_TLS_EXTENSION wanted;
    ULONG granted;
    size_t have; /* bytes of crypto: handshake messages that have not been consumed */
    uint8_t crypto[32768], token[16384], alert[2], extension[1024];
    _Alignas(SEND_GENERIC_TLS_EXTENSION) uint8_t params[512];
    _Alignas(SEC_TRAFFIC_SECRETS) uint8_t secrets[QUIC_SECRETS][QUIC_SECRET_SIZE];
};

/** The alert that says why it failed. In QUIC it is no message but the reason of a close. */
static inline uint8_t quic_tls_alert(const struct quic_tls *tls)
{
    const SecBuffer *alert = &tls->out[1];
    return alert->pvBuffer && alert->cbBuffer == 2 ? tls->alert[1] : TLS1_ALERT_INTERNAL_ERROR;
}

/* The same buffers in each leg, but for those that are not needed any more. */
static inline void quic_tls_leg(struct quic_tls *tls)
{
    SEND_GENERIC_TLS_EXTENSION *params = (void *)tls->params;
    ULONG params_size = offsetof(SEND_GENERIC_TLS_EXTENSION, Buffer) + params->BufferSize;
    bool first = !SecIsValidHandle(&tls->context);
    SecBuffer *in = tls->in, *out = tls->out;
    if (!first) {
        *in++ = (SecBuffer){(ULONG)tls->have, SECBUFFER_TOKEN, tls->crypto};
        *in++ = (SecBuffer){0, SECBUFFER_EMPTY, NULL}; /* for EXTRA */
    }
    tls->flags.Flags = ISC_REQ_MESSAGES;
    *in++ = (SecBuffer){sizeof(tls->flags), SECBUFFER_FLAGS, &tls->flags};
    if (first)
        *in++ = (SecBuffer){tls->alpn_size, SECBUFFER_APPLICATION_PROTOCOLS,
                            (uint8_t *)(uintptr_t)tls->alpn};
    if (!tls->complete)
        *in++ = (SecBuffer){params_size, SECBUFFER_SEND_GENERIC_TLS_EXTENSION, params};
    *out++ = (SecBuffer){sizeof(tls->token), SECBUFFER_TOKEN, tls->token};
    *out++ = (SecBuffer){sizeof(tls->alert), SECBUFFER_ALERT, tls->alert};
    for (int i = 0; i < QUIC_SECRETS; i++)
        *out++ = (SecBuffer){QUIC_SECRET_SIZE, SECBUFFER_TRAFFIC_SECRETS, tls->secrets[i]};
    if (!first && !tls->params_known) {
        *in++ = (SecBuffer){sizeof(tls->wanted), SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION,
                            &tls->wanted};
        *out++ = (SecBuffer){sizeof(tls->extension), SECBUFFER_SUBSCRIBE_GENERIC_TLS_EXTENSION,
                             tls->extension};
    }
    tls->input = (SecBufferDesc){SECBUFFER_VERSION, (ULONG)(in - tls->in), tls->in};
    tls->output = (SecBufferDesc){SECBUFFER_VERSION, (ULONG)(out - tls->out), tls->out};
    SspiReinitAsyncContext(tls->call);
    tls->status = SspiInitializeSecurityContextAsyncA(
        tls->call, &tls->credential, first ? NULL : &tls->context, (LPSTR)(uintptr_t)tls->host, 0,
        0, 0, &tls->input, 0, &tls->context, &tls->output, &tls->granted, NULL);
    tls->busy = tls->status == SEC_E_OK;
    tls->failed = !tls->busy; /* it was not queued, and no callback will come */
}

static inline bool quic_tls_is(const WCHAR *text, const WCHAR *name)
{
    while (*text && *text == *name)
        text++, name++;
    return *text == *name;
}

/* A secret says what it is for: AES-GCM or ChaCha20-Poly1305. */
static inline void quic_tls_set_cipher(struct quic_tls *tls, const SEC_TRAFFIC_SECRETS *secret)
{
    bool aes = quic_tls_is(secret->SymmetricAlgId, u"AES"), small = secret->KeySize == 16;
    bool sha256 = quic_tls_is(secret->HashAlgId, u"SHA256");
    uintptr_t aead = !aes    ? GNUTLS_CIPHER_CHACHA20_POLY1305
                     : small ? GNUTLS_CIPHER_AES_128_GCM
                             : GNUTLS_CIPHER_AES_256_GCM;
    uintptr_t header = !aes    ? GNUTLS_CIPHER_CHACHA20_32
                       : small ? GNUTLS_CIPHER_AES_128_CBC
                               : GNUTLS_CIPHER_AES_256_CBC;
    uintptr_t hash = sha256 ? GNUTLS_MAC_SHA256 : GNUTLS_MAC_SHA384;
    ngtcp2_crypto_ctx cipher = {.aead = {(void *)aead, 16},
                                .md = {(void *)hash},
                                .hp = {(void *)header},
                                .max_encryption = 1 << 23, /* RFC 9001, 6.6 */
                                .max_decryption_failure = 1ull << 36};
    ngtcp2_conn_set_crypto_ctx(tls->quic, &cipher);
}

/* Secrets come in their order: the handshake's, then the application's. */
static inline bool quic_tls_take_secret(struct quic_tls *tls, const SEC_TRAFFIC_SECRETS *secret)
{
    const uint8_t *bytes = secret->TrafficSecret;
    size_t len = secret->TrafficSecretSize;
    if (len > sizeof(tls->last_own))
        return false;
    quic_tls_set_cipher(tls, secret);
    if (secret->TrafficSecretType == SecTrafficSecret_Server)
        return tls->reads++ < QUIC_APPLICATION &&
               ngtcp2_crypto_derive_and_install_rx_key(tls->quic, NULL, NULL, NULL,
                                                       quic_level[tls->reads], bytes, len) == 0;
    if (tls->writes == QUIC_HANDSHAKE && memcmp(tls->last_own, bytes, len) == 0) {
        /* The handshake's once more: only now is it known where it ends. */
        tls->application_from = tls->total + secret->MsgSequenceEnd;
        return true;
    }
    if (tls->writes == QUIC_INITIAL)
        tls->handshake_from = tls->total + secret->MsgSequenceStart;
    memcpy(tls->last_own, bytes, len);
    return tls->writes++ < QUIC_APPLICATION &&
           ngtcp2_crypto_derive_and_install_tx_key(tls->quic, NULL, NULL, NULL,
                                                   quic_level[tls->writes], bytes, len) == 0;
}

static inline enum quic_level quic_tls_level_at(const struct quic_tls *tls, size_t offset)
{
    return offset >= tls->application_from ? QUIC_APPLICATION
           : offset >= tls->handshake_from ? QUIC_HANDSHAKE
                                           : QUIC_INITIAL;
}

/* First the keys, then the messages that want them. */
static inline bool quic_tls_take_output(struct quic_tls *tls)
{
    size_t len = tls->out[0].cbBuffer;
    for (int i = 0; i < QUIC_SECRETS; i++) {
        const SEC_TRAFFIC_SECRETS *secret = (const void *)tls->secrets[i];
        if (secret->TrafficSecretType != SecTrafficSecret_None &&
            !quic_tls_take_secret(tls, secret))
            return false;
    }
    for (size_t at = 0, next; at < len; at = next) {
        enum quic_level level = quic_tls_level_at(tls, tls->total + at);
        for (next = at + 1; next < len && quic_tls_level_at(tls, tls->total + next) == level;)
            next++;
        if (ngtcp2_conn_submit_crypto_data(tls->quic, quic_level[level], tls->token + at,
                                           next - at) != 0)
            return false;
    }
    tls->total += len;
    return true;
}

static inline bool quic_tls_take_params(struct quic_tls *tls)
{
    const SecBuffer *got = &tls->out[2 + QUIC_SECRETS];
    /* Its first four bytes are the extension's own type and length. */
    tls->params_known =
        got->cbBuffer >= 4 && ngtcp2_conn_decode_and_set_remote_transport_params(
                                  tls->quic, tls->extension + 4, got->cbBuffer - 4) == 0;
    return tls->params_known;
}

static inline void quic_tls_on_leg_done(SspiAsyncContext *call, void *data)
{
    struct quic_tls *tls = data;
    size_t given = tls->in[0].cbBuffer, extra = 0;
    bool first = tls->in[0].BufferType != SECBUFFER_TOKEN;
    tls->busy = false;
    tls->status = SspiGetAsyncCallStatus(call);
    if (tls->closing)
        return;
    switch (tls->status) {
    case SEC_E_INCOMPLETE_MESSAGE:
        if (tls->have > given)
            quic_tls_leg(tls); /* more has come meanwhile */
        return;
    case SEC_I_GENERIC_EXTENSION_RECEIVED: /* the same bytes go on */
        tls->failed = !quic_tls_take_params(tls);
        if (!tls->failed)
            quic_tls_leg(tls);
        return;
    case SEC_I_INCOMPLETE_CREDENTIALS: /* the same bytes go on without a certificate */
        quic_tls_leg(tls);
        return;
    case SEC_E_OK:
    case SEC_I_CONTINUE_NEEDED:
        break;
    default:
        tls->failed = true;
        return;
    }
    if (!first) {
        if (tls->in[1].BufferType == SECBUFFER_EXTRA)
            extra = tls->in[1].cbBuffer;
        tls->have -= given - extra;
        memmove(tls->crypto, tls->crypto + given - extra, tls->have);
    }
    tls->failed = !quic_tls_take_output(tls);
    if (!tls->failed && tls->status == SEC_E_OK && !tls->complete) {
        tls->complete = true;
        ngtcp2_conn_tls_handshake_completed(tls->quic);
    }
    if (!tls->failed && tls->have > 0)
        quic_tls_leg(tls);
}

/** False: one of them could not be had. Close it then, too. */
static inline bool quic_tls_open(struct quic_tls *tls, const char *host, const void *alpn,
                                 size_t alpn_size)
{
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION};
    memset(tls, 0, sizeof(*tls));
    tls->host = host;
    tls->alpn = alpn;
    tls->alpn_size = (ULONG)alpn_size;
    tls->handshake_from = tls->application_from = SIZE_MAX;
    tls->wanted.SubscriptionsCount = 1;
    tls->wanted.Subscriptions[0] = (TLS_EXTENSION_SUBSCRIPTION){
        .ExtensionType = QUIC_PARAMS, .HandshakeType = 8 /* EncryptedExtensions */};
    SecInvalidateHandle(&tls->context);
    SecInvalidateHandle(&tls->credential);
    tls->call = SspiCreateAsyncContext();
    return SspiSetAsyncNotifyCallback(tls->call, quic_tls_on_leg_done, tls) == SEC_E_OK &&
           OsspiCreateCompletionQueue(&tls->queue) == SEC_E_OK &&
           OsspiSetCompletionQueue(tls->call, tls->queue) == SEC_E_OK &&
           AcquireCredentialsHandleA(NULL, UNISP_NAME_A, SECPKG_CRED_OUTBOUND, NULL, &auth, NULL,
                                     NULL, &tls->credential, NULL) == SEC_E_OK;
}

/** False: it could not be queued. */
static inline bool quic_tls_start(struct quic_tls *tls, ngtcp2_conn *quic)
{
    SEND_GENERIC_TLS_EXTENSION *params = (void *)tls->params;
    size_t room = sizeof(tls->params) - offsetof(SEND_GENERIC_TLS_EXTENSION, Buffer);
    ngtcp2_ssize len = ngtcp2_conn_encode_local_transport_params(quic, params->Buffer, room);
    if (len < 0)
        return false;
    params->ExtensionType = QUIC_PARAMS;
    params->HandshakeType = 1; /* goes with the ClientHello */
    params->BufferSize = (WORD)len;
    tls->quic = quic;
    quic_tls_leg(tls);
    return !tls->failed;
}

/** From ngtcp2's client_initial; what it answers. Of the helpers for clients this one makes the
 * keys for Initial packets and nothing else. */
static inline int quic_tls_initial(ngtcp2_conn *quic)
{
    ngtcp2_pkt_hd header = {.scid = *ngtcp2_conn_get_dcid(quic)};
    return ngtcp2_crypto_recv_retry_cb(quic, &header, NULL);
}

/** From ngtcp2's recv_crypto_data; what it answers. */
static inline int quic_tls_receive(struct quic_tls *tls, ngtcp2_encryption_level level,
                                   const uint8_t *bytes, size_t len)
{
    enum quic_level expected = tls->complete ? QUIC_APPLICATION : tls->reads;
    if (level != quic_level[expected] || len > sizeof(tls->crypto) - tls->have) {
        ngtcp2_conn_set_tls_alert(tls->quic, TLS1_ALERT_UNEXPECTED_MESSAGE);
        return NGTCP2_ERR_CRYPTO;
    }
    memcpy(tls->crypto + tls->have, bytes, len); /* behind what a leg that is under way was given */
    tls->have += len;
    if (!tls->busy && !tls->failed)
        quic_tls_leg(tls);
    return 0;
}

/** Waits for a leg that is under way. */
static inline void quic_tls_close(struct quic_tls *tls)
{
    tls->closing = true;
    while (tls->busy) {
        struct pollfd item = {OsspiCompletionQueueFd(tls->queue), POLLIN, 0};
        poll(&item, 1, -1);
        OsspiDrainCompletions(tls->queue, 0);
    }
    DeleteSecurityContext(&tls->context);
    FreeCredentialsHandle(&tls->credential);
    SspiFreeAsyncContext(tls->call);
    OsspiCloseCompletionQueue(tls->queue);
    explicit_bzero(tls->secrets, sizeof(tls->secrets));
    explicit_bzero(tls->last_own, sizeof(tls->last_own));
}

#endif
