/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The parts of CredSSP that need no connection: TSRequest and TSCredentials as bytes, the binding
 * against vectors that were made elsewhere, errorCode, and which credentials make sense.
 */
#include "packages/credssp/request.h"

#include <credssp.h>
#include <opensspi.h>
#include <schannel.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/buffers.h"
#include "packages/credssp/delegate.h"
#include "packages/credssp/error_code.h"
#include "packages/credssp/key_auth.h"
#include "support/tls_certs.h"

#include "support/test_util.h"

/* ---- TSRequest ---- */

/* Version 6, a token "tok", a proof "proof", errorCode 0xC000006D, a nonce of 32 times 'n'. */
static const uint8_t whole[] = "\x30\x47"
                               "\xa0\x03\x02\x01\x06"
                               "\xa1\x0b\x30\x09\x30\x07\xa0\x05\x04\x03tok"
                               "\xa3\x07\x04\x05proof"
                               "\xa4\x06\x02\x04\xc0\x00\x00\x6d"
                               "\xa5\x22\x04\x20nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";
#define WHOLE (sizeof(whole) - 1)

/* A copy of exactly that size, so that a sanitizer sees the first byte too many. */
static SECURITY_STATUS decode(const void *bytes, size_t len, struct osspi_ts_request *ret_request)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    SECURITY_STATUS status;

    TEST_REQUIRE(copy != NULL);
    if (len > 0)
        memcpy(copy, bytes, len);
    status = osspi_ts_request_decode(copy, len, ret_request);
    free(copy);
    return status;
}

static SECURITY_STATUS decode_only(const void *bytes, size_t len)
{
    struct osspi_ts_request request;
    const SECURITY_STATUS status = decode(bytes, len, &request);

    osspi_ts_request_clear(&request);
    return status;
}

static void request_of_all_members_is_read_and_written(void **state)
{
    struct osspi_ts_request request;
    struct osspi_bytes out = {0};
    size_t len;

    (void)state;
    assert_int_equal(osspi_ts_request_measure(whole, WHOLE, &len), SEC_E_OK);
    assert_int_equal(len, WHOLE);
    assert_int_equal(decode(whole, WHOLE, &request), SEC_E_OK);
    assert_int_equal(request.version, 6);
    assert_true(request.has_token && request.has_error && request.has_nonce);
    assert_int_equal(request.token.len, 3);
    assert_memory_equal(request.token.at, "tok", 3);
    assert_int_equal(request.key_auth.len, 5);
    assert_int_equal(request.auth_info.len, 0);
    assert_int_equal(request.error, 0xC000006D);
    assert_int_equal(request.nonce[31], 'n');
    assert_int_equal(osspi_ts_request_encode(&request, &out), SEC_E_OK);
    assert_int_equal(out.len, WHOLE);
    assert_memory_equal(out.at, whole, WHOLE);
    osspi_bytes_clear(&out);
    osspi_ts_request_clear(&request);
}

static void request_truncated_anywhere_is_refused(void **state)
{
    size_t len;

    (void)state;
    for (size_t keep = 0; keep < WHOLE; keep++) {
        assert_int_equal(decode_only(whole, keep), SEC_E_INVALID_TOKEN);
        assert_int_equal(osspi_ts_request_measure(whole, keep, &len), SEC_E_OK);
        assert_int_equal(len, keep < 7 ? 0 : WHOLE);
    }
}

#define BAD(text) \
    { \
        text, sizeof(text) - 1 \
    }

