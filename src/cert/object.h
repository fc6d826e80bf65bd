/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The three objects behind a PCCERT_CONTEXT, from the inside out. Private to this folder.
 *
 *     certificate   DER, CERT_INFO, key, chain. Constant; shared by every copy of it.
 *     element       a certificate's place, by itself or in one store, with its properties. Copying
 * a certificate into a store makes a new element, as on Windows. context       what a caller holds:
 * the public struct, an element, and a use of its store.
 *
 * Each holds a reference on the one before it, and a store holds elements; nothing points back, so
 * there are no circles. Reference counts are atomic. After a fork they only ever stay too high in
 * the child (what other threads of the parent held), which leaks and is never touched.
 */
#ifndef OSSPI_CERT_OBJECT_H
#define OSSPI_CERT_OBJECT_H

#include <stdatomic.h>

#include "base/lock.h"
#include "base/memory.h"
#include "cert/arena.h"
#include "cert/certificate.h"
#include "cert/info.h"
#include "cert/key.h"

struct osspi_found;
struct osspi_store;
struct osspi_token_key;

struct osspi_certificate {
    _Atomic uint32_t refs;
    /* All of this is constant after osspi_certificate_make(). */
    struct osspi_arena arena; /* holds what the fields point to, but for the key */
    struct osspi_der_view der;
    struct osspi_cert_info parsed;
    uint8_t sha1[20];
    uint8_t sha256[32];
    struct osspi_secret key;       /* PKCS#8; len 0: none, or it is in a device */
    struct osspi_token_key *token; /* where in a device the key is: a reference; or NULL */
    struct osspi_der_view *chain;
    size_t chain_count;
};

/** One property; immutable, replaced as a whole. */
struct osspi_property {
    struct osspi_property *next; /* guarded by the element's lock */
    DWORD id;
    DWORD len;
    uint8_t bytes[];
};

struct osspi_element {
    _Atomic uint32_t refs;
    struct osspi_certificate *certificate; /* a reference; constant */
    size_t index;                          /* its place in its store; constant */
    struct osspi_lock lock;
    struct osspi_property *properties; /* guarded by lock */
};

struct osspi_cert_context {
    CERT_CONTEXT shown;
    _Atomic uint32_t refs;
    struct osspi_element *element; /* a reference; constant */
    struct osspi_store *store;     /* a use, or NULL; constant */
    struct osspi_lock lock;
    struct osspi_found *found; /* the chain found in the store; guarded by lock, set once */
};

/* ---- certificates ---- */

/** Parses and makes a certificate without key. As osspi_certificate_new(). */
SECURITY_STATUS osspi_certificate_make(struct osspi_der_view der,
                                       const struct osspi_der_view *chain, size_t chain_count,
                                       struct osspi_certificate **ret_certificate);

/** Gives the key to a certificate that nobody else holds yet. Takes the secret on success.
 * SEC_E_OK; SEC_E_NO_CREDENTIALS: it does not belong to it; SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_certificate_adopt_key(struct osspi_certificate *certificate, EVP_PKEY *key,
                                            struct osspi_secret *secret);

/** The same for a key in a device: takes a reference on its description. key: opened. */
SECURITY_STATUS osspi_certificate_adopt_token(struct osspi_certificate *certificate, EVP_PKEY *key,
                                              struct osspi_token_key *token);

/** Has it a private key, here or in a device? */
bool osspi_certificate_has_key(const struct osspi_certificate *certificate);

struct osspi_certificate *osspi_certificate_ref(struct osspi_certificate *certificate);
void osspi_certificate_unref(struct osspi_certificate *certificate); /* NULL: no-op */
void osspi_certificate_unrefp(struct osspi_certificate **certificate);

bool osspi_certificate_equal(const struct osspi_certificate *a, const struct osspi_certificate *b);

/** Is one the issuer of the other, by names and key identifiers? SEC_E_OK; CRYPT_E_NO_MATCH;
 * SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_certificate_issued(const struct osspi_certificate *issuer,
                                         const struct osspi_certificate *subject);

/** Has it its own name as issuer? */
bool osspi_certificate_is_root(const struct osspi_certificate *certificate);

/* ---- elements ---- */

/** Makes an element of a certificate, on which it takes a reference. NULL: no memory. */
struct osspi_element *osspi_element_new(struct osspi_certificate *certificate);
struct osspi_element *osspi_element_ref(struct osspi_element *element);
void osspi_element_unref(struct osspi_element *element); /* NULL: no-op */
void osspi_element_unrefp(struct osspi_element **element);

/** Copies properties that `to` does not have yet. False: no memory; some may have been copied. */
bool osspi_element_inherit(struct osspi_element *to, struct osspi_element *from);

/** Sets (len bytes, copied) or removes (bytes NULL) a property. False: no memory. */
bool osspi_element_set(struct osspi_element *element, DWORD id, const void *bytes, DWORD len);

/** Copies a property out, at most size bytes. False: there is none. *ret_len: its whole length. */
bool osspi_element_get(struct osspi_element *element, DWORD id, void *ret_bytes, DWORD size,
                       DWORD *ret_len);

/* ---- contexts ---- */

/** Makes a context; takes references on element and store (may be NULL). NULL: no memory. */
PCCERT_CONTEXT osspi_cert_context_new(struct osspi_element *element, struct osspi_store *store);

/** Makes a context of a certificate that is in no store. NULL: no memory. */
PCCERT_CONTEXT osspi_context_of(struct osspi_certificate *certificate);

/** Makes a context whose hCertStore holds the certificate and its chain, in this order. */
SECURITY_STATUS osspi_context_with_chain(struct osspi_certificate *certificate,
                                         PCCERT_CONTEXT *ret_context);

static inline struct osspi_cert_context *osspi_context_from(PCCERT_CONTEXT shown)
{
    return OSSPI_CONTAINER_OF((PCERT_CONTEXT)(uintptr_t)shown, struct osspi_cert_context, shown);
}

void osspi_context_freep(PCCERT_CONTEXT *context);

#endif
