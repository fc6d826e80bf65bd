/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Messages and attributes of contexts, the same for Kerberos, NTLM and Negotiate as far as they are
 * the same.
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define TARGET "HTTP/server.test"
#define USUAL \
    (ISC_REQ_CONFIDENTIALITY | ISC_REQ_INTEGRITY | ISC_REQ_REPLAY_DETECT | ISC_REQ_SEQUENCE_DETECT)
#define LONGEST 100000u

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;
static unsigned char memory[LONGEST + 512], text[LONGEST];

struct kind {
    const char *package, *chosen; /* which mechanism it becomes */
    ULONG more;                   /* flags */
    ULONG token;                  /* bytes of TOKEN */
};

/* Negotiate with NTLM: by a package list. */
static const struct kind kinds[] = {
    {"Kerberos", "Kerberos", ISC_REQ_MUTUAL_AUTH, 60},
    {"Kerberos", "Kerberos", ISC_REQ_MUTUAL_AUTH | ISC_REQ_USE_DCE_STYLE, 76},
    {"NTLM", "NTLM", 0, 16},
    {"Negotiate", "Kerberos", ISC_REQ_MUTUAL_AUTH, 60},
    {"Negotiate", "NTLM", 0, 16},
};

#define KINDS   (sizeof(kinds) / sizeof(kinds[0]))
#define is_ntlm (strcmp(kind->chosen, "NTLM") == 0)

static void establish_with(const struct kind *kind, ULONG flags)
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
        .PackageList = (unsigned char *)(is_ntlm ? "ntlm" : "kerberos"),
        .PackageListLength = is_ntlm ? 4 : 8,
    };

    pair.client_flags = flags;
    pair_establish(&pair, kind->package, &identity, TARGET);
}

static void establish(const struct kind *kind)
{
    establish_with(kind, USUAL | kind->more);
}

/* ---- a message in pieces ---- */

struct message {
    unsigned char token[256], padding[64];
    SecBuffer buffers[5];
    SecBufferDesc desc;
};

static void lay_out(struct message *message, void *data, ULONG len, ULONG token)
{
    *message = (struct message){
        .buffers = {{token, SECBUFFER_TOKEN, message->token},
                    {len, SECBUFFER_DATA, data},
                    {sizeof(message->padding), SECBUFFER_PADDING, message->padding}},
        .desc = {SECBUFFER_VERSION, 3, message->buffers},
    };
}

static void seal(const struct kind *kind, struct side *side, struct message *message,
                 const char *what)
{
    static unsigned char data[8][64]; /* guarded: one thread */
    static unsigned next;             /* the same */
    unsigned char *place = data[next++ % 8];

    memcpy(place, what, strlen(what) + 1);
    lay_out(message, place, (ULONG)strlen(what), kind->token);
    assert_int_equal(EncryptMessage(&side->context, 0, &message->desc, 0), SEC_E_OK);
}

static SECURITY_STATUS open_message(struct side *side, struct message *message)
{
    ULONG qop;

    return DecryptMessage(&side->context, &message->desc, 0, &qop);
}

/* ---- tests ---- */

static void s2_9_messages_of_all_lengths_go_both_ways(void **state)
{
    static const ULONG lengths[] = {1, 15, 16, 17, 4095, 65536, LONGEST};

    (void)state;
    for (ULONG i = 0; i < LONGEST; i++)
        text[i] = (unsigned char)(i * 7);
    for (size_t k = 0; k < KINDS; k++) {
        establish(&kinds[k]);
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            struct side *from = i % 2 ? &pair.server : &pair.client;
            struct side *to = i % 2 ? &pair.client : &pair.server;
            struct message message;

            memcpy(memory, text, lengths[i]);
            lay_out(&message, memory, lengths[i], 256);
            assert_int_equal(EncryptMessage(&from->context, 0, &message.desc, 0), SEC_E_OK);
            assert_int_equal(message.buffers[0].cbBuffer, kinds[k].token);
            assert_true(lengths[i] < 15 || memcmp(memory, text, lengths[i]) != 0);
            assert_int_equal(open_message(to, &message), SEC_E_OK);
            assert_memory_equal(memory, text, lengths[i]);
        }
        pair_end(&pair);
    }
}

static void s4_4_sizes_are_what_is_needed(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const struct kind *kind = &kinds[k];
        SecPkgContext_Sizes sizes;
        struct message message;
        char data[] = "some text";

        establish(kind);
        assert_int_equal(QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_SIZES, &sizes),
                         SEC_E_OK);
        assert_int_equal(sizes.cbSecurityTrailer, kind->token);
        assert_int_equal(sizes.cbMaxSignature, is_ntlm ? 16 : 28);
        lay_out(&message, data, 9, kind->token - 1);
        assert_int_equal(EncryptMessage(&pair.client.context, 0, &message.desc, 0),
                         SEC_E_BUFFER_TOO_SMALL);
        assert_string_equal(data, "some text");
        lay_out(&message, data, 9, sizes.cbMaxSignature - 1);
        assert_int_equal(MakeSignature(&pair.client.context, 0, &message.desc, 0),
                         SEC_E_INVALID_TOKEN);
        /* And nothing was used up. */
        pair_exchange(&pair.client, &pair.server, "some more text");
        pair_end(&pair);
    }
}

