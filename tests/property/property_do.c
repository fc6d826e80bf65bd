/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the two ends can do, each with all that must hold afterwards; see property.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "property/property.h"

#define LEG_SIZE 2048u /* of output: answers and alerts are short */

/* ---- sealing ---- */

/* Three buffers, in one block or each in one of its own, every block of exactly its size. */
struct sealing {
    SecBuffer buffers[4];
    ULONG count;
    uint8_t *blocks[3];
};

static uint8_t *block_new(size_t len)
{
    uint8_t *block = malloc(len ? len : 1);

    TEST_REQUIRE(block != NULL);
    memset(block, 0xEE, len ? len : 1);
    return block;
}

static void sealing_open(struct property *run, struct sealing *sealing, size_t len)
{
    static const ULONG types[] = {SECBUFFER_STREAM_HEADER, SECBUFFER_DATA, SECBUFFER_STREAM_TRAILER,
                                  SECBUFFER_EMPTY};
    const size_t sizes[] = {run->end.sizes.cbHeader, len, run->end.sizes.cbTrailer, 0};
    const bool scattered = property_pick(run, 2) == 1;
    size_t at = 0;

    *sealing = (struct sealing){.count = 3 + (ULONG)property_pick(run, 2)};
    if (!scattered)
        sealing->blocks[0] = block_new(sizes[0] + sizes[1] + sizes[2]);
    for (int i = 0; i < 4; i++) {
        sealing->buffers[i] = (SecBuffer){(ULONG)sizes[i], types[i], NULL};
        if (i == 3)
            break;
        if (scattered)
            sealing->blocks[i] = block_new(sizes[i]);
        sealing->buffers[i].pvBuffer = scattered ? sealing->blocks[i] : sealing->blocks[0] + at;
        at += sizes[i];
    }
    property_fill(&run->ours, run->ours.sent, sealing->buffers[1].pvBuffer, len);
}

static void sealing_close(struct sealing *sealing)
{
    for (int i = 0; i < 3; i++)
        free(sealing->blocks[i]);
}

static SECURITY_STATUS encrypt(struct property *run, struct sealing *sealing, ULONG qop)
{
    SecBufferDesc message = {SECBUFFER_VERSION, sealing->count, sealing->buffers};

    return EncryptMessage(&run->end.context, qop, &message, 0);
}

static void require_data_intact(struct property *run, const struct sealing *sealing, size_t len)
{
    uint8_t *expected = block_new(len);

    property_fill(&run->ours, run->ours.sent, expected, len);
    TEST_REQUIRE(memcmp(expected, sealing->buffers[1].pvBuffer, len) == 0);
    free(expected);
}

/* What is to be sent is whole records, and no more than there was room for. */
static void send_pieces(struct property *run, const struct sealing *sealing, const size_t rooms[3])
{
    struct peer_stream bytes = {0};

    for (int i = 0; i < 3; i++) {
        TEST_REQUIRE(sealing->buffers[i].cbBuffer <= rooms[i]);
        peer_push(&bytes, sealing->buffers[i].pvBuffer, sealing->buffers[i].cbBuffer);
    }
    for (size_t at = 0; at < bytes.len; at += peer_record_len(bytes.bytes + at))
        TEST_REQUIRE(at + 5 <= bytes.len && at + peer_record_len(bytes.bytes + at) <= bytes.len);
    peer_push(&run->to_peer, bytes.bytes, bytes.len);
    peer_clear(&bytes);
}

void property_seal(struct property *run, size_t len)
{
    const size_t rooms[3] = {run->end.sizes.cbHeader, len, run->end.sizes.cbTrailer};
    struct sealing sealing;
    SECURITY_STATUS status;

    sealing_open(run, &sealing, len);
    status = encrypt(run, &sealing, 0);
    if (status == SEC_E_BUFFER_TOO_SMALL) { /* too many answers wait; a leg takes them away */
        require_data_intact(run, &sealing, len);
        property_leg(run, run->absorbed && property_pick(run, 2) == 0);
        for (int i = 0; i < 3; i++)
            sealing.buffers[i].cbBuffer = (ULONG)rooms[i];
        status = encrypt(run, &sealing, 0);
    }
    TEST_REQUIRE_EQUAL(status, SEC_E_OK);
    send_pieces(run, &sealing, rooms);
    sealing_close(&sealing);
    run->ours.sent += len;
    if (len > 0)
        run->warnings = 0;
    property_counts.sealed++;
}

