/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Handshakes after the handshake, for the contract tests; see tls_later.h.
 */
#include "support/tls_later.h"

#include <stdlib.h>
#include <string.h>

#include "support/tls_shown.h"

void later_reader_init(struct later_reader *reader, struct peer_end *end, struct peer_end *to,
                       bool no_input)
{
    *reader = (struct later_reader){.end = end, .to = to, .no_input = no_input};
}

SECURITY_STATUS later_allow(struct peer_end *end, ULONG flags, ULONG max_renegotiations)
{
    OsspiTlsOptions options = {
        .cbSize = sizeof(options), .flags = flags, .max_renegotiations = max_renegotiations};

    return SetCredentialsAttributesA(&end->credential, OSSPI_CRED_ATTR_TLS_OPTIONS, &options,
                                     sizeof(options));
}

SECURITY_STATUS later_leg(struct peer_end *end, struct peer_end *to)
{
    uint8_t *out = malloc(PEER_OUT_SIZE);
    struct peer_leg leg = peer_leg_of(end, NULL, 0, out, PEER_OUT_SIZE);
    SECURITY_STATUS status;

    TEST_REQUIRE(out != NULL);
    leg.no_in = true;
    status = peer_leg_run(end, &leg);
    if (status != SEC_E_INCOMPLETE_MESSAGE)
        peer_push(&to->in, out, leg.out[0].cbBuffer);
    free(out);
    return status;
}

static SECURITY_STATUS answer(struct later_reader *reader)
{
    reader->legs++;
    reader->leg =
        reader->no_input ? later_leg(reader->end, reader->to) : peer_step(reader->end, reader->to);
    return reader->leg;
}

SECURITY_STATUS later_read(struct later_reader *reader)
{
    for (unsigned calls = 0; reader->end->in.len > 0; calls++) {
        size_t len;

        TEST_REQUIRE(calls < 10000);
        reader->status = peer_receive(reader->end, reader->data + reader->len,
                                      sizeof(reader->data) - reader->len, &len);
        reader->len += len;
        if (reader->status == SEC_E_INCOMPLETE_MESSAGE)
            return SEC_E_OK;
        if (reader->status == SEC_I_RENEGOTIATE) {
            const SECURITY_STATUS status = answer(reader);
            if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED)
                return status;
        } else if (reader->status != SEC_E_OK) {
            return reader->status;
        }
    }
    return SEC_E_OK;
}

void later_cut(struct peer_stream *stream, size_t len)
{
    struct peer_stream first = {0};

    peer_push(&first, stream->bytes, len);
    peer_clear(stream);
    *stream = first;
}

static bool read_or_tell(struct later_reader *reader)
{
    const SECURITY_STATUS status = later_read(reader);
    const char *name = OsspiStatusName(status);
    char detail[256] = "";

    if (status == SEC_E_OK)
        return true;
    (void)OsspiGetErrorDetail(&reader->end->context, detail, sizeof(detail));
    print_message("%s: %s (%s)\n", reader->end->server ? "server" : "client", name ? name : "?",
                  detail);
    return false;
}

bool later_settle(struct later_reader *a, struct later_reader *b)
{
    for (int i = 0; i < 50 && (a->end->in.len > 0 || b->end->in.len > 0); i++) {
        if (!read_or_tell(a) || !read_or_tell(b))
            return false;
    }
    return a->end->in.len == 0 && b->end->in.len == 0;
}

bool later_shown(struct peer_end *end, const char *name)
{
    PCCERT_CONTEXT seen = NULL;
    SECURITY_STATUS status;

    if (name)
        return shown_is(end, name);
    status = QueryContextAttributesA(&end->context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &seen);
    if (status == SEC_E_OK)
        CertFreeCertificateContext(seen);
    return status == SEC_E_NO_CREDENTIALS;
}

static void export_keying(struct peer_end *end, uint8_t out[32])
{
    char label[] = "EXPERIMENTAL later";
    SecPkgContext_KeyingMaterialInfo info = {
        .cbLabel = sizeof(label), .pszLabel = label, .cbKeyingMaterial = 32};
    SecPkgContext_KeyingMaterial material = {0};

    TEST_REQUIRE_EQUAL(
        SetContextAttributesA(&end->context, SECPKG_ATTR_KEYING_MATERIAL_INFO, &info, sizeof(info)),
        SEC_E_OK);
    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&end->context, SECPKG_ATTR_KEYING_MATERIAL, &material), SEC_E_OK);
    TEST_REQUIRE_EQUAL(material.cbKeyingMaterial, 32);
    memcpy(out, material.pbKeyingMaterial, 32);
    FreeContextBuffer(material.pbKeyingMaterial);
}

static size_t unique(struct peer_end *end, uint8_t out[256])
{
    SecPkgContext_Bindings bindings = {0};
    size_t len;

    if (QueryContextAttributesA(&end->context, SECPKG_ATTR_UNIQUE_BINDINGS, &bindings) != SEC_E_OK)
        return 0;
    len = bindings.BindingsLength;
    TEST_REQUIRE(len <= 256);
    memcpy(out, bindings.Bindings, len);
    FreeContextBuffer(bindings.Bindings);
    return len;
}

bool later_same_secrets(struct peer_end *a, struct peer_end *b)
{
    uint8_t a_key[32], b_key[32], a_unique[256], b_unique[256];
    const size_t len = unique(a, a_unique);

    export_keying(a, a_key);
    export_keying(b, b_key);
    return memcmp(a_key, b_key, sizeof(a_key)) == 0 && unique(b, b_unique) == len &&
           memcmp(a_unique, b_unique, len) == 0;
}
