/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Fuzz target: SCHANNEL_CRED and SCH_CREDENTIALS with any contents, as long as what their pointers
 * promise is there: an array that is counted is as long as its count says, up to a bound behind
 * which the library must not look. A credential that came of it is changed by AddCredentials, new
 * certificates, ticket keys and a policy for client certificates, with any contents as well.
 *
 * Input: two bytes of options, then the members in the order in which they are filled below.
 */
#include <opensspi.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "support/contract_status.h"

#define MAX_ALLOCATIONS 1400

/* All memory of one input, freed at its end. */
static void
    *allocations[MAX_ALLOCATIONS]; /* guarded by being used on one thread, as the next two */
static unsigned allocation_count;
static PCCERT_CONTEXT certificates[3];
static HCERTSTORE roots;

void fuzz_prepare(void)
{
    PCCERT_CONTEXT ca = peer_certificate("ca");

    certificates[0] = peer_certificate("server");
    certificates[1] = peer_certificate("server-rsa");
    certificates[2] = CertCreateCertificateContext(X509_ASN_ENCODING, ca->pbCertEncoded,
                                                   ca->cbCertEncoded); /* has no key */
    roots = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);
    TEST_REQUIRE(certificates[2] && roots);
    TEST_REQUIRE(CertAddCertificateContextToStore(roots, ca, CERT_STORE_ADD_NEW, NULL));
    CertFreeCertificateContext(ca);
}

static void *room(size_t size)
{
    TEST_REQUIRE(allocation_count < MAX_ALLOCATIONS);
    return allocations[allocation_count++] = fuzz_room(size);
}

static void free_all(void)
{
    while (allocation_count > 0)
        free(allocations[--allocation_count]);
}

/* Mostly small, now and then any number; an array gets room up to the bound of its kind. */
static DWORD count(struct fuzz_input *input)
{
    uint8_t byte = fuzz_u8(input);

    return byte < 0xF0 ? byte % 5 : byte == 0xF0 ? fuzz_u32(input) : byte;
}

static size_t bounded(DWORD wanted, size_t bound)
{
    return wanted < bound ? wanted : bound;
}

static UNICODE_STRING counted_string(struct fuzz_input *input)
{
    static const WCHAR *const known[] = {
        u"AES",  u"SHA256",    u"SHA384",          u"CHACHA20_POLY1305", u"RSA", u"ECDSA",
        u"ECDH", u"ECDH_P256", u"ChainingModeGCM", u"ChainingModeCCM",   u"DH",  u"3DES"};
    uint8_t which = fuzz_u8(input);
    UNICODE_STRING string = {0};
    size_t len;
    uint8_t *bytes;

    if (which < 200) {
        const WCHAR *name = known[which % (sizeof(known) / sizeof(known[0]))];
        size_t units = 0;

        while (name[units])
            units++;
        string.Buffer = room((units + 1) * sizeof(WCHAR));
        memcpy(string.Buffer, name, (units + 1) * sizeof(WCHAR));
        string.Length = (USHORT)((units + (which & 1)) * sizeof(WCHAR));
        string.MaximumLength = (USHORT)((units + 1) * sizeof(WCHAR));
        return string;
    }
    if (which == 255)
        return (UNICODE_STRING){.Length = fuzz_u16(input)};
    bytes = fuzz_take(input, which - 200u, &len);
    string.Buffer = room(len);
    memcpy(string.Buffer, bytes, len);
    string.Length = (USHORT)len;
    free(bytes);
    return string;
}

static PUNICODE_STRING strings(struct fuzz_input *input, DWORD wanted, size_t bound)
{
    size_t len = bounded(wanted, bound);
    PUNICODE_STRING array;

    if (wanted == 0 && fuzz_pick(input, 2))
        return NULL;
    array = room(len * sizeof(*array));
    for (size_t i = 0; i < len; i++)
        array[i] = counted_string(input);
    return array;
}

