/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Reading one's own memory; see memory_scan.h. A mapping is read in chunks through /proc/self/mem,
 * which fails where a plain read would end the process.
 */
#include "support/memory_scan.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/test_util.h"

#define CHUNK (256u * 1024u)
#define TAIL  (2 * SCAN_MAX) /* the longest form of a secret */

enum form { FORM_BYTES, FORM_LOWER, FORM_UPPER, FORMS };
static const char *const form_names[FORMS] = {"bytes", "digits", "capital digits"};

static uint8_t chunk[CHUNK + TAIL];   /* one thread; left out of what is looked through */
static uint8_t first[FORMS][1 << 16]; /* pairs of bytes that begin a secret */

void scan_mask(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] ^= SCAN_MASK;
}

/* The byte at `at` of a secret in one of its forms. Volatile, so that it is really one at a time.
 */
static uint8_t byte_at(const struct scan_secret *secret, enum form form, size_t at)
{
    const volatile uint8_t *masked = secret->masked;
    uint8_t digit;

    if (form == FORM_BYTES)
        return masked[at] ^ SCAN_MASK;
    digit = (uint8_t)((masked[at / 2] ^ SCAN_MASK) >> (at % 2 == 0 ? 4 : 0) & 15);
    if (digit < 10)
        return (uint8_t)('0' + digit);
    return (uint8_t)((form == FORM_LOWER ? 'a' : 'A') + digit - 10);
}

static bool lies_at(const struct scan_secret *secret, enum form form, const uint8_t *bytes,
                    size_t room)
{
    const size_t len = form == FORM_BYTES ? secret->len : 2 * secret->len;

    if (len > room)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != byte_at(secret, form, i))
            return false;
    }
    return true;
}

static size_t pair(const uint8_t *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

struct look {
    struct scan_secret *secrets;
    size_t count;
    bool tell;
    unsigned sum;
    char mapping[256]; /* that is looked through */
};

static void look_at(struct look *look, uintptr_t address, size_t at, size_t have)
{
    for (size_t form = 0; form < FORMS; form++) {
        if (!first[form][pair(chunk + at)])
            continue;
        for (size_t i = 0; i < look->count; i++) {
            struct scan_secret *secret = &look->secrets[i];

            if (!lies_at(secret, (enum form)form, chunk + at, have - at))
                continue;
            secret->found++;
            look->sum++;
            if (look->tell)
                fprintf(stderr, "%s as %s at 0x%zx in %s", secret->name, form_names[form],
                        (size_t)address + at, look->mapping);
        }
    }
}

/* Every place in [from, to); a secret may lie across two chunks. */
static void look_through(struct look *look, int fd, uintptr_t from, uintptr_t to)
{
    while (from < to) {
        const size_t want = to - from < sizeof(chunk) ? to - from : sizeof(chunk);
        const ssize_t have = pread(fd, chunk, want, (off_t)from);
        const size_t step = want < sizeof(chunk) ? want : CHUNK;

        if (have < 2)
            return;
        for (size_t at = 0; at < step && at + 1 < (size_t)have; at++)
            look_at(look, from, at, (size_t)have);
        from += step;
    }
}

static void prepare(const struct look *look)
{
    memset(first, 0, sizeof(first));
    for (size_t i = 0; i < look->count; i++) {
        look->secrets[i].found = 0;
        TEST_REQUIRE(look->secrets[i].len >= 16 && look->secrets[i].len <= SCAN_MAX);
        for (size_t form = 0; form < FORMS; form++) {
            const uint8_t start[2] = {byte_at(&look->secrets[i], (enum form)form, 0),
                                      byte_at(&look->secrets[i], (enum form)form, 1)};

            first[form][pair(start)] = 1;
        }
    }
}

unsigned scan_memory(struct scan_secret *secrets, size_t count, bool tell)
{
    struct look look = {.secrets = secrets, .count = count, .tell = tell};
    const int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    FILE *maps = fopen("/proc/self/maps", "re");
    const uintptr_t own = (uintptr_t)chunk, own_end = own + sizeof(chunk);

    TEST_REQUIRE(fd >= 0 && maps != NULL);
    prepare(&look);
    while (fgets(look.mapping, sizeof(look.mapping), maps)) {
        size_t from, to;
        char rights[5];

        if (sscanf(look.mapping, "%zx-%zx %4s", &from, &to, rights) != 3 || rights[1] != 'w')
            continue;
        if (own >= from && own < to) { /* on both sides of what is read into */
            look_through(&look, fd, from, own);
            look_through(&look, fd, own_end, to);
        } else {
            look_through(&look, fd, from, to);
        }
    }
    memset(chunk, 0, sizeof(chunk));
    fclose(maps);
    close(fd);
    return look.sum;
}
