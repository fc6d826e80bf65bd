/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What stands behind CertGetCertificateChain: a request that is captured once, and may be run again
 * where the network can be waited for. A request belongs to one thread at a time.
 */
#ifndef OSSPI_CERT_CHAIN_GET_H
#define OSSPI_CERT_CHAIN_GET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wincrypt.h>

struct osspi_chain_request;

/** The arguments of CertGetCertificateChain. */
struct osspi_chain_arguments {
    HCERTCHAINENGINE engine;
    PCCERT_CONTEXT certificate;
    const FILETIME *time;
    HCERTSTORE additional;
    const CERT_CHAIN_PARA *para; /* as long as its cbSize says */
    DWORD flags;
};

/** Copies arguments, certificates and stores by reference. SEC_E_OK; SEC_E_INVALID_PARAMETER;
 * SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_chain_request_new(const struct osspi_chain_arguments *arguments,
                                        struct osspi_chain_request **ret_request);
void osspi_chain_request_free(struct osspi_chain_request *request); /* NULL: no-op */

/**
 * Builds the chain.
 *
 * @param[in]  may_wait        the network may be asked
 * @param[out] ret_wants_to    true: it should be asked, and was not: nothing else is written
 * @param[out] ret_class       then: the blocking lane's class, size bytes at most
 * @param[out] ret_chain       freed with CertFreeCertificateChain
 * @return SEC_E_OK; SEC_E_INVALID_PARAMETER: no such engine, or no certificate;
 *         SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_chain_request_run(struct osspi_chain_request *request, bool may_wait,
                                        bool *ret_wants_to, char *ret_class, size_t size,
                                        PCCERT_CHAIN_CONTEXT *ret_chain);

#endif
