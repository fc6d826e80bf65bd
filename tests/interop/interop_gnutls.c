/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How gnutls-serv and gnutls-cli are started; see interop_gnutls.h.
 */
#include "interop_gnutls.h"

#include <stdio.h>
#include <stdlib.h>

#define PATH_SIZE 512

/* The word for env(1). */
static void preload(char *word, size_t size)
{
    const char *build = getenv("OSSPI_TEST_BUILD");
    int len = snprintf(word, size, "LD_PRELOAD=%s/tests/interop/interop_loopback.so",
                       build ? build : ".");

    TEST_REQUIRE(len > 0 && (size_t)len < size);
}

uint16_t interop_gnutls_serv_files(struct interop_process *process, const char *certificate,
                                   const char *key, const char *priority, const char *const extra[])
{
    char shim[PATH_SIZE], authority[PATH_SIZE];
    const char *const usual[] = {"env",
                                 shim,
                                 "gnutls-serv",
                                 "--echo",
                                 "--port",
                                 "0",
                                 "--priority",
                                 priority,
                                 "--x509certfile",
                                 certificate,
                                 "--x509keyfile",
                                 key,
                                 "--x509cafile",
                                 authority,
                                 NULL};
    const char *words[INTEROP_ARGUMENTS] = {0};

    preload(shim, sizeof(shim));
    peer_path("ca", ".pem", authority, sizeof(authority));
    interop_add_words(words, interop_add_words(words, 0, usual), extra);
    return interop_start_server(process, words);
}

uint16_t interop_gnutls_serv(struct interop_process *process, const char *name,
                             const char *priority, const char *const extra[])
{
    char certificate[PATH_SIZE], key[PATH_SIZE];

    peer_path(name, ".pem", certificate, sizeof(certificate));
    peer_path(name, ".key", key, sizeof(key));
    return interop_gnutls_serv_files(process, certificate, key, priority, extra);
}

void interop_gnutls_cli_file(struct interop_process *process, uint16_t port, const char *file,
                             const char *name, const char *priority, const char *const extra[])
{
    char shim[PATH_SIZE], number[16];
    const char *const usual[] = {"env",        shim,
                                 "gnutls-cli", "--port",
                                 number,       "--x509cafile",
                                 file,         "--sni-hostname",
                                 name,         "--verify-hostname",
                                 name,         "--priority",
                                 priority,     "--inline-commands",
                                 "127.0.0.1",  NULL};
    const char *words[INTEROP_ARGUMENTS] = {0};

    preload(shim, sizeof(shim));
    snprintf(number, sizeof(number), "%u", port);
    interop_add_words(words, interop_add_words(words, 0, usual), extra);
    interop_start(process, words);
}

void interop_gnutls_cli(struct interop_process *process, uint16_t port, const char *authority,
                        const char *name, const char *priority, const char *const extra[])
{
    char file[PATH_SIZE];

    peer_path(authority, ".pem", file, sizeof(file));
    interop_gnutls_cli_file(process, port, file, name, priority, extra);
}
