/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Tokens, messages and answers of a KDC that somebody has changed, cut or lengthened on the way:
 * nothing of it is taken for what it was not, and nothing breaks. The changes are the same each
 * time; the environment variable OSSPI_DAMAGE_ROUNDS asks for more of them.
 */
#include <opensspi.h>
#include <pthread.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gssapi/fake_kdc.h"
#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET "HTTP/server.test"
#define FLAGS  (ISC_REQ_CONFIDENTIALITY | ISC_REQ_INTEGRITY)
#define ROUNDS 60u

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;
static uint64_t seed = 1;
static unsigned rounds;

static const struct {
    const char *package, *list;
    ULONG more;
} kinds[] = {
    {"Kerberos", NULL, ISC_REQ_MUTUAL_AUTH},        {"NTLM", NULL, 0},
    {"Negotiate", "kerberos", ISC_REQ_MUTUAL_AUTH}, {"Negotiate", "ntlm", 0},
    {"Negotiate", NULL, ISC_REQ_IDENTIFY}, /* offers both; the flag only makes it no NTLM */
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* gss-ntlmssp 1.2.0 never gives back the library contexts of OpenSSL's that it makes, and
 * OpenSSL 3.5 keeps keys of pthread's in each, of which a process has 1024. Then there is no more
 * NTLM. */
static bool runs_dry(size_t kind)
{
    pthread_key_t keys[32];
    unsigned count = 0;
    bool dry;

    if (kind == 0 || kind == 2) /* Kerberos alone */
        return false;
    while (count < 32 && pthread_key_create(&keys[count], NULL) == 0)
        count++;
    dry = count < 32;
    while (count > 0)
        pthread_key_delete(keys[--count]);
    if (dry)
        print_message("kind %zu is left out: no keys of pthread's are left\n", kind);
    return dry;
}

static void begin(size_t kind)
{
    SEC_WINNT_AUTH_IDENTITY_EXA identity = {
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(identity),
        .User = (unsigned char *)"alice",
        .UserLength = 5,
        .Domain = (unsigned char *)REALM_NAME,
        .DomainLength = 13,
        .Password = (unsigned char *)"secret of alice",
        .PasswordLength = 15,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
        .PackageList = (unsigned char *)kinds[kind].list,
        .PackageListLength = kinds[kind].list ? (ULONG)strlen(kinds[kind].list) : 0,
    };

    pair.target = TARGET;
    pair.client_flags = FLAGS | kinds[kind].more;
    TEST_REQUIRE_EQUAL(pair_client(&pair, kinds[kind].package, &identity), SEC_E_OK);
    TEST_REQUIRE_EQUAL(pair_server(&pair, kinds[kind].package), SEC_E_OK);
}

/* Changes bits, cuts, or adds; the new length. The bytes are in a block of just that size, so that
 * a sanitizer sees every step beyond. */
static unsigned char *damage(const unsigned char *bytes, ULONG len, ULONG *ret_len)
{
    const unsigned how = (unsigned)(test_random(&seed) % 8);
    ULONG new_len = len;
    unsigned char *copy;

    if (how == 0)
        new_len = (ULONG)(test_random(&seed) % len);
    else if (how == 1)
        new_len = len + 1 + (ULONG)(test_random(&seed) % 16);
    copy = calloc(1, new_len + 1);
    TEST_REQUIRE(copy != NULL);
    memcpy(copy, bytes, new_len < len ? new_len : len);
    for (unsigned i = 0; how > 1 && i < how / 2; i++)
        copy[test_random(&seed) % len] ^= (unsigned char)(1u << test_random(&seed) % 8);
    *ret_len = new_len;
    return copy;
}

static void tokens_of_a_client(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        if (runs_dry(kind))
            continue;
        begin(kind);
        for (unsigned i = 0; i < rounds && !runs_dry(kind); i++) {
            ULONG len;
            unsigned char *copy;

            assert_true(pair_initialize(&pair, NULL, 0) >= 0);
            if (i % 2 && kinds[kind].more == 0) { /* NTLM's second token */
                assert_true(pair_accept(&pair, pair.client.token, pair.client.token_len) >= 0);
                assert_true(pair_initialize(&pair, pair.server.token, pair.server.token_len) >= 0);
            }
            copy = damage(pair.client.token, pair.client.token_len, &len);
            (void)pair_accept(&pair, copy, len);
            free(copy);
            pair_reset(&pair);
        }
        pair_end(&pair);
    }
}

