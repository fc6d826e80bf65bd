/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * KDCs that do not behave, and a name server; see fake_kdc.h.
 */
#include "gssapi/fake_kdc.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <krb5.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE 65536
#define PREFIX  4

/* ---- sockets ---- */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int open_at(int type, uint16_t port)
{
    const struct sockaddr_in address = loopback(port);
    const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    TEST_REQUIRE(fd >= 0);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);

    TEST_REQUIRE(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    return ntohs(address.sin_port);
}

static int connect_to(int type, uint16_t port)
{
    const struct sockaddr_in address = loopback(port);
    const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    TEST_REQUIRE(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static bool read_all(int fd, unsigned char *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t got = read(fd, bytes, len);

        if (got <= 0)
            return false;
        bytes += got;
        len -= (size_t)got;
    }
    return true;
}

/* A message of a stream, with its prefix; its length, 0: it ended. */
static size_t read_message(int fd, unsigned char bytes[PREFIX + MESSAGE])
{
    uint32_t len;

    if (!read_all(fd, bytes, PREFIX))
        return 0;
    memcpy(&len, bytes, PREFIX);
    len = ntohl(len);
    return len <= MESSAGE && read_all(fd, bytes + PREFIX, len) ? PREFIX + len : 0;
}

/* ---- answers ---- */

static size_t make_error(int code, unsigned char answer[MESSAGE])
{
    krb5_context k5;
    krb5_error error = {.error = (krb5_ui_4)code};
    krb5_data bytes = {0};

    TEST_REQUIRE(krb5_init_context(&k5) == 0);
    TEST_REQUIRE(krb5_us_timeofday(k5, &error.stime, &error.susec) == 0);
    TEST_REQUIRE(krb5_parse_name(k5, "krbtgt/OPENSSPI.TEST@OPENSSPI.TEST", &error.server) == 0);
    TEST_REQUIRE(krb5_mk_error(k5, &error, &bytes) == 0);
    TEST_REQUIRE(bytes.length <= MESSAGE);
    memcpy(answer, bytes.data, bytes.length);
    const size_t len = bytes.length;
    krb5_free_data_contents(k5, &bytes);
    krb5_free_principal(k5, error.server);
    krb5_free_context(k5);
    return len;
}

static size_t pass_on_datagram(uint16_t upstream, const unsigned char *request, size_t len,
                               unsigned char answer[MESSAGE])
{
    const int fd = connect_to(SOCK_DGRAM, upstream);
    ssize_t got;

    TEST_REQUIRE(write(fd, request, len) == (ssize_t)len);
    got = read(fd, answer, MESSAGE);
    close(fd);
    return got > 0 ? (size_t)got : 0;
}

static size_t pass_on_stream(uint16_t upstream, const unsigned char *request, size_t len,
                             unsigned char answer[PREFIX + MESSAGE])
{
    const int fd = connect_to(SOCK_STREAM, upstream);
    size_t got;

    TEST_REQUIRE(write(fd, request, len) == (ssize_t)len);
    got = read_message(fd, answer);
    close(fd);
    return got;
}

static const unsigned char garbage[] = "HTTP/1.1 400 no Kerberos spoken here\r\n\r\n";
/* An AS-REP that holds an empty sequence. */
static const unsigned char broken[] = {0x6B, 0x02, 0x30, 0x00};

/* Without the prefix of streams; 0: none. */
static size_t answer_of(const struct fake_kdc *fake, bool stream, unsigned char answer[MESSAGE])
{
    switch (fake->kind) {
    case FAKE_GARBAGE:
        memcpy(answer, garbage, sizeof(garbage) - 1);
        return sizeof(garbage) - 1;
    case FAKE_BROKEN:
        memcpy(answer, broken, sizeof(broken));
        return sizeof(broken);
    case FAKE_OLD:
    case FAKE_ERROR:
        return make_error(fake->error, answer);
    case FAKE_TOO_BIG:
        return stream ? 0 : make_error(52, answer);
    default:
        return 0;
    }
}

static bool passes_on(const struct fake_kdc *fake, bool stream, const unsigned char *request)
{
    if (fake->kind == FAKE_OLD)
        return request[0] != 0x6A; /* an AS-REQ */
    return fake->kind == FAKE_LATE || fake->kind == FAKE_DAMAGED || fake->kind == FAKE_DATAGRAMS ||
           (fake->kind == FAKE_TOO_BIG && stream);
}

/* Tag and length stay: what is no message is not looked at. */
static void damage(struct fake_kdc *fake, unsigned char *answer, size_t len)
{
    const size_t head = 4;

    for (unsigned i = 0; fake->kind == FAKE_DAMAGED && len > head && i < 3; i++)
        answer[head + test_random(&fake->seed) % (len - head)] ^=
            (unsigned char)(1u << test_random(&fake->seed) % 8);
}

static void serve_datagram(struct fake_kdc *fake)
{
    static _Thread_local unsigned char request[MESSAGE], answer[MESSAGE];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    const ssize_t got =
        recvfrom(fake->datagrams, request, sizeof(request), 0, (struct sockaddr *)&from, &from_len);
    size_t len;

    if (got <= 0)
        return;
    test_counter_add(&fake->requests, 1);
    if (fake->kind == FAKE_LATE)
        test_gate_pass(&fake->gate);
    len = passes_on(fake, false, request)
              ? pass_on_datagram(fake->upstream, request, (size_t)got, answer)
              : answer_of(fake, false, answer);
    if (len == 0)
        return;
    damage(fake, answer, len);
    (void)sendto(fake->datagrams, answer, len, 0, (struct sockaddr *)&from, from_len);
    test_counter_add(&fake->answers, 1);
}

static void serve_stream(struct fake_kdc *fake, int fd)
{
    static _Thread_local unsigned char request[PREFIX + MESSAGE], answer[PREFIX + MESSAGE];
    const size_t got = read_message(fd, request);
    uint32_t prefix;
    size_t len;

    if (got == 0)
        return;
    test_counter_add(&fake->requests, 1);
    if (fake->kind == FAKE_LATE)
        test_gate_pass(&fake->gate);
    if (passes_on(fake, true, request + PREFIX)) {
        len = pass_on_stream(fake->upstream, request, got, answer);
        if (len > PREFIX)
            damage(fake, answer + PREFIX, len - PREFIX);
    } else {
        len = answer_of(fake, true, answer + PREFIX);
        prefix = htonl((uint32_t)len);
        memcpy(answer, &prefix, PREFIX);
        /* What is no Kerberos has no such prefix either. */
        if (fake->kind == FAKE_GARBAGE)
            memmove(answer, answer + PREFIX, len);
        else if (len > 0)
            len += PREFIX;
    }
    if (len > 0 && send(fd, answer, len, MSG_NOSIGNAL) > 0)
        test_counter_add(&fake->answers, 1);
}

static void take_stream(struct fake_kdc *fake)
{
    const int fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (fake->stream_count == FAKE_STREAMS) {
        close(fd);
        return;
    }
    fake->streams[fake->stream_count++] = fd; /* closed at the end */
    serve_stream(fake, fd);
}

static void *kdc_main(void *data)
{
    struct fake_kdc *fake = data;

    for (;;) {
        struct pollfd entries[] = {
            {.fd = fake->stop, .events = POLLIN},
            {.fd = fake->datagrams, .events = POLLIN},
            {.fd = fake->kind == FAKE_DATAGRAMS ? -1 : fake->listener, .events = POLLIN}};

        if (poll(entries, 3, -1) < 0 && errno != EINTR)
            return NULL;
        if (entries[0].revents)
            return NULL;
        if (entries[1].revents)
            serve_datagram(fake);
        if (entries[2].revents)
            take_stream(fake);
    }
}

void fake_kdc_start(struct fake_kdc *fake, enum fake_kind kind)
{
    fake->kind = kind;
    fake->stream_count = 0;
    test_gate_init(&fake->gate);
    test_counter_init(&fake->requests);
    test_counter_init(&fake->answers);
    fake->stop = eventfd(0, EFD_CLOEXEC);
    do { /* one number for both */
        fake->listener = open_at(SOCK_STREAM, 0);
        TEST_REQUIRE(fake->listener >= 0);
        fake->port = port_of(fake->listener);
        fake->datagrams = open_at(SOCK_DGRAM, fake->port);
        if (fake->datagrams < 0)
            close(fake->listener);
    } while (fake->datagrams < 0);
    if (kind != FAKE_DATAGRAMS) /* else who connects is refused */
        TEST_REQUIRE(listen(fake->listener, 64) == 0);
    fake->thread = test_thread_start(kdc_main, fake);
}

void fake_kdc_stop(struct fake_kdc *fake)
{
    test_gate_open(&fake->gate);
    TEST_REQUIRE(eventfd_write(fake->stop, 1) == 0);
    test_thread_join(fake->thread);
    for (unsigned i = 0; i < fake->stream_count; i++)
        close(fake->streams[i]);
    close(fake->stop);
    close(fake->listener);
    close(fake->datagrams);
}

/* ---- the name server ---- */

#define TYPE_A   1
#define TYPE_SRV 33
#define TYPE_URI 256

static size_t put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
    return 2;
}

