/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Somebody who has got between client and server, and what he must not get: the credentials, or a
 * server that takes him for the client. In most cases he even has the server's own certificate and
 * key, so that nothing but what is checked inside the TLS connection stands in his way.
 */
#include <string.h>

#include "credssp/relay.h"

#define THEIRS "server"     /* the server's own certificate */
#define OTHER  "server-rsa" /* one that the client would trust, too */

static const char *const packages[] = {"ntlm", "kerberos"};

/* Runs an attack; statuses of both ends. */
static void attack(struct relay *relay, const struct duet_setup *setup, const char *certificate,
                   relay_hook *hook, const void *data)
{
    memset(relay, 0, sizeof(*relay));
    relay->hook = hook;
    relay->data = data;
    relay_open(relay, setup, certificate);
    (void)relay_run(relay);
}

/* ---- a relay that changes nothing ---- */

/* Otherwise the cases below would prove nothing. */
static void a_relay_with_the_servers_key_gets_through(const struct peer_form *form)
{
    (void)form;
    for (size_t i = 0; i < 2; i++) {
        const struct duet_setup setup = {.packages = packages[i]};
        struct relay relay;

        attack(&relay, &setup, THEIRS, NULL, NULL);
        assert_int_equal(relay.duet.client, SEC_E_OK);
        assert_int_equal(relay.duet.server, SEC_E_OK);
        assert_true(relay.saw_credentials);
        relay_close(&relay);
    }
}

static void a_relay_with_another_key_is_refused(const struct peer_form *form)
{
    (void)form;
    for (size_t i = 0; i < 2; i++) {
        for (ULONG version = 2; version <= 6; version++) {
            const struct duet_setup setup = {.packages = packages[i],
                                             .client_min = 2,
                                             .server_min = 2,
                                             .client_max = version,
                                             .server_max = version};
            struct relay relay;

            attack(&relay, &setup, OTHER, NULL, NULL);
            assert_int_equal(relay.duet.server, SEC_E_MESSAGE_ALTERED);
            assert_int_not_equal(relay.duet.client, SEC_E_OK);
            assert_false(relay.saw_credentials);
            relay_close(&relay);
        }
    }
}

/* He answers the client's proof with itself, and never asks the server. */
static void reflect(struct relay *relay, bool from_client, unsigned number,
                    struct osspi_ts_request *request)
{
    struct osspi_bytes out = {0};

    (void)number;
    if (!from_client || request->key_auth.len == 0)
        return;
    relay->drop = true;
    request->version = *(const ULONG *)relay->data;
    osspi_bytes_clear(&request->token);
    request->has_token = false;
    TEST_REQUIRE_EQUAL(osspi_ts_request_encode(request, &out), SEC_E_OK);
    relay_inject(relay, false, out.at, out.len);
    osspi_bytes_clear(&out);
}

static void a_proof_that_is_sent_back_is_refused(const struct peer_form *form)
{
    (void)form;
    for (size_t i = 0; i < 2; i++) {
        for (ULONG version = 2; version <= 6; version++) {
            const struct duet_setup setup = {
                .packages = packages[i], .client_min = 2, .server_min = 2, .server_max = version};
            struct relay relay;

            attack(&relay, &setup, THEIRS, reflect, &version);
            assert_int_equal(relay.duet.client, SEC_E_MESSAGE_ALTERED);
            assert_false(relay.saw_credentials);
            relay_close(&relay);
        }
    }
}

/* ---- messages that are changed on the way ---- */

enum what {
    LAST_BYTE_OF_CLIENTS_PROOF,
    LAST_BYTE_OF_SERVERS_PROOF,
    CREDENTIALS,
    NONCE,
    NO_NONCE,
    CLIENTS_VERSION_FIRST,
    CLIENTS_VERSION_LATER,
    SERVERS_VERSION_FIRST,
    SERVERS_VERSION_LATER,
    NO_TOKEN,
    NO_PROOF_OF_SERVER,
    NO_PROOF_OF_CLIENT,
    PROOF_AS_CREDENTIALS,
    CREDENTIALS_AT_ONCE,
    ERROR_OF_CLIENT,
};

static void flip_last(struct osspi_bytes *bytes)
{
    if (bytes->len > 0)
        bytes->at[bytes->len - 1] ^= 1;
}

