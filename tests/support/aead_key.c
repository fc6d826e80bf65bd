/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Keys for authenticated encryption; see aead_key.h. For one thread.
 */
#include "support/aead_key.h"

#include <stdlib.h>
#include <string.h>

#include "packages/schannel/shard.h"

struct osspi_aead *aead_key_new(enum osspi_aead_kind kind, const struct osspi_aead_code *code)
{
    const uint8_t bytes[OSSPI_AEAD_MAX_KEY] = {1, 2, 3};
    const size_t size = osspi_aead_size(kind);
    struct osspi_aead *aead = aligned_alloc(OSSPI_AEAD_ALIGN, size);
    const struct osspi_shard *shard = osspi_shard_get(0);

    if (aead == NULL || shard == NULL) {
        free(aead);
        return NULL;
    }
    memset(aead, 0, size);
    osspi_aead_choose(code);
    if (osspi_aead_set_key(aead, kind, bytes, shard) != SEC_E_OK) {
        free(aead);
        return NULL;
    }
    return aead;
}
