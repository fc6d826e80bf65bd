/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * KERB_VALIDATION_INFO (MS-PAC 2.5) in its transfer form (C706 14, MS-RPCE 2.2.6): the structure
 * with its pointers as numbers, and behind it what they point to, in the order of the pointers.
 * Every read is bounded by the bytes there are; one that is not makes all later ones fail.
 */
#include "packages/gssapi/pac.h"

#include <gssapi/gssapi_ext.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/utf.h"
#include "core/buffers.h"

#define SID_TEXT      192u /* "S-1-", an authority, and 15 numbers */
#define MAX_SUBS      15u
#define NAME_TEXT     769u /* of 256 UTF-16 units, with a NUL */
#define MAX_NAME      256u /* units */
#define LOGON_PIECE   "urn:mspac:logon-info"
#define COMMON_HEADER 0x00081001u /* version 1, little-endian, eight bytes of common header */

/* ---- reading ---- */

struct reader {
    const uint8_t *bytes;
    size_t len, at;
    bool bad;
};

static const uint8_t *take(struct reader *reader, size_t len)
{
    const uint8_t *found = reader->bytes + reader->at;

    if (reader->bad || len > reader->len - reader->at) {
        reader->bad = true;
        return NULL;
    }
    reader->at += len;
    return found;
}

static void align(struct reader *reader, size_t to)
{
    const size_t over = reader->at % to;

    if (over != 0)
        (void)take(reader, to - over);
}

