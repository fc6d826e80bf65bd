/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the handshake of a datagram context needs, for leg_datagram.c (its legs),
 * leg_datagram_first.c (those before and with the cookie), leg_datagram_feed.c (records to and from
 * the TLS library) and leg_datagram_input.c (buffers that only they have). Both sides of the
 * context are held.
 */
#ifndef OSSPI_SCHANNEL_LEG_DATAGRAM_H
#define OSSPI_SCHANNEL_LEG_DATAGRAM_H

#include "packages/schannel/datagram.h"
#include "packages/schannel/leg.h"
#include "packages/schannel/tls_datagram.h"

#define OSSPI_MAX_ADDRESS 128u /* bytes; a struct sockaddr_storage fits */
#define OSSPI_MAX_SRTP    64u  /* bytes of profiles */

struct osspi_datagram_handshake {
    struct osspi_datagram_setup setup; /* points to srtp */
    struct osspi_line line;
    struct osspi_flight flight; /* our last one */
    bool fresh;                 /* it was made by the record that was fed last */

    /* The peer's messages: the last one of the flight that ours answers says, when it comes again
     * in another record, that ours was lost. */
    bool has_heard;
    uint16_t heard;        /* the highest number of a message */
    uint64_t heard_record; /* of the record that brought its end */
    bool answers;          /* ours is an answer to these two */
    uint16_t answered;
    uint64_t answered_record;
    uint8_t again; /* times that it was sent since: for the peer */
    uint8_t asked; /* and for the caller */
    uint8_t alert; /* an alert of somebody who need not be the peer; 0: none */

    /* What stood in the datagram behind the wish for a certificate: the caller may come back
     * without that datagram. NULL: nothing. */
    uint8_t *rest;
    size_t rest_len;

    uint64_t flags;   /* of the first leg; a server's connection is made by a later one */
    bool no_sessions; /* ApplyControlToken has said so, before there was a connection to tell */
    uint8_t *alpn;    /* of a server's first leg: protocol ids in wire form, or NULL */
    size_t alpn_len;
    uint8_t srtp[OSSPI_MAX_SRTP];
    uint8_t address[OSSPI_MAX_ADDRESS]; /* a server's client */
    size_t address_len;
};

static inline struct osspi_datagram_handshake *osspi_datagram_of(const struct osspi_leg_run *run)
{
    return run->sc->handshake->datagram;
}

void osspi_datagram_handshake_free(struct osspi_datagram_handshake *datagram); /* NULL: no-op */

/* ---- how a leg of the handshake ends: leg_datagram.c ---- */

/** As osspi_leg_report(); there is no expiry before there is a connection. */
void osspi_datagram_report(struct osspi_leg_run *run, size_t consumed);

/** Hands out the next datagram. SEC_I_MESSAGE_FRAGMENT: more wait, and status is what the leg with
 * the last one answers; SEC_E_INSUFFICIENT_MEMORY: the next leg hands it out; a failure. */
SECURITY_STATUS osspi_datagram_deliver(struct osspi_leg_run *run, SECURITY_STATUS status,
                                       size_t consumed);

/** Ends a leg whose `consumed` bytes have led the TLS library to a step. */
SECURITY_STATUS osspi_datagram_after_step(struct osspi_leg_run *run, enum osspi_tls_step step,
                                          size_t consumed);

/* ---- a server before its connection is made: leg_datagram_first.c ---- */

/** A leg that brings a ClientHello, or something else. */
SECURITY_STATUS osspi_datagram_greet(struct osspi_leg_run *run);

/* ---- the TLS library's records: leg_datagram_feed.c ---- */

/** The records that it has made become our flight. SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY,
 * SEC_E_INTERNAL_ERROR: there is none then. */
SECURITY_STATUS osspi_datagram_harvest(struct osspi_leg_run *run)
    __attribute__((warn_unused_result));

/** Feeds the datagram's records as long as it wants input; *step: what has come of it. The statuses
 * of osspi_datagram_harvest(). */
SECURITY_STATUS osspi_datagram_feed(struct osspi_leg_run *run, enum osspi_tls_step *step,
                                    size_t *ret_consumed) __attribute__((warn_unused_result));

/* ---- buffers: leg_datagram_input.c ---- */

/**
 * Takes the buffers that datagrams have: MTU on any leg, SRTP profiles, protocols and (server) the
 * client's address on the first one, the address on later ones as well.
 *
 * @return SEC_E_OK; SEC_E_INVALID_TOKEN: malformed; SEC_E_INVALID_PARAMETER: an MTU out of range,
 * an address that is missing or too long; SEC_E_UNSUPPORTED_FUNCTION: no profile that is known, a
 * master key identifier, or a buffer that asks for what DTLS does not do here;
 *         SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_datagram_take_buffers(struct osspi_leg_run *run);

/** SetContextAttributes(SECPKG_ATTR_DTLS_MTU), and the buffer of that name. SEC_E_OK;
 * SEC_E_INVALID_PARAMETER; SEC_E_UNSUPPORTED_FUNCTION: no datagram context. No lock is needed. */
SECURITY_STATUS osspi_datagram_set_mtu(struct osspi_schannel_context *sc, const void *buffer);
SECURITY_STATUS osspi_datagram_get_mtu(struct osspi_schannel_context *sc, void *buffer);

/** SECPKG_ATTR_SRTP_PARAMETERS of an established context; profile 0: none was agreed on. */
SECURITY_STATUS osspi_datagram_get_srtp(struct osspi_schannel_context *sc, void *buffer);

#endif
