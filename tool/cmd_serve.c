/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * sspi serve: the command line of the HTTPS server in server.c.
 */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <opensspi.h>

#include "http_auth.h"
#include "login.h"
#include "options.h"
#include "server.h"
#include "text.h"
#include "tls.h"

static const char help[] =
    "Usage: sspi serve [DIR] --cert FILE [OPTION...]\n"
    "\n"
    "Serves a directory (default: this one) over HTTPS: HTTP/2 and HTTP/1.1, GET and HEAD. Every\n"
    "leg of every handshake is an asynchronous call; the thread that runs the event loop never\n"
    "does one itself, and never waits for the disk.\n"
    "Symbolic links are not followed, names that begin with a dot are not served.\n"
    "\n"
    "  --cert FILE            certificate with its chain, PEM; this or --store-cert is required.\n"
    "                         Or a pkcs11: URI of a certificate in a token\n"
    "  --key FILE             its key, PEM; default: in the same file\n"
    "  --password SOURCE      of the key: pass:TEXT, env:NAME or file:PATH\n"
    "  --client-ca FILE       ask clients for a certificate, and believe those that are signed by\n"
    "                         one in this file, PEM; one that is not good ends the handshake\n"
    "  --require-client-cert  and let in nobody who shows none\n"
    "  --store-cert SHA1      instead: the one with this thumbprint of the store \"MY\" (see sspi\n"
    "                         store); user:SHA1 or machine:SHA1 says in which\n"
    "  --address ADDRESS      where to listen, default 127.0.0.1\n"
    "  --port N               default 8443; 0 = any free one\n"
    "  --alpn LIST            application protocols, default h2,http/1.1; the first one that the\n"
    "                         client has too is taken; h2 is HTTP/2, all else is answered in\n"
    "                         HTTP/1.1; \"\" = none\n"
    "  --tls 1.2|1.3          only this version\n"
    "  --no-tickets           no session resumption\n"
    "  --workers N            threads for handshakes; default: one per CPU\n"
    "  --max-connections N    at a time, default 256; more wait in the backlog\n"
    "  --handshake-timeout MS default 10000\n"
    "  --idle-timeout MS      for a request to arrive and a chunk to leave, default 15000\n"
    "  --seconds N            stop after this time; default: on SIGINT or SIGTERM\n"
    "  --verbose              a line for each request and each failure\n"
    "  --auth LIST            let in only clients that say who they are: \"negotiate\" (Kerberos, "
    "or\n"
    "                         NTLM inside it), \"ntlm\", or both, in this order. Keys are in the\n"
    "                         keytab that KRB5_KTNAME names, users of NTLM in NTLM_USER_FILE. "
    "Each\n"
    "                         connection is one user's. HTTP/1.1 only\n"
    "  --allow-missing-bindings\n"
    "                         let in clients too that do not tell on which TLS connection they "
    "are:\n"
    "                         without this a client that can be made to speak to somebody else\n"
    "                         cannot be used to get in here; but curl before 8.10, and Chromium\n"
    "                         with Kerberos, do not tell\n"
    "  --status PATH          at PATH, a page that shows live what the server and the library do:\n"
    "                         handshakes, queue, latencies, loop delay; at PATH.json the numbers.\n"
    "                         It has no password: only clients of this machine (127.0.0.0/8, ::1)\n"
    "                         get it, others 403. Behind a proxy here everybody is such a client.\n"
    "  --status-any           the status page for every client; not on a public network\n"
    "\n"
    "One line tells when it is ready: listening on https://127.0.0.1:8443/\n"
    "SIGHUP reads the certificate and the key again; connections go on.\n"
    "\n"
    "Examples:\n"
    "  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \\\n"
    "      -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem\n"
    "  sspi serve public --cert cert.pem --key key.pem --verbose\n"
    "  curl --cacert cert.pem https://localhost:8443/\n"
    "  sspi serve public --cert cert.pem --key key.pem --status /status\n"
    "  KRB5_KTNAME=http.keytab sspi serve public --cert cert.pem --key key.pem --auth negotiate\n"
    "\n" TOOL_EXIT_HELP;

