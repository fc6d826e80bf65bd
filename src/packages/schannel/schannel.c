/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Schannel, the TLS package, as the library sees it. Legs compute, mostly; the head of leg.c tells
 * what happens to one that has to wait.
 */
#include "packages/schannel/capture.h"
#include "packages/schannel/context.h"
#include "packages/schannel/credential_change.h"

static const char *const aliases[] = {SCHANNEL_NAME_A, DEFAULT_TLS_SSP_NAME_A, NULL};

const struct osspi_package osspi_schannel_package = {
    .name = UNISP_NAME_A,
    .aliases = aliases,
    .comment = "Schannel Security Package",
    .capabilities = SECPKG_FLAG_INTEGRITY | SECPKG_FLAG_PRIVACY | SECPKG_FLAG_CONNECTION |
                    SECPKG_FLAG_MULTI_REQUIRED | SECPKG_FLAG_EXTENDED_ERROR |
                    SECPKG_FLAG_ACCEPT_WIN32_NAME | SECPKG_FLAG_STREAM | SECPKG_FLAG_MUTUAL_AUTH,
    .rpc_id = UNISP_RPC_ID,
    .max_token = OSSPI_MAX_TOKEN,
    .cred_size = sizeof(struct osspi_schannel_credential),
    .ctx_size = sizeof(struct osspi_schannel_context),
    /* Trusted roots are the machine's, keys are in the credential; a certificate of the user's is
     * given only to legs that run as the one who acquired it (client_cert.c). */
    .legs_any_identity = true,

    .capture_auth = osspi_schannel_capture,
    .release_auth = osspi_schannel_capture_free,
    .lane = osspi_schannel_lane,
    .acquire = osspi_schannel_acquire,
    .clear_credential = osspi_schannel_clear_credential,
    .initialize = osspi_schannel_initialize,
    .accept = osspi_schannel_accept,
    .control = osspi_schannel_control,
    .clear_context = osspi_schannel_clear_context,
    .encrypt = osspi_schannel_encrypt,
    .decrypt = osspi_schannel_decrypt,
    .query_context = osspi_schannel_query,
    .set_context = osspi_schannel_set,
    .query_credential = osspi_schannel_query_credential,
    .set_credential = osspi_schannel_set_credential,
    .add = osspi_schannel_add,
    .renew = osspi_schannel_renew,
    .forked = osspi_tls_forked,
};
