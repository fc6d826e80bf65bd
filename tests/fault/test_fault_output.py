#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""Output of the `sspi` command that cannot be written: a full disk, a file that may not grow, a
closed descriptor, a reader that has gone. The command says so and fails; it never ends as if all
were well, and never by a signal. (Files that the library writes are in test_fault_store.c.)

Usage: test_fault_output.py SSPI
"""

import os
import resource
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SSPI = ""
CERTS = Path(os.environ.get("OSSPI_TEST_CERTS", "certs"))
PATIENCE = 120
SERVER = ["--cert", str(CERTS / "server.pem"), "--key", str(CERTS / "server.key")]

# Everything that prints and needs no peer.
COMMANDS = [
    ["--help"],
    ["--version"],
    ["packages"],
    ["packages", "--json"],
    ["packages", "--help"],
    ["status", "0x80090325"],
    ["status", "0x80090325", "--json"],
    ["status", "--list"],
    ["status", "--list", "--json"],
    ["connect", "--help"],
    ["serve", "--help"],
    ["bench", "--help"],
    ["store", "--help"],
    ["store", "list"],
    ["store", "list", "--json"],
]

# What runs for a while first.
LONG_COMMANDS = [
    ["bench", "dispatch", "--count", "20", "--rounds", "1", "--live", "2"],
    ["bench", "dispatch", "--count", "20", "--rounds", "1", "--live", "2", "--json"],
    ["bench", "handshake", "--count", "2", "--rounds", "1", *SERVER],
    ["bench", "handshake", "--count", "2", "--rounds", "1", "--json", *SERVER],
]


def run(args, stdout, before=None, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL):
    return subprocess.run([SSPI, *args], stdin=stdin, stdout=stdout, stderr=stderr,
                          timeout=PATIENCE, check=False, preexec_fn=before)


def may_not_grow():
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


class Server:
    """`sspi serve` on a free port, for the length of a with statement."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [SSPI, "serve", str(folder), "--port", "0", "--seconds", "100", *SERVER],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        line = self.process.stdout.readline().decode()
        self.port = int(line.rstrip("/\n").rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        self.process.stdout.close()


class Output(unittest.TestCase):
    def require_failure(self, result, args):
        self.assertGreater(result.returncode, 0, f"{args}: {result}")
        self.assertIn(b"cannot write", result.stderr, f"{args}: {result}")

    def test_full_disk(self):
        for args in COMMANDS + LONG_COMMANDS:
            with self.subTest(args=args), open("/dev/full", "wb") as full:
                self.require_failure(run(args, full), args)

    def test_file_that_may_not_grow(self):
        for args in COMMANDS:
            with self.subTest(args=args), tempfile.TemporaryFile() as file:
                self.require_failure(run(args, file, may_not_grow), args)
                file.seek(0)
                self.assertEqual(file.read(), b"")

    # The next socket would get its number, and the peer the text.
    def test_closed_standard_output(self):
        for args in COMMANDS + LONG_COMMANDS:
            with self.subTest(args=args):
                self.require_failure(run(args, None, lambda: os.close(1)), args)

    def test_reader_that_has_gone(self):
        for args in COMMANDS:
            with self.subTest(args=args):
                reading, writing = os.pipe()
                os.close(reading)
                try:
                    self.require_failure(run(args, writing), args)
                finally:
                    os.close(writing)

    def test_standard_error_may_be_full_too(self):
        for args in [*COMMANDS, ["nonsense"], ["status", "nonsense"]]:
            with self.subTest(args=args), open("/dev/full", "wb") as full:
                result = run(args, full, stderr=full)
                self.assertGreater(result.returncode, 0, f"{args}: {result}")

    def test_connection_whose_answer_has_no_room(self):
        with tempfile.TemporaryDirectory() as folder, Server(folder) as server:
            (Path(folder) / "file.txt").write_text("some content\n" * 1000)
            request = b"GET /file.txt HTTP/1.0\r\nHost: localhost\r\n\r\n"
            ca = ["--ca", str(CERTS / "ca.pem")]
            for args in [[], ["--json"]]:
                words = ["connect", f"localhost:{server.port}", *ca, *args]
                with self.subTest(args=args), open("/dev/full", "wb") as full:
                    result = subprocess.run([SSPI, *words], input=request, stdout=full,
                                            stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
                    self.assertGreater(result.returncode, 0, f"{words}: {result}")
                    self.assertNotEqual(result.stderr, b"")


def main():
    global SSPI
    if len(sys.argv) < 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    SSPI = str(Path(sys.argv.pop(1)).resolve())
    unittest.main(verbosity=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
