/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How nginx is configured, started and cleaned up after; see interop_nginx.h.
 */
#include "interop_nginx.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Everything that nginx would put into system folders goes to its prefix. */
static const char general[] = "daemon off;\n"
                              "master_process off;\n"
                              "pid nginx.pid;\n"
                              "error_log stderr info;\n"
                              "events { worker_connections 64; }\n"
                              "http {\n"
                              "access_log off;\n"
                              "client_body_temp_path body;\n"
                              "proxy_temp_path proxy;\n"
                              "fastcgi_temp_path fastcgi;\n"
                              "uwsgi_temp_path uwsgi;\n"
                              "scgi_temp_path scgi;\n"
                              "client_max_body_size 16m;\n"
                              "server {\n"
                              "listen 127.0.0.1:%u reuseport %s;\n"
                              "root files;\n";

static FILE *open_configuration(const struct interop_nginx *nginx)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/files", nginx->folder);
    TEST_REQUIRE(mkdir(path, 0700) == 0);
    snprintf(path, sizeof(path), "%s/nginx.conf", nginx->folder);
    file = fopen(path, "we");
    TEST_REQUIRE(file != NULL);
    return file;
}

/* For further servers in the configuration; options of the socket stand in one place only. */
static void write_listen(const struct interop_nginx *nginx, const char *listens)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/listen.conf", nginx->folder);
    file = fopen(path, "we");
    TEST_REQUIRE(file != NULL);
    fprintf(file, "listen 127.0.0.1:%u %s;\n", nginx->port, listens);
    TEST_REQUIRE(fclose(file) == 0);
}

static int hold_port(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    TEST_REQUIRE(fd >= 0);
    TEST_REQUIRE(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
    TEST_REQUIRE(bind(fd, (struct sockaddr *)&address, len) == 0);
    TEST_REQUIRE(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

void interop_nginx_start(struct interop_nginx *nginx, const char *listens, const char *settings,
                         ...)
{
    const char *const words[] = {"nginx",      "-p", nginx->folder, "-c",
                                 "nginx.conf", "-e", "stderr",      NULL};
    FILE *file;
    va_list arguments;

    snprintf(nginx->folder, sizeof(nginx->folder), "/tmp/osspi-nginx-XXXXXX");
    TEST_REQUIRE(mkdtemp(nginx->folder) != NULL);
    nginx->holder = hold_port(&nginx->port);
    write_listen(nginx, listens);
    file = open_configuration(nginx);
    fprintf(file, general, nginx->port, listens);
    va_start(arguments, settings);
    vfprintf(file, settings, arguments);
    va_end(arguments);
    fprintf(file, "\n}\n}\n");
    TEST_REQUIRE(fclose(file) == 0);

    interop_start(&nginx->process, words);
    /* By now it listens. */
    interop_await(&nginx->process, "getrlimit(RLIMIT_NOFILE)");
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void interop_nginx_stop(struct interop_nginx *nginx)
{
    interop_stop(&nginx->process);
    close(nginx->holder);
    TEST_REQUIRE(nftw(nginx->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

const char *interop_nginx_certificate(char *text, size_t size, const char *prefix, const char *name)
{
    char certificate[512], key[512];
    int len;

    peer_path(name, ".pem", certificate, sizeof(certificate));
    peer_path(name, ".key", key, sizeof(key));
    len = snprintf(text, size, "%s_certificate \"%s\";\n%s_certificate_key \"%s\";\n", prefix,
                   certificate, prefix, key);
    TEST_REQUIRE(len > 0 && (size_t)len < size);
    return text;
}

/* ---- nginx as a client ---- */

void interop_nginx_start_proxy(struct interop_nginx *nginx, uint16_t port, const char *version,
                               const char *name)
{
    char authority[512];

    peer_path("ca", ".pem", authority, sizeof(authority));
    interop_nginx_start(nginx, "",
                        "location / {\n"
                        "proxy_pass https://127.0.0.1:%u;\n"
                        "proxy_ssl_protocols %s;\n"
                        "proxy_ssl_verify on;\n"
                        "proxy_ssl_verify_depth 4;\n"
                        "proxy_ssl_trusted_certificate \"%s\";\n"
                        "proxy_ssl_server_name on;\n"
                        "proxy_ssl_name %s;\n}",
                        port, version, authority, name);
}

void interop_nginx_ask(const struct interop_nginx *nginx, struct interop_wire *user)
{
    static const char request[] = "GET / HTTP/1.0\r\nHost: " PEER_TARGET "\r\n\r\n";

    interop_wire_init(user, PEER_SYNC, false, NULL);
    interop_wire_connect(user, nginx->port);
    peer_push(&user->net.in, request, strlen(request));
    interop_flush(user);
}

/* What nginx asks comes only if it has believed us. */
void interop_nginx_must_believe(struct interop_wire *wire)
{
    interop_must_handshake(wire);
    INTEROP_UNTIL(wire, wire->plain.len >= 4 || wire->eof);
    TEST_REQUIRE(wire->plain.len >= 4 && memcmp(wire->plain.bytes, "GET ", 4) == 0);
}
