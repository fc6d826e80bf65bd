/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One side of a conversation, told what to do on standard input by a test in another language:
 *
 *     peer_program initiate PACKAGE TARGET FLAGS
 *     peer_program accept PACKAGE
 *     peer_program change PACKAGE               (the password to PEER_NEW_PASSWORD; no orders)
 *
 * PEER_USER, PEER_DOMAIN, PEER_PASSWORD in the environment are the identity; without a user it is
 * the default one. PEER_BINDINGS is the application's data of channel bindings.
 *
 * Orders, one a line; bytes are hexadecimal, "-" is none:
 *
 *     leg TOKEN            answers "STATUS TOKEN ATTRIBUTES"
 *     encrypt TEXT         answers "STATUS BYTES", a gss_wrap() token
 *     wrap TEXT            the same, signed and not sealed
 *     decrypt BYTES        answers "STATUS TEXT"
 *     sign TEXT            answers "STATUS BYTES"
 *     verify TEXT BYTES    answers "STATUS -"
 *     name                 answers "STATUS NAME"
 *     key                  answers "STATUS KIND", of the session key
 *     package              answers "STATUS NAME", of the package that Negotiate has chosen
 *     authorization        answers "STATUS LINES": account, domain, SID, then SIDs of groups
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES 70000u

#if defined(__SANITIZE_ADDRESS__)
/* As in pair.c: leaks of gss-ntlmssp 1.2.0, and one of libkrb5. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:gssntlmssp.so\nleak:libcrypto.so\n"
           "leak:krb5_c_string_to_key_with_params\nleak:_dlerror_run\n";
}
#endif

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

/* A second buffer of a leg's input; 1 with it, else 0. */
static ULONG bind(SecBuffer *ret_buffer)
{
    static struct {
        SEC_CHANNEL_BINDINGS head;
        char data[256];
    } bindings; /* guarded: one thread */
    const char *data = getenv("PEER_BINDINGS");
    const size_t len = data ? strlen(data) : 0;

    if (len == 0 || len > sizeof(bindings.data))
        return 0;
    memcpy(bindings.data, data, len);
    bindings.head.cbApplicationDataLength = (ULONG)len;
    bindings.head.dwApplicationDataOffset = (ULONG)sizeof(bindings.head);
    *ret_buffer =
        (SecBuffer){(ULONG)(sizeof(bindings.head) + len), SECBUFFER_CHANNEL_BINDINGS, &bindings};
    return 1;
}

static void leg(const char *token)
{
    SecBuffer in[2] = {{from_hex(token, first), SECBUFFER_TOKEN, first}};
    SecBuffer to = {MAX_BYTES, SECBUFFER_TOKEN, out};
    SecBufferDesc in_desc = {SECBUFFER_VERSION, 1 + bind(&in[1]), in};
    SecBufferDesc out_desc = {SECBUFFER_VERSION, 1, &to};
    PCtxtHandle before = has_context ? &context : NULL;
    SECURITY_STATUS status;
    ULONG attributes = 0;

    if (accepts)
        status = AcceptSecurityContext(&credential, before, &in_desc, 0, SECURITY_NATIVE_DREP,
                                       &context, &out_desc, &attributes, NULL);
    else
        status =
            InitializeSecurityContextA(&credential, before, target, flags, 0, SECURITY_NATIVE_DREP,
                                       &in_desc, 0, &context, &out_desc, &attributes, NULL);
    has_context = has_context || status >= 0;
    answer(status, out, status < 0 ? 0 : to.cbBuffer, attributes);
}

