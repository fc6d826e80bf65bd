/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Inputs, randomness and credentials of the fuzz targets; see fuzz.h.
 *
 * A handshake is only repeatable if both sides draw the same random numbers each time. The TLS
 * library asks a replaceable method for them, in whichever library context it works; here that
 * method counts from a seed. This is the one reason for the deprecated function.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "fuzz/fuzz.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- randomness ---- */

static _Atomic uint64_t random_states[FUZZ_STREAMS];
static _Atomic unsigned random_stream;

static int random_bytes(unsigned char *bytes, int len)
{
    for (int i = 0; i < len; i++) {
        uint64_t state = atomic_fetch_add(&random_states[atomic_load(&random_stream)], 1);

        bytes[i] = (unsigned char)(test_random(&state) >> 24);
    }
    return 1;
}

static int random_status(void)
{
    return 1;
}

void fuzz_reseed(uint64_t seed)
{
    static const RAND_METHOD method = {
        .bytes = random_bytes, .pseudorand = random_bytes, .status = random_status};

    for (unsigned i = 0; i < FUZZ_STREAMS; i++)
        atomic_store(&random_states[i], (seed + i) * UINT64_C(0x100000001));
    fuzz_draw_from(FUZZ_STREAM_OTHER);
    TEST_REQUIRE(RAND_set_rand_method(&method) == 1);
}

void fuzz_draw_from(enum fuzz_stream stream)
{
    atomic_store(&random_stream, stream);
}

/* ---- the input ---- */

uint8_t fuzz_u8(struct fuzz_input *input)
{
    if (input->len == 0)
        return 0;
    input->len--;
    return *input->bytes++;
}

uint16_t fuzz_u16(struct fuzz_input *input)
{
    uint16_t low = fuzz_u8(input);

    return (uint16_t)(fuzz_u8(input) << 8 | low);
}

uint32_t fuzz_u32(struct fuzz_input *input)
{
    uint32_t low = fuzz_u16(input);

    return (uint32_t)fuzz_u16(input) << 16 | low;
}

unsigned fuzz_pick(struct fuzz_input *input, unsigned count)
{
    return fuzz_u8(input) % count;
}

uint8_t *fuzz_room(size_t len)
{
    uint8_t *room = malloc(len ? len : 1);

    TEST_REQUIRE(room);
    memset(room, 0xA5, len ? len : 1);
    return room;
}

uint8_t *fuzz_take(struct fuzz_input *input, size_t len, size_t *ret_len)
{
    uint8_t *taken;

    if (len > input->len)
        len = input->len;
    taken = fuzz_room(len);
    if (len > 0)
        memcpy(taken, input->bytes, len);
    input->bytes += len;
    input->len -= len;
    *ret_len = len;
    return taken;
}

uint8_t *fuzz_take_rest(struct fuzz_input *input, size_t *ret_len)
{
    return fuzz_take(input, input->len, ret_len);
}

char *fuzz_take_string(struct fuzz_input *input, size_t len)
{
    size_t got = len < input->len ? len : input->len;
    char *string = (char *)fuzz_room(got + 1);

    if (got > 0)
        memcpy(string, input->bytes, got);
    string[got] = '\0';
    input->bytes += got;
    input->len -= got;
    return string;
}

/* ---- credentials ---- */

static HCERTSTORE store_of(PCCERT_CONTEXT certificate)
{
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);

    TEST_REQUIRE(store);
    TEST_REQUIRE(CertAddCertificateContextToStore(store, certificate, CERT_STORE_ADD_ALWAYS, NULL));
    return store;
}