static void request_that_breaks_the_rules_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        BAD("\x30\x06\xa0\x03\x02\x01\x06\x00"),                 /* a byte behind it */
        BAD("\x31\x05\xa0\x03\x02\x01\x06"),                     /* no SEQUENCE */
        BAD("\x30\x80\xa0\x03\x02\x01\x06\x00\x00"),             /* of unknown length */
        BAD("\x30\x00"),                                         /* without a version */
        BAD("\x30\x05\xa0\x03\x02\x01\x01"),                     /* a version there never was */
        BAD("\x30\x05\xa0\x03\x02\x01\x80"),                     /* a negative one */
        BAD("\x30\x09\xa0\x07\x02\x05\x01\x00\x00\x00\x06"),     /* one beyond 32 bits */
        BAD("\x30\x0a\xa0\x03\x02\x01\x06\xa6\x03\x02\x01\x00"), /* an unknown member */
        BAD("\x30\x09\xa0\x03\x02\x01\x06\xa1\x02\x30\x00"),     /* negoTokens without one */
        BAD("\x30\x11\xa0\x03\x02\x01\x06\xa1\x0a\x30\x08"
            "\x30\x02\xa0\x00\x30\x02\xa0\x00"), /* tokens that are empty */
        BAD("\x30\x17\xa0\x03\x02\x01\x06\xa1\x10\x30\x0e"
            "\x30\x05\xa0\x03\x04\x01\x61\x30\x05\xa0\x03\x04\x01\x62"), /* two of them */
        BAD("\x30\x09\xa0\x03\x02\x01\x06\xa2\x02\x04\x00"),             /* an empty authInfo */
        BAD("\x30\x09\xa0\x03\x02\x01\x06\xa3\x02\x04\x00"),             /* an empty pubKeyAuth */
        BAD("\x30\x0a\xa0\x03\x02\x01\x06\xa5\x03\x04\x01\x61"),         /* a nonce too short */
        BAD("\x30\x0f\xa0\x03\x02\x01\x06\xa4\x08\x02\x06\x01\x00\x00\x00\x00\x00"), /* errorCode */
        BAD("\x30\x0a\xa3\x03\x04\x01\x61\xa0\x03\x02\x01\x06"), /* in another order */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const SECURITY_STATUS status = decode_only(bad[i].bytes, bad[i].len);

        if (status != SEC_E_INVALID_TOKEN)
            print_error("row %u\n", (unsigned)i);
        assert_int_equal(status, SEC_E_INVALID_TOKEN);
    }
}

static void request_lengths_are_bounded(void **state)
{
    static const uint8_t most[] = {0x30, 0x83, 0x01, 0xff, 0xfb, 0, 0};
    static const uint8_t more[] = {0x30, 0x83, 0x02, 0x00, 0x01, 0, 0};
    static const uint8_t huge[] = {0x30, 0x88, 0x7f, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t little[] = {0x30, 0x04, 0xa0, 0x02, 0x02, 0x00}; /* whole, and too short */
    static const uint8_t endless[] = {0x30, 0xfe, 0, 0, 0, 0, 0}; /* a length of 126 bytes */
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t len;

    (void)state;
    assert_int_equal(osspi_ts_request_measure(most, sizeof(most), &len), SEC_E_OK);
    assert_int_equal(len, OSSPI_TS_MAX_REQUEST);
    assert_int_equal(osspi_ts_request_measure(more, sizeof(more), &len), SEC_E_INVALID_TOKEN);
    assert_int_equal(osspi_ts_request_measure(huge, sizeof(huge), &len), SEC_E_INVALID_TOKEN);
    assert_int_equal(osspi_ts_request_measure(little, 1, &len), SEC_E_OK);
    assert_int_equal(osspi_ts_request_measure(little, 2, &len), SEC_E_INVALID_TOKEN);
    assert_int_equal(osspi_ts_request_measure(little, sizeof(little), &len), SEC_E_INVALID_TOKEN);
    /* Nothing behind what is there is looked at. */
    assert_true(at != MAP_FAILED);
    assert_int_equal(mprotect(at + page, page, PROT_NONE), 0);
    memcpy(at + page - sizeof(endless), endless, sizeof(endless));
    assert_int_equal(osspi_ts_request_measure(at + page - sizeof(endless), sizeof(endless), &len),
                     SEC_E_INVALID_TOKEN);
    munmap(at, 2 * page);
}

/* Any byte of a good one changed: read or refused, and what is read can be written. */
static void request_with_a_changed_byte_does_no_harm(void **state)
{
    (void)state;
    for (size_t at = 0; at < WHOLE; at++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t bytes[WHOLE];
            struct osspi_ts_request request;
            struct osspi_bytes out = {0};

            memcpy(bytes, whole, WHOLE);
            bytes[at] = (uint8_t)value;
            if (decode(bytes, WHOLE, &request) == SEC_E_OK)
                assert_int_equal(osspi_ts_request_encode(&request, &out), SEC_E_OK);
            osspi_ts_request_clear(&request);
            osspi_bytes_clear(&out);
        }
    }
}

/* ---- TSCredentials ---- */

/* alice of DOM with "pw", as MS-CSSP 2.2.1.2.1 has it. */
static const uint8_t credentials[] = "\x30\x2b\xa0\x03\x02\x01\x01\xa1\x24\x04\x22\x30\x20"
                                     "\xa0\x08\x04\x06"
                                     "D\0O\0M\0"
                                     "\xa1\x0c\x04\x0a"
                                     "a\0l\0i\0c\0e\0"
                                     "\xa2\x06\x04\x04"
                                     "p\0w\0";
