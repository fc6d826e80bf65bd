/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: SECPKG_ATTR_CLIENT_CERT_POLICY of a server: asking for a certificate without
 * ASC_REQ_MUTUAL_AUTH, requiring one, usage and revocation; and the other attributes of a
 * credential, in all forms.
 */
#include <opensspi.h>
#include <string.h>

#include "support/tls_shown.h"

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

static SECURITY_STATUS set(struct peer_end *end, const SecPkgCred_ClientCertPolicy *policy)
{
    return SetCredentialsAttributesW(&end->credential, SECPKG_ATTR_CLIENT_CERT_POLICY,
                                     (void *)policy, sizeof(*policy));
}

/* A client with this certificate (NULL: none) and a server with this policy. */
static SECURITY_STATUS connect_under(const struct peer_form *form, DWORD protocol,
                                     const char *certificate,
                                     const SecPkgCred_ClientCertPolicy *policy, bool *ret_mutual)
{
    const struct peer_setup setup = {.protocols = protocol,
                                     .client_flags = SCH_CRED_NO_DEFAULT_CREDS};
    struct peer_pair pair;
    SECURITY_STATUS status;

    SslEmptyCacheA(NULL, 0);
    peer_open(&pair, form, &setup);
    pair.client.flags |= ISC_REQ_USE_SUPPLIED_CREDS;
    if (certificate)
        assert_int_equal(shown_renew(&pair.client, (const char *[]){certificate, NULL}), SEC_E_OK);
    assert_int_equal(set(&pair.server, policy), SEC_E_OK);
    status = peer_handshake(&pair);
    *ret_mutual = status == SEC_E_OK && (pair.server.attributes & ASC_RET_MUTUAL_AUTH) != 0;
    peer_close(&pair);
    return status;
}

static void s2_8_policy_requests_a_certificate(const struct peer_form *form)
{
    const SecPkgCred_ClientCertPolicy policy = {.dwFlags = OSSPI_CLIENT_CERT_REQUEST};

    for (size_t p = 0; p < 2; p++) {
        PCCERT_CONTEXT seen = NULL;
        struct peer_pair pair;
        const struct peer_setup setup = {.protocols = protocols[p]};

        SslEmptyCacheA(NULL, 0);
        peer_open(&pair, form, &setup);
        assert_int_equal(shown_renew(&pair.client, (const char *[]){"client", NULL}), SEC_E_OK);
        peer_connect(&pair);
        assert_int_equal(
            QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &seen),
            SEC_E_NO_CREDENTIALS); /* nobody has asked */
        peer_exchange(&pair);
        peer_disconnect(&pair);
        assert_int_equal(set(&pair.server, &policy), SEC_E_OK);
        peer_connect(&pair);
        assert_false(shown_resumed(&pair.server)); /* that session had no certificate */
        assert_true(shown_is(&pair.server, "client"));
        peer_close(&pair);
    }
}

static void s2_8_policy_requires_a_certificate(const struct peer_form *form)
{
    const SecPkgCred_ClientCertPolicy request = {.dwFlags = OSSPI_CLIENT_CERT_REQUEST};
    const SecPkgCred_ClientCertPolicy require = {.dwFlags = OSSPI_CLIENT_CERT_REQUIRE};
    bool mutual;

    for (size_t p = 0; p < 2; p++) {
        assert_int_equal(connect_under(form, protocols[p], NULL, &request, &mutual), SEC_E_OK);
        assert_false(mutual);
        assert_true(connect_under(form, protocols[p], NULL, &require, &mutual) < 0);
        assert_int_equal(connect_under(form, protocols[p], "client", &require, &mutual), SEC_E_OK);
        assert_true(mutual);
    }
}

static void s2_8_policy_can_overlook_usage(const struct peer_form *form)
{
    SecPkgCred_ClientCertPolicy policy = {.dwFlags = OSSPI_CLIENT_CERT_REQUIRE};
    bool mutual;

    assert_true(connect_under(form, 0, "serveronly", &policy, &mutual) < 0);
    policy.fOmitUsageCheck = TRUE;
    assert_int_equal(connect_under(form, 0, "serveronly", &policy, &mutual), SEC_E_OK);
    assert_true(mutual);
    assert_true(connect_under(form, 0, "selfsigned", &policy, &mutual) < 0); /* trust stays */
}

