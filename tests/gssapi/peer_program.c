/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One side of a conversation, told what to do on standard input by a test in another language:
 *
 *     peer_program initiate PACKAGE TARGET FLAGS   (USER and PASSWORD in the environment)
 *     peer_program accept PACKAGE
 *
 * Orders, one a line; bytes are hexadecimal, "-" is none:
 *
 *     leg TOKEN            answers "STATUS TOKEN ATTRIBUTES"
 *     encrypt TEXT         answers "STATUS BYTES", a gss_wrap() token
 *     decrypt BYTES        answers "STATUS TEXT"
 *     sign TEXT            answers "STATUS BYTES"
 *     verify TEXT BYTES    answers "STATUS -"
 *     name                 answers "STATUS NAME"
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES 70000u

/* Guarded: one thread. */
static CredHandle credential;
static CtxtHandle context;
static bool has_context, accepts;
static ULONG flags;
static char *target;
static char line[4 * MAX_BYTES];
static unsigned char first[MAX_BYTES], second[MAX_BYTES], out[MAX_BYTES + 256];

static unsigned digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static ULONG from_hex(const char *text, unsigned char *bytes)
{
    ULONG len = 0;

    if (!text || text[0] == '-')
        return 0;
    for (; len < MAX_BYTES && text[0] && text[1]; text += 2)
        bytes[len++] = (unsigned char)(digit(text[0]) << 4 | digit(text[1]));
    return len;
}

static void answer(SECURITY_STATUS status, const unsigned char *bytes, ULONG len, ULONG attributes)
{
    const char *name = OsspiStatusName(status);

    printf("%s ", name ? name : "?");
    for (ULONG i = 0; i < len; i++)
        printf("%02x", bytes[i]);
    printf("%s %x\n", len ? "" : "-", attributes);
    fflush(stdout);
}

static void leg(const char *token)
{
    SecBuffer in = {from_hex(token, first), SECBUFFER_TOKEN, first};
    SecBuffer to = {MAX_BYTES, SECBUFFER_TOKEN, out};
    SecBufferDesc in_desc = {SECBUFFER_VERSION, 1, &in}, out_desc = {SECBUFFER_VERSION, 1, &to};
    PCtxtHandle before = has_context ? &context : NULL;
    SECURITY_STATUS status;
    ULONG attributes = 0;

    if (accepts)
        status = AcceptSecurityContext(&credential, before, &in_desc, 0, SECURITY_NATIVE_DREP,
                                       &context, &out_desc, &attributes, NULL);
    else
        status = InitializeSecurityContextA(&credential, before, target, flags, 0,
                                            SECURITY_NATIVE_DREP, in.cbBuffer ? &in_desc : NULL, 0,
                                            &context, &out_desc, &attributes, NULL);
    has_context = has_context || status >= 0;
    answer(status, out, status < 0 ? 0 : to.cbBuffer, attributes);
}

/* TOKEN and DATA side by side are what gss_wrap() makes. */
static void protect(const char *text, bool signs)
{
    SecPkgContext_Sizes sizes = {0};
    SecBuffer buffers[2] = {{256, SECBUFFER_TOKEN, out},
                            {from_hex(text, first), SECBUFFER_DATA, first}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};
    SECURITY_STATUS status = QueryContextAttributesA(&context, SECPKG_ATTR_SIZES, &sizes);

    if (status == SEC_E_OK)
        status =
            signs ? MakeSignature(&context, 0, &desc, 0) : EncryptMessage(&context, 0, &desc, 0);
    if (!signs)
        memcpy(out + buffers[0].cbBuffer, first, buffers[1].cbBuffer);
    answer(status, out, buffers[0].cbBuffer + (signs ? 0 : buffers[1].cbBuffer), 0);
}

static void decrypt(const char *bytes)
{
    SecBuffer buffers[2] = {{from_hex(bytes, first), SECBUFFER_STREAM, first},
                            {0, SECBUFFER_DATA, NULL}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};
    ULONG qop = 0;
    const SECURITY_STATUS status = DecryptMessage(&context, &desc, 0, &qop);

    answer(status, buffers[1].pvBuffer, status < 0 ? 0 : buffers[1].cbBuffer, qop);
}

static void verify(const char *text, const char *bytes)
{
    SecBuffer buffers[2] = {{from_hex(text, first), SECBUFFER_DATA, first},
                            {from_hex(bytes, second), SECBUFFER_TOKEN, second}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};

    answer(VerifySignature(&context, &desc, 0, NULL), NULL, 0, 0);
}

static void tell_name(void)
{
    SecPkgContext_NamesA names = {0};
    const SECURITY_STATUS status = QueryContextAttributesA(&context, SECPKG_ATTR_NAMES, &names);

    answer(status, (unsigned char *)names.sUserName,
           names.sUserName ? (ULONG)strlen(names.sUserName) : 0, 0);
    FreeContextBuffer(names.sUserName);
}

static SECURITY_STATUS acquire(char *package)
{
    const char *user = getenv("PEER_USER"), *password = getenv("PEER_PASSWORD");
    SEC_WINNT_AUTH_IDENTITY_A identity = {
        .User = (unsigned char *)user,
        .UserLength = user ? (ULONG)strlen(user) : 0,
        .Password = (unsigned char *)password,
        .PasswordLength = password ? (ULONG)strlen(password) : 0,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
    };

    return AcquireCredentialsHandleA(NULL, package,
                                     accepts ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, NULL,
                                     user ? &identity : NULL, NULL, NULL, &credential, NULL);
}

static void obey(void)
{
    const char *order = strtok(line, " \n");
    const char *one = strtok(NULL, " \n"), *two = strtok(NULL, " \n");

    if (!order)
        return;
    if (strcmp(order, "leg") == 0)
        leg(one);
    else if (strcmp(order, "encrypt") == 0)
        protect(one, false);
    else if (strcmp(order, "sign") == 0)
        protect(one, true);
    else if (strcmp(order, "decrypt") == 0)
        decrypt(one);
    else if (strcmp(order, "verify") == 0)
        verify(one, two);
    else if (strcmp(order, "name") == 0)
        tell_name();
}

int main(int count, char **words)
{
    SECURITY_STATUS status;

    if (count < 3)
        return 2;
    accepts = strcmp(words[1], "accept") == 0;
    target = count > 3 ? words[3] : NULL;
    flags = count > 4 ? (ULONG)strtoul(words[4], NULL, 16) : 0;
    status = acquire(words[2]);
    answer(status, NULL, 0, 0);
    while (status == SEC_E_OK && fgets(line, sizeof(line), stdin))
        obey();
    if (has_context)
        DeleteSecurityContext(&context);
    if (status == SEC_E_OK)
        FreeCredentialsHandle(&credential);
    return 0;
}