static void change_client(struct osspi_ts_request *request, enum what what, unsigned number)
{
    const bool proves = request->key_auth.len > 0;

    switch (what) {
    case LAST_BYTE_OF_CLIENTS_PROOF:
        flip_last(&request->key_auth);
        break;
    case CREDENTIALS:
        flip_last(&request->auth_info);
        break;
    case NONCE:
        request->nonce[OSSPI_TS_NONCE - 1] ^= 1;
        break;
    case NO_NONCE:
        request->has_nonce = false;
        break;
    case CLIENTS_VERSION_FIRST:
        request->version = 4;
        break;
    case CLIENTS_VERSION_LATER:
        request->version = number > 1 ? 5 : request->version;
        break;
    case NO_TOKEN:
        request->has_token = number == 1;
        break;
    case NO_PROOF_OF_CLIENT:
        osspi_bytes_clear(&request->key_auth);
        break;
    case PROOF_AS_CREDENTIALS:
        if (proves) {
            request->auth_info = request->key_auth;
            request->key_auth = (struct osspi_bytes){0};
        }
        break;
    case CREDENTIALS_AT_ONCE:
        request->has_token = false;
        TEST_REQUIRE(osspi_bytes_add(&request->auth_info, "no secret at all", 16));
        break;
    case ERROR_OF_CLIENT:
        request->has_error = true;
        break;
    default:
        break;
    }
}

static void change_server(struct osspi_ts_request *request, enum what what, unsigned number)
{
    switch (what) {
    case LAST_BYTE_OF_SERVERS_PROOF:
        flip_last(&request->key_auth);
        break;
    case SERVERS_VERSION_FIRST:
        request->version = 4;
        break;
    case SERVERS_VERSION_LATER:
        request->version = number > 1 ? 5 : request->version;
        break;
    case NO_PROOF_OF_SERVER:
        osspi_bytes_clear(&request->key_auth);
        break;
    default:
        break;
    }
}

static void change(struct relay *relay, bool from_client, unsigned number,
                   struct osspi_ts_request *request)
{
    const enum what what = *(const enum what *)relay->data;

    if (from_client)
        change_client(request, what, number);
    else
        change_server(request, what, number);
}

/* Which end refuses, and how. */
static const struct {
    enum what what;
    bool lenient; /* versions from 2 on are allowed */
    bool server;
    SECURITY_STATUS status;
    const char *packages;
} changes[] = {
    {LAST_BYTE_OF_CLIENTS_PROOF, false, true, SEC_E_MESSAGE_ALTERED, NULL},
    {LAST_BYTE_OF_SERVERS_PROOF, false, false, SEC_E_MESSAGE_ALTERED, NULL},
    {CREDENTIALS, false, true, SEC_E_MESSAGE_ALTERED, NULL},
    {NONCE, false, true, SEC_E_MESSAGE_ALTERED, NULL},
    {NO_NONCE, false, true, SEC_E_ILLEGAL_MESSAGE, NULL},
    {CLIENTS_VERSION_FIRST, false, true, SEC_E_DELEGATION_POLICY, NULL},
    {CLIENTS_VERSION_FIRST, true, true, SEC_E_MESSAGE_ALTERED, NULL},
    {CLIENTS_VERSION_LATER, false, true, SEC_E_ILLEGAL_MESSAGE, NULL},
    {SERVERS_VERSION_FIRST, false, false, SEC_E_DELEGATION_POLICY, NULL},
    {SERVERS_VERSION_FIRST, true, true, SEC_E_ILLEGAL_MESSAGE, NULL},
    {SERVERS_VERSION_LATER, false, false, SEC_E_ILLEGAL_MESSAGE, NULL},
    {NO_TOKEN, false, true, SEC_E_ILLEGAL_MESSAGE, NULL},
    {NO_PROOF_OF_SERVER, false, false, SEC_E_ILLEGAL_MESSAGE, NULL},
    {NO_PROOF_OF_CLIENT, false, true, SEC_E_ILLEGAL_MESSAGE, "kerberos"},
    {PROOF_AS_CREDENTIALS, false, true, SEC_E_ILLEGAL_MESSAGE, NULL},
    {CREDENTIALS_AT_ONCE, false, true, SEC_E_ILLEGAL_MESSAGE, NULL},
    {ERROR_OF_CLIENT, false, true, SEC_E_ILLEGAL_MESSAGE, NULL},
};

