/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * PKCS #11 URIs (RFC 7512), as far as this library has to look into them: which object, in which
 * module, with which PIN. Finding the object by its attributes is left to the TLS library's engine
 * or provider, which gets them as they were written.
 */
#ifndef OSSPI_CERT_PKCS11_URI_H
#define OSSPI_CERT_PKCS11_URI_H

#include <stdbool.h>

#include "cert/key.h"

#define OSSPI_TOKEN_URI_MAX 4096u /* bytes of a URI */
#define OSSPI_TOKEN_PIN_MAX 255u  /* bytes of a PIN */

enum osspi_token_type { OSSPI_TOKEN_ANY, OSSPI_TOKEN_CERTIFICATE, OSSPI_TOKEN_PRIVATE_KEY };

/** A URI taken apart. Zero-initialised memory is empty. */
struct osspi_token_uri {
    char *path;     /* "pkcs11:" and the attributes, without type; as written */
    char *module;   /* module-path, decoded; or NULL */
    bool has_token; /* says which token: its label or serial number */
    enum osspi_token_type type;
    struct osspi_secret pin; /* bytes NULL: none. len without the NUL that is behind it */
};

/** Is it meant as one? Looks at the scheme alone; NULL is none. */
bool osspi_token_uri_is(const char *text);

/**
 * Takes a URI apart. A pin-source is read: a file under the rules for key files.
 *
 * Attributes that the libraries underneath do not know would widen the search if they were left
 * out, and so are refused: library-*, slot-*, module-name, vendor attributes of the path. Vendor
 * attributes of the query are ignored.
 *
 * @return SEC_E_OK; SEC_E_UNKNOWN_CREDENTIALS: not a URI of this kind, or it asks for what there is
 *         not; SEC_E_NO_CREDENTIALS, SEC_E_NOT_OWNER: the file of pin-source, as
 *         osspi_file_read() has it; SEC_E_INSUFFICIENT_MEMORY.
 */
SECURITY_STATUS osspi_token_uri_parse(const char *text, struct osspi_token_uri *ret_uri);

/** Wipes and frees; for osspi_auto(). */
void osspi_token_uri_clear(struct osspi_token_uri *uri);

/** The URI of one object: path and type, and the PIN as pin-value if there is one. NULL: no
 * memory. */
char *osspi_token_uri_build(const char *path, enum osspi_token_type type,
                            const struct osspi_secret *pin);

#endif
