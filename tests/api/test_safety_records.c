/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Safety: records under the right keys whose contents no TLS library would send. A peer that has
 * the keys is not a peer that can be trusted: each of these is either passed over or ends the
 * connection with the status and the alert for it, and never anything in between.
 */
#include <string.h>

#include "support/tls_stage.h"

/* ---- short cases ---- */

struct piece {
    uint8_t type;
    const char *bytes;
    size_t len, padding;
    bool new_keys; /* behind it */
};

#define PIECE(type, text) \
    { \
        type, text, sizeof(text) - 1, 0, false \
    }
#define PADDED(type, text, number) \
    { \
        type, text, sizeof(text) - 1, number, false \
    }
#define UPDATES(type, text) \
    { \
        type, text, sizeof(text) - 1, 0, true \
    }

enum side { CLIENT = 1, SERVER = 2, BOTH = 3 };
enum outcome { GOES_ON, ENDS, CLOSES };

struct row {
    const char *name;
    enum side side; /* our end's */
    struct piece pieces[4];
    enum outcome outcome;
    uint8_t alert;
};

/* Lifetime, age, a nonce of 1 byte, a ticket of 4, no extensions. */
#define TICKET_HEAD "\4\0\0\22\0\0\34\40\1\2\3\4\1\0"
#define TICKET_TAIL "\0\4tick\0\0"
#define TICKET      TICKET_HEAD TICKET_TAIL
#define UPDATE      "\30\0\0\1\0"
#define REQUEST     "\30\0\0\1\1"

