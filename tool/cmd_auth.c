/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * sspi auth: the command line of a client and a server that authenticate and then talk.
 */
#include "tool.h"

#include <string.h>
#include <strings.h>

#include <credssp.h>

#include "auth.h"
#include "options.h"
#include "text.h"

#define DEFAULT_PORT   4711
#define PORT_NOT_GIVEN 65536

static const char help[] =
    "Usage: sspi auth connect HOST:PORT [OPTION...]\n"
    "       sspi auth serve [OPTION...]\n"
    "\n"
    "Two sides that authenticate over TCP and then talk under seal. `connect` shows on standard\n"
    "error what was negotiated (package, names, flags, sizes, lifetime; never a key), sends each\n"
    "line of standard input and prints the answers; `serve` prints who comes and what he says, "
    "and\n"
    "says it again to him. There is no TLS, and none is needed: lines are sealed by the package.\n"
    "CredSSP alone is TLS itself; with it a user can hand his password to the server "
    "(--delegate),\n"
    "which prints whose it was given.\n"
    "\n"
    "  --package NAME    negotiate (default), kerberos, ntlm or credssp\n"
    "  --deadline MS     for the authentication, and for each answer; default 10000\n"
    "\n"
    "Of connect:\n"
    "  --user NAME       user, or user@REALM; default: whoever the tickets belong to (see klist)\n"
    "  --domain NAME     the user's domain or realm\n"
    "  --password-file FILE\n"
    "                    the user's password: the first line of this file\n"
    "  --packages LIST   what Negotiate may choose: kerberos, ntlm, !kerberos (all but it), ...\n"
    "  --target SPN      the service to ask a ticket for; default: host/HOST, or TERMSRV/HOST of\n"
    "                    credssp\n"
    "  --mutual          fail unless the server proves who it is\n"
    "  --delegate        let the server act for the user: if his tickets allow it, and with "
    "credssp\n"
    "                    by his password\n"
    "  --sync            use synchronous calls instead\n"
    "  --json            the report as JSON\n"
    "  --quiet           no report; answers and complaints only\n"
    "\n"
    "Of connect with credssp, which takes any certificate unless one of these is given:\n"
    "  --ca FILE         the server's certificate must be signed by one in this file, PEM, and be\n"
    "                    good for HOST\n"
    "  --server-name NAME\n"
    "                    the certificate must be good for this name; without --ca by the roots of\n"
    "                    this machine\n"
    "\n"
    "Of serve:\n"
    "  --address ADDRESS where to listen, default 127.0.0.1\n"
    "  --port N          default 4711; 0 = any free one\n"
    "  --idle-timeout MS for a line to come, default 60000\n"
    "  --max-connections N\n"
    "                    at a time, default 256; more wait in the backlog\n"
    "  --seconds N       stop after this time; default: on SIGINT or SIGTERM\n"
    "\n"
    "Of serve with credssp:\n"
    "  --cert FILE       certificate with its chain, PEM, or a pkcs11: URI; this or --store-cert "
    "is\n"
    "                    required\n"
    "  --key FILE        its key, PEM; default: in the same file\n"
    "  --key-password SOURCE\n"
    "                    of the key: pass:TEXT, env:NAME or file:PATH\n"
    "  --store-cert SHA1 instead: the one with this thumbprint of the store \"MY\" (see sspi "
    "store)\n"
    "\n"
    "A server's keys are in the keytab that KRB5_KTNAME names, users of NTLM in NTLM_USER_FILE.\n"
    "On the wire: frames, each a length in four bytes (the most significant first) and as many\n"
    "bytes; tokens while the two authenticate, then sealed messages. With credssp: TLS, and lines\n"
    "of text in it.\n"
    "\n"
    "Examples:\n"
    "  KRB5_KTNAME=host.keytab sspi auth serve --address 192.0.2.7\n"
    "  kinit alice && echo hello | sspi auth connect server.example.org:4711 --mutual\n"
    "  sspi auth connect localhost:4711 --package ntlm --user alice --password-file secret.txt\n"
    "  sspi auth serve --package credssp --cert cert.pem --key key.pem\n"
    "  sspi auth connect localhost:4711 --package credssp --user alice --domain EXAMPLE \\\n"
    "      --password-file secret.txt --ca cert.pem --delegate\n"
    "\n" TOOL_EXIT_HELP;

