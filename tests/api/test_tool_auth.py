#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""`sspi auth`, `sspi serve --auth` and `sspi connect --negotiate`, from the outside: what they print, what they refuse, and peers
that do not behave.

Usage: test_tool_auth.py SSPI [TEST...]

Needs MIT's KDC; without it exits with 77, or fails if OSSPI_REQUIRE_PEERS is set. The test certificates are in OSSPI_TEST_CERTS,
the realm's database in OSSPI_TEST_REALM.
"""

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
# pylint: disable-next=wrong-import-position
from sspi_server import SspiServer  # noqa: E402
from test_interop_realm import NAME, Realm, Silence, missing  # noqa: E402

SSPI = ""
CERTS = Path(os.environ.get("OSSPI_TEST_CERTS", "certs"))
PATIENCE = 60  # only bounds what hangs; sanitizers make everything slow
ALICE = f"alice@{NAME}"
TARGET = "host/server.test"
PACKAGES = ["negotiate", "kerberos", "ntlm"]
CREDSSP = ["--package", "credssp"]
TERMSRV = ["--target", "TERMSRV/server.test"]
NOBODY = {"KRB5CCNAME": "FILE:/nonexistent", "NTLM_USER_FILE": "/nonexistent"}


def cert(name):
    return str(CERTS / name)


def run(*args, text="", env=None):
    return subprocess.run([SSPI, *map(str, args)], input=text, capture_output=True, text=True,
                          timeout=PATIENCE, check=False, env={**os.environ, **(env or {})})


class Program(SspiServer):
    """The command as a server, on a free port."""

    def __init__(self, *args, env=None):
        super().__init__(SSPI, *args, environment=env)


class CommandLine(unittest.TestCase):
    def test_usage_errors_say_what_to_do(self):
        url = "https://h/"
        for args, words in [
                (["auth"], "an argument is missing"),
                (["auth", "listen"], "connect or serve"),
                (["auth", "connect"], "HOST:PORT"),
                (["auth", "connect", "h:0"], "HOST:PORT"),
                (["auth", "connect", "h", "--package", "basic"], "negotiate, kerberos, ntlm or credssp"),
                (["auth", "connect", "h", "--user", "a"], "--password-file"),
                (["auth", "connect", "h", "--user", ""], "--password-file"),
                (["auth", "connect", "h", "--user", "", "--password-file", "f"], "leave it out"),
                (["auth", "connect", "h", "--password-file", "f"], "--user"),
                (["auth", "connect", "h", "--domain", "d"], "--user"),
                (["auth", "connect", "h", "--target", ""], "--target takes"),
                (["auth", "connect", "h", "--target", "x" * 300], "--target takes"),
                (["auth", "connect", "h", "--deadline", "0"], "--deadline takes a number"),
                (["auth", "connect", "h", "--port", "1"], "--port is for serve"),
                (["auth", "connect", "h", "--address", "::1"], "--address is for serve"),
                (["auth", "connect", "h", "--password", "secret"], "no option --password"),
                (["auth", "serve", "h"], "--address"),
                (["auth", "serve", "--mutual"], "--mutual is for connect"),
                (["auth", "serve", "--user", "a"], "--user is for connect"),
                (["auth", "serve", "--port", "70000"], "--port takes a number"),
                (["auth", "connect", "h", "--packages", "ntlm", "--package", "ntlm"], "for negotiate and credssp"),
                (["auth", "connect", "h", "--packages", ""], "--packages takes"),
                (["auth", "connect", "h", "--ca", "f"], "for --package credssp"),
                (["auth", "connect", "h", "--server-name", "s", "--package", "kerberos"], "for --package credssp"),
                (["auth", "connect", "h", *CREDSSP, "--server-name", ""], "--server-name takes"),
                (["auth", "connect", "h", *CREDSSP, "--server-name", "x" * 300], "--server-name takes"),
                (["auth", "connect", "h", *CREDSSP, "--delegate"], "--user NAME"),
                (["auth", "connect", "h", *CREDSSP, "--cert", "c"], "--cert is for serve"),
                (["auth", "connect", "h", *CREDSSP, "--key-password", "pass:x"], "--key-password is for serve"),
                (["auth", "serve", *CREDSSP], "--cert FILE"),
                (["auth", "serve", *CREDSSP, "--key", "k"], "--cert FILE"),
                (["auth", "serve", *CREDSSP, "--cert", "c", "--store-cert", "00"], "--cert FILE"),
                (["auth", "serve", *CREDSSP, "--store-cert", "00", "--key", "k"], "the store has the key"),
                (["auth", "serve", *CREDSSP, "--cert", "c", "--password", "pass:x"], "no option --password"),
                (["auth", "serve", *CREDSSP, "--cert", "c", "--ca", "f"], "--ca is for connect"),
                (["auth", "serve", *CREDSSP, "--cert", "c", "--packages", "ntlm"], "--packages is for connect"),
                (["auth", "serve", *CREDSSP, "--cert", "c", "--server-name", "n"], "--server-name is for connect"),
                (["auth", "serve", "--cert", "c"], "for --package credssp"),
                (["auth", "serve", "--key-password", "pass:x"], "for --package credssp"),
                (["serve", ".", "--cert", "c", "--auth", "basic"], "--auth takes"),
                (["serve", ".", "--cert", "c", "--auth", ""], "--auth takes"),
                (["serve", ".", "--cert", "c", "--auth", "negotiate", "--alpn", "h2"], "leave h2 out"),
                (["serve", ".", "--cert", "c", "--allow-missing-bindings"], "--auth LIST"),
                (["connect", "--negotiate", "h"], "https://HOST/PATH"),
                (["connect", "--negotiate", "ftp://h/"], "https://HOST/PATH"),
                (["connect", "--negotiate", "https://a:b@h/"], "--user NAME"),
                (["connect", "--negotiate", "https://h/a b"], "%XX"),
                (["connect", "--negotiate", "https://h/\r\nx:y"], "%XX"),
                (["connect", "--negotiate", "https://h:0/"], "port"),
                (["connect", "--negotiate", "https://h/" + "x" * 5000], "too long"),
                (["connect", "--negotiate", "https://" + "h" * 300], "too long"),
                (["connect", "--negotiate", url, "--send"], "--send"),
                (["connect", "--negotiate", url, "--repeat", "2"], "--repeat"),
                (["connect", "--negotiate", url, "--alpn", "h2,http/1.1"], "leave h2 out"),
                (["connect", "--negotiate", url, "--user", "a"], "--password-file"),
                (["connect", "--negotiate", "http://h/", "--ca", "f"], "has no TLS"),
                (["connect", "h", "--target", "HTTP/h"], "--negotiate"),
                (["connect", "h", "--user", "u"], "--negotiate"),
                (["connect", "h", "--delegate"], "--negotiate")]:
            with self.subTest(args):
                result = run(*args)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(words, result.stderr)
                self.assertIn("--help", result.stderr)
                self.assertEqual(result.stdout, "")

    def test_local_problems_exit_3_and_say_what_to_do(self):
        for args, words in [
                (["auth", "connect", "localhost:1", "--user", "a", "--password-file", "/no/file"], "/no/file"),
                (["auth", "serve", "--package", "kerberos"], "KRB5_KTNAME"),
                (["auth", "serve", "--package", "ntlm", "--address", "nowhere"], "nowhere"),
                (["auth", "connect", "localhost:1", *CREDSSP, "--ca", "/no/file"], "/no/file"),
                (["auth", "serve", *CREDSSP, "--cert", "/no/file"], "/no/file"),
                (["auth", "serve", *CREDSSP, "--cert", cert("server.pem")], "cannot use the certificate")]:
            with self.subTest(args):
                result = run(*args, env={**NOBODY, "KRB5_KTNAME": "FILE:/nonexistent"})
                self.assertEqual(result.returncode, 3, result.stderr)
                self.assertIn(words, result.stderr)


class WithRealm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.realm = cls.enterClassContext(Realm())

    def login(self, user="alice", file="password"):
        return ["--user", user, "--password-file", self.realm.path(file)]

    def say(self, server, data):
        """Sends bytes; all that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as peer:
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                peer.sendall(data)
                while part := peer.recv(65536):
                    answer += part
            return answer

    @staticmethod
    def answer(listener, data):
        """To the first thing that the first client says; None: silence."""
        with listener.accept()[0] as peer, contextlib.suppress(OSError):
            peer.settimeout(PATIENCE)
            peer.recv(65536)
            if data is None:
                peer.recv(65536)  # until the other side gives up
            else:
                peer.sendall(data)


