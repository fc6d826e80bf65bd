/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One verification of a certificate: path, time, usage and trust by OpenSSL, and revocation by
 * lists, by OCSP and by what the peer has stapled; for Schannel's connections and for
 * CertGetCertificateChain alike.
 *
 * Revocation is looked for where it costs nothing first: lists in the trust store and lists fetched
 * before, a stapled answer, answers that were given before. Only then, only of a chain that is
 * trusted, and only where the caller allows it is the network asked: OCSP, and lists where that
 * gives no answer. All objects belong to the calling thread's default library context. Thread-safe.
 */
#ifndef OSSPI_CERT_JUDGE_H
#define OSSPI_CERT_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cert/ocsp.h"

#define OSSPI_JUDGE_PLACES     32u /* certificates of a chain, at most */
#define OSSPI_JUDGE_CLASS_SIZE 64u

/** Whose revocation counts. A root that is its own issuer is never asked about over the network. */
enum osspi_scope {
    OSSPI_SCOPE_NONE,
    OSSPI_SCOPE_END,
    OSSPI_SCOPE_CHAIN,
    OSSPI_SCOPE_CHAIN_BUT_ROOT
};

/** What was found about one certificate of the chain. */
struct osspi_judge_place {
    int error;      /* the first of X509_V_ERR_..., revocation apart */
    uint32_t trust; /* CERT_TRUST_... errors, revocation apart */
    enum osspi_standing standing;
    bool no_list, bad_list, listed; /* while it is judged */
};

struct osspi_judge {
    /* What is asked. */
    enum osspi_scope scope;
    bool collect;                 /* go on behind errors, to find all of them */
    bool may_wait;                /* the network may be asked, now */
    bool never_asks;              /* nor later */
    bool staple_to_come;          /* a stapled answer about the end certificate is on its way */
    struct osspi_der_view staple; /* len 0: none */
    uint64_t deadline_ns;         /* for the network; 0: the usual one */

    /* What is found. */
    int error, error_depth; /* the first of X509_V_ERR_..., revocation apart; X509_V_OK */
    size_t count;           /* certificates of the chain */
    struct osspi_judge_place places[OSSPI_JUDGE_PLACES];
    bool wants_to_wait;                      /* more could be found out if may_wait were set */
    char class_name[OSSPI_JUDGE_CLASS_SIZE]; /* then: of the blocking lane */
    int64_t good_until; /* unix seconds: the first nextUpdate among what was used; 0: none to rely
                           on; INT64_MAX: revocation did not count */
};

/**
 * Verifies what a store context was initialised for; sets its callback and its data. Its chain is
 * there afterwards. What was found stands in the judge alone; who asked decides what to make of it.
 */
void osspi_judge_run(X509_STORE_CTX *store, struct osspi_judge *judge);

/** A stapled answer has come after all: what is it worth? Changes the end certificate's standing.
 * chain: as it was judged. */
void osspi_judge_staple(struct osspi_judge *judge, struct osspi_der_view staple,
                        STACK_OF(X509) * chain, X509_STORE *trust);

/** CERT_TRUST_... error of a verdict of OpenSSL, and of a standing. */
uint32_t osspi_judge_trust(int error);
uint32_t osspi_judge_trust_of(enum osspi_standing standing);

/** All places together, with the whole chain's. */
uint32_t osspi_judge_all(const struct osspi_judge *judge);

/** When the network is asked, how long that may take in all. */
#define OSSPI_JUDGE_WAIT_MS 15000u

#endif
