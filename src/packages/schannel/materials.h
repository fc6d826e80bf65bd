/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A set of identities as objects of one shard, made on first use and shared by all configurations
 * and connections there, and by all sets that have an identity in common. They live as long as the
 * set: who holds the set may use them, in the process (fork epoch) that has made them. Thread-safe.
 */
#ifndef OSSPI_SCHANNEL_MATERIALS_H
#define OSSPI_SCHANNEL_MATERIALS_H

#include <openssl/types.h>
#include <sspi.h>
#include <stddef.h>
#include <stdint.h>

#include "packages/schannel/identity.h"
#include "packages/schannel/material.h"
#include "packages/schannel/shard.h"

struct osspi_materials {
    struct osspi_abandoned abandoned;    /* first member */
    struct osspi_shard *shard;           /* constant, like the rest */
    const struct osspi_material **items; /* the identities', in the order of the set's */
    size_t count;
};

/**
 * The set's keys and certificates in a shard, borrowed from the set.
 *
 * @return SEC_E_OK; SEC_E_NO_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS: as osspi_material_load();
 *         SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_materials_get(struct osspi_identity_set *set, struct osspi_shard *shard,
                                    const struct osspi_materials **ret_materials)
    __attribute__((warn_unused_result));

/** Frees what the set, or the identity, has in all shards; for its end. */
void osspi_materials_drop(struct osspi_identity_set *set);
void osspi_materials_forget(struct osspi_identity *identity);

/**
 * The DNS names in a certificate, normalised; what is no host name is left out.
 *
 * @param[out] ret_names  osspi_free() each and the array; written on success only
 * @return SEC_E_OK; SEC_E_UNKNOWN_CREDENTIALS: not a certificate; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_materials_names(const struct osspi_der_view *certificate, char ***ret_names,
                                      size_t *ret_count);

#endif
