/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: target names of InitializeSecurityContext, package names, principals and names of
 * the session cache; in UTF-8, in UTF-16 and as counted strings.
 *
 * Input: one byte of options, then the name; up to the first NUL where strings end by one.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "support/contract_status.h"

/* What programs compiled for the kernel's mode call. */
SECURITY_STATUS osspi_kernel_InitializeSecurityContextW(
    PCredHandle phCredential, PCtxtHandle phContext, PUNICODE_STRING pszTargetName,
    ULONG fContextReq, ULONG Reserved1, ULONG TargetDataRep, PSecBufferDesc pInput, ULONG Reserved2,
    PCtxtHandle phNewContext, PSecBufferDesc pOutput, ULONG *pfContextAttr, PTimeStamp ptsExpiry);

struct name {
    char *narrow;
    WCHAR *wide;
    UNICODE_STRING counted;
};

void fuzz_prepare(void)
{
    (void)fuzz_client(FUZZ_CLIENT_ANY);
    (void)fuzz_client(FUZZ_CLIENT_MANUAL);
}

/* Each in a block of its exact size: the counted one has no NUL behind it. */
static void make(struct name *name, struct fuzz_input *input)
{
    struct fuzz_input again = *input;
    size_t units = input->len / sizeof(WCHAR), len;

    name->narrow = fuzz_take_string(&again, input->len);
    name->wide = (WCHAR *)(void *)fuzz_room((units + 1) * sizeof(WCHAR));
    name->counted.Buffer =
        (PWSTR)(void *)fuzz_take(input, input->len < 65535 ? input->len : 65535, &len);
    memcpy(name->wide, name->counted.Buffer, len / sizeof(WCHAR) * sizeof(WCHAR));
    name->wide[len / sizeof(WCHAR)] = 0;
    name->counted.Length = (USHORT)len;
    name->counted.MaximumLength = (USHORT)len;
}

static SECURITY_STATUS begin(const struct name *name, unsigned form, CtxtHandle *context)
{
    uint8_t *room = fuzz_room(PEER_OUT_SIZE);
    SecBuffer buffer = {PEER_OUT_SIZE, SECBUFFER_TOKEN, room};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, &buffer};
    CredHandle *credential = fuzz_client(form & 4 ? FUZZ_CLIENT_MANUAL : FUZZ_CLIENT_ANY);
    ULONG attributes;
    SECURITY_STATUS status;

    if (form % 3 == 0)
        status = InitializeSecurityContextA(credential, NULL, name->narrow, 0, 0, 0, NULL, 0,
                                            context, &out, &attributes, NULL);
    else if (form % 3 == 1)
        status = InitializeSecurityContextW(credential, NULL, name->wide, 0, 0, 0, NULL, 0, context,
                                            &out, &attributes, NULL);
    else
        status = osspi_kernel_InitializeSecurityContextW(
            credential, NULL, (PUNICODE_STRING)(uintptr_t)&name->counted, 0, 0, 0, NULL, 0, context,
            &out, &attributes, NULL);
    contract_require("InitializeSecurityContextA", status);
    free(room);
    return status;
}

static void other_names(const struct name *name)
{
    PSecPkgInfoA info = NULL;
    PSecPkgInfoW wide_info = NULL;
    CredHandle credential;
    SECURITY_STATUS status;

    (void)SslEmptyCacheA(name->narrow, 0);
    (void)SslEmptyCacheW(name->wide, 0);
    status = QuerySecurityPackageInfoA(name->narrow, &info);
    contract_require("QuerySecurityPackageInfoA", status);
    FreeContextBuffer(info);
    status = QuerySecurityPackageInfoW(name->wide, &wide_info);
    contract_require("QuerySecurityPackageInfoW", status);
    FreeContextBuffer(wide_info);
    status = AcquireCredentialsHandleA(name->narrow, (LPSTR)UNISP_NAME_A, SECPKG_CRED_OUTBOUND,
                                       NULL, NULL, NULL, NULL, &credential, NULL);
    contract_require("AcquireCredentialsHandleA", status);
    if (status == SEC_E_OK)
        FreeCredentialsHandle(&credential);
    status = AcquireCredentialsHandleW(NULL, name->wide, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL,
                                       NULL, &credential, NULL);
    contract_require("AcquireCredentialsHandleW", status);
    if (status == SEC_E_OK)
        FreeCredentialsHandle(&credential);
}

void fuzz_one(struct fuzz_input *input)
{
    unsigned form = fuzz_u8(input);
    struct name name;
    CtxtHandle context;

    make(&name, input);
    if (begin(&name, form, &context) >= 0) {
        context_look(&context);
        TEST_REQUIRE_EQUAL(DeleteSecurityContext(&context), SEC_E_OK);
    }
    if (form & 8)
        other_names(&name);
    free(name.narrow);
    free(name.wide);
    free(name.counted.Buffer);
}
