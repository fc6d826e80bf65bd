/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The test certificates, for tests that use Schannel by the public calls; and what the programs of
 * such tests do first. The environment is changed, hence before there are threads.
 */
#ifndef OSSPI_TESTS_SUPPORT_TLS_CERTS_H
#define OSSPI_TESTS_SUPPORT_TLS_CERTS_H

#include <sspi.h>
#include <stddef.h>
#include <wincrypt.h>

/** Path of a test certificate or key; ends the test if it does not fit. */
void peer_path(const char *name, const char *suffix, char *path, size_t size);
/** A test certificate with its key. */
PCCERT_CONTEXT peer_certificate(const char *name);
/** Trusts this authority from here on; works only before the first credential. */
void peer_trust(const char *name);

/** Starts the watchdog and trusts the test CA; a group setup of cmocka. */
int peer_set_up(void **state);

#endif
