/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a connection costs in memory while nothing happens on it: heap bytes per established
 * context, the TLS library's included, over some hundred connections made by the public calls.
 *
 * The program has an allocator of its own, in front of the C library's, so that every shared
 * library's blocks are counted with what the allocator adds to them. A sanitizer brings its own; it
 * sees the same connections, and nothing is measured.
 */
#include <errno.h>
#include <malloc.h>
#include <opensspi.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "support/dtls_peer.h"

#define CONNECTIONS TEST_ROUNDS(256)
/* Before it is measured, so that pools, caches and tables have their first blocks. */
#define WARM_UP TEST_ROUNDS(64)

/* ---- the allocator ---- */

static _Atomic long live_bytes, live_blocks;

#if !TEST_SANITIZED

#define BLOCK_HEAD sizeof(size_t) /* what the C library keeps with a block */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static void *count_in(void *memory)
{
    if (memory) {
        atomic_fetch_add(&live_bytes, (long)(malloc_usable_size(memory) + BLOCK_HEAD));
        atomic_fetch_add(&live_blocks, 1);
    }
    return memory;
}

static void count_out(void *memory)
{
    if (memory) {
        atomic_fetch_sub(&live_bytes, (long)(malloc_usable_size(memory) + BLOCK_HEAD));
        atomic_fetch_sub(&live_blocks, 1);
    }
}

