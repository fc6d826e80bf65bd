/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Reads every byte that a certificate context or a store shows, so that a sanitizer sees which of
 * them are not there. One thread.
 */
#ifndef OSSPI_TESTS_FUZZ_FUZZ_CERT_READ_H
#define OSSPI_TESTS_FUZZ_FUZZ_CERT_READ_H

#include <wincrypt.h>

/** Structure, names, extensions and properties. */
void fuzz_read_certificate(PCCERT_CONTEXT context);
/** All certificates of a store, by walking and by finding; closes the store. */
void fuzz_read_store(HCERTSTORE store);
/** Without closing it. */
void fuzz_walk_store(HCERTSTORE store);

#endif
