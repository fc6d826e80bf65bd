/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Stores of certificates. An HCERTSTORE is a table id, not an address: what is stale or garbage
 * finds nothing. Private to this folder.
 *
 * A store is used by its openers and by every context of a certificate in it; hCertStore of such a
 * context therefore stays valid after CertCloseStore, until the last of them has gone. Elements are
 * added, replaced in place, or taken out and leave their place empty; so an index names the same
 * place for ever.
 *
 * Behind a store there may be a folder (store_folder.h) that has what the store shows, and gets
 * what is put in.
 */
#ifndef OSSPI_CERT_STORE_H
#define OSSPI_CERT_STORE_H

#include "cert/object.h"

struct osspi_folder;

/** Opens a new, empty store: one opener, and a reference of the caller's. NULL: no memory. */
struct osspi_store *osspi_store_open(void);

/** What callers see of it. */
HCERTSTORE osspi_store_handle(const struct osspi_store *store);

/** Finds a store and takes a reference (memory only, not a use); NULL: no such store. */
struct osspi_store *osspi_store_find(HCERTSTORE handle);
void osspi_store_put(struct osspi_store *store); /* NULL: no-op */
void osspi_store_putp(struct osspi_store **store);

/** For osspi_auto() behind osspi_store_open(): closes and puts. */
void osspi_store_close_putp(struct osspi_store **store);

/** One opener less. False: it had none left. *ret_in_use: contexts still use it. With force its
 * handle becomes invalid at once, whoever uses it. */
bool osspi_store_close(struct osspi_store *store, bool force, bool *ret_in_use);

/** Takes or drops a context's use of a store. */
void osspi_store_use(struct osspi_store *store);
void osspi_store_release(struct osspi_store *store);

/** Says where a store that nobody else knows yet keeps what is put in: a folder, which is taken
 * over, or NULL. */
void osspi_store_back(struct osspi_store *store, struct osspi_folder *folder, bool is_read_only);

/** The folder, or NULL; constant while the store is held. */
const struct osspi_folder *osspi_store_folder(const struct osspi_store *store);
bool osspi_store_is_read_only(const struct osspi_store *store);

/** Places, empty ones too. */
size_t osspi_store_count(struct osspi_store *store);

/** The element at an index, or the next one behind it if that place is empty, with a reference;
 * NULL: past the end. */
struct osspi_element *osspi_store_at(struct osspi_store *store, size_t index);

/**
 * Adds a copy of an element.
 *
 * @param[in]  disposition  CERT_STORE_ADD_...
 * @param[out] ret_element  the element in the store, with a reference
 * @return SEC_E_OK; CRYPT_E_EXISTS; E_INVALIDARG: disposition unknown; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_store_add(struct osspi_store *store, struct osspi_element *source,
                                DWORD disposition, struct osspi_element **ret_element);

/** The element with this certificate, with a reference; NULL: there is none. */
struct osspi_element *osspi_store_find_equal(struct osspi_store *store,
                                             const struct osspi_certificate *certificate);

/** Takes an element out; nothing happens if it is not in this store (any more). */
void osspi_store_drop(struct osspi_store *store, const struct osspi_element *element);

/** As osspi_store_add(), and into the folder behind the store. Also E_ACCESSDENIED: to be read
 * only, and the statuses of osspi_folder_put(). */
SECURITY_STATUS osspi_store_put_in(struct osspi_store *store, struct osspi_element *source,
                                   DWORD disposition, struct osspi_element **ret_element);

/** As osspi_store_drop(), and out of the folder. Statuses of osspi_folder_remove(). */
SECURITY_STATUS osspi_store_take_out(struct osspi_store *store,
                                     const struct osspi_element *element);

#endif
