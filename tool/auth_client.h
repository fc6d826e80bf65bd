/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The client of `sspi auth connect`, between auth_client.c and auth_client_tls.c. One thread.
 *
 * Over frames the context is the initiator's, and the stream carries bytes as they are. Over TLS
 * it is the stream's own, and the initiator has none.
 */
#ifndef SSPI_TOOL_AUTH_CLIENT_H
#define SSPI_TOOL_AUTH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "auth.h"
#include "facts.h"
#include "initiator.h"
#include "secured.h"
#include "stream.h"
#include "timeline.h"

struct auth_client {
    const struct auth_connect_options *options;
    struct stream stream; /* over frames: without TLS */
    struct initiator initiator;
    int fd; /* connected, until the stream takes it over; else -1 */
    struct secured secured;
    struct facts facts; /* over TLS */
    struct bytes frame; /* content of the last one received; over TLS: the last line */
    struct timeline *timeline;
    int64_t zero_us;
    char target[NET_HOST_SIZE + 8];
    SECURITY_STATUS verdict; /* over TLS: on the server's certificate, if that was judged */
    char why[768];
    int code;
};

/** Complains, and sets the exit code. Always false. */
bool auth_client_fail(struct auth_client *client, int code, const char *why);
bool auth_client_fail_status(struct auth_client *client, const char *what, SECURITY_STATUS status);
bool auth_client_fail_stream(struct auth_client *client, enum stream_result result);

/* --- auth_client_tls.c: what is different over TLS --- */

/** The name that the server's certificate has to have; NULL: it is not judged. */
const char *auth_client_judged_name(const struct auth_client *client);

/** Credentials of both layers. An exit code for what the command line names, else *ret_status. */
int auth_client_acquire_tls(struct auth_client *client, struct login *login,
                            SECURITY_STATUS *ret_status);

/** All legs. */
bool auth_client_authenticate_tls(struct auth_client *client);

/** Into `frame`, without its newline. */
bool auth_client_receive_line_tls(struct auth_client *client);
bool auth_client_send_line_tls(struct auth_client *client, const char *line, size_t len);

/** Says goodbye. */
void auth_client_end_tls(struct auth_client *client);

#endif
