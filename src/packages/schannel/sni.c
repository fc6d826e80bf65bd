/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The process's SNI credentials; see sni.h. A list, newest first. Links change by single stores, so
 * that a child that was forked in the middle of a change sees the list before or after it.
 *
 * Lock order: the list's, then the credential's.
 */
#include "packages/schannel/sni.h"

#include <stdatomic.h>

#include "base/lock.h"
#include "packages/schannel/credential.h"

static struct osspi_lock lock;
static struct osspi_schannel_credential *_Atomic first; /* guarded by lock, as the links are */

void osspi_sni_add(struct osspi_schannel_credential *credential)
{
    OSSPI_LOCKED(&lock);
    atomic_store(&credential->next_sni, atomic_load(&first));
    atomic_store(&first, credential);
}

void osspi_sni_remove(struct osspi_schannel_credential *credential)
{
    OSSPI_LOCKED(&lock);
    struct osspi_schannel_credential *_Atomic *link = &first;

    while (atomic_load(link) != NULL && atomic_load(link) != credential)
        link = &atomic_load(link)->next_sni;
    if (atomic_load(link) == credential)
        atomic_store(link, atomic_load(&credential->next_sni));
}

/* The credential's certificates if they fit better, with a reference. */
static struct osspi_identity_set *look(struct osspi_schannel_credential *credential,
                                       const char *name, enum osspi_match *best)
{
    OSSPI_LOCKED(&credential->lock);
    const enum osspi_match match = osspi_identity_set_match(credential->state.identities, name);

    if (match <= *best)
        return NULL;
    *best = match;
    return osspi_identity_set_ref(credential->state.identities);
}

struct osspi_identity_set *osspi_sni_find(const char *name, enum osspi_match than)
{
    struct osspi_identity_set *found = NULL;
    struct osspi_schannel_credential *credential;
    enum osspi_match best = than;

    OSSPI_LOCKED(&lock);
    for (credential = atomic_load(&first); credential && best < OSSPI_MATCH_PRINCIPAL;
         credential = atomic_load(&credential->next_sni)) {
        struct osspi_identity_set *better = look(credential, name, &best);

        if (better) {
            osspi_identity_set_unref(found);
            found = better;
        }
    }
    return found;
}

const char *osspi_sni_blocking_class(void)
{
    const char *class_name = NULL;
    struct osspi_schannel_credential *credential;

    OSSPI_LOCKED(&lock);
    for (credential = atomic_load(&first); credential && !class_name;
         credential = atomic_load(&credential->next_sni))
        class_name = credential->blocking_class;
    return class_name;
}
