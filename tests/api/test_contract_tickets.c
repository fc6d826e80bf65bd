/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: SECPKG_ATTR_SESSION_TICKET_KEYS. Servers in processes of their own (this program, run
 * again) resume one another's sessions if they were given the same keys, and only then. TLS 1.2
 * and 1.3; what is malformed is refused.
 *
 * Between the processes go frames: a length, then so many bytes of TLS; NEXT ends a connection.
 */
#include <fcntl.h>
#include <opensspi.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/tls_shown.h"

#define NEXT      UINT32_MAX
#define MAX_FRAME 65536u

extern char **environ;

static const DWORD protocols[] = {SP_PROT_TLS1_3_CLIENT, SP_PROT_TLS1_2_CLIENT};

/* ---- keys ---- */

static SecPkgCred_SessionTicketKey key_of(uint8_t seed)
{
    SecPkgCred_SessionTicketKey key = {.TicketInfoVersion = SESSION_TICKET_INFO_VERSION,
                                       .KeyingMaterialSize = (BYTE)(seed % 2 ? 32 : 64)};

    memset(key.KeyId, seed, sizeof(key.KeyId));
    memset(key.KeyingMaterial, seed ^ 0xA5, sizeof(key.KeyingMaterial));
    return key;
}

/* One key for each letter, the first seals. */
static SECURITY_STATUS set_keys(PCredHandle credential, const char *letters)
{
    SecPkgCred_SessionTicketKey keys[20];
    SecPkgCred_SessionTicketKeys all = {.pSessionTicketKeys = keys};

    for (; letters[all.cSessionTicketKeys]; all.cSessionTicketKeys++)
        keys[all.cSessionTicketKeys] = key_of((uint8_t)letters[all.cSessionTicketKeys]);
    return SetCredentialsAttributesW(credential, SECPKG_ATTR_SESSION_TICKET_KEYS, &all,
                                     sizeof(all));
}

/* ---- frames ---- */

static bool read_all(int fd, void *bytes, size_t len)
{
    uint8_t *at = bytes;

    while (len > 0) {
        ssize_t got = read(fd, at, len);

        if (got <= 0)
            return false;
        at += got;
        len -= (size_t)got;
    }
    return true;
}

static void write_frame(int fd, struct peer_stream *stream)
{
    uint32_t len = (uint32_t)stream->len;

    TEST_REQUIRE(write(fd, &len, sizeof(len)) == sizeof(len));
    TEST_REQUIRE(len == 0 || write(fd, stream->bytes, len) == (ssize_t)len);
    peer_drop(stream, stream->len);
}

/* False: the other end has closed. *ret_next: it begins another connection. */
static bool read_frame(int fd, struct peer_stream *stream, bool *ret_next)
{
    static uint8_t bytes[MAX_FRAME];
    uint32_t len;

    if (!read_all(fd, &len, sizeof(len)))
        return false;
    *ret_next = len == NEXT;
    if (len == NEXT)
        return true;
    TEST_REQUIRE(len <= sizeof(bytes) && read_all(fd, bytes, len));
    peer_push(stream, bytes, len);
    return true;
}

/* ---- a server's process ---- */

static void answer(struct peer_pair *pair, bool *established)
{
    SECURITY_STATUS status;

    if (*established || pair->server.in.len == 0)
        return;
    status = peer_step(&pair->server, &pair->client);
    TEST_REQUIRE(status == SEC_E_OK || status == SEC_I_CONTINUE_NEEDED);
    if (status != SEC_E_OK)
        return;
    *established = true;
    peer_established(&pair->server);
    TEST_REQUIRE_EQUAL(
        peer_send(&pair->server, &pair->client, shown_resumed(&pair->server) ? "r" : "f", 1),
        SEC_E_OK);
}

static int serve(int fd, const char *letters)
{
    struct peer_pair pair;
    bool next, established = false;

    TEST_REQUIRE(peer_set_up(NULL) == 0);
    peer_open(&pair, PEER_SYNC, NULL);
    if (letters[0])
        TEST_REQUIRE_EQUAL(set_keys(&pair.server.credential, letters), SEC_E_OK);
    while (read_frame(fd, &pair.server.in, &next)) {
        if (next) {
            peer_end_disconnect(&pair.server);
            established = false;
            continue;
        }
        answer(&pair, &established);
        write_frame(fd, &pair.client.in);
    }
    peer_close(&pair);
    return 0;
}

