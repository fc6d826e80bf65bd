/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What a server of a realm may send: as much as has to be known before libkrb5 reads it. Pure
 * functions over bytes from the network.
 */
#ifndef OSSPI_GSSAPI_KDC_MESSAGE_H
#define OSSPI_GSSAPI_KDC_MESSAGE_H

#include <krb5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/gssapi/kdc_list.h"

/** Is it one whole message of the kinds that such a server sends? KDCs: one DER value, AS-REP,
 * TGS-REP or KRB-ERROR. Servers of passwords: a KRB-ERROR, or what has the frame of RFC 3244. */
bool osspi_kdc_is_answer(enum osspi_kdc_service service, const uint8_t *bytes, size_t len);

/** Does this server say that it cannot serve now? Then another may. An answer as above. */
bool osspi_kdc_is_unavailable(krb5_context k5, const uint8_t *bytes, size_t len);

#endif
