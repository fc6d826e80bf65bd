/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * HTTP for revocation; see fetch.h.
 *
 * OpenSSL writes the request into memory and reads the answer from what has arrived; the socket
 * between them is ours, so that every wait has its deadline. What it reads from is ours too: some
 * of its versions read by lines, and no kind of BIO that it has gives half a line and asks to come
 * back. No state of its own.
 */
#include "cert/fetch.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/http.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/foreign.h"
#include "base/wait.h"
#include "cert/crypto.h"

#define HEADERS_MAX 16384u /* bytes of an answer beside what was asked for */
#define CHUNK       16384u

struct target {
    char *host, *port, *path;
};

/* ---- URLs ---- */

static void target_clear(struct target *target)
{
    OPENSSL_free(target->host);
    OPENSSL_free(target->port);
    osspi_free(target->path);
}

/* Nothing that could end a line of the request, or hide a user's name in front of the host. */
static bool is_plain(const char *url)
{
    const size_t len = strnlen(url, OSSPI_FETCH_URL_MAX);

    if (len == OSSPI_FETCH_URL_MAX || strncasecmp(url, "http://", 7) != 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (url[i] <= ' ' || url[i] > '~' || url[i] == '@')
            return false;
    }
    return true;
}

static bool parse(const char *url, struct target *ret_target)
{
    char *path = NULL, *query = NULL, *user = NULL;
    int tls = 0, number = 0;

    if (!is_plain(url) || OSSL_HTTP_parse_url(url, &tls, &user, &ret_target->host,
                                              &ret_target->port, &number, &path, &query, NULL) != 1)
        return false;
    const size_t size = strlen(path) + strlen(query) + 2;
    ret_target->path = osspi_alloc(size);
    if (ret_target->path != NULL)
        snprintf(ret_target->path, size, "%s%s%s", path, query[0] != '\0' ? "?" : "", query);
    OPENSSL_free(path);
    OPENSSL_free(query);
    OPENSSL_free(user);
    return ret_target->path != NULL && !tls && number > 0 && ret_target->host[0] != '\0';
}

bool osspi_fetch_possible(const char *url)
{
    OSSPI_CRYPTO_CALL;
    struct target target osspi_auto(target_clear) = {0};

    return parse(url, &target);
}

void osspi_fetch_class(const char *prefix, const char *url, char *ret_class, size_t size)
{
    OSSPI_CRYPTO_CALL;
    struct target target osspi_auto(target_clear) = {0};

    snprintf(ret_class, size, "%s:%s", prefix, parse(url, &target) ? target.host : "");
}

/* ---- the connection ---- */

static void close_socket(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static bool is_connected(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
}

static int connect_to(const struct addrinfo *address, uint64_t deadline_ns)
{
    const int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                          address->ai_protocol);

    if (fd < 0)
        return -1;
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0 ||
        (errno == EINPROGRESS && osspi_wait_ready(fd, POLLOUT, deadline_ns) && is_connected(fd)))
        return fd;
    (void)close(fd);
    return -1;
}

static int look_up(const struct target *target, struct addrinfo **ret_list)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    const unsigned depth = osspi_foreign_pause(); /* a name server may take its time */
    const int error = getaddrinfo(target->host, target->port, &hints, ret_list);

    osspi_foreign_resume(depth);
    return error;
}

/* A descriptor, or -1. */
static int connect_by_name(const struct target *target, uint64_t deadline_ns)
{
    struct addrinfo *list = NULL;
    int fd = -1;

    if (osspi_wait_over() || osspi_now_ns() >= deadline_ns || look_up(target, &list) != 0)
        return -1;
    for (const struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next)
        fd = connect_to(at, deadline_ns);
    freeaddrinfo(list);
    return fd;
}

static bool send_all(int fd, const char *bytes, size_t len, uint64_t deadline_ns)
{
    while (len > 0) {
        const ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            len -= (size_t)sent;
        } else if (errno != EINTR && errno != EAGAIN) {
            return false;
        } else if (errno == EAGAIN && !osspi_wait_ready(fd, POLLOUT, deadline_ns)) {
            return false;
        }
    }
    return true;
}

/* Bytes read; 0 at the end; -1: failure, or no time left. */
static ssize_t receive(int fd, char *chunk, size_t size, uint64_t deadline_ns)
{
    for (;;) {
        if (!osspi_wait_ready(fd, POLLIN, deadline_ns))
            return -1;
        const ssize_t got = recv(fd, chunk, size, 0);
        if (got >= 0 || (errno != EINTR && errno != EAGAIN))
            return got;
    }
}

/* ---- the exchange ---- */

/* What has arrived and was not read yet. */
struct arrived {
    const char *bytes;
    size_t len;
    bool ended; /* no more will come */
};

struct exchange {
    BIO *request; /* memory */
    BIO *answer;
    BIO_METHOD *method; /* of answer */
    struct arrived arrived;
    OSSL_HTTP_REQ_CTX *http;
};

static void exchange_clear(struct exchange *exchange)
{
    OSSL_HTTP_REQ_CTX_free(exchange->http);
    BIO_free(exchange->request);
    BIO_free(exchange->answer);
    BIO_meth_free(exchange->method);
}

static int give(BIO *bio, char *buffer, size_t len)
{
    struct arrived *arrived = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (arrived->len == 0 && !arrived->ended)
        BIO_set_retry_read(bio);
    if (arrived->len == 0)
        return arrived->ended ? 0 : -1;
    memcpy(buffer, arrived->bytes, len);
    arrived->bytes += len;
    arrived->len -= len;
    return (int)len;
}

