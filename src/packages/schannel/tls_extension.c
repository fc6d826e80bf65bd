/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Extensions that the caller brings, and those of the peer that it asks for; see tls_extension.h.
 * What is parsed here comes straight from the wire, before the TLS library has judged it: whatever
 * is not as it should be gives nothing, and the TLS library will say why.
 */
#include "packages/schannel/tls_extension.h"

#include <openssl/ssl.h>
#include <string.h>

#include "base/memory.h"
#include "packages/schannel/tls_internal.h"

#define HEADER          4u  /* type and length of a message; RFC 8446, 4 */
#define HELLO_FIXED     34u /* version and random; RFC 8446, 4.1.2 */
#define EXTENSION_FIXED 4u  /* type and length; RFC 8446, 4.2 */

void osspi_extensions_free(struct osspi_extensions *extensions)
{
    if (extensions == NULL)
        return;
    for (size_t i = 0; i < extensions->sent_count; i++)
        osspi_free(extensions->sent[i].bytes);
    for (size_t i = 0; i < extensions->asked_count; i++)
        osspi_free(extensions->received[i].bytes);
    osspi_free(extensions);
}

bool osspi_extension_reserved(uint16_t type)
{
    return SSL_extension_supported(type) == 1;
}

void osspi_tls_watch_extensions(struct osspi_tls *tls, struct osspi_extensions *extensions)
{
    tls->extensions = extensions;
}

struct osspi_extension_set osspi_extension_set_of(const struct osspi_extensions *extensions)
{
    struct osspi_extension_set set = {.count = 0};

    for (size_t i = 0; extensions != NULL && i < extensions->sent_count; i++)
        set.types[set.count++] = extensions->sent[i].type;
    return set;
}

/* ---- receiving ---- */

struct reader {
    const uint8_t *at;
    size_t left;
};

static bool skip(struct reader *reader, size_t len)
{
    if (len > reader->left)
        return false;
    reader->at += len;
    reader->left -= len;
    return true;
}

/* A vector whose length stands in `prefix` bytes, one or two. */
static bool take_vector(struct reader *reader, size_t prefix, struct reader *ret_vector)
{
    const uint8_t *at = reader->at;

    if (!skip(reader, prefix))
        return false;
    ret_vector->left = prefix == 1 ? at[0] : (size_t)at[0] << 8 | at[1];
    ret_vector->at = reader->at;
    return skip(reader, ret_vector->left);
}

/* The extensions of a message. */
static bool find_block(bool server, const uint8_t *message, size_t len, struct reader *ret_block)
{
    struct reader reader = {message, len}, ignored;

    if (!skip(&reader, HEADER) ||
        message[0] != (server ? SSL3_MT_CLIENT_HELLO : SSL3_MT_ENCRYPTED_EXTENSIONS))
        return false;
    /* session id, suites, compression methods */
    if (server && (!skip(&reader, HELLO_FIXED) || !take_vector(&reader, 1, &ignored) ||
                   !take_vector(&reader, 2, &ignored) || !take_vector(&reader, 1, &ignored)))
        return false;
    return take_vector(&reader, 2, ret_block) && reader.left == 0;
}

/* What the same message, or the one after a HelloRetryRequest, has said before must not change
 * (RFC 8446, 4.1.2). */
static bool keep(struct osspi_extensions *extensions, struct osspi_extension *place,
                 const struct reader *data)
{
    if (place->there) {
        if (place->len != data->left ||
            (data->left > 0 && memcmp(place->bytes, data->at, data->left) != 0))
            extensions->broken = true;
        return true;
    }
    if (data->left > 0) {
        place->bytes = osspi_memdup(data->at, data->left);
        if (place->bytes == NULL)
            return false;
    }
    place->len = data->left;
    place->there = true;
    return true;
}

