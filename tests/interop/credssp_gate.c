/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A client, a server or a gateway with CredSSP, for tests that drive foreign peers:
 *
 *     credssp_gate serve [WISH]...       one connection, on a port of the kernel's choice
 *     credssp_gate connect PORT [WISH]...
 *
 * Wishes: rdp (X.224 first), async, delegate, bare, type=N, tls=1.2, certificate=NAME, target=SPN,
 * user=, domain=, password=, packages=LIST, protocols=N (what a client asks for, or a server
 * takes), early=N (what a server says about the user), next=PORT (a server: what the client has
 * delegated logs in there, and everything is carried to and fro), silent (no talk after the legs).
 *
 * Facts are told one a line: a word, then what it is. Exit status 0 if all legs succeeded. Without
 * next, a server sends back the first message it gets, and a client sends "ping".
 */
#include <arpa/inet.h>
#include <credssp.h>
#include <opensspi.h>
#include <poll.h>
#include <schannel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "credssp_end.h"
#include "rdp_front.h"
#include "support/test_util.h"

#if TEST_ASAN
/* gss-ntlmssp leaks with each of its contexts, its own and libcrypto's; see tests/gssapi/pair.c. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:gssntlmssp.so\nleak:libcrypto.so\nleak:_dlerror_run\n";
}
#endif

#define RECORD      16384u
#define PATIENCE_MS 40000 /* for a client to come */

struct orders {
    struct credssp_wish wish;
    bool rdp, silent;
    uint32_t protocols, early;
    uint16_t port, next;
};

/* Guarded: one thread. Too large for a stack. */
static struct credssp_end near_end, far_end;

static void tell(const char *what, const char *word)
{
    printf("%s %s\n", what, word ? word : "-");
    fflush(stdout);
}

static void tell_status(const char *what, SECURITY_STATUS status)
{
    const char *name = OsspiStatusName(status);
    char number[16];

    snprintf(number, sizeof(number), "0x%08x", (unsigned)status);
    tell(what, name ? name : number);
}

/* ---- orders ---- */

static bool value_of(const char *word, const char *name, const char **ret_value)
{
    const size_t len = strlen(name);

    if (strncmp(word, name, len) != 0 || word[len] != '=')
        return false;
    *ret_value = word + len + 1;
    return true;
}

static bool read_text(struct credssp_wish *wish, const char *word)
{
    return value_of(word, "tls", &wish->tls) || value_of(word, "user", &wish->user) ||
           value_of(word, "domain", &wish->domain) || value_of(word, "target", &wish->target) ||
           value_of(word, "password", &wish->password) ||
           value_of(word, "packages", &wish->packages) ||
           value_of(word, "certificate", &wish->certificate);
}

static bool read_number(struct orders *orders, const char *word)
{
    const char *text;

    if (value_of(word, "oldest", &text))
        orders->wish.oldest = (ULONG)atoi(text);
    else if (value_of(word, "type", &text))
        orders->wish.type = (unsigned)atoi(text);
    else if (value_of(word, "protocols", &text))
        orders->protocols = (uint32_t)atoi(text);
    else if (value_of(word, "early", &text))
        orders->early = (uint32_t)atoi(text);
    else if (value_of(word, "next", &text))
        orders->next = (uint16_t)atoi(text);
    else
        return false;
    return true;
}

static bool read_switch(struct orders *orders, const char *word)
{
    const struct {
        const char *name;
        bool *value;
    } switches[] = {
        {"rdp", &orders->rdp},
        {"silent", &orders->silent},
        {"bare", &orders->wish.bare},
        {"async", &orders->wish.asynchronous},
        {"delegate", &orders->wish.delegates},
    };

    for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
        if (strcmp(word, switches[i].name) == 0) {
            *switches[i].value = true;
            return true;
        }
    }
    return false;
}

static bool read_orders(int count, char **words, struct orders *orders)
{
    int at = 2;

    if (count < 2)
        return false;
    orders->protocols = RDP_PROTOCOL_TLS | RDP_PROTOCOL_HYBRID;
    orders->wish.accepts = strcmp(words[1], "serve") == 0;
    if (orders->wish.accepts)
        orders->wish.certificate = "server";
    else if (strcmp(words[1], "connect") != 0 || count < 3)
        return false;
    else
        orders->port = (uint16_t)atoi(words[at++]);
    for (; at < count; at++) {
        if (!read_text(&orders->wish, words[at]) && !read_number(orders, words[at]) &&
            !read_switch(orders, words[at]))
            return false;
    }
    return true;
}