class Auth(WithRealm):
    def connect(self, server, *args, lines="hello\nworld\n", **more):
        return run("auth", "connect", f"localhost:{server.port}", "--target", TARGET, *args, text=lines, **more)

    def serve(self, *args, **more):
        return Program("auth", "serve", "--port", 0, "--seconds", 120, "--deadline", 30000, *args, **more)

    def test_every_package_lets_tickets_and_passwords_in(self):
        for package in PACKAGES:
            with self.subTest(package), self.serve("--package", package) as server:
                for form in [[], ["--sync"], [*self.login(), "--domain", NAME]]:
                    result = self.connect(server, "--package", package, "--json", *form)
                    self.assertEqual(result.returncode, 0, result.stderr + server.text())
                    who, *rest = result.stdout.splitlines()
                    self.assertRegex(who, r"^you are (alice@|\S+\\alice)\S*, by (Kerberos|NTLM)$")
                    self.assertEqual(rest, ["hello", "world"])
                    report = json.loads(result.stderr)
                    self.assertTrue(report["ok"])
                    self.assertIn("confidentiality", report["authentication"]["flags"])
                    self.assertNotIn("secret", result.stderr)
                server.wait_for(r"alice\S* says: world\n")

    def test_no_line_is_readable_on_the_way(self):
        for package in PACKAGES:
            with self.subTest(package), self.serve("--package", package) as server:
                relay = Relay(server.port)
                result = run("auth", "connect", f"localhost:{relay.port}", "--target", TARGET, "--package", package,
                             "--quiet", text="a line that nobody may read\n")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn("a line that nobody may read\n", result.stdout)
                self.assertGreater(len(relay.seen), 100)
                self.assertNotIn(b"nobody may read", relay.seen)
                self.assertNotIn(b"you are", relay.seen)

    def test_flags_that_were_asked_for(self):
        with self.serve() as server:
            result = self.connect(server, "--mutual", "--delegate", "--json", lines="")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("mutual", json.loads(result.stderr)["authentication"]["flags"])
        with self.serve("--package", "ntlm") as server:
            result = self.connect(server, "--package", "ntlm", "--mutual")
            self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
            self.assertIn("has not proved who it is", result.stderr)

    def test_who_is_refused_learns_why(self):
        with self.serve("--package", "kerberos") as server:
            kerberos = ["--package", "kerberos", "--quiet"]
            for args, words in [(self.login(file="wrong"), "SEC_E_LOGON_DENIED"),
                                (["--target", "nothing/server.test"], "SEC_E_TARGET_UNKNOWN"),
                                (["--target", "other/server.test"], "closed the connection")]:
                with self.subTest(args):
                    result = self.connect(server, *kerberos, *args)
                    self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
                    self.assertIn(words, result.stderr)
            result = self.connect(server, *kerberos, env=NOBODY)
            self.assertIn(result.returncode, (1, 3), result.stderr)
            self.assertIn("kinit", result.stderr)
            self.assertNotIn("says", server.text())

    def test_clients_that_do_not_behave(self):
        head = struct.Struct(">I").pack
        with self.serve() as server:
            for data in [b"GET / HTTP/1.1\r\n\r\n", head(0), head(1 << 30), head(131073), head(5) + b"hello",
                         head(1000) + b"\x60" * 1000, head(40) + b"NTLMSSP\0" + b"\0" * 32,
                         head(16) + b"NTLMSSP\0\3\0\0\0\0\0\0\0", head(12) + b"NTLMSSP\0\1\0\0\0"]:
                with self.subTest(data[:20]):
                    self.assertEqual(self.say(server, data), b"")
            self.assertEqual(self.connect(server).returncode, 0)
        with self.serve("--deadline", 500) as server, contextlib.ExitStack() as stack:
            # Half a frame, and then silence.
            silent = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(20)]
            for peer in silent:
                peer.sendall(head(100) + b"half")
                peer.settimeout(PATIENCE)
            self.assertEqual(self.say(server, head(0)), b"")
            for peer in silent:
                self.assertEqual(peer.recv(100), b"")
            server.wait_for("the authentication took too long")

    def test_a_message_that_was_changed_ends_the_connection(self):
        with self.serve("--package", "kerberos") as server:
            relay = Relay(server.port, change=lambda number, data: data[:-1] + bytes([data[-1] ^ 1]) if number == 2 else data)
            result = run("auth", "connect", f"localhost:{relay.port}", "--target", TARGET, "--package", "kerberos",
                         "--quiet", text="one\ntwo\n")
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertNotIn("one\n", result.stdout)
            server.wait_for("dropped: SEC_E_MESSAGE_ALTERED")

    def test_servers_that_do_not_behave(self):
        for answer, words in [(b"", "closed the connection"), (b"\0\0\0\5hello", "SEC_E_"), (b"\0\0\0\0", "no frames"),
                              (b"HTTP/1.1 400 Bad Request\r\n", "no frames"), (None, "does not answer|ERROR_TIMEOUT")]:
            with self.subTest(answer), socket.create_server(("127.0.0.1", 0)) as listener:
                thread = threading.Thread(target=self.answer, args=(listener, answer), daemon=True)
                thread.start()
                result = run("auth", "connect", f"localhost:{listener.getsockname()[1]}", "--target", TARGET, "--quiet",
                             "--deadline", 1500 if answer is None else 30000)
                self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
                self.assertRegex(result.stderr, words)
                thread.join(PATIENCE)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        self.assertEqual(run("auth", "connect", f"localhost:{port}", "--target", TARGET).returncode, 3)

    def test_a_silent_kdc_ends_with_the_deadline(self):
        with Silence() as silence, self.serve() as server:
            self.realm.write("silent.conf", self.realm.configuration(silence.port))
            result = self.connect(server, *self.login(), "--package", "kerberos", "--deadline", 1000,
                                  env={"KRB5_CONFIG": self.realm.path("silent.conf")})
            self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
            self.assertIn("ERROR_TIMEOUT", result.stderr)


