/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * sspi connect: what it tells, for people and as JSON.
 */
#include "connect.h"

#include <stdlib.h>

#include <opensspi.h>

#include "text.h"

static const char *server_name(const struct connect_options *options)
{
    return options->name ? options->name : options->address.host;
}

void connect_complain(const struct connect_options *options, struct stream *stream,
                      const struct connect_outcome *outcome)
{
    const char *host = options->address.host, *port = options->address.port;
    char what[512];
    snprintf(what, sizeof(what), "%s with %s port %s failed", outcome->stage, host, port);
    switch (outcome->result) {
    case STREAM_TLS:
        text_complain_status(what, stream->status,
                             SecIsValidHandle(&stream->context) ? &stream->context : NULL);
        return;
    case STREAM_TIMEOUT:
        text_complain("%s: no answer within %u ms", what, options->timeout_ms);
        fputs("  next:    does the other side speak TLS on this port? More time: --timeout MS\n",
              stderr);
        return;
    case STREAM_EOF:
        text_complain("%s: the other side closed the connection without a close_notify", what);
        fputs("  next:    what came may be cut off; the other side's log may say why\n", stderr);
        return;
    default:
        text_complain("%s: %s", what, outcome->why);
    }
}

void connect_print(FILE *out, const struct connect_options *options, struct stream *stream,
                   const struct connect_outcome *outcome)
{
    if (options->page.clear) {
        fprintf(out, "connected to  %s port %s, without TLS\n", options->address.host,
                options->address.port);
        return;
    }
    fprintf(out, "connected to  %s port %s, handshake in %.1f ms\n", options->address.host,
            options->address.port, (double)outcome->handshake_us / 1000);
    facts_print(out, &outcome->facts);
    if (options->insecure)
        fputs("verdict       NOT VERIFIED: --insecure was given, this may be anyone\n", out);
    else
        fprintf(out, "verdict       verified: a trusted chain, and good for %s\n",
                server_name(options));
    fputs("peer's certificates\n", out);
    if (chain_print(out, &stream->context) == 0)
        fputs("  none\n", out);
}

void connect_print_page(FILE *out, const struct connect_options *options,
                        const struct connect_outcome *outcome)
{
    const struct negotiate_outcome *page = &outcome->page;
    if (!page->authenticated)
        return;
    fprintf(out, "asked for     %s\n", options->page.target);
    secured_print(out, &page->secured);
    if (!secured_is_mutual(&page->secured))
        fprintf(out, "proof         %s has not shown the server's identity\n",
                page->secured.package);
    else
        fputs("proof         the server has shown that it is the service asked for\n", out);
    fprintf(out, "bound         %s\n",
            options->page.clear ? "to nothing: there is no TLS" : "to this TLS connection");
    fprintf(out, "page          %d\n", page->status);
}

void connect_print_line(FILE *out, unsigned number, const struct connect_outcome *outcome)
{
    fprintf(out, "connection %u  %s, %s, handshake in %.1f ms\n", number, outcome->facts.protocol,
            outcome->facts.resumed ? "resumed" : "new session",
            (double)outcome->handshake_us / 1000);
}

static const char *result_name(enum stream_result result)
{
    switch (result) {
    case STREAM_EOF:
        return "connection closed without close_notify";
    case STREAM_TIMEOUT:
        return "timeout";
    case STREAM_TLS:
        return "TLS failure";
    case STREAM_SYSTEM:
        return "system error";
    default:
        return "none";
    }
}

static json_t *error_json(const struct stream *stream, const struct connect_outcome *outcome)
{
    json_t *error =
        json_pack("{s:s, s:s}", "stage", outcome->stage, "kind", result_name(outcome->result));
    if (error && outcome->why[0])
        json_object_set_new(error, "reason", json_string(outcome->why));
    if (!error || outcome->result != STREAM_TLS)
        return error;
    char code[16];
    snprintf(code, sizeof(code), "0x%08X", (unsigned)stream->status);
    json_object_set_new(error, "status", json_string(text_status(stream->status)));
    json_object_set_new(error, "code", json_string(code));
    json_object_set_new(error, "meaning", json_string(OsspiStatusText(stream->status)));
    if (outcome->detail[0])
        json_object_set_new(error, "detail", json_string(outcome->detail));
    return error;
}

bool connect_print_json(FILE *out, const struct connect_options *options, struct stream *stream,
                        struct connect_outcome *outcome, json_t *repeats, struct timeline *timeline)
{
    json_t *root = json_pack("{s:s, s:i, s:s, s:b}", "host", options->address.host, "port",
                             atoi(options->address.port), "name", server_name(options), "ok",
                             outcome->code == 0);
    bool done = root != NULL;
    if (done && outcome->facts.protocol[0]) {
        done = facts_json(&outcome->facts, root);
        json_object_set_new(root, "handshake_us", json_integer(outcome->handshake_us));
        json_object_set_new(root, "verified", json_boolean(!options->insecure));
    }
    if (done && outcome->chain)
        json_object_set(root, "chain", outcome->chain);
    if (done && outcome->code != 0)
        json_object_set_new(root, "error", error_json(stream, outcome));
    if (done && repeats)
        json_object_set(root, "connections", repeats);
    if (done && options->negotiate) {
        json_object_set_new(root, "http_status", json_integer(outcome->page.status));
        if (outcome->page.authenticated)
            json_object_set_new(root, "authentication", secured_json(&outcome->page.secured));
    }
    if (done && options->send) {
        json_object_set_new(root, "sent", json_integer((json_int_t)outcome->sent));
        json_object_set_new(root, "received", json_integer((json_int_t)outcome->received));
    }
    if (done)
        json_object_set_new(root, "calls",
                            timeline ? timeline_json(timeline, &stream->legs)
                                     : timeline_legs_json(outcome->zero_us, &stream->legs));
    done = done && json_dumpf(root, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF;
    json_decref(root);
    return done;
}
