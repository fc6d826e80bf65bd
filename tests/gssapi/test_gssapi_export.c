/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * ExportSecurityContext and ImportSecurityContext: a context goes on elsewhere, in this process and
 * in another program, in the middle of its messages; and what is no context is refused.
 */
#include <fcntl.h>
#include <opensspi.h>
#include <schannel.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET "HTTP/server.test"
#define PROTECT \
    (ISC_REQ_MUTUAL_AUTH | ISC_REQ_CONFIDENTIALITY | ISC_REQ_REPLAY_DETECT | \
     ISC_REQ_SEQUENCE_DETECT)
#define IMPORTER "OSSPI_TEST_IMPORTER" /* in the environment of the other program */

TEST_FORKS_WITH_THREADS;

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;

static void establish(const char *package, ULONG flags)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;

    pair_identity("alice", REALM_NAME, "secret of alice", &identity);
    pair.client_flags = flags;
    pair_establish(&pair, package, &identity, TARGET);
}

static SECURITY_STATUS export(struct side *side, ULONG flags, SecBuffer *packed)
{
    void *token = packed;
    SECURITY_STATUS status;

    *packed = (SecBuffer){0, SECBUFFER_EMPTY, NULL};
    status = ExportSecurityContext(&side->context, flags, packed, &token);
    if (status == SEC_E_OK)
        assert_null(token);
    else
        assert_null(packed->pvBuffer);
    return status;
}

/* A side whose context is elsewhere goes on with what comes. */
static void import(struct side *side, const char *package, SecBuffer *packed)
{
    assert_int_equal(ImportSecurityContextA((char *)package, packed, NULL, &side->context),
                     SEC_E_OK);
    side->has_context = true;
    FreeContextBuffer(packed->pvBuffer);
}

static void move(struct side *side, const char *package)
{
    const CtxtHandle old = side->context;
    ULONG flags;
    SecBuffer packed;

    assert_int_equal(export(side, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed), SEC_E_OK);
    assert_int_equal(QueryContextAttributesA((PCtxtHandle)&old, SECPKG_ATTR_FLAGS, &flags),
                     SEC_E_INVALID_HANDLE);
    import(side, package, &packed);
}

/* ---- what stays as it was ---- */

struct facts {
    SecPkgContext_Sizes sizes;
    SecPkgContext_Lifespan span;
    SecPkgContext_Flags flags;
    SecPkgContext_NamesA names;
};

static void read_facts(struct side *side, struct facts *facts)
{
    memset(facts, 0, sizeof(*facts));
    assert_int_equal(QueryContextAttributesA(&side->context, SECPKG_ATTR_SIZES, &facts->sizes),
                     SEC_E_OK);
    assert_int_equal(QueryContextAttributesA(&side->context, SECPKG_ATTR_LIFESPAN, &facts->span),
                     SEC_E_OK);
    assert_int_equal(QueryContextAttributesA(&side->context, SECPKG_ATTR_FLAGS, &facts->flags),
                     SEC_E_OK);
    assert_int_equal(QueryContextAttributesA(&side->context, SECPKG_ATTR_NAMES, &facts->names),
                     SEC_E_OK);
}

static void require_same(struct side *side, struct facts *before)
{
    struct facts after;

    read_facts(side, &after);
    assert_memory_equal(&after.sizes, &before->sizes, sizeof(after.sizes));
    assert_memory_equal(&after.span, &before->span, sizeof(after.span));
    assert_int_equal(after.flags.Flags, before->flags.Flags);
    assert_string_equal(after.names.sUserName, before->names.sUserName);
    FreeContextBuffer(after.names.sUserName);
    FreeContextBuffer(before->names.sUserName);
}

static void move_both(const char *package)
{
    struct facts client, server;

    pair_exchange(&pair.client, &pair.server, "before, from the client");
    pair_exchange(&pair.server, &pair.client, "before, from the server");
    read_facts(&pair.client, &client);
    read_facts(&pair.server, &server);
    move(&pair.server, package);
    pair_exchange(&pair.client, &pair.server, "the server has moved");
    pair_exchange(&pair.server, &pair.client, "and answers");
    move(&pair.client, package);
    pair_exchange(&pair.server, &pair.client, "the client too");
    pair_exchange(&pair.client, &pair.server, "so it has");
    require_same(&pair.client, &client);
    require_same(&pair.server, &server);
    pair_end(&pair);
}