static void acquire(CredHandle *credential, bool server, DWORD protocols, DWORD flags,
                    const char *certificate, const char *roots)
{
    PCCERT_CONTEXT context = certificate ? peer_certificate(certificate) : NULL;
    PCCERT_CONTEXT root = roots ? peer_certificate(roots) : NULL;
    OsspiTlsOptions options = {.cbSize = sizeof(options), .flags = OSSPI_TLS_EARLY_DATA};
    SCHANNEL_CRED auth = {
        .dwVersion = SCHANNEL_CRED_VERSION,
        .cCreds = context ? 1 : 0,
        .paCred = &context,
        .hRootStore = root ? store_of(root) : NULL,
        .grbitEnabledProtocols = protocols,
        .dwFlags = flags,
    };

    fuzz_draw_from(FUZZ_STREAM_OTHER);
    TEST_REQUIRE_EQUAL(
        AcquireCredentialsHandleA(NULL, (LPSTR)UNISP_NAME_A,
                                  server ? SECPKG_CRED_INBOUND : SECPKG_CRED_OUTBOUND, NULL, &auth,
                                  NULL, NULL, credential, NULL),
        SEC_E_OK);
    if (protocols & SP_PROT_TLS1_3) /* these alone */
        TEST_REQUIRE_EQUAL(SetCredentialsAttributesA(credential, OSSPI_CRED_ATTR_TLS_OPTIONS,
                                                     &options, sizeof(options)),
                           SEC_E_OK);
    CertFreeCertificateContext(context);
    CertFreeCertificateContext(root);
    if (auth.hRootStore)
        CertCloseStore(auth.hRootStore, 0);
}

static CredHandle clients[FUZZ_CLIENTS]; /* guarded by being used on one thread, as the next */
static CredHandle servers[FUZZ_SERVERS];

CredHandle *fuzz_client(enum fuzz_client kind)
{
    static const struct {
        DWORD protocols, flags;
        const char *certificate;
    } how[FUZZ_CLIENTS] = {
        [FUZZ_CLIENT_ANY] = {0, 0, NULL},
        [FUZZ_CLIENT_TLS12] = {SP_PROT_TLS1_2_CLIENT, 0, NULL},
        [FUZZ_CLIENT_TLS13] = {SP_PROT_TLS1_3_CLIENT, 0, NULL},
        [FUZZ_CLIENT_MANUAL] = {0, SCH_CRED_MANUAL_CRED_VALIDATION, NULL},
        [FUZZ_CLIENT_CERTIFICATE] = {0, 0, "client"},
    };

    if (clients[kind].dwLower == 0 && clients[kind].dwUpper == 0)
        acquire(&clients[kind], false, how[kind].protocols, how[kind].flags, how[kind].certificate,
                NULL);
    return &clients[kind];
}

CredHandle *fuzz_server(enum fuzz_server kind)
{
    static const struct {
        DWORD protocols, flags;
        const char *certificate, *roots;
    } how[FUZZ_SERVERS] = {
        [FUZZ_SERVER_EC] = {0, 0, "server", NULL},
        [FUZZ_SERVER_RSA] = {0, 0, "server-rsa", NULL},
        [FUZZ_SERVER_TLS12] = {SP_PROT_TLS1_2_SERVER, 0, "server", NULL},
        [FUZZ_SERVER_TLS13] = {SP_PROT_TLS1_3_SERVER, 0, "server", NULL},
        [FUZZ_SERVER_ROOTS] = {0, SCH_CRED_DISABLE_RECONNECTS, "server", "ca"},
    };

    if (servers[kind].dwLower == 0 && servers[kind].dwUpper == 0)
        acquire(&servers[kind], true, how[kind].protocols, how[kind].flags, how[kind].certificate,
                how[kind].roots);
    return &servers[kind];
}

/* ---- around a target ---- */

static OsspiStatistics before; /* guarded by being used on one thread; of the prepared process */

static OsspiStatistics live(void)
{
    OsspiStatistics now = {.cbSize = sizeof(now)};

    TEST_REQUIRE_EQUAL(OsspiGetStatistics(&now), SEC_E_OK);
    return now;
}

/* A worker may still hold what a callback has freed. What never goes hangs, which the main programs
 * see. */
static bool nothing_left(void *data)
{
    OsspiStatistics now = live();

    (void)data;
    return now.live_contexts == before.live_contexts &&
           now.live_credentials == before.live_credentials &&
           now.live_async_contexts == before.live_async_contexts &&
           now.live_completion_queues == before.live_completion_queues;
}

void fuzz_set_up(void)
{
    peer_trust("ca");
    fuzz_reseed(1);
    fuzz_prepare();
    before = live();
}

void fuzz_run(const uint8_t *bytes, size_t len)
{
    struct fuzz_input input = {bytes, len};

    SslEmptyCacheA(NULL, 0);
    fuzz_reseed(1);
    fuzz_one(&input);
    /* What is left on the caller's thread would be taken for the next failure. */
    TEST_REQUIRE_EQUAL(ERR_peek_error(), 0);
    test_poll(nothing_left, NULL);
}