static void s2_10_signatures_tell_what_was_changed(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct message message;
        char data[] = "signed text";
        ULONG qop;

        establish(&kinds[k]);
        lay_out(&message, data, 11, 64);
        message.desc.cBuffers = 2;
        assert_int_equal(MakeSignature(&pair.client.context, 0, &message.desc, 0), SEC_E_OK);
        assert_string_equal(data, "signed text");
        assert_int_equal(VerifySignature(&pair.server.context, &message.desc, 0, &qop), SEC_E_OK);
        lay_out(&message, data, 11, 64);
        message.desc.cBuffers = 2;
        assert_int_equal(MakeSignature(&pair.client.context, 0, &message.desc, 0), SEC_E_OK);
        data[3] ^= 1;
        assert_int_equal(VerifySignature(&pair.server.context, &message.desc, 0, &qop),
                         SEC_E_MESSAGE_ALTERED);
        assert_int_equal(MakeSignature(&pair.client.context, 1, &message.desc, 0),
                         SEC_E_QOP_NOT_SUPPORTED);
        message.desc.cBuffers = 1;
        assert_int_equal(MakeSignature(&pair.client.context, 0, &message.desc, 0),
                         SEC_E_INVALID_TOKEN);
        pair_end(&pair);
    }
}

static void s2_9_altered_messages_are_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct message message;

        establish(&kinds[k]);
        seal(&kinds[k], &pair.client, &message, "the text that somebody changes");
        ((unsigned char *)message.buffers[1].pvBuffer)[5] ^= 1;
        assert_int_equal(open_message(&pair.server, &message), SEC_E_MESSAGE_ALTERED);
        pair_end(&pair);
        establish(&kinds[k]);
        seal(&kinds[k], &pair.client, &message, "the text whose token is cut");
        message.buffers[0].cbBuffer -= 4;
        assert_true(open_message(&pair.server, &message) < 0);
        message.buffers[0].cbBuffer = 0;
        assert_int_equal(open_message(&pair.server, &message), SEC_E_INVALID_TOKEN);
        message.desc.cBuffers = 1;
        assert_int_equal(open_message(&pair.server, &message), SEC_E_INVALID_TOKEN);
        pair_end(&pair);
    }
}

static void s4_3_replays_and_gaps_are_noticed(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const struct kind *kind = &kinds[k];
        struct message first, second, again;
        unsigned char copy[64];

        if (is_ntlm)
            continue; /* below */
        establish(kind);
        seal(kind, &pair.client, &first, "the first of two");
        memcpy(copy, first.buffers[1].pvBuffer, 16);
        again = first;
        again.buffers[0].pvBuffer = again.token;
        again.buffers[1].pvBuffer = copy;
        again.buffers[2].pvBuffer = again.padding;
        again.desc.pBuffers = again.buffers;
        assert_int_equal(open_message(&pair.server, &first), SEC_E_OK);
        assert_int_equal(open_message(&pair.server, &again), SEC_E_OUT_OF_SEQUENCE);
        seal(kind, &pair.client, &first, "lost on the way");
        seal(kind, &pair.client, &second, "comes too early");
        assert_int_equal(open_message(&pair.server, &second), SEC_E_OUT_OF_SEQUENCE);
        pair_end(&pair);
    }
}

/* NTLM seals with a stream cipher: what does not come in its turn cannot be read at all. */
static void s4_3_ntlm_reads_only_what_comes_in_turn(void **state)
{
    struct message first, second;

    (void)state;
    establish(&kinds[2]);
    seal(&kinds[2], &pair.client, &first, "lost on the way");
    seal(&kinds[2], &pair.client, &second, "comes too early");
    assert_int_equal(open_message(&pair.server, &second), SEC_E_MESSAGE_ALTERED);
    pair_end(&pair);
}

