/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The cipher suites there are, in the order of preference: what policy decides by, and what
 * CIPHER_INFO, CONNECTION_INFO and KEY_INFO tell about a connection.
 *
 * On by default are the suites with forward secrecy and authenticated encryption (RFC 9325, 4.2).
 * The others serve who asks for them by algorithm or for a protocol that has nothing better.
 * Constant data; thread-safe. Knows no TLS library.
 */
#include "packages/schannel/credential.h"

#include <string.h>

#define GCM "ChainingModeGCM"
#define CBC "ChainingModeCBC"

/* TLS 1.3 names neither key exchange nor certificate in a suite (RFC 8446, B.4). */
#define TLS13(number, name, cipher_name, mode_name, bits, block, prf, alg, hash_id) \
    { \
        .id = (number), .version = 0x0304, .aead = true, .iana_name = (name), \
        .openssl_name = (name), .cipher = (cipher_name), .mode = (mode_name), \
        .cipher_bits = (bits), .cipher_block = (block), .hash = "", .prf_hash = (prf), \
        .hash_bits = 0, .exchange = "", .certificate = "", .cipher_alg = (alg), \
        .hash_alg = (hash_id), .exchange_alg = 0, .by_default = true \
    }

#define AES_GCM(number, name, ossl, bits, prf_bits, exch, cert, exch_id, on) \
    { \
        .id = (number), .version = 0x0303, .aead = true, .iana_name = (name), \
        .openssl_name = (ossl), .cipher = "AES", .mode = GCM, .cipher_bits = (bits), \
        .cipher_block = 16, .hash = "", .prf_hash = "SHA" #prf_bits, .hash_bits = 0, \
        .exchange = (exch), .certificate = (cert), .cipher_alg = CALG_AES_##bits, \
        .hash_alg = CALG_SHA_##prf_bits, .exchange_alg = (exch_id), .by_default = (on) \
    }

/* No CALG_ exists for ChaCha20. */
#define CHACHA20(number, name, ossl, exch, cert, exch_id) \
    { \
        .id = (number), .version = 0x0303, .aead = true, .iana_name = (name), \
        .openssl_name = (ossl), .cipher = "CHACHA20_POLY1305", .mode = "", .cipher_bits = 256, \
        .cipher_block = 16, .hash = "", .prf_hash = "SHA256", .hash_bits = 0, .exchange = (exch), \
        .certificate = (cert), .cipher_alg = 0, .hash_alg = CALG_SHA_256, \
        .exchange_alg = (exch_id), .by_default = true \
    }

#define AES_CBC(number, name, ossl, bits, mac, mac_bits, mac_id, prf, exch, cert, exch_id) \
    { \
        .id = (number), .version = 0x0303, .aead = false, .iana_name = (name), \
        .openssl_name = (ossl), .cipher = "AES", .mode = CBC, .cipher_bits = (bits), \
        .cipher_block = 16, .hash = (mac), .prf_hash = (prf), .hash_bits = (mac_bits), \
        .exchange = (exch), .certificate = (cert), .cipher_alg = CALG_AES_##bits, \
        .hash_alg = (mac_id), .exchange_alg = (exch_id), .by_default = false \
    }

#define CBC_SHA1(number, name, ossl, bits, exch, cert, exch_id) \
    AES_CBC(number, name, ossl, bits, "SHA1", 160, CALG_SHA1, "SHA256", exch, cert, exch_id)
#define CBC_SHA256(number, name, ossl, bits, exch, cert, exch_id) \
    AES_CBC(number, name, ossl, bits, "SHA256", 256, CALG_SHA_256, "SHA256", exch, cert, exch_id)
#define CBC_SHA384(number, name, ossl, bits, exch, cert, exch_id) \
    AES_CBC(number, name, ossl, bits, "SHA384", 384, CALG_SHA_384, "SHA384", exch, cert, exch_id)