static void s2_13_messages_go_on_elsewhere(void **state)
{
    (void)state;
    establish("Kerberos", PROTECT);
    move_both("Kerberos");
    establish("Negotiate", PROTECT);
    move_both("Negotiate");
    establish("Kerberos", PROTECT | ISC_REQ_USE_DCE_STYLE);
    move_both("Kerberos");
}

static void s2_13_ntlm_goes_on_elsewhere(void **state)
{
    (void)state;
    establish("NTLM", ISC_REQ_CONFIDENTIALITY | ISC_REQ_SEQUENCE_DETECT);
    move_both("NTLM");
}

/* ---- flags ---- */

static void s2_13_the_old_one_may_go_on_too(void **state)
{
    struct side old;
    SecBuffer packed;

    (void)state;
    establish("Kerberos", ISC_REQ_CONFIDENTIALITY);
    assert_int_equal(export(&pair.server, 0, &packed), SEC_E_OK);
    old = pair.server;
    import(&pair.server, "Kerberos", &packed);
    pair_exchange(&pair.client, &pair.server, "to the new one");
    pair_exchange(&pair.client, &old, "and to the old one");
    assert_int_equal(DeleteSecurityContext(&old.context), SEC_E_OK);
    pair_end(&pair);
}

static void s2_13_what_cannot_be_is_refused(void **state)
{
    static const ULONG wrong[] = {
        SECPKG_CONTEXT_EXPORT_RESET_NEW, SECPKG_CONTEXT_EXPORT_TO_KERNEL,
        SECPKG_CONTEXT_EXPORT_RESET_NEW | SECPKG_CONTEXT_EXPORT_DELETE_OLD,
        SECPKG_CONTEXT_EXPORT_TO_KERNEL | SECPKG_CONTEXT_EXPORT_DELETE_OLD};
    SecBuffer packed;

    (void)state;
    establish("Kerberos", PROTECT);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(export(&pair.server, wrong[i], &packed), SEC_E_UNSUPPORTED_FUNCTION);
    pair_exchange(&pair.client, &pair.server, "it is as it was");
    pair_end(&pair);

    /* One key stream for two senders would give both texts away. */
    establish("NTLM", ISC_REQ_CONFIDENTIALITY);
    assert_int_equal(export(&pair.client, 0, &packed), SEC_E_UNSUPPORTED_FUNCTION);
    pair_exchange(&pair.client, &pair.server, "it is as it was");
    pair_reset(&pair);

    assert_int_equal(pair_initialize(&pair, NULL, 0), SEC_I_CONTINUE_NEEDED);
    assert_int_equal(export(&pair.client, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed),
                     SEC_E_INVALID_HANDLE);
    pair_end(&pair);
    assert_int_equal(
        ImportSecurityContextA((char *)UNISP_NAME_A, &packed, NULL, &pair.client.context),
        SEC_E_UNSUPPORTED_FUNCTION);
}

/* ---- bytes that are no context ---- */

static void refuse(const char *package, void *bytes, size_t len)
{
    SecBuffer packed = {(ULONG)len, SECBUFFER_TOKEN, bytes};
    CtxtHandle context;

    assert_int_equal(ImportSecurityContextA((char *)package, &packed, NULL, &context),
                     SEC_E_UNKNOWN_CREDENTIALS);
}

static void damage(const SecBuffer *packed)
{
    unsigned char *bytes = malloc(packed->cbBuffer + 1);

    TEST_REQUIRE(bytes != NULL);
    memcpy(bytes, packed->pvBuffer, packed->cbBuffer);
    for (ULONG i = 0; i < packed->cbBuffer; i++) {
        bytes[i] ^= (unsigned char)(1u << (i % 8));
        refuse("Kerberos", bytes, packed->cbBuffer);
        bytes[i] ^= (unsigned char)(1u << (i % 8));
    }
    for (ULONG len = 0; len < packed->cbBuffer; len++) {
        unsigned char *exact = malloc(len > 0 ? len : 1); /* where reading on is noticed */

        TEST_REQUIRE(exact != NULL);
        memcpy(exact, bytes, len);
        refuse("Kerberos", exact, len);
        free(exact);
    }
    bytes[packed->cbBuffer] = 0;
    refuse("Kerberos", bytes, packed->cbBuffer + 1);
    refuse("Negotiate", bytes, packed->cbBuffer); /* another package's */
    refuse("NTLM", bytes, packed->cbBuffer);
    refuse("Kerberos", NULL, 0);
    free(bytes);
}

