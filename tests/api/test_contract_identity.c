/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: the Sspi...AuthIdentity helpers. Every form in, one block out; malformed ones are
 * refused, whatever their lengths and offsets say.
 */
#include <opensspi.h>
#include <stdlib.h>
#include <string.h>

#include "support/test_util.h"

#define ANSI    SEC_WINNT_AUTH_IDENTITY_ANSI
#define UNICODE SEC_WINNT_AUTH_IDENTITY_UNICODE

/* In memory of just that size, for what reads beyond it to be seen. */
static char *exact_copy(const void *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    return copy;
}

/* ---- the same identity in all forms ---- */

static unsigned char user_a[] = "b\xC3\xB6rje", domain_a[] = "Example", password_a[] = "s3cret!",
                     packages_a[] = "kerberos";
static uint16_t user_w[] = u"b\u00F6rje", domain_w[] = u"Example", password_w[] = u"s3cret!",
                packages_w[] = u"kerberos";

static SEC_WINNT_AUTH_IDENTITY_A plain_a = {user_a, 6, domain_a, 7, password_a, 7, ANSI};
static SEC_WINNT_AUTH_IDENTITY_W plain_w = {user_w, 5, domain_w, 7, password_w, 7, UNICODE};
static SEC_WINNT_AUTH_IDENTITY_EXA ex_a = {SEC_WINNT_AUTH_IDENTITY_VERSION,
                                           sizeof(ex_a),
                                           user_a,
                                           6,
                                           domain_a,
                                           7,
                                           password_a,
                                           7,
                                           ANSI,
                                           packages_a,
                                           8};
static SEC_WINNT_AUTH_IDENTITY_EXW ex_w = {SEC_WINNT_AUTH_IDENTITY_VERSION,
                                           sizeof(ex_w),
                                           user_w,
                                           5,
                                           domain_w,
                                           7,
                                           password_w,
                                           7,
                                           UNICODE,
                                           packages_w,
                                           8};

static void require_strings(void *identity, const WCHAR *user, const WCHAR *domain,
                            const WCHAR *password)
{
    const WCHAR *expected[3] = {user, domain, password};
    PCWSTR found[3] = {0};

    assert_int_equal(SspiEncodeAuthIdentityAsStrings(identity, &found[0], &found[1], &found[2]),
                     SEC_E_OK);
    for (int i = 0; i < 3; i++) {
        size_t len = 0;

        assert_int_equal(!found[i], !expected[i]);
        while (expected[i] && expected[i][len] != 0)
            len++;
        if (expected[i])
            assert_memory_equal(found[i], expected[i], (len + 1) * sizeof(WCHAR));
        SspiLocalFree((void *)(uintptr_t)found[i]);
    }
}

static void every_form_says_the_same(void **state)
{
    void *forms[] = {&plain_a, &plain_w, &ex_a, &ex_w};
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        void *copy = NULL;

        assert_int_equal(SspiValidateAuthIdentity(forms[i]), SEC_E_OK);
        require_strings(forms[i], user_w, domain_w, password_w);
        assert_int_equal(SspiCopyAuthIdentity(forms[i], &copy), SEC_E_OK);
        require_strings(copy, user_w, domain_w, password_w);
        SspiFreeAuthIdentity(copy);
    }
}

static void strings_become_an_identity(void **state)
{
    void *identity = NULL;
    (void)state;

    assert_int_equal(SspiEncodeStringsAsAuthIdentity(user_w, domain_w, password_w, &identity),
                     SEC_E_OK);
    require_strings(identity, user_w, domain_w, password_w);
    SspiZeroAuthIdentity(identity);
    require_strings(identity, user_w, domain_w, NULL);
    SspiFreeAuthIdentity(identity);
    /* None and empty are two things. */
    assert_int_equal(SspiEncodeStringsAsAuthIdentity(user_w, NULL, u"", &identity), SEC_E_OK);
    require_strings(identity, user_w, NULL, u"");
    SspiFreeAuthIdentity(identity);
    assert_int_equal(SspiEncodeStringsAsAuthIdentity(NULL, NULL, NULL, &identity), SEC_E_OK);
    require_strings(identity, NULL, NULL, NULL);
    SspiFreeAuthIdentity(identity);
}

/* ---- marshalling ---- */

