/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Safety of handshakes after the handshake: what no peer may send, sealed under the true keys of a
 * connection; flights that are damaged on the way; messages cut at every byte; and no memory at
 * each of their allocations.
 */
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "api/memory_walk.h"
#include "support/failing_alloc.h"
#include "support/tls_later.h"
#include "support/tls_seal.h"
#include "support/tls_shown.h"

#define MAX_NTH 400u

/* ---- a peer whose keys are known ---- */

struct sealed {
    struct raw_peer raw;
    struct seal_log log;
    struct seal_keys to_us, from_us;
    struct peer_end end, wire;
    struct later_reader reader;
};

static void open_sealed(struct sealed *sealed, const struct peer_form *form, bool serve,
                        int version)
{
    *sealed = (struct sealed){0};
    SslEmptyCacheA(NULL, 0);
    raw_open(&sealed->raw, !serve, version, serve ? NULL : "server");
    SSL_set_num_tickets(sealed->raw.ssl, 0);
    SSL_set_post_handshake_auth(sealed->raw.ssl, 1);
    seal_listen(&sealed->raw, &sealed->log);
    peer_end_init(&sealed->end, form, serve);
    assert_int_equal(peer_end_acquire(&sealed->end, 0,
                                      SCH_CRED_DISABLE_RECONNECTS | SCH_CRED_NO_DEFAULT_CREDS,
                                      serve ? "server" : "client", false),
                     SEC_E_OK);
    assert_int_equal(
        later_allow(&sealed->end, OSSPI_TLS_RENEGOTIATION | OSSPI_TLS_POST_HANDSHAKE_AUTH, 0),
        SEC_E_OK);
    assert_int_equal(raw_handshake(&sealed->raw, &sealed->end), SEC_E_OK);
    assert_int_equal(sealed->end.in.len, 0);
    seal_keys_init(&sealed->to_us, &sealed->raw, &sealed->log, !serve);
    seal_keys_init(&sealed->from_us, &sealed->raw, &sealed->log, serve);
    later_reader_init(&sealed->reader, &sealed->end, &sealed->wire, false);
}

static void close_sealed(struct sealed *sealed)
{
    peer_end_free(&sealed->end);
    peer_clear(&sealed->wire.in);
    raw_close(&sealed->raw);
    ERR_clear_error();
}

/* What our end has sent last; its first byte, or that of an alert's description. */
static uint8_t last_sent(struct sealed *sealed, uint8_t *ret_type)
{
    static uint8_t plain[16640];
    uint8_t byte = 0;
    size_t len;

    *ret_type = 0;
    while (seal_open(&sealed->from_us, &sealed->wire.in, ret_type, plain, &len))
        byte = *ret_type == SEAL_ALERT ? plain[1] : plain[0];
    assert_int_equal(sealed->wire.in.len, 0);
    return byte;
}

/* ---- what no peer may send ---- */

#define CERTIFICATE_REQUEST "\15\0\0\13\0\0\10\0\15\0\4\0\2\4\3"
#define EMPTY_CERTIFICATE   "\13\0\0\4\0\0\0\0"

struct piece {
    uint8_t type;
    const char *bytes;
    size_t len;
};
#define PIECE(type, text) \
    { \
        type, text, sizeof(text) - 1 \
    }

struct row {
    const char *name;
    bool serve;
    int version;
    bool begin; /* our end has begun one */
    struct piece pieces[3];
    uint8_t alert;  /* that tells the peer; 0: it went on well */
    unsigned times; /* all pieces; 0: once */
    bool no_legs;   /* the caller only decrypts */
};

