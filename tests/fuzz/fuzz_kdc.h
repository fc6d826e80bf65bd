/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A key distribution centre that is a function: it answers AS-REQ and TGS-REQ (RFC 4120) of alice,
 * for any service, with tickets under one key. For one thread.
 */
#ifndef OSSPI_TESTS_FUZZ_FUZZ_KDC_H
#define OSSPI_TESTS_FUZZ_FUZZ_KDC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_REALM    "OPENSSPI.TEST"
#define FUZZ_PASSWORD "secret of alice"

/** What is wrong with an answer though it is well sealed; bits. */
enum fuzz_kdc_fault {
    FUZZ_KDC_NONCE = 1,
    FUZZ_KDC_TIMES = 2,
    FUZZ_KDC_FLAGS = 4,
    FUZZ_KDC_CLIENT = 8,  /* another one's */
    FUZZ_KDC_SERVER = 16, /* another service */
    FUZZ_KDC_REALM = 32,  /* a referral to another realm */
    FUZZ_KDC_INNER = 64,  /* the sealed part names another service than the ticket */
    FUZZ_KDC_KEY = 128    /* a session key of another kind */
};

/** Writes the keytab that the KDC and the server have in common. */
void fuzz_kdc_make(const char *keytab);

/** The answer, to be freed; NULL: this is no request of the kinds above. */
uint8_t *fuzz_kdc_answer(const uint8_t *request, size_t len, unsigned faults, size_t *ret_len);

/** A KRB-ERROR with that code and e-data, to be freed. */
uint8_t *fuzz_kdc_error(int code, const uint8_t *data, size_t data_len, size_t *ret_len);

#endif