static void s2_8_session_under_a_weaker_policy_does_not_resume(const struct peer_form *form)
{
    SecPkgCred_ClientCertPolicy policy = {.dwFlags = OSSPI_CLIENT_CERT_REQUIRE,
                                          .fOmitUsageCheck = TRUE};

    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;

        SslEmptyCacheA(NULL, 0);
        peer_open(&pair, form, &setup);
        assert_int_equal(shown_renew(&pair.client, (const char *[]){"serveronly", NULL}), SEC_E_OK);
        policy.fOmitUsageCheck = TRUE;
        assert_int_equal(set(&pair.server, &policy), SEC_E_OK);
        assert_false(shown_connect_resumes(&pair));
        assert_true(shown_connect_resumes(&pair));
        policy.fOmitUsageCheck = FALSE;
        assert_int_equal(set(&pair.server, &policy), SEC_E_OK);
        assert_true(peer_handshake(&pair) < 0);
        peer_close(&pair);
    }
}

static void s2_8_policy_checks_revocation(const struct peer_form *form)
{
    SecPkgCred_ClientCertPolicy policy = {.dwFlags = OSSPI_CLIENT_CERT_REQUIRE};
    bool mutual;

    policy.dwCertFlags = CERT_CHAIN_REVOCATION_CHECK_END_CERT;
    assert_true(connect_under(form, 0, "client", &policy, &mutual) <
                0); /* no list says it is good */
    policy.dwCertFlags = 0;
    assert_int_equal(connect_under(form, 0, "client", &policy, &mutual), SEC_E_OK);
}

/* The certificate names nobody to ask: who checks refuses it. */
static void s2_8_policy_takes_the_place_of_the_flags(const struct peer_form *form)
{
    const struct peer_setup setup = {.server_flags = SCH_CRED_REVOCATION_CHECK_CHAIN};
    const SecPkgCred_ClientCertPolicy policy = {.dwFlags = OSSPI_CLIENT_CERT_REQUIRE};
    struct peer_pair pair;

    SslEmptyCacheA(NULL, 0);
    peer_open(&pair, form, &setup);
    assert_int_equal(shown_renew(&pair.client, (const char *[]){"client", NULL}), SEC_E_OK);
    pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
    assert_int_equal(peer_handshake(&pair), CRYPT_E_NO_REVOCATION_CHECK);
    peer_disconnect(&pair);
    assert_int_equal(set(&pair.server, &policy), SEC_E_OK);
    peer_connect(&pair);
    peer_close(&pair);
}

