/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Auth data: what is copied, what is refused, and which versions, suites and groups come of it.
 */
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/capture.h"
#include "packages/schannel/signature.h"
#include "support/test_util.h"

#define NAME(text) \
    { \
        sizeof(u"" text), sizeof(u"" text), (WCHAR *)u"" text /* lengths count the NUL */ \
    }

static SECURITY_STATUS capture(const void *auth, struct osspi_schannel_auth **ret_auth)
{
    void *captured = NULL;
    SECURITY_STATUS status = osspi_schannel_capture(auth, true, &captured);

    *ret_auth = captured;
    assert_true((status == SEC_E_OK) == (captured != NULL));
    return status;
}

static SECURITY_STATUS configure(const void *auth, bool server,
                                 struct osspi_schannel_config *config)
{
    struct osspi_schannel_auth *copy;
    SECURITY_STATUS status = capture(auth, &copy);

    *config = (struct osspi_schannel_config){.server = server};
    if (status == SEC_E_OK)
        status = osspi_schannel_apply_crypto(copy, config);
    osspi_schannel_capture_free(copy);
    return status;
}

static void free_entries(struct osspi_schannel_config *config)
{
    for (size_t i = 0; i < config->entry_count; i++)
        osspi_free(config->entries[i].protocols);
    osspi_free(config->entries);
}

static bool has(const struct osspi_schannel_config *config, uint16_t id)
{
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        if (osspi_suite_at(i)->id == id)
            return config->suites >> i & 1;
    }
    return false;
}

static void expect_versions(const struct osspi_schannel_config *config, uint16_t min, uint16_t max)
{
    assert_int_equal(config->min_version, min);
    assert_int_equal(config->max_version, max);
}

/* ---- capture ---- */

static void unknown_versions_are_refused(void **state)
{
    struct osspi_schannel_auth *copy;
    SCHANNEL_CRED cred = {0};

    (void)state;
    for (DWORD version = 0; version < 8; version++) {
        cred.dwVersion = version;
        if (version == SCHANNEL_CRED_VERSION || version == SCH_CREDENTIALS_VERSION)
            continue;
        assert_int_equal(capture(&cred, &copy), SEC_E_UNKNOWN_CREDENTIALS);
    }
    assert_int_equal(capture(NULL, &copy), SEC_E_UNKNOWN_CREDENTIALS);
}

static void counts_need_arrays_and_have_limits(void **state)
{
    PCCERT_CONTEXT none[1] = {NULL};
    SCHANNEL_CRED cred = {.dwVersion = SCHANNEL_CRED_VERSION};
    SCH_CREDENTIALS creds = {.dwVersion = SCH_CREDENTIALS_VERSION};
    TLS_PARAMETERS parameters = {0};
    CRYPTO_SETTINGS settings = {.strCngAlgId = {6, 6, NULL}};
    struct osspi_schannel_auth *copy;

    (void)state;
    cred.cCreds = 1;
    assert_int_equal(capture(&cred, &copy), SEC_E_UNKNOWN_CREDENTIALS);
    cred.paCred = none;
    assert_int_equal(capture(&cred, &copy), SEC_E_UNKNOWN_CREDENTIALS);
    cred.cCreds = 101;
    assert_int_equal(capture(&cred, &copy), SEC_E_UNKNOWN_CREDENTIALS);
    cred.cCreds = 0;
    cred.cSupportedAlgs = 1;
    assert_int_equal(capture(&cred, &copy), SEC_E_UNKNOWN_CREDENTIALS);
    cred.cSupportedAlgs = 0;
    cred.dwCredFormat = 3;
    assert_int_equal(capture(&cred, &copy), SEC_E_UNKNOWN_CREDENTIALS);

    creds.cTlsParameters = 1;
    assert_int_equal(capture(&creds, &copy), SEC_E_UNKNOWN_CREDENTIALS);
    creds.pTlsParameters = &parameters;
    creds.cTlsParameters = 17;
    assert_int_equal(capture(&creds, &copy), SEC_E_UNKNOWN_CREDENTIALS);
    creds.cTlsParameters = 1;
    parameters.cAlpnIds = 1;
    assert_int_equal(capture(&creds, &copy), SEC_E_UNKNOWN_CREDENTIALS);
    parameters.cAlpnIds = 0;
    parameters.cDisabledCrypto = 17;
    parameters.pDisabledCrypto = &settings;
    assert_int_equal(capture(&creds, &copy), SEC_E_UNKNOWN_CREDENTIALS);
    parameters.cDisabledCrypto = 1;
    assert_int_equal(capture(&creds, &copy), SEC_E_UNKNOWN_CREDENTIALS); /* a name without text */
    settings.strCngAlgId.Length = 0;
    settings.cChainingModes = 1;
    assert_int_equal(capture(&creds, &copy), SEC_E_UNKNOWN_CREDENTIALS);
    settings.cChainingModes = 0;
    assert_int_equal(capture(&creds, &copy), SEC_E_OK);
    osspi_schannel_capture_free(copy);
}

