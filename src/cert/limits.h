/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * How large the things may be that this folder is given to read.
 */
#ifndef OSSPI_CERT_LIMITS_H
#define OSSPI_CERT_LIMITS_H

#include <stdint.h>

#define OSSPI_CERT_MAX_LEN     (1u << 20)         /* bytes of one certificate or key as DER */
#define OSSPI_CHAIN_MAX        100u               /* certificates that belong to a leaf */
#define OSSPI_FILE_MAX_LEN     (1u << 20)         /* bytes of a PEM file */
#define OSSPI_PFX_MAX_LEN      (10u * (1u << 20)) /* bytes of a PKCS#12 blob */
#define OSSPI_PFX_MAX_BAGS     1000u              /* keys and certificates in one */
#define OSSPI_PFX_MAX_KEYS     64u                /* keys in one */
#define OSSPI_PFX_MAX_DEPTH    8u                 /* bags within bags */
#define OSSPI_PROPERTY_MAX_LEN (1u << 20)         /* bytes of a property */
#define OSSPI_PASSWORD_MAX     1000u              /* bytes of a password as UTF-8 */

#define OSSPI_FOLDER_MAX_NAMES         10000u      /* entries of a folder of certificates */
#define OSSPI_FOLDER_MAX_FILES         1000u       /* files of it that are read */
#define OSSPI_FOLDER_FILE_CERTIFICATES 64u         /* own certificates in one file */
#define OSSPI_ROOTS_MAX_LEN            (64u << 20) /* bytes of a file of trusted roots */
#define OSSPI_ROOTS_MAX                5000u       /* trusted roots in a store */

/* Iterations that all password-based keys of one file may take together; a few seconds. */
#define OSSPI_KDF_BUDGET UINT64_C(5000000)

#endif
