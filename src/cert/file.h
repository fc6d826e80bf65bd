/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Reading certificate and key files whole.
 */
#ifndef OSSPI_CERT_FILE_H
#define OSSPI_CERT_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "cert/key.h"

/**
 * Reads a regular file of at most OSSPI_FILE_MAX_LEN bytes; symbolic links are followed. Blocks as
 * long as the file system does, but not on pipes or devices.
 *
 * @param[in]  private_key  the file holds a key: it must belong to the process's effective user,
 *                          and nobody else may read or write it
 * @return SEC_E_OK; SEC_E_NO_CREDENTIALS: not there or not readable; SEC_E_NOT_OWNER: access
 * denied, or a key file of another user or open to others; SEC_E_UNKNOWN_CREDENTIALS: not a regular
 *         file, or too long; SEC_E_INSUFFICIENT_MEMORY: no memory or no file descriptor.
 */
SECURITY_STATUS osspi_file_read(const char *path, bool private_key,
                                struct osspi_secret *ret_content);

/** The same for a file without a key and of at most max_len bytes. */
SECURITY_STATUS osspi_file_read_plain(const char *path, size_t max_len,
                                      struct osspi_secret *ret_content);

/**
 * Reads a regular file in an opened folder; a symbolic link is not followed but refused. Whose it
 * is and who may touch it is for the caller to judge.
 *
 * @param[out] ret_facts   of the file that was opened; set whenever it could be opened
 * @param[out] ret_reason  why it failed, in words for people; static
 * @return as osspi_file_read().
 */
SECURITY_STATUS osspi_file_read_at(int folder, const char *name, size_t max_len,
                                   struct stat *ret_facts, const char **ret_reason,
                                   struct osspi_secret *ret_content);

#endif
