#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""Headless Chromium against `sspi serve --auth negotiate`: its user's tickets open the page.

Usage: test_interop_chromium_negotiate.py SSPI [TEST...]

Needs what test_interop_chromium.py and test_interop_negotiate.py need; without it exits with 77, or fails if OSSPI_REQUIRE_PEERS
is set.
"""

import os
import shutil
import sys
import tempfile
import time
import unittest
from pathlib import Path

import test_interop_realm as realms
from sspi_server import SspiServer
from test_interop_chromium_driver import PATIENCE, Browser, missing

SSPI = ""
CERTS = Path(os.environ.get("OSSPI_TEST_CERTS", "certs"))
ALLOWED = "--auth-server-allowlist=localhost"


def cert(name):
    return str(CERTS / name)


class Server(SspiServer):
    """`sspi serve --auth` with the server's certificate."""

    def __init__(self, folder, *args):
        super().__init__(SSPI, "serve", folder, "--port", "0", "--seconds", "300", "--verbose",
                         "--idle-timeout", "60000", "--handshake-timeout", "60000",
                         "--cert", cert("server.pem"), "--key", cert("server.key"), *args)


class Site(unittest.TestCase):
    """One browser at a time: each class has its own."""

    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.realm = cls.enterClassContext(realms.Realm())
        cls.folder = Path(tempfile.mkdtemp(prefix="sspi-interop-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        parts = "".join(f'<script src="{i}.js"></script>' for i in range(12))
        (cls.folder / "index.html").write_text(
            f'<!doctype html><title>inside</title><link rel="icon" href="data:,">{parts}')
        for i in range(12):
            (cls.folder / f"{i}.js").write_text(f"window.ran = (window.ran || 0) + {1 << i};\n")
        (cls.folder / "list").mkdir()
        cls.browser = cls.enterClassContext(Browser(cert("ca.pem"), flags=cls.flags))

    @staticmethod
    def open(page, url, until):
        """Chromium loads GSSAPI once it has seen a challenge, for the pages that follow. So open it until the server says so."""
        end = time.monotonic() + PATIENCE
        while True:
            error = page.open(url)
            if until() or time.monotonic() > end:
                return error
            time.sleep(0.2)


class Allowed(Site):
    flags = [ALLOWED]

    def test_tickets_open_the_page_and_all_its_parts(self):
        """More parts than connections: each connection authenticates by itself."""
        with Server(self.folder, "--auth", "negotiate", "--allow-missing-bindings") as server:
            page = self.browser.page()
            inside = lambda: page.run("document.title") == "inside"  # noqa: E731
            self.assertIsNone(self.open(page, f"{server.url}/", inside), server.text())
            self.assertEqual(page.run("document.title"), "inside", server.text())
            self.assertEqual(page.run("window.ran"), (1 << 12) - 1, server.text())
            self.assertIsNone(page.open(f"{server.url}/list/"))
            self.assertIn(f"You are alice@{realms.NAME}.", page.run("document.body.innerText"))
            page.close()
            text = server.text()
        served = {line.split()[0] for line in text.splitlines() if " 200 " in line}
        known = {line.split()[0] for line in text.splitlines() if " authenticated: " in line}
        self.assertEqual(served, known, text)
        self.assertGreaterEqual(len(known), 1)

    def test_it_does_not_bind_so_it_is_refused_where_that_is_required(self):
        with Server(self.folder, "--auth", "negotiate") as server:
            page = self.browser.page()
            self.open(page, f"{server.url}/", lambda: "authentication failed" in server.text())
            self.assertNotEqual(page.run("document.title"), "inside")
            page.close()
            self.assertIn("authentication failed: SEC_E_BAD_BINDINGS", server.text())


class NotAllowed(Site):
    def test_a_host_that_is_not_allowed_gets_no_ticket(self):
        with Server(self.folder, "--auth", "negotiate", "--allow-missing-bindings") as server:
            page = self.browser.page()
            for _ in range(4):
                page.open(f"{server.url}/")
                self.assertNotEqual(page.run("document.title"), "inside")
                time.sleep(0.2)
            page.close()
            self.assertNotIn("authenticat", server.text())


def main():
    global SSPI
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    SSPI = os.path.abspath(sys.argv[1])
    lack = missing() + realms.missing()
    if not os.path.isdir(os.environ.get("OSSPI_TEST_REALM", "")):
        lack.append("the test realm")
    if lack:
        print("missing: " + ", ".join(lack))
        return 1 if os.environ.get("OSSPI_REQUIRE_PEERS") else 77
    program = unittest.main(argv=[sys.argv[0], *sys.argv[2:]], exit=False, verbosity=2)
    return 0 if program.result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