static void fill_crypto(struct fuzz_input *input, CRYPTO_SETTINGS *one)
{
    memset(one, 0, sizeof(*one));
    one->eAlgorithmUsage = (eTlsAlgorithmUsage)fuzz_pick(input, 7);
    one->strCngAlgId = counted_string(input);
    one->cChainingModes = count(input);
    one->rgstrChainingModes = strings(input, one->cChainingModes, 2);
    if (one->cChainingModes > 2 && one->cChainingModes <= SCH_CRED_MAX_SUPPORTED_CHAINING_MODES)
        one->cChainingModes = 2;
    one->dwMinBitLength = fuzz_pick(input, 3) * 128;
    one->dwMaxBitLength = fuzz_pick(input, 3) * 128;
}

static void fill_parameters(struct fuzz_input *input, TLS_PARAMETERS *one)
{
    size_t len;

    memset(one, 0, sizeof(*one));
    one->cAlpnIds = count(input);
    one->rgstrAlpnIds = strings(input, one->cAlpnIds, 2);
    if (one->cAlpnIds > 2 && one->cAlpnIds <= SCH_CRED_MAX_SUPPORTED_ALPN_IDS)
        one->cAlpnIds = 2;
    one->grbitDisabledProtocols = fuzz_u32(input);
    one->dwFlags = fuzz_pick(input, 3);
    one->cDisabledCrypto = count(input);
    len = bounded(one->cDisabledCrypto, SCH_CRED_MAX_SUPPORTED_CRYPTO_SETTINGS);
    one->pDisabledCrypto = room(len * sizeof(CRYPTO_SETTINGS));
    for (size_t i = 0; i < len; i++)
        fill_crypto(input, &one->pDisabledCrypto[i]);
}

static PCCERT_CONTEXT *fill_certificates(struct fuzz_input *input, DWORD wanted)
{
    size_t len = bounded(wanted, 100);
    PCCERT_CONTEXT *array = room(len * sizeof(*array));

    for (size_t i = 0; i < len; i++) {
        unsigned which = fuzz_pick(input, 16);

        array[i] = which == 15 ? NULL : certificates[which % 7 > 2 ? 0 : which % 7];
    }
    return array;
}

/* A thumbprint, or a structure with one, of exactly the size that its length and format promise. */
static PCCERT_CONTEXT *fill_hash(struct fuzz_input *input, DWORD format)
{
    static const DWORD lengths[] = {sizeof(SCHANNEL_CERT_HASH_STORE), sizeof(SCHANNEL_CERT_HASH)};
    const DWORD length = fuzz_pick(input, 8) ? lengths[fuzz_pick(input, 2)] : fuzz_u32(input);
    size_t size = 20, got;
    uint8_t *bytes, *hash;

    if (format == SCH_CRED_FORMAT_CERT_HASH_STORE)
        size = length == sizeof(SCHANNEL_CERT_HASH_STORE) ? length : sizeof(length);
    else if (length == sizeof(SCHANNEL_CERT_HASH))
        size = length;
    hash = room(size);
    memset(hash, 0, size);
    bytes = fuzz_take(input, size, &got);
    memcpy(hash, bytes, got);
    free(bytes);
    memcpy(hash, &length, sizeof(length));
    return (PCCERT_CONTEXT *)(void *)hash;
}

static PCCERT_CONTEXT *fill_credentials(struct fuzz_input *input, DWORD format, DWORD wanted)
{
    if (fuzz_pick(input, 8) == 0)
        return NULL;
    return format == SCH_CRED_FORMAT_CERT_HASH || format == SCH_CRED_FORMAT_CERT_HASH_STORE
               ? fill_hash(input, format)
               : fill_certificates(input, wanted);
}

