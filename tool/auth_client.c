/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * `sspi auth connect`: authenticates, shows what came of it, then sends each line of standard input
 * under seal and prints the answer.
 */
#include "auth_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <opensspi.h>

#include "text.h"
#include "tool.h"

#define LEGS_MAX 10 /* no mechanism needs more than three */

static bool is_tls(const struct auth_client *client)
{
    return client->options->package->wire == AUTH_STREAM;
}

static PCtxtHandle context_of(struct auth_client *client)
{
    return is_tls(client) ? &client->stream.context : &client->initiator.context;
}

bool auth_client_fail(struct auth_client *client, int code, const char *why)
{
    text_complain("%s", why);
    snprintf(client->why, sizeof(client->why), "%s", why);
    client->code = code;
    return false;
}

bool auth_client_fail_status(struct auth_client *client, const char *what, SECURITY_STATUS status)
{
    PCtxtHandle context = context_of(client);
    login_complain(what, status, SecIsValidHandle(context) ? context : NULL, false);
    snprintf(client->why, sizeof(client->why), "%s: %s", what, text_status(status));
    client->code = TOOL_FAILED;
    return false;
}

bool auth_client_fail_stream(struct auth_client *client, enum stream_result result)
{
    switch (result) {
    case STREAM_TIMEOUT:
        return auth_client_fail(client, TOOL_FAILED,
                                "the server does not answer; more time: --deadline MS");
    case STREAM_SYSTEM:
        return auth_client_fail(client, TOOL_FAILED, strerror(client->stream.error));
    case STREAM_TLS:
        return auth_client_fail(client, TOOL_LOCAL, "out of memory");
    default:
        return auth_client_fail(client, TOOL_FAILED,
                                "the server has closed the connection; what it prints may say why");
    }
}

/* --- Frames --------------------------------------------------------------------------------------
 */

static bool send_outgoing(struct auth_client *client)
{
    enum stream_result result = stream_send_all(&client->stream);
    return result == STREAM_OK || auth_client_fail_stream(client, result);
}

static bool send_token(struct auth_client *client, const struct bytes *token)
{
    if (token->len == 0)
        return true;
    if (!auth_frame_put(&client->stream.outgoing, token->data, token->len))
        return auth_client_fail(client, TOOL_FAILED, "the token is too long to be sent");
    return send_outgoing(client);
}

static bool receive_frame(struct auth_client *client)
{
    struct stream *stream = &client->stream;
    for (;;) {
        size_t len = 0;
        switch (auth_frame_find(&stream->plain, &len)) {
        case AUTH_FRAME_WHOLE:
            bytes_clear(&client->frame);
            if (!bytes_append(&client->frame, stream->plain.data + AUTH_FRAME_HEAD, len))
                return auth_client_fail(client, TOOL_LOCAL, "out of memory");
            bytes_consume(&stream->plain, AUTH_FRAME_HEAD + len);
            return true;
        case AUTH_FRAME_BAD:
            return auth_client_fail(client, TOOL_FAILED,
                                    "what the server sends are no frames of sspi auth");
        default:
            break;
        }
        enum stream_result result = stream_await(stream);
        if (result == STREAM_OK)
            result = stream_receive(stream);
        if (result != STREAM_OK)
            return auth_client_fail_stream(client, result);
    }
}

/* --- Authentication ------------------------------------------------------------------------------
 */

static bool acquire(struct auth_client *client)
{
    struct login login;
    int code = login_load(&client->options->login, &login);
    SECURITY_STATUS status = SEC_E_OK;
    if (code == TOOL_OK && is_tls(client))
        code = auth_client_acquire_tls(client, &login, &status);
    else if (code == TOOL_OK)
        status = initiator_acquire(&client->initiator, &login);
    login_clear(&login);
    if (code != TOOL_OK) {
        client->code = code;
        return false;
    }
    if (status != SEC_E_OK) {
        auth_client_fail_status(client, "cannot get a credential", status);
        client->code = TOOL_LOCAL;
    }
    return status == SEC_E_OK;
}

