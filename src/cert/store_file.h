/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One file of a folder of own certificates; see store_folder.h. Private to it. Thread-safe.
 */
#ifndef OSSPI_CERT_STORE_FILE_H
#define OSSPI_CERT_STORE_FILE_H

#include "cert/store_folder.h"

enum osspi_file_kind {
    OSSPI_FILE_PEM,
    OSSPI_FILE_PFX,
    OSSPI_FILE_KEY,   /* belongs to a PEM file */
    OSSPI_FILE_OTHER, /* nothing is known of it */
};

/** What a name says of a file. */
enum osspi_file_kind osspi_store_file_kind(const char *name);

/** The name of the key file that belongs to a PEM file. NULL: no memory. */
char *osspi_store_file_key_name(const char *name);

/** Reads the file of that name in an opened folder. ret_entry->name is set by the caller; fills the
 * rest, also on failure. */
void osspi_store_file_read(int folder, bool is_machine, struct osspi_folder_entry *ret_entry);

/** Drops the elements. */
void osspi_folder_entry_clear(struct osspi_folder_entry *entry);

#endif