/* With a pre-shared key nobody signs. For the key exchange without any other there is no CALG. */
#define PSK_AES_GCM(number, name, ossl, bits, prf_bits, exch, exch_id) \
    { \
        .id = (number), .version = 0x0303, .aead = true, .iana_name = (name), \
        .openssl_name = (ossl), .cipher = "AES", .mode = GCM, .cipher_bits = (bits), \
        .cipher_block = 16, .hash = "", .prf_hash = "SHA" #prf_bits, .hash_bits = 0, \
        .exchange = (exch), .certificate = "", .cipher_alg = CALG_AES_##bits, \
        .hash_alg = CALG_SHA_##prf_bits, .exchange_alg = (exch_id), .psk = true \
    }
#define PSK_CHACHA20(number, name, ossl, exch, exch_id) \
    { \
        .id = (number), .version = 0x0303, .aead = true, .iana_name = (name), \
        .openssl_name = (ossl), .cipher = "CHACHA20_POLY1305", .mode = "", .cipher_bits = 256, \
        .cipher_block = 16, .hash = "", .prf_hash = "SHA256", .hash_bits = 0, .exchange = (exch), \
        .certificate = "", .cipher_alg = 0, .hash_alg = CALG_SHA_256, .exchange_alg = (exch_id), \
        .psk = true \
    }

#define ECDHE_ECDSA "ECDH", "ECDSA", CALG_ECDH_EPHEM
#define ECDHE_RSA   "ECDH", "RSA", CALG_ECDH_EPHEM
#define DHE_RSA     "DH", "RSA", CALG_DH_EPHEM
#define RSA_RSA     "RSA", "RSA", CALG_RSA_KEYX

/* The short macros above would take these triples for one argument. */
#define WITH(macro, ...) macro(__VA_ARGS__)

