/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A ClientHello as it came over the wire, read without a connection: RFC 8446 4.1.2 and 5.1,
 * RFC 5246 7.4.1.2. Pure functions on the caller's bytes: nothing is allocated or copied. A message
 * that lies in several records is read across them.
 */
#ifndef OSSPI_API_HELLO_H
#define OSSPI_API_HELLO_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A place inside the message, and how much of it may be read from there. */
struct osspi_hello_reader {
    const uint8_t *at; /* the next byte, or the header of the record it is in */
    size_t run;        /* bytes from at to the end of the record; 0: a header comes first */
    size_t left;       /* bytes of the message */
};

/**
 * Finds the message, and checks everything up to the extensions.
 *
 * @param[in]  framed          it is in records
 * @param[out] ret_extensions  the extensions; none: left is 0
 * @param[out] ret_total       SEC_E_OK: bytes of the message and what frames it;
 *                             SEC_E_INCOMPLETE_MESSAGE: bytes that there have to be, at least
 * @return SEC_E_OK; SEC_E_INCOMPLETE_MESSAGE; SEC_E_ILLEGAL_MESSAGE: it is not a ClientHello.
 */
SECURITY_STATUS osspi_hello_open(const uint8_t *bytes, size_t len, bool framed,
                                 struct osspi_hello_reader *ret_extensions, size_t *ret_total);

/** Takes the next extension. False: there is none, or what is there is none; then left is not 0. */
bool osspi_hello_next(struct osspi_hello_reader *extensions, uint16_t *ret_type,
                      struct osspi_hello_reader *ret_body);

/** Takes len bytes. False: so many are not there. */
bool osspi_hello_skip(struct osspi_hello_reader *reader, size_t len);

/** Takes a number of 1 to 3 bytes. */
bool osspi_hello_number(struct osspi_hello_reader *reader, size_t size, uint32_t *ret_number);

/** Takes a number, and as many bytes as it says. */
bool osspi_hello_vector(struct osspi_hello_reader *reader, size_t size,
                        struct osspi_hello_reader *ret_body);

/** Where all the bytes are, behind each other; NULL: a record ends between them. */
const uint8_t *osspi_hello_bytes(const struct osspi_hello_reader *reader);

#endif
