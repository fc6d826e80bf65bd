/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Every flow of the fault tests once, with nothing failing, by synchronous and by asynchronous
 * calls, and the end of the engine. Short, so that valgrind can watch it.
 */
#include <opensspi.h>

#include "fault_flows.h"

static void nothing(void)
{
}

const struct memory_hooks fault_hooks = {nothing, nothing};

static void every_flow_ends_well(void **state)
{
    (void)state;
    for (size_t i = 0; i < fault_flow_count; i++) {
        for (size_t form = 0; form < PEER_FORMS; form++) {
            SECURITY_STATUS status = fault_flows[i].run(memory_form(form, &fault_hooks));

            if (status != SEC_E_OK)
                fail_msg("%s: 0x%x", fault_flows[i].name, (unsigned)status);
            memory_require_nothing_left();
        }
    }
}

static void engine_ends_in_order(void **state)
{
    (void)state;
    SslEmptyCacheA(NULL, 0);
    assert_int_equal(OsspiShutdown(OSSPI_INFINITE), SEC_E_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flow_ends_well),
        cmocka_unit_test(engine_ends_in_order),
    };

    peer_trust("ca");
    test_watchdog(110);
    return cmocka_run_group_tests_name("fault.flows", tests, fault_flows_prepare,
                                       fault_flows_finish);
}