/* RFC 1035 4: the question as it came, and one answer to it where there is one. */
static size_t dns_answer(const struct fake_dns *fake, unsigned char *message, size_t question_end)
{
    static const unsigned char target[] = "\3kdc\10opensspi\4test"; /* ends with its own 0 */
    const unsigned type = (unsigned)message[question_end - 4] << 8 | message[question_end - 3];
    unsigned char *at = message + question_end;
    const bool known =
        type == TYPE_A || type == TYPE_SRV || (type == TYPE_URI && fake->uri != NULL);

    message[2] = 0x84; /* an answer of authority */
    message[3] = 0;
    memset(message + 6, 0, 6);
    put16(message + 6, known);
    if (!known)
        return question_end;
    at += put16(at, 0xC00C); /* the name asked for */
    at += put16(at, type);
    at += put16(at, 1);
    at += put16(at, 0);
    at += put16(at, 60);
    if (type == TYPE_A) {
        at += put16(at, 4);
        memcpy(at, "\177\0\0\1", 4);
        return (size_t)(at + 4 - message);
    }
    if (type == TYPE_URI) {
        at += put16(at, (unsigned)(4 + strlen(fake->uri)));
        at += put16(at, 0);
        at += put16(at, 0);
        memcpy(at, fake->uri, strlen(fake->uri));
        return (size_t)(at + strlen(fake->uri) - message);
    }
    at += put16(at, 6 + sizeof(target));
    at += put16(at, 0);
    at += put16(at, 0);
    at += put16(at, fake->kdc_port);
    memcpy(at, target, sizeof(target));
    return (size_t)(at + sizeof(target) - message);
}

