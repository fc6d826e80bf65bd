/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Certificates to measure with: an authority and a server certificate for *.bench.test, both with
 * the same kind of key, so that a verification checks two signatures of that kind.
 */
#ifndef BENCH_CERTS_H
#define BENCH_CERTS_H

#include <stdbool.h>

#include "common.h"

#define BENCH_HOST "server.bench.test"

struct bench_certs {
    char authority[512], chain[512], key[512]; /* PEM files */
};

/** Paths of the certificates of one kind of key in a folder. */
struct bench_certs bench_certs_paths(const char *folder, bool rsa);

/**
 * Makes certificates of both kinds in the folder that the options name, else in a temporary one
 * that is removed when the program ends.
 *
 * @return the folder, constant
 */
const char *bench_certs_make(const struct bench_options *options);

#endif