static int answer_read(BIO *bio, char *buffer, int size)
{
    const struct arrived *arrived = BIO_get_data(bio);
    const size_t room = size > 0 ? (size_t)size : 0;

    return give(bio, buffer, arrived->len < room ? arrived->len : room);
}

/* A line as far as it has come, and a NUL. */
static int answer_line(BIO *bio, char *buffer, int size)
{
    const struct arrived *arrived = BIO_get_data(bio);
    size_t len = 0;

    if (size < 2)
        return 0;
    while (len < arrived->len && len < (size_t)size - 1 && (len == 0 || buffer[len - 1] != '\n')) {
        buffer[len] = arrived->bytes[len];
        len++;
    }
    buffer[len] = '\0';
    return give(bio, buffer, len);
}

static long answer_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static bool make_answer(struct exchange *exchange)
{
    /* The type only serves BIO_find_type(): no index is taken. */
    exchange->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "OpenSSPI answer");
    if (exchange->method == NULL || BIO_meth_set_read(exchange->method, answer_read) != 1 ||
        BIO_meth_set_gets(exchange->method, answer_line) != 1 ||
        BIO_meth_set_ctrl(exchange->method, answer_control) != 1)
        return false;
    exchange->answer = BIO_new(exchange->method);
    if (exchange->answer == NULL)
        return false;
    BIO_set_data(exchange->answer, &exchange->arrived);
    BIO_set_init(exchange->answer, 1);
    return true;
}

static bool add_host(OSSL_HTTP_REQ_CTX *http, const struct target *target)
{
    char host[OSSPI_FETCH_URL_MAX + 8];
    const bool literal = strchr(target->host, ':') != NULL; /* IPv6 */

    snprintf(host, sizeof(host), "%s%s%s:%s", literal ? "[" : "", target->host, literal ? "]" : "",
             target->port);
    return OSSL_HTTP_REQ_CTX_add1_header(http, "Host", host) == 1;
}

static bool prepare(struct exchange *exchange, const struct target *target,
                    const struct osspi_fetch *what)
{
    exchange->request = BIO_new(BIO_s_mem());
    if (exchange->request == NULL || !make_answer(exchange))
        return false;
    exchange->http = OSSL_HTTP_REQ_CTX_new(exchange->request, exchange->answer, 0);
    if (exchange->http == NULL ||
        OSSL_HTTP_REQ_CTX_set_request_line(exchange->http, what->body != NULL, NULL, NULL,
                                           target->path) != 1 ||
        !add_host(exchange->http, target) ||
        OSSL_HTTP_REQ_CTX_set_expected(exchange->http, what->expected_type, 1, 0, 0) != 1)
        return false;
    OSSL_HTTP_REQ_CTX_set_max_response_length(exchange->http, what->max_len);
    if (what->body != NULL && OSSL_HTTP_REQ_CTX_set1_req(exchange->http, "application/ocsp-request",
                                                         ASN1_ITEM_rptr(OCSP_REQUEST),
                                                         (const ASN1_VALUE *)what->body) != 1)
        return false;
    return OSSL_HTTP_REQ_CTX_nbio(exchange->http) == -1; /* written, and waits for the answer */
}

/* Feeds what arrives until the answer is whole. */
static bool converse(struct exchange *exchange, int fd, const struct osspi_fetch *what)
{
    char chunk[CHUNK];
    char *request;
    const long len = BIO_get_mem_data(exchange->request, &request);
    size_t received = 0;
    int state = -1;

    if (len <= 0 || !send_all(fd, request, (size_t)len, what->deadline_ns))
        return false;
    while (state == -1 && received <= what->max_len + HEADERS_MAX) {
        const ssize_t got = receive(fd, chunk, sizeof(chunk), what->deadline_ns);
        if (got < 0)
            return false;
        received += (size_t)got;
        exchange->arrived = (struct arrived){chunk, (size_t)got, got == 0};
        state = OSSL_HTTP_REQ_CTX_nbio(exchange->http);
        if (got == 0 && state == -1)
            return false;
    }
    return state == 1;
}

static SECURITY_STATUS take(const struct exchange *exchange, uint8_t **ret_der, size_t *ret_len)
{
    char *bytes;
    const long there = BIO_get_mem_data(OSSL_HTTP_REQ_CTX_get0_mem_bio(exchange->http), &bytes);
    const size_t len = OSSL_HTTP_REQ_CTX_get_resp_len(exchange->http);

    if (there <= 0 || len == 0 || len > (size_t)there)
        return CRYPT_E_REVOCATION_OFFLINE;
    *ret_der = osspi_memdup(bytes, len);
    *ret_len = len;
    return *ret_der != NULL ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
}

SECURITY_STATUS osspi_fetch_der(const struct osspi_fetch *what, uint8_t **ret_der, size_t *ret_len)
{
    OSSPI_CRYPTO_CALL;
    struct target target osspi_auto(target_clear) = {0};
    struct exchange exchange osspi_auto(exchange_clear) = {0};
    int fd osspi_auto(close_socket) = -1;

    if (!parse(what->url, &target) || !prepare(&exchange, &target, what))
        return osspi_crypto_failure(CRYPT_E_REVOCATION_OFFLINE);
    fd = connect_by_name(&target, what->deadline_ns);
    if (fd < 0 || !converse(&exchange, fd, what))
        return osspi_crypto_failure(CRYPT_E_REVOCATION_OFFLINE);
    return take(&exchange, ret_der, ret_len);
}
