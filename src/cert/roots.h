/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Whom the system trusts: one rule for those who verify and for those who list.
 */
#ifndef OSSPI_CERT_ROOTS_H
#define OSSPI_CERT_ROOTS_H

/** The file and the folders of trusted roots, each may be NULL: what OsspiConfigure was given, else
 * what SSL_CERT_FILE and SSL_CERT_DIR name, else the TLS library's default places. Thread-safe. */
void osspi_roots_paths(const char **ret_file, const char **ret_dir);

#endif
