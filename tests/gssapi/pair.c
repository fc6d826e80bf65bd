/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Client and server; see pair.h.
 */
#include "gssapi/pair.h"

#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test_util.h"

#if TEST_ASAN
/* gss-ntlmssp 1.2.0 leaks a library context of OpenSSL's with each of its contexts; a program that
 * makes them by GSSAPI alone shows the same. And libkrb5 forgets a key when a KDC's later answer
 * contradicts what the key was made by. glibc's words about a failed dlsym are kept by a worker
 * that is about to end when the process does. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:gssntlmssp.so\nleak:libcrypto.so\n"
           "leak:krb5_c_string_to_key_with_params\nleak:_dlerror_run\n";
}
#endif

void pair_identity(const char *user, const char *domain, const char *password,
                   SEC_WINNT_AUTH_IDENTITY_A *ret_identity)
{
    *ret_identity = (SEC_WINNT_AUTH_IDENTITY_A){
        .User = (unsigned char *)user,
        .UserLength = user ? (ULONG)strlen(user) : 0,
        .Domain = (unsigned char *)domain,
        .DomainLength = domain ? (ULONG)strlen(domain) : 0,
        .Password = (unsigned char *)password,
        .PasswordLength = password ? (ULONG)strlen(password) : 0,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
    };
}

static SECURITY_STATUS acquire(struct side *side, const char *package, ULONG use, void *identity)
{
    SECURITY_STATUS status = AcquireCredentialsHandleA(
        NULL, (char *)package, use, NULL, identity, NULL, NULL, &side->credential, &side->expiry);

    side->has_credential = status == SEC_E_OK;
    return status;
}

SECURITY_STATUS pair_client(struct pair *pair, const char *package, void *identity)
{
    return acquire(&pair->client, package, SECPKG_CRED_OUTBOUND, identity);
}

SECURITY_STATUS pair_server(struct pair *pair, const char *package)
{
    return acquire(&pair->server, package, SECPKG_CRED_INBOUND, NULL);
}

/* The buffers of a leg. */
struct buffers {
    SecBuffer in[2], out[1];
    SecBufferDesc in_desc, out_desc;
};

static void lay_out(struct buffers *buffers, struct side *side, const void *in, ULONG in_len)
{
    *buffers = (struct buffers){
        .in = {{in_len, SECBUFFER_TOKEN, (void *)in},
               {side->bindings_len, SECBUFFER_CHANNEL_BINDINGS, (void *)side->bindings}},
        .out = {{PAIR_TOKEN, SECBUFFER_TOKEN, side->token}},
        .in_desc = {SECBUFFER_VERSION, side->bindings ? 2 : 1, buffers->in},
        .out_desc = {SECBUFFER_VERSION, 1, buffers->out},
    };
    if (!in) { /* the bindings alone */
        buffers->in_desc.pBuffers = &buffers->in[1];
        buffers->in_desc.cBuffers = side->bindings ? 1 : 0;
    }
}

static void note(struct side *side, const struct buffers *buffers)
{
    side->token_len = side->status < 0 ? 0 : buffers->out[0].cbBuffer;
    if (side->status >= 0)
        side->has_context = true;
}

SECURITY_STATUS pair_initialize(struct pair *pair, const void *in, ULONG in_len)
{
    struct side *side = &pair->client;
    struct buffers buffers;

    lay_out(&buffers, side, in, in_len);
    pair->legs++;
    side->status = InitializeSecurityContextA(
        &side->credential, side->has_context ? &side->context : NULL, (char *)pair->target,
        pair->client_flags, 0, SECURITY_NATIVE_DREP,
        buffers.in_desc.cBuffers > 0 ? &buffers.in_desc : NULL, 0, &side->context,
        &buffers.out_desc, &side->attributes, &side->expiry);
    note(side, &buffers);
    return side->status;
}

SECURITY_STATUS pair_accept(struct pair *pair, const void *in, ULONG in_len)
{
    struct side *side = &pair->server;
    struct buffers buffers;

    lay_out(&buffers, side, in ? in : "", in_len);
    side->status =
        AcceptSecurityContext(&side->credential, side->has_context ? &side->context : NULL,
                              &buffers.in_desc, pair->server_flags, SECURITY_NATIVE_DREP,
                              &side->context, &buffers.out_desc, &side->attributes, &side->expiry);
    note(side, &buffers);
    return side->status;
}