static void messages_that_were_changed_are_refused(const struct peer_form *form)
{
    (void)form;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        const struct duet_setup setup = {.packages = changes[i].packages,
                                         .client_min = changes[i].lenient ? 2 : 0,
                                         .server_min = changes[i].lenient ? 2 : 0};
        struct relay relay;
        SECURITY_STATUS status;

        attack(&relay, &setup, THEIRS, change, &changes[i].what);
        status = changes[i].server ? relay.duet.server : relay.duet.client;
        if (status != changes[i].status)
            print_error("change %u: client %s, server %s\n", (unsigned)i,
                        OsspiStatusName(relay.duet.client), OsspiStatusName(relay.duet.server));
        assert_int_equal(status, changes[i].status);
        assert_int_not_equal(relay.duet.server, SEC_E_OK);
        assert_int_equal(relay.saw_credentials, changes[i].what == CREDENTIALS);
        /* It stays so, whatever comes. */
        if (changes[i].server)
            assert_int_equal(peer_step(&relay.duet.pair.server, &relay.far), changes[i].status);
        else
            assert_int_equal(peer_step(&relay.duet.pair.client, &relay.near), changes[i].status);
        relay_close(&relay);
    }
}

/* ---- NTLM made weaker ---- */

struct weakening {
    uint32_t flags;
    uint8_t type; /* of NTLM's messages */
};

/* Takes flags out of a message of NTLM: what is sealed then somebody in between may change without
 * the key, and so turn one proof into the other. */
static void weaken(struct relay *relay, bool from_client, unsigned number,
                   struct osspi_ts_request *request)
{
    static const uint8_t places[] = {0, 12, 20, 60};
    const struct weakening *how = relay->data;
    const char head[] = {'N', 'T', 'L', 'M', 'S', 'S', 'P', 0, (char)how->type, 0, 0, 0};
    uint8_t *message = NULL;

    (void)from_client;
    (void)number;
    if (request->token.len > 0)
        message = memmem(request->token.at, request->token.len, head, sizeof(head));
    for (int i = 0; message && i < 4; i++)
        message[places[how->type] + i] &= (uint8_t) ~(how->flags >> 8 * i);
}

static void weakened_ntlm_is_refused(const struct peer_form *form)
{
    static const uint32_t flags[] = {
        0x00080000, /* extended session security */
        0x20000000, /* 128 */
        0x20080000, /* both */
        0xA0080000, /* and 56 */
    };
    const struct duet_setup setup = {0};

    (void)form;
    for (uint8_t type = 1; type <= 3; type++) {
        for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
            const struct weakening how = {flags[i], type};
            const bool by_client = type == 2;
            struct relay relay;
            SECURITY_STATUS status;

            attack(&relay, &setup, THEIRS, weaken, &how);
            status = by_client ? relay.duet.client : relay.duet.server;
            if (status != SEC_E_DELEGATION_POLICY)
                print_error("message %u without %08x: %s\n", type, (unsigned)flags[i],
                            OsspiStatusName(status));
            assert_int_equal(status, SEC_E_DELEGATION_POLICY);
            assert_int_not_equal(relay.duet.client, SEC_E_OK);
            assert_int_not_equal(relay.duet.server, SEC_E_OK);
            assert_false(relay.saw_credentials);
            relay_close(&relay);
        }
    }
}

/* ---- messages of another connection ---- */

/* What a client said in an earlier connection. Guarded: one thread. */
static struct osspi_ts_request recorded[8];
static unsigned recorded_count;

static void copy_request(const struct osspi_ts_request *from, struct osspi_ts_request *to)
{
    *to = *from;
    to->token = to->auth_info = to->key_auth = (struct osspi_bytes){0};
    TEST_REQUIRE(osspi_bytes_add(&to->token, from->token.at, from->token.len) &&
                 osspi_bytes_add(&to->auth_info, from->auth_info.at, from->auth_info.len) &&
                 osspi_bytes_add(&to->key_auth, from->key_auth.at, from->key_auth.len));
}

static void record(struct relay *relay, bool from_client, unsigned number,
                   struct osspi_ts_request *request)
{
    (void)relay;
    if (!from_client)
        return;
    TEST_REQUIRE(number <= 8);
    copy_request(request, &recorded[number - 1]);
    recorded_count = number;
}

/* All of it, or the proof and its nonce alone, or these in a message of the old connection. */
static void replay(struct relay *relay, bool from_client, unsigned number,
                   struct osspi_ts_request *request)
{
    const bool all = *(const bool *)relay->data;

