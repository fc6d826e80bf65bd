#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""The programs of examples/ against real peers: openssl, curl, Python's ssl module, each other;
many at a time, peers that vanish, peers that send garbage.

Usage: test_examples.py FOLDER NAME [TEST...]

FOLDER holds the programs, NAME is the one to test. Exits with 77 where the program was not built, a
peer is missing, or this machine has no io_uring; all but the last fail with OSSPI_REQUIRE_PEERS.
The test certificates are in OSSPI_TEST_CERTS.
"""

import os
import random
import re
import select
import shutil
import signal
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

FOLDER = Path(".")
CERTS = Path(os.environ.get("OSSPI_TEST_CERTS", "certs"))
PATIENCE = 90  # only bounds what hangs; sanitizers make everything slow
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time
GARBAGE = [b"", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x03\x00\x10abc", b"\x15\x03\x03\x00\x02\x02\x28",
           b"\x16\x03\x03\x40\x00" + bytes(16384), b"\x17\x03\x03\x00\x05hello", bytes(100)]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def cert(name):
    return str(CERTS / name)


def tls_context(version=None):
    context = ssl.create_default_context(cafile=cert("ca.pem"))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # newer versions of Python are stricter here
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def client(name, *args, ca="ca.pem"):
    """Runs an example as a client; (exit status, standard output, standard error)."""
    result = subprocess.run([FOLDER / name, *[str(arg) for arg in args]],
                            env=dict(os.environ, SSL_CERT_FILE=cert(ca)), stdin=subprocess.DEVNULL,
                            capture_output=True, timeout=PATIENCE, check=False)
    return result.returncode, result.stdout, result.stderr.decode("utf-8", "replace")


def vanish(connection, reset):
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


class Peer:
    """A server in a process of its own, for the length of a with statement."""

    def __init__(self, command, ready, cwd=None, stop=signal.SIGTERM, expect=None):
        self.command, self.ready, self.cwd = command, ready, cwd
        self.stop, self.expect = stop, expect

    def __enter__(self):
        self.log = tempfile.TemporaryFile("w+b")
        self.process = subprocess.Popen(self.command, cwd=self.cwd, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=subprocess.STDOUT)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(self.ready, self.text())
            if found:
                self.port = int(found.group(1))
                return self
            time.sleep(0.02)
        self.finish()
        raise AssertionError(f"{self.command[0]} does not start:\n{self.text()}")

    def text(self):
        return os.pread(self.log.fileno(), 1 << 20, 0).decode("utf-8", "replace")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def finish(self):
        self.process.send_signal(self.stop)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "hung"

    def __exit__(self, kind, value, trace):
        code = self.finish()
        text = self.text()
        self.log.close()
        if kind is None and self.expect is not None and (code != 0 or self.expect not in text):
            raise AssertionError(f"{self.command[0]} ended with {code}:\n{text}")


def example_server(name, certificate="server"):
    return Peer([FOLDER / name, cert(f"{certificate}.pem"), cert(f"{certificate}.key")],
                r"listening on 127\.0\.0\.1 port (\d+)\n", expect="stopped")


def s_server(*args, certificate="server-rsa", cwd=None):
    return Peer(["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
                 cert(f"{certificate}.pem"), "-cert_chain", cert(f"{certificate}.pem"), "-key",
                 cert(f"{certificate}.key"), *args], r"ACCEPT .*:(\d+)\n", cwd=cwd,
                stop=signal.SIGKILL)


class BadServer:
    """Answers each connection's first bytes with these and ends; or relays so many bytes of a good
    server's."""

    def __init__(self, answer=b"", relay_to=None, limit=0, reset=False):
        self.answer, self.relay_to, self.limit, self.reset = answer, relay_to, limit, reset
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(PATIENCE)
        self.listener.close()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                connection.settimeout(PATIENCE)
                if self.relay_to:
                    self.relay(connection)
                else:
                    connection.recv(65536)
                    connection.sendall(self.answer)
            except OSError:
                pass
            vanish(connection, self.reset)

    def relay(self, down):
        left = self.limit
        with socket.create_connection(("127.0.0.1", self.relay_to), timeout=PATIENCE) as up:
            while left > 0:
                ready, _, _ = select.select([down, up], [], [], PATIENCE)
                if down in ready:
                    data = down.recv(65536)
                    if not data:
                        return
                    up.sendall(data)
                if up in ready:
                    data = up.recv(left)
                    if not data:
                        return
                    down.sendall(data)
                    left -= len(data)