static void *make_schannel_cred(struct fuzz_input *input)
{
    SCHANNEL_CRED *cred = room(sizeof(*cred));
    size_t len;

    memset(cred, 0, sizeof(*cred));
    cred->dwVersion = SCHANNEL_CRED_VERSION;
    cred->dwCredFormat = fuzz_pick(input, 4) ? fuzz_pick(input, 3) : fuzz_u8(input);
    cred->cCreds = count(input);
    cred->paCred = fill_credentials(input, cred->dwCredFormat, cred->cCreds);
    cred->hRootStore = fuzz_pick(input, 4) ? NULL : roots;
    cred->cMappers = count(input);
    cred->cSupportedAlgs = count(input);
    len = bounded(cred->cSupportedAlgs, SCH_CRED_MAX_SUPPORTED_ALGS);
    cred->palgSupportedAlgs = fuzz_pick(input, 8) ? room(len * sizeof(ALG_ID)) : NULL;
    for (size_t i = 0; cred->palgSupportedAlgs && i < len; i++)
        cred->palgSupportedAlgs[i] = fuzz_u16(input);
    cred->grbitEnabledProtocols = fuzz_pick(input, 2) ? 0 : fuzz_u32(input);
    cred->dwMinimumCipherStrength = (DWORD)(int8_t)fuzz_u8(input);
    cred->dwMaximumCipherStrength = (DWORD)(int16_t)fuzz_u16(input);
    cred->dwSessionLifespan = fuzz_u32(input);
    cred->dwFlags = fuzz_u32(input);
    return cred;
}

static void *make_sch_credentials(struct fuzz_input *input)
{
    SCH_CREDENTIALS *cred = room(sizeof(*cred));
    size_t len;

    memset(cred, 0, sizeof(*cred));
    cred->dwVersion = SCH_CREDENTIALS_VERSION;
    cred->dwCredFormat = fuzz_pick(input, 4) ? fuzz_pick(input, 3) : fuzz_u8(input);
    cred->cCreds = count(input);
    cred->paCred = fill_credentials(input, cred->dwCredFormat, cred->cCreds);
    cred->hRootStore = fuzz_pick(input, 4) ? NULL : roots;
    cred->dwSessionLifespan = fuzz_u32(input);
    cred->dwFlags = fuzz_u32(input);
    cred->cTlsParameters = count(input);
    len = bounded(cred->cTlsParameters, 3);
    if (cred->cTlsParameters <= SCH_CRED_MAX_SUPPORTED_PARAMETERS)
        cred->cTlsParameters = (DWORD)len;
    cred->pTlsParameters = fuzz_pick(input, 8) ? room(len * sizeof(TLS_PARAMETERS)) : NULL;
    for (size_t i = 0; cred->pTlsParameters && i < len; i++)
        fill_parameters(input, &cred->pTlsParameters[i]);
    return cred;
}

static void *make_unknown(struct fuzz_input *input)
{
    DWORD *cred = room(sizeof(*cred)); /* behind its version nothing must be read */

    *cred = fuzz_u32(input);
    return *cred == SCHANNEL_CRED_VERSION || *cred == SCH_CREDENTIALS_VERSION ? NULL : cred;
}

static void *make_auth(struct fuzz_input *input, unsigned kind)
{
    switch (kind) {
    case 0:
    case 1:
        return make_schannel_cred(input);
    case 2:
        return make_sch_credentials(input);
    default:
        return make_unknown(input);
    }
}

static void set_tickets(CredHandle *credential, struct fuzz_input *input)
{
    SecPkgCred_SessionTicketKeys all = {.cSessionTicketKeys = count(input)};
    size_t len = bounded(all.cSessionTicketKeys, 16);

    if (all.cSessionTicketKeys <= 16 && fuzz_pick(input, 8))
        all.pSessionTicketKeys = room(len * sizeof(SecPkgCred_SessionTicketKey));
    for (size_t i = 0; all.pSessionTicketKeys && i < len; i++) {
        SecPkgCred_SessionTicketKey *key = &all.pSessionTicketKeys[i];

        memset(key, fuzz_u8(input), sizeof(*key));
        key->TicketInfoVersion = fuzz_pick(input, 8) ? 0 : fuzz_u32(input);
        key->KeyingMaterialSize = fuzz_pick(input, 4) ? 32 : fuzz_u8(input);
    }
    contract_require(
        "SetCredentialsAttributesW",
        SetCredentialsAttributesW(credential, SECPKG_ATTR_SESSION_TICKET_KEYS, &all, sizeof(all)));
}

