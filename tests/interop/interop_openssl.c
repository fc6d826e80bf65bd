/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How openssl s_server and s_client are started, and what starting any server has in common; see
 * interop_wire.h.
 */
#include <stdio.h>

#include "interop_wire.h"

size_t interop_add_words(const char **words, size_t count, const char *const more[])
{
    for (; more && *more; more++) {
        TEST_REQUIRE(count < INTEROP_ARGUMENTS - 1);
        words[count++] = *more;
    }
    return count;
}

uint16_t interop_start_server(struct interop_process *process, const char *const words[])
{
    char line[128];
    unsigned port = 0;

    interop_start(process, words);
    interop_await_line(process, "ACCEPT ", line, sizeof(line));
    TEST_REQUIRE_EQUAL(sscanf(line, "ACCEPT 127.0.0.1:%u", &port), 1);
    interop_forget(process);
    TEST_REQUIRE(port > 0 && port <= UINT16_MAX);
    return (uint16_t)port;
}

uint16_t interop_s_server(struct interop_process *process, const char *name,
                          const char *const extra[])
{
    char certificate[512], key[512], authority[512];
    const char *const usual[] = {"openssl",   "s_server",    "-accept",   "127.0.0.1:0", "-cert",
                                 certificate, "-cert_chain", certificate, "-key",        key,
                                 "-CAfile",   authority,     NULL};
    const char *words[INTEROP_ARGUMENTS] = {0};

    peer_path(name, ".pem", certificate, sizeof(certificate));
    peer_path(name, ".key", key, sizeof(key));
    peer_path("ca", ".pem", authority, sizeof(authority));
    interop_add_words(words, interop_add_words(words, 0, usual), extra);
    return interop_start_server(process, words);
}

void interop_s_client(struct interop_process *process, uint16_t port, const char *const extra[])
{
    char address[64], authority[512];
    const char *const usual[] = {"openssl",
                                 "s_client",
                                 "-connect",
                                 address,
                                 "-servername",
                                 PEER_TARGET,
                                 "-verify_hostname",
                                 PEER_TARGET,
                                 "-verify_return_error",
                                 "-CAfile",
                                 authority,
                                 NULL};
    const char *words[INTEROP_ARGUMENTS] = {0};

    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    peer_path("ca", ".pem", authority, sizeof(authority));
    interop_add_words(words, interop_add_words(words, 0, usual), extra);
    interop_start(process, words);
}