static void s2_8_policy_that_cannot_be_kept_is_refused(const struct peer_form *form)
{
    WCHAR name[] = {'M', 'Y', 0};
    const SecPkgCred_ClientCertPolicy bad[] = {
        {.dwFlags = 4},
        {.fCheckRevocationFreshnessTime = TRUE, .dwRevocationFreshnessTime = 60},
        {.pwszSslCtlStoreName = name},
        {.pwszSslCtlIdentifier = name},
    };
    const SecPkgCred_ClientCertPolicy good = {.dwUrlRetrievalTimeout = 1000};
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(set(&pair.server, &bad[i]), SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(set(&pair.server, &good), SEC_E_OK);
    assert_int_equal(set(&pair.client, &good), SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(SetCredentialsAttributesA(&pair.server.credential,
                                               SECPKG_ATTR_CLIENT_CERT_POLICY, (void *)&good,
                                               sizeof(good) - 1),
                     SEC_E_BUFFER_TOO_SMALL);
    assert_int_equal(
        SetCredentialsAttributesA(&pair.server.credential, SECPKG_ATTR_CLIENT_CERT_POLICY, NULL, 0),
        SEC_E_INVALID_PARAMETER);
    peer_connect(&pair);
    peer_close(&pair);
}

/* ---- attributes that tell, in all forms ---- */

static void s2_8_supported_things_are_told_in_all_forms(const struct peer_form *form)
{
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    for (int wide = 0; wide < 2; wide++) {
        SECURITY_STATUS (*query)(PCredHandle, ULONG, void *, ULONG) =
            wide ? QueryCredentialsAttributesExW : QueryCredentialsAttributesExA;
        SecPkgCred_SupportedAlgs algorithms = {0};
        SecPkgCred_CipherStrengths strengths = {0};
        SecPkgCred_SupportedProtocols versions = {0};
        PCredHandle server = &pair.server.credential;

        assert_int_equal(query(server, SECPKG_ATTR_SUPPORTED_ALGS, &algorithms, sizeof(algorithms)),
                         SEC_E_OK);
        assert_true(algorithms.cSupportedAlgs > 0);
        assert_int_equal(FreeContextBuffer(algorithms.palgSupportedAlgs), SEC_E_OK);
        assert_int_equal(query(server, SECPKG_ATTR_CIPHER_STRENGTHS, &strengths, sizeof(strengths)),
                         SEC_E_OK);
        assert_int_equal(strengths.dwMinimumCipherStrength, 128);
        assert_int_equal(strengths.dwMaximumCipherStrength, 256);
        assert_int_equal(
            query(server, SECPKG_ATTR_SUPPORTED_PROTOCOLS, &versions, sizeof(versions)), SEC_E_OK);
        assert_int_equal(versions.grbitProtocol,
                         SP_PROT_TLS1_2_SERVER | SP_PROT_TLS1_3_SERVER | SP_PROT_DTLS1_2_SERVER);
        assert_int_equal(query(server, SECPKG_ATTR_SUPPORTED_PROTOCOLS, &versions, 3),
                         SEC_E_BUFFER_TOO_SMALL);
        assert_int_equal(query(server, SECPKG_ATTR_SUPPORTED_PROTOCOLS, &versions, 5),
                         SEC_E_INVALID_PARAMETER);
        assert_int_equal(query(server, SECPKG_ATTR_SESSION_TICKET_KEYS, &algorithms,
                               sizeof(SecPkgCred_SessionTicketKeys)),
                         SEC_E_UNSUPPORTED_FUNCTION); /* keys never come out again */
    }
    peer_close(&pair);
}

static void s2_8_what_was_settled_cannot_be_set(const struct peer_form *form)
{
    SecPkgCred_SupportedProtocols versions = {SP_PROT_TLS1_2_SERVER};
    SecPkgCred_CipherStrengths strengths = {128, 128};
    ALG_ID one = CALG_AES_128;
    SecPkgCred_SupportedAlgs algorithms = {1, &one};
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    PCredHandle server = &pair.server.credential;
    assert_int_equal(SetCredentialsAttributesA(server, SECPKG_ATTR_SUPPORTED_PROTOCOLS, &versions,
                                               sizeof(versions)),
                     SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(SetCredentialsAttributesA(server, SECPKG_ATTR_CIPHER_STRENGTHS, &strengths,
                                               sizeof(strengths)),
                     SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(SetCredentialsAttributesA(server, SECPKG_ATTR_SUPPORTED_ALGS, &algorithms,
                                               sizeof(algorithms)),
                     SEC_E_UNSUPPORTED_FUNCTION);
    peer_close(&pair);
}

/* ---- OSSPI_CRED_ATTR_TLS_OPTIONS ---- */

static SECURITY_STATUS tell_options(struct peer_end *end, int way, OsspiTlsOptions *options,
                                    ULONG size)
{
    memset(options, 0xA5, sizeof(*options));
    switch (way) {
    case 0:
        return QueryCredentialsAttributesA(&end->credential, OSSPI_CRED_ATTR_TLS_OPTIONS, options);
    case 1:
        return QueryCredentialsAttributesW(&end->credential, OSSPI_CRED_ATTR_TLS_OPTIONS, options);
    case 2:
        return QueryCredentialsAttributesExA(&end->credential, OSSPI_CRED_ATTR_TLS_OPTIONS, options,
                                             size);
    default:
        return QueryCredentialsAttributesExW(&end->credential, OSSPI_CRED_ATTR_TLS_OPTIONS, options,
                                             size);
    }
}

static void expect_options(struct peer_end *end, ULONG flags, ULONG early_data,
                           ULONG renegotiations)
{
    for (int way = 0; way < 4; way++) {
        OsspiTlsOptions told;

        assert_int_equal(tell_options(end, way, &told, sizeof(told)), SEC_E_OK);
        assert_int_equal(told.cbSize, sizeof(told));
        assert_int_equal(told.flags, flags);
        assert_int_equal(told.max_early_data, early_data);
        assert_int_equal(told.max_renegotiations, renegotiations);
    }
}

static SECURITY_STATUS set_options(struct peer_end *end, bool wide, const OsspiTlsOptions *options,
                                   ULONG size)
{
    return wide ? SetCredentialsAttributesW(&end->credential, OSSPI_CRED_ATTR_TLS_OPTIONS,
                                            (void *)options, size)
                : SetCredentialsAttributesA(&end->credential, OSSPI_CRED_ATTR_TLS_OPTIONS,
                                            (void *)options, size);
}

static void tls_options_are_set_and_told(const struct peer_form *form)
{
    const ULONG size = sizeof(OsspiTlsOptions);
    const OsspiTlsOptions good[] = {
        {size, OSSPI_TLS_RENEGOTIATION | OSSPI_TLS_POST_HANDSHAKE_AUTH | OSSPI_TLS_EARLY_DATA, 1000,
         3},
        {size, OSSPI_TLS_RENEGOTIATION, 0, 0},
        {size, 0, 16384, 1},
    };
    const OsspiTlsOptions bad[] = {
        {0, 0, 0, 0},    {size - 1, 0, 0, 0},      {size + 1, 0, 0, 0},
        {size, 8, 0, 0}, {size, 0x80000000, 0, 0}, {size, 0, 16385, 0},
    };
    struct peer_pair pair;

    peer_open(&pair, form, NULL);
    for (int side = 0; side < 2; side++) {
        struct peer_end *end = side == 0 ? &pair.client : &pair.server;
        OsspiTlsOptions told;

        expect_options(end, 0, 0, 0);
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
            assert_int_equal(set_options(end, i & 1, &good[i], size), SEC_E_OK);
            expect_options(end, good[i].flags, i == 1 ? 16384 : good[i].max_early_data,
                           i == 1 ? 8 : good[i].max_renegotiations);
        }
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
            assert_int_equal(set_options(end, i & 1, &bad[i], size), SEC_E_INVALID_PARAMETER);
        for (ULONG wrong = 0; wrong < 2 * size; wrong++) {
            const OsspiTlsOptions two[2] = {good[0], good[0]};

            if (wrong == size)
                continue;
            assert_true(set_options(end, wrong & 1, two, wrong) < 0);
            if (wrong < size) /* all that can be written is there */
                assert_true(tell_options(end, 2 + (int)(wrong & 1), &told, wrong) < 0);
        }
        assert_true(set_options(end, false, NULL, size) < 0);
        expect_options(end, 0, 16384, 1);
    }
    peer_connect(&pair); /* all of it is off */
    peer_exchange(&pair);
    peer_close(&pair);
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(tls_options_are_set_and_told),
        PEER_CASE(s2_8_policy_requests_a_certificate),
        PEER_CASE(s2_8_policy_requires_a_certificate),
        PEER_CASE(s2_8_policy_can_overlook_usage),
        PEER_CASE(s2_8_session_under_a_weaker_policy_does_not_resume),
        PEER_CASE(s2_8_policy_checks_revocation),
        PEER_CASE(s2_8_policy_takes_the_place_of_the_flags),
        PEER_CASE(s2_8_policy_that_cannot_be_kept_is_refused),
        PEER_CASE(s2_8_supported_things_are_told_in_all_forms),
        PEER_CASE(s2_8_what_was_settled_cannot_be_set),
    };

    return peer_run_cases("contract.policy", cases, sizeof(cases) / sizeof(cases[0]));
}
