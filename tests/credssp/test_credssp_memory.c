/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * No memory: every allocation of the library in turn fails, from Acquire to what a server asks at
 * the end. A clear status each time, nothing left behind, and the next exchange is as good as ever.
 */
#include <opensspi.h>
#include <string.h>

#include "credssp/duet.h"
#include "support/failing_alloc.h"

#define ROOM 65536u

/* One side; no memory of the test's own is allocated while the library's runs out. */
struct side {
    CredHandle credential;
    CtxtHandle context;
    bool has_credential, has_context;
    SECURITY_STATUS status;
    uint8_t in[ROOM]; /* what has come */
    size_t len;
};

/* Guarded: one thread. */
static struct side client, server;
static PCCERT_CONTEXT certificate;

static SECURITY_STATUS acquire(struct side *side, ULONG use, CREDSSP_CRED *cred)
{
    const SECURITY_STATUS status = AcquireCredentialsHandleA(
        NULL, (LPSTR)CREDSSP_NAME_A, use, NULL, cred, NULL, NULL, &side->credential, NULL);

    side->has_credential = status == SEC_E_OK;
    side->status = SEC_I_CONTINUE_NEEDED;
    return status;
}

static ULONG options; /* of the client. Guarded: one thread */

static SECURITY_STATUS acquire_client(const char *packages)
{
    SCHANNEL_CRED tls = {.dwVersion = SCHANNEL_CRED_VERSION};
    SEC_WINNT_AUTH_IDENTITY_EXA identity = {
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(identity),
        .User = (unsigned char *)DUET_USER,
        .UserLength = sizeof(DUET_USER) - 1,
        .Domain = (unsigned char *)REALM_NAME,
        .DomainLength = sizeof(REALM_NAME) - 1,
        .Password = (unsigned char *)DUET_PASSWORD,
        .PasswordLength = sizeof(DUET_PASSWORD) - 1,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
        .PackageList = (unsigned char *)packages,
        .PackageListLength = (ULONG)strlen(packages),
    };
    CREDSSP_CRED cred = {CredsspSubmitBufferBoth, &tls, &identity};
    OsspiCredSspOptions given = {.cbSize = sizeof(given), .flags = options};
    SECURITY_STATUS status = acquire(&client, SECPKG_CRED_OUTBOUND, &cred);

    if (status == SEC_E_OK)
        status = SetCredentialsAttributesA(&client.credential, OSSPI_CRED_ATTR_CREDSSP_OPTIONS,
                                           &given, sizeof(given));
    return status;
}

static SECURITY_STATUS acquire_server(void)
{
    SCHANNEL_CRED tls = {.dwVersion = SCHANNEL_CRED_VERSION, .cCreds = 1, .paCred = &certificate};
    CREDSSP_CRED cred = {CredsspSubmitBufferBoth, &tls, NULL};

    return acquire(&server, SECPKG_CRED_INBOUND, &cred);
}

static SECURITY_STATUS run_leg(struct side *side, PSecBufferDesc in, PSecBufferDesc out)
{
    PCtxtHandle context = side->has_context ? &side->context : NULL;
    ULONG attributes;

    if (side == &server)
        return AcceptSecurityContext(&side->credential, context, in, 0, 0, &side->context, out,
                                     &attributes, NULL);
    return InitializeSecurityContextA(&side->credential, context, (LPSTR)DUET_TARGET,
                                      ISC_REQ_DELEGATE | ISC_REQ_MUTUAL_AUTH, 0, 0, in, 0,
                                      &side->context, out, &attributes, NULL);
}

/* True: it had an effect. */
static bool move(struct side *side, struct side *to)
{
    SecBuffer in[] = {{(ULONG)side->len, SECBUFFER_TOKEN, side->in}, {0, SECBUFFER_EMPTY, NULL}};
    SecBuffer out = {(ULONG)(ROOM - to->len), SECBUFFER_TOKEN, to->in + to->len};
    SecBufferDesc in_desc = {SECBUFFER_VERSION, 2, in}, out_desc = {SECBUFFER_VERSION, 1, &out};
    SECURITY_STATUS status;
    size_t extra;

    if (side->status != SEC_I_CONTINUE_NEEDED ||
        (side->len == 0 && (side == &server || side->has_context)))
        return false;
    status = run_leg(side, &in_desc, &out_desc);
    if (status == SEC_E_INCOMPLETE_MESSAGE)
        return false;
    side->status = status;
    if (status < 0)
        return true;
    side->has_context = true;
    to->len += out.cbBuffer;
    extra = in[1].BufferType == SECBUFFER_EXTRA ? in[1].cbBuffer : 0;
    memmove(side->in, side->in + side->len - extra, extra);
    side->len = extra;
    return true;
}

