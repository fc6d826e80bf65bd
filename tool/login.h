/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Credentials for packages that know users: whose, as the command line says it. A password comes
 * from a file; on a command line others could see it.
 */
#ifndef SSPI_TOOL_LOGIN_H
#define SSPI_TOOL_LOGIN_H

#include <stdbool.h>

#include <sspi.h>

/** What the command line says about a user; all may be NULL: whoever the tickets belong to. */
struct login_options {
    const char *user;
    const char *domain;
    const char *password_file; /* its first line */
    const char *packages;      /* that Negotiate may choose from: "kerberos", "!kerberos", ... */
};

/** pAuthData and all it points to. It holds pointers into itself, so it must stay where it is. */
struct login {
    SEC_WINNT_AUTH_IDENTITY_EXA identity;
    PVOID auth_data; /* &identity, or NULL: default credentials */
    char *password;
};

/** The package's name as the library has it ("Kerberos"), for any spelling of it; NULL: unknown. */
const char *login_package(const char *name);

/** Do the options fit together? OPTIONS_GO, or an exit code after a complaint. */
int login_check(const char *verb, const struct login_options *options);

/** Reads the password. An exit code; errors have been reported. Clear it in any case. */
int login_load(const struct login_options *options, struct login *ret_login);

/** Wipes the password. */
void login_clear(struct login *login);

/** A server's credential of a package; auth_data: its pAuthData, NULL = the default. An exit code;
 * errors have been reported. */
int login_acquire_server(const char *package, PVOID auth_data, PCredHandle ret_credential);

/** What to try next after a package's status; NULL if nothing comes to mind. */
const char *login_advice(SECURITY_STATUS status, bool server);

/** text_complain_status with that advice; context may be NULL. */
void login_complain(const char *what, SECURITY_STATUS status, PCtxtHandle context, bool server);

#endif
