#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""HTTP Negotiate and NTLM between programs: `sspi serve --auth` with curl, `sspi connect --negotiate` with Apache's
mod_auth_gssapi, and both with each other where a KDC is silent.

Usage: test_interop_negotiate.py SSPI [TEST...]

Needs curl, apache2 with mod_auth_gssapi and MIT's KDC; without them exits with 77, or fails if OSSPI_REQUIRE_PEERS is set. The
test certificates are in OSSPI_TEST_CERTS, the realm's database in OSSPI_TEST_REALM.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "gssapi"))

import spnego_mic  # noqa: E402
from sspi_server import SspiServer  # noqa: E402
from test_interop_realm import NAME, PATIENCE, Realm, Silence, die_with_parent, missing, secret  # noqa: E402

SSPI = ""
CERTS = Path(os.environ.get("OSSPI_TEST_CERTS", "certs"))
MODULES = Path("/usr/lib/apache2/modules")
ALICE = f"alice@{NAME}"


def cert(name):
    return str(CERTS / name)


def curl_binds():
    """curl tells the server on which TLS connection it is from 8.10 on, with Negotiate."""
    words = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True,
                           timeout=PATIENCE).stdout
    return tuple(map(int, re.match(r"curl (\d+)\.(\d+)", words).groups())) >= (8, 10)


class Server(SspiServer):
    """`sspi serve` with the server's certificate."""

    def __init__(self, folder, *args, environment=None):
        super().__init__(SSPI, "serve", folder, "--port", "0", "--seconds", "150", "--verbose",
                         "--handshake-timeout", "60000", "--idle-timeout", "60000",
                         "--cert", cert("server.pem"), "--key", cert("server.key"), *args, environment=environment)


def curl(port, *args, host="server.test"):
    """Runs curl; BASE in an argument is the server."""
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(PATIENCE),
         "--cacert", cert("ca.pem"), "--resolve", f"server.test:{port}:127.0.0.1",
         *[arg.replace("BASE", f"https://{host}:{port}") for arg in args]],
        capture_output=True, text=True, timeout=PATIENCE + 10, check=False)


def connect(url, *args, environment=None, ca=True):
    return subprocess.run([SSPI, "connect", "--negotiate", url, *(["--ca", cert("ca.pem")] if ca else []), *args],
                          capture_output=True, text=True, timeout=PATIENCE + 10, check=False,
                          env={**os.environ, **(environment or {})})


class WithRealm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.realm = cls.enterClassContext(Realm())
        cls.site = Path(tempfile.mkdtemp(prefix="sspi-interop-"))
        cls.addClassCleanup(shutil.rmtree, cls.site)
        for i in range(3):
            (cls.site / f"{i}.txt").write_text(f"file {i}\n")
        (cls.site / "folder").mkdir()


STATUS = ["--output", "/dev/null", "--write-out", "%{http_code} %{num_connects}\n"]


