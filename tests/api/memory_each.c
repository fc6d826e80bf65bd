/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Each allocation in turn; see memory_each.h.
 */
#include "api/memory_each.h"

#include <opensspi.h>

#include "support/failing_alloc.h"

static uint64_t fail_at; /* counted over the walk; 0: none */
static uint64_t passed;  /* allocations in earlier calls of this walk */
static bool struck;

static void arm(void)
{
    failing_alloc_nth(fail_at > passed ? fail_at - passed : 0);
}

static void disarm(void)
{
    passed += failing_alloc_count();
    struck = struck || failing_alloc_hit();
    failing_alloc_nth(0);
}

const struct memory_hooks memory_each_hooks = {arm, disarm};

void memory_each_begin(uint64_t at)
{
    fail_at = at;
    passed = 0;
    struck = false;
}

uint64_t memory_each_count(void)
{
    return passed;
}

void memory_each_allocation(const struct peer_form *form,
                            SECURITY_STATUS (*walk)(const struct peer_form *form, DWORD protocols),
                            DWORD protocols)
{
    uint64_t told = 0, overcome = 0, total = UINT64_MAX - 20;

    /* Three walks first: what is made once is made then. */
    for (uint64_t round = 0; round < 3 || round - 2 <= total + 20; round++) {
        const uint64_t at = round < 3 ? 0 : round - 2;
        SECURITY_STATUS status;

        SslEmptyCacheA(NULL, 0);
        memory_each_begin(at);
        status = walk(form, protocols);
        memory_require_nothing_left();
        if (at == 0)
            total = passed;
        if (status != SEC_E_OK && (at == 0 || status != SEC_E_INSUFFICIENT_MEMORY))
            print_error("allocation %u: %s\n", (unsigned)at, OsspiStatusName(status));
        if (status != SEC_E_OK)
            assert_int_equal(status, at == 0 ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY);
        assert_true(status == SEC_E_OK || struck);
        told += status != SEC_E_OK;
        overcome += status == SEC_E_OK && struck;
    }
    print_message("%u allocations: %u told, %u overcome\n", (unsigned)total, (unsigned)told,
                  (unsigned)overcome);
    assert_true(told > 0);
    memory_each_begin(0);
    assert_int_equal(walk(form, protocols), SEC_E_OK);
    memory_require_nothing_left();
}
