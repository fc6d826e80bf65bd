/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Functions that exist and say that they are not supported; see random.h. They look at nothing, so
 * their arguments are zeros. A package that brings one of them moves its row to where it is called
 * with more.
 */
#define SECURITY_WIN32 /* for SASL */

#include "random/random.h"

#define REFUSED(function, ...) \
    static void call_##function(struct random_thread *thread) \
    { \
        (void)thread; \
        TEST_REQUIRE_EQUAL((SECURITY_STATUS)function(__VA_ARGS__), SEC_E_UNSUPPORTED_FUNCTION); \
    } \
    _Static_assert(1, "ends with a semicolon")
#define ROW(function) \
    { \
#function, call_##function, 1 \
    }

REFUSED(AddSecurityPackageA, NULL, NULL);
REFUSED(AddSecurityPackageW, NULL, NULL);
REFUSED(DeleteSecurityPackageA, NULL);
REFUSED(DeleteSecurityPackageW, NULL);
REFUSED(SaslEnumerateProfilesA, NULL, NULL);
REFUSED(SaslEnumerateProfilesW, NULL, NULL);
REFUSED(SaslGetProfilePackageA, NULL, NULL);
REFUSED(SaslGetProfilePackageW, NULL, NULL);
REFUSED(SaslIdentifyPackageA, NULL, NULL);
REFUSED(SaslIdentifyPackageW, NULL, NULL);
REFUSED(SaslInitializeSecurityContextA, NULL, NULL, NULL, 0, 0, 0, NULL, 0, NULL, NULL, NULL, NULL);
REFUSED(SaslInitializeSecurityContextW, NULL, NULL, NULL, 0, 0, 0, NULL, 0, NULL, NULL, NULL, NULL);
REFUSED(SaslAcceptSecurityContext, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL);
REFUSED(SaslSetContextOption, NULL, 0, NULL, 0);
REFUSED(SaslGetContextOption, NULL, 0, NULL, 0, NULL);
REFUSED(SspiEncryptAuthIdentity, NULL);
REFUSED(SspiEncryptAuthIdentityEx, 0, NULL);
REFUSED(SspiDecryptAuthIdentity, NULL);
REFUSED(SspiDecryptAuthIdentityEx, 0, NULL);
REFUSED(SspiPrepareForCredRead, NULL, NULL, NULL, NULL);
REFUSED(SspiPrepareForCredWrite, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
REFUSED(SspiPromptForCredentialsA, NULL, NULL, 0, NULL, NULL, NULL, NULL, 0);
REFUSED(SspiPromptForCredentialsW, NULL, NULL, 0, NULL, NULL, NULL, NULL, 0);
REFUSED(SspiGetCredUIContext, NULL, NULL, NULL, NULL, NULL);
REFUSED(SspiUpdateCredentials, NULL, NULL, 0, NULL);
REFUSED(SspiUnmarshalCredUIContext, NULL, 0, NULL);

/* Those that answer FALSE, nothing, or zero. */

static void call_SslCrackCertificate(struct random_thread *thread)
{
    (void)thread;
    TEST_REQUIRE(!SslCrackCertificate(NULL, 0, 0, NULL));
}

static void call_SslGenerateKeyPair(struct random_thread *thread)
{
    (void)thread;
    TEST_REQUIRE(!SslGenerateKeyPair(NULL, NULL, NULL, 0));
}

static void call_SslGetDefaultIssuers(struct random_thread *thread)
{
    (void)thread;
    TEST_REQUIRE(!SslGetDefaultIssuers(NULL, NULL));
}

static void call_SslGetMaximumKeySize(struct random_thread *thread)
{
    (void)thread;
    TEST_REQUIRE_EQUAL(SslGetMaximumKeySize(0), 0);
}

static void call_SslFreeCertificate(struct random_thread *thread)
{
    (void)thread;
    SslFreeCertificate(NULL);
}

static const struct random_row rows[] = {
    ROW(AddSecurityPackageA),
    ROW(AddSecurityPackageW),
    ROW(DeleteSecurityPackageA),
    ROW(DeleteSecurityPackageW),
    ROW(SaslEnumerateProfilesA),
    ROW(SaslEnumerateProfilesW),
    ROW(SaslGetProfilePackageA),
    ROW(SaslGetProfilePackageW),
    ROW(SaslIdentifyPackageA),
    ROW(SaslIdentifyPackageW),
    ROW(SaslInitializeSecurityContextA),
    ROW(SaslInitializeSecurityContextW),
    ROW(SaslAcceptSecurityContext),
    ROW(SaslSetContextOption),
    ROW(SaslGetContextOption),
    ROW(SspiEncryptAuthIdentity),
    ROW(SspiEncryptAuthIdentityEx),
    ROW(SspiDecryptAuthIdentity),
    ROW(SspiDecryptAuthIdentityEx),
    ROW(SspiPrepareForCredRead),
    ROW(SspiPrepareForCredWrite),
    ROW(SspiPromptForCredentialsA),
    ROW(SspiPromptForCredentialsW),
    ROW(SspiGetCredUIContext),
    ROW(SspiUpdateCredentials),
    ROW(SspiUnmarshalCredUIContext),
    ROW(SslCrackCertificate),
    ROW(SslGenerateKeyPair),
    ROW(SslGetDefaultIssuers),
    ROW(SslGetMaximumKeySize),
    ROW(SslFreeCertificate),
};
RANDOM_ROWS(random_unsupported_rows, rows);
