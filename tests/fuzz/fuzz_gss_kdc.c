/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: answers of a KDC, to a client that logs in with a password and wants a ticket for a
 * service: in datagrams and streams, through the library's transport and libkrb5's steps.
 *
 * Input: a byte of options, then for each exchange what the KDC answers: the truth, the truth with
 * bytes changed or cut off, something untrue that is well sealed, an error, or bytes of the input.
 * Without orders a client gets its ticket.
 */
#include <stdlib.h>

#include "fuzz/fuzz_gss.h"
#include "support/contract_status.h"

static struct pair pair; /* guarded: one thread */

void fuzz_prepare(void)
{
    struct fuzz_input nothing = {NULL, 0};

    fuzz_gss_realm();
    fuzz_gss_open(&pair, FUZZ_GSS_KERBEROS);
    TEST_REQUIRE_EQUAL(pair_talk(&pair), SEC_E_OK);
    pair_end(&pair);
    fuzz_one(&nothing);
}

void fuzz_one(struct fuzz_input *input)
{
    const uint8_t options = fuzz_u8(input);

    TEST_REQUIRE_EQUAL(
        fuzz_gss_client(&pair, options & 1 ? FUZZ_GSS_SPNEGO_KERBEROS : FUZZ_GSS_KERBEROS),
        SEC_E_OK);
    if (options & 2)
        pair.client_flags |= ISC_REQ_DELEGATE;
    if (options & 4)
        pair.target = "host/elsewhere.test";
    fuzz_gss_answers(input);
    contract_require("InitializeSecurityContextA", pair_initialize(&pair, NULL, 0));
    if (options & 8 && pair.client.status < 0) /* once more: nothing wrong was kept */
        contract_require("InitializeSecurityContextA", pair_initialize(&pair, NULL, 0));
    fuzz_gss_answers(NULL);
    pair_end(&pair);
}
