/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A Kerberos realm of the test's own: a KDC of MIT's on a copy of the database that
 * script/make-test-realm has made, on the loopback address, with a port that was free; and the
 * environment in which libkrb5 finds it. One per program; the kernel ends the KDC with the program.
 */
#ifndef OSSPI_TESTS_GSSAPI_REALM_H
#define OSSPI_TESTS_GSSAPI_REALM_H

#include <stdint.h>
#include <sys/types.h>

#define REALM_NAME "OPENSSPI.TEST"

struct realm {
    char folder[64]; /* made for this program, removed by realm_stop() */
    pid_t kdc;       /* 0: none runs */
    uint16_t port;
    pid_t kadmind; /* 0: none runs */
    uint16_t admin_port, password_port;
};

/** Starts it; ends the program with 77 (1 where peers are required) if there is no KDC. */
void realm_start(struct realm *realm);
void realm_stop(struct realm *realm);

/** Starts the server of passwords too; krb5.conf names it until it is written anew. */
void realm_start_passwords(struct realm *realm);

/**
 * Writes krb5.conf anew. kdcs: lines of the realm, "kdc = 127.0.0.1:88\n"; NULL: the KDC that
 * runs. more: lines of [libdefaults], which win, or NULL.
 */
void realm_configure(const struct realm *realm, const char *kdcs, const char *more);

/** The path of a file of the realm's folder; good until the next call. */
const char *realm_file(const struct realm *realm, const char *name);

/** kinit: a cache of tickets, FILE:, for that user. */
void realm_log_in(const struct realm *realm, const char *user, const char *cache_file);

#endif
