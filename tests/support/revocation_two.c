/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A root and two certificates; see revocation_two.h.
 */
#include "support/revocation_two.h"

#include <schannel.h>

#include "support/test_util.h"
#include "support/tls_peer.h"

struct world_identity world_root, world_server, world_client;

int world_two_open(void **state)
{
    struct world_wish wish = {.name = "world root", .authority = true};

    test_watchdog(110);
    (void)world_open(state);
    world_root = world_make(&wish);
    wish = (struct world_wish){.name = "leaf",
                               .issuer = &world_root,
                               .usage = "serverAuth,clientAuth",
                               .alt_name = "DNS:" PEER_TARGET,
                               .ocsp_path = "/server"};
    world_server = world_make(&wish);
    wish.ocsp_path = "/client";
    world_client = world_make(&wish);
    world_trust(&world_root);
    return 0;
}

int world_two_close(void **state)
{
    world_drop(&world_client);
    world_drop(&world_server);
    world_drop(&world_root);
    return world_close(state);
}

int world_two_forget(void **state)
{
    (void)state;
    world_serve_nothing();
    TEST_REQUIRE(SslEmptyCacheA(NULL, 0) == TRUE);
    return 0;
}

void world_two_say(const char *path, const struct world_identity *about, int status)
{
    const struct world_saying saying = {.about = about, .status = status};

    world_serve_ocsp(path, &saying);
}
