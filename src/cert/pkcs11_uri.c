/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * PKCS #11 URIs; see pkcs11_uri.h. The grammar is that of RFC 7512, 2.3. No state; thread-safe.
 */
#include "cert/pkcs11_uri.h"

#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "cert/file.h"

#define SCHEME "pkcs11:"
#define PREFIX (sizeof(SCHEME) - 1)

/* A piece of the text; not terminated. */
struct piece {
    const char *at;
    size_t len;
};

enum attribute {
    A_TOKEN,
    A_MANUFACTURER,
    A_SERIAL,
    A_MODEL,
    A_OBJECT,
    A_ID,
    A_TYPE,
    A_PIN_VALUE,
    A_PIN_SOURCE,
    A_MODULE_PATH,
    A_COUNT
};

static const struct {
    const char *name;
    bool in_query;
} attributes[A_COUNT] = {
    [A_TOKEN] = {"token", false},
    [A_MANUFACTURER] = {"manufacturer", false},
    [A_SERIAL] = {"serial", false},
    [A_MODEL] = {"model", false},
    [A_OBJECT] = {"object", false},
    [A_ID] = {"id", false},
    [A_TYPE] = {"type", false},
    [A_PIN_VALUE] = {"pin-value", true},
    [A_PIN_SOURCE] = {"pin-source", true},
    [A_MODULE_PATH] = {"module-path", true},
};

/* What a URI holds, each attribute at most once; at NULL: not there. */
struct found {
    struct piece values[A_COUNT];
};

/* ---- characters ---- */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* pk11-pchar and pk11-qchar; the "%" of an encoded byte is looked at elsewhere. */
static bool is_allowed(char c, bool in_query)
{
    if (is_letter_or_digit(c))
        return true;
    return c != '\0' && strchr(in_query ? "-._~:[]@!$'()*+,=/?|" : "-._~:[]@!$'()*+,=&", c);
}

/* One byte of a value; how many characters it took, 0: malformed. */
static size_t decode_one(struct piece value, size_t at, bool in_query, char *ret_byte)
{
    int high, low;

    if (value.at[at] != '%') {
        *ret_byte = value.at[at];
        return is_allowed(value.at[at], in_query) ? 1 : 0;
    }
    if (value.len - at < 3)
        return 0;
    high = hex_digit(value.at[at + 1]);
    low = hex_digit(value.at[at + 2]);
    if (high < 0 || low < 0)
        return 0;
    *ret_byte = (char)(high * 16 + low);
    return 3;
}

/* Only an id is bytes; a NUL would cut any other value short. */
static bool is_sound(struct piece value, bool in_query, bool bytes)
{
    char byte;

    for (size_t at = 0, taken; at < value.len; at += taken) {
        taken = decode_one(value, at, in_query, &byte);
        if (taken == 0 || (byte == '\0' && !bytes))
            return false;
    }
    return true;
}

/* A copy of a sound value of the query, decoded and terminated. NULL: no memory. */
static char *decode(struct piece value, size_t *ret_len)
{
    char *text = osspi_alloc(value.len + 1);
    size_t len = 0;

    for (size_t at = 0; text && at < value.len;)
        at += decode_one(value, at, true, &text[len++]);
    *ret_len = len;
    return text;
}

/* ---- taking apart ---- */

static bool equals(struct piece piece, const char *text)
{
    return piece.len == strlen(text) && memcmp(piece.at, text, piece.len) == 0;
}

static struct piece cut(struct piece *rest, char separator)
{
    const char *end = memchr(rest->at, separator, rest->len);
    struct piece first = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
    size_t skip = first.len + (end ? 1 : 0);

    rest->at += skip;
    rest->len -= skip;
    return first;
}

static bool take_attribute(struct piece attribute, bool in_query, struct found *found)
{
    struct piece value = attribute;
    struct piece name = cut(&value, '=');

    if (name.len == attribute.len)
        return false; /* no "=" */
    for (size_t i = 0; i < A_COUNT; i++) {
        if (attributes[i].in_query != in_query || !equals(name, attributes[i].name))
            continue;
        if (found->values[i].at || !is_sound(value, in_query, i == A_ID))
            return false;
        found->values[i] = value;
        return true;
    }
    return in_query && name.len > 2 && memcmp(name.at, "x-", 2) == 0 &&
           is_sound(value, true, false);
}

