/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * sspi connect: a TLS client that shows what its asynchronous calls do.
 */
#include "tool.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connect.h"
#include "options.h"
#include "text.h"

#define TICKET_WAIT_MS 200 /* between repeated connections, for a session ticket to come */
#define INPUT_SIZE     16384
#define OUTGOING_MAX   65536 /* above it, standard input waits */

static const char help[] =
    "Usage: sspi connect HOST[:PORT] [OPTION...]\n"
    "       sspi connect --negotiate URL [OPTION...]\n"
    "\n"
    "Makes a TLS connection (port 443 if none is given) and shows what was negotiated, the peer's\n"
    "certificates and the verdict on them, and the life of each asynchronous call: when it was\n"
    "queued, started and done, and on which thread.\n"
    "\n"
    "  --ca FILE         trust the roots in this PEM file; default: SSL_CERT_FILE and "
    "SSL_CERT_DIR,\n"
    "                    or the system's\n"
    "  --insecure        do not verify the server's certificate: for tests only\n"
    "  --name NAME       name that the server must prove, if it is not HOST\n"
    "  --alpn LIST       application protocols to offer, such as h2,http/1.1\n"
    "  --tls 1.2|1.3     only this version\n"
    "  --cert FILE       client certificate with its chain, PEM; or a pkcs11: URI\n"
    "  --key FILE        its key, PEM; default: in the same file\n"
    "  --password SOURCE of the key: pass:TEXT, env:NAME or file:PATH\n"
    "  --store-cert SHA1 instead: the one with this thumbprint of the store \"MY\" (see sspi "
    "store)\n"
    "  --default-cert    if the server asks, one of the store \"MY\", by the names it accepts\n"
    "  --send            send standard input, print the answer; the report goes to standard error\n"
    "  --repeat N        connect N times: shows resumption\n"
    "  --negotiate       get the page at URL from a server that wants to know who asks, by HTTP\n"
    "                    Negotiate (Kerberos, else NTLM), bound to the TLS connection; the page "
    "goes\n"
    "                    to standard output, the report to standard error\n"
    "  --user NAME       with --negotiate: user, user@REALM; default: whose tickets there are\n"
    "  --domain NAME     the user's domain or realm\n"
    "  --password-file FILE\n"
    "                    the user's password: the first line of this file\n"
    "  --target SPN      the service to ask a ticket for; default: HTTP/ and the host's name\n"
    "  --delegate        let the server act for the user, if his tickets allow it\n"
    "  --timeout MS      for connect and handshake together, and for silence afterwards;\n"
    "                    default 10000. Looking up the name has the resolver's own limits\n"
    "  --sync            use synchronous calls instead\n"
    "  --json            the report as JSON\n"
    "  --quiet           no report; the exit code and complaints only\n"
    "\n"
    "Examples:\n"
    "  sspi connect example.org\n"
    "  sspi connect localhost:8443 --ca ca.pem --alpn http/1.1\n"
    "  printf 'GET / HTTP/1.0\\r\\n\\r\\n' | sspi connect localhost:8443 --ca ca.pem --send\n"
    "  sspi connect localhost:8443 --ca ca.pem --repeat 2 --json\n"
    "  kinit alice && sspi connect --negotiate https://intranet.example.org/\n"
    "\n" TOOL_EXIT_HELP;

/* Records how a stage ended; the exit code follows from it. */
static enum stream_result conclude(struct connect_outcome *outcome, struct stream *stream,
                                   const char *stage, enum stream_result result)
{
    outcome->stage = stage;
    outcome->result = result;
    outcome->code = result == STREAM_OK || result == STREAM_CLOSED ? TOOL_OK : TOOL_FAILED;
    if (result == STREAM_SYSTEM)
        snprintf(outcome->why, sizeof(outcome->why), "%s", strerror(stream->error));
    if (result == STREAM_TLS && SecIsValidHandle(&stream->context))
        text_detail(&stream->context, outcome->detail, sizeof(outcome->detail));
    return result;
}

/* --- Standard input and output -------------------------------------------------------------------
 */

static bool write_answer(struct stream *stream, struct connect_outcome *outcome)
{
    size_t len = stream->plain.len;
    outcome->received += len;
    if ((len > 0 && fwrite(stream->plain.data, 1, len, stdout) != len) || fflush(stdout) != 0) {
        stream->error = errno;
        return false;
    }
    bytes_consume(&stream->plain, len);
    return true;
}