static void s2_9_streams_are_opened_in_place(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct message message;
        unsigned char stream[256];
        SecBuffer buffers[2] = {{0, SECBUFFER_STREAM, stream}, {0, SECBUFFER_DATA, NULL}};
        SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};
        ULONG qop = 9;

        if (kinds[k].more & ISC_REQ_USE_DCE_STYLE)
            continue; /* has no such form */
        establish(&kinds[k]);
        seal(&kinds[k], &pair.client, &message, "in one piece");
        memcpy(stream, message.token, message.buffers[0].cbBuffer);
        memcpy(stream + message.buffers[0].cbBuffer, message.buffers[1].pvBuffer, 12);
        buffers[0].cbBuffer = message.buffers[0].cbBuffer + 12;
        assert_int_equal(DecryptMessage(&pair.server.context, &desc, 0, &qop), SEC_E_OK);
        assert_int_equal(qop, 0);
        assert_int_equal(buffers[1].cbBuffer, 12);
        assert_memory_equal(buffers[1].pvBuffer, "in one piece", 12);
        assert_true((unsigned char *)buffers[1].pvBuffer >= stream &&
                    (unsigned char *)buffers[1].pvBuffer < stream + sizeof(stream));
        buffers[0].cbBuffer = 5;
        assert_int_equal(DecryptMessage(&pair.server.context, &desc, 0, &qop), SEC_E_INVALID_TOKEN);
        pair_end(&pair);
    }
}

/* The kinds of RFC 1964, for which a context of today has no key. */
static void s2_9_streams_of_old_kinds_are_refused(void **state)
{
    static const unsigned char ids[][2] = {{1, 1}, {1, 2}, {2, 1}};

    (void)state;
    establish(&kinds[0]);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        unsigned char stream[64] = {ids[i][0], ids[i][1]};
        SecBuffer buffers[2] = {{sizeof(stream), SECBUFFER_STREAM, stream},
                                {0, SECBUFFER_DATA, NULL}};
        SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};
        ULONG qop;

        assert_int_equal(DecryptMessage(&pair.server.context, &desc, 0, &qop), SEC_E_INVALID_TOKEN);
    }
    pair_end(&pair);
}

static void s2_9_sign_only_leaves_the_text_readable(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const struct kind *kind = &kinds[k];
        struct message message;
        char data[] = "not sealed, but signed";
        ULONG qop = 0;

        establish(kind);
        lay_out(&message, data, 22, 64);
        if (is_ntlm) {
            assert_int_equal(
                EncryptMessage(&pair.client.context, SECQOP_WRAP_NO_ENCRYPT, &message.desc, 0),
                SEC_E_QOP_NOT_SUPPORTED);
            pair_end(&pair);
            continue;
        }
        assert_int_equal(
            EncryptMessage(&pair.client.context, SECQOP_WRAP_NO_ENCRYPT, &message.desc, 0),
            SEC_E_OK);
        assert_string_equal(data, "not sealed, but signed");
        assert_int_equal(DecryptMessage(&pair.server.context, &message.desc, 0, &qop), SEC_E_OK);
        assert_string_equal(data, "not sealed, but signed");
        assert_int_equal(qop, SECQOP_WRAP_NO_ENCRYPT);
        assert_int_equal(EncryptMessage(&pair.client.context, 5, &message.desc, 0),
                         SEC_E_QOP_NOT_SUPPORTED);
        pair_end(&pair);
    }
}

static void s2_5_readonly_buffers_are_not_touched(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const struct kind *kind = &kinds[k];
        struct message message;
        char header[] = "header", data[] = "the body of it", other[] = "nobody's";
        SECURITY_STATUS expected = is_ntlm ? SEC_E_UNSUPPORTED_FUNCTION : SEC_E_OK;

        establish(kind);
        lay_out(&message, data, 14, 128);
        message.buffers[3] =
            (SecBuffer){6, SECBUFFER_DATA | SECBUFFER_READONLY_WITH_CHECKSUM, header};
        message.buffers[4] = (SecBuffer){8, SECBUFFER_DATA | SECBUFFER_READONLY, other};
        message.desc.cBuffers = 5;
        assert_int_equal(EncryptMessage(&pair.client.context, 0, &message.desc, 0), expected);
        assert_string_equal(header, "header");
        assert_string_equal(other, "nobody's");
        if (!is_ntlm) {
            memcpy(other, "changed!", 8);
            assert_int_equal(open_message(&pair.server, &message), SEC_E_OK);
            assert_string_equal(data, "the body of it");
            lay_out(&message, data, 14, 128);
            message.buffers[3] =
                (SecBuffer){6, SECBUFFER_DATA | SECBUFFER_READONLY_WITH_CHECKSUM, header};
            message.desc.cBuffers = 4;
            assert_int_equal(EncryptMessage(&pair.client.context, 0, &message.desc, 0), SEC_E_OK);
            header[0] = 'H';
            assert_int_equal(open_message(&pair.server, &message), SEC_E_MESSAGE_ALTERED);
        }
        pair_end(&pair);
    }
}

