/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: a QUIC driver. Header mode SECURITY_KERNEL, a certificate by its hash in the machine's
 * store, credentials by the asynchronous call, TLS 1.3 alone, message mode in synchronous legs, and
 * contexts whose deletion nobody waits for. Once over, and many at once.
 */
#include <opensspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/kernel_form.h"
#include "support/message_peer.h"

static char home[] = "/tmp/osspi-kernel-XXXXXX"; /* constant once main() has made it */

static const struct peer_form driver = {"driver",      kernel_acquire, kernel_initialize,
                                        kernel_accept, kernel_delete,  kernel_free};

/* ---- the machine's store ---- */

static void append(FILE *to, const char *suffix)
{
    char path[512], bytes[4096];
    size_t len;
    FILE *from;

    peer_path("server", suffix, path, sizeof(path));
    from = fopen(path, "r");
    TEST_REQUIRE(from != NULL);
    while ((len = fread(bytes, 1, sizeof(bytes), from)) > 0)
        TEST_REQUIRE(fwrite(bytes, 1, len, to) == len);
    fclose(from);
}

static void make_store(void)
{
    static const char *const folders[] = {"state", "state/my"};
    char path[512];
    FILE *file;

    for (size_t i = 0; i < 2; i++) {
        TEST_REQUIRE(snprintf(path, sizeof(path), "%s/%s", home, folders[i]) > 0);
        TEST_REQUIRE(mkdir(path, 0700) == 0);
    }
    TEST_REQUIRE(snprintf(path, sizeof(path), "%s/state/my/server.pem", home) > 0);
    file = fopen(path, "w");
    TEST_REQUIRE(file != NULL && chmod(path, 0600) == 0);
    append(file, ".pem");
    append(file, ".key");
    TEST_REQUIRE(fclose(file) == 0);
}

static void find_hash(uint8_t sha1[20])
{
    PCCERT_CONTEXT context = peer_certificate("server");
    DWORD len = 20;

    TEST_REQUIRE(CertGetCertificateContextProperty(context, CERT_SHA1_HASH_PROP_ID, sha1, &len));
    CertFreeCertificateContext(context);
}

/* ---- credentials ---- */

static void acquire(struct message_end *end)
{
    const bool server = end->peer.server;
    SCHANNEL_CERT_HASH_STORE hash = {
        .dwLength = sizeof(hash), .dwFlags = SCH_MACHINE_CERT_HASH, .pwszStoreName = {'M', 'Y'}};
    TLS_PARAMETERS parameters = {
        .grbitDisabledProtocols = ~(DWORD)(server ? SP_PROT_TLS1_3_SERVER : SP_PROT_TLS1_3_CLIENT)};
    SCH_CREDENTIALS auth = {.dwVersion = SCH_CREDENTIALS_VERSION,
                            .dwCredFormat = server ? SCH_CRED_FORMAT_CERT_HASH_STORE : 0,
                            .cCreds = server ? 1 : 0,
                            .paCred = server ? (PCCERT_CONTEXT *)(void *)&hash : NULL,
                            .dwFlags =
                                server ? SCH_CRED_NO_SYSTEM_MAPPER : SCH_CRED_NO_DEFAULT_CREDS,
                            .cTlsParameters = 1,
                            .pTlsParameters = &parameters};
    char package[] = "Schannel";

    find_hash(hash.ShaHash);
    TEST_REQUIRE_EQUAL(driver.acquire(package, server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                                      &auth, &end->peer.credential, NULL),
                       SEC_E_OK);
    end->peer.has_credential = true;
}

static void open_pair(struct message_pair *pair)
{
    message_end_init(&pair->client, &driver, false);
    message_end_init(&pair->server, &driver, true);
    pair->client.legacy_alert = pair->server.legacy_alert = true;
    acquire(&pair->client);
    acquire(&pair->server);
}

static void look_at(struct message_end *end)
{
    uint8_t id[255], len;
    uint32_t count = 0;

    TEST_REQUIRE_EQUAL(kernel_protocol(&end->peer.context, id, &len), SEC_E_OK);
    TEST_REQUIRE(len == 2 && memcmp(id, "h3", 2) == 0);
    if (end->peer.server)
        return;
    TEST_REQUIRE_EQUAL(kernel_remote_certificates(&end->peer.context, &count), SEC_E_OK);
    TEST_REQUIRE(count >= 1);
}

/* ---- cases ---- */

static void a_driver_connects(void **state)
{
    struct message_pair pair;

    (void)state;
    open_pair(&pair);
    for (size_t size = 16; size <= 4096; size *= 16) {
        pair.client.out_size = pair.server.out_size = size;
        message_connect(&pair);
        look_at(&pair.client);
        look_at(&pair.server);
        assert_int_equal(message_step(&pair.client, &pair.server), SEC_E_OK); /* a ticket */
        message_disconnect(&pair);
    }
    message_close(&pair);
}

static void a_driver_sees_alerts(void **state)
{
    struct message_pair pair;

    (void)state;
    open_pair(&pair);
    pair.client.peer.target = "elsewhere.test";
    assert_int_equal(message_handshake(&pair), SEC_E_WRONG_PRINCIPAL);
    assert_true(pair.client.alerted);
    message_close(&pair);
}

/* Contexts outlive the handles that were let go of. */
static void a_driver_frees_credentials_first(void **state)
{
    struct message_pair pair;

    (void)state;
    open_pair(&pair);
    message_connect(&pair);
    assert_int_equal(FreeCredentialsHandle(&pair.client.peer.credential), SEC_E_OK);
    assert_int_equal(FreeCredentialsHandle(&pair.server.peer.credential), SEC_E_OK);
    pair.client.peer.has_credential = pair.server.peer.has_credential = false;
    look_at(&pair.client);
    message_close(&pair);
}

#define DRIVERS 4

static void *run_driver(void *data)
{
    struct message_pair pair = {.client = {.peer = {.form = NULL}}};

    (void)data;
    open_pair(&pair);
    for (uint32_t i = 0; i < TEST_ROUNDS(40); i++) {
        message_connect(&pair);
        look_at(&pair.client);
        message_disconnect(&pair);
    }
    message_close(&pair);
    return NULL;
}

/* Variants of configurations are made and found by several at once. */
static void drivers_at_once(void **state)
{
    pthread_t threads[DRIVERS];

    (void)state;
    for (size_t i = 0; i < DRIVERS; i++)
        TEST_REQUIRE(pthread_create(&threads[i], NULL, run_driver, NULL) == 0);
    for (size_t i = 0; i < DRIVERS; i++)
        TEST_REQUIRE(pthread_join(threads[i], NULL) == 0);
}

static int clean(int code)
{
    char command[600];

    TEST_REQUIRE(snprintf(command, sizeof(command), "rm -rf '%s'", home) > 0);
    TEST_REQUIRE(system(command) == 0);
    return code;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_driver_connects),
        cmocka_unit_test(a_driver_sees_alerts),
        cmocka_unit_test(a_driver_frees_credentials_first),
        cmocka_unit_test(drivers_at_once),
    };
    OsspiOptions options = {.cbSize = sizeof(options)};
    char state[600];

    TEST_REQUIRE(mkdtemp(home) != NULL);
    make_store();
    TEST_REQUIRE(snprintf(state, sizeof(state), "%s/state", home) > 0);
    options.state_dir = state;
    TEST_REQUIRE_EQUAL(OsspiConfigure(&options), SEC_E_OK);
    return clean(cmocka_run_group_tests_name("contract.kernel", tests, peer_set_up, NULL));
}
