/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Attributes of our end: the same at any time as when the connection was new, and as the peer has
 * them where it can tell; see property.h.
 */
#include <stdlib.h>
#include <string.h>

#include "property/property.h"

#define BINDING_HEAD 32u

static SECURITY_STATUS query(struct property *run, ULONG attribute, void *buffer)
{
    return QueryContextAttributesA(&run->end.context, attribute, buffer);
}

static size_t bindings(struct property *run, ULONG attribute, uint8_t *out, size_t size)
{
    SecPkgContext_Bindings found = {0};
    const SECURITY_STATUS status = query(run, attribute, &found);

    if (attribute == SECPKG_ATTR_UNIQUE_BINDINGS && run->peer.setup.tls13) {
        TEST_REQUIRE_EQUAL(status, SEC_E_UNSUPPORTED_FUNCTION);
        return 0;
    }
    if (attribute == SECPKG_ATTR_ENDPOINT_BINDINGS && run->peer.setup.psk) {
        TEST_REQUIRE_EQUAL(status, SEC_E_NO_CREDENTIALS);
        return 0;
    }
    TEST_REQUIRE_EQUAL(status, SEC_E_OK);
    TEST_REQUIRE(found.BindingsLength > BINDING_HEAD && found.BindingsLength <= size);
    memcpy(out, found.Bindings, found.BindingsLength);
    FreeContextBuffer(found.Bindings);
    return found.BindingsLength;
}

static void take(struct property *run, struct property_facts *facts)
{
    memset(facts, 0, sizeof(*facts)); /* holes too: they are compared as bytes */
    facts->cipher.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1;
    TEST_REQUIRE_EQUAL(query(run, SECPKG_ATTR_CONNECTION_INFO, &facts->connection), SEC_E_OK);
    TEST_REQUIRE_EQUAL(query(run, SECPKG_ATTR_CIPHER_INFO, &facts->cipher), SEC_E_OK);
    TEST_REQUIRE_EQUAL(query(run, SECPKG_ATTR_SESSION_INFO, &facts->session), SEC_E_OK);
    facts->endpoint_len =
        bindings(run, SECPKG_ATTR_ENDPOINT_BINDINGS, facts->endpoint, sizeof(facts->endpoint));
    facts->unique_len =
        bindings(run, SECPKG_ATTR_UNIQUE_BINDINGS, facts->unique, sizeof(facts->unique));
}

/* The peer may compute tls-unique, which ends ours. */
static void check_unique(struct property *run)
{
    const struct property_facts *facts = &run->facts;
    uint8_t theirs[64];
    size_t len;

    if (!run->peer.library->unique(&run->peer, theirs, sizeof(theirs), &len))
        return;
    TEST_REQUIRE(len > 0 && facts->unique_len > BINDING_HEAD + len);
    TEST_REQUIRE(memcmp(facts->unique + facts->unique_len - len, theirs, len) == 0);
}

void property_facts_take(struct property *run)
{
    static const DWORD bits[FOREIGN_SUITES] = {128, 256, 256, 128};

    take(run, &run->facts);
    TEST_REQUIRE_EQUAL(run->facts.cipher.dwProtocol, run->peer.setup.tls13 ? 0x0304 : 0x0303);
    TEST_REQUIRE_EQUAL(run->facts.cipher.dwCipherLen, bits[run->peer.setup.suite]);
    /* OpenSSL takes an external key for a session. */
    if (!run->peer.setup.psk)
        TEST_REQUIRE_EQUAL((run->facts.session.dwFlags & SSL_SESSION_RECONNECT) != 0,
                           run->peer.library->resumed(&run->peer));
    check_unique(run);
}

void property_export_check(struct property *run)
{
    char label[] = "EXPORTER-property-0";
    uint8_t context[40], theirs[96];
    const size_t context_len = property_pick(run, 2) * (1 + property_pick(run, sizeof(context)));
    SecPkgContext_KeyingMaterialInfo info = {
        .cbLabel = sizeof(label),
        .pszLabel = label,
        .cbContextValue = (WORD)context_len,
        .pbContextValue = context_len > 0 ? context : NULL,
        .cbKeyingMaterial = 1 + (DWORD)property_pick(run, sizeof(theirs)),
    };
    SecPkgContext_KeyingMaterial material = {0};

    label[sizeof(label) - 2] = (char)('0' + property_pick(run, 10));
    property_fill(&run->ours, 0, context, sizeof(context));
    TEST_REQUIRE_EQUAL(SetContextAttributesA(&run->end.context, SECPKG_ATTR_KEYING_MATERIAL_INFO,
                                             &info, sizeof(info)),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(query(run, SECPKG_ATTR_KEYING_MATERIAL, &material), SEC_E_OK);
    TEST_REQUIRE_EQUAL(material.cbKeyingMaterial, info.cbKeyingMaterial);
    TEST_REQUIRE(run->peer.library->export(&run->peer, label, info.pbContextValue, context_len,
                                           theirs, info.cbKeyingMaterial));
    TEST_REQUIRE(memcmp(theirs, material.pbKeyingMaterial, info.cbKeyingMaterial) == 0);
    FreeContextBuffer(material.pbKeyingMaterial);
}

static void check_certificate(struct property *run)
{
    PCCERT_CONTEXT found = NULL, expected = peer_certificate("server");
    const ULONG attribute =
        run->end.server ? SECPKG_ATTR_LOCAL_CERT_CONTEXT : SECPKG_ATTR_REMOTE_CERT_CONTEXT;

    TEST_REQUIRE_EQUAL(query(run, attribute, &found), SEC_E_OK);
    TEST_REQUIRE_EQUAL(found->cbCertEncoded, expected->cbCertEncoded);
    TEST_REQUIRE(memcmp(found->pbCertEncoded, expected->pbCertEncoded, found->cbCertEncoded) == 0);
    CertFreeCertificateContext(found);
    CertFreeCertificateContext(expected);
}

void property_facts_check(struct property *run)
{
    struct property_facts now;
    SecPkgContext_StreamSizes sizes;

    property_counts.queries++;
    switch (property_pick(run, 4)) {
    case 0:
        take(run, &now);
        TEST_REQUIRE(memcmp(&now, &run->facts, sizeof(now)) == 0);
        break;
    case 1:
        TEST_REQUIRE_EQUAL(query(run, SECPKG_ATTR_STREAM_SIZES, &sizes), SEC_E_OK);
        TEST_REQUIRE(memcmp(&sizes, &run->end.sizes, sizeof(sizes)) == 0);
        break;
    case 2:
        check_certificate(run);
        break;
    default:
        property_export_check(run);
        break;
    }
}
