/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handshakes through SSPI; see tls_sspi.h. A pair is used by one thread at a time; which one may
 * change from leg to leg.
 */
#include "tls_sspi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_FLAGS \
    (ISC_REQ_CONFIDENTIALITY | ISC_REQ_REPLAY_DETECT | ISC_REQ_SEQUENCE_DETECT | ISC_REQ_STREAM)
#define SERVER_FLAGS \
    (ASC_REQ_CONFIDENTIALITY | ASC_REQ_REPLAY_DETECT | ASC_REQ_SEQUENCE_DETECT | ASC_REQ_STREAM)

#define X25519      29   /* IANA's number of the group */
#define SSPI_RECORD 1024 /* bytes in a record of sspi_pair_exchange() */

/* --- Configuration --- */

static WCHAR aes[] = u"AES", chacha20[] = u"CHACHA20_POLY1305"; /* constant */

/* What leaves only one cipher: AES of one key length, or none of AES. Returns how many entries. */
static DWORD disable_others(enum bench_cipher cipher, CRYPTO_SETTINGS settings[2])
{
    DWORD bits = cipher == BENCH_AES_128_GCM ? 128 : cipher == BENCH_AES_256_GCM ? 256 : 0;

    settings[0] = (CRYPTO_SETTINGS){.eAlgorithmUsage = TlsParametersCngAlgUsageCipher,
                                    .strCngAlgId = {sizeof(aes) - sizeof(WCHAR), sizeof(aes), aes},
                                    .dwMinBitLength = bits,
                                    .dwMaxBitLength = bits};
    settings[1] = (CRYPTO_SETTINGS){
        .eAlgorithmUsage = TlsParametersCngAlgUsageCipher,
        .strCngAlgId = {sizeof(chacha20) - sizeof(WCHAR), sizeof(chacha20), chacha20}};
    return cipher == BENCH_ANY_CIPHER ? 0 : cipher == BENCH_CHACHA20 ? 1 : 2;
}

static void acquire(struct sspi_engine *engine, bool server, PCCERT_CONTEXT cert)
{
    CRYPTO_SETTINGS settings[2];
    TLS_PARAMETERS parameters = {
        .grbitDisabledProtocols = engine->tls.tls12 ? ~SP_PROT_TLS1_2 : ~SP_PROT_TLS1_3,
        .cDisabledCrypto = disable_others(engine->tls.cipher, settings),
        .pDisabledCrypto = settings,
    };
    SCH_CREDENTIALS auth = {
        .dwVersion = SCH_CREDENTIALS_VERSION,
        .dwFlags = server ? 0 : SCH_CRED_NO_DEFAULT_CREDS,
        .cTlsParameters = 1,
        .pTlsParameters = &parameters,
        .cCreds = cert ? 1 : 0,
        .paCred = cert ? &cert : NULL,
    };

    if (!engine->tls.resumed)
        auth.dwFlags |= SCH_CRED_DISABLE_RECONNECTS;
    if (!engine->tls.verify && !server)
        auth.dwFlags |= SCH_CRED_MANUAL_CRED_VALIDATION;
    if (AcquireCredentialsHandleA(
            NULL, UNISP_NAME_A, server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, NULL, &auth,
            NULL, NULL, server ? &engine->server : &engine->client, NULL) != SEC_E_OK)
        bench_die("no credential");
}

void sspi_engine_open(struct sspi_engine *engine, const struct bench_tls *tls, enum sspi_way way,
                      OsspiOptions options)
{
    struct bench_certs certs = bench_certs_paths(tls->folder, tls->rsa);

    options.cbSize = sizeof(options);
    options.trust_file = certs.authority;
    if (OsspiConfigure(&options) != SEC_E_OK)
        bench_die("the library cannot be set up");
    sspi_engine_add(engine, tls, way);
}

