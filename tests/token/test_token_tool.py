#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""`sspi serve` and `sspi connect` with keys in a token.

Usage: test_token_tool.py SSPI

The token is that of tests/token/make-token, in OSSPI_TEST_BUILD; without it exits with 77, or fails
if OSSPI_REQUIRE_PEERS is set. The test certificates are in OSSPI_TEST_CERTS.
"""

import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
# pylint: disable-next=wrong-import-position
from sspi_server import SspiServer  # noqa: E402

SSPI = ""
CERTS = Path(os.environ.get("OSSPI_TEST_CERTS", "certs"))
TOKEN = Path(os.environ.get("OSSPI_TEST_BUILD", ".")) / "token"
PATIENCE = 60  # only bounds what hangs; sanitizers make everything slow
PIN = "1234"


def uri(name, kind, query=""):
    return f"pkcs11:token=osspi%20test;object={name};type={kind}{query}"


class Server(SspiServer):
    """`sspi serve` with keys in a token."""

    def __init__(self, *args):
        super().__init__(SSPI, "serve", CERTS, "--port", "0", "--seconds", "100", *args)


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
