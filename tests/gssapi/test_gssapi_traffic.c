/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Messages at random, both ways, in every form at once: sealed in pieces, in one piece, signed
 * only, signatures alone, several on the way; with every kind of key that the realm gives, with DCE
 * style and with NTLM. What comes out is what went in. OSSPI_TEST_SEED chooses the numbers,
 * OSSPI_TRAFFIC_ROUNDS how many messages (80 of each kind).
 */
#include <opensspi.h>
#include <sspi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gssapi/pair.h"
#include "gssapi/realm.h"
#include "support/test_util.h"

#define USUAL \
    (ISC_REQ_CONFIDENTIALITY | ISC_REQ_INTEGRITY | ISC_REQ_SEQUENCE_DETECT | ISC_REQ_REPLAY_DETECT)
#define LONGEST  9000u
#define OUTSIDE  512u /* tokens and padding */
#define WAITING  3u   /* messages of one direction that are on the way */
#define MAX_DATA 3u
/* That of the ticket that others are asked for with. */
#define FIRST_KEY "aes256-cts-hmac-sha1-96"

/* Guarded: all by the one thread of the test. */
static struct realm realm;
static struct pair pair;
static uint64_t seed;
static unsigned rounds = 80;

static const struct kind {
    const char *name, *package, *list, *target;
    const char *keys; /* Kerberos: the kind of session key that is asked for */
    ULONG key_number; /* RFC 3961's */
    ULONG flags;
} kinds[] = {
    {"aes256-sha1", "Kerberos", NULL, "kinds/server.test", "aes256-cts-hmac-sha1-96", 18, USUAL},
    {"aes128-sha1", "Kerberos", NULL, "kinds/server.test", "aes128-cts-hmac-sha1-96", 17, USUAL},
    {"aes256-sha2", "Kerberos", NULL, "kinds/server.test", "aes256-cts-hmac-sha384-192", 20, USUAL},
    {"aes128-sha2", "Kerberos", NULL, "kinds/server.test", "aes128-cts-hmac-sha256-128", 19, USUAL},
    {"camellia256", "Kerberos", NULL, "kinds/server.test", "camellia256-cts-cmac", 26, USUAL},
    {"camellia128", "Kerberos", NULL, "kinds/server.test", "camellia128-cts-cmac", 25, USUAL},
    {"sha1, DCE style", "Kerberos", NULL, "kinds/server.test", "aes256-cts-hmac-sha1-96", 18,
     USUAL | ISC_REQ_MUTUAL_AUTH | ISC_REQ_USE_DCE_STYLE},
    {"sha2, DCE style", "Kerberos", NULL, "kinds/server.test", "aes256-cts-hmac-sha384-192", 20,
     USUAL | ISC_REQ_MUTUAL_AUTH | ISC_REQ_USE_DCE_STYLE},
    {"Negotiate", "Negotiate", "kerberos", "HTTP/server.test", "aes256-cts-hmac-sha1-96", 18,
     USUAL | ISC_REQ_MUTUAL_AUTH},
    {"NTLM", "NTLM", NULL, "HTTP/server.test", NULL, 0, USUAL},
    {"NTLM, signing", "NTLM", NULL, "HTTP/server.test", NULL, 0,
     ISC_REQ_INTEGRITY | ISC_REQ_SEQUENCE_DETECT},
    {"Negotiate, NTLM", "Negotiate", "ntlm", "HTTP/server.test", NULL, 0, USUAL},
};

static ULONG below(ULONG limit)
{
    return (ULONG)(test_random(&seed) % limit);
}

/* ---- a message ---- */

enum form { PIECES, STREAM, SIGNED_PIECES, SIGNATURE, FORMS };

struct message {
    enum form form;
    unsigned char text[LONGEST]; /* as it was */
    unsigned char data[LONGEST], token[OUTSIDE], padding[OUTSIDE];
    ULONG lengths[MAX_DATA], count, len;
    SecBuffer buffers[MAX_DATA + 2];
    SecBufferDesc desc;
};

/* Guarded: by the one thread; what is on the way in each direction, oldest first. */
static struct message on_the_way[2][WAITING];
static unsigned first[2], waiting[2];