const struct auth_package *auth_package_find(const char *word)
{
    static const struct auth_package packages[] = {
        {"negotiate", NEGOSSP_NAME_A, AUTH_FRAMES},
        {"kerberos", MICROSOFT_KERBEROS_NAME_A, AUTH_FRAMES},
        {"ntlm", NTLMSP_NAME_A, AUTH_FRAMES},
        {"credssp", CREDSSP_NAME_A, AUTH_STREAM},
    };
    for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
        if (strcasecmp(word, packages[i].word) == 0)
            return &packages[i];
    }
    return NULL;
}

struct arguments {
    const char *words[2]; /* action, server */
    const char *package;
    unsigned deadline_ms;
    struct auth_connect_options connect;
    struct auth_serve_options serve;
};

/* Options of the other action do nothing, and nobody shall believe that they do. */
static int check_action(const struct arguments *arguments, bool connects)
{
    const struct auth_connect_options *connect = &arguments->connect;
    const struct auth_serve_options *serve = &arguments->serve;
    const char *foreign = NULL;
    if (connects)
        foreign = serve->address           ? "address"
                  : serve->tls.cert        ? "cert"
                  : serve->tls.key         ? "key"
                  : serve->tls.password    ? "key-password"
                  : serve->tls.store_cert  ? "store-cert"
                  : serve->idle_ms         ? "idle-timeout"
                  : serve->seconds         ? "seconds"
                  : serve->max_connections ? "max-connections"
                                           : NULL;
    else
        foreign = connect->login.user            ? "user"
                  : connect->login.domain        ? "domain"
                  : connect->login.password_file ? "password-file"
                  : connect->login.packages      ? "packages"
                  : connect->ca                  ? "ca"
                  : connect->server_name         ? "server-name"
                  : connect->target              ? "target"
                  : connect->mutual              ? "mutual"
                  : connect->delegate            ? "delegate"
                  : connect->sync                ? "sync"
                  : connect->json                ? "json"
                  : connect->quiet               ? "quiet"
                                                 : NULL;
    return foreign ? text_usage("auth", "--%s is for %s", foreign, connects ? "serve" : "connect")
                   : OPTIONS_GO;
}

/* What only makes sense where there is TLS, and what it needs there. */
static int check_connect(const struct auth_connect_options *options)
{
    bool credssp = options->package->wire == AUTH_STREAM;
    const char *option = options->ca ? "ca" : options->server_name ? "server-name" : NULL;
    if (option && !credssp)
        return text_usage("auth", "--%s is for --package credssp; %s has no TLS", option,
                          options->package->word);
    if (options->server_name &&
        (!options->server_name[0] || strlen(options->server_name) >= NET_HOST_SIZE))
        return text_usage("auth", "--server-name takes a name like server.example.org");
    if (options->login.packages && !credssp && strcmp(options->package->word, "negotiate") != 0)
        return text_usage("auth", "--packages is for negotiate and credssp; %s is one already",
                          options->package->word);
    if (options->login.packages && !options->login.packages[0])
        return text_usage("auth", "--packages takes kerberos, ntlm, !kerberos or !ntlm");
    if (credssp && options->delegate && !options->login.user)
        return text_usage("auth", "--delegate hands a password over with credssp: say whose, with "
                                  "--user NAME and --password-file FILE");
    return OPTIONS_GO;
}

static int check_serve(const struct auth_serve_options *options)
{
    const struct tls_options *tls = &options->tls;
    bool credssp = options->package->wire == AUTH_STREAM;
    const char *option = tls->cert         ? "cert"
                         : tls->key        ? "key"
                         : tls->password   ? "key-password"
                         : tls->store_cert ? "store-cert"
                                           : NULL;
    if (option && !credssp)
        return text_usage("auth", "--%s is for --package credssp; %s has no TLS", option,
                          options->package->word);
    if (credssp && !tls->cert == !tls->store_cert)
        return text_usage("auth", "credssp needs a server's certificate: --cert FILE or "
                                  "--store-cert SHA1");
    if (tls->store_cert && (tls->key || tls->password))
        return text_usage("auth", "--%s goes with --cert; the store has the key already",
                          tls->key ? "key" : "key-password");
    return OPTIONS_GO;
}

