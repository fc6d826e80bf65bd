/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A world (revocation_world.h) of three: a trusted root, and a certificate for either side, about
 * which "/server" and "/client" can be asked.
 */
#ifndef OSSPI_TESTS_SUPPORT_REVOCATION_TWO_H
#define OSSPI_TESTS_SUPPORT_REVOCATION_TWO_H

#include "support/revocation_world.h"

extern struct world_identity world_root, world_server, world_client;

/** Group setup and teardown of cmocka. */
int world_two_open(void **state);
int world_two_close(void **state);

/** Setup of a test: nobody has been asked anything, and nothing is known. */
int world_two_forget(void **state);

/** What is said at a path about one of them: V_OCSP_CERTSTATUS_. */
void world_two_say(const char *path, const struct world_identity *about, int status);

#endif
