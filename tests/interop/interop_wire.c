/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Our end of a connection with a peer program; see interop_wire.h. The queue form and the loop over
 * cases are in interop_forms.c.
 */
#include "interop_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS (TEST_SANITIZED ? 80000 : 20000)
#define READ_MAX    65536u

/* ---- connections ---- */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int interop_listen(uint16_t *ret_port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    TEST_REQUIRE(fd >= 0);
    TEST_REQUIRE(bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 8) == 0);
    TEST_REQUIRE(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int interop_accept(int listener, struct interop_process *process)
{
    for (;;) {
        struct pollfd items[3] = {[2] = {.fd = listener, .events = POLLIN}};
        int fd;

        if (process)
            interop_poll_prepare(process, items);
        else
            items[0].fd = items[1].fd = -1;
        TEST_REQUIRE(poll(items, 3, PATIENCE_MS) > 0);
        if (process)
            interop_poll_handle(process, items);
        if (!items[2].revents)
            continue;
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        TEST_REQUIRE(fd >= 0);
        return fd;
    }
}

/* ---- a wire ---- */

void interop_wire_init(struct interop_wire *wire, const struct peer_form *form, bool server,
                       struct interop_process *peer)
{
    *wire = (struct interop_wire){.fd = -1, .peer = peer};
    peer_end_init(&wire->end, form, server);
    peer_end_init(&wire->net, form, !server);
}

void interop_wire_open(struct interop_wire *wire, const struct peer_form *form, bool server,
                       struct interop_process *peer, const char *certificate)
{
    interop_wire_init(wire, form, server, peer);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&wire->end, 0, 0, certificate, false), SEC_E_OK);
}

void interop_wire_connect(struct interop_wire *wire, uint16_t port)
{
    struct sockaddr_in address = loopback(port);

    TEST_REQUIRE(wire->fd < 0);
    wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    TEST_REQUIRE(wire->fd >= 0);
    TEST_REQUIRE(connect(wire->fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    TEST_REQUIRE(fcntl(wire->fd, F_SETFL, O_NONBLOCK) == 0);
}

void interop_offer(struct interop_wire *wire, struct interop_alpn *alpn, const char *wire_format)
{
    SEC_APPLICATION_PROTOCOL_LIST *list = &alpn->head.ProtocolLists[0];
    size_t len = strlen(wire_format);

    TEST_REQUIRE(len <= sizeof(alpn->list));
    memset(alpn, 0, sizeof(*alpn));
    list->ProtoNegoExt = SecApplicationProtocolNegotiationExt_ALPN;
    list->ProtocolListSize = (unsigned short)len;
    memcpy(list->ProtocolList, wire_format, len);
    alpn->head.ProtocolListsSize =
        (ULONG)(offsetof(SEC_APPLICATION_PROTOCOL_LIST, ProtocolList) + len);
    wire->end.alpn = alpn;
    wire->end.alpn_size =
        (ULONG)offsetof(SEC_APPLICATION_PROTOCOLS, ProtocolLists) + alpn->head.ProtocolListsSize;
}

void interop_wire_disconnect(struct interop_wire *wire)
{
    if (wire->fd >= 0)
        close(wire->fd);
    wire->fd = -1;
    peer_end_disconnect(&wire->end);
    peer_clear(&wire->net.in);
    peer_clear(&wire->plain);
    wire->established = wire->in_leg = wire->finished = wire->eof = wire->reset = false;
    wire->declined = false;
    wire->legs = 0;
    wire->failure = SEC_E_OK;
}

void interop_wire_free(struct interop_wire *wire)
{
    interop_wire_disconnect(wire);
    peer_end_free(&wire->end);
}

/* ---- bytes to and from the socket ---- */

static void read_socket(struct interop_wire *wire)
{
    uint8_t bytes[READ_MAX];
    size_t most = wire->read_max > 0 ? wire->read_max : sizeof(bytes);
    ssize_t len = recv(wire->fd, bytes, most, 0);

    if (len > 0) {
        peer_push(&wire->end.in, bytes, (size_t)len);
    } else if (len == 0) {
        wire->eof = true;
    } else if (errno == ECONNRESET || errno == EPIPE) {
        wire->eof = wire->reset = true;
    } else {
        TEST_REQUIRE(errno == EAGAIN || errno == EINTR);
    }
}

static void write_socket(struct interop_wire *wire)
{
    ssize_t len = send(wire->fd, wire->net.in.bytes, wire->net.in.len, MSG_NOSIGNAL);

    if (len > 0) {
        peer_drop(&wire->net.in, (size_t)len);
    } else if (errno == ECONNRESET || errno == EPIPE) {
        peer_clear(&wire->net.in); /* what the peer has sent may still be there to read */
    } else {
        TEST_REQUIRE(errno == EAGAIN || errno == EINTR);
    }
}

/* ---- what can be done with what has come ---- */

void interop_require_told(struct interop_wire *wire, const char *issuer)
{
    SecPkgContext_IssuerListInfoEx list;

    TEST_REQUIRE(wire->told);
    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&wire->end.context, SECPKG_ATTR_ISSUER_LIST_EX, &list), SEC_E_OK);
    TEST_REQUIRE_EQUAL(list.cIssuers, issuer ? 1 : 0);
    if (issuer) {
        PCCERT_CONTEXT root = peer_certificate(issuer);
        const CERT_NAME_BLOB *name = &root->pCertInfo->Subject;

        TEST_REQUIRE_EQUAL(list.aIssuers[0].cbData, name->cbData);
        TEST_REQUIRE(memcmp(list.aIssuers[0].pbData, name->pbData, name->cbData) == 0);
        CertFreeCertificateContext(root);
        FreeContextBuffer(list.aIssuers);
    }
}

