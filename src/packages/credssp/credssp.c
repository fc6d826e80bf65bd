/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * CredSSP (MS-CSSP), as the library sees it: TLS by Schannel outside, authentication by Negotiate
 * inside, and the user's credentials for the server at the end.
 */
#include <credssp.h>

#include "packages/credssp/context.h"

const struct osspi_package osspi_credssp_package = {
    .name = CREDSSP_NAME_A,
    .comment = "CredSSP: credentials for the server, over TLS and Negotiate",
    .capabilities = SECPKG_FLAG_INTEGRITY | SECPKG_FLAG_PRIVACY | SECPKG_FLAG_CONNECTION |
                    SECPKG_FLAG_MULTI_REQUIRED | SECPKG_FLAG_EXTENDED_ERROR |
                    SECPKG_FLAG_IMPERSONATION | SECPKG_FLAG_ACCEPT_WIN32_NAME | SECPKG_FLAG_STREAM |
                    SECPKG_FLAG_MUTUAL_AUTH | SECPKG_FLAG_DELEGATION,
    .rpc_id = SECPKG_ID_NONE,
    .max_token = OSSPI_CREDSSP_MAX_TOKEN,
    .cred_size = sizeof(struct osspi_credssp_credential),
    .ctx_size = sizeof(struct osspi_credssp_context),

    .capture_auth = osspi_credssp_capture,
    .release_auth = osspi_credssp_capture_free,
    .lane = osspi_credssp_lane,
    .acquire = osspi_credssp_acquire,
    .clear_credential = osspi_credssp_clear_credential,
    .initialize = osspi_credssp_initialize,
    .accept = osspi_credssp_accept,
    .control = osspi_credssp_control,
    .clear_context = osspi_credssp_clear_context,
    .encrypt = osspi_credssp_encrypt,
    .decrypt = osspi_credssp_decrypt,
    .query_context = osspi_credssp_query,
    .set_context = osspi_credssp_set,
    .query_credential = osspi_credssp_query_credential,
    .set_credential = osspi_credssp_set_credential,
    .client_token = osspi_credssp_client_token,
};
