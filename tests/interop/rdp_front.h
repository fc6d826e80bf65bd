/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What comes before CredSSP on an RDP connection: the connection request and its confirmation, in
 * which both sides agree on the protocol (MS-RDPBCGR 2.2.1.1, 2.2.1.2). Sockets that block.
 */
#ifndef OSSPI_TESTS_INTEROP_RDP_FRONT_H
#define OSSPI_TESTS_INTEROP_RDP_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#define RDP_PROTOCOL_TLS       1u
#define RDP_PROTOCOL_HYBRID    2u /* CredSSP */
#define RDP_PROTOCOL_HYBRID_EX 8u /* CredSSP, and behind it what the server thinks of the user */

/** The bytes that follow CredSSP with PROTOCOL_HYBRID_EX (MS-RDPBCGR 2.2.10.2). */
#define RDP_USER_WELCOME 0u
#define RDP_USER_DENIED  5u

/** Server: takes the request. false: this is none. */
bool rdp_take_request(int fd, uint32_t *ret_protocols);
/** Server: confirms one protocol; 0: refuses, because only CredSSP will do. */
bool rdp_confirm(int fd, uint32_t protocol);

/** Client: asks for these, and is told which; 0: refused. */
bool rdp_ask(int fd, uint32_t protocols, uint32_t *ret_protocol);

#endif
