/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Every string macro (package names) has its text, the wide ones in 16-bit units, and the names
 * without a letter follow UNICODE.
 */
#include <schannel.h>

#include <credssp.h>
#include <stdio.h>
#include <string.h>

#include "expect.h"

static int failures;

static void expect_bytes(const char *what, const char *actual, const char *expected)
{
    if (strcmp(actual, expected) != 0) {
        fprintf(stderr, "%s is \"%s\", expected \"%s\"\n", what, actual, expected);
        failures++;
    }
}

static void expect_wide(const char *what, const WCHAR *actual, const char *expected)
{
    size_t i;

    for (i = 0; expected[i] != '\0' && actual[i] == (WCHAR)expected[i]; i++)
        continue;
    if (actual[i] != (WCHAR)expected[i]) {
        fprintf(stderr, "%s differs from \"%s\" at %zu\n", what, expected, i);
        failures++;
    }
}

/* The size is checked too: a wide literal must not have grown to 32-bit units. */
#define BYTES(name, text) \
    do { \
        EXPECT(sizeof(name) == sizeof(text), #name); \
        expect_bytes(#name, name, text); \
    } while (0)
#define WIDE(name, text) \
    do { \
        EXPECT(sizeof(name) == sizeof(text) * 2, #name); \
        expect_wide(#name, name, text); \
    } while (0)
#ifdef UNICODE
#define GENERIC WIDE
#else
#define GENERIC BYTES
#endif

int main(void)
{
    const WCHAR *wide = OSSPI_WTEXT("assignable");

    expect_wide("OSSPI_WTEXT", wide, "assignable");
    BYTES(NTLMSP_NAME_A, "NTLM");
    WIDE(NTLMSP_NAME, "NTLM");
    BYTES(MICROSOFT_KERBEROS_NAME_A, "Kerberos");
    WIDE(MICROSOFT_KERBEROS_NAME_W, "Kerberos");
    BYTES(MICROSOFT_KERBEROS_NAME, "Kerberos");
    WIDE(NEGOSSP_NAME_W, "Negotiate");
    BYTES(NEGOSSP_NAME_A, "Negotiate");
    WIDE(CLOUDAP_NAME_W, "CloudAP");
    BYTES(ClOUDAP_NAME_A, "CloudAP");
    BYTES(UNISP_NAME_A, "Microsoft Unified Security Protocol Provider");
    WIDE(UNISP_NAME_W, "Microsoft Unified Security Protocol Provider");
    BYTES(SSL2SP_NAME_A, "Microsoft SSL 2.0");
    WIDE(SSL2SP_NAME_W, "Microsoft SSL 2.0");
    BYTES(SSL3SP_NAME_A, "Microsoft SSL 3.0");
    WIDE(SSL3SP_NAME_W, "Microsoft SSL 3.0");
    BYTES(TLS1SP_NAME_A, "Microsoft TLS 1.0");
    WIDE(TLS1SP_NAME_W, "Microsoft TLS 1.0");
    BYTES(PCT1SP_NAME_A, "Microsoft PCT 1.0");
    WIDE(PCT1SP_NAME_W, "Microsoft PCT 1.0");
    BYTES(SCHANNEL_NAME_A, "Schannel");
    WIDE(SCHANNEL_NAME_W, "Schannel");
    BYTES(DEFAULT_TLS_SSP_NAME_A, "Default TLS SSP");
    WIDE(DEFAULT_TLS_SSP_NAME_W, "Default TLS SSP");

    GENERIC(UNISP_NAME, "Microsoft Unified Security Protocol Provider");
    GENERIC(SCHANNEL_NAME, "Schannel");
    GENERIC(DEFAULT_TLS_SSP_NAME, "Default TLS SSP");
    GENERIC(SSL2SP_NAME, "Microsoft SSL 2.0");
    GENERIC(SSL3SP_NAME, "Microsoft SSL 3.0");
    GENERIC(TLS1SP_NAME, "Microsoft TLS 1.0");
    GENERIC(PCT1SP_NAME, "Microsoft PCT 1.0");
    GENERIC(NEGOSSP_NAME, "Negotiate");
    GENERIC(CLOUDAP_NAME, "CloudAP");
    BYTES(CREDSSP_NAME_A, "CREDSSP");
    WIDE(CREDSSP_NAME_W, "CREDSSP");
    GENERIC(CREDSSP_NAME, "CREDSSP");
    BYTES(SECURITY_ENTRYPOINT_ANSIA, "InitSecurityInterfaceA");
    BYTES(SECURITY_ENTRYPOINT_ANSIW, "InitSecurityInterfaceW");
    GENERIC(SECURITY_ENTRYPOINTA, "InitSecurityInterfaceA");
    GENERIC(SECURITY_ENTRYPOINTW, "InitSecurityInterfaceW");
    return failures != 0;
}