static const struct row rows[] = {
    {.name = "a ClientHello that is none",
     .serve = true,
     .version = TLS1_2_VERSION,
     .pieces = {PIECE(22, "\1\0\0\5hello")},
     .alert = SSL_AD_DECODE_ERROR},
    {.name = "a ChangeCipherSpec out of nothing",
     .serve = true,
     .version = TLS1_2_VERSION,
     .pieces = {PIECE(20, "\1")},
     .alert = SSL_AD_UNEXPECTED_MESSAGE},
    {.name = "a Finished out of nothing",
     .serve = true,
     .version = TLS1_2_VERSION,
     .pieces = {PIECE(22, "\24\0\0\0")},
     .alert = SSL_AD_UNEXPECTED_MESSAGE},
    {.name = "a HelloRequest of a client",
     .serve = true,
     .version = TLS1_2_VERSION,
     .pieces = {PIECE(22, "\0\0\0\0")},
     .alert = SSL_AD_UNEXPECTED_MESSAGE},
    {.name = "a ClientHello of a server",
     .version = TLS1_2_VERSION,
     .pieces = {PIECE(22, "\1\0\0\5hello")},
     .alert = SSL_AD_UNEXPECTED_MESSAGE},
    {.name = "a HelloRequest that is too long",
     .version = TLS1_2_VERSION,
     .pieces = {PIECE(22, "\0\0\0\1x")},
     .alert = SSL_AD_DECODE_ERROR},
    {.name = "a ServerHello that is none",
     .version = TLS1_2_VERSION,
     .begin = true,
     .pieces = {PIECE(22, "\2\0\0\5hello")},
     .alert = SSL_AD_DECODE_ERROR},
    {.name = "a ChangeCipherSpec before the rest",
     .version = TLS1_2_VERSION,
     .begin = true,
     .pieces = {PIECE(20, "\1")},
     .alert = SSL_AD_UNEXPECTED_MESSAGE},
    {.name = "a ChangeCipherSpec of two bytes",
     .version = TLS1_2_VERSION,
     .begin = true,
     .pieces = {PIECE(20, "\1\1")},
     .alert = SSL_AD_UNEXPECTED_MESSAGE},
    {.name = "an empty record",
     .version = TLS1_2_VERSION,
     .begin = true,
     .pieces = {PIECE(22, "")},
     .alert = SSL_AD_UNEXPECTED_MESSAGE},
    {.name = "HelloRequests without end",
     .version = TLS1_2_VERSION,
     .begin = true,
     .pieces = {PIECE(22, "\0\0\0\0")},
     .alert = SSL_AD_UNEXPECTED_MESSAGE,
     .times = 600},
    {.name = "a certificate that nobody has asked for",
     .serve = true,
     .version = TLS1_3_VERSION,
     .pieces = {PIECE(22, EMPTY_CERTIFICATE)},
     .alert = SSL_AD_UNEXPECTED_MESSAGE},
    {.name = "a proof without certificate",
     .serve = true,
     .version = TLS1_3_VERSION,
     .begin = true,
     .pieces = {PIECE(22, "\17\0\0\0")},
     .alert = SSL_AD_UNEXPECTED_MESSAGE},
    {.name = "a Finished without certificate",
     .serve = true,
     .version = TLS1_3_VERSION,
     .begin = true,
     .pieces = {PIECE(22, "\24\0\0\0")},
     .alert = SSL_AD_UNEXPECTED_MESSAGE},
    {.name = "a certificate that is none",
     .serve = true,
     .version = TLS1_3_VERSION,
     .begin = true,
     .pieces = {PIECE(22, "\13\0\0\4\0\0\0\7")},
     .alert = SSL_AD_DECODE_ERROR},
    {.name = "another context",
     .serve = true,
     .version = TLS1_3_VERSION,
     .begin = true,
     .pieces = {PIECE(22, "\13\0\0\5\1x\0\0\0")},
     .alert = SSL_AD_DECODE_ERROR},
    {.name = "data between the answer's messages",
     .serve = true,
     .version = TLS1_3_VERSION,
     .begin = true,
     .pieces = {PIECE(22, EMPTY_CERTIFICATE), PIECE(23, "data")},
     .alert = SSL_AD_UNEXPECTED_MESSAGE,
     .no_legs = true},
    {.name = "a KeyUpdate between the answer's messages",
     .serve = true,
     .version = TLS1_3_VERSION,
     .begin = true,
     .pieces = {PIECE(22, EMPTY_CERTIFICATE), PIECE(22, "\30\0\0\1\0")},
     .alert = SSL_AD_UNEXPECTED_MESSAGE,
     .no_legs = true},
    {.name = "a Finished that is wrong",
     .serve = true,
     .version = TLS1_3_VERSION,
     .begin = true,
     .pieces = {PIECE(22, EMPTY_CERTIFICATE "\24\0\0\40"
                                            "0123456789abcdef0123456789abcdef")},
     .alert = SSL_AD_DECODE_ERROR},
    {.name = "a request for a certificate that is none",
     .version = TLS1_3_VERSION,
     .pieces = {PIECE(22, "\15\0\0\3\0\0\1")},
     .alert = SSL_AD_DECODE_ERROR},
    {.name = "a request of a client",
     .serve = true,
     .version = TLS1_3_VERSION,
     .pieces = {PIECE(22, CERTIFICATE_REQUEST)},
     .alert = SSL_AD_UNEXPECTED_MESSAGE},
    {.name = "two requests in a record",
     .version = TLS1_3_VERSION,
     .pieces = {PIECE(22, CERTIFICATE_REQUEST CERTIFICATE_REQUEST)}},
    {.name = "requests without end",
     .version = TLS1_3_VERSION,
     .pieces = {PIECE(22, CERTIFICATE_REQUEST)},
     .alert = SSL_AD_UNEXPECTED_MESSAGE,
     .times = 9},
};

