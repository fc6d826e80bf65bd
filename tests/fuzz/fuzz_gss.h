/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the fuzz targets of Kerberos, NTLM and Negotiate share: a realm without a network, and pairs
 * of credentials and contexts.
 *
 * The realm's KDC is a function in this process, put in the place of the library's exchange with
 * the network when the program is linked (--wrap). Its answers, as they are or as the input says,
 * come in through the library's own transport, over a pair of sockets. One thread.
 */
#ifndef OSSPI_TESTS_FUZZ_FUZZ_GSS_H
#define OSSPI_TESTS_FUZZ_FUZZ_GSS_H

#include "fuzz/fuzz.h"
#include "gssapi/pair.h"

#define FUZZ_GSS_TARGET "HTTP/server.test"

/** Makes the realm: files in a folder of its own, removed at exit, and the environment. */
void fuzz_gss_realm(void);

/** From here on the realm's answers are what this input says; NULL: they are genuine. */
void fuzz_gss_answers(struct fuzz_input *input);

enum fuzz_gss_kind {
    FUZZ_GSS_KERBEROS,
    FUZZ_GSS_DCE, /* Kerberos in three legs */
    FUZZ_GSS_NTLM,
    FUZZ_GSS_SPNEGO_KERBEROS,
    FUZZ_GSS_SPNEGO_NTLM,
    FUZZ_GSS_KINDS
};

/** Credentials and flags of that kind; kept for all inputs. */
void fuzz_gss_open(struct pair *pair, enum fuzz_gss_kind kind);

/** A client's credential of that kind, with alice's password. */
SECURITY_STATUS fuzz_gss_client(struct pair *pair, enum fuzz_gss_kind kind);

#endif