/* Reads once from standard input and seals it; *open turns false at its end. */
static enum stream_result read_input(struct stream *stream, struct connect_outcome *outcome,
                                     bool *open)
{
    char buffer[INPUT_SIZE];
    ssize_t count = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return STREAM_OK;
    if (count <= 0) {
        *open = false;
        return STREAM_OK;
    }
    outcome->sent += (uint64_t)count;
    return stream_seal(stream, buffer, (size_t)count);
}

/* Sends standard input and prints what comes, until the peer ends or is silent for too long. */
static enum stream_result pump(const struct connect_options *options, struct stream *stream,
                               struct connect_outcome *outcome)
{
    bool open = true;
    enum stream_result result = stream_open_records(stream); /* came with the handshake's end */
    while (result == STREAM_OK) {
        if (!write_answer(stream, outcome))
            return STREAM_SYSTEM;
        stream->deadline_ms = net_now_ms() + options->timeout_ms;
        bool read_on = open && stream->outgoing.len < OUTGOING_MAX;
        struct pollfd items[2] = {
            {.fd = stream->fd,
             .events = (short)(POLLIN | (stream->outgoing.len > 0 ? POLLOUT : 0))},
            {.fd = read_on ? STDIN_FILENO : -1, .events = POLLIN},
        };
        int count = poll(items, 2, (int)options->timeout_ms);
        if (count == 0)
            /* The peer may well leave the end to us; without any answer it has failed. */
            return outcome->received > 0 && !open ? STREAM_OK : STREAM_TIMEOUT;
        if (items[1].revents)
            result = read_input(stream, outcome, &open);
        if (result == STREAM_OK)
            result = stream_send(stream);
        if (result == STREAM_OK && items[0].revents & (POLLIN | POLLHUP | POLLERR))
            result = stream_receive(stream);
    }
    return write_answer(stream, outcome) ? result : STREAM_SYSTEM;
}

/* --- One connection ------------------------------------------------------------------------------
 */

/* Takes in what comes right after the handshake: without it there is no ticket to resume with. */
static void wait_for_ticket(struct stream *stream)
{
    int64_t until = net_now_ms() + TICKET_WAIT_MS;
    struct pollfd item = {.fd = stream->fd, .events = POLLIN};
    while (poll(&item, 1, net_left_ms(until)) > 0) {
        if (stream_receive(stream) != STREAM_OK)
            return;
    }
}

static enum stream_result make_connection(const struct connect_options *options,
                                          struct stream *stream, struct connect_outcome *outcome)
{
    stream->deadline_ms = net_now_ms() + options->timeout_ms;
    int fd =
        net_connect(&options->address, stream->deadline_ms, outcome->why, sizeof(outcome->why));
    if (fd < 0) {
        outcome->stage = "connecting";
        outcome->result = STREAM_SYSTEM;
        outcome->code = TOOL_LOCAL;
        return STREAM_SYSTEM;
    }
    int64_t begin = net_now_us();
    enum stream_result result =
        conclude(outcome, stream, "the handshake", stream_handshake(stream, fd));
    outcome->handshake_us = net_now_us() - begin;
    if (result == STREAM_OK && !stream->clear)
        facts_read(&stream->context, &outcome->facts);
    if (options->json && SecIsValidHandle(&stream->context)) {
        json_decref(outcome->chain);
        outcome->chain = chain_json(&stream->context);
    }
    return result;
}

static enum stream_result get_page(const struct connect_options *options, struct stream *stream,
                                   struct connect_outcome *outcome, FILE *out)
{
    char host[NET_HOST_SIZE + NET_PORT_SIZE + 4];
    bool six = strchr(options->address.host, ':') != NULL;
    const char *port = options->page.clear ? "80" : "443";
    bool usual = strcmp(options->address.port, port) == 0;
    snprintf(host, sizeof(host), "%s%s%s%s%s", six ? "[" : "", options->address.host,
             six ? "]" : "", usual ? "" : ":", usual ? "" : options->address.port);
    enum stream_result result =
        conclude(outcome, stream, "the exchange",
                 negotiate_run(&options->page, stream, host, options->timeout_ms, &outcome->page));
    if (outcome->code == TOOL_OK && outcome->page.code != TOOL_OK) {
        outcome->code = outcome->page.code;
        snprintf(outcome->why, sizeof(outcome->why), "%s", outcome->page.why);
    }
    fflush(stdout);
    if (!options->json && !options->quiet)
        connect_print_page(out, options, outcome);
    return result;
}