static void copy_shares_nothing_with_the_caller(void **state)
{
    WCHAR name[] = {'A', 'E', 'S', 0};
    CRYPTO_SETTINGS settings = {.eAlgorithmUsage = TlsParametersCngAlgUsageCipher,
                                .strCngAlgId = {sizeof(name), sizeof(name), name}};
    TLS_PARAMETERS parameters = {.cDisabledCrypto = 1, .pDisabledCrypto = &settings};
    SCH_CREDENTIALS creds = {
        .dwVersion = SCH_CREDENTIALS_VERSION, .cTlsParameters = 1, .pTlsParameters = &parameters};
    struct osspi_schannel_config config = {0};
    struct osspi_schannel_auth *copy;

    (void)state;
    assert_int_equal(capture(&creds, &copy), SEC_E_OK);
    memset(name, 0xFF, sizeof(name));
    memset(&settings, 0xFF, sizeof(settings));
    memset(&parameters, 0xFF, sizeof(parameters));
    memset(&creds, 0xFF, sizeof(creds));
    assert_int_equal(osspi_schannel_apply_crypto(copy, &config), SEC_E_OK);
    assert_false(has(&config, 0x1301));
    assert_true(has(&config, 0x1303));
    osspi_schannel_capture_free(copy);
}

/* ---- versions ---- */