#define CREDENTIALS (sizeof(credentials) - 1)

static SECURITY_STATUS decode_credentials(const void *bytes, size_t len)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 *identity = NULL;
    const SECURITY_STATUS status = osspi_ts_credentials_decode(bytes, len, &identity);

    assert_int_equal(status == SEC_E_OK, identity != NULL);
    (void)osspi_context_buffer_free(identity);
    return status;
}

static void credentials_are_read_and_written(void **state)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 *identity = NULL;
    struct osspi_auth_view view;
    struct osspi_bytes out = {0};

    (void)state;
    assert_int_equal(osspi_ts_credentials_decode(credentials, CREDENTIALS, &identity), SEC_E_OK);
    assert_int_equal(osspi_auth_view(identity, identity->cbStructureLength, &view), SEC_E_OK);
    assert_int_equal(view.domain.count, 3);
    assert_int_equal(view.user.count, 5);
    assert_int_equal(view.password.count, 2);
    assert_memory_equal(view.password.bytes, "p\0w\0", 4);
    assert_true(osspi_ts_can_delegate(identity));
    assert_int_equal(osspi_ts_credentials_encode(identity, &out), SEC_E_OK);
    assert_int_equal(out.len, CREDENTIALS);
    assert_memory_equal(out.at, credentials, CREDENTIALS);
    osspi_bytes_clear(&out);
    (void)osspi_context_buffer_free(identity);
}

static void credentials_of_nobody_are_empty(void **state)
{
    struct osspi_bytes out = {0};
    SEC_WINNT_AUTH_IDENTITY_EX2 *identity = NULL;

    (void)state;
    assert_int_equal(osspi_ts_credentials_encode(NULL, &out), SEC_E_OK);
    assert_int_equal(osspi_ts_credentials_decode(out.at, out.len, &identity), SEC_E_OK);
    assert_false(osspi_ts_can_delegate(identity));
    (void)osspi_context_buffer_free(identity);
    osspi_bytes_clear(&out);
}

static void credentials_that_are_malformed_are_refused(void **state)
{
    uint8_t bytes[CREDENTIALS + 1];

    (void)state;
    for (size_t keep = 0; keep < CREDENTIALS; keep++)
        assert_int_equal(decode_credentials(credentials, keep), SEC_E_INVALID_TOKEN);
    memcpy(bytes, credentials, CREDENTIALS);
    bytes[CREDENTIALS] = 0;
    assert_int_equal(decode_credentials(bytes, CREDENTIALS + 1), SEC_E_INVALID_TOKEN);
    bytes[6] = 2; /* a smart card, and a remote guard: nobody here could use them */
    assert_int_equal(decode_credentials(bytes, CREDENTIALS), SEC_E_UNSUPPORTED_FUNCTION);
    bytes[6] = 6;
    assert_int_equal(decode_credentials(bytes, CREDENTIALS), SEC_E_UNSUPPORTED_FUNCTION);
    memcpy(bytes, credentials, CREDENTIALS);
    bytes[17] = bytes[18] = 0; /* a NUL inside of the domain */
    assert_int_equal(decode_credentials(bytes, CREDENTIALS), SEC_E_INVALID_TOKEN);
}

/* ---- the binding ---- */

/* Made with Python's hashlib: sha256(magic + NUL + nonce + key), nonce 0..31, key "the key". */
static const uint8_t hash_of_client[] = {
    0x07, 0x59, 0x38, 0x0c, 0x35, 0x3b, 0x99, 0x8a, 0x4b, 0x19, 0xa1, 0xe3, 0x09, 0xf3, 0xb0, 0x37,
    0x1d, 0x1e, 0x9e, 0x5f, 0xea, 0x5b, 0xf4, 0xa1, 0xf0, 0xa7, 0xb4, 0x57, 0x0a, 0xd4, 0x20, 0xd0};
static const uint8_t hash_of_server[] = {
    0xdd, 0x52, 0xf1, 0x75, 0x5a, 0xd1, 0xa3, 0x74, 0x85, 0x72, 0xc6, 0x2f, 0x83, 0xbe, 0xfb, 0x49,
    0xc9, 0xaa, 0x79, 0x54, 0x5f, 0x49, 0x76, 0x20, 0xe3, 0x00, 0xfc, 0xf5, 0xb6, 0xab, 0xb1, 0xa2};

