/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * `sspi auth connect`: authenticates, shows what came of it, then sends each line of standard input
 * under seal and prints the answer.
 */
#include "auth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <opensspi.h>

#include "initiator.h"
#include "secured.h"
#include "stream.h"
#include "text.h"
#include "timeline.h"
#include "tool.h"

#define LEGS_MAX 10 /* no mechanism needs more than three */

struct client {
    const struct auth_connect_options *options;
    struct stream stream; /* without TLS */
    struct initiator initiator;
    struct secured secured;
    struct bytes frame; /* content of the last one received */
    struct timeline *timeline;
    int64_t zero_us;
    char target[NET_HOST_SIZE + 8];
    char why[512];
    int code;
};

/* Always false. */
static bool fail(struct client *client, int code, const char *why)
{
    text_complain("%s", why);
    snprintf(client->why, sizeof(client->why), "%s", why);
    client->code = code;
    return false;
}

static bool fail_status(struct client *client, const char *what, SECURITY_STATUS status)
{
    PCtxtHandle context = &client->initiator.context;
    login_complain(what, status, SecIsValidHandle(context) ? context : NULL, false);
    snprintf(client->why, sizeof(client->why), "%s: %s", what, text_status(status));
    client->code = TOOL_FAILED;
    return false;
}

static bool fail_stream(struct client *client, enum stream_result result)
{
    switch (result) {
    case STREAM_TIMEOUT:
        return fail(client, TOOL_FAILED, "the server does not answer; more time: --deadline MS");
    case STREAM_SYSTEM:
        return fail(client, TOOL_FAILED, strerror(client->stream.error));
    case STREAM_TLS:
        return fail(client, TOOL_LOCAL, "out of memory");
    default:
        return fail(client, TOOL_FAILED,
                    "the server has closed the connection; what it prints may say why");
    }
}

/* --- Frames --------------------------------------------------------------------------------------
 */

static bool send_outgoing(struct client *client)
{
    enum stream_result result = stream_send_all(&client->stream);
    return result == STREAM_OK || fail_stream(client, result);
}

static bool send_token(struct client *client, const struct bytes *token)
{
    if (token->len == 0)
        return true;
    if (!auth_frame_put(&client->stream.outgoing, token->data, token->len))
        return fail(client, TOOL_FAILED, "the token is too long to be sent");
    return send_outgoing(client);
}

static bool receive_frame(struct client *client)
{
    struct stream *stream = &client->stream;
    for (;;) {
        size_t len = 0;
        switch (auth_frame_find(&stream->plain, &len)) {
        case AUTH_FRAME_WHOLE:
            bytes_clear(&client->frame);
            if (!bytes_append(&client->frame, stream->plain.data + AUTH_FRAME_HEAD, len))
                return fail(client, TOOL_LOCAL, "out of memory");
            bytes_consume(&stream->plain, AUTH_FRAME_HEAD + len);
            return true;
        case AUTH_FRAME_BAD:
            return fail(client, TOOL_FAILED, "what the server sends are no frames of sspi auth");
        default:
            break;
        }
        enum stream_result result = stream_await(stream);
        if (result == STREAM_OK)
            result = stream_receive(stream);
        if (result != STREAM_OK)
            return fail_stream(client, result);
    }
}

/* --- Authentication ------------------------------------------------------------------------------
 */

static bool acquire(struct client *client)
{
    struct login login;
    int code = login_load(&client->options->login, &login);
    SECURITY_STATUS status = SEC_E_OK;
    if (code == TOOL_OK)
        status = initiator_acquire(&client->initiator, &login);
    login_clear(&login);
    if (code != TOOL_OK) {
        client->code = code;
        return false;
    }
    if (status != SEC_E_OK) {
        fail_status(client, "cannot get a credential", status);
        client->code = TOOL_LOCAL;
    }
    return status == SEC_E_OK;
}

static bool connect_server(struct client *client)
{
    char why[256], words[768];
    const struct net_address *address = &client->options->address;
    int fd = net_connect(address, client->stream.deadline_ms, why, sizeof(why));
    if (fd >= 0) {
        (void)stream_handshake(&client->stream, fd); /* takes it over, no more */
        return true;
    }
    snprintf(words, sizeof(words), "cannot connect to %s port %s: %s", address->host, address->port,
             why);
    return fail(client, TOOL_LOCAL, words);
}

static bool make_legs(struct client *client)
{
    struct bytes token = {0};
    SECURITY_STATUS status = SEC_I_CONTINUE_NEEDED;
    bool going = true;
    for (int legs = 0; going && status == SEC_I_CONTINUE_NEEDED; legs++) {
        if (legs == LEGS_MAX)
            going = fail(client, TOOL_FAILED, "the authentication comes to no end");
        if (legs > 0)
            going = going && receive_frame(client);
        if (!going)
            break;
        status = initiator_leg(&client->initiator, client->frame.data, client->frame.len, &token);
        if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED)
            going = fail_status(client, "the authentication failed", status);
        else
            going = send_token(client, &token);
    }
    bytes_clear(&token);
    return going;
}

static bool check_result(struct client *client)
{
    secured_read(&client->initiator.context, false, &client->secured);
    if (client->options->mutual && !secured_is_mutual(&client->secured))
        return fail(client, TOOL_FAILED,
                    "--mutual: the server has not proved who it is; NTLM never does");
    if (!(client->secured.flags & ISC_RET_CONFIDENTIALITY))
        return fail(client, TOOL_FAILED, "the package does not seal here");
    return true;
}