static bool connect_server(struct auth_client *client)
{
    char why[256], words[768];
    const struct net_address *address = &client->options->address;
    client->fd = net_connect(address, client->stream.deadline_ms, why, sizeof(why));
    if (client->fd >= 0)
        return true;
    snprintf(words, sizeof(words), "cannot connect to %s port %s: %s", address->host, address->port,
             why);
    return auth_client_fail(client, TOOL_LOCAL, words);
}

static bool make_legs(struct auth_client *client)
{
    struct bytes token = {0};
    SECURITY_STATUS status = SEC_I_CONTINUE_NEEDED;
    bool going = true;
    for (int legs = 0; going && status == SEC_I_CONTINUE_NEEDED; legs++) {
        if (legs == LEGS_MAX)
            going = auth_client_fail(client, TOOL_FAILED, "the authentication comes to no end");
        if (legs > 0)
            going = going && receive_frame(client);
        if (!going)
            break;
        status = initiator_leg(&client->initiator, client->frame.data, client->frame.len, &token);
        if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED)
            going = auth_client_fail_status(client, "the authentication failed", status);
        else
            going = send_token(client, &token);
    }
    bytes_clear(&token);
    return going;
}

static bool authenticate(struct auth_client *client)
{
    if (is_tls(client))
        return auth_client_authenticate_tls(client);
    (void)stream_handshake(&client->stream, client->fd); /* takes it over, no more */
    client->fd = -1;
    return make_legs(client);
}

static bool check_result(struct auth_client *client)
{
    secured_read(context_of(client), false, &client->secured);
    if (client->options->mutual && !secured_is_mutual(&client->secured))
        return auth_client_fail(client, TOOL_FAILED,
                                "--mutual: the server has not proved who it is; NTLM never does");
    if (!(client->secured.flags & ISC_RET_CONFIDENTIALITY))
        return auth_client_fail(client, TOOL_FAILED, "the package does not seal here");
    return true;
}

/* --- Lines ---------------------------------------------------------------------------------------
 */

static bool receive_sealed(struct auth_client *client, const char **ret_text, size_t *ret_len)
{
    if (is_tls(client)) {
        if (!auth_client_receive_line_tls(client))
            return false;
        *ret_text = client->frame.data ? (const char *)client->frame.data : "";
        *ret_len = client->frame.len;
        return true;
    }
    if (!receive_frame(client))
        return false;
    SECURITY_STATUS status = auth_open(&client->initiator.context, client->frame.data,
                                       client->frame.len, ret_text, ret_len);
    return status == SEC_E_OK ||
           auth_client_fail_status(client, "cannot open what the server has sealed", status);
}

static bool receive_line(struct auth_client *client)
{
    const char *text;
    size_t len;
    if (!receive_sealed(client, &text, &len))
        return false;
    text_escaped(stdout, text, len);
    putchar('\n');
    if (fflush(stdout) != 0)
        return auth_client_fail(client, TOOL_LOCAL, "cannot write to standard output");
    return true;
}

static bool send_line(struct auth_client *client, const char *line, size_t len)
{
    if (is_tls(client))
        return auth_client_send_line_tls(client, line, len);
    SECURITY_STATUS status =
        auth_seal(&client->initiator.context, line, len, &client->stream.outgoing);
    if (status != SEC_E_OK)
        return auth_client_fail_status(client, "cannot seal a line", status);
    return send_outgoing(client);
}

/* The server speaks first: who we are to it. That is its proof, too, that it has let us in. */
static void talk(struct auth_client *client)
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
            auth_client_fail(client, TOOL_LOCAL,
                             "a line of standard input is longer than 65536 bytes");
            break;
        }
        client->stream.deadline_ms = net_now_ms() + client->options->deadline_ms;
        going = send_line(client, line, (size_t)len) && receive_line(client);
    }
    free(line);
}

/* --- The report ----------------------------------------------------------------------------------
 */

static void report_tls_json(struct auth_client *client, json_t *root)
{
    const char *name = auth_client_judged_name(client);
    json_t *tls = json_pack("{s:s*}", "certificate_good_for", name);
    if (tls)
        facts_json(&client->facts, tls);
    json_object_set_new(root, "tls", tls);
}

