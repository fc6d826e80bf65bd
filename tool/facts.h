/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What an established security context tells of itself and of its peer: the negotiated facts and
 * the peer's certificates, for people and as JSON.
 */
#ifndef SSPI_TOOL_FACTS_H
#define SSPI_TOOL_FACTS_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include <schannel.h>
#include <sspi.h>

struct facts {
    char protocol[16]; /* "TLS 1.3" */
    char suite[SZ_ALG_MAX_SIZE];
    unsigned suite_id; /* IANA number */
    char group[24];    /* named group of the key exchange, "" if unknown */
    char alpn[256];    /* "" if none was agreed on */
    bool resumed;
    char session_id[65]; /* hexadecimal, "" if none */
};

/** Asks a context; what it does not tell stays empty. */
void facts_read(PCtxtHandle context, struct facts *ret_facts);

/** Prints them, one a line. */
void facts_print(FILE *stream, const struct facts *facts);

/** Adds them to an object; false if there is no memory. */
bool facts_json(const struct facts *facts, json_t *object);

/** Prints the peer's certificates, its own first; returns how many there were. */
unsigned chain_print(FILE *stream, PCtxtHandle context);

/** The same as an array (empty if there are none); NULL if there is no memory. */
json_t *chain_json(PCtxtHandle context);

/** The same of a certificate and those in its store. */
unsigned chain_print_of(FILE *stream, PCCERT_CONTEXT leaf);
json_t *chain_json_of(PCCERT_CONTEXT leaf);

#endif
