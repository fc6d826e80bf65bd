/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Safety: no number of a record is used twice, and none is left out. After a fork only one process
 * may use a connection; two threads that seal at once share the numbers; what is refused spends
 * none. Every record is opened by hand, under the one number and the one key that it may have.
 */
#include <stdlib.h>
#include <string.h>

#include "support/tls_stage.h"

TEST_FORKS_WITH_THREADS;

static const struct stage_kind *kind_at(size_t index)
{
    return index < STAGE_KINDS ? &stage_kinds13[index] : &stage_kinds12[index - STAGE_KINDS];
}

/* ---- fork ---- */

static int use_in_child(void *data)
{
    struct stage *stage = data;
    SecBuffer buffers[4] = {{(ULONG)stage->end.in.len, SECBUFFER_DATA, stage->end.in.bytes}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    SecPkgContext_StreamSizes sizes;

    for (int i = 0; i < 2; i++) {
        TEST_REQUIRE_EQUAL(peer_send(&stage->end, &stage->wire, "from the child", 14),
                           SEC_E_CONTEXT_EXPIRED);
        TEST_REQUIRE_EQUAL(DecryptMessage(&stage->end.context, &message, 0, NULL),
                           SEC_E_CONTEXT_EXPIRED);
    }
    TEST_REQUIRE_EQUAL(stage->wire.in.len, 0);
    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&stage->end.context, SECPKG_ATTR_STREAM_SIZES, &sizes), SEC_E_OK);
    TEST_REQUIRE_EQUAL(DeleteSecurityContext(&stage->end.context), SEC_E_OK);
    return 0;
}

static void a_forked_child_cannot_use_a_connection(const struct peer_form *form)
{
    for (size_t k = 0; k < 2 * STAGE_KINDS; k++) {
        struct stage stage;

        stage_case = "fork";
        stage_open(&stage, form, kind_at(k));
        seal_record(&stage.to_us, SEAL_DATA, "before", 6, 0, &stage.end.in);
        test_await_quiet();
        assert_int_equal(test_child_join(test_child_fork(use_in_child, &stage)), 0);
        stage_expect_goes_on(&stage);
        stage_close(&stage);
    }
}

/* With an answer to a KeyUpdate owed, too: neither process loses it, and only one sends it. */
static void a_fork_leaves_the_parent_what_it_owes(const struct peer_form *form)
{
    static const uint8_t request[] = {24, 0, 0, 1, 1};

    for (size_t k = 0; k < STAGE_KINDS; k++) {
        struct stage stage;
        uint8_t data[16];
        size_t len;

        stage_case = "fork with an answer owed";
        stage_open(&stage, form, &stage_kinds13[k]);
        seal_record(&stage.to_us, SEAL_HANDSHAKE, request, sizeof(request), 0, &stage.end.in);
        seal_keys_update(&stage.to_us);
        assert_int_equal(peer_receive(&stage.end, data, sizeof(data), &len), SEC_I_RENEGOTIATE);
        test_await_quiet();
        assert_int_equal(test_child_join(test_child_fork(use_in_child, &stage)), 0);
        stage_expect_goes_on(&stage);
        assert_int_equal(stage.updates, 1);
        stage_close(&stage);
    }
}

/* ---- threads ---- */

#define RECORDS  TEST_ROUNDS(300)
#define REQUESTS 12u

struct sealer {
    struct peer_end from; /* a handle of its own: a leg writes to that of the stage */
    struct peer_end wire; /* what this thread has made, in its order */
    uint8_t byte;
    uint32_t count;
};

static void *seal_many(void *data)
{
    struct sealer *sealer = data;

    for (uint32_t i = 0; i < sealer->count; i++) {
        uint8_t bytes[64];
        const size_t len = 1 + i % sizeof(bytes);

        memset(bytes, sealer->byte, sizeof(bytes));
        TEST_REQUIRE_EQUAL(peer_send(&sealer->from, &sealer->wire, bytes, len), SEC_E_OK);
    }
    return NULL;
}

