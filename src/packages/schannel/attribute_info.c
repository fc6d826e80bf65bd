/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Attributes that describe the connection: protocol, suite, strengths, session, ALPN. Read from
 * facts that do not change; see attribute.c.
 */
#include <string.h>

#include "base/memory.h"
#include "base/utf.h"
#include "packages/schannel/context.h"

#define TLS13        0x0304
#define TLS10        0x0301
#define DTLS12       0xFEFD
#define FIRST_FFDHE  0x0100 /* TLS named groups of RFC 7919 */
#define LAST_FFDHE   0x01FF
#define ANY_EXCHANGE 65536 /* Windows' upper bound where a suite sets none */
#define ECDSA_FAMILY 0x03  /* SignatureScheme's low byte, RFC 5246, 7.4.1.4.1 */

/* The protocol as an SP_PROT_ bit; a client's bit follows the server's. */
static DWORD protocol_bit(const struct osspi_tls_facts *facts)
{
    DWORD bit = facts->datagram ? SP_PROT_DTLS1_2_SERVER
                                : (DWORD)SP_PROT_TLS1_0_SERVER << (facts->version - TLS10) * 2;

    return facts->server ? bit : bit << 1;
}

/* A TLS 1.3 suite names no key exchange: the group tells. */
static bool is_finite_field(const struct osspi_schannel_context *sc)
{
    const uint16_t group = osspi_schannel_facts(sc)->group;

    return group >= FIRST_FFDHE && group <= LAST_FFDHE;
}

/* Nobody asks often. */
static const struct osspi_suite *suite_of(const struct osspi_schannel_context *sc)
{
    return osspi_suite_find(
        osspi_schannel_facts(sc)->cipher_suite); /* it was there when the handshake ended */
}

static ALG_ID exchange_alg(const struct osspi_schannel_context *sc)
{
    const struct osspi_suite *suite = suite_of(sc);

    if (suite->exchange_alg)
        return suite->exchange_alg;
    return is_finite_field(sc) ? CALG_DH_EPHEM : CALG_ECDH_EPHEM;
}

static const char *exchange_name(const struct osspi_schannel_context *sc)
{
    const struct osspi_suite *suite = suite_of(sc);

    if (suite->exchange[0])
        return suite->exchange;
    return is_finite_field(sc) ? "DH" : "ECDH";
}

/* What signed the server's side of the handshake; TLS 1.2 has it in the suite. */
static const char *certificate_name(const struct osspi_schannel_context *sc)
{
    const struct osspi_suite *suite = suite_of(sc);
    const struct osspi_tls_facts *facts = osspi_schannel_facts(sc);
    uint16_t scheme = facts->server ? facts->local_signature_scheme : facts->peer_signature_scheme;

    if (suite->certificate[0])
        return suite->certificate;
    if (scheme == 0)
        return ""; /* resumed: nobody signed */
    if (scheme == 0x0807 || scheme == 0x0808)
        return "EDDSA";
    return scheme >> 8 < 0x08 && (scheme & 0xFF) == ECDSA_FAMILY ? "ECDSA" : "RSA";
}

/* Names are ASCII and shorter than the fields. */
static void put_name(WCHAR field[SZ_ALG_MAX_SIZE], const char *name)
{
    for (size_t i = 0; i < SZ_ALG_MAX_SIZE; i++) {
        field[i] = (WCHAR)(unsigned char)*name;
        if (*name && i < SZ_ALG_MAX_SIZE - 2)
            name++;
        else
            name = "";
    }
}

SECURITY_STATUS osspi_attribute_connection(struct osspi_schannel_context *sc, void *buffer)
{
    const struct osspi_suite *suite = suite_of(sc);

    *(SecPkgContext_ConnectionInfo *)buffer = (SecPkgContext_ConnectionInfo){
        .dwProtocol = protocol_bit(osspi_schannel_facts(sc)),
        .aiCipher = suite->cipher_alg,
        .dwCipherStrength = suite->cipher_bits,
        .aiHash = suite->hash_alg,
        .dwHashStrength = suite->hash_bits,
        .aiExch = exchange_alg(sc),
        .dwExchStrength = osspi_schannel_facts(sc)->group_bits,
    };
    return SEC_E_OK;
}