static void s4_4_attributes(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const struct kind *kind = &kinds[k];
        SecPkgContext_SessionKey keys[2];
        SecPkgContext_KeyInfoA key;
        SecPkgContext_NegotiationInfoA negotiation;
        SecPkgContext_NegotiationInfoW wide;
        SecPkgContext_NativeNamesA native;
        SecPkgContext_Lifespan span;
        SecPkgContext_LastClientTokenStatus last;
        SecPkgContext_ClientSpecifiedTarget target;

        establish(kind);
        assert_int_equal(
            QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_SESSION_KEY, &keys[0]),
            SEC_E_OK);
        assert_int_equal(
            QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_SESSION_KEY, &keys[1]),
            SEC_E_OK);
        assert_int_equal(keys[0].SessionKeyLength, is_ntlm ? 16 : 32);
        assert_memory_equal(keys[0].SessionKey, keys[1].SessionKey, keys[0].SessionKeyLength);
        FreeContextBuffer(keys[0].SessionKey);
        FreeContextBuffer(keys[1].SessionKey);
        assert_int_equal(QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_KEY_INFO, &key),
                         SEC_E_OK);
        assert_int_equal(key.KeySize, is_ntlm ? 128 : 256);
        FreeContextBuffer(key.sEncryptAlgorithmName);
        FreeContextBuffer(key.sSignatureAlgorithmName);
        assert_int_equal(QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_NEGOTIATION_INFO,
                                                 &negotiation),
                         SEC_E_OK);
        assert_string_equal(negotiation.PackageInfo->Name, kind->chosen);
        assert_int_equal(negotiation.NegotiationState, SECPKG_NEGOTIATION_COMPLETE);
        FreeContextBuffer(negotiation.PackageInfo);
        assert_int_equal(
            QueryContextAttributesW(&pair.client.context, SECPKG_ATTR_NEGOTIATION_INFO, &wide),
            SEC_E_OK);
        assert_int_equal(wide.PackageInfo->Name[0], kind->chosen[0]);
        FreeContextBuffer(wide.PackageInfo);
        assert_int_equal(
            QueryContextAttributesA(&pair.client.context, SECPKG_ATTR_NATIVE_NAMES, &native),
            SEC_E_OK);
        assert_non_null(strstr(native.sClientName, "alice"));
        FreeContextBuffer(native.sClientName);
        FreeContextBuffer(native.sServerName);
        assert_int_equal(QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_LIFESPAN, &span),
                         SEC_E_OK);
        assert_true(span.tsExpiry.QuadPart > span.tsStart.QuadPart);
        assert_int_equal(QueryContextAttributesA(&pair.server.context,
                                                 SECPKG_ATTR_LAST_CLIENT_TOKEN_STATUS, &last),
                         SEC_E_OK);
        assert_int_equal(QueryContextAttributesW(&pair.server.context,
                                                 SECPKG_ATTR_CLIENT_SPECIFIED_TARGET, &target),
                         is_ntlm ? SEC_E_UNSUPPORTED_FUNCTION : SEC_E_OK);
        if (!is_ntlm) {
            assert_memory_equal(target.sTargetName, u"HTTP/server.test", 32);
            FreeContextBuffer(target.sTargetName);
        }
        assert_int_equal(
            QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_STREAM_SIZES, &span),
            SEC_E_UNSUPPORTED_FUNCTION);
        pair_end(&pair);
    }
}

/* Without CONFIDENTIALITY NTLM does not seal: it would go out as it is. */
static void s4_3_ntlm_does_not_seal_unasked(void **state)
{
    struct message message;
    char data[] = "text";

    (void)state;
    establish_with(&kinds[2], ISC_REQ_INTEGRITY);
    assert_int_equal(pair.client.attributes & ISC_RET_CONFIDENTIALITY, 0);
    lay_out(&message, data, 4, 16);
    assert_int_equal(EncryptMessage(&pair.client.context, 0, &message.desc, 0),
                     SEC_E_UNSUPPORTED_FUNCTION);
    assert_string_equal(data, "text");
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
        cmocka_unit_test(s2_9_messages_of_all_lengths_go_both_ways),
        cmocka_unit_test(s4_4_sizes_are_what_is_needed),
        cmocka_unit_test(s2_10_signatures_tell_what_was_changed),
        cmocka_unit_test(s2_9_altered_messages_are_refused),
        cmocka_unit_test(s4_3_replays_and_gaps_are_noticed),
        cmocka_unit_test(s4_3_ntlm_reads_only_what_comes_in_turn),
        cmocka_unit_test(s2_9_streams_are_opened_in_place),
        cmocka_unit_test(s2_9_streams_of_old_kinds_are_refused),
        cmocka_unit_test(s2_9_sign_only_leaves_the_text_readable),
        cmocka_unit_test(s2_5_readonly_buffers_are_not_touched),
        cmocka_unit_test(s4_4_attributes),
        cmocka_unit_test(s4_3_ntlm_does_not_seal_unasked),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
