/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The web server of revocation_world.h: one thread that polls all its connections, each of which is
 * answered by what stands at its path, well or badly.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/revocation_world.h"
#include "support/test_util.h"

#define PAGES       32
#define CONNECTIONS 64
#define PATH_SIZE   64
#define DRIP_MS     20

struct page {
    char path[PATH_SIZE];
    enum world_manner manner;
    char *bytes; /* header and body */
    size_t len;
    unsigned asked;
};

struct connection {
    int fd; /* -1: none */
    char request[2048];
    size_t got;
    bool answering;
    enum world_manner manner;
    char *bytes; /* a copy of the page's */
    size_t len, sent;
};

static struct {
    pthread_mutex_t lock;
    struct page pages[PAGES]; /* guarded by lock, with the one below */
    size_t page_count;
    pthread_t thread;
    int listener, stop[2];
    uint16_t port;
    _Atomic unsigned connections;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .listener = -1};

static struct connection connections[CONNECTIONS]; /* the server thread's */

/* ---- pages ---- */

static struct page *find_page(const char *path)
{
    for (size_t i = 0; i < server.page_count; i++) {
        if (strcmp(server.pages[i].path, path) == 0)
            return &server.pages[i];
    }
    return NULL;
}

static int header_of(enum world_manner manner, int status, const char *type, size_t len,
                     char *header, size_t size)
{
    switch (manner) {
    case WORLD_REDIRECT:
        return snprintf(header, size,
                        "HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:%u/moved\r\n\r\n",
                        server.port);
    case WORLD_RAW:
        return 0;
    case WORLD_ENDLESS:
        return snprintf(header, size, "HTTP/1.0 200 OK\r\nContent-Type: %s\r\n\r\n", type);
    default:
        return snprintf(header, size,
                        "HTTP/1.0 %d Word\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                        status, type, len);
    }
}

void world_serve(const char *path, enum world_manner manner, int status, const char *type,
                 const void *bytes, size_t len)
{
    char header[256];
    const int header_len = header_of(manner, status, type, len, header, sizeof(header));
    char *all = malloc((size_t)header_len + len + 1);

    TEST_REQUIRE(all != NULL && strlen(path) < PATH_SIZE);
    memcpy(all, header, (size_t)header_len);
    if (len > 0)
        memcpy(all + header_len, bytes, len);
    pthread_mutex_lock(&server.lock);
    struct page *page = find_page(path);
    if (page == NULL) {
        TEST_REQUIRE(server.page_count < PAGES);
        page = &server.pages[server.page_count++];
        snprintf(page->path, sizeof(page->path), "%s", path);
    }
    free(page->bytes);
    page->manner = manner;
    page->bytes = all;
    page->len = (size_t)header_len + len;
    page->asked = 0;
    pthread_mutex_unlock(&server.lock);
}

void world_serve_nothing(void)
{
    pthread_mutex_lock(&server.lock);
    for (size_t i = 0; i < server.page_count; i++)
        free(server.pages[i].bytes);
    memset(server.pages, 0, sizeof(server.pages));
    server.page_count = 0;
    pthread_mutex_unlock(&server.lock);
}

unsigned world_asked(const char *path)
{
    pthread_mutex_lock(&server.lock);
    const struct page *page = find_page(path);
    const unsigned asked = page != NULL ? page->asked : 0;
    pthread_mutex_unlock(&server.lock);
    return asked;
}

unsigned world_connections(void)
{
    return atomic_load(&server.connections);
}

uint16_t world_port(void)
{
    return server.port;
}

/* ---- connections ---- */

static void hang_up(struct connection *connection)
{
    close(connection->fd);
    free(connection->bytes);
    memset(connection, 0, sizeof(*connection));
    connection->fd = -1;
    atomic_fetch_sub(&server.connections, 1);
}

static void answer(struct connection *connection)
{
    static const char nothing[] = "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    char path[PATH_SIZE] = "";

    (void)sscanf(connection->request, "%*s %63s", path);
    connection->answering = true;
    pthread_mutex_lock(&server.lock);
    struct page *page = find_page(path);
    connection->manner = page != NULL ? page->manner : WORLD_ANSWER;
    connection->len = page != NULL ? page->len : sizeof(nothing) - 1;
    connection->bytes = malloc(connection->len + 1);
    if (connection->bytes != NULL)
        memcpy(connection->bytes, page != NULL ? page->bytes : nothing, connection->len);
    if (page != NULL)
        page->asked++;
    pthread_mutex_unlock(&server.lock);
    if (connection->bytes == NULL)
        hang_up(connection); /* in tests in which allocations fail */
}

/* The whole request, its body too: its length is in the header. */
static bool is_whole(const struct connection *connection)
{
    const char *end = strstr(connection->request, "\r\n\r\n");
    const char *length = strstr(connection->request, "Content-Length: ");

    if (end == NULL)
        return false;
    const size_t body = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    return connection->got >= (size_t)(end + 4 - connection->request) + body;
}

static void hear(struct connection *connection)
{
    const size_t room = sizeof(connection->request) - 1 - connection->got;
    const ssize_t got =
        recv(connection->fd, connection->request + connection->got, room, MSG_DONTWAIT);

    if (got <= 0 && errno != EAGAIN) {
        hang_up(connection);
        return;
    }
    if (got == 0) {
        hang_up(connection);
        return;
    }
    connection->got += got > 0 ? (size_t)got : 0;
    connection->request[connection->got] = '\0';
    if (!connection->answering && is_whole(connection))
        answer(connection);
}

static void say(struct connection *connection)
{
    static const char zeros[4096];
    const bool endless = connection->manner == WORLD_ENDLESS && connection->sent >= connection->len;
    const char *from = endless ? zeros : connection->bytes + connection->sent;
    size_t len = endless ? sizeof(zeros) : connection->len - connection->sent;

    if (connection->manner == WORLD_DRIP && len > 1)
        len = 1;
    const ssize_t sent = send(connection->fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        hang_up(connection);
        return;
    }
    if (!endless)
        connection->sent += sent > 0 ? (size_t)sent : 0;
    if (connection->manner != WORLD_ENDLESS && connection->sent == connection->len)
        hang_up(connection);
}

static short wanted(const struct connection *connection, bool *drips)
{
    if (!connection->answering || connection->manner == WORLD_SILENT)
        return POLLIN;
    if (connection->manner != WORLD_DRIP)
        return POLLOUT;
    *drips = true;
    return POLLIN; /* says its byte when the time is over */
}

static void take_new(void)
{
    const int fd = accept(server.listener, NULL, NULL);

    for (size_t i = 0; fd >= 0 && i < CONNECTIONS; i++) {
        if (connections[i].fd < 0) {
            connections[i].fd = fd;
            atomic_fetch_add(&server.connections, 1);
            return;
        }
    }
    if (fd >= 0)
        close(fd);
}

static void serve_each(const struct pollfd *items)
{
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &connections[i];
        if (items[i].fd < 0 || connection->fd < 0)
            continue;
        if (items[i].revents & (POLLIN | POLLHUP | POLLERR))
            hear(connection);
        else if (items[i].revents & POLLOUT ||
                 (connection->answering && connection->manner == WORLD_DRIP))
            say(connection);
    }
}