void *malloc(size_t size)
{
    return count_in(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return count_in(__libc_calloc(count, size));
}

void *realloc(void *memory, size_t size)
{
    void *moved;

    count_out(memory);
    moved = __libc_realloc(memory, size);
    if (!moved && size > 0)
        count_in(memory);
    return count_in(moved);
}

void *memalign(size_t alignment, size_t size)
{
    return count_in(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
    *ret_memory = memalign(alignment, size);
    return *ret_memory ? 0 : ENOMEM;
}

void free(void *memory)
{
    count_out(memory);
    __libc_free(memory);
}

#endif

/* ---- connections ---- */

struct kind {
    const char *name;
    DWORD protocol;
    bool client;   /* measured is the client's side */
    bool sessions; /* may be resumed; a client waits for tickets */
    bool mutual;
    bool datagram;
};

static void open_pair(struct peer_pair *pair, const struct kind *kind)
{
    const DWORD flags = kind->sessions ? 0 : SCH_CRED_DISABLE_RECONNECTS;
    const struct peer_setup setup = {
        .protocols = kind->protocol, .client_flags = flags, .server_flags = flags};

    peer_open(pair, PEER_SYNC, &setup);
    if (!kind->mutual)
        return;
    pair->client.form->free_credential(&pair->client.credential);
    pair->client.has_credential = false;
    assert_int_equal(peer_end_acquire(&pair->client, kind->protocol, flags, "client", false),
                     SEC_E_OK);
    pair->server.flags |= ASC_REQ_MUTUAL_AUTH;
}

/* The same ends over datagrams. */
static void connect_datagrams(struct peer_pair *pair, bool used)
{
    struct dtls_pair datagrams;

    dtls_end_init(&datagrams.client, pair->client.form, false);
    dtls_end_init(&datagrams.server, pair->server.form, true);
    datagrams.client.end.credential = pair->client.credential;
    datagrams.server.end.credential = pair->server.credential;
    dtls_connect(&datagrams);
    if (used)
        dtls_exchange(&datagrams);
    dtls_clear(&datagrams.client.in);
    dtls_clear(&datagrams.server.in);
    pair->client.context = datagrams.client.end.context;
    pair->server.context = datagrams.server.end.context;
    pair->client.has_context = pair->server.has_context = true;
}

/* One more connection, of which one end stays. */
static void keep_one(struct peer_pair *pair, const struct kind *kind, bool used,
                     CtxtHandle *ret_kept)
{
    struct peer_end *kept = kind->client ? &pair->client : &pair->server;

    if (kind->datagram)
        connect_datagrams(pair, used);
    else
        peer_connect(pair);
    if (used && !kind->datagram)
        peer_exchange(pair);
    *ret_kept = kept->context;
    kept->has_context = false;
    peer_disconnect(pair);
    peer_clear(&pair->client.in);
    peer_clear(&pair->server.in);
}

/* used: data went both ways, so that both keys are there. */
static void measure(const struct kind *kind, bool used, long bound)
{
    const uint32_t total = WARM_UP + CONNECTIONS;
    CtxtHandle *kept = calloc(total, sizeof(*kept));
    struct peer_pair pair;
    long bytes, blocks;

    assert_non_null(kept);
    open_pair(&pair, kind);
    for (uint32_t i = 0; i < WARM_UP; i++)
        keep_one(&pair, kind, used, &kept[i]);
    if (!kind->sessions)
        SslEmptyCacheA(NULL, 0);
    bytes = atomic_load(&live_bytes);
    blocks = atomic_load(&live_blocks);
    for (uint32_t i = WARM_UP; i < total; i++)
        keep_one(&pair, kind, used, &kept[i]);
    if (!kind->sessions) /* a server's cache of sessions has bounds of its own */
        SslEmptyCacheA(NULL, 0);
    bytes = (atomic_load(&live_bytes) - bytes) / (long)CONNECTIONS;
    blocks = (atomic_load(&live_blocks) - blocks) / (long)CONNECTIONS;
    for (uint32_t i = 0; i < total; i++)
        assert_int_equal(DeleteSecurityContext(&kept[i]), SEC_E_OK);
    free(kept);
    peer_close(&pair);
    if (TEST_SANITIZED)
        return;
    print_message("%-26s %-6s %6ld bytes in %3ld blocks (bound: %ld)\n", kind->name,
                  used ? "used" : "fresh", bytes, blocks, bound);
    assert_in_range(bytes, 1, bound);
}

/* Without keys it is the same everywhere: the slot in the table, the context, the record layer's
 * state, and a string or two. */
#define FRESH_BOUND 1024
/* With both keys, whose size depends on what seals on this machine. */
#define USED_BOUND 4096

#define TLS13 SP_PROT_TLS1_3_CLIENT
#define TLS12 SP_PROT_TLS1_2_CLIENT

static const struct kind kinds[] = {
    {"server, TLS 1.3", .protocol = TLS13},
    {"server, TLS 1.3, mutual", .protocol = TLS13, .mutual = true},
    {"server, TLS 1.2", .protocol = TLS12},
    {"client, TLS 1.3", .protocol = TLS13, .client = true},
    {"client, TLS 1.2", .protocol = TLS12, .client = true},
};

/* A Finished is sealed by our own code here, so one key is always there. Who sent the last flight
 * keeps it until data of the peer have come. */
static const struct kind datagrams[] = {
    {"server, DTLS 1.2", .protocol = SP_PROT_DTLS1_2_CLIENT, .datagram = true},
    {"client, DTLS 1.2", .protocol = SP_PROT_DTLS1_2_CLIENT, .datagram = true, .client = true},
};

/* Until it has seen a ticket, such a client waits for one. */
static const struct kind waiting = {"client, TLS 1.3, resumed", .protocol = TLS13, .client = true,
                                    .sessions = true};
static const struct kind resumed = {"server, TLS 1.3, resumed", .protocol = TLS13,
                                    .sessions = true};

static void an_idle_connection_is_small(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        measure(&kinds[i], false, FRESH_BOUND);
}

static void one_that_was_used_is_small(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        measure(&kinds[i], true, USED_BOUND);
    measure(&resumed, true, USED_BOUND);
    measure(&waiting, true, USED_BOUND);
}

static void one_of_datagrams_is_small(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(datagrams) / sizeof(datagrams[0]); i++) {
        measure(&datagrams[i], false, USED_BOUND);
        measure(&datagrams[i], true, USED_BOUND);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_is_small),
        cmocka_unit_test(one_that_was_used_is_small),
        cmocka_unit_test(one_of_datagrams_is_small),
    };

    return cmocka_run_group_tests_name("contract.idle", tests, peer_set_up, NULL);
}
