/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A folder of own certificates: "MY", or any folder of the same kind. Private to this folder.
 *
 * Each file is one entry: PEM (.pem, .crt, .cer) with a certificate, its chain and its key, or with
 * the key in a file of the same name and the ending .key; or PKCS#12 without a password (.pfx,
 * .p12). Names that begin with a dot are nobody's business. What the library itself writes is
 * <thumbprint>.pem.
 *
 * Thread-safe; several processes may read and write one folder. Every call blocks as long as the
 * file system does.
 */
#ifndef OSSPI_CERT_STORE_FOLDER_H
#define OSSPI_CERT_STORE_FOLDER_H

#include "cert/limits.h"
#include "cert/object.h"

/** Which folder, and whose it may be. */
struct osspi_folder {
    char *path;      /* owned */
    bool is_machine; /* root may own it and its files, beside the process's user */
};

void osspi_folder_clear(struct osspi_folder *folder); /* for osspi_auto() */

/** The certificates that one file gave. */
struct osspi_folder_entry {
    const char *name; /* of the file; NULL: this is about the folder itself */
    SECURITY_STATUS status;
    const char *reason; /* why it is left out; static; NULL: it is not */
    bool key_beside;    /* the key is in the .key file of the same name */
    size_t count;
    struct osspi_element *elements[OSSPI_FOLDER_FILE_CERTIFICATES];
};

/** False: enough seen. */
typedef bool (*osspi_folder_visit)(const struct osspi_folder_entry *entry, void *data);

/**
 * Reads the folder and calls visit for each file in the order of names, good or bad.
 *
 * @param[out] ret_reason  why the folder as a whole cannot be used; static; NULL allowed
 * @return SEC_E_OK; CRYPT_E_NOT_FOUND: there is no such folder; SEC_E_NOT_OWNER: it belongs to
 *         somebody else, or others may write to it, or it may not be read;
 *         SEC_E_UNKNOWN_CREDENTIALS: a link, or no folder at all; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_folder_walk(const struct osspi_folder *folder, osspi_folder_visit visit,
                                  void *data, const char **ret_reason);

/** Reads one file and calls visit for it; nothing is called if there is none of that name. Statuses
 * as osspi_folder_walk(). */
SECURITY_STATUS osspi_folder_read(const struct osspi_folder *folder, const char *name,
                                  osspi_folder_visit visit, void *data);

/** Opens the folder itself, after the checks of osspi_folder_walk(). The descriptor is the
 * caller's. Statuses as there. */
SECURITY_STATUS osspi_folder_open(const struct osspi_folder *folder, int *ret_fd,
                                  const char **ret_reason);

/** Makes the folder and those above it. SEC_E_OK, also if it is there; CRYPT_E_EXISTS: it is there,
 * and it must not; else as osspi_folder_put(). */
SECURITY_STATUS osspi_folder_make(const struct osspi_folder *folder, bool must_be_new);

/**
 * Writes a certificate with its key and chain, whole or not at all, and makes the folder if need
 * be.
 *
 * @param[in] must_be_new  fail if the file is there
 * @return SEC_E_OK; CRYPT_E_EXISTS; E_ACCESSDENIED; HRESULT_FROM_WIN32(ERROR_DISK_FULL);
 *         CRYPT_E_FILE_ERROR; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_folder_put(const struct osspi_folder *folder,
                                 const struct osspi_certificate *certificate, bool must_be_new);

/** Deletes every file that holds this certificate and no other own one. SEC_E_OK, also if there is
 * none; E_ACCESSDENIED: not allowed, or a file has others too; CRYPT_E_FILE_ERROR;
 * SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_folder_remove(const struct osspi_folder *folder,
                                    const struct osspi_certificate *certificate);

/** Deletes a folder in which every file was written by osspi_folder_put(). SEC_E_OK;
 * CRYPT_E_NOT_FOUND; HRESULT_FROM_WIN32(ERROR_DIR_NOT_EMPTY): other files are in it, nothing was
 * deleted; E_ACCESSDENIED; CRYPT_E_FILE_ERROR; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_folder_delete(const struct osspi_folder *folder);

#endif
