/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: no memory in message mode. Every allocation of the library in turn fails, over
 * credentials, handshake with extensions, and tickets: a clear status, nothing left behind, and the
 * next connection is as good as ever. Where a leg can be made again, it is, and nothing is lost.
 */
#include <opensspi.h>

#include "api/memory_each.h"
#include "support/message_peer.h"

static SECURITY_STATUS walk(const struct peer_form *form, DWORD protocols)
{
    (void)protocols; /* TLS 1.3 */
    return message_walk(form);
}

static void walk_all(size_t form)
{
    memory_each_allocation(memory_form(form, &memory_each_hooks), walk, 0);
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