bool osspi_extensions_see(struct osspi_extensions *extensions, bool server, const uint8_t *message,
                          size_t len)
{
    bool seen[SCH_MAX_EXT_SUBSCRIPTIONS] = {false};
    struct reader block, data;

    if (!find_block(server, message, len, &block))
        return true;
    while (block.left >= EXTENSION_FIXED) {
        const uint16_t type = (uint16_t)(block.at[0] << 8 | block.at[1]);

        if (!skip(&block, 2) || !take_vector(&block, 2, &data))
            return true;
        for (size_t i = 0; i < extensions->asked_count; i++) {
            if (extensions->received[i].type != type)
                continue;
            extensions->broken = extensions->broken || seen[i];
            seen[i] = true;
            if (!keep(extensions, &extensions->received[i], &data))
                return false;
        }
    }
    return true;
}

/* ---- sending ---- */

static int on_add(SSL *ssl, unsigned int type, unsigned int context, const unsigned char **out,
                  size_t *out_len, X509 *certificate, size_t index, int *alert, void *argument)
{
    static const unsigned char nothing[1];
    const struct osspi_tls *tls = SSL_get_app_data(ssl);
    const struct osspi_extensions *extensions = tls->extensions;
    (void)context;
    (void)certificate;
    (void)index;
    (void)alert;
    (void)argument;

    for (size_t i = 0; extensions != NULL && i < extensions->sent_count; i++) {
        if (extensions->sent[i].type != type)
            continue;
        *out = extensions->sent[i].len > 0 ? extensions->sent[i].bytes : nothing;
        *out_len = extensions->sent[i].len;
        return 1;
    }
    return 0;
}

bool osspi_extension_register(SSL_CTX *ctx, const struct osspi_extension_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (SSL_CTX_add_custom_ext(ctx, set->types[i],
                                   SSL_EXT_CLIENT_HELLO | SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS,
                                   on_add, NULL, NULL, NULL, NULL) != 1)
            return false;
    }
    return true;
}

/* ---- configurations ---- */

static bool same_set(const struct osspi_extension_set *a, const struct osspi_extension_set *b)
{
    return a->count == b->count && memcmp(a->types, b->types, a->count * sizeof(a->types[0])) == 0;
}

/* The variant of this set with a reference for the caller; if there is none yet, *made becomes it,
 * as long as there is a place. What finds none serves its one connection. */
static struct osspi_tls_config *publish(struct osspi_tls_config *config,
                                        const struct osspi_extension_set *set,
                                        struct osspi_tls_config **made)
{
    OSSPI_LOCKED(&config->variant_lock);
    for (size_t i = 0; i < OSSPI_MAX_VARIANTS; i++) {
        struct osspi_tls_config **place = &config->variants[i];

        if (*place == NULL && made != NULL && (*made)->generation == config->generation)
            *place = OSSPI_TAKE(*made);
        if (*place == NULL)
            break;
        if (same_set(&(*place)->extensions, set))
            return osspi_tls_config_ref(*place);
    }
    return made != NULL ? OSSPI_TAKE(*made) : NULL;
}

static void unref_configp(struct osspi_tls_config **config)
{
    osspi_tls_config_unref(*config);
}

SECURITY_STATUS osspi_tls_config_get_with(struct osspi_schannel_credential *credential,
                                          uint32_t shard, bool datagram,
                                          const struct osspi_extensions *extensions,
                                          struct osspi_tls_config **ret_config)
{
    struct osspi_tls_config *plain osspi_auto(unref_configp) = NULL;
    struct osspi_tls_config *made osspi_auto(unref_configp) = NULL;
    const struct osspi_extension_set set = osspi_extension_set_of(extensions);
    SECURITY_STATUS status = osspi_tls_config_get(credential, shard, datagram, &plain);

    *ret_config = NULL;
    if (status != SEC_E_OK)
        return status;
    if (set.count == 0) {
        *ret_config = OSSPI_TAKE(plain);
        return SEC_E_OK;
    }
    *ret_config = publish(plain, &set, NULL);
    if (*ret_config != NULL)
        return SEC_E_OK;
    status = osspi_tls_config_make(credential, shard, datagram, &set, &made);
    if (status == SEC_E_OK)
        *ret_config = publish(plain, &set, &made);
    return status;
}
