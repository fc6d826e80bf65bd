/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Whose credentials a client of CredSSP has handed to this server: user and domain. The password,
 * which came with them, is wiped unseen.
 */
#ifndef SSPI_TOOL_DELEGATED_H
#define SSPI_TOOL_DELEGATED_H

#include <stdbool.h>

#include <sspi.h>

struct delegated {
    bool any; /* false: the client has kept its credentials */
    char user[512], domain[512];
};

/** Asks an established context of a server. SEC_E_OK or why not. */
SECURITY_STATUS delegated_read(PCtxtHandle context, struct delegated *ret_delegated);

#endif