void sspi_engine_add(struct sspi_engine *engine, const struct bench_tls *tls, enum sspi_way way)
{
    struct bench_certs certs = bench_certs_paths(tls->folder, tls->rsa);
    PCCERT_CONTEXT cert;

    *engine = (struct sspi_engine){.tls = *tls, .way = way};
    if (OsspiLoadCertificate(certs.chain, tls->key ? tls->key : certs.key, tls->pin, &cert) !=
        SEC_E_OK)
        bench_die("the library does not take the certificate");
    acquire(engine, true, cert);
    acquire(engine, false, NULL);
    CertFreeCertificateContext(cert);
    if (way == SSPI_QUEUE && OsspiCreateCompletionQueue(&engine->queue) != SEC_E_OK)
        bench_die("no completion queue");
}

/* --- A leg --- */

static void on_done(SspiAsyncContext *call, void *data);

static void init_end(struct sspi_end *end, struct sspi_pair *pair, struct sspi_end *other,
                     bool server)
{
    end->pair = pair;
    end->other = other;
    end->server = server;
    end->token = malloc(SSPI_TOKEN_MAX);
    end->in_desc = (SecBufferDesc){SECBUFFER_VERSION, 2, end->in};
    end->out_desc = (SecBufferDesc){SECBUFFER_VERSION, 1, end->out};
    SecInvalidateHandle(&end->context);
    if (pair->engine->way != SSPI_INLINE)
        end->call = SspiCreateAsyncContext();
    if (!end->token || (pair->engine->way != SSPI_INLINE &&
                        SspiSetAsyncNotifyCallback(end->call, on_done, end) != SEC_E_OK))
        bench_die("out of memory");
    if (pair->engine->way == SSPI_QUEUE)
        OsspiSetCompletionQueue(end->call, pair->engine->queue);
}

void sspi_pair_init(struct sspi_pair *pair, struct sspi_engine *engine, unsigned number)
{
    *pair = (struct sspi_pair){.engine = engine};
    snprintf(pair->host, sizeof(pair->host), "p%u.bench.test", number);
    init_end(&pair->client, pair, &pair->server, false);
    init_end(&pair->server, pair, &pair->client, true);
}

void sspi_pair_start(struct sspi_pair *pair)
{
    pair->client.established = pair->server.established = false;
    pair->client.token_len = pair->server.token_len = 0;
    pair->turn = &pair->client;
}

static ULONG flags_of(const struct sspi_end *end)
{
    if (end->server)
        return SERVER_FLAGS;
    return CLIENT_FLAGS |
           (end->pair->engine->tls.verify ? ISC_REQ_MUTUAL_AUTH : ISC_REQ_MANUAL_CRED_VALIDATION);
}

/* Makes the leg, or queues it. */
static SECURITY_STATUS make_leg(struct sspi_end *end)
{
    struct sspi_engine *engine = end->pair->engine;
    PCtxtHandle context = SecIsValidHandle(&end->context) ? &end->context : NULL;
    PSecBufferDesc in = context || end->server ? &end->in_desc : NULL;
    char *host = end->pair->host;

    end->in[0] = (SecBuffer){end->other->token_len, SECBUFFER_TOKEN, end->other->token};
    end->in[1] = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    end->out[0] = (SecBuffer){SSPI_TOKEN_MAX, SECBUFFER_TOKEN, end->token};
    if (engine->way != SSPI_INLINE) {
        SspiReinitAsyncContext(end->call);
        if (end->server)
            return SspiAcceptSecurityContextAsync(end->call, &engine->server, context, in,
                                                  flags_of(end), 0, &end->context, &end->out_desc,
                                                  &end->attributes, NULL);
        return SspiInitializeSecurityContextAsyncA(end->call, &engine->client, context, host,
                                                   flags_of(end), 0, 0, in, 0, &end->context,
                                                   &end->out_desc, &end->attributes, NULL);
    }
    if (end->server)
        return AcceptSecurityContext(&engine->server, context, in, flags_of(end), 0, &end->context,
                                     &end->out_desc, &end->attributes, NULL);
    return InitializeSecurityContextA(&engine->client, context, host, flags_of(end), 0, 0, in, 0,
                                      &end->context, &end->out_desc, &end->attributes, NULL);
}

