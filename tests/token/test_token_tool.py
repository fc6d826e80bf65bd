#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""`sspi serve` and `sspi connect` with keys in a token.

Usage: test_token_tool.py SSPI

The token is that of tests/token/make-token, in OSSPI_TEST_BUILD; without it exits with 77, or fails
if OSSPI_REQUIRE_PEERS is set. The test certificates are in OSSPI_TEST_CERTS.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SSPI = ""
CERTS = Path(os.environ.get("OSSPI_TEST_CERTS", "certs"))
TOKEN = Path(os.environ.get("OSSPI_TEST_BUILD", ".")) / "token"
PATIENCE = 60  # only bounds what hangs; sanitizers make everything slow
PIN = "1234"


def uri(name, kind, query=""):
    return f"pkcs11:token=osspi%20test;object={name};type={kind}{query}"


class Server:
    """`sspi serve` on a free port, for the length of a with statement; must end with status 0."""

    def __init__(self, *args):
        self.args = [SSPI, "serve", str(CERTS), "--port", "0", "--seconds", "100", *args]

    def __enter__(self):
        self.log = tempfile.TemporaryFile("w+b")
        self.process = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            text = os.pread(self.log.fileno(), 1 << 16, 0).decode()
            found = re.search(r"listening on https://\S*:(\d+)/\n", text)
            if found:
                self.port = int(found.group(1))
                return self
            time.sleep(0.02)
        self.process.kill()
        raise AssertionError("the server does not listen:\n" + text)

    def __exit__(self, kind, value, trace):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.log.close()
        if kind is None and code != 0:
            raise AssertionError(f"the server ended with {code}")


def connect(server, *args):
    return subprocess.run(
        [SSPI, "connect", f"127.0.0.1:{server.port}", "--name", "server.test", "--ca",
         str(CERTS / "ca.pem"), *args],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)


class Tool(unittest.TestCase):
    def works(self, result):
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_serve_and_connect(self):
        for name in "server", "server-rsa":
            with Server("--cert", str(CERTS / f"{name}.pem"), "--key", uri(name, "private"),
                        "--password", f"pass:{PIN}") as server:
                for version in "1.2", "1.3":
                    self.works(connect(server, "--tls", version))

    def test_certificate_of_client_in_token(self):
        with Server("--cert", str(CERTS / "server.pem"), "--key", str(CERTS / "server.key"),
                    "--client-ca", str(CERTS / "ca.pem"), "--require-client-cert") as server:
            self.works(connect(server, "--cert", str(CERTS / "client.pem"), "--key",
                               uri("client", "private", f"?pin-value={PIN}")))

    def test_complaint_holds_no_pin(self):
        for place in ("--cert", uri("server", "cert", "?pin-value=987654")), \
                     ("--cert", str(CERTS / "server.pem"), "--key",
                      uri("server", "private", "?pin-value=987654")), \
                     ("--cert", uri("server", "cert"), "--password", "pass:987654"):
            result = subprocess.run([SSPI, "serve", "--port", "0", *place],
                                    stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    timeout=PATIENCE, check=False)
            self.assertEqual(result.returncode, 3)
            self.assertIn("SEC_E_LOGON_DENIED", result.stderr)
            self.assertNotIn("987654", result.stdout + result.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__)
        sys.exit(2)
    SSPI = sys.argv.pop(1)
    if not (TOKEN / ".edition").exists():
        print("no token: softhsm2 or opensc is missing")
        sys.exit(1 if os.environ.get("OSSPI_REQUIRE_PEERS") else 77)
    os.environ["SOFTHSM2_CONF"] = str(TOKEN / "softhsm2.conf")
    for variable in "PKCS11_MODULE_PATH", "PKCS11_PROVIDER_MODULE":
        os.environ.pop(variable, None)
    unittest.main()