static void *dns_main(void *data)
{
    struct fake_dns *fake = data;

    for (;;) {
        struct pollfd entries[] = {{.fd = fake->stop, .events = POLLIN},
                                   {.fd = fake->socket, .events = POLLIN}};
        unsigned char message[1024];
        struct sockaddr_in from;
        socklen_t from_len = sizeof(from);
        ssize_t got;
        size_t end = 12;

        if ((poll(entries, 2, -1) < 0 && errno != EINTR) || entries[0].revents)
            return NULL;
        got = recvfrom(fake->socket, message, 512, 0, (struct sockaddr *)&from, &from_len);
        test_counter_add(&fake->requests, 1);
        while (end < (size_t)got && message[end] != 0)
            end += 1u + message[end];
        end += 5;
        if (got < 17 || end > (size_t)got || fake->kdc_port == 0)
            continue;
        end = dns_answer(fake, message, end);
        (void)sendto(fake->socket, message, end, 0, (struct sockaddr *)&from, from_len);
    }
}

void fake_dns_start(struct fake_dns *fake, uint16_t kdc_port)
{
    fake->kdc_port = kdc_port;
    test_counter_init(&fake->requests);
    fake->stop = eventfd(0, EFD_CLOEXEC);
    fake->socket = open_at(SOCK_DGRAM, 0);
    TEST_REQUIRE(fake->socket >= 0);
    fake->port = port_of(fake->socket);
    fake->thread = test_thread_start(dns_main, fake);
}

void fake_dns_stop(struct fake_dns *fake)
{
    TEST_REQUIRE(eventfd_write(fake->stop, 1) == 0);
    test_thread_join(fake->thread);
    close(fake->stop);
    close(fake->socket);
}

/* ---- what is open ---- */

unsigned open_sockets(void)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    unsigned count = 0;

    TEST_REQUIRE(folder != NULL);
    while ((entry = readdir(folder)) != NULL) {
        char path[300], what[64] = "";

        snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        if (readlink(path, what, sizeof(what) - 1) > 0 && strncmp(what, "socket:", 7) == 0)
            count++;
    }
    closedir(folder);
    return count;
}
