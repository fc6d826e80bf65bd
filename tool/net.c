/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Plain TCP for the client side.
 */
#include "net.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

int64_t net_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t net_now_ms(void)
{
    return net_now_us() / 1000;
}

int net_left_ms(int64_t deadline_ms)
{
    int64_t left = deadline_ms - net_now_ms();
    if (left <= 0)
        return 0;
    return left > 1000000000 ? 1000000000 : (int)left;
}

static bool copy(const char *from, size_t len, char *to, size_t size)
{
    if (len == 0 || len >= size)
        return false;
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

bool net_split(const char *text, const char *default_port, struct net_address *ret_address)
{
    const char *host = text, *port = default_port;
    size_t host_len = strlen(text);
    const char *colon = strrchr(text, ':');

    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        if (!end || (end[1] != '\0' && end[1] != ':'))
            return false;
        host = text + 1;
        host_len = (size_t)(end - host);
        if (end[1] == ':')
            port = end + 2;
    } else if (colon && strchr(text, ':') == colon) { /* more colons: a bare IPv6 address */
        host_len = (size_t)(colon - text);
        port = colon + 1;
    }

    unsigned long number;
    return text_number(port, 1, 65535, &number) &&
           copy(host, host_len, ret_address->host, sizeof(ret_address->host)) &&
           copy(port, strlen(port), ret_address->port, sizeof(ret_address->port));
}

/* Waits for a started connect; 0 or an errno value. */
static int wait_connected(int fd, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd item = {.fd = fd, .events = POLLOUT};
        int count = poll(&item, 1, net_left_ms(deadline_ms));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno;
        if (count == 0)
            return ETIMEDOUT;

        int error = 0;
        socklen_t size = sizeof(error);
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
            return errno;
        return error;
    }
}

/* A connected socket, or -1 with errno. */
static int connect_one(const struct addrinfo *info, int64_t deadline_ms)
{
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    info->ai_protocol);
    if (fd < 0)
        return -1;
    int error = 0;
    if (connect(fd, info->ai_addr, info->ai_addrlen) < 0) {
        error = errno;
        if (error == EINPROGRESS || error == EINTR)
            error = wait_connected(fd, deadline_ms);
    }
    if (error) {
        close(fd);
        errno = error;
        return -1;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

int net_connect(const struct net_address *address, int64_t deadline_ms, char *why, size_t why_size)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(address->host, address->port, &hints, &list);
    if (error) {
        snprintf(why, why_size, "%s", error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
        return -1;
    }

    int fd = -1;
    for (const struct addrinfo *info = list; info && fd < 0; info = info->ai_next)
        fd = connect_one(info, deadline_ms);
    if (fd < 0)
        snprintf(why, why_size, "%s", strerror(errno));
    freeaddrinfo(list);
    return fd;
}
