/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The realm of a test; see realm.h.
 */
#include "gssapi/realm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test_util.h"

#define PATHS "/usr/sbin:/usr/bin:/sbin:/bin"

static const char *const copied[] = {"principal",     "principal.kadm5", "principal.kadm5.lock",
                                     "principal.ok",  "stash",           "server.keytab",
                                     "client.keytab", "kadm5.acl"};

static void need(bool there, const char *what)
{
    if (there)
        return;
    fprintf(stderr, "%s is missing\n", what);
    exit(getenv("OSSPI_REQUIRE_PEERS") ? 1 : 77);
}

const char *realm_file(const struct realm *realm, const char *name)
{
    static _Thread_local char path[192];

    snprintf(path, sizeof(path), "%s/%s", realm->folder, name);
    return path;
}

static FILE *create(const struct realm *realm, const char *name)
{
    FILE *file = fopen(realm_file(realm, name), "w");

    TEST_REQUIRE(file != NULL);
    return file;
}

static void copy(const struct realm *realm, const char *from, const char *name)
{
    char path[512], bytes[4096];
    FILE *in, *out = create(realm, name);
    size_t len;

    snprintf(path, sizeof(path), "%s/%s", from, name);
    in = fopen(path, "r");
    TEST_REQUIRE(in != NULL);
    while ((len = fread(bytes, 1, sizeof(bytes), in)) > 0)
        TEST_REQUIRE(fwrite(bytes, 1, len, out) == len);
    fclose(in);
    TEST_REQUIRE(fclose(out) == 0);
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    TEST_REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 &&
                 getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

void realm_configure(const struct realm *realm, const char *kdcs, const char *more)
{
    FILE *file = create(realm, "krb5.conf");
    char own[64];

    snprintf(own, sizeof(own), "kdc = 127.0.0.1:%u\n", realm->port);
    fprintf(file,
            "[libdefaults]\n%s\ndefault_realm = " REALM_NAME "\ndns_lookup_kdc = false\n"
            "[realms]\n" REALM_NAME " = {\n%s\n}\n[domain_realm]\nserver.test = " REALM_NAME "\n",
            more ? more : "", kdcs ? kdcs : own);
    TEST_REQUIRE(fclose(file) == 0);
}

static void write_kdc_conf(const struct realm *realm)
{
    FILE *file = create(realm, "kdc.conf");

    fprintf(file,
            "[kdcdefaults]\nkdc_listen = 127.0.0.1:%u\nkdc_tcp_listen = 127.0.0.1:%u\n"
            "[realms]\n" REALM_NAME
            " = {\ndatabase_name = %s/principal\nkey_stash_file = %s/stash\n"
            "acl_file = %s/kadm5.acl\nmax_life = 10h\n"
            "kadmind_listen = 127.0.0.1:%u\nkpasswd_listen = 127.0.0.1:%u\n}\n"
            "[logging]\nkdc = FILE:%s/kdc.log\nadmin_server = FILE:%s/kadmind.log\n",
            realm->port, realm->port, realm->folder, realm->folder, realm->folder,
            realm->admin_port, realm->password_port, realm->folder, realm->folder);
    TEST_REQUIRE(fclose(file) == 0);
}

static void set_environment(const struct realm *realm)
{
    char text[256];

    setenv("PATH", PATHS, 1);
    setenv("KRB5_CONFIG", realm_file(realm, "krb5.conf"), 1);
    setenv("KRB5_KDC_PROFILE", realm_file(realm, "kdc.conf"), 1);
    setenv("KRB5_KTNAME", realm_file(realm, "server.keytab"), 1);
    setenv("KRB5_CLIENT_KTNAME", realm_file(realm, "no.keytab"), 1);
    snprintf(text, sizeof(text), "FILE:%s/ccache", realm->folder);
    setenv("KRB5CCNAME", text, 1);
    snprintf(text, sizeof(text), "file2:%s/rcache", realm->folder);
    setenv("KRB5RCACHENAME", text, 1);
}

static pid_t spawn(const struct realm *realm, const char *const words[], const char *input)
{
    const pid_t parent = getpid();
    int ends[2];
    pid_t child;

    TEST_REQUIRE(pipe(ends) == 0);
    child = fork();
    TEST_REQUIRE(child >= 0);
    if (child == 0) {
        const int log = open(realm_file(realm, "program.log"), O_WRONLY | O_CREAT | O_APPEND, 0600);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || log < 0)
            _exit(126);
        dup2(ends[0], 0);
        dup2(log, 1);
        dup2(log, 2);
        close(ends[1]);
        execvp(words[0], (char *const *)words);
        _exit(127);
    }
    close(ends[0]);
    TEST_REQUIRE(write(ends[1], input, strlen(input)) == (ssize_t)strlen(input));
    close(ends[1]);
    return child;
}

static bool accepts(uint16_t port, pid_t server)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool good = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    int status;

    close(fd);
    TEST_REQUIRE(waitpid(server, &status, WNOHANG) == 0); /* it has not ended */
    return good;
}

static bool kdc_accepts(void *data)
{
    const struct realm *realm = data;

    return accepts(realm->port, realm->kdc);
}

static bool kadmind_accepts(void *data)
{
    const struct realm *realm = data;

    return accepts(realm->password_port, realm->kadmind);
}

void realm_start(struct realm *realm)
{
    const char *from = getenv("OSSPI_TEST_REALM");
    char marker[512];

    *realm = (struct realm){.folder = "/tmp/opensspi-realm-XXXXXX"};
    need(from != NULL, "OSSPI_TEST_REALM");
    snprintf(marker, sizeof(marker), "%s/.edition", from);
    need(access(marker, R_OK) == 0, "the test realm");
    TEST_REQUIRE(mkdtemp(realm->folder) != NULL);
    for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
        copy(realm, from, copied[i]);
    realm->port = free_port();
    write_kdc_conf(realm);
    realm_configure(realm, NULL, NULL);
    set_environment(realm);
    realm->kdc = spawn(realm, (const char *const[]){"krb5kdc", "-n", NULL}, "");
    test_poll(kdc_accepts, realm);
}

void realm_start_passwords(struct realm *realm)
{
    char lines[128];

    realm->admin_port = free_port();
    do
        realm->password_port = free_port();
    while (realm->password_port == realm->admin_port);
    write_kdc_conf(realm);
    realm->kadmind = spawn(realm, (const char *const[]){"kadmind", "-nofork", NULL}, "");
    test_poll(kadmind_accepts, realm);
    snprintf(lines, sizeof(lines), "kdc = 127.0.0.1:%u\nkpasswd_server = 127.0.0.1:%u\n",
             realm->port, realm->password_port);
    realm_configure(realm, lines, NULL);
}

static void stop(pid_t *server)
{
    if (*server > 0) {
        kill(*server, SIGKILL);
        (void)test_child_join(*server);
    }
    *server = 0;
}

void realm_stop(struct realm *realm)
{
    char command[128];

    stop(&realm->kadmind);
    stop(&realm->kdc);
    snprintf(command, sizeof(command), "rm -rf '%s'", realm->folder);
    TEST_REQUIRE(system(command) == 0);
}

void realm_log_in(const struct realm *realm, const char *user, const char *cache_file)
{
    char cache[256], password[128];
    const char *const words[] = {"kinit", "-c", cache, user, NULL};

    snprintf(cache, sizeof(cache), "FILE:%s", realm_file(realm, cache_file));
    snprintf(password, sizeof(password), "secret of %s\n", user);
    TEST_REQUIRE_EQUAL(test_child_join(spawn(realm, words, password)), 0);
}
