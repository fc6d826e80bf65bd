/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: PEM files for OsspiLoadCertificate.
 *
 * Input: one byte of options, then the file. Bit 0: the key has a file of its own, whose length is
 * the next 16 bits. Bits 1 and 2: no password, "secret", another, an empty one.
 */
#define _GNU_SOURCE

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "fuzz/fuzz_cert_read.h"
#include "support/contract_status.h"

struct file {
    int fd;
    char path[40];
};

void fuzz_prepare(void)
{
}

static struct file make_file(const uint8_t *bytes, size_t len)
{
    struct file file = {.fd = memfd_create("fuzz", MFD_CLOEXEC)};

    TEST_REQUIRE(file.fd >= 0);
    TEST_REQUIRE(fchmod(file.fd, 0600) == 0);
    TEST_REQUIRE(write(file.fd, bytes, len) == (ssize_t)len);
    snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", file.fd);
    return file;
}

static void check_empty(PCCERT_CONTEXT context)
{
    TEST_REQUIRE(context == NULL);
}

void fuzz_one(struct fuzz_input *input)
{
    static const char *const passwords[] = {NULL, "secret", "wrong", ""};
    uint8_t options = fuzz_u8(input);
    size_t key_len = 0, len;
    uint8_t *key = options & 1 ? fuzz_take(input, fuzz_u16(input), &key_len) : NULL;
    uint8_t *bytes = fuzz_take_rest(input, &len);
    struct file file = make_file(bytes, len), key_file = {.fd = -1};
    PCCERT_CONTEXT context = (PCCERT_CONTEXT)(uintptr_t)8;
    SECURITY_STATUS status;

    if (key)
        key_file = make_file(key, key_len);
    status = OsspiLoadCertificate(file.path, key ? key_file.path : NULL,
                                  passwords[options >> 1 & 3], &context);
    contract_require("OsspiLoadCertificate", status);
    if (status == SEC_E_OK) {
        fuzz_read_certificate(context);
        fuzz_walk_store(context->hCertStore);
        CertFreeCertificateContext(context);
    } else {
        check_empty(context);
    }
    close(file.fd);
    if (key)
        close(key_file.fd);
    free(key);
    free(bytes);
}
