/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: identities as bytes from elsewhere (SspiUnmarshalAuthIdentity), and everything that
 * is done with one that was understood. Two identities are compared with themselves and with each
 * other; what was marshalled has to come back the same.
 *
 * Input: 16 bits that are the length of the first block, that block, and then the second.
 */
#include <stdlib.h>

#include "fuzz/fuzz.h"

/* Where nothing has used the TLS library, it leaves memory behind when the process ends. */
void fuzz_prepare(void)
{
    (void)fuzz_client(FUZZ_CLIENT_ANY);
}

static void require_same(void *one, void *two)
{
    BOOLEAN same_user = FALSE, same = FALSE;

    TEST_REQUIRE_EQUAL(SspiCompareAuthIdentities(one, two, &same_user, &same), SEC_E_OK);
    TEST_REQUIRE(same_user && same);
}

static void round_trip(void *identity)
{
    ULONG len = 0;
    char *bytes = NULL;
    void *back = NULL;

    TEST_REQUIRE_EQUAL(SspiMarshalAuthIdentity(identity, &len, &bytes), SEC_E_OK);
    TEST_REQUIRE_EQUAL(SspiUnmarshalAuthIdentity(len, bytes, &back), SEC_E_OK);
    require_same(identity, back);
    SspiLocalFree(bytes);
    SspiFreeAuthIdentity(back);
}

static void use(void *identity)
{
    PCWSTR strings[3] = {0};
    void *made = NULL;

    TEST_REQUIRE_EQUAL(SspiValidateAuthIdentity(identity), SEC_E_OK);
    if (SspiEncodeAuthIdentityAsStrings(identity, &strings[0], &strings[1], &strings[2]) ==
        SEC_E_OK) {
        TEST_REQUIRE_EQUAL(
            SspiEncodeStringsAsAuthIdentity(strings[0], strings[1], strings[2], &made), SEC_E_OK);
        SspiFreeAuthIdentity(made);
    }
    for (int i = 0; i < 3; i++)
        SspiLocalFree((void *)(uintptr_t)strings[i]);
    if (SspiExcludePackage(identity, u"ntlm", &made) == SEC_E_OK) {
        round_trip(made);
        SspiFreeAuthIdentity(made);
    }
    (void)SspiIsAuthIdentityEncrypted(identity);
    round_trip(identity);
}

static void *unmarshal(const uint8_t *bytes, size_t len)
{
    void *identity = NULL;
    SECURITY_STATUS status =
        SspiUnmarshalAuthIdentity((ULONG)len, (char *)(uintptr_t)bytes, &identity);

    TEST_REQUIRE(status == SEC_E_OK || status == SEC_E_INVALID_PARAMETER);
    TEST_REQUIRE((status == SEC_E_OK) == (identity != NULL));
    return identity;
}

void fuzz_one(struct fuzz_input *input)
{
    void *identities[2];

    for (int i = 0; i < 2; i++) {
        size_t len;
        uint8_t *bytes = fuzz_take(input, i == 0 ? fuzz_u16(input) : input->len, &len);

        identities[i] = unmarshal(bytes, len);
        free(bytes);
    }
    for (int i = 0; i < 2; i++) {
        if (identities[i])
            use(identities[i]);
    }
    if (identities[0] && identities[1])
        (void)SspiCompareAuthIdentities(identities[0], identities[1], NULL, NULL);
    SspiZeroAuthIdentity(identities[0]);
    SspiFreeAuthIdentity(identities[0]);
    SspiFreeAuthIdentity(identities[1]);
}
