/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A ClientHello as it came over the wire; see hello.h. Before anything is taken from a reader, all
 * records of the message have been checked: stepping from one to the next cannot leave the bytes.
 */
#include "api/hello.h"

#define RECORD_HEADER  5u
#define MESSAGE_HEADER 4u
#define MAX_FRAGMENT   16384u
#define MAX_MESSAGE    131072u /* more than any TLS library accepts */
#define TYPE_HANDSHAKE 22u
#define CLIENT_HELLO   1u
#define MAJOR_VERSION  3u
#define RANDOM_LEN     32u
#define MAX_SESSION_ID 32u

static size_t number16(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

/* ---- reading ---- */

/* Over a record's header, if the next byte is behind one. */
static void enter_record(struct osspi_hello_reader *reader)
{
    if (reader->run > 0)
        return;
    reader->run = number16(reader->at + 3);
    reader->at += RECORD_HEADER;
}

bool osspi_hello_skip(struct osspi_hello_reader *reader, size_t len)
{
    if (len > reader->left)
        return false;
    reader->left -= len;
    while (len > 0) {
        size_t step;

        enter_record(reader);
        step = len < reader->run ? len : reader->run;
        reader->at += step;
        reader->run -= step;
        len -= step;
    }
    return true;
}

bool osspi_hello_number(struct osspi_hello_reader *reader, size_t size, uint32_t *ret_number)
{
    uint32_t number = 0;

    if (size > reader->left)
        return false;
    for (size_t i = 0; i < size; i++) {
        enter_record(reader);
        number = number << 8 | *reader->at;
        (void)osspi_hello_skip(reader, 1);
    }
    *ret_number = number;
    return true;
}

bool osspi_hello_vector(struct osspi_hello_reader *reader, size_t size,
                        struct osspi_hello_reader *ret_body)
{
    uint32_t len;

    if (!osspi_hello_number(reader, size, &len) || len > reader->left)
        return false;
    *ret_body = *reader;
    ret_body->left = len;
    return osspi_hello_skip(reader, len);
}

const uint8_t *osspi_hello_bytes(const struct osspi_hello_reader *reader)
{
    struct osspi_hello_reader here = *reader;

    if (here.left > 0)
        enter_record(&here);
    return here.left <= here.run ? here.at : NULL;
}

/* ---- records ---- */

/* One record's header at bytes, as far as it is there. *ret_fragment: bytes behind it. */
static SECURITY_STATUS judge_record(const uint8_t *bytes, size_t len, size_t *ret_fragment)
{
    if ((len > 0 && bytes[0] != TYPE_HANDSHAKE) || (len > 1 && bytes[1] != MAJOR_VERSION))
        return SEC_E_ILLEGAL_MESSAGE;
    if (len < RECORD_HEADER)
        return SEC_E_INCOMPLETE_MESSAGE;
    *ret_fragment = number16(bytes + 3);
    return *ret_fragment > 0 && *ret_fragment <= MAX_FRAGMENT ? SEC_E_OK : SEC_E_ILLEGAL_MESSAGE;
}

/* The message's own header, spread over records or not: what is there of it. */
struct head {
    uint8_t bytes[MESSAGE_HEADER];
    size_t len;
};

static void gather(struct head *head, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len && head->len < MESSAGE_HEADER; i++)
        head->bytes[head->len++] = bytes[i];
}

/* Bytes of the message with its header, or less if that is not known yet. */
static SECURITY_STATUS judge_head(const struct head *head, size_t *ret_len)
{
    *ret_len = MESSAGE_HEADER;
    if (head->len > 0 && head->bytes[0] != CLIENT_HELLO)
        return SEC_E_ILLEGAL_MESSAGE;
    if (head->len < MESSAGE_HEADER)
        return SEC_E_OK;
    *ret_len += (size_t)head->bytes[1] << 16 | number16(head->bytes + 2);
    return *ret_len <= MAX_MESSAGE ? SEC_E_OK : SEC_E_ILLEGAL_MESSAGE;
}