static bool take_all(struct piece part, bool in_query, struct found *found)
{
    while (part.len > 0) {
        struct piece attribute = cut(&part, in_query ? '&' : ';');
        bool last = part.len == 0;

        /* Nothing stands behind a separator at the end. */
        if (last && attribute.at + attribute.len != part.at)
            return false;
        if (!take_attribute(attribute, in_query, found))
            return false;
    }
    return true;
}

static bool read_type(struct piece value, enum osspi_token_type *ret_type)
{
    *ret_type = OSSPI_TOKEN_ANY;
    if (!value.at)
        return true;
    if (equals(value, "cert"))
        *ret_type = OSSPI_TOKEN_CERTIFICATE;
    else if (equals(value, "private"))
        *ret_type = OSSPI_TOKEN_PRIVATE_KEY;
    return *ret_type != OSSPI_TOKEN_ANY;
}

/* The attributes of the path in a fixed order, whatever the order was in which they came: two URIs
 * that name the same are the same. */
static char *join_path(const struct found *found)
{
    size_t len = PREFIX + 1;
    char *path, *at;

    for (size_t i = 0; i < A_TYPE; i++)
        len += found->values[i].at ? strlen(attributes[i].name) + found->values[i].len + 2 : 0;
    path = at = osspi_alloc(len);
    if (!path)
        return NULL;
    memcpy(at, SCHEME, PREFIX);
    at += PREFIX;
    for (size_t i = 0; i < A_TYPE; i++) {
        const size_t name_len = strlen(attributes[i].name);

        if (!found->values[i].at)
            continue;
        if (at != path + PREFIX)
            *at++ = ';';
        memcpy(at, attributes[i].name, name_len);
        at[name_len] = '=';
        memcpy(at + name_len + 1, found->values[i].at, found->values[i].len);
        at += name_len + 1 + found->values[i].len;
    }
    return path;
}

/* ---- the PIN ---- */

/* A path, or a URI of a file of this machine. A program that is to be run is refused. */
static const char *source_path(const char *source)
{
    if (strncasecmp(source, "file:", 5) == 0)
        source += 5;
    if (strncmp(source, "//", 2) == 0)
        source += 2;
    return source[0] == '/' ? source : NULL;
}

static SECURITY_STATUS read_source(const char *source, struct osspi_secret *ret_pin)
{
    struct osspi_secret content osspi_auto(osspi_secret_clear) = {0};
    const char *path = source_path(source);
    SECURITY_STATUS status;
    size_t len;

    if (!path)
        return SEC_E_UNKNOWN_CREDENTIALS;
    status = osspi_file_read(path, true, &content);
    if (status != SEC_E_OK)
        return status;
    len = content.len;
    if (len > 0 && content.bytes[len - 1] == '\n')
        len--;
    if (len > 0 && content.bytes[len - 1] == '\r')
        len--;
    if (len == 0 || len > OSSPI_TOKEN_PIN_MAX || memchr(content.bytes, '\0', len))
        return SEC_E_UNKNOWN_CREDENTIALS;
    ret_pin->bytes = osspi_alloc(len + 1);
    if (!ret_pin->bytes)
        return SEC_E_INSUFFICIENT_MEMORY;
    memcpy(ret_pin->bytes, content.bytes, len);
    ret_pin->len = len;
    return SEC_E_OK;
}

static SECURITY_STATUS take_pin(const struct found *found, struct osspi_secret *ret_pin)
{
    char *source osspi_auto(osspi_freep) = NULL;
    size_t len;

    if (found->values[A_PIN_VALUE].at) {
        /* In memory of its full encoded length: what is decoded is shorter or as long. */
        if (found->values[A_PIN_VALUE].len > 3u * OSSPI_TOKEN_PIN_MAX)
            return SEC_E_UNKNOWN_CREDENTIALS;
        ret_pin->bytes = (uint8_t *)decode(found->values[A_PIN_VALUE], &ret_pin->len);
        if (!ret_pin->bytes)
            return SEC_E_INSUFFICIENT_MEMORY;
        return ret_pin->len > 0 && ret_pin->len <= OSSPI_TOKEN_PIN_MAX ? SEC_E_OK
                                                                       : SEC_E_UNKNOWN_CREDENTIALS;
    }
    if (!found->values[A_PIN_SOURCE].at)
        return SEC_E_OK;
    source = decode(found->values[A_PIN_SOURCE], &len);
    return source ? read_source(source, ret_pin) : SEC_E_INSUFFICIENT_MEMORY;
}