class Flights:
    """A good client's messages, to be sent as far as one likes."""

    def __init__(self, version):
        self.done = False
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls_context(version).wrap_bio(self.incoming, self.outgoing,
                                                 server_hostname="localhost")

    def step(self):
        try:
            self.tls.do_handshake()
            self.done = True
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()


class ServerTests:
    """What holds for every server among the examples; good_client(server) must find it well."""

    NAME = ""

    def test_clients_that_send_garbage(self):
        with example_server(self.NAME) as server:
            for data in GARBAGE:
                with server.connect() as connection:
                    try:
                        connection.sendall(data)
                        connection.shutdown(socket.SHUT_WR)
                        answer = connection.recv(1000)
                    except OSError:  # the server has closed before all was read
                        continue
                    self.assertIn(answer[:1], [b"", b"\x15"], data[:20])
            self.good_client(server)

    def test_clients_that_vanish_in_each_flight(self):
        with example_server(self.NAME) as server:
            for version in VERSIONS:
                for reset in [False, True]:
                    for first, second in [(0, None), (1, None), (100, None), (None, None),
                                          (None, 0), (None, 5), (None, -1)]:
                        flights = Flights(version)
                        connection = server.connect()
                        connection.sendall(flights.step()[:first])
                        answer = b""
                        while first is None and second is not None and not answer:
                            flights.incoming.write(connection.recv(65536))
                            answer = flights.step()
                        connection.sendall(answer[:second])
                        vanish(connection, reset)
            self.good_client(server)

    def test_a_changed_record_ends_the_connection(self):
        with example_server(self.NAME) as server, server.connect() as connection:
            flights = Flights(ssl.TLSVersion.TLSv1_2)
            connection.sendall(flights.step())
            while not flights.done:
                flights.incoming.write(connection.recv(65536))
                connection.sendall(flights.step())
            flights.tls.write(b"GET / HTTP/1.0\r\n\r\n")
            record = bytearray(flights.outgoing.read())
            record[-1] ^= 1
            connection.sendall(record)
            while data := connection.recv(65536):
                flights.incoming.write(data)
            with self.assertRaisesRegex(ssl.SSLError, "(?i)bad.record.mac"):
                while True:
                    flights.tls.read(1000)

    def test_a_stop_while_clients_are_there(self):
        with example_server(self.NAME) as server:
            silent = server.connect()
            begun = server.connect()
            begun.sendall(Flights(ssl.TLSVersion.TLSv1_3).step()[:50])
            idle = tls_context().wrap_socket(server.connect(), server_hostname="localhost",
                                             suppress_ragged_eofs=True)
            self.assertEqual(server.finish(), 0)
            self.assertEqual(idle.recv(100), b"")
            for connection in [silent, begun, idle]:
                connection.close()

    def test_openssl_s_client(self):
        with example_server(self.NAME, "server-rsa") as server:
            for version in ["-tls1_2", "-tls1_3"]:
                with subprocess.Popen(
                        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
                         cert("ca.pem"), "-verify_return_error", "-verify_hostname", "localhost",
                         version, "-quiet", "-no_ign_eof"], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as peer:
                    peer.stdin.write(self.S_CLIENT_SAYS)
                    peer.stdin.flush()
                    heard = b""
                    while self.S_CLIENT_HEARS not in heard:
                        ready, _, _ = select.select([peer.stdout], [], [], PATIENCE)
                        more = os.read(peer.stdout.fileno(), 65536) if ready else b""
                        self.assertTrue(more, heard[-100:])
                        heard += more
                    peer.stdin.close()  # then it says goodbye


