/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The calls of a driver, as a form (tls_peer.h): credentials by the asynchronous call, with counted
 * strings and a callback that sets an event; synchronous legs; contexts deleted by an asynchronous
 * call for whose end nobody waits. kernel_form.c is compiled with SECURITY_KERNEL.
 */
#ifndef OSSPI_TESTS_SUPPORT_KERNEL_FORM_H
#define OSSPI_TESTS_SUPPORT_KERNEL_FORM_H

#include <sspi.h>
#include <stdint.h>

SECURITY_STATUS kernel_acquire(char *package, ULONG use, void *auth, PCredHandle credential,
                               PTimeStamp expiry);
SECURITY_STATUS kernel_initialize(PCredHandle credential, PCtxtHandle context, char *target,
                                  ULONG flags, PSecBufferDesc in, PCtxtHandle new_context,
                                  PSecBufferDesc out, ULONG *attributes, PTimeStamp expiry);
SECURITY_STATUS kernel_accept(PCredHandle credential, PCtxtHandle context, ULONG flags,
                              PSecBufferDesc in, PCtxtHandle new_context, PSecBufferDesc out,
                              ULONG *attributes, PTimeStamp expiry);
SECURITY_STATUS kernel_delete(PCtxtHandle context);
SECURITY_STATUS kernel_free(PCredHandle credential);

/** The negotiated protocol's identifier; a kernel caller has the struct from its own headers. */
SECURITY_STATUS kernel_protocol(PCtxtHandle context, uint8_t id[255], uint8_t *ret_len);

/** The peer's certificates, as a driver asks for them: how many there are. */
SECURITY_STATUS kernel_remote_certificates(PCtxtHandle context, uint32_t *ret_count);

#endif