static void bytes_travel(void **state)
{
    ULONG len = 0;
    char *bytes = NULL, *moved;
    void *identity = NULL;
    BOOLEAN same_user = FALSE, same = FALSE;
    (void)state;

    assert_int_equal(SspiMarshalAuthIdentity(&ex_w, &len, &bytes), SEC_E_OK);
    assert_true(len > sizeof(SEC_WINNT_AUTH_IDENTITY_EX2));
    moved = exact_copy(bytes, len);
    SspiLocalFree(bytes);
    assert_int_equal(SspiUnmarshalAuthIdentity(len, moved, &identity), SEC_E_OK);
    free(moved);
    assert_int_equal(SspiCompareAuthIdentities(identity, &ex_a, &same_user, &same), SEC_E_OK);
    assert_true(same_user && same);
    SspiFreeAuthIdentity(identity);
}

/* Each prefix is refused, and so is each length or offset that leads out of the block. */
static void damaged_bytes_are_refused(void **state)
{
    ULONG len = 0;
    char *bytes = NULL;
    void *identity = NULL;
    (void)state;

    assert_int_equal(SspiMarshalAuthIdentity(&ex_w, &len, &bytes), SEC_E_OK);
    for (ULONG part = 0; part < len; part++) {
        char *cut = exact_copy(bytes, part);

        assert_int_equal(SspiUnmarshalAuthIdentity(part, cut, &identity), SEC_E_INVALID_PARAMETER);
        assert_null(identity);
        free(cut);
    }
    for (size_t at = 0; at < sizeof(SEC_WINNT_AUTH_IDENTITY_EX2); at++) {
        for (int bit = 0; bit < 8; bit++) {
            char *changed = exact_copy(bytes, len);
            SECURITY_STATUS status;

            changed[at] ^= (char)(1 << bit);
            status = SspiUnmarshalAuthIdentity(len, changed, &identity);
            assert_true(status == SEC_E_OK || status == SEC_E_INVALID_PARAMETER);
            SspiFreeAuthIdentity(identity);
            free(changed);
        }
    }
    SspiLocalFree(bytes);
}

/* Pointers in bytes from elsewhere are nobody's. */
static void pointers_do_not_travel(void **state)
{
    void *identity = &plain_a;
    (void)state;

    assert_int_equal(SspiUnmarshalAuthIdentity(sizeof(plain_w), (char *)&plain_w, &identity),
                     SEC_E_INVALID_PARAMETER);
    assert_null(identity);
    assert_int_equal(SspiUnmarshalAuthIdentity(sizeof(ex_w), (char *)&ex_w, &identity),
                     SEC_E_INVALID_PARAMETER);
}

/* A caller that puts the bare password where packed credentials belong, and one with the structure.
 */
static void passwords_of_a_block(void **state)
{
    static const WCHAR text[] = u"ab";
    union {
        SEC_WINNT_AUTH_IDENTITY_EX2 header;
        char bytes[128];
    } block = {.header = {.Version = SEC_WINNT_AUTH_IDENTITY_VERSION_2,
                          .cbHeaderLength = sizeof(block.header),
                          .cbStructureLength = sizeof(block.header) + 4,
                          .PackedCredentialsOffset = sizeof(block.header),
                          .PackedCredentialsLength = 4,
                          .Flags = UNICODE}};
    (void)state;

    memcpy(block.bytes + sizeof(block.header), text, 4);
    require_strings(&block, NULL, NULL, text);
    block.header.PackedCredentialsLength = 3;
    assert_int_equal(SspiValidateAuthIdentity(&block), SEC_E_INVALID_PARAMETER);
    block.header.PackedCredentialsLength = 6;
    assert_int_equal(SspiValidateAuthIdentity(&block), SEC_E_INVALID_PARAMETER);
}

/* ---- what is malformed ---- */

static void malformed_forms_are_refused(void **state)
{
    SEC_WINNT_AUTH_IDENTITY_W bad[] = {
        {user_w, 5, domain_w, 7, password_w, 7, 0},
        {user_w, 5, domain_w, 7, password_w, 7, ANSI | UNICODE},
        {NULL, 5, domain_w, 7, password_w, 7, UNICODE},
        {user_w, 5, NULL, 7, password_w, 7, UNICODE},
        {user_w, 5, domain_w, 7, NULL, 7, UNICODE},
        {user_w, 6, domain_w, 7, password_w, 7, UNICODE}, /* with its NUL */
        {(unsigned short *)(void *)"\xFF\xFE", 2, domain_w, 7, password_w, 7, ANSI},
    };
    SEC_WINNT_AUTH_IDENTITY_EXW small = ex_w;
    void *identity = &plain_a;
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(SspiValidateAuthIdentity(&bad[i]), SEC_E_INVALID_PARAMETER);
        assert_int_equal(SspiCopyAuthIdentity(&bad[i], &identity), SEC_E_INVALID_PARAMETER);
        assert_null(identity);
    }
    small.Length = sizeof(small) - 1;
    assert_int_equal(SspiValidateAuthIdentity(&small), SEC_E_INVALID_PARAMETER);
    assert_int_equal(SspiValidateAuthIdentity(NULL), SEC_E_INVALID_PARAMETER);
}

