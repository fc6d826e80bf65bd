/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The peer's certificates: SECPKG_ATTR_REMOTE_CERT_CONTEXT, and the store that holds its chain.
 *
 * Names in a certificate are chosen by whoever made it, so they are escaped for the terminal.
 */
#include "facts.h"

#include <string.h>

#include <wincrypt.h>

#include "text.h"

#define NAME_SIZE 512

struct description {
    char subject[NAME_SIZE];
    char issuer[NAME_SIZE];
    char not_before[32], not_after[32];
    char names[2048]; /* DNS names, each with its NUL, one more NUL at the end */
};

static void describe(PCCERT_CONTEXT cert, struct description *ret)
{
    *ret = (struct description){0};
    CertGetNameStringA(cert, CERT_NAME_RDN_TYPE, 0, NULL, ret->subject, NAME_SIZE);
    CertGetNameStringA(cert, CERT_NAME_RDN_TYPE, CERT_NAME_ISSUER_FLAG, NULL, ret->issuer,
                       NAME_SIZE);
    /* Without that extension the call would answer with the common name, which proves nothing. */
    if (CertFindExtension(szOID_SUBJECT_ALT_NAME2, cert->pCertInfo->cExtension,
                          cert->pCertInfo->rgExtension))
        CertGetNameStringA(cert, CERT_NAME_DNS_TYPE, CERT_NAME_SEARCH_ALL_NAMES_FLAG, NULL,
                           ret->names, sizeof(ret->names) - 1);
    text_filetime(cert->pCertInfo->NotBefore, ret->not_before, sizeof(ret->not_before));
    text_filetime(cert->pCertInfo->NotAfter, ret->not_after, sizeof(ret->not_after));
}

static const char *next_name(const struct description *description, const char *name)
{
    name = name ? name + strlen(name) + 1 : description->names;
    return *name ? name : NULL;
}

static void print_one(FILE *stream, unsigned index, PCCERT_CONTEXT cert)
{
    struct description description;
    describe(cert, &description);
    fprintf(stream, "  %u  subject  ", index);
    text_escaped(stream, description.subject, strlen(description.subject));
    fputs("\n     issuer   ", stream);
    text_escaped(stream, description.issuer, strlen(description.issuer));
    fprintf(stream, "\n     valid    %s to %s\n", description.not_before, description.not_after);
    const char *name = next_name(&description, NULL);
    if (name)
        fputs("     names   ", stream);
    for (bool any = name != NULL; name; name = next_name(&description, name)) {
        fputc(' ', stream);
        text_escaped(stream, name, strlen(name));
        if (any && !next_name(&description, name))
            fputc('\n', stream);
    }
}

static json_t *json_one(PCCERT_CONTEXT cert)
{
    struct description description;
    describe(cert, &description);
    json_t *names = json_array();
    for (const char *name = next_name(&description, NULL); names && name;
         name = next_name(&description, name))
        json_array_append_new(names, json_stringn_nocheck(name, strlen(name)));
    /* A name may be no UTF-8; then jansson refuses it, and it is left out. */
    return json_pack("{s:o*, s:o*, s:s, s:s, s:o}", "subject", json_string(description.subject),
                     "issuer", json_string(description.issuer), "not_before",
                     description.not_before, "not_after", description.not_after, "dns_names",
                     names);
}

static bool same(PCCERT_CONTEXT left, PCCERT_CONTEXT right)
{
    return left->cbCertEncoded == right->cbCertEncoded &&
           memcmp(left->pbCertEncoded, right->pbCertEncoded, left->cbCertEncoded) == 0;
}

/* Walks over the peer's certificates: its own, then the others of its store. */
static bool next_cert(PCCERT_CONTEXT leaf, PCCERT_CONTEXT *cursor, bool *started)
{
    if (!*started) {
        *started = true;
        return true; /* the leaf itself: the cursor is still NULL */
    }
    do {
        *cursor = CertEnumCertificatesInStore(leaf->hCertStore, *cursor);
    } while (*cursor && same(*cursor, leaf));
    return *cursor != NULL;
}

unsigned chain_print_of(FILE *stream, PCCERT_CONTEXT leaf)
{
    PCCERT_CONTEXT cursor = NULL;
    bool started = false;
    unsigned count = 0;
    while (next_cert(leaf, &cursor, &started))
        print_one(stream, count++, cursor ? cursor : leaf);
    return count;
}

json_t *chain_json_of(PCCERT_CONTEXT leaf)
{
    json_t *chain = json_array();
    PCCERT_CONTEXT cursor = NULL;
    bool started = false;
    while (chain && next_cert(leaf, &cursor, &started))
        json_array_append_new(chain, json_one(cursor ? cursor : leaf));
    return chain;
}

unsigned chain_print(FILE *stream, PCtxtHandle context)
{
    PCCERT_CONTEXT leaf = NULL;
    if (QueryContextAttributesA(context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &leaf) != SEC_E_OK ||
        !leaf)
        return 0;
    unsigned count = chain_print_of(stream, leaf);
    CertFreeCertificateContext(leaf);
    return count;
}

json_t *chain_json(PCtxtHandle context)
{
    PCCERT_CONTEXT leaf = NULL;
    if (QueryContextAttributesA(context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &leaf) != SEC_E_OK ||
        !leaf)
        return json_array();
    json_t *chain = chain_json_of(leaf);
    CertFreeCertificateContext(leaf);
    return chain;
}
