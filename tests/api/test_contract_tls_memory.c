/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: no memory inside the TLS library. Its allocations fail one by one over everything a
 * connection does. Not every lack can be told from another failure there, so any failure is right;
 * what must hold is that there is one (or full success), that nothing is left behind and that the
 * next connection is as good as ever.
 */
#include <openssl/crypto.h>
#include <opensspi.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "api/memory_walk.h"
#include "support/dtls_peer.h"
#include "support/message_peer.h"

#define MESSAGES 0xFFFFFFFFu /* instead of a protocol: message mode */

static _Atomic bool armed;
static _Atomic uint64_t asked;   /* while armed, over the walk */
static _Atomic uint64_t fail_at; /* 0: none */

static bool may_allocate(void)
{
    return !atomic_load(&armed) || atomic_fetch_add(&asked, 1) + 1 != atomic_load(&fail_at);
}

static void *tls_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return may_allocate() ? malloc(size) : NULL;
}

static void *tls_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return may_allocate() ? realloc(memory, size) : NULL;
}

static void tls_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

static void arm(void)
{
    atomic_store(&armed, true);
}

static void disarm(void)
{
    atomic_store(&armed, false);
}

static const struct memory_hooks hooks = {arm, disarm};

/* Credentials, handshake and data over datagrams. */
static SECURITY_STATUS datagram_walk(const struct peer_form *form)
{
    struct dtls_pair pair;
    SECURITY_STATUS status;

    dtls_end_init(&pair.client, form, false);
    dtls_end_init(&pair.server, form, true);
    status = peer_end_acquire(&pair.client.end, SP_PROT_DTLS1_2_CLIENT, 0, NULL, false);
    if (status == SEC_E_OK)
        status = peer_end_acquire(&pair.server.end, SP_PROT_DTLS1_2_SERVER, 0, "server", false);
    if (status == SEC_E_OK)
        status = dtls_handshake(&pair);
    if (status == SEC_E_OK) {
        peer_established(&pair.client.end);
        peer_established(&pair.server.end);
        status = memory_tell(&pair.client.end, &pair.server.end);
    }
    dtls_close(&pair);
    return status;
}

static SECURITY_STATUS walk_with(size_t form, DWORD protocol, const char *certificate, uint64_t at)
{
    SECURITY_STATUS status;

    SslEmptyCacheA(NULL, 0);
    atomic_store(&asked, 0);
    atomic_store(&fail_at, at);
    if (protocol == MESSAGES)
        status = message_walk(memory_form(form, &hooks));
    else if (protocol == SP_PROT_DTLS1_2_CLIENT)
        status = datagram_walk(memory_form(form, &hooks));
    else
        status = memory_walk(memory_form(form, &hooks), &hooks, protocol, certificate, true);
    memory_require_nothing_left();
    return status;
}

static void walk_some(size_t form, DWORD protocol)
{
    uint64_t total, told = 0, other = 0, overcome = 0;
    const uint64_t step = TEST_SANITIZED ? 499 : 83;

    for (int i = 0; i < 3; i++)
        assert_int_equal(walk_with(form, protocol, "server", 0), SEC_E_OK);
    total = atomic_load(&asked);
    for (uint64_t at = 1; at <= total; at += step) {
        SECURITY_STATUS status = walk_with(form, protocol, "server", at);

        told += status == SEC_E_INSUFFICIENT_MEMORY;
        overcome += status == SEC_E_OK;
        other += status != SEC_E_OK && status != SEC_E_INSUFFICIENT_MEMORY;
        assert_true(status == SEC_E_OK || (status < 0 && status != SEC_E_INCOMPLETE_MESSAGE));
    }
    print_message("%u allocations: %u told, %u another failure, %u overcome\n", (unsigned)total,
                  (unsigned)told, (unsigned)other, (unsigned)overcome);
    assert_true(told > 0);
    assert_int_equal(walk_with(form, protocol, "server", 0), SEC_E_OK);
}

/* A check that could not be made must not count as passed. */
static void bad_certificates_are_never_taken(void **state)
{
    static const char *const bad[] = {"wrongname", "selfsigned", "expired", "clientonly"};
    const uint64_t step = TEST_SANITIZED ? 997 : 149;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        uint64_t total;

        assert_true(walk_with(0, 0, bad[i], 0) < 0);
        total = atomic_load(&asked);
        for (uint64_t at = 1 + i; at <= total; at += step)
            assert_true(walk_with(i % 2, 0, bad[i], at) < 0);
    }
}

static void tls_allocations_fail_sync(void **state)
{
    (void)state;
    walk_some(0, SP_PROT_TLS1_3_CLIENT);
    walk_some(0, SP_PROT_TLS1_2_CLIENT);
    walk_some(0, SP_PROT_DTLS1_2_CLIENT);
    walk_some(0, MESSAGES);
}

static void tls_allocations_fail_async(void **state)
{
    (void)state;
    walk_some(1, SP_PROT_TLS1_3_CLIENT);
    walk_some(1, SP_PROT_TLS1_2_CLIENT);
    walk_some(1, MESSAGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_allocations_fail_sync),
        cmocka_unit_test(tls_allocations_fail_async),
        cmocka_unit_test(bad_certificates_are_never_taken),
    };

    /* Before anybody has used OpenSSL. */
    if (!CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free))
        return 1;
    return cmocka_run_group_tests_name("contract.tls_memory", tests, peer_set_up, NULL);
}
