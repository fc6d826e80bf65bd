/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The system's stores by name, and what they are made of. Private to this folder; the rest of the
 * library has system_store.h. Thread-safe.
 */
#ifndef OSSPI_CERT_STORE_SYSTEM_H
#define OSSPI_CERT_STORE_SYSTEM_H

#include "cert/store.h"
#include "cert/store_folder.h"

enum osspi_system_kind {
    OSSPI_SYSTEM_NONE,
    OSSPI_SYSTEM_OWN,  /* "MY": a folder of own certificates */
    OSSPI_SYSTEM_ROOTS /* "ROOT", "CA": whom the system trusts */
};

/** What a store's name (UTF-8, any case) means. */
enum osspi_system_kind osspi_system_store_kind(const char *name);

/** The folder of "MY". SEC_E_OK; CRYPT_E_NOT_FOUND: the user has no home; no memory. */
SECURITY_STATUS osspi_system_store_folder(bool machine, struct osspi_folder *ret_folder);

/** Adds the system's trusted roots to a store. What cannot be read is left out. SEC_E_OK;
 * SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_roots_load(struct osspi_store *store);

/** Adds what a folder holds to a store; bad files are left out, and of two with the same
 * certificate the one with a key counts. As osspi_folder_walk(). */
SECURITY_STATUS osspi_folder_load(const struct osspi_folder *folder, struct osspi_store *store);

#endif
