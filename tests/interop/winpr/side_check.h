/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What both test programs expect of a side. Included once, by the program itself.
 */
#ifndef OSSPI_TESTS_INTEROP_WINPR_SIDE_CHECK_H
#define OSSPI_TESTS_INTEROP_WINPR_SIDE_CHECK_H

#include <stdio.h>
#include <string.h>

#include "side.h"
#include "support/test_util.h"

enum library { OPENSSPI, WINPR };
static const char *const names[] = {"opensspi", "winpr"};

/** Runs a side. If its plain names do not reach its own library they reach the other one, which
 * refuses; its table is its own all the same. */
static void check_side(enum library library, side_function *side, bool keeps)
{
    static const char *const files[] = {"libopensspi.so", "libwinpr"};
    static const char *const packages[] = {"Microsoft Unified Security Protocol Provider ",
                                           "NTLM "};
    struct side_report report;

    side(&report);
    printf("  %s: %s (%s)\n", names[library], report.acquire, report.packages);
    fflush(stdout);
    keeps = keeps || !report.plain_names;
    TEST_REQUIRE(report.table_works);
    TEST_REQUIRE_EQUAL(report.works, keeps);
    TEST_REQUIRE(strstr(report.acquire, files[keeps ? library : !library]) != NULL);
    if (keeps)
        TEST_REQUIRE(strstr(report.packages, packages[library]) != NULL);
    else /* SECPKG_NOT_FOUND, or where there is NTLM here too, NO_CREDENTIALS */
        TEST_REQUIRE((int32_t)report.refusal == (int32_t)0x80090305 ||
                     (int32_t)report.refusal == (int32_t)0x8009030E);
}

/** Runs both, in turns, so that each also runs after the other. */
static void check_sides(side_function *const sides[2], const bool keeps[2])
{
    static const enum library turns[] = {OPENSSPI, WINPR, WINPR, OPENSSPI};

    for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++)
        check_side(turns[i], sides[turns[i]], keeps[turns[i]]);
}

#endif