static SECURITY_STATUS read_row(struct sealed *sealed, const struct row *row)
{
    SECURITY_STATUS status = SEC_E_OK;
    char data[16];
    size_t len;

    if (!row->no_legs)
        return later_read(&sealed->reader);
    while (status >= 0 && sealed->end.in.len > 0)
        status = peer_receive(&sealed->end, data, sizeof(data), &len);
    return status;
}

static void put_row(struct sealed *sealed, const struct row *row)
{
    for (unsigned time = 0; time < (row->times > 0 ? row->times : 1); time++) {
        for (size_t i = 0; i < 3 && row->pieces[i].bytes; i++)
            seal_record(&sealed->to_us, row->pieces[i].type, row->pieces[i].bytes,
                        row->pieces[i].len, 0, &sealed->end.in);
    }
}

static void what_no_peer_may_send_ends_it(const struct peer_form *form)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct sealed sealed;
        SECURITY_STATUS status;
        uint8_t type, sent;

        open_sealed(&sealed, form, row->serve, row->version);
        if (row->begin) {
            sealed.end.flags |= row->serve ? ASC_REQ_MUTUAL_AUTH : 0;
            assert_int_equal(later_leg(&sealed.end, &sealed.wire), SEC_I_CONTINUE_NEEDED);
        }
        put_row(&sealed, row);
        status = read_row(&sealed, row);
        if ((status < 0) != (row->alert != 0))
            fail_msg("%s: %x", row->name, (unsigned)status);
        if (status < 0) {
            (void)later_leg(&sealed.end, &sealed.wire);
            sent = last_sent(&sealed, &type);
            if (type != SEAL_ALERT || sent != row->alert || status == SEC_E_INTERNAL_ERROR)
                fail_msg("%s: %x, type %u, %u", row->name, (unsigned)status, type, sent);
        } else {
            assert_int_equal(peer_send(&sealed.end, &sealed.wire, "data", 4), SEC_E_OK);
        }
        close_sealed(&sealed);
    }
}

/* Without legs a client can be asked so often, and no more. */
static void wishes_are_not_heard_without_end(const struct peer_form *form)
{
    struct sealed sealed;
    SECURITY_STATUS status = SEC_E_OK;
    char byte;
    size_t len;

    open_sealed(&sealed, form, false, TLS1_2_VERSION);
    for (int i = 0; i < 70; i++)
        seal_record(&sealed.to_us, 22, "\0\0\0\0", 4, 0, &sealed.end.in);
    for (int i = 0; i < 200 && status >= 0; i++)
        status = peer_receive(&sealed.end, &byte, 1, &len);
    assert_int_equal(status, SEC_E_ILLEGAL_MESSAGE);
    close_sealed(&sealed);
}