static void enabled_protocols_choose_versions(void **state)
{
    static const struct {
        DWORD mask;
        bool server;
        SECURITY_STATUS status;
        uint16_t min, max;
    } rows[] = {
        {0, false, SEC_E_OK, 0x0303, 0x0304},
        {0, true, SEC_E_OK, 0x0303, 0x0304},
        {SP_PROT_TLS1_2_CLIENT, false, SEC_E_OK, 0x0303, 0x0303},
        {SP_PROT_TLS1_3_CLIENT, false, SEC_E_OK, 0x0304, 0x0304},
        {SP_PROT_TLS1_2_CLIENT, true, SEC_E_ALGORITHM_MISMATCH, 0, 0},
        {SP_PROT_TLS1_2, true, SEC_E_OK, 0x0303, 0x0303},
        {SP_PROT_TLS1_X, false, SEC_E_OK, 0x0301, 0x0304},
        {SP_PROT_TLS1_0 | SP_PROT_TLS1_3, false, SEC_E_OK, 0x0304, 0x0304},
        {SP_PROT_TLS1_0 | SP_PROT_TLS1_1, false, SEC_E_OK, 0x0301, 0x0302},
        {SP_PROT_SSL3, false, SEC_E_ALGORITHM_MISMATCH, 0, 0},
        {SP_PROT_DTLS1_0, false, SEC_E_ALGORITHM_MISMATCH, 0, 0},
        {SP_PROT_DTLS1_2_SERVER | SP_PROT_TLS1_2_CLIENT, false, SEC_E_ALGORITHM_MISMATCH, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        SCHANNEL_CRED cred = {.dwVersion = SCHANNEL_CRED_VERSION,
                              .grbitEnabledProtocols = rows[i].mask};
        struct osspi_schannel_config config;

        assert_int_equal(configure(&cred, rows[i].server, &config), rows[i].status);
        if (rows[i].status != SEC_E_OK)
            continue;
        expect_versions(&config, rows[i].min, rows[i].max);
        assert_true(config.suites != 0);
        assert_true(has(&config, 0x1301) == (rows[i].max == 0x0304));
        assert_true(has(&config, 0xC02F) == (rows[i].min < 0x0304));
        assert_true(has(&config, 0xC013) == (rows[i].min < 0x0303)); /* CBC with SHA-1 */
    }
}

static SECURITY_STATUS configure_parameters(TLS_PARAMETERS *parameters, DWORD count, bool server,
                                            struct osspi_schannel_config *config)
{
    SCH_CREDENTIALS creds = {.dwVersion = SCH_CREDENTIALS_VERSION,
                             .cTlsParameters = count,
                             .pTlsParameters = parameters};

    return configure(&creds, server, config);
}

static void disabled_protocols_leave_the_others(void **state)
{
    TLS_PARAMETERS parameters = {.grbitDisabledProtocols = ~(DWORD)SP_PROT_TLS1_3_CLIENT};
    struct osspi_schannel_config config;

    (void)state;
    assert_int_equal(configure_parameters(NULL, 0, false, &config), SEC_E_OK);
    expect_versions(&config, 0x0303, 0x0304);
    assert_int_equal(configure_parameters(&parameters, 1, false, &config), SEC_E_OK);
    expect_versions(&config, 0x0304, 0x0304);
    assert_int_equal(configure_parameters(&parameters, 1, true, &config), SEC_E_ALGORITHM_MISMATCH);
    parameters.dwFlags = TLS_PARAMS_OPTIONAL;
    assert_int_equal(configure_parameters(&parameters, 1, true, &config), SEC_E_OK);
    expect_versions(&config, 0x0303, 0x0304);
    free_entries(&config);
}

static void entries_by_protocol_are_for_servers(void **state)
{
    UNICODE_STRING ids[] = {NAME("h2")};
    TLS_PARAMETERS parameters[] = {
        {.grbitDisabledProtocols = 0},
        {.cAlpnIds = 1, .rgstrAlpnIds = ids, .grbitDisabledProtocols = SP_PROT_TLS1_2_SERVER},
    };
    struct osspi_schannel_config config;

    (void)state;
    assert_int_equal(configure_parameters(parameters, 2, false, &config),
                     SEC_E_UNKNOWN_CREDENTIALS);
    assert_int_equal(configure_parameters(parameters, 2, true, &config), SEC_E_OK);
    expect_versions(&config, 0x0303, 0x0304); /* for those who do not agree on h2 */
    assert_int_equal(config.entry_count, 1);
    assert_int_equal(config.entries[0].versions_off, OSSPI_VERSION_BIT(0x0303));
    assert_int_equal(config.entries[0].protocols_len, 3);
    assert_memory_equal(config.entries[0].protocols, "\x02h2", 3);
    assert_false(config.entries[0].optional);
    free_entries(&config);
    parameters[1].dwFlags = TLS_PARAMS_OPTIONAL;
    assert_int_equal(configure_parameters(parameters, 2, true, &config), SEC_E_OK);
    expect_versions(&config, 0x0303, 0x0304);
    assert_true(config.entries[0].optional);
    free_entries(&config);
    parameters[1].cAlpnIds = 0; /* two entries for everything */
    assert_int_equal(configure_parameters(parameters, 2, true, &config), SEC_E_UNKNOWN_CREDENTIALS);
}

/* ---- crypto settings ---- */

static SECURITY_STATUS with_settings(CRYPTO_SETTINGS *settings, DWORD count,
                                     struct osspi_schannel_config *config)
{
    TLS_PARAMETERS parameters = {.cDisabledCrypto = count, .pDisabledCrypto = settings};

    return configure_parameters(&parameters, 1, false, config);
}

static void min_and_max_are_what_stays_allowed(void **state)
{
    CRYPTO_SETTINGS no_aes256[] = {
        {TlsParametersCngAlgUsageCipher, NAME("AES"), 0, NULL, 128, 128},
        {TlsParametersCngAlgUsageDigest, NAME("SHA384"), 0, NULL, 0, 0},
    };
    CRYPTO_SETTINGS no_aes128[] = {
        {TlsParametersCngAlgUsageCipher, NAME("AES"), 0, NULL, 256, 256},
        {TlsParametersCngAlgUsageDigest, NAME("SHA256"), 0, NULL, 0, 0},
    };
    struct osspi_schannel_config config;

    (void)state;
    assert_int_equal(with_settings(no_aes256, 2, &config), SEC_E_OK);
    assert_true(has(&config, 0x1301) && has(&config, 0x1303) && has(&config, 0xC02F));
    assert_false(has(&config, 0x1302) || has(&config, 0xC030));
    assert_int_equal(with_settings(no_aes128, 2, &config), SEC_E_OK);
    assert_true(has(&config, 0x1302) && has(&config, 0xC030));
    assert_false(has(&config, 0x1301) || has(&config, 0x1303) || has(&config, 0xC02F));
}

static void both_zero_disables_outright_and_modes_narrow(void **state)
{
    UNICODE_STRING ccm[] = {NAME("ChainingModeCCM")};
    UNICODE_STRING gcm[] = {NAME("ChainingModeGCM")};
    CRYPTO_SETTINGS settings[] = {
        {TlsParametersCngAlgUsageCipher, NAME("CHACHA20_POLY1305"), 0, NULL, 0, 0},
        {TlsParametersCngAlgUsageCipher, NAME("AES"), 1, ccm, 0, 0},
        {TlsParametersCngAlgUsageCipher, NAME("ROT13"), 0, NULL, 0, 0},
    };
    struct osspi_schannel_config config;

    (void)state;
    assert_int_equal(with_settings(settings, 3, &config), SEC_E_OK);
    assert_false(has(&config, 0x1303) || has(&config, 0xCCA8));
    assert_true(has(&config, 0x1301) && has(&config, 0x1302));
    settings[1].rgstrChainingModes = gcm;
    assert_int_equal(with_settings(settings, 3, &config), SEC_E_ALGORITHM_MISMATCH);
    assert_int_equal(with_settings(settings + 1, 2, &config), SEC_E_OK);
    assert_true(has(&config, 0x1303) && !has(&config, 0x1301));
}

static void key_exchange_turns_off_groups_and_suites(void **state)
{
    CRYPTO_SETTINGS p256 = {TlsParametersCngAlgUsageKeyExchange, NAME("ECDH_P256"), 0, NULL, 0, 0};
    CRYPTO_SETTINGS dh = {TlsParametersCngAlgUsageKeyExchange, NAME("DH"), 0, NULL, 0, 0};
    CRYPTO_SETTINGS both[] = {
        {TlsParametersCngAlgUsageKeyExchange, NAME("ECDH"), 0, NULL, 0, 0},
        {TlsParametersCngAlgUsageKeyExchange, NAME("DH"), 0, NULL, 0, 0},
    };
    struct osspi_schannel_config config;

    (void)state;
    assert_int_equal(with_settings(&p256, 1, &config), SEC_E_OK);
    assert_int_equal(config.disabled_groups, OSSPI_GROUP_P256);
    assert_true(has(&config, 0xC02F));
    assert_int_equal(with_settings(&dh, 1, &config), SEC_E_OK);
    assert_int_equal(config.disabled_groups, OSSPI_GROUP_FFDHE);
    assert_true(has(&config, 0xC02F) && has(&config, 0x1301) && !has(&config, 0x009E));
    assert_int_equal(with_settings(both, 2, &config), SEC_E_ALGORITHM_MISMATCH);
}

static void signatures_never_become_weaker_than_asked(void **state)
{
    CRYPTO_SETTINGS rsa = {TlsParametersCngAlgUsageSignature, NAME("RSA"), 0, NULL, 0, 0};
    CRYPTO_SETTINGS sha1 = {TlsParametersCngAlgUsageCertSig, NAME("SHA1"), 0, NULL, 0, 0};
    CRYPTO_SETTINGS no_schemes[] = {
        {TlsParametersCngAlgUsageSignature, NAME("SHA256"), 0, NULL, 0, 0},
        {TlsParametersCngAlgUsageSignature, NAME("SCH_RSA_PKCS_PAD"), 0, NULL, 0, 0},
        {TlsParametersCngAlgUsageSignature, NAME("ECDSA"), 0, NULL, 0, 0},
        {TlsParametersCngAlgUsageSignature, NAME("RSA"), 0, NULL, 0, 0},
        {TlsParametersCngAlgUsageSignature, NAME("EDDSA"), 0, NULL, 0, 0},
    };
    struct osspi_schannel_config config;

    (void)state;
    assert_int_equal(with_settings(&rsa, 1, &config), SEC_E_OK);
    expect_versions(&config, 0x0303, 0x0304);
    assert_true(has(&config, 0xC02B) && !has(&config, 0xC02F) && has(&config, 0x1301));
    assert_int_equal(config.disabled_schemes, osspi_schemes_of("RSA"));
    assert_int_equal(with_settings(no_schemes, 5, &config), SEC_E_ALGORITHM_MISMATCH);
    assert_int_equal(with_settings(no_schemes, 2, &config), SEC_E_OK);
    assert_int_equal(config.disabled_schemes,
                     osspi_schemes_of("SHA256") | osspi_schemes_of("SCH_RSA_PKCS_PAD"));
    assert_int_equal(with_settings(&sha1, 1, &config), SEC_E_OK);
    expect_versions(&config, 0x0303, 0x0304);
    rsa.eAlgorithmUsage = TlsParametersCngAlgUsageCertSig;
    assert_int_equal(with_settings(&rsa, 1, &config), SEC_E_ALGORITHM_MISMATCH);
    rsa.dwMinBitLength = 2048;
    assert_int_equal(with_settings(&rsa, 1, &config), SEC_E_OK);
    rsa.eAlgorithmUsage = (eTlsAlgorithmUsage)77;
    assert_int_equal(with_settings(&rsa, 1, &config), SEC_E_UNKNOWN_CREDENTIALS);
}

/* One setting by itself: what is off then, beside what is off in any case. */
struct one_setting {
    CRYPTO_SETTINGS settings;
    SECURITY_STATUS status;
    uint16_t off, on; /* suites, 0: none */
    uint32_t groups;
    const char *schemes;
};

static void expect_each(const struct one_setting *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CRYPTO_SETTINGS settings = rows[i].settings;
        struct osspi_schannel_config config;

        assert_int_equal(with_settings(&settings, 1, &config), rows[i].status);
        if (rows[i].status != SEC_E_OK)
            continue;
        assert_false(rows[i].off != 0 && has(&config, rows[i].off));
        assert_true(has(&config, rows[i].on));
        assert_int_equal(config.disabled_groups, rows[i].groups);
        assert_int_equal(config.disabled_schemes,
                         rows[i].schemes ? osspi_schemes_of(rows[i].schemes) : 0);
    }
}