static int run_connect(struct arguments *arguments)
{
    struct auth_connect_options *options = &arguments->connect;
    int code = check_action(arguments, true);
    if (code == OPTIONS_GO)
        code = login_check("auth", &options->login);
    if (code == OPTIONS_GO)
        code = check_connect(options);
    if (code != OPTIONS_GO)
        return code;
    if (!arguments->words[1])
        return text_usage("auth", "connect needs a server: HOST:PORT");
    if (!net_split(arguments->words[1], "4711", &options->address))
        return text_usage("auth", "'%s' is no HOST or HOST:PORT", arguments->words[1]);
    if (options->target && (!options->target[0] || strlen(options->target) >= NET_HOST_SIZE))
        return text_usage("auth", "--target takes a name like host/server.example.org");
    options->deadline_ms = arguments->deadline_ms;
    return auth_connect(options);
}

static int run_serve(struct arguments *arguments)
{
    struct auth_serve_options *options = &arguments->serve;
    int code = check_action(arguments, false);
    if (code == OPTIONS_GO)
        code = check_serve(options);
    if (code != OPTIONS_GO)
        return code;
    if (arguments->words[1])
        return text_usage("auth", "what is '%s' for? serve takes --address and --port",
                          arguments->words[1]);
    if (!options->address)
        options->address = "127.0.0.1";
    if (options->idle_ms == 0)
        options->idle_ms = 60000;
    if (options->max_connections == 0)
        options->max_connections = 256;
    options->deadline_ms = arguments->deadline_ms;
    return auth_serve(options);
}

int cmd_auth(int argc, char **argv)
{
    struct arguments arguments = {.package = "negotiate", .deadline_ms = 10000};
    struct auth_connect_options *connect = &arguments.connect;
    struct auth_serve_options *serve = &arguments.serve;
    unsigned port = PORT_NOT_GIVEN;
    const struct option_spec specs[] = {
        {"package", OPTION_TEXT, &arguments.package, 0, 0},
        {"deadline", OPTION_NUMBER, &arguments.deadline_ms, 1, 3600000},
        {"user", OPTION_TEXT, &connect->login.user, 0, 0},
        {"domain", OPTION_TEXT, &connect->login.domain, 0, 0},
        {"password-file", OPTION_TEXT, &connect->login.password_file, 0, 0},
        {"packages", OPTION_TEXT, &connect->login.packages, 0, 0},
        {"target", OPTION_TEXT, &connect->target, 0, 0},
        {"ca", OPTION_TEXT, &connect->ca, 0, 0},
        {"server-name", OPTION_TEXT, &connect->server_name, 0, 0},
        {"mutual", OPTION_FLAG, &connect->mutual, 0, 0},
        {"delegate", OPTION_FLAG, &connect->delegate, 0, 0},
        {"sync", OPTION_FLAG, &connect->sync, 0, 0},
        {"json", OPTION_FLAG, &connect->json, 0, 0},
        {"quiet", OPTION_FLAG, &connect->quiet, 0, 0},
        {"cert", OPTION_TEXT, &serve->tls.cert, 0, 0},
        {"key", OPTION_TEXT, &serve->tls.key, 0, 0},
        {"key-password", OPTION_TEXT, &serve->tls.password, 0, 0},
        {"store-cert", OPTION_TEXT, &serve->tls.store_cert, 0, 0},
        {"address", OPTION_TEXT, &serve->address, 0, 0},
        {"port", OPTION_NUMBER, &port, 0, 65535},
        {"idle-timeout", OPTION_NUMBER, &serve->idle_ms, 1, 3600000},
        {"max-connections", OPTION_NUMBER, &serve->max_connections, 1, 100000},
        {"seconds", OPTION_NUMBER, &serve->seconds, 1, 1000000},
        {NULL, OPTION_FLAG, NULL, 0, 0},
    };
    const struct option_set set = {"auth", help, specs, arguments.words, 1, 2};
    int code = options_read(&set, argc, argv);
    if (code != OPTIONS_GO)
        return code;
    connect->package = serve->package = auth_package_find(arguments.package);
    if (!connect->package)
        return text_usage("auth", "--package takes negotiate, kerberos, ntlm or credssp, not '%s'",
                          arguments.package);
    if (strcmp(arguments.words[0], "connect") == 0 && port != PORT_NOT_GIVEN)
        return text_usage("auth", "--port is for serve; connect takes HOST:PORT");
    serve->tls.server = true;
    serve->port = port == PORT_NOT_GIVEN ? DEFAULT_PORT : port;
    if (strcmp(arguments.words[0], "connect") == 0)
        return run_connect(&arguments);
    if (strcmp(arguments.words[0], "serve") == 0)
        return run_serve(&arguments);
    return text_usage("auth", "there is no '%s': say connect or serve", arguments.words[0]);
}