/* Walks over the records until the message is whole. */
static SECURITY_STATUS walk_records(const uint8_t *bytes, size_t len, size_t *ret_message,
                                    size_t *ret_total)
{
    struct head head = {.len = 0};
    size_t at = 0, seen = 0, fragment;

    *ret_message = MESSAGE_HEADER;
    while (seen < *ret_message) {
        SECURITY_STATUS status = judge_record(bytes + at, len - at, &fragment);

        *ret_total = at + RECORD_HEADER;
        if (status != SEC_E_OK)
            return status;
        at += RECORD_HEADER;
        gather(&head, bytes + at, fragment < len - at ? fragment : len - at);
        status = judge_head(&head, ret_message);
        *ret_total = at + fragment;
        if (status != SEC_E_OK)
            return status;
        if (fragment > len - at)
            return SEC_E_INCOMPLETE_MESSAGE;
        at += fragment;
        seen += fragment;
    }
    return SEC_E_OK;
}

static SECURITY_STATUS walk_bare(const uint8_t *bytes, size_t len, size_t *ret_message,
                                 size_t *ret_total)
{
    struct head head = {.len = 0};
    SECURITY_STATUS status;

    gather(&head, bytes, len);
    status = judge_head(&head, ret_message);
    *ret_total = *ret_message;
    if (status != SEC_E_OK)
        return status;
    return len < *ret_message ? SEC_E_INCOMPLETE_MESSAGE : SEC_E_OK;
}

/* ---- the message ---- */

/* Everything in front of the extensions; a hello may end there (RFC 5246 7.4.1.2). */
static bool read_message(struct osspi_hello_reader *message,
                         struct osspi_hello_reader *ret_extensions)
{
    struct osspi_hello_reader session, suites, methods;
    uint32_t version;

    if (!osspi_hello_skip(message, MESSAGE_HEADER) || !osspi_hello_number(message, 2, &version) ||
        version >> 8 != MAJOR_VERSION || !osspi_hello_skip(message, RANDOM_LEN) ||
        !osspi_hello_vector(message, 1, &session) || session.left > MAX_SESSION_ID ||
        !osspi_hello_vector(message, 2, &suites) || suites.left < 2 || suites.left % 2 != 0 ||
        !osspi_hello_vector(message, 1, &methods) || methods.left < 1)
        return false;
    *ret_extensions = *message;
    if (message->left == 0)
        return true;
    return osspi_hello_vector(message, 2, ret_extensions) && message->left == 0;
}

/* Is it a whole number of extensions? */
static bool are_extensions(struct osspi_hello_reader extensions)
{
    struct osspi_hello_reader body;
    uint16_t type;

    while (osspi_hello_next(&extensions, &type, &body))
        ;
    return extensions.left == 0;
}

SECURITY_STATUS osspi_hello_open(const uint8_t *bytes, size_t len, bool framed,
                                 struct osspi_hello_reader *ret_extensions, size_t *ret_total)
{
    struct osspi_hello_reader message = {bytes, framed ? 0 : len, 0};
    SECURITY_STATUS status = framed ? walk_records(bytes, len, &message.left, ret_total)
                                    : walk_bare(bytes, len, &message.left, ret_total);

    if (status != SEC_E_OK)
        return status;
    return read_message(&message, ret_extensions) && are_extensions(*ret_extensions)
               ? SEC_E_OK
               : SEC_E_ILLEGAL_MESSAGE;
}

bool osspi_hello_next(struct osspi_hello_reader *extensions, uint16_t *ret_type,
                      struct osspi_hello_reader *ret_body)
{
    struct osspi_hello_reader rest = *extensions;
    uint32_t type;

    if (!osspi_hello_number(&rest, 2, &type) || !osspi_hello_vector(&rest, 2, ret_body))
        return false;
    *ret_type = (uint16_t)type;
    *extensions = rest;
    return true;
}