static void what_is_too_long_is_refused(void **state)
{
    const size_t count = 32768;
    uint16_t *wide = calloc(count + 1, sizeof(*wide));
    char *narrow = malloc(count + 1);
    SEC_WINNT_AUTH_IDENTITY_W identity = {wide, (ULONG)count, NULL, 0, NULL, 0, UNICODE};
    (void)state;

    assert_true(wide && narrow);
    for (size_t i = 0; i < count; i++)
        wide[i] = 'a';
    memset(narrow, 'a', count);
    assert_int_equal(SspiValidateAuthIdentity(&identity), SEC_E_INVALID_PARAMETER);
    identity.UserLength = (ULONG)count - 1;
    assert_int_equal(SspiValidateAuthIdentity(&identity), SEC_E_OK);
    identity.User = (unsigned short *)(void *)narrow;
    identity.Flags = ANSI;
    assert_int_equal(SspiValidateAuthIdentity(&identity), SEC_E_OK);
    identity.UserLength = (ULONG)count;
    assert_int_equal(SspiValidateAuthIdentity(&identity), SEC_E_INVALID_PARAMETER);
    identity.UserLength = UINT32_MAX;
    assert_int_equal(SspiValidateAuthIdentity(&identity), SEC_E_INVALID_PARAMETER);
    free(wide);
    free(narrow);
}

/* What somebody else has encrypted is carried along, compared, and never read. */
static void sealed_secrets_are_carried(void **state)
{
    SEC_WINNT_AUTH_IDENTITY_W sealed = plain_w;
    PCWSTR strings[3];
    void *copy = NULL;
    BOOLEAN same = FALSE;
    (void)state;

    sealed.Flags |= SEC_WINNT_AUTH_IDENTITY_FLAGS_PROCESS_ENCRYPTED;
    assert_int_equal(SspiCopyAuthIdentity(&sealed, &copy), SEC_E_OK);
    assert_true(SspiIsAuthIdentityEncrypted(copy));
    assert_int_equal(SspiCompareAuthIdentities(copy, &sealed, NULL, &same), SEC_E_OK);
    assert_true(same);
    assert_int_equal(SspiCompareAuthIdentities(copy, &plain_w, NULL, &same), SEC_E_OK);
    assert_false(same);
    assert_int_equal(SspiEncodeAuthIdentityAsStrings(copy, &strings[0], &strings[1], &strings[2]),
                     SEC_E_UNSUPPORTED_FUNCTION);
    SspiFreeAuthIdentity(copy);
}

/* ---- comparing ---- */

static void identities_are_compared(void **state)
{
    static uint16_t other_user[] = u"b\u00F6rjf", upper[] = u"B\u00F6RJE", domain[] = u"eXAMPLE",
                    other_password[] = u"s3cret?";
    const struct {
        SEC_WINNT_AUTH_IDENTITY_W identity;
        bool user, all;
    } rows[] = {
        {{user_w, 5, domain_w, 7, password_w, 7, UNICODE}, true, true},
        {{upper, 5, domain, 7, password_w, 7, UNICODE}, true, true},
        {{other_user, 5, domain_w, 7, password_w, 7, UNICODE}, false, false},
        {{user_w, 4, domain_w, 7, password_w, 7, UNICODE}, false, false},
        {{user_w, 5, NULL, 0, password_w, 7, UNICODE}, false, false},
        {{user_w, 5, domain_w, 7, other_password, 7, UNICODE}, true, false},
        {{user_w, 5, domain_w, 7, password_w, 6, UNICODE}, true, false},
        {{user_w, 5, domain_w, 7, NULL, 0, UNICODE}, true, false},
    };
    BOOLEAN user, all;
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            SspiCompareAuthIdentities(&plain_a, (void *)(uintptr_t)&rows[i].identity, &user, &all),
            SEC_E_OK);
        assert_int_equal(user, rows[i].user);
        assert_int_equal(all, rows[i].all);
    }
    assert_int_equal(SspiCompareAuthIdentities(&plain_a, &ex_w, &user, &all), SEC_E_OK);
    assert_true(user && !all); /* the packages differ */
    assert_int_equal(SspiCompareAuthIdentities(&plain_a, NULL, &user, &all), SEC_E_OK);
    assert_false(user || all);
    assert_int_equal(SspiCompareAuthIdentities(NULL, NULL, &user, &all), SEC_E_OK);
    assert_true(user && all);
}