/* What came out of each thread has its order; how they interleave shows in the numbers alone. */
struct merge {
    struct peer_stream *lines[3];
    uint32_t data[256]; /* records of each letter */
    unsigned updates;
    uint64_t *explicit_nonces; /* of TLS 1.2 with AES: as many as records */
    size_t count;
};

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;

    return one < two ? -1 : one > two;
}

/* The number of a record fixes its nonce, but in TLS 1.2 with AES, where half of it is chosen. */
static void expect_no_nonce_twice(const struct stage *stage, struct merge *merge)
{
    if (stage->from_us.tls13 || stage->from_us.chacha)
        return;
    qsort(merge->explicit_nonces, merge->count, sizeof(uint64_t), compare_numbers);
    for (size_t i = 1; i < merge->count; i++)
        assert_true(merge->explicit_nonces[i] != merge->explicit_nonces[i - 1]);
}

static bool take_next(struct stage *stage, struct merge *merge)
{
    static uint8_t plain[16640]; /* one thread */
    uint8_t type;
    size_t len;

    for (size_t i = 0; i < 3; i++) {
        if (!seal_open(&stage->from_us, merge->lines[i], &type, plain, &len))
            continue;
        merge->explicit_nonces[merge->count++] = stage->from_us.explicit_nonce;
        if (type == SEAL_HANDSHAKE) {
            merge->updates++;
            seal_keys_update(&stage->from_us);
        } else {
            TEST_REQUIRE(type == SEAL_DATA && len > 0);
            merge->data[plain[0]]++;
        }
        return true;
    }
    return false;
}

/* Answers requests in legs, while the others seal. */
static void *answer_many(void *data)
{
    struct stage *stage = data;
    size_t len;

    stage_read(stage, &len);
    return NULL;
}

static void seal_at_once(const struct peer_form *form, const struct stage_kind *kind, bool requests)
{
    static const uint8_t request[] = {24, 0, 0, 1, 1};
    struct stage stage;
    struct sealer one = {.byte = 'a', .count = RECORDS}, two = {.byte = 'b', .count = RECORDS};
    struct merge merge = {.lines = {&one.wire.in, &two.wire.in, &stage.wire.in}};

    merge.explicit_nonces = calloc(2 * RECORDS + REQUESTS, sizeof(uint64_t));
    stage_open(&stage, form, kind);
    one.from = two.from = stage.end;
    for (unsigned i = 0; requests && i < REQUESTS; i++) {
        seal_record(&stage.to_us, SEAL_HANDSHAKE, request, sizeof(request), 0, &stage.end.in);
        seal_keys_update(&stage.to_us);
        seal_record(&stage.to_us, SEAL_DATA, "data", 4, 0, &stage.end.in);
    }
    pthread_t first = test_thread_start(seal_many, &one);
    pthread_t second = test_thread_start(seal_many, &two);
    answer_many(&stage);
    test_thread_join(first);
    test_thread_join(second);
    assert_int_equal(stage.status, SEC_E_INCOMPLETE_MESSAGE);
    while (take_next(&stage, &merge))
        ;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(merge.lines[i]->len, 0);
    expect_no_nonce_twice(&stage, &merge);
    free(merge.explicit_nonces);
    assert_int_equal(merge.data['a'], RECORDS);
    assert_int_equal(merge.data['b'], RECORDS);
    assert_true(requests ? merge.updates >= 1 && merge.updates <= REQUESTS : merge.updates == 0);
    stage_expect_goes_on(&stage);
    stage_close(&stage);
}

static void threads_that_seal_share_the_numbers(const struct peer_form *form)
{
    stage_case = "threads";
    for (size_t k = 0; k < 2 * STAGE_KINDS; k++)
        seal_at_once(form, kind_at(k), false);
}

static void threads_seal_while_keys_change(const struct peer_form *form)
{
    stage_case = "threads and KeyUpdates";
    for (size_t k = 0; k < STAGE_KINDS; k++)
        seal_at_once(form, &stage_kinds13[k], true);
}