/* --- Lines ---------------------------------------------------------------------------------------
 */

static bool receive_line(struct client *client)
{
    const char *text;
    size_t len;
    if (!receive_frame(client))
        return false;
    SECURITY_STATUS status =
        auth_open(&client->initiator.context, client->frame.data, client->frame.len, &text, &len);
    if (status != SEC_E_OK)
        return fail_status(client, "cannot open what the server has sealed", status);
    text_escaped(stdout, text, len);
    putchar('\n');
    if (fflush(stdout) != 0)
        return fail(client, TOOL_LOCAL, "cannot write to standard output");
    return true;
}

static bool send_line(struct client *client, const char *line, size_t len)
{
    SECURITY_STATUS status =
        auth_seal(&client->initiator.context, line, len, &client->stream.outgoing);
    if (status != SEC_E_OK)
        return fail_status(client, "cannot seal a line", status);
    return send_outgoing(client);
}

/* The server speaks first: who we are to it. That is its proof, too, that it has let us in. */
static void talk(struct client *client)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    bool going = receive_line(client);
    while (going && (len = getline(&line, &size, stdin)) > 0) {
        if (line[len - 1] == '\n')
            len--;
        if (len == 0)
            continue;
        if (len > AUTH_LINE_MAX) {
            fail(client, TOOL_LOCAL, "a line of standard input is longer than 65536 bytes");
            break;
        }
        client->stream.deadline_ms = net_now_ms() + client->options->deadline_ms;
        going = send_line(client, line, (size_t)len) && receive_line(client);
    }
    free(line);
}

/* --- The report ----------------------------------------------------------------------------------
 */

static void report_json(struct client *client, bool authenticated)
{
    json_t *root = json_pack("{s:s, s:s, s:s, s:b}", "host", client->options->address.host, "port",
                             client->options->address.port, "target", client->target, "ok",
                             client->code == TOOL_OK);
    if (root && authenticated)
        json_object_set_new(root, "authentication", secured_json(&client->secured));
    if (root && client->why[0])
        json_object_set_new(root, "error", json_string(client->why));
    if (root)
        json_object_set_new(root, "calls",
                            client->timeline
                                ? timeline_json(client->timeline, &client->stream.legs)
                                : timeline_legs_json(client->zero_us, &client->stream.legs));
    if (!root || json_dumpf(root, stderr, JSON_INDENT(2)) != 0 || fputc('\n', stderr) == EOF)
        client->code = client->code == TOOL_OK ? TOOL_LOCAL : client->code;
    json_decref(root);
}

static void report(struct client *client, bool authenticated)
{
    const struct auth_connect_options *options = client->options;
    if (options->quiet || options->json)
        return;
    fprintf(stderr, "connected to  %s port %s\n", options->address.host, options->address.port);
    fprintf(stderr, "asked for     %s\n", client->target);
    if (authenticated)
        secured_print(stderr, &client->secured);
    if (client->timeline)
        timeline_print(stderr, client->timeline, &client->stream.legs);
    else
        timeline_print_legs(stderr, client->zero_us, &client->stream.legs);
}

static void run(struct client *client)
{
    bool connected = acquire(client) && connect_server(client);
    bool authenticated = connected && make_legs(client) && check_result(client);
    if (connected)
        report(client, authenticated);
    if (authenticated)
        talk(client);
    timeline_end(client->timeline);
    if (client->options->json)
        report_json(client, authenticated);
}

int auth_connect(const struct auth_connect_options *options)
{
    struct client *client = calloc(1, sizeof(*client));
    if (!client) {
        text_complain("out of memory");
        return TOOL_LOCAL;
    }
    client->options = options;
    client->zero_us = net_now_us();
    client->stream = (struct stream){.caller = {.sync = options->sync}, .clear = true};
    client->stream.deadline_ms = net_now_ms() + options->deadline_ms;
    if (options->target)
        snprintf(client->target, sizeof(client->target), "%s", options->target);
    else
        snprintf(client->target, sizeof(client->target), "host/%s", options->address.host);
    client->initiator = (struct initiator){
        .caller = &client->stream.caller,
        .legs = &client->stream.legs,
        .package = options->package->name,
        .target = client->target,
        .flags = ISC_REQ_CONFIDENTIALITY | ISC_REQ_INTEGRITY | ISC_REQ_REPLAY_DETECT |
                 ISC_REQ_SEQUENCE_DETECT | (options->mutual ? ISC_REQ_MUTUAL_AUTH : 0) |
                 (options->delegate ? ISC_REQ_DELEGATE : 0),
        .deadline_ms = client->stream.deadline_ms,
    };
    initiator_init(&client->initiator);
    client->timeline = options->sync ? NULL : timeline_begin();
    SECURITY_STATUS status = stream_init(&client->stream);
    if (status == SEC_E_OK)
        run(client);
    else
        fail_status(client, "cannot prepare asynchronous calls", status);
    initiator_clear(&client->initiator);
    stream_clear(&client->stream);
    bytes_clear(&client->frame);
    timeline_end(client->timeline);
    OsspiShutdown(1000);
    timeline_free(client->timeline);
    int code = client->code;
    free(client);
    return code;
}