/* Told that the peer wants a certificate: another credential, or on without. */
static void answer(struct interop_wire *wire)
{
    TEST_REQUIRE(!wire->told);
    wire->told = true;
    if (!wire->answer)
        return;
    TEST_REQUIRE_EQUAL(wire->end.form->free_credential(&wire->end.credential), SEC_E_OK);
    TEST_REQUIRE_EQUAL(peer_end_acquire(&wire->end, 0, 0, wire->answer, false), SEC_E_OK);
}

/* False: needs more bytes. */
static bool step(struct interop_wire *wire)
{
    SECURITY_STATUS status = peer_step(&wire->end, &wire->net);

    if (status == SEC_E_INCOMPLETE_MESSAGE)
        return false;
    if (status == SEC_I_INCOMPLETE_CREDENTIALS)
        answer(wire);
    wire->in_leg = status == SEC_I_CONTINUE_NEEDED || status == SEC_I_INCOMPLETE_CREDENTIALS;
    if (status == SEC_E_OK && !wire->established) {
        wire->established = true;
        peer_established(&wire->end);
    } else if (status != SEC_E_OK && !wire->in_leg) {
        wire->failure = status;
    }
    return true;
}

static bool open_record(struct interop_wire *wire)
{
    uint8_t data[16384];
    size_t len;
    SECURITY_STATUS status = peer_receive(&wire->end, data, sizeof(data), &len);

    if (status == SEC_E_INCOMPLETE_MESSAGE)
        return false;
    if (status == SEC_I_CONTEXT_EXPIRED)
        wire->finished = true;
    else if (status == SEC_I_RENEGOTIATE)
        wire->in_leg = true;
    else if (status == SEC_I_NO_RENEGOTIATION)
        wire->declined = true;
    else if (status != SEC_E_OK)
        wire->failure = status;
    wire->legs += wire->in_leg;
    peer_push(&wire->plain, data, len);
    return true;
}

static void advance(struct interop_wire *wire)
{
    bool more = true;

    while (more && wire->end.in.len > 0 && wire->failure == SEC_E_OK && !wire->finished) {
        if (!wire->established || wire->in_leg)
            more = step(wire);
        else
            more = open_record(wire);
    }
}

void interop_turn(struct interop_wire *wire)
{
    bool reads = wire->fd >= 0 && !wire->eof, writes = wire->fd >= 0 && wire->net.in.len > 0;
    struct pollfd items[3] = {
        {.fd = -1},
        {.fd = -1},
        {.fd = reads || writes ? wire->fd : -1,
         .events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0))},
    };

    if (wire->peer)
        interop_poll_prepare(wire->peer, items);
    /* With nothing to wait for, or after a long silence, the awaited will never come. */
    TEST_REQUIRE(poll(items, 3, PATIENCE_MS) > 0);
    if (wire->peer)
        interop_poll_handle(wire->peer, items);
    if (writes && (items[2].revents & (POLLOUT | POLLERR | POLLHUP)))
        write_socket(wire);
    if (reads && (items[2].revents & (POLLIN | POLLERR | POLLHUP))) {
        read_socket(wire);
        advance(wire);
    }
}