/* ---- the whole ---- */

bool osspi_token_uri_is(const char *text)
{
    return text && strncasecmp(text, SCHEME, PREFIX) == 0;
}

void osspi_token_uri_clear(struct osspi_token_uri *uri)
{
    osspi_free(uri->path);
    osspi_free(uri->module);
    osspi_secret_clear(&uri->pin);
    *uri = (struct osspi_token_uri){0};
}

/* Without an attribute beside the type it would mean any object of any token: that is refused. */
static bool names_something(const struct found *found)
{
    for (size_t i = 0; i < A_TYPE; i++) {
        if (found->values[i].at)
            return true;
    }
    return false;
}

static bool take_apart(const char *text, struct found *found)
{
    struct piece query = {text + PREFIX, strlen(text) - PREFIX};
    struct piece path = cut(&query, '?');

    if (path.len == 0 || (query.len == 0 && query.at != path.at + path.len))
        return false;
    if (!take_all(path, false, found) || !take_all(query, true, found))
        return false;
    return names_something(found) &&
           !(found->values[A_PIN_VALUE].at && found->values[A_PIN_SOURCE].at);
}

SECURITY_STATUS osspi_token_uri_parse(const char *text, struct osspi_token_uri *ret_uri)
{
    struct osspi_token_uri uri osspi_auto(osspi_token_uri_clear) = {0};
    struct found found = {0};
    SECURITY_STATUS status;
    size_t len;

    if (!osspi_token_uri_is(text) || strlen(text) > OSSPI_TOKEN_URI_MAX)
        return SEC_E_UNKNOWN_CREDENTIALS;
    if (!take_apart(text, &found) || !read_type(found.values[A_TYPE], &uri.type))
        return SEC_E_UNKNOWN_CREDENTIALS;
    uri.has_token = found.values[A_TOKEN].at || found.values[A_SERIAL].at;
    uri.path = join_path(&found);
    if (!uri.path)
        return SEC_E_INSUFFICIENT_MEMORY;
    if (found.values[A_MODULE_PATH].at) {
        uri.module = decode(found.values[A_MODULE_PATH], &len);
        if (!uri.module)
            return SEC_E_INSUFFICIENT_MEMORY;
        if (len == 0)
            return SEC_E_UNKNOWN_CREDENTIALS;
    }
    status = take_pin(&found, &uri.pin);
    if (status != SEC_E_OK)
        return status;
    *ret_uri = uri;
    uri = (struct osspi_token_uri){0};
    return SEC_E_OK;
}

/* ---- building ---- */

static const char *type_text(enum osspi_token_type type)
{
    switch (type) {
    case OSSPI_TOKEN_CERTIFICATE:
        return ";type=cert";
    case OSSPI_TOKEN_PRIVATE_KEY:
        return ";type=private";
    default:
        return "";
    }
}

static char *append(char *at, const char *text)
{
    const size_t len = strlen(text);

    memcpy(at, text, len);
    return at + len;
}

static char *append_encoded(char *at, const struct osspi_secret *secret)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < secret->len; i++) {
        *at++ = '%';
        *at++ = digits[secret->bytes[i] >> 4];
        *at++ = digits[secret->bytes[i] & 15];
    }
    return at;
}

char *osspi_token_uri_build(const char *path, enum osspi_token_type type,
                            const struct osspi_secret *pin)
{
    static const char pin_name[] = "?pin-value=";
    const char *type_part = type_text(type);
    size_t len = strlen(path) + strlen(type_part) + sizeof(pin_name) + 3 * pin->len;
    char *text = osspi_alloc(len);
    char *at = text;

    if (!text)
        return NULL;
    at = append(at, path);
    at = append(at, type_part);
    if (pin->len > 0) {
        at = append(at, pin_name);
        at = append_encoded(at, pin);
    }
    *at = '\0';
    return text;
}
