/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The TLS library's headers beside wincrypt.h: Windows has a macro X509_NAME where the TLS library
 * has a type. Whoever needs both includes this, before any header of the TLS library.
 */
#ifndef OSSPI_CERT_X509_H
#define OSSPI_CERT_X509_H

#include <wincrypt.h>

#undef X509_NAME

#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#endif
