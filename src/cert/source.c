/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Addresses in certificates; see source.h.
 */
#include "cert/source.h"

#include <string.h>

#include "base/memory.h"
#include "cert/crypto.h"
#include "cert/fetch.h"

static bool add(char **places, size_t *count, const ASN1_IA5STRING *text)
{
    char url[OSSPI_FETCH_URL_MAX];
    const int len = ASN1_STRING_length(text);

    /* A NUL inside would end it early: then it is none. */
    if (*count >= OSSPI_SOURCES_MAX || len <= 0 || len >= (int)sizeof(url) ||
        memchr(ASN1_STRING_get0_data(text), 0, (size_t)len) != NULL)
        return true;
    memcpy(url, ASN1_STRING_get0_data(text), (size_t)len);
    url[len] = '\0';
    if (!osspi_fetch_possible(url))
        return true;
    places[*count] = osspi_strdup(url);
    if (places[*count] == NULL)
        return false;
    ++*count;
    return true;
}

/* An extension that is not there, or makes no sense: was it not for want of memory? */
static bool was_read(void)
{
    return osspi_crypto_failure(SEC_E_OK) == SEC_E_OK;
}

static bool read_responders(X509 *certificate, struct osspi_sources *sources)
{
    AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
    bool ok = access != NULL || was_read();

    for (int i = 0; ok && i < sk_ACCESS_DESCRIPTION_num(access); i++) {
        const ACCESS_DESCRIPTION *entry = sk_ACCESS_DESCRIPTION_value(access, i);
        if (OBJ_obj2nid(entry->method) == NID_ad_OCSP && entry->location->type == GEN_URI)
            ok = add(sources->ocsp, &sources->ocsp_count,
                     entry->location->d.uniformResourceIdentifier);
    }
    AUTHORITY_INFO_ACCESS_free(access);
    return ok;
}

/* Lists for certain reasons alone, or by another issuer, are left to trust stores. */
static bool is_plain(const DIST_POINT *point)
{
    return point->distpoint != NULL && point->distpoint->type == 0 && point->reasons == NULL &&
           point->CRLissuer == NULL;
}

static bool read_lists(X509 *certificate, struct osspi_sources *sources)
{
    CRL_DIST_POINTS *points =
        X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
    bool ok = points != NULL || was_read();

    for (int i = 0; ok && i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT *point = sk_DIST_POINT_value(points, i);
        if (!is_plain(point))
            continue;
        const GENERAL_NAMES *names = point->distpoint->name.fullname;
        for (int j = 0; ok && j < sk_GENERAL_NAME_num(names); j++) {
            const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, j);
            if (name->type == GEN_URI)
                ok = add(sources->lists, &sources->list_count, name->d.uniformResourceIdentifier);
        }
    }
    CRL_DIST_POINTS_free(points);
    return ok;
}

bool osspi_sources_read(X509 *certificate, struct osspi_sources *ret_sources)
{
    return read_responders(certificate, ret_sources) && read_lists(certificate, ret_sources);
}

void osspi_sources_clear(struct osspi_sources *sources)
{
    for (size_t i = 0; i < sources->ocsp_count; i++)
        osspi_free(sources->ocsp[i]);
    for (size_t i = 0; i < sources->list_count; i++)
        osspi_free(sources->lists[i]);
    sources->ocsp_count = sources->list_count = 0;
}