static uint32_t take_u32(struct reader *reader)
{
    const uint8_t *b;

    align(reader, 4);
    b = take(reader, 4);
    return b ? (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24
             : 0;
}

static uint64_t take_time(struct reader *reader)
{
    const uint64_t low = take_u32(reader);

    return low | (uint64_t)take_u32(reader) << 32;
}

/* A counted string's place in the structure: is there text behind it? */
static bool take_string(struct reader *reader)
{
    align(reader, 4);
    (void)take(reader, 4); /* lengths, which stand before the text once more */
    return take_u32(reader) != 0;
}

/* ---- what pointers point to ---- */

struct text {
    const uint8_t *units; /* little-endian, unaligned */
    uint32_t count;
};

static struct text take_text(struct reader *reader, bool present)
{
    struct text text = {NULL, 0};
    uint32_t room, offset;

    if (!present)
        return text;
    room = take_u32(reader);
    offset = take_u32(reader);
    text.count = take_u32(reader);
    if (offset != 0 || text.count > room || text.count > reader->len / 2)
        reader->bad = true;
    text.units = take(reader, (size_t)text.count * 2);
    return text;
}

struct sid {
    const uint8_t *bytes; /* NULL: none. Revision, count, six bytes of authority, numbers */
};

static struct sid take_sid(struct reader *reader, bool present)
{
    struct sid sid = {NULL};
    uint32_t count;

    if (!present)
        return sid;
    count = take_u32(reader);
    if (count > MAX_SUBS)
        reader->bad = true;
    sid.bytes = take(reader, 8 + (size_t)count * 4);
    if (sid.bytes && (sid.bytes[0] != 1 || sid.bytes[1] != count))
        reader->bad = true;
    return sid;
}

/* An array of pairs of numbers: a group and its attributes, or a pointer and the same. */
struct pairs {
    const uint8_t *bytes;
    uint32_t count;
};

static struct pairs take_pairs(struct reader *reader, bool present, uint32_t expected)
{
    struct pairs pairs = {NULL, 0};

    if (!present) {
        if (expected != 0)
            reader->bad = true;
        return pairs;
    }
    pairs.count = take_u32(reader);
    if (pairs.count != expected || pairs.count > reader->len / 8)
        reader->bad = true;
    pairs.bytes = take(reader, (size_t)pairs.count * 8);
    return pairs;
}

static uint32_t first_of(const struct pairs *pairs, uint32_t i)
{
    struct reader reader = {.bytes = pairs->bytes + (size_t)i * 8, .len = 8};

    return take_u32(&reader);
}

/* ---- the structure ---- */

struct logon {
    struct osspi_pac_times times;
    uint32_t user, primary_group;
    struct text account, domain;
    struct sid domain_sid, resource_sid;
    struct pairs groups, extra, resources;
    struct reader extra_sids; /* stands at the first of them */
};

static void read_times(struct reader *reader, struct osspi_pac_times *times)
{
    uint64_t kickoff;

    (void)take_time(reader); /* logon */
    times->logoff = take_time(reader);
    kickoff = take_time(reader);
    if (kickoff < times->logoff)
        times->logoff = kickoff;
    (void)take_time(reader); /* the password was set, and may be changed */
    (void)take_time(reader);
    times->must_change = take_time(reader);
}

/* Six strings that nobody here asks for but the first. */
enum { ACCOUNT, FULL_NAME, SCRIPT, PROFILE, HOME, DRIVE, SERVER, DOMAIN, STRINGS };

struct places {
    bool strings[STRINGS];
    bool groups, domain_sid, extra, resource_sid, resources;
    uint32_t group_count, extra_count, resource_count;
};

static void read_structure(struct reader *reader, struct logon *logon, struct places *places)
{
    read_times(reader, &logon->times);
    for (size_t i = ACCOUNT; i <= DRIVE; i++)
        places->strings[i] = take_string(reader);
    (void)take_u32(reader); /* counts of logons and failures */
    logon->user = take_u32(reader);
    logon->primary_group = take_u32(reader);
    places->group_count = take_u32(reader);
    places->groups = take_u32(reader) != 0;
    (void)take_u32(reader); /* flags */
    (void)take(reader, 16); /* a key that is all zero */
    places->strings[SERVER] = take_string(reader);
    places->strings[DOMAIN] = take_string(reader);
    places->domain_sid = take_u32(reader) != 0;
    (void)take(reader, 8 + 4 + 4 + 8 + 8 + 4 + 4); /* reserved, account control, failed logons */
    places->extra_count = take_u32(reader);
    places->extra = take_u32(reader) != 0;
    places->resource_sid = take_u32(reader) != 0;
    places->resource_count = take_u32(reader);
    places->resources = take_u32(reader) != 0;
}

static void read_pointed(struct reader *reader, struct logon *logon, const struct places *places)
{
    logon->account = take_text(reader, places->strings[ACCOUNT]);
    for (size_t i = FULL_NAME; i <= DRIVE; i++)
        (void)take_text(reader, places->strings[i]);
    logon->groups = take_pairs(reader, places->groups, places->group_count);
    (void)take_text(reader, places->strings[SERVER]);
    logon->domain = take_text(reader, places->strings[DOMAIN]);
    logon->domain_sid = take_sid(reader, places->domain_sid);
    logon->extra = take_pairs(reader, places->extra, places->extra_count);
    logon->extra_sids = *reader;
    for (uint32_t i = 0; !reader->bad && i < logon->extra.count; i++)
        (void)take_sid(reader, first_of(&logon->extra, i) != 0);
    logon->resource_sid = take_sid(reader, places->resource_sid);
    logon->resources = take_pairs(reader, places->resources, places->resource_count);
}

static bool parse(const uint8_t *pac, size_t pac_len, struct logon *logon)
{
    struct reader reader = {.bytes = pac, .len = pac_len};
    struct places places = {0};

    *logon = (struct logon){0};
    if (take_u32(&reader) != COMMON_HEADER)
        return false;
    (void)take(&reader, 12); /* filler, length of all, filler */
    if (take_u32(&reader) == 0)
        return false;
    read_structure(&reader, logon, &places);
    read_pointed(&reader, logon, &places);
    return !reader.bad;
}

bool osspi_pac_times(const uint8_t *pac, size_t pac_len, struct osspi_pac_times *ret_times)
{
    struct logon logon;

    if (!parse(pac, pac_len, &logon))
        return false;
    *ret_times = logon.times;
    return true;
}

/* ---- text ---- */

/* As MS-DTYP 2.4.2.1 writes them. last NULL: without a further number. */
static void write_sid(struct sid sid, const uint32_t *last, char text[SID_TEXT])
{
    const uint8_t *b = sid.bytes;
    uint64_t authority = 0;
    size_t used;

    for (size_t i = 2; i < 8; i++)
        authority = authority << 8 | b[i];
    used = (size_t)snprintf(text, SID_TEXT, authority >> 32 ? "S-1-0x%012llx" : "S-1-%llu",
                            (unsigned long long)authority);
    for (size_t i = 0; i < b[1] && used < SID_TEXT; i++) {
        struct reader reader = {.bytes = b + 8 + i * 4, .len = 4};

        used += (size_t)snprintf(text + used, SID_TEXT - used, "-%u", take_u32(&reader));
    }
    if (last && used < SID_TEXT)
        (void)snprintf(text + used, SID_TEXT - used, "-%u", *last);
}

/* All of it or nothing: a name that is cut is another's. */
static void write_text(struct text text, char ret_text[NAME_TEXT])
{
    WCHAR units[MAX_NAME];
    size_t len;

    ret_text[0] = '\0';
    if (text.count > MAX_NAME)
        return;
    for (uint32_t i = 0; i < text.count; i++)
        units[i] = (WCHAR)(text.units[i * 2] | text.units[i * 2 + 1] << 8);
    len = osspi_utf16_to_utf8(units, text.count, ret_text, NAME_TEXT);
    if (len == SIZE_MAX || memchr(ret_text, '\0', len))
        ret_text[0] = '\0';
}

/* ---- the block ---- */

/* Header, pointers to groups, names, texts of identifiers. */
struct block {
    OsspiAuthorization head;
    char account[NAME_TEXT], domain[NAME_TEXT];
    char user_sid[SID_TEXT];
    const char *pointers[];
};

static char *text_of_group(struct block *block, size_t capacity, size_t i)
{
    return (char *)(block->pointers + capacity) + i * SID_TEXT;
}

struct list {
    struct block *block;
    size_t capacity, count;
};

static void add_group(struct list *list, struct sid sid, const uint32_t *last)
{
    char *text = text_of_group(list->block, list->capacity, list->count);

    if (!sid.bytes || list->count == list->capacity)
        return;
    write_sid(sid, last, text);
    list->block->pointers[list->count++] = text;
}

static void add_pairs(struct list *list, struct sid sid, const struct pairs *pairs)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        const uint32_t last = first_of(pairs, i);

        add_group(list, sid, &last);
    }
}