static bool is_ntlm(const struct kind *kind)
{
    return kind->keys == NULL;
}

/* What NTLM has agreed on is one or the other; DCE style has no streams. */
static enum form choose_form(const struct kind *kind)
{
    enum form form = below(FORMS);

    if (is_ntlm(kind) && !(kind->flags & ISC_REQ_CONFIDENTIALITY))
        return form == SIGNATURE ? SIGNATURE : SIGNED_PIECES;
    if (is_ntlm(kind) && form == SIGNED_PIECES)
        return PIECES;
    return form == STREAM && kind->flags & ISC_REQ_USE_DCE_STYLE ? PIECES : form;
}

static ULONG choose_length(const struct kind *kind, ULONG most)
{
    static const ULONG edges[] = {0, 1, 15, 16, 17, 255, 256, 1000};
    ULONG len = below(3) ? below(most) : edges[below(8)];

    len = len < most ? len : most;
    return len == 0 && is_ntlm(kind) ? 1 : len; /* gss-ntlmssp takes no empty ones */
}

static void lay_out(struct message *message, const struct kind *kind, ULONG token)
{
    ULONG at = 0;

    message->count = 1 + below(MAX_DATA);
    message->buffers[0] = (SecBuffer){token, SECBUFFER_TOKEN, message->token};
    for (ULONG i = 0; i < message->count; i++) {
        message->lengths[i] = choose_length(kind, LONGEST / MAX_DATA);
        message->buffers[1 + i] =
            (SecBuffer){message->lengths[i], SECBUFFER_DATA, message->data + at};
        at += message->lengths[i];
    }
    message->buffers[1 + message->count] =
        (SecBuffer){OUTSIDE, SECBUFFER_PADDING, message->padding};
    message->len = at;
    message->desc = (SecBufferDesc){SECBUFFER_VERSION, message->count + 2, message->buffers};
    for (ULONG i = 0; i < at; i++)
        message->data[i] = message->text[i] = (unsigned char)test_random(&seed);
}

static void send_one(const struct kind *kind, struct side *from, struct message *message)
{
    SecPkgContext_Sizes sizes;

    assert_int_equal(QueryContextAttributesA(&from->context, SECPKG_ATTR_SIZES, &sizes), SEC_E_OK);
    message->form = choose_form(kind);
    lay_out(message, kind,
            message->form == SIGNATURE ? sizes.cbMaxSignature : sizes.cbSecurityTrailer);
    if (message->form == SIGNATURE)
        assert_int_equal(MakeSignature(&from->context, 0, &message->desc, 0), SEC_E_OK);
    else
        assert_int_equal(EncryptMessage(&from->context,
                                        message->form == SIGNED_PIECES ? SECQOP_WRAP_NO_ENCRYPT : 0,
                                        &message->desc, 0),
                         SEC_E_OK);
    if (message->form == PIECES || message->form == STREAM)
        assert_true(message->len < 16 || memcmp(message->data, message->text, message->len) != 0);
    else
        assert_memory_equal(message->data, message->text, message->len);
}

/* All of it behind one another, as another implementation would send it. */
static void open_stream(struct side *to, struct message *message)
{
    static unsigned char stream[LONGEST + 2 * OUTSIDE]; /* guarded: one thread */
    SecBuffer buffers[2] = {{0, SECBUFFER_STREAM, stream}, {0, SECBUFFER_DATA, NULL}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};
    ULONG qop = 7;

    for (ULONG i = 0; i < message->desc.cBuffers; i++) {
        const SecBuffer *buffer = &message->buffers[i];

        if (buffer->cbBuffer > 0)
            memcpy(stream + buffers[0].cbBuffer, buffer->pvBuffer, buffer->cbBuffer);
        buffers[0].cbBuffer += buffer->cbBuffer;
    }
    assert_int_equal(DecryptMessage(&to->context, &desc, 0, &qop), SEC_E_OK);
    assert_int_equal(qop, 0);
    assert_int_equal(buffers[1].cbBuffer, message->len);
    assert_true(message->len == 0 || buffers[1].pvBuffer != NULL);
    if (message->len > 0)
        assert_memory_equal(buffers[1].pvBuffer, message->text, message->len);
}