class CredSsp(WithRealm):
    """`sspi auth` with CredSSP: TLS, and a password that is handed over."""

    def connect(self, server, *args, lines="hello\nworld\n", **more):
        return run("auth", "connect", f"localhost:{server.port}", *CREDSSP, *args, text=lines, **more)

    def serve(self, *args, **more):
        return Program("auth", "serve", *CREDSSP, "--cert", cert("server.pem"), "--key", cert("server.key"), "--port", 0,
                       "--seconds", 120, "--deadline", 30000, *args, **more)

    def user(self, file="password"):
        return [*self.login(file=file), "--domain", NAME]

    def test_a_password_is_handed_over(self):
        with self.serve() as server:
            for form, mechanism in [([*TERMSRV, "--mutual"], "Kerberos"), ([*TERMSRV, "--sync"], "Kerberos"),
                                    (["--packages", "ntlm"], "NTLM"), (["--packages", "!kerberos", "--sync"], "NTLM")]:
                with self.subTest(form):
                    told = len(server.text())
                    result = self.connect(server, *self.user(), "--delegate", "--json", *form)
                    self.assertEqual(result.returncode, 0, result.stderr + server.text())
                    who, *rest = result.stdout.splitlines()
                    self.assertRegex(who, rf"^you are ({ALICE}|{NAME}\\alice), by {mechanism}$")
                    self.assertEqual(rest, ["hello", "world"])
                    report = json.loads(result.stderr)
                    self.assertTrue(report["ok"])
                    self.assertEqual(report["tls"]["protocol"], "TLS 1.3")
                    self.assertIn("delegate", report["authentication"]["flags"])
                    server.wait_for(r"alice\S* says: world\n\S+ has gone\n(?![^\0]*says)")
                    said = server.text()[told:]
                    self.assertIn(f" delegated: user alice, domain {NAME}, and the password\n", said)
                    self.assertRegex(said, rf" authenticated: \S*alice\S*, by {mechanism}\n")
                    self.assertNotIn("secret", said + result.stderr)

    def test_nothing_is_handed_over_unasked(self):
        with self.serve() as server:
            for number, form in enumerate([TERMSRV, [*TERMSRV, *self.user()], [*self.user(), "--packages", "ntlm"]]):
                with self.subTest(form):
                    result = self.connect(server, *form)
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertRegex(result.stderr, r"flags +confidentiality")
                    self.assertNotIn("delegate ", result.stderr)
                    self.assertEqual(server.text().count(" delegated: nothing\n"), number + 1)
            self.assertNotIn("delegated: user", server.text())

    def test_a_wrong_password_on_either_side(self):
        self.realm.write("others", f"{NAME}:alice:not the secret\n")
        ntlm = ["--packages", "ntlm", "--delegate", "--quiet"]
        with self.serve() as server, self.serve(env={"NTLM_USER_FILE": self.realm.path("others")}) as other:
            for side, file in [(server, "wrong"), (other, "password")]:
                result = self.connect(side, *self.user(file), *ntlm)
                self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
                self.assertIn("SEC_E_LOGON_DENIED", result.stderr)
                self.assertIn("errorCode 0xC000006D", result.stderr)
                side.wait_for("authentication failed: SEC_E_LOGON_DENIED")
            result = self.connect(server, *self.user("wrong"), *TERMSRV, "--delegate", "--quiet")
            self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
            self.assertIn("SEC_E_LOGON_DENIED", result.stderr)
            for side in [server, other]:
                self.assertNotIn("delegated", side.text())
            self.assertEqual(self.connect(server, *self.user(), *ntlm).returncode, 0)

    def test_who_does_not_prove_himself_gets_nothing(self):
        """Without --mutual NTLM is enough, and without --ca or --server-name any certificate."""
        ca = ["--ca", cert("ca.pem")]
        with self.serve() as server:
            for args, words in [
                    (["--packages", "ntlm", "--mutual"], "SEC_E_POLICY_NLTM_ONLY"),
                    (["--server-name", "server.test"], "SEC_E_UNTRUSTED_ROOT"),
                    ([*ca, "--server-name", "other.test"], "--server-name NAME"),
                    (["--target", "nothing/server.test", "--packages", "kerberos"], "SEC_E_TARGET_UNKNOWN")]:
                with self.subTest(args):
                    result = self.connect(server, *self.user(), *TERMSRV, "--delegate", *args)
                    self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
                    self.assertIn(words, result.stderr)
            self.assertNotIn("authenticated", server.text())
            for args, name in [(ca, "localhost"), ([*ca, "--server-name", "server.test"], "server.test")]:
                result = self.connect(server, *self.user(), *TERMSRV, "--delegate", *args)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn(f"good for {name}\n", result.stderr)

    def test_lines_are_sealed_and_may_be_long(self):
        lines = ["a line that nobody may read", "x" * 60000, "end"]
        with self.serve() as server:
            relay = Relay(server.port)
            result = self.connect(relay, *self.user(), "--packages", "ntlm", "--delegate", "--quiet",
                                  lines="\n".join(lines) + "\n")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(result.stdout.splitlines()[1:], lines)
            self.assertGreater(len(relay.seen), 60000)
            self.assertNotIn(b"nobody may read", relay.seen)
            self.assertNotIn("secret of alice".encode("utf-16-le"), relay.seen)
            result = self.connect(server, *self.user(), "--packages", "ntlm", "--quiet", lines="y" * 65537 + "\n")
            self.assertEqual(result.returncode, 3, result.stderr)
            self.assertIn("longer than 65536", result.stderr)

    def test_bytes_that_were_changed_end_the_connection(self):
        def change(at):
            return lambda number, data: data[:-1] + bytes([data[-1] ^ 1]) if number == at else data
        with self.serve() as server:
            # Of the client's writes: 1 ClientHello, 2 Finished and the first token, 3 the proof, 4 the credentials, then lines.
            for at in [2, 3, 4, 5]:
                with self.subTest(at):
                    relay = Relay(server.port, change=change(at))
                    result = self.connect(relay, *self.user(), "--packages", "ntlm", "--delegate", "--quiet")
                    self.assertEqual(result.returncode, 1, result.stderr)
                    self.assertNotIn("hello\n", result.stdout)
            server.wait_for("dropped: SEC_E_MESSAGE_ALTERED")
            self.assertEqual(server.text().count(" authenticated: "), 1)
            self.assertNotIn("says", server.text())

    def test_clients_that_do_not_behave(self):
        with self.serve() as server:
            for data in [b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\x16\x03\x01\xff\xff" + bytes(100), os.urandom(70000)]:
                with self.subTest(data[:20]):
                    self.assertLess(len(self.say(server, data)), 100)  # at most an alert
            result = run("auth", "connect", f"localhost:{server.port}", "--target", TARGET, "--quiet", text="")
            self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
            self.tls_but_no_credssp(server)
            self.assertNotIn("authenticated", server.text())
            self.assertEqual(self.connect(server, *TERMSRV).returncode, 0)
        with self.serve("--deadline", 500) as server, contextlib.ExitStack() as stack:
            silent = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(20)]
            for peer in silent:
                peer.sendall(b"\x16\x03\x01\x01\x00half")
                peer.settimeout(PATIENCE)
            for peer in silent:
                self.assertEqual(peer.recv(100), b"")
            server.wait_for("the authentication took too long")

    @staticmethod
    def tls_but_no_credssp(server):
        context = ssl.create_default_context(cafile=cert("ca.pem"))
        for data in [b"GET / HTTP/1.1\r\n\r\n", b"\x30\x82\xff\xff", b"\x30\x04\xa0\x02\x02\x00", b""]:
            with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE),
                                     server_hostname="localhost") as peer, contextlib.suppress(OSError):
                peer.sendall(data)
                if data[-2:] == b"\xff\xff" or not data:
                    continue  # more would have to come, and does not
                while peer.recv(65536):
                    pass

    def test_servers_that_do_not_behave(self):
        for answer, words in [(b"", "closed the connection"), (b"HTTP/1.1 400 Bad Request\r\n", "SEC_E_"),
                              (b"\x15\x03\x03\x00\x02\x02\x28", "SEC_E_"), (None, "does not answer|ERROR_TIMEOUT")]:
            with self.subTest(answer), socket.create_server(("127.0.0.1", 0)) as listener:
                thread = threading.Thread(target=self.answer, args=(listener, answer), daemon=True)
                thread.start()
                result = run("auth", "connect", f"localhost:{listener.getsockname()[1]}", *CREDSSP, *self.user(), "--delegate",
                             "--packages", "ntlm", "--quiet", "--deadline", 1500 if answer is None else 30000)
                self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
                self.assertRegex(result.stderr, words)
                thread.join(PATIENCE)

    def test_a_silent_kdc_ends_with_the_deadline(self):
        with Silence() as silence, self.serve() as server:
            self.realm.write("silent.conf", self.realm.configuration(silence.port))
            result = self.connect(server, *self.user(), *TERMSRV, "--packages", "kerberos", "--deadline", 2000,
                                  env={"KRB5_CONFIG": self.realm.path("silent.conf")})
            self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
            self.assertIn("ERROR_TIMEOUT", result.stderr)


