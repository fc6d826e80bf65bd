/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * `sspi connect --negotiate URL` (RFC 4559). The first request says nothing; who answers it with a
 * challenge gets a token in the next one, on the same connection, until both sides are content.
 * Over TLS the tokens are bound to the connection (RFC 5929, tls-server-end-point).
 */
#include "negotiate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <opensspi.h>

#include "http_auth.h"
#include "http_reply.h"
#include "initiator.h"
#include "net.h"
#include "text.h"
#include "tool.h"

#define LEGS_MAX 10 /* no mechanism needs more than three */

struct run {
    const struct negotiate_options *options;
    struct stream *stream;
    const char *host;
    unsigned timeout_ms;
    struct negotiate_outcome *outcome;
    struct initiator initiator;
    SecPkgContext_Bindings bindings;
    struct http_reply reply;
    struct bytes token; /* ours */
    bool established;
    bool ended;                /* in order: nothing more comes */
    enum stream_result result; /* of the connection */
};

/* --- URLs ----------------------------------------------------------------------------------------
 */

static bool copy_part(const struct http_parser_url *parts, int part, const char *url, char *to,
                      size_t size)
{
    size_t len = parts->field_set & (1 << part) ? parts->field_data[part].len : 0;
    if (len >= size)
        return false;
    memcpy(to, url + parts->field_data[part].off, len);
    to[len] = '\0';
    return true;
}

static const char *split_path(const struct http_parser_url *parts, const char *url,
                              struct negotiate_options *ret_options)
{
    char path[NEGOTIATE_PATH_SIZE], query[NEGOTIATE_PATH_SIZE];
    if (!copy_part(parts, UF_PATH, url, path, sizeof(path)) ||
        !copy_part(parts, UF_QUERY, url, query, sizeof(query)))
        return "it is too long";
    int len = snprintf(ret_options->path, sizeof(ret_options->path), "%s%s%s", path[0] ? path : "/",
                       query[0] ? "?" : "", query);
    return len > 0 && (size_t)len < sizeof(ret_options->path) ? NULL : "it is too long";
}

const char *negotiate_split(const char *url, struct net_address *ret_address,
                            struct negotiate_options *ret_options)
{
    struct http_parser_url parts;
    char scheme[8];
    for (const char *at = url; *at; at++) {
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7F)
            return "write spaces and other than ASCII's letters as %XX";
    }
    http_parser_url_init(&parts);
    if (http_parser_parse_url(url, strlen(url), 0, &parts) != 0 ||
        !copy_part(&parts, UF_SCHEMA, url, scheme, sizeof(scheme)) ||
        (strcasecmp(scheme, "https") != 0 && strcasecmp(scheme, "http") != 0))
        return "it has to look like https://HOST/PATH";
    if (parts.field_set & (1 << UF_USERINFO))
        return "give a user with --user NAME and --password-file FILE";
    ret_options->clear = strcasecmp(scheme, "http") == 0;
    if (!copy_part(&parts, UF_HOST, url, ret_address->host, sizeof(ret_address->host)))
        return "its host is too long";
    unsigned port = ret_options->clear ? 80 : 443;
    if (parts.field_set & (1 << UF_PORT))
        port = parts.port;
    if (port == 0)
        return "its port is not 1 to 65535";
    snprintf(ret_address->port, sizeof(ret_address->port), "%u", port);
    return split_path(&parts, url, ret_options);
}

/* --- Requests and answers ------------------------------------------------------------------------
 */

/* Says what went wrong, unless it was the connection, of which others tell. Always false. */
static bool fail(struct run *run, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run->outcome->why, sizeof(run->outcome->why), format, arguments);
    va_end(arguments);
    text_complain("%s", run->outcome->why);
    run->outcome->code = TOOL_FAILED;
    return false;
}

static bool fail_status(struct run *run, const char *what, SECURITY_STATUS status)
{
    PCtxtHandle context = &run->initiator.context;
    login_complain(what, status, SecIsValidHandle(context) ? context : NULL, false);
    snprintf(run->outcome->why, sizeof(run->outcome->why), "%s: %s", what, text_status(status));
    run->outcome->code = TOOL_FAILED;
    return false;
}

