/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The two lanes a call can run on: the CPU lane computes, the blocking lane may wait for a network
 * or a device and counts its calls against sub-limits by class.
 */
#ifndef OSSPI_CORE_LANE_H
#define OSSPI_CORE_LANE_H

#include <sspi.h>

enum osspi_lane { OSSPI_LANE_CPU, OSSPI_LANE_BLOCKING };

/* Never leaves the library: "run me again on the blocking lane". */
#define OSSPI_WANT_BLOCKING ((SECURITY_STATUS)0x7FFF0001)

#define OSSPI_CLASS_NAME_SIZE 64u

struct osspi_lane_choice {
    enum osspi_lane lane;
    char class_name[OSSPI_CLASS_NAME_SIZE]; /* "kdc:REALM", "ocsp:host", "pkcs11"; blocking only */
};

#endif
