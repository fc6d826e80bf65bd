/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * What the random driver begins with and keeps: certificates, a credential for each side, a genuine
 * ClientHello, a PFX blob; see random.h. Opened and closed while there is one thread.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "random/random.h"
#include "support/contract_status.h"

struct random_world random_world; /* constant after random_world_open() */

static char folder[] = "/tmp/osspi-random-XXXXXX"; /* the same */

static void acquire(CredHandle *credential, ULONG use, PCCERT_CONTEXT certificate)
{
    SCHANNEL_CRED auth = {
        .dwVersion = SCHANNEL_CRED_VERSION, .cCreds = certificate ? 1 : 0, .paCred = &certificate};

    TEST_REQUIRE_EQUAL(AcquireCredentialsHandleA(NULL, (LPSTR)UNISP_NAME_A, use, NULL, &auth, NULL,
                                                 NULL, credential, NULL),
                       SEC_E_OK);
}

static void make_hello(void)
{
    SecBuffer buffer = {sizeof(random_world.hello), SECBUFFER_TOKEN, random_world.hello};
    SecBufferDesc out = {SECBUFFER_VERSION, 1, &buffer};
    CtxtHandle context;
    ULONG attributes;

    TEST_REQUIRE_EQUAL(InitializeSecurityContextA(&random_world.client, NULL, (LPSTR)PEER_TARGET, 0,
                                                  0, 0, NULL, 0, &context, &out, &attributes, NULL),
                       SEC_I_CONTINUE_NEEDED);
    random_world.hello_len = buffer.cbBuffer;
    TEST_REQUIRE_EQUAL(DeleteSecurityContext(&context), SEC_E_OK);
}

static void read_pfx(void)
{
    uint8_t bytes[16384];
    char path[512];
    ssize_t len;
    int fd;

    peer_path("server", ".pfx", path, sizeof(path));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    TEST_REQUIRE(fd >= 0);
    len = read(fd, bytes, sizeof(bytes));
    TEST_REQUIRE(len > 0);
    close(fd);
    peer_push(&random_world.pfx, bytes, (size_t)len);
}

/* "MY" of the user is in a folder of this run. */
static void make_folder(void)
{
    TEST_REQUIRE(mkdtemp(folder));
    TEST_REQUIRE_EQUAL(setenv("XDG_DATA_HOME", folder, 1), 0);
}

static void remove_folder(void)
{
    char path[sizeof(folder) + sizeof("/opensspi")];

    (void)CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0,
                        CERT_SYSTEM_STORE_CURRENT_USER | CERT_STORE_DELETE_FLAG, "MY");
    snprintf(path, sizeof(path), "%s/opensspi", folder);
    (void)rmdir(path);
    (void)rmdir(folder);
}

void random_world_open(void)
{
    make_folder();
    random_world.certificates[0] = peer_certificate("server");
    random_world.certificates[1] = peer_certificate("client");
    random_world.certificates[2] = peer_certificate("deep");
    random_world.certificates[3] = peer_certificate("ca");
    acquire(&random_world.client, SECPKG_CRED_OUTBOUND, NULL);
    acquire(&random_world.server, SECPKG_CRED_INBOUND, random_world.certificates[0]);
    make_hello();
    read_pfx();
}

void random_free_credential(SecHandle value)
{
    contract_require("FreeCredentialsHandle", FreeCredentialsHandle(&value));
}

void random_delete_context(SecHandle value)
{
    contract_require("DeleteSecurityContext", DeleteSecurityContext(&value));
}

void random_world_close(void)
{
    SecHandle left;

    while (random_drain(RANDOM_CONTEXTS, &left))
        random_delete_context(left);
    while (random_drain(RANDOM_CREDENTIALS, &left))
        random_free_credential(left);
    while (random_drain(RANDOM_STORES, &left))
        (void)CertCloseStore((HCERTSTORE)left.dwLower, 0);
    while (random_drain(RANDOM_QUEUES, &left))
        (void)OsspiCloseCompletionQueue((OsspiCompletionQueue *)left.dwLower);
    TEST_REQUIRE_EQUAL(FreeCredentialsHandle(&random_world.client), SEC_E_OK);
    TEST_REQUIRE_EQUAL(FreeCredentialsHandle(&random_world.server), SEC_E_OK);
    for (unsigned i = 0; i < RANDOM_CERTIFICATES; i++)
        CertFreeCertificateContext(random_world.certificates[i]);
    peer_clear(&random_world.pfx);
    remove_folder();
}