static bool fail_stream(struct run *run, enum stream_result result)
{
    run->result = result;
    return false;
}

static void set_deadline(struct run *run)
{
    run->stream->deadline_ms = net_now_ms() + run->timeout_ms;
}

static bool send_request(struct run *run)
{
    struct bytes text = {0};
    bool done = bytes_printf(&text,
                             "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sspi/" SSPI_TOOL_VERSION
                             "\r\nAccept: */*\r\n",
                             run->options->path, run->host);
    if (run->token.len > 0)
        done = done && bytes_printf(&text, "Authorization: ") &&
               http_auth_write(&text, HTTP_NEGOTIATE, run->token.data, run->token.len) &&
               bytes_printf(&text, "\r\n");
    done = done && bytes_append(&text, "\r\n", 2);
    set_deadline(run);
    enum stream_result result = STREAM_OK;
    if (done)
        result = stream_seal(run->stream, text.data, text.len);
    bytes_clear(&text);
    if (!done)
        return fail(run, "the request cannot be written: out of memory, or the token is too long");
    if (result == STREAM_OK)
        result = stream_send_all(run->stream);
    return result == STREAM_OK || fail_stream(run, result);
}

/* Reads until the head, or the whole answer, is there. */
static bool read_reply(struct run *run, bool whole)
{
    struct stream *stream = run->stream;
    struct http_reply *reply = &run->reply;
    enum stream_result result = stream_open_records(stream);
    for (;;) {
        size_t used;
        /* The end may come with the last bytes, and is told only once. */
        run->ended =
            run->ended || result == STREAM_CLOSED || (result == STREAM_EOF && stream->clear);
        bool ended = run->ended && stream->plain.len == 0;
        if (stream->plain.len > 0 || ended) {
            if (!http_reply_feed(reply, stream->plain.data, stream->plain.len, &used))
                return reply->sink_failed ? fail(run, "cannot write the page to standard output")
                       : ended            ? fail(run, "the answer of %s is cut off", run->host)
                               : fail(run, "what %s answers is no HTTP, or too long", run->host);
            bytes_consume(&stream->plain, used);
        }
        if (reply->complete || (reply->head_done && !whole))
            return true;
        if (ended)
            return fail(run, "the answer of %s is cut off", run->host);
        if (run->ended)
            continue; /* what is left, and then the end */
        if (result != STREAM_OK)
            return fail_stream(run, result);
        set_deadline(run);
        result = stream_await(stream);
        if (result == STREAM_OK)
            result = stream_receive(stream);
    }
}

static bool ask(struct run *run)
{
    http_reply_clear(&run->reply);
    http_reply_init(&run->reply);
    if (!send_request(run) || !read_reply(run, false))
        return false;
    run->outcome->status = (int)run->reply.parser.status_code;
    return true;
}

/* --- Legs ----------------------------------------------------------------------------------------
 */

static bool make_leg(struct run *run, const struct bytes *input)
{
    run->initiator.deadline_ms = net_now_ms() + run->timeout_ms;
    SECURITY_STATUS status = initiator_leg(&run->initiator, input->data, input->len, &run->token);
    run->established = status == SEC_E_OK;
    if (run->established || status == SEC_I_CONTINUE_NEEDED)
        return true;
    return fail_status(run, "the authentication failed", status);
}

static bool acquire(struct run *run)
{
    struct login login;
    int code = login_load(&run->options->login, &login);
    SECURITY_STATUS status = SEC_E_OK;
    run->initiator.deadline_ms = net_now_ms() + run->timeout_ms;
    if (code == TOOL_OK)
        status = initiator_acquire(&run->initiator, &login);
    login_clear(&login);
    if (code == TOOL_OK && status != SEC_E_OK) {
        login_complain("cannot get a credential", status, NULL, false);
        code = TOOL_LOCAL;
    }
    run->outcome->code = code;
    if (code != TOOL_OK)
        snprintf(run->outcome->why, sizeof(run->outcome->why), "no credential");
    return code == TOOL_OK;
}

