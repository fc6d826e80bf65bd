/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What random_kernel.c needs of the driver. It is compiled in sspi.h's other mode, in which
 * schannel.h, opensspi.h and random.h do not go; these types are the same in both.
 */
#ifndef OSSPI_TESTS_RANDOM_RANDOM_KERNEL_H
#define OSSPI_TESTS_RANDOM_RANDOM_KERNEL_H

#include <sspi.h>

#include "random/random_row.h"
#include "support/test_util.h"

uint32_t random_kernel_below(struct random_thread *thread, uint32_t bound);
/** A random credential in *ret_value; its address, or NULL. */
PCredHandle random_kernel_credential(struct random_thread *thread, CredHandle *ret_value);
void random_kernel_credential_made(struct random_thread *thread, CredHandle made);
/** OsspiWaitAsyncCall, as long as it takes. */
SECURITY_STATUS random_kernel_wait(SspiAsyncContext *async);

#endif
