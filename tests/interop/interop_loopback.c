/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Preloaded into peer programs that listen on every address and do not tell the port which the
 * kernel gave them (gnutls-serv): they listen on the loopback only and say "ACCEPT address:port"
 * on standard error. What they print goes out line by line, although it goes to a pipe.
 *
 * One thread: the programs bind before they start any. Built without sanitizers.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

typedef int bind_function(int fd, const struct sockaddr *address, socklen_t len);
typedef int listen_function(int fd, int backlog);

__attribute__((visibility("default"))) bind_function bind;
__attribute__((visibility("default"))) listen_function listen;

__attribute__((visibility("default"))) void setbuf(FILE *file, char *buffer);

static void tell_address(int fd)
{
    struct sockaddr_in here = {0};
    socklen_t len = sizeof(here);

    if (getsockname(fd, (struct sockaddr *)&here, &len) == 0 && here.sin_family == AF_INET)
        fprintf(stderr, "ACCEPT 127.0.0.1:%u\n", ntohs(here.sin_port));
}

__attribute__((constructor)) static void print_lines(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
}

/* gnutls-cli would print what comes with a system call for each byte. */
void setbuf(FILE *file, char *buffer)
{
    (void)file;
    (void)buffer;
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    bind_function *next = (bind_function *)dlsym(RTLD_NEXT, "bind");
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } here;
    int type = 0, result;
    socklen_t type_len = sizeof(type);

    if (len > sizeof(here))
        return next(fd, address, len);
    memcpy(&here, address, len);
    if (here.any.sa_family == AF_INET)
        here.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (here.any.sa_family == AF_INET6)
        here.six.sin6_addr = in6addr_loopback;
    result = next(fd, &here.any, len);
    if (result == 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 &&
        type == SOCK_DGRAM)
        tell_address(fd); /* nobody will listen on it */
    return result;
}

int listen(int fd, int backlog)
{
    listen_function *next = (listen_function *)dlsym(RTLD_NEXT, "listen");
    int result = next(fd, backlog);

    if (result == 0)
        tell_address(fd);
    return result;
}