static void set_policy(CredHandle *credential, struct fuzz_input *input)
{
    SecPkgCred_ClientCertPolicy policy = {.dwFlags = fuzz_pick(input, 5),
                                          .dwCertFlags = fuzz_u32(input),
                                          .dwUrlRetrievalTimeout = fuzz_u32(input),
                                          .fOmitUsageCheck = fuzz_pick(input, 2) != 0};

    contract_require("SetCredentialsAttributesA",
                     SetCredentialsAttributesA(credential, SECPKG_ATTR_CLIENT_CERT_POLICY, &policy,
                                               sizeof(policy)));
}

static void change(CredHandle *credential, struct fuzz_input *input, ULONG usage)
{
    size_t len = fuzz_u8(input) % 64;
    char *principal = fuzz_take_string(input, len);
    PCCERT_CONTEXT *array = fill_certificates(input, 4);

    contract_require("AddCredentialsA",
                     AddCredentialsA(credential, fuzz_pick(input, 4) ? principal : NULL, NULL,
                                     usage, make_auth(input, fuzz_pick(input, 3)), NULL, NULL,
                                     NULL));
    contract_require("OsspiRenewCredential",
                     OsspiRenewCredential(credential, array, fuzz_pick(input, 5), NULL));
    set_tickets(credential, input);
    set_policy(credential, input);
    free(principal);
}

/* A credential that was given can be asked and makes a first leg that ends somehow. */
static void use(CredHandle *credential, ULONG usage)
{
    static const uint8_t hello[] = {22, 3, 1, 0, 4, 1, 0, 0, 0};
    struct fuzz_end end;
    SecPkgCred_SupportedProtocols protocols = {0};

    contract_require(
        "QueryCredentialsAttributesA",
        QueryCredentialsAttributesA(credential, SECPKG_ATTR_SUPPORTED_PROTOCOLS, &protocols));
    fuzz_end_init_plain(&end, credential, usage == SECPKG_CRED_INBOUND);
    if (end.server)
        peer_push(&end.in, hello, sizeof(hello));
    (void)fuzz_leg(&end);
    fuzz_end_free(&end);
    TEST_REQUIRE_EQUAL(FreeCredentialsHandle(credential), SEC_E_OK);
}

void fuzz_one(struct fuzz_input *input)
{
    static const char *const packages[] = {UNISP_NAME_A, "Schannel", "Default TLS SSP", "", "nope"};
    uint8_t options = fuzz_u8(input), usage = fuzz_u8(input);
    const char *package = packages[options < 240 ? options % 3 : options % 5];
    ULONG use_bits = usage < 250 ? SECPKG_CRED_INBOUND + usage % 2 : usage;
    CredHandle credential = {(ULONG_PTR)-3, 7};
    TimeStamp expiry;
    void *auth;
    SECURITY_STATUS status;

    auth = make_auth(input, options % 4);
    status =
        AcquireCredentialsHandleA(options % 8 == 4 ? (LPSTR) "a.example" : NULL, (LPSTR)package,
                                  use_bits, NULL, auth, NULL, NULL, &credential, &expiry);
    contract_require("AcquireCredentialsHandleA", status);
    free_all(); /* what was copied is copied */
    if (status == SEC_E_OK && fuzz_pick(input, 4) == 0)
        change(&credential, input, use_bits);
    free_all();
    if (status == SEC_E_OK)
        use(&credential, use_bits);
    else
        TEST_REQUIRE(credential.dwLower == (ULONG_PTR)-3 && credential.dwUpper == 7);
}