struct arguments {
    struct server_options server;
    struct tls_options tls;
    const char *alpn; /* NULL: what fits the other options */
    const char *auth; /* schemes; NULL: none */
    const char *directory;
    unsigned workers;
    bool no_tickets;
};

static int open_root(const char *directory)
{
    int root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        text_complain("cannot serve %s: %s", directory, strerror(errno));
    return root;
}

/* Is this scheme in the list? The names have no letters but ASCII's. */
static bool has_scheme(const char *list, enum http_scheme scheme)
{
    const char *name = http_scheme_name(scheme);
    for (;;) {
        size_t len = strcspn(list, ",");
        if (len == strlen(name) && strncasecmp(list, name, len) == 0)
            return true;
        if (list[len] == '\0')
            return false;
        list += len + 1;
    }
}

/* Credentials for the schemes of --auth, which has been checked. */
static int acquire_auth(struct server *server, const char *list)
{
    for (int i = 0; i < HTTP_SCHEMES; i++)
        SecInvalidateHandle(&server->auth[i]);
    server->authenticates = list != NULL;
    int code = TOOL_OK;
    for (int i = 0; list && i < HTTP_SCHEMES && code == TOOL_OK; i++) {
        if (has_scheme(list, (enum http_scheme)i))
            code =
                login_acquire_server(http_scheme_name((enum http_scheme)i), NULL, &server->auth[i]);
    }
    return code;
}

static int run_server(struct server *server, const struct arguments *arguments)
{
    int code = acquire_auth(server, arguments->auth);
    if (code == TOOL_OK)
        code = server_run(server);
    for (int i = 0; i < HTTP_SCHEMES; i++) {
        if (SecIsValidHandle(&server->auth[i]))
            FreeCredentialsHandle(&server->auth[i]);
    }
    return code;
}

static int serve(const struct arguments *arguments)
{
    struct server *server = calloc(1, sizeof(*server));
    if (!server) {
        text_complain("out of memory");
        return TOOL_LOCAL;
    }
    server->options = arguments->server;
    server->tls = &arguments->tls;
    int code = TOOL_USAGE;
    if (arguments->alpn[0] && !tls_alpn_set(&server->alpn, arguments->alpn)) {
        code = text_usage("serve", "--alpn does not take '%s'", arguments->alpn);
    } else if ((server->root = open_root(arguments->directory)) < 0) {
        code = TOOL_LOCAL;
    } else {
        code = tls_configure(NULL, arguments->workers);
        if (code == TOOL_OK)
            code = tls_acquire(&arguments->tls, &server->credential);
        if (code == TOOL_OK) {
            code = run_server(server, arguments);
            FreeCredentialsHandle(&server->credential);
            OsspiShutdown(1000);
        }
        close(server->root);
    }
    free(server);
    return code;
}

/* A path that is compared with requests byte by byte, so nothing in it may be written two ways. */
static bool is_plain_path(const char *path)
{
    size_t len = strlen(path);
    return path[0] == '/' && len > 1 && len < 200 && path[len - 1] != '/' && !strstr(path, "//") &&
           len ==
               strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-_.");
}

static bool is_scheme_list(const char *list)
{
    return strcasecmp(list, "negotiate") == 0 || strcasecmp(list, "ntlm") == 0 ||
           strcasecmp(list, "negotiate,ntlm") == 0;
}

/* HTTP/2 has no connections that belong to one user, so where clients authenticate it is not
 * offered (RFC 9113 leaves these schemes to HTTP/1.1). */
