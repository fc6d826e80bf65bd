/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The `sspi` command: finds the verb and runs it.
 */
#include "tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

static const struct verb verbs[] = {
    {"packages", cmd_packages, "list the security packages of this library"},
    {"connect", cmd_connect, "make a TLS connection and show what was negotiated"},
    {"serve", cmd_serve, "serve a directory over HTTPS"},
    {"auth", cmd_auth, "authenticate by Negotiate, Kerberos, NTLM or CredSSP, and talk under seal"},
    {"store", cmd_store, "list and change the certificates of this user or machine"},
    {"status", cmd_status, "explain a status code"},
    {"bench", cmd_bench, "measure: asynchronous calls against synchronous ones"},
};

static void print_help(FILE *stream)
{
    fputs("Usage: sspi VERB [ARGUMENT...]\n"
          "       sspi VERB --help\n"
          "       sspi --help | --version\n"
          "\n"
          "SSPI for Linux, with asynchronous calls, from the command line.\n"
          "\n"
          "Verbs:\n",
          stream);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        fprintf(stream, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
    fputs("\n"
          "Examples:\n"
          "  sspi connect example.org\n"
          "  sspi serve . --cert server.pem --key server.key --port 8443\n"
          "  echo hello | sspi auth connect server.example.org:4711 --mutual\n"
          "  sspi status 0x80090325\n"
          "\n" TOOL_EXIT_HELP,
          stream);
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

/* Results that could not be written are a failure: a full disk must not look like success. */
static int finish(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        text_complain("cannot write the result to standard output");
        return code == TOOL_OK ? TOOL_LOCAL : code;
    }
    return code;
}

/* A standard descriptor that is closed would be given to the next socket, and what is printed would
 * go to the peer. What stands in for it can be written to as little as it could. */
static void hold_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", O_RDONLY);
    }
}

int main(int argc, char **argv)
{
    hold_standard_descriptors();
    /* A peer or a reader of our output that goes away is an error to report, not a reason to die.
     */
    signal(SIGPIPE, SIG_IGN);

    if (argc < 2) {
        print_help(stderr);
        return TOOL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return finish(TOOL_OK);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("sspi (OpenSSPI) %s\n", SSPI_TOOL_VERSION);
        return finish(TOOL_OK);
    }
    const struct verb *verb = find_verb(argv[1]);
    if (!verb) {
        text_complain("there is no verb '%s'", argv[1]);
        fputs("Try 'sspi --help'.\n", stderr);
        return TOOL_USAGE;
    }
    return finish(verb->run(argc - 1, argv + 1));
}
