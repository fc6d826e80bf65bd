/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Kerberos (RFC 4120, RFC 4121), as the library sees it.
 */
#include "packages/gssapi/context.h"
#include "packages/gssapi/export.h"
#include "packages/gssapi/kpasswd.h"
#include "packages/gssapi/token.h"

const struct osspi_gss_facts osspi_gss_kerberos_facts = {
    .mechanisms = OSSPI_GSS_KERBEROS,
    .mechanism = &osspi_gss_oid_krb5,
    .negotiates = false,
};

static SECURITY_STATUS acquire(struct osspi_credential *credential, struct osspi_acquire *args)
{
    return osspi_gss_acquire(&osspi_gss_kerberos_facts, credential, args);
}

const struct osspi_package osspi_kerberos_package = {
    .name = MICROSOFT_KERBEROS_NAME_A,
    .comment = "Kerberos V5 over GSSAPI",
    .capabilities = SECPKG_FLAG_INTEGRITY | SECPKG_FLAG_PRIVACY | SECPKG_FLAG_TOKEN_ONLY |
                    SECPKG_FLAG_CONNECTION | SECPKG_FLAG_MULTI_REQUIRED |
                    SECPKG_FLAG_IMPERSONATION | SECPKG_FLAG_EXTENDED_ERROR |
                    SECPKG_FLAG_ACCEPT_WIN32_NAME | SECPKG_FLAG_NEGOTIABLE |
                    SECPKG_FLAG_GSS_COMPATIBLE | SECPKG_FLAG_MUTUAL_AUTH | SECPKG_FLAG_DELEGATION |
                    SECPKG_FLAG_READONLY_WITH_CHECKSUM,
    .rpc_id = 16, /* MS-RPCE 2.2.1.1.7 */
    .max_token = OSSPI_GSS_MAX_TOKEN,
    .cred_size = sizeof(struct osspi_gss_credential),
    .ctx_size = sizeof(struct osspi_gss_context),

    .capture_auth = osspi_gss_capture,
    .release_auth = osspi_gss_capture_free,
    .lane = osspi_gss_lane,
    .acquire = acquire,
    .clear_credential = osspi_gss_clear_credential,
    .initialize = osspi_gss_initialize,
    .accept = osspi_gss_accept,
    .clear_context = osspi_gss_clear_context,
    .encrypt = osspi_gss_encrypt,
    .decrypt = osspi_gss_decrypt,
    .make_signature = osspi_gss_sign,
    .verify_signature = osspi_gss_verify,
    .query_context = osspi_gss_query,
    .query_credential = osspi_gss_query_credential,
    .change_password = osspi_kpasswd,
    .client_token = osspi_gss_client_token,
    .export_context = osspi_gss_export,
    .import_context = osspi_gss_import,
};
