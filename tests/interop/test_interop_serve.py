#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""`sspi serve` against curl, and what a peer of `sspi serve` or `sspi connect` can do in the middle.

Usage: test_interop_serve.py SSPI [TEST...]

Needs openssl and curl; without them exits with 77, or fails if OSSPI_REQUIRE_PEERS is set. The test
certificates are in OSSPI_TEST_CERTS.
"""

import hashlib
import os
import random
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from sspi_server import SspiServer

SSPI = ""
CERTS = Path(os.environ.get("OSSPI_TEST_CERTS", "certs"))
PATIENCE = 60  # only bounds what hangs; sanitizers make everything slow
BIG = 5 << 20
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time


def cert(name):
    return str(CERTS / name)


class Server(SspiServer):
    """`sspi serve` with a certificate."""

    def __init__(self, folder, *args, name="server"):
        super().__init__(SSPI, "serve", folder, "--port", "0", "--seconds", "150", "--verbose",
                         "--cert", cert(f"{name}.pem"), "--key", cert(f"{name}.key"), *args)


def curl(port, *args, ca="ca.pem"):
    """Runs curl; BASE in an argument is the server."""
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(PATIENCE),
         "--cacert", cert(ca), *[arg.replace("BASE", f"https://localhost:{port}") for arg in args]],
        capture_output=True, timeout=PATIENCE + 10, check=False)


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sspi-interop-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.site = self.folder / "site"
        self.site.mkdir()
        for i in range(5):
            (self.site / f"{i}.txt").write_text(f"file {i}\n")
        (self.site / "big").write_bytes(random.Random(1).randbytes(BIG))


class Curl(Folder):
    VERSIONS = [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3"]]

    def test_several_files_on_one_connection(self):
        for certificate in ["server", "server-rsa"]:
            with Server(self.site, name=certificate) as server:
                for version in self.VERSIONS:
                    result = curl(server.port, *version, "--write-out", "%{num_connects}\n",
                                  *[f"BASE/{i}.txt" for i in range(5)])
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertEqual(result.stdout.decode().split("\n"), [
                        "file 0", "1", "file 1", "0", "file 2", "0", "file 3", "0", "file 4", "0", ""])

    def test_the_agreed_version_and_protocol(self):
        with Server(self.site) as server:
            for version, name in zip(self.VERSIONS, ["TLSv1.2", "TLSv1.3"]):
                for form, protocol in [("--http1.1", "http/1.1"), ("--http2", "h2")]:
                    result = curl(server.port, *version, form, "--verbose", "BASE/0.txt")
                    words = result.stderr.decode()
                    self.assertIn(f"SSL connection using {name}", words)
                    self.assertIn("SSL certificate verify ok", words)
                    self.assertIn(f"ALPN: server accepted {protocol}", words)

    def test_a_big_file_arrives_whole(self):
        expected = hashlib.sha256((self.site / "big").read_bytes()).hexdigest()
        with Server(self.site) as server:
            for version in self.VERSIONS:
                result = curl(server.port, *version, "BASE/big")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(hashlib.sha256(result.stdout).hexdigest(), expected)

    def test_head_and_404(self):
        with Server(self.site) as server:
            result = curl(server.port, "--head", "BASE/big")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stdout, b"^HTTP/[0-9.]+ 200")
            self.assertIn(f"content-length: {BIG}".encode(), result.stdout.lower())
            result = curl(server.port, "--output", "/dev/null", "--write-out",
                          "%{http_code} %{num_connects}\n", "BASE/none", "--next", "--noproxy", "*",
                          "--cacert", cert("ca.pem"), "BASE/1.txt")
            self.assertEqual(result.stdout, b"404 1\nfile 1\n", result.stderr)
            self.assertEqual(curl(server.port, "--fail", "BASE/none").returncode, 22)

    def test_50_at_a_time(self):
        with Server(self.site) as server:
            for version in self.VERSIONS:
                result = curl(server.port, *version, "--parallel", "--parallel-immediate",
                              "--parallel-max", "50", "--header", "Connection: close", "--output",
                              "/dev/null", "--write-out", "%{http_code}\\n", "BASE/0.txt?[1-50]")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(result.stdout.split(), [b"200"] * 50)

    def test_curl_refuses_an_unknown_issuer_and_a_wrong_name(self):
        with Server(self.site) as server:
            result = curl(server.port, "BASE/0.txt", ca="otherca.pem")
            self.assertEqual(result.returncode, 60, result.stderr)
            result = curl(server.port, "--resolve", f"elsewhere.test:{server.port}:127.0.0.1",
                          f"https://elsewhere.test:{server.port}/0.txt")
            self.assertEqual(result.returncode, 60, result.stderr)
            server.wait_for("handshake failed|unknown ca|alert")
            self.assertEqual(curl(server.port, "BASE/0.txt").stdout, b"file 0\n")

    def test_curl_asks_for_a_version_that_is_not_served(self):
        with Server(self.site, "--tls", "1.3") as server:
            result = curl(server.port, *self.VERSIONS[0], "BASE/0.txt")
            self.assertEqual(result.returncode, 35, result.stderr)
            self.assertIn(b"alert protocol version", result.stderr)

    def test_curl_is_killed_in_the_middle(self):
        with Server(self.site) as server:
            for _ in range(3):
                client = subprocess.Popen(
                    ["curl", "--silent", "--noproxy", "*", "--cacert", cert("ca.pem"), "--limit-rate",
                     "100k", f"https://localhost:{server.port}/big"], stdout=subprocess.PIPE)
                self.assertEqual(len(client.stdout.read(10000)), 10000)
                client.kill()
                client.wait()
                client.stdout.close()
            self.assertEqual(curl(server.port, "BASE/0.txt").stdout, b"file 0\n")


class Flights:
    """A good client's messages, to be sent as far as one likes."""

    def __init__(self, version=None):
        context = ssl.create_default_context(cafile=cert("ca.pem"))
        if version:
            context.minimum_version = context.maximum_version = version
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def step(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()


def vanish(connection, reset):
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


class BadClients(Folder):
    """Whatever they do, the next good client is served."""

    def still_serves(self, server):
        self.assertEqual(curl(server.port, "BASE/0.txt").stdout, b"file 0\n")

    def connect(self, server):
        return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)

    def test_plain_http_gets_an_alert_and_the_end(self):
        with Server(self.site) as server:
            result = curl(server.port, f"http://localhost:{server.port}/0.txt")
            self.assertNotEqual(result.returncode, 0)
            with self.connect(server) as connection:
                connection.sendall(b"GET /0.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = connection.recv(100)
                self.assertEqual(answer[:1] + answer[5:6], b"\x15\x02", answer)
                self.assertEqual(connection.recv(100), b"")
            self.still_serves(server)

    def test_vanishing_in_each_flight(self):
        with Server(self.site) as server:
            for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
                for reset in [False, True]:
                    for part in [0, 1, 5, 100, None]:
                        flights = Flights(version)
                        connection = self.connect(server)
                        connection.sendall(flights.step()[:part])
                        vanish(connection, reset)
                    for part in [0, 1, 5, 40, None]:
                        flights = Flights(version)
                        connection = self.connect(server)
                        connection.sendall(flights.step())
                        second = b""
                        while not second:
                            flights.incoming.write(connection.recv(65536))
                            second = flights.step()
                        connection.sendall(second[:part])
                        vanish(connection, reset)
            self.still_serves(server)

    def test_vanishing_within_a_request(self):
        context = ssl.create_default_context(cafile=cert("ca.pem"))
        with Server(self.site) as server:
            for reset in [False, True]:
                raw = self.connect(server)
                tls = context.wrap_socket(raw, server_hostname="localhost",
                                          suppress_ragged_eofs=False)
                tls.sendall(b"GET /0.txt HTTP/1.1\r\nHo")
                vanish(tls, reset)
            self.still_serves(server)

    def test_a_changed_record_ends_the_connection_with_an_alert(self):
        with Server(self.site) as server:
            flights = Flights(ssl.TLSVersion.TLSv1_2)
            with self.connect(server) as connection:
                connection.sendall(flights.step())
                while flights.tls.version() is None or flights.tls.cipher() is None:
                    flights.incoming.write(connection.recv(65536))
                    connection.sendall(flights.step())
                flights.tls.write(b"GET /0.txt HTTP/1.0\r\n\r\n")
                record = bytearray(flights.outgoing.read())
                record[-1] ^= 1
                connection.sendall(record)
                flights.incoming.write(connection.recv(65536))
                with self.assertRaisesRegex(ssl.SSLError, "BAD_RECORD_MAC|bad record mac"):
                    while True:
                        flights.tls.read(1000)
            self.still_serves(server)

    def test_slow_clients_do_not_hold_up_the_others(self):
        # Long enough for a good client on a busy machine under a sanitizer.
        with Server(self.site, "--handshake-timeout", "8000") as server:
            slow = [self.connect(server) for _ in range(10)]
            hello = Flights().step()
            self.still_serves(server)
            begin = time.monotonic()
            left = list(slow)
            place = 0
            while left and time.monotonic() < begin + PATIENCE:
                for connection in list(left):
                    try:
                        connection.sendall(hello[place:place + 1])
                        connection.settimeout(0.001)
                        if connection.recv(100) == b"":
                            left.remove(connection)
                    except (TimeoutError, BlockingIOError):
                        pass
                    except OSError:
                        left.remove(connection)
                place += 1
                time.sleep(0.1)
            self.assertEqual(left, [])
            for connection in slow:
                connection.close()
            self.still_serves(server)


class Relay:
    """Between `sspi connect` and s_server: lets so many of the server's bytes through, then ends."""

    def __init__(self, port, limit, reset=False):
        self.port, self.limit, self.reset = port, limit, reset
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def upwards(self, client, server):
        try:
            while True:
                data = client.recv(65536)
                if not data:
                    return
                server.sendall(data)
        except OSError:
            return

    def run(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.port))
        up = threading.Thread(target=self.upwards, args=(client, server), daemon=True)
        up.start()
        left = self.limit
        while left > 0:
            data = server.recv(left)
            if not data:
                break
            client.sendall(data)
            left -= len(data)
        # A close takes effect when nobody reads any more.
        client.shutdown(socket.SHUT_RD)
        up.join(PATIENCE)
        vanish(client, self.reset)
        server.close()
        self.listener.close()