SECURITY_STATUS pair_talk(struct pair *pair)
{
    SECURITY_STATUS status = pair_initialize(pair, NULL, 0);

    for (unsigned i = 0; i < 8 && status >= 0; i++) {
        if (pair->client.token_len > 0) {
            status = pair_accept(pair, pair->client.token, pair->client.token_len);
            if (status < 0)
                return status;
        }
        if (pair->client.status == SEC_E_OK && pair->server.token_len == 0)
            return pair->server.status;
        if (pair->client.status != SEC_E_OK)
            status = pair_initialize(pair, pair->server.token, pair->server.token_len);
        pair->server.token_len = 0;
        if (pair->client.status == SEC_E_OK && pair->server.status == SEC_E_OK)
            return SEC_E_OK;
    }
    return status;
}

static void explain(const struct side *side, const char *who)
{
    char detail[256] = "";

    if (side->has_context)
        (void)OsspiGetErrorDetail((PCtxtHandle)&side->context, detail, sizeof(detail));
    fprintf(stderr, "%s: %s (%08x) %s\n", who, OsspiStatusName(side->status),
            (unsigned)side->status, detail);
}

void pair_establish(struct pair *pair, const char *package, void *identity, const char *target)
{
    pair->target = target;
    TEST_REQUIRE_EQUAL(pair_client(pair, package, identity), SEC_E_OK);
    TEST_REQUIRE_EQUAL(pair_server(pair, package), SEC_E_OK);
    if (pair_talk(pair) != SEC_E_OK) {
        explain(&pair->client, "client");
        explain(&pair->server, "server");
        TEST_REQUIRE(false);
    }
}

static void delete_context(struct side *side)
{
    if (side->has_context)
        TEST_REQUIRE_EQUAL(DeleteSecurityContext(&side->context), SEC_E_OK);
    side->has_context = false;
    side->token_len = 0;
}

void pair_reset(struct pair *pair)
{
    delete_context(&pair->client);
    delete_context(&pair->server);
    pair->legs = 0;
}

static void free_credential(struct side *side)
{
    if (side->has_credential)
        TEST_REQUIRE_EQUAL(FreeCredentialsHandle(&side->credential), SEC_E_OK);
    side->has_credential = false;
}

void pair_end(struct pair *pair)
{
    pair_reset(pair);
    free_credential(&pair->client);
    free_credential(&pair->server);
}

void pair_exchange(struct side *from, struct side *to, const char *text)
{
    const ULONG len = (ULONG)strlen(text);
    unsigned char token[256], padding[64], *data = malloc(len + 1);
    SecPkgContext_Sizes sizes;
    SecBuffer buffers[3];
    SecBufferDesc desc = {SECBUFFER_VERSION, 3, buffers};
    ULONG qop = 7;

    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&from->context, SECPKG_ATTR_SIZES, &sizes),
                       SEC_E_OK);
    TEST_REQUIRE(data != NULL && sizes.cbSecurityTrailer <= sizeof(token) &&
                 sizes.cbBlockSize <= sizeof(padding));
    memcpy(data, text, len + 1);
    buffers[0] = (SecBuffer){sizes.cbSecurityTrailer, SECBUFFER_TOKEN, token};
    buffers[1] = (SecBuffer){len, SECBUFFER_DATA, data};
    buffers[2] = (SecBuffer){sizes.cbBlockSize, SECBUFFER_PADDING, padding};
    TEST_REQUIRE_EQUAL(EncryptMessage(&from->context, 0, &desc, 0), SEC_E_OK);
    TEST_REQUIRE(len < 8 || memcmp(data, text, len) != 0);
    TEST_REQUIRE_EQUAL(DecryptMessage(&to->context, &desc, 0, &qop), SEC_E_OK);
    TEST_REQUIRE_EQUAL(qop, 0);
    TEST_REQUIRE(buffers[1].cbBuffer == len && memcmp(buffers[1].pvBuffer, text, len) == 0);
    free(data);
}
