/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Contexts as bytes; see export.h. In this order: the header, the pieces whose lengths it has, the
 * checksum. Numbers are in the machine's own order, for the bytes go nowhere else.
 */
#include "packages/gssapi/export.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "packages/gssapi/pac.h"
#include "packages/gssapi/status.h"

#define MAGIC      "OSSPIctx"
#define VERSION    1u
#define MAX_PACKED (1u << 20)
#define KEY_SIZE   32u
#define SUM_KIND   CKSUMTYPE_HMAC_SHA1_96_AES256
#define SUM_SIZE   12u

enum piece { CLIENT_NAME, SERVER_NAME, CLIENT_PAC, MECHANISM, PIECES };

struct header {
    char magic[8];
    uint32_t version;
    uint32_t package; /* its RPC identifier */
    uint32_t mechanism;
    uint32_t client, dce; /* 0 or 1 */
    uint32_t flags;
    uint64_t granted;
    int64_t since, until;
    uint32_t signature, trailer, padding;
    uint32_t missing; /* see context.h */
    uint32_t lengths[PIECES];
};

static void release_token(gss_buffer_t token)
{
    OM_uint32 unused;

    if (token->value)
        osspi_secure_zero(token->value, token->length);
    (void)gss_release_buffer(&unused, token);
}

/* ---- the checksum ---- */

/* Known to everybody on this machine, until it starts anew. */
static void machine_key(uint8_t key[KEY_SIZE])
{
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(key, 0, KEY_SIZE);
    if (fd < 0)
        return;
    if (read(fd, key, KEY_SIZE) < 0)
        memset(key, 0, KEY_SIZE);
    (void)close(fd);
}

static SECURITY_STATUS sum(const uint8_t *bytes, size_t len, uint8_t ret_sum[SUM_SIZE])
{
    uint8_t key_bytes[KEY_SIZE];
    const krb5_keyblock key = {
        .enctype = ENCTYPE_AES256_CTS_HMAC_SHA1_96, .length = KEY_SIZE, .contents = key_bytes};
    const krb5_data data = {.length = (unsigned)len, .data = (char *)bytes};
    krb5_checksum made = {0};
    bool good;

    machine_key(key_bytes);
    if (krb5_c_make_checksum(NULL, SUM_KIND, &key, KRB5_KEYUSAGE_APP_DATA_CKSUM, &data, &made) != 0)
        return SEC_E_INSUFFICIENT_MEMORY;
    good = made.length == SUM_SIZE;
    if (good)
        memcpy(ret_sum, made.contents, SUM_SIZE);
    krb5_free_checksum_contents(NULL, &made);
    return good ? SEC_E_OK : SEC_E_INTERNAL_ERROR;
}

/* ---- export ---- */

static uint32_t text_len(const char *text)
{
    return text ? (uint32_t)strlen(text) : 0;
}

static struct header describe(const struct osspi_context *context, const gss_buffer_desc *token)
{
    const struct osspi_gss_context *gc = context->data;

    return (struct header){
        .magic = MAGIC,
        .version = VERSION,
        .package = context->package->rpc_id,
        .mechanism = gc->mechanism,
        .client = gc->client,
        .dce = gc->dce,
        .flags = gc->flags,
        .granted = gc->granted,
        .since = gc->since,
        .until = gc->until,
        .signature = gc->signature,
        .trailer = gc->trailer,
        .padding = gc->padding,
        .missing = gc->missing,
        .lengths = {text_len(gc->client_name), text_len(gc->server_name), (uint32_t)gc->pac_len,
                    (uint32_t)token->length},
    };
}

static size_t total(const struct header *header)
{
    size_t size = sizeof(*header);

    for (size_t i = 0; i < PIECES; i++)
        size += header->lengths[i];
    return size;
}