/* The answer to the request without a token. */
static bool read_challenge(struct run *run)
{
    struct bytes token = {0};
    bool offered = http_reply_token(&run->reply, HTTP_NEGOTIATE, &token);
    bool ntlm = http_reply_token(&run->reply, HTTP_NTLM, &token);
    bytes_clear(&token);
    if (run->outcome->status != 401)
        return fail(run, "%s does not ask who we are: it answers %d", run->host,
                    run->outcome->status);
    if (!offered)
        return fail(run, "%s does not offer Negotiate%s", run->host, ntlm ? ", only NTLM" : "");
    if (!http_reply_keeps_alive(&run->reply))
        return fail(run,
                    "%s ends the connection with its challenge, and Negotiate needs one that "
                    "stays",
                    run->host);
    return read_reply(run, true);
}

/* What the server says to a token: true when it lets us in and has said all it had to. */
static bool is_let_in(struct run *run, bool *ret_more)
{
    struct bytes token = {0};
    bool challenged = http_reply_token(&run->reply, HTTP_NEGOTIATE, &token);
    bool refused = run->outcome->status == 401;
    bool done = true;
    *ret_more = refused;
    if (refused && (!challenged || token.len == 0))
        done = fail(run, "%s refuses us (401); its log may say why", run->host);
    else if (refused && run->established)
        done = fail(run, "%s wants more, and we have nothing more to say", run->host);
    else if (refused)
        done = read_reply(run, true);
    if (done && token.len > 0 && !run->established)
        done = make_leg(run, &token);
    if (done && !refused && !run->established && run->outcome->status >= 400)
        done = fail(run, "%s answers %d, and has not proved who it is", run->host,
                    run->outcome->status);
    else if (done && !refused && !run->established)
        done = fail(run, "%s lets us in and has not proved who it is", run->host);
    if (done && refused && run->token.len == 0)
        done = fail(run, "%s wants more, and we have nothing more to say", run->host);
    bytes_clear(&token);
    return done;
}

static bool authenticate(struct run *run)
{
    static const struct bytes nothing;
    bool more = true;
    if (!ask(run) || !read_challenge(run) || !acquire(run) || !make_leg(run, &nothing))
        return false;
    for (unsigned legs = 0; more; legs++) {
        if (legs == LEGS_MAX)
            return fail(run, "the authentication comes to no end");
        if (!ask(run) || !is_let_in(run, &more))
            return false;
    }
    run->outcome->authenticated = true;
    secured_read(&run->initiator.context, false, &run->outcome->secured);
    return true;
}

static void get_page(struct run *run)
{
    run->reply.sink = stdout;
    if (!read_reply(run, true))
        return;
    if (run->outcome->status >= 400)
        fail(run, "%s answers %d %s", run->host, run->outcome->status,
             http_status_str((enum http_status)run->outcome->status));
}

enum stream_result negotiate_run(const struct negotiate_options *options, struct stream *stream,
                                 const char *host, unsigned timeout_ms,
                                 struct negotiate_outcome *ret_outcome)
{
    struct run run = {
        .options = options,
        .stream = stream,
        .host = host,
        .timeout_ms = timeout_ms,
        .outcome = ret_outcome,
        .initiator = {.caller = &stream->caller,
                      .legs = &stream->legs,
                      .package = NEGOSSP_NAME_A,
                      .target = options->target,
                      .flags = ISC_REQ_MUTUAL_AUTH | (options->delegate ? ISC_REQ_DELEGATE : 0)}};
    *ret_outcome = (struct negotiate_outcome){.code = TOOL_OK};
    initiator_init(&run.initiator);
    http_reply_init(&run.reply);
    if (!options->clear && QueryContextAttributesA(&stream->context, SECPKG_ATTR_ENDPOINT_BINDINGS,
                                                   &run.bindings) == SEC_E_OK)
        run.initiator.bindings = &run.bindings;
    if (!options->clear && !run.initiator.bindings)
        fail(&run, "the TLS connection has no channel bindings");
    else if (authenticate(&run))
        get_page(&run);
    initiator_clear(&run.initiator);
    http_reply_clear(&run.reply);
    bytes_clear(&run.token);
    FreeContextBuffer(run.bindings.Bindings);
    return run.result;
}