class Curl(WithRealm):
    def test_negotiate_lets_the_owner_of_tickets_in(self):
        with Server(self.site, "--auth", "negotiate", "--allow-missing-bindings") as server:
            result = curl(server.port, "--negotiate", "--user", ":", "--include", "BASE/0.txt")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("HTTP/1.1 200 OK", result.stdout)
            self.assertRegex(result.stdout, r"(?m)^WWW-Authenticate: Negotiate [A-Za-z0-9+/=]+\r?$")
            self.assertTrue(result.stdout.endswith("file 0\n"), result.stdout)
            server.wait_for(f"authenticated: {ALICE}, by Kerberos\n")
            server.wait_for(f"GET /0.txt 200 7 {ALICE}\n")
            page = curl(server.port, "--negotiate", "--user", ":", "BASE/folder/").stdout
            self.assertIn(f"<p>You are <b>{ALICE}</b>.</p>", page)

    def test_a_connection_belongs_to_its_user(self):
        """Three files, one connection, one authentication; the next connection knows nobody."""
        with Server(self.site, "--auth", "negotiate", "--allow-missing-bindings") as server:
            result = curl(server.port, "--negotiate", "--user", ":", "--write-out", "%{http_code} %{num_connects}\n",
                          *[f"BASE/{i}.txt" for i in range(3)])
            self.assertEqual(result.stdout, "file 0\n200 1\nfile 1\n200 0\nfile 2\n200 0\n", result.stderr)
            self.assertEqual(server.text().count("authenticated:"), 1, server.text())
            self.assertEqual(curl(server.port, *STATUS, "BASE/0.txt").stdout, "401 1\n")

    def test_without_bindings_nobody_gets_in_unless_allowed(self):
        with Server(self.site, "--auth", "negotiate,ntlm") as server:
            result = curl(server.port, "--negotiate", "--user", ":", *STATUS, "BASE/0.txt")
            self.assertEqual(result.stdout.split()[0], "200" if curl_binds() else "401", server.text())
            result = curl(server.port, "--ntlm", "--user", f"alice:{secret('alice')}", *STATUS, "BASE/0.txt")
            self.assertEqual(result.stdout.split()[0], "401", server.text())
            server.wait_for("authentication failed: SEC_E_BAD_BINDINGS")

    def test_ntlm(self):
        with Server(self.site, "--auth", "negotiate,ntlm", "--allow-missing-bindings") as server:
            result = curl(server.port, "--ntlm", "--user", f"alice:{secret('alice')}",
                          "BASE/0.txt", "BASE/1.txt")
            self.assertEqual((result.returncode, result.stdout), (0, "file 0\nfile 1\n"), server.text())
            server.wait_for(r"authenticated: \S*alice, by NTLM\n")
            for user in ["alice:wrong", "nobody:secret of alice", ":"]:
                with self.subTest(user):
                    result = curl(server.port, "--ntlm", "--user", user, *STATUS, "BASE/0.txt")
                    self.assertEqual(result.stdout.split()[0], "401", server.text())

    def test_what_is_not_offered_is_not_taken(self):
        with Server(self.site, "--auth", "negotiate", "--allow-missing-bindings") as server:
            result = curl(server.port, "--ntlm", "--user", f"alice:{secret('alice')}", *STATUS, "BASE/0.txt")
            self.assertEqual(result.stdout.split()[0], "401", server.text())
            self.assertNotIn("authenticated", server.text())
            head = curl(server.port, "--head", "BASE/0.txt").stdout
            self.assertIn("WWW-Authenticate: Negotiate\n", head.replace("\r", ""))
            self.assertNotIn("NTLM", head)

    def test_http2_is_not_offered(self):
        with Server(self.site, "--auth", "negotiate", "--allow-missing-bindings") as server:
            result = curl(server.port, "--http2", "--negotiate", "--user", ":", "--output", "/dev/null",
                          "--write-out", "%{http_version} %{http_code}", "BASE/0.txt")
            self.assertEqual(result.stdout, "1.1 200", result.stderr)

    def test_without_tickets_nobody_gets_in(self):
        with Server(self.site, "--auth", "negotiate", "--allow-missing-bindings",
                    environment={"NTLM_USER_FILE": "/nonexistent"}) as server:
            environment = {"KRB5CCNAME": "FILE:/nonexistent", "NTLM_USER_FILE": "/nonexistent"}
            old = {key: os.environ[key] for key in environment}
            self.addCleanup(os.environ.update, old)
            os.environ.update(environment)
            result = curl(server.port, "--negotiate", "--user", ":", *STATUS, "BASE/0.txt")
            self.assertEqual(result.stdout.split()[0], "401", server.text())


