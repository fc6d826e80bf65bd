/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Like plain.c, but written as it would be for Windows: with the header names that only the
 * compatibility folder has.
 */
#define SECURITY_WIN32
#include <windows.h>
#include <security.h>

int main(void)
{
    PSecPkgInfoA package = NULL;

    if (QuerySecurityPackageInfoA((char *)"Schannel", &package) != SEC_E_OK)
        return 1;
    return FreeContextBuffer(package) == SEC_E_OK ? 0 : 1;
}