SECURITY_STATUS osspi_attribute_connection_ex(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_ConnectionInfoEx *info = buffer;
    const struct osspi_suite *suite = suite_of(sc);

    if (info->dwVersion != SECPKGCONTEXT_CONNECTION_INFO_EX_V1)
        return SEC_E_INVALID_PARAMETER;
    info->dwProtocol = protocol_bit(osspi_schannel_facts(sc));
    put_name(info->szCipher, suite->cipher);
    info->dwCipherStrength = suite->cipher_bits;
    put_name(info->szHash, suite->hash);
    info->dwHashStrength = suite->hash_bits;
    put_name(info->szExchange, exchange_name(sc));
    info->dwExchStrength = osspi_schannel_facts(sc)->group_bits;
    return SEC_E_OK;
}

SECURITY_STATUS osspi_attribute_cipher(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_CipherInfo *info = buffer;
    const struct osspi_suite *suite = suite_of(sc);

    /* The caller says which structure it has memory for. */
    if (info->dwVersion != SECPKGCONTEXT_CIPHERINFO_V1)
        return SEC_E_INVALID_PARAMETER;
    info->dwProtocol =
        osspi_schannel_facts(sc)->datagram ? DTLS12 : osspi_schannel_facts(sc)->version;
    info->dwCipherSuite = osspi_schannel_facts(sc)->cipher_suite;
    info->dwBaseCipherSuite = osspi_schannel_facts(sc)->cipher_suite;
    put_name(info->szCipherSuite, suite->iana_name);
    put_name(info->szCipher, suite->cipher);
    info->dwCipherLen = suite->cipher_bits;
    info->dwCipherBlockLen = suite->cipher_block;
    put_name(info->szHash, suite->hash);
    info->dwHashLen = suite->hash_bits;
    put_name(info->szExchange, exchange_name(sc));
    info->dwMinExchangeLen = 0;
    info->dwMaxExchangeLen = ANY_EXCHANGE;
    put_name(info->szCertificate, certificate_name(sc));
    info->dwKeyType = osspi_schannel_facts(sc)->group;
    return SEC_E_OK;
}

/* ---- KEY_INFO ---- */

static char *give_text(const char *text)
{
    char *copy = osspi_context_buffer_new(strlen(text) + 1);

    if (copy)
        memcpy(copy, text, strlen(text) + 1);
    return copy;
}

SECURITY_STATUS osspi_attribute_key(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_KeyInfoA *info = buffer;
    const struct osspi_suite *suite = suite_of(sc);
    /* What authenticates messages: a MAC, or the cipher itself. */
    char *signature = give_text(suite->aead ? suite->cipher : suite->hash);
    char *encrypt = give_text(suite->cipher);

    if (!signature || !encrypt) {
        (void)osspi_context_buffer_free(signature);
        (void)osspi_context_buffer_free(encrypt);
        return SEC_E_INSUFFICIENT_MEMORY;
    }
    *info = (SecPkgContext_KeyInfoA){
        .sSignatureAlgorithmName = signature,
        .sEncryptAlgorithmName = encrypt,
        .KeySize = suite->cipher_bits,
        .SignatureAlgorithm = suite->aead ? 0 : suite->hash_alg,
        .EncryptAlgorithm = suite->cipher_alg,
    };
    return SEC_E_OK;
}

/* ---- session and ALPN ---- */

SECURITY_STATUS osspi_attribute_session(struct osspi_schannel_context *sc, void *buffer)
{
    const struct osspi_tls_facts *facts = osspi_schannel_facts(sc);
    SecPkgContext_SessionInfo *info = buffer;

    *info = (SecPkgContext_SessionInfo){0};
    info->dwFlags = facts->resumed ? SSL_SESSION_RECONNECT : 0;
    if (facts->session_id_len > 0 && facts->session_id_len <= sizeof(info->rgbSessionId)) {
        info->cbSessionId = facts->session_id_len;
        memcpy(info->rgbSessionId, osspi_tls_facts_session_id(facts), facts->session_id_len);
    }
    return SEC_E_OK;
}

SECURITY_STATUS osspi_attribute_protocol(struct osspi_schannel_context *sc, void *buffer)
{
    const struct osspi_tls_facts *facts = osspi_schannel_facts(sc);
    SecPkgContext_ApplicationProtocol *protocol = buffer;

    *protocol = (SecPkgContext_ApplicationProtocol){0};
    if (facts->alpn_len == 0)
        return SEC_E_OK; /* status None: not offered, or not understood by the peer */
    protocol->ProtoNegoStatus = SecApplicationProtocolNegotiationStatus_Success;
    protocol->ProtoNegoExt = SecApplicationProtocolNegotiationExt_ALPN;
    protocol->ProtocolIdSize = facts->alpn_len;
    memcpy(protocol->ProtocolId, osspi_tls_facts_alpn(facts), facts->alpn_len);
    return SEC_E_OK;
}
