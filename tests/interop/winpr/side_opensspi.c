/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The side of OpenSSPI; see side.h. Threads: the library's own, for the asynchronous calls.
 */
#include <opensspi.h>
#include <security.h>
#include <stdio.h>
#include <string.h>

#include "side.h"
#include "support/tls_peer.h"

static void list_packages(struct side_report *report)
{
    ULONG count = 0;
    PSecPkgInfoA packages = NULL;

    TEST_REQUIRE_EQUAL(EnumerateSecurityPackagesA(&count, &packages), SEC_E_OK);
    for (ULONG i = 0; i < count; i++) {
        size_t len = strlen(report->packages);

        snprintf(report->packages + len, sizeof(report->packages) - len, "%s ", packages[i].Name);
    }
    TEST_REQUIRE_EQUAL(FreeContextBuffer(packages), SEC_E_OK);
}

/* Every function of the table is in the library that the side calls. */
static void check_table(const struct side_report *report)
{
    const SecurityFunctionTableA *table = InitSecurityInterfaceA();
    void *functions[] = {
        (void *)table->EnumerateSecurityPackagesA,
        (void *)table->AcquireCredentialsHandleA,
        (void *)table->FreeCredentialsHandle,
        (void *)table->InitializeSecurityContextA,
        (void *)table->AcceptSecurityContext,
        (void *)table->DeleteSecurityContext,
        (void *)table->QueryContextAttributesA,
        (void *)table->FreeContextBuffer,
        (void *)table->EncryptMessage,
        (void *)table->DecryptMessage,
    };

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        char home[sizeof(report->acquire)];

        side_home(functions[i], home, sizeof(home));
        TEST_REQUIRE(strcmp(home, report->acquire) == 0);
    }
}

static void connect_and_talk(const struct peer_form *form, DWORD protocols, bool by_version_5)
{
    struct peer_setup setup = {.protocols = protocols, .by_version_5 = by_version_5};
    struct peer_pair pair;

    peer_open(&pair, form, &setup);
    peer_connect(&pair);
    peer_exchange(&pair);
    TEST_REQUIRE_EQUAL(peer_shutdown(&pair.client, &pair.server), SEC_E_OK);
    peer_close(&pair);
}

/* The last error is the thread's own, and ours: WinPR has functions of these names too. */
static void check_last_error(void)
{
    PCCERT_CONTEXT none = CertCreateCertificateContext(X509_ASN_ENCODING, (const BYTE *)"?", 1);

    TEST_REQUIRE(none == NULL);
    TEST_REQUIRE(GetLastError() != 0);
    SetLastError(0);
    TEST_REQUIRE_EQUAL(GetLastError(), 0);
}

void side_opensspi(struct side_report *report)
{
    *report = (struct side_report){.plain_names = true};
    side_home((void *)AcquireCredentialsHandleA, report->acquire, sizeof(report->acquire));
    if (!strstr(report->acquire, "libopensspi.so"))
        return;
    list_packages(report);
    check_table(report);
    report->table_works = true;
    connect_and_talk(PEER_SYNC, SP_PROT_TLS1_2_CLIENT, false);
    connect_and_talk(PEER_SYNC, 0, true);
    connect_and_talk(PEER_ASYNC, SP_PROT_TLS1_2_CLIENT, false);
    connect_and_talk(PEER_ASYNC, 0, false);
    check_last_error();
    report->works = true;
}