struct process {
    pid_t pid;
    int fd;
};

static struct process start(const char *letters)
{
    char number[16];
    char *arguments[] = {(char *)"server", number, (char *)letters, NULL};
    struct process process;
    int fds[2];

    /* The child has one end and nobody else's, or no end would ever be seen. */
    TEST_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    TEST_REQUIRE(fcntl(fds[1], F_SETFD, 0) == 0);
    TEST_REQUIRE(snprintf(number, sizeof(number), "%d", fds[1]) > 0);
    TEST_REQUIRE(posix_spawn(&process.pid, "/proc/self/exe", NULL, NULL, arguments, environ) == 0);
    close(fds[1]);
    process.fd = fds[0];
    return process;
}

static void stop(struct process *process)
{
    int status;

    close(process->fd);
    TEST_REQUIRE(waitpid(process->pid, &status, 0) == process->pid);
    TEST_REQUIRE_EQUAL(status, 0);
}

/* ---- the client's side ---- */

static void roundtrip(struct process *process, struct peer_pair *pair)
{
    bool next;

    write_frame(process->fd, &pair->server.in);
    TEST_REQUIRE(read_frame(process->fd, &pair->client.in, &next) && !next);
}

/* Connects; does the server say that it has resumed a session? Takes in the tickets. */
static bool connect_to(struct process *process, struct peer_pair *pair)
{
    const uint32_t next = NEXT;
    SECURITY_STATUS status;
    uint8_t said[16];
    size_t len;
    bool resumed;

    while ((status = peer_step(&pair->client, &pair->server)) == SEC_I_CONTINUE_NEEDED)
        roundtrip(process, pair);
    TEST_REQUIRE_EQUAL(status, SEC_E_OK);
    peer_established(&pair->client);
    if (pair->server.in.len > 0)
        roundtrip(process, pair);
    TEST_REQUIRE_EQUAL(peer_receive_data(&pair->client, &pair->server, said, sizeof(said), &len),
                       SEC_E_OK);
    TEST_REQUIRE(len == 1);
    resumed = shown_resumed(&pair->client);
    TEST_REQUIRE_EQUAL(said[0], resumed ? 'r' : 'f');
    peer_end_disconnect(&pair->client);
    peer_drop(&pair->server.in, pair->server.in.len);
    TEST_REQUIRE(write(process->fd, &next, sizeof(next)) == sizeof(next));
    return resumed;
}

/* A session of the first process: does it resume at the second? */
static void across(const struct peer_form *form, const char *first, const char *second,
                   bool expected)
{
    struct process a = start(first), b = start(second);

    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair;

        SslEmptyCacheA(NULL, 0);
        peer_open(&pair, form, &setup);
        TEST_REQUIRE(!connect_to(&a, &pair));
        TEST_REQUIRE(connect_to(&a, &pair));
        TEST_REQUIRE_EQUAL(connect_to(&b, &pair), expected);
        peer_close(&pair);
    }
    stop(&a);
    stop(&b);
}

static void
s3_8_processes_with_the_same_keys_resume_each_others_sessions(const struct peer_form *form)
{
    across(form, "ab", "ab", true);
}

static void s3_8_a_key_that_no_longer_seals_still_opens(const struct peer_form *form)
{
    across(form, "a", "ba", true);
}

static void s3_8_processes_with_other_keys_or_none_do_not(const struct peer_form *form)
{
    across(form, "a", "b", false);
    across(form, "a", "", false);
    across(form, "", "", false);
}

/* ---- in one process ---- */