/* The client of TLS 1.3 finds its ticket behind the handshake: a message that asks for a leg. */
static void read_ticket(struct sspi_end *client)
{
    struct sspi_end *server = client->other;
    SecBuffer buffers[4] = {{server->token_len, SECBUFFER_DATA, server->token},
                            {0, SECBUFFER_EMPTY, NULL},
                            {0, SECBUFFER_EMPTY, NULL},
                            {0, SECBUFFER_EMPTY, NULL}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};

    if (DecryptMessage(&client->context, &message, 0, NULL) != SEC_I_RENEGOTIATE)
        bench_die("this is no ticket");
}

/* Takes the result of a leg; true: both ends are established and there is nothing to read. */
static bool take_leg(struct sspi_end *end, SECURITY_STATUS status)
{
    struct sspi_end *other = end->other;

    if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED) {
        char detail[256] = "";

        if (SecIsValidHandle(&end->context))
            OsspiGetErrorDetail(&end->context, detail, sizeof(detail));
        bench_die("a leg of the %s ended with %s: %s", end->server ? "server" : "client",
                  OsspiStatusName(status), detail);
    }
    if (end->in[1].BufferType == SECBUFFER_EXTRA)
        bench_die("a leg left bytes over");
    other->token_len = 0;
    end->token_len = end->out[0].cbBuffer;
    end->established = status == SEC_E_OK;
    end->pair->turn = end->token_len > 0 ? other : end;
    if (!end->established || !other->established)
        return false;
    if (end->token_len == 0)
        return true;
    if (end->server)
        read_ticket(other);
    return false;
}

bool sspi_pair_step(struct sspi_pair *pair)
{
    struct sspi_end *end = pair->turn;

    return take_leg(end, make_leg(end));
}

static void on_done(SspiAsyncContext *call, void *data)
{
    struct sspi_end *end = data;

    if (!atomic_exchange(&end->awaits, false))
        bench_die("a callback came twice");
    end->pair->callbacks++;
    if (take_leg(end, SspiGetAsyncCallStatus(call)))
        end->pair->finished(end->pair);
    else
        sspi_pair_go(end->pair);
}

void sspi_pair_go(struct sspi_pair *pair)
{
    SECURITY_STATUS status;

    if (atomic_exchange(&pair->turn->awaits, true))
        bench_die("a leg began before the last one's callback");
    pair->calls++;
    status = make_leg(pair->turn);
    if (status != SEC_E_OK)
        bench_die("a leg was refused: %s", OsspiStatusName(status));
}

/* --- Records --- */

static void send_record(struct sspi_end *from, struct sspi_end *to)
{
    static const unsigned char bytes[SSPI_RECORD];
    struct sspi_sizes sizes = sspi_sizes(&from->context);
    unsigned char *memory = malloc(sizes.header + sizeof(bytes) + sizes.trailer);
    size_t len;

    if (!memory)
        bench_die("out of memory");
    memcpy(memory + sizes.header, bytes, sizeof(bytes));
    len = sspi_seal(&from->context, &sizes, memory, sizeof(bytes));
    sspi_open(&to->context, memory, len, sizeof(bytes));
    free(memory);
}

void sspi_pair_exchange(struct sspi_pair *pair)
{
    send_record(&pair->client, &pair->server);
    send_record(&pair->server, &pair->client);
}

struct sspi_sizes sspi_sizes(CtxtHandle *context)
{
    SecPkgContext_StreamSizes sizes;

