#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""The benches run by script/bench in their smallest size; their numbers are not looked at.

Usage: test_bench.py BUILD NAME...

BUILD is the build folder. Results go to BUILD/bench-test/NAME. Without gnuplot exits with 77, or
fails if OSSPI_REQUIRE_PEERS is set.
"""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "script" / "bench"

PATIENCE_S = 1000  # only bounds what hangs; ctest's limit is shorter

# What script/bench needs of each: groups, sides in all of them, metrics of each side.
EXPECTED = {
    "dispatch": (["one-cpu-1", "one-cpu-1000"],
                 ["uv", "job-loop", "job-callback", "job-wait", "empty-inline", "half-inline", "empty-loop", "empty-callback", "empty-chain", "empty-wait", "half-loop"],
                 ["ns_per_call", "best_ns_per_call", "cpu_ns_per_call", "allocations_per_call"]),
    "ladder": (["one-cpu-1", "one-cpu-1000"], ["uv", "job"], ["ns_per_call", "cpu_ns_per_call"]),
    "handshake": (["ecdsa-1.3-full", "ecdsa-1.2-resumed"],
                  ["raw-inline", "sspi-inline", "async-1", "async-1-queue", "raw-pool-1",
                   "raw-2-shared", "raw-2-own", "raw-pool-2", "async-2", "async-2-queue"],
                  ["handshakes_per_second", "cpu_us_per_handshake"]),
    "loop": (["rsa"], ["raw-inline", "sspi-inline", "async-1", "async-2"],
             ["handshakes_per_second", "delay_p50_ms", "delay_p90_ms", "delay_p99_ms",
              "delay_max_ms"]),
    "scale": (["flight-1", "flight-10", "held-1", "held-10"], ["raw-inline", "async"],
              ["handshakes_per_second", "cpu_us_per_handshake"]),
    "overload": (["x10"], ["raw-pool", "async-bound", "async-deadline"],
                 ["offered_per_second", "good_per_second", "good_of_capacity", "refused_share",
                  "latency_p50_ms", "latency_p99_ms"]),
}

failures = 0


def check(condition, text):
    global failures
    if not condition:
        failures += 1
        print(f"FAILED: {text}")


def check_metric(where, metric, compared):
    names = ["median", "q1", "q3"]
    if compared:
        names += ["ratio", "ratio_q1", "ratio_q3"]
    for name in names:
        value = metric.get(name)
        check(isinstance(value, (int, float)) and math.isfinite(value) and value >= 0,
              f"{where}: {name} is {value!r}")
    if not failures:
        check(metric["q1"] <= metric["median"] <= metric["q3"], f"{where}: quartiles")


def check_group(name, group, sides, metrics):
    where = f"{name} {group['name']}"
    check(group["title"] and group["rounds"] >= 1, f"{where}: title and rounds")
    found = {side["name"]: side for side in group["sides"]}
    for side in sides:
        check(side in found, f"{where}: no side {side}")
        for metric in metrics if side in found else ():
            check(metric in found[side]["metrics"], f"{where} {side}: no {metric}")
            if metric in found[side]["metrics"]:
                check_metric(f"{where} {side} {metric}", found[side]["metrics"][metric],
                             found[side]["against"] != side)


def check_bench(build, name):
    groups, sides, metrics = EXPECTED[name]
    out = build / "bench-test" / name
    shutil.rmtree(out, ignore_errors=True)
    done = subprocess.run([SCRIPT, "--tiny", "--build", build, "--out", out, name],
                          capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    check(done.returncode == 0, f"{name} ends with {done.returncode}: {done.stderr}")
    if done.returncode != 0:
        return
    data = json.loads((out / f"{name}.json").read_text())
    check((out / f"{name}.svg").read_text().rstrip().endswith("</svg>"), f"{name}: no chart")
    report = (out / "report.txt").read_text()
    for group in data["groups"]:
        check(f"({group['name']};" in report, f"{name}: {group['name']} is not in the report")
    check(data["bench"] == name, f"{name}: wrong name")
    for key in ("cpu", "cpus", "kernel", "governor", "openssl", "libuv", "compiler", "memory"):
        check(data["machine"].get(key), f"{name}: the machine lacks {key}")
    found = {group["name"]: group for group in data["groups"]}
    for group in groups:
        check(group in found, f"{name}: no group {group}")
    for group in found.values():
        check_group(name, group, sides, metrics)


def main():
    build, names = Path(sys.argv[1]).resolve(), sys.argv[2:]
    if not shutil.which("gnuplot"):
        print("gnuplot is missing")
        sys.exit(1 if os.environ.get("OSSPI_REQUIRE_PEERS") else 77)
    for name in names:
        check_bench(build, name)
        print(f"{name}: done")
    sys.exit(1 if failures or not names else 0)


if __name__ == "__main__":
    main()
