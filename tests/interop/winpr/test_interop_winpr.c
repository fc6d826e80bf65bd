/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OpenSSPI and WinPR in one process, loaded in every order: which library a side's calls reach,
 * and whether both work. This program links neither; each order runs in a child of its own, since
 * what the loader has decided cannot be taken back.
 *
 * Usage: test_interop_winpr FOLDER, where the two modules are
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "side_check.h"

struct order {
    enum library first;
    int flags[2];  /* for dlopen, of the first and of the second; RTLD_NOW is added */
    bool keeps[2]; /* its own library: OPENSSPI, WINPR */
};

/* The loader looks for a function first in the program and in what was loaded with RTLD_GLOBAL,
 * then in the module and what it needs, and takes the first of that name. Our headers give every
 * function a symbol that nobody else has, so ours is found in any order. WinPR's plain names also
 * fit our aliases of the same names, where these come first; RTLD_DEEPBIND turns the order round.
 */
static const struct order orders[] = {
    {OPENSSPI, {RTLD_LOCAL, RTLD_LOCAL}, {true, true}},
    {OPENSSPI, {RTLD_LOCAL, RTLD_GLOBAL}, {true, true}},
    {OPENSSPI, {RTLD_GLOBAL, RTLD_LOCAL}, {true, false}},
    {OPENSSPI, {RTLD_GLOBAL, RTLD_GLOBAL}, {true, false}},
    {WINPR, {RTLD_LOCAL, RTLD_LOCAL}, {true, true}},
    {WINPR, {RTLD_LOCAL, RTLD_GLOBAL}, {true, true}},
    {WINPR, {RTLD_GLOBAL, RTLD_LOCAL}, {true, true}},
    {WINPR, {RTLD_GLOBAL, RTLD_GLOBAL}, {true, true}},
#if !TEST_SANITIZED /* the sanitizers do not allow it */
    {OPENSSPI, {RTLD_GLOBAL, RTLD_LOCAL | RTLD_DEEPBIND}, {true, true}},
#endif
};

static const char *folder;

static side_function *load(enum library library, int flags)
{
    char path[512], name[64];
    void *module;
    side_function *side;

    snprintf(path, sizeof(path), "%s/side_%s.so", folder, names[library]);
    module = dlopen(path, RTLD_NOW | flags);
    if (!module)
        fprintf(stderr, "%s\n", dlerror());
    TEST_REQUIRE(module != NULL);
    snprintf(name, sizeof(name), "side_%s", names[library]);
    side = (side_function *)dlsym(module, name);
    TEST_REQUIRE(side != NULL);
    return side;
}

static const char *flag_words(int flags)
{
    if (flags & RTLD_DEEPBIND)
        return "RTLD_LOCAL | RTLD_DEEPBIND";
    return flags & RTLD_GLOBAL ? "RTLD_GLOBAL" : "RTLD_LOCAL";
}

/* Both loaded, then both used. */
static int run(void *data)
{
    const struct order *order = data;
    enum library second = order->first == OPENSSPI ? WINPR : OPENSSPI;
    side_function *sides[2];

    printf("%s %s, then %s %s\n", names[order->first], flag_words(order->flags[0]), names[second],
           flag_words(order->flags[1]));
    sides[order->first] = load(order->first, order->flags[0]);
    sides[second] = load(second, order->flags[1]);
    check_sides(sides, order->keeps);
    return 0;
}

/* OpenSSPI's side trusts the test CA; the helper for that is in its module. */
static void trust_test_ca(void)
{
    char path[512];
    const char *certs = getenv("OSSPI_TEST_CERTS");

    TEST_REQUIRE(certs != NULL);
    snprintf(path, sizeof(path), "%s/ca.pem", certs);
    TEST_REQUIRE(setenv("SSL_CERT_FILE", path, 1) == 0);
}

int main(int argc, char **argv)
{
    TEST_REQUIRE_EQUAL(argc, 2);
    folder = argv[1];
    trust_test_ca();
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        struct order order = orders[i];

        TEST_REQUIRE_EQUAL(test_child_join(test_child_fork(run, &order)), 0);
    }
    return 0;
}