static void binding_is_that_of_the_vectors(void **state)
{
    struct osspi_bytes key = {0}, proof = {0};
    uint8_t nonce[OSSPI_TS_NONCE];

    (void)state;
    for (size_t i = 0; i < sizeof(nonce); i++)
        nonce[i] = (uint8_t)i;
    assert_true(osspi_bytes_add(&key, "the key", 7));
    assert_int_equal(osspi_key_auth_make(&key, nonce, false, &proof), SEC_E_OK);
    assert_int_equal(proof.len, 32);
    assert_memory_equal(proof.at, hash_of_client, 32);
    assert_int_equal(osspi_key_auth_check(&key, nonce, false, hash_of_client, 32), SEC_E_OK);
    assert_int_equal(osspi_key_auth_check(&key, nonce, true, hash_of_server, 32), SEC_E_OK);
    assert_int_equal(osspi_key_auth_check(&key, nonce, true, hash_of_client, 32),
                     SEC_E_MESSAGE_ALTERED);
    assert_int_equal(osspi_key_auth_check(&key, nonce, true, hash_of_server, 31),
                     SEC_E_MESSAGE_ALTERED);
    /* The older form: the key, and its first byte counted up. */
    assert_int_equal(osspi_key_auth_check(&key, NULL, false, (const uint8_t *)"the key", 7),
                     SEC_E_OK);
    assert_int_equal(osspi_key_auth_check(&key, NULL, true, (const uint8_t *)"uhe key", 7),
                     SEC_E_OK);
    assert_int_equal(osspi_key_auth_check(&key, NULL, true, (const uint8_t *)"the key", 7),
                     SEC_E_MESSAGE_ALTERED);
    osspi_bytes_clear(&key);
    osspi_bytes_clear(&proof);
}

/* ---- errorCode ---- */

static void errors_are_failures_whatever_they_are(void **state)
{
    (void)state;
    assert_int_equal(osspi_ts_error_of(SEC_E_LOGON_DENIED), 0xC000006D);
    for (uint64_t error = 0; error <= UINT32_MAX; error += 0xFFFF) {
        assert_true(osspi_ts_error_status((uint32_t)error) < 0);
        assert_true(osspi_ts_error_text((uint32_t)error)[0] != '\0');
    }
    assert_int_equal(osspi_ts_error_status(osspi_ts_error_of(SEC_E_TIME_SKEW)), SEC_E_TIME_SKEW);
    for (uint32_t version = 2; version < 9; version++)
        assert_int_equal(osspi_ts_has_error(version), version != 2 && version != 5);
}

/* ---- credentials ---- */

static SECURITY_STATUS acquire(ULONG use, void *auth)
{
    CredHandle credential;
    const SECURITY_STATUS status = AcquireCredentialsHandleA(NULL, (LPSTR)CREDSSP_NAME_A, use, NULL,
                                                             auth, NULL, NULL, &credential, NULL);

    if (status == SEC_E_OK)
        assert_int_equal(FreeCredentialsHandle(&credential), SEC_E_OK);
    return status;
}

