/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Credentials for packages that know users.
 */
#include "login.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <opensspi.h>

#include "options.h"
#include "text.h"
#include "tool.h"

const char *login_package(const char *name)
{
    static const char *const packages[] = {NEGOSSP_NAME_A, MICROSOFT_KERBEROS_NAME_A,
                                           NTLMSP_NAME_A};
    for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
        if (strcasecmp(name, packages[i]) == 0)
            return packages[i];
    }
    return NULL;
}

int login_check(const char *verb, const struct login_options *options)
{
    if (options->user && !options->password_file)
        return text_usage(verb, "--user needs --password-file FILE; without both, the tickets of "
                                "the default cache (see klist) are used");
    if (!options->user && (options->password_file || options->domain))
        return text_usage(verb, "--%s needs --user NAME",
                          options->password_file ? "password-file" : "domain");
    if (options->user && !options->user[0])
        return text_usage(verb, "--user takes a name; leave it out to use your own tickets");
    return OPTIONS_GO;
}

static int load_password(const char *file, char **ret_password)
{
    char source[4096];
    int len = snprintf(source, sizeof(source), "file:%s", file);
    if (len < 0 || (size_t)len >= sizeof(source)) {
        text_complain("the name of the password file is too long");
        return TOOL_LOCAL;
    }
    *ret_password = text_password(source);
    return *ret_password ? TOOL_OK : TOOL_LOCAL;
}

int login_load(const struct login_options *options, struct login *ret_login)
{
    *ret_login = (struct login){
        .identity = {.Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
                     .Length = sizeof(ret_login->identity),
                     .PackageList = (unsigned char *)options->packages,
                     .PackageListLength = options->packages ? (ULONG)strlen(options->packages) : 0,
                     .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI}};
    if (options->user) {
        const char *domain = options->domain ? options->domain : "";
        int code = load_password(options->password_file, &ret_login->password);
        if (code != TOOL_OK)
            return code;
        ret_login->identity.User = (unsigned char *)options->user;
        ret_login->identity.UserLength = (ULONG)strlen(options->user);
        ret_login->identity.Domain = (unsigned char *)domain;
        ret_login->identity.DomainLength = (ULONG)strlen(domain);
        ret_login->identity.Password = (unsigned char *)ret_login->password;
        ret_login->identity.PasswordLength = (ULONG)strlen(ret_login->password);
    }
    ret_login->auth_data = options->user || options->packages ? &ret_login->identity : NULL;
    return TOOL_OK;
}

void login_clear(struct login *login)
{
    text_free_password(login->password);
    *login = (struct login){0};
}

int login_acquire_server(const char *package, PVOID auth_data, PCredHandle ret_credential)
{
    SECURITY_STATUS status =
        AcquireCredentialsHandleA(NULL, (char *)package, SECPKG_CRED_INBOUND, NULL, auth_data, NULL,
                                  NULL, ret_credential, NULL);
    if (status == SEC_E_OK)
        return TOOL_OK;
    char what[64];
    snprintf(what, sizeof(what), "cannot serve as %s", package);
    login_complain(what, status, NULL, true);
    return TOOL_LOCAL;
}

static const char *server_advice(SECURITY_STATUS status)
{
    switch (status) {
    case SEC_E_NO_CREDENTIALS:
    case SEC_E_UNKNOWN_CREDENTIALS:
        return "a server needs keys: name a keytab in KRB5_KTNAME (see klist -k), or for NTLM the "
               "users in NTLM_USER_FILE";
    case SEC_E_SECPKG_NOT_FOUND:
        return "sspi packages tells which there are; NTLM comes with Debian's gss-ntlmssp";
    case SEC_E_LOGON_DENIED:
        return "the client's password, or a key of the keytab, is not the right one";
    case SEC_E_MESSAGE_ALTERED:
        return "what came is not what was sent: is somebody in between?";
    case SEC_E_DELEGATION_POLICY:
        return "the client speaks a version of CredSSP that is not safe; it needs its updates";
    case SEC_E_BAD_BINDINGS:
        return "the client is on another TLS connection than this one, or does not tell on which";
    default:
        return NULL;
    }
}

const char *login_advice(SECURITY_STATUS status, bool server)
{
    if (server)
        return server_advice(status);
    switch (status) {
    case SEC_E_NO_CREDENTIALS:
        return "get tickets with kinit, or give --user NAME and --password-file FILE";
    case SEC_E_UNKNOWN_CREDENTIALS:
        return "the user's name is not understood: user, user@REALM, or --domain";
    case SEC_E_LOGON_DENIED:
        return "check the user's name and password";
    case SEC_E_TARGET_UNKNOWN:
        return "the realm knows no such service: give its name with --target service/host";
    case SEC_E_WRONG_PRINCIPAL:
        return "the server has no key of that service: give its name with --target service/host";
    case SEC_E_NO_AUTHENTICATING_AUTHORITY:
        return "no KDC answers: check the realm in krb5.conf (KRB5_CONFIG), and the network";
    case SEC_E_TIME_SKEW:
        return "this machine's clock and the KDC's differ too much";
    case SEC_E_SECPKG_NOT_FOUND:
        return "sspi packages tells which there are; NTLM comes with Debian's gss-ntlmssp";
    case SEC_E_INVALID_TOKEN:
        return "does the other side speak this package?";
    case SEC_E_MESSAGE_ALTERED:
        return "what came is not what was sent: is somebody in between?";
    case SEC_E_DELEGATION_POLICY:
        return "the server speaks a version of CredSSP that is not safe; it needs its updates";
    case SEC_E_POLICY_NLTM_ONLY:
        return "--mutual asks for a proof that NTLM never gives: is there a ticket for --target?";
    case HRESULT_FROM_WIN32(ERROR_TIMEOUT):
        return "no KDC or server answered in time; more with --timeout MS";
    default:
        return NULL;
    }
}

void login_complain(const char *what, SECURITY_STATUS status, PCtxtHandle context, bool server)
{
    text_complain_advice(what, status, context, login_advice(status, server));
}