    if (!from_client || number > recorded_count)
        return;
    if (all) {
        osspi_ts_request_clear(request);
        copy_request(&recorded[number - 1], request);
    } else if (request->key_auth.len > 0) {
        for (unsigned i = 0; i < recorded_count; i++) {
            if (recorded[i].key_auth.len == 0)
                continue;
            osspi_bytes_clear(&request->key_auth);
            TEST_REQUIRE(osspi_bytes_add(&request->key_auth, recorded[i].key_auth.at,
                                         recorded[i].key_auth.len));
            memcpy(request->nonce, recorded[i].nonce, sizeof(request->nonce));
        }
    }
}

static void messages_of_another_connection_are_refused(const struct peer_form *form)
{
    (void)form;
    for (size_t i = 0; i < 2; i++) {
        const struct duet_setup setup = {.packages = packages[i]};
        struct relay relay;

        attack(&relay, &setup, THEIRS, record, NULL);
        assert_int_equal(relay.duet.server, SEC_E_OK);
        relay_close(&relay);
        for (int all = 0; all < 2; all++) {
            const bool whole = all != 0;

            attack(&relay, &setup, THEIRS, replay, &whole);
            assert_true(relay.duet.server < 0);
            assert_int_not_equal(relay.duet.client, SEC_E_OK);
            if (!whole)
                assert_int_equal(relay.duet.server, SEC_E_MESSAGE_ALTERED);
            relay_close(&relay);
        }
        for (unsigned n = 0; n < recorded_count; n++)
            osspi_ts_request_clear(&recorded[n]);
    }
}

/* A nonce is a client's for one connection. */
static void note_nonces(struct relay *relay, bool from_client, unsigned number,
                        struct osspi_ts_request *request)
{
    uint8_t *nonce = (uint8_t *)(uintptr_t)relay->data;

    (void)number;
    if (from_client && request->has_nonce)
        memcpy(nonce, request->nonce, OSSPI_TS_NONCE);
}

static void each_connection_has_a_nonce_of_its_own(const struct peer_form *form)
{
    const struct duet_setup setup = {0};
    uint8_t nonces[3][OSSPI_TS_NONCE] = {{0}};

    (void)form;
    for (int i = 1; i < 3; i++) {
        struct relay relay;

        attack(&relay, &setup, THEIRS, note_nonces, nonces[i]);
        assert_int_equal(relay.duet.server, SEC_E_OK);
        assert_memory_not_equal(nonces[i], nonces[i - 1], OSSPI_TS_NONCE);
        relay_close(&relay);
    }
}

/* ---- what is no message ---- */

/* How the nth message of a direction is spoiled. */
struct spoil {
    bool of_client;
    unsigned number;
    size_t keep;        /* so many bytes of it; SIZE_MAX: all */
    const char *behind; /* then these */
    size_t behind_len;
    int first;  /* its first byte; -1: as it is */
    bool huge;  /* its length says more than there may be */
    size_t len; /* out: of the whole message */
};

static void spoil(struct relay *relay, bool from_client, unsigned number,
                  struct osspi_ts_request *request)
{
    struct spoil *how = (struct spoil *)(uintptr_t)relay->data;
    static const uint8_t huge[] = {0x30, 0x83, 0x7f, 0xff, 0xff, 0, 0, 0};
    struct osspi_bytes der = {0};

    if (from_client != how->of_client || number != how->number)
        return;
    TEST_REQUIRE_EQUAL(osspi_ts_request_encode(request, &der), SEC_E_OK);
    how->len = der.len;
    if (how->first >= 0)
        der.at[0] = (uint8_t)how->first;
    if (how->huge)
        memcpy(der.at, huge, sizeof(huge));
    TEST_REQUIRE(osspi_bytes_add(&relay->raw, der.at, how->keep < der.len ? how->keep : der.len));
    TEST_REQUIRE(osspi_bytes_add(&relay->raw, how->behind, how->behind_len));
    relay->drop = relay->raw.len == 0;
    osspi_bytes_clear(&der);
}

static SECURITY_STATUS spoiled(struct spoil *how)
{
    const struct duet_setup setup = {0};
    struct relay relay;
    SECURITY_STATUS status;

    attack(&relay, &setup, THEIRS, spoil, how);
    status = how->of_client ? relay.duet.server : relay.duet.client;
    assert_int_not_equal(relay.duet.server, SEC_E_OK);
    relay_close(&relay);
    return status;
}