/* ---- packages ---- */

static void require_packages(void *identity, const char *expected)
{
    SEC_WINNT_AUTH_IDENTITY_EX2 header;
    size_t len = strlen(expected);

    memcpy(&header, identity, sizeof(header));
    assert_int_equal(header.PackageListLength, len * sizeof(WCHAR));
    for (size_t i = 0; i < len; i++) {
        WCHAR unit;

        memcpy(&unit, (char *)identity + header.PackageListOffset + i * sizeof(unit), sizeof(unit));
        assert_int_equal(unit, expected[i]);
    }
}

static void packages_are_excluded(void **state)
{
    static uint16_t list[] = u"kerberos,NTLM,!ntlm,,tls";
    SEC_WINNT_AUTH_IDENTITY_EXW identity = ex_w;
    void *one = NULL, *two = NULL;
    (void)state;

    identity.PackageList = list;
    identity.PackageListLength = 24;
    assert_int_equal(SspiExcludePackage(&identity, u"ntlm", &one), SEC_E_OK);
    require_packages(one, "kerberos,tls,!ntlm");
    require_strings(one, user_w, domain_w, password_w);
    assert_int_equal(SspiExcludePackage(one, u"NTLM", &two), SEC_E_OK);
    require_packages(two, "kerberos,tls,!NTLM");
    SspiFreeAuthIdentity(one);
    SspiFreeAuthIdentity(two);
    assert_int_equal(SspiExcludePackage(&plain_a, u"x", &one), SEC_E_OK);
    require_packages(one, "!x");
    SspiFreeAuthIdentity(one);
    assert_int_equal(SspiExcludePackage(NULL, u"x", &one), SEC_E_OK); /* of the caller's own */
    require_packages(one, "!x");
    SspiFreeAuthIdentity(one);
    assert_int_equal(SspiExcludePackage(&plain_a, u"", &one), SEC_E_INVALID_PARAMETER);
    assert_null(one);
    assert_int_equal(SspiExcludePackage(&plain_a, NULL, &one), SEC_E_INVALID_PARAMETER);
    /* These would be two entries, the second of which allows something; or "!!x", none at all. */
    assert_int_equal(SspiExcludePackage(&plain_a, u"x,kerberos", &one), SEC_E_INVALID_PARAMETER);
    assert_null(one);
    assert_int_equal(SspiExcludePackage(&plain_a, u"!x", &one), SEC_E_INVALID_PARAMETER);
}

/* ---- target names ---- */

static void host_names_of_targets(void **state)
{
    static const struct {
        const WCHAR *target;
        const char *host;
    } rows[] = {
        {u"HTTP/www.example.test", "www.example.test"},
        {u"HTTP/www.example.test:8080", "www.example.test"},
        {u"ldap/dc.example.test/example.test", "dc.example.test"},
        {u"host/a.test@EXAMPLE.TEST", "a.test"},
        {u"a.test", "a.test"},
        {u"HTTP/[::1]:80", "[::1]"},
        {u"HTTP/::1", "::1"},
    };
    WCHAR *host = NULL;
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].host);

        assert_int_equal(SspiGetTargetHostName(rows[i].target, &host), SEC_E_OK);
        for (size_t k = 0; k <= len; k++)
            assert_int_equal(host[k], rows[i].host[k]);
        SspiLocalFree(host);
    }
    assert_int_equal(SspiGetTargetHostName(u"", &host), SEC_E_INVALID_PARAMETER);
    assert_null(host);
    assert_int_equal(SspiGetTargetHostName(u"HTTP/", &host), SEC_E_INVALID_PARAMETER);
    assert_int_equal(SspiGetTargetHostName(u"HTTP/@X", &host), SEC_E_INVALID_PARAMETER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_says_the_same),
        cmocka_unit_test(strings_become_an_identity),
        cmocka_unit_test(bytes_travel),
        cmocka_unit_test(damaged_bytes_are_refused),
        cmocka_unit_test(pointers_do_not_travel),
        cmocka_unit_test(passwords_of_a_block),
        cmocka_unit_test(malformed_forms_are_refused),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(sealed_secrets_are_carried),
        cmocka_unit_test(identities_are_compared),
        cmocka_unit_test(packages_are_excluded),
        cmocka_unit_test(host_names_of_targets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
