/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The user's "MY" for tests: it is in a scratch folder that XDG_DATA_HOME names. Everything here
 * ends the test when it fails; one thread, unless said otherwise.
 */
#ifndef OSSPI_TESTS_API_TEST_CERT_MY_H
#define OSSPI_TESTS_API_TEST_CERT_MY_H

#include <opensspi.h>

#include "support/test_util.h"
#include "api/test_cert_util.h"

#define USER    CERT_SYSTEM_STORE_CURRENT_USER
#define MACHINE CERT_SYSTEM_STORE_LOCAL_MACHINE
#define NOBODY  65534

/** The scratch folder. */
extern char scratch[];

/** A file of "MY", or with "" the folder itself. Four paths of a thread are good at a time. */
const char *my(const char *name);

/** Runs a shell command. */
void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Group fixtures, and the one before each case: it begins without a folder. */
int make_scratch(void **state);
int remove_scratch(void **state);
int empty(void **state);
#define CASE(function) cmocka_unit_test_setup(function, empty)

/** Makes the folder, or puts a test certificate's file into it, closed to others. */
void make_folder(void);
void put_file(const char *from, const char *name);
/** Files in it, hidden ones too. */
unsigned count_files(void);

/** Opens the user's "MY", or with MACHINE the machine's. Any thread. */
HCERTSTORE open_my(DWORD flags);
/** Closes a store to which no references may be left. */
void close_store(HCERTSTORE store);
/** Certificates in the user's "MY". */
unsigned count_my(void);
/** A certificate of test files with its key (NULL: in the same file). */
PCCERT_CONTEXT load(const char *cert, const char *key);
/** Adds one that must be new. */
void put(HCERTSTORE store, PCCERT_CONTEXT context);
/** Puts one certificate with its key into the user's "MY". */
void fill(void);
/** The first one with a key, or NULL. */
PCCERT_CONTEXT find_key(HCERTSTORE store);

/** What OsspiListStore told. */
struct told {
    unsigned calls, good, bad, keys, certificates;
    SECURITY_STATUS folder, status;
    char reason[128];
};

/** Its callback, which checks what it is given. */
BOOL note(const OsspiStoreFile *file, void *data);
/** Asks for the user's "MY". */
struct told list(void);
/** The only file in it is left out, for this reason. */
void require_left_out(SECURITY_STATUS status, const char *reason);

#endif
