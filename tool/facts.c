/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The negotiated facts: SECPKG_ATTR_CIPHER_INFO, CONNECTION_INFO, APPLICATION_PROTOCOL,
 * SESSION_INFO.
 */
#include "facts.h"

#include <string.h>

#include "text.h"

/* Algorithm names are ASCII. */
static void narrow(const WCHAR *wide, size_t wide_size, char *ret_text, size_t size)
{
    size_t i = 0;
    for (; i + 1 < size && i < wide_size && wide[i] != 0; i++)
        ret_text[i] = wide[i] >= 0x20 && wide[i] < 0x7F ? (char)wide[i] : '?';
    ret_text[i] = '\0';
}

/* IANA's registry of TLS supported groups. */
static const char *group_name(DWORD group)
{
    switch (group) {
    case 23:
        return "secp256r1";
    case 24:
        return "secp384r1";
    case 25:
        return "secp521r1";
    case 29:
        return "x25519";
    case 30:
        return "x448";
    case 256:
        return "ffdhe2048";
    case 257:
        return "ffdhe3072";
    case 258:
        return "ffdhe4096";
    case 4588:
        return "X25519MLKEM768";
    default:
        return NULL;
    }
}

static const char *protocol_name(DWORD wire_version)
{
    switch (wire_version) {
    case 0x0301:
        return "TLS 1.0";
    case 0x0302:
        return "TLS 1.1";
    case 0x0303:
        return "TLS 1.2";
    case 0x0304:
        return "TLS 1.3";
    default:
        return "unknown";
    }
}

static void read_cipher(PCtxtHandle context, struct facts *facts)
{
    SecPkgContext_CipherInfo info = {.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1};
    if (QueryContextAttributesA(context, SECPKG_ATTR_CIPHER_INFO, &info) != SEC_E_OK)
        return;
    snprintf(facts->protocol, sizeof(facts->protocol), "%s", protocol_name(info.dwProtocol));
    narrow(info.szCipherSuite, SZ_ALG_MAX_SIZE, facts->suite, sizeof(facts->suite));
    facts->suite_id = info.dwCipherSuite;
    const char *group = group_name(info.dwKeyType);
    if (group)
        snprintf(facts->group, sizeof(facts->group), "%s", group);
    else if (info.dwKeyType != 0)
        snprintf(facts->group, sizeof(facts->group), "group %u", (unsigned)info.dwKeyType);
}

static void read_alpn(PCtxtHandle context, struct facts *facts)
{
    SecPkgContext_ApplicationProtocol protocol = {0};
    if (QueryContextAttributesA(context, SECPKG_ATTR_APPLICATION_PROTOCOL, &protocol) == SEC_E_OK &&
        protocol.ProtoNegoStatus == SecApplicationProtocolNegotiationStatus_Success) {
        memcpy(facts->alpn, protocol.ProtocolId, protocol.ProtocolIdSize);
        facts->alpn[protocol.ProtocolIdSize] = '\0';
    }
}

static void read_session(PCtxtHandle context, struct facts *facts)
{
    SecPkgContext_SessionInfo info = {0};
    if (QueryContextAttributesA(context, SECPKG_ATTR_SESSION_INFO, &info) != SEC_E_OK)
        return;
    facts->resumed = (info.dwFlags & SSL_SESSION_RECONNECT) != 0;
    for (DWORD i = 0; i < info.cbSessionId && i < sizeof(info.rgbSessionId); i++)
        snprintf(facts->session_id + 2 * i, 3, "%02x", info.rgbSessionId[i]);
}

void facts_read(PCtxtHandle context, struct facts *ret_facts)
{
    *ret_facts = (struct facts){0};
    read_cipher(context, ret_facts);
    read_alpn(context, ret_facts);
    read_session(context, ret_facts);
}

void facts_print(FILE *stream, const struct facts *facts)
{
    fprintf(stream, "protocol      %s\n", facts->protocol);
    fprintf(stream, "cipher suite  %s (0x%04X)\n", facts->suite, facts->suite_id);
    if (facts->group[0])
        fprintf(stream, "key exchange  %s\n", facts->group);
    fputs("application   ", stream);
    text_escaped(stream, facts->alpn[0] ? facts->alpn : "none agreed on (ALPN)",
                 facts->alpn[0] ? strlen(facts->alpn) : 21);
    fprintf(stream, "\nsession       %s%s%s\n", facts->resumed ? "resumed" : "new",
            facts->session_id[0] ? ", id " : "", facts->session_id);
}

bool facts_json(const struct facts *facts, json_t *object)
{
    json_t *part = json_pack("{s:s, s:s, s:i, s:s*, s:s*, s:b, s:s*}", "protocol", facts->protocol,
                             "cipher_suite", facts->suite, "cipher_suite_id", (int)facts->suite_id,
                             "group", facts->group[0] ? facts->group : NULL, "alpn",
                             facts->alpn[0] ? facts->alpn : NULL, "resumed", facts->resumed,
                             "session_id", facts->session_id[0] ? facts->session_id : NULL);
    bool done = part && json_object_update(object, part) == 0;
    json_decref(part);
    return done;
}
