/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Attributes that are lists of numbers from the wire: extensions and signature schemes. Made when
 * somebody asks, from the bits that the connection keeps.
 */
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/context.h"
#include "packages/schannel/negotiated.h"
#include "packages/schannel/signature.h"

SECURITY_STATUS osspi_attribute_extensions(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_NegotiatedTlsExtensions *extensions = buffer;
    const struct osspi_tls_facts *facts = osspi_schannel_facts(sc);
    uint16_t types[OSSPI_NEGOTIATED_KNOWN + OSSPI_NEGOTIATED_OTHERS];
    const size_t others = facts->extension_count;
    size_t count = osspi_negotiated_list(facts->extensions, types);
    USHORT *list = NULL;

    if (others > 0)
        memcpy(types + count, osspi_tls_facts_extensions(facts), others * sizeof(types[0]));
    count += others;
    if (count > 0) {
        list = osspi_context_buffer_new(count * sizeof(*list));
        if (!list)
            return SEC_E_INSUFFICIENT_MEMORY;
        memcpy(list, types, count * sizeof(*list));
    }
    extensions->ExtensionsCount = (ULONG)count;
    extensions->Extensions = list;
    return SEC_E_OK;
}

/* On the wire the hash, or what stands in its place, comes first; here it is the low byte. */
SECURITY_STATUS osspi_attribute_signatures(struct osspi_schannel_context *sc, void *buffer)
{
    SecPkgContext_SupportedSignatures *signatures = buffer;
    WORD *list = osspi_context_buffer_new(osspi_scheme_count() * sizeof(*list));
    const uint16_t schemes = osspi_schannel_facts(sc)->schemes;
    WORD count = 0;

    if (!list)
        return SEC_E_INSUFFICIENT_MEMORY;
    for (size_t i = 0; i < osspi_scheme_count(); i++) {
        const uint16_t number = osspi_scheme_at(i)->number;

        if (schemes >> i & 1)
            list[count++] = (WORD)(number << 8 | number >> 8);
    }
    signatures->cSignatureAndHashAlgorithms = count;
    signatures->pSignatureAndHashAlgorithms = list;
    return SEC_E_OK;
}
