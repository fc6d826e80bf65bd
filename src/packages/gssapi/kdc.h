/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One message to a realm's key distribution centre (RFC 4120 7.2), or to its server of passwords
 * (RFC 3244), and one back, over non-blocking sockets.
 *
 * All servers of the realm are candidates: the next one is tried a second after the one before, or
 * at once when that has failed, and all that were tried are listened to until one answers. So a
 * dead server costs a second, and nothing else. What is no Kerberos message is not taken for an
 * answer.
 *
 * Waits within the limit of the thread's work (base/wait.h), hence for the blocking lane and for
 * callers' threads only. Thread-safe: no state of its own.
 */
#ifndef OSSPI_GSSAPI_KDC_H
#define OSSPI_GSSAPI_KDC_H

#include <krb5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/gssapi/kdc_attempt.h"

/** Makes a request that names the address it comes from. ret_bytes: from osspi_alloc(). */
typedef krb5_error_code osspi_kdc_make_fn(void *data, const union osspi_address *local,
                                          uint8_t **ret_bytes, size_t *ret_len);

struct osspi_kdc_request {
    krb5_context k5; /* for its configuration */
    const char *realm;
    enum osspi_kdc_service service;
    const uint8_t *bytes;
    size_t len;
    /** Instead of bytes. Then the request goes to one server only, once: to the first that can be
     * reached, over a stream where one can. For what must not happen twice. */
    osspi_kdc_make_fn *make;
    void *make_data;
    bool tcp; /* the answer is too big for a datagram */
    uint64_t deadline_ns;
    /** A server that has been asked, or NULL: if it is one of these, none is. */
    const union osspi_address *asked;
};

/**
 * Sends and receives. Not to be called inside OSSPI_GSS_CALL.
 *
 * @return 0; KRB5_REALM_UNKNOWN: the realm has no server, neither by configuration nor by DNS;
 *         KRB5_REALM_CANT_RESOLVE: its servers cannot be found out; KRB5_KDC_UNREACH: none has
 *         answered in time, or none was to be asked; ENOMEM; what make has returned.
 */
krb5_error_code osspi_kdc_exchange(const struct osspi_kdc_request *request,
                                   struct osspi_kdc_reply *ret_reply);

#endif
