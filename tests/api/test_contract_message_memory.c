/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: no memory in message mode. Every allocation of the library in turn fails, over
 * credentials, handshake with extensions, and tickets: a clear status, nothing left behind, and the
 * next connection is as good as ever. Where a leg can be made again, it is, and nothing is lost.
 */
#include <opensspi.h>

#include "api/memory_walk.h"
#include "support/failing_alloc.h"
#include "support/message_peer.h"

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

static const struct memory_hooks hooks = {arm, disarm};

static SECURITY_STATUS walk_with(size_t index, uint64_t at)
{
    SECURITY_STATUS status;

    SslEmptyCacheA(NULL, 0);
    fail_at = at;
    passed = 0;
    struck = false;
    status = message_walk(memory_form(index, &hooks));
    memory_require_nothing_left();
    return status;
}

static void walk_all(size_t form)
{
    uint64_t told = 0, overcome = 0, total;

    for (int i = 0; i < 3; i++) /* what is made once is made */
        assert_int_equal(walk_with(form, 0), SEC_E_OK);
    total = passed;
    for (uint64_t at = 1; at <= total + 20; at++) {
        SECURITY_STATUS status = walk_with(form, at);

        if (status == SEC_E_INSUFFICIENT_MEMORY) {
            assert_true(struck);
            told++;
        } else if (status == SEC_E_OK) {
            overcome += struck;
        } else {
            print_error("allocation %u: %s\n", (unsigned)at, OsspiStatusName(status));
            assert_int_equal(status, SEC_E_INSUFFICIENT_MEMORY);
        }
    }
    print_message("%u allocations: %u told, %u overcome\n", (unsigned)total, (unsigned)told,
                  (unsigned)overcome);
    assert_true(told > 0);
    assert_int_equal(walk_with(form, 0), SEC_E_OK);
}

static void every_allocation_fails_sync(void **state)
{
    (void)state;
    walk_all(0);
}

static void every_allocation_fails_async(void **state)
{
    (void)state;
    walk_all(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_sync),
        cmocka_unit_test(every_allocation_fails_async),
    };

    return cmocka_run_group_tests_name("contract.message_memory", tests, peer_set_up, NULL);
}