/* Of a user who is no member of the domain that has logged him on, the first is his own. */
static void add_extra(struct list *list, const struct logon *logon)
{
    struct reader reader = logon->extra_sids;

    for (uint32_t i = 0; i < logon->extra.count; i++) {
        const struct sid sid = take_sid(&reader, first_of(&logon->extra, i) != 0);

        if (i == 0 && logon->user == 0 && sid.bytes)
            write_sid(sid, NULL, list->block->user_sid);
        else
            add_group(list, sid, NULL);
    }
}

SECURITY_STATUS osspi_pac_describe(const uint8_t *pac, size_t pac_len,
                                   OsspiAuthorization **ret_authorization)
{
    struct list list = {0};
    struct logon logon;

    if (!parse(pac, pac_len, &logon))
        return SEC_E_NO_CREDENTIALS;
    /* Bounded by the bytes of the PAC, which fit into a token. */
    list.capacity = (size_t)logon.groups.count + logon.extra.count + logon.resources.count;
    list.block =
        osspi_context_buffer_new(sizeof(*list.block) + list.capacity * (sizeof(char *) + SID_TEXT));
    if (!list.block)
        return SEC_E_INSUFFICIENT_MEMORY;
    write_text(logon.account, list.block->account);
    write_text(logon.domain, list.block->domain);
    if (logon.user != 0 && logon.domain_sid.bytes)
        write_sid(logon.domain_sid, &logon.user, list.block->user_sid);
    add_pairs(&list, logon.domain_sid, &logon.groups);
    add_extra(&list, &logon);
    add_pairs(&list, logon.resource_sid, &logon.resources);
    list.block->head = (OsspiAuthorization){
        .account = list.block->account,
        .domain = list.block->domain,
        .user_sid = list.block->user_sid,
        .group_sids = list.block->pointers,
        .group_count = (ULONG)list.count,
    };
    *ret_authorization = &list.block->head;
    return SEC_E_OK;
}

/* ---- GSSAPI ---- */

SECURITY_STATUS osspi_pac_read(gss_name_t client, uint8_t **ret_pac, size_t *ret_pac_len)
{
    gss_buffer_desc attribute = {sizeof(LOGON_PIECE) - 1, (void *)LOGON_PIECE};
    gss_buffer_desc value = GSS_C_EMPTY_BUFFER, shown = GSS_C_EMPTY_BUFFER;
    int authenticated = 0, complete = 0, more = -1;
    OM_uint32 minor, major;
    SECURITY_STATUS status = SEC_E_OK;

    major = gss_get_name_attribute(&minor, client, &attribute, &authenticated, &complete, &value,
                                   &shown, &more);
    if (major == GSS_S_COMPLETE && authenticated && value.length > 0) {
        *ret_pac = osspi_memdup(value.value, value.length);
        *ret_pac_len = *ret_pac ? value.length : 0;
        status = *ret_pac ? SEC_E_OK : SEC_E_INSUFFICIENT_MEMORY;
    }
    (void)gss_release_buffer(&minor, &value);
    (void)gss_release_buffer(&minor, &shown);
    return status;
}
