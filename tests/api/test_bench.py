#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""The benches run by script/bench in their smallest size; their numbers are not looked at.

Usage: test_bench.py BUILD NAME...

BUILD is the build folder. Results go to BUILD/bench-test/NAME. soak:N is the soak of N handshakes,
which fails by itself if a callback is lost or doubled or memory grows. Without gnuplot exits with
77, or fails if OSSPI_REQUIRE_PEERS is set. GnuTLS's sides, and of "hanging" what needs a realm or a
token, may be missing unless that is set.
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
    "bulk": (["aes128-1.3-seal-1024", "aes128-1.3-open-1024", "aes256-1.3-open-1024",
              "chacha20-1.3-seal-1024", "aes128-1.2-open-1024", "aes128-1.3-seal2-1024",
              "aes128-1.3-open2-1024", "aes128-1.3-both-1024"],
             ["raw-evp", "sspi", "ssl-mem", "ssl-direct", "gnutls"],
             ["gb_per_second", "ns_per_record", "best_ns_per_record"]),
    "memory": (["server-1.3", "server-1.3-used", "client-1.2"],
               ["libssl", "libssl-release", "sspi", "gnutls"],
               ["heap_bytes_per_connection", "rss_bytes_per_connection"]),
    "scale": (["flight-1", "flight-10", "held-1", "held-10", "random-50"],
              ["raw-inline", "async"], ["handshakes_per_second", "cpu_us_per_handshake"]),
    "soak": (["soak"], ["async"],
             ["calls", "callbacks", "rss_growth_bytes", "heap_growth_bytes"]),
    # What is only in some groups of a bench.
    "random": (["random-50"], ["raw-evp", "sspi"],
               ["records_per_second_64", "records_per_second_1024", "ns_per_record_64"]),
    "overload": (["x10"], ["raw-pool", "async-bound", "async-deadline"],
                 ["offered_per_second", "good_per_second", "good_of_capacity", "refused_share",
                  "latency_p50_ms", "latency_p99_ms"]),
    "hanging": (["tls", "deadline", "exit"], ["alone", "beside"],
                ["per_second", "latency_p50_ms", "latency_p99_ms", "cpu_us_each"]),
    "deadline": (["deadline"], ["idle", "busy"], ["late_p50_ms", "late_p99_ms", "late_max_ms"]),
    "exit": (["exit"], ["used", "open"], ["exit_ms"]),
}

GOALS = ("dispatch", "handshake", "loop", "bulk", "memory", "scale", "soak", "hanging")

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
        check(side in found or side == "gnutls" and not os.environ.get("OSSPI_REQUIRE_PEERS"),
              f"{where}: no side {side}")
        for metric in metrics if side in found else ():
            check(metric in found[side]["metrics"], f"{where} {side}: no {metric}")
            if metric in found[side]["metrics"]:
                check_metric(f"{where} {side} {metric}", found[side]["metrics"][metric],
                             found[side]["against"] != side)


def check_soak(facts, side):
    calls, callbacks = (side["metrics"][name]["last"] for name in ("calls", "callbacks"))
    check(calls == callbacks >= 3 * facts["handshakes"],
          f"{calls} calls and {callbacks} callbacks for {facts['handshakes']} handshakes")


def check_bench(build, wanted):
    name, _, count = wanted.partition(":")
    groups, sides, metrics = EXPECTED[name]
    out = build / "bench-test" / name
    shutil.rmtree(out, ignore_errors=True)
    what = ["--soak", count] if count else ["--tiny", name]
    done = subprocess.run([SCRIPT, "--build", build, "--out", out, *what],
                          capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    check(done.returncode == 0, f"{name} ends with {done.returncode}: {done.stderr}")
    if done.returncode != 0:
        return
    data = json.loads((out / f"{name}.json").read_text())
    if not count:
        check((out / f"{name}.svg").read_text().rstrip().endswith("</svg>"), f"{name}: no chart")
    report = (out / "report.txt").read_text()
    check("goal: " in report or name not in GOALS, f"{name}: the report names no goal")
    for group in data["groups"]:
        check(f"({group['name']};" in report, f"{name}: {group['name']} is not in the report")
    check(data["bench"] == name, f"{name}: wrong name")
    for key in ("cpu", "cpus", "kernel", "governor", "openssl", "libuv", "compiler", "memory"):
        check(data["machine"].get(key), f"{name}: the machine lacks {key}")
    found = {group["name"]: group for group in data["groups"]}
    if name == "hanging" and os.environ.get("OSSPI_REQUIRE_PEERS"):
        groups = [*groups, "kerberos-tickets", "kerberos-login"]  # the bench itself asks for a token
    for group in groups:
        check(group in found, f"{name}: no group {group}")
    for group in found.values():
        if group["name"].startswith("random-"):
            check_group(name, group, *EXPECTED["random"][1:])
        elif group["name"] in ("deadline", "exit"):
            check_group(name, group, *EXPECTED[group["name"]][1:])
        else:
            check_group(name, group, sides, metrics)
    if count and not failures:
        check_soak(found["soak"]["facts"], found["soak"]["sides"][0])


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