/* TOKEN and DATA side by side are what gss_wrap() makes. */
static void protect(const char *text, bool signs, ULONG qop)
{
    SecPkgContext_Sizes sizes = {0};
    SecBuffer buffers[2] = {{256, SECBUFFER_TOKEN, out},
                            {from_hex(text, first), SECBUFFER_DATA, first}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};
    SECURITY_STATUS status = QueryContextAttributesA(&context, SECPKG_ATTR_SIZES, &sizes);

    if (status == SEC_E_OK)
        status =
            signs ? MakeSignature(&context, 0, &desc, 0) : EncryptMessage(&context, qop, &desc, 0);
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

static void answer_text(SECURITY_STATUS status, const char *text)
{
    answer(status, (const unsigned char *)text, text ? (ULONG)strlen(text) : 0, 0);
}

static void tell_name(void)
{
    SecPkgContext_NamesA names = {0};
    const SECURITY_STATUS status = QueryContextAttributesA(&context, SECPKG_ATTR_NAMES, &names);

    answer_text(status, names.sUserName);
    FreeContextBuffer(names.sUserName);
}

static void tell_key(void)
{
    SecPkgContext_KeyInfoA info = {0};
    const SECURITY_STATUS status = QueryContextAttributesA(&context, SECPKG_ATTR_KEY_INFO, &info);

    answer_text(status, info.sEncryptAlgorithmName);
    FreeContextBuffer(info.sEncryptAlgorithmName);
    FreeContextBuffer(info.sSignatureAlgorithmName);
}

static void tell_package(void)
{
    SecPkgContext_NegotiationInfoA info = {0};
    const SECURITY_STATUS status =
        QueryContextAttributesA(&context, SECPKG_ATTR_NEGOTIATION_INFO, &info);

    answer_text(status, info.PackageInfo ? info.PackageInfo->Name : NULL);
    FreeContextBuffer(info.PackageInfo);
}

static void tell_authorization(void)
{
    OsspiContextAuthorization found = {0};
    const SECURITY_STATUS status =
        QueryContextAttributesA(&context, OSSPI_ATTR_AUTHORIZATION, &found);
    const OsspiAuthorization *who = found.authorization;
    char *text = (char *)first;
    size_t len = 0;

    if (who)
        len = (size_t)snprintf(text, MAX_BYTES, "%s\n%s\n%s", who->account, who->domain,
                               who->user_sid);
    for (ULONG i = 0; who && i < who->group_count && len < MAX_BYTES; i++)
        len += (size_t)snprintf(text + len, MAX_BYTES - len, "\n%s", who->group_sids[i]);
    answer(status, first, len < MAX_BYTES ? (ULONG)len : 0, 0);
    FreeContextBuffer(found.authorization);
}

static SECURITY_STATUS change(char *package)
{
    SecBuffer to = {sizeof(out), SECBUFFER_CHANGE_PASS_RESPONSE, out};
    SecBufferDesc desc = {SECBUFFER_VERSION, 1, &to};

    return ChangeAccountPasswordA(package, getenv("PEER_DOMAIN"), getenv("PEER_USER"),
                                  getenv("PEER_PASSWORD"), getenv("PEER_NEW_PASSWORD"), FALSE, 0,
                                  &desc);
}

static SECURITY_STATUS acquire(char *package)
{
    const char *user = getenv("PEER_USER"), *password = getenv("PEER_PASSWORD");
    const char *domain = getenv("PEER_DOMAIN");
    SEC_WINNT_AUTH_IDENTITY_A identity = {
        .User = (unsigned char *)user,
        .UserLength = user ? (ULONG)strlen(user) : 0,
        .Domain = (unsigned char *)domain,
        .DomainLength = domain ? (ULONG)strlen(domain) : 0,
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
        protect(one, false, 0);
    else if (strcmp(order, "wrap") == 0)
        protect(one, false, SECQOP_WRAP_NO_ENCRYPT);
    else if (strcmp(order, "sign") == 0)
        protect(one, true, 0);
    else if (strcmp(order, "decrypt") == 0)
        decrypt(one);
    else if (strcmp(order, "verify") == 0)
        verify(one, two);
    else if (strcmp(order, "name") == 0)
        tell_name();
    else if (strcmp(order, "key") == 0)
        tell_key();
    else if (strcmp(order, "package") == 0)
        tell_package();
    else if (strcmp(order, "authorization") == 0)
        tell_authorization();
}

int main(int count, char **words)
{
    SECURITY_STATUS status;

    if (count < 3)
        return 2;
    if (strcmp(words[1], "change") == 0) {
        answer(change(words[2]), NULL, 0, 0);
        return 0;
    }
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