    if (QueryContextAttributesA(context, SECPKG_ATTR_STREAM_SIZES, &sizes) != SEC_E_OK)
        bench_die("no sizes");
    return (struct sspi_sizes){sizes.cbHeader, sizes.cbTrailer};
}

size_t sspi_seal(CtxtHandle *context, const struct sspi_sizes *sizes, unsigned char *memory,
                 size_t len)
{
    SecBuffer buffers[3] = {
        {sizes->header, SECBUFFER_STREAM_HEADER, memory},
        {(ULONG)len, SECBUFFER_DATA, memory + sizes->header},
        {sizes->trailer, SECBUFFER_STREAM_TRAILER, memory + sizes->header + len}};
    SecBufferDesc message = {SECBUFFER_VERSION, 3, buffers};
    SECURITY_STATUS status = EncryptMessage(context, 0, &message, 0);

    /* What is not filled of a buffer would be a gap; there is none without answers in front. */
    if (status != SEC_E_OK || buffers[0].cbBuffer != sizes->header || buffers[1].cbBuffer != len)
        bench_die("a record is not sealed: %s", OsspiStatusName(status));
    return sizes->header + len + buffers[2].cbBuffer;
}

void sspi_open(CtxtHandle *context, unsigned char *record, size_t record_len, size_t len)
{
    SecBuffer buffers[4] = {{(ULONG)record_len, SECBUFFER_DATA, record},
                            {0, SECBUFFER_EMPTY, NULL},
                            {0, SECBUFFER_EMPTY, NULL},
                            {0, SECBUFFER_EMPTY, NULL}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status = DecryptMessage(context, &message, 0, NULL);

    if (status != SEC_E_OK || buffers[1].cbBuffer != len ||
        buffers[3].BufferType != SECBUFFER_EMPTY)
        bench_die("a record is not opened: %s", OsspiStatusName(status));
}

/* --- The end of a pair --- */

static void delete_context(struct sspi_end *end)
{
    if (!SecIsValidHandle(&end->context))
        return;
    if (end->pair->engine->way == SSPI_QUEUE) {
        SspiAsyncContext *call = SspiCreateAsyncContext();

        SspiDeleteSecurityContextAsync(call, &end->context);
        SspiFreeAsyncContext(call);
    } else {
        DeleteSecurityContext(&end->context);
    }
    SecInvalidateHandle(&end->context);
}

void sspi_pair_end(struct sspi_pair *pair)
{
    delete_context(&pair->client);
    delete_context(&pair->server);
    pair->turn = NULL;
}

/* --- What was negotiated --- */

static void describe(struct sspi_pair *pair, char *ret_text, size_t size)
{
    SecPkgContext_CipherInfo cipher = {.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1};
    SecPkgContext_SessionInfo session = {0};

    QueryContextAttributesA(&pair->client.context, SECPKG_ATTR_CIPHER_INFO, &cipher);
    QueryContextAttributesA(&pair->client.context, SECPKG_ATTR_SESSION_INFO, &session);
    snprintf(ret_text, size, "%s, suite 0x%04x%s%s%s",
             pair->engine->tls.tls12 ? "TLSv1.2" : "TLSv1.3", (unsigned)cipher.dwCipherSuite,
             !pair->engine->tls.resumed && cipher.dwKeyType == X25519 ? ", X25519" : "",
             pair->client.attributes & ISC_RET_MUTUAL_AUTH ? ", verified" : "",
             session.dwFlags & SSL_SESSION_RECONNECT ? ", resumed" : "");
}

void sspi_describe(struct sspi_pair *pair, char *ret_text, size_t size)
{
    enum sspi_way way = pair->engine->way;

    pair->engine->way = SSPI_INLINE;
    for (int i = 0; i <= (int)pair->engine->tls.resumed; i++) {
        sspi_pair_start(pair);
        while (!sspi_pair_step(pair))
            ;
        describe(pair, ret_text, size);
        sspi_pair_end(pair);
    }
    pair->engine->way = way;
}