/* What is refused in any case may be forbidden; what cannot be limited further, not. */
static void expect_limits(void)
{
    const struct one_setting rows[] = {
        {{TlsParametersCngAlgUsageSignature, NAME("MD5"), 0, NULL, 0, 0}, 0, 0, 0xC02F, 0, 0},
        {{TlsParametersCngAlgUsageSignature, NAME("SHA1"), 0, NULL, 0, 0}, 0, 0, 0xC02F, 0, 0},
        {{TlsParametersCngAlgUsageSignature, NAME("RSA"), 0, NULL, 2048, 0}, 0, 0, 0xC02F, 0, 0},
        {{TlsParametersCngAlgUsageSignature, NAME("ECDSA"), 0, NULL, 224, 0}, 0, 0, 0xC02B, 0, 0},
        {{TlsParametersCngAlgUsageSignature, NAME("RSA"), 0, NULL, 2049, 0},
         SEC_E_ALGORITHM_MISMATCH,
         0,
         0,
         0,
         0},
        {{TlsParametersCngAlgUsageSignature, NAME("RSA"), 0, NULL, 2048, 4096},
         SEC_E_ALGORITHM_MISMATCH,
         0,
         0,
         0,
         0},
        {{TlsParametersCngAlgUsageSignature, NAME("ECDSA"), 0, NULL, 256, 0},
         SEC_E_ALGORITHM_MISMATCH,
         0,
         0,
         0,
         0},
        {{TlsParametersCngAlgUsageCertSig, NAME("MD5"), 0, NULL, 0, 0}, 0, 0, 0xC02F, 0, 0},
        {{TlsParametersCngAlgUsageCertSig, NAME("ECDSA"), 0, NULL, 224, 0}, 0, 0, 0xC02F, 0, 0},
        {{TlsParametersCngAlgUsageCertSig, NAME("RSA"), 0, NULL, 3072, 0},
         SEC_E_ALGORITHM_MISMATCH,
         0,
         0,
         0,
         0},
        {{TlsParametersCngAlgUsageCertSig, NAME("SHA256"), 0, NULL, 0, 0},
         SEC_E_ALGORITHM_MISMATCH,
         0,
         0,
         0,
         0},
    };

    expect_each(rows, OSSPI_COUNT_OF(rows));
}