static void s2_13_damaged_contexts_are_refused(void **state)
{
    SecBuffer packed;
    CtxtHandle context;

    (void)state;
    establish("Kerberos", PROTECT);
    assert_int_equal(export(&pair.server, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed), SEC_E_OK);
    damage(&packed);
    /* A token would be one that nobody has given out. */
    assert_int_equal(ImportSecurityContextA((char *)"Kerberos", &packed, &context, &context),
                     SEC_E_INVALID_PARAMETER);
    import(&pair.server, "Kerberos", &packed); /* which is still good */
    pair_exchange(&pair.client, &pair.server, "all the same");
    pair_end(&pair);
}

/* ---- what does not go along ---- */

static void handed_over_tickets_stay(void **state)
{
    CredHandle credential;

    (void)state;
    establish("Kerberos", ISC_REQ_MUTUAL_AUTH | ISC_REQ_DELEGATE);
    move(&pair.server, "Kerberos");
    assert_int_equal(ImpersonateSecurityContext(&pair.server.context), SEC_E_OK);
    assert_int_equal(AcquireCredentialsHandleA(NULL, (char *)"Kerberos", SECPKG_CRED_OUTBOUND, NULL,
                                               NULL, NULL, NULL, &credential, NULL),
                     SEC_E_NO_CREDENTIALS);
    assert_int_equal(RevertSecurityContext(&pair.server.context), SEC_E_OK);
    pair_end(&pair);
}

static void an_imported_context_takes_no_legs(void **state)
{
    (void)state;
    establish("Kerberos", PROTECT);
    move(&pair.client, "Kerberos");
    assert_true(pair_initialize(&pair, "x", 1) < 0);
    pair_exchange(&pair.client, &pair.server, "and works on all the same");
    pair_end(&pair);
}

/* ---- another program ---- */

struct sealed {
    ULONG token_len, padding_len, text_len;
    unsigned char token[128], padding[32], text[128];
};

static void seal(struct side *side, const char *text, struct sealed *sealed)
{
    SecBuffer buffers[3] = {{sizeof(sealed->token), SECBUFFER_TOKEN, sealed->token},
                            {(ULONG)strlen(text) + 1, SECBUFFER_DATA, sealed->text},
                            {sizeof(sealed->padding), SECBUFFER_PADDING, sealed->padding}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 3, buffers};

    memset(sealed, 0, sizeof(*sealed));
    memcpy(sealed->text, text, strlen(text) + 1);
    TEST_REQUIRE_EQUAL(EncryptMessage(&side->context, 0, &desc, 0), SEC_E_OK);
    sealed->token_len = buffers[0].cbBuffer;
    sealed->text_len = buffers[1].cbBuffer;
    sealed->padding_len = buffers[2].cbBuffer;
}

static SECURITY_STATUS open_sealed(struct side *side, struct sealed *sealed)
{
    SecBuffer buffers[3] = {{sealed->token_len, SECBUFFER_TOKEN, sealed->token},
                            {sealed->text_len, SECBUFFER_DATA, sealed->text},
                            {sealed->padding_len, SECBUFFER_PADDING, sealed->padding}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 3, buffers};

    return DecryptMessage(&side->context, &desc, 0, NULL);
}

static void read_all(int fd, void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        const ssize_t got = read(fd, (char *)bytes + at, len - at);

        TEST_REQUIRE(got > 0);
        at += (size_t)got;
    }
}

static void write_all(int fd, const void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        const ssize_t put = write(fd, (const char *)bytes + at, len - at);

        TEST_REQUIRE(put > 0);
        at += (size_t)put;
    }
}