class Relay:
    """Passes bytes on between one client and a server, and keeps them."""

    def __init__(self, port, change=lambda number, data: data):
        self.target, self.change, self.seen = port, change, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with self.listener, self.listener.accept()[0] as near, \
                socket.create_connection(("127.0.0.1", self.target)) as far, contextlib.suppress(OSError):
            back = threading.Thread(target=self.pass_on, args=(far, near, None), daemon=True)
            back.start()
            self.pass_on(near, far, self.change)
            back.join(PATIENCE)

    def pass_on(self, source, sink, change):
        number = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                number += 1
                self.seen += data
                sink.sendall(change(number, data) if change else data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def receive(peer, method="GET"):
    """The head and the body of an answer."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = peer.recv(65536)
        if not part:
            return answer, b""
        answer += part
    head, body = answer.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
    while len(body) < length and method != "HEAD":
        body += peer.recv(65536)
    return head, body


class Proxy:
    """Stands between one client and a connection to the server, with the server's own certificate, so that bindings hold.

    With `ends` it tells of no length: pages that are found end with the connection."""

    def __init__(self, far, request=lambda head: head, ends=False):
        self.far, self.request, self.ends = far, request, ends
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert("server.pem"), cert("server.key"))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with self.listener, contextlib.suppress(OSError):
            plain = self.listener.accept()[0]
            plain.settimeout(PATIENCE)
            with self.context.wrap_socket(plain, server_side=True) as near:
                while head := near.recv(65536):
                    self.far.sendall(self.request(head.decode()).encode())
                    head, body = receive(self.far)
                    if not self.ends or b" 200 " not in head:
                        near.sendall(head + b"\r\n\r\n" + body)
                        continue
                    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                    near.sendall(re.sub(rb"\r\n(Content-Length|Connection): [^\r]*", b"", head) +
                                 b"\r\nConnection: close\r\n\r\n" + body)
                    near.unwrap()
                    return


NTLM_NEGOTIATE = b"NTLMSSP\0" + struct.pack("<IIHHIHHI", 1, 0x8207, 0, 0, 32, 0, 0, 32)


class Serve(WithRealm):
    """`sspi serve --auth` and requests of HTTP that no client sends."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.site = Path(tempfile.mkdtemp(prefix="sspi-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.site)
        (cls.site / "a.txt").write_text("inside\n")
        cls.server = cls.enterClassContext(Program(
            "serve", cls.site, "--port", 0, "--seconds", 300, "--verbose", "--cert", cert("server.pem"), "--key",
            cert("server.key"), "--auth", "negotiate,ntlm", "--handshake-timeout", 60000, "--status", "/status"))

    def open(self):
        context = ssl.create_default_context(cafile=cert("ca.pem"))
        peer = context.wrap_socket(socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE),
                                   server_hostname="localhost")
        self.addCleanup(peer.close)
        return peer

    @staticmethod
    def ask(peer, *fields, path="/a.txt", method="GET"):
        """A request and the head of its answer; the body is read too."""
        with contextlib.suppress(OSError):
            peer.sendall("\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode())
        return receive(peer, method)[0].decode()

    def status(self, *args, **more):
        answer = self.ask(self.open(), *args, **more)
        return int(answer.split()[1])

    @staticmethod
    def field(scheme, token):
        return f"Authorization: {scheme} {base64.b64encode(token).decode()}"

    def test_nothing_is_served_unasked(self):
        for path in ["/a.txt", "/", "/none", "/status", "/status.json"]:
            answer = self.ask(self.open(), path=path)
            self.assertIn(" 401 ", answer)
            self.assertIn("\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n", answer)
        self.assertEqual(self.status(method="HEAD"), 401)
        self.assertEqual(self.status(method="POST"), 405)

    def test_tokens_that_are_none(self):
        self.assertEqual(self.status("Authorization: Basic YWxpY2U6c2VjcmV0"), 401)
        for value in ["Negotiate", "NTLM", "Negotiate ", "negotiate", "Digest x=y", "", "Negotiate\t"]:
            with self.subTest(value):
                self.assertEqual(self.status(f"Authorization: {value}"), 401)
        for value in ["Negotiate !!!!", "Negotiate YQ", "Negotiate YQ=a", "Negotiate YWFh YWFh", "NTLM ====",
                      "Negotiate " + "A" * 65540]:
            with self.subTest(value[:20]):
                self.assertEqual(self.status(f"Authorization: {value}"), 400)
        self.assertEqual(self.status("Authorization: Negotiate " + "A" * 99999), 431)
        self.assertEqual(self.status("Authorization: Negotiate YWFh", "Authorization: Negotiate YWFh"), 400)
        for scheme in ["Negotiate", "NTLM"]:
            for token in [b"x", b"\x60" * 1000, b"NTLMSSP", b"NTLMSSP\0", NTLM_NEGOTIATE[:16] + b"\xff" * 16, b"\0" * 40000,
                          b"NTLMSSP\0" + struct.pack("<I", 3) + b"\xff" * 80]:
                with self.subTest(scheme=scheme, token=token[:12]):
                    self.assertEqual(self.status(self.field(scheme, token)), 401)

    def test_a_challenge_belongs_to_one_connection(self):
        """Two halves of an authentication on two connections are none, and a request between them ends it."""
        peer = self.open()
        answer = self.ask(peer, self.field("NTLM", NTLM_NEGOTIATE))
        self.assertIn(" 401 ", answer)
        self.assertRegex(answer, r"\r\nWWW-Authenticate: NTLM TlRMTVNTUAAC\S+\r\n")
        answer = self.ask(peer)
        self.assertIn("\r\nWWW-Authenticate: Negotiate\r\n", answer)
        first, second = self.ntlm_legs()
        peer = self.open()
        self.ask(peer, self.field("NTLM", first))
        self.assertIn(" 401 ", self.ask(self.open(), self.field("NTLM", second)))
        peer = self.open()
        self.ask(peer, self.field("NTLM", first), "Connection: close")
        self.assertEqual(peer.recv(1), b"")

    def ntlm_legs(self):
        """What a client sends: for another challenge, so that it is of no use."""
        third = b"NTLMSSP\0" + struct.pack("<I", 3)
        names = ["", "\0" * 24, NAME, "alice", "HOST", ""]
        payload, fields = b"", b""
        for name in names:
            data = name.encode("ascii") if "\0" in name else name.encode("utf-16-le")
            fields += struct.pack("<HHI", len(data), len(data), 64 + len(payload))
            payload += data
        return NTLM_NEGOTIATE, third + fields + struct.pack("<I", 0x8205) + payload

    def test_a_connection_that_stays_for_more(self):
        """After garbage, the same connection may still be somebody's."""
        peer = self.open()
        self.assertIn(" 401 ", self.ask(peer, self.field("Negotiate", b"garbage")))
        self.assertIn(" 401 ", self.ask(peer, self.field("NTLM", NTLM_NEGOTIATE)))
        self.assertIn(" 401 ", self.ask(peer))
        result = run("connect", "--negotiate", f"https://localhost:{self.server.port}/a.txt", "--ca", cert("ca.pem"))
        self.assertEqual((result.returncode, result.stdout), (0, "inside\n"), result.stderr)

    def test_a_connection_that_a_proxy_shares_belongs_to_nobody(self):
        """RFC 4559, section 6. A proxy tells of itself; one that does not must not share, as the manual says."""
        for field in ["Via: 1.1 proxy", "via: x", "X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7"]:
            with self.subTest(field):
                proxy = Proxy(self.open(), request=lambda head, f=field: head.replace("\r\n\r\n", f"\r\n{f}\r\n\r\n"))
                url = f"https://localhost:{proxy.port}/a.txt"
                result = run("connect", "--negotiate", url, "--ca", cert("ca.pem"))
                self.assertEqual((result.returncode, result.stdout), (0, "inside\n"), result.stderr)
                self.assertIn(" 401 ", self.ask(proxy.far))
        proxy = Proxy(self.open())
        result = run("connect", "--negotiate", f"https://localhost:{proxy.port}/a.txt", "--ca", cert("ca.pem"))
        self.assertEqual((result.returncode, result.stdout), (0, "inside\n"), result.stderr)
        answer = self.ask(proxy.far)
        self.assertIn(" 200 ", answer)
        self.assertIn("\r\nPersistent-Auth: true\r\n", answer)
        self.assertIn(" 401 ", self.ask(proxy.far, "Via: 1.1 proxy"))
        self.assertIn(" 401 ", self.ask(proxy.far))

    def test_a_page_that_ends_with_the_connection(self):
        """Its last bytes and the end of the connection come at once."""
        proxy = Proxy(self.open(), ends=True)
        result = run("connect", "--negotiate", f"https://localhost:{proxy.port}/a.txt", "--ca", cert("ca.pem"))
        self.assertEqual((result.returncode, result.stdout), (0, "inside\n"), result.stderr)

    def test_a_certificate_without_bindings(self):
        """RFC 5929 has none for Ed25519. Who asks for them learns what is wrong; without them pages are served."""
        pem, key = self.realm.path("odd.pem"), self.realm.path("odd.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", pem],
                       check=True, stderr=subprocess.DEVNULL, timeout=PATIENCE)
        for more in [[], ["--allow-missing-bindings"]]:
            with self.subTest(more), Program("serve", self.site, "--port", 0, "--seconds", 120, "--verbose", "--cert", pem,
                                             "--key", key, "--auth", "negotiate,ntlm", *more) as server:
                context = ssl.create_default_context(cafile=pem)
                with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE),
                                         server_hostname="localhost") as peer:
                    if more:
                        answer = self.ask(peer, self.field("NTLM", NTLM_NEGOTIATE))
                        self.assertRegex(answer, r"\r\nWWW-Authenticate: NTLM TlRMTVNTUAAC\S+\r\n")
                    else:
                        server.wait_for("dropped: the certificate's signature has no channel bindings")

    def test_clients_that_vanish_in_the_middle(self):
        for _ in range(10):
            peer = self.open()
            self.ask(peer, self.field("NTLM", NTLM_NEGOTIATE))
            peer.close()
        peers = [self.open() for _ in range(5)]
        for peer in peers:
            peer.sendall(f"GET / HTTP/1.1\r\nHost: h\r\n{self.field('Negotiate', bytes(20000))}\r\n\r\n".encode())
            peer.close()
        self.assertEqual(self.status(), 401)