static const struct row rows13[] = {
    /* tickets */
    {"ticket", CLIENT, {PIECE(22, TICKET)}, GOES_ON, 0},
    {"ticket, padded", CLIENT, {PADDED(22, TICKET, 100)}, GOES_ON, 0},
    {"three tickets in a record", CLIENT, {PIECE(22, TICKET TICKET TICKET)}, GOES_ON, 0},
    {"ticket in two records", CLIENT, {PIECE(22, TICKET_HEAD), PIECE(22, TICKET_TAIL)}, GOES_ON, 0},
    {"ticket in three records",
     CLIENT,
     {PIECE(22, "\4"), PIECE(22, "\0\0"), PIECE(22, "\22\0\0\34\40\1\2\3\4\1\0" TICKET_TAIL)},
     GOES_ON,
     0},
    {"one and a half", CLIENT, {PIECE(22, TICKET TICKET_HEAD), PIECE(22, TICKET_TAIL)}, GOES_ON, 0},
    {"ticket of a server's", SERVER, {PIECE(22, TICKET)}, ENDS, 10},
    {"ticket with a tail",
     CLIENT,
     {PIECE(22, "\4\0\0\23\0\0\34\40\1\2\3\4\1\0\0\4tick\0\0x")},
     ENDS,
     50},
    {"ticket cut short", CLIENT, {PIECE(22, "\4\0\0\20\0\0\34\40\1\2\3\4\1\0\0\4tick")}, ENDS, 50},
    {"ticket of nothing", CLIENT, {PIECE(22, "\4\0\0\0")}, ENDS, 50},
    {"data inside a ticket", CLIENT, {PIECE(22, TICKET_HEAD), PIECE(23, "aaaaaaaaaaaa")}, ENDS, 10},
    /* KeyUpdate */
    {"KeyUpdate", BOTH, {UPDATES(22, UPDATE)}, GOES_ON, 0},
    {"KeyUpdate, padded", BOTH, {{22, REQUEST, 5, 200, true}}, GOES_ON, 0},
    {"requests in a row",
     BOTH,
     {UPDATES(22, REQUEST), UPDATES(22, UPDATE), UPDATES(22, REQUEST), UPDATES(22, REQUEST)},
     GOES_ON,
     0},
    {"KeyUpdate in two records", BOTH, {PIECE(22, "\30\0"), UPDATES(22, "\0\1\1")}, GOES_ON, 0},
    {"ticket and KeyUpdate", CLIENT, {UPDATES(22, TICKET UPDATE)}, GOES_ON, 0},
    {"two KeyUpdates in a record", BOTH, {PIECE(22, UPDATE UPDATE)}, ENDS, 10},
    {"KeyUpdate not at the end", BOTH, {PIECE(22, UPDATE "\4")}, ENDS, 10},
    {"KeyUpdate, then a ticket", CLIENT, {PIECE(22, UPDATE TICKET)}, ENDS, 10},
    {"KeyUpdate of 2", BOTH, {PIECE(22, "\30\0\0\1\2")}, ENDS, 47},
    {"KeyUpdate of 255", BOTH, {PIECE(22, "\30\0\0\1\377")}, ENDS, 47},
    {"KeyUpdate without a value", BOTH, {PIECE(22, "\30\0\0\0")}, ENDS, 50},
    {"KeyUpdate with two values", BOTH, {PIECE(22, "\30\0\0\2\0\0")}, ENDS, STAGE_ANY_ALERT},
    /* messages that have no place there */
    {"HelloRequest", BOTH, {PIECE(22, "\0\0\0\0")}, ENDS, 10},
    {"ClientHello", BOTH, {PIECE(22, "\1\0\0\4abcd")}, ENDS, 10},
    {"ServerHello", BOTH, {PIECE(22, "\2\0\0\4abcd")}, ENDS, 10},
    {"EndOfEarlyData", BOTH, {PIECE(22, "\5\0\0\0")}, ENDS, 10},
    {"EncryptedExtensions", BOTH, {PIECE(22, "\10\0\0\2\0\0")}, ENDS, 10},
    {"Certificate", BOTH, {PIECE(22, "\13\0\0\4\0\0\0\0")}, ENDS, 10},
    {"CertificateRequest", BOTH, {PIECE(22, "\15\0\0\3\0\0\0")}, ENDS, 10},
    {"CertificateVerify", BOTH, {PIECE(22, "\17\0\0\4\4\3\0\0")}, ENDS, 10},
    {"Finished", BOTH, {PIECE(22, "\24\0\0\40aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")}, ENDS, 10},
    {"message 99", BOTH, {PIECE(22, "\143\0\0\4abcd")}, ENDS, 10},
    {"message 254", BOTH, {PIECE(22, "\376\0\0\4abcd")}, ENDS, 10},
    /* kinds of contents */
    {"nothing", BOTH, {PIECE(23, ""), PADDED(23, "", 50)}, GOES_ON, 0},
    {"handshake of nothing", BOTH, {PIECE(22, "")}, ENDS, 10},
    {"handshake of padding", BOTH, {PADDED(22, "", 50)}, ENDS, 10},
    {"change of ciphers, sealed", BOTH, {PIECE(20, "\1")}, ENDS, 10},
    {"contents 24", BOTH, {PIECE(24, "aaaaaaaaaaaa")}, ENDS, 10},
    {"contents 99", BOTH, {PIECE(99, "aaaaaaaaaaaa")}, ENDS, 10},
    /* alerts */
    {"alert of nothing", BOTH, {PIECE(21, "")}, ENDS, 10},
    {"half an alert", BOTH, {PIECE(21, "\1")}, ENDS, STAGE_ANY_ALERT},
    {"an alert and a half", BOTH, {PIECE(21, "\1\132\1")}, ENDS, STAGE_ANY_ALERT},
    {"two alerts in a record", BOTH, {PIECE(21, "\1\132\1\132")}, ENDS, STAGE_ANY_ALERT},
    {"user_canceled", BOTH, {PIECE(21, "\1\132")}, GOES_ON, 0},
    {"fatal alert", BOTH, {PIECE(21, "\2\50")}, ENDS, STAGE_NO_ALERT},
    {"another warning", BOTH, {PIECE(21, "\1\156")}, ENDS, STAGE_NO_ALERT},
    {"close_notify", BOTH, {PIECE(21, "\1\0")}, CLOSES, 0},
};

