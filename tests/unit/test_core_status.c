/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Words for statuses: each has a name and a sentence, names are unique and lead back to their
 * number, SSPI's name wins where families share a number, and what is unknown has no words.
 */
#include "support/test_util.h"

#include <opensspi.h>
#include <string.h>

#include "core/status.h"

static void words_are_complete_for_every_entry(void **state)
{
    const struct osspi_status_words *words;
    size_t count = 0;

    (void)state;
    for (; (words = osspi_status_at(count)) != NULL; count++) {
        SECURITY_STATUS status;

        assert_true(words->name[0] != '\0');
        assert_true(words->text[0] >= 'A' && words->text[0] <= 'Z');
        assert_true(words->text[strlen(words->text) - 1] != '.');
        assert_true(osspi_status_by_name(words->name, &status));
        assert_int_equal(status, words->status);
        assert_non_null(osspi_status_find(words->status));
    }
    assert_true(count > 100);
}

static void words_have_one_entry_for_each_number(void **state)
{
    const struct osspi_status_words *words;

    (void)state;
    for (size_t i = 0; (words = osspi_status_at(i)) != NULL; i++)
        assert_ptr_equal(osspi_status_find(words->status), words);
}

static void name_is_the_one_that_sspi_uses(void **state)
{
    (void)state;
    assert_string_equal(OsspiStatusName(SEC_E_OK), "SEC_E_OK");
    assert_string_equal(OsspiStatusName(SEC_E_NO_SPM), "SEC_E_INTERNAL_ERROR");
    assert_string_equal(OsspiStatusName(SEC_E_NOT_SUPPORTED), "SEC_E_UNSUPPORTED_FUNCTION");
    assert_string_equal(OsspiStatusName(SEC_I_CONTINUE_NEEDED), "SEC_I_CONTINUE_NEEDED");
    assert_string_equal(OsspiStatusName(SEC_E_UNTRUSTED_ROOT), "SEC_E_UNTRUSTED_ROOT");
    assert_string_equal(OsspiStatusName(CERT_E_CN_NO_MATCH), "CERT_E_CN_NO_MATCH");
    assert_string_equal(OsspiStatusName(HRESULT_FROM_WIN32(ERROR_TIMEOUT)),
                        "HRESULT_FROM_WIN32(ERROR_TIMEOUT)");
    assert_string_equal(OsspiStatusName(HRESULT_FROM_WIN32(ERROR_CANCELLED)),
                        "HRESULT_FROM_WIN32(ERROR_CANCELLED)");
    assert_string_equal(OsspiStatusName(STATUS_DEVICE_BUSY), "STATUS_DEVICE_BUSY");
    assert_non_null(OsspiStatusText(SEC_E_INVALID_HANDLE));
}

static void status_unknown_has_no_words(void **state)
{
    SECURITY_STATUS status = 17;

    (void)state;
    assert_null(OsspiStatusName((SECURITY_STATUS)0x8009FFFF));
    assert_non_null(OsspiStatusText((SECURITY_STATUS)0x12345678));
    assert_false(osspi_status_by_name("SEC_E_NO_SUCH_THING", &status));
    assert_false(osspi_status_by_name("sec_e_ok", &status));
    assert_int_equal(status, 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_complete_for_every_entry),
        cmocka_unit_test(words_have_one_entry_for_each_number),
        cmocka_unit_test(name_is_the_one_that_sspi_uses),
        cmocka_unit_test(status_unknown_has_no_words),
    };

    return cmocka_run_group_tests_name("core.status", tests, NULL, NULL);
}