class Page(WithRealm):
    """`sspi connect --negotiate` and servers of HTTP that do not behave."""

    def get(self, *answers, timeout=30000):
        """Serves these answers, one for each request on one connection; then closes."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                with listener.accept()[0] as peer, contextlib.suppress(OSError):
                    peer.settimeout(PATIENCE)
                    for answer in answers:
                        request = b""
                        while b"\r\n\r\n" not in request:
                            part = peer.recv(65536)
                            if not part:
                                return
                            request += part
                        if answer is None:
                            peer.recv(1)
                        else:
                            peer.sendall(answer)
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            result = run("connect", "--negotiate", f"http://localhost:{listener.getsockname()[1]}/", "--quiet",
                         "--timeout", timeout)
            thread.join(PATIENCE)
        self.assertIn("WARNING: without TLS", result.stderr)
        return result

    @staticmethod
    def answer(status, *fields, body=b"page"):
        head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *fields, "", ""]
        return "\r\n".join(head).encode() + body

    def test_whoever_has_not_proved_himself_is_not_believed(self):
        challenge = self.answer(401, "WWW-Authenticate: Negotiate")
        token = "WWW-Authenticate: Negotiate " + base64.b64encode(b"garbage").decode()
        for answers, words in [
                ([self.answer(200)], "does not ask who we are"),
                ([self.answer(401)], "does not offer Negotiate"),
                ([self.answer(401, "WWW-Authenticate: NTLM")], "only NTLM"),
                ([self.answer(401, "WWW-Authenticate: Negotiate", "Connection: close")], "ends the connection"),
                ([challenge, self.answer(200)], "has not proved who it is"),
                ([challenge, self.answer(200, token)], "SEC_E_INVALID_TOKEN"),
                ([challenge, self.answer(401, token)], "SEC_E_INVALID_TOKEN"),
                ([challenge, challenge], "refuses us"),
                ([challenge, self.answer(200, "WWW-Authenticate: Negotiate !!")], "has not proved who it is"),
                ([b"SSH-2.0-OpenSSH_9.2\r\n"], "no HTTP"),
                ([b"HTTP/1.1 401 X\r\nWWW-Authenticate: Nego"], "cut off"),
                ([b"HTTP/1.1 401 X\r\nX: " + b"x" * 200000], "no HTTP, or too long"),
                ([], "cut off|reset by peer")]:
            with self.subTest(words=words, answers=str(answers)[:60]):
                result = self.get(*answers)
                self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
                self.assertRegex(result.stderr, words)
        result = self.get(None, timeout=1000)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("no answer within 1000 ms", result.stderr)

    def test_several_challenges_in_one_field(self):
        result = self.get(self.answer(401, 'WWW-Authenticate: Basic realm="a, b", Negotiate, NTLM'), self.answer(403))
        self.assertIn("has not proved who it is", result.stderr)


def main():
    global SSPI
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    SSPI = os.path.abspath(sys.argv[1])
    lack = missing()
    if not os.path.isdir(os.environ.get("OSSPI_TEST_REALM", "")):
        lack.append("the test realm")
    if lack:
        print("missing: " + ", ".join(lack))
        return 1 if os.environ.get("OSSPI_REQUIRE_PEERS") else 77
    # What foreign libraries do not give back; see docs/negotiate.md.
    leaks = Path(__file__).resolve().parent.parent / "gssapi" / "leaks.supp"
    os.environ["LSAN_OPTIONS"] = f"suppressions={leaks}:print_suppressions=0"
    program = unittest.main(argv=[sys.argv[0], *sys.argv[2:]], exit=False, verbosity=2)
    return 0 if program.result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