static void report_tls(struct auth_client *client)
{
    const char *name = auth_client_judged_name(client);
    facts_print(stderr, &client->facts);
    if (name)
        fprintf(stderr, "certificate   verified: a trusted chain, and good for %s\n", name);
    else
        fputs("certificate   not judged (--ca, --server-name); nobody is in between, by CredSSP\n",
              stderr);
}

static void report_json(struct auth_client *client, bool authenticated)
{
    json_t *root = json_pack("{s:s, s:s, s:s, s:b}", "host", client->options->address.host, "port",
                             client->options->address.port, "target", client->target, "ok",
                             client->code == TOOL_OK);
    if (root && authenticated)
        json_object_set_new(root, "authentication", secured_json(&client->secured));
    if (root && authenticated && is_tls(client))
        report_tls_json(client, root);
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

static void report(struct auth_client *client, bool authenticated)
{
    const struct auth_connect_options *options = client->options;
    if (options->quiet || options->json)
        return;
    fprintf(stderr, "connected to  %s port %s\n", options->address.host, options->address.port);
    fprintf(stderr, "asked for     %s\n", client->target);
    if (authenticated && is_tls(client))
        report_tls(client);
    if (authenticated)
        secured_print(stderr, &client->secured);
    if (client->timeline)
        timeline_print(stderr, client->timeline, &client->stream.legs);
    else
        timeline_print_legs(stderr, client->zero_us, &client->stream.legs);
}

static void run(struct auth_client *client)
{
    bool connected = acquire(client) && connect_server(client);
    bool authenticated = connected && authenticate(client) && check_result(client);
    if (connected)
        report(client, authenticated);
    if (authenticated)
        talk(client);
    if (authenticated && is_tls(client))
        auth_client_end_tls(client);
    timeline_end(client->timeline);
    if (client->options->json)
        report_json(client, authenticated);
}

/* What the legs are made with, over frames and over TLS. */
static void prepare(struct auth_client *client)
{
    const struct auth_connect_options *options = client->options;
    const char *service = is_tls(client) ? "TERMSRV" : "host";
    const char *host = options->server_name ? options->server_name : options->address.host;
    ULONG flags =
        (options->mutual ? ISC_REQ_MUTUAL_AUTH : 0) | (options->delegate ? ISC_REQ_DELEGATE : 0);
    if (options->target)
        snprintf(client->target, sizeof(client->target), "%s", options->target);
    else
        snprintf(client->target, sizeof(client->target), "%s/%s", service, host);
    client->stream = (struct stream){.caller = {.sync = options->sync},
                                     .clear = !is_tls(client),
                                     .target = client->target,
                                     .flags = flags,
                                     .deadline_ms = net_now_ms() + options->deadline_ms};
    client->initiator = (struct initiator){
        .caller = &client->stream.caller,
        .legs = &client->stream.legs,
        .package = options->package->name,
        .target = client->target,
        .flags = flags | ISC_REQ_CONFIDENTIALITY | ISC_REQ_INTEGRITY | ISC_REQ_REPLAY_DETECT |
                 ISC_REQ_SEQUENCE_DETECT,
        .deadline_ms = client->stream.deadline_ms,
    };
    initiator_init(&client->initiator);
}

static void start(struct auth_client *client)
{
    client->timeline = client->options->sync ? NULL : timeline_begin();
    SECURITY_STATUS status = stream_init(&client->stream);
    if (status == SEC_E_OK)
        run(client);
    else
        auth_client_fail_status(client, "cannot prepare asynchronous calls", status);
    initiator_clear(&client->initiator);
    stream_clear(&client->stream);
}

int auth_connect(const struct auth_connect_options *options)
{
    struct auth_client *client = calloc(1, sizeof(*client));
    if (!client) {
        text_complain("out of memory");
        return TOOL_LOCAL;
    }
    client->options = options;
    client->fd = -1;
    client->zero_us = net_now_us();
    prepare(client);
    /* The library takes its roots before anything else is asked of it. */
    client->code = tls_configure(options->ca, 0);
    if (client->code == TOOL_OK)
        start(client);
    bytes_clear(&client->frame);
    timeline_end(client->timeline);
    OsspiShutdown(1000);
    timeline_free(client->timeline);
    int code = client->code;
    free(client);
    return code;
}
