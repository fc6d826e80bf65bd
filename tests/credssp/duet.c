/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Client and server; see duet.h.
 */
#include "credssp/duet.h"

#include <schannel.h>
#include <stdio.h>
#include <string.h>

#include "support/test_util.h"

/* ---- credentials ---- */

static void set_options(struct peer_end *end, ULONG flags, ULONG min, ULONG max)
{
    OsspiCredSspOptions options = {sizeof(options), flags, min, max};

    TEST_REQUIRE_EQUAL(SetCredentialsAttributesA(&end->credential, OSSPI_CRED_ATTR_CREDSSP_OPTIONS,
                                                 &options, sizeof(options)),
                       SEC_E_OK);
}

static SECURITY_STATUS acquire(struct peer_end *end, ULONG use, CREDSSP_CRED *cred)
{
    const SECURITY_STATUS status =
        end->form->acquire((LPSTR)CREDSSP_NAME_A, use, cred, &end->credential, &end->expiry);

    end->has_credential = status == SEC_E_OK;
    return status;
}

SECURITY_STATUS duet_acquire_client(struct peer_end *end, const struct peer_form *form,
                                    const struct duet_setup *setup)
{
    const char *packages = setup->packages ? setup->packages : "ntlm";
    const char *password = setup->password ? setup->password : DUET_PASSWORD;
    SCHANNEL_CRED tls = {.dwVersion = SCHANNEL_CRED_VERSION,
                         .grbitEnabledProtocols = setup->protocols};
    SEC_WINNT_AUTH_IDENTITY_EXA identity = {
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(identity),
        .User = (unsigned char *)DUET_USER,
        .UserLength = sizeof(DUET_USER) - 1,
        .Domain = (unsigned char *)REALM_NAME,
        .DomainLength = sizeof(REALM_NAME) - 1,
        .Password = (unsigned char *)password,
        .PasswordLength = (ULONG)strlen(password),
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
        .PackageList = (unsigned char *)packages,
        .PackageListLength = (ULONG)strlen(packages),
    };
    CREDSSP_CRED cred = {CredsspSubmitBufferBoth, &tls, &identity};
    SECURITY_STATUS status;

    peer_end_init(end, form, false);
    end->target = setup->target ? setup->target : DUET_TARGET;
    end->flags = ISC_REQ_CONFIDENTIALITY | ISC_REQ_MUTUAL_AUTH | ISC_REQ_EXTENDED_ERROR |
                 (setup->keep ? 0 : ISC_REQ_DELEGATE);
    status = acquire(end, SECPKG_CRED_OUTBOUND, &cred);
    if (status == SEC_E_OK)
        set_options(end, setup->client_options, setup->client_min, setup->client_max);
    return status;
}

SECURITY_STATUS duet_acquire_server(struct peer_end *end, const struct peer_form *form,
                                    const struct duet_setup *setup)
{
    PCCERT_CONTEXT certificates[] = {
        peer_certificate(setup->certificate ? setup->certificate : "server"),
        setup->second ? peer_certificate(setup->second) : NULL,
    };
    SCHANNEL_CRED tls = {.dwVersion = SCHANNEL_CRED_VERSION,
                         .cCreds = setup->second ? 2 : 1,
                         .paCred = certificates};
    CREDSSP_CRED cred = {CredsspSubmitBufferBoth, &tls, NULL};
    SECURITY_STATUS status;

    peer_end_init(end, form, true);
    end->flags = ASC_REQ_CONFIDENTIALITY | ASC_REQ_EXTENDED_ERROR;
    status = acquire(end, SECPKG_CRED_INBOUND, &cred);
    CertFreeCertificateContext(certificates[0]);
    if (certificates[1])
        CertFreeCertificateContext(certificates[1]);
    if (status == SEC_E_OK)
        set_options(end, 0, setup->server_min, setup->server_max);
    return status;
}

void duet_open(struct duet *duet, const struct peer_form *form, const struct duet_setup *setup)
{
    duet->client = duet->server = SEC_I_CONTINUE_NEEDED;
    TEST_REQUIRE_EQUAL(duet_acquire_client(&duet->pair.client, form, setup), SEC_E_OK);
    TEST_REQUIRE_EQUAL(duet_acquire_server(&duet->pair.server, form, setup), SEC_E_OK);
}

void duet_close(struct duet *duet)
{
    peer_end_free(&duet->pair.client);
    peer_end_free(&duet->pair.server);
}

/* ---- the exchange ---- */

/* One leg, if there is something for it. True: it had an effect. */
static bool move(struct peer_end *end, struct peer_end *to, SECURITY_STATUS *last)
{
    SECURITY_STATUS status;

    if (*last != SEC_I_CONTINUE_NEEDED || (end->in.len == 0 && (end->server || end->has_context)))
        return false;
    status = peer_step(end, to);
    if (status == SEC_E_INCOMPLETE_MESSAGE)
        return false;
    *last = status;
    return true;
}

bool duet_talk(struct duet *duet)
{
    bool moved = true;

    while (moved) {
        moved = move(&duet->pair.client, &duet->pair.server, &duet->client);
        moved = move(&duet->pair.server, &duet->pair.client, &duet->server) || moved;
    }
    return duet->client == SEC_E_OK && duet->server == SEC_E_OK;
}

static void explain(struct peer_end *end, SECURITY_STATUS status)
{
    char detail[256] = "";

    if (end->has_context)
        (void)OsspiGetErrorDetail(&end->context, detail, sizeof(detail));
    fprintf(stderr, "%s: %s (%08x) %s\n", end->server ? "server" : "client",
            OsspiStatusName(status), (unsigned)status, detail);
}

void duet_establish(struct duet *duet, const struct peer_form *form, const struct duet_setup *setup)
{
    duet_open(duet, form, setup);
    if (!duet_talk(duet)) {
        explain(&duet->pair.client, duet->client);
        explain(&duet->pair.server, duet->server);
        TEST_REQUIRE(false);
    }
    peer_established(&duet->pair.client);
    peer_established(&duet->pair.server);
}

/* ---- what was delegated ---- */

static void require_text(const WCHAR *text, const char *expected)
{
    size_t len = 0;

    TEST_REQUIRE(text != NULL);
    for (; text[len] != 0; len++)
        TEST_REQUIRE_EQUAL(text[len], expected[len]);
    TEST_REQUIRE_EQUAL(len, strlen(expected));
}

void duet_require_delegated(struct peer_end *server, const char *user, const char *domain,
                            const char *password)
{
    SecPkgContext_ClientCreds creds = {0};
    PSEC_WINNT_AUTH_IDENTITY_OPAQUE identity = NULL;
    PCWSTR names[2] = {0};
    PCWSTR secret = NULL;

    TEST_REQUIRE_EQUAL(QueryContextAttributesA(&server->context, SECPKG_ATTR_CREDS_2, &creds),
                       SEC_E_OK);
    TEST_REQUIRE_EQUAL(
        SspiUnmarshalAuthIdentity(creds.AuthBufferLen, (char *)creds.AuthBuffer, &identity),
        SEC_E_OK);
    FreeContextBuffer(creds.AuthBuffer);
    TEST_REQUIRE_EQUAL(SspiEncodeAuthIdentityAsStrings(identity, &names[0], &names[1], &secret),
                       SEC_E_OK);
    require_text((const WCHAR *)names[0], user);
    require_text((const WCHAR *)names[1], domain);
    require_text((const WCHAR *)secret, password);
    SspiLocalFree((void *)names[0]);
    SspiLocalFree((void *)names[1]);
    SspiLocalFree((void *)secret);
    SspiFreeAuthIdentity(identity);
}
