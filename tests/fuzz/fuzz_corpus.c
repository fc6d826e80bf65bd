/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Writes the seeds of the fuzz targets that speak TLS or make calls: fuzz_corpus FOLDER. The seeds
 * of files (PEM, PFX, certificates) are made by script/make-fuzz-corpus, which calls this.
 *
 * Flights come from genuine handshakes. Because randomness is counted from a seed, and for each
 * side apart, a target repeats its side of such a handshake to the byte and takes the other's
 * flights as they are here. One thread.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "support/tls_raw.h"

static const char *folder;
static unsigned established; /* flights that led to a connection */

/* Not a target: fuzz_util.c wants them. */
void fuzz_prepare(void)
{
}

void fuzz_one(struct fuzz_input *input)
{
    (void)input;
}

/* ---- files ---- */

static void write_seed(const char *target, const char *name, const struct peer_stream *bytes)
{
    char path[1024];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, target);
    TEST_REQUIRE(mkdir(path, 0700) == 0 || access(path, W_OK) == 0);
    snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    TEST_REQUIRE(fd >= 0);
    TEST_REQUIRE(write(fd, bytes->bytes, bytes->len) == (ssize_t)bytes->len);
    close(fd);
}

static void push_piece(struct peer_stream *seed, const struct peer_stream *piece)
{
    const uint8_t len[2] = {(uint8_t)piece->len, (uint8_t)(piece->len >> 8)};

    TEST_REQUIRE(piece->len <= UINT16_MAX);
    peer_push(seed, len, sizeof(len));
    peer_push(seed, piece->bytes, piece->len);
}

/* ---- flights ---- */

/* The end under test has options from an input, the other is plain. What the other sends is what
 * the target will be given. */
static void record(const char *target, const char *name, bool server, const uint8_t options[4],
                   CredHandle *other_credential)
{
    struct fuzz_input input = {options, 4};
    struct peer_stream seed = {0};
    struct fuzz_end end, other;

    SslEmptyCacheA(NULL, 0);
    fuzz_reseed(1);
    peer_push(&seed, options, 4);
    fuzz_end_init(&end, server, &input);
    fuzz_end_init_plain(&other, other_credential, !server);
    fuzz_feed(server ? &other : &end);
    for (int i = 0; i < 6; i++) {
        fuzz_deliver(&end, &other);
        if (other.in.len > 0)
            fuzz_feed(&other);
        if (i == 3)
            fuzz_seal(&other, "some data", 9);
        if (other.sent.len > 0)
            push_piece(&seed, &other.sent);
        fuzz_deliver(&other, &end);
        if (end.in.len > 0)
            fuzz_feed(&end);
    }
    established += end.established && other.established;
    write_seed(target, name, &seed);
    fuzz_end_free(&end);
    fuzz_end_free(&other);
    peer_clear(&seed);
}

static void record_all(bool server)
{
    static const uint8_t flags[] = {0, 1, 3, 15};
    static const uint8_t shapes[] = {0, 0x80, 0x84, 0x81, 0x88, 0x0C, 0x8E};
    char name[64];

    for (unsigned kind = 0; kind < (server ? FUZZ_SERVERS : FUZZ_CLIENTS); kind++) {
        for (unsigned i = 0; i < sizeof(shapes) * 2; i++) {
            const uint8_t options[4] = {(uint8_t)kind, flags[i % sizeof(flags)],
                                        shapes[i % sizeof(shapes)], (uint8_t)(i * 8)};
            unsigned other = (kind + i) % (server ? FUZZ_CLIENTS : FUZZ_SERVERS);

            snprintf(name, sizeof(name), "pair-%u-%02u", kind, i);
            record(server ? "server_flight" : "client_flight", name, server, options,
                   server ? fuzz_client(other) : fuzz_server(other));
        }
    }
}