class Ours(WithRealm):
    """`sspi connect --negotiate` with `sspi serve --auth`: bindings are required here."""

    def test_kerberos_and_ntlm_with_bindings(self):
        with Server(self.site, "--auth", "negotiate") as server:
            url = f"https://localhost:{server.port}"
            for form in [[], ["--sync"]]:
                result = connect(f"{url}/0.txt?x=1", "--json", *form)
                self.assertEqual((result.returncode, result.stdout), (0, "file 0\n"), result.stderr)
                report = json.loads(result.stderr)
                self.assertEqual(report["http_status"], 200)
                self.assertEqual(report["authentication"]["package"], "Kerberos")
                self.assertEqual(report["authentication"]["client"], ALICE)
                self.assertIn("mutual", report["authentication"]["flags"])
            nobody = {"KRB5CCNAME": "FILE:/nonexistent"}
            result = connect(f"{url}/1.txt", environment=nobody)
            self.assertEqual((result.returncode, result.stdout), (0, "file 1\n"), result.stderr)
            self.assertIn("proof         NTLM has not shown the server's identity", result.stderr)

    def test_a_password_and_a_name_of_the_service(self):
        with Server(self.site, "--auth", "negotiate") as server:
            result = connect(f"https://localhost:{server.port}/2.txt", "--user", "alice", "--password-file",
                             self.realm.path("password"), "--target", "HTTP/server.test", "--quiet",
                             environment={"KRB5CCNAME": "FILE:/nonexistent"})
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "file 2\n", ""))

    def test_refusals_say_what_to_do(self):
        with Server(self.site, "--auth", "negotiate") as server:
            url = f"https://localhost:{server.port}/0.txt"
            for args, words in [
                    (["--user", "alice", "--password-file", self.realm.path("wrong")],
                     "SEC_E_LOGON_DENIED.*check the user's name and password"),
                    (["--target", "nothing/server.test"], "SEC_E_TARGET_UNKNOWN.*--target service/host"),
                    (["--target", "other/server.test"], "refuses us"),
                    (["--user", "alice", "--password-file", "/nonexistent"], "cannot read a password")]:
                with self.subTest(args):
                    result = connect(url, *args)
                    self.assertEqual(result.stdout, "")
                    self.assertIn(result.returncode, (1, 3), result.stderr)
                    self.assertRegex(result.stderr.replace("\n", " "), words)
        with Server(self.site) as server:
            result = connect(f"https://localhost:{server.port}/0.txt")
            self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
            self.assertIn("does not ask who we are", result.stderr)

    def test_a_token_is_of_no_use_on_another_connection(self):
        """Somebody in the middle, whom the client trusts, hands the tokens on to the real server."""
        with Server(self.site, "--auth", "negotiate") as server:
            relay = Relay(server.port)
            self.addCleanup(relay.close)
            result = connect(f"https://localhost:{relay.port}/0.txt", "--target", "HTTP/server.test")
            self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
            server.wait_for("authentication failed: SEC_E_BAD_BINDINGS")

    def test_a_silent_kdc_stalls_neither_side(self):
        """The client ends in time; the server, whose own KDC is silent too, serves others meanwhile."""
        with Silence() as silence:
            self.realm.write("silent.conf", self.realm.configuration(silence.port))
            silent = {"KRB5_CONFIG": self.realm.path("silent.conf")}
            with Server(self.site, "--auth", "negotiate", environment=silent) as server:
                url = f"https://localhost:{server.port}/0.txt"
                waiting = [subprocess.Popen(
                    [SSPI, "connect", "--negotiate", url, "--ca", cert("ca.pem"), "--user", "alice",
                     "--password-file", self.realm.path("password"), "--timeout", "4000"],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **silent},
                    preexec_fn=die_with_parent) for _ in range(5)]
                for _ in range(4):
                    result = connect(url)
                    self.assertEqual((result.returncode, result.stdout), (0, "file 0\n"), result.stderr)
                for process in waiting:
                    out, err = process.communicate(timeout=PATIENCE)
                    self.assertEqual((process.returncode, out), (1, ""))
                    self.assertRegex(err, "ERROR_TIMEOUT|no answer within")


