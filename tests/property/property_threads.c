/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One thread opens what the peer has sent, KeyUpdates and tickets included, while another one
 * seals. What both send has an order, so whoever makes bytes keeps `order` until they are on their
 * way; DecryptMessage needs no lock.
 */
#include "property/property.h"

#define SEALS TEST_ROUNDS(150)

struct threads {
    struct property *run;   /* the opening thread's, but for what is named below */
    struct property sealer; /* the sealing thread's: its own streams and counts */
    pthread_mutex_t order;  /* guards all.bytes */
    struct peer_stream all; /* what our end has made, in order */
};

static void *seal(void *data)
{
    struct threads *threads = data;
    struct property *run = &threads->sealer;

    for (uint32_t i = 0; i < SEALS; i++) {
        pthread_mutex_lock(&threads->order);
        property_seal(run, property_len(run, 2000));
        peer_push(&threads->all, run->to_peer.bytes, run->to_peer.len);
        pthread_mutex_unlock(&threads->order);
        peer_clear(&run->to_peer);
    }
    return NULL;
}

static SECURITY_STATUS open_one(struct threads *threads)
{
    struct property *run = threads->run;
    SecBuffer buffers[4] = {{(ULONG)run->end.in.len, SECBUFFER_DATA, run->end.in.bytes}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    const SECURITY_STATUS status = DecryptMessage(&run->end.context, &message, 0, NULL);

    if (status == SEC_E_OK) {
        property_check(&run->theirs, buffers[1].pvBuffer, buffers[1].cbBuffer);
        peer_drop(&run->end.in, run->end.in.len - buffers[3].cbBuffer);
    } else if (status == SEC_I_RENEGOTIATE) {
        run->absorbed = true;
        pthread_mutex_lock(&threads->order);
        property_leg(run, true);
        peer_push(&threads->all, run->to_peer.bytes, run->to_peer.len);
        pthread_mutex_unlock(&threads->order);
        peer_clear(&run->to_peer);
    }
    return status;
}

static void *open_all(void *data)
{
    struct threads *threads = data;
    SECURITY_STATUS status;

    do {
        status = open_one(threads);
    } while (status == SEC_E_OK || status == SEC_I_RENEGOTIATE);
    TEST_REQUIRE_EQUAL(status, SEC_E_INCOMPLETE_MESSAGE);
    return NULL;
}

/* Something of everything that the peer can send, all of it before the threads start. */
static void prepare(struct property *run)
{
    property_drain(run);
    for (unsigned i = 0; i < 60; i++) {
        property_peer_write(run, 1 + property_len(run, 999));
        if (property_pick(run, 4) != 0)
            continue;
        if (run->peer.setup.kind == FOREIGN_OPENSSL || run->requests < 3) {
            const bool requested = property_pick(run, 2) == 1;

            run->requests += foreign_key_update(&run->peer, requested) && requested;
        }
        (void)foreign_ticket(&run->peer);
    }
    property_peer_sent(run);
    property_arrive(run, SIZE_MAX);
}

void property_threads(struct property *run)
{
    struct threads threads = {.run = run, .order = PTHREAD_MUTEX_INITIALIZER};

    prepare(run);
    threads.sealer = *run;
    threads.sealer.to_peer = (struct peer_stream){0};
    threads.sealer.random ^= 1;
    pthread_t sealing = test_thread_start(seal, &threads);
    pthread_t opening = test_thread_start(open_all, &threads);
    test_thread_join(sealing);
    test_thread_join(opening);
    run->ours.sent = threads.sealer.ours.sent;
    peer_push(&run->to_peer, threads.all.bytes, threads.all.len);
    peer_clear(&threads.all);
    property_drain(run);
    property_counts.threads++;
}
