/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: PFX blobs for PFXImportCertStore.
 *
 * Input: one byte that chooses the password, then the blob.
 */
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "fuzz/fuzz_cert_read.h"

void fuzz_prepare(void)
{
}

void fuzz_one(struct fuzz_input *input)
{
    static const WCHAR *const passwords[] = {u"secret", NULL, u"", u"\xD800", u"w\u00F6rd"};
    unsigned which = fuzz_pick(input, sizeof(passwords) / sizeof(passwords[0]));
    size_t len;
    uint8_t *bytes = fuzz_take_rest(input, &len);
    CRYPT_DATA_BLOB blob = {(DWORD)len, bytes};
    HCERTSTORE store;

    SetLastError(0);
    store = PFXImportCertStore(&blob, passwords[which], which & 1 ? CRYPT_EXPORTABLE : 0);
    if (store)
        fuzz_read_store(store);
    else
        TEST_REQUIRE(GetLastError() == (DWORD)CRYPT_E_BAD_ENCODE ||
                     GetLastError() == ERROR_INVALID_PASSWORD ||
                     GetLastError() == (DWORD)E_INVALIDARG);
    free(bytes);
}