void property_warn(struct property *run)
{
    const size_t rooms[3] = {run->end.sizes.cbHeader, 2, run->end.sizes.cbTrailer};
    struct sealing sealing;
    SECURITY_STATUS status;

    /* To GnuTLS every alert of TLS 1.3 is the end. */
    if (run->warnings >= 2 || (run->peer.setup.kind == FOREIGN_GNUTLS && run->peer.setup.tls13))
        return;
    sealing_open(run, &sealing, 2);
    memcpy(sealing.buffers[1].pvBuffer, (const uint8_t[]){TLS1_ALERT_WARNING, 90}, 2);
    status = encrypt(run, &sealing, SECQOP_WRAP_OOB_DATA);
    TEST_REQUIRE(status == SEC_E_OK || status == SEC_E_BUFFER_TOO_SMALL ||
                 status == SEC_E_QOP_NOT_SUPPORTED);
    if (status == SEC_E_OK) {
        send_pieces(run, &sealing, rooms);
        run->warnings++;
        property_counts.warnings++;
    }
    sealing_close(&sealing);
}

void property_seal_badly(struct property *run)
{
    const size_t len = property_len(run, 2000);
    struct sealing sealing;
    SECURITY_STATUS expected = SEC_E_INVALID_TOKEN;
    ULONG qop = 0;

    sealing_open(run, &sealing, len);
    switch (property_pick(run, 6)) {
    case 0:
        sealing.buffers[0].cbBuffer--;
        expected = SEC_E_BUFFER_TOO_SMALL;
        break;
    case 1:
        sealing.buffers[2].cbBuffer = (ULONG)property_pick(run, sealing.buffers[2].cbBuffer);
        expected = SEC_E_BUFFER_TOO_SMALL;
        break;
    case 2:
        sealing.buffers[1].BufferType = SECBUFFER_TOKEN;
        break;
    case 3:
        sealing.count = 2;
        break;
    case 4:
        sealing.buffers[1].cbBuffer = PROPERTY_MAX + 1 + (ULONG)property_pick(run, 100);
        break;
    default:
        qop = SECQOP_WRAP_NO_ENCRYPT;
        expected = SEC_E_QOP_NOT_SUPPORTED;
        break;
    }
    TEST_REQUIRE_EQUAL(encrypt(run, &sealing, qop), expected);
    require_data_intact(run, &sealing, len);
    sealing_close(&sealing);
}

/* ---- legs ---- */

/* Whole records, if any; they leave at once, in the order in which they were made. */
void property_leg(struct property *run, bool with_input)
{
    uint8_t *out = block_new(LEG_SIZE);
    const size_t len = with_input ? run->end.in.len : 0;
    struct peer_leg leg = peer_leg_of(&run->end, run->end.in.bytes, len, out, LEG_SIZE);
    ULONG extra;
    SECURITY_STATUS status;

    leg.no_in = !with_input && property_pick(run, 2) == 0;
    status = peer_leg_run(&run->end, &leg);
    property_counts.legs++;
    if (status == SEC_E_INCOMPLETE_MESSAGE) { /* nothing to say any more, hence nothing to do */
        TEST_REQUIRE(run->we_closed && !with_input);
        free(out);
        return;
    }
    TEST_REQUIRE_EQUAL(status, SEC_E_OK);
    peer_push(&run->to_peer, out, leg.out[0].cbBuffer);
    free(out);
    run->leg_owed = false;
    if (!with_input)
        return;
    extra = leg.in[1].BufferType == SECBUFFER_EXTRA ? leg.in[1].cbBuffer : 0;
    TEST_REQUIRE(extra <= len);
    if (extra < len) {
        /* In TLS 1.2 the header shows that it is one, and a leg may take it unseen. */
        TEST_REQUIRE(run->absorbed || (!run->peer.setup.tls13 && run->end.in.bytes[0] == 22));
        TEST_REQUIRE_EQUAL(len - extra, peer_record_len(run->end.in.bytes));
        run->absorbed = false;
    }
    peer_drop(&run->end.in, len - extra);
}