class BadServers(unittest.TestCase):
    def setUp(self):
        self.process = None

    def tearDown(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()

    def s_server(self, *args, name="server"):
        self.tearDown()
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", cert(f"{name}.pem"),
             "-cert_chain", cert(f"{name}.pem"), "-key", cert(f"{name}.key"), *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in self.process.stdout:
            if line.startswith(b"ACCEPT"):
                return int(line.split(b":")[1])
        raise AssertionError("s_server does not start")

    def connect(self, port, *args, stdin=b""):
        result = subprocess.run([SSPI, "connect", f"localhost:{port}", "--ca", cert("ca.pem"), *args],
                                input=stdin, capture_output=True, timeout=PATIENCE, check=False)
        return result.returncode, result.stderr.decode("utf-8", "replace")

    def test_a_server_that_vanishes_in_its_answer(self):
        for version in ["-tls1_2", "-tls1_3"]:
            port = self.s_server(version, "-www")
            for limit in [0, 4, 5, 90, 300, 800]:
                for reset in [False, True]:
                    relay = Relay(port, limit, reset)
                    code, error = self.connect(relay.listener.getsockname()[1])
                    relay.thread.join(PATIENCE)
                    self.assertIn(code, [1, 3], error)
                    self.assertRegex(error, "closed the connection|[Cc]onnection reset")

    def test_an_end_without_close_notify_is_reported(self):
        for version in ["-tls1_2", "-tls1_3"]:
            port = self.s_server(version, "-www")
            relay = Relay(port, 3000)
            code, error = self.connect(relay.listener.getsockname()[1], "--send",
                                       stdin=b"GET / HTTP/1.0\r\n\r\n")
            relay.thread.join(PATIENCE)
            self.assertEqual(code, 1, error)
            self.assertIn("without a close_notify", error)

    def test_verdicts(self):
        for name, expected in [("expired", "SEC_E_CERT_EXPIRED"),
                               ("wrongname", "SEC_E_WRONG_PRINCIPAL"),
                               ("selfsigned", "SEC_E_UNTRUSTED_ROOT")]:
            code, error = self.connect(self.s_server(name=name))
            self.assertEqual(code, 1, error)
            self.assertIn(expected, error)

    def test_no_common_version(self):
        code, error = self.connect(self.s_server("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"))
        self.assertEqual(code, 1, error)
        self.assertIn("SEC_E_ALGORITHM_MISMATCH", error)


def main():
    global SSPI
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    SSPI = sys.argv[1]
    missing = [name for name in ["openssl", "curl"] if not shutil.which(name)]
    if missing:
        must = os.environ.get("OSSPI_REQUIRE_PEERS", "0") not in ["", "0"]
        print(f"{'failed' if must else 'skipped'}: missing peers: {missing}")
        return 1 if must else 77
    tests = [test for case in [Curl, BadClients, BadServers]
             for test in unittest.defaultTestLoader.loadTestsFromTestCase(case)]
    if len(sys.argv) > 2:
        tests = [test for test in tests if any(name in test.id() for name in sys.argv[2:])]
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(tests))
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
