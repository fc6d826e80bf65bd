/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * gnutls-serv and gnutls-cli as peers. Both run with interop_loopback.c preloaded, so that what
 * they print comes line by line and the server listens on the loopback only.
 */
#ifndef OSSPI_TESTS_INTEROP_GNUTLS_H
#define OSSPI_TESTS_INTEROP_GNUTLS_H

#include "interop_wire.h"

/** Priority strings that allow one version only. */
#define GNUTLS_TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define GNUTLS_TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

/**
 * Starts gnutls-serv as an echo server on a port of its own; it knows the test CA.
 *
 * @param name      of its test certificate
 * @param priority  a priority string
 * @param extra     further words up to NULL; or NULL
 * @return its port
 */
uint16_t interop_gnutls_serv(struct interop_process *process, const char *name,
                             const char *priority, const char *const extra[]);
/** The same with paths of the certificate and its key. */
uint16_t interop_gnutls_serv_files(struct interop_process *process, const char *certificate,
                                   const char *key, const char *priority,
                                   const char *const extra[]);

/** Starts gnutls-cli against that port; it trusts an authority and expects a name. */
void interop_gnutls_cli(struct interop_process *process, uint16_t port, const char *authority,
                        const char *name, const char *priority, const char *const extra[]);
/** The same with the path of the authority's certificate. */
void interop_gnutls_cli_file(struct interop_process *process, uint16_t port, const char *file,
                             const char *name, const char *priority, const char *const extra[]);

#endif