static void receive_one(struct side *to, struct message *message)
{
    ULONG qop = 7;

    if (message->form == STREAM) {
        open_stream(to, message);
        return;
    }
    if (message->form == SIGNATURE) {
        assert_int_equal(VerifySignature(&to->context, &message->desc, 0, &qop), SEC_E_OK);
        assert_int_equal(qop, 0);
    } else {
        assert_int_equal(DecryptMessage(&to->context, &message->desc, 0, &qop), SEC_E_OK);
        assert_int_equal(qop, message->form == SIGNED_PIECES ? SECQOP_WRAP_NO_ENCRYPT : 0);
    }
    assert_memory_equal(message->data, message->text, message->len);
}

/* ---- many ---- */

static void exchange(const struct kind *kind)
{
    struct side *const sides[2] = {&pair.client, &pair.server};

    first[0] = first[1] = waiting[0] = waiting[1] = 0;
    for (unsigned sent = 0; sent < rounds || waiting[0] + waiting[1] > 0;) {
        const unsigned from = below(2);

        if (sent < rounds && waiting[from] < WAITING && below(2)) {
            send_one(kind, sides[from], &on_the_way[from][(first[from] + waiting[from]) % WAITING]);
            waiting[from]++;
            sent++;
        } else if (waiting[from] > 0) {
            receive_one(sides[!from], &on_the_way[from][first[from]]);
            first[from] = (first[from] + 1) % WAITING;
            waiting[from]--;
        }
    }
}

static void establish(const struct kind *kind)
{
    SEC_WINNT_AUTH_IDENTITY_EXA identity = {
        .Version = SEC_WINNT_AUTH_IDENTITY_VERSION,
        .Length = sizeof(identity),
        .User = (unsigned char *)"alice",
        .UserLength = 5,
        .Domain = (unsigned char *)REALM_NAME,
        .DomainLength = sizeof(REALM_NAME) - 1,
        .Password = (unsigned char *)"secret of alice",
        .PasswordLength = 15,
        .Flags = SEC_WINNT_AUTH_IDENTITY_ANSI,
        .PackageList = (unsigned char *)kind->list,
        .PackageListLength = kind->list ? (ULONG)strlen(kind->list) : 0,
    };
    char more[128] = "";

    if (kind->keys)
        snprintf(more, sizeof(more), "default_tgs_enctypes = %s " FIRST_KEY "\n", kind->keys);
    realm_configure(&realm, NULL, more);
    pair.client_flags = kind->flags;
    pair_establish(&pair, kind->package, &identity, kind->target);
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    fprintf(stderr, "OSSPI_TEST_SEED=%llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        SecPkgContext_KeyInfoA info;

        establish(&kinds[i]);
        assert_int_equal(QueryContextAttributesA(&pair.server.context, SECPKG_ATTR_KEY_INFO, &info),
                         SEC_E_OK);
        if (kinds[i].keys)
            assert_int_equal(info.EncryptAlgorithm, kinds[i].key_number);
        FreeContextBuffer(info.sEncryptAlgorithmName);
        FreeContextBuffer(info.sSignatureAlgorithmName);
        exchange(&kinds[i]);
        pair_end(&pair);
    }
}

/* A changed byte anywhere in the token or the text is noticed. */
static void no_byte_can_be_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct message *message = &on_the_way[0][0];
        ULONG at, qop;
        SECURITY_STATUS status;

        for (unsigned round = 0; round < 3; round++) {
            establish(&kinds[i]);
            do {
                send_one(&kinds[i], &pair.client, message);
            } while (message->form == STREAM || message->len == 0);
            at = below(message->buffers[0].cbBuffer + message->len);
            if (at < message->buffers[0].cbBuffer)
                message->token[at] ^= 0x10;
            else
                message->data[at - message->buffers[0].cbBuffer] ^= 0x10;
            status = message->form == SIGNATURE
                         ? VerifySignature(&pair.server.context, &message->desc, 0, &qop)
                         : DecryptMessage(&pair.server.context, &message->desc, 0, &qop);
            if (status >= 0)
                fprintf(stderr, "%s: byte %u of %u\n", kinds[i].name, (unsigned)at,
                        (unsigned)message->len);
            assert_true(status < 0);
            pair_end(&pair);
        }
    }
}