#if !TEST_SANITIZED
static int try_in_child(void *data)
{
    struct peer_end *end = data, wire = {0};

    TEST_REQUIRE_EQUAL(peer_send(end, &wire, "from the child", 14), SEC_E_CONTEXT_EXPIRED);
    return 0;
}

/* In the middle of a record, too: the child finds no lock held, and no key to use. */
static void forks_while_another_thread_seals(const struct peer_form *form)
{
    struct stage stage;
    struct sealer one = {.byte = 'a', .count = 4000};
    struct merge merge = {.lines = {&one.wire.in, &stage.wire.in, &stage.wire.in}};

    merge.explicit_nonces = calloc(one.count, sizeof(uint64_t));
    stage_case = "forks while sealing";
    stage_open(&stage, form, &stage_kinds13[0]);
    one.from = stage.end;
    pthread_t sealing = test_thread_start(seal_many, &one);
    for (int i = 0; i < 10; i++)
        assert_int_equal(test_child_join(test_child_fork(try_in_child, &stage.end)), 0);
    test_thread_join(sealing);
    while (take_next(&stage, &merge))
        ;
    assert_int_equal(one.wire.in.len, 0);
    assert_int_equal(merge.data['a'], one.count);
    free(merge.explicit_nonces);
    stage_close(&stage);
}
#endif

/* ---- what is refused ---- */

static SECURITY_STATUS seal_badly(struct stage *stage, int way)
{
    const ULONG head = stage->end.sizes.cbHeader, tail = stage->end.sizes.cbTrailer;
    uint8_t *header = malloc(head), *trailer = malloc(tail), data[20] = "some data";
    SecBuffer buffers[4] = {{way == 0 ? head - 1 : head, SECBUFFER_STREAM_HEADER, header},
                            {sizeof(data), SECBUFFER_DATA, data},
                            {way == 1 ? tail - 1 : tail, SECBUFFER_STREAM_TRAILER, trailer}};
    SecBufferDesc message = {SECBUFFER_VERSION, way == 2 ? 2 : 4, buffers};
    SECURITY_STATUS status;

    TEST_REQUIRE(header != NULL && trailer != NULL);
    if (way == 3)
        buffers[1].BufferType = SECBUFFER_EMPTY;
    if (way == 4)
        buffers[1].cbBuffer = STAGE_FRAGMENT + 1;
    if (way == 5)
        buffers[2].pvBuffer = NULL;
    status = EncryptMessage(&stage->end.context, way == 6 ? 5 : 0, &message, way == 7 ? 1 : 0);
    TEST_REQUIRE(memcmp(data, "some data", 10) == 0);
    free(header);
    free(trailer);
    return status;
}

static void what_is_refused_spends_no_number(const struct peer_form *form)
{
    for (size_t k = 0; k < 2 * STAGE_KINDS; k++) {
        struct stage stage;

        stage_case = "refused";
        stage_open(&stage, form, kind_at(k));
        for (int way = 0; way < 8; way++) {
            const SECURITY_STATUS status = seal_badly(&stage, way);

            assert_true(status == SEC_E_BUFFER_TOO_SMALL || status == SEC_E_INVALID_TOKEN ||
                        status == SEC_E_QOP_NOT_SUPPORTED);
            stage_expect_goes_on(&stage);
        }
        stage_close(&stage);
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(a_forked_child_cannot_use_a_connection),
        PEER_CASE(a_fork_leaves_the_parent_what_it_owes),
        PEER_CASE(threads_that_seal_share_the_numbers),
        PEER_CASE(threads_seal_while_keys_change),
        PEER_CASE(what_is_refused_spends_no_number),
#if !TEST_SANITIZED
        PEER_CASE(forks_while_another_thread_seals),
#endif
    };

    return peer_run_cases("safety.nonces", cases, sizeof(cases) / sizeof(cases[0]));
}
