/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A program outside the source tree, built against an installed OpenSSPI by script/check-install.
 * It has to compile, link, find the library at run time, and get a sensible answer from it.
 */
#include <stdio.h>
#include <sspi.h>

int main(void)
{
    ULONG count = 0;
    PSecPkgInfoA packages = NULL;

    if (EnumerateSecurityPackagesA(&count, &packages) != SEC_E_OK || count == 0)
        return 1;
    printf("%u packages, the first is %s\n", (unsigned)count, packages[0].Name);
    return FreeContextBuffer(packages) == SEC_E_OK ? 0 : 1;
}