static SECURITY_STATUS pack(const struct osspi_context *context, const gss_buffer_desc *token,
                            SecBuffer *packed)
{
    const struct osspi_gss_context *gc = context->data;
    const struct header header = describe(context, token);
    const void *const pieces[PIECES] = {gc->client_name, gc->server_name, gc->pac, token->value};
    const size_t size = total(&header);
    uint8_t *bytes, *at;
    SECURITY_STATUS status;

    if (token->length > MAX_PACKED || size > MAX_PACKED)
        return SEC_E_INTERNAL_ERROR;
    bytes = osspi_context_buffer_new(size + SUM_SIZE);
    if (!bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(bytes, &header, sizeof(header));
    at = bytes + sizeof(header);
    for (size_t i = 0; i < PIECES; i++) {
        if (header.lengths[i] > 0)
            memcpy(at, pieces[i], header.lengths[i]);
        at += header.lengths[i];
    }
    status = sum(bytes, size, at);
    if (status != SEC_E_OK) {
        osspi_secure_zero(bytes, size);
        (void)osspi_context_buffer_free(bytes);
        return status;
    }
    *packed = (SecBuffer){(ULONG)(size + SUM_SIZE), SECBUFFER_TOKEN, bytes};
    return SEC_E_OK;
}

/* GSSAPI's context ends with its export, so the old one is made anew where it has to go on. */
static SECURITY_STATUS move(struct osspi_context *context, bool deletes, SecBuffer *packed)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    gss_buffer_desc token = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor = 0, major;
    SECURITY_STATUS status;

    OSSPI_LOCKED(&gc->lock);
    OSSPI_GSS_CALL;
    major = gss_export_sec_context(&minor, &gc->gss, &token);
    if (major != GSS_S_COMPLETE) {
        osspi_gss_detail(context, "gss_export_sec_context", major, minor, &osspi_gss_oid_krb5);
        return SEC_E_UNSUPPORTED_FUNCTION;
    }
    status = pack(context, &token, packed);
    if (status != SEC_E_OK || !deletes) {
        major = gss_import_sec_context(&minor, &token, &gc->gss);
        if (major != GSS_S_COMPLETE) /* the old one is lost, the new one may be good */
            osspi_context_set_state(context, OSSPI_CONTEXT_FAILED);
    }
    release_token(&token);
    return status;
}

SECURITY_STATUS osspi_gss_export(struct osspi_context *context, uint32_t flags, SecBuffer *packed)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    const bool deletes = (flags & SECPKG_CONTEXT_EXPORT_DELETE_OLD) != 0;

    if (!osspi_gss_established(gc) || gc->token.value)
        return SEC_E_INVALID_HANDLE;
    if (flags & SECPKG_CONTEXT_EXPORT_RESET_NEW || (gc->mechanism == OSSPI_GSS_NTLM && !deletes))
        return SEC_E_UNSUPPORTED_FUNCTION;
    if (gc->gss == GSS_C_NO_CONTEXT)
        return SEC_E_INVALID_HANDLE; /* it has left already */
    return move(context, deletes, packed);
}

/* ---- import ---- */

/* What came, with its pieces inside. */
struct parcel {
    struct header header;
    const uint8_t *pieces[PIECES];
};

static bool is_sound(const struct header *header, const struct osspi_context *context)
{
    return memcmp(header->magic, MAGIC, sizeof(header->magic)) == 0 && header->version == VERSION &&
           header->package == context->package->rpc_id &&
           (header->mechanism == OSSPI_GSS_KERBEROS || header->mechanism == OSSPI_GSS_NTLM) &&
           header->client <= 1 && header->dce <= 1;
}

static SECURITY_STATUS open_parcel(const struct osspi_context *context, const SecBuffer *packed,
                                   struct parcel *parcel)
{
    const uint8_t *bytes = packed->pvBuffer;
    size_t left = packed->cbBuffer;
    uint8_t expected[SUM_SIZE];
    SECURITY_STATUS status;

