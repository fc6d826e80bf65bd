/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * KDCs that do not behave, each a thread of the test on a port of its own, UDP and TCP alike; and a
 * name server that tells, or does not tell, where the KDC is.
 */
#ifndef OSSPI_TESTS_GSSAPI_FAKE_KDC_H
#define OSSPI_TESTS_GSSAPI_FAKE_KDC_H

#include <pthread.h>
#include <stdint.h>

#include "support/test_util.h"

#define FAKE_STREAMS 64u

enum fake_kind {
    FAKE_SILENT,   /* takes everything and never answers */
    FAKE_GARBAGE,  /* answers what is no Kerberos */
    FAKE_BROKEN,   /* answers what begins like Kerberos, and has the right length */
    FAKE_TOO_BIG,  /* says of each datagram that its answer is too big, and passes streams on */
    FAKE_ERROR,    /* answers an error */
    FAKE_OLD,      /* answers an error to those who log in, and passes all others on */
    FAKE_LATE,     /* passes on, but not before the gate is open */
    FAKE_DAMAGED,  /* passes on, and changes bytes of the answer behind its head */
    FAKE_DATAGRAMS /* passes datagrams on, and takes no streams */
};

struct fake_kdc {
    enum fake_kind kind;
    int error;         /* of FAKE_ERROR: RFC 4120 7.5.9 */
    uint16_t upstream; /* port of the true KDC */
    uint64_t seed;     /* of FAKE_DAMAGED */

    uint16_t port;
    pthread_t thread;
    int datagrams, listener, stop; /* descriptors */
    int streams[FAKE_STREAMS];
    unsigned stream_count;
    struct test_gate gate;
    struct test_counter requests, answers; /* that came, and that were given */
};

void fake_kdc_start(struct fake_kdc *fake, enum fake_kind kind);
void fake_kdc_stop(struct fake_kdc *fake);

/** Answers SRV with kdc.opensspi.test at that port, and A with 127.0.0.1; port 0: never answers. */
struct fake_dns {
    uint16_t kdc_port;
    const char *uri; /* of URI records, or NULL: there are none */
    uint16_t port;
    pthread_t thread;
    int socket, stop;
    struct test_counter requests;
};

void fake_dns_start(struct fake_dns *fake, uint16_t kdc_port);
void fake_dns_stop(struct fake_dns *fake);

/** How many sockets this process has open. */
unsigned open_sockets(void);

#endif