static void credentials_of_each_type(void **state)
{
    enum { NONE, TLS = 1, NEGO = 2, BOTH = 3 };
    static const struct {
        int type;
        unsigned halves;
        SECURITY_STATUS client, server;
    } rows[] = {
        {CredsspPasswordCreds, NEGO, SEC_E_OK, SEC_E_NO_CREDENTIALS},
        {CredsspPasswordCreds, BOTH, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
        {CredsspSchannelCreds, NONE, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
        {CredsspSchannelCreds, BOTH, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
        {CredsspSchannelCreds, TLS, SEC_E_NO_CREDENTIALS, SEC_E_OK},
        {CredsspCertificateCreds, NONE, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
        {CredsspCertificateCreds, NEGO, SEC_E_OK, SEC_E_UNKNOWN_CREDENTIALS},
        {CredsspSubmitBufferBoth, NEGO, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
        {CredsspSubmitBufferBoth, BOTH, SEC_E_OK, SEC_E_OK},
        {CredsspSubmitBufferBoth, TLS, SEC_E_NO_CREDENTIALS, SEC_E_OK},
        {CredsspSubmitBufferBothOld, BOTH, SEC_E_OK, SEC_E_UNKNOWN_CREDENTIALS},
        {0, BOTH, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
        {52, BOTH, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
    };
    PCCERT_CONTEXT certificate = peer_certificate("server");
    SEC_WINNT_AUTH_IDENTITY_A identity = {
        .User = (unsigned char *)"alice",
        .UserLength = 5,
        .Password = (unsigned char *)"pw",
        .PasswordLength = 2,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int server = 0; server < 2; server++) {
            SCHANNEL_CRED tls = {.dwVersion = SCHANNEL_CRED_VERSION,
                                 .cCreds = (DWORD)server,
                                 .paCred = server ? &certificate : NULL};
            CREDSSP_CRED cred = {(CREDSPP_SUBMIT_TYPE)rows[i].type,
                                 rows[i].halves & TLS ? &tls : NULL,
                                 rows[i].halves & NEGO ? &identity : NULL};
            const SECURITY_STATUS status =
                acquire(server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, &cred);

            if (status != (server ? rows[i].server : rows[i].client))
                print_error("row %u, server %d\n", (unsigned)i, server);
            assert_int_equal(status, server ? rows[i].server : rows[i].client);
        }
    }
    CertFreeCertificateContext(certificate);
}

static void credentials_that_make_no_sense(void **state)
{
    SCHANNEL_CRED tls = {.dwVersion = 3};
    SEC_WINNT_AUTH_IDENTITY_A identity = {.Flags = 0, .User = (unsigned char *)"alice"};
    CREDSSP_CRED cred = {CredsspSubmitBufferBoth, &tls, NULL};

    (void)state;
    assert_int_equal(acquire(SECPKG_CRED_OUTBOUND, &cred), SEC_E_UNKNOWN_CREDENTIALS);
    tls.dwVersion = SCHANNEL_CRED_VERSION;
    cred.pSpnegoCred = &identity; /* of no encoding */
    assert_int_equal(acquire(SECPKG_CRED_OUTBOUND, &cred), SEC_E_UNKNOWN_CREDENTIALS);
    cred.pSpnegoCred = NULL;
    assert_int_equal(acquire(SECPKG_CRED_BOTH, &cred), SEC_E_NO_CREDENTIALS);
    assert_int_equal(acquire(SECPKG_CRED_INBOUND, NULL), SEC_E_NO_CREDENTIALS);
}

static void options_are_checked(void **state)
{
    SCHANNEL_CRED tls = {.dwVersion = SCHANNEL_CRED_VERSION};
    SEC_WINNT_AUTH_IDENTITY_A identity = {
        .User = (unsigned char *)"alice", .UserLength = 5, .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI};
    CREDSSP_CRED cred = {CredsspSubmitBufferBoth, &tls, &identity};
    OsspiCredSspOptions options = {.cbSize = 1};
    static const ULONG bad[][3] = {{2, 0, 0}, {0, 1, 0}, {0, 0, 7}, {0, 6, 5}, {0, 7, 0}};
    CredHandle handle;

    (void)state;
    assert_int_equal(AcquireCredentialsHandleA(NULL, (LPSTR)CREDSSP_NAME_A, SECPKG_CRED_OUTBOUND,
                                               NULL, &cred, NULL, NULL, &handle, NULL),
                     SEC_E_OK);
    assert_int_equal(
        QueryCredentialsAttributesA(&handle, OSSPI_CRED_ATTR_CREDSSP_OPTIONS, &options), SEC_E_OK);
    assert_int_equal(options.cbSize, sizeof(options));
    assert_int_equal(options.min_version, 5);
    assert_int_equal(options.max_version, 6);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        options = (OsspiCredSspOptions){sizeof(options), bad[i][0], bad[i][1], bad[i][2]};
        assert_int_equal(SetCredentialsAttributesA(&handle, OSSPI_CRED_ATTR_CREDSSP_OPTIONS,
                                                   &options, sizeof(options)),
                         SEC_E_INVALID_PARAMETER);
    }
    assert_int_equal(FreeCredentialsHandle(&handle), SEC_E_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_of_all_members_is_read_and_written),
        cmocka_unit_test(request_truncated_anywhere_is_refused),
        cmocka_unit_test(request_that_breaks_the_rules_is_refused),
        cmocka_unit_test(request_lengths_are_bounded),
        cmocka_unit_test(request_with_a_changed_byte_does_no_harm),
        cmocka_unit_test(credentials_are_read_and_written),
        cmocka_unit_test(credentials_of_nobody_are_empty),
        cmocka_unit_test(credentials_that_are_malformed_are_refused),
        cmocka_unit_test(binding_is_that_of_the_vectors),
        cmocka_unit_test(errors_are_failures_whatever_they_are),
        cmocka_unit_test(credentials_of_each_type),
        cmocka_unit_test(credentials_that_make_no_sense),
        cmocka_unit_test(options_are_checked),
    };

    return cmocka_run_group_tests_name("credssp.parts", tests, peer_set_up, NULL);
}
