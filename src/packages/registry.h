/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The packages there are: a constant list of built-in ones (registry.c names each), and room for a
 * few that tests add before they make their first call.
 */
#ifndef OSSPI_PACKAGES_REGISTRY_H
#define OSSPI_PACKAGES_REGISTRY_H

#include "packages/package.h"

/** Number of listed packages. */
uint32_t osspi_package_count(void);

/** The package at index, in the order of EnumerateSecurityPackages; NULL behind the end. */
const struct osspi_package *osspi_package_at(uint32_t index);

/** What the core keeps a package's objects by. */
const struct osspi_object_class *osspi_package_class(const struct osspi_package *package);

/** Finds a package by name or alias, ASCII case-insensitively; NULL: none. */
const struct osspi_package *osspi_package_find(const char *name);

/** Is what it stands on installed? Those that are not are not found by name, and not to be listed.
 */
bool osspi_package_present(const struct osspi_package *package);

/** The names a package goes by: its own, then its aliases; NULL behind the end. */
const char *osspi_package_name_at(const struct osspi_package *package, size_t index);

/** Are two package names the same? ASCII case-insensitively, whatever the locale. */
bool osspi_package_same_name(const char *a, const char *b);

/** Adds a package at run time; false when there is no room. For tests (static library). */
bool osspi_package_add(const struct osspi_package *package);

#endif
