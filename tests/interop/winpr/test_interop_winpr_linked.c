/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * OpenSSPI and WinPR linked into one program. Which of the two stands first on the linker's command
 * line is the build's choice (CMakeLists.txt).
 *
 * Usage: test_interop_winpr_... [opensspi] [winpr]: the sides that keep their own library
 */
#include "side_check.h"
#include "support/tls_certs.h"

int main(int argc, char **argv)
{
    side_function *const sides[] = {side_opensspi, side_winpr};
    bool keeps[2] = {false, false};

    for (int i = 1; i < argc; i++) {
        for (int j = 0; j < 2; j++)
            keeps[j] = keeps[j] || strcmp(argv[i], names[j]) == 0;
    }
    test_watchdog(60);
    peer_trust("ca");
    check_sides(sides, keeps);
    return 0;
}
