/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contract: CIPHER_INFO, CONNECTION_INFO, CONNECTION_INFO_EX and KEY_INFO for each cipher suite and
 * each group that there is, as client and as server, with OpenSSL on the other side. What is
 * expected stands in the tables here: names as CNG has them (BCRYPT_..._ALGORITHM), numbers of IANA
 * and of wincrypt.h.
 */
#include <openssl/obj_mac.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "support/tls_raw.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct row {
    DWORD id;
    const char *name, *openssl; /* IANA's, OpenSSL's */
    const char *cipher;
    DWORD bits, block; /* bits, bytes */
    ALG_ID cipher_alg;
    const char *hash; /* "": the cipher authenticates */
    DWORD hash_bits;
    ALG_ID hash_alg;
    const char *exchange, *certificate;
    ALG_ID exchange_alg;
};

#define A128          "AES", 128, 16, 0x660E
#define A256          "AES", 256, 16, 0x6610
#define CHACHA        "CHACHA20_POLY1305", 256, 16, 0
#define AEAD256       "", 0, 0x800C
#define AEAD384       "", 0, 0x800D
#define MAC1          "SHA1", 160, 0x8004
#define MAC256        "SHA256", 256, 0x800C
#define MAC384        "SHA384", 384, 0x800D
#define ECDHE(signer) "ECDH", signer, 0xAE06
#define DHE           "DH", "RSA", 0xAA02
#define PLAIN_RSA     "RSA", "RSA", 0xA400

