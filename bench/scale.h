/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The parts of bench_scale that are not about handshakes per second.
 */
#ifndef BENCH_SCALE_H
#define BENCH_SCALE_H

#include "side.h"

/** Records sealed on contexts chosen at random, against raw keys chosen at random. */
void random_run(struct bench_program *program, const char *folder);

/** A great many handshakes; ends the program if a callback is lost or doubled or memory grows. */
void soak_run(struct bench_program *program, const char *folder, unsigned handshakes);

#endif
