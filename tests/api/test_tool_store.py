#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""Tests of `sspi store`, and of `sspi serve` and `connect` with a certificate out of it.

Usage: test_tool_store.py SSPI [TEST...]
"""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SSPI = ""
CERTS = Path(os.environ.get("OSSPI_TEST_CERTS", "certs"))
PATIENCE = 60
THUMBPRINT = re.compile(r"^[0-9a-f]{40}$")


def cert(name):
    return str(CERTS / name)


class Store(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(tempfile.mkdtemp(prefix="sspi-store-"))
        self.addCleanup(shutil.rmtree, self.scratch)
        self.my = self.scratch / "opensspi" / "my"

    def run_tool(self, *args, stdin=b""):
        environment = dict(os.environ, XDG_DATA_HOME=str(self.scratch), SECRET="secret")
        result = subprocess.run([SSPI, *map(str, args)], input=stdin, capture_output=True,
                                timeout=PATIENCE, env=environment, check=False)
        result.stdout = result.stdout.decode("utf-8", "replace")
        result.stderr = result.stderr.decode("utf-8", "replace")
        return result

    def store(self, *args, code=0):
        result = self.run_tool("store", *args)
        self.assertEqual(result.returncode, code, f"{args}: {result.stdout}{result.stderr}")
        return result

    def add(self, *args):
        thumbprint = self.store("add", *args).stdout.strip()
        self.assertRegex(thumbprint, THUMBPRINT)
        return thumbprint

    def listed(self, *args):
        return json.loads(self.store("list", "--json", *args).stdout)


class Changing(Store):
    def test_empty_store(self):
        self.assertIn("there is no such folder", self.store("list").stdout)
        report = self.listed()
        self.assertEqual(report["store"], "user")
        self.assertEqual(report["folder"], str(self.my))
        self.assertFalse(report["usable"])
        self.assertEqual(report["files"], [])
        self.assertFalse(self.my.exists())

    def test_add_list_show_remove(self):
        thumbprint = self.add(cert("server.pem"), "--key", cert("server.key"))
        path = self.my / f"{thumbprint}.pem"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        text = self.store("list").stdout
        self.assertIn(f"{thumbprint}  key ", text)
        self.assertIn("1 used, 0 left out", text)
        report = self.listed()
        self.assertTrue(report["usable"])
        entry = report["files"][0]
        self.assertEqual((entry["path"], entry["used"]), (str(path), True))
        self.assertEqual(entry["certificates"][0]["thumbprint"], thumbprint)
        self.assertTrue(entry["certificates"][0]["has_key"])
        self.assertEqual(len(entry["certificates"][0]["chain"]), 2)
        shown = self.store("show", thumbprint).stdout
        self.assertIn("key         yes", shown)
        self.assertIn("server.test", shown)
        colons = ":".join(re.findall("..", thumbprint)).upper()
        self.assertEqual(json.loads(self.store("show", colons, "--json").stdout)["path"], str(path))
        pem = self.store("show", thumbprint, "--pem").stdout
        self.assertEqual(pem.count("BEGIN CERTIFICATE"), 2)
        self.assertNotIn("PRIVATE KEY", pem)
        self.store("remove", thumbprint)
        self.assertEqual(list(self.my.iterdir()), [])
        self.assertIn("no certificate", self.store("remove", thumbprint, code=1).stderr)

    def test_adding_twice(self):
        thumbprint = self.add(cert("server-all.pem"))
        result = self.store("add", cert("server-all.pem"), code=1)
        self.assertIn("--replace", result.stderr)
        self.assertEqual(self.add(cert("server-all.pem"), "--replace"), thumbprint)
        self.assertEqual(len(list(self.my.iterdir())), 1)

    def test_passwords(self):
        for source in ["pass:secret", "env:SECRET"]:
            with self.subTest(source=source):
                self.add(cert("server.pfx"), "--password", source, "--replace")
                self.add(cert("server.pem"), "--key", cert("server-enc.key"), "--password", source,
                         "--replace")
        for args in [[cert("server.pfx")], [cert("server.pfx"), "--password", "pass:wrong"]]:
            self.assertIn("password", self.store("add", *args, code=3).stderr)
        # What is in the store needs none any more.
        self.assertEqual(self.listed()["files"][0]["status"], "SEC_E_OK")

    def test_left_out_with_reason(self):
        self.add(cert("server-all.pem"))
        shutil.copy(cert("server-all.pem"), self.my / "open.pem")
        (self.my / "open.pem").chmod(0o644)
        (self.my / "link.pem").symlink_to(cert("server-all.pem"))
        (self.my / "notes.txt").write_text("remember the milk\n")
        text = self.store("list").stdout
        self.assertIn("open.pem: it has a key and is open to others (chmod 600)", text)
        self.assertIn("link.pem: it is a symbolic link", text)
        self.assertIn("notes.txt: its name ends in none of", text)
        self.assertIn("1 used, 3 left out", text)
        reasons = {Path(file["path"]).name: file.get("reason") for file in self.listed()["files"]}
        self.assertIn("chmod 600", reasons["open.pem"])
        self.my.chmod(0o777)
        self.assertIn("others may write", self.store("list", code=3).stdout)
        self.store("show", "0" * 40, code=3)

    def test_machine_store(self):
        state = self.scratch / "state"
        thumbprint = self.add(cert("server-all.pem"), "--machine", "--state-dir", state)
        self.assertTrue((state / "my" / f"{thumbprint}.pem").exists())
        report = self.listed("--machine", "--state-dir", state)
        self.assertEqual((report["store"], len(report["files"])), ("machine", 1))
        self.assertEqual(self.listed("--user")["files"], [])
        self.store("remove", thumbprint, "--machine", "--state-dir", state)
        self.assertEqual(list((state / "my").iterdir()), [])

    def test_nonsense(self):
        for args in [[], ["list", "x"], ["add"], ["show"], ["remove"], ["frob"], ["show", "12"],
                     ["show", "g" * 40], ["list", "--user", "--machine"], ["list", "--what"],
                     ["add", "a", "b"], ["add", "pkcs11:object=x"]]:
            with self.subTest(args=args):
                self.assertIn("sspi store --help", self.store(*args, code=2).stderr)
        self.store("add", cert("no-such-file.pem"), code=3)
        self.store("add", cert("ca.pem"), code=3)  # it has no key
        self.store("add", self.scratch, code=3)
        self.assertFalse(self.my.exists())

    def test_control_characters_are_not_printed(self):
        self.add(cert("server-all.pem"))
        (self.my / "a\x1b[2J.pem").write_text("x")
        self.assertNotIn("\x1b", self.store("list").stdout)


class Serving(Store):
    def serve(self, *args):
        environment = dict(os.environ, XDG_DATA_HOME=str(self.scratch))
        server = subprocess.Popen([SSPI, "serve", str(self.scratch), "--port", "0", "--seconds",
                                   "100", *args],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait, PATIENCE)
        self.addCleanup(server.send_signal, signal.SIGTERM)
        line = server.stdout.readline().decode()
        self.assertIn("listening", line)
        return line.rstrip("/\n").rsplit(":", 1)[1]

    def test_server_with_a_certificate_of_the_store(self):
        thumbprint = self.add(cert("server-all.pem"))
        for place in [thumbprint, f"user:{thumbprint.upper()}"]:
            port = self.serve("--store-cert", place)
            result = self.run_tool("connect", f"localhost:{port}", "--ca", cert("ca.pem"))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("server.test", result.stdout)

    def test_certificate_that_is_not_there(self):
        for place in ["0" * 40, "user:" + "0" * 40]:
            result = self.run_tool("serve", str(self.scratch), "--store-cert", place)
            self.assertEqual(result.returncode, 3)
            self.assertIn("there is no certificate", result.stderr)
        self.assertEqual(self.run_tool("serve", ".", "--store-cert", "xy").returncode, 2)
        self.assertEqual(self.run_tool("serve", ".", "--store-cert", "0" * 40, "--cert",
                                       cert("server-all.pem")).returncode, 2)
        self.assertEqual(self.run_tool("connect", "localhost:1", "--store-cert", "0" * 40, "--cert",
                                       cert("server-all.pem")).returncode, 2)


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
