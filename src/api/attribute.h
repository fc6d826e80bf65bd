/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the attribute structures look like: their sizes, and where strings are in them. Packages
 * fill the A flavour; the W flavour differs only in what its pointers point to.
 */
#ifndef OSSPI_API_ATTRIBUTE_H
#define OSSPI_API_ATTRIBUTE_H

#include <sspi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OSSPI_SHAPE_STRINGS 2u

/** One attribute. */
struct osspi_shape {
    uint32_t attribute;
    uint16_t size;                         /* bytes of the structure */
    uint8_t string_count;                  /* used entries of strings */
    uint16_t strings[OSSPI_SHAPE_STRINGS]; /* offsets of pointers to strings */
    bool package_info;                     /* begins with a pointer to SecPkgInfo */
    bool always_wide;                      /* UTF-16 in the A function too */
};

/** NULL: an attribute that is not known here, or of variable size; its package judges the size. */
const struct osspi_shape *osspi_shape_of_context(uint32_t attribute);
const struct osspi_shape *osspi_shape_of_credential(uint32_t attribute);

/** Is size what the structure needs? SEC_E_OK, SEC_E_BUFFER_TOO_SMALL if it is less, and
 * SEC_E_INVALID_PARAMETER if it is more. A NULL shape fits any size. */
SECURITY_STATUS osspi_shape_check(const struct osspi_shape *shape, size_t size);

/** Turns a structure that was filled in the A flavour into the W flavour. On failure all its
 * strings are freed and it is zeroed. SEC_E_OK, SEC_E_INSUFFICIENT_MEMORY. */
SECURITY_STATUS osspi_shape_widen(const struct osspi_shape *shape, void *buffer);

/** Turns a structure with the caller's W strings into one with UTF-8 strings of our own, for Set.
 * SEC_E_OK; SEC_E_INSUFFICIENT_MEMORY also for malformed strings; nothing to free then. */
SECURITY_STATUS osspi_shape_narrow(const struct osspi_shape *shape, void *buffer);

/** Frees the strings of a structure. */
void osspi_shape_free_strings(const struct osspi_shape *shape, void *buffer);

#endif