static void tokens_of_a_server(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        if (runs_dry(kind))
            continue;
        begin(kind);
        for (unsigned i = 0; i < rounds && !runs_dry(kind); i++) {
            ULONG len;
            unsigned char *copy;

            assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
            assert_true(pair_accept(&pair, pair.client.token, pair.client.token_len) >= 0);
            copy = damage(pair.server.token, pair.server.token_len, &len);
            (void)pair_initialize(&pair, copy, len);
            free(copy);
            pair_reset(&pair);
        }
        pair_end(&pair);
    }
}

/* What comes through is what was sealed, or nothing. */
static void messages_are_whole_or_refused(void **state)
{
    static const char text[] = "the text that nobody may change";

    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        if (runs_dry(kind))
            continue;
        begin(kind);
        assert_int_equal(pair_talk(&pair), SEC_E_OK);
        for (unsigned i = 0; i < rounds; i++) {
            unsigned char sealed[256];
            SecBuffer buffers[2] = {{128, SECBUFFER_TOKEN, sealed}, {0, SECBUFFER_DATA, NULL}};
            SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};
            unsigned char data[sizeof(text)], *copy;
            ULONG len, qop;

            memcpy(data, text, sizeof(text));
            buffers[1] = (SecBuffer){sizeof(text), SECBUFFER_DATA, data};
            assert_int_equal(EncryptMessage(&pair.client.context, 0, &desc, 0), SEC_E_OK);
            len = buffers[0].cbBuffer;
            memcpy(sealed + len, data, sizeof(text));
            copy = damage(sealed, len + (ULONG)sizeof(text), &len);
            buffers[0] = (SecBuffer){len, SECBUFFER_STREAM, copy};
            buffers[1] = (SecBuffer){0, SECBUFFER_DATA, NULL};
            if (DecryptMessage(&pair.server.context, &desc, 0, &qop) == SEC_E_OK) {
                assert_int_equal(buffers[1].cbBuffer, sizeof(text));
                assert_memory_equal(buffers[1].pvBuffer, text, sizeof(text));
            }
            free(copy);
        }
        pair_end(&pair);
    }
}

static void answers_of_a_kdc(void **state)
{
    static struct fake_kdc fake; /* guarded: one thread */
    char kdcs[64];

    (void)state;
    fake.upstream = realm.port;
    fake.seed = 7;
    fake_kdc_start(&fake, FAKE_DAMAGED);
    snprintf(kdcs, sizeof(kdcs), "kdc = 127.0.0.1:%u\n", fake.port);
    realm_configure(&realm, kdcs, NULL);
    for (unsigned i = 0; i < rounds; i++) {
        begin(0);
        (void)pair_initialize(&pair, NULL, 0);
        pair_end(&pair);
    }
    assert_true(test_counter_get(&fake.answers) >= rounds);
    fake_kdc_stop(&fake);
    realm_configure(&realm, NULL, NULL);
}

static int group_setup(void **state)
{
    const char *wish = getenv("OSSPI_DAMAGE_ROUNDS");
    FILE *users;

    (void)state;
    rounds = wish ? (unsigned)atoi(wish) : TEST_ROUNDS(ROUNDS) + 10;
    realm_start(&realm);
    users = fopen(realm_file(&realm, "ntlm.users"), "w");
    TEST_REQUIRE(users != NULL);
    fputs(REALM_NAME ":alice:secret of alice\n", users);
    fclose(users);
    setenv("NTLM_USER_FILE", realm_file(&realm, "ntlm.users"), 1);
    test_watchdog(wish ? 0 : 100);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    realm_stop(&realm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_a_client),
        cmocka_unit_test(tokens_of_a_server),
        cmocka_unit_test(messages_are_whole_or_refused),
        cmocka_unit_test(answers_of_a_kdc),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