static const struct osspi_suite suites[] = {
    TLS13(0x1302, "TLS_AES_256_GCM_SHA384", "AES", GCM, 256, 16, "SHA384", CALG_AES_256,
          CALG_SHA_384),
    TLS13(0x1301, "TLS_AES_128_GCM_SHA256", "AES", GCM, 128, 16, "SHA256", CALG_AES_128,
          CALG_SHA_256),
    TLS13(0x1303, "TLS_CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305", "", 256, 16, "SHA256", 0,
          CALG_SHA_256),

    WITH(AES_GCM, 0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
         "ECDHE-ECDSA-AES256-GCM-SHA384", 256, 384, ECDHE_ECDSA, true),
    WITH(AES_GCM, 0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
         256, 384, ECDHE_RSA, true),
    WITH(AES_GCM, 0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
         "ECDHE-ECDSA-AES128-GCM-SHA256", 128, 256, ECDHE_ECDSA, true),
    WITH(AES_GCM, 0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
         128, 256, ECDHE_RSA, true),
    WITH(CHACHA20, 0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
         "ECDHE-ECDSA-CHACHA20-POLY1305", ECDHE_ECDSA),
    WITH(CHACHA20, 0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
         "ECDHE-RSA-CHACHA20-POLY1305", ECDHE_RSA),
    WITH(AES_GCM, 0x009F, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "DHE-RSA-AES256-GCM-SHA384", 256,
         384, DHE_RSA, true),
    WITH(AES_GCM, 0x009E, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "DHE-RSA-AES128-GCM-SHA256", 128,
         256, DHE_RSA, true),
    WITH(CHACHA20, 0xCCAA, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "DHE-RSA-CHACHA20-POLY1305",
         DHE_RSA),

    WITH(CBC_SHA384, 0xC024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE-ECDSA-AES256-SHA384",
         256, ECDHE_ECDSA),
    WITH(CBC_SHA384, 0xC028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ECDHE-RSA-AES256-SHA384",
         256, ECDHE_RSA),
    WITH(CBC_SHA256, 0xC023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256",
         128, ECDHE_ECDSA),
    WITH(CBC_SHA256, 0xC027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256",
         128, ECDHE_RSA),
    WITH(CBC_SHA1, 0xC00A, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA", 256,
         ECDHE_ECDSA),
    WITH(CBC_SHA1, 0xC014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA", 256,
         ECDHE_RSA),
    WITH(CBC_SHA1, 0xC009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA", 128,
         ECDHE_ECDSA),
    WITH(CBC_SHA1, 0xC013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA", 128,
         ECDHE_RSA),
    WITH(CBC_SHA256, 0x006B, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", "DHE-RSA-AES256-SHA256", 256,
         DHE_RSA),
    WITH(CBC_SHA256, 0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "DHE-RSA-AES128-SHA256", 128,
         DHE_RSA),
    WITH(CBC_SHA1, 0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "DHE-RSA-AES256-SHA", 256, DHE_RSA),
    WITH(CBC_SHA1, 0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "DHE-RSA-AES128-SHA", 128, DHE_RSA),

    WITH(AES_GCM, 0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384", 256, 384, RSA_RSA,
         false),
    WITH(AES_GCM, 0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256", 128, 256, RSA_RSA,
         false),
    WITH(CBC_SHA256, 0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256", "AES256-SHA256", 256, RSA_RSA),
    WITH(CBC_SHA256, 0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256", 128, RSA_RSA),
    WITH(CBC_SHA1, 0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA", 256, RSA_RSA),
    WITH(CBC_SHA1, 0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", 128, RSA_RSA),

    /* What OpenSSL has with AEAD: RFC 5487, RFC 7905. */
    PSK_CHACHA20(0xCCAC, "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
                 "ECDHE-PSK-CHACHA20-POLY1305", "ECDH", CALG_ECDH_EPHEM),
    PSK_AES_GCM(0x00AB, "TLS_DHE_PSK_WITH_AES_256_GCM_SHA384", "DHE-PSK-AES256-GCM-SHA384", 256,
                384, "DH", CALG_DH_EPHEM),
    PSK_AES_GCM(0x00AA, "TLS_DHE_PSK_WITH_AES_128_GCM_SHA256", "DHE-PSK-AES128-GCM-SHA256", 128,
                256, "DH", CALG_DH_EPHEM),
    PSK_CHACHA20(0xCCAD, "TLS_DHE_PSK_WITH_CHACHA20_POLY1305_SHA256", "DHE-PSK-CHACHA20-POLY1305",
                 "DH", CALG_DH_EPHEM),
    PSK_AES_GCM(0x00A9, "TLS_PSK_WITH_AES_256_GCM_SHA384", "PSK-AES256-GCM-SHA384", 256, 384, "PSK",
                0),
    PSK_AES_GCM(0x00A8, "TLS_PSK_WITH_AES_128_GCM_SHA256", "PSK-AES128-GCM-SHA256", 128, 256, "PSK",
                0),
    PSK_CHACHA20(0xCCAB, "TLS_PSK_WITH_CHACHA20_POLY1305_SHA256", "PSK-CHACHA20-POLY1305", "PSK",
                 0),
};

_Static_assert(sizeof(suites) / sizeof(suites[0]) <= 64, "osspi_suite_set has a bit for each");

size_t osspi_suite_count(void)
{
    return sizeof(suites) / sizeof(suites[0]);
}

const struct osspi_suite *osspi_suite_at(size_t index)
{
    return index < osspi_suite_count() ? &suites[index] : NULL;
}

const struct osspi_suite *osspi_suite_find(uint16_t id)
{
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        if (suites[i].id == id)
            return &suites[i];
    }
    return NULL;
}

osspi_suite_set osspi_suites_for_device(osspi_suite_set suites_on)
{
    for (size_t i = 0; i < osspi_suite_count(); i++) {
        if (strcmp(suites[i].exchange, "RSA") == 0)
            suites_on &= ~((osspi_suite_set)1 << i);
    }
    return suites_on;
}