/* clang-format off */
static const struct row suites[] = {
    /* (each once more with the other kind of certificate, see below) */
    {0x1301, "TLS_AES_128_GCM_SHA256", NULL, A128, AEAD256, ECDHE("ECDSA")},
    {0x1302, "TLS_AES_256_GCM_SHA384", NULL, A256, AEAD384, ECDHE("ECDSA")},
    {0x1303, "TLS_CHACHA20_POLY1305_SHA256", NULL, CHACHA, AEAD256, ECDHE("ECDSA")},
    {0x1301, "TLS_AES_128_GCM_SHA256", NULL, A128, AEAD256, ECDHE("RSA")},

    {0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256",
     A128, AEAD256, ECDHE("ECDSA")},
    {0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384",
     A256, AEAD384, ECDHE("ECDSA")},
    {0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305",
     CHACHA, AEAD256, ECDHE("ECDSA")},
    {0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
     A128, AEAD256, ECDHE("RSA")},
    {0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
     A256, AEAD384, ECDHE("RSA")},
    {0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305",
     CHACHA, AEAD256, ECDHE("RSA")},
    {0x009E, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "DHE-RSA-AES128-GCM-SHA256",
     A128, AEAD256, DHE},
    {0x009F, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "DHE-RSA-AES256-GCM-SHA384",
     A256, AEAD384, DHE},
    {0xCCAA, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "DHE-RSA-CHACHA20-POLY1305",
     CHACHA, AEAD256, DHE},

    {0xC023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256",
     A128, MAC256, ECDHE("ECDSA")},
    {0xC024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE-ECDSA-AES256-SHA384",
     A256, MAC384, ECDHE("ECDSA")},
    {0xC027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256",
     A128, MAC256, ECDHE("RSA")},
    {0xC028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ECDHE-RSA-AES256-SHA384",
     A256, MAC384, ECDHE("RSA")},
    {0xC009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA",
     A128, MAC1, ECDHE("ECDSA")},
    {0xC00A, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA",
     A256, MAC1, ECDHE("ECDSA")},
    {0xC013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA",
     A128, MAC1, ECDHE("RSA")},
    {0xC014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA",
     A256, MAC1, ECDHE("RSA")},
    {0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "DHE-RSA-AES128-SHA256", A128, MAC256, DHE},
    {0x006B, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", "DHE-RSA-AES256-SHA256", A256, MAC256, DHE},
    {0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "DHE-RSA-AES128-SHA", A128, MAC1, DHE},
    {0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "DHE-RSA-AES256-SHA", A256, MAC1, DHE},

    {0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256", A128, AEAD256, PLAIN_RSA},
    {0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384", A256, AEAD384, PLAIN_RSA},
    {0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256", A128, MAC256, PLAIN_RSA},
    {0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256", "AES256-SHA256", A256, MAC256, PLAIN_RSA},
    {0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", A128, MAC1, PLAIN_RSA},
    {0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA", A256, MAC1, PLAIN_RSA},
};
/* clang-format on */

/* ---- connections ---- */

struct world {
    struct raw_peer raw;
    struct peer_end end;
};

/* Everything by name: that switches on what is off by default. ChaCha20 has no number, and is on
 * only where nothing is named. */
static void acquire(struct peer_end *end, const char *certificate, bool by_name)
{
    static const ALG_ID all[] = {CALG_AES_128, CALG_AES_256,    CALG_SHA1,     CALG_SHA_256,
                                 CALG_SHA_384, CALG_ECDH_EPHEM, CALG_DH_EPHEM, CALG_RSA_KEYX};
    PCCERT_CONTEXT context = certificate ? peer_certificate(certificate) : NULL;
    SCHANNEL_CRED credential = {
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = context ? 1 : 0,
        .paCred = &context,
        .cSupportedAlgs = by_name ? COUNT(all) : 0,
        .palgSupportedAlgs = by_name ? (ALG_ID *)(uintptr_t)all : NULL,
        .dwFlags = SCH_CRED_DISABLE_RECONNECTS,
    };

    assert_int_equal(end->form->acquire((LPSTR)UNISP_NAME_A,
                                        end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                                        &credential, &end->credential, NULL),
                     SEC_E_OK);
    end->has_credential = true;
    if (context)
        CertFreeCertificateContext(context);
}

static void open_suite(struct world *world, const struct peer_form *form, bool serve,
                       const struct row *row)
{
    const char *certificate = strcmp(row->certificate, "RSA") == 0 ? "server-rsa" : "server";
    const int version = row->openssl ? TLS1_2_VERSION : TLS1_3_VERSION;

    peer_end_init(&world->end, form, serve);
    acquire(&world->end, serve ? certificate : NULL, strcmp(row->cipher, "AES") == 0);
    raw_open(&world->raw, !serve, version, serve ? NULL : certificate);
    SSL_set_security_level(world->raw.ssl, 1);
    SSL_set_dh_auto(world->raw.ssl, 1);
    assert_int_equal(row->openssl ? SSL_set_cipher_list(world->raw.ssl, row->openssl)
                                  : SSL_set_ciphersuites(world->raw.ssl, row->name),
                     1);
    assert_int_equal(raw_handshake(&world->raw, &world->end), SEC_E_OK);
}

static void close_world(struct world *world)
{
    peer_end_free(&world->end);
    raw_close(&world->raw);
}

/* ---- what they tell ---- */

static void assert_wide(const WCHAR *wide, const char *narrow)
{
    char text[SZ_ALG_MAX_SIZE];
    size_t i = 0;

    for (; i + 1 < sizeof(text) && wide[i]; i++)
        text[i] = (char)wide[i];
    text[i] = '\0';
    assert_string_equal(text, narrow);
}

static SECURITY_STATUS query(const struct world *world, ULONG attribute, void *buffer)
{
    CtxtHandle context = world->end.context;

    return QueryContextAttributesW(&context, attribute, buffer);
}

static void check_cipher(const struct world *world, const struct row *row, DWORD group)
{
    SecPkgContext_CipherInfo info = {.dwVersion = SECPKGCONTEXT_CIPHERINFO_V1};

    assert_int_equal(query(world, SECPKG_ATTR_CIPHER_INFO, &info), SEC_E_OK);
    assert_int_equal(info.dwProtocol, row->openssl ? 0x0303 : 0x0304);
    assert_int_equal(info.dwCipherSuite, row->id);
    assert_int_equal(info.dwBaseCipherSuite, row->id);
    assert_wide(info.szCipherSuite, row->name);
    assert_wide(info.szCipher, row->cipher);
    assert_int_equal(info.dwCipherLen, row->bits);
    assert_int_equal(info.dwCipherBlockLen, row->block);
    assert_wide(info.szHash, row->hash);
    assert_int_equal(info.dwHashLen, row->hash_bits);
    assert_wide(info.szExchange, row->exchange);
    assert_int_equal(info.dwMinExchangeLen, 0);
    assert_int_equal(info.dwMaxExchangeLen, 65536);
    assert_wide(info.szCertificate, row->certificate);
    assert_int_equal(info.dwKeyType, group);
}

static void check_connection(const struct world *world, const struct row *row, DWORD strength)
{
    SecPkgContext_ConnectionInfoEx ex = {.dwVersion = SECPKGCONTEXT_CONNECTION_INFO_EX_V1};
    SecPkgContext_ConnectionInfo info;
    const DWORD client = row->openssl ? SP_PROT_TLS1_2_CLIENT : SP_PROT_TLS1_3_CLIENT;
    const DWORD server = row->openssl ? SP_PROT_TLS1_2_SERVER : SP_PROT_TLS1_3_SERVER;

    assert_int_equal(query(world, SECPKG_ATTR_CONNECTION_INFO, &info), SEC_E_OK);
    assert_int_equal(info.dwProtocol, world->end.server ? server : client);
    assert_int_equal(info.aiCipher, row->cipher_alg);
    assert_int_equal(info.dwCipherStrength, row->bits);
    assert_int_equal(info.aiHash, row->hash_alg);
    assert_int_equal(info.dwHashStrength, row->hash_bits);
    assert_int_equal(info.aiExch, row->exchange_alg);
    assert_int_equal(info.dwExchStrength, strength);
    assert_int_equal(query(world, SECPKG_ATTR_CONNECTION_INFO_EX, &ex), SEC_E_OK);
    assert_int_equal(ex.dwProtocol, info.dwProtocol);
    assert_wide(ex.szCipher, row->cipher);
    assert_int_equal(ex.dwCipherStrength, row->bits);
    assert_wide(ex.szHash, row->hash);
    assert_int_equal(ex.dwHashStrength, row->hash_bits);
    assert_wide(ex.szExchange, row->exchange);
    assert_int_equal(ex.dwExchStrength, strength);
}

static void check_key(const struct world *world, const struct row *row)
{
    SecPkgContext_KeyInfoW key;
    const bool aead = row->hash_bits == 0;

    assert_int_equal(query(world, SECPKG_ATTR_KEY_INFO, &key), SEC_E_OK);
    assert_wide(key.sEncryptAlgorithmName, row->cipher);
    assert_wide(key.sSignatureAlgorithmName, aead ? row->cipher : row->hash);
    assert_int_equal(key.KeySize, row->bits);
    assert_int_equal(key.EncryptAlgorithm, row->cipher_alg);
    assert_int_equal(key.SignatureAlgorithm, aead ? 0 : row->hash_alg);
    assert_int_equal(FreeContextBuffer(key.sEncryptAlgorithmName), SEC_E_OK);
    assert_int_equal(FreeContextBuffer(key.sSignatureAlgorithmName), SEC_E_OK);
}

/* Both sides like X25519 best. OpenSSL's prime, and the RSA key, have 2048 bits. */
static void check_suite(const struct world *world, const struct row *row)
{
    const bool curve = strcmp(row->exchange, "ECDH") == 0;

    check_cipher(world, row, curve ? 29 : 0);
    check_connection(world, row, curve ? 256 : 2048);
    check_key(world, row);
}

static void s3_6_each_suite_of_a_client(const struct peer_form *form)
{
    for (size_t i = 0; i < COUNT(suites); i++) {
        struct world world;

        open_suite(&world, form, false, &suites[i]);
        check_suite(&world, &suites[i]);
        close_world(&world);
    }
}

static void s3_6_each_suite_of_a_server(const struct peer_form *form)
{
    for (size_t i = 0; i < COUNT(suites); i++) {
        struct world world;

        open_suite(&world, form, true, &suites[i]);
        check_suite(&world, &suites[i]);
        close_world(&world);
    }
}

/* Whatever the TLS library offers here stands in the table: no suite of a credential with
 * everything on is missed. */
static void the_table_is_complete(const struct peer_form *form)
{
    struct raw_peer raw;
    struct peer_end end, wire = {0};
    size_t seen = 0;

    for (int by_name = 0; by_name < 2; by_name++) {
        peer_end_init(&end, form, false);
        acquire(&end, NULL, by_name != 0);
        raw_open(&raw, true, 0, "server");
        SSL_set_options(raw.ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
        assert_int_equal(peer_step(&end, &wire), SEC_I_CONTINUE_NEEDED);
        /* record, message, version, random, session id */
        const uint8_t *at = wire.in.bytes + 5 + 4 + 2 + 32;
        at += 1 + at[0];
        for (size_t len = (size_t)at[0] << 8 | at[1]; len > 0; len -= 2) {
            bool found = false;

            at += 2;
            for (size_t i = 0; i < COUNT(suites); i++)
                found = found || suites[i].id == (DWORD)(at[0] << 8 | at[1]);
            assert_true(found || (at[0] == 0 && at[1] == 0xFF)); /* the renegotiation signal */
            seen++;
        }
        peer_clear(&wire.in);
        peer_end_free(&end);
        raw_close(&raw);
    }
    assert_true(seen > 30);
}

/* ---- groups ---- */

static const struct {
    const char *openssl;
    DWORD number, bits;
    const char *off[5]; /* what has to be off so that it is offered */
    bool finite;
} groups[] = {
    {"X25519", 29, 256, {NULL}, false},
    {"P-256", 23, 256, {NULL}, false},
    {"P-384", 24, 384, {NULL}, false},
    {"P-521", 25, 521, {"curve25519", "ECDH_P256", "ECDH_P384"}, false},
    {"X448", 30, 448, {"curve25519", "ECDH_P256", "ECDH_P384", "ECDH_P521"}, false},
    {"ffdhe2048", 256, 2048, {"ECDH"}, true},
    {"ffdhe3072", 257, 3072, {"ECDH"}, true},
};

static void name_group(CRYPTO_SETTINGS *setting, WCHAR text[16], const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++)
        text[i] = (WCHAR)name[i];
    *setting = (CRYPTO_SETTINGS){
        .eAlgorithmUsage = TlsParametersCngAlgUsageKeyExchange,
        .strCngAlgId = {(USHORT)(len * 2), (USHORT)(len * 2), text},
    };
}

static void acquire_without(struct peer_end *end, const char *const off[5])
{
    PCCERT_CONTEXT context = end->server ? peer_certificate("server-rsa") : NULL;
    CRYPTO_SETTINGS settings[5];
    WCHAR text[5][16];
    TLS_PARAMETERS parameters = {.pDisabledCrypto = settings};
    SCH_CREDENTIALS credential = {
        .dwVersion = SCH_CREDENTIALS_VERSION,
        .cCreds = context ? 1 : 0,
        .paCred = &context,
        .cTlsParameters = 1,
        .pTlsParameters = &parameters,
    };

    for (size_t i = 0; off[i]; i++)
        name_group(&settings[parameters.cDisabledCrypto++], text[i], off[i]);
    assert_int_equal(end->form->acquire((LPSTR)UNISP_NAME_A,
                                        end->server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND,
                                        &credential, &end->credential, NULL),
                     SEC_E_OK);
    end->has_credential = true;
    if (context)
        CertFreeCertificateContext(context);
}

static void one_group(const struct peer_form *form, size_t i, bool serve)
{
    const struct row row = {.id = 0x1301,
                            .name = "TLS_AES_128_GCM_SHA256",
                            .cipher = "AES",
                            .bits = 128,
                            .block = 16,
                            .cipher_alg = CALG_AES_128,
                            .hash = "",
                            .hash_alg = CALG_SHA_256,
                            .exchange = groups[i].finite ? "DH" : "ECDH",
                            .certificate = "RSA",
                            .exchange_alg = groups[i].finite ? CALG_DH_EPHEM : CALG_ECDH_EPHEM};
    struct world world;

    peer_end_init(&world.end, form, serve);
    acquire_without(&world.end, groups[i].off);
    raw_open(&world.raw, !serve, TLS1_3_VERSION, serve ? NULL : "server-rsa");
    assert_int_equal(SSL_set_ciphersuites(world.raw.ssl, row.name), 1);
    assert_int_equal(SSL_set1_groups_list(world.raw.ssl, groups[i].openssl), 1);
    assert_int_equal(raw_handshake(&world.raw, &world.end), SEC_E_OK);
    check_cipher(&world, &row, groups[i].number);
    check_connection(&world, &row, groups[i].bits);
    close_world(&world);
}

static void s3_6_each_group_on_both_sides(const struct peer_form *form)
{
    for (size_t i = 0; i < COUNT(groups); i++) {
        one_group(form, i, false);
        one_group(form, i, true);
    }
}

int main(void)
{
    static const struct peer_case cases[] = {
        PEER_CASE(s3_6_each_suite_of_a_client),
        PEER_CASE(s3_6_each_suite_of_a_server),
        PEER_CASE(the_table_is_complete),
        PEER_CASE(s3_6_each_group_on_both_sides),
    };

    return peer_run_cases("contract.suites", cases, COUNT(cases));
}