/* ---- handshake ---- */

SECURITY_STATUS interop_handshake(struct interop_wire *wire)
{
    if (!wire->end.server)
        (void)step(wire);
    INTEROP_UNTIL(wire, wire->established || wire->failure != SEC_E_OK || wire->eof);
    interop_flush(wire);
    if (wire->failure != SEC_E_OK || wire->established)
        return wire->failure;
    return SEC_E_INCOMPLETE_MESSAGE; /* the peer has gone in the middle */
}

void interop_must_handshake(struct interop_wire *wire)
{
    TEST_REQUIRE_EQUAL(interop_handshake(wire), SEC_E_OK);
}

void interop_must_refuse(struct interop_wire *wire, SECURITY_STATUS expected, const char *says)
{
    TEST_REQUIRE_EQUAL(interop_handshake(wire), expected);
    interop_hang_up(wire);
    interop_wire_await(wire, says);
}

/* ---- data ---- */

void interop_flush(struct interop_wire *wire)
{
    while (wire->net.in.len > 0) {
        struct pollfd item = {.fd = wire->fd, .events = POLLOUT};

        TEST_REQUIRE(poll(&item, 1, PATIENCE_MS) > 0);
        write_socket(wire);
    }
}

void interop_send(struct interop_wire *wire, const void *data, size_t len, size_t part)
{
    const uint8_t *rest = data;

    TEST_REQUIRE(part <= wire->end.sizes.cbMaximumMessage);
    while (len > 0) {
        size_t now = len < part ? len : part;

        TEST_REQUIRE_EQUAL(peer_send(&wire->end, &wire->net, rest, now), SEC_E_OK);
        rest += now;
        len -= now;
        /* Drains as it goes: the peer may write to us while it reads. */
        INTEROP_UNTIL(wire, wire->net.in.len < READ_MAX);
    }
}

void interop_send_line(struct interop_wire *wire, const char *line)
{
    char text[256];
    int len = snprintf(text, sizeof(text), "%s\n", line);

    TEST_REQUIRE(len > 0 && len < (int)sizeof(text));
    interop_send(wire, text, (size_t)len, (size_t)len);
}

void interop_wire_await(struct interop_wire *wire, const char *text)
{
    while (!interop_said(wire->peer, text)) {
        if (wire->peer->out < 0)
            fprintf(stderr, "the peer has ended without saying: %s\n", text);
        TEST_REQUIRE(wire->peer->out >= 0);
        interop_turn(wire);
    }
}

static bool has_taken_orders(void *data)
{
    const struct interop_process *process = data;
    int waiting = 0;

    return ioctl(process->in, FIONREAD, &waiting) == 0 && waiting == 0;
}

void interop_command(struct interop_wire *wire, const char *letter)
{
    interop_tell_line(wire->peer, letter);
    INTEROP_UNTIL(wire, wire->peer->orders.len == 0);
    test_poll(has_taken_orders, wire->peer);
}

void interop_expect(struct interop_wire *wire, const void *data, size_t len)
{
    INTEROP_UNTIL(wire, wire->plain.len >= len || wire->failure != SEC_E_OK || wire->eof);
    TEST_REQUIRE_EQUAL(wire->failure, SEC_E_OK);
    TEST_REQUIRE(wire->plain.len >= len);
    TEST_REQUIRE(memcmp(wire->plain.bytes, data, len) == 0);
    peer_drop(&wire->plain, len);
}

void interop_expect_line(struct interop_wire *wire, const char *line)
{
    interop_expect(wire, line, strlen(line));
    interop_expect(wire, "\n", 1);
}

/* Bytes that are no command of s_client or s_server, and are not in what these say of themselves:
 * they print late, and thus in the middle of the data, also tickets with all their characters. */
static const char alphabet[] = "\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa";