/* ---- ClientHellos ---- */

/* One as in a first handshake: it says that its sender renegotiates with nobody (RFC 5746, 3.7). */
static void a_hello_that_is_not_bound_is_refused(const struct peer_form *form)
{
    struct sealed sealed;
    struct peer_stream hello = {0};
    uint8_t type;

    open_sealed(&sealed, form, true, TLS1_2_VERSION);
    raw_again(&sealed.raw, false);
    assert_int_equal(SSL_do_handshake(sealed.raw.ssl), -1);
    raw_take(&sealed.raw, &hello);
    seal_record(&sealed.to_us, 22, hello.bytes + 5, hello.len - 5, 0, &sealed.end.in);
    peer_clear(&hello);
    assert_true(later_read(&sealed.reader) < 0);
    assert_int_equal(last_sent(&sealed, &type), SSL_AD_HANDSHAKE_FAILURE);
    assert_int_equal(type, SEAL_ALERT);
    close_sealed(&sealed);
}

/* Records of a few bytes, with data in between. */
static void messages_may_be_cut_anywhere(const struct peer_form *form)
{
    static const size_t parts[] = {1, 2, 3, 5, 50};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        static uint8_t plain[16640];
        struct peer_stream hello = {0};
        struct seal_keys theirs;
        struct sealed sealed;
        size_t len, data = 0;
        uint8_t type;

        open_sealed(&sealed, form, true, TLS1_2_VERSION);
        theirs = sealed.to_us;
        assert_int_equal(SSL_renegotiate(sealed.raw.ssl), 1);
        assert_int_equal(SSL_do_handshake(sealed.raw.ssl), -1);
        raw_take(&sealed.raw, &hello);
        assert_true(seal_open(&theirs, &hello, &type, plain, &len));
        for (size_t at = 0; at < len; at += parts[i]) {
            const size_t part = len - at < parts[i] ? len - at : parts[i];

            seal_record(&sealed.to_us, 22, plain + at, part, 0, &sealed.end.in);
            if (at % 7 == 0) {
                seal_record(&sealed.to_us, 23, "data", 4, 0, &sealed.end.in);
                data += 4;
            }
        }
        assert_int_equal(later_read(&sealed.reader), SEC_E_OK);
        assert_int_equal(sealed.reader.leg, SEC_I_CONTINUE_NEEDED);
        assert_int_equal(sealed.reader.len, data);
        assert_int_equal(last_sent(&sealed, &type), SSL3_MT_SERVER_DONE);
        assert_int_equal(type, SEAL_HANDSHAKE);
        close_sealed(&sealed);
    }
}

/* ---- pairs ---- */

enum flow { CLIENT_BEGINS, SERVER_BEGINS, SERVER_ASKS, FLOWS };

struct scene {
    struct peer_pair pair;
    struct later_reader client, server;
};

static void open_scene(struct scene *scene, const struct peer_form *form, enum flow flow)
{
    const struct peer_setup setup = {.protocols = flow == SERVER_ASKS ? SP_PROT_TLS1_3_CLIENT
                                                                      : SP_PROT_TLS1_2_CLIENT,
                                     .client_flags = SCH_CRED_NO_DEFAULT_CREDS};
    const ULONG both = OSSPI_TLS_RENEGOTIATION | OSSPI_TLS_POST_HANDSHAKE_AUTH;

    SslEmptyCacheA(NULL, 0);
    peer_open(&scene->pair, form, &setup);
    assert_int_equal(shown_renew(&scene->pair.client, (const char *[]){"client", NULL}), SEC_E_OK);
    assert_int_equal(later_allow(&scene->pair.client, both, 0), SEC_E_OK);
    assert_int_equal(later_allow(&scene->pair.server, both, 0), SEC_E_OK);
    later_reader_init(&scene->client, &scene->pair.client, &scene->pair.server, false);
    later_reader_init(&scene->server, &scene->pair.server, &scene->pair.client, false);
    peer_connect(&scene->pair);
    peer_exchange(&scene->pair);
    scene->pair.server.flags |= ASC_REQ_MUTUAL_AUTH;
}