static const struct row rows12[] = {
    {"HelloRequest", CLIENT, {PIECE(22, "\0\0\0\0")}, GOES_ON, 100},
    {"HelloRequest in two records", CLIENT, {PIECE(22, "\0"), PIECE(22, "\0\0\0")}, GOES_ON, 100},
    {"HelloRequests", CLIENT, {PIECE(22, "\0\0\0\0"), PIECE(22, "\0\0\0\0")}, GOES_ON, 100},
    {"HelloRequest with more", CLIENT, {PIECE(22, "\0\0\0\1x")}, ENDS, STAGE_ANY_ALERT},
    {"HelloRequest to a server", SERVER, {PIECE(22, "\0\0\0\0")}, ENDS, 10},
    {"ClientHello to a client", CLIENT, {PIECE(22, "\1\0\0\4abcd")}, ENDS, 10},
    {"ServerHello", BOTH, {PIECE(22, "\2\0\0\4abcd")}, ENDS, 10},
    {"ticket", BOTH, {PIECE(22, "\4\0\0\12\0\0\0\0\0\4abcd")}, ENDS, 10},
    {"Finished", BOTH, {PIECE(22, "\24\0\0\14aaaaaaaaaaaa")}, ENDS, 10},
    {"KeyUpdate", BOTH, {PIECE(22, UPDATE)}, ENDS, 10},
    {"message 99", BOTH, {PIECE(22, "\143\0\0\4abcd")}, ENDS, 10},
    {"nothing", BOTH, {PIECE(23, ""), PIECE(23, "")}, GOES_ON, 0},
    {"change of ciphers", BOTH, {PIECE(20, "\1")}, ENDS, 10},
    {"half an alert", BOTH, {PIECE(21, "\1")}, ENDS, STAGE_ANY_ALERT},
    {"an alert and a half", BOTH, {PIECE(21, "\1\132\1")}, ENDS, STAGE_ANY_ALERT},
    {"warnings", BOTH, {PIECE(21, "\1\132"), PIECE(21, "\1\156")}, GOES_ON, 0},
    {"fatal alert", BOTH, {PIECE(21, "\2\50")}, ENDS, STAGE_NO_ALERT},
    {"alert of level 3", BOTH, {PIECE(21, "\3\50")}, ENDS, STAGE_ANY_ALERT},
    {"close_notify", BOTH, {PIECE(21, "\1\0")}, CLOSES, 0},
};

static void expect_closes(struct stage *stage)
{
    size_t len;
    char text[16];

    stage_read(stage, &len);
    STAGE_REQUIRE(stage->status == SEC_I_CONTEXT_EXPIRED);
    STAGE_REQUIRE(peer_send(&stage->end, &stage->wire, "bye", 3) == SEC_E_OK);
    STAGE_REQUIRE(peer_shutdown(&stage->end, &stage->wire) == SEC_E_OK);
    stage_read_wire(stage, text);
    STAGE_REQUIRE(strcmp(text, "bye") == 0);
    STAGE_REQUIRE(stage->alert_count == 1 && stage->alert == 0);
}

static void run_row(const struct peer_form *form, const struct stage_kind *kind,
                    const struct row *row)
{
    struct stage stage;

    stage_case = row->name;
    stage_open(&stage, form, kind);
    for (size_t i = 0; i < 4 && row->pieces[i].bytes; i++) {
        const struct piece *piece = &row->pieces[i];

        seal_record(&stage.to_us, piece->type, piece->bytes, piece->len, piece->padding,
                    &stage.end.in);
        if (piece->new_keys)
            seal_keys_update(&stage.to_us);
    }
    if (row->outcome == GOES_ON) {
        stage_expect_goes_on(&stage);
        STAGE_REQUIRE(row->alert == 0 || (stage.alert_count > 0 && stage.alert == row->alert));
    } else if (row->outcome == CLOSES) {
        expect_closes(&stage);
    } else {
        stage_expect_ends(&stage, row->alert);
    }
    stage_close(&stage);
}

static void run_rows(const struct peer_form *form, const struct stage_kind *kinds,
                     const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < STAGE_KINDS; k++) {
            if (rows[i].side & (kinds[k].serve ? SERVER : CLIENT))
                run_row(form, &kinds[k], &rows[i]);
        }
    }
}

static void contents_that_tls13_does_not_allow(const struct peer_form *form)
{
    run_rows(form, stage_kinds13, rows13, sizeof(rows13) / sizeof(rows13[0]));
}

static void contents_that_tls12_does_not_allow(const struct peer_form *form)
{
    run_rows(form, stage_kinds12, rows12, sizeof(rows12) / sizeof(rows12[0]));
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(contents_that_tls13_does_not_allow),
        PEER_CASE(contents_that_tls12_does_not_allow),
    };

    return stage_run_cases("safety.records", cases, sizeof(cases) / sizeof(cases[0]));
}