static char *make_text(size_t len)
{
    char *text = malloc(len + 1);
    uint64_t seed = len;

    TEST_REQUIRE(text != NULL);
    for (size_t i = 0; i < len; i++)
        text[i] = alphabet[test_random(&seed) % (sizeof(alphabet) - 1)];
    return text;
}

/* Has the peer written all of this text, and nothing else of the alphabet? */
static bool has_printed(const struct interop_process *peer, const char *text, size_t len)
{
    size_t found = 0;

    if (peer->said.len < len)
        return false;
    for (size_t i = 0; i < peer->said.len; i++) {
        char c = (char)peer->said.bytes[i];

        if (c == '\0' || !strchr(alphabet, c))
            continue;
        TEST_REQUIRE(found < len && c == text[found]);
        found++;
    }
    return found == len;
}

void interop_exchange(struct interop_wire *wire, size_t len)
{
    char *text = make_text(len);

    interop_forget(wire->peer);
    interop_send(wire, text, len, len > 16384 ? 7919 : 16384);
    INTEROP_UNTIL(wire, has_printed(wire->peer, text, len));
    interop_tell(wire->peer, text, len);
    interop_expect(wire, text, len);
    TEST_REQUIRE_EQUAL(wire->plain.len, 0);
    free(text);
}

void interop_echo(struct interop_wire *wire, size_t len)
{
    char *text = make_text(len);

    interop_send(wire, text, len, len > 16384 ? 7919 : 16384);
    interop_send(wire, "\n", 1, 1);
    interop_expect(wire, text, len);
    interop_expect(wire, "\n", 1);
    TEST_REQUIRE_EQUAL(wire->plain.len, 0);
    free(text);
}

void interop_finish(struct interop_wire *wire)
{
    TEST_REQUIRE_EQUAL(peer_shutdown(&wire->end, &wire->net), SEC_E_OK);
    interop_hang_up(wire);
}

void interop_hang_up(struct interop_wire *wire)
{
    interop_flush(wire);
    shutdown(wire->fd, SHUT_WR);
}

/* ---- facts ---- */

DWORD interop_protocol(struct interop_wire *wire)
{
    SecPkgContext_ConnectionInfo info;

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&wire->end.context, SECPKG_ATTR_CONNECTION_INFO, &info), SEC_E_OK);
    return info.dwProtocol;
}

DWORD interop_suite(struct interop_wire *wire)
{
    SecPkgContext_CipherInfo info = {.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1};

    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&wire->end.context, SECPKG_ATTR_CIPHER_INFO, &info),
                       SEC_E_OK);
    return info.dwCipherSuite;
}

bool interop_reused(struct interop_wire *wire)
{
    SecPkgContext_SessionInfo info;

    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&wire->end.context, SECPKG_ATTR_SESSION_INFO, &info),
                       SEC_E_OK);
    return (info.dwFlags & SSL_SESSION_RECONNECT) != 0;
}

void interop_require_alpn(struct interop_wire *wire, const char *protocol)
{
    SecPkgContext_ApplicationProtocol found;

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&wire->end.context, SECPKG_ATTR_APPLICATION_PROTOCOL, &found),
        SEC_E_OK);
    TEST_REQUIRE_EQUAL(found.ProtoNegoStatus, SecApplicationProtocolNegotiationStatus_Success);
    TEST_REQUIRE_EQUAL(found.ProtocolIdSize, strlen(protocol));
    TEST_REQUIRE(memcmp(found.ProtocolId, protocol, found.ProtocolIdSize) == 0);
}

void interop_require_peer_certificate(struct interop_wire *wire, const char *name)
{
    PCCERT_CONTEXT expected = peer_certificate(name), found = NULL;

    TEST_REQUIRE_EQUAL(
        QueryContextAttributesA(&wire->end.context, SECPKG_ATTR_REMOTE_CERT_CONTEXT, &found),
        SEC_E_OK);
    TEST_REQUIRE_EQUAL(found->cbCertEncoded, expected->cbCertEncoded);
    TEST_REQUIRE(memcmp(found->pbCertEncoded, expected->pbCertEncoded, found->cbCertEncoded) == 0);
    CertFreeCertificateContext(found);
    CertFreeCertificateContext(expected);
}
