/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Certificates and a private key out of PEM text.
 */
#ifndef OSSPI_CERT_PEM_H
#define OSSPI_CERT_PEM_H

#include "cert/arena.h"
#include "cert/key.h"
#include "cert/limits.h"

/** What PEM text held. Zero-initialised memory is empty. */
struct osspi_pem {
    struct osspi_arena arena;                                /* holds the certificates */
    struct osspi_der_view certificates[OSSPI_CHAIN_MAX + 1]; /* in the order of the text */
    size_t certificate_count;
    EVP_PKEY *key; /* the first one */
};

/** Which blocks to look at; others are skipped unread. */
enum { OSSPI_PEM_CERTIFICATES = 1, OSSPI_PEM_KEY = 2 };

/**
 * Adds what the text holds.
 *
 * @param[in]     text      may hold anything between the blocks (RFC 7468)
 * @param[in]     password  UTF-8, for an encrypted key; NULL: none. Nobody is ever asked for one
 * @param[in,out] pem       may be partly filled on failure
 * @return SEC_E_OK, also when there was no block; SEC_E_LOGON_DENIED: the password is wrong or
 *         missing; SEC_E_UNKNOWN_CREDENTIALS: a block is damaged, its key is of an unknown kind, or
 *         there are too many certificates; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_pem_read(struct osspi_der_view text, int blocks, const char *password,
                               struct osspi_pem *pem);

/**
 * Calls visit for each certificate of a text of any length and number, until one is damaged or
 * visit fails.
 *
 * @return what visit answered last, SEC_E_OK also when there was none; SEC_E_UNKNOWN_CREDENTIALS: a
 *         block is damaged; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_pem_visit(struct osspi_der_view text,
                                SECURITY_STATUS (*visit)(struct osspi_der_view der, void *data),
                                void *data);

/** Frees it; for osspi_auto(). */
void osspi_pem_clear(struct osspi_pem *pem);

#endif
