/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A server's certificate, judged by the command itself: for a package that takes any certificate,
 * because something else proves to it who the server is.
 */
#ifndef SSPI_TOOL_JUDGE_H
#define SSPI_TOOL_JUDGE_H

#include <sspi.h>
#include <wincrypt.h>

/**
 * Is it a server's of this name, in date, and signed by who is trusted (tls_configure)? Asks no
 * network: revocation is not looked at.
 *
 * @return SEC_E_OK, or SEC_E_UNTRUSTED_ROOT, SEC_E_WRONG_PRINCIPAL, SEC_E_CERT_EXPIRED and the like
 */
SECURITY_STATUS judge_server(PCCERT_CONTEXT cert, const char *name);

#endif
