/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Attributes made of the peer's whole chain: as a chain that was built, and as bytes that another
 * process can read. Each answer is a new object of the caller's; the network is never asked.
 *
 * A serialized store: 0 and "CERT", then for each certificate 32, 1, a length and DER, and three
 * zeros at the end; all numbers of 32 bits, little endian. It is what CertSaveStore makes and
 * CERT_STORE_PROV_SERIALIZED reads on Windows.
 */
#include <string.h>

#include "base/memory.h"
#include "cert/chain_get.h"
#include "packages/schannel/context.h"

#define STORE_VERSION 0u
#define STORE_MAGIC   0x54524543u /* "CERT" */
#define CERT_ELEMENT  32u         /* CERT_CERT_PROP_ID */
#define ENCODING      1u          /* X509_ASN_ENCODING */
#define STORE_HEADER  8u
#define ITEM_HEADER   12u

/* ---- a chain that was built ---- */

static void request_freep(struct osspi_chain_request **request)
{
    osspi_chain_request_free(*request);
}

static SECURITY_STATUS build(PCCERT_CONTEXT leaf, PCCERT_CHAIN_CONTEXT *ret_chain)
{
    struct osspi_chain_request *request osspi_auto(request_freep) = NULL;
    const CERT_CHAIN_PARA para = {.cbSize = sizeof(para)};
    const struct osspi_chain_arguments arguments = {
        .certificate = leaf,
        .additional = leaf->hCertStore,
        .para = &para,
        .flags = CERT_CHAIN_CACHE_ONLY_URL_RETRIEVAL,
    };
    char class_name[OSSPI_CLASS_NAME_SIZE];
    bool wants_to = false;
    SECURITY_STATUS status = osspi_chain_request_new(&arguments, &request);

    if (status == SEC_E_OK)
        status = osspi_chain_request_run(request, false, &wants_to, class_name, sizeof(class_name),
                                         ret_chain);
    return status == SEC_E_OK && wants_to ? SEC_E_INTERNAL_ERROR : status;
}

SECURITY_STATUS osspi_attribute_remote_chain(struct osspi_schannel_context *sc, void *buffer)
{
    PCCERT_CHAIN_CONTEXT chain = NULL;
    PCCERT_CONTEXT leaf = NULL;
    SECURITY_STATUS status = osspi_attribute_remote_certificate(sc, &leaf);

    if (status != SEC_E_OK)
        return status;
    status = build(leaf, &chain);
    CertFreeCertificateContext(leaf); /* the chain holds its own */
    if (status == SEC_E_OK)
        *(PCCERT_CHAIN_CONTEXT *)buffer = chain;
    return status;
}

/* ---- bytes ---- */

static uint8_t *put(uint8_t *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(number >> 8 * i);
    return at + 4;
}

static uint8_t *put_item(uint8_t *at, uint32_t id, uint32_t encoding, const struct osspi_der *der)
{
    at = put(at, id);
    at = put(at, encoding);
    at = put(at, (uint32_t)der->len);
    if (der->len > 0)
        memcpy(at, der->bytes, der->len);
    return at + der->len;
}

SECURITY_STATUS osspi_attribute_serialized(struct osspi_schannel_context *sc, void *buffer)
{
    const struct osspi_ders *chain = osspi_schannel_facts(sc)->peer_chain;
    const size_t count = osspi_ders_count(chain);
    size_t total = STORE_HEADER + ITEM_HEADER;
    uint8_t *bytes, *at;

    if (count == 0)
        return SEC_E_NO_CREDENTIALS;
    for (size_t i = 0; i < count; i++)
        total += ITEM_HEADER + chain->items[i].len;
    if (total > UINT32_MAX)
        return SEC_E_INTERNAL_ERROR;
    bytes = osspi_context_buffer_new(total);
    if (!bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    at = put(put(bytes, STORE_VERSION), STORE_MAGIC);
    for (size_t i = 0; i < count; i++)
        at = put_item(at, CERT_ELEMENT, ENCODING, &chain->items[i]);
    (void)put_item(at, 0, 0, &(struct osspi_der){NULL, 0});
    *(CERT_BLOB *)buffer = (CERT_BLOB){.cbData = (DWORD)total, .pbData = bytes};
    return SEC_E_OK;
}
