/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Clocks: FILETIME conversions at their ends and in zones east, west and with summer time;
 * deadlines that never wrap.
 */
#include "support/test_util.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/lock.h"

#define UNIX_EPOCH_TICKS UINT64_C(116444736000000000)
#define TICKS_PER_HOUR   (UINT64_C(3600) * 10000000)

static void clock_now_never_goes_back(void **state)
{
    uint64_t last = osspi_now_ns();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t now = osspi_now_ns();

        assert_true(now >= last);
        last = now;
    }
}

static void clock_deadline_lies_timeout_ahead(void **state)
{
    uint64_t before = osspi_now_ns();
    uint64_t deadline = osspi_deadline_ns(1500);

    (void)state;
    assert_true(deadline >= before + UINT64_C(1500000000));
    assert_true(deadline <= osspi_now_ns() + UINT64_C(1500000000));
}

static void clock_infinite_timeout_is_forever(void **state)
{
    (void)state;
    assert_true(osspi_deadline_ns(UINT32_MAX) == OSSPI_FOREVER);
}

static void clock_longest_finite_timeout_does_not_wrap(void **state)
{
    uint64_t deadline = osspi_deadline_ns(UINT32_MAX - 1);

    (void)state;
    assert_true(deadline > osspi_now_ns() + UINT64_C(4294967000) * 1000000 - 1000000000);
    assert_true(deadline < OSSPI_FOREVER);
}

static void clock_filetime_counts_from_1601(void **state)
{
    (void)state;
    assert_true(osspi_filetime_from_unix(0) == UNIX_EPOCH_TICKS);
    assert_true(osspi_filetime_from_unix(1) == UNIX_EPOCH_TICKS + 10000000);
    assert_true(osspi_filetime_from_unix(-1) == UNIX_EPOCH_TICKS - 10000000);
    /* 2038-01-19 03:14:08, the second that 32 bits do not hold. */
    assert_true(osspi_filetime_from_unix(INT64_C(2147483648)) ==
                UNIX_EPOCH_TICKS + UINT64_C(2147483648) * 10000000);
    assert_true(osspi_filetime_from_unix(-INT64_C(11644473600)) == 0);
}

static void clock_filetime_out_of_range_saturates(void **state)
{
    (void)state;
    assert_true(osspi_filetime_from_unix(-INT64_C(11644473601)) == 0);
    assert_true(osspi_filetime_from_unix(INT64_MIN) == 0);
    assert_true(osspi_filetime_from_unix(INT64_MAX) == OSSPI_FILETIME_NEVER);
    assert_true(osspi_filetime_from_unix(INT64_MAX / 10000000) == OSSPI_FILETIME_NEVER);
    assert_true(osspi_filetime_from_unix(INT64_MAX - INT64_C(11644473600)) == OSSPI_FILETIME_NEVER);
}

static uint64_t local_in(const char *zone, int64_t seconds)
{
    setenv("TZ", zone, 1);
    tzset();
    return osspi_local_filetime_from_unix(seconds);
}

static void clock_local_filetime_follows_the_zone(void **state)
{
    const int64_t january = INT64_C(1735689600); /* 2025-01-01 00:00 UTC */
    const int64_t july = INT64_C(1751328000);    /* 2025-07-01 00:00 UTC */
    const char summer[] = "WST3WSDT2,M3.2.0,M11.1.0";

    (void)state;
    assert_true(local_in("UTC0", january) == osspi_filetime_from_unix(january));
    assert_true(local_in("EAST-5:30", january) ==
                osspi_filetime_from_unix(january) + TICKS_PER_HOUR * 11 / 2);
    assert_true(local_in("WEST8", january) ==
                osspi_filetime_from_unix(january) - TICKS_PER_HOUR * 8);
    assert_true(local_in(summer, january) ==
                osspi_filetime_from_unix(january) - TICKS_PER_HOUR * 3);
    assert_true(local_in(summer, july) == osspi_filetime_from_unix(july) - TICKS_PER_HOUR * 2);
}

static void clock_local_filetime_out_of_range_saturates(void **state)
{
    (void)state;
    assert_true(local_in("EAST-5:30", INT64_MAX) == OSSPI_FILETIME_NEVER);
    assert_true(local_in("WEST8", INT64_MIN) == 0);
    assert_true(local_in("WEST8", -INT64_C(11644473600)) == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_now_never_goes_back),
        cmocka_unit_test(clock_deadline_lies_timeout_ahead),
        cmocka_unit_test(clock_infinite_timeout_is_forever),
        cmocka_unit_test(clock_longest_finite_timeout_does_not_wrap),
        cmocka_unit_test(clock_filetime_counts_from_1601),
        cmocka_unit_test(clock_filetime_out_of_range_saturates),
        cmocka_unit_test(clock_local_filetime_follows_the_zone),
        cmocka_unit_test(clock_local_filetime_out_of_range_saturates),
    };

    test_watchdog(30);
    return cmocka_run_group_tests_name("base.clock", tests, NULL, NULL);
}
