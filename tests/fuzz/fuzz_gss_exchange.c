/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What stands in the place of osspi_kdc_exchange(): the realm's KDC in this process, reached by the
 * library's transport over a pair of sockets. What the answers look like is for the input to say;
 * see fuzz_gss.h. One thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "fuzz/fuzz_gss.h"
#include "fuzz/fuzz_kdc.h"
#include "packages/gssapi/kdc.h"
#include "packages/gssapi/kdc_message.h"

#define MOST (128u * 1024) /* bytes of an answer; a pair of sockets takes them at once */

krb5_error_code __wrap_osspi_kdc_exchange(const struct osspi_kdc_request *request,
                                          struct osspi_kdc_reply *ret_reply);

static struct fuzz_input *answers; /* guarded: one thread */

void fuzz_gss_answers(struct fuzz_input *input)
{
    answers = input;
}

/* ---- what the KDC says ---- */

static void change(struct fuzz_input *input, uint8_t *bytes, size_t len)
{
    for (unsigned count = fuzz_pick(input, 4) + 1; count > 0 && len > 0; count--) {
        const size_t at = fuzz_u16(input) % len;
        const uint8_t with = fuzz_u8(input);

        bytes[at] ^= with ? with : 1;
    }
}

static uint8_t *error_of(struct fuzz_input *input, size_t *ret_len)
{
    const int code = fuzz_u8(input);
    size_t len;
    uint8_t *data = fuzz_take(input, fuzz_u8(input), &len);
    uint8_t *answer = fuzz_kdc_error(code, data, len, ret_len);

    free(data);
    return answer;
}

static uint8_t *answer_of(const struct osspi_kdc_request *request, size_t *ret_len)
{
    const unsigned order = answers ? fuzz_pick(answers, 6) : 0;
    const unsigned faults = order == 2 ? fuzz_u8(answers) : 0;
    uint8_t *answer;

    if (order == 3)
        return fuzz_take(answers, fuzz_u16(answers), ret_len);
    if (order == 4)
        return error_of(answers, ret_len);
    answer = fuzz_kdc_answer(request->bytes, request->len, faults, ret_len);
    if (order == 1 && answer)
        change(answers, answer, *ret_len);
    if (order == 5 && answer)
        *ret_len = fuzz_u16(answers) % (*ret_len + 1);
    return answer;
}

/* ---- how it comes in ---- */

static void put(int fd, const uint8_t *bytes, size_t len)
{
    if (len > 0) /* else it would be the end of the stream, or nothing */
        TEST_REQUIRE(send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
}

/* The request, out of the way of the answer. */
static void take_request(int fd, struct osspi_kdc_attempt *attempt,
                         const struct osspi_kdc_frame *frame)
{
    static uint8_t room[MOST]; /* guarded: one thread */

    if (attempt->transport == OSSPI_KDC_UDP) {
        TEST_REQUIRE_EQUAL(osspi_kdc_attempt_send(attempt, frame, 0), OSSPI_KDC_GOING);
    } else {
        while (attempt->sent < frame->len)
            TEST_REQUIRE_EQUAL(osspi_kdc_attempt_work(attempt, frame), OSSPI_KDC_GOING);
    }
    TEST_REQUIRE(recv(fd, room, sizeof(room), 0) > 0);
}

/* In two pieces, and behind a length that may be a wrong one. */
static enum osspi_kdc_progress give(int fd, struct osspi_kdc_attempt *attempt,
                                    const struct osspi_kdc_frame *frame, const uint8_t *answer,
                                    size_t len)
{
    const size_t told = answers && fuzz_pick(answers, 16) == 15 ? fuzz_u32(answers) : len;
    const size_t first = answers && len > 0 ? fuzz_u16(answers) % (len + 1) : 0;
    const uint8_t prefix[] = {(uint8_t)(told >> 24), (uint8_t)(told >> 16), (uint8_t)(told >> 8),
                              (uint8_t)told};
    enum osspi_kdc_progress progress = OSSPI_KDC_GOING;

    if (attempt->transport == OSSPI_KDC_UDP) {
        put(fd, answer, len);
    } else {
        put(fd, prefix, first % sizeof(prefix));
        progress = osspi_kdc_attempt_work(attempt, frame);
        put(fd, prefix + first % sizeof(prefix), sizeof(prefix) - first % sizeof(prefix));
        put(fd, answer, first);
        for (int i = 0; i < 3 && progress == OSSPI_KDC_GOING; i++)
            progress = osspi_kdc_attempt_work(attempt, frame);
        if (len > first)
            put(fd, answer + first, len - first);
    }
    close(fd);
    for (int i = 0; i < 8 && progress == OSSPI_KDC_GOING; i++)
        progress = osspi_kdc_attempt_work(attempt, frame);
    return progress;
}

static bool begin(struct osspi_kdc_attempt *attempt, int *ret_far)
{
    const bool stream = answers && fuzz_pick(answers, 2) == 1;
    int ends[2];

    TEST_REQUIRE(
        socketpair(AF_UNIX, (stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK, 0, ends) == 0);
    *attempt = (struct osspi_kdc_attempt){
        .fd = ends[0], .transport = stream ? OSSPI_KDC_TCP : OSSPI_KDC_UDP, .connected = true};
    *ret_far = ends[1];
    return true;
}

static bool accepted(const struct osspi_kdc_request *request, const struct osspi_kdc_reply *reply)
{
    return osspi_kdc_is_answer(request->service, reply->bytes, reply->len) &&
           !osspi_kdc_is_unavailable(request->k5, reply->bytes, reply->len);
}

krb5_error_code __wrap_osspi_kdc_exchange(const struct osspi_kdc_request *request,
                                          struct osspi_kdc_reply *ret_reply)
{
    struct osspi_kdc_attempt attempt;
    struct osspi_kdc_frame frame = {.len = OSSPI_KDC_PREFIX + request->len};
    krb5_error_code code = KRB5_KDC_UNREACH;
    size_t len = 0;
    uint8_t *answer;
    int far;

    if (request->make || strcmp(request->realm, FUZZ_REALM) != 0)
        return KRB5_REALM_UNKNOWN;
    frame.bytes = fuzz_room(frame.len);
    memcpy(frame.bytes + OSSPI_KDC_PREFIX, request->bytes, request->len);
    begin(&attempt, &far);
    take_request(far, &attempt, &frame);
    answer = answer_of(request, &len);
    if (give(far, &attempt, &frame, answer, answer && len < MOST ? len : 0) == OSSPI_KDC_ANSWERED &&
        accepted(request, &attempt.reply)) {
        *ret_reply = attempt.reply;
        attempt.reply.bytes = NULL;
        code = 0;
    }
    osspi_kdc_attempt_end(&attempt);
    free(answer);
    free(frame.bytes);
    return code;
}