/* Of what has come in part the rest is waited for. */
static void a_truncated_message_is_waited_for(const struct peer_form *form)
{
    (void)form;
    for (int of_client = 0; of_client < 2; of_client++) {
        struct spoil how = {.of_client = of_client != 0, .number = 1, .keep = 0, .first = -1};

        for (how.len = 2; how.keep < how.len; how.keep++) {
            if (how.keep > 12 && how.keep + 8 < how.len && how.keep % 64 != 0)
                continue; /* inside the token one place is like another */
            assert_int_equal(spoiled(&how), SEC_I_CONTINUE_NEEDED);
        }
    }
}

static void what_is_no_message_is_refused(const struct peer_form *form)
{
    (void)form;
    for (int of_client = 0; of_client < 2; of_client++) {
        const bool client = of_client != 0;
        struct spoil garbage = {.of_client = client, .number = 1, .keep = SIZE_MAX, .first = 0x31};
        struct spoil huge = {
            .of_client = client, .number = 1, .keep = SIZE_MAX, .first = -1, .huge = true};

        assert_int_equal(spoiled(&garbage), SEC_E_INVALID_TOKEN);
        assert_int_equal(spoiled(&huge), SEC_E_INVALID_TOKEN);
    }
}

/* Bytes behind the last message belong to nobody; behind others they begin the next one. */
static void bytes_behind_the_last_message_are_refused(const struct peer_form *form)
{
    struct spoil how = {.of_client = true,
                        .number = 3,
                        .keep = SIZE_MAX,
                        .behind = "0",
                        .behind_len = 1,
                        .first = -1};
    (void)form;
    /* NTLM inside SPNEGO, or bare: three or four messages of the client. */
    if (spoiled(&how) != SEC_E_ILLEGAL_MESSAGE) {
        how.number = 4;
        assert_int_equal(spoiled(&how), SEC_E_ILLEGAL_MESSAGE);
    }
}

/* ---- errorCode ---- */

static void refuse(struct relay *relay, bool from_client, unsigned number,
                   struct osspi_ts_request *request)
{
    if (from_client || number != 1)
        return;
    request->has_error = true;
    request->error = *(const uint32_t *)relay->data;
}

static void an_errorcode_becomes_a_status(const struct peer_form *form)
{
    static const struct {
        uint32_t error;
        SECURITY_STATUS status;
    } rows[] = {
        {0xC000006D, SEC_E_LOGON_DENIED},
        {0xC0000234, SEC_E_LOGON_DENIED},
        {0xC000005E, SEC_E_NO_AUTHENTICATING_AUTHORITY},
        {0xC0000133, SEC_E_TIME_SKEW},
        {0xC000000D, SEC_E_INVALID_TOKEN},
        {0x80090322, SEC_E_WRONG_PRINCIPAL},
        {0, SEC_E_LOGON_DENIED}, /* no error, it says: but not that all is well */
        {0x12345678, SEC_E_LOGON_DENIED},
    };
    const struct duet_setup setup = {0};

    (void)form;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct relay relay;

        attack(&relay, &setup, THEIRS, refuse, &rows[i].error);
        assert_int_equal(relay.duet.client, rows[i].status);
        assert_false(relay.saw_credentials);
        relay_close(&relay);
    }
}

int main(void)
{
    static const struct peer_form *const forms[] = {PEER_SYNC};
    static const struct peer_case cases[] = {
        PEER_CASE(a_relay_with_the_servers_key_gets_through),
        PEER_CASE(a_relay_with_another_key_is_refused),
        PEER_CASE(a_proof_that_is_sent_back_is_refused),
        PEER_CASE(messages_that_were_changed_are_refused),
        PEER_CASE(weakened_ntlm_is_refused),
        PEER_CASE(messages_of_another_connection_are_refused),
        PEER_CASE(each_connection_has_a_nonce_of_its_own),
        PEER_CASE(a_truncated_message_is_waited_for),
        PEER_CASE(what_is_no_message_is_refused),
        PEER_CASE(bytes_behind_the_last_message_are_refused),
        PEER_CASE(an_errorcode_becomes_a_status),
    };
    const struct peer_run how = {.group = "credssp.attack",
                                 .forms = forms,
                                 .form_count = 1,
                                 .set_up = duet_set_up,
                                 .tear_down = duet_tear_down};

    return peer_run_cases_in(&how, cases, sizeof(cases) / sizeof(cases[0]));
}