/* The first flight of a client that is none of ours. */
static void record_foreign_hellos(void)
{
    static const int versions[] = {0, TLS1_2_VERSION, TLS1_3_VERSION};
    static const uint8_t options[4] = {0, 3, 0x80, 0};
    char name[64];

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct peer_stream seed = {0}, hello = {0};
        struct raw_peer raw;

        fuzz_reseed(2);
        raw_open(&raw, false, versions[i], NULL);
        SSL_do_handshake(raw.ssl);
        raw_take(&raw, &hello);
        raw_close(&raw);
        peer_push(&seed, options, sizeof(options));
        push_piece(&seed, &hello);
        snprintf(name, sizeof(name), "openssl-%zu", i);
        write_seed("server_flight", name, &seed);
        peer_clear(&hello);
        peer_clear(&seed);
    }
}

/* The same with a name, in each form that fuzz_hello.c reads. */
static void record_named_hellos(void)
{
    static const int versions[] = {0, TLS1_2_VERSION, TLS1_3_VERSION};
    char name[64];

    for (size_t i = 0; i < 3 * 3; i++) {
        const uint8_t form = (uint8_t)(i % 3), head[] = {form, 0, 0, 16, 0, 29};
        struct peer_stream seed = {0}, hello = {0};
        struct raw_peer raw;

        fuzz_reseed(3);
        raw_open(&raw, false, versions[i / 3], NULL);
        TEST_REQUIRE(SSL_set_tlsext_host_name(raw.ssl, "server.test") == 1);
        SSL_do_handshake(raw.ssl);
        raw_take(&raw, &hello);
        raw_close(&raw);
        peer_push(&seed, head, form == 2 ? 6 : 5);
        peer_push(&seed, hello.bytes + (form ? 5 : 0), hello.len - (form ? 5 : 0));
        snprintf(name, sizeof(name), "openssl-%zu", i);
        write_seed("hello", name, &seed);
        peer_clear(&hello);
        peer_clear(&seed);
    }
}

/* ---- seeds that are orders, not bytes from a wire ---- */

static void write_bytes(const char *target, const char *name, const void *bytes, size_t len)
{
    struct peer_stream seed = {0};

    peer_push(&seed, bytes, len);
    write_seed(target, name, &seed);
    peer_clear(&seed);
}

/* Numbers that choose well: below `bound`, so that few are taken modulo. */
static void write_orders(const char *target, unsigned count, size_t len, unsigned bound)
{
    uint64_t state = 20260101;
    uint8_t bytes[256];
    char name[64];

    for (unsigned i = 0; i < count; i++) {
        for (size_t at = 0; at < len; at++)
            bytes[at] = (uint8_t)(test_random(&state) % bound);
        snprintf(name, sizeof(name), "orders-%02u", i);
        write_bytes(target, name, bytes, len);
    }
}

/* Kerberos, NTLM and Negotiate: whole handshakes of each kind and with each flag, one thing wrong
 * with one token, KDCs that lie in one way; see fuzz_gss_*.c. */
static void write_gss(void)
{
    char name[64];

    for (uint8_t i = 0; i < 5 * 5; i++) {
        const uint8_t whole[] = {i % 5, i / 5 ? 1u << (i / 5 - 1) : 0, i / 5};

        snprintf(name, sizeof(name), "whole-%02u", i);
        write_bytes("gss_token", name, whole, sizeof(whole));
    }
    for (uint8_t i = 0; i < 5 * 3 * 6; i++) { /* kind, token, what is done to it */
        uint8_t one[12] = {i % 5};

        one[3 + i / 5 % 3] = 1 + i / 15;
        one[4 + i / 5 % 3] = 3;
        one[5 + i / 5 % 3] = 20 + i;
        snprintf(name, sizeof(name), "one-%02u", i);
        write_bytes("gss_token", name, one, sizeof(one));
    }
    for (uint8_t i = 0; i < 16 + 8; i++) { /* stream or not, then a well sealed lie */
        const uint8_t lie[] = {i % 2,  i / 2 % 2, i % 4 == 3 ? 0 : 2, 1u << (i % 8), 0, 0, 0,
                               i / 16, 2,         1u << (i / 3)};

        snprintf(name, sizeof(name), "lie-%02u", i);
        write_bytes("gss_kdc", name, lie, sizeof(lie));
    }
    write_orders("gss_token", 24, 60, 8);
    write_orders("gss_message", 40, 80, 10);
    write_orders("gss_kdc", 24, 60, 8);
}