static void *serve(void *data)
{
    struct pollfd items[CONNECTIONS + 2];

    (void)data;
    for (;;) {
        bool drips = false;
        for (size_t i = 0; i < CONNECTIONS; i++) {
            items[i].fd = connections[i].fd;
            items[i].events = connections[i].fd < 0 ? 0 : wanted(&connections[i], &drips);
        }
        items[CONNECTIONS] = (struct pollfd){.fd = server.listener, .events = POLLIN};
        items[CONNECTIONS + 1] = (struct pollfd){.fd = server.stop[0], .events = POLLIN};
        (void)poll(items, CONNECTIONS + 2, drips ? DRIP_MS : -1);
        if (items[CONNECTIONS + 1].revents)
            return NULL;
        serve_each(items);
        if (items[CONNECTIONS].revents)
            take_new();
    }
}

int world_open(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);

    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < CONNECTIONS; i++)
        connections[i].fd = -1;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    TEST_REQUIRE(server.listener >= 0 && pipe2(server.stop, O_CLOEXEC) == 0);
    TEST_REQUIRE(bind(server.listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    TEST_REQUIRE(listen(server.listener, 64) == 0);
    TEST_REQUIRE(getsockname(server.listener, (struct sockaddr *)&address, &len) == 0);
    server.port = ntohs(address.sin_port);
    server.thread = test_thread_start(serve, NULL);
    return 0;
}

int world_close(void **state)
{
    (void)state;
    TEST_REQUIRE(write(server.stop[1], "", 1) == 1);
    test_thread_join(server.thread);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (connections[i].fd >= 0)
            hang_up(&connections[i]);
    }
    close(server.listener);
    close(server.stop[0]);
    close(server.stop[1]);
    world_serve_nothing();
    return 0;
}
