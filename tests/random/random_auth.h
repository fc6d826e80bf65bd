/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Random arguments for acquiring a credential, synchronously or not; made in random_credential.c.
 */
#ifndef OSSPI_TESTS_RANDOM_RANDOM_AUTH_H
#define OSSPI_TESTS_RANDOM_RANDOM_AUTH_H

#include "random/random.h"

struct random_auth {
    SCHANNEL_CRED cred;
    PCCERT_CONTEXT certificate;
};

/** Auth data in *auth, or NULL. */
void *random_auth(struct random_thread *thread, struct random_auth *auth);
const char *random_package(struct random_thread *thread);
const WCHAR *random_wide_package(struct random_thread *thread);
/** SECPKG_CRED_..., mostly one that makes sense. */
ULONG random_use(struct random_thread *thread);
/** Puts a new credential into the pool. */
void random_credential_made(struct random_thread *thread, SecHandle made);

#endif