/* Connects once; the last of several connections is the one that is shown and that sends. */
static void connect_once(const struct connect_options *options, struct stream *stream,
                         struct connect_outcome *outcome, FILE *out, bool last)
{
    enum stream_result result = make_connection(options, stream, outcome);
    bool established = result == STREAM_OK;
    if (established && last) {
        if (!options->json && !options->quiet)
            connect_print(out, options, stream, outcome);
        if (options->send)
            result = conclude(outcome, stream, "the exchange", pump(options, stream, outcome));
        if (options->negotiate)
            result = get_page(options, stream, outcome, out);
    } else if (established) {
        wait_for_ticket(stream);
    }
    if (outcome->code != TOOL_OK && outcome->page.code == TOOL_OK) {
        fflush(stdout);
        connect_complain(options, stream, outcome);
    }
    /* A close_notify, or after a bad record its alert. A handshake that failed has sent its own. */
    if (established && result != STREAM_EOF && result != STREAM_SYSTEM) {
        stream->deadline_ms = net_now_ms() + options->timeout_ms;
        (void)stream_shutdown(stream); /* all was said; a peer that has gone already is no loss */
    }
    stream_disconnect(stream);
}

static void connect_all(const struct connect_options *options, struct stream *stream,
                        struct timeline *timeline, struct connect_outcome *outcome)
{
    FILE *out = options->send || options->negotiate ? stderr : stdout;
    json_t *repeats = options->json && options->repeat > 1 ? json_array() : NULL;
    for (unsigned i = 1; i <= options->repeat && outcome->code == TOOL_OK; i++) {
        connect_once(options, stream, outcome, out, i == options->repeat);
        if (repeats)
            json_array_append_new(repeats,
                                  json_pack("{s:b, s:b, s:I}", "ok", outcome->code == TOOL_OK,
                                            "resumed", outcome->facts.resumed, "handshake_us",
                                            (json_int_t)outcome->handshake_us));
        else if (options->repeat > 1 && !options->quiet && i < options->repeat &&
                 outcome->code == TOOL_OK)
            connect_print_line(out, i, outcome);
    }
    timeline_end(timeline);
    if (options->json) {
        if (!connect_print_json(out, options, stream, outcome, repeats, timeline)) {
            text_complain("the report could not be printed");
            outcome->code = TOOL_LOCAL;
        }
    } else if (!options->quiet && stream->legs.count > 0) {
        if (timeline)
            timeline_print(out, timeline, &stream->legs);
        else
            timeline_print_legs(out, outcome->zero_us, &stream->legs);
    }
    json_decref(repeats);
}

static int run(const struct connect_options *options)
{
    struct tls_auth auth;
    int code = tls_configure(options->ca, 0);
    if (code == TOOL_OK)
        code = tls_auth_load(&options->tls, &auth);
    if (code != TOOL_OK)
        return code;

    struct connect_outcome outcome = {.stage = "", .zero_us = net_now_us()};
    struct stream stream = {.caller = {.sync = options->sync},
                            .clear = options->page.clear,
                            .target = options->name ? options->name : options->address.host,
                            .flags = options->insecure ? ISC_REQ_MANUAL_CRED_VALIDATION : 0,
                            .deadline_ms = net_now_ms() + options->timeout_ms};
    struct timeline *timeline = options->sync ? NULL : timeline_begin();
    SECURITY_STATUS status = stream_init(&stream);
    if (options->alpn && !tls_alpn_set(&stream.alpn, options->alpn)) {
        outcome.code = text_usage("connect", "--alpn does not take '%s'", options->alpn);
    } else {
        if (status == SEC_E_OK)
            status = stream_acquire(&stream, UNISP_NAME_A, &auth.credentials);
        if (status == SEC_E_OK) {
            connect_all(options, &stream, timeline, &outcome);
        } else {
            text_complain_status("cannot get a credential", status, NULL);
            outcome.code = TOOL_LOCAL;
        }
    }
    timeline_end(timeline);
    stream_clear(&stream);
    tls_auth_clear(&auth);
    json_decref(outcome.chain);
    OsspiShutdown(1000);
    timeline_free(timeline);
    return outcome.code;
}