static SECURITY_STATUS begin(struct scene *scene, enum flow flow)
{
    return flow == CLIENT_BEGINS ? later_leg(&scene->pair.client, &scene->pair.server)
                                 : later_leg(&scene->pair.server, &scene->pair.client);
}

/* One bit of one record of a flight is not as it was sent. */
static void damaged_flights_end_it(const struct peer_form *form)
{
    for (int flow = 0; flow < FLOWS; flow++) {
        unsigned hits = 0;

        for (unsigned nth = 0; nth < 12; nth++) {
            struct scene scene;
            unsigned seen = 0;
            bool hit = false;

            open_scene(&scene, form, flow);
            assert_int_equal(begin(&scene, flow), SEC_I_CONTINUE_NEEDED);
            for (int turn = 0; turn < 12 && !hit; turn++) {
                struct later_reader *reader = turn % 2 ? &scene.client : &scene.server;
                struct peer_stream *in = &reader->end->in;

                for (size_t at = 0; at < in->len; at += peer_record_len(in->bytes + at)) {
                    if (seen++ == nth) {
                        in->bytes[at + peer_record_len(in->bytes + at) - 1 - nth % 16] ^= 1;
                        hit = true;
                    }
                }
                if (hit)
                    assert_int_equal(later_read(reader), SEC_E_MESSAGE_ALTERED);
                else
                    assert_int_equal(later_read(reader), SEC_E_OK);
            }
            hits += hit;
            peer_close(&scene.pair);
        }
        assert_true(hits >= 3);
    }
}

/* ---- no memory ---- */

static uint64_t fail_at; /* of the allocations still to come; 0: none */
static bool struck;

static void arm(void)
{
    failing_alloc_nth(fail_at);
}

static void disarm(void)
{
    const uint64_t count = failing_alloc_count();

    struck = struck || failing_alloc_hit();
    fail_at = struck || fail_at <= count ? 0 : fail_at - count;
    failing_alloc_nth(0);
}

static const struct memory_hooks hooks = {arm, disarm};

/* One record, and the leg that it may ask for. */
static SECURITY_STATUS read_one(struct later_reader *reader)
{
    struct peer_end *end = reader->end;
    SecBuffer buffers[4] = {{(ULONG)end->in.len, SECBUFFER_DATA, end->in.bytes}};
    SecBufferDesc message = {SECBUFFER_VERSION, 4, buffers};
    SECURITY_STATUS status;

    arm();
    status = DecryptMessage(&end->context, &message, 0, NULL);
    disarm();
    if (status == SEC_I_RENEGOTIATE) {
        status = peer_step(end, reader->to);
        return status == SEC_E_INSUFFICIENT_MEMORY ? peer_step(end, reader->to) : status;
    }
    if (status == SEC_E_OK)
        peer_drop(&end->in, end->in.len - buffers[3].cbBuffer);
    return status;
}

/* All of it; a call that fails is made once more. The failure that stays, or SEC_E_OK. */
static SECURITY_STATUS walk(struct scene *scene, enum flow flow)
{
    SECURITY_STATUS status = begin(scene, flow);

    if (status < 0)
        status = begin(scene, flow);
    for (int i = 0; i < 60 && status >= 0; i++) {
        struct later_reader *reader = i % 2 ? &scene->client : &scene->server;

        if (reader->end->in.len == 0)
            continue;
        status = read_one(reader);
        if (status == SEC_E_INSUFFICIENT_MEMORY)
            status = read_one(reader);
    }
    return status < 0 ? status : SEC_E_OK;
}