static void write_handshakes(void)
{
    char name[64];

    for (uint8_t i = 0; i < FUZZ_CLIENTS * FUZZ_SERVERS; i++) {
        const uint8_t whole[9] = {
            i % FUZZ_CLIENTS, 15, i * 16u & 0xFF, 0, i / FUZZ_CLIENTS, 3, 0x80, 0, 0};

        snprintf(name, sizeof(name), "whole-%02u", i);
        write_bytes("handshake", name, whole, sizeof(whole));
    }
    for (uint8_t i = 0; i < 14 * 10; i++) { /* each kind of damage, at different records */
        const uint8_t one[14] = {1u + i % 2, 1, 0, 0, 0, 1, 0, 0, 1, i / 14, i % 14, i, 0, i};

        snprintf(name, sizeof(name), "damaged-%03u", i);
        write_bytes("handshake", name, one, sizeof(one));
    }
}

static void write_protocols(void)
{
    static const uint8_t fitting[] = {3, 3, 0, 2, 'h', '2'};
    static const uint8_t two[] = {1,   12,  0,   2, 'h', '2', 8,   'h', 't', 't', 'p', '/',
                                  '1', '.', '1', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    static const uint8_t bare[] = {2, 13, 0, 9, 0, 0, 0, 2, 0, 0, 0, 3, 0, 2, 'h', '2'};

    write_bytes("alpn", "fitting", fitting, sizeof(fitting));
    write_bytes("alpn", "two", two, sizeof(two));
    write_bytes("alpn", "bare", bare, sizeof(bare));
}

/* A TSRequest with all members and TSCredentials, alone and in the place of messages. */
static void write_ts_requests(void)
{
    static const uint8_t request[] =
        "\x30\x47\xa0\x03\x02\x01\x06\xa1\x0b\x30\x09\x30\x07\xa0\x05\x04\x03tok"
        "\xa3\x07\x04\x05proof\xa4\x06\x02\x04\xc0\x00\x00\x6d"
        "\xa5\x22\x04\x20nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";
    static const uint8_t credentials[] =
        "\x30\x2b\xa0\x03\x02\x01\x01\xa1\x24\x04\x22\x30\x20\xa0\x08\x04\x06"
        "D\0O\0M\0\xa1\x0c\x04\x0a"
        "a\0l\0i\0c\0e\0\xa2\x06\x04\x04p\0w\0";
    uint8_t seed[256] = {0};
    char name[32];

    memcpy(seed + 1, request, sizeof(request) - 1);
    write_bytes("tsrequest", "request", seed, sizeof(request));
    seed[0] = 1;
    memcpy(seed + 1, credentials, sizeof(credentials) - 1);
    write_bytes("tsrequest", "credentials", seed, sizeof(credentials));
    for (uint8_t where = 2; where < 4; where++) {
        for (uint8_t number = 0; number < 4; number++) {
            const uint8_t head[] = {where, number, 0, 0, 0};
            const uint8_t over[] = {where, number, 1, 6, 0, 4};

            memcpy(seed, head, sizeof(head));
            memcpy(seed + sizeof(head), request, sizeof(request) - 1);
            snprintf(name, sizeof(name), "instead-%u-%u", where, number);
            write_bytes("tsrequest", name, seed, sizeof(head) + sizeof(request) - 1);
            snprintf(name, sizeof(name), "over-%u-%u", where, number);
            write_bytes("tsrequest", name, over, sizeof(over));
        }
    }
}

/* An identity with all there is, and one with nothing. */
static void write_identities(void)
{
    static uint16_t user[] = u"user", domain[] = u"domain", password[] = u"pass",
                    packages[] = u"kerberos,!ntlm";
    SEC_WINNT_AUTH_IDENTITY_EXW identities[2] = {
        {SEC_WINNT_AUTH_IDENTITY_VERSION, sizeof(identities[0]), user, 4, domain, 6, password, 4,
         SEC_WINNT_AUTH_IDENTITY_UNICODE, packages, 14},
        {SEC_WINNT_AUTH_IDENTITY_VERSION, sizeof(identities[0]), NULL, 0, NULL, 0, NULL, 0,
         SEC_WINNT_AUTH_IDENTITY_UNICODE, NULL, 0},
    };
    struct peer_stream pieces[2] = {0}, seed = {0};

    for (int i = 0; i < 2; i++) {
        ULONG len = 0;
        char *bytes = NULL;

        TEST_REQUIRE_EQUAL(SspiMarshalAuthIdentity(&identities[i], &len, &bytes), SEC_E_OK);
        peer_push(&pieces[i], bytes, len);
        SspiLocalFree(bytes);
    }
    push_piece(&seed, &pieces[0]);
    peer_push(&seed, pieces[1].bytes, pieces[1].len);
    write_seed("identity", "both", &seed);
    for (int i = 0; i < 2; i++)
        peer_clear(&pieces[i]);
    peer_clear(&seed);
}

static void write_names(void)
{
    static const char *const names[] = {
        "server.test",
        "server.test.",
        "SERVER.TEST",
        "127.0.0.1",
        "::1",
        "[::1]",
        "127.1",
        "a..b",
        "host/server.test@REALM",
        "xn--mnchen-3ya.test",
        "m\xC3\xBCnchen.test",
        "",
        ".",
        "_srv.test",
        "a-b-.test",
        "1.2.3.4.",
        "::ffff:1.2.3.4",
        "Schannel",
        "*.test",
        "\xFF\xFE",
    };
    char name[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(names[i]);
        uint8_t seed[256] = {0};

        memcpy(seed + 1, names[i], len);
        snprintf(name, sizeof(name), "narrow-%02zu", i);
        seed[0] = 8;
        write_bytes("names", name, seed, len + 1);
        for (size_t at = len; at-- > 0;) {
            seed[2 + at * 2] = 0;
            seed[1 + at * 2] = (uint8_t)names[i][at];
        }
        for (uint8_t form = 1; form <= 2; form++) {
            snprintf(name, sizeof(name), "wide-%u-%02zu", form, i);
            seed[0] = form;
            write_bytes("names", name, seed, len * 2 + 1);
        }
    }
}

/* Steps between two ends over UDP; see fuzz_dtls.c. First a whole handshake, or none; then all of
 * them in some order, with what they take. */
static void write_datagram_steps(void)
{
    static const uint8_t calm[] = {0, 200, 200, 2, 3, 2, 3, 2, 3, 22, 40, 0, 23, 40, 0, 2, 3};
    static const uint8_t small[] = {6, 0, 0, 2, 3, 20, 21, 3, 2, 2, 3, 2, 22, 9, 0, 3, 24, 1, 0, 0};
    uint64_t state = 20260102;
    uint8_t bytes[96];
    char name[64];

    write_bytes("dtls", "calm", calm, sizeof(calm));
    write_bytes("dtls", "small", small, sizeof(small));
    for (unsigned i = 0; i < 60; i++) {
        for (size_t at = 0; at < sizeof(bytes); at++)
            bytes[at] = (uint8_t)(test_random(&state) % (i % 2 ? 40 : 256));
        bytes[0] = (uint8_t)(i % 8);
        snprintf(name, sizeof(name), "steps-%02u", i);
        write_bytes("dtls", name, bytes, sizeof(bytes));
    }
}

/* Contents of records: how it is sealed, its length, and the contents; see fuzz_post.c. */
static void write_contents(void)
{
    static const uint8_t ticket[] = {4, 0, 0, 18, 0, 0,   28,  32,  1,   2, 3,
                                     4, 1, 0, 0,  4, 't', 'i', 'c', 'k', 0, 0};
    static const struct {
        const char *name;
        uint8_t bytes[24];
        size_t len;
    } pieces[] = {
        {"update", {0x30, 5, 24, 0, 0, 1, 0}, 7},
        {"request", {0x70, 5, 24, 0, 0, 1, 1, 0x30, 5, 24, 0, 0, 1, 1}, 14},
        {"hello-request", {0x20, 4, 0, 0, 0, 0, 0xA0, 1, 0, 0x20, 3, 0, 0, 0}, 14},
        {"hello", {0x20, 10, 1, 0, 0, 6, 3, 3, 1, 2, 3, 4}, 12},
        {"warning", {0x25, 2, 1, 90, 0x26, 4, 'd', 'a', 't', 'a'}, 10},
        {"fatal", {0x25, 2, 2, 40}, 4},
        {"close", {0x25, 2, 1, 0}, 4},
        {"data", {0x6E, 4, 'd', 'a', 't', 'a', 0x26, 0}, 8},
        {"request-certificate", {0x20, 10, 13, 0, 0, 6, 3, 1, 2, 3, 0, 0}, 12},
        {"ask", {0x20, 15, 13, 0, 0, 11, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3}, 17},
        {"no-certificate", {0x20, 8, 11, 0, 0, 4, 0, 0, 0, 0}, 10},
        {"change", {0x27, 1, 1, 0x20, 4, 20, 0, 0, 0}, 9},
        {"declined", {0x25, 2, 1, 100}, 4},
        {"server-hello", {0x20, 10, 2, 0, 0, 6, 3, 3, 1, 2, 3, 4}, 12},
    };
    char name[64];

    for (uint8_t kind = 0; kind < 16; kind++) {
        struct peer_stream seed = {0};
        const uint8_t whole[] = {kind, 0x20, sizeof(ticket)}, part[] = {0, 10},
                      rest[] = {0x28, sizeof(ticket) - 10};

        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            peer_push(&seed, &kind, 1);
            peer_push(&seed, pieces[i].bytes, pieces[i].len);
            snprintf(name, sizeof(name), "%s-%u", pieces[i].name, kind);
            write_seed("post", name, &seed);
            peer_clear(&seed);
        }
        peer_push(&seed, whole, sizeof(whole));
        peer_push(&seed, ticket, sizeof(ticket));
        peer_push(&seed, part, sizeof(part));
        peer_push(&seed, ticket, 10);
        peer_push(&seed, rest, sizeof(rest));
        peer_push(&seed, ticket + 10, sizeof(ticket) - 10);
        snprintf(name, sizeof(name), "tickets-%u", kind);
        write_seed("post", name, &seed);
        peer_clear(&seed);
    }
}

