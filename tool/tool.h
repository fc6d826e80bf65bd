/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What every verb of the `sspi` command shares: the table of verbs and the exit codes.
 *
 * The command is a user of the public headers like any other program. One cmd_<verb>.c per verb;
 * everything else is a helper of one or several verbs. Names here have no osspi_ prefix: that one
 * belongs to the library's inside, which nothing in this folder may touch.
 */
#ifndef SSPI_TOOL_H
#define SSPI_TOOL_H

/** Exit codes; every verb's --help names them. */
enum tool_exit {
    TOOL_OK = 0, /* did what was asked */
    TOOL_FAILED =
        1,          /* the operation failed: the peer, the protocol, the verdict on a certificate */
    TOOL_USAGE = 2, /* the command line makes no sense */
    TOOL_LOCAL = 3  /* something on this machine: a file, a key, memory, the network */
};

/** One verb. argv[0] is the verb's name; the result is an exit code. */
struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

int cmd_packages(int argc, char **argv);
int cmd_connect(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_auth(int argc, char **argv);
int cmd_store(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_bench(int argc, char **argv);

/** The lines about exit codes that end every help text. */
#define TOOL_EXIT_HELP \
    "Exit codes: 0 done; 1 the operation failed (the peer, the protocol, the verdict);\n" \
    "2 the command line makes no sense; 3 something on this machine (file, key, network).\n"

#endif
