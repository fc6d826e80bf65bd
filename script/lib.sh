# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
#
# Helpers shared by the bash scripts of this folder; sourced, never run. Sourcing it moves to the
# root of the source tree, so that every script works from any folder it is called from.
# shellcheck shell=bash

SELF=$(basename "$0")
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit 1

# Says one line about what goes on; on standard error, so that it never mixes with results.
say() {
    printf '%s: %s\n' "$SELF" "$*" >&2
}

# Says what is wrong and ends the script.
die() {
    say "$*"
    exit 1
}

# Number of parallel jobs: what this process may really use, not what the machine has.
job_count() {
    nproc 2>/dev/null || echo 2
}

# Prints the comment block at the top of the calling script as its help text.
usage() {
    awk 'NR > 4 && !/^#/ { exit } NR > 4 { sub(/^# ?/, ""); print }' "$ROOT/script/$SELF"
}