static int check_auth(struct arguments *arguments)
{
    if (arguments->auth && !is_scheme_list(arguments->auth))
        return text_usage("serve", "--auth takes negotiate, ntlm, or negotiate,ntlm, not '%s'",
                          arguments->auth);
    if (arguments->auth && arguments->alpn && strstr(arguments->alpn, "h2"))
        return text_usage("serve", "--auth works over HTTP/1.1 only: leave h2 out of --alpn");
    if (!arguments->auth && arguments->server.allow_missing_bindings)
        return text_usage("serve", "--allow-missing-bindings means nothing without --auth LIST");
    if (!arguments->alpn)
        arguments->alpn = arguments->auth ? "http/1.1" : "h2,http/1.1";
    return OPTIONS_GO;
}

int cmd_serve(int argc, char **argv)
{
    struct arguments arguments = {
        .server = {.address = "127.0.0.1",
                   .port = 8443,
                   .max_connections = 256,
                   .handshake_ms = 10000,
                   .idle_ms = 15000},
        .tls = {.server = true},
        .directory = ".",
    };
    const struct option_spec specs[] = {
        {"cert", OPTION_TEXT, &arguments.tls.cert, 0, 0},
        {"key", OPTION_TEXT, &arguments.tls.key, 0, 0},
        {"password", OPTION_TEXT, &arguments.tls.password, 0, 0},
        {"client-ca", OPTION_TEXT, &arguments.tls.client_ca, 0, 0},
        {"require-client-cert", OPTION_FLAG, &arguments.tls.require_client_cert, 0, 0},
        {"store-cert", OPTION_TEXT, &arguments.tls.store_cert, 0, 0},
        {"address", OPTION_TEXT, &arguments.server.address, 0, 0},
        {"port", OPTION_NUMBER, &arguments.server.port, 0, 65535},
        {"alpn", OPTION_TEXT, &arguments.alpn, 0, 0},
        {"tls", OPTION_TLS, &arguments.tls.version, 0, 0},
        {"no-tickets", OPTION_FLAG, &arguments.no_tickets, 0, 0},
        {"workers", OPTION_NUMBER, &arguments.workers, 1, 1024},
        {"max-connections", OPTION_NUMBER, &arguments.server.max_connections, 1, 100000},
        {"handshake-timeout", OPTION_NUMBER, &arguments.server.handshake_ms, 1, 3600000},
        {"idle-timeout", OPTION_NUMBER, &arguments.server.idle_ms, 1, 3600000},
        {"seconds", OPTION_NUMBER, &arguments.server.seconds, 1, 1000000},
        {"auth", OPTION_TEXT, &arguments.auth, 0, 0},
        {"allow-missing-bindings", OPTION_FLAG, &arguments.server.allow_missing_bindings, 0, 0},
        {"status", OPTION_TEXT, &arguments.server.status_path, 0, 0},
        {"status-any", OPTION_FLAG, &arguments.server.status_any, 0, 0},
        {"verbose", OPTION_FLAG, &arguments.server.verbose, 0, 0},
        {NULL, OPTION_FLAG, NULL, 0, 0},
    };
    const struct option_set set = {"serve", help, specs, &arguments.directory, 0, 1};
    int code = options_read(&set, argc, argv);
    if (code != OPTIONS_GO)
        return code;
    if (!arguments.tls.cert == !arguments.tls.store_cert)
        return text_usage("serve",
                          "a server needs a certificate: --cert FILE or --store-cert SHA1");
    if (arguments.tls.require_client_cert && !arguments.tls.client_ca)
        return text_usage("serve", "--require-client-cert needs --client-ca FILE");
    if (arguments.server.status_path && !is_plain_path(arguments.server.status_path))
        return text_usage("serve", "--status takes a path like /status, not '%s'",
                          arguments.server.status_path);
    if (arguments.server.status_any && !arguments.server.status_path)
        return text_usage("serve", "--status-any means nothing without --status PATH");
    code = check_auth(&arguments);
    if (code != OPTIONS_GO)
        return code;
    arguments.server.tickets = !arguments.no_tickets;
    if (arguments.no_tickets)
        arguments.tls.flags |= SCH_CRED_DISABLE_RECONNECTS;
    return serve(&arguments);
}