/* ---- sockets ---- */

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    TEST_REQUIRE(fd >= 0);
    TEST_REQUIRE(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static int accept_one(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char port[16];

    TEST_REQUIRE(listener >= 0);
    TEST_REQUIRE(bind(listener, (struct sockaddr *)&address, len) == 0);
    TEST_REQUIRE(listen(listener, 1) == 0);
    TEST_REQUIRE(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
    snprintf(port, sizeof(port), "%u", ntohs(address.sin_port));
    tell("LISTEN", port);
    TEST_REQUIRE(poll(&(struct pollfd){listener, POLLIN, 0}, 1, PATIENCE_MS) == 1);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    TEST_REQUIRE(fd >= 0);
    close(listener);
    return fd;
}

/* ---- what the legs have brought ---- */

static void tell_wide(const char *what, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;

    printf("%s ", what);
    for (size_t i = 0; i + 1 < len; i += 2)
        putchar(at[i + 1] == 0 && at[i] >= ' ' && at[i] < 127 ? at[i] : '?');
    putchar('\n');
    fflush(stdout);
}

/* The password in what SEC_WINNT_AUTH_IDENTITY_EX2 calls packed credentials. */
static void tell_password(const unsigned char *packed, size_t len)
{
    SEC_WINNT_AUTH_PACKED_CREDENTIALS head;

    TEST_REQUIRE(len >= sizeof(head));
    memcpy(&head, packed, sizeof(head));
    TEST_REQUIRE((size_t)head.AuthData.CredData.ByteArrayOffset +
                     head.AuthData.CredData.ByteArrayLength <=
                 len);
    tell_wide("PASSWORD", packed + head.AuthData.CredData.ByteArrayOffset,
              head.AuthData.CredData.ByteArrayLength);
}

static void tell_identity(PSEC_WINNT_AUTH_IDENTITY_OPAQUE identity)
{
    const unsigned char *block = identity;
    SEC_WINNT_AUTH_IDENTITY_EX2 head;

    memcpy(&head, block, sizeof(head));
    TEST_REQUIRE_EQUAL(head.Version, SEC_WINNT_AUTH_IDENTITY_VERSION_2);
    tell_wide("USER", block + head.UserOffset, head.UserLength);
    tell_wide("DOMAIN", block + head.DomainOffset, head.DomainLength);
    if (head.PackedCredentialsLength > 0)
        tell_password(block + head.PackedCredentialsOffset, head.PackedCredentialsLength);
}

/* What the client has delegated, as it is to be used: by the identity's own functions. */
static PSEC_WINNT_AUTH_IDENTITY_OPAQUE take_delegated(struct credssp_end *end)
{
    SecPkgContext_ClientCreds creds = {0};
    PSEC_WINNT_AUTH_IDENTITY_OPAQUE identity = NULL;
    SECURITY_STATUS status = QueryContextAttributesA(&end->context, SECPKG_ATTR_CREDS_2, &creds);

    if (status == SEC_E_OK) {
        status =
            SspiUnmarshalAuthIdentity(creds.AuthBufferLen, (char *)creds.AuthBuffer, &identity);
        explicit_bzero(creds.AuthBuffer, creds.AuthBufferLen);
        FreeContextBuffer(creds.AuthBuffer);
    }
    tell_status("DELEGATED", status);
    if (status != SEC_E_OK)
        return NULL;
    tell_identity(identity);
    return identity;
}

static void tell_facts(struct credssp_end *end)
{
    SecPkgContext_NamesA names = {0};
    SecPkgContext_ConnectionInfo info = {0};
    char legs[16];

    snprintf(legs, sizeof(legs), "%u", end->legs);
    tell("LEGS", legs);
    if (QueryContextAttributesA(&end->context, SECPKG_ATTR_NAMES, &names) == SEC_E_OK)
        tell("NAME", names.sUserName);
    FreeContextBuffer(names.sUserName);
    if (QueryContextAttributesA(&end->context, SECPKG_ATTR_CONNECTION_INFO, &info) == SEC_E_OK)
        tell("TLS", info.dwProtocol & SP_PROT_TLS1_3 ? "1.3" : "1.2");
}

static SECURITY_STATUS establish(struct credssp_end *end, const char *what)
{
    char detail[512] = "";
    SECURITY_STATUS status = credssp_establish(end);

    tell_status(what, status);
    if (status == SEC_E_OK)
        tell_facts(end);
    else if (SecIsValidHandle(&end->context) &&
             OsspiGetErrorDetail(&end->context, detail, sizeof(detail)) == SEC_E_OK)
        tell("DETAIL", detail);
    return status;
}

/* ---- afterwards ---- */

static bool front_of_server(const struct orders *orders, int fd, uint32_t *ret_protocol)
{
    uint32_t asked = 0;
    char text[16];

    if (!rdp_take_request(fd, &asked))
        return false;
    snprintf(text, sizeof(text), "%u", asked);
    tell("ASKED", text);
    *ret_protocol = asked & orders->protocols & (RDP_PROTOCOL_HYBRID | RDP_PROTOCOL_HYBRID_EX);
    if (*ret_protocol & RDP_PROTOCOL_HYBRID_EX)
        *ret_protocol = RDP_PROTOCOL_HYBRID_EX;
    return rdp_confirm(fd, *ret_protocol) && *ret_protocol != 0;
}

/* The result is four bytes, and the peer has them first of all. */
static bool early_result(struct credssp_end *end, const struct orders *orders)
{
    unsigned char four[RECORD] = {(unsigned char)orders->early};
    char text[16];
    size_t len = 0;
    SECURITY_STATUS status;

    if (end->wish->accepts)
        return credssp_send(end, four, 4) == SEC_E_OK && orders->early == RDP_USER_WELCOME;
    status = credssp_receive(end, four, sizeof(four), &len);
    if (status != SEC_E_OK || len != 4)
        tell_status("EARLY", status);
    TEST_REQUIRE(status == SEC_E_OK && len == 4);
    snprintf(text, sizeof(text), "%u", four[0]);
    tell("EARLY", text);
    return four[0] == RDP_USER_WELCOME;
}

/* Carries all messages that have come in whole; false: one side is at its end. */
static bool carry(struct credssp_end *from, struct credssp_end *to, size_t *total)
{
    unsigned char bytes[RECORD];
    size_t len;
    SECURITY_STATUS status;

    while ((status = credssp_open(from, bytes, sizeof(bytes), &len)) == SEC_E_OK) {
        if (len > 0 && credssp_send(to, bytes, len) != SEC_E_OK)
            return false;
        *total += len;
    }
    return status == SEC_E_INCOMPLETE_MESSAGE && !from->closed;
}

static void relay(struct credssp_end *one, struct credssp_end *two)
{
    struct pollfd items[2] = {{one->fd, POLLIN, 0}, {two->fd, POLLIN, 0}};
    size_t there = 0, back = 0;
    char text[64];

    while (carry(one, two, &there) && carry(two, one, &back)) {
        TEST_REQUIRE(poll(items, 2, PATIENCE_MS) > 0);
        if (items[0].revents)
            (void)credssp_fill(one);
        if (items[1].revents)
            (void)credssp_fill(two);
    }
    snprintf(text, sizeof(text), "%zu %zu", there, back);
    tell("CARRIED", text);
}

/* The second hop: to the next server as the user whose credentials came with the first. */
static int go_on(struct credssp_end *end, const struct orders *orders, uint32_t protocol,
                 PSEC_WINNT_AUTH_IDENTITY_OPAQUE identity)
{
    struct credssp_wish wish = {.identity = identity,
                                .delegates = true,
                                .asynchronous = orders->wish.asynchronous,
                                .target = orders->wish.target};
    const int fd = connect_to(orders->next);
    uint32_t chosen = 0;
    SECURITY_STATUS status;

    if (orders->rdp && !(rdp_ask(fd, protocol | RDP_PROTOCOL_TLS, &chosen) && chosen == protocol)) {
        close(fd);
        return 1;
    }
    status = credssp_begin(&far_end, fd, &wish);
    if (status == SEC_E_OK)
        status = establish(&far_end, "NEXT");
    if (status == SEC_E_OK)
        relay(end, &far_end);
    credssp_finish(&far_end);
    return status == SEC_E_OK ? 0 : 1;
}

static int talk(struct credssp_end *end)
{
    char bytes[RECORD + 1];
    size_t len = 0;
    SECURITY_STATUS status = SEC_E_OK;

    if (!end->wish->accepts)
        status = credssp_send(end, "ping", 4);
    if (status == SEC_E_OK)
        status = credssp_receive(end, bytes, RECORD, &len);
    bytes[len] = '\0';
    if (status == SEC_E_OK)
        tell("HEARD", bytes);
    else
        tell_status("HEARD", status);
    if (status == SEC_E_OK && end->wish->accepts)
        status = credssp_send(end, bytes, len);
    if (status == SEC_E_OK)
        credssp_goodbye(end);
    return status == SEC_E_OK ? 0 : 1;
}

static int afterwards(struct credssp_end *end, const struct orders *orders, uint32_t protocol)
{
    PSEC_WINNT_AUTH_IDENTITY_OPAQUE identity = NULL;
    int result = 0;

    if (orders->wish.accepts)
        identity = take_delegated(end);
    if (protocol == RDP_PROTOCOL_HYBRID_EX && !early_result(end, orders))
        result = orders->wish.accepts ? 0 : 1;
    else if (orders->next && identity)
        result = go_on(end, orders, protocol, identity);
    else if (!orders->silent)
        result = talk(end);
    SspiFreeAuthIdentity(identity);
    return result;
}

static int run(const struct orders *orders)
{
    const int fd = orders->wish.accepts ? accept_one() : connect_to(orders->port);
    uint32_t protocol = 0;
    SECURITY_STATUS status;
    int result = 1;
    char text[16];

    if (orders->rdp) {
        if (!(orders->wish.accepts ? front_of_server(orders, fd, &protocol)
                                   : rdp_ask(fd, orders->protocols, &protocol))) {
            close(fd);
            return 1;
        }
        snprintf(text, sizeof(text), "%u", protocol);
        tell("PROTOCOL", text);
    }
    status = credssp_begin(&near_end, fd, &orders->wish);
    tell_status("ACQUIRED", status);
    if (status == SEC_E_OK && establish(&near_end, "STATUS") == SEC_E_OK)
        result = afterwards(&near_end, orders, protocol);
    credssp_finish(&near_end);
    return result;
}

int main(int count, char **words)
{
    static struct orders orders;

    test_watchdog(100);
    if (!read_orders(count, words, &orders)) {
        fprintf(stderr, "credssp_gate: wrong words; its head comment has them\n");
        return 2;
    }
    return run(&orders);
}
