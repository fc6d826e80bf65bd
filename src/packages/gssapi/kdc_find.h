/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The addresses of a realm's servers, as they are found out: those of the configuration, else those
 * that DNS tells, in URI records or else in SRV records (RFC 4120 7.2.3). For the exchange (kdc.h),
 * whose thread it belongs to.
 */
#ifndef OSSPI_GSSAPI_KDC_FIND_H
#define OSSPI_GSSAPI_KDC_FIND_H

#include "packages/gssapi/kdc_list.h"

#define OSSPI_KDC_TARGETS 32u

enum osspi_kdc_transport { OSSPI_KDC_UDP = 1, OSSPI_KDC_TCP = 2 };

/** One address, and one way to it. */
struct osspi_kdc_target {
    union osspi_address address;
    enum osspi_kdc_transport transport;
    bool begun; /* the exchange's */
};

struct osspi_kdc_finder;

/** One host whose addresses are asked for. */
struct osspi_kdc_question {
    struct osspi_kdc_finder *finder;
    unsigned transports; /* enum osspi_kdc_transport, or both */
    uint16_t port;
};

struct osspi_kdc_finder {
    enum osspi_kdc_service service;
    const char *realm; /* the caller's, until the finder is cleared */
    struct osspi_kdc_target targets[OSSPI_KDC_TARGETS];
    size_t count;
    struct osspi_dns *dns; /* NULL: nothing was to be asked */
    unsigned open;         /* questions without an answer */
    bool silent;           /* a question was not answered, or a server could not be asked */
    bool ending;           /* no further questions */
    struct osspi_kdc_question questions[OSSPI_KDC_TARGETS];
    size_t question_count;
    struct osspi_kdc_question services[2]; /* udp, tcp */
};

/** Begins to look. The finder stays where it is until it is cleared. */
void osspi_kdc_find(struct osspi_kdc_finder *finder, krb5_context k5, const char *realm,
                    enum osspi_kdc_service service);
void osspi_kdc_find_clear(struct osspi_kdc_finder *finder);

#endif