static void keys_are_the_credentials_own(const struct peer_form *form)
{
    for (size_t p = 0; p < 2; p++) {
        const struct peer_setup setup = {.protocols = protocols[p]};
        struct peer_pair pair, other;

        SslEmptyCacheA(NULL, 0);
        peer_open(&pair, form, &setup);
        peer_open(&other, form, &setup);
        assert_false(shown_connect_resumes(&pair));
        assert_true(shown_connect_resumes(&pair));
        assert_int_equal(set_keys(&pair.server.credential, "a"), SEC_E_OK);
        assert_false(shown_connect_resumes(&pair)); /* its tickets were of the process */
        assert_true(shown_connect_resumes(&pair));
        CredHandle own = pair.server.credential;
        pair.server.credential = other.server.credential;
        assert_false(shown_connect_resumes(&pair)); /* the process cannot open a ticket of "a" */
        assert_int_equal(set_keys(&other.server.credential, "a"), SEC_E_OK);
        assert_false(shown_connect_resumes(&pair));
        pair.server.credential = own;
        assert_true(shown_connect_resumes(&pair)); /* two credentials, one key, one policy */
        assert_int_equal(set_keys(&pair.server.credential, ""), SEC_E_OK);
        assert_false(shown_connect_resumes(&pair)); /* back to the process's */
        assert_true(shown_connect_resumes(&pair));
        peer_close(&other);
        peer_close(&pair);
    }
}

static SECURITY_STATUS set(PCredHandle credential, SecPkgCred_SessionTicketKey *keys, DWORD count)
{
    SecPkgCred_SessionTicketKeys all = {count, keys};

    return SetCredentialsAttributesA(credential, SECPKG_ATTR_SESSION_TICKET_KEYS, &all,
                                     sizeof(all));
}

static void malformed_keys_are_refused_and_change_nothing(const struct peer_form *form)
{
    SecPkgCred_SessionTicketKey keys[17], bad;
    SecPkgCred_SessionTicketKeys all = {1, keys};
    struct peer_pair pair;

    for (uint8_t i = 0; i < 17; i++)
        keys[i] = key_of(i);
    SslEmptyCacheA(NULL, 0);
    peer_open(&pair, form, NULL);
    PCredHandle server = &pair.server.credential;
    assert_int_equal(set(server, keys, 16), SEC_E_OK);
    assert_false(shown_connect_resumes(&pair));
    assert_int_equal(set(server, keys, 17), SEC_E_INVALID_PARAMETER);
    assert_int_equal(set(server, keys, UINT32_MAX), SEC_E_INVALID_PARAMETER);
    assert_int_equal(set(server, NULL, 1), SEC_E_INVALID_PARAMETER);
    bad = keys[0];
    bad.TicketInfoVersion = 1;
    assert_int_equal(set(server, &bad, 1), SEC_E_INVALID_PARAMETER);
    for (unsigned size = 0; size <= 255; size++) {
        bad = keys[0];
        bad.KeyingMaterialSize = (BYTE)size;
        if (size < 32 || size > 64)
            assert_int_equal(set(server, &bad, 1), SEC_E_INVALID_PARAMETER);
    }
    keys[3] = keys[1];
    assert_int_equal(set(server, keys, 4), SEC_E_INVALID_PARAMETER);
    assert_int_equal(
        SetCredentialsAttributesA(server, SECPKG_ATTR_SESSION_TICKET_KEYS, &all, sizeof(all) - 1),
        SEC_E_BUFFER_TOO_SMALL);
    assert_int_equal(
        SetCredentialsAttributesA(server, SECPKG_ATTR_SESSION_TICKET_KEYS, &all, sizeof(all) + 1),
        SEC_E_INVALID_PARAMETER);
    assert_int_equal(set(&pair.client.credential, keys, 1), SEC_E_UNSUPPORTED_FUNCTION);
    assert_true(shown_connect_resumes(&pair));
    peer_close(&pair);
}

int main(int argc, char **argv)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_8_processes_with_the_same_keys_resume_each_others_sessions),
        PEER_CASE(s3_8_a_key_that_no_longer_seals_still_opens),
        PEER_CASE(s3_8_processes_with_other_keys_or_none_do_not),
        PEER_CASE(keys_are_the_credentials_own),
        PEER_CASE(malformed_keys_are_refused_and_change_nothing),
    };

    if (argc == 3)
        return serve(atoi(argv[1]), argv[2]);
    return peer_run_cases("contract.tickets", cases, sizeof(cases) / sizeof(cases[0]));
}