/* Orders about a handshake without records; see fuzz_message.c. Each order is about one flight. */
static void write_messages(void)
{
    static const struct {
        const char *name;
        uint8_t orders[24];
        size_t len;
    } pieces[] = {
        {"genuine", {9, 9, 9, 9}, 4},
        {"cut", {0, 40, 0, 90, 0, 3, 0, 1, 0, 0, 1, 0, 0, 100, 0, 0, 1, 0, 0, 7, 0}, 21},
        {"changed-hello", {1, 5, 0, 1}, 4},
        {"changed-flight", {9, 1, 250, 0, 128}, 5},
        {"changed-finished", {9, 9, 1, 20, 0, 1}, 6},
        {"twice", {2}, 1},
        {"flight-twice", {9, 2}, 2},
        {"lost", {9, 3, 9, 9}, 4},
        {"key-update", {9, 9, 9, 4, 24, 1, 1, 0}, 8},
        {"end-of-early-data", {9, 9, 4, 5, 1, 0}, 6},
        {"ticket", {9, 9, 9, 9, 9, 4, 4, 1, 8, 0, 0, 28, 32, 0, 0, 0, 0}, 17},
        {"request", {9, 9, 9, 9, 9, 4, 13, 1, 3, 0, 0, 0}, 12},
        {"huge", {9, 4, 11, 255, 0}, 5},
        {"truncated", {9, 6, 60, 0, 9, 9}, 6},
    };
    char name[64];

    for (uint8_t options = 0; options < 64; options = (uint8_t)(options * 2 + 1)) {
        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            const uint8_t head[4] = {(uint8_t)(i % FUZZ_CLIENTS), (uint8_t)(i % FUZZ_SERVERS),
                                     options, (uint8_t)(options ^ (i & 1))};
            struct peer_stream seed = {0};

            peer_push(&seed, head, sizeof(head));
            peer_push(&seed, pieces[i].orders, pieces[i].len);
            snprintf(name, sizeof(name), "%s-%u", pieces[i].name, options);
            write_seed("message", name, &seed);
            peer_clear(&seed);
        }
    }
}