    if (!bytes || left < sizeof(parcel->header) + SUM_SIZE || left > MAX_PACKED + SUM_SIZE)
        return SEC_E_UNKNOWN_CREDENTIALS;
    left -= SUM_SIZE;
    status = sum(bytes, left, expected);
    if (status != SEC_E_OK)
        return status;
    memcpy(&parcel->header, bytes, sizeof(parcel->header));
    if (!osspi_secret_equal(expected, bytes + left, SUM_SIZE) ||
        !is_sound(&parcel->header, context))
        return SEC_E_UNKNOWN_CREDENTIALS;
    bytes += sizeof(parcel->header);
    left -= sizeof(parcel->header);
    for (size_t i = 0; i < PIECES; i++) {
        if (parcel->header.lengths[i] > left)
            return SEC_E_UNKNOWN_CREDENTIALS;
        parcel->pieces[i] = bytes;
        bytes += parcel->header.lengths[i];
        left -= parcel->header.lengths[i];
    }
    return left == 0 ? SEC_E_OK : SEC_E_UNKNOWN_CREDENTIALS;
}

/* A piece with a NUL behind it, in new memory; NULL: there is none. */
static SECURITY_STATUS copy(const struct parcel *parcel, enum piece piece, void *ret_text)
{
    const size_t len = parcel->header.lengths[piece];
    char *text = NULL;

    if (len > 0) {
        text = osspi_alloc(len + 1);
        if (!text)
            return SEC_E_INSUFFICIENT_MEMORY;
        memcpy(text, parcel->pieces[piece], len);
    }
    memcpy(ret_text, &text, sizeof(text));
    return SEC_E_OK;
}

static SECURITY_STATUS take_facts(struct osspi_gss_context *gc, const struct parcel *parcel)
{
    const struct header *header = &parcel->header;
    SECURITY_STATUS status = copy(parcel, CLIENT_NAME, &gc->client_name);

    if (status == SEC_E_OK)
        status = copy(parcel, SERVER_NAME, &gc->server_name);
    if (status == SEC_E_OK)
        status = copy(parcel, CLIENT_PAC, &gc->pac);
    gc->pac_len = gc->pac ? header->lengths[CLIENT_PAC] : 0;
    gc->mechanism = gc->choice = header->mechanism;
    gc->client = header->client != 0;
    gc->dce = header->dce != 0;
    gc->flags = header->flags;
    gc->granted = header->granted;
    gc->since = header->since;
    gc->until = header->until;
    gc->signature = header->signature;
    gc->trailer = header->trailer;
    gc->padding = header->padding;
    gc->missing = header->missing;
    return status;
}

/* Is it what the header says? */
static bool is_same(struct osspi_gss_context *gc)
{
    gss_OID mechanism = GSS_C_NO_OID;
    int initiated = 0, open = 0;
    OM_uint32 minor;

    return gss_inquire_context(&minor, gc->gss, NULL, NULL, NULL, &mechanism, NULL, &initiated,
                               &open) == GSS_S_COMPLETE &&
           open && (initiated != 0) == gc->client &&
           (mechanism != GSS_C_NO_OID &&
            gss_oid_equal(mechanism, gc->mechanism == OSSPI_GSS_KERBEROS ? &osspi_gss_oid_krb5
                                                                         : &osspi_gss_oid_ntlm));
}

SECURITY_STATUS osspi_gss_import(struct osspi_context *context, const SecBuffer *packed)
{
    struct osspi_gss_context *gc = osspi_gss(context);
    gss_buffer_desc token;
    struct parcel parcel;
    OM_uint32 minor = 0;
    SECURITY_STATUS status;

    OSSPI_GSS_CALL;
    status = open_parcel(context, packed, &parcel);
    if (status == SEC_E_OK)
        status = take_facts(gc, &parcel);
    if (status != SEC_E_OK)
        return status;
    token.length = parcel.header.lengths[MECHANISM];
    token.value = (void *)parcel.pieces[MECHANISM];
    if (gss_import_sec_context(&minor, &token, &gc->gss) != GSS_S_COMPLETE || !is_same(gc))
        return SEC_E_UNKNOWN_CREDENTIALS;
    gc->begun = true;
    atomic_store_explicit(&gc->established, true, memory_order_release);
    return SEC_E_OK;
}