class Relay:
    """A TLS server with a certificate of its own that passes on what comes to another TLS server."""

    def __init__(self, port):
        import ssl
        self.target = port
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert("server-rsa.pem"), cert("server-rsa.key"))
        self.client = ssl.create_default_context(cafile=cert("ca.pem"))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError), \
                self.context.wrap_socket(self.listener.accept()[0], server_side=True) as near, \
                self.client.wrap_socket(socket.create_connection(("127.0.0.1", self.target)),
                                        server_hostname="localhost") as far:
            back = threading.Thread(target=self.pass_on, args=(far, near), daemon=True)
            back.start()
            self.pass_on(near, far)
            back.join(PATIENCE)

    @staticmethod
    def pass_on(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


class Apache(WithRealm):
    """Apache with mod_auth_gssapi, configuration and files of its own, in the foreground."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clear, cls.secure = cls.free_ports()
        cls.folder = Path(tempfile.mkdtemp(prefix="sspi-apache-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        for folder in ["bound", "ntlm", "once"]:
            (cls.site / folder).mkdir()
            (cls.site / folder / "page.txt").write_text(f"{folder}\n")
        modules = ["mpm_event", "authn_core", "authz_core", "authz_user", "alias", "auth_gssapi", "ssl"]
        loads = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in modules)
        (cls.folder / "apache.conf").write_text(f"""
            {loads}
            ServerName server.test
            ServerRoot {cls.folder}
            PidFile {cls.folder}/pid
            DefaultRuntimeDir {cls.folder}
            Mutex file:{cls.folder}
            ErrorLog {cls.folder}/log
            LogLevel warn auth_gssapi:debug
            StartServers 1
            MinSpareThreads 1
            MaxSpareThreads 25
            ThreadsPerChild 25
            {"User nobody" if os.geteuid() == 0 else ""}
            {"Group nogroup" if os.geteuid() == 0 else ""}
            Listen 127.0.0.1:{cls.clear}
            Listen 127.0.0.1:{cls.secure}
            DocumentRoot {cls.site}
            SSLSessionCache none
            <VirtualHost 127.0.0.1:{cls.clear}>
            </VirtualHost>
            <VirtualHost 127.0.0.1:{cls.secure}>
                SSLEngine on
                SSLCertificateFile {cert("server.pem")}
                SSLCertificateKeyFile {cert("server.key")}
            </VirtualHost>
            <Directory {cls.site}>
                Require all granted
            </Directory>
            <Location /bound>
                AuthType GSSAPI
                AuthName test
                GssapiConnectionBound On
                GssapiSignalPersistentAuth On
                Require user {ALICE}
            </Location>
            <Location /once>
                AuthType GSSAPI
                AuthName test
                Require valid-user
            </Location>
            <Location /ntlm>
                AuthType GSSAPI
                AuthName test
                GssapiConnectionBound On
                GssapiAllowedMech ntlmssp
                Require valid-user
            </Location>
            """)
        if os.geteuid() == 0:  # its workers are nobody's, and read all this
            for path in [cls.realm.folder, cls.folder, cls.site]:
                subprocess.run(["chmod", "-R", "a+rwX", path], check=True, timeout=PATIENCE)
        cls.process = subprocess.Popen(
            ["apache2", "-f", cls.folder / "apache.conf", "-D", "FOREGROUND"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=die_with_parent)
        cls.addClassCleanup(cls.stop)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", cls.secure)).close()
                return
            except OSError:
                if cls.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"apache2 does not start: {cls.process.stderr.read()}") from None
                time.sleep(0.02)

    @staticmethod
    def free_ports():
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            return one.getsockname()[1], two.getsockname()[1]

    @classmethod
    def stop(cls):
        cls.process.terminate()
        try:
            cls.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            cls.process.kill()
            cls.process.wait()
        cls.process.stderr.close()

    def log(self):
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def test_kerberos_over_tls_and_without(self):
        for url, ca, bound in [(f"https://localhost:{self.secure}", True, "to this TLS connection"),
                               (f"http://localhost:{self.clear}", False, "to nothing")]:
            for place in ["bound", "once"]:
                for form in [[], ["--sync"]]:
                    with self.subTest(url=url, place=place, form=form):
                        result = connect(f"{url}/{place}/page.txt", *form, ca=ca)
                        self.assertEqual((result.returncode, result.stdout), (0, f"{place}\n"),
                                         result.stderr + self.log())
                        self.assertIn("package       Kerberos\n", result.stderr)
                        self.assertIn(f"client        {ALICE}\n", result.stderr)
                        self.assertIn("proof         the server has shown", result.stderr)
                        self.assertIn(f"bound         {bound}", result.stderr)
                        self.assertEqual("WARNING" in result.stderr, not ca)

    def test_the_page_is_for_alice_alone(self):
        self.realm.write("of-bob", secret("bob") + "\n")
        url = f"https://localhost:{self.secure}"
        bob = ["--user", "bob", "--password-file", self.realm.path("of-bob")]
        result = connect(f"{url}/bound/page.txt", *bob)
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        result = connect(f"{url}/once/page.txt", *bob)
        self.assertEqual((result.returncode, result.stdout), (0, "once\n"), result.stderr + self.log())

    def test_ntlm_in_several_legs(self):
        if not spnego_mic.peers_read_it():
            self.skipTest("Apache's GSSAPI finds no MIC")
        result = connect(f"https://localhost:{self.secure}/ntlm/page.txt",
                         environment={"KRB5CCNAME": "FILE:/nonexistent"})
        self.assertEqual((result.returncode, result.stdout), (0, "ntlm\n"), result.stderr + self.log())
        self.assertIn("package       NTLM\n", result.stderr)

    def test_a_page_for_everybody_and_one_that_is_not_there(self):
        url = f"https://localhost:{self.secure}"
        result = connect(f"{url}/0.txt")
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        self.assertIn("does not ask who we are", result.stderr)
        result = connect(f"{url}/once/none")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("answers 404", result.stderr)


def main():
    global SSPI
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    SSPI = os.path.abspath(sys.argv[1])
    lack = missing() + [name for name in ["curl", "apache2"] if not shutil.which(name)]
    if not (MODULES / "mod_auth_gssapi.so").exists():
        lack.append("mod_auth_gssapi")
    if "OSSPI_TEST_REALM" not in os.environ or not os.path.isdir(os.environ["OSSPI_TEST_REALM"]):
        lack.append("the test realm")
    if lack:
        print("missing: " + ", ".join(lack))
        return 1 if os.environ.get("OSSPI_REQUIRE_PEERS") else 77
    program = unittest.main(argv=[sys.argv[0], *sys.argv[2:]], exit=False, verbosity=2)
    return 0 if program.result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