static void s3_2_each_name_is_understood(void **state)
{
    UNICODE_STRING cbc[] = {NAME("ChainingModeCBC")};
    const struct one_setting rows[] = {
        {{TlsParametersCngAlgUsageCipher, NAME("aes"), 0, NULL, 0, 0}, 0, 0x1301, 0x1303, 0, 0},
        {{TlsParametersCngAlgUsageCipher, NAME("AES"), 1, cbc, 0, 0}, 0, 0xC013, 0xC02F, 0, 0},
        {{TlsParametersCngAlgUsageDigest, NAME("SHA1"), 0, NULL, 0, 0}, 0, 0xC013, 0xC02F, 0, 0},
        {{TlsParametersCngAlgUsageDigest, NAME("SHA256"), 0, NULL, 0, 0}, 0, 0x1301, 0x1302, 0, 0},
        {{TlsParametersCngAlgUsageDigest, NAME("SHA384"), 0, NULL, 0, 0}, 0, 0x1302, 0x1301, 0, 0},
        {{TlsParametersCngAlgUsageKeyExchange, NAME("nistp256"), 0, NULL, 0, 0},
         0,
         0,
         0xC02F,
         OSSPI_GROUP_P256,
         0},
        {{TlsParametersCngAlgUsageKeyExchange, NAME("NistP384"), 0, NULL, 0, 0},
         0,
         0,
         0xC02F,
         OSSPI_GROUP_P384,
         0},
        {{TlsParametersCngAlgUsageKeyExchange, NAME("ECDH_P521"), 0, NULL, 0, 0},
         0,
         0,
         0xC02F,
         OSSPI_GROUP_P521,
         0},
        {{TlsParametersCngAlgUsageKeyExchange, NAME("RSA"), 0, NULL, 0, 0},
         0,
         0x009C,
         0xC02F,
         0,
         0},
        {{TlsParametersCngAlgUsageSignature, NAME("ECDSA"), 0, NULL, 0, 0},
         0,
         0xC02B,
         0xC02F,
         0,
         "ECDSA"},
        {{TlsParametersCngAlgUsageSignature, NAME("EDDSA"), 0, NULL, 0, 0},
         0,
         0,
         0xC02F,
         0,
         "EDDSA"},
        {{TlsParametersCngAlgUsageSignature, NAME("SHA384"), 0, NULL, 0, 0},
         0,
         0,
         0xC02F,
         0,
         "SHA384"},
        {{TlsParametersCngAlgUsageSignature, NAME("SHA512"), 0, NULL, 0, 0},
         0,
         0,
         0xC02F,
         0,
         "SHA512"},
        {{TlsParametersCngAlgUsageSignature, NAME("SCH_RSA_PSS_PAD"), 0, NULL, 0, 0},
         0,
         0,
         0xC02F,
         0,
         "SCH_RSA_PSS_PAD"},
    };

    (void)state;
    expect_each(rows, OSSPI_COUNT_OF(rows));
    expect_limits();
}