/* Buffers of extensions, good and bad; see fuzz_extension.c. */
static void write_extensions(void)
{
    static const uint8_t send[] = {0x39, 0,   1,   0,   0,   0,   0,   0,   10,  0,
                                   'p',  'a', 'r', 'a', 'm', 'e', 't', 'e', 'r', 's'};
    static const uint8_t wanted[] = {0, 0, 0, 0, 1, 0, 0, 0, 0x39, 0xFE, 8, 0};
    static const uint8_t two[] = {0, 0, 0, 0, 2, 0, 0, 0, 0x39, 0xFE, 8, 0, 0x39, 0, 8, 0};
    static const uint8_t extra[][12] = {
        {0xFE, 0x39, 0, 2, 'a', 'b'},         /* one more */
        {0xFE, 0x39, 0, 0, 0xFE, 0x39, 0, 0}, /* twice */
        {0, 0x39, 0, 1, 'x'},                 /* one that is there */
        {0xFE, 0x39, 0xFF, 0xFF, 'a'},        /* longer than the message */
        {0, 0x2B, 0, 3, 2, 3, 4},             /* supported_versions again */
        {0, 0x2D, 0, 2, 1, 1, 0, 0x29, 0, 0}, /* a pre_shared_key without any */
    };
    static const size_t extra_len[] = {6, 8, 5, 5, 7, 10};
    char name[64];

    for (unsigned i = 0; i < 128; i += 5) {
        const bool server = (i & 2) != 0;
        struct peer_stream seed = {0}, own = {0}, list = {0};
        const uint8_t options = (uint8_t)i;

        peer_push(&own, send, sizeof(send));
        own.bytes[2] = server ? 8 : 1;
        peer_push(&list, i % 3 ? wanted : two, i % 3 ? sizeof(wanted) : sizeof(two));
        list.bytes[10] = server ? 1 : 8;
        if (i % 7 == 3)
            own.bytes[8]++; /* says that it is longer */
        peer_push(&seed, &options, 1);
        push_piece(&seed, &own);
        push_piece(&seed, &list);
        if (i % 4 == 0 || i % 10 == 5)
            peer_push(&seed, extra[i / 4 % 6], extra_len[i / 4 % 6]);
        snprintf(name, sizeof(name), "buffers-%03u", i);
        write_seed("extension", name, &seed);
        peer_clear(&seed);
        peer_clear(&own);
        peer_clear(&list);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_corpus FOLDER\n");
        return 2;
    }
    folder = argv[1];
    fuzz_set_up();
    for (int i = 0; i < 2; i++) { /* the second time nothing is made for the first time */
        established = 0;
        record_all(true);
        record_all(false);
    }
    record_foreign_hellos();
    record_named_hellos();
    write_handshakes();
    write_orders("decrypt", 24, 60, 16);
    write_orders("control", 24, 60, 6);
    write_orders("acquire", 40, 120, 255);
    write_orders("acquire", 40, 120, 9);
    write_orders("async", 24, 80, 64);
    write_datagram_steps();
    write_protocols();
    write_messages();
    write_extensions();
    write_contents();
    write_names();
    write_identities();
    write_gss();
    write_ts_requests();
    printf("%u of the recorded handshakes led to a connection\n", established);
    return established > 60 ? 0 : 1;
}