static SECURITY_STATUS talk(void)
{
    bool moved = true;

    while (moved && client.status >= 0 && server.status >= 0) {
        moved = move(&client, &server);
        moved = move(&server, &client) || moved;
    }
    if (server.status < 0)
        return server.status;
    return client.status < 0 ? client.status : server.status;
}

static SECURITY_STATUS look(void)
{
    SecPkgContext_ClientCreds creds = {0};
    SecPkgContext_NamesA names = {0};
    SECURITY_STATUS status = QueryContextAttributesA(&server.context, SECPKG_ATTR_CREDS_2, &creds);

    if (status == SEC_E_OK) {
        FreeContextBuffer(creds.AuthBuffer);
        status = QueryContextAttributesA(&server.context, SECPKG_ATTR_NAMES, &names);
    }
    if (status == SEC_E_OK)
        FreeContextBuffer(names.sUserName);
    return status;
}

static void end(struct side *side)
{
    if (side->has_context)
        TEST_REQUIRE_EQUAL(DeleteSecurityContext(&side->context), SEC_E_OK);
    if (side->has_credential)
        TEST_REQUIRE_EQUAL(FreeCredentialsHandle(&side->credential), SEC_E_OK);
    side->has_context = side->has_credential = false;
    side->len = 0;
}

/* Stops at the first failure; everything is freed in any case. */
static SECURITY_STATUS walk(const char *packages)
{
    SECURITY_STATUS status = acquire_client(packages);

    if (status == SEC_E_OK)
        status = acquire_server();
    if (status == SEC_E_OK)
        status = talk();
    if (status == SEC_E_OK)
        status = look();
    end(&client);
    end(&server);
    return status;
}

static void require_nothing_left(void)
{
    OsspiStatistics statistics = {.cbSize = sizeof(statistics)};

    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&statistics), SEC_E_OK);
    TEST_REQUIRE_EQUAL(statistics.live_credentials, 0);
    TEST_REQUIRE_EQUAL(statistics.live_contexts, 0);
}

static void walk_all(const char *packages)
{
    unsigned told = 0, overcome = 0;

    assert_int_equal(walk(packages), SEC_E_OK);
    for (uint64_t at = 1;; at++) {
        SECURITY_STATUS status;
        bool hit;

        failing_alloc_nth(at);
        status = walk(packages);
        hit = failing_alloc_hit();
        failing_alloc_nth(0);
        require_nothing_left();
        if (status == SEC_E_INSUFFICIENT_MEMORY)
            told++;
        else if (status == SEC_E_OK)
            overcome += hit;
        else
            print_error("allocation %u: %s\n", (unsigned)at, OsspiStatusName(status));
        assert_true(status == SEC_E_INSUFFICIENT_MEMORY || status == SEC_E_OK);
        if (!hit)
            break;
    }
    print_message("%u told, %u overcome\n", told, overcome);
    assert_true(told > 0);
    assert_int_equal(walk(packages), SEC_E_OK);
}

static void ntlm_without_memory(const struct peer_form *form)
{
    (void)form;
    certificate = peer_certificate("server");
    walk_all("ntlm");
    CertFreeCertificateContext(certificate);
}

/* What a client refuses it refuses also when it has no memory to find out. */
static void ntlm_is_refused_without_memory(const struct peer_form *form)
{
    bool hit = true;

    (void)form;
    certificate = peer_certificate("server");
    options = OSSPI_CREDSSP_NO_NTLM;
    assert_int_equal(walk("ntlm"), SEC_E_POLICY_NLTM_ONLY);
    for (uint64_t at = 1; hit; at++) {
        SECURITY_STATUS status;

        failing_alloc_nth(at);
        status = walk("ntlm");
        hit = failing_alloc_hit();
        failing_alloc_nth(0);
        require_nothing_left();
        if (status != SEC_E_POLICY_NLTM_ONLY && status != SEC_E_INSUFFICIENT_MEMORY)
            print_error("allocation %u: %s\n", (unsigned)at, OsspiStatusName(status));
        assert_true(status == SEC_E_POLICY_NLTM_ONLY || status == SEC_E_INSUFFICIENT_MEMORY);
    }
    options = 0;
    CertFreeCertificateContext(certificate);
}

int main(void)
{
    static const struct peer_form *const forms[] = {PEER_SYNC};
    static const struct peer_case cases[] = {
        PEER_CASE(ntlm_without_memory),
        PEER_CASE(ntlm_is_refused_without_memory),
    };
    const struct peer_run how = {.group = "credssp.memory",
                                 .forms = forms,
                                 .form_count = 1,
                                 .set_up = duet_set_up,
                                 .tear_down = duet_tear_down};

    return peer_run_cases_in(&how, cases, sizeof(cases) / sizeof(cases[0]));
}