/* ---- SCHANNEL_CRED's own ways ---- */

static void cipher_strengths_filter_suites(void **state)
{
    SCHANNEL_CRED cred = {.dwVersion = SCHANNEL_CRED_VERSION, .dwMinimumCipherStrength = 256};
    struct osspi_schannel_config config;

    (void)state;
    assert_int_equal(configure(&cred, false, &config), SEC_E_OK);
    assert_true(has(&config, 0x1302) && !has(&config, 0x1301));
    cred.dwMinimumCipherStrength = 257;
    assert_int_equal(configure(&cred, false, &config), SEC_E_ALGORITHM_MISMATCH);
    cred.dwMinimumCipherStrength = cred.dwMaximumCipherStrength = UINT32_MAX;
    assert_int_equal(configure(&cred, false, &config), SEC_E_ALGORITHM_MISMATCH);
    cred.dwMinimumCipherStrength = 0;
    cred.dwMaximumCipherStrength = 128;
    assert_int_equal(configure(&cred, false, &config), SEC_E_OK);
    assert_true(!has(&config, 0x1302) && has(&config, 0x1301));
}

static void listed_algorithms_admit_what_they_name(void **state)
{
    ALG_ID aes128[] = {CALG_AES_128};
    ALG_ID old[] = {CALG_AES, CALG_SHA1, CALG_RSA_KEYX};
    ALG_ID none[] = {CALG_RC4};
    SCHANNEL_CRED cred = {
        .dwVersion = SCHANNEL_CRED_VERSION, .cSupportedAlgs = 1, .palgSupportedAlgs = aes128};
    struct osspi_schannel_config config;

    (void)state;
    assert_int_equal(configure(&cred, false, &config), SEC_E_OK);
    assert_true(has(&config, 0x1301) && has(&config, 0xC02F));
    assert_false(has(&config, 0x1302) || has(&config, 0x1303) || has(&config, 0x002F));
    cred.cSupportedAlgs = 3;
    cred.palgSupportedAlgs = old;
    assert_int_equal(configure(&cred, false, &config), SEC_E_OK);
    expect_versions(&config, 0x0303, 0x0303);
    assert_true(has(&config, 0x002F) && has(&config, 0x0035) && !has(&config, 0xC013));
    cred.cSupportedAlgs = 1;
    cred.palgSupportedAlgs = none;
    assert_int_equal(configure(&cred, false, &config), SEC_E_ALGORITHM_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_versions_are_refused),
        cmocka_unit_test(counts_need_arrays_and_have_limits),
        cmocka_unit_test(copy_shares_nothing_with_the_caller),
        cmocka_unit_test(enabled_protocols_choose_versions),
        cmocka_unit_test(disabled_protocols_leave_the_others),
        cmocka_unit_test(entries_by_protocol_are_for_servers),
        cmocka_unit_test(min_and_max_are_what_stays_allowed),
        cmocka_unit_test(both_zero_disables_outright_and_modes_narrow),
        cmocka_unit_test(key_exchange_turns_off_groups_and_suites),
        cmocka_unit_test(signatures_never_become_weaker_than_asked),
        cmocka_unit_test(s3_2_each_name_is_understood),
        cmocka_unit_test(cipher_strengths_filter_suites),
        cmocka_unit_test(listed_algorithms_admit_what_they_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