/* What goes with --negotiate, and what does not. */
static int check_negotiate(struct connect_options *options, const char *url, const char *target)
{
    struct negotiate_options *page = &options->page;
    if (!options->negotiate) {
        const char *only = page->login.user            ? "user"
                           : page->login.domain        ? "domain"
                           : page->login.password_file ? "password-file"
                           : target                    ? "target"
                           : page->delegate            ? "delegate"
                                                       : NULL;
        return only ? text_usage("connect", "--%s means nothing without --negotiate", only)
                    : OPTIONS_GO;
    }
    const char *wrong = negotiate_split(url, &options->address, page);
    if (wrong)
        return text_usage("connect", "--negotiate cannot use the URL '%s': %s", url, wrong);
    if (options->send || options->repeat > 1)
        return text_usage("connect", "--negotiate gets one page: leave out --%s",
                          options->send ? "send" : "repeat");
    if (options->alpn && strstr(options->alpn, "h2"))
        return text_usage("connect", "--negotiate speaks HTTP/1.1 only: leave h2 out of --alpn");
    if (page->clear && (options->ca || options->name || options->alpn || options->tls.version ||
                        options->tls.cert || options->tls.store_cert || options->insecure))
        return text_usage("connect", "http:// has no TLS: leave out its options, or use https://");
    if (!options->alpn)
        options->alpn = "http/1.1";
    int len = snprintf(page->target, sizeof(page->target), "%s%s", target ? "" : "HTTP/",
                       target          ? target
                       : options->name ? options->name
                                       : options->address.host);
    if (len <= 0 || (size_t)len >= sizeof(page->target))
        return text_usage("connect", "--target takes a name like HTTP/www.example.org");
    if (page->clear)
        text_complain("WARNING: without TLS anybody on the way can read and change the page, and "
                      "use the login for himself");
    return login_check("connect", &page->login);
}

int cmd_connect(int argc, char **argv)
{
    const char *target = NULL, *spn = NULL;
    bool default_cert = false;
    struct connect_options options = {.timeout_ms = 10000, .repeat = 1};
    const struct option_spec specs[] = {
        {"ca", OPTION_TEXT, &options.ca, 0, 0},
        {"insecure", OPTION_FLAG, &options.insecure, 0, 0},
        {"name", OPTION_TEXT, &options.name, 0, 0},
        {"alpn", OPTION_TEXT, &options.alpn, 0, 0},
        {"tls", OPTION_TLS, &options.tls.version, 0, 0},
        {"cert", OPTION_TEXT, &options.tls.cert, 0, 0},
        {"key", OPTION_TEXT, &options.tls.key, 0, 0},
        {"password", OPTION_TEXT, &options.tls.password, 0, 0},
        {"store-cert", OPTION_TEXT, &options.tls.store_cert, 0, 0},
        {"default-cert", OPTION_FLAG, &default_cert, 0, 0},
        {"send", OPTION_FLAG, &options.send, 0, 0},
        {"repeat", OPTION_NUMBER, &options.repeat, 1, 1000},
        {"negotiate", OPTION_FLAG, &options.negotiate, 0, 0},
        {"user", OPTION_TEXT, &options.page.login.user, 0, 0},
        {"domain", OPTION_TEXT, &options.page.login.domain, 0, 0},
        {"password-file", OPTION_TEXT, &options.page.login.password_file, 0, 0},
        {"target", OPTION_TEXT, &spn, 0, 0},
        {"delegate", OPTION_FLAG, &options.page.delegate, 0, 0},
        {"timeout", OPTION_NUMBER, &options.timeout_ms, 1, 3600000},
        {"sync", OPTION_FLAG, &options.sync, 0, 0},
        {"json", OPTION_FLAG, &options.json, 0, 0},
        {"quiet", OPTION_FLAG, &options.quiet, 0, 0},
        {NULL, OPTION_FLAG, NULL, 0, 0},
    };
    const struct option_set set = {"connect", help, specs, &target, 1, 1};
    int code = options_read(&set, argc, argv);
    if (code != OPTIONS_GO)
        return code;
    if (!options.negotiate && !net_split(target, "443", &options.address))
        return text_usage("connect", "'%s' is no HOST or HOST:PORT", target);
    code = check_negotiate(&options, target, spn);
    if (code != OPTIONS_GO)
        return code;
    if (options.tls.key && !options.tls.cert)
        return text_usage("connect", "--key needs --cert");
    if (options.tls.store_cert && options.tls.cert)
        return text_usage("connect", "--store-cert and --cert exclude each other");
    if (default_cert && (options.tls.cert || options.tls.store_cert))
        return text_usage("connect", "--default-cert and --cert exclude each other");
    if (!default_cert)
        options.tls.flags |= SCH_CRED_NO_DEFAULT_CREDS;
    if (options.insecure) {
        options.tls.flags |= SCH_CRED_MANUAL_CRED_VALIDATION;
        text_complain("WARNING: --insecure: the server's certificate is not verified");
    }
    return run(&options);
}