/* ---- NTLM that has not agreed on sealing ---- */

static void ntlm_signs_what_it_does_not_seal(void **state)
{
    const struct kind *kind = &kinds[10];
    char header[] = "header", data[] = "the body of it", stream[64];
    unsigned char token[16];
    SecBuffer buffers[3] = {{16, SECBUFFER_TOKEN, token},
                            {6, SECBUFFER_DATA | SECBUFFER_READONLY_WITH_CHECKSUM, header},
                            {14, SECBUFFER_DATA, data}};
    SecBuffer whole[2] = {{36, SECBUFFER_STREAM, stream}, {0, SECBUFFER_DATA, NULL}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 3, buffers};
    SecBufferDesc whole_desc = {SECBUFFER_VERSION, 2, whole};
    ULONG qop = 0;

    (void)state;
    establish(kind);
    assert_int_equal(EncryptMessage(&pair.client.context, SECQOP_WRAP_NO_ENCRYPT, &desc, 0),
                     SEC_E_OK);
    assert_string_equal(data, "the body of it");
    assert_int_equal(DecryptMessage(&pair.server.context, &desc, 0, &qop), SEC_E_OK);
    assert_int_equal(qop, SECQOP_WRAP_NO_ENCRYPT);
    assert_int_equal(EncryptMessage(&pair.client.context, SECQOP_WRAP_NO_ENCRYPT, &desc, 0),
                     SEC_E_OK);
    memcpy(stream, token, 16);
    memcpy(stream + 16, header, 6);
    memcpy(stream + 22, data, 14);
    assert_int_equal(DecryptMessage(&pair.server.context, &whole_desc, 0, &qop), SEC_E_OK);
    assert_int_equal(whole[1].cbBuffer, 20);
    assert_memory_equal(whole[1].pvBuffer, "headerthe body of it", 20);
    whole[0].cbBuffer = 15;
    assert_int_equal(DecryptMessage(&pair.server.context, &whole_desc, 0, &qop),
                     SEC_E_INVALID_TOKEN);
    /* What is not to be changed is signed all the same. */
    assert_int_equal(EncryptMessage(&pair.client.context, SECQOP_WRAP_NO_ENCRYPT, &desc, 0),
                     SEC_E_OK);
    header[0] = 'H';
    assert_int_equal(DecryptMessage(&pair.server.context, &desc, 0, &qop), SEC_E_MESSAGE_ALTERED);
    pair_end(&pair);
}

/* Neither signing nor sealing was asked for: there are no keys, and nothing verifies. The constant
 * is what goes out where only the form of a signature is wanted (MS-NLMP 3.4.4). */
static void ntlm_without_keys_verifies_nothing(void **state)
{
    static const unsigned char constant[16] = {1};
    struct kind kind = kinds[10];
    char data[] = "text";
    unsigned char token[16];
    SecBuffer buffers[2] = {{16, SECBUFFER_TOKEN, token}, {4, SECBUFFER_DATA, data}};
    SecBufferDesc desc = {SECBUFFER_VERSION, 2, buffers};
    ULONG qop;

    (void)state;
    kind.flags = 0;
    establish(&kind);
    memcpy(token, constant, 16);
    assert_int_equal(MakeSignature(&pair.client.context, 0, &desc, 0), SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(VerifySignature(&pair.server.context, &desc, 0, &qop),
                     SEC_E_UNSUPPORTED_FUNCTION);
    assert_int_equal(DecryptMessage(&pair.server.context, &desc, 0, &qop),
                     SEC_E_UNSUPPORTED_FUNCTION);
    pair_end(&pair);
}

static int group_setup(void **state)
{
    const char *wish = getenv("OSSPI_TEST_SEED"), *count = getenv("OSSPI_TRAFFIC_ROUNDS");
    FILE *users;

    (void)state;
    seed = wish ? strtoull(wish, NULL, 10) : 20260101;
    if (count)
        rounds = (unsigned)strtoul(count, NULL, 10);
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
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(no_byte_can_be_changed),
        cmocka_unit_test(ntlm_signs_what_it_does_not_seal),
        cmocka_unit_test(ntlm_without_keys_verifies_nothing),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
