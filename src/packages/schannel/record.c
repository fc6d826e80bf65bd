/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Which implementation protects a connection's records; see record.h.
 */
#include "packages/schannel/record.h"

#include "packages/schannel/credential.h"

SECURITY_STATUS osspi_record_new(struct osspi_tls *tls, const struct osspi_tls_facts *facts,
                                 struct osspi_record **ret_record)
{
    const struct osspi_suite *suite = osspi_suite_find(facts->cipher_suite);

    if (!suite)
        return SEC_E_INTERNAL_ERROR;
    if (suite->aead)
        return osspi_record_aead_new(tls, facts, ret_record);
    *ret_record = osspi_record_tls_new(tls, facts);
    return *ret_record ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}
