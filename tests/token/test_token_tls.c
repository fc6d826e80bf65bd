/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * TLS with keys that stay in a device: both versions, RSA and EC, server and client, signatures by
 * PSS and by PKCS #1; against ourselves and against OpenSSL. Errors of
 * the device in the middle of a handshake.
 */
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/tls_raw.h"
#include "token/token_util.h"

static const char *const servers[] = {"server", "server-rsa"};

static void connect_and_exchange(struct peer_pair *pair)
{
    peer_connect(pair);
    peer_exchange(pair);
}

static void server_key_in_token_works(const struct peer_form *form)
{
    static const DWORD protocols[] = {SP_PROT_TLS1_2_CLIENT, SP_PROT_TLS1_3_CLIENT, 0};

    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 3; j++) {
            struct peer_pair pair;

            token_open(&pair, form, protocols[j], servers[i]);
            connect_and_exchange(&pair);
            peer_disconnect(&pair);
            connect_and_exchange(&pair); /* by the session's ticket */
            peer_close(&pair);
        }
    }
}

/* The certificate without its chain: the client knows the issuer, for a test's sake. */
static void server_certificate_in_token_works(const struct peer_form *form)
{
    struct peer_pair pair;

    peer_end_init(&pair.client, form, false);
    peer_end_init(&pair.server, form, true);
    assert_int_equal(
        peer_end_acquire(&pair.client, 0, SCH_CRED_MANUAL_CRED_VALIDATION, NULL, false), SEC_E_OK);
    assert_int_equal(token_acquire(&pair.server, 0, token_certificate("server")), SEC_E_OK);
    connect_and_exchange(&pair);
    peer_close(&pair);
}

static void client_key_in_token_works(const struct peer_form *form)
{
    static const DWORD protocols[] = {SP_PROT_TLS1_2_CLIENT, SP_PROT_TLS1_3_CLIENT};

    for (size_t i = 0; i < 2; i++) {
        struct peer_pair pair;

        peer_end_init(&pair.client, form, false);
        peer_end_init(&pair.server, form, true);
        assert_int_equal(token_acquire(&pair.client, protocols[i], token_chain("client")),
                         SEC_E_OK);
        assert_int_equal(token_acquire(&pair.server, 0, token_chain("server-rsa")), SEC_E_OK);
        pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
        connect_and_exchange(&pair);
        assert_true(pair.server.attributes & ASC_RET_MUTUAL_AUTH);
        peer_close(&pair);
    }
}

/* OpenSSL as the client asks for what ours would not take. */
static void server_signs_as_asked(const struct peer_form *form)
{
    static const struct {
        const char *name, *algorithms;
        int version;
    } cases[] = {
        {"server-rsa", "RSA+SHA256", TLS1_2_VERSION},
        {"server-rsa", "RSA+SHA512", TLS1_2_VERSION},
        {"server-rsa", "RSA-PSS+SHA256", TLS1_2_VERSION},
        {"server-rsa", "RSA-PSS+SHA384", TLS1_3_VERSION},
        {"server", "ECDSA+SHA256", TLS1_2_VERSION},
        {"server", "ECDSA+SHA256", TLS1_3_VERSION},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct raw_peer raw;
        struct peer_end end;

        peer_end_init(&end, form, true);
        assert_int_equal(token_acquire(&end, 0, token_chain(cases[i].name)), SEC_E_OK);
        raw_open(&raw, false, cases[i].version, NULL);
        assert_int_equal(SSL_set1_sigalgs_list(raw.ssl, cases[i].algorithms), 1);
        assert_int_equal(raw_handshake(&raw, &end), SEC_E_OK);
        raw_exchange(&raw, &end);
        raw_close(&raw);
        peer_end_free(&end);
    }
}

/* The exchange by RSA needs the key to decrypt, and cannot be had from a device. */
static void server_refuses_exchange_by_rsa(const struct peer_form *form)
{
    ALG_ID algorithms[] = {CALG_AES_128, CALG_SHA_256, CALG_RSA_KEYX};
    PCCERT_CONTEXT certificate = token_chain("server-rsa");
    SCHANNEL_CRED credential = {
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = 1,
        .paCred = &certificate,
        .grbitEnabledProtocols = SP_PROT_TLS1_2_SERVER,
        .cSupportedAlgs = 3,
        .palgSupportedAlgs = algorithms,
    };
    char package[] = UNISP_NAME_A;
    CredHandle handle;
    TimeStamp expiry;

    assert_int_equal(form->acquire(package, SECPKG_CRED_INBOUND, &credential, &handle, &expiry),
                     SEC_E_ALGORITHM_MISMATCH);
    CertFreeCertificateContext(certificate);
}

/* ---- the device fails in a handshake ---- */

static void require_detail(struct peer_end *end)
{
    char text[256] = "";

    assert_int_equal(OsspiGetErrorDetail(&end->context, text, sizeof(text)), SEC_E_OK);
    assert_true(text[0] != '\0');
    assert_null(strstr(text, TOKEN_PIN));
}

/* In its first leg a server signs with TLS 1.2 and 1.3; a context that fails there is never the
 * caller's. A client signs in a later one, and its context can be asked. */
static void removed_device_fails_handshake(const struct peer_form *form)
{
    struct peer_pair pair;

    token_open(&pair, form, 0, "server-rsa");
    token_mode("remove");
    assert_int_equal(peer_handshake(&pair), SEC_E_NO_CREDENTIALS);
    token_mode(NULL);
    peer_disconnect(&pair);
    peer_close(&pair);

    peer_end_init(&pair.client, form, false);
    peer_end_init(&pair.server, form, true);
    assert_int_equal(token_acquire(&pair.client, 0, token_chain("client")), SEC_E_OK);
    assert_int_equal(peer_end_acquire(&pair.server, 0, 0, "server", false), SEC_E_OK);
    pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
    peer_half_connect(&pair);
    token_mode("remove");
    assert_int_equal(peer_step(&pair.client, &pair.server), SEC_E_NO_CREDENTIALS);
    token_mode(NULL);
    require_detail(&pair.client);
    peer_close(&pair);
}

/* Put in again, it serves new credentials at once. */
static void device_comes_back(const struct peer_form *form)
{
    struct peer_pair pair;

    token_mode("remove");
    token_mode(NULL);
    token_open(&pair, form, 0, "server");
    connect_and_exchange(&pair);
    peer_close(&pair);
}

static const struct peer_case cases[] = {
    PEER_CASE(server_key_in_token_works),
    PEER_CASE(client_key_in_token_works),
    PEER_CASE(server_certificate_in_token_works),
    PEER_CASE(server_signs_as_asked),
    PEER_CASE(server_refuses_exchange_by_rsa),
    PEER_CASE(removed_device_fails_handshake),
    PEER_CASE(device_comes_back),
};

int main(void)
{
    token_begin();
    return peer_run_cases("token tls", cases, sizeof(cases) / sizeof(cases[0]));
}