class EpollEcho(ServerTests, unittest.TestCase):
    NAME = "epoll_echo"
    S_CLIENT_SAYS = b"line\n" * 2000
    S_CLIENT_HEARS = b"line\n" * 2000

    def echo(self, server, size, version=None):
        """Sends and receives at the same time, then closes in order. One thread does both: Python's
        TLS sockets are not made for two."""
        data, sent, got = random.Random(size).randbytes(size), 0, bytearray()
        with tls_context(version).wrap_socket(server.connect(), server_hostname="localhost",
                                              suppress_ragged_eofs=False) as tls:
            tls.setblocking(False)
            while len(got) < size:
                readable, writable, _ = select.select([tls], [tls] if sent < size else [], [],
                                                      PATIENCE)
                self.assertTrue(readable or writable, "nothing moves")
                try:
                    if readable:
                        more = tls.recv(65536)
                        self.assertTrue(more)
                        got += more
                    elif writable:
                        sent += tls.send(data[sent:])
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
            tls.settimeout(PATIENCE)
            self.assertEqual(got, data)
            tls.unwrap()  # sends close_notify and waits for the server's

    def good_client(self, server):
        self.echo(server, 100)

    def test_small_and_big(self):
        with example_server(self.NAME) as server:
            for version in VERSIONS:
                for size in [1, 16384, 16385, 500000]:
                    self.echo(server, size, version)

    def test_40_clients_at_a_time(self):
        with example_server(self.NAME) as server:
            failures = []

            def run(number):
                try:
                    self.echo(server, 20000 + number)
                except Exception as error:  # a thread's own would only be printed
                    failures.append(error)
            threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(40)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
            self.assertEqual(failures, [])

    def fill(self, tls, chunk, limit):
        """Sends until the server takes no more; how much went."""
        sent = 0
        while sent < limit:
            if not select.select([], [tls], [], 1)[1]:
                return sent
            try:
                sent += tls.send(chunk)
            except ssl.SSLWantWriteError:
                pass
        return sent

    def test_backpressure_and_half_close(self):
        chunk, limit = bytes(range(256)) * 64, 100 << 20
        with example_server(self.NAME) as server, server.connect() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            with tls_context(ssl.TLSVersion.TLSv1_2).wrap_socket(
                    raw, server_hostname="localhost", suppress_ragged_eofs=False) as tls:
                tls.setblocking(False)
                sent = self.fill(tls, chunk, limit)
                self.assertLess(sent, limit, "the server takes everything without an end")
                self.good_client(server)  # meanwhile others are served
                got = bytearray()
                while len(got) < sent:
                    select.select([tls], [], [], PATIENCE)
                    try:
                        got += tls.recv(65536)
                    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                        pass
                self.assertEqual(len(got), sent)
                self.assertEqual(got, (chunk * (sent // len(chunk) + 1))[:sent])

    def test_half_close_before_the_echo_is_read(self):
        """close_notify and FIN right behind the data, and a client that reads late."""
        data = random.Random(7).randbytes(400000)
        for version in VERSIONS:
            with example_server(self.NAME) as server, server.connect() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
                flights = Flights(version)
                connection.sendall(flights.step())
                while not flights.done:
                    flights.incoming.write(connection.recv(65536))
                    connection.sendall(flights.step())
                flights.tls.write(data)
                with self.assertRaises(ssl.SSLWantReadError):
                    flights.tls.unwrap()
                rest = flights.outgoing.read()

                def send_and_end():
                    connection.sendall(rest)
                    connection.shutdown(socket.SHUT_WR)
                writer = threading.Thread(target=send_and_end, daemon=True)
                writer.start()
                writer.join(0.5)  # whether it is done or stuck: now somebody reads
                while more := connection.recv(65536):
                    flights.incoming.write(more)
                writer.join(PATIENCE)
                got = bytearray()
                with self.assertRaises(ssl.SSLZeroReturnError):
                    while True:
                        got += flights.tls.read(65536)
                self.assertEqual(got, data)

    def test_goodbye_at_the_stop(self):
        for version in VERSIONS:
            with example_server(self.NAME) as server:
                with tls_context(version).wrap_socket(
                        server.connect(), server_hostname="localhost",
                        suppress_ragged_eofs=False) as tls:
                    tls.sendall(b"hello")
                    self.assertEqual(tls.recv(100), b"hello")
                    server.process.send_signal(signal.SIGINT)
                    self.assertEqual(tls.recv(100), b"")  # a ragged end would raise


class IoUringServer(ServerTests, unittest.TestCase):
    NAME = "io_uring_server"
    S_CLIENT_SAYS = b"GET / HTTP/1.0\r\n\r\n"
    S_CLIENT_HEARS = b"hello from io_uring\n"

    def good_client(self, server):
        result = subprocess.run(
            ["curl", "--silent", "--show-error", "--noproxy", "*", "--cacert", cert("ca.pem"),
             "--max-time", str(PATIENCE), f"https://localhost:{server.port}/"],
            capture_output=True, timeout=PATIENCE + 10, check=False)
        self.assertEqual(result.stdout, b"hello from io_uring\n", result.stderr)

    def test_40_clients_at_a_time(self):
        if not (FOLDER / "uv_client").exists():
            self.skipTest("uv_client was not built")
        with example_server(self.NAME) as server:
            for _ in range(2):  # the second time most sessions are resumed
                code, out, error = client("uv_client", "localhost", server.port, 40)
                self.assertEqual(code, 0, out.decode() + error)
                self.assertIn(b"40 of 40 came whole\n", out)

    def test_a_request_in_small_pieces(self):
        with example_server(self.NAME) as server:
            for version in VERSIONS:
                with tls_context(version).wrap_socket(
                        server.connect(), server_hostname="localhost",
                        suppress_ragged_eofs=False) as tls:
                    for byte in b"GET / HTTP/1.0\r\n\r\n":
                        tls.sendall(bytes([byte]))
                    got = b""
                    while more := tls.recv(1000):
                        got += more
                    self.assertTrue(got.endswith(b"hello from io_uring\n"), got)


class ClientTests:
    """What holds for every client among the examples."""

    NAME = ""

    def fails(self, port, expected, ca="ca.pem", name="localhost"):
        code, out, error = client(self.NAME, name, port, ca=ca)
        self.assertEqual(code, 1, out.decode("latin-1") + error)
        self.assertRegex(out.decode("latin-1") + error, expected)

    def test_servers_that_send_garbage(self):
        for data in GARBAGE:
            with BadServer(data) as server:
                self.fails(server.port, ".")

    def test_servers_that_vanish_in_the_handshake(self):
        for version in ["-tls1_2", "-tls1_3"]:
            with s_server(version, "-www") as good:
                for limit, reset in [(1, False), (5, True), (100, False), (1000, True)]:
                    with BadServer(relay_to=good.port, limit=limit, reset=reset) as server:
                        self.fails(server.port, "gone|in the middle|reset|takes nothing")

    def test_no_server(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        self.fails(port, "(?i)refused|cannot connect")

    def test_verdicts(self):
        for certificate, ca, expected in [
                ("server", "otherca.pem", r"SEC_E_UNTRUSTED_ROOT|no root that this machine trusts"),
                ("wrongname", "ca.pem", r"SEC_E_WRONG_PRINCIPAL|name"),
                ("expired", "ca.pem", r"SEC_E_CERT_EXPIRED|expired")]:
            with s_server("-www", certificate=certificate) as server:
                self.fails(server.port, expected, ca=ca)


class PageClientTests(ClientTests):
    """For clients that fetch a page."""

    def setUp(self):
        self.site = Path(tempfile.mkdtemp(prefix="examples-"))
        self.addCleanup(shutil.rmtree, self.site)
        (self.site / "big").write_bytes(random.Random(1).randbytes(300000))

    def test_an_answer_that_is_cut_off(self):
        for version in ["-tls1_2", "-tls1_3"]:
            with s_server(version, "-WWW", cwd=self.site) as good:
                with BadServer(relay_to=good.port, limit=60000) as server:
                    code, out, error = client(self.NAME, "localhost", server.port,
                                              *self.path_arguments("/big"))
                    self.assertEqual(code, 1, error)
                    self.assertRegex(out.decode("latin-1") + error, "gone|in the middle|reset")


class UvClient(PageClientTests, unittest.TestCase):
    NAME = "uv_client"

    def path_arguments(self, path):
        return [1, path]

    def test_many_at_a_time(self):
        for version in ["-tls1_2", "-tls1_3"]:
            with s_server(version, "-WWW", cwd=self.site) as server:
                code, out, error = client(self.NAME, "localhost", server.port, 10, "/big")
                self.assertEqual(code, 0, out.decode() + error)
                self.assertEqual(len(re.findall(rb"200 ok, 3000\d\d bytes", out)), 10, out)

    def test_50_at_the_tools_own_server(self):
        tool = FOLDER.parent / "tool" / "sspi"
        if not tool.exists():
            self.skipTest("the tool was not built")
        (self.site / "small").write_bytes(bytes(40000))
        server = Peer([tool, "serve", self.site, "--port", "0", "--seconds", "150",
                       "--handshake-timeout", "90000", "--idle-timeout", "90000", "--cert",
                       cert("server.pem"), "--key", cert("server.key")],
                      r"listening on https://\S*:(\d+)/\n")
        with server:
            code, out, error = client(self.NAME, "localhost", server.port, 50, "/small")
            self.assertEqual(code, 0, out.decode() + error)
            self.assertIn(b"50 of 50 came whole\n", out)

    def test_some_answers_are_cut_off(self):
        with s_server("-WWW", cwd=self.site) as good:
            with BadServer(relay_to=good.port, limit=2000) as server:
                code, out, _ = client(self.NAME, "localhost", server.port, 5, "/big")
                self.assertEqual(code, 1)
                self.assertIn(b"0 of 5 came whole\n", out)


class Blocking(PageClientTests, unittest.TestCase):
    NAME = "blocking"

    def path_arguments(self, path):
        return [path]

    def test_a_big_page(self):
        for certificate in ["server", "server-rsa"]:
            for version in ["-tls1_2", "-tls1_3"]:
                with s_server(version, "-WWW", certificate=certificate, cwd=self.site) as server:
                    for _ in range(2):
                        code, out, error = client(self.NAME, "localhost", server.port, "/big")
                        self.assertEqual(code, 0, error)
                        self.assertTrue(out.endswith((self.site / "big").read_bytes()))

    def test_an_address_is_verified_too(self):
        with s_server("-WWW", cwd=self.site) as server:
            self.assertEqual(client(self.NAME, "127.0.0.1", server.port, "/big")[0], 0)


class MultiLeg(ClientTests, unittest.TestCase):
    NAME = "multi_leg"

    def test_several_at_a_time(self):
        for version, words in [("-tls1_2", b"TLS 1.2 after"), ("-tls1_3", b"TLS 1.3 after")]:
            with s_server(version, "-www") as server:
                code, out, error = client(self.NAME, "localhost", server.port, 8)
                self.assertEqual(code, 0, out.decode() + error)
                self.assertEqual(out.count(words), 8, out)

    def test_32_at_an_example(self):
        with example_server("epoll_echo") as server:
            code, out, error = client(self.NAME, "localhost", server.port, 32)
            self.assertEqual(code, 0, out.decode() + error)

    def test_all_undo_what_they_did(self):
        with BadServer(b"no tls\n") as server:
            code, out, error = client(self.NAME, "localhost", server.port, 16)
            self.assertEqual(code, 1, error)
            self.assertEqual(out.count(b"SEC_E_"), 16, out)


class QuicStyle(unittest.TestCase):
    def run_it(self, *args, certificate="server", ca="ca.pem"):
        return client("quic_style", cert(f"{certificate}.pem"), cert(f"{certificate}.key"), *args,
                      ca=ca)

    def test_many(self):
        for certificate in ["server", "server-rsa"]:
            code, out, error = self.run_it(60, certificate=certificate)
            self.assertEqual(code, 0, out.decode() + error)
            self.assertIn(b"60 connections: 60 established, 0 aborted, 0 failed", out)

    def test_some_are_torn_down(self):
        for every in [1, 2, 7]:
            code, out, error = self.run_it(60, every)
            self.assertEqual(code, 0, out.decode() + error)
            self.assertIn(b" %d aborted, 0 failed" % (60 // every), out)

    def test_handshakes_that_fail(self):
        code, out, error = self.run_it(20, ca="otherca.pem")
        self.assertEqual(code, 1, error)
        self.assertEqual(out.count(b"SEC_E_UNTRUSTED_ROOT"), 20)
        self.assertIn(b"0 established, 0 aborted, 20 failed", out)

    def test_no_certificate(self):
        code, _, error = client("quic_style", cert("none.pem"), cert("none.key"))
        self.assertEqual(code, 2)
        self.assertIn("SEC_E_NO_CREDENTIALS", error)


def udp_port():
    """A port that was free a moment ago: gtlsserver cannot choose one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class QuicServer:
    """ngtcp2's server with GnuTLS, for the length of a with statement."""

    def __init__(self, site, *options, certificate="server"):
        self.site, self.options, self.certificate = site, options, certificate

    def __enter__(self):
        self.port = udp_port()
        self.log = tempfile.TemporaryFile("w+b")
        self.process = subprocess.Popen(
            ["gtlsserver", "-d", self.site, *self.options, "127.0.0.1", str(self.port),
             cert(f"{self.certificate}.key"), cert(f"{self.certificate}.pem")],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        end = time.monotonic() + PATIENCE
        place = f":{self.port:04X} "
        while time.monotonic() < end and self.process.poll() is None:
            if place in Path("/proc/net/udp").read_text(): # it does not say that it listens
                return self
            time.sleep(0.02)
        self.__exit__(None, None, None)
        raise AssertionError(f"gtlsserver does not start:\n{self.said}")

    def __exit__(self, kind, value, trace):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.said = os.pread(self.log.fileno(), 1 << 22, 0).decode("utf-8", "replace")
        self.log.close()


class Http3(unittest.TestCase):
    """Against gtlsserver: ngtcp2 and nghttp3 with GnuTLS."""

    def setUp(self):
        self.site = Path(tempfile.mkdtemp(prefix="examples-"))
        self.addCleanup(shutil.rmtree, self.site)
        (self.site / "big").write_bytes(random.Random(1).randbytes(300000))
        (self.site / "index.html").write_text("a page\n")

    def succeeds(self, server, host="localhost", path="/", expected=b"a page\n"):
        code, out, error = client("http3", host, server.port, path)
        self.assertEqual(code, 0, error)
        self.assertEqual(out, expected)
        self.assertIn("HTTP/3 200", error)

    def test_pages(self):
        for certificate in ["server", "server-rsa"]:
            with QuicServer(self.site, certificate=certificate) as server:
                self.succeeds(server)
                self.succeeds(server, path="/big", expected=(self.site / "big").read_bytes())
                self.succeeds(server, host="127.0.0.1")

    def test_ciphers(self):
        start = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+"
        for name in ["AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305"]:
            with QuicServer(self.site, f"--ciphers={start}{name}") as server:
                self.succeeds(server, path="/big", expected=(self.site / "big").read_bytes())

    def test_another_group_is_asked_for(self):
        with QuicServer(self.site, "--groups=-GROUP-ALL:+GROUP-SECP384R1") as server:
            self.succeeds(server)

    def test_addresses_are_validated(self):
        with QuicServer(self.site, "-V") as server:
            self.succeeds(server)

    def test_a_certificate_is_asked_for(self):
        with QuicServer(self.site, "--verify-client") as server:
            code, _, error = client("http3", "localhost", server.port)
            self.assertEqual(code, 1)
            self.assertIn("closed the connection: 0x174", error) # certificate_required

    def test_no_such_page(self):
        with QuicServer(self.site) as server:
            code, out, error = client("http3", "localhost", server.port, "/none")
            self.assertEqual(code, 1)
            self.assertIn("HTTP/3 404", error)
            self.assertIn(b"404", out)

    def test_certificates_that_are_refused(self):
        for certificate, ca, alert, words in [("server", "otherca.pem", 48, "no root"),
                                              ("expired", "ca.pem", 45, "expired"),
                                              ("wrongname", "ca.pem", 42, "name")]:
            with QuicServer(self.site, certificate=certificate) as server:
                code, _, error = client("http3", "localhost", server.port, ca=ca)
                self.assertEqual(code, 1)
                self.assertIn(words, error)
            self.assertIn(f"CRYPTO_ERROR(0x{0x100 + alert:x})", server.said)

    def test_nobody_is_there(self):
        code, _, error = client("http3", "localhost", udp_port())
        self.assertEqual(code, 1, error)


class Port(unittest.TestCase):
    """examples/port: speaks TLS 1.2 only, as its original does."""

    def test_a_page(self):
        with s_server("-www") as server:
            code, out, error = client("port", "localhost", server.port)
            self.assertEqual(code, 0, error)
            self.assertIn(b"</BODY>", out.upper())

    def test_a_client_certificate(self):
        both = Path(tempfile.mkdtemp(prefix="examples-"))
        self.addCleanup(shutil.rmtree, both)
        (both / "all.pem").touch(0o600)
        (both / "all.pem").write_text((CERTS / "client.pem").read_text() +
                                      (CERTS / "client.key").read_text())
        with s_server("-www", "-Verify", "2", "-CAfile", cert("ca.pem")) as server:
            code, out, error = client("port", "localhost", server.port, both / "all.pem")
            self.assertEqual(code, 0, error)
            self.assertIn(b"client.test", out)
            self.assertNotEqual(client("port", "localhost", server.port)[0], 0)

    def test_failures(self):
        with s_server("-www") as server:
            code, out, _ = client("port", "localhost", server.port, ca="otherca.pem")
            self.assertEqual((code, out), (1, b"InitializeSecurityContext: 0x80090325\n"))
            code, out, _ = client("port", "localhost", server.port, "/nowhere.pem")
            self.assertEqual((code, out), (1, b"no such certificate: 0x8009030E\n"))


CASES = {"epoll_echo": EpollEcho, "io_uring_server": IoUringServer, "uv_client": UvClient,
         "blocking": Blocking, "multi_leg": MultiLeg, "quic_style": QuicStyle, "port": Port,
         "http3": Http3}
# Beside openssl and curl.
PEERS = {"http3": ["gtlsserver"]}


def skip(why, must):
    must = must and os.environ.get("OSSPI_REQUIRE_PEERS", "0") not in ["", "0"]
    print(f"{'failed' if must else 'skipped'}: {why}")
    return 1 if must else 77


def main():
    global FOLDER
    if len(sys.argv) < 3 or sys.argv[2] not in CASES:
        print(__doc__, file=sys.stderr)
        return 2
    FOLDER, name = Path(sys.argv[1]).resolve(), sys.argv[2]
    if not (FOLDER / name).exists():
        return skip(f"{name} was not built", True)
    os.environ["PATH"] += ":/usr/sbin" # where Debian has some of the servers
    missing = [peer for peer in ["openssl", "curl", *PEERS.get(name, [])]
               if not shutil.which(peer)]
    if missing:
        return skip(f"missing peers: {missing}", True)
    if name == "io_uring_server":
        try:
            with example_server(name):
                pass
        except AssertionError as error:
            if "io_uring is not to be had" in str(error):
                return skip(str(error), False)
            raise
    tests = list(unittest.defaultTestLoader.loadTestsFromTestCase(CASES[name]))
    if len(sys.argv) > 3:
        tests = [test for test in tests if any(word in test.id() for word in sys.argv[3:])]
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(tests))
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
