/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A folder, two KDCs and a token; see hanging_ground.h. One thread. Children of the program run the
 * same exit handlers as it does: they are to leave alone what is not theirs.
 */
#include "hanging_ground.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATHS      "/usr/sbin:/usr/bin:/sbin:/bin"
#define PATH_SIZE  512
#define PATIENCE_S 60
#define SKIPPED    77

/* Written by the program's one thread before the sides are forked. */
static struct ground {
    pid_t owner, kdc;
    char folder[256];
    int datagrams, listener;
    uint16_t silent_port, port;
    unsigned requests; /* to the silent KDC; each side's own */
} ground;

static const char *in_folder(const char *name)
{
    static char paths[4][PATH_SIZE]; /* each is good until the fourth call after it */
    static unsigned next;
    char *path = paths[next++ % 4];

    if (snprintf(path, PATH_SIZE, "%s/%s", ground.folder, name) >= PATH_SIZE)
        bench_die("the temporary folder's name is too long");
    return path;
}

/* --- Programs --- */

/* silent: what it prints goes to a file. */
static pid_t start_program(const char *const words[], bool silent)
{
    const pid_t parent = getpid();
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child < 0)
        bench_die("no process: %s", strerror(errno));
    if (child == 0) {
        const int log = open(in_folder("programs.log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        const int nothing = open("/dev/null", O_RDONLY);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || log < 0 || nothing < 0)
            _exit(126);
        dup2(nothing, 0);
        dup2(log, 1);
        if (silent)
            dup2(log, 2);
        execvp(words[0], (char *const *)words);
        _exit(127);
    }
    return child;
}

static int run_program(const char *const words[])
{
    const pid_t child = start_program(words, false);
    int status = 0;

    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

/* What is missing may be, unless the environment says that nothing is. */
static bool missing(const char *what)
{
    if (getenv("OSSPI_REQUIRE_PEERS"))
        bench_die("%s", what);
    fprintf(stderr, "bench: skipped: %s\n", what);
    return false;
}

static void must(const char *const words[])
{
    if (run_program(words) != 0)
        bench_die("%s failed", words[0]);
}

/* --- The folder --- */

static void clean_up(void)
{
    int status;

    if (getpid() != ground.owner)
        return;
    if (ground.kdc > 0 && kill(ground.kdc, SIGKILL) == 0)
        waitpid(ground.kdc, &status, 0);
    run_program((const char *const[]){"rm", "-rf", ground.folder, NULL});
}

static FILE *create(const char *name)
{
    FILE *file = fopen(in_folder(name), "we");

    if (!file)
        bench_die("cannot write %s: %s", in_folder(name), strerror(errno));
    return file;
}

static void finish(FILE *file)
{
    if (fclose(file) != 0)
        bench_die("cannot write: %s", strerror(errno));
}

static void write_configuration(void)
{
    FILE *file = create("krb5.conf");

    fprintf(file,
            "[libdefaults]\ndefault_realm = " GROUND_REALM "\ndns_lookup_kdc = false\n"
            "[realms]\n" GROUND_REALM " = {\nkdc = 127.0.0.1:%u\n}\n" GROUND_SILENT
            " = {\nkdc = 127.0.0.1:%u\n}\n[domain_realm]\nserver.test = " GROUND_REALM
            "\nsilent.test = " GROUND_SILENT "\n",
            ground.port, ground.silent_port);
    finish(file);
}

/* --- Sockets --- */

static int open_at(int type, uint16_t port, uint16_t *ret_port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    const int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        bench_die("no socket: %s", strerror(errno));
    if (bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        close(fd);
        return -1;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* One number for datagrams and streams. The kernel takes both; nobody reads them. */
static void open_silent(void)
{
    uint16_t port;

    do {
        ground.listener = open_at(SOCK_STREAM, 0, &ground.silent_port);
        if (ground.listener < 0 || listen(ground.listener, 1024) != 0)
            bench_die("no port: %s", strerror(errno));
        ground.datagrams = open_at(SOCK_DGRAM, ground.silent_port, &port);
        if (ground.datagrams < 0)
            close(ground.listener);
    } while (ground.datagrams < 0);
}

static void count_requests(void)
{
    char byte;

    while (recv(ground.datagrams, &byte, 1, 0) >= 0)
        ground.requests++;
}

void ground_silent_drain(void)
{
    int stream;

    count_requests();
    while ((stream = accept(ground.listener, NULL, NULL)) >= 0)
        close(stream);
    ground.requests = 0;
}

void ground_silent_await(unsigned requests)
{
    const int64_t end = bench_now_ns() + (int64_t)PATIENCE_S * 1000000000;

    for (count_requests(); ground.requests < requests; count_requests()) {
        if (bench_now_ns() > end)
            bench_die("only %u requests came to the silent KDC", ground.requests);
        usleep(200);
    }
}

void ground_make(void)
{
    const char *temporary = getenv("TMPDIR");

    snprintf(ground.folder, sizeof(ground.folder), "%s/bench-hanging-XXXXXX",
             temporary ? temporary : "/tmp");
    if (!mkdtemp(ground.folder))
        bench_die("no temporary folder: %s", strerror(errno));
    ground.owner = getpid();
    atexit(clean_up);
    open_silent();
    ground.port = 1; /* until there is one: nobody is there */
    write_configuration();
    setenv("PATH", PATHS, 1);
    setenv("KRB5_CONFIG", in_folder("krb5.conf"), 1);
    setenv("KRB5_KDC_PROFILE", in_folder("kdc.conf"), 1);
    setenv("KRB5_KTNAME", in_folder("kdc/server.keytab"), 1);
    setenv("KRB5_CLIENT_KTNAME", in_folder("no.keytab"), 1);
    setenv("KRB5CCNAME", in_folder("no.ccache"), 1);
}

/* --- The live realm --- */

static bool accepts(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool good = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

    close(fd);
    return good;
}

static void start_kdc(void)
{
    const int64_t end = bench_now_ns() + (int64_t)PATIENCE_S * 1000000000;
    FILE *file = create("kdc.conf");
    int fd = open_at(SOCK_STREAM, 0, &ground.port), status;

    close(fd);
    fprintf(file,
            "[kdcdefaults]\nkdc_listen = 127.0.0.1:%u\nkdc_tcp_listen = 127.0.0.1:%u\n"
            "[realms]\n" GROUND_REALM " = {\ndatabase_name = %s/kdc/principal\n"
            "key_stash_file = %s/kdc/stash\nmax_life = 10h\n}\n"
            "[logging]\nkdc = FILE:%s/kdc.log\n",
            ground.port, ground.port, ground.folder, ground.folder, ground.folder);
    finish(file);
    write_configuration();
    ground.kdc = start_program((const char *const[]){"krb5kdc", "-n", NULL}, true);
    while (!accepts(ground.port)) {
        if (waitpid(ground.kdc, &status, WNOHANG) != 0 || bench_now_ns() > end)
            bench_die("the KDC does not run");
        usleep(2000);
    }
}

bool ground_realm(void)
{
    const char *made = getenv("OSSPI_TEST_REALM"); /* by a test's fixture */
    char marker[PATH_SIZE];
    int status;

    if (!made) {
        made = in_folder("realm");
        status = run_program(
            (const char *const[]){BENCH_SOURCE_DIR "/script/make-test-realm", made, NULL});
        if (status != 0 && status != SKIPPED)
            bench_die("the realm cannot be made");
    }
    snprintf(marker, sizeof(marker), "%s/.edition", made);
    if (access(marker, R_OK) != 0 || access("/usr/sbin/krb5kdc", X_OK) != 0)
        return missing("no live realm: krb5kdc, kdb5_util or kadmin.local is missing");
    must((const char *const[]){"cp", "-r", made, in_folder("kdc"), NULL});
    start_kdc();
    return true;
}

/* --- The token --- */

static char key_uris[2][PATH_SIZE]; /* constant after ground_token() */

/* The last that is there, as make-token takes it. */
static bool name_keys(void)
{
    glob_t found;
    const bool good = glob("/usr/lib/softhsm/libsofthsm2.so", 0, NULL, &found) == 0 ||
                      glob("/usr/lib/*/softhsm/libsofthsm2.so", 0, NULL, &found) == 0;

    for (int rsa = 0; good && rsa < 2; rsa++)
        snprintf(key_uris[rsa], PATH_SIZE,
                 "pkcs11:token=osspi%%20test;object=%s;type=private?module-path=%s",
                 rsa ? "server-rsa" : "server", found.gl_pathv[0]);
    globfree(&found);
    return good;
}

const char *ground_key(bool rsa)
{
    return key_uris[rsa];
}

/* The names that make-token looks for. */
static void link_certificates(const char *certs)
{
    static const char *const names[][2] = {
        {"server", "ecdsa"}, {"server-rsa", "rsa"}, {"client", "ecdsa"}};
    static const char *const ends[] = {"pem", "key"};
    char from[PATH_SIZE], name[64];

    if (mkdir(in_folder("named"), 0700) != 0)
        bench_die("no folder: %s", strerror(errno));
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 2; k++) {
            snprintf(from, sizeof(from), "%s/%s.%s", certs, names[i][1], ends[k]);
            snprintf(name, sizeof(name), "named/%s.%s", names[i][0], ends[k]);
            must((const char *const[]){"cp", from, in_folder(name), NULL});
        }
    }
}

bool ground_token(const char *certs)
{
    int status;

    if (BENCH_SANITIZED) {
        fputs("bench: skipped: no token, because sanitizers refuse how its module is loaded\n",
              stderr);
        return false;
    }
    if (!name_keys())
        return missing("no token: softhsm2 is missing");
    link_certificates(certs);
    status = run_program((const char *const[]){BENCH_SOURCE_DIR "/tests/token/make-token",
                                               in_folder("named"), in_folder("token"), NULL});
    if (status == SKIPPED)
        return missing("no token: softhsm2 or opensc is missing");
    if (status != 0)
        bench_die("the token cannot be made");
    return true;
}

/* --- A side's own --- */

void ground_side(bool token)
{
    char name[64], text[PATH_SIZE];
    FILE *file;

    snprintf(text, sizeof(text), "file2:%s/rcache-%d", ground.folder, (int)getpid());
    setenv("KRB5RCACHENAME", text, 1);
    if (!token)
        return;
    snprintf(name, sizeof(name), "tokens-%d", (int)getpid());
    must((const char *const[]){"cp", "-r", in_folder("token/tokens"), in_folder(name), NULL});
    snprintf(text, sizeof(text), "softhsm-%d.conf", (int)getpid());
    file = create(text);
    fprintf(file, "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n",
            in_folder(name));
    finish(file);
    setenv("SOFTHSM2_CONF", in_folder(text), 1);
    unsetenv("PKCS11_MODULE_PATH");
    unsetenv("PKCS11_PROVIDER_MODULE");
}
