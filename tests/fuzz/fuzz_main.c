/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Runs a fuzz target without libFuzzer, under any compiler and sanitizer:
 *
 *     fuzz_TARGET [-runs=N] [-seed=N] [-max_total_time=SECONDS] FILE-OR-FOLDER...
 *
 * Every file first, then N inputs made of them by a few random changes, the same ones for the same
 * seed. An input that fails is written to crash-TARGET in the current folder.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

#define MAX_LEN (256u * 1024)

struct seed {
    uint8_t *bytes;
    size_t len;
};

static struct seed *seeds; /* guarded by being used on one thread, as all below */
static size_t seed_count;
static uint64_t random_state = 1;
static struct seed current;
static char crash_path[256];

/* ---- an input that fails ---- */

/* Of the sanitizers' run-time; called before it ends the process. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void save_current(void)
{
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, current.bytes, current.len) != (ssize_t)current.len)
        return;
    close(fd);
    fprintf(stderr, "the input is in %s\n", crash_path);
}

static void on_signal(int number)
{
    signal(number, SIG_DFL);
    save_current();
    raise(number);
}

static void catch_failures(const char *program)
{
    const char *name = strrchr(program, '/');

    snprintf(crash_path, sizeof(crash_path), "crash-%s", name ? name + 1 : program);
    signal(SIGABRT, on_signal);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(save_current);
    else
        signal(SIGSEGV, on_signal);
}

static void run(struct seed input)
{
    current = input;
    test_watchdog(60);
    fuzz_run(input.bytes, input.len);
}

/* ---- seeds ---- */

static void add_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct seed seed = {fuzz_room(MAX_LEN), 0};
    ssize_t got;

    TEST_REQUIRE(fd >= 0);
    got = read(fd, seed.bytes, MAX_LEN);
    TEST_REQUIRE(got >= 0);
    close(fd);
    seed.len = (size_t)got;
    seed.bytes = realloc(seed.bytes, seed.len ? seed.len : 1);
    seeds = realloc(seeds, (seed_count + 1) * sizeof(*seeds));
    TEST_REQUIRE(seed.bytes && seeds);
    seeds[seed_count++] = seed;
}

static void add(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);

    if (count < 0) {
        add_file(path);
        return;
    }
    for (int i = 0; i < count; i++) {
        char name[1024];
        struct stat facts;

        snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
        if (stat(name, &facts) == 0 && S_ISREG(facts.st_mode))
            add_file(name);
        free(entries[i]);
    }
    free(entries);
}

/* ---- changes ---- */

static size_t below(size_t bound)
{
    return bound ? (size_t)(test_random(&random_state) % bound) : 0;
}

static void change_bytes(struct seed *input)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x02, 0x03, 0x10, 0x14, 0x15, 0x16, 0x17, 0x18,
                                      0x30, 0x40, 0x7F, 0x80, 0x81, 0x82, 0xA0, 0xFE, 0xFF, '-'};
    size_t place = below(input->len);

    if (input->len == 0)
        return;
    switch (below(3)) {
    case 0:
        input->bytes[place] ^= (uint8_t)(1u << below(8));
        break;
    case 1:
        input->bytes[place] = telling[below(sizeof(telling))];
        break;
    default:
        input->bytes[place] = (uint8_t)test_random(&random_state);
        break;
    }
}

/* Takes out, or puts in a piece of some seed. The block has room for MAX_LEN. */
static void change_len(struct seed *input)
{
    const struct seed *other = seed_count ? &seeds[below(seed_count)] : input;
    size_t place = below(input->len + 1), from = below(other->len);
    size_t len = below(other->len - from + 1);

    if (below(2)) {
        len = below(input->len - place + 1);
        memmove(input->bytes + place, input->bytes + place + len, input->len - place - len);
        input->len -= len;
        return;
    }
    if (below(4))
        len = len % 32;
    if (other == input || input->len + len > MAX_LEN)
        return;
    memmove(input->bytes + place + len, input->bytes + place, input->len - place);
    memcpy(input->bytes + place, other->bytes + from, len);
    input->len += len;
}

static void run_changed(uint8_t *block)
{
    struct seed input = {block, 0}, exact;

    if (seed_count > 0) {
        const struct seed *seed = &seeds[below(seed_count)];

        memcpy(block, seed->bytes, seed->len);
        input.len = seed->len;
    }
    for (size_t changes = 1 + below(5); changes > 0; changes--) {
        if (below(4))
            change_bytes(&input);
        else
            change_len(&input);
    }
    exact = (struct seed){fuzz_room(input.len), input.len};
    memcpy(exact.bytes, input.bytes, input.len);
    run(exact);
    free(exact.bytes);
}

static void free_all(uint8_t *block)
{
    for (size_t i = 0; i < seed_count; i++)
        free(seeds[i].bytes);
    free(seeds);
    free(block);
}

int main(int argc, char **argv)
{
    uint8_t *block = fuzz_room(MAX_LEN);
    unsigned long runs = 0, done = 0, seconds = 0;
    time_t began = time(NULL);

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-runs=", 6) == 0)
            runs = strtoul(argv[i] + 6, NULL, 10);
        else if (strncmp(argv[i], "-seed=", 6) == 0)
            random_state = strtoull(argv[i] + 6, NULL, 10);
        else if (strncmp(argv[i], "-max_total_time=", 16) == 0)
            seconds = strtoul(argv[i] + 16, NULL, 10);
        else
            add(argv[i]);
    }
    catch_failures(argv[0]);
    fuzz_set_up();
    for (size_t i = 0; i < seed_count; i++)
        run(seeds[i]);
    while (done < runs && (seconds == 0 || time(NULL) - began < (time_t)seconds)) {
        run_changed(block);
        done++;
    }
    printf("%zu seeds and %lu changed inputs, in %ld seconds\n", seed_count, done,
           (long)(time(NULL) - began));
    free_all(block);
    return 0;
}