/* The other program: a context and a message in, an answer out. */
static int importer(const char *package)
{
    struct side side = {0};
    struct sealed sealed;
    SecBuffer packed = {0, SECBUFFER_TOKEN, NULL};

    read_all(0, &packed.cbBuffer, sizeof(packed.cbBuffer));
    TEST_REQUIRE(packed.cbBuffer < 100000);
    packed.pvBuffer = malloc(packed.cbBuffer);
    TEST_REQUIRE(packed.pvBuffer != NULL);
    read_all(0, packed.pvBuffer, packed.cbBuffer);
    read_all(0, &sealed, sizeof(sealed));
    TEST_REQUIRE_EQUAL(ImportSecurityContextA((char *)package, &packed, NULL, &side.context),
                       SEC_E_OK);
    free(packed.pvBuffer);
    TEST_REQUIRE_EQUAL(open_sealed(&side, &sealed), SEC_E_OK);
    TEST_REQUIRE(strcmp((char *)sealed.text, "to another program") == 0);
    seal(&side, "from another program", &sealed);
    write_all(1, &sealed, sizeof(sealed));
    TEST_REQUIRE_EQUAL(DeleteSecurityContext(&side.context), SEC_E_OK);
    return 0;
}

static pid_t start_importer(const char *package, int *ret_in, int *ret_out)
{
    int in[2], out[2];
    pid_t program;

    TEST_REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    program = fork();
    TEST_REQUIRE(program >= 0);
    if (program == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        setenv(IMPORTER, package, 1);
        execl("/proc/self/exe", "importer", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    *ret_in = in[1];
    *ret_out = out[0];
    return program;
}

static void goes_to_another_program(const char *package)
{
    struct sealed sealed;
    SecBuffer packed;
    int in, out;
    pid_t program;

    pair_exchange(&pair.client, &pair.server, "before");
    pair_exchange(&pair.server, &pair.client, "before");
    assert_int_equal(export(&pair.server, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed), SEC_E_OK);
    pair.server.has_context = false;
    program = start_importer(package, &in, &out);
    write_all(in, &packed.cbBuffer, sizeof(packed.cbBuffer));
    write_all(in, packed.pvBuffer, packed.cbBuffer);
    FreeContextBuffer(packed.pvBuffer);
    seal(&pair.client, "to another program", &sealed);
    write_all(in, &sealed, sizeof(sealed));
    read_all(out, &sealed, sizeof(sealed));
    assert_int_equal(test_child_join(program), 0);
    close(in);
    close(out);
    assert_int_equal(open_sealed(&pair.client, &sealed), SEC_E_OK);
    assert_string_equal((char *)sealed.text, "from another program");
    pair_end(&pair);
}

static void s2_13_another_program_goes_on(void **state)
{
    (void)state;
    establish("Kerberos", PROTECT);
    goes_to_another_program("Kerberos");
    establish("Negotiate", PROTECT);
    goes_to_another_program("Negotiate");
    establish("NTLM", ISC_REQ_CONFIDENTIALITY);
    goes_to_another_program("NTLM");
}

/* What a message had been used up before, is used up afterwards. */
static void s2_13_replays_are_noticed_elsewhere_too(void **state)
{
    struct sealed first, again;

    (void)state;
    establish("Kerberos", PROTECT);
    seal(&pair.client, "once", &first);
    again = first;
    assert_int_equal(open_sealed(&pair.server, &first), SEC_E_OK);
    move(&pair.server, "Kerberos");
    assert_int_equal(open_sealed(&pair.server, &again), SEC_E_OUT_OF_SEQUENCE);
    pair_exchange(&pair.client, &pair.server, "the next one");
    pair_end(&pair);
}

static int group_setup(void **state)
{
    FILE *users;

    (void)state;
    realm_start(&realm);
    users = fopen(realm_file(&realm, "ntlm.users"), "w");
    TEST_REQUIRE(users != NULL);
    fputs(REALM_NAME ":alice:secret of alice\n", users);
    fclose(users);
    setenv("NTLM_USER_FILE", realm_file(&realm, "ntlm.users"), 1);
    test_watchdog(100);
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
        cmocka_unit_test(s2_13_messages_go_on_elsewhere),
        cmocka_unit_test(s2_13_ntlm_goes_on_elsewhere),
        cmocka_unit_test(s2_13_the_old_one_may_go_on_too),
        cmocka_unit_test(s2_13_what_cannot_be_is_refused),
        cmocka_unit_test(s2_13_damaged_contexts_are_refused),
        cmocka_unit_test(handed_over_tickets_stay),
        cmocka_unit_test(an_imported_context_takes_no_legs),
        cmocka_unit_test(s2_13_another_program_goes_on),
        cmocka_unit_test(s2_13_replays_are_noticed_elsewhere_too),
    };

    if (getenv(IMPORTER))
        return importer(getenv(IMPORTER));
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
