/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * `sspi auth connect` with CredSSP (MS-CSSP): legs and lines are one TLS connection.
 *
 * CredSSP takes any certificate: what it proves is that the server knows the user's password, or
 * has the key of its service, and that nobody is in between. With --ca or --server-name the
 * certificate is judged besides, as soon as it has come, and before anything of the user's is sent.
 */
#include "auth_client.h"

#include <string.h>

#include <credssp.h>
#include <opensspi.h>

#include "judge.h"
#include "text.h"
#include "tool.h"

const char *auth_client_judged_name(const struct auth_client *client)
{
    const struct auth_connect_options *options = client->options;
    if (options->server_name)
        return options->server_name;
    return options->ca ? options->address.host : NULL;
}

static SECURITY_STATUS judge(void *data, PCCERT_CONTEXT cert)
{
    struct auth_client *client = data;
    client->verdict = judge_server(cert, auth_client_judged_name(client));
    return client->verdict;
}

/* NTLM does not prove who the server is: with --mutual it may not be chosen, since what comes
 * behind the choice are the user's credentials. */
static SECURITY_STATUS forbid_ntlm(struct auth_client *client)
{
    OsspiCredSspOptions options = {.cbSize = sizeof(options), .flags = OSSPI_CREDSSP_NO_NTLM};
    return SetCredentialsAttributesA(&client->stream.credential, OSSPI_CRED_ATTR_CREDSSP_OPTIONS,
                                     &options, sizeof(options));
}

int auth_client_acquire_tls(struct auth_client *client, struct login *login,
                            SECURITY_STATUS *ret_status)
{
    struct tls_auth auth;
    int code = tls_auth_load(&client->options->tls, &auth);
    if (code == TOOL_OK) {
        CREDSSP_CRED both = {CredsspSubmitBufferBoth, &auth.credentials, login->auth_data};
        *ret_status = stream_acquire(&client->stream, client->options->package->name, &both);
        if (*ret_status == SEC_E_OK && client->options->mutual)
            *ret_status = forbid_ntlm(client);
    }
    tls_auth_clear(&auth);
    return code;
}

static const char *verdict_advice(SECURITY_STATUS verdict)
{
    switch (verdict) {
    case SEC_E_UNTRUSTED_ROOT:
        return "name the authority's certificate with --ca FILE";
    case SEC_E_WRONG_PRINCIPAL:
        return "the certificate is for other names: check the host, or give --server-name NAME";
    default:
        return text_advice(verdict);
    }
}

static bool fail_verdict(struct auth_client *client)
{
    static const char what[] = "the server's certificate is not good";
    text_complain_advice(what, client->verdict, NULL, verdict_advice(client->verdict));
    snprintf(client->why, sizeof(client->why), "%s: %s", what, text_status(client->verdict));
    client->code = TOOL_FAILED;
    return false;
}

bool auth_client_authenticate_tls(struct auth_client *client)
{
    struct stream *stream = &client->stream;
    stream->judge = auth_client_judged_name(client) ? judge : NULL;
    stream->judge_data = client;
    enum stream_result result = stream_handshake(stream, client->fd);
    client->fd = -1;
    if (result == STREAM_OK) {
        facts_read(&stream->context, &client->facts);
        return true;
    }
    if (client->verdict != SEC_E_OK)
        return fail_verdict(client);
    if (result == STREAM_TLS)
        return auth_client_fail_status(client, "the authentication failed", stream->status);
    return auth_client_fail_stream(client, result);
}

bool auth_client_receive_line_tls(struct auth_client *client)
{
    struct stream *stream = &client->stream;
    for (;;) {
        const unsigned char *text = stream->plain.data;
        const unsigned char *end = text ? memchr(text, '\n', stream->plain.len) : NULL;
        if (end) {
            size_t len = (size_t)(end - text);
            bytes_clear(&client->frame);
            if (!bytes_append(&client->frame, text, len))
                return auth_client_fail(client, TOOL_LOCAL, "out of memory");
            bytes_consume(&stream->plain, len + 1);
            return true;
        }
        if (stream->plain.len > AUTH_LINE_MAX)
            return auth_client_fail(client, TOOL_FAILED, "a line of the server's is too long");
        enum stream_result result = stream_await(stream);
        if (result == STREAM_OK)
            result = stream_receive(stream);
        /* With a goodbye there may have been a line. */
        if (result == STREAM_CLOSED && stream->plain.len > 0 &&
            memchr(stream->plain.data, '\n', stream->plain.len))
            continue;
        if (result == STREAM_TLS)
            return auth_client_fail_status(client, "cannot open what the server has sealed",
                                           stream->status);
        if (result != STREAM_OK)
            return auth_client_fail_stream(client, result);
    }
}

bool auth_client_send_line_tls(struct auth_client *client, const char *line, size_t len)
{
    struct stream *stream = &client->stream;
    enum stream_result result = stream_seal(stream, line, len);
    if (result == STREAM_OK)
        result = stream_seal(stream, "\n", 1);
    if (result != STREAM_OK)
        return auth_client_fail_status(client, "cannot seal a line", stream->status);
    result = stream_send_all(stream);
    return result == STREAM_OK || auth_client_fail_stream(client, result);
}

void auth_client_end_tls(struct auth_client *client)
{
    client->stream.deadline_ms = net_now_ms() + client->options->deadline_ms;
    if (client->code == TOOL_OK)
        (void)stream_shutdown(&client->stream); /* the server may be gone already */
}
