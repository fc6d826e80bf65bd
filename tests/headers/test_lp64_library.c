/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OPENSSPI_LP64_COMPAT against the library itself: an unsigned long count comes back right in all
 * its bits, from the function and from the member of the table.
 */
#define OPENSSPI_LP64_COMPAT
#include <security.h>

#include <stdio.h>

int main(void)
{
    PSecurityFunctionTableA table = InitSecurityInterfaceA();
    unsigned long direct = ~0ul, through_table = ~0ul;
    PSecPkgInfoA packages = NULL;

    if (table == NULL || EnumerateSecurityPackagesA(&direct, &packages) != SEC_E_OK)
        return 1;
    FreeContextBuffer(packages);
    if (table->EnumerateSecurityPackagesA(&through_table, &packages) != SEC_E_OK)
        return 2;
    table->FreeContextBuffer(packages);
    if (direct == 0 || direct > 100 || through_table != direct) {
        fprintf(stderr, "%lu packages directly, %lu through the table\n", direct, through_table);
        return 3;
    }
    return 0;
}