static void allocations_fail(const struct peer_form *form)
{
    (void)form;
    for (int flow = 0; flow < FLOWS; flow++) {
        unsigned ended = 0, overcome = 0;
        uint64_t nth = 0;

        do {
            SECURITY_STATUS status;
            struct scene scene;

            fail_at = 0;
            open_scene(&scene, memory_form(0, &hooks), flow);
            fail_at = ++nth;
            struck = false;
            status = walk(&scene, flow);
            fail_at = 0;
            if (!struck)
                assert_int_equal(status, SEC_E_OK);
            else if (status != SEC_E_OK)
                assert_true(status == SEC_E_INSUFFICIENT_MEMORY ||
                            status == SEC_E_CONTEXT_EXPIRED); /* made again at its end */
            /* Who is known is known for good, or not at all. */
            assert_true(later_shown(&scene.pair.server, NULL) ||
                        later_shown(&scene.pair.server, "client"));
            if (status == SEC_E_OK) {
                assert_true(later_shown(&scene.pair.server, "client"));
                peer_exchange(&scene.pair);
            }
            ended += status != SEC_E_OK;
            overcome += struck && status == SEC_E_OK;
            peer_close(&scene.pair);
        } while (struck && nth < MAX_NTH);
        print_message("%u allocations: %u ended it, %u were overcome\n", (unsigned)nth - 1, ended,
                      overcome);
        assert_true(nth > 10 && nth < MAX_NTH);
        assert_true(ended > 0 && overcome > 0);
    }
    memory_require_nothing_left();
}

/* All messages of an answer in one record: where there is no memory for the second, the third or
 * what has begun behind them, none was taken, and the same record can be given again. */
static void a_record_of_many_messages_can_be_given_again(const struct peer_form *form)
{
    static uint8_t record[6000] = EMPTY_CERTIFICATE "\24\0\10\0";
    const size_t finished = sizeof(EMPTY_CERTIFICATE) - 1;
    const size_t lens[] = {finished + 4 + 2048, sizeof(record)};
    bool hit = true;
    (void)form;

    memcpy(record + finished + 4 + 2048, "\30\0\377\377", 4); /* does not end here */
    for (uint64_t nth = 1; hit; nth++) {
        struct sealed sealed;
        SECURITY_STATUS status;
        char data[16];
        size_t len;

        open_sealed(&sealed, PEER_SYNC, true, TLS1_3_VERSION);
        sealed.end.flags |= ASC_REQ_MUTUAL_AUTH;
        assert_int_equal(later_leg(&sealed.end, &sealed.wire), SEC_I_CONTINUE_NEEDED);
        seal_record(&sealed.to_us, SEAL_HANDSHAKE, record, lens[nth % 2], 0, &sealed.end.in);
        failing_alloc_nth((nth + 1) / 2);
        status = peer_receive(&sealed.end, data, sizeof(data), &len);
        hit = failing_alloc_hit();
        failing_alloc_nth(0);
        if (hit) {
            assert_int_equal(status, SEC_E_INSUFFICIENT_MEMORY);
            status = peer_receive(&sealed.end, data, sizeof(data), &len);
        }
        assert_int_equal(status, SEC_I_RENEGOTIATE);
        /* The leg has it all, and finds that the Finished is none. */
        assert_int_equal(peer_step(&sealed.end, &sealed.wire), SEC_E_ILLEGAL_MESSAGE);
        close_sealed(&sealed);
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(what_no_peer_may_send_ends_it),
        PEER_CASE(wishes_are_not_heard_without_end),
        PEER_CASE(a_hello_that_is_not_bound_is_refused),
        PEER_CASE(messages_may_be_cut_anywhere),
        PEER_CASE(damaged_flights_end_it),
        PEER_CASE(allocations_fail),
        PEER_CASE(a_record_of_many_messages_can_be_given_again),
    };
    static const struct peer_form *forms[1];
    const struct peer_run how = {
        .group = "safety.later", .forms = forms, .form_count = 1, .set_up = peer_set_up};

    forms[0] = PEER_SYNC;
    return peer_run_cases_in(&how, cases, sizeof(cases) / sizeof(cases[0]));
}
