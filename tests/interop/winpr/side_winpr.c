/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The side of WinPR; see side.h. Client and server of an NTLM dialogue ([MS-NLMP] 1.3.1) in one
 * thread: NEGOTIATE, CHALLENGE, AUTHENTICATE. WinPR 2 exports the plain names of SSPI; WinPR 3, as
 * Debian builds it, gives its function table only.
 */
#include <stdio.h>
#include <string.h>
#include <winpr/error.h>
#include <winpr/sspi.h>
#include <winpr/ssl.h>
#include <winpr/version.h>

#include "side.h"

#define TOKEN_SIZE 4096

struct end {
    const SecurityFunctionTableA *calls;
    CredHandle credential;
    CtxtHandle context;
    BOOL has_context;
    BYTE token[TOKEN_SIZE];
    ULONG len; /* of the token that it has made */
};

#if WINPR_VERSION_MAJOR < 3
/* What the plain names are bound to. */
static void fill_plain(SecurityFunctionTableA *table)
{
    table->EnumerateSecurityPackagesA = EnumerateSecurityPackagesA;
    table->AcquireCredentialsHandleA = AcquireCredentialsHandleA;
    table->FreeCredentialsHandle = FreeCredentialsHandle;
    table->InitializeSecurityContextA = InitializeSecurityContextA;
    table->AcceptSecurityContext = AcceptSecurityContext;
    table->DeleteSecurityContext = DeleteSecurityContext;
    table->FreeContextBuffer = FreeContextBuffer;
}
#endif

static int list_packages(const SecurityFunctionTableA *calls, struct side_report *report)
{
    ULONG count = 0;
    PSecPkgInfoA packages = NULL;

    if (calls->EnumerateSecurityPackagesA(&count, &packages) != SEC_E_OK)
        return 0;
    for (ULONG i = 0; i < count; i++) {
        size_t len = strlen(report->packages);

        snprintf(report->packages + len, sizeof(report->packages) - len, "%s ", packages[i].Name);
    }
    return calls->FreeContextBuffer(packages) == SEC_E_OK;
}

static SECURITY_STATUS acquire(struct end *end, const SecurityFunctionTableA *calls, ULONG use,
                               void *identity)
{
    static char package[] = "NTLM";
    TimeStamp expiry;

    memset(end, 0, sizeof(*end));
    end->calls = calls;
    return calls->AcquireCredentialsHandleA(NULL, package, use, NULL, identity, NULL, NULL,
                                            &end->credential, &expiry);
}

/* One leg, with what the other end has made; server: it accepts. */
static SECURITY_STATUS leg(struct end *end, struct end *other, int server)
{
    static char target[] = "TERMSRV/localhost";
    SecBuffer in = {other->len, SECBUFFER_TOKEN, other->token};
    SecBuffer out = {sizeof(end->token), SECBUFFER_TOKEN, end->token};
    SecBufferDesc in_all = {SECBUFFER_VERSION, 1, &in}, out_all = {SECBUFFER_VERSION, 1, &out};
    PCtxtHandle before = end->has_context ? &end->context : NULL;
    ULONG attributes = 0;
    TimeStamp expiry;
    SECURITY_STATUS status;

    if (server)
        status = end->calls->AcceptSecurityContext(&end->credential, before, &in_all,
                                                   ASC_REQ_CONFIDENTIALITY, SECURITY_NATIVE_DREP,
                                                   &end->context, &out_all, &attributes, &expiry);
    else
        status = end->calls->InitializeSecurityContextA(
            &end->credential, before, target, ISC_REQ_CONFIDENTIALITY, 0, SECURITY_NATIVE_DREP,
            other->len > 0 ? &in_all : NULL, 0, &end->context, &out_all, &attributes, &expiry);
    end->has_context = TRUE;
    end->len = out.cbBuffer;
    return status;
}

static int is_ntlm(const struct end *end, BYTE type)
{
    return end->len > 12 && memcmp(end->token, "NTLMSSP", 8) == 0 && end->token[8] == type;
}

static void drop(struct end *end)
{
    if (end->has_context)
        end->calls->DeleteSecurityContext(&end->context);
    end->calls->FreeCredentialsHandle(&end->credential);
}

static int talk(const SecurityFunctionTableA *calls)
{
    static UINT16 user[] = {'U', 's', 'e', 'r', 0}, domain[] = {'D', 0}, password[] = {'P', 'w', 0};
    SEC_WINNT_AUTH_IDENTITY identity;
    struct end client, server;
    int good;

    memset(&identity, 0, sizeof(identity));
    identity.User = user;
    identity.UserLength = 4;
    identity.Domain = domain;
    identity.DomainLength = 1;
    identity.Password = password;
    identity.PasswordLength = 2;
    identity.Flags = SEC_WINNT_AUTH_IDENTITY_UNICODE;
    if (acquire(&client, calls, SECPKG_CRED_OUTBOUND, &identity) != SEC_E_OK ||
        acquire(&server, calls, SECPKG_CRED_INBOUND, NULL) != SEC_E_OK)
        return 0;
    good = leg(&client, &server, 0) == SEC_I_CONTINUE_NEEDED && is_ntlm(&client, 1) &&
           leg(&server, &client, 1) == SEC_I_CONTINUE_NEEDED && is_ntlm(&server, 2) &&
           leg(&client, &server, 0) >= 0 && is_ntlm(&client, 3);
    drop(&client);
    drop(&server);
    return good;
}

/* Both libraries have these two names; whichever is meant, they belong together. */
static int last_error_is_kept(void)
{
    SetLastError(7);
    return GetLastError() == 7;
}

void side_winpr(struct side_report *report)
{
    const SecurityFunctionTableA *table = InitSecurityInterfaceExA(0);
    SecurityFunctionTableA calls = *table;
    struct end end;

    memset(report, 0, sizeof(*report));
#if WINPR_VERSION_MAJOR < 3
    report->plain_names = true;
    fill_plain(&calls);
#endif
    winpr_InitializeSSL(WINPR_SSL_INIT_DEFAULT);
    report->table_works = talk(table) && last_error_is_kept();
    side_home((void *)calls.AcquireCredentialsHandleA, report->acquire, sizeof(report->acquire));
    if (strstr(report->acquire, "libwinpr"))
        report->works = list_packages(&calls, report) && talk(&calls);
    else
        report->refusal = acquire(&end, &calls, SECPKG_CRED_OUTBOUND, NULL);
}
