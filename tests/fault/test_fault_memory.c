/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * No memory, in every flow that tests/api/test_contract_memory.c and test_contract_tls_memory.c do
 * not walk through: each form of credential, client certificates, resumption, KeyUpdate, requests
 * to renegotiate, every attribute, control tokens, package lists, queues, waiting and tracing. Our
 * own allocations fail one by one. Those of the TLS library fail at points spread over the flow; at
 * every single one with the argument "all", which takes long.
 *
 * Asked of each attempt: the documented status, nothing left behind, and a whole flow afterwards.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <opensspi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/memory_walk.h"
#include "base/memory.h"
#include "fault_flows.h"
#include "support/failing_alloc.h"

TEST_FORKS_WITH_THREADS;

/* ---- which allocation fails ---- */

enum whose { OURS, TLS };

static enum whose whose; /* whose fail; set between flows */
static uint64_t fail_at; /* counted over the flow; 0: none */
static uint64_t passed;  /* ours, in earlier calls of this flow */
static bool struck;      /* one of ours has failed */
static bool walk_all;    /* the argument "all" */
static _Atomic bool armed;
static _Atomic uint64_t tls_asked;

void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);

static bool tls_may_allocate(void)
{
    return !atomic_load(&armed) || atomic_fetch_add(&tls_asked, 1) + 1 != fail_at;
}

static void *tls_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return tls_may_allocate() ? __real_malloc(size) : NULL;
}

static void *tls_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return tls_may_allocate() ? __real_realloc(memory, size) : NULL;
}

static void tls_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    __real_free(memory);
}

static void arm(void)
{
    if (whose == TLS)
        atomic_store(&armed, true);
    else
        failing_alloc_nth(fail_at > passed ? fail_at - passed : 0);
}

static void disarm(void)
{
    atomic_store(&armed, false);
    if (whose == TLS)
        return;
    passed += failing_alloc_count();
    struck = struck || failing_alloc_hit();
    failing_alloc_nth(0);
}

const struct memory_hooks fault_hooks = {arm, disarm};

/* ---- one flow ---- */

static SECURITY_STATUS attempt(const struct fault_flow *flow, size_t form, uint64_t at)
{
    SECURITY_STATUS status;

    SslEmptyCacheA(NULL, 0);
    fail_at = at;
    passed = 0;
    struck = false;
    atomic_store(&tls_asked, 0);
    status = flow->run(memory_form(form, &fault_hooks));
    fail_at = 0;
    memory_require_nothing_left();
    return status;
}

static uint64_t count_allocations(const struct fault_flow *flow, size_t form)
{
    for (int i = 0; i < 3; i++) { /* what is made once is made */
        SECURITY_STATUS status = attempt(flow, form, 0);

        if (status != SEC_E_OK)
            fail_msg("%s: 0x%x with all memory", flow->name, (unsigned)status);
    }
    return whose == TLS ? atomic_load(&tls_asked) : passed;
}

struct tally {
    unsigned points, told, overcome, other;
};

static bool is_no_memory(SECURITY_STATUS status)
{
    return status == SEC_E_INSUFFICIENT_MEMORY || status == E_OUTOFMEMORY;
}

static void try_point(const struct fault_flow *flow, size_t form, uint64_t at, struct tally *tally)
{
    SECURITY_STATUS status = attempt(flow, form, at);

    tally->points++;
    tally->told += is_no_memory(status);
    tally->overcome += status == SEC_E_OK;
    tally->other += status != SEC_E_OK && !is_no_memory(status);
    /* The TLS library does not always say why it failed; ours does. */
    if (whose == TLS
            ? status > 0 || status == SEC_E_INCOMPLETE_MESSAGE
            : (status != SEC_E_OK && !is_no_memory(status)) || (status != SEC_E_OK && !struck))
        fail_msg("%s [%zu], allocation %u: %s (0x%x)", flow->name, form, (unsigned)at,
                 OsspiStatusName(status) ? OsspiStatusName(status) : "?", (unsigned)status);
}

/* Each of ours; of the TLS library's some. Sanitizers make everything slow, and look at the same
 * code in both forms. */
static uint64_t step_through(uint64_t total, size_t form)
{
    const uint64_t samples = TEST_SANITIZED ? 3 : 10;

    if (whose == OURS)
        return TEST_TSAN ? 9 : TEST_SANITIZED && form == 1 ? 5 : 1;
    return total < samples ? 1 : total / samples;
}

static void fail_in_turn(const struct fault_flow *flow, size_t form)
{
    const uint64_t total = count_allocations(flow, form);
    const uint64_t step = walk_all ? 1 : step_through(total, form);
    /* How many there are varies a little with the threads. */
    const uint64_t end = whose == OURS ? total + 10 : total;
    struct tally tally = {0};

    for (uint64_t at = 1; at <= end; at += step)
        try_point(flow, form, at, &tally);
    print_message("%s [%s]: %u allocations, %u failed: %u told, %u overcome, %u another status\n",
                  flow->name, form ? "async" : "sync", (unsigned)total, tally.points, tally.told,
                  tally.overcome, tally.other);
    assert_int_equal(attempt(flow, form, 0), SEC_E_OK);
}

static void fail_in_all_flows(enum whose of_whom)
{
    whose = of_whom;
    for (size_t i = 0; i < fault_flow_count; i++) {
        for (size_t form = 0; form < PEER_FORMS; form++)
            fail_in_turn(&fault_flows[i], form);
    }
}

static void our_allocations_fail_one_by_one(void **state)
{
    (void)state;
    fail_in_all_flows(OURS);
}

static void tls_allocations_fail_over_every_flow(void **state)
{
    (void)state;
    if (TEST_TSAN) {
        print_message("skipped: one thread at a time is of no interest here, and takes long\n");
        return;
    }
    fail_in_all_flows(TLS);
}

/* ---- OsspiConfigure, which must come first ---- */

static int configure_without(void *data)
{
    OsspiOptions options = {.cbSize = sizeof(options),
                            .trust_file = "/a/file",
                            .trust_dir = "/a/folder",
                            .state_dir = "/another"};
    SECURITY_STATUS status;
    bool hit;

    failing_alloc_nth(*(uint64_t *)data);
    status = OsspiConfigure(&options);
    hit = failing_alloc_hit();
    failing_alloc_nth(0);
    TEST_REQUIRE_EQUAL(status, hit ? SEC_E_INSUFFICIENT_MEMORY : SEC_E_OK);
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    return hit;
}

static void configure_without_memory_changes_nothing(void **state)
{
    uint64_t nth = 0;
    int hit = 1;

    (void)state;
    while (hit == 1 && nth < 100) {
        nth++;
        hit = test_child_join(test_child_fork(configure_without, &nth));
    }
    assert_int_equal(hit, 0);
    assert_true(nth > 3);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configure_without_memory_changes_nothing),
        cmocka_unit_test(our_allocations_fail_one_by_one),
        cmocka_unit_test(tls_allocations_fail_over_every_flow),
    };

    walk_all = argc > 1 && strcmp(argv[1], "all") == 0;
    /* Before anybody has used OpenSSL. */
    if (!CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free))
        return 1;
    peer_trust("ca");
    test_watchdog(walk_all ? 36000 : 550);
    return cmocka_run_group_tests_name("fault.memory", tests, fault_flows_prepare,
                                       fault_flows_finish);
}
