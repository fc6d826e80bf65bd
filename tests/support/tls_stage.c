/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Stages: connections, reading, and what is expected; see tls_stage.h.
 */
#include "support/tls_stage.h"

#include <stdio.h>
#include <string.h>

const char *stage_case = "";
uint8_t stage_data[STAGE_FRAGMENT];

void stage_tell(void)
{
    fprintf(stderr, "in %s:\n", stage_case);
}

/* ---- stages ---- */

const struct stage_kind stage_kinds13[4] = {
    {false, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
    {true, TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
    {false, TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},
    {true, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
};
const struct stage_kind stage_kinds12[4] = {
    {false, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {true, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {false, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {true, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
};

int stage_run_cases(const char *group, const struct peer_case *cases, size_t count)
{
    static const struct peer_form *forms[1];
    const struct peer_run how = {
        .group = group, .forms = forms, .form_count = 1, .set_up = peer_set_up};

    forms[0] = PEER_SYNC;
    return peer_run_cases_in(&how, cases, count);
}

void stage_open(struct stage *stage, const struct peer_form *form, const struct stage_kind *kind)
{
    *stage = (struct stage){.alert_count = 0};
    raw_open(&stage->raw, !kind->serve, kind->version, kind->serve ? NULL : "server");
    if (kind->version == TLS1_3_VERSION)
        TEST_REQUIRE(SSL_set_ciphersuites(stage->raw.ssl, kind->suite) == 1);
    else
        TEST_REQUIRE(SSL_set_cipher_list(stage->raw.ssl, kind->suite) == 1);
    TEST_REQUIRE(SSL_set_num_tickets(stage->raw.ssl, 0) == 1);
    seal_listen(&stage->raw, &stage->log);
    peer_end_init(&stage->end, form, kind->serve);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&stage->end, 0,
                                        kind->serve ? SCH_CRED_DISABLE_RECONNECTS : 0,
                                        kind->serve ? "server" : NULL, false),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(raw_handshake(&stage->raw, &stage->end), SEC_E_OK);
    TEST_REQUIRE_EQUAL(stage->end.in.len, 0);
    seal_keys_init(&stage->to_us, &stage->raw, &stage->log, !kind->serve);
    seal_keys_init(&stage->from_us, &stage->raw, &stage->log, kind->serve);
}

void stage_close(struct stage *stage)
{
    peer_end_free(&stage->end);
    peer_clear(&stage->wire.in);
    raw_close(&stage->raw);
}

/* ---- reading ---- */

/* What our end has sent: answers, alerts. The text of the last data, or nothing. */
void stage_read_wire(struct stage *stage, char ret_text[16])
{
    static uint8_t plain[16640]; /* one thread */
    uint8_t type;
    size_t len;

    ret_text[0] = '\0';
    while (seal_open(&stage->from_us, &stage->wire.in, &type, plain, &len)) {
        if (type == SEAL_HANDSHAKE) {
            STAGE_REQUIRE(stage->from_us.tls13 && len == 5 && plain[0] == 24 && plain[4] == 0);
            seal_keys_update(&stage->from_us);
            stage->updates++;
        } else if (type == SEAL_ALERT) {
            STAGE_REQUIRE(len == 2);
            stage->alert = plain[1];
            stage->alert_count++;
        } else {
            STAGE_REQUIRE(type == SEAL_DATA && len < 16);
            memcpy(ret_text, plain, len);
            ret_text[len] = '\0';
        }
    }
    STAGE_REQUIRE(stage->wire.in.len == 0);
}

/* Reads on as a caller does who answers everything at once; the data, if there were any. */
void stage_read(struct stage *stage, size_t *ret_len)
{
    *ret_len = 0;
    for (;;) {
        SecBuffer buffers[4] = {{(ULONG)stage->end.in.len, SECBUFFER_DATA, stage->end.in.bytes}};
        SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};

        stage->status = DecryptMessage(&stage->end.context, &message, 0, NULL);
        if (stage->status == SEC_I_RENEGOTIATE) {
            TEST_REQUIRE_EQUAL(peer_step(&stage->end, &stage->wire), SEC_E_OK);
            continue;
        }
        if (stage->status != SEC_E_OK)
            return;
        if (buffers[1].cbBuffer > 0) {
            *ret_len = buffers[1].cbBuffer;
            memcpy(stage_data, buffers[1].pvBuffer, *ret_len);
        }
        peer_drop(&stage->end.in, stage->end.in.len - buffers[3].cbBuffer);
    }
}

void stage_expect_goes_on(struct stage *stage)
{
    char text[16];
    size_t len;

    stage_read(stage, &len);
    STAGE_REQUIRE(stage->status == SEC_E_INCOMPLETE_MESSAGE && stage->end.in.len == 0);
    seal_record(&stage->to_us, SEAL_DATA, "go on", 5, 0, &stage->end.in);
    stage_read(stage, &len);
    STAGE_REQUIRE(stage->status == SEC_E_INCOMPLETE_MESSAGE);
    STAGE_REQUIRE(len == 5 && memcmp(stage_data, "go on", 5) == 0);
    STAGE_REQUIRE(peer_send(&stage->end, &stage->wire, "I do", 4) == SEC_E_OK);
    stage_read_wire(stage, text);
    STAGE_REQUIRE(strcmp(text, "I do") == 0);
}

/* Is there a run of the letter that all data here are made of? */
static bool shows(const uint8_t *bytes, size_t len)
{
    size_t run = 0;

    for (size_t i = 0; i < len; i++) {
        run = bytes[i] == 'a' ? run + 1 : 0;
        if (run >= 8)
            return true;
    }
    return false;
}

void stage_expect_dead(struct stage *stage)
{
    SecBuffer buffers[4] = {{(ULONG)stage->end.in.len, SECBUFFER_DATA, stage->end.in.bytes}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    uint8_t out[256];
    struct peer_leg leg = peer_leg_of(&stage->end, NULL, 0, out, sizeof(out));
    char text[16];

    STAGE_REQUIRE(!shows(stage->end.in.bytes, stage->end.in.len));
    STAGE_REQUIRE(peer_send(&stage->end, &stage->wire, "x", 1) == SEC_E_CONTEXT_EXPIRED);
    STAGE_REQUIRE(DecryptMessage(&stage->end.context, &message, 0, NULL) == SEC_E_CONTEXT_EXPIRED);
    leg.no_in = true;
    STAGE_REQUIRE(peer_leg_run(&stage->end, &leg) == stage->status);
    peer_push(&stage->wire.in, out, leg.out[0].cbBuffer);
    stage_read_wire(stage, text);
}

void stage_expect_ends(struct stage *stage, uint8_t alert)
{
    size_t len;

    stage_read(stage, &len);
    if (stage->status != SEC_E_ILLEGAL_MESSAGE)
        fprintf(stderr, "in %s: 0x%08x\n", stage_case, (unsigned)stage->status);
    STAGE_REQUIRE(stage->status == SEC_E_ILLEGAL_MESSAGE);
    stage_expect_dead(stage);
    if (alert == STAGE_NO_ALERT) {
        STAGE_REQUIRE(stage->alert_count == 0);
        return;
    }
    STAGE_REQUIRE(stage->alert_count >= 1);
    if (alert != STAGE_ANY_ALERT && stage->alert != alert)
        fprintf(stderr, "in %s: alert %u, not %u\n", stage_case, stage->alert, alert);
    STAGE_REQUIRE(alert == STAGE_ANY_ALERT || stage->alert == alert);
}