/* ---- opening ---- */

void property_arrive(struct property *run, size_t len)
{
    if (len > run->to_us.len)
        len = run->to_us.len;
    peer_push(&run->end.in, run->to_us.bytes, len);
    peer_drop(&run->to_us, len);
}

/* The number of bytes that are known to be missing: exactly what the header says, if it is there.
 */
static void check_incomplete(const struct property *run, const SecBuffer *buffers,
                             const uint8_t *before)
{
    const struct peer_stream *in = &run->end.in;
    const size_t missing = in->len < 5 ? 5 - in->len : peer_record_len(in->bytes) - in->len;

    TEST_REQUIRE_EQUAL(buffers[0].BufferType, SECBUFFER_MISSING);
    TEST_REQUIRE_EQUAL(buffers[0].cbBuffer, missing);
    TEST_REQUIRE(in->len == 0 || memcmp(before, in->bytes, in->len) == 0);
    property_counts.incomplete++;
}

static void check_parts(const struct property *run, const SecBuffer *buffers)
{
    const uint8_t *bytes = run->end.in.bytes;
    const size_t len = run->end.in.len;

    TEST_REQUIRE_EQUAL(buffers[0].BufferType, SECBUFFER_STREAM_HEADER);
    TEST_REQUIRE_EQUAL(buffers[1].BufferType, SECBUFFER_DATA);
    TEST_REQUIRE_EQUAL(buffers[2].BufferType, SECBUFFER_STREAM_TRAILER);
    TEST_REQUIRE(buffers[3].cbBuffer <= len);
    TEST_REQUIRE_EQUAL(buffers[3].BufferType,
                       buffers[3].cbBuffer > 0 ? SECBUFFER_EXTRA : SECBUFFER_EMPTY);
    if (buffers[3].cbBuffer > 0)
        TEST_REQUIRE(buffers[3].pvBuffer == bytes + (len - buffers[3].cbBuffer));
    if (buffers[1].cbBuffer > 0) {
        const size_t at = (size_t)((const uint8_t *)buffers[1].pvBuffer - bytes);

        TEST_REQUIRE(at + buffers[1].cbBuffer <= len - buffers[3].cbBuffer);
    }
}

/* The record stays in front: it goes to a leg or comes here again. What is done is drawn. */
static void after_post(struct property *run, const SecBuffer *buffers, const uint8_t *before)
{
    TEST_REQUIRE_EQUAL(buffers[3].cbBuffer, run->end.in.len);
    TEST_REQUIRE_EQUAL(buffers[1].cbBuffer, 0);
    TEST_REQUIRE(memcmp(before, run->end.in.bytes, run->end.in.len) == 0);
    property_counts.posts++;
    if (run->absorbed) { /* it was not taken: what waits has to leave first */
        property_leg(run, true);
        return;
    }
    run->absorbed = true;
    switch (property_pick(run, 4)) {
    case 0:
    case 1:
        property_leg(run, true);
        break;
    case 2:
        property_leg(run, false);
        break;
    default: /* later */
        run->leg_owed = true;
        break;
    }
}

static void after_data(struct property *run, const SecBuffer *buffers)
{
    property_check(&run->theirs, buffers[1].pvBuffer, buffers[1].cbBuffer);
    if (run->absorbed) {
        TEST_REQUIRE_EQUAL(buffers[1].cbBuffer, 0);
        run->absorbed = false;
    }
    TEST_REQUIRE_EQUAL(run->end.in.len - buffers[3].cbBuffer, peer_record_len(run->end.in.bytes));
    peer_drop(&run->end.in, run->end.in.len - buffers[3].cbBuffer);
    property_counts.opened++;
}

bool property_open_one(struct property *run)
{
    SecBuffer buffers[4] = {{(ULONG)run->end.in.len, SECBUFFER_DATA, run->end.in.bytes}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    uint8_t *before = block_new(run->end.in.len);
    SECURITY_STATUS status;

    if (run->end.in.len > 0)
        memcpy(before, run->end.in.bytes, run->end.in.len);
    status = DecryptMessage(&run->end.context, &message, 0, NULL);
    if (status == SEC_E_INCOMPLETE_MESSAGE) {
        check_incomplete(run, buffers, before);
        free(before);
        return false;
    }
    TEST_REQUIRE(status == SEC_E_OK || status == SEC_I_RENEGOTIATE ||
                 status == SEC_I_CONTEXT_EXPIRED);
    check_parts(run, buffers);
    if (status == SEC_E_OK) {
        after_data(run, buffers);
    } else if (status == SEC_I_RENEGOTIATE) {
        after_post(run, buffers, before);
    } else {
        TEST_REQUIRE(run->peer_closed);
        TEST_REQUIRE_EQUAL(run->theirs.arrived, run->theirs.sent);
        run->we_saw_close = true;
        peer_drop(&run->end.in, run->end.in.len - buffers[3].cbBuffer);
    }
    free(before);
    return !run->we_saw_close;
}

/* ---- the peer ---- */

void property_peer_sent(struct property *run)
{
    peer_push(&run->to_us, run->peer.out.bytes, run->peer.out.len);
    peer_clear(&run->peer.out);
}

void property_peer_write(struct property *run, size_t len)
{
    uint8_t *data = block_new(len);

    property_fill(&run->theirs, run->theirs.sent, data, len);
    TEST_REQUIRE_EQUAL(foreign_write(&run->peer, data, len), len);
    free(data);
    run->theirs.sent += len;
    if (len > 0)
        run->posts = 0;
    property_peer_sent(run);
}

/* False: it has read everything, for now or for ever. */
static bool peer_news(struct property *run, enum foreign_news news, const uint8_t *data, size_t len)
{
    const bool openssl = run->peer.setup.kind == FOREIGN_OPENSSL;

    if (news == FOREIGN_DECLINED) {
        TEST_REQUIRE(++run->declined <= run->asked);
        run->peer_is_over = openssl;
        if (openssl)
            peer_clear(&run->peer.out); /* the alert with which it gives up */
    }
    property_peer_sent(run);
    switch (news) {
    case FOREIGN_DATA:
        property_check(&run->ours, data, len);
        return true;
    case FOREIGN_DECLINED:
        return !openssl;
    case FOREIGN_WARNED:
        return !openssl;
    case FOREIGN_NOTHING:
        return false;
    case FOREIGN_CLOSED:
        TEST_REQUIRE(run->we_closed);
        run->peer_saw_close = true;
        return false;
    default:
        fprintf(stderr, "the peer has failed; %s, alert %u\n",
                run->peer.words ? run->peer.words : "no words", run->peer.alert);
        TEST_REQUIRE(news != FOREIGN_FAILED);
        return false;
    }
}

void property_peer_read(struct property *run, size_t len)
{
    static const unsigned tries = 10000; /* nobody reads for ever */
    uint8_t data[3000];

    if (len > run->to_peer.len)
        len = run->to_peer.len;
    peer_push(&run->peer.in, run->to_peer.bytes, len);
    peer_drop(&run->to_peer, len);
    for (unsigned i = 0; !run->peer_is_over && !run->peer_saw_close; i++) {
        size_t got;
        const enum foreign_news news = foreign_read(&run->peer, data, sizeof(data), &got);

        TEST_REQUIRE(i < tries);
        if (!peer_news(run, news, data, got))
            return;
    }
}

/* ---- both ---- */

void property_drain(struct property *run)
{
    for (int i = 0; i < 1000; i++) {
        const bool quiet = run->to_us.len == 0 && run->to_peer.len == 0;

        property_arrive(run, SIZE_MAX);
        while (!run->we_saw_close && property_open_one(run))
            ;
        if (run->leg_owed)
            property_leg(run, run->absorbed);
        property_peer_read(run, SIZE_MAX);
        if (quiet && run->to_us.len == 0 && run->to_peer.len == 0)
            break;
    }
    TEST_REQUIRE(run->we_saw_close || run->end.in.len == 0);
    TEST_REQUIRE_EQUAL(run->theirs.arrived, run->theirs.sent);
    TEST_REQUIRE(run->peer_is_over || run->ours.arrived == run->ours.sent);
}
